"""Reading a scoring file of the PGS Catalog (format 2.0, plain or gzip) without guessing.

A row is either usable, or *refused* with a reason that stays with it (a haplotype, no position, ...), or *wrong*: then
there is an error and no score. Refused rows stay in the denominator of the match rate.

Source: Lambert et al. 2021, Nat Genet 53:420, doi:10.1038/s41588-021-00783-5; format: www.pgscatalog.org/downloads.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pharmtwin.findings import Finding, has_errors
from pharmtwin.untrusted import is_whole, open_text

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Texts = npt.NDArray[np.object_]
Bools = npt.NDArray[np.bool_]

BUILDS = {"grch37": "GRCh37", "hg19": "GRCh37", "b37": "GRCh37", "ncbi37": "GRCh37", "hs37d5": "GRCh37",
          "grch38": "GRCh38", "hg38": "GRCh38", "b38": "GRCh38", "ncbi38": "GRCh38"}  # fmt: skip
CHROMOSOMES = frozenset([*map(str, range(1, 23)), "X"])
CODES = {"23": "X", "24": "Y", "25": "XY", "26": "MT", "M": "MT"}
DOSAGE_WEIGHTS = ("dosage_0_weight", "dosage_1_weight", "dosage_2_weight")
FLAGS = ("is_haplotype", "is_diplotype", "is_interaction", "is_dominant", "is_recessive")
EMPTY = ("", "NA", "NR", "nan", "None", ".")
SHOWN = 50

# rule: (severity, what, why, how to fix)
RULES = {
    "pgs.unreadable": (
        "error",
        "the scoring file cannot be read",
        "there are no weights",
        "give a PGS Catalog scoring file, plain or gzip, UTF-8",
    ),
    "pgs.no_rows": (
        "error",
        "the scoring file has no rows",
        "there is nothing to score",
        "download the file again",
    ),
    "pgs.column": (
        "error",
        "a column that is needed is missing",
        "rows cannot be understood without it",
        "give a file of PGS Catalog format 2.0 (effect_allele, and effect_weight or dosage_0/1/2_weight)",
    ),
    "pgs.column_twice": (
        "error",
        "a column name occurs twice",
        "it is open which one holds",
        "remove one of them",
    ),
    "pgs.rsid_only": (
        "error",
        "the file names its variants by rsID alone",
        "rsIDs are merged and reused; alleles cannot be placed by them",
        "use the harmonised file (..._hmPOS_GRCh38.txt.gz) of the PGS Catalog",
    ),
    "pgs.build": (
        "error",
        "the positions are not on the genome build of the genotypes",
        "every variant would be read at the wrong place",
        "use the file harmonised to {build} (..._hmPOS_{build}.txt.gz)",
    ),
    "pgs.build_unknown": (
        "error",
        "the file does not say the genome build of its positions",
        "every variant could be read at the wrong place",
        "use the harmonised file, or state the build of the file (assume_build)",
    ),
    "pgs.count": (
        "error",
        "the number of rows is not the variants_number of the header",
        "a truncated file gives another score",
        "download the file again, or correct the header if you shortened it on purpose",
    ),
    "pgs.ragged": (
        "error",
        "the row has another number of cells than the header",
        "cells would be read under the wrong name",
        "separate cells by one tab each",
    ),
    "pgs.effect_allele": (
        "error",
        "the effect allele is empty",
        "it is open whose copies are counted",
        "complete the row or remove it (and correct variants_number)",
    ),
    "pgs.weight": (
        "error",
        "the weight is not a finite number",
        "the sum would be wrong or undefined",
        "write a number with a decimal point",
    ),
    "pgs.weight_both": (
        "error",
        "effect_weight and dosage weights contradict each other",
        "it is open which of them holds",
        "leave one of them empty",
    ),
    "pgs.weight_partial": (
        "error",
        "dosage_0/1/2_weight are not all given",
        "the weight of a genotype is unknown",
        "give all three or none",
    ),
    "pgs.position": (
        "error",
        "the position is not a positive whole number",
        "the variant cannot be placed",
        "correct or empty the cell",
    ),
    "pgs.flag": (
        "error",
        "the value is neither True nor False",
        "it is open how the row counts",
        "write True or False",
    ),
    "pgs.model": (
        "error",
        "the row is dominant and recessive at once, or has a model beside dosage weights",
        "it is open how the row counts",
        "set one of them to False",
    ),
    "pgs.frequency": (
        "error",
        "the allele frequency is not a number from 0 to 1",
        "missing genotypes would be filled in wrongly",
        "correct or empty the cell",
    ),
    "pgs.weight_type": (
        "warning",
        "the weights are ratios, not their logarithms",
        "a sum of odds or hazard ratios is not a log-linear risk",
        "check in the publication how the score is summed; take logarithms if it says so",
    ),
}


@dataclass(frozen=True)
class ScoringFile:
    """A scoring file; arrays run over its n rows in file order.

    header : every ``#key=value``, as written. build : of ``position``. harmonised : positions are the hm_* columns
    in all usable rows. file : name as the user gave it.
    row : (n,) line number in the file, first line 1. chrom : without ``chr``; ``position`` : 1-based, 0 if none.
    effect, other : upper-case alleles; ``other`` empty if the file has none. inferable : hm_inferOtherAllele as
    written (``"A/G"``: one of these). model : additive, dominant, recessive or genotypic.
    weights : (n, 3) contribution of 0, 1, 2 copies of the effect allele. frequency : (n,) of the effect allele, NaN
    where the file has none (replace it by your own to use given frequencies).
    refused : (n,) reason why the row cannot be used, "" if it can.
    """

    file: str
    header: Mapping[str, str]
    build: str
    harmonised: bool
    row: Ints
    rsid: Texts
    chrom: Texts
    position: Ints
    effect: Texts
    other: Texts
    inferable: Texts
    model: Texts
    weights: Floats
    frequency: Floats
    refused: Texts

    @property
    def name(self) -> str:
        """pgs_id of the header, else the file's name."""
        return self.header.get("pgs_id") or self.header.get("omicspred_id") or Path(self.file).name

    @property
    def weight_type(self) -> str:
        """weight_type of the header; ``NR`` (not reported) if absent."""
        return self.header.get("weight_type", "NR")


