"""A population model with its data, packed: predictions, log-likelihoods and exact derivatives of all subjects at once.

*Effects* are the fixed effects (in the model's order) and then the random effects; a point is one row of effects a run.
A *run* is one solve: a subject, one of its hypotheses (diplotype components), one piece between resets. A *case* is a
subject with one hypothesis: its log-likelihood is the sum over its runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine.crosscheck import subset
from pharmtwin.engine.run import Batch, pack_events, simulate, simulate_with_sensitivities
from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.models.occasions import INDICATOR, expand
from pharmtwin.inference.problem import score as sc
from pharmtwin.inference.problem.aliases import aliases
from pharmtwin.inference.problem.dose_solve import DoseSolve, place_doses
from pharmtwin.inference.problem.pieces import Piece, pieces
from pharmtwin.inference.problem.records import Subject
from pharmtwin.inference.problem.run_in import run_in_doses
from pharmtwin.model.description import Model

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Component:
    """One hypothesis about a subject: its probability, and the constants or covariates that it sets."""

    weight: float
    values: Mapping[str, float]
    name: str = ""


PER_OBSERVATION = (
    "column_of_obs", "output_of_obs", "subject_obs", "times_of_obs", "y", "code", "limit", "kind", "where", "zero",
)  # fmt: skip
ALONE = (Component(1.0, {}),)


class Prediction(NamedTuple):
    """f (n_obs,), J (n_obs, n_wrt) or (0, n_wrt), flag (n_runs,) of the solver; failed runs predict NaN."""

    f: Floats
    J: Floats
    flag: Ints


class Likelihood(NamedTuple):
    """Of every run: log-likelihood ll (n_runs,), gradients g (n_runs, n_wrt) and g_sigma (n_runs, n_residuals).

    ``information`` (n_runs, n_wrt, n_wrt): expected information on the effects (Gauss-Newton), or None. ``by_obs``: the
    log-likelihood of each observation. A run that fails, or an impossible observation, gives -inf.
    """

    ll: Floats
    g: Floats
    g_sigma: Floats
    information: Floats | None
    by_obs: Floats
    flag: Ints


@dataclass(frozen=True, eq=False)
class Problem:
    """See :func:`make_problem`. All index arrays are int64.

    Attributes
    ----------
    model : with effects of the occasion written out. structure : the ODE model, its sensitivities those that are
    solved.
    effects : names; the first ``n_fixed`` are fixed effects. wrt : effects (numbers) that derivatives are taken for.
    subjects : ids. case_of_run, subject_of_case (n_cases,), log_weight (n_cases,) of the hypotheses.
    run_of_obs, record_of_obs (row of the batch's times), column_of_obs (observable), subject_obs (number of the
    observation within its subject) : (n_obs,), sorted by run.
    """

    model: PopulationModel
    structure: Model
    effects: tuple[str, ...]
    n_fixed: int
    wrt: tuple[int, ...]
    subjects: tuple[str, ...]
    data: tuple[Subject, ...]
    batch: Batch
    dose_solve: DoseSolve | None
    columns: Ints
    case_of_run: Ints
    subject_of_case: Ints
    log_weight: Floats
    component_of_case: Ints
    names_of_case: tuple[str, ...]
    run_of_obs: Ints
    record_of_obs: Ints
    column_of_obs: Ints
    output_of_obs: Ints
    subject_obs: Ints
    times_of_obs: Floats
    y: Floats
    code: Ints
    limit: Floats
    kind: Ints
    where: Ints
    zero: Floats
    solved: Ints
    follows: Ints
    rtol: float

    @property
    def n_runs(self) -> int:
        """Runs of the solver."""
        return self.batch.n

    @property
    def n_cases(self) -> int:
        """Subjects times hypotheses."""
        return len(self.subject_of_case)

    @property
    def subject_of_run(self) -> Ints:
        """Subject of each run."""
        return self.subject_of_case[self.case_of_run]

    def typical(self) -> Floats:
        """Effects at the model's values: fixed effects as stated, random effects 0."""
        return np.array([f.value for f in self.model.fixed] + [0.0] * len(self.model.random))

    def sigma(self) -> Floats:
        """Residual parameters at the model's values."""
        return np.array([r.value for r in self.model.residuals])

    def rows(self, fixed: Floats, random: Floats) -> Floats:
        """Effects of every run from fixed effects (n_fixed,) and random effects (n_subjects, n_random)."""
        x = np.empty((self.n_runs, len(self.effects)))
        x[:, : self.n_fixed] = fixed
        x[:, self.n_fixed :] = random[self.subject_of_run]
        return x

    def predict(self, x: Floats, derivatives: bool = True, threads: int = 1) -> Prediction:
        """Predictions at effects x (n_runs, n_effects), and their derivatives with respect to ``wrt``."""
        P = self.batch.P.copy()
        of_segment = np.repeat(np.arange(self.n_runs), np.diff(self.batch.seg_0))
        P[:, self.columns] = x[of_segment]
        batch = replace(self.batch, P=P)
        if self.dose_solve is not None:
            batch = self.dose_solve.place(batch, x, derivatives and bool(self.wrt))
        structure = self.structure
        if not derivatives or not len(self.wrt):
            solved = simulate(structure, batch, engine="rosenbrock", rtol=self.rtol, threads=threads)
            return Prediction(
                solved.values[self.record_of_obs, self.column_of_obs], np.zeros((0, len(self.wrt))), solved.flag
            )
        solved = simulate_with_sensitivities(structure, batch, rtol=self.rtol, threads=threads)
        assert solved.tangents is not None
        f = solved.values[self.record_of_obs, self.column_of_obs]
        own = solved.tangents[self.record_of_obs, self.column_of_obs]
        return Prediction(f, self._all_columns(own, x), solved.flag)

    def _all_columns(self, own: Floats, x: Floats) -> Floats:
        """Derivatives for ``wrt`` from those that were solved: aliases follow (see ``aliases``)."""
        J = own[:, self.solved]
        scale = self.follows
        for k in np.flatnonzero(scale >= 0):
            J[:, k] /= x[self.run_of_obs, self.wrt[k]]
        return np.asarray(J)

    def likelihood(
        self, x: Floats, sigma: Floats, derivatives: bool = True, information: bool = False, threads: int = 1
    ) -> Likelihood:
        """Log-likelihood of every run at effects x (n_runs, n_effects) and residual parameters sigma."""
        p = self.predict(x, derivatives, threads)
        n, n_wrt = len(p.f), len(self.wrt)
        value, d_f, weight, d_s = np.empty(n), np.empty(n), np.empty(n), np.empty((n, 2))
        sc.score(p.f, self.y, self.code, self.limit, self.kind, self.where, self.zero, np.asarray(sigma, dtype=float),
                 value, d_f, d_s, weight)  # fmt: skip
        ll = np.zeros(self.n_runs)
        np.add.at(ll, self.run_of_obs, value)
        g_sigma = np.zeros((self.n_runs, len(sigma)))
        for slot in range(2):
            used = self.where[:, slot] >= 0
            np.add.at(g_sigma, (self.run_of_obs[used], self.where[used, slot]), d_s[used, slot])
        g = np.zeros((self.n_runs, n_wrt))
        info = None
        if derivatives and n_wrt:
            p.J[~np.isfinite(p.f)] = 0.0
            np.add.at(g, self.run_of_obs, d_f[:, None] * p.J)
            if information:
                info = np.zeros((self.n_runs, n_wrt, n_wrt))
                np.add.at(info, self.run_of_obs, weight[:, None, None] * p.J[:, :, None] * p.J[:, None, :])
        return Likelihood(ll, g, g_sigma, info, value, p.flag)

    def of(self, subjects: Sequence[int]) -> Problem:
        """The problem of some of the subjects (numbers, ascending)."""
        new = np.full(len(self.subjects), -1)
        new[list(subjects)] = np.arange(len(subjects))
        cases = np.flatnonzero(new[self.subject_of_case] >= 0)
        part = self._take(cases, new[self.subject_of_case[cases]])
        return replace(
            part, subjects=tuple(self.subjects[i] for i in subjects), data=tuple(self.data[i] for i in subjects)
        )

    def repeat_cases(self, cases: Ints) -> Problem:
        """One case after the other, repeats allowed, each as a subject of its own (for many points of one person)."""
        part = self._take(cases, np.arange(len(cases)))
        which = self.subject_of_case[cases]
        return replace(part, subjects=tuple(self.subjects[i] for i in which), data=tuple(self.data[i] for i in which))

    def _take(self, cases: Ints, subject_of_case: Ints) -> Problem:
        runs_of = [np.flatnonzero(self.case_of_run == c) for c in range(self.n_cases)]
        obs_of = [np.flatnonzero(self.run_of_obs == r) for r in range(self.n_runs)]
        runs = np.concatenate([runs_of[c] for c in cases])
        case_of_run = np.repeat(np.arange(len(cases)), [len(runs_of[c]) for c in cases])
        seen = np.concatenate([obs_of[r] for r in runs])
        run_of_obs = np.repeat(np.arange(len(runs)), [len(obs_of[r]) for r in runs])
        batch = subset(self.batch, runs.tolist())
        record = self.record_of_obs[seen] - self.batch.t_0[self.run_of_obs[seen]] + batch.t_0[run_of_obs]
        per_obs = {name: getattr(self, name)[seen] for name in PER_OBSERVATION}
        return replace(
            self, batch=batch, dose_solve=None if self.dose_solve is None else self.dose_solve.of(runs.tolist()),
            case_of_run=case_of_run, subject_of_case=subject_of_case, log_weight=self.log_weight[cases],
            component_of_case=self.component_of_case[cases], names_of_case=tuple(self.names_of_case[c] for c in cases),
            run_of_obs=run_of_obs, record_of_obs=record, **per_obs,
        )  # fmt: skip

    def by_case(self, per_run: Floats) -> Floats:
        """Sums over the runs of each case: (n_cases, ...)."""
        out = np.zeros((self.n_cases, *per_run.shape[1:]))
        np.add.at(out, self.case_of_run, per_run)
        return out


