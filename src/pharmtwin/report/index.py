"""The cohort's pages: the answer first, and a page for each stage of the work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pharmtwin.report.answer import accuracy_section, answer
from pharmtwin.report.blocks import FOOTER, Block, Cell, Page, Paragraph, Section, Table
from pharmtwin.report.body_charts import body_section
from pharmtwin.report.checks import checks_section
from pharmtwin.report.cohort import cohort_section
from pharmtwin.report.evaluation import evaluation_page
from pharmtwin.report.exposure import exposure_section
from pharmtwin.report.fit import fit_section
from pharmtwin.report.forest import beside_section
from pharmtwin.report.genome_cohort import genotype_section
from pharmtwin.report.input_charts import inputs_section
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.inside import inside_section
from pharmtwin.report.limits import findings_section, limits_section, methods_section
from pharmtwin.report.published import published_section
from pharmtwin.report.residuals import residual_section
from pharmtwin.report.sensitivity import sensitivity_section
from pharmtwin.report.verification import exact_section, ladder_section, sums_section, verdict_section
from pharmtwin.report.vpc import vpc_section

Part = Callable[[ReportInputs], Section]
#: page -> name, what it tells, its chapters
STAGES: dict[str, tuple[str, str, tuple[Part, ...]]] = {
    "inputs": ("Inputs", "doses, samples, covariates, and what the checks found", (inputs_section, findings_section)),
    "genome": ("Genome", "diplotypes, phenotypes, what was not seen, recommendations", (genotype_section,)),
    "body": ("Body", "organs beside the reference adult's; from activity score to clearance", (body_section,)),
    "simulation": ("Simulation", "exposure of every twin beside the typical patient's; organs, blood flow, mass "
                   "balance; solver checks", (beside_section, exposure_section, inside_section, checks_section)),
    "fit": ("Fit", "parameters, sampler diagnostics, every fitted twin", (fit_section,)),
    "accuracy": ("Accuracy", "figures with intervals, data set by data set; residuals; visual predictive checks",
                 (accuracy_section, residual_section, vpc_section)),
    "evaluation": ("Evaluation", "prediction and fit apart, groups of people, validation in four tiers", ()),
    "published": ("Published data", "published profiles of real people beside the model", (published_section,)),
    "sensitivity": ("Sensitivity", "which uncertain inputs matter, and what to measure next", (sensitivity_section,)),
    "verification": ("Verification", "error against tolerance, closed forms, sums of every body; passed and failed",
                     (verdict_section, ladder_section, exact_section, sums_section)),
}  # fmt: skip


def site_links() -> tuple[tuple[str, str], ...]:
    """(name, file) of every page of the cohort, the first is the cohort's own."""
    return (("Cohort", "index.html"), *((name, f"{key}.html") for key, (name, _, _) in STAGES.items()))


def _pages_section(inputs: ReportInputs) -> Section:
    """What stands on which page."""
    rows = [[Cell(name, f"{key}.html"), tells] for key, (name, tells, _) in STAGES.items()]
    blocks: list[Block] = [Table.create("Pages of this report", ["Page", "What it tells"], rows, text=(0, 1))]
    n = len(inputs.paged_twins)
    text = (
        f"{n} twins have a page of their own: see the list of twins below." if n else "No twin has a page of its own."
    )
    blocks.append(Paragraph(text, "small"))
    return Section("pages", "Stages", tuple(blocks))


def index_page(inputs: ReportInputs) -> Page:
    """The page of the study: answer, pages, cohort, limits, methods."""
    return Page(
        title=f"PharmTwin report: {inputs.study}",
        heading=inputs.study,
        subheading=f"Digital twins for {inputs.drug}",
        data_kind=inputs.data_kind,
        top=answer(inputs),
        sections=(
            _pages_section(inputs),
            cohort_section(inputs),
            beside_section(inputs),
            limits_section(inputs),
            methods_section(inputs),
        ),
        links=site_links(),
        here="index.html",
        footer=FOOTER,
    )


def stage_pages(inputs: ReportInputs) -> dict[str, Page]:
    """File name -> page of every stage; a stage that did not run says so on its page."""
    pages = {}
    for key, (name, tells, parts) in STAGES.items():
        if key == "evaluation":
            pages[f"{key}.html"] = replace(evaluation_page(inputs), links=site_links(), here=f"{key}.html")
            continue
        pages[f"{key}.html"] = Page(
            title=f"{name}: {inputs.study}",
            heading=name,
            subheading=f"{tells[:1].upper()}{tells[1:]}",
            data_kind=inputs.data_kind,
            top=(),
            sections=tuple(part(inputs) for part in parts),
            home="index.html",
            links=site_links(),
            here=f"{key}.html",
            footer=FOOTER,
        )
    return pages
