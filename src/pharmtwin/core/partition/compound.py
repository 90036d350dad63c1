"""The compound as partitioning sees it: lipophilicity, ionisation, binding in plasma; and its forms at a pH."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from pharmtwin.core.partition.composition import constants

KINDS = ("neutral", "acid", "base", "zwitterion")
GROUPS = ("base", "acid")


@dataclass(frozen=True)
class Compound:
    """Physicochemistry that partitioning needs; checked when built (ValueError names everything wrong at once).

    Attributes
    ----------
    logP : log10 octanol:water of the unionised form.
    pKa : basic or acidic constants, in any order; () for a neutral.
    kind : ``base``, ``acid``, ``neutral`` or ``zwitterion`` (any ampholyte: acidic and basic groups together).
    fu_p : fraction unbound in plasma, (0, 1].
    B_P : blood:plasma concentration ratio, at the haematocrit of the sheet (0.45).
    groups : ``base`` or ``acid`` for each of ``pKa``; may be left out unless ``kind`` is zwitterion.
    logMA : log10 membrane (phosphatidylcholine):water, if measured or fitted; see :meth:`membrane_affinity`.
    """

    logP: float
    pKa: tuple[float, ...]
    kind: str
    fu_p: float
    B_P: float
    groups: tuple[str, ...] = ()
    logMA: float | None = None

    def __post_init__(self) -> None:
        ratio, least = self.B_P, 1.0 - constants("rodgers_rowland")["haematocrit"]
        wrong = []
        if self.kind not in KINDS:
            wrong.append(f"kind {self.kind!r} is not one of {KINDS}")
        if (self.kind == "neutral") != (len(self.pKa) == 0):
            wrong.append(f"a {self.kind} with {len(self.pKa)} pKa: a neutral has none, an acid or base at least one")
        if not self.groups and self.kind in GROUPS:
            object.__setattr__(self, "groups", (self.kind,) * len(self.pKa))
        wrong += self._wrong_groups()
        if not all(math.isfinite(x) for x in (self.logP, *self.pKa, self.logMA or 0.0)):
            wrong.append("logP, logMA and pKa must be finite")
        if not 0.0 < self.fu_p <= 1.0:
            wrong.append(f"fu_p {self.fu_p} is outside (0, 1]")
        if not math.isfinite(ratio) or ratio < least:
            wrong.append(
                f"B_P {ratio} is not a number above 1 - haematocrit = {least:g}: cells cannot hold less than nothing"
            )
        if wrong:
            raise ValueError("; ".join(wrong))

    def _wrong_groups(self) -> list[str]:
        if self.kind not in KINDS:
            return []
        allowed = {"zwitterion": set(GROUPS), "neutral": set()}.get(self.kind, {self.kind})
        if len(self.groups) != len(self.pKa):
            return [f"{len(self.groups)} groups for {len(self.pKa)} pKa: say base or acid for each"]
        if set(self.groups) != allowed and self.pKa:
            return [f"a {self.kind} with groups {self.groups}: needs {' and '.join(sorted(allowed)) or 'none'}"]
        return []

    @property
    def bases(self) -> tuple[float, ...]:
        """Basic constants, strongest (highest) first."""
        return tuple(sorted((k for k, g in zip(self.pKa, self.groups) if g == "base"), reverse=True))

    @property
    def acids(self) -> tuple[float, ...]:
        """Acidic constants, strongest (lowest) first."""
        return tuple(sorted(k for k, g in zip(self.pKa, self.groups) if g == "acid"))

    def is_strong_base(self) -> bool:
        """True if a basic pKa is at least 7: Rodgers-Rowland then bind it to acidic phospholipids (2005, 2006)."""
        return bool(self.bases) and self.bases[0] >= constants("rodgers_rowland")["strong_base_pKa"]

    def membrane_affinity(self) -> float:
        """log10 membrane:water: ``logMA`` if given, else logP stands in for it (the practice of PK-Sim, Utsey 2020)."""
        return self.logP if self.logMA is None else self.logMA


class Form(NamedTuple):
    """One protonation state: net charge, whether any group is ionised, and its amount per unionised form (1)."""

    charge: int
    ionised: bool
    amount: float


def forms(compound: Compound, pH: float) -> list[Form]:
    """All protonation states at a pH; groups of one type ionise one after the other, acids and bases independently."""
    protonated, deprotonated = _steps(compound.bases, pH, 1.0), _steps(compound.acids, pH, -1.0)
    return [Form(k - j, k + j > 0, up * down) for k, up in enumerate(protonated) for j, down in enumerate(deprotonated)]


def log_distribution(compound: Compound, logP: float, pH: float) -> float:
    """log10 of the distribution coefficient if only the unionised form enters the other phase (logD at a pH)."""
    return logP - math.log10(sum(form.amount for form in forms(compound, pH)))


def ionised_ratio(compound: Compound, pH: float) -> float:
    """Ionised:unionised (X, Y, Z of Rodgers-Rowland).

    For zwitterions the 2006 equation, as two public implementations read it, counts cations and anions and leaves out
    forms that carry both charges; it is kept so. For acids and bases it is exact.
    """
    return sum(_steps(compound.bases, pH, 1.0)[1:]) + sum(_steps(compound.acids, pH, -1.0)[1:])


def _steps(constants_: tuple[float, ...], pH: float, sign: float) -> list[float]:
    """Amounts per unionised form after 0, 1, 2 ... ionisations, strongest constant first."""
    out = [1.0]
    for pKa in constants_:
        out.append(out[-1] * 10.0 ** (sign * (pKa - pH)))
    return out
