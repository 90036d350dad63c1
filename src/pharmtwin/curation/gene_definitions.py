"""Star-allele definitions: ``positions``, ``definitions``, ``optional_variants``, ``sub_alleles``.

CPIC's allele definition tables (CC0) come as PharmCAT's JSON, one file a gene; CYP2C8, CYP1A2 and ABCB1, which
CPIC does not define, from PyPGx's tables (MIT); sub-alleles of CYP2D6 from PharmVar as a pb-StarPhase database
carries them. Only facts are read: names, positions, bases. The few facts that these files lack stand in
``resources/genes/curated_sites.tsv``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from pharmtwin.curation.gene_builds import add_grch37
from pharmtwin.curation.gene_files import pypgx_table, read_json, read_table, write_table
from pharmtwin.curation.gene_sub_alleles import FILE, GENE, kept_rows, pharmvar_rows
from pharmtwin.genome.definitions import GENES, rows_of

PYPGX_GENES = ("CYP2C8", "CYP1A2", "ABCB1")
IUPAC = {"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC"}
COLUMNS = {
    "positions": ["gene", "chrom", "position", "rsid", "ref", "alts", "source"],
    "definitions": ["gene", "allele", "chrom", "position", "rsid", "ref", "alt", "source"],
    "optional_variants": ["gene", "allele", "chrom", "position", "rsid", "ref", "alt", "source"],
    "sub_alleles": ["gene", "sub_allele", "core_allele", "position", "rsid", "ref", "alt", "source"],
}
Rows = dict[str, list[tuple[Any, ...]]]


def write(data: Path, out: Path) -> None:
    """Build the four tables from the files below ``data`` into ``out``.

    Raises FileNotFoundError for a missing definition file, ValueError for a definition that contradicts itself.
    Without the PharmVar file the CYP2D6 sub-alleles that ``out`` holds are kept.
    """
    curated = read_table(out / "curated_sites.tsv")
    rows: Rows = {name: [] for name in COLUMNS}
    for gene in GENES:
        one = _pypgx(data, gene) if gene in PYPGX_GENES else _pharmcat(data, gene)
        for name, found in one.items():
            rows[name] += found
    sites = pd.DataFrame(rows["positions"], columns=COLUMNS["positions"]).fillna("")
    sites = sites[sites["gene"] == GENE]
    there = (data / FILE).exists()
    rows["sub_alleles"] += pharmvar_rows(data / FILE, rows_of(sites)) if there else kept_rows(out / "sub_alleles.tsv")
    frames = {name: pd.DataFrame(rows[name], columns=COLUMNS[name]) for name in COLUMNS}
    positions = _more_alternates(frames["positions"], curated)
    positions = add_grch37(positions, pypgx_table(data, "variant"), pypgx_table(data, "gene"), curated)
    write_table(out, "positions", positions)
    for name in ("definitions", "optional_variants", "sub_alleles"):
        write_table(out, name, frames[name].astype({"position": "Int64"}))


def _pharmcat(data: Path, gene: str) -> Rows:
    """Rows of one gene of PharmCAT's data; every entry of an allele that is not a plain base is resolved or refused."""
    raw = read_json(data / f"defs/pharmcat_alleles/{gene}_translation.json.gz")
    source = f"CPIC allele definition table via PharmCAT data {raw['version']}"
    chrom = raw["chromosome"]
    variants = sorted(enumerate(raw["variants"]), key=lambda pair: pair[1]["position"])
    out: Rows = {name: [] for name in COLUMNS}
    for _, v in variants:
        out["positions"].append((gene, chrom, v["position"], v["rsid"], v["ref"], ",".join(v["alts"]), source))
    # sub-alleles of one star (SLCO1B1 *45.001, *45.002) are replaced by their core allele
    named = [a for a in raw["namedAlleles"] if a["name"] not in raw["suballelesMap"]] + raw["hiddenCoreAlleles"]
    for allele in named:
        core = []
        for i, v in variants:
            entry = allele["cpicAlleles"][i]
            mapped = v["cpicToVcfAlleleMap"].get(entry)
            where = (gene, allele["name"], chrom, v["position"], v["rsid"], v["ref"])
            if entry is not None and mapped is None:
                either = [b for b in IUPAC[entry] if b != v["ref"] and b in v["alts"]]
                out["optional_variants"] += [(*where, base, source) for base in either]
            elif entry is not None and mapped != v["ref"]:
                core.append((*where, mapped, source))
        if not core and not allele.get("reference"):
            raise ValueError(f"{gene} {allele['name']} has no core variant and is not the reference allele")
        out["definitions"] += core or [(gene, allele["name"], chrom, None, None, None, None, source)]
    for allele in raw["namedAlleles"]:
        if allele["name"] in raw["suballelesMap"]:
            star = (gene, allele["name"], raw["suballelesMap"][allele["name"]])
            pairs = [(v, v["cpicToVcfAlleleMap"].get(allele["cpicAlleles"][i])) for i, v in variants]
            out["sub_alleles"] += [
                (*star, v["position"], v["rsid"], v["ref"], alt, source) for v, alt in pairs if alt and alt != v["ref"]
            ]
    return out


def _pypgx(data: Path, gene: str) -> Rows:
    """Rows of one gene of PyPGx's tables, GRCh38 core variants; the default allele of the build is the reference."""
    alleles, variants, genes = (pypgx_table(data, name, gene) for name in ("allele", "variant", "gene"))
    source = "PyPGx 0.27.0 allele table (MIT), core variants; not a CPIC definition"
    reference = genes["GRCh38Default"].iloc[0]
    rsid = {r.GRCh38Name: None if r.rsID == "N/A" else r.rsID for r in rows_of(variants)}
    out: Rows = {name: [] for name in COLUMNS}
    sites: dict[tuple[int, str], list[Any]] = {}
    for row in rows_of(alleles):
        if row.GRCh38Core == "N/A":
            if row.StarAllele != reference:
                raise ValueError(f"{gene} {row.StarAllele} has no core variant and is not the reference {reference}")
            chrom = "chr" + variants["Chromosome"].iloc[0]
            out["definitions"].append((gene, row.StarAllele, chrom, None, None, None, None, source))
            continue
        core = []
        for name in row.GRCh38Core.split(","):
            contig, position, ref, alt = name.split("-")
            site = sites.setdefault((int(position), ref), [rsid[name], f"chr{contig}", []])
            if alt not in site[2]:
                site[2].append(alt)
            core.append((gene, row.StarAllele, site[1], int(position), rsid[name], ref, alt, source))
        out["definitions"] += sorted(core, key=lambda r: r[3])
    out["positions"] = [
        (gene, chrom, position, rs, ref, ",".join(alts), source)
        for (position, ref), (rs, chrom, alts) in sorted(sites.items())
    ]
    return out


def _more_alternates(positions: pd.DataFrame, curated: pd.DataFrame) -> pd.DataFrame:
    """Curated further alternates (common bases that no allele demands) appended to ``alts``."""
    out = positions.copy()
    for row in rows_of(curated[curated["more_alts"] != ""]):
        here = (out["gene"] == row.gene) & (out["position"] == int(row.position)) & (out["ref"] == row.ref)
        if here.sum() != 1:
            raise ValueError(f"curated_sites.tsv: {row.gene} {row.position} {row.ref} is not one definition site")
        known = out.loc[here, "alts"].iloc[0].split(",")
        out.loc[here, "alts"] = ",".join(dict.fromkeys([*known, *row.more_alts.split(",")]))
    return out
