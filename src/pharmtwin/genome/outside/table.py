"""Calls of other tools as one canonical table.

A call that is not one certain diplotype (several solutions, copies on unknown chromosomes) becomes a mixture with
stated weights and a finding; nothing is picked in silence. Whatever cannot be read stays in the table without a
diplotype, with a finding ``file:row``. Genotypes never stand in a finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from pharmtwin.findings import Finding
from pharmtwin.genome.definitions import GENES
from pharmtwin.genome.outside.files import read_calls
from pharmtwin.genome.outside.parsers import PASS, OutsideError, RawCall
from pharmtwin.genome.outside.presence_alleles import PRESENCE_GENES, presence
from pharmtwin.genome.outside.star_writing import (
    WritingError,
    normal_diplotype,
    open_copies,
    readable,
    structural_alleles,
)
from pharmtwin.genome.outside.structure import copies_of_pair
from pharmtwin.untrusted import is_whole

#: canonical columns. written: as the tool wrote it; diplotype: our writing, empty if there is none; weight: share of
#: the solution, sums to 1 in (sample, gene); copy_number: gene copies, measured or following from the diplotype
COLUMNS = {
    "sample": "string", "gene": "string", "diplotype": "string", "weight": "float64", "copy_number": "Int64",
    "phenotype": "string", "activity_score": "float64", "tool": "string", "version": "string", "filter": "string",
    "note": "string", "written": "string", "row": "int64",
}  # fmt: skip
METABOLIZER = {"pm": "Poor", "im": "Intermediate", "nm": "Normal", "em": "Normal", "rm": "Rapid", "um": "Ultrarapid"}

# rule: (severity, what, why, how to fix)
CONFIRM = "confirm the call by another method"
RULES = {
    "outside.file": ("error", "{what}", "no call can be taken from it", "give the tool's own output file, unchanged"),
    "outside.row": (
        "error",
        "{what}",
        "the call cannot be used",
        "give the row as the tool writes it, or leave it out",
    ),
    "outside.allele": (
        "error",
        "{gene}: an allele is unknown to our tables",
        "its function is not known, so the activity would rest on a guess",
        "write it like *1/*2x2 or *10/*36+*10",
    ),
    "outside.gene": (
        "note",
        "{gene} is not a gene of this project",
        "its call has no effect",
        "nothing has to be done",
    ),
    "outside.no_call": (
        "warning",
        "{gene}: the tool made no call",
        "the structure stays as it was without the tool",
        "look at the tool's own log",
    ),
    "outside.not_pass": (
        "warning",
        "{gene}: the tool's filter is {what}",
        "the tool itself trusts the call less",
        CONFIRM,
    ),
    "outside.ambiguous": ("warning", "{gene}: {what} solutions", "none is picked; each carries its weight", CONFIRM),
    "outside.copies_open": (
        "warning",
        "{gene}: a copy number was not counted (xN, or at least so many)",
        "the activity score has a lower limit only",
        "have the copies counted",
    ),
    "outside.duplicate": (
        "error",
        "{gene}: a second call for the same sample",
        "it is not clear which call holds",
        "delete one of the two rows",
    ),
}


def read_outside(
    path: Path, *, gene: str = "", sample: str = "", samples: Iterable[str] = ()
) -> tuple[pd.DataFrame, list[Finding]]:
    """Canonical table (COLUMNS, one row a solution) of a file of outside calls, and findings with file:row.

    The format is told from the content: PharmCAT outside call TSV, Cyrius TSV or JSON, Aldy ``.aldy``, ``.simple`` or
    VCF, StellarPGx report or summary, PyPGx results.tsv or results.zip, OptiType TSV, structure_calls sheet.

    gene, sample, samples : see :func:`pharmtwin.genome.outside.files.read_calls`.
    Never raises for what a file holds: an unreadable file gives an empty table and a finding.
    """
    try:
        _, raw, problems = read_calls(path, gene=gene, sample=sample, samples=samples)
    except OutsideError as error:
        return _table([]), [_finding("outside.file", str(path), error.row, what=str(error))]
    findings = [_finding("outside.row", str(path), row, what=what) for row, what in problems]
    rows: list[dict[str, Any]] = []
    first: dict[tuple[str, str], int] = {}
    for call in _alternatives(raw):
        if first.setdefault((call.sample, call.gene), call.row) != call.row:
            findings.append(_finding("outside.duplicate", str(path), call.row, gene=call.gene))
            rows.append(
                _row(
                    call, "", 0.0, "; ".join(call.options), [f"line {first[call.sample, call.gene]} has a call already"]
                )
            )
            continue
        made, found = _canonical(call, str(path))
        rows += made
        findings += found
    return _table(rows), findings


def _alternatives(raw: Iterable[RawCall]) -> list[RawCall]:
    """Calls with PharmCAT's several rows of one sample and gene joined: there they are alternatives, not mistakes."""
    out: dict[Any, RawCall] = {}
    for number, call in enumerate(raw):
        may_join = call.tool == "PharmCAT outside call" and not call.problem and call.gene
        key = (call.sample, call.gene) if may_join else number
        old = out.get(key)
        out[key] = call if old is None else replace(old, options=(*old.options, *call.options))
    return list(out.values())


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _finding(rule: str, file: str, row: int, *, gene: str = "", what: str = "") -> Finding:
    severity, text, why, fix = RULES[rule]
    return Finding.create(rule, file, text.format(gene=gene, what=what), why, fix, row=row, severity=severity)