def make_problem(
    model: PopulationModel,
    subjects: Sequence[Subject],
    *,
    wrt: str | Sequence[str] = "random",
    components: Mapping[str, Sequence[Component]] | None = None,
    covariate_at: str = "end",
    rtol: float = 1e-7,
) -> Problem:
    """Pack subjects for a model.

    Parameters
    ----------
    wrt : effects that derivatives are taken for: "random" (MAP, FOCE), "all", or names.
    components : hypotheses by subject id; default one that changes nothing. Weights are probabilities.
    covariate_at : see ``records.Columns``.
    rtol : of the solver.

    Raises
    ------
    ValueError : an unknown effect, weights that are no probabilities, a subject without observations.
    """
    n_occasions = max((s.n_occasions for s in subjects), default=1)
    full = expand(model, n_occasions)
    effects = tuple([f.name for f in full.fixed] + [r.name for r in full.random])
    n_fixed = len(full.fixed)
    chosen = {"random": effects[n_fixed:], "all": effects}.get(wrt, ()) if isinstance(wrt, str) else tuple(wrt)
    unknown = [n for n in chosen if n not in effects]
    if unknown:
        raise ValueError(f"model {model.name} has no effects {unknown}; it has {list(effects)}")
    alias = {a: b for a, b in aliases(full).items() if a in chosen and b in chosen}
    solved = tuple(n for n in chosen if n not in alias)
    structure = replace(full.structure, sensitivities=solved)
    packed = _Packed(full, structure, subjects, components or {}, covariate_at == "end", rtol, effects)
    names = structure.parameter_names
    return Problem(
        model=full, structure=structure, effects=effects, n_fixed=n_fixed,
        wrt=tuple(effects.index(n) for n in chosen), subjects=tuple(s.id for s in subjects), data=tuple(subjects),
        columns=np.array([names.index(e) for e in effects], dtype=np.int64),
        solved=np.array([solved.index(alias.get(n, n)) for n in chosen], dtype=np.int64),
        follows=np.array([0 if n in alias else -1 for n in chosen], dtype=np.int64),
        rtol=rtol, **packed.arrays(),
    )  # fmt: skip


