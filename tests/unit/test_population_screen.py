"""Data that a population fit should not begin with: every kind gets its finding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pharmtwin.cli import main
from pharmtwin.findings import Finding
from pharmtwin.inference.population_fit.given import read
from pharmtwin.inference.population_fit.screen import screen

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "examples" / "population"
MODEL = EXAMPLE / "synthetic_model.yaml"


def people(n: int = 8) -> pd.DataFrame:
    """The first of the example's people."""
    table = pd.read_csv(EXAMPLE / "synthetic_people.csv", dtype=str)
    return table[table["ID"].isin(table["ID"].unique()[:n])].reset_index(drop=True)


def found(table: pd.DataFrame, folder: Path, blq: str = "") -> dict[str, Finding]:
    """Findings by rule (the first of each)."""
    table.to_csv(folder / "data.csv", index=False)
    given = read(str(MODEL), str(folder / "data.csv"), blq, None, 1e-6)
    more = screen(given.fit, "data.csv", np.random.default_rng(1)) if given.fit is not None else []
    return {f.rule: f for f in reversed([*given.findings, *more])}


def refused(table: pd.DataFrame, folder: Path) -> bool:
    """Whether the command ends with 1, before anything is compiled, and writes nothing."""
    table.to_csv(folder / "data.csv", index=False)
    out = folder / "out"
    return main(["population", str(MODEL), str(folder / "data.csv"), "--out", str(out)]) == 1 and not out.exists()


def test_good_data_have_no_findings(tmp_path: Path) -> None:
    assert found(people(20), tmp_path) == {}


def test_all_below_the_limit(tmp_path: Path) -> None:
    table = people()
    seen = table["EVID"] == "0"
    table.loc[seen & (table["ID"] == "synthetic_01"), "DV"] = "0"
    assert found(table, tmp_path)["records.all_blq"].severity == "warning"
    table.loc[seen, "DV"] = "0"
    rules = found(table, tmp_path)
    assert rules["population.all_blq"].severity == "error" and refused(table, tmp_path)
    assert found(table, tmp_path, "M1")["population.no_observation"].severity == "error"


def test_one_sample(tmp_path: Path) -> None:
    table = people()
    table = table[~((table["ID"] == "synthetic_03") & (table["EVID"] == "0") & (table["TIME"].astype(float) < 24))]
    rules = found(table, tmp_path)
    assert rules["population.one_sample"].what == "subject(s) synthetic_03: one sample each"
    alone = people(1).iloc[:2]
    rules = found(alone, tmp_path)
    assert {"population.one_subject", "population.few_samples", "population.one_sample"} <= set(rules)


def test_contradictory_samples(tmp_path: Path) -> None:
    table = people()
    twice = table.iloc[[2]].assign(DV="0.31")
    rules = found(pd.concat([table.iloc[:3], twice, table.iloc[3:]]), tmp_path)
    clash = rules["population.contradiction"]
    assert (clash.row, clash.value, clash.severity) == (5, "0.31", "warning") and "3.01 are of one time" in clash.what


def test_doses_and_samples_in_the_wrong_order(tmp_path: Path) -> None:
    table = people()
    last = {"ID": "synthetic_08", "TIME": "48", "EVID": "1", "AMT": "200", "DV": ".", "WT": "70"}
    rules = found(pd.concat([table, pd.DataFrame([last])], ignore_index=True), tmp_path)
    assert rules["population.dose_after_sample"].severity == "note"
    late = table.copy()
    late.loc[0, "TIME"] = "40"  # the dose of the first subject, after all of its samples
    late = pd.concat([late.iloc[1:7], late.iloc[[0]], late.iloc[7:]])
    rules = found(late, tmp_path)
    assert rules["records.dose_after"].severity == "warning"
    wrong = rules["population.impossible"]
    assert (wrong.severity, wrong.row, wrong.value) == ("error", 2, "1.54") and refused(late, tmp_path)


@pytest.mark.parametrize("factor", [1000.0, 0.001])
def test_a_unit_off_by_a_thousand(factor: float, tmp_path: Path) -> None:
    def wrong(table: pd.DataFrame, mine: pd.Series) -> pd.DataFrame:
        own = mine & (table["EVID"] == "0")
        return table.assign(
            DV=np.where(own, (pd.to_numeric(table["DV"], errors="coerce") * factor).astype(str), table["DV"])
        )

    table = people()
    for mine, words in (
        (table["ID"] == "synthetic_05", "of subject synthetic_05 are"),
        (table["ID"] != "", "the samples are"),
    ):
        changed = wrong(table, mine)
        if factor < 1:  # they would lie below the limit, and say so
            rules = found(changed, tmp_path)
            assert "records.all_blq" in rules
            continue
        slip = found(changed, tmp_path)["population.unit"]
        assert slip.severity == "error" and words in slip.what and "1000 times" in slip.what
        assert refused(changed, tmp_path)
    doses = table.assign(AMT=np.where(table["EVID"] == "1", str(200.0 / factor), table["AMT"]))  # mg for g, or ug
    rules = found(doses, tmp_path)
    assert rules["population.unit"].severity == "error" and f"{factor:g} times" in rules["population.unit"].what
