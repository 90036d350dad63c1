"""Tables of a published PK-Sim model, as rows with units: what a draft of a drug file is made from.

``*drug_parameters.csv``: model, compound, group, alternative, is_default, parameter, value, unit, source, description.
``*drug_processes.csv``: model, compound, process, molecule, data_source, metabolite, parameter, value, unit, source,
description. ``source`` there is the value's origin (Publication, ParameterIdentification, ...).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pharmtwin.facts import fact_table

TABLES = {"parameters": "*drug_parameters.csv", "processes": "*drug_processes.csv"}
COLUMNS = {
    "parameters": ("model", "compound", "group", "alternative", "is_default", "parameter", "value", "unit"),
    "processes": ("model", "compound", "process", "molecule", "data_source", "metabolite", "parameter", "value",
                  "unit"),
}  # fmt: skip
#: written name -> unit of a drug file, factor
CONCENTRATION = {"µmol/l": 1.0, "umol/l": 1.0, "µM": 1.0, "uM": 1.0, "nmol/l": 1e-3, "nM": 1e-3, "mmol/l": 1e3}
PER_MINUTE = {"1/min": 1.0, "1/h": 1.0 / 60.0, "1/s": 60.0}
TURNOVER = {**PER_MINUTE, "pmol/min/pmol rec. enzyme": 1.0, "nmol/min/pmol rec. enzyme": 1e3,
            "pmol/min/pmol transporter": 1.0}  # fmt: skip
#: pmol/min/mg, or uL/min/mg where it is a clearance
MICROSOMAL = {"pmol/min/mg mic. protein": 1.0, "nmol/min/mg mic. protein": 1e3, "µl/min/mg mic. protein": 1.0}
CONTENT = {"pmol/mg mic. protein": 1.0, "nmol/mg mic. protein": 1e3}  # pmol/mg
PER_ENZYME = {"l/µmol/min": 1.0, "l/umol/min": 1.0, "µl/min/pmol rec. enzyme": 1.0, "ml/min/nmol": 1.0}  # uL/min/pmol
VOLUMETRIC = {"µmol/l/min": 1.0, "umol/l/min": 1.0, "nmol/l/min": 1e-3}  # umol/L/min
PER_KG = {"ml/min/kg": 0.06, "l/h/kg": 1.0, "ml/h/kg": 1e-3, "l/min/kg": 60.0}  # L/h/kg
PLAIN = {"": 1.0, "%": 0.01}
WEIGHT = {"kg": 1.0}
AMOUNT_RATE = {"µmol/min": 60.0, "umol/min": 60.0, "nmol/min": 0.06, "µmol/h": 1.0}  # umol/h
PERMEABILITY = {"cm/min": 1.0 / 60.0, "cm/s": 1.0, "dm/min": 10.0 / 60.0}  # cm/s
SOLUBILITY = {"mg/ml": 1.0, "mg/l": 1e-3, "µg/ml": 1e-3, "g/l": 1.0}  # mg/mL
#: names that do not follow from the words
SYNONYMS = {"esomeprazole": "omeprazole_S"}
PREFIXES = {"hydroxy_": "OH_", "n_desalkyl_": "ND_"}
#: words of the tables for proteins that the library calls otherwise
MOLECULES = {"ABCB1": "P-gp", "ABCG2": "BCRP", "SLCO1B1": "OATP1B1", "SLCO1B3": "OATP1B3", "MDR1": "P-gp"}


@dataclass(frozen=True)
class Row:
    """One row of a table. line : in the file (the header is 1). cells : by column."""

    file: str
    line: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    def number(self, units: Mapping[str, float]) -> float:
        """The value in the unit that ``units`` leads to; raises ValueError for another unit or no number."""
        if self["unit"] not in units:
            raise ValueError(f"unit {self['unit'] or 'none'} of {self['parameter']} has no rule")
        return float(self["value"]) * units[self["unit"]]

    def origin(self) -> str:
        """Alternative or data source, origin of the value and description, in words."""
        where = self["data_source"] or self["alternative"]
        words = [f"'{where}'" if where else "", self["source"], self["description"]]
        return ", ".join(w for w in words if w) or "no origin given"


@dataclass(frozen=True)
class Process:
    """All parameters of one process of a compound (rows by parameter)."""

    kind: str
    molecule: str
    data_source: str
    metabolite: str
    rows: Mapping[str, Row]

    @property
    def first(self) -> Row:
        return next(iter(self.rows.values()))

    def number(self, parameter: str, units: Mapping[str, float]) -> float | None:
        """A parameter (None: no such row); raises ValueError for a unit without a rule."""
        return self.rows[parameter].number(units) if parameter in self.rows else None


def slug(name: str) -> str:
    """Name of a compound as drug files write it: lower case words, the enantiomer last (``S-Warfarin``: warfarin_S)."""
    enantiomer = re.fullmatch(r"([RS])-(.+)", name)
    if enantiomer:
        return f"{slug(enantiomer[2])}_{enantiomer[1]}"
    plain = re.sub(r"\W+", "_", name.lower()).strip("_")
    for prefix, short in PREFIXES.items():
        plain = short + plain.removeprefix(prefix) if plain.startswith(prefix) else plain
    return SYNONYMS.get(plain, plain)


def read_tables(folder: Path) -> dict[str, list[Row]]:
    """Rows of both tables; raises FileNotFoundError or ValueError saying which table or column lacks."""
    out = {}
    for what, pattern in TABLES.items():
        files = sorted(folder.glob(pattern))
        if len(files) != 1:
            raise FileNotFoundError(f"{folder} must hold one table {pattern}; it has {len(files)}")
        with open(files[0], encoding="utf-8", newline="") as handle:
            reader = csv.DictReader(handle)
            missing = [c for c in COLUMNS[what] if c not in (reader.fieldnames or ())]
            if missing:
                raise ValueError(f"{files[0].name}: no column {', '.join(missing)}")
            out[what] = [Row(files[0].name, reader.line_num, {k: v or "" for k, v in r.items() if k}) for r in reader]
    return out


def processes(rows: Sequence[Row]) -> list[Process]:
    """Rows of one compound put together by process, in the order of the table."""
    found: dict[tuple[str, ...], dict[str, Row]] = {}
    for row in rows:
        key = tuple(row[c] for c in ("process", "molecule", "data_source", "metabolite"))
        found.setdefault(key, {})[row["parameter"]] = row
    return [
        Process(kind, MOLECULES.get(molecule, molecule), where, product, parameters)
        for (kind, molecule, where, product), parameters in found.items()
    ]


@lru_cache(maxsize=1)
def pksim() -> dict[str, float]:
    """Quantities of PK-Sim's standard man by name (``physiology/pksim_structure.tsv``)."""
    table = fact_table("physiology/pksim_structure.tsv")
    return {str(q): float(v) for q, v in zip(table["quantity"], table["value"])}


@lru_cache(maxsize=1)
def _choices() -> dict[str, tuple[float, str]]:
    table = fact_table("physiology/draft_choices.tsv")
    return {str(q): (float(v), str(s)) for q, v, s in zip(table["quantity"], table["value"], table["source"])}


def choice(name: str) -> float:
    """What a draft assumes, holds or doubts (``physiology/draft_choices.tsv``); raises KeyError for another name."""
    return _choices()[name][0]


def reason(name: str) -> str:
    """Why: the source of a :func:`choice`."""
    return _choices()[name][1]
