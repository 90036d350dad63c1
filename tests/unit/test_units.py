"""The unit door."""

import pytest

from pharmtwin import units
from pharmtwin.facts import fact_table


@pytest.mark.parametrize(
    ("value", "quantity", "unit", "to_unit", "expected"),
    [
        (165, "body_mass", "lb", "kg", 74.84274105),
        (165, "body_mass", " LBS. ", "kg", 74.84274105),
        (11, "body_mass", "stone", "kg", 69.85322498),
        (70, "length", "in", "cm", 177.8),
        (1.75, "length", "m", "cm", 175.0),
        (88.42, "creatinine", "µmol/L", "mg/dL", 1.0),
        (0.08842, "creatinine", "mmol/L", "mg/dL", 1.0),
        (0.5, "concentration", "mg/L", "ng/mL", 500.0),
        (0.5, "concentration", "µg/L", "ng/mL", 0.5),
        (20000, "dose", "ug", "mg", 20.0),
        (90, "time", "min", "h", 1.5),
    ],
)
def test_known_values(value, quantity, unit, to_unit, expected):
    assert units.convert(value, quantity, unit, to_unit) == pytest.approx(expected, rel=1e-9)


def test_both_micro_signs_are_known():
    assert units.is_known("dose", "\u00b5g", "mg") and units.is_known("dose", "\u03bcg", "mg")


def test_same_unit_means_different_things_for_different_quantities():
    assert units.convert(1, "creatinine", "mg/L", "mg/dL") == pytest.approx(0.1)
    assert units.convert(1, "concentration", "mg/L", "ng/mL") == pytest.approx(1000)


def test_unknown_unit_names_the_known_ones():
    with pytest.raises(units.UnitError, match=r"known units: kg.*lb"):
        units.convert(1, "body_mass", "furlong", "kg")
    assert not units.is_known("body_mass", "cm", "kg")


def test_every_factor_has_a_source():
    table = fact_table("units.tsv")
    assert table["source"].notna().all()
    assert not table.duplicated(["quantity", "from_unit", "to_unit"]).any()
