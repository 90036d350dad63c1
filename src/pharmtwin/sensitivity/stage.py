"""The analysis of a study in the workflow: subject and settings from the config, steps of the jobs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pharmtwin.core.drug import load_drug
from pharmtwin.core.exposure import Scenario
from pharmtwin.sensitivity.outputs import output_of
from pharmtwin.sensitivity.results import tables
from pharmtwin.sensitivity.runs import RTOL, Solved, Solver
from pharmtwin.sensitivity.shards import read_shard, write_shard
from pharmtwin.sensitivity.study import (
    Settings,
    digest,
    enough,
    nothing,
    screening,
    solve_morris,
    solve_sobol,
    survivors_of,
)
from pharmtwin.sensitivity.subject import Subject
from pharmtwin.sensitivity.twin import CONCENTRATION, Person, twin_subject
from pharmtwin.tables import read_table

log = logging.getLogger(__name__)
KNOWN = "known"


def settings_of(option: Mapping[str, Any], pbpk: Mapping[str, Any], master: int) -> Settings:
    """Settings of the config's blocks ``sensitivity`` and ``pbpk``."""
    solver = Solver(RTOL, float(pbpk["crosscheck_fraction"]), float(pbpk["crosscheck_rtol"]), master)
    return Settings(
        trajectories=int(option["morris_trajectories"]), candidates=int(option["morris_candidates"]),
        grid=int(option["morris_levels"]), base=int(option["sobol_base"]), max_base=int(option["max_base"]),
        target=float(option["target_half_width"]), solver=solver, second=bool(option["second_order"]),
    )  # fmt: skip


def person_of(name: str, sex: str, age_y: float, body: pd.DataFrame, priors: pd.DataFrame) -> Person:
    """A person of the tables ``body`` and ``priors``; raises KeyError if it is not there."""
    mine = body[body.twin_id == name]
    if mine.empty:
        raise KeyError(f"no body of {name}")
    quantities = dict(zip(mine["quantity"].astype(str), mine["value"].astype(float), strict=True))
    return Person(name, quantities, sex, age_y, priors[priors.twin_id == name])


def study_subject(
    config: Mapping[str, Any], person: Person, scenario: Scenario, activity: float
) -> tuple[Subject, Settings]:
    """Subject and settings of a study.

    activity : CYP2D6 activity of ``reference_activity_score``; used if ``genotype`` is known.
    """
    option = config["sensitivity"]
    outputs = [output_of(o, CONCENTRATION) for o in option["outputs"]]
    known = activity if option["genotype"] == KNOWN else None
    subject = twin_subject(load_drug(config["drug"]), person, scenario, outputs, known_activity=known,
                           leave_out=option["leave_out"])  # fmt: skip
    return subject, settings_of(option, config["pbpk"], int(config["master_seed"]))


def morris_job(subject: Subject, settings: Settings, shard: int, shards: int, out: Path) -> None:
    """One share of the Morris runs."""
    solved = solve_morris(subject, settings, shard, shards)
    log.info("Morris: %d trajectories solved", len(solved.values))
    write_shard(out, solved, digest(subject, settings))


def screen_job(subject: Subject, settings: Settings, shards: Sequence[Path]) -> pd.DataFrame:
    """Table ``morris``."""
    key = digest(subject, settings)
    return screening(subject, settings, [read_shard(p, key) for p in shards])


def sobol_job(
    subject: Subject, settings: Settings, morris: Path, level: int, shard: int, shards: int, before: Sequence[Path],
    out: Path
) -> None:  # fmt: skip
    """One share of a level of the Sobol runs: no blocks, if the levels ``before`` are enough."""
    survivors = survivors_of(read_table("morris", morris))
    key = digest(subject, settings, survivors)
    solved: Solved
    if before and enough(subject, settings, survivors, [read_shard(p, key) for p in before], level - 1):
        solved = nothing(settings.sizes[level])
        log.info("level %d is not needed", level)
    else:
        solved = solve_sobol(subject, settings, survivors, level, shard, shards)
        log.info("level %d: %d blocks solved", level, len(solved.values))
    write_shard(out, solved, key)


def results_job(
    subject: Subject, settings: Settings, morris: Path, morris_shards: Sequence[Path], shards: Sequence[Path]
) -> dict[str, pd.DataFrame]:
    """All tables."""
    table = read_table("morris", morris)
    first, then = digest(subject, settings), digest(subject, settings, survivors_of(table))
    return tables(subject, settings, table, [read_shard(p, first) for p in morris_shards],
                  [read_shard(p, then) for p in shards])  # fmt: skip
