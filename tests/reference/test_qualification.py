"""The gate: no figure of the qualification falls below what was written, and the spreads are what the data say."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pharmtwin.facts import fact_table
from pharmtwin.qualification.command import Setup, set_up
from pharmtwin.qualification.judging.criteria import Line
from pharmtwin.qualification.judging.gate import fallen, read_gate
from pharmtwin.qualification.judging.intervals import replicates
from pharmtwin.qualification.plan import read_plan
from pharmtwin.qualification.simulation.everything import Result

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "pbpk"
pytestmark = [pytest.mark.reference, pytest.mark.skipif(not DATA.exists(), reason="no reference data beside the clone")]
#: unjudged rows of one pair, dose and route in different studies
REPLICATES = ((18003, 18004), (17194, 17198), (17195, 17199), (571, 579))
#: drugs of those rows: once one has a file its rows are judged, and the estimate has to be made on others
WITHOUT_FILE = {"furosemide", "pitavastatin", "raltegravir", "pravastatin", "dabigatran"}


@pytest.fixture(scope="module")
def setup() -> Setup:
    return set_up(DATA, draws=0)


@pytest.fixture(scope="module")
def result(setup: Setup) -> Result:
    return setup.run(workers=2)


@pytest.fixture(scope="module")
def lines(setup: Setup, result: Result) -> list[Line]:
    return setup.criteria(result)


def test_no_figure_falls(lines: list[Line]) -> None:
    assert len(read_gate()) > 15
    worse = fallen(lines, read_gate())
    assert not worse, "\n".join(worse)


def test_every_row_is_predicted_or_has_a_reason(setup: Setup, result: Result) -> None:
    assert not setup.wrong
    shown = {str(i) for t in (result.profiles, result.ratios) for i in t["id"]}
    left = {x.id for x in result.left_out}
    keys = {"osp_datasets": "dataset_id", "osp_ddi_pred_vs_obs": "data_id", "osp_ddi_ratios_raw": "ID"}
    for table, key in keys.items():
        ids = set(pd.read_csv(DATA / f"{table}.csv", dtype=str)[key])
        assert ids <= shown | left, sorted(ids - shown - left)[:5]
    assert all(x.reason for x in result.left_out)


def raw() -> pd.DataFrame:
    return pd.read_csv(DATA / "osp_ddi_ratios_raw.csv").set_index("ID")


def test_ratios_between_studies_are_as_replicates_say(setup: Setup) -> None:
    table = raw()
    judged = sorted(WITHOUT_FILE & set(setup.world.library))
    if judged:
        pytest.skip(f"rows of {', '.join(judged)} are judged now: estimate ratio_studies on others")
    sd, freedom = replicates([np.log(table.loc[list(pair), "AUCR Avg"].to_numpy(float)) for pair in REPLICATES])
    assert freedom == 4 and setup.plan.spread.ratio_studies == pytest.approx(sd, abs=0.005)


def test_cmax_ratios_have_a_larger_sampling_error(setup: Setup, result: Result) -> None:
    table = raw()
    judged = {str(i) for i in result.ratios["id"]}
    table = table[[str(i) not in judged for i in table.index]]
    medians = {}
    for q in ("AUCR", "CmaxR"):
        kinds, texts = table[f"{q} VarType"].fillna("").astype(str), table[f"{q} Var"].fillna("").astype(str)
        z = kinds.str.extract(r"(9[05])")[0].map({"90": 1.645, "95": 1.96})
        ends = texts.map(lambda t: [float(x) for x in re.findall(r"\d+(?:\.\d+)?", t)])
        medians[q] = float(np.median([np.log(e[1] / e[0]) / 2 / k for e, k in zip(ends, z) if k > 0 and len(e) == 2]))
    spread = setup.plan.spread
    more = medians["CmaxR"] ** 2 - medians["AUCR"] ** 2
    assert spread.ratio_studies_cmax == pytest.approx(np.sqrt(spread.ratio_studies**2 + more), abs=0.01)


def test_company_is_as_the_building_exposures_say() -> None:
    table = fact_table("observed/exposures.tsv")
    table = table[table["quantity"].isin(["AUC_inf", "AUC_tau"]) & (table["role"] == "building")].copy()
    table["log"] = np.log(table["value"].astype(float) / pd.to_numeric(table["dose_mg"], errors="coerce"))
    table["way"] = table["route"].str.lower().replace("po", "oral")
    keys = ["drug", "analyte", "way", "dose_mg", "regimen", "genotype", "quantity"]
    groups = [g.groupby("study")["log"].mean().to_numpy() for _, g in table.groupby(keys, dropna=False)]
    sd, freedom = replicates([g for g in groups if len(g) > 1])
    assert freedom >= 20 and read_plan().spread.company == pytest.approx(sd, abs=0.03)
