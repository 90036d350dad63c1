"""Arms of studies solved: jobs that share a structure are compiled once, and equal solves are done once.

A structure is a set of drugs with their dosage forms; numbers of the drug files may differ between its jobs (draws,
trial values of a fit). A genotype that is a mixture is the weighted mean of its components' concentrations. A solve
that fails, with the fast engine and with the reference one, is a problem in words and never a number.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pharmtwin.core.gut import Gut
from pharmtwin.drugs.dosing import dose_events
from pharmtwin.drugs.parameters import parameter_vector
from pharmtwin.drugs.schema import Drug, Quantity
from pharmtwin.drugs.system import System, build, parts_of
from pharmtwin.drugs.values import Scales, scaled
from pharmtwin.engine.compiled import compiled
from pharmtwin.engine.failures import failures, message
from pharmtwin.engine.run import Dose, Trajectories, pack, simulate
from pharmtwin.model.description import Model
from pharmtwin.qualification.study import Arm

Floats = NDArray[np.float64]
RTOL = 1e-6
#: runs in one batch: what bounds the memory of its output
SLICE = 400
ENGINES = ("rosenbrock", "cvode")


@dataclass(frozen=True, eq=False)
class Job:
    """Concentrations that are asked for.

    label : of messages. compounds : their plasma concentrations add up. times : h, sorted, on the clock of the arm's
    events. drugs : of the arm, in the order of its dosings (:func:`drugs_of`). body : quantities of table ``body`` of
    the arm's person. factors : on the activity of an enzyme or transporter beside the genotype (1 where not named).
    body_factors : on quantities of the body. scales : on values of the drug files (:func:`drugs.values.scaled`).
    """

    label: str
    arm: Arm
    compounds: tuple[str, ...]
    times: Floats
    drugs: tuple[Drug, ...]
    body: Mapping[str, float]
    gut: Gut | None = None
    factors: Mapping[str, float] = field(default_factory=dict)
    body_factors: Mapping[str, float] = field(default_factory=dict)
    scales: tuple[Scales, ...] = ()


@dataclass(frozen=True)
class Curve:
    """Answer to a job, or the problem in words (all nan).

    concentration : in plasma, mg/L. area : under it since the start, mg h/L. urine : amount filtered and secreted into
    it, mg.
    """

    concentration: Floats
    area: Floats
    urine: Floats
    problem: str = ""


@dataclass(frozen=True)
class Cost:
    """What a structure cost. seconds : to build and compile it, to compute parameters, to solve."""

    structure: str
    n_states: int
    n_jobs: int
    n_solves: int
    compile_s: float
    parameters_s: float
    solve_s: float


def drugs_of(arm: Arm, library: Mapping[str, Drug]) -> tuple[Drug, ...]:
    """Drugs of an arm in the order of its dosings; raises KeyError naming those that have no file."""
    names = list(dict.fromkeys(d.drug for d in arm.dosings))
    missing = [n for n in names if n not in library]
    if missing:
        raise KeyError(f"no drug file: {', '.join(missing)}")
    return tuple(library[n] for n in names)


def formulations_of(job: Job) -> dict[str, str]:
    """Dosage form by drug where one is named; raises ValueError for two forms (a solution aside) of a drug by mouth."""
    found: dict[str, list[str]] = {}
    for dosing in job.arm.dosings:
        if dosing.formulation and dosing.route == "oral":
            found.setdefault(dosing.drug, []).append(dosing.formulation)
    out = {}
    for drug in job.drugs:
        forms = list(dict.fromkeys(found.get(drug.name, [])))
        if len(forms) > 1:
            release = {k: f.release for k, f in drug.formulations.items()}
            forms = [f for f in forms if release.get(f, f) != "solution"]
        if len(forms) > 1:
            raise ValueError(f"{drug.name} is taken in two dosage forms in one arm: {', '.join(forms)}")
        if forms:
            out[drug.name] = forms[0]
    return out


def outline(part: Any) -> Any:
    """A drug without its numbers: what decides the structure of its model (a Weibull shape does)."""
    if isinstance(part, Quantity):
        return part.unit
    if isinstance(part, Mapping):
        return tuple((k, v.value if k == "shape" else outline(v)) for k, v in sorted(part.items()))
    if isinstance(part, tuple):
        return tuple(outline(x) for x in part)
    if dataclasses.is_dataclass(part):
        fields = [f.name for f in dataclasses.fields(part) if f.name != "sha256"]
        return (type(part).__name__, *(outline(getattr(part, f)) for f in fields))
    return part


def run_jobs(jobs: Sequence[Job], *, workers: int = 1, threads: int = 1) -> tuple[list[Curve], list[Cost]]:
    """Solve jobs.

    Parameters
    ----------
    workers : processes among which structures are shared out (1: in this one). threads : of each solve.

    Returns
    -------
    Curves in the order of the jobs, and what each structure cost.
    """
    shares, wrong = by_structure(jobs)
    curves: list[Curve | None] = [_no_curve(job, wrong[i]) if i in wrong else None for i, job in enumerate(jobs)]
    tasks = [[jobs[i] for i in share] for share in shares]
    if workers > 1 and len(tasks) > 1:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ.setdefault(name, "1")  # before a worker imports numpy
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            answers = list(pool.map(run_structure, tasks, itertools.repeat(threads)))
    else:
        answers = [run_structure(task, threads) for task in tasks]
    for share, (own, _) in zip(shares, answers, strict=True):
        for i, curve in zip(share, own, strict=True):
            curves[i] = curve
    return [c for c in curves if c is not None], [cost for _, cost in answers]


def by_structure(jobs: Sequence[Job]) -> tuple[list[list[int]], dict[int, str]]:
    """Numbers of the jobs of each structure, most jobs first, and why a job has none."""
    known: dict[int, Any] = {}
    groups: dict[Any, list[int]] = {}
    wrong: dict[int, str] = {}
    for i, job in enumerate(jobs):
        try:
            forms = tuple(sorted(formulations_of(job).items()))
        except ValueError as error:
            wrong[i] = str(error)
            continue
        for drug in job.drugs:
            if id(drug) not in known:
                known[id(drug)] = outline(drug)
        groups.setdefault((forms, tuple(known[id(d)] for d in job.drugs)), []).append(i)
    return sorted(groups.values(), key=len, reverse=True), wrong


_structures: dict[Any, System] = {}  # of this process: a fit comes back to the same ones again and again


def structure(drugs: Sequence[Drug], forms: Mapping[str, str]) -> System:
    """The system of these drugs, built once a process for each outline, with the numbers of these drugs."""
    key = (tuple(outline(d) for d in drugs), tuple(sorted(forms.items())))
    parts = parts_of(drugs, forms)
    if key not in _structures:
        urine = [f"A_urine_{p.suffix}" if p.suffix else "A_urine" for p in parts]
        _structures[key] = build(drugs, formulations=forms, observe=urine)
    return dataclasses.replace(_structures[key], parts=parts)


def run_structure(jobs: Sequence[Job], threads: int = 1) -> tuple[list[Curve], Cost]:
    """Solve jobs of one structure, each different solve once."""
    first, forms = jobs[0], formulations_of(jobs[0])
    name = " + ".join(d.name for d in first.drugs) + "".join(f" ({k}: {v})" for k, v in forms.items())
    begin = time.perf_counter()
    try:
        base = structure(first.drugs, forms)
        compiled(base.model)
    except (KeyError, ValueError) as error:
        problem = f"no model of {name}: {_words(error)}"
        return [_no_curve(job, problem) for job in jobs], Cost(name, 0, len(jobs), 0, 0.0, 0.0, 0.0)
    built = time.perf_counter()
    solves = _Solves(base.model)
    planner = _Planner(base, forms)
    plans = [planner.plan(job, solves) for job in jobs]
    planned = time.perf_counter()
    solves.run(threads)
    curves = [_curve(job, base, plan, solves) for job, plan in zip(jobs, plans, strict=True)]
    cost = Cost(name, len(base.model.states), len(jobs), len(solves.vectors), built - begin, planned - built,
                time.perf_counter() - planned)  # fmt: skip
    return curves, cost


def _words(error: Exception) -> str:
    return str(error.args[0]) if error.args else type(error).__name__


def _no_curve(job: Job, problem: str) -> Curve:
    nothing = np.full(len(job.times), np.nan)
    return Curve(nothing, nothing, nothing, f"{job.label}: {problem}")


def components(arm: Arm, factors: Mapping[str, float]) -> list[tuple[float, dict[str, float]]]:
    """(weight, relative activity by name) of every combination of an arm's genotypes; weights add up to 1."""
    genes = sorted(arm.genotype)
    out = []
    for choice in itertools.product(*(arm.genotype[g] for g in genes)):
        weight = float(np.prod([w for _, w in choice]))
        activity = dict(factors)
        for gene, (value, _) in zip(genes, choice, strict=True):
            activity[gene] = value * factors.get(gene, 1.0)
        out.append((weight, activity))
    total = sum(w for w, _ in out)
    return [(w / total, a) for w, a in out if w > 0]


