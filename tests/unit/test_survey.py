"""The survey model: there and back, continuity in age, groups that make the whole, what the builder computes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pharmtwin.body.people.survey import (
    GROUPS,
    QUANTITIES,
    SCORE_COLUMNS,
    SCORES,
    SurveyModel,
    ancestry_groups,
    read_curves,
    survey_model,
)
from pharmtwin.curation import survey_model as builder


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("charts", [False, True])
def test_score_is_the_inverse_of_value(quantity: str, charts: bool) -> None:
    u = np.linspace(-5, 5, 101)
    for age in (0.0, 0.4, 3.0, 12.2, 19.0, 50.0, 90.0):
        for female in (False, True):
            at, sex = np.full(u.size, age), np.full(u.size, female)
            value = survey_model().value(quantity, u, at, sex, charts)
            assert (np.diff(value) > 0).all()
            np.testing.assert_allclose(survey_model().score(quantity, value, at, sex, charts), u, atol=1e-6)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_no_day_of_age_makes_a_jump(quantity: str) -> None:
    days = np.arange(0, 95 * 365.25, 1.0)
    age = days / 365.25
    most = {"height": 0.012, "weight": 0.02, "creatinine": 0.25, "haematocrit": 0.06}[quantity]
    for female in (False, True):
        for u in (-2.0, 0.0, 2.0):
            value = survey_model().value(quantity, np.full(days.size, u), age, np.full(days.size, female))
            step = np.abs(np.diff(np.log(value)))
            assert step[:7].max() < most  # first week: creatinine of the mother leaves, plasma volume falls
            assert step[60:].max() < 0.012
            assert step[400:].max() < 0.0035


def test_correlations_are_positive_definite_at_every_age() -> None:
    age = np.linspace(0, 95, 400)
    for female in (False, True):
        matrix = survey_model().correlation(age, np.full(age.size, female))
        assert np.linalg.eigvalsh(matrix).min() > 0.05


def test_groups_together_are_the_whole() -> None:
    """With the survey's shares, mean and variance of the scores over the groups are 0 and 1."""
    model = survey_model()
    for sex, female in (("M", False), ("F", True)):
        for age in (20.5, 35.0, 55.0, 72.0):
            share = []
            for group in GROUPS:
                edges, people = model.ages[(sex, group)]
                share.append(people[np.searchsorted(edges, age, side="right") - 1])
            weight = np.array(share) / np.sum(share)
            mean, sd = model.group_moments(list(GROUPS), np.full(4, age), np.full(4, female))
            np.testing.assert_allclose(weight @ mean, 0.0, atol=0.06)
            np.testing.assert_allclose(weight @ (sd**2 + mean**2) - (weight @ mean) ** 2, 1.0, atol=0.1)


def test_an_unknown_group_is_everybody() -> None:
    mean, sd = survey_model().group_moments([""], np.array([40.0]), np.array([True]))
    assert (mean == 0).all() and (sd == 1).all()


def test_charts_stand_for_children_only() -> None:
    from pharmtwin.body.people.growth import chart_value

    u, female = np.array([-1.0, 0.0, 1.0]), np.zeros(3, dtype=bool)
    child, adult = np.full(3, 8.0), np.full(3, 30.0)
    np.testing.assert_allclose(
        survey_model().value("weight", u, child, female, charts=True), chart_value("weight", u, child, female)
    )
    same = [survey_model().value("weight", u, adult, female, charts=c) for c in (False, True)]
    np.testing.assert_array_equal(*same)


def test_curves_must_rise() -> None:
    row = dict(zip(SCORE_COLUMNS, -SCORES)) | {"quantity": "height", "sex": "M", "age_y": 1.0}
    with pytest.raises(ValueError, match="do not rise"):
        read_curves(pd.DataFrame([row]))


def test_ancestries_share_out_their_group() -> None:
    total: dict[str, float] = {}
    for group, share in ancestry_groups().values():
        total[group] = total.get(group, 0.0) + share
    assert total == pytest.approx(dict.fromkeys(GROUPS, 1.0))


def test_weighted_quantiles_count_weights() -> None:
    y, w = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.0, 1.0, 97.0])
    assert builder.weighted_quantiles(y, w, np.array([0.5]))[0] > 3.9
    same = builder.weighted_quantiles(np.arange(101.0), np.ones(101), np.array([0.25, 0.5, 0.75]))
    np.testing.assert_allclose(same, [25.0, 50.0, 75.0], atol=0.3)


def test_the_builder_finds_the_distribution_it_was_given() -> None:
    """Rows simulated with known curves, groups and correlations give them back."""
    rng, n = np.random.default_rng(7), 24000
    age = rng.uniform(0, 80, n)
    sex = rng.choice(["M", "F"], n)
    z = rng.standard_normal((n, 4))
    z[:, 1] = 0.5 * z[:, 0] + np.sqrt(0.75) * z[:, 1]
    female = sex == "F"
    from pharmtwin.body.people.growth import chart_value

    rows = pd.DataFrame(
        {
            "sex": sex,
            "group": rng.choice(GROUPS, n),
            "age_y": age,
            "height": chart_value("height", z[:, 0], age, female),
            "weight": chart_value("weight", 0.3 + z[:, 1], age, female),
            "creatinine": np.where(age >= 12, np.exp(-0.2 + 0.2 * z[:, 2]), np.nan),
            "haematocrit": np.where(age >= 1, 0.42 + 0.03 * z[:, 3], np.nan),
            "w": 1.0,
        }
    )
    model = SurveyModel.create(builder.build(rows))
    for at in (5.0, 30.0, 70.0):
        who = np.array([at]), np.array([True])
        for u in (-2.0, 0.0, 2.0):
            score = np.array([u])
            wanted = chart_value("weight", 0.3 + score, *who)
            assert model.value("weight", score, *who)[0] == pytest.approx(wanted[0], rel=0.06)
        if at > 12:
            assert model.value("creatinine", np.zeros(1), *who)[0] == pytest.approx(np.exp(-0.2), rel=0.03)
        found = model.correlation(*who)[0]
        assert found[0, 1] == pytest.approx(0.5, abs=0.06)
        assert abs(found[0, 2]) < 0.06 and abs(found[1, 3]) < 0.06
        mean, sd = model.group_moments(["BLACK"], *who)
        assert np.abs(mean).max() < 0.15 and np.abs(sd - 1).max() < 0.12
    shares = {key: people.sum() for key, (_, people) in model.ages.items()}
    assert max(shares.values()) < 1.2 * min(shares.values())
