"""The unit door: what users write is converted here, once; inside there is one unit system.

The factors stand in ``resources/units.tsv``, each with its source. Conversions need the quantity
besides the unit, because ``mg/L`` of creatinine goes to mg/dL and ``mg/L`` of a drug to ng/mL.
"""

from __future__ import annotations

from functools import lru_cache

from pharmtwin import facts

DAYS_PER_YEAR = 365.25
WEEKS_PER_YEAR = DAYS_PER_YEAR / 7.0
#: litres an hour in one millilitre a minute
L_PER_H = 60.0 / 1000.0


class UnitError(ValueError):
    """No conversion is known for this quantity and unit; the message lists the units that are."""


@lru_cache(maxsize=1)
def _factors() -> dict[tuple[str, str, str], tuple[float, float]]:
    """(quantity, spelling, to_unit) -> (multiply_by, divide_by)."""
    factors = {}
    for row in facts.fact_table("units.tsv").to_dict("records"):
        for spelling in str(row["spellings"]).split(","):
            key = (str(row["quantity"]), spelling, str(row["to_unit"]))
            factors[key] = (float(row["multiply_by"]), float(row["divide_by"]))
    return factors


def _spelling(unit: str) -> str:
    return "".join(unit.split()).lower().rstrip(".")


def units_of(quantity: str) -> tuple[str, ...]:
    """All spellings of units known for a quantity, in the table's order."""
    return tuple(dict.fromkeys(spelling for known, spelling, _ in _factors() if known == quantity))


def is_known(quantity: str, unit: str, to_unit: str) -> bool:
    """True if :func:`convert` knows the way."""
    return (quantity, _spelling(unit), to_unit) in _factors()


def convert(value: float, quantity: str, unit: str, to_unit: str) -> float:
    """Convert ``value`` of ``quantity`` from ``unit`` to ``to_unit``.

    Parameters
    ----------
    value : number in ``unit``.
    quantity : body_mass, length, creatinine, dose, concentration, time or age.
    unit : any spelling of ``resources/units.tsv`` (case and blanks do not matter).
    to_unit : the internal unit of the quantity, e.g. ``kg`` or ``ng/mL``.

    Raises UnitError if the table has no such row.
    """
    factor = _factors().get((quantity, _spelling(unit), to_unit))
    if factor is None:
        known = ", ".join(units_of(quantity)) or "none"
        raise UnitError(f"no conversion of {quantity} from {unit!r} to {to_unit!r}; known units: {known}")
    return value * factor[0] / factor[1]
