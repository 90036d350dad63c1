"""Two runs side by side: what differs between their manifests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pharmtwin.provenance.manifest import CRATE, SBOM
from pharmtwin.provenance.verify import Recorded

#: sections of files that have to be equal before results can be expected to be
GIVEN = ("inputs", "facts", "code")
VALUES = ("config", "software", "study", "data_kind", "solver")
ABSENT = "absent"


def _hashes(section: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Shown path -> hashes (two inputs from different places may share a name)."""
    out: dict[str, list[str]] = {}
    for item in section:
        out.setdefault(item["path"], []).append(item["sha256"])
    return {k: sorted(v) for k, v in out.items()}


@dataclass(frozen=True)
class Difference:
    """What two runs do not have alike: part of the manifest, name, and how each has it (``ABSENT``: not at all)."""

    part: str
    name: str
    first: str
    second: str


def file_differences(one: Recorded, other: Recorded, section: str) -> list[Difference]:
    """Files of a section that one run lacks or has with other bytes, by short hash; by name."""
    first, second = (_hashes(r.manifest[section]) for r in (one, other))

    def short(hashes: list[str]) -> str:
        return ", ".join(h[:12] for h in hashes) or ABSENT

    names = sorted(k for k in first.keys() | second.keys() if first.get(k) != second.get(k))
    return [Difference(section, k, short(first.get(k, [])), short(second.get(k, []))) for k in names]


def differing_files(one: Recorded, other: Recorded, section: str) -> list[str]:
    """Paths of a section that both have with different bytes."""
    return [d.name for d in file_differences(one, other, section) if ABSENT not in (d.first, d.second)]


def compare_section(one: Recorded, other: Recorded, section: str) -> list[str]:
    """Differences of one section of files in words."""
    found = file_differences(one, other, section)
    problems = [f"{section}: {d.name} only in {one.folder}" for d in found if d.second == ABSENT]
    problems += [f"{section}: {d.name} only in {other.folder}" for d in found if d.first == ABSENT]
    return problems + [f"{section}: {k} differs" for k in differing_files(one, other, section)]


def packages(folder: Path) -> dict[str, str]:
    """Installed packages of a run by its SBOM; empty if there is none."""
    path = folder / SBOM
    bill = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"components": []}
    return {c["name"]: c["version"] for c in bill["components"]}


def package_differences(one: Recorded, other: Recorded) -> list[Difference]:
    """Packages of the bills that one run lacks or has in another version."""
    first, second = packages(one.folder), packages(other.folder)
    names = sorted(k for k in first.keys() | second.keys() if first.get(k) != second.get(k))
    return [Difference("packages", k, first.get(k, ABSENT), second.get(k, ABSENT)) for k in names]


def _leaves(value: Any, name: str = "") -> dict[str, Any]:
    """Settings by dotted name; a list is one value."""
    if not isinstance(value, dict) or not value:
        return {name: value}
    return {k: v for key, part in value.items() for k, v in _leaves(part, f"{name}.{key}" if name else key).items()}


def value_differences(one: Recorded, other: Recorded) -> list[Difference]:
    """Settings, versions and compiler words of the manifests that are not alike, by dotted name."""
    found = []
    for key in VALUES:
        first, second = (_leaves(r.manifest.get(key)) for r in (one, other))
        for k in sorted(first.keys() | second.keys()):
            if first.get(k) != second.get(k) or (k in first) != (k in second):
                a, b = (str(f[k]) if k in f else ABSENT for f in (first, second))
                found.append(Difference(key, k, a, b))
    return found


def compare_given(one: Recorded, other: Recorded) -> list[str]:
    """What the two runs were made from: inputs, facts, code, settings, packages."""
    problems = [p for section in GIVEN for p in compare_section(one, other, section)]
    values = value_differences(one, other)
    for key in VALUES:
        names = dict.fromkeys(d.name.split(".")[0] for d in values if d.part == key)
        told = ", ".join(n for n in names if n)
        problems += [f"{key} differs: {told}" if told else f"{key} differs"] if names else []
    return problems + [f"packages: {d.name} {d.first} and {d.second}" for d in package_differences(one, other)]


def compare(one: Recorded, other: Recorded) -> list[str]:
    """Differences between two runs, section by section (empty: byte-equal)."""
    return compare_given(one, other) + compare_section(one, other, "outputs")


def same_names(one: Recorded, other: Recorded) -> bool:
    """Whether two runs have results of the same names."""
    first, second = ({e["path"] for e in r.manifest["outputs"]} for r in (one, other))
    return first == second


def results_that_differ(one: Recorded, other: Recorded) -> list[str]:
    """Results present in both with different bytes, but for crate and SBOM, which only describe them."""
    return [p for p in differing_files(one, other, "outputs") if p not in (CRATE, SBOM)]


def class_differences(one: Recorded, other: Recorded) -> list[str]:
    """In what the machine classes of two runs differ (empty: equal bytes can be demanded)."""
    first, second = (r.run.get("machine_class", {"machine class": "not recorded"}) for r in (one, other))
    names = sorted(k for k in first.keys() | second.keys() if first.get(k) != second.get(k))
    return [f"{k}: {first.get(k, 'not recorded')} and {second.get(k, 'not recorded')}" for k in names]
