"""Reading genotypes for the matching mode: PharmCAT's conventions, which differ from the caller's.

One record counts for a site if it starts there and its REF is the definition's; the first usable one wins.
FILTER is not looked at. A genotype is dropped (missing position) if nothing is called, if it uses a symbolic,
``*`` or ambiguous alternate, if it is a half call whose called allele is the reference (chrX excepted), or if
it is heterozygous while AD has reads of one allele only. A half call of an alternate stays.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pharmtwin.genome.matching.tables import MatchTable, match_table
from pharmtwin.genome.reading.checks import detect_build
from pharmtwin.genome.reading.contigs import chromosome
from pharmtwin.genome.reading.file import Region, VcfError, VcfFile, open_file
from pharmtwin.genome.reading.rules import Problems
from pharmtwin.untrusted import is_whole

ABSENT = -1
UNDOCUMENTED = 64  # alternates that the definition does not list: 64, 65, ... in order of appearance at a site
UNVALIDATED = 96  # the same, a base change where the definition expects indels or repeats only
NO_SET = -1
BASES = re.compile(r"[ACGT]+")
GENOTYPE = re.compile(r"(\d+|\.)([/|](\d+|\.))*")
BROKEN = ("vcf.truncated", "vcf.corrupt")
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class GeneCalls:
    """What the file says about one gene.

    Attributes
    ----------
    codes : (n_samples, n_sites, 2) int8: 0 REF, k the k-th documented alternate, >= 64 others, ABSENT none.
    present, phased, het, gap : (n_samples, n_sites): the site has a genotype; written with ``|`` (or haploid);
        names two different alleles; contains ``.``.
    phase_set : (n_samples, n_sites) PS of a phased genotype, NO_SET without.
    spelled : (site, code) -> base(s) of codes >= 64.
    """

    table: MatchTable
    codes: npt.NDArray[np.int8]
    present: Bools
    phased: Bools
    het: Bools
    gap: Bools
    phase_set: npt.NDArray[np.int64]
    spelled: dict[tuple[int, int], str]


@dataclass(frozen=True)
class Genotype:
    """One genotype as written: its two alleles by number (ABSENT: ``.`` or not written) and what they say together."""

    first: int
    second: int
    called: frozenset[int]
    n_called: int
    phased: bool
    gap: bool
    phase_set: int
    one_allele_has_reads: bool


def read_genes(
    path: Path, genes: Sequence[str], samples: Sequence[str] | None = None
) -> tuple[tuple[str, ...], dict[str, GeneCalls]]:
    """Sample names and calls of each gene, the file read once.

    Raises VcfError for a file that cannot be read to its end, is on GRCh37, or lacks a wanted sample.
    """
    problems = Problems()
    file = open_file(Path(path), problems)
    if file is None:
        raise VcfError(problems.errors()[0].finding(str(path)).message())
    if detect_build(path, file.header) == "GRCh37":
        raise VcfError(f"{path}: on GRCh37; the matching mode knows GRCh38 only")
    wanted = file.samples if samples is None else tuple(samples)
    lacking = [s for s in wanted if s not in file.samples]
    if lacking or not wanted:
        raise VcfError(f"{path}: samples not in the file: {lacking[:5]}" if lacking else f"{path}: no sample columns")
    out = {gene: _empty(match_table(gene), len(wanted)) for gene in genes}
    _fill(file, problems, out, [file.samples.index(s) for s in wanted])
    broken = [p for p in problems.errors() if p.rule in BROKEN]
    if broken:
        raise VcfError(broken[0].finding(str(path)).message())
    return wanted, out


def _fill(file: VcfFile, problems: Problems, out: dict[str, GeneCalls], rows: Sequence[int]) -> None:
    """All records at definition positions into the calls of their gene."""
    sites: dict[tuple[str, int], list[tuple[GeneCalls, int]]] = {}
    for calls in out.values():
        for site, position in enumerate(calls.table.positions.tolist()):
            sites.setdefault((calls.table.chrom, position), []).append((calls, site))
    regions: list[Region] = sorted(
        (c.table.chrom, int(c.table.positions[0]), int(c.table.positions[-1])) for c in out.values()
    )
    chroms = {chrom for chrom, _, _ in regions}
    use_depth = _depth_by_allele(file.header)
    for _, line in file.records(problems, lambda name, _first, _last: chromosome(name)[0] in chroms, regions):
        chrom, _, rest = line.partition("\t")
        position, _, rest = rest.partition("\t")
        if not is_whole(position) or chrom.startswith("#"):
            continue
        here = sites.get((chromosome(chrom)[0], int(position)), ())
        fields = rest.rstrip("\r\n").split("\t") if here else []
        if len(fields) != 7 + len(file.samples):
            continue
        keys = fields[6].split(":")
        if "GT" in keys:
            texts = [fields[7 + row] for row in rows]
            for calls, site in here:
                _add(calls, site, fields[1].upper(), fields[2], texts, _columns(keys, use_depth))


def _empty(table: MatchTable, n_samples: int) -> GeneCalls:
    shape = (n_samples, len(table.positions))
    return GeneCalls(
        table,
        codes=np.full((*shape, 2), ABSENT, dtype=np.int8),
        present=np.zeros(shape, dtype=bool),
        phased=np.zeros(shape, dtype=bool),
        het=np.zeros(shape, dtype=bool),
        gap=np.zeros(shape, dtype=bool),
        phase_set=np.full(shape, NO_SET, dtype=np.int64),
        spelled={},
    )


def _depth_by_allele(header: Sequence[str]) -> bool:
    """False if the header gives AD another meaning than one depth per allele."""
    stated = [line for line in header if line.startswith("##FORMAT=<ID=AD,")]
    return not stated or "Number=R" in stated[0]


def _columns(keys: Sequence[str], use_depth: bool) -> tuple[int, int, int]:
    """Where GT, PS and AD stand in FORMAT; -1 for none."""
    gt, ps, ad = (keys.index(k) if k in keys else -1 for k in ("GT", "PS", "AD"))
    return gt, ps, ad if use_depth else -1


def _add(
    calls: GeneCalls, site: int, ref: str, alt_text: str, texts: Sequence[str], columns: tuple[int, int, int]
) -> None:
    table = calls.table
    if ref != table.refs[site]:
        return
    alts = () if alt_text == "." else tuple(alt_text.split(","))
    codes, refused = _alternate_codes(calls, site, alts)
    codes.append(ABSENT)
    for text in dict.fromkeys(texts):
        found = genotype(text, columns)
        if found is None or found.called & refused or max(found.called) > len(alts):
            continue
        het = len(found.called) > 1
        half_reference = found.n_called == 1 and found.called == {0}
        if (half_reference and table.chrom != "chrX") or (het and found.one_allele_has_reads):
            continue
        rows = [i for i, t in enumerate(texts) if t == text and not calls.present[i, site]]
        calls.codes[rows, site] = codes[found.first], codes[found.second]
        calls.present[rows, site] = True
        calls.phased[rows, site] = found.phased
        calls.het[rows, site] = het
        calls.gap[rows, site] = found.gap
        calls.phase_set[rows, site] = found.phase_set


@lru_cache(maxsize=65536)
def genotype(text: str, columns: tuple[int, int, int]) -> Genotype | None:
    """A sample's column of a record, or None if nothing is called. ``columns``: places of GT, PS, AD (-1: none)."""
    fields = text.split(":")
    gt, ps, ad = (fields[c] if 0 <= c < len(fields) else "." for c in columns)
    if not GENOTYPE.fullmatch(gt):
        return None
    alleles = [ABSENT if a == "." else int(a) for a in re.split(r"[/|]", gt)]
    called = [a for a in alleles if a != ABSENT]
    if not called:
        return None
    phased = "/" not in gt
    reads = [int(d) for d in ad.split(",") if is_whole(d)]
    return Genotype(
        first=alleles[0],
        second=alleles[1] if len(alleles) > 1 else ABSENT,
        called=frozenset(called),
        n_called=len(called),
        phased=phased,
        gap=ABSENT in alleles[:2],
        phase_set=int(ps) if phased and is_whole(ps) else NO_SET,
        one_allele_has_reads=sum(d > 0 for d in reads) == 1,
    )


