"""Content of liver and gut: protein per gram of liver by age, enzyme abundance and turnover, from ``abundance.tsv``.

Abundances are those of adults; a child's is the abundance times its maturation (body/ontogeny.py). What the fraction
multiplies depends on its source: some are per mg of microsomal protein (protein per gram of liver then follows age as
well), some are per gram of liver (adult protein per gram is then kept, or age would be counted twice).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pharmtwin.body.content.ontogeny import ADULT_AGE, ontogeny, ontogeny_curve
from pharmtwin.core.ages import TERM_WEEKS
from pharmtwin.facts import fact_table

Floats = NDArray[np.float64]

TABLE = "physiology/abundance.tsv"


@dataclass(frozen=True)
class Fact:
    """One number of the table: its value, unit, coefficient of variation between adults (NaN: none), source."""

    value: float
    unit: str
    cv: float
    choice: str
    source: str


@lru_cache(maxsize=1)
def _table() -> pd.DataFrame:
    return fact_table(TABLE)


def fact(molecule: str, tissue: str, quantity: str, choice: str | None = None) -> Fact:
    """One fact by name; ``choice`` None is the default. Raises KeyError naming what the table has instead."""
    table = _table()
    rows = table[(table["molecule"] == molecule) & (table["tissue"] == tissue) & (table["quantity"] == quantity)]
    found = rows[rows["default"] == 1] if choice is None else rows[rows["choice"] == choice]
    if len(found) != 1:
        here = ", ".join(rows["choice"].astype(str)) or "nothing"
        wanted = "default" if choice is None else repr(choice)
        raise KeyError(f"{TABLE}: {quantity} of {molecule} in {tissue}, {wanted}: {len(found)} rows; it has {here}")
    row = found.iloc[0]
    cv = float(found["cv"].to_numpy(dtype=float, na_value=np.nan)[0])
    return Fact(float(row["value"]), str(row["unit"]), cv, str(row["choice"]), str(row["source"]))


def abundance(enzyme: str, tissue: str = "liver", choice: str | None = None) -> Fact:
    """Adult content of an enzyme: liver pmol/mg microsomal protein, gut nmol in the whole small intestine."""
    return fact(enzyme, tissue, "abundance" if tissue == "liver" else "amount", choice)


def turnover(enzyme: str, tissue: str = "liver", choice: str | None = None) -> Fact:
    """First-order loss of an enzyme, kdeg (1/h); no dependence on age is known."""
    return fact(enzyme, tissue, "kdeg", choice)


def mppgl(age_y: ArrayLike, choice: str | None = None) -> Floats:
    """Microsomal protein per gram of liver (mg/g) by age (y), shape of the ages; NaN in, NaN out.

    ``barter_2008`` (default): 10^(1.407 + 0.0158 age - 0.00038 age^2 + 0.0000024 age^3), held from 80 y on.
    ``leeder_2022``: 30.4 at every age. Raises KeyError for another choice, ValueError for an age below 0.
    """
    return _per_gram("MPPGL", _ages(age_y), choice or "barter_2008")


def cppgl(age_y: ArrayLike, choice: str | None = None) -> Floats:
    """Cytosolic protein per gram of liver (mg/g) by age (y).

    ``plethem`` (default): :func:`mppgl` / 0.4956. ``leeder_2023``: 44.4 at every age, measured in children.
    """
    age, choice = _ages(age_y), choice or "plethem"
    if choice == "plethem":
        return _per_gram("MPPGL", age, "barter_2008") / fact("CPPGL", "liver", "ratio", choice).value
    return _per_gram("CPPGL", age, choice)


def protein_cv(what: str, choice: str | None = None) -> float:
    """Coefficient of variation between people of ``MPPGL`` or ``CPPGL``."""
    return fact(what, "liver", "cv", choice).value


def enzyme_per_gram(
    enzyme: str,
    age_y: ArrayLike,
    gestational_age_wk: ArrayLike = TERM_WEEKS,
    source: str | None = None,
    choice: str | None = None,
    protein: str | None = None,
) -> Floats:
    """Enzyme per gram of liver (pmol/g): abundance x MPPGL x maturation.

    Parameters
    ----------
    enzyme : with an abundance and a maturation curve, e.g. ``CYP3A4``.
    age_y, gestational_age_wk : as in :func:`ontogeny`.
    source, choice, protein : which maturation curve, abundance, and MPPGL; None is the default of each.

    Raises
    ------
    KeyError : not in the tables. ValueError : the curve is for something else than a content of liver, such as a
    clearance already scaled by body weight.
    """
    basis = ontogeny_curve(enzyme, source).basis
    if basis == "microsomal protein":
        milligrams = mppgl(age_y, protein)
    elif basis == "liver":  # the fraction is per gram of liver already; from 25 y on the adult's protein still ages
        milligrams = mppgl(np.maximum(_ages(age_y), ADULT_AGE), protein)
    else:
        raise ValueError(f"maturation of {enzyme} by {source} is of {basis}: it does not multiply a content of liver")
    return abundance(enzyme, "liver", choice).value * milligrams * ontogeny(enzyme, age_y, gestational_age_wk, source)


def _ages(age_y: ArrayLike) -> Floats:
    age = np.asarray(age_y, dtype=float)
    if (age < 0).any():
        raise ValueError(f"age below 0 years: {age[age < 0][:5]}")
    return age


def _per_gram(what: str, age: Floats, choice: str) -> Floats:
    if what == "MPPGL" and choice == "barter_2008":
        c = {name: fact(what, "liver", name, choice).value for name in ("c0", "c1", "c2", "c3", "last_age")}
        a = np.minimum(age, c["last_age"])
        return 10.0 ** (c["c0"] + c["c1"] * a + c["c2"] * a**2 + c["c3"] * a**3)
    return np.where(np.isnan(age), np.nan, fact(what, "liver", "constant", choice).value)
