"""SUNDIALS CVODE through scikit-sundae's public API: the reference engine.

BDF with Newton iteration, compiled right-hand side and analytic Jacobian (dense), one solver object for
all runs; integration restarts at every dose or change of parameters. Hindmarsh et al. 2005, ACM Trans
Math Softw 31:363, doi 10.1145/1089014.1089020.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine.compiled import compiled
from pharmtwin.engine.run import MAX_STEPS, Batch, Trajectories, absolute_tolerance
from pharmtwin.model.description import Model

CVODE_FAILED = 4


def _run(module: Any, solver: Any, q: NDArray[Any], r: NDArray[Any], batch: Batch, k: int, values: NDArray[Any]) -> Any:
    """Integrate run ``k``; returns the final state or None if CVODE gave up."""
    times = batch.times[batch.t_0[k] : batch.t_0[k + 1]]
    seg = slice(batch.seg_0[k], batch.seg_0[k + 1])
    seg_t, P = batch.seg_t[seg], batch.P[seg]
    ev = range(batch.ev_0[k], batch.ev_0[k + 1])
    breaks = sorted({*seg_t[1:], *(batch.ev_t[e] for e in ev), times[-1]})
    t, y, i_seg = float(seg_t[0]), batch.y0[k].copy(), 0
    r[:] = 0.0
    module.prepare(P[0], q)
    done = int(np.searchsorted(times, t, side="right"))
    for i in range(done):
        module.observe(y, q, values[i])
    for stop in breaks:
        if stop > t and done < len(times):
            inner = times[done:][times[done:] < stop]
            grid = np.unique(np.concatenate([[t], inner, [stop]]))
            if len(grid) == 2:  # two points would make CVODE return its own steps
                grid = np.array([t, 0.5 * (t + stop), stop])
            result = solver.solve(grid, y)
            if not result.success or not np.all(np.isfinite(result.y)):
                return None
            while done < len(times) and times[done] <= stop:
                module.observe(result.y[np.searchsorted(grid, times[done])], q, values[done])
                done += 1
            t, y = float(stop), result.y[-1].copy()
        if t >= times[-1]:
            break
        while i_seg + 1 < len(seg_t) and seg_t[i_seg + 1] <= t:
            i_seg += 1
            module.prepare(P[i_seg], q)
        for e in ev:
            if batch.ev_t[e] == t:
                if batch.ev_kind[e] == 0:
                    y[batch.ev_state[e]] += batch.ev_amount[e]
                else:
                    r[batch.ev_state[e]] += batch.ev_amount[e]
    return y


def solve(model: Model, batch: Batch, rtol: float) -> Trajectories:
    """Solve a batch; a run that CVODE gives up on has flag 4 and NaN values."""
    from sksundae.cvode import CVODE

    module = compiled(model)
    q, r = np.zeros(module.NQ), np.zeros(module.NS)
    solver = CVODE(
        module.cvode_rhs,
        jacfn=module.cvode_jac,
        userdata=(q, r),
        rtol=rtol,
        atol=absolute_tolerance(model, rtol),
        linsolver="dense",
        max_num_steps=MAX_STEPS,
    )
    values = np.full((len(batch.times), module.NO), np.nan)
    final = np.full((batch.n, module.NS), np.nan)
    flag = np.zeros(batch.n, dtype=np.int64)
    for k in range(batch.n):
        mine = slice(batch.t_0[k], batch.t_0[k + 1])
        end = _run(module, solver, q, r, batch, k, values[mine])
        if end is None:
            flag[k] = CVODE_FAILED
            values[mine] = np.nan
        else:
            final[k] = end
    return Trajectories(values, batch.t_0, final, flag, np.zeros(batch.n, dtype=np.int64))
