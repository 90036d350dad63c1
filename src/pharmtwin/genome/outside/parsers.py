"""One parser for each format of outside calls: lines in, :class:`RawCall` rows out, nothing interpreted.

Which file is which: :mod:`pharmtwin.genome.outside.files`. What a call means: :mod:`pharmtwin.genome.outside.table`.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pharmtwin.genome.definitions import GENES
from pharmtwin.untrusted import is_whole

PASS = ("", "PASS", ".")
NO_CALL = ("", "None", "none", "NA", "NaN", "nan", "No_call", "No call", "Indeterminate", "Unknown/Unknown", ".")
#: genes that outside files tell beside ours; a sample id looks like a symbol, so a list decides
KNOWN_GENES = {*GENES, "HLA-A", "HLA-B", "MT-RNR1", "CACNA1S", "CFTR", "F5", "IFNL3", "RYR1"}


class OutsideError(ValueError):
    """A file of outside calls that cannot be read; ``row`` is the line (0: the whole file)."""

    def __init__(self, what: str, row: int = 0) -> None:
        super().__init__(what)
        self.row = row


@dataclass(frozen=True)
class RawCall:
    """One call as the file has it. ``options``: the solutions' texts; empty: the tool made no call."""

    row: int
    sample: str
    gene: str
    options: tuple[str, ...]
    tool: str
    version: str = ""
    filter: str = ""
    copy_number: str = ""
    phenotype: str = ""
    activity_score: str = ""
    notes: tuple[str, ...] = ()
    problem: str = ""


@dataclass
class Source:
    """What a parser is given: numbered lines (from 1), the file's name, and what the caller says of it."""

    lines: list[tuple[int, str]]
    name: str
    gene: str = ""
    sample: str = ""
    samples: tuple[str, ...] = ()
    problems: list[tuple[int, str]] = field(default_factory=list)

    def cells(self, start: int = 0) -> Iterable[tuple[int, list[str]]]:
        """Rows of tab-separated cells from a line on, empty lines and comments left out."""
        for number, line in self.lines[start:]:
            if line.strip() and not line.startswith("#"):
                yield number, [cell.strip() for cell in line.split("\t")]

    def file_sample(self) -> str:
        """The sample that the file is about: as told, else by the file's name (``[x.]<sample>.outside.tsv``)."""
        if self.sample:
            return self.sample
        stem = re.sub(r"(\.outside)?\.(tsv|txt|aldy|alleles|simple)$", "", self.name)
        stem = re.sub(r"_(2d6|cyp2d6|result)$", "", stem)
        fitting = [s for s in self.samples if stem == s or stem.endswith(f".{s}")]
        return max(fitting, key=len) if fitting else stem


def one_or_none(text: str) -> tuple[str, ...]:
    """Solutions in a call's text: split at ``;`` and at the word ``or``; empty where the tool made no call."""
    text = text.strip()
    if text in NO_CALL:
        return ()
    return tuple(part.strip() for part in re.split(r";|\bor\b", text) if part.strip())


def _pharmcat(source: Source) -> Iterable[RawCall]:
    """gene, diplotype, phenotype, activity score; with or without a leading sample column and a header."""
    rows = list(source.cells())
    header = [c.lower() for c in rows[0][1]]
    with_header = "gene" in header
    named = {c: i for i, c in enumerate(header)} if with_header else {}
    leading = named.get("gene", 0 if any(cells[0] in KNOWN_GENES for _, cells in rows) else 1)
    for number, cells in rows[1:] if with_header else rows:
        cells = cells + [""] * (leading + 4 - len(cells))
        sample = cells[0] if leading else source.file_sample()
        gene, diplotype, phenotype, score = cells[leading : leading + 4]
        problem = ""
        if not re.fullmatch(r"[A-Z][A-Z0-9-]+", gene) or not sample:
            problem = "no gene symbol or no sample where one is expected"
        elif not (diplotype or phenotype or score):
            problem = "neither diplotype nor phenotype nor activity score"
        yield RawCall(
            number, sample, gene, one_or_none(diplotype), "PharmCAT outside call", phenotype=phenotype,
            activity_score=score, problem=problem,
        )  # fmt: skip


def _cyrius(source: Source) -> Iterable[RawCall]:
    for number, cells in source.cells(1):
        if len(cells) < 3 or not cells[0]:
            yield RawCall(
                number, cells[0], "CYP2D6", (), "Cyrius", problem="fewer than the columns Sample, Genotype, Filter"
            )
        else:
            yield _cyrius_call(number, cells[0], cells[1], cells[2])


