"""Cover, chapter 1 (summary) and chapter 2 (ICH M15 assessment table, V&V 40 map, analysis plan)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from pharmtwin.dossier.about import About, about_schema
from pharmtwin.dossier.blocks import Block, Chapter, Cover, Heading, authored, authored_cell, blank_words
from pharmtwin.dossier.chapters.methods import activity_table
from pharmtwin.dossier.chapters.results import Accuracy, Cited, find
from pharmtwin.dossier.criteria import LEVELS, MET, NOT_AVAILABLE, Outcome, grid_risk
from pharmtwin.dossier.plan import Deviation
from pharmtwin.dossier.run import Run, digest_of
from pharmtwin.report.blocks import Alert, Cell, Paragraph, Table
from pharmtwin.report.words import NONE, metric, number, plural, short_model

TOOL, AUTHOR = "program", "author"
#: of a table that is not (yet) numbered: 0
NumberOf = Callable[[Table], int]
KINDS = {
    "synthetic": "SYNTHETIC DATA: genomes, covariates and concentrations are simulated, not measured in patients.",
    "mixed": "MIXED: real genomes; covariates and concentrations are simulated, not measured in patients.",
    "real": "REAL DATA: observed concentrations of pseudonymised persons; handle as health data.",
}


def criteria_table(held: Sequence[Outcome], accuracy: Accuracy, number_of: NumberOf) -> Table:
    """Each criterion with its figure, where that stands, and the outcome."""
    rows = []
    for o in held:
        c = o.criterion
        cited = accuracy.cell(str(c["data_set"]), str(c["model"]), str(c["metric"])) if o.row is not None else None
        if cited is not None:
            value, where = cited.value, f"Table {number_of(cited.table)}"
        elif o.row is not None:  # a figure that no table of the report shows
            value, where = number(o.row["value"]), "evaluate/accuracy.tsv"
        else:
            value, where = NONE, NONE
        badge = "good" if o.result == MET else "warn" if o.result == NOT_AVAILABLE else "bad"
        why = Cell(str(c["why"])) if c.get("why") else Cell(blank_words(f"criteria.{c['id']}.why"), badge="warn")
        outcome = Cell(o.result, badge=badge, sub=o.reason)
        rows.append([str(c["id"]), str(c["data_set"]), short_model(str(c["model"])), metric(str(c["metric"])), o.limit,
                     value, where, outcome, why])  # fmt: skip
    header = ["Id", "Data", "Model", "Figure", "Limit", "Value", "Where", "Outcome", "Reason for the limit"]
    return Table.create("Technical criteria and outcome", header, rows, text=(0, 1, 2, 3, 4, 6, 7, 8))


def summary_chapter(
    about: About,
    run: Run,
    cited: Sequence[Cited],
    figures: Table,
    criteria: Table,
    number_of: NumberOf,
) -> Chapter:
    """Question, approach, answer. Every number of the program is read from the cell that it cites."""
    sizes = [find(figures, row[0].text, row[0].text, "Value") for row in figures.rows]
    outcomes = [
        find(criteria, f"Criterion {row[0].text}: {row[3].text}, {row[2].text}, {row[4].text}", row[0].text, "Outcome")
        for row in criteria.rows
    ]
    shown = [c for c in (*cited, *outcomes, *sizes) if c is not None]
    rows = [[c.words, c.value, f"Table {number_of(c.table)}, {c.place}"] for c in shown]
    note = "The value is the text of the cell named in the last column."
    if criteria.rows:
        met = sum(row[7].text == MET for row in criteria.rows)
        said = f"{met} of {plural(len(criteria.rows), 'technical criterion', 'technical criteria')} met."
    else:
        said = "No technical criteria were set: the dossier says neither met nor not met."
    blocks: list[Block] = [
        Heading("Question"),
        authored(about, "question_of_interest"),
        Heading("Approach"),
        authored(about, "summary.approach"),
        Heading("Answer"),
        authored(about, "summary.answer"),
        Paragraph(said, "lead"),
        Table.create("Principal results", ["Result", "Value", "Read from"], rows, text=(0, 1, 2), note=note, limit=500),
    ]
    if run.inputs.data_kind != "real":
        blocks.insert(0, Alert("warn", "Not patients", KINDS[run.inputs.data_kind]))
    return Chapter("1", "Executive summary", tuple(blocks))


def risk_grid(influence: str, consequence: str) -> Table:
    """The grid of model risk with this model's place in it marked."""
    rows: list[list[object]] = []
    for level in reversed(LEVELS):
        cells: list[object] = [f"influence {level}"]
        for other in LEVELS:
            here = (level, other) == (influence, consequence)
            text = grid_risk(level, other)
            cells.append(Cell(f"► {text} ◄" if here else text, badge="note" if here else ""))
        rows.append(cells)
    note = (
        "Ranks of influence and consequence added: up to 3 low, 4 medium, from 5 high. A convention of this program; "
        "neither ICH M15 nor ASME V&V 40 gives a formula."
    )
    header = ["", *(f"consequence {level}" for level in LEVELS)]
    return Table.create("Grid of model risk", header, rows, text=range(4), note=note)


