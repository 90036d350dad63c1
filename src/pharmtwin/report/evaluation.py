"""The evaluation page: prediction and goodness of fit apart, groups of people, and what was validated and what not."""

from __future__ import annotations

import pandas as pd

from pharmtwin.report.answer import MODEL_ORDER
from pharmtwin.report.attributions import cohort_section
from pharmtwin.report.blocks import FOOTER, Alert, Block, Page, Paragraph, Section, Table, Tile, Tiles
from pharmtwin.report.evaluation_charts import event_chart, group_chart, pit_chart
from pharmtwin.report.evaluation_tables import gap_words, group_rows, label, metric_table, tier_table
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.rows import records
from pharmtwin.report.words import count, plural, short_model

TIERS = ("verification", "estimation", "prediction", "clinical utility")
STUDY = MODEL_ORDER[:3]
NAMED = 8


def _sets(metrics: pd.DataFrame, *, seen: bool, study: bool) -> list[tuple[str, pd.DataFrame]]:
    """Data sets of one kind, in the order of the table."""
    own = metrics["model"].isin(STUDY)
    mine = metrics[(metrics["seen_by_fit"] == seen) & (own if study else ~own)]
    return [(str(name), part) for name, part in mine.groupby("data_set", sort=False)]


def _blocks(metrics: pd.DataFrame, *, seen: bool, study: bool) -> list[Block]:
    return [metric_table(part, name, MODEL_ORDER) for name, part in _sets(metrics, seen=seen, study=study)]


def joined(table: pd.DataFrame, inputs: ReportInputs, use: str) -> pd.DataFrame:
    """Rows of scores or exceedance with use and observed value, of one use."""
    keys = ["twin_id", "model", "time_h"]
    both = table.merge(inputs.predictions[[*keys, "use", "observed"]], on=keys, how="left")
    return both[both["use"] == use]


def prediction_section(inputs: ReportInputs) -> Section:
    """Observations that the fit has not seen: the only ones that show how well new ones are predicted."""
    blocks: list[Block] = _blocks(inputs.evaluation_metrics, seen=False, study=True)
    if not blocks:
        text = "No observations were kept aside: nothing here shows how well new ones are predicted."
        return Section("prediction", "Prediction", (Paragraph(text, "missing"),))
    intro = (
        "Observations kept aside: the twin's model has not seen them. Only these show prediction. Changes: from the "
        "twin's sample before, predicted and observed."
    )
    scores = joined(inputs.predictive_scores, inputs, "test")
    events = joined(inputs.exceedance, inputs, "test")
    if len(scores):
        blocks.append(pit_chart(scores, STUDY, "observations kept aside"))
    if len(events):
        blocks.append(event_chart(events, STUDY, "observations kept aside"))
    else:
        text = "No limit of concentration: none is stated (evaluation.limits_ng_ml), or the drug has no target range "
        blocks.append(Paragraph(text + "(paths.targets). No probabilities to judge.", "small"))
    return Section("prediction", "Prediction", (Paragraph(intro), *blocks))


def fit_section(inputs: ReportInputs) -> Section:
    """Observations that the fit has seen: how well it describes them."""
    blocks = _blocks(inputs.evaluation_metrics, seen=True, study=True)
    text = "Observations that the twin's model was fitted to: goodness of fit, never a proof of prediction."
    if not blocks:
        text = "No observations took part in a fit."
    return Section("goodness-of-fit", "Goodness of fit", (Paragraph(text, "plain" if blocks else "missing"), *blocks))


def published_section(inputs: ReportInputs) -> Section:
    """Published data: not used for building, then used."""
    out: list[Block] = []
    for seen, words in ((False, "Took no part in model building."), (True, "Used to set values of the drug file.")):
        tables = _blocks(inputs.evaluation_metrics, seen=seen, study=False)
        out += [Paragraph(words, "lead"), *tables] if tables else []
    if not out:
        out.append(Paragraph("No published profiles were compared.", "missing"))
    return Section("published-figures", "Published data", tuple(out))


