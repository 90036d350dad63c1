"""What a user gives about one person: model, rows, hypotheses, when the new regimen starts; and all that is wrong."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.findings import Finding
from pharmtwin.inference.dose import files
from pharmtwin.inference.dose.person import covariates_before, planned
from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.problem.case import read_model, read_table
from pharmtwin.inference.problem.problem import ALONE, Component
from pharmtwin.inference.problem.records import Columns, DataError, Subject, read_subjects
from pharmtwin.inference.twin.population import PopulationDraws, person_prior
from pharmtwin.inference.twin.population_file import read_population
from pharmtwin.inference.twin.prior import TwinPrior
from pharmtwin.inference.twin.settings import settings


@dataclass
class Given:
    """What was read so far, and what is wrong with it."""

    findings: list[Finding]
    model: PopulationModel | None = None
    columns: Columns = field(default_factory=Columns)
    subject: Subject | None = None
    components: tuple[Component, ...] = ALONE
    population: PopulationDraws | None = None

    def prior(self) -> tuple[PopulationModel, TwinPrior | None]:
        """The model of the person, and the prior of a population posterior where one was given."""
        assert self.model is not None and self.subject is not None
        if self.population is None:
            return self.model, None
        n = self.subject.n_occasions if self.model.of_occasion and len(self.subject.obs_row) else 1
        return person_prior(self.model, self.population, n)

    def say(self, rule: str, file: str, what: str, why: str, fix: str, severity: str = "error", **place: Any) -> None:
        """One finding more."""
        self.findings.append(Finding.create(f"dose.{rule}", file, what, why, fix, severity=severity, **place))


def read(arguments: argparse.Namespace) -> Given:
    """Model, the person's rows and hypotheses; faults of one file do not hide those of another."""
    given = Given([])
    given.model, given.columns, found = read_model(arguments.model, "dose.model")
    given.findings += found
    if arguments.population and given.model is not None:
        most = int(settings()["population_draws"])
        given.population, found = read_population(arguments.population, given.model, most)
        given.findings += found
    if arguments.components:
        given.components, found = files.read_components(arguments.components, given.model)
        given.findings += found
    _read_data(given, arguments.data, arguments.id)
    return given


def _read_data(given: Given, path: str, wanted: str) -> None:
    """The table, and of it the rows of the person asked for."""
    table, found = read_table(path, "dose.data")
    if table is None:
        given.findings += found
        return None
    names = {str(c).upper(): c for c in table.columns}
    if "ID" not in names:
        return given.say("data", path, "is missing", "rows belong to nobody", "add the column", column="ID")
    mine = np.flatnonzero(table[names["ID"]].str.strip() == wanted)
    if not len(mine):
        return given.say("id", path, "no row is of the person asked for", "there is nobody to fit", "check --id and ID")
    if given.model is not None:
        _read_rows(given, table.iloc[mine], mine + 2, path)
    return None


def _read_rows(given: Given, table: pd.DataFrame, lines: np.ndarray, path: str) -> None:
    """The person's rows; ``lines``: their places in the file, which findings name."""
    assert given.model is not None
    placed = lambda found: [replace(f, row=int(lines[f.row - 2]) if f.row else 0) for f in found]  # noqa: E731
    try:
        subjects, found = read_subjects(given.model, table, given.columns, path)
    except DataError as error:
        given.findings += placed(error.findings)
        return
    given.findings += placed(found)
    given.subject = replace(subjects[0], file_row=lines[subjects[0].file_row - 2])


def start(given: Given, arguments: argparse.Namespace) -> float:
    """When the first new dose is given (h); faults and planned doses become findings."""
    subject, path = given.subject, arguments.data
    if subject is None:
        return 0.0
    last = float(subject.times[-1])
    now = last if arguments.now is None else float(arguments.now)
    seen = float(subject.times[subject.obs_row].max()) if len(subject.obs_row) else -math.inf
    left = planned(subject, now)
    if not math.isfinite(now) or now < seen:
        what, why = f"--now lies before the last sample ({seen:g} h)", "the fit knows of later samples"
        given.say("now", path, what, why, "give the time of the next dose", value=f"{now:g}")
    if left and arguments.now is None:
        what = f"the last row is a dose ({last:g} h), or doses go on after it"
        why = "the new regimen would begin together with a dose"
        given.say("now", path, what, why, "say with --now when its first dose is due")
    elif left:
        what = f"{len(left)} dose(s) from {left[0]:g} h on count as planned, not as given"
        fix = "nothing, or write --now after the last dose given"
        given.say("planned", path, what, "the new regimen begins then", fix, "note")
    return now


def covariates_from_now(given: Given, arguments: argparse.Namespace, now: float) -> np.ndarray | None:
    """Covariates from ``now`` (h) on, where they are not those of the last row before."""
    if given.model is None:
        return None
    names, changed = given.model.covariates, {}
    for text in arguments.set:
        name, _, number = text.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if name in names and math.isfinite(value):
            changed[name] = value
            continue
        fix = f"write NAME=NUMBER with one of {', '.join(names) or 'no covariates'}"
        what = f"--set {text} is not understood"
        given.say("set", arguments.model, what, "the forecast would be another person's", fix)
    if not changed or given.subject is None:
        return None
    before = covariates_before(given.subject, now)
    return np.array([changed.get(n, old) for n, old in zip(names, before, strict=True)])
