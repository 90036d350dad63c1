"""``pharmtwin drug check FILE``: what is missing, inconsistent or off by a unit in a drug file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pharmtwin.drugs.parameters import distribution
from pharmtwin.drugs.read import check_drug, drug_file
from pharmtwin.drugs.schema import Drug
from pharmtwin.drugs.system import build, path_name
from pharmtwin.findings import Finding, has_errors


def main(argv: Sequence[str] | None = None) -> int:
    """Check drug files and say what each makes; 1 if one has an error or is not there."""
    parser = argparse.ArgumentParser(prog="pharmtwin drug", description="Check a drug file (schema 2).")
    parser.add_argument("action", choices=["check"])
    parser.add_argument("file", nargs="+", help="a .yaml file, or a name of resources/drugs")
    arguments = parser.parse_args(argv)
    return max(check(name) for name in arguments.file)


def check(name: str) -> int:
    """Print the findings of one file, then what the model makes of it; 1 on errors."""
    path = drug_file(name)
    if not path.is_file():
        print(f"no drug file at {path}", file=sys.stderr)
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
