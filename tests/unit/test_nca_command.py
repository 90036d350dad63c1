"""``pharmtwin nca``: forms of tables, findings on bad rows, options."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from pharmtwin.cli import main
from pharmtwin.nca.cells import read_cells
from pharmtwin.nca.profile import Units
from pharmtwin.nca.read import Given, Stated, read_profiles


def write(tmp_path: Path, text: str, name: str = "data.csv") -> str:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def rules(given: Given, severity: str = "error") -> list[str]:
    return [f.rule for f in given.findings if f.severity == severity]


NM_TRAN = "ID,TIME,AMT,RATE,II,ADDL,SS,DV,MDV,EVID\n"


def test_nm_tran_rows_with_infusion_and_further_doses(tmp_path: Path) -> None:
    text = NM_TRAN + "1,0,100,50,12,2,0,.,1,1\n1,1,0,0,0,0,0,3,0,0\n1,2,0,0,0,0,0,BLQ,0,0\n1,3,.,.,.,.,.,.,1,0\n"
    given = read_profiles(write(tmp_path, text))
    assert not rules(given)
    (profile,) = given.profiles
    assert [(d.time, d.route, d.duration) for d in profile.doses] == [(t, "infusion", 2.0) for t in (0, 12, 24)]
    assert list(profile.time) == [1, 2] and list(profile.conc) == [3, 0] and list(profile.blq) == [False, True]


def test_plain_columns_with_the_dose_beside_every_sample(tmp_path: Path) -> None:
    given = read_profiles(
        write(tmp_path, "Subject;Dose (mg);Time (h);Conc (ng/mL)\nA;5,5;0;0\nA;5,5;1;12,5\nB;6,5;1;1,0\n")
    )
    assert [p.key for p in given.profiles] == [("A",), ("B",)]
    assert given.profiles[0].doses[0].amount == 5.5 and given.profiles[0].conc[1] == 12.5
    assert given.profiles[0].units == Units("h", "ng/mL", "mg")


def test_blanks_tabs_and_comments_are_separators_too(tmp_path: Path) -> None:
    for text in ("ID TIME  DV\n1 0 2\n1 1 1\n", "# of a study\nID\tTIME\tDV\n1\t0\t2\n1\t1\t1\n"):
        assert list(read_profiles(write(tmp_path, text)).profiles[0].conc) == [2, 1]
    cells, _ = read_cells(write(tmp_path, "a;b\n1,5;2\n"))
    assert cells is not None and cells.decimal_comma and cells.find(("B",)) == "b"


def test_doses_in_a_table_of_their_own(tmp_path: Path) -> None:
    doses = write(tmp_path, "animal,time,dose,doseu,route\nx,0,10,mg/kg,IV\nx,24,10,mg/kg,IV\n", "doses.csv")
    data = write(tmp_path, "animal,time,concentration\nx,24,1\nx,25,9\nx,48,1\n")
    (profile,) = read_profiles(data, doses).profiles
    assert [d.route for d in profile.doses] == ["bolus", "bolus"] and profile.units.dose == "mg/kg"


def test_periods_and_analytes_part_profiles(tmp_path: Path) -> None:
    rows = ["id,period,trt,analyte,time,amt,dv", "1,1,T,,0,10,", "1,1,T,par,1,,5", "1,1,T,met,1,,6", "1,2,R,,0,20,"]
    text = "\n".join([*rows, "1,2,R,par,1,,7\n"])
    given = read_profiles(write(tmp_path, text))
    assert given.names == ("subject", "period", "trt", "analyte")
    assert [(p.key[1:], p.doses[0].amount) for p in given.profiles] == [
        (("1", "T", "par"), 10), (("1", "T", "met"), 10), (("2", "R", "par"), 20)]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ("1,1,0,0,0,0,0,-2,0,0", "nca.conc"),
        ("1,1,0,0,0,0,0,high,0,0", "nca.conc"),
        ("1,one,0,0,0,0,0,2,0,0", "nca.number"),
        ("1,,0,0,0,0,0,2,0,0", "nca.time"),
        (",1,0,0,0,0,0,2,0,0", "nca.subject"),
        ("1,1,0,0,0,0,0,2,0,4", "nca.evid"),
        ("1,5,0,0,0,0,0,.,1,1", "nca.amount"),
        ("1,5,10,-2,0,0,0,.,1,1", "nca.rate"),
        ("1,5,10,0,0,3,0,.,1,1", "nca.addl"),
        ("1,0.5,0,0,0,0,0,2,0,0", "nca.twice"),
    ],
)
def test_bad_rows_are_findings_with_their_line(tmp_path: Path, row: str, rule: str) -> None:
    good = "1,0,100,0,0,0,0,.,1,1\n1,0.5,0,0,0,0,0,3,0,0\n1,2,0,0,0,0,0,2,0,0\n"
    given = read_profiles(write(tmp_path, NM_TRAN + good + row + "\n"))
    found = [f for f in given.findings if f.severity == "error"]
    assert [f.rule for f in found][:1] == [rule] and found[0].row == 5


def test_all_bad_rows_are_told_at_once_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write(tmp_path, "id,time,conc\n1,0,-1\n1,x,2\n1,2,bad\n")
    out = tmp_path / "nca.tsv"
    assert main(["nca", data, "--out", str(out)]) == 1
    told = capsys.readouterr().err
    assert f"{data}:2 conc [-1]" in told and f"{data}:3 time [x]" in told and f"{data}:4 conc [bad]" in told
    assert not out.exists()


def test_what_is_not_stated_is_said(tmp_path: Path) -> None:
    given = read_profiles(write(tmp_path, "time,conc\n0,2\n1,1\n"))
    assert rules(given, "warning") == ["nca.subject", "nca.dose"] and not rules(given)
    assert math.isnan(given.profiles[0].doses[0].amount)
    missing = read_profiles(write(tmp_path, "id,when,level\n1,0,2\n"))
    assert rules(missing) == ["nca.column", "nca.column"]
    named = read_profiles(write(tmp_path, "id,when,level\n1,0,2\n"), given={"time": "when", "conc": "level"})
    assert not rules(named)
    wrong = read_profiles(write(tmp_path, "id,time,dv\n1,0,2\n"), given={"conc": "level"})
    assert set(rules(wrong)) == {"nca.column"} and "columns are: id, time, dv" in wrong.findings[0].fix


def test_limits_of_quantification(tmp_path: Path) -> None:
    data = write(tmp_path, "id,time,conc,lloq,cens\n1,0,0.05,0.1,0\n1,1,0.2,0.1,0\n1,2,<0.1,0.1,0\n1,3,0.1,0.1,1\n")
    assert list(read_profiles(data).profiles[0].conc) == [0, 0.2, 0, 0]
    plain = write(tmp_path, "id,time,conc\n1,0,0.05\n1,1,0.2\n")
    assert list(read_profiles(plain, stated=Stated(lloq=0.1)).profiles[0].conc) == [0, 0.2]


def test_the_command_writes_long_and_wide_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write(tmp_path, "id,time,conc\n1,0,0\n1,1,8\n1,2,4\n1,3,2\n1,4,1\n")
    out = tmp_path / "nca.tsv"
    options = [
        "--dose",
        "40",
        "--units",
        "time=h",
        "concentration=mg/L",
        "dose=mg",
        "--above",
        "2",
        "--rules",
        "winnonlin",
    ]
    assert main(["nca", data, *options, "--out", str(out)]) == 0
    assert "missing, each with its reason" in capsys.readouterr().out
    table = pd.read_csv(out, sep="\t", keep_default_na=False)
    assert list(table.columns) == [
        "subject",
        "interval",
        "start",
        "end",
        "parameter",
        "value",
        "unit",
        "reason",
        "flags",
    ]
    row = table.set_index("parameter").loc["half_life"]
    assert float(row["value"]) == pytest.approx(1) and row["unit"] == "h"
    assert float(table.set_index("parameter").loc["time_above", "value"]) == pytest.approx(2.75)
    assert main(["nca", data, "--dose", "40", "--wide", "winnonlin", "--method", "linear"]) == 0
    header, first = capsys.readouterr().out.splitlines()[:2]
    assert dict(zip(header.split("\t"), first.split("\t"), strict=True))["AUClast"] == "14.5"


@pytest.mark.parametrize(
    "options",
    [["--interval", "24"], ["--interval", "5-1"], ["--interval", "0-24:x"], ["--blq", "first"],
     ["--blq", "middle=half"], ["--units", "length=cm"], ["--column", "dose=D"], ["--parameter", "cmaxx"]],
)  # fmt: skip
def test_options_that_say_nothing_are_refused(
    tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    data = write(tmp_path, "id,time,conc\n1,0,2\n1,1,1\n")
    assert main(["nca", data, *options]) == 1
    assert capsys.readouterr().err.startswith("nca: ")


def test_intervals_blq_rules_and_chosen_parameters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write(tmp_path, "id,time,conc\n1,0,0\n1,1,8\n1,2,BLQ\n1,3,2\n1,4,1\n")
    base = ["nca", data, "--dose", "4", "--method", "linear", "--parameter", "auc_int_obs"]
    assert main([*base, "--interval", "0-4", "1-3:tau", "--blq", "middle=keep"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()[1:]]
    assert [(r[1], float(r[5])) for r in rows] == [("0-4", 4 + 4 + 1 + 1.5), ("1-3", 5)]
    assert main([*base, "--interval", "0-4"]) == 0
    assert float(capsys.readouterr().out.splitlines()[1].split("\t")[5]) == 4 + 10 + 1.5


def test_the_list_of_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nca", "--list"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].split("\t")[:3] == ["parameter", "unit", "needs"] and any(
        line.startswith("auc_inf_obs") for line in out
    )
    assert main(["nca"]) == 1 and main(["nca", "no/such/file.csv"]) == 1
