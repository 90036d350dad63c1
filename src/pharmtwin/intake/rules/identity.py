"""Rules about ids: what a spreadsheet did to them, near misses, rows that fall apart."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pharmtwin.intake.events import bare
from pharmtwin.intake.rules.registry import Given, Hit, rule

EXPONENT = re.compile(r"\d+(\.\d+)?[eE]\d+|\d+\.0+")
DATE = re.compile(
    r"(\d{1,2}-(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)|((jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*-\d{1,4})",
    re.IGNORECASE,
)
SUMMARY = re.compile(
    r"(grand.?)?(sub.?)?(total|sum|mean|average|median|sd|sem|min|max|n|cv|std|stdev|geomean)s?\.?", re.IGNORECASE
)


@rule(
    "ids.rewritten",
    "warning",
    "an id that looks as if a spreadsheet had rewritten it (1E5, 3-Mar, 7.0)",
    why="a spreadsheet turns an id into a number or a date in one file and not in the other",
    fix="format the column as text where the file was made, or leave it if the id is meant so",
    needs=(),
    private=True,
)
def _rewritten(given: Given) -> Iterator[Hit]:
    for table in given.tables.values():
        seen = set()
        for r in table.records:
            written = r.raw.get("twin_id", "")
            if written not in seen and (EXPONENT.fullmatch(written) or DATE.fullmatch(written)):
                seen.add(written)
                form = "a date" if DATE.fullmatch(written) else "a number"
                yield Hit(
                    table, r, "twin_id", f"the id is read as text, and looks like {form} that a spreadsheet wrote"
                )


@rule(
    "ids.alike",
    "warning",
    "two ids of a sheet that differ in case, blanks or leading zeros only",
    why="they may be one person, split in two",
    fix="write one of them, or leave both if they are two people",
    needs=(),
    private=True,
)
def _alike(given: Given) -> Iterator[Hit]:
    table = given.tables.get("events" if given.alone else "twins")
    first: dict[str, tuple[str, int]] = {}
    told = set()
    for r in table.records if table is not None else ():
        name = r.raw.get("twin_id", "")
        if not name or name in told:
            continue
        told.add(name)
        other, row = first.setdefault(bare(name), (name, r.row))
        if other != name and table is not None:
            yield Hit(table, r, "twin_id", f"the id differs from that of row {row} in case, marks or zeros only")


@rule(
    "ids.apart",
    "warning",
    "rows of one id that are not together: NONMEM takes them for two people",
    why="a program that reads rows in order starts a new person, whose doses are not those before",
    fix="sort the rows by id, then by time",
    private=True,
)
def _apart(given: Given) -> Iterator[Hit]:
    if not given.alone:  # the workflow gathers a twin's rows wherever they stand
        return
    seen: set[str] = set()
    last = ""
    for e in given.rows:
        if e.twin != last and e.twin in seen:
            yield Hit(given.events, e.record, "twin_id", "rows of this id stood further up, and others between")
        seen.add(e.twin)
        last = e.twin


@rule(
    "sheet.summary_row",
    "error",
    "a row of totals or means below the data",
    why="it would be read as one more person",
    fix="delete the row",
    needs=(),
    explains=("*",),
    row=True,
)
def _summaries(given: Given) -> Iterator[Hit]:
    for table in given.tables.values():
        for r in table.records[-6:]:
            if SUMMARY.fullmatch(r.raw.get("twin_id", "")) and r is not table.records[0]:
                yield Hit(table, r, "twin_id", "the row looks like a summary of the rows above, not like a person")


@rule(
    "sheet.header_again",
    "error",
    "the header stands a second time among the rows",
    why="files were joined with their headers; the row is no data",
    fix="delete the row",
    needs=(),
    explains=("*",),
    row=True,
)
def _header_again(given: Given) -> Iterator[Hit]:
    for table in given.tables.values():
        for r in table.records:
            if not any(map(str.isalpha, "".join(list(r.raw.values())[:3]))):
                continue  # a header begins with names
            same = [c for c, cell in r.raw.items() if cell and cell.lower() == table.origin.get(c, c).lower()]
            if len(same) >= 2:
                yield Hit(table, r, same[0], "the row repeats the header")


@rule(
    "sheet.error_value",
    "error",
    "an error value of a spreadsheet (#N/A, #REF!, #DIV/0!)",
    why="the formula behind it failed, and the value is lost",
    fix="mend the formula, or clear the cell",
    needs=(),
    explains=("*.not_a_number", "*_code", "*_form"),
)
def _error_values(given: Given) -> Iterator[Hit]:
    for table in given.tables.values():
        for r in table.records:
            for column, cell in r.raw.items() if "#" in "".join(r.raw.values()) else ():
                if cell.startswith("#") and re.fullmatch(
                    r"#(N/A|REF!|DIV/0!|VALUE!|NAME\?|NUM!|NULL!|SPILL!|CALC!)", cell
                ):
                    yield Hit(table, r, column, "is an error value of a spreadsheet")
