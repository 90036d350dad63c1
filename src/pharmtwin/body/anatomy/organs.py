"""Organ masses of a person, from the reference of the same age and sex.

* lean organs, blood and ``rest`` scale with fat-free mass, skin with body surface area; brain is the reference's, but
  scales with fat-free mass^0.64 in the newborn (fading until 2 years), so that an infant born early fits;
* liver has its own equation; what it differs from the scaled reference is taken from, or given to, ``rest``, so that
  the other organs of the reference people stay as ICRP 89 prints them;
* ageing (after 35) takes from liver, kidney, muscle, skin, brain and blood;
* adipose takes what is left of body mass: masses sum to it, and what ageing took is fat. If less than essential fat is
  left, muscle and ``rest`` shrink by one common factor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pharmtwin.body.anatomy.ageing import ageing_factor
from pharmtwin.body.anatomy.composition import fat_free_mass, least_adipose
from pharmtwin.body.anatomy.liver_volume import METHODS, liver_volume
from pharmtwin.body.anatomy.reference import BLOOD, REST, reference, reference_body
from pharmtwin.body.equations import Bools, Floats, body_surface_area, coefficients, fade_in

#: organ -> curve of ageing of its mass
AGEING_ORGANS = {
    "liver": "liver_volume",
    "kidney": "kidney_mass",
    "muscle": "muscle_mass",
    "skin": "skin_mass",
    "brain": "brain_mass",
    **{blood: "blood_mass" for blood in BLOOD},
}


@dataclass(frozen=True)
class OrganMasses:
    """Organ masses of people.

    Attributes
    ----------
    mass : (n, n_organs) kg in the order of ``reference().organs``; rows sum to body mass.
    shrink : (n,) factor on muscle and ``rest``, 1 unless adipose would fall below essential fat.
    lean : (n,) kg, fat-free mass after the losses of ageing and shrinking.
    """

    mass: Floats
    shrink: Floats
    lean: Floats


def organ_masses(
    weight_kg: Floats,
    height_cm: Floats,
    age_y: Floats,
    female: Bools,
    liver: str = METHODS[0],
    ageing: Mapping[str, str] | None = None,
) -> OrganMasses:
    """Organ masses from covariates, all (n,): weight (kg), height (cm), age (years, 0 and up), female.

    ``liver`` names the equation of its volume, ``ageing`` options other than the defaults (curve -> option). NaN in,
    NaN out. Raises ValueError for an unknown name or an age below 0.
    """
    adult, ref = reference(), reference_body(age_y, female)
    at, sex = adult.position(), np.asarray(female).astype(int)
    c = coefficients("body_composition")
    fat_free = fat_free_mass(weight_kg, height_cm, age_y, female)
    lean = fat_free / fat_free_mass(ref.weight, ref.height, age_y, female)
    bsa = body_surface_area(weight_kg, height_cm)
    newborn = 1.0 - fade_in(age_y, 0.0, c["infant_until"])

    mass = ref.mass * lean[:, None]
    mass[:, at["brain"]] = ref.mass[:, at["brain"]] * lean ** (c["brain_power_newborn"] * newborn)
    mass[:, at["skin"]] = ref.mass[:, at["skin"]] * bsa / body_surface_area(ref.weight, ref.height)
    liver_kg = liver_volume(bsa, weight_kg, age_y, liver) * adult.density[sex, at["liver"]]
    mass[:, at[REST]] += mass[:, at["liver"]] - liver_kg
    mass[:, at["liver"]] = liver_kg
    mass[:, at["adipose"]] = 0.0

    predicted = mass.sum(axis=1)
    for organ, curve in AGEING_ORGANS.items():
        mass[:, at[organ]] *= ageing_factor(curve, age_y, female, ageing)
    yielding = [at["muscle"], at[REST]]
    surplus = np.maximum(mass.sum(axis=1) + least_adipose(age_y, female) * weight_kg - weight_kg, 0.0)
    shrink = 1.0 - surplus / mass[:, yielding].sum(axis=1)
    mass[:, yielding] *= shrink[:, None]
    kept = mass.sum(axis=1)
    mass[:, at["adipose"]] = weight_kg - kept
    return OrganMasses(mass=mass, shrink=shrink, lean=fat_free - (predicted - kept))
