"""A twin's draws, or the population's, as the person of a forecast."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from tests.unit.dose_fixture import CL, K, V, model, occasions, rows

from pharmtwin.inference.dose.exposure import exposure
from pharmtwin.inference.dose.forecast import forecast
from pharmtwin.inference.dose.person import Person
from pharmtwin.inference.dose.regimens import Regimen
from pharmtwin.inference.models.occasions import expand
from pharmtwin.inference.problem.problem import Component
from pharmtwin.inference.problem.records import Columns, read_subjects
from pharmtwin.inference.twin.twin import Twin, fit_twin

LONG = Regimen(1000.0, 2000.0, 1, "central")
FACTORS = (Component(0.5, {"ACT": 1.0}, "normal"), Component(0.5, {"ACT": 0.2}, "poor"))


@cache
def with_occasions() -> Twin:
    """Two occasions, sampled so closely that their clearances are known."""
    records = [{"TIME": 0, "EVID": 1, "AMT": 1000, "OCC": 1}, {"TIME": 48, "EVID": 1, "AMT": 1000, "OCC": 2}]
    for start, clearance, occasion in ((0, 8.0, 1), (48, 4.0, 2)):
        for t in (0.5, 4.0, 8.0, 12.0, 16.0, 20.0):
            c = 1000 / V * np.exp(-clearance / V * t) + (1000 / V * np.exp(-(8 * 48 + 4 * t) / V) if start else 0)
            records.append({"TIME": start + t, "EVID": 0, "DV": c, "OCC": occasion})
    table = rows(*sorted(records, key=lambda r: r["TIME"]))
    own = occasions()
    subjects, _ = read_subjects(own, table, Columns(occasion="OCC"))
    return fit_twin(own, subjects[0], covariate_at="start")


def test_a_new_occasion_is_drawn_from_its_variance_and_tells_nothing_of_the_last() -> None:
    who = Person.of_twin(with_occasions(), 72.0, np.random.default_rng(1))
    names = [r.name for r in expand(occasions(), 3).random]
    first = who.effects.shape[1] - len(names)
    kappa = dict(zip(names, who.effects.T[first:], strict=True))
    new = kappa["kappa_CL_occ3"]
    assert len(new) == 400
    assert new.mean() == pytest.approx(0.0, abs=4 * 0.4 / 20)
    assert new.var(ddof=1) == pytest.approx(0.16, rel=4 * np.sqrt(2 / 400))
    own = np.log(CL) + kappa["eta_CL"] + kappa["kappa_CL_occ2"]
    assert np.median(np.exp(own)) == pytest.approx(4.0, rel=0.1)  # that of the second occasion is known
    assert own.std() < 0.1
    assert abs(np.corrcoef(new, own)[0, 1]) < 0.2
    area = exposure(who, LONG, "plasma")
    before = forecast(who, (), np.array([0.0]), "plasma").concentration[:, 0]
    exact = (1000 + before * V * np.exp(kappa["eta_V"])) / (CL * np.exp(kappa["eta_CL"] + new))
    assert exact == pytest.approx(area.AUC, rel=1e-4)


def test_the_last_occasion_may_go_on() -> None:
    fitted = with_occasions()
    who = Person.of_twin(fitted, 72.0, np.random.default_rng(1), new_occasion=False)
    assert np.array_equal(who.effects, fitted.effects())

    spread = np.log(exposure(who, LONG, "plasma").AUC).std()
    assert spread < 0.1


def test_a_twin_of_the_future_is_refused() -> None:
    with pytest.raises(ValueError, match="before the last sample"):
        Person.of_twin(with_occasions(), 60.0, np.random.default_rng(1))


def test_a_twins_hypotheses_covariates_and_doses_come_along() -> None:
    own = model()
    late = [{"TIME": t, "EVID": 0, "DV": 20 * np.exp(-0.2 * K * t)} for t in (2.0, 10.0, 20.0)]
    subjects, _ = read_subjects(own, rows({"TIME": 0, "EVID": 1, "AMT": 1000}, *late))
    fitted = fit_twin(own, subjects[0], components=FACTORS)
    assert fitted.hypotheses.posterior[1] > 0.9
    who = Person.of_twin(fitted, 24.0, np.random.default_rng(1))
    assert np.array_equal(who.case, fitted.posterior.case) and who.sigma.shape == (who.n, 1)
    assert who.covariates.tolist() == [70.0] and who.past is not None and len(who.past.doses) == 1
    left = forecast(who, (), np.array([0.0]), "plasma").concentration[:, 0]
    assert np.median(left) == pytest.approx(20 * np.exp(-0.2 * K * 24), rel=0.05)
    twice = Person.of_twin(fitted, 24.0, np.random.default_rng(1), covariates=np.array([140.0]))
    ratio = exposure(who, LONG, "plasma").AUC / exposure(twice, LONG, "plasma").AUC
    assert ratio == pytest.approx(2.0, rel=1e-4)


def test_without_samples_the_population_speaks() -> None:
    own = occasions()
    who = Person.of_prior(own, 4000, np.random.default_rng(1), components=FACTORS, covariates=np.array([70.0]))
    area = np.log(1000 / CL / exposure(who, LONG, "plasma").AUC)
    poor = who.case == 1
    assert poor.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(4000))
    for mask, centre in ((~poor, 0.0), (poor, np.log(0.2))):
        assert area[mask].mean() == pytest.approx(centre, abs=4 * 0.5 / np.sqrt(mask.sum()))
        assert area[mask].std() == pytest.approx(0.5, rel=4 / np.sqrt(2 * mask.sum()))  # 0.09 + 0.16


def test_without_samples_what_was_given_still_counts() -> None:
    own = model()
    subjects, _ = read_subjects(own, rows({"TIME": 0, "EVID": 1, "AMT": 1000}, {"TIME": 6, "EVID": 2}))
    who = Person.of_prior(own, 5, np.random.default_rng(1), subject=subjects[0], now=6.0)
    left = forecast(who, (), np.array([0.0]), "plasma").concentration[:, 0]
    cl, v = CL * np.exp(who.effects[:, 2]), V * np.exp(who.effects[:, 3])
    assert left == pytest.approx(1000 / v * np.exp(-cl / v * 6), rel=1e-5)
