"""What was once read in silence: lost rows, units that were not asked, the wrong one of two columns."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, datetime

import openpyxl
import pandas as pd
import pytest
from openpyxl.styles import Font
from tests.corpus.build import Study, change, findings_of, write

from pharmtwin.cli import main
from pharmtwin.dossier.xport import write_xport
from pharmtwin.intake.cells import Reading
from pharmtwin.intake.dataset import check_data_set
from pharmtwin.intake.regimen_text import RegimenError, parse_regimen
from pharmtwin.intake.sheet import parse_bytes, parse_sheet

SAMPLES = "1,0,1,20,\n1,2,0,,15.2\n1,8,0,,14.2\n"


def data(tmp_path, text, **reading):
    (tmp_path / "d.csv").write_text(text, encoding="utf-8")
    sheet, findings, _ = check_data_set("d.csv", tmp_path, Reading(**reading))
    return sheet, findings


def of(findings, rule):
    return [f for f in findings if f.rule == rule]


def column(sheet, name):
    return [cells[name] for _, cells in sheet.rows]


def test_a_delimiter_inside_a_quoted_heading_is_none():
    sheet, _ = parse_sheet('ID;"DV, ng/mL";TIME\n1;2;3\n', "d.csv")
    assert sheet.columns == ("ID", "DV, ng/mL", "TIME")


def test_short_rows_are_told_once_by_commas_each_by_blanks_and_never_by_tabs():
    def told(text):
        return [(f.row, f.severity) for f in of(parse_sheet(text, "d")[1], "sheet.row_short")]

    assert told("a,b,c\n1,2\n1,2,3\n1\n") == [(2, "warning")]
    assert told("ID TIME DV\n1 2\n1 2 3\n1 3\n") == [(2, "error"), (4, "error")]
    assert told("a\tb\tc\n1\t2\n") == []
    assert told("a,b,c\n#1,2\n1,2,\n") == []


def test_an_inch_mark_is_no_open_quote():
    assert not of(parse_sheet('a,b,c\n1,5" needle,3\n1,"x ""y""",3\n', "d")[1], "sheet.quote")
    assert of(parse_sheet('a,b,c\n1,"5 needle,3\n', "d")[1], "sheet.quote")[0].row == 2


def workbook(change):
    book = openpyxl.Workbook()
    for row in (["ID", "NOTE"], [1, "x"], [2, "y"]):
        book.active.append(row)
    change(book.active)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_a_formula_that_was_saved_as_empty_is_an_empty_cell_and_one_that_was_not_saved_is_an_error():
    def formula(page):
        page["A4"], page["B4"] = "=A3", '=IF(A3="","",A3)'

    raw = workbook(formula)
    (found,) = of(parse_bytes(raw, "d.xlsx")[1], "sheet.formula")
    assert (found.row, found.value, found.severity) == (4, "A4", "error") and "1 more" in found.what
    saved = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(saved, "w") as new:
        for name in old.namelist():
            part = old.read(name)
            for cell in (b"A4", b"B4"):  # as Excel saves a formula whose text is empty
                part = part.replace(b'<c r="' + cell + b'">', b'<c r="' + cell + b'" t="str">')
            new.writestr(name, part)
    sheet, findings = parse_bytes(saved.getvalue(), "d.xlsx")
    assert not of(findings, "sheet.formula") and len(sheet.rows) == 2


def test_struck_through_cells_are_told():
    def strike(page):
        page["B3"].font = Font(strike=True)

    (found,) = of(parse_bytes(workbook(strike), "d.xlsx")[1], "sheet.struck")
    assert (found.row, found.value, found.severity) == (3, "B3", "warning")
    assert not of(parse_bytes(workbook(lambda page: None), "d.xlsx")[1], "sheet.struck")


def test_an_empty_page_that_is_named_is_empty_and_not_damaged():
    def second(page):
        page.parent.create_sheet("other")

    sheet, (found,) = parse_bytes(workbook(second), "d.xlsx#other")
    assert sheet is None and found.rule == "sheet.empty"


def transport(tmp_path):
    frame = pd.DataFrame({"USUBJID": ["S-1"] * 7, "AFRLT": [0.0, 2, 4, 6, 8, 10, 12]})
    write_xport(tmp_path / "d.xpt", frame, "DATA", "data", {}, datetime(2026, 1, 1, tzinfo=UTC))
    return (tmp_path / "d.xpt").read_bytes()


