"""Which heading means which of our columns, and in which unit: our own names, NONMEM's, CDISC's, names with a unit.

The tables of names stand in ``config/schemas/dialects.yaml``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pharmtwin import units
from pharmtwin.intake.columns import SCHEMAS, ColumnSpec, SheetSpec, sheet_spec

BRACKETS = re.compile(r"([^\[(]*)[\[(](.+)[\])]\s*")
#: in the order in which they are tried
DIALECTS = ("cdisc", "nonmem")
#: concentrations in amount of substance: converted by the molar mass of the drug
MOLAR = "amount_of_drug"


@dataclass(frozen=True)
class Meaning:
    """What a heading of the file means.

    Attributes
    ----------
    heading, column : as in the file; ours.
    unit : unit of its numbers; "" where nothing tells it, and for text.
    by : own, case, unit, nonmem or cdisc.
    assumed : the unit is the dialect's custom, not said in the file.
    unit_column : heading of the column that tells the unit row by row, or ""; it must agree with ``unit``.
    """

    heading: str
    column: str
    unit: str = ""
    by: str = "own"
    assumed: bool = False
    unit_column: str = ""


@cache
def dialects() -> dict[str, Any]:
    """Content of ``config/schemas/dialects.yaml``."""
    import yaml  # heavy

    return dict(yaml.safe_load((SCHEMAS / "dialects.yaml").read_text(encoding="utf-8")))


@cache
def known_columns(table: str) -> dict[str, ColumnSpec]:
    """Columns that a heading of the table may mean; rows of events may also hold covariates of the twins."""
    own = {c.name: c for c in sheet_spec(table).columns}
    return ({c.name: c for c in sheet_spec("twins").columns} | own) if table == "events" else own


def is_unit(column: ColumnSpec, unit: str) -> bool:
    """True if numbers in ``unit`` can be converted to those of the column."""
    quantity = str(column.rule.get("x-quantity", ""))
    return units.is_known(quantity, unit, column.unit) or (
        quantity == "concentration" and units.is_known(MOLAR, unit, "umol/L")
    )


def dialect_of(columns: Sequence[str]) -> str:
    """cdisc, nonmem or "": the first dialect whose needed headings are all there."""
    names = {re.split(r"[\s\[(]", c.upper(), maxsplit=1)[0] for c in columns}
    for name in DIALECTS:
        if all(names & set(any_of) for any_of in dialects()[name]["needs"]):
            return name
    return ""


def meanings(columns: Sequence[str], spec: SheetSpec, declared: Mapping[str, str]) -> list[Meaning]:
    """What the headings mean, each of our columns once; headings of no known meaning are left out.

    declared : heading -> unit, as the configuration states it.
    """
    table = spec.table
    known = known_columns(table)
    dialect = dialect_of(columns) if table == "events" else ""
    if all(c in known for c in columns):
        return [Meaning(c, c, declared.get(c, "")) for c in columns]
    found: dict[str, Meaning] = {}
    readers = [_own, _case, _with_unit] + ([_dialect] if dialect else [])
    for read in readers:
        # of a dialect's names for one column, its first counts: USUBJID before SUBJID, which sites give out anew
        for heading in sorted(columns, key=_rank(dialect, table)) if read is _dialect else columns:
            if heading in {m.heading for m in found.values()}:
                continue
            meaning = read(heading, table, known, dialect, tuple(columns), declared)
            if meaning is not None and meaning.column not in found:
                found[meaning.column] = meaning
    order = {heading: i for i, heading in enumerate(columns)}
    return sorted(found.values(), key=lambda m: order[m.heading])


def rivals(
    columns: Sequence[str], spec: SheetSpec, declared: Mapping[str, str], meant: Sequence[Meaning]
) -> list[Meaning]:
    """Headings that are not read because another one means the same column, as they would be read alone."""
    taken = {m.heading for m in meant}
    beside = {c for m in meant for c in (m.unit_column,)}
    dialect = dialect_of(columns) if spec.table == "events" else ""
    found = []
    for heading in (c for c in columns if c not in taken | beside):
        for read in [_case, _with_unit] + ([_dialect] if dialect else []):
            known = known_columns(spec.table)
            meaning = read(heading, spec.table, known, dialect, tuple(columns), declared)
            if meaning is not None and known[meaning.column].kind != "string":
                found.append(meaning)
                break
    return found


def _rank(dialect: str, table: str) -> Callable[[str], int]:
    names = [n.upper() for n in dialects()[dialect].get(table, {})] if dialect else []
    return lambda heading: names.index(heading.upper()) if heading.upper() in names else len(names)


def _own(heading: str, table: str, known: Mapping[str, ColumnSpec], *rest: Any) -> Meaning | None:
    return Meaning(heading, heading, rest[-1].get(heading, "")) if heading in known else None


def _case(heading: str, table: str, known: Mapping[str, ColumnSpec], *rest: Any) -> Meaning | None:
    plain = heading.lower().replace(" ", "_")
    return Meaning(heading, plain, rest[-1].get(heading, ""), "case") if plain in known else None


def _with_unit(heading: str, table: str, known: Mapping[str, ColumnSpec], *rest: Any) -> Meaning | None:
    """``weight [lb]``, ``WT (kg)``, ``weight_lb``, ``dv_ug_l``: a name and a unit of its quantity."""
    dialect = rest[0]
    stems: dict[str, str] = {**dialects()["stems"].get(table, {})}
    if table == "events":
        stems = {**dialects()["stems"]["twins"], **stems}
    stems |= {c: c for c in known}
    if dialect:
        stems |= {h.lower(): c for h, c in dialects()[dialect][table].items()}
    bracket = BRACKETS.fullmatch(heading)
    if bracket:
        stem = bracket[1].strip().lower().replace(" ", "_")
        column = known.get(stems.get(stem, ""))
        unit = bracket[2].strip()
        if column is None or not column.unit:
            return None
        return Meaning(heading, column.name, unit, "unit", unit_column=_unit_column(bracket[1], dialect, rest[1]))
    plain = heading.lower().replace(" ", "_").replace(".", "_")
    for stem in sorted(stems, key=len, reverse=True):
        column = known.get(stems[stem])
        if column is None or not plain.startswith(f"{stem}_") or not column.unit:
            continue
        rest_of_name = plain.removeprefix(f"{stem}_")
        for unit in (rest_of_name.replace("_", "/"), rest_of_name, rest_of_name.replace("_", "")):
            if is_unit(column, unit):
                return Meaning(heading, column.name, unit, "unit")
    return None


def _dialect(
    heading: str, table: str, known: Mapping[str, ColumnSpec], dialect: str, columns: tuple[str, ...], declared: Any
) -> Meaning | None:
    told = dialects()[dialect]
    name = heading.upper()
    column = known.get(told.get(table, {}).get(name, ""))
    if column is None:
        return None
    if not column.unit:
        return Meaning(heading, column.name, "", dialect)
    there = _unit_column(name, dialect, columns)
    if heading in declared or name in declared:
        unit = declared.get(heading, declared.get(name, ""))
        return Meaning(heading, column.name, unit, dialect, unit_column=there)
    if there:
        return Meaning(heading, column.name, "", dialect, unit_column=there)
    assumed = told["assumed"].get(name, "")
    return Meaning(heading, column.name, assumed, dialect, assumed=bool(assumed))


def _unit_column(name: str, dialect: str, columns: Sequence[str]) -> str:
    """Heading of the column that tells the unit of a dialect's column row by row, or ""."""
    beside = dialects()[dialect].get("unit_columns", {}).get(name.strip().upper(), "") if dialect else ""
    return next((c for c in columns if beside and c.upper() == beside), "")
