"""Intervals, tables of predicted against observed, criteria, pictures, page, and the command as a whole."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from qualification_drugs import body, compound, linear, make_drug, quantity

from pharmtwin.drugs.values import scaled
from pharmtwin.qualification.command import main, networks_of, panels, report, write_tables
from pharmtwin.qualification.fitting.command import main as fit_main
from pharmtwin.qualification.judging import figures, gate, interval_arms, intervals
from pharmtwin.qualification.judging.criteria import coverage, criteria
from pharmtwin.qualification.judging.intervals import (
    Z90,
    between_studies,
    drawn_questions,
    interval,
    library_scales,
    people,
)
from pharmtwin.qualification.judging.page import BEGIN, END, write_page
from pharmtwin.qualification.judging.page import body as page_body
from pharmtwin.qualification.judging.score import both, by, judge, judged, names, outside_guest, pair, profile_table
from pharmtwin.qualification.plan import Entry, Fitted, Plan
from pharmtwin.qualification.simulation import shards
from pharmtwin.qualification.simulation.everything import Result, questions, run, select
from pharmtwin.qualification.simulation.questions import ProfileAnswer, World, set_up
from pharmtwin.qualification.study import Arm, Dosing, Event, LeftOut, Profile, Ratio, Studies
from pharmtwin.uncertainty.spread import Spread

SPREAD = Spread(within_genotype=0.3, transporter=0.4, gfr=0.2, ratio_studies=0.1, ratio_studies_cmax=0.15, company=0.2,
                turnover=0.3, few=0.25, people=10)  # fmt: skip
INF = math.inf


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("drugs")
    uncertain = linear(0.7, "CYP2D6", extra={"cv": 0.3, "between_subject": 0.2})
    action = {"target": "CYP2D6", "mechanism": "competitive", "Ki": quantity(0.05, "umol/L", cv=0.5)}
    victim = make_drug(folder, "victim", victim=compound(metabolism=[uncertain, linear(30.0)]))
    blocker = make_drug(folder, "blocker", blocker=compound(acts_on=[action], metabolism=[linear(1.0)]))
    return World({"victim": victim, "blocker": blocker}, body)


def arm(*more: Dosing, activity: float = 1.0) -> Arm:
    dosing = Dosing("victim", "oral", (Event(0.0, 100.0),))
    return Arm((dosing, *more), genotype={"CYP2D6": ((activity, 1.0),)})


BLOCK = Dosing("blocker", "oral", (Event(0.0, 50.0),))


def profile(name: str = "p", n: int | None = 8) -> Profile:
    time = np.array([0.0, 1.0, 2.0, 4.0, 8.0])
    return Profile(name, "victim", ("victim",), f"study {name}", arm(), time, np.array([0.1, 1.0, 1.2, 1.0, 0.4]),
                   np.full(5, math.nan), n)  # fmt: skip


def ratio(use_case: str, test: Arm, observed: float, peer: float = math.nan, flag: str = "", name: str = "r") -> Ratio:
    whole = (0.0, INF)
    return Ratio(name, use_case, "study r", "Victim", ("victim",), test, arm(), whole, whole, observed, math.nan, peer,
                 n=12, flag=flag)  # fmt: skip


# ---- intervals


def test_draws_are_named_and_symmetric(world: World) -> None:
    path = "compounds.victim.metabolism.CYP2D6.CLint_enzyme"
    many = library_scales(world.library, 2000, 1)
    logs = np.log([s["victim"][path] for s in many])
    assert logs.mean() == pytest.approx(0.0, abs=1e-12) and logs.std() == pytest.approx(0.3, rel=0.05)
    alone = library_scales({"victim": world.library["victim"]}, 2000, 1)
    assert alone[5]["victim"] == many[5]["victim"]
    assert set(many[0]["victim"]) == {path}  # nothing else of the victim is uncertain
    changed = scaled(world.library["victim"], (many[0], many[0]))
    assert changed.parent.paths[0].values["CLint_enzyme"].value == pytest.approx(0.7 * many[0]["victim"][path] ** 2)
    assert scaled(world.library["victim"], ({"blocker": {path: 2.0}},)) is world.library["victim"]


def test_fractions_stay_fractions_and_logp_moves_by_the_logarithm(world: World) -> None:
    keys = {
        "compounds.victim.binding.fu_p": 9.0,
        "compounds.victim.binding.B_P": 0.5,
        "compounds.victim.physicochemistry.logP": math.e,
    }
    changed = scaled(world.library["victim"], ({"victim": keys},)).parent
    assert changed["binding.B_P"] == pytest.approx(0.55 + 0.45 * 0.5)  # B_P 1, haematocrit 0.45
    assert changed["binding.fu_p"] == 1.0 and changed["physicochemistry.logP"] == pytest.approx(2.0)


def test_the_mean_of_many_people_spreads_less(world: World) -> None:
    def sd(n_people: int, of: Arm) -> float:
        drawn = people("s", n_people, of, world.library, SPREAD, 1000, 1)
        return float(np.std(np.log([p.factors["CYP2D6"] for p in drawn])))

    untyped = Arm(arm().dosings)
    assert sd(1, arm()) == pytest.approx(SPREAD.within_genotype, rel=0.1) and sd(1, untyped) > 2 * sd(1, arm())
    assert sd(9, arm()) == pytest.approx(sd(1, arm()) / 3, rel=1e-6)
    one = people("s", 1, arm(), world.library, SPREAD, 1, 1)[0]
    assert set(one.body_factors) == {"V_liver", "GFR"} and one.scales["victim"]


def test_arms_of_an_interaction_are_the_same_people_those_of_genotypes_are_not(world: World) -> None:
    crossover, groups = ratio("interaction", arm(BLOCK), 2.0), ratio("genotype", arm(activity=0.2), 2.0)
    first, second = drawn_questions([crossover, groups], world, SPREAD, 3, 1)
    assert all(q.reference is q.world for q in first)
    assert all(q.reference is not None and q.reference.factors != q.world.factors for q in second)
    assert all(q.reference is not None and q.reference.scales[0] is q.world.scales[0] for q in second)  # same drugs


def test_an_interval_has_its_width() -> None:
    z = np.linspace(-1.0, 1.0, 21)
    found = interval(3.0, 3.0 * np.exp(z), 0.5)
    half = Z90 * math.hypot(float(np.std(z, ddof=1)), 0.5)
    assert found.low == pytest.approx(3.0 * math.exp(-half)) and found.high == pytest.approx(3.0 * math.exp(half))
    assert found.holds(found.low) and not found.holds(found.high * 1.01)
    assert math.isnan(interval(3.0, [1.0] * 9, 0.5).low) and math.isnan(interval(math.nan, [1.0] * 20, 0.5).low)
    assert between_studies([0.5, -0.5], [0.3, 0.3]) == pytest.approx(0.4) and between_studies([0.1], [0.3]) == 0.0


def test_coverage_of_a_world_that_is_what_it_says(world: World) -> None:
    """Observations drawn as the intervals say lie inside about as often as they promise."""
    drawn = drawn_questions([ratio("interaction", arm(BLOCK), 2.0)], world, SPREAD, 60, 7)[0]
    values = np.array([a.auc for a in intervals_answers(drawn)])
    typical = np.exp(np.log(values).mean())
    held = [interval(typical, values[:40], 0.0).holds(v) for v in values[40:]]
    assert 0.6 <= np.mean(held) <= 1.0


def intervals_answers(questions: list) -> list:  # type: ignore[type-arg]
    from pharmtwin.qualification.simulation.questions import answer

    return answer(questions)[0]


def test_activities_given_a_genotype_are_uncertain_but_for_none_and_the_reference() -> None:
    z = [1.0, -1.0]
    assert interval_arms.activity("CYP2D6", 0.0, z) == [0.0, 0.0]
    assert interval_arms.activity("CYP2D6", 1.0, z) == [1.0, 1.0]
    form, rows = interval_arms.map_rows("CYP2D6")
    up, down = interval_arms.activity("CYP2D6", 0.25, z)
    sd = rows[0][1]
    assert (
        form == "power" and up == pytest.approx(0.25 ** math.exp(sd)) and down == pytest.approx(0.25 ** math.exp(-sd))
    )
    one, other = interval_arms.activity("CYP2C19", 0.462, z)  # no function and normal function
    assert math.log(one / other) / 2 == pytest.approx(0.35)
    assert interval_arms.activity("CYP3A4", 0.5, z) == [0.5, 0.5]  # no map, nothing known


def test_the_company_of_a_drug_differs_between_studies(world: World) -> None:
    named = lambda name: intervals.normals(1, name, 4).tolist()  # noqa: E731
    drawn = interval_arms.drawn_arms(arm(BLOCK, activity=0.25), "s", 0.2, named)
    own, other = ([a.dosings[i].events[0].amount for a in drawn] for i in (0, 1))
    assert set(own) == {100.0} and len(set(other)) == 4
    assert np.log(np.array(other) / 50.0) == pytest.approx(0.2 * np.array(named("s:blocker")))
    assert len({a.genotype["CYP2D6"] for a in drawn}) == 4
    elsewhere = interval_arms.drawn_arms(arm(BLOCK, activity=0.25), "t", 0.2, named)
    assert [a.genotype for a in elsewhere] == [a.genotype for a in drawn]  # of the drug, whatever the study
    assert elsewhere[0].dosings != drawn[0].dosings


def test_turnover_acts_on_inactivation(tmp_path: Path) -> None:
    action = {"target": "CYP3A4", "mechanism": "inactivation", "KI": quantity(1.0, "umol/L"),
              "kinact": quantity(2.0, "1/h")}  # fmt: skip
    drug = make_drug(tmp_path, "loss", loss=compound(acts_on=[action], metabolism=[linear(3.0)]))
    path = "compounds.loss.acts_on.CYP3A4.inactivation.kinact"
    drawn = library_scales({"loss": drug}, 1000, 1, turnover=0.3)
    assert np.std(np.log([s["loss"][path] for s in drawn])) == pytest.approx(0.3, rel=0.1)
    assert not any(library_scales({"loss": drug}, 4, 1))


def test_replicates_are_pooled_within_groups() -> None:
    sd, freedom = intervals.replicates([[0.0, 0.2], [5.0, 5.0, 5.3]])
    assert freedom == 3 and sd == pytest.approx(math.sqrt((0.02 + 0.06) / 3))
    with pytest.raises(ValueError, match="no two studies"):
        intervals.replicates([[1.0]])


# ---- tables


def test_points_that_count() -> None:
    predicted = np.array([0.0, 1.0, 0.0, 2.0, 0.4])
    found = pair(profile(), ProfileAnswer("p", predicted))
    assert list(found.kept) == [False, True, False, True, True] and list(found.predicted) == [1.0, 2.0, 0.4]
    table, between = profile_table([found], {}, {}, SPREAD)
    row = table.iloc[0]
    assert row["points_left_out"] == 2 and row["GMFE"] == pytest.approx(2 ** (1 / 3)) and row["role"] == "verification"
    assert row["AUC_observed"] == pytest.approx(3.0 + 2.8) and row["AUC_predicted"] == pytest.approx(4.5 + 4.8)
    assert row["Cmax_observed"] == 1.0 and row["Cmax_predicted"] == 2.0 and between == {"AUC": 0.25, "Cmax": 0.25}


def test_between_studies_comes_from_the_building_set_only() -> None:
    pairs = [pair(profile(f"p{k}"), ProfileAnswer(f"p{k}", profile().concentration * (2.0 if k % 2 else 0.5)))
             for k in range(12)]  # fmt: skip
    draws = {p.profile.id: [p.answer] * 20 for p in pairs}
    roles = {p.profile.id: "building" for p in pairs}
    _, between = profile_table(pairs, draws, roles, SPREAD)
    assert between["AUC"] == pytest.approx(math.log(2.0))
    _, few = profile_table(pairs, draws, {"p1": "building"}, SPREAD)
    assert few["AUC"] == SPREAD.few


def rows(*values: tuple[float, float, float]) -> pd.DataFrame:
    table = pd.DataFrame(values, columns=["AUC_observed", "AUC_predicted", "AUC_peer"])
    return table.assign(use_case="CYP3A4-DDI", victim="v", others="o", study="s", analyte="a", flag="", problem="",
                        Cmax_observed=math.nan, Cmax_predicted=math.nan, Cmax_peer=math.nan, n=5,
                        AUC_low=table["AUC_predicted"] / 1.3, AUC_high=table["AUC_predicted"] * 1.3,
                        id=[str(i) for i in range(len(table))])  # fmt: skip


def test_figures_have_known_values() -> None:
    table = rows((2.0, 2.0, 4.0), (2.0, 4.0, 2.0), (1.0, 1.2, math.nan), (1.0, math.nan, 1.0))
    found = judge(table)
    assert found.n == 3 and found.gmfe == pytest.approx(2.4 ** (1 / 3)) and found.afe == pytest.approx(2.4 ** (1 / 3))
    assert found.within == pytest.approx((2 / 3, 2 / 3, 1.0)) and found.coverage == pytest.approx(2 / 3)
    # Guest 2011: at a ratio of 2 the limit is 1.5 (delta 1) or 1.625, at 1 it is 1 or 1.25
    assert found.guest == pytest.approx((1 / 3, 2 / 3))
    ours, peer = both(table)
    assert ours.n == peer.n == 2 and ours.gmfe == pytest.approx(peer.gmfe) == pytest.approx(2**0.5)
    assert list(outside_guest(table)["id"]) == ["1", "3"]
    assert judge(table[:0]).n == 0 and math.isnan(judge(table[:0]).gmfe)
    flagged = table.assign(flag=["", "inverted", "", ""])
    assert list(judged(flagged)["id"]) == ["0", "2", "3"] and by(flagged, ["use_case"])["n"].iloc[0] == 2


def test_names_of_racemates() -> None:
    parts = tuple(Dosing(n, "oral", (Event(0.0, 1.0),)) for n in ("metoprolol_R", "metoprolol_S", "verapamil_R", "x"))
    assert names(Arm(parts)) == ("metoprolol", "verapamil, x")


# ---- everything


@pytest.fixture(scope="module")
def result(world: World) -> Result:
    ratios = (
        ratio("genotype", arm(activity=0.0), 1.9, 2.5, name="1"),
        ratio("genotype", arm(activity=0.0), 0.3, 2.5, flag="inverted", name="2"),
        ratio("CYP2D6-DDI", arm(BLOCK), 1.3, 1.6, name="3"),
        ratio("interaction", Arm((*arm().dosings, Dosing("nobody", "oral", (Event(0.0, 1.0),)))), 2.0, name="4"),
    )
    studies = Studies((profile("a"), profile("b", None)), ratios, (LeftOut("5", "t", "x", "no drug file: y"),))
    return run(studies, ratios[:1], world, PLAN, draws=12, workers=1)


PLAN = Plan(
    SPREAD,
    {"victim": Entry("victim", ("victim",), profiles=("a",), fitted=(Fitted((("victim", "absorption.MTT"),), 0.5),))},
    peer_profiles={"victim": 1.5},
)


def test_all_in_one_run(result: Result) -> None:
    assert list(result.profiles["role"]) == ["building", "verification"] and result.draws == 12
    assert result.profiles["AUC_low"].notna().all() and (result.profiles["AUC_sd_draws"] > 0).all()
    table = result.ratios.set_index("id")
    assert table.loc["1", "AUC_low"] < table.loc["1", "AUC_predicted"] < table.loc["1", "AUC_high"]
    assert "nobody" in table.loc["4", "problem"] and math.isnan(table.loc["4", "AUC_predicted"])
    assert [x.id for x in result.left_out] == ["5", "4"] and "no drug file: nobody" in result.left_out[1].reason
    assert result.failed_draws == {}
    assert result.in_sample["AUC_predicted"].iloc[0] == table.loc["1", "AUC_predicted"]
    assert {c.structure for c in result.costs} == {"victim", "victim + blocker"}


def test_coverage_is_told_by_use_case(result: Result) -> None:
    found = {(c.what, c.quantity): c for c in coverage(result)}
    assert found["profiles", "AUC"].n == 1  # of two, one is building
    assert found["ratios", "AUC"].n == 2 and found["ratios, genotype", "AUC"].n == 1  # not flagged, solved
    assert all(0 <= c.low <= c.share <= c.high <= 1 and c.hits <= c.n for c in found.values())


def test_shards_give_the_same_whatever_their_number(world: World, tmp_path: Path) -> None:
    ratios = (ratio("genotype", arm(activity=0.0), 1.9, name="1"), ratio("CYP2D6-DDI", arm(BLOCK), 1.3, name="3"))
    studies = Studies((profile("a"), profile("b")), ratios, ())
    jobs = set_up(questions(studies, (), world, PLAN, 10))[0]
    tables = []
    for n in (1, 3):
        parts = shards.shares(jobs, n)
        assert sorted(i for part in parts for i in part) == list(range(len(jobs)))
        files = [tmp_path / f"{k}_of_{n}.npz" for k in range(n)]
        for k, file in enumerate(files):
            shards.solve_shard(jobs, k, n, file)
        tables.append(run(studies, (), world, PLAN, draws=10, solver=shards.from_files(files)))
    here = run(studies, (), world, PLAN, draws=10, workers=1)
    for other in tables:
        pd.testing.assert_frame_equal(here.ratios, other.ratios, check_exact=True)
        pd.testing.assert_frame_equal(here.profiles, other.profiles, check_exact=True)
    with pytest.raises(shards.ShardError, match="missing"):
        shards.from_files(files[:1])(jobs)
    with pytest.raises(shards.ShardError, match="other jobs"):
        shards.from_files(files)(jobs[1:])


def test_the_gate_holds_what_it_was_written_with(result: Result, tmp_path: Path) -> None:
    lines = criteria(result, PLAN, {"3": "CYP2D6-DDI"})
    gate.write_gate(lines, tmp_path / "gate.tsv")
    bars = gate.read_gate(tmp_path / "gate.tsv")
    assert bars == gate.bars(lines) and not gate.fallen(lines, bars)
    fold = next(b for b in bars if b.lower_is_better)
    share = next(b for b in bars if not b.lower_is_better)

    def changed(bar: gate.Bar, value: float) -> list[str]:
        new = [replace(x, value=value) if x.what == bar.figure else x for x in lines]
        return gate.fallen(new, bars)

    assert not changed(fold, fold.value * 1.005) and not changed(fold, fold.value * 0.5)
    assert len(changed(fold, fold.value * 1.02)) == 1 and len(changed(share, share.value - 0.02)) == 1
    assert "no figure" in changed(fold, math.nan)[0]
    met = next(b for b in bars if b.met)
    assert "was met" in gate.fallen([replace(x, met=False) if x.what == met.figure else x for x in lines], bars)[0]


def test_criteria_say_what_is_met(result: Result) -> None:
    found = {c.what: c for c in criteria(result, PLAN, {"3": "CYP2D6-DDI", "9": "CYP2D6-DDI"})}
    assert found["CYP2D6-DDI, rows predicted"].found.startswith("1 of 2 rows (50 %)")
    assert found["CYP2D6-DDI, rows predicted"].met is True
    gmfe = found["CYP2D6 genotype ratios, AUC GMFE"]
    peer = 2.5 / 1.9
    assert f"PK-Sim {peer:.2f}" in gmfe.found and gmfe.met is not None
    assert found["CYP3A4-DDI, AUC GMFE on PK-Sim's rows"].met is None
    assert any(k == "90 % intervals, all" for k in found)
    assert found["profiles of victim, verification, GMFE of points"].asked == "<= 1.50 (PK-Sim)"
    assert all(("NOT MET" in c.text()) == (c.met is False) for c in found.values())


def test_tables_pictures_and_page(result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tables(result, tmp_path)
    left = pd.read_csv(tmp_path / "left_out.tsv", sep="\t")
    assert left["reason"].iloc[0] == "no drug file: y"
    for name in ("identity.svg", "profiles/victim.svg"):
        root = ElementTree.parse(tmp_path / name).getroot()
        assert root.tag.endswith("svg") and len(root.findall(".//{*}circle")) >= 2
    shown = (tmp_path / "identity.svg").read_text(encoding="utf-8")
    assert "Genotype ratios: AUC" in shown and "Profiles, building: AUC" in shown
    assert figures.identity({"nothing": panels(result)["Genotype ratios: AUC"][:0]}).count("no predictions") == 1
    report(result)
    printed = capsys.readouterr().out
    assert "Not simulated: 2 rows" in printed and "2 structures" in printed
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n{BEGIN}\nwritten before\n{END}\nafter\n", encoding="utf-8")
    write_page(page_body(result, PLAN, {}, {"p": "identity.svg"}), page)
    text = page.read_text(encoding="utf-8")
    assert "written before" not in text and text.startswith("# Title") and text.endswith("after\n")
    assert "## Criteria" in text and "absorption.MTT" in text and "inverted" in text
    page.write_text("no markers", encoding="utf-8")
    with pytest.raises(ValueError, match="needs the lines"):
        write_page("x", page)


def test_selection_and_networks(result: Result, tmp_path: Path) -> None:
    studies = Studies((profile(),), (ratio("genotype", arm(), 1.0), ratio("CYP2D6-DDI", arm(BLOCK), 1.0)), ())
    assert len(select(studies, ["blocker"]).ratios) == 1 and not select(studies, ["blocker"]).profiles
    assert len(select(studies, [], ["profiles"]).profiles) == 1 and not select(studies, [], ["profiles"]).ratios
    assert select(studies, [], ["genotype"]).ratios[0].use_case == "genotype"
    assert networks_of(tmp_path) == {}
    (tmp_path / "osp_ddi_pred_vs_obs.csv").write_text("network,data_id\nCYP3A4-DDI,7\n", encoding="utf-8")
    assert networks_of(tmp_path) == {"7": "CYP3A4-DDI"}
    assert intervals.STAGE == "qualification"


def test_the_command_from_tables_to_criteria(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    library, data, out = tmp_path / "drugs", tmp_path / "data", tmp_path / "out"
    library.mkdir()
    data.mkdir()
    paths = [linear(0.7, "CYP2D6", extra={"cv": 0.2}), linear(3.0)]
    make_drug(library, "desipramine", desipramine=compound(metabolism=paths))
    (library / "broken.yaml").write_text("schema: 1\n", encoding="utf-8")
    head = "data_id,study,analyte,contrast,route,dose_mg,t_end_h,obs_aucr,obs_cmaxr,osp_pred_aucr,osp_pred_cmaxr,flag\n"
    lines = [
        "1,Study 1990,Desipramine,AS0/AS2,PO,100,96,7.0,1.8,6.0,1.7,",
        "2,Study 1990,Stranger,AS0/AS2,PO,1,9,2,2,2,2,",
    ]
    (data / "cyp2d6_genotype_ratios.csv").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    told = ["--data", str(data), "--out", str(out), "--library", str(library), "--workers", "1"]
    assert main([*told, "--draws", "10", "--use-case", "genotype"]) == 0
    printed = capsys.readouterr()
    assert (
        "CYP2D6 genotype ratios, AUC GMFE" in printed.out
        and "(n 1, map" in printed.out
        and "broken.yaml" in printed.err
    )
    table = pd.read_csv(out / "ratios.tsv", sep="\t")
    assert len(table) == 1 and table["AUC_predicted"].iloc[0] > 2 and table["AUC_low"].notna().all()
    left = pd.read_csv(out / "left_out.tsv", sep="\t")
    assert "stranger" in left["reason"].iloc[0]
    with pytest.raises(SystemExit):
        main([*told, "--draws", "5"])


def test_the_fit_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    library, data = tmp_path / "drugs", tmp_path / "data"
    library.mkdir()
    data.mkdir()
    make_drug(library, "warfarin_S", warfarin_S=compound(metabolism=[linear(3.0)]))
    (data / "any.csv").write_text("a\n", encoding="utf-8")
    plan = tmp_path / "plan.yaml"
    spread = "".join(f"  {k}: {{value: 1, unit: '1', source: s}}\n" for k in SPREAD.__dataclass_fields__)
    value = "{value: compounds.warfarin_S.metabolism.rest.CLint_liver, prior_sd: 1}"
    plan.write_text(f"spread:\n{spread}drugs:\n  warfarin_S: {{fitted: [{value}]}}\n", encoding="utf-8")
    told = ["--data", str(data), "--plan", str(plan), "--library", str(library)]
    assert fit_main(["warfarin_S", *told]) == 1 and "0 observations for 1 values" in capsys.readouterr().err
    assert fit_main(["nothing", *told]) == 1 and "no entry" in capsys.readouterr().err
