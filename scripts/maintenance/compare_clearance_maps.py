"""Compare CYP2D6's maps from activity score to clearance by predicting drugs they have not seen.

    python scripts/maintenance/compare_clearance_maps.py RATIOS.csv --leave-out 900050            # print
    python scripts/maintenance/compare_clearance_maps.py RATIOS.csv --leave-out 900050 --write    # and docs page

RATIOS.csv: observed AUC ratios by genotype, columns data_id, study, analyte, contrast (``AS0.5/AS2``, ``PM/NM``),
route, obs_aucr, flag; the rows of OSP's DDGI-CYP2D6 (DGI_Ratios.csv, commit 3848285c) have this form. The method
is said in pharmtwin.curation.clearance_comparison.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pharmtwin.curation.clearance_comparison import PAGE, read_ratios, report, written
from pharmtwin.files import write_text


def main() -> None:
    """Print the comparison; with --write also into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ratios", type=Path)
    parser.add_argument("--leave-out", type=int, nargs="*", default=[], metavar="DATA_ID")
    parser.add_argument("--write", action="store_true", help="replace the tables of docs/clearance-maps.md")
    args = parser.parse_args()
    text = report(*read_ratios(args.ratios, args.leave_out))
    print(text)
    if args.write:
        write_text(PAGE, written(PAGE.read_text(encoding="utf-8"), text))


if __name__ == "__main__":
    main()
