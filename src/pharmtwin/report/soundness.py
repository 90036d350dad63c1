"""May the fit be called good? Asked of the fit's own limits, and said nowhere else."""

from __future__ import annotations

from pharmtwin.inference.criticism.limits import verdict
from pharmtwin.report.blocks import Alert
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.rows import records
from pharmtwin.report.words import plain

GOOD = "good"


def fit_verdict(inputs: ReportInputs) -> str:
    """``good``, what failed or was not looked at, or "" where no fit was made."""
    if inputs.fit_summary.empty and inputs.fit_diagnostics.empty:
        return ""
    return verdict(inputs.fit_diagnostics)


def fit_alert(inputs: ReportInputs) -> Alert | None:
    """What a reader must know of a fit that is not good; None where it is, or where there is none."""
    words = fit_verdict(inputs)
    if words in ("", GOOD):
        return None
    missed = inputs.fit_diagnostics[~inputs.fit_diagnostics["passed"]]
    said = [
        f"{r.check} = {plain(r.value)} (limit: {r.limit}" + (f"; worst: {r.worst})" if r.worst else ")")
        for r in records(missed)
    ]
    said += [part for part in words.split("; ") if part.startswith("not looked at")]
    return Alert(
        "bad", "The fit did not pass its diagnostics", f"{'; '.join(said)}. Read every fitted number with this in mind."
    )
