"""Sound studies, and how a broken one is made of them: a few small changes, written down as data.

A sound study is a folder of ``sound/``; a file ``x.xlsx.tsv`` or ``x.xpt.tsv`` is written as x.xlsx or x.xpt. A change
is a mapping (see :func:`change`); rows are lines of the file, the header is 1.
"""

from __future__ import annotations

import csv
import io
import re
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from pharmtwin.findings import Finding
from pharmtwin.intake.cells import Reading
from pharmtwin.intake.check import check_all
from pharmtwin.intake.command import SHEETS
from pharmtwin.intake.config import load_config
from pharmtwin.intake.dataset import check_data_set
from pharmtwin.intake.opening import Excluded

HERE = Path(__file__).resolve().parent
NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass
class Study:
    """Files of a study by name; ``after``: changes of workbooks once they are made; ``encoding`` by file."""

    files: dict[str, str]
    after: list[dict[str, Any]] = field(default_factory=list)
    encoding: dict[str, str] = field(default_factory=dict)

    @classmethod
    def sound(cls, name: str) -> Study:
        folder = HERE / "sound" / name
        return cls({p.name: p.read_bytes().decode("utf-8") for p in sorted(folder.iterdir())})

    def name_of(self, file: str) -> str:
        """Name that a file has here: data.xlsx is data.xlsx.tsv until it is written."""
        return file if file in self.files else f"{file}.tsv"


def sound_names() -> list[str]:
    return sorted(p.name for p in (HERE / "sound").iterdir())


def broken_cases() -> list[dict[str, Any]]:
    """All cases of ``broken/*.yaml``; each has name, of (a sound study), change, expect, and perhaps also."""
    cases = []
    for path in sorted((HERE / "broken").glob("*.yaml")):
        for case in yaml.safe_load(path.read_text(encoding="utf-8")):
            cases.append({"also": [], **case, "name": f"{path.stem}: {case['name']}"})
    return cases


def _table(text: str) -> tuple[list[list[str]], str]:
    first = text.lstrip("\ufeff").splitlines()[0]
    mark = "\t" if "\t" in first else "," if "," in first else ";" if ";" in first else "\t"
    return list(csv.reader(io.StringIO(text), delimiter=mark)), mark


def _text(rows: list[list[str]], mark: str) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=mark, lineterminator="\n").writerows(rows)
    return out.getvalue()


def change(study: Study, what: dict[str, Any]) -> None:
    """One change.

    {file, row, COLUMN: cell, ...}      cells of a row
    {file, rows: [..], COLUMN: cell}    cells of several rows
    {file, copy: row, after: row, COLUMN: cell}   a copy of a row, put in after another (default: at the end)
    {file, delete: row}, {file, drop: column}, {file, rename: {old: new}}, {file, swap: [a, b]}
    {file, column: name, all: cell}     a column for all rows; {file, column: name, times: factor}
    {file, replace: [old, new]}, {file, text: all of it (see _content)}, {file, remove: true}, {file, encoding: utf-16}
    {config: {block: {key: value}}}     merged over study.yaml
    {file: x.xlsx, merge: A1:B1}, {file, cell: B3, is: value, format: "000"}, {file, cell: B3, date: 2026-03-04},
    {file, cell: B3, formula: "=A1"}, {file, hide: row}, {file, page: other}   workbooks
    """
    if "config" in what:
        told = yaml.safe_load(study.files["study.yaml"])
        for block, keys in what["config"].items():
            told[block] = (
                {**told.get(block, {}), **keys}
                if isinstance(keys, dict) and isinstance(told.get(block, {}), dict)
                else keys
            )
        study.files["study.yaml"] = yaml.safe_dump(told, sort_keys=False, allow_unicode=True)
        return
    name = study.name_of(what["file"])
    if any(k in what for k in ("merge", "cell", "hide", "page")):
        study.after.append(what)
    elif "text" in what:
        study.files[name if name in study.files else what["file"]] = _content(study.files.get(name, ""), what["text"])
    elif "remove" in what:
        del study.files[name]
    elif "encoding" in what:
        study.encoding[name] = what["encoding"]
    elif "replace" in what:
        assert what["replace"][0] in study.files[name], what
        study.files[name] = study.files[name].replace(*what["replace"])
    else:
        rows, mark = _table(study.files[name])
        _rows(rows, what)
        study.files[name] = _text(rows, mark)