def read_scoring_file(
    path: Path | str, build: str, *, assume_build: str | None = None
) -> tuple[ScoringFile | None, list[Finding]]:
    """The file with positions on ``build`` (that of the genotypes: GRCh37 or GRCh38), and all that is wrong with it.

    hm_chr/hm_pos are used if HmPOS_build is ``build``, and chr_name/chr_position if genome_build is (also row by row
    where harmonisation gave no position). assume_build : build of chr_position if the header does not say.
    Returns None for the file if there is an error. Raises ValueError for an unknown build.
    """
    for name in (build, assume_build or build):
        if name not in ("GRCh37", "GRCh38"):
            raise ValueError(f"build must be GRCh37 or GRCh38, not {name!r}")
    try:
        header, names, cells, rows, bad = _lines(Path(path))
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        return None, [_finding("pgs.unreadable", str(path), value=type(error).__name__)]
    if not names or not (cells or bad):
        return None, [_finding("pgs.no_rows", str(path))]
    found = [_finding("pgs.ragged", str(path), row=r, value=n) for r, n in bad[:SHOWN]]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        return None, [*found, *(_finding("pgs.column_twice", str(path), column=n) for n in twice)]
    table = pd.DataFrame(cells, columns=names, dtype=object)
    columns = _Columns(str(path), table, np.array(rows, dtype=np.int64), found)
    own = BUILDS.get(header.get("genome_build", "").lower(), "") or assume_build or ""
    score = _understand(columns, header, build, own)
    promised = header.get("variants_number", "")
    if is_whole(promised) and int(promised) != len(cells) + len(bad):
        found.append(_finding("pgs.count", str(path), value=f"{len(cells) + len(bad)} rows, {promised} promised"))
    kind = header.get("weight_type", "").upper().strip()
    if kind in ("OR", "HR", "RR", "ODDS RATIO", "HAZARD RATIO", "RISK RATIO"):
        found.append(_finding("pgs.weight_type", str(path), value=header["weight_type"]))
    return (None if has_errors(found) else score), sorted(found)


def _finding(rule: str, file: str, *, row: int = 0, column: str = "", value: object = "", build: str = "") -> Finding:
    severity, what, why, fix = RULES[rule]
    return Finding.create(
        rule, file, what, why, fix.format(build=build), row=row, column=column, value=value, severity=severity
    )


