"""What a user gives for a population fit: model, rows, and all that is wrong with both."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pandas as pd

from pharmtwin.findings import Finding, has_errors
from pharmtwin.inference.models.description import PopulationModel, PopulationModelError
from pharmtwin.inference.population_fit.build import PopulationFit, build
from pharmtwin.inference.problem.case import read_model, read_table
from pharmtwin.inference.problem.records import Columns, DataError, Subject, read_subjects


@dataclass
class Given:
    """What was read so far, and what is wrong with it."""

    findings: list[Finding]
    model: PopulationModel | None = None
    columns: Columns = field(default_factory=Columns)
    subjects: tuple[Subject, ...] = ()
    fit: PopulationFit | None = None

    def say(self, rule: str, file: str, what: str, why: str, fix: str, severity: str = "error") -> None:
        """One finding more."""
        self.findings.append(Finding.create(f"population.{rule}", file, what, why, fix, severity=severity))


def read(model_path: str, data_path: str, blq: str, lkj: float | None, rtol: float) -> Given:
    """Model, rows and the fit that they make; faults of one file do not hide those of the other."""
    given = Given([])
    given.model, given.columns, found = read_model(model_path, "population.model")
    given.findings += found
    if blq:
        given.columns = replace(given.columns, blq=blq)
    table, found = read_table(data_path, "population.data")
    given.findings += found
    if table is None or given.model is None:
        return given
    _read_rows(given, table, data_path)
    if given.subjects:
        _build(given, model_path, lkj, rtol)
    return given


def _read_rows(given: Given, table: pd.DataFrame, path: str) -> None:
    assert given.model is not None
    try:
        subjects, found = read_subjects(given.model, table, given.columns, path)
    except DataError as error:
        given.findings += error.findings
        return
    given.findings += found
    given.subjects = tuple(s for s in subjects if len(s.obs_row))
    silent = [s.id for s in subjects if not len(s.obs_row)]
    if not given.subjects:
        given.say("no_observation", path, "no subject has an observation", "there is nothing to fit",
                  "check EVID, MDV and the limit of quantification")  # fmt: skip
    elif silent:
        given.say("no_observation", path, f"subject(s) {', '.join(silent)} have no observation",
                  "they are not in the fit", "check EVID and MDV of their rows", "warning")  # fmt: skip


def _build(given: Given, path: str, lkj: float | None, rtol: float) -> None:
    """The fit; what the model lacks for one becomes findings, those of the data do not hide them."""
    assert given.model is not None
    try:
        given.fit = build(given.model, given.subjects, lkj=lkj, covariate_at=given.columns.covariate_at, rtol=rtol)
    except PopulationModelError as error:
        for line in str(error).splitlines():
            given.say("model", path, line.removeprefix(f"{given.model.name}: "), "there is no posterior without it",
                      "write `prior: {lognormal: [median, sd of the logarithm]}` or `fixed: true`, or correct the "
                      "value")  # fmt: skip
    except ValueError as error:
        given.say("model", path, str(error), "the fit cannot be built", "see what it says")


def free_of_errors(given: Given) -> bool:
    """Whether there is a fit to go on with."""
    return given.fit is not None and not has_errors(given.findings)
