"""The report's inputs from a run's files: what the report job hands over, and what the dossier reads again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pharmtwin.body.checks import completed
from pharmtwin.body.physiology import body_of
from pharmtwin.genome.definitions import ANCESTRIES, GENES
from pharmtwin.genome.function.activity_by_ancestry import activity_by_ancestry
from pharmtwin.genome.outside.structure import prior_structural
from pharmtwin.genome.release import definition_version
from pharmtwin.intake.study import Study
from pharmtwin.report import ReportInputs
from pharmtwin.report.stage import gather


def report_inputs(files: Any, config: Mapping[str, Any], given: Study, folder: Path | None = None) -> ReportInputs:
    """All inputs of the report; ``files`` has the names of the report rule's inputs as attributes.

    folder : of the results; None: ``results/<study>`` of the working directory.
    """
    prior = {g: dict(zip(ANCESTRIES, p, strict=True)) for g in GENES if (p := prior_structural(g))}
    ill = given.twins[given.twins["conditions"].fillna("") != ""]
    return gather(
        files,
        config,
        given.twins,
        given.scenarios,
        given.events,
        definitions=definition_version(),
        structure_prior=prior,
        activity=activity_by_ancestry(config["genome"]["genes"], config["genome"]["activity_map"]),
        body_without=body_of(completed(ill).assign(conditions="")).table() if len(ill) else None,
        folder=folder,
    )
