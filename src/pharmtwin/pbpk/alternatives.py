"""What would be otherwise: the same person with another genotype, or with another dose.

Everything that is not exchanged stays the same draw by draw: in a twin with samples the joint posterior draws keep what
the concentrations taught about its enzymes, and only the activity of its genes is exchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.assembly import individual_columns, typical_individual
from pharmtwin.core.draws import ACTIVITY, individual_draws
from pharmtwin.core.exposure import QUANTILES, Scenario, log_quantiles
from pharmtwin.core.metrics import METRICS
from pharmtwin.core.seeds import generator
from pharmtwin.core.targets import Target
from pharmtwin.core.whole_body import INDIVIDUAL
from pharmtwin.pbpk.predict import Inputs, Settings, mixture_of, models_of, parameter_draws
from pharmtwin.pbpk.steps import Outcome, good, interval, solve

Floats = NDArray[np.float64]
GENE, DIPLOTYPE = "CYP2D6", "*1/*1"
NORMAL = 1.0  # activity of *1/*1: by definition, activity is relative to score 2
#: quantiles of a course
COURSE = ("q05", "q50", "q95")
F_GENE = INDIVIDUAL.index("f_CYP2D6")


def best_model(inputs: Inputs, twin_id: str) -> str:
    """``twin`` where the twin has samples, else ``covariates``."""
    return models_of(inputs, twin_id)[-1]


def with_activity(inputs: Inputs, twin_id: str, activity: float, n: int, master: int) -> Floats:
    """Parameter vectors (n, n_parameters) of a twin whose CYP2D6 had a known activity, everything else unchanged.

    Of a twin with samples, each joint draw's factor is divided by the activity of its own component: what is left is
    the person's own deviation from the genotype. A component without activity has no such deviation; it is drawn from
    the population's variability of the same joint draw.
    """
    columns = individual_columns()
    genes = mixture_of(inputs.priors, twin_id, ACTIVITY)
    if best_model(inputs, twin_id) == "covariates":
        P, _ = parameter_draws(inputs, twin_id, "covariates", n, master)
        P[:, columns] = individual_draws(
            twin_id,
            np.array([activity]),
            np.array([1.0]),
            typical_individual(inputs.drug),
            inputs.population,
            n,
            master,
        )
        return P
    P, _ = parameter_draws(inputs, twin_id, "twin", n, master)
    mine = inputs.twin_draws[inputs.twin_draws.twin_id == twin_id]
    pick = np.linspace(0, len(mine) - 1, n).round().astype(int)
    # the fit joins components of equal activity, known and unknown function alike, under one name
    names = genes.component.astype(str).str.replace("unknown:", "")
    location = dict(zip(names, genes.location.to_numpy(float)))
    own = np.array([location[str(c)] for c in mine["component"].to_numpy()[pick]])
    joint = mine["draw"].to_numpy(int)[pick]
    rng = generator(master, "alternatives", twin_id)
    eta = rng.standard_normal(n)
    drawn = np.exp(inputs.population.theta[joint, F_GENE] + inputs.population.omega[joint, F_GENE] * eta)
    deviation = np.where(own > 0, P[:, columns[F_GENE]] / np.where(own > 0, own, 1.0), drawn)
    P[:, columns[F_GENE]] = deviation * activity
    return P


def exchanged(
    inputs: Inputs, twin_id: str, scenario: Scenario, settings: Settings, stage: str
) -> tuple[Outcome, pd.DataFrame]:
    """The twin with the exchanged genotype, draw by draw; and rows of ``solver_check``."""
    P = with_activity(inputs, twin_id, NORMAL, settings.draws, settings.master_seed)
    name = f"{twin_id}/{scenario.name}/{GENE} {DIPLOTYPE.replace('/', '|')}"
    return solve(P, scenario, settings, name, stage)


def gene_rows(
    inputs: Inputs, twin_id: str, scenario: Scenario, actual: Outcome, other: Outcome
) -> list[dict[str, object]]:
    """Rows of table ``counterfactuals`` of one twin, as it is and with the exchanged genotype."""
    rows: list[dict[str, object]] = []
    for metric, unit in METRICS.items():
        was, would = actual.metrics[metric], other.metrics[metric]
        both = np.isfinite(was) & np.isfinite(would)
        a, b = was[both], would[both]
        ratios = log_quantiles(b / a) if len(a) and (a > 0).all() else (np.nan,) * 3
        rows.append(
            {
                "twin_id": twin_id, "scenario": scenario.name, "metric": metric, "unit": unit,
                "model": best_model(inputs, twin_id), "gene": GENE, "diplotype": DIPLOTYPE,
                **{f"actual_{k}": v for k, v in interval(a).items()}, **interval(b),
                **dict(zip(("ratio", "ratio_lo90", "ratio_hi90"), ratios)), "n_draws": len(a),
                "n_failed": int((~both).sum()),
            }
        )  # fmt: skip
    return rows


def course_rows(
    inputs: Inputs, twin_id: str, scenario: Scenario, actual: Outcome, other: Outcome
) -> list[dict[str, object]]:
    """Rows of table ``counterfactual_courses`` of one twin; none where no draw was solved both ways."""
    both = np.isfinite(actual.course).all(axis=1) & np.isfinite(other.course).all(axis=1)
    if not both.any():
        return []
    head = {"twin_id": twin_id, "scenario": scenario.name, "gene": GENE, "diplotype": DIPLOTYPE,
            "model": best_model(inputs, twin_id), "n_draws": int(both.sum())}  # fmt: skip
    rows: list[dict[str, object]] = []
    for case, outcome in (("actual", actual), ("exchanged", other)):
        bands = np.quantile(outcome.course[both], [QUANTILES[q] for q in COURSE], axis=0)
        rows += [
            {**head, "case": case, "time_h": float(t), **{q: float(bands[i, j]) for i, q in enumerate(COURSE)}}
            for j, t in enumerate(scenario.times())
        ]
    return rows


def dose_rows(
    inputs: Inputs,
    twin_id: str,
    scenario: Scenario,
    doses: list[float],
    target: Target | None,
    actual: Mapping[str, Floats],
    settings: Settings,
    stage: str,
) -> tuple[list[dict[str, object]], pd.DataFrame]:
    """Rows of table ``dose_options``: the scenario with each dose in turn, its own among them."""
    P, _ = parameter_draws(inputs, twin_id, best_model(inputs, twin_id), settings.draws, settings.master_seed)
    rows: list[dict[str, object]] = []
    checks: list[pd.DataFrame] = []
    for dose in sorted({*doses, scenario.dose_mg}):
        values = actual
        if dose != scenario.dose_mg:
            given = replace(scenario, dose_mg=dose)
            solved, failed = solve(P, given, settings, f"{twin_id}/{scenario.name} with {dose:g} mg/dose", stage)
            values = solved.metrics
            checks.append(failed)
        for metric, unit in METRICS.items():
            n = len(good(values[metric]))
            rows.append(
                {
                    "twin_id": twin_id, "scenario": scenario.name, "dose_mg": dose,
                    "model": best_model(inputs, twin_id), "metric": metric, "unit": unit, **interval(values[metric]),
                    **attainment(good(values[metric]), target if target and target.metric == metric else None),
                    "n_draws": n, "n_failed": len(values[metric]) - n,
                }
            )  # fmt: skip
    kept = [c for c in checks if len(c)]
    return rows, pd.concat(kept, ignore_index=True) if kept else pd.DataFrame()


def attainment(values: Floats, target: Target | None) -> dict[str, float | str | None]:
    """Limits and source of the target, and the shares of draws below, inside (limits included) and above it."""
    empty = dict.fromkeys(("target_low", "target_high", "p_below", "p_inside", "p_above"), float("nan"))
    shares: dict[str, float | str | None] = {**empty, "target_source": None}
    if target is None:
        return shares
    shares |= {"target_low": target.low, "target_high": target.high, "target_source": target.source}
    if len(values):
        below, above = float((values < target.low).mean()), float((values > target.high).mean())
        inside = float(((values >= target.low) & (values <= target.high)).mean())
        shares |= {"p_below": below, "p_inside": inside, "p_above": above}
    return shares
