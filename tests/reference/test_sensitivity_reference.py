"""Our Sobol estimator against SALib's, and against closed indices of the Ishigami and Sobol G functions.

Run with ``pytest tests/reference -m reference -s`` to see the figures.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from SALib.analyze import sobol as analyze
from SALib.sample import sobol as sample

from pharmtwin.sensitivity.analysis import _estimate, _indices

Floats = NDArray[np.float64]
ANSWERS = Path(__file__).resolve().parents[3] / "shared" / "data" / "bayes" / "gsa" / "known_answers.json"
N, SEED = 4096, 20260801
pytestmark = pytest.mark.reference
needs_data = pytest.mark.skipif(not ANSWERS.exists(), reason="reference data not beside the checkout")

# Ishigami & Homma 1990 with a = 7, b = 0.1: the partial variances in closed form
A, B = 7.0, 0.1
V1, V2, V13 = 0.5 * (1 + B * np.pi**4 / 5) ** 2, A**2 / 8, B**2 * np.pi**8 * 8 / 225
ISHIGAMI_S1 = np.array([V1, V2, 0.0]) / (V1 + V2 + V13)
ISHIGAMI_ST = np.array([V1 + V13, V2, V13]) / (V1 + V2 + V13)


def ishigami(X: Floats) -> Floats:
    return np.sin(X[:, 0]) + A * np.sin(X[:, 1]) ** 2 + B * X[:, 2] ** 4 * np.sin(X[:, 0])


def sobol_g(X: Floats, a: Floats) -> Floats:
    return np.prod((np.abs(4 * X - 2) + a) / (1 + a), axis=1)


def problem(d: int, bounds: tuple[float, float]) -> dict[str, Any]:
    return {"num_vars": d, "names": [f"x{k}" for k in range(d)], "bounds": [list(bounds)] * d}


def drawn(p: dict[str, Any], n: int = N) -> Floats:
    return sample.sample(p, n, calc_second_order=False, scramble=True, seed=SEED)


ISHIGAMI = problem(3, (-np.pi, np.pi))


def test_the_closed_indices_are_the_published_ones() -> None:
    assert pytest.approx([0.3139, 0.4424, 0.0], abs=5e-5) == ISHIGAMI_S1
    assert pytest.approx([0.5576, 0.4424, 0.2437], abs=5e-5) == ISHIGAMI_ST


@pytest.mark.parametrize("n", [64, 1024, N])
def test_the_estimator_is_salibs(n: int) -> None:
    y = ishigami(drawn(ISHIGAMI, n))
    peer = analyze.analyze(ISHIGAMI, y, calc_second_order=False, num_resamples=2, seed=1)
    first, total = _estimate(y.reshape(n, 5))
    np.testing.assert_allclose(first, peer["S1"], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(total, peer["ST"], rtol=1e-10, atol=1e-12)


def test_exact_ishigami_indices_lie_in_the_intervals() -> None:
    """Two outputs: the function, and the function of the inputs in reverse order."""
    X = drawn(ISHIGAMI)
    table = _indices(ISHIGAMI["names"], np.column_stack([ishigami(X), ishigami(X[:, ::-1])]), N, SEED, 500)
    for output, order in (("AUCtau", 1), ("Cmax", -1)):
        got = table[table.output == output]
        print(got[["input", "S1", "S1_lo", "S1_hi", "ST", "ST_lo", "ST_hi"]].round(4).to_string(index=False))
        for exact, name in ((ISHIGAMI_S1[::order], "S1"), (ISHIGAMI_ST[::order], "ST")):
            assert (got[f"{name}_lo"].to_numpy() <= exact).all() and (exact <= got[f"{name}_hi"].to_numpy()).all()
            np.testing.assert_allclose(got[name], exact, atol=0.02)


def test_half_widths_are_salibs_bootstrap() -> None:
    """Percentiles of the bootstrap here, 1.96 sd of the bootstrap there: alike within 15 per cent."""
    y = ishigami(drawn(ISHIGAMI))
    peer = analyze.analyze(ISHIGAMI, y, calc_second_order=False, num_resamples=2000, seed=SEED)
    ours = _indices(ISHIGAMI["names"], np.column_stack([y, y]), N, SEED, 2000)[:3]
    for name in ("S1", "ST"):
        half = (ours[f"{name}_hi"] - ours[f"{name}_lo"]).to_numpy() / 2
        np.testing.assert_allclose(half, peer[f"{name}_conf"], rtol=0.15)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """200 independent plain random samples: 95 % intervals, counted (a quasi-random sample does better)."""
    hits, repeats, n = np.zeros((2, 3)), 200, 512
    for k in range(repeats):
        rng = np.random.default_rng([SEED, k])
        a, b = (rng.uniform(-np.pi, np.pi, (n, 3)) for _ in range(2))
        blocks = [a, *(np.column_stack([b[:, i] if i == j else a[:, i] for i in range(3)]) for j in range(3)), b]
        y = np.column_stack([ishigami(x) for x in blocks]).ravel()
        t = _indices(ISHIGAMI["names"], np.column_stack([y, y]), n, k, 200)[:3]
        for row, (name, exact) in enumerate((("S1", ISHIGAMI_S1), ("ST", ISHIGAMI_ST))):
            hits[row] += (t[f"{name}_lo"] <= exact).to_numpy() & (exact <= t[f"{name}_hi"]).to_numpy()
    print("coverage of the 95 % intervals, S1 then ST:", hits / repeats)
    assert (hits / repeats > 0.89).all()  # four standard errors of 200 counts below 0.95


@needs_data
def test_known_answers_of_the_g_function() -> None:
    known = json.loads(ANSWERS.read_text(encoding="utf-8"))
    assert pytest.approx(known["ishigami"]["S1"], rel=1e-12) == ISHIGAMI_S1
    assert pytest.approx(known["ishigami"]["ST"], rel=1e-12) == ISHIGAMI_ST
    ref = known["sobol_g6"]
    p = problem(6, (0.0, 1.0))
    y = sobol_g(drawn(p), np.array(ref["a"]))
    table = _indices(p["names"], np.column_stack([y, y]), N, SEED, 500)[:6]
    print(table[["input", "S1", "ST"]].assign(exact_S1=ref["S1"], exact_ST=ref["ST"]).round(4).to_string(index=False))
    for name in ("S1", "ST"):
        exact = np.array(ref[name])
        np.testing.assert_allclose(table[name], exact, atol=0.02)
        slack = 1e-3  # indices near zero have intervals of about their own size
        assert (table[f"{name}_lo"] - slack <= exact).all() and (exact <= table[f"{name}_hi"] + slack).all()
