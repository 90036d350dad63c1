"""Forms of a map from the values of two CYP2D6 alleles to the enzyme's activity, relative to two normal alleles.

Values are CPIC's activity values: 0, 0.25 (``*10`` and others of decreased function by its later table), 0.5 (``*9``,
``*41``), 1, 2 of a duplication.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.interpolate import PchipInterpolator

from pharmtwin.facts import fact_table

Pair = tuple[float, float]
#: pairs of alleles' values and their weights
PairMixture = tuple[tuple[Pair, float], ...]
STAR10 = 0.25  # activity value that stands for *10 (functions.tsv)


@dataclass(frozen=True)
class Form:
    """A named form. of : (pair, parameters, drug left out) -> relative activity. bounds : of parameters, above 0."""

    name: str
    meaning: str
    names: tuple[str, ...]
    bounds: tuple[tuple[float, float], ...]
    of: Callable[[Pair, Sequence[float], str], float]

    def activity(self, x: Sequence[float], drug: str = "") -> Callable[[Pair], float]:
        """Relative activity of a pair at some parameters."""
        return lambda pair: self.of(pair, x, drug)


def _power(pair: Pair, x: Sequence[float], drug: str) -> float:
    return float((sum(pair) / 2.0) ** x[0])


def _linear(pair: Pair, x: Sequence[float], drug: str) -> float:
    return sum(pair) / 2.0


def _additive(pair: Pair, x: Sequence[float], drug: str) -> float:
    return float(sum(v ** x[0] if v <= 1.0 else v for v in pair) / 2.0)


def _star10(pair: Pair, x: Sequence[float], drug: str) -> float:
    return float((sum(x[1] if v == STAR10 else v for v in pair) / 2.0) ** x[0])


def _floor(pair: Pair, x: Sequence[float], drug: str) -> float:
    """A floor for anyone with an active allele."""
    return x[1] + (1.0 - x[1]) * _power(pair, x, drug) if sum(pair) > 0 else 0.0


def _alleles(pair: Pair, x: Sequence[float], drug: str) -> float:
    """Own values of *10 and of 0.5 (*41, *9), added; normal 1."""
    own = {STAR10: x[0], 0.5: x[1]}
    return sum(own.get(v, v) for v in pair) / 2.0


@cache
def published_curves() -> dict[str, dict[float, float]]:
    """kcat by activity score of published PBPK models, by drug (``qualification/cyp2d6_published_curves.tsv``)."""
    out: dict[str, dict[float, float]] = {}
    table = fact_table("qualification/cyp2d6_published_curves.tsv")
    for drug, score, kcat in zip(table["drug"], table["score"], table["kcat"], strict=True):
        out.setdefault(str(drug), {})[float(score)] = float(kcat)
    return out


def _curve(pair: Pair, x: Sequence[float], drug: str) -> float:
    """Mean over the published models but that of the drug left out, of log activity against log score."""
    score = sum(pair)
    if score == 0:
        return 0.0
    logs = []
    for name, kcat in published_curves().items():
        if name == drug:
            continue
        s, k = np.log(list(kcat)), np.log(np.array(list(kcat.values())) / kcat[2.0])
        at = np.log(score)
        ends = (k[1] - k[0]) / (s[1] - s[0]), (k[-1] - k[-2]) / (s[-1] - s[-2])
        if at < s[0]:
            logs.append(k[0] + ends[0] * (at - s[0]))
        elif at > s[-1]:
            logs.append(k[-1] + ends[1] * (at - s[-1]))
        else:
            logs.append(float(PchipInterpolator(s, k)(at)))
    return float(np.exp(np.mean(logs)))


FORMS = (
    Form("power", "(AS/2)^g", ("g",), ((0.7, 4.0),), _power),
    Form("linear", "AS/2", (), (), _linear),
    Form("additive", "mean of the alleles' values^g", ("g",), ((0.7, 4.0),), _additive),
    Form("power_star10", "power, with a value of its own for *10", ("g", "star10"), ((0.7, 4.0), (0.03, 0.9)), _star10),
    Form("power_floor", "f0 + (1-f0)(AS/2)^g above score 0", ("g", "f0"), ((0.7, 4.0), (0.003, 0.3)), _floor),
    Form("alleles", "mean of the alleles' values, own ones for *10 and *41", ("star10", "star41"),
         ((0.03, 0.9), (0.03, 0.9)), _alleles),
    Form("mean_curve", "published PBPK models but the drug's own", (), (), _curve),
)  # fmt: skip
BY_NAME = {f.name: f for f in FORMS}
