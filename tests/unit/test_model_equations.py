"""LaTeX of a model: read back into numbers, and accepted by an independent reader of mathematics."""

from __future__ import annotations

import math
import re

import matplotlib
import pytest
from matplotlib.mathtext import MathTextParser

from pharmtwin.core.whole_body import whole_body
from pharmtwin.model.algebra import ExpressionError
from pharmtwin.model.description import Definition, Flux, Module, Parameter, State, compose
from pharmtwin.model.equations import document, expression, latex, number, rate_symbol, symbol, text

matplotlib.use("agg")
VALUES = {"a": 0.7, "b": 1.9, "c": 3.1, "d": 0.4, "k": 2.3}


def group(source: str, start: int) -> tuple[str, int]:
    """Content of the braces that open at ``start``, and where they end."""
    depth = 0
    for i in range(start, len(source)):
        depth += {"{": 1, "}": -1}.get(source[i], 0)
        if depth == 0:
            return source[start + 1 : i], i + 1
    raise AssertionError(source)


def to_python(tex: str) -> str:
    """A small reader of the LaTeX of one-letter symbols, as a human would read it."""
    tex = tex.replace(r"\left(", "(").replace(r"\right)", ")")
    tex = tex.replace(r"\left|", "abs(").replace(r"\right|", ")")
    for bar, name in (("floor", "math.floor"), ("ceil", "math.ceil")):
        tex = tex.replace(rf"\left\l{bar}", f"{name}(").replace(rf"\right\r{bar}", ")")
    for name in ("exp", "sin", "cos", "tan", "sinh", "cosh", "tanh"):
        tex = re.sub(rf"\\{name}\(", f"math.{name}(", tex)
    tex = tex.replace(r"\ln(", "math.log(").replace(r"\log_{10}(", "math.log10(").replace(r"\arctan(", "math.atan(")
    tex = tex.replace(r"\min(", "min(").replace(r"\max(", "max(")
    while r"\frac" in tex:
        at = tex.rindex(r"\frac")  # innermost last
        above, i = group(tex, at + 5)
        below, j = group(tex, i)
        tex = f"{tex[:at]}(({above})/({below})){tex[j:]}"
    while r"\sqrt" in tex:
        at = tex.rindex(r"\sqrt")
        inner, i = group(tex, at + 5)
        tex = f"{tex[:at]}math.sqrt({inner}){tex[i:]}"
    tex = tex.replace(r"\,", "*").replace(r"\cdot", "*").replace(r"\pi", "math.pi")
    return tex.replace("^{", "**{").replace("{", "(").replace("}", ")")


@pytest.mark.parametrize(
    "source",
    [
        "a - (b - c)", "a - b - c", "-a**2", "(-a)**2", "a/(b/c)", "a/b*c", "a/b/c", "a/(b*c)", "2*-a", "a - -b",
        "a*(b + c)/2", "-(a + b)*c", "(a/b)**2", "a/b**2", "exp(-k*a)**2", "-a*b + c", "c - a/b", "c + -a*b",
        "(a + b)/(c + d)*2", "-a/b", "a*-b/c", "3*(2*b)", "a/2/3", "a**b**c", "(a**b)**c", "2**-a", "1e-6*a + 2.5e3*b",
        "pow(a, b + c)", "pow(a + b, 2)", "sqrt(a*b + c)*d", "min(a, b, c) + max(d, k)", "abs(a - b)*c",
        "floor(c) + ceil(b)*2", "log(a*b)/log10(c)", "a - (b + c)*d/(k - a)", "atan(a)*tanh(b) + pi*k", "a*(b - c)*d",
        "k*a*b/(c + a)*d/1000", "(a + b)*(c + d)", "1.5*2.5*a", "a*1e3*2", "-(-a)", "-(a - b)", "+a - +b",
        "a - (b - (c - d))", "(a*b)**c", "exp(a)**b", "sqrt(a)**3", "a**-1", "-a**-b",
    ],
)  # fmt: skip
def test_reading_the_latex_back_gives_the_same_number(source: str) -> None:
    space = {"math": math, "__builtins__": {"min": min, "max": max, "abs": abs}, **VALUES}
    plain = re.sub(r"(?<!\w)(exp|log10|log|sqrt|floor|ceil|atan|tanh|pow|pi)\b", r"math.\1", source)
    tex = expression(source)
    assert eval(to_python(tex), dict(space)) == pytest.approx(eval(plain, dict(space)), rel=1e-14), tex
    MathTextParser("path").parse(f"${tex}$")


