"""Modes of a person's posterior under every hypothesis, and the normal around each (Laplace).

In whitened effects z (v = mean + basis z, prior of z standard normal). The search is Newton's with the expected
information in place of the curvature, all hypotheses and starts in one batch; at the end the curvature is that of the
posterior itself, by differences of the exact gradient.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, ndtri
from scipy.stats import qmc

from pharmtwin.inference.twin.proposal import Part
from pharmtwin.inference.twin.target import TwinTarget

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
#: points of the prior that are tried for a start (besides the centre and a pair along each effect at SPAN)
TRIED, SPAN = 8, 1.5
#: two starts of a hypothesis lie so far apart (prior standard deviations); modes nearer than SAME (their own) are one
APART, SAME = 2.0, 0.5
#: most steps of a search, longest step of an effect, gain of log density that ends it
STEPS, LONGEST, DONE = 60, 2.0, 1e-4
#: difference of the gradients for the curvature; least curvature (a proposal 4 times as wide as the prior is enough)
DIFFERENCE, LEAST_CURVATURE = 1e-3, 1.0 / 16.0


@dataclass(frozen=True)
class Mode:
    """A mode z (m,) under hypothesis ``case``, curvature H (m, m) there, log of its share of the evidence (Laplace)."""

    case: int
    z: Floats
    H: Floats
    log_evidence: float

    def part(self, share: float) -> Part:
        """The part of a proposal around it."""
        return Part(self.case, self.z, np.linalg.inv(np.linalg.cholesky(self.H)).T, share)


def solves(m: int, n_cases: int) -> int:
    """About as many solves as :func:`modes` costs, for an estimate of time: one with m derivatives counts as 1 + m."""
    return n_cases * (1 + 2 * m + TRIED + 2 * (10 + 2 * m) * (1 + m))


def starts(target: TwinTarget, basis: Floats) -> tuple[Floats, Ints]:
    """Two starts z of each hypothesis and their hypotheses: the best of some points, and the best far from it."""
    m, n = basis.shape[1], target.problem.n_cases
    uniform = qmc.Sobol(m, scramble=True, rng=np.random.default_rng(0)).random(TRIED)
    tried = np.vstack([np.zeros((1, m)), SPAN * np.eye(m), -SPAN * np.eye(m), ndtri(np.clip(uniform, 1e-6, 1 - 1e-6))])
    z = np.tile(tried, (n, 1))
    case = np.repeat(np.arange(n), len(tried))
    value = target.log_likelihood(target.mean + z @ basis.T, case) - 0.5 * np.sum(z * z, axis=1)
    chosen = []
    for own in value.reshape(n, -1):
        best = int(np.argmax(own))
        far = np.linalg.norm(tried - tried[best], axis=1) >= APART
        chosen.append((best, int(np.argmax(np.where(far, own, -np.inf)))))
    return tried[np.ravel(chosen)], np.repeat(np.arange(n), 2)


def modes(target: TwinTarget, basis: Floats, end: float = float("inf")) -> list[Mode]:
    """Distinct modes of all hypotheses; hypotheses without a point that can be solved have none.

    end : of ``time.monotonic``, after which the search stays where it is.
    """
    z, case = starts(target, basis)
    z, value, H = _climbed(target, basis, z, case, end)
    good = np.isfinite(value)
    z, case, value, H = z[good], case[good], value[good], H[good]
    first: list[int] = []
    for r in np.argsort(-value, kind="stable"):
        d = [z[r] - z[f] for f in first if case[f] == case[r]]
        if all(x @ H[r] @ x > SAME**2 for x in d):
            first.append(int(r))
    if not first:
        return []
    z, case, value = z[first], case[first], value[first]
    H = _curvature(target, basis, z, case, H[first])
    log_evidence = value - 0.5 * np.linalg.slogdet(H)[1]
    return [Mode(int(c), a, h, float(e)) for c, a, h, e in zip(case, z, H, log_evidence, strict=True)]


def parts(found: list[Mode], log_weight: Floats) -> list[Part]:
    """Parts of a proposal around modes, shares by their evidence and the hypotheses' prior log_weight."""
    if not found:
        return []
    log_share = np.array([x.log_evidence + log_weight[x.case] for x in found])
    return [x.part(float(s)) for x, s in zip(found, np.exp(log_share - logsumexp(log_share)), strict=True)]


def _at(target: TwinTarget, basis: Floats, z: Floats, case: Ints) -> tuple[Floats, Floats, Floats]:
    """Log posterior without constants, gradient and expected curvature at each point, with the prior's moments."""
    ll, g, information = target.derivatives(target.mean + z @ basis.T, case)
    curvature = np.einsum("ji,njk,kl->nil", basis, information, basis) + np.eye(z.shape[1])
    return ll - 0.5 * np.sum(z * z, axis=1), g @ basis - z, curvature


def _climbed(target: TwinTarget, basis: Floats, z: Floats, case: Ints, end: float) -> tuple[Floats, Floats, Floats]:
    """Ends of the searches from z, their values (-inf where the start has none) and curvatures."""
    z = z.copy()
    value, g, H = _at(target, basis, z, case)
    active = np.flatnonzero(np.isfinite(value))
    for _ in range(STEPS):
        step = np.linalg.solve(H[active], g[active][:, :, None])[:, :, 0]
        gain = np.einsum("ri,ri->r", step, g[active])
        going = gain > DONE
        active, step, gain = active[going], step[going], gain[going]
        if not len(active) or time.monotonic() > end:
            break
        size = np.minimum(1.0, LONGEST / np.abs(step).max(axis=1))
        left, moved = np.arange(len(active)), np.zeros(len(active), dtype=bool)
        for _ in range(12):
            rows = active[left]
            trial = z[rows] + size[left, None] * step[left]
            new, g_new, H_new = _at(target, basis, trial, case[rows])
            accept = new > value[rows] + 1e-4 * size[left] * gain[left]
            taken = rows[accept]
            z[taken], value[taken], g[taken], H[taken] = trial[accept], new[accept], g_new[accept], H_new[accept]
            moved[left[accept]] = True
            left = left[~accept]
            if not len(left):
                break
            size[left] *= 0.5
        active = active[moved]
        if not len(active):
            break
    return z, value, H


def _curvature(target: TwinTarget, basis: Floats, z: Floats, case: Ints, expected: Floats) -> Floats:
    """Hessian of -log posterior at each mode, eigenvalues bounded from below; the expected one if it is not finite."""
    r, m = z.shape
    shifts = DIFFERENCE * np.vstack([np.eye(m), -np.eye(m)])
    moved = (z[None] + shifts[:, None]).reshape(-1, m)
    _, g, _ = _at(target, basis, moved, np.tile(case, 2 * m))
    g = g.reshape(2, m, r, m)
    H = ((g[1] - g[0]) / (2.0 * DIFFERENCE)).transpose(1, 0, 2)
    H = 0.5 * (H + H.transpose(0, 2, 1))
    H = np.where(np.isfinite(H).all(axis=(1, 2))[:, None, None], H, expected)
    values, vectors = np.linalg.eigh(H)
    return np.asarray(np.einsum("rij,rj,rkj->rik", vectors, np.maximum(values, LEAST_CURVATURE), vectors))
