"""Rows of a table as plain objects with one attribute a column."""

from __future__ import annotations

from typing import Any

import pandas as pd


def records(frame: pd.DataFrame) -> list[Any]:
    """Rows in order; ``row.column`` gives a value. The type is open: schemas, not types, say what a column holds."""
    return list(frame.itertuples(index=False))
