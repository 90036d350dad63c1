"""Bioequivalence: known answers of designs, models and criteria, and what cannot be said."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from pharmtwin.bioequivalence.assess import assess, rounded_inside
from pharmtwin.bioequivalence.average import method_a, method_b, parallel
from pharmtwin.bioequivalence.linear import Fit, NotEstimable
from pharmtwin.bioequivalence.mixed import RandomIntercept
from pharmtwin.bioequivalence.ratios import individual_ratios, paired_tost, share_inside
from pharmtwin.bioequivalence.scaled import (
    Within,
    constants,
    contrasts,
    expanded_limits,
    frameworks,
    ratio_upper,
    scaled_bound,
    within,
)
from pharmtwin.bioequivalence.study import Study, design_of


def study(
    sequences: dict[str, int], seed: int = 1, effect: float = 0.05, spread: tuple[float, float] = (0.3, 0.2)
) -> Study:
    """A made-up study: subjects by sequence; standard deviations between and within subjects, log scale."""
    rng, rows = np.random.default_rng(seed), []
    for sequence, n in sequences.items():
        for k in range(n):
            own = spread[0] * rng.normal()
            for p, t in enumerate(sequence, start=1):
                rows.append(
                    (
                        f"{sequence}{k}",
                        sequence,
                        str(p),
                        t,
                        4 + own + 0.02 * p + effect * (t == "T") + spread[1] * rng.normal(),
                    )
                )
    columns = [np.array([r[i] for r in rows], dtype=str) for i in range(4)]
    return Study("AUC", *columns, np.array([r[4] for r in rows]), "T", "R")


def by_sequence(one: Study, figure: Callable[[np.ndarray], float]) -> dict[str, list[float]]:
    """A figure of each subject (of the rows that are its own), by sequence."""
    subjects = {s: dict.fromkeys(one.subject[one.sequence == s]) for s in dict.fromkeys(one.sequence)}
    return {s: [float(figure(one.subject == x)) for x in names] for s, names in subjects.items()}


def fixed_effects(one: Study) -> np.ndarray:
    """Columns of method B in four periods, the treatment last."""
    periods = [one.period == p for p in "234"]
    return np.column_stack([np.ones(len(one.y)), one.sequence == "TRTR", *periods, one.is_test]).astype(float)


def without(full: Study, rows: list[int]) -> Study:
    keep = np.ones(len(full.y), dtype=bool)
    keep[rows] = False
    return full.rows(keep)


DESIGNS = {
    "2x2x2": {"TR": 6, "RT": 6},
    "full replicate": {"TRTR": 4, "RTRT": 5},
    "partial replicate": {"TRR": 4, "RTR": 4, "RRT": 4},
    "parallel": {"T": 8, "R": 9},
    "other crossover": {"TR": 5},
}


@pytest.mark.parametrize("kind", DESIGNS)
def test_designs_are_told_from_the_data(kind: str) -> None:
    assert design_of(study(DESIGNS[kind])).kind == kind
    assert design_of(study(DESIGNS[kind])).complete


REPLICATES = [{"TRT": 5, "RTR": 5}, {"RTTR": 4, "TRRT": 4}, {"TTRR": 4, "RRTT": 4},
              {"TR": 3, "RT": 3, "TT": 3, "RR": 3}, {"TRTR": 3, "RTRT": 3, "TRRT": 3, "RTTR": 3}]  # fmt: skip


@pytest.mark.parametrize("sequences", REPLICATES)
def test_every_replicate_design_is_estimated_and_scaled(sequences: dict[str, int]) -> None:
    one = study(sequences, effect=0.1)
    assert design_of(one).kind == "full replicate"
    table, _ = assess(one)
    assert table["ratio"].notna().all() and (table["verdict"] != "").all()


def test_method_a_of_a_crossover_is_the_t_test_of_period_differences() -> None:
    one = study({"TR": 7, "RT": 7})
    d = by_sequence(one, lambda mine: one.y[mine][1] - one.y[mine][0])
    got = method_a(one)
    assert got.estimate == pytest.approx((np.mean(d["RT"]) - np.mean(d["TR"])) / 2)
    pooled = (np.var(d["RT"], ddof=1) + np.var(d["TR"], ddof=1)) / 2
    assert (
        got.se == pytest.approx(math.sqrt(pooled * (2 / 7) / 4))
        and got.df == 12
        and got.mse == pytest.approx(pooled / 2)
    )


@pytest.mark.parametrize("kind", ["2x2x2", "full replicate"])
def test_methods_agree_where_nothing_is_missing(kind: str) -> None:
    one = study(DESIGNS[kind] if kind == "2x2x2" else {"TRTR": 5, "RTRT": 5}, spread=(0.4, 0.1))
    a, b = method_a(one), method_b(one)
    assert b.estimate == pytest.approx(a.estimate, abs=1e-12) and b.se == pytest.approx(a.se, rel=1e-7)
    assert a.df == b.df == pytest.approx(method_b(one, "satterthwaite").df, rel=1e-5)


def test_reml_is_at_its_optimum_and_uses_more_than_method_a_when_values_are_missing() -> None:
    one = without(study({"TRTR": 6, "RTRT": 6}, spread=(0.4, 0.3)), [0, 1, 2, 7, 13, 30, 31])
    b = method_b(one)
    assert b.df == method_a(one).df and method_b(one, "satterthwaite").df > b.df
    x = np.column_stack(
        [np.ones(len(one.y)), one.sequence == "TRTR", *(one.period == p for p in "234"), one.is_test]
    ).astype(float)
    model = RandomIntercept(x, one.y, one.subject)
    t = model.fit().between / model.fit().within
    assert all(model.at(t).deviance < model.at(t * f).deviance for f in (0.99, 1.01))
    # the same likelihood from the whole covariance matrix
    z = (one.subject[:, None] == np.unique(one.subject)[None, :]).astype(float)
    v = model.fit().within * (np.eye(len(x)) + t * z @ z.T)
    vi = np.linalg.inv(v)
    beta = np.linalg.solve(x.T @ vi @ x, x.T @ vi @ one.y)
    left = one.y - x @ beta
    deviance = (np.linalg.slogdet(v)[1] + np.linalg.slogdet(x.T @ vi @ x)[1] + left @ vi @ left
                + (len(x) - x.shape[1]) * math.log(2 * math.pi))  # fmt: skip
    assert model.fit().deviance == pytest.approx(deviance, rel=1e-10)
    assert b.estimate == pytest.approx(beta[-1])


def test_satterthwaite_against_derivatives_by_differences() -> None:
    one = without(study({"TRTR": 6, "RTRT": 6}, spread=(0.3, 0.3)), [0, 1, 2, 7, 13, 14, 15, 30])
    x = fixed_effects(one)
    model = RandomIntercept(x, one.y, one.subject)
    fit = model.fit()
    z = (one.subject[:, None] == np.unique(one.subject)[None, :]).astype(float)

    def at(w: np.ndarray) -> tuple[float, float]:
        """Restricted -2 lnL, and the variance of the treatment's estimate, at variances within and between."""
        v = w[0] * np.eye(len(x)) + w[1] * z @ z.T
        vi = np.linalg.inv(v)
        c = np.linalg.inv(x.T @ vi @ x)
        left = one.y - x @ (c @ (x.T @ vi @ one.y))
        return float(np.linalg.slogdet(v)[1] - np.linalg.slogdet(c)[1] + left @ vi @ left), float(c[-1, -1])

    w, h = np.array([fit.within, fit.between]), 1e-4 * np.array([fit.within, fit.between])
    e = np.diag(h)
    corners = [
        [sum(a * b * at(w + a * e[i] + b * e[j])[0] for a in (1, -1) for b in (1, -1)) for j in (0, 1)] for i in (0, 1)
    ]
    hessian = np.array(corners) / (4 * np.outer(h, h))
    gradient = np.array([(at(w + e[i])[1] - at(w - e[i])[1]) / (2 * h[i]) for i in (0, 1)])
    wanted = 2 * at(w)[1] ** 2 / (gradient @ np.linalg.inv(hessian / 2) @ gradient)
    assert method_b(one, "satterthwaite").df == pytest.approx(wanted, rel=1e-4)


