"""Exported tables: what a spreadsheet would compute is text there, and comes back as it was; numbers are untouched."""

from __future__ import annotations

import ast
import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pharmtwin.findings import Finding, write_findings
from pharmtwin.tables import read_table
from pharmtwin.tables.spreadsheet import escaped, tsv, unescaped

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "pharmtwin"
FORMULAS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+A1",
    "-A1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1",
    "+1+1",
    "-2+3+cmd",
    "'=1",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_text(text: str) -> None:
    assert escaped(text) == f"'{text}" and unescaped(escaped(text)) == text


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "+1.5e-3", "-.5", "-inf", "-5%", "-", "+", "+/-", "*1/*2", "a=b", "rs1", "1-2", "'quoted'"]
)
def test_what_is_no_formula_is_left_alone(text: str) -> None:
    expected = text if text != "+/-" else "'+/-"
    assert escaped(text) == expected and unescaped(expected) == text


@given(st.text(alphabet=st.sampled_from("=+-@'\t\r\n＝1.e5 aé"), max_size=8))
def test_every_text_comes_back(text: str) -> None:
    assert unescaped(escaped(text)) == text
    assert unescaped(text) == text or escaped(unescaped(text)) == text


def test_numbers_are_written_in_full_precision() -> None:
    numbers = np.array([-1.0, 1 / 3, -1e-300, np.nan, -0.1 - 0.2])
    frame = pd.DataFrame(
        {"x": numbers, "n": [-1, 2, 3, 4, 5], "name": ["=1", "a", "-2", "b", "\t"], "+c": list("abcde")}
    )
    text = tsv(frame)
    rows = list(csv.reader(io.StringIO(text), delimiter="\t"))
    assert rows[0] == ["x", "n", "name", "'+c"]
    assert [float(r[0]) if r[0] else np.nan for r in rows[1:]] == pytest.approx(
        numbers.tolist(), rel=0, abs=0, nan_ok=True
    )
    assert [r[1] for r in rows[1:]] == ["-1", "2", "3", "4", "5"] and [r[2] for r in rows[1:]] == [
        "'=1",
        "a",
        "-2",
        "b",
        "'\t",
    ]


def test_a_table_of_the_workflow_comes_back(tmp_path: Path) -> None:
    made = [Finding.create("a.b", "=file.tsv", "@what", "-why", "+fix", value=v, row=i) for i, v in enumerate(FORMULAS)]
    write_findings(made, tmp_path / "findings.tsv")
    raw = (tmp_path / "findings.tsv").read_bytes().decode("utf-8")
    assert "\r" not in [line[-1:] for line in raw.split("\n")]
    assert not [
        cell
        for row in csv.reader(io.StringIO(raw, newline=""), delimiter="\t")
        for cell in row
        if cell[:1] in tuple("=@\t\r＝")
    ]
    back = read_table("findings", tmp_path / "findings.tsv")
    assert sorted(back["value"]) == sorted(FORMULAS) and set(back["file"]) == {"=file.tsv"}


def test_no_other_code_writes_tables_as_text() -> None:
    """Tables of results are written by ``tables.spreadsheet.tsv``; curation writes our own resources."""
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        if path.name == "spreadsheet.py" or path.parent.name == "curation":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("to_csv", "to_excel", "to_clipboard", "DictWriter"):
                wrong.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert not wrong, wrong
