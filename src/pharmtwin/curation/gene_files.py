"""Reading the source files of the gene tables, and writing the tables."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd


def read_json(path: Path) -> dict[str, Any]:
    """A gzipped JSON file."""
    with gzip.open(path, "rt", encoding="utf-8") as handle:
        return dict(json.load(handle))


def pypgx_table(data: Path, name: str, gene: str = "") -> pd.DataFrame:
    """PyPGx's ``allele``, ``variant`` or ``gene`` table as text, all of it or the rows of one gene."""
    table = pd.read_csv(data / f"defs/pypgx/{name}-table.csv.gz", dtype=str, keep_default_na=False)
    return table[table["Gene"] == gene] if gene else table


def read_table(path: Path) -> pd.DataFrame:
    """A fact table as text; empty cells are empty strings."""
    return pd.read_csv(path, sep="\t", comment="#", dtype=str, keep_default_na=False)


def write_table(folder: Path, name: str, frame: pd.DataFrame) -> None:
    """One fact table as TSV, the same bytes for the same rows."""
    frame.to_csv(folder / f"{name}.tsv", sep="\t", index=False, lineterminator="\n")
