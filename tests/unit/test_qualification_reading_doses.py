"""Data sets as they are: slips corrected, single doses told in words, forms, single people, readings of several."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pharmtwin.facts import fact_table
from pharmtwin.qualification.reading.doses import corrected, corrections, single_dose
from pharmtwin.qualification.reading.names import told_form
from pharmtwin.qualification.reading.people import counted_twice, join
from pharmtwin.qualification.reading.samples import AXIS, samples
from pharmtwin.qualification.reading.sets import DataSet, _left_out, data_sets, person
from pharmtwin.qualification.study import Arm, Dosing, Event, Floats, Person, Profile

ROW = {
    "dataset_id": "x_001", "drug": "digoxin", "analyte": "Digoxin", "osp_name": "Ochs 1978 - 0.5mg - PO - agg. (n=9)",
    "study": "Ochs 1978", "grouping": "0.5mg", "n": "9", "route": "PO", "dose": "0.5 mg", "food": ".",
    "matrix": "Plasma", "error_type": "",
}  # fmt: skip
READ = (("0", "0"), ("0.5", "1"), ("1", "2"), ("8", "1"))
POINTS = tuple(
    {"time_h": t, "conc_ug_per_L": c, "error": ""} for t, c in (("0", "0"), ("0.5", "1"), ("1", "2"), ("8", "1"))
)


def test_one_oral_dose_is_told_by_the_row() -> None:
    (dose,) = single_dose(ROW, POINTS, [])
    assert (dose["compound"], dose["dose"], dose["dose_unit"], dose["application"]) == ("Digoxin", "0.5", "mg", "Oral")
    (per_kg,) = single_dose({**ROW, "dose": "10 mg/kg"}, POINTS, [])
    assert per_kg["dose_unit"] == "mg/kg"


@pytest.mark.parametrize(
    "change",
    [
        {"grouping": "Digoxin + Verapamil"}, {"grouping": "with Perpetrator (GFJ)"}, {"grouping": "Week 4 after x"},
        {"grouping": "0.25mg po md"}, {"grouping": "200 mg OD"}, {"grouping": "day 6"}, {"grouping": "patients"},
        {"grouping": "MAD_m_A 100 mg"}, {"dose": "0,25 / 0,5 mg"}, {"dose": "unknown"}, {"route": "IV/PO"},
        {"grouping": "f, 136kg (obese female)"}, {"osp_name": "x - capsule with cola"},
    ],
)  # fmt: skip
def test_what_is_not_one_dose_alone_stays_without(change: dict[str, str]) -> None:
    assert single_dose({**ROW, **change}, POINTS, []) == ()


@pytest.mark.parametrize("words", ["Control (Perpetrator Placebo)", "solution with water", "day 1", "without x"])
def test_words_that_forbid_nothing(words: str) -> None:
    assert len(single_dose({**ROW, "grouping": words}, POINTS, [])) == 1


def test_clock_whose_zero_may_be_another_event() -> None:
    late = tuple({**p, "time_h": str(float(p["time_h"]) + 1.3)} for p in POINTS)
    assert single_dose(ROW, late, []) == ()
    assert single_dose(ROW, POINTS[:3], []) == (), "two concentrations are too few"


def test_infusion_is_told_or_the_set_is_left() -> None:
    iv = {**ROW, "route": "IV"}
    sibling = ({"application": "Intravenous", "infusion_min": "60"},)
    assert single_dose(iv, POINTS, []) == ()
    assert single_dose(iv, POINTS, [sibling])[0]["infusion_min"] == "60.0"
    other = ({"application": "Intravenous", "infusion_min": "5"},)
    assert single_dose(iv, POINTS, [sibling, other]) == (), "the study has two"
    assert single_dose({**iv, "grouping": "600 mg, 2 h infusion"}, POINTS, [])[0]["infusion_min"] == "120.0"


def test_corrections_of_a_set_and_of_its_doses() -> None:
    doses = [{"compound": c, "time_h": t, "dose": "7.5"} for t in ("0", "24") for c in ("R-omeprazole", "Esomeprazole")]
    row, fixed = corrected(ROW, doses, {"dose": "15", "doses.compound": "Esomeprazole", "doses.dose": "15"})
    assert row["dose"] == "15" and [(d["time_h"], d["dose"]) for d in fixed] == [("0", "15"), ("24", "15")]
    _, first = corrected(ROW, doses, {"doses.times": "first"})
    assert [d["time_h"] for d in first] == ["0", "0"]
    assert corrected(ROW, doses, {}) == (ROW, tuple(doses))


def test_every_correction_has_a_reason_and_one_value() -> None:
    table = fact_table("qualification/profile_corrections.tsv")
    assert table["source"].str.len().min() > 20 and not table.duplicated(["dataset_id", "column"]).any()
    assert set(corrections()) == set(table["dataset_id"])


def test_a_form_that_the_source_gives_everything_tells_nothing() -> None:
    assert told_form("Digoxin", "Solution", "0.5 mg tablet") == "0.5 mg tablet"
    assert told_form("Midazolam", "Oral solution", "x") == "Oral solution"


def folder(tmp_path: Path, rows: list[dict[str, str]], points: list[tuple[str, str, str]]) -> Path:
    pd.DataFrame(rows).to_csv(tmp_path / "osp_datasets.csv", index=False)
    table = pd.DataFrame(points, columns=["dataset_id", "time_h", "conc_ug_per_L"]).assign(error="")
    table.to_csv(tmp_path / "osp_profiles.csv", index=False)
    return tmp_path


def _points(data: DataSet) -> tuple[Floats, Floats, Floats]:
    return samples(data.points, data.doses, data.row["error_type"])


def test_one_person_whose_median_is_there_counts_once(tmp_path: Path) -> None:
    rows = [
        {**ROW, "dataset_id": "a", "osp_name": "Regardh1990.iv_2", "study": "2.0", "n": ""},
        {**ROW, "dataset_id": "b", "osp_name": "Regardh1990.iv_Median", "study": "Median", "n": ""},
        {**ROW, "dataset_id": "c", "osp_name": "Heizmann 1983 - indiv.", "study": "Heizmann 1983", "n": "1"},
    ]
    assert counted_twice(data_sets(folder(tmp_path, rows, []))) == {"a"}, "c has no group"


def test_readings_of_several_people_and_of_an_axis(tmp_path: Path) -> None:
    read = (("1", "1000"), ("1", "4000"), ("1.01", "2000"), ("1.5", "700"), *[("2", "500")] * 3, ("2.5", "0.01"))
    several = [("a", t, c) for t, c in read]
    curve = [("b", t, c) for t, c in (("1", "1000"), ("1.01", "900"), ("1.04", "800"), ("2", "0.01"))]
    rows = [{**ROW, "dataset_id": "a"}, {**ROW, "dataset_id": "b"}]
    sets = data_sets(folder(tmp_path, rows, several + curve))
    time, level, _ = _points(sets["a"])
    assert level == pytest.approx([2.0, 0.5]) and time == pytest.approx([1 + 0.01 / 3, 2.0]), "one at 1.5 h"
    _, level, _ = _points(sets["b"])
    assert level == pytest.approx([1.0, 0.9, 0.8, 0.0]) and np.count_nonzero(level) == 3 and AXIS == 1e-4


def test_readings_at_about_the_same_hour_are_joined_between_doses(tmp_path: Path) -> None:
    hours = ("0.5", "0.5", "0.5", "10", "10.5", "10.9", "11.3", "11.5", "11.6", "12", "12.01", "12.02", "12.5")
    sets = data_sets(folder(tmp_path, [{**ROW, "dataset_id": "a"}], [("a", t, "1000") for t in hours]))
    doses = tuple({**sets["a"].doses[0], "time_h": t} for t in ("0", "12"))
    time, _, _ = _points(replace(sets["a"], doses=doses))
    assert time == pytest.approx([0.5, 31.4 / 3, 34.4 / 3, 12.01]), "a tenth of 10 h; not over 12 h; one at 12.5"


def test_a_person_in_words(tmp_path: Path) -> None:
    row = {**ROW, "osp_name": "Greenblat 1984 - iv - m, 80kg, 70y (elderly male)", "age_y": "", "sex": "",
           "weight_kg": "", "height_cm": "", "population": ""}  # fmt: skip
    (data,) = data_sets(folder(tmp_path, [row], [])).values()
    assert person(data, {}) == Person("M", 70.0, 80.0, None, "EUR")


def test_people_of_one_arm_are_one_mean(tmp_path: Path) -> None:
    one = {**ROW, "osp_name": "Heizmann 1983 - indiv.", "study": "Heizmann 1983", "n": "1"}
    sets = data_sets(folder(tmp_path, [{**one, "dataset_id": i} for i in "abcd"], []))

    def one_person(id_: str, mg: float, hours: list[float], level: list[float]) -> Profile:
        arm = Arm((Dosing("midazolam", "oral", (Event(0.0, mg),)),))
        t, c = np.array(hours), np.array(level)
        return Profile(id_, "midazolam", ("midazolam",), "Heizmann 1983", arm, t, c, c * np.nan, 1)

    given = [
        one_person("a", 10, [1.0, 2.0, 3.0], [1.0, 4.0, 5.0]), one_person("b", 10, [1.01, 2.0], [4.0, 1.0]),
        one_person("c", 10, [1.0, 2.02, 9.0], [2.0, 0.0, 7.0]), one_person("d", 20, [1.0], [3.0]),
    ]  # fmt: skip
    (mean, alone), left = join(given, sets, lambda i, why: _left_out(sets[i], why))
    assert (mean.id, mean.n, alone) == ("a", 3, given[3])
    assert mean.concentration == pytest.approx([2.0, 2.0]), "3 h and 9 h are of one in three"
    assert [(x.id, x.reason) for x in left] == [(i, "one person, joined to a") for i in "bc"]
