"""Units as text (``mg/L``, ``1/h``, ``umol/(min*kg)``) as SBML unit definitions.

Only what SBML knows: grams, moles, litres, metres, seconds and a few derived units with decimal prefixes, and minutes
to weeks as multiples of a second. A unit that is none of these (a score, IU, %) has no definition; the exporter leaves
such a quantity without a unit and says so in its notes.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

import libsbml

PREFIXES = {"": 0, "k": 3, "d": -1, "c": -2, "m": -3, "u": -6, "µ": -6, "μ": -6, "n": -9, "p": -12, "f": -15}
BASES = {
    "g": libsbml.UNIT_KIND_GRAM, "mol": libsbml.UNIT_KIND_MOLE, "L": libsbml.UNIT_KIND_LITRE,
    "l": libsbml.UNIT_KIND_LITRE, "m": libsbml.UNIT_KIND_METRE, "s": libsbml.UNIT_KIND_SECOND,
    "Pa": libsbml.UNIT_KIND_PASCAL, "J": libsbml.UNIT_KIND_JOULE, "W": libsbml.UNIT_KIND_WATT,
    "K": libsbml.UNIT_KIND_KELVIN, "kat": libsbml.UNIT_KIND_KATAL,
}  # fmt: skip
#: seconds (SI brochure, 9th edition 2019, table 8; a week is 7 days)
TIMES = {"min": 60.0, "h": 3600.0, "d": 86400.0, "day": 86400.0, "week": 604800.0}
SUBSTANCES = (libsbml.UNIT_KIND_GRAM, libsbml.UNIT_KIND_MOLE)


@dataclass(frozen=True)
class UnitPart:
    """(multiplier x 10^scale x kind)^exponent, as in SBML."""

    kind: int
    exponent: float = 1.0
    scale: int = 0
    multiplier: float = 1.0


def parse_unit(text: str) -> tuple[UnitPart, ...] | None:
    """Parts of a unit; () for a plain number of 1; None if SBML has no such unit."""
    cleaned = re.sub(r"(?<=[A-Za-zµμ])(\d)", r"**\1", text.strip().replace("^", "**").replace("·", "*"))
    try:
        tree = ast.parse(cleaned, mode="eval").body
    except SyntaxError:
        return None
    return _parts(tree, 1.0)


def _parts(node: ast.expr, exponent: float) -> tuple[UnitPart, ...] | None:
    match node:
        case ast.Constant(value=int() | float() as number) if number > 0 and not isinstance(number, bool):
            if number == 1:
                return ()
            return (UnitPart(libsbml.UNIT_KIND_DIMENSIONLESS, exponent, 0, float(number)),)
        case ast.Name(id=name):
            return _named(name, exponent)
        case ast.BinOp(left=a, op=ast.Mult() | ast.Div() as op, right=b):
            left = _parts(a, exponent)
            right = _parts(b, exponent if isinstance(op, ast.Mult) else -exponent)
            return None if left is None or right is None else (*left, *right)
        case ast.BinOp(left=a, op=ast.Pow(), right=ast.Constant(value=int() | float() as power)):
            return _parts(a, exponent * power)
        case ast.BinOp(left=a, op=ast.Pow(), right=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=power))):
            return _parts(a, -exponent * float(power)) if isinstance(power, int | float) else None
    return None


def _named(name: str, exponent: float) -> tuple[UnitPart, ...] | None:
    if name in TIMES:
        return (UnitPart(libsbml.UNIT_KIND_SECOND, exponent, 0, TIMES[name]),)
    for prefix, scale in PREFIXES.items():
        base = name.removeprefix(prefix)
        if name.startswith(prefix) and base in BASES:
            return (UnitPart(BASES[base], exponent, scale),)
    return None


def is_amount(text: str) -> bool:
    """True for a unit of mass or substance (mg, umol), which SBML wants of a species."""
    parts = parse_unit(text)
    return parts is not None and len(parts) == 1 and parts[0].kind in SUBSTANCES and parts[0].exponent == 1.0


def unit_id(text: str) -> str:
    """An identifier that reads like the unit: ``mg/L`` -> ``mg_per_L``."""
    words = re.sub(r"^1\s*/", "/", text.strip()).replace("/", " per ").replace("µ", "u").replace("μ", "u")
    words = re.sub(r"[^A-Za-z0-9]+", "_", words).strip("_")
    return words if words and not words[0].isdigit() else f"unit_{words}"


def define_unit(model: libsbml.Model, text: str) -> str | None:
    """Id of a unit in an SBML model, defined there if it is not yet; None if SBML has no such unit."""
    parts = parse_unit(text)
    if parts is None:
        return None
    if not parts:
        return "dimensionless"
    wish = unit_id(text)
    if libsbml.UnitKind_forName(wish) != libsbml.UNIT_KIND_INVALID:
        wish = f"unit_{wish}"
    while (known := model.getUnitDefinition(wish)) is not None:
        if known.getName() == text:
            return wish
        wish += "_"
    definition = model.createUnitDefinition()
    definition.setId(wish)
    definition.setName(text)
    for part in parts:
        unit = definition.createUnit()
        unit.setKind(part.kind)
        unit.setExponent(part.exponent)
        unit.setScale(part.scale)
        unit.setMultiplier(part.multiplier)
    return wish
