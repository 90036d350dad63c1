"""Identifiers that other software knows: genes (HGNC), zygosity (GENO), assay (LOINC), sequences and alleles (GA4GH).

Checked against published uses unless marked. HGNC: https://www.genenames.org; GENO: http://purl.obolibrary.org/obo/geno.owl;
LOINC 84413-4 is the code of the genotype profile of the HL7 FHIR Genomics Reporting guide (STU2);
refget: https://samtools.github.io/hts-specs/refget.html; VRS 2.0: https://vrs.ga4gh.org.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache

from pharmtwin.facts import fact_table, resource_path, sha256_file
from pharmtwin.genome.vcf_contigs import BUILDS

Term = dict[str, str]  # an OntologyClass: id, label

HGNC = {
    "CYP2D6": "HGNC:2625", "CYP2C19": "HGNC:2621", "CYP2C9": "HGNC:2623", "CYP2C8": "HGNC:2622",
    "CYP2B6": "HGNC:2615", "CYP3A4": "HGNC:2637", "CYP3A5": "HGNC:2638", "CYP1A2": "HGNC:2596",
    "CYP4F2": "HGNC:2645",  # background knowledge, not checked
    "UGT1A1": "HGNC:12530", "SLCO1B1": "HGNC:10959", "ABCB1": "HGNC:40", "ABCG2": "HGNC:74", "DPYD": "HGNC:3012",
    "TPMT": "HGNC:12014", "NUDT15": "HGNC:23063", "NAT2": "HGNC:7646", "VKORC1": "HGNC:23663", "G6PD": "HGNC:4057",
}  # fmt: skip

HETEROZYGOUS: Term = {"id": "GENO:0000135", "label": "heterozygous"}
HOMOZYGOUS: Term = {"id": "GENO:0000136", "label": "homozygous"}
HEMIZYGOUS: Term = {"id": "GENO:0000134", "label": "hemizygous"}
UNSPECIFIED_ZYGOSITY: Term = {"id": "GENO:0000137", "label": "unspecified zygosity"}
GENOTYPE_ASSAY: Term = {"id": "LOINC:84413-4", "label": "Genotype display name"}
UNITY: Term = {"id": "UCUM:1", "label": "probability"}

#: refget digest of the GRCh38 chromosomes that hold our genes
REFGET = {
    "chr1": "SQ.Ya6Rs7DHhDeg7YaOSg1EoNi3U_nQ9SvO", "chr2": "SQ.pnAqCRBrTsUoBghSD1yp_jXWSmlbdh4g",
    "chr4": "SQ.HxuclGHh0XCDuF8x6yQrpHUBL7ZntAHc", "chr6": "SQ.0iKlIQk2oZLoeOG9P1riRU6hvL5Ux8TV",
    "chr7": "SQ.F-LrLMe1SRpfUZHkQmvkVKFEGaoDeHul", "chr8": "SQ.209Z7zJ-mFypBEWLk4rNC6S_OxY5p7bs",
    "chr10": "SQ.ss8r_wB0-b9r44TQTMmVTI92884QvBiB", "chr12": "SQ.6wlJpONE3oNb4D69ULmEXhqyDZ4vwNfl",
    "chr13": "SQ._0wi-qoDrvram155UmcSC-zA5ZK4fpLT", "chr15": "SQ.AsXvWL1-2i5U_buw6_niVIxD6zTbAuS6",
    "chr16": "SQ.yC_0RBj3fgBlvgyAuycbzdubtLxq-rE0", "chr19": "SQ.IIB53T8CNeJJdUqzn9V_JnRtQadwWCbl",
    "chr22": "SQ.7B7SHsmchAR0dFcDCuSFjJAo7tX87krQ", "chrX": "SQ.w0WZEvgJF0zf_P4yyTzjjv9oW1z61HHP",
}  # fmt: skip


@cache
def definition_version() -> str:
    """Release of the definition tables and the first 12 digits of the sha256 of each, one line."""
    releases = fact_table("genes/release.tsv").set_index("table")["release"]
    tables = ("positions", "definitions", "functions", "phenotypes")
    digests = [f"{t} sha256:{sha256_file(resource_path(f'genes/{t}.tsv'))[:12]}" for t in tables]
    return "; ".join([str(releases["definitions"]), *digests])


@cache
def definition_release() -> str:
    """Release of the definition tables, e.g. ``CPIC 2025-11-05-00-25 + ...``."""
    return str(fact_table("genes/release.tsv").set_index("table").loc["definitions", "release"])


@cache
def refseq(chrom: str) -> str:
    """RefSeq accession of a GRCh38 chromosome; raises KeyError for another name."""
    table = fact_table("genes/contig_accessions.tsv")
    rows = table[table["build"] == BUILDS[0]].set_index("chrom")["refseq"]
    return str(rows[chrom])


def sha512t24u(blob: bytes) -> str:
    """GA4GH digest: the first 24 bytes of SHA-512 as base64url (32 characters)."""
    return base64.urlsafe_b64encode(hashlib.sha512(blob).digest()[:24]).decode("ascii")


@cache
def vrs_id(refget: str, position: int, alt: str) -> str:
    """VRS 2.0 identifier of a single-base substitution at a 1-based position of a sequence (``SQ.`` digest).

    Source: VRS 2.0, computed identifiers; the specification's example (rs7412) is reproduced in the tests.
    """
    location = {
        "type": "SequenceLocation",
        "sequenceReference": {"type": "SequenceReference", "refgetAccession": refget},
        "start": position - 1,
        "end": position,
    }
    state = {"type": "LiteralSequenceExpression", "sequence": alt}
    allele = {"type": "Allele", "location": _digest(location), "state": state}
    return f"ga4gh:VA.{_digest(allele)}"


def _digest(value: Mapping[str, object]) -> str:
    return sha512t24u(json.dumps(value, sort_keys=True, separators=(",", ":")).encode("utf-8"))
