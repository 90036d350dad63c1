"""Calibration of a drug: concentrations made by known factors on the drug file give the factors back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pharmtwin.core.drug import load_drug
from pharmtwin.core.exposure import NG_ML
from pharmtwin.core.whole_body import whole_body
from pharmtwin.curation import drug_calibration as dc
from pharmtwin.engine.run import pack, simulate
from pharmtwin.facts import fact_table

TRUE = {"CLint_other": 0.7, "Kp_scale": 1.5, "MTT": 1.3}  # times the value of the drug file


def made_up(groups: list[dc.Group]) -> list[dc.Group]:
    """The groups with concentrations that the model has under TRUE."""
    model = whole_body()
    P = []
    for g in groups:
        p = g.parameters.copy()
        p[[model.parameter_names.index(k) for k in TRUE]] *= list(TRUE.values())
        P.append(p)
    solved = simulate(model, pack(model, P, [g.doses for g in groups], [g.times for g in groups]))
    return [replace(g, observed=solved.of(k)[:, 0] * NG_ML) for k, g in enumerate(groups)]


def test_known_factors_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    drug, names = load_drug("paroxetine"), whole_body().parameter_names
    groups = dc.building_groups("paroxetine", drug, names)
    table = fact_table("observed/paroxetine_groups.tsv")
    assert len(groups) == (table.role == "building").sum() < len(table)  # verification groups are not read
    monkeypatch.setattr(dc, "building_groups", lambda *_: made_up(groups))
    found = dc.calibrate("paroxetine")
    factors = {k: found.values[k] / dc._present(drug, k) for k in dc.FREE}
    # the weak priors hold back a little
    assert factors == pytest.approx(dict.fromkeys(dc.FREE, 1.0) | TRUE, rel=0.1)
    assert found.gmfe < 1.05 and found.n_profiles == len(groups)
    assert all(0 < se < 1 for se in found.se_log.values())


def test_what_is_printed() -> None:
    found = dc.Calibration({"MTT": 1.0963}, {"MTT": 0.374}, 1.438, 16)
    assert dc.lines(found) == [
        "MTT                 1.096  se(log) 0.37",
        "GMFE over 16 building profiles: 1.44",
    ]
