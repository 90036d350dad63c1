"""Prove the twins' ladder on synthetic people.

    make calibration                                                     # all cases, a day
    python -m pharmtwin.inference.calibration.ladder --case amikacin one_compartment --twins 1000 --nuts 50 --sbc 200
    python -m pharmtwin.inference.calibration.ladder --case whole_body --body body.tsv --twins 100 --sbc 200

Ends with 1 if something is not as ``resources/inference/calibration.tsv`` asks. Tables go to the folder ``--out``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from pharmtwin.core.assembly import assemble
from pharmtwin.core.drug import load_drug
from pharmtwin.files import write_text
from pharmtwin.inference.calibration.cases import Case, cases
from pharmtwin.inference.calibration.coverage import agreement, agreement_passes, coverage, coverage_passes, summary
from pharmtwin.inference.calibration.ranks import ranks
from pharmtwin.inference.criticism.sbc import sbc_table, sbc_verdict
from pharmtwin.tables.spreadsheet import tsv


def main(words: list[str] | None = None, bodies_of: Callable[[], pd.DataFrame] | None = None) -> int:
    """Run what is asked, print the figures; 0 if all is as asked.

    bodies_of : table body of the workflow, where ``--body`` is not given.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", required=True, nargs="+", help="amikacin, one_compartment, whole_body")
    parser.add_argument("--twins", type=int, default=0, help="coverage of intervals on so many twins")
    parser.add_argument("--nuts", type=int, default=0, help="agreement of means with NUTS on so many of them")
    parser.add_argument("--sbc", type=int, default=0, help="simulation-based calibration with so many replicates")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--body", help="table body of the workflow (TSV), for whole_body")
    parser.add_argument("--drug", default="paroxetine", help="drug file of whole_body")
    parser.add_argument("--out", type=Path, help="folder for the tables")
    given = parser.parse_args(words)
    bodies, drug = None, None
    if "whole_body" in given.case and (given.body or bodies_of):
        drug = load_drug(given.drug)
        table = pd.read_csv(given.body, sep="\t") if given.body or bodies_of is None else bodies_of()
        bodies = assemble(drug, table)
    known = cases(bodies, drug, given.seed)
    if unknown := [c for c in given.case if c not in known]:
        print(f"ladder: no case {unknown}; there are {', '.join(known)} (whole_body with --body)", file=sys.stderr)
        return 2
    passed = [run(known[c], given.twins, given.nuts, given.sbc, given.seed, given.out) for c in given.case]
    return 0 if all(passed) else 1


def run(case: Case, twins: int, nuts: int, sbc: int, seed: int, out: Path | None) -> bool:
    """The runs asked for; True if all pass."""
    tell = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
    tables, passed = {}, True
    if twins:
        tables["coverage"] = coverage(case, twins, seed, tell)
        found = summary(tables["coverage"])
        print(f"coverage, {case.name}, {case.quantity}:", ", ".join(f"{k} {v:.4g}" for k, v in found.items()))
        passed &= coverage_passes(found)
    if nuts:
        tables["nuts"] = agreement(case, nuts, seed, tell)
        t = tables["nuts"]
        print(f"NUTS, {case.name}: {t['person'].nunique()} twins, largest difference of means "
              f"{t['difference'].abs().max():.2f} combined errors, sd ratio {t['sd_ratio'].min():.3f} to "
              f"{t['sd_ratio'].max():.3f}, {int((~t['good']).groupby(t['person']).any().sum())} not good")  # fmt: skip
        passed &= agreement_passes(t)
    if sbc:
        counted, kept = ranks(case, sbc, seed, tell)
        tables["sbc"], tables["ranks"] = sbc_table(counted, kept), pd.DataFrame(counted)
        verdict = sbc_verdict(tables["sbc"])
        print(f"SBC, {case.name}: {verdict}")
        print(tables["sbc"].to_string(index=False))
        passed &= verdict == "good"
    for name, table in tables.items():
        if out:
            out.mkdir(parents=True, exist_ok=True)
            write_text(out / f"{case.name}_{name}.tsv", tsv(table))
    print("passed" if passed else "NOT PASSED")
    return passed


if __name__ == "__main__":
    sys.exit(main())
