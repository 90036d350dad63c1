"""Target attainment of a lognormal clearance in closed form, the smallest adequate dose, refusals, dose searches."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from tests.unit.dose_fixture import CL, K, V, person

from pharmtwin.findings import Finding
from pharmtwin.inference.dose.choice import Goal, choose, evaluate, objections, refusal
from pharmtwin.inference.dose.exposure import exposure
from pharmtwin.inference.dose.person import Person
from pharmtwin.inference.dose.regimens import Licence, Regimen, regimens
from pharmtwin.inference.dose.search import (
    NoAnswer,
    area_between,
    concentration_at,
    dose_for,
    interval_for,
    reached,
    time_until_below,
)

SD = 0.3  # of log clearance
N = 400


def lognormal() -> Person:
    """Clearances at the middles of N equal shares of their distribution."""
    z = ndtri((np.arange(N) + 0.5) / N)
    return person(np.column_stack([SD * z, np.zeros(N)]))


def attained(amount: float, low: float) -> float:
    """P(amount / clearance >= low)."""
    return float(ndtr(np.log(amount / (low * CL)) / SD))


def licence(**more: Any) -> Licence:
    return Licence(**({"strengths": (100.0,), "intervals": (24.0,), "state": "central", "units": 40} | more))


GOAL = Goal("AUC24", 400, output="plasma", toxic_metric="AUC24", toxic=900, efficacy=0.9, harm=0.1)


def test_chances_are_those_of_the_closed_form() -> None:
    table = evaluate(lognormal(), [Regimen(a, 24.0, 20, "central") for a in (1500, 2000, 3000)], GOAL)
    for amount, row in zip((1500, 2000, 3000), table.itertuples(), strict=True):
        reach, harm = attained(amount, 400), attained(amount, 900)
        assert row.p_reach == pytest.approx(reach, abs=1 / N)
        assert row.p_harm == pytest.approx(harm, abs=1 / N)
        assert row.p_below == pytest.approx(1 - reach, abs=1 / N)
        assert row.q50 == pytest.approx(amount / CL, rel=2e-3)
        assert row.q95 == pytest.approx(amount / CL * np.exp(SD * ndtri(0.95)), rel=1e-2)


def test_the_smallest_adequate_dose_is_chosen() -> None:
    candidates = regimens(licence(), 480)
    table = evaluate(lognormal(), candidates, GOAL)
    smallest = min(100 * k for k in range(1, 41) if attained(100 * k, 400) >= 0.9)
    chosen = choose(table, candidates, GOAL).regimen
    assert chosen is not None and chosen.amount == smallest == 3000
    assert attained(3000, 900) <= 0.1


def test_of_equal_daily_doses_the_longest_interval_is_chosen() -> None:
    candidates = regimens(licence(intervals=(12.0, 24.0)), 480)
    chosen = choose(evaluate(lognormal(), candidates, GOAL), candidates, GOAL).regimen
    assert chosen is not None and (chosen.daily, chosen.interval) == (3000, 24)


@pytest.mark.parametrize(
    ("changes", "why", "nearest"),
    [
        ({"units": 20}, "none reaches AUC24 400 with probability 0.9", 2000),
        ({"lowest_dose": 4000}, "each does harm with a probability above 0.1", 4000),
        ({"toxic": 600.0}, "what reaches the target does harm too often", None),
    ],
)
def test_a_refusal_says_why(changes: dict[str, Any], why: str, nearest: float | None) -> None:
    goal = replace(GOAL, **{k: v for k, v in changes.items() if k == "toxic"})
    candidates = regimens(licence(**{k: v for k, v in changes.items() if k != "toxic"}), 480)
    choice = choose(evaluate(lognormal(), candidates, goal), candidates, goal)
    assert choice.regimen is None and why in choice.reason
    assert choice.nearest is not None and (nearest is None or choice.nearest.amount == nearest)


def test_harm_without_a_toxic_metric_is_to_be_above_the_window() -> None:
    row = evaluate(lognormal(), [Regimen(2000, 24.0, 20, "central")], Goal("AUC24", 300, 500, "plasma")).iloc[0]
    assert row.p_harm == row.p_above == pytest.approx(attained(2000, 500), abs=1 / N)
    assert row.p_within == pytest.approx(row.p_reach - row.p_above)


def test_a_draw_that_cannot_be_solved_is_missed_and_harmed() -> None:
    who = person([(0.0, 0.0), (0.0, 0.0), (np.nan, 0.0), (0.0, 0.0)])
    for goal in (Goal("AUC24", 1, output="plasma"), Goal("time_above", 0.01, output="plasma", level=0.001)):
        row = evaluate(who, [Regimen(1000, 24.0, 3, "central")], goal).iloc[0]
        assert (row.p_reach, row.p_harm, row.failed, row.p_below) == (0.75, 0.25, 1, 0.0)


def test_all_faults_of_a_goal_are_said_at_once() -> None:
    with pytest.raises(ValueError) as caught:
        Goal("Cmin", 5, 2, toxic_metric="peak", efficacy=0, harm=2)
    text = str(caught.value)
    for word in ("metric: 'Cmin'", "'peak'", "belong together", "no window", "efficacy", "harm"):
        assert word in text
    for wrong in ({"toxic": 5.0}, {"toxic_metric": "Cmax"}):
        with pytest.raises(ValueError, match="belong together"):
            Goal("AUC", 5, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="level"):
        Goal("time_above", 0.5)


# ---- twins that no dose should rest on


def twin(*findings: tuple[str, str], trusted: bool = True) -> Any:
    made = [Finding.create(rule, "x.csv", f"what of {rule}", "why", "fix", severity=s) for rule, s in findings]
    return SimpleNamespace(findings=tuple(made), posterior=SimpleNamespace(trusted=trusted))


def test_errors_distrust_and_conflicts_stand_against_a_dose() -> None:
    assert objections(twin(("twin.one_sample", "note"))) == []
    assert objections(twin(trusted=False)) == ["the posterior passes no check of its own"]
    assert objections(twin(("twin.not_trusted", "error"), trusted=False)) == [
        "what of twin.not_trusted (twin.not_trusted)"
    ]
    conflict = twin(("twin.prior_conflict", "warning"), ("twin.unit", "error"))
    assert len(objections(conflict)) == 2
    # a conflict may stand after a look at the record, an error not
    assert objections(conflict, ["twin.prior_conflict", "twin.unit"]) == ["what of twin.unit (twin.unit)"]
    refused = refusal(objections(conflict))
    assert refused.regimen is None and "twin.unit" in refused.reason


# ---- answers on a continuous scale


def test_the_value_that_a_share_of_the_draws_reaches() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, np.nan])
    assert reached(values, 0.2) == 4.0
    assert reached(values, 0.8) == 1.0
    assert reached(values, 0.5) == 2.0  # three of five are at least 2, two at least 3
    assert reached(values, 0.81) == -np.inf  # the fifth reaches nothing


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_the_dose_with_a_probability(probability: float) -> None:
    found = dose_for(lognormal(), Regimen(1.0, 400.0, 1, "central"), lambda p, r: exposure(p, r, "plasma").AUC, 400,
                     probability)  # fmt: skip
    assert found == pytest.approx(400 * CL * np.exp(SD * ndtri(probability)), rel=0.01)


def test_no_dose_and_too_little() -> None:
    def area(p: Person, r: Regimen) -> Any:
        return area_between(p, r, 0, 24, "plasma")

    assert dose_for(person(), Regimen(1.0, 24.0, 1, "central"), area, 0.0) == 0.0
    with pytest.raises(NoAnswer, match="no dose"):
        dose_for(person([(np.nan, 0.0)]), Regimen(1.0, 24.0, 1, "central"), area, 10.0)


def test_time_until_a_level_and_the_interval_of_a_trough() -> None:
    bolus = Regimen(1000.0, 12.0, 3, "central")
    r = np.exp(-K * 12)
    peak = 1000 / V * (1 + r + r * r)
    assert time_until_below(person(), bolus, 2.0, "plasma") == pytest.approx(np.log(peak / 2.0) / K, rel=1e-6)
    assert time_until_below(person(), bolus, 1000.0, "plasma") == 0.0
    with pytest.raises(NoAnswer, match="stays above"):
        time_until_below(person(), bolus, 2.0, "plasma", longest=5.0)
    long = interval_for(person(), replace(bolus, n_doses=1), 2.0, "plasma")
    assert long == pytest.approx(np.log(20.0 / 2.0) / K, rel=1e-6)
    with pytest.raises(NoAnswer, match="interval"):
        interval_for(person(), bolus, 1000.0, "plasma")


def test_a_later_time_is_needed_for_a_greater_probability() -> None:
    bolus = Regimen(1000.0, 12.0, 1, "central")
    for p in (0.1, 0.5, 0.9):
        slow = K * np.exp(SD * ndtri(1 - p))
        assert time_until_below(lognormal(), bolus, 2.0, "plasma", p) == pytest.approx(np.log(10.0) / slow, rel=0.01)


def test_a_concentration_is_that_before_a_dose_of_its_time() -> None:
    seen = concentration_at(person(), Regimen(1000.0, 12.0, 2, "central"), 12.0, "plasma")
    assert seen == pytest.approx([20 * np.exp(-12 * K)], rel=1e-6)
