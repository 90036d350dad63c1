"""What an NCA starts from: samples, doses, intervals, units."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
ROUTES = ("extravascular", "bolus", "infusion")


@dataclass(frozen=True)
class Dose:
    """One dose (``amount`` nan: not stated); ``duration`` of an infusion, else 0.

    ``steady``: given at steady state (NONMEM's SS). ``tau``: dosing interval where the data state it (II), else nan.
    """

    time: float
    amount: float
    route: str = "extravascular"
    duration: float = 0.0
    steady: bool = False
    tau: float = float("nan")

    def __post_init__(self) -> None:
        if self.route not in ROUTES:
            raise ValueError(f"route is one of {', '.join(ROUTES)}, not {self.route}")
        if (self.route == "infusion") != (self.duration > 0):
            raise ValueError("an infusion, and only that, has a duration above 0")


@dataclass(frozen=True)
class Interval:
    """From ``start`` to ``end`` (``inf``: as long as there is anything). ``tau``: is a dosing interval."""

    start: float
    end: float = float("inf")
    tau: bool = False

    def __post_init__(self) -> None:
        if not self.end > self.start:
            raise ValueError(f"an interval ends after its start, not {self.start:g} to {self.end:g}")

    @property
    def name(self) -> str:
        """For tables, e.g. 0-24 or 0-inf."""
        return f"{self.start:.12g}-{self.end:.12g}"


@dataclass(frozen=True)
class Units:
    """Units as the data have them; empty where not stated."""

    time: str = ""
    concentration: str = ""
    dose: str = ""


@dataclass(frozen=True)
class Profile:
    """Samples of one subject (and period, treatment, analyte ...), sorted by time, no time twice.

    Attributes
    ----------
    key : names that tell the profile from others, as in the data.
    time, conc : (n,); nan where a sample has no value; BLQ has conc 0 and ``blq`` true.
    blq, include, exclude : (n,); points that lambda_z must rest on, and that it must not.
    doses : in order of time; may be empty.
    """

    key: tuple[str, ...]
    time: Floats
    conc: Floats
    blq: Mask
    include: Mask
    exclude: Mask
    doses: tuple[Dose, ...] = ()
    units: Units = field(default_factory=Units)

    def __post_init__(self) -> None:
        if len({len(x) for x in (self.time, self.conc, self.blq, self.include, self.exclude)}) != 1:
            raise ValueError("time, conc, blq, include and exclude must have one length")
        if np.any(np.diff(self.time) <= 0):
            raise ValueError("times must ascend, each once")

    @classmethod
    def of(
        cls, time: object, conc: object, doses: tuple[Dose, ...] = (), units: Units | None = None,
        key: tuple[str, ...] = ("",), lloq: float = 0.0,
    ) -> Profile:  # fmt: skip
        """A profile from plain vectors; values below ``lloq``, and 0, are BLQ."""
        t, c = np.asarray(time, dtype=float), np.array(conc, dtype=float)
        blq = (c < lloq) | (c == 0)
        c[blq] = 0.0
        none = np.zeros(len(t), dtype=bool)
        return cls(key, t, c, np.asarray(blq), none, none, doses, units or Units())


def intervals_of(profile: Profile) -> tuple[Interval, ...]:
    """Intervals when none are asked for: from a single dose (or 0) to infinity; with several doses each dosing interval
    that holds two samples or more, and from the last dose to infinity.

    The last dose's interval gets an end too where the data state it (II) or the doses before it were regular.
    """
    if not profile.doses:
        return (Interval(0.0),)
    starts = sorted({d.time for d in profile.doses})
    measured = profile.time[np.isfinite(profile.conc)]
    gaps, ends = np.diff(starts), list(starts[1:])
    stated = next((d.tau for d in profile.doses if d.time == starts[-1] and d.tau > 0), float("nan"))
    if np.isfinite(stated):
        ends.append(starts[-1] + stated)
    elif len(gaps) and np.ptp(gaps) <= 1e-9 * gaps.max():
        ends.append(starts[-1] + float(gaps[0]))
    found = [Interval(a, b, tau=True) for a, b in zip(starts, ends, strict=False)
             if np.sum((measured >= a) & (measured <= b)) >= 2]  # fmt: skip
    if np.sum(measured >= starts[-1]) >= 2 or not found:
        found.append(Interval(starts[-1]))
    return tuple(found)
