"""Arms of the CYP2D6 genotype ratios that have no data set: the group and the regimen of the table's own source."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pharmtwin.qualification.reading.genotypes import mixture
from pharmtwin.qualification.reading.names import assumed
from pharmtwin.qualification.reading.tables import read_studies
from pharmtwin.qualification.study import Ratio


def ratio(folder: Path, study: str, contrast: str, analyte: str = "Risperidone") -> Ratio:
    row = {"data_id": 1, "study": study, "analyte": analyte, "contrast": contrast, "route": "PO", "dose_mg": 2,
           "t_end_h": 24, "obs_aucr": 3, "obs_cmaxr": 2, "osp_pred_aucr": 2, "osp_pred_cmaxr": 2,
           "flag": ""}  # fmt: skip
    pd.DataFrame([row]).to_csv(folder / "cyp2d6_genotype_ratios.csv", index=False)
    return read_studies(folder, assumed(["risperidone", "metoprolol_R", "metoprolol_S"])).ratios[0]


def test_normal_beside_poor_metabolisers_is_everybody_else(tmp_path: Path) -> None:
    found = ratio(tmp_path, "Any 2001", "PM/NM")
    assert found.reference.genotype["CYP2D6"] == mixture("CYP2D6", "EM", leave_out="risperidone")
    assert found.test.genotype["CYP2D6"] == ((0.0, 1.0),)


def test_normal_beside_another_group_stays(tmp_path: Path) -> None:
    found = ratio(tmp_path, "Any 2001", "IM/NM")
    assert found.reference.genotype["CYP2D6"] == mixture("CYP2D6", "NM", leave_out="risperidone")


def test_group_of_the_source_where_the_contrast_says_another(tmp_path: Path) -> None:
    found = ratio(tmp_path, "Sharma 2005", "AS0/AS2", "R-Metoprolol")
    assert found.reference.genotype["CYP2D6"] == mixture("CYP2D6", "AS1.5", leave_out="metoprolol")
    other = ratio(tmp_path, "Seeringer 2008", "AS0/AS2", "R-Metoprolol")
    assert other.reference.genotype["CYP2D6"] == mixture("CYP2D6", "AS2", leave_out="metoprolol")


def test_repeated_doses_of_the_source(tmp_path: Path) -> None:
    found = ratio(tmp_path, "Bondolfi 2002", "PM/NM")
    for arm in (found.test, found.reference):
        assert [e.time for e in arm.dosings[0].events] == pytest.approx([0, 24, 48, 72])
    assert found.window_test == found.window_reference == (72, 96)
    assert ratio(tmp_path, "Any 2001", "PM/NM").window_test == (0, 24)
