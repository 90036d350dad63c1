"""Prove the twins' ladder, whole-body PBPK twins of the reference man and woman included (``make calibration``).

    python scripts/maintenance/calibrate_twins.py --case whole_body --twins 200 --sbc 200 --out results/calibration

Options, method and aims: pharmtwin.inference.calibration.ladder, resources/inference/calibration.tsv,
docs/twin-update.md.
"""

from __future__ import annotations

import sys

from pharmtwin.body.physiology import physiology, reference_twins
from pharmtwin.inference.calibration.ladder import main

if __name__ == "__main__":
    sys.exit(main(bodies_of=lambda: physiology(reference_twins())))
