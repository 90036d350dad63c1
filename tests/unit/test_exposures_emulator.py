"""Limits from an emulator: known answers, mixtures of genotypes, independence of company, and a miss that is said."""

from __future__ import annotations

import logging
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from tests.unit.test_exposures import CONFIG, LOG, genotype, people, three_people

from pharmtwin.core.metrics import METRICS
from pharmtwin.exposures import design, stage
from pharmtwin.exposures.activity import Activity, every_activity
from pharmtwin.exposures.draws import normals, sliced
from pharmtwin.exposures.emulated import LARGEST_MISFIT, POINTS, corrected
from pharmtwin.exposures.emulator import UNITS, Emulator, fit, from_frame, to_frame
from pharmtwin.exposures.features import BODY, FLOOR, Points, points_of
from pharmtwin.exposures.inputs import GFR
from pharmtwin.exposures.metrics import PROBABILITIES, limits
from pharmtwin.exposures.people import People
from pharmtwin.exposures.regimens import regimens_of, system_of

MANY = 100_000  # points enough that their own scatter (0.007 sd at a 5 % limit) is none of the test's
SCORES = np.array([NormalDist().inv_cdf(p) for p in PROBABILITIES])


def straight(inputs: tuple[str, ...], slopes: dict[str, float]) -> Emulator:
    """A log-linear emulator of one output."""
    weights = np.array([[0.0, slopes.get(i, 0.0)] for i in inputs])
    return Emulator(inputs, ("drug/AUCtau",), weights, np.zeros(2), np.zeros((1, 1)))


def test_limits_of_a_log_linear_model_are_exact() -> None:
    """Solves 0.7 + 1.2 x emulator: the limits are those of that normal distribution, with any 20 solves."""
    z, noise = normals(1, "z", POINTS)[:, None], normals(1, "noise", POINTS)[:, None]
    there = np.random.default_rng(3).standard_normal((20, 1)) * 0.8
    found, misfit = corrected(0.7 + 1.2 * there, there, 0.8 * z, noise)
    assert misfit[0] < 1e-9
    assert limits(found.T)[0] == pytest.approx(0.7 + 1.2 * 0.8 * SCORES, abs=0.01)


def test_what_the_emulator_leaves_is_added_as_scatter() -> None:
    """Many solves with residual sd 0.6 beside an emulated sd of 0.8: together 1."""
    rng = np.random.default_rng(4)
    z, noise = normals(1, "z", MANY)[:, None], normals(1, "noise", MANY)[:, None]
    there = 0.8 * rng.standard_normal((20_000, 1))
    found, misfit = corrected(there + 0.6 * rng.standard_normal((20_000, 1)), there, 0.8 * z, noise)
    assert limits(found.T)[0] == pytest.approx(SCORES, abs=0.03)
    assert misfit[0] == pytest.approx(0.6, abs=0.02)


def test_too_few_solves_and_a_contrary_emulator_have_no_misfit() -> None:
    points = np.zeros((POINTS, 1))
    there = np.linspace(0.0, 1.0, 20)[:, None]
    assert np.isnan(corrected(there[:4], there[:4], points, points)[1][0])
    assert np.isnan(corrected(-there, there, points, points)[1][0])


def test_quantiles_of_a_mixture_of_genotypes_are_known() -> None:
    """6 % poor metabolisers: the upper limit of the exposure lies among them, as the mixture's distribution says."""
    inputs, sd, shares = ("CYP", *BODY), 0.4, ((0.02, 0.06), (0.5, 0.34), (1.0, 0.60))
    points = Points(
        straight(inputs, {"CYP": -1.0}),
        np.zeros((MANY, 2)),
        {"CYP": np.exp(sd * normals(1, "within", MANY))},
        {"CYP": sliced(1, "genotype", MANY)},
        normals(1, "gfr", MANY),
        np.zeros((MANY, 1)),
    )
    one = People(("a",), {q: np.ones(1) for q in BODY}, np.array([0.1]), {"a": "EUR"})
    found = limits(points.of(one, {"CYP": {"a": Activity(shares, 0.0)}}, 0).T)[0]

    def below(log_auc: float) -> float:
        """Probability that -log(activity + FLOOR) is smaller."""
        least = np.exp(-log_auc) - FLOOR
        return sum(w * (1.0 - NormalDist().cdf(np.log(least / a) / sd)) for a, w in shares)

    top = -np.log(FLOOR) - 1e-9
    known = [brentq(lambda v, p=p: below(v) - p, -4.0, top) for p in PROBABILITIES]
    assert found == pytest.approx(known, abs=0.03)
    without = [
        brentq(lambda v, p=p: 1 - NormalDist().cdf(np.log(np.exp(-v) - FLOOR) / sd) - p, -4, top) for p in (0.95,)
    ]
    assert known[2] > without[0] + 0.5  # the extensive metabolisers alone would end far lower


