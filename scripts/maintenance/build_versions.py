"""Bring resources/versions.tsv in step with resources/ (run by hand after a table has changed).

    python scripts/maintenance/build_versions.py            # recompute rows and sha256
    python scripts/maintenance/build_versions.py --check    # only say what is out of step

``rows`` and ``sha256`` are computed; ``version``, ``what``, ``source`` and ``licence`` are written by people and
kept. A new file gets empty cells, which the tests refuse. Who changes a number raises its table's version and
adds a line to CHANGELOG.md, section "Numbers that changed".
"""

from __future__ import annotations

import argparse
import sys

from pharmtwin.curation.versions import VERSIONS, differences, write_versions


def main() -> None:
    """Write the list, or say what is out of step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if something is out of step")
    args = parser.parse_args()
    said = differences()
    print("\n".join(said) or f"{VERSIONS} is in step with resources/")
    if args.check:
        sys.exit(1 if said else 0)
    if said:
        print("Raise the version of every table whose numbers changed, and say so in CHANGELOG.md.")
    write_versions()


if __name__ == "__main__":
    main()
