"""Names and units, as people read them, of covariates, body quantities, organs, enzymes and transporters."""

from __future__ import annotations

import math
import re

UNITS = {"1": "", "m2": "m²", "kg/m2": "kg/m²", "mL/min/1.73m2": "mL/min/1.73\u00a0m²"}

#: column of the twins sheet -> (name, unit); columns that are not here keep their own name
COVARIATES = {
    "sex": ("sex", ""),
    "ancestry": ("ancestry", ""),
    "age_y": ("age", "years"),
    "gestational_age_wk": ("gestational age at birth", "weeks"),
    "weight_kg": ("weight", "kg"),
    "height_cm": ("height", "cm"),
    "creatinine_mg_dl": ("creatinine", "mg/dL"),
    "cystatin_c_mg_l": ("cystatin C", "mg/L"),
    "gfr_ml_min": ("measured GFR of this body", "mL/min"),
    "albumin_g_l": ("albumin", "g/L"),
    "agp_g_l": ("alpha-1 acid glycoprotein", "g/L"),
    "haematocrit": ("haematocrit", ""),
    "conditions": ("conditions", ""),
    "comedication": ("comedication", ""),
}

#: quantity of the table body -> name
QUANTITIES = {
    "eGFR": "GFR, indexed",
    "GFR": "GFR of this body",
    "GFR_healthy": "GFR of healthy people of this age and size",
    "CO": "cardiac output",
    "BSA": "body surface",
    "BMI": "body mass index",
    "FFM": "lean mass",
    "haematocrit": "haematocrit",
    "albumin": "albumin",
    "AGP": "alpha-1 acid glycoprotein",
    "albumin_ratio": "albumin / that of the healthy adult",
    "AGP_ratio": "alpha-1 acid glycoprotein / that of the healthy adult",
    "gastric_emptying_time": "gastric emptying time / healthy",
    "intestinal_transit_time": "intestinal transit time / healthy",
}
#: quantities that are computed and reach no prediction
UNUSED = ("gastric_emptying_time", "intestinal_transit_time")

ORGANS = {
    "venous": "venous blood",
    "arterial": "arterial blood",
    "rest": "everything else",
    "adipose": "fat",
}
FLOWS = {"liver": "liver, hepatic artery only", "lung": "lung (all of cardiac output)"}

TRANSPORTER = re.compile(r"^(OCT|OAT|OATP|SLC|P-gp|BCRP|MRP|MATE|ABC|NTCP|ENT)", re.IGNORECASE)
GENE_PRODUCTS = {"SLCO1B1": "OATP1B1 (SLCO1B1)"}
PLACES = ("gut", "liver", "kidney")

#: name before the colon of a condition -> what it is
CONDITIONS = {
    "ckd": "chronic kidney disease, stage",
    "child_pugh": "cirrhosis, Child-Pugh class",
    "nyha": "heart failure, NYHA class",
    "pregnancy": "pregnancy,",
    "obesity": "obesity, class",
}


def unit(text: object) -> str:
    """A unit as read by people; nothing for a plain number."""
    return UNITS.get(str(text), str(text))


def covariate(column: str) -> tuple[str, str]:
    """Name and unit of a column of the twins sheet (``creatinine_mg_dl``: creatinine, mg/dL)."""
    if column in COVARIATES:
        return COVARIATES[column]
    for stem in ("age", "weight", "height"):
        if column.startswith(f"{stem}_"):
            return stem, column.removeprefix(f"{stem}_").replace("_", " ")
    return column.replace("_", " "), ""


def protein(quantity: str) -> tuple[str, str, str]:
    """(name, enzyme or transporter, where) of a quantity ``enzyme_<name>`` of the table body."""
    name, _, place = quantity.removeprefix("enzyme_").partition("_")
    kind = "transporter" if TRANSPORTER.match(name) else "enzyme"
    return GENE_PRODUCTS.get(name, name), kind, place if place in PLACES else ""


def named_columns(text: str) -> str:
    """A sentence in which columns of the twins sheet (``weight_kg``) are replaced by their names."""
    return re.sub(r"[a-z_]+_[a-z_]+", lambda m: COVARIATES.get(m[0], (m[0], ""))[0], text)


def quantity(name: str) -> str:
    """A quantity of the table body in words: ``V_liver`` is the volume of the liver."""
    if name.startswith("V_"):
        return f"volume: {ORGANS.get(name[2:], name[2:])}"
    if name.startswith("Q_"):
        return f"blood flow: {FLOWS.get(name[2:], ORGANS.get(name[2:], name[2:]))}"
    if name.startswith("enzyme_"):
        what, kind, place = protein(name)
        return f"{kind}: {what}{f' of the {place}' if place else ''}"
    return QUANTITIES.get(name, name.replace("_", " "))


def conditions(text: str) -> list[str]:
    """Conditions of a twin in words: ``ckd:G4`` is chronic kidney disease, stage G4."""
    out = []
    for part in (p.strip() for p in text.split(";")):
        name, _, level = part.partition(":")
        if part:
            level = re.sub(r"^([\d.+]+)\s*wk$", r"week \1", level.strip())
            out.append(f"{CONDITIONS.get(name.strip().lower(), name)} {level}".strip())
    return out


def differs(ratio: float) -> bool:
    """Whether a ratio prints as other than 100 %; a missing one does not."""
    return not math.isnan(ratio) and round(100.0 * ratio) != 100