def test_piecewise_and_conditions() -> None:
    assert expression("piecewise(a, b > 0 and not c <= d, k, a == b or c != d, 0)") == (
        r"\begin{cases} a & \text{if } b > 0 \wedge \neg \left(c \le d\right) \\ "
        r"k & \text{if } a = b \vee c \ne d \\ 0 & \text{otherwise} \end{cases}"
    )
    assert r"\left(\begin{cases}" in expression("2*piecewise(1, a < b, 2)")


def test_names_and_numbers() -> None:
    assert symbol("Kp_liver_inh") == r"\mathrm{Kp}_{\mathrm{liver,\,inh}}"
    assert symbol("A_gut") == r"A_{\mathrm{gut}}" and symbol("k") == "k" and symbol("time") == "t"
    assert rate_symbol("out_of_gut") == r"v_{\mathrm{out\ of\ gut}}"
    assert [number(x) for x in (4, 0.5, 1000.0, 1e-6, 2.5e-8, 1e20)] == [
        "4", "0.5", "1000", "10^{-6}", r"2.5 \cdot 10^{-8}", "10^{20}",
    ]  # fmt: skip
    assert text("50 % of f_x & {y}") == r"50 \% of f\_x \& \{y\}"


@pytest.mark.parametrize(
    "source", ["a if b else c", "foo(a)", "a[0]", "piecewise(a, b > c)", "a @ b", "exp(a, b)", "'x'"]
)
def test_what_is_not_of_the_language_is_named(source: str) -> None:
    with pytest.raises(ExpressionError, match="not part of the expression language"):
        expression(source)


def test_the_whole_body_is_printed_whole() -> None:
    model, tex = whole_body(), latex(whole_body())
    assert tex.count(r"\frac{d") == len(model.states)
    for flux in model.fluxes:
        assert f"{rate_symbol(flux.name)} &= " in tex
    for d in model.definitions:
        assert f"{symbol(d.name)} &= " in tex
    rows = [(p.name, p.unit, p.meaning) for p in model.parameters] + [(s.name, s.unit, s.meaning) for s in model.states]
    for name, unit, meaning in rows:
        assert rf"${symbol(name)}$ & \texttt{{{text(name)}}} & {text(unit)} & " in tex and text(meaning) in tex
    liver = next(block for block in tex.split(r"\frac{d") if block.startswith("A_{\\mathrm{liver}}"))
    signs = re.findall(r"(^|[+-]) ?v_\{\\mathrm\{([^}]*)\}\}", liver.split("&= ")[1].replace("\n", " "))
    assert [(s or "+", n.replace("\\ ", "_")) for s, n in signs] == [
        ("+", "into_liver"), ("-", "out_of_liver"), ("+", "out_of_gut"), ("+", "out_of_spleen"),
        ("+", "out_of_pancreas"), ("-", "met_CYP2D6"), ("-", "met_other"),
    ]  # fmt: skip
    assert r"oral & $A_{\mathrm{transit1}}$" in tex


def test_every_formula_of_the_whole_body_is_mathematics_to_another_reader() -> None:
    rows = re.findall(r"^(.*?) &= (.*?)(?: \\\\)?$", latex(whole_body()), flags=re.MULTILINE)
    assert len(rows) > 90
    for left, right in rows:
        MathTextParser("path").parse(f"${left} = {right}$")


def test_braces_and_environments_close() -> None:
    tex = document(whole_body())
    depth = 0
    for c in re.sub(r"\\[{}]", "", tex):
        depth += {"{": 1, "}": -1}.get(c, 0)
        assert depth >= 0
    assert depth == 0
    for name in re.findall(r"\\begin\{(\w+\*?)\}", tex):
        assert tex.count(rf"\begin{{{name}}}") == tex.count(rf"\end{{{name}}}")


def test_stoichiometry_time_and_empty_parts() -> None:
    module = Module(
        "m",
        (State("A", "mg", "amount"), State("B", "mg", "other")),
        (Parameter("n", "1", "molecules"),),
        (Definition("s", "sin(time)", "1", "rhythm"),),
        (Flux("r", "s*A", "mg/h", stoichiometry=(("A", -2.0), ("B", "1 + n"))), Flux("q", "A", "mg/h", "B", "A")),
    )
    tex = latex(compose("m", [module], ["s"]))
    assert r"\frac{dA}{dt} &= -2 \, v_{\mathrm{r}} + v_{\mathrm{q}}" in tex
    assert r"\frac{dB}{dt} &= \left(1 + n\right) \, v_{\mathrm{r}} - v_{\mathrm{q}}" in tex
    assert r"\frac{dt}{dt} &= 1" in tex and r"s &= \sin\left(t\right)" in tex
