"""`pharmtwin sensitivity`: what it reads, refuses and writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from tests.unit.sensitivity_fixture import POPULATION

from pharmtwin.engine.run import simulate
from pharmtwin.sensitivity.command import main
from pharmtwin.sensitivity.runs import observed
from pharmtwin.sensitivity.spec import SpecError, read_spec
from pharmtwin.sensitivity.study import Reduced

Floats = NDArray[np.float64]
ROOT = Path(__file__).resolve().parents[2]


def solved(subject: Any, u: Floats) -> Floats:
    """Outputs at points of the cube, by CVODE."""
    return observed(subject, simulate(subject.model, subject.batch(u), engine="cvode", rtol=1e-9))


# ---------------------------------------------------------------- the command


def spec(tmp_path: Path, **changes: Any) -> str:
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(POPULATION), encoding="utf-8")
    content = {
        "seed": 3, "population": str(tmp_path / "model.yaml"), "covariates": {"WT": 70}, "concentration": "C",
        "unit": "mg/L", "doses": {"amount_mg": 100, "route": "oral", "n": 3, "interval_h": 12},
        "outputs": ["AUC", "Cmax"], "inputs": {"TVV": {"uniform": [50, 90]}},
        "morris": {"trajectories": 4, "candidates": 4}, "sobol": {"base": 16, "max_base": 32},
    } | changes  # fmt: skip
    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not None}), encoding="utf-8")
    return str(path)


def test_the_command_writes_tables_and_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([spec(tmp_path), "--out", str(tmp_path / "out"), "--shards", "2"]) == 0
    said = capsys.readouterr().out
    assert "ln AUC: N = 32" in said and "random effects" in said and "CPU s" in said
    words = (tmp_path / "out" / "sensitivity.txt").read_text(encoding="utf-8")
    assert words in said and len(list((tmp_path / "out").glob("*.tsv"))) == 9
    subject, settings = read_spec(spec(tmp_path))
    assert any(i.kind == "adherence" for i in subject.inputs) and settings.sizes == [16, 32]


def test_everything_wrong_with_a_spec_is_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = spec(
        tmp_path, colour="red", doses={"amount_mg": "much"}, outputs=["Cmid"], sobol={"base": 100}, concentration=None
    )
    assert main([bad, "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    for part in ("colour - the key is not known", "doses - not a number: ['amount_mg']", "'Cmid' is not one of",
                 "powers of two", "concentration - the observable"):  # fmt: skip
        assert part in said, (part, said)
    assert said.count("(sensitivity.spec)") == 5 and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"population": "nowhere.yaml"}, "nowhere.yaml"),
        ({"inputs": {"TVV": {"uniform": [9, 1]}}}, "no such distribution"),
        ({"inputs": {"TVX": {"uniform": [1, 9]}}}, "no TVX that could vary"),
        ({"covariates": {}}, "needs the covariates WT"),
        ({"outputs": [{"name": "x", "statistic": "max", "observable": "brain"}]}, "nothing called brain"),
        ({"leave_out": ["eta_X"]}, "no inputs or groups eta_X"),
        ({"doses": {"amount_mg": 1, "route": "nose"}}, "nose"),
        ({"population": None, "drugs": ["paroxetin"]}, "did you mean paroxetine"),
    ],
)  # fmt: skip
def test_a_spec_that_cannot_be_used_says_why(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        read_spec(spec(tmp_path, **changes))


def test_the_shipped_examples_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for path in sorted((ROOT / "config" / "examples" / "sensitivity").glob("*.yaml")):
        subject, _ = read_spec(str(path))
        assert len(subject.inputs) >= 7 and Reduced.of(subject, [subject.inputs[0].name]).units.n >= 2
