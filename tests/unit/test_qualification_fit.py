"""Fitting of the plan's values: known values come back, files are written in place, plans are read strictly."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from qualification_drugs import body, compound, drug_text, linear, make_drug, man, quantity

from pharmtwin.drugs.parameters import parameter_values
from pharmtwin.drugs.read import read_drug
from pharmtwin.drugs.schema import Drug
from pharmtwin.drugs.system import build
from pharmtwin.drugs.values import Written, full_path, number, quantities, with_values, write_values
from pharmtwin.qualification.fitting.command import building_set
from pharmtwin.qualification.fitting.exposures import exposure_jobs, exposure_value, read_exposures, read_own_profiles
from pharmtwin.qualification.fitting.fit import Fit, FitError, fit, lines, soft, to_write
from pharmtwin.qualification.plan import Entry, Fitted, Plan, PlanError, read_plan
from pharmtwin.qualification.simulation.own import exposure_summary, predict_exposures
from pharmtwin.qualification.simulation.questions import World, predict_profile, predict_ratio
from pharmtwin.qualification.simulation.runs import run_jobs
from pharmtwin.qualification.study import Arm, Dosing, Event, Profile, Ratio, Studies

ACTION = {"target": "CYP2D6", "mechanism": "competitive", "Ki": quantity(0.5, "umol/L")}
CLEAR, SCALE = "compounds.d.metabolism.CYP2D6.CLint_enzyme", "compounds.d.distribution.Kp_scale"


@pytest.fixture
def drug(tmp_path: Path) -> Drug:
    parts = {"metabolism": [linear(0.7, "CYP2D6", extra={"start": 0.8}), linear(10.0)], "acts_on": [ACTION]}
    return make_drug(tmp_path, "d", d=compound(**parts, distribution={"Kp_scale": quantity(1.0, "1", start=1.2)}))


def profile(name: str, route: str, time: np.ndarray, concentration: np.ndarray, activity: float = 1.0) -> Profile:
    arm = Arm((Dosing("d", route, (Event(0.0, 50.0),)),), genotype={"CYP2D6": ((activity, 1.0),)})
    return Profile(name, "d", ("d",), f"study of {name}", arm, time, concentration, np.full(len(time), np.nan))


def observations(world: World) -> list[Profile]:
    time = np.array([0.5, 1.0, 2.0, 4.0, 8.0, 12.0])
    blank = [profile(n, r, time, time, a) for n, r, a in (("a", "iv", 1.0), ("b", "oral", 1.0), ("c", "oral", 0.2))]
    return [replace(p, concentration=predict_profile(p, world).concentration) for p in blank]


def entry(*fitted: Fitted) -> Entry:
    return Entry("d", ("d",), fitted=fitted)


def test_values_that_made_the_data_come_back(drug: Drug) -> None:
    true = with_values(drug, {CLEAR: 1.1, SCALE: 1.6})
    data = observations(World({"d": true}, body))
    plan = entry(Fitted((("d", CLEAR),), 2.0), Fitted((("d", SCALE),), 2.0))
    found = fit(plan, World({"d": drug}, body), data)
    assert found.values["d", CLEAR] == pytest.approx(1.1, rel=0.02)
    assert found.values["d", SCALE] == pytest.approx(1.6, rel=0.02)
    assert found.gmfe < 1.02 < found.before and not found.not_used and len(found.items) == 3
    assert any("GMFE over 3" in line for line in lines(found))
    again = fit(plan, World({"d": with_values(drug, {p: v for (_, p), v in found.values.items()})}, body), data)
    assert again.values["d", CLEAR] == pytest.approx(found.values["d", CLEAR], rel=2e-3)


def test_the_prior_holds_what_data_do_not_tell(drug: Drug) -> None:
    data = observations(World({"d": drug}, body))
    silent = "compounds.d.acts_on.CYP2D6.Ki"  # inhibits its own enzyme: a drug does not act on itself here
    found = fit(entry(Fitted((("d", silent),), 0.5)), World({"d": drug}, body), data)
    assert found.values["d", full_path(drug, silent)] == pytest.approx(0.5, rel=1e-3)
    assert found.se_log["d", full_path(drug, silent)] <= 0.5  # never more uncertain than the prior


def test_one_factor_moves_several_values(drug: Drug) -> None:
    other = "compounds.d.metabolism.rest.CLint_liver"
    true = with_values(drug, {CLEAR: 1.4, other: 20.0})
    plan = entry(Fitted((("d", CLEAR), ("d", other)), 2.0))
    found = fit(plan, World({"d": drug}, body), observations(World({"d": true}, body)))
    assert found.values["d", CLEAR] == pytest.approx(1.4, rel=0.02)
    assert found.values["d", other] == pytest.approx(20.0, rel=0.02)


def test_what_cannot_be_fitted_is_said(drug: Drug) -> None:
    world = World({"d": drug}, body)
    with pytest.raises(FitError, match="names no value"):
        fit(entry(), world, observations(world))
    with pytest.raises(FitError, match="0 observations for 1"):
        fit(entry(Fitted((("d", CLEAR),), 1.0)), world, [])
    stranger = profile("x", "oral", np.array([1.0]), np.array([1.0]))
    stranger = replace(stranger, arm=Arm((Dosing("nobody", "oral", (Event(0.0, 1.0),)),)))
    found = fit(entry(Fitted((("d", CLEAR),), 1.0)), world, [*observations(world), stranger])
    assert len(found.not_used) == 1 and "nobody" in found.not_used[0] and len(found.items) == 3


def test_soft_is_the_root_of_soft_l1() -> None:
    assert soft(np.array([1e-4, -1e-4])) == pytest.approx([1e-4, -1e-4], rel=1e-6)
    z = 1.5 / 0.5
    assert soft(np.array([1.5]))[0] ** 2 == pytest.approx(0.25 * 2 * (math.sqrt(1 + z * z) - 1))


def test_paths_of_values(drug: Drug) -> None:
    known = quantities(drug)
    assert known[CLEAR].value == 0.7 and "absorption.MTT" in known
    assert full_path(drug, "compounds.d.acts_on.CYP2D6.Ki") == "compounds.d.acts_on.CYP2D6.competitive.Ki"
    changed = with_values(drug, {"compounds.d.acts_on.CYP2D6.Ki": 2.0})
    assert quantities(changed)["compounds.d.acts_on.CYP2D6.competitive.Ki"].value == 2.0
    assert {k for k, q in quantities(changed).items() if q != known[k]} == {"compounds.d.acts_on.CYP2D6.competitive.Ki"}
    with pytest.raises(KeyError, match="CLint_enzyme"):
        with_values(drug, {"compounds.d.metabolism.CYP3A4.CLint_enzyme": 1.0})


def test_values_are_written_into_the_text_and_comments_stay(tmp_path: Path) -> None:
    text = (
        "# a comment\n"
        + drug_text("w", w=compound(metabolism=[linear(0.7, "CYP2D6"), linear(10.0)], acts_on=[ACTION])).replace(
            "absorption:", "absorption: # of absorption"
        )
        + "formulations:\n  tablet: {release: transit, MTT: {value: 0.5, unit: h, cv: 0.3, source: x}, # end\n"
        "    lag: {value: 1, unit: h, source: y}}\n"
    )
    new = {
        "compounds.w.metabolism.CYP2D6.CLint_enzyme": Written(1.23456e-5, 0.2),
        "compounds.w.metabolism.rest.CLint_liver": Written(7.0),
        "compounds.w.acts_on.CYP2D6.competitive.Ki": Written(0.25, 0.5),
        "formulations.tablet.MTT": Written(0.75, 0.111, 0.6),
        "formulations.tablet.lag": Written(1.5, 0.1, 1.0),
        "absorption.MTT": Written(1.0),
    }
    written = write_values(text, new)
    assert "# a comment" in written and "# of absorption" in written and "}, # end" in written
    path = tmp_path / "w.yaml"
    path.write_text(written, encoding="utf-8")
    found = quantities(read_drug(str(path)))
    for key, what in new.items():
        assert found[key].value == pytest.approx(what.value, rel=1e-3)
        if what.cv is not None:
            assert found[key].cv == pytest.approx(what.cv, rel=0.02)
        assert found[key].start == what.start
    (tmp_path / "w.yaml").write_text(text, encoding="utf-8")
    before = quantities(read_drug(str(path)))
    assert {k for k in found if found[k] != before[k]} == set(new)
    with pytest.raises(KeyError, match="no such entry"):
        write_values(text, {"compounds.w.metabolism.CYP3A4.kcat": Written(1.0)})
    with pytest.raises(ValueError, match="not finite"):
        write_values(text, {"absorption.MTT": Written(math.nan)})


def test_numbers_are_numbers_to_yaml() -> None:
    for value in (1e-7, 2.5e-9, 12345678.0, 0.3, 3.0):
        assert yaml.safe_load(number(value)) == pytest.approx(value, rel=1e-3)
        assert isinstance(yaml.safe_load(number(value)), int | float)


def test_what_is_written_of_a_fit() -> None:
    found = Fit("d", {("d", CLEAR): 1.0}, {("d", CLEAR): 0.3}, {("d", CLEAR): 0.8}, 1.0, 1.0, (), ())
    assert to_write(found) == {"d": {CLEAR: Written(1.0, 0.3, 0.8)}}


def test_an_inhibitor_is_fitted_on_an_interaction_study(drug: Drug, tmp_path: Path) -> None:
    blocker = make_drug(tmp_path, "blocker", blocker=compound(acts_on=[ACTION], metabolism=[linear(1.0)]))
    Ki = "compounds.blocker.acts_on.CYP2D6.Ki"
    alone = Arm((Dosing("d", "oral", (Event(0.0, 50.0),)),))
    both = Arm((*alone.dosings, Dosing("blocker", "oral", (Event(0.0, 20.0),))))
    window = (0.0, math.inf)
    blank = Ratio("7", "interaction", "s", "d", ("d",), both, alone, window, window, auc=1.0, cmax=math.nan)
    true = World({"d": drug, "blocker": with_values(blocker, {full_path(blocker, Ki): 0.05})}, body)
    seen = replace(blank, auc=predict_ratio(blank, true).auc)
    plan = Entry("blocker", ("blocker",), ratios=("7",), fitted=(Fitted((("blocker", Ki),), 9.0),))
    world = World({"d": drug, "blocker": blocker}, body)
    found = fit(plan, world, [], [], [seen])
    assert found.values["blocker", full_path(blocker, Ki)] == pytest.approx(0.05, rel=0.05)
    assert found.items[0].kind == "ratio" and found.items[0].n == 1 and found.before > 1.1
    with pytest.raises(FitError, match="genotypes are predicted, never fitted: 7"):
        fit(plan, world, [], [], [replace(seen, use_case="genotype")])
    studies = Studies((), (seen, replace(seen, id="8")), ())
    assert [r.id for r in building_set(plan, studies, [], [], world.library)[2]] == ["7"]
    with pytest.raises(KeyError, match="no ratio 7"):
        building_set(plan, Studies((), (), ()), [], [], world.library)
    assert Plan(read_plan().spread, {"blocker": plan}).building_ratios() == {"7"}
    assert not Plan(read_plan().spread, {"blocker": replace(plan, fitted=())}).building_ratios()


PLAN = """
acid_suppressants: [omeprazole_S]
spread: {within_genotype: &x {value: 0.3, unit: "1", source: s}, transporter: *x, gfr: *x, ratio_studies: *x, few: *x,
  ratio_studies_cmax: *x, company: *x, turnover: *x, people: {value: 10, unit: "1", source: s}}
