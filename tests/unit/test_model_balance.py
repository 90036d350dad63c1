"""Mass balance as structure and as numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pharmtwin.core.whole_body import whole_body
from pharmtwin.engine.run import Dose
from pharmtwin.model.balance import coefficient, given_amounts, mass_error, pools, total_mass, unbalanced_fluxes
from pharmtwin.model.description import Flux, Model, ModelError, Module, Parameter, State, compose


def two_pools() -> Model:
    """Two compounds that never meet, an enzyme, and a pool of a single state."""
    amounts = tuple(State(n, "mg", "", conserved=True) for n in ("A", "X", "B", "Y", "lone"))
    fluxes = (
        Flux("a", "k*A", "mg/h", "A", "B"),
        Flux("x", "k*X", "mg/h", "X", "Y"),
        Flux("turnover", "k*(1 - E)", "1/h", None, "E"),
    )
    module = Module(
        "m",
        (*amounts, State("E", "1", "", initial=1.0)),
        (Parameter("k", "1/h", ""), Parameter("MW", "g/mol", "")),
        fluxes=fluxes,
        dose_targets=(("iv", "A"), ("other", "X"), ("inducer", "E")),
    )
    return compose("two", [module], ["A"])


def with_flux(model: Model, *changes: tuple[str, float | str]) -> Model:
    """The model with a flux that no check has seen (as an importer could make it)."""
    return replace(model, fluxes=(*model.fluxes, Flux("new", "k*A", "mg/h", stoichiometry=changes)))


def test_pools_are_what_fluxes_connect() -> None:
    model = two_pools()
    assert pools(model) == (("A", "B"), ("X", "Y"), ("lone",))
    assert pools(with_flux(model, ("Y", -1.0), ("A", 1.0))) == (("A", "X", "B", "Y"), ("lone",))
    assert [len(p) for p in pools(whole_body())] == [24]


def test_unbalanced_fluxes_are_found_by_name() -> None:
    model = two_pools()
    assert unbalanced_fluxes(model) == [] == unbalanced_fluxes(whole_body())
    assert unbalanced_fluxes(with_flux(model, ("A", -1.0))) == ["new"]
    assert unbalanced_fluxes(with_flux(model, ("A", -1.0), ("E", 1.0))) == ["new"]  # mass cannot become enzyme
    assert unbalanced_fluxes(with_flux(model, ("A", -2.0), ("B", 0.5), ("X", 1.5))) == []
    assert unbalanced_fluxes(with_flux(model, ("A", "-1/MW"), ("B", "pow(MW, -1)"))) == []
    assert unbalanced_fluxes(with_flux(model, ("A", "-(k + 1)*MW"), ("B", "k*MW"), ("Y", "MW"))) == []
    assert unbalanced_fluxes(with_flux(model, ("A", "-k"), ("B", "MW"))) == ["new"]
    assert unbalanced_fluxes(with_flux(model, ("E", 3.0))) == []  # touches no mass


def test_coefficients_are_formulas_of_parameters() -> None:
    assert coefficient("-2*k/(1 + k)", {"k": 3.0}) == pytest.approx(-1.5)
    assert coefficient(2, {}) == 2.0
    with pytest.raises(ModelError, match=r"'A\*k'.*\['A'\]"):
        coefficient("A*k", {"k": 1.0})


def test_mass_error_of_each_run_and_pool() -> None:
    """By hand: boluses count strictly after their time, infusions by the part that has run."""
    model = two_pools()
    doses = [Dose(0.0, 10.0, "iv"), Dose(5.0, 7.0, "iv"), Dose(2.0, 8.0, "other", 4.0), Dose(0.0, 3.0, "inducer")]
    np.testing.assert_array_equal(given_amounts(model, doses, 5.0), [10.0, 6.0, 0.0, 0.0, 0.0, 3.0])
    np.testing.assert_allclose(given_amounts(model, doses, 5.1)[:2], [17.0, 8.0 * 3.1 / 4.0], rtol=1e-15)
    whole = [4.0, 1.0, 6.0, 5.0, 0.0, 9.9]
    np.testing.assert_allclose(mass_error(model, whole, [doses], [5.0]), [[0.0, 0.0, 0.0]], atol=1e-15)
    swapped = [5.0, 0.0, 6.0, 5.0, 0.25, 0.0]  # a mg went from X to A: the total would not show it
    np.testing.assert_allclose(mass_error(model, swapped, [doses], [5.0]), [[0.1, 1 / 6, 0.25]])
    started = mass_error(model, whole, [[]], [5.0], state0=[10.0, 6.0, 0.0, 0.0, 0.0, 1.0])
    np.testing.assert_allclose(started, 0.0, atol=1e-15)
    assert np.isnan(mass_error(model, [np.nan] * 6, [doses], [5.0])).any()
    assert total_mass(model, whole) == 16.0


def test_mass_error_refuses_what_it_cannot_state() -> None:
    model = two_pools()
    with pytest.raises(ModelError, match=r"\['new'\].*stoichiometry"):
        mass_error(with_flux(model, ("A", -1.0)), [0.0] * 6, [[]], [1.0])
    with pytest.raises(ValueError, match=r"\(1, 5\).*6 states"):
        mass_error(model, [0.0] * 5, [[]], [1.0])
    with pytest.raises(ValueError, match="2 regimens"):
        mass_error(model, [0.0] * 6, [[], []], [1.0])
