"""Rules of the sheets one by one, on sheets of a few rows; no VCF is touched here."""

import pytest

from pharmtwin.body.people.cohort import cohort
from pharmtwin.cohorts.sheet import sheet
from pharmtwin.intake.columns import SCHEMAS, check_cells, check_columns, sheet_spec
from pharmtwin.intake.events import check_events
from pharmtwin.intake.regimens import check_doses_by_weight, check_scenarios, check_structure_calls
from pharmtwin.intake.sheet import parse_sheet
from pharmtwin.intake.twins import ACCEPTABLE, check_twins

TWIN = {
    "twin_id": "T1", "vcf": "c.vcf", "sample": "S1", "ancestry": "EUR", "sex": "F", "age_y": "50", "weight_kg": "70",
    "height_cm": "170", "creatinine_mg_dl": "0.9", "label": "synthetic", "accept": "",
}  # fmt: skip
DOSE = {
    "twin_id": "T1", "time_h": "0", "evid": "1", "drug": "paroxetine", "dose_mg": "20", "route": "oral", "ii_h": "",
    "addl": "", "dv_ng_ml": "", "lloq_ng_ml": "", "use": "", "occasion": "",
}  # fmt: skip
OBS = DOSE | {"time_h": "4", "evid": "0", "dose_mg": "", "route": "", "dv_ng_ml": "12", "use": "fit"}
SCENARIO = {
    "scenario": "qd20", "drug": "paroxetine", "dose_mg": "20", "interval_h": "24", "n_doses": "7", "route": "oral",
    "label": "20 mg daily",
}  # fmt: skip
CALL = {"twin_id": "T1", "gene": "CYP2D6", "diplotype": "*1x2/*4", "method": "long reads", "label": "synthetic"}


def findings(table, rows):
    columns = list(rows[0])
    text = "\n".join(["\t".join(columns), *("\t".join(r[c] for c in columns) for r in rows)])
    given, found = parse_sheet(text, f"{table}.tsv")
    spec = sheet_spec(table)
    records, cells = check_cells(given, spec)
    more = {
        "twins": lambda: check_twins(given, records, cells),
        "events": lambda: check_events(given, records, cells, {"T1", "T2"}, "paroxetine"),
        "scenarios": lambda: check_scenarios(given, records, cells, "paroxetine", ["midazolam", "paroxetine"]),
        "structure_calls": lambda: check_structure_calls(given, records, cells, {"T1", "T2"}, ["CYP2D6"]),
    }[table]()
    return found + check_columns(given, spec) + more


def short(found):
    return [(f.row, f.column, f.rule.split(".")[1], f.severity) for f in found]


def twin(**cells):
    return short(findings("twins", [TWIN | cells]))


def test_good_rows_have_no_findings():
    assert findings("twins", [TWIN, TWIN | {"twin_id": "T2", "sample": "S2", "ancestry": ""}]) == []
    assert findings("events", [DOSE | {"ii_h": "24", "addl": "6"}, OBS]) == []
    assert findings("scenarios", [SCENARIO]) == []
    assert findings("structure_calls", [CALL, CALL | {"twin_id": "T2", "diplotype": "*10/*36+*10"}]) == []


@pytest.mark.parametrize("sex", ["male", "Male", "1", "m", "XY"])
def test_sex_codes_are_suggested_never_guessed(sex):
    found = findings("twins", [TWIN | {"sex": sex}])
    assert short(found) == [(2, "sex", "sex_code", "error")] and found[0].fix == "write M if that is meant"