def _alternate_codes(calls: GeneCalls, site: int, alts: Sequence[str]) -> tuple[list[int], set[int]]:
    """Code of REF and every ALT, and the numbers of the ALTs that no genotype may use."""
    documented = calls.table.alternates[site]
    expected_long = any(len(a) > 1 for a in documented)
    only_short = not any(len(a) > 1 for a in alts if not a.startswith("<"))
    start = UNVALIDATED if expected_long and only_short else UNDOCUMENTED
    codes, refused = [0], set()
    for number, alt in enumerate((a.upper() for a in alts), start=1):
        if not BASES.fullmatch(alt):
            refused.add(number)
            codes.append(ABSENT)
        elif alt in documented:
            codes.append(1 + documented.index(alt))
        else:
            codes.append(_code_of_unknown(calls.spelled, site, alt, start))
    return codes, refused


def _code_of_unknown(spelled: dict[tuple[int, int], str], site: int, alt: str, start: int) -> int:
    code = start
    while spelled.setdefault((site, code), alt) != alt:
        code += 1
        if code - start >= UNVALIDATED - UNDOCUMENTED:
            raise VcfError(f"more than {UNVALIDATED - UNDOCUMENTED} undefined alternates at one definition position")
    return code


def with_reference(calls: GeneCalls, find_combinations: bool) -> npt.NDArray[np.int8]:
    """Codes with undocumented alternates replaced by the reference where the gene's rule says so.

    The rule holds for genes whose variants matter for toxicity; not when combinations are wanted (then the
    variant itself is to be named), except for genes reported by lowest function.
    """
    table = calls.table
    if not table.undocumented_as_reference or (find_combinations and not table.lowest_function):
        return calls.codes
    replaced = (calls.codes >= UNDOCUMENTED) & (calls.codes < UNVALIDATED)
    return np.where(replaced, np.int8(0), calls.codes)
