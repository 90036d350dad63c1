"""Blood by age and sex: albumin, alpha-1-acid glycoprotein, haematocrit. What they do to a drug: core/binding.py.

A measured value goes before any prediction, and :class:`Estimate` says for each person which one it is. In preterm
infants albumin follows postmenstrual age by the ratio of PK-Sim's curve at the two ages; AGP follows postnatal age, as
in its source; haematocrit starts lower by the weeks of gestation missed and catches up in three months.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pharmtwin.body.content.ontogeny import ADULT_AGE, FIRST, checked_ages
from pharmtwin.core.ages import TERM_WEEKS
from pharmtwin.facts import fact_table
from pharmtwin.units import DAYS_PER_YEAR, WEEKS_PER_YEAR

Floats = NDArray[np.float64]

TABLE = "physiology/blood.tsv"
MEASURED = "measured"


@dataclass(frozen=True)
class Estimate:
    """Values of one quantity, shape (n,): the value, its coefficient of variation between people of the same age
    (0 where measured), and how it is known (``measured`` or the name of the source)."""

    value: Floats
    cv: Floats
    method: NDArray[np.str_]
    unit: str


@lru_cache(maxsize=1)
def _coefficients() -> dict[tuple[str, str, str], float]:
    table = fact_table(TABLE)
    table = table[table["coefficient"].notna()]
    keys = zip(table["quantity"].astype(str), table["choice"].astype(str), table["coefficient"].astype(str))
    return dict(zip(keys, table["value"].astype(float)))


@lru_cache(maxsize=2)
def _knots(sex: str) -> tuple[Floats, Floats, Floats]:
    table = fact_table(TABLE)
    table = table[(table["choice"] == "knot") & (table["sex"] == sex)].sort_values("age_y")
    ages, values, cvs = (table[c].to_numpy(dtype=float) for c in ("age_y", "value", "cv"))
    return ages, values, cvs


def albumin(
    age_y: ArrayLike,
    gestational_age_wk: ArrayLike = TERM_WEEKS,
    measured: ArrayLike | None = None,
    source: str | None = None,
) -> Estimate:
    """Albumin of plasma (g/L) of healthy people of either sex.

    ``johnson_2006`` (default): 33.7 at birth, rising with the logarithm of age to 44.0 at 25 y; ``pksim``: 88 % of the
    adult at term, adult by 2 y. Both fall by 0.054 g/L a year from 25 y on. Raises KeyError, ValueError (impossible
    age, gestation or measurement).
    """
    age, weeks = checked_ages(age_y, gestational_age_wk)
    method = _choice("albumin", source, ("johnson_2006", "pksim"))
    c = _coefficients()
    p50, hill = c["albumin", "pksim", "pma50"], c["albumin", "pksim", "hill"]

    def logarithmic(years: Floats) -> Floats:
        days = np.minimum(years, ADULT_AGE) * DAYS_PER_YEAR
        return c["albumin", "johnson_2006", "intercept"] + c["albumin", "johnson_2006", "per_log_day"] * np.log1p(days)

    def by_pma(years: Floats, gestation: ArrayLike) -> Floats:
        power = ((np.minimum(years, ADULT_AGE) + np.asarray(gestation) / WEEKS_PER_YEAR) / p50) ** hill
        return power / (1.0 + power)

    top = np.array(ADULT_AGE)
    adult = float(logarithmic(top))
    if method == "johnson_2006":
        level = logarithmic(age) * by_pma(age, weeks) / by_pma(age, TERM_WEEKS)
    else:
        level = adult * by_pma(age, weeks) / by_pma(top, TERM_WEEKS)
    ageing = c["albumin", "ageing", "decline_per_y"] * np.maximum(age - c["albumin", "ageing", "from_age"], 0.0)
    grown = (logarithmic(age) - logarithmic(np.array(0.0))) / (adult - logarithmic(np.array(0.0)))
    return _estimate("albumin", level - ageing, grown, measured, method, "g/L")


def agp(age_y: ArrayLike, measured: ArrayLike | None = None, source: str | None = None) -> Estimate:
    """Alpha-1-acid glycoprotein of plasma (g/L) of healthy people; inflammation raises it twofold and more.

    ``pksim`` (default): 26 % of the adult at birth, half of it by two weeks; ``johnson_2006``: 0 at birth, 0.55 g/L at
    a month. Adult 0.83 g/L in both; no change with old age.
    """
    age, _ = checked_ages(age_y, TERM_WEEKS)
    method = _choice("AGP", source, ("pksim", "johnson_2006"))
    c = _coefficients()

    def printed(years: Floats) -> Floats:
        power = (years * DAYS_PER_YEAR / c["AGP", "johnson_2006", "day50"]) ** c["AGP", "johnson_2006", "hill"]
        return c["AGP", "johnson_2006", "max"] * power / (1.0 + power)

    def johnson(years: Floats) -> Floats:
        """As printed; the first 14 days, which it leaves with an infinite slope, straight (see body/ontogeny.py)."""
        straight = printed(np.array(FIRST)) * years / FIRST
        return np.where(years < FIRST, straight, printed(np.minimum(years, ADULT_AGE)))

    def pksim(years: Floats) -> Floats:
        power = (np.minimum(years, ADULT_AGE) / c["AGP", "pksim", "age50"]) ** c["AGP", "pksim", "hill"]
        return c["AGP", "pksim", "birth"] + (1.0 - c["AGP", "pksim", "birth"]) * power / (1.0 + power)

    top = np.array(ADULT_AGE)
    fraction = pksim(age) / pksim(top)
    level = johnson(age) if method == "johnson_2006" else johnson(top) * fraction
    born = pksim(np.array(0.0)) / pksim(top)
    return _estimate("AGP", level, (fraction - born) / (1.0 - born), measured, method, "g/L")


def haematocrit(
    age_y: ArrayLike,
    female: ArrayLike,
    gestational_age_wk: ArrayLike = TERM_WEEKS,
    measured: ArrayLike | None = None,
) -> Estimate:
    """Haematocrit (volume fraction) by age and sex: infants from a paediatric reference table, 1-80 y from NHANES.

    Straight lines between the means of age groups; the last (77 y) is held. Raises ValueError as :func:`albumin`.
    """
    age, weeks = checked_ages(age_y, gestational_age_wk)
    is_female = np.broadcast_to(np.asarray(female, dtype=bool), age.shape)
    both = [tuple(np.interp(age, _knots(sex)[0], column) for column in _knots(sex)[1:]) for sex in ("M", "F")]
    value, cv = (np.where(is_female, f, m) for m, f in zip(*both))
    c = _coefficients()
    young = np.clip(1.0 - age / c["haematocrit", "gestation", "gone_by"], 0.0, 1.0)
    value = value + c["haematocrit", "gestation", "per_week"] * np.minimum(weeks - TERM_WEEKS, 0.0) * young
    return _pick("haematocrit", value, np.where(np.isnan(value), np.nan, cv), measured, "table", "1")


def protein_ratios(albumin_g_l: ArrayLike, agp_g_l: ArrayLike) -> dict[str, Floats]:
    """Binding proteins relative to the healthy adult of 25 y, in whose plasma fu is taken to be measured."""
    top = np.array([ADULT_AGE])
    return {
        "albumin": np.asarray(albumin_g_l, dtype=float) / albumin(top).value[0],
        "AGP": np.asarray(agp_g_l, dtype=float) / agp(top).value[0],
    }


def _choice(quantity: str, source: str | None, known: tuple[str, ...]) -> str:
    if source is not None and source not in known:
        raise KeyError(f"{TABLE}: {quantity} has no source {source!r}; it has {', '.join(known)}")
    return source or known[0]


def _estimate(
    quantity: str, value: Floats, grown: Floats, measured: ArrayLike | None, method: str, unit: str
) -> Estimate:
    """Coefficient of variation from that at birth to that of adults as the level itself grows (``grown`` 0 to 1)."""
    c = _coefficients()
    newborn, adult = c[quantity, "cv", "birth"], c[quantity, "cv", "adult"]
    return _pick(quantity, value, newborn + (adult - newborn) * np.clip(grown, 0.0, 1.0), measured, method, unit)


def _pick(quantity: str, value: Floats, cv: Floats, measured: ArrayLike | None, method: str, unit: str) -> Estimate:
    methods = np.full(value.shape, method, dtype=f"<U{max(len(method), len(MEASURED))}")
    if measured is None:
        return Estimate(value, cv, methods, unit)
    told = np.broadcast_to(np.asarray(measured, dtype=float), value.shape)
    c = _coefficients()
    low, high = c[quantity, "limits", "low"], c[quantity, "limits", "high"]
    odd = (told < low) | (told > high)
    if odd.any():
        raise ValueError(f"{quantity} outside {low:g}-{high:g} {unit}: {told[odd][:5]}; check its unit")
    known = np.isfinite(told)
    return Estimate(np.where(known, told, value), np.where(known, 0.0, cv), np.where(known, MEASURED, methods), unit)
