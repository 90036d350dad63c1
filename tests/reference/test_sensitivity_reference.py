"""Indices against answers that are known exactly: coverage of the intervals, and the published PBPK analysis.

Coverage is counted over 200 replicates, each with a master seed of its own, at N = 1,024 base blocks. The exact index
of every input, those that are zero included, must lie in its interval in at least 93 % of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from SALib.analyze import morris as salib_morris
from SALib.analyze import sobol as salib_sobol

from pharmtwin.sensitivity.design import PANEL, morris_design, sobol_blocks, units_of
from pharmtwin.sensitivity.indices import indices
from pharmtwin.sensitivity.morris import effects
from pharmtwin.sensitivity.run import run
from pharmtwin.sensitivity.spec import read_spec
from pharmtwin.uncertainty.inputs import Input, Law, values

pytestmark = pytest.mark.reference
Floats = NDArray[np.float64]
ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data" / "bayes"
N, REPLICATES, ENOUGH = 1024, 200, 0.93
UNIFORM, NORMAL = Law("uniform", (0.0, 1.0)), Law("normal", (0.0, 1.0))


def answers() -> dict[str, Any]:
    path = SHARED / "gsa" / "known_answers.json"
    if not path.exists():
        pytest.skip(f"no {path}")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def ishigami(x: Floats) -> Floats:
    z = np.pi * (2.0 * x - 1.0)
    return np.asarray(np.sin(z[..., 0]) + 7.0 * np.sin(z[..., 1]) ** 2 + 0.1 * z[..., 2] ** 4 * np.sin(z[..., 0]))


def sobol_g(a: list[float]) -> Callable[[Floats], Floats]:
    return lambda x: np.prod((np.abs(4.0 * x - 2.0) + np.array(a)) / (1.0 + np.array(a)), axis=-1)


def case(name: str) -> tuple[Callable[[Floats], Floats], Law, list[float], list[float]]:
    """Function of values of the inputs, law of the inputs, exact S1 and ST."""
    known = answers()
    if name == "one_cmt_auc":
        S1, ST = (list(known[name][k].values()) for k in ("S1", "ST"))
        return lambda z: np.exp(0.2 * z[..., 0] - 0.4 * z[..., 1]), NORMAL, S1, ST
    S1, ST = known[name]["S1"], known[name]["ST"]
    if name == "ishigami":
        return ishigami, UNIFORM, S1, ST
    if name.startswith("sobol_g"):
        return sobol_g(known[name]["a"]), UNIFORM, S1, ST
    if name == "linear":
        return lambda x: x @ np.array(known[name]["coef"]), UNIFORM, S1, ST
    return lambda z: np.exp(z @ np.array(known[name]["s"])), NORMAL, S1, ST


def inputs_of(law: Law, n: int) -> list[Input]:
    return [Input(f"x{k}", law, "model", f"x{k}", "test") for k in range(n)]


@pytest.mark.parametrize("name", ["ishigami", "sobol_g", "sobol_g6", "linear", "product_lognormal", "one_cmt_auc"])
def test_exact_indices_lie_in_93_per_cent_of_the_intervals(name: str) -> None:
    function, law, S1, ST = case(name)
    inputs = inputs_of(law, len(S1))
    inside = np.zeros((2, len(S1)))
    for seed in range(REPLICATES):
        u = sobol_blocks(0, N, inputs, second=False, panel=PANEL, master=seed)
        y = function(values(inputs, u.reshape(-1, len(inputs)))).reshape(N, -1)
        found = indices(y, len(inputs), second=False, master=seed)
        for k, (interval, exact) in enumerate(((found.first, S1), (found.total, ST))):
            inside[k] += (interval[1] - 1e-12 <= exact) & (np.array(exact) <= interval[2] + 1e-12)
    share = inside / REPLICATES
    print(f"{name}: S1 {share[0].round(3).tolist()}, ST {share[1].round(3).tolist()}")
    assert share.min() >= ENOUGH


def test_interaction_indices_lie_in_93_per_cent_of_the_intervals() -> None:
    """Second order: x1 and x3 of Ishigami's function, and the pairs that do not interact."""
    inputs = inputs_of(UNIFORM, 3)
    exact = np.zeros((3, 3))
    exact[0, 2] = exact[2, 0] = answers()["ishigami"]["S2"]["13"]
    inside = np.zeros((3, 3))
    for seed in range(REPLICATES):
        u = sobol_blocks(0, N, inputs, second=True, panel=PANEL, master=seed)
        pairs = indices(ishigami(u), 3, second=True, master=seed).pairs
        assert pairs is not None
        inside += (pairs[1] <= exact) & (exact <= pairs[2])
    share = (inside / REPLICATES)[np.triu_indices(3, 1)]
    print(f"pairs 12, 13, 23: {share.round(3).tolist()}")
    assert share.min() >= ENOUGH


