"""Published equations of glomerular filtration, one function each; coefficients from ``physiology/kidney.tsv``.

Every function is elementwise: arrays of shape (n,) in, the same shape out; NaN in, NaN out. Units are the papers':
creatinine mg/dL (IDMS-traceable), cystatin C mg/L (traceable to ERM-DA471/IFCC), height cm, weight kg, age years.
What is called indexed is mL/min/1.73 m2; Rhodin and Cockcroft-Gault give mL/min of this body. Which equation serves
whom is decided in :mod:`pharmtwin.body.kidney.function`.
"""

from __future__ import annotations

import numpy as np

from pharmtwin.body.equations import Bools, Floats
from pharmtwin.facts import fact_values
from pharmtwin.units import DAYS_PER_YEAR

TABLE = "physiology/kidney.tsv"


def kidney_coefficients(equation: str) -> dict[str, float]:
    """Coefficients of one equation of ``kidney.tsv`` by name; raises KeyError if the sheet has no such equation."""
    return fact_values(TABLE, "coefficient", equation=equation)


def _two_sided(ratio: Floats, below: Floats | float, above: float) -> Floats:
    """min(ratio, 1)^below x max(ratio, 1)^above: one power under the knee, another over it."""
    return np.minimum(ratio, 1.0) ** below * np.maximum(ratio, 1.0) ** above


def _ckd_epi_creatinine(equation: str, creatinine: Floats, age_y: Floats, female: Bools) -> Floats:
    c = kidney_coefficients(equation)
    ratio = creatinine / np.where(female, c["kappa_F"], c["kappa_M"])
    knee = _two_sided(ratio, np.where(female, c["alpha_F"], c["alpha_M"]), c["power_above"])
    return c["scale"] * knee * c["age_base"] ** age_y * np.where(female, c["sex_F"], c["sex_M"])


def ckd_epi_2021_creatinine(creatinine_mg_dl: Floats, age_y: Floats, female: Bools) -> Floats:
    """Indexed GFR of adults from creatinine, without race (Inker 2021, DOI 10.1056/NEJMoa2102953)."""
    return _ckd_epi_creatinine("ckd_epi_2021_creatinine", creatinine_mg_dl, age_y, female)


def ckd_epi_2009_creatinine(creatinine_mg_dl: Floats, age_y: Floats, female: Bools) -> Floats:
    """Indexed GFR of adults from creatinine, the race factor left out (Levey 2009; named alternative)."""
    return _ckd_epi_creatinine("ckd_epi_2009_creatinine", creatinine_mg_dl, age_y, female)


def ckd_epi_2012_cystatin(cystatin_c_mg_l: Floats, age_y: Floats, female: Bools) -> Floats:
    """Indexed GFR of adults from cystatin C (Inker 2012, DOI 10.1056/NEJMoa1114248)."""
    c = kidney_coefficients("ckd_epi_2012_cystatin")
    knee = _two_sided(cystatin_c_mg_l / c["kappa"], c["power_below"], c["power_above"])
    return c["scale"] * knee * c["age_base"] ** age_y * np.where(female, c["sex_F"], c["sex_M"])


def ckd_epi_2021_combined(creatinine_mg_dl: Floats, cystatin_c_mg_l: Floats, age_y: Floats, female: Bools) -> Floats:
    """Indexed GFR of adults from creatinine and cystatin C, without race (Inker 2021)."""
    c = kidney_coefficients("ckd_epi_2021_combined")
    ratio = creatinine_mg_dl / np.where(female, c["kappa_F"], c["kappa_M"])
    knee = _two_sided(ratio, np.where(female, c["alpha_F"], c["alpha_M"]), c["power_above"])
    knee = knee * _two_sided(cystatin_c_mg_l / c["cystatin_kappa"], c["cystatin_below"], c["cystatin_above"])
    return c["scale"] * knee * c["age_base"] ** age_y * np.where(female, c["sex_F"], c["sex_M"])


def schwartz_2009(creatinine_mg_dl: Floats, height_cm: Floats) -> Floats:
    """Indexed GFR of children (1-16 years), bedside: 0.413 height/creatinine (DOI 10.1681/ASN.2008030287)."""
    return kidney_coefficients("schwartz_2009")["k"] * height_cm / creatinine_mg_dl


def ckid_2012_cystatin(cystatin_c_mg_l: Floats) -> Floats:
    """Indexed GFR of children from cystatin C (Schwartz 2012, DOI 10.1038/ki.2012.169)."""
    c = kidney_coefficients("ckid_2012_cystatin")
    return c["scale"] * cystatin_c_mg_l ** c["power"]