def test_no_variance_between_subjects_is_a_fit() -> None:
    rng = np.random.default_rng(3)
    one = study({"TR": 8, "RT": 8})
    alternating = np.tile([0.2, -0.2], 16) + 0.01 * rng.normal(size=32)
    for y in (0.1 * rng.normal(size=32), alternating):
        each = Study(one.endpoint, one.subject, one.sequence, one.period, one.treatment, y, "T", "R")
        assert np.isfinite(method_b(each, "satterthwaite").df)


def test_subjects_with_one_value_stay_in_the_models() -> None:
    full = study({"TRTR": 6, "RTRT": 6})
    one = without(full, [0, 1, 2])  # the first subject keeps one reference value
    assert one.n_subjects == 12
    assert method_a(one).df == len(one.y) - 12 - 4
    assert contrasts(one, "subjects").df == 10 and contrasts(one, "sequences").df == 11 - 2


def test_a_parallel_study_by_welch() -> None:
    one = study({"T": 12, "R": 7})
    t, r = one.y[one.is_test], one.y[~one.is_test]
    for equal in (False, True):
        test = stats.ttest_ind(t, r, equal_var=equal).confidence_interval(0.9)
        assert parallel(one, equal).interval(0.05) == pytest.approx((test.low, test.high))


def test_within_variance_of_a_replicated_arm() -> None:
    one = study({"TRTR": 6, "RTRT": 6})
    d = by_sequence(one, lambda mine: np.diff(one.y[mine & ~one.is_test])[0])
    half = sum((len(x) - 1) * np.var(x, ddof=1) for x in d.values()) / 10 / 2
    got = within(one, "R", by="sequences")
    assert got.variance == pytest.approx(half) and got.df == 10 and got.subjects == 12
    assert within(one, "R").variance == pytest.approx(half)  # here both ways are one
    with pytest.raises(NotEstimable, match="no subject has two values under T"):
        within(study({"TRR": 4, "RTR": 4}), "T")


