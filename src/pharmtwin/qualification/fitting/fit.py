"""Estimating the few values of a drug that its plan names, on its building set: least squares of log concentrations.

Every profile counts the same, however many points it has, and every exposure like a profile; so does a ratio of
exposures of the plan's few interaction studies, whose AUC and Cmax ratio are its points. Soft L1 loss; a log ratio
counts as at most 3. Weak priors at the file's ``start``. Derivatives are finite differences of the logarithms, all
trial values in one batch of solves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from pharmtwin.drugs.schema import Drug
from pharmtwin.drugs.values import Written, full_path, quantities, with_values
from pharmtwin.qualification.fitting.exposures import ObservedExposure, exposure_jobs, exposure_value
from pharmtwin.qualification.plan import Entry
from pharmtwin.qualification.simulation.questions import World, profile_answer, profile_job, ratio_answer, ratio_jobs
from pharmtwin.qualification.simulation.runs import Curve, Job, run_jobs
from pharmtwin.qualification.study import Profile, Ratio

Floats = NDArray[np.float64]
#: sd of the logarithm that a profile's residual is taken to have, against which the priors weigh
RESIDUAL_SD = 0.2
LARGEST = 3.0  # a log ratio counts as at most this: one point near the limit of quantification must not lead
LEAST = 1e-9  # mg/L (or the exposure's unit): the floor of a prediction, for its logarithm
SOFT = 0.5  # log ratios well above it count by their size, not by its square
STEP = 0.01  # of a logarithm, for the derivatives
BOUND = 6.0


@dataclass(frozen=True)
class Item:
    """How one observation of the building set fares. fold : geometric mean fold error of its points."""

    id: str
    study: str
    kind: str
    n: int
    fold: float
    bias: float


@dataclass(frozen=True)
class Fit:
    """Estimates by (drug file, whole path), in the file's unit, with the sd of their logarithms.

    starts : the centres of their priors.
    gmfe : geometric mean over the items (each the same weight). before : with the values that the files hold.
    not_used : observations of the building set that could not be simulated, and why.
    """

    name: str
    values: Mapping[tuple[str, str], float]
    se_log: Mapping[tuple[str, str], float]
    starts: Mapping[tuple[str, str], float]
    gmfe: float
    before: float
    items: tuple[Item, ...]
    not_used: tuple[str, ...]


TINY_SE = 1e-3  # of an estimate that fits its few data exactly


class FitError(ValueError):
    """A drug that cannot be fitted: nothing to estimate, no data, or fewer data than values."""


@dataclass(frozen=True)
class Setup:
    """Building set of a fit, and the factors that it estimates."""

    entry: Entry
    world: World
    profiles: tuple[Profile, ...]
    exposures: tuple[ObservedExposure, ...]
    ratios: tuple[Ratio, ...] = ()

    def trial(self, x: Floats) -> World:
        """The world with every fitted value times exp(x)."""
        changes: dict[str, dict[str, float]] = {}
        for fitted, shift in zip(self.entry.fitted, x, strict=True):
            for file, path in fitted.paths:
                drug = self.world.library[file]
                whole = full_path(drug, path)
                changes.setdefault(file, {})[whole] = quantities(drug)[whole].value * math.exp(shift)
        changed: dict[str, Drug] = {f: with_values(self.world.library[f], v) for f, v in changes.items()}
        return replace(self.world, library={**self.world.library, **changed})

    def about(self) -> list[Profile | ObservedExposure | Ratio]:
        """All observations, in the order of :meth:`jobs`."""
        return [*self.profiles, *self.exposures, *self.ratios]

    def centres(self) -> Floats:
        """Logarithm of start over value, of each factor's first value."""
        out = []
        for fitted in self.entry.fitted:
            file, path = fitted.paths[0]
            q = quantities(self.world.library[file])[full_path(self.world.library[file], path)]
            out.append(0.0 if q.start is None else math.log(q.start / q.value))
        return np.array(out)

    def jobs(self, x: Floats) -> list[tuple[Job, ...]]:
        """Jobs of every observation, in order."""
        world = self.trial(x)
        return [
            *((profile_job(p, world),) for p in self.profiles),
            *(exposure_jobs(e, world) for e in self.exposures),
            *(ratio_jobs(r, world, world) for r in self.ratios),
        ]

    def log_ratios(self, trials: Sequence[Floats], threads: int = 1) -> list[list[Floats]]:
        """For every trial: log of predicted over observed of each observation's points; nan where it failed."""
        asked = [self.jobs(x) for x in trials]
        curves, _ = run_jobs([j for own in asked for jobs in own for j in jobs], threads=threads)
        left = iter(curves)
        return [[self._log_ratio(i, jobs, [next(left) for _ in jobs]) for i, jobs in enumerate(own)] for own in asked]

    def _log_ratio(self, i: int, jobs: Sequence[Job], curves: Sequence[Curve]) -> Floats:
        n = len(self.profiles) + len(self.exposures)
        if i >= n:
            return _log_of_ratio(self.ratios[i - n], jobs, curves)
        if i >= len(self.profiles):
            row = self.exposures[i - len(self.profiles)]
            return np.log(np.maximum([exposure_value(row, jobs, curves)], LEAST) / row.value)
        profile = self.profiles[i]
        first = min(e.time for e in profile.arm.dosings[0].events)
        measured = (profile.concentration > 0) & (profile.time > first)
        predicted = profile_answer(profile, curves[0]).concentration[measured]
        return np.asarray(np.log(np.maximum(predicted, LEAST) / profile.concentration[measured]))


