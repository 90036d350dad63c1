"""The report's inputs from a run's files: what the report job hands over, and what the dossier reads again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.body.checks import completed
from pharmtwin.body.physiology import body_of
from pharmtwin.genome.cohort_frequencies import cohort_frequencies
from pharmtwin.genome.definitions import ANCESTRIES, GENES
from pharmtwin.genome.function.activity_by_ancestry import activity_by_ancestry
from pharmtwin.genome.function.factors import activity_factors
from pharmtwin.genome.outside.structure import prior_structural
from pharmtwin.genome.release import definition_version
from pharmtwin.intake.study import Study
from pharmtwin.report import ReportInputs
from pharmtwin.report.stage import gather
from pharmtwin.tables import read_tables


def report_inputs(files: Any, config: Mapping[str, Any], given: Study, folder: Path | None = None) -> ReportInputs:
    """All inputs of the report; ``files`` has the names of the report rule's inputs as attributes.

    folder : of the results; None: ``results/<study>`` of the working directory.
    """
    prior = {g: dict(zip(ANCESTRIES, p, strict=True)) for g in GENES if (p := prior_structural(g))}
    genotype = read_tables("genotype", [Path(p) for p in files.genotype])
    sites = read_tables("twin_sites", [Path(p) for p in files.sites])
    ancestry = dict(zip(given.twins["twin_id"].astype(str), given.twins["ancestry"].fillna("").astype(str)))
    frequencies, genes = cohort_frequencies(genotype, sites, ancestry)
    ill = given.twins[given.twins["conditions"].fillna("") != ""]
    return gather(
        files,
        config,
        given.twins,
        given.scenarios,
        given.events,
        definitions=definition_version(),
        structure_prior=prior,
        activity_curve=_curve(config["genome"]["activity_map"]),
        activity=activity_by_ancestry(config["genome"]["genes"], config["genome"]["activity_map"]),
        allele_frequencies=frequencies,
        allele_genes=genes,
        body_without=body_of(completed(ill).assign(conditions="")).table() if len(ill) else None,
        folder=folder,
    )


def _curve(map_name: str) -> pd.DataFrame:
    """The study's map from CYP2D6's activity score to its clearance, at every quarter of a score."""
    scores = np.arange(0.0, 4.01, 0.25)
    factor, sd = activity_factors(scores, map_name)
    return pd.DataFrame({"activity_score": scores, "factor": factor, "sd": sd, "map_name": map_name})
