"""Glomerular filtration of any patient, from a preterm infant to a frail elder, continuous in age.

Method
------
What is known of a person decides; the label beside every value says what was used.

* *measured GFR*: taken as it is, at any age.
* *no marker*: Rhodin 2009 (weight, postmenstrual age; by name Smeets 2022 for term newborns) for children, the mean
  measured GFR of healthy adults by age for adults, blended from 15 to 25 years; the spread is wide.
* *creatinine, cystatin C or both*: CKiD U25 for children, CKD-EPI for adults, blended from 18 to 25 years. Infants:
  creatinine counts from 4 weeks (not at all before: it is partly the mother's), fully from 26 weeks, both counted
  from birth and from term (44 and 66 weeks PMA), whichever is later; cystatin C from 6 to 12 months. Until then
  Rhodin carries the rest of the weight.

Every blend is a weight 3x^2 - 2x^3 on the logarithm of GFR. Ages, windows and residual errors stand in
``physiology/kidney.tsv``. Indexed GFR becomes GFR of this body by BSA/1.73 (Mosteller).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pharmtwin.body.equations import Bools, Floats, body_surface_area
from pharmtwin.body.kidney import equations as eq
from pharmtwin.body.kidney.equations import kidney_coefficients
from pharmtwin.body.kidney.labels import method_labels
from pharmtwin.facts import fact_table
from pharmtwin.units import DAYS_PER_YEAR, L_PER_H

CURVES = "physiology/kidney_curves.tsv"
INDEX_BSA = 1.73  # m2; part of the unit mL/min/1.73 m2
#: equations from creatinine alone that ``gfr`` can be asked for, with the words of the label
ADULT = {
    "ckd_epi_2021": "CKD-EPI 2021",
    "ckd_epi_2009": "CKD-EPI 2009",
    "cockcroft_gault": "Cockcroft-Gault",
}
CHILD_LABELS = {
    "ckid_u25": ("CKiD U25 creatinine", "CKiD U25 cystatin C", "CKiD U25 creatinine and cystatin C"),
    "schwartz_2009": ("Schwartz 2009", "CKiD 2012 cystatin C", "Schwartz 2009 and CKiD 2012 cystatin C"),
}
TYPICAL = {"pottel_2017": "Pottel 2017", "fenton_2018": "Fenton 2018"}
NEWBORN = {"rhodin_2009": "Rhodin 2009", "smeets_2022": "Smeets 2022 (term newborns), Rhodin 2009"}


@dataclass(frozen=True)
class KidneyFunction:
    """GFR of n persons; arrays of shape (n,).

    Attributes
    ----------
    gfr_ml_min, gfr_l_h : GFR of this body, mL/min and L/h.
    indexed : mL/min/1.73 m2 (NaN where BSA is not known).
    sd_log : sd of the logarithm of the true GFR about the value, given what was known of the person.
    method : what was used, in words; ``not computed: ...`` names what was missing.
    marker_weight : share of the markers in the value, 0 (none) to 1 (NaN for a measured GFR).
    bsa_m2 : body surface area used to index and de-index.
    """

    gfr_ml_min: Floats
    gfr_l_h: Floats
    indexed: Floats
    sd_log: Floats
    method: NDArray[np.str_]
    marker_weight: Floats
    bsa_m2: Floats


def smooth_step(x: Floats, start: float, stop: float) -> Floats:
    """0 before ``start``, 1 after ``stop``, 3t^2 - 2t^3 between (continuous, with a continuous slope)."""
    t = np.clip((x - start) / (stop - start), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def kidney_curve(name: str) -> tuple[Floats, Floats]:
    """Ages (years) and values of one curve of ``kidney_curves.tsv``; raises KeyError if there is none."""
    table = fact_table(CURVES)
    table = table[table["curve"] == name]
    if table.empty:
        raise KeyError(f"{CURVES} has no curve {name!r}")
    return table["age_y"].to_numpy(dtype=float), table["value"].to_numpy(dtype=float)


def _mix(weight: Floats, first: Floats, second: Floats) -> Floats:
    """first^(1-w) second^w; where w is 0 or 1 the other value may be NaN or missing."""
    with np.errstate(divide="ignore", invalid="ignore"):
        between = np.exp((1.0 - weight) * np.log(first) + weight * np.log(second))
    return np.where(weight <= 0, first, np.where(weight >= 1, second, between))


def _mix_sd(weight: Floats, first: Floats, second: Floats | float) -> Floats:
    return np.sqrt((1.0 - weight) * np.square(first) + weight * np.square(second))


def _rows(name: str, values: ArrayLike | None, n: int, positive: bool = True) -> Floats:
    """Float array (n,); None is NaN everywhere; raises ValueError for a wrong length or values that cannot be."""
    if values is None:
        return np.full(n, np.nan)
    array = np.asarray(values, dtype=float)
    array = np.broadcast_to(array, (n,)) if array.ndim == 0 else array
    if array.shape != (n,):
        raise ValueError(f"{name} has shape {array.shape}, the ages have ({n},)")
    bad = np.flatnonzero(np.isinf(array) | (array <= 0 if positive else array < 0))
    if bad.size:
        raise ValueError(f"{name}: {bad.size} values are not positive, first at position {bad[0]}: {array[bad[0]]:g}")
    return array


def typical_gfr(
    age_y: ArrayLike,
    female: ArrayLike,
    weight_kg: ArrayLike,
    height_cm: ArrayLike,
    gestational_age_wk: ArrayLike | None = None,
    reference: str = "pottel_2017",
    newborn: str = "rhodin_2009",
) -> Floats:
    """GFR (mL/min of this body) of a healthy person of this age and size: Rhodin 2009, from 25 years the adult's mean.

    Parameters
    ----------
    reference : ``pottel_2017`` (107.3 mL/min/1.73 m2 up to 40 years, then 0.988 a year; no difference of the sexes was
        found) or ``fenton_2018`` (100 up to 35 years, then a linear fall by sex).
    gestational_age_wk : 40 where not told.
    newborn : ``smeets_2022``: the first month of those born at term is the mean measured GFR of healthy newborns by age
        (19.6, 40.6, 59.4 mL/min/1.73 m2 on days 1, 5, 28), which passes into Rhodin by 26 weeks of life.

    Raises ValueError for an unknown reference or newborn.
    """
    age = np.atleast_1d(np.asarray(age_y, dtype=float))
    n = age.size
    weight, height = _rows("weight_kg", weight_kg, n), _rows("height_cm", height_cm, n)
    window = kidney_coefficients("windows")
    gestation = _rows("gestational_age_wk", gestational_age_wk, n)
    gestation = np.where(np.isnan(gestation), window["term"], gestation)
    child = eq.rhodin_2009(weight, eq.postmenstrual_age(age, gestation))
    if reference not in TYPICAL or newborn not in NEWBORN:
        known = ", ".join([*TYPICAL, *NEWBORN])
        raise ValueError(f"unknown reference {reference!r} or newborn {newborn!r}; known: {known}")
    if newborn == "smeets_2022":
        child = _term_newborn(child, age, gestation, body_surface_area(weight, height))
    c = kidney_coefficients(f"typical_{reference}")
    past = np.maximum(age - c["flat_to"], 0.0)
    if reference == "pottel_2017":
        indexed = c["level"] * c["age_base"] ** past
    else:
        fall = np.where(np.broadcast_to(np.asarray(female, dtype=bool), (n,)), c["fall_F"], c["fall_M"])
        indexed = c["level"] - fall * past
    adult = indexed * body_surface_area(weight, height) / INDEX_BSA
    return _mix(smooth_step(age, window["typical_from_age"], window["typical_to_age"]), child, adult)


def _term_newborn(rhodin: Floats, age: Floats, gestation: Floats, bsa: Floats) -> Floats:
    """Rhodin replaced by the measured GFR of term newborns (straight in the logarithms of age and GFR)."""
    w = kidney_coefficients("windows")
    ages, values = kidney_curve("gfr_newborn")
    indexed = np.exp(np.interp(np.log(np.maximum(age, ages[0])), np.log(ages), np.log(values)))
    left = 1.0 - smooth_step(age * DAYS_PER_YEAR, w["creatinine_from_day"], w["creatinine_to_day"])
    term = smooth_step(gestation, w["newborn_from_week"], w["newborn_to_week"])
    return _mix(left * term, rhodin, indexed * bsa / INDEX_BSA)


def creatinine_weight(age_y: Floats, pma_wk: Floats) -> Floats:
    """Share of creatinine against Rhodin in infants: 0 up to 4 weeks after birth or term, 1 from 26 weeks."""
    w = kidney_coefficients("windows")
    after_birth = smooth_step(age_y * DAYS_PER_YEAR, w["creatinine_from_day"], w["creatinine_to_day"])
    return np.minimum(after_birth, smooth_step(pma_wk, w["creatinine_from_pma"], w["creatinine_to_pma"]))


def _child_indexed(child: str, age: Floats, female: Bools, height: Floats, creatinine: Floats) -> Floats:
    """Creatinine equation of children, its k passing below 1 year into that of newborns (Smeets 2022)."""
    window = kidney_coefficients("windows")
    if child == "ckid_u25":
        value = eq.ckid_u25_creatinine(creatinine, age, female, height)
    else:
        value = eq.schwartz_2009(creatinine, height)
    newborn = kidney_coefficients("infant_creatinine")["k"] * height / creatinine
    grown = smooth_step(age, window["creatinine_from_day"] / DAYS_PER_YEAR, window["infant_k_to_age"])
    return _mix(grown, newborn, value)


def gfr(
    age_y: ArrayLike,
    female: ArrayLike,
    weight_kg: ArrayLike,
    height_cm: ArrayLike,
    gestational_age_wk: ArrayLike | None = None,
    creatinine_mg_dl: ArrayLike | None = None,
    cystatin_c_mg_l: ArrayLike | None = None,
    measured_gfr: ArrayLike | None = None,
    *,
    adult: str = "ckd_epi_2021",
    child: str = "ckid_u25",
    reference: str = "pottel_2017",
    newborn: str = "rhodin_2009",
) -> KidneyFunction:
    """GFR of every person by the best that is known of them.

    Parameters
    ----------
    age_y : postnatal age (n,), years, 0 to 95 and above. female : bool (n,). weight_kg, height_cm : (n,).
    gestational_age_wk : at birth; NaN or None: 40, which the label of an infant then says.
    creatinine_mg_dl : IDMS-traceable. cystatin_c_mg_l : IFCC-traceable. measured_gfr : mL/min of this body
        (not indexed). NaN or None: not known.
    adult, child : the equation from creatinine alone, one of ``ADULT`` and
        ``CHILD_LABELS``; cystatin C goes to CKD-EPI 2012
        (with ``schwartz_2009``, children's to CKiD 2012), both markers to CKD-EPI 2021 combined and to the mean of
        the two children's equations.
    reference, newborn : as in :func:`typical_gfr`, for those without a marker.

    Returns
    -------
    :class:`KidneyFunction`. A person whose weight, height or age is missing where it is needed gets NaN and the
    label ``not computed``.

    Raises
    ------
    ValueError : arrays of unequal length, values that are zero, negative or infinite, unknown equation.
    """
    if adult not in ADULT or child not in CHILD_LABELS:
        raise ValueError(f"unknown equation; adult: {', '.join(ADULT)}; child: {', '.join(CHILD_LABELS)}")
    age = np.atleast_1d(np.asarray(age_y, dtype=float))
    n = age.size
    age = _rows("age_y", age, n, positive=False)
    woman = np.broadcast_to(np.asarray(female, dtype=bool), (n,))
    weight, height = _rows("weight_kg", weight_kg, n), _rows("height_cm", height_cm, n)
    told = _rows("gestational_age_wk", gestational_age_wk, n)
    creatinine = _rows("creatinine_mg_dl", creatinine_mg_dl, n)
    cystatin = _rows("cystatin_c_mg_l", cystatin_c_mg_l, n)
    measured = _rows("measured_gfr", measured_gfr, n)
    window, sd = kidney_coefficients("windows"), kidney_coefficients("residual_sd")
    bsa = body_surface_area(weight, height)
    gestation = np.where(np.isnan(told), window["term"], told)

    typical = typical_gfr(age, woman, weight, height, gestation, reference, newborn)
    typical_sd = np.interp(age, *kidney_curve("sd_no_marker"))

    # children: each marker counts by its own weight; from 1 year both weights are 1 and this is the published mean
    has_cr, has_cys = ~np.isnan(creatinine), ~np.isnan(cystatin)
    w_cr = np.where(has_cr, creatinine_weight(age, eq.postmenstrual_age(age, gestation)), 0.0)
    w_cys = np.where(has_cys, smooth_step(age, window["cystatin_from_age"], window["cystatin_to_age"]), 0.0)
    by_cr = _child_indexed(child, age, woman, height, creatinine)
    by_cys = eq.ckid_u25_cystatin(cystatin, age, woman) if child == "ckid_u25" else eq.ckid_2012_cystatin(cystatin)
    total = np.where(w_cr + w_cys > 0, w_cr + w_cys, 1.0)
    share = w_cys / total  # of cystatin C among the markers: 0, 1/2 or 1 from the first birthday on
    young = (1.0 - share) * np.where(w_cr > 0, by_cr, 0.0) + share * np.where(w_cys > 0, by_cys, 0.0)
    grown = smooth_step(age, window["creatinine_from_day"] / DAYS_PER_YEAR, window["infant_k_to_age"])
    sd_cr = _mix_sd(grown, np.full(n, sd["infant_creatinine"]), sd["child_creatinine"])
    one_sd = np.where(share < 0.5, sd_cr, sd["child_cystatin"])
    young_sd = _mix_sd(1.0 - np.abs(2.0 * share - 1.0), one_sd, sd["child_combined"])

    # adults
    old = np.where(
        has_cys,
        np.where(
            has_cr,
            eq.ckd_epi_2021_combined(creatinine, cystatin, age, woman),
            eq.ckd_epi_2012_cystatin(cystatin, age, woman),
        ),
        _adult_creatinine(adult, creatinine, age, woman, weight, bsa),
    )
    alone = sd["adult_cockcroft_gault"] if adult == "cockcroft_gault" else sd["adult_creatinine"]
    old_sd = np.where(has_cys, np.where(has_cr, sd["adult_combined"], sd["adult_cystatin"]), alone)

    w_old = smooth_step(age, window["adult_from_age"], window["adult_to_age"])
    w_marker = np.maximum(w_cr, w_cys)
    by_marker = _mix(w_old, young, old) * bsa / INDEX_BSA
    value = np.where(np.isnan(measured), _mix(w_marker, typical, by_marker), measured)
    spread = _mix_sd(w_marker, typical_sd, _mix_sd(w_old, young_sd, old_sd))
    spread = np.where(np.isnan(measured), spread, sd["measured"])
    missing = np.isnan(value)
    return KidneyFunction(
        gfr_ml_min=value,
        gfr_l_h=value * L_PER_H,
        indexed=value * INDEX_BSA / bsa,
        sd_log=np.where(missing, np.nan, spread),
        method=method_labels(
            age=age,
            weight=weight,
            height=height,
            gestation=told,
            measured=measured,
            missing=missing,
            w_cr=w_cr,
            w_cys=w_cys,
            has_cr=has_cr,
            has_cys=has_cys,
            w_old=w_old,
            w_typical=smooth_step(age, window["typical_from_age"], window["typical_to_age"]),
            young=CHILD_LABELS[child],
            old=(ADULT[adult] + " creatinine", "CKD-EPI 2012 cystatin C", "CKD-EPI 2021 creatinine and cystatin C"),
            typical="typical of age, " + TYPICAL[reference],
            children=NEWBORN[newborn],
        ),
        marker_weight=np.where(missing | ~np.isnan(measured), np.nan, w_marker),
        bsa_m2=bsa,
    )


def _adult_creatinine(
    adult: str, creatinine: Floats, age: Floats, female: Bools, weight: Floats, bsa: Floats
) -> Floats:
    if adult == "cockcroft_gault":
        return eq.cockcroft_gault(creatinine, age, female, weight) * INDEX_BSA / bsa
    equation = eq.ckd_epi_2021_creatinine if adult == "ckd_epi_2021" else eq.ckd_epi_2009_creatinine
    return equation(creatinine, age, female)


def ckd_stage(indexed: Floats, age_y: Floats) -> NDArray[np.str_]:
    """GFR category G1, G2, G3a, G3b, G4 or G5 of adults (KDIGO 2012) from indexed GFR, unrounded.

    Under 18 years ``child: not staged``, without GFR or age ``unknown``. A category is not a diagnosis: chronic kidney
    disease needs three months, and G1 and G2 other signs of damage.
    """
    limit = kidney_coefficients("kdigo_2012")
    names = ("G1", "G2", "G3a", "G3b", "G4")
    stage = np.select([indexed >= limit[name] for name in names], names, "G5")
    stage = np.where(age_y < limit["adult_age"], "child: not staged", stage)
    return np.where(np.isnan(indexed) | np.isnan(age_y), "unknown", stage)


def secretion_factor(gfr_ml_min: Floats, reference_ml_min: Floats) -> Floats:
    """Tubular secretion relative to a healthy person of the same age and size: GFR / reference.

    Intact nephron hypothesis: whole nephrons are lost, and secretion falls with filtration. Of 30 studies that tested
    it 24 did not support it (Pradhan 2019, DOI 10.1007/s00228-018-2572-8); of 21 secreted drugs the ratio of renal to
    filtration clearance stayed constant over GFR in 8 and drifted in 13 (Chapron 2017, PMC5593164). So it is a first
    guess for chronic disease, not for acute injury. It says nothing of the maturation of transporters: that is their
    ontogeny, and the reference here is ``typical_gfr`` of the same child. Nor of the further halving of OAT1 and OAT3
    in severe disease: that is ``secretion.OAT1`` and ``secretion.OAT3`` of ``conditions.tsv``, in ``enzyme_OAT1`` and
    ``enzyme_OAT3`` of the body.

    gfr_ml_min, reference_ml_min : both of this body or both indexed, shape (n,).
    """
    return gfr_ml_min / reference_ml_min
