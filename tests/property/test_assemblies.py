"""The random assemblies themselves: they reach the whole library, repeat, and are what they promise."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from assemblies import BOUNDS, Assembly, random_assembly

from pharmtwin.model.balance import pools, unbalanced_fluxes
from pharmtwin.model.library import MODULES

DRAWS = 200


@lru_cache(maxsize=1)
def cases(n: int = DRAWS) -> list[Assembly]:
    return [random_assembly(np.random.default_rng(seed)) for seed in range(n)]


def test_every_module_of_the_library_is_reached() -> None:
    reached = set().union(*(case.used for case in cases()))
    assert reached == set(MODULES), f"never drawn: {sorted(set(MODULES) - reached)}"


def test_equal_generators_give_equal_cases() -> None:
    for seed in (3, 4, 5):
        a, b = (random_assembly(np.random.default_rng(seed)) for _ in range(2))
        assert a.model.digest == b.model.digest and a.regimen == b.regimen
        np.testing.assert_array_equal(a.parameters, b.parameters)
        np.testing.assert_array_equal(a.times, b.times)


def test_cases_are_sensible_and_various() -> None:
    all_cases = cases()
    for case in all_cases:
        p = dict(zip(case.model.parameter_names, case.parameters.T))
        assert case.parameters.shape == (len(case.segment_times), len(case.model.parameters))
        assert all((v > 0).all() and np.isfinite(v).all() for v in p.values())
        assert all((v <= 1).all() for n, v in p.items() if n.split("_")[0] in ("fu", "F", "fast"))
        branches = [v for n, v in p.items() if n.startswith("Q_") and n != "Q_lung"]
        np.testing.assert_allclose(p["Q_lung"], np.sum(branches, axis=0), rtol=1e-12)
        assert all((v <= p[n.replace("kslow", "kfast")]).all() for n, v in p.items() if n.startswith("kslow_"))
        assert (np.diff(case.times) >= 0).all() and (np.diff(case.segment_times) > 0).all()
        assert case.regimen and all(0 <= d.time < case.times[-1] and d.amount > 0 for d in case.regimen)
        assert not unbalanced_fluxes(case.model)
        assert len(pools(case.model)) >= 1
    assert {len(c.segment_times) for c in all_cases} == {1, 2, 3, 4}
    assert len({c.model.digest for c in all_cases}) > 0.9 * DRAWS
    routes = {d.route for c in all_cases for d in c.regimen}
    assert routes >= {"oral", "iv", "sc", "im", "local", "oral_inh", "iv_inh"}
    assert any(d.duration > 0 for c in all_cases for d in c.regimen)
    doses = [sorted(d.time for d in c.regimen) for c in all_cases]
    assert any((np.diff(t) == 0).any() for t in doses)  # equal times happen


def test_parameters_span_three_decades() -> None:
    drawn: dict[str, list[float]] = {}
    for case in cases():
        for name, value in zip(case.model.parameter_names, case.parameters[0]):
            drawn.setdefault(name, []).append(value)
    # of 100 draws over three decades one name in 3,000 spans less than a factor of 500, of 60 draws one in 80
    wide = {n: max(v) / min(v) for n, v in drawn.items() if len(v) > 100 and n != "Q_lung"}
    confined = ("B", "MW", "Kp_scale")
    narrow = {n for n, ratio in wide.items() if ratio < 500 and not n.startswith(confined)}
    assert len(wide) > 20 and not narrow, narrow
    assert all(high / low >= 999 for k, (low, high) in BOUNDS.items() if k not in confined)