def _lines(
    path: Path,
) -> tuple[dict[str, str], list[str], list[list[str]], list[int], list[tuple[int, int]]]:
    """(header, column names, cells, line numbers, [(line number, cells) of ragged lines])."""
    header: dict[str, str] = {}
    names: list[str] = []
    cells: list[list[str]] = []
    rows: list[int] = []
    bad: list[tuple[int, int]] = []
    with open_text(path, "utf-8-sig") as handle:
        for number, line in enumerate(handle, start=1):
            text = line.rstrip("\r\n")
            if text.startswith("#") and not names:
                key, equals, value = text.lstrip("#").partition("=")
                if equals and not text.startswith("##"):
                    header[key.strip()] = value.strip()
            elif text and not names:
                names = [n.strip() for n in text.split("\t")]
            elif text.strip():
                here = text.split("\t")
                if len(here) == len(names):
                    cells.append(here)
                    rows.append(number)
                else:
                    bad.append((number, len(here)))
    return header, names, cells, rows, bad


class _Columns:
    """Cells by column with the line they came from; what is wrong is added to ``found``."""

    def __init__(self, file: str, table: pd.DataFrame, row: Ints, found: list[Finding]) -> None:
        self.file, self.table, self.row, self.found = file, table, row, found

    def text(self, name: str) -> Texts:
        """Stripped cells; "" where empty, not reported, or the column is absent."""
        if name not in self.table:
            return np.full(len(self.row), "", dtype=object)
        cells = self.table[name].str.strip()
        return cells.where(~cells.isin(EMPTY), "").to_numpy(dtype=object)

    def say(self, rule: str, wrong: Bools, column: str) -> None:
        """One finding a wrong row (the first 50, then their number)."""
        cells = self.text(column)
        at = np.flatnonzero(wrong)
        for i in at[:SHOWN]:
            self.found.append(_finding(rule, self.file, row=int(self.row[i]), column=column, value=cells[i]))
        if len(at) > SHOWN:
            self.found.append(_finding(rule, self.file, column=column, value=f"and {len(at) - SHOWN} more rows"))

    def number(self, name: str, rule: str) -> Floats:
        """Numbers; NaN where empty; a finding where a cell is not a finite number."""
        cells = self.text(name)
        values = pd.to_numeric(pd.Series(cells, dtype=object), errors="coerce").to_numpy(dtype=float)
        self.say(rule, (cells != "") & ~np.isfinite(values), name)
        return values

    def flag(self, name: str) -> Bools:
        cells = np.array([str(c).lower() for c in self.text(name)], dtype=object)
        self.say("pgs.flag", ~np.isin(cells, ["", "true", "false", "1", "0"]), name)
        return np.isin(cells, ["true", "1"])

    def position(self, name: str) -> Ints:
        cells = self.text(name)
        whole = np.array([is_whole(c) and int(c) > 0 for c in cells], dtype=bool)
        self.say("pgs.position", (cells != "") & ~whole, name)
        return np.array([int(c) if ok else 0 for c, ok in zip(cells, whole)], dtype=np.int64)


def _understand(columns: _Columns, header: dict[str, str], build: str, own: str) -> ScoringFile:
    names = set(columns.table.columns)
    if "effect_allele" not in names:
        columns.found.append(_finding("pgs.column", columns.file, column="effect_allele"))
    chrom, position, harmonised = _places(columns, header, build, own)
    flags = {name: columns.flag(name) for name in FLAGS}
    model, weights = _weights(columns, flags)
    effect = np.array([a.upper() for a in columns.text("effect_allele")], dtype=object)
    if "effect_allele" in names:
        columns.say("pgs.effect_allele", effect == "", "effect_allele")
    inferable = np.array([a.upper() for a in columns.text("hm_inferOtherAllele")], dtype=object)
    frequency = columns.number("allelefrequency_effect", "pgs.frequency")
    columns.say("pgs.frequency", (frequency < 0) | (frequency > 1), "allelefrequency_effect")
    other = np.array([a.upper() for a in columns.text("other_allele")], dtype=object)
    sequence = np.array([set(e + o) <= set("ACGT") and e != o for e, o in zip(effect, other)], dtype=bool)
    refused = np.full(len(columns.row), "", dtype=object)
    for reason, mask in (  # the first that holds is told
        ("haplotype", flags["is_haplotype"] | flags["is_diplotype"]),
        ("interaction", flags["is_interaction"]),
        ("not_a_sequence", ~sequence),
        ("no_position", (position == 0) | (chrom == "")),
        ("chromosome", ~np.isin(chrom, list(CHROMOSOMES))),
    ):
        refused[(refused == "") & mask] = reason
    rsid = np.where(columns.text("rsID") != "", columns.text("rsID"), columns.text("hm_rsID"))
    return ScoringFile(
        columns.file, header, build, harmonised, columns.row, rsid, chrom, position, effect, other, inferable,
        model, weights, frequency, refused,
    )  # fmt: skip


