"""Two runs side by side: what differs between their manifests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pharmtwin.provenance.manifest import CRATE, SBOM
from pharmtwin.provenance.verify import Recorded

#: sections of files that have to be equal before results can be expected to be
GIVEN = ("inputs", "facts", "code")
VALUES = ("config", "software", "study", "data_kind", "solver")


def _hashes(section: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Shown path -> hashes (two inputs from different places may share a name)."""
    out: dict[str, list[str]] = {}
    for item in section:
        out.setdefault(item["path"], []).append(item["sha256"])
    return {k: sorted(v) for k, v in out.items()}


def differing_files(one: Recorded, other: Recorded, section: str) -> list[str]:
    """Paths of a section that both have with different bytes."""
    first, second = (_hashes(r.manifest[section]) for r in (one, other))
    return sorted(k for k in first.keys() & second.keys() if first[k] != second[k])


def compare_section(one: Recorded, other: Recorded, section: str) -> list[str]:
    """Differences of one section of files in words."""
    first, second = (_hashes(r.manifest[section]) for r in (one, other))
    problems = [f"{section}: {k} only in {one.folder}" for k in sorted(first.keys() - second.keys())]
    problems += [f"{section}: {k} only in {other.folder}" for k in sorted(second.keys() - first.keys())]
    return problems + [f"{section}: {k} differs" for k in differing_files(one, other, section)]


def packages(folder: Path) -> dict[str, str]:
    """Installed packages of a run by its SBOM; empty if there is none."""
    path = folder / SBOM
    bill = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"components": []}
    return {c["name"]: c["version"] for c in bill["components"]}


def compare_given(one: Recorded, other: Recorded) -> list[str]:
    """What the two runs were made from: inputs, facts, code, settings, packages."""
    problems = [p for section in GIVEN for p in compare_section(one, other, section)]
    for key in VALUES:
        a, b = one.manifest.get(key), other.manifest.get(key)
        if a != b and isinstance(a, dict) and isinstance(b, dict):
            names = sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k))
            problems.append(f"{key} differs: {', '.join(names)}")
        elif a != b:
            problems.append(f"{key} differs")
    first, second = packages(one.folder), packages(other.folder)
    for name in sorted(k for k in first.keys() | second.keys() if first.get(k) != second.get(k)):
        problems.append(f"packages: {name} {first.get(name, 'absent')} and {second.get(name, 'absent')}")
    return problems


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
