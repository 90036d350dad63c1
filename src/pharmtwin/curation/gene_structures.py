"""CYP2D6 structure in the panel, from Cyrius calls: what hides behind a star that small variants show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pharmtwin.genome.definitions import rows_of

CALLS = "peer_calls/calls_cyrius_cyp2d6_1kgp_3202.tsv"
CYRIUS = (
    "Cyrius calls (Chen 2021, doi:10.1038/s41397-020-00205-5) on 1000 Genomes 30x "
    "(Byrska-Bishop 2022, doi:10.1016/j.cell.2022.08.004)"
)
WHOLE_GENE = ("*5", "*13", "*36", "*68")


def structural_tables(
    data: Path, pairs: Mapping[str, tuple[str, str]], ancestry: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """structure_frequencies.tsv, and counts of the full CYP2D6 alleles (``gene ancestry allele count``).

    pairs : stars that the small variants of each sample show. Calls that do not pass, name several diplotypes or
    belong to a sample without a pair are left out: they say nothing about which allele is how common.
    """
    calls = pd.read_csv(data / CALLS, sep="\t", dtype=str)
    shown: list[tuple[str, str, str]] = []
    alleles: list[tuple[str, str]] = []
    for row in rows_of(calls):
        genotype = str(row.Genotype)
        if row.Sample not in pairs or row.Filter != "PASS" or genotype.count("/") != 1 or ";" in genotype:
            continue
        full = [a.replace("*4.013", "*4") for a in genotype.split("/")]
        population = ancestry[row.Sample]
        alleles += [(population, a) for a in full]
        for allele, star in zip(full, _matched(full, pairs[row.Sample])):
            if allele == "*5":
                shown.append((population, "none", "*5"))
            else:
                shown.append((population, star, allele if _is_structural(allele) else star))
    frame = pd.DataFrame(shown, columns=["ancestry", "snv_allele", "allele"])
    frame = pd.concat([frame, frame.assign(ancestry="ALL")])
    out = frame.groupby(["ancestry", "snv_allele", "allele"], as_index=False).size().rename(columns={"size": "count"})
    per_star = out.groupby(["ancestry", "snv_allele"])["count"].transform("sum")
    everything = out.groupby("ancestry")["count"].transform("sum")
    out["total"] = per_star.where(out["snv_allele"] != "none", everything)
    out["frequency"] = (out["count"] / out["total"]).round(6)
    out.insert(0, "gene", "CYP2D6")
    counts = pd.DataFrame(alleles, columns=["ancestry", "allele"])
    counts = counts.groupby(["ancestry", "allele"], as_index=False).size().rename(columns={"size": "count"})
    return out.assign(source=CYRIUS), counts.assign(gene="CYP2D6")


def _matched(full: list[str], stars: tuple[str, str]) -> tuple[str, str]:
    """The two stars in the order that fits the two full alleles better."""
    x, y = stars
    straight = _shows(full[0], x) + _shows(full[1], y)
    crossed = _shows(full[0], y) + _shows(full[1], x)
    return (x, y) if straight >= crossed else (y, x)


def _is_structural(allele: str) -> bool:
    return "x" in allele or "+" in allele or allele in WHOLE_GENE


def _shows(full: str, star: str) -> float:
    """How well a star fits a full allele: 2 the same, 1.5 its base gene, 1 another part, 0.5 a deletion, 0 not."""
    if full == star:
        return 2.0
    parts = [p.split("x")[0] for p in full.split("+")]
    if star in parts:
        return 1.5 if star == parts[-1] else 1.0
    return 0.5 if full == "*5" else 0.0
