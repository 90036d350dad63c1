"""Chapters 3 to 8: introduction, data, genotype, PBPK model, estimation, verification."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pharmtwin.core.drug import load_drug
from pharmtwin.core.whole_body import INDIVIDUAL, whole_body
from pharmtwin.dossier.about import About
from pharmtwin.dossier.blocks import Block, Chapter, Heading, authored
from pharmtwin.dossier.run import Run
from pharmtwin.facts import fact_table
from pharmtwin.model.description import Flux, Model
from pharmtwin.report.answer import key_figures
from pharmtwin.report.blocks import Bullets, Cell, Paragraph, Table
from pharmtwin.report.checks import checks_section
from pharmtwin.report.cohort import cohort_section
from pharmtwin.report.fit import fit_section
from pharmtwin.report.genome_cohort import genotype_section
from pharmtwin.report.limits import findings_section, flat, methods_section
from pharmtwin.report.verification import exact_section, ladder_section, sums_section, verdict_section
from pharmtwin.report.words import NONE, count, plain

#: what the run verified itself
VERIFIED = (verdict_section, ladder_section, exact_section, sums_section)
LONG = 1000  # rows of a table of facts that are printed


def figures_table(run: Run) -> Table:
    """Sizes of the study, one a row: what the summary cites."""
    rows = [[tile.label, tile.value] for tile in key_figures(run.inputs).items]
    return Table.create("Key figures of the study", ["Figure", "Value"], rows)


def introduction_chapter(about: About) -> Chapter:
    """All of it is the author's."""
    parts = ("drug", "pharmacokinetics", "pharmacogenetics", "intended_use")
    blocks: list[Block] = []
    for part in parts:
        blocks += [Heading(part.replace("_", " ").capitalize()), authored(about, f"introduction.{part}")]
    return Chapter("3", "Introduction", tuple(blocks))


def records_table(events: pd.DataFrame) -> Table:
    """Doses and observations, by use."""
    doses, seen = events[events["evid"] == 1], events[events["evid"] == 0]
    rows = [["doses", count(len(doses)), count(doses["twin_id"].nunique()), "simulated with the twin's own regimen"]]
    words = {"fit": "observations the fit has seen", "test": "observations kept aside"}
    for use, part in seen.groupby("use", sort=True):
        rows.append([words.get(str(use), str(use)), count(len(part)), count(part["twin_id"].nunique()), ""])
    note = (
        "An observation below the limit of quantification is refused with a finding that stops the run; none is in "
        "these data. Records left out before are stated by the author under data.exclusions."
    )
    return Table.create("Records of the events sheet", ["Record", "n", "Twins", "Use"], rows, text=(0, 3), note=note)


def data_chapter(run: Run, about: About, figures: Table) -> Chapter:
    """Subjects, records, findings of the input check."""
    blocks: list[Block] = [figures, Heading("Sources"), authored(about, "data.sources")]
    blocks += [Heading("Records"), records_table(run.study.events)]
    blocks += [Heading("Exclusions"), authored(about, "data.exclusions")]
    blocks += [Heading("Subjects"), *cohort_section(run.inputs).blocks]
    blocks += [Heading("Check of the input"), *findings_section(run.inputs).blocks]
    return Chapter("4", "Data", tuple(blocks))


def genotype_chapter(run: Run) -> Chapter:
    """How genotypes were read, and what they are."""
    settings = [[k, v] for k, v in flat({"genome": run.config["genome"]})]
    blocks: list[Block] = [
        Paragraph(f"Allele definitions: {run.inputs.definitions or 'not known'}."),
        Table.create("Settings of the genotype stage", ["Key", "Value"], settings, text=(0, 1)),
        *genotype_section(run.inputs).blocks,
    ]
    return Chapter("5", "Genotype methods", tuple(blocks))


def drug_table(name: str) -> Table:
    """Every value of the drug file with unit, uncertainty and source."""
    drug = load_drug(name)
    values = dict(drug.values)
    for formulation, its in sorted(drug.formulations.items()):
        values |= {f"absorption.formulations.{formulation}.{k}": v for k, v in its.items()}

    def sd(x: float | None) -> str:
        return plain(x) if x is not None else NONE

    rows = [[k, plain(v.value), v.unit, sd(v.uncertainty), sd(v.between_subject), v.source] for k, v in values.items()]
    rows += [[k, v, "in words", NONE, NONE, "drug file"] for k, v in sorted(drug.words.items()) if v]
    header = ["Parameter", "Value", "Unit", "Uncertainty", "Between subjects", "Source"]
    note = "Uncertainty, spread between subjects: sd of the logarithm. Sources that begin with 'estimated': fitted."
    return Table.create(f"Parameters of {drug.name}", header, rows, text=(0, 2, 5), note=note, limit=LONG)


def _change(flux: Flux) -> str:
    if flux.stoichiometry:
        return "; ".join(f"{state}: {by}" for state, by in flux.changes)
    return f"{flux.source or 'outside'} → {flux.target or 'outside'}"


def equation_tables(model: Model) -> tuple[Table, Table, Table]:
    """States with their start, algebraic quantities, and rates: the text that the solver's code is made from."""
    states = [[s.name, plain(s.initial), s.unit, s.meaning] for s in model.states]
    defined = [[d.name, d.expression, d.unit, d.meaning] for d in model.definitions]
    rates = [[f.name, f.expression, f.unit, _change(f)] for f in model.fluxes]
    note = "A state's derivative is the sum of the rates that enter it less those that leave it."
    return (
        Table.create("States of the model", ["State", "Start", "Unit", "Meaning"], states, text=(0, 2, 3), limit=LONG),
        Table.create("Algebraic quantities", ["Quantity", "Expression", "Unit", "Meaning"], defined, text=(0, 1, 2, 3),
                     limit=LONG),
        Table.create("Rates", ["Rate", "Expression", "Unit", "From → to"], rates, text=(0, 1, 2, 3), note=note,
                     limit=LONG),
    )  # fmt: skip


