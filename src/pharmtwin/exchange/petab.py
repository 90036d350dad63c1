"""PEtab problems, version 1: an SBML model, conditions, observables, measurements and parameters in tables.

Schmiester et al. 2021, PLoS Comput Biol 17:e1008646, doi 10.1371/journal.pcbi.1008646. Nominal values are on the linear
scale, whatever ``parameterScale`` says; that column matters for estimation (:func:`scaled_values`).
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from pharmtwin.exchange.evaluate import ExchangeError, evaluate
from pharmtwin.exchange.imported import ImportedModel
from pharmtwin.exchange.sbml_import import from_sbml
from pharmtwin.exchange.sbml_math import read_formula
from pharmtwin.exchange.sbml_simulate import Solver, Values, run
from pharmtwin.model.algebra import names
from pharmtwin.model.description import TIME
from pharmtwin.untrusted import inside, load_yaml, read_bytes

#: ids of the tables that are not of the model get this in front, so that they meet no name of the model
OUTSIDE = "petab__"
#: a state is steady if it changes by less than this share while time grows tenfold (and 1e-6 of that, of the largest)
STEADY = 1e-6
FIRST_HORIZON, LAST_HORIZON = 1e4, 1e10
SCALES = {"lin": (lambda v: v, lambda v: v), "log": (math.log, math.exp), "log10": (math.log10, lambda v: 10.0**v)}


@dataclass(frozen=True)
class PetabProblem:
    """A problem as read.

    Attributes
    ----------
    model : the SBML model. parameters, conditions, observables : tables by their id.
    measurements : table, one row a measurement.
    formulas, noises : observable id -> expression text (model names; other ids with :data:`OUTSIDE` in front).
    """

    name: str
    model: ImportedModel
    parameters: pd.DataFrame
    conditions: pd.DataFrame
    observables: pd.DataFrame
    measurements: pd.DataFrame
    formulas: Mapping[str, str]
    noises: Mapping[str, str]

    @property
    def nominal(self) -> dict[str, float]:
        """Parameter id -> nominal value (linear)."""
        return {str(k): float(v) for k, v in self.parameters["nominalValue"].items()}


def load_problem(path: str | Path, which: int = 0) -> PetabProblem:
    """Read a problem from its yaml file; ``which`` picks one where the file lists several.

    Raises ExchangeError : another version, files or columns that are missing, ids that no table explains.
    """
    path = Path(path)
    content = _content(path)
    if str(content.get("format_version")) not in ("1", "1.0.0", "1.0"):
        raise ExchangeError(f"{path.name}: format_version is {content.get('format_version')!r}, only 1 is supported")
    problems = content.get("problems")
    if not isinstance(problems, list) or not all(isinstance(p, Mapping) for p in problems):
        raise ExchangeError(f"{path.name}: problems is no list of mappings")
    if not 0 <= which < len(content["problems"]):
        raise ExchangeError(f"{path.name} lists {len(content['problems'])} problem(s); there is no number {which}")
    problem = content["problems"][which]
    sbml = _names(path, problem, "sbml_files")
    if len(sbml) != 1:
        raise ExchangeError(f"{path.name}: a problem needs exactly one SBML file")
    parameter_files = content.get("parameter_file")
    model = from_sbml(path.parent / sbml[0])
    observables = _table(path, problem, "observable_files", "observableId", ("observableFormula", "noiseFormula"))
    measured = ("observableId", "simulationConditionId", "measurement", "time")
    loaded = PetabProblem(
        name=path.stem,
        model=model,
        parameters=_table(
            path,
            {"files": [parameter_files] if isinstance(parameter_files, str) else parameter_files},
            "files",
            "parameterId",
            ("nominalValue", "parameterScale"),
        ),
        conditions=_table(path, problem, "condition_files", "conditionId", ()),
        observables=observables,
        measurements=_table(path, problem, "measurement_files", None, measured),
        formulas=_formulas(model, observables, "observableFormula"),
        noises=_formulas(model, observables, "noiseFormula"),
    )
    _check(loaded)
    return loaded


def _content(path: Path) -> dict[str, Any]:
    """The yaml file; ExchangeError unless it is a mapping."""
    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ExchangeError(f"{path.name} cannot be read as YAML in UTF-8 ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise ExchangeError(f"{path.name} is no mapping of entries")
    return content


def _names(path: Path, problem: Mapping[str, Any], kind: str) -> list[str]:
    """Files of one kind; ExchangeError unless it is a list of names beside or below the yaml file."""
    names = problem.get(kind) or []
    if not isinstance(names, list) or not all(isinstance(n, str) and inside(n) for n in names):
        raise ExchangeError(f"{path.name}: {kind} is no list of files beside or below it")
    return names


def _table(path: Path, problem: Mapping[str, Any], kind: str, index: str | None, needed: Sequence[str]) -> pd.DataFrame:
    frames = []
    for name in _names(path, problem, kind):
        file = path.parent / name
        if not os.path.isfile(file):
            raise ExchangeError(f"{path.name} names {name}, which is not beside it")
        try:
            frame = pd.read_csv(io.BytesIO(read_bytes(file)), sep="\t", dtype=str, keep_default_na=False)
        except (OSError, ValueError) as error:  # of pandas: no columns, rows of other lengths, no UTF-8
            raise ExchangeError(f"{name} cannot be read as a table ({error})") from None
        missing = [c for c in (*needed, *([index] if index else [])) if c not in frame.columns]
        if missing:
            raise ExchangeError(f"{name} lacks the column(s) {missing}")
        frames.append(frame)
    if not frames:
        raise ExchangeError(f"{path.name} names no {kind}")
    table = pd.concat(frames, ignore_index=True).fillna("")
    if index is None:
        return table
    if table[index].duplicated().any():
        raise ExchangeError(f"{kind} of {path.name}: {index} {table[index][table[index].duplicated()].tolist()} twice")
    return table.set_index(index)


def _formulas(model: ImportedModel, observables: pd.DataFrame, column: str) -> dict[str, str]:
    def name(identifier: str) -> str:
        return model.ids.get(identifier, OUTSIDE + identifier)

    return {str(o): read_formula(text, name, f"{column} of {o!r}") for o, text in observables[column].items()}


def _check(problem: PetabProblem) -> None:
    """Raise ExchangeError for ids that no table explains."""
    rows = problem.measurements
    for column, known in (("observableId", problem.observables), ("simulationConditionId", problem.conditions)):
        unknown = sorted(set(rows[column]) - set(known.index))
        if unknown:
            raise ExchangeError(f"{problem.name}: measurements name {column} {unknown}, which no table explains")
    preparing = set(rows.get("preequilibrationConditionId", pd.Series(dtype=str))) - {""}
    if preparing - set(problem.conditions.index):
        raise ExchangeError(f"{problem.name}: unknown preequilibrationConditionId {sorted(preparing)}")
    for column in problem.conditions.columns.drop("conditionName", errors="ignore"):
        problem.model.name_of(column)
    wrong = set(problem.parameters["parameterScale"]) - set(SCALES)
    if wrong:
        raise ExchangeError(f"{problem.name}: unknown parameterScale {sorted(wrong)}; known are {sorted(SCALES)}")


def scaled_values(problem: PetabProblem) -> dict[str, float]:
    """Nominal values on each parameter's own scale (lin, log, log10)."""
    scale = problem.parameters["parameterScale"]
    return {p: SCALES[scale[p]][0](v) for p, v in problem.nominal.items()}