def flagged(groups: pd.DataFrame) -> list[str]:
    """Gaps whose interval leaves out no difference, of unseen data, in words."""
    mine = groups[groups["flag"].fillna("").str.contains("differs") & ~groups["seen_by_fit"]]
    said = []
    for r in records(mine):
        who = f"{r.axis} {r.group}, {plural(int(r.n_subjects), 'subject')}"
        said.append(f"{label(str(r.metric))} of the {short_model(str(r.model)).lower()} model in {who}: {gap_words(r)}")
    return said


def groups_section(inputs: ReportInputs) -> Section:
    """Fairness: is the error alike for all groups; unseen data, the rest in the table."""
    groups = inputs.evaluation_groups
    unseen = groups[~groups["seen_by_fit"]]
    if unseen.empty:
        text = "No observations were kept aside: whether errors are alike in all groups cannot be said."
        return Section("groups", "Groups of people", (Paragraph(text, "missing"),))
    small = unseen[unseen["flag"].fillna("").str.contains("small")].drop_duplicates(["axis", "group"])
    each = unseen.drop_duplicates(["axis", "group"])
    text = (
        f"{plural(len(each), 'group')} by genotype (CYP2D6 phenotype), ancestry, age and renal function; "
        f"{count(len(small))} of them have fewer than 20 subjects and are flagged. Observations kept aside."
    )
    blocks: list[Block] = [Paragraph(text)]
    found = flagged(groups)
    if found:
        more = f"; and {count(len(found) - NAMED)} more" if len(found) > NAMED else ""
        said = "; ".join(found[:NAMED]) + more + "."
        blocks.append(Alert("warn", f"{plural(len(found), 'gap')} between groups", said))
    else:
        blocks.append(Paragraph("No gap's 95 % interval leaves out no difference; small groups show little.", "small"))
    blocks += [group_chart(unseen, STUDY), group_rows(unseen)]
    return Section("groups", "Groups of people", tuple(blocks))


def validation_section(inputs: ReportInputs) -> Section:
    """What was done and what was not, tier by tier."""
    table = inputs.validation
    if table.empty:
        return Section("validation", "Validation", (Paragraph("The evaluation stage did not run.", "missing"),))
    first = (
        "Four tiers after ASME V&V 40: is the program right, are the estimates, are predictions, is it of use. Only "
        "what this run's own tables show counts as done here; the dossier adds what its author states."
    )
    return Section("validation", "Validation in four tiers", (Paragraph(first), *tier_tables(table)))


def tier_tables(table: pd.DataFrame) -> tuple[Table, ...]:
    """A table a tier."""
    return tuple(tier_table(table, tier) for tier in TIERS)


def _tiles(inputs: ReportInputs) -> Tiles:
    tiles = []
    for tier in TIERS:
        mine = inputs.validation[inputs.validation["tier"] == tier].drop_duplicates("activity")
        done = int((mine["status"] == "done").sum())
        tiles.append(Tile(f"{done} of {len(mine)}", f"activities of {tier} done", "good" if done else "warn"))
    return Tiles(tuple(tiles))


def evaluation_page(inputs: ReportInputs) -> Page:
    """The page ``evaluation.html``."""
    top: list[Block] = []
    if inputs.verdict:
        top.append(Paragraph(inputs.verdict, "lead"))
    if len(inputs.validation):
        top.append(_tiles(inputs))
    return Page(
        title=f"PharmTwin evaluation: {inputs.study}",
        heading=f"Evaluation: {inputs.study}",
        subheading=f"How well exposure to {inputs.drug} is predicted, for whom, and what was not validated",
        data_kind=inputs.data_kind,
        top=tuple(top),
        sections=(
            prediction_section(inputs),
            groups_section(inputs),
            fit_section(inputs),
            published_section(inputs),
            cohort_section(inputs),
            validation_section(inputs),
        ),
        home="index.html",
        footer=FOOTER,
    )