def test_a_transport_file_that_is_cut_off_or_holds_two_data_sets_is_refused(tmp_path, recwarn):
    raw = transport(tmp_path)
    assert len(parse_bytes(raw, "d.xpt")[0].rows) == 7
    for broken, words in ((raw[:-90], "cut off"), (raw + raw[240:], "more than one data set")):
        sheet, (found,) = parse_bytes(broken, "d.xpt")
        assert sheet is None and found.rule == "sheet.not_transport" and words in found.what
    assert not recwarn.list


def test_of_two_ids_the_unique_one_is_read(tmp_path):
    rows = "".join(f"001,{site}-001,{t}\n" for site in "AB" for t in ("0,1,20,mg,,", "2,0,,,15.2,ng/mL"))
    sheet, _ = data(tmp_path, f"SUBJID,USUBJID,AFRLT,EVID,AMT,AMTU,DV,DVU\n{rows}")
    assert column(sheet, "twin_id") == ["A-001", "A-001", "B-001", "B-001"]


def test_conc_is_a_concentration_and_dv_comes_before_it(tmp_path):
    units = {"units": {"AMT": "mg", "DV": "ng/mL", "CONC": "mg/L"}}
    sheet, _ = data(tmp_path, "ID,TIME,EVID,AMT,CONC\n1,0,1,20,\n1,2,0,,0.0152\n", **units)
    assert column(sheet, "dv_ng_ml") == ["", "15.2"]
    for conc, hits in (("0.0152", 0), ("15.2", 1)):
        sheet, found = data(tmp_path, f"ID,TIME,EVID,AMT,CONC,DV\n1,0,1,20,,\n1,2,0,,{conc},15.2\n", **units)
        assert column(sheet, "dv_ng_ml") == ["", "15.2"] and len(of(found, "sheet.column_twice")) == hits


def test_units_of_one_size_do_not_contradict(tmp_path):
    text = "USUBJID,AFRLT,EVID,AMT,AMTU,DV,DVU\n1,0,1,20,mg,,\n1,2,0,,,15.2,ug/L\n"
    _, found = data(tmp_path, text, units={"DV": "ng/mL"})
    assert not of(found, "units.contradiction")
    sheet, found = data(tmp_path, text.replace("ug/L", "ug/mL"), units={"DV": "ng/mL"})
    assert [f.row for f in of(found, "units.contradiction")] == [3] and column(sheet, "dv_ng_ml")[1] == "15.2"


def test_a_zero_and_a_limit_on_a_dose_row_need_no_unit(tmp_path):
    head = "USUBJID,AFRLT,EVID,AMT,AMTU,DV,DVU,AVALU,ALLOQ\n"
    _, found = data(tmp_path, f"{head}1,0,1,20,mg,,,,0.1\n1,2,0,0,,15.2,ng/mL,ng/mL,0.1\n1,4,0,,,7.1,,ng/mL,0.1\n")
    assert [(f.row, f.column, f.value) for f in of(found, "units.undeclared")] == [(4, "DV", "7.1")]


def test_time_from_the_reference_dose_has_the_unit_of_time(tmp_path):
    rows = "".join(f"1,{t},DAYS,{t},20,mg,{dv},ng/mL\n" for t, dv in ((0.5, 15.2), (1, 7.1), (2, 3.2)))
    sheet, _ = data(tmp_path, f"USUBJID,AFRLT,AFRLTU,ARRLT,DOSEA,DOSEU,AVAL,AVALU\n{rows}")
    doses = [(c["time_h"], c["dose_mg"]) for _, c in sheet.rows if c["evid"] == "1"]
    assert doses == [("0", "20")] and column(sheet, "time_h") == ["0", "12", "24", "48"]


def test_an_amount_of_zero_is_no_first_dose(tmp_path):
    times = ("07:30Z,0,0,0", "08:00Z,1,20,", "10:00Z,0,0,15.2")
    text = "ID,TIME,EVID,AMT,DV\n" + "".join(f"1,2026-03-01T{t}\n" for t in times)
    sheet, _ = data(tmp_path, text, units={"AMT": "mg", "DV": "ng/mL"})
    assert column(sheet, "time_h") == ["-0.5", "0", "2"]


