"""When to sample next: the time whose sample is expected to narrow most what matters.

For each draw a sample is imagined at each candidate time; all draws are weighted by how well they explain it, and the
variance of the metric that is left is averaged: the expected posterior variance, on the draws themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtri

from pharmtwin.inference.dose.forecast import forecast
from pharmtwin.inference.dose.person import Person
from pharmtwin.inference.problem import score as sc
from pharmtwin.inference.problem.records import Dose

Floats = NDArray[np.float64]
MOST = 500  # draws used (the first; they come in random order): the work grows with their square


def expected_variance(
    metric: Floats, f: Floats, sd: Floats, rng: np.random.Generator, limit: float = -np.inf
) -> Floats:
    """Expected variance of ``metric`` (n,) after one sample at each time: (n_times,).

    f, sd (n, n_times) : predictions and residual standard deviations of the draws. limit : samples below it are known
    to lie below, and tell no more.
    """
    n = len(metric)
    out = np.empty(f.shape[1])
    noise = ndtri((rng.permutation(n) + 0.5) / n)  # as even as n numbers can be
    for j in range(f.shape[1]):
        y = f[:, j] + sd[:, j] * noise
        log_w = -0.5 * ((y[:, None] - f[None, :, j]) / sd[None, :, j]) ** 2 - np.log(sd[None, :, j])
        if np.isfinite(limit):
            log_w[y < limit] = log_ndtr((limit - f[:, j]) / sd[:, j])
        w = np.exp(log_w - log_w.max(axis=1, keepdims=True))
        w /= w.sum(axis=1, keepdims=True)
        centred = metric - metric.mean()
        out[j] = float(np.mean(w @ centred**2 - (w @ centred) ** 2))
    return out


def next_sample(
    person: Person, doses: Sequence[Dose], times: Floats, metric: Floats, output: str, rng: np.random.Generator,
    lloq: float = 0.0,
) -> pd.DataFrame:  # fmt: skip
    """Candidate times (h from now) with the share of the metric's variance that a sample there is expected to remove.

    metric (n,) : what shall become certain (the logarithm of an area, say). lloq : limit of quantification (0: none).
    Sorted by that share, the best first; ``q50``: the concentration expected there.
    """
    seen = forecast(person, doses, times, output).concentration
    kept = np.flatnonzero(np.isfinite(seen).all(axis=1) & np.isfinite(metric))[:MOST]
    f, sigma, metric = seen[kept], person.residuals[kept], metric[kept]
    spec = person.model.output(output)
    where = [[r.name for r in person.model.residuals].index(n) for n in spec.residuals]
    a, b = sigma[:, where[0]], sigma[:, where[-1]] if len(where) > 1 else np.zeros(len(sigma))
    kind = sc.KINDS[spec.error]
    middle = np.median(f, axis=0)
    f = np.maximum(f, 1e-300)
    sd = np.array([[sc.spread(kind, x, a[i], b[i])[0] for x in row] for i, row in enumerate(f)])
    limit = lloq if lloq > 0 else -np.inf
    if kind == sc.LOGNORMAL:
        f, limit = np.log(f), np.log(lloq) if lloq > 0 else -np.inf
    left = expected_variance(metric, f, np.maximum(sd, 1e-12), rng, limit)
    table = pd.DataFrame(
        {"time_h": times, "q50": middle, "variance_removed": 1.0 - left / max(float(np.var(metric)), 1e-300)}
    )
    return table.sort_values("variance_removed", ascending=False, ignore_index=True)
