"""Structural records of a VCF over our genes: copy numbers where they can be told, "seen, not interpretable" elsewhere.

Read are the symbolic alleles ``<DEL>``, ``<DUP>``, ``<CNV>``, ``<CNn>``, ``<INV>``, ``<INS>`` with their subtypes,
breakends, and deletions or insertions of 50 bases and more written out. VCF 4.1 to 4.4 (hts-specs): POS is the base
before the event; its end is INFO END up to 4.3 and POS + |SVLEN| of the allele in 4.4, one stands in for the other
where it lacks; FORMAT CN is the sample's total number of copies over the record; INFO CN is the allele's own only in
4.4; a DEL or DUP that claims an adjacency only (SVCLAIM=J) says nothing about copies. A number is told only for events
over the whole transcribed gene (gene_spans.tsv): what ends inside the gene, or joins it with its pseudogene, may be a
hybrid.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from pharmtwin.facts import fact_table
from pharmtwin.findings import Finding
from pharmtwin.genome.definitions import GENES, rows_of
from pharmtwin.genome.outside.structure import COPY_NUMBER, NOT_ASSESSED
from pharmtwin.genome.reading.contigs import chromosome, header_build
from pharmtwin.genome.reading.vcf import VcfError, header_lines, open_vcf
from pharmtwin.untrusted import is_whole

#: rows: one a sample and gene and record. copy_number is empty where it cannot be told; note says why
COLUMNS = {
    "sample": "string", "gene": "string", "copy_number": "Int64", "evidence": "string", "kind": "string",
    "record": "string", "note": "string",
}  # fmt: skip
SMALLEST = 50  # bases; shorter written-out indels are small variants (the usual border of structural variants)
REACH = 5_000_000  # an indexed file is asked for records that begin up to so many bases before a gene
NEAR_WHOLE = 0.25  # a FORMAT CN farther than this from a whole number is not rounded
SEEN = "structure seen, not interpretable"
BREAKEND = re.compile(r"[\[\]](?P<chrom>.+):(?P<position>\d+)[\[\]]")


class Span(NamedTuple):
    """Transcribed bases of a gene, both ends inside, and of its pseudogene (0, 0 without)."""

    chrom: str
    start: int
    end: int
    paralog: tuple[int, int]


class Event(NamedTuple):
    """One structural ALT: kind, first and last base changed (0 unknown), the widest its confidence intervals allow,
    copies on a chromosome that carries it (None: not said), why not."""

    kind: str
    start: int
    end: int
    widest: tuple[int, int]
    copies: int | None
    note: str


@cache
def gene_spans(build: str) -> dict[str, Span]:
    """Spans of our genes on GRCh38 or GRCh37. Raises ValueError for another build."""
    if build not in ("GRCh38", "GRCh37"):
        raise ValueError(f"build {build!r} is neither GRCh38 nor GRCh37")
    rows = {str(r.gene): r for r in rows_of(fact_table("genes/gene_spans.tsv"))}
    ends = {
        g: (int(getattr(r, f"start_{build.lower()}")), int(getattr(r, f"end_{build.lower()}"))) for g, r in rows.items()
    }
    return {
        g: Span(str(rows[g].chrom), *ends[g], ends[str(rows[g].paralog)] if pd.notna(rows[g].paralog) else (0, 0))
        for g in GENES
        if g in rows
    }


def read_structural(
    path: Path, genes: Sequence[str] = GENES, *, build: str = "", samples: Sequence[str] | None = None
) -> tuple[pd.DataFrame, list[Finding]]:
    """Structural records over ``genes`` (COLUMNS), and findings.

    build : GRCh38 or GRCh37; empty: as the header says. samples : default all.
    A sample without the event (``0/0``, no FORMAT CN) has no row: a record tells who carries it, not that nothing else
    is there. A missing genotype has a row (``no_call``), and so has a record that fails FILTER (``filtered``).
    Never raises for what the file holds: an unreadable file or an unknown build is a finding.
    """
    none = pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    try:
        header = header_lines(path)
        build = build or header_build(header).build
        vcf = open_vcf(path)
    except VcfError as error:
        return none, [_finding("structure.unreadable", path, str(error).removeprefix(f"{path}: "))]
    if build not in ("GRCh38", "GRCh37"):
        return none, [_finding("structure.build", path, "the genome build cannot be told from the header")]
    names = header[-1].rstrip().split("\t")[9:]
    version = float(next((m[1] for m in [re.match(r"##fileformat=VCFv(4\.\d)", header[0])] if m), "4.2"))
    spans = {g: s for g, s in gene_spans(build).items() if g in genes}
    wanted = set(names if samples is None else samples)
    rows: list[dict[str, Any]] = []
    broken: list[Finding] = []
    try:
        for cells in _candidates(vcf, path, spans):
            try:
                rows += _record_rows(cells, names, wanted, version, spans)
            except ValueError:
                what = f"the record {cells[0]}:{cells[1]} holds a number that is none"
                broken.append(_finding("structure.record", path, what))
    except Exception:  # htslib reports broken records with bare exceptions of several kinds
        broken.append(_finding("structure.unreadable", path, "the file breaks off or holds a broken record"))
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    return table, [*broken, *_seen_findings(table, path)]


def _finding(rule: str, path: Path, what: str, severity: str = "error") -> Finding:
    why = "copy numbers and hybrids of its samples stay unknown"
    return Finding.create(rule, str(path), what, why, "give a VCF 4.x of structural variants, or an outside call",
                          severity=severity)  # fmt: skip


def _seen_findings(table: pd.DataFrame, path: Path) -> list[Finding]:
    """One warning a gene for what was seen and could not be told as a number of copies."""
    open_rows = table[table["copy_number"].isna() & (table["evidence"] != "no_call")]
    return [
        _finding(f"structure.{evidence}", path, f"{gene}: {SEEN} in {rows['sample'].nunique()} samples", "warning")
        for (gene, evidence), rows in open_rows.groupby(["gene", "evidence"])
    ]


def _candidates(vcf: Any, path: Path, spans: Mapping[str, Span]) -> Iterator[list[str]]:
    """Cells of the structural records on the genes' chromosomes, each record once; by index where there is one."""
    chroms: dict[str, list[Span]] = {}
    for span in spans.values():
        chroms.setdefault(span.chrom, []).append(span)
    indexed = any(Path(f"{path}{end}").exists() for end in (".tbi", ".csi"))
    if not indexed:
        yield from (str(v).rstrip("\n").split("\t") for v in vcf if _structural(v) and chromosome(v.CHROM)[0] in chroms)
        return
    for name in vcf.seqnames:
        here = chroms.get(chromosome(name)[0])
        if here:
            low = max(1, min(min(s.start, s.paralog[0] or s.start) for s in here) - REACH)
            high = max(max(s.end, s.paralog[1]) for s in here)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # cyvcf2 warns of a chromosome without records
                found = [str(v).rstrip("\n").split("\t") for v in vcf(f"{name}:{low}-{high}") if _structural(v)]
            yield from found


