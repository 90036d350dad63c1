"""A study as a population problem: the whole-body model, and every sampled twin's records, body and diplotypes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.priors import PopulationPriors
from pharmtwin.core.whole_body import whole_body
from pharmtwin.inference.data import subject_of
from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.problem.problem import Component
from pharmtwin.inference.problem.records import Subject
from pharmtwin.inference.twin.whole_body import activity_components, whole_body_model

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StudyData:
    """What a population fit is made of.

    Attributes
    ----------
    model : the whole body with the drug's priors. subjects : twins with samples for the fit, sorted by id.
    components : by twin, one hypothesis an activity of CYP2D6; each sets the twin's own body as well.
    cut_weight : by twin, probability of the diplotypes that were cut, where there are any.
    """

    model: PopulationModel
    subjects: tuple[Subject, ...]
    components: Mapping[str, tuple[Component, ...]]
    cut_weight: Mapping[str, float]

    @property
    def twins(self) -> list[str]:
        """Ids of the subjects."""
        return [s.id for s in self.subjects]


def study_data(
    priors: PopulationPriors, base: Mapping[str, Floats], events: pd.DataFrame, activity: pd.DataFrame, minimum: float
) -> StudyData:
    """All twins that have samples with use == fit.

    Parameters
    ----------
    base : parameter vectors of ``core.assembly`` by twin. events : canonical events sheet. activity : table ``priors``.
    minimum : diplotype components of a smaller weight are cut.

    Raises
    ------
    KeyError : a sampled twin without body or genotype. ValueError : no twin has samples for the fit.
    """
    twins = sorted(str(t) for t in events[(events.evid == 0) & (events.use == "fit")].twin_id.unique())
    if not twins:
        raise ValueError("no twin has samples for the fit")
    model = whole_body_model(priors, base[twins[0]])  # any twin's body: the components set each twin's own
    names = whole_body().parameter_names
    components: dict[str, tuple[Component, ...]] = {}
    cut = {}
    for twin in twins:
        own, lost = activity_components(activity, twin, minimum)
        body = {n: float(v) for n, v in zip(names, base[twin], strict=True) if n in model.constants}
        components[twin] = tuple(replace(c, values={**body, **c.values}) for c in own)
        if lost > 1e-12:
            cut[twin] = lost
    return StudyData(model, tuple(subject_of(model, events, t) for t in twins), components, cut)
