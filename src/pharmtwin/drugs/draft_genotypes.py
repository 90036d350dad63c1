"""Processes of genotypes in a published PK-Sim model: the normal one is taken, since genotypes are factors here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pharmtwin.drugs.draft_tables import Process

SCORE = re.compile(r"^AS\s*=\s*([\d.]+)")
OF_GENOTYPE = re.compile(SCORE.pattern + r"|\bgenotype\b|\b(PM|IM|EM|NM|RM|UM)\b")
#: activity score of two normal alleles
NORMAL_SCORE = 2.0
#: beginnings of kinds of process that a genotype changes
CARRIERS = ("Metabolization", "rCYP450", "ActiveTransport")


@dataclass
class Choice:
    """kept, dropped : processes. remarks : what to say of a process, and how to mend it."""

    kept: list[Process] = field(default_factory=list)
    dropped: list[Process] = field(default_factory=list)
    remarks: list[tuple[Process, str, str]] = field(default_factory=list)


def choose(processes: Sequence[Process]) -> Choice:
    """Activity score 2 or normal metabolisers instead of the others; what names no genotype beside labelled ones.

    A process of no genotype gives way to activity score 2 of the same molecule (it was fitted to mixed people).
    """
    out = Choice()
    for molecule in dict.fromkeys(p.molecule for p in processes):
        mine = [p for p in processes if p.molecule == molecule]
        carriers = [p for p in mine if p.kind.startswith(CARRIERS)]
        of_genotype = [p for p in carriers if OF_GENOTYPE.search(p.data_source)]
        plain = [p for p in carriers if p not in of_genotype]
        chosen = [p for p in of_genotype if _is_normal(p)]
        scored = any(SCORE.search(p.data_source) for p in chosen)
        dropped = [p for p in of_genotype if p not in chosen] + (plain if scored else [])
        if plain and not scored:
            dropped, chosen = of_genotype, []
        if of_genotype and not chosen and not plain:
            what = f"{molecule}: genotypes only, none of them normal; no path was written"
            out.remarks.append((of_genotype[0], what, "write the path of normal activity by hand"))
        if chosen and molecule == "CYP3A5":
            what = "CYP3A5 of expressers; most Europeans have none (activity 0)"
            out.remarks.append((chosen[0], what, "simulate the genotype"))
        out.kept += [p for p in mine if p not in dropped]
        out.dropped += dropped
    return out


def _is_normal(process: Process) -> bool:
    """True for the normal activity score, and for a label of normal (extensive) metabolisers only."""
    score = SCORE.search(process.data_source)
    if score:
        return float(score[1]) == NORMAL_SCORE
    return bool(re.search(r"\b(NM|EM)\b", process.data_source)) and not re.search(r"\b(PM|IM)\b", process.data_source)
