"""SBML in and out, PEtab in: small models whose solutions are known on paper; what is not supported is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import libsbml
import numpy as np
import pandas as pd
import pytest

from pharmtwin.core.whole_body import whole_body
from pharmtwin.exchange.evaluate import ExchangeError, Scope, comparisons, evaluate
from pharmtwin.exchange.petab import (
    PetabProblem,
    linear_values,
    load_problem,
    scaled_values,
    simulate_problem,
)
from pharmtwin.exchange.sbml_export import findings, to_sbml
from pharmtwin.exchange.sbml_import import ImportedModel, from_sbml, simulate_imported
from pharmtwin.exchange.sbml_math import math_of, read_formula
from pharmtwin.exchange.sbml_units import is_amount, parse_unit
from pharmtwin.model.description import Definition, Flux, Model, Module, Parameter, State, compose

T = np.linspace(0.0, 4.0, 9)


def formula(text: str) -> str:
    """An infix formula as MathML."""
    node = libsbml.parseL3Formula(text)
    assert node is not None, libsbml.getLastParseL3Error()
    return libsbml.writeMathMLToString(node).split("?>", 1)[1]


def reaction(identifier: str, law: str, left: str = "", right: str = "", more: str = "") -> str:
    """A reaction with one reactant and one product at most."""
    side = '<listOf{0}><speciesReference species="{1}" stoichiometry="1" constant="true"/></listOf{0}>'
    return (
        f'<reaction id="{identifier}" reversible="false" {more}>'
        + (side.format("Reactants", left) if left else "")
        + (side.format("Products", right) if right else "")
        + f"<kineticLaw>{formula(law)}</kineticLaw></reaction>"
    )


def species(identifier: str, start: str, more: str = "", *, by_amount: bool = False) -> str:
    return (
        f'<species id="{identifier}" compartment="c" {start} hasOnlySubstanceUnits="{str(by_amount).lower()}" '
        + ("" if "boundaryCondition" in more else 'boundaryCondition="false" ')
        + f'constant="false" {more}/>'
    )


def parameter(identifier: str, value: float | None, constant: bool = True) -> str:
    number = "" if value is None else f'value="{value}"'
    return f'<parameter id="{identifier}" {number} constant="{str(constant).lower()}"/>'


def event(trigger: str, *assignments: tuple[str, str], inside: str = "", initial: bool = True, more: str = "") -> str:
    sets = "".join(f'<eventAssignment variable="{v}">{formula(e)}</eventAssignment>' for v, e in assignments)
    return (
        f'<event id="e_{abs(hash((trigger, assignments))) % 10**6}" useValuesFromTriggerTime="true" {more}>'
        f'<trigger initialValue="{str(initial).lower()}" persistent="true">{formula(trigger)}</trigger>{inside}'
        f"<listOfEventAssignments>{sets}</listOfEventAssignments></event>"
    )


def rule(kind: str, variable: str, text: str) -> str:
    return f'<{kind}Rule variable="{variable}">{formula(text)}</{kind}Rule>'


def document(size: float | None = 2.0, more: str = "", **lists: str) -> str:
    """An SBML L3V2 document with one compartment ``c``."""
    number = "" if size is None else f'size="{size}"'
    parts = {"Compartments": f'<compartment id="c" spatialDimensions="3" {number} constant="false"/>', **lists}
    order = ("FunctionDefinitions", "UnitDefinitions", "Compartments", "Species", "Parameters", "InitialAssignments",
             "Rules", "Constraints", "Reactions", "Events")  # fmt: skip
    body = "".join(f"<listOf{k}>{parts[k]}</listOf{k}>" for k in order if parts.get(k))
    return (
        '<?xml version="1.0"?><sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" version="2">'
        f'<model id="m" {more}>{body}</model></sbml>'
    )


def run(text: str, values: dict[str, float] | None = None, times: np.ndarray = T) -> pd.DataFrame:
    return simulate_imported(from_sbml(text), times, values, engine="rosenbrock", rtol=1e-10)


DECAY = document(
    Species=species("S", 'initialConcentration="3"'),
    Parameters=parameter("k", 0.7),
    Reactions=reaction("R", "k*S*c", "S"),
)


# --- expressions ----------------------------------------------------------------------------------------


def test_formulas_have_the_values_of_their_functions() -> None:
    x = 0.6
    table = {
        "sec(x)": 1 / math.cos(x), "csc(x)": 1 / math.sin(x), "cot(x)": 1 / math.tan(x), "sech(x)": 1 / math.cosh(x),
        "csch(x)": 1 / math.sinh(x), "coth(x)": 1 / math.tanh(x), "arcsinh(x)": math.asinh(x),
        "arctanh(x)": math.atanh(x), "arccosh(1+x)": math.acosh(1 + x), "arcsec(1+x)": math.acos(1 / (1 + x)),
        "arccsc(1+x)": math.asin(1 / (1 + x)), "arccot(x)": math.atan(1 / x), "root(3, x)": x ** (1 / 3),
        "log(2, x)": math.log2(x), "log10(x)": math.log10(x), "ln(x)": math.log(x), "x^-2.5": x**-2.5,
        "ceil(x) + floor(-x)": 0.0, "max(x, 1, 2) - min(x, 1)": 2 - x, "quotient(-7, 2)": -3.0, "rem(-7, 2)": -1.0,
        "exponentiale*pi": math.e * math.pi, "piecewise(1, x > 1, 2, x > 0.5, 3)": 2.0,
        "piecewise(1, xor(x > 0, x > 1), 0) + (x < 1)": 2.0, "piecewise(1, implies(x > 1, x < 0), 0)": 1.0,
        "piecewise(1, 0 < x && !(x == 1), 0)": 1.0, "-x^2": -(x**2), "abs(-3e-4)": 3e-4,
    }  # fmt: skip
    for text, wanted in table.items():
        ours = read_formula(text, lambda name: name, "a test")
        assert evaluate(ours, {"x": x}) == pytest.approx(wanted, rel=1e-13), text
        pair = np.broadcast_to(evaluate(ours, {"x": np.array([x, x])}), 2)
        assert pair == pytest.approx(np.array([wanted, wanted]), rel=1e-13), text
        again = libsbml.formulaToL3String(math_of(ours))
        assert evaluate(read_formula(again, str, "again"), {"x": x}) == pytest.approx(wanted, rel=1e-13), again


def test_numbers_are_read_to_the_last_digit() -> None:
    assert read_formula("3e-4", str, "a test") == "0.0003"
    assert read_formula("6.02214076e23*1e-9", str, "a test") == "(6.02214076e+23*1e-09)"


def test_comparisons_and_values_in_any_order() -> None:
    assert comparisons("piecewise(1, 0 < a <= b, 2)") == (("0", "Lt", "a"), ("a", "LtE", "b"))
    scope = Scope({"a": "2*b", "b": "c + 1", "x": "y", "y": "x"}, {"c": 1.0})
    assert scope["a"] == 4.0
    with pytest.raises(ExchangeError, match="x -> y -> x"):
        scope["x"]
    with pytest.raises(ExchangeError, match="unknown name 'q'"):
        evaluate("q + 1", {})


def test_units_of_text() -> None:
    assert parse_unit("1") == () and parse_unit("IU") is None and parse_unit("mg/") is None
    kinds = [(p.kind, p.exponent, p.scale, p.multiplier) for p in parse_unit("umol/(min*kg^2)") or ()]
    mole, second, gram = libsbml.UNIT_KIND_MOLE, libsbml.UNIT_KIND_SECOND, libsbml.UNIT_KIND_GRAM
    assert kinds == [(mole, 1, -6, 1), (second, -1, 0, 60), (gram, -2, 3, 1)]
    assert is_amount("mg") and is_amount("nmol") and not is_amount("mg/L") and not is_amount("1")


# --- import: quantities ---------------------------------------------------------------------------------


def test_a_concentration_and_its_amount() -> None:
    frame = run(DECAY)
    assert frame["S"].to_numpy() == pytest.approx(3 * np.exp(-0.7 * T), rel=1e-8)
    assert frame["S_amount"].to_numpy() == pytest.approx(6 * np.exp(-0.7 * T), rel=1e-8)
    assert frame["R"].to_numpy() == pytest.approx(0.7 * 6 * np.exp(-0.7 * T), rel=1e-8)


def test_given_values_mean_what_the_id_means() -> None:
    imported = from_sbml(DECAY)
    assert imported.initial_values == {"S_amount": 6.0} and imported.parameter_values == {"c": 2.0, "k": 0.7}
    assert imported.start_values({"S": 5.0})[1] == {"S_amount": 10.0}
    assert imported.start_values({"S": 5.0, "c": 4.0})[1] == {"S_amount": 20.0}
    assert imported.start_values({"S_amount": 5.0})[1] == {"S_amount": 5.0}
    with pytest.raises(ExchangeError, match="no id 'Z'"):
        imported.start_values({"Z": 1.0})
    with pytest.raises(ExchangeError, match="'R' follows from a rule"):
        imported.start_values({"R": 1.0})


def test_only_wanted_observables_are_compiled() -> None:
    imported = from_sbml(DECAY, observables=["S"])
    assert imported.model.observable_names == ["S_amount", "S"]
    shown = simulate_imported(imported, [0.0, 1.0], columns=["R", "k"], engine="rosenbrock")
    assert shown["R"].to_numpy() == pytest.approx(4.2 * np.exp([0, -0.7]), rel=1e-6) and set(shown["k"]) == {0.7}


def test_amount_species_boundary_conversion_factor_and_ids() -> None:
    text = document(
        size=5.0,
        more='conversionFactor="f"',
        Species=species("A", 'initialAmount="2"', by_amount=True)
        + species("B", 'initialConcentration="4"', 'boundaryCondition="true"')
        + species("lambda", 'initialConcentration="0"'),
        Parameters=parameter("k", 0.5) + parameter("f", 3.0) + parameter("time", 0.1),
        Reactions=reaction("R", "k*B", "A", "lambda")
        + reaction("Q", "tick*A", "B").replace("<ci> tick </ci>", "<ci> time </ci>"),  # the parameter, not the clock
    )
    imported = from_sbml(text)
    assert imported.model.state_names == ["A", "lambda__amount"]
    assert imported.ids["lambda"] == "lambda_" and imported.ids["time"] == "time_"
    frame = run(text)
    assert frame["A"].to_numpy() == pytest.approx(2 - 3 * 0.5 * 4 * T, abs=1e-8)  # B stays 4: boundary
    assert frame["lambda"].to_numpy() == pytest.approx(3 * 0.5 * 4 * T / 5, abs=1e-8)
    assert frame["A_concentration"].to_numpy() == pytest.approx((2 - 6 * T) / 5, abs=1e-8)
    assert set(frame["B"]) == {4.0}


def test_a_growing_compartment_dilutes_but_keeps_amounts() -> None:
    text = document(
        Species=species("S", 'initialConcentration="3"')
        + species("G", 'initialConcentration="1"', 'boundaryCondition="true"'),
        Parameters=parameter("g", 0.25),
        Rules=rule("rate", "c", "g") + rule("rate", "G", "2*g"),
        Reactions=reaction("R", "0*S", "S"),
    )
    frame, size = run(text), 2 + 0.25 * T
    assert frame["c"].to_numpy() == pytest.approx(size, rel=1e-9)
    assert frame["S"].to_numpy() == pytest.approx(6 / size, rel=1e-9)
    assert frame["G"].to_numpy() == pytest.approx(1 + 0.5 * T, rel=1e-9)  # the rule is of the concentration
    assert frame["G_amount"].to_numpy() == pytest.approx((1 + 0.5 * T) * size, rel=1e-9)


def test_rules_functions_and_local_parameters() -> None:
    km = '<listOfLocalParameters><localParameter id="km" value="1e6"/></listOfLocalParameters></kineticLaw>'
    mm = formula("lambda(s, v, km, v*s/(km + s))")
    text = document(
        FunctionDefinitions=f'<functionDefinition id="mm">{mm}</functionDefinition>',
        Species=species("S", 'initialConcentration="3"') + species("Y", ""),
        Parameters=parameter("S_start", None) + parameter("v", 0.4) + parameter("total", None, constant=False),
        Rules=rule("assignment", "Y", "2*S") + rule("assignment", "total", "Y*c + S_start"),
        InitialAssignments=f'<initialAssignment symbol="S_start">{formula("S*c")}</initialAssignment>',
        Reactions=reaction("R", "c*mm(S, v, km)", "S").replace("</kineticLaw>", km),
    )
    frame = run(text)
    assert frame["S"].to_numpy() == pytest.approx(3 * np.exp(-0.4e-6 * T), rel=1e-9)  # far below km: linear
    assert frame["total"].to_numpy() == pytest.approx(4 * frame["S"].to_numpy() + 6, rel=1e-12)
    assert from_sbml(text).start_values({"S": 4.0})[0]["S_start"] == 8.0
    with pytest.raises(ExchangeError, match="'total' follows from a rule"):
        run(text, {"total": 1.0})


def test_initial_assignments_depend_on_each_other_and_can_be_replaced() -> None:
    assignments = {"k": "2*j", "j": "base + 1", "S": "k/c"}
    text = document(
        Species=species("S", 'initialConcentration="99"'),
        Parameters=parameter("k", 9.0) + parameter("j", 9.0) + parameter("base", 0.5),
        InitialAssignments="".join(
            f'<initialAssignment symbol="{s}">{formula(e)}</initialAssignment>' for s, e in assignments.items()
        ),
        Reactions=reaction("R", "k*S", "S"),
    )
    imported = from_sbml(text)
    assert imported.parameter_values == {"c": 2.0, "k": 3.0, "j": 1.5, "base": 0.5}
    assert imported.initial_values == {"S_amount": 3.0}
    assert imported.start_values({"base": 1.0})[1] == {"S_amount": 4.0}
    assert imported.start_values({"k": 7.0})[1] == {"S_amount": 7.0}


def test_stoichiometry_by_formula_rule_and_level_2() -> None:
    changing = reaction("R", "k", right="S").replace(
        'species="S" stoichiometry="1" constant="true"', 'id="n" species="S" constant="false"'
    )
    text = document(
        Species=species("S", 'initialAmount="0"', by_amount=True) + species("Z", 'initialAmount="1"', by_amount=True),
        Parameters=parameter("k", 0.5),
        Rules=rule("assignment", "n", "3*Z"),
        Reactions=changing + reaction("D", "Z", "Z"),
    )
    frame = run(text)
    assert frame["S"].to_numpy() == pytest.approx(1.5 * (1 - np.exp(-T)), rel=1e-7, abs=1e-9)
    assert frame["n"].to_numpy() == pytest.approx(3 * np.exp(-T), rel=1e-7)
    level2 = (
        '<sbml xmlns="http://www.sbml.org/sbml/level2/version4" level="2" version="4"><model id="m">'
        '<listOfCompartments><compartment id="c" size="2"/></listOfCompartments>'
        '<listOfSpecies><species id="S" compartment="c" initialAmount="0"/></listOfSpecies>'
        '<listOfParameters><parameter id="q" value="4"/></listOfParameters>'
        '<listOfReactions><reaction id="R" reversible="false"><listOfProducts><speciesReference species="S">'
        f"<stoichiometryMath>{formula('q/2')}</stoichiometryMath></speciesReference></listOfProducts><kineticLaw>"
        f"{formula('10')}</kineticLaw></reaction></listOfReactions></model></sbml>"
    )
    assert run(level2)["S"].to_numpy() == pytest.approx(10 * T, abs=1e-9)  # 2 x 10 a time unit, in a volume of 2


# --- time and events ------------------------------------------------------------------------------------


def test_time_in_rates_and_jumps_are_exact() -> None:
    text = document(
        Species=species("A", 'initialAmount="0"', by_amount=True) + species("B", 'initialAmount="0"', by_amount=True),
        Parameters=parameter("k", 0.5) + parameter("start", 1.3) + parameter("on", None, constant=False),
        Rules=rule("assignment", "on", "piecewise(100, (time - start)/2 >= 0 && time < start + 0.001, 0)"),
        Reactions=reaction("R", "k*time", right="A") + reaction("Q", "on", right="B"),
    )
    times = np.array([0.0, 1.3, 2.0, 4.0])
    frame = run(text, times=times)
    assert frame["A"].to_numpy() == pytest.approx(0.25 * times**2, rel=1e-8, abs=1e-12)
    # a pulse of 0.001 is not missed; a stop costs 2e-12 of a time unit, here 2.6e-9 of the pulse
    assert frame["B"].to_numpy() == pytest.approx([0, 0, 0.1, 0.1], rel=5e-9, abs=1e-12)
    assert frame["on"].tolist() == [0.0, 100.0, 0.0, 0.0]


def test_doses_at_times_that_are_parameters() -> None:
    text = document(
        Species=species("S", 'initialConcentration="3"'),
        Parameters=parameter("first", 1.0)
        + parameter("again", 1.5)
        + parameter("S_out", 0.0, constant=False)
        + parameter("k", 0.7, constant=False),
        Reactions=reaction("R", "k*S*c", "S"),
        Events=event("time >= first", ("S", "S + 10/c"), ("k", "2*k"))
        + event("time > first + again", ("S_out", "S"), ("S", "0")),
    )
    frame = run(text).set_index("time")
    at = lambda t: 3 * math.exp(-0.7 * t)  # noqa: E731
    after = (at(1.0) + 5.0) * math.exp(-1.4 * 1.5)
    assert frame["S"][0.5] == pytest.approx(at(0.5), rel=1e-8)
    assert frame["S"][1.0] == pytest.approx(at(1.0) + 5.0, rel=1e-8)  # the row at the event shows what is after it
    assert frame["k"].tolist() == [0.7, 0.7] + 7 * [1.4]
    assert frame["S_out"][2.5] == pytest.approx(after, rel=1e-8) and frame["S_out"][2.0] == 0.0
    assert frame["S"][2.5] == 0.0 and frame["S"][4.0] == pytest.approx(0.0, abs=1e-12)
    later = run(text, {"first": 1.9}).set_index("time")
    assert later["S"][1.5] == pytest.approx(at(1.5), rel=1e-8) and later["k"][2.0] == 1.4


def test_events_of_states_are_found_where_they_happen() -> None:
    text = DECAY.replace(
        "</model>",
        f"<listOfEvents>{event('S < 1', ('S', '3'), ('n', 'n + 1'), ('last', 'time'))}</listOfEvents></model>",
    ).replace('<parameter id="k"', parameter("n", 0, False) + parameter("last", 0, False) + '<parameter id="k"')
    period = math.log(3) / 0.7
    times = np.array([0.0, period - 1e-6, period + 1e-6, 2.5 * period, 12.0])
    frame = run(text, times=times)
    assert frame["n"].tolist() == [0, 0, 1, 2, math.floor(12 / period)]
    assert frame["last"].to_numpy()[3] == pytest.approx(2 * period, rel=1e-8)
    assert frame["S"].to_numpy() == pytest.approx(3 * np.exp(-0.7 * (times % period)), rel=1e-7)


def test_a_trigger_that_is_true_for_a_breath_is_not_missed() -> None:
    """x = sin t exceeds 1 - 1e-7 for 0.0009 at pi/2: far less than the distance of the grid's points."""
    text = document(
        Parameters=parameter("x", 0, False) + parameter("y", 1, False) + parameter("n", 0, False),
        Rules=rule("rate", "x", "y") + rule("rate", "y", "-x"),
        Events=event("x > 1 - 1e-7", ("n", "n + 1")),
    )
    assert run(text, times=np.array([0.0, 1.5, 3.0, 9.0]))["n"].tolist() == [0, 0, 1, 2]


