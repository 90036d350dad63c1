"""Enzymes and transporters of a person relative to the reference adult: maturation, protein per gram of liver, states.

``enzyme_<name>`` is per gram of organ: for liver enzymes abundance x MPPGL, which falls in old age (Barter 2008); for
gut and kidney the maturation alone. The reference adult is of :data:`REFERENCE_AGE`, and the values of drug files are
stated for his liver. Genotype is not in it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pharmtwin.body.conditions.effects import Effects
from pharmtwin.body.conditions.table import effect_table
from pharmtwin.body.content.liver import mppgl
from pharmtwin.body.content.ontogeny import ADULT_AGE, ontogeny, ontogeny_curve, ontogeny_names, ontogeny_sd
from pharmtwin.body.equations import Floats, coefficients

REFERENCE_AGE = 35.0  # y; age of the reference adults of physiology/reference_bodies.tsv
PREFIX = "enzyme_"


@lru_cache(maxsize=1)
def enzyme_names() -> tuple[str, ...]:
    """Enzymes and transporters of every body: those that mature, then those that only a condition changes."""
    changed = {q.removeprefix("enzyme.") for q in effect_table()["quantity"] if str(q).startswith("enzyme.")}
    return tuple(dict.fromkeys([*ontogeny_names(), *sorted(changed)]))


def enzyme_factors(age_y: Floats, gestational_age_wk: Floats, effects: Effects) -> dict[str, Floats]:
    """``enzyme_<name>`` of each person, (n,): content per gram relative to the reference adult, states included.

    Liver function lost in cirrhosis (``volume.liver_functional``) takes enzymes and transporters of the liver with it:
    here per gram, since the volume of the liver is kept. An enzyme that a condition changes, but that has no
    maturation curve, stands at its adult content.
    """
    ones = np.ones(len(age_y))
    per_gram = mppgl(age_y) / mppgl(np.array(REFERENCE_AGE))
    adult = mppgl(np.maximum(age_y, ADULT_AGE)) / mppgl(np.array(REFERENCE_AGE))
    functional = effects.factor.get("volume.liver_functional", ones)
    out = {}
    for name in enzyme_names():
        if name in ontogeny_names():
            curve = ontogeny_curve(name)
            basis, tissue, value = curve.basis, curve.tissue, ontogeny(name, age_y, gestational_age_wk)
        else:
            basis, tissue, value = "microsomal protein", "liver", ones
        content = {"microsomal protein": per_gram, "liver": adult}.get(basis, ones)
        own = effects.factor.get(f"enzyme.{name}", effects.factor.get(f"secretion.{name}", ones))
        out[PREFIX + name] = value * content * (functional if tissue == "liver" else ones) * own
    return out


def enzyme_sd(age_y: Floats, gestational_age_wk: Floats, effects: Effects) -> dict[str, Floats]:
    """Sd of the logarithm of each factor beyond the variability of healthy adults: maturation and conditions.

    Where the source of a condition's effect gives no sd (NaN), a stated share of the effect's logarithm stands for it.
    """
    share = coefficients("condition_spread")["share"]
    out = {}
    for name in enzyme_names():
        mature = name in ontogeny_names()
        growing = ontogeny_sd(name, age_y, gestational_age_wk) if mature else np.zeros(len(age_y))
        factor = effects.factor.get(f"enzyme.{name}", np.ones(len(age_y)))
        own = effects.sd_log.get(f"enzyme.{name}", np.zeros(len(age_y)))
        out[PREFIX + name] = np.hypot(growing, np.where(np.isnan(own), share * np.abs(np.log(factor)), own))
    return out
