"""How well virtual people match the survey rows: marginals and pairwise correlations, by sex and band of age.

Adults are compared in the units of measurement; children's height and weight as z-scores of the growth chart, because
inside a band of ages nearly all of their spread is age. Run by ``scripts/maintenance/survey_match.py``, which writes
the tables of docs/cohorts.md; the tolerances are those of tests/reference/test_cohort_survey.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from pharmtwin.body.equations import Floats
from pharmtwin.body.people.cohort import cohort
from pharmtwin.body.people.growth import chart_z
from pharmtwin.body.people.survey import COLUMNS, QUANTITIES, SEXES, SurveyModel
from pharmtwin.curation.survey_model import NHANES, build, read_nhanes, weighted_quantiles
from pharmtwin.files import write_text

CHILDREN = ((0.0, 2.0), (2.0, 6.0), (6.0, 12.0), (12.0, 18.0))
ADULTS = ((18.0, 40.0), (40.0, 60.0), (60.0, 80.0))
N, SEED = 40_000, 20261122
#: largest deviation allowed: relative (values), absolute (z, correlations)
TOLERANCE = {"mean": 0.02, "p50": 0.02, "p5": 0.05, "p95": 0.05, "z mean": 0.10, "z sd": 0.10, "correlation": 0.10,
             "correlation with haematocrit": 0.15}  # fmt: skip
ABSOLUTE = ("z mean", "z sd", "correlation", "correlation with haematocrit")


def virtual(model: SurveyModel | None = None) -> pd.DataFrame:
    """Children and adults, :data:`N` of each so that their own chance is small, in the columns of survey rows."""
    young = cohort(N, SEED, age=(0, 18), ages="uniform", prefix="C", model=model).people
    people = pd.concat([young, cohort(N, SEED, age=(18, 80), model=model).people], ignore_index=True)
    back = {column: quantity for quantity, column in COLUMNS.items()}
    return people.drop(columns="weight").rename(columns=back).assign(w=1.0)


def statistics(rows: pd.DataFrame) -> pd.DataFrame:
    """Long table: sex, ages, quantity, statistic, value; rows have sex, age_y, the quantities (NaN allowed) and w."""
    return pd.DataFrame(
        [*_children(rows), *_adults(rows)], columns=["sex", "ages", "quantity", "statistic", "value", "n"]
    )


Line = tuple[str, str, str, str, float, int]


def _bands(rows: pd.DataFrame, bands: tuple[tuple[float, float], ...]) -> Iterator[tuple[str, str, pd.DataFrame]]:
    for low, high in bands:
        for sex in SEXES:
            inside = (rows["sex"] == sex) & (rows["age_y"] >= low) & (rows["age_y"] < high)
            yield sex, f"{low:g}-{high:g}", rows[inside]


def _children(rows: pd.DataFrame) -> Iterator[Line]:
    for sex, ages, part in _bands(rows, CHILDREN):
        age, female = part["age_y"].to_numpy(dtype=float), np.full(len(part), sex == "F")
        z = {
            "height": chart_z("height", part["height"].to_numpy(dtype=float), age, female),
            "weight": chart_z("weight", part["weight"].to_numpy(dtype=float), age, female),
        }
        w = part["w"].to_numpy(dtype=float)
        for name, values in z.items():
            mean, sd = _moments(values, w)
            yield sex, ages, f"{name} z", "z mean", mean, len(part)
            yield sex, ages, f"{name} z", "z sd", sd, len(part)
        yield sex, ages, "height z, weight z", "correlation", correlation(z["height"], z["weight"], w), len(part)


def _adults(rows: pd.DataFrame) -> Iterator[Line]:
    for sex, ages, part in _bands(rows, ADULTS):
        w = part["w"].to_numpy(dtype=float)
        columns = {"age": part["age_y"].to_numpy(dtype=float)}
        columns |= {q: part[q].to_numpy(dtype=float) for q in QUANTITIES}
        for name in QUANTITIES:
            yield sex, ages, name, "mean", _moments(columns[name], w)[0], len(part)
            quantiles = weighted_quantiles(columns[name], w, np.array([0.05, 0.5, 0.95]))
            for label, value in zip(("p5", "p50", "p95"), quantiles):
                yield sex, ages, name, label, float(value), len(part)
        names = list(columns)
        for i, one in enumerate(names):
            for two in names[i + 1 :]:
                r = correlation(np.log(columns[one]), np.log(columns[two]), w)
                label = "correlation with haematocrit" if two == "haematocrit" else "correlation"
                yield sex, ages, f"{one}, {two}", label, r, len(part)


def _moments(values: Floats, w: Floats) -> tuple[float, float]:
    mean = float(np.average(values, weights=w))
    return mean, float(np.sqrt(np.average((values - mean) ** 2, weights=w)))


def correlation(a: Floats, b: Floats, w: Floats) -> float:
    """Weighted Pearson correlation."""
    a, b = a - np.average(a, weights=w), b - np.average(b, weights=w)
    return float((w * a * b).sum() / np.sqrt((w * a * a).sum() * (w * b * b).sum()))


def compare(survey: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Statistics of both side by side, and the deviation: relative for values, absolute for z and correlations."""
    keys = ["sex", "ages", "quantity", "statistic"]
    both = statistics(survey).merge(statistics(people)[[*keys, "value"]], on=keys, suffixes=("_survey", "_cohort"))
    difference = both["value_cohort"] - both["value_survey"]
    absolute = both["statistic"].isin(ABSOLUTE)
    return both.assign(deviation=np.where(absolute, difference, difference / both["value_survey"]))


