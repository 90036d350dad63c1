"""``pharmtwin nca DATA``: all parameters of every profile as a long table, with a reason for each that is missing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from pharmtwin.files import write_text
from pharmtwin.findings import has_errors
from pharmtwin.nca.analysis import analyse_all, wide
from pharmtwin.nca.profile import ROUTES, Interval, Units
from pharmtwin.nca.read import COLUMNS, Stated, read_profiles
from pharmtwin.nca.registry import REGISTRY
from pharmtwin.nca.settings import METHODS, PRESETS, Settings
from pharmtwin.tables.spreadsheet import tsv

UNITS = ("time", "concentration", "dose")


def main(argv: Sequence[str]) -> int:
    """Print or write the table; 1 if the data or what was asked cannot be used."""
    arguments = _parser().parse_args(argv)
    if arguments.list:
        print(_list())
        return 0
    if not arguments.data:
        print("nca: give a table of concentrations, or --list", file=sys.stderr)
        return 1
    try:
        settings, intervals, stated, columns = _asked(arguments)
    except ValueError as error:
        print(f"nca: {error.args[0]}", file=sys.stderr)
        return 1
    unknown = [name for name in arguments.parameter if name not in REGISTRY]
    if unknown:
        print(f"nca: unknown parameters {', '.join(unknown)}; --list shows all", file=sys.stderr)
        return 1
    given = read_profiles(arguments.data, arguments.doses, stated, columns)
    for finding in given.findings:
        print(f"{finding.severity}: {finding.message()}", file=sys.stderr)
    if has_errors(given.findings):
        return 1
    if not given.profiles:
        print(f"nca: {arguments.data} holds no samples", file=sys.stderr)
        return 1
    table = analyse_all(given.profiles, given.names, settings, intervals, arguments.parameter, arguments.above)
    out = wide(table, given.names, arguments.wide) if arguments.wide else table
    text = tsv(out)
    if not arguments.out:
        print(text, end="")
        return 0
    write_text(Path(arguments.out), text)
    print(_told(table, given.names, arguments.out))
    return 0


def _asked(arguments: argparse.Namespace) -> tuple[Settings, list[Interval], Stated, dict[str, str]]:
    """What the options say; raises ValueError naming the option."""
    changed = {k: v for k in ("method", "start") if (v := getattr(arguments, k))}
    for text in arguments.blq:
        where, _, rule = text.partition("=")
        if where not in ("first", "middle", "last") or not rule:
            raise ValueError(f"--blq {text}: write first=, middle= or last= with keep, drop or a number")
        try:
            changed[f"blq_{where}"] = rule if rule in ("keep", "drop") else float(rule)
        except ValueError:
            raise ValueError(f"--blq {text}: write keep, drop or a number") from None
    settings = replace(PRESETS[arguments.rules], **changed)
    units = _pairs("--units", arguments.units, UNITS)
    columns = _pairs("--column", arguments.column, tuple(COLUMNS))
    stated = Stated(arguments.dose, arguments.dose_time, arguments.route or "", arguments.duration, arguments.lloq,
                    Units(**units), tuple(arguments.by) if arguments.by is not None else None)  # fmt: skip
    return settings, [_interval(text) for text in arguments.interval], stated, columns


def _pairs(option: str, texts: Sequence[str], known: tuple[str, ...]) -> dict[str, str]:
    out = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in known or not value:
            raise ValueError(f"{option} {text}: write NAME=VALUE with a name of {', '.join(known)}")
        out[name] = value
    return out


def _interval(text: str) -> Interval:
    """``0-24``, ``0-inf``; a dosing interval is written ``96-120:tau``."""
    span, _, mark = text.partition(":")
    start, _, end = span.partition("-") if not span.startswith("-") else ("-" + span[1:].partition("-")[0], "",
                                                                          span[1:].partition("-")[2])  # fmt: skip
    try:
        if mark not in ("", "tau"):
            raise ValueError
        return Interval(float(start), float(end), tau=mark == "tau")
    except ValueError:
        raise ValueError(
            f"--interval {text}: write START-END, e.g. 0-24, 0-inf, or 96-120:tau for a dosing interval"
        ) from None


def _told(table: pd.DataFrame, names: Sequence[str], path: str) -> str:
    """What was written: profiles, values, and what most often lacks."""
    n = len(table[[*names, "interval"]].drop_duplicates())
    given, lacking = int(table.value.notna().sum()), int(table.value.isna().sum())
    lines = [f"{n} profile intervals, {given} values, {lacking} missing, each with its reason: {path}"]
    for reason, count in table.loc[table.value.isna(), "reason"].value_counts().head(5).items():
        lines.append(f"  {count} x {reason}")
    if flagged := int((table["flags"] != "").sum()):
        lines.append(f"  {flagged} values carry a flag (column flags)")
    return "\n".join(lines)


def _list() -> str:
    """The registry as a table."""
    names = ["parameter", "unit", "needs", "cdisc", "winnonlin", "meaning"]
    rows = [(p.name, p.unit, " ".join(p.needs), p.cdisc, p.winnonlin, p.meaning) for p in REGISTRY.values()]
    return tsv(pd.DataFrame(rows, columns=names)).rstrip("\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pharmtwin nca", description="Non-compartmental analysis by PKNCA's rules.")
    add = parser.add_argument
    add(
        "data",
        nargs="?",
        default="",
        help="NM-TRAN rows (ID TIME AMT EVID DV ...) or columns subject, time, conc, dose",
    )
    add("--doses", default="", metavar="FILE", help="doses in a table of their own (subject, time, dose ...)")
    add("--dose", type=float, default=float("nan"), metavar="X", help="amount of every dose, in place of the table's")
    add("--dose-time", type=float, default=0.0, metavar="T", help="of profiles without dose rows (default 0)")
    add("--route", choices=ROUTES, help="in place of the table's")
    add("--duration", type=float, default=float("nan"), metavar="T", help="of infusions without one in the table")
    add(
        "--lloq",
        type=float,
        default=float("nan"),
        metavar="X",
        help="values below are BLQ (default: the table's column)",
    )
    add("--rules", default="pknca", choices=list(PRESETS), help="whose rules (default pknca)")
    add("--method", choices=METHODS, help="trapezoids (default lin-up/log-down)")
    add("--blq", nargs="+", default=[], metavar="WHERE=RULE", help="first=, middle=, last= with keep, drop or a number")
    add("--start", choices=["impute", "none"], help="concentration at a start without a sample (default impute)")
    add("--interval", nargs="+", default=[], metavar="A-B", help="e.g. 0-24 0-inf 96-120:tau (default: from the doses)")
    add("--parameter", nargs="+", default=[], metavar="NAME", help="only these (--list shows all)")
    add("--above", type=float, default=float("nan"), metavar="X", help="adds the time above this concentration")
    add(
        "--by", nargs="*", metavar="COLUMN", help="columns that part profiles (default: period, treatment, analyte ...)"
    )
    add("--units", nargs="+", default=[], metavar="WHAT=UNIT", help="time=, concentration=, dose=")
    add("--column", nargs="+", default=[], metavar="ROLE=NAME", help="columns with unusual names, e.g. conc=CPLASMA")
    add("--wide", nargs="?", const="name", choices=["name", "cdisc", "winnonlin"], help="one row a profile, named so")
    add("--out", metavar="FILE", help="write here instead of to the screen")
    add("--list", action="store_true", help="all parameters with unit, needs and meaning")
    return parser