@pytest.mark.parametrize("heading", ["DATE", "Date", "dat1"])
def test_a_date_is_one_in_any_letters(heading, tmp_path):
    text = f"ID,{heading},TIME,EVID,AMT,DV\n1,2026-03-01,8:00,1,20,\n1,2026-03-02,9:30,0,,15.2\n"
    sheet, _ = data(tmp_path, text, timezone="UTC", units={"AMT": "mg", "DV": "ng/mL"})
    assert column(sheet, "time_h") == ["0", "25.5"]


def test_hours_that_go_on_beside_a_date_are_a_note_and_hours_of_a_day_an_error(tmp_path):
    for last, severity in ((26, "note"), (9, "error")):
        text = f"ID,DATE,TIME,EVID,AMT,DV\n1,1,0,1,20,\n1,1,8,0,,15.2\n1,2,{last},0,,7.1\n"
        _, found = data(tmp_path, text, units={"AMT": "mg", "DV": "ng/mL"})
        assert [(f.row, f.severity) for f in of(found, "time.date_beside_hours")] == [(4, severity)]
    _, found = data(tmp_path, text.replace("1,2,9", "1,1,9"), units={"AMT": "mg", "DV": "ng/mL"})
    assert not of(found, "time.date_beside_hours")


def test_a_length_that_no_number_of_intervals_fills_is_refused():
    assert parse_regimen("20 mg q8h for 1 d")[0].n == 3
    with pytest.raises(RegimenError, match="no whole number"):
        parse_regimen("20 mg q8h for 20 h")


def test_the_first_fault_of_a_person_is_not_said_of_the_body_too(tmp_path):
    rows = SAMPLES.replace("\n", ",M,-3,70,178\n")
    _, found = data(tmp_path, f"ID,TIME,EVID,AMT [mg],DV [ng/mL],SEX,AGE,WT,HT\n{rows}")
    assert {f.rule for f in found if f.severity == "error"} == {"events.out_of_range"}


def test_columns_that_are_read_are_not_called_unread(tmp_path):
    text = "USUBJID,AFRLT,AFRLTU,EVID,AMT,AMTU,DV,DVU,SITE\n1,0,h,1,20,mg,,,A\n1,2,h,0,,,15.2,ng/mL,A\n"
    (found,) = of(data(tmp_path, text)[1], "sheet.columns_unread")
    assert found.what == "columns that are not read: SITE" and found.severity == "note"


def study(tmp_path, *changes):
    made = Study.sound("adults")
    for what in changes:
        change(made, what)
    write(made, tmp_path)
    return [f for f in findings_of(tmp_path)[0] if f.rule != "twins.no_vcf"]


def test_another_file_than_meant_is_said_in_one_sentence_without_its_content(tmp_path):
    secret = "admin:x:0:0:secret:/root:/bin/sh"
    for table in ("twins", "events"):
        (tmp_path / table).mkdir()
        (tmp_path / table / "passwd").write_text(f"{secret}\nuser:x:1:1::/home:/bin/sh\n")
        found = study(tmp_path / table, {"config": {"paths": {table: "passwd"}}})
        its = [f for f in found if f.file == "passwd"]
        assert [(f.rule, f.row) for f in its] == [("sheet.no_column_known", 1)]
        assert not [f for f in found if "secret" in f.message()]


def test_a_comedication_with_its_dose_is_recognised_as_a_drug_of_the_library(tmp_path):
    found = study(tmp_path, {"file": "twins.tsv", "column": "comedication", "all": "Quinidin 200 mg"})
    assert {f.fix for f in of(found, "comedication.near")} == {"write quinidine if that is meant"}


def test_digits_of_other_scripts_are_no_number(tmp_path):
    (found,) = study(tmp_path, {"file": "events.tsv", "row": 4, "dv_ng_ml": "１７.3"})
    assert (found.rule, found.row) == ("events.not_a_number", 4)


def test_the_check_hides_ids_where_the_study_hides_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PHARMTWIN_PSEUDONYM_KEY", "a key of more than sixteen bytes")
    made = Study.sound("adults")
    for what in (
        {"config": {"privacy": {"pseudonyms": True}}},
        {"file": "events.tsv", "row": 4, "twin_id": "T9"},
        {"file": "events.tsv", "column": "exclude", "all": ""},
        {"file": "events.tsv", "row": 5, "exclude": "sample of T2 given to T1"},
    ):
        change(made, what)
    write(made, tmp_path)
    assert main(["check", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().out + "".join(p.read_text() for p in (tmp_path / "out").iterdir())
    assert "events.unknown_twin" in told and "sheet.row_excluded" in told
    assert not re.search(r"\bT[1-9]\b", told)