def held_out(path: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cycle 2017-2018 against people drawn from a model of 2013-2016, and against the rows of 2013-2016 themselves."""
    before, after = read_nhanes(path, ("2013-2014", "2015-2016")), read_nhanes(path, ("2017-2018",))
    model = SurveyModel.create(build(before, "2013-2016"))
    return compare(after, virtual(model)), compare(after, before)


def rms(table: pd.DataFrame) -> pd.Series:
    """Root mean square of the deviations, by statistic."""
    return (table["deviation"] ** 2).groupby(table["statistic"]).mean() ** 0.5


def page(data: Path) -> str:
    """Markdown: all rows against the shipped model, and the held-out cycle."""
    inside = compare(read_nhanes(data / NHANES), virtual())
    drawn, rows = held_out(data / NHANES)
    lines = [
        "| statistic | comparisons | largest deviation | tolerance | held out: RMS, drawn | RMS, rows themselves |",
        "|---|---|---|---|---|---|",
    ]
    for name, limit in TOLERANCE.items():
        count = f"{(inside['statistic'] == name).sum()}, {'absolute' if name in ABSOLUTE else 'relative'}"
        far = f"{rms(drawn)[name]:.3f} | {rms(rows)[name]:.3f}"
        lines.append(f"| {name} | {count} | {_worst(inside, name)} | {limit:g} | {far} |")
    lines += ["", "| adults | survey n | quantity | mean: survey, cohort | 5 % | 50 % | 95 % |", "|---" * 7 + "|"]
    for (sex, ages, quantity), part in inside[inside["statistic"].isin(["mean", "p5", "p50", "p95"])].groupby(
        ["sex", "ages", "quantity"], sort=False
    ):
        cells = [f"{a:.3g}, {b:.3g}" for a, b in zip(part["value_survey"], part["value_cohort"])]
        lines.append(f"| {sex} {ages} y | {part['n'].iloc[0]} | {quantity} | {' | '.join(cells)} |")
    lines += ["", "| correlation | M 18-40 | M 40-60 | M 60-80 | F 18-40 | F 40-60 | F 60-80 |", "|---" * 7 + "|"]
    grown = inside[inside["statistic"].str.startswith("correlation") & ~inside["quantity"].str.contains("z,")]
    for pair, part in grown.groupby("quantity", sort=False):
        part = part.sort_values(["sex", "ages"], ascending=[False, True])
        cells = [f"{a:+.2f}, {b:+.2f}" for a, b in zip(part["value_survey"], part["value_cohort"])]
        lines.append(f"| {pair} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _worst(table: pd.DataFrame, statistic: str) -> str:
    lines = table[table["statistic"] == statistic].to_dict("records")
    row = max(lines, key=lambda line: abs(line["deviation"]))
    return f"{row['deviation']:+.3f} ({row['quantity']}, {row['sex']} {row['ages']} y)"


def write(data: Path, document: Path) -> None:
    """Replace what stands between the marks of the document."""
    start, end = "<!-- match -->\n", "<!-- /match -->"
    text = document.read_text(encoding="utf-8")
    head, rest = text.split(start)
    write_text(document, head + start + page(data) + end + rest.split(end)[1])
