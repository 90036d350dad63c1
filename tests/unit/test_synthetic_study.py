"""The shipped studies: regenerated to the last digit, labelled, and accepted by the intake check."""

import csv
import gzip
import io
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pysam
import pytest

from pharmtwin.findings import has_errors
from pharmtwin.intake.check import check_study
from pharmtwin.intake.config import load_config
from pharmtwin.synthetic.cohort import Candidate, choose_called, choose_sampled, design, draw_person
from pharmtwin.synthetic.genomes import write_vcf
from pharmtwin.synthetic.study import demo_study, panel_study

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "config/studies/demo"
LOCKED_PYSAM = "0.24.1"


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return demo_study()


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


def same(made: str, shipped: str) -> bool:
    """Equal text, or numbers that differ by one unit of their fourth digit, as rounding may on another processor."""
    if made == shipped:
        return True
    try:
        a, b = float(made), float(shipped)
    except ValueError:
        return False
    return abs(a - b) <= 1.001 * 10 ** (math.floor(math.log10(max(abs(a), abs(b)))) - 3)


def test_one_unit_of_the_fourth_digit_is_rounding() -> None:
    assert same("865", "865.1") and same("42.44", "42.44") and not same("865", "865.2") and not same("20", "20 mg")


def test_shipped_sheets_are_those_of_the_seed(files: dict[str, str]) -> None:
    all_cells = []
    for name, text in files.items():
        if name == "cohort.vcf":
            continue
        shipped = (DEMO / name).read_text(encoding="utf-8")
        made, there = ([line.split("\t") for line in t.split("\n")] for t in (text, shipped))
        assert [len(row) for row in made] == [len(row) for row in there], name
        cells = [(x, y) for mine, theirs in zip(made, there, strict=True) for x, y in zip(mine, theirs, strict=True)]
        assert [pair for pair in cells if not same(*pair)] == [], name
        all_cells += cells
    assert sum(x != y for x, y in all_cells) <= 0.001 * len(all_cells)


def test_shipped_vcf_is_that_of_the_seed(files: dict[str, str], tmp_path: Path) -> None:
    with gzip.open(DEMO / "cohort.vcf.gz", "rt", encoding="utf-8") as handle:
        assert handle.read() == files["cohort.vcf"]
    if pysam.__version__ == LOCKED_PYSAM:  # another htslib may compress differently
        write_vcf(files["cohort.vcf"], tmp_path / "cohort.vcf.gz")
        for name in ("cohort.vcf.gz", "cohort.vcf.gz.tbi"):
            assert (tmp_path / name).read_bytes() == (DEMO / name).read_bytes()


def test_the_study_passes_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config, places, findings = load_config([])
    assert config is not None
    findings += check_study(config, places=places)
    assert not has_errors(findings), [f.message() for f in findings]
    assert "truth" not in (ROOT / "config/config.yaml").read_text(encoding="utf-8")


def test_everything_is_labelled_synthetic(files: dict[str, str]) -> None:
    for name, text in files.items():
        if name not in ("cohort.vcf", "events.tsv", "scenarios.tsv"):
            assert {row["label"] for row in rows(text)} == {"synthetic"}, name


def test_ancestries_calls_and_samples_are_as_designed(files: dict[str, str]) -> None:
    plan = design()
    mix = Counter(row["ancestry"] for row in rows(files["twins.tsv"]))
    assert mix == {a: int(plan[f"n_{a}"]) for a in ("AFR", "AMR", "EAS", "EUR", "SAS")}
    counts = {row["quantity"]: int(row["value"]) for row in rows(files["truth/counts.tsv"])}
    assert counts["structural carriers, structure called"] >= 3
    assert counts["structural carriers, structure not assessed"] >= 3
    truth = {row["twin_id"]: row for row in rows(files["truth/genomes.tsv"]) if row["gene"] == "CYP2D6"}
    calls = rows(files["structure_calls.tsv"])
    assert len(calls) == int(plan["structure_called"])
    assert all(truth[row["twin_id"]]["diplotype"] == row["diplotype"] for row in calls)
    events = rows(files["events.tsv"])
    assert len({row["twin_id"] for row in events}) == int(plan["sampled"])
    assert all(float(row["dv_ng_ml"]) >= plan["lloq"] for row in events if row["evid"] == "0")
    fit = Counter(row["twin_id"] for row in events if row["use"] == "fit")
    assert set(fit.values()) <= {3, 4, 5, 6}  # one may lose a sample below the limit of quantification
    assert {row["time_h"] for row in events if row["use"] == "test"} == {"504", "528", "552"}