@pytest.mark.parametrize(
    ("sw", "framework", "limits"),
    [  # PKNCA test-bioequivalence-assess.R
        (0.485616493, "EMA", (69.83678, 143.19102)), (0.485616493, "HC", (69.13780, 144.63867)),
        (0.485616493, "GCC", (75, 400 / 3)), (0.395143191, "EMA", (74.05895, 135.02757)),
        (0.132057326, "EMA", (80, 125)), (0.132057326, "GCC", (80, 125)), (0.9, "EMA", (69.83678, 143.19102)),
        (0.9, "HC", (66.667, 150.000)), (0.6, "ABE", (80, 125)),
    ],
)  # fmt: skip
def test_expanding_limits(sw: float, framework: str, limits: tuple[float, float]) -> None:
    assert expanded_limits(sw, framework) == pytest.approx(limits, rel=1e-5)


def test_the_scaled_bound_against_the_guidance_written_out() -> None:
    point, reference = Fit(math.log(1.05), 0.1, 23, 0.2), Within(0.236, 22, 24)
    theta = (math.log(1.25) / 0.25) ** 2
    half = stats.t.ppf(0.95, 23) * 0.1
    x, bound_x = point.estimate**2 - 0.01, max(abs(point.estimate - half), abs(point.estimate + half)) ** 2
    y, bound_y = -theta * 0.236, -theta * 0.236 * 22 / stats.chi2.ppf(0.95, 22)
    wanted = x + y + math.sqrt((bound_x - x) ** 2 + (bound_y - y) ** 2)
    assert scaled_bound(point, reference, "FDA") == pytest.approx(wanted, rel=1e-12)
    assert scaled_bound(Fit(math.log(1.2), 0.05, 30, 0.1), Within(1e-6, 30, 32), "FDA") > 0


def test_upper_bound_of_the_ratio_of_variabilities() -> None:
    t, r = Within(0.383008171**2, 22, 24), Within(0.485616493**2, 22, 24)
    assert ratio_upper(t, r) == pytest.approx(1.128639463, rel=1e-8)  # PKNCA test-bioequivalence-assess.R


def test_fda_scales_only_above_its_switch() -> None:
    quiet, _ = assess(study({"TRTR": 12, "RTRT": 12}, spread=(0.3, 0.1)), ["FDA"])
    assert quiet["criterion"].isna().all() and (quiet["limit_high"] == 125).all()
    loud, _ = assess(study({"TRTR": 12, "RTRT": 12}, spread=(0.3, 0.5)), ["FDA"])
    assert loud["criterion"].notna().all() and loud["limit_high"].isna().all()
    assert constants("FDA")["sw_switch"] == 0.294 and frameworks()[0] == "ABE"


