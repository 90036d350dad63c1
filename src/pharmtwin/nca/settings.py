"""What an NCA may choose: trapezoids, values below the limit of quantification, points of lambda_z, what is flagged."""

from __future__ import annotations

from dataclasses import dataclass

METHODS = ("linear", "lin-up/log-down", "lin-log")
#: what to do with a value below the limit of quantification (BLQ): keep it as 0, drop it, or a number to put in
Blq = str | float


@dataclass(frozen=True)
class Settings:
    """Rules of an NCA; the defaults are PKNCA's (0.12.1.9000, R/PKNCA.options.R), but for ``start``.

    Attributes
    ----------
    method : trapezoids. ``lin-up/log-down``: logarithmic where the concentration falls; ``lin-log``: linear up to Tmax,
        logarithmic after.
    blq_first, blq_middle, blq_last : BLQ before the first, between and after the last quantifiable value.
    min_points : fewest points of lambda_z. r2_tolerance : fits whose adjusted R2 lies within this of the best compete,
        and the one with most points wins.
    tmax_in_lambda_z : whether Tmax may be a point of lambda_z: "never", "bolus" or "always".
    falling_only : lambda_z is chosen among falling fits (WinNonlin); else a rising fit can be best, and then there is
        none (PKNCA).
    lag : ``tlag`` is the time before the first "increase" (PKNCA) or before the first "quantifiable" value (WinNonlin).
    start : "impute" a concentration at the start of an interval that has no sample there (see ``curve``), or "none".
    max_shift : a sample before the dose stands for its start if it lies within this share of the interval (PKNCA).
    min_span, min_r2, max_extrapolated : half-lives a regression must span, its R2, % of AUCinf extrapolated; beyond
        these a value is flagged, never removed.
    """

    method: str = "lin-up/log-down"
    blq_first: Blq = "keep"
    blq_middle: Blq = "drop"
    blq_last: Blq = "keep"
    min_points: int = 3
    r2_tolerance: float = 1e-4
    tmax_in_lambda_z: str = "never"
    falling_only: bool = False
    lag: str = "increase"
    start: str = "impute"
    max_shift: float = 0.05
    min_span: float = 2.0
    min_r2: float = 0.9
    max_extrapolated: float = 20.0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method is one of {', '.join(METHODS)}, not {self.method}")
        for rule in (self.blq_first, self.blq_middle, self.blq_last):
            if isinstance(rule, str) and rule not in ("keep", "drop"):
                raise ValueError(f"a rule for BLQ is keep, drop or a number, not {rule}")
            if not isinstance(rule, str) and not rule >= 0:
                raise ValueError(f"a value put in for BLQ is at least 0, not {rule}")
        if self.min_points < 3:
            raise ValueError("adjusted R2 needs at least 3 points of lambda_z")
        if self.r2_tolerance < 0:
            raise ValueError("the tolerance of adjusted R2 is at least 0")
        choices = {"tmax_in_lambda_z": ("never", "bolus", "always"), "lag": ("increase", "quantifiable"),
                   "start": ("impute", "none")}  # fmt: skip
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is one of {', '.join(allowed)}, not {getattr(self, name)}")


#: whole sets of rules by name. WinNonlin: Tmax counts after a bolus, BLQ written as 0 stay data
PRESETS = {
    "pknca": Settings(),
    "winnonlin": Settings(blq_middle="keep", tmax_in_lambda_z="bolus", falling_only=True, lag="quantifiable"),
}
