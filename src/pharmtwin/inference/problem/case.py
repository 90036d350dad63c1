"""A population model file and a data file, read together."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pharmtwin.findings import Finding
from pharmtwin.inference.models.description import PopulationModel, PopulationModelError
from pharmtwin.inference.models.read import read_population_model
from pharmtwin.inference.problem.records import Columns, Subject, read_subjects
from pharmtwin.untrusted import read_bytes


@dataclass(frozen=True)
class Case:
    """A model with its data: ``table`` as read, ``subjects`` and notes (``findings``) of it."""

    model: PopulationModel
    columns: Columns
    table: pd.DataFrame
    subjects: tuple[Subject, ...]
    findings: tuple[Finding, ...]


def read_case(model_path: str | Path, data_path: str | Path) -> Case:
    """Read both files.

    Raises PopulationModelError, ``records.DataError`` (all that is wrong with the data), FileNotFoundError, ValueError
    (no table, no subject with an observation).
    """
    model, data = read_population_model(model_path)
    columns = columns_of(data, str(model_path))
    # an id stays as it was written: 007 is not 7, 1e5 not 100000
    table = pd.read_csv(io.BytesIO(read_bytes(data_path)), dtype=dict.fromkeys(("ID", "Id", "id"), str))
    subjects, findings = read_subjects(model, table, columns, str(data_path))
    seen = [s for s in subjects if len(s.obs_row)]
    if not seen:
        raise ValueError(f"{data_path}: no subject has an observation (a row with EVID 0 and MDV 0)")
    silent = [s.id for s in subjects if not len(s.obs_row)]
    if silent:
        findings.append(
            Finding.create(
                "records.no_observation", str(data_path), f"subjects {', '.join(silent)} have no observation",
                "nothing is estimated for them", "check EVID and MDV of their rows", severity="warning",
            )
        )  # fmt: skip
    return Case(model, columns, table, tuple(seen), tuple(findings))


def read_model(path: str, rule: str) -> tuple[PopulationModel | None, Columns, list[Finding]]:
    """A model file and what the columns of its data mean; faults come back as findings of ``rule``."""
    try:
        model, data = read_population_model(path)
        return model, columns_of(data, path), []
    except (PopulationModelError, OSError, ValueError) as error:
        said = [line.removeprefix(f"{path}: ") for line in str(error).splitlines()]
        why, fix = "nothing can be predicted", "correct the model file"
        return None, Columns(), [Finding.create(rule, path, what, why, fix) for what in said]


def read_table(path: str, rule: str) -> tuple[pd.DataFrame | None, list[Finding]]:
    """A data file as text: an id stays as it was written, and each number is read by the rules for its column."""
    try:
        raw = io.BytesIO(read_bytes(path))
        return pd.read_csv(raw, dtype=str, keep_default_na=False, skip_blank_lines=False), []
    except (OSError, ValueError, pd.errors.ParserError) as error:
        what, why = f"cannot be read ({type(error).__name__})", "no doses and samples are known"
        return None, [Finding.create(rule, path, what, why, "give a comma-separated table with a header")]


def columns_of(data: Mapping[str, Any], where: str) -> Columns:
    """What the columns mean, from the section ``data`` of a model file; raises PopulationModelError on unknown keys."""
    known = Columns.__dataclass_fields__
    unknown = [k for k in data if k not in known]
    if unknown:
        raise PopulationModelError(f"{where}: section data has unknown keys {unknown}; known are {', '.join(known)}")
    return Columns(**data)
