"""``pharmtwin drug check|simulate|draft|words``: what a drug file says and gives; a first one from published tables."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pharmtwin.drugs import quick
from pharmtwin.drugs.draft import DraftError, draft, drafts
from pharmtwin.drugs.parameters import distribution
from pharmtwin.drugs.read import DrugFileError, check_drug, drug_file, not_there, read_drug
from pharmtwin.drugs.schema import Drug
from pharmtwin.drugs.system import build, path_name
from pharmtwin.drugs.words import words
from pharmtwin.findings import Finding, has_errors

#: the body that a drug is simulated in
Man = Callable[[], Mapping[str, float]]
#: quantity, value, unit
Line = tuple[str, float, str]


def main(argv: Sequence[str] | None = None, man: Man | None = None) -> int:
    """Run one action; 1 if it could not be done. man : gives the reference man (needed by simulate)."""
    arguments = _parser().parse_args(argv)
    if arguments.action == "check":
        return max(check(name) for name in arguments.file)
    if arguments.action == "draft":
        return draft_file(arguments.name, Path(arguments.tables), arguments.out)
    if arguments.action == "words":
        print(words(), end="")
        return 0
    if man is None:
        raise TypeError("drug simulate needs a body")
    try:
        lines = simulate_lines(arguments, man())
    except (DrugFileError, FileNotFoundError, KeyError, ValueError) as error:
        print(f"drug simulate: {error.args[0] if error.args else error}", file=sys.stderr)
        return 1
    print("quantity\tvalue\tunit")
    for quantity, value, unit in lines:
        print(f"{quantity}\t{value:.4g}\t{unit}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pharmtwin drug", description="Drug files of schema 2.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    sub = actions.add_parser("check", help="what is missing, inconsistent or off by a unit; what the model makes of it")
    sub.add_argument("file", nargs="+", help="a .yaml file, or a name of resources/drugs")
    sub = actions.add_parser("simulate", help="exposure, bioavailability and fate of one dose in the reference man")
    sub.add_argument("file", help="a .yaml file, or a name of resources/drugs")
    sub.add_argument("--dose", type=float, required=True, metavar="MG")
    sub.add_argument("--route", default="oral", help="oral (default, fasted), iv (bolus), or a depot of the file")
    sub.add_argument("--form", default="", metavar="NAME", help="dosage form (default: the first of the file)")
    sub.add_argument("--hours", type=float, help="window of the half-life (default: 95 %% of the area)")
    sub.add_argument(
        "--interaction", nargs="+", default=[], metavar="OTHER:MG[:EVERY_H]",
        help="another drug by mouth from --lead h before the dose on (every 24 h), e.g. itraconazole:200",
    )  # fmt: skip
    sub.add_argument("--lead", type=float, default=120.0, metavar="H", help="default 120")
    sub = actions.add_parser("draft", help="a drug file from the tables of a published PK-Sim model")
    sub.add_argument("name", help="the dosed compound, e.g. warfarin_S")
    sub.add_argument(
        "--tables", required=True, metavar="DIR", help="folder of *drug_parameters.csv, *drug_processes.csv"
    )
    sub.add_argument("--out", required=True, metavar="FILE.yaml")
    actions.add_parser("words", help="every word of a drug file with its unit and range, as Markdown")
    return parser


# ---- check


def check(name: str) -> int:
    """Print the findings of one file, then what the model makes of it; 1 on errors."""
    try:
        path = drug_file(name)
    except FileNotFoundError as error:  # a name that leads into another folder
        print(error, file=sys.stderr)
        return 1
    if not os.path.isfile(path):
        print(not_there(path), file=sys.stderr)
        return 1
    drug, findings = check_drug(path)
    for finding in findings:
        print(f"{finding.severity}: {finding.message()}")
    if drug is None or has_errors(findings):
        return 1
    print("\n".join(describe(drug)))
    print(_count(findings))
    return 0


def describe(drug: Drug) -> list[str]:
    """Lines that tell how the model understood a file: absorption, partition, paths, transport, what it acts on."""
    system = build([drug])
    absorption = system.parts[0].absorption
    how = f"absorption {absorption.model or 'none (no oral doses)'}"
    if absorption.model:
        how += f", dosage form {absorption.formulation.name} ({absorption.form})"
    lines = [f"{drug.name}: {len(drug.compounds)} compounds, {how}, {len(system.model.states)} states"]
    for compound in drug.compounds:
        kp = distribution(compound)
        lines.append(f"  {compound.name}: {compound.liver.replace('_', '-')} liver; {'; '.join(kp.notes) or kp.method}")
        for path in compound.paths:
            names = ", ".join(path_name(path, tissue) for tissue in path.where)
            product = f" -> {path.product}" if path.product else ""
            lines.append(f"    {path.enzyme or 'no enzyme'}: {names}{product}")
        lines += [f"    {t.transporter}: {t.direction}, {t.where}" for t in compound.transport]
        lines += [f"    {a.mechanism} of {a.target}" for a in compound.acts_on]
    return lines


def _count(findings: Sequence[Finding]) -> str:
    number = {s: sum(f.severity == s for f in findings) for s in ("warning", "note")}
    return f"no errors; {number['warning']} warnings, {number['note']} notes"


# ---- draft


def draft_file(name: str, tables: Path, out: str) -> int:
    """Write a draft, print its findings and those of the check of the file; 1 if it has an error."""
    try:
        made = draft(name, tables)
    except DraftError as error:
        print(f"drug draft: {error}", file=sys.stderr)
        print(f"these can be drafted: {', '.join(drafts(tables))}", file=sys.stderr)
        return 1
    except (FileNotFoundError, ValueError) as error:
        print(f"drug draft: {error}", file=sys.stderr)
        return 1
    path = Path(out)
    if not path.parent.is_dir():
        print(f"drug draft: there is no folder {path.parent}", file=sys.stderr)
        return 1
    path.write_text(made.text(), encoding="utf-8")
    for finding in made.findings:
        print(f"{finding.severity}: {finding.message()}")
    _, findings = check_drug(path)
    for finding in findings:
        print(f"{finding.severity}: {finding.message()}")
    both = [*made.findings, *findings]
    print(f"{path}: written; {_count(both)}" if not has_errors(both) else f"{path}: written, with errors")
    return int(has_errors(both))


# ---- simulate


def simulate_lines(arguments: argparse.Namespace, body: Mapping[str, float]) -> list[Line]:
    """What ``drug simulate`` prints; raises as reading and simulating do."""
    drug = read_drug(arguments.file)
    dose, route, form = arguments.dose, arguments.route, arguments.form
    for option, number in (("--dose", dose), ("--hours", arguments.hours)):
        if number is not None and not 0 < number < math.inf:
            raise ValueError(f"{option} must be a number above 0, not {number:g}")
    if not 0 <= arguments.lead < math.inf:
        raise ValueError(f"--lead must be a number from 0 on, not {arguments.lead:g}")
    others = [_other(text) for text in arguments.interaction]
    seen = quick.dose_response(drug, body, dose, route, form, arguments.hours or 0.0)
    lines: list[Line] = []
    for name, e in seen.items():
        mark = "" if name == drug.parent.name else f" {name}"
        lines += [(f"AUC{mark}", e.auc, "mg h/L"), (f"Cmax{mark}", e.cmax, "mg/L"), (f"tmax{mark}", e.tmax, "h"),
                  (f"t1/2{mark}", e.half_life, "h"), (f"window of t1/2{mark}", e.window, "h")]  # fmt: skip
    own = seen[drug.parent.name]
    by_vein = own if route == "iv" else quick.dose_response(drug, body, dose, "iv")[drug.parent.name]
    lines += [("CL", dose / by_vein.auc, "L/h"), ("F", own.auc / by_vein.auc, "1")]
    taken, systemic = quick.fate(drug, body, dose, route, form), quick.fate(drug, body, dose, "iv")
    if route == "oral":
        lines.append(("of the dose: metabolised by the gut", taken.gut, "1"))
        lines.append(("of the dose: faeces", taken.faeces, "1"))
    lines += [(f"fm {path}", share, "1") for path, share in systemic.paths.items()]
    lines += [("fe urine", systemic.urine, "1")]
    if systemic.faeces > 0:
        lines.append(("fe bile", systemic.faeces, "1"))
    return lines + (_interaction_lines(arguments, drug, others, body) if others else [])


def _interaction_lines(
    arguments: argparse.Namespace, drug: Drug, others: Sequence[tuple[Drug, float, float]], body: Mapping[str, float]
) -> list[Line]:
    pair = quick.interaction(drug, others, body, arguments.dose, arguments.route, arguments.lead)
    names = " + ".join(d.name for d, _, _ in others)
    return [(f"AUC with {names}", pair.together.auc, "mg h/L"), (f"AUC ratio with {names}", pair.auc_ratio, "1"),
            (f"Cmax ratio with {names}", pair.cmax_ratio, "1")]  # fmt: skip


def _other(text: str) -> tuple[Drug, float, float]:
    """``NAME:MG[:EVERY_H]``; raises ValueError saying how it is written."""
    name, *numbers = text.split(":")
    try:
        values = [float(x) for x in numbers]
    except ValueError:
        values = []
    if not 1 <= len(values) <= 2 or not all(0 < x < math.inf for x in values):
        how = "write NAME:MG or NAME:MG:EVERY_H, numbers above 0, e.g. itraconazole:200:24"
        raise ValueError(f"--interaction {text}: {how}")
    return read_drug(name), values[0], values[1] if len(values) == 2 else 24.0
