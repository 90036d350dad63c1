"""The page of two runs: folders of results that differ by a known factor, and equal ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.unit.run_fixture import lay, note, place, run

from pharmtwin.cli import main
from pharmtwin.provenance import manifest as m
from pharmtwin.provenance.agreement import agreement
from pharmtwin.provenance.equivalence import paired
from pharmtwin.provenance.hashes import write_sealed
from pharmtwin.provenance.largest import compare_file, largest_differences, relative_difference, table_of
from pharmtwin.provenance.page import EXPOSURES, PAGE, TABLES, comparison_page
from pharmtwin.provenance.verify import read_run
from pharmtwin.report.blocks import Alert, Chart, Page, Table
from pharmtwin.tables import write_table

FACTORS = {"AUCtau": 1.1, "Cmax": 1.5}
MEDIANS = {"a": 10.0, "b": 20.0, "c": 40.0}


def exposure(factors: dict[str, float]) -> pd.DataFrame:
    rows = [
        {"twin_id": t, "scenario": "qd", "model": "covariates", "metric": metric, "unit": "u", "median": v * factor,
         "lo90": v / 2, "hi90": v * 2, "n_draws": 40, "n_failed": 0}
        for metric, factor in factors.items() for t, v in MEDIANS.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def results(folder: Path, factors: dict[str, float], **record: object) -> Path:
    """A finished run with exposures; ``record`` changes what ``run.json`` says."""
    write_table("exposure", exposure(factors), folder / "pbpk/b001/exposure.parquet")
    note(folder, "pbpk", ["sheets/events.tsv"], [f"{folder}/pbpk/b001/exposure.parquet"], batch="b001")
    run(folder)
    if record:
        one = read_run(folder)
        write_sealed(folder / m.RUN, {**one.run, **record})
    return folder


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A run; and one of another release, with one module more, whose AUC is 1.1 and Cmax 1.5 times the first's."""
    folder = place(tmp_path, monkeypatch)
    first = shutil.copytree(results(folder, dict.fromkeys(FACTORS, 1.0)), tmp_path / "first")
    lay(tmp_path / "checkout", {"src/pharmtwin/core.py": "VALUE = 2\n", "src/pharmtwin/new.py": "X = 1\n"})
    lay(tmp_path / "checkout", {"requirements.lock": "numpy==2.1\n"})
    second = shutil.copytree(results(folder, FACTORS, python="3.99.1"), tmp_path / "second")
    return first, second


def page_of(first: Path, second: Path) -> Page:
    found = agreement(read_run(first), read_run(second))
    return comparison_page(found, paired(*found.exposures), largest_differences(found.one, found.other))


def blocks(page: Page, kind: type) -> list:
    return [b for b in (*page.top, *(b for s in page.sections for b in s.blocks)) if isinstance(b, kind)]


def table(page: Page, caption: str) -> list[list[str]]:
    (found,) = (t for t in blocks(page, Table) if t.caption == caption)
    return [[c.text for c in row] for row in found.rows]


def test_a_known_factor_stands_in_figures_tables_and_verdict(two: tuple[Path, Path]) -> None:
    """1.1 lies within 0.8 to 1.25, 1.5 does not; |1.5 - 1| / 1.5 = 1/3 is the largest relative difference."""
    page = page_of(*two)
    bytes_said, exposures_said = blocks(page, Alert)
    assert (bytes_said.level, bytes_said.title) == ("warn", "Not byte-equal") and "code modules" in bytes_said.text
    assert exposures_said.level == "bad" and exposures_said.text.startswith("1 of 2 comparisons equivalent")
    identity, apart = blocks(page, Chart)
    for panel, factor in zip(identity.panels, FACTORS.values(), strict=True):
        drawn = panel.data[-1]
        assert np.array(drawn["y"]) / np.array(drawn["x"]) == pytest.approx([factor] * 3)
    assert [p.data[-1]["y"] for p in apart.panels] == [pytest.approx([10.0] * 3), pytest.approx([50.0] * 3)]
    assert [row[6:] for row in table(page, "Exposure of two runs")] == [
        ["1.10", "equivalent"], ["1.50", "NOT shown equivalent"]
    ]  # fmt: skip
    (row,) = table(page, "Largest relative difference by table")
    assert row[:4] == ["pbpk/*/exposure.parquet", "1 of 1", "0.333", "median, row 4: 10.0000 and 15.0000"]


