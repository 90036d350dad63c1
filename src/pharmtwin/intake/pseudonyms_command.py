"""``pharmtwin pseudonyms``: who is who in a study that ran under pseudonyms; for the holder of the key."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pharmtwin.files import write_text
from pharmtwin.intake.config import load_config, setting
from pharmtwin.intake.pseudonyms import FORM, PseudonymError, Pseudonyms, key_of
from pharmtwin.intake.sheet import read_rows
from pharmtwin.tables.spreadsheet import escaped


def main(argv: Sequence[str] | None = None) -> int:
    """Print or write the list of pseudonyms, or a copy of a report with the ids put back; 1 where it cannot be."""
    parser = argparse.ArgumentParser(
        prog="pharmtwin pseudonyms", description="Pseudonyms of a study and whose they are."
    )
    parser.add_argument("--configfile", nargs="+", default=[], metavar="F", help="configuration of the study")
    parser.add_argument("--out", metavar="TSV", help="write the list here instead of to the screen; not below results/")
    parser.add_argument(
        "--report", metavar="FOLDER", help="a report (results/<study>/report) to copy with ids put back"
    )
    parser.add_argument("--to", metavar="FOLDER", help="where that copy goes; not below results/")
    given = parser.parse_args(argv)
    if bool(given.report) != bool(given.to):
        parser.error("--report and --to belong together")
    config, _, findings = load_config(given.configfile)
    try:
        if config is None:
            raise PseudonymError("\n".join(f.message() for f in findings))
        for path in (given.out, given.to):
            if path and Path("results").resolve() in [Path(path).resolve(), *Path(path).resolve().parents]:
                raise PseudonymError("the list and the copy must not be written below results/, which is handed on")
        names = Pseudonyms(key_of(config))
        ids = [row.get("twin_id", "") for row in read_rows(str(setting(config, "paths.twins", "")))]
    except (PseudonymError, ValueError) as error:
        print(f"pseudonyms: {error}", file=sys.stderr)
        return 1
    whose = {names.of(twin): twin for twin in ids if twin}
    if given.report:
        n = put_back(Path(given.report), Path(given.to), whose)
        print(f"{n} pages with ids: {given.to}")
        return 0
    text = "".join(f"{p}\t{escaped(t)}\n" for p, t in [("pseudonym", "twin_id"), *whose.items()])
    if given.out:
        write_text(Path(given.out), text)
    else:
        print(text, end="")
    return 0


def put_back(report: Path, target: Path, whose: dict[str, str]) -> int:
    """Copy the pages of a report with ids in place of pseudonyms, in texts and in names of files; how many.

    Ids hold letters, digits and ``_.-`` only (the intake checks it), so they need no escaping anywhere in a page.
    """

    def known(text: str) -> str:
        return FORM.sub(lambda found: whose.get(found[0], found[0]), text)

    pages = sorted(report.rglob("*.html"))
    for page in pages:
        write_text(target / known(page.relative_to(report).as_posix()), known(page.read_text(encoding="utf-8")))
    return len(pages)
