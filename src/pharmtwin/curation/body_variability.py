"""Published ranges of organs, flows and GFR beside ours: the tables of docs/variability.md.

Each line of ``observed/body_ranges.tsv`` is one study. 1,000 virtual people of its sex and ages are drawn, weighted to
its mean weight, height, age or BMI where it tells them, and given 20 draws of residual variability each. Compared are
the same quantiles: those the study printed, 2.5 and 97.5 % of a log-normal with its mean and sd, or for the smallest
and the largest of n people the median of such an extreme. Nothing here is fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from pharmtwin.body.anatomy.flows import cardiac_output, organ_flows
from pharmtwin.body.anatomy.organs import organ_masses
from pharmtwin.body.anatomy.reference import reference
from pharmtwin.body.content.liver import abundance
from pharmtwin.body.equations import Floats, body_mass_index, body_surface_area
from pharmtwin.body.kidney.function import gfr, typical_gfr
from pharmtwin.body.people.cohort import cohort
from pharmtwin.body.people.raking import rake
from pharmtwin.body.variability import (
    FROM_ABUNDANCE,
    TABLE,
    Varied,
    correlation_matrix,
    healthy_gfr,
    residual_factors,
    residual_sds,
    vary,
)
from pharmtwin.curation.genome_accuracy_page import table
from pharmtwin.facts import RESOURCES, fact_table
from pharmtwin.files import write_text
from pharmtwin.tables import records

PAGE = RESOURCES.parent / "docs" / "variability.md"
BEGIN, END = "<!-- computed: begin {} -->", "<!-- computed: end {} -->"
RANGES = "observed/body_ranges.tsv"
PEOPLE, DRAWS, SEED = 1000, 20, 5
#: an end is met if ours lies within this share of it; stated before the figures were seen
TOLERANCE = 0.15
#: columns of a match that limit people instead of weighting them
LIMITS = {"bmi<": ("bmi", 14.0, None), "egfr>": ("egfr", None, 250.0)}


@dataclass(frozen=True)
class Group:
    """Virtual people of one study: masses kg, flows L/h, with residual draws on axis 1; GFR mL/min; weights (n,)."""

    bodies: Varied
    gfr: Floats
    bsa: Floats
    haematocrit: Floats
    sex: np.ndarray
    weights: Floats


def _targets(match: str) -> tuple[dict[str, tuple[float, float]], dict[str, tuple[float, float | None]]]:
    """Limits and raking targets of a cell such as ``age_y=39:16;bmi<30``."""
    limits: dict[str, tuple[float, float]] = {}
    targets: dict[str, tuple[float, float | None]] = {}
    for part in filter(None, match.split(";")):
        if "=" in part:
            name, _, value = part.partition("=")
            mean, _, sd = value.partition(":")
            targets[name] = float(mean), float(sd) if sd else None
        else:
            at = part.index("<") if "<" in part else part.index(">")
            name, low, high = LIMITS[part[: at + 1]]
            end = float(part[at + 1 :])
            limits[name] = (end if low is None else low, end if high is None else high)
    return limits, targets


@lru_cache(maxsize=64)
def group(sex: str, age_from: float, age_to: float, match: str) -> Group:
    """People of one study; every study of the same people shares them."""
    limits, targets = _targets(match)
    share = {"M": 0.0, "F": 1.0}.get(sex)
    people = cohort(PEOPLE, SEED, age=(age_from, age_to), female_share=share, filters=limits).people
    weight, height, age = (people[c].to_numpy(dtype=float) for c in ("weight_kg", "height_cm", "age_y"))
    female = people["sex"].to_numpy() == "F"
    people["bmi"], people["bsa"] = body_mass_index(weight, height), body_surface_area(weight, height)
    weights = rake(people, targets).weights if targets else np.ones(len(people))
    kidney = gfr(age, female, weight, height, creatinine_mg_dl=people["creatinine_mg_dl"].to_numpy(dtype=float))
    # every study of GFR is one of healthy people
    centre, spread = healthy_gfr(typical_gfr(age, female, weight, height), kidney.gfr_ml_min)
    factors = residual_factors(list(people["twin_id"]), DRAWS, SEED, gfr_sd_log=spread)
    output = cardiac_output(weight, height, age, female)
    masses = organ_masses(weight, height, age, female).mass
    bodies = vary(masses, organ_flows(output, age, female)[1], output, factors, age, female)
    return Group(
        bodies=bodies,
        gfr=centre[:, None] * factors["gfr"],
        bsa=people["bsa"].to_numpy(dtype=float)[:, None],
        haematocrit=people["haematocrit"].to_numpy(dtype=float)[:, None],
        sex=female.astype(int),
        weights=weights,
    )


def quantity(who: Group, name: str, unit: str) -> Floats:
    """One quantity of all people and draws (n, draws), in the unit of the study. Raises ValueError if not known."""
    ref, bodies = reference(), who.bodies
    per_minute = {"L/min": 1.0 / 60.0, "L/min/m2": 1.0 / 60.0}.get(unit, 1000.0 / 60.0)  # from L/h; else mL/min
    flows = [organ for organ in ref.organs if organ not in ("venous", "arterial")]
    if name in ref.organs:
        return bodies.mass[..., ref.position()[name]] * {"g": 1000.0, "kg": 1.0}[unit]
    if name.endswith("_volume"):
        i = ref.position()[name.removesuffix("_volume")]
        return bodies.mass[..., i] / ref.density[who.sex, i][:, None] * {"mL": 1000.0, "L": 1.0}[unit]
    if name == "cardiac_output":
        return bodies.cardiac_output * per_minute
    if name == "cardiac_index":
        return bodies.cardiac_output * per_minute / who.bsa
    if name == "liver_flow":
        return bodies.liver_flow * per_minute
    if name == "brain_flow":
        return bodies.flow[..., flows.index("brain")] * per_minute
    if name == "renal_plasma_flow":
        return bodies.flow[..., flows.index("kidney")] * per_minute * (1.0 - who.haematocrit) * 1.73 / who.bsa
    if name == "gfr":
        return who.gfr * 1.73 / who.bsa
    raise ValueError(f"{RANGES}: quantity {name!r} is not known")


def weighted_quantiles(values: Floats, weights: Floats, levels: Sequence[float]) -> Floats:
    """Quantiles of all draws (n, draws) with the weights of the people (n,)."""
    flat, w = values.ravel(), np.repeat(weights, values.shape[1])
    order = np.argsort(flat)
    reached = (np.cumsum(w[order]) - 0.5 * w[order]) / w.sum()
    return np.interp(levels, reached, flat[order])


def ends(row: pd.Series) -> tuple[float, float, float, float]:
    """Published low and high, and the quantiles that they are."""
    if pd.isna(row["low"]):
        sigma = np.sqrt(np.log1p((row["sd"] / row["mean"]) ** 2))
        centre = np.log(row["mean"]) - sigma**2 / 2.0
        return float(np.exp(centre - 1.959964 * sigma)), float(np.exp(centre + 1.959964 * sigma)), 0.025, 0.975
    if row["level_low"] == "range":
        extreme = 0.5 ** (1.0 / row["n"])
        return float(row["low"]), float(row["high"]), 1.0 - extreme, extreme
    return float(row["low"]), float(row["high"]), float(row["level_low"]), float(row["level_high"])


def coverage() -> pd.DataFrame:
    """One row a study: published low, high; ours at the same quantiles; deviations; share of ours inside.

    verdict: ``met`` (both ends within TOLERANCE), ``covers`` (each end met or beyond), else which end is not reached;
    ``wider`` is added where an end lies beyond by more than TOLERANCE.
    """
    rows = []
    for _, row in fact_table(RANGES).iterrows():
        match = "" if pd.isna(row["match"]) else str(row["match"])
        who = group(str(row["sex"]), float(row["age_from"]), float(row["age_to"]), match)
        ours = quantity(who, str(row["quantity"]), str(row["unit"])) * float(row["share"])
        low, high, at_low, at_high = ends(row)
        our_low, our_high, median = weighted_quantiles(ours, who.weights, [at_low, at_high, 0.5])
        inside = float(np.average(((ours >= low) & (ours <= high)).mean(axis=1), weights=who.weights))
        rows.append(
            {
                **row[["id", "quantity", "sex", "unit", "mean", "source", "remark"]].to_dict(),
                "ages": f"{row['age_from']:g}-{row['age_to']:g}",
                "low": low,
                "high": high,
                "at_low": at_low,
                "at_high": at_high,
                "our_low": our_low,
                "our_high": our_high,
                "our_median": median,
                "off_low": our_low / low - 1.0,
                "off_high": our_high / high - 1.0,
                "inside": inside,
                "published_inside": at_high - at_low,
                "verdict": verdict(our_low / low - 1.0, our_high / high - 1.0),
            }
        )
    return pd.DataFrame(rows)


def verdict(off_low: float, off_high: float) -> str:
    """Words for two ends that are off by these shares (ours / published - 1)."""
    missed = [name for name, miss in (("low", off_low > TOLERANCE), ("high", off_high < -TOLERANCE)) if miss]
    if missed:
        return f"{' and '.join(missed)} end not reached"
    return "met" if off_low >= -TOLERANCE and off_high <= TOLERANCE else "covers, wider"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def coverage_table(found: pd.DataFrame) -> str:
    """Markdown of :func:`coverage`."""
    sexes = {"M": "men", "F": "women", "both": "both"}
    head = (
        "quantity", "people", "published", "of them inside", "ours, same quantiles", "ends off by",
        "our median (their mean)", "ours inside", "verdict", "study",
    )  # fmt: skip
    rows = []
    for r in records(found):
        mean = "" if pd.isna(r.mean) else f" ({_number(r.mean)})"
        remark = "" if pd.isna(r.remark) else f"; {r.remark}"
        rows.append(
            (
                f"{r.quantity.replace('_', ' ')}, {r.unit}",
                f"{sexes[r.sex]} {r.ages} y",
                f"{_number(r.low)} - {_number(r.high)}",
                f"{100 * r.published_inside:.1f} %",
                f"{_number(r.our_low)} - {_number(r.our_high)}",
                f"{100 * r.off_low:+.0f} %, {100 * r.off_high:+.0f} %",
                _number(r.our_median) + mean,
                f"{100 * r.inside:.1f} %",
                r.verdict,
                f"{str(r.source).split(':')[0].split(', abstract')[0]}{remark}",
            )
        )
    return table(head, rows)


def summary(found: pd.DataFrame) -> str:
    """How many studies are met, covered, or not reached."""
    reached = found["verdict"].isin(["met", "covers, wider"])
    met = int((found["verdict"] == "met").sum())
    near = int(((found["off_low"].abs() <= TOLERANCE) | (found["off_high"].abs() <= TOLERANCE)).sum())
    return (
        f"Of {len(found)} published ranges ours reach both ends of {int(reached.sum())} ({met} within "
        f"{100 * TOLERANCE:.0f} % at both ends, {int(reached.sum()) - met} wider than published); "
        f"at least one end of {near} is met within {100 * TOLERANCE:.0f} %."
    )


def sources_table() -> str:
    """Markdown of ``variability.tsv``: every quantity with its sd, the default first."""
    rows = []
    for r in records(fact_table(TABLE)):
        name = f"`{r.quantity}`" + ("" if r.default == 1 else " (by name)")
        if r.choice == FROM_ABUNDANCE:
            sd, why = f"{residual_sds()[str(r.quantity)]:.3f}", _abundance_words(str(r.quantity))
        else:
            sd, why = ("own" if pd.isna(r.sd_log) else f"{r.sd_log:.3f}"), "" if pd.isna(r.derivation) else r.derivation
        rows.append((name, f"`{r.choice}`", sd, why, r.source, r.checked))
    return table(("quantity", "choice", "sd of log", "from", "source", "read in"), rows)


def _abundance_words(name: str) -> str:
    kind, _, enzyme = name.partition(".")
    if not enzyme:
        return ""
    tissue = "gut" if kind == "enzyme_gut" else "liver"
    here = fact_table("physiology/abundance.tsv")
    here = here[(here["molecule"] == enzyme) & (here["tissue"] == tissue) & (here["default"] == 1)]
    here = here[here["quantity"].isin(["abundance", "amount"])]
    return f"CV {100 * abundance(enzyme, tissue).cv:.0f} %: {here['cv_source'].iloc[0]}"


def correlations_table() -> str:
    """Markdown of the correlations of the logarithms and of the eigenvalues of their matrix."""
    names = [f"enzyme.{e}" for e in ("CYP3A4", "CYP3A5", "CYP2C8", "CYP2C9")]
    matrix = correlation_matrix(names)
    rows = [(f"`{n}`", *(f"{v:.3f}" for v in line)) for n, line in zip(names, matrix, strict=True)]
    values = ", ".join(f"{v:.2f}" for v in np.linalg.eigvalsh(matrix))
    return table(("", *(f"`{n}`" for n in names)), rows) + f"\n\nEigenvalues {values}."


def parts() -> dict[str, str]:
    """Computed parts of the page by mark."""
    found = coverage()
    return {
        "sources": sources_table(),
        "correlations": correlations_table(),
        "coverage": coverage_table(found),
        "summary": summary(found),
    }


def write(page: Path = PAGE) -> None:
    """Put the computed parts between the marks of docs/variability.md."""
    write_text(page, written(page.read_text(encoding="utf-8"), parts()))


def written(page: str, computed: dict[str, str]) -> str:
    """The page with the text between the marks of each part replaced; ValueError if a mark is not there once."""
    for name, text in computed.items():
        begin, end = BEGIN.format(name), END.format(name)
        if page.count(begin) != 1 or page.count(end) != 1:
            raise ValueError(f"the page must hold the marks of part {name!r} once each")
        page = page[: page.index(begin) + len(begin)] + f"\n\n{text}\n\n" + page[page.index(end) :]
    return page
