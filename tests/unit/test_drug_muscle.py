"""A stated muscle:plasma ratio, and inducers that do not reach every tissue."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pharmtwin.drugs.body import inducible
from pharmtwin.drugs.parameters import parameter_values
from pharmtwin.drugs.read import read_drug
from pharmtwin.drugs.schema import Drug, Quantity
from pharmtwin.drugs.system import build
from pharmtwin.qualification.reading.persons import body
from pharmtwin.qualification.study import Person


def drug(name: str) -> Drug:
    return read_drug(name)


def with_value(of: Drug, key: str, value: float) -> Drug:
    parent = of.compounds[0]
    values = {**parent.values, key: replace(next(iter(parent.values.values())), value=value)}
    assert isinstance(values[key], Quantity)
    return replace(of, compounds=(replace(parent, values=values), *of.compounds[1:]))


def test_stated_muscle_replaces_the_methods_and_is_not_scaled() -> None:
    plain = drug("caffeine")
    person = body(Person())
    stated = with_value(with_value(plain, "distribution.Kp_muscle", 5.0), "distribution.Kp_scale", 2.0)
    before, after = (parameter_values(build([d]), person) for d in (plain, stated))
    assert after["Kp_muscle"] * after["Kp_scale"] == pytest.approx(
        5.0, rel=0.02
    )  # the person's own fu moves it a little
    assert after["Kp_liver"] == pytest.approx(before["Kp_liver"])


def test_inducers_leave_p_gp_of_the_kidney_alone() -> None:
    assert not inducible("P-gp", "kidney") and inducible("P-gp", "gut") and inducible("CYP3A4", "liver")
    values = parameter_values(build([drug("digoxin"), drug("rifampicin")]), body(Person()))
    emax = {k: v for k, v in values.items() if k.startswith("Emax_P_gp")}
    assert emax["Emax_P_gp_kidney_rifampicin"] == 0.0
    assert min(v for k, v in emax.items() if "kidney" not in k) > 1.0
