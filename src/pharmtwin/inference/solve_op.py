"""A PyTensor operation that solves the model and carries its exact derivatives.

``SolveOp(x)`` takes the individual parameters of all runs, (n_runs, n_individual), and returns the
concentrations at the observation times, (n_observations,), and their derivatives with respect to each
run's own parameters, (n_observations, n_individual): value and Jacobian come from one solve. It runs
compiled (numba) inside the sampler. A run that fails gives NaN, which the sampler counts as a
divergence; failures are counted apart in ``failures``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import register_funcify_and_cache_key

from pharmtwin.engine.compiled import compiled, source_key, symbols
from pharmtwin.engine.kernels import event_tangents
from pharmtwin.engine.run import MAX_STEPS, N_STATS, SOLVE, Batch, absolute_tolerance
from pharmtwin.model.description import Model


def make_kernel(model: Model, batch: Batch, columns: list[int], observable: int, rtol: float) -> Any:
    """Compiled function ``x -> (values, jacobian, n_failed)`` over a fixed batch.

    ``columns`` are the positions of the individual parameters in the model's parameter vector, in the
    order of ``model.sensitivities``.
    """
    code = compiled(model)
    g = code.generated
    n_states, n_obs_kinds, n_tangents, n_scratch = g.n, g.n_o, g.n_t, code.scratch(tangents=True)
    entry, table = symbols(model)
    integer, double = numba.types.int64, numba.types.float64
    kinds = {"i": integer, "f": double, "I": numba.types.CPointer(integer), "F": numba.types.CPointer(double)}
    # the table goes as a number: it is the address itself
    arguments = [integer, *(kinds[c] for c in SOLVE[1:])]
    solve_entry = numba.types.ExternalFunction(entry, numba.types.void(*arguments))
    table_address = numba.types.ExternalFunction(table, integer())
    base, seg_t, seg_0 = batch.P, batch.seg_t, batch.seg_0
    ev_t, ev_state, ev_amount, ev_kind, ev_0 = batch.ev_t, batch.ev_state, batch.ev_amount, batch.ev_kind, batch.ev_0
    ev_dt, ev_da = event_tangents(batch.ev_dt, batch.ev_da, len(batch.ev_t), n_tangents)
    n_moving = len(ev_dt)
    times, t_0, y0, rec_ev, r0 = batch.times, batch.t_0, batch.y0, batch.rec_ev, batch.r0
    atol = absolute_tolerance(model, rtol)
    where = np.array(columns, dtype=np.int64)
    n_times, n_runs, n_events = len(batch.times), batch.n, len(batch.ev_t)

    @numba.njit(nogil=True)
    def kernel(x: Any) -> Any:
        P = base.copy()
        for k in range(n_runs):
            for row in range(seg_0[k], seg_0[k + 1]):
                for c in range(n_tangents):
                    P[row, where[c]] = x[k, c]
        values = np.empty((n_times, n_obs_kinds))
        tangents = np.empty((n_times, n_obs_kinds, n_tangents))
        final = np.empty((n_runs, n_states))
        rate = np.empty((n_runs, n_states))
        stat = np.zeros((n_runs, N_STATS))
        flag = np.zeros(n_runs, dtype=np.int64)
        scratch = np.empty(n_scratch)
        solve_entry(
            table_address(), P.ctypes, P.shape[0], seg_t.ctypes, seg_0.ctypes,
            ev_t.ctypes, ev_state.ctypes, ev_amount.ctypes, ev_kind.ctypes, n_events, ev_0.ctypes,
            ev_dt.ctypes, ev_da.ctypes, n_moving,
            times.ctypes, rec_ev.ctypes, n_times, t_0.ctypes, y0.ctypes, r0.ctypes, 0, n_runs, rtol, atol.ctypes,
            MAX_STEPS, 1, values.ctypes, tangents.ctypes, final.ctypes, rate.ctypes, stat.ctypes, flag.ctypes,
            scratch.ctypes,
        )  # fmt: skip
        failed = 0
        for k in range(n_runs):
            if flag[k] != 0:
                failed += 1
                for i in range(t_0[k], t_0[k + 1]):
                    values[i, observable] = np.nan
                    tangents[i, observable, :] = 0.0
        return values[:, observable].copy(), tangents[:, observable, :].copy(), failed

    return kernel


class SolveOp(Op):
    """See the module's docstring. ``run_of`` maps each observation to its run."""

    __props__ = ("key",)

    def __init__(self, model: Model, batch: Batch, observable: str, rtol: float) -> None:
        names = model.parameter_names
        self.columns = [names.index(s) for s in model.sensitivities]
        self.kernel = make_kernel(model, batch, self.columns, model.observable_names.index(observable), rtol)
        self.run_of = np.repeat(np.arange(batch.n), np.diff(batch.t_0))
        self.n_runs = batch.n
        # code of an older checkout, kept in PyTensor's cache, must never meet a newer solver
        ours = (Path(__file__).read_bytes(), SOLVE, compiled(model).scratch(tangents=True))
        self.key = _digest(
            source_key(model), *ours, observable, rtol, MAX_STEPS, absolute_tolerance(model, rtol),
            *vars(batch).values(),
        )  # fmt: skip

    def make_node(self, *inputs: Any) -> Apply:
        """x (n_runs, n_individual) -> values (n_obs,), jacobian (n_obs, n_individual)."""
        x = pt.as_tensor_variable(inputs[0], dtype="float64")
        return Apply(self, [x], [pt.dvector(), pt.dmatrix()])

    def infer_shape(self, fgraph: Any, node: Any, shapes: Any) -> Any:
        """Shapes are known from the batch."""
        n = len(self.run_of)
        return [(pt.constant(n),), (pt.constant(n), pt.constant(len(self.columns)))]

    def perform(self, node: Any, inputs: Sequence[Any], output_storage: Any) -> None:
        """Python-mode evaluation (tests, initial checks)."""
        values, jacobian, _ = self.kernel(np.ascontiguousarray(inputs[0]))
        output_storage[0][0] = values
        output_storage[1][0] = jacobian

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        """Only the values are differentiated; the Jacobian output serves the gradient."""
        return [[True, False]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any], output_gradients: Sequence[Any]) -> list[Any]:
        """Vector-Jacobian product from the Jacobian that the same solve returned."""
        gradient = output_gradients[0]
        if isinstance(gradient.type, DisconnectedType):
            return [pt.zeros_like(inputs[0])]
        weighted = gradient[:, None] * outputs[1]
        return [_scatter(weighted, self.run_of, self.n_runs)]


def _digest(*parts: Any) -> str:
    """sha256 over everything that is compiled in as a constant: PyTensor's cache key."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):  # with its shape: an empty array has no bytes
            digest.update(repr(part.shape).encode() + np.ascontiguousarray(part).tobytes())
        else:
            digest.update(repr(part).encode())
    return digest.hexdigest()


def _scatter(rows: Any, run_of: NDArray[np.int64], n_runs: int) -> Any:
    """Sum rows of observations into rows of runs (a constant selection matrix: runs are few)."""
    selection = np.zeros((n_runs, len(run_of)))
    selection[run_of, np.arange(len(run_of))] = 1.0
    return pt.dot(pt.constant(selection), rows)


@register_funcify_and_cache_key(SolveOp)
def _numba_solve_op(op: SolveOp, node: Any = None, **kwargs: Any) -> tuple[Any, str]:
    kernel = op.kernel

    @numba.njit(nogil=True)
    def solve(x: Any) -> Any:
        values, jacobian, _ = kernel(np.ascontiguousarray(x))
        return values, jacobian

    return solve, f"pharmtwin_solve_{op.key}"
