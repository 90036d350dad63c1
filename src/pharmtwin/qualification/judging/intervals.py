"""90 % intervals of predicted study means: uncertain drug values, the spread between people over their number, studies.

Of every draw: each value of a drug file with a ``cv`` has a log-normal factor, the same in all studies, and so have
the turnover of enzymes and the activities assigned to genotypes; the mean of a study's n people differs by their spread
over the root of n (liver volume, protein per gram, enzymes, GFR, transporters, and drug values with
``between_subject``), the same people in both arms of an interaction study, others in the groups of a genotype study;
the exposure to other drugs differs between studies. Normal numbers are named by what they stand for, so nothing changes
in company. The sd of the logarithm over the draws, with that between studies (:class:`Spread`), gives a log-normal
interval about the prediction.

Left out: correlation of estimates that were fitted together, spread of organ sizes and flows other than the liver's
size, and errors of the model's form.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from pharmtwin.core.seeds import generator
from pharmtwin.drugs.schema import Drug
from pharmtwin.drugs.values import Scales, quantities
from pharmtwin.qualification.judging.interval_arms import drawn_arms
from pharmtwin.qualification.simulation.questions import Question, World
from pharmtwin.qualification.study import Arm, Profile, Ratio
from pharmtwin.uncertainty.drugs import between_inputs, molecule_inputs, organ_inputs, value_inputs
from pharmtwin.uncertainty.spread import Spread

Floats = NDArray[np.float64]
STAGE = "qualification"
Z90 = NormalDist().inv_cdf(0.95)


@dataclass(frozen=True)
class Interval:
    """90 % interval of an exposure or ratio, and the sd of its logarithm from draws and between studies."""

    low: float
    high: float
    sd_draws: float
    sd_studies: float

    def holds(self, observed: float) -> bool:
        """Whether an observed value lies inside, the ends included."""
        return self.low <= observed <= self.high


def library_scales(library: Mapping[str, Drug], n: int, seed: int, turnover: float = 0.0) -> list[Scales]:
    """Factors on the uncertain values of all drugs, for n draws.

    turnover : sd of the logarithm of enzyme turnover, one number an enzyme. It acts on kinact: what inactivation leaves
    is decided by kinact over turnover, and nothing else depends on turnover once a level is reached.
    """
    out: list[dict[str, dict[str, float]]] = [{} for _ in range(n)]
    for name, drug in library.items():
        sds = {i.acts_on: i.law.sd for i in value_inputs(drug)}
        for path in quantities(drug):
            own = normals(seed, f"{name}:{path}", n) * sds.get(path, 0.0)
            if path.endswith(".inactivation.kinact"):
                own = own - turnover * normals(seed, f"turnover:{path.split('.')[3]}", n)
            if own.any():
                for k, x in enumerate(own.tolist()):
                    out[k].setdefault(name, {})[path] = math.exp(x)
    return [dict(x) for x in out]


def normals(seed: int, name: str, n: int) -> Floats:
    """n standard normal numbers of a name, made symmetric in pairs so that few draws have no bias."""
    half = generator(seed, STAGE, name).standard_normal((n + 1) // 2)
    return np.stack([half, -half], axis=1).ravel()[:n]


@dataclass(frozen=True)
class People:
    """Factors of the mean of a study's people in one draw, as :class:`simulation.questions.World` takes them."""

    factors: Mapping[str, float]
    body_factors: Mapping[str, float]
    scales: Scales