def test_a_trigger_that_bends_in_time_is_not_taken_for_linear() -> None:
    """A clock that runs twice as fast from 3 on says 10 at 5 (it would at 10 if it went on as it began)."""
    text = document(
        Parameters=parameter("n", 0, False) + parameter("clock", None, False),
        Rules=rule("assignment", "clock", "piecewise(time, time < 3, 2*time)"),
        Events=event("clock >= 10", ("n", "time")),
    )
    frame = run(text, times=np.array([0.0, 4.9, 5.1, 12.0]))
    assert frame["n"].to_numpy() == pytest.approx([0, 0, 5, 5], abs=1e-9)


@pytest.mark.parametrize(("initial", "fired"), [(True, 0.0), (False, 1.0)])
def test_a_trigger_that_is_true_at_the_start(initial: bool, fired: float) -> None:
    text = document(Parameters=parameter("n", 0, False), Events=event("time >= 0", ("n", "n + 1"), initial=initial))
    assert set(run(text)["n"]) == {fired}


def test_an_event_sets_a_concentration_by_the_size_before_it() -> None:
    """Case 01779 of the SBML test suite: both assignments see the state before the event."""
    text = document(
        size=0.5,
        Species=species("S", 'initialConcentration="2"', 'boundaryCondition="true"'),
        Events=event("time >= 1", ("S", "0.2"), ("c", "0.2")),
    )
    frame = run(text).set_index("time")
    assert frame["S_amount"][0.5] == 1.0 and frame["S_amount"][1.0] == pytest.approx(0.1)
    assert frame["S"][1.0] == pytest.approx(0.5)


