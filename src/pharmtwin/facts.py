"""Reading of ``resources/``: facts are data, each row with its unit and its source."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:  # heavy: only where a table is read
    import pandas as pd

RESOURCES = Path(__file__).resolve().parents[2] / "resources"


def resource_path(name: str) -> Path:
    """Path of a resource; raises FileNotFoundError naming what is there instead."""
    path = RESOURCES / name
    if not path.exists():
        near = ", ".join(sorted(p.name for p in path.parent.glob("*"))) if path.parent.exists() else "nothing"
        raise FileNotFoundError(f"resource {name} not found; beside it lie: {near}")
    return path


@lru_cache(maxsize=64)
def _table(name: str, path: Path, mtime: int) -> pd.DataFrame:
    import pandas as pd

    return pd.read_csv(path, sep="\t", comment="#", dtype_backend="numpy_nullable")


def fact_table(name: str) -> pd.DataFrame:
    """A TSV resource as a DataFrame (a copy: callers may change it)."""
    path = resource_path(name)
    return _table(name, path, path.stat().st_mtime_ns).copy()


def fact_values(name: str, key: str, **wanted: str) -> dict[str, float]:
    """Column ``value`` of a TSV resource by column ``key``, of the rows whose columns have the ``wanted`` values.

    Raises KeyError where no row has them, naming what there is.
    """
    table = fact_table(name)
    for column, value in wanted.items():
        mine = table[table[column].astype(str) == value]
        if mine.empty:
            known = ", ".join(dict.fromkeys(table[column].astype(str)))
            raise KeyError(f"resources/{name} has no {column} {value!r}; it has {known}")
        table = mine
    return dict(zip(table[key].astype(str), table["value"].astype(float), strict=True))


def fact_yaml(name: str) -> dict[str, Any]:
    """A YAML resource (drug file and the like) as a dictionary."""
    return dict(yaml.safe_load(resource_path(name).read_text(encoding="utf-8")))


def sha256_file(path: Path) -> str:
    """sha256 of a file's bytes, read in blocks."""
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
