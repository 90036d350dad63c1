"""The emulator of a regimen: fitted once, on solves of drawn people, whoever the study's twins are.

Adults and children of ``pharmtwin.body.people.cohort``, inputs drawn as for twins; genotypes from all relative
activities that an ancestry holds, each as often as the other, so that the rare are known as well as the frequent. The
draws held out are of other people and of other values of the drug file; table ``exposure_emulators`` has their error.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.body.people.cohort import OLDEST_AGE, cohort
from pharmtwin.body.physiology import body_of
from pharmtwin.core.metrics import METRICS
from pharmtwin.core.seeds import generator
from pharmtwin.exposures.activity import every_activity, genotyped
from pharmtwin.exposures.draws import STAGE, derived
from pharmtwin.exposures.emulated import LARGEST_MISFIT
from pharmtwin.exposures.emulator import Emulator, fit, to_frame
from pharmtwin.exposures.features import features_of
from pharmtwin.exposures.inputs import inputs_of
from pharmtwin.exposures.parameters import draws_of
from pharmtwin.exposures.people import People
from pharmtwin.exposures.regimens import Regimen, regimens_of, system_of
from pharmtwin.exposures.stage import metrics_of, outputs_of, run
from pharmtwin.tables import conform, schema

Floats = NDArray[np.float64]
#: draws of the drug file's values, adults and children at each, and the share of the draws that is held out
DRAWS, ADULTS, CHILDREN, HELD_OUT = 500, 8, 4, 0.15
GROWN = 18.0  # years


@dataclass(frozen=True)
class Design:
    """Solves to learn from: x (n, inputs), metrics (n, outputs), NaN where a solve failed; held : rows held out."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    x: Floats
    metrics: Floats
    held: NDArray[np.bool_]


def emulators_of(config: Mapping[str, Any], log: logging.Logger) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables ``exposure_emulators`` and ``emulator_weights`` of every regimen of the configuration."""
    told, weights = [], [pd.DataFrame(columns=schema("emulator_weights").names)]
    master = derived(int(config["master_seed"]), "design")
    people = design_people(master)
    for regimen in regimens_of(config):
        rng = generator(master, STAGE, f"{regimen.name}:start")
        emulator, rows = emulator_of(design_of(regimen, people, config, master), rng)
        told.append(rows.assign(regimen=regimen.name))
        if emulator.outputs:
            weights.append(to_frame(emulator).assign(regimen=regimen.name))
        log.info("%s: %d of %d metrics emulated", regimen.name, len(emulator.outputs), len(rows))
    return (
        conform("exposure_emulators", pd.concat(told, ignore_index=True)),
        conform("emulator_weights", pd.concat(weights, ignore_index=True)),
    )


def design_people(master: int) -> People:
    """A row of adults or of children each, with the body of another one in every draw.

    Adults have the survey's ages, children any age alike.
    """
    grown = cohort(ADULTS * DRAWS, master, age=(GROWN, OLDEST_AGE), prefix="ADULT").people
    small = cohort(CHILDREN * DRAWS, master, age=(0.0, GROWN), ages="uniform", prefix="CHILD").people
    drawn, rows = body_of(pd.concat([grown, small], ignore_index=True)), ADULTS + CHILDREN
    bodies = {q: np.asarray(v, dtype=float).reshape(rows, DRAWS) for q, (v, _) in drawn.columns.items()}
    names = tuple(f"design{k}" for k in range(rows))
    sd = drawn.priors()["scale"].to_numpy(dtype=float)
    return People(names, {q: v[:, 0] for q, v in bodies.items()}, sd[::DRAWS], {}, np.arange(rows), bodies)


def design_of(regimen: Regimen, people: People, config: Mapping[str, Any], master: int) -> Design:
    """Draw and solve the design of a regimen in :func:`design_people`."""
    drug, system = system_of(regimen)
    genes = genotyped(sorted({molecule for molecule, _ in system.enzymes}))
    scale = str(config["genome"]["activity_map"])
    activity = {m: dict.fromkeys(people.twin_ids, every_activity(gene, scale)) for m, gene in genes.items()}
    inputs = inputs_of(drug, people, activity, DRAWS, master)
    metrics = np.empty((people.n, DRAWS, len(system.parts) * len(METRICS)))
    for k, draw in enumerate(draws_of(drug, system, regimen, people, inputs)):
        solved = run(system, regimen, draw, float(config["pbpk"]["rtol"]))[1]
        metrics[:, k] = metrics_of(system, regimen, solved).reshape(people.n, -1)
    features = [features_of(inputs, people, row) for row in range(people.n)]
    return Design(
        tuple(features[0]),
        outputs_of(system),
        np.concatenate([np.stack(list(f.values()), axis=1) for f in features]),
        metrics.reshape(people.n * DRAWS, -1),
        np.tile(np.arange(DRAWS) >= (1.0 - HELD_OUT) * DRAWS, people.n),
    )


def emulator_of(design: Design, rng: np.random.Generator) -> tuple[Emulator, pd.DataFrame]:
    """The emulator of the metrics that it can follow, and the rows of ``exposure_emulators`` without their regimen."""
    whole = ~np.isnan(design.metrics).any(axis=1)
    learn, held = whole & ~design.held, whole & design.held
    positive = np.asarray((design.metrics[whole] > 0).all(axis=0))
    names = [o for o, p in zip(design.outputs, positive, strict=True) if p]
    logs = np.log(design.metrics[:, positive])
    emulator = fit(design.x[learn], logs[learn], design.inputs, names, rng)
    error, spread = np.full(len(positive), np.nan), np.full(len(positive), np.nan)
    error[positive] = np.sqrt(((logs[held] - emulator(design.x[held])) ** 2).mean(axis=0))
    spread[positive] = logs[held].std(axis=0)
    used = error <= LARGEST_MISFIT * spread
    reason = np.where(positive, np.where(used, "", "held-out error too large"), "not positive in every solve")
    rows = pd.DataFrame(
        {
            "compound": [o.split("/")[0] for o in design.outputs],
            "metric": [o.split("/")[1] for o in design.outputs],
            "n_design": int(learn.sum()),
            "n_held_out": int(held.sum()),
            "n_failed": int((~whole).sum()),
            "spread": spread,
            "error": error,
            "used": used,
            "reason": reason,
        }
    )
    return emulator.only([n for n in names if used[design.outputs.index(n)]]), rows
