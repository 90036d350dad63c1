"""Engines against other programs in the same process: libroadrunner (CVODE on compiled SBML) and CasADi (CVODES).

Needs the peers (``make peers``); they read our exported SBML or are given the equations as text.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pharmtwin.core.whole_body import whole_body
from pharmtwin.engine import cvode
from pharmtwin.engine.run import Dose, pack, simulate, simulate_with_sensitivities
from pharmtwin.exchange.sbml_export import to_sbml
from pharmtwin.model.description import Definition, Model

roadrunner = pytest.importorskip("roadrunner")
casadi = pytest.importorskip("casadi")

pytestmark = pytest.mark.reference
Floats = NDArray[np.float64]
TIMES = np.linspace(0.0, 24.0, 97)


def peer(model: Model, p: Floats, dose: float) -> Floats:
    """Every state over a day after an oral dose, by libroadrunner."""
    runner = roadrunner.RoadRunner(to_sbml(model, parameter_values=dict(zip(model.parameter_names, p, strict=True))))
    runner.integrator.relative_tolerance = 1e-11
    runner.integrator.absolute_tolerance = 1e-14
    runner.integrator.stiff = True
    runner.timeCourseSelections = list(model.state_names)
    oral = model.state_names[model.dose_state("oral")]
    runner[oral] = runner[oral] + dose
    return np.asarray(runner.simulate(TIMES[0], TIMES[-1], len(TIMES)))


def all_states(model: Model) -> Model:
    """The model with every state as observable."""
    seen = tuple(Definition(s.name, s.name, s.unit, s.meaning) for s in model.states)
    return replace(model, observables=seen)


def worst(a: Floats, b: Floats) -> float:
    """Largest difference relative to the value, with a floor of 1e-6 of the state's largest value."""
    floor = 1e-6 * np.abs(b).max(axis=0)
    return float(np.nanmax(np.abs(a - b) / np.maximum(np.abs(b), floor)))


def test_exported_body_in_libroadrunner_agrees_and_nobody_is_harmed(vector: Callable[..., Floats]) -> None:
    model = all_states(whole_body())
    p = vector()
    batch = pack(model, [p], [[Dose(0.0, 20.0)]], [TIMES])
    assert cvode.driver_fault() is None
    before = simulate(model, batch, engine="cvode", rtol=1e-10)
    first = peer(model, p, 20.0)
    after = simulate(model, batch, engine="cvode", rtol=1e-10)
    second = peer(model, p, 20.0)
    np.testing.assert_array_equal(before.values, after.values)
    np.testing.assert_array_equal(first, second)
    fast = simulate(model, batch, engine="rosenbrock", rtol=1e-10)
    figures = {"cvode": worst(before.values[1:], first[1:]), "rosenbrock": worst(fast.values[1:], first[1:])}
    print(f"\nwhole body, {len(model.states)} states, against libroadrunner {roadrunner.__version__}: {figures}")
    assert max(figures.values()) < 1e-5


def casadi_expression(text: str, symbols: dict[str, Any]) -> Any:
    """An expression of our language in CasADi's symbols (what the whole body needs of it)."""

    def go(node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=v):
                return v
            case ast.Name(id=name):
                return symbols[name]
            case ast.UnaryOp(op=ast.USub(), operand=a):
                return -go(a)
            case ast.BinOp(left=a, op=op, right=b):
                x, y = go(a), go(b)
                if isinstance(op, ast.Add):
                    return x + y
                if isinstance(op, ast.Sub):
                    return x - y
                if isinstance(op, ast.Mult):
                    return x * y
                if isinstance(op, ast.Div):
                    return x / y
                if isinstance(op, ast.Pow):
                    return x**y
        raise ValueError(
            f"{ast.unparse(node)!r} has no translation to CasADi here, so the peer cannot be given this model: "
            "add a case for it above"
        )

    return go(ast.parse(text, mode="eval").body)


