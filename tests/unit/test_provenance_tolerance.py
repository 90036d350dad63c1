"""Tolerances between machine classes, and TOST on the exposures of two runs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pharmtwin.provenance.equivalence import exposure_tost, tost_lines
from pharmtwin.provenance.tolerance import Rule, judge, judge_all, rule_for, rules
from pharmtwin.tables import schema, schema_names, write_table

TABLE = pd.DataFrame(
    {"name": ["a", "b"], "value": [1.0, 100.0], "lo90": [0.5, 90.0], "hi90": [1.5, 110.0], "n": [3, 4]}
)


def pair(tmp_path: Path, change: dict[str, list[object]], file: str = "t.tsv") -> tuple[Path, Path]:
    for name, table in (("one", TABLE), ("other", TABLE.assign(**change))):
        (tmp_path / name).mkdir(exist_ok=True)
        path = tmp_path / name / file
        table.to_parquet(path) if file.endswith("parquet") else table.to_csv(path, sep="\t", index=False)
    return tmp_path / "one", tmp_path / "other"


@pytest.mark.parametrize("file", ["t.tsv", "t.parquet"])
@pytest.mark.parametrize(
    ("rule", "limit", "change", "inside"),
    [
        ("relative", 0.01, {"value": [1.01, 100.0]}, True),
        ("relative", 0.01, {"value": [1.02, 100.0]}, False),
        ("absolute", 0.5, {"value": [1.5, 100.5]}, True),
        ("absolute", 0.5, {"value": [1.0, 100.51]}, False),
        ("interval", 0.1, {"value": [1.09, 101.9]}, True),
        ("interval", 0.1, {"value": [1.11, 100.0]}, False),
        ("same", 0.0, {"value": [1.0, 100.0]}, True),
        ("same", 0.0, {"value": [1.0, np.nextafter(100.0, 101.0)]}, False),
        ("skip", 0.0, {"value": [7.0, 7.0]}, True),
        ("relative", 0.01, {"value": [1.0, math.nan]}, False),
        ("relative", 0.01, {"value": [1.0, math.inf]}, False),
        ("relative", 0.01, {"name": ["a", "c"]}, False),
        ("relative", 0.01, {"n": [3, 5]}, False),
    ],
)
def test_each_rule_at_its_limit(
    tmp_path: Path, file: str, rule: str, limit: float, change: dict[str, list[object]], inside: bool
) -> None:
    known = [Rule("t.*", "value", rule, limit, "test")]
    assert (judge(file, *pair(tmp_path, change, file), known).problems == ()) is inside


def test_the_furthest_row_is_named_and_skipped_columns_are_said(tmp_path: Path) -> None:
    known = [Rule("t.tsv", "value", "relative", 0.01, "w"), Rule("t.tsv", "lo90", "skip", 0, "because")]
    found = judge("t.tsv", *pair(tmp_path, {"value": [1.5, 200.0], "lo90": [9.0, 9.0]}), known)
    assert found.problems == ("t.tsv: value: 2 of 2 rows outside relative 0.01, the furthest: data row 2, 100 and 200",)
    assert found.skipped == ("t.tsv lo90: because",)


def test_other_rows_or_columns_are_no_question_of_tolerance(tmp_path: Path) -> None:
    one, other = pair(tmp_path, {"more": [1, 2]})
    assert judge("t.tsv", one, other, [Rule("*", "*", "relative", 1.0, "w")]).problems
    TABLE.iloc[:1].to_csv(other / "t.tsv", sep="\t", index=False)
    assert "2 rows" in judge("t.tsv", one, other, [Rule("*", "*", "relative", 1.0, "w")]).problems[0]


def test_texts_may_differ_in_numbers_only(tmp_path: Path) -> None:
    known = [Rule("*.json", "*", "relative", 1e-6, "w")]
    for name, text in (("one", '{"p": 0.25}'), ("other", '{"p": 0.25000001}'), ("third", '{"q": 0.25}')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.json").write_text(text)
    assert judge("x.json", tmp_path / "one", tmp_path / "other", known).problems == ()
    assert judge("x.json", tmp_path / "one", tmp_path / "third", known).problems == ("x.json: the words differ",)
    assert judge("x.json", tmp_path / "one", tmp_path / "other", []).problems  # no rule: the same, or it is a problem


def test_the_first_row_that_fits_counts_and_the_resource_is_sound() -> None:
    known = rules()
    assert {r.rule for r in known} <= {"same", "relative", "absolute", "interval", "skip"}
    assert all(r.why and (r.value > 0) == (r.rule not in ("same", "skip")) for r in known)
    assert rule_for(known, "pbpk/b001/exposure.parquet", "median").rule == "interval"
    assert rule_for(known, "pbpk/b001/exposure.parquet", "n_draws").rule == "same"
    assert rule_for(known, "fit/diagnostics.tsv", "passed").rule == "same"
    assert rule_for(known, "fit/summary.tsv", "*").rule == "same"  # a table whose columns are judged one by one
    assert rule_for(known, "compile/whole_body.json", "*").rule == "same"


def test_rules_of_columns_name_columns_that_exist() -> None:
    from fnmatch import fnmatchcase

    columns = {c for name in schema_names() for c in schema(name).names} | {"*"}
    wrong = [r for r in rules() if not any(fnmatchcase(c, r.column) for c in columns)]
    assert not wrong


def test_judge_all_goes_by_the_resource(tmp_path: Path) -> None:
    for name, value in (("one", 0.5), ("other", 0.9)):
        (tmp_path / name / "fit").mkdir(parents=True)
        (tmp_path / name / "fit" / "posterior.nc").write_bytes(name.encode())
        (tmp_path / name / "twins").mkdir()
        (tmp_path / name / "twins" / "priors.tsv").write_text(f"parameter\tmean\nGFR\t{value}\n")
    found = judge_all(["fit/posterior.nc", "twins/priors.tsv"], tmp_path / "one", tmp_path / "other")
    assert found[0].skipped and not found[0].problems and len(found[1].problems) == 1


# ---------------------------------------------------------------- TOST


def exposures(folder: Path, values: dict[str, float], metric: str = "AUCtau") -> Path:
    rows = [
        {"twin_id": twin, "scenario": "qd", "model": "twin", "metric": metric, "unit": "u", "median": v,
         "lo90": v, "hi90": v, "n_draws": 40 if v > 0 else 0, "n_failed": 0}
        for twin, v in values.items()
    ]  # fmt: skip
    (folder / "pbpk" / "b0").mkdir(parents=True)
    write_table("exposure", pd.DataFrame(rows), folder / "pbpk" / "b0" / "exposure.parquet")
    return folder


def test_tost_is_that_of_the_paired_t_interval(tmp_path: Path) -> None:
    """Against scipy's one-sample t interval of the logarithms."""
    ratio = np.array([1.02, 0.97, 1.05, 1.01, 0.99])
    base = {f"t{k}": 10.0 * (k + 1) for k in range(5)}
    one = exposures(tmp_path / "one", base)
    other = exposures(tmp_path / "other", {t: v * ratio[k] for k, (t, v) in enumerate(base.items())})
    row = exposure_tost(one, other).iloc[0]
    d = np.log(ratio)
    low, high = stats.t.interval(0.9, 4, d.mean(), stats.sem(d))
    assert (row.n, row.metric, row.model) == (5, "AUCtau", "twin") and row.equivalent
    assert [row.ratio, row.lo90, row.hi90] == pytest.approx(np.exp([d.mean(), low, high]), rel=1e-12)
    assert row.p_low == pytest.approx(stats.ttest_1samp(d, math.log(0.8), alternative="greater").pvalue, rel=1e-9)
    assert row.largest == pytest.approx(1.05)
    assert "1 of 1 comparisons equivalent" in tost_lines(exposure_tost(one, other))[-1]
    shifted = exposures(tmp_path / "shifted", {t: v * 1.3 * ratio[k] for k, (t, v) in enumerate(base.items())})
    assert not exposure_tost(one, shifted).iloc[0].equivalent
    assert "NOT shown" in "\n".join(tost_lines(exposure_tost(one, shifted)))


def test_lost_values_are_counted_and_too_few_pairs_have_a_reason(tmp_path: Path) -> None:
    one = exposures(tmp_path / "one", {"a": 1.0, "b": 2.0})
    other = exposures(tmp_path / "other", {"a": 1.0, "c": 2.0})
    row = exposure_tost(one, other).iloc[0]
    assert (row.n, row.only_reference, row.only_test, row.equivalent) == (1, 1, 1, False)
    lines = tost_lines(exposure_tost(one, other))
    assert "not tested: 1 pairs" in lines[1] and lines[-1].endswith("1 not tested; values in one run only: 2")
    assert tost_lines(exposure_tost(tmp_path / "none", tmp_path / "nothing")) == ["TOST: neither run has an exposure"]


def test_other_metrics_are_left_to_their_tables(tmp_path: Path) -> None:
    one = exposures(tmp_path / "one", {"a": 1.0, "b": 2.0}, metric="tmax")
    assert exposure_tost(one, one).empty
