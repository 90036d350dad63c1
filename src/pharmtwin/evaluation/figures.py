"""Every figure of a table of predictions by one call, with n, interval, and the reason where one is missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core import distribution
from pharmtwin.evaluation.bootstrap import DRAWS, Resampler, percentile_interval, value_or_nan
from pharmtwin.evaluation.catalogue import VALUES, Figure
from pharmtwin.evaluation.metrics import wilson

Array = NDArray[np.float64]
COLUMNS = ("metric", "n", "n_subjects", "n_left_out", "value", "lo95", "hi95", "interval", "reason")
BOOTSTRAP, WILSON = "bootstrap over subjects", "Wilson"
FEW, UNDEFINED = "none: too few subjects", "none: not defined in too many draws"


@dataclass(frozen=True)
class Result:
    """One figure of one table; ``draws`` (n_boot,) of the bootstrap, empty without enough subjects."""

    figure: Figure
    n: int
    n_subjects: int
    n_left_out: int
    value: float
    lo95: float
    hi95: float
    interval: str
    reason: str
    draws: Array

    @property
    def row(self) -> dict[str, object]:
        """For the table."""
        return {"metric": self.figure.name, **{c: getattr(self, c) for c in COLUMNS[1:]}}


def with_crps(table: pd.DataFrame, draws: Array) -> pd.DataFrame:
    """The table with a column ``crps`` from draws (n, m) of its predictions."""
    return table.assign(crps=distribution.crps(draws, table["observed"].to_numpy(float)))


def evaluate(
    table: pd.DataFrame, seed: int, name: str, chosen: tuple[Figure, ...] = VALUES, n_boot: int = DRAWS
) -> list[Result]:
    """Every figure whose columns the table has; arguments as for ``figures``."""
    out, resamplers = [], {}
    for figure in chosen:
        if not set(figure.needs) <= set(table.columns):
            continue
        values = table[list(figure.needs)].to_numpy(float)
        keep = np.isfinite(values).all(axis=1)
        if figure.positive:
            keep &= (values > 0).all(axis=1)
        key = keep.tobytes()
        if key not in resamplers:
            resamplers[key] = Resampler(table["subject"].to_numpy()[keep].astype(str), seed, name, n_boot)
        data = {c: values[keep, k] for k, c in enumerate(figure.needs)}
        out.append(_result(figure, data, resamplers[key], int(keep.sum()), int((~keep).sum())))
    return out


def _result(figure: Figure, data: dict[str, Array], resampler: Resampler, n: int, left_out: int) -> Result:
    nan = float("nan")
    value = value_or_nan(figure.compute, data) if n else nan
    if np.isnan(value):
        reason = "not defined for these rows" if n else "no rows with all that the figure needs"
        return Result(figure, n, resampler.n_clusters, left_out, nan, nan, nan, FEW, reason, np.zeros(0))
    draws = resampler.draws(figure.compute, data, figure.moments) if resampler.enough else np.zeros(0)
    if figure.share and value in (0.0, 1.0):  # a bootstrap of it has no width
        bounds = wilson(round(value * n), n)
        return Result(figure, n, resampler.n_clusters, left_out, value, bounds.lo95, bounds.hi95, WILSON, "", draws)
    lo, hi = percentile_interval(draws) if len(draws) else (nan, nan)
    how = BOOTSTRAP if np.isfinite(lo) else (UNDEFINED if len(draws) else FEW)
    return Result(figure, n, resampler.n_clusters, left_out, value, lo, hi, how, "", draws)


def figures(
    table: pd.DataFrame, seed: int, name: str, chosen: tuple[Figure, ...] = VALUES, n_boot: int = DRAWS
) -> pd.DataFrame:
    """Every figure whose columns the table has, a row each, with n and a 95 % interval.

    ``table``: column ``subject``, and of ``predicted observed lo hi predicted_before observed_before crps`` (values)
    or ``probability happened`` (events) what there is. ``name`` of the data fixes the random numbers. Rows that a
    figure cannot use (missing, or not above 0) are counted in ``n_left_out``. A share of 0 or 1 has Wilson's interval.
    ``reason`` says why a value is missing.
    """
    rows = [r.row for r in evaluate(table, seed, name, chosen, n_boot)]
    return pd.DataFrame(rows, columns=list(COLUMNS))
