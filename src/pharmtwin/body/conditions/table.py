"""Diseases and special states of a twin: reading them from its sheet, and what speaks against them.

A twin's text is ``ckd:G4; nyha:III`` or ``pregnancy:24wk``; empty means healthy. What a condition does to the body is
in :mod:`pharmtwin.body.conditions.effects`; all numbers stand in ``resources/physiology/condition*.tsv``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.body.equations import Bools, Floats
from pharmtwin.facts import fact_table
from pharmtwin.findings import Finding

EFFECTS = "physiology/conditions.tsv"
CURVES = "physiology/condition_curves.tsv"
PAIRS = "physiology/condition_pairs.tsv"
NOT_COVERED = "physiology/conditions_not_covered.tsv"
LAST_WEEK = 40.0
NONE = {"", "none", "healthy"}
_WEEK = re.compile(r"(\d{1,2}(?:\.\d+)?)(?:\+([0-6]))?\s*(?:w|wk|wks|week|weeks)")


@dataclass(frozen=True, order=True)
class Condition:
    """One condition: its name, its level (``week`` for a pregnancy), and the gestational age in weeks, else NaN."""

    name: str
    level: str
    week: float = field(default=np.nan, compare=False)

    def text(self) -> str:
        """As a user writes it."""
        return f"{self.name}:{self.week:g}wk" if np.isfinite(self.week) else f"{self.name}:{self.level}"


@dataclass(frozen=True)
class People:
    """What effects need to know of n people; arrays of shape (n,), NaN = not known.

    Attributes
    ----------
    age_y, female : age (years), sex.
    egfr : GFR measured or estimated (mL/min/1.73 m2). Where it is known no condition changes GFR again.
    healthy_gfr : GFR of a healthy person of that age and sex (mL/min/1.73 m2); ``ckd`` effects are relative to it.
    bmi : body mass index (kg/m2).
    gfr_measured : the GFR of ``egfr`` is a measured clearance, not an estimate from creatinine or cystatin C.
    from_creatinine : the GFR of ``egfr`` is an estimate from creatinine alone.
    """

    age_y: Floats
    female: Bools
    egfr: Floats
    healthy_gfr: Floats
    bmi: Floats
    gfr_measured: Bools
    from_creatinine: Bools

    @property
    def n(self) -> int:
        """Number of people."""
        return len(self.age_y)

    def take(self, rows: NDArray[np.intp] | Bools) -> People:
        """The people of those rows."""
        return People(
            self.age_y[rows], self.female[rows], self.egfr[rows], self.healthy_gfr[rows], self.bmi[rows],
            self.gfr_measured[rows], self.from_creatinine[rows],
        )  # fmt: skip


@lru_cache(maxsize=1)
def effect_table() -> pd.DataFrame:
    """Rows of ``conditions.tsv``; read once, not to be changed."""
    table = fact_table(EFFECTS)
    text = ["condition", "level", "quantity", "form", "curve", "sex", "unit", "source"]
    table[text] = table[text].astype(object).where(table[text].notna(), "")
    for name in ("value", "sd_log", "min_age_y", "max_age_y"):
        table[name] = table[name].astype("float64")
    return table


@lru_cache(maxsize=1)
def levels() -> dict[str, tuple[str, ...]]:
    """Levels of every condition in the order of the table; a pregnancy takes weeks as well."""
    table = effect_table()
    return {
        str(name): tuple(dict.fromkeys(part.loc[part["level"] != "*", "level"]))
        for name, part in table.groupby("condition", sort=False)
    }


@lru_cache(maxsize=1)
def not_covered() -> dict[str, str]:
    """Names (or name:level, lower case) that are refused, and why."""
    table = fact_table(NOT_COVERED)
    return dict(zip(table["name"].astype(str), table["reason"].astype(str)))


@lru_cache(maxsize=1)
def pair_rules() -> dict[tuple[str, str], tuple[str, str]]:
    """(left, right) of every pair of conditions to (rule, reason)."""
    table = fact_table(PAIRS).astype(str)
    pairs = zip(table["left"], table["right"])
    return {pair: what for pair, what in zip(pairs, zip(table["rule"], table["reason"]))}


def pair_rule(one: str, other: str) -> tuple[str, str, str]:
    """(left condition, rule, reason) of two different conditions, or of ``ageing`` and one; KeyError if not known.

    Rules: ``product``, ``stronger`` (of a shared quantity, once), ``left`` (on a shared quantity it alone counts),
    ``refused``.
    """
    rules = pair_rules()
    left, right = (one, other) if (one, other) in rules else (other, one)
    rule, reason = rules[left, right]
    return left, rule, reason


@cache
def level_value(condition: str, level: str, quantity: str) -> tuple[float, float]:
    """Value and sd of log of what a level stands for or claims (forms ``level``, ``bound``); KeyError if none."""
    table = effect_table()
    row = table[(table["condition"] == condition) & (table["level"] == level) & (table["quantity"] == quantity)]
    row = row[row["form"].isin(["level", "bound"])]
    if len(row) != 1:
        raise KeyError(f"{EFFECTS}: no {quantity} of {condition}:{level}")
    return float(row["value"].iloc[0]), float(row["sd_log"].iloc[0])


def from_creatinine(condition: Condition) -> tuple[float, ...]:
    """Factor on a GFR estimated from creatinine alone and its sd of log under a condition; empty if there is none."""
    table = effect_table()
    row = table[(table["condition"] == condition.name) & (table["level"] == condition.level)]
    row = row[row["form"] == "from_creatinine"]
    return (float(row["value"].iloc[0]), float(row["sd_log"].iloc[0])) if len(row) else ()


def conditions_of(
    texts: Sequence[object], file: str = "twins.tsv", column: str = "conditions"
) -> tuple[list[tuple[Condition, ...]], list[Finding]]:
    """Conditions of every person from the texts of a sheet, and what could not be read.

    Parameters
    ----------
    texts : one a person; ``name:level`` joined by ``;``; empty, missing, ``none`` or ``healthy`` = no condition.
    file, column : of the sheet, for findings; the first text stands in row 2.

    Returns
    -------
    conditions : one sorted tuple a person; parts that could not be read are left out, and then there is a finding.
    findings : all of severity error.
    """
    read: dict[str, tuple[tuple[Condition, ...], tuple[tuple[str, str, str, str], ...]]] = {}
    conditions: list[tuple[Condition, ...]] = []
    findings: list[Finding] = []
    for i, value in enumerate(texts):
        text = "" if value is None or value is pd.NA or value != value else str(value)
        if text not in read:
            read[text] = _read(text)
        found, problems = read[text]
        conditions.append(found)
        for rule, what, why, fix in problems:
            findings.append(Finding.create(rule, file, what, why, fix, row=i + 2, column=column, value=text))
    return conditions, findings


def _read(text: str) -> tuple[tuple[Condition, ...], tuple[tuple[str, str, str, str], ...]]:
    found: list[Condition] = []
    problems: list[tuple[str, str, str, str]] = []
    for part in text.split(";"):
        part = part.strip()
        if part.lower() in NONE:
            continue
        try:
            found.append(_one(part))
        except _Unreadable as error:
            problems.append(error.args)
    names = [c.name for c in found]
    for name in dict.fromkeys(n for n in names if names.count(n) > 1):
        why = "a person has one level of a condition"
        problems.append(("conditions.twice", f"{name} is given more than once", why, "leave one"))
    for i, one in enumerate(found):
        for other in found[i + 1 :]:
            if one.name != other.name:
                _, rule, reason = pair_rule(one.name, other.name)
                if rule == "refused":
                    fix = "keep the one that matters, or leave the twin out"
                    problems.append(("conditions.pair", f"{one.name} with {other.name} is refused", reason, fix))
    return tuple(sorted(found)), tuple(problems)


class _Unreadable(ValueError):
    """args: rule, what, why, fix."""


def _one(part: str) -> Condition:
    name, _, level = (piece.strip() for piece in part.partition(":"))
    name = name.lower()
    refused = not_covered()
    for key in (name, f"{name}:{level.lower()}"):
        if key in refused:
            fix = "remove the condition if you accept a body without it, or leave the twin out"
            raise _Unreadable("conditions.not_covered", f"{key} is not covered", refused[key], fix)
    known = levels()
    if name not in known:
        why = "its effect on the body is not known here, and nothing is passed over in silence"
        raise _Unreadable("conditions.unknown", f"unknown condition {name!r}", why, f"use one of {', '.join(known)}")
    if name == "pregnancy" and (match := _WEEK.fullmatch(level.lower())):
        week = float(match[1]) + float(match[2] or 0) / 7.0
        if not 0.0 < week <= LAST_WEEK:
            why = f"the curves of pregnancy are fitted from 0 to {LAST_WEEK:g} weeks"
            raise _Unreadable("conditions.week", f"gestational age {week:g} weeks", why, "give weeks within that range")
        return Condition(name, "week", week)
    for candidate in known[name]:
        if candidate.lower() == level.lower():
            if name == "pregnancy":
                return Condition(name, "week", level_value(name, candidate, "week")[0])
            return Condition(name, candidate)
    choices = ", ".join(known[name]) + (" or weeks such as 24wk or 24+3wk" if name == "pregnancy" else "")
    why = "the size of its effects depends on the level"
    raise _Unreadable("conditions.level", f"{name} has no level {level!r}", why, f"write {name}: and one of {choices}")


def condition_findings(
    conditions: Sequence[tuple[Condition, ...]], people: People, file: str = "twins.tsv", column: str = "conditions"
) -> list[Finding]:
    """What speaks against the conditions of these people: age, sex, missing or contradicting GFR and BMI.

    Errors: age or sex outside the validity of a condition, ``ckd`` without a healthy GFR to compare with.
    Warnings: eGFR outside the stage (the GFR counts, not the stage), BMI below the level of obesity, GFR estimated from
    creatinine in pregnancy, in cirrhosis B and C, and in severe obesity with kidney disease, heart failure without a
    GFR. Notes: GFR taken from the stage, GFR factor of cirrhosis or pregnancy not applied, a low GFR without ``ckd``.
    """
    found: list[Finding] = []
    for i, given in enumerate(conditions):
        said = [(c.text(), problem) for c in given for problem in _against(c, people, i)]
        said += [("; ".join(c.text() for c in given), problem) for problem in _against_all(given, people, i)]
        for text, (rule, what, why, fix, severity) in said:
            found.append(
                Finding.create(rule, file, what, why, fix, row=i + 2, column=column, value=text, severity=severity)
            )
    return found


#: conditions that say themselves what the kidney does, or with which kidney disease is refused
OWN_KIDNEY = ("ckd", "child_pugh", "pregnancy")


def _against_all(given: tuple[Condition, ...], people: People, i: int) -> list[tuple[str, str, str, str, str]]:
    found, names = [], {c.name for c in given}
    ratio = float(people.egfr[i] / people.healthy_gfr[i])
    if not names & set(OWN_KIDNEY) and ratio < level_value("ckd", "*", "unflagged_said")[0]:
        adult = people.age_y[i] >= validity("ckd")[0]
        what = f"GFR {people.egfr[i]:.3g} mL/min/1.73m2 is {ratio:.2f} of the healthy GFR of that age, without ckd: "
        what += "treated as chronic kidney disease" if adult else "blood flow of the kidney is lowered with it"
        why = "kidney and body follow a low GFR" if adult else "other effects of kidney disease were found in adults"
        found.append(
            ("conditions.low_gfr", what, why, "write ckd if that is so; check creatinine and its unit", "note")
        )
    if "nyha" in names and "ckd" not in names and not np.isfinite(people.egfr[i]):
        what = "GFR is what is typical of a healthy person, though the flow of the kidney falls"
        why = "no source read has a factor of GFR by class, and it is often low in heart failure"
        fix = "give creatinine, cystatin C or a measured GFR"
        found.append(("conditions.no_gfr", what, why, fix, "warning"))
    if {"ckd", "obesity"} <= names and people.from_creatinine[i]:
        what, why = (
            f"GFR from creatinine at BMI {people.bmi[i]:.3g}",
            "equations from creatinine err at extreme body size",
        )
        found.append(("conditions.creatinine", what, why, "give a measured clearance or cystatin C", "warning"))
    return found


@cache
def validity(name: str) -> tuple[float, float, str]:
    """Youngest and oldest age (years; inf where open) and sex ("F" or "") that a condition holds for."""
    rows = effect_table()
    rows = rows[rows["condition"] == name]
    oldest = float(rows["max_age_y"].min())
    sex = "F" if (rows["sex"] == "F").any() else ""
    return float(rows["min_age_y"].max()), oldest if np.isfinite(oldest) else np.inf, sex


def _against(c: Condition, people: People, i: int) -> list[tuple[str, str, str, str, str]]:
    found = []
    low, high, sex = validity(c.name)
    age, gfr = float(people.age_y[i]), float(people.egfr[i])
    if not low <= age <= high:
        what = f"{c.name} at age {age:g}, outside {low:g}-{high:g} years"
        why = "its effects were found in adults" if not sex else "no pregnancy is expected there"
        found.append(("conditions.age", what, why, "check the age; leave the twin out", "error"))
    elif sex and age < 18:
        what = f"{c.name} at age {age:g}"
        why = "its effects were found in women of about 20-40 years"
        found.append(("conditions.age", what, why, "read the result with caution", "warning"))
    if sex and not people.female[i]:
        found.append(("conditions.sex", f"{c.name} of a man", "impossible", "check sex and condition", "error"))
    if c.name == "ckd":
        found += _against_ckd(c, gfr, float(people.healthy_gfr[i]))
    elif c.name == "child_pugh" and people.from_creatinine[i] and from_creatinine(c):
        factor, extra = from_creatinine(c)
        what = f"GFR from creatinine is multiplied by {factor:g}, sd of its logarithm widened by {extra:g}"
        why = "in cirrhosis of class B and C little creatinine is made, and equations read too high"
        fix = "give a measured clearance, or creatinine and cystatin C"
        found.append(("conditions.creatinine", what, why, fix, "warning"))
    elif np.isfinite(gfr) and c.name == "child_pugh":
        what, why = "GFR is as given, the factor of cirrhosis is not applied", "it would count kidney function twice"
        found.append(("conditions.gfr_given", what, why, "nothing to do", "note"))
    elif np.isfinite(gfr) and c.name == "pregnancy":
        what = "GFR is as given, the factor of pregnancy is not applied"
        if people.gfr_measured[i]:
            found.append(("conditions.gfr_given", what, "it would count twice", "nothing to do", "note"))
        else:
            why = "equations from creatinine underestimate GFR in pregnancy"
            fix = "give a measured clearance, or no creatinine"
            found.append(("conditions.creatinine", f"{what}, though it is an estimate", why, fix, "warning"))
    elif c.name == "obesity":
        least = level_value(c.name, c.level, "bmi_from")[0]
        if not people.bmi[i] >= least:
            what, why = (
                f"BMI {people.bmi[i]:.3g} is below {least:g} kg/m2",
                "the enzyme effects are those of severe obesity",
            )
            found.append(("conditions.bmi", what, why, "check weight and height, or remove the condition", "warning"))
    return found


def _against_ckd(c: Condition, gfr: float, healthy: float) -> list[tuple[str, str, str, str, str]]:
    found = []
    if not healthy > 0:
        why = "effects of kidney disease are relative to it"
        found.append(("conditions.healthy_gfr", "healthy GFR is not known", why, "give age and sex", "error"))
    low, high = (level_value(c.name, c.level, q)[0] for q in ("egfr_from", "egfr_below"))
    if not np.isfinite(gfr):
        mid = level_value(c.name, c.level, "egfr")[0]
        what, why = f"GFR set to {mid:g} mL/min/1.73m2, the middle of {c.level}", "no GFR or creatinine is given"
        found.append(("conditions.gfr_from_stage", what, why, "give creatinine or a measured GFR", "note"))
    elif not low <= gfr < high:
        what = f"eGFR {gfr:.3g} mL/min/1.73m2 is not {c.level} ({low:g} to {high:g}); the eGFR counts"
        why = "stage and kidney function contradict each other"
        found.append(("conditions.stage", what, why, "check creatinine and its unit, or the stage", "warning"))
    return found
