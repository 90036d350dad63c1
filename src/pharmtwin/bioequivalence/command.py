"""``pharmtwin be DATA``: bioequivalence of a test and a reference, by every framework that the design allows."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pharmtwin.bioequivalence.assess import assess
from pharmtwin.bioequivalence.ratios import individual_ratios, share_inside
from pharmtwin.bioequivalence.read import read_studies
from pharmtwin.bioequivalence.scaled import frameworks
from pharmtwin.bioequivalence.study import Study
from pharmtwin.files import write_text
from pharmtwin.findings import has_errors, write_findings
from pharmtwin.tables.spreadsheet import tsv


def main(argv: Sequence[str]) -> int:
    """Print the assessment, write the tables if asked; 1 if the data cannot be used."""
    arguments = _parser().parse_args(argv)
    if not 0 < arguments.level < 100:
        print(f"be: --level is a percentage between 0 and 100, not {arguments.level:g}", file=sys.stderr)
        return 1
    pairs = [(text, *text.partition("=")[::2]) for text in arguments.column]
    wrong = [text for text, role, column in pairs if not (role in ROLES and column)]
    if wrong:
        print(f"be: --column {wrong[0]}: write ROLE=NAME with a role of {', '.join(ROLES)}", file=sys.stderr)
        return 1
    columns = {role: column for _, role, column in pairs}
    given = read_studies(arguments.data, arguments.endpoint, arguments.reference, columns, arguments.log)
    for finding in given.findings:
        print(f"{finding.severity}: {finding.message()}", file=sys.stderr)
    if has_errors(given.findings) or not given.studies:
        return 1
    tables, ratios, lines = [], [], []
    for study in given.studies:
        table, design = assess(study, arguments.frameworks, arguments.df, (1 - arguments.level / 100) / 2)
        each = individual_ratios(study)
        tables.append(table)
        ratios.append(each.assign(test=study.test, reference=study.reference))
        lines += [*_lines(study, table, design.words, each, arguments.level), ""]
    print("\n".join(lines))
    if arguments.out:
        folder = Path(arguments.out)
        _write(folder / "be.tsv", pd.concat(tables))
        _write(folder / "ratios.tsv", pd.concat(ratios))
        write_findings(given.findings, folder / "findings.tsv")
        write_text(folder / "be.txt", "\n".join(lines))
        print(f"written to {folder}: be.txt, be.tsv, ratios.tsv, findings.tsv")
    return 0


ROLES = ("subject", "period", "sequence", "treatment")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pharmtwin be", description="Bioequivalence of a test and a reference.")
    add = parser.add_argument
    add("data", help="a row a subject and period (subject, period, sequence, treatment, values), or a table of nca")
    add("--endpoint", nargs="+", default=[], metavar="NAME", help="columns of values, or parameters of an nca table")
    add("--reference", default="", metavar="NAME", help="the reference among the treatments (default: R, reference)")
    add("--frameworks", nargs="+", default=[], choices=frameworks(), metavar="NAME",
        help=f"of {', '.join(frameworks())} (default: all)")  # fmt: skip
    add(
        "--df",
        default="containment",
        choices=["containment", "satterthwaite"],
        help="of method B (default containment)",
    )
    add("--level", type=float, default=90.0, metavar="%", help="of the confidence interval (default 90)")
    add("--log", action="store_true", help="the values are logarithms already")
    add("--column", nargs="+", default=[], metavar="ROLE=NAME", help="columns with unusual names, e.g. subject=VOL")
    add("--out", metavar="DIR", help="folder for be.txt, be.tsv, ratios.tsv, findings.tsv")
    return parser


def _lines(study: Study, table: pd.DataFrame, design: str, ratios: pd.DataFrame, level: float) -> list[str]:
    """What a reader wants first: design, variability, a row a framework, individual ratios."""
    first = table.iloc[0]
    lines = [
        f"{study.endpoint}: {study.test} against {study.reference}",
        f"  design: {design}",
        f"  values: {len(study.y)} of {study.n_subjects} subjects ({study.planned_subjects} in the file); "
        f"{study.missing} missing",
    ]
    for role in ("reference", "test"):
        if pd.notna(first[f"cv_{role}"]):
            lines.append(f"  within {role}: CV {first[f'cv_{role}']:.2f} %, s {first[f'sw_{role}']:.5f} "
                         f"on {first[f'df_{role}']:.0f} df")  # fmt: skip
    shown = table.assign(
        ratio=table.ratio.map(_two), interval=[_span(a, b) for a, b in zip(table.ci_low, table.ci_high, strict=True)],
        df=table.df.map(lambda v: "" if pd.isna(v) else f"{v:.6g}"),
        limits=[_span(a, b) for a, b in zip(table.limit_low, table.limit_high, strict=True)],
        criterion=table.criterion.map(lambda v: "" if pd.isna(v) else f"{v:.6f}"),
        verdict=table.verdict.where(table.verdict != "", "-"),
    )  # fmt: skip
    shown = shown.rename(columns={"interval": f"{level:g} % interval"})
    columns = ["framework", "model", "ratio", f"{level:g} % interval", "df", "limits", "criterion", "verdict", "reason"]
    lines += ["  " + line for line in shown[columns].to_string(index=False).splitlines()]
    known = ratios["ratio"].dropna()
    if len(known):
        share = share_inside(known)
        spread = f"median {known.median():.4g}, {known.min():.4g} to {known.max():.4g}"
        inside = f"{share.value:.0%} ({share.lo95:.0%} to {share.hi95:.0%}) of {share.n}"
        lines.append(f"  individual ratios: {spread}; within 0.8 to 1.25: {inside}")
    return lines


def _two(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.2f}"


def _span(low: float, high: float) -> str:
    return "" if pd.isna(low) else f"{low:.2f} - {high:.2f}"


def _write(path: Path, table: pd.DataFrame) -> None:
    write_text(path, tsv(table))
