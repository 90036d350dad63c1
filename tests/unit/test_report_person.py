"""A twin's page tells what was given, what was assumed and what conditions do; every twin can be looked at."""

from __future__ import annotations

import html
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from report_fixture import advice, make_inputs, make_tables

from pharmtwin.report import ReportInputs, build_report
from pharmtwin.report.inputs import MAX_PAGES
from pharmtwin.report.limits import limits
from pharmtwin.report.people import ADULTS, CHILDREN, NO_AGE, age_groups, age_words, stages
from pharmtwin.report.person import own_findings
from pharmtwin.report.quantities import conditions, covariate, protein, quantity, unit
from pharmtwin.report.stage import once
from pharmtwin.report.words import number

SHEET = "config/studies/kids/twins.tsv"
AGES = [0.0055, 5.0, 30.0, 68.0]
TWINS = [f"PT-{i:04d}" for i in range(1, 5)]


def text_of(page: str, section: str = "") -> str:
    """Text of a page or section without tags, one space between words."""
    body = page.split(f'<section id="{section}">')[1].split("</section>")[0] if section else page
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)))


def finding(row: int, column: str, rule: str, what: str, severity: str = "note", file: str = SHEET) -> dict[str, Any]:
    """One row of table ``findings``."""
    return {"severity": severity, "file": file, "row": row, "column": column, "value": None, "what": what,
            "why": "it matters", "fix": "measure it", "rule": rule}  # fmt: skip


FINDINGS = [
    finding(2, "creatinine_mg_dl", "body.gfr_typical", "no kidney marker: GFR is what is typical (Rhodin 2009)"),
    finding(2, "creatinine_mg_dl", "kidney.creatinine_newborn", "creatinine of the first 4 weeks is not used"),
    finding(3, "height_cm", "body.imputed", "missing; imputed as 108 cm (105 to 111 at one sd) given sex, age_y"),
    finding(4, "conditions", "conditions.creatinine", "GFR is as given, the factor is not applied", "warning"),
    finding(5, "conditions", "conditions.gfr_from_stage", "GFR set to 22.5 mL/min/1.73m2, the middle of G4"),
    finding(3, "sample", "genome.not_assayed", "CYP2D6: 1 of 156 positions not assayed"),
    finding(3, "weight_kg", "body.lean", "of another file", file="other.tsv"),
]


def people() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "twin_id": TWINS,
            "vcf": "cohort.vcf.gz",
            "sex": ["F", "M", "F", "M"],
            "ancestry": [None, "EUR", "EUR", "EUR"],
            "age_y": AGES,
            "gestational_age_wk": [None, 40.0, None, None],
            "weight_kg": [1.4, 18.5, 72.0, 80.0],
            "height_cm": [40.0, np.nan, 165.0, 178.0],
            "creatinine_mg_dl": [0.8, 0.35, 0.5, np.nan],
            "albumin_g_l": [np.nan, np.nan, np.nan, 29.0],
            "conditions": ["", "", "pregnancy:24wk", "ckd:G4"],
            "label": "synthetic",
        }
    )


def body(conditions_apply: bool) -> pd.DataFrame:
    rows = []
    for twin in TWINS:
        pregnant, staged = conditions_apply and twin == TWINS[2], conditions_apply and twin == TWINS[3]
        for name, value, units in (
            ("V_liver", 1.35, "L"), ("V_gut", 1.0, "L"), ("Q_liver", 27.6, "L/h"), ("Q_gut", 70.0, "L/h"),
            ("Q_pancreas", 4.0, "L/h"), ("Q_spleen", 12.0, "L/h"), ("V_lung", 0.5, "L"), ("Q_lung", 390.0, "L/h"),
            ("eGFR", 129.0, "mL/min/1.73m2"), ("GFR", 3.0 if staged else 7.5, "L/h"), ("haematocrit", 0.4, "1"),
            ("albumin", 37.4, "g/L"), ("AGP", 0.83, "g/L"), ("AGP_ratio", 1.0, "1"),
            ("gastric_emptying_time", 1.6 if staged else 1.0, "1"), ("enzyme_OAT1", 0.5 if staged else 1.0, "1"),
            ("enzyme_CYP3A4_gut", 0.9, "1"), ("enzyme_CYP2D6", 2.0 if pregnant else 1.0, "1"),
        ):  # fmt: skip
            rows.append({"twin_id": twin, "quantity": name, "value": value, "unit": units})
    return pd.DataFrame(rows)


