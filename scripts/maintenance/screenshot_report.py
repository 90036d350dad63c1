"""Pictures of a report page at desk and telephone width: ``python screenshot_report.py PAGE.html FOLDER``."""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-sync", "--no-first-run", "--hide-scrollbars", "--virtual-time-budget=20000"]


def main() -> None:
    """Write ``<page>-<width>.png`` for each width."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--widths", type=int, nargs="+", default=[1200, 400])
    parser.add_argument("--height", type=int, default=16000)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for width in args.widths:
        with tempfile.TemporaryDirectory() as profile:
            picture = args.folder.resolve() / f"{args.page.stem}-{width}.png"
            size = [f"--window-size={width},{args.height}", f"--screenshot={picture}", f"--user-data-dir={profile}"]
            subprocess.run(["chromium", *FLAGS, *size, args.page.resolve().as_uri()], check=True, timeout=300)


if __name__ == "__main__":
    main()