def test_an_uncertain_body_takes_its_turns() -> None:
    """Half of the points have a liver twice as large: the emulator sees both, and People gives the draws the same."""
    sizes = {q: np.ones(1) for q in BODY}
    two = People(("a",), sizes, np.zeros(1), {"a": "EUR"}, np.array([0]), {"V_liver": np.array([[1.0, 2.0]])})
    nothing = np.zeros((POINTS, 2))
    points = Points(straight(BODY, {"V_liver": 3.0}), nothing, {}, {}, np.zeros(POINTS), nothing[:, :1])
    found = points.of(two, {}, 0)[:, 0]
    assert found[:4] == pytest.approx([0.0, 3 * np.log(2), 0.0, 3 * np.log(2)])
    assert [two.bodies(k)["V_liver"][0] for k in range(4)] == [1.0, 2.0, 1.0, 2.0]


def test_the_network_learns_a_switch_and_is_written_whole() -> None:
    rng = np.random.default_rng(5)
    x = np.hstack([rng.standard_normal((3000, 3)) * [1.0, 4.0, 0.2] + [0.0, 7.0, 1.0], np.full((3000, 1), 2.0)])
    y = np.stack([np.tanh(2 * x[:, 0] + 0.5 * (x[:, 1] - 7)) + x[:, 2], x[:, 0] * x[:, 2]], axis=1)
    emulator = fit(x[:2500], y[:2500], ["a", "b", "c", "never moves"], ["p/AUCtau", "p/Cmax"], rng)
    error = np.sqrt(((emulator(x[2500:]) - y[2500:]) ** 2).mean(axis=0))
    assert (error < 0.05 * y.std(axis=0)).all()
    moved = x[2500:] + np.array([0.0, 0.0, 0.0, 9.0])
    assert np.array_equal(emulator(moved), emulator(x[2500:]))  # nothing is known of what never moved
    table = to_frame(emulator)
    assert not table.duplicated(["source", "target"]).any() and len(table) == 5 * (UNITS + 2) + UNITS * 2
    again = from_frame(table)
    assert again.inputs == emulator.inputs and again.outputs == emulator.outputs
    assert np.array_equal(again(x), emulator(x))
    assert np.allclose(emulator.only(["p/Cmax"])(x)[:, 0], emulator(x)[:, 1], rtol=0, atol=1e-12)


def test_a_metric_without_a_logarithm_or_without_a_fit_is_not_emulated() -> None:
    rng = np.random.default_rng(6)
    x = rng.standard_normal((800, 2))
    metrics = np.exp(np.stack([x[:, 0], x[:, 1], rng.standard_normal(800), x[:, 0]], axis=1))
    metrics[3, 1] = 0.0
    metrics[5] = np.nan
    outputs = tuple(f"drug/{m}" for m in METRICS)
    emulator, rows = design.emulator_of(design.Design(("a", "b"), outputs, x, metrics, np.arange(800) >= 700), rng)
    assert rows["reason"].tolist() == ["", "not positive in every solve", "held-out error too large", ""]
    assert emulator.outputs == ("drug/AUCtau", "drug/tmax") and rows["used"].tolist() == [True, False, False, True]
    assert (rows["n_failed"] == 1).all() and (rows["n_design"] == 699).all() and (rows["n_held_out"] == 100).all()
    assert rows["error"][0] < 0.1 and rows["error"][2] > LARGEST_MISFIT * rows["spread"][2]


def test_the_design_knows_every_activity() -> None:
    activity = every_activity("CYP2C19", "power")
    assert activity.components[0][0] == 0.0 and 1.0 in [a for a, _ in activity.components]
    assert len({w for _, w in activity.components}) == 1


