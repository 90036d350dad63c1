"""Do the twins' intervals hold the truth as often as they say, and are their means those of NUTS?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.inference.calibration.cases import Case
from pharmtwin.inference.calibration.settings import settings
from pharmtwin.inference.calibration.synthetic import fitted, synthetic
from pharmtwin.inference.twin.ladder import LadderOptions
from pharmtwin.inference.twin.settings import ladder_options

#: NUTS where it is the reference: patient, with short steps
REFERENCE: dict[str, Any] = {"nuts_seconds": 900.0, "nuts_tune": 500, "nuts_draws": 750, "nuts_accept": 0.98}


def coverage(
    case: Case,
    n: int,
    master: int = 1,
    tell: Callable[[str], None] | None = None,
    options: LadderOptions | None = None,
) -> pd.DataFrame:
    """One row for each of n synthetic twins, none left out.

    person, n_samples, truth, low, high (logarithm of the case's quantity; interval of the level asked), inside,
    seconds (of processor time, on one thread), clock (seconds on the clock, other work of the machine included),
    method, rounds (of importance sampling), k, ess, trusted, findings (rules).
    """
    tail = 0.5 * (1.0 - settings("asked")["level"])
    rows = []
    for i in range(n):
        made = synthetic(case, master, f"twin{i}")
        twin, seconds, clock = fitted(made, master, options)
        p = twin.posterior
        low, high = np.quantile(case.value(made.person, p.v, p.case), [tail, 1.0 - tail])
        rows.append(
            {
                "person": f"twin{i}", "n_samples": len(made.person.subject.obs_row), "truth": made.value, "low": low,
                "high": high, "inside": bool(low <= made.value <= high),
                "seconds": seconds, "clock": clock, "method": p.method,
                "rounds": sum(r.startswith("importance") for r in p.rungs), "k": p.k, "ess": p.ess,
                "trusted": p.trusted, "findings": " ".join(sorted({f.rule for f in twin.findings})),
            }
        )  # fmt: skip
        if tell and (i + 1) % 100 == 0:
            tell(f"{case.name}: {i + 1} of {n}")
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame) -> dict[str, float]:
    """n, share inside and its standard error, seconds, numbers by method, untrusted, mean width of the interval.

    Seconds: median, 95th percentile and most of all twins but the first, which may compile and stands for itself.
    """
    share, seconds = float(table["inside"].mean()), table["seconds"].iloc[1:]
    return {
        "n": len(table), "inside": share, "standard_error": float(np.sqrt(share * (1 - share) / len(table))),
        "median_seconds": float(seconds.median()), "p95_seconds": float(seconds.quantile(0.95)),
        "most_seconds": float(seconds.max()), "first_seconds": float(table["seconds"].iloc[0]),
        "median_clock": float(table["clock"].iloc[1:].median()),
        "nuts": int((table["method"] == "NUTS").sum()), "several_rounds": int((table["rounds"] > 1).sum()),
        "untrusted": int((~table["trusted"]).sum()), "width": float((table["high"] - table["low"]).mean()),
    }  # fmt: skip


def coverage_passes(found: dict[str, float]) -> bool:
    """Coverage and time are as asked, and every twin is trusted."""
    asked = settings("asked")
    inside = asked["coverage_low"] <= found["inside"] <= asked["coverage_high"]
    return inside and found["median_seconds"] < asked["median_seconds"] and found["untrusted"] == 0


def agreement(case: Case, n: int, master: int = 1, tell: Callable[[str], None] | None = None) -> pd.DataFrame:
    """Means of the first n twins by importance sampling and by NUTS: one row an effect of each.

    person, effect, mean, nuts_mean, difference (in combined Monte-Carlo errors), sd_ratio (ours over NUTS's), good
    (NUTS passes its limits; other rows are no reference), rung (what NUTS says of itself).
    """
    forced = replace(ladder_options(), least_ess=np.inf, rounds=1, **REFERENCE)
    rows = []
    for i in range(n):
        made = synthetic(case, master, f"twin{i}")
        own = fitted(made, master)[0].posterior
        nuts = fitted(made, master, forced)[0].posterior
        error = np.hypot(own.mcse, nuts.mcse)
        for k, name in enumerate(own.names):
            rows.append(
                {
                    "person": f"twin{i}", "effect": name, "mean": own.mean[k], "nuts_mean": nuts.mean[k],
                    "difference": (own.mean[k] - nuts.mean[k]) / error[k], "sd_ratio": own.sd[k] / nuts.sd[k],
                    "good": nuts.method == "NUTS" and nuts.trusted, "rung": nuts.rungs[-1],
                }
            )  # fmt: skip
        if tell:
            tell(f"{case.name}: NUTS of {i + 1} of {n}: {nuts.rungs[-1]}")
    return pd.DataFrame(rows)


def agreement_passes(table: pd.DataFrame) -> bool:
    """Every mean is as near as asked, and NUTS is good in every row."""
    return bool((table["difference"].abs() <= settings("asked")["mcse"]).all() and table["good"].all())