def ckid_2012_combined(
    creatinine_mg_dl: Floats, cystatin_c_mg_l: Floats, urea_nitrogen_mg_dl: Floats, height_cm: Floats, female: Bools
) -> Floats:
    """Indexed GFR of children from creatinine, cystatin C and blood urea nitrogen in mg/dL (Schwartz 2012)."""
    c = kidney_coefficients("ckid_2012_combined")
    height = height_cm / 100.0
    return (
        c["scale"]
        * (height / creatinine_mg_dl) ** c["height_creatinine"]
        * (c["cystatin_reference"] / cystatin_c_mg_l) ** c["cystatin"]
        * (c["urea_reference"] / urea_nitrogen_mg_dl) ** c["urea"]
        * np.where(female, 1.0, c["male"])
        * (height / c["height_reference"]) ** c["height"]
    )


def u25_k_creatinine(age_y: Floats, female: Bools) -> Floats:
    """k of the creatinine equation CKiD U25, continuous in age.

    As printed, k jumps by up to 0.06 % at 18 years, where a power of age meets a rounded constant. Here the power
    runs on until it meets the constant, within 9 days of the 18th birthday; all else is as printed. Below 1 year,
    the equation's lower limit, k is that of 1 year.
    """
    c = kidney_coefficients("ckid_u25_creatinine")
    past = np.maximum(age_y, c["start_age"]) - c["knee_age"]
    base = np.where(
        past < 0, np.where(female, c["below_F"], c["below_M"]), np.where(female, c["above_F"], c["above_M"])
    )
    k = np.where(female, c["k_knee_F"], c["k_knee_M"]) * base**past
    return np.minimum(k, np.where(female, c["k_adult_F"], c["k_adult_M"]))


def u25_k_cystatin(age_y: Floats, female: Bools) -> Floats:
    """k of the cystatin C equation CKiD U25, continuous in age (see :func:`u25_k_creatinine`; jump 0.1 %, 18 days)."""
    c = kidney_coefficients("ckid_u25_cystatin")
    past = np.maximum(age_y, c["start_age"]) - np.where(female, c["knee_age_F"], c["knee_age_M"])
    base = np.where(
        past < 0, np.where(female, c["below_F"], c["below_M"]), np.where(female, c["above_F"], c["above_M"])
    )
    k = np.where(female, c["k_knee_F"], c["k_knee_M"]) * base**past
    adult = np.where(female, c["k_adult_F"], c["k_adult_M"])
    return np.where(past < 0, k, np.maximum(k, adult))


def ckid_u25_creatinine(creatinine_mg_dl: Floats, age_y: Floats, female: Bools, height_cm: Floats) -> Floats:
    """Indexed GFR, 1 to 25 years: k(age, sex) height(m)/creatinine (Pierce 2021, DOI 10.1016/j.kint.2020.10.047)."""
    return u25_k_creatinine(age_y, female) * height_cm / 100.0 / creatinine_mg_dl


def ckid_u25_cystatin(cystatin_c_mg_l: Floats, age_y: Floats, female: Bools) -> Floats:
    """Indexed GFR from 1 to 25 years: k(age, sex)/cystatin C (Pierce 2021)."""
    return u25_k_cystatin(age_y, female) / cystatin_c_mg_l


def postmenstrual_age(age_y: Floats, gestational_age_wk: Floats) -> Floats:
    """Postmenstrual age (weeks) = gestational age at birth (weeks) + postnatal age (years x 365.25/7)."""
    return gestational_age_wk + age_y * DAYS_PER_YEAR / 7.0


def rhodin_2009(weight_kg: Floats, pma_wk: Floats) -> Floats:
    """GFR (mL/min of this body) of preterm infants to adolescents from weight and postmenstrual age.

    121.2 (W/70)^0.75 PMA^3.4/(47.7^3.4 + PMA^3.4) (Rhodin 2009, DOI 10.1007/s00467-008-0997-5).
    """
    c = kidney_coefficients("rhodin_2009")
    grown = (c["pma_50"] / pma_wk) ** c["hill"]
    return c["adult"] * (weight_kg / c["reference_weight"]) ** c["allometric_power"] / (1.0 + grown)


def cockcroft_gault(creatinine_mg_dl: Floats, age_y: Floats, female: Bools, weight_kg: Floats) -> Floats:
    """Creatinine clearance (mL/min of this body) of adults (Cockcroft 1976, DOI 10.1159/000180580).

    Older than IDMS calibration: with today's assays it reads high. Named alternative, never the default.
    """
    c = kidney_coefficients("cockcroft_gault")
    sex = np.where(female, c["sex_F"], c["sex_M"])
    return (c["age_limit"] - age_y) * weight_kg / (c["divisor"] * creatinine_mg_dl) * sex
