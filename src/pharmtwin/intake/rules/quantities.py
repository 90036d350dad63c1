"""Rules about slips of units: a dose or a concentration a thousand times the others."""

from __future__ import annotations

from collections.abc import Iterator

from pharmtwin.intake.rules.registry import Event, Given, Hit, geometric_mean, median, rule


def slip(ratio: float, low: float, high: float) -> int:
    """1 for a ratio of about 1000, -1 for about 1/1000, 0 else."""
    return 1 if low <= ratio <= high else -1 if ratio > 0 and low <= 1 / ratio <= high else 0


@rule(
    "events.slip_dose",
    "warning",
    "a dose about 1000 times, or a thousandth of, the usual dose of the drug in the study",
    why="it may stand in µg or g",
    fix="check the unit of the dose (1 mg is 1000 µg)",
    explains=("events.dose_unit",),
)
def _dose(given: Given) -> Iterator[Hit]:
    by: dict[str, list[Event]] = {}
    for e in given.rows:
        if e.is_dose and e.amount and e.amount > 0:
            by.setdefault(e.drug, []).append(e)
    for drug, doses in by.items():
        usual = median(e.amount or 0.0 for e in doses)
        for e in doses if len(doses) > 2 else ():
            if slip((e.amount or 0.0) / usual, *given.limit("slip")):
                yield Hit(given.events, e.record, "dose_mg", f"usual {'of ' + drug + ' ' if drug else ''}is {usual:g}")


@rule(
    "events.slip_value",
    "warning",
    "one concentration about 1000 times, or a thousandth of, its neighbours of the same twin",
    why="it may stand in another unit, or its decimal point was lost",
    fix="check the value and its unit",
)
def _value(given: Given) -> Iterator[Hit]:
    low, high = given.limit("slip")
    for rows in given.people.values():
        samples = [e for e in rows if e.measured is not None]
        for i, e in enumerate(samples):
            near = [s for s in samples[max(0, i - 1) : i + 2] if s is not e and s.quantity == e.quantity]
            ratios = [(e.measured or 0.0) / (s.measured or 1.0) for s in near]
            if (
                len(samples) >= 3
                and ratios
                and len({slip(r, low, high) for r in ratios} | {0}) == 2
                and all(slip(r, low, high) for r in ratios)
            ):
                others = [s for s in samples if s is not e]
                if sum(
                    bool(slip((e.measured or 0.0) / (s.measured or 1.0), low / 10, high * 10)) for s in others
                ) >= 0.6 * len(others):
                    yield Hit(
                        given.events,
                        e.record,
                        "dv_ng_ml",
                        f"the samples beside it are {', '.join(f'{s.measured:g}' for s in near)}",
                    )


@rule(
    "events.slip_twin",
    "warning",
    "all concentrations of a twin about 1000 times, or a thousandth of, those of the others for their dose",
    why="the samples of this twin may stand in another unit",
    fix="check the unit of this twin's concentrations",
)
def _twin(given: Given) -> Iterator[Hit]:
    per_dose: dict[str, tuple[float, Event]] = {}
    usual_dose = median(e.amount for e in given.rows if e.is_dose and e.amount)
    for twin, rows in given.people.items():
        if len({e.quantity for e in rows if e.measured is not None}) != 1:
            continue
        doses = [e.amount for e in rows if e.is_dose and e.amount]
        samples = [e for e in rows if e.measured is not None]
        if doses and samples and not slip(median(doses) / usual_dose, *given.limit("slip")):  # else events.slip_dose
            per_dose[twin] = geometric_mean(e.measured or 0.0 for e in samples) / median(doses), samples[0]
    usual = median(ratio for ratio, _ in per_dose.values())
    for ratio, first in per_dose.values() if len(per_dose) >= 3 else ():
        if slip(ratio / usual, *given.limit("slip")):
            what = f"the twin's concentrations for its dose are {ratio / usual:.3g} times those of the others"
            yield Hit(given.events, first.record, "dv_ng_ml", what)


@rule(
    "events.weight_dose",
    "warning",
    "doses that follow body weight as mg/kg do, in a column of mg",
    why="amounts may be per kg",
    fix="multiply by the weight, or leave it if doses were adjusted to weight",
)
def _per_kg(given: Given) -> Iterator[Hit]:
    doses = [e for e in given.rows if e.is_dose and e.amount]
    weights = [_weight(e) for e in doses]
    if len(doses) < 6 or not all(weights):
        return
    products = {round((e.amount or 0.0) * w, 1) for e, w in zip(doses, weights, strict=True)}
    amounts = {e.amount for e in doses}
    if len(amounts) >= 4 and len(products) == 1:
        yield Hit(
            given.events,
            doses[0].record,
            "dose_mg",
            f"dose times weight is {products.pop():g} in every row: dose / weight?",
        )


def _weight(e: Event) -> float:
    return e.record.number("weight_kg") or 0.0
