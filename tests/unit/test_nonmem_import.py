"""Control streams as population models: structure, doses, residual error, and what is refused or noted.

The streams are written here; predictions are compared with the formulas that they stand for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pharmtwin.cli import main
from pharmtwin.inference.models.description import PopulationModel, PopulationModelError
from pharmtwin.inference.models.read import population_model, read_population_model
from pharmtwin.inference.problem.case import columns_of
from pharmtwin.inference.problem.problem import make_problem
from pharmtwin.inference.problem.records import read_subjects

ORAL = """$PROBLEM oral
$INPUT ID TIME EVID AMT CMT MDV DV WT
$DATA some.csv IGNORE=@
$SUBROUTINES ADVAN2 TRANS2
$PK
TVCL = THETA(1) * (WT/70)**0.75
CL = TVCL * EXP(ETA(1))
V = THETA(2) * EXP(ETA(2))
KA = THETA(3)
ALAG1 = 0.5
F1 = THETA(4)
S2 = V / 1000
$ERROR
Y = F * (1 + EPS(1))
$THETA (0, 5) (0, 50) (0, 1.2) 0.8 FIX
$OMEGA BLOCK(2)
0.1
0.02 0.2
$SIGMA 0.04
$ESTIMATION METHOD=1 INTER
"""


@pytest.fixture
def imported(tmp_path: Path) -> Any:
    """A stream's text -> sections, notes, model."""
    pytest.importorskip("pharmpy", reason="pharmpy-core is not installed (make nonmem)")
    from pharmtwin.inference.nonmem.importing.command import imported as run

    def given(text: str) -> tuple[dict[str, Any], list[str], PopulationModel]:
        path = tmp_path / "run1.mod"
        path.write_text(text, encoding="utf-8")
        sections, notes = run(path)
        return sections, notes, population_model(sections)[0]

    return given


def predictions(sections: dict[str, Any], rows: list[dict[str, Any]], eta: list[float]) -> list[float]:
    """Predictions of one subject's rows."""
    model, section = population_model(sections)
    subjects, _ = read_subjects(model, pd.DataFrame(rows), columns_of(section, "x"))
    problem = make_problem(model, subjects, rtol=1e-10)
    x = problem.rows(problem.typical()[: problem.n_fixed], np.array([eta]))
    return problem.predict(x, False).f.tolist()


def row(time: float, amount: float = 0.0, cmt: int = 2, **more: Any) -> dict[str, Any]:
    """A dose, or a sample."""
    given = int(amount > 0)
    return {"ID": 1, "TIME": time, "EVID": given, "AMT": amount, "CMT": cmt, "MDV": given, "DV": 1.0, **more}


def test_a_stream_with_doses_scale_and_covariate(imported: Any) -> None:
    sections, notes, model = imported(ORAL)
    rows = [row(0, 100.0, 1, WT=80.0), row(2.0, WT=80.0), row(9.0, WT=80.0)]
    cl, v, ka = 5 * (80 / 70) ** 0.75 * np.exp(0.3), 50 * np.exp(-0.2), 1.2
    k, t = cl / v, np.array([2.0, 9.0]) - 0.5
    wanted = 1000 * 0.8 * 100 * ka / (v * (ka - k)) * (np.exp(-k * t) - np.exp(-ka * t))
    assert predictions(sections, rows, [0.3, -0.2]) == pytest.approx(wanted, rel=1e-8)
    assert not notes
    first = model.fixed[0]
    assert (first.name, first.value, first.lower, first.fixed) == ("THETA_1", 5.0, 0.0, False)
    assert model.fixed[3].fixed and model.omega.tolist() == [[0.1, 0.02], [0.02, 0.2]]
    assert model.outputs[0].error == "proportional" and model.residuals[0].value == pytest.approx(0.2)
    assert model.covariates == ("WT",) and sections["data"]["states"] == {"1": "DEPOT", "2": "CENTRAL"}


@pytest.mark.parametrize(
    ("error", "kind", "values"),
    [
        ("Y = F + EPS(1)", "additive", [0.2]),
        ("Y = F + F*EPS(1) + EPS(2)", "combined", [0.3, 0.2]),
        ("W = SQRT(THETA(5)**2 + (THETA(6)*F)**2)\nY = F + W*EPS(1)", "combined", [2 * 0.2, 0.5 * 0.2]),
        ("W = THETA(5) + THETA(6)*F\nY = F + W*EPS(1)", "combined_sd", [2 * 0.2, 0.5 * 0.2]),
        ("Y = F + F**THETA(6)*EPS(1)", "power", [0.2, 0.5]),
        ("Y = F*EXP(EPS(1))", "proportional", [0.2]),
    ],
)
def test_kinds_of_residual_error(error: str, kind: str, values: list[float], imported: Any) -> None:
    text = ORAL.replace("Y = F * (1 + EPS(1))", error).replace("0.8 FIX", "0.8 FIX (0, 2) (0, 0.5)")
    _, notes, model = imported(text.replace("$SIGMA 0.04", "$SIGMA 0.04 0.09"))
    assert model.outputs[0].error == kind
    found = {r.name: r.value for r in model.residuals}
    assert [found[n] for n in model.outputs[0].residuals] == pytest.approx(values)
    assert any("not linear" in n for n in notes) == ("EXP(EPS" in error)