def fact_rows(name: str, caption: str, **wanted: str) -> tuple[Table, Table]:
    """A table of ``resources/`` as it stands, and its sources by number; ``wanted`` keeps the rows with these values.

    Many rows share one long source: the table has its number, the second table its words.
    """
    frame = fact_table(name)
    for column, value in wanted.items():
        frame = frame[frame[column] == value]
    shown = [c for c in frame.columns if not frame[c].isna().all()]
    sources = {str(s): f"S{i}" for i, s in enumerate(dict.fromkeys(frame["source"].fillna("none stated")), start=1)}
    numeric = {c for c in shown if pd.api.types.is_numeric_dtype(frame[c])}

    def cell(column: str, value: Any) -> str:
        if column != "source" and pd.isna(value):
            return ""
        if column == "source":
            return sources["none stated" if pd.isna(value) else str(value)]
        return f"{float(value):.6g}" if column in numeric else str(value)

    rows = [[cell(c, r[c]) for c in shown] for _, r in frame.iterrows()]
    text = [i for i, c in enumerate(shown) if c not in numeric]
    header = [c.replace("_", " ") for c in shown]
    listed = [[number, source] for source, number in sources.items()]
    return (
        Table.create(caption, header, rows, text=text, limit=LONG, file=f"resources/{name}"),
        Table.create(f"Sources: {caption[0].lower()}{caption[1:]}", ["No.", "Source"], listed, text=(0, 1), limit=LONG),
    )


def model_chapter(run: Run) -> Chapter:
    """Structure, equations, drug parameters, and the link from activity score to clearance."""
    model = whole_body()
    maps = fact_rows("genes/clearance_maps.tsv", "Maps from activity score to clearance, CYP2D6", gene="CYP2D6")
    chosen = run.config["genome"]["activity_map"]
    blocks: list[Block] = [
        *methods_section(run.inputs).blocks[:1],
        Paragraph(
            f"The model has {count(len(model.states))} states and {count(len(model.fluxes))} rates. Parameters that "
            f"inference gives each twin: {', '.join(INDIVIDUAL)}. The tables are the text from which the solver's "
            "code is generated; the electronic package has the same as LaTeX (model.tex)."
        ),
        *equation_tables(model),
        Heading("Drug"),
        drug_table(str(run.config["drug"])),
        Heading("From genotype to clearance"),
        Paragraph(f"Map used in this run: {chosen}. The table has its alternatives."),
        *maps,
        Heading("Body"),
        Paragraph("System parameters, each with unit and source, are in appendix A."),
    ]
    return Chapter("6", "PBPK methods", tuple(blocks))


def estimation_chapter(run: Run, about: About) -> Chapter:
    """Statistical model, priors, sampler, results of the fit."""
    settings = [[k, v] for k, v in flat({"fit": run.config["fit"], "master_seed": run.config["master_seed"]})]
    settings.append(["rule of seeds", str(run.manifest.get("seed_rule", NONE))])
    blocks: list[Block] = [
        Heading("Statistical model"),
        Bullets(
            (
                "Individual parameters are log-normal about a typical value; the random effects are independent.",
                "The logarithm of a concentration is normal about the logarithm of the model's, with one residual sd.",
                "The likelihood of a twin is summed over its possible diplotypes, weighted by their probabilities.",
                "Priors of typical values and of spreads between subjects: the drug file's uncertainty and "
                "between_subject (chapter 6). Posterior beside prior: below.",
                "No observation below the limit of quantification enters (chapter 4).",
            )
        ),
        Heading("Rationale of the priors"),
        authored(about, "estimation.priors"),
        Table.create("Settings of the fit", ["Key", "Value"], settings, text=(0, 1)),
        Heading("Results"),
        *fit_section(run.inputs).blocks,
    ]
    return Chapter("7", "Estimation", tuple(blocks))


def verification_chapter(run: Run, activities: pd.DataFrame) -> Chapter:
    """Solver checks of this run, and the activities of the tier verification."""
    mine = activities[activities["tier"] == "verification"]
    shown = VERIFIED if len(run.inputs.verification) else VERIFIED[:1]  # that it did not run is said once
    return Chapter(
        "8",
        "Verification",
        (
            Paragraph(
                "The run verifies mass balance, error against tolerance, closed forms and sums of bodies. Checks that "
                "belong to the program and not to a run (known answers from outside, unit tests) are stated by "
                "the author under evidence, with the place where they can be seen."
            ),
            activity_table(mine, "Verification: done and not done"),
            *(block for section in shown for block in section(run.inputs).blocks),
            *checks_section(run.inputs).blocks,
        ),
    )


def activity_table(rows: pd.DataFrame, caption: str) -> Table:
    """Activities with question, status, result and place."""
    cells = [
        [
            str(r["activity"]).replace("_", " "),
            str(r["question"]),
            Cell(str(r["status"]), badge="good" if r["status"] == "done" else "warn"),
            str(r["result"] or r["why_not"]),
            str(r["where"]) or NONE,
        ]
        for _, r in rows.iterrows()
    ]
    header = ["Activity", "Question", "Status", "Result, or why not done", "Where"]
    return Table.create(caption, header, cells, text=range(5))
