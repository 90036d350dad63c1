"""Policy, repairs, excluded rows, and findings as files."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd
import pytest
from tests.corpus.build import Study, change, findings_of, write

from pharmtwin.cli import main
from pharmtwin.findings import Finding
from pharmtwin.genome.reading.rules import RULES as VCF
from pharmtwin.intake.catalogue import FAMILIES, catalogue, page
from pharmtwin.intake.cells import REPAIRS
from pharmtwin.intake.config import config_schema, load_config
from pharmtwin.intake.output import as_json, as_page, as_tsv, excluded_tsv
from pharmtwin.intake.policy import apply_policy
from pharmtwin.intake.rules import RULES
from pharmtwin.intake.study import load_study
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.limits import findings_section

ROOT = Path(__file__).resolve().parents[2]


def made(folder, of, *changes):
    study = Study.sound(of)
    for what in changes:
        change(study, what)
    write(study, folder)
    return findings_of(folder)


def repairs(*names):
    return {"config": {"intake": {"repairs": list(names)}}}


def test_a_named_warning_stops_and_others_do_not(tmp_path):
    slip = {"file": "events.tsv", "row": 14, "dose_mg": 20000}
    for stop, severity in ([], "warning"), (["events.*"], "error"), (["ids.*"], "warning"):
        folder = tmp_path / severity / str(len(stop)) / "".join(stop).strip("*.")
        folder.mkdir(parents=True)
        found, _ = made(folder, "adults", slip, {"config": {"intake": {"stop_on": stop}}})
        (hit,) = [f for f in found if f.rule == "events.slip_dose"]
        assert hit.severity == severity
        assert ("intake.stop_on" in hit.why) == (severity == "error")


def test_what_was_accepted_or_noted_is_not_raised():
    place = dict(what="w", why="y", fix="f")
    kept = [Finding.create("events.x", "e", severity=s, **place) for s in ("note", "error")]
    assert apply_policy(kept, ["*"]) == kept


CASES = [
    ("decimal_comma", {"file": "twins.tsv", "row": 2, "weight_kg": "62,5"}, "weight_kg", 62.5),
    ("unit_in_cell", {"file": "twins.tsv", "row": 2, "weight_kg": "100 lb"}, "weight_kg", 45.359237),
    ("codes", {"file": "twins.tsv", "row": 2, "sex": "female"}, "sex", "F"),
    ("height_metres", {"file": "twins.tsv", "row": 2, "height_cm": "1.65"}, "height_cm", 165),
    ("creatinine_umol", {"file": "twins.tsv", "row": 2, "creatinine_mg_dl": "64"}, "creatinine_mg_dl", 64 / 88.42),
    ("invisible_characters", {"file": "twins.tsv", "row": 2, "twin_id": "T\u200b1"}, "twin_id", "T1"),
]


@pytest.mark.parametrize(("repair", "fault", "column", "value"), CASES)
def test_a_repair_is_made_only_if_it_is_asked_for_and_then_told(repair, fault, column, value, tmp_path):
    for name in ("without", "with"):
        (tmp_path / name).mkdir()
    found, _ = made(tmp_path / "without", "adults", fault)
    assert [f for f in found if f.severity == "error"]
    found, _ = made(tmp_path / "with", "adults", fault, repairs(repair))
    assert not [f.message() for f in found if f.severity == "error"]
    (note,) = [f for f in found if f.rule.startswith("repair.")]
    assert (note.rule, note.file, note.row, note.column) == (f"repair.{repair}", "twins.tsv", 2, column)
    assert note.value in ("", str(fault[column])) and note.severity == "note"
    config, places, _ = load_config(["study.yaml"], tmp_path / "with")
    study, _ = load_study(config, tmp_path / "with", places)
    assert study.twins[column].iloc[0] == (pytest.approx(value) if isinstance(value, float) else value)


def test_rows_that_are_left_out_are_kept_and_told(tmp_path):
    changes = [
        {"file": "events.tsv", "copy": 10, "after": 10},
        {"file": "events.tsv", "row": 4, "dv_ng_ml": "lost"},
        {"file": "events.tsv", "column": "exclude", "all": ""},
        {"file": "events.tsv", "row": 5, "exclude": "haemolysed"},
    ]
    found, excluded = made(tmp_path, "adults", *changes, repairs("duplicate_rows", "exclude_bad_rows"))
    assert not [f.message() for f in found if f.severity == "error"]
    assert sorted((e.row, e.reason) for e in excluded) == [
        (4, "is not a number"), (5, "haemolysed"), (11, "equal to row 10")]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(excluded_tsv(excluded)), delimiter="\t"))
    assert {r["row"] for r in rows} == {"4", "5", "11"} and all("twin_id=" in r["cells"] for r in rows)
    config, places, _ = load_config(["study.yaml"], tmp_path)
    study, _ = load_study(config, tmp_path, places)
    assert not set(study.events["row"]) & {4, 5, 11} and len(study.excluded) == 3


def test_the_schema_and_the_code_know_the_same_repairs():
    told = config_schema()["properties"]["intake"]["properties"]["repairs"]["items"]["enum"]
    assert told == list(REPAIRS)


HOSTILE = Finding.create(
    "ids.x", "a\tb.tsv", "<script>alert(1)</script>", "=cmd|'/c calc'!A1", "do\nthis", value="=1+1"
)


def test_files_of_findings_hold_hostile_text_as_text():
    table = list(csv.reader(io.StringIO(as_tsv([HOSTILE])), delimiter="\t"))
    assert len(table) == 2 and len(table[0]) == len(table[1])
    assert not [cell for cell in table[1] if cell.startswith(("=", "@"))]
    assert json.loads(as_json([HOSTILE]))["findings"][0]["what"] == "<script>alert(1)</script>"
    assert "<script>" not in as_page([HOSTILE], "<b>t</b>") and "&lt;script&gt;" in as_page([HOSTILE], "t")


def test_the_page_of_rules_is_written_from_the_rules():
    wanted = page()
    assert (ROOT / "docs" / "findings.md").read_text(encoding="utf-8") == wanted, (
        "run scripts/maintenance/findings_page.py"
    )
    assert len(RULES) >= 65 and all(f"| `{rule}` |" in wanted for rule in catalogue())


def ids_in_code():
    """Rule ids that the code of the check writes as text."""
    folders = [ROOT / "src/pharmtwin/intake", ROOT / "src/pharmtwin/body", ROOT / "src/pharmtwin/genome/reading"]
    shape = re.compile(rf"({'|'.join(re.escape(f) for f in FAMILIES)})\.[a-z_]+")
    for path in (p for folder in folders for p in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
                "create", "say", "_at", "finding", "rule", "broken",
            ):  # fmt: skip
                for arg in node.args[:4]:
                    if isinstance(arg, ast.Constant) and isinstance(arg.value, str) and shape.fullmatch(arg.value):
                        yield arg.value


def test_no_rule_of_the_code_is_missing_from_the_catalogue():
    known = catalogue()
    missing = sorted({i for i in ids_in_code() if not any(fnmatchcase(i, k) for k in known)})
    assert len(set(ids_in_code())) > 150 and not missing


def test_rules_keep_the_message_contract():
    for r in RULES.values():
        for text in (r.about, r.why, r.fix):
            assert text and not text.endswith(".") and "\n" not in text, r.id
    assert set(VCF) <= set(catalogue())


def test_the_command_checks_a_study_a_folder_and_a_data_set(tmp_path, capsys, monkeypatch):
    for name in ("adults", "adppk_xpt"):
        (tmp_path / name).mkdir()
        write(Study.sound(name), tmp_path / name)
    assert main(["check", str(tmp_path / "adults")]) == 0
    assert capsys.readouterr().out.endswith("0 errors, 1 warning in 1 file\n")
    monkeypatch.chdir(tmp_path / "adppk_xpt")
    assert main(["check", "adppk.xpt", "--format", "json", "--out", "out"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"]["error"] == 0
    assert sorted(p.name for p in Path("out").iterdir()) == [
        "excluded.tsv", "findings.html", "findings.json", "findings.tsv"]  # fmt: skip
    (tmp_path / "adppk_xpt" / "bad.csv").write_text("ID,TIME,AMT,DV,EVID\n1,0,,.,1\n")
    assert main(["check", "bad.csv", "--units", "AMT=mg", "DV=ng/mL", "--format", "tsv"]) == 1
    assert "events.dose_missing" in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    assert main(["check", str(tmp_path / "empty")]) == 1


def test_the_report_shows_every_repair_as_it_was_written():
    notes = [
        Finding.create(
            "repair.codes",
            "t.tsv",
            "repaired: read as F",
            "w",
            "f",
            row=2,
            column="sex",
            value="female",
            severity="note",
        ),
        Finding.create("events.x", "e.tsv", "something else", "w", "f", severity="warning"),
    ]
    table = pd.DataFrame([asdict(f) for f in notes])
    section = findings_section(ReportInputs.create(study="s", drug="d", data_kind="synthetic", findings=table))
    first = section.blocks[0]
    assert first.caption == "Repairs, and rows that are not used" and len(first.rows) == 1
    assert "female" in str(first.rows[0]) and "t.tsv:2" in str(first.rows[0])
