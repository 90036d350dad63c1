"""Organ masses under conditions: what grows, shrinks or is added, so that they still sum to the body's mass.

* A shrunken kidney (kidney disease) leaves its mass to adipose, as in PK-Sim.
* Blood follows plasma volume and haematocrit; the difference comes from ``rest`` or goes to it.
* Pregnancy: fat gained is adipose; conceptus, uterus, breasts and interstitial fluid, all that is left of the gain, are
  ``rest``, which also receives the placenta's flow.
"""

from __future__ import annotations

import numpy as np

from pharmtwin.body.anatomy.reference import BLOOD, REST, reference
from pharmtwin.body.conditions.effects import Effects
from pharmtwin.body.equations import Floats


def changed_masses(
    mass: Floats, weight_kg: Floats, effects: Effects, haematocrit: Floats, changed_haematocrit: Floats
) -> Floats:
    """Organ masses (n, n_organs; kg) that sum to ``weight_kg``, from those of the same people without conditions.

    Parameters
    ----------
    mass : in the order of ``reference().organs``, summing to the weight before a pregnancy.
    weight_kg : body mass now. haematocrit, changed_haematocrit : without and with the conditions; shape (n,).

    Raises
    ------
    ValueError : ``rest`` would have no mass left.
    """
    at, out = reference().position(), mass.copy()
    ones = np.ones(len(mass))
    lost = out[:, at["kidney"]] * (1.0 - effects.factor.get("volume.kidney", ones))
    out[:, at["kidney"]] -= lost
    out[:, at["adipose"]] += lost
    plasma = effects.factor.get("plasma_volume", ones)
    blood = np.where(plasma == 1.0, 1.0, plasma * (1.0 - haematocrit) / (1.0 - changed_haematocrit))
    for name in BLOOD:
        out[:, at[name]] *= blood
    out[:, at["adipose"]] += effects.added.get("mass.adipose", 0.0 * ones)
    out[:, at[REST]] += weight_kg - out.sum(axis=1)
    if (out[:, at[REST]] <= 0).any():
        raise ValueError("the conditions leave no mass for the rest of the body")
    return out
