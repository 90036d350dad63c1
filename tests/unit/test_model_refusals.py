"""Descriptions that look harmless and are not: each is refused, naming the culprit."""

from __future__ import annotations

import math

import pytest

from pharmtwin.model.description import Definition, Flux, ModelError, Module, Parameter, State, compose

A = State("A", "mg", "amount", conserved=True)
B = State("B", "mg", "amount", conserved=True)
CLOCK = State("time", "h", "declared by hand")
K = Parameter("k", "1/h", "rate")


def module(*fluxes: Flux, states: tuple[State, ...] = (A, B), definitions: tuple[Definition, ...] = ()) -> Module:
    return Module("m", states=states, parameters=(K,), definitions=definitions, fluxes=fluxes)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (module(Flux("f", "k*A", "mg/h", stoichiometry=(("A", "-B"), ("B", "B")))), "'B'"),
        (module(Flux("f", "k*A", "mg/h", stoichiometry=(("A", "-time"), ("B", "time")))), "time"),
        (module(Flux("f", "k*A", "mg/h", stoichiometry=(("A", "-k"), ("B", "2*k")))), "create or destroy"),
        (module(states=(State("A-b", "mg", "amount"),)), "A-b"),
        (module(states=(State("lambda", "mg", "amount"),)), "lambda"),
        (module(states=(State("A", "mg", "amount", math.nan),)), "'A'"),
        (module(definitions=(Definition("time", "k", "h", "not the clock"),)), "time"),
        (module(Flux("f", "2*sin(time)", "1", None, "time")), "flux 'f' of module 'm' ends at 'time', the clock"),
        (module(Flux("f", "sin(time)", "1", "time", None)), "ends at 'time', the clock"),
        (module(Flux("f", "k", "1/h", stoichiometry=(("time", 1.0),)), states=(CLOCK,)), "ends at 'time', the clock"),
        (Module("m", states=(CLOCK,), dose_targets=(("oral", "time"),)), "'oral' doses of module 'm' go to the clock"),
    ],
)
def test_refused(wrong: Module, named: str) -> None:
    with pytest.raises(ModelError, match=named):
        compose("wrong", [wrong], [])


def test_an_observable_is_asked_for_once() -> None:
    with pytest.raises(ModelError, match="'A'"):
        compose("twice", [module(Flux("f", "k*A", "mg/h", "A", "B"))], ["A", "A"])


def test_formulas_that_balance_are_accepted() -> None:
    model = compose("balanced", [module(Flux("f", "A", "mg/h", stoichiometry=(("A", "-k/2"), ("B", "0.5*k"))))], ["A"])
    assert model.state_names == ["A", "B"]


def test_a_clock_that_a_module_declares_runs_at_one() -> None:
    algebra, (rate,), _ = compose("clock", [Module("m", states=(CLOCK,))], []).graph
    assert algebra.value(rate) == 1.0
