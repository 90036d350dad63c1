"""Reference tables -> arms: text of regimens, genotype groups, names, persons, and small tables with known answers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pharmtwin.qualification.reading.genotypes import GENES, coded_by_pair, mean_activity, mixture
from pharmtwin.qualification.reading.names import Entry, assumed, dosed, dosings, file_name, measured
from pharmtwin.qualification.reading.persons import ancestry_of, bodies, complete
from pharmtwin.qualification.reading.regimen_text import Unreadable, events, window
from pharmtwin.qualification.reading.tables import read_studies
from pharmtwin.qualification.study import Arm, Person, Studies

# ---- text of regimens


@pytest.mark.parametrize(
    ("times", "dose", "expected"),
    [
        ("S0-T24-R14", "600", [(24.0 * i, 600) for i in range(14)]),
        ("(S-0,T-24,R-4)", "100", [(24.0 * i, 100) for i in range(4)]),
        ("0-(S12-T12-R13)", "500", [(12.0 * i, 500) for i in range(14)]),
        ("0-24-48", "200", [(0, 200), (24, 200), (48, 200)]),
        ("0;12;", "1000", [(0, 1000), (12, 1000)]),
        ("48 + 72 + 84", "250", [(48, 250), (72, 250), (84, 250)]),
        ("S0-R1", "600", [(0, 600)]),
        ("S0-(S0-T6-R3)-T24-R2", "80", [(0, 80), (6, 80), (12, 80), (24, 80), (30, 80), (36, 80)]),
        ("400: 0, 200: 24-48", "400/200", [(0, 400), (24, 200), (48, 200)]),
        ("(200mg): 0-6-12; (400mg): 18", "200/400", [(0, 200), (6, 200), (12, 200), (18, 400)]),
        ("S0-T24-R2 (10 mg), S48-T24-R1 (75 mg)", "first 10, then 75", [(0, 10), (24, 10), (48, 75)]),
        ("S0-T24-R2/S72-T24-R1", "150/300", [(0, 150), (24, 150), (72, 300)]),
        ("2,5mg: S0-T12-R2; 5mg: S24-T8-R1", "2,5 / 5", [(0, 2.5), (12, 2.5), (24, 5)]),
        # three doses a day as three courses; a course written R-T; two courses from one hour follow each other
        ("S0-T24-R2/S5-T24-R2", "80/80", [(0, 80), (5, 80), (24, 80), (29, 80)]),
        ("S0-T24-R1/S24-R24-T2", "20/30", [(0, 20), (24, 30), (48, 30)]),
        ("S0-T24-R2/S0-T12-R2/S96-T24-R1", "10/10/2010", [(0, 10), (24, 10), (48, 10), (60, 10), (96, 10)]),
    ],
)
def test_regimen(times: str, dose: str, expected: list[tuple[float, float]]) -> None:
    assert [(e.time, e.amount) for e in events(times, dose)] == expected


def test_units_and_infusion() -> None:
    (only,) = events("0", "500", "µg", "30")
    assert (only.amount, only.infusion) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("times", "dose", "unit", "says"),
    [
        ("", "100", "mg", "no times"),
        ("daily", "100", "mg", "daily"),
        ("0-24", "", "mg", "no dose"),
        ("0-24", "100/200", "mg", "2 doses"),
        ("0", "8", "oz", "oz"),
    ],
)
def test_what_is_not_understood_is_said(times: str, dose: str, unit: str, says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        events(times, dose, unit)


def test_window() -> None:
    assert window("0", "24") == (0.0, 24.0)
    assert window("74", "inf") == (74.0, math.inf) == window("74", "nf")
    for bad in (("", "24"), ("24", "24"), ("316 (N=13)", "inf")):
        with pytest.raises(Unreadable, match="window"):
            window(*bad)


# ---- genotypes


def test_reference_groups_have_activity_one() -> None:
    assert mixture("CYP2D6", "AS2") == ((1.0, 1.0),)
    for protein in ("CYP2C19", "CYP2C9", "CYP3A5", "OATP1B1", "BCRP"):
        assert mixture(protein, "hmEM") == ((1.0, 1.0),)


def test_no_function_is_zero_and_scores_fall_in_order() -> None:
    assert mixture("CYP2D6", "PM") == mixture("CYP2C19", "PM", "EAS") == mixture("CYP3A5", "nonexpressor") == ((0, 1),)
    scores = [mixture("CYP2D6", f"AS{s}")[0][0] for s in (0, 0.5, 1, 1.25, 2, 3)]
    assert scores == sorted(scores) and len(set(scores)) == 6


@pytest.mark.parametrize("protein", sorted(GENES))
@pytest.mark.parametrize("ancestry", ["EUR", "EAS", "AFR", "AMR", "SAS"])
def test_untyped_group_is_a_mixture(protein: str, ancestry: str) -> None:
    found = mixture(protein, "", ancestry)
    assert sum(w for _, w in found) == pytest.approx(1) and len(found) <= 6
    assert mean_activity(protein, ancestry) == pytest.approx(sum(a * w for a, w in found))


def test_cyp3a5_is_not_expressed_in_most_europeans() -> None:
    zero = {a: w for a, w in mixture("CYP3A5", "", "EUR")}
    # *3 and *6 have 946 of 1000 chromosomes of the panel: 0.946^2
    assert zero[0.0] == pytest.approx(0.9466**2, abs=0.002)


def test_phenotypes_of_a_gene() -> None:
    assert mixture("OATP1B1", "*1b/*15") == mixture("OATP1B1", "*1a/*15") != mixture("OATP1B1", "*15/*15")
    het, normal = mixture("CYP2C19", "htEM", "EAS"), mixture("CYP2C19", "EM", "EAS")
    assert len(het) == 1 and 0 < het[0][0] < 1
    assert het[0][0] in [a for a, _ in normal] and 1.0 in [a for a, _ in normal]
    assert len(mixture("CYP3A5", "expressor", "EAS")) == 2


def test_map_without_the_drug() -> None:
    drugs = ("", "metoprolol", "metoprolol_R", "paroxetine", "atomoxetine")
    of = {d: mixture("CYP2D6", "AS0.5", leave_out=d)[0][0] for d in drugs}
    assert of["metoprolol"] == of["metoprolol_R"] == of[""]  # no published curve of its own
    assert len({of[""], of["paroxetine"], of["atomoxetine"]}) == 3
    # the geometric mean of the two other models' kcat ratios, by hand
    assert of["paroxetine"] == pytest.approx((32.91 / 242.45 * 16.87 / 102.25) ** 0.5)


def test_extensive_metabolisers_are_all_but_poor_ones() -> None:
    for ancestry in ("EUR", "EAS"):
        with coded_by_pair():
            everyone, extensive = (dict(mixture("CYP2D6", w, ancestry)) for w in ("", "EM"))
        assert extensive == {pair: w for pair, w in everyone.items() if pair > 0}


def test_unknown_groups_are_refused() -> None:
    for protein, text in (("CYP2D6", "slow"), ("CYP2C19", "slow"), ("CYP2C9", "*1/*999"), ("OATP1B1", "*1b")):
        with pytest.raises(ValueError, match=protein if protein.startswith("CYP") else "SLCO1B1"):
            mixture(protein, text)
    with pytest.raises(KeyError, match="CYP9"):
        mixture("CYP9", "PM")


# ---- names and persons


def test_names() -> None:
    assert file_name("S-Warfarin") == "warfarin_S" and file_name("Some drug") == "some_drug"
    assert measured("Dapagliflozin").compounds == ("dapagliflozin",)
    assert measured("Metoprolol racemate").compounds == ("metoprolol_R", "metoprolol_S")
    assert measured("R-Metoprolol").compounds == ("metoprolol_R",)
    assert dosed(measured("R-Metoprolol").taken_as)[1][:2] == ("metoprolol_S", 0.5)
    assert measured("Clarithromycin test old").compounds == ("clarithromycin",)


def test_persons() -> None:
    assert ancestry_of("European_ICRP_2002") == "EUR" and ancestry_of("Midazolam in Caucasian") == "EUR"
    assert ancestry_of("Japanese_Population") == "EAS" and ancestry_of("") == ""
    plain, heavy = Person(), Person(weight_kg=120.0)
    assert (complete(plain).weight_kg, complete(plain).height_cm) == (73.0, 176.0)
    found = bodies([Arm((), plain), Arm((), heavy), Arm((), plain)])
    assert set(found) == {plain, heavy} and found[heavy]["BSA"] > found[plain]["BSA"]
    with pytest.raises(ValueError, match="child"):
        complete(Person(age_y=4.0))


def test_formulations_by_words() -> None:
    library = {"itraconazole": Entry(formulations=("solution_fasted", "solution_fed", "capsule_fed", "capsule_fasted"))}

    def form(words: str) -> str:
        return dosings("Itraconazole", "PO", (), library, labelled=True, formulation=words)[0].formulation

    assert form("Capsule fed") == "capsule_fed" and form("Solution fasted") == "solution_fasted"
    assert form("itraconazole Sporanox, Orion fasted") == "capsule_fasted" == form("fasted")
    first = {"erythromycin": Entry(formulations=("film_coated_stearate", "enteric_tablet"))}
    chosen = dosings("Erythromycin", "PO", (), first, labelled=True, formulation="500 mg enterotablet, Orion fasted")
    assert chosen[0].formulation == "enteric_tablet"
    assert dosings("Erythromycin", "PO", (), first, labelled=True, formulation="fasted")[0].formulation == ""


# ---- small tables

SETS = (
    "dataset_id,drug,analyte,osp_name,study,gene,genotype_or_phenotype,n,route,dose,food,matrix,dimension,error_type,"
    "population,sex,age_y,weight_kg,height_cm,genotype_of_linked_individual"
)
DOSES = "dataset_id,compound,time_h,dose,dose_unit,application,infusion_min,formulation"
POINTS = "dataset_id,time_h,value,unit,conc_ug_per_L,error"
CYP2D6 = "data_id,study,analyte,contrast,route,dose_mg,t_end_h,obs_aucr,obs_cmaxr,osp_pred_aucr,osp_pred_cmaxr,flag"
DDI = (
    "ID,Study ID,Grouping,Victim,Perpetrator,Route Victim,Route Perpetrator,Compartment,AUCR Avg,CmaxR Avg,t_placebo_0,"
    "t_placebo_end,t_treatment_0,t_treatment_end,t Unit,R Dose correction factor,Comment,Dose,Dose free API,Dose Unit,"
    "Times of Administration"
)
PEER = "network,data_id,osp_pred_aucr,osp_pred_cmaxr," + DDI[3:]


def table(folder: Path, name: str, head: str, *rows: dict[str, object]) -> None:
    columns = head.split(",")
    frame = pd.DataFrame(
        [{c: r.get(c, r.get(c.replace(" ", "_"), "")) for c in columns} for r in rows], columns=columns
    )
    frame.to_csv(folder / f"{name}.csv", index=False)


def read(folder: Path, *drugs: str, **more: Entry) -> Studies:
    return read_studies(folder, {**assumed(drugs), **more})


def data_set(id_: str, **more: object) -> dict[str, object]:
    usual = {"study": "A 2000", "route": "PO", "dose": "10 mg", "matrix": "Plasma", "dimension": "Concentration (mass)"}
    return {"dataset_id": id_, "analyte": "X", "population": "European", "sex": "MALE", "age_y": 30, **usual, **more}


def dose(id_: str, hour: float = 0, mg: float = 10, **more: object) -> dict[str, object]:
    usual = {"compound": "X", "dose_unit": "mg", "application": "Oral", "infusion_min": 0}
    return {"dataset_id": id_, "time_h": hour, "dose": mg, **usual, **more}


def point(id_: str, hour: float, level: float, error: object = "") -> dict[str, object]:
    return {"dataset_id": id_, "time_h": hour, "value": level / 1e3, "conc_ug_per_L": level, "error": error}


def test_profile(tmp_path: Path) -> None:
    table(
        tmp_path, "osp_datasets", SETS,
        data_set("a", n=8, food="Breakfast", error_type="ArithmeticStdDev"),
        data_set("b", route="Intracolonic", dose="0.1 mg/kg", sex="FEMALE", weight_kg=50, height_cm=160,
                 error_type="GeometricStdDev"),
        data_set("urine", matrix="Urine", dimension="Fraction"),
        data_set("blood", matrix="Whole Blood"),
        data_set("no_doses"),
        data_set("other_dose", dose="20 mg"),
        data_set("no_file", analyte="Y"),
    )  # fmt: skip
    table(
        tmp_path, "osp_doses", DOSES,
        # the clock of a protocol may begin before the first dose
        dose("a", 100, formulation="Tablet (Brand)"), dose("a", 124, formulation="Tablet (Brand)"),
        dose("b", 0, 0.1, dose_unit="mg/kg", application="UserDefined"),
        dose("urine"), dose("blood"), dose("other_dose"), dose("no_file", compound="Y"),
    )  # fmt: skip
    ids = ("a", "b", "urine", "blood", "no_doses", "other_dose", "no_file")
    points = [point(i, h, 1000 / h, 400 / h) for i in ids for h in (101, 102)]
    table(tmp_path, "osp_profiles", POINTS, *points)
    out = read(tmp_path, x=Entry(frozenset({"x"}), ("solution", "tablet")))
    a, b = out.profiles
    assert (a.id, a.drug, a.compounds, a.n, a.arm.stomach) == ("a", "x", ("x",), 8, "fed")
    assert [(e.time, e.amount) for e in a.arm.dosings[0].events] == [(0, 10), (24, 10)]
    assert a.arm.dosings[0].formulation == "tablet"
    np.testing.assert_allclose(a.time, [1, 2])
    np.testing.assert_allclose(a.concentration, [1 / 101, 1 / 102])
    np.testing.assert_allclose(a.sd, 0.4 * a.concentration)
    assert (b.arm.dosings[0].route, b.arm.dosings[0].events[0].amount) == ("colon", pytest.approx(5.0))
    assert b.arm.person.sex == "F" and np.isnan(b.sd).all()
    reasons = {x.id: x.reason for x in out.left_out}
    assert reasons.keys() == {"urine", "blood", "no_doses", "other_dose", "no_file"}
    assert reasons["no_file"] == "no drug file: y" and "20 mg" in reasons["other_dose"]
    assert "whole blood" in reasons["blood"] and "fraction" in reasons["urine"] and "doses" in reasons["no_doses"]


def test_linked_individual_tells_the_group_where_the_name_does_not(tmp_path: Path) -> None:
    gene = {"gene": "CYP2D6 activity score", "analyte": "Desipramine"}
    table(
        tmp_path, "osp_datasets", SETS,
        data_set("wrong", genotype_or_phenotype="0.5", genotype_of_linked_individual="AS=1.25", **gene),
        data_set("word", genotype_or_phenotype="EM", genotype_of_linked_individual="NM", **gene),
        data_set("coarse", genotype_or_phenotype="0.5", genotype_of_linked_individual="IM", **gene),
    )  # fmt: skip
    ids = ("wrong", "word", "coarse")
    table(tmp_path, "osp_doses", DOSES, *(dose(i, compound="Desipramine") for i in ids))
    table(tmp_path, "osp_profiles", POINTS, *(point(i, 1, 5) for i in ids))
    wrong, word, coarse = (p.arm.genotype["CYP2D6"] for p in read(tmp_path, "desipramine").profiles)
    assert wrong == mixture("CYP2D6", "AS1.25") and coarse == mixture("CYP2D6", "AS0.5")
    assert word == mixture("CYP2D6", "EM")


def test_genotype_ratios(tmp_path: Path) -> None:
    row = {"route": "PO", "dose_mg": 40, "t_end_h": 96, "obs_aucr": 3, "obs_cmaxr": 2, "osp_pred_aucr": 2.5}
    rows = [
        {"data_id": 1, "study": "B 2001", "analyte": "R-Metoprolol", "contrast": "AS0.5/AS2", **row},
        {"data_id": 2, "study": "C 2002", "analyte": "Paroxetine", "contrast": "PM/NM", "flag": "inverted", **row},
        {"data_id": 3, "study": "B 2001", "analyte": "Novel", "contrast": "PM/NM", **row},
        {"data_id": 4, "study": "B 2001", "analyte": "Paroxetine", "contrast": "slow/NM", **row},
    ]
    table(tmp_path, "cyp2d6_genotype_ratios", CYP2D6, *rows)
    table(tmp_path, "osp_cyp2d6_dgi_ratios", CYP2D6, rows[0])
    # the second study's data sets: three daily doses, samples from the last one on
    groups = (("pm", "PM", ""), ("nm", "EM", ""))
    sets = [data_set(i, study="C (2002)", dose="40 mg", analyte="Paroxetine", gene="CYP2D6", genotype_or_phenotype=g,
                     genotype_of_linked_individual=x) for i, g, x in groups]  # fmt: skip
    table(tmp_path, "osp_datasets", SETS, *sets)
    protocol = [dose(i, h, 40, compound="Paroxetine") for i in ("pm", "nm") for h in (0, 24, 48)]
    table(tmp_path, "osp_doses", DOSES, *protocol)
    table(tmp_path, "osp_profiles", POINTS, *(point(i, h, 5) for i in ("pm", "nm") for h in (48, 150)))
    out = read(tmp_path, "metoprolol_R", "metoprolol_S", "paroxetine")
    single, repeated = out.ratios
    assert [d.drug for d in single.test.dosings] == ["metoprolol_R", "metoprolol_S"]
    assert single.test.dosings[0].events[0].amount == pytest.approx(0.5 * 0.781 * 40)  # half of the tartrate's base
    assert single.window_test == (0, 96) and single.peer_auc == 2.5
    assert single.test.genotype["CYP2D6"] == mixture("CYP2D6", "AS0.5", leave_out="metoprolol")
    assert repeated.window_test == repeated.window_reference == (48, 144) and repeated.flag == "inverted"
    assert len(repeated.test.dosings[0].events) == 3
    assert {x.id: x.reason.split(":")[0] for x in out.left_out} == {
        "1": "the same row as in cyp2d6_genotype_ratios", "3": "no drug file", "4": "genotype",
    }  # fmt: skip
    in_sample = read_studies(tmp_path, assumed(["metoprolol_R", "metoprolol_S"]), in_sample=True).ratios[0]
    assert in_sample.test.genotype["CYP2D6"] == mixture("CYP2D6", "AS0.5")


def interaction(id_: int, **more: object) -> dict[str, object]:
    usual = {
        "Study ID": "D 2003", "Victim": "Novel", "Perpetrator": "Quinidine", "Route Victim": "PO", "t Unit": "h",
        "Route Perpetrator": "PO", "Compartment": "Plasma", "AUCR Avg": 4, "t_placebo_0": 0, "t_placebo_end": "inf",
        "t_treatment_0": 50, "t_treatment_end": "inf", "Dose": 200, "Dose Unit": "mg",
        "Times of Administration": "S0-T24-R4", "Grouping": "Novel PO 5 mg with quinidine",
    }  # fmt: skip
    return {"ID": id_, "data_id": id_, **usual, **more}


def test_interactions(tmp_path: Path) -> None:
    steady = {"t_placebo_0": 72, "t_placebo_end": 96, "t_treatment_0": 144, "t_treatment_end": 168}
    rows = [
        interaction(1),
        interaction(2, **steady, **{"R Dose correction factor": 0.5, "Times of Administration": "S96-T24-R3"}),
        interaction(3, Victim="Desipramine", Grouping="QUI-DES-DDGI_AS0.5"),
        interaction(4, Perpetrator="Unknown"),
        interaction(5, **{"Times of Administration": "now and then"}),
        interaction(6, Compartment="Urine"),
        interaction(7, **{"AUCR Avg": ""}),
        interaction(8, Grouping="no dose is told"),
        interaction(9, Grouping="QUI-DES-Control_PM"),
        interaction(10, t_treatment_0=""),
        interaction(11, **{"Dose free API": "165"}),
    ]
    table(tmp_path, "osp_ddi_ratios_raw", DDI, *rows)
    table(tmp_path, "osp_ddi_pred_vs_obs", PEER, {**rows[0], "network": "CYP2D6-DDI", "osp_pred_aucr": 3.5})
    out = read(tmp_path, "novel", "quinidine", "desipramine")
    by_id = {r.id: r for r in out.ratios}
    one = by_id["1"]
    assert (one.use_case, one.auc, one.peer_auc, by_id["2"].use_case) == ("CYP2D6-DDI", 4, 3.5, "interaction")
    victim, perpetrator = one.test.dosings
    assert [(e.time, e.amount) for e in victim.events] == [(50, 5)] and len(perpetrator.events) == 4
    assert perpetrator.events[0].amount == pytest.approx(200 * 0.8288)  # labelled as sulfate
    assert by_id["11"].test.dosings[1].events[0].amount == 165
    assert one.window_test == (50, math.inf) and one.window_reference == (0, math.inf)
    assert len(one.reference.dosings) == 1
    # repeated dosing by the windows: every 24 h from the start of the clock, half the dose with the perpetrator
    test, reference = by_id["2"].test.dosings[0].events, by_id["2"].reference.dosings[0].events
    assert [(e.time, e.amount) for e in test] == [(24.0 * i, 2.5) for i in range(7)]
    assert [(e.time, e.amount) for e in reference] == [(24.0 * i, 5) for i in range(4)]
    assert by_id["3"].test.genotype["CYP2D6"] == mixture("CYP2D6", "AS0.5")
    reasons = {x.id: x.reason for x in out.left_out}
    assert reasons.keys() == {"4", "5", "6", "7", "8", "9", "10"} and reasons["4"] == "no drug file: unknown"
    assert "now" in reasons["5"] and "no dose of Novel" in reasons["8"] and "windows" in reasons["10"]


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no reference tables"):
        read_studies(tmp_path)