def linear_values(problem: PetabProblem, scaled: Mapping[str, float]) -> dict[str, float]:
    """Values on the linear scale, from values on each parameter's own scale."""
    scale = problem.parameters["parameterScale"]
    return {p: float(SCALES[scale[p]][1](v)) for p, v in scaled.items()}


def simulate_problem(
    problem: PetabProblem,
    parameters: Mapping[str, float] | None = None,
    *,
    engine: str = "cvode",
    rtol: float = 1e-10,
    atol: float | None = None,
) -> pd.DataFrame:
    """Simulate every measurement.

    Parameters
    ----------
    parameters : linear values that replace nominal ones.
    engine, rtol, atol : as :func:`pharmtwin.exchange.sbml_simulate.simulate_imported`; tight by default, because some
        problems magnify errors (Crauste 2017: 1e-8 gives 2 %).

    Returns
    -------
    The measurement table with ``simulation`` (the observable, not transformed) and ``noise`` (value of the noise
    formula) in the place of ``measurement``.

    Raises
    ------
    ExchangeError : a parameter without a value, a number of overrides that does not fit the formula, a condition that
        does not come to a steady state, a preequilibration of a model with events.
    """
    values = problem.nominal | {k: float(v) for k, v in (parameters or {}).items()}
    unknown = sorted(set(parameters or {}) - set(problem.nominal))
    if unknown:
        raise ExchangeError(f"{problem.name} has no parameters {unknown}")
    rows = problem.measurements
    table = rows.drop(columns="measurement").assign(simulation=np.nan, noise=np.nan)
    before = rows["preequilibrationConditionId"] if "preequilibrationConditionId" in rows else pd.Series("", rows.index)
    solver, steady = Solver(engine, rtol, atol), {}
    for key, group in rows.groupby([before, rows["simulationConditionId"]], sort=False):
        first, condition = map(str, key)
        if first and first not in steady:
            start = problem.model.start_values(_overrides(problem, first, values))
            steady[first] = _steady_state(problem, first, start, solver)
        trace = _simulate_condition(problem, condition, steady.get(first), group, values, solver)
        for i, row in group.iterrows():
            moment = dict(trace.loc[float(row["time"])])
            table.loc[i, "simulation"] = _of_row(problem, row, problem.formulas, moment, values)
            table.loc[i, "noise"] = _of_row(problem, row, problem.noises, moment, values)
    return table


