"""What may make a twin's exposure differ from the reference person's: groups of columns of the twins sheet, the
CYP2D6 genotype, and the twin's own concentrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Masks = NDArray[np.bool_]
GENOTYPE, SAMPLES = "CYP2D6 genotype", "own concentrations"
#: cause -> columns of the twins sheet
COVARIATES: Mapping[str, tuple[str, ...]] = {
    "sex": ("sex",),
    "age": ("age_y", "gestational_age_wk"),
    "body size": ("weight_kg", "height_cm"),
    "kidney markers": ("creatinine_mg_dl", "cystatin_c_mg_l", "gfr_ml_min"),
    "plasma proteins": ("albumin_g_l", "agp_g_l", "haematocrit"),
    "conditions": ("conditions",),
}
#: causes that belong together in a child: nobody has a child's age and an adult's size
CHILD = ("sex", "age", "body size")
ADULT_Y = 18.0
#: what is joined: the first of these that leaves no combination that is no person (a pregnancy goes with sex and age)
TOGETHER: tuple[tuple[str, ...], ...] = (
    (), ("kidney markers", "conditions"), ("sex", "age", "conditions"), ("sex", "age", "kidney markers", "conditions"),
    tuple(COVARIATES),
)  # fmt: skip


@dataclass(frozen=True)
class Causes:
    """Names of the causes, and the columns of those that are covariates."""

    names: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]


def _text(value: Any) -> str:
    return "" if value is None or (isinstance(value, float) and np.isnan(value)) or pd.isna(value) else str(value)


def joined(names: Sequence[str]) -> str:
    """One name for several causes: ``sex, age and body size``."""
    return ", ".join(names[:-1]) + " and " + names[-1]


def differs(twin: pd.Series, reference: pd.Series, columns: Sequence[str]) -> bool:
    """Whether one of the columns has another cell; a column that one of them lacks counts as empty."""
    return any(_text(twin.get(c)) != _text(reference.get(c)) for c in columns)


def _join(parts: Mapping[str, tuple[str, ...]], group: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The parts with those of the group made one, in the place of the first; a group of one changes nothing."""
    if len(group) < 2:
        return dict(parts)
    one = {joined(group): tuple(c for name in group for c in parts[name])}
    out: dict[str, tuple[str, ...]] = {}
    for name, columns in parts.items():
        out |= one if name == group[0] else {} if name in group else {name: columns}
    return out


def causes_of(twin: pd.Series, reference: pd.Series, *, sampled: bool, together: Sequence[str] = ()) -> Causes:
    """The causes of a twin (row of the completed twins sheet) beside the reference person.

    Covariates that are alike cause nothing and are left out (their Shapley value is 0). A child's sex, age and size are
    one cause; ``together`` names what else is one, for people of whom parts cannot be exchanged (a pregnancy in a man).
    """
    parts = {name: cols for name, cols in COVARIATES.items() if differs(twin, reference, cols)}
    group = [name for name in parts if name in together]
    if float(twin["age_y"]) < ADULT_Y:
        group = [name for name in parts if name in {*CHILD, *(together if set(CHILD) & set(together) else ())}]
        other = [name for name in parts if name in together and name not in group]
        parts = _join(parts, other)
    parts = _join(parts, group)
    names = (*parts, GENOTYPE, *((SAMPLES,) if sampled else ()))
    return Causes(names, parts)


def mixed_rows(twin: pd.Series, reference: pd.Series, causes: Causes, masks: Masks) -> pd.DataFrame:
    """Rows of a twins sheet: the twin's cells where its cause is in the combination, else the reference person's.

    ``masks`` (n, n_causes); ``twin_id`` counts the rows.
    """
    columns = [c for cols in COVARIATES.values() for c in cols]
    out: dict[str, Any] = {"twin_id": [f"mixed{k}" for k in range(len(masks))]}
    owner = {c: k for k, name in enumerate(causes.names) for c in causes.columns.get(name, ())}
    for column in columns:
        mine, other = twin.get(column), reference.get(column)
        taken = masks[:, owner[column]] if column in owner else np.zeros(len(masks), dtype=bool)
        out[column] = [mine if t else other for t in taken]
    frame = pd.DataFrame(out)
    return frame.assign(conditions=frame["conditions"].fillna(""))


def cells(row: pd.Series, columns: Sequence[str]) -> str:
    """Cells in words, ``age_y 62``; empty ones are named as not told."""
    return "; ".join(f"{c} {_text(row.get(c)) or 'not told'}" for c in columns)
