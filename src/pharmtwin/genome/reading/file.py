"""Opening a VCF or BCF: what kind of file it is, its header, and its records as lines of text.

Text is read as text, not by htslib: so every line can be checked and named by its number, and genotypes are taken
apart only where a record touches a definition position. BCF records are turned into text by pysam.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pharmtwin.genome.reading.contigs import chromosome
from pharmtwin.genome.reading.rules import Problems
from pharmtwin.untrusted import TooMuch, open_unpacked

#: the empty block that ends every complete bgzip file (SAM specification, section 4.1.2)
BGZF_EOF = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
#: lines of a header (real ones have up to about 10,000); bytes of the shortest record; shorter lines in a file
MOST_HEADER, SHORTEST, MOST_SHORT = 200_000, 16, 1_000_000
FIXED = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
_OTHER_KINDS = {
    b"PK": "zip archive", b"BAM": "BAM", b"CRAM": "CRAM", b"BZh": "bzip2", b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"l\x1b": "PLINK bed", b"\xd0\xcf\x11\xe0": "Excel workbook", b"\xff\xfe": "UTF-16 text",
}  # fmt: skip

#: chromosome with ``chr``, first and last position (1-based, inclusive)
Region = tuple[str, int, int]
#: (chromosome name in the file, first, last position) -> is the record wanted?
Wanted = Callable[[str, int, int], bool]


class VcfError(ValueError):
    """A VCF that cannot be read as what it must be; the message says why and what to do."""


@dataclass(frozen=True)
class VcfFile:
    """A file whose header could be read.

    kind : ``text``, ``gzip``, ``bgzip`` or ``bcf``. header : its lines, the last is ``#CHROM``. index : a usable index.
    """

    path: Path
    kind: str
    header: tuple[str, ...]
    samples: tuple[str, ...]
    index: Path | None

    def records(
        self, problems: Problems, wanted: Wanted, regions: Sequence[Region] | None
    ) -> Iterator[tuple[int, str]]:
        """(line number, line) of the records; the number is 0 where it is not known (index, BCF).

        ``regions`` are used if there is an index, else everything is read. ``wanted`` may be used to leave out BCF
        records. A broken index or stream is added to ``problems``; a stream ends where it breaks.
        """
        if self.kind == "bcf":
            yield from self._bcf(problems, wanted, regions)
            return
        if self.index is not None and regions is not None:
            try:
                yield from self._tabix(regions)
                return
            except Exception as error:  # pysam raises errors of many kinds
                problems.add("vcf.index_broken", value=type(error).__name__)
        yield from self._stream(problems)

    def _stream(self, problems: Problems) -> Iterator[tuple[int, str]]:
        start = len(self.header)
        row, line = start, b"\n"
        try:
            with _open(self.path, self.kind) as handle:
                short = 0
                for row, line in enumerate(handle, 1):
                    if row > start:
                        short += len(line) < SHORTEST
                        if short > MOST_SHORT:
                            raise TooMuch(f"more than {MOST_SHORT} lines are too short to be records")
                        yield row, line.decode("latin-1")
            if not line.endswith(b"\n") and "vcf.columns" not in problems:
                problems.add("vcf.no_newline", row=row)
        except EOFError:
            problems.add("vcf.truncated", row=row)
        except TooMuch as error:
            problems.add("vcf.unpacks", row=row, value=str(error))
        except (OSError, zlib.error):
            problems.add("vcf.corrupt", row=row)

    def _tabix(self, regions: Sequence[Region]) -> Iterator[tuple[int, str]]:
        import pysam  # heavy

        pysam.set_verbosity(0)  # htslib would write to stderr
        with pysam.TabixFile(str(self.path), index=str(self.index), encoding="latin-1") as tabix:
            yield from self._by_region(list(tabix.contigs), regions, tabix.fetch, lambda line: line.split("\t", 2)[1])

    def _bcf(self, problems: Problems, wanted: Wanted, regions: Sequence[Region] | None) -> Iterator[tuple[int, str]]:
        import pysam  # heavy

        pysam.set_verbosity(0)
        try:
            with pysam.VariantFile(str(self.path)) as bcf:
                records: Iterator[Any] = iter(bcf)
                if self.index is not None and regions is not None:
                    names = [str(name) for name in bcf.header.contigs]
                    records = (r for _, r in self._by_region(names, regions, bcf.fetch, lambda r: r.pos))
                for record in records:
                    if wanted(record.chrom, record.pos, record.stop):
                        yield 0, str(record)
        except Exception as error:  # pysam raises errors of many kinds
            problems.add("vcf.corrupt", value=type(error).__name__)

    @staticmethod
    def _by_region(
        names: Sequence[str], regions: Sequence[Region], fetch: Callable[..., Any], position: Callable[[Any], Any]
    ) -> Iterator[tuple[int, Any]]:
        """Records of ascending regions, each once: one that also begins before the last region's end was seen there."""
        for name in names:
            last = 0
            for chrom, first, end in regions:
                if chrom == chromosome(name)[0]:
                    for record in fetch(name, max(first - 1, 0), end):
                        if int(position(record)) > last:
                            yield 0, record
                    last = max(last, end)


