"""Subjects of a problem, one a pair of conditions: rest, the switch of conditions at time 0, jumps, measurements.

Rest ("preequilibration", and measurements at time inf) is reached by solving for a long time: set as numbers, it would
hide from the derivatives how it depends on the parameters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pharmtwin.exchange.petab import OUTSIDE, PetabProblem
from pharmtwin.inference.petab.assembly import Assembly
from pharmtwin.inference.petab.conditions import columns, is_set
from pharmtwin.inference.petab.parameters import Entry
from pharmtwin.inference.petab.stretches import Stretch
from pharmtwin.inference.problem.records import Dose, Subject
from pharmtwin.inference.problem.score import OBSERVED
from pharmtwin.model.description import TIME

#: a sample at the time of a jump is of what comes after it: so much later (share of the time, or of one unit of it),
#: where its formula itself jumps
BREATH = 1e-12


@dataclass(frozen=True)
class Sample:
    """A measurement: time (inf: at rest), number of its output, value, row of the table (from 2)."""

    time: float
    output: int
    value: float
    row: int


@dataclass(frozen=True)
class Group:
    """Measurements of one pair of conditions; ``before``: covariates at rest before time 0, or None."""

    id: str
    before: Mapping[str, float] | None
    stretches: tuple[tuple[Stretch, Mapping[str, float]], ...]
    samples: tuple[Sample, ...]

    @property
    def rests(self) -> bool:
        """Whether something of it is at rest."""
        return self.before is not None or any(math.isinf(s.time) for s in self.samples)


def groups_of(problem: PetabProblem, entries: Mapping[str, Entry], made: Assembly, faults: list[str]) -> list[Group]:
    """Groups in the order of their first rows; what cannot be held goes to ``faults``."""
    samples = _samples(problem, made, faults)
    if faults:
        return []
    found = []
    for (first, condition), own in samples.items():
        last = max(s.time for s in own)
        covariates = _covariates(problem, entries, made, condition, last)
        before = _covariates(problem, entries, made, first, math.inf)[-1][1] if first else None
        shared = first and len([1 for f, c in samples if c == condition]) > 1
        group = Group(f"{condition} after {first}" if shared else condition, before, tuple(covariates),
                      tuple(sorted(own, key=lambda s: s.time)))  # fmt: skip
        if first:
            _check_preparation(problem, made, condition, faults)
        if group.rests and made.structure is not None and TIME in made.structure.state_names:
            faults.append(
                f"condition {condition} is at rest somewhere, but the rates of the model depend on time itself"
            )
        found.append(group)
    return found


def _samples(problem: PetabProblem, made: Assembly, faults: list[str]) -> dict[tuple[str, str], list[Sample]]:
    names = list(made.outputs.outputs)
    found: dict[tuple[str, str], list[Sample]] = {}
    for k, row in enumerate(problem.measurements.to_dict("records")):
        cells = {str(c): str(v) for c, v in row.items()}
        number = k + 2
        try:
            time, value = float(cells["time"]), float(cells["measurement"])
        except ValueError:
            faults.append(
                f"row {number}: time {cells['time']!r} or measurement {cells['measurement']!r} is not a number"
            )
            continue
        output = made.outputs.of_row[k]
        if not time >= 0 or not math.isfinite(value):
            faults.append(f"row {number}: time {time:g} lies before 0, or measurement {value:g} is not finite")
        if made.outputs.outputs[output].error == "lognormal" and value <= 0:
            faults.append(f"row {number}: measurement {value:g} has no logarithm")
        first = cells.get("preequilibrationConditionId", "")
        key = (first if is_set(first) else "", cells["simulationConditionId"])
        found.setdefault(key, []).append(Sample(time, names.index(output), value, number))
    return found


def _covariates(
    problem: PetabProblem, entries: Mapping[str, Entry], made: Assembly, condition: str, last: float
) -> list[tuple[Stretch, Mapping[str, float]]]:
    """Stretches of a condition and the covariates in each."""
    parameters, states = problem.model.start_values(made.values.numbers[condition])
    parameters |= {OUTSIDE + p: e.value for p, e in entries.items()}
    found: list[tuple[Stretch, Mapping[str, float]]] = []
    for stretch in made.switches.stretches(parameters, states, last):
        row = {}
        for name in made.covariates:
            if name in stretch.changed:
                row[name] = stretch.changed[name]
            elif name in stretch.flags:
                row[name] = stretch.flags[name]
            elif name in made.values.covariates:
                row[name] = made.values.covariates[name][condition]
            else:
                row[name] = parameters[name]
        found.append((stretch, row))
    return found


def _check_preparation(problem: PetabProblem, made: Assembly, condition: str, faults: list[str]) -> None:
    """Faults where what comes after rest cannot be held."""
    parameters = set(problem.model.model.parameter_names)
    anew = [c for c in columns(problem) if problem.model.name_of(c) not in parameters]
    anew = [c for c in anew if is_set(problem.conditions.loc[condition, c])]
    if anew:
        faults.append(f"condition {condition} sets {', '.join(anew)} anew after preequilibration")
    if made.switches.events:
        faults.append(f"condition {condition} is preequilibrated, but the model has events")


def subjects_of(groups: Sequence[Group], made: Assembly, rest: float) -> list[Subject]:
    """Subjects of groups; ``rest``: how long rest takes."""
    assert made.structure is not None
    states = {n: k for k, n in enumerate(made.structure.state_names)}
    outputs = list(made.outputs.outputs.values())
    found = []
    for group in groups:
        rows: list[tuple[float, Mapping[str, float]]] = []
        doses: list[Dose] = []
        seen: list[tuple[int, Sample]] = []
        last = max([group.stretches[-1][0].start, *(s.time for s in group.samples if math.isfinite(s.time))])
        at_rest = last + rest
        if group.before is not None:
            rows += [(-rest, group.before), (0.0, group.before)]
        for k, (stretch, covariates) in enumerate(group.stretches):
            if k:  # the stretch before ends here, whether covariates hold up to their row or from it on
                rows.append((stretch.start, group.stretches[k - 1][1]))
            rows.append((stretch.start, covariates))
            for state, amount in stretch.doses:
                doses.append(Dose(stretch.start, states[state], amount, 0.0, 0.0, 0, 0, len(rows)))
                rows.append((stretch.start, covariates))
            end = group.stretches[k + 1][0].start if k + 1 < len(group.stretches) else math.inf
            for sample in group.samples:
                if stretch.start <= sample.time < end or (math.isinf(sample.time) and math.isinf(end)):
                    seen.append((len(rows), sample))
                    jumps = k or group.before is not None
                    at = at_rest if math.isinf(sample.time) else sample.time
                    if jumps and at == stretch.start and outputs[sample.output].observable in made.jumping:
                        at += BREATH * max(1.0, at)
                    rows.append((at, covariates))
        samples = [s for _, s in seen]
        found.append(
            Subject(
                group.id,
                np.array([t for t, _ in rows]),
                np.array([[c[n] for n in made.covariates] for _, c in rows], dtype=float).reshape(len(rows), -1),
                np.zeros(len(rows), dtype=np.int64),
                (),
                tuple(doses),
                np.array([k for k, _ in seen], dtype=np.int64),
                np.array([s.output for s in samples], dtype=np.int64),
                np.array([s.value for s in samples]),
                np.full(len(samples), OBSERVED, dtype=np.int64),
                np.zeros(len(samples)),
                np.array([s.row for s in samples], dtype=np.int64),
            )
        )
    return found
