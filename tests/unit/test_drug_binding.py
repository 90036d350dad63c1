"""Binding and distribution that a drug file may ask for: saturable plasma binding, computed B:P, lysosomes, depots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drug_fixture import auc, compound, drug_maker, man, path, quantity, solve

from pharmtwin.core.partition import Compound, blood_plasma_ratio, lysosomal_kp
from pharmtwin.core.partition.compound import ionised_ratio
from pharmtwin.drugs.body import distribution, plasma
from pharmtwin.drugs.dosing import dose_events
from pharmtwin.drugs.parameters import parameter_values, parameter_vector
from pharmtwin.drugs.read import read_drug
from pharmtwin.drugs.system import build


@pytest.fixture
def drug(tmp_path: Path) -> Any:
    return drug_maker(tmp_path)


def saturable(protein: str = "") -> dict[str, Any]:
    """fu_p 0.05 (bound:unbound 19, of which 15 saturable)."""
    made = compound(metabolism=[path(20.0)])
    made["binding"] |= {"fu_p": quantity(0.05, "1"), "sites": quantity(30.0, "umol/L"), "Kd": quantity(2.0, "umol/L")}
    if protein:
        made["binding"]["protein"] = {"value": protein, "source": "test"}
    return made


def test_plasma_binding_saturates_and_is_the_files_far_below(drug: Any) -> None:
    system = build([drug("v", v=saturable())], observe=["fu_p", "Cu_bindable", "C_plasma_umol"])
    values = parameter_values(system, man())
    assert values["NS_plasma"] == pytest.approx(4.0)
    vector = parameter_vector(system, man())
    for dose in (1e-4, 5.0, 2000.0):
        got = solve(system, vector, dose_events(system, "v", "iv", [(0.0, dose, 0.0)]), [0.0, 1.0])
        free, total = got["Cu_bindable"][-1], got["C_plasma_umol"][-1]
        assert total == pytest.approx(free * (1 + 4.0 + 30.0 / (2.0 + free)), rel=1e-9)
        assert got["fu_p"][-1] == pytest.approx(free / total, rel=1e-9)
        if dose == 1e-4:
            assert got["fu_p"][-1] == pytest.approx(0.05, rel=1e-3)
    assert got["fu_p"][-1] > 0.12  # mostly unbound by sites now; the linear part allows at most 1/5


def test_saturable_binding_follows_the_protein(drug: Any) -> None:
    system = build([drug("v", v=saturable("albumin"))])
    low = parameter_values(system, man(albumin_ratio=0.6))
    assert low["Bmax_plasma"] == pytest.approx(0.6 * 30.0) and low["NS_plasma"] == pytest.approx(0.6 * 4.0)


def test_a_missing_blood_plasma_ratio_is_computed(drug: Any) -> None:
    made = compound()
    del made["binding"]["B_P"]
    ratio = plasma(drug("v", v=made).parent, man())[1]
    neutral = Compound(1.5, (), "neutral", 0.2, 1.0)
    assert ratio == pytest.approx(blood_plasma_ratio(neutral)) and 0.55 < ratio < 1.0
    # by hand: water 0.663, P (f_nl + f_np + f_ap), protein 5 (0.81 + 0.11 P)/24.92
    P = 10**1.5
    cells = 0.663 + P * (0.002 + 0.0025 + 0.0005) + 0.33 * 5 * (0.81 + 0.11 * P) / 24.92
    assert ratio == pytest.approx(1 + 0.45 * (0.2 * cells - 1))


def test_lysosomes_hold_bases_by_pH(drug: Any) -> None:
    base = Compound(3.0, (9.5,), "base", 0.1, 1.0)
    added = lysosomal_kp(base)
    inside, cytosol, outside = (ionised_ratio(base, pH) for pH in (5.1, 7.0, 7.4))
    assert added["liver"] == pytest.approx(0.1 * 0.01 * 0.573 / (0.573 + 0.161) * (inside - cytosol) / (1 + outside))
    assert set(lysosomal_kp(Compound(3.0, (4.5,), "acid", 0.1, 0.6)).values()) == {0.0}
    made = compound()
    made["physicochemistry"] |= {"kind": "base", "base_pKa": {"value": [9.5], "source": "test"}}
    plain = distribution(drug("v", v=made).parent)
    more = distribution(drug("w", w=made | {"distribution": {"lysosomes": True}}).parent)
    assert all(more.kp[o] > k for o, k in plain.kp.items()) and any("lysosomes" in n for n in more.notes)


def test_a_depot_is_a_route(tmp_path: Path) -> None:
    drug = drug_maker(tmp_path)("v", {}, v=compound(metabolism=[path(9.0)]))
    assert drug.depots == {}
    file = tmp_path / "v.yaml"
    depot = "depots:\n  sc: {ka: {value: 0.3, unit: 1/h, source: t}, F: {value: 0.6, unit: '1', source: t}}\n"
    file.write_text(file.read_text(encoding="utf-8") + depot, encoding="utf-8")
    system = build([read_drug(str(file))])
    vector = parameter_vector(system, man())
    under, iv = (auc(system, vector, dose_events(system, "v", r, [(0.0, 1.0, 0.0)])) for r in ("sc", "iv"))
    assert under / iv == pytest.approx(0.6, rel=1e-5)
    assert np.isfinite(vector).all()