def kids(**changes: Any) -> ReportInputs:
    """Four twins of every age, the first of them fitted."""
    tables = make_tables(4, 1)
    priors = [
        {"twin_id": t, "parameter": "GFR", "component": "-", "weight": 1.0, "family": "lognormal", "location": 7.5,
         "scale": 0.21, "unit": "L/h", "source": "CKD-EPI 2021 creatinine; docs/kidney.md"} for t in TWINS
    ]  # fmt: skip
    ill = body(False)
    given = {
        **tables, "covariates": people(), "body": body(True), "body_without": ill[ill["twin_id"].isin(TWINS[2:])],
        "priors": pd.DataFrame(priors), "findings": pd.DataFrame(FINDINGS), "twins_file": SHEET,
        "twin_rows": {t: i + 2 for i, t in enumerate(TWINS)}, "twin_pages": "all", "binding_protein": "",
    }  # fmt: skip
    return make_inputs({**given, **changes})


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return build_report(kids())


def known(pages: dict[str, str], i: int) -> str:
    return text_of(pages[f"twins/{TWINS[i]}.html"], "known")


def test_all_gives_every_twin_a_page_and_links_lead_there(pages: dict[str, str]) -> None:
    assert sorted(pages) == ["evaluation.html", "index.html", *(f"twins/{t}.html" for t in TWINS)]
    assert all(f'href="twins/{t}.html"' in pages["index.html"] for t in TWINS)
    assert "No twin has a page" not in text_of(pages["index.html"], "cohort")


def test_a_twin_without_concentrations_has_its_course_and_no_empty_figure() -> None:
    tables = make_tables(4, 1)
    profiles = tables["profiles"]
    own = profiles[profiles["model"] == "covariates"].assign(twin_id=TWINS[1])
    built = build_report(kids(profiles=pd.concat([profiles, own])))
    page = built[f"twins/{TWINS[1]}.html"]
    assert "predicted from genotype and body alone" in text_of(page, "observed")
    assert 'id="profile-figure"' in page and '<section id="parameters">' not in page
    exposure = text_of(page, "exposure")
    assert "Covariates (genotype, body)" in exposure and "Twin (+ own concentrations)" not in exposure
    assert "No profile of this twin" in text_of(built[f"twins/{TWINS[2]}.html"], "observed")
    assert '<section id="parameters">' in built[f"twins/{TWINS[0]}.html"]


NO_FIT: dict[str, Any] = {k: None for k in ("fit_twins", "fit_summary", "fit_diagnostics", "fit_genotype")}


@pytest.mark.parametrize(
    ("pages_of", "fit", "said"),
    [
        ("fitted", NO_FIT, "No twin has a page of its own: report.twin_pages is fitted, and no fit was made"),
        ("none", {}, "No twin has a page of its own: report.twin_pages is none"),
    ],
)
def test_who_has_no_page_is_told_why(pages_of: str, fit: dict[str, Any], said: str) -> None:
    built = build_report(kids(twin_pages=pages_of, **fit))
    cohort = text_of(built["index.html"], "cohort")
    assert sorted(built) == ["evaluation.html", "index.html"] and said in cohort and "table under Exposure" in cohort


def test_a_large_study_gets_no_hundreds_of_pages() -> None:
    many = pd.DataFrame({"twin_id": [f"X{i:04d}" for i in range(MAX_PAGES + 1)], "age_y": 40.0})
    large = ReportInputs.create(study="s", drug="d", data_kind="real", covariates=many, twin_pages="all")
    small = ReportInputs.create(
        study="s", drug="d", data_kind="real", covariates=many.head(MAX_PAGES), twin_pages="all"
    )
    assert large.paged_twins == [] and len(small.paged_twins) == MAX_PAGES
    cohort = text_of(build_report(large)["index.html"], "cohort")
    assert f"has {MAX_PAGES + 1} twins and pages are written up to {MAX_PAGES}: nobody has one" in cohort
    with pytest.raises(ValueError, match="twin_pages"):
        ReportInputs.create(study="s", drug="d", data_kind="real", twin_pages="some")


def test_covariates_have_a_name_a_unit_and_a_source(pages: dict[str, str]) -> None:
    newborn, child, mother, patient = (known(pages, i) for i in range(4))
    assert "creatinine 0.8 mg/dL as given in the sheet; creatinine of the first 4 weeks is not used" in newborn
    assert "ancestry not stated all ancestry panels pooled" in newborn
    assert "gestational age at birth not stated born at term (40 weeks) assumed" in newborn
    assert "height 108 cm imputed as 108 cm (105 to 111 at one sd) given sex, age" in child and "age_y" not in child
    assert "albumin 37.4 g/L typical of age, sex and conditions" in mother
    assert "gestational age" not in mother and "conditions pregnancy, week 24 as given in the sheet" in mother
    assert (
        "albumin 29 g/L as given in the sheet" in patient
        and "creatinine not stated mg/dL kidney function from the stage" in patient
    )
    assert "GFR of this body 3.00 50.0 mL/min L/h GFR set to 22.5 mL/min/1.73m2, the middle of G4 (sd" in patient
    assert "GFR of this body 7.50 125 mL/min L/h CKD-EPI 2021 creatinine (sd of the logarithm 0.21)" in mother
    assert "creatinine mg dl" not in newborn and "cohort.vcf.gz" not in newborn