def _content(before: str, text: str) -> str:
    """All of a file: as written, ``@study/file`` for that of a sound study, ``@header`` for what begins with #."""
    if text == "@header":
        return "".join(line for line in before.splitlines(keepends=True) if line.startswith("#"))
    return (HERE / "sound" / text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text


def _rows(rows: list[list[str]], what: dict[str, Any]) -> None:
    header = rows[0]
    cells = {k: v for k, v in what.items() if k in header}
    if "copy" in what:
        new = list(rows[what["copy"] - 1])
        rows.insert(what.get("after", len(rows)), new)
        _set(header, new, cells)
    elif "delete" in what:
        del rows[what["delete"] - 1]
    elif "drop" in what:
        at = header.index(what["drop"])
        for row in rows:
            del row[at]
    elif "rename" in what:
        for old, new in what["rename"].items():
            header[header.index(old)] = new
    elif "swap" in what:
        a, b = (header.index(c) for c in what["swap"])
        header[a], header[b] = header[b], header[a]
    elif "column" in what:
        if what["column"] not in header:
            for i, row in enumerate(rows):
                row.append(what["column"] if i == 0 else "")
        at = header.index(what["column"])
        for row in rows[1:]:
            if "times" not in what:
                row[at] = str(what["all"])
            elif NUMBER.fullmatch(row[at]):
                row[at] = f"{float(row[at]) * what['times']:.6g}"
    else:
        assert cells, f"no such column: {what}"
        for number in what.get("rows", [what.get("row")]):
            _set(header, rows[number - 1], cells)


def _set(header: list[str], row: list[str], cells: dict[str, Any]) -> None:
    row += [""] * (len(header) - len(row))
    for column, cell in cells.items():
        row[header.index(column)] = str(cell)


def write(study: Study, folder: Path) -> None:
    """The study's files in a folder."""
    for name, text in study.files.items():
        if name.endswith(".xlsx.tsv"):
            _workbook(_table(text)[0], folder / name.removesuffix(".tsv"), study.after)
        elif name.endswith(".xpt.tsv"):
            _transport(_table(text)[0], folder / name.removesuffix(".tsv"))
        else:
            (folder / name).write_bytes(text.encode(study.encoding.get(name, "utf-8")))


def _workbook(rows: list[list[str]], path: Path, after: list[dict[str, Any]]) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    page = book.active
    page.title = "data"
    for row in rows:
        page.append(
            [
                float(c) if NUMBER.fullmatch(c) and not (len(c) > 1 and c[0] == "0" and c[1] != ".") else (c or None)
                for c in row
            ]
        )
    for what in (w for w in after if w["file"] == path.name):
        if "merge" in what:
            page.merge_cells(what["merge"])
        elif "hide" in what:
            page.row_dimensions[what["hide"]].hidden = True
        elif "page" in what:
            book.create_sheet(what["page"]).append(["a", "b"])
        elif "date" in what:
            page[what["cell"]] = datetime.fromisoformat(str(what["date"]))
        elif "formula" in what:
            page[what["cell"]] = what["formula"]
        else:
            page[what["cell"]] = what["is"]
            page[what["cell"]].number_format = what.get("format", "General")
    book.save(path)


def _transport(rows: list[list[str]], path: Path) -> None:
    import pandas as pd

    from pharmtwin.dossier.xport import write_xport

    frame = pd.DataFrame(rows[1:], columns=rows[0])
    for column in frame.columns:
        numeric = pd.to_numeric(frame[column].replace("", None), errors="coerce")
        if numeric.notna().sum() == (frame[column] != "").sum() and numeric.notna().any():
            frame[column] = numeric
    write_xport(path, frame, "DATA", "data", {}, datetime(2026, 1, 1, tzinfo=UTC))


def findings_of(folder: Path) -> tuple[list[Finding], list[Excluded]]:
    """What the check says of a written study or data set."""
    if (folder / "study.yaml").is_file():
        config, places, findings = load_config(["study.yaml"], folder)
        if config is None:
            return findings, []
        found, excluded = check_all(config, folder, places=places)
        return findings + found, excluded
    told = yaml.safe_load((folder / "check.yaml").read_text()) if (folder / "check.yaml").is_file() else {}
    reading = Reading(
        timezone=told.get("timezone", ""), units=told.get("units", {}), repairs=frozenset(told.get("repairs", ()))
    )
    out: tuple[list[Finding], list[Excluded]] = ([], [])
    for path in sorted(p for p in folder.iterdir() if p.suffix in SHEETS):
        _, findings, excluded = check_data_set(path.name, folder, reading)
        out = (out[0] + findings, out[1] + excluded)
    return out


def broken(case: dict[str, Any], folder: Path) -> list[Finding]:
    """Findings on a broken study."""
    study = deepcopy(Study.sound(case["of"]))
    for what in case["change"]:
        change(study, what)
    write(study, folder)
    return findings_of(folder)[0]
