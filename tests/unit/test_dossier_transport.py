"""Transport files: bytes of the layout TS-140, values read back by pandas, limits refused, every change said."""

from __future__ import annotations

import struct
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dossier_fixture import make_run

from pharmtwin.dossier.datasets import _meanings, ascii_text, data_set, data_sets, definitions
from pharmtwin.dossier.xport import MAX_LABEL, NotTransportable, write_xport

pytest.importorskip("pyreadstat")
WHEN = datetime(2026, 11, 22, 13, 48, 17)


def _write(path: Path, frame: pd.DataFrame) -> bytes:
    write_xport(path, frame, "PC", "Concentrations", {c: f"label of {c}" for c in frame}, WHEN)
    return path.read_bytes()


def _read(path: Path) -> pd.DataFrame:
    """By pandas, whose own code reads the format; it turns the eight zero bytes of 0 into 16**-65 (5.4e-79)."""
    back = pd.read_sas(path, format="xport", encoding="ascii")
    return back.replace(16.0**-65, 0.0)


def test_values_come_back_exactly(tmp_path: Path) -> None:
    values = [1 / 3, -2.5e-7, 0.0, 1e6 + 1 / 7, float("nan"), 123456789.125]
    frame = pd.DataFrame({"X": values, "T": ["a", "", None, "x" * 200, " y", "z"]})
    _write(tmp_path / "pc.xpt", frame)
    back = _read(tmp_path / "pc.xpt")
    assert np.array_equal(back["X"], frame["X"], equal_nan=True)
    assert back["T"].fillna("").tolist() == ["a", "", "", "x" * 200, " y", "z"]


def test_bytes_are_those_of_the_published_layout(tmp_path: Path) -> None:
    """TS-140: records of 80 bytes, header literals, IBM doubles (1 is 41 10 ..., -118.625 is C2 76 A0 ...)."""
    raw = _write(tmp_path / "pc.xpt", pd.DataFrame({"X": [1.0, -118.625]}))
    assert len(raw) % 80 == 0
    assert raw[:80] == b"HEADER RECORD*******LIBRARY HEADER RECORD!!!!!!!" + b"0" * 30 + b"  "
    assert raw[240:288] == b"HEADER RECORD*******MEMBER  HEADER RECORD!!!!!!!"
    assert raw[144:160] == raw[160:176] == raw[464:480] == raw[480:496] == b"22NOV26:13:48:17"
    start = raw.index(b"HEADER RECORD*******OBS     HEADER RECORD!!!!!!!") + 80
    assert raw[start : start + 16] == struct.pack(">QQ", 0x4110000000000000, 0xC276A00000000000)
    names = raw.index(b"HEADER RECORD*******NAMESTR") + 80
    assert raw[names + 8 : names + 16] == b"X       " and raw[names + 16 : names + 56].rstrip() == b"label of X"


def test_zero_is_written_as_zero(tmp_path: Path) -> None:
    raw = _write(tmp_path / "pc.xpt", pd.DataFrame({"X": [0.0]}))
    start = raw.index(b"HEADER RECORD*******OBS     HEADER RECORD!!!!!!!") + 80
    assert raw[start : start + 8] == bytes(8)


def test_equal_data_give_equal_bytes_whatever_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame({"X": [1.0], "T": ["a"]})
    first = _write(tmp_path / "a.xpt", frame)
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    assert _write(tmp_path / "b.xpt", frame) == first


def test_no_row_is_lost_where_short_rows_end_with_blanks(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"T": ["a", "b", "c"], "U": ["long enough", None, None], "X": [1.0, 2.0, 3.0], "V": ["x"] + [None] * 2}
    )
    _write(tmp_path / "pc.xpt", frame)
    back = _read(tmp_path / "pc.xpt")
    assert len(back) == 3 and back["T"].tolist() == ["a", "b", "c"] and back["X"].tolist() == [1, 2, 3]


def test_what_the_format_cannot_hold_is_refused_at_once(tmp_path: Path) -> None:
    frame = pd.DataFrame({"TOOLONGNAME": ["µ"], "X": ["y" * 201]})
    with pytest.raises(NotTransportable) as caught:
        write_xport(tmp_path / "x.xpt", frame, "pc", "l" * 41, {"X": "ß"}, WHEN)
    said = str(caught.value)
    assert all(w in said for w in ("'pc'", "TOOLONGNAME", "'µ'", "yyyy", "llll", "'ß'"))
    assert not (tmp_path / "x.xpt").exists()


def test_definitions_fit_the_format_and_cover_the_schemas() -> None:
    for name, about in definitions().items():
        short = [v[0] for v in about["variables"].values()]
        labels = [about["label"], *(v[1] for v in about["variables"].values())]
        assert len(set(short)) == len(short), name
        assert all(len(s) <= 8 and s.isascii() and s.isupper() for s in [name, *short]), name
        assert all(len(x) <= MAX_LABEL and x.isascii() for x in labels), (
            name,
            [x for x in labels if len(x) > MAX_LABEL],
        )
        known = set(_meanings(about))
        assert set(about["variables"]) | set(about.get("left_out", {})) >= known, (
            name,
            known - set(about["variables"]),
        )
        assert set(about["variables"]) <= known and set(about["key"]) <= set(about["variables"]), name


def test_text_in_ascii_keeps_what_it_can() -> None:
    assert ascii_text("0.1 µg/mL ≤ Rüdesheim – “x” 5\u202f000") == '0.1 ug/mL <= Rudesheim - "x" 5 000'
    assert ascii_text("日") == "?"


def test_every_change_on_the_way_is_noted(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    findings = pd.DataFrame(
        [{"severity": "note", "file": "f", "row": 1, "column": "", "value": "", "what": "µ" * 3, "why": "w" * 300,
          "fix": "x", "rule": "r"}]
    )  # fmt: skip
    made = data_set("FINDINGS", findings)
    assert made.notes == ("WHAT: letters beyond ASCII replaced in 1 cells", "WHY: cut at 200 characters in 1 cells")
    dm = data_set("DM", run.study.twins.assign(extra=1))
    assert any("extra left out" in n for n in dm.notes) and any("vcf left out" in n for n in dm.notes)


def test_all_records_of_the_run_are_in_the_data_sets(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    sets = {s.name: s for s in data_sets(run)}
    assert len(sets["PC"].frame) == len(run.study.events) == 3
    assert list(sets["PC"].frame["USE"].fillna("")) == ["", "fit", "test"]
    assert len(sets["PRED"].frame) == len(run.inputs.predictions)
    for s in sets.values():
        write_xport(tmp_path / f"{s.name}.xpt", s.frame, s.name, s.label, {v.name: v.label for v in s.variables}, WHEN)
        back = _read(tmp_path / f"{s.name}.xpt")
        assert list(back.columns) == list(s.frame.columns) and len(back) == len(s.frame)
        for v in s.variables:
            if v.kind == "number":
                assert np.array_equal(back[v.name], s.frame[v.name], equal_nan=True), (s.name, v.name)
            else:
                assert back[v.name].fillna("").tolist() == s.frame[v.name].fillna("").str.rstrip().tolist(), (
                    s.name,
                    v.name,
                )
