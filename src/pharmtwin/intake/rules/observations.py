"""Rules about samples: what a concentration may be, beside the dose, the limit of quantification and its neighbours."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from pharmtwin.intake.rules.registry import Event, Given, Hit, rule

NG_PER_MG_PER_ML = 1000.0  # ng/mL in one mg/L


@rule(
    "events.mdv_observation",
    "warning",
    "an observation with a concentration and MDV 1",
    why="the value is not used, and nothing else says so",
    fix="write MDV 0, or clear the concentration",
)
def _mdv(given: Given) -> Iterator[Hit]:
    for e in given.rows:
        if e.is_sample and e.record.number("mdv") == 1 and e.value and e.record.number("blq") != 1:
            yield Hit(given.events, e.record, "mdv", "a measured value that MDV switches off")


@rule(
    "events.value_missing",
    "error",
    "an observation (EVID 0, MDV 0) without a concentration",
    why="NM-TRAN reads an empty DV as a measured 0",
    fix="write the value, or MDV 1",
    study=False,
)
def _value_missing(given: Given) -> Iterator[Hit]:
    if "dv_ng_ml" not in given.events.columns:
        return
    for e in given.rows:
        off = e.record.number("mdv") == 1 or e.record.number("blq") == 1
        if e.is_sample and e.record.is_empty("dv_ng_ml") and not off:
            yield Hit(given.events, e.record, "dv_ng_ml", "an observation row without a concentration")


@rule(
    "events.values_missing",
    "error",
    "a data set with observations and no column of concentrations",
    why="a column under another heading is not read, and nothing would be compared with the prediction",
    fix="name the column DV, with its unit: DV [ng/mL]",
    study=False,
)
def _values_missing(given: Given) -> Iterator[Hit]:
    n = sum(e.is_sample for e in given.rows)
    if n and "dv_ng_ml" not in given.events.columns:
        yield Hit(given.events, None, "", f"{n} rows are observations (EVID 0), and no column holds a concentration")


@rule(
    "events.value_zero",
    "warning",
    "a concentration of 0 after a dose",
    why="no assay measures 0: the value is below the limit of quantification",
    fix="write BLQ 1 and the limit, or MDV 1",
    study=False,
)
def _zero(given: Given) -> Iterator[Hit]:
    for rows in given.people.values():
        dosed = False
        for e in rows:
            dosed |= e.is_dose
            if dosed and e.is_sample and e.value == 0 and e.record.number("mdv") != 1 and e.record.number("blq") != 1:
                yield Hit(given.events, e.record, "dv_ng_ml", "a measured 0")


@rule(
    "events.blq_without_limit",
    "error",
    "a value below the limit of quantification without the limit",
    why="nothing is known of the value but the limit",
    fix="add a column LLOQ with the limit",
    study=False,
)
def _no_limit(given: Given) -> Iterator[Hit]:
    for e in given.rows:
        limit = e.record.number("lloq_ng_ml") or e.value
        if e.is_sample and e.record.number("blq") == 1 and not limit:
            yield Hit(given.events, e.record, "blq", "below a limit that is told nowhere")


@rule(
    "events.blq_above_limit",
    "warning",
    "a value marked as below the limit that lies above it",
    why="flag or value is wrong",
    fix="correct BLQ, the value or the limit",
    study=False,
)
def _above_limit(given: Given) -> Iterator[Hit]:
    for e in given.rows:
        limit = e.record.number("lloq_ng_ml")
        if e.record.number("blq") == 1 and limit and e.value is not None and e.value > limit:
            yield Hit(given.events, e.record, "blq", f"{e.value:g} is above the limit of {limit:g}")


@rule(
    "events.unflagged_blq",
    "warning",
    "a value below the limit of quantification that is not marked as such",
    why="it would count as measured",
    fix="write BLQ 1, or leave it if values below the limit are used as they are",
    study=False,
)
def _unflagged(given: Given) -> Iterator[Hit]:
    for e in given.rows:
        limit = e.record.number("lloq_ng_ml")
        if limit and e.measured is not None and e.measured < limit:
            yield Hit(given.events, e.record, "dv_ng_ml", f"below the limit of {limit:g}")


@rule(
    "events.limit_varies",
    "warning",
    "a limit of quantification that differs by more than ten times within a quantity",
    why="one limit may be in another unit",
    fix="check the unit of the limit",
)
def _limits(given: Given) -> Iterator[Hit]:
    by: dict[str, list[tuple[float, Event]]] = {}
    for e in given.rows:
        limit = e.record.number("lloq_ng_ml")
        if limit and limit > 0:
            by.setdefault(e.quantity, []).append((limit, e))
    for its in by.values():
        usual = sorted(v for v, _ in its)[len(its) // 2]
        for value, e in its:
            if not 0.1 <= value / usual <= 10:
                yield Hit(given.events, e.record, "lloq_ng_ml", f"usual is {usual:g}")


@rule(
    "events.above_dose",
    "error",
    "a concentration that all doses so far could not give, undiluted in plasma",
    why="it is impossible: dose or concentration is in another unit",
    fix="check the units of dose and concentration (1 mg/L is 1000 ng/mL)",
)
def _above_dose(given: Given) -> Iterator[Hit]:
    if not given.known("dose_mg", "dv_ng_ml"):
        return
    litres = given.limit("plasma_l")
    for rows in given.people.values():
        doses = [e for e in rows if e.is_dose]
        if any(e.ss for e in doses) or any(e.quantity for e in rows):
            continue
        for e in rows:
            if e.measured is None or e.time is None:
                continue
            total = sum(_given_by(d, e.time) for d in doses)
            most = total / litres * NG_PER_MG_PER_ML
            if total > 0 and e.measured > most:
                yield Hit(
                    given.events,
                    e.record,
                    "dv_ng_ml",
                    f"{total:g} mg so far in {litres:g} L of plasma would be {most:g} ng/mL",
                )
                break


def _given_by(dose: Event, time: float) -> float:
    """mg of a row's doses up to a time."""
    if dose.time is None or dose.amount is None or dose.time > time:
        return 0.0
    repeats = min(dose.addl or 0.0, (time - dose.time) // dose.ii) if dose.ii else 0.0
    return dose.amount * (1 + repeats)


@rule(
    "events.copied_values",
    "warning",
    "the same concentration in row after row of one twin",
    why="a cell may have been copied down",
    fix="check the source, or leave it if it was measured so",
)
def _copied(given: Given) -> Iterator[Hit]:
    n = given.limit("same_values")
    for rows in given.people.values():
        samples = [e for e in rows if e.measured is not None]
        for i in range(len(samples) - n + 1):
            run = samples[i : i + n]
            if len({e.measured for e in run}) == 1 and len({e.quantity for e in run}) == 1:
                yield Hit(
                    given.events,
                    run[1].record,
                    "dv_ng_ml",
                    f"{n} samples or more of the twin are all {run[0].measured:g}",
                )
                break


@rule(
    "events.time_is_value",
    "warning",
    "concentrations that equal the times of their rows",
    why="two columns may be swapped, or one copied over the other",
    fix="check the two columns",
)
def _time_is_value(given: Given) -> Iterator[Hit]:
    same = [e for e in given.rows if e.measured is not None and e.measured == e.time]
    samples = [e for e in given.rows if e.measured is not None]
    if len(same) >= 3 and 2 * len(same) > len(samples):
        yield Hit(
            given.events, same[0].record, "dv_ng_ml", f"{len(same)} of {len(samples)} concentrations equal their time"
        )


@rule(
    "events.columns_swapped",
    "error",
    "time and concentration look swapped",
    why="every sample would be at the wrong time with the wrong value",
    fix="swap the headings of the two columns back",
    explains=("events.time_order", "events.before_first_dose", "events.time_gap"),
)
def _swapped(given: Given) -> Iterator[Hit]:
    judged = swapped = 0
    first = None
    for rows in given.people.values():
        samples = [e for e in rows if e.measured is not None and e.time is not None]
        if len(samples) < 4:
            continue
        judged += 1
        times, values = [e.time or 0.0 for e in samples], [e.measured or 0.0 for e in samples]
        if _rising(values) and not _rising(times) and _rises_and_falls(times):
            swapped += 1
            first = first or samples[0]
    if first is not None and 2 * swapped > judged:
        what = f"in {swapped} of {judged} twins the concentrations rise row by row, and the times rise and fall"
        yield Hit(given.events, first.record, "time_h", what)


def _rising(values: list[float]) -> bool:
    return all(b > a for a, b in itertools.pairwise(values))


def _rises_and_falls(values: list[float]) -> bool:
    """At most one peak, as concentrations after one dose have."""
    signs = [b > a for a, b in itertools.pairwise(values)]
    return signs == sorted(signs, reverse=True)


@rule(
    "events.at_dose_time",
    "note",
    "samples at the very time of a dose",
    why="a program must decide which comes first",
    fix="order the rows as they happened, or move the sample by a minute",
)
def _at_dose(given: Given) -> Iterator[Hit]:
    both = []
    for rows in given.people.values():
        times = {e.time for e in rows if e.is_dose and e.time is not None}
        both += [e for e in rows if e.is_sample and e.time in times and e.measured is not None]
    if both:
        say = "the order of the rows" if given.alone else "the sample is taken as drawn before the dose"
        yield Hit(given.events, both[0].record, "time_h", f"{len(both)} samples at the time of a dose: {say} counts")


@rule(
    "events.early_value",
    "warning",
    "a measured concentration before the first dose",
    why="the drug cannot be in the body yet, unless it is made there or was taken before",
    fix="add the earlier doses, or correct the time",
    study=False,
)
def _early(given: Given) -> Iterator[Hit]:
    for rows in given.people.values():
        first = min((e.time for e in rows if e.is_dose and e.time is not None), default=None)
        for e in rows:
            if first is not None and e.measured is not None and e.time is not None and e.time < first:
                yield Hit(given.events, e.record, "time_h", f"the first dose of the twin is at {first:g} h")


@rule(
    "events.never_dosed",
    "warning",
    "a twin with samples and no dose",
    why="its concentrations cannot be predicted",
    fix="add its doses, or leave the twin out",
    study=False,
)
def _never(given: Given) -> Iterator[Hit]:
    for rows in given.people.values():
        samples = [e for e in rows if e.measured is not None]
        if samples and not any(e.is_dose for e in rows) and any(e.is_dose for e in given.rows):
            yield Hit(given.events, samples[0].record, "twin_id", "the twin has samples and no dose", value="")