def people(
    name: str, n_people: int, arm: Arm, library: Mapping[str, Drug], spread: Spread, n: int, seed: int
) -> list[People]:
    """n draws of the mean of ``n_people`` people of a study.

    Parameters
    ----------
    name : of the people: equal names are the same people. arm : whose genotypes are known and need no more spread
    than ``within_genotype``.
    """
    drugs = [library[d] for d in dict.fromkeys(x.drug for x in arm.dosings) if d in library]
    root = math.sqrt(max(1, n_people))
    out = [People({}, {}, {}) for _ in range(n)]

    def draws(what: str, sd: float) -> list[float]:
        return [math.exp(sd / root * z) for z in normals(seed, f"{name}:{what}", n)]

    for i in molecule_inputs(drugs, spread, arm.genotype):
        for person, x in zip(out, draws(i.acts_on, i.law.sd), strict=True):
            person.factors[i.acts_on] = x  # type: ignore[index]
    for i in organ_inputs(spread):
        for person, x in zip(out, draws(i.acts_on, i.law.sd), strict=True):
            person.body_factors[i.acts_on] = x  # type: ignore[index]
    for drug in drugs:
        for i in between_inputs(drug):
            for person, x in zip(out, draws(f"{drug.name}:{i.acts_on}", i.law.sd), strict=True):
                person.scales.setdefault(drug.name, {})[i.acts_on] = x  # type: ignore[attr-defined]
    return out


def drawn_questions(
    about: Sequence[Profile | Ratio], world: World, spread: Spread, n: int, seed: int
) -> list[list[Question]]:
    """For every profile or ratio, n questions, one a draw."""
    scales = library_scales(world.library, n, seed, spread.turnover)
    named = cache(lambda name: normals(seed, name, n).tolist())
    out = []
    for item in about:
        count = item.n or round(spread.people)
        arm = item.arm if isinstance(item, Profile) else item.test
        first = people(item.study, count, arm, world.library, spread, n, seed)
        own = [_in(world, s, p) for s, p in zip(scales, first, strict=True)]
        others = own
        if isinstance(item, Ratio) and item.use_case == "genotype":
            second = people(f"{item.study} reference", count, item.reference, world.library, spread, n, seed)
            others = [_in(world, s, p) for s, p in zip(scales, second, strict=True)]
        drawn: Sequence[Profile | Ratio]
        if isinstance(item, Profile):
            drawn = [replace(item, arm=a) for a in drawn_arms(item.arm, item.study, spread.company, named)]
        else:
            tests, references = (drawn_arms(a, item.study, spread.company, named) for a in (item.test, item.reference))
            drawn = [replace(item, test=t, reference=r) for t, r in zip(tests, references, strict=True)]
        out.append([Question(x, a, b) for x, a, b in zip(drawn, own, others, strict=True)])
    return out


def _in(world: World, scales: Scales, person: People) -> World:
    return replace(world, factors=person.factors, body_factors=person.body_factors, scales=(scales, person.scales))


def limits(predicted: float, sd_draws: float, sd_studies: float) -> tuple[float, float]:
    """Ends of the 90 % interval about a prediction."""
    half = Z90 * math.hypot(sd_draws, sd_studies)
    return predicted * math.exp(-half), predicted * math.exp(half)


def interval(predicted: float, draws: Sequence[float] | Floats, sd_studies: float) -> Interval:
    """Interval about a prediction; draws that failed (nan) are left out, and with fewer than 10 there is none (nan)."""
    x = np.asarray(draws, dtype=float)
    x = np.log(x[np.isfinite(x) & (x > 0)])
    if len(x) < 10 or not predicted > 0:
        return Interval(math.nan, math.nan, math.nan, sd_studies)
    sd = float(np.std(x, ddof=1))
    return Interval(*limits(predicted, sd, sd_studies), sd, sd_studies)


def between_studies(log_ratios: Sequence[float], sds: Sequence[float]) -> float:
    """Sd between studies that explains what draws do not: root of the mean of residual^2 less variance, at least 0.

    log_ratios : log of predicted over observed of the building set. sds : of their draws.
    """
    r, s = np.asarray(log_ratios, dtype=float), np.asarray(sds, dtype=float)
    return math.sqrt(max(0.0, float(np.mean(r * r - s * s)))) if len(r) else 0.0


def replicates(groups: Sequence[Sequence[float] | Floats]) -> tuple[float, int]:
    """Sd between studies of one thing, pooled over groups of logarithms of its values; and the degrees of freedom.

    Raises ValueError without any group of two.
    """
    squares = sum(float(np.sum((np.asarray(g) - np.mean(g)) ** 2)) for g in groups)
    freedom = sum(len(g) - 1 for g in groups)
    if freedom < 1:
        raise ValueError("no two studies of one thing")
    return math.sqrt(squares / freedom), freedom
