"""An uncertain input: its name, its distribution by quantiles, its source, and which inputs it belongs together with.

Inputs are independent of each other unless they stand in one ``group`` and a correlation is stated for the pair; a
group is what a sensitivity analysis varies as one, so that its indices stay those of independent factors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtr, ndtri

Floats = NDArray[np.float64]
#: family -> what its arguments are; discrete: any number of (value, weight) in turn
FAMILIES = {
    "lognormal": ("median", "sd of the logarithm"),
    "normal": ("mean", "sd"),
    "uniform": ("low", "high"),
    "loguniform": ("low", "high"),
    "beta": ("a", "b"),
    "discrete": ("value", "weight"),
}
UNBOUNDED = ("lognormal", "normal")
#: what an input is: it decides who can learn more about it
KINDS = ("drug", "people", "genotype", "body", "adherence", "model", "dummy")
DUMMY = "dummy"
#: probabilities are kept this far from 0 and 1 (a scrambled sequence may hold 0)
EDGE = 2.0**-33


@dataclass(frozen=True)
class Law:
    """A distribution; ``arguments`` as in :data:`FAMILIES`."""

    family: str
    arguments: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raises ValueError for an unknown family or impossible arguments."""
        a, family = self.arguments, self.family
        if family not in FAMILIES:
            raise ValueError(f"distribution {family!r} is not one of {', '.join(FAMILIES)}")
        wanted = len(FAMILIES[family])
        if (family == "discrete" and (len(a) % 2 or not a)) or (family != "discrete" and len(a) != wanted):
            raise ValueError(f"{family} needs {', '.join(FAMILIES[family])}, not {list(a)}")
        if not np.all(np.isfinite(a)):
            raise ValueError(f"{family}{a}: an argument is not finite")
        spread = family in UNBOUNDED and a[1] < 0
        order = family in ("uniform", "loguniform") and not a[0] < a[1]
        positive = (family in ("lognormal", "loguniform") and a[0] <= 0) or (family == "beta" and min(a) <= 0)
        weights = family == "discrete" and (min(a[1::2]) < 0 or sum(a[1::2]) <= 0 or list(a[::2]) != sorted(a[::2]))
        if spread or order or positive or weights:
            raise ValueError(f"{family}{a}: no such distribution ({', '.join(FAMILIES[family])})")

    def quantile(self, u: Floats) -> Floats:
        """Values at probabilities ``u`` (any shape, within 0 to 1)."""
        p = np.clip(np.asarray(u, dtype=float), EDGE, 1.0 - EDGE)
        a = self.arguments
        if self.family == "lognormal":
            return np.asarray(a[0] * np.exp(a[1] * ndtri(p)))
        if self.family == "normal":
            return np.asarray(a[0] + a[1] * ndtri(p))
        if self.family == "uniform":
            return np.asarray(a[0] + (a[1] - a[0]) * p)
        if self.family == "loguniform":
            return np.asarray(a[0] * np.exp(np.log(a[1] / a[0]) * p))
        if self.family == "beta":
            return np.asarray(betaincinv(a[0], a[1], p))
        share = np.cumsum(a[1::2]) / sum(a[1::2])
        pick = np.minimum(np.searchsorted(share, p, side="right"), len(share) - 1)
        return np.asarray(a[::2], dtype=float)[pick]

    @property
    def sd(self) -> float:
        """Second argument of a normal law, or of a log-normal one (sd of the logarithm)."""
        if self.family not in UNBOUNDED:
            raise ValueError(f"{self.family} has no sd among its arguments")
        return self.arguments[1]

    def text(self) -> str:
        """In words, for tables."""
        if self.family == "discrete":
            pairs = zip(self.arguments[::2], self.arguments[1::2], strict=True)
            return f"discrete({', '.join(f'{v:.4g}: {w:.3g}' for v, w in pairs)})"
        return f"{self.family}({', '.join(f'{x:.4g}' for x in self.arguments)})"


