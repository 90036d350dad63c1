"""``pharmtwin map``: modes with a known answer, a folder beside NONMEM and its index, model files on a base.

Two subjects get 10 mg that stay; y = x + eta + error, so mode and objective are those of two normal distributions.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from pharmtwin.cli import main
from pharmtwin.inference.models.description import PopulationModelError
from pharmtwin.inference.models.occasions import expand
from pharmtwin.inference.models.read import population_model, read_population_model
from pharmtwin.inference.nonmem import stated
from pharmtwin.inference.nonmem.compare import difference, eta_columns
from pharmtwin.inference.problem.case import columns_of

OMEGA, SIGMA, DOSE = 4.0, 0.5, 10.0
MODEL = {
    "schema": 1, "name": "stays", "fixed": {"TVE": 0.0}, "random": {"eta_E": OMEGA}, "residual": {"a": SIGMA},
    "parameters": {"E": "TVE + eta_E"}, "states": {"x": "0 * x"}, "observe": {"C": "x + E"},
    "outputs": {"level": {"of": "C", "error": {"additive": ["a"]}}},
}  # fmt: skip
SEEN = {1: [12.0, 11.0], 2: [7.5]}
EXPECTED_ETA = {i: OMEGA * sum(v - DOSE for v in y) / (len(y) * OMEGA + SIGMA**2) for i, y in SEEN.items()}


def objective(i: int, eta: float) -> float:
    """-2 log of the joint density without constants, of a subject at an effect."""
    left = sum(np.log(SIGMA**2) + (v - DOSE - eta) ** 2 / SIGMA**2 for v in SEEN[i])
    return float(left + eta**2 / OMEGA)


def data() -> pd.DataFrame:
    """Rows with what NONMEM would have put out."""
    rows = []
    for i, values in SEEN.items():
        rows.append({"ID": i, "TIME": 0.0, "EVID": 1, "AMT": DOSE, "CMT": 1, "MDV": 1, "DV": np.nan})
        rows += [
            {"ID": i, "TIME": k + 1.0, "EVID": 0, "AMT": 0, "CMT": 1, "MDV": 0, "DV": v, "NM_PRED": DOSE,
             "NM_IPRED": DOSE + EXPECTED_ETA[i]}
            for k, v in enumerate(values)
        ]  # fmt: skip
    return pd.DataFrame(rows)


def expected(shift: float = 0.0) -> pd.DataFrame:
    """NONMEM's answer; ``shift`` moves the first subject's eta away from the mode, and its objective with it."""
    etas = {i: EXPECTED_ETA[i] + (shift if i == 1 else 0.0) for i in SEEN}
    return pd.DataFrame([{"ID": i, "ETA1": e, "OFV_MAP": objective(i, e)} for i, e in etas.items()])


def folder(tmp_path: Path, entry: dict[str, object], answer: pd.DataFrame) -> tuple[Path, Path]:
    """A folder of one model beside NONMEM, and one of model files."""
    here, models = tmp_path / "data", tmp_path / "models"
    here.mkdir()
    models.mkdir()
    (models / "run001.yaml").write_text(yaml.safe_dump(MODEL), encoding="utf-8")
    (here / "index.json").write_text(json.dumps({"models": {"001": entry}}), encoding="utf-8")
    data().to_csv(here / "run001.data.csv", index=False)
    answer.to_csv(here / "run001.expected.csv", index=False)
    return here, models


def test_modes_of_a_users_model_and_data(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(MODEL), encoding="utf-8")
    data().to_csv(tmp_path / "data.csv", index=False)
    out = tmp_path / "out"
    assert main(["map", str(tmp_path / "model.yaml"), str(tmp_path / "data.csv"), "--out", str(out)]) == 0
    etas = pd.read_csv(out / "etas.tsv", sep="\t")
    assert etas["eta_E"].to_numpy() == pytest.approx([EXPECTED_ETA[1], EXPECTED_ETA[2]], abs=1e-7)
    assert etas["objective"].to_numpy() == pytest.approx([objective(i, EXPECTED_ETA[i]) for i in SEEN], abs=1e-7)
    parameters = pd.read_csv(out / "parameters.tsv", sep="\t")
    assert parameters["E"].to_numpy() == pytest.approx(etas["eta_E"].to_numpy(), abs=1e-12)
    predictions = pd.read_csv(out / "predictions.tsv", sep="\t")
    assert predictions["row"].tolist() == [3, 4, 6]
    assert predictions["pred"].to_numpy() == pytest.approx([DOSE] * 3)
    assert predictions["ipred"].to_numpy() == pytest.approx([DOSE + EXPECTED_ETA[i] for i in (1, 1, 2)], abs=1e-6)
    shrunk = pd.read_csv(out / "shrinkage.tsv", sep="\t").set_index("of")
    sd = np.std(list(EXPECTED_ETA.values()), ddof=1)
    assert shrunk.loc["eta_E", "shrinkage_sd"] == pytest.approx(1 - sd / np.sqrt(OMEGA), abs=1e-6)


def test_a_folder_that_agrees_with_nonmem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entry = {"n_eta": 1, "typical": {"E": 0.0}, "omega_var": {"E": OMEGA}, "error": {"add_var": SIGMA**2}}
    here, models = folder(tmp_path, entry, expected())
    out = tmp_path / "out"
    assert main(["map", "--data", str(here), "--models", str(models), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "models covered: 1 of 1 (met" in said and "NOT met" not in said
    table = pd.read_csv(out / "models.tsv", sep="\t").iloc[0]
    assert (table["subjects"], table["etas"], table["observations"]) == (2, 2, 3)
    assert table["within_1e-4"] == 1.0 and table["max_objective"] < 1e-6 and table["max_pred"] < 1e-6


def test_an_optimum_lower_than_nonmems_is_listed_with_both_objectives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, models = folder(tmp_path, {}, expected(shift=0.3))
    assert main(["map", "--data", str(here), "--models", str(models), "--out", str(tmp_path / "out")]) == 0
    listed = pd.read_csv(tmp_path / "out" / "lower_than_nonmem.tsv", sep="\t")
    assert listed["subject"].tolist() == [1] and listed["apart"].tolist() == [True]
    assert listed["nonmem_objective"].iloc[0] == pytest.approx(objective(1, EXPECTED_ETA[1] + 0.3))
    assert listed["best_objective"].iloc[0] == pytest.approx(objective(1, EXPECTED_ETA[1]), abs=1e-6)
    said = capsys.readouterr().out
    assert "etas within 0.0001: 50.00% of 2 (NOT met" in said  # shares are of all subjects, those apart included
    assert "same optimum (1 of 2 subjects)" in said


def test_an_objective_higher_than_nonmems_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = expected()
    answer.loc[1, "OFV_MAP"] -= 0.5
    here, models = folder(tmp_path, {}, answer)
    assert main(["map", "--data", str(here), "--models", str(models)]) == 1
    assert "001: WORSE: subject 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"typical": {"E": 1.0}}, "typical E: the index states 1.0, the model file 0.0"),
        ({"omega_var": {"E": 3.0}}, "variance of E: the index states 3.0"),
        ({"error": {"add_var": 0.3}}, "error add_var: the index states 0.3"),
        ({"error": {"prop_var": 0.05}}, "error prop_var: the index states 0.05, the model file 0.0"),
        ({"n_eta": 2}, "n_eta: the index states 2"),
        ({"typical": [1.0]}, "the entry has another form"),
    ],
)
def test_a_disagreement_with_the_index_is_named(
    entry: dict[str, object], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, models = folder(tmp_path, entry, expected())
    assert main(["map", "--data", str(here), "--models", str(models)]) == 1
    assert f"001: DISAGREES with the index: {words}" in capsys.readouterr().out


def test_what_the_index_states_in_an_unknown_way_is_said_to_be_unchecked() -> None:
    model, _ = population_model(MODEL)
    wrong, unchecked = stated.check({"typical": {"KA": 1}, "error": {"gamma": 2}}, model, columns_of({}, "x"))
    assert not wrong and unchecked == ["typical KA", "error gamma"]


def test_covariances_of_the_index_by_triangle_and_by_block() -> None:
    raw = MODEL | {
        "random": {"eta_E": 4.0, "eta_G": 1.0, "iov_E": {"variance": 0.1, "level": "occasion"}},
        "covariance": [["eta_E", "eta_G", 0.5]], "parameters": {"E": "TVE + eta_E + eta_G + iov_E"},
    }  # fmt: skip
    model, _ = population_model(raw)
    columns = columns_of({"occasion": "OCC", "occasions": ["1", "2"]}, "x")
    entry = {"omega_lower_triangle_E_G": [4.0, 0.5, 1.0], "omega_blocks": {"E_G": [4.0, 0.5, 1.0], "IOV": [0.1, 0.1]},
             "n_eta": 4}  # fmt: skip
    assert stated.check(entry, model, columns) == ([], [])
    wrong, _ = stated.check({"omega_blocks": {"E_G": [4.0, 0.4, 1.0], "IOV": [0.1, 0.2]}}, model, columns)
    assert len(wrong) == 2


def test_what_is_not_covered_is_named_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here, models = folder(tmp_path, {}, expected())
    (models / "run001.yaml").unlink()
    assert main(["map", "--data", str(here), "--models", str(models)]) == 1
    assert "001: NOT COVERED: there is no model file run001.yaml" in capsys.readouterr().out
    assert main(["map", "--data", str(here), "--models", str(models), "--model", "777"]) == 1
    assert "has no models 777" in capsys.readouterr().err
    assert main(["map", "--data", str(tmp_path)]) == 1
    assert "index.json is missing" in capsys.readouterr().err
    assert main(["map", "one.yaml"]) == 1


def test_differences_of_predictions() -> None:
    ours, theirs = np.array([1.1, 0.0, 1.0, np.nan, 2.0, -3.0]), np.array([1.0, 0.0, 0.0, 1.0, np.nan, -3.1])
    found = difference(ours, theirs, np.array([False, False, False, False, False, True]))
    assert found == pytest.approx([0.1, 0.0, np.inf, np.inf, np.nan, 0.1], nan_ok=True)


def test_etas_in_nonmems_order_with_occasions() -> None:
    raw = MODEL | {"random": {"iov_E": {"variance": 0.1, "level": "occasion"}, "eta_E": 4.0},
                   "parameters": {"E": "TVE + eta_E + iov_E"}}  # fmt: skip
    model, _ = population_model(raw)
    expanded = expand(model, 2)  # effects of the subject first, then by occasion
    found = eta_columns(model, expanded, np.array([[1.0, 2.0, 3.0]]), 3)
    assert found.tolist() == [[2.0, 3.0, 0.0, 1.0]]  # nobody has the third occasion


def test_a_model_file_on_a_base(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(MODEL), encoding="utf-8")
    own = {"schema": 1, "name": "moves", "base": "a.yaml", "fixed": {"TVE": None, "SLOPE": 2.0},
           "random": {"eta_S": 1.0}, "parameters": {"E": "SLOPE + eta_S"}}  # fmt: skip
    (tmp_path / "b.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
    model, _ = read_population_model(tmp_path / "b.yaml")
    assert [f.name for f in model.fixed] == ["SLOPE"] and [r.name for r in model.random] == ["eta_S"]
    assert model.name == "moves" and [r.name for r in model.residuals] == ["a"]
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(MODEL | {"base": "b.yaml"}), encoding="utf-8")
    with pytest.raises(PopulationModelError, match="builds on it"):
        read_population_model(tmp_path / "b.yaml")
    (tmp_path / "c.yaml").write_text(yaml.safe_dump({"base": "none.yaml"}), encoding="utf-8")
    with pytest.raises(PopulationModelError, match="does not exist"):
        read_population_model(tmp_path / "c.yaml")


def test_every_model_of_the_study_reads() -> None:
    from pharmtwin.inference.nonmem.study import MODELS

    files = sorted(MODELS.glob("run*.yaml"))
    assert len(files) == 42
    for path in files:
        model, section = read_population_model(path)
        columns = columns_of(section, str(path))
        assert set(columns.states.values()) <= set(model.structure.state_names), path.name
        assert model.name == f"mapbayr_{path.stem.removeprefix('run')}" and "psp4.12689" in model.source
