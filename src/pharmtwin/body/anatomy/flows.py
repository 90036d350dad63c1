"""Cardiac output and organ blood flows by age, sex and body size.

Cardiac output = cardiac index of the reference of the same age and sex x body surface area x factor of age. The index
of children is that of the reference (interpolated output over its BSA); adults lose 0.5 % of their value at 25 per year
after 25, the reference standing for 35; the factor comes in smoothly between 15 and 20 years.

Fractions of cardiac output of adults are those of ICRP 89. In children

* brain has its measured perfusion by age (:mod:`pharmtwin.body.anatomy.reference`);
* the kidneys filter the adult's fraction of their plasma: their flow is the reference adult's x GFR / (1 - haematocrit)
  relative to his, with the GFR that is typical of a healthy child of the age and size. Between 15 and 25 years this
  passes into the adult's rule;
* the others share the rest in the proportion adult flow per mass x mass (the rule of the National Research Council's
  radon model, Risk Assessment of Radon in Drinking Water, 1999, appendix A, which has it for all organs).

After 35 the kidney's share falls (``ageing.tsv``); what it gives up goes to the others in proportion, but not to the
liver and the organs that drain into it, whose flow falls with cardiac output as measured. ``rest`` included, flows sum
to cardiac output.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pharmtwin.body.anatomy.ageing import ageing_factor
from pharmtwin.body.anatomy.reference import BLOOD, REST, reference, reference_body
from pharmtwin.body.content.blood import haematocrit
from pharmtwin.body.equations import (
    Bools,
    Floats,
    body_surface_area,
    cardiac_output_age_factor,
    coefficients,
    fade_in,
    grown,
)
from pharmtwin.body.kidney.function import typical_gfr
from pharmtwin.core.anatomy import PORTAL
from pharmtwin.units import L_PER_H

#: arterial inflows that reach the liver: its artery, and the organs that drain into the portal vein
HEPATIC = ("liver", *PORTAL)


def cardiac_output(weight_kg: Floats, height_cm: Floats, age_y: Floats, female: Bools) -> Floats:
    """Resting cardiac output (L/h), elementwise; reference people have that of ``reference_growth.tsv``.

    Raises ValueError below age 0.
    """
    ref = reference_body(age_y, female)
    index = ref.cardiac_output / body_surface_area(ref.weight, ref.height)
    ageing = 1.0 + grown(age_y) * (cardiac_output_age_factor(age_y) - 1.0)
    return index * ageing * body_surface_area(weight_kg, height_cm)


def plasma_filtered(age_y: Floats, female: Bools, filtered: Floats | None = None) -> Floats:
    """Healthy GFR as a fraction of the plasma that the heart pumps, (n,).

    ``filtered``: GFR / cardiac output (1) of the people; default that of the reference of their age.
    """
    if filtered is None:
        ref = reference_body(age_y, female)
        filtered = typical_gfr(age_y, female, ref.weight, ref.height) * L_PER_H / ref.cardiac_output
    return filtered / (1.0 - haematocrit(age_y, female).value)


def flow_fractions(
    age_y: Floats, female: Bools, ageing: Mapping[str, str] | None = None, filtered: Floats | None = None
) -> Floats:
    """Fractions of cardiac output (n, n_organs) in the order of ``reference().organs``; lung 1, blood NaN.

    Organs in parallel and ``rest`` sum to 1. ``ageing`` names options other than the defaults (curve -> option).
    ``filtered``: healthy GFR / cardiac output (1), which sets the kidneys' share of the young; default that of the
    reference of the age. Raises ValueError if brain and kidneys of a child would take the whole output.
    """
    age, sex = np.asarray(age_y, dtype=float), np.asarray(female).astype(int)
    adult, ref, c = reference(), reference_body(age, female), coefficients("growth")
    at, parallel, everybody = adult.position(), adult.in_parallel(), np.array([False, True])
    brain, kidney, hepatic = at["brain"], at["kidney"], [at[name] for name in HEPATIC]

    flow = adult.flow[sex].copy()
    share = flow[:, parallel] * ref.mass[:, parallel] / adult.mass[sex][:, parallel]
    flow[:, parallel] = share / share.sum(axis=1, keepdims=True)
    flow[:, brain] = ref.brain_flow / ref.cardiac_output
    of_adult = plasma_filtered(np.full(2, coefficients("cardiac_output_age")["reference_age"]), everybody)[sex]
    of_child = adult.flow[sex, kidney] * plasma_filtered(age, female, filtered) / of_adult
    old = fade_in(age, c["kidney_flow_from"], c["kidney_flow_until"])
    flow[:, kidney] = np.where(old < 1.0, of_child + old * (flow[:, kidney] - of_child), flow[:, kidney])
    _share_rest(flow, [i for i in parallel if i not in (brain, kidney)])

    flow[:, hepatic] *= ageing_factor("hepatic_flow_share", age_y, female, ageing)[:, None]
    flow[:, kidney] *= ageing_factor("kidney_flow_share", age_y, female, ageing)
    _share_rest(flow, [i for i in parallel if i not in (*hepatic, kidney)])
    return flow


def _share_rest(flow: Floats, sharing: list[int]) -> None:
    """Scale these columns so that all organs in parallel sum to 1, in place."""
    left = 1.0 - flow[:, [i for i in reference().in_parallel() if i not in sharing]].sum(axis=1)
    if (left <= 0).any():
        raise ValueError(f"brain and kidneys take the whole cardiac output of {int((left <= 0).sum())} people")
    flow[:, sharing] *= (left / flow[:, sharing].sum(axis=1))[:, None]


def organ_flows(
    output_L_per_h: Floats,
    age_y: Floats,
    female: Bools,
    ageing: Mapping[str, str] | None = None,
    healthy_gfr_L_per_h: Floats | None = None,
) -> tuple[tuple[str, ...], Floats]:
    """Names and arterial inflows (n, k) in L/h; lung carries the whole output, the others sum to it.

    The flow of liver is its hepatic artery; gut, pancreas and spleen drain into it besides. ``healthy_gfr_L_per_h`` is
    what is typical of each person's age and size (a child's kidneys follow it); default that of the reference of the
    age, in proportion to output. Errors as :func:`flow_fractions`.
    """
    organs = reference().organs
    keep = [i for i, name in enumerate(organs) if name not in BLOOD]
    names = tuple(organs[i] for i in keep)
    filtered = None if healthy_gfr_L_per_h is None else healthy_gfr_L_per_h / output_L_per_h
    flow = flow_fractions(age_y, female, ageing, filtered)[:, keep] * output_L_per_h[:, None]
    parallel = [i for i, name in enumerate(names) if name not in ("lung", REST)]
    flow[:, names.index(REST)] = output_L_per_h - flow[:, parallel].sum(axis=1)
    flow[:, names.index("lung")] = output_L_per_h
    return names, flow
