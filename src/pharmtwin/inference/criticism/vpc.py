"""Visual predictive checks as tables: percentiles of the data beside the same percentiles of simulated data.

Prediction correction after Bergstrand 2011, AAPS J 13:143, doi:10.1208/s12248-011-9255-z. Observations below the
limit of quantification are ranked below every other one; a percentile that falls among them is known only not to
exceed a bound, and is compared as such. Simulated values need no censoring for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pharmtwin.inference.criticism.limits import limits

Floats = NDArray[np.float64]
PERCENTILES = (5.0, 50.0, 95.0)
PLACE = ["stratum", "bin", "x_low", "x_median", "x_high", "n"]


@dataclass(frozen=True)
class VpcData:
    """Observations with their replicates; build it by ``vpc_data``, which checks it.

    y (n,) observed; simulated (replicates, n), each row a whole simulated study; x (n,) time; bins (n,);
    stratum (n,) of names; below (n,) whether y is below the limit lloq (n,) (nan: no limit);
    corrected : whether the data are prediction corrected.
    """

    y: Floats
    simulated: Floats
    x: Floats
    bins: NDArray[np.int64]
    stratum: NDArray[np.object_]
    below: NDArray[np.bool_]
    lloq: Floats
    corrected: bool = False


def vpc_data(
    y: ArrayLike,
    simulated: ArrayLike,
    x: ArrayLike,
    bins: ArrayLike,
    stratum: Sequence[object] | None = None,
    below: ArrayLike | None = None,
    lloq: ArrayLike | None = None,
) -> VpcData:
    """Checked data of a VPC; see ``VpcData``. Where ``below`` holds, y itself is not used and may be nan.

    stratum : default one for all ("all"); lloq : a number, or one for each observation.
    Raises ValueError for lengths that differ, values that are not finite, and a censored observation without limit.
    """
    obs, sims = np.asarray(y, dtype=float), np.asarray(simulated, dtype=float)
    n = len(obs)
    names = np.array(["all"] * n if stratum is None else list(stratum), dtype=object)
    censored = np.zeros(n, dtype=bool) if below is None else np.asarray(below, dtype=bool)
    limit = np.broadcast_to(np.nan if lloq is None else np.asarray(lloq, dtype=float), (n,)).copy()
    where, group = np.asarray(x, dtype=float), np.asarray(bins, dtype=np.int64)
    if sims.ndim != 2 or any(len(v) != n for v in (sims.T, names, censored, where, group)):
        raise ValueError(f"{n} observations need replicates (K, {n}) and as many x, bins, strata and flags")
    if not (np.isfinite(sims).all() and np.isfinite(where).all() and np.isfinite(obs[~censored]).all()):
        raise ValueError("observations, replicates and x must be finite (censored observations aside)")
    if np.isnan(limit[censored]).any():
        raise ValueError("a censored observation has no limit of quantification")
    return VpcData(obs, sims, where, group, names, censored, limit)


def prediction_corrected(
    data: VpcData, pred: ArrayLike, *, lower: float = 0.0, log_scale: bool = False, variability: bool = False
) -> VpcData:
    """The data scaled to the median prediction of their stratum and bin.

    pred : (n,) population prediction of each observation, on the scale of y; lower : lower bound of y (0 for
    concentrations). pcY = lower + (Y - lower) (median PRED - lower) / (PRED - lower), or, for logarithms
    (``log_scale``), pcY = Y + median PRED - PRED. The limit of quantification is scaled likewise.
    variability : then also pvcY = median PRED + (pcY - median PRED) median(sd of pcY in the bin) / sd, where sd is
    that of the observation's corrected replicates.
    Raises ValueError for a prediction that is not finite or, on the natural scale, not above ``lower``, and for
    an observation whose replicates do not vary when their spread is asked for.
    """
    p = np.asarray(pred, dtype=float)
    if p.shape != data.y.shape or not np.isfinite(p).all() or (not log_scale and (p <= lower).any()):
        raise ValueError(f"predictions must be finite, one for each observation, and above {lower:g}")
    centre = _median_of_cell(data, p)
    shift = centre - p if log_scale else (centre - lower) / (p - lower)

    def correct(value: Floats) -> Floats:
        return value + shift if log_scale else lower + (value - lower) * shift

    y, sims, lloq = correct(data.y), correct(data.simulated), correct(data.lloq)
    if variability:
        sd = sims.std(axis=0, ddof=1)
        if not (sd > 0).all():
            raise ValueError("an observation's replicates do not vary: its spread cannot be corrected")
        stretch = _median_of_cell(data, sd) / sd
        y, sims, lloq = (centre + (v - centre) * stretch for v in (y, sims, lloq))
    return replace(data, y=y, simulated=sims, lloq=lloq, corrected=True)


def vpc_table(
    data: VpcData,
    *,
    percentiles: Sequence[float] = PERCENTILES,
    band: float = 0.95,
    min_replicates: int | None = None,
) -> pd.DataFrame:
    """One row for each stratum, bin and percentile.

    Columns: stratum, bin, x_low, x_median, x_high, n, percentile, observed, observed_at_most, median, low, high,
    flag. ``observed`` is nan where the percentile falls among censored observations; then ``observed_at_most``
    bounds it (otherwise they are equal). median, low, high : of the percentile over the replicates, low to high
    being the central ``band``. flag : inside, above, below, or censored if the bound leaves it open.
    With 5/50/95 percentiles in many bins some 1 - band of the rows are outside by chance: see ``out_of_band``.

    min_replicates : default the limit ``replicates`` of diagnostics.tsv; raises ValueError with fewer.
    """
    _enough(data, min_replicates)
    q = np.asarray(percentiles, dtype=float) / 100
    rows = []
    for place, mine in _cells(data):
        observed, at_most = _censored_quantiles(data.y[mine], data.below[mine], data.lloq[mine], q)
        replicated = np.quantile(data.simulated[:, mine], q, axis=1)
        middle, low, high = _band(replicated, band)
        for i, percentile in enumerate(percentiles):
            flag = _flag(observed[i], at_most[i], low[i], high[i])
            rows.append((*place, percentile, observed[i], at_most[i], middle[i], low[i], high[i], flag))
    columns = [*PLACE, "percentile", "observed", "observed_at_most", "median", "low", "high", "flag"]
    return pd.DataFrame(rows, columns=columns)


def blq_table(data: VpcData, *, band: float = 0.95, min_replicates: int | None = None) -> pd.DataFrame:
    """Share of observations below their limit of quantification beside that of the replicates.

    One row for each stratum and bin with a limit: stratum, bin, x_low, x_median, x_high, n (with a limit), observed,
    median, low, high, flag. Raises ValueError for prediction corrected data: correct them after this.
    """
    if data.corrected:
        raise ValueError("shares below the limit of quantification are of the data as measured, not as corrected")
    _enough(data, min_replicates)
    rows = []
    for place, mine in _cells(data):
        mine = mine[~np.isnan(data.lloq[mine])]
        if len(mine) == 0:
            continue
        observed = float(data.below[mine].mean())
        middle, low, high = _band((data.simulated[:, mine] < data.lloq[mine]).mean(axis=1)[None], band)
        flag = _flag(observed, observed, low[0], high[0])
        rows.append((*place[:-1], len(mine), observed, middle[0], low[0], high[0], flag))
    return pd.DataFrame(rows, columns=[*PLACE, "observed", "median", "low", "high", "flag"])


def out_of_band(table: pd.DataFrame) -> dict[str, float]:
    """Rows of a VPC table that are outside their band: n (judged), n_outside, share; censored rows are not judged."""
    judged = table[table["flag"] != "censored"]
    outside = int((judged["flag"] != "inside").sum())
    return {"n": len(judged), "n_outside": outside, "share": outside / len(judged) if len(judged) else float("nan")}


def _enough(data: VpcData, min_replicates: int | None) -> None:
    least = limits("predictive")["replicates"].value if min_replicates is None else min_replicates
    if len(data.simulated) < least:
        raise ValueError(f"{len(data.simulated)} replicates; a band needs at least {least:g}")


def _cells(data: VpcData) -> list[tuple[tuple[object, ...], NDArray[np.int64]]]:
    """Place (columns ``PLACE``) and members of every stratum and bin that has observations."""
    out: list[tuple[tuple[object, ...], NDArray[np.int64]]] = []
    for name in pd.unique(pd.Series(data.stratum)):
        for b in np.unique(data.bins[data.stratum == name]):
            mine = np.flatnonzero((data.stratum == name) & (data.bins == b))
            x = data.x[mine]
            out.append(((name, int(b), x.min(), float(np.median(x)), x.max(), len(mine)), mine))
    return out


def _median_of_cell(data: VpcData, values: Floats) -> Floats:
    out = np.empty_like(values)
    for _, mine in _cells(data):
        out[mine] = np.median(values[mine])
    return out


def _censored_quantiles(y: Floats, below: NDArray[np.bool_], lloq: Floats, q: Floats) -> tuple[Floats, Floats]:
    """Quantiles of observations some of which are only known to be below their limit; (value or nan, upper bound).

    Putting every censored value at its limit bounds each quantile from above, at minus infinity from below (in
    effect); a quantile is known where both agree. After prediction correction limits differ within a bin, so a
    censored value may lie above an uncensored one; the bounds allow for that.
    """
    upper = np.quantile(np.where(below, lloq, y), q)
    if not below.any():
        return upper, upper
    least = np.min(np.where(below, lloq, y))
    lower = np.quantile(np.where(below, least - abs(least) - 1, y), q)
    known = np.isclose(lower, upper, rtol=1e-12, atol=0)
    return np.where(known, upper, np.nan), upper


def _band(replicated: Floats, band: float) -> tuple[Floats, Floats, Floats]:
    """Median and central band over the replicates of statistics (statistics, replicates)."""
    low, middle, high = np.quantile(replicated, [(1 - band) / 2, 0.5, (1 + band) / 2], axis=1)
    return middle, low, high


def _flag(observed: float, at_most: float, low: float, high: float) -> str:
    if np.isnan(observed):
        return "below" if at_most < low else "censored"
    return "above" if observed > high else "below" if observed < low else "inside"
