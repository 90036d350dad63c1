"""Known vulnerabilities of the locked packages, without a network: ``make audit`` where pip-audit is not installed.

``resources/advisories.tsv`` is an extract of the Python Packaging Advisory Database (CC BY 4.0) for the packages of our
locks: which versions an advisory covers. Advisories published after its day are not in it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from packaging.version import InvalidVersion, Version

from pharmtwin.files import write_text

COLUMNS = ("package", "advisory", "aliases", "published", "affected", "source")
LOCKS = "requirements*.lock"
SOURCE = "Python Packaging Advisory Database (github.com/pypa/advisory-database), CC BY 4.0"


@dataclass(frozen=True)
class Advisory:
    """One advisory on one package. affected: ranges ``>=a,<b`` or versions ``==v``, joined by ``|``."""

    package: str
    advisory: str
    aliases: str
    published: str
    affected: str
    source: str = "PyPA advisory database"

    def covers(self, version: str) -> bool:
        """Whether a version is affected; one that cannot be compared counts as affected."""
        try:
            return any(_within(Version(version), part) for part in self.affected.split("|") if part)
        except InvalidVersion:
            return True


def _within(version: Version, part: str) -> bool:
    for bound in part.split(","):
        sign, text = re.fullmatch(r"(>=|<=|<|==)(.+)", bound).groups()  # type: ignore[union-attr]
        limit = Version(text)
        if not {">=": version >= limit, "<": version < limit, "<=": version <= limit, "==": version == limit}[sign]:
            return False
    return True


def locked(folder: Path) -> dict[str, set[str]]:
    """Package -> versions in the lock files of a folder."""
    found: dict[str, set[str]] = {}
    for path in sorted(folder.glob(LOCKS)):
        for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", path.read_text(encoding="utf-8"), re.M):
            found.setdefault(normalised(name), set()).add(version)
    return found


def normalised(name: str) -> str:
    """Package name as the index compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read(path: Path) -> tuple[str, list[Advisory]]:
    """Day of the extract (``YYYY-MM-DD``) and its advisories."""
    text = path.read_text(encoding="utf-8")
    day = re.search(r"\d{4}-\d{2}-\d{2}", text.splitlines()[0])
    rows = csv.DictReader(io.StringIO(text.partition("\n")[2]), delimiter="\t")
    return day[0] if day else "unknown", [Advisory(**row) for row in rows]


def found(advisories: Iterable[Advisory], packages: dict[str, set[str]]) -> list[tuple[Advisory, str]]:
    """Advisories that cover a locked version, with that version."""
    return [(a, v) for a in advisories for v in sorted(packages.get(a.package, ())) if a.covers(v)]


def statement(table: Path, judged: Path, folder: Path) -> tuple[str, int]:
    """What ``make audit`` prints, and 1 if a locked version is affected and nobody judged it (table ``judged``)."""
    day, advisories = read(table)
    packages = locked(folder)
    hits = found(advisories, packages)
    with judged.open(encoding="utf-8", newline="") as handle:
        reasons = {(r["package"], r["advisory"]): r["judgement"] for r in csv.DictReader(handle, delimiter="\t")}
    lines = [f"{a.package} {v}: {a.advisory} ({a.aliases}), affected: {a.affected}\n"
             f"    {reasons.get((a.package, a.advisory), 'NOT JUDGED: update the lock')}" for a, v in hits]  # fmt: skip
    new = sum((a.package, a.advisory) not in reasons for a, _ in hits)
    lines += [
        f"{len(packages)} locked packages, {len(advisories)} advisories on them: {len(hits)} cover a locked version, "
        f"{new} of them not judged",
        f"OFFLINE LIST of {day}: {SOURCE}.",
        "Nothing published later is known here, and a package without an advisory is not thereby safe.",
        "For today's answer install pip-audit and run `make audit` again.",
    ]
    return "\n".join(lines), int(new > 0)


def extract(vulns: Path, packages: Iterable[str]) -> Iterator[Advisory]:
    """Advisories of a checkout's folder ``vulns`` on these packages; withdrawn ones are left out."""
    for name in sorted(set(packages)):
        for path in sorted((vulns / name).glob("*.yaml")):
            raw: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
            if raw.get("withdrawn"):
                continue
            parts = [p for one in raw.get("affected") or [] for p in _parts(one)]
            aliases = " ".join(raw.get("aliases") or [])
            yield Advisory(name, str(raw["id"]), aliases, str(raw.get("published", ""))[:10], "|".join(parts))


def _parts(affected: dict[str, Any]) -> list[str]:
    """Ranges of versions; the single versions that they do not cover besides."""
    ranges = []
    for one in affected.get("ranges") or []:
        start = ""
        for event in one["events"] if one["type"] == "ECOSYSTEM" else []:
            (kind, value), *_ = event.items()
            if kind == "introduced":
                start = f">={value}"
            elif kind in ("fixed", "last_affected"):
                ranges.append(f"{start or '>=0'},{'<' if kind == 'fixed' else '<='}{value}")
                start = ""
        ranges += [start] if start else []
    single = []
    for text in affected.get("versions") or []:
        try:
            inside = any(_within(Version(str(text)), part) for part in ranges)
        except InvalidVersion:
            continue
        single += [] if inside else [f"=={text}"]
    return ranges + single


def write(path: Path, advisories: Iterable[Advisory], day: str) -> None:
    """Write the extract; its first line is a comment with the day."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([getattr(a, c) for c in COLUMNS] for a in advisories)
    write_text(path, f"# {SOURCE}; state of {day}; packages of {LOCKS}\n{text.getvalue()}")
