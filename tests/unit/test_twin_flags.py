"""Bad data: each kind gets its finding, nothing hangs, and the twin says whether it may be used."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from twin_fixture import LINE, ORAL, concentration, model_of, person, target_of

from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.problem.problem import make_problem
from pharmtwin.inference.problem.records import Columns, DataError, Subject, read_subjects
from pharmtwin.inference.twin.residuals import residual_sd, simulated, standardised
from pharmtwin.inference.twin.settings import ladder_options
from pharmtwin.inference.twin.surprise import surprise
from pharmtwin.inference.twin.target import Predictive
from pharmtwin.inference.twin.twin import Twin, fit_twin

TIMES = [2.0, 12.0, 24.0]
DOSE = ((0.0, 100.0),)
GOOD = [concentration(t, 100.0, 3.0, 45.0) * x for t, x in zip(TIMES, (1.1, 0.9, 1.05))]


def fit(subject: Subject, model: PopulationModel | None = None, **options: Any) -> Twin:
    """The twin, in less than the time that a clinician waits."""
    started = time.monotonic()
    twin = fit_twin(model or model_of(ORAL), subject, options=replace(ladder_options(), nuts_seconds=1.0, **options),
                    say=lambda _: None)  # fmt: skip
    assert time.monotonic() - started < 30
    return twin


def rules(twin: Twin) -> set[str]:
    return {f.rule.removeprefix("twin.") for f in twin.findings}


def worst(twin: Twin, rule: str) -> str:
    return next(f.severity for f in twin.findings if f.rule == f"twin.{rule}")


def test_good_samples_have_no_findings() -> None:
    twin = fit(person(model_of(ORAL), TIMES, GOOD, DOSE))
    assert twin.findings == () and twin.usable


@pytest.mark.parametrize("factor", [1000.0, 0.001])
def test_a_slip_of_units_is_an_error(factor: float) -> None:
    twin = fit(person(model_of(ORAL), TIMES, [y * factor for y in GOOD], DOSE))
    assert worst(twin, "unit") == "error" and not twin.usable
    assert f"{factor:g} times" in next(f.what for f in twin.findings if f.rule == "twin.unit")
    assert {"prior_conflict", "far_from_prior"} <= rules(twin)


def test_a_slip_of_units_of_the_dose_is_one_too() -> None:
    assert "unit" in rules(fit(person(model_of(ORAL), TIMES, GOOD, ((0.0, 100_000.0),))))


def test_a_single_sample_is_said_to_be_one() -> None:
    twin = fit(person(model_of(ORAL), TIMES[1:2], GOOD[1:2], DOSE))
    assert rules(twin) == {"one_sample"} and worst(twin, "one_sample") == "note" and twin.usable


def test_contradictory_samples_are_named() -> None:
    twin = fit(person(model_of(ORAL), [12.0, 12.0], [GOOD[1] / 3.2, GOOD[1] * 3.2], DOSE))
    found = [f for f in twin.findings if f.rule == "twin.contradiction"]
    assert len(found) == 1 and found[0].row > 0 and found[0].severity == "warning"
    # factor 10 at a lognormal error of 0.2 for each
    assert f"{np.log(3.2**2) / np.hypot(0.2, 0.2):.1f} standard deviations" in found[0].what
    assert {"outlier"} <= rules(twin)
    assert "contradiction" not in rules(fit(person(model_of(ORAL), [12.0, 12.0], [GOOD[1] * 0.9, GOOD[1] * 1.1], DOSE)))
    # under an additive error, values and not their logarithms are compared
    twin = fit(person(model_of(LINE), [1.0, 1.0], [8.0, 16.0]), model_of(LINE))
    assert "7.1 standard deviations" in next(f.what for f in twin.findings if f.rule == "twin.contradiction")


def test_all_samples_below_the_limit_bound_the_exposure() -> None:
    model = model_of(ORAL)
    rows = pd.DataFrame({"ID": 1, "TIME": [0.0, 24.0, 36.0], "EVID": [1, 0, 0], "AMT": [100.0, 0, 0],
                         "DV": [np.nan, 0.0, 0.0], "CMT": "oral"})  # fmt: skip
    subjects, notes = read_subjects(model, rows, Columns(lloq={"plasma": 0.1}))
    assert "records.all_blq" in {f.rule for f in notes}
    twin = fit(subjects[0])
    assert twin.usable and np.isfinite(twin.posterior.evidence)
    fast = 4.0 * np.exp(twin.posterior.mean[0]) / (40.0 * np.exp(twin.posterior.mean[1]))
    assert fast > 0.1  # more quickly gone than in the typical person
    # far from what the population would have: a unit or a missed dose
    rows["TIME"] = [0.0, 1.0, 2.0]
    twin = fit(read_subjects(model, rows, Columns(lloq={"plasma": 0.1}))[0][0])
    assert "prior_conflict" in rules(twin)


def test_doses_after_the_last_sample_are_noted() -> None:
    twin = fit(person(model_of(ORAL), TIMES, GOOD, (*DOSE, (30.0, 100.0))))
    assert rules(twin) == {"dose_after_sample"} and worst(twin, "dose_after_sample") == "note"
    same = fit(person(model_of(ORAL), TIMES, GOOD, DOSE))
    np.testing.assert_allclose(twin.posterior.mean, same.posterior.mean, rtol=1e-9)


def test_a_value_before_the_first_dose_is_left_out_with_an_error() -> None:
    model = model_of(ORAL)
    twin = fit(person(model, [1.0, *(t + 6 for t in TIMES)], [0.8, *GOOD], ((6.0, 100.0),)))
    assert rules(twin) == {"impossible"} and not twin.usable
    finding = twin.findings[0]
    assert "exactly 0" in finding.what and finding.value == "0.8"
    alone = fit(person(model, [t + 6 for t in TIMES], GOOD, ((6.0, 100.0),)))
    np.testing.assert_allclose(twin.posterior.mean, alone.posterior.mean, rtol=1e-9)
    only = fit(person(model, [1.0], [0.8], ((6.0, 100.0),)))
    assert {"impossible", "not_trusted"} <= rules(only) and not only.usable and only.posterior.method == "none"


def test_a_value_below_the_limit_before_the_first_dose_says_nothing() -> None:
    model, columns = model_of(ORAL), Columns(lloq={"plasma": 0.05})
    with_it = fit(person(model, [1.0, *(t + 6 for t in TIMES)], [0.0, *GOOD], ((6.0, 100.0),), columns))
    without = fit(person(model, [t + 6 for t in TIMES], GOOD, ((6.0, 100.0),), columns))
    assert with_it.findings == () and with_it.usable
    assert with_it.posterior.evidence == pytest.approx(without.posterior.evidence, abs=1e-5)


def test_an_error_with_an_additive_part_has_a_scale_before_the_first_dose() -> None:
    combined = model_of(
        ORAL, residual={"a": 0.05, "b": 0.2}, outputs={"plasma": {"of": "C", "error": {"combined": ["a", "b"]}}}
    )
    values = [0.02, *GOOD]
    twin = fit(person(combined, [1.0, *(t + 6 for t in TIMES)], values, ((6.0, 100.0),)), combined)
    assert twin.usable and "impossible" not in rules(twin)
    without = fit(person(combined, [t + 6 for t in TIMES], GOOD, ((6.0, 100.0),)), combined)
    cost = -0.5 * (0.02 / 0.05) ** 2 - np.log(0.05 * np.sqrt(2 * np.pi))
    assert twin.posterior.evidence == pytest.approx(without.posterior.evidence + cost, abs=1e-5)


def test_a_sample_at_the_time_of_a_dose_is_noted() -> None:
    twin = fit(person(model_of(ORAL), [12.0, 24.0], GOOD[1:], (*DOSE, (24.0, 100.0))))
    assert "at_dose" in rules(twin) and worst(twin, "at_dose") == "note"


def test_a_concentration_that_is_not_positive() -> None:
    with pytest.raises(DataError, match="not greater than 0"):  # no density under a lognormal error
        person(model_of(ORAL), TIMES, [*GOOD[:2], 0.0], DOSE)
    proportional = model_of(ORAL, outputs={"plasma": {"of": "C", "error": {"proportional": ["s"]}}})
    for value in (0.0, -0.1):
        twin = fit(person(proportional, TIMES, [*GOOD[:2], value], DOSE), proportional)
        assert "not_positive" in rules(twin) and "prior_conflict" in rules(twin)
    truncated = model_of(ORAL, outputs={"plasma": {"of": "C", "error": {"additive": ["s"]}, "truncated": True}})
    twin = fit(person(truncated, TIMES, [*GOOD[:2], 0.05], DOSE), truncated)
    assert "not_positive" not in rules(twin)


def test_an_outlier_is_named() -> None:
    model = model_of(ORAL)
    times = [1.0, 2.0, 4.0, 8.0, 12.0, 24.0]
    values = [concentration(t, 100.0, 3.5, 42.0) for t in times]
    values[3] *= 5
    twin = fit(person(model, times, values, DOSE))
    outliers = [f for f in twin.findings if f.rule == "twin.outlier"]
    assert len(outliers) == 1 and float(outliers[0].value) == pytest.approx(values[3], rel=1e-4)


def test_scores_of_samples_from_the_model_are_standard_normal() -> None:
    """300 people drawn from the prior: |npde| of their samples as of a standard normal."""
    problem = make_problem(model_of(ORAL), [person(model_of(ORAL), TIMES, GOOD, DOSE)])
    rng = np.random.default_rng(11)
    target = target_of(problem)
    prior = target.predictive(1000, rng)
    people = target.predictive(300, rng)
    y = simulated(target, people.f, people.sigma, rng)
    scores = []
    for own in y:
        problem.y[target.obs] = own
        scores.append(surprise(target, prior, rng))
    z = np.array(scores)
    assert np.mean(z**2) == pytest.approx(1.0, abs=0.2)
    assert np.mean(z > 1.96) == pytest.approx(0.05, abs=0.03)
    assert np.all(np.abs(np.corrcoef(z.T)[np.triu_indices(3, 1)]) < 0.2)  # decorrelated


def test_residual_errors_by_hand() -> None:
    combined = model_of(
        ORAL, residual={"a": 0.3, "b": 0.1}, outputs={"plasma": {"of": "C", "error": {"combined": ["a", "b"]}}}
    )
    target = target_of(make_problem(combined, [person(combined, TIMES, [2.0, 1.0, 0.5], DOSE)]))
    f, sigma = np.array([[2.0, 0.0, np.nan]]), np.array([[0.3, 0.1]])
    sd = residual_sd(target, f, sigma)
    np.testing.assert_allclose(sd, [[np.sqrt(0.09 + 0.04), 0.3, np.nan]])
    np.testing.assert_allclose(
        standardised(target, np.full((1, 3), 1.0), sigma)[0], np.array([1, 0, -0.5]) / np.sqrt(0.1)
    )
    oral = target_of(make_problem(model_of(ORAL), [person(model_of(ORAL), TIMES, GOOD, DOSE)]))
    got = simulated(oral, np.full((20000, 3), 2.0), np.full((20000, 1), 0.2), np.random.default_rng(0))
    np.testing.assert_allclose(np.log(got).mean(axis=0), np.log(2.0), atol=0.01)
    np.testing.assert_allclose(np.log(got).std(axis=0), 0.2, rtol=0.03)


def test_samples_are_not_compared_with_a_prior_that_cannot_be_solved() -> None:
    target = target_of(make_problem(model_of(ORAL), [person(model_of(ORAL), TIMES, GOOD, DOSE)]))
    prior = target.predictive(100, np.random.default_rng(0))
    unsolved = Predictive(prior.v, prior.case, prior.sigma, np.full_like(prior.f, np.nan))
    assert np.isnan(surprise(target, unsolved, np.random.default_rng(0))).all()
