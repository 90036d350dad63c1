"""How far weights and heights are from the middle of the survey at their age and sex, for the check of the input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pharmtwin.body.equations import Bools, Floats
from pharmtwin.body.people.survey import survey_model

__all__ = ["Floats", "Scores", "typical_weight"]


@dataclass(frozen=True)
class Scores:
    """Distances from the survey's middle (n,), NaN where a value lacks.

    weight, height : for age and sex. given : weight for this height; NaN where the height itself is beyond 4 sd, since
        the survey knows nothing of such bodies.
    """

    weight: Floats
    height: Floats
    given: Floats

    @classmethod
    def of(cls, age: Floats, female: Bools, weight: Floats, height: Floats) -> Scores:
        """age : years (n,), all finite. weight, height : kg and cm (n,), NaN where not known."""
        model = survey_model()
        w, h = model.score("weight", weight, age, female), model.score("height", height, age, female)
        r = model.correlation(age, female)[:, 0, 1] if len(age) else np.zeros(0)
        return cls(w, h, np.where(np.abs(h) <= 4.0, (w - r * h) / np.sqrt(1.0 - r**2), np.nan))

    def heavy(self) -> Floats:
        """How heavy: the larger of weight and weight for height."""
        return np.fmax(self.weight, self.given)

    def worst(self) -> Floats:
        """The largest distance of any of the three, to either side."""
        return np.fmax(np.fmax(np.abs(self.weight), np.abs(self.height)), np.abs(self.given))


def typical_weight(age_y: float, female: bool) -> float:
    """Median weight (kg) of the survey at an age (years) and sex."""
    model = survey_model()
    return float(model.value("weight", np.zeros(1), np.array([age_y]), np.array([female]))[0])
