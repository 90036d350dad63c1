"""Draw a population study: sheets, VCFs and a config of N synthetic people (pharmtwin.synthetic.population_study).

python scripts/maintenance/make_population_study.py --n 10000 --out .cache/population_10000
snakemake exposures --configfile .cache/population_10000/config.yaml --cores 2
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from pharmtwin.synthetic.population_study import make


def main() -> None:
    """Read the arguments and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000, help="people")
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--out", type=Path, required=True, help="folder of sheets, VCFs and config")
    parser.add_argument("--name", default="", help="name of the study (default: population_N)")
    parser.add_argument("--per-vcf", type=int, default=1000, help="people of one VCF")
    parser.add_argument("--buckets", type=int, default=0, help="batches (default: one for 500 people)")
    args = parser.parse_args()
    name = args.name or f"population_{args.n}"
    make(args.n, args.seed, args.out, name=name, per_vcf=args.per_vcf, buckets=args.buckets or math.ceil(args.n / 500))


if __name__ == "__main__":
    main()
