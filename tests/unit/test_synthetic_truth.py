"""The truth of the synthetic study: independent of the twin's model, and close to published exposures."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import pharmtwin
from pharmtwin.synthetic import truth
from pharmtwin.synthetic.truth import (
    allele_activity,
    concentrations,
    individual,
    observe,
    relative_activity,
    truth_facts,
)

SOURCE = Path(pharmtwin.__file__).parent
FORBIDDEN = {"model", "engine", "core", "pbpk", "inference"}
DAILY = [(24.0 * k, 20.0) for k in range(21)]


def imported(module: Path) -> set[str]:
    """Names below pharmtwin that a file imports, as dotted paths without the package."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not followed"
            names |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("pharmtwin.") for name in names if name.startswith("pharmtwin.")}


def test_truth_shares_no_module_with_the_model() -> None:
    seen: set[Path] = set()
    todo = [Path(truth.__file__)]
    while todo:
        path = todo.pop()
        seen.add(path)
        names = imported(path)
        assert not {name.split(".")[0] for name in names} & FORBIDDEN, path
        files = [SOURCE / f"{name.replace('.', '/')}{end}" for name in names for end in (".py", "/__init__.py")]
        todo += [f for f in files if f.is_file() and f not in seen]
    assert SOURCE / "facts.py" in seen


def typical(score: float) -> truth.TruthParameters:
    p = truth_facts().typical
    return replace(p, CYP2D6_Vmax=p.CYP2D6_Vmax * relative_activity(score))


@pytest.mark.parametrize(("score", "factor"), [(0.0, 0.0), (1.25, 0.516), (2.0, 1.0), (2.5, 1.4265), (4.0, 2.706)])
def test_activity_map_is_joined_by_straight_lines(score: float, factor: float) -> None:
    assert relative_activity(score) == pytest.approx(factor, abs=1e-9)


def test_single_dose_agrees_with_yasui_furukori_2007() -> None:
    """Published for activity score 1.25: Cmax 6.7 +/- 2.5 ng/mL, AUC0-48 137 +/- 73 ng*h/mL."""
    times = np.arange(0.25, 48.1, 0.25)
    conc = concentrations(typical(1.25), [(0.0, 20.0)], times)
    assert 6.0 < conc.max() < 8.0
    assert 120 < np.trapezoid(conc, times) < 155


def test_steady_state_of_extensive_and_poor_metabolizers() -> None:
    times = 480 + np.arange(0, 24.5, 0.5)
    extensive = concentrations(typical(1.25), DAILY, times)
    assert 35 < extensive.max() < 45
    assert 20 < extensive[-1] < 30
    poor = concentrations(typical(0.0), DAILY, times)
    normal = concentrations(typical(2.0), DAILY, times)
    assert 1.8 < np.trapezoid(poor, times) / np.trapezoid(normal, times) < 2.5
    first = np.arange(0.25, 48.1, 0.25)
    once = [concentrations(typical(s), [(0.0, 20.0)], first).sum() for s in (0.0, 1.5)]
    assert once[0] / once[1] > 4


def test_without_cyp2d6_the_truth_is_linear_and_clears_the_dose() -> None:
    p = typical(0.0)
    times = np.linspace(1, 1500, 6000)
    one, two = (concentrations(p, [(0.0, dose)], times) for dose in (20.0, 40.0))
    assert two == pytest.approx(2 * one, rel=1e-3, abs=1e-4)
    # well-stirred liver: oral AUC = dose / (fu CLint), whatever flow and volumes
    assert np.trapezoid(one, times) == pytest.approx(20_000 / (p.fu_p * p.CLint_other), rel=0.01)


def test_a_time_at_a_dose_is_before_it() -> None:
    p = typical(1.0)
    alone = concentrations(p, [(0.0, 20.0)], [24.0])
    assert concentrations(p, [(0.0, 20.0), (24.0, 20.0)], [24.0]) == pytest.approx(alone)
    assert concentrations(p, [(0.0, 20.0)], [0.0, 0.2]) == pytest.approx([0, 0])
    with pytest.raises(ValueError, match="ascending"):
        concentrations(p, [(0.0, 20.0)], [2.0, 1.0])
    with pytest.raises(ValueError, match="CLint_other"):
        replace(p, CLint_other=-1.0)


def test_random_effects_have_mean_one_and_the_stated_spread() -> None:
    facts, rng = truth_facts(), np.random.default_rng(1)
    people = [individual(facts, 70.0, 2.0, rng) for _ in range(1000)]
    other = np.array([p.CLint_other for p in people]) / facts.typical.CLint_other
    enzyme = np.array([p.CYP2D6_Vmax for p in people]) / facts.typical.CYP2D6_Vmax
    assert other.mean() == pytest.approx(1, abs=0.04)
    assert other.std() == pytest.approx(facts.value["cv_CLint_other"], rel=0.1)
    assert np.corrcoef(other, enzyme)[0, 1] == pytest.approx(facts.value["copula_CYP2D6_other"], abs=0.1)
    heavy = individual(facts, 140.0, 2.0, np.random.default_rng(3))
    light = individual(facts, 70.0, 2.0, np.random.default_rng(3))
    assert heavy.CLint_other / light.CLint_other == pytest.approx(2**0.75)
    assert heavy.V_deep / light.V_deep == pytest.approx(2.0)


def test_allele_deviation_and_residual_error() -> None:
    facts, rng = truth_facts(), np.random.default_rng(2)
    assert allele_activity("*1", 1.0, facts, rng) == 1.0
    assert allele_activity("*4", 0.0, facts, rng) == 0.0
    assert allele_activity("*106", None, facts, rng) >= 0
    draws = np.array([allele_activity("*41", 0.5, facts, rng) for _ in range(4000)])
    assert draws.mean() == pytest.approx(0.5, rel=0.02)
    noisy = observe(np.full(4000, 100.0), facts, rng)
    assert noisy.std() == pytest.approx(100 * facts.value["error_proportional"], rel=0.05)
