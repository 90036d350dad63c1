"""CYP2D6 sub-alleles of PharmVar, as a pb-StarPhase database carries them, in the writing of our definition sites.

PharmVar shifts indels to the right and writes neighbouring changes as one; VCF and our tables write single bases
and shift to the left. So a block of equal length is split into its differing bases, and an indel takes the writing
of the definition site that makes the same sequence. An indel that is no definition site stays as PharmVar writes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pharmtwin.curation.gene_files import read_json
from pharmtwin.genome.definitions import natural_key, rows_of

FILE = "defs/pharmvar/pbstarphase_20240826.json.gz"
GENE = "CYP2D6"


def pharmvar_rows(path: Path, sites: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Rows of sub_alleles.tsv: (gene, sub_allele, core_allele, position, rsid, ref, alt, source).

    sites : definition sites of CYP2D6 (``position``, ``rsid``, ``ref``, ``alts`` separated by commas). The database
    counts positions from 0, VCF and our tables from 1. A sub-allele without variants gets one row without a variant.
    """
    raw = read_json(path)
    source = f"PharmVar {raw['database_metadata']['pharmvar_version']}"
    rows: list[tuple[Any, ...]] = []
    for entry in sorted(raw["cyp2d6_gene_def"].values(), key=lambda e: natural_key(e["star_allele"])):
        if "." not in entry["star_allele"]:
            continue
        star = (GENE, f"*{entry['star_allele']}", f"*{entry['star_allele'].split('.')[0]}")
        found = [
            change
            for v in entry["variants"]
            for change in rewritten(v["position"] + 1, v["id"] or "", v["reference"], v["alternate"], sites)
        ]
        rows += [(*star, *change, source) for change in sorted(found)] or [(*star, None, "", None, None, source)]
    return rows


def rewritten(
    position: int, rsid: str, ref: str, alt: str, sites: Sequence[Any]
) -> Iterator[tuple[int, str, str, str]]:
    """One PharmVar change as (position, rsid, ref, alt) in the writing of the definition sites."""
    if len(ref) == len(alt):
        known = {(int(s.position), s.ref): str(s.rsid) for s in sites}
        for i, (old, new) in enumerate(zip(ref, alt)):
            if old != new:
                yield position + i, rsid if len(ref) == 1 else known.get((position + i, old), ""), old, new
        return
    for site in sites:
        for other in str(site.alts).split(","):
            longer = len(other) - len(site.ref) == len(alt) - len(ref)
            if longer and (
                (rsid and rsid == site.rsid) or same_edit(position, ref, alt, int(site.position), site.ref, other)
            ):
                yield int(site.position), str(site.rsid), site.ref, other
                return
    yield position, rsid, ref, alt


def same_edit(position: int, ref: str, alt: str, other_position: int, other_ref: str, other_alt: str) -> bool:
    """Whether two edits give the same sequence, as far as their REFs, overlapping or side by side, tell it."""
    edits = sorted([(position, ref, alt), (other_position, other_ref, other_alt)])
    (start, left, left_alt), (second, right, right_alt) = edits
    gap = second - start
    if gap > len(left) or left[gap : gap + len(right)] != right[: max(len(left) - gap, 0)]:
        return False
    whole = left + right[max(len(left) - gap, 0) :]
    return left_alt + whole[len(left) :] == whole[:gap] + right_alt + whole[gap + len(right) :]


def kept_rows(table: Path) -> list[tuple[Any, ...]]:
    """PharmVar's rows of a sub_alleles.tsv that is there; none if it is not."""
    if not table.exists():
        return []
    old = pd.read_csv(table, sep="\t", dtype=str, keep_default_na=False)
    rows = rows_of(old[old["source"].str.startswith("PharmVar")])
    return [(*r[:3], int(r.position) if r.position else None, *(v or None for v in r[4:7]), r.source) for r in rows]