def _log_of_ratio(ratio: Ratio, jobs: Sequence[Job], curves: Sequence[Curve]) -> Floats:
    """Of the ratios of AUC and Cmax, as far as they were observed."""
    found = ratio_answer(ratio, (jobs[0], jobs[1]), (curves[0], curves[1]))
    pairs = [(found.auc, ratio.auc), (found.cmax, ratio.cmax)]
    return np.array([math.log(max(p, LEAST) / o) if p == p else math.nan for p, o in pairs if o > 0])


def usable(
    entry: Entry,
    world: World,
    profiles: Sequence[Profile],
    exposures: Sequence[ObservedExposure],
    ratios: Sequence[Ratio] = (),
) -> tuple[Setup, list[str]]:
    """The building set as far as it can be simulated with the files as they are, and the rest with the reason."""
    not_used: list[str] = []
    zero = np.zeros(len(entry.fitted))
    single = [
        *(Setup(entry, world, (p,), ()) for p in profiles),
        *(Setup(entry, world, (), (e,)) for e in exposures),
        *(Setup(entry, world, (), (), (r,)) for r in ratios),
    ]

    def together(parts: Sequence[Setup]) -> Setup:
        return Setup(
            entry, world, tuple(p for s in parts for p in s.profiles), tuple(e for s in parts for e in s.exposures),
            tuple(r for s in parts for r in s.ratios),
        )  # fmt: skip

    kept = []
    for setup in single:
        try:
            setup.jobs(zero)
            kept.append(setup)
        except (KeyError, ValueError) as error:
            not_used.append(f"{setup.about()[0].id}: {error.args[0]}")
    (logs,) = together(kept).log_ratios([zero])
    good = []
    for setup, x in zip(kept, logs, strict=True):
        if len(x) > 0 and np.isfinite(x).all():
            good.append(setup)
        else:
            not_used.append(f"{setup.about()[0].id}: cannot be solved, or nothing is above 0")
    return together(good), not_used


def fit(
    entry: Entry,
    world: World,
    profiles: Sequence[Profile],
    exposures: Sequence[ObservedExposure] = (),
    ratios: Sequence[Ratio] = (),
    *,
    threads: int = 1,
) -> Fit:
    """Estimate the fitted values of an entry; nothing is written.

    Parameters
    ----------
    profiles, exposures, ratios : the building set. world : drug files (all that its arms need) and bodies.

    Raises
    ------
    FitError : nothing to estimate, fewer observations than values, or a ratio of genotypes. KeyError : a path that a
    file does not have.
    """
    if not entry.fitted:
        raise FitError(f"{entry.name}: the plan names no value to fit")
    genotypes = [r.id for r in ratios if r.use_case == "genotype"]
    if genotypes:
        raise FitError(f"{entry.name}: ratios of genotypes are predicted, never fitted: {', '.join(genotypes)}")
    setup, not_used = usable(entry, world, profiles, exposures, ratios)
    n_items, n_free = len(setup.about()), len(entry.fitted)
    if n_items < n_free:
        raise FitError(f"{entry.name}: {n_items} observations for {n_free} values; not used: {not_used}")
    centre = setup.centres()
    sd = np.array([f.prior_sd for f in entry.fitted])
    batch = _Batch(setup, centre, sd, threads)
    found = least_squares(
        batch.residuals, np.zeros(n_free), jac=batch.jacobian, bounds=(-BOUND, BOUND), xtol=1e-4, ftol=1e-5
    )
    covariance = np.linalg.pinv(found.jac.T @ found.jac) * 2 * found.cost / max(1, n_items - n_free)
    values, errors, starts = {}, {}, {}
    for fitted, x, se in zip(entry.fitted, found.x, np.sqrt(np.diag(covariance)), strict=True):
        for file, path in fitted.paths:
            whole = full_path(world.library[file], path)
            now = quantities(world.library[file])[whole]
            values[file, whole] = now.value * math.exp(x)
            starts[file, whole] = now.value if now.start is None else now.start
            # data and prior together: what data do not determine is as uncertain as the prior says, not without end
            errors[file, whole] = 1.0 / math.hypot(1.0 / max(float(se), TINY_SE), 1.0 / fitted.prior_sd)
    before = items(setup, np.zeros(n_free), threads)
    after = items(setup, found.x, threads)
    return Fit(entry.name, values, errors, starts, _mean_fold(after), _mean_fold(before), tuple(after), tuple(not_used))


