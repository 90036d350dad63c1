"""The survey model: how height, weight, creatinine and haematocrit are distributed by sex, age and group.

A summary of NHANES 2013-2018 (no rows of it), built by ``pharmtwin.curation.survey_model``. Three parts:

* *curves*: the value at fixed normal scores u = -3 ... 3 by sex and age, linear between the ages and the scores.
  They stand on a working scale: z-score of the growth chart (height, weight), logarithm (creatinine), the value
  itself (haematocrit). Beyond +-3 the slope of the outer unit of u goes on;
* *groups*: mean and sd of u in a survey group (WHITE, BLACK, HISPANIC, OTHER);
* *correlations* of the scores inside a group (Gaussian copula), by sex and age.

Ages 0 to 79 are data for height and weight, 12 to 79 for creatinine, 1 to 79 for haematocrit; younger ages come
from published reference values (column ``source``). Above the last age the curves are held: the survey publishes
everyone older as 80, and those rows are not in the extract.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from pharmtwin.body.equations import Bools, Floats, fade_in
from pharmtwin.body.people.growth import Measure, chart_value, chart_z
from pharmtwin.facts import fact_table

QUANTITIES = ("height", "weight", "creatinine", "haematocrit")
COLUMNS = {
    "height": "height_cm",
    "weight": "weight_kg",
    "creatinine": "creatinine_mg_dl",
    "haematocrit": "haematocrit",
}
GROUPS = ("WHITE", "BLACK", "HISPANIC", "OTHER")
SCORES = np.arange(-3.0, 3.01, 0.5)
SCORE_COLUMNS = [f"u{u:+.1f}" for u in SCORES]
TABLES = ("curves", "groups", "correlations", "ages")
OLDEST = 80.0  # years: end of the survey's ages
CHARTED = (18.0, 20.0)  # years: below, growth charts may stand for the survey; above, never; blended between
SEXES = ("M", "F")


def working(quantity: str, value: Floats, age_y: Floats, female: Bools) -> Floats:
    """A value on the working scale of its curves: chart z-score, logarithm, or itself."""
    if quantity in ("height", "weight"):
        return chart_z(_measure(quantity), value, age_y, female)
    return np.log(value) if quantity == "creatinine" else np.asarray(value, dtype=float)


def from_working(quantity: str, y: Floats, age_y: Floats, female: Bools) -> Floats:
    """Inverse of :func:`working`."""
    if quantity in ("height", "weight"):
        return chart_value(_measure(quantity), y, age_y, female)
    return np.exp(y) if quantity == "creatinine" else np.asarray(y, dtype=float)


def _measure(quantity: str) -> Measure:
    return "height" if quantity == "height" else "weight"


def _by_age(ages: Floats, table: Floats, age_y: Floats) -> Floats:
    """Rows of ``table`` (n_ages, ...) interpolated linearly at ``age_y`` (n,), held at both ends."""
    age = np.clip(age_y, ages[0], ages[-1])
    right = np.clip(np.searchsorted(ages, age, side="right"), 1, len(ages) - 1)
    w = (age - ages[right - 1]) / (ages[right] - ages[right - 1])
    w = w.reshape((-1,) + (1,) * (table.ndim - 1))
    return (1.0 - w) * table[right - 1] + w * table[right]


def _value_at(u: Floats, grid: Floats) -> Floats:
    """Piecewise linear value at score u (n,) on rows of ``grid`` (n, n_scores), continued at both ends."""
    last = len(SCORES) - 1
    k = np.clip(np.floor((np.nan_to_num(u) - SCORES[0]) / 0.5).astype(int), 0, last - 1)
    row = np.arange(len(u))
    inside = np.clip(u, SCORES[0], SCORES[-1])
    y = grid[row, k] + (inside - SCORES[k]) / 0.5 * (grid[row, k + 1] - grid[row, k])
    upper, lower = grid[:, last] - grid[:, last - 2], grid[:, 2] - grid[:, 0]
    return y + np.maximum(u - SCORES[-1], 0.0) * upper - np.maximum(SCORES[0] - u, 0.0) * lower


def _score_of(y: Floats, grid: Floats) -> Floats:
    """Inverse of :func:`_value_at`."""
    last = len(SCORES) - 1
    k = np.clip((grid <= y[:, None]).sum(axis=1) - 1, 0, last - 1)
    row = np.arange(len(y))
    inside = np.clip(y, grid[:, 0], grid[:, last])
    u = SCORES[k] + 0.5 * (inside - grid[row, k]) / (grid[row, k + 1] - grid[row, k])
    upper, lower = grid[:, last] - grid[:, last - 2], grid[:, 2] - grid[:, 0]
    return u + np.maximum(y - grid[:, last], 0.0) / upper - np.maximum(grid[:, 0] - y, 0.0) / lower


def read_curves(table: pd.DataFrame) -> dict[tuple[str, str], tuple[Floats, Floats]]:
    """(quantity, sex) -> ages and curves; raises ValueError if a curve does not rise with the score."""
    out = {}
    for (quantity, sex), rows in table.groupby(["quantity", "sex"]):
        grid = rows[SCORE_COLUMNS].to_numpy(dtype=float)
        if not (np.diff(grid, axis=1) > 0).all():
            raise ValueError(f"survey curves of {quantity}, {sex}, do not rise with the score")
        out[(str(quantity), str(sex))] = rows["age_y"].to_numpy(dtype=float), grid
    return out


def read_groups(table: pd.DataFrame) -> dict[str, tuple[Floats, Floats]]:
    """Sex -> ages, mean and sd of the scores (n_ages, n_groups, n_quantities, 2)."""
    out = {}
    columns = [f"{q}_{part}" for q in QUANTITIES for part in ("mean", "sd")]
    for sex in SEXES:
        rows = table[table["sex"] == sex]
        at = np.unique(rows["age_y"].to_numpy(dtype=float))
        stacked = [rows[rows["group"] == g][columns].to_numpy(dtype=float).reshape(len(at), 4, 2) for g in GROUPS]
        out[sex] = at, np.stack(stacked, axis=1)
    return out


def _correlations(table: pd.DataFrame) -> dict[str, tuple[Floats, Floats]]:
    out = {}
    for sex in SEXES:
        rows = table[table["sex"] == sex]
        matrices = np.tile(np.eye(4), (len(rows), 1, 1))
        for i, j in zip(*np.triu_indices(4, 1)):
            r = rows[f"{QUANTITIES[i]}_{QUANTITIES[j]}"].to_numpy(dtype=float)
            matrices[:, i, j] = matrices[:, j, i] = r
        out[sex] = rows["age_y"].to_numpy(dtype=float), matrices
    return out


@dataclass(frozen=True)
class SurveyModel:
    """The four tables as arrays; see :meth:`create`.

    Attributes
    ----------
    curves : (quantity, sex) -> ages (n,), values on the working scale (n, n_scores).
    groups : sex -> ages (n,), mean and sd of the scores (n, n_groups, n_quantities, 2).
    correlations : sex -> ages (n,), correlation matrices (n, n_quantities, n_quantities).
    ages : (sex, group) -> lower edges of age bands with the end of the last (n + 1,), people a year of age (n,).
    """

    curves: dict[tuple[str, str], tuple[Floats, Floats]]
    groups: dict[str, tuple[Floats, Floats]]
    correlations: dict[str, tuple[Floats, Floats]]
    ages: dict[tuple[str, str], tuple[Floats, Floats]]

    @classmethod
    def create(cls, tables: dict[str, pd.DataFrame]) -> SurveyModel:
        """From the tables ``curves groups correlations ages``; raises ValueError if curves do not rise with u."""
        ages = {}
        for (sex, group), rows in tables["ages"].groupby(["sex", "group"]):
            edges = np.append(rows["age_from_y"].to_numpy(dtype=float), float(rows["age_to_y"].iloc[-1]))
            ages[(str(sex), str(group))] = edges, rows["people_per_year"].to_numpy(dtype=float)
        return cls(
            read_curves(tables["curves"]), read_groups(tables["groups"]), _correlations(tables["correlations"]), ages
        )

    def _grid(self, quantity: str, age_y: Floats, female: Bools, charted: Floats) -> Floats:
        """Curves (n, n_scores) at each person's age; ``charted`` (n,) is the weight of the growth chart itself."""
        grid = np.empty((len(age_y), len(SCORES)))
        for sex, mask in (("M", ~female), ("F", female)):
            grid[mask] = _by_age(*self.curves[(quantity, sex)], age_y[mask])
        if quantity in ("height", "weight"):
            grid = (1.0 - charted[:, None]) * grid + charted[:, None] * SCORES
        return grid

    def value(self, quantity: str, u: Floats, age_y: Floats, female: Bools, charts: bool = False) -> Floats:
        """Value (cm, kg, mg/dL, 1) at score u. ``charts``: children are those of the growth charts, not the survey's.

        All arguments (n,). NaN in u or age gives NaN.
        """
        u, age, female = np.asarray(u, dtype=float), np.asarray(age_y, dtype=float), np.asarray(female)
        y = _value_at(u, self._grid(quantity, np.nan_to_num(age), female, chart_weight(age, charts)))
        return np.where(np.isnan(age), np.nan, from_working(quantity, y, age, female))

    def score(self, quantity: str, value: Floats, age_y: Floats, female: Bools, charts: bool = False) -> Floats:
        """Score u of a value; the inverse of :meth:`value`."""
        value, age, female = np.asarray(value, dtype=float), np.asarray(age_y, dtype=float), np.asarray(female)
        y = working(quantity, value, age, female)
        u = _score_of(y, self._grid(quantity, np.nan_to_num(age), female, chart_weight(age, charts)))
        return np.where(np.isnan(y), np.nan, u)

    def group_moments(
        self, group: Sequence[str], age_y: Floats, female: Bools, charts: bool = False
    ) -> tuple[Floats, Floats]:
        """Mean and sd of the scores, each (n, n_quantities); 0 and 1 for an empty group name (all pooled).

        With ``charts`` children have the mean and sd of the chart in height and weight, whatever their group.
        """
        names, age = np.asarray(group, dtype=object), np.asarray(age_y, dtype=float)
        mean, sd = np.zeros((len(age), 4)), np.ones((len(age), 4))
        for sex, mask in (("M", ~female), ("F", female)):
            at, table = self.groups[sex]
            for g, name in enumerate(GROUPS):
                rows = mask & (names == name)
                both = _by_age(at, table[:, g], age[rows])
                mean[rows], sd[rows] = both[..., 0], both[..., 1]
        survey = 1.0 - chart_weight(age, charts)[:, None]
        mean[:, :2] *= survey
        sd[:, :2] = 1.0 + survey * (sd[:, :2] - 1.0)
        return mean, sd

    def correlation(self, age_y: Floats, female: Bools) -> Floats:
        """Correlation of the scores inside a group, (n, n_quantities, n_quantities)."""
        age = np.asarray(age_y, dtype=float)
        out = np.empty((len(age), 4, 4))
        for sex, mask in (("M", ~female), ("F", female)):
            out[mask] = _by_age(*self.correlations[sex], age[mask])
        return out