@pytest.mark.parametrize(
    ("cells", "column", "rule", "severity"),
    [
        ({"age_y": "-1"}, "age_y", "out_of_range", "error"),
        ({"age_y": "101"}, "age_y", "out_of_range", "error"),
        ({"age_y": ""}, "age_y", "empty_cell", "error"),
        ({"age_y": "fifty"}, "age_y", "not_a_number", "error"),
        ({"age_y": "nan"}, "age_y", "empty_cell", "error"),
        ({"age_y": "inf"}, "age_y", "not_a_number", "error"),
        ({"weight_kg": "70,5"}, "weight_kg", "decimal_comma", "error"),
        ({"weight_kg": "70 kg"}, "weight_kg", "unit_in_cell", "error"),
        ({"weight_kg": "20"}, "weight_kg", "adult_size", "error"),
        ({"weight_kg": "128"}, "weight_kg", "weight_pounds", "warning"),
        ({"weight_kg": "135"}, "weight_kg", "weight_pounds", "warning"),
        ({"weight_kg": "250"}, "weight_kg", "weight_pounds", "error"),
        ({"weight_kg": "33"}, "weight_kg", "bmi_range", "error"),
        ({"height_cm": "1.70"}, "height_cm", "height_metres", "error"),
        ({"height_cm": "67"}, "height_cm", "adult_size", "error"),
        ({"height_cm": "0.67"}, "height_cm", "height_metres", "error"),
        ({"height_cm": "60", "weight_kg": "165"}, "height_cm", "height_weight_swapped", "error"),
        ({"creatinine_mg_dl": "80"}, "creatinine_mg_dl", "creatinine_umol", "error"),
        ({"creatinine_mg_dl": "80 umol/L"}, "creatinine_mg_dl", "unit_in_cell", "error"),
        ({"creatinine_mg_dl": "0.08"}, "creatinine_mg_dl", "out_of_range", "error"),
        ({"ancestry": "European"}, "ancestry", "ancestry_code", "error"),
        ({"label": ""}, "label", "empty_cell", "error"),
        ({"twin_id": "Jane Doe"}, "twin_id", "twin_id_form", "error"),
        ({"twin_id": "../x"}, "twin_id", "twin_id_form", "error"),
        ({"accept": "twins.sex_code"}, "accept", "accept_rule", "error"),
    ],
)
def test_twins_rules(cells, column, rule, severity):
    assert twin(**cells) == [(2, column, rule, severity)]


def test_children_are_held_against_no_adult_limit():
    assert twin(age_y="0.02", weight_kg="3.4", height_cm="50", creatinine_mg_dl="0.6", gestational_age_wk="38") == []
    assert twin(age_y="5", weight_kg="18", height_cm="108", creatinine_mg_dl="") == []
    assert sorted(twin(age_y="30", weight_kg="24", height_cm="110")) == [
        (2, "height_cm", "adult_size", "error"),
        (2, "weight_kg", "adult_size", "error"),
    ]


@pytest.mark.parametrize(
    ("cells", "fix"),
    [
        ({"age_y": "60", "weight_kg": "18", "height_cm": "109"}, "write 5 (60 months in years)"),
        ({"age_y": "8", "weight_kg": "8.0", "height_cm": "69"}, "write 0.6667 (8 months in years)"),
        ({"age_y": "3", "weight_kg": "3.3", "height_cm": "49.5"}, "write 0.008214 (3 days in years)"),
    ],
)
def test_an_age_in_months_or_days_is_named_and_only_that(cells, fix):
    found = findings("twins", [TWIN | {"creatinine_mg_dl": ""} | cells])
    assert short(found) == [(2, "age_y", "age_unit", "error")] and found[0].fix.startswith(fix)
    assert twin(**cells, creatinine_mg_dl="", accept="twins.age_unit") == [(2, "age_y", "age_unit", "note")]


def test_sizes_that_fit_no_other_unit_of_age_are_not_explained_by_it():
    assert twin(age_y="35", weight_kg="38", height_cm="110") == [(2, "height_cm", "adult_size", "error")]
    assert twin(age_y="8", weight_kg="25", height_cm="128") == []


@pytest.mark.parametrize(("weight", "kg"), [("3400", "3.4"), ("950", "0.95"), ("240", "0.24")])
def test_an_infant_in_grams(weight, kg):
    cells = {"age_y": "0.01", "weight_kg": weight, "height_cm": "", "creatinine_mg_dl": "", "gestational_age_wk": "30"}
    found = findings("twins", [TWIN | cells])
    assert short(found) == [(2, "weight_kg", "weight_grams", "error")] and found[0].fix == f"write {kg}"


@pytest.mark.parametrize(
    ("age", "height", "weight", "severity"),
    [
        ("10", "138", "32", None),
        ("10", "138", "70", "warning"),
        ("5", "109", "40", "error"),
        ("5", "", "60", "error"),
        ("17.9", "165", "140", "warning"),
        ("1", "74", "22", "error"),
    ],
)
def test_pounds_of_children(age, height, weight, severity):
    wanted = [(2, "weight_kg", "weight_pounds", severity)] if severity else []
    assert twin(age_y=age, height_cm=height, weight_kg=weight, creatinine_mg_dl="") == wanted


def test_a_severely_obese_adult_is_pointed_to_the_condition():
    (finding,) = findings("twins", [TWIN | {"weight_kg": "140", "height_cm": "165"}])
    assert finding.severity == "warning" and "obesity:severe" in finding.fix


