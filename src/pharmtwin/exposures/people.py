"""The twins of a batch as arrays: bodies, how well GFR is known, ancestry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.body.physiology import wide

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class People:
    """n twins. body : quantity -> (n,). gfr_sd : sd of the logarithm of GFR, (n,). ancestry : panel by twin.

    uncertain : rows whose covariates leave the body uncertain, and ``drawn`` : quantity -> (rows, draws) of theirs.
    """

    twin_ids: tuple[str, ...]
    body: Mapping[str, Floats]
    gfr_sd: Floats
    ancestry: Mapping[str, str]
    uncertain: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    drawn: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Number of twins."""
        return len(self.twin_ids)

    def bodies_of(self, row: int) -> dict[str, Floats]:
        """Possible bodies of one twin, quantity -> (1,), or (draws,) where the covariates leave it uncertain."""
        out = {q: v[row : row + 1] for q, v in self.body.items()}
        at = np.flatnonzero(self.uncertain == row)
        return out | {q: v[at[0]] for q, v in self.drawn.items()} if len(at) else out

    def bodies(self, draw: int) -> dict[str, Floats]:
        """Bodies (n,) of one draw: those of :attr:`uncertain` differ from draw to draw."""
        out = dict(self.body)
        for quantity, values in self.drawn.items():
            mine = out[quantity].copy()
            mine[self.uncertain] = values[:, draw % values.shape[1]]
            out[quantity] = mine
        return out


def people_of(
    body: pd.DataFrame, body_draws: pd.DataFrame, priors: pd.DataFrame, ancestry: Mapping[str, str]
) -> People:
    """From the tables of the same names; raises KeyError for a twin without a prior on its GFR."""
    table = wide(body)
    ids = tuple(str(t) for t in table.index)
    gfr = priors[priors["parameter"] == "GFR"]
    scale = dict(zip(gfr["twin_id"].astype(str), gfr["scale"].astype(float)))
    arrays = {str(q): table[q].to_numpy(dtype=float).copy() for q in table.columns}
    rows, drawn = _drawn(body_draws, ids)
    sds = np.array([scale[t] for t in ids])
    return People(ids, arrays, sds, {t: ancestry.get(t, "ALL") for t in ids}, rows, drawn)


def _drawn(table: pd.DataFrame, ids: Sequence[str]) -> tuple[NDArray[np.int64], dict[str, Floats]]:
    """Rows of the twins in table ``body_draws`` and their values, quantity -> (rows, draws)."""
    if table.empty:
        return np.zeros(0, dtype=np.int64), {}
    at = {t: i for i, t in enumerate(ids)}
    arranged = table.pivot(index="twin_id", columns=["quantity", "draw"], values="value")
    rows = np.array([at[str(t)] for t in arranged.index], dtype=np.int64)
    quantities = dict.fromkeys(str(q) for q in arranged.columns.get_level_values("quantity"))
    return rows, {q: arranged[q].sort_index(axis=1).to_numpy(dtype=float) for q in quantities}
