"""Doses of all runs as events of the solver; where F, lag, duration, rate or a starting value are the model's, with
their derivatives.

These parameters are definitions free of states. Their values and derivatives at a point come from the solver's own
code: a model without states whose observables they are (:func:`static_model`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine import dose_rows as dr
from pharmtwin.engine.crosscheck import subset
from pharmtwin.engine.dose_parameters import batch_with, place
from pharmtwin.engine.run import Batch, pack_events, simulate, simulate_with_sensitivities
from pharmtwin.inference.models.description import PopulationModel, static_names
from pharmtwin.inference.problem.pieces import Piece
from pharmtwin.inference.problem.records import Dose
from pharmtwin.model.description import Definition, Model, State

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Run = tuple[int, Piece, dict[str, float]]


def static_model(model: PopulationModel, structure: Model) -> Model:
    """A model whose observables are the dose parameters and then the starting values, with the same parameters."""
    known = static_names(structure)
    kept = {d.name: d for d in structure.definitions if d.name in known}
    wanted = [d.name for d in model.doses] + [n for _, n in model.initial]
    observables = tuple(
        replace(kept[n], name=f"item_{k}") if n in kept else Definition(f"item_{k}", n, "1", n)
        for k, n in enumerate(wanted)
    )
    return replace(
        structure,
        name=f"{structure.name}_doses",
        states=(State("nothing", "1", "a model needs a state"),),
        fluxes=(),
        definitions=(*kept.values(), *observables),
        observables=observables,
        dose_targets=(),
    )


@dataclass(frozen=True, eq=False)
class DoseSolve:
    """Places events whose time or amount depends on effects.

    ``static`` gives their values: one run of ``batch`` a run and set of covariates (``run_of``, ``slot_of``: its place
    in the table of dose parameters). ``rows``: see ``engine.dose_parameters``.
    """

    static: Model
    batch: Batch
    run_of: Ints
    slot_of: Ints
    columns: Ints
    rows: dr.DoseRows
    n_items: int

    def table(self, x: Floats, derivatives: bool) -> tuple[Floats, Floats]:
        """Dose parameters of every run (n_runs, n) and their derivatives (n_runs, n, n_sensitivities) at effects x."""
        P = self.batch.P.copy()
        P[:, self.columns] = x[self.run_of]
        batch = replace(self.batch, P=P)
        solved = (
            simulate_with_sensitivities(self.static, batch)
            if derivatives
            else simulate(self.static, batch, engine="rosenbrock")
        )
        n_runs, n_sens = self.rows.n, len(self.static.sensitivities) if derivatives else 0
        X = np.full((n_runs, self.rows.n_parameters), np.nan)
        dX = np.zeros((n_runs, self.rows.n_parameters, n_sens))
        for k in range(self.n_items):
            X[self.run_of, self.slot_of * self.n_items + k] = solved.values[:, k]
            if solved.tangents is not None:
                dX[self.run_of, self.slot_of * self.n_items + k] = solved.tangents[:, k]
        return X, dX

    def place(self, batch: Batch, x: Floats, derivatives: bool) -> Batch:
        """The batch with the events of the point x."""
        X, dX = self.table(x, derivatives)
        return batch_with(batch, place(self.rows, X, dX if derivatives else None))

    def of(self, runs: Sequence[int]) -> DoseSolve:
        """For some of the runs (in this order, repeats allowed)."""
        number = [np.flatnonzero(self.run_of == r) for r in runs]
        chosen = np.concatenate(number)
        run_of = np.repeat(np.arange(len(runs)), [len(n) for n in number])
        return replace(self, batch=subset(self.batch, chosen.tolist()), run_of=run_of, slot_of=self.slot_of[chosen],
                       rows=self.rows.of(runs))  # fmt: skip


def place_doses(
    model: PopulationModel, structure: Model, batch: Batch, runs: Sequence[Run], base: Floats, columns: list[int],
    where: dict[str, int], effects: Ints,
) -> tuple[Batch, DoseSolve | None]:  # fmt: skip
    """The batch with its events where these do not depend on effects, else what places them at a point.

    base (n_parameters,) parameters of the model, ``columns`` those of the covariates, ``where`` their numbers by name,
    ``effects`` the numbers of the effects.
    """
    n_items = len(model.doses) + len(model.initial)
    items = {(structure.state_names.index(d.state), d.item): k for k, d in enumerate(model.doses)}
    starts = {structure.state_names.index(s): len(model.doses) + k for k, (s, _) in enumerate(model.initial)}
    static = static_model(model, structure)

    def evaluated(covariates: Sequence[Sequence[Floats]]) -> tuple[Batch, Ints, Ints]:
        """Runs of the static model: one a run and set of covariates; the run and the place in its sets of each."""
        P, run_of, slot_of = [], [], []
        for r, sets in enumerate(covariates):
            for slot, row in enumerate(sets):
                own = base.copy()
                own[columns] = row
                for name, value in runs[r][2].items():
                    own[where[name]] = value
                P.append(own)
                run_of.append(r)
                slot_of.append(slot)
        one = pack_events(static, P, [[] for _ in P], [np.zeros(1)] * len(P))
        return one, np.array(run_of, dtype=np.int64), np.array(slot_of, dtype=np.int64)

    parts = [[_Part(d, own, own) for d, own in zip(p.doses, p.dose_covariates, strict=True)] for _, p, _ in runs]
    if n_items and any(_covariates_change(piece) for _, piece, _ in runs):
        lags = [np.zeros(len(piece.doses)) for _, piece, _ in runs]
        if any(item == "lag" for _, item in items) and any(len(lag) for lag in lags):
            one, run_of, slot_of = evaluated([list(piece.dose_covariates) for _, piece, _ in runs])
            values = simulate(static, one, engine="rosenbrock").values
            for r, slot, row in zip(run_of, slot_of, values, strict=True):
                column = items.get((runs[r][1].doses[slot].state, "lag"))
                lags[r][slot] = 0.0 if column is None else row[column]
        parts = [_parts(piece, lag) for (_, piece, _), lag in zip(runs, lags, strict=True)]
    indices = [_slots(piece, own) for (_, piece, _), own in zip(runs, parts, strict=True)]
    n_parameters = max((len(index) for index in indices), default=1) * n_items
    tables = [
        _rows(piece, own, index, items, n_items) for (_, piece, _), own, index in zip(runs, parts, indices, strict=True)
    ]
    rows = dr.DoseRows.create(
        structure, tables, n_parameters, [starts] * len(runs), [piece.start for _, piece, _ in runs]
    )
    if not n_items:
        none = np.zeros((len(runs), 0))
        return batch_with(batch, place(rows, none)), None
    one, run_of, slot_of = evaluated([[np.frombuffer(key, dtype=float) for key in index] for index in indices])
    return batch, DoseSolve(static, one, run_of, slot_of, effects, rows, n_items)


class _Part(NamedTuple):
    """A dose with the covariates of its row, which its lag is of, and those of F, duration and rate: at its arrival.

    NONMEM gives a dose that does not arrive with its own record (lag, ADDL) the F of the next record after it; checked
    to 3e-9 on predictions of its 7.4.4, where a lagged dose's F changes from dose to dose (run 921 of Le Louedec 2021,
    doi 10.1002/psp4.12689). These are the covariates in force there, wherever they hold from.
    """

    dose: Dose
    at_row: Floats
    arriving: Floats


def _covariates_change(piece: Piece) -> bool:
    return any(not np.array_equal(row, piece.first_covariates) for row in (*piece.segments, *piece.dose_covariates))


def _parts(piece: Piece, lags: Floats) -> list[_Part]:
    """Doses with their covariates; further doses (ADDL) apart where these differ. lags (n_doses,): typical ones (h)."""
    parts: list[_Part] = []
    for d, own, lag in zip(piece.doses, piece.dose_covariates, lags, strict=True):
        times = [d.time + k * d.ii for k in range(d.addl + 1)]
        arriving = [own if k == 0 and not lag > 0 else _in_force(piece, t + lag) for k, t in enumerate(times)]
        if all(np.array_equal(a, arriving[0]) for a in arriving):
            parts.append(_Part(d, own, arriving[0]))
            continue
        for k, (time, there) in enumerate(zip(times, arriving, strict=True)):
            single = replace(d, time=time, ii=0.0, addl=0, row=d.row if k == 0 else -1)
            parts.append(_Part(single, own, there))
    return parts


def _in_force(piece: Piece, time: float) -> Floats:
    """Covariates in force just before a time."""
    return np.asarray(piece.segments[max(int(np.searchsorted(piece.segment_times, time)) - 1, 0)])


def _slots(piece: Piece, parts: Sequence[_Part]) -> dict[bytes, int]:
    """Distinct covariates where dose parameters are evaluated, numbered: those of the start first."""
    index = {np.ascontiguousarray(piece.first_covariates).tobytes(): 0}
    for part in parts:
        for row in (part.at_row, part.arriving):
            index.setdefault(np.ascontiguousarray(row).tobytes(), len(index))
    return index


def _rows(
    piece: Piece, parts: Sequence[_Part], index: dict[bytes, int], items: dict[tuple[int, str], int], n_items: int
) -> list[dr.Row]:
    """Doses and samples in the order of their rows; a dose that comes by itself before a row of its time."""
    keyed: list[tuple[float, int, int, dr.Row]] = []
    for number, (d, at_row, arriving) in enumerate(parts):
        slots = [index[np.ascontiguousarray(row).tobytes()] * n_items for row in (at_row, arriving)]
        column = {i: slots[i != "lag"] + k for (s, i), k in items.items() if s == d.state}
        kind, value, length = dr.BOLUS, 0.0, dr.NONE
        if d.rate > 0:
            kind, value = dr.RATE, d.rate
        elif d.rate == -1:
            kind, length = dr.RATE_PARAMETER, column["rate"]
        elif d.rate == -2:
            kind, length = dr.DURATION_PARAMETER, column["duration"]
        row = dr.Row(d.time, dr.DOSE, d.state, d.amount, kind, value, column.get("F", dr.NONE),
                     column.get("lag", dr.NONE), length, d.ii, d.addl)  # fmt: skip
        keyed.append((d.time, d.row, number - len(parts), row))
    for time, at in zip(piece.obs_times.tolist(), piece.obs_rows.tolist(), strict=True):
        keyed.append((time, at, 0, dr.Row(time, dr.RECORD)))
    return [row for *_, row in sorted(keyed, key=lambda k: k[:3])]
