"""The analysis plan: question, criteria and settings, written and hashed before the fit, compared with the run after.

``paths.plan`` of the configuration makes the plan an input of the fit: the fit cannot run before it is there, and the
manifest records its hash. The plan holds no clock and no data, but the hashes of sheets that are known beforehand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pharmtwin import __version__
from pharmtwin.core.drug import drug_path
from pharmtwin.dossier.about import About
from pharmtwin.facts import sha256_file
from pharmtwin.findings import Finding
from pharmtwin.report.limits import flat

SCHEMA = "pharmtwin-plan-1"
#: what the author says in the plan already
STATED = (
    "question_of_interest", "context_of_use.one_line", "context_of_use.statement", "model_influence.level",
    "decision_consequence.level", "appropriateness", "estimation.priors",
)  # fmt: skip
#: sheets that are there before the observations are
SHEETS = ("twins", "scenarios", "published")


def plan(config: Mapping[str, Any], about: About, base: Path = Path(".")) -> dict[str, Any]:
    """The plan's content, from configuration and author's statements alone."""
    settings = {k: v for k, v in config.items() if k not in ("paths", "report", "qualification", "dossier")}
    paths = {k: str(config["paths"].get(k, "")) for k in SHEETS}
    files = {k: base / p for k, p in paths.items() if p} | {"drug": drug_path(str(config["drug"]), base)}
    return {
        "schema": SCHEMA,
        "study": config["study"],
        "pharmtwin": __version__,
        "stated": {k: about.text(k) for k in STATED},
        "criteria": {c["id"]: {k: c[k] for k in sorted(c) if k != "id"} for c in about.entries("criteria")},
        "settings": dict(flat(settings)),
        "sha256": {k: sha256_file(p) for k, p in files.items()},
    }


def plan_text(content: Mapping[str, Any]) -> str:
    """The plan as it is written to a file: equal plans have equal bytes."""
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def plan_hash(text: str) -> str:
    """sha256 of a plan's text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


@dataclass(frozen=True)
class Deviation:
    """A place where the run is not what the plan said; ``reason`` of the author, empty where none is given."""

    key: str
    planned: str
    done: str
    reason: str


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    out: dict[str, str] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            out |= _flat(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = str(value)
    return out


def deviations(planned: Mapping[str, Any], done: Mapping[str, Any], about: About) -> list[Deviation]:
    """Every key in which the plan and what was done differ, sorted."""
    before, after = _flat(planned), _flat(done)
    reasons = about.get("deviations") or {}
    none = "(nothing)"
    return [
        Deviation(k, before.get(k, none), after.get(k, none), str(reasons.get(k) or ""))
        for k in sorted(before.keys() | after.keys())
        if before.get(k) != after.get(k)
    ]


def read_plan(path: str, base: Path = Path(".")) -> tuple[dict[str, Any] | None, str, list[Finding]]:
    """A written plan, its hash, and findings (None and no hash if it cannot be read)."""
    why = "deviations from the plan cannot be listed"
    fix = "give the file that `pharmtwin plan` has written"
    try:
        text = (base / path).read_text(encoding="utf-8")
        content = json.loads(text)
    except (OSError, ValueError) as error:
        what = f"cannot be read as a plan ({type(error).__name__})"
        return None, "", [Finding.create("dossier.plan_unreadable", path, what, why, fix)]
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        what = f"is not a plan of schema {SCHEMA}"
        return None, "", [Finding.create("dossier.plan_unreadable", path, what, why, fix)]
    return content, plan_hash(text), []
