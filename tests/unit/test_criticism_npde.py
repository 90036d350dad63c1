"""NPDE: standard normal under the true model, wrong where the model is, and published figures of the R package npde."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import kstest, norm

from pharmtwin.inference.criticism.npde import npde, npde_moments, npde_tests

Floats = NDArray[np.float64]
#: npde of the theophylline example of the R package npde 3.0 (ecomets/npde30 fa072544de8c, notebooks/theoSave.npde)
#: as pde in steps of 1/200, 120 observations of 12 subjects
THEOPHYLLINE = """
110 196 198 140 120 150 190 156 192 199  32 199 150  76  12  42  78 108  78  58 146 142 122  38 112  62  84 138 100  62
 32 184 198 116  28  68  84 124 158  70  24 182 199  10  10  30 120 128  72 110  14 102 186  84  22  40  48 116 140  88
 10 100 114  80  90 100  56  64  88 132  96   2 182  78  30  66  32 118  64 126 199 170   4  86 114 199  34 188 194  16
 36 104  88  98 190 146 130 134 146 104 162 104  50  24  48  70  88  84 114 148  12 138 170 122 126  94  24  88 118  26
"""


def study(
    seed: int, n_subjects: int, replicates: int, omega: float = 1.0, shift: float = 0.0
) -> tuple[Floats, Floats, list[str]]:
    """Subjects of 4 observations with a shared effect; the data's differ from the simulations' by omega and shift."""
    rng = np.random.default_rng(seed)
    trend = np.tile([4.0, 3.0, 2.0, 1.0], n_subjects)

    def data(size: int, sd: float) -> Floats:
        effect = np.repeat(sd * rng.normal(size=(size, n_subjects)), 4, axis=1)
        return np.asarray(trend + effect + 0.5 * rng.normal(size=(size, 4 * n_subjects)))

    return data(1, omega)[0] + shift, data(replicates, 1.0), [f"s{i // 4}" for i in range(4 * n_subjects)]


def test_figures_and_tests_are_those_published_for_the_theophylline_example() -> None:
    values = norm.ppf(np.array(THEOPHYLLINE.split(), dtype=float) / 200)
    found = npde_moments(values)
    # user guide of npde 3.0, "Computing npde"
    assert found["n"] == 120
    assert found["mean"] == pytest.approx(0.0668, abs=5e-5) and found["se_mean"] == pytest.approx(0.095, abs=5e-4)
    assert found["variance"] == pytest.approx(1.074, abs=5e-4)
    assert found["se_variance"] == pytest.approx(0.14, abs=5e-3)
    assert found["skewness"] == pytest.approx(0.511, abs=5e-4)
    assert found["kurtosis"] == pytest.approx(0.2912, abs=5e-5)
    tests = npde_tests(values).set_index("test")
    assert tests["p_adjusted"]["shapiro"] == pytest.approx(0.00819, abs=5e-6)
    assert tests["p_adjusted"]["global"] == pytest.approx(0.00819, abs=5e-6)
    assert tests["p_adjusted"]["fisher"] == tests["p_adjusted"]["wilcoxon"] == 1.0
    assert tests["passed"].to_dict() == {"wilcoxon": True, "fisher": True, "shapiro": False, "global": False}


def test_npde_of_the_true_model_are_standard_normal_and_independent() -> None:
    table = npde(*study(1, 200, 1000))
    assert kstest(table["npde"], "norm").pvalue > 0.05
    assert npde_tests(table["npde"])["passed"].all()
    by_subject = table["npde"].to_numpy().reshape(-1, 4)
    assert np.corrcoef(by_subject, rowvar=False)[np.triu_indices(4, 1)] == pytest.approx(0, abs=0.15)
    # npd keep the correlation within a subject, 1 / (1 + 0.25) = 0.8
    before = np.corrcoef(table["npd"].to_numpy().reshape(-1, 4), rowvar=False)
    assert before[0, 3] == pytest.approx(0.8, abs=0.06)
    assert set(table["method"]) == {"cholesky"}


def test_npde_are_the_residuals_of_the_exact_normal_model() -> None:
    y, simulated, subject = study(2, 30, 40_000)
    factor = np.linalg.cholesky(0.25 * np.eye(4) + 1.0)
    exact = np.linalg.solve(factor, (y.reshape(-1, 4) - [4, 3, 2, 1]).T).T.ravel()
    assert npde(y, simulated, subject)["npde"].to_numpy() == pytest.approx(exact, abs=0.1)


def test_the_true_model_passes_in_about_95_of_100_studies() -> None:
    rng = np.random.default_rng(3)
    passed = [npde_tests(rng.normal(size=60))["passed"].iloc[3] for _ in range(400)]
    assert 0.92 < np.mean(passed) <= 0.99  # Bonferroni: at least 0.95, within three standard errors


def test_faults_are_found_by_the_test_made_for_them() -> None:
    shifted = npde_tests(npde(*study(4, 100, 1000, shift=0.7))["npde"]).set_index("test")["passed"]
    assert not shifted["wilcoxon"] and not shifted["global"]
    spread = npde_tests(npde(*study(5, 100, 1000, omega=3.0))["npde"]).set_index("test")["passed"]
    assert not spread["fisher"]
    skewed = npde_tests(np.random.default_rng(6).exponential(size=200) - 1).set_index("test")["passed"]
    assert not skewed["shapiro"]


def test_values_beyond_every_simulation_stay_finite() -> None:
    y, simulated, subject = study(7, 5, 1000)
    y[0] += 100
    table = npde(y, simulated, subject)
    assert table["pd"][0] == 1 - 1 / 2000 and table["npd"][0] == pytest.approx(norm.ppf(1 - 1 / 2000))
    assert np.isfinite(table["npde"]).all() and npde_moments(table["npde"])["n_outliers"] >= 1


def test_a_single_observation_has_equal_npd_and_npde() -> None:
    rng = np.random.default_rng(8)
    table = npde(rng.normal(size=20), rng.lognormal(size=(1000, 20)), [f"s{i}" for i in range(20)])
    assert table["npde"].to_numpy() == pytest.approx(table["npd"].to_numpy())


def test_subjects_may_be_interleaved() -> None:
    y, simulated, subject = study(9, 10, 1000)
    table = npde(y, simulated, subject)
    order = np.argsort(np.tile(np.arange(4), 10), kind="stable")
    mixed = npde(y[order], simulated[:, order], [subject[i] for i in order])
    assert mixed["npde"].to_numpy() == pytest.approx(table["npde"].to_numpy()[order])


def test_censored_observations_under_the_true_model_give_normal_npde() -> None:
    y, simulated, subject = study(10, 200, 1000)
    below = y < 2.0
    assert 0.3 < below.mean() < 0.5
    censored = np.where(below, np.nan, y)
    table = npde(censored, simulated, subject, below=below, lloq=2.0, rng=np.random.default_rng(0))
    # pd: those of measured values as if nothing were censored, the others uniform up to P(Y < LLOQ)
    complete = npde(y, simulated, subject)
    assert table["pd"][~below].to_numpy() == pytest.approx(complete["pd"][~below].to_numpy())
    share = (simulated < 2.0).mean(axis=0)[below]
    assert kstest(table["pd"][below] / share, "uniform").pvalue > 0.01
    assert (table["y"][below] < 2.0).all() and (table["below"] == below).all()
    found = npde_moments(table["npde"])
    assert kstest(table["npde"], "norm").pvalue > 0.01
    assert found["mean"] == pytest.approx(0, abs=0.1)  # 800 values: standard error 0.035
    assert found["variance"] == pytest.approx(1, abs=0.15)  # 0.05


def test_too_many_censored_observations_show() -> None:
    y, simulated, subject = study(11, 100, 1000)
    below = y < np.where(np.arange(400) % 4 == 0, 4.5, -9)  # the first sample lost far above the limit
    table = npde(y, simulated, subject, below=below, lloq=4.0, rng=np.random.default_rng(0))
    first = table["npd"].to_numpy()[::4]
    assert first.mean() < -0.15 and table["below"].sum() == below.sum()


def test_the_same_seed_draws_the_same_and_none_is_refused() -> None:
    y, simulated, subject = study(12, 20, 1000)
    below = y < 2.0
    one, two = (npde(y, simulated, subject, below=below, lloq=2.0, rng=np.random.default_rng(1)) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
    with pytest.raises(ValueError, match="give rng"):
        npde(y, simulated, subject, below=below, lloq=2.0)


def test_what_cannot_be_decorrelated_or_compared_is_refused() -> None:
    y, simulated, subject = study(13, 5, 1000)
    twice = simulated.copy()
    twice[:, 1] = twice[:, 0]
    with pytest.raises(ValueError, match="subject s0: the covariance"):
        npde(y, twice, subject)
    with pytest.raises(ValueError, match="at least 1000"):
        npde(y, simulated[:100], subject)
    with pytest.raises(ValueError, match="no simulation of it is"):
        npde(y, simulated, subject, below=np.arange(20) == 3, lloq=-50.0, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="no limit of quantification"):
        npde(y, simulated, subject, below=np.arange(20) == 3, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="finite"):
        npde(np.where(np.arange(20) == 3, math.nan, y), simulated, subject)
    with pytest.raises(ValueError, match="at least 4"):
        npde_tests([0.0, 1.0, 2.0])
