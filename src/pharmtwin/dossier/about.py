"""What the author states: ``dossier.yaml``, checked against its schema. What is not stated is a blank."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from pharmtwin.evaluation.tiers import activities
from pharmtwin.findings import Finding
from pharmtwin.intake.columns import SCHEMAS
from pharmtwin.intake.config import Places, read_config

WHY = "the dossier says what the author states and nothing else"
KINDS = {"string": "text", "number": "a number", "array": "a list", "object": "a block of keys", "null": "nothing"}


@cache
def about_schema() -> dict[str, Any]:
    """JSON Schema of ``dossier.yaml``."""
    return dict(json.loads((SCHEMAS / "dossier.schema.json").read_text(encoding="utf-8")))


def required_keys(schema: Mapping[str, Any] | None = None, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(dotted key, description) of every text that a released dossier needs, in the order of the schema."""
    for name, part in (about_schema() if schema is None else schema).get("properties", {}).items():
        if part.get("x-required"):
            yield f"{prefix}{name}", str(part["description"])
        yield from required_keys(part, f"{prefix}{name}.")


@dataclass(frozen=True)
class About:
    """The author's statements; ``file`` as the user wrote it, ``places`` the lines of the keys."""

    file: str
    content: Mapping[str, Any]
    places: Places

    def get(self, *keys: str) -> Any:
        """Value of a nested key; None where it or a block around it is absent."""
        value: Any = self.content
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def text(self, key: str) -> str:
        """Text of a dotted key, a blank line between paragraphs, no other line ends; empty where it is blank."""
        whole = str(self.get(*key.split(".")) or "").strip()
        return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", whole))

    def entries(self, key: str) -> list[Any]:
        """A list; empty where it is blank."""
        return list(self.get(key) or [])

    def blanks(self) -> list[tuple[str, str]]:
        """(dotted key, description) of every required text that is empty, and of criteria where there are none."""
        empty = [(k, d) for k, d in required_keys() if not self.text(k)]
        criteria = self.entries("criteria")
        if not criteria:
            empty.append(("criteria", "technical criteria, set before the fit"))
        empty += [(f"criteria.{c['id']}.why", "the reason for the limit") for c in criteria if not c.get("why")]
        return empty


def _at(about: str, places: Places, key: str, rule: str, what: str, why: str, fix: str, value: object = "") -> Finding:
    """A finding at the line of a key, or of the nearest block around it."""
    parts = key.split(".")
    near = next((p for n in range(len(parts), 0, -1) if (p := places.get(".".join(parts[:n])))), (about, 0))
    return Finding.create(f"dossier.{rule}", about, what, why, fix, row=near[1], column=key, value=value)


def _explained(file: str, places: Places, error: ValidationError) -> Iterator[Finding]:
    """The findings of one error of the schema."""
    schema: Any = error.schema
    path = [str(p) if isinstance(p, str) else str(p + 1) for p in error.absolute_path]
    key = ".".join(path)
    why = f"it is {schema.get('description', 'a part of the dossier')}"
    instance: Any = error.instance
    value = instance if isinstance(instance, str | int | float) else ""
    if error.validator == "additionalProperties":
        known = list(schema["properties"])
        for name in (k for k in instance if k not in known):
            near = get_close_matches(str(name), known, n=1)
            fix = f"did you mean {near[0]}?" if near else f"delete it; known here: {', '.join(known)}"
            full = ".".join([*path, str(name)])
            yield _at(file, places, full, "unknown_key", "the key is not known", "it would not be shown", fix)
    elif error.validator == "required":
        missing = [k for k in schema["required"] if k not in instance and error.message.startswith(repr(k))]
        what = f"{', '.join(missing)} is missing"
        yield _at(file, places, key, "key_missing", what, why, "add the key")
    elif error.validator == "type":
        wanted: Any = error.validator_value
        kinds = [KINDS.get(k, k) for k in ([wanted] if isinstance(wanted, str) else wanted)]
        fix = f"write {' or '.join(kinds)}"
        yield _at(file, places, key, "type", f"is not {kinds[0]}", why, fix, value)
    elif error.validator == "enum":
        choices: Any = error.validator_value
        listed = ", ".join(str(v) for v in choices if v)
        yield _at(file, places, key, "choice", f"is not one of {listed}", why, "write one of them", value)
    else:
        yield _at(file, places, key, "form", str(error.message), why, "correct the value", value)


def _own_rules(file: str, places: Places, content: Mapping[str, Any]) -> Iterator[Finding]:
    """What a schema cannot say: limits of criteria, ids, activities."""
    seen: set[str] = set()
    for i, criterion in enumerate(content.get("criteria") or [], start=1):
        key = f"criteria.{i}"
        if ("at_most" in criterion) == ("at_least" in criterion):
            what = "has both at_most and at_least" if "at_most" in criterion else "has no limit"
            why, fix = "a criterion is met or not by one limit", "give at_most or at_least"
            yield _at(file, places, key, "criterion_limit", what, why, fix, criterion["id"])
        if criterion["id"] in seen:
            fix = "give each criterion its own id"
            yield _at(
                file, places, key, "criterion_twice", "the id stands twice", "ids are cited", fix, criterion["id"]
            )
        seen.add(criterion["id"])
    known = list(activities()["activity"])
    done = {e["activity"] for e in content.get("evidence") or []}
    for block in ("evidence", "not_done"):
        for i, entry in enumerate(content.get(block) or [], start=1):
            name = entry["activity"]
            if name not in known:
                near = get_close_matches(name, known, n=1)
                fix = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
                what = "is not a known activity"
                yield _at(file, places, f"{block}.{i}", "activity", what, "it could not be shown", fix, name)
            elif block == "not_done" and name in done:
                what, why = "is stated as done and as not done", "only one can be true"
                yield _at(file, places, f"{block}.{i}", "activity", what, why, "delete one of the two", name)


def read_about(path: str, base: Path = Path(".")) -> tuple[About | None, list[Finding]]:
    """Read and check ``dossier.yaml``: the statements (None if the file is wrong) and all findings."""
    content, places, findings = read_config(path, base)
    if content is None:
        return None, findings
    for error in sorted(Draft202012Validator(about_schema()).iter_errors(content), key=lambda e: str(e.path)):
        findings += _explained(path, places, error)
    if not findings:
        findings += _own_rules(path, places, content)
    return (None if findings else About(path, content, places)), findings


def blank_findings(about: About, severity: str) -> list[Finding]:
    """One finding a blank: ``warning`` in a draft, ``error`` when the dossier is to be released."""
    return [
        Finding.create(
            "dossier.blank", about.file, "is blank", f"it is {d}", "fill it in", column=key, severity=severity
        )
        for key, d in about.blanks()
    ]
