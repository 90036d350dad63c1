"""Tables of the analysis, from the shards of all steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pharmtwin.sensitivity.advice import advice
from pharmtwin.sensitivity.indices import indices
from pharmtwin.sensitivity.outputs import Output
from pharmtwin.sensitivity.runs import Solved
from pharmtwin.sensitivity.shards import Joined, join
from pharmtwin.sensitivity.study import Estimate, Reduced, Settings, estimates, survivors_of
from pharmtwin.sensitivity.subject import Subject
from pharmtwin.sensitivity.tornado import tornado
from pharmtwin.tables import conform, schema
from pharmtwin.uncertainty.inputs import DUMMY

COURSE_RESAMPLES = 300
TABLES = ("morris", "sobol", "sobol_convergence", "sobol_course", "sobol_second", "tornado", "sensitivity_inputs",
          "sensitivity_advice")  # fmt: skip


def scale(output: Output) -> str:
    """``ln`` where shares are of the variance of the logarithm."""
    return "ln" if output.log else "linear"


def tables(
    subject: Subject, settings: Settings, morris: pd.DataFrame, morris_parts: Sequence[Solved], parts: Sequence[Solved]
) -> dict[str, pd.DataFrame]:
    """All tables of :data:`TABLES`, and ``solver_check``.

    Parameters
    ----------
    morris : table of the screening. morris_parts, parts : all shards of Morris, and of the Sobol levels that were run.
    """
    survivors = survivors_of(morris)
    screened, joined = join(morris_parts), join(parts)
    levels = estimates(subject, settings, survivors, joined)
    found = {
        "morris": morris,
        "sobol": sobol(subject, settings, survivors, joined, levels[-1]),
        "sobol_convergence": convergence(subject, survivors, levels),
        "sobol_course": course(subject, settings, survivors, joined),
        "sobol_second": second_order(subject, survivors, levels[-1]),
        "tornado": tornado(subject, survivors),
        "sensitivity_inputs": inputs_table(subject, survivors),
        "solver_check": pd.concat([t for t in (screened.checks, joined.checks) if len(t)] or [screened.checks],
                                  ignore_index=True),
    }  # fmt: skip
    found["sensitivity_advice"] = advice(subject, found, levels[-1], settings, screened.repaired + joined.repaired)
    return {name: conform(name, table) for name, table in found.items()}


def sobol(
    subject: Subject, settings: Settings, survivors: Sequence[str], joined: Joined, last: Estimate
) -> pd.DataFrame:
    """Table ``sobol``: indices of surviving units and the dummy after the last level."""
    units, rows = Reduced.of(subject, survivors).units, []
    for k, o in enumerate(subject.outputs):
        if o.name not in last.by_output:
            continue
        r, y = last.by_output[o.name], joined.values[:, :, k]
        for j, name in enumerate(units.names):
            rows.append(
                {
                    "output": o.name, "scale": scale(o), "input": name, "n_inputs": len(units.columns[j]),
                    **_row(r.first, "S1", j), **_row(r.total, "ST", j), "n_base": last.n,
                    "n_runs": joined.values.shape[0] * joined.values.shape[1], "n_repaired": joined.repaired,
                    "n_failed": int((~np.isfinite(y)).sum()), "n_left_out": r.n_lost,
                    "narrow_enough": r.half_width <= settings.target,
                }
            )  # fmt: skip
    return pd.DataFrame(rows, columns=schema("sobol").names)


def _row(values: np.ndarray, name: str, j: int) -> dict[str, float]:
    return {name: values[0, j], f"{name}_lo": values[1, j], f"{name}_hi": values[2, j]}


def convergence(subject: Subject, survivors: Sequence[str], levels: Sequence[Estimate]) -> pd.DataFrame:
    """Table ``sobol_convergence``: the same after every doubling."""
    names, rows = Reduced.of(subject, survivors).units.names, []
    for level in levels:
        for output, r in level.by_output.items():
            for j, name in enumerate(names):
                rows.append({"output": output, "input": name, "n_base": level.n, **_row(r.first, "S1", j),
                             **_row(r.total, "ST", j)})  # fmt: skip
    return pd.DataFrame(rows, columns=schema("sobol_convergence").names)


def course(subject: Subject, settings: Settings, survivors: Sequence[str], joined: Joined) -> pd.DataFrame:
    """Table ``sobol_course``: indices of ln C(t) over the observed interval.

    A time at which the concentration is zero, or does not vary, has no rows (the start of a first dose).
    """
    names, rows = Reduced.of(subject, survivors).units.names, []
    first = len(subject.outputs)
    for k, t in enumerate(subject.window.course()):
        y = joined.values[:, :, first + k]
        good = y[np.isfinite(y).all(axis=1)]
        if len(good) < max(2, len(y) // 2) or np.ptp(good) <= 1e-12 * max(np.abs(good).max(), 1e-300):
            continue
        r = indices(y, len(names), second=False, master=settings.solver.seed, resamples=COURSE_RESAMPLES)
        for j, name in enumerate(names):
            rows.append({"time_h": float(t - subject.window.start), "input": name, **_row(r.first, "S1", j),
                         **_row(r.total, "ST", j), "n_left_out": r.n_lost})  # fmt: skip
    return pd.DataFrame(rows, columns=schema("sobol_course").names)


def second_order(subject: Subject, survivors: Sequence[str], last: Estimate) -> pd.DataFrame:
    """Table ``sobol_second``; no rows unless second-order indices were asked for."""
    names, rows = Reduced.of(subject, survivors).units.names, []
    for output, r in last.by_output.items():
        if r.pairs is None:
            continue
        for i in range(len(names)):
            for j in range(i + 1, len(names)):
                rows.append({"output": output, "input_a": names[i], "input_b": names[j], "S2": r.pairs[0, i, j],
                             "S2_lo": r.pairs[1, i, j], "S2_hi": r.pairs[2, i, j]})  # fmt: skip
    return pd.DataFrame(rows, columns=schema("sobol_second").names)


def inputs_table(subject: Subject, survivors: Sequence[str]) -> pd.DataFrame:
    """Table ``sensitivity_inputs``: every declaration, and what became of it."""
    rows = []
    for i in subject.inputs:
        unit = i.group or i.name
        fate = DUMMY if i.name == DUMMY else "analysed" if unit in survivors else "screened out"
        rows.append(
            {
                "input": i.name, "varied_as": unit, "kind": i.kind, "distribution": i.law.text(),
                "typical": np.nan if i.typical is None else i.typical, "unit": i.unit, "acts_on": i.acts_on,
                "meaning": i.meaning or i.acts_on, "source": i.source, "fate": fate,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)