def _places(columns: _Columns, header: dict[str, str], build: str, own: str) -> tuple[Texts, Ints, bool]:
    """(chrom, position, all harmonised) on ``build``; empty and 0 where a row has none."""
    names = set(columns.table.columns)
    hm = BUILDS.get(header.get("HmPOS_build", "").lower(), "") if {"hm_chr", "hm_pos"} <= names else ""
    author = {"chr_name", "chr_position"} <= names
    empty = np.full(len(columns.row), "", dtype=object), np.zeros(len(columns.row), dtype=np.int64)
    if not hm and not author:
        columns.found.append(_finding("pgs.rsid_only", columns.file))
        return *empty, False
    if build not in (hm, own if author else ""):
        rule = "pgs.build" if hm or own else "pgs.build_unknown"
        columns.found.append(_finding(rule, columns.file, value=hm or own, build=build))
        return *empty, False
    first, second = empty, empty
    if author and own == build:
        second = columns.text("chr_name"), columns.position("chr_position")
    if hm == build:
        first = columns.text("hm_chr"), columns.position("hm_pos")
    placed = (first[0] != "") & (first[1] > 0)
    chrom = np.where(placed, first[0], second[0])
    chrom = np.array([CODES.get(c, c) for c in (str(c).removeprefix("chr").upper() for c in chrom)], dtype=object)
    position = np.where(placed, first[1], second[1])
    return chrom, position, bool((placed | (position == 0)).all())


def _weights(columns: _Columns, flags: Mapping[str, Bools]) -> tuple[Texts, Floats]:
    """(model, (n, 3) contributions of 0, 1, 2 copies)."""
    names = set(columns.table.columns)
    if "effect_weight" not in names and not set(DOSAGE_WEIGHTS) <= names:
        columns.found.append(_finding("pgs.column", columns.file, column="effect_weight"))
        return np.full(len(columns.row), "additive", dtype=object), np.zeros((len(columns.row), 3))
    weight = columns.number("effect_weight", "pgs.weight")
    given = np.column_stack([columns.text(n) != "" for n in DOSAGE_WEIGHTS])
    genotypic = np.column_stack([columns.number(n, "pgs.weight") for n in DOSAGE_WEIGHTS])
    by_genotype: Bools = np.asarray(given.any(axis=1))
    complete: Bools = np.asarray(given.all(axis=1))
    single = columns.text("effect_weight") != ""
    columns.say("pgs.weight_partial", by_genotype & ~complete, DOSAGE_WEIGHTS[0])
    columns.say("pgs.weight", ~by_genotype & ~single, "effect_weight")
    dominant, recessive = flags["is_dominant"], flags["is_recessive"]
    columns.say("pgs.model", (dominant & recessive) | (by_genotype & (dominant | recessive)), "is_dominant")
    model = np.select([by_genotype, dominant, recessive], ["genotypic", "dominant", "recessive"], "additive")
    shape = {"additive": (0, 1, 2), "dominant": (0, 1, 1), "recessive": (0, 0, 1), "genotypic": (0, 0, 0)}
    plain = weight[:, None] * np.array([shape[m] for m in model], dtype=float).reshape(-1, 3)
    both: Bools = np.asarray(single & by_genotype & ~np.isclose(genotypic, weight[:, None] * np.arange(3)).all(axis=1))
    columns.say("pgs.weight_both", both, "effect_weight")
    return model.astype(object), np.where(by_genotype[:, None], genotypic, plain)