def assessment_table(about: About, criteria: Table, number_of: NumberOf) -> Table:
    """The assessment table of ICH M15: what the author states, what is computed, who said it."""

    def stated(key: str) -> list[Cell]:
        return [authored_cell(about, key), Cell(AUTHOR)]

    def level(block: str) -> list[Cell]:
        why = authored_cell(about, f"{block}.why")
        first = authored_cell(about, f"{block}.level")
        return [Cell(f"{first.text}. {why.text}", badge=first.badge or why.badge), Cell(AUTHOR)]

    computed = grid_risk(about.text("model_influence.level"), about.text("decision_consequence.level"))
    own = about.text("model_risk.level")
    if own:
        risk = [Cell(f"{own}. {about.text('model_risk.why') or blank_words('model_risk.why')} (grid: "
                     f"{computed or 'not known'})"), Cell(AUTHOR)]  # fmt: skip
    else:
        unknown = "not known: influence or consequence is blank"
        risk = [
            Cell(f"{computed} by the grid below" if computed else unknown, badge="" if computed else "warn"),
            Cell(TOOL),
        ]
    met = sum(row[7].text == MET for row in criteria.rows)
    place = f"Table {number_of(criteria)}"
    has = bool(criteria.rows)
    rows: list[list[object]] = [
        ["Question of interest", *stated("question_of_interest")],
        ["Context of use", *stated("context_of_use.statement")],
        ["Model influence", *level("model_influence")],
        ["Consequence of a wrong decision", *level("decision_consequence")],
        ["Model risk", *risk],
        ["Model impact", *stated("model_impact")],
        ["Appropriateness of the proposed analysis", *stated("appropriateness")],
        ["Technical criteria", place if has else Cell(blank_words("criteria"), badge="warn"), AUTHOR],
        ["Model evaluation: verification", "chapter 8", TOOL],
        ["Model evaluation: validation", "chapter 10", TOOL],
        [
            "Model evaluation: applicability",
            Cell("V&V 40 map below, last two factors; chapter 12"),
            f"{TOOL}, {AUTHOR}",
        ],
        ["Outcome", f"{met} of {len(criteria.rows)} criteria met ({place})" if has else "no criteria were set", TOOL],
    ]
    note = (
        "Elements as in ICH M15, appendix 1. What the author has not stated is a blank; the program fills nothing in."
    )
    return Table.create(
        "ICH M15 assessment table", ["Element", "Content", "Stated by"], rows, text=(0, 1, 2), note=note
    )


