"""The dossier from a run and the author's statements: chapters in order, numbers set, the summary last of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pharmtwin.dossier import criteria as criteria_of
from pharmtwin.dossier.about import About
from pharmtwin.dossier.blocks import Chapter, Dossier
from pharmtwin.dossier.chapters import appendix, front, methods, results
from pharmtwin.dossier.datasets import DataSet
from pharmtwin.dossier.drawing import Picture
from pharmtwin.dossier.evidence import activities
from pharmtwin.dossier.layout import Layout, gather_numbers, lay_out
from pharmtwin.dossier.plan import Deviation
from pharmtwin.dossier.rerun import Rerun
from pharmtwin.dossier.run import Run
from pharmtwin.findings import Finding
from pharmtwin.report.blocks import Table

FOOTER = "For research use only; not a medical device. Texts with a bar at the side were written by the author."


@dataclass(frozen=True)
class PlanState:
    """The analysis plan beside the run: its file and hash (empty: none), whether the fit waited for it, deviations."""

    file: str = ""
    sha256: str = ""
    before_fit: bool = False
    deviations: tuple[Deviation, ...] = ()


@dataclass(frozen=True)
class Built:
    """The dossier, its flow, what the summary cites, and findings of the building."""

    dossier: Dossier
    layout: Layout
    cited: tuple[results.Cited, ...]
    findings: tuple[Finding, ...]


def build(
    run: Run,
    about: About,
    plan: PlanState,
    sets: Sequence[DataSet],
    folders: Sequence[tuple[str, str]],
    *,
    release: str = "",
    rerun: Rerun | None = None,
    pictures: dict[str, list[Picture]] | None = None,
) -> Built:
    """All chapters. Two passes: the summary, which comes first, cites the numbers of tables that come later.

    pictures : figures by id that are drawn already (of the same run); new ones are added.
    """
    pictures = {} if pictures is None else pictures
    done, findings = activities(run.inputs, about)
    held = criteria_of.outcomes(about.entries("criteria"), run.inputs.accuracy)
    findings = [*findings, *criteria_of.findings(held, about.file)]
    later, accuracy = results.result_chapters(run, about)
    figures = methods.figures_table(run)
    cited = tuple(results.principal(run.inputs, accuracy))
    body: list[Chapter] = [
        methods.introduction_chapter(about),
        methods.data_chapter(run, about, figures),
        methods.genotype_chapter(run),
        methods.model_chapter(run),
        methods.estimation_chapter(run, about),
        methods.verification_chapter(run, done),
        *later,
    ]
    body += [
        appendix.parameters_chapter(gather_numbers(body)),
        appendix.reproducibility_chapter(run, rerun),
        appendix.package_chapter(sets, folders),
        appendix.words_chapter(about, run),
    ]
    plan_blocks = front.plan_blocks(plan.file, plan.sha256, plan.before_fit, plan.deviations)

    def whole(before: Layout | None) -> tuple[list[Chapter], Layout]:
        def number_of(table: Table) -> int:
            return before.number_of(table) if before else 0

        table = front.criteria_table(held, accuracy, number_of)

        def any_number(t: Table) -> int:
            # the criteria table changes with the numbers in it: it is known by its caption
            return before.number_of_caption(t.caption) if before and t is table else number_of(t)

        chapters = [
            front.summary_chapter(about, run, cited, figures, table, any_number),
            front.assessment_chapter(about, table, done, plan_blocks, any_number),
            *body,
        ]
        return chapters, lay_out(chapters, pictures)

    _, first = whole(None)
    chapters, layout = whole(first)
    dossier = Dossier(front.cover(about, run, release), tuple(chapters), "" if release else "DRAFT", FOOTER)
    return Built(dossier, layout, cited, tuple(findings))
