"""What a published study is to a simulation: arms (who takes what, when), and what was observed of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
#: relative activity of an enzyme or transporter and its weight; a group of mixed genotypes has several
Mixture = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Event:
    """One dose. time : h. amount : mg. infusion : h (0: bolus or oral)."""

    time: float
    amount: float
    infusion: float = 0.0


@dataclass(frozen=True)
class Dosing:
    """A drug as an arm takes it. route : oral, iv, sc, im, colon. formulation : of the drug file ("": its first)."""

    drug: str
    route: str
    events: tuple[Event, ...]
    formulation: str = ""


@dataclass(frozen=True)
class Person:
    """Typical subject of an arm; None where the study does not tell it."""

    sex: str = "M"
    age_y: float = 30.0
    weight_kg: float | None = None
    height_cm: float | None = None
    ancestry: str = "EUR"


@dataclass(frozen=True)
class Arm:
    """Who takes what. genotype : mixture of relative activities by enzyme or transporter (not named: 1).

    stomach : ``fasted`` or ``fed``. The drug that is observed comes first in ``dosings``.
    """

    dosings: tuple[Dosing, ...]
    person: Person = Person()
    genotype: Mapping[str, Mixture] = field(default_factory=dict)
    stomach: str = "fasted"


@dataclass(frozen=True)
class Profile:
    """Observed mean concentrations (mg/L) of compounds of an arm, at times (h) after its first dose.

    compounds : what was measured; their concentrations add up. sd : of the concentrations, nan where not told.
    """

    id: str
    drug: str
    compounds: tuple[str, ...]
    study: str
    arm: Arm
    time: Floats
    concentration: Floats
    sd: Floats
    n: int | None = None


@dataclass(frozen=True)
class Ratio:
    """Observed ratio of exposures of two arms in their windows (h); ``inf`` is to infinity, nan where not observed.

    use_case : genotype, CYP3A4-DDI, CYP2D6-DDI, or interaction. compounds : as in :class:`Profile`.
    peer_auc, peer_cmax : what PK-Sim predicted (nan: not known). flag : why a row is shown but not judged.
    """

    id: str
    use_case: str
    study: str
    analyte: str
    compounds: tuple[str, ...]
    test: Arm
    reference: Arm
    window_test: tuple[float, float]
    window_reference: tuple[float, float]
    auc: float
    cmax: float
    peer_auc: float = float("nan")
    peer_cmax: float = float("nan")
    n: int | None = None
    flag: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A row that is not simulated, and why."""

    id: str
    table: str
    what: str
    reason: str


@dataclass(frozen=True)
class Studies:
    """All that a folder of reference tables holds: every row is in exactly one of the three."""

    profiles: tuple[Profile, ...]
    ratios: tuple[Ratio, ...]
    left_out: tuple[LeftOut, ...]
