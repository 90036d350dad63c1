"""Every study of a folder predicted once, with draws for intervals, in one round of solves; and the tables of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from pharmtwin.qualification.judging.intervals import drawn_questions
from pharmtwin.qualification.judging.score import Pair, pair, points, profile_table, ratio_table
from pharmtwin.qualification.plan import Plan
from pharmtwin.qualification.simulation.questions import ProfileAnswer, Question, RatioAnswer, World, answers, set_up
from pharmtwin.qualification.simulation.runs import Cost
from pharmtwin.qualification.simulation.shards import Solver, locally
from pharmtwin.qualification.study import Arm, LeftOut, Profile, Ratio, Studies

SEED = 20261121


@dataclass(frozen=True)
class Result:
    """Tables (``score``) and what they come from.

    in_sample : genotype ratios with the activity map that has seen the drug. between : sd between studies that the
    intervals of AUC and Cmax hold. left_out : rows that were not read, and not solved. failed_draws : of rows that are
    solved, by reason. seconds : wall time.
    """

    pairs: tuple[Pair, ...]
    roles: dict[str, str]
    profiles: pd.DataFrame
    points: pd.DataFrame
    ratios: pd.DataFrame
    in_sample: pd.DataFrame
    between: dict[str, float]
    left_out: tuple[LeftOut, ...]
    failed_draws: dict[str, int]
    costs: tuple[Cost, ...]
    seconds: float
    draws: int


def called(drugs: Iterable[str]) -> set[str]:
    """Names that drug files are chosen by: their own, and of the parts of a racemate the common one."""
    return {name for d in drugs for name in (d, d.removesuffix("_R").removesuffix("_S"))}


def taken(arm: Arm, drugs: Sequence[str]) -> bool:
    """Whether one of the drugs (as :func:`called`) is dosed in an arm; without drugs always."""
    return not drugs or bool(called(d.drug for d in arm.dosings) & set(drugs))


def select(studies: Studies, drugs: Sequence[str] = (), use_cases: Sequence[str] = ()) -> Studies:
    """The studies of some drugs and use cases (``profiles`` is one); empty: all. left_out stays whole."""
    profiles = [p for p in studies.profiles if taken(p.arm, drugs)] if not use_cases or "profiles" in use_cases else []
    ratios = [r for r in studies.ratios if taken(r.test, drugs) and (not use_cases or r.use_case in use_cases)]
    return Studies(tuple(profiles), tuple(ratios), studies.left_out)


def building_roles(studies: Studies, plan: Plan, world: World) -> dict[str, str]:
    """Role by profile id: building if an entry of the plan is fitted on it."""
    out = {}
    for profile in studies.profiles:
        for entry in plan.entries.values():
            files = [world.library[f] for f in entry.files if f in world.library]
            if entry.fitted and entry.uses(profile, [c.name for f in files for c in f.compounds]):
                out[profile.id] = "building"
    return out


def questions(studies: Studies, in_sample: Sequence[Ratio], world: World, plan: Plan, draws: int) -> list[Question]:
    """All questions: of profiles and ratios, of the ratios in sample, then the draws of each profile and ratio."""
    about: list[Profile | Ratio] = [*studies.profiles, *studies.ratios]
    drawn = drawn_questions(about, world, plan.spread, draws, SEED) if draws else []
    return [*(Question(x, world) for x in (*about, *in_sample)), *(q for mine in drawn for q in mine)]


def run(
    studies: Studies,
    in_sample: Sequence[Ratio],
    world: World,
    plan: Plan,
    *,
    draws: int = 30,
    workers: int = 2,
    solver: Solver | None = None,
) -> Result:
    """Predict everything.

    Parameters
    ----------
    in_sample : genotype ratios read with the activity map that has seen the drug. draws : for intervals (0: none).
    solver : what solves the jobs (default: here, in ``workers`` processes).
    """
    begin = time.perf_counter()
    about: list[Profile | Ratio] = [*studies.profiles, *studies.ratios]
    asked = questions(studies, in_sample, world, plan, draws)
    jobs, places = set_up(asked)
    curves, costs = (solver or locally(workers))(jobs)
    found = answers(asked, jobs, places, curves)
    typical, rest = found[: len(about)], found[len(about) :]
    other, rest = rest[: len(in_sample)], rest[len(in_sample) :]
    n = len(studies.profiles)
    of_draws = [rest[i * draws : (i + 1) * draws] for i in range(len(about))]
    profile_draws = {p.id: [a for a in mine if isinstance(a, ProfileAnswer)]
                     for p, mine in zip(studies.profiles, of_draws[:n])}  # fmt: skip
    ratio_draws = {r.id: [a for a in mine if isinstance(a, RatioAnswer)]
                   for r, mine in zip(studies.ratios, of_draws[n:])}  # fmt: skip
    pairs = [pair(p, a) for p, a in zip(studies.profiles, typical[:n]) if isinstance(a, ProfileAnswer)]
    roles = building_roles(studies, plan, world)
    profiles, between = profile_table(pairs, profile_draws, roles, plan.spread)
    ratio_answers = [a for a in typical[n:] if isinstance(a, RatioAnswer)]
    seen_answers = [a for a in other if isinstance(a, RatioAnswer)]
    unsolved = [
        LeftOut(x.id, "not solved", x.study, a.problem) for x, a in zip(about, typical, strict=True) if a.problem
    ]
    failed = Counter(
        a.problem.partition(": ")[2]
        for own_answer, mine in zip(typical, of_draws, strict=True)
        for a in mine
        if a.problem and not own_answer.problem
    )
    building = plan.building_ratios()
    ratios = ratio_table(studies.ratios, ratio_answers, ratio_draws, plan.spread, building)
    return Result(
        tuple(pairs), roles, profiles, points(pairs), ratios,
        ratio_table(in_sample, seen_answers, {}, plan.spread, building), between, (*studies.left_out, *unsolved),
        dict(failed.most_common()), tuple(sorted(costs, key=lambda c: c.structure)), time.perf_counter() - begin, draws,
    )  # fmt: skip
