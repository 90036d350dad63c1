"""Pseudonyms: keyed, the same everywhere behind the door, never without a key, and put back by its holder only."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest

from pharmtwin.findings import Finding
from pharmtwin.intake.config import load_config
from pharmtwin.intake.pseudonyms import VARIABLE, Pseudonyms, in_config, masked_findings
from pharmtwin.intake.pseudonyms_command import main
from pharmtwin.intake.study import load_study, read_tables
from pharmtwin.workflow.plan import make_plan

ROOT = Path(__file__).resolve().parents[2]
KEY = "a key of the test, long enough"


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv(VARIABLE, KEY)
    config, _, _ = load_config([])
    assert config is not None
    config["privacy"] = {"pseudonyms": True, "key_file": ""}
    return config


def test_a_pseudonym_is_the_hmac_of_the_id() -> None:
    names = Pseudonyms(KEY.encode())
    assert names.of("D01") == "p" + hmac.new(KEY.encode(), b"D01", hashlib.sha256).hexdigest()[:16]
    assert names.of(names.of("D01")) == names.of("D01") != Pseudonyms(b"another key of it").of("D01")


def test_study_and_plan_know_pseudonyms_only(config: dict[str, Any]) -> None:
    plain, _ = load_study({**config, "privacy": {"pseudonyms": False}})
    study, _ = load_study(config)
    assert plain is not None and study is not None
    ids = set(plain.twins["twin_id"])
    for table in (study.twins, study.events, study.structure_calls):
        assert not ids & set(table["twin_id"]) and table["twin_id"].str.fullmatch("p[0-9a-f]{16}").all()
    plan = make_plan(config)
    rows = [r for part in (plan.twins, plan.events, plan.calls) for b in part.values() for r in b]
    assert rows and not ids & {r["twin_id"] for r in rows} and not ids & plan.sampled
    assert {r["twin_id"] for b in plan.twins.values() for r in b} == set(study.twins["twin_id"])
    config["sensitivity"]["twin"] = "D01"
    in_config(config)
    in_config(config)  # every job does it again
    assert config["sensitivity"]["twin"] in set(study.twins["twin_id"])
    assert not [f for f in read_tables(config)[1] if f.rule == "config.twin_unknown"]


def test_without_a_key_nothing_runs(config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE)
    (tmp_path / "short").write_text("short", encoding="utf-8")
    for file in ("", str(tmp_path / "none"), str(tmp_path / "short"), "results/key"):
        config["privacy"]["key_file"] = file
        assert [f.rule for f in read_tables(config)[1] if f.severity == "error"] == ["privacy.key"]
    (tmp_path / "key").write_text(KEY, encoding="utf-8")
    config["privacy"]["key_file"] = str(tmp_path / "key")
    assert not [f for f in read_tables(config)[1] if f.severity == "error"]


def test_a_file_named_after_a_person_is_refused(config: dict[str, Any], tmp_path: Path) -> None:
    sheet = tmp_path / "twins.D01.tsv"
    sheet.write_bytes((ROOT / config["paths"]["twins"]).read_bytes())
    config["paths"]["twins"] = str(sheet)
    found = [f for f in read_tables(config)[1] if f.rule == "privacy.file_name"]
    assert len(found) == 1 and "D01" not in found[0].message()


def test_findings_are_masked_word_by_word() -> None:
    names = Pseudonyms(KEY.encode())
    said = Finding.create("a.b", "twins.tsv", "D1 and D10 again", "w", "see D1.", value="D1", row=3)
    (masked,) = masked_findings([said], names, ["D1", "D10"])
    assert masked.what == f"{names.of('D1')} and {names.of('D10')} again" and masked.value == names.of("D1")
    assert masked.fix == f"see {names.of('D1')}." and masked.row == 3


def test_the_holder_of_the_key_puts_ids_back(
    config: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = Pseudonyms(KEY.encode()).of("D01")
    page = tmp_path / "report" / "twins" / f"{name}.html"
    page.parent.mkdir(parents=True)
    page.write_text(f"<h1>{name}</h1>", encoding="utf-8")
    assert main(["--report", str(tmp_path / "report"), "--to", str(tmp_path / "mine")]) == 0
    assert (tmp_path / "mine/twins/D01.html").read_text(encoding="utf-8") == "<h1>D01</h1>"
    assert main([]) == 0 and f"{name}\tD01\n" in capsys.readouterr().out
    assert main(["--out", "results/list.tsv"]) == 1 and not (ROOT / "results/list.tsv").exists()
