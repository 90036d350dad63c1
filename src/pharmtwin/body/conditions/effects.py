"""What conditions do to the body: factors by quantity and person, their combination, and flows that still close.

Method
------
Each row of ``conditions.tsv`` is one effect of one condition on one quantity. ``effects`` evaluates the rows of one
condition, ``combine`` joins several by the table of pairs, ``twin_effects`` does both for a cohort, and ``apply_flows``
applies the flow factors so that organs and placenta sum to cardiac output.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from pharmtwin.body.conditions.curves import curve, largest_effect, variable_of
from pharmtwin.body.conditions.table import (
    OWN_KIDNEY,
    Condition,
    People,
    effect_table,
    level_value,
    levels,
    pair_rule,
    validity,
)
from pharmtwin.body.equations import Bools, Floats
from pharmtwin.body.kidney.equations import kidney_coefficients
from pharmtwin.body.kidney.function import smooth_step
from pharmtwin.core.anatomy import PORTAL

OUTPUT = "cardiac_output"


@dataclass(frozen=True)
class Effects:
    """Effects on n people; arrays of shape (n,).

    Attributes
    ----------
    n : number of people.
    factor : quantity to factor on the healthy value; a quantity that is missing is not changed.
    sd_log : quantity to sd of the logarithm of the factor; NaN where no source gives one, 0 where there is no effect.
    added : ``flow.placenta`` (L/h), ``mass.conceptus``, ``mass.adipose``, ``mass.gain`` (kg) on top of the body.
    shares : organ to whether its flow takes what a changed cardiac output leaves.
    """

    n: int
    factor: dict[str, Floats] = field(default_factory=dict)
    sd_log: dict[str, Floats] = field(default_factory=dict)
    added: dict[str, Floats] = field(default_factory=dict)
    shares: dict[str, Bools] = field(default_factory=dict)


def ckd_gfr(level: str, people: People) -> tuple[Floats, Bools]:
    """GFR of people with kidney disease (mL/min/1.73 m2) and whether it was taken from the stage.

    Their own GFR where known, else the middle of the stage; never above the healthy GFR.
    """
    from_stage = ~np.isfinite(people.egfr)
    gfr = np.where(from_stage, level_value("ckd", level, "egfr")[0], people.egfr)
    return np.minimum(gfr, people.healthy_gfr), from_stage


def effects(condition: Condition, people: People, week: Floats | None = None) -> Effects:
    """Effects of one condition on these people.

    Parameters
    ----------
    condition : what all of them have.
    people : NaN where the healthy GFR that a curve needs is not known gives NaN.
    week : gestational age of each (weeks), shape (n,); default that of the condition.

    Raises
    ------
    KeyError : a condition or level that the table does not have.
    ValueError : people outside the age or sex that the condition holds for.
    """
    low, high, sex = _checked(condition)
    if not ((people.age_y >= low) & (people.age_y <= high)).all() or (sex and not people.female.all()):
        raise ValueError(f"{condition.name} holds for ages {low:g}-{high:g}{' and women only' if sex else ''}")
    table = effect_table()
    rows = table[(table["condition"] == condition.name) & table["level"].isin(["*", condition.level])]
    out = Effects(people.n)
    gfr, from_stage = people.egfr, np.zeros(people.n, dtype=bool)
    if condition.name == "ckd":
        gfr, from_stage = ckd_gfr(condition.level, people)
    weeks = np.full(people.n, condition.week) if week is None else week
    columns = [rows[name].tolist() for name in ("quantity", "form", "curve", "value", "sd_log")]
    for quantity, form, name, number, published in zip(*columns):
        if form == "share":
            out.shares[quantity.removeprefix("flow.")] = np.ones(people.n, dtype=bool)
        elif form in ("factor", "curve", "added"):
            if form == "factor":
                value, sd = np.full(people.n, number), np.full(people.n, published)
            else:
                x = weeks if variable_of(name) == "week" else gfr
                value = curve(name, x, people.healthy_gfr, people.female)
                sd = _shrunk(name, value, published)
            if form == "added":
                out.added[quantity] = value
                continue
            if quantity == "gfr":
                value = np.where(np.isfinite(people.egfr), 1.0, value)
                if condition.name == "ckd":
                    sd = np.where(from_stage, level_value("ckd", condition.level, "egfr")[1], 0.0)
            out.factor[quantity], out.sd_log[quantity] = value, np.where(value == 1.0, 0.0, sd)
        elif form == "from_creatinine":  # stands after the row of the factor that it replaces
            out.factor[quantity] = np.where(people.from_creatinine, number, out.factor[quantity])
            out.sd_log[quantity] = np.where(people.from_creatinine, published, out.sd_log[quantity])
    return out


def low_gfr_effects(people: People) -> Effects | None:
    """What a known low GFR does to people whose sheet does not name kidney disease; None if nobody's is low.

    Adults: the effects of ``ckd`` on the logarithm, times a weight that goes smoothly from 0 at 0.75 of the healthy
    GFR to 1 at half of it, for estimates scatter; flow and volume of the kidney follow a measured GFR from the healthy
    one down. Children: the kidney's blood flow alone, in proportion to GFR; from 18 to 25 years the one passes into the
    other.
    """
    ratio = people.egfr / people.healthy_gfr
    full, none = (level_value("ckd", "*", f"unflagged_{end}")[0] for end in ("full", "none"))
    weight = np.nan_to_num(smooth_step(-ratio, -none, -full))
    kidney = np.where(people.gfr_measured & (ratio < 1.0), 1.0, weight)
    low = kidney > 0
    if not low.any():
        return None
    grown = smooth_step(people.age_y, validity("ckd")[0], kidney_coefficients("windows")["adult_to_age"])
    known = replace(
        people,
        age_y=np.maximum(people.age_y, validity("ckd")[0]),
        egfr=np.where(low, people.egfr, 100.0),
        healthy_gfr=np.where(low, people.healthy_gfr, 100.0),
    )
    sick = effects(Condition("ckd", "G3a"), known)  # of a known GFR: the stage does not matter
    out = Effects(people.n, shares={organ: share & low for organ, share in sick.shares.items()})
    for quantity, factor in sick.factor.items():
        if quantity == "gfr":
            continue
        share = kidney if quantity in ("flow.kidney", "volume.kidney") else weight
        log, adult = np.log(factor), share * grown
        child = share - adult if quantity == "flow.kidney" else 0.0 * share
        out.factor[quantity] = np.exp(adult * log + child * np.log(np.where(low, ratio, 1.0)))
        out.sd_log[quantity] = np.where(adult > 0, sick.sd_log[quantity] * adult, 0.0)
    return out


def _checked(condition: Condition) -> tuple[float, float, str]:
    if condition.level not in levels().get(condition.name, ()) and not np.isfinite(condition.week):
        raise KeyError(f"no condition {condition.name}:{condition.level}")
    return validity(condition.name)


def _shrunk(name: str, value: Floats, sd: float) -> Floats:
    """Sd of log of a curve: the published one at its full effect, in proportion to the effect elsewhere."""
    return np.full(value.shape, sd) if not np.isfinite(sd) else sd * np.abs(np.log(value)) / largest_effect(name)


def combine(parts: Mapping[str, Effects]) -> Effects:
    """Effects of several conditions (by name) on the same people, by the table of pairs.

    Factors on different quantities stand side by side. On a shared quantity: ``product`` multiplies, ``stronger``
    keeps the factor further from 1, ``left`` keeps that of the left condition. Raises ValueError on a refused pair.
    """
    names = list(parts)
    sizes = {name: part.n for name, part in parts.items()}
    if len(set(sizes.values())) != 1:
        raise ValueError(f"combine needs effects on the same people, got {sizes}")
    rules = {}
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            left, rule, reason = pair_rule(one, other)
            if rule == "refused":
                raise ValueError(f"{one} with {other} is refused: {reason}")
            rules[one, other] = (left, rule)
    out = Effects(parts[names[0]].n)
    for quantity in dict.fromkeys(q for part in parts.values() for q in part.factor):
        having = [name for name in names if quantity in parts[name].factor]
        log = {name: np.log(parts[name].factor[quantity]) for name in having}
        counts_in = {name: np.ones(out.n, dtype=bool) for name in having}
        for (one, other), (left, rule) in rules.items():
            if one in log and other in log and rule != "product":
                wins = np.abs(log[one]) >= np.abs(log[other]) if rule == "stronger" else np.full(out.n, left == one)
                counts_in[one] &= wins
                counts_in[other] &= ~wins
        total, variance = np.zeros(out.n), np.zeros(out.n)
        for name in having:
            total += np.where(counts_in[name], log[name], 0.0)
            variance += np.where(counts_in[name], parts[name].sd_log[quantity], 0.0) ** 2
        out.factor[quantity], out.sd_log[quantity] = np.exp(total), np.sqrt(variance)
    # heart failure states organ flows and lets cardiac output be their sum: then nothing is redistributed to keep it
    sums = any(p.n and not p.shares and any(q.startswith("flow.") for q in p.factor) for p in parts.values())
    for part in parts.values():
        for key, value in part.added.items():
            out.added[key] = out.added.get(key, 0.0) + value
        for organ, share in part.shares.items() if not sums or OUTPUT in part.factor else ():
            out.shares[organ] = out.shares.get(organ, np.zeros(out.n, dtype=bool)) | share
    return out


def twin_effects(conditions: Sequence[tuple[Condition, ...]], people: People) -> Effects:
    """Effects of everybody's conditions and low GFR, one entry a person; factor 1, sd 0, added 0 for who has no effect.

    Raises ValueError as :func:`effects` and :func:`combine` do; ask :func:`condition_findings` first.
    """
    if len(conditions) != people.n:
        raise ValueError(f"{len(conditions)} conditions for {people.n} people")
    groups: dict[tuple[Condition, ...], list[int]] = {}
    for i, given in enumerate(conditions):
        groups.setdefault(given, []).append(i)  # a pregnancy's week is no part of the comparison
    out = Effects(people.n)
    for given, members in groups.items():
        rows = np.array(members)
        part = people.take(rows)
        weeks = np.array([next((c.week for c in conditions[i] if c.name == "pregnancy"), np.nan) for i in members])
        parts = {c.name: effects(c, part, weeks) for c in given}
        low = None if parts.keys() & set(OWN_KIDNEY) else low_gfr_effects(part)
        if low is not None:
            parts["ckd"] = low
        if not parts:
            continue
        joined = combine(parts)
        for target, source, empty in (
            (out.factor, joined.factor, 1.0),
            (out.sd_log, joined.sd_log, 0.0),
            (out.added, joined.added, 0.0),
        ):
            for key, value in source.items():
                target.setdefault(key, np.full(people.n, empty))[rows] = value
        for organ, share in joined.shares.items():
            out.shares.setdefault(organ, np.zeros(people.n, dtype=bool))[rows] = share
    return out


def apply_flows(flows: Mapping[str, Floats], given: Effects) -> tuple[dict[str, Floats], Floats]:
    """Organ flows and cardiac output (L/h) under the conditions; they sum to it, placenta included.

    Where a condition states cardiac output (cirrhosis, pregnancy) or keeps it (kidney disease), organs with a factor of
    their own take it, brain keeps its flow, and the organs of ``shares`` scale by one common factor that closes the
    sum. In heart failure cardiac output is the sum of the changed flows.

    Parameters
    ----------
    flows : healthy arterial inflow (L/h) of every organ in parallel, ``liver`` = hepatic artery, ``rest`` among them;
        no lung. Shape (n,) each.

    Raises
    ------
    ValueError : a flow factor without an organ, or no flow left for the sharing organs.
    """
    flow = {organ: np.array(value, dtype=float) for organ, value in flows.items()}
    ones = np.ones(given.n)
    for quantity, factor in given.factor.items():
        if not quantity.startswith("flow."):
            continue
        part = quantity.removeprefix("flow.")
        organs = PORTAL if part == "portal" else ("liver",) if part == "hepatic_artery" else (part,)
        if any(organ not in flow for organ in organs):
            raise ValueError(f"{quantity} changes organs {organs}, but flows are of {sorted(flow)}")
        for organ in organs:
            flow[organ] *= factor
    if "flow.placenta" in given.added:
        flow["placenta"] = given.added["flow.placenta"].copy()
    if given.shares:
        closed = np.any(np.array(list(given.shares.values())), axis=0)
        output = sum(flows.values(), start=np.zeros(given.n)) * given.factor.get(OUTPUT, ones)
        mine = {organ: np.where(share, flow[organ], 0.0) for organ, share in given.shares.items() if organ in flow}
        sharing = sum(mine.values(), start=np.zeros(given.n))
        left = output - (sum(flow.values(), start=np.zeros(given.n)) - sharing)
        if (closed & ~((left > 0) & (sharing > 0)) & np.isfinite(left)).any():
            raise ValueError("cardiac output leaves no flow for the organs that share the rest")
        scale = np.where(closed, left / np.where(closed, sharing, 1.0), 1.0)
        for organ in mine:
            flow[organ] = np.where(given.shares[organ], flow[organ] * scale, flow[organ])
    return flow, sum(flow.values(), start=np.zeros(given.n))


def weight_before_pregnancy(weight_kg: Floats, week: Floats) -> Floats:
    """Weight (kg) before a pregnancy that is now at ``week``: less the mean gain of Kapraun 2019 (14.1 kg at 40).

    Organs and fat-free mass are sized by the weight before; ``added`` masses come on top.
    """
    return weight_kg - curve("preg_gain", week, week, np.ones(week.shape, dtype=bool))


def example_people(condition: Condition) -> People:
    """One person to show a condition on: a woman of 30 if pregnant, else a man of 60 with healthy GFR 90."""
    pregnant = condition.name == "pregnancy"
    one = np.ones(1)
    age, healthy = (30.0, 115.0) if pregnant else (60.0, 90.0)
    return People(
        age * one, np.array([pregnant]), np.nan * one, healthy * one, 40.0 * one, np.array([False]), np.array([False])
    )


def describe(condition: Condition, people: People | None = None) -> pd.DataFrame:
    """Effects of a condition for a report, on the first of ``people`` (default :func:`example_people`).

    Columns: condition, quantity, form, value (factor, or amount of an added quantity), sd_log, unit, source.
    """
    people = (example_people(condition) if people is None else people).take(np.array([0]))
    found = effects(condition, people)
    table = effect_table()
    rows = table[(table["condition"] == condition.name) & table["level"].isin(["*", condition.level])]
    rows = rows[rows["form"].isin(["factor", "curve", "added"])]
    form = np.where(rows["form"] == "added", "added", "factor")
    value = [float((found.added if f == "added" else found.factor)[q][0]) for f, q in zip(form, rows["quantity"])]
    sd = [float(found.sd_log[q][0]) if f == "factor" else np.nan for f, q in zip(form, rows["quantity"])]
    return pd.DataFrame(
        {
            "condition": condition.text(),
            "quantity": rows["quantity"].to_numpy(dtype=object),
            "form": form,
            "value": value,
            "sd_log": sd,
            "unit": rows["unit"].to_numpy(dtype=object),
            "source": rows["source"].to_numpy(dtype=object),
        }
    )