def test_people_drawn_by_the_product_pass():
    """No error among 2,000 virtual people of all ages, and only few warnings among children."""
    people = sheet(cohort(2000, 7, age=(0, 95), ages="uniform"), 7)
    rows = people.astype(str).replace("nan", "").assign(accept="").to_dict("records")
    found = findings("twins", rows)
    assert not [f for f in found if f.severity == "error"]
    young = {i + 2 for i, r in enumerate(rows) if float(r["age_y"]) < 18}
    assert len({f.row for f in found if f.rule == "twins.weight_pounds"} & young) < 0.03 * len(young)


def test_an_adult_of_110_cm_can_be_accepted():
    assert twin(weight_kg="38", height_cm="110", accept="twins.adult_size") == [(2, "height_cm", "adult_size", "note")]
    found = findings("twins", [TWIN | {"height_cm": "110", "weight_kg": "38"}])
    assert found[0].fix.endswith("put twins.adult_size into the column accept")
    assert twin(height_cm="300", accept="twins.adult_size") == [(2, "height_cm", "out_of_range", "error")]


def test_every_rule_that_can_be_accepted_is_in_the_manual():
    manual = (SCHEMAS.parent / "README.md").read_text()
    accepted = manual[manual.index("## How to accept one") :]
    assert [rule for rule in ACCEPTABLE if f"`{rule}`" not in accepted] == []


def test_an_empty_age_asks_for_the_age_and_a_fraction_shows_no_unit():
    (empty,) = findings("twins", [TWIN | {"age_y": ""}])
    assert empty.fix.startswith("write the age in years")
    (fraction,) = findings("twins", [TWIN | {"haematocrit": "45"}])
    assert fraction.what.endswith("0.1 to 0.75")


def test_twins_without_a_vcf_are_said_once():
    none = {"vcf": "", "sample": ""}
    rows = [TWIN | none, TWIN | none | {"twin_id": "T2"}, TWIN | {"twin_id": "T3"}]
    found = findings("twins", rows)
    assert short(found) == [(0, "vcf", "no_vcf", "warning")] and found[0].what.startswith("2 of 3 twins")
    assert twin(vcf="") == [(2, "vcf", "empty_cell", "error")]
    assert twin(sample="") == [(2, "sample", "empty_cell", "error")]


def doses(weight, age="5", height="", dose_mg=("20", "2")):
    rows = [SCENARIO | {"scenario": f"s{d}", "dose_mg": d} for d in dose_mg]
    scenarios, _ = check_cells(_sheet("scenarios", rows), sheet_spec("scenarios"))
    child = TWIN | {"age_y": age, "weight_kg": weight, "height_cm": height}
    twins, _ = check_cells(_sheet("twins", [child, TWIN | {"twin_id": "T2"}]), sheet_spec("twins"))
    return check_doses_by_weight("s.tsv", scenarios, twins)


def test_an_adult_dose_in_a_small_child_is_a_warning():
    """20 mg in 18 kg is 1.11 mg/kg, 3.9 times the 0.286 mg/kg of an adult of 70 kg; in 24 kg it is 2.9 times."""
    (found,) = doses("18")
    assert (found.rule, found.severity, found.row) == ("scenarios.dose_per_kg", "warning", 2)
    assert "s20" in found.what and "twin T1" in found.what and "1.11 mg/kg" in found.what and "4 times" in found.what
    assert doses("24") == [] and doses("18", age="18") == []
    assert len(doses("1.4", age="0.05")) == 2
    assert len(doses("", age="1")) == 1, "a weight that is not told counts as what is typical"


def _sheet(table, rows):
    columns = list(rows[0])
    text = "\n".join(["\t".join(columns), *("\t".join(r[c] for c in columns) for r in rows)])
    return parse_sheet(text, f"{table}.tsv")[0]


def test_what_can_be_imputed_may_be_empty():
    assert twin(weight_kg="", height_cm="", creatinine_mg_dl="") == []
    assert twin(age_y="", weight_kg="") == [(2, "age_y", "empty_cell", "error")]


@pytest.mark.parametrize(
    ("weight", "rules"),
    [
        ("115.5", []),
        ("115.7", [("weight_pounds", "warning")]),
        ("130", [("weight_pounds", "warning")]),
        ("165", [("weight_pounds", "warning")]),
        ("210", [("weight_pounds", "warning")]),
        ("230", [("weight_pounds", "error")]),
    ],
)
def test_bmi_limits(weight, rules):
    """At 170 cm: 40 kg/m2 is 115.6 kg; 4 sd of the survey at 50 years are between 210 and 220 kg."""
    assert [(rule, severity) for _, _, rule, severity in twin(weight_kg=weight)] == rules


