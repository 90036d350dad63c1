"""Both genome builds: where a definition site lies on GRCh37, what GRCh37's reference carries there, contig lengths.

A site's GRCh37 position is taken from PyPGx's variant table, which names each variant on both builds. Sites that
it lacks are moved by the distance between the builds, if the nearest places known on both builds left and right
of the site (variants of that table, splice sites of its gene table) show the same distance: then no insertion or
deletion between the builds lies in between. A site with a known place on one side only takes that side's distance.
"""

from __future__ import annotations

from bisect import bisect_left

import pandas as pd

from pharmtwin.genome.definitions import rows_of

TABLE = "PyPGx 0.27.0 variant table"
OFFSET = "offset"
NOT_LIFTED = "neighbours disagree"


def add_grch37(
    positions: pd.DataFrame, variants: pd.DataFrame, genes: pd.DataFrame, curated: pd.DataFrame
) -> pd.DataFrame:
    """``positions`` with columns ``position_grch37``, ``ref_grch37`` and ``lift`` before ``source``.

    variants, genes : PyPGx's variant and gene table.
    curated : rows with ``ref_grch37`` for sites whose GRCh37 base differs though no table says so.
    Raises ValueError if GRCh37 carries a sequence that the site does not define.
    """
    exact = known_sites(variants)
    pairs = known_pairs(variants, genes)
    override = {(r.gene, int(r.position)): r.ref_grch37 for r in rows_of(curated) if r.ref_grch37}
    lifted = []
    for row in rows_of(positions):
        place, ref = exact.get((row.chrom, row.position, row.ref), (None, row.ref))
        how = TABLE
        if place is None:
            place, how = by_neighbours(row.position, pairs[row.chrom])
        ref = override.get((row.gene, row.position), ref)
        if ref not in (row.ref, *row.alts.split(",")):
            raise ValueError(f"{row.gene} {row.position}: GRCh37 carries {ref}, not one of {row.ref},{row.alts}")
        lifted.append((place, ref if place else None, how))
    out = positions.drop(columns="source")
    out[["position_grch37", "ref_grch37", "lift"]] = pd.DataFrame(lifted, index=out.index, dtype=object)
    return out.astype({"position_grch37": "Int64"}).assign(source=positions["source"])


def known_sites(variants: pd.DataFrame) -> dict[tuple[str, int, str], tuple[int, str]]:
    """(chrom, GRCh38 position, GRCh38 ref) -> (GRCh37 position, GRCh37 ref); ValueError if two rows disagree."""
    out: dict[tuple[str, int, str], tuple[int, str]] = {}
    for row in rows_of(variants):
        new, old = row.GRCh38Name.split("-"), row.GRCh37Name.split("-")
        key, value = (f"chr{new[0]}", int(new[1]), new[2]), (int(old[1]), old[2])
        if out.setdefault(key, value) != value:
            raise ValueError(f"PyPGx variant table: {row.GRCh38Name} lies at {out[key]} and at {value} on GRCh37")
    return out


def known_pairs(variants: pd.DataFrame, genes: pd.DataFrame) -> dict[str, list[tuple[int, int]]]:
    """Places known on both builds by chromosome, ascending: (GRCh38, GRCh37 minus GRCh38)."""
    found: dict[str, set[tuple[int, int]]] = {}
    for row in rows_of(variants):
        new, old = int(row.GRCh38Position), int(row.GRCh37Position)
        found.setdefault(f"chr{row.Chromosome}", set()).add((new, old - new))
    for row in rows_of(genes):
        chrom = "chr" + row.GRCh38Region.split(":")[0]
        # splice sites only: where a transcript begins and ends is annotated differently from release to release
        for side, inner in (("Starts", slice(1, None)), ("Ends", slice(None, -1))):
            old_new = [
                [int(x) for x in getattr(row, f"{build}Exon{side}").split(",") if x.isdigit()][inner]
                for build in ("GRCh37", "GRCh38")
            ]
            if len(old_new[0]) == len(old_new[1]):  # else the transcripts differ: not the same places
                found.setdefault(chrom, set()).update((new, old - new) for old, new in zip(*old_new))
    return {chrom: sorted(pairs) for chrom, pairs in found.items()}


def by_neighbours(position: int, pairs: list[tuple[int, int]]) -> tuple[int | None, str]:
    """GRCh37 position by the distance of the nearest known places left and right, and how it was found."""
    i = bisect_left(pairs, (position,))
    right = pairs[i : i + 1]
    left = right if right and right[0][0] == position else pairs[max(i - 1, 0) : i]
    distances = {distance for _, distance in (*left, *right)}
    return (position + distances.pop(), OFFSET) if len(distances) == 1 else (None, NOT_LIFTED)
