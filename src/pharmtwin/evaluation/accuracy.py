"""The accuracy table: every model beside every other, on the same pairs, whichever wins.

Data sets are kept apart by what the model knew: concentrations kept aside, concentrations the fit
has seen, and published mean profiles (verification apart from model building).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pharmtwin.core.seeds import generator
from pharmtwin.evaluation.catalogue import VALUES
from pharmtwin.evaluation.figures import evaluate
from pharmtwin.evaluation.metrics import Estimate, exp_mean, log_ratio
from pharmtwin.tables import conform

STUDY_MODELS = ("population", "covariates", "twin")
PUBLISHED_MODELS = ("drug_file", "fitted")
ROLES = ("verification", "building")
#: figure of the catalogue -> its name in this table
METRICS = {"GMFE": "GMFE", "AFE": "AFE", "within_1.25_fold": "within_1.25", "within_2_fold": "within_2",
           "coverage": "coverage_90", "width": "width_90"}  # fmt: skip
RATIO = "GMFE_ratio_to_"


@dataclass(frozen=True)
class DataSet:
    """Pairs of one kind: columns pair, cluster, model, observed, median and, if ``bands``, lo90 and hi90."""

    name: str
    kind: str
    seen: bool
    models: tuple[str, ...]
    pairs: pd.DataFrame
    bands: bool = True


def kept_aside(kind: str) -> str:
    """Name of the data set that answers the report's first question."""
    return f"steady-state troughs kept aside ({kind})"


def seen_by_fit(kind: str) -> str:
    """Name of the data set on which the fit was made."""
    return f"concentrations the fit has seen ({kind})"


def study_sets(predictions: pd.DataFrame, kind: str) -> Iterator[DataSet]:
    """Concentrations of the study's own twins: kept aside (prediction), then seen by the fit (goodness of fit)."""
    frame = predictions.assign(
        pair=predictions["twin_id"].astype(str) + "@" + predictions["time_h"].map("{:.6g}".format),
        cluster=predictions["twin_id"],
    )
    for use, name in (("test", kept_aside(kind)), ("fit", seen_by_fit(kind))):
        yield DataSet(name, kind, use == "fit", STUDY_MODELS, frame[frame["use"] == use])


def published_auc(published: pd.DataFrame) -> pd.DataFrame:
    """AUC over the published window of observed means and predicted medians (linear trapezoid), a row a profile.

    Pointwise quantiles do not integrate to quantiles of the AUC, so no interval is given.
    """
    rows = []
    for (profile, model), part in published.sort_values("time_h").groupby(["profile", "model"], sort=True):
        if len(part) < 2:
            continue
        time = part["time_h"].to_numpy(float)
        first = part.iloc[0]
        areas = {c: float(np.trapezoid(part[c].to_numpy(float), time)) for c in ("observed", "median")}
        rows.append({"profile": profile, "model": model, "study": first["study"], "role": first["role"], **areas})
    return pd.DataFrame(rows, columns=["profile", "model", "study", "role", "observed", "median"])


def published_sets(published: pd.DataFrame) -> Iterator[DataSet]:
    """Published profiles, points and areas, by whether they took part in model building."""
    points = published.assign(
        pair=published["profile"].astype(str) + "@" + published["time_h"].map("{:.6g}".format),
        cluster=published["study"],
    )
    areas = published_auc(published)
    areas = areas.assign(pair=areas["profile"], cluster=areas["study"])
    for role in ROLES:
        name = f"published mean profiles by CYP2D6 activity score (real, {role})"
        yield DataSet(name, "real", role == "building", PUBLISHED_MODELS, points[points["role"] == role])
        name = f"published AUC over the sampled window by CYP2D6 activity score (real, {role})"
        yield DataSet(name, "real", role == "building", PUBLISHED_MODELS, areas[areas["role"] == role], bands=False)


