"""NPDE, prediction-corrected VPC and shrinkage: outputs of npde, tidyvpc and pharmpy on their own examples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from pharmtwin.inference.criticism.bins import bins_by_nominal
from pharmtwin.inference.criticism.npde import npde, npde_moments, npde_tests
from pharmtwin.inference.criticism.priors import eta_shrinkage
from pharmtwin.inference.criticism.vpc import prediction_corrected, vpc_data, vpc_table

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "bayes"
pytestmark = pytest.mark.reference


def folder(name: str) -> Path:
    """A folder of reference data; the test is skipped where it is absent."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"reference data {name} not beside the checkout")
    return path


def tidyvpc_example() -> tuple[pd.DataFrame, NDArray[np.float64], NDArray[np.float64]]:
    """Observations, simulations (100, n) and predictions (n,) of the example of tidyvpc, dose records left out."""
    path = folder("tidyvpc")
    observed, simulated = pd.read_csv(path / "obs_data.csv"), pd.read_csv(path / "sim_data.csv.gz")
    observed, simulated = observed[observed["MDV"] == 0], simulated[simulated["MDV"] == 0]
    pred = simulated[simulated["REP"] == 1]["PRED"].to_numpy()
    return observed, simulated["DV"].to_numpy().reshape(100, -1), pred


def test_theophylline_example_of_npde() -> None:
    path = folder("npde_theopp")
    observed = pd.read_csv(path / "theopp.tab", sep=" ")
    expected = pd.read_csv(path / "expected_npde.tab", sep=" ")
    measured = observed["Conc"].notna().to_numpy()
    simulated = pd.read_csv(path / "simtheopp.tab.gz", sep=r"\s+")["ysim"].to_numpy().reshape(100, -1)
    observed, expected = observed[measured], expected[measured]
    table = npde(observed["Conc"], simulated[:, measured], list(observed["ID"]), min_replicates=100)
    for ours, theirs in (("pred", "ypred"), ("pd", "pd"), ("npde", "npde")):
        assert table[ours].to_numpy() == pytest.approx(expected[theirs].to_numpy(), rel=1e-9, abs=1e-9)
    assert npde_moments(table["npde"])["mean"] == pytest.approx(0.0668, abs=5e-5)
    assert npde_tests(table["npde"])["p_adjusted"].iloc[3] == pytest.approx(0.00819, abs=5e-6)


def test_npde_of_tidyvpc() -> None:
    observed, simulated, _ = tidyvpc_example()
    expected = pd.read_csv(folder("tidyvpc") / "npdeobs.csv")
    table = npde(observed["DV"], simulated, list(observed["ID"]), min_replicates=100)
    for ours, theirs in (("pred", "epred"), ("npd", "npd"), ("npde", "npde")):
        assert table[ours].to_numpy() == pytest.approx(expected[theirs].to_numpy(), rel=1e-9, abs=1e-9)


def test_prediction_corrected_vpc_of_tidyvpc_by_sex() -> None:
    observed, simulated, pred = tidyvpc_example()
    expected = pd.read_csv(folder("tidyvpc") / "predcor_strat_stats.csv")
    bins = bins_by_nominal(observed["NTIME"])
    data = vpc_data(observed["DV"], simulated, observed["TIME"], bins, list(observed["GENDER"]))
    table = vpc_table(prediction_corrected(data, pred), min_replicates=100)
    table = table.sort_values(["stratum", "bin", "percentile"], ignore_index=True)
    assert len(table) == len(expected) == 66 and list(table["stratum"]) == list(expected["GENDER"])
    for ours, theirs in (("observed", "y"), ("low", "lo"), ("median", "md"), ("high", "hi")):
        assert table[ours].to_numpy() == pytest.approx(expected[theirs].to_numpy(), rel=1e-9)


def test_shrinkage_of_phenobarbital_is_that_of_pharmpy() -> None:
    # documentation of pharmpy, calculate_eta_shrinkage, model pheno: variance and SD form
    eta = pd.read_csv(folder("pharmpy_nonmem") / "pheno_real.phi.csv")[["ETA1", "ETA2"]]
    table = eta_shrinkage(eta, np.sqrt([0.0293508, 0.027906]))
    assert table["shrinkage_variance"].to_numpy() == pytest.approx([0.720481, 0.240295], abs=1e-6)
    assert table["shrinkage_sd"].to_numpy() == pytest.approx([0.471305, 0.128389], abs=1e-6)
