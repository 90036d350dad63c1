"""Synthetic people: covariates by sex and age, and the choices of the study (who is called, who is sampled).

Covariates follow summary statistics of NHANES 2017-2018 by sex and age band (``resources/synthetic``). Weight comes
from height and body mass index, so it is correlated with height, sex and age. Ancestry has no influence on them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from pharmtwin.facts import fact_table
from pharmtwin.genome.definitions import rows_of


@dataclass(frozen=True)
class Person:
    """Covariates as a sheet holds them: rounded, weight kg, height cm, serum creatinine mg/dL."""

    sex: str
    age_y: int
    weight_kg: float
    height_cm: float
    creatinine_mg_dl: float


@dataclass(frozen=True)
class Candidate:
    """What a study knows of a twin before it draws blood.

    score : activity score of the outside structure call, else the most probable one behind the VCF; None: unknown.
    certainty : probability of that score (1 for a call).
    """

    twin_id: str
    ancestry: str
    score: float | None
    certainty: float


def design() -> dict[str, float]:
    """``resources/synthetic/design.tsv`` by parameter."""
    table = fact_table("synthetic/design.tsv")
    return {str(k): float(v) for k, v in zip(table["parameter"], table["value"])}


@cache
def _statistics() -> dict[tuple[str, str], list[tuple[int, int, float, float]]]:
    out: dict[tuple[str, str], list[tuple[int, int, float, float]]] = {}
    for r in rows_of(fact_table("synthetic/covariates.tsv")):
        bands = out.setdefault((str(r.quantity), str(r.sex)), [])
        bands.append((int(r.age_from_y), int(r.age_to_y), float(r.value), float(r.spread)))
    return out


def _statistic(quantity: str, sex: str, age_y: int) -> tuple[float, float]:
    for low, high, value, spread in _statistics()[(quantity, sex)]:
        if low <= age_y <= high:
            return value, spread
    raise ValueError(f"no {quantity} statistics for sex {sex} at {age_y} years")


def draw_person(plan: Mapping[str, float], rng: np.random.Generator, sex: str = "") -> Person:
    """One adult. ``plan`` gives ranges of age and body mass index (outside of it is drawn again); ``sex`` M or F,
    empty: drawn. Raises ValueError for an age without statistics."""
    sex = sex or str(rng.choice(["F", "M"]))
    age = int(rng.integers(int(plan["age_from"]), int(plan["age_to"]) + 1))
    mean, sd = _statistic("height", sex, age)
    height = round(float(rng.normal(mean, sd)), 1)
    centre, spread = _statistic("bmi", sex, age)
    bmi = 0.0
    while not plan["bmi_from"] <= bmi <= plan["bmi_to"]:
        bmi = centre * float(np.exp(spread * rng.standard_normal()))
    median, spread = _statistic("creatinine", sex, age)
    creatinine = median * float(np.exp(spread * rng.standard_normal()))
    return Person(sex, age, round(bmi * (height / 100) ** 2, 1), height, round(creatinine, 2))


def choose_called(
    carriers: Sequence[str], others: Sequence[str], n: int, least: int, rng: np.random.Generator
) -> list[str]:
    """Ids of the ``n`` twins that get an outside structure call, sorted.

    Carriers of a structure are called in the share of the whole cohort, but at least ``least`` are called and at
    least ``least`` are not, as far as there are enough of them. Raises ValueError if ``n`` exceeds the cohort.
    """
    total = len(carriers) + len(others)
    if n > total:
        raise ValueError(f"{n} of {total} twins cannot be called")
    wanted = min(max(round(len(carriers) * n / total), least), max(len(carriers) - least, 0))
    chosen = [*rng.permutation(list(carriers))[:wanted], *rng.permutation(list(others))[: n - wanted]]
    return sorted(str(c) for c in chosen)


def choose_sampled(
    candidates: Sequence[Candidate], n: int, ambiguous: int, certain: float, rng: np.random.Generator
) -> list[str]:
    """Ids of the ``n`` twins to sample, sorted: spread over activity scores, then over ancestries.

    Candidates are shuffled. One after the other the twin is taken whose score has been taken least often, then whose
    ancestry has; the first ``ambiguous`` are taken among those whose score is less than ``certain``. No outcome and
    no hidden truth enters. Raises ValueError if there are too few candidates.
    """
    left = [candidates[i] for i in rng.permutation(len(candidates))]
    scores: Counter[float | None] = Counter()
    ancestries: Counter[str] = Counter()
    taken: list[str] = []
    while len(taken) < n:
        pool = [c for c in left if c.certainty < certain] if len(taken) < ambiguous else left
        if not pool:
            raise ValueError(f"too few candidates: {len(taken)} of {n} chosen")
        best = min(pool, key=lambda c: (scores[c.score], ancestries[c.ancestry]))
        left.remove(best)
        taken.append(best.twin_id)
        scores[best.score] += 1
        ancestries[best.ancestry] += 1
    return sorted(taken)
