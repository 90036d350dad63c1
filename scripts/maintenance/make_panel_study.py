"""Regenerate the sheets of the panel study: public 1000 Genomes samples with synthetic covariates (run by hand).

    python scripts/maintenance/make_panel_study.py --samples samples.tsv --out config/studies/panel_1kgp

``--samples`` is a tab-separated list of the panel with the columns ``sample``, ``super_pop`` and ``sex`` (male,
female or empty), e.g. made from the sample table of the 1000 Genomes 30x release (Byrska-Bishop 2022,
doi:10.1016/j.cell.2022.08.004). The genomes themselves are not shipped; config/panel_1kgp.yaml says where to put them.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from pharmtwin.synthetic.cohort import design
from pharmtwin.synthetic.study import panel_study


def main() -> None:
    """Draw the covariates and write the sheets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("config/studies/panel_1kgp"))
    args = parser.parse_args()
    with open(args.samples, encoding="utf-8", newline="") as handle:
        samples = list(csv.DictReader(handle, delimiter="\t"))
    args.out.mkdir(parents=True, exist_ok=True)
    for name, text in panel_study(samples, int(design()["seed"])).items():
        (args.out / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
