"""How each piece of knowledge moves a twin's prediction: the same model solved again and again, knowing more each time.

The chain begins with somebody of whom nothing is known (the model ``population``, number for number) and ends with
the twin's own posterior (the model ``twin``). All steps before the twin's samples keep the population model's random
numbers draw by draw, so that a step shows the knowledge and not the dice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.assembly import individual_columns, typical_individual
from pharmtwin.core.draws import ACTIVITY, gfr_factors, individual_draws
from pharmtwin.core.exposure import NG_ML, Scenario, interval_metrics, log_quantiles
from pharmtwin.core.metrics import METRICS
from pharmtwin.core.seeds import generator
from pharmtwin.core.whole_body import whole_body
from pharmtwin.engine.failures import note_failures
from pharmtwin.engine.run import Dose, pack, simulate
from pharmtwin.pbpk.predict import POPULATION, Inputs, Settings, base_of, mixture_of, models_of, parameter_draws

Floats = NDArray[np.float64]
#: what is known after each step, on top of all before
STEPS = ("population", "genotype", "body", "kidney", "comedication", "samples")
NOT_SIMULATED = "comedication"  # the twin's model knows one drug
SHARED = "population"  # whose random numbers the steps share
RESAMPLES = 1000


def knowing(inputs: Inputs, twin_id: str, step: str, n: int, master: int) -> Floats:
    """Parameter vectors (n, n_parameters) of a person of whom everything up to a step is known.

    Before ``body`` the bodies are those of the reference man and woman in turn; before ``kidney`` so are their GFR.
    Raises ValueError for an unknown step, and for the one that is not simulated.
    """
    if step not in STEPS or step == NOT_SIMULATED:
        raise ValueError(f"step {step!r} is not one of {[s for s in STEPS if s != NOT_SIMULATED]}")
    if step in ("population", "samples"):
        return parameter_draws(inputs, twin_id, "twin" if step == "samples" else "population", n, master)[0]
    anybody, himself = [POPULATION[k % 2] for k in range(n)], [twin_id] * n
    P = np.array([base_of(inputs, name, k) for k, name in enumerate(anybody if step == "genotype" else himself)])
    gfr = whole_body().parameter_names.index("GFR")
    whose = himself if step == "kidney" else anybody
    spread = {name: _gfr_spread(inputs, name, n, master) for name in dict.fromkeys(whose)}
    P[:, gfr] = [base_of(inputs, name, k)[gfr] * spread[name][k] for k, name in enumerate(whose)]
    genes = mixture_of(inputs.priors, twin_id, ACTIVITY)
    P[:, individual_columns()] = individual_draws(
        SHARED, genes.location.to_numpy(float), genes.weight.to_numpy(float), typical_individual(inputs.drug),
        inputs.population, n, master,
    )  # fmt: skip
    return P


def _gfr_spread(inputs: Inputs, name: str, n: int, master: int) -> Floats:
    return gfr_factors(SHARED, float(mixture_of(inputs.priors, name, "GFR").iloc[0].scale), n, master)


@dataclass(frozen=True)
class Outcome:
    """One scenario solved for a number of draws.

    ``metrics``: of the last dosing interval, (n,) each; ``course``: plasma concentration (ng/mL) at
    :meth:`pharmtwin.core.exposure.Scenario.times`, (n, n_times). NaN where a draw failed.
    """

    metrics: Mapping[str, Floats]
    course: Floats

    @classmethod
    def none(cls) -> Outcome:
        """Of no draws."""
        return cls(dict.fromkeys(METRICS, np.empty(0)), np.empty((0, 0)))


def solve(P: Floats, scenario: Scenario, settings: Settings, run: str, stage: str) -> tuple[Outcome, pd.DataFrame]:
    """The scenario with parameters ``P`` (n, n_parameters), a row a draw; and rows of ``solver_check``."""
    model, times = whole_body(), scenario.times()
    doses: tuple[Dose, ...] = scenario.doses()
    batch = pack(model, P, [doses] * len(P), [times] * len(P))
    solved = simulate(model, batch, engine=settings.engine, rtol=settings.rtol)
    checks = note_failures(model, batch, solved, [f"{run}/draw{k}" for k in range(len(P))], stage)
    course = np.full((len(P), len(times)), np.nan)
    rows = [dict.fromkeys(METRICS, np.nan) for _ in P]
    for k in np.flatnonzero(solved.flag == 0):
        values = solved.of(int(k))
        course[k], rows[k] = values[:, 0] * NG_ML, interval_metrics(scenario, times, values)
    return Outcome({m: np.array([r[m] for r in rows]) for m in METRICS}, course), checks


def good(values: Floats) -> Floats:
    """Draws that were solved."""
    return values[np.isfinite(values)]


def interval(values: Floats) -> dict[str, float]:
    """``median``, ``lo90``, ``hi90`` of the solved draws; NaN where there are none."""
    kept = good(values)
    return dict(zip(("median", "lo90", "hi90"), log_quantiles(kept) if len(kept) else (np.nan,) * 3))


def factor(before: Floats, after: Floats, paired: bool, rng: np.random.Generator) -> dict[str, float]:
    """Ratio of medians with the 95 % interval that the finite number of draws leaves (bootstrap over draws).

    paired : the k-th draw of both shares its random numbers and is drawn again together.
    """
    empty = dict.fromkeys(("factor", "factor_lo95", "factor_hi95"), np.nan)
    if paired:
        both = np.isfinite(before) & np.isfinite(after)
        before, after = before[both], after[both]
    before, after = good(before), good(after)
    if not len(before) or not len(after) or np.median(before) <= 0:
        return empty
    first = rng.integers(0, len(before), (RESAMPLES, len(before)))
    second = first if paired else rng.integers(0, len(after), (RESAMPLES, len(after)))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.median(after[second], axis=1) / np.median(before[first], axis=1)
    lo, hi = np.quantile(ratios[np.isfinite(ratios)], [0.025, 0.975])
    return {"factor": float(np.median(after) / np.median(before)), "factor_lo95": float(lo), "factor_hi95": float(hi)}


def step_rows(
    inputs: Inputs, twin_id: str, scenario: Scenario, settings: Settings, stage: str
) -> tuple[list[dict[str, object]], Outcome, pd.DataFrame]:
    """Rows of table ``steps`` of one twin, the last step draw by draw, rows of ``solver_check``."""
    sampled = "twin" in models_of(inputs, twin_id)
    rows: list[dict[str, object]] = []
    checks: list[pd.DataFrame] = []
    before: Outcome | None = None
    last = Outcome.none()
    for order, step in enumerate(STEPS):
        state = "not_simulated" if step == NOT_SIMULATED else "absent" if step == "samples" and not sampled else ""
        solved = Outcome.none()
        if not state:
            P = knowing(inputs, twin_id, step, settings.draws, settings.master_seed)
            solved, failed = solve(P, scenario, settings, f"{twin_id}/{scenario.name}/{step}", stage)
            checks.append(failed)
            state = "computed" if len(good(solved.metrics["AUCtau"])) else "failed"
        for metric, unit in METRICS.items():
            moved: dict[str, float] = dict.fromkeys(("factor", "factor_lo95", "factor_hi95"), np.nan)
            values = solved.metrics[metric]
            if state == "computed" and before is not None:
                rng = generator(settings.master_seed, "steps", f"{twin_id}/{step}/{metric}")
                moved = factor(before.metrics[metric], values, step != "samples", rng)
            n = len(good(values))
            rows.append(
                {
                    "twin_id": twin_id, "scenario": scenario.name, "metric": metric, "unit": unit, "order": order,
                    "step": step, "state": state, **interval(values), **moved, "n_draws": n,
                    "n_failed": len(values) - n,
                }
            )  # fmt: skip
        last = solved if state in ("computed", "failed") else last
        before = solved if state == "computed" else before
    kept = [c for c in checks if len(c)]
    return rows, last, pd.concat(kept, ignore_index=True) if kept else checks[0]
