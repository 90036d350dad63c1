"""Regimens from event rows, with NONMEM's ADDL and II."""

from __future__ import annotations

import pandas as pd

from pharmtwin.engine.run import Dose
from pharmtwin.tables import records


def regimen(events: pd.DataFrame) -> tuple[Dose, ...]:
    """Doses of one twin (rows of the canonical events sheet with evid 1), sorted by time."""
    doses = []
    for e in records(events[events.evid == 1]):
        n = 0 if pd.isna(e.addl) else int(e.addl)
        for k in range(n + 1):
            doses.append(Dose(float(e.time_h) + (k * float(e.ii_h) if k else 0.0), float(e.dose_mg), str(e.route)))
    return tuple(sorted(doses, key=lambda d: d.time))
