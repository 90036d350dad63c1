"""Composition of modules: what does not fit is refused, and the message names the culprit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from program_fixture import Interpreted

from pharmtwin.core.whole_body import ACCOUNTS, whole_body
from pharmtwin.model.description import (
    Definition,
    Flux,
    Model,
    ModelError,
    Module,
    Parameter,
    Port,
    State,
    compose,
)

CENTRAL = Module(
    name="central",
    states=(State("A", "mg", "amount", conserved=True), State("A_out", "mg", "eliminated", conserved=True)),
    parameters=(Parameter("k", "1/h", "rate"), Parameter("V", "L", "volume")),
    definitions=(Definition("C", "A/V", "mg/L", "concentration"),),
    fluxes=(Flux("out", "k*A", "mg/h", "A", "A_out"),),
    dose_targets=(("iv", "A"),),
)


def build(
    *more: Module, central: Module = CENTRAL, observables: tuple[str, ...] = ("C",), **kw: tuple[str, ...]
) -> Model:
    return compose("test", [central, *more], list(observables), **kw)


def test_equations_of_a_composed_model() -> None:
    effect = Module(
        name="effect",
        states=(State("R", "1", "response", initial=1.0),),
        parameters=(Parameter("kdeg", "1/h", "turnover"), Parameter("IC50", "mg/L", "potency")),
        definitions=(Definition("I", "C/(IC50 + C)", "1", "inhibition"),),
        fluxes=(Flux("make", "kdeg*(1 - I)", "1/h", None, "R"), Flux("lose", "kdeg*R", "1/h", "R", None)),
        needs=(Port("C", "mg/L"),),
    )
    model = build(effect, observables=("C", "R", "I"), sensitivities=("IC50", "k"))
    assert model.state_names == ["A", "A_out", "R"]
    assert model.parameter_names == ["k", "V", "kdeg", "IC50"]
    assert model.observable_names == ["C", "R", "I"]
    assert model.sensitivities == ("IC50", "k")
    code = Interpreted(model)
    for seed in range(3):
        A, A_out, R, k, V, kdeg, IC50 = np.random.default_rng(seed).lognormal(0.0, 1.0, 7)
        y, p = np.array([A, A_out, R]), np.array([k, V, kdeg, IC50])
        inhibited = A / (IC50 * V + A)
        np.testing.assert_allclose(code.rates(y, p), [-k * A, k * A, kdeg * (1 - inhibited) - kdeg * R], rtol=1e-13)
        np.testing.assert_allclose(code.observed(y, p), [A / V, R, inhibited], rtol=1e-13)


def test_definitions_stand_after_what_they_use() -> None:
    late = Module(
        "late",
        definitions=(
            Definition("c", "a + b", "1", ""),
            Definition("a", "2*b", "1", ""),
            Definition("b", "C*k*V", "mg*L/h", ""),
        ),
        needs=(Port("C", "mg/L"), Port("k", "1/h"), Port("V", "L")),
    )
    model = compose("late", [late, CENTRAL], ["c"])
    order = [d.name for d in model.definitions]
    assert sorted(order) == ["C", "a", "b", "c"] and order.index("C") < order.index("b") < order.index("a")
    assert order[-1] == "c"
    seen = Interpreted(model).observed(np.array([5.0, 0.0]), np.array([0.3, 7.0]))
    np.testing.assert_allclose(seen, [3 * (5.0 / 7.0) * 0.3 * 7.0], rtol=1e-14)


BINDING = Module(
    name="binding",
    states=tuple(State(s, "nmol", "free drug, receptor, complex") for s in ("D", "B", "DB")),
    parameters=(Parameter("kon", "1/nmol/h", ""), Parameter("koff", "1/h", ""), Parameter("n", "1", "sites")),
    fluxes=(
        Flux("on", "kon*D*B", "nmol/h", stoichiometry=(("D", "-n"), ("B", -1), ("DB", 1.0))),
        Flux("off", "koff*DB", "nmol/h", stoichiometry=(("D", "n"), ("B", 1), ("DB", -1.0))),
    ),
)


def test_stoichiometry_replaces_source_and_target() -> None:
    """Numbers and expressions in parameters, on three states at once; their tangents too."""
    model = compose("binding", [BINDING], ["DB"], ("n", "kon"))
    code = Interpreted(model)
    y, p = np.array([3.0, 2.0, 0.5]), np.array([0.7, 0.2, 2.5])
    net = 0.7 * 3.0 * 2.0 - 0.2 * 0.5
    np.testing.assert_allclose(code.rates(y, p), [-2.5 * net, -net, net], rtol=1e-14)
    rows = np.zeros(6)
    code.run("rhs_dp", y, code.constants(p), rows)
    expected = [[-net, -2.5 * 6.0], [0.0, -6.0], [0.0, 6.0]]
    np.testing.assert_allclose(rows.reshape(3, 2), expected, rtol=1e-14, atol=1e-15)
    ends = Flux("ends", "k*A", "mg/h", "A", "A_out")
    assert ends.changes == (("A", -1.0), ("A_out", 1.0)) and Flux("made", "1", "1/h", None, "A").changes == (
        ("A", 1.0),
    )


def test_a_model_that_uses_time_gets_it_as_its_last_state() -> None:
    wave = Module("wave", states=(State("x", "1", ""),), fluxes=(Flux("f", "sin(time)", "1/h", None, "x"),))
    model = compose("wave", [wave, CENTRAL], ["x", "time"])
    assert model.state_names == ["x", "A", "A_out", "time"] and model.states[-1].unit == "h"
    rates = Interpreted(model).rates(np.array([0.0, 2.0, 0.0, 0.8]), np.array([0.5, 10.0]))
    np.testing.assert_allclose(rates, [np.sin(0.8), -1.0, 1.0, 1.0], rtol=1e-14)
    assert "time" not in build().state_names
    indirect = Module("day", definitions=(Definition("day", "floor(time/24)", "1", ""),))
    assert build(indirect, observables=("day",)).state_names[-1] == "time"


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        (Module("liver", needs=(Port("Q_liver", "L/h"),)), ("Q_liver", "liver", "dangling")),
        (Module("kidney", needs=(Port("C", "umol/L"),)), ("'C'", "kidney", "umol/L", "mg/L")),
        (Module("twice", parameters=(Parameter("V", "L", "volume again"),)), ("'V'", "central", "twice")),
        (Module("twice", definitions=(Definition("A", "1", "mg", "a state's name"),)), ("'A'", "central", "twice")),
        (
            Module("twice", states=(State("X", "mg", ""),), fluxes=(Flux("out", "1", "mg/h", None, "X"),)),
            ("flux", "'out'", "central", "twice"),
        ),
        (
            Module(
                "loop",
                definitions=(
                    Definition("a", "b + 1", "1", ""),
                    Definition("b", "c*2", "1", ""),
                    Definition("c", "a", "1", ""),
                ),
            ),
            ("circular", "a -> b -> c -> a"),
        ),
        (Module("selfish", definitions=(Definition("a", "a + 1", "1", ""),)), ("circular", "a -> a")),
        (Module("stray", definitions=(Definition("a", "2*nowhere", "1", ""),)), ("'a'", "stray", "nowhere")),
        (Module("deaf", definitions=(Definition("a", "2*C", "1", ""),)), ("'a'", "deaf", "'C'", "port")),
        (
            Module("maker", fluxes=(Flux("gift", "1", "mg/h", None, "A"),)),
            ("gift", "maker", "create or destroy mass"),
        ),
        (
            Module(
                "eater",
                states=(State("E", "mg", "not conserved"),),
                fluxes=(Flux("bite", "k*A", "mg/h", "A", "E"),),
                needs=(Port("k", "1/h"), Port("A", "mg")),
            ),
            ("bite", "eater", "create or destroy mass"),
        ),
        (
            Module("slow", fluxes=(Flux("leak", "1", "mg/min", "A", "A_out"),)),
            ("leak", "mg/min", "mg/h"),
        ),
        (Module("lost", fluxes=(Flux("leak", "1", "mg/h", "A", "A_nowhere"),)), ("leak", "lost", "A_nowhere")),
        (
            Module(
                "doubler",
                fluxes=(Flux("two", "k*A", "mg/h", stoichiometry=(("A", -1.0), ("A_out", 2.0))),),
                needs=(Port("k", "1/h"), Port("A", "mg")),
            ),
            ("two", "doubler", "create or destroy mass"),
        ),
        (
            Module("odd", fluxes=(Flux("leak", "1", "mg/h", stoichiometry=(("A", "-x"), ("A_out", "x"))),)),
            ("leak", "odd", "x", "port"),
        ),
        (Module("typo", definitions=(Definition("a", "erf(1)", "1", ""),)), ("erf(1)",)),
        (Module("zero", definitions=(Definition("a", "1/0", "1", ""),)), ("division by zero",)),
        (Module("torn", definitions=(Definition("a", "(1", "1", ""),)), ("'a'", "torn", "cannot read")),
        (Module("pump", dose_targets=(("im", "A_muscle"),)), ("im", "A_muscle")),
        (Module("pump", dose_targets=(("iv", "A_out"),)), ("iv",)),
    ],
    ids=[
        "dangling port",
        "unit of a port",
        "name twice",
        "name of another kind",
        "flux twice",
        "circle",
        "circle of one",
        "unknown symbol",
        "symbol without a port",
        "mass from nothing",
        "mass to nothing",
        "unit of a flux",
        "flux to nowhere",
        "mass doubled",
        "coefficient without a port",
        "unknown function",
        "division by zero",
        "torn text",
        "dose to nowhere",
        "route twice",
    ],
)
def test_what_does_not_fit_is_refused_by_name(spoilt: Module, words: tuple[str, ...]) -> None:
    with pytest.raises(ModelError) as error:
        build(spoilt)
    assert all(w in str(error.value) for w in words), str(error.value)


def test_unknown_observable_sensitivity_and_route_are_named() -> None:
    with pytest.raises(ModelError, match="'C_brain'"):
        build(observables=("C_brain",))
    with pytest.raises(ModelError, match="CLint"):
        build(sensitivities=("k", "CLint"))
    with pytest.raises(ModelError, match=r"'oral'.*\['iv'\]"):
        build().dose_state("oral")


def test_digest_follows_the_description() -> None:
    base = build()
    assert build().digest == base.digest
    assert build(sensitivities=("k",)).digest != base.digest
    assert build(observables=("A",)).digest != base.digest
    faster = replace(CENTRAL, fluxes=(Flux("out", "2*k*A", "mg/h", "A", "A_out"),))
    started = replace(CENTRAL, states=(replace(CENTRAL.states[0], initial=1.0), CENTRAL.states[1]))
    assert len({base.digest, build(central=faster).digest, build(central=started).digest}) == 3
    again = replace(BINDING, fluxes=(replace(BINDING.fluxes[0], stoichiometry=(("D", -1.0),)), BINDING.fluxes[1]))
    assert compose("b", [BINDING], ["DB"]).digest != compose("b", [again], ["DB"]).digest


def test_without_drops_accounts_and_refuses_states_that_matter() -> None:
    model = whole_body()
    lean = model.without(ACCOUNTS)
    assert set(model.state_names) - set(lean.state_names) == set(ACCOUNTS)
    assert lean.observable_names == ["C_plasma", "E_CYP2D6"]
    assert lean.digest != model.digest
    y, p = np.linspace(0.1, 2.0, len(model.states)), np.linspace(0.2, 3.0, len(model.parameters))
    kept = [model.state_names.index(s) for s in lean.state_names]
    np.testing.assert_allclose(Interpreted(lean).rates(y[kept], p), Interpreted(model).rates(y, p)[kept], rtol=1e-12)
    with pytest.raises(ModelError, match="A_liver"):
        model.without(("A_liver",))
    with pytest.raises(ModelError, match="AUCC"):
        model.without(("AUCC",))  # a slip of the pen is not an account
