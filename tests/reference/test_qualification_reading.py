"""The open reference tables: every row once, and how much of them becomes arms once the library's drugs are there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pharmtwin.qualification.reading.names import assumed
from pharmtwin.qualification.reading.persons import bodies
from pharmtwin.qualification.reading.tables import read_studies
from pharmtwin.qualification.study import Studies

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "pbpk"
pytestmark = [pytest.mark.reference, pytest.mark.skipif(not DATA.exists(), reason="no reference data beside the clone")]

#: drugs of the library as planned: counted as if their files were there
LIBRARY = [
    "midazolam", "alfentanil", "alprazolam", "triazolam", "dextromethorphan", "paroxetine", "metoprolol_R",
    "metoprolol_S", "desipramine", "risperidone", "omeprazole_S", "omeprazole_R", "digoxin", "atorvastatin",
    "rosuvastatin", "itraconazole", "clarithromycin", "erythromycin", "rifampicin", "carbamazepine",
    "fluvoxamine", "fluconazole", "cimetidine", "verapamil_R", "verapamil_S", "quinidine", "theophylline",
    "caffeine", "mavoglurant", "efavirenz", "ketoconazole",
]  # fmt: skip
#: tables, their key, and how many rows of each there are
KEYS = {"osp_datasets": "dataset_id", "cyp2d6_genotype_ratios": "data_id", "osp_ddi_ratios_raw": "ID"}


@pytest.fixture(scope="module")
def studies() -> Studies:
    return read_studies(DATA, assumed(LIBRARY))


def ids(name: str) -> list[str]:
    return pd.read_csv(DATA / f"{name}.csv", dtype=str)[KEYS[name]].tolist()


def test_every_row_is_in_exactly_one_list(studies: Studies) -> None:
    rows = [i for name in KEYS for i in ids(name)]
    derived = pd.read_csv(DATA / "derived_group_ratios.csv", dtype=str)
    rows += (derived["test_id"] + "/" + derived["ref_id"]).tolist()
    found = [p.id for p in studies.profiles] + [r.id for r in studies.ratios] + [x.id for x in studies.left_out]
    assert Counter(found) == Counter(rows)
    assert all(x.reason for x in studies.left_out)


def test_no_drug_file_no_arm() -> None:
    nothing = read_studies(DATA, assumed([]))
    assert not nothing.profiles and not nothing.ratios


def test_coverage_of_the_networks(studies: Studies) -> None:
    peer = pd.read_csv(DATA / "osp_ddi_pred_vs_obs.csv")["network"].value_counts()
    found = Counter(r.use_case for r in studies.ratios)
    assert found["CYP3A4-DDI"] / peer["CYP3A4-DDI"] >= 0.80
    assert found["CYP2D6-DDI"] / peer["CYP2D6-DDI"] >= 0.45


def test_unflagged_genotype_ratios_are_all_there(studies: Studies) -> None:
    table = pd.read_csv(DATA / "cyp2d6_genotype_ratios.csv", dtype=str)
    found = {r.id for r in studies.ratios if r.use_case == "genotype" and not r.flag}
    assert set(table.loc[table["flag"].isna(), "data_id"]) <= found


def test_arms_are_sound(studies: Studies) -> None:
    arms = [p.arm for p in studies.profiles] + [a for r in studies.ratios for a in (r.test, r.reference)]
    for arm in arms:
        times = [e.time for d in arm.dosings for e in d.events]
        assert min(times) == 0 and all(e.amount > 0 for d in arm.dosings for e in d.events)
        for mixture in arm.genotype.values():
            assert sum(w for _, w in mixture) == pytest.approx(1) and all(a >= 0 for a, _ in mixture)
    for ratio in studies.ratios:
        for low, high in (ratio.window_test, ratio.window_reference):
            assert 0 <= low < high
        assert len(ratio.test.dosings) >= len(ratio.reference.dosings)
    for profile in studies.profiles:
        assert (np.diff(profile.time) >= 0).all() and (profile.concentration >= 0).all()


def test_every_person_has_a_body(studies: Studies) -> None:
    arms = [p.arm for p in studies.profiles] + [r.test for r in studies.ratios]
    found = bodies(arms)
    assert all(np.isfinite(list(b.values())).all() for b in found.values())
    assert min(p.age_y for p in found) < 2 < 60 < max(p.age_y for p in found)


def test_observed_windows_reproduce_an_observed_ratio(studies: Studies) -> None:
    """Trapezoids over the windows that reading found give the published ratio of a study of repeated doses."""
    by_id = {p.id: p for p in studies.profiles}
    row = next(r for r in studies.ratios if r.study == "Sindrup 1992")
    low, high = row.window_test

    def auc(id_: str) -> float:
        p = by_id[id_]
        inside = (p.time >= low - 2) & (p.time <= high + 2)
        return float(np.trapezoid(p.concentration[inside], p.time[inside]))

    assert auc("paroxetine_003") / auc("paroxetine_004") == pytest.approx(row.auc, rel=0.1)
