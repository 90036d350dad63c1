"""Hypotheses that only move a subject's random effects: a mixture of priors, one solve a subject.

Under hypothesis k a subject's predictions at effects eta are those of its reference at e = eta + d_k (a genotype's
activity a_k multiplies a clearance that exp(eta) multiplies too: d_k = log(a_k / a_reference)). In e the likelihood is
the same for all k, and the weights w_k stand in the prior:

    p(e) = sum_k w_k N(e - d_k; 0, Omega)        p(k | e, y) = p(k | e) = w_k N(e - d_k; 0, Omega) / p(e)

The same posterior as with the hypotheses in the likelihood, exactly, but e, what the samples see, has one mode where
eta has one for each hypothesis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Shift:
    """One hypothesis. weight : its probability. by : d_k, by the name of the subject's random effect (others 0)."""

    weight: float
    by: Mapping[str, float]
    name: str = ""


@dataclass(frozen=True, eq=False)
class Shifts:
    """The shifts of all subjects that have any, as arrays.

    rows (n,) : their numbers, ascending. log_weight (n, n_k) : -inf where a subject has fewer.
    delta (n, n_k, n_effects) : d_k of the subject's effects (those of occasions do not move).
    """

    rows: Ints
    log_weight: Floats
    delta: Floats

    @classmethod
    def of(cls, given: Mapping[str, Sequence[Shift]], subjects: Sequence[str], effects: Sequence[str]) -> Shifts:
        """``given`` by subject id; ``effects``: names of the subject's own.

        Raises ValueError for an unknown subject or effect, and for weights that are no probabilities.
        """
        unknown = sorted(set(given) - set(subjects))
        if unknown:
            raise ValueError(f"shifts of unknown subjects {unknown}")
        rows = [i for i, s in enumerate(subjects) if given.get(s)]
        most = max((len(given[subjects[i]]) for i in rows), default=1)
        log_weight, delta = np.full((len(rows), most), -np.inf), np.zeros((len(rows), most, len(effects)))
        for r, i in enumerate(rows):
            own = given[subjects[i]]
            total = sum(s.weight for s in own)
            if not abs(total - 1.0) < 1e-6 or any(not s.weight > 0 for s in own):
                raise ValueError(f"subject {subjects[i]}: the weights of its shifts must be positive and add up to 1")
            for k, shift in enumerate(own):
                wrong = sorted(set(shift.by) - set(effects))
                if wrong:
                    raise ValueError(f"subject {subjects[i]}: shifts of {wrong}, which are no effects of the subject")
                log_weight[r, k] = np.log(shift.weight)
                delta[r, k] = [shift.by.get(e, 0.0) for e in effects]
        return cls(np.array(rows, dtype=np.int64), log_weight, delta)

    def __len__(self) -> int:
        """Subjects with shifts."""
        return len(self.rows)

    def log_prior(self, e: Any, C: Any) -> Any:
        """Sum over subjects of log p(e) - log N(e; 0, C C'), a PyTensor expression.

        e (n_subjects, n_random), the subject's effects first; C their Cholesky factor, lower.
        """
        import pytensor.tensor as pt
        from pytensor.gradient import zero_grad

        n, n_k, width = self.delta.shape
        z = _solve(C, pt.concatenate([e[self.rows][:, :width], pt.constant(self.delta.reshape(-1, width))]), width)
        own, moved = z[:n][:, None], z[n:].reshape((n, n_k, width))
        terms = self.log_weight + pt.sum(moved * own, axis=2) - 0.5 * pt.sum(moved**2, axis=2)
        top = zero_grad(pt.max(terms, axis=1, keepdims=True))
        return pt.sum(top[:, 0] + pt.log(pt.sum(pt.exp(terms - top), axis=1)))

    def probabilities(self, e: Floats, omega: Floats) -> Floats:
        """p(k | e): (n_draws, n, n_k) for draws of e (n_draws, n_subjects, n_random) and omega (n_draws, m, m)."""
        width = self.delta.shape[2]
        precision = np.linalg.inv(omega[:, :width, :width])
        moved = np.einsum("nkj,sij->snki", self.delta, precision)
        cross = np.einsum("snki,sni->snk", moved, e[:, self.rows, :width])
        terms = self.log_weight + cross - 0.5 * np.einsum("snki,nki->snk", moved, self.delta)
        return np.asarray(np.exp(terms - logsumexp(terms, axis=2, keepdims=True)))


def _solve(C: Any, x: Any, n: int) -> Any:
    """C^-1 of each row of x, C lower (n, n): written out, so that no factor, however small, is an exception."""
    import pytensor.tensor as pt

    columns: list[Any] = []
    for i in range(n):
        rest = x[:, i] - sum(C[i, k] * columns[k] for k in range(i))
        columns.append(rest / C[i, i])
    return pt.stack(columns, axis=1)
