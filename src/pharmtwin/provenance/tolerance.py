"""Results of two machine classes: equal within the tolerances of ``resources/rerun_tolerance.tsv``.

Each row there gives file and column patterns (the first that fits counts), a rule, its value and where it is from:
``same`` (equal), ``relative`` (of the larger absolute value), ``absolute``, ``interval`` (of the row's own 90 or
95 % interval, the wider of the two runs) and ``skip`` (not compared, for the reason given).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd

from pharmtwin.facts import fact_table
from pharmtwin.tables import records

#: columns that bound an interval, in the order in which they are looked for
INTERVALS = (("lo90", "hi90"), ("q05", "q95"), ("lo95", "hi95"), ("S1_lo", "S1_hi"))
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class Rule:
    """One row of the resource."""

    file: str
    column: str
    rule: str
    value: float
    why: str


@dataclass(frozen=True)
class Judged:
    """One file: what breaks a tolerance (empty: within), and what was not compared and why."""

    file: str
    problems: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


def rules() -> list[Rule]:
    """The resource, in its order."""
    table = fact_table("rerun_tolerance.tsv").fillna({"value": 0.0})
    return [Rule(r.file, r.column, r.rule, float(r.value), r.source) for r in records(table)]


def rule_for(known: Iterable[Rule], file: str, column: str) -> Rule:
    """The first rule that fits; without one everything has to be the same."""
    fits = (r for r in known if fnmatchcase(file, r.file) and fnmatchcase(column, r.column))
    return next(fits, Rule(file, column, "same", 0.0, "no tolerance is stated"))


def read_result(path: Path) -> pd.DataFrame:
    """A table of the results (.parquet or .tsv) as it is, whatever its schema was when it was written."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, sep="\t", keep_default_na=False, na_values=[""])


def _allowed(rule: Rule, a: np.ndarray, b: np.ndarray, one: pd.DataFrame, other: pd.DataFrame) -> np.ndarray | float:
    if rule.rule == "relative":
        return rule.value * np.maximum(np.abs(a), np.abs(b))
    if rule.rule == "absolute":
        return rule.value
    if rule.rule == "interval":
        low, high = next((p for p in INTERVALS if set(p) <= set(one.columns)), ("", ""))
        if not low:
            raise ValueError(f"{rule.file} {rule.column}: rule interval, but the table has none of {INTERVALS}")
        widths = [(f[high] - f[low]).to_numpy(dtype=float) for f in (one, other)]
        return rule.value * np.fmax(*widths)
    return 0.0


def _judge_column(rule: Rule, name: str, one: pd.DataFrame, other: pd.DataFrame) -> str:
    """What breaks the rule in a column, "" if nothing."""
    a, b = one[name], other[name]
    if rule.rule == "same" or not (pd.api.types.is_numeric_dtype(a) and pd.api.types.is_numeric_dtype(b)):
        wrong = ~((a == b).fillna(False).to_numpy(dtype=bool) | (a.isna() & b.isna()).to_numpy(dtype=bool))
        k = int(wrong.argmax()) if wrong.any() else 0
        return f"{name}: {wrong.sum()} rows differ, the first: data row {k + 1}" if wrong.any() else ""
    x, y = a.to_numpy(dtype=float, na_value=np.nan), b.to_numpy(dtype=float, na_value=np.nan)
    near = np.isfinite(x) & np.isfinite(y) & (np.abs(x - y) <= _allowed(rule, x, y, one, other))
    inside = near | (x == y) | (np.isnan(x) & np.isnan(y))
    if inside.all():
        return ""
    k = int(np.argmax(np.where(inside, -1.0, np.nan_to_num(np.abs(x - y), nan=np.inf))))
    return (
        f"{name}: {(~inside).sum()} of {len(x)} rows outside {rule.rule} {rule.value:g}, the furthest: data row "
        f"{k + 1}, {x[k]:.6g} and {y[k]:.6g}"
    )


def judge_table(file: str, one: Path, other: Path, known: list[Rule]) -> Judged:
    """Two tables by column; rows are compared in file order, and what is no number has to be the same."""
    a, b = read_result(one), read_result(other)
    if list(a.columns) != list(b.columns) or len(a) != len(b):
        return Judged(file, (f"{file}: {len(a)} rows x {len(a.columns)} columns and {len(b)} x {len(b.columns)}",))
    problems, skipped = [], []
    for name in a.columns:
        rule = rule_for(known, file, name)
        if rule.rule == "skip":
            skipped.append(f"{file} {name}: {rule.why}")
        elif said := _judge_column(rule, name, a, b):
            problems.append(f"{file}: {said}")
    return Judged(file, tuple(problems), tuple(skipped))


def judge_text(file: str, one: Path, other: Path, rule: Rule) -> Judged:
    """Two texts: words the same, numbers within a relative tolerance."""
    first, second = (p.read_text(encoding="utf-8") for p in (one, other))
    if NUMBER.split(first) != NUMBER.split(second):
        return Judged(file, (f"{file}: the words differ",))
    pairs = zip(map(float, NUMBER.findall(first)), map(float, NUMBER.findall(second)), strict=True)
    outside = [(x, y) for x, y in pairs if not math.isclose(x, y, rel_tol=rule.value)]
    said = f"{file}: {len(outside)} numbers outside relative {rule.value:g}" if outside else ""
    return Judged(file, (f"{said}, the first: {outside[0][0]:.6g} and {outside[0][1]:.6g}",) if outside else ())


def judge(file: str, one: Path, other: Path, known: list[Rule]) -> Judged:
    """One result of two runs whose bytes differ, by the rules; ``one`` and ``other``: folders of the results."""
    rule = rule_for(known, file, "*")
    if file.endswith((".parquet", ".tsv")) and rule.rule != "skip":
        return judge_table(file, one / file, other / file, known)
    if rule.rule == "skip":
        return Judged(file, skipped=(f"{file}: {rule.why}",))
    if rule.rule == "relative":
        return judge_text(file, one / file, other / file, rule)
    return Judged(file, (f"{file}: differs, and {rule.why}",))


def judge_all(files: Iterable[str], one: Path, other: Path) -> list[Judged]:
    """:func:`judge` for every file."""
    known = rules()
    return [judge(f, one, other, known) for f in files]