def test_an_event_can_set_off_another_one() -> None:
    text = document(
        Parameters=parameter("a", 0, False) + parameter("b", 0, False),
        Events=event("time >= 1", ("a", "5")) + event("a > 4", ("b", "a + 1")),
    )
    frame = run(text).set_index("time")
    assert frame["b"][0.5] == 0.0 and frame["b"][1.0] == 6.0


# --- refusals -------------------------------------------------------------------------------------------

K = parameter("k", 1.0, False)
ONE = formula("1")
QUAL = 'xmlns:q="http://www.sbml.org/sbml/level3/version1/qual/version1" q:required="true"'
REFUSED: list[tuple[str, str]] = [
    (document(Rules=f"<algebraicRule>{formula('k - 1')}</algebraicRule>", Parameters=K), "algebraic rule"),
    (document(Parameters=K, Events=event("time > 1", ("k", "2"), inside=f"<delay>{ONE}</delay>")), "has a delay"),
    (document(Parameters=K, Events=event("time > 1", ("k", "2"), inside=f"<priority>{ONE}</priority>")), "has a prio"),
    (document(Parameters=K, Rules=rule("rate", "k", "delay(k, 1)")), "rule of 'k' uses delay"),
    (document(Parameters=K, Rules=rule("rate", "k", "factorial(k)")), "rule of 'k' uses factorial"),
    (document(Parameters=K, Rules=rule("rate", "k", "piecewise(1, k > 1)")), "rule of 'k': a piecewise without"),
    (DECAY.replace(formula("k*S*c"), ""), "'R' has no kinetic law"),
    ('<sbml xmlns="http://www.sbml.org/sbml/level1" level="1" version="2"><model/></sbml>', "Level 1"),
    ("<sbml", "not valid SBML"),
    ("/nowhere/at_all.xml", "no SBML file"),
    (DECAY.replace('id="R"', 'id="R" fast="true"').replace("level3/version2", "level3/version1")
     .replace('version="2"', 'version="1"'), "'R' is fast"),
    (DECAY.replace("<sbml ", f"<sbml {QUAL} "), "qual"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "words"), REFUSED, ids=[w for _, w in REFUSED])
