"""What the population fit needs, assembled into arrays: twins, activity components, doses, observations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.regimen import regimen
from pharmtwin.core.whole_body import whole_body_for_fit
from pharmtwin.engine.run import Batch, Dose, pack

Floats = NDArray[np.float64]
MG_PER_L = 1000.0  # ng/mL in one mg/L


@dataclass(frozen=True)
class FitTwin:
    """One twin with samples.

    Attributes
    ----------
    base : parameter vector with typical individual parameters (``core.assembly``).
    activity, weight : components of the CYP2D6 activity mixture (relative to activity score 2).
    names : names of the components. doses : regimen. times (h), observed (ng/mL): the samples.
    """

    twin_id: str
    base: Floats
    activity: Floats
    weight: Floats
    names: tuple[str, ...]
    doses: tuple[Dose, ...]
    times: Floats
    observed: Floats


@dataclass(frozen=True)
class FitData:
    """All runs of the fit: one run a twin and activity component.

    ``twin_of_run`` (n_runs,), ``component_of_run`` (n_runs,), ``run_of_obs`` and ``twin_of_obs``
    (n_obs over runs,), ``log_observed`` repeated for every component of a twin.
    """

    twins: tuple[FitTwin, ...]
    batch: Batch
    twin_of_run: NDArray[np.int64]
    log_weight: Floats
    activity: Floats
    run_of_obs: NDArray[np.int64]
    log_observed: Floats
    cut_weight: dict[str, float]


def activity_mixture(
    priors: pd.DataFrame, twin_id: str, minimum: float
) -> tuple[Floats, Floats, tuple[str, ...], float]:
    """Activity components of one twin from table ``priors``; returns activity, weight, names, weight cut."""
    mine = priors[(priors.twin_id == twin_id) & (priors.parameter == "activity.CYP2D6")]
    if mine.empty:
        raise KeyError(f"twin {twin_id} has no CYP2D6 activity prior")
    # components of equal activity are one hypothesis for the concentrations (known and unknown function alike)
    named = mine.assign(name=mine.component.str.replace("unknown:", ""))
    merged = pd.DataFrame(named.groupby(["location", "name"], as_index=False)["weight"].sum())
    activity, weight = merged.location.to_numpy(float), merged.weight.to_numpy(float)
    keep = np.flatnonzero(weight >= minimum)
    cut = float(1.0 - weight[keep].sum())
    return activity[keep], weight[keep] / weight[keep].sum(), tuple(merged["name"].iloc[keep]), max(cut, 0.0)


def fit_data(base: dict[str, Floats], events: pd.DataFrame, priors: pd.DataFrame, minimum_weight: float) -> FitData:
    """Assemble the runs of all twins that have samples with use == fit (sorted by twin_id)."""
    samples = events[(events.evid == 0) & (events.use == "fit")]
    twins, cut = [], {}
    for twin_id in sorted(samples.twin_id.unique()):
        mine = events[events.twin_id == twin_id]
        obs = mine[(mine.evid == 0) & (mine.use == "fit")].sort_values("time_h")
        activity, weight, names, lost = activity_mixture(priors, twin_id, minimum_weight)
        if lost > 1e-12:
            cut[str(twin_id)] = lost
        last = float(obs.time_h.iloc[-1])
        doses = tuple(d for d in regimen(mine) if d.time < last)  # nothing after the last sample is solved
        twins.append(
            FitTwin(
                str(twin_id),
                base[str(twin_id)],
                activity,
                weight,
                names,
                doses,
                obs.time_h.to_numpy(float),
                obs.dv_ng_ml.to_numpy(float),
            )
        )
    runs = [(i, k) for i, t in enumerate(twins) for k in range(len(t.activity))]
    batch = pack(
        whole_body_for_fit(),
        [twins[i].base for i, _ in runs],
        [twins[i].doses for i, _ in runs],
        [twins[i].times for i, _ in runs],
    )
    return FitData(
        twins=tuple(twins),
        batch=batch,
        twin_of_run=np.array([i for i, _ in runs], dtype=np.int64),
        log_weight=np.log([twins[i].weight[k] for i, k in runs]),
        activity=np.array([twins[i].activity[k] for i, k in runs]),
        run_of_obs=np.repeat(np.arange(len(runs)), np.diff(batch.t_0)),
        log_observed=np.concatenate([np.log(twins[i].observed) for i, _ in runs]) if runs else np.zeros(0),
        cut_weight=cut,
    )