def test_an_expression_without_a_translation_is_named() -> None:
    with pytest.raises(ValueError, match=r"'a < b' has no translation to CasADi here"):
        casadi_expression("2*(a < b)", {"a": 1.0, "b": 2.0})


def casadi_gradients(model: Model, p: Floats, doses: list[Dose], times: Floats) -> Floats:
    """d observable / d sensitivity parameters by CVODES' forward sensitivities, (n_t, n_observables, n)."""
    names = model.parameter_names
    theta = casadi.SX.sym("theta", len(model.sensitivities))
    y = casadi.SX.sym("y", len(model.states))
    symbols: dict[str, Any] = {n: float(v) for n, v in zip(names, p, strict=True)}
    symbols |= {n: theta[k] for k, n in enumerate(model.sensitivities)}
    symbols |= {s: y[k] for k, s in enumerate(model.state_names)}
    for d in model.definitions:
        symbols[d.name] = casadi_expression(d.expression, symbols)
    rates = {s: 0 for s in model.state_names}
    for f in model.fluxes:
        rate = casadi_expression(f.expression, symbols)
        for state, coefficient in f.changes:
            rates[state] = rates[state] + float(coefficient) * rate
    system = {"x": y, "p": theta, "ode": casadi.vertcat(*[rates[s] for s in model.state_names])}
    observe = casadi.Function("o", [y, theta], [casadi.vertcat(*[symbols[o.name] for o in model.observables])])
    value = np.array([p[names.index(s)] for s in model.sensitivities])
    start = casadi.MX.sym("start", len(value))
    state: Any = casadi.DM([s.initial for s in model.states])
    out, t = [], 0.0
    stops = sorted({*times.tolist(), *(d.time for d in doses)})
    for stop in stops:
        if stop > t:
            options = {"abstol": 1e-13, "reltol": 1e-11, "max_num_steps": 200_000}
            step = casadi.integrator("step", "cvodes", system, 0.0, stop - t, options)
            state = step(x0=state, p=start)["xf"]
            t = stop
        if stop in times:
            out.append(observe(state, start))
        for d in doses:
            if d.time == stop:
                unit = np.zeros(len(model.states))
                unit[model.dose_state(d.route)] = d.amount
                state = state + unit
    jacobians = casadi.Function("g", [start], [casadi.jacobian(o, start) for o in out])
    return np.array([np.asarray(j) for j in jacobians(value)])


def test_gradients_agree_with_casadi_and_central_differences(vector: Callable[..., Floats]) -> None:
    model = whole_body()
    p = vector()
    doses = [Dose(24.0 * k, 20.0) for k in range(3)]
    times = np.array([2.0, 8.0, 24.0, 30.0, 60.0, 72.0])
    batch = pack(model, [p], [doses], [times])
    mine = simulate_with_sensitivities(model, batch, rtol=1e-9).tangents
    assert mine is not None
    theirs = casadi_gradients(model, p, doses, times)
    step = 1e-5
    moved = []
    for s in model.sensitivities:
        for sign in (1.0, -1.0):
            q = p.copy()
            q[model.parameter_names.index(s)] *= 1.0 + sign * step
            moved.append(q)
    runs = simulate(
        model, pack(model, moved, [doses] * len(moved), [times] * len(moved)), engine="rosenbrock", rtol=1e-12
    )
    central = np.empty_like(mine)
    for k, s in enumerate(model.sensitivities):
        width = 2.0 * step * p[model.parameter_names.index(s)]
        central[:, :, k] = (runs.of(2 * k) - runs.of(2 * k + 1)) / width
    scale = np.abs(theirs).max(axis=0, keepdims=True)
    against = {
        name: float((np.abs(mine - other) / scale).max()) for name, other in (("casadi", theirs), ("central", central))
    }
    print(f"\ngradients of {model.observable_names}, relative to the largest: {against}")
    assert against["casadi"] < 1e-5
    assert against["central"] < 1e-5
