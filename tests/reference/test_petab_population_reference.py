"""PEtab problems of the benchmark collection as population models: log-likelihood, derivatives, an optimum.

Run with ``pytest tests/reference -m reference -s`` to see the figures.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pharmtwin.exchange.petab import SCALES, load_problem, simulate_problem
from pharmtwin.inference.estimation.maximise import maximise
from pharmtwin.inference.models.description import PopulationModelError
from pharmtwin.inference.petab.importing import PetabPopulation, import_petab
from pharmtwin.inference.petab.likelihood import log_likelihood_of_table
from pharmtwin.inference.population_fit.build import build

PETAB = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "systems" / "petab"
pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not PETAB.exists(), reason="reference data ../shared/data/systems is not beside the checkout"),
]
#: every problem of the data, with what has to be left out of it: nothing, its priors, an event of states
HELD: dict[str, dict[str, object]] = {
    "Boehm_JProteomeRes2014": {},
    "Brannmark_JBC2010": {},
    "Crauste_CellSystems2017": {},
    "Liu_IFACPapersOnLine2025": {"without_events": ["_E0"]},
    "Liu_IFACPapersOnLine2025/individual-based/Liu_IFACPapersOnLine2025_individual": {"without_events": ["_E0"]},
    "Perelson_Science1996": {},
    "Raia_CancerResearch2011": {},
    "Raimundez_PCB2020": {"priors": False},
    "Schwen_PONE2014": {},
}
REFUSED = {
    "Fiedler_BMCSystBiol2016": r"coefficient of s_pErk_20140430_gel1, sigma_pErk that is no positive multiple",
    "Fiedler_BMCSystBiol2016/reformulated/Fiedler_BMCSystBiol2016_rel": "that is no positive multiple of one parameter",
    "Liu_IFACPapersOnLine2025": r"event _E0: its trigger \(U < 1e-08\) depends on states",
    "Raimundez_PCB2020": "the prior laplace has no family here",
}
#: log-likelihood at the nominal values by AMICI, and how far ours may lie from it: tests/benchmark_models/
#: benchmark_models.yaml of github.com/AMICI-dev/AMICI at commit 3aebbe84d. Crauste magnifies errors of the solver: ours
#: is -190.963977576 at every tolerance from 1e-10 to 1e-13, CVODE's -190.9657 at 1e-8 and -190.963977575 at 1e-13
AMICI = {
    "Boehm_JProteomeRes2014": (-138.22199693517703, 1e-5),
    "Brannmark_JBC2010": (-141.889113770537, 2e-4),
    "Crauste_CellSystems2017": (-190.96521897435176, 2e-3),
    "Schwen_PONE2014": (-943.9992988598723, 1e-5),
}


def path_of(name: str) -> Path:
    """Yaml file of a problem."""
    return PETAB / f"{name}.yaml" if "/" in name else PETAB / name / f"{name}.yaml"


def moved(made: PetabPopulation, spread: float, seed: int) -> dict[str, float]:
    """Linear values drawn around the nominal ones on the parameters' scales, inside of 2 to 98 % of their bounds."""
    rng, values = np.random.default_rng(seed), {}
    for p in made.estimated:
        e = made.entries[p]
        low, high = e.scaled(e.lower), e.scaled(e.upper)
        drawn = np.clip(
            e.scaled(e.value) + rng.normal(0, spread), low + 0.02 * (high - low), high - 0.02 * (high - low)
        )
        values[p] = float(SCALES[e.scale][1](drawn))
    return values


def test_every_problem_of_the_data_is_named_here() -> None:
    found = {p.stem for p in PETAB.rglob("*.yaml")}
    assert found == {name.split("/")[-1] for name in (*HELD, *REFUSED)}


@pytest.mark.parametrize("name", HELD)
def test_log_likelihood_at_the_nominal_values(name: str) -> None:
    made = import_petab(path_of(name), **HELD[name])  # type: ignore[arg-type]
    ours, _ = made.log_likelihood(derivatives=False)
    # CVODE from rest to events and measurements, as a PEtab problem says it
    theirs = log_likelihood_of_table(made.problem, simulate_problem(made.problem, rtol=1e-12))
    published, allowed = AMICI.get(name, (theirs, 1e-4))
    print(f"{made.problem.name}: {ours:.6f}, as PEtab {theirs:.6f}, published {AMICI.get(name, ('-',))[0]}")
    assert ours == pytest.approx(theirs, abs=1e-4)
    assert ours == pytest.approx(published, abs=allowed)


