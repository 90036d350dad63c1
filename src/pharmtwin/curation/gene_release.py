"""Which release each gene table was built from, and one short name for all of them together."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pharmtwin.facts import sha256_file

#: files that serve as well as a listed one (a derived slice, our own list of samples)
ALTERNATIVES = {"integrated_call_samples_v3.20130502.ALL.panel": "samples.tsv",
                "panel_1kgp_grch37/DPYD.vcf.gz": "dpyd_positions_1kgp_observed.vcf.gz"}  # fmt: skip
UNPACKED = (".json.gz", ".csv.gz", ".tsv.gz")


@dataclass(frozen=True)
class Input:
    """One input file: ``name`` below the folder of sources as listed, ``gene`` ("" for files of all genes), ``path``
    where it lies, ``about`` its row of sources.tsv."""

    name: str
    gene: str
    path: Path
    about: pd.Series

    @property
    def tables(self) -> list[str]:
        """Names of the tables that are built from it."""
        return str(self.about["tables"]).split()


def source_files(data: Path, sources: pd.DataFrame) -> Iterator[Input]:
    """Every input in the order of sources.tsv, genes written out; an alternative in the place of a listed file if it
    is there."""
    for _, row in sources.iterrows():
        for gene in row["genes"].split(",") if row["genes"] else [""]:
            name = row["path"].format(gene=gene)
            other = data / ALTERNATIVES.get(name, name)
            yield Input(name, gene, other if other.exists() else data / name, row)


def content_hash(path: Path) -> str:
    """sha256 of a file; of its unpacked content for compressed text, whose packed bytes depend on the packer."""
    if not path.name.endswith(UNPACKED):
        return sha256_file(path)
    with gzip.open(path, "rb") as handle:
        return hashlib.sha256(handle.read()).hexdigest()


def release_table(data: Path, sources: pd.DataFrame, old: pd.DataFrame | None = None) -> pd.DataFrame:
    """release.tsv: ``table release date licence source inputs_sha256``, one row a table.

    old : the present release.tsv. An input that ``data`` lacks keeps a table as it is, so its row stays too:
    a table's row is rebuilt only if all its inputs are there. Raises FileNotFoundError if there is neither.
    """
    inputs: dict[str, list[Input]] = {}
    for file in source_files(data, sources):
        for table in file.tables:
            inputs.setdefault(table, []).append(file)
    kept = {} if old is None else {r["table"]: r for _, r in old.iterrows()}
    rows: list[dict[str, object]] = []
    for table, files in inputs.items():
        missing = [str(f.path) for f in files if not f.path.exists()]
        if missing:
            if table not in kept:
                raise FileNotFoundError(f"{table}.tsv: sources missing: {', '.join(missing[:3])}")
            rows.append({str(k): v for k, v in kept[table].items()})
            continue
        digest = hashlib.sha256("".join(f"{f.name} {content_hash(f.path)}\n" for f in files).encode()).hexdigest()
        said = {c: [str(f.about[c]) for f in files] for c in ("licence", "source")}
        said["release"], said["date"] = map(list, zip(*(release_of(f) for f in files)))
        joined = {c: (" + " if c == "release" else "; ").join(dict.fromkeys(v)) for c, v in said.items()}
        rows.append({"table": table, **joined, "inputs_sha256": digest})
    return pd.DataFrame(rows, columns=["table", "release", "date", "licence", "source", "inputs_sha256"])


def release_of(file: Input) -> tuple[str, str]:
    """Release and date of an input: those that PharmCAT's data state themselves, else those of sources.tsv."""
    if file.name.startswith("defs/pharmcat_"):
        with gzip.open(file.path, "rt", encoding="utf-8") as handle:
            version = json.load(handle).get("version")
        if version:
            return f"CPIC {version}", version[:10]
    return str(file.about["release"]), str(file.about["date"])
