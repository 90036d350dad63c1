"""What a drug and its dosage form bring to absorption: permeability, solubility, dissolution, release, QGut.

Named published relations, each with the range it was made for; what could not be read in its source says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.optimize import least_squares
from scipy.special import gammainc

from pharmtwin.facts import fact_table

Floats = NDArray[np.float64]

TABLE = "physiology/absorption_equations.tsv"
CACO2 = ("sun_2002", "yang_2007")


@lru_cache(maxsize=1)
def _coefficients() -> dict[str, dict[str, float]]:
    out: dict[str, dict[str, float]] = {}
    table = fact_table(TABLE)
    for equation, name, value in zip(table.equation, table.coefficient, table.value):
        out.setdefault(str(equation), {})[str(name)] = float(value)
    return out


def coefficients(equation: str) -> dict[str, float]:
    """Coefficients of one equation of ``absorption_equations.tsv`` by name; raises KeyError naming it."""
    return dict(_coefficients()[equation])


def _default(name: str) -> float:
    """What is taken where a drug does not tell it (equation ``default`` of the table)."""
    return _coefficients()["default"][name]


@dataclass(frozen=True)
class OralDrug:
    """Facts of a drug and its dosage form; checked when built (ValueError names everything wrong at once).

    Attributes
    ----------
    MW : g/mol. Peff : effective permeability of the human jejunum, 1e-4 cm/s (see :func:`permeability_caco2`).
    logP : octanol:water, for bile salts; None: no solubilisation by bile.
    acids, bases : pKa of acidic and of basic groups.
    solubility : mg/L at ``solubility_pH`` (pH None: of the uncharged drug); None: never limiting.
    salt_limit : largest ratio of solubility to that of the uncharged drug.
    radius_um, density : of the drug substance's particles (g/mL).
    release : Weibull time scale (h) and shape of the dosage form, None: at once. travels : it releases on its way.
    colon_ratio : permeability of the colon over the jejunum's.
    fu_gut : unbound in enterocytes (1: the choice that served QGut best, Yang 2007).
    k_precipitation : 1/h. seeds : particles per mass of precipitate over those of the drug substance.
    enzymes, efflux : name -> (Vmax umol/h of the whole gut wall, Km umol/L unbound).
    """

    MW: float
    Peff: float
    logP: float | None = None
    acids: tuple[float, ...] = ()
    bases: tuple[float, ...] = ()
    solubility: float | None = None
    solubility_pH: float | None = None
    salt_limit: float = field(default_factory=lambda: _default("salt_limit"))
    radius_um: float = field(default_factory=lambda: _default("radius_um"))
    density: float = field(default_factory=lambda: _default("density"))
    release: tuple[float, float] | None = None
    travels: bool = False
    colon_ratio: float = field(default_factory=lambda: _default("colon_ratio"))
    fu_gut: float = 1.0
    k_precipitation: float = field(default_factory=lambda: _default("k_precipitation"))
    seeds: float = field(default_factory=lambda: _default("seeds"))
    enzymes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    efflux: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        positive = ("MW", "Peff", "salt_limit", "radius_um", "density", "k_precipitation", "seeds")
        wrong = [f"{n} {getattr(self, n)} is not above 0" for n in positive if not getattr(self, n) > 0]
        if self.solubility is not None and not self.solubility > 0:
            wrong.append(f"solubility {self.solubility} mg/L is not above 0")
        if not 0 < self.fu_gut <= 1:
            wrong.append(f"fu_gut {self.fu_gut} is outside (0, 1]")
        if self.colon_ratio < 0:
            wrong.append(f"colon_ratio {self.colon_ratio} is below 0")
        if self.release is not None and min(self.release) <= 0:
            wrong.append(f"release {self.release}: time scale and shape must be above 0")
        if self.travels and self.release is None:
            wrong.append("a dosage form that travels needs its release")
        for kind, rates in (("enzyme", self.enzymes), ("efflux", self.efflux)):
            wrong += [
                f"{kind} {n}: Vmax {v} below 0 or Km {k} not above 0" for n, (v, k) in rates.items() if v < 0 or k <= 0
            ]
        if wrong:
            raise ValueError("; ".join(wrong))


def permeability_caco2(papp: float, regression: str = "sun_2002") -> float:
    """Human jejunal Peff (1e-4 cm/s) from Caco-2 Papp (1e-6 cm/s, a to b) by one of the regressions :data:`CACO2`.

    Laboratories differ by more than the regressions: a drug of known Peff measured beside it is better than either.
    Raises ValueError for a Papp that is not above 0 or an unknown regression.
    """
    if papp <= 0 or regression not in CACO2:
        raise ValueError(f"Papp {papp} must be above 0 and the regression {regression!r} one of {CACO2}")
    c = coefficients(regression)
    return float(10.0 ** (c["slope"] * math.log10(papp) + c["intercept"]))


def permeability_structure(psa: float, hbd: float, logP: float | None = None) -> float:
    """Human jejunal Peff (1e-4 cm/s) from polar surface area (A2), hydrogen-bond donors and, if given, ClogP.

    Winiwarter 1998, DOI 10.1021/jm9810102: passively absorbed drugs.
    """
    c = coefficients("winiwarter_psa_hbd" if logP is None else "winiwarter_clogp")
    return float(1e4 * 10.0 ** (c["intercept"] + c["logP"] * (logP or 0.0) + c["psa"] * psa + c["hbd"] * hbd))


def ionisation_gain(pH: float, acids: tuple[float, ...] = (), bases: tuple[float, ...] = ()) -> float:
    """All forms of a drug over those without net charge (Henderson-Hasselbalch, independent groups); at least 1."""
    groups = [(-1, 10.0 ** (pH - k)) for k in acids] + [(1, 10.0 ** (k - pH)) for k in bases]
    total = neutral = 0.0
    for charged in product((False, True), repeat=len(groups)):
        weight = math.prod(w for (_, w), on in zip(groups, charged) if on)
        total += weight
        if sum(z for (z, _), on in zip(groups, charged) if on) == 0:
            neutral += weight
    return total / neutral


def solubility(drug: OralDrug, pH: float, bile_salt: float = 0.0) -> float:
    """Solubility (mg/L) at a pH, with bile salt (mmol/L); infinite where the drug gives none.

    Uncharged S0, times the gain by ionisation up to ``salt_limit``, plus what bile salts take up of the uncharged
    form: S0 10^(2.234 + 0.606 logP) bile_salt/55,500 (Mithani 1996, DOI 10.1023/A:1016062224568).
    """
    if drug.solubility is None:
        return math.inf
    gain = lambda at: min(ionisation_gain(at, drug.acids, drug.bases), drug.salt_limit)  # noqa: E731
    s0 = drug.solubility / (1.0 if drug.solubility_pH is None else gain(drug.solubility_pH))
    c, water = coefficients("bile"), coefficients("water")["concentration"]
    micelles = 0.0 if drug.logP is None else 10.0 ** (c["intercept"] + c["logP"] * drug.logP) * bile_salt / water
    return s0 * (gain(pH) + micelles)


def dissolution_constants(MW: float, radius_um: float, density: float | None = None) -> tuple[float, float]:
    """k_dissolution = 3 D/(rho r0^2) (L/mg/h) and film = r0/h (1) of ``library.dissolution.particles``.

    D from the molar mass (g/mol), film thickness of the table; density in g/mL (None: the table's).
    """
    c = coefficients("diffusion")
    diffusion = 10.0 ** (c["intercept"] + c["logMW"] * math.log10(MW)) * 3600.0  # cm2/h
    radius = radius_um * 1e-4  # cm
    solid = _default("density") if density is None else density
    whole = 3.0 * diffusion / (solid * 1000.0 * radius**2) / 1000.0
    return whole, radius_um / coefficients("dissolution")["film"]


class Release(NamedTuple):
    """Release stages fitted to a curve: rate (1/h) of each stage, part that leaves each straight out, largest error.

    ``error`` is that of the fraction released, over the fitted times.
    """

    rates: tuple[float, ...]
    early: tuple[float, ...]
    error: float

    @property
    def stages(self) -> int:
        """Number of stages."""
        return len(self.rates)

    def released(self, t: Floats) -> Floats:
        """Fraction released at times (h) after the dose."""
        M = np.diag([-k for k in self.rates])
        for j, (k, out) in enumerate(zip(self.rates, self.early)):
            M[j + 1, j] = k * (1.0 - out)
        return np.array([1.0 - expm(M * x)[:, 0].sum() for x in np.atleast_1d(t)])


@lru_cache(maxsize=256)
def weibull_release(scale: float, shape: float, tolerance: float = 0.02, most: int = 10) -> Release:
    """Stages whose release follows 1 - exp(-(t/scale)^shape): the fewest within ``tolerance``, else the best.

    A Weibull curve written in time since the dose knows one dose only. Stages (a phase-type distribution) are linear,
    so every dose has its own clock. Shape 1 is one stage exactly. Below 1 a sum of two to four exponentials, as a
    chain of falling rates; above 1 a gamma curve of equal rates, of which a part leaves after the first stage.
    Fitted by least squares to the times at which 1, 3, ... 99 % are released.

    Raises
    ------
    ValueError : scale or shape not above 0.
    """
    if scale <= 0 or shape <= 0:
        raise ValueError(f"Weibull scale {scale} h and shape {shape} must be above 0")
    if shape == 1.0:
        return Release((1.0 / scale,), (), 0.0)
    q = np.arange(0.01, 1.0, 0.02)
    t = (-np.log1p(-q)) ** (1.0 / shape)  # in units of the scale
    best: Release | None = None
    for stages in range(2, (4 if shape < 1.0 else most) + 1):
        fit = _exponentials(t, q, stages) if shape < 1.0 else _gamma(t, q, stages)
        if best is None or fit.error < best.error:
            best = fit
        if best.error <= tolerance:
            break
    assert best is not None
    return best._replace(rates=tuple(k / scale for k in best.rates))


def _gamma(t: Floats, q: Floats, stages: int) -> Release:
    """Equal stages, a part early."""

    def released(x: Floats) -> Floats:
        k, early = math.exp(x[0]), 1.0 / (1.0 + math.exp(-x[1]))
        return early * -np.expm1(-k * t) + (1.0 - early) * gammainc(stages, k * t)

    x = least_squares(lambda x: released(x) - q, [math.log(stages), -3.0], bounds=([-3, -15], [5, 5])).x
    early = 1.0 / (1.0 + math.exp(-x[1]))
    error = float(np.abs(released(x) - q).max())
    return Release((math.exp(x[0]),) * stages, (early, *[0.0] * (stages - 2)), error)


def _exponentials(t: Floats, q: Floats, stages: int) -> Release:
    """A sum of exponentials, rewritten as a chain of falling rates: what leaves after stage j has passed 1 to j.

    The parts w_j that leave after stage j follow from equal Laplace transforms, sum p_i mu_i/(s + mu_i) = sum w_j
    prod_(i <= j) mu_i/(s + mu_i), taken at as many s as there are stages.
    """

    def parts(x: Floats) -> tuple[Floats, Floats]:
        weight = np.exp(np.append(x[stages:], 0.0))
        return weight / weight.sum(), np.exp(x[:stages])

    def released(x: Floats) -> Floats:
        p, mu = parts(x)
        return -np.expm1(-np.outer(t, mu)) @ p

    start = np.append(np.linspace(math.log(10.0), math.log(0.5), stages), np.zeros(stages - 1))
    x = least_squares(lambda x: released(x) - q, start, bounds=(-9, 12), max_nfev=2000).x
    p, mu = parts(x)
    order = np.argsort(-mu)
    p, mu = p[order], mu[order]
    s = mu.mean() * np.arange(stages)
    share = mu / (s[:, None] + mu)
    w = np.linalg.solve(np.cumprod(share, axis=1), share @ p)
    left = 1.0 - np.append(0.0, np.cumsum(w)[:-1])
    early = np.clip(w[:-1] / left[:-1], 0.0, 1.0)
    return Release(tuple(mu.tolist()), tuple(early.tolist()), float(np.abs(released(x) - q).max()))


def absorption_rate(Peff: float, radius_cm: float) -> float:
    """ka = 2 Peff/R (1/h), Peff in 1e-4 cm/s: Yu and Amidon 1999."""
    return 2.0 * Peff * 1e-4 * 3600.0 / radius_cm


def fraction_absorbed(ka: float, k_transit: float, segments: int = 7) -> float:
    """Fraction of a dissolved dose absorbed in the small bowel, 1 - (1 + ka/k_transit)^-segments: Yu, Amidon 1999."""
    return 1.0 - (1.0 + ka / k_transit) ** -segments


def qgut(Q_villi: float, CLperm: float) -> float:
    """Qgut = Q_villi CLperm/(Q_villi + CLperm) (L/h): Yang 2007 Curr Drug Metab 8:676."""
    return Q_villi * CLperm / (Q_villi + CLperm)


def gut_availability(Qgut: float, CLint_gut: float, fu_gut: float = 1.0) -> float:
    """Fg = Qgut/(Qgut + fu_gut CLint_gut), CLint_gut (L/h) unbound, of the whole gut wall: Yang 2007."""
    return Qgut / (Qgut + fu_gut * CLint_gut)


def permeability_clearance(Peff: float, area_cm2: float) -> float:
    """CLperm = Peff area (L/h), Peff in 1e-4 cm/s."""
    return Peff * 1e-4 * 3600.0 * area_cm2 / 1000.0


def gut_vmax(kcat: float, amount_nmol: float) -> float:
    """Vmax of the whole gut wall (umol/h) from kcat (1/min) and the enzyme's amount (nmol, see ``abundance.tsv``)."""
    return kcat * 60.0 * amount_nmol / 1000.0
