"""Generated programs against algebra done elsewhere: numpy.linalg, complex steps, central differences.

The programs are run here as plain Python (``program_fixture``); then the machine code and the tape that
the engines use must say the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from llvmlite import ir
from numpy.typing import NDArray
from program_fixture import EVERYTHING, STEP, Interpreted, called, everything_model

from pharmtwin.core.whole_body import whole_body
from pharmtwin.engine.native import _Function, llvm_text
from pharmtwin.engine.tape import OPCODES
from pharmtwin.model.codegen import FUNCTIONS, generate, row_width, symbolic_lu
from pharmtwin.model.description import Definition, Flux, Model, Module, Parameter, State, compose
from pharmtwin.model.program import OPERATIONS, Program


@pytest.fixture(scope="module")
def body() -> Interpreted:
    return Interpreted(whole_body())


def states(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    return rng.lognormal(-1.0, 1.5, n)


def body_point(vector: Callable[..., NDArray[np.float64]], seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    p = vector() * np.exp(0.5 * rng.standard_normal(len(vector())))
    p[whole_body().parameter_names.index("F_a")] = rng.uniform(0.2, 0.9)
    return states(rng, len(whole_body().states)), p


@pytest.mark.parametrize("seed", range(5))
def test_sparse_lu_solves_as_numpy_does(body: Interpreted, vector: Callable[..., Any], seed: int) -> None:
    """One right-hand side, and as many at once as there are tangents."""
    y, p = body_point(vector, seed)
    rng = np.random.default_rng(100 + seed)
    code, n, w = body.code, body.code.n, body.code.width
    J, slots = body.dense(y, p), body.slots(y, p)
    for shift in 1.0 / (0.21 * np.array([1e-3, 0.1, 10.0, 1000.0])):
        M = -slots
        for k in range(n):
            M[code.lu.slot[k, k]] += shift
        body.run("lu_factor", M)
        b = rng.standard_normal(n)
        x = b.copy()
        body.run("lu_solve", M, x)
        expected = np.linalg.solve(shift * np.eye(n) - J, b)
        np.testing.assert_allclose(x, expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())
        B = rng.standard_normal((n, w))
        X = B.ravel().copy()
        body.run("lu_solve_rows", M, X)
        expected = np.linalg.solve(shift * np.eye(n) - J, B)
        np.testing.assert_allclose(X.reshape(n, w), expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("seed", range(3))
def test_jacobian_is_the_derivative_of_the_rates(body: Interpreted, vector: Callable[..., Any], seed: int) -> None:
    y, p = body_point(vector, seed)
    J = body.dense(y, p)
    exact = np.empty_like(J)
    for j in range(len(y)):
        z = y.astype(complex)
        z[j] += 1j * STEP
        exact[:, j] = body.rates(z, p).imag / STEP
    np.testing.assert_allclose(J, exact, rtol=1e-10, atol=1e-12 * np.abs(exact).max())
    pattern = {(i, j) for i, j in zip(*np.nonzero(J), strict=True)}
    assert pattern <= set(body.code.jacobian) <= set(body.code.lu.slot)
    numeric = np.empty_like(J)
    for j in range(len(y)):
        h = 1e-6 * y[j]
        e = np.eye(len(y))[j] * h
        numeric[:, j] = (body.rates(y + e, p) - body.rates(y - e, p)) / (2 * h)
    np.testing.assert_allclose(J, numeric, rtol=1e-5, atol=1e-6 * np.abs(J).max())


@pytest.mark.parametrize("seed", range(3))
def test_products_and_parameter_derivatives(body: Interpreted, vector: Callable[..., Any], seed: int) -> None:
    """J V, df/dtheta, and (d2f/dy2 v) S + d2f/dy dtheta v, the last two added to what is there."""
    y, p = body_point(vector, seed)
    q, n, w = body.constants(p), body.code.n, body.code.width
    rng = np.random.default_rng(200 + seed)
    V, v, S = rng.standard_normal((n, w)), rng.standard_normal(n), rng.standard_normal((n, w))
    O = np.full(n * w, 7.0)  # noqa: E741
    body.run("jac_times_rows", body.slots(y, p), V.ravel(), O)
    np.testing.assert_allclose(O.reshape(n, w), body.dense(y, p) @ V, rtol=1e-10, atol=1e-9)

    names, theta = whole_body().parameter_names, whole_body().sensitivities
    first, second = np.full(n * w, 7.0), np.full(n * w, 7.0)
    body.run("rhs_dp", y, q, first)
    body.run("curvature", y, q, v, S.ravel(), second)
    first, second = first.reshape(n, w) - 7.0, second.reshape(n, w) - 7.0
    assert not first[:, len(theta) :].any()
    for m, name in enumerate(theta):
        z = p.astype(complex)
        z[names.index(name)] += 1j * STEP
        exact = body.rates(y, z).imag / STEP
        np.testing.assert_allclose(first[:, m], exact, rtol=1e-9, atol=1e-12 * max(1.0, np.abs(exact).max()))
        exact = body.dense(y + 1j * STEP * S[:, m], z).imag @ v / STEP
        np.testing.assert_allclose(second[:, m], exact, rtol=1e-9, atol=1e-12 * max(1.0, np.abs(exact).max()))
        assert np.abs(exact).max() > 0


def test_observables_and_their_tangents(
    body: Interpreted, vector: Callable[..., Any], body_values: dict[str, float]
) -> None:
    y, p = body_point(vector, 4)
    model, code = whole_body(), body.code
    value = dict(zip(model.parameter_names, p))
    at = {s: y[k] for k, s in enumerate(model.state_names)}
    plasma = at["A_venous"] / (value["V_venous"] * value["B_P"])
    np.testing.assert_allclose(body.observed(y, p), [plasma, at["AUC"], at["E_CYP2D6"]], rtol=1e-14)
    S = np.random.default_rng(1).standard_normal((code.n, code.width))
    rows = np.zeros(code.n_o * code.width)
    body.run("observe_rows", y, body.constants(p), S.ravel(), rows)
    for m, name in enumerate(model.sensitivities):
        z = p.astype(complex)
        z[model.parameter_names.index(name)] += 1j * STEP
        exact = body.observed(y + 1j * STEP * S[:, m], z).imag / STEP
        np.testing.assert_allclose(rows.reshape(code.n_o, -1)[:, m], exact, rtol=1e-12, atol=1e-14)


def test_elimination_order_never_fills_more_than_it_says() -> None:
    arrow = {(0, j) for j in range(6)} | {(j, 0) for j in range(6)}  # hub eliminated last: no fill-in at all
    lu = symbolic_lu(arrow, 6)
    assert lu.order[-1] == 0 or set(lu.order[-2:]) >= {0}
    assert set(lu.slot) == arrow | {(i, i) for i in range(6)}
    assert sorted(lu.slot.values()) == list(range(len(lu.slot)))


def test_a_row_holds_all_tangents() -> None:
    assert [row_width(n) for n in range(10)] == [1, 1, 2, 4, 4, 8, 8, 8, 8, 12]


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
    """Against the same equations written by hand, and their differences."""
    code = Interpreted(functions_model())
    y, p = np.array([0.7, 0.4]), np.array([1.3, 2.5])

    def by_hand(y: NDArray[Any], p: NDArray[Any]) -> NDArray[Any]:
        (a, b), (k, hill) = y, p
        E = a**hill / (1 + a**hill)
        two = math.sqrt(a) * math.log(1 + b) / (1 + a) ** 2 + a**2 * b**3
        return np.array([k * math.exp(-b) * E, two - k * b / (a + k) ** 4])

    np.testing.assert_allclose(code.rates(y, p), by_hand(y, p), rtol=1e-13)
    J, q = code.dense(y, p), code.constants(p)
    theta, v, S = np.zeros(4), np.array([0.3, -1.1]), np.array([[0.8, 0.2], [0.5, -0.4]])
    code.run("rhs_dp", y, q, theta)
    for j in range(2):
        e = 1e-6 * np.eye(2)[j]
        np.testing.assert_allclose(J[:, j], (by_hand(y + e, p) - by_hand(y - e, p)) / 2e-6, rtol=1e-7)
        exact = (by_hand(y, p + e) - by_hand(y, p - e)) / 2e-6
        np.testing.assert_allclose(theta.reshape(2, 2)[:, j], exact, rtol=1e-7, atol=1e-12)
    out = np.zeros(4)
    code.run("curvature", y, q, v, S.ravel(), out)
    for m in range(2):
        e, s = 1e-6 * np.eye(2)[m], 1e-6 * S[:, m]
        numeric = (code.dense(y + s, p + e) - code.dense(y - s, p - e)) @ v / 2e-6
        np.testing.assert_allclose(out.reshape(2, 2)[:, m], numeric, rtol=1e-7)


def test_generation_is_repeatable() -> None:
    first, second = generate(functions_model()), generate(functions_model())
    for name in FUNCTIONS:
        assert first.programs[name].instructions == second.programs[name].instructions
    assert llvm_text(first) == llvm_text(second)


# ---------------------------------------------------------------- machine code and tape


def scene(model: Model, seed: int, y: NDArray[Any], p: NDArray[Any]) -> dict[str, tuple[NDArray[Any], ...]]:
    """Arguments of every function, in calling order, consistent with each other (q, then J, then its factors)."""
    code, rng = Interpreted(model), np.random.default_rng(seed)
    g = code.code
    q, J = code.constants(p), code.slots(y, p)
    M = -J
    for k in range(g.n):
        M[g.lu.slot[k, k]] += 25.0
    factors = M.copy()
    code.run("lu_factor", factors)
    rows, v = rng.standard_normal(g.n * g.width), rng.standard_normal(g.n)
    empty = lambda size: np.full(size, 0.5)  # noqa: E731
    return {
        "prepare": (p, empty(g.n_q)),
        "rhs": (y, q, empty(g.n)),
        "jacobian": (y, q, empty(g.n_lu)),
        "lu_factor": (M,),
        "lu_solve": (factors, v),
        "lu_solve_rows": (factors, rows),
        "jac_times_rows": (J, rows, empty(g.n * g.width)),
        "curvature": (y, q, v, rows, empty(g.n * g.width)),
        "rhs_dp": (y, q, empty(g.n * g.width)),
        "observe": (y, q, empty(g.n_o)),
        "observe_rows": (y, q, rows, empty(g.n_o * g.width)),
    }


def agree(model: Model, seed: int, y: NDArray[Any], p: NDArray[Any]) -> None:
    """Python, machine code and tape write the same numbers, to 1e-12 of the largest of an array."""
    given = scene(model, seed, y, p)
    assert tuple(given) == FUNCTIONS
    code = Interpreted(model)
    runs = {form: called(model, form) for form in ("native", "tape")}
    for name, arrays in given.items():
        expected = tuple(a.copy() for a in arrays)
        code.run(name, *expected)
        assert all(np.isfinite(a).all() for a in expected), name
        assert any(not np.array_equal(a, b) for a, b in zip(arrays, expected, strict=True)), name
        for form, run in runs.items():
            mine = tuple(a.copy() for a in arrays)
            run(name, mine)
            for got, want in zip(mine, expected, strict=True):
                # a sum may cancel: what counts is its largest part
                np.testing.assert_allclose(
                    got, want, rtol=1e-12, atol=1e-12 * np.abs(want).max(), err_msg=f"{name}, {form}"
                )


@pytest.mark.parametrize("point", [(0.8, 0.6, 1.3, 2.2), (0.31, 1.7, 0.4, 0.9), (2.3, 1.1, 2.5, 3.1)])
def test_machine_code_and_tape_agree_on_the_whole_language(point: tuple[float, ...]) -> None:
    agree(everything_model(), 5, np.array(point[:2]), np.array(point[2:]))


def test_what_has_no_machine_code_is_refused_by_name() -> None:
    unknown, of_row = Program("rhs"), Program("observe_rows")
    unknown.store(2, 0, unknown.op("gamma", unknown.load(0, 0)))
    of_row.op("exp", of_row.load_row(2, 0))
    with pytest.raises(ValueError, match=r"program 'rhs' uses the operation 'gamma', which has no machine code: use "):
        _Function(ir.Module("m"), unknown, 2).emit()
    with pytest.raises(ValueError, match=r"program 'observe_rows' applies 'exp' to a row .* multiply the row by it"):
        _Function(ir.Module("m"), of_row, 2).emit()


@pytest.mark.parametrize("seed", range(2))
def test_machine_code_and_tape_agree_on_the_whole_body(vector: Callable[..., Any], seed: int) -> None:
    y, p = body_point(vector, seed)
    agree(whole_body(), seed, y, p)


def test_the_language_test_leaves_no_operation_out() -> None:
    """Otherwise a function added later would be compared with nothing."""
    programs = generate(everything_model()).programs.values()
    used = {ins.op for p in programs for ins in p.instructions}
    assert set(OPERATIONS) <= used, f"not covered: {sorted(set(OPERATIONS) - used)}"
    assert set(OPERATIONS) <= set(OPCODES)
    assert len(EVERYTHING) == len(set(EVERYTHING))


def test_parameter_only_parts_are_computed_once_a_segment() -> None:
    """No function of parameters alone is left in the programs that run at every stage."""
    model = compose(
        "hoisted",
        [
            Module(
                "m",
                states=(State("a", "1", ""),),
                parameters=(Parameter("k", "1", ""), Parameter("m", "1", "")),
                fluxes=(Flux("out", "a*exp(k)*log(m)/(k + m)**2 + tanh(k*m)", "1/h", "a", None),),
            )
        ],
        ["a"],
    )
    programs = generate(model).programs
    work = {"exp", "log", "tanh", "div", "pow"}
    assert {"exp", "log", "tanh", "div"} <= {i.op for i in programs["prepare"].instructions}
    for name in ("rhs", "jacobian", "observe"):
        assert not work & {i.op for i in programs[name].instructions}, name
    by_hand = -(0.7 * math.exp(0.3) * math.log(1.9) / 2.2**2 + math.tanh(0.3 * 1.9))
    np.testing.assert_allclose(Interpreted(model).rates(np.array([0.7]), np.array([0.3, 1.9])), by_hand, rtol=1e-14)
