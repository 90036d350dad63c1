"""Files of other callers, told apart by what stands in them, and opened.

Formats by the tools' public documentation: PharmCAT outside call TSV (docs/using/Outside-Call-Format), Cyrius TSV and
JSON (README), Aldy 4 ``.aldy``/``.simple``/VCF (README.rst), StellarPGx report and summary (README), PyPGx results.tsv
and results.zip (README, Results interpretation), OptiType result TSV, and our own structure_calls sheet.
Nothing is interpreted here: :mod:`pharmtwin.genome.outside.table` does that.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pharmtwin.genome.outside.parsers import KNOWN_GENES, PARSERS, OutsideError, RawCall, Source
from pharmtwin.untrusted import check_archive, read_bytes

#: bytes of a file of calls, or of a PyPGx archive unpacked (a call is a line; PyPGx's largest table has a few MiB)
MOST_TEXT = 64 * 2**20
SHEET_COLUMNS = {"twin_id", "gene", "diplotype", "method"}


def read_calls(
    path: Path, *, gene: str = "", sample: str = "", samples: Iterable[str] = ()
) -> tuple[str, list[RawCall], list[tuple[int, str]]]:
    """(format, calls, problems as (line, what)) of a file.

    gene, sample : for files that do not say: PyPGx results.tsv, StellarPGx summary; PharmCAT TSV without sample column.
    samples : samples of the study, to find the one that a file name means.
    Raises OutsideError for a file that is none of the formats, cannot be opened, or is not UTF-8 text.
    """
    try:
        if zipfile.is_zipfile(path):
            found, source = "pypgx", _archive(path)
        else:
            text = read_bytes(path, MOST_TEXT).decode("utf-8-sig")
            source = Source(list(enumerate(text.splitlines(), start=1)), path.name)
            found = detect(source)
    except UnicodeDecodeError as error:
        raise OutsideError("not UTF-8 text, which outside call files must be") from error
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise OutsideError("the file cannot be opened as text or as a PyPGx archive") from error
    source = replace(source, gene=gene or source.gene, sample=sample, samples=tuple(samples))
    return found, list(PARSERS[found](source)), source.problems


def _archive(path: Path) -> Source:
    with zipfile.ZipFile(path) as archive:
        check_archive(archive, MOST_TEXT)
        names = {Path(n).name: n for n in archive.namelist()}
        meta = dict(
            line.split("=", 1) for line in archive.read(names["metadata.txt"]).decode().splitlines() if "=" in line
        )
        if meta.get("SemanticType") != "SampleTable[Results]":
            raise OutsideError(
                f"a PyPGx archive of {meta.get('SemanticType', 'unknown type')}, not SampleTable[Results]"
            )
        lines = archive.read(names["data.tsv"]).decode().splitlines()
    return Source(list(enumerate(lines, start=1)), path.name, gene=meta.get("Gene", ""))


def detect(source: Source) -> str:
    """Name of the format, by content. Raises OutsideError if it is none."""
    filled = [line for _, line in source.lines if line.strip()]
    if not filled:
        raise OutsideError("the file is empty")
    first = filled[0]
    heads = [c.strip().lstrip("#") for c in first.split("\t")]
    rows = [[c.strip() for c in line.split("\t")] for line in filled if not line.startswith("#")]
    if first.startswith("##fileformat=VCF"):
        if any(line.startswith("##source=aldy") for line in filled[:50]):
            return "aldy_vcf"
        raise OutsideError(
            "a VCF that is not Aldy's; structural records of a VCF are read as such, not as outside calls"
        )
    if first.lstrip().startswith("{"):
        return "cyrius_json"
    if any("Star Allele Calling with StellarPGx" in line for line in filled[:10]):
        return "stellarpgx"
    if heads[:3] == ["Sample", "Genotype", "Filter"]:
        return "cyrius"
    if heads[:4] == ["Sample", "Gene", "SolutionID", "Major"] or first.startswith("#Solution"):
        return "aldy"
    if {"Genotype", "Phenotype", "Haplotype1"} <= set(heads):
        return "pypgx"
    if {"A1", "A2", "B1", "B2"} <= set(heads):
        return "optitype"
    if set(re.split(r"[,\t;]", first)) >= SHEET_COLUMNS:
        return "sheet"
    if not rows:
        raise OutsideError("nothing but comments")
    head = [*rows[0], "", "", "", ""][:4]
    if head[1] in KNOWN_GENES and head[2].startswith("*") and head[3].startswith(("*", "[")):
        return "aldy_simple"
    if any(cell in KNOWN_GENES for row in rows for cell in row[:2]) or "gene" in [c.lower() for c in head[:2]]:
        return "pharmcat"
    if re.search(r"\*|^No_call|^Possible", head[1]):
        return "stellarpgx_summary"
    raise OutsideError(
        "none of the known formats: PharmCAT, Cyrius, Aldy, StellarPGx, PyPGx, OptiType or structure_calls"
    )
