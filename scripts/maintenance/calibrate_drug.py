"""Estimate the "estimated" values of a drug file from published mean profiles with role "building".

    python scripts/maintenance/calibrate_drug.py paroxetine

Prints the values to write into the drug file with their standard errors; nothing is written. How they are
estimated is said in pharmtwin.curation.drug_calibration.
"""

from __future__ import annotations

import sys

from pharmtwin.curation.drug_calibration import calibrate, lines


def main(name: str) -> None:
    """Run the estimation and print it."""
    print("\n".join(lines(calibrate(name))))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "paroxetine")
