"""Curves of ageing from ``resources/physiology/ageing.tsv``: a factor exp(-rate (age - 35)), 1 up to 35 years.

35 is the age the reference adult stands for, so young adults are unchanged. Every curve has named options; the first in
the sheet is the default. Cardiac output has its own line (:func:`pharmtwin.body.equations.cardiac_output_age_factor`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pharmtwin.body.equations import Bools, Floats
from pharmtwin.facts import fact_table

AGEING = "physiology/ageing.tsv"


def ageing_options() -> dict[str, tuple[str, ...]]:
    """Names of the options of each curve, the default first."""
    table = fact_table(AGEING)
    return {str(curve): tuple(rows["option"].astype(str)) for curve, rows in table.groupby("curve", sort=False)}


def ageing_factor(curve: str, age_y: Floats, female: Bools, options: Mapping[str, str] | None = None) -> Floats:
    """Factor (1) of one curve at these ages; ``options`` names another option than the default, by curve.

    Raises ValueError for a curve or option that the sheet does not have.
    """
    known = ageing_options()
    unknown = set(options or {}) - set(known)
    if curve not in known or unknown:
        raise ValueError(f"{AGEING} has no curve {sorted(unknown) or curve}; it has {', '.join(known)}")
    option = (options or {}).get(curve, known[curve][0])
    if option not in known[curve]:
        raise ValueError(f"{AGEING}: {curve} has no option {option!r}; it has {', '.join(known[curve])}")
    table = fact_table(AGEING)
    row = table[(table["curve"] == curve) & (table["option"] == option)].iloc[0]
    rate = np.where(female, float(row["rate_F"]), float(row["rate_M"]))
    return np.exp(-rate * np.maximum(np.asarray(age_y, dtype=float) - float(row["from_age"]), 0.0))
