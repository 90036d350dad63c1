"""Physiology of adult twins from covariates: organ volumes, blood flows, cardiac output, GFR, and their priors.

Method
------
Reference adults (ICRP 89, one of each sex) are scaled to the twin:

* lean organs, blood and ``rest`` by fat-free mass, skin by body surface area, brain not at all;
* adipose takes what is left of the body mass, so masses sum to it. If that is less than essential fat, adipose is
  set to essential fat and muscle and ``rest`` shrink by one common factor (a note names the twin);
* cardiac output = reference cardiac index x BSA x age factor; organs take the reference fractions, ``rest`` the
  remainder, so flows sum to cardiac output.

In the reference organs ``rest`` is likewise a remainder: nothing leaks. Flow fractions do not change with organ
size or age in this version; haematocrit is a constant of the sex.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from pharmtwin.body.equations import (
    EQUATIONS,
    Bools,
    Floats,
    absolute_gfr,
    body_mass_index,
    body_surface_area,
    cardiac_output_age_factor,
    coefficients,
    egfr_ckd_epi_2021,
    fat_free_mass,
)
from pharmtwin.facts import fact_table
from pharmtwin.findings import Finding, has_errors

ORGANS_TABLE = "physiology/reference_organs.tsv"
BODIES_TABLE = "physiology/reference_bodies.tsv"
COVARIATES = ("age_y", "weight_kg", "height_cm", "creatinine_mg_dl")
BLOOD = ("venous", "arterial")
REST = "rest"


@dataclass(frozen=True)
class Reference:
    """Reference adults; every array has the sexes (M, F) along axis 0.

    Attributes
    ----------
    organs : names of the compartments, ``rest`` last.
    mass, density, flow : shape (2, n_organs); kg, kg/L, fraction of cardiac output (NaN for venous, arterial;
        1 for lung, which is in series).
    weight, height, cardiac_output, haematocrit : shape (2,); kg, cm, L/h, 1.
    """

    organs: tuple[str, ...]
    mass: Floats
    density: Floats
    flow: Floats
    weight: Floats
    height: Floats
    cardiac_output: Floats
    haematocrit: Floats

    @classmethod
    def create(cls, organs: pd.DataFrame, bodies: pd.DataFrame) -> Reference:
        """Check the two sheets and complete ``rest``; raises ValueError if a sex or organ is missing or rest <= 0."""
        names = tuple(dict.fromkeys(organs["organ"]))
        if names[-1] != REST or len(organs) != 2 * len(names) or set(bodies["sex"]) != {"M", "F"}:
            raise ValueError(f"{ORGANS_TABLE}: need every organ once for M and once for F, {REST} last")

        def by_sex(column: str) -> Floats:
            table = organs.pivot(index="sex", columns="organ", values=column).loc[["M", "F"], list(names)]
            return table.to_numpy(dtype=float, na_value=np.nan)

        body = bodies.set_index("sex").loc[["M", "F"]]
        weight = body["mass_kg"].to_numpy(dtype=float)
        mass, flow = by_sex("mass_kg"), by_sex("flow_fraction")
        mass[:, -1] = weight - mass[:, :-1].sum(axis=1)
        in_parallel = [i for i, name in enumerate(names) if name not in (*BLOOD, "lung", REST)]
        flow[:, -1] = 1.0 - flow[:, in_parallel].sum(axis=1)
        if (mass[:, -1] <= 0).any() or (flow[:, -1] <= 0).any():
            raise ValueError(f"{ORGANS_TABLE}: organs leave no mass or no flow for {REST}")
        return cls(
            organs=names,
            mass=mass,
            density=by_sex("density_kg_per_L"),
            flow=flow,
            weight=weight,
            height=body["height_cm"].to_numpy(dtype=float),
            cardiac_output=body["cardiac_output_L_per_min"].to_numpy(dtype=float) * 60.0,
            haematocrit=body["haematocrit"].to_numpy(dtype=float),
        )


@lru_cache(maxsize=1)
def reference() -> Reference:
    """The reference adults of ``resources/physiology``, read once."""
    return Reference.create(fact_table(ORGANS_TABLE), fact_table(BODIES_TABLE))


def organ_masses(weight_kg: Floats, height_cm: Floats, female: Bools) -> tuple[Floats, Floats]:
    """Organ masses (n_twins, n_organs) in kg, in the order of ``reference().organs``, and the shrink factor (n_twins,).

    Masses sum to body mass. The factor on muscle and ``rest`` is 1 unless adipose would fall below essential fat.
    """
    ref, c = reference(), coefficients("body_composition")
    sex = female.astype(int)
    ref_female = np.array([False, True])
    lean = fat_free_mass(weight_kg, height_cm, female) / fat_free_mass(ref.weight, ref.height, ref_female)[sex]
    skin = body_surface_area(weight_kg, height_cm) / body_surface_area(ref.weight, ref.height)[sex]

    mass = ref.mass[sex] * lean[:, None]
    at = {name: i for i, name in enumerate(ref.organs)}
    mass[:, at["brain"]] = ref.mass[sex, at["brain"]]
    mass[:, at["skin"]] = ref.mass[sex, at["skin"]] * skin
    mass[:, at["adipose"]] = 0.0

    least_fat = np.where(female, c["min_adipose_F"], c["min_adipose_M"]) * weight_kg
    yielding = [at["muscle"], at[REST]]
    surplus = np.maximum(mass.sum(axis=1) + least_fat - weight_kg, 0.0)
    shrink = 1.0 - surplus / mass[:, yielding].sum(axis=1)
    mass[:, yielding] *= shrink[:, None]
    mass[:, at["adipose"]] = weight_kg - mass.sum(axis=1)
    return mass, shrink


def organ_flows(cardiac_output: Floats, female: Bools) -> tuple[tuple[str, ...], Floats]:
    """Names and arterial inflows (n_twins, n) in L/h; lung carries the whole output, the others sum to it.

    The flow of liver is its hepatic artery; gut, pancreas and spleen drain into it besides.
    """
    ref = reference()
    keep = [i for i, name in enumerate(ref.organs) if name not in BLOOD]
    names = tuple(ref.organs[i] for i in keep)
    flow = ref.flow[female.astype(int)][:, keep] * cardiac_output[:, None]
    parallel = [i for i, name in enumerate(names) if name not in ("lung", REST)]
    flow[:, names.index(REST)] = cardiac_output - flow[:, parallel].sum(axis=1)
    return names, flow


def physiology_findings(twins: pd.DataFrame, file: str = "twins.tsv") -> list[Finding]:
    """What in the covariates stops, or is worth telling about, the physiology: all rows, all at once.

    Parameters
    ----------
    twins : columns twin_id, sex (M/F), age_y, weight_kg, height_cm, creatinine_mg_dl, in the order of the file.
    file : name of the sheet as the user wrote it; row numbers count its header as line 1.
    """
    missing = [name for name in ("twin_id", "sex", *COVARIATES) if name not in twins.columns]
    if missing:
        what, fix = f"missing columns {missing}", f"add the columns {missing}"
        return [Finding.create("body.columns", file, what, "physiology is computed from them", fix, row=1)]

    found: list[Finding] = []

    def report(rows: Bools, column: str, rule: str, what: str, why: str, fix: str, severity: str = "error") -> None:
        for i in np.flatnonzero(rows):
            value = twins[column].iloc[i]
            found.append(
                Finding.create(
                    rule, file, what, why, fix, row=int(i) + 2, column=column, value=value, severity=severity
                )
            )

    adult = coefficients("adult")
    sex_bad = ~twins["sex"].isin(["M", "F"]).to_numpy(dtype=bool)
    why = "reference organs and equations are those of an adult man or woman"
    report(sex_bad, "sex", "body.sex", "sex is not M or F", why, "write M or F")
    bad = sex_bad.copy()
    number = {name: _numbers(twins, name) for name in COVARIATES}
    for name in COVARIATES:
        broken = ~(np.isfinite(number[name]) & (number[name] > 0))
        why = "volumes, flows and GFR are computed from it, and nothing is filled in"
        report(broken, name, "body.number", "not a positive number", why, "give the measured value")
        bad |= broken
    age = number["age_y"]
    outside = ((age < adult["min_age"]) | (age > adult["max_age"])) & ~bad
    what = f"age outside {adult['min_age']:g}-{adult['max_age']:g} years"
    why = "CKD-EPI 2021 and the reference adults do not hold there"
    report(outside, "age_y", "body.adult", what, why, "leave the twin out; children need their own equations")

    usable = np.flatnonzero(~(bad | outside))
    if usable.size:
        female = (twins["sex"].to_numpy() == "F")[usable]
        shrink = np.ones(len(twins))
        _, shrink[usable] = organ_masses(number["weight_kg"][usable], number["height_cm"][usable], female)
        least = coefficients("body_composition")["min_shrink"]
        why = "the lean mass predicted from weight and height leaves no room for essential fat"
        impossible = shrink < least
        what = f"muscle and rest would have to shrink below {least:g} of their predicted mass"
        report(impossible, "weight_kg", "body.impossible", what, why, "check weight and height and their units")
        what = "adipose set to essential fat, muscle and rest reduced to fit body mass"
        fix = "check weight and height; nothing to do if they are right"
        report((shrink < 1.0) & ~impossible, "weight_kg", "body.lean", what, why, fix, "note")
    return sorted(found, key=lambda f: (f.row, f.column))


def physiology(twins: pd.DataFrame) -> pd.DataFrame:
    """Long table ``body`` (twin_id, quantity, value, unit) of adult twins.

    Parameters
    ----------
    twins : columns twin_id, sex (M/F), age_y (18-100), weight_kg, height_cm, creatinine_mg_dl (standardised).

    Returns
    -------
    V_<organ> (L), Q_<organ> (L/h; liver = hepatic artery, lung = cardiac output), CO (L/h), haematocrit (1),
    BSA (m2), BMI (kg/m2), FFM (kg), eGFR (mL/min/1.73m2), GFR (L/h, of this body).

    Raises
    ------
    ValueError : with every error of :func:`physiology_findings`, all at once.
    """
    findings = physiology_findings(twins)
    if has_errors(findings):
        raise ValueError("\n".join(f.message() for f in findings if f.severity == "error"))

    ref = reference()
    age, weight, height, creatinine = (_numbers(twins, name) for name in COVARIATES)
    female = twins["sex"].to_numpy() == "F"
    sex = female.astype(int)

    bsa = body_surface_area(weight, height)
    cardiac_index = ref.cardiac_output / body_surface_area(ref.weight, ref.height)
    cardiac_output = cardiac_index[sex] * bsa * cardiac_output_age_factor(age)
    mass, _ = organ_masses(weight, height, female)
    flow_names, flow = organ_flows(cardiac_output, female)
    egfr = egfr_ckd_epi_2021(creatinine, age, female)

    columns: dict[str, tuple[Floats, str]] = {}
    for i, organ in enumerate(ref.organs):
        columns[f"V_{organ}"] = (mass[:, i] / ref.density[sex, i], "L")
    for i, organ in enumerate(flow_names):
        columns[f"Q_{organ}"] = (flow[:, i], "L/h")
    columns["CO"] = (cardiac_output, "L/h")
    columns["haematocrit"] = (ref.haematocrit[sex], "1")
    columns["BSA"] = (bsa, "m2")
    columns["BMI"] = (body_mass_index(weight, height), "kg/m2")
    columns["FFM"] = (fat_free_mass(weight, height, female), "kg")
    columns["eGFR"] = (egfr, "mL/min/1.73m2")
    columns["GFR"] = (absolute_gfr(egfr, bsa), "L/h")
    return _long(twins["twin_id"], columns)


def wide(body: pd.DataFrame) -> pd.DataFrame:
    """One row a twin (index twin_id), one column a quantity, both in the order of first appearance."""
    table = body.pivot(index="twin_id", columns="quantity", values="value")
    return table.loc[body["twin_id"].unique(), body["quantity"].unique()].rename_axis(columns=None)


def body_priors(body: pd.DataFrame) -> pd.DataFrame:
    """Table ``priors`` of the body: GFR only, lognormal about the estimate, sd of log 0.206.

    0.206 is how far measured GFR lies from the equation in a person, which creatinine cannot tell. The spread of
    organ sizes and flows at given covariates is *not* written here although the sheet records it: the random
    effects on clearance and volume of the population fit hold that variance, and none may enter twice.
    """
    gfr = body[body["quantity"] == "GFR"]
    sd = coefficients("ckd_epi_2021")["residual_sd_log"]
    return pd.DataFrame(
        {
            "twin_id": gfr["twin_id"].to_numpy(),
            "parameter": "GFR",
            "component": "-",
            "weight": 1.0,
            "family": "lognormal",
            "location": gfr["value"].to_numpy(dtype=float),
            "scale": sd,
            "unit": gfr["unit"].to_numpy(),
            "source": f"CKD-EPI 2021 creatinine, de-indexed by BSA; residual {EQUATIONS}",
        }
    )


def _numbers(twins: pd.DataFrame, column: str) -> Floats:
    return pd.to_numeric(twins[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def _long(twin_id: pd.Series, columns: dict[str, tuple[Floats, str]]) -> pd.DataFrame:
    n, k = len(twin_id), len(columns)
    return pd.DataFrame(
        {
            "twin_id": pd.Series(np.repeat(twin_id.astype(str).to_numpy(dtype=object), k), dtype="string"),
            "quantity": pd.Series(np.tile(np.array(list(columns), dtype=object), n), dtype="string"),
            "value": np.column_stack([value for value, _ in columns.values()]).ravel(),
            "unit": pd.Series(
                np.tile(np.array([unit for _, unit in columns.values()], dtype=object), n), dtype="string"
            ),
        }
    )


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
