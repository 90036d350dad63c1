"""Pharmacokinetic truth of the synthetic study: a model that is deliberately not the twin's.

It shares no module with the twin's model (a test reads the imports) and differs in structure: Weibull release
after a lag time, a liver and three body compartments instead of organs, gamma random effects tied by a Gaussian
copula and a Student-t one for absorption, a piecewise linear activity map with allele-level deviations, and a
proportional plus additive residual error. Amounts are µg, volumes L, time h; concentrations µg/L = ng/mL.

States: liver, central, shallow and deep peripheral amount, and active CYP2D6 relative to baseline. CYP2D6 is
saturable (Michaelis-Menten in unbound liver concentration) and inactivated by its substrate (kinact, KI) against
turnover (kdeg); all other clearance is linear. Volumes scale with weight, flows and clearances with weight^0.75.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.integrate import odeint

from pharmtwin.facts import fact_table

Float = npt.NDArray[np.float64]

REFERENCE_WEIGHT_KG = 70.0
EFFECTS = ("CYP2D6_Vmax", "CLint_other", "V_peripheral")
NEGLIGIBLE_RELEASE = 12.0  # (t/scale)^shape beyond which a dose is completely released (e^-12)


@dataclass(frozen=True)
class TruthParameters:
    """Parameters of one person (units in ``resources/synthetic/truth_parameters.tsv``)."""

    lag: float
    weibull_scale: float
    weibull_shape: float
    fu_p: float
    Q_liver: float
    V_liver: float
    V_central: float
    V_shallow: float
    V_deep: float
    Q_shallow: float
    Q_deep: float
    CYP2D6_Vmax: float
    CYP2D6_Km: float
    CYP2D6_kinact: float
    CYP2D6_KI: float
    CYP2D6_kdeg: float
    CLint_other: float

    def __post_init__(self) -> None:
        """Raises ValueError for a negative parameter."""
        negative = [f.name for f in fields(self) if getattr(self, f.name) < 0]
        if negative:
            raise ValueError(f"negative parameters: {', '.join(negative)}")


@dataclass(frozen=True)
class TruthFacts:
    """The table of the truth: typical person of 70 kg with activity score 2, variability and error."""

    typical: TruthParameters
    value: Mapping[str, float]


def truth_facts() -> TruthFacts:
    """Read ``resources/synthetic/truth_parameters.tsv``."""
    table = fact_table("synthetic/truth_parameters.tsv")
    value = {str(k): float(v) for k, v in zip(table["parameter"], table["value"])}
    return TruthFacts(TruthParameters(**{f.name: value[f.name] for f in fields(TruthParameters)}), value)


def relative_activity(score: float, map_name: str = "paroxetine_ruedesheim2022") -> float:
    """CYP2D6 Vmax relative to score 2: the table's points joined by straight lines, the last one extended."""
    table = fact_table("genes/activity_to_clearance.tsv")
    rows = table[table["map_name"] == map_name].sort_values("activity_score")
    x, y = rows["activity_score"].to_numpy(dtype=float), rows["relative_clearance"].to_numpy(dtype=float)
    if score > x[-1]:
        return float(y[-1] + (score - x[-1]) * (y[-1] - y[-2]) / (x[-1] - x[-2]))
    return float(np.interp(score, x, y))


def allele_activity(star: str, value: float | None, facts: TruthFacts, rng: np.random.Generator) -> float:
    """True activity of one copy of a star allele: its activity value times a gamma deviation of mean 1 (``*1``: 1).

    An allele of unknown function (``value`` None) gets one of the activity values 0, 0.25, 0.5 and 1: unknown to
    science is not unknown to the truth. All carriers share the result if ``rng`` depends on the star only.
    """
    known = float(rng.choice([0.0, 0.25, 0.5, 1.0])) if value is None else value
    cv = facts.value["cv_allele"]
    return known if star == "*1" else known * float(rng.gamma(1 / cv**2, cv**2))