def _cyrius_call(
    number: int, sample: str, genotype: str, filter_: str, copies: str = "", notes: tuple[str, ...] = ()
) -> RawCall:
    options = one_or_none(genotype)
    kept = "" if filter_ in NO_CALL else filter_
    if kept == "Not_assigned_to_haplotypes":
        options = tuple(p for text in options for p in haplotype_assignments(text))
    return RawCall(number, sample, "CYP2D6", options, "Cyrius", filter=kept, copy_number=copies, notes=notes)


def haplotype_assignments(text: str) -> tuple[str, ...]:
    """All diplotypes that a Cyrius list of unassigned copies can be: ``*1_*2_*68`` three ways, ``*1x4`` two ways."""
    units: list[str] = []
    for part in text.split("_"):
        star, _, count = part.partition("x")
        units += [star] * (int(count) if is_whole(count) else 1)
    out = []
    for mask in range(1, 2 ** max(len(units) - 1, 0)):
        one = sorted(u for i, u in enumerate(units) if mask >> i & 1)
        two = sorted(u for i, u in enumerate(units) if not mask >> i & 1)
        out.append("/".join(sorted(["+".join(one), "+".join(two)])))
    return tuple(dict.fromkeys(out)) or (text,)


def _cyrius_json(source: Source) -> Iterable[RawCall]:
    try:
        data = json.loads("\n".join(line for _, line in source.lines))
    except json.JSONDecodeError as error:
        raise OutsideError("the JSON is broken", error.lineno) from error
    for sample, entry in data.items():
        row = next((n for n, line in source.lines if f'"{sample}"' in line), 0)
        if not isinstance(entry, dict) or "Genotype" not in entry:
            source.problems.append((row, "an entry without Genotype; Cyrius writes one object a sample"))
            continue
        total = entry.get("Total_CN")
        notes = [] if total is None else [f"CYP2D6+CYP2D7 copies {total}"]
        notes += [f"CNV group {entry['CNV_group']}"] if entry.get("CNV_group") else []
        # Total_CN counts both genes: it is no copy number of CYP2D6, so it stays a note
        yield _cyrius_call(row, sample, str(entry["Genotype"]), str(entry.get("Filter")), notes=tuple(notes))


def _aldy(source: Source) -> Iterable[RawCall]:
    """One line a variant of each copy: the distinct ``Major`` of each solution count, the comments carry the scores."""
    solutions: dict[tuple[str, str], dict[str, tuple[int, str, str]]] = {}
    scores: dict[str, tuple[str, str]] = {}
    for number, line in source.lines:
        comment = re.match(r"#Solution (\d+): (.*)", line)
        if comment:
            said = dict(re.findall(r"; (\w+)=([^;]+)", comment[2]))
            scores[comment[1]] = (said.get("cpic", "").strip(), said.get("cpic_score", "").strip())
        elif line.strip() and not line.startswith("#"):
            cells = [c.strip() for c in line.split("\t")]
            if len(cells) < 5 or not cells[3]:
                source.problems.append((number, "fewer than the columns Sample, Gene, SolutionID, Major, Minor"))
            else:
                solutions.setdefault((cells[0], cells[1]), {}).setdefault(cells[2], (number, cells[3], cells[4]))
    if not solutions and scores:
        source.problems.append(
            (1, "solutions without rows: Aldy writes none for copies without variants; sample and gene are not told")
        )
    for (sample, gene), found in solutions.items():
        told = {scores.get(k, ("", "")) for k in found}
        phenotype, score = told.pop() if len(told) == 1 else ("", "")
        yield RawCall(
            min(n for n, _, _ in found.values()), sample, gene, tuple(major for _, major, _ in found.values()), "Aldy",
            phenotype=phenotype, activity_score=score, notes=tuple(f"minor {m}" for _, _, m in found.values()),
        )  # fmt: skip


def _aldy_simple(source: Source) -> Iterable[RawCall]:
    for number, cells in source.cells():
        majors = tuple(c for c in cells[2::2] if c)
        yield RawCall(number, cells[0], cells[1] if len(cells) > 1 else "", majors, "Aldy")


def _aldy_vcf(source: Source) -> Iterable[RawCall]:
    """Aldy names a VCF sample ``<sample>:<solution>:<major diplotype>``."""
    version = next((m[1] for _, line in source.lines if (m := re.match(r"##source=aldy-v?(.*)", line))), "")
    genes = {m[1] for _, line in source.lines if not line.startswith("#") and (m := re.search(r"GENE=([^;\t]+)", line))}
    gene = genes.pop() if len(genes) == 1 else source.gene
    for number, line in source.lines:
        if line.startswith("#CHROM"):
            calls: dict[str, list[str]] = {}
            for name in line.rstrip().split("\t")[9:]:
                sample, _, rest = name.partition(":")
                calls.setdefault(sample, []).append(rest.partition(":")[2])
            for sample, majors in calls.items():
                yield RawCall(number, sample, gene, tuple(m for m in majors if m), "Aldy", version)


