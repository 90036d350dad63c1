"""Small helpers of the body stage to read the twins sheet and to write its long table."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.body.equations import Floats


def numbers(twins: pd.DataFrame, column: str) -> Floats:
    """A column as floats; what is no number is NaN (the findings name it)."""
    return pd.to_numeric(twins[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def long(twin_id: NDArray[np.object_], columns: dict[str, tuple[Floats, str]]) -> pd.DataFrame:
    """Table ``body`` (twin_id, quantity, value, unit), twin by twin, from {quantity: (values, unit)}."""
    n, k = len(twin_id), len(columns)
    return pd.DataFrame(
        {
            "twin_id": pd.Series(np.repeat(twin_id, k), dtype="string"),
            "quantity": pd.Series(np.tile(np.array(list(columns), dtype=object), n), dtype="string"),
            "value": np.column_stack([value for value, _ in columns.values()]).ravel(),
            "unit": pd.Series(
                np.tile(np.array([unit for _, unit in columns.values()], dtype=object), n), dtype="string"
            ),
        }
    )


def wide(body: pd.DataFrame) -> pd.DataFrame:
    """One row a twin (index twin_id), one column a quantity, both in the order of first appearance."""
    table = body.pivot(index="twin_id", columns="quantity", values="value")
    return table.loc[body["twin_id"].unique(), body["quantity"].unique()].rename_axis(columns=None)