drugs:
  metoprolol:
    files: [metoprolol_R, metoprolol_S]
    building: {profiles: [m_1], studies: [A 1990], exposures: all, ratios: ["366"]}
    fitted:
      - {value: [metoprolol_R:absorption.Peff, metoprolol_S:absorption.Peff], prior_sd: 0.3}
  midazolam:
    fitted: [{value: absorption.Peff, prior_sd: 0.5}]
"""


def test_a_plan_is_read_and_says_what_it_builds_on(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN, encoding="utf-8")
    plan = read_plan(file)
    both = plan.entries["metoprolol"]
    assert plan.building_ratios() == {"366"}
    assert both.all_exposures and both.fitted[0].paths[1] == ("metoprolol_S", "absorption.Peff")
    assert plan.entries["midazolam"].files == ("midazolam",) and plan.acid_suppressants == {"omeprazole_S"}
    one = replace(profile("p", "oral", np.array([1.0]), np.array([1.0])), study="A 1990")
    assert both.uses(one, ["d"]) and not both.uses(one, ["e"]) and both.uses(replace(one, id="m_1"), [])
    assert not both.uses(replace(one, study="B"), ["d"])
    assert plan.spread.gfr == 0.3 and plan.spread.people == 10
    assert read_plan().spread.few > 0  # the project's own plan
    with pytest.raises(PlanError, match=r"none\.yaml: cannot be read"):
        read_plan(tmp_path / "none.yaml")
    file.write_text(PLAN.replace("gfr", "GFR"), encoding="utf-8")
    with pytest.raises(PlanError, match=r"(?s)GFR: not known.*spread.gfr: needs value"):
        read_plan(file)
    file.write_text(PLAN.replace('["366"]', "all"), encoding="utf-8")
    with pytest.raises(PlanError, match="list the rows by id"):
        read_plan(file)
    file.write_text(PLAN.replace("prior_sd: 0.5", "prior_sd: 0").replace("studies:", "papers:"), encoding="utf-8")
    with pytest.raises(PlanError, match=r"(?s)papers: not known.*prior_sd"):
        read_plan(file)


COLUMNS = "drug analyte study n population sex age_y weight_kg genotype route dose_mg regimen"


def table(folder: Path, more: str, *rows: str) -> Path:
    file = folder / "table.tsv"
    head = "\t".join([*COLUMNS.split(), *more.split(), "sd", "source", "role"])
    file.write_text("\n".join([head, *("\t".join(r.split("|")) for r in rows)]) + "\n", encoding="utf-8")
    return file


def row(route: str, regimen: str, *last: str, drug: str = "d", genotype: str = "") -> str:
    return "|".join(
        [drug, drug, "S", "8", "", "M", "30", "", genotype, route, "50", regimen, *last, "", "x", "building"]
    )


def exposures(folder: Path, *rows: str) -> Path:
    return table(folder, "quantity value unit", *rows)


def test_exposures_are_predicted_by_their_definition(drug: Drug, tmp_path: Path) -> None:
    world = World({"d": drug}, body)
    as2 = "CYP2D6 AS 2"
    asked = [
        row("iv", "single", "CL", "2", "L/h", genotype=as2), row("IV", "single", "Vss", "2", "L", genotype=as2),
        row("PO", "single", "F", "2", "1", genotype=as2), row("iv 2 h infusion", "single", "tmax", "2", "h"),
        row("oral", "50 q12h x 10", "AUC_tau", "2", "mg h/L", genotype=as2),
        row("oral", "single", "AUC_inf", "2", "mg h/L", genotype=as2),
        row("iv", "single", "thalf", "2", "h", genotype=as2), row("iv", "single", "fe", "0.5", "1"),
    ]  # fmt: skip
    wrong = [
        row("oral", "x", "Cmax", "2", "mg/L"), row("oral", "single", "MRT", "2", "h"),
        row("oral", "single", "F", "", "1"),
        row("oral", "single", "Cmax", "2", "ug/L"), row("oral", "single", "Vss", "2", "L"),
        row("skin", "single", "Cmax", "2", "mg/L"), row("oral", "single", "Cmax", "2", "mg/L", genotype="EM"),
        row("oral", "single", "Cmax", "2", "mg/L", drug="e"), row("oral", "single", "AUC_tau", "2", "mg h/L"),
    ]  # fmt: skip
    found, left = read_exposures(world.library, exposures(tmp_path, *asked, *wrong))
    assert len(found) == len(asked) and len(left) == len(wrong)
    reasons = " ".join(x.reason for x in left)
    for words in (
        "neither single",
        "not predicted",
        "ug/L",
        "intravenous",
        "above 0",
        "skin",
        "which gene",
        "needs a reg",
    ):
        assert words.lower() in reasons.lower()
    value = {}
    for e in found:
        jobs = exposure_jobs(e, world)
        value[e.quantity] = exposure_value(e, jobs, run_jobs(jobs)[0])
    values = parameter_values(build([drug]), man())
    clint = 0.2 * (values["CLint_CYP2D6"] + values["CLint_rest"])
    flow = sum(man()[f"Q_{o}"] for o in ("liver", "gut", "spleen", "pancreas"))
    assert value["CL"] == pytest.approx(flow * clint / (flow + clint), rel=2e-4)
    assert value["F"] == pytest.approx(flow / (flow + clint), rel=1e-3)
    assert value["AUC_inf"] == pytest.approx(50.0 / clint, rel=2e-4)
    assert value["AUC_tau"] == pytest.approx(value["AUC_inf"], rel=1e-2)
    assert value["thalf"] == pytest.approx(math.log(2) * value["Vss"] / value["CL"], rel=0.3)
    assert value["tmax"] == 2.0 and value["fe"] == 0.0  # the man has no filtration
    assert read_exposures(world.library, tmp_path / "no.tsv") == ([], [])


def test_all_of_a_drug_that_is_only_filtered_is_in_urine(tmp_path: Path) -> None:
    filtered = make_drug(tmp_path, "d", d=compound())
    path = exposures(tmp_path, row("iv", "single", "fe", "1", "1"), row("iv", "single", "CL_renal", "1", "L/h"))
    world = World({"d": filtered}, lambda _: man() | {"GFR": 7.0})
    found, _ = read_exposures(world.library, path)
    fe, renal = (exposure_value(e, j, run_jobs(j)[0]) for e in found for j in [exposure_jobs(e, world)])
    assert fe == pytest.approx(1.0, rel=1e-3) and renal == pytest.approx(0.2 * 7.0, rel=5e-3)  # of arterial plasma


def test_parts_of_a_racemate_share_the_dose_and_courses_follow_each_other(tmp_path: Path) -> None:
    names = ("omeprazole_R", "omeprazole_S")
    parts = {n: make_drug(tmp_path, n, **{n: compound(metabolism=[linear(10.0)])}) for n in names}
    path = exposures(tmp_path, row("oral", "20 q12h x 2, 40 q24h x 1", "Cmax", "2", "mg/L", drug="omeprazole"))
    (one,), _ = read_exposures(parts, path)
    assert set(one.compounds) == set(names) and len(one.arm.dosings) == 2
    assert [(e.time, e.amount) for e in one.arm.dosings[0].events] == [(0.0, 10.0), (12.0, 10.0), (24.0, 20.0)]
    assert one.window == (24.0, 48.0) and one.dose == 40.0


def test_own_profiles_are_grouped(drug: Drug, tmp_path: Path) -> None:
    rows = [row("oral", "single", str(t), str(100 * t)) for t in (2, 1)] + [row("iv", "single", "1", "5")]
    found, left = read_own_profiles({"d": drug}, table(tmp_path, "time_h conc_ug_per_L", *rows))
    assert not left and [len(p.time) for p, _ in found] == [2, 1] and {role for _, role in found} == {"building"}
    assert list(found[0][0].concentration) == [0.1, 0.2] and found[0][0].arm.genotype["CYP2D6"]


def test_own_exposures_stand_beside_predictions(drug: Drug, tmp_path: Path) -> None:
    world = World({"d": drug}, body)
    rows = [row("iv", "single", "AUC_inf", "2", "mg h/L"), row("oral", "single", "Cmax", "2", "mg/L")]
    found, _ = read_exposures(world.library, exposures(tmp_path, *rows))
    broken = replace(found[1], id="broken", compounds=("nothing",))
    values, left = predict_exposures([*found, broken], world)
    assert values[0] > 0 and values[1] > 0 and math.isnan(values[2])
    assert [x.id for x in left] == ["broken"] and "nothing" in left[0].reason
    frame = pd.DataFrame({"drug": "d", "analyte": "d", "role": "building", "route": "iv", "quantity": ["CL", "CL"],
                          "ratio": [1.0, 2.0]})  # fmt: skip
    assert exposure_summary(frame)["median"].iloc[0] == 1.5
    doses = exposures(tmp_path, row("iv", "single", "CL", "2", "L/h").replace("|50|", "||"))
    assert read_exposures(world.library, doses)[0][0].dose == 1.0
