"""Data sets of the electronic package: the run's tables and sheets under names and labels that a transport file allows.

No row is left out: records that the fit has not used stand there with their flag. What the format cannot hold (letters
beyond ASCII, texts over 200 characters) is changed and said, with the number of cells.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd
import yaml

from pharmtwin.dossier.run import Run
from pharmtwin.dossier.xport import MAX_TEXT
from pharmtwin.intake.columns import sheet_spec
from pharmtwin.tables import schema

LETTERS = {"µ": "u", "μ": "u", "–": "-", "—": "-", "≤": "<=", "≥": ">=", "×": "x", "·": "*", "±": "+/-", "°": "deg",
           "²": "2", "³": "3", "½": "1/2", "→": "->", "’": "'", "‘": "'", "“": '"', "”": '"', "…": "...", "\u00a0": " ",
           "\u202f": " ", "\u2011": "-", "ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "α": "alpha", "β": "beta",
           "ω": "omega", "σ": "sigma", "\n": " ", "\t": " "}  # fmt: skip
TEXT, NUMBER = "text", "number"


@dataclass(frozen=True)
class Variable:
    """A variable: name and label of the transport file, type, unit, and the column that it comes from."""

    name: str
    label: str
    kind: str
    unit: str
    column: str
    meaning: str


@dataclass(frozen=True)
class DataSet:
    """A data set: ``frame`` has the variables' names; ``notes`` says what was changed or left out."""

    name: str
    label: str
    source: str
    key: tuple[str, ...]
    frame: pd.DataFrame
    variables: tuple[Variable, ...]
    notes: tuple[str, ...]


@cache
def definitions() -> dict[str, dict[str, Any]]:
    """``datasets.yaml``: data set -> label, table or sheet, key, variables."""
    text = (files("pharmtwin.dossier") / "datasets.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def ascii_text(text: str) -> str:
    """Text in ASCII: known letters by :data:`LETTERS`, accents dropped, the rest as ``?``."""
    swapped = unicodedata.normalize("NFKD", "".join(LETTERS.get(c, c) for c in text))
    bare = "".join(c for c in swapped if not unicodedata.combining(c))
    return bare.encode("ascii", "replace").decode()


def _meanings(about: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Column -> (unit, meaning) by the schema of the table or sheet."""
    if "table" in about:
        return {c.name: (c.unit, c.meaning) for c in schema(about["table"]).columns}
    return {c.name: (c.unit, str(c.rule.get("description", ""))) for c in sheet_spec(about["sheet"]).columns}


def _as_text(values: pd.Series) -> tuple[pd.Series, int, int]:
    """Text that the format can hold, with the number of cells whose letters or length were changed."""
    letters = cut = 0
    out: list[str | None] = []
    for value in values:
        if pd.isna(value) or str(value) == "":
            out.append(None)
            continue
        text = ("Y" if value else "N") if isinstance(value, bool) else str(value)
        plain = ascii_text(text)
        letters += plain != text
        cut += len(plain) > MAX_TEXT
        out.append(plain[:MAX_TEXT].rstrip())
    return pd.Series(out, dtype=object), letters, cut


def data_set(name: str, frame: pd.DataFrame) -> DataSet:
    """One data set from its table or sheet; KeyError if the definition names a column that is not there."""
    about = definitions()[name]
    meanings = _meanings(about)
    left_out = dict(about.get("left_out", {}))
    unknown = [c for c in frame.columns if c not in about["variables"] and c not in left_out]
    columns: dict[str, pd.Series] = {}
    variables, notes = [], [f"column {c} left out: {why}" for c, why in left_out.items() if c in frame]
    notes += [f"column {c} left out: not defined for the package" for c in unknown]
    for column, (short, label) in about["variables"].items():
        values = frame[column].reset_index(drop=True)
        if pd.api.types.is_bool_dtype(values):
            values = values.map({True: "Y", False: "N"})
        numeric = pd.api.types.is_numeric_dtype(values)
        if numeric:
            columns[short] = values.astype("Float64").astype(float)
        else:
            columns[short], letters, cut = _as_text(values)
            notes += [f"{short}: letters beyond ASCII replaced in {letters} cells"] if letters else []
            notes += [f"{short}: cut at {MAX_TEXT} characters in {cut} cells"] if cut else []
        unit, meaning = meanings.get(column, ("", ""))
        variables.append(Variable(short, label, NUMBER if numeric else TEXT, unit or "", column, meaning))
    key = tuple(about["variables"][k][0] for k in about["key"])
    source = f"table {about['table']}" if "table" in about else f"sheet {about['sheet']}"
    return DataSet(name, about["label"], source, key, pd.DataFrame(columns), tuple(variables), tuple(notes))


def data_sets(run: Run) -> list[DataSet]:
    """All data sets of a run that have rows; the others are named in the reviewer's guide."""
    out = []
    for name, about in definitions().items():
        frame = getattr(run.study, about["sheet"]) if "sheet" in about else getattr(run.inputs, about["table"])
        if len(frame):
            out.append(data_set(name, frame))
    return out