def test_metres_do_not_hide_pounds():
    assert [rule for _, _, rule, _ in twin(height_cm="1.7", weight_kg="165 lb")] == ["unit_in_cell", "height_metres"]
    both = sorted(rule for _, _, rule, _ in twin(height_cm="1.7", weight_kg="165"))
    assert both == ["height_metres", "weight_pounds"]


def test_names_of_persons_are_not_printed():
    found = findings("twins", [TWIN | {"twin_id": "Jane Doe", "patient_name": "Jane Doe"}])
    assert {f.rule for f in found} == {"twins.twin_id_form", "sheet.identifying_column"}
    assert "Jane" not in " ".join(f.message() for f in found)


def test_accept_turns_an_error_of_that_row_into_a_note():
    rows = [TWIN | {"weight_kg": "230", "accept": "twins.weight_pounds"}]
    rows.append(TWIN | {"twin_id": "T2", "sample": "S2", "weight_kg": "230"})
    assert short(findings("twins", rows)) == [
        (2, "weight_kg", "weight_pounds", "note"),
        (3, "weight_kg", "weight_pounds", "error"),
    ]


def test_whole_sheet_in_pounds():
    rows = [TWIN | {"twin_id": f"T{i}", "sample": f"S{i}", "weight_kg": "114"} for i in range(5)]
    assert short(findings("twins", rows)) == [(0, "weight_kg", "weight_pounds_sheet", "error")]
    assert findings("twins", rows[:4]) == [], "a median of four rows says nothing"
    accepted = [row | {"accept": "twins.weight_pounds_sheet"} for row in rows]
    assert findings("twins", accepted) == []


def test_duplicates_name_both_rows():
    found = findings("twins", [TWIN, TWIN | {"sample": "S2"}, TWIN | {"twin_id": "T3"}])
    assert short(found) == [(3, "twin_id", "duplicate_id", "error"), (4, "sample", "sample_twice", "warning")]
    assert "row 2" in found[0].what and "row 3" in found[0].why


@pytest.mark.parametrize("heading", ["weight_lb", "weight", "Weight_kg", "wt"])
def test_renamed_column_is_suggested(heading):
    row = {heading if key == "weight_kg" else key: cell for key, cell in TWIN.items()}
    found = findings("twins", [row])
    assert short(found) == [(1, "weight_kg", "column_missing", "error")]
    assert f"is the column {heading} meant?" in found[0].fix


def test_unknown_column_is_a_note_and_optional_columns_may_lack():
    assert short(findings("twins", [TWIN | {"ward": "3"}])) == [(1, "ward", "column_unknown", "note")]
    assert findings("twins", [{k: v for k, v in TWIN.items() if k != "accept"}]) == []
    optional = ("ii_h", "addl", "lloq_ng_ml", "occasion")
    assert findings("events", [{k: v for k, v in row.items() if k not in optional} for row in (DOSE, OBS)]) == []


