"""Outputs, runs and shards: what is solved is what is said, and nothing depends on how it is shared out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from tests.unit.sensitivity_fixture import SD, SOLVER, make_toy, model, toy_settings, toy_subject

from pharmtwin.engine.crosscheck import EnginesDisagree
from pharmtwin.engine.run import Dose, simulate
from pharmtwin.sensitivity.outputs import Window, observing, output_of, read_outputs
from pharmtwin.sensitivity.run import run
from pharmtwin.sensitivity.runs import observed, solve_blocks
from pharmtwin.sensitivity.shards import ForeignShard, join, read_shard, share, write_shard
from pharmtwin.sensitivity.study import digest, enough, nothing, solve_sobol
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
    measure = advice[advice.topic == "measure"]
    assert measure.input.tolist() == ["F", "CL", "V"]  # 69 % of ln Cmax, 64 % of ln AUC, 31 % of ln Cmax
    CL = sobol[(sobol.output == "AUC") & (sobol.input == "CL")].iloc[0]
    assert (
        f"{100 * CL.S1:.0f} % (" in measure.text.iloc[1]
        and f"of ln AUC (ST {100 * CL.ST:.0f} %)" in measure.text.iloc[1]
    )
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
