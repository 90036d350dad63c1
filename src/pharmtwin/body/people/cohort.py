"""Virtual people with the covariates of a twins sheet, drawn from the survey model or growth charts.

Sex and ancestry of a person are drawn once; age, height, weight, creatinine and haematocrit together (Gaussian
copula, :mod:`pharmtwin.body.people.survey`), and again until they meet the limits asked for. So the shares of sex and
ancestry stay as stated, and everything else follows its distribution *given* the limits. Every person has its own
random numbers, named by the seed and its twin_id: person 17 is the same whatever the size of the cohort.

Ancestry enters body size, creatinine and haematocrit through the survey group that stands for it
(``survey_ancestry.tsv``); a survey group is a person's own answer in the United States, not a genotype.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pharmtwin.body.equations import Bools, Floats, body_mass_index
from pharmtwin.body.kidney.function import gfr
from pharmtwin.body.people.survey import (
    COLUMNS,
    GROUPS,
    OLDEST,
    QUANTITIES,
    SurveyModel,
    ancestry_groups,
    limits,
    survey_model,
)
from pharmtwin.core.seeds import generator

STAGE = "cohort"
ROUNDS = 2000  # draws of one person
HOPELESS = 100_000  # draws without a single person kept
OLDEST_AGE = 95.0
FILTERS = ("bmi", "egfr", *COLUMNS.values())


@dataclass(frozen=True)
class Cohort:
    """Virtual people, and what their drawing says.

    people : twin_id, sex, age_y, weight_kg, height_cm, creatinine_mg_dl, haematocrit (1), ancestry, weight (1).
    acceptance : people kept / people drawn. rejected : reason (filter, or ``limits`` of the living) -> people drawn
        that broke it; one may break several. notes : what to know of these people, one sentence each.
    """

    people: pd.DataFrame
    acceptance: float
    rejected: Mapping[str, int]
    notes: tuple[str, ...]


def cohort(
    n: int,
    seed: int,
    *,
    age: tuple[float, float] = (18.0, 80.0),
    ages: str = "survey",
    female_share: float | None = None,
    ancestry: Mapping[str, float] | None = None,
    filters: Mapping[str, tuple[float, float]] | None = None,
    children: str = "survey",
    prefix: str = "SYN",
    model: SurveyModel | None = None,
) -> Cohort:
    """Draw ``n`` virtual people.

    Parameters
    ----------
    n, seed : how many; master seed.
    age : from and to, years, within 0-95; ``ages``: ``survey`` (ages as the US population has them) or ``uniform``.
    female_share : 0-1; None: as in the survey at these ages.
    ancestry : AFR AMR EAS EUR SAS -> share (scaled to 1); None: as in the survey at these ages. The key ``""`` draws
        people of no stated ancestry from all groups pooled.
    filters : column -> (from, to); columns bmi (kg/m2), egfr (mL/min/1.73 m2, by
        :func:`pharmtwin.body.kidney.function.gfr`), weight_kg, height_cm, creatinine_mg_dl, haematocrit.
    children : ``survey`` (US children as they are) or ``charts`` (WHO and CDC growth charts below 18 years).
    prefix : of the twin_id. model : the survey model; None: the one shipped.

    Raises
    ------
    ValueError : impossible request, or somebody met the filters in none of 2000 draws.
    """
    model, filters = model or survey_model(), dict(filters or {})
    _check(n, age, ages, female_share, ancestry, filters, children)
    density = _densities(model, age, ages)
    sexes, mix = _shares(model, density, female_share, ancestry)
    ids = [f"{prefix}{i + 1:06d}" for i in range(n)]
    streams = [generator(seed, STAGE, twin) for twin in ids]
    first = np.array([s.random(2) for s in streams]).reshape(n, 2)
    female = first[:, 0] < sexes
    names = list(mix)
    share = np.cumsum([mix[name] for name in names])
    pick = np.minimum(np.searchsorted(share, first[:, 1] * share[-1], side="right"), len(names) - 1)
    group = np.array([ancestry_groups()[name][0] if name else "" for name in names], dtype=object)[pick]

    values = np.full((n, 1 + len(QUANTITIES)), np.nan)
    left, drawn, rejected = np.arange(n), 0, dict.fromkeys(("limits", *filters), 0)
    for _ in range(ROUNDS):
        if not left.size:
            break
        numbers = np.array([np.append(streams[i].random(), streams[i].standard_normal(4)) for i in left])
        found = _people(model, numbers, female[left], group[left], density, children == "charts")
        good = _accepted(found, female[left], filters, rejected)
        values[left[good]] = found[good]
        drawn += len(left)
        left = left[~good]
        if drawn >= HOPELESS and left.size == n:
            break
    if left.size:
        raise ValueError(f"{left.size} of {n} people met the filters {filters} at {age} y in none of {drawn} draws")
    people = pd.DataFrame({"twin_id": ids, "sex": np.where(female, "F", "M"), "age_y": values[:, 0]})
    for column in ("weight_kg", "height_cm", "creatinine_mg_dl", "haematocrit"):
        people[column] = values[:, 1 + list(COLUMNS.values()).index(column)]
    people["ancestry"] = np.array(names, dtype=object)[pick]
    people["weight"] = 1.0
    return Cohort(people, n / max(drawn, 1), rejected, _notes(age, children, ancestry))


def _check(
    n: int,
    age: tuple[float, float],
    ages: str,
    female_share: float | None,
    ancestry: Mapping[str, float] | None,
    filters: Mapping[str, tuple[float, float]],
    children: str,
) -> None:
    wrong = []
    if n < 1:
        wrong.append(f"n must be at least 1, not {n}")
    if not 0 <= age[0] < age[1] <= OLDEST_AGE:
        wrong.append(f"age must go up within 0-{OLDEST_AGE:g} years, not {age}")
    if ages not in ("survey", "uniform") or children not in ("survey", "charts"):
        wrong.append(f"ages is survey or uniform, children survey or charts, not {ages!r}, {children!r}")
    if female_share is not None and not 0 <= female_share <= 1:
        wrong.append(f"female_share must be within 0-1, not {female_share}")
    if ancestry is not None:
        unknown = [a for a in ancestry if a and a not in ancestry_groups()]
        total = sum(ancestry.values())
        if unknown or any(s < 0 for s in ancestry.values()) or not (np.isfinite(total) and total > 0):
            wrong.append(f"ancestry needs shares of {', '.join(ancestry_groups())}, not {dict(ancestry)}")
    for name, (low, high) in filters.items():
        if name not in FILTERS or not low < high:
            wrong.append(f"filter {name} {low}-{high}: needs one of {', '.join(FILTERS)} and a range that goes up")
    if wrong:
        raise ValueError("; ".join(wrong))


Density = dict[tuple[str, str], tuple[Floats, Floats]]


def _densities(model: SurveyModel, age: tuple[float, float], ages: str) -> Density:
    """(sex, group) -> edges of age bands inside the range and the people in each (of the survey, or uniform in age)."""
    out: Density = {}
    for key, (edges, yearly) in model.ages.items():
        inside = np.unique(np.concatenate([[age[0]], edges[(edges > age[0]) & (edges < age[1])], [age[1]]]))
        rate = yearly[np.clip(np.searchsorted(edges, inside[:-1], side="right") - 1, 0, len(yearly) - 1)]
        people = np.diff(inside) * rate
        if ages == "uniform":
            people = np.diff(inside) / (age[1] - age[0]) * people.sum()
        out[key] = inside, people
    for sex in ("M", "F"):
        edges = out[(sex, GROUPS[0])][0]
        out[(sex, "")] = edges, np.sum([out[(sex, g)][1] for g in GROUPS], axis=0)
    return out


def _shares(
    model: SurveyModel, density: Density, female_share: float | None, ancestry: Mapping[str, float] | None
) -> tuple[float, dict[str, float]]:
    total = {sex: density[(sex, "")][1].sum() for sex in ("M", "F")}
    sexes = total["F"] / (total["M"] + total["F"]) if female_share is None else female_share
    if ancestry is not None:
        return float(sexes), {a: s for a, s in ancestry.items() if s > 0}
    people = {g: sum(density[(sex, g)][1].sum() for sex in ("M", "F")) for g in GROUPS}
    return float(sexes), {a: people[g] * s for a, (g, s) in ancestry_groups().items()}


def _people(
    model: SurveyModel, numbers: Floats, female: Bools, group: Floats, density: Density, charts: bool
) -> Floats:
    """Age and the four quantities, (n, 5), from a uniform and four normal numbers a person."""
    age = np.empty(len(numbers))
    for (sex, name), (edges, people) in density.items():
        rows = (female == (sex == "F")) & (group == name)
        age[rows] = np.interp(numbers[rows, 0] * people.sum(), np.append(0.0, np.cumsum(people)), edges)
    mean, sd = model.group_moments(list(group), age, female, charts)
    root = np.linalg.cholesky(model.correlation(age, female))
    u = mean + sd * np.einsum("nij,nj->ni", root, numbers[:, 1:])
    return np.column_stack([age, *(model.value(q, u[:, i], age, female, charts) for i, q in enumerate(QUANTITIES))])


def _accepted(
    found: Floats, female: Bools, filters: Mapping[str, tuple[float, float]], rejected: dict[str, int]
) -> Bools:
    column = {name: found[:, 1 + i] for i, name in enumerate(COLUMNS.values())}
    column["bmi"] = body_mass_index(column["weight_kg"], column["height_cm"])
    possible = np.ones(len(found), dtype=bool)
    for name, (low, high) in limits().items():
        if name in column:
            possible &= (column[name] >= low) & (column[name] <= high)
    rejected["limits"] += int((~possible).sum())
    good = possible.copy()
    if "egfr" in filters:
        size = column["weight_kg"][possible], column["height_cm"][possible]
        column["egfr"] = np.full(len(found), np.nan)
        by = gfr(found[possible, 0], female[possible], *size, creatinine_mg_dl=column["creatinine_mg_dl"][possible])
        column["egfr"][possible] = by.indexed
    for name, (low, high) in filters.items():
        inside = (column[name] >= low) & (column[name] <= high)
        rejected[name] += int((possible & ~inside).sum())
        good &= inside
    return good


def _notes(age: tuple[float, float], children: str, ancestry: Mapping[str, float] | None) -> tuple[str, ...]:
    notes = ["Virtual people from a summary of NHANES 2013-2018 (United States): no real person, no other country."]
    if age[1] > OLDEST:
        notes.append(f"Above {OLDEST:g} years body size and laboratory values are those of {OLDEST - 1:g} years.")
    if age[0] < 12:
        notes.append("Creatinine below 12 years follows published medians, uncorrelated with body size.")
    if age[0] < 1:
        notes.append("Newborns are born at term; haematocrit below 1 year follows published means.")
    if age[0] < 20:
        notes.append("Children's size: growth charts." if children == "charts" else "Children's size: US survey.")
    shares = [s for s in (ancestry or {}).values() if s > 0]
    if shares and abs(sum(shares) - 1.0) > 1e-6:
        notes.append(f"The shares of ancestry add up to {sum(shares):g} and were divided by that.")
    asked = sorted(a for a, s in (ancestry or {}).items() if s > 0 and ancestry_groups().get(a, ("",))[0] == "OTHER")
    if asked:
        notes.append(
            f"{' and '.join(asked)}: body size, creatinine and haematocrit are those of one group, Other of the US "
            "survey (Asian and mixed), so East and South Asians are alike here, and heavier than in Asia."
        )
    return tuple(notes)
