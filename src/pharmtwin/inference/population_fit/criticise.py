"""Criticism of a population fit: LOO by observation and by subject, visual predictive checks, NPDE."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.seeds import generator
from pharmtwin.inference.criticism.bins import bins_for_percentiles
from pharmtwin.inference.criticism.loo import Loo, loo
from pharmtwin.inference.criticism.npde import npde, npde_tests
from pharmtwin.inference.criticism.vpc import out_of_band, prediction_corrected, vpc_data, vpc_table
from pharmtwin.inference.population_fit.build import PopulationFit
from pharmtwin.inference.population_fit.replay import Replay, marginal, pointwise, predictions, replicates
from pharmtwin.inference.problem.score import ABOVE, BELOW, BETWEEN

Floats = NDArray[np.float64]
#: draws for LOO by observation, draws and points of the effects for LOO by subject, simulated studies
DRAWS, SUBJECT_DRAWS, POINTS, STUDIES = 1000, 400, 64, 1000
#: the search of a draw's modes, in predictions of all subjects
SEARCH = 100
#: effective points of the effects below which a subject's integral is not trusted
LEAST = 10.0


@dataclass
class Criticism:
    """Tables by name, and what they say in a line each."""

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


def criticise(
    fit: PopulationFit, draws: Mapping[str, Floats], lloq: Mapping[str, float], seconds: float, master: int, name: str,
    log: logging.Logger,
) -> Criticism:  # fmt: skip
    """LOO, VPC and NPDE; what would take longer than ``seconds`` in all is left out, and said.

    draws : by name, (chains, draws, ...). lloq : limit of quantification by output.
    """
    made = Criticism()
    replay = Replay.of(fit, draws, DRAWS)
    one = _seconds(replay)
    left = seconds

    def worth(what: str, n: int) -> bool:
        nonlocal left
        expected = one * n
        if expected > left:
            made.lines.append(
                f"{what}: not computed (about {expected:.0f} s; --criticism allows {max(left, 0):.0f} s more)"
            )
            return False
        left -= expected
        log.info("%s: about %.0f s", what, expected)
        return True

    if worth("VPC and NPDE", STUDIES):
        sims = replicates(replay, STUDIES, generator(master, "replicates", name))
        if len(sims) < STUDIES:
            made.lines.append(
                f"{STUDIES - len(sims)} of {STUDIES} simulated studies could not be solved and are left out"
            )
        _predictive(made, replay, sims, lloq, generator(master, "npde", name))
    if worth("LOO by observation", len(replay)):
        value = pointwise(replay)
        by_obs = value.reshape(replay.chains, -1, value.shape[1]) if replay.chains > 1 else value
        _loo(made, "observation", by_obs, _rows(replay))
    some = Replay.of(fit, draws, SUBJECT_DRAWS)
    if worth("LOO by subject", len(some) * (POINTS + SEARCH)):
        value, effective = marginal(some, POINTS, generator(master, "loo by subject", name))
        by_one = value.reshape(some.chains, -1, value.shape[1]) if some.chains > 1 else value
        who = pd.DataFrame({"subject": list(fit.problem.subjects), "integration_ess": effective})
        _loo(made, "subject", by_one, who)
    return made


def _seconds(replay: Replay) -> float:
    """Time of a prediction of all subjects, in a batch."""
    some = replay.some(32)
    predictions(replay.problem, some.fixed[:1], some.eta[:1])
    started = time.perf_counter()
    predictions(replay.problem, some.fixed, some.eta)
    return (time.perf_counter() - started) / len(some)


def _rows(replay: Replay) -> pd.DataFrame:
    """Which observation: subject, row of the file, time, output."""
    p = replay.problem
    subject = replay.subject_of_obs
    return pd.DataFrame(
        {
            "subject": [p.subjects[i] for i in subject],
            "row": [int(p.data[i].file_row[j]) for i, j in zip(subject, p.subject_obs, strict=True)],
            "time": p.times_of_obs,
            "output": [p.model.outputs[o].name for o in p.output_of_obs],
        }
    )


def _loo(made: Criticism, of: str, value: Floats, units: pd.DataFrame) -> None:
    """Table and line of one LOO."""
    try:
        found: Loo = loo(value)
    except ValueError as error:
        made.lines.append(f"LOO by {of}: not computed ({error})")
        return
    table = pd.concat([units, found.pointwise.drop(columns="unit")], axis=1)
    doubt = ~table["trusted"]
    if "integration_ess" in table:
        doubt |= table["integration_ess"] < LEAST
        table["trusted"] = ~doubt
    made.tables[f"loo_{of}s"] = table
    words = "all trusted" if not doubt.any() else f"{int(doubt.sum())} of {len(table)} not trusted"
    made.lines.append(f"LOO by {of}: elpd {found.elpd:.2f} (se {found.se:.2f}), p_loo {found.p_loo:.2f}; {words}")


def _predictive(
    made: Criticism, replay: Replay, sims: Floats, lloq: Mapping[str, float],
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """VPC (prediction corrected where predictions are positive) and NPDE."""
    p, where = replay.problem, _rows(replay)
    if np.any(p.code == ABOVE):
        made.lines.append("VPC and NPDE: not computed (values above a limit)")
        return
    below = np.isin(p.code, (BELOW, BETWEEN))
    stated = np.array([lloq.get(o, np.nan) for o in where["output"]], dtype=float)
    limit = np.where(below, p.limit, stated)
    bins = np.zeros(len(where), dtype=np.int64)
    for _, own in where.groupby("output", sort=False):
        bins[own.index] = bins_for_percentiles(own["time"].to_numpy(float))
    typical = np.zeros((1, *replay.eta.shape[1:]))
    pred = predictions(p, replay.fixed.mean(axis=0)[None], typical)[0]
    corrected = bool(np.isfinite(pred).all() and (pred > 0).all())
    try:
        data = vpc_data(p.y, sims, where["time"], bins, list(where["output"]), below, limit)
        table = vpc_table(prediction_corrected(data, pred) if corrected else data)
        outside = out_of_band(table)
        made.tables["vpc"] = table.assign(prediction_corrected=corrected)
        made.lines.append(
            f"VPC{' (prediction corrected)' if corrected else ''}: {outside['n_outside']:.0f} of {outside['n']:.0f} "
            "percentiles outside of their 95 % band (about one in twenty by chance)"
        )
    except ValueError as error:
        made.lines.append(f"VPC: not computed ({error})")
    try:
        errors = npde(p.y, sims, list(where["subject"]), below=below, lloq=limit, rng=rng)
        made.tables["npde"] = pd.concat([where, errors.drop(columns="subject")], axis=1)
        tests = npde_tests(errors["npde"])
        made.tables["npde_tests"] = tests
        worst = tests.set_index("test").loc["global"]
        judged = "passed" if worst["passed"] else "NOT passed"
        made.lines.append(f"NPDE: global test p {worst['p_adjusted']:.3g}, {judged}")
    except ValueError as error:
        made.lines.append(f"NPDE: not computed ({error})")
