"""Sensitivity stage: Morris on all inputs, Sobol on the survivors."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.drug import Drug
from pharmtwin.core.exposure import Scenario
from pharmtwin.core.seeds import generator, seed_sequence
from pharmtwin.sensitivity.analysis import morris, sobol
from pharmtwin.sensitivity.inputs import DUMMY, inputs, reference_parameters
from pharmtwin.sensitivity.runs import ModelRuns


def analyse(
    person: NDArray[np.float64],
    drug: Drug,
    activity: float,
    scenario: Scenario,
    options: Mapping[str, Any],
    pbpk: Mapping[str, Any],
    master: int,
    log: logging.Logger,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Tables ``morris``, ``sobol`` and ``solver_check`` of the reference person in one scenario."""
    reference = reference_parameters(person, drug, activity)
    every = inputs(drug)
    rng = generator(master, "sensitivity", "crosscheck")
    checks = []

    def runner(chosen: list[Any]) -> ModelRuns:
        runs = ModelRuns(
            reference, chosen, scenario, float(pbpk["crosscheck_fraction"]), float(pbpk["crosscheck_rtol"]), rng
        )
        checks.append(runs)
        return runs

    def seed(name: str) -> int:
        return int(seed_sequence(master, "sensitivity", name).generate_state(1)[0])

    screened = morris(
        every, runner(every), trajectories=int(options["morris_trajectories"]), levels=int(options["morris_levels"]),
        seed=seed("morris"),
    )  # fmt: skip
    alive = set(screened[screened.survives].input)
    log.info("Morris: %d of %d inputs go on", len(alive), len(every) - 1)
    chosen = [i for i in every if i.name in alive or i.name == DUMMY]
    indices = sobol(
        chosen, runner(chosen), base=int(options["sobol_base"]), max_base=int(options["max_base"]),
        target=float(options["target_half_width"]), seed=seed("sobol"),
    )  # fmt: skip
    widest = float(((indices.ST_hi - indices.ST_lo) / 2).max())
    log.info("Sobol: N = %d, widest half-width of a total index %.3f", int(indices.n_base.iloc[0]), widest)
    done = pd.concat(
        [c.assign(stage=f"{n}/" + c.stage.astype(str)) for n, r in zip(("morris", "sobol"), checks) for c in r.checks]
    )
    return screened, indices, done.reset_index(drop=True)
