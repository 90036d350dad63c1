"""Subjects, outputs, runs and shards: what is solved is what is said, and nothing depends on how it is shared out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.typing import NDArray
from tests.unit.sensitivity_fixture import SD, SOLVER, make_toy, model, toy_settings, toy_subject

from pharmtwin.body.physiology import physiology, reference_twins
from pharmtwin.core.draws import ACTIVITY
from pharmtwin.core.drug import Drug, load_drug
from pharmtwin.core.exposure import Scenario, interval_metrics
from pharmtwin.core.whole_body import INDIVIDUAL, whole_body
from pharmtwin.drugs.dosing import dose_events
from pharmtwin.drugs.parameters import parameter_vector
from pharmtwin.drugs.read import read_drug
from pharmtwin.drugs.system import build
from pharmtwin.engine.crosscheck import EnginesDisagree
from pharmtwin.engine.run import Dose, pack, simulate
from pharmtwin.inference.models.read import population_model
from pharmtwin.sensitivity.command import main
from pharmtwin.sensitivity.outputs import Window, observing, output_of, read_outputs
from pharmtwin.sensitivity.population import population_inputs, population_subject
from pharmtwin.sensitivity.run import run
from pharmtwin.sensitivity.runs import observed, solve_blocks
from pharmtwin.sensitivity.shards import ForeignShard, join, read_shard, share, write_shard
from pharmtwin.sensitivity.spec import SpecError, read_spec
from pharmtwin.sensitivity.study import Reduced, digest, enough, nothing, solve_sobol
from pharmtwin.sensitivity.system import system_subject
from pharmtwin.sensitivity.twin import GENOTYPE, Person, twin_subject
from pharmtwin.uncertainty.inputs import DUMMY, Law, dummy

Floats = NDArray[np.float64]
ROOT = Path(__file__).resolve().parents[2]


def solved(subject: Any, u: Floats) -> Floats:
    """Outputs at points of the cube, by CVODE."""
    return observed(subject, simulate(subject.model, subject.batch(u), engine="cvode", rtol=1e-9))


# ---------------------------------------------------------------- outputs

T = np.linspace(0.0, 24.0, 97)
SPECS = [
    {"name": "a", "statistic": s, "observable": "C", "level": 2.0} for s in ("max", "min", "end", "tmax", "time_above")
]


def seen(spec: dict[str, Any] | str, C: Floats, start: float = 0.0) -> float:
    output = replace(output_of(spec, "C", factor=1.0, unit="mg/L"), log=False)
    return float(read_outputs([output], Window(start, start + 24.0), ["C"], C[None, :, None])[0, 0])


def test_statistics_of_a_curve() -> None:
    C = 10.0 * T * np.exp(-0.4 * T)
    assert seen("Cmax", C) == pytest.approx(C.max()) and seen("Cmin", C) == 0.0 and seen("Ctrough", C) == C[-1]
    assert seen("tmax", C) == pytest.approx(2.5, abs=0.01)  # between the points of the grid too
    assert seen(SPECS[4], C) == pytest.approx(T[C > 2.0][-1] - T[C > 2.0][0], abs=0.5)
    assert seen("tmax", np.exp(-T)) == 0.0 and seen("tmax", np.exp(T / 10)) == 24.0


def test_time_to_a_level_up_down_and_never() -> None:
    spec = {"name": "t", "statistic": "time_to", "observable": "C", "level": 2.0}
    assert seen(spec, T / 4.0) == pytest.approx(8.0)
    assert seen(spec, 5.0 - T / 4.0) == pytest.approx(12.0)
    assert seen(spec, np.full(97, 1.0)) == 24.0


def test_a_failed_run_and_a_logarithm_that_does_not_exist_have_no_value() -> None:
    outputs = [output_of("Cmax", "C"), output_of("Ctrough", "C")]
    C = np.vstack([np.exp(-T), np.where(T < 20, 1.0, 0.0), np.where(T < 3, 1.0, np.nan)])
    found = read_outputs(outputs, Window(0.0, 24.0), ["C"], C[:, :, None])
    assert np.isfinite(found[0]).all() and np.isnan(found[2]).all()
    assert found[1, 0] == pytest.approx(np.log(1000.0)) and np.isnan(found[1, 1])


@pytest.mark.parametrize(
    ("given", "says"),
    [("Cmid", "is not one of"), ({"name": "x", "statistic": "mode"}, "statistic 'mode'"),
     ({"statistic": "max"}, "no name"), ({"name": "x", "statistic": "time_to"}, "needs a level"),
     ({"name": "x", "statistic": "max", "colour": 1}, "unknown keys")],
)  # fmt: skip
def test_outputs_that_make_no_sense_are_named(given: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        output_of(given, "C")


def test_an_observable_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="nothing called E_CYP9"):
        observing(model(), [output_of({"name": "e", "statistic": "min", "observable": "E_CYP9"}, "C")], "C")


def test_units_follow_the_statistic() -> None:
    assert output_of("AUCtau", "C").unit == "ng*h/mL" and output_of("tmax", "C").unit == "h"
    assert output_of("AUC", "C", unit="umol", factor=1.0).unit == "umol*h"


# ---------------------------------------------------------------- the toy: closed form


def test_the_toy_is_its_closed_form() -> None:
    subject = toy_subject()
    u = np.random.default_rng(1).random((20, 4))
    x = np.column_stack([i.law.quantile(u[:, k]) for k, i in enumerate(subject.inputs)])
    found = solved(subject, u)
    dose = 100.0 * 1000.0
    gone = 1.0 - np.exp(-60.0 * 10 * x[:, 0] / (20 * x[:, 1]))
    np.testing.assert_allclose(found[:, 0], np.log(gone * dose * x[:, 2] / (10 * x[:, 0])), rtol=1e-6)
    np.testing.assert_allclose(found[:, 1], np.log(dose * x[:, 2] / (20 * x[:, 1])), rtol=1e-6)
    t = subject.window.course()
    wanted = np.log(dose * x[:, 2] / (20 * x[:, 1]))[:, None] - (10 * x[:, 0] / (20 * x[:, 1]))[:, None] * t
    np.testing.assert_allclose(found[:, 3:8], wanted[:, :5], atol=1e-4)


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    make = lambda _: (toy_subject(), toy_settings(base=1024, max_base=2048))  # noqa: E731
    return run((make, ""), tmp_path_factory.mktemp("toy"))


def test_the_whole_analysis_finds_the_shares_of_the_closed_form(analysed: dict[str, pd.DataFrame]) -> None:
    variance = {n: sd * sd for n, sd in SD.items()}
    sobol = analysed["sobol"]
    for output, parts in (("AUC", ("CL", "F")), ("Cmax", ("V", "F"))):
        mine = sobol[sobol.output == output].set_index("input")
        total = sum(variance[p] for p in parts)
        for name in (*SD, DUMMY):
            exact = variance[name] / total if name in parts else 0.0
            for index in ("S1", "ST"):
                assert mine.loc[name, f"{index}_lo"] - 1e-6 <= exact <= mine.loc[name, f"{index}_hi"] + 1e-6
    assert (sobol.n_failed == 0).all() and set(sobol.output) == {"AUC", "Cmax"}
    advice = analysed["sensitivity_advice"]
    assert "tmax does not vary with any input" in " ".join(advice.text)  # a bolus peaks at once
    first = advice.iloc[0]
    assert first.topic == "measure" and first.input == "CL" and "64 %" in first.text
    assert analysed["solver_check"].passed.all() and len(analysed["solver_check"]) > 5
    settled = analysed["sobol_convergence"]
    assert sorted(settled.n_base.unique()) == [1024, 2048]


def test_indices_over_time_are_those_of_the_closed_form(analysed: dict[str, pd.DataFrame]) -> None:
    """At the start C = F dose/V; late, clearance rules."""
    course = analysed["sobol_course"].set_index(["time_h", "input"])
    at = sorted(analysed["sobol_course"].time_h.unique())
    assert at[0] == 0.0
    share_V = 0.01 / (0.01 + 0.0225)
    assert course.loc[(0.0, "V"), "ST_lo"] <= share_V <= course.loc[(0.0, "V"), "ST_hi"]
    assert course.loc[(0.0, "CL"), "ST"] < 1e-12 and course.loc[(at[2], "CL"), "ST"] > 0.7


def test_the_tornado_is_in_the_users_units(analysed: dict[str, pd.DataFrame]) -> None:
    rows = analysed["tornado"].set_index(["output", "input"])
    CL = rows.loc[("AUC", "CL")]
    assert CL.unit == "ng*h/mL" and CL.base == pytest.approx(10_000.0, rel=1e-4)
    assert CL.low == pytest.approx(10 * np.exp(-0.2 * 1.6448536), rel=1e-6) and CL.input_unit == "1"
    assert CL.at_low == pytest.approx(1e5 / CL.low, rel=1e-4) and CL.at_high == pytest.approx(1e5 / CL.high, rel=1e-4)
    assert DUMMY not in analysed["tornado"].input.tolist()


def test_every_declaration_is_listed_with_its_fate(analysed: dict[str, pd.DataFrame]) -> None:
    fate = analysed["sensitivity_inputs"].set_index("input").fate.to_dict()
    assert fate == {"CL": "analysed", "V": "analysed", "F": "analysed", DUMMY: "dummy"}


# ---------------------------------------------------------------- shards


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.glob("*.tsv"))}


def test_one_two_and_seven_shards_give_the_same_bytes(tmp_path: Path) -> None:
    for n in (1, 2, 7):
        run((make_toy, "inf"), tmp_path / str(n), shards=n)
    one = bytes_of(tmp_path / "1")
    assert len(one) == 9 and one == bytes_of(tmp_path / "2") == bytes_of(tmp_path / "7")


def test_workers_change_nothing(tmp_path: Path) -> None:
    run((make_toy, "inf"), tmp_path / "a", shards=2)
    run((make_toy, "inf"), tmp_path / "b", shards=2, workers=2)
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
    for shard in (tmp_path / "a" / "shards").iterdir():
        assert shard.read_bytes() == (tmp_path / "b" / "shards" / shard.name).read_bytes()


def test_what_is_there_is_not_solved_again(tmp_path: Path) -> None:
    run((make_toy, "inf"), tmp_path, shards=3)
    first = bytes_of(tmp_path)
    lost = tmp_path / "shards" / "sobol_1_2_of_3.npz"
    lost.unlink()
    times = {p: p.stat().st_mtime_ns for p in (tmp_path / "shards").iterdir()}
    run((make_toy, "inf"), tmp_path, shards=3)
    assert bytes_of(tmp_path) == first and lost.is_file()
    assert all(p.stat().st_mtime_ns == t for p, t in times.items())


def test_a_larger_budget_goes_on_from_what_is_there(tmp_path: Path) -> None:
    def small(_: str) -> Any:
        return toy_subject(), toy_settings(max_base=32)

    run((small, ""), tmp_path / "a")
    there = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "a" / "shards").iterdir()}
    run((make_toy, "inf"), tmp_path / "a")
    run((make_toy, "inf"), tmp_path / "b")
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
    assert all((tmp_path / "a" / "shards" / n).stat().st_mtime_ns == t for n, t in there.items())


def test_a_shard_of_another_analysis_is_refused(tmp_path: Path) -> None:
    run((make_toy, "inf"), tmp_path)
    with pytest.raises(ForeignShard, match="other settings or another model"):
        run((lambda _: (toy_subject(inputs=(replace(toy_subject().inputs[0], law=Law("uniform", (0.5, 2.0))), dummy())),
                        toy_settings()), ""), tmp_path)  # fmt: skip
    (tmp_path / "shards" / "morris_0_of_1.npz").write_bytes(b"cut off")
    with pytest.raises(ForeignShard, match="no shard"):
        run((make_toy, "inf"), tmp_path)


def test_shares_are_whole_and_gaps_are_seen(tmp_path: Path) -> None:
    assert [share(5, 12, s, 3) for s in range(3)] == [(5, 7), (7, 9), (9, 12)]
    assert [share(0, 2, s, 3) for s in range(3)] == [(0, 0), (0, 1), (1, 2)]
    subject, settings = make_toy("inf")
    parts = [solve_sobol(subject, settings, list(SD), 0, s, 3) for s in range(3)]
    assert len(join([*parts[::-1], nothing(16)]).values) == 16
    with pytest.raises(ForeignShard, match="missing or there twice"):
        join([parts[0], parts[2]])
    path = tmp_path / "x.npz"
    write_shard(path, parts[0], "key")
    back = read_shard(path, "key")
    np.testing.assert_array_equal(back.values, parts[0].values)
    assert back.first == 0 and back.repaired == 0


def test_a_level_is_needed_until_the_intervals_are_narrow() -> None:
    subject, settings = make_toy("inf")
    parts = [solve_sobol(subject, settings, list(SD), 0)]
    assert not enough(subject, settings, list(SD), parts, 0)
    assert enough(subject, replace(settings, target=9.0), list(SD), parts, 0)
    assert enough(subject, settings, list(SD), [*parts, nothing(16)], 1)  # an earlier level was enough


def test_the_digest_knows_what_matters() -> None:
    subject, settings = make_toy("inf")
    base = digest(subject, settings)
    assert base == digest(subject, replace(settings, max_base=128, target=0.5))
    assert base != digest(subject, replace(settings, grid=6))
    assert base != digest(replace(subject, window=Window(0.0, 50.0)), settings)
    assert base != digest(replace(subject, regimen=(Dose(0.0, 50.0, "iv"),)), settings)
    survivors = digest(subject, settings, ["CL"])
    assert survivors == digest(subject, replace(settings, grid=6), ["CL"]) != digest(subject, settings, ["CL", "V"])


# ---------------------------------------------------------------- failures


def test_a_failed_run_takes_its_block_out_and_is_named(tmp_path: Path) -> None:
    """Runs whose F is above its 99 % quantile have no parameters: neither engine can solve them."""
    limit = float(np.exp(SD["F"] * 2.326))
    found = run((make_toy, str(limit)), tmp_path)
    sobol, checks = found["sobol"], found["solver_check"]
    failed = checks[~checks.passed]
    assert len(failed) and failed.failure.str.contains("parameter CL is nan").all()
    assert failed.run.str.match(r"block\d+/run\d+").all()
    blocks = failed[failed.stage.str.startswith("sensitivity/sobol")].run.str.partition("/")[0].nunique()
    assert (sobol.n_left_out == blocks).all() and blocks > 0 and (sobol.n_failed >= blocks).all()
    assert np.isfinite(sobol[["S1", "ST"]]).all(axis=None)
    assert "base blocks left out as a whole" in " ".join(found["sensitivity_advice"].text)


def test_a_run_that_the_fast_engine_fails_on_is_repaired(monkeypatch: pytest.MonkeyPatch) -> None:
    from pharmtwin.sensitivity import runs

    subject = toy_subject()
    points = np.random.default_rng(2).random((4, 3, 4))
    whole = solve_blocks(subject, points, 0, "test", replace(SOLVER, checked=0.0))
    real = runs.simulate

    def broken(model: Any, batch: Any, **options: Any) -> Any:
        out = real(model, batch, **options)
        if options["engine"] == "rosenbrock":
            out.flag[5] = 2
            out.values[out.t_0[5] : out.t_0[6]] = np.nan
        return out

    monkeypatch.setattr(runs, "simulate", broken)
    saved = solve_blocks(subject, points, 0, "test", replace(SOLVER, checked=0.0))
    assert saved.repaired == 1 and whole.repaired == 0 and len(saved.checks) == 0
    np.testing.assert_allclose(saved.values[..., :2], whole.values[..., :2], rtol=1e-5)


def test_engines_that_disagree_stop_the_analysis() -> None:
    points = np.random.default_rng(2).random((4, 3, 4))
    with pytest.raises(EnginesDisagree):
        solve_blocks(toy_subject(), points, 0, "test", replace(SOLVER, rtol=1e-2, checked=1.0, limit=1e-12))


def test_nothing_that_varies_is_said(tmp_path: Path) -> None:
    def still(_: str) -> Any:
        return toy_subject(inputs=(dummy(),)), toy_settings()

    with pytest.raises(RuntimeError, match="no input survives"):
        run((still, ""), tmp_path)


# ---------------------------------------------------------------- the twin of the workflow


def reference_man(priors: list[tuple[float, float]]) -> Person:
    table = physiology(reference_twins())
    body = dict(table[table["twin_id"] == "population_M"].set_index("quantity")["value"])
    rows = [{"parameter": ACTIVITY, "location": a, "weight": w, "scale": 0.0} for a, w in priors]
    rows.append({"parameter": "GFR", "location": 1.0, "weight": 1.0, "scale": 0.2})
    return Person("population_M", body, "M", 35.0, pd.DataFrame(rows))


@pytest.fixture
def drug(drug_file: dict[str, Any], tmp_path: Path) -> Drug:
    (tmp_path / "drug.yaml").write_text(yaml.safe_dump(drug_file))
    return load_drug("drug.yaml", tmp_path)


TWICE = Scenario("twice", 20.0, 12.0, 4, "oral")
METRICS = ("AUCtau", "Cmax", "Ctrough", "tmax")


def twin(drug: Drug, **options: Any) -> Any:
    outputs = [output_of(m, "C_plasma") for m in METRICS]
    return twin_subject(drug, reference_man([(0.0, 0.25), (0.5, 0.5), (1.0, 0.25)]), TWICE, outputs, **options)


def test_a_twin_has_at_least_sixty_inputs_from_everywhere(drug: Drug) -> None:
    subject = twin(drug)
    kinds = pd.Series([i.kind for i in subject.inputs]).value_counts()
    assert len(subject.inputs) - 1 >= 60 and (kinds[["drug", "people", "body", "adherence"]] >= 2).all()
    assert kinds["genotype"] == kinds["dummy"] == 1 and subject.inputs[-1].name == DUMMY
    assert {i.group for i in subject.inputs} == {"", "tissue partition", "organ flows", "adherence"}
    known = twin(drug, known_activity=0.5, leave_out=["tissue partition", "gfr"])
    names = {i.name for i in known.inputs}
    assert GENOTYPE not in names and "gfr" not in names and not any(n.startswith("Kp.") for n in names)
    with pytest.raises(ValueError, match="no inputs or groups gut"):
        twin(drug, leave_out=["gut"])


def test_at_typical_values_the_twin_is_the_workflows_own(drug: Drug) -> None:
    """Nothing varies but the dummy: the metrics of the pbpk stage at the same parameters."""
    everything = [i.group or i.name for i in twin(drug, known_activity=0.5).inputs if i.name != DUMMY]
    subject = twin(drug, known_activity=0.5, leave_out=everything)
    assert [i.name for i in subject.inputs] == [DUMMY]
    P = subject.parameters({DUMMY: np.array([0.1, 0.9])}, 2)
    np.testing.assert_array_equal(P[0], P[1])
    at = dict(zip(whole_body().parameter_names, P[0], strict=True))
    assert [at[p] for p in INDIVIDUAL] == [0.5, 1.0, 1.1, 2.5]
    times = TWICE.last_start + np.linspace(0.0, 12.0, 97)
    reference = simulate(whole_body(), pack(whole_body(), P[:1], [TWICE.doses()], [times]), rtol=1e-9)
    wanted = interval_metrics(TWICE, times, reference.of(0))
    found = solved(subject, np.array([[0.5]]))[0]
    assert np.exp(found[:3]) == pytest.approx([wanted[m] for m in METRICS[:3]], rel=1e-5)
    assert found[3] == pytest.approx(wanted["tmax"], abs=0.13)


def test_each_input_of_the_twin_moves_its_own_parameters(drug: Drug) -> None:
    subject = twin(drug)
    names, n = whole_body().parameter_names, len(subject.inputs)
    typical = {i.name: i.law.quantile(np.array([0.5])) for i in subject.inputs}
    base = subject.parameters(typical, 1)[0]
    moved: dict[str, set[str]] = {}
    for i in subject.inputs:
        changed = subject.parameters({**typical, i.name: i.law.quantile(np.array([0.9]))}, 1)[0]
        moved[i.name] = {names[c] for c in np.flatnonzero(changed != base)}
    assert n == len(moved) and moved[DUMMY] == set() and moved["gfr"] == {"GFR"}
    assert moved["metabolism.CYP2D6_kcat"] == moved["metabolism.CYP2D6_kcat between people"] == {"f_CYP2D6"}
    assert moved[GENOTYPE] == {"f_CYP2D6"} and moved["turnover:CYP2D6"] == {"kdeg_CYP2D6"}
    assert moved["metabolism.CYP2D6_Km"] == {"Km_CYP2D6"} and moved["Kp.muscle"] == {"Kp_muscle"}
    assert {"V_liver", "Vmax_CYP2D6", "CLint_other", "V_adipose"} <= moved["volume.liver"]
    assert len([p for p in moved["cardiac_output"] if p.startswith("Q_")]) == 14
    assert {"fu_p", "Kp_muscle"} <= moved["binding.fu_p"] and "Kp_muscle" in moved["physicochemistry.logP"]
    assert moved["adherence.taken"] == moved["adherence.pattern"] == moved["adherence.delay"] == set()


def test_adherence_changes_the_doses(drug: Drug) -> None:
    subject = twin(drug)
    u = np.full((2, len(subject.inputs)), 0.5)
    names = [i.name for i in subject.inputs]
    u[1, names.index("adherence.taken")] = 0.01
    batch = subject.batch(u)
    amounts = batch.ev_amount.reshape(2, -1)
    assert amounts[0].sum() == 80.0 and amounts[1].sum() < 80.0 and amounts[1, -1] == 20.0
    assert solved(subject, u)[1, 0] < solved(subject, u)[0, 0]


# ---------------------------------------------------------------- drug files of schema 2


def paroxetine(**options: Any) -> Any:
    table = physiology(reference_twins())
    body = dict(table[table["twin_id"] == "population_M"].set_index("quantity")["value"])
    file = read_drug("paroxetine")
    doses = dose_events(build([file]), "paroxetine", "oral", [(24.0 * k, 20.0, 0.0) for k in range(3)])
    outputs = [output_of("AUCtau", "C_plasma")]
    return body, file, system_subject([file], body, "M", 35.0, doses, Window(48.0, 72.0), outputs, **options)


def test_a_system_at_typical_values_is_the_librarys_own() -> None:
    body, file, subject = paroxetine(genotypes={"CYP2D6": [(0.5, 1.0)]})
    n_inputs = len(subject.inputs) - 1
    assert n_inputs >= 60 and not any(i.kind == "genotype" for i in subject.inputs)
    typical = {i.name: np.ones(1) for i in subject.inputs}
    wanted = parameter_vector(build([file]), body, {"CYP2D6": 0.5})
    np.testing.assert_allclose(subject.parameters(typical, 1)[0], wanted, rtol=1e-9)


def test_inputs_of_a_system_move_what_they_name() -> None:
    _, file, subject = paroxetine(genotypes={"CYP2D6": [(0.0, 0.1), (1.0, 0.9)]})
    names = build([file]).model.parameter_names
    typical = {i.name: np.ones(1) for i in subject.inputs}
    base = subject.parameters(typical, 1)[0]

    def moved(name: str) -> dict[str, float]:
        changed = subject.parameters({**typical, name: np.array([0.5])}, 1)[0]
        return {names[c]: changed[c] / base[c] for c in np.flatnonzero(changed != base)}

    assert moved("genotype.CYP2D6") == pytest.approx({"f_CYP2D6": 0.5, "f_CYP2D6_gut": 0.5})
    assert moved("paroxetine:metabolism.CYP2D6.Km").keys() == {"Km_CYP2D6", "Km_CYP2D6_gut"}
    assert moved("turnover:CYP2D6") == pytest.approx({"kdeg_CYP2D6": 0.5, "kdeg_CYP2D6_gut": 0.5})
    assert moved("gut.emptying") == {"k_empty": 0.5} and moved("gut.residence") == {"k_transit": 2.0}
    assert moved("Kp.muscle") == {"Kp_muscle": 0.5} and moved("gfr") == {"GFR": 0.5}
    assert moved(DUMMY) == {}


# ---------------------------------------------------------------- population models

POPULATION: dict[str, Any] = {
    "schema": 1, "name": "oral", "covariates": ["WT"], "constants": {"KA": 1.0},
    "fixed": {"TVCL": {"value": 4.0, "unit": "L/h", "prior": {"lognormal": [4.0, 0.2]}},
              "TVV": {"value": 70.0, "unit": "L"}},
    "random": {"eta_CL": {"variance": 0.09}, "eta_V": {"variance": 0.04}, "eta_0": {"variance": 0.0}},
    "covariance": [["eta_CL", "eta_V", 0.03]], "residual": {"b": {"value": 0.2}},
    "parameters": {"CL": "TVCL * (WT / 70)**0.75 * exp(eta_CL + 0 * eta_0)", "V": "TVV * exp(eta_V)"},
    "states": {"depot": "-KA * depot", "central": "KA * depot - CL / V * central"},
    "observe": {"C": "central / V"}, "routes": {"oral": "depot"},
    "outputs": {"plasma": {"of": "C", "error": {"proportional": ["b"]}, "unit": "mg/L"}},
}  # fmt: skip


def test_a_population_model_brings_priors_and_correlated_effects() -> None:
    model, _ = population_model(POPULATION)
    inputs, correlations = population_inputs(model)
    by_name = {i.name: i for i in inputs}
    assert set(by_name) == {"TVCL", "eta_CL", "eta_V"}  # no prior, no variance: no input
    assert by_name["TVCL"].law.text() == "lognormal(4, 0.2)" and by_name["eta_V"].law.sd == pytest.approx(0.2)
    assert by_name["eta_CL"].group == by_name["eta_V"].group != "" and correlations == {("eta_CL", "eta_V"): 0.5}
    given, _ = population_inputs(model, {"TVV": Law("uniform", (50.0, 90.0)), "WT": Law("normal", (70.0, 10.0))})
    assert {"TVV", "WT"} <= {i.name for i in given}
    with pytest.raises(ValueError, match="has no Q that could vary"):
        population_inputs(model, {"Q": Law("uniform", (0.0, 1.0))})


def test_a_population_model_is_solved_with_its_inputs() -> None:
    model, _ = population_model(POPULATION)
    outputs = [output_of({"name": "AUC", "statistic": "AUC"}, "C", factor=1.0, unit="mg/L")]
    subject = population_subject(model, {"WT": 70.0}, [Dose(0.0, 100.0, "oral")], Window(0.0, 500.0), outputs, "C")
    assert [i.name for i in subject.inputs] == ["TVCL", "eta_CL", "eta_V", DUMMY]
    u = np.array([[0.5, 0.5, 0.5, 0.1], [0.9, 0.5, 0.5, 0.1]])
    AUC = np.exp(solved(subject, u)[:, 0])
    TVCL = 4.0 * np.exp(0.2 * 1.2815516)
    assert pytest.approx([100.0 / 4.0, 100.0 / TVCL], rel=1e-4) == AUC
    with pytest.raises(ValueError, match="covariates WT"):
        population_subject(model, {}, [Dose(0.0, 100.0, "oral")], Window(0.0, 24.0), outputs, "C")


# ---------------------------------------------------------------- the command


def spec(tmp_path: Path, **changes: Any) -> str:
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(POPULATION), encoding="utf-8")
    content = {
        "seed": 3, "population": str(tmp_path / "model.yaml"), "covariates": {"WT": 70}, "concentration": "C",
        "unit": "mg/L", "doses": {"amount_mg": 100, "route": "oral", "n": 3, "interval_h": 12},
        "outputs": ["AUC", "Cmax"], "inputs": {"TVV": {"uniform": [50, 90]}},
        "morris": {"trajectories": 4, "candidates": 4}, "sobol": {"base": 16, "max_base": 32},
    } | changes  # fmt: skip
    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump({k: v for k, v in content.items() if v is not None}), encoding="utf-8")
    return str(path)


def test_the_command_writes_tables_and_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([spec(tmp_path), "--out", str(tmp_path / "out"), "--shards", "2"]) == 0
    said = capsys.readouterr().out
    assert "ln AUC: N = 32" in said and "random effects" in said and "CPU s" in said
    words = (tmp_path / "out" / "sensitivity.txt").read_text(encoding="utf-8")
    assert words in said and len(bytes_of(tmp_path / "out")) == 9
    subject, settings = read_spec(spec(tmp_path))
    assert any(i.kind == "adherence" for i in subject.inputs) and settings.sizes == [16, 32]


def test_everything_wrong_with_a_spec_is_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = spec(
        tmp_path, colour="red", doses={"amount_mg": "much"}, outputs=["Cmid"], sobol={"base": 100}, concentration=None
    )
    assert main([bad, "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    for part in ("colour - the key is not known", "doses - not a number: ['amount_mg']", "'Cmid' is not one of",
                 "powers of two", "concentration - the observable"):  # fmt: skip
        assert part in said, (part, said)
    assert said.count("(sensitivity.spec)") == 5 and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"population": "nowhere.yaml"}, "nowhere.yaml"),
        ({"inputs": {"TVV": {"uniform": [9, 1]}}}, "no such distribution"),
        ({"inputs": {"TVX": {"uniform": [1, 9]}}}, "no TVX that could vary"),
        ({"covariates": {}}, "needs the covariates WT"),
        ({"outputs": [{"name": "x", "statistic": "max", "observable": "brain"}]}, "nothing called brain"),
        ({"leave_out": ["eta_X"]}, "no inputs or groups eta_X"),
        ({"doses": {"amount_mg": 1, "route": "nose"}}, "nose"),
        ({"population": None, "drugs": ["paroxetin"]}, "did you mean paroxetine"),
    ],
)  # fmt: skip
def test_a_spec_that_cannot_be_used_says_why(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        read_spec(spec(tmp_path, **changes))


def test_the_shipped_examples_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for path in sorted((ROOT / "config" / "examples" / "sensitivity").glob("*.yaml")):
        subject, _ = read_spec(str(path))
        assert len(subject.inputs) >= 7 and Reduced.of(subject, [subject.inputs[0].name]).units.n >= 2
