"""Population posteriors by NUTS against published ones: the same data, priors and model in other programs.

Run with ``pytest tests/reference/test_population_posteriors.py -m "reference and slow" -s`` to see the figures.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pharmtwin.inference.population_fit import anchors
from pharmtwin.inference.population_fit.anchors import Anchor
from pharmtwin.inference.population_fit.build import PopulationFit
from pharmtwin.inference.population_fit.fast import NOT_COMPARED, compare_with_nuts, laplace
from pharmtwin.inference.population_fit.sample import Posterior, compile_fit, sample

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "bayes"
pytestmark = [
    pytest.mark.reference,
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.exists(), reason="reference data not beside the checkout"),
]


class Mavoglurant(NamedTuple):
    """What two tests look at."""

    anchor: Anchor
    fit: PopulationFit
    compiled: Any
    posterior: Posterior
    seconds: float


def _sampled(anchor: Anchor) -> Posterior:
    posterior = sample(anchor.make(), anchor.plan, master=20260801, name=anchor.name)
    print("\n" + anchors.told(anchor, posterior))
    return posterior


@pytest.fixture(scope="module")
def mavoglurant() -> Mavoglurant:
    begun = time.perf_counter()
    anchor = anchors.mavoglurant(DATA)
    fit = anchor.make()
    compiled = compile_fit(fit)
    posterior = sample(fit, anchor.plan, master=20260801, name=anchor.name, compiled=compiled)
    seconds = time.perf_counter() - begun
    print(f"\n{anchors.told(anchor, posterior)}\nfrom the file to the draws {seconds:.0f} s")
    return Mavoglurant(anchor, fit, compiled, posterior, seconds)


def test_mavoglurant_is_that_of_stan(mavoglurant: Mavoglurant) -> None:
    anchor, fit, _, posterior, seconds = mavoglurant
    assert len(fit.problem.subjects) == 20 and len(fit.problem.y) == 268
    table = anchor.compare(posterior)
    assert table["agrees"].all(), table
    assert len(posterior.table) == 8 + 20
    assert posterior.table["ess_bulk"].min() >= 400 and posterior.table["ess_tail"].min() >= 400
    assert posterior.verdict == "good"
    assert posterior.slowest()[1] >= 100 * anchors.published("mavoglurant", "ess_rate")["CLintHat"]
    assert seconds < 900


def test_a_fast_approximation_of_mavoglurant(mavoglurant: Mavoglurant) -> None:
    _, fit, compiled, posterior, _ = mavoglurant
    fast = laplace(fit, compiled, master=20260801, name="mavoglurant")
    assert NOT_COMPARED in fast.verdict
    compared = compare_with_nuts(fast, posterior, fit)
    print(f"\nLaplace, importance resampling: {fast.seconds:.1f} s, k {fast.k:.2f} (limit {fast.k_limit:.2f}), "
          f"effective draws {fast.effective:.0f}\n{compared.comparison.to_string()}")  # fmt: skip
    assert compared.verdict == "good"


@pytest.mark.parametrize("number", ["01", "04"])
def test_bayesian_benchmarks_are_those_of_stan(number: str) -> None:
    anchor = anchors.bayesian_benchmark(DATA, number)
    posterior = _sampled(anchor)
    table = anchor.compare(posterior)
    assert len(table) == 9 and table["agrees"].all(), table
    assert posterior.checks.set_index("check").loc["divergences", "passed"]
    if number == "01":
        assert posterior.slowest()[1] >= 0.5


@pytest.mark.parametrize("name", sorted(anchors.POSTERIORDB))
def test_posteriordb(name: str) -> None:
    anchor = anchors.posteriordb(DATA, name)
    table = anchor.compare(_sampled(anchor))
    # K_m's posterior has no sd (its tail is that of a Cauchy prior), so neither has its mean an error
    counted = table[~((table["parameter"] == "K_m") & table["figure"].isin(["mean", "sd"]))]
    assert counted["agrees"].all(), table