@dataclass(frozen=True)
class Input:
    """One uncertain input.

    Attributes
    ----------
    name : unique. law : of its value; where ``typical`` is a number, of a factor on it.
    kind : one of :data:`KINDS`. acts_on : what it moves, in the words of who runs the model.
    typical, unit : value that the factor multiplies (None: the law is of the value itself), and its unit.
    meaning, source : for tables. group : inputs of one group are varied as one ("": alone).
    """

    name: str
    law: Law
    kind: str
    acts_on: str
    source: str
    meaning: str = ""
    unit: str = "1"
    typical: float | None = None
    group: str = ""

    def value(self, drawn: float) -> float:
        """What a drawn number means in the input's unit."""
        return drawn if self.typical is None else drawn * self.typical


def factor(name: str, sd_log: float, kind: str, acts_on: str, source: str, **more: object) -> Input:
    """A log-normal factor of median 1."""
    return Input(name, Law("lognormal", (1.0, float(sd_log))), kind, acts_on, source, **more)  # type: ignore[arg-type]


def dummy() -> Input:
    """An input that touches nothing: whatever is found for it is noise."""
    return Input(DUMMY, Law("uniform", (0.0, 1.0)), DUMMY, "nothing", "definition", "acts on nothing: the noise floor")


Correlations = Mapping[tuple[str, str], float]


def check(inputs: Sequence[Input], correlations: Correlations | None = None) -> None:
    """Raises ValueError for names that stand twice, and for correlations across groups or of no normal law."""
    names = [i.name for i in inputs]
    wrong = [f"input {n!r} is declared twice" for n in sorted({n for n in names if names.count(n) > 1})]
    wrong += [f"input {i.name!r}: kind {i.kind!r} is not one of {KINDS}" for i in inputs if i.kind not in KINDS]
    by_name = {i.name: i for i in inputs}
    for (a, b), r in (correlations or {}).items():
        if a not in by_name or b not in by_name or a == b:
            wrong.append(f"the correlation of {a!r} and {b!r} names no pair of inputs")
        elif not by_name[a].group or by_name[a].group != by_name[b].group:
            wrong.append(f"{a!r} and {b!r} are correlated: they must stand in one group, to be varied as one")
        elif not -1 < r < 1:
            wrong.append(f"the correlation of {a!r} and {b!r} is {r}")
    if wrong:
        raise ValueError("\n".join(wrong))


def values(inputs: Sequence[Input], u: Floats, correlations: Correlations | None = None) -> Floats:
    """Values of all inputs at points of the unit cube.

    Parameters
    ----------
    u : (n, n_inputs) independent probabilities. correlations : of the normal scores of pairs within a group.

    Returns
    -------
    (n, n_inputs). Inputs without a correlation are plain quantiles of their own column.
    """
    u = np.asarray(u, dtype=float)
    out = np.empty_like(u)
    partner: dict[int, set[int]] = {}
    at = {i.name: k for k, i in enumerate(inputs)}
    pairs = {(at[a], at[b]): r for (a, b), r in (correlations or {}).items() if a in at and b in at and r}
    for a, b in pairs:
        partner.setdefault(a, set()).add(b)
        partner.setdefault(b, set()).add(a)
    blocks: dict[str, list[int]] = {}
    for k in partner:
        blocks.setdefault(inputs[k].group, []).append(k)
    linked = u
    if blocks:
        linked = u.copy()
        for members in blocks.values():
            members.sort()
            matrix = np.eye(len(members))
            for i, a in enumerate(members):
                for j, b in enumerate(members):
                    if i != j:
                        matrix[i, j] = pairs.get((a, b), pairs.get((b, a), 0.0))
            root = np.linalg.cholesky(matrix)
            scores = ndtri(np.clip(u[:, members], EDGE, 1.0 - EDGE))
            # term by term: the same to the last bit however many points come at once
            for i, a in enumerate(members):
                linked[:, a] = ndtr(sum(root[i, j] * scores[:, j] for j in range(i + 1)))
    for k, item in enumerate(inputs):
        out[:, k] = item.law.quantile(linked[:, k])
    return out