def test_the_twin_sees_its_own_findings_and_no_others(pages: dict[str, str]) -> None:
    inputs = kids()
    rules = [sorted(own_findings(inputs, t)["rule"]) for t in TWINS]
    assert rules == [
        ["body.gfr_typical", "kidney.creatinine_newborn"], ["body.imputed"], ["conditions.creatinine"],
        ["conditions.gfr_from_stage"],
    ]  # fmt: skip
    assert "warning conditions GFR is as given, the factor is not applied it matters measure it" in known(pages, 2)
    clean = kids(findings=pd.DataFrame(FINDINGS).head(1))
    page = build_report(clean)[f"twins/{TWINS[3]}.html"]
    assert "found nothing to say of this twin's covariates" in text_of(page, "known")


def test_what_conditions_change_stands_beside_the_body_without_them(pages: dict[str, str]) -> None:
    assert "Conditions: pregnancy, week 24. They change 1 quantity of the body; most: enzyme: CYP2D6 × 2.0." in known(
        pages, 2
    )
    patient = known(pages, 3)
    assert "Conditions: chronic kidney disease, stage G4. They change 3 quantities" in patient
    assert "GFR of this body L/h 7.50 3.00 0.400" in patient
    assert "transporter: OAT1 1.00 0.500 0.500" in patient
    assert "What the conditions change" not in known(pages, 0)
    alone = build_report(kids(body_without=None))[f"twins/{TWINS[3]}.html"]
    assert "stage G4. The body without them was not handed to the report" in text_of(alone, "known")


def test_molecules_and_organs_are_named_and_the_flow_of_the_liver_explained(pages: dict[str, str]) -> None:
    patient = known(pages, 3)
    assert "OAT1 transporter 0.500" in patient and "CYP3A4 enzyme gut 0.900" in patient
    assert "1 more are as in the healthy adult" in patient and "enzyme_" not in patient
    assert "liver flow: hepatic artery only 1.35 27.6" in patient
    assert "gut, spleen and pancreas: 114 L/h in all" in patient
    assert "gastric emptying time / healthy 1.60 reaches no prediction yet" in patient


def test_names_and_units() -> None:
    assert covariate("creatinine_mg_dl") == ("creatinine", "mg/dL") and covariate("weight_kg") == ("weight", "kg")
    assert covariate("age_years") == ("age", "years") and covariate("smoker") == ("smoker", "")
    assert [protein(f"enzyme_{n}") for n in ("OAT1", "P-gp_kidney", "SLCO1B1", "CYP2D6", "CES2_gut")] == [
        ("OAT1", "transporter", ""), ("P-gp", "transporter", "kidney"), ("OATP1B1 (SLCO1B1)", "transporter", ""),
        ("CYP2D6", "enzyme", ""), ("CES2", "enzyme", "gut"),
    ]  # fmt: skip
    assert unit("1") == "" and unit("L/h") == "L/h" and quantity("Q_liver") == "blood flow: liver, hepatic artery only"
    assert conditions("ckd:G4; nyha:III") == ["chronic kidney disease, stage G4", "heart failure, NYHA class III"]
    assert conditions("") == [] and conditions("gout") == ["gout"]


def test_stages_of_life() -> None:
    sheet = pd.DataFrame(
        {"twin_id": list("abcdefg"), "age_y": [0.0575, 0.0055, 0.5, 17.9, 18.0, 65.0, np.nan],
         "gestational_age_wk": [28.0, 40.0, 30.0, np.nan, np.nan, np.nan, np.nan]}
    )  # fmt: skip
    given = ReportInputs.create(study="s", drug="d", data_kind="real", covariates=sheet)
    assert stages(given).to_list() == [
        "newborn, preterm", "newborn", "infant, preterm", "adolescent", "adult", "65 and over", NO_AGE,
    ]  # fmt: skip
    assert age_groups(given).to_list() == [CHILDREN] * 4 + [ADULTS] * 2 + [NO_AGE]
    assert [age_words(a) for a in (0.0055, 0.667, 5.0, 17.5)] == ["2 days", "8 months", "5 years", "17.5 years"]


