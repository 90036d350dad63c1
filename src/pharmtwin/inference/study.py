"""A study as a population problem: the whole-body model, and every sampled twin's records, body and diplotypes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.priors import PopulationPriors
from pharmtwin.core.whole_body import whole_body
from pharmtwin.inference.data import subject_of
from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.population_fit.shifts import Shift
from pharmtwin.inference.problem.problem import Component, make_problem
from pharmtwin.inference.problem.records import Subject
from pharmtwin.inference.twin.whole_body import ACTIVITY, activity_components, whole_body_model

Floats = NDArray[np.float64]
#: random effect on what the activity multiplies
EFFECT = "eta_f_CYP2D6"
#: hypotheses become shifts where the samples explain more than this share of the effect's variance: the modes of the
#: hypotheses lie share times the shift apart in the effect, (1 - share) times in what the samples see
INFORMED = 0.5
EXPLAINED_RTOL = 1e-3


@dataclass(frozen=True)
class StudyData:
    """What a population fit is made of.

    Attributes
    ----------
    model : the whole body with the drug's priors. subjects : twins with samples for the fit, sorted by id.
    components : by twin, one hypothesis an activity of CYP2D6; each sets the twin's own body as well.
    solved, shifts : the same hypotheses for ``population_fit.build``: shifts of the effect for twins whose samples tell
        it well enough (:func:`as_shifts`, :func:`explained`).
    cut_weight : by twin, probability of the diplotypes that were cut, where there are any.
    """

    model: PopulationModel
    subjects: tuple[Subject, ...]
    components: Mapping[str, tuple[Component, ...]]
    solved: Mapping[str, tuple[Component, ...]]
    shifts: Mapping[str, tuple[Shift, ...]]
    cut_weight: Mapping[str, float]

    @property
    def twins(self) -> list[str]:
        """Ids of the subjects."""
        return [s.id for s in self.subjects]


def study_data(
    priors: PopulationPriors,
    base: Mapping[str, Floats],
    events: pd.DataFrame,
    activity: pd.DataFrame,
    minimum: float,
    informed: float = INFORMED,
) -> StudyData:
    """All twins that have samples with use == fit.

    Parameters
    ----------
    base : parameter vectors of ``core.assembly`` by twin. events : canonical events sheet. activity : table ``priors``.
    minimum : diplotype components of a smaller weight are cut. informed : share from which hypotheses are shifts.

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
    subjects = tuple(subject_of(model, events, t) for t in twins)
    solved, shifts = dict(components), {}
    for twin, (reference, moves) in {t: as_shifts(own) for t, own in components.items()}.items():
        subject = subjects[twins.index(twin)]
        if moves and explained(model, subject, reference) > informed:
            solved[twin], shifts[twin] = reference, moves
    return StudyData(model, subjects, components, solved, shifts, cut)


def explained(model: PopulationModel, subject: Subject, component: Sequence[Component]) -> float:
    """Share of the variance of the effect on CYP2D6 that a twin's samples explain, by the information at the priors.

    0: its posterior would be its prior, 1: the samples alone would tell it. It decides coordinates, not the posterior.
    """
    problem = make_problem(model, [subject], components={subject.id: component}, rtol=EXPLAINED_RTOL)
    values = np.array([f.value for f in model.fixed])
    like = problem.likelihood(
        problem.rows(values, np.zeros((1, len(model.random)))), problem.sigma(), derivatives=True, information=True
    )
    assert like.information is not None
    k = [r.name for r in model.random].index(EFFECT)
    precision = np.linalg.inv(model.omega) + problem.by_case(like.information)[0]
    return float(1.0 - np.linalg.inv(precision)[k, k] / model.omega[k, k])


def as_shifts(own: Sequence[Component]) -> tuple[tuple[Component, ...], tuple[Shift, ...]]:
    """A twin's hypotheses as what must be solved, and shifts of the effect on CYP2D6 relative to it.

    The activity a_k multiplies what exp(eta) multiplies: a_k exp(eta) = a_ref exp(eta + log(a_k / a_ref)), the
    reference being the most probable. With one hypothesis there is nothing to shift, and an activity of 0 has no
    logarithm: such hypotheses are solved as they stand.
    """
    if len(own) == 1 or min(c.values[ACTIVITY] for c in own) <= 0.0:
        return tuple(own), ()
    reference = max(own, key=lambda c: c.weight)
    by = [{EFFECT: math.log(c.values[ACTIVITY] / reference.values[ACTIVITY])} for c in own]
    return (replace(reference, weight=1.0),), tuple(Shift(c.weight, d, c.name) for c, d in zip(own, by, strict=True))