def test_what_is_not_supported_is_refused_by_name(text: str, words: str) -> None:
    with pytest.raises(ExchangeError, match=words):
        from_sbml(text)


def test_runs_that_cannot_be_right_are_refused() -> None:
    with pytest.raises(ExchangeError, match=r"\['k'\] have no finite value"):
        run(DECAY.replace('value="0.7"', ""))
    with pytest.raises(ExchangeError, match=r"\['S', 'c'\] have no|\['S_amount', 'c'\] have no|'c'\] have no"):
        run(DECAY.replace('size="2.0"', ""))
    with pytest.raises(ExchangeError, match="fire together at time 1 "):
        run(document(Parameters=K, Events=event("time >= 1", ("k", "2")) + event("time > 1", ("k", "3"))))
    with pytest.raises(ExchangeError, match="keep firing"):
        run(
            document(
                Parameters=K + parameter("j", 0, False),
                Events=event("k > 1.5", ("k", "0"), ("j", "1")) + event("k < 0.5", ("k", "2"))
                + event("time >= 1", ("k", "3")),
            )
        )  # fmt: skip
    with pytest.raises(ExchangeError, match="for equality"):
        run(document(Parameters=K, Events=event("time == 1", ("k", "2"))))
    with pytest.raises(ExchangeError, match="sorted"):
        run(DECAY, times=np.array([1.0, 0.0]))