def individual(
    facts: TruthFacts, weight_kg: float, effective_score: float, rng: np.random.Generator
) -> TruthParameters:
    """One person's parameters: size, genotype (``effective_score``, allele deviations included), random effects.

    The three multipliers have gamma distributions of mean 1; their ranks are tied by a Gaussian copula. The release
    time has a log-Student-t multiplier: now and then somebody absorbs very slowly.
    """
    value, typical = facts.value, facts.typical
    ties = np.eye(len(EFFECTS))
    ties[0, 1] = ties[1, 0] = value["copula_CYP2D6_other"]
    ties[1, 2] = ties[2, 1] = value["copula_other_V"]
    ranks = stats.norm.cdf(np.linalg.cholesky(ties) @ rng.standard_normal(len(EFFECTS)))
    effect = {
        name: float(stats.gamma.ppf(rank, 1 / value[f"cv_{name}"] ** 2) * value[f"cv_{name}"] ** 2)
        for name, rank in zip(EFFECTS, ranks)
    }
    limit = value["limit_release"]
    release = float(np.exp(np.clip(value["scale_release"] * rng.standard_t(value["df_release"]), -limit, limit)))
    size = weight_kg / REFERENCE_WEIGHT_KG
    flow = size**0.75
    return replace(
        typical,
        weibull_scale=typical.weibull_scale * release,
        Q_liver=typical.Q_liver * flow,
        V_liver=typical.V_liver * size,
        V_central=typical.V_central * size,
        V_shallow=typical.V_shallow * size * effect["V_peripheral"],
        V_deep=typical.V_deep * size * effect["V_peripheral"],
        Q_shallow=typical.Q_shallow * flow,
        Q_deep=typical.Q_deep * flow,
        CYP2D6_Vmax=typical.CYP2D6_Vmax * flow * effect["CYP2D6_Vmax"] * relative_activity(effective_score),
        CLint_other=typical.CLint_other * flow * effect["CLint_other"],
    )


def release_rate(p: TruthParameters, doses: Sequence[tuple[float, float]], t: float) -> float:
    """Drug reaching the liver at time ``t``, µg/h, from doses (time h, amount mg): Weibull release after the lag."""
    rate = 0.0
    for start, dose_mg in doses:
        after = (t - start - p.lag) / p.weibull_scale
        if after <= 0:
            continue
        power = after**p.weibull_shape
        if power < NEGLIGIBLE_RELEASE:
            rate += 1000 * dose_mg * p.weibull_shape / p.weibull_scale * power / after * math.exp(-power)
    return rate


def concentrations(p: TruthParameters, doses: Sequence[tuple[float, float]], times: npt.ArrayLike) -> Float:
    """Plasma concentration, ng/mL, at strictly ascending ``times`` (n,) h after oral doses (time h, amount mg).

    Integrated with LSODA from dose to dose; a time equal to a dose time is just before that dose.
    Raises ValueError if times are not ascending, RuntimeError if the solver fails.
    """
    wanted = np.asarray(times, dtype=np.float64)
    if (np.diff(wanted) <= 0).any():
        raise ValueError("times must be ascending")
    out = np.zeros(len(wanted))
    doses = sorted(doses)
    edges = [t for t, _ in doses] + [max(float(wanted[-1]), doses[-1][0]) + 1e-6]
    state = np.array([0.0, 0.0, 0.0, 0.0, 1.0])
    released = p.lag + p.weibull_scale * NEGLIGIBLE_RELEASE ** (1 / p.weibull_shape)
    for i, (start, stop) in enumerate(pairwise(edges)):
        recent = [d for d in doses[: i + 1] if start - d[0] < released]
        inside = (wanted > start) & (wanted <= stop)
        grid = np.union1d(wanted[inside], [stop])
        path, info = odeint(
            _rates, state, np.append(start, grid), args=(p, recent), tfirst=True, rtol=1e-6, atol=1e-7, hmax=2.0,
            mxstep=20000, full_output=True,
        )  # fmt: skip
        if info["message"] != "Integration successful.":
            raise RuntimeError(f"the truth could not be integrated: {info['message']}")
        out[inside] = path[1 : 1 + int(inside.sum()), 1] / p.V_central
        state = path[-1]
    return np.maximum(out, 0.0)


def _rates(t: float, y: Float, p: TruthParameters, doses: Sequence[tuple[float, float]]) -> list[float]:
    """Right-hand side of the five states."""
    liver, central, shallow, deep, enzyme = y.tolist()
    c_liver, c_central = liver / p.V_liver, central / p.V_central
    unbound = p.fu_p * c_liver
    metabolised = (p.CYP2D6_Vmax * enzyme / (p.CYP2D6_Km + unbound) + p.CLint_other) * unbound
    through_liver = p.Q_liver * (c_central - c_liver)
    to_shallow = p.Q_shallow * (c_central - shallow / p.V_shallow)
    to_deep = p.Q_deep * (c_central - deep / p.V_deep)
    return [
        release_rate(p, doses, t) + through_liver - metabolised,
        -through_liver - to_shallow - to_deep,
        to_shallow,
        to_deep,
        p.CYP2D6_kdeg * (1 - enzyme) - p.CYP2D6_kinact * unbound / (p.CYP2D6_KI + unbound) * enzyme,
    ]


def observe(true_ng_ml: Float, facts: TruthFacts, rng: np.random.Generator) -> Float:
    """Measured concentrations, ng/mL: proportional and additive normal error, same shape as the true ones."""
    proportional = 1 + facts.value["error_proportional"] * rng.standard_normal(len(true_ng_ml))
    additive = facts.value["error_additive"] * rng.standard_normal(len(true_ng_ml))
    noisy: Float = true_ng_ml * proportional + additive
    return noisy
