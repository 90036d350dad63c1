"""Reference people of both sexes at any age: ICRP 89 organ masses, weight, height, cardiac output.

ICRP 89 prints birth, 1, 5, 10, 15 years and the adult. Between them every mass runs along a monotone cubic (PCHIP) over
log(age + 0.3 y): masses themselves, not their logarithms; at the printed ages the printed value, no jump anywhere, flat
from 20 years on. The shift of 0.3 y makes the weight between the printed ages follow the WHO and CDC medians (rms
3-4 %, worst 12 % at 3 months).

Three quantities of infants are measurements at ages of their own instead: cardiac output and blood below 5 years, where
ICRP 89 is far below what was measured (its values stay in the sheet as ``..._icrp``), and the perfusion of the brain,
which it does not print. ``rest`` is what the named organs and blood leave of body mass; the weight of the reference
*is* the sum of the masses, so nothing leaks. Density and haematocrit keep the adult's value of the sex.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.interpolate import PchipInterpolator

from pharmtwin.body.equations import Bools, Floats, coefficients
from pharmtwin.core.anatomy import BLOOD
from pharmtwin.facts import fact_table

ORGANS_TABLE = "physiology/reference_organs.tsv"
BODIES_TABLE = "physiology/reference_bodies.tsv"
GROWTH_TABLE = "physiology/reference_growth.tsv"
REST = "rest"
SEXES = ("M", "F")
#: mL/100 mL/min in a flow of 1 L/h through 1 L
PERFUSION = 100.0 / 60.0


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
            table = organs.pivot(index="sex", columns="organ", values=column).loc[list(SEXES), list(names)]
            return table.to_numpy(dtype=float, na_value=np.nan)

        body = bodies.set_index("sex").loc[list(SEXES)]
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

    def position(self) -> dict[str, int]:
        """Column of each organ."""
        return {name: i for i, name in enumerate(self.organs)}

    def in_parallel(self) -> list[int]:
        """Columns of the organs that share cardiac output, ``rest`` included: all but lung and blood."""
        return [i for i, name in enumerate(self.organs) if name not in (*BLOOD, "lung")]


@dataclass(frozen=True)
class ReferenceBody:
    """The reference people of the ages and sexes asked for, one row each.

    Attributes
    ----------
    mass : (n, n_organs) kg, in the order of ``reference().organs``.
    weight, height, cardiac_output : (n,) kg, cm, L/h; weight is the sum of the masses.
    brain_flow : (n,) L/h.
    """

    mass: Floats
    weight: Floats
    height: Floats
    cardiac_output: Floats
    brain_flow: Floats


@lru_cache(maxsize=1)
def reference() -> Reference:
    """The reference adults of ``resources/physiology``, read once."""
    return Reference.create(fact_table(ORGANS_TABLE), fact_table(BODIES_TABLE))


def growth_knots(adult: Reference, children: pd.DataFrame) -> dict[str, tuple[Floats, Floats]]:
    """Ages (k,) and values (k, 2 sexes) of every quantity at them, the adult last.

    Quantities: organs (kg), ``blood`` (kg), ``rest`` (kg, with blood), ``height`` (cm), ``cardiac_output`` (L/h) and
    ``brain_perfusion`` (mL/100 mL/min). Raises ValueError if the sheet lacks a quantity, or its organs leave nothing
    for ``rest``.
    """
    wide = children.pivot(index="age_y", columns=["quantity", "sex"], values="value").astype(float).sort_index()
    at, last = adult.position(), coefficients("growth")["adult_age"]

    def knots(quantity: str, grown_up: Floats) -> tuple[Floats, Floats]:
        columns = [(quantity, sex) for sex in SEXES]
        missing = [sex for name, sex in columns if (name, sex) not in wide]
        if missing:
            raise ValueError(f"{GROWTH_TABLE}: no {quantity} for sex {missing[0]}")
        rows = wide[columns].dropna()
        return np.append(rows.index.to_numpy(dtype=float), last), np.vstack([rows.to_numpy(), grown_up])

    organs = [name for name in adult.organs if name not in (*BLOOD, REST)]
    out = {name: knots(name, adult.mass[:, at[name]]) for name in organs}
    out["blood"] = knots("blood", adult.mass[:, [at[name] for name in BLOOD]].sum(axis=1))
    out["height"] = knots("height", adult.height)
    ages, minute = knots("cardiac_output", adult.cardiac_output / 60.0)
    out["cardiac_output"] = ages, minute * 60.0
    brain = adult.flow[:, at["brain"]] * adult.cardiac_output * adult.density[:, at["brain"]]
    out["brain_perfusion"] = knots("brain_perfusion", brain / adult.mass[:, at["brain"]] * PERFUSION)
    ages, weight = knots("weight", adult.weight)
    if any(len(out[name][0]) != len(ages) for name in organs) or not all((v > 0).all() for _, v in out.values()):
        raise ValueError(f"{GROWTH_TABLE}: a value is missing or not positive")
    out[REST] = ages, weight - np.sum([out[name][1] for name in organs], axis=0)
    blood = np.column_stack([np.interp(ages, out["blood"][0], out["blood"][1][:, s]) for s in range(2)])
    if not (out[REST][1] > blood).all():
        raise ValueError(f"{GROWTH_TABLE}: the organs leave nothing for {REST}")
    return out


@lru_cache(maxsize=1)
def _growth() -> tuple[dict[str, PchipInterpolator], float, float]:
    shift, last = coefficients("growth")["age_shift"], coefficients("growth")["adult_age"]
    curves = {}
    for name, (ages, values) in growth_knots(reference(), fact_table(GROWTH_TABLE)).items():
        # a second adult knot makes the curve arrive flat: its slope is continuous at the adult age too
        x = np.log(np.append(ages, ages[-1] + 1.0) + shift)
        curves[name] = PchipInterpolator(x, np.concatenate([values, values[-1:]]))
    return curves, shift, last


def reference_body(age_y: Floats, female: Bools) -> ReferenceBody:
    """Reference people of these ages (years, 0 and up; (n,)) and sexes. NaN in, NaN out; raises ValueError below 0."""
    age = np.asarray(age_y, dtype=float)
    if (age < 0).any():
        raise ValueError("age below 0: a premature infant has its age since birth, 0 or more")
    adult, sex, at = reference(), np.asarray(female).astype(int), reference().position()
    curves, shift, grown_up = _growth()
    x, rows = np.log(np.minimum(age, grown_up) + shift), np.arange(len(age))
    values = {name: curve(x)[rows, sex] for name, curve in curves.items()}
    adult_blood = adult.mass[:, [at[name] for name in BLOOD]]
    for i, name in enumerate(BLOOD):
        values[name] = values["blood"] * (adult_blood[:, i] / adult_blood.sum(axis=1))[sex]
    weight = values[REST] + np.sum([values[name] for name in adult.organs if name not in (*BLOOD, REST)], axis=0)
    values[REST] = values[REST] - values["blood"]
    brain = values["brain"] / adult.density[sex, at["brain"]]
    return ReferenceBody(
        mass=np.column_stack([values[name] for name in adult.organs]),
        weight=weight,
        height=values["height"],
        cardiac_output=values["cardiac_output"],
        brain_flow=values["brain_perfusion"] * brain / PERFUSION,
    )
