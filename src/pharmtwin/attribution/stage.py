"""Attributions of a bucket's twins: the table, and what the solvers said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pharmtwin.attribution.causes import COVARIATES, GENOTYPE, SAMPLES, TOGETHER, Causes, causes_of, cells, mixed_rows
from pharmtwin.attribution.exposure import METRICS, STAGE, Bodies, Genes, Mixed, Solver, outcomes, own_of, typical_of
from pharmtwin.attribution.shapley import Attribution, Spread, shapley, spread
from pharmtwin.core.draws import Population
from pharmtwin.core.drug import Drug
from pharmtwin.core.exposure import Scenario
from pharmtwin.core.metrics import METRICS as UNITS
from pharmtwin.core.seeds import generator
from pharmtwin.tables import conform, schema

FAILED = "failed"


@dataclass(frozen=True)
class Inputs:
    """What attributions are made from.

    ``twins``: rows of the twins sheet, sizes completed; ``reference``: the reference person as such a row, with
    ``reference_activity`` relative to activity score 2; ``priors``, ``twin_draws``: tables; ``bodies``: see
    :data:`pharmtwin.attribution.exposure.Bodies`; ``refusal``: why one of such rows is no person, "" if all are;
    ``max_exact``, ``pairs``: see :func:`.shapley.shapley`; ``draws``: of the parameters, for the interval given their
    uncertainty (0: none), with ``draw_pairs`` of orders: see :func:`.shapley.spread`.
    """

    drug: Drug
    twins: pd.DataFrame
    reference: pd.Series
    reference_activity: float
    priors: pd.DataFrame
    population: Population
    twin_draws: pd.DataFrame
    bodies: Bodies
    refusal: Callable[[pd.DataFrame], str]
    scenario: Scenario
    solver: Solver
    max_exact: int
    pairs: int
    draws: int
    draw_pairs: int


def _problem(inputs: Inputs, twin: pd.Series) -> tuple[Mixed, str]:
    """The twin's combinations, and a note where its covariates could not be told apart."""
    twin_id = str(twin["twin_id"])
    typical = typical_of(inputs.drug, inputs.population)
    own = own_of(inputs.twin_draws, inputs.priors, twin_id, typical)
    genes = Genes.of(inputs.priors, twin_id)

    def made(causes: Causes) -> Mixed:
        return Mixed(
            f"{twin_id}/{inputs.scenario.name}/attribution", twin, inputs.reference, causes, inputs.bodies,
            inputs.drug, typical, inputs.reference_activity, genes, own, inputs.scenario, inputs.solver,
        )  # fmt: skip

    first = ""
    for together in TOGETHER:
        causes = causes_of(twin, inputs.reference, sampled=own is not None, together=together)
        why = inputs.refusal(mixed_rows(twin, inputs.reference, causes, _body_combinations(causes)))
        if not why:
            break
        first = first or why
    else:
        raise ValueError(f"{twin_id}: {why}")
    return made(causes), f"joined: apart, some combinations are no person ({first})" if first else ""


def _drawn(inputs: Inputs, problem: Mixed) -> list[Mixed]:
    """The twin at draws of its parameters: its own joint posterior draws, of a twin without samples the study's."""
    twin_id = str(problem.twin["twin_id"])
    mine = inputs.twin_draws[inputs.twin_draws["twin_id"] == twin_id]
    n = len(mine) if len(mine) else inputs.population.n
    out = []
    for k in np.unique(np.linspace(0, n - 1, inputs.draws).round().astype(int)):
        own, joint = None, int(k)
        if len(mine):
            joint = int(mine["draw"].iloc[k])
        typical = typical_of(inputs.drug, inputs.population, joint)
        if len(mine):
            own = own_of(mine.iloc[[k]], inputs.priors, twin_id, typical)
        out.append(replace(problem, name=f"{problem.name}/draw{k}", typical=typical, own=own))
    return out


def _spread(inputs: Inputs, problem: Mixed, found: Attribution) -> Spread | None:
    """Interval given the parameters' uncertainty; None where none is wished or the point itself failed."""
    if not inputs.draws or not np.isfinite(found.value[:, : len(METRICS)]).any():
        return None
    name = f"{problem.name}/draws"
    people = [replace(problem, name=f"{problem.name}/point"), *_drawn(inputs, problem)]
    rng = generator(inputs.solver.master_seed, STAGE, name)
    return spread(lambda masks: outcomes(people, masks, name), found, len(problem.causes.names), inputs.draw_pairs, rng)


