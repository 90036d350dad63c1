"""When to sample next: the time whose sample is expected to narrow what matters most.

For each draw a sample is imagined at each candidate time; the other draws are weighted by how well they explain it, and the
variance of the metric that is left is averaged: the expected posterior variance, on the draws themselves.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.inference.dose.forecast import Person, forecast
from pharmtwin.inference.models.description import Output
from pharmtwin.inference.problem import score as sc
from pharmtwin.inference.problem.records import Dose

Floats = NDArray[np.float64]


def expected_variance(metric: Floats, f: Floats, sd: Floats, rng: np.random.Generator) -> Floats:
    """Expected variance of ``metric`` (n,) after one sample at each time: (n_times,).

    f, sd (n, n_times) : predictions and residual standard deviations of the draws.
    """
    n = len(metric)
    out = np.empty(f.shape[1])
    noise = rng.standard_normal(n)
    for j in range(f.shape[1]):
        y = f[:, j] + sd[:, j] * noise
        log_w = -0.5 * ((y[:, None] - f[None, :, j]) / sd[None, :, j]) ** 2 - np.log(sd[None, :, j])
        w = np.exp(log_w - log_w.max(axis=1, keepdims=True))
        w /= w.sum(axis=1, keepdims=True)
        mean = w @ metric
        out[j] = float(np.mean(w @ metric**2 - mean**2))
    return out


def next_sample(
    person: Person,
    sigma: Floats,
    doses: tuple[Dose, ...],
    times: Floats,
    metric: Floats,
    output: str,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Candidate times (h from now) with the share of the metric's variance that a sample there is expected to remove.

    sigma (n, n_residuals) : residual parameters of the draws. metric (n,) : what shall become certain (a log AUC, say).
    Sorted by that share, the best first.
    """
    seen = forecast(person, doses, times, output)
    spec: Output = person.model.output(output)
    where = [[r.name for r in person.model.residuals].index(n) for n in spec.residuals]
    a = sigma[:, where[0]]
    b = sigma[:, where[1]] if len(where) > 1 else np.zeros(len(sigma))
    kind = sc.KINDS[spec.error]
    f = np.maximum(seen.concentration, 1e-300)
    sd = np.array([[sc.spread(kind, f[i, j], a[i], b[i])[0] for j in range(f.shape[1])] for i in range(len(f))])
    if kind == sc.LOGNORMAL:
        f = np.log(f)
    left = expected_variance(metric, f, np.maximum(sd, 1e-12), rng)
    table = pd.DataFrame({"time_h": times, "variance_removed": 1.0 - left / max(float(np.var(metric)), 1e-300)})
    return table.sort_values("variance_removed", ascending=False, ignore_index=True)
