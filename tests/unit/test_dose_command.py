"""The commands ``twin`` and ``dose``: what they print and write, and what they say of bad input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from tests.unit.dose_fixture import V, occasions, raw, rows

from pharmtwin.cli import main

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "examples" / "dose"
SEVEN = 7.0  # this person's clearance
LICENCE = {"schema": 1, "route": "iv", "strengths": [100], "intervals": [24], "units": 60}
GOAL = {"schema": 1, "metric": "AUC24", "low": 400, "toxic_metric": "AUC24", "toxic": 800, "horizon": 240}
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Writes the inputs, changed as asked, runs a command, and gives exit code, output and errors."""

    def call(action: str, *more: str, data: pd.DataFrame | None = None, **changed: Any) -> tuple[int, str, str]:
        for name, page in (("model", raw()), ("licence", LICENCE), ("goal", GOAL)):
            sections = {k: v for k, v in (page | changed.get(name, {})).items() if v is not None}
            (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(sections), encoding="utf-8")
        (patient() if data is None else data).to_csv(tmp_path / "data.csv", index=False)
        files = [str(tmp_path / n) for n in ("model.yaml", "data.csv")]
        own = (
            ["--licence", str(tmp_path / "licence.yaml"), "--goal", str(tmp_path / "goal.yaml")]
            if action == "dose"
            else []
        )
        code = main([action, *files, "--id", "7", *own, "--out", str(tmp_path / "out"), *more])
        seen = capsys.readouterr()
        return code, seen.out, seen.err

    return call


def patient(*extra: dict[str, Any]) -> pd.DataFrame:
    """Person 7 between two others: a dose of 1000 mg, then samples that lie on the curve of clearance 7 L/h."""
    curve = [{"TIME": t, "EVID": 0, "DV": round(20 * np.exp(-SEVEN / V * t), 4)} for t in (1, 4, 8, 12, 16, 20)]
    mine = [{"ID": 7} | r for r in [{"TIME": 0, "EVID": 1, "AMT": 1000}, *curve, *extra]]
    return rows({"ID": 3, "TIME": 0, "EVID": 0, "DV": "broken"}, *mine, {"ID": 8, "TIME": 0, "EVID": 0, "DV": 2})


def test_a_twin_is_printed_and_written(run: Run, tmp_path: Path) -> None:
    code, out, err = run("twin")
    assert (code, err) == (0, "")
    parameters = pd.read_csv(tmp_path / "out" / "parameters.tsv", sep="\t", index_col="parameter")
    assert parameters.q05["CL"] < SEVEN < parameters.q95["CL"]
    assert parameters.q50["CL"] == pytest.approx(SEVEN, rel=0.05)
    for word in (
        "made up for tests",
        "6 sample(s)",
        "Pareto k",
        "variance_left",
        "usable for forecasts and doses: yes",
    ):
        assert word in out
    assert len(pd.read_csv(tmp_path / "out" / "draws.tsv", sep="\t")) == 400
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names == {"twin.txt", "learned.tsv", "parameters.tsv", "hypotheses.tsv", "draws.tsv", "findings.tsv"}


def test_a_dose_is_proposed_with_what_it_rests_on(run: Run, tmp_path: Path) -> None:
    code, out, err = run("dose")
    assert (code, err) == (0, "")
    table = pd.read_csv(tmp_path / "out" / "regimens.tsv", sep="\t")
    good = table[(table.p_reach >= 0.9) & (table.p_harm <= 0.1)]
    assert 400 * SEVEN < good.amount_mg.iloc[0] < 1.2 * 400 * SEVEN
    assert f"PROPOSAL\n  {good.regimen.iloc[0]}" in out and "NO PROPOSAL" not in out
    for word in ("Decision support", "made up for tests", "6 sample(s)", "Pareto k", "400 draws", "findings: none",
                 "from 20 h on, with WT 70", "NEXT SAMPLE"):  # fmt: skip
        assert word in out
    assert (tmp_path / "out" / "dose.txt").read_text(encoding="utf-8") in out.replace("time:", "written to\ntime:")


