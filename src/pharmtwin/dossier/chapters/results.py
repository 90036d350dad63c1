"""Chapters 9 to 12: sensitivity, evaluation, application, discussion; and the figures that the summary cites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from pharmtwin.dossier.about import About
from pharmtwin.dossier.blocks import Block, Chapter, Heading, authored
from pharmtwin.dossier.run import Run
from pharmtwin.report.answer import (
    MODEL_ORDER,
    accuracy_section,
    accuracy_table,
    data_sets,
    paired_table,
)
from pharmtwin.report.attributions import cohort_section
from pharmtwin.report.blocks import Alert, Bullets, Paragraph, Section, Table
from pharmtwin.report.evaluation import fit_section, groups_section, prediction_section
from pharmtwin.report.exposure import exposure_section
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.limits import limits
from pharmtwin.report.published import published_section
from pharmtwin.report.rows import records
from pharmtwin.report.sensitivity import sensitivity_section
from pharmtwin.report.words import metric, model, short_model

SUMMARY_METRICS = ("GMFE", "within_2", "coverage_90")
STUDY_MODELS = MODEL_ORDER[:3]


@dataclass(frozen=True)
class Cited:
    """A result of the summary: words, and the cell of the table that it is read from."""

    words: str
    table: Table
    row: int
    column: int

    @property
    def value(self) -> str:
        """The cell's own text, its interval behind it: the summary can say nothing else than the table."""
        cell = self.table.rows[self.row][self.column]
        return f"{cell.text} ({cell.sub})" if cell.sub else cell.text

    @property
    def place(self) -> str:
        """Row and column by their names."""
        names = [self.table.rows[self.row][i].text for i in sorted(self.table.text) if i < self.column]
        return f"row {', '.join(names)}; column {self.table.header[self.column]}"


def find(table: Table, words: str, first: str, column: str, second: str = "") -> Cited | None:
    """The cell in the row whose first cell (and, if given, third) says so; None if there is no such row or column."""
    if column not in table.header:
        return None
    for i, row in enumerate(table.rows):
        if row[0].text == first and (not second or row[2].text == second):
            return Cited(words, table, i, table.header.index(column))
    return None


@dataclass(frozen=True)
class Accuracy:
    """The accuracy tables as the dossier shows them, by data set, and the paired comparison."""

    by_set: dict[str, Table]
    paired: Table | None

    @classmethod
    def of(cls, inputs: ReportInputs, section: Section) -> Accuracy:
        """Pick the tables out of the report's section, so that text and citation are one object."""
        shown = {b.caption: b for b in section.blocks if isinstance(b, Table)}
        accuracy = inputs.accuracy
        by_set = {}
        for name in data_sets(accuracy) if len(accuracy) else []:
            built = accuracy_table(accuracy[accuracy["data_set"] == name], name)
            if (table := shown.get(built.caption)) is not None:
                by_set[name] = table
        paired = shown.get(paired_table(accuracy).caption) if len(accuracy) else None
        return cls(by_set, paired)

    def cell(self, name: str, which: str, metric_name: str) -> Cited | None:
        """The figure of a data set, model and metric, or of one model beside another (``GMFE_ratio_to_...``)."""
        words = f"{metric(metric_name)}, {short_model(which)}: {name}"
        if metric_name.startswith("GMFE_ratio_to_") and self.paired is not None:
            for i, row in enumerate(self.paired.rows):
                beside = model(metric_name.removeprefix("GMFE_ratio_to_"))
                if (row[0].text, row[1].text, row[2].text) == (name, model(which), beside):
                    words = f"Ratio of GMFE, {short_model(which)} to {beside.split(' (')[0]}: {name}"
                    return Cited(words, self.paired, i, self.paired.header.index("Ratio of GMFE"))
        table = self.by_set.get(name)
        return find(table, words, short_model(which), metric(metric_name)) if table is not None else None


