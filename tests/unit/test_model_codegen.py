"""Generated code against algebra done elsewhere: numpy.linalg, complex steps, central differences.

The generated functions run here as plain Python (``njit`` does nothing), so that arrays may be complex.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pharmtwin.core.whole_body import whole_body
from pharmtwin.engine.compiled import HEADER
from pharmtwin.model.codegen import generate, symbolic_lu
from pharmtwin.model.description import Definition, Flux, Model, Module, Parameter, State, compose

STEP = 1e-30  # of the complex-step derivative: exact to rounding


def plain(model: Model) -> SimpleNamespace:
    """The generated functions as plain Python, with what the header of every generated file imports."""
    space: dict[str, Any] = {"njit": lambda **_: lambda f: f, "JIT": {}}
    imports = [line for line in HEADER.splitlines() if line.startswith(("import math", "from math"))]
    exec("\n".join(imports), space)
    exec(generate(model), space)
    return SimpleNamespace(**space)


@pytest.fixture(scope="module")
def body() -> SimpleNamespace:
    return plain(whole_body())


def constants(code: SimpleNamespace, p: NDArray[Any]) -> NDArray[Any]:
    q = np.zeros(code.NQ, dtype=p.dtype)
    code.prepare(p, q)
    return q


def rates(code: SimpleNamespace, y: NDArray[Any], p: NDArray[Any]) -> NDArray[Any]:
    dy = np.zeros((2, code.NS), dtype=np.result_type(y, p))
    code.rhs(y, constants(code, p), dy, 1)
    assert not dy[0].any(), "only the row that was asked for is written"
    return dy[1]


def dense(code: SimpleNamespace, y: NDArray[Any], p: NDArray[Any]) -> NDArray[Any]:
    J = np.zeros((code.NS, code.NS), dtype=np.result_type(y, p))
    code.jac_dense(y, constants(code, p), J)
    return J


def states(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    return rng.lognormal(-1.0, 1.5, n)


def body_point(vector: Callable[..., NDArray[np.float64]], seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    p = vector() * np.exp(0.5 * rng.standard_normal(len(vector())))
    p[whole_body().parameter_names.index("F_a")] = rng.uniform(0.2, 0.9)
    return states(rng, len(whole_body().states)), p


@pytest.mark.parametrize("seed", range(5))
def test_sparse_lu_solves_as_numpy_does(body: SimpleNamespace, vector: Callable[..., Any], seed: int) -> None:
    y, p = body_point(vector, seed)
    rng = np.random.default_rng(100 + seed)
    J = np.zeros(body.NLU)
    M = np.zeros(body.NLU)
    body.jac_slots(y, constants(body, p), J)
    for shift in 1.0 / (0.21 * np.array([1e-3, 0.1, 10.0, 1000.0])):
        body.shifted(J, shift, M)
        body.lu_factor(M)
        b = rng.standard_normal((2, body.NS))
        x = b.copy()
        body.lu_solve(M, x, 1)
        expected = np.linalg.solve(shift * np.eye(body.NS) - dense(body, y, p), b[1])
        np.testing.assert_allclose(x[1], expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())
        np.testing.assert_array_equal(x[0], b[0])


@pytest.mark.parametrize("seed", range(3))
def test_jacobian_is_the_derivative_of_the_rates(body: SimpleNamespace, vector: Callable[..., Any], seed: int) -> None:
    y, p = body_point(vector, seed)
    J = dense(body, y, p)
    exact = np.empty_like(J)
    for j in range(body.NS):
        z = y.astype(complex)
        z[j] += 1j * STEP
        exact[:, j] = rates(body, z, p).imag / STEP
    np.testing.assert_allclose(J, exact, rtol=1e-10, atol=1e-12 * np.abs(exact).max())
    numeric = np.empty_like(J)
    for j in range(body.NS):
        h = 1e-6 * y[j]
        e = np.eye(body.NS)[j] * h
        numeric[:, j] = (rates(body, y + e, p) - rates(body, y - e, p)) / (2 * h)
    np.testing.assert_allclose(J, numeric, rtol=1e-5, atol=1e-6 * np.abs(J).max())


@pytest.mark.parametrize("seed", range(3))
def test_products_and_parameter_derivatives(body: SimpleNamespace, vector: Callable[..., Any], seed: int) -> None:
    y, p = body_point(vector, seed)
    q, n = constants(body, p), body.NS
    rng = np.random.default_rng(200 + seed)
    v, w = rng.standard_normal((2, n)), rng.standard_normal((3, n))
    slots = np.zeros(body.NLU)
    body.jac_slots(y, q, slots)
    J = dense(body, y, p)

    o = np.full((4, n), 7.0)
    body.jac_times(slots, v, 1, o, 2)
    np.testing.assert_allclose(o[2], J @ v[1], rtol=1e-10, atol=1e-9)
    assert (o[[0, 1, 3]] == 7.0).all()

    o = np.full((4, n), 7.0)  # second derivatives are added to a row
    body.second_yy(y, q, v, 1, w, 2, o, 3)
    exact = dense(body, y + 1j * STEP * w[2], p).imag / STEP @ v[1]
    np.testing.assert_allclose(o[3] - 7.0, exact, rtol=1e-9, atol=1e-12 * max(1.0, np.abs(exact).max()))
    assert np.abs(exact).max() > 0 and (o[:3] == 7.0).all()

    names, theta = whole_body().parameter_names, whole_body().sensitivities
    first, mixed = np.full((1 + len(theta), n), 7.0), np.full((1 + len(theta), n), 7.0)
    body.rhs_dp(y, q, first, 1)
    body.second_yp(y, q, v, 1, mixed, 1)
    assert (first[0] == 7.0).all() and (mixed[0] == 7.0).all()
    for m, name in enumerate(theta):
        z = p.astype(complex)
        z[names.index(name)] += 1j * STEP
        exact = rates(body, y, z).imag / STEP
        np.testing.assert_allclose(first[1 + m] - 7.0, exact, rtol=1e-9, atol=1e-12 * max(1.0, np.abs(exact).max()))
        exact = dense(body, y, z).imag / STEP @ v[1]
        np.testing.assert_allclose(mixed[1 + m] - 7.0, exact, rtol=1e-9, atol=1e-12 * max(1.0, np.abs(exact).max()))


def test_observables_and_their_tangents(
    body: SimpleNamespace, vector: Callable[..., Any], body_values: dict[str, float]
) -> None:
    y, p = body_point(vector, 4)
    model = whole_body()
    value = dict(zip(model.parameter_names, p))
    o = np.zeros(body.NO)
    body.observe(y, constants(body, p), o)
    at = {s: y[k] for k, s in enumerate(model.state_names)}
    np.testing.assert_allclose(
        o, [at["A_venous"] / (value["V_venous"] * value["B_P"]), at["AUC"], at["E_CYP2D6"]], rtol=1e-14
    )
    S = np.random.default_rng(1).standard_normal((body.NT, body.NS))
    t = np.zeros((body.NO, body.NT))
    body.observe_tangent(y, constants(body, p), S, t)
    for m in range(body.NT):
        z = np.zeros(body.NO, dtype=complex)
        body.observe(y + 1j * STEP * S[m], constants(body, p), z)
        np.testing.assert_allclose(t[:, m], z.imag / STEP, rtol=1e-12, atol=1e-14)


def test_elimination_order_never_fills_more_than_it_says() -> None:
    arrow = {(0, j) for j in range(6)} | {(j, 0) for j in range(6)}  # hub eliminated last: no fill-in at all
    lu = symbolic_lu(arrow, 6)
    assert lu.order[-1] == 0 or set(lu.order[-2:]) >= {0}
    assert set(lu.slot) == arrow | {(i, i) for i in range(6)}
    assert sorted(lu.slot.values()) == list(range(len(lu.slot)))


def functions_model() -> Model:
    """Functions that disease and absorption modules need: exp, log, sqrt, powers, a Hill exponent."""
    return compose(
        "functions",
        [
            Module(
                name="all",
                states=(State("a", "1", ""), State("b", "1", "")),
                parameters=(Parameter("k", "1/h", ""), Parameter("hill", "1", "")),
                definitions=(Definition("E", "a**hill/(1 + a**hill)", "1", ""),),
                fluxes=(
                    Flux("one", "k*exp(-b)*E", "1/h", None, "a"),
                    Flux("two", "sqrt(a)*log(1 + b)/(1 + a)**2 + a**2*b**3", "1/h", None, "b"),
                    Flux("three", "k*b/(a + k)**4", "1/h", "b", None),
                ),
            )
        ],
        ["a", "E"],
        ("k", "hill"),
    )


def test_elementary_functions_are_generated() -> None:
    code = plain(functions_model())
    y, p = np.array([0.7, 0.4]), np.array([1.3, 2.5])

    def by_hand(y: NDArray[Any], p: NDArray[Any]) -> NDArray[Any]:
        (a, b), (k, hill) = y, p
        E = a**hill / (1 + a**hill)
        two = math.sqrt(a) * math.log(1 + b) / (1 + a) ** 2 + a**2 * b**3
        return np.array([k * math.exp(-b) * E, two - k * b / (a + k) ** 4])

    np.testing.assert_allclose(rates(code, y, p), by_hand(y, p), rtol=1e-13)
    J = dense(code, y, p)
    theta = np.zeros((2, 2))
    code.rhs_dp(y, constants(code, p), theta, 0)
    for j in range(2):
        e = 1e-6 * np.eye(2)[j]
        np.testing.assert_allclose(J[:, j], (by_hand(y + e, p) - by_hand(y - e, p)) / 2e-6, rtol=1e-7)
        np.testing.assert_allclose(theta[j], (by_hand(y, p + e) - by_hand(y, p - e)) / 2e-6, rtol=1e-7, atol=1e-12)
    v, w = np.array([[0.3, -1.1]]), np.array([[0.8, 0.5]])
    out, mixed = np.zeros((1, 2)), np.zeros((2, 2))
    code.second_yy(y, constants(code, p), v, 0, w, 0, out, 0)
    code.second_yp(y, constants(code, p), v, 0, mixed, 0)
    numeric = (dense(code, y + 1e-6 * w[0], p) - dense(code, y - 1e-6 * w[0], p)) @ v[0] / 2e-6
    np.testing.assert_allclose(out[0], numeric, rtol=1e-7)
    for m in range(2):
        e = 1e-6 * np.eye(2)[m]
        np.testing.assert_allclose(mixed[m], (dense(code, y, p + e) - dense(code, y, p - e)) @ v[0] / 2e-6, rtol=1e-7)


def test_generation_is_repeatable() -> None:
    assert generate(functions_model()) == generate(functions_model())
