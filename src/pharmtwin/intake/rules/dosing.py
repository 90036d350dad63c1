"""Rules about doses: AMT, RATE, II, ADDL, SS and EVID must agree, in a row and from row to row."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from pharmtwin.intake.rules.registry import Event, Given, Hit, median, rule

NOT_YET = "the workflow does not simulate it yet, and would leave it out"


def _doses(given: Given) -> Iterator[Event]:
    return (e for e in given.rows if e.is_dose)


@rule(
    "events.not_modelled",
    "error",
    "a record that is read and checked, and that the workflow cannot simulate yet",
    why=NOT_YET,
    fix="write the doses out with evid 1 (addl and ii_h repeat them), or leave the twin out",
    alone=False,
)
def _not_modelled(given: Given) -> Iterator[Hit]:
    """The place to open when the simulation takes more: resets, steady states and infusions."""
    for e in given.rows:
        if e.evid in (2, 3, 4):
            words = {2: "a marker (2)", 3: "a reset (3)", 4: "a reset and dose (4)"}[e.evid]
            yield Hit(given.events, e.record, "evid", f"is {words}")
        if e.is_dose and e.ss:
            yield Hit(given.events, e.record, "ss", "is a steady-state dose")
        for column, value in (("rate_mg_h", e.rate), ("duration_h", e.duration)):
            if e.is_dose and value:
                yield Hit(given.events, e.record, column, "is an infusion")


@rule(
    "events.ss_without_ii",
    "error",
    "a steady-state dose (SS) without its interval (II)",
    why="a steady state of doses needs their interval",
    fix="write the interval in hours into II, or clear SS",
    explains=("events.not_modelled",),
)
def _ss_ii(given: Given) -> Iterator[Hit]:
    for e in _doses(given):
        constant = e.amount in (None, 0) and (e.rate or 0) > 0
        if e.ss and not e.ii and not constant:
            yield Hit(given.events, e.record, "ss", "a steady-state dose without an interval")


@rule(
    "events.ss_late",
    "warning",
    "a steady-state dose after other doses of the twin",
    why="SS 1 forgets all doses before it",
    fix="write SS 2 to add to them, or leave it if the past is meant to be forgotten",
)
def _ss_late(given: Given) -> Iterator[Hit]:
    for rows in given.people.values():
        dosed: dict[str, int] = {}
        for e in rows:
            if e.evid in (3, 4):
                dosed = {}
            if e.is_dose and e.ss == 1 and e.drug in dosed and e.evid == 1:
                yield Hit(given.events, e.record, "ss", f"a steady state after the dose of row {dosed[e.drug]}")
            if e.is_dose:
                dosed.setdefault(e.drug, e.row)


@rule(
    "events.dose_item_idle",
    "error",
    "AMT, RATE, II, ADDL or SS on a row that gives no dose",
    why="only EVID 1 and 4 give a dose; a program stops here, or leaves the dose out",
    fix="write EVID 1 or 4, or clear the cell",
)
def _idle(given: Given) -> Iterator[Hit]:
    for e in given.rows:
        cells = (("dose_mg", e.amount), ("rate_mg_h", e.rate), ("ii_h", e.ii), ("addl", e.addl), ("ss", e.ss))
        for column, value in cells:
            plain = e.evid == 0 and column in ("dose_mg", "addl")  # said by events.dose_and_observation
            if value and e.evid in (0, 2, 3) and not plain:
                yield Hit(given.events, e.record, column, f"stands on a row with EVID {e.evid}")


@rule(
    "events.rate_code",
    "error",
    "a RATE below 0 that is neither -1 nor -2",
    why="only -1 and -2 have a meaning",
    fix="write a rate, 0, -1 or -2",
)
def _rate_code(given: Given) -> Iterator[Hit]:
    for e in _doses(given):
        if e.rate is not None and e.rate < 0 and e.rate not in (-1, -2):
            yield Hit(given.events, e.record, "rate_mg_h", "is a negative rate")


@rule(
    "events.rate_duration",
    "error",
    "an infusion whose rate times duration is not its amount",
    why="either amount, rate or duration is wrong",
    fix="correct one of the three, or leave out rate or duration",
)
def _rate_duration(given: Given) -> Iterator[Hit]:
    for e in _doses(given):
        if e.rate and e.rate > 0 and e.duration and e.amount:
            told = e.rate * e.duration
            if abs(told - e.amount) > given.limit("rate_tolerance") * e.amount:
                yield Hit(
                    given.events,
                    e.record,
                    "rate_mg_h",
                    f"{e.rate:g} mg/h over {e.duration:g} h is {told:g} mg, not {e.amount:g} mg",
                )


@rule(
    "events.infusion_oral",
    "error",
    "an infusion (RATE, duration) by mouth",
    why="an oral dose has no rate",
    fix="write route iv, or clear the rate",
)
def _infusion_oral(given: Given) -> Iterator[Hit]:
    for e in _doses(given):
        column = "rate_mg_h" if (e.rate or 0) > 0 else "duration_h" if e.duration else ""
        if column and e.record.text("route") == "oral":
            yield Hit(given.events, e.record, column, "an infusion by mouth")


@rule(
    "events.infusion_long",
    "warning",
    "an infusion that is longer than the interval of its repeats",
    why="infusions would overlap",
    fix="check rate, amount and interval",
)
def _infusion_long(given: Given) -> Iterator[Hit]:
    for e in _doses(given):
        lasts = e.duration or ((e.amount or 0.0) / e.rate if e.rate and e.rate > 0 else 0.0)
        if e.ii and lasts > e.ii and (e.addl or e.ss):
            column = "rate_mg_h" if e.rate and e.rate > 0 else "duration_h"
            yield Hit(given.events, e.record, column, f"the infusion lasts {lasts:g} h, the interval is {e.ii:g} h")


@rule(
    "events.mdv_dose",
    "warning",
    "a dose row with MDV 0",
    why="a program may count an empty DV as a measured 0",
    fix="write MDV 1 on rows of doses",
)
def _mdv_dose(given: Given) -> Iterator[Hit]:
    for e in given.rows:
        if e.evid in (1, 2, 3, 4) and e.record.number("mdv") == 0:
            yield Hit(given.events, e.record, "mdv", "a row that is no observation, with MDV 0")


@rule(
    "events.addl_overlap",
    "warning",
    "additional doses (ADDL) that run on past the next written dose of the twin",
    why="the twin would get both",
    fix="lower ADDL so that it ends before the next row, or leave it if both were given",
)
def _overlap(given: Given) -> Iterator[Hit]:
    for rows in given.people.values():
        doses = [e for e in rows if e.is_dose and e.time is not None]
        for i, e in enumerate(doses):
            end = (e.time or 0.0) + (e.addl or 0.0) * (e.ii or 0.0)
            after = [
                d for d in doses[i + 1 :] if d.drug == e.drug and d.record.raw.get("cmt") == e.record.raw.get("cmt")
            ]
            later = next((d for d in after if (d.time or 0.0) > (e.time or 0.0)), None)
            reset = later is not None and later.evid == 4
            if e.addl and later is not None and not reset and end >= (later.time or 0.0) and later.ss != 1:
                yield Hit(
                    given.events,
                    e.record,
                    "addl",
                    f"doses go on to {end:g} h; row {later.row} gives the next at {later.time:g} h",
                )


@rule(
    "events.dose_gap",
    "warning",
    "a gap between doses about twice, or half, the usual one of the twin",
    why="a row of a dose may be lost or doubled",
    fix="add or delete the dose, or leave it if it happened so",
)
def _dose_gap(given: Given) -> Iterator[Hit]:
    late, early = given.limit("dose_late")
    for rows in given.people.values():
        doses = sorted(
            (e for e in rows if e.is_dose and e.time is not None and not e.addl), key=lambda e: e.time or 0.0
        )
        gaps = [(b.time or 0.0) - (a.time or 0.0) for a, b in itertools.pairwise(doses)]
        if len(gaps) < 4 or {e.drug for e in doses} - {doses[0].drug}:
            continue
        usual = median(gaps)
        steady = sum(abs(g - usual) <= 0.1 * usual for g in gaps) >= 0.7 * len(gaps)
        for e, gap in zip(doses[1:], gaps, strict=True):
            if steady and usual > 0 and (gap >= late * usual or 0 < gap <= early * usual):
                yield Hit(given.events, e.record, "time_h", f"{gap:g} h after the dose before; usual are {usual:g} h")


@rule(
    "events.route_missing_data",
    "note",
    "a data set of doses that tells neither route nor compartment",
    why="absorption depends on it",
    fix="add a column ROUTE or CMT",
    study=False,
)
def _no_route(given: Given) -> Iterator[Hit]:
    if any(e.is_dose for e in given.rows) and not {"route", "cmt"} & given.events.columns:
        yield Hit(given.events, None, "", "no column tells where doses go")


@rule(
    "events.compartments",
    "warning",
    "doses of one drug and route that go into different compartments",
    why="one of them may be mistyped",
    fix="correct CMT, or leave it if it is meant so",
)
def _compartments(given: Given) -> Iterator[Hit]:
    where: dict[tuple[str, str], dict[str, list[Event]]] = {}
    for e in _doses(given):
        cell = e.record.text("cmt")
        if cell:
            where.setdefault((e.drug, e.record.text("route")), {}).setdefault(cell, []).append(e)
    for cells in where.values():
        rare = min(cells, key=lambda c: len(cells[c]))
        total = sum(len(its) for its in cells.values())
        if len(cells) == 2 and len(cells[rare]) <= 0.05 * total:
            e = cells[rare][0]
            yield Hit(given.events, e.record, "cmt", f"{len(cells[rare])} of {total} doses go into compartment {rare}")


@rule(
    "events.no_doses",
    "error",
    "a data set without any dose",
    why="no concentration can be predicted",
    fix="add rows of doses (EVID 1 and AMT)",
    study=False,
)
def _no_doses(given: Given) -> Iterator[Hit]:
    if "evid" in given.events.columns and given.rows and not any(e.is_dose for e in given.rows):
        yield Hit(given.events, None, "", "no row is a dose")
