"""The cohort's page: the answer first, then the chapters a pharmacologist reads from top to bottom."""

from __future__ import annotations

from pharmtwin.report.answer import accuracy_section, answer
from pharmtwin.report.blocks import Page
from pharmtwin.report.checks import checks_section
from pharmtwin.report.cohort import cohort_section
from pharmtwin.report.exposure import exposure_section
from pharmtwin.report.fit import fit_section
from pharmtwin.report.genome_cohort import genotype_section
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.limits import findings_section, limits_section, methods_section
from pharmtwin.report.published import published_section
from pharmtwin.report.sensitivity import sensitivity_section


def index_page(inputs: ReportInputs) -> Page:
    """The page of the study."""
    return Page(
        title=f"PharmTwin report: {inputs.study}",
        heading=inputs.study,
        subheading=f"Digital twins for {inputs.drug}",
        data_kind=inputs.data_kind,
        top=answer(inputs),
        sections=(
            cohort_section(inputs),
            genotype_section(inputs),
            exposure_section(inputs),
            fit_section(inputs),
            accuracy_section(inputs),
            published_section(inputs),
            sensitivity_section(inputs),
            limits_section(inputs),
            checks_section(inputs),
            findings_section(inputs),
            methods_section(inputs),
        ),
        footer="For research use only; not a medical device. Figures and tables come from the same files.",
    )
