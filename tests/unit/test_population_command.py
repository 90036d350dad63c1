"""``pharmtwin population``: what it prints, writes and refuses, and its posterior as the prior of a twin."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml

from pharmtwin.cli import main

#: y_ij ~ Normal(mu + eta_i, a): quick to solve
RAW: dict[str, Any] = {
    "schema": 1,
    "name": "normal_means",
    "source": "made up for tests",
    "fixed": {"mu": {"value": 2.0, "prior": {"normal": [2.0, 2.0]}}},
    "random": {"eta": {"variance": 0.64, "fixed": True}},
    "residual": {"a": {"value": 0.5, "prior": {"halfnormal": 1.0}}},
    "states": {"x": "-x"},
    "observe": {"level": "mu + eta"},
    "outputs": {"seen": {"of": "level", "error": {"additive": ["a"]}, "unit": "mg/L"}},
}
Run = Callable[..., tuple[int, str, str]]


def people() -> pd.DataFrame:
    """Ten subjects with five samples each."""
    rng = np.random.default_rng(11)
    level = 2.5 + 0.8 * rng.standard_normal(10)
    rows = [(f"s{i}", float(t), 0, round(float(c + 0.4 * rng.standard_normal()), 3)) for i, c in enumerate(level)
            for t in range(5)]  # fmt: skip
    return pd.DataFrame(rows, columns=["ID", "TIME", "EVID", "DV"])


def marginal(y: np.ndarray, mu: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Log-likelihood of a subject's samples, its effect integrated out: y ~ Normal(mu, a^2 I + 0.64 11')."""
    n, d, a2 = len(y), [v - mu for v in y], a**2
    q = sum(v**2 for v in d) / a2 - 0.64 * sum(d) ** 2 / (a2 * (a2 + n * 0.64))
    return np.asarray(-0.5 * (q + (n - 1) * np.log(a2) + np.log(a2 + n * 0.64) + n * np.log(2 * np.pi)))


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Writes model and data, runs the command, and gives exit code, output and errors."""

    def call(*more: str, data: pd.DataFrame | None = None, **changed: Any) -> tuple[int, str, str]:
        (tmp_path / "model.yaml").write_text(yaml.safe_dump(RAW | changed), encoding="utf-8")
        (people() if data is None else data).to_csv(tmp_path / "data.csv", index=False)
        files = [str(tmp_path / n) for n in ("model.yaml", "data.csv")]
        code = main(["population", *files, "--cores", "1", "--out", str(tmp_path / "out"), *more])
        seen = capsys.readouterr()
        return code, seen.out, seen.err

    return call


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """A fit that passes its checks: folder and exit code."""
    folder = tmp_path_factory.mktemp("good")
    (folder / "model.yaml").write_text(yaml.safe_dump(RAW), encoding="utf-8")
    people().to_csv(folder / "data.csv", index=False)
    code = main(["population", str(folder / "model.yaml"), str(folder / "data.csv"), "--cores", "1",
                 "--draws", "600", "--out", str(folder / "out")])  # fmt: skip
    yield folder, code


def test_a_good_fit_is_written_whole(good: tuple[Path, int]) -> None:
    folder, code = good
    out = folder / "out"
    text = (out / "population.txt").read_text(encoding="utf-8")
    assert code == 0 and "VERDICT: good" in text and "made up for tests" in text
    names = {"population.txt", "posterior.nc", "findings.tsv"}
    names |= {f"{n}.tsv" for n in ("parameters", "checks", "draws", "vpc", "npde", "npde_tests", "loo_observations",
                                   "loo_subjects")}  # fmt: skip
    assert {p.name for p in out.iterdir()} == names
    table = pd.read_csv(out / "parameters.tsv", sep="\t", index_col="parameter")
    assert list(table.index[:2]) == ["mu", "a"] and len(table) == 12
    mu, a = np.meshgrid(np.linspace(0.5, 4.5, 400), np.linspace(0.15, 0.8, 400))
    log_p = sum(marginal(own["DV"].to_numpy(float), mu, a) for _, own in people().groupby("ID"))
    p = np.exp(log_p - log_p.max() - 0.5 * ((mu - 2.0) / 2.0) ** 2 - 0.5 * a**2)  # priors of the model
    for name, x in (("mu", mu), ("a", a)):
        row, mean = table.loc[name], np.average(x, weights=p)
        assert row["mean"] == pytest.approx(mean, abs=4 * row["mcse_mean"])
        assert row["sd"] == pytest.approx(np.sqrt(np.average((x - mean) ** 2, weights=p)), rel=0.1)
    draws = pd.read_csv(out / "draws.tsv", sep="\t")
    assert len(draws) == 2400 and draws["mu"].mean() == pytest.approx(table["mean"]["mu"])
    assert pd.read_csv(out / "checks.tsv", sep="\t")["passed"].all()
    said = xr.open_dataset(out / "posterior.nc", group="posterior", engine="h5netcdf").attrs
    assert (said["verdict"], said["method"], said["model"]) == ("good", "NUTS", "normal_means")


def test_loo_by_subject_is_that_of_the_exact_marginal_likelihood(good: tuple[Path, int]) -> None:
    out = good[0] / "out"
    draws = pd.read_csv(out / "draws.tsv", sep="\t")
    loo = pd.read_csv(out / "loo_subjects.tsv", sep="\t", index_col="subject")
    assert loo["trusted"].all()
    for name, own in people().groupby("ID"):
        ll = marginal(own["DV"].to_numpy(float), draws["mu"].to_numpy(), draws["a"].to_numpy())
        exact = -np.log(np.mean(np.exp(-ll)))  # importance sampling without smoothing
        assert loo.elpd[name] == pytest.approx(exact, abs=0.15)


@pytest.mark.parametrize("file", ["posterior.nc", "draws.tsv"])
def test_the_posterior_is_the_prior_of_a_twin(good: tuple[Path, int], file: str, capsys: Any) -> None:
    folder, _ = good
    pd.DataFrame([("new", 0.0, 0, 4.0)], columns=["ID", "TIME", "EVID", "DV"]).to_csv(folder / "new.csv", index=False)
    words = ["twin", str(folder / "model.yaml"), str(folder / "new.csv"), "--id", "new", "--out", str(folder / "t")]
    assert main([*words, "--population", str(folder / "out" / file)]) == 0
    seen = capsys.readouterr().out
    assert "400 draws" in seen and "mixed" in seen
    assert ("does not say whether the fit was good" in seen) == (file == "draws.tsv")
    # given (mu, a) level ~ Normal(mu, 0.64) before, and y ~ Normal(level, a): mixed over the draws by their evidence
    d = pd.read_csv(folder / "out" / "draws.tsv", sep="\t")
    v = 0.64 + d["a"] ** 2
    w = np.exp(-0.5 * (4.0 - d["mu"]) ** 2 / v) / np.sqrt(v)
    own = d["mu"] + 0.64 / v * (4.0 - d["mu"])
    mean = np.average(own, weights=w)
    sd = np.sqrt(np.average(0.64 * d["a"] ** 2 / v + (own - mean) ** 2, weights=w))
    learned = pd.read_csv(folder / "t" / "learned.tsv", sep="\t", index_col="effect")
    found = pd.read_csv(folder / "t" / "draws.tsv", sep="\t")
    level = d["mu"].mean() + found["pop_mu"] + found["eta"]
    assert set(learned.index) == {"eta", "pop_mu"}
    assert level.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(400))
    assert level.std() == pytest.approx(sd, rel=0.15)


def test_a_prior_of_another_model_or_a_bad_fit_is_refused(good: tuple[Path, int], tmp_path: Path, capsys: Any) -> None:
    folder, _ = good
    pd.DataFrame([("new", 0.0, 0, 4.0)], columns=["ID", "TIME", "EVID", "DV"]).to_csv(tmp_path / "new.csv", index=False)
    other = RAW | {"fixed": {"level0": RAW["fixed"]["mu"]}, "observe": {"level": "level0 + eta"}}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(other), encoding="utf-8")
    words = [str(tmp_path / "new.csv"), "--id", "new", "--population"]
    assert main(["twin", str(tmp_path / "other.yaml"), *words, str(folder / "out" / "posterior.nc")]) == 1
    seen = capsys.readouterr().err
    for rule in ("population.missing", "population.unknown", "population.equations"):
        assert rule in seen
    with xr.open_dataset(folder / "out" / "posterior.nc", group="posterior", engine="h5netcdf") as data:
        data.load().assign_attrs(verdict="failed: max_rhat").to_netcdf(
            tmp_path / "bad.nc", group="posterior", engine="h5netcdf"
        )
    assert main(["twin", str(folder / "model.yaml"), *words, str(tmp_path / "bad.nc")]) == 1
    assert "its fit is not good: failed: max_rhat" in capsys.readouterr().err
    assert main(["twin", str(folder / "model.yaml"), *words, str(tmp_path / "none.nc")]) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_a_fast_method_says_that_it_was_not_compared(run: Run, tmp_path: Path) -> None:
    known = {"a": {"value": 0.4, "fixed": True}}  # the posterior is normal
    code, out, err = run("--fast", "laplace", "--criticism", "0", residual=known)
    assert code == 3 and "VERDICT: not compared with NUTS" in out and "ms a gradient" not in err
    code, out, err = run("--fast", "laplace", "--compare", "--draws", "600", "--criticism", "0", residual=known)
    assert code == 0 and "VERDICT: good" in out and "beside NUTS" in out and "ms a gradient" in err
    table = pd.read_csv(tmp_path / "out" / "comparison.tsv", sep="\t")
    assert list(table["parameter"]) == ["mu"] and table["agrees"].all()
    assert (tmp_path / "out" / "posterior_nuts.nc").is_file()


def test_a_cap_is_obeyed_and_what_it_leaves_is_not_good(run: Run, tmp_path: Path) -> None:
    started = time.monotonic()
    code, _, err = run("--cap", "0.01")
    assert code == 1 and "came before the fit could begin" in err and not (tmp_path / "out").exists()
    assert time.monotonic() - started < 20
    code, out, err = run("--cap", "45", "--chains", "2", "--draws", "50000000", "--criticism", "0")
    assert time.monotonic() - started < 120
    if code == 1:  # a slow machine: 45 s were over before it could sample
        assert "the cap" in err
        return
    assert code == 3 and "VERDICT: sampling was stopped at its cap" in out and "has not passed its checks" in out
    assert "failed: chains" in out  # two are never enough
    told = [line for line in err.splitlines() if "ms a gradient" in line]
    assert len(told) == 2 and "cap 45 s" in told[0]  # before anything is searched or sampled
    said = xr.open_dataset(tmp_path / "out" / "posterior.nc", group="posterior", engine="h5netcdf").attrs
    assert said["verdict"].startswith("sampling was stopped")


def test_every_fault_of_both_files_is_said(run: Run, tmp_path: Path) -> None:
    data = people().astype({"DV": object})
    data.loc[3, "DV"], data.loc[7, "TIME"] = "high", -1
    code, _, err = run(data=data, fixed={"mu": 2.0}, random={"eta": 0.64})
    assert code == 1 and not (tmp_path / "out").exists()
    for word in ("data.csv:5 DV [high]", "data.csv:9 TIME"):
        assert word in err
    code, _, err = run(fixed={"mu": 2.0}, residual={"a": 0.5})
    assert code == 1 and "'mu' is estimated and has no prior" in err and "'a' is estimated and has no prior" in err
    code, _, err = run("--blq", "M1", outputs={"seen": RAW["outputs"]["seen"] | {"of": "nothing"}})
    assert code == 1 and "population.model" in err