def test_a_membrane_without_a_size_does_no_harm() -> None:
    text = DECAY.replace(
        "</listOfComp", '<compartment id="m2" spatialDimensions="2" constant="true"/></listOfComp'
    ).replace(
        "</listOfSpecies>",
        species("X", 'initialAmount="1"', by_amount=True).replace('"c"', '"m2"') + "</listOfSpecies>",
    )
    frame = run(text)
    assert frame["S"].to_numpy() == pytest.approx(3 * np.exp(-0.7 * T), rel=1e-8)
    assert frame["X_concentration"].isna().all() and set(frame.columns) >= {"S", "X_concentration"}


# --- export ---------------------------------------------------------------------------------------------


def derivatives(model: Model, known: dict[str, float]) -> dict[str, float]:
    """Right-hand side of a description, by plain evaluation of its texts."""
    scope = Scope({d.name: d.expression for d in model.definitions}, dict(known))
    rates = {s: 0.0 for s in model.state_names if s != "time"}
    for flux in model.fluxes:
        for state, coefficient in flux.changes:
            rates[state] += float(evaluate(str(coefficient), scope)) * float(evaluate(flux.expression, scope))
    return rates


@pytest.fixture
def mixed() -> Model:
    """Amounts, a turnover, a unit SBML does not know, time, conditions and a stoichiometry that is a formula."""
    module = Module(
        name="mixed",
        states=(
            State("A", "mg", "a drug", 4.0),
            State("B", "mg", "its metabolite"),
            State("R", "1", "a response", 1.0),
            State("N", "IU/L", "a count"),
        ),
        parameters=(
            Parameter("k", "1/h", "rate"),
            Parameter("y", "1", "yield"),
            Parameter("V", "L", "volume"),
            Parameter("t0", "h", "when it starts"),
        ),
        definitions=(
            Definition("on", "piecewise(1, time >= t0 and not R > 5, 0)", "1", "whether it acts"),
            Definition("C", "A/V", "mg/L", "concentration"),
            Definition("h", "max(0.1, min(C, 3))**1.5/(1 + log10(1 + C)) + sqrt(R)*abs(sin(pi*R))", "1", "some effect"),
        ),
        fluxes=(
            Flux("met", "k*A/(1 + R)", "mg/h", stoichiometry=(("A", -1.0), ("B", "y/2"), ("R", 0.25))),
            Flux("turn", "k*(on*h - R)", "1/h", None, "R"),
            Flux("grow", "exp(-k*time)*N + B", "IU/L/h", None, "N"),
        ),
        dose_targets=(("oral", "A"),),
    )
    return compose("mixed", [module], ["C", "R"])