def test_what_a_design_does_not_allow_has_a_reason_and_no_verdict() -> None:
    table, _ = assess(study({"TRR": 5, "RTR": 5, "RRT": 5}))
    refused = table[table["verdict"] == ""]
    assert (
        set(refused["framework"]) == {"FDA_NTID", "FDA_HVNTID"}
        and refused["reason"].str.contains("two values under T").all()
    )
    crossover, _ = assess(study({"TR": 5, "RT": 5}))
    assert set(crossover.loc[crossover["verdict"] != "", "framework"]) == {"ABE", "EMA_NTID"}
    few, _ = assess(study({"TR": 1, "RT": 1}), ["ABE"])
    assert few["ratio"].isna().all() and (few["reason"] != "").all()
    with pytest.raises(KeyError, match="no framework"):
        assess(study({"TR": 5, "RT": 5}), ["XYZ"])


def test_the_point_estimate_is_held_to_its_limits_too() -> None:
    wide, _ = assess(study({"TRTR": 30, "RTRT": 30}, effect=0.28, spread=(0.3, 0.6)), ["EMA", "FDA"])
    assert (wide["verdict"] == "not shown").all() and wide["reason"].str.contains("the ratio is not within").all()


def test_intervals_are_rounded_before_they_are_compared() -> None:
    assert rounded_inside(79.996, 125.004, (80, 125)) and not rounded_inside(79.994, 120, (80, 125))


def test_individual_ratios_and_their_share() -> None:
    one = without(study({"TRTR": 2, "RTRT": 2}), [5, 7])  # the second subject keeps its tests only
    table = individual_ratios(one)
    row = table[table["subject"] == "TRTR0"].iloc[0]
    mine = one.subject == "TRTR0"
    assert row["ratio"] == pytest.approx(math.exp(one.y[mine & one.is_test].mean() - one.y[mine & ~one.is_test].mean()))
    lacking = table[table["subject"] == "TRTR1"].iloc[0]
    assert math.isnan(lacking["ratio"]) and lacking["reason"] == "no value under R"
    share = share_inside([0.8, 1.0, 1.25, 1.3, float("nan")])
    assert (share.value, share.n) == (0.75, 4) and share.lo95 < 0.75 < share.hi95


def test_tost_on_pairs() -> None:
    rng = np.random.default_rng(5)
    r = np.exp(rng.normal(size=30))
    t = r * np.exp(0.05 + 0.1 * rng.normal(size=30))
    got = paired_tost(t, r)
    d = np.log(t / r)
    low = stats.ttest_1samp(d, math.log(0.8), alternative="greater")
    high = stats.ttest_1samp(d, math.log(1.25), alternative="less")
    assert (got.p_low, got.p_high) == pytest.approx((low.pvalue, high.pvalue))
    interval = stats.ttest_1samp(d, 0).confidence_interval(0.9)
    assert (got.low, got.high) == pytest.approx((math.exp(interval.low), math.exp(interval.high))) and got.equivalent
    assert not paired_tost(t * 1.3, r).equivalent


def test_tost_of_a_rerun_without_any_difference() -> None:
    x = np.array([1.0, 20.0, 3e5])
    same = paired_tost(x, x, (0.99, 1 / 0.99))
    assert (same.ratio, same.low, same.high, same.p_low, same.p_high) == (1, 1, 1, 0, 0) and same.equivalent
    assert not paired_tost(2 * x, x).equivalent
    for bad in (([1.0], [1.0]), ([1.0, 2.0], [1.0, 0.0]), ([1.0, 2.0], [1.0])):
        with pytest.raises(ValueError):
            paired_tost(*bad)
    with pytest.raises(ValueError, match="enclose 1"):
        paired_tost(x, x, (1.1, 1.2))


def test_a_study_refuses_what_is_none() -> None:
    one = study({"TR": 2, "RT": 2})
    with pytest.raises(ValueError, match="logarithm"):
        Study("x", one.subject, one.sequence, one.period, one.treatment, np.full(8, np.nan), "T", "R")
    with pytest.raises(ValueError, match="other than"):
        Study("x", one.subject, one.sequence, one.period, one.treatment, one.y, "A", "R")
    with pytest.raises(ValueError, match="df is"):
        method_b(one, "residual")
