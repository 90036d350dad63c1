"""Questions that published studies ask of the model: a profile at its times, a ratio of exposures, an exposure.

AUC is the model's own area state. Cmax is read on a grid after every dose of the observed drug in the window, first
0.05 h after it. To infinity: the area at the first of times that double (12 h, 24 h, ... after the last dose of the
observed drug) from which on it grows by less than 1e-4; if it never does within 6144 h, that is a problem in words.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pharmtwin.core.gut import gut
from pharmtwin.drugs.schema import Drug
from pharmtwin.drugs.values import Scales
from pharmtwin.qualification.simulation.runs import Cost, Curve, Job, drugs_of, run_jobs
from pharmtwin.qualification.study import Arm, Person, Profile, Ratio

Floats = NDArray[np.float64]
Body = Mapping[str, float]
Window = tuple[float, float]
GROWTH = 1e-4
FIRST_END, DOUBLINGS = 12.0, 9
#: Cmax: first point after a dose (h), points a dose, and the longest time (h) it is looked for after a dose
SOONEST, GRID, LONGEST = 0.05, 48, 96.0


@dataclass(frozen=True)
class World:
    """What a simulation takes as known.

    library : drug files by name. body : quantities of table ``body`` of a person. acid_suppressants : drugs whose
    company raises the pH of the stomach. factors, body_factors, scales : as in :class:`simulation.runs.Job`.
    """

    library: Mapping[str, Drug]
    body: Callable[[Person], Body]
    acid_suppressants: frozenset[str] = frozenset()
    factors: Mapping[str, float] = field(default_factory=dict)
    body_factors: Mapping[str, float] = field(default_factory=dict)
    scales: tuple[Scales, ...] = ()


@dataclass(frozen=True)
class Exposure:
    """Exposure in a window: AUC (mg h/L), Cmax (mg/L); nan, and the problem in words, if there is none."""

    auc: float
    cmax: float
    problem: str = ""


@dataclass(frozen=True)
class ProfileAnswer:
    """Predicted concentrations (mg/L) at the times of a profile; the problem in words if there are none."""

    id: str
    concentration: Floats
    problem: str = ""


@dataclass(frozen=True)
class RatioAnswer:
    """Predicted ratios of AUC and Cmax and the exposures behind them; the problem in words if there are none."""

    id: str
    auc: float
    cmax: float
    test: Exposure
    reference: Exposure
    problem: str = ""


def job(world: World, label: str, arm: Arm, compounds: tuple[str, ...], times: Floats) -> Job:
    """A job of an arm in a world; raises KeyError for a drug without file, or a body's missing quantity."""
    acid = any(d.drug in world.acid_suppressants for d in arm.dosings)
    return Job(label, arm, compounds, np.unique(times), drugs_of(arm, world.library), world.body(arm.person),
               gut(arm.stomach, acid_suppressed=acid), world.factors, world.body_factors, world.scales)  # fmt: skip


def doses_of(arm: Arm, compounds: Sequence[str], library: Mapping[str, Drug]) -> list[tuple[float, float]]:
    """(start, end) of every dose of the drugs that bring these compounds."""
    bring = {n for n, d in library.items() if any(c.name in compounds for c in d.compounds)}
    times = [(e.time, e.time + e.infusion) for d in arm.dosings if d.drug in bring for e in d.events]
    return sorted(times) or sorted((e.time, e.time + e.infusion) for d in arm.dosings for e in d.events)


def window_times(window: Window, doses: Sequence[tuple[float, float]]) -> Floats:
    """Times at which a window's exposure is read: its ends (or doubling times), and the grid of Cmax."""
    start, end = window
    parts = [np.array([start])]
    if math.isinf(end):
        last = max([start, *(e for _, e in doses)])
        parts.append(last + FIRST_END * 2.0 ** np.arange(DOUBLINGS + 1))
        limit = last + LONGEST
    else:
        parts.append(np.array([end]))
        limit = end
    inside = [(s, e) for s, e in doses if start <= s < limit]
    begins = [s for s, _ in inside]
    if start not in begins:
        begins = [start, *begins]
    for i, begin in enumerate(begins):
        span = min((begins[i + 1] if i + 1 < len(begins) else limit) - begin, LONGEST)
        if span > SOONEST:
            parts.append(begin + np.geomspace(SOONEST, span, GRID))
    parts.append(np.array([e for _, e in inside if e <= limit]))
    return np.unique(np.concatenate(parts))


def exposure(curve: Curve, times: Floats, window: Window, doses: Sequence[tuple[float, float]]) -> Exposure:
    """Exposure of a curve at :func:`window_times`."""
    if curve.problem:
        return Exposure(math.nan, math.nan, curve.problem)
    start, end = window
    at = lambda t: float(curve.area[np.searchsorted(times, t)])  # noqa: E731
    if not math.isinf(end):
        inside = (times >= start) & (times <= end)
        return Exposure(at(end) - at(start), float(curve.concentration[inside].max()))
    last = max([start, *(e for _, e in doses)])
    ends = [at(t) - at(start) for t in last + FIRST_END * 2.0 ** np.arange(DOUBLINGS + 1)]
    for before, area in itertools.pairwise(ends):
        if area - before <= GROWTH * area:
            return Exposure(area, float(curve.concentration[times >= start].max()))
    return Exposure(math.nan, math.nan, f"the area still grows {FIRST_END * 2**DOUBLINGS:g} h after the last dose")


