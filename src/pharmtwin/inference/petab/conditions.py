"""Conditions and parameters as values of names of the model: what is a constant, a covariate, a fixed effect.

A column of the condition table whose cells are numbers is a covariate. Where cells are parameters, the covariate
``X_case`` tells which: ``X = piecewise(k1, X_case == 1, k2, X_case == 2, X_number)``. An empty cell stands for the
parameter table's value or for the model's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pharmtwin.exchange.petab import OUTSIDE, PetabProblem
from pharmtwin.inference.petab.parameters import Entry
from pharmtwin.inference.petab.texts import fresh


@dataclass
class Values:
    """What names stand for, as far as it does not change in time.

    Attributes
    ----------
    symbols : id of the parameter table -> name in the structure (its linear value).
    texts : name -> text, of names that conditions or the parameter table set (start values for states).
    covariates : name -> condition -> number.
    numbers : condition -> SBML id -> linear value, of everything set, at nominal values.
    estimated : names (of the imported model, or with OUTSIDE in front) that depend on estimated parameters.
    """

    symbols: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    covariates: dict[str, dict[str, float]] = field(default_factory=dict)
    numbers: dict[str, dict[str, float]] = field(default_factory=dict)
    estimated: set[str] = field(default_factory=set)


def is_set(cell: object) -> bool:
    """Whether a cell of a table holds something."""
    return str(cell).strip().lower() not in ("", "nan")


def columns(problem: PetabProblem) -> list[str]:
    """Columns of the condition table that set something of the model."""
    return [str(c) for c in problem.conditions.columns if c != "conditionName"]


def read_values(
    problem: PetabProblem, entries: Mapping[str, Entry], used: Iterable[str], taken: set[str], faults: list[str]
) -> Values:
    """Values of the conditions ``used``; new names are added to ``taken``, what cannot be held to ``faults``."""
    model, values = problem.model, Values()
    parameters = set(model.model.parameter_names)
    set_by_condition = {model.name_of(c) for c in columns(problem)}
    for identifier, entry in entries.items():
        own = model.ids.get(identifier)
        direct = own in parameters and own not in set_by_condition
        values.symbols[identifier] = str(own) if direct else fresh(identifier, taken)
        if own is not None and not direct and own not in set_by_condition:
            values.texts[own] = values.symbols[identifier]
        if entry.estimated:
            values.estimated.add(own if own is not None and own not in set_by_condition else OUTSIDE + identifier)
    used = list(used)
    values.numbers = {c: {p: e.value for p, e in entries.items() if p in model.ids} for c in used}
    for column in columns(problem):
        _column(problem, column, entries, used, values, taken, faults)
    return values


def _column(
    problem: PetabProblem, column: str, entries: Mapping[str, Entry], used: list[str], values: Values, taken: set[str],
    faults: list[str],
) -> None:  # fmt: skip
    """One column of the condition table."""
    model = problem.model
    name = model.name_of(column)
    if column in model.ruled or (name not in model.given and name not in model.start):
        faults.append(f"the condition table sets {column}, which follows from a rule of the model")
        return
    cells: dict[str, float | str] = {}  # a number or a text in names of the structure
    for condition in used:
        cell = str(problem.conditions.loc[condition, column]).strip()
        if not is_set(cell):
            fallback = values.symbols.get(column, model.start.get(name))
            cells[condition] = model.given[name] if fallback is None else fallback
            if column in entries and entries[column].estimated:
                values.estimated.add(name)
            continue
        try:
            cells[condition] = values.numbers[condition][column] = float(cell)
        except ValueError:
            if cell not in entries:
                faults.append(f"condition {condition}: {column} is {cell!r}, neither a number nor a parameter")
                return
            cells[condition] = values.symbols[cell]
            values.numbers[condition][column] = entries[cell].value
            if entries[cell].estimated:
                values.estimated.add(name)
    lacking = [c for c, v in cells.items() if isinstance(v, float) and not math.isfinite(v)]
    if lacking:
        faults.append(f"{column} has no value in the conditions {', '.join(lacking)}")
        return
    _as_text(name, cells, name in model.model.parameter_names, values, taken)


def _as_text(
    name: str, cells: Mapping[str, float | str], is_parameter: bool, values: Values, taken: set[str]
) -> None:  # fmt: skip
    """Put the cells of a name (by condition: number or text) into ``values``."""
    texts = list(dict.fromkeys(v for v in cells.values() if isinstance(v, str)))
    numbers = {c: v if isinstance(v, float) else 0.0 for c, v in cells.items()}
    if not texts:
        covariate = name if is_parameter else fresh(f"{name}_given", taken)
        values.covariates[covariate] = numbers
        if covariate != name:
            values.texts[name] = covariate
        return
    if len(texts) == 1 and all(isinstance(v, str) for v in cells.values()):
        values.texts[name] = texts[0]
        return
    case, number = fresh(f"{name}_case", taken), fresh(f"{name}_number", taken)
    values.covariates[case] = {c: float(texts.index(v) + 1) if isinstance(v, str) else 0.0 for c, v in cells.items()}
    branches = ", ".join(f"{text}, {case} == {k}" for k, text in enumerate(texts, start=1))
    values.covariates[number] = numbers
    values.texts[name] = f"piecewise({branches}, {number})"
