"""A PEtab problem (version 1) as a population model and its subjects, one a simulation condition.

PEtab has no random effects: estimated parameters are fixed effects on their ``parameterScale``, estimated noise
parameters are residual parameters. What this form cannot hold is refused, with every reason at once.

PEtab: Schmiester et al. 2021, PLoS Comput Biol 17:e1008646, doi 10.1371/journal.pcbi.1008646.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pharmtwin.exchange.petab import SCALES, PetabProblem, load_problem
from pharmtwin.inference.models.description import PopulationModel, PopulationModelError
from pharmtwin.inference.petab.assembly import Assembly, assemble
from pharmtwin.inference.petab.parameters import LOG_BASE, Entry, read_entries
from pharmtwin.inference.petab.subjects import Group, groups_of, subjects_of
from pharmtwin.inference.problem.problem import make_problem
from pharmtwin.inference.problem.records import Subject

Floats = NDArray[np.float64]
#: relative tolerance of the solver: some problems magnify errors (Crauste 2017)
RTOL = 1e-10
#: lengths of a rest that are tried, each ten times the one before
FIRST_REST, LAST_REST = 1e3, 1e9
#: rest is reached where predictions change by less than this share of an observable's largest over the next decade
AT_REST = 1e-7


@dataclass(frozen=True)
class PetabPopulation:
    """A problem as a population model.

    Attributes
    ----------
    problem : as read. model, subjects : for ``make_problem``, ``maximise``, ``population_fit``.
    entries : the parameter table. effects : id -> fixed effect, whose value is that on the parameter's scale.
    residuals : id of a noise parameter -> (residual parameter, factor): residual = factor x linear value.
    rest : how long rest takes (0: there is none). notes : what a reader should know.
    """

    problem: PetabProblem
    model: PopulationModel
    subjects: tuple[Subject, ...]
    entries: Mapping[str, Entry]
    effects: Mapping[str, str]
    residuals: Mapping[str, tuple[str, float]]
    rest: float
    notes: tuple[str, ...]

    @property
    def estimated(self) -> tuple[str, ...]:
        """Ids of the estimated parameters, in the table's order."""
        return tuple(p for p, e in self.entries.items() if e.estimated)

    def values(self, model: PopulationModel | None = None) -> dict[str, float]:
        """Linear values of the estimated parameters in a model with other values (``Estimate.model``); default the
        nominal ones."""
        model = model or self.model
        fixed = {f.name: f.value for f in model.fixed}
        residual = {r.name: r.value for r in model.residuals}
        found = {}
        for p in self.estimated:
            if p in self.residuals:
                name, factor = self.residuals[p]
                found[p] = residual[name] / factor
            else:
                found[p] = float(SCALES[self.entries[p].scale][1](fixed[self.effects[p]]))
        return found

    def with_values(self, values: Mapping[str, float]) -> PopulationModel:
        """The model with other linear values of estimated parameters; raises KeyError for what is not estimated."""
        unknown = sorted(set(values) - set(self.estimated))
        if unknown:
            raise KeyError(f"{self.problem.name}: {unknown} are not estimated")
        fixed = {self.effects[p]: self.entries[p].scaled(v) for p, v in values.items() if p in self.effects}
        sd = {self.residuals[p][0]: self.residuals[p][1] * v for p, v in values.items() if p in self.residuals}
        return replace(
            self.model,
            fixed=tuple(replace(f, value=fixed.get(f.name, f.value)) for f in self.model.fixed),
            residuals=tuple(replace(r, value=sd.get(r.name, r.value)) for r in self.model.residuals),
        )

    def log_likelihood(
        self, values: Mapping[str, float] | None = None, *, derivatives: bool = True, rtol: float = RTOL
    ) -> tuple[float, dict[str, float]]:
        """Log-likelihood at linear values (default nominal), and its derivatives on the parameters' scales ({} where
        they are not asked for)."""
        model = self.with_values(values or {})
        packed = make_problem(model, self.subjects, wrt="all" if derivatives else (), rtol=rtol)
        like = packed.likelihood(packed.rows(packed.typical(), np.zeros((len(self.subjects), 0))), packed.sigma())
        if not derivatives:
            return float(like.ll.sum()), {}
        at = dict(zip((f.name for f in model.fixed), like.g.sum(axis=0).tolist(), strict=True))
        slope = dict(zip((r.name for r in model.residuals), like.g_sigma.sum(axis=0).tolist(), strict=True))
        linear = self.values(model)
        gradient = {}
        for p in self.estimated:
            if p in self.residuals:
                name, factor = self.residuals[p]
                gradient[p] = slope[name] * factor * (linear[p] * LOG_BASE.get(self.entries[p].scale, 1.0 / linear[p]))
            else:
                gradient[p] = at[self.effects[p]]
        return float(like.ll.sum()), gradient


