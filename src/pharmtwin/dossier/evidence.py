"""What a run's own tables say about the activities of validation, beside what the author states."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from pharmtwin.dossier.about import About
from pharmtwin.evaluation.tiers import Evidence, NotDone, validation_table
from pharmtwin.findings import Finding
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.words import count, number, plural


def computed(inputs: ReportInputs) -> Iterator[Evidence]:
    """Evidence in the tables; a stage that did not run gives none."""
    checks = inputs.solver_check
    twice = checks[checks["max_relative_difference"].notna()]
    if len(twice):
        worst = number(twice["max_relative_difference"].max())
        result = f"{plural(len(twice), 'run')} solved by a second engine, largest relative difference {worst}"
        failed = int((~checks["passed"]).sum())
        yield Evidence("solver_error", f"{result}; {count(failed)} not passed", "solver_check.tsv")
    diagnostics = inputs.fit_diagnostics
    if len(diagnostics):
        result = f"{int(diagnostics['passed'].sum())} of {len(diagnostics)} diagnostics passed"
        yield Evidence("sampler", result, "fit/diagnostics.tsv")
    if len(inputs.fit_summary):
        result = f"prior beside posterior of {plural(len(inputs.fit_summary), 'parameter')}"
        yield Evidence("prior_influence", result, "fit/summary.tsv")
    if len(inputs.sobol):
        yield Evidence("sensitivity", "Morris screening, Sobol indices with intervals", "sensitivity/sobol.tsv")
    predictions, accuracy = inputs.predictions, inputs.accuracy
    seen = int((predictions["use"] == "fit").sum()) if len(predictions) else 0
    if seen:
        yield Evidence("predictive_check", f"{count(seen)} predictions of fitted samples", "pbpk/*/predictions.parquet")
    yield from _accuracy(accuracy)


def _accuracy(accuracy: pd.DataFrame) -> Iterator[Evidence]:
    where = "evaluate/accuracy.tsv"
    gmfe = accuracy[accuracy["metric"] == "GMFE"]
    study = gmfe["model"].isin(["population", "covariates", "twin"])
    aside = gmfe[study & ~gmfe["seen_by_fit"]]
    if len(aside):
        n = int(aside["n"].max())
        kind = " and ".join(sorted(set(aside["data_kind"])))
        yield Evidence("held_out", f"{plural(n, 'observation')} kept aside ({kind} data)", where)
        yield Evidence("beside_simpler_models", "paired ratios of GMFE with intervals", where)
    outside = gmfe[~study & ~gmfe["seen_by_fit"]]
    if len(outside):
        sets = outside["data_set"].nunique()
        yield Evidence("external", f"{plural(sets, 'data set')} of published profiles not used for building", where)
    coverage = accuracy[(accuracy["metric"] == "coverage_90") & ~accuracy["seen_by_fit"]]
    if len(coverage):
        yield Evidence("interval_coverage", "coverage of 90 % intervals with Wilson intervals", where)


def activities(inputs: ReportInputs, about: About) -> tuple[pd.DataFrame, list[Finding]]:
    """All activities of validation: done with evidence, or not done with the reason (``evaluation.tiers``).

    An activity that the author calls not done and of which the run has evidence counts as done; a warning says so.
    """
    stated = [Evidence(e["activity"], f"{e['result']} (author)", e["where"]) for e in about.entries("evidence")]
    found = [*computed(inputs), *stated]
    done = {e.activity for e in found}
    refused = [NotDone(e["activity"], f"{e['why']} (author)") for e in about.entries("not_done")]
    what, why = "is stated as not done, but the run has evidence of it", "the dossier shows the evidence"
    findings = [
        Finding.create("dossier.activity", about.file, what, why, "delete the statement", column="not_done",
                       value=r.activity, severity="warning")
        for r in refused
        if r.activity in done
    ]  # fmt: skip
    return validation_table([*found, *(r for r in refused if r.activity not in done)]), findings