def _structural(variant: Any) -> bool:
    return any(
        a.startswith("<") or "[" in a or "]" in a or abs(len(a) - len(variant.REF)) >= SMALLEST for a in variant.ALT
    )


def events(position: int, ref: str, alts: Sequence[str], info: Mapping[str, str], version: float) -> list[Event | None]:
    """What each ALT of a record changes; None for alleles that are no structural event (bases, ``<*>``, ``<NON_REF>``).

    version : VCF version, 4.4 changes the meaning of SVLEN, END and INFO CN.
    """
    return [_event(position, ref, alt, k, info, version) for k, alt in enumerate(alts)]


def _event(position: int, ref: str, alt: str, k: int, info: Mapping[str, str], version: float) -> Event | None:
    if mate := BREAKEND.search(alt):
        return Event(
            "BND", position, 0, (position, int(mate["position"])), None, f"joined to {mate['chrom']}:{mate['position']}"
        )
    if not alt.startswith("<"):
        longer = len(alt) - len(ref)
        if alt in ("*", ".") or abs(longer) < SMALLEST:
            return None
        end = position + len(ref) - 1
        return Event(
            "DEL" if longer < 0 else "INS", position + 1, end, (position + 1, end), 0 if longer < 0 else None, ""
        )
    name = alt[1:-1].upper()
    kind = name.split(":")[0]
    if kind in ("*", "NON_REF", "X") or name == "CNV:TR" or not re.fullmatch(r"DEL|DUP|CNV|INV|INS|CN\d+", kind):
        return None
    length, stop = _item(info, "SVLEN", k), _item(info, "END", 0)
    by_length = position + abs(int(float(length))) if length else 0
    end = (by_length or int(stop or 0)) if version >= 4.4 else (int(stop or 0) or by_length)
    if kind == "INS":
        end = position
    low, high = _item(info, "CIPOS", 2 * k), _item(info, "CIEND", 2 * k + 1) or _item(info, "CIPOS", 2 * k + 1)
    widest = (position + 1 + int(low or 0), end + int(high or 0))
    copies, note = _allele_copies(kind, _item(info, "CN", k) if version >= 4.4 else "", _item(info, "SVCLAIM", k))
    return Event(kind, position + 1, end, widest, copies, note)