def _canonical(call: RawCall, file: str) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Rows and findings of one call. Solutions that our writing makes equal are joined."""
    written = "; ".join(call.options)
    findings = []
    if call.problem or not call.gene:
        what = call.problem or "the file does not say which gene it is about; name it"
        return [_row(call, "", 1.0, written, [what])], [_finding("outside.row", file, call.row, what=what)]
    if call.gene not in (*GENES, *PRESENCE_GENES):
        return [_row(call, "", 1.0, written, ["not a gene of this project"])], [
            _finding("outside.gene", file, call.row, gene=call.gene)
        ]
    if call.filter not in PASS:
        findings.append(_finding("outside.not_pass", file, call.row, gene=call.gene, what=call.filter))
    if not call.options:
        told = call.phenotype or call.activity_score
        if call.gene in PRESENCE_GENES and call.phenotype:
            return _presence_rows(call, [""], findings, file)
        if not told:
            findings.append(_finding("outside.no_call", file, call.row, gene=call.gene))
        return [_row(call, "", 1.0, "", ["no diplotype given" if told else "no call"])], findings
    if call.gene in PRESENCE_GENES:
        return _presence_rows(call, list(call.options), findings, file)
    weights, notes, problem = mixture(call.gene, call.options)
    if problem:
        rule = "outside.allele" if problem == UNKNOWN_ALLELE else "outside.row"
        findings.append(_finding(rule, file, call.row, gene=call.gene, what=f"{call.gene}: {problem}"))
        return [_row(call, "", 1.0, written, [problem])], findings
    if len(weights) > 1:
        findings.append(_finding("outside.ambiguous", file, call.row, gene=call.gene, what=str(len(weights))))
    if any(open_copies(call.gene, pair) for pair in weights):
        findings.append(_finding("outside.copies_open", file, call.row, gene=call.gene))
    return [_row(call, pair, weight, written, notes) for pair, weight in weights.items()], findings


UNKNOWN_ALLELE = "an allele is unknown to our tables"


def mixture(gene: str, texts: Iterable[str], weights: Iterable[float] = ()) -> tuple[dict[str, float], list[str], str]:
    """(diplotype in our writing -> weight, notes, problem) of the solutions of one call.

    Weights are equal unless given, and sum to 1. If one solution cannot be read the call is not used: the weights are
    empty and ``problem`` says why.
    """
    texts = list(texts)
    given = list(weights) or [1.0] * len(texts)
    out: dict[str, float] = {}
    notes: list[str] = []
    for text, weight in zip(texts, given, strict=True):
        try:
            pair, said = normal_diplotype(gene, text)
        except WritingError as error:
            return {}, [], str(error)
        if not readable(gene, pair):
            return {}, [], UNKNOWN_ALLELE
        out[pair] = out.get(pair, 0.0) + weight
        notes += said
    total = sum(out.values())
    if not total > 0:
        return {}, [], "the weights of the solutions do not sum to more than 0"
    return {pair: weight / total for pair, weight in out.items()}, list(dict.fromkeys(notes)), ""


def _presence_rows(
    call: RawCall, options: list[str], findings: list[Finding], file: str
) -> tuple[list[dict[str, Any]], list[Finding]]:
    rows = []
    for option in options:
        try:
            pair, said = presence(call.gene, option, call.phenotype)
            rows.append(_row(call, pair, 1 / len(options), option, list(dict.fromkeys(n for *_, n in said if n))))
        except WritingError as error:
            findings.append(_finding("outside.row", file, call.row, what=f"{call.gene}: {error}"))
            rows.append(_row(call, "", 1 / len(options), option, [str(error)]))
    if len(options) > 1:
        findings.append(_finding("outside.ambiguous", file, call.row, gene=call.gene, what=str(len(options))))
    return rows, findings


def _row(call: RawCall, pair: str, weight: float, written: str, notes: list[str]) -> dict[str, Any]:
    score = re.fullmatch(r"(≥|>=)?\s*(\d+(?:\.\d+)?)", call.activity_score.strip())
    if call.activity_score and (score is None or score[1]):
        notes = [*notes, f"activity score written {call.activity_score}"]
    number = int(call.copy_number) if is_whole(call.copy_number) else None
    if number is None and pair and structural_alleles(call.gene) and pair.startswith(("*", "[")):
        number = copies_of_pair(pair, call.gene)
    return {
        "sample": call.sample, "gene": call.gene, "diplotype": pair, "weight": weight, "copy_number": number,
        "phenotype": normal_phenotype(call.phenotype), "activity_score": float(score[2]) if score else None,
        "tool": call.tool, "version": call.version, "filter": call.filter, "note": "; ".join([*notes, *call.notes]),
        "written": written, "row": call.row,
    }  # fmt: skip


def normal_phenotype(text: str) -> str:
    """CPIC's word for a phenotype: ``PM``, ``Poor metaboliser (PM)`` -> ``Poor Metabolizer``; others as they are."""
    match = re.fullmatch(
        r"(?:CYP\w+ )?(likely |possible )?(poor|intermediate|normal|extensive|rapid|ultra-?rapid|[pineru]m)"
        r"(?: metaboli[sz]ers?)?(?: \([pineru]m\))?",
        text.strip(), re.IGNORECASE,
    )  # fmt: skip
    if match is None:
        return text.strip()
    word = match[2].lower().replace("-", "")
    word = METABOLIZER.get(word, "Normal" if word == "extensive" else word.capitalize())
    return f"{(match[1] or '').title()}{word} Metabolizer"