class _Packed:
    """The arrays of a problem."""

    def __init__(self, model, structure, subjects, components, at_end, rtol, effects) -> None:  # type: ignore[no-untyped-def]
        self.model, self.structure, self.effects, self.rtol = model, structure, effects, rtol
        names = structure.parameter_names
        self.where = {n: k for k, n in enumerate(names)}
        self.base = np.zeros(len(names))
        for name, value in model.constants.items():
            self.base[self.where[name]] = value
        for f in model.fixed:
            self.base[self.where[f.name]] = f.value
        self.runs: list[tuple[int, Piece, dict[str, float]]] = []  # case, piece, values of the component
        self.cases: list[tuple[int, float, int, str]] = []
        self.subjects = subjects
        occasions = [c for c in model.covariates if c.startswith(INDICATOR.format(k=""))]
        self.covariate_columns = [self.where[c] for c in model.covariates]
        for i, s in enumerate(subjects):
            if not len(s.obs_row):
                raise ValueError(f"subject {s.id} has no observations")
            own = tuple(components.get(s.id, ALONE))
            total = sum(c.weight for c in own)
            if not abs(total - 1.0) < 1e-6 or any(c.weight < 0 for c in own):
                raise ValueError(f"subject {s.id}: the weights of its components add up to {total:g}, not 1")
            indicators = np.eye(max(s.n_occasions, len(occasions), 1))[s.occasions][:, : len(occasions)]
            covariates = np.hstack([s.covariates, indicators])
            run_in = run_in_doses(model, structure, self.base, s, covariates, self.covariate_columns, rtol)
            cut = pieces(s, covariates, at_end, run_in)
            for k, component in enumerate(own):
                case = len(self.cases)
                self.cases.append((i, component.weight, k, component.name))
                self.runs += [(case, piece, dict(component.values)) for piece in cut]

    def arrays(self) -> dict[str, Any]:
        """Keyword arguments of :class:`Problem`."""
        structure, model = self.structure, self.model
        P, starts, times, obs = [], [], [], []
        for r, (case, piece, values) in enumerate(self.runs):
            rows = np.tile(self.base, (len(piece.segment_times), 1))
            rows[:, self.covariate_columns] = piece.segments
            for name, value in values.items():
                rows[:, self.where[name]] = value
            P.append(rows)
            starts.append(piece.segment_times)
            times.append(piece.obs_times)
            subject = self.subjects[self.cases[case][0]]
            obs += [(r, w, subject, j) for w, j in enumerate(piece.obs.tolist())]
        batch = pack_events(structure, P, [[] for _ in self.runs], times, segment_times=starts)
        numbers = np.array([self.where[e] for e in self.effects], dtype=np.int64)
        batch, dose_solve = place_doses(
            model, structure, batch, self.runs, self.base, self.covariate_columns, self.where, numbers
        )
        seen = structure.observable_names
        outputs = [s.obs_output[j] for _, _, s, j in obs]
        residual = {r.name: k for k, r in enumerate(model.residuals)}
        specs = [model.outputs[o] for o in outputs]
        slots = [[residual[n] for n in o.residuals] + [-1] * (2 - len(o.residuals)) for o in specs]
        integers = lambda values: np.array(list(values), dtype=np.int64)  # noqa: E731
        return {
            "batch": batch, "dose_solve": dose_solve,
            "case_of_run": integers(case for case, _, _ in self.runs),
            "subject_of_case": integers(i for i, _, _, _ in self.cases),
            "log_weight": np.log(np.maximum([w for _, w, _, _ in self.cases], 1e-300)),
            "component_of_case": integers(k for _, _, k, _ in self.cases),
            "names_of_case": tuple(n for _, _, _, n in self.cases),
            "run_of_obs": integers(r for r, _, _, _ in obs),
            "record_of_obs": integers(batch.t_0[r] + w for r, w, _, _ in obs),
            "column_of_obs": integers(seen.index(o.observable) for o in specs),
            "output_of_obs": integers(outputs),
            "subject_obs": integers(j for _, _, _, j in obs),
            "times_of_obs": np.array([s.times[s.obs_row[j]] for _, _, s, j in obs]),
            "y": np.array([s.obs_value[j] for _, _, s, j in obs]),
            "code": integers(s.obs_code[j] for _, _, s, j in obs),
            "limit": np.array([s.obs_limit[j] for _, _, s, j in obs]),
            "kind": integers(sc.KINDS[o.error] for o in specs),
            "where": np.array(slots, dtype=np.int64).reshape(-1, 2),
            "zero": np.array([o.where_zero for o in specs]),
        }  # fmt: skip
