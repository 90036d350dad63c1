"""``ddi static``: values of drug files and of the table, and where each came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from drug_fixture import compound, drug_maker, man, path, quantity

from pharmtwin.ddi.command import main
from pharmtwin.ddi.from_drugs import Inputs, add_perpetrator, add_victim, of_table
from pharmtwin.ddi.static_inputs import perpetrator_names, perpetrators, regimens, victim_names
from pharmtwin.drugs import quick


@pytest.fixture
def make(tmp_path: Path) -> Any:
    return drug_maker(tmp_path)


def blocker(make: Any, name: str = "b") -> Any:
    acts: list[dict[str, Any]] = [
        {"target": "CYP2D6", "mechanism": "competitive", "Ki": quantity(0.05, "umol/L")},
        {"target": "P-gp", "mechanism": "noncompetitive", "Ki": quantity(2.0, "umol/L")},
        {
            "target": "CYP3A4",
            "mechanism": "inactivation",
            "kinact": quantity(2.0, "1/h"),
            "KI": quantity(3.0, "umol/L"),
        },
        {"target": "CYP1A2", "mechanism": "induction", "Emax": quantity(4.0, "1"), "EC50": quantity(1.0, "umol/L")},
        {"target": "CYP2C9", "mechanism": "uncompetitive", "Ki": quantity(1.0, "umol/L")},
    ]
    return make(name, **{name: compound(metabolism=[path(20.0)], acts_on=acts)})


def test_constants_and_exposure_of_a_file(make: Any, tmp_path: Path) -> None:
    drug = blocker(make)
    out = Inputs()
    add_perpetrator(out, str(tmp_path / "b.yaml"), man(), dose=100.0, every=12.0, count=4)
    (p,) = out.perpetrators
    assert p.ki_umol_per_l == {"CYP2D6": 0.05} and p.ic50_umol_per_l == {"P-gp": 2.0}
    assert p.tdi == {"CYP3A4": (2.0, 3.0)} and p.induction == {"CYP1A2": (4.0, 1.0)}
    peak = quick.plateau(drug, man(), quick.Regimen("b", 100.0, "oral", 12.0, 4))["b"].cmax
    assert p.cmax_umol_per_l == pytest.approx(peak / 300 * 1000) and p.dose_umol == pytest.approx(100 / 300 * 1000)
    assert p.fu == 0.2 and p.rb == 1.0 and p.fa == pytest.approx(1.0) and p.fg == pytest.approx(1.0)
    assert any("uncompetitive inhibition of CYP2C9" in n or "uncompetitive of CYP2C9" in n for n in out.notes)
    given = Inputs()
    add_perpetrator(given, str(tmp_path / "b.yaml"), man(), dose=100.0, cmax=3.0)
    assert given.perpetrators[0].cmax_umol_per_l == pytest.approx(10.0)
    with pytest.raises(ValueError, match="give --dose"):
        add_perpetrator(given, str(tmp_path / "b.yaml"), man())


def test_fm_of_a_file(make: Any, tmp_path: Path) -> None:
    drug = make("v", v=compound(metabolism=[path(0.7, "CYP2D6"), path(30.0)]))
    out = Inputs()
    add_victim(out, str(tmp_path / "v.yaml"), man())
    (v,) = out.victims
    assert v.fm == {"CYP2D6": pytest.approx(quick.fate(drug, man(), 1.0, "iv").paths["CYP2D6"], rel=1e-4)}
    assert 0.1 < v.fm["CYP2D6"] < 0.9 and v.fg == 1.0


def test_what_has_no_file_comes_from_the_table() -> None:
    out = Inputs()
    add_perpetrator(out, "Rifampicin", man(), regimen="600 mg")
    assert out.perpetrators == perpetrators("Rifampicin", "600 mg")
    add_victim(out, "repaglinide", man())
    assert out.victims[0].name == "Repaglinide" and out.victims[0].fm == {"CYP2C8": 0.61}
    for name in ("nothing", "nothing_S"):
        with pytest.raises(KeyError, match="no drug file"):
            add_victim(out, name, man())
        with pytest.raises(KeyError, match="no drug file"):
            add_perpetrator(out, name, man(), dose=1.0)
    assert of_table("metoprolol_S", victim_names()) == "S-Metoprolol"


def test_the_file_goes_before_the_table(make: Any, tmp_path: Path) -> None:
    blocker(make, "quinidine")
    out = Inputs()
    add_perpetrator(out, str(tmp_path / "quinidine.yaml"), man(), dose=100.0)
    listed = perpetrators(of_table("quinidine", perpetrator_names()), regimens("Quinidine")[0])[0]
    assert listed.ki_umol_per_l["CYP2D6"] != 0.05 == out.perpetrators[0].ki_umol_per_l["CYP2D6"]
    assert out.perpetrators[0].ic50_umol_per_l == {**listed.ic50_umol_per_l, "P-gp": 2.0}


def test_the_command(make: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocker(make)
    make("v", v=compound(metabolism=[path(0.7, "CYP2D6"), path(30.0)]))
    files = [str(tmp_path / "b.yaml"), str(tmp_path / "v.yaml")]
    assert main(["static", *files, "--dose", "100"], man) == 0
    lines = [x.split("\t") for x in capsys.readouterr().out.splitlines() if not x.startswith("#")]
    assert lines[0][:3] == ["drug", "model", "target"]
    found = {(x[1], x[2]): x[6] for x in lines[1:]}
    assert found["reversible, liver", "CYP2D6"] == found["mechanistic static", "v"] == "yes"
    assert ("inactivation", "CYP3A4") in found and ("transporter, gut", "P-gp") in found
    assert main(["static", files[1], "--dose", "1"], man) == 1 and "acts on nothing" in capsys.readouterr().err
    assert main(["static", "absent"], man) == 1 and "ddi static:" in capsys.readouterr().err
