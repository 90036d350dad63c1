"""Where importance sampling draws from: a mixture of Student t around the modes of every hypothesis, and the prior.

The part that is drawn from the prior bounds the weights: a posterior is never more than the likelihood's maximum times
its prior (defensive importance sampling: Hesterberg 1995, Technometrics 37:185). Numbers of draws are set, not drawn,
and the density is that of the mixture with these numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: a part has at least so many draws, so that no hypothesis goes unseen
LEAST = 2
#: the scale of a moved part over the covariance of its draws; effective draws an effect that tell where it belongs
WIDER, TELL = 1.3, 5.0
#: share of the moving draws that a new part gets
LACKING = 0.2


@dataclass(frozen=True)
class Part:
    """A Student t of the whitened effects z (m,) under a hypothesis: centre, root L of the scale, share of the draws.

    ``stays``: it is the prior's, and is never moved.
    """

    case: int
    centre: Floats
    L: Floats
    share: float
    stays: bool = False


@dataclass(frozen=True)
class Proposal:
    """Parts and their degrees of freedom."""

    parts: tuple[Part, ...]
    nu: float

    def counts(self, n: int) -> Ints:
        """Draws of each part: by share, the largest remainders rounded up, at least ``LEAST``; n or a few more."""
        share = np.array([p.share for p in self.parts])
        exact = share / share.sum() * n
        counts = np.floor(exact).astype(np.int64)
        short = np.argsort(-(exact - counts), kind="stable")[: n - int(counts.sum())]
        counts[short] += 1
        return np.maximum(counts, LEAST)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Floats, Ints, Floats]:
        """About n draws z, their hypotheses (ascending) and the log density of each (z, hypothesis)."""
        counts = self.counts(n)
        drawn = []
        for part, count in zip(self.parts, counts, strict=True):
            scale = np.sqrt(self.nu / rng.chisquare(self.nu, size=count))
            normal = rng.standard_normal((count, len(part.centre)))
            drawn.append(part.centre + (scale[:, None] * normal) @ part.L.T)
        z = np.concatenate(drawn)
        case = np.repeat([p.case for p in self.parts], counts)
        order = np.argsort(case, kind="stable")
        z, case = z[order], case[order].astype(np.int64)
        return z, case, logsumexp(self.log_parts(z, case, counts), axis=1)

    def log_parts(self, z: Floats, case: Ints, counts: Ints) -> Floats:
        """Log density of every part, times its share of the draws: (n, parts); -inf for other hypotheses."""
        out = np.full((len(z), len(self.parts)), -np.inf)
        m = z.shape[1]
        constant = gammaln(0.5 * (self.nu + m)) - gammaln(0.5 * self.nu) - 0.5 * m * np.log(self.nu * np.pi)
        for j, part in enumerate(self.parts):
            mine = case == part.case
            white = np.linalg.solve(part.L, (z[mine] - part.centre).T)
            q = np.sum(white * white, axis=0)
            log_det = np.linalg.slogdet(part.L)[1]
            size = np.log(counts[j] / counts.sum())
            out[mine, j] = size + constant - log_det - 0.5 * (self.nu + m) * np.log1p(q / self.nu)
        return out

    def moved(self, z: Floats, case: Ints, w: Floats, counts: Ints) -> Proposal:
        """The mixture moved to weighted draws (weights w add up to 1): each part to those that it is likely to have
        drawn, a little wider (Cappe 2008, Stat Comput 18:447), and a new part where it lacked most.
        """
        logs = self.log_parts(z, case, counts)
        r = w[:, None] * np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
        total = r.sum(axis=0)
        moving = sum(p.share for p in self.parts if not p.stays)
        found = sum(t for p, t in zip(self.parts, total, strict=True) if not p.stays)
        parts = []
        for j, part in enumerate(self.parts):
            if part.stays or not found > 0:
                parts.append(part)
                continue
            share, p = moving * total[j] / found, r[:, j] / max(total[j], 1e-300)
            if np.sum(p) < 0.5 or 1.0 / np.sum(p * p) < TELL * z.shape[1]:
                parts.append(replace(part, share=share))
                continue
            centre = p @ z
            d = z - centre
            scale = WIDER * (d * p[:, None]).T @ d + 1e-8 * np.eye(z.shape[1])
            parts.append(Part(part.case, centre, np.linalg.cholesky(scale), share))
        return Proposal((*parts, *self._lacking(z, case, w, moving)), self.nu)

    def _lacking(self, z: Floats, case: Ints, w: Floats, moving: float) -> list[Part]:
        """A part where the mixture lacks most: around the draw of the largest weight, as wide as its neighbours tell.

        The step of incremental mixture importance sampling (Raftery and Bao 2010, Biometrics 66:1162).
        """
        top = int(np.argmax(w))
        mine = np.flatnonzero(case == case[top])
        near = mine[np.argsort(np.sum((z[mine] - z[top]) ** 2, axis=1), kind="stable")[: max(len(z) // 20, 2)]]
        p = w[near] + 1.0 / len(z)
        p /= p.sum()
        d = z[near] - z[top]
        scale = WIDER * (d * p[:, None]).T @ d + 1e-8 * np.eye(z.shape[1])
        return [Part(int(case[top]), z[top], np.linalg.cholesky(scale), LACKING * moving)]


def around(modes: Sequence[Part], log_weight: Floats, m: int, defensive: float, nu: float) -> Proposal:
    """The modes (m effects) with their shares, and the prior of every hypothesis with the share ``defensive``.

    Without a mode (no point could be solved) it is the prior alone.
    """
    w = np.exp(log_weight - logsumexp(log_weight))
    rest = defensive if modes else 1.0
    total = sum(p.share for p in modes)
    near = [replace(p, share=(1.0 - rest) * p.share / total) for p in modes]
    far = [Part(c, np.zeros(m), np.eye(m), rest * float(x), stays=True) for c, x in enumerate(w)]
    return Proposal((*near, *far), nu)
