"""Checks of the definition tables before they replace those in use, and what changed between two of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from pharmtwin.curation.gene_files import read_table
from pharmtwin.genome.definitions import GENES, GeneDefinition, rows_of

BASES = set("ACGT")


def problems(folder: Path) -> list[str]:
    """What is wrong with the tables in ``folder``: one line each, empty if nothing."""
    positions = read_table(folder / "positions.tsv")
    definitions = read_table(folder / "definitions.tsv")
    lengths = {(r.build, r.chrom): int(r.length) for r in rows_of(read_table(folder / "contig_lengths.tsv"))}
    out = [f"{gene}: no positions" for gene in GENES if gene not in set(positions["gene"])]
    for gene, sites in positions.groupby("gene", sort=False):
        out += _of_sites(str(gene), sites, lengths)
        out += _of_alleles(str(gene), sites, definitions[definitions["gene"] == gene])
    return out + [f"{r.gene} {r.sub_allele}: {r.ref}>{r.alt} are not bases"
                  for r in rows_of(read_table(folder / "sub_alleles.tsv"))
                  if r.position and not set(r.ref) | set(r.alt) <= BASES]  # fmt: skip


def _of_sites(gene: str, sites: pd.DataFrame, lengths: dict[tuple[str, str], int]) -> Iterator[str]:
    place = sites["position"].astype(int)
    if place.duplicated().any() or not place.is_monotonic_increasing:
        yield f"{gene}: positions are not ascending and unique"
    for row in rows_of(sites):
        where = f"{gene} {row.chrom}:{row.position}"
        alleles = [row.ref, *row.alts.split(",")]
        if len(set(alleles)) < len(alleles) or not all(a and set(a) <= BASES for a in alleles):
            yield f"{where}: {row.ref} {row.alts} are not distinct base sequences"
        if not row.position_grch37:
            yield f"{where}: no GRCh37 position ({row.lift})"
        elif row.ref_grch37 not in alleles:
            yield f"{where}: GRCh37's {row.ref_grch37} is not one of {','.join(alleles)}"
        for build, position in (("GRCh38", row.position), ("GRCh37", row.position_grch37)):
            if position and not 0 < int(position) <= lengths.get((build, row.chrom), 0):
                yield f"{where}: {position} lies outside {row.chrom} of {build}"


def _of_alleles(gene: str, sites: pd.DataFrame, rows: pd.DataFrame) -> Iterator[str]:
    site = {r.position: r for r in rows_of(sites)}
    reference = rows.loc[rows["position"] == "", "allele"]
    if len(reference) != 1:
        yield f"{gene}: {len(reference)} alleles without variants, the reference must be the only one"
    for row in rows_of(rows[rows["position"] != ""]):
        there = site.get(row.position)
        if there is None or there.ref != row.ref or row.alt not in there.alts.split(","):
            yield f"{gene} {row.allele}: {row.position} {row.ref}>{row.alt} is not a definition position"
    seen: dict[tuple[tuple[str, str], ...], str] = {}
    for allele, variants in rows.groupby("allele", sort=False):
        key = tuple(sorted(zip(variants["position"], variants["alt"])))
        if seen.setdefault(key, str(allele)) != allele:
            yield f"{gene}: {allele} and {seen[key]} have the same core variants"
        if "/" in str(allele):
            yield f"{gene}: {allele} contains '/', which separates the alleles of a diplotype"


def misnamed(definition: GeneDefinition) -> list[str]:
    """Alleles whose own core variants do not get the allele's name back."""
    return [a for a, core in zip(definition.alleles, definition.core) if definition.name(np.array(core)) != (a, 0)]


def differences(old: Path, new: Path) -> list[str]:
    """Alleles and positions added, removed or changed by gene between two folders of tables; empty if equal."""
    lines = []
    before, after = _contents(old), _contents(new)
    for gene in dict.fromkeys([*before, *after]):
        for kind in ("alleles", "positions"):
            a, b = before.get(gene, {}).get(kind, {}), after.get(gene, {}).get(kind, {})
            parts = {
                "added": [k for k in b if k not in a],
                "removed": [k for k in a if k not in b],
                "changed": [k for k in b if k in a and a[k] != b[k]],
            }
            said = [
                f"{word} {len(v)} ({', '.join(v[:8])}{', ...' if len(v) > 8 else ''})" for word, v in parts.items() if v
            ]
            if said:
                lines.append(f"{gene}: {kind} {'; '.join(said)}")
    return lines


def _some(names: list[str], n: int = 8) -> str:
    return ", ".join(names[:n]) + (", ..." if len(names) > n else "")


def _contents(folder: Path) -> dict[str, dict[str, dict[str, list[tuple[str, ...]]]]]:
    """gene -> {"alleles": name -> its variants, "positions": position -> its facts}; source columns left out."""
    out: dict[str, dict[str, dict[str, list[tuple[str, ...]]]]] = {}
    for table, kind, key in (
        ("positions", "positions", "position"),
        ("definitions", "alleles", "allele"),
        ("optional_variants", "alleles", "allele"),
    ):
        if not (folder / f"{table}.tsv").exists():
            continue
        frame = read_table(folder / f"{table}.tsv").drop(columns=["source", "lift"], errors="ignore")
        for row in frame.to_dict("records"):
            of_gene = out.setdefault(row["gene"], {"alleles": {}, "positions": {}})
            of_gene[kind].setdefault(row[key], []).append((table, *row.values()))
    return out