def credibility_table(about: About, activities: pd.DataFrame) -> Table:
    """The factors of ASME V&V 40: goal and assessment of the author, activities done and not done."""
    rows = []
    for factor in about_schema()["properties"]["credibility"]["properties"]:
        mine = activities[activities["factor"].replace({"discretization error": "discretisation error"}) == factor]
        done = [f"{a.replace('_', ' ')} ({w})" for a, w in
                mine.loc[mine["status"] == "done", ["activity", "where"]].itertuples(index=False)]  # fmt: skip
        missing = [a.replace("_", " ") for a in mine.loc[mine["status"] != "done", "activity"]]
        cells = []
        for part in ("goal", "assessment"):
            text = str(about.get("credibility", factor, part) or "").strip()
            cells.append(Cell(text) if text else Cell(blank_words(part), badge="warn"))
        rows.append([factor.capitalize(), cells[0], "; ".join(done) or "none", "; ".join(missing) or NONE, cells[1]])
    header = ["Credibility factor", "Goal (author)", "Done, and where", "Not done", "Assessment (author)"]
    note = (
        "Factors after ASME V&V 40-2018 (names: background knowledge, not checked against the standard). Which "
        "activity speaks for which factor: resources/validation_tiers.tsv; a factor without activity there shows none."
    )
    return Table.create("Map to the credibility factors of ASME V&V 40", header, rows, text=range(5), note=note)


def plan_blocks(plan_file: str, plan_hash: str, before_fit: bool, found: Sequence[Deviation]) -> list[Block]:
    """Hash of the analysis plan, whether the fit has waited for it, and the deviations."""
    if not plan_hash:
        text = "None was frozen before the fit: deviations cannot be listed, and criteria may be later than results."
        return [Alert("warn", "No analysis plan", text)]
    said = (
        "It was an input of the fit: the manifest records this hash."
        if before_fit
        else "The manifest does not list it among the inputs: that it is older than the results is not shown."
    )
    blocks: list[Block] = [Paragraph(f"Analysis plan {plan_file}, sha256 {plan_hash}. {said}")]
    if not found:
        return [*blocks, Paragraph("The run and the statements do not deviate from the plan.")]
    rows = [
        [
            d.key,
            d.planned,
            d.done,
            Cell(d.reason) if d.reason else Cell(blank_words(f"deviations.{d.key}"), badge="warn"),
        ]
        for d in found
    ]
    header = ["Item", "Planned", "Done", "Reason (author)"]
    return [*blocks, Table.create("Deviations from the analysis plan", header, rows, text=range(4), limit=500)]


def assessment_chapter(
    about: About, criteria: Table, activities: pd.DataFrame, plan: Sequence[Block], number_of: NumberOf
) -> Chapter:
    """ICH M15, criteria, plan and deviations, V&V 40."""
    grid = risk_grid(about.text("model_influence.level"), about.text("decision_consequence.level"))
    blocks: list[Block] = [assessment_table(about, criteria, number_of), grid]
    shown: Block = criteria if criteria.rows else authored(about, "criteria")
    blocks += [Heading("Technical criteria"), shown, Heading("Analysis plan"), *plan]
    rest = activities[activities["tier"] != "verification"]
    blocks += [
        Heading("Credibility"),
        credibility_table(about, activities),
        activity_table(rest, "Validation in tiers: estimation, prediction, clinical utility"),
    ]
    return Chapter("2", "Assessment of the evidence", tuple(blocks))


def cover(about: About, run: Run, release: str) -> Cover:
    """The first page."""
    from pharmtwin import __version__

    finished = str(run.record.get("finished", "")) or "not recorded"
    released = f"by {release}" if release else "no: DRAFT"
    lines = [
        ("Study", run.inputs.study),
        ("Drug", run.inputs.drug),
        ("Data", run.inputs.data_kind),
        ("Sponsor", about.text("sponsor") or blank_words("sponsor")),
        ("Authors", ", ".join(about.entries("authors")) or blank_words("authors")),
        ("Run", run.run_id),
        ("Run finished", finished),
        ("Manifest (sha256)", run.manifest_sha256),
        ("Code (sha256 over its files)", digest_of(run.manifest["code"])),
        ("Facts (sha256 over their files)", digest_of(run.manifest["facts"])),
        ("Program", f"PharmTwin {run.manifest['software']['pharmtwin']} (dossier: {__version__})"),
        ("Released", released),
    ]
    if not run.code_as_now:
        lines.append(("Note", "The dossier was written by another version of code or facts than the run."))
    return Cover(authored(about, "title"), authored(about, "context_of_use.one_line"), tuple(lines),
                 KINDS[run.inputs.data_kind])  # fmt: skip