def test_the_same_seed_gives_the_same_bytes(run: Run, tmp_path: Path) -> None:
    made = []
    for seed in ("1", "1", "2"):
        run("dose", "--seed", seed)
        made.append([p.read_bytes() for p in sorted((tmp_path / "out").iterdir())])
    assert made[0] == made[1] != made[2]


def test_covariates_from_now_on(run: Run, tmp_path: Path) -> None:
    amounts = []
    for more in ((), ("--set", "WT=140")):
        run("dose", *more)
        amounts.append(pd.read_csv(tmp_path / "out" / "regimens.tsv", sep="\t").q50.iloc[0])
    assert amounts[0] == pytest.approx(2 * amounts[1], rel=0.01)


def test_hypotheses_are_learned(run: Run, tmp_path: Path) -> None:
    page = {"schema": 1, "components": [{"name": "normal", "weight": 0.5, "values": {"ACT": 1.0}},
                                        {"name": "rapid", "weight": 0.5, "values": {"ACT": 4.0}}]}  # fmt: skip
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(page), encoding="utf-8")
    code, out, _ = run("twin", "--components", str(tmp_path / "c.yaml"))
    found = pd.read_csv(tmp_path / "out" / "hypotheses.tsv", sep="\t", index_col="component")
    assert code == 0 and "hypotheses" in out
    # given each, eta has to be log(7/5) or log(7/20) of sd .3: odds exp((4.20^2 - 1.12^2) / 2)
    assert found.posterior["normal"] > 0.99


def test_a_first_dose_rests_on_the_population(run: Run) -> None:
    data = rows({"ID": 7, "TIME": 0, "EVID": 2})
    code, out, _ = run("dose", data=data)
    assert code == 0 and "no samples (a first dose)" in out and "1000 draws" in out
    code, _, err = run("twin", data=data)
    assert code == 1 and "no samples" in err


