"""Lean and fat mass from weight, height, age and sex, one rule from the newborn to the adult.

fat-free mass = Janmahasatian 2005 (weight, height, sex) x maturation of Al-Sallami 2015 (age, sex)

The maturation term was fitted at 3-29 years. Used down to birth it gives the reference newborn 2.98 kg and the
reference child of one year 7.8 kg of 10 (Fomon 1982: 22.5 % fat in boys of one year, 23.7 % in girls, background
knowledge, not checked); fat-free mass / length^2 of the newborn is 11.5 kg/m2, measured 11 (DXA, 132 term infants,
Nutrients 2016). So it serves there too, as an extrapolation. From 15 to 20 years it fades out smoothly: adults have
Janmahasatian as published (the term itself is 0.999 in men, 1.03 in women at 20).

Ageing is not here: the lean mass an elder has lost is the sum over the organs (:mod:`pharmtwin.body.anatomy.organs`).
"""

from __future__ import annotations

import numpy as np

from pharmtwin.body import equations
from pharmtwin.body.equations import Bools, Floats, coefficients, fade_in, grown


def lean_maturation(age_y: Floats, female: Bools) -> Floats:
    """Fat-free mass relative to the adult equation (1): a + (1 - a) age^g / (age^g + age50^g), 1 from 20 years on.

    (Al-Sallami 2015, DOI 10.1007/s40262-015-0277-z; validity 3-29 years, extrapolated below.)
    """
    c = coefficients("al_sallami")

    def of_sex(name: str) -> Floats:
        return np.where(female, c[f"{name}_F"], c[f"{name}_M"])

    # the window ends at 20: a larger age changes nothing, and the power stays small
    ratio = (np.minimum(age_y, coefficients("growth")["growing_until"]) / of_sex("a50")) ** of_sex("hill")
    alpha = of_sex("alpha")
    term = alpha + (1.0 - alpha) * ratio / (1.0 + ratio)
    return term + grown(age_y) * (1.0 - term)


def fat_free_mass(weight_kg: Floats, height_cm: Floats, age_y: Floats, female: Bools) -> Floats:
    """Fat-free mass (kg) at the age of growth; of an adult before the losses of ageing. May exceed weight if the body
    cannot be (BMI below about 12): then :func:`pharmtwin.body.checks.body_findings` says so."""
    return equations.fat_free_mass(weight_kg, height_cm, female) * lean_maturation(age_y, female)


def fat_mass(weight_kg: Floats, height_cm: Floats, age_y: Floats, female: Bools) -> Floats:
    """Fat (kg) = weight - fat-free mass, before the gains of ageing; negative where the body cannot be."""
    return weight_kg - fat_free_mass(weight_kg, height_cm, age_y, female)


def least_adipose(age_y: Floats, female: Bools) -> Floats:
    """Essential fat (fraction of weight): 3 % at birth and in men, 12 % in women, smooth between 15 and 20 years."""
    c = coefficients("body_composition")
    adult = np.where(female, c["min_adipose_F"], c["min_adipose_M"])
    return c["min_adipose_newborn"] + grown(age_y) * (adult - c["min_adipose_newborn"])


def least_shrink(age_y: Floats) -> Floats:
    """How far muscle and ``rest`` may be reduced to fit a thin body before it is refused: 0.5 at birth, 0.8 from 2
    y.
    """
    c = coefficients("body_composition")
    newborn, limit = c["min_shrink_newborn"], c["min_shrink"]
    return newborn + fade_in(age_y, 0.0, c["infant_until"]) * (limit - newborn)
