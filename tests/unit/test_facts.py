"""Facts are data: every table is listed with its version and bytes, every row and every drug value has a source."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from pharmtwin.core.drug import WORDS
from pharmtwin.curation import versions
from pharmtwin.drugs.read import check_drug
from pharmtwin.facts import RESOURCES

ROOT = RESOURCES.parent
TABLES = sorted(
    p.relative_to(RESOURCES).as_posix() for p in RESOURCES.rglob("*.tsv") if not p.name.startswith("versions")
)
DRUGS = sorted((RESOURCES / "drugs").rglob("*.yaml"))
#: words that fill the cell but name no source
NO_SOURCE = {"", "-", "?", "x", "none", "na", "n/a", "nan", "todo", "tbd", "placeholder", "unknown"}
#: tables whose rows are sourced through a row of another table: table -> (shared column, other table)
SOURCED_THROUGH = {
    "observed/paroxetine_profiles.tsv": ("profile", "observed/paroxetine_groups.tsv"),
    "observed/pediatric_clearance_profile_points.tsv": ("profile", "observed/pediatric_clearance_profiles.tsv"),
}


def table(name: str) -> pd.DataFrame:
    """A table as text, so that nothing is guessed."""
    return pd.read_csv(RESOURCES / name, sep="\t", comment="#", dtype=str, keep_default_na=False)


def without_source(cells: pd.Series) -> list[int]:
    """Data rows (from 1) whose cell names no source."""
    return [i + 1 for i, cell in enumerate(cells) if cell.strip().lower() in NO_SOURCE]


def values(node: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every ``{value, unit, source}`` of a drug file with its dotted place."""
    if isinstance(node, dict):
        if "value" in node:
            yield where, node
        else:
            for key, child in node.items():
                yield from values(child, f"{where}.{key}".lstrip("."))


def test_versions_list_is_in_step_with_resources() -> None:
    said = versions.differences()
    advice = "raise the version, run scripts/maintenance/build_versions.py, tell CHANGELOG.md ('Numbers that changed')"
    assert not said, "\n".join([*said, advice])


def test_every_listed_table_says_what_it_is_and_where_from() -> None:
    for name, row in versions.read_versions().items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", row["version"]), f"{name}: version {row['version']!r}"
        empty = [c for c in ("what", "source", "licence", "sha256") if not row[c].strip()]
        assert not empty, f"versions.tsv, {name}: empty {empty}"


def test_a_changed_number_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("# note\nx\tsource\n1\tme\n")
    (tmp_path / versions.VERSIONS).write_text("\t".join(versions.COLUMNS) + f"\na.tsv\t1.0.0\t1\t{'0' * 64}\tw\ts\tl\n")
    (tmp_path / "b.tsv").write_text("x\tsource\n")
    assert versions.differences(tmp_path) == [
        "resources/b.tsv: not listed in versions.tsv",
        "resources/a.tsv: changed since version 1.0.0 (1 -> 1 rows)",
    ]
    kept = versions.current(tmp_path)["a.tsv"]
    assert (kept["version"], kept["what"], kept["rows"]) == ("1.0.0", "w", "1")


def test_writing_the_list_keeps_what_people_wrote_and_ends_the_differences(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("x\tsource\n1\tme\n")
    old = "\t".join(versions.COLUMNS) + f"\na.tsv\t1.0.0\t7\t{'0' * 64}\tw\ts\tl\n"
    (tmp_path / versions.VERSIONS).write_text(old)
    versions.write_versions(tmp_path)
    row = versions.read_versions(tmp_path)["a.tsv"]
    assert (row["version"], row["rows"], row["what"], row["licence"]) == ("1.0.0", "1", "w", "l")
    assert versions.differences(tmp_path) == []


@pytest.mark.parametrize("name", TABLES)
def test_every_row_has_a_source_and_a_unit(name: str) -> None:
    frame = table(name)
    assert len(frame), f"{name} has no rows"
    if name in SOURCED_THROUGH:
        column, other = SOURCED_THROUGH[name]
        orphans = sorted(set(frame[column]) - set(table(other)[column]))
        assert not orphans, f"{name}: {column} without a sourced row in {other}: {orphans}"
    else:
        # one source a row (a study: its reference), or one a fact (columns <fact>_source)
        columns = [c for c in frame.columns if c in ("source", "reference")]
        columns = columns or [c for c in frame.columns if c.endswith("_source")]
        assert columns, f"{name} has no column source"
        for column in columns:
            bad = without_source(frame[column])
            assert not bad, f"{name}: no {column} in data rows {bad}"
    for column in [c for c in frame.columns if c == "unit" or c.endswith("_unit")]:
        bad = [i + 1 for i, cell in enumerate(frame[column]) if not cell.strip() and not _without_value(frame, i)]
        assert not bad, f"{name}: no {column} in data rows {bad}"


def _without_value(frame: pd.DataFrame, i: int) -> bool:
    """True for a row that lists something as not found: it has no value, hence no unit."""
    return "value" in frame.columns and not frame["value"].iloc[i].strip()


@pytest.mark.parametrize("path", DRUGS, ids=lambda p: p.stem)
def test_every_drug_value_has_a_unit_and_a_source(path: Path) -> None:
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    if raw["schema"] == 2:
        errors = [f.message() for f in check_drug(path)[1] if f.severity == "error"]
        assert not errors, "\n".join(errors)
        return
    found = list(values(raw))
    assert found
    words = [where for where, v in found if isinstance(v.get("value"), str)]
    assert set(words) <= set(WORDS)
    unitless = [where for where, v in found if where not in words and not str(v.get("unit", "")).strip()]
    unsourced = [where for where, v in found if str(v.get("source", "")).strip().lower() in NO_SOURCE]
    assert not unitless, f"{path.name}: no unit at {unitless}"
    assert not unsourced, f"{path.name}: no source at {unsourced}"