def open_file(path: Path, problems: Problems) -> VcfFile | None:
    """Kind, header and index of a file; None if no record can be read. What is wrong is added to ``problems``."""
    kind = _kind(path, problems)
    if not kind:
        return None
    header = _header(path, kind, problems)
    if not header or not _check_header(header, problems):
        return None
    return VcfFile(path, kind, tuple(header), tuple(header[-1].split("\t")[9:]), _index(path, kind, problems))


def _kind(path: Path, problems: Problems) -> str:
    if not os.path.exists(path):
        problems.add("vcf.absent")
    elif not os.path.isfile(path):
        problems.add("vcf.directory")
    elif not os.access(path, os.R_OK):
        problems.add("vcf.permission")
    elif path.stat().st_size == 0:
        problems.add("vcf.empty_file")
    else:
        return _kind_of_content(path, problems)
    return ""


def _kind_of_content(path: Path, problems: Problems) -> str:
    with open(path, "rb") as raw:
        start = raw.read(18)
        raw.seek(max(path.stat().st_size - len(BGZF_EOF), 0))
        end = raw.read()
    kind = "bcf" if start.startswith(b"BCF") else "text"
    if start.startswith(b"\x1f\x8b"):
        kind = "bgzip" if start[12:14] == b"BC" else "gzip"
        try:
            with gzip.open(path, "rb") as handle:
                inside = handle.read(8)
        except EOFError:
            problems.add("vcf.truncated")
            return ""
        except (OSError, zlib.error):
            problems.add("vcf.corrupt")
            return ""
        if kind == "bgzip" and end != BGZF_EOF:
            problems.add("vcf.truncated", value="no end-of-file block")
        kind = "bcf" if inside.startswith(b"BCF") else kind
        start = inside
    for magic, name in _OTHER_KINDS.items():
        if start.startswith(magic):
            problems.add("vcf.unreadable", value=name)
            return ""
    suffixes = [s.lower() for s in path.suffixes[-2:]]
    if (".bcf" in suffixes) != (kind == "bcf") and {".bcf", ".vcf"} & set(suffixes):
        problems.add("vcf.extension", value="BCF" if kind == "bcf" else "VCF text")
    elif kind in ("text", "gzip", "bgzip") and (suffixes[-1:] in (([".gz"]), ([".bgz"]))) != (kind != "text"):
        problems.add("vcf.extension", value="not compressed" if kind == "text" else f"{kind} compressed")
    return kind


def _open(path: Path, kind: str) -> Any:
    return open(path, "rb") if kind == "text" else open_unpacked(path)


