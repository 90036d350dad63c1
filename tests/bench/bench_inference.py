"""Effective draws a second of population fits: published posteriors, and the same PyMC model on scikit-sundae.

Run by hand: ``python tests/bench/bench_inference.py [mavoglurant | 01 | 04 | one_comp_mm_elim_abs | hudson_lynx_hare
...]``; default mavoglurant, 01 and 04. Needs the reference data beside the checkout. After each of Bayesian-Benchmarks
01 and 04 comes the peer: the same PyMC model, maps, starting point and sampler, but its ODE solved by CVODE through
scikit-sundae (BDF, rtol 1e-6), with the sensitivities as further states, the only way this package gives them (compiled
right-hand side and Jacobian). One short chain.
"""

from __future__ import annotations

import logging
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pharmtwin.engine.schedule import ADD_AMOUNT, ADD_RATE
from pharmtwin.inference.population_fit import anchors
from pharmtwin.inference.population_fit.build import PopulationFit, build
from pharmtwin.inference.population_fit.geometry import Density, settle
from pharmtwin.inference.population_fit.likelihood_op import LikelihoodOp
from pharmtwin.inference.population_fit.sample import Posterior, compile_fit, finished, sample, time_of_gradient
from pharmtwin.inference.problem import score as sc
from pharmtwin.inference.problem.problem import Problem

Floats = NDArray[np.float64]
DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "bayes"
MASTER = 20260801
#: of the peer's chain, which the clock ends after the trajectory under way; none has more steps than ours
PEER_SECONDS, PEER_DRAWS, PEER_DEPTH = 120.0, 10, 4


@njit
def _linear(t: float, y: Any, dy: Any, p: Any) -> None:
    """Two compartments and their derivatives for the logarithms of CL, VC, Q, VP; p: these and the input rate."""
    CL, VC, Q, VP, rate = p[0], p[1], p[2], p[3], p[4]
    a, b, c = CL / VC, Q / VC, Q / VP
    for k in range(5):
        x, z = y[2 * k], y[2 * k + 1]
        dy[2 * k] = -(a + b) * x + c * z
        dy[2 * k + 1] = b * x - c * z
    dy[0] += rate
    x, z = y[0], y[1]
    dy[2] -= a * x
    dy[4] += (a + b) * x
    dy[5] -= b * x
    dy[6] += -b * x + c * z
    dy[7] += b * x - c * z
    dy[8] -= c * z
    dy[9] += c * z


@njit
def _linear_jacobian(t: float, y: Any, dy: Any, J: Any, p: Any) -> None:
    CL, VC, Q, VP = p[0], p[1], p[2], p[3]
    a, b, c = CL / VC, Q / VC, Q / VP
    J[:, :] = 0.0
    for k in range(5):
        J[2 * k, 2 * k], J[2 * k, 2 * k + 1] = -(a + b), c
        J[2 * k + 1, 2 * k], J[2 * k + 1, 2 * k + 1] = b, -c
    J[2, 0] -= a
    J[4, 0] += a + b
    J[5, 0] -= b
    J[6, 0], J[6, 1] = J[6, 0] - b, J[6, 1] + c
    J[7, 0], J[7, 1] = J[7, 0] + b, J[7, 1] - c
    J[8, 1] -= c
    J[9, 1] += c


@njit
def _saturable(t: float, y: Any, dy: Any, p: Any) -> None:
    """Depot and central compartment and their derivatives for the logarithms of VC, VMAX, KM, KA (p)."""
    VC, VMAX, KM, KA = p[0], p[1], p[2], p[3]
    c = y[1] / VC
    R = VMAX * c / (KM + c)
    q = VMAX * KM / (KM + c) ** 2
    dy[0] = -KA * y[0]
    dy[1] = KA * y[0] - R
    for k in range(1, 5):
        x, z = y[2 * k], y[2 * k + 1]
        dy[2 * k] = -KA * x
        dy[2 * k + 1] = KA * x - q / VC * z
    dy[3] += q * c
    dy[5] -= R
    dy[7] += q * c
    dy[8] -= KA * y[0]
    dy[9] += KA * y[0]


