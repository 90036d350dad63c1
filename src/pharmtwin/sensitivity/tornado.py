"""One input after the other from low to high, in the units of input and output: what a clinician would see change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pharmtwin.engine.run import simulate
from pharmtwin.sensitivity.runs import REPAIR_RTOL, observed
from pharmtwin.sensitivity.study import TYPICAL
from pharmtwin.sensitivity.subject import Subject
from pharmtwin.tables import schema
from pharmtwin.uncertainty.inputs import DUMMY

ENDS = (0.05, 0.95)


def tornado(subject: Subject, survivors: Sequence[str]) -> pd.DataFrame:
    """Table ``tornado``: outputs with one surviving input at its 5 % and 95 % quantile, all others at their median.

    Members of a group are moved one by one. A run that fails has no value (NaN).
    """
    moved = [k for k, i in enumerate(subject.inputs) if (i.group or i.name) in survivors and i.name != DUMMY]
    points = np.full((1 + 2 * len(moved), len(subject.inputs)), TYPICAL)
    for row, k in enumerate(moved):
        points[1 + 2 * row, k], points[2 + 2 * row, k] = ENDS
    batch = subject.batch(points)
    values = observed(subject, simulate(subject.model, batch, engine="cvode", rtol=REPAIR_RTOL))
    rows = []
    for o, output in enumerate(subject.outputs):
        seen = np.exp(values[:, o]) if output.log else values[:, o]
        for row, k in enumerate(moved):
            item = subject.inputs[k]
            low, high = (item.value(float(item.law.quantile(np.array(p)))) for p in ENDS)
            absolute = item.typical is not None or item.law.family not in ("lognormal",) or item.kind == "model"
            rows.append(
                {
                    "output": output.name, "unit": output.unit, "input": item.name,
                    "input_unit": item.unit if absolute else "x typical", "low": low, "high": high, "base": seen[0],
                    "at_low": seen[1 + 2 * row], "at_high": seen[2 + 2 * row],
                }
            )  # fmt: skip
    return pd.DataFrame(rows, columns=schema("tornado").names)
