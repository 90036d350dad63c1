"""Spreadsheets and SAS files as bytes: what a cell shows, and no crash on what is broken."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime

import openpyxl
import pandas as pd
import pytest

from pharmtwin.dossier.xport import write_xport
from pharmtwin.intake import xlsx
from pharmtwin.intake.sheet import parse_bytes, parse_sheet, workbook_and_sheet


def workbook(rows, **formats):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for cell, form in formats.items():
        book.active[cell].number_format = form
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_cells_are_what_they_show():
    rows = [
        ["id", "n", "x", "when"],
        ["007", 7, 0.1, datetime(2026, 3, 29, 8)],
        [7, 1e5, 3.0, None],
        ["1e5", True, None, "t"],
    ]
    sheet, found = parse_bytes(workbook(rows, A3="000"), "x.xlsx")
    assert found == [] and sheet.kind == "xlsx"
    cells = [tuple(r[c] for c in sheet.columns) for _, r in sheet.rows]
    assert cells == [("007", "7", "0.1", "2026-03-29T08:00:00"), ("007", "100000", "3", ""), ("1e5", "TRUE", "", "t")]
    assert sheet.dates == {(2, "when")}


def test_blank_rows_and_columns_do_no_harm():
    sheet, found = parse_bytes(
        workbook([["a", "b", None], ["1", "2", None], [None, None], ["3", "4"], [None], [" "]]), "x.xlsx"
    )
    assert [n for n, _ in sheet.rows] == [2, 4] and [f.rule for f in found] == ["sheet.blank_line"]


def test_a_named_sheet():
    book = openpyxl.Workbook()
    book.active.append(["a", "b"])
    book.create_sheet("doses").append(["id", "t"])
    out = io.BytesIO()
    book.save(out)
    assert parse_bytes(out.getvalue(), "x.xlsx#doses")[0].columns == ("id", "t")
    assert [f.rule for f in parse_bytes(out.getvalue(), "x.xlsx#nothing")[1]] == ["sheet.no_such_page"]
    assert workbook_and_sheet("a/x.xlsx#doses") == ("a/x.xlsx", "doses") and workbook_and_sheet("a#b.tsv") == (
        "a#b.tsv",
        "",
    )


@pytest.mark.parametrize("n", [0, 4, 30, 200, 1000, -30, -3])
def test_a_broken_workbook_is_refused(n):
    raw = workbook([["a", "b"], [1, 2]])
    sheet, found = parse_bytes(raw[:n] if n else b"PK\x03\x04", "x.xlsx")
    assert sheet is None and found[0].severity == "error"


def test_a_zip_that_unpacks_to_too_much_is_not_unpacked(monkeypatch):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/worksheets/sheet1.xml", b"0" * 2_000_000)
    monkeypatch.setattr(xlsx, "MAX_BYTES", 1_000_000)
    sheet, found = parse_bytes(out.getvalue(), "x.xlsx")
    assert sheet is None and [f.rule for f in found] == ["sheet.too_large"]


def test_one_cell_far_out_is_refused_before_the_page_is_walked():
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.active["A1"], book.active["XFD1048576"] = "id", 1
    book.save(out)
    sheet, found = parse_bytes(out.getvalue(), "x.xlsx")
    assert sheet is None and [f.rule for f in found] == ["sheet.too_large"]
    assert "1048576 rows and 16384 columns" in found[0].what


def test_a_zip_that_is_no_workbook():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as parts:
        parts.writestr("a.txt", b"a")
    assert [f.rule for f in parse_bytes(out.getvalue(), "x.xlsx")[1]] == ["sheet.not_text"]


def test_a_transport_file_gives_its_numbers_back(tmp_path):
    """Zeros too: pandas reads a stored zero as 5.4e-79."""
    frame = pd.DataFrame(
        {"USUBJID": ["A-01", "B"], "AFRLT": [0.0, 1.25], "DV": [float("nan"), 1e-7], "N": [3.0, -12.0]}
    )
    write_xport(tmp_path / "a.xpt", frame, "ADPC", "data", {}, datetime(2026, 1, 1, tzinfo=UTC))
    raw = (tmp_path / "a.xpt").read_bytes()
    sheet, found = parse_bytes(raw, "a.xpt")
    assert found == [] and sheet.kind == "xport"
    assert list(sheet.rows) == [
        (2, {"USUBJID": "A-01", "AFRLT": "0", "DV": "", "N": "3"}),
        (3, {"USUBJID": "B", "AFRLT": "1.25", "DV": "1e-07", "N": "-12"}),
    ]
    for n in (80, 240, 500, 700, 1000):
        assert isinstance(parse_bytes(raw[:n], "a.xpt")[1], list)
    assert [f.rule for f in parse_bytes(b"HEADER RECORD*******LIBV8   HEADER", "a.xpt")[1]] == ["sheet.not_transport"]


def test_nmtran_with_blanks_and_a_hash():
    sheet, found = parse_sheet("# ID  TIME  DV\n  1   0     .\n#  1   2    3\n  2   0  5\n", "d.dat")
    assert sheet.columns == ("ID", "TIME", "DV") and found == []
    assert [tuple(r[c] for c in sheet.columns) for _, r in sheet.rows] == [
        ("1", "0", "."),
        ("#1", "2", "3"),
        ("2", "0", "5"),
    ]