def profile_job(profile: Profile, world: World) -> Job:
    """The job of a profile."""
    return job(world, profile.id, profile.arm, profile.compounds, profile.time)


def profile_answer(profile: Profile, curve: Curve) -> ProfileAnswer:
    """Concentrations in the order of the profile's times (which may repeat)."""
    rows = np.searchsorted(np.unique(profile.time), profile.time)
    return ProfileAnswer(profile.id, curve.concentration[rows], curve.problem)


def arm_job(label: str, arm: Arm, compounds: tuple[str, ...], window: Window, world: World) -> Job:
    """The job of an exposure in a window of an arm."""
    return job(world, label, arm, compounds, window_times(window, doses_of(arm, compounds, world.library)))


def arm_exposure(asked: Job, window: Window, curve: Curve) -> Exposure:
    """Exposure from the curve of :func:`arm_job`."""
    doses = doses_of(asked.arm, asked.compounds, {d.name: d for d in asked.drugs})
    return exposure(curve, asked.times, window, doses)


def ratio_jobs(ratio: Ratio, test: World, reference: World) -> tuple[Job, Job]:
    """Jobs of the two arms."""
    return (
        arm_job(f"{ratio.id} (test)", ratio.test, ratio.compounds, ratio.window_test, test),
        arm_job(f"{ratio.id} (reference)", ratio.reference, ratio.compounds, ratio.window_reference, reference),
    )


def ratio_answer(ratio: Ratio, jobs: tuple[Job, Job], curves: tuple[Curve, Curve]) -> RatioAnswer:
    """Ratios from the curves of :func:`ratio_jobs`."""
    test = arm_exposure(jobs[0], ratio.window_test, curves[0])
    reference = arm_exposure(jobs[1], ratio.window_reference, curves[1])
    problem = test.problem or reference.problem
    if not problem and not (reference.auc > 0 and reference.cmax > 0):
        problem = f"{ratio.id}: the reference arm has no exposure in its window"
    if problem:
        return RatioAnswer(ratio.id, math.nan, math.nan, test, reference, problem)
    return RatioAnswer(ratio.id, test.auc / reference.auc, test.cmax / reference.cmax, test, reference)


@dataclass(frozen=True)
class Question:
    """What is asked in which world. reference : world of a ratio's reference arm where it is another one."""

    about: Profile | Ratio
    world: World
    reference: World | None = None

    def jobs(self) -> tuple[Job, ...]:
        """The jobs that answer it; raises KeyError or ValueError where they cannot be set up."""
        if isinstance(self.about, Profile):
            return (profile_job(self.about, self.world),)
        return ratio_jobs(self.about, self.world, self.reference or self.world)


def answer(
    questions: Sequence[Question], *, workers: int = 1, threads: int = 1
) -> tuple[list[ProfileAnswer | RatioAnswer], list[Cost]]:
    """Answers in the order of the questions, and what each structure cost.

    A question that cannot be answered has its problem in words, and nan. Every structure is compiled once, however
    many worlds ask for it. workers : processes. threads : of each.
    """
    jobs, places = set_up(questions)
    curves, costs = run_jobs(jobs, workers=workers, threads=threads)
    return answers(questions, jobs, places, curves), costs


def set_up(questions: Sequence[Question]) -> tuple[list[Job], list[slice | str]]:
    """Jobs of all questions, and of each question which are its own, or why it has none."""
    jobs: list[Job] = []
    places: list[slice | str] = []
    for question in questions:
        try:
            new = question.jobs()
        except (KeyError, ValueError) as error:
            places.append(str(error.args[0] if error.args else error))
            continue
        places.append(slice(len(jobs), len(jobs) + len(new)))
        jobs.extend(new)
    return jobs, places


def answers(
    questions: Sequence[Question], jobs: Sequence[Job], places: Sequence[slice | str], curves: Sequence[Curve]
) -> list[ProfileAnswer | RatioAnswer]:
    """Answers from the curves of :func:`set_up`'s jobs, in the order of the questions."""
    out: list[ProfileAnswer | RatioAnswer] = []
    for question, place in zip(questions, places, strict=True):
        about = question.about
        if isinstance(place, str):
            out.append(_unanswered(about, place))
        elif isinstance(about, Profile):
            out.append(profile_answer(about, curves[place][0]))
        else:
            (a, b), (x, y) = jobs[place], curves[place]
            out.append(ratio_answer(about, (a, b), (x, y)))
    return out


def _unanswered(about: Profile | Ratio, problem: str) -> ProfileAnswer | RatioAnswer:
    problem = f"{about.id}: {problem}"
    if isinstance(about, Profile):
        return ProfileAnswer(about.id, np.full(len(about.time), math.nan), problem)
    none = Exposure(math.nan, math.nan)
    return RatioAnswer(about.id, math.nan, math.nan, none, none, problem)


def predict_profile(profile: Profile, world: World) -> ProfileAnswer:
    """Predicted concentrations of one profile (:func:`answer` takes many at once)."""
    found = answer([Question(profile, world)])[0][0]
    assert isinstance(found, ProfileAnswer)
    return found


def predict_ratio(ratio: Ratio, world: World) -> RatioAnswer:
    """Predicted ratios of one row (:func:`answer` takes many at once)."""
    found = answer([Question(ratio, world)])[0][0]
    assert isinstance(found, RatioAnswer)
    return found
