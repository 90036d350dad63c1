"""The problems that speed is measured on are what they say: sizes, flows that close, mass that is kept."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from pharmtwin.engine.run import simulate
from pharmtwin.model.balance import mass_error, pools


@pytest.fixture(scope="module")
def problems() -> ModuleType:
    """tests/bench/problems.py as a module."""
    path = Path(__file__).resolve().parents[1] / "bench" / "problems.py"
    spec = importlib.util.spec_from_file_location("bench_problems", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("name", "compounds"), [("30 states", 1), ("58 states", 2)])
def test_problem(problems: ModuleType, name: str, compounds: int) -> None:
    problem = problems.PROBLEMS[name]
    model, P = problem.model(), problem.patients(3, seed=2)
    assert len(model.states) == int(name.split()[0]) and len(model.sensitivities) == 8
    assert [len(p) for p in pools(model)] == [27] * compounds
    np.testing.assert_array_equal(P, problem.patients(3, seed=2))
    assert (P > 0).all() and not (problem.patients(3, seed=3) == P).all()
    value = dict(zip(model.parameter_names, P.T))
    branches = [value[f"Q_{t}"] for t in problems.TISSUES if t != "lung"]
    np.testing.assert_allclose(np.sum(branches, axis=0), value["Q_lung"], rtol=1e-12)

    batch = problem.batch(P)
    assert len(batch.times) == 3 * 673 and batch.times[-1] == 168.0 and len(batch.ev_t) == 3 * 14 * compounds
    fast, reference = (simulate(model, batch, engine=e, rtol=r) for e, r in (("rosenbrock", 1e-6), ("cvode", 1e-9)))
    assert not fast.flag.any() and not reference.flag.any()
    assert mass_error(model, fast.final_state, [problem.doses()] * 3, [168.0] * 3).max() < 1e-12
    scale = reference.values[:, 0].max()
    np.testing.assert_allclose(fast.values[:, 0], reference.values[:, 0], rtol=1e-5, atol=1e-3 * 1e-5 * scale)
    enzymes = fast.final_state[:, [i for i, s in enumerate(model.state_names) if s.startswith("E_")]]
    assert (enzymes > 1.1).all() if compounds == 1 else (enzymes < 1.0).any()  # induction; inactivation
