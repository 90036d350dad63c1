"""The buttons of a twin's page: the predicted course as it is, and with another genotype."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from report_fixture import make_inputs, make_tables

from pharmtwin.report.blocks import Chart
from pharmtwin.report.render import render, templates
from pharmtwin.report.twin_page import twin_page
from pharmtwin.report.what_if import counterfactual_section

TWIN = "PT-0001"
ID = "counterfactual-course"


@pytest.fixture(scope="module")
def tables() -> dict[str, Any]:
    return make_tables(6, 1)


def page(tables: dict[str, Any]) -> str:
    return render(twin_page(make_inputs(tables), TWIN), templates())


def test_a_group_of_radio_buttons_begins_with_the_actual_case(tables: dict[str, Any]) -> None:
    text = page(tables)
    (group,) = re.findall(r'<fieldset class="choose toggle" hidden>(.*?)</fieldset>', text)
    assert group.startswith("<legend>Show</legend>")
    button = r'<label><input type="radio" name="([^"]+)" data-chart="([^"]+)" value="(\d)"( checked)?>([^<]+)<'
    radios = re.findall(button, group)
    assert radios == [
        (f"{ID}-case", ID, "0", " checked", "as it is"), (f"{ID}-case", ID, "1", "", "if CYP2D6 were *1/*1")
    ]  # fmt: skip


def test_each_case_has_its_course_and_its_result_in_words_in_the_same_axes(tables: dict[str, Any]) -> None:
    (found,) = re.findall(r'id="figures">(.*?)</script>', page(tables))
    actual, other = json.loads(found)["charts"][ID]["panels"]
    assert actual["said"] == "As it is: AUCtau 900 (450 to 1800) ng*h/mL."
    assert other["said"] == "With CYP2D6 *1/*1: AUCtau 300 (100 to 600) ng*h/mL."
    assert actual["layout"] == other["layout"] and actual["layout"]["yaxis"]["range"] == [0.0, 84.0]  # 1.05 * 80
    medians = [{t["name"]: t["y"][0] for t in p["data"] if "90 %" not in t["name"]} for p in (actual, other)]
    assert medians == [{"as it is": 40.0}, {"median as it is": 40.0, "with CYP2D6 *1/*1": 12.5}]


def test_without_javascript_the_actual_case_and_all_numbers_stand_there(tables: dict[str, Any]) -> None:
    text = page(tables)
    assert f'id="{ID}-said" aria-live="polite">As it is: AUCtau 900 (450 to 1800) ng*h/mL.</p>' in text
    figure = text.split(f'id="{ID}-figure"')[1].split("</figure>")[0]
    assert "<noscript>" in figure and "With CYP2D6 *1/*1 (90\u00a0%), ng/mL" in figure
    assert "40.0 (20.0 to 80.0)" in figure and "12.5 (6.25 to 25.0)" in figure


def test_a_course_that_was_not_handed_over_is_said(tables: dict[str, Any]) -> None:
    none = {**tables, "counterfactual_courses": tables["counterfactual_courses"].head(0)}
    section = counterfactual_section(make_inputs(none), TWIN)
    assert any("No course with the other genotype" in getattr(b, "text", "") for b in section.blocks)
    assert len(section.blocks) == 3


@pytest.mark.parametrize(("tau", "times", "said"), [(24.0, {24, 36, 48}, "The last dosing interval."),
                                                    (None, {0, 12, 24, 36, 48}, "All times.")])  # fmt: skip
def test_the_last_interval_is_drawn_where_the_regimen_is_known(
    tables: dict[str, Any], tau: float | None, times: set[int], said: str
) -> None:
    scenario = tables["counterfactuals"]["scenario"].iloc[0]
    sheet = pd.DataFrame({"scenario": [scenario], **({"interval_h": [tau]} if tau else {})})
    chart = counterfactual_section(replace(make_inputs(tables), scenarios=sheet), TWIN).blocks[1]
    assert isinstance(chart, Chart) and chart.caption.startswith(said)
    assert {float(row[0].text) for row in chart.table.rows} == times
    assert set(chart.panels[0].data[-1]["x"]) == times
