"""A folder of models, data and NONMEM's answers: every model read, checked against the index, estimated, compared.

The folder holds ``index.json`` (``models``: number -> what is stated of it), ``runNNN.data.csv`` (NONMEM rows, with
NM_PRED and NM_IPRED where known) and ``runNNN.expected.csv`` (ID, ETA1 ..., OFV_MAP) where known.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.facts import RESOURCES
from pharmtwin.inference.estimation.modes import Modes
from pharmtwin.inference.models.description import PopulationModelError
from pharmtwin.inference.nonmem import stated
from pharmtwin.inference.nonmem.compare import Comparison, compare
from pharmtwin.inference.nonmem.estimates import Found, find
from pharmtwin.inference.problem.case import Case, read_case
from pharmtwin.model.description import ModelError

MODELS = RESOURCES / "population" / "mapbayr_study"


@dataclass(frozen=True)
class Outcome:
    """What became of one model: its comparison, or why there is none; where file and index disagree; what was not
    understood of the index; findings of its data."""

    number: str
    comparison: Comparison | None
    reason: str
    disagreements: tuple[str, ...]
    unchecked: tuple[str, ...]
    findings: tuple[str, ...]


def read_index(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Models of a folder's index; raises ValueError naming the file where it is missing or has another form."""
    path = folder / "index.json"
    try:
        models = json.loads(path.read_text(encoding="utf-8"))["models"]
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: the folder needs an index of its models") from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no index of models: {error!r}") from None
    if not isinstance(models, dict) or not all(isinstance(e, dict) for e in models.values()):
        raise ValueError(f"{path}: `models` is no mapping of numbers to entries")
    return models


def run_model(
    number: str, entry: Mapping[str, Any], folder: Path, models: Path = MODELS, rtol: float = 1e-8
) -> Outcome:
    """Read, check, estimate and compare one model. Nothing is raised for a model: see ``reason``."""
    path = models / f"run{number}.yaml"
    if not path.is_file():
        return Outcome(number, None, f"there is no model file {path.name}", (), (), ())
    begin = time.perf_counter()
    try:
        case = read_case(path, folder / f"run{number}.data.csv")
        wrong, unchecked = _checked(entry, case)
        expected = folder / f"run{number}.expected.csv"
        found = find(case, rtol)
        comparison = compare(
            number, case, found, pd.read_csv(expected) if expected.is_file() else None,
            time.perf_counter() - begin, failures(case, found, found.near),
        )  # fmt: skip
    except (PopulationModelError, ModelError, ValueError, OSError, pd.errors.ParserError) as error:
        return Outcome(number, None, str(error), (), (), ())
    return Outcome(
        number, comparison, "", tuple(wrong), tuple(unchecked), tuple(f.message() for f in case.findings)
    )  # fmt: skip


def _checked(entry: Mapping[str, Any], case: Case) -> tuple[list[str], list[str]]:
    """``stated.check``; an entry of another form is a disagreement."""
    try:
        return stated.check(entry, case.model, case.columns)
    except (AttributeError, TypeError, KeyError) as error:
        return [f"the entry has another form: {error!r}"], []


def failures(case: Case, found: Found, modes: Modes) -> dict[str, str]:
    """Subjects without a mode, and why."""
    failed = {}
    for i, subject in enumerate(case.subjects):
        if not np.isfinite(modes.objective[i]):
            solved = np.isfinite(found.pred[found.subject == i]).all()
            failed[subject.id] = "its samples are impossible at the start" if solved else "the model was not solved"
        elif not modes.converged[i]:
            failed[subject.id] = "the search for the mode ended before it was done"
    return failed