def test_what_is_unlike_of_outputs_and_environment_is_named(two: tuple[Path, Path]) -> None:
    page = page_of(*two)
    unlike = {row[0]: row[1] for row in table(page, "Outputs that are not byte-equal")}
    assert unlike["pbpk/b001/exposure.parquet"] == "other bytes" and "exposure.tsv" not in unlike
    given = {row[1]: row[2:] for row in table(page, "What the runs were not given alike")}
    assert given["src/pharmtwin/new.py"][0] == "absent" and len(given["src/pharmtwin/core.py"][0]) == 12
    told = {row[0]: row[1:] for row in table(page, "Environment")}
    assert told["Python"][1:] == ["3.99.1", "differs"] and told["Resource tables"] == ["1", "1", "the same"]
    assert told["Lock (requirements.lock, sha256)"][2] == "differs" and told["System"][2] == "the same"


def test_equal_runs_are_called_byte_equal(two: tuple[Path, Path], capsys: pytest.CaptureFixture) -> None:
    first, _ = two
    again = shutil.copytree(first, first.parent / "again")
    page = page_of(first, again)
    said, exposures_said = blocks(page, Alert)
    assert (said.level, said.title) == ("good", "Byte-equal") and exposures_said.level == "good"
    assert set(table(page, "Environment")[0]) and all(row[3] == "the same" for row in table(page, "Environment"))
    assert not [t for t in blocks(page, Table) if t.caption.startswith(("Outputs", "Largest", "What the runs"))]
    assert main(["verify", str(first), str(again)]) == 0
    assert f"page: {first / 'compared' / PAGE}" in capsys.readouterr().out
    assert main(["verify", str(first), "--only", "outputs"]) == 0  # the page is no surplus file of the run


def test_the_command_writes_page_and_numbers(two: tuple[Path, Path], capsys: pytest.CaptureFixture) -> None:
    out = two[0].parent / "out"
    assert main(["verify", *map(str, two), "--page", str(out)]) == 1
    html = (out / PAGE).read_text(encoding="utf-8")
    assert "SYNTHETIC DATA" in html and "Not byte-equal" in html and "<script src" not in html
    numbers = pd.read_csv(out / EXPOSURES, sep="\t")
    assert numbers.groupby("metric")["ratio"].mean().to_dict() == pytest.approx(FACTORS)
    assert numbers.groupby("metric")["percent"].mean().to_dict() == pytest.approx({"AUCtau": 10.0, "Cmax": 50.0})
    assert pd.read_csv(out / TABLES, sep="\t")["largest"].max() == pytest.approx(1 / 3)
    again = two[0].parent / "again"
    main(["verify", *map(str, two), "--page", str(again)])
    assert all((again / name).read_bytes() == (out / name).read_bytes() for name in (PAGE, EXPOSURES, TABLES))


def test_a_changed_file_and_a_lost_output_are_said(two: tuple[Path, Path], capsys: pytest.CaptureFixture) -> None:
    (two[1] / "exposure.tsv").write_text("twin_id\tmedian\na\t9.5\n")
    assert main(["verify", *map(str, two), "--page", str(two[0].parent / "out")]) == 1
    assert "Not as the manifest says" in (two[0].parent / "out" / PAGE).read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_written_is_said(two: tuple[Path, Path], capsys: pytest.CaptureFixture) -> None:
    blocked = two[0].parent / "file"
    blocked.write_text("in the way")
    assert main(["verify", *map(str, two), "--page", str(blocked)]) == 1
    assert f"no page at {blocked}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("first", "second", "apart"),
    [(1.0, 1.0, 0.0), (0.0, 0.0, 0.0), (2.0, 1.0, 0.5), (1.0, 2.0, 0.5), (0.0, 3.0, 1.0), (-1.0, 1.0, 2.0),
     (np.nan, np.nan, 0.0), (np.inf, np.inf, 0.0), (np.nan, 1.0, np.nan), (1.0, np.inf, np.nan)],
)  # fmt: skip
def test_relative_difference(first: float, second: float, apart: float) -> None:
    assert relative_difference(np.array([first]), np.array([second])) == pytest.approx([apart], nan_ok=True)


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    one = lay(tmp_path / "one", {"t.tsv": "name\tx\tgone\na\t1\t1\nb\t\t1\n"})
    other = lay(tmp_path / "other", {"t.tsv": "name\tx\nc\t2\nb\t3\n"})
    found = compare_file("t.tsv", one, other)
    assert (found["largest"], found["texts"], found["unmatched"], found["numbers"]) == (0.5, 1, 1, 2)
    assert found["reason"] == "t.tsv: in one run only: gone"
    lay(other, {"t.tsv": "name\tx\nc\t2\n"})
    assert compare_file("t.tsv", one, other)["reason"] == "t.tsv: 2 rows and 1"
    assert table_of("pbpk/b000/x.tsv", "b000") == "pbpk/*/x.tsv" and table_of("fit/x.tsv", "") == "fit/x.tsv"