def import_petab(
    source: str | Path | PetabProblem, *, priors: bool = True, without_events: Sequence[str] = (), rest: float = 0.0
) -> PetabPopulation:
    """A problem (its yaml file, or as read) as a population model.

    Parameters
    ----------
    priors : hold the objective priors (they matter for ``population_fit``; maximum likelihood knows none).
    without_events : ids of events to leave out.
    rest : how long it takes to come to rest, in the problem's unit of time; default: until predictions at the nominal
        values stand still, times 10.

    Raises
    ------
    ExchangeError : the problem cannot be read. PopulationModelError : it cannot be held; every reason, a line each.
    """
    problem = source if isinstance(source, PetabProblem) else load_problem(source)
    faults: list[str] = []
    notes: list[str] = []
    entries = read_entries(problem, priors, faults)
    used = _used(problem)
    made = assemble(problem, entries, used, without_events, faults, notes)
    groups = groups_of(problem, entries, made, faults) if made.structure is not None else []
    _stop(problem, faults)
    notes += _notes(problem, entries, made, priors)
    model = _model(problem, made)
    resting = any(g.rests for g in groups)
    if resting:
        rest = rest or _rest(problem, model, made, groups)
        notes.append(f"rest (preequilibration, time inf) is reached by solving for {rest:g} units of time")
    subjects = tuple(subjects_of(groups, made, rest))
    return PetabPopulation(problem, model, subjects, entries, made.effect_of_parameter, made.outputs.of_parameter,
                           rest if resting else 0.0, tuple(notes))  # fmt: skip


def _stop(problem: PetabProblem, faults: Sequence[str]) -> None:
    if faults:
        raise PopulationModelError("\n".join(f"{problem.name}: {f}" for f in dict.fromkeys(faults)))


def _used(problem: PetabProblem) -> list[str]:
    """Conditions that measurements name."""
    rows = problem.measurements
    used = [str(c) for c in rows["simulationConditionId"]]
    if "preequilibrationConditionId" in rows:
        used += [str(c) for c in rows["preequilibrationConditionId"] if str(c).strip()]
    return list(dict.fromkeys(used))


def _model(problem: PetabProblem, made: Assembly) -> PopulationModel:
    assert made.structure is not None
    outputs = made.outputs
    return PopulationModel.create(
        problem.name, made.structure, made.fixed, [], list(outputs.residuals.values()), list(outputs.outputs.values()),
        made.covariates, made.constants, initial=made.initial, source=f"PEtab problem {problem.name}",
    )  # fmt: skip


def _notes(problem: PetabProblem, entries: Mapping[str, Entry], made: Assembly, priors: bool) -> list[str]:
    """What was understood otherwise than a reader may think."""
    notes = list(problem.model.ignored)
    bounded = [p for p in made.outputs.of_parameter if entries[p].estimated]
    if bounded:
        notes.append(
            f"bounds of noise parameters ({', '.join(bounded)}) hold in the sampler; maximum likelihood takes any "
            "value above 0"
        )
    kinds = sorted({str(k) for k in problem.parameters.get("objectivePriorType", []) if str(k)})
    if kinds and not priors:
        notes.append(f"objective priors ({', '.join(kinds)}) are left out, as asked")
    if any(str(k) for k in problem.parameters.get("initializationPriorType", [])):
        notes.append("initialization priors are not used: they say where a search starts")
    outside = [p for p, e in entries.items() if e.estimated and not e.lower < e.value < e.upper]
    if outside:
        notes.append(f"nominal values on or outside of their bounds: {', '.join(outside)}; move them before estimating")
    return notes


def _rest(problem: PetabProblem, model: PopulationModel, made: Assembly, groups: Sequence[Group]) -> float:
    """Ten times the shortest time after which predictions stand still."""
    last = max((s.time for g in groups for s in g.samples if np.isfinite(s.time)), default=0.0)
    rest, before = max(FIRST_REST, 10.0 * last), None
    while rest <= LAST_REST:
        packed = make_problem(model, subjects_of(groups, made, rest), wrt=(), rtol=RTOL)
        x = packed.rows(packed.typical(), np.zeros((len(groups), 0)))
        f = packed.predict(x, False).f
        if before is not None and np.isfinite(f).all():
            size = np.zeros(len(model.structure.observables))
            np.maximum.at(size, packed.column_of_obs, np.abs(f))
            if np.all(np.abs(f - before) <= AT_REST * size[packed.column_of_obs]):
                return 10.0 * rest
        rest, before = 10.0 * rest, f
    raise PopulationModelError(f"{problem.name}: the nominal values lead to no rest within {LAST_REST:g} units of time")