def test_called_twins_keep_carriers_on_both_sides() -> None:
    rng = np.random.default_rng(1)
    carriers, others = [f"c{i}" for i in range(7)], [f"o{i}" for i in range(23)]
    called = choose_called(carriers, others, 10, 3, rng)
    assert len(called) == 10
    assert sum(c.startswith("c") for c in called) == 3
    assert not any(c.startswith("c") for c in choose_called(carriers[:2], others, 10, 3, rng))
    with pytest.raises(ValueError, match="cannot be called"):
        choose_called([], others, 40, 3, rng)


def test_sampled_twins_spread_over_scores() -> None:
    pool = [Candidate(f"t{i:02d}", "EUR", float(i % 4), 0.5 if i % 9 == 0 else 1.0) for i in range(40)]
    chosen = choose_sampled(pool, 8, 2, 0.9, np.random.default_rng(1))
    picked = [c for c in pool if c.twin_id in chosen]
    assert set(Counter(c.score for c in picked).values()) == {2}
    assert sum(c.certainty < 0.9 for c in picked) >= 2
    with pytest.raises(ValueError, match="too few"):
        choose_sampled(pool[1:3], 2, 1, 0.9, np.random.default_rng(1))


def test_people_follow_the_survey() -> None:
    plan = design()
    people = [draw_person(plan, np.random.default_rng(i)) for i in range(1500)]
    men = [p for p in people if p.sex == "M"]
    women = [p for p in people if p.sex == "F"]
    assert np.median([p.height_cm for p in men]) == pytest.approx(175.4, abs=1)
    assert np.median([p.creatinine_mg_dl for p in women]) == pytest.approx(0.74, abs=0.03)
    assert np.corrcoef([p.height_cm for p in people], [p.weight_kg for p in people])[0, 1] > 0.3
    assert {p.age_y for p in people} == set(range(19, 81))


def test_panel_study_keeps_public_samples_and_draws_the_rest() -> None:
    samples = [
        {"sample": "HG1", "super_pop": "EUR", "sex": "male"},
        {"sample": "HG2", "super_pop": "", "sex": ""},
        {"sample": "HG3", "super_pop": "EAS", "sex": "female"},
    ]
    sheet = rows(panel_study(samples, 1)["twins.tsv"])
    assert [(r["twin_id"], r["sample"], r["ancestry"]) for r in sheet] == [
        ("P0001", "HG1", "EUR"), ("P0002", "HG2", ""), ("P0003", "HG3", "EAS")]  # fmt: skip
    assert (sheet[0]["sex"], sheet[2]["sex"]) == ("M", "F")
    assert sheet[0]["vcf"].split(";")[0] == "CYP2D6.vcf.gz"
    assert rows(panel_study(samples[1:], 1)["twins.tsv"])[0]["weight_kg"] == sheet[1]["weight_kg"]


def test_shipped_panel_study() -> None:
    sheet = ROOT / "config/studies/panel_1kgp/twins.tsv"
    assert sheet.stat().st_size < 400_000
    twins = rows(sheet.read_text(encoding="utf-8"))
    assert len(twins) == len({r["sample"] for r in twins}) == 3202
    assert {r["label"] for r in twins} == {"synthetic"}