@pytest.mark.parametrize("name", [n for n in HELD if "/" not in n])
def test_log_likelihood_of_the_published_simulations(name: str) -> None:
    """The collection's simulatedData, with the noise of our own simulation (it depends on it in Raia and Liu)."""
    made = import_petab(path_of(name), **HELD[name])  # type: ignore[arg-type]
    ours, _ = made.log_likelihood(derivatives=False)
    table = simulate_problem(made.problem, rtol=1e-12)
    theirs = pd.read_csv(next((PETAB / name).glob("simulatedData*.tsv")), sep="\t")
    theirs = theirs.rename(columns={"simulationCondition": "simulationConditionId"})
    mine, order = in_order(table), in_order(theirs)
    assert np.allclose(table["time"].astype(float)[mine], theirs["time"].astype(float)[order])
    simulation = pd.Series(theirs["simulation"][order].to_numpy(), index=mine).loc[table.index]
    published = log_likelihood_of_table(made.problem, table.assign(simulation=simulation))
    print(f"{name}: {ours:.6f}, from the published simulations {published:.6f}")
    assert ours == pytest.approx(published, abs=1e-3)


def in_order(table: pd.DataFrame) -> pd.Index:
    """Rows by observable, condition and time."""
    keys = pd.DataFrame(
        {
            "observable": table["observableId"].str.removeprefix("observable_"),
            "condition": table["simulationConditionId"],
            "time": table["time"].astype(float),
        }
    )
    return keys.sort_values(["observable", "condition", "time"], kind="stable").index


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_held_is_refused_by_name(name: str) -> None:
    with pytest.raises(PopulationModelError, match=REFUSED[name]):
        import_petab(load_problem(path_of(name)))


@pytest.mark.parametrize("name", [n for n in HELD if n != "Raimundez_PCB2020"])  # its 136 take a minute
def test_derivatives_against_central_differences(name: str) -> None:
    made = import_petab(path_of(name), **HELD[name])  # type: ignore[arg-type]
    values, step = moved(made, 0.05, 1), 1e-5
    if name.startswith("Crauste"):  # 1e-5 of a decade off the nominal values its populations explode (CVODE fails, too)
        values = made.values()
        values["rho_P"] *= 0.95  # away from there
    value, gradient = made.log_likelihood(values)
    assert np.isfinite(value)
    size, worst = max(map(abs, gradient.values())), (0.0, "")
    for p in made.estimated:
        e = made.entries[p]
        there = [float(SCALES[e.scale][1](e.scaled(values[p]) + s * step)) for s in (1, -1)]
        up, down = (made.log_likelihood({**values, p: v}, derivatives=False)[0] for v in there)
        difference = (up - down) / (2 * step)
        worst = max(worst, (abs(difference - gradient[p]) / max(1.0, abs(difference), 1e-3 * size), p))
    print(f"{made.problem.name}: {len(gradient)} derivatives, largest {size:.3g}, worst {worst[0]:.1e} ({worst[1]})")
    assert worst[0] < 1e-3


@pytest.mark.parametrize("seed", [5, 6, 10])
def test_boehm_is_estimated_to_its_published_optimum(seed: int) -> None:
    """Of ten starts drawn like this (seeds 1 to 10) six come to the optimum; these three are the quickest. The others
    end in poorer optima (-147.1, -149.6, -213.4) or not at all: the problem has many, and needs many starts."""
    made = import_petab(path_of("Boehm_JProteomeRes2014"))
    start = moved(made, 0.5, seed)
    found = maximise(made.with_values(start), made.subjects, covariance="", rtol=1e-8)
    first = made.log_likelihood(start, derivatives=False)[0]
    value = found.objective.log_likelihood
    print(f"Boehm from {first:.2f} to {value:.6f} in {found.iterations} iterations")
    assert found.converged
    assert first < -170 and value == pytest.approx(-138.221997, abs=1e-3)
    nominal, estimated = made.values(), made.values(found.model)
    told = ["Epo_degradation_BaF3", "k_exp_homo", "k_imp_hetero", "k_phos", *made.residuals]
    assert [estimated[p] for p in told] == pytest.approx([nominal[p] for p in told], rel=5e-3)


def test_the_sampler_takes_what_was_imported() -> None:
    made = import_petab(path_of("Perelson_Science1996"))
    fit = build(made.model, made.subjects)
    assert len(fit.free) == len(made.estimated) and fit.n_random == 0
    assert np.isfinite(fit.model.compile_logp()(fit.model.initial_point()))