def _header(path: Path, kind: str, problems: Problems) -> list[str]:
    """Header lines without line ends; empty if there is none."""
    if kind == "bcf":
        return _bcf_header(path, problems)
    raw: list[bytes] = []
    try:
        with _open(path, kind) as handle:
            for line in handle:
                if not line.startswith((b"#", b"\xef\xbb\xbf#")):
                    break
                if len(raw) == MOST_HEADER:
                    raise TooMuch(f"its header has more than {MOST_HEADER} lines")
                raw.append(line)
    except EOFError:
        problems.add("vcf.truncated", row=len(raw))
        return []
    except TooMuch as error:
        problems.add("vcf.unpacks", row=len(raw), value=str(error))
        return []
    except (OSError, zlib.error):
        problems.add("vcf.corrupt", row=len(raw))
        return []
    if any(line.endswith(b"\r\n") for line in raw):
        problems.add("vcf.crlf", row=1)
    lines = []
    for line in raw:
        try:
            lines.append(line.decode("utf-8-sig").rstrip("\r\n"))
        except UnicodeDecodeError:
            if line.startswith(b"#CHROM"):
                problems.add("vcf.encoding", row=len(raw))
            lines.append(line.decode("latin-1").rstrip("\r\n"))
    if not lines:
        problems.add("vcf.unreadable" if kind != "text" or not _looks_like_records(path) else "vcf.no_header", row=1)
    return lines


def _looks_like_records(path: Path) -> bool:
    with open(path, "rb") as handle:
        return handle.readline(4096).count(b"\t") >= 7


def _bcf_header(path: Path, problems: Problems) -> list[str]:
    import pysam  # heavy

    pysam.set_verbosity(0)
    try:
        with pysam.VariantFile(str(path)) as bcf:
            return str(bcf.header).rstrip("\n\0").split("\n")
    except Exception as error:  # pysam raises errors of many kinds
        if "vcf.truncated" not in problems:
            problems.add("vcf.unreadable", value=type(error).__name__)
        return []


def _check_header(header: Sequence[str], problems: Problems) -> bool:
    """True if records can be read under this header."""
    version = re.match(r"##fileformat=(\S*)", header[0])
    last = header[-1]
    if not version or not last.startswith("#CHROM"):
        problems.add("vcf.no_header", row=1 if not version else len(header))
        return False
    if not version[1].startswith("VCFv4."):
        problems.add("vcf.version", row=1, value=version[1][:20])
        return False
    columns = last.split("\t")
    if len(columns) < len(FIXED) and len(last.split()) >= len(FIXED):
        problems.add("vcf.spaces", row=len(header))
        return False
    if tuple(columns[:8]) != FIXED or (len(columns) > 8 and columns[8] != "FORMAT"):
        problems.add("vcf.header_columns", row=len(header))
        return False
    names = columns[9:]
    if not names:
        problems.add("vcf.no_samples", row=len(header))
        return False
    blank = sum(name != name.strip() or not name for name in names)
    if blank:
        problems.add("vcf.sample_blank", row=len(header), count=blank)
    seen: set[str] = set()
    twice = sorted({n for n in names if n in seen or seen.add(n)})  # type: ignore[func-returns-value]
    if twice:
        problems.add("vcf.sample_duplicate", row=len(header), value=", ".join(twice[:5]))
    return True


def _index(path: Path, kind: str, problems: Problems) -> Path | None:
    """The index beside the file, if it may be trusted."""
    for suffix in (".tbi", ".csi"):
        index = Path(f"{path}{suffix}")
        if not os.path.exists(index) or (kind == "bcf" and suffix == ".tbi"):
            continue
        if kind not in ("bgzip", "bcf"):
            problems.add("vcf.not_bgzip", value=index.name)
            return None
        if index.stat().st_mtime + 1 < path.stat().st_mtime:  # copies made together may differ by a moment
            problems.add("vcf.index_stale", value=index.name)
            return None
        return index
    return None