def _model_figures(data: DataSet, part: pd.DataFrame, seed: int) -> dict[str, Estimate]:
    """Figures of one model on one data set, as the catalogue of figures defines them."""
    names = {"cluster": "subject", "median": "predicted", **({"lo90": "lo", "hi90": "hi"} if data.bands else {})}
    table = part[["observed", *names]].rename(columns=names)
    chosen = tuple(f for f in VALUES if f.name in METRICS)
    found = {METRICS[r.figure.name]: r for r in evaluate(table, seed, data.name, chosen)}
    return {name: Estimate(r.value, r.lo95, r.hi95, r.n) for name, r in found.items() if np.isfinite(r.value)}


def _paired_figures(data: DataSet, part: pd.DataFrame, other: pd.DataFrame, seed: int) -> Estimate | None:
    """GMFE of a model divided by that of another, over the pairs that both predict."""
    both = part.merge(other, on="pair", suffixes=("", "_other"))
    if both.empty:
        return None
    gain = np.abs(log_ratio(both["median"], both["observed"]))
    gain = gain - np.abs(log_ratio(both["median_other"], both["observed_other"]))
    return exp_mean(gain, both["cluster"].to_numpy(str), generator(seed, "evaluation", data.name))


def _other(metric: str) -> str:
    """The model that a paired figure is relative to, else nothing."""
    return metric.removeprefix(RATIO) if metric.startswith(RATIO) else ""


def _rows(data: DataSet, seed: int) -> Iterator[dict[str, object]]:
    asked = data.pairs[data.pairs["observed"] > 0]
    predicted = {m: set(asked.loc[asked["model"] == m, "pair"]) for m in data.models}
    n_pairs = asked["pair"].nunique()
    usable = data.pairs[(data.pairs["observed"] > 0) & (data.pairs["median"] > 0)].sort_values(["cluster", "pair"])
    parts = {m: p for m in data.models if len(p := usable[usable["model"] == m])}
    for i, (model, part) in enumerate(parts.items()):
        figures = _model_figures(data, part, seed)
        for other in list(parts)[:i]:
            ratio = _paired_figures(data, part, parts[other], seed)
            if ratio is not None:
                figures[f"{RATIO}{other}"] = ratio
        for metric, figure in figures.items():
            yield {
                "data_set": data.name,
                "data_kind": data.kind,
                "model": model,
                "metric": metric,
                "n": figure.n,
                "n_missing": n_pairs - len(predicted[model] & predicted.get(_other(metric), predicted[model])),
                "value": figure.value,
                "lo95": figure.lo95,
                "hi95": figure.hi95,
                "seen_by_fit": data.seen,
            }


def accuracy(
    predictions: pd.DataFrame | None, published: pd.DataFrame | None, data_kind: str, seed: int
) -> pd.DataFrame:
    """Table ``accuracy`` from the tables ``predictions`` and ``published`` (either may be None or empty).

    Figures a model: GMFE, AFE, within_1.25, within_2 (shares 0 to 1), coverage_90, width_90 (geometric
    mean of hi90/lo90) and ``GMFE_ratio_to_<other>``, the paired ratio of two models' GMFE on the pairs
    both predict (below 1: this model is closer). Pairs whose observed or predicted value is not above
    0 have no fold error and are left out; ``n`` counts what remains. ``n_missing`` counts the pairs that another
    model of the data set predicts and this one (or, in a ratio, the one beside it) does not, because every solve
    of the twin failed or it has no fit of its own; a twin that no model predicts has no pairs here. Intervals:
    bootstrap over twins (study data) or studies (published data), none with fewer than 5; Wilson where a share is 0
    or 1.
    """
    rows: list[dict[str, object]] = []
    if predictions is not None and len(predictions):
        for data in study_sets(predictions, data_kind):
            rows.extend(_rows(data, seed))
    if published is not None and len(published):
        for data in published_sets(published):
            rows.extend(_rows(data, seed))
    names = ["data_set", "data_kind", "model", "metric", "n", "n_missing", "value", "lo95", "hi95", "seen_by_fit"]
    return conform("accuracy", pd.DataFrame(rows, columns=names))
