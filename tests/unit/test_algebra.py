"""The expression language against Python's own arithmetic, and its derivatives against differences of that."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from program_fixture import EVERYTHING, MEANING

from pharmtwin.model.algebra import Algebra, Expr, ExpressionError, names

SYMBOLS = {"a": "y", "b": "y", "k": "p", "m": "p"}  # two states, two parameters
POINTS = ({"a": 0.8, "b": 0.6, "k": 1.3, "m": 2.2}, {"a": 1.9, "b": 0.45, "k": 0.7, "m": 1.15})
MORE = (
    "(a + b)*(a - b)/(k + m)", "a*k*b/m*k", "((a + k)*(b + m))**-2", "exp(a)**2/exp(2*a + b)", "(2*a*k)**3",
    "a*b*a**-1", "sqrt(a)**2 + sqrt(a**2)", "(a*b)**0.5", "(-2*a)**2*b", "1 - 1/(1 + (a/k)**m)", "k**m*a + m**-k",
    "-(a - b)**3", "+a - -b", "2e-3*a + 1.5E2*b", "a**9*b**-11", "log(a)**2*log10(b/k)", "(k*m)**0.5*a", "k**2.5*a",
    "k*exp(-k*(a + b)) + piecewise(log(k), m >= 1, tan(k))*a", "min(a*k, b, m)*max(a, b)", "a*True + False",
    "piecewise(1, 0 < a < b, a*b, a > 0 and not (b > 5 or k < 0), 3)", "abs(a - 5)*floor(k + a)*ceil(m)",
    "(a <= 1)*b + (a > 1)*k + (k == m) + (k != m)", "piecewise(a)", "piecewise(exp(-b), a >= b, a)", "(not a)*b + k",
    "pow(k, a)*pow(a + b, m)", "sinh(a)*cosh(b) - tanh(k)", "1/(1/a + 1/b)", "(a + b)*(a + b)", "(a + b)/(a + b)**3",
    "a*(b + k + m + a)", "(a + b + k)*2*m", "exp(log(a)*m)", "3", "k", "a - a", "min(k, m)*max(k, m) - k*m",
    "max(a, 0)**m", "asin(tanh(a))*acos(0.5*tanh(b))", "(a + b)**m", "(a*b)**m", "a**m*a**k", "a**(m + k)/a**m",
)  # fmt: skip
TEXTS = tuple(dict.fromkeys((*EVERYTHING, *MORE)))
Function = Callable[[Mapping[str, float]], float]


def piecewise(*args: float) -> float:
    """The value before the first condition that holds; the last argument otherwise."""
    return next((args[i] for i in range(0, len(args) - 1, 2) if args[i + 1]), args[-1])


PYTHON = {n: getattr(math, n) for n in ("exp", "log", "log10", "sqrt", "floor", "ceil", "sin", "cos", "tan", "asin",
    "acos", "atan", "sinh", "cosh", "tanh", "pow", "pi")}  # fmt: skip
PYTHON |= {"abs": abs, "min": min, "max": max, "piecewise": piecewise}


def python(text: str) -> Function:
    """The text as Python arithmetic."""
    code = compile(text, "<expression>", "eval")
    return lambda at: float(eval(code, dict(PYTHON), dict(at)))


def slope(f: Function, name: str, h: float = 2e-3) -> Function:
    """Derivative by differences over seven points (error of order h**6)."""

    def g(at: Mapping[str, float]) -> float:
        values = [f({**at, name: at[name] + i * h}) for i in (-3, -2, -1, 1, 2, 3)]
        return sum(w * v for w, v in zip((-1, 9, -45, 45, -9, 1), values, strict=True)) / (60 * h)

    return g


def value(e: Expr, at: Mapping[str, float]) -> float:
    """Value of an expression, term by term as ``algebra`` defines it."""
    total = 0.0
    for monomial, coefficient in e.terms:
        part = coefficient if isinstance(coefficient, float) else value(coefficient, at)
        for atom, power in monomial:
            if atom.kind in "pyv":
                inner = at[atom.name]
            elif atom.kind == "sum":
                inner = value(atom.args[0], at)
            else:
                with np.errstate(all="ignore"):
                    inner = float(MEANING[atom.name](*(value(x, at) for x in atom.args)))
            with np.errstate(all="ignore"):  # as the engines: what is infinite is so without a word
                part *= float(np.power(inner, power))
        total += part
    return total


def reader() -> tuple[Algebra, Callable[[str], Expr]]:
    a = Algebra()
    symbols = {name: a.symbol(name, kind) for name, kind in SYMBOLS.items()}
    return a, lambda text: a.read(text, symbols)


@pytest.mark.parametrize("text", TEXTS)
def test_value_and_derivatives_are_those_of_python(text: str) -> None:
    a, read = reader()
    e, f = read(text), python(text)
    for at in POINTS:
        assert value(e, at) == pytest.approx(f(at), rel=1e-12, abs=1e-13)
        for i, x in enumerate(SYMBOLS):
            first, numeric = a.diff(e, x), slope(f, x)
            scale = 1.0 + abs(f(at))
            assert value(first, at) == pytest.approx(numeric(at), rel=1e-8, abs=1e-9 * scale), f"d/d{x}"
            for z in list(SYMBOLS)[i:]:
                second = value(a.diff(first, z), at)
                scale = 1.0 + abs(f(at)) + abs(value(first, at))
                assert second == pytest.approx(slope(numeric, z)(at), rel=1e-6, abs=2e-7 * scale), f"d2/d{x}d{z}"
                assert second == pytest.approx(value(a.diff(a.diff(e, z), x), at), rel=1e-10, abs=1e-12 * scale)


def test_derivative_by_what_does_not_occur_is_zero() -> None:
    a, read = reader()
    assert not a.diff(read("k*b"), "a").terms and not a.diff(read("k*b"), "elsewhere").terms
    assert not a.diff(read("floor(3*a) + ceil(b) + (a < b) + (not a)"), "a").terms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a + a", "2*a"), ("a*k + 2*k*a", "3*a*k"), ("a*b", "b*a"), ("a*b/b", "a"), ("a/a", "1"), ("a - a", "0"),
        ("k*(a + b) - k*b", "k*a"), ("a*a*a", "a**3"), ("1/a**2", "pow(a, -2)"), ("sqrt(a)*sqrt(a)", "a"),
        ("exp(k)*a + a*exp(k)", "2*a*exp(k)"), ("(a + b)*k", "a*k + k*b"), ("2*3*a", "6*a"), ("a*0", "0"),
        ("sin(a + b) - sin(b + a)", "0"), ("-(-a)", "a"), ("(2*a)**2", "4*a*a"),
        ("exp(0)", "1"), ("log(1)*a", "0"), ("sqrt(16)", "2**2"), ("min(2, 3, 1)", "1"), ("a**0", "1"), ("a**1", "a"),
        ("(a*k)/(b*k)", "a/b"), ("a*b + b*a", "2*a*b"),
    ],
)  # fmt: skip
def test_like_terms_merge(one: str, other: str) -> None:
    """Equal things are one object: they are computed once."""
    _, read = reader()
    assert read(one) is read(other)


@pytest.mark.parametrize("text", ["exp(k)*log(m)/(k + m)**2", "piecewise(k, m > 1, m)", "k**m", "3", "a*k/a", "a - a"])
def test_parameter_only_parts_are_known_as_such(text: str) -> None:
    a, read = reader()
    free = a.free(read(text))
    assert free is not None and free.level == 0
    assert value(free, POINTS[0]) == pytest.approx(python(text)(POINTS[0]), rel=1e-14)


def test_coefficients_hold_the_parameters_and_monomials_the_states() -> None:
    a, read = reader()
    e = read("a*exp(k)/m + b*k**2 + a*k + tanh(m)*a*b")
    assert len(e.terms) == 3  # a, b and a*b: both terms in a are one
    for monomial, coefficient in e.terms:
        assert isinstance(coefficient, Expr) and coefficient.symbols <= {"k", "m"} and coefficient.symbols
        assert all(atom.kind == "y" for atom, _ in monomial)
    assert a.free(read("a*k")) is None and a.free(read("k + exp(a)")) is None


def test_numbers_are_folded_and_parameters_are_not_numbers() -> None:
    a, read = reader()
    assert a.value(read("2*3 + sqrt(4) - pi/pi")) == 7.0
    assert a.value(read("k - k")) == 0.0
    assert a.value(read("k")) is None and a.value(read("a")) is None


def test_names_are_those_that_need_a_declaration() -> None:
    assert names("CL*C/exp(-ka*time) + pi") == {"CL", "C", "ka", "time"}
    assert names("piecewise(a, b > 2 and not c, max(d, 1))") == {"a", "b", "c", "d"}
    assert names("exp*2") == {"exp"}  # a function's name that is not called is a name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2*nowhere", ("unknown name 'nowhere'", "2*nowhere")),
        ("a +", ("cannot read", "a +")),
        ("", ("cannot read",)),
        ("erf(a)", ("erf(a)", "not part of the expression language")),
        ("k + a % b", ("a % b",)),
        ("a // b", ("a // b",)),
        ("k*(a ^ b)", ("a ^ b",)),
        ("~a", ("~a",)),
        ("a[0]", ("a[0]",)),
        ("a.b", ("a.b",)),
        ("'a'", ("'a'",)),
        ("1j*a", ("1j",)),
        ("None", ("None",)),
        ("lambda: a", ("lambda",)),
        ("a if b else k", ("a if b else k",)),
        ("a is b", ("a is b",)),
        ("a in b", ("a in b",)),
        ("(c := a)", ("c := a",)),
        ("exp(a, b)", ("exp(a, b)",)),
        ("exp()", ("exp()",)),
        ("pow(a)", ("pow(a)",)),
        ("min(a)", ("min(a)",)),
        ("pow(a, b=2)", ("pow(a, b=2)",)),
        ("max(*a)", ("max(*a)",)),
        ("piecewise(a, b)", ("piecewise(a, b)",)),
        ("piecewise()", ("piecewise()",)),
        ("a.exp(b)", ("a.exp(b)",)),
        ("1/0", ("division by zero", "1/0")),
        ("k/(a - a)", ("division by zero",)),
        ("log(0)*a", ("log", "not a number")),
        ("sqrt(-1)", ("not a number",)),
        ("asin(2)", ("asin", "not a number")),
        ("exp(1000)", ("exp", "not a number")),
        ("0**-1", ("not a number",)),
    ],
)
def test_what_is_not_of_the_language_is_refused_by_name(text: str, words: tuple[str, ...]) -> None:
    _, read = reader()
    with pytest.raises(ExpressionError) as error:
        read(text)
    assert all(w in str(error.value) for w in words), str(error.value)


@pytest.mark.parametrize("text", ["(1e200*a)**2", "1e308*10*a", "(1e-200*k)**-2"])
def test_numbers_out_of_range_are_refused_by_name(text: str) -> None:
    _, read = reader()
    with pytest.raises(ExpressionError, match="1e"):
        read(text)


@pytest.mark.parametrize(
    ("text", "x", "at", "expected"),
    [
        ("piecewise(0, a <= 0, sqrt(a))", "a", 0.0, 0.0),
        ("piecewise(0, a <= 0, log(a))", "a", 0.0, 0.0),
        ("piecewise(1, b > a, 1/a)", "a", 0.0, 0.0),
        ("piecewise(a*b, a < 1, exp(1000*a))", "a", 0.5, 0.6),
        ("max(b, b*sqrt(a))", "a", 0.0, 0.0),
        ("a**m", "m", 0.0, 0.0),
        ("a**m/(k**m + a**m)", "a", 0.0, 0.0),
        ("a**m/(k**m + a**m)", "m", 0.0, 0.0),
    ],
)
def test_a_branch_that_is_not_taken_does_not_spoil_the_derivative(
    text: str, x: str, at: float, expected: float
) -> None:
    """Its derivative may be infinite or not a number there; nought times that is not nought."""
    a, read = reader()
    point = {**POINTS[0], "a": at}
    assert value(a.diff(read(text), x), point) == pytest.approx(expected)


def test_second_derivatives_of_a_hill_term_exist_before_the_first_dose() -> None:
    """a**m with m > 2 is smooth at a = 0: all its second derivatives are nought there."""
    a, read = reader()
    e = read("a**m/(k**m + a**m)")
    for x in SYMBOLS:
        for z in SYMBOLS:
            assert value(a.diff(a.diff(e, x), z), {**POINTS[0], "a": 0.0}) == 0.0, f"d2/d{x}d{z}"
