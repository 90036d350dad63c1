"""Physiology of twins from birth to old age, healthy or not: covariates become a complete, consistent body.

Parts (packages of ``pharmtwin.body``): ``anatomy`` (reference people by age, organ masses, flows), ``kidney``,
``content`` (blood, enzymes, transporters), ``conditions`` (diseases and pregnancy), ``people`` (covariates, growth).
Masses sum to body mass and flows to cardiac output, ``rest`` included, whatever the conditions. Method, sources and
reproduced values: docs/physiology.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pharmtwin.body.anatomy.changes import changed_masses
from pharmtwin.body.anatomy.flows import cardiac_output, organ_flows
from pharmtwin.body.anatomy.organs import organ_masses
from pharmtwin.body.anatomy.reference import BODIES_TABLE, REST, reference
from pharmtwin.body.conditions.effects import Effects, apply_flows, twin_effects, weight_before_pregnancy
from pharmtwin.body.conditions.table import People
from pharmtwin.body.content.blood import agp, albumin, haematocrit, protein_ratios
from pharmtwin.body.content.enzymes import enzyme_factors
from pharmtwin.body.equations import Floats, body_mass_index, body_surface_area, coefficients
from pharmtwin.body.kidney.function import INDEX_BSA, KidneyFunction, gfr, typical_gfr
from pharmtwin.body.people.persons import Persons
from pharmtwin.body.people.sheet import long, wide
from pharmtwin.facts import fact_table
from pharmtwin.units import L_PER_H

__all__ = ["Body", "body_of", "physiology", "reference_twins", "state_of", "wide"]


@dataclass(frozen=True)
class Body:
    """Bodies of n people.

    Attributes
    ----------
    persons : their covariates. columns : quantity -> (values (n,), unit), see :func:`physiology`.
    kidney : how GFR is known (``method``, ``sd_log``). effects : of their conditions.
    """

    persons: Persons
    columns: dict[str, tuple[Floats, str]]
    kidney: KidneyFunction
    effects: Effects

    def table(self) -> pd.DataFrame:
        """Long table ``body`` (twin_id, quantity, value, unit)."""
        return long(self.persons.twin_id, self.columns)

    def priors(self) -> pd.DataFrame:
        """Table ``priors`` of the body: GFR, lognormal about the value, as uncertain as its method says.

        The spread of organ sizes, flows and enzymes at given covariates is not written here: the random effects on
        clearance and volume of the population fit hold that variance, and none may enter twice. What a twin's own
        uncertain covariates add is in table ``body_draws``.
        """
        scale, method = gfr_knowledge(self.persons, self.kidney, self.effects)
        return pd.DataFrame(
            {
                "twin_id": self.persons.twin_id,
                "parameter": "GFR",
                "component": "-",
                "weight": 1.0,
                "family": "lognormal",
                "location": self.columns["GFR"][0],
                "scale": scale,
                "unit": "L/h",
                "source": [f"{words}; docs/kidney.md" for words in method],
            }
        )


def gfr_knowledge(persons: Persons, kidney: KidneyFunction, effects: Effects) -> tuple[Floats, list[str]]:
    """How uncertain the GFR of each person is (sd of the logarithm), and how it is known, in words.

    Where kidney disease is all that is known, GFR is the middle of its stage and as uncertain as the stage is wide.
    """
    ones = np.ones(persons.n)
    factor, own = effects.factor.get("gfr", ones), effects.sd_log.get("gfr", 0.0 * ones)
    own = np.where(np.isnan(own), coefficients("condition_spread")["share"] * np.abs(np.log(factor)), own)
    sd, words = np.hypot(kidney.sd_log, own), [str(m) for m in kidney.method]
    for i in np.flatnonzero(factor != 1.0):
        names = [c for c in persons.conditions[i] if c.name == "ckd"]
        known = np.isfinite(persons.gfr_ml_min[i]) or kidney.marker_weight[i] > 0
        if names and not known:
            sd[i], words[i] = own[i], f"middle of {names[0].text()}"
        else:
            words[i] += f", x {factor[i]:.2f} by " + ", ".join(c.text() for c in persons.conditions[i])
    return sd, words


def state_of(persons: Persons) -> tuple[People, Effects, KidneyFunction, Floats]:
    """What conditions do: the people, the effects, their kidney function, and weight before pregnancy.

    Raises ValueError for a condition that does not hold for the person (:mod:`pharmtwin.body.checks` says so first).
    """
    p, week = persons, persons.week_of_pregnancy()
    weight = np.where(week > 0, weight_before_pregnancy(p.weight_kg, week), p.weight_kg)
    size = (p.age_y, p.female, weight, p.height_cm, p.gestational_age_wk)
    kidney = gfr(*size, p.creatinine_mg_dl, p.cystatin_c_mg_l, p.gfr_ml_min)
    # a value without any marker is what is typical: a condition may change it, and must not change a known one
    known = np.isfinite(p.gfr_ml_min) | (np.nan_to_num(kidney.marker_weight) > 0)
    people = People(
        age_y=p.age_y,
        female=p.female,
        egfr=np.where(known, kidney.indexed, np.nan),
        healthy_gfr=typical_gfr(*size) / kidney.bsa_m2 * INDEX_BSA,
        bmi=body_mass_index(p.weight_kg, p.height_cm),
        gfr_measured=np.isfinite(p.gfr_ml_min),
        from_creatinine=known & ~np.isfinite(p.gfr_ml_min) & ~np.isfinite(p.cystatin_c_mg_l),
    )
    return people, twin_effects(p.conditions, people), kidney, weight


def body_of(twins: pd.DataFrame) -> Body:
    """Bodies of the rows of a twins sheet (columns of :class:`~pharmtwin.body.people.persons.Persons`).

    Size must be complete.

    Raises ValueError naming the twins whose body cannot be computed, KeyError for a missing column.
    """
    p, ref = Persons.of(twins), reference()
    people, effects, kidney, weight = state_of(p)
    sex, ones = p.female.astype(int), np.ones(p.n)
    healthy_gfr = people.healthy_gfr * kidney.bsa_m2 / INDEX_BSA * L_PER_H
    resting = cardiac_output(weight, p.height_cm, p.age_y, p.female)
    names, healthy = organ_flows(resting, p.age_y, p.female, healthy_gfr_L_per_h=healthy_gfr)
    parallel = {name: healthy[:, i] for i, name in enumerate(names) if name != "lung"}
    flow, output = apply_flows(parallel, effects)
    flow[REST] = flow[REST] + flow.pop("placenta", 0.0 * ones)

    hct = haematocrit(p.age_y, p.female, p.gestational_age_wk).value
    changed = np.where(np.isfinite(p.haematocrit), p.haematocrit, hct * effects.factor.get("haematocrit", ones))
    organs = organ_masses(weight, p.height_cm, p.age_y, p.female)
    mass = changed_masses(organs.mass, p.weight_kg, effects, hct, changed)

    columns: dict[str, tuple[Floats, str]] = {}
    for i, organ in enumerate(ref.organs):
        columns[f"V_{organ}"] = (mass[:, i] / ref.density[sex, i], "L")
    for name in names:
        columns[f"Q_{name}"] = (output if name == "lung" else flow[name], "L/h")
    columns["CO"] = (output, "L/h")
    columns["BSA"] = (body_surface_area(p.weight_kg, p.height_cm), "m2")
    columns["BMI"] = (people.bmi, "kg/m2")
    columns["FFM"] = (organs.lean, "kg")
    factor = effects.factor.get("gfr", ones)
    columns["eGFR"] = (kidney.indexed * factor, "mL/min/1.73m2")
    columns["GFR"] = (kidney.gfr_l_h * factor, "L/h")
    columns["GFR_healthy"] = (healthy_gfr, "L/h")
    columns |= _blood(p, effects, changed)
    columns["gastric_emptying_time"] = (effects.factor.get("time.gastric_emptying", ones), "1")
    columns["intestinal_transit_time"] = (effects.factor.get("time.small_intestine", ones), "1")
    for name, value in enzyme_factors(p.age_y, p.gestational_age_wk, effects).items():
        columns[name] = (value, "1")
    _complete(p, columns)
    return Body(p, columns, kidney, effects)


def physiology(twins: pd.DataFrame) -> pd.DataFrame:
    """Long table ``body`` (twin_id, quantity, value, unit) of the rows of a twins sheet.

    V_<organ> (L), Q_<organ> (L/h; liver = hepatic artery, lung = cardiac output), CO (L/h), BSA (m2), BMI (kg/m2), FFM
    (kg), eGFR (mL/min/1.73m2), GFR and GFR_healthy (L/h of this body; the latter typical of age and size),
    haematocrit (1), albumin and AGP (g/L) with their ratios to the adult, factors on gastric emptying and transit
    time, and ``enzyme_<name>`` (content per gram relative to the reference adult, without genotype). Errors as
    :func:`body_of`.
    """
    return body_of(twins).table()


def reference_twins() -> pd.DataFrame:
    """The reference man and woman as rows of a twins sheet (ids ``population_M`` and ``population_F``).

    Age and creatinine are those of ``reference_bodies.tsv``.
    """
    bodies = fact_table(BODIES_TABLE)
    return pd.DataFrame(
        {
            "twin_id": "population_" + bodies["sex"].astype(str),
            "sex": bodies["sex"].astype(str),
            "age_y": bodies["age_y"].astype(float),
            "weight_kg": bodies["mass_kg"].astype(float),
            "height_cm": bodies["height_cm"].astype(float),
            "creatinine_mg_dl": bodies["creatinine_mg_dl"].astype(float),
        }
    )


def _blood(p: Persons, effects: Effects, hct: Floats) -> dict[str, tuple[Floats, str]]:
    """Proteins of plasma; a measured value is not changed by a condition, a typical one is."""
    ones = np.ones(p.n)
    level = {
        "albumin": albumin(p.age_y, p.gestational_age_wk, p.albumin_g_l),
        "AGP": agp(p.age_y, p.agp_g_l),
    }
    told = {"albumin": p.albumin_g_l, "AGP": p.agp_g_l}
    value = {
        name: np.where(np.isfinite(told[name]), e.value, e.value * effects.factor.get(name.lower(), ones))
        for name, e in level.items()
    }
    ratio = protein_ratios(value["albumin"], value["AGP"])
    return {
        "haematocrit": (hct, "1"),
        **{name: (values, "g/L") for name, values in value.items()},
        **{f"{name}_ratio": (values, "1") for name, values in ratio.items()},
    }


def _complete(p: Persons, columns: dict[str, tuple[Floats, str]]) -> None:
    """Raise ValueError naming the twins with a quantity that could not be computed, or is not positive."""
    bad: dict[str, list[str]] = {}
    for quantity, (values, _) in columns.items():
        least = 0.0 if quantity.startswith("enzyme_") else np.nextafter(0.0, 1.0)
        for i in np.flatnonzero(~(np.isfinite(values) & (values >= least))):
            bad.setdefault(str(p.twin_id[i]), []).append(quantity)
    if bad:
        raise ValueError("\n".join(f"{twin}: no {', '.join(q[:6])}" for twin, q in list(bad.items())[:20]))