class _Planner:
    """Sets up the solves of jobs of one structure; systems with scaled values are kept while jobs share them."""

    def __init__(self, base: System, forms: Mapping[str, str]) -> None:
        self.base, self.forms = base, forms
        self.last: tuple[Any, System] | None = None

    def system(self, job: Job) -> System:
        """The structure with the job's numbers."""
        key = (*map(id, job.drugs), *map(id, job.scales))
        if self.last is None or self.last[0] != key:
            drugs = [scaled(d, job.scales) for d in job.drugs]
            self.last = key, dataclasses.replace(self.base, parts=parts_of(drugs, self.forms))
        return self.last[1]

    def plan(self, job: Job, solves: _Solves) -> list[tuple[float, int]] | str:
        """(weight, number of the solve) of a job's components; the problem in words if it cannot be set up."""
        try:
            system = self.system(job)
            doses: list[Dose] = []
            for dosing in job.arm.dosings:
                events = [(e.time, e.amount, e.infusion) for e in dosing.events]
                doses += dose_events(system, dosing.drug, dosing.route, events, dosing.formulation)
            for compound in job.compounds:
                system.part(compound)
            doses.sort(key=lambda d: (d.time, d.route))
            body = {k: v * job.body_factors.get(k, 1.0) for k, v in job.body.items()}
            plan = []
            for weight, activity in components(job.arm, job.factors):
                vector = parameter_vector(system, body, activity, gut=job.gut)
                plan.append((weight, solves.add(vector, tuple(doses), job.times, job.label)))
        except (KeyError, ValueError) as error:
            return _words(error)
        return plan


