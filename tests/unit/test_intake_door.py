"""The door: the same study, written in other units, on another clock, in another file, gives the same numbers."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from tests.corpus.build import Study, write

from pharmtwin.intake.cells import Reading
from pharmtwin.intake.columns import sheet_spec
from pharmtwin.intake.config import load_config
from pharmtwin.intake.door import through_door
from pharmtwin.intake.sheet import parse_sheet
from pharmtwin.intake.study import load_study
from pharmtwin.workflow.plan import make_plan

ROOT = Path(__file__).resolve().parents[2]
HOURS_OF_ADULTS = [0, 2, 4, 8, 12, 23.5]


def study(name, folder):
    folder.mkdir(exist_ok=True)
    write(Study.sound(name), folder)
    config, places, _ = load_config(["study.yaml"], folder)
    loaded, _ = load_study(config, folder, places)
    return loaded, config


@pytest.fixture
def adults(tmp_path):
    return study("adults", tmp_path / "adults")[0]


def door(text, table="events", **how):
    sheet, _ = parse_sheet(text, f"{table}.tsv")
    return through_door(sheet, sheet_spec(table), Reading(**how))


@pytest.mark.parametrize("name", ["units_in_headings", "units_row"])
def test_units_of_people_are_converted(name, adults, tmp_path):
    """165 cm as 1.65 m, 62.5 kg as 137.8 lb, 0.72 mg/dL as 64 µmol/L: to the digits that were written."""
    other = study(name, tmp_path / name)[0]
    for column, rounding in (("age_y", 0), ("weight_kg", 0.03), ("height_cm", 1e-9), ("creatinine_mg_dl", 0.006)):
        assert (adults.twins[column] - other.twins[column]).abs().max() <= rounding, column


def test_units_of_events_are_converted(adults, tmp_path):
    other = study("units_in_headings", tmp_path / "u")[0]
    for column in ("time_h", "dose_mg", "ii_h", "dv_ng_ml", "lloq_ng_ml"):
        pd.testing.assert_series_equal(adults.events[column], other.events[column], rtol=1e-9)


def test_molar_concentrations_are_converted_by_the_molar_mass(adults, tmp_path):
    """Paroxetine, 329.4 g/mol: 1 nmol/L is 0.3294 ng/mL; the file holds four digits."""
    other = study("molar", tmp_path / "m")[0]
    pd.testing.assert_series_equal(adults.events["dv_ng_ml"], other.events["dv_ng_ml"], rtol=6e-4)


@pytest.mark.parametrize("name", ["clock_offsets", "clock_zone", "spreadsheets", "bom_and_crlf"])
def test_clocks_and_files_give_the_same_events(name, adults, tmp_path):
    """The clock studies cross the night of 29 March 2026 in Berlin, in which an hour is lacking."""
    other = study(name, tmp_path / name)[0]
    for column in ("time_h", "dose_mg", "dv_ng_ml"):
        pd.testing.assert_series_equal(adults.events[column], other.events[column], rtol=1e-9)
    assert adults.events["time_h"][:6].tolist() == HOURS_OF_ADULTS


def test_regimens_in_words_give_the_same_doses(adults, tmp_path):
    other = study("regimens", tmp_path / "r")[0]
    doses = [t.events[t.events.evid == 1][["dose_mg", "ii_h", "addl", "route"]] for t in (adults, other)]
    pd.testing.assert_frame_equal(doses[0].reset_index(drop=True), doses[1].reset_index(drop=True))
    assert other.scenarios[["dose_mg", "interval_h", "n_doses"]].iloc[1].tolist() == [10, 12, 28]


def test_nonmem_names_and_constants_serve_a_study(adults, tmp_path):
    other = study("nonmem_in_study", tmp_path / "n")[0]
    for column in ("twin_id", "time_h", "evid", "dose_mg", "addl", "dv_ng_ml", "drug", "route"):
        mine, theirs = adults.events[column], other.events[column]
        assert mine.isna().tolist() == theirs.isna().tolist() and mine.dropna().tolist() == theirs.dropna().tolist()


def test_the_plan_of_the_workflow_uses_the_same_rows(tmp_path):
    """Digests and fit rows come from the sheets as they are read, whatever the file."""
    plans = {}
    for name in ("adults", "spreadsheets", "clock_offsets"):
        _, config = study(name, tmp_path / name)
        plans[name] = make_plan(config, tmp_path / name)
    assert plans["clock_offsets"].bucket_digest(plans["clock_offsets"].buckets[0]) == plans["adults"].bucket_digest(
        plans["adults"].buckets[0]
    )
    assert "006" in plans["spreadsheets"].sampled and plans["adults"].sampled == {f"T{i}" for i in range(1, 7)}


def test_ids_stay_as_they_are_written(tmp_path):
    loaded, _ = study("ids_like_numbers", tmp_path / "i")
    assert loaded.twins["twin_id"].tolist() == ["007", "7", "1e5", "100000", "A-1", "a_2"]
    assert study("spreadsheets", tmp_path / "s")[0].twins["twin_id"].tolist()[-1] == "006"


def test_what_was_written_is_kept():
    sheet, found = door("twin_id\tweight [lb]\nT1\t165\n", "twins")
    assert sheet.rows[0][1]["weight_kg"] == "74.84274105" and sheet.origin == {"weight_kg": "weight [lb]"}
    assert sheet.written[(2, "weight_kg")] == "165"
    (note,) = [f for f in found if f.rule == "units.converted"]
    assert (note.row, note.column, note.value, note.severity) == (2, "weight [lb]", "165", "note")


@pytest.mark.parametrize(
    ("heading", "cell", "column", "value"),
    [
        ("weight [kg]", "70", "weight_kg", 70), ("WT (lb)", "100", "weight_kg", 45.359237),
        ("body weight [[lb_av]]", "100", "weight_kg", 45.359237), ("height_in", "70", "height_cm", 177.8),
        ("age [mo]", "18", "age_y", 1.5), ("age [a]", "18", "age_y", 18), ("albumin [g/dL]", "4.1", "albumin_g_l", 41),
        ("haematocrit [%]", "42", "haematocrit", 0.42), ("gfr [L/h]", "6", "gfr_ml_min", 100),
        ("creatinine_umol_l", "88.42", "creatinine_mg_dl", 1), ("Creatinine_mg_dL", "1.1", "creatinine_mg_dl", 1.1),
    ],
)  # fmt: skip
def test_headings_with_units(heading, cell, column, value):
    sheet, found = door(f"twin_id\t{heading}\nT1\t{cell}\n", "twins")
    assert math.isclose(float(sheet.rows[0][1][column]), value, rel_tol=1e-9)
    assert not [f for f in found if f.severity == "error"]


def test_a_unit_that_nobody_tells_is_not_guessed():
    sheet, found = door("ID,TIME,AMT,DV\n1,0,100,.\n")
    assert {(f.rule, f.column) for f in found if f.severity == "error"} == {
        ("units.undeclared", "AMT"), ("units.undeclared", "DV")}  # fmt: skip
    assert sheet.undeclared == {"dose_mg", "dv_ng_ml"}
    _, found = door("ID,TIME,AMT,DV\n1,0,100,.\n", units={"AMT": "ug", "DV": "mg/L"})
    assert not [f for f in found if f.severity == "error"]


def test_adpc_tells_its_doses():
    """A sample 1 h after a dose and 25 h after the first dose: a dose at 24 h."""
    text = (
        "USUBJID,AFRLT,ARRLT,DOSEA,DOSEU,AVAL,AVALU\nA,1,1,5,mg,2,ug/L\nA,23.5,-0.5,5,mg,1,ug/L\nA,25,1,5,mg,3,ug/L\n"
    )
    sheet, _ = door(text)
    doses = [(n, float(c["time_h"]), c["dose_mg"]) for n, c in sheet.rows if c["evid"] == "1"]
    assert doses == [(2, 0, "5"), (3, 24, "5")]
    assert [float(c["time_h"]) for _, c in sheet.rows if c["evid"] == "0"] == [1, 23.5, 25]


def test_a_plain_sheet_is_read_without_heavy_packages():
    """Every job parses the Snakefile, which reads the sheets."""
    code = (
        "import sys, yaml; from pharmtwin.workflow.plan import make_plan; "
        "make_plan(yaml.safe_load(open('config/config.yaml'))); sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