def test_children_and_adults_are_not_pooled(pages: dict[str, str]) -> None:
    index = pages["index.html"]
    exposure = text_of(index, "exposure")
    assert "Children and adults are kept apart (under 18 years: 2; adults: 2)" in exposure
    assert "40mg_bid, under 18 years: AUCtau" in exposure and "80mg_qd, adults: Cmax" in exposure
    table = exposure.split("Age CYP2D6 score Twins AUCtau")[1].split("Spread between twins")[0]
    groups = re.findall(r"40mg_bid (under 18 years|adults) (\S+) (\d+) ", table)
    assert {age: sum(int(n) for a, _, n in groups if a == age) for age in (CHILDREN, ADULTS)} == {
        CHILDREN: 2,
        ADULTS: 2,
    }
    grown = build_report(kids(covariates=people().assign(age_y=[30.0, 40.0, 50.0, 60.0])))["index.html"]
    assert "kept apart" not in grown and "adults: AUCtau" not in grown and "40mg_bid: AUCtau" in grown


def test_every_twin_has_its_exposure_with_interval_age_and_conditions() -> None:
    inputs = kids(**NO_FIT, twin_pages="fitted")
    table = text_of(build_report(inputs)["index.html"], "exposure").split("Exposure of every twin")[1]
    mine = inputs.exposure.query("twin_id == @TWINS[2] and scenario == '40mg_bid' and model == 'covariates'")
    row = mine[mine["metric"] == "AUCtau"].iloc[0]
    assert f"40mg_bid {TWINS[2]} adult, 30 years pregnancy:24wk" in table
    told = table.split(f"40mg_bid {TWINS[2]} ")[1].split("40mg_bid")[0]
    assert f" {number(row['median'])} {number(row['lo90'])} to {number(row['hi90'])} " in told
    assert f"{TWINS[0]} newborn, 2 days" in table
    first = [table.index(t) for t in TWINS]
    assert first == sorted(first)  # by age


def test_a_measured_protein_that_changes_nothing_is_said() -> None:
    said = "1 twin has measured plasma proteins or haematocrit. The drug file of atomoxetine names no binding protein"
    assert any(said in text for text in limits(kids()))
    for other in ("albumin", None):
        assert not any("binding protein" in text for text in limits(kids(binding_protein=other)))
    nobody = people().assign(albumin_g_l=np.nan)
    assert not any("binding protein" in text for text in limits(kids(covariates=nobody)))
    assert any("In 1 twin a condition changes gastric emptying" in text for text in limits(kids()))
    assert not any("gastric" in text for text in limits(kids(body=body(False))))


def test_a_finding_that_two_stages_make_counts_once_as_the_check_has_it() -> None:
    accepted = finding(10, "height_cm", "body.extreme", "6.7 sd below") | {"value": "121.0"}
    again = accepted | {"severity": "error", "value": "121"}
    other = accepted | {"row": 11}
    table = once(pd.DataFrame([accepted, again, other]))
    assert table["severity"].to_list() == ["note", "note"] and table["row"].to_list() == [10, 11]


HLA = [
    advice(TWINS[0], "genetic", 1.0, "avoid", "*57:01 positive", None) | {"drug": "abacavir", "gene": "HLA-B*57:01"},
    advice(TWINS[1], "genetic", 1.0, "avoid", "*15:02 positive and *31:01 negative", None)
    | {"drug": "carbamazepine", "gene": "HLA-B*15:02 and HLA-A*31:01"},
    advice(TWINS[2], "genetic", 1.0, "none", "No Result", None) | {"drug": "abacavir", "gene": "HLA-B*57:01"},
]


def test_results_from_outside_are_shown_by_twin() -> None:
    built = build_report(kids(recommendations=pd.DataFrame(HLA)))
    index = text_of(built["index.html"], "genotypes").split("HLA and MT-RNR1, from outside calls only")[1]
    assert f"{TWINS[0]} HLA-B*57:01 positive abacavir (adults) avoid" in index
    assert f"{TWINS[1]} HLA-B*15:02 positive and HLA-A*31:01 negative carbamazepine (adults) avoid" in index
    assert "Not tested in 1 twin whose drugs ask for one" in index and f"{TWINS[2]} HLA" not in index
    own = [text_of(built[f"twins/{t}.html"], "genome") for t in TWINS]
    assert "HLA-B*57:01 positive abacavir" in own[0].split("from outside calls only")[1]
    assert "asked for by a drug of this twin, and not tested" in own[2]
    assert "from outside calls only" not in own[3]
    assert "from outside calls only" not in build_report(kids())["index.html"]