def _item(info: Mapping[str, str], key: str, k: int) -> str:
    """k-th value of an INFO key, empty if it is missing; a single value stands for all alleles."""
    values = info.get(key, "").split(",")
    value = values[k] if k < len(values) else values[0] if len(values) == 1 else ""
    return "" if value == "." else value


def _allele_copies(kind: str, told: str, claim: str) -> tuple[int | None, str]:
    """Copies on a chromosome with the allele, by its own name; ``told``: INFO CN of VCF 4.4."""
    if kind in ("DEL", "DUP") and claim == "J":
        return None, "the record claims a breakpoint only (SVCLAIM=J), no number of copies"
    if told and float(told) == round(float(told)):
        return round(float(told)), ""
    if re.fullmatch(r"CN\d+", kind):
        return int(kind[2:]), ""
    if kind == "DUP":
        return 2, "a DUP allele is counted as two copies; more are possible"
    if kind == "DEL":
        return 0, ""
    return None, {"CNV": "a CNV allele without FORMAT CN", "INV": "inverted", "INS": "inserted sequence is not known"}[
        kind
    ]


def _record_rows(
    cells: list[str], names: Sequence[str], wanted: set[str], version: float, spans: Mapping[str, Span]
) -> list[dict[str, Any]]:
    position, ref, alts = int(cells[1]), cells[3], cells[4].split(",")
    info = dict(p.split("=", 1) for p in cells[7].split(";") if "=" in p)
    found = events(position, ref, alts, info, version)
    rows = []
    for gene, span in spans.items():
        if chromosome(cells[0])[0] != span.chrom:
            continue
        touching = {k + 1: (e, _place(e, span, cells[0])) for k, e in enumerate(found) if e is not None}
        touching = {k: (e, place) for k, (e, place) in touching.items() if place}
        if not touching:
            continue
        record = f"{cells[0]}:{position} {','.join(sorted({f'<{e.kind}>' for e, _ in touching.values()}))}"
        common = {"gene": gene, "record": record, "kind": "+".join(sorted({e.kind for e, _ in touching.values()}))}
        form = cells[8].split(":") if len(cells) > 8 else []
        for name, text in zip(names, cells[9:]):
            if name in wanted:
                value = dict(zip(form, text.split(":")))
                said = _sample(value, touching, cells[6] in ("PASS", ".", ""), span.chrom)
                if said:
                    rows.append({"sample": name, **common, **said})
    return rows


def _place(event: Event, span: Span, chrom: str) -> str:
    """``whole``, ``partial``, ``pseudogene``, ``breakend`` or empty: where an event lies as seen from a gene."""
    inside = (span.start, span.end), span.paralog
    if event.kind == "BND":
        mate_here = chromosome(event.note.removeprefix("joined to ").rsplit(":", 1)[0])[0] == chromosome(chrom)[0]
        points = (event.start, event.widest[1]) if mate_here else (event.start,)
        return "breakend" if any(a <= p <= b for p in points for a, b in inside) else ""
    if event.end and event.widest[0] <= span.start and event.widest[1] >= span.end:
        return "whole"
    end = max(event.end, event.start)
    if event.start <= span.end and end >= span.start:
        return "partial"
    return "pseudogene" if event.start <= span.paralog[1] and end >= span.paralog[0] else ""


