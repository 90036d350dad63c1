"""Build the survey model (``resources/physiology/survey_*.tsv``, ``growth_lms.tsv``) from NHANES rows and charts.

Run by hand (``scripts/maintenance/build_survey_model.py``); only summaries leave this module. How:

1. Heights and weights become chart z-scores, creatinine its logarithm: on these scales age hardly matters.
2. In each sex a local linear mean and sd over t = log(age + 2), Gaussian kernel of width 0.1 (0.2 years at birth,
   5 years at 50), survey weights, values winsorised at 3 sd; then the weighted quantiles of the standardised
   residuals with width 0.3. Together they are the curve at each normal score.
3. Scores of all rows; mean and sd of the scores in the survey groups (width 0.2); correlations of the scores
   inside a group (width 0.2), of the rows that have both.
4. People by sex, group and five-year band of age (sum of survey weights).

Creatinine below 12 and haematocrit below 1 year, which the survey does not have, follow ``survey_reference.tsv``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm

from pharmtwin import units
from pharmtwin.body.equations import Floats
from pharmtwin.body.people.survey import (
    GROUPS,
    QUANTITIES,
    SCORE_COLUMNS,
    SCORES,
    SEXES,
    SurveyModel,
    read_curves,
    read_groups,
    working,
)
from pharmtwin.facts import fact_table
from pharmtwin.files import write_text
from pharmtwin.units import DAYS_PER_YEAR

NHANES = "nhanes_2013_2018_httk_mecdt.csv"
SURVEY = "NHANES {years} (CDC/NCHS, public domain; rows of CRAN httk 2.7.4), MEC weights; curation.survey_model"
KNOTS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0,
         15.0, 16.0, 17.0, 18.0, 19.0, 20.0, 22.5, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0, 55.0, 60.0, 65.0, 70.0, 75.0,
         79.0)  # fmt: skip
GROUP_KNOTS = (0.0, 2.0, 5.0, 8.0, 11.0, 14.0, 18.0, 25.0, 40.0, 60.0, 79.0)
FIRST = {"height": 0.0, "weight": 0.0, "creatinine": 12.5, "haematocrit": 1.25}  # years: first age told by the survey
BANDS = np.append(np.arange(0.0, 76.0, 5.0), 80.0)
RACE = {"Non-Hispanic White": "WHITE", "Non-Hispanic Black": "BLACK", "Mexican American": "HISPANIC",
        "Other Hispanic": "HISPANIC", "Other": "OTHER"}  # fmt: skip
MEAN_WIDTH, TAIL_WIDTH, GROUP_WIDTH = 0.1, 0.3, 0.2

#: facts for where the survey has nobody
REFERENCE = "physiology/survey_reference.tsv"
CENSUS = "times the band 75-80 as in the US population of 2016 (Census Bureau); background knowledge, not checked"
BOER = (
    "Boer 2010 doi:10.1007/s00467-010-1533-y: 55, 22, 20 umol/L on day 1, in month 2, to month 7; curve between: own; "
    "spread of the survey at 12.5 y"
)
POTTEL = (
    "0.0270 mg/dL/y x age + 0.2329 mg/dL: Pottel 2008 doi:10.1007/s00467-008-1046-0 (coefficients: background "
    "knowledge, not checked; it meets the survey at 12 y to 4 %); spread of the survey at 12.5 y"
)
BOER_DAYS, POTTEL_YEARS = (0.0, 1.0, 3.0, 7.0, 14.0, 28.0, 46.0, 213.0), (2.0, 4.0, 6.0, 8.0, 10.0, 11.5)


def _facts(quantity: str) -> pd.DataFrame:
    """Rows of one quantity of ``survey_reference.tsv``; raises KeyError if there are none."""
    table = fact_table(REFERENCE)
    rows = table[table["quantity"] == quantity]
    if rows.empty:
        raise KeyError(f"{REFERENCE} has no {quantity}")
    return rows


def _fact(quantity: str) -> float:
    return float(_facts(quantity)["value"].iloc[0])


def _boer(age_d: float) -> float:
    """Median creatinine (mg/dL) to the seventh month: logarithm linear in log(1 + age in days) to the second month."""
    (_, settled, last), (birth, second, late) = _facts("creatinine_infant")[["at", "value"]].to_numpy(dtype=float).T
    fall = min(np.log1p(age_d) / np.log1p(settled), 1.0)
    rest = np.clip((age_d - settled) / (last - settled), 0.0, 1.0)
    fallen = np.exp(np.log(birth) * (1 - fall) + fall * np.log(second)) * (late / second) ** rest
    return units.convert(float(fallen), "creatinine", "umol/L", "mg/dL")


def reference_points(quantity: str) -> list[tuple[float, float, float, str]]:
    """(age in years, median, sd on the working scale, source) where the survey has nobody; else none."""
    if quantity == "creatinine":
        sd, slope, at_birth = (_fact(f"creatinine_{n}") for n in ("log_sd", "child_slope", "child_intercept"))
        return [
            *((d / DAYS_PER_YEAR, _boer(d), sd, BOER) for d in BOER_DAYS),
            *((a, slope * a + at_birth, sd, POTTEL) for a in POTTEL_YEARS),
        ]
    if quantity == "haematocrit":
        mean, low = _facts("haematocrit_mean"), _facts("haematocrit_low")
        return [
            (d / DAYS_PER_YEAR, m / 100, (m - x) / 200, str(cited))
            for d, m, x, cited in zip(mean["at"], mean["value"], low["value"], mean["source"], strict=True)
        ]
    return []


def read_nhanes(path: Path, cycles: tuple[str, ...] = ()) -> pd.DataFrame:
    """Rows: sex, group, age_y (month of age + 1/2), height, weight, creatinine, haematocrit (1), w; of some cycles."""
    raw = pd.read_csv(path)
    if cycles:
        raw = raw[raw["sddsrvyr"].isin([f"NHANES {c}" for c in cycles])]
    columns = {
        "sex": raw["riagendr"].str[0],
        "group": raw["ridreth1"].map(RACE),
        "age_y": (raw["ridexagm"] + 0.5) / 12,
        "height": raw["bmxhtlenavg"],
        "weight": raw["bmxwt"],
        "creatinine": raw["lbxscr"],
        "haematocrit": raw["lbxhct"] / 100,
        "w": raw["wtmec6yr"],
    }
    return pd.DataFrame(columns).reset_index(drop=True)


def _kernel(at: float, t: Floats, width: float) -> Floats:
    return np.exp(-0.5 * ((t - at) / width) ** 2)


def _local_line(at: Floats, t: Floats, y: Floats, w: Floats, width: float) -> Floats:
    """Local linear weighted mean of y at each ``at``."""
    out = np.empty(len(at))
    for i, a in enumerate(at):
        k = w * _kernel(a, t, width)
        d = t - a
        s0, s1, s2 = k.sum(), (k * d).sum(), (k * d * d).sum()
        out[i] = ((s2 - s1 * d) * k * y).sum() / (s0 * s2 - s1 * s1)
    return out


def weighted_quantiles(y: Floats, w: Floats, p: Floats) -> Floats:
    """Quantiles of weighted values (midpoint of each weight)."""
    order = np.argsort(y, kind="stable")
    y, w = y[order], w[order]
    return np.interp(p, (np.cumsum(w) - 0.5 * w) / w.sum(), y)


def fit_curve(age_y: Floats, y: Floats, w: Floats, knots: Floats) -> Floats:
    """Values at the normal scores, (n_knots, n_scores), from rows on the working scale."""
    t, fine = np.log(age_y + 2), np.log(np.linspace(knots[0], knots[-1], 400) + 2)
    kept = y
    for _ in range(3):
        mean = np.interp(t, fine, _local_line(fine, t, kept, w, MEAN_WIDTH))
        variance = _local_line(fine, t, (kept - mean) ** 2, w, MEAN_WIDTH)
        sd = np.interp(t, fine, np.sqrt(variance))
        kept = np.clip(y, mean - 3 * sd, mean + 3 * sd)
    rest = (y - mean) / sd
    at = np.log(knots + 2)
    quantiles = [weighted_quantiles(rest, w * _kernel(a, t, TAIL_WIDTH), norm.cdf(SCORES)) for a in at]
    order = np.argsort(t)
    level, scale = np.interp(at, t[order], mean[order]), np.interp(at, t[order], sd[order])
    return np.maximum.accumulate(level[:, None] + scale[:, None] * np.array(quantiles) + 1e-6 * SCORES, axis=1)


def curves_table(rows: pd.DataFrame, source: str) -> pd.DataFrame:
    """Table ``curves``: quantity sex age_y u-3.0 ... u+3.0 unit source."""
    units = {"height": "chart z", "weight": "chart z", "creatinine": "log(mg/dL)", "haematocrit": "1"}
    out: list[list[object]] = []
    for quantity in QUANTITIES:
        for sex in SEXES:
            for young, median, sd, cited in reference_points(quantity):
                centre = np.log(median) if quantity == "creatinine" else median
                out.append([quantity, sex, round(young, 4), *np.round(centre + sd * SCORES, 4), units[quantity], cited])
            part = rows[(rows["sex"] == sex) & rows[quantity].notna()]
            age, female = part["age_y"].to_numpy(), np.full(len(part), sex == "F")
            y = working(quantity, part[quantity].to_numpy(), age, female)
            knots = np.array([k for k in (FIRST[quantity], *KNOTS) if k >= FIRST[quantity]])
            knots = np.unique(knots)
            grid = fit_curve(age, y, part["w"].to_numpy(), knots)
            out += [[quantity, sex, k, *np.round(g, 4), units[quantity], source] for k, g in zip(knots, grid)]
    return pd.DataFrame(out, columns=["quantity", "sex", "age_y", *SCORE_COLUMNS, "unit", "source"])


def scores(model: SurveyModel, rows: pd.DataFrame) -> Floats:
    """Scores (n, n_quantities) of survey rows; NaN where not measured."""
    age, female = rows["age_y"].to_numpy(), (rows["sex"] == "F").to_numpy()
    return np.column_stack([model.score(q, rows[q].to_numpy(dtype=float), age, female) for q in QUANTITIES])


def _moments(u: Floats, k: Floats) -> tuple[float, float]:
    """Weighted mean and sd without missing values; (0, 1) where hardly anybody is (fewer than 30 in effect)."""
    known = ~np.isnan(u)
    u, k = np.clip(u[known], -3.5, 3.5), k[known]
    if not k.sum() > 0 or k.sum() ** 2 / (k * k).sum() < 30:
        return 0.0, 1.0
    mean = float((k * u).sum() / k.sum())
    return mean, float(np.sqrt((k * (u - mean) ** 2).sum() / k.sum()))


def groups_table(rows: pd.DataFrame, u: Floats, source: str) -> pd.DataFrame:
    """Table ``groups``: sex group age_y <quantity>_mean <quantity>_sd unit source."""
    t, w = np.log(rows["age_y"].to_numpy() + 2), rows["w"].to_numpy()
    out: list[list[object]] = []
    for sex in SEXES:
        for group in GROUPS:
            mask = ((rows["sex"] == sex) & (rows["group"] == group)).to_numpy()
            for age in GROUP_KNOTS:
                k = w[mask] * _kernel(np.log(age + 2), t[mask], GROUP_WIDTH)
                moments = [round(x, 4) for q in range(4) for x in _moments(u[mask, q], k)]
                for q, name in enumerate(QUANTITIES):
                    if age < FIRST[name]:
                        moments[2 * q : 2 * q + 2] = [0.0, 1.0]
                out.append([sex, group, age, *moments, "1", source])
    names = [f"{q}_{part}" for q in QUANTITIES for part in ("mean", "sd")]
    return pd.DataFrame(out, columns=["sex", "group", "age_y", *names, "unit", "source"])


def correlations_table(rows: pd.DataFrame, e: Floats, source: str) -> pd.DataFrame:
    """Table ``correlations``: sex age_y <quantity>_<quantity> unit source, of the scores inside the groups."""
    t, w = np.log(rows["age_y"].to_numpy() + 2), rows["w"].to_numpy()
    pairs = list(zip(*np.triu_indices(4, 1)))
    out: list[list[object]] = []
    for sex in SEXES:
        mask = (rows["sex"] == sex).to_numpy()
        for age in GROUP_KNOTS:
            k = w[mask] * _kernel(np.log(age + 2), t[mask], GROUP_WIDTH)
            line: list[float] = []
            for i, j in pairs:
                told = age >= max(FIRST[QUANTITIES[i]], FIRST[QUANTITIES[j]])
                line.append(round(_correlation(e[mask, i], e[mask, j], k), 4) if told else 0.0)
            out.append([sex, age, *line, "1", source])
    names = [f"{QUANTITIES[i]}_{QUANTITIES[j]}" for i, j in pairs]
    return pd.DataFrame(out, columns=["sex", "age_y", *names, "unit", "source"])


def _correlation(a: Floats, b: Floats, k: Floats) -> float:
    known = ~(np.isnan(a) | np.isnan(b))
    a, b, k = np.clip(a[known], -3.5, 3.5), np.clip(b[known], -3.5, 3.5), k[known] / k[known].sum()
    a, b = a - (k * a).sum(), b - (k * b).sum()
    return float((k * a * b).sum() / np.sqrt((k * a * a).sum() * (k * b * b).sum()))


def ages_table(rows: pd.DataFrame, source: str) -> pd.DataFrame:
    """Table ``ages``: sex group age_from_y age_to_y people_per_year unit source."""
    older = _facts("people_over_75_to_80")[["at", "to", "value"]].to_numpy(dtype=float)
    out: list[list[object]] = []
    for sex in SEXES:
        for group in GROUPS:
            part = rows[(rows["sex"] == sex) & (rows["group"] == group)]
            people, _ = np.histogram(part["age_y"], BANDS, weights=part["w"])
            yearly = people / np.diff(BANDS)
            for low, high, n in zip(BANDS, BANDS[1:], yearly):
                out.append([sex, group, low, high, round(n), "people/y", source])
            for low, high, factor in older:
                out.append([sex, group, low, high, round(yearly[-1] * factor), "people/y", CENSUS])
    return pd.DataFrame(out, columns=["sex", "group", "age_from_y", "age_to_y", "people_per_year", "unit", "source"])


def build(rows: pd.DataFrame, years: str = "2013-2018") -> dict[str, pd.DataFrame]:
    """The four tables of the model from survey rows."""
    source = SURVEY.format(years=years)
    curves, ages = curves_table(rows, source), ages_table(rows, source)
    model = SurveyModel(read_curves(curves), {}, {}, {})
    u = scores(model, rows)
    groups = groups_table(rows, u, source)
    female = (rows["sex"] == "F").to_numpy()
    model = replace(model, groups=read_groups(groups))
    mean, sd = model.group_moments(rows["group"].tolist(), rows["age_y"].to_numpy(), female)
    return {
        "curves": curves,
        "groups": groups,
        "correlations": correlations_table(rows, (u - mean) / sd, source),
        "ages": ages,
    }


def growth_table(folder: Path) -> pd.DataFrame:
    """Table of L, M, S by chart, measure, sex and age, thinned to the published ages (weeks and months)."""
    cited = {
        "WHO": "WHO Child Growth Standards 2006 (growthcleanr)",
        "CDC": "CDC growth charts 2000 (growthcleanr)",
    }
    month = DAYS_PER_YEAR / 12
    ages = {
        "WHO": sorted({7 * k for k in range(14)} | {round(month * k) for k in range(3, 37)}),
        "CDC": [731, *(int(month * (k + 0.5)) for k in range(24, 240)), 7305],
    }
    out: list[list[object]] = []
    for chart, file, prefix in (("WHO", "growthfile_who.csv.gz", "who"), ("CDC", "growthfile_cdc_ext.csv.gz", "cdc")):
        table = pd.read_csv(folder / file).set_index(["sex", "agedays"])
        for measure, short in (("height", "ht"), ("weight", "wt")):
            for code, sex in enumerate(SEXES):
                for day, skew, median, spread in _chart_rows(table, code, ages[chart], f"{prefix}_{short}"):
                    standing = chart == "WHO" and measure == "height" and day >= 730
                    moved = median + 0.7 if standing else median
                    numbers = [round(skew, 5), round(moved, 4), round(spread * median / moved, 6)]
                    unit = "cm" if measure == "height" else "kg"
                    out.append([chart, measure, sex, day, *numbers, unit, cited[chart]])
    return pd.DataFrame(out, columns=["chart", "measure", "sex", "age_d", "L", "M", "S", "unit", "source"])


def _chart_rows(
    table: pd.DataFrame, code: int, days: list[int], prefix: str
) -> Iterator[tuple[int, float, float, float]]:
    for day in days:
        skew, median, spread = table.loc[(code, day), [f"{prefix}_{x}" for x in "lms"]].to_numpy(dtype=float)
        yield day, float(skew), float(median), float(spread)


def write(data: Path, out: Path) -> list[str]:
    """Build and write all tables; returns a line a table. ``data``: folder with the NHANES file and ``growth/``."""
    rows = read_nhanes(data / NHANES)
    notes = {
        "growth_lms": "L, M (cm, kg), S of growth charts by day of age; WHO height: recumbent length throughout. Both "
        "from the daily tables of CRAN growthcleanr (MIT); CDC: Kuczmarski 2002, Vital Health Stat 11(246).",
        "survey_curves": "Survey model: values on the working scale (column unit) at normal scores u, by sex and age.",
        "survey_groups": "Survey model: mean and sd of the normal scores in a survey group, by sex and age.",
        "survey_correlations": "Survey model: correlations of the normal scores inside a group, by sex and age.",
        "survey_ages": "Survey model: people a year of age, by sex, survey group and band of age.",
    }
    growth = growth_table(data / "growth")
    _save(out, "growth_lms", growth, notes)
    tables = {f"survey_{name}": table for name, table in build(rows).items()}
    for name, table in tables.items():
        _save(out, name, table, notes)
    return [f"{name}: {len(table)} rows" for name, table in {"growth_lms": growth, **tables}.items()]


def _save(out: Path, name: str, table: pd.DataFrame, notes: dict[str, str]) -> None:
    text = f"# {notes[name]}\n" + table.to_csv(sep="\t", index=False, lineterminator="\n")
    write_text(out / f"{name}.tsv", text)
