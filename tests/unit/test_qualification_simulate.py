"""Arms simulated: limits with exact answers, mixtures, windows, shared and failed solves."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from qualification_drugs import body, compound, linear, make_drug, man, quantity

from pharmtwin.drugs.parameters import parameter_values
from pharmtwin.drugs.system import build
from pharmtwin.qualification.simulation import runs as simulate_runs
from pharmtwin.qualification.simulation.questions import (
    Question,
    World,
    answer,
    job,
    predict_profile,
    predict_ratio,
    window_times,
)
from pharmtwin.qualification.simulation.runs import components, run_jobs
from pharmtwin.qualification.study import Arm, Dosing, Event, Mixture, Profile, Ratio

INF = math.inf


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("drugs")
    action = {"target": "CYP2D6", "mechanism": "competitive", "Ki": quantity(0.05, "umol/L")}
    victim = make_drug(folder, "victim", victim=compound(metabolism=[linear(0.7, "CYP2D6"), linear(30.0)]))
    blocker = make_drug(folder, "blocker", blocker=compound(acts_on=[action], metabolism=[linear(1.0)]))
    return World({"victim": victim, "blocker": blocker}, body)


def arm(*events: Event, route: str = "oral", others: tuple[Dosing, ...] = (), **genotype: Mixture) -> Arm:
    return Arm((Dosing("victim", route, events or (Event(0.0, 100.0),)), *others), genotype=genotype)


def ratio(test: Arm, reference: Arm, window: tuple[float, float] = (0.0, INF), start: float = 0.0) -> Ratio:
    windows = {"window_test": (window[0] + start, window[1] + start), "window_reference": window}
    return Ratio("r", "genotype", "s", "victim", ("victim",), test, reference, auc=2.0, cmax=math.nan, **windows)


def fm(world: World) -> float:
    values = parameter_values(build([world.library["victim"]]), man())
    return float(values["CLint_CYP2D6"] / (values["CLint_CYP2D6"] + values["CLint_rest"]))


def test_a_poor_metaboliser_has_the_known_ratio(world: World) -> None:
    found = predict_ratio(ratio(arm(CYP2D6=((0.0, 1.0),)), arm()), world)
    assert not found.problem and found.auc == pytest.approx(1 / (1 - fm(world)), rel=2e-4)
    assert 1.0 < found.cmax < found.auc


def test_a_mixture_is_the_weighted_mean_of_concentrations(world: World) -> None:
    mixed = predict_ratio(ratio(arm(CYP2D6=((0.0, 0.25), (1.0, 0.75))), arm()), world)
    assert mixed.auc == pytest.approx(0.25 / (1 - fm(world)) + 0.75, rel=2e-4)
    time = np.array([1.0, 4.0, 9.0])

    def at(g: Mixture) -> np.ndarray:
        profile = Profile("p", "victim", ("victim",), "s", arm(CYP2D6=g), time, time, time)
        return predict_profile(profile, world).concentration

    assert at(((0.0, 0.25), (1.0, 0.75))) == pytest.approx(0.25 * at(((0.0, 1.0),)) + 0.75 * at(((1.0, 1.0),)))


def test_combinations_of_genotypes_have_products_of_weights() -> None:
    a = arm(CYP2D6=((0.0, 0.2), (1.0, 0.8)), CYP2C19=((0.5, 0.5), (1.0, 0.5)))
    found = components(a, {"CYP2D6": 2.0, "CYP3A4": 1.5})
    assert sum(w for w, _ in found) == pytest.approx(1.0) and len(found) == 4
    assert (pytest.approx(0.4), {"CYP2D6": 2.0, "CYP3A4": 1.5, "CYP2C19": 0.5}) in found


def test_a_window_after_a_perpetrator_and_one_that_ends(world: World) -> None:
    blocked = Dosing("blocker", "oral", tuple(Event(24.0 * k, 50.0) for k in range(6)))
    test = arm(Event(72.0, 100.0), others=(blocked,))
    whole = predict_ratio(ratio(test, arm(), start=72.0), world)
    part = predict_ratio(ratio(test, arm(), window=(0.0, 12.0), start=72.0), world)
    assert whole.auc > 1.2 and part.auc > 1.0 and part.test.auc < whole.test.auc
    assert part.test.cmax == pytest.approx(whole.test.cmax, rel=1e-3)  # two grids


def test_cmax_and_tail_of_a_bolus(world: World) -> None:
    found = predict_ratio(ratio(arm(route="iv"), arm()), world)
    flow = sum(man()[f"Q_{o}"] for o in ("liver", "gut", "spleen", "pancreas"))
    values = parameter_values(build([world.library["victim"]]), man())
    unbound = 0.2 * (values["CLint_CYP2D6"] + values["CLint_rest"])
    assert found.test.auc == pytest.approx(100.0 * (flow + unbound) / (flow * unbound), rel=2e-4)
    assert found.reference.auc == pytest.approx(100.0 / unbound, rel=2e-4)


def test_equal_solves_are_done_once_and_answers_do_not_depend_on_company(world: World) -> None:
    times = [np.array([0.0, 2.0]), np.array([1.0, 2.0, 3.0]), np.array([2.0])]
    asked = [job(world, f"j{k}", arm(), ("victim",), t) for k, t in enumerate(times)]
    asked.append(job(world, "double", arm(Event(0.0, 200.0)), ("victim",), times[2]))
    curves, costs = run_jobs(asked)
    assert [c.n_solves for c in costs] == [2] and costs[0].n_jobs == 4
    assert curves[0].concentration[1] == curves[1].concentration[1] == curves[2].concentration[0]
    assert curves[3].concentration[0] == pytest.approx(2 * curves[2].concentration[0], rel=1e-5)


def test_two_processes_give_the_same(world: World) -> None:
    blocked = arm(others=(Dosing("blocker", "iv", (Event(0.0, 10.0, infusion=1.0),)),))
    questions = [Question(ratio(blocked, arm()), world), Question(ratio(arm(CYP2D6=((0.5, 1.0),)), arm()), world)]
    one, two = answer(questions)[0], answer(questions, workers=2)[0]
    assert [x.auc for x in one] == [x.auc for x in two]  # type: ignore[union-attr]


def test_what_cannot_be_answered_says_why(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = Arm((Dosing("nobody", "oral", (Event(0.0, 1.0),)),))
    found = predict_ratio(ratio(stranger, arm()), world)
    assert math.isnan(found.auc) and "no drug file: nobody" in found.problem
    profile = Profile("p7", "victim", ("metabolite",), "s", arm(), *([np.array([1.0])] * 3))
    missing = predict_profile(profile, world)
    assert "p7" in missing.problem and "metabolite" in missing.problem and np.isnan(missing.concentration).all()
    two_forms = arm(others=(Dosing("victim", "oral", (Event(1.0, 1.0),), "b"),))
    two_forms = Arm((Dosing("victim", "oral", (Event(0.0, 1.0),), "a"), *two_forms.dosings[1:]))
    assert "two dosage forms" in predict_ratio(ratio(two_forms, arm()), world).problem
    monkeypatch.setattr("pharmtwin.engine.run.MAX_STEPS", 3)
    monkeypatch.setattr(simulate_runs, "ENGINES", ("rosenbrock",))
    failed = predict_ratio(ratio(arm(), arm(Event(0.0, 50.0))), world)
    assert math.isnan(failed.auc) and "too many steps" in failed.problem


def test_a_drug_that_stays_has_no_area_to_infinity(world: World, tmp_path: Path) -> None:
    stays = make_drug(tmp_path, "stays", stays=compound())
    here = World({"stays": stays}, body)
    a = Arm((Dosing("stays", "oral", (Event(0.0, 1.0),)),))
    r = Ratio("r", "genotype", "s", "stays", ("stays",), a, a, (0.0, INF), (0.0, INF), auc=1.0, cmax=1.0)
    found = predict_ratio(r, here)
    assert math.isnan(found.auc) and "still grows" in found.problem


def test_times_of_a_window() -> None:
    t = window_times((10.0, 34.0), [(10.0, 10.0), (22.0, 23.0)])
    assert t[0] == 10.0 and t[-1] == 34.0 and 22.0 in t and 23.0 in t and np.diff(t).max() < 4.0
    assert window_times((0.0, INF), [(0.0, 0.0)])[-1] == 12.0 * 2**9
