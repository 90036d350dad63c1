"""Rules of drafts for what a compound does to enzymes and transporters: inhibition, inactivation, induction."""

from __future__ import annotations

from collections.abc import Mapping

from pharmtwin.drugs import draft_tables as t
from pharmtwin.drugs.draft_entries import Entry, Made, not_zero, quantity, said_by
from pharmtwin.drugs.draft_tables import Process

REVERSIBLE = {
    "CompetitiveInhibition": "competitive",
    "UncompetitiveInhibition": "uncompetitive",
    "NoncompetitiveInhibition": "noncompetitive",
}


def reversible(process: Process, said: str, dosed: bool) -> Made:
    Ki = process.number("Ki", t.CONCENTRATION)
    q = quantity(not_zero(Ki, "Ki"), "umol/L", said_by(process, said, "Ki"), "inhibition")
    return _acts(process, REVERSIBLE[process.kind], {"Ki": q})


def mixed(process: Process, said: str, dosed: bool) -> Made:
    both = {"Kic": "Ki_c", "Kiu": "Ki_u"}
    values = {
        ours: quantity(not_zero(process.number(theirs, t.CONCENTRATION), theirs), "umol/L",
                       said_by(process, said, theirs), "inhibition")
        for ours, theirs in both.items()
    }  # fmt: skip
    return _acts(process, "mixed", values)


def inactivation(process: Process, said: str, dosed: bool) -> Made:
    kinact = not_zero(process.number("kinact", t.PER_MINUTE), "kinact") * 60.0
    KI = not_zero(process.number("K_kinact_half", t.CONCENTRATION), "K_kinact_half")
    values = {
        "kinact": quantity(kinact, "1/h", said_by(process, said, "kinact"), "inhibition"),
        "KI": quantity(KI, "umol/L", said_by(process, said, "K_kinact_half"), "inhibition"),
    }
    return _acts(process, "inactivation", values)


def induction(process: Process, said: str, dosed: bool) -> Made:
    Emax = not_zero(process.number("Emax", t.PLAIN), "Emax")
    EC50 = not_zero(process.number("EC50", t.CONCENTRATION), "EC50")
    values = {
        "Emax": quantity(Emax, "1", said_by(process, said, "Emax"), "inhibition"),
        "EC50": quantity(EC50, "umol/L", said_by(process, said, "EC50"), "inhibition"),
    }
    return _acts(process, "induction", values)


def _acts(process: Process, mechanism: str, values: Mapping[str, Entry]) -> Made:
    return Made([("acts_on", {"target": process.molecule, "mechanism": mechanism, **values})])