def test_a_refusal_is_an_answer(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("dose", licence={"units": 2})
    assert code == 0 and "NO PROPOSAL\n  no regimen qualifies: none reaches AUC24 400" in out
    assert (tmp_path / "out" / "dose.txt").is_file()


# ---- bad input


def test_every_fault_of_every_file_is_said_at_once(run: Run, tmp_path: Path) -> None:
    data = patient({"TIME": 21, "EVID": 0, "DV": "x"}, {"TIME": 22, "EVID": 1, "AMT": -5})
    code, out, err = run("dose", "--set", "HT=180", data=data,
                         licence={"route": "oral", "strengths": [], "colour": "red"},
                         goal={"metric": "Cmin", "low": 9, "high": 3, "horizon": None})  # fmt: skip
    assert (code, out) == (1, "")
    for word in ("oral", "is no route", "strengths", "colour", "Cmin", "no window", "horizon", "HT=180"):
        assert word in err
    assert f"{tmp_path}/data.csv:10 DV [x]" in err and f"{tmp_path}/data.csv:11 AMT" in err  # rows of the file
    assert not (tmp_path / "out").exists()
    assert "nothing was written" in err


def test_what_is_not_there_is_a_finding(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = [str(tmp_path / n) for n in ("no.yaml", "no.csv")]
    code = main(["dose", *wrong, "--id", "7", "--licence", wrong[0], "--goal", wrong[0], "--components", wrong[0]])
    err = capsys.readouterr().err
    assert code == 1
    assert [
        err.count(rule) for rule in ("dose.model", "dose.data", "dose.licence", "dose.goal", "dose.components")
    ] == [1] * 5
    code, _, err = run("dose", data=rows({"ID": 9, "TIME": 0, "EVID": 1, "AMT": 5}))
    assert code == 1 and "(dose.id)" in err and " 7 " not in err  # the id is not repeated


def test_only_the_persons_own_rows_count(run: Run) -> None:
    code, _, err = run("dose", data=patient().assign(DV=lambda d: d.DV.where(d.ID != 8, "also broken")))
    assert (code, err) == (0, "")


def test_a_model_with_faults_names_them(run: Run) -> None:
    code, _, err = run("twin", model={"parameters": {"CL": "TVCL * exp(eta_CL)"}})
    assert code == 1 and "(dose.model)" in err and "V" in err


def test_components_are_checked(run: Run, tmp_path: Path) -> None:
    page = {"schema": 1, "components": [{"name": "a", "weight": 0.5, "values": {"TVCL": 1.0}}, {"weight": 2}, 3]}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(page), encoding="utf-8")
    code, _, err = run("twin", "--components", str(tmp_path / "c.yaml"))
    assert code == 1
    for word in ("sets TVCL", "no weight between 0 and 1", "is not {name, weight, values}"):
        assert word in err


def test_when_the_new_regimen_begins_is_asked_where_the_last_row_is_a_dose(run: Run) -> None:
    data = patient({"TIME": 24, "EVID": 1, "AMT": 1000, "II": 24, "ADDL": 3})
    code, _, err = run("dose", data=data)
    assert code == 1 and "--now" in err
    code, out, _ = run("dose", "--now", "48", data=data)
    assert code == 0 and "3 dose(s) from 48 h on count as planned" in out and "from 48 h on" in out
    code, _, err = run("dose", "--now", "10", data=data)
    assert code == 1 and "before the last sample (20 h)" in err


def test_samples_that_do_not_fit_stop_the_dose_until_they_were_checked(run: Run, tmp_path: Path) -> None:
    data = patient()
    data.loc[(data.ID == 7) & (data.TIME == 8), "DV"] = 11.0  # 6.5 before
    code, out, _ = run("dose", data=data)
    assert code == 0 and "NO PROPOSAL\n  no dose is proposed:" in out and "regimens (" not in out
    rules = sorted({line.rsplit("(", 1)[1].rstrip(")") for line in out.splitlines() if "warning:" in line})
    assert rules
    code, out, _ = run("dose", "--accept", *rules, data=data)
    assert code == 0 and "no dose is proposed" not in out and "regimens (" in out


def test_a_slip_of_units_is_an_error_and_nothing_is_written(run: Run, tmp_path: Path) -> None:
    data = patient()
    mine = (data.ID == 7) & (data.EVID == 0)
    data.loc[mine, "DV"] = data.loc[mine, "DV"].astype(float) * 1000
    code, out, err = run("dose", data=data)
    assert code == 1 and "twin.unit" in out and "NO PROPOSAL" in out
    assert "nothing was written" in err and not (tmp_path / "out").exists()


def test_effects_of_the_occasion_are_drawn_anew_or_go_on(run: Run, tmp_path: Path) -> None:
    own = occasions()
    page = raw(parameters={"CL": "TVCL * (WT / 70) * ACT * exp(eta_CL + kappa_CL)", "V": "TVV * exp(eta_V)"},
               random={r.name: {"variance": r.variance, "level": r.level} for r in own.random},
               data={"occasion": "OCC"})  # fmt: skip
    spread = {}
    for which in ("new", "last"):
        code, out, err = run("dose", "--occasion", which, model=page, data=patient().assign(OCC=1))
        assert code == 0, err
        assert ("a new occasion, drawn anew" in out) == (which == "new")
        row = pd.read_csv(tmp_path / "out" / "regimens.tsv", sep="\t").iloc[0]
        spread[which] = np.log(row.q95 / row.q05) / 2 / 1.645
    # eta and kappa share what the samples tell; the new kappa brings its own variance
    left = 0.09 * 0.16 / 0.25
    assert spread["new"] == pytest.approx(np.sqrt(left + 0.16), rel=0.15)
    assert spread["last"] < 0.1


@pytest.mark.parametrize("who", ["synthetic_01", "synthetic_02"])
def test_the_example_runs(who: str, capsys: pytest.CaptureFixture[str]) -> None:
    model = EXAMPLE.parents[2] / "resources" / "population" / "vancomycin_goti.yaml"
    now = ["--now", "48"] if who == "synthetic_01" else []
    own = [x for name in ("licence", "goal") for x in (f"--{name}", str(EXAMPLE / f"synthetic_{name}.yaml"))]
    code = main(["dose", str(model), str(EXAMPLE / "synthetic_patient.csv"), "--id", who, *now, *own])
    out = capsys.readouterr().out
    assert code == 0 and "PROPOSAL" in out and "Rybak 2020" in out
    assert ("NO PROPOSAL" in out) == (who == "synthetic_02")
