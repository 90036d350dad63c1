"""The report in headless Chromium, offline: ``python check_report.py results/demo/report results/browser``."""

from __future__ import annotations

import sys

from pharmtwin.curation.report_check import main

if __name__ == "__main__":
    sys.exit(main())