VALUES = {"k": 0.3, "y": 0.8, "V": 7.0, "t0": 1.25}


def test_an_exported_model_is_valid_and_says_what_it_is(mixed: Model) -> None:
    text = to_sbml(mixed, VALUES, {"B": 0.5})
    said = findings(text)
    assert not [f for f in said if not f.startswith("Warning")]
    # units of bare numbers and of the compartment without size cannot be checked; N has a unit that SBML lacks
    assert {f.split(",")[0] for f in said} == {f"Warning {n}" for n in (99505, 99508, 20702, 80701)}
    assert all("'N'" in f or '"N"' in f or "id 'N'" in f for f in said if "20702" in f or "80701" in f)
    sbml = libsbml.readSBMLFromString(text)
    model = sbml.getModel()
    assert [s.getId() for s in model.getListOfSpecies()] == ["A", "B"]
    assert model.getSpecies("B").getInitialAmount() == 0.5 and model.getParameter("R").getValue() == 1.0
    assert model.getParameter("k").getName() == "rate"
    unit = model.getUnitDefinition(model.getParameter("C").getUnits())
    assert libsbml.UnitDefinition.printUnits(unit, True) == "(0.001 gram)^1, (1 litre)^-1"
    assert "IU/L" in model.getParameter("N").getNotesString() and not model.getParameter("N").getUnits()
    assert "oral doses go to A" in model.getNotesString()
    with pytest.raises(ExchangeError, match=r"no parameter \['kk'\]"):
        to_sbml(mixed, {"kk": 1.0})