def _stellar(source: Source) -> Iterable[RawCall]:
    """StellarPGx's report of one sample: headings, the value in the lines below."""
    parts: dict[str, list[str]] = {}
    heading, where, gene, copies = "", {"": 0}, source.gene, ""
    for number, line in source.lines:
        text = line.strip()
        if match := re.match(r"(\S+) Star Allele Calling with StellarPGx", text):
            gene = match[1]
        elif match := re.match(r"Initially computed CN = (\d+)", text):
            copies = match[1]
        elif text.endswith(":"):
            heading = text[:-1]
            where.setdefault(heading, number)
        elif text and not text.startswith("---"):
            parts.setdefault(heading, []).append(text)
    status = " ".join(parts.get("Metaboliser status", []))
    score = " ".join(parts.get("Activity score", []))
    yield _stellar_call(
        where.get("Result", 1), source.file_sample(), gene, parts.get("Result", []), copies, status, score
    )


def _stellar_call(
    number: int, sample: str, gene: str, said: list[str], copies: str = "", phenotype: str = "", score: str = ""
) -> RawCall:
    """Words beside the diplotype (possible novel allele, duplication or deletion present) leave no usable call."""
    cells = [c.strip() for text in said for c in text.split("\t") if c.strip()]
    options = one_or_none(cells[0]) if cells and "*" in cells[0] else ()
    words = tuple(c for c in cells if c not in NO_CALL and "*" not in c.split(" or ")[0][:2])
    unsure = any(w in " ".join(words) for w in ("Possible", "present"))
    problem = "StellarPGx says that a novel allele, deletion, duplication or hybrid is possible" if unsure else ""
    return RawCall(
        number, sample, gene, options, "StellarPGx", filter="caution" if unsure else "", copy_number=copies,
        phenotype=phenotype, activity_score="" if score == "Indeterminate" else score, notes=words, problem=problem,
    )  # fmt: skip


def _stellar_summary(source: Source) -> Iterable[RawCall]:
    for number, cells in source.cells():
        yield _stellar_call(number, cells[0], source.gene, cells[1:])


def _pypgx(source: Source) -> Iterable[RawCall]:
    heads = [c.strip() for c in source.lines[0][1].split("\t")]
    for number, cells in source.cells(1):
        row = dict(zip(heads, cells))
        notes = tuple(f"{k} {row[k]}" for k in ("CNV", "AlternativePhase") if row.get(k, "").strip(";"))
        problem = "fewer cells than the header" if len(cells) < len(heads) - 2 else ""
        yield RawCall(
            number, cells[0], source.gene, one_or_none(row.get("Genotype", "")), "PyPGx",
            phenotype="" if row.get("Phenotype") in NO_CALL else row.get("Phenotype", ""), notes=notes, problem=problem,
        )  # fmt: skip


def _optitype(source: Source) -> Iterable[RawCall]:
    heads = [c.strip() for c in source.lines[0][1].split("\t")]
    for number, cells in source.cells(1):
        row = dict(zip(heads, cells))
        for locus in ("A", "B"):
            pair = [row.get(f"{locus}{k}", "") for k in (1, 2)]
            options = ("/".join(pair),) if all(pair) else ()
            yield RawCall(number, source.file_sample(), f"HLA-{locus}", options, "OptiType")


def _sheet(source: Source) -> Iterable[RawCall]:
    text = [line for _, line in source.lines]
    delimiter = max("\t,;", key=text[0].count)
    for number, row in enumerate(csv.DictReader(text, delimiter=delimiter), start=2):
        value = {k: (v or "").strip() for k, v in row.items() if isinstance(k, str) and not isinstance(v, list)}
        yield RawCall(
            number, value.get("twin_id", ""), value.get("gene", ""), one_or_none(value.get("diplotype", "")),
            value.get("method", ""), filter=value.get("filter", ""), notes=tuple(filter(None, [value.get("label")])),
        )  # fmt: skip


PARSERS: dict[str, Callable[[Source], Iterable[RawCall]]] = {
    "pharmcat": _pharmcat, "cyrius": _cyrius, "cyrius_json": _cyrius_json, "aldy": _aldy, "aldy_simple": _aldy_simple,
    "aldy_vcf": _aldy_vcf, "stellarpgx": _stellar, "stellarpgx_summary": _stellar_summary, "pypgx": _pypgx,
    "optitype": _optitype, "sheet": _sheet,
}  # fmt: skip
