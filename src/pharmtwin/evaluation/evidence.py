"""What a run's own tables say about the activities of validation; a stage that did not run gives no evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pharmtwin.evaluation.accuracy import STUDY_MODELS
from pharmtwin.evaluation.tiers import DONE, Evidence, validation_table
from pharmtwin.tables import conform


@dataclass(frozen=True)
class Stages:
    """Tables by their schema of the stages that speak for themselves; empty: the stage did not run."""

    solver_check: pd.DataFrame = field(default_factory=pd.DataFrame)
    fit_diagnostics: pd.DataFrame = field(default_factory=pd.DataFrame)
    fit_summary: pd.DataFrame = field(default_factory=pd.DataFrame)
    sobol: pd.DataFrame = field(default_factory=pd.DataFrame)
    predictions: pd.DataFrame = field(default_factory=pd.DataFrame)
    accuracy: pd.DataFrame = field(default_factory=pd.DataFrame)
    groups: pd.DataFrame = field(default_factory=pd.DataFrame)
    verification: pd.DataFrame = field(default_factory=pd.DataFrame)


def _plural(n: int, word: str) -> str:
    return f"{n} {word}{'' if n == 1 else 's'}"


def computed(stages: Stages) -> Iterator[Evidence]:
    """Evidence of every activity that the tables speak for."""
    checks = stages.solver_check
    if len(checks) and len(twice := checks[checks["max_relative_difference"].notna()]):
        worst = f"{float(twice['max_relative_difference'].max()):.2g}"
        said = f"{_plural(len(twice), 'run')} solved by a second engine, largest relative difference {worst}"
        yield Evidence("solver_error", f"{said}; {int((~checks['passed']).sum())} not passed", "solver_check.tsv")
    if len(stages.verification):
        yield from _verified(stages.verification)
    diagnostics = stages.fit_diagnostics
    if len(diagnostics):
        said = f"{int(diagnostics['passed'].sum())} of {len(diagnostics)} diagnostics passed"
        missed = diagnostics.loc[~diagnostics["passed"].astype(bool), "check"].astype(str)
        said += f"; NOT passed: {', '.join(missed)}" if len(missed) else ""
        yield Evidence("sampler", said, "fit/diagnostics.tsv")
    if len(stages.fit_summary):
        said = f"prior beside posterior of {_plural(len(stages.fit_summary), 'parameter')}"
        yield Evidence("prior_influence", said, "fit/summary.tsv")
    if len(stages.sobol):
        yield Evidence("sensitivity", "Morris screening, Sobol indices with intervals", "sensitivity/sobol.tsv")
    seen = int((stages.predictions["use"] == "fit").sum()) if len(stages.predictions) else 0
    if seen:
        said = f"{_plural(seen, 'prediction')} of fitted samples, all models"
        yield Evidence("predictive_check", said, "evaluate/evaluation_metrics.tsv")
    if len(stages.accuracy):
        yield from _accuracy(stages.accuracy)
    if len(stages.groups):
        yield from _groups(stages.groups)


#: activity -> kinds of table ``verification`` that speak for it, what they are, and how their worst value reads
VERIFIED = {
    "solver_error": (
        ("tolerance_curve", "tolerance_AUCtau", "tolerance_Cmax", "tolerance_order", "reference_agreement"),
        "errors against tolerance", "tolerance_curve", "largest error of a curve at the study's tolerance",
    ),
    "mass_balance": (
        ("mass_balance", "body_sums"),
        "balances of mass, flow and weight", "mass_balance", "largest imbalance of drug relative to what was given",
    ),
    "closed_forms": (
        ("closed_form", "matrix_exponential"), "closed forms", "closed_form", "largest relative difference",
    ),
}  # fmt: skip


def _verified(table: pd.DataFrame) -> Iterator[Evidence]:
    """What the study verified itself; checks that failed are named."""
    for activity, (kinds, what, worst_of, reads) in VERIFIED.items():
        mine = table[table["kind"].isin(kinds)]
        if mine.empty:
            continue
        worst = mine.loc[mine["kind"] == worst_of, "value"]
        said = f"{int(mine['passed'].sum())} of {len(mine)} checks of {what} passed"
        if worst.notna().any():
            said += f"; {reads} {float(worst.max()):.2g}"
        missed = mine[~mine["passed"].astype(bool)]
        names = [f"{r['kind']} of {r['subject']}".replace("_", " ") for _, r in missed.iterrows()]
        said += f"; NOT passed: {', '.join(names)}" if names else ""
        yield Evidence(activity, said, "verification/verification.tsv")


def _figure(row: pd.Series) -> str:
    interval = f" ({row['lo95']:.2f} to {row['hi95']:.2f})" if np.isfinite(row["lo95"]) else " (no interval)"
    return f"{row['model']} {row['value']:.2f}{interval}"


def _accuracy(accuracy: pd.DataFrame) -> Iterator[Evidence]:
    where = "evaluate/accuracy.tsv"
    gmfe = accuracy[accuracy["metric"] == "GMFE"]
    study = gmfe["model"].isin(STUDY_MODELS)
    aside = gmfe[study & ~gmfe["seen_by_fit"]]
    if len(aside):
        kind = " and ".join(sorted(set(aside["data_kind"])))
        figures = "; ".join(_figure(r) for _, r in aside.iterrows())
        said = f"{_plural(int(aside['n'].max()), 'observation')} kept aside ({kind} data); GMFE: {figures}"
        yield Evidence("held_out", said, where)
        ratio = accuracy[(accuracy["metric"] == "GMFE_ratio_to_population") & ~accuracy["seen_by_fit"]]
        if len(ratio):
            said = "GMFE divided by that of the population model on the same observations: "
            yield Evidence("beside_simpler_models", said + "; ".join(_figure(r) for _, r in ratio.iterrows()), where)
    outside = gmfe[~study & ~gmfe["seen_by_fit"]]
    if len(outside):
        said = f"{_plural(outside['data_set'].nunique(), 'data set')} of published profiles not used for building"
        yield Evidence("external", said, where)
    unseen = accuracy[~accuracy["seen_by_fit"] & accuracy["model"].isin(STUDY_MODELS)]
    coverage = unseen[unseen["metric"] == "coverage_90"]
    if len(coverage):
        said = "share of observations kept aside inside their 90 % interval: "
        yield Evidence("interval_coverage", said + "; ".join(_figure(r) for _, r in coverage.iterrows()), where)


def _groups(groups: pd.DataFrame) -> Iterator[Evidence]:
    """Groups of unseen data: how many, how many small, how many gaps that leave out no difference."""
    mine = groups[~groups["seen_by_fit"]]
    if mine.empty:
        return
    each = mine.drop_duplicates(["axis", "group"])
    flags = mine["flag"].fillna("")
    small = each["flag"].fillna("").str.contains("small group").sum()
    gaps = mine[mine["gap_lo95"].notna()]
    differs = int(flags.str.contains("differs").sum())
    axes = ", ".join(sorted(set(each["axis"].astype(str))))
    said = f"{_plural(len(each), 'group')} by {axes} ({int(small)} flagged as small); {differs} of "
    said += f"{_plural(len(gaps), 'gap')} with an interval leave out no difference"
    yield Evidence("subgroups", said, "evaluate/evaluation_groups.tsv")


def validation(stages: Stages) -> pd.DataFrame:
    """Table ``validation``: all activities, done with what the tables show, or not done with the reason."""
    return conform("validation", validation_table(computed(stages)))


def stated(table: pd.DataFrame) -> list[Evidence]:
    """The evidence in a table ``validation``, to be joined with what an author states."""
    done = table[table["status"] == DONE]
    return [Evidence(str(r["activity"]), str(r["result"]), str(r["where"])) for _, r in done.iterrows()]