def _overrides(problem: PetabProblem, condition: str, values: Mapping[str, float]) -> dict[str, float]:
    """Start values of a condition: parameters of the table that are ids of the model, then the condition's row."""
    fixed = {p: v for p, v in values.items() if p in problem.model.ids}
    row = problem.conditions.loc[condition].drop("conditionName", errors="ignore")
    return fixed | {
        str(k): _cell(problem, str(v), values, f"condition {condition!r}") for k, v in row.items() if _set(v)
    }


def _set(cell: object) -> bool:
    return str(cell).strip().lower() not in ("", "nan")


def _cell(problem: PetabProblem, text: str, values: Mapping[str, float], where: str) -> float:
    """A number or the id of a parameter."""
    try:
        return float(text)
    except ValueError:
        if text.strip() in values:
            return values[text.strip()]
        raise ExchangeError(f"{problem.name}, {where}: {text!r} is neither a number nor a parameter") from None


def _steady_state(
    problem: PetabProblem, condition: str, start: tuple[Values, Values], solver: Solver
) -> tuple[Values, Values]:
    """Where a condition comes to rest: the horizon grows tenfold until the last decade changed nothing."""
    model = problem.model
    if model.events:
        raise ExchangeError(f"{problem.name}: preequilibration of a model with events is not supported")
    states = [s for s in model.model.state_names if s != TIME]
    horizon = FIRST_HORIZON
    while horizon <= LAST_HORIZON:
        frame, end = run(model, *start, [horizon / 10, horizon], solver, states)
        earlier, later = frame[states].to_numpy()
        moving = np.abs(later - earlier) > STEADY * (np.abs(later) + 1e-6 * np.max(np.abs(later), initial=0.0))
        if not moving.any():
            return start[0], end.states
        horizon *= 10
    still = [s for s, m in zip(states, moving, strict=True) if m]
    raise ExchangeError(f"{problem.name}: condition {condition!r} comes to no steady state; still moving: {still}")


def _simulate_condition(
    problem: PetabProblem,
    condition: str,
    steady: tuple[Values, Values] | None,
    group: pd.DataFrame,
    values: Mapping[str, float],
    solver: Solver,
) -> pd.DataFrame:
    """Values of every name that the group's formulas use, by time."""
    model = problem.model
    given = _overrides(problem, condition, values)
    parameters, states = model.start_values(given)
    if steady is not None:  # states go on from the steady state, but for those that the condition sets
        row = problem.conditions.loc[condition].drop("conditionName", errors="ignore")
        anew = {model.name_of(str(k)) for k, v in row.items() if _set(v)}
        anew |= {s.amount for s in model.species.values() if s.concentration in anew}
        states = {s: states[s] if s in anew else v for s, v in steady[1].items()}
    used = {n for o in group["observableId"] for f in (problem.formulas, problem.noises) for n in names(f[o])}
    wanted = sorted(n for n in used if not n.startswith(OUTSIDE) and n != TIME)
    times = np.unique(group["time"].astype(float))
    frames = []
    if np.isfinite(times).any():
        frames.append(run(model, parameters, states, times[np.isfinite(times)], solver, wanted)[0])
    if np.isinf(times).any():
        rest = _steady_state(problem, condition, (parameters, states), solver)
        frames.append(run(model, *rest, [LAST_HORIZON], solver, wanted, LAST_HORIZON)[0].assign(time=np.inf))
    return pd.concat(frames).set_index(TIME, drop=False)


def _of_row(
    problem: PetabProblem, row: pd.Series, formulas: Mapping[str, str], moment: Mapping[str, float], values: Values
) -> float:
    """Value of a formula for one measurement, with the row's own parameters in the placeholders."""
    observable = str(row["observableId"])
    known = dict(moment) | {OUTSIDE + p: v for p, v in values.items()}
    for kind in ("observable", "noise"):
        cells = [c for c in str(row.get(f"{kind}Parameters", "")).split(";") if _set(c)]
        for k, cell in enumerate(cells, start=1):
            where = f"{kind}Parameters of {observable!r} at time {row['time']}"
            known[f"{OUTSIDE}{kind}Parameter{k}_{observable}"] = _cell(problem, cell, values, where)
    missing = sorted(n.removeprefix(OUTSIDE) for n in names(formulas[observable]) if n not in known)
    if missing:
        raise ExchangeError(
            f"{problem.name}: the formula of {observable!r} needs {missing}; give them in the parameter table or (if "
            f"they are placeholders) in the measurement table at time {row['time']}"
        )
    return float(evaluate(formulas[observable], known))