def _mean_fold(found: Sequence[Item]) -> float:
    return float(np.exp(np.mean(np.log([i.fold for i in found]))))


def items(setup: Setup, x: Floats, threads: int = 1) -> list[Item]:
    """How every observation fares at some values."""
    (logs,) = setup.log_ratios([x], threads)
    about = setup.about()
    kinds = ["profile"] * len(setup.profiles) + [e.quantity for e in setup.exposures] + ["ratio"] * len(setup.ratios)
    return [
        Item(a.id, a.study, k, len(r), float(np.exp(np.mean(np.abs(r)))), float(np.exp(np.mean(r))))
        for a, k, r in zip(about, kinds, logs, strict=True)
    ]


def soft(log_ratio: Floats) -> Floats:
    """Residual whose square is the soft L1 loss of a log ratio: like it while small, like its root when large."""
    r = np.clip(log_ratio, -LARGEST, LARGEST) / SOFT
    return np.asarray(SOFT * np.sign(r) * np.sqrt(2.0 * (np.sqrt(1.0 + r * r) - 1.0)))


class _Batch:
    """Residuals and their derivatives from one batch of solves."""

    def __init__(self, setup: Setup, centre: Floats, sd: Floats, threads: int) -> None:
        self.setup, self.centre, self.sd, self.threads = setup, centre, sd, threads
        self.at: Floats | None = None
        self.value: Floats = np.zeros(0)
        self.slope: Floats = np.zeros((0, 0))

    def _solve(self, x: Floats) -> None:
        if self.at is not None and np.array_equal(self.at, x):
            return
        trials = [x, *(x + STEP * row for row in np.eye(len(x)))]
        rows = []
        for trial, logs in zip(trials, self.setup.log_ratios(trials, self.threads), strict=True):
            weighted = [soft(np.nan_to_num(r, nan=LARGEST)) / math.sqrt(len(r)) for r in logs]
            rows.append(np.concatenate([(trial - self.centre) / self.sd * RESIDUAL_SD, *weighted]))
        self.at, self.value = x.copy(), rows[0]
        self.slope = np.array([(r - rows[0]) / STEP for r in rows[1:]]).T

    def residuals(self, x: Floats) -> Floats:
        """Priors, then log ratios of all points."""
        self._solve(x)
        return self.value

    def jacobian(self, x: Floats) -> Floats:
        """Derivatives of :meth:`residuals`."""
        self._solve(x)
        return self.slope


def lines(found: Fit) -> list[str]:
    """The values to write with the sd of their logarithms, and how every observation fares."""
    out = [f"{file}: {path:60s} {found.values[file, path]:10.4g}  se(log) {found.se_log[file, path]:.2f}"
           for file, path in found.values]  # fmt: skip
    out.append(f"GMFE over {len(found.items)} building observations: {found.gmfe:.2f} (before: {found.before:.2f})")
    out += [f"  {i.id:28s} {i.study:28s} {i.kind:8s} n {i.n:3d}  fold {i.fold:.2f}  bias {i.bias:.2f}"
            for i in found.items]  # fmt: skip
    return [*out, *(f"  not used: {x}" for x in found.not_used)]


def to_write(found: Fit) -> dict[str, dict[str, Written]]:
    """By drug file, what :func:`drugs.values.write_values` writes."""
    out: dict[str, dict[str, Written]] = {}
    for (file, path), value in found.values.items():
        out.setdefault(file, {})[path] = Written(value, found.se_log[file, path], found.starts[file, path])
    return out
