"""Rebuild resources/genes from its open sources (run by hand, never by the workflow).

    python scripts/maintenance/build_gene_tables.py                                # fetch the sources, then rebuild
    python scripts/maintenance/build_gene_tables.py --data ../shared/data/pgx      # from files that are there

Sources, licences and addresses: resources/genes/sources.tsv. What is built and how: docs/gene-tables.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pharmtwin.curation.gene_sources import FetchError, fetch_sources
from pharmtwin.curation.gene_update import UpdateError, read_sources, update


def main() -> None:
    """Fetch if asked, rebuild, say what changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with the source files; without it they are fetched")
    parser.add_argument("--out", type=Path, default=Path("resources/genes"))
    args = parser.parse_args()
    data = args.data or Path(".cache/gene-sources")
    try:
        if args.data is None:
            for name in fetch_sources(data, read_sources(args.out)):
                print(f"not fetched, has no address: {name}")
        print("\n".join(update(data, args.out)))
    except (FetchError, UpdateError, FileNotFoundError, ValueError) as error:
        sys.exit(f"update-genes: {error}")
    print("now run: python scripts/maintenance/build_versions.py")


if __name__ == "__main__":
    main()