@pytest.fixture(scope="module")
def emulators() -> tuple[pd.DataFrame, dict[str, Emulator]]:
    """Of the small study, from a small design."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(design, "DRAWS", 300)
        patch.setattr(design, "ADULTS", 6)
        patch.setattr(design, "CHILDREN", 2)
        told, weights = design.emulators_of(CONFIG, logging.getLogger("test"))
    return told, {str(r): from_frame(mine) for r, mine in weights.groupby("regimen")}


CALLS = genotype({"population_M": "*2/*2", "population_F": "*1/*1", "heavy": "*1/*1"})


def settings(draws: int) -> dict[str, Any]:
    """The small study with another number of draws."""
    return {**CONFIG, "exposures": {**CONFIG["exposures"], "draws": draws}}  # type: ignore[dict-item]


def test_limits_by_the_emulator_are_those_of_many_draws(
    emulators: tuple[pd.DataFrame, dict[str, Emulator]],
) -> None:
    """Of three twins against 400 draws of another seed; 20 draws alone are not as near."""
    own, (told, found) = people(three_people()), emulators
    assert told.loc[told["metric"] == "AUCtau", "used"].all()
    many = {**settings(400), "master_seed": 99}
    tables = {
        "many": stage.exposures_of(own, CALLS, many, "exposures/b000", LOG)[0],
        "draws": stage.exposures_of(own, CALLS, settings(20), "exposures/b000", LOG)[0],
        "emulator": stage.exposures_of(own, CALLS, settings(20), "exposures/b000", LOG, found)[0],
    }
    bands = {k: t[t["metric"].isin(["AUCtau", "Cmax"])][["lo90", "median", "hi90"]] for k, t in tables.items()}
    off = {k: np.abs(np.log(bands[k].to_numpy() / bands["many"].to_numpy())).mean() for k in ("draws", "emulator")}
    assert off["emulator"] < 0.1 and off["emulator"] < off["draws"]
    auc = tables["emulator"][tables["emulator"]["metric"] == "AUCtau"]
    assert (auc["method"] == "emulator").all() and (auc["misfit"] < LARGEST_MISFIT).all()
    assert (auc["n_draws"] == 20).all() and (tables["draws"]["method"] == "draws").all()
    assert tables["draws"]["misfit"].isna().all()


def test_a_twin_alone_has_the_same_limits_to_the_last_bit(
    emulators: tuple[pd.DataFrame, dict[str, Emulator]],
) -> None:
    own, found = people(three_people()), emulators[1]
    table, _ = stage.exposures_of(own, CALLS, settings(20), "exposures/b000", LOG, found)
    for k, twin in enumerate(own.twin_ids):
        body = {q: v[k : k + 1] for q, v in own.body.items()}
        one = People((twin,), body, own.gfr_sd[k : k + 1], {twin: own.ancestry[twin]})
        alone, _ = stage.exposures_of(one, CALLS, settings(20), "exposures/b000", LOG, found)
        together = table[table["twin_id"] == twin].reset_index(drop=True)
        pd.testing.assert_frame_equal(together, alone, check_exact=True)
    assert (table["method"] == "emulator").any()


def test_an_emulator_that_misses_is_said_and_not_used(
    emulators: tuple[pd.DataFrame, dict[str, Emulator]],
) -> None:
    """Inputs given to the wrong weights: the limits are those of the draws, row by row and in the summary."""
    own, (name, right) = people(three_people()), next(iter(emulators[1].items()))
    wrong = {name: replace(right, weights=right.weights[::-1])}
    missed, _ = stage.exposures_of(own, CALLS, settings(20), "exposures/b000", LOG, wrong)
    plain, _ = stage.exposures_of(own, CALLS, settings(20), "exposures/b000", LOG)
    auc = missed["metric"] == "AUCtau"
    assert (missed.loc[auc, "method"] == "fallback").all()
    misfit = missed.loc[auc, "misfit"]
    assert (misfit.isna() | (misfit > LARGEST_MISFIT)).all()
    columns = ["median", "lo90", "hi90"]
    pd.testing.assert_frame_equal(missed.loc[auc, columns], plain.loc[auc, columns], check_exact=True)
    summary = stage.summary_of(missed, {}).set_index("metric")
    assert summary.loc["AUCtau", "n_fallback"] == 3 and summary.loc["AUCtau", "n_emulator"] == 0


def test_an_emulator_of_another_drug_file_is_refused(
    emulators: tuple[pd.DataFrame, dict[str, Emulator]],
) -> None:
    drug, _ = system_of(regimens_of(CONFIG)[0])
    ours = next(iter(emulators[1].values()))
    other = replace(ours, inputs=("some other value", *ours.inputs[1:]))
    with pytest.raises(ValueError, match="some other value"):
        points_of(other, drug, ["CYP2C19"], 10, 1)
    assert GFR in points_of(ours, drug, ["CYP2C19"], 10, 1).emulator.inputs
