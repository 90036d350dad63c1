"""Bodies of one twin that are all possible by what is known of it: draws where covariates or maturation are uncertain.

A twin with every covariate known and an adult's enzymes has one body: the spread between people of equal covariates is
the random effects' of the population fit, and none may enter twice. What widens the others: an imputed height or
weight; the spread between children of one age; the uncertainty of what a condition does to enzymes, where a source
gives one. The published residual variability of organs, flows and enzymes (body/variability.py) is for virtual
populations, which have no fitted random effects.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pharmtwin.body.checks import IMPUTED, completed, with_pregnancy
from pharmtwin.body.content.enzymes import enzyme_sd
from pharmtwin.body.people.imputation import impute
from pharmtwin.body.people.sheet import long
from pharmtwin.body.physiology import Body, body_of
from pharmtwin.core.seeds import generator

COLUMNS = ("twin_id", "draw", "quantity", "value", "unit")
STREAM = "enzymes"


def body_draws(twins: pd.DataFrame, n: int, master_seed: int) -> pd.DataFrame:
    """Table ``body_draws``: ``n`` bodies of each twin whose body is uncertain; no rows for the others.

    Draws depend on the seed and the twin alone. GFR's own uncertainty is not in it (table ``priors``).
    """
    twins = twins.reset_index(drop=True)
    imputation = impute(twins, IMPUTED)
    widths = _widths(body_of(completed(twins)))
    uncertain = np.zeros(len(twins), dtype=bool)
    uncertain[imputation.table["row"].to_numpy(dtype=int)] = True
    for sd in widths.values():
        uncertain |= sd > 0
    if not uncertain.any():
        return pd.DataFrame({c: [] for c in COLUMNS})
    rows = np.flatnonzero(uncertain)
    names = twins["twin_id"].astype(str).to_numpy()[rows]
    # all draws of all twins as one sheet, draw by draw: one pass through the physiology
    filled = (with_pregnancy(frame, imputation) for frame in imputation.filled_draws(master_seed, n))
    drawn = pd.concat([frame.iloc[rows] for frame in filled], ignore_index=True)
    body = body_of(drawn)
    for quantity, sd in widths.items():
        values, unit = body.columns[quantity]
        scores = np.array([_scores(name, quantity, n, master_seed) for name in names])
        body.columns[quantity] = (values * np.exp((sd[rows, None] * scores).T.ravel()), unit)
    table = long(body.persons.twin_id, body.columns)
    table["draw"] = np.repeat(np.arange(n), len(table) // n)
    return table[list(COLUMNS)]


def _widths(body: Body) -> dict[str, np.ndarray]:
    """Sd of the logarithm of each uncertain factor, (n,)."""
    p = body.persons
    return enzyme_sd(p.age_y, p.gestational_age_wk, body.effects)


def _scores(twin_id: str, quantity: str, n: int, master_seed: int) -> np.ndarray:
    """Standard normal (n,); a stream for each quantity, so that one more changes none of the others."""
    return generator(master_seed, STREAM, f"{twin_id}/{quantity}").standard_normal(n)