def _body_combinations(causes: Causes) -> np.ndarray:
    """All combinations of the covariates, without genotype and samples."""
    n, m = len(causes.names), len(causes.columns)
    masks = np.zeros((2**m, n), dtype=bool)
    masks[:, :m] = (np.arange(2**m)[:, None] >> np.arange(m)) & 1
    return masks


def _notes(problem: Mixed, note: str) -> dict[str, str]:
    """What is to be said of each cause."""
    single = {*COVARIATES, GENOTYPE, SAMPLES}
    out = {name: "" if name in single else note for name in problem.causes.names}
    if problem.genes.left_out > 1e-9:
        said = f"{100 * problem.genes.left_out:.2g} % of the probability (rare activities) left out"
        out[GENOTYPE] = "; ".join(filter(None, (out[GENOTYPE], said)))
    return out


def _said(problem: Mixed, name: str) -> tuple[str, str]:
    """The twin's and the reference person's side of a cause, in words."""
    if name == GENOTYPE:
        pairs = zip(problem.genes.activity, problem.genes.weight, strict=True)
        mine = "; ".join(f"{a:.3g} ({100 * w:.3g} %)" for a, w in pairs)
        return f"activity {mine}", f"activity {problem.reference_activity:.3g}"
    if name == SAMPLES:
        return "as the twin's samples tell", "as is typical in the study"
    columns = problem.causes.columns[name]
    return cells(problem.twin, columns), cells(problem.reference, columns)


def _rows(problem: Mixed, found: Attribution, given: Spread | None, note: str) -> Iterator[dict[str, object]]:
    notes, n = _notes(problem, note), len(METRICS)
    for j, metric in enumerate(METRICS):
        failed = not np.isfinite(found.value[:, j]).all()
        no_factor = not np.isfinite(found.value[:, n + j]).all()
        for i, cause in enumerate(problem.causes.names):
            own, other = _said(problem, cause)
            row: dict[str, object] = {
                "twin_id": str(problem.twin["twin_id"]), "scenario": problem.scenario.name, "metric": metric,
                "unit": UNITS[metric], "cause": cause, "twin": own, "reference": other, "method": found.method,
                "n_runs": found.n_runs, "n_draws": 0, "note": notes[cause],
            }  # fmt: skip
            if failed:
                yield row | {"method": FAILED, "note": "a combination could not be solved: see solver_check"}
                continue
            ends = {"": found.value, "_lo95": found.lo95, "_hi95": found.hi95}
            row |= {"base": float(found.base[j]), "total": float(found.total[j])}
            if given is not None:
                ends |= {"_lo90": given.lo90, "_hi90": given.hi90}
                row["n_draws"] = int(given.n_draws[j])
            row |= {f"value{end}": float(x[i, j]) for end, x in ends.items()}
            if no_factor:
                said = "no factor: in one of the combinations the exposure is not above 0"
                yield row | {"note": "; ".join(filter(None, (notes[cause], said)))}
                continue
            yield row | {f"factor{end}": float(np.exp(x[i, n + j])) for end, x in ends.items()}


def attribute(inputs: Inputs, wanted: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Tables ``attributions`` and ``solver_check`` of the twins named (in the order of the sheet)."""
    rows: list[dict[str, object]] = []
    checks: list[pd.DataFrame] = []
    for _, twin in inputs.twins[inputs.twins["twin_id"].isin(list(wanted))].iterrows():
        problem, note = _problem(inputs, twin)
        rng = generator(inputs.solver.master_seed, STAGE, problem.name)
        n = len(problem.causes.names)
        found = shapley(problem, n, max_exact=inputs.max_exact, pairs=inputs.pairs, rng=rng)
        rows.extend(_rows(problem, found, _spread(inputs, problem, found), note))
        checks += [c for c in problem.checks if len(c)]
    table = pd.DataFrame(rows, columns=schema("attributions").names)
    empty = pd.DataFrame(columns=schema("solver_check").names)
    return {
        "attributions": conform("attributions", table),
        "solver_check": pd.concat(checks, ignore_index=True) if checks else empty,
    }
