"""The pages of the model's states and of the study's own verification: figures, numbers, faults in words."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from report_fixture import make_inputs, make_tables

from pharmtwin.core.anatomy import COMPARTMENTS, PORTAL, SYSTEMIC
from pharmtwin.dossier.drawing import draw
from pharmtwin.report import ReportInputs, build_report
from pharmtwin.report.blocks import Chart, Table
from pharmtwin.report.flow_diagram import flow_chart
from pharmtwin.report.index import stage_pages
from pharmtwin.report.inside import POOLS, balance_chart, balance_words, inside_section, last_dose, organ_chart
from pharmtwin.report.render import render, templates
from pharmtwin.report.verification import ladder_section, sums_section
from pharmtwin.report.verified import failed_words, verdict_section

TABLES = ("verification", "organ_courses", "mass_balance", "tolerance_ladder", "exact_courses", "closed_forms",
          "body_sums")  # fmt: skip


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return make_tables(6, 1)


@pytest.fixture(scope="module")
def inputs(made: dict[str, Any]) -> ReportInputs:
    return make_inputs(made)


def page(inputs: ReportInputs, name: str) -> str:
    """Own text of one page, without the vendored library."""
    text = render(stage_pages(inputs)[f"{name}.html"], templates())
    return re.sub(r"/\* bundle begins \*/.*?/\* bundle ends \*/", "", text, flags=re.S)


def charts(inputs: ReportInputs, name: str) -> dict[str, Chart]:
    blocks = [b for s in stage_pages(inputs)[f"{name}.html"].sections for b in s.blocks]
    return {b.id: b for b in blocks if isinstance(b, Chart)}


def failing(made: dict[str, Any]) -> ReportInputs:
    """The same study with a mass balance that does not close and a ladder without a value."""
    table = made["verification"].copy()
    leak = (table["kind"] == "mass_balance") & (table["subject"] == "population_M")
    table.loc[leak, ["value", "passed"]] = [0.031, False]
    gone = (table["kind"] == "tolerance_Cmax") & (table["subject"] == "PT-0001")
    table.loc[gone, ["value", "passed"]] = [np.nan, False]
    return make_inputs(made, verification=table)


def test_the_simulation_page_has_the_states_and_the_diagram(inputs: ReportInputs) -> None:
    found = charts(inputs, "simulation")
    assert {"flow-diagram", "organs", "mass-balance"} <= found.keys()
    assert [p.label for p in found["organs"].panels] == [
        {"adipose": "fat", "rest": "everything else"}.get(c, f"{c} blood" if c in ("venous", "arterial") else c)
        for c in COMPARTMENTS
    ]
    text = page(inputs, "simulation")
    assert "reference man" in text and "PT-0001 (lowest CYP2D6 activity)" in text
    assert re.search(r"Largest imbalance at any time: \d\.\de-1\d of what was given", text) and "limit 1e-09" in text


def test_every_panel_shows_the_organ_beside_plasma_of_everybody(inputs: ReportInputs) -> None:
    since = last_dose(inputs.mass_balance)
    assert since == 24.0
    chart = organ_chart(inputs.organ_courses, since)
    liver = next(p for p in chart.panels if p.label == "liver")
    assert len(liver.data) == 6 and {t["line"]["dash"] for t in liver.data} == {"solid", "dot"}
    mine = inputs.organ_courses.query("twin_id == 'population_M' and compartment == 'liver' and time_h >= 24")
    assert liver.data[0]["y"] == [float(f"{v:.4g}") for v in mine["concentration_ng_ml"]]
    assert liver.data[0]["x"][0] == 0.0 and liver.data[0]["x"][-1] == 12.0
    assert liver.data[0]["y"] != liver.data[1]["y"]
    # all numbers drawn stand in the table
    assert len(chart.table.rows) == 3 * 49 and not chart.table.left_out


def test_the_stack_ends_at_what_was_given_and_jumps_at_doses(inputs: ReportInputs) -> None:
    sheet = pd.DataFrame({"scenario": ["40mg_bid"], "route": ["oral"]})
    for given, jumps in ((inputs.scenarios, False), (sheet, True)):
        chart = balance_chart(make_inputs(make_tables(6, 1), scenarios=given))
        for panel in chart.panels:
            top, line = panel.data[0], panel.data[-1]
            n = len(line["x"])
            assert top["name"] == "in the gut lumen" and line["name"] == "given so far"
            np.testing.assert_allclose(top["y"][:n], line["y"], rtol=1e-3, atol=1e-6)
            assert (line["x"].count(12.0) == 2) is jumps and line["y"][-1] == 120.0
            # what was not absorbed is nothing for this drug, and not drawn
            assert [t["name"] for t in panel.data[:-1]] == [
                name for name, _ in reversed(POOLS.values()) if name != "not absorbed, in faeces"
            ]


def test_the_diagram_adds_up_and_is_as_wide_as_the_flow(inputs: ReportInputs) -> None:
    chart = flow_chart(inputs, {"population_M": "reference man"})
    assert chart is not None and len(chart.panels) == 1
    rows = {r[1].text: r for r in chart.table.rows}
    assert rows["sum of the arterial branches"][3].text == rows["cardiac output"][3].text == "390.000"
    assert float(rows["difference, relative"][3].text) < 1e-9
    texts = next(t["text"] for t in chart.panels[0].data if t["mode"] == "text")
    assert len([t for t in texts if t.endswith(" L")]) == len(COMPARTMENTS) and "cardiac output 390 L/h" in texts
    body = dict(zip(*(inputs.reference_body.query("twin_id == 'population_M'")[c] for c in ("quantity", "value"))))
    kidney = f"{body['Q_kidney']:.3g}"
    assert kidney in texts and len([t for t in texts if re.fullmatch(r"[\d.]+", t)]) == len(SYSTEMIC) + len(PORTAL) + 1
    # the arterial trunk carries everything first, and the last stretch the liver's artery alone
    trunk = [t for t in chart.panels[0].data if t["name"] == "arterial blood" and t["x"] == [95.0, 95.0]]
    assert trunk[0]["line"]["width"] == 11.0
    assert trunk[-1]["line"]["width"] == pytest.approx(11.0 * body["Q_liver"] / body["CO"], abs=0.11)
    assert flow_chart(inputs, {"PT-0003": "no complete body"}) is None


def test_the_figures_can_be_drawn_on_paper(inputs: ReportInputs) -> None:
    for name in ("flow-diagram", "mass-balance"):
        assert draw(charts(inputs, "simulation")[name])[0].png.startswith(b"\x89PNG")
    assert len(draw(charts(inputs, "simulation")["organs"])) == 2  # eight panels a picture
    assert all(draw(c) for c in charts(inputs, "verification").values())


def test_the_verification_page_says_what_passed(inputs: ReportInputs) -> None:
    text = page(inputs, "verification")
    n = len(inputs.verification)
    assert f"All {n} checks passed." in text and "NOT PASSED" not in text
    assert set(charts(inputs, "verification")) == {"ladder", "exact", "body-sums"}
    assert "blood clearance of an intravenous dose by a well-stirred liver" in text
    assert "<dt>mass balance: checks passed</dt><dd>3 of 3</dd>" in text
    index = build_report(inputs)["index.html"]
    assert f"{n} of {n}" in index and "own verification not passed" not in index


def test_the_ladder_marks_what_the_study_uses(inputs: ReportInputs) -> None:
    chart = charts(inputs, "verification")["ladder"]
    assert [p.label for p in chart.panels] == ["Concentration over the regimen (worst time)", "AUCtau", "Cmax"]
    for panel in chart.panels:
        by = {t["name"]: t for t in panel.data if t["mode"] == "markers"}
        assert by["what the predictions use"]["x"] == [1e-4] and by["what the fit uses"]["x"] == [1e-2]
        limit = next(t for t in panel.data if t["name"] == "limit at the study's tolerance")
        assert set(limit["y"]) == {1e-3}
    used = [r for r in chart.table.rows if r[3].text == "predictions"]
    assert {(r[1].text, r[2].text) for r in used} == {("CVODE", "0.0001")} and len(used) == 3


def test_faults_stand_above_the_first_number_and_in_words(made: dict[str, Any]) -> None:
    bad = failing(made)
    words = failed_words(bad)
    assert len(words) == 2 and any("reference man, 0.031 (limit: at most 1e-09" in w for w in words)
    assert any("PT-0001, no value" in w for w in words)
    text = page(bad, "verification")
    assert "2 checks of the study&#39;s own verification not passed" in text and text.count("NOT PASSED") == 2
    rows = next(b for b in verdict_section(bad).blocks if isinstance(b, Table)).rows
    assert [r[4].text for r in rows[:3]] == ["NOT PASSED", "NOT PASSED", "passed"]
    index = build_report(bad)["index.html"]
    top = index.split('<section id="cohort">')[0]
    assert "own verification not passed" in top and "0.031" in top
    assert balance_words(bad).text.startswith("NOT PASSED.") and balance_words(bad).tone == "caution"


def test_a_body_that_does_not_add_up_is_named(made: dict[str, Any]) -> None:
    sums = made["body_sums"].copy()
    sums.loc[0, ["sum", "relative_difference", "passed"]] = [200.0, 0.4, False]
    section = sums_section(make_inputs(made, body_sums=sums))
    first: Any = section.blocks[0]
    assert "NOT PASSED: 1 sum of 1 person" in first.text and str(sums.loc[0, "twin_id"]) in first.text
    chart: Any = section.blocks[1]
    assert "NOT PASSED" in [t["name"] for p in chart.panels for t in p.data]
    assert chart.table.rows[0][7].text == "NOT PASSED"


@pytest.mark.parametrize(
    ("missing", "on", "said"),
    [
        (TABLES, "verification", "The verification stage did not run"),
        (TABLES, "simulation", "The verification stage did not run"),
        (("verification",), "simulation", "Whether masses close was not checked"),
        (("tolerance_ladder",), "verification", "The verification stage did not run"),
        (("mass_balance",), "simulation", "its solves failed"),
    ],
)
def test_what_is_missing_is_said(made: dict[str, Any], missing: tuple[str, ...], on: str, said: str) -> None:
    assert said in page(make_inputs(made, **dict.fromkeys(missing)), on)


def test_failed_solves_leave_gaps_and_no_invented_points(made: dict[str, Any]) -> None:
    ladder = made["tolerance_ladder"].copy()
    lost = (ladder["engine"] == "cvode") & (ladder["rtol"] == 1e-10) & (ladder["twin_id"] == "PT-0002")
    ladder.loc[lost, ["curve_error", "AUCtau_error", "Cmax_error"]] = np.nan
    chart: Any = ladder_section(make_inputs(made, tolerance_ladder=ladder)).blocks[0]
    line = next(t for t in chart.panels[0].data if t["name"] == "CVODE" and t["mode"] == "lines")
    assert line["y"][line["x"].index(1e-10)] is None
    assert "none" in [c.text for r in chart.table.rows for c in r]


def test_names_are_escaped(made: dict[str, Any]) -> None:
    evil = "<script>alert(1)</script>"
    changed = {n: made[n].assign(twin_id=made[n]["twin_id"].replace("PT-0001", evil))
               for n in TABLES if "twin_id" in made[n]}  # fmt: skip
    changed["verification"] = made["verification"].assign(
        subject=made["verification"]["subject"].str.replace("PT-0001", evil), place=evil
    )
    inputs = make_inputs(made, **changed)
    for name in ("simulation", "verification"):
        text = page(inputs, name)
        assert "<script>alert" not in text and "&lt;script&gt;alert(1)" in text
        json.loads(re.findall(r'id="figures">(.*?)</script>', text, re.S)[0])


def test_a_study_of_no_twins_shows_the_reference_man(made: dict[str, Any]) -> None:
    def alone(name: str) -> pd.DataFrame:
        return made[name][made[name]["twin_id"] == "population_M"]

    three = ("organ_courses", "mass_balance", "tolerance_ladder")
    section = inside_section(make_inputs(made, **{n: alone(n) for n in three}))
    organs = next(b for b in section.blocks if isinstance(b, Chart) and b.id == "organs")
    assert {t["name"] for t in organs.panels[0].data} == {"reference man", "plasma, reference man"}
