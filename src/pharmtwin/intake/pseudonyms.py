"""Twin ids replaced by a keyed hash at the door, where ``privacy.pseudonyms`` asks for it (docs/security.md).

Everything behind the door - tables, paths, logs, report - then knows the pseudonyms only: HMAC-SHA-256 of the id under
a key that stands in an environment variable or in a file outside of the results. Without the key nobody can compute or
check a pseudonym; with it, and the sheets, ``pharmtwin pseudonyms`` tells who is who. Cheap: the Snakefile uses it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pharmtwin.findings import Finding

VARIABLE = "PHARMTWIN_PSEUDONYM_KEY"
SHORTEST = 16  # bytes of a key
DIGITS = 16  # hexadecimal digits of a pseudonym: 64 bits
FORM = re.compile(rf"\bp[0-9a-f]{{{DIGITS}}}\b")
WHY = "ids must not appear in paths, logs and tables"


class PseudonymError(ValueError):
    """Pseudonyms are asked for and there is no usable key; the message says what to do."""


@dataclass(frozen=True)
class Pseudonyms:
    """Pseudonyms under one key."""

    key: bytes

    def of(self, name: str) -> str:
        """Pseudonym of an id; one that is a pseudonym already, or empty, stays."""
        if not name or FORM.fullmatch(name):
            return name
        return "p" + hmac.new(self.key, name.encode(), hashlib.sha256).hexdigest()[:DIGITS]

    def masked(self, text: str, names: Iterable[str]) -> str:
        """Text with each of these names, where it stands as a word of its own, as its pseudonym."""
        listed = sorted({n for n in names if n}, key=len, reverse=True)
        if not listed:
            return text
        words = re.compile(rf"(?<![\w.-])({'|'.join(map(re.escape, listed))})(?![\w-])")
        return words.sub(lambda found: self.of(found[0]), text)


def key_of(config: Mapping[str, Any], base: Path = Path(".")) -> bytes:
    """The key: of the environment variable, else of the file ``privacy.key_file``; raises PseudonymError."""
    given = os.environ.get(VARIABLE, "").strip().encode()
    privacy = config.get("privacy")
    file = privacy.get("key_file") if isinstance(privacy, Mapping) else ""
    if not given and isinstance(file, str) and file:
        path = base / file
        if (base / "results").resolve() in path.resolve().parents:
            raise PseudonymError("the key file lies in results/, which is handed on")
        try:
            given = path.read_bytes()[:4096].strip()
        except OSError as error:
            raise PseudonymError(f"the key file cannot be read ({type(error).__name__})") from None
    if len(given) < SHORTEST:
        what = f"has {len(given)} bytes, fewer than {SHORTEST}" if given else "is not there"
        raise PseudonymError(f"the key {what}")
    return given


def pseudonyms_of(config: Mapping[str, Any], base: Path = Path(".")) -> Pseudonyms | None:
    """Pseudonyms of a study, None where it does not ask for them; raises PseudonymError."""
    privacy = config.get("privacy")
    if not (isinstance(privacy, Mapping) and privacy.get("pseudonyms") is True):
        return None
    return Pseudonyms(key_of(config, base))


def renamed(rows: Iterable[Mapping[str, str]], names: Pseudonyms | None) -> list[dict[str, str]]:
    """Rows of a sheet with the pseudonym as twin_id."""
    if names is None:
        return [dict(row) for row in rows]
    return [{**row, "twin_id": names.of(row["twin_id"])} if "twin_id" in row else dict(row) for row in rows]


def in_config(config: dict[str, Any], base: Path = Path(".")) -> None:
    """Put the pseudonym of ``sensitivity.twin`` in its place, in the dictionary itself."""
    names, part = pseudonyms_of(config, base), config.get("sensitivity")
    if names is not None and isinstance(part, dict) and isinstance(part.get("twin"), str):
        part["twin"] = names.of(part["twin"])


def privacy_findings(
    config: Mapping[str, Any], base: Path, ids: Sequence[str], files: Iterable[str], file: str = "config", row: int = 0
) -> list[Finding]:
    """What keeps pseudonyms from protecting: no key, or an id that is part of a file's name (Snakemake logs those)."""
    place = {"row": row, "column": "privacy.pseudonyms"}
    try:
        names = pseudonyms_of(config, base)
    except PseudonymError as error:
        fix = f"set {VARIABLE}, or name a file outside of results/ as privacy.key_file"
        return [Finding.create("privacy.key", file, str(error), WHY, fix, **place)]  # type: ignore[arg-type]
    if names is None:
        return []
    found = []
    for path in sorted(set(files)):
        if names.masked(re.sub(r"[/\\._-]", " ", path), ids) != re.sub(r"[/\\._-]", " ", path):
            what = "an id of the sheets is part of a file's name"
            why = "the names of input files stand in Snakemake's log and in the paths of the results"
            fix = "rename the file (and what names it); its name is not shown here"
            found.append(Finding.create("privacy.file_name", file, what, why, fix, **place))  # type: ignore[arg-type]
    return found


def masked_findings(findings: Iterable[Finding], names: Pseudonyms | None, ids: Iterable[str]) -> list[Finding]:
    """Findings without ids: their row tells the user who is meant."""
    if names is None:
        return list(findings)
    known = set(ids)

    def mask(text: str) -> str:
        return names.masked(text, known)

    return [replace(f, value=mask(f.value), what=mask(f.what), fix=mask(f.fix)) for f in findings]
