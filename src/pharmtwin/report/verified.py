"""What the study verified itself: every check with value and limit, what failed in words, and the alert about it."""

from __future__ import annotations

from typing import Any

from pharmtwin.report.blocks import Alert, Block, Cell, Paragraph, Section, Table, Tile, Tiles
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.inside import REFERENCE
from pharmtwin.report.rows import records
from pharmtwin.report.words import count, plural

#: kind of table verification -> what is checked, group of the tiles
KINDS = {
    "mass_balance": ("Drug in lumen, body and excreta adds up to what was given", "mass balance"),
    "reference_agreement": ("Both solvers agree at the tolerance of the reference", "solver error"),
    "tolerance_curve": ("Concentrations at the study's tolerance beside the reference", "solver error"),
    "tolerance_AUCtau": ("AUCtau at the study's tolerance beside the reference", "solver error"),
    "tolerance_Cmax": ("Cmax at the study's tolerance beside the reference", "solver error"),
    "tolerance_order": ("The error falls as the tolerance does (slope of the logarithms)", "solver error"),
    "matrix_exponential": ("The linear body beside the matrix exponential, all compartments", "closed forms"),
    "closed_form": ("A quantity beside its closed form", "closed forms"),
    "body_sums": ("Parts of every body add up to the whole", "sums of bodies"),
}
GROUPS = ("mass balance", "solver error", "closed forms", "sums of bodies")
NAMED = 5
NOT_RUN = "The verification stage did not run: nothing of this study was verified."


def sign(relation: object) -> str:
    """A relation of table verification in words."""
    return "at least" if relation == "at_least" else "at most"


def value(row: Any) -> str:
    """A value of table verification with two digits, or that there is none."""
    return "no value" if row.value != row.value else f"{row.value:.2g}"


def subject(row: Any) -> str:
    """Of whom or what a check is, in words."""
    who, comma, rest = str(row.subject).partition(",")
    return f"{REFERENCE.get(who, who)}{comma}{rest}".replace("_", " " if str(row.kind) == "closed_form" else "_")


def failed_words(inputs: ReportInputs) -> list[str]:
    """Every failed check as a sentence without full stop."""
    bad = inputs.verification[~inputs.verification["passed"]]
    return [
        f"{KINDS[str(r.kind)][0]}: {subject(r)}, {value(r)} (limit: {sign(r.relation)} {r.limit:g}; {r.place})"
        for r in records(bad)
    ]


def verification_alert(inputs: ReportInputs) -> Alert | None:
    """What a reader must know of a study that failed its own verification; None where nothing failed."""
    bad = failed_words(inputs)
    if not bad:
        return None
    more = f"; and {count(len(bad) - NAMED)} more" if len(bad) > NAMED else ""
    title = f"{plural(len(bad), 'check')} of the study's own verification not passed"
    return Alert("bad", title, "; ".join(bad[:NAMED]) + more + ". Do not rest a decision on these simulations.")


def _tiles(inputs: ReportInputs) -> Tiles:
    tiles = []
    for group in GROUPS:
        mine = inputs.verification[inputs.verification["kind"].map(lambda k: KINDS[str(k)][1]) == group]
        passed = int(mine["passed"].sum())
        tone = "warn" if mine.empty else "good" if passed == len(mine) else "bad"
        tiles.append(Tile(f"{passed} of {len(mine)}" if len(mine) else "none", f"{group}: checks passed", tone))
    return Tiles(tuple(tiles))


def check_rows(inputs: ReportInputs) -> Table:
    """The pass/fail list, failed checks first."""
    order = {kind: i for i, kind in enumerate(KINDS)}
    table = inputs.verification.assign(order=inputs.verification["kind"].map(order))
    rows = [
        [KINDS[str(r.kind)][0], subject(r), value(r), f"{sign(r.relation)} {r.limit:g}",
         Cell("passed", badge="good") if r.passed else Cell("NOT PASSED", badge="bad"), str(r.place)]
        for r in records(table.sort_values(["passed", "order"], kind="stable"))
    ]  # fmt: skip
    header = ["What", "Of", "Value", "Limit", "Verdict", "Where"]
    note = (
        "Values are relative differences; of slopes the slope. Limits: resources/verification.tsv, with their reasons; "
    )
    note += "errors at the study's own tolerance: pbpk.crosscheck_rtol."
    return Table.create("Checks passed and not passed", header, rows, text=(0, 1, 4, 5), note=note,
                        file="verification/verification.tsv")  # fmt: skip


def verdict_section(inputs: ReportInputs) -> Section:
    """How many checks passed, which did not, and the list."""
    if inputs.verification.empty:
        return Section("verdict", "Passed and not passed", (Paragraph(NOT_RUN, "missing"),))
    n, passed = len(inputs.verification), int(inputs.verification["passed"].sum())
    blocks: list[Block] = []
    alert = verification_alert(inputs)
    if alert is not None:
        blocks.append(alert)
    words = f"All {count(n)} checks passed." if passed == n else f"{count(passed)} of {count(n)} checks passed."
    first = " Is the program's answer that of its equations? The study checks it on its own model, regimen and bodies; "
    first += "whether the equations describe people is a matter of evaluation."
    blocks += [Paragraph(words + first, "lead"), _tiles(inputs), check_rows(inputs)]
    return Section("verdict", "Passed and not passed", tuple(blocks))
