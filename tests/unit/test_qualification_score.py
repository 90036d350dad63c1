"""Intervals, tables of predicted against observed, criteria, pictures, page, and the command as a whole."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from qualification_drugs import body, compound, linear, make_drug, quantity

from pharmtwin.qualification import figures, intervals
from pharmtwin.qualification.command import main, networks_of, panels, report, write_tables
from pharmtwin.qualification.fit_command import main as fit_main
from pharmtwin.qualification.fit_values import scaled
from pharmtwin.qualification.intervals import Z90, between_studies, drawn_questions, interval, library_scales, people
from pharmtwin.qualification.page import BEGIN, END, criteria, write_page
from pharmtwin.qualification.page import body as page_body
from pharmtwin.qualification.plan import Entry, Fitted, Plan, Spread
from pharmtwin.qualification.score import both, by, judge, judged, names, outside_guest, pair, profile_table
from pharmtwin.qualification.simulate import ProfileAnswer, World
from pharmtwin.qualification.simulate_all import Result, run, select
from pharmtwin.qualification.study import Arm, Dosing, Event, LeftOut, Profile, Ratio, Studies

SPREAD = Spread(within_genotype=0.3, transporter=0.4, gfr=0.2, ratio_studies=0.1, few=0.25, people=10)
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
    from pharmtwin.qualification.simulate import answer

    return answer(questions)[0]


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


def test_criteria_say_what_is_met(result: Result) -> None:
    found = {c.what: c for c in criteria(result, PLAN, {"3": "CYP2D6-DDI", "9": "CYP2D6-DDI"})}
    assert found["CYP2D6-DDI, rows predicted"].found.startswith("1 of 2 rows (50 %)")
    assert found["CYP2D6-DDI, rows predicted"].met is True
    (gmfe,) = (c for k, c in found.items() if k.startswith("genotype ratios, AUC GMFE (n 1,"))
    peer = 2.5 / 1.9
    assert f"PK-Sim {peer:.2f}" in gmfe.found and gmfe.met is not None
    assert found["CYP3A4-DDI, AUC GMFE on PK-Sim's rows"].met is None
    assert any(k.startswith("90 % intervals, all") for k in found)
    assert found["profiles of victim, verification, GMFE of points"].asked == "<= 1.50 (PK-Sim)"
    assert all(("NOT MET" in c.text()) == (c.met is False) for c in found.values())


def test_tables_pictures_and_page(result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_tables(result, tmp_path)
    left = pd.read_csv(tmp_path / "left_out.tsv", sep="\t")
    assert left["reason"].iloc[0] == "no drug file: y"
    for name in ("identity.svg", "profiles_victim.svg"):
        root = ElementTree.parse(tmp_path / name).getroot()
        assert root.tag.endswith("svg") and len(root.findall(".//{*}circle")) >= 2
    shown = (tmp_path / "identity.svg").read_text(encoding="utf-8")
    assert "genotype: AUC ratios" in shown and "profiles, building: AUC" in shown
    assert figures.identity({"nothing": panels(result)["genotype: AUC ratios"][:0]}).count("no predictions") == 1
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
    assert "genotype ratios, AUC GMFE (n 1" in printed.out and "broken.yaml" in printed.err
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
