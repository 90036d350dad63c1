"""Clearance from a drawn curve: known answers of one compartment, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from pharmtwin.curation.pediatric_clearance_profiles import exposure

RATE, VOLUME = 0.5, 0.8  # 1/h, L/kg: clearance 0.4 L/h/kg
CLEARANCE = RATE * VOLUME * 1000.0 / 60.0
TIME = np.array([0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 6.0])


def test_a_bolus_into_one_compartment_is_exact() -> None:
    found = exposure(TIME, 2.0 / VOLUME * np.exp(-RATE * TIME), 2.0, 0.0)
    assert found.clearance == pytest.approx(CLEARANCE, rel=1e-9)
    assert found.half_life_h == pytest.approx(np.log(2.0) / RATE, rel=1e-9)
    assert found.after == pytest.approx(np.exp(-RATE * 6.0), rel=1e-9)
    assert found.before == pytest.approx(1.0 - np.exp(-RATE * 0.1), rel=1e-9)
    assert found.counts


def test_an_infusion_starts_at_zero() -> None:
    length = 1.0
    time = np.concatenate([np.linspace(0.05, 1.0, 20), np.linspace(1.5, 10.0, 18)])
    during = (1.0 - np.exp(-RATE * np.minimum(time, length))) * np.exp(-RATE * np.maximum(time - length, 0.0))
    found = exposure(time, 2.0 / (length * RATE * VOLUME) * during, 2.0, 60.0 * length)
    assert found.clearance == pytest.approx(CLEARANCE, rel=2e-3)  # the rise is a chord of its curve
    assert found.before < 0.001


def test_a_curve_that_ends_too_early_does_not_count() -> None:
    early = TIME[:5]
    found = exposure(early, 2.0 / VOLUME * np.exp(-RATE * early), 2.0, 0.0)
    assert found.after == pytest.approx(np.exp(-RATE * 2.0), rel=1e-9) and not found.counts


def test_the_terminal_phase_is_the_straight_end_of_two_phases() -> None:
    time = np.array([0.05, 0.1, 0.2, 0.4, 1.0, 3.0, 5.0, 7.0, 9.0])
    conc = 10.0 * np.exp(-8.0 * time) + np.exp(-0.3 * time)
    found = exposure(time, conc, 1.0, 0.0)
    assert found.terminal_points in (3, 4)  # the samples at 3 to 9 h; the fast phase is over by then
    assert found.half_life_h == pytest.approx(np.log(2.0) / 0.3, rel=1e-6)


@pytest.mark.parametrize(
    ("time", "conc", "message"),
    [
        ([1.0, 1.0, 2.0, 3.0], [4.0, 3.0, 2.0, 1.0], "rise"),
        ([1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 0.0, 1.0], "positive"),
        ([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 2.5], "falling points"),
    ],
)
def test_what_cannot_be_analysed_is_refused(time: list[float], conc: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        exposure(np.array(time), np.array(conc), 1.0, 0.0)