def _curve(job: Job, base: System, plan: list[tuple[float, int]] | str, solves: _Solves) -> Curve:
    if isinstance(plan, str):
        return _no_curve(job, plan)
    problems = [solves.problem[k] for _, k in plan if solves.problem[k]]
    if problems:
        return _no_curve(job, problems[0])
    suffixes = [base.part(c).suffix for c in job.compounds]
    sums = []
    for quantity in ("C_plasma", "AUC", "A_urine"):
        names = [f"{quantity}_{s}" if s else quantity for s in suffixes]
        sums.append(np.sum([w * solves.read(k, names, job.times) for w, k in plan], axis=0))
    return Curve(*sums)


class _Solves:
    """The different solves of one structure: parameters, doses, and the union of the times they are asked at."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.column = {d.name: i for i, d in enumerate(model.observables)}
        self.number: dict[Any, int] = {}
        self.vectors: list[Floats] = []
        self.doses: list[tuple[Dose, ...]] = []
        self.labels: list[str] = []
        self.asked: list[list[Floats]] = []
        self.times: list[Floats] = []
        self.values: list[Floats] = []
        self.problem: list[str] = []

    def add(self, vector: Floats, doses: tuple[Dose, ...], times: Floats, label: str) -> int:
        """Number of this solve; new if there is none with these parameters and doses."""
        k = self.number.setdefault((vector.tobytes(), doses), len(self.vectors))
        if k == len(self.vectors):
            self.vectors.append(vector)
            self.doses.append(doses)
            self.labels.append(label)
            self.asked.append([])
        self.asked[k].append(times)
        return k

    def run(self, threads: int) -> None:
        """Solve all; a failure of the fast engine is tried again with the reference engine."""
        n = len(self.vectors)
        self.times = [np.unique(np.concatenate(asked)) for asked in self.asked]
        self.values = [np.zeros((0, 0))] * n
        self.problem = [""] * n
        self.asked = []
        left = list(range(n))
        for engine in ENGINES:
            left = [k for i in range(0, len(left), SLICE) for k in self._solve(left[i : i + SLICE], engine, threads)]

    def _solve(self, chosen: list[int], engine: str, threads: int) -> list[int]:
        """Solve some; those that failed."""
        starts = [min(0.0, *(d.time for d in self.doses[k]), self.times[k][0]) for k in chosen]
        batch = pack(
            self.model,
            [self.vectors[k] for k in chosen],
            [self.doses[k] for k in chosen],
            [self.times[k] for k in chosen],
            segment_times=[np.array([s]) for s in starts],
        )
        solved: Trajectories = simulate(self.model, batch, engine=engine, rtol=RTOL, threads=threads)
        for i, k in enumerate(chosen):
            self.values[k] = np.array(solved.of(i))
        failed = {f.run: message(f) for f in failures(self.model, batch, solved, [str(k) for k in chosen])}
        for k in chosen:
            self.problem[k] = failed.get(str(k), "").partition(" - ")[2]
        return [int(k) for k in failed]

    def read(self, k: int, names: Sequence[str], times: Floats) -> Floats:
        """Sum of observables of a solve at times."""
        rows = np.searchsorted(self.times[k], times)
        columns = np.array([self.column[n] for n in names])
        return np.asarray(self.values[k][np.ix_(rows, columns)].sum(axis=1))
