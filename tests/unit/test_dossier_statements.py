"""Statements of the author, criteria, analysis plan: nothing invented, nothing passed over in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from dossier_fixture import BLANK, EXAMPLE, about

from pharmtwin.cli import main
from pharmtwin.dossier.about import about_schema, read_about, required_keys
from pharmtwin.dossier.criteria import MET, NOT_AVAILABLE, NOT_MET, findings, grid_risk, outcome
from pharmtwin.dossier.plan import deviations, plan, plan_hash, plan_text, read_plan
from pharmtwin.evaluation.tiers import activities
from pharmtwin.intake.config import load_config


def _written(tmp_path: Path, **changes: Any) -> str:
    content = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8")) | changes
    path = tmp_path / "dossier.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return str(path)


def _rules(tmp_path: Path, **changes: Any) -> set[str]:
    stated, found = read_about(_written(tmp_path, **changes))
    assert stated is None
    return {f.rule for f in found}


def test_the_shipped_template_holds_every_key_and_is_all_blank() -> None:
    stated = about(BLANK)
    assert {k for k, _ in stated.blanks()} == {k for k, _ in required_keys()} | {"criteria"}
    content = yaml.safe_load(BLANK.read_text(encoding="utf-8"))
    assert set(content) == set(about_schema()["properties"])


def test_the_example_leaves_blanks_as_blanks() -> None:
    blank = {k for k, _ in about().blanks()}
    assert "discussion.conclusion" in blank and "question_of_interest" not in blank
    assert "credibility.model form.goal" in blank


def test_all_errors_of_a_file_are_said_at_once_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "dossier.yaml"
    path.write_text("titel: x\nmodel_influence:\n  level: huge\ncriteria: none\n", encoding="utf-8")
    stated, found = read_about(str(path))
    assert stated is None
    said = {(f.rule, f.row, f.column) for f in found}
    assert said == {
        ("dossier.unknown_key", 1, "titel"),
        ("dossier.choice", 3, "model_influence.level"),
        ("dossier.type", 4, "criteria"),
    }
    assert any("did you mean title?" in f.fix for f in found)


def test_criteria_need_one_limit_and_an_id_of_their_own(tmp_path: Path) -> None:
    base = {"id": "C1", "data_set": "d", "model": "twin", "metric": "GMFE"}
    assert _rules(tmp_path, criteria=[base]) == {"dossier.criterion_limit"}
    assert _rules(tmp_path, criteria=[base | {"at_most": 1, "at_least": 0}]) == {"dossier.criterion_limit"}
    assert _rules(tmp_path, criteria=[base | {"at_most": 1}] * 2) == {"dossier.criterion_twice"}
    assert _rules(tmp_path, criteria=[{"id": "C1"}]) == {"dossier.key_missing"}


def test_activities_are_known_and_not_both_done_and_not_done(tmp_path: Path) -> None:
    done = {"activity": "known_answers", "result": "r", "where": "w"}
    assert _rules(tmp_path, evidence=[done | {"activity": "known_answer"}], not_done=[]) == {"dossier.activity"}
    assert _rules(tmp_path, evidence=[done], not_done=[{"activity": "known_answers", "why": "x"}]) == {
        "dossier.activity"
    }


def test_the_factors_of_the_activities_are_among_those_of_the_map() -> None:
    factors = set(about_schema()["properties"]["credibility"]["properties"])
    assert len(factors) == 13
    assert set(activities()["factor"]) <= factors | {"discretization error"}


ROWS = pd.DataFrame(
    [
        {"data_set": "d", "model": "twin", "metric": "GMFE", "value": 1.3, "lo95": 1.1, "hi95": 1.6},
        {"data_set": "d", "model": "twin", "metric": "within_2", "value": 0.9, "lo95": 0.7, "hi95": 0.97},
        {"data_set": "d", "model": "twin", "metric": "AFE", "value": 1.0, "lo95": float("nan"), "hi95": float("nan")},
    ]
)


@pytest.mark.parametrize(
    ("metric", "limit", "result"),
    [
        ("GMFE", {"at_most": 1.5}, MET),
        ("GMFE", {"at_most": 1.3}, MET),
        ("GMFE", {"at_most": 1.5, "judged_by": "interval"}, NOT_MET),
        ("GMFE", {"at_most": 1.6, "judged_by": "interval"}, MET),
        ("within_2", {"at_least": 0.8}, MET),
        ("within_2", {"at_least": 0.8, "judged_by": "interval"}, NOT_MET),
        ("AFE", {"at_most": 1.2, "judged_by": "interval"}, NOT_AVAILABLE),
        ("GMFF", {"at_most": 1.5}, NOT_AVAILABLE),
    ],
)
def test_a_criterion_is_met_by_its_value_or_by_its_whole_interval(
    metric: str, limit: dict[str, Any], result: str
) -> None:
    held = outcome({"id": "C", "data_set": "d", "model": "twin", "metric": metric, **limit}, ROWS)
    assert held.result == result
    assert len(findings([held], "dossier.yaml")) == (result == NOT_AVAILABLE)


def test_an_unknown_data_set_names_the_nearest() -> None:
    held = outcome({"id": "C", "data_set": "dd", "model": "twin", "metric": "GMFE", "at_most": 1}, ROWS)
    assert held.result == NOT_AVAILABLE and "d" in held.reason and held.row is None


def test_the_grid_of_risk_is_symmetric_rises_and_knows_no_blank() -> None:
    levels = ("low", "medium", "high")
    ranks = [[levels.index(grid_risk(a, b)) for b in levels] for a in levels]
    assert ranks == [[0, 0, 1], [0, 1, 2], [1, 2, 2]]
    assert grid_risk("", "high") == grid_risk("low", "") == ""


def test_a_plan_names_what_deviates_and_whether_a_reason_is_given() -> None:
    config = load_config([])[0]
    assert config is not None
    stated = about()
    planned = plan(config, stated)
    assert deviations(planned, plan(config, stated), stated) == []
    assert plan_text(planned) == plan_text(plan(config, about()))
    done = json.loads(plan_text(planned))
    done["settings"]["fit.draws"] = "10"
    done["criteria"]["C1"]["at_most"] = 9
    found = {d.key: (d.planned, d.done, d.reason) for d in deviations(planned, done, stated)}
    assert found == {"settings.fit.draws": ("2000", "10", ""), "criteria.C1.at_most": ("1.5", "9", "")}


def test_the_plan_holds_the_hash_of_the_drug_and_no_observation() -> None:
    config = load_config([])[0]
    assert config is not None
    content = plan(config, about())
    assert set(content["sha256"]) == {"twins", "scenarios", "published", "drug"}
    assert "dossier.about" not in content["settings"]


def test_the_command_writes_a_plan_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "plan.json"
    arguments = ["plan", "--about", str(EXAMPLE), "--out", str(out)]
    assert main(arguments) == 0
    content, sha, found = read_plan(str(out))
    assert content is not None and not found
    assert sha == plan_hash(out.read_text(encoding="utf-8")) and sha in capsys.readouterr().out
    before = out.read_bytes()
    assert main(arguments) == 1
    assert out.read_bytes() == before and "dossier.plan_exists" in capsys.readouterr().err


def test_what_is_no_plan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    for text in ("{", "{}", "[1]"):
        path.write_text(text, encoding="utf-8")
        content, sha, found = read_plan(str(path))
        assert content is None and sha == "" and found[0].rule == "dossier.plan_unreadable"
