"""Software bill of materials: every installed package as CycloneDX 1.6 JSON.

Specification: CycloneDX 1.6 (ECMA-424), JSON. No clock and no host: an equal environment gives equal bytes.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from pharmtwin import __version__
from pharmtwin.provenance.hashes import seal_of
from pharmtwin.workflow.plan import REPOSITORY

OWN = "pharmtwin"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "pharmtwin")


def normalised(name: str) -> str:
    """Name of a distribution as registries compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def purl(name: str, version: str) -> str:
    """Package URL of a Python distribution (type pypi: name lower case, underscores as hyphens)."""
    return f"pkg:pypi/{normalised(name)}@{version.replace('+', '%2B')}"


def lock_hashes(text: str) -> dict[tuple[str, str], list[str]]:
    """sha256 of the archives that a lock accepts, by normalised name and version."""
    out: dict[tuple[str, str], list[str]] = {}
    here: list[str] = []
    for line in text.splitlines():
        if start := re.match(r"([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", line):
            here = out.setdefault((normalised(start[1]), start[2]), [])
        elif found := re.match(r"\s+--hash=sha256:([0-9a-f]{64})", line):
            here.append(found[1])
    return out


def licences(info: Mapping[str, Any], classifiers: Iterable[str]) -> list[dict[str, Any]]:
    """Licence as the package states it: SPDX expression, else classifiers, else the first line of its text; else []."""
    if expression := info.get("License-Expression"):
        return [{"expression": str(expression), "acknowledgement": "declared"}]
    named = [c.split(" :: ")[-1] for c in classifiers if c.startswith("License :: ")]
    named = [n for n in named if n != "OSI Approved"]
    text = str(info.get("License") or "").strip()
    if not named and text and text.upper() != "UNKNOWN":
        named = [text.splitlines()[0][:120]]
    return [{"license": {"name": n, "acknowledgement": "declared"}} for n in sorted(set(named))]


def _licence_file(one: metadata.Distribution) -> list[dict[str, Any]]:
    """First line of a licence file that lies in the package, for one that states nothing else; [] if there is none."""
    for file in one.files or []:
        if re.match(r"(licen[cs]e|copying)", file.name, re.IGNORECASE) and (path := Path(str(file.locate()))).is_file():
            lines = [t.strip() for t in path.read_text(encoding="utf-8", errors="replace").splitlines()]
            title = next((t for t in lines if t), "")
            return [{"license": {"name": f"file {file.name}: {title[:100]}"}}]
    return []


def _needs(one: metadata.Distribution, installed: Mapping[str, str]) -> list[str]:
    """References of the installed packages that a package needs without extras, sorted."""
    needed = set()
    for text in one.requires or []:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            needed.add(normalised(wanted.name))
    return sorted(installed[n] for n in needed if n in installed)


def _component(one: metadata.Distribution, accepted: list[str]) -> dict[str, Any]:
    name, version = one.metadata["Name"], one.version
    reference = purl(name, version)
    classifiers = one.metadata.get_all("Classifier") or []
    stated = licences({k: one.metadata[k] for k in one.metadata}, classifiers)
    component: dict[str, Any] = {
        "type": "library", "bom-ref": reference, "name": name, "version": version, "purl": reference,
        "licenses": stated or _licence_file(one) or [{"license": {"name": "not stated by the package"}}],
    }  # fmt: skip
    if accepted:
        component["externalReferences"] = [{
            "type": "distribution",
            "url": "requirements.lock",
            "comment": "sha256 of the archives that the lock accepts; the package was installed from one of them",
            "hashes": [{"alg": "SHA-256", "content": h} for h in accepted],
        }]  # fmt: skip
    locked = "yes" if accepted else "no: installed beside the lock"
    component["properties"] = [{"name": "pharmtwin:in-lock", "value": locked}]
    return component


def sbom(locks: Iterable[Path] | None = None) -> dict[str, Any]:
    """The bill of every package of this interpreter's environment; PharmTwin itself is its subject.

    ``locks``: files with hashes (default: requirements.lock and those of the optional extras in the checkout).
    """
    hashes: dict[tuple[str, str], list[str]] = {}
    for lock in sorted(REPOSITORY.glob("requirements*.lock")) if locks is None else locks:
        for key, values in lock_hashes(lock.read_text(encoding="utf-8")).items():
            hashes.setdefault(key, values)
    found: dict[str, metadata.Distribution] = {}
    for one in metadata.distributions():  # the first of a name is the one that is imported
        found.setdefault(normalised(one.metadata["Name"]), one)
    own = found.pop(OWN, None)
    installed = {name: purl(one.metadata["Name"], one.version) for name, one in found.items()}
    subject = purl(OWN, __version__)
    bill: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "lifecycles": [{"phase": "operations"}],
            "component": {
                "type": "application", "bom-ref": subject, "name": OWN, "version": __version__, "purl": subject,
                "licenses": [{"expression": "Apache-2.0", "acknowledgement": "declared"}],
            },
        },
        "components": [_component(found[n], hashes.get((n, found[n].version), [])) for n in sorted(found)],
        "dependencies": [
            {"ref": subject, "dependsOn": _needs(own, installed) if own else []},
            *({"ref": installed[n], "dependsOn": _needs(found[n], installed)} for n in sorted(found)),
        ],
    }  # fmt: skip
    # the same content has the same serial number: a bill of an equal environment is the same bill
    return {**bill, "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, seal_of(bill))}"}