def _sample(
    value: Mapping[str, str], touching: Mapping[int, tuple[Event, str]], passed: bool, chrom: str
) -> dict[str, Any] | None:
    """copy_number, evidence and note of one sample, or None if it does not carry the event."""
    total = value.get("CN", ".")
    genotype = [a for a in re.split(r"[/|]", value.get("GT", "").strip("/|")) if a]
    carried = [touching[int(a)] for a in genotype if is_whole(a) and int(a) in touching]
    if not carried and total in (".", ""):
        missing = not genotype or "." in genotype
        return {"copy_number": None, "evidence": "no_call", "note": "no genotype"} if missing else None
    if not passed:
        return {"copy_number": None, "evidence": "filtered", "note": "the record fails FILTER"}
    events_here = carried or list(touching.values())
    places = {place for _, place in events_here}
    if places != {"whole"}:
        evidence = "breakend" if "breakend" in places else "pseudogene" if places == {"pseudogene"} else "partial"
        notes = [n for n in dict.fromkeys(e.note for e, _ in events_here) if n]
        return {"copy_number": None, "evidence": evidence, "note": "; ".join([SEEN, *notes])}
    if total not in (".", ""):
        number = float(total)
        whole = abs(number - round(number)) <= NEAR_WHOLE
        note = "" if whole else f"FORMAT CN {total} is not near a whole number"
        return {"copy_number": round(number) if whole else None, "evidence": "FORMAT_CN", "note": note}
    return _by_genotype(genotype, touching, chrom)


def _by_genotype(genotype: Sequence[str], touching: Mapping[int, tuple[Event, str]], chrom: str) -> dict[str, Any]:
    """Copies summed over the chromosomes of a genotype; other alleles of the record carry the gene once."""
    notes = []
    total: int | None = 0
    if "." in genotype or (len(genotype) != 2 and chrom != "chrX"):
        total, notes = None, ["the genotype is not complete, and there is no FORMAT CN"]
    for allele in genotype:
        event = touching[int(allele)][0] if is_whole(allele) and int(allele) in touching else None
        one = 1 if event is None else event.copies
        total = None if total is None or one is None else total + one
        notes += [event.note] if event is not None and event.note else []
    return {"copy_number": total, "evidence": "GT", "note": "; ".join(dict.fromkeys(notes))}


def copy_numbers_of(table: pd.DataFrame) -> pd.DataFrame:
    """sample, gene, state, copy_number, note: one row a sample and gene that has records.

    FORMAT CN counts all copies: such records must agree. Without, a DEL and a DUP of one sample add up; two records of
    the same kind may be one event told twice, and the number is left open. ``state`` is ``copy_number`` with a number,
    else ``not_assessed``; the note keeps what was seen beside.
    """
    rows = [
        {"sample": sample, "gene": gene, **_joined(list(rows.itertuples(index=False)))}
        for (sample, gene), rows in table.groupby(["sample", "gene"], sort=False)
    ]
    out = pd.DataFrame(rows, columns=["sample", "gene", "state", "copy_number", "note"])
    return out.astype(
        {"copy_number": "Int64", "sample": "string", "gene": "string", "state": "string", "note": "string"}
    )


def _joined(rows: Iterable[Any]) -> dict[str, Any]:
    rows = list(rows)
    numbers = {e: [r for r in rows if r.evidence == e and pd.notna(r.copy_number)] for e in ("FORMAT_CN", "GT")}
    totals = {int(r.copy_number) for r in numbers["FORMAT_CN"]}
    kinds = [r.kind for r in numbers["GT"]]
    notes = [r.note for r in rows if r.note]
    number: int | None = None
    if len(totals) == 1:
        number = totals.pop()
    elif totals:
        notes.append("records with different FORMAT CN")
    elif len(kinds) == 1:
        number = int(numbers["GT"][0].copy_number)
    elif len(set(kinds)) < len(kinds):
        notes.append("several records of one kind: one event told twice, or two events")
    elif kinds and gene_spans("GRCh38")[rows[0].gene].chrom == "chrX":
        notes.append("several records on chrX, where one or two copies are usual")
    elif kinds:
        number = 2 + sum(int(r.copy_number) - 2 for r in numbers["GT"])
    if number is not None and any(r.evidence in ("partial", "breakend") for r in rows):
        number = None
        notes.append("a part of the gene is changed as well")
    if number is not None and number < 0:
        number = None
        notes.append("the records add up to fewer copies than none")
    state = COPY_NUMBER if number is not None else NOT_ASSESSED
    return {"state": state, "copy_number": number, "note": "; ".join(dict.fromkeys(notes))}
