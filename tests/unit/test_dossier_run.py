"""A run is read only if it is the run of its manifest; the command writes all or nothing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from dossier_fixture import EXAMPLE, about, make_run

from pharmtwin.dossier.build import PlanState
from pharmtwin.dossier.command import _target, make, time_of
from pharmtwin.dossier.evidence import activities
from pharmtwin.dossier.package import write_hashes
from pharmtwin.dossier.run import digest_of, files_of, read_run
from pharmtwin.dossier.write import plan_state
from pharmtwin.facts import sha256_file
from pharmtwin.intake.config import load_config
from pharmtwin.provenance.equivalence import tost_table
from pharmtwin.provenance.page import exposure_table


def _config() -> dict[str, Any]:
    config = load_config([])[0]
    assert config is not None
    return config


def _results(folder: Path, **changes: Any) -> Path:
    """A folder of results with one output, and a manifest."""
    folder.mkdir()
    (folder / "table.tsv").write_text("a\n1\n", encoding="utf-8")
    output = {"path": "table.tsv", "bytes": 4, "sha256": sha256_file(folder / "table.tsv")}
    config = {k: v for k, v in _config().items() if k != "paths"}
    manifest = {"config": config, "outputs": [output], "inputs": [], "code": [], "facts": []} | changes
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def _rules(folder: Path) -> dict[str, str]:
    run, found = read_run(folder, _config())
    assert run is None
    return {f.rule: f.column or f.what for f in found}


def test_no_manifest_no_dossier(tmp_path: Path) -> None:
    assert list(_rules(tmp_path)) == ["dossier.no_manifest"]


def test_a_changed_result_stops_it(tmp_path: Path) -> None:
    folder = _results(tmp_path / "r")
    (folder / "table.tsv").write_text("a\n2\n", encoding="utf-8")
    (folder / "more.tsv").write_text("a\n", encoding="utf-8")
    run, found = read_run(folder, _config())
    assert run is None
    assert [f.what.split(":")[0] for f in found if f.rule == "dossier.result_changed"] == ["table.tsv", "more.tsv"]


def test_another_configuration_stops_it_and_names_the_key(tmp_path: Path) -> None:
    then = {k: v for k, v in _config().items() if k != "paths"}
    folder = _results(tmp_path / "r", config=then | {"master_seed": 1, "dossier": {"about": "elsewhere.yaml"}})
    assert _rules(folder) == {"dossier.other_config": "master_seed"}


def test_another_input_stops_it(tmp_path: Path) -> None:
    wrong = {"path": "config/studies/demo/twins.tsv", "bytes": 1, "sha256": "0" * 64}
    folder = _results(tmp_path / "r", inputs=[wrong])
    assert "dossier.input_changed" in _rules(folder)


def test_a_dossier_folder_holds_no_changed_result(tmp_path: Path) -> None:
    """The dossier itself may lie in the results: it is no part of what the manifest compares."""
    folder = _results(tmp_path / "r", config={})
    (folder / "dossier").mkdir()
    (folder / "dossier" / "dossier.html").write_text("x", encoding="utf-8")
    assert "dossier.result_changed" not in _rules(folder)


def test_files_are_found_by_stage_and_the_population_comes_last(tmp_path: Path) -> None:
    for name in ("pbpk/b001/exposure.parquet", "pbpk/population/exposure.parquet", "pbpk/b000/exposure.parquet"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [Path(p).parent.name for p in files_of(tmp_path).exposure] == ["b000", "b001", "population"]


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    assert _target(tmp_path) == [] and _target(tmp_path / "new") == []
    (tmp_path / "thesis.docx").touch()
    assert [f.rule for f in _target(tmp_path)] == ["dossier.folder_taken"]
    (tmp_path / "sha256.txt").touch()
    assert _target(tmp_path) == []


def test_all_problems_are_said_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    wrong = tmp_path / "about.yaml"
    wrong.write_text("titel: x\n", encoding="utf-8")
    out = tmp_path / "out"
    found = make(tmp_path / "none", _config(), str(wrong), out, rerun=str(tmp_path / "other"))
    assert [f.rule for f in found] == ["dossier.unknown_key", "dossier.no_manifest", "dossier.no_manifest"]
    assert not out.exists()


def test_a_release_refuses_blanks(tmp_path: Path) -> None:
    found = make(tmp_path / "none", _config(), str(EXAMPLE), tmp_path / "out", release="A. Reviewer")
    blanks = {f.column for f in found if f.rule == "dossier.blank" and f.severity == "error"}
    assert "discussion.conclusion" in blanks and "title" not in blanks
    draft = make(tmp_path / "none", _config(), str(EXAMPLE), tmp_path / "out")
    assert {f.severity for f in draft if f.rule == "dossier.blank"} == {"warning"}


def test_a_plan_counts_as_older_only_if_the_manifest_has_it(tmp_path: Path) -> None:
    from pharmtwin.dossier.plan import plan, plan_text

    run = make_run(tmp_path)
    state, found = plan_state(run, about(), "")
    assert state == PlanState() and [f.severity for f in found] == ["warning"]
    path = tmp_path / "plan.json"
    path.write_text(plan_text(plan(run.config, about())), encoding="utf-8")
    state, found = plan_state(run, about(), str(path))
    assert not found and not state.before_fit and state.deviations == () and state.sha256 == sha256_file(path)
    run.manifest["inputs"].append({"path": "plan.json", "bytes": 1, "sha256": sha256_file(path)})
    assert plan_state(run, about(), str(path))[0].before_fit


def test_evidence_is_of_the_tables_and_nothing_else(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    table, found = activities(run.inputs, about())
    status = dict(zip(table["activity"], table["status"]))
    assert status["sampler"] == status["sensitivity"] == status["held_out"] == "done"
    assert status["known_answers"] == status["event_prediction"] == "not done"
    why = dict(zip(table["activity"], table["why_not"]))
    assert why["comparison_with_care"] == "no patients are involved (author)"
    assert found == []
    bare = make_run(tmp_path, fit_diagnostics=None, sobol=None)
    table, _ = activities(bare.inputs, about())
    status = dict(zip(table["activity"], table["status"]))
    assert status["sampler"] == status["sensitivity"] == "not done"


def test_two_runs_are_tested_for_equivalence_and_no_row_is_lost() -> None:
    """Ratios 1.0 and 1.1: geometric mean sqrt(1.1) = 1.0488; t(0.95, 1) = 6.314, se = ln(1.1)/2, so 0.776 to 1.417."""
    rows = [("a", 10.0, 10.0), ("b", 20.0, 22.0)]
    base = {"scenario": "s", "model": "twin", "metric": "AUCtau"}
    first = pd.DataFrame([base | {"twin_id": t, "median": x} for t, x, _ in rows])
    second = pd.DataFrame(
        [base | {"twin_id": t, "median": y} for t, _, y in rows] + [base | {"twin_id": "c", "median": 1}]
    )
    (row,) = exposure_table(tost_table(first, second)).rows
    texts = [c.text for c in row]
    assert texts == ["s", "twin", "AUCtau", "2", "1", "1.05 (0.776 to 1.42)", "1.10", "NOT shown equivalent"]
    (same,) = exposure_table(tost_table(first, first)).rows
    assert [c.text for c in same][5:] == ["1.00 (1.00 to 1.00)", "1.00", "equivalent"]
    (alone,) = exposure_table(tost_table(first.head(1), first.head(1))).rows
    assert "not tested" in alone[7].text


def test_time_stamps_come_from_the_run() -> None:
    assert time_of("2026-11-22T13:48:17+00:00").isoformat() == "2026-11-22T13:48:17+00:00"
    assert time_of(None).year == time_of("yesterday").year == 2000


def test_digest_of_entries_knows_no_order() -> None:
    a, b = {"path": "a", "sha256": "1"}, {"path": "b", "sha256": "2"}
    assert digest_of([a, b]) == digest_of([b, a]) != digest_of([a])


def test_hashes_are_what_sha256sum_reads(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.txt").write_text("x", encoding="utf-8")
    (tmp_path / "y.txt").write_text("y", encoding="utf-8")
    write_hashes(tmp_path)
    try:
        done = subprocess.run(["sha256sum", "-c", "sha256.txt"], cwd=tmp_path, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("no sha256sum here")
    assert done.returncode == 0 and done.stdout.splitlines() == ["sub/x.txt: OK", "y.txt: OK"]
