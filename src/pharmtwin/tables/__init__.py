"""Tables between stages: one schema file a table, versioned; read, checked, written in one place.

A schema is a YAML file beside this module: ``name``, ``version``, ``key`` (columns that identify a
row), and ``columns`` (name -> dtype, unit, meaning, optional ``allowed``/``nullable``). Files are
written to a temporary name and renamed, so that a killed job leaves nothing that looks finished.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import pandas as pd
import yaml

from pharmtwin.files import replace_atomically, write_text
from pharmtwin.tables.spreadsheet import read_back, tsv

HERE = Path(__file__).resolve().parent
DTYPES = {"str": "string", "float": "float64", "int": "int64", "bool": "bool"}


@dataclass(frozen=True)
class Column:
    """One column: dtype (str, float, int, bool), unit, meaning, allowed values, nullable."""

    name: str
    dtype: str
    unit: str
    meaning: str
    allowed: tuple[str, ...] = ()
    nullable: bool = False


@dataclass(frozen=True)
class Schema:
    """One table's schema."""

    name: str
    version: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """Column names in file order."""
        return [c.name for c in self.columns]


class TableError(ValueError):
    """A table does not keep its schema; the message names table, column and first bad row."""


@cache
def schema(name: str) -> Schema:
    """Schema of a table by name; raises FileNotFoundError for an unknown table."""
    raw = yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    columns = tuple(
        Column(
            name=key,
            dtype=spec["dtype"],
            unit=str(spec.get("unit", "")),
            meaning=spec["meaning"],
            allowed=tuple(spec.get("allowed", ())),
            nullable=bool(spec.get("nullable", False)),
        )
        for key, spec in raw["columns"].items()
    )
    return Schema(raw["name"], str(raw["version"]), tuple(raw["key"]), columns)


def schema_names() -> list[str]:
    """All table names."""
    return sorted(p.stem for p in HERE.glob("*.yaml"))


def _as(table: str, column: Column, values: pd.Series) -> pd.Series:
    try:
        out = cast(Any, values).astype(DTYPES[column.dtype])
    except (TypeError, ValueError) as error:
        raise TableError(f"table {table}: column {column.name} does not hold {column.dtype} ({error})") from None
    if column.dtype in ("int", "bool") and not (out == values).all():
        first = values[out != values].iloc[0]
        raise TableError(f"table {table}: column {column.name} does not hold {column.dtype}: {first!r}")
    return cast(pd.Series, out)


def conform(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return ``frame`` with the schema's columns, order and dtypes; raise TableError if it cannot.

    Missing, surplus, null (where not allowed), out-of-vocabulary and duplicate-key rows are errors.
    """
    spec = schema(name)
    missing = [c for c in spec.names if c not in frame.columns]
    surplus = [c for c in frame.columns if c not in spec.names]
    if missing or surplus:
        raise TableError(f"table {name}: missing columns {missing}, surplus columns {surplus}")
    out = frame[spec.names].copy()
    for column in spec.columns:
        values = out[column.name]
        if not column.nullable and values.isna().any():
            row = int(values.isna().to_numpy().argmax())
            raise TableError(f"table {name}: column {column.name} is empty in data row {row + 1}")
        out[column.name] = _as(name, column, values)
        if column.allowed:
            bad = ~out[column.name].isin(column.allowed) & out[column.name].notna()
            if bad.any():
                value = out.loc[bad, column.name].iloc[0]
                raise TableError(f"table {name}: column {column.name} has {value!r}; allowed: {column.allowed}")
    if spec.key and out.duplicated(list(spec.key)).any():
        first = out[out.duplicated(list(spec.key))].iloc[0]
        raise TableError(f"table {name}: duplicate key {[first[k] for k in spec.key]}")
    return out.reset_index(drop=True)


def write_table(name: str, frame: pd.DataFrame, path: Path) -> None:
    """Check against the schema and write: ``.parquet`` (zstd) or ``.tsv`` (full float precision)."""
    out = conform(name, frame)
    path = Path(path)
    if path.suffix == ".parquet":
        replace_atomically(path, lambda p: out.to_parquet(p, engine="pyarrow", compression="zstd", index=False))
    elif path.suffix == ".tsv":
        write_text(path, tsv(out))
    else:
        raise ValueError(f"table {name}: write .parquet or .tsv, not {path.suffix}")


def read_table(name: str, path: Path) -> pd.DataFrame:
    """Read a table written by :func:`write_table` and check it against its schema."""
    path = Path(path)
    if path.suffix == ".parquet":
        frame = pd.read_parquet(path)
    else:
        spec = schema(name)
        dtype = {c.name: "string" for c in spec.columns if c.dtype == "str"}
        frame = read_back(pd.read_csv(path, sep="\t", dtype=dtype, keep_default_na=False, na_values=[""]))
        for column in spec.columns:
            if column.dtype == "str" and not column.nullable and column.name in frame:
                frame[column.name] = frame[column.name].fillna("")
    return conform(name, frame)


def records(frame: pd.DataFrame) -> Iterator[Any]:
    """Rows as named tuples (typed Any: columns are known by schema, not by the type checker)."""
    return cast(Iterator[Any], frame.itertuples())


def read_tables(name: str, paths: list[Path]) -> pd.DataFrame:
    """Concatenate several files of one table (buckets) in the order given."""
    if not paths:
        spec = schema(name)
        return conform(name, pd.DataFrame({c: [] for c in spec.names}))
    return conform(name, pd.concat([read_table(name, p) for p in paths], ignore_index=True))