def test_total_indices_are_salibs() -> None:
    """The same blocks in SALib give the same total indices (Jansen); first-order indices within both intervals."""
    inputs = inputs_of(UNIFORM, 8)
    function, _, _, _ = case("sobol_g")
    y = function(sobol_blocks(0, N, inputs, second=True, panel=PANEL, master=3))
    found = indices(y, 8, second=True, master=3)
    problem = {"num_vars": 8, "names": [i.name for i in inputs], "bounds": [[0, 1]] * 8}
    theirs = salib_sobol.analyze(problem, y.ravel(), calc_second_order=True, seed=1)
    np.testing.assert_allclose(found.total[0], theirs["ST"], rtol=1e-12)
    assert np.all(np.abs(found.first[0] - theirs["S1"]) < theirs["S1_conf"])
    assert found.pairs is not None
    upper = np.triu_indices(8, 1)
    assert np.all(np.abs(found.pairs[0][upper] - theirs["S2"][upper]) < theirs["S2_conf"][upper] + 1e-3)


def test_elementary_effects_are_salibs() -> None:
    """mu, mu* and sigma of the same trajectories; of groups mu*. mu* of 1,000 trajectories is the reference's."""
    inputs = inputs_of(UNIFORM, 3)
    points, step = morris_design(inputs, trajectories=1000, candidates=0, levels=4, master=5)
    y = ishigami(points)
    found = effects(points, y, units_of(inputs), step).values
    problem: dict[str, Any] = {"num_vars": 3, "names": ["x0", "x1", "x2"], "bounds": [[0, 1]] * 3}
    theirs = salib_morris.analyze(problem, points.reshape(-1, 3), y.ravel(), num_levels=4, seed=1)
    np.testing.assert_allclose(found.mean(axis=0), theirs["mu"], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(np.abs(found).mean(axis=0), theirs["mu_star"], rtol=1e-9)
    np.testing.assert_allclose(found.std(axis=0, ddof=1), theirs["sigma"], rtol=1e-9)
    known = answers()["morris_ishigami_levels4"]["mu_star"]
    assert np.abs(found).mean(axis=0) == pytest.approx(known, rel=0.05)

    grouped = [replace(i, group="g" if k else "") for k, i in enumerate(inputs)]
    points, step = morris_design(grouped, trajectories=200, candidates=0, levels=4, master=5)
    y = ishigami(points)
    theirs = salib_morris.analyze(
        {**problem, "groups": ["x0", "g", "g"]}, points.reshape(-1, 3), y.ravel(), num_levels=4
    )
    mine = np.abs(effects(points, y, units_of(grouped), step).values).mean(axis=0)
    by_name = dict(zip(units_of(grouped).names, mine, strict=True))
    assert [by_name[n] for n in theirs["names"]] == pytest.approx(list(theirs["mu_star"]), rel=1e-9)


def test_mavoglurant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AUC 0-48 h: the recomputation on the exact model in the intervals, the published figure within 0.03."""
    path = SHARED / "mavoglurant_pbpk" / "specification.json"
    if not path.exists():
        pytest.skip(f"no {path}")
    known = json.loads(path.read_text(encoding="utf-8"))
    monkeypatch.chdir(ROOT)
    found = run((read_spec, "config/examples/sensitivity/mavoglurant.yaml"), tmp_path, shards=2)["sobol"]
    rows = found.set_index("input")
    exact, published = known["sobol_exact_model_here"], known["sobol_published"]
    order = list(published["S1"])
    for name in ("CLint", "KbMU", "KbAD"):
        row = rows.loc[{"CLint": "CLintHat"}.get(name, name)]
        for index in ("S1", "ST"):
            value = exact[index][order.index(name)]
            assert row[f"{index}_lo"] <= value <= row[f"{index}_hi"], (name, index, value, row.to_dict())
            assert row[index] == pytest.approx(published[index][name], abs=0.03), (name, index)
    assert rows.loc["dummy", "ST"] == 0.0 and found["n_failed"].max() == 0
