"""Composition of modules: what does not fit is refused, and the message names the culprit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sympy as sp

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
    A, k, V, R, kdeg, IC50 = sp.symbols("A k V R kdeg IC50", real=True)
    assert model.state_names == ["A", "A_out", "R"]
    assert model.parameter_names == ["k", "V", "kdeg", "IC50"]
    assert model.observable_names == ["C", "R", "I"]
    assert model.sensitivities == ("IC50", "k")
    expected = (-k * A, k * A, kdeg * (1 - (A / V) / (IC50 + A / V)) - kdeg * R)
    for got, want in zip(model.rhs, expected, strict=True):
        assert sp.simplify(got - want) == 0
    assert sp.simplify(model.observable_exprs[2] - A / (IC50 * V + A)) == 0
    assert sp.simplify(model.rhs[0] + model.rhs[1]) == 0


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


def test_without_drops_accounts_and_refuses_states_that_matter() -> None:
    model = whole_body()
    lean = model.without(ACCOUNTS)
    assert set(model.state_names) - set(lean.state_names) == set(ACCOUNTS)
    assert lean.observable_names == ["C_plasma", "E_CYP2D6"]
    assert lean.digest != model.digest
    with pytest.raises(ModelError, match="A_liver"):
        model.without(("A_liver",))
    with pytest.raises(ModelError, match="AUCC"):
        model.without(("AUCC",))  # a slip of the pen is not an account
