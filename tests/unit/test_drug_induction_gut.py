"""Induction may be another one in the wall of the gut than in the liver."""

from __future__ import annotations

from pathlib import Path

import pytest
from qualification_drugs import compound, make_drug, man, quantity

from pharmtwin.drugs.parameters import parameter_values
from pharmtwin.drugs.read import DrugFileError
from pharmtwin.drugs.system import build


def values(folder: Path, **more: object) -> dict[str, float]:
    induction = {
        "target": "CYP3A4",
        "mechanism": "induction",
        "Emax": quantity(9.0, "1"),
        "EC50": quantity(0.3, "umol/L"),
    }
    path = {
        "path": "CYP3A4",
        "enzyme": "CYP3A4",
        "where": ["liver", "gut"],
        "CLint_enzyme": quantity(1.0, "uL/min/pmol"),
    }
    inducer = make_drug(folder, "inducer", inducer=compound(acts_on=[induction | more]))
    victim = make_drug(folder, "victim", victim=compound(metabolism=[path]))
    found = parameter_values(build([victim, inducer]), man())
    return {k: v for k, v in found.items() if k.startswith(("Emax", "EC50"))}


def test_the_gut_wall_has_its_own_largest_increase(tmp_path: Path) -> None:
    same = values(tmp_path)
    assert same["Emax_CYP3A4_inducer"] == same["Emax_CYP3A4_gut_inducer"] == 9.0
    own = values(tmp_path, Emax_gut=quantity(5.0, "1"))
    assert own["Emax_CYP3A4_inducer"] == 9.0 and own["Emax_CYP3A4_gut_inducer"] == 5.0
    assert own["EC50_CYP3A4_gut_inducer"] == own["EC50_CYP3A4_inducer"] == 0.3
    with pytest.raises(DrugFileError, match="Emax_gut"):
        values(tmp_path, Emax_gut=quantity(5.0, "umol/L"))