def test_a_logarithm_that_is_measured_and_an_error_where_the_prediction_is_zero(imported: Any) -> None:
    log = "FLAG = 0\nIF (AMT.NE.0) FLAG = 1\nIPRED = LOG(F + FLAG)\nY = IPRED + EPS(1)"
    sections, _, model = imported(ORAL.replace("Y = F * (1 + EPS(1))", log))
    plain, _, _ = imported(ORAL)
    rows = [row(0, 100.0, 1, WT=70.0), row(3.0, WT=70.0)]
    assert predictions(sections, rows, [0, 0]) == pytest.approx(np.log(predictions(plain, rows, [0, 0])), rel=1e-10)
    assert model.outputs[0].error == "additive"
    zero = "DEL = 0\nIF (F.EQ.0) DEL = 3\nW = F + DEL\nY = F + W*EPS(1)"
    _, _, model = imported(ORAL.replace("Y = F * (1 + EPS(1))", zero))
    assert model.outputs[0].error == "proportional" and model.outputs[0].where_zero == pytest.approx(3.0)


SEVERAL = """$PROBLEM parent and metabolite
$INPUT ID TIME EVID AMT CMT MDV DV OCC
$DATA some.csv IGNORE=@ IGNORE=(OCC.EQ.9)
$SUBROUTINES ADVAN13 TOL=9
$MODEL COMP=(PERIPH) ; the order of the numbers is ours
 COMP=(PARENT, DEFOBS) COMP=(METAB)
$PK
IOV = 0
IF (OCC.EQ.1) IOV = ETA(2)
IF (OCC.EQ.2) IOV = ETA(3)
CL = THETA(1) * EXP(ETA(1) + IOV)
KM = 0.3
A_0(3) = 7
S2 = 10
S3 = 20
$DES
OUT = CL / 10 * A(2)
DADT(1) = 0
DADT(2) = -OUT
DADT(3) = OUT - KM * A(3)
$ERROR
Y = F + EPS(1)
IF (CMT.EQ.3) Y = F + F*EPS(2)
$THETA (0, 4)
$OMEGA 0.1
$OMEGA BLOCK(1) 0.05
$OMEGA BLOCK(1) SAME
$SIGMA 0.01 0.04
$PRIOR NWPRI
"""


def test_several_outputs_by_compartment_and_numbers_of_compartments(imported: Any) -> None:
    sections, notes, model = imported(SEVERAL.replace("$PRIOR NWPRI\n", ""))
    assert sections["data"]["states"] == {"1": "PERIPH", "2": "PARENT", "3": "METAB"}
    assert sections["data"]["outputs"] == {"2": "parent", "3": "metab"}
    assert [o.error for o in model.outputs] == ["additive", "proportional"]
    rows = [row(0, 100.0, OCC=1), row(2.0, 0, 2, OCC=1), row(2.0, 0, 3, OCC=1), row(3.0, 0, 2, OCC=2)]
    k, k2 = (4 * np.exp(0.1 + e) / 10 for e in (0.2, -0.3))
    parent = 100 * np.exp(-2 * k)
    metabolite = 7 * np.exp(-0.6) + 100 * k / (0.3 - k) * (np.exp(-2 * k) - np.exp(-0.6))
    wanted = [parent / 10, metabolite / 20, parent * np.exp(-k2) / 10]
    assert predictions(sections, rows, [0.1, 0.2, -0.3]) == pytest.approx(wanted, rel=1e-8)
    assert any("ETA_3 has the variance of ETA_2 (SAME)" in n for n in notes)
    assert any("IGNORE=(OCC.EQ.9)" in n for n in notes)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Y = F * (1 + EPS(1))", "Y = F * (1 + EPS(1)*EXP(ETA(2)))", "depends on ETA_2"),
        ("Y = F * (1 + EPS(1))", "Y = F", "no row of the data has a residual error"),
        ("Y = F * (1 + EPS(1))", "Y = F * (1 + EPS(1)*SQRT(TIME))", "depends on TIME"),
        ("KA = THETA(3)", "KA = THETA(3) * DOSE", "DOSE: neither assigned nor a column"),
    ],
)
def test_what_cannot_be_translated_is_named(old: str, new: str, words: str, imported: Any) -> None:
    with pytest.raises(PopulationModelError, match=words):
        imported(ORAL.replace(old, new))


def test_what_is_not_understood_is_noted(imported: Any) -> None:
    _, notes, _ = imported(ORAL.replace("KA = THETA(3)", "IF (WT.GT.70) KA = THETA(3)"))
    assert any("KA is assigned under a condition only" in n for n in notes)
    from pharmtwin.inference.nonmem.importing.stream import text_notes

    assert text_notes(SEVERAL)[0] == "record $PRIOR is not translated"


def test_the_command_writes_a_file_that_reads(imported: Any, tmp_path: Path) -> None:
    stream, out = tmp_path / "run7.mod", tmp_path / "run7.yaml"
    stream.write_text(ORAL, encoding="utf-8")
    assert main(["import-nonmem", str(stream), "--out", str(out)]) == 0
    model, section = read_population_model(out)
    assert model.name == "run7" and section["output"] == "CMT"
    assert main(["import-nonmem", str(tmp_path / "none.mod")]) == 1
    stream.write_text("$PROBLEM nothing\n$PRED\nY = THETA(1) + EPS(1)\n$THETA 1\n$SIGMA 1\n", encoding="utf-8")
    assert main(["import-nonmem", str(stream)]) == 1


def test_without_pharmpy_the_command_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["import-nonmem", "run.mod"]) == 1
    assert "make nonmem" in capsys.readouterr().err