def principal(inputs: ReportInputs, accuracy: Accuracy) -> Iterator[Cited]:
    """What the summary shows of the accuracy: unseen data first, all models side by side, then the twin's gain."""
    for name, table in accuracy.by_set.items():
        part = inputs.accuracy[inputs.accuracy["data_set"] == name]
        if bool(part["seen_by_fit"].iloc[0]):
            continue
        models = [m for m in MODEL_ORDER if (part["model"] == m).any()]
        for which in models:
            for one in SUMMARY_METRICS if which in STUDY_MODELS else SUMMARY_METRICS[:2]:
                if metric(one) in table.header and (cited := accuracy.cell(name, which, one)):
                    yield cited
        ratios = part[part["metric"].str.startswith("GMFE_ratio_to_") & part["model"].isin(STUDY_MODELS)]
        for row in records(ratios):
            if (cited := accuracy.cell(name, str(row.model), str(row.metric))) is not None:
                yield cited


def sensitivity_chapter(run: Run) -> Chapter:
    """Morris, then Sobol."""
    return Chapter("9", "Sensitivity analysis", sensitivity_section(run.inputs).blocks)


def gain_alerts(accuracy: pd.DataFrame) -> list[Alert]:
    """Says so where, on unseen data, the twin is not separated from the population model, or is worse."""
    out = []
    rows = accuracy[(accuracy["metric"] == "GMFE_ratio_to_population") & ~accuracy["seen_by_fit"]]
    for row in records(rows):
        if not row.hi95 < 1:
            word = "further off than" if row.lo95 > 1 else "not separated from"
            text = f"{row.data_set}: the {short_model(str(row.model)).lower()} model is {word} the population model."
            out.append(Alert("warn", "No gain shown", text))
    return out


def evaluation_chapter(run: Run, section: Section) -> Chapter:
    """Accuracy of the models side by side, all figures of prediction and of fit apart, groups, published profiles."""
    blocks: list[Block] = [*gain_alerts(run.inputs.accuracy), Heading("Accuracy, models side by side"), *section.blocks]
    parts = (
        ("Prediction: all figures", prediction_section),
        ("Groups of people", groups_section),
        ("Goodness of fit: all figures", fit_section),
    )
    for title, part in parts:
        blocks += [Heading(title), *part(run.inputs).blocks]
    blocks += [Heading("Published profiles"), *published_section(run.inputs).blocks]
    return Chapter("10", "Evaluation", tuple(blocks))


def application_chapter(run: Run, about: About) -> Chapter:
    """Exposure in the simulated scenarios, and what makes it differ between people."""
    causes = cohort_section(run.inputs)
    blocks = (authored(about, "application"), *exposure_section(run.inputs).blocks, Heading(causes.title))
    return Chapter("11", "Application", (*blocks, *causes.blocks))


def discussion_chapter(run: Run, about: About) -> Chapter:
    """The author's discussion, and the limits that the data tell by themselves."""
    parts = (
        ("Assumptions", "assumptions"),
        ("Identifiability", "identifiability"),
        ("Ancestry", "ancestry"),
        ("Limits", "limits"),
        ("Conclusion", "conclusion"),
    )
    blocks: list[Block] = []
    for title, key in parts:
        blocks += [Heading(title), authored(about, f"discussion.{key}")]
        if key == "limits":
            blocks += [Paragraph("What the run's own data say:", "small"), Bullets(tuple(limits(run.inputs)))]
    return Chapter("12", "Discussion", tuple(blocks))


def result_chapters(run: Run, about: About) -> tuple[Sequence[Chapter], Accuracy]:
    """Chapters 9 to 12, and the accuracy tables in them."""
    section = accuracy_section(run.inputs)
    chapters = (
        sensitivity_chapter(run),
        evaluation_chapter(run, section),
        application_chapter(run, about),
        discussion_chapter(run, about),
    )
    return chapters, Accuracy.of(run.inputs, section)
