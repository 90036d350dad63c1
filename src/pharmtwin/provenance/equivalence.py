"""Equivalence of the exposures of two runs or releases: two one-sided tests on the ratios of AUC and Cmax."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pharmtwin.bioequivalence.ratios import paired_tost
from pharmtwin.tables import read_tables, records

METRICS = ("AUCtau", "Cmax")
KEY = ["twin_id", "scenario", "model", "metric"]
#: limits of average bioequivalence (FDA 2001, EMA 2010), as in resources/bioequivalence.tsv
LIMITS = (0.8, 1.25)


def exposures(folder: Path) -> pd.DataFrame:
    """Median AUC and Cmax of every twin, scenario and model of a run (columns of table exposure)."""
    found = read_tables("exposure", sorted(folder.glob("pbpk/*/exposure.parquet")))
    return found[found["metric"].isin(METRICS)]


def paired(reference: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Twins, scenarios, models and metrics of two runs beside each other, a row a value; by :data:`KEY`.

    Columns of both with ``_r`` (reference) and ``_t`` (test), empty where a run has no such row; ``ratio`` test over
    reference and ``percent`` its difference from 1 in %, empty unless both medians are above 0.
    """
    pairs = reference.merge(test, on=KEY, how="outer", suffixes=("_r", "_t")).sort_values(KEY, kind="stable")
    both = (pairs["median_r"] > 0) & (pairs["median_t"] > 0)
    ratio = (pairs["median_t"] / pairs["median_r"]).where(both)
    return pairs.assign(ratio=ratio, percent=100 * (ratio - 1)).reset_index(drop=True)


def exposure_tost(reference: Path, test: Path, limits: tuple[float, float] = LIMITS) -> pd.DataFrame:
    """:func:`tost_table` of two folders of results."""
    return tost_table(exposures(reference), exposures(test), limits)


def tost_table(reference: pd.DataFrame, test: pd.DataFrame, limits: tuple[float, float] = LIMITS) -> pd.DataFrame:
    """TOST on pairs: the same twin, scenario and model in both runs, a row a scenario, model and metric.

    Parameters
    ----------
    reference, test : rows of table exposure, AUC and Cmax; the ratio is test over reference.
    limits : lower and upper limit of the geometric mean ratio.

    Returns
    -------
    Columns scenario, model, metric, n, ratio, lo90, hi90, p_low, p_high, largest (ratio furthest from 1), equivalent,
    only_reference, only_test (rows with a value in one run only), reason (why no test was possible).
    """
    rows = []
    for (scenario, model, metric), group in paired(reference, test).groupby(["scenario", "model", "metric"], sort=True):
        r, t = group["median_r"], group["median_t"]
        both = group["ratio"].notna()
        row = {
            "scenario": scenario, "model": model, "metric": metric, "n": int(both.sum()),
            "only_reference": int((r.notna() & t.isna()).sum()), "only_test": int((t.notna() & r.isna()).sum()),
        }  # fmt: skip
        if both.sum() < 2:
            rows.append(row | {"equivalent": False, "reason": f"{both.sum()} pairs above 0: a test needs two"})
            continue
        found = paired_tost(t[both], r[both], limits)
        ratios = group["ratio"][both].to_numpy(dtype=float)
        far = float(ratios[np.abs(np.log(ratios)).argmax()])
        rows.append(row | {
            "ratio": found.ratio, "lo90": found.low, "hi90": found.high, "p_low": found.p_low, "p_high": found.p_high,
            "largest": far, "equivalent": found.equivalent, "reason": "",
        })  # fmt: skip
    columns = ["scenario", "model", "metric", "n", "ratio", "lo90", "hi90", "p_low", "p_high", "largest",
               "equivalent", "only_reference", "only_test", "reason"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def tost_lines(table: pd.DataFrame, limits: tuple[float, float] = LIMITS) -> list[str]:
    """The table for people, with the verdict in the last line."""
    if table.empty:
        return ["TOST: neither run has an exposure"]
    lines = [f"TOST on the ratios of AUCtau and Cmax (second run over first), limits {limits[0]:g} to {limits[1]:g}:"]
    for row in records(table):
        where = f"  {row.scenario}, {row.model}, {row.metric}: n {row.n}"
        alone = f"; only in the first {row.only_reference}, only in the second {row.only_test}"
        lost = alone if row.only_reference or row.only_test else ""
        if row.reason:
            lines.append(f"{where}, not tested: {row.reason}{lost}")
            continue
        said = "equivalent" if row.equivalent else "NOT shown to be equivalent"
        lines.append(
            f"{where}, ratio {row.ratio:.6f} (90 % interval {row.lo90:.6f} to {row.hi90:.6f}), furthest twin "
            f"{row.largest:.6f}, p {max(row.p_low, row.p_high):.2g}: {said}{lost}"
        )
    tested = table["reason"] == ""
    good, single = int(table["equivalent"].sum()), int(table[["only_reference", "only_test"]].to_numpy().sum())
    lines.append(
        f"TOST: {good} of {tested.sum()} comparisons equivalent, {(~tested).sum()} not tested; "
        f"values in one run only: {single}"
    )
    return lines