@njit
def _saturable_jacobian(t: float, y: Any, dy: Any, J: Any, p: Any) -> None:
    VC, VMAX, KM, KA = p[0], p[1], p[2], p[3]
    c = y[1] / VC
    q = VMAX * KM / (KM + c) ** 2
    bent = -2.0 * q / ((KM + c) * VC**2)  # second derivative of the rate for the amount
    mixed = q / VC * (KM - c) / (KM + c)
    J[:, :] = 0.0
    for k in range(5):
        J[2 * k, 2 * k] = -KA
        J[2 * k + 1, 2 * k], J[2 * k + 1, 2 * k + 1] = KA, -q / VC
    for k in range(1, 5):
        J[2 * k + 1, 1] -= bent * y[2 * k + 1]
    J[3, 1] += mixed
    J[5, 1] -= q / VC
    J[7, 1] += mixed
    J[8, 0], J[9, 0] = J[8, 0] - KA, J[9, 0] + KA


#: right-hand side, Jacobian, the state that is measured and the parameter that is its volume
STRUCTURES: dict[str, tuple[Any, Any, int, int]] = {
    "bayesian_benchmarks_01": (_linear, _linear_jacobian, 0, 1),
    "bayesian_benchmarks_04": (_saturable, _saturable_jacobian, 1, 0),
}