def test_there_and_back_gives_the_same_right_hand_side(mixed: Model) -> None:
    back = from_sbml(to_sbml(mixed, VALUES)).model
    assert set(back.state_names) == set(mixed.state_names)
    rng = np.random.default_rng(1)
    for time in (0.5, 1.25, 7.0):
        known = {n: float(v) for n, v in zip("ABRN", rng.uniform(0.1, 6, 4), strict=True)} | VALUES | {"time": time}
        ours, theirs = derivatives(mixed, known), derivatives(back, known | _stoichiometries(back, known))
        assert theirs == pytest.approx(ours, rel=1e-13), time
    assert from_sbml(to_sbml(mixed, VALUES)).initial_values["A"] == 4.0


def _stoichiometries(model: Model, known: dict[str, float]) -> dict[str, float]:
    return {p: known["y"] / 2 for p in model.parameter_names if p.startswith("stoichiometry_")}


def test_the_whole_body_comes_back(vector: Callable[..., np.ndarray]) -> None:
    model = whole_body()
    values = dict(zip(model.parameter_names, map(float, vector()), strict=True))
    imported = from_sbml(to_sbml(model, values))
    assert imported.parameter_values == pytest.approx(values, rel=1e-14)
    assert {s.name: s.unit for s in imported.model.states} == {s.name: s.unit for s in model.states}
    known = {s: 1.0 + 0.1 * i for i, s in enumerate(model.state_names)} | values
    assert derivatives(imported.model, known) == pytest.approx(derivatives(model, known), rel=1e-13)


# --- PEtab ----------------------------------------------------------------------------------------------


@pytest.fixture
def problem(tmp_path: Path) -> PetabProblem:
    """Production and decay of S: dS/dt = p - k S, rest at p/k; a second condition starts from the rest of the first."""
    model = document(
        size=1.0,
        Species=species("S", 'initialConcentration="0"'),
        Parameters=parameter("k", 9.0) + parameter("p", 9.0),
        Reactions=reaction("make", "p", right="S") + reaction("lose", "k*S", "S"),
    )
    tables = {
        "model.xml": model,
        "p.yaml": "format_version: 1\nparameter_file: par.tsv\nproblems:\n- sbml_files: [model.xml]\n"
        "  condition_files: [con.tsv]\n  observable_files: [obs.tsv]\n  measurement_files: [mea.tsv]\n",
        "par.tsv": "parameterId\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate\n"
        "k\tlog10\t0.01\t10\t0.5\t1\nfast\tlin\t0\t10\t4\t1\nscale\tlog\t0.1\t10\t3\t1\n",
        "con.tsv": "conditionId\tconditionName\tp\tS\nrest\tx\t2\t\nhigh\ty\tfast\tNaN\nreset\tz\t2\t1\n",
        "obs.tsv": "observableId\tobservableFormula\tnoiseFormula\tobservableTransformation\tnoiseDistribution\n"
        "o\tobservableParameter1_o*S^2 + scale\tnoiseParameter1_o*scale + noiseParameter2_o\tlin\tnormal\n",
        "mea.tsv": "observableId\tpreequilibrationConditionId\tsimulationConditionId\tmeasurement\ttime\t"
        "observableParameters\tnoiseParameters\n"
        "o\t\trest\t1\t3\t10\tk;0.1\no\trest\thigh\t1\t2\tscale\t1;2\no\trest\treset\t1\t2\t1\t1;2\no\t\thigh\t1\tinf\t1\t1;0\n",
    }  # fmt: skip
    for name, text in tables.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return load_problem(tmp_path / "p.yaml")


