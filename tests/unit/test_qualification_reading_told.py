"""What words tell of smoking, phenotype and food; which samples are measurements, and when their clock begins."""

from __future__ import annotations

import numpy as np
import pytest

from pharmtwin.facts import fact_table
from pharmtwin.qualification.reading.doses import single_dose
from pharmtwin.qualification.reading.samples import end_seen, last_place, samples, still
from pharmtwin.qualification.reading.sets import DataSet
from pharmtwin.qualification.reading.told import as_labelled, habits, phenotype, stomach
from pharmtwin.qualification.study import Dosing, Event

ROW = {"osp_name": "x", "grouping": "", "food": "", "osp_simulation": "", "genotype_or_phenotype": "", "route": "PO",
       "study": "Ochs 1978", "n": "", "genotype_of_linked_individual": "", "drug": "digoxin",
       "dose": "1 mg"}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Spigset 1995.50 mg SD.EM.smoker", ((1.55, 1.0),)),
        ("group of 12 smokers", ((1.55, 1.0),)),
        ("Kunii 2005.50 mg SD.EM/PM.smoker/non-smoker", ((1.0, 0.5), (1.55, 0.5))),
        ("Spigset 1995.50 mg SD.EM.non-smoker", None),
        ("12 non smokers", None),
        ("12 nonsmokers", None),
        ("van Harten 1991.50 mg SD", None),
    ],
)
def test_smokers(name: str, expected: tuple[tuple[float, float], ...] | None) -> None:
    assert habits({**ROW, "osp_name": name}) == ({} if expected is None else {"CYP1A2": expected})


@pytest.mark.parametrize(
    ("own", "route", "expected"),
    [("EM", "PO", "EM"), ("", "PM", "PM"), ("", "BOTH", ""), ("", "na", ""), ("", "PO", "")],
)
def test_a_phenotype_where_the_route_should_stand(own: str, route: str, expected: str) -> None:
    row = {**ROW, "genotype_or_phenotype": own, "route": route}
    assert phenotype(row) == expected and DataSet(row, (), ()).group == expected


@pytest.mark.parametrize(
    ("food", "simulation", "expected"),
    [
        ("Breakfast", "", "fed"), ("Light breakfast", "", "fed"), ("Fasted", "caps fed", "fasted"), (".", "", ""),
        ("Unknown", "", ""), ("", "po 200 mg caps fast", "fasted"), (".", "1h after high-fat breakfast", "fed"),
    ],
)  # fmt: skip
def test_food(food: str, simulation: str, expected: str) -> None:
    assert stomach({**ROW, "food": food, "osp_simulation": simulation}) == expected


def test_food_that_nobody_tells_is_as_labelled() -> None:
    once = (Event(0.0, 100.0),)
    assert as_labelled([Dosing("itraconazole", "oral", once, "capsule_fasted")]) == "fed"
    assert as_labelled([Dosing("itraconazole", "oral", once, "solution_fasted")]) == "fasted"
    assert as_labelled([Dosing("itraconazole", "iv", once, "")]) == "fasted"
    assert fact_table("qualification/labelled_food.tsv")["source"].str.len().min() > 20


def test_one_unit_in_the_last_place_of_a_typed_table() -> None:
    typed = np.array([1.2, 2.4, 3.6, 1.9, 0.4, 0.1])
    assert last_place(typed).tolist() == [False] * 5 + [True]
    assert not last_place(typed[-4:]).any(), "four values tell nothing"
    assert not last_place(np.array([1.23, 2.4, 3.6, 1.9, 0.4, 0.1])).any(), "not a multiple"
    assert not last_place(np.array([1.2, 2.4, 3.6, 1.9, 0.4, 0.3])).any(), "three units"
    assert not last_place(np.full(6, 1.0)).any(), "all of one unit: too coarse to tell"


def test_a_tail_that_stands_still() -> None:
    time, level = np.array([1.0, 4, 12, 24, 48, 72, 96]), np.array([50.0, 20, 6, 2.9, 2.3, 2.3, 2.2])
    assert still(time, level).tolist() == [False] * 4 + [True] * 3
    slow = 10 * np.exp(-np.log(2) * time / 200)  # half-life 200 h: falls by 15 % from 48 to 96 h
    assert not still(time, slow).any()
    assert not still(time, np.full(7, 3.0)).any(), "a plateau is near the largest"
    assert not still(np.array([1.0, 4, 12, 24, 48, 50, 52]), level).any(), "the time does not double"


def test_the_clock_of_samples_that_begins_at_the_end_of_an_infusion() -> None:
    dose = {"time_h": "0", "infusion_min": "60"}
    read = [
        {"time_h": t, "conc_ug_per_L": c, "error": "", "value": c}
        for t, c in (("0", "7.8"), ("1", "2.3"), ("23", "0.57"))
    ]
    time, level, _ = samples(read, [dose], "")
    assert time.tolist() == [1.0, 2.0, 24.0] and level == pytest.approx([0.0078, 0.0023, 0.00057])
    rising = [{**read[0], "conc_ug_per_L": "1.5"}, *read[1:]]
    assert samples(rising, [dose], "")[0].tolist() == [0.0, 1.0, 23.0]
    assert samples(read, [dose, {**dose, "time_h": "24"}], "")[0].tolist() == [0.0, 1.0, 23.0], "more doses than one"
    assert samples(read, [{**dose, "infusion_min": "0"}], "")[0].tolist() == [0.0, 1.0, 23.0]


def _curve(*pairs: tuple[float, float]) -> list[dict[str, str]]:
    return [{"time_h": str(t), "conc_ug_per_L": str(c)} for t, c in pairs]


def test_an_infusion_told_by_another_arm_ends_before_the_concentrations_fall() -> None:
    parent = _curve((0.5, 1200), (1, 1400), (1.08, 1000), (1.5, 170), (4, 58))
    metabolite = _curve((0.5, 20), (1.5, 107), (3, 101), (4, 90))
    assert end_seen([parent, metabolite], 120.0) == 60.0
    assert end_seen([metabolite], 120.0) == 120.0 and end_seen([], 30.0) == 30.0
    assert end_seen([_curve((1, 6.8), (1.5, 6.4), (3, 2))], 120.0) == 120.0, "less than a tenth is no fall"
    sibling = ({"application": "Intravenous", "infusion_min": "120"},)
    iv = {**ROW, "dataset_id": "a", "route": "IV", "dose": "50 mg"}
    (dose,) = single_dose(iv, metabolite, [sibling], [metabolite, parent])
    assert dose["infusion_min"] == "60.0", "the arm's parent tells it"
    (told,) = single_dose({**iv, "grouping": "2 h infusion"}, parent, [sibling], [parent])
    assert told["infusion_min"] == "120.0", "its own words stand"
