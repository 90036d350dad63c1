"""Areas, values between samples and the terminal phase: known answers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from pharmtwin.nca import areas
from pharmtwin.nca.curve import back_extrapolated, settle_blq
from pharmtwin.nca.settings import PRESETS, Settings
from pharmtwin.nca.terminal import Missing, terminal


def v(*x: float) -> np.ndarray:
    return np.array(x, dtype=float)


def test_exponential_decay_is_exact_with_logarithmic_trapezoids() -> None:
    t = v(0, 1, 2.5, 7, 12)
    c = 10 * np.exp(-0.3 * t)
    auc = areas.area(t, c, "lin-up/log-down")
    assert auc == pytest.approx(10 / 0.3 * (1 - math.exp(-3.6)), rel=1e-13)
    aumc = areas.area(t, c, "lin-up/log-down", moment=True)
    assert aumc == pytest.approx(10 / 0.09 - math.exp(-3.6) * (10 * 12 / 0.3 + 10 / 0.09), rel=1e-13)
    assert areas.area(t, c, "lin-log", "inf", lambda_z=0.3) == pytest.approx(10 / 0.3, rel=1e-13)
    assert areas.area(t, c, "lin-log", "inf", moment=True, lambda_z=0.3) == pytest.approx(10 / 0.09, rel=1e-13)
    assert areas.value_at(t, c, 4.0, "lin-up/log-down") == pytest.approx(10 * math.exp(-1.2), rel=1e-13)


def test_linear_up_and_equal_values() -> None:
    t, c = v(0, 1, 2, 3), v(0, 4, 4, 2)
    assert areas.area(t, c, "linear") == pytest.approx(2 + 4 + 3)
    assert areas.area(t, c, "lin-up/log-down") == pytest.approx(2 + 4 + 2 / math.log(2))
    assert areas.value_at(t, c, 0.5, "lin-up/log-down") == pytest.approx(2)
    assert areas.value_at(t, c, 2.5, "lin-up/log-down") == pytest.approx(4 / math.sqrt(2))
    assert areas.value_at(t, c, 2.5, "linear") == pytest.approx(3)


def test_a_second_peak_tells_lin_log_from_lin_up_log_down() -> None:
    t, c = v(0, 1, 2, 3), v(0, 8, 2, 4)
    up = areas.area(t, c, "lin-up/log-down")
    after_tmax = areas.area(t, c, "lin-log")
    assert up - after_tmax == pytest.approx(3 - 2 / math.log(2))  # the rise from 2 to 4: linear, or logarithmic


def test_extents_after_the_last_quantifiable_value() -> None:
    t, c = v(0, 1, 2, 3), v(0, 2, 0, 0)
    assert areas.area(t, c, "linear", "last") == pytest.approx(1)
    assert areas.area(t, c, "linear", "all") == pytest.approx(2)
    assert areas.area(t, c, "linear", "inf", lambda_z=0.5) == pytest.approx(5)
    assert areas.area(t, v(0, 0, 0, 0), "linear", "inf", lambda_z=0.5) == 0
    with pytest.raises(ValueError, match="extent"):
        areas.area(t, c, "linear", "forever")
    with pytest.raises(ValueError, match="method"):
        areas.area(t, c, "cubic")


def test_time_above_a_limit() -> None:
    t, c = v(0, 1, 3), v(0, 4, 1)
    assert areas.time_above(t, c, 2, "linear") == pytest.approx(0.5 + 2 * 2 / 3)
    assert areas.time_above(t, c, 2, "lin-up/log-down") == pytest.approx(0.5 + 1)  # half way down in logarithms
    assert areas.time_above(t, c, 5, "linear") == 0
    assert areas.time_above(t, c, 0, "linear") == 3


def test_rules_for_blq_by_place() -> None:
    t, c = v(0, 1, 2, 3, 4, 5), v(0, 2, 0, 1, 0, 0)
    keep, kept = settle_blq(t, c, Settings())
    assert list(t[keep]) == [0, 1, 3, 4, 5] and list(kept[keep]) == [0, 2, 1, 0, 0]
    keep, kept = settle_blq(t, c, Settings(blq_first="drop", blq_middle=0.5, blq_last="drop"))
    assert list(t[keep]) == [1, 2, 3] and list(kept[keep]) == [2, 0.5, 1]
    keep, _ = settle_blq(t, v(0, 0, 0, 0, 0, 0), Settings(blq_first="keep", blq_last="drop"))
    assert keep.all()  # all BLQ: the rule for the first holds
    with pytest.raises(ValueError, match="keep, drop"):
        Settings(blq_first="ignore")


def test_terminal_phase_takes_most_points_within_the_tolerance() -> None:
    t = v(0, 1, 2, 3, 4, 6)
    c = v(5, 10, 8, 4, 2, 0.5)
    fit = terminal(t, c, Settings())
    assert fit.lambda_z == pytest.approx(math.log(2)) and fit.n == 4  # 2, 3, 4 and 6 lie on one line
    assert (fit.first, fit.last, fit.span_ratio) == (2, 6, pytest.approx(4))
    assert fit.predicted(8) == pytest.approx(0.125)


def test_tmax_counts_only_where_the_rules_say_so() -> None:
    t, c = v(0, 1, 2), v(1, 0.5, 0.25)
    assert terminal(t, c, Settings(), with_tmax=True).half_life == pytest.approx(1)
    with pytest.raises(Missing, match="2 quantifiable points after Tmax; lambda_z needs 3"):
        terminal(t, c, Settings())


def test_chosen_and_excluded_points_of_lambda_z() -> None:
    t, c = v(0, 1, 2, 3, 4, 5), v(3, 1, 0.5, 0.13, 0.12, 0.113)
    every = np.ones(6, dtype=bool)
    assert terminal(t, c, Settings(), include=every).half_life == pytest.approx(
        1.00653, rel=1e-4
    )  # PKNCA test-half.life.R
    without = np.array([False, False, False, False, False, True])
    assert terminal(t, c, Settings(), exclude=without).last == 4
    with pytest.raises(Missing, match="1 of the points chosen"):
        terminal(t, c, Settings(), include=without)


def test_a_rise_that_fits_best_leaves_no_terminal_phase_by_pknca_and_one_by_winnonlin() -> None:
    t = v(0, 1, 2, 3, 4, 5, 6)
    c = v(0, 9, 6.2, 4.1, 1.0, 2.0, 4.0)  # the last three rise on a perfect line, the last six fall badly
    with pytest.raises(Missing, match="rises"):
        terminal(t, c, Settings())
    assert terminal(t, c, PRESETS["winnonlin"]).lambda_z > 0
    with pytest.raises(Missing, match="no regression"):
        terminal(v(0, 1, 2, 3), v(9, 1, 2, 3), PRESETS["winnonlin"])
    with pytest.raises(Missing, match="all equal"):
        terminal(v(0, 1, 2, 3), v(9, 1, 1, 1), Settings())


def test_c0_of_a_bolus() -> None:
    assert back_extrapolated(v(1, 2, 3), v(2, 1, 0.5))[0] == pytest.approx(4)  # PKNCA test-pk.calc.c0.R
    assert back_extrapolated(v(1, 2, 3), v(2, 0, 0))[0] == 2
    assert math.isnan(back_extrapolated(v(1, 2), v(0, 0))[0])


def test_settings_refuse_what_they_do_not_know() -> None:
    for change in ({"method": "cubic"}, {"min_points": 2}, {"r2_tolerance": -1}, {"lag": "x"}, {"start": "guess"}):
        with pytest.raises(ValueError):
            replace(Settings(), **change)
