"""Report: one offline page for the cohort and one for each fitted twin, from the tables of the other stages."""

from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.render import build_report

__all__ = ["ReportInputs", "build_report"]
