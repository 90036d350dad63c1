"""The activities of validation: what the run's own tables show, beside what the author states."""

from __future__ import annotations

import pandas as pd

from pharmtwin.dossier.about import About
from pharmtwin.evaluation.evidence import stated
from pharmtwin.evaluation.tiers import Evidence, NotDone, validation_table
from pharmtwin.findings import Finding
from pharmtwin.report.inputs import ReportInputs


def activities(inputs: ReportInputs, about: About) -> tuple[pd.DataFrame, list[Finding]]:
    """All activities of validation: done with evidence, or not done with the reason (``evaluation.tiers``).

    An activity that the author calls not done and of which the run has evidence counts as done; a warning says so.
    """
    own = [Evidence(e["activity"], f"{e['result']} (author)", e["where"]) for e in about.entries("evidence")]
    found = [*stated(inputs.validation), *own]
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
