"""What the study's sheets say of one twin: records for the inference core, and the genotype's hypotheses."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.regimen import regimen
from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.problem.records import Dose, Subject
from pharmtwin.inference.problem.score import OBSERVED

Floats = NDArray[np.float64]
MG_PER_L = 1000.0  # ng/mL in one mg/L


def component_name(component: str) -> str:
    """The fit's name of a component of ``priors``: the activity, be the function known or drawn."""
    return component.replace("unknown:", "")


def activity_mixture(
    priors: pd.DataFrame, twin_id: str, minimum: float
) -> tuple[Floats, Floats, tuple[str, ...], float]:
    """Activity components of one twin from table ``priors``; returns activity, weight, names, weight cut."""
    mine = priors[(priors.twin_id == twin_id) & (priors.parameter == "activity.CYP2D6")]
    if mine.empty:
        raise KeyError(f"twin {twin_id} has no CYP2D6 activity prior")
    # components of equal activity are one hypothesis for the concentrations (known and unknown function alike)
    named = mine.assign(name=mine.component.map(component_name))
    merged = pd.DataFrame(named.groupby(["location", "name"], as_index=False)["weight"].sum())
    activity, weight = merged.location.to_numpy(float), merged.weight.to_numpy(float)
    keep = np.flatnonzero(weight >= minimum)
    cut = float(1.0 - weight[keep].sum())
    return activity[keep], weight[keep] / weight[keep].sum(), tuple(merged["name"].iloc[keep]), max(cut, 0.0)


def subject_of(model: PopulationModel, events: pd.DataFrame, twin_id: str) -> Subject:
    """One twin's doses and samples with use == fit, as the core's records.

    Parameters
    ----------
    events : canonical events sheet (times in h, doses in mg, concentrations in ng/mL).

    The model has one output, in ng/mL, and routes of the sheet's names. A sample at the time of a dose was taken before
    it (a trough). Values below the limit of quantification do not come here: the check of the input refuses them.
    """
    mine = events[events.twin_id == twin_id]
    samples = mine[(mine.evid == 0) & (mine.use == "fit")]
    given = regimen(mine)
    at = np.array([*samples.time_h, *(d.time for d in given)], dtype=float)
    order = np.argsort(at, kind="stable")  # samples stand first
    row = np.argsort(order, kind="stable")
    n = len(samples)
    states = model.structure.state_names
    doses = [
        Dose(
            d.time, states.index(dict(model.structure.dose_targets)[d.route]), d.amount,
            d.amount / d.duration if d.duration else 0.0, 0.0, 0, 0, int(row[n + k]),
        )
        for k, d in enumerate(given)
    ]  # fmt: skip
    rank = np.argsort(row[:n])
    return Subject(
        id=twin_id, times=at[order], covariates=np.zeros((len(at), 0)), occasions=np.zeros(len(at), dtype=np.int64),
        resets=(), doses=tuple(doses), obs_row=row[:n][rank], obs_output=np.zeros(n, dtype=np.int64),
        obs_value=samples.dv_ng_ml.to_numpy(float)[rank], obs_code=np.full(n, OBSERVED, dtype=np.int64),
        obs_limit=np.zeros(n), file_row=samples.row.to_numpy(np.int64)[rank],
    )  # fmt: skip
