"""Profiles to a long table: subject, interval, parameter, value, unit, reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from pharmtwin.nca import parameters, parameters_derived  # noqa: F401  (they fill the registry)
from pharmtwin.nca.curve import MEASURED, curve_of
from pharmtwin.nca.profile import Interval, Profile, intervals_of
from pharmtwin.nca.registry import REGISTRY, TAU, Values, kind_of
from pharmtwin.nca.settings import Settings
from pharmtwin.nca.units import unit_of

LAMBDA_Z = "lambda_z"
TERMINAL_NAMES = tuple(row[0] for row in parameters.TERMINAL)
COLUMNS = ("interval", "start", "end", "parameter", "value", "unit", "reason", "flags")


def analyse(
    profile: Profile, settings: Settings | None = None, intervals: Sequence[Interval] = (),
    wanted: Sequence[str] = (), threshold: float = float("nan"),
) -> pd.DataFrame:  # fmt: skip
    """All parameters of one profile, a row each; ``intervals`` default to ``intervals_of``, ``wanted`` to all of the
    kind of interval. A value that cannot be given is nan with its reason. Raises KeyError for an unknown parameter.
    """
    unknown = [name for name in wanted if name not in REGISTRY]
    if unknown:
        raise KeyError(f"unknown parameters {', '.join(unknown)}; known: {', '.join(REGISTRY)}")
    settings = settings or Settings()
    chosen = tuple(intervals) or intervals_of(profile)
    first_dose = min((d.time for d in profile.doses), default=float("nan"))
    first: Values | None = None
    rows: list[dict[str, object]] = []
    for interval in chosen:
        curve = curve_of(profile, interval, settings)
        values = Values(curve, threshold, first)
        kind = kind_of(curve.length, interval.tau)
        begins = interval.tau and interval.start == first_dose and not any(d.steady for d in profile.doses)
        if first is None and begins and kind == TAU:
            first = values
        names = list(wanted) or [n for n, p in REGISTRY.items() if kind in p.where]
        if not wanted and np.isfinite(threshold):
            names.append("time_above")
        flags = _flags(values, settings)
        for name in names:
            value, reason = values.get(name)
            unit, factor = unit_of(REGISTRY[name].unit, profile.units)
            told = "" if reason else _told(values, name, flags)
            found = (name, value * factor, unit, reason, told)
            rows.append(dict(zip(COLUMNS, (interval.name, interval.start, interval.end, *found), strict=True)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _told(values: Values, name: str, flags: list[tuple[str, str]]) -> str:
    """Flags of one value: where the start comes from, or what it rests on."""
    if name in ("cstart", "c0"):
        return values.curve.origin if values.curve.origin != MEASURED else ""
    touched = [words for cause, words in flags if values.rests_on(name, cause)]
    if name in TERMINAL_NAMES:
        touched += [words for cause, words in flags if cause == LAMBDA_Z and words not in touched]
    return "; ".join(touched)


def _flags(values: Values, settings: Settings) -> list[tuple[str, str]]:
    """What a reviewer should know: (parameter that it rests on, words)."""
    out = []
    span, r2 = values.get("span_ratio")[0], values.get("r_squared")[0]
    if span < settings.min_span:
        out.append((LAMBDA_Z, f"lambda_z spans {span:.2f} half-lives (below {settings.min_span:g})"))
    if r2 < settings.min_r2:
        out.append((LAMBDA_Z, f"R2 of lambda_z is {r2:.3f} (below {settings.min_r2:g})"))
    for by in ("obs", "pred"):
        if values.curve.after_others and values.get("cstart")[0] > 0:
            out.append((f"auc_inf_{by}", "holds what earlier doses left"))
        share = values.get(f"auc_pext_{by}")[0]
        if share > settings.max_extrapolated:
            words = f"{share:.1f} % of the area is extrapolated (above {settings.max_extrapolated:g})"
            out.append((f"auc_inf_{by}", words))
    return out


def analyse_all(
    profiles: Iterable[Profile], names: Sequence[str], settings: Settings | None = None,
    intervals: Sequence[Interval] = (), wanted: Sequence[str] = (), threshold: float = float("nan"),
) -> pd.DataFrame:  # fmt: skip
    """Tables of many profiles under one another; ``names`` of the columns that hold the profiles' keys."""
    tables = []
    for profile in profiles:
        table = analyse(profile, settings, intervals, wanted, threshold)
        for k, name in enumerate(names):
            table.insert(k, name, profile.key[k])
        tables.append(table)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=[*names, *COLUMNS])


def wide(table: pd.DataFrame, names: Sequence[str], naming: str = "name") -> pd.DataFrame:
    """One row a profile and interval, a column a parameter; ``naming``: name, cdisc or winnonlin."""
    keys = [*names, "interval"]
    if naming != "name":
        called = {n: getattr(p, naming) for n, p in REGISTRY.items()}
        table = table.assign(parameter=table["parameter"].map(called))
        table = table[table["parameter"] != ""]
    order = list(dict.fromkeys(table["parameter"]))
    rows = table.pivot_table(index=keys, columns="parameter", values="value", sort=False, dropna=False, aggfunc="first")
    return rows.reindex(columns=order).dropna(how="all").reset_index().rename_axis(columns=None)