@pytest.mark.parametrize(
    ("rows", "row", "column", "rule", "severity"),
    [
        ([DOSE | {"dose_mg": ""}], 2, "dose_mg", "dose_missing", "error"),
        ([DOSE | {"dose_mg": "0"}], 2, "dose_mg", "dose_missing", "error"),
        ([DOSE | {"dose_mg": "-5"}], 2, "dose_mg", "dose_missing", "error"),
        ([DOSE | {"dose_mg": "20000"}], 2, "dose_mg", "dose_unit", "warning"),
        ([DOSE | {"dose_mg": "0.005"}], 2, "dose_mg", "dose_unit", "warning"),
        ([DOSE | {"dose_mg": "20 mg"}], 2, "dose_mg", "unit_in_cell", "error"),
        ([DOSE | {"route": ""}], 2, "route", "route_missing", "error"),
        ([DOSE | {"route": "PO"}], 2, "route", "route_code", "error"),
        ([DOSE | {"time_h": "-1"}], 2, "time_h", "time_negative", "error"),
        ([DOSE | {"time_h": "2026-01-01 08:00"}], 2, "time_h", "not_a_number", "error"),
        ([DOSE | {"evid": "7"}], 2, "evid", "evid_code", "error"),
        ([DOSE | {"evid": "dose"}], 2, "evid", "evid_code", "error"),
        ([DOSE | {"addl": "6"}], 2, "ii_h", "addl_without_ii", "error"),
        ([DOSE | {"ii_h": "24"}], 2, "ii_h", "ii_without_addl", "warning"),
        ([DOSE | {"addl": "1.5", "ii_h": "24"}], 2, "addl", "not_whole", "error"),
        ([DOSE | {"dv_ng_ml": "5"}], 2, "dv_ng_ml", "dose_and_observation", "error"),
        ([DOSE | {"drug": "aspirin"}], 2, "drug", "drug_unknown", "error"),
        ([DOSE | {"twin_id": "T11"}], 2, "twin_id", "unknown_twin", "error"),
        ([DOSE, DOSE], 3, "time_h", "duplicate_row", "error"),
        ([DOSE, OBS | {"dv_ng_ml": ""}], 3, "dv_ng_ml", "observation_missing", "error"),
        ([DOSE, OBS | {"dv_ng_ml": "-1"}], 3, "dv_ng_ml", "out_of_range", "error"),
        ([DOSE, OBS | {"dv_ng_ml": "0.3", "lloq_ng_ml": "0.5"}], 3, "dv_ng_ml", "below_lloq", "error"),
        ([DOSE, OBS | {"dv_ng_ml": "0"}], 3, "dv_ng_ml", "below_lloq", "error"),
        ([DOSE, OBS | {"dv_ng_ml": "<0.5"}], 3, "dv_ng_ml", "below_lloq", "error"),
        ([DOSE, OBS | {"dv_ng_ml": "BLQ"}], 3, "dv_ng_ml", "below_lloq", "error"),
        ([DOSE, OBS | {"use": ""}], 3, "use", "use_missing", "error"),
        ([DOSE, OBS | {"use": "train"}], 3, "use", "use_code", "error"),
        ([DOSE, OBS | {"dose_mg": "20"}], 3, "dose_mg", "dose_and_observation", "error"),
        ([DOSE | {"time_h": "5"}, OBS], 3, "time_h", "before_first_dose", "error"),
        ([DOSE | {"time_h": "4"}, OBS], 3, "time_h", "before_first_dose", "error"),
        ([DOSE | {"twin_id": "T2"}, OBS], 3, "time_h", "before_first_dose", "error"),
    ],
)
def test_events_rules(rows, row, column, rule, severity):
    assert short(findings("events", rows)) == [(row, column, rule, severity)]


def test_doses_after_an_observation_in_the_sheet_count_by_time_not_by_row():
    assert findings("events", [OBS, DOSE]) == []


def test_unknown_twin_is_said_once_with_the_nearest_id():
    found = findings("events", [DOSE | {"twin_id": "t1"}, OBS | {"twin_id": "t1"}])
    assert short(found) == [(2, "twin_id", "unknown_twin", "error")]
    assert "(and 1 more rows of it)" in found[0].what


@pytest.mark.parametrize(
    ("cells", "column", "rule"),
    [
        ({"drug": "aspirin"}, "drug", "drug_unknown"),
        ({"drug": "midazolam"}, "drug", "drug_not_configured"),
        ({"n_doses": "0"}, "n_doses", "out_of_range"),
        ({"n_doses": "2.5"}, "n_doses", "not_whole"),
        ({"interval_h": "0"}, "interval_h", "out_of_range"),
        ({"dose_mg": "0"}, "dose_mg", "out_of_range"),
        ({"scenario": "a b"}, "scenario", "scenario_form"),
        ({"route": "rectal"}, "route", "route_code"),
    ],
)
def test_scenarios_rules(cells, column, rule):
    found = findings("scenarios", [SCENARIO | cells])
    assert short(found) == [(2, column, rule, "error")]
    if rule == "drug_unknown":
        assert "midazolam, paroxetine" in found[0].fix


def test_scenario_names_are_unique():
    assert short(findings("scenarios", [SCENARIO, SCENARIO])) == [(3, "scenario", "duplicate_name", "error")]


@pytest.mark.parametrize(
    ("cells", "column", "rule"),
    [
        ({"twin_id": "T9"}, "twin_id", "unknown_twin"),
        ({"gene": "CYP2B6"}, "gene", "gene_unknown"),
        ({"diplotype": "*1xN/*4"}, "diplotype", "diplotype_form"),
        ({"diplotype": "*1"}, "diplotype", "diplotype_form"),
        ({"method": ""}, "method", "empty_cell"),
        ({"label": "patient"}, "label", "label_code"),
    ],
)
def test_structure_call_rules(cells, column, rule):
    found = findings("structure_calls", [CALL | cells])
    assert short(found) == [(2, column, rule, "error")]
    if column == "diplotype":
        assert found[0].value == ""


def test_structure_calls_are_unique():
    assert short(findings("structure_calls", [CALL, CALL])) == [(3, "gene", "duplicate_row", "error")]
