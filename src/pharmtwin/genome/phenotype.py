"""Function, activity score, phenotype and relative clearance of a diplotype, all read from ``resources/genes``.

Unknown is never normal: an allele without an assigned function has no activity value, a diplotype with such an
allele no activity score, and its phenotype is what the scheme says of unknown function (mostly Indeterminate).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.interpolate import PchipInterpolator

from pharmtwin.facts import fact_table
from pharmtwin.genome.definitions import rows_of

INDETERMINATE = "Indeterminate"
SCORE_GENES = ("CYP2D6", "CYP2C9")


class UnknownAllele(KeyError):
    """An allele that the function table does not list; the message names gene and allele."""


def components(allele: str) -> list[tuple[str, float | None]]:
    """Copies on one chromosome: ``"*36+*10" -> [("*36", 1), ("*10", 1)]``, ``"*1x2" -> [("*1", 2)]``.

    Sub-allele suffixes are dropped (``*4.013`` is ``*4``). ``x>=3`` (also written with the sign) counts as 3, the
    least it can be; ``xN`` has no number: None. Raises ValueError if the text is not an allele.
    """
    out: list[tuple[str, float | None]] = []
    for part in allele.split("+"):
        match = re.fullmatch(r"(\*\d+)(?:\.\d+)?(?:x(?:(?:≥|>=)?(\d+)|(N)))?", part)
        if not match:
            raise ValueError(f"{allele!r} is not a star allele such as *1, *2x2 or *36+*10")
        out.append((match[1], None if match[3] else float(match[2] or 1)))
    return out


@cache
def _functions(gene: str) -> dict[str, tuple[str, float | None]]:
    table = fact_table("genes/functions.tsv")
    table = table[table["gene"] == gene]
    return {
        str(r.allele): (str(r.function), None if pd.isna(r.activity_value) else float(r.activity_value))
        for r in rows_of(table)
    }


def is_known(gene: str, allele: str) -> bool:
    """Whether every copy of a full allele is in our function table (its function may still be unknown)."""
    table = _functions(gene)
    return allele in table or all(name in table for name, _ in components(allele))


def activity_value(gene: str, allele: str) -> float | None:
    """Activity value of a full allele: table value, else the sum over its copies; None if any is unknown.

    Raises UnknownAllele for an allele outside the table. Caudle 2020, doi:10.1111/cts.12692.
    """
    table = _functions(gene)
    if allele in table:
        return table[allele][1]
    total = 0.0
    for name, copies in components(allele):
        if name not in table:
            raise UnknownAllele(f"{gene} {name} is not in genes/functions.tsv")
        value = table[name][1]
        if value is None or (copies is None and value > 0):
            return None
        total += value * (copies or 0.0)
    return total


def activity_score(gene: str, diplotype: str) -> float | None:
    """Sum of the two activity values; None for a gene without scores or an allele of unknown function."""
    if gene not in SCORE_GENES:
        return None
    values = [activity_value(gene, a) for a in diplotype.split("/")]
    return None if None in values else float(sum(v for v in values if v is not None))


@cache
def phenotype(gene: str, diplotype: str, scheme: str = "cpic2020") -> str:
    """Phenotype by the named scheme; Indeterminate where the scheme has no entry.

    Raises KeyError for a scheme without rows for the gene, UnknownAllele for an allele outside the tables.
    """
    rows = _rules(gene, scheme)
    if gene in SCORE_GENES:
        score = activity_score(gene, diplotype)
        for row in rows:
            if score is not None and _inside(score, row):
                return str(row.phenotype)
        return INDETERMINATE
    functions = _functions(gene)
    missing = [a for a in diplotype.split("/") if a not in functions]
    if missing:
        raise UnknownAllele(f"{gene} {missing[0]} is not in genes/functions.tsv")
    pair = sorted(functions[a][0] for a in diplotype.split("/"))
    for row in rows:
        if sorted((str(row.function_1), str(row.function_2))) == pair:
            return str(row.phenotype)
    return INDETERMINATE


@cache
def _rules(gene: str, scheme: str) -> list[Any]:
    table = fact_table("genes/phenotypes.tsv")
    rows = table[(table["gene"] == gene) & (table["scheme"] == scheme)]
    if rows.empty:
        raise KeyError(f"scheme {scheme!r} has no phenotypes for {gene}; see genes/phenotypes.tsv")
    return rows_of(rows)


def _inside(score: float, row: Any) -> bool:
    above = score >= row.lower if row.lower_closed else score > row.lower
    below = pd.isna(row.upper) or (score <= row.upper if row.upper_closed else score < row.upper)
    return bool(above and below)


@cache
def _curve(gene: str, map_name: str) -> tuple[PchipInterpolator, tuple[float, ...], tuple[float, ...]]:
    table = fact_table("genes/activity_to_clearance.tsv")
    rows = table[(table["gene"] == gene) & (table["map_name"] == map_name)].sort_values("activity_score")
    if rows.empty:
        known = sorted(set(table["gene"] + ":" + table["map_name"]))
        raise KeyError(f"no map {map_name!r} from activity score to clearance for {gene}; there are {known}")
    x = rows["activity_score"].to_numpy(dtype=float)
    y = rows["relative_clearance"].to_numpy(dtype=float)
    return PchipInterpolator(x, y), tuple(x), tuple(y)


def relative_clearance(
    score: npt.ArrayLike, map_name: str = "mean_curve", gene: str = "CYP2D6"
) -> npt.NDArray[np.float64]:
    """Intrinsic clearance relative to activity score 2 (dimensionless), same shape as ``score``.

    Monotone PCHIP (Fritsch & Butland 1984) between the table's scores; beyond the last one (3) linear with the
    slope of the last two points, an extrapolation without data. Raises KeyError (map), ValueError (score < 0).
    """
    values = np.asarray(score, dtype=np.float64)
    if (values < 0).any():
        raise ValueError("an activity score is not negative")
    curve, x, y = _curve(gene, map_name)
    slope = (y[-1] - y[-2]) / (x[-1] - x[-2])
    out: npt.NDArray[np.float64] = np.where(
        values <= x[-1], curve(np.minimum(values, x[-1])), y[-1] + slope * (values - x[-1])
    )
    return out
