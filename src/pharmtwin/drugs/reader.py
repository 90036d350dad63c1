"""Reading one value of a drug file after the other, with the line of each and a finding for whatever is wrong."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeGuard

import yaml

from pharmtwin.drugs import fields as f
from pharmtwin.drugs.schema import Quantity
from pharmtwin.findings import Finding
from pharmtwin.untrusted import Endless, YamlBomb, compose_yaml, construct

WHY = "the model computes with it, and nothing is filled in"
EXTRAS = ("value", "unit", "source", "cv", "between_subject", "start", "note")


@dataclass
class Reader:
    """Lines and findings of one file; a method for each kind of value that a drug file holds."""

    file: str
    lines: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    # ---- the file

    def tree(self, path: Path) -> Any:
        """The YAML of a file, the line of every key noted; None, with a finding, where there is none to be read."""
        try:
            loader, node = compose_yaml(path.read_text(encoding="utf-8"))
            if node is None:
                return None
            self.note_lines(node, "")  # before merge keys (<<) are resolved: what they bring in stands nowhere twice
            return construct(loader, node)
        except UnicodeDecodeError:
            self.error("", "drug.encoding", "is not a text file in UTF-8", "save it as UTF-8")
        except OSError as error:
            self.error("", "drug.unreadable", f"cannot be read ({type(error).__name__})", "give a file that is there")
        except Endless as error:
            # an alias may contain itself, or double what it repeats at every level
            self.error("", "drug.alias", str(error), "write the values out")
        except YamlBomb as error:
            self.error("", "drug.yaml", f"cannot be read: {error}", "write it as the shipped files are")
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            self.lines[""] = mark.line + 1 if mark else 0
            self.error("", "drug.yaml", "is not valid YAML", "correct the line (indentation, colons, quotes)")
        return None

    # ---- places and findings

    def note_lines(self, node: yaml.Node | None, prefix: str) -> None:
        """Line of every key, lists by their position (``metabolism.0.Km``)."""
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                name = f"{prefix}{key.value}"
                if name in self.lines:
                    self.error(
                        name, "yaml.duplicate_key", f"the key stands twice, in line {key.start_mark.line + 1} again",
                        "keep one of them", why="the last one would count, and the others be dropped in silence",
                    )  # fmt: skip
                    continue
                self.lines[name] = key.start_mark.line + 1
                self.note_lines(value, f"{name}.")
        elif isinstance(node, yaml.SequenceNode):
            for i, value in enumerate(node.value):
                self.lines[f"{prefix}{i}"] = value.start_mark.line + 1
                self.note_lines(value, f"{prefix}{i}.")

    def row(self, key: str) -> int:
        """Line of a key, or of the nearest one above it."""
        while key and key not in self.lines:
            key = key.rpartition(".")[0]
        return self.lines.get(key, 0)

    def say(self, key: str, rule: str, severity: str, what: str, fix: str, value: object = "", why: str = WHY) -> None:
        place = {"row": self.row(key), "column": key, "severity": severity}
        self.findings.append(Finding.create(rule, self.file, what, why, fix, value=value, **place))  # type: ignore[arg-type]

    def error(self, key: str, rule: str, what: str, fix: str, value: object = "", why: str = WHY) -> None:
        self.say(key, rule, "error", what, fix, value, why)

    # ---- parts

    def mapping(self, key: str, raw: object, allowed: tuple[str, ...]) -> dict[str, Any]:
        """A mapping with known keys only (``allowed`` empty: any)."""
        if raw is None:
            return {}
        if not isinstance(raw, dict):
            self.error(key, "drug.form", "is not a mapping of keys", "write keys with values below it")
            return {}
        for name in raw:
            if allowed and name not in allowed:
                near = get_close_matches(str(name), allowed, n=1)
                hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(allowed)}"
                why = "a key that is not known has no effect"
                self.error(
                    f"{key}.{name}" if key else str(name), "drug.unknown_key", "the key is not known", hint, why=why
                )
        return {str(k): v for k, v in raw.items()}

    def entries(self, key: str, raw: object) -> list[tuple[str, dict[str, Any]]]:
        """A list of mappings, each with its key."""
        if raw is None:
            return []
        if not isinstance(raw, list) or not all(isinstance(x, dict) for x in raw):
            self.error(key, "drug.form", "is not a list of entries", "begin each entry with a dash")
            return []
        return [(f"{key}.{i}", x) for i, x in enumerate(raw)]

    def quantity(self, key: str, raw: object, spec: f.Field) -> Quantity | None:
        """A quantity in its unit and range; None, with findings, if it cannot be used."""
        if not isinstance(raw, dict) or "value" not in raw:
            self.error(
                key, "drug.quantity", f"needs value, unit ({spec.unit}) and source", "write {value: , unit: , source: }"
            )
            return None
        self.mapping(key, raw, EXTRAS)
        value, unit, source = raw["value"], str(raw.get("unit", "")), str(raw.get("source", "")).strip()
        if not is_number(value):
            self.error(key, "drug.number", "is not a finite number", "write a number", value)
            return None
        if unit != spec.unit:
            self.error(
                key,
                "drug.unit",
                f"is in {unit or 'no unit'}, must be in {spec.unit}",
                f"convert it to {spec.unit}",
                value,
            )
        if not source:
            self.error(key, "drug.source", "has no source", "name the paper, or write estimated and from what", value)
        number = float(value)
        if not spec.low <= number <= spec.high:
            what = f"{spec.meaning}: cannot be outside {spec.low:g} to {spec.high:g} {spec.unit}"
            self.error(
                key, "drug.range", what, f"check the unit: it is {spec.unit} here{_thousands(number, spec)}", value
            )
        elif spec.rare and not spec.rare[0] <= number <= spec.rare[1]:
            what = f"{spec.meaning}: rarely outside {spec.rare[0]:g} to {spec.rare[1]:g} {spec.unit}"
            fix = f"check the unit: it is {spec.unit} here{_thousands(number, spec)}; leave it if it is right"
            self.say(key, "drug.rare", "warning", what, fix, value)
        spread = {}
        for name in ("cv", "between_subject", "start"):
            if name in raw and not (is_number(raw[name]) and raw[name] > 0):
                self.error(
                    f"{key}.{name}", "drug.number", "is not a positive number", "write a number above 0", raw[name]
                )
            elif name in raw:
                spread[name] = float(raw[name])
        return Quantity(
            number, unit, source, spread.get("cv", 0.0), spread.get("between_subject", 0.0), spread.get("start")
        )

    def quantities(self, key: str, raw: Mapping[str, Any], specs: Mapping[str, f.Field]) -> dict[str, Quantity]:
        found = {name: self.quantity(f"{key}.{name}", raw[name], spec) for name, spec in specs.items() if name in raw}
        return {name: q for name, q in found.items() if q is not None}

    def word(self, key: str, raw: object, known: tuple[str, ...], default: str) -> str:
        """One of some words; a finding and the default for another."""
        if raw is None:
            return default
        word = raw.get("value") if isinstance(raw, dict) else raw
        if word not in known:
            self.error(key, "drug.word", f"is not one of {', '.join(known)}", "write one of them", word)
            return default
        return str(word)

    def switch(self, key: str, raw: object) -> bool:
        """true or false (nothing: false), or ``{value, source}`` of one; a finding for anything else."""
        on = value_of(raw, "no")
        if raw is not None and not isinstance(on, bool):
            self.error(key, "drug.word", "is neither true nor false", "write true or false", on)
        return on is True

    def pka(self, key: str, raw: object) -> tuple[float, ...]:
        """Constants of dissociation: a list of numbers with a source, ``{value: [..], unit: "1", source: ..}``."""
        if raw is None:
            return ()
        values = raw.get("value") if isinstance(raw, dict) else None
        values = [values] if is_number(values) else values
        if not isinstance(values, list) or not all(is_number(v) for v in values) or not str(raw.get("source", "")):  # type: ignore[attr-defined]
            self.error(
                key,
                "drug.quantity",
                "needs a number or a list of numbers, and a source",
                "write {value: [..], source: }",
            )
            return ()
        odd = [v for v in values if not -5 <= v <= 16]
        if odd:
            self.error(key, "drug.range", "a pKa lies between -5 and 16", "check the value", odd[0])
        return tuple(float(v) for v in values)


def is_number(value: object) -> TypeGuard[float]:
    """A finite number, not a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def value_of(raw: object, default: str) -> object:
    """The value of ``{value, source}``, or the thing itself."""
    return raw.get("value", default) if isinstance(raw, dict) else (default if raw is None else raw)


def _thousands(number: float, spec: f.Field) -> str:
    """A hint where a power of a thousand makes the value plausible: the usual slip of a unit prefix."""
    low, high = spec.rare or (spec.low, spec.high)
    for factor, words in ((1e-3, "divided by 1000"), (1e3, "times 1000"), (1e-6, "divided by 1e6"), (60.0, "times 60")):
        if low <= number * factor <= high:
            return f" ({number * factor:.4g} if it is {words})"
    return ""
