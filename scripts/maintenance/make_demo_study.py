"""Regenerate the synthetic demonstration study (run by hand, never by the workflow).

    python scripts/maintenance/make_demo_study.py --out config/studies/demo

Reads only ``resources/``; equal resources give equal bytes. docs/synthetic-study.md says what is drawn how.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pharmtwin.synthetic.genomes import write_vcf
from pharmtwin.synthetic.study import demo_study


def main() -> None:
    """Draw the study and write its files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("config/studies/demo"))
    args = parser.parse_args()
    files = demo_study()
    (args.out / "truth").mkdir(parents=True, exist_ok=True)
    write_vcf(files.pop("cohort.vcf"), args.out / "cohort.vcf.gz")
    for name, text in files.items():
        (args.out / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
