"""What a drug file (schema 2) may hold: every quantity with its unit and the range in which it is plausible.

A value outside its range is an error if it cannot be, and a warning if it is rare; the usual slip is a unit, so the
finding names the unit that would fit.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """One quantity of a drug file.

    Attributes
    ----------
    unit : the only unit it is written in. meaning : in words.
    low, high : outside of it the value cannot be. rare : outside of it it is worth a second look (None: no such range).
    """

    unit: str
    meaning: str
    low: float
    high: float
    rare: tuple[float, float] | None = None


#: quantities of a compound by section
COMPOUND: dict[str, dict[str, Field]] = {
    "physicochemistry": {
        "MW": Field("g/mol", "molar mass", 10, 200_000, (100, 1500)),
        "logP": Field("1", "log10 octanol:water of the unionised form", -10, 12, (-4, 8)),
    },
    "binding": {
        "fu_p": Field("1", "unbound fraction in adult plasma", 1e-7, 1, (1e-4, 1)),
        "B_P": Field("1", "blood:plasma ratio at haematocrit 0.45", 0.55, 100, (0.55, 5)),
        "fu_mic": Field("1", "unbound fraction in the microsomal assay", 1e-4, 1),
        "fu_gut": Field("1", "unbound fraction in the enterocyte", 1e-4, 1),
        "sites": Field("umol/L", "saturable binding sites in plasma", 1e-3, 1e4, (0.05, 2000)),
        "Kd": Field("umol/L", "dissociation constant of those sites", 1e-6, 1e5, (1e-3, 2000)),
    },
    "distribution": {
        "Kp_scale": Field("1", "common factor on all partition coefficients", 1e-3, 1e3, (0.05, 20)),
        "Kp_muscle": Field("1", "muscle:plasma ratio, instead of the method's; Kp_scale does not apply", 1e-3, 1e4),
    },
    "liver": {
        "PS": Field("L/h", "passive clearance of unbound drug into the cells of the reference man's liver", 1e-3, 1e7),
        "fu_cell": Field("1", "unbound fraction in the liver cell", 1e-5, 1),
    },
    "kidney": {
        "GFR_fraction": Field("1", "clearance of unbound drug by filtration over GFR", 0, 1),
        "CL_secretion": Field("L/h", "unbound clearance by secretion, reference adult", 0, 1e4, (0, 500)),
    },
}
#: quantities of one metabolic path; :data:`KINETICS` says which belong together
PATH: dict[str, Field] = {
    "kcat": Field("1/min", "turnover number", 1e-6, 1e5, (1e-4, 2000)),
    "Km": Field("umol/L", "Michaelis constant, unbound", 1e-6, 1e6, (1e-3, 2000)),
    "CLint_enzyme": Field("uL/min/pmol", "unbound intrinsic clearance per amount of enzyme", 1e-7, 1e4, (1e-5, 100)),
    "CLint_liver": Field("L/h", "unbound intrinsic clearance of the reference man's liver", 0, 1e7, (1e-3, 1e5)),
    "Vmax_liver": Field("umol/h", "largest rate in the reference man's liver", 1e-6, 1e9, (1e-2, 1e6)),
    "CLint_kidney": Field("L/h", "unbound intrinsic clearance of the reference man's kidneys", 0, 1e6, (1e-3, 1e4)),
    "fraction": Field("1", "part of the path that makes the product", 0, 1),
}
#: what states the kinetics of a path (with Km where it saturates) and the tissues that it can be stated for
KINETICS: dict[str, tuple[str, ...]] = {
    "kcat": ("liver", "gut"),
    "CLint_enzyme": ("liver", "gut"),
    "CLint_liver": ("liver",),
    "Vmax_liver": ("liver",),
    "CLint_kidney": ("kidney",),
}
#: those that are stated per enzyme, and those that cannot do without Km
PER_ENZYME = ("kcat", "CLint_enzyme")
NEEDS_KM = ("kcat", "Vmax_liver")
#: quantities of one action on an enzyme or transporter, by mechanism
ACTIONS: dict[str, dict[str, Field]] = {
    "competitive": {"Ki": Field("umol/L", "inhibition constant, unbound", 1e-7, 1e5, (1e-5, 500))},
    "uncompetitive": {"Ki": Field("umol/L", "inhibition constant, unbound", 1e-7, 1e5, (1e-5, 500))},
    "noncompetitive": {"Ki": Field("umol/L", "inhibition constant, unbound", 1e-7, 1e5, (1e-5, 500))},
    "mixed": {
        "Kic": Field("umol/L", "competitive inhibition constant, unbound", 1e-7, 1e5, (1e-5, 500)),
        "Kiu": Field("umol/L", "uncompetitive inhibition constant, unbound", 1e-7, 1e5, (1e-5, 500)),
    },
    "inactivation": {
        "kinact": Field("1/h", "largest rate of inactivation", 1e-4, 1e3, (0.05, 60)),
        "KI": Field("umol/L", "unbound concentration of half that rate", 1e-6, 1e5, (1e-3, 500)),
    },
    "induction": {
        "Emax": Field("1", "largest increase of synthesis (1: doubled)", 1e-3, 200, (0.1, 50)),
        "EC50": Field("umol/L", "unbound concentration of half that increase", 1e-6, 1e5, (1e-3, 500)),
        "Emax_gut": Field("1", "Emax in the gut wall, where it is another one", 0, 200, (0, 50)),
    },
}
#: those of them that may be left out
ACTIONS_OPTIONAL = ("Emax_gut",)
#: quantities of transport by a transporter
TRANSPORT: dict[str, Field] = {
    "Vmax": Field("umol/h", "largest rate, reference adult's organ", 1e-6, 1e9),
    "Km": Field("umol/L", "unbound concentration of half that rate", 1e-6, 1e6, (1e-3, 5000)),
    "CL": Field("L/h", "unbound clearance far below saturation, reference adult's organ", 0, 1e7),
}
#: quantities of absorption
ABSORPTION: dict[str, Field] = {
    "Peff": Field("1e-4 cm/s", "effective permeability of the human jejunum", 1e-4, 100, (0.01, 20)),
    "solubility": Field("mg/mL", "solubility of the unionised form", 1e-9, 1e4, (1e-6, 1000)),
    "colon_ratio": Field("1", "permeability of the colon over that of the jejunum", 0, 10, (0, 1)),
    "F_a": Field("1", "fraction absorbed", 0, 1),
    "ka": Field("1/h", "first-order absorption rate", 1e-4, 1e3, (0.05, 20)),
    "MTT": Field("h", "mean transit time", 1e-3, 1e3, (0.05, 24)),
    "residual_error": Field("1", "sd of the logarithm of a measured concentration", 1e-3, 3, (0.05, 1)),
}
#: quantities of one formulation
FORMULATION: dict[str, Field] = {
    "t50": Field("h", "time of half dissolution (Weibull)", 1e-4, 1e3, (0.01, 48)),
    "shape": Field("1", "Weibull shape", 0.05, 50, (0.3, 10)),
    "particle_radius": Field("um", "particle radius", 1e-3, 1e4, (0.1, 300)),
    "lag": Field("h", "time before release begins", 0, 100),
    "F_rel": Field("1", "bioavailability relative to the solution", 0, 5),
    "MTT": Field("h", "mean transit time of this form", 1e-3, 1e3, (0.05, 24)),
}
#: quantities of a depot (route ``sc`` or ``im``)
DEPOT: dict[str, Field] = {
    "ka": Field("1/h", "rate of loss from the depot", 1e-5, 1e3, (1e-3, 20)),
    "F": Field("1", "fraction of the dose that reaches the blood", 0, 1),
}
DEPOTS = ("sc", "im")
#: what a release needs
RELEASE_NEEDS: dict[str, tuple[str, ...]] = {
    "weibull": ("t50", "shape"),
    "particles": ("particle_radius",),
    "transit": ("MTT",),
}
TISSUES = ("liver", "gut", "kidney")
#: transport that the model has: tissue -> directions
CARRIED: dict[str, tuple[str, ...]] = {"liver": ("uptake", "efflux"), "gut": ("efflux",), "kidney": ("secretion",)}
