"""Systems of drugs: limits that have exact answers, and what links compounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drug_fixture import LONG, compound, drug_maker, path, quantity
from drug_fixture import man as reference_man

from pharmtwin.drugs.parameters import enzyme_amount, parameter_values, parameter_vector
from pharmtwin.drugs.system import System, build
from pharmtwin.engine.run import Dose, pack, simulate
from pharmtwin.model.balance import total_mass


@pytest.fixture
def drug(tmp_path: Path) -> Any:
    return drug_maker(tmp_path)


@pytest.fixture(scope="module")
def man() -> dict[str, float]:
    return reference_man()


def auc(system: System, vectors: list[np.ndarray], doses: list[list[Dose]], end: float = LONG) -> np.ndarray:
    times = [np.array([0.0, end])] * len(vectors)
    solved = simulate(system.model, pack(system.model, np.array(vectors), doses, times), rtol=1e-8)
    assert (solved.flag == 0).all()
    return np.array([solved.of(k)[-1, 1] for k in range(len(vectors))])


def test_a_knocked_out_path_gives_one_over_one_minus_fm(drug: Any, man: dict[str, float]) -> None:
    both = drug("d", d=compound(metabolism=[path(0.7, "CYP2D6"), path(30.0)]))
    system = build([both])
    normal = parameter_values(system, man)
    fm = normal["CLint_CYP2D6"] / (normal["CLint_CYP2D6"] + normal["CLint_rest"])
    assert normal["CLint_CYP2D6"] == pytest.approx(0.7 * 60 * enzyme_amount("CYP2D6", "liver", man)) and 0.1 < fm < 0.9
    vectors = [parameter_vector(system, man, {"CYP2D6": f}) for f in (1.0, 0.0, 0.5)]
    full, none, half = auc(system, vectors, [[Dose(0.0, 100.0, "oral")]] * 3)
    assert none / full == pytest.approx(1 / (1 - fm), rel=1e-5)
    assert half / full == pytest.approx(1 / (1 - 0.5 * fm), rel=1e-5)


def test_a_constant_inhibitor_gives_the_static_ratio(drug: Any, man: dict[str, float]) -> None:
    victim = drug("v", v=compound(metabolism=[path(0.7, "CYP2D6"), path(30.0)]))
    action = {"target": "CYP2D6", "mechanism": "competitive", "Ki": quantity(0.05, "umol/L")}
    blocker = drug("b", blocker=compound(acts_on=[action]))  # nothing eliminates it: constant once distributed
    system = build([victim, blocker])
    values = parameter_values(system, man)
    fm = values["CLint_CYP2D6"] / (values["CLint_CYP2D6"] + values["CLint_rest"])
    vector = parameter_vector(system, man)
    before, after = [Dose(0.0, 5.0, "iv_blocker")], [Dose(500.0, 100.0, "oral")]
    alone, with_it = auc(system, [vector, vector], [after, before + after], LONG)
    times = [np.array([0.0, 499.0])]
    solved = simulate(system.model, pack(system.model, np.array([vector]), [before], times), rtol=1e-8)
    observed = [d.name for d in system.model.observables]
    plasma = solved.of(0)[-1, observed.index("C_plasma_blocker")]
    unbound = 1000.0 * values["fu_p_blocker"] * plasma / 300.0  # umol/L, everywhere at equilibrium
    expected = 1 / (fm / (1 + unbound / 0.05) + 1 - fm)
    assert expected > 1.2 and with_it / alone == pytest.approx(expected, rel=1e-4)


def test_clearance_never_exceeds_hepatic_flow(drug: Any, man: dict[str, float]) -> None:
    system = build([drug("d", d=compound(metabolism=[path(1e6)]))])
    (area,) = auc(system, [parameter_vector(system, man)], [[Dose(0.0, 100.0, "iv")]])
    flow = sum(man[f"Q_{o}"] for o in ("liver", "gut", "spleen", "pancreas"))
    assert 100.0 / area == pytest.approx(flow, rel=1e-3)  # B_P is 1: plasma is blood


def test_zero_dose_gives_zero_and_doses_are_proportional(drug: Any, man: dict[str, float]) -> None:
    system = build([drug("d", d=compound(metabolism=[path(30.0)]))])
    vector = parameter_vector(system, man)
    zero, one, ten = auc(system, [vector] * 3, [[Dose(0.0, d, "oral")] for d in (0.0, 1.0, 10.0)])
    assert zero == 0.0 and ten / one == pytest.approx(10.0, rel=1e-6)


def test_a_metabolite_is_formed_by_mass_and_mass_closes(drug: Any, man: dict[str, float]) -> None:
    heavier = compound(metabolism=[path(20.0, name="gone")])
    heavier["physicochemistry"] = {"MW": quantity(316.0, "g/mol"), "logP": quantity(1.0, "1")}
    formed = path(40.0, name="hydroxylation", product="m", fraction=quantity(0.75, "1"))
    system = build([drug("d", d=compound(metabolism=[formed]), m=heavier)])
    vector = parameter_vector(system, man)
    doses = [[Dose(0.0, 100.0, "iv")]]
    solved = simulate(system.model, pack(system.model, np.array([vector]), doses, [np.array([0.0, LONG])]), rtol=1e-9)
    observed = [d.name for d in system.model.observables]
    parent, metabolite = (solved.of(0)[-1, observed.index(n)] for n in ("AUC", "AUC_m"))
    # every molecule of the parent becomes 0.75 of the metabolite: clearance ratio and masses give the areas' ratio
    flow = sum(man[f"Q_{o}"] for o in ("liver", "gut", "spleen", "pancreas"))
    values = parameter_values(system, man)
    clint = [values["CLint_hydroxylation"], values["CLint_gone_m"]]
    assert clint == pytest.approx([40.0, 20.0], rel=1e-3)  # the reference man's liver, to the digits of its mass
    cleared = [flow * 0.2 * c / (flow + 0.2 * c) for c in clint]
    assert parent == pytest.approx(100.0 / cleared[0], rel=1e-6)
    released = flow / (flow + 0.2 * clint[1])  # of what is formed in the liver, the part that reaches the blood
    assert metabolite == pytest.approx(100.0 * 0.75 * 316 / 300 * released / cleared[1], rel=1e-6)


def test_mixed_and_noncompetitive_inhibitors_act_on_both_factors(drug: Any, man: dict[str, float]) -> None:
    saturable = {"path": "x", "enzyme": "CYP2D6", "kcat": quantity(5.0, "1/min"), "Km": quantity(1.0, "umol/L")}
    actions = [
        {"target": "CYP2D6", "mechanism": "noncompetitive", "Ki": quantity(0.3, "umol/L")},
        {"target": "CYP2D6", "mechanism": "induction", "Emax": quantity(2.0, "1"), "EC50": quantity(0.1, "umol/L")},
        {
            "target": "CYP2D6",
            "mechanism": "inactivation",
            "kinact": quantity(1.0, "1/h"),
            "KI": quantity(0.5, "umol/L"),
        },
    ]
    system = build([drug("v", v=compound(metabolism=[saturable])), drug("b", blocker=compound(acts_on=actions))])
    values = parameter_values(system, man)
    assert values["Kic_CYP2D6_blocker"] == values["Kiu_CYP2D6_blocker"] == 0.3
    assert values["Emax_CYP2D6_blocker"] == 2.0 and values["kinact_CYP2D6_blocker"] == 1.0
    assert values["Vmax_x"] == pytest.approx(5.0 * 60 * enzyme_amount("CYP2D6", "liver", man))
    assert {n for n in system.model.parameter_names if n not in values} == set()


def test_missing_facts_and_names_are_said(drug: Any, man: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="more than one drug"):
        build([drug("a", same=compound()), drug("b", same=compound())])
    with pytest.raises(ValueError, match="at least one"):
        build([])
    unknown = build([drug("d", d=compound(metabolism=[path(1.0, "CYP9Z9")]))])
    with pytest.raises(KeyError, match="CYP9Z9"):
        parameter_vector(unknown, man)
    with pytest.raises(KeyError, match="nobody"):
        unknown.part("nobody")


def test_mass_is_conserved_in_a_system_of_two_drugs(drug: Any, man: dict[str, float]) -> None:
    formed = path(0.02, "CYP2D6", product="m", fraction=quantity(0.6, "1"))
    victim = drug("v", v=compound(metabolism=[formed, path(10.0)]), m=compound(metabolism=[path(5.0)]))
    other = drug("b", blocker=compound(metabolism=[path(0.01, "CYP2D6")]))
    system = build([victim, other])
    vector = parameter_vector(system, man | {"GFR": 7.0})
    doses = [[Dose(0.0, 100.0, "oral"), Dose(1.0, 50.0, "oral_blocker")]]
    times = [np.array([0.0, 1.0, 5.0, 50.0])]
    states = simulate(
        system.model, pack(system.model, np.array([vector]), doses, times), rtol=1e-8, engine="rosenbrock"
    )
    assert (states.flag == 0).all()
    assert total_mass(system.model, states.final_state[0].tolist()) == pytest.approx(150.0, rel=1e-9)