def test_a_petab_problem_against_its_solution(problem: PetabProblem) -> None:
    table = simulate_problem(problem, engine="rosenbrock")
    s = lambda p, start, t: p / 0.5 + (start - p / 0.5) * math.exp(-0.5 * t)  # noqa: E731
    wanted = [10 * s(2, 0, 3) ** 2 + 3, 3 * s(4, 4, 2) ** 2 + 3, s(2, 1, 2) ** 2 + 3, 8.0**2 + 3]
    assert table["simulation"].to_numpy() == pytest.approx(wanted, rel=1e-6)
    assert table["noise"].tolist() == [1.6, 5.0, 5.0, 3.0]
    assert "measurement" not in table and table["time"].tolist() == ["3", "2", "2", "inf"]
    slower = simulate_problem(problem, {"k": 0.25}, engine="rosenbrock")
    assert slower["simulation"][3] == pytest.approx(16.0**2 + 3, rel=1e-6)


def test_scales_of_petab_parameters(problem: PetabProblem) -> None:
    scaled = scaled_values(problem)
    assert scaled == pytest.approx({"k": math.log10(0.5), "fast": 4.0, "scale": math.log(3.0)})
    assert linear_values(problem, scaled) == pytest.approx(problem.nominal)


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("p.yaml", "format_version: 1", "format_version: 2.0.0", "only 1 is supported"),
        ("con.tsv", "\tp\tS", "\tp\tQ", "no id 'Q'"),
        ("mea.tsv", "o\t\trest", "o\t\tnever", "'never'"),
        ("par.tsv", "log10", "log2", "log2"),
        ("obs.tsv", "noiseFormula", "noise", "noiseFormula"),
    ],
)
def test_a_broken_problem_is_refused(
    problem: PetabProblem, tmp_path: Path, file: str, old: str, new: str, words: str
) -> None:
    path = tmp_path / file
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ExchangeError, match=words):
        load_problem(tmp_path / "p.yaml")


def test_an_override_that_is_missing_is_named(problem: PetabProblem, tmp_path: Path) -> None:
    path = tmp_path / "mea.tsv"
    path.write_text(path.read_text(encoding="utf-8").replace("k;0.1", "k"), encoding="utf-8")
    with pytest.raises(ExchangeError, match="noiseParameter2_o"):
        simulate_problem(load_problem(tmp_path / "p.yaml"), engine="rosenbrock")
    with pytest.raises(ExchangeError, match=r"no parameters \['kk'\]"):
        simulate_problem(problem, {"kk": 1.0})


def test_no_steady_state_is_no_answer(problem: PetabProblem) -> None:
    growing = document(
        size=1.0,
        Species=species("S", 'initialConcentration="0"'),
        Parameters=parameter("k", 9.0) + parameter("p", 9.0),
        Reactions=reaction("make", "p", right="S") + reaction("lose", "0*k*S", "S"),
    )
    unsteady: ImportedModel = from_sbml(growing)
    with pytest.raises(ExchangeError, match="comes to no steady state"):
        simulate_problem(replace(problem, model=unsteady), engine="rosenbrock")


@pytest.mark.parametrize(
    "text",
    [
        "%".join("x" * 12),
        "rem(" * 12 + "x" + ", x)" * 12,
        f"xor({', '.join(['x'] * 24)})",
        "arcsinh(" * 24 + "x" + ")" * 24,
    ],
)
def test_a_formula_that_would_grow_without_end_is_refused(text: str) -> None:
    with pytest.raises(ExchangeError, match=r"20000 characters|6 remainders"):
        read_formula(text, lambda name: name, "a test")
