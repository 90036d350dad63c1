"""Doses of all runs as events of the solver; where F, lag, duration, rate or a starting value are the model's, with
their derivatives.

These parameters are definitions free of states. Their values and derivatives at a point come from the solver's own code: a
model without states whose observables they are (:func:`static_model`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine import dose_rows as dr
from pharmtwin.engine.crosscheck import subset
from pharmtwin.engine.dose_parameters import batch_with, place
from pharmtwin.engine.run import Batch, pack_events, simulate, simulate_with_sensitivities
from pharmtwin.inference.models.description import PopulationModel, static_names
from pharmtwin.inference.problem.pieces import Piece
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

    ``static`` gives their values: one run of ``batch`` a run and set of covariates (``run_of``, ``slot_of``: its place in
    the table of dose parameters). ``rows``: see ``engine.dose_parameters``.
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
    slots = [_slots(piece) for _, piece, _ in runs]
    n_items = len(model.doses) + len(model.initial)
    n_parameters = max((len(rows) for rows, _ in slots), default=1) * n_items
    items = {(structure.state_names.index(d.state), d.item): k for k, d in enumerate(model.doses)}
    starts = {structure.state_names.index(s): len(model.doses) + k for k, (s, _) in enumerate(model.initial)}
    tables = [_rows(piece, which, items, n_items) for (_, piece, _), (_, which) in zip(runs, slots, strict=True)]
    rows = dr.DoseRows.create(
        structure, tables, n_parameters, [starts] * len(runs), [piece.start for _, piece, _ in runs]
    )
    if not n_items:
        none = np.zeros((len(runs), 0))
        return batch_with(batch, place(rows, none)), None
    P, run_of, slot_of = [], [], []
    for r, ((_, _, values), (covariates, _)) in enumerate(zip(runs, slots, strict=True)):
        for slot, row in enumerate(covariates):
            own = base.copy()
            own[columns] = row
            for name, value in values.items():
                own[where[name]] = value
            P.append(own)
            run_of.append(r)
            slot_of.append(slot)
    static = static_model(model, structure)
    one = pack_events(static, P, [[] for _ in P], [np.zeros(1)] * len(P))
    integers = lambda v: np.array(v, dtype=np.int64)  # noqa: E731
    return batch, DoseSolve(static, one, integers(run_of), integers(slot_of), effects, rows, n_items)


def _slots(piece: Piece) -> tuple[list[Floats], list[int]]:
    """Distinct covariates where dose parameters are evaluated, those of the start first; which of them each dose has."""
    index = {piece.first_covariates.tobytes(): 0}
    which = [index.setdefault(np.ascontiguousarray(row).tobytes(), len(index)) for row in piece.dose_covariates]
    return [np.frombuffer(key, dtype=float) for key in index], which


def _rows(piece: Piece, which: list[int], items: dict[tuple[int, str], int], n_items: int) -> list[dr.Row]:
    """Doses and samples in the order of their rows."""
    keyed: list[tuple[int, int, dr.Row]] = []
    for number, (d, slot) in enumerate(zip(piece.doses, which, strict=True)):
        column = {i: slot * n_items + k for (s, i), k in items.items() if s == d.state}
        kind, value, length = dr.BOLUS, 0.0, dr.NONE
        if d.rate > 0:
            kind, value = dr.RATE, d.rate
        elif d.rate == -1:
            kind, length = dr.RATE_PARAMETER, column["rate"]
        elif d.rate == -2:
            kind, length = dr.DURATION_PARAMETER, column["duration"]
        row = dr.Row(d.time, dr.DOSE, d.state, d.amount, kind, value, column.get("F", dr.NONE),
                     column.get("lag", dr.NONE), length, d.ii, d.addl)  # fmt: skip
        keyed.append((d.row, number - len(piece.doses), row))
    for time, at in zip(piece.obs_times.tolist(), piece.obs_rows.tolist(), strict=True):
        keyed.append((at, 0, dr.Row(time, dr.RECORD)))
    return [row for _, _, row in sorted(keyed, key=lambda k: k[:2])]
