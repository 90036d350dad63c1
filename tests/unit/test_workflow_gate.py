"""The gate in front of the workflow."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pharmtwin.workflow.gate import gate

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def study(tmp_path: Path) -> tuple[dict, Path]:
    """The demonstration study, laid out in a folder of its own."""
    for part in ("config", "resources"):
        (tmp_path / part).symlink_to(REPOSITORY / part)
    return yaml.safe_load((REPOSITORY / "config/config.yaml").read_text(encoding="utf-8")), tmp_path


def test_a_good_study_passes_and_is_remembered(study, capsys, monkeypatch) -> None:
    config, base = study
    gate(config, [], dry_run=False, base=base)
    findings = base / "results/demo/intake/findings.tsv"
    before = findings.stat().st_mtime_ns
    monkeypatch.setattr("pharmtwin.intake.check.check_study", lambda *a, **k: pytest.fail("checked again"))
    gate(config, [], dry_run=False, base=base)
    assert findings.stat().st_mtime_ns == before


def test_a_dry_run_writes_nothing(study) -> None:
    config, base = study
    gate(config, [], dry_run=True, base=base)
    assert not (base / "results").exists()


@pytest.mark.parametrize("dry_run", [True, False])
def test_errors_stop_with_exit_code_one_and_leave_nothing(study, capsys, dry_run: bool) -> None:
    config, base = study
    config["fit"]["chians"] = 4
    config["drug"] = "paroxetin"
    with pytest.raises(SystemExit) as stopped:
        gate(config, [], dry_run=dry_run, base=base)
    assert stopped.value.code == 1
    said = capsys.readouterr().err
    assert "config.unknown_key" in said and "config.drug_unknown" in said
    assert not (base / "results").exists()


def test_a_changed_sheet_is_checked_again(study, tmp_path: Path, capsys) -> None:
    config, base = study
    gate(config, [], dry_run=False, base=base)
    rows = (REPOSITORY / config["paths"]["twins"]).read_text(encoding="utf-8")
    (base / "twins.tsv").write_text(rows.replace("\tM\t", "\tmale\t", 1), encoding="utf-8")
    config["paths"]["twins"] = "twins.tsv"
    with pytest.raises(SystemExit):
        gate(config, [], dry_run=False, base=base)
    assert "sex [male]" in capsys.readouterr().err
