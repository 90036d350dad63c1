"""Prove the twins' ladder: coverage, agreement with NUTS, simulation-based calibration (about an hour on one core).

    python scripts/maintenance/calibrate_twins.py --out results/calibration

Method and aims: pharmtwin.inference.calibration, resources/inference/calibration.tsv, docs/twin-update.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pharmtwin.body.physiology import physiology, reference_twins
from pharmtwin.core.assembly import assemble
from pharmtwin.core.drug import load_drug
from pharmtwin.inference.calibration.cases import cases
from pharmtwin.inference.calibration.ladder import run


def main() -> int:
    """Run all; 0 if all is as asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("results/calibration"))
    given = parser.parse_args()
    drug = load_drug("paroxetine")
    known = cases(assemble(drug, physiology(reference_twins())), drug, given.seed)
    passed = run(known["amikacin"], 1000, 50, 0, given.seed, given.out)
    passed &= run(known["one_compartment"], 0, 0, 200, given.seed, given.out)
    passed &= run(known["whole_body"], 200, 0, 200, given.seed, given.out)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