def chart_weight(age_y: Floats, charts: bool) -> Floats:
    """Weight of the growth chart against the survey: 0 without ``charts``, else 1 below 18 and 0 above 20 years."""
    age = np.asarray(age_y, dtype=float)
    return 1.0 - fade_in(age, *CHARTED) if charts else np.zeros_like(age)


@lru_cache(maxsize=1)
def survey_model() -> SurveyModel:
    """The model of ``resources/physiology/survey_*.tsv``, read once."""
    return SurveyModel.create({name: fact_table(f"physiology/survey_{name}.tsv") for name in TABLES})


@lru_cache(maxsize=1)
def ancestry_groups() -> dict[str, tuple[str, float]]:
    """Ancestry (1000 Genomes code) -> survey group that stands for it, and its share of that group."""
    table = fact_table("physiology/survey_ancestry.tsv")
    rows = zip(table["ancestry"], table["group"], table["share_of_group"])
    return {str(a): (str(g), float(s)) for a, g, s in rows}


@lru_cache(maxsize=1)
def limits() -> dict[str, tuple[float, float]]:
    """Column -> smallest and largest value that a living person can have (``survey_limits.tsv``)."""
    table = fact_table("physiology/survey_limits.tsv")
    return {str(c): (float(a), float(b)) for c, a, b in zip(table["column"], table["low"], table["high"])}
