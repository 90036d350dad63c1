"""Maturation of enzymes and transporters: the fraction of the adult level at every age, by named source.

Curves stand in ``resources/physiology/ontogeny.tsv``, several for one enzyme where papers disagree; ``default`` marks
the one used when no source is named (docs/maturation.md says why). Three rules hold for every curve:

* Adult is 1. The published function is divided by its own value at 25 years of a child born at term, and age stops
  counting at 25. A curve that rises above the adult and has no published end (CYP1A2) falls from its cap age to 1.
* Clock. ``birth``: enzymes switched on by birth count postnatal age, however early the birth. ``term``: functions of
  postnatal age without a birth trigger count from the day the child should have been born, and stand at their birth
  value before it. ``pma``: functions of postmenstrual age use it directly. What was born early is caught up by 25
  years (the weeks missing are faded out between 18 and 25 years), so that an adult is exactly 1.
* No jumps. Caps hold the value, falls meet both ends. A Hill function with an exponent below 1 leaves birth with an
  infinite slope (CYP2C9 more than doubles in its first day), which no data resolve: its first 14 days are the straight
  line between its values at birth and at 14 days.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pharmtwin.core.ages import TERM_WEEKS
from pharmtwin.facts import fact_table
from pharmtwin.units import DAYS_PER_YEAR, WEEKS_PER_YEAR

Floats = NDArray[np.float64]

TABLE = "physiology/ontogeny.tsv"
#: age from which a person is an adult for maturation, and where the catching-up of an early birth begins (y)
ADULT_AGE, FADE_FROM = 25.0, 18.0
#: length of the straight line that starts a Hill function with an exponent below 1 (y)
FIRST = 14.0 / DAYS_PER_YEAR
#: youngest and oldest gestational age accepted (weeks)
GESTATION = (22.0, 44.0)

NUMBERS = ("birth", "max", "age50_y", "hill", "rate_per_y", "cap_y", "decline_per_y", "adult_y", "sd_immature")
TEXTS = ("name", "choice", "form", "clock", "tissue", "basis", "sd_source", "source")


@dataclass(frozen=True)
class Curve:
    """One published maturation function; fields as in the columns of ``ontogeny.tsv`` (ages in years)."""

    name: str
    choice: str
    form: str
    clock: str
    birth: float
    max: float
    age50: float
    hill: float
    rate: float
    cap: float
    decline: float
    adult: float
    tissue: str
    basis: str
    sd_immature: float
    sd_source: str
    source: str

    def published(self, x: Floats) -> Floats:
        """The function as printed at clock age ``x`` (y), held at its cap; the fall after the cap, if any, included."""
        capped = np.minimum(x, self.cap)
        value = self._rise(capped)
        if np.isnan(self.decline):
            return value
        # exponential return from the value at the cap to exactly 1 at the adult age
        end = self.adult + (TERM_WEEKS / WEEKS_PER_YEAR if self.clock == "pma" else 0.0)
        top = float(self._rise(np.array([self.cap]))[0])
        left = np.exp(-self.decline * (np.clip(x, self.cap, end) - self.cap))
        last = np.exp(-self.decline * (end - self.cap))
        return np.where(x <= self.cap, value, 1.0 + (top - 1.0) * (left - last) / (1.0 - last))

    def used(self, x: Floats) -> Floats:
        """:meth:`published`, its first 14 days straight where the exponent is below 1."""
        value = self.published(x)
        if self.form != "hill" or self.hill >= 1.0 or self.clock == "pma":
            return value
        first = float(self.published(np.array([FIRST]))[0])
        return np.where(x < FIRST, self.birth + (first - self.birth) * x / FIRST, value)

    def _rise(self, x: Floats) -> Floats:
        if self.form == "constant":
            return np.where(np.isnan(x), np.nan, 1.0)
        if self.form == "linear":
            return self.birth + self.rate * x
        if self.form == "exponential":
            return self.birth + (self.max - self.birth) * -np.expm1(-self.rate * x)
        # Hill, written with the ratio so that age 0 and steep exponents do no harm
        power = (x / self.age50) ** self.hill
        return self.birth + (self.max - self.birth) * power / (1.0 + power)

    def clock_age(self, age_y: Floats, gestational_age_wk: Floats) -> Floats:
        """Age (y) by the clock of this curve."""
        age = np.minimum(age_y, ADULT_AGE)
        if self.clock == "birth":
            return age + 0.0 * gestational_age_wk  # NaN of an unknown gestational age stays
        fade = np.clip((ADULT_AGE - age) / (ADULT_AGE - FADE_FROM), 0.0, 1.0)
        early = (gestational_age_wk - TERM_WEEKS) / WEEKS_PER_YEAR * fade
        if self.clock == "term":
            return np.maximum(age + early, 0.0)
        return age + early + TERM_WEEKS / WEEKS_PER_YEAR


@lru_cache(maxsize=1)
def _curves() -> dict[str, dict[str, Curve]]:
    """Curves by name and choice, the default of each name first; read once."""
    table = fact_table(TABLE).sort_values("default", ascending=False, kind="stable")
    numbers = {column: table[column].to_numpy(dtype=float, na_value=np.nan) for column in NUMBERS}
    texts = {column: table[column].astype(str).to_numpy() for column in TEXTS}
    curves: dict[str, dict[str, Curve]] = {}
    for i in range(len(table)):
        n = {column: float(values[i]) for column, values in numbers.items()}
        t = {column: str(values[i]) for column, values in texts.items()}
        curve = Curve(
            **t,
            birth=n["birth"],
            max=n["max"],
            age50=n["age50_y"],
            hill=n["hill"],
            rate=n["rate_per_y"],
            cap=np.inf if np.isnan(n["cap_y"]) else n["cap_y"],
            decline=n["decline_per_y"],
            adult=n["adult_y"],
            sd_immature=n["sd_immature"],
        )
        curves.setdefault(curve.name, {})[curve.choice] = curve
    return curves


def ontogeny_names() -> tuple[str, ...]:
    """Enzymes and transporters with a maturation curve (``CYP3A4`` is the liver, ``CYP3A4_gut`` the gut)."""
    return tuple(_curves())


def ontogeny_sources(name: str) -> tuple[str, ...]:
    """Named sources of one enzyme, the default first; raises KeyError for an unknown enzyme."""
    curves = _curves()
    if name not in curves:
        raise KeyError(f"{TABLE} has no maturation curve of {name!r}; it has {', '.join(curves)}")
    return tuple(curves[name])


def ontogeny_curve(name: str, source: str | None = None) -> Curve:
    """The curve of an enzyme by source (None: the default); raises KeyError with what there is."""
    sources = ontogeny_sources(name)
    choice = sources[0] if source is None else source
    if choice not in sources:
        raise KeyError(f"{TABLE}: {name} has no source {choice!r}; it has {', '.join(sources)}")
    return _curves()[name][choice]


def checked_ages(age_y: ArrayLike, gestational_age_wk: ArrayLike) -> tuple[Floats, Floats]:
    """Ages (y) and gestational ages (weeks) as float arrays of one shape; raises ValueError if one is impossible."""
    age, weeks = np.broadcast_arrays(np.asarray(age_y, dtype=float), np.asarray(gestational_age_wk, dtype=float))
    if (age < 0).any():
        raise ValueError(f"age below 0 years: {age[age < 0][:5]}")
    odd = (weeks < GESTATION[0]) | (weeks > GESTATION[1])
    if odd.any():
        low, high = GESTATION
        raise ValueError(
            f"gestational age outside {low:g}-{high:g} weeks: {weeks[odd][:5]} (weeks, not days or months?)"
        )
    return age, weeks


def ontogeny_published(
    name: str, age_y: ArrayLike, gestational_age_wk: ArrayLike = TERM_WEEKS, source: str | None = None
) -> Floats:
    """The fraction of adult as published, neither renormalised nor straightened, shape of the ages; NaN in, NaN out."""
    age, weeks = checked_ages(age_y, gestational_age_wk)
    curve = ontogeny_curve(name, source)
    return curve.published(curve.clock_age(age, weeks))


def ontogeny(
    name: str, age_y: ArrayLike, gestational_age_wk: ArrayLike = TERM_WEEKS, source: str | None = None
) -> Floats:
    """Fraction of the adult level of an enzyme or transporter.

    Parameters
    ----------
    name : one of :func:`ontogeny_names`.
    age_y : postnatal age (y), 0 to any; shape (n,) or a number.
    gestational_age_wk : at birth (weeks), 22-44; 40 where it is not told.
    source : one of :func:`ontogeny_sources`; None is the default.

    Returns
    -------
    Fraction (1), same shape: exactly 1 from 25 years on, continuous in age, above 1 where children exceed adults.
    It multiplies what :attr:`Curve.basis` says. NaN in, NaN out.

    Raises
    ------
    KeyError : unknown enzyme or source. ValueError : age below 0, gestational age outside 22-44 weeks.
    """
    age, weeks = checked_ages(age_y, gestational_age_wk)
    curve = ontogeny_curve(name, source)
    adult = curve.clock_age(np.array([ADULT_AGE]), np.array([TERM_WEEKS]))
    return curve.used(curve.clock_age(age, weeks)) / curve.published(adult)[0]


def ontogeny_sd(
    name: str, age_y: ArrayLike, gestational_age_wk: ArrayLike = TERM_WEEKS, source: str | None = None
) -> Floats:
    """Sd of log of the fraction between children of one age, beyond the variability that adults have too.

    ``sd_immature`` x |1 - fraction|: 0 in adults, so adult variability (abundance, genotype) is not counted twice.
    The slope is a summary of PK-Sim's tabulated geometric sds; where a source prints none it is their median (the
    column ``sd_source`` says which).
    """
    curve = ontogeny_curve(name, source)
    return curve.sd_immature * np.abs(1.0 - ontogeny(name, age_y, gestational_age_wk, source))