class Sundae:
    """A model's likelihood and gradients as ``kernel.make_kernel`` gives them, by scikit-sundae."""

    def __init__(self, problem: Problem) -> None:
        from sksundae.cvode import CVODE

        self.problem, self.calls = problem, 0
        self.p = np.zeros(5)  # four parameters and the input rate
        rhs, jacobian, self.seen, self.volume = STRUCTURES[problem.model.name]
        self.solver = CVODE(
            lambda t, y, dy: rhs(t, y, dy, self.p), jacfn=lambda t, y, dy, J: jacobian(t, y, dy, J, self.p),
            method="BDF", rtol=1e-6, atol=1e-8, linsolver="dense", max_num_steps=100_000,
        )  # fmt: skip

    def __call__(self, theta: Floats, eta: Floats, sigma: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """See ``kernel.make_kernel``."""
        self.calls += 1
        p, n = self.problem, len(self.problem.subjects)
        f, J = np.empty(len(p.y)), np.empty((len(p.y), 4))
        for i in range(n):
            own = np.flatnonzero(p.run_of_obs == i)
            f[own], J[own] = self.solve(i, theta * np.exp(eta[i]))
        value, d_f, weight, d_s = np.empty(len(f)), np.empty(len(f)), np.empty(len(f)), np.empty((len(f), 2))
        sc.score(f, p.y, p.code, p.limit, p.kind, p.where, p.zero, sigma, value, d_f, d_s, weight)
        g = np.zeros((n, 4))
        np.add.at(g, p.run_of_obs, d_f[:, None] * J)
        return np.bincount(p.run_of_obs, value, n), g / theta, g, np.bincount(p.run_of_obs, d_s[:, 0], n)[:, None]

    def solve(self, i: int, parameters: Floats) -> tuple[Floats, Floats]:
        """Concentrations of subject i (n_obs,), and their derivatives for its parameters' logarithms (n_obs, 4)."""
        b = self.problem.batch
        self.p[:4], self.p[4] = parameters, 0.0
        times = b.times[b.t_0[i] : b.t_0[i + 1]]
        events = range(b.ev_0[i], b.ev_0[i + 1])
        assert np.all(np.isin(b.ev_kind[events], [ADD_AMOUNT, ADD_RATE]))
        out, y, now = np.empty((len(times), 10)), np.zeros(10), 0.0
        stops = np.append(b.ev_t[events], np.inf)
        for k, stop in enumerate(stops):
            wanted = np.flatnonzero((times >= now) & (times < stop))
            last = stop if np.isfinite(stop) else times[-1]
            if last > now:
                span = np.unique([now, *times[wanted], last])
                solved = self.solver.solve(span, y)
                out[wanted] = solved.y[np.searchsorted(span, times[wanted])]
                y = solved.y[-1].copy()
            now = stop
            if k < len(events):
                if b.ev_kind[events[k]] == ADD_RATE:
                    self.p[4] += b.ev_amount[events[k]]
                else:
                    y[b.ev_state[events[k]]] += b.ev_amount[events[k]]
        c = out[:, self.seen] / parameters[self.volume]
        J = out[:, 2 + self.seen :: 2] / parameters[self.volume]
        J[:, self.volume] -= c
        return c, J


class SundaeOp(LikelihoodOp):
    """The likelihood's operation on :class:`Sundae`; it runs in Python only."""

    def __init__(self, problem: Problem) -> None:
        n = len(problem.subjects)
        self.problem, self.key, self.kernel = problem, "sundae", Sundae(problem)
        self.counter, self.shapes = np.zeros(2, dtype=np.int64), ((n,), (n, 4), (n, 4), (n, 1))


def peer(fit: PopulationFit, compiled: Any, ours: Posterior) -> None:
    """One short chain of the same PyMC model on scikit-sundae, beside ours in the same run."""
    import nutpie
    import pytensor
    from nutpie.compiled_pyfunc import from_pyfunc

    theirs = build(fit.source, fit.problem.data, lkj=fit.lkj, operation=SundaeOp)
    for name, value in fit.maps.items():
        theirs.maps[name].set_value(value.get_value())
    n, shape = fit.n_free, (len(fit.problem.subjects), fit.n_random)
    values = theirs.model.value_vars
    log_density = theirs.model.logp()
    with pytensor.config.change_flags(on_unused_input="ignore"):
        f = pytensor.function(values, [log_density, *pytensor.grad(log_density, values)], mode="FAST_COMPILE")

    def density(x: Floats) -> tuple[float, Floats]:
        value, g_v, g_u = f(x[:n], x[n:].reshape(shape))
        return float(value), np.concatenate([g_v, g_u.ravel()])

    x = 0.3 * np.random.default_rng(0).normal(size=int(compiled.n_dim))
    mine, theirs_at_x = Density(fit, compiled)(x), density(x)
    begun = time.perf_counter()
    density(x)
    one = time.perf_counter() - begun
    print(f"scikit-sundae: log density {theirs_at_x[0]:.4f}, ours {mine[0]:.4f}; largest difference of the gradient "
          f"{np.abs(theirs_at_x[1] - mine[1]).max():.2g}; {one:.2f} s a gradient, ours "
          f"{1e3 * time_of_gradient(fit, compiled):.1f} ms")  # fmt: skip
    model = from_pyfunc(
        len(x), lambda: density, lambda *_: lambda p: {"v": np.asarray(p[:n])}, [np.dtype("float64")], [(n,)], ["v"]
    )
    calls, begun = theirs.op.kernel.calls, time.perf_counter()
    sampler = nutpie.sample(
        model, chains=1, cores=1, tune=PEER_DRAWS, draws=PEER_DRAWS, seed=1, progress_bar=False, blocking=False,
        save_warmup=True, maxdepth=PEER_DEPTH,
    )  # fmt: skip
    while not finished(sampler) and time.perf_counter() - begun < PEER_SECONDS:
        time.sleep(0.5)
    trace = sampler.abort()
    seconds, calls = time.perf_counter() - begun, theirs.op.kernel.calls - calls
    steps = np.concatenate([getattr(trace, g).n_steps.values.ravel() for g in ("warmup_sample_stats", "sample_stats")
                            if hasattr(trace, g)])  # fmt: skip
    per_gradient = ours.table["ess_bulk"].min() / ours.gradients
    print(f"its short chain: {calls} gradients in {seconds:.0f} s, {len(steps)} transitions of {steps.mean():.1f} steps"
          f". At our {per_gradient:.3g} effective draws (slowest parameter) a gradient: "
          f"{per_gradient * calls / seconds:.3g} a second, ours {ours.slowest()[1]:.3g}")  # fmt: skip


def main() -> None:
    """Sample the posteriors that were named."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name in sys.argv[1:] or ["mavoglurant", *anchors.BENCHMARKS]:
        if name == "mavoglurant":
            anchor = anchors.mavoglurant(DATA)
        elif name in anchors.BENCHMARKS:
            anchor = anchors.bayesian_benchmark(DATA, name)
        else:
            anchor = anchors.posteriordb(DATA, name)
        fit = anchor.make()
        compiled = compile_fit(fit)
        begun = time.perf_counter()
        centre = settle(fit, compiled)
        print(f"{name}: centre in {centre.rounds} rounds, {time.perf_counter() - begun:.0f} s")
        posterior = sample(fit, anchor.plan, master=MASTER, name=anchor.name, compiled=compiled, centre=centre)
        print(anchors.told(anchor, posterior), flush=True)
        if name in anchors.BENCHMARKS:
            peer(fit, compiled, posterior)


if __name__ == "__main__":
    main()
