"""A drug is one YAML file: values with unit and source, read once into a frozen dataclass."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pharmtwin.core.binding import PARTNERS
from pharmtwin.facts import RESOURCES, sha256_file
from pharmtwin.untrusted import inside, load_yaml


class DrugFileError(ValueError):
    """A drug file lacks something; the message lists every problem at once."""


@dataclass(frozen=True)
class Value:
    """A quantity with its unit and source.

    ``uncertainty``: sd of the logarithm of the typical value; ``between_subject``: sd of the logarithm
    between subjects (None: not variable in this model); ``start``: centre of the weak prior that an estimated value
    was found from (None: the value itself).
    """

    value: float
    unit: str
    source: str
    uncertainty: float | None = None
    between_subject: float | None = None
    start: float | None = None


#: what a drug file must hold: dotted key -> unit
REQUIRED = {
    "physicochemistry.MW": "g/mol",
    "physicochemistry.logP": "1",
    "physicochemistry.pKa": "1",
    "binding.fu_p": "1",
    "binding.B_P": "1",
    "distribution.Kp_scale": "1",
    "metabolism.CYP2D6_kcat": "1/min",
    "metabolism.CYP2D6_Km": "umol/L",
    "metabolism.CYP2D6_kinact": "1/h",
    "metabolism.CYP2D6_KI": "umol/L",
    "metabolism.CLint_other": "L/h",
    "absorption.F_a": "1",
    "absorption.residual_error": "1",
}
#: what a drug file may say in words: dotted key -> the words it may use (None: any enzyme of the body stage)
WORDS: dict[str, tuple[str, ...] | None] = {
    "binding.protein": PARTNERS,
    "metabolism.other_enzyme": None,
}
FORMULATION = {"MTT": "h", "lag": "h", "F_rel": "1"}
VARIABLE = ("distribution.Kp_scale", "metabolism.CYP2D6_kcat", "metabolism.CLint_other")


@dataclass(frozen=True)
class Drug:
    """A drug as the model needs it. ``values`` is keyed as in :data:`REQUIRED`, ``words`` as in :data:`WORDS`."""

    name: str
    kind: str
    sha256: str
    values: dict[str, Value] = field(repr=False)
    formulations: dict[str, dict[str, Value]] = field(repr=False)
    words: dict[str, str] = field(repr=False, default_factory=dict)

    def __getitem__(self, key: str) -> float:
        return self.values[key].value

    def formulation(self, name: str) -> dict[str, Value]:
        """Values of a formulation; raises DrugFileError naming the known ones."""
        if name not in self.formulations:
            raise DrugFileError(f"{self.name} has no formulation {name!r}; it has {sorted(self.formulations)}")
        return self.formulations[name]


#: drug files of the twin workflow (schema 1)
FOLDER = RESOURCES / "drugs" / "twin"


def plain_name(name: str) -> str:
    """The name if it is one file's, in no other folder; FileNotFoundError else."""
    if not inside(name) or "/" in name or "\\" in name:
        raise FileNotFoundError(f"{name!r} is no name of a drug; a path ends in .yaml")
    return name


def drug_path(name: str, base: Path = Path(".")) -> Path:
    """Path of a drug file: a path ending in .yaml, or a name in ``resources/drugs/twin``."""
    return base / name if name.endswith((".yaml", ".yml")) else FOLDER / f"{plain_name(name)}.yaml"


def known_drugs() -> list[str]:
    """Names of the drugs that ship for the twin workflow (the library of schema 2: ``drugs.read``)."""
    return sorted(p.stem for p in FOLDER.glob("*.yaml"))


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _value(where: str, raw: Any, unit: str, variable: bool, problems: list[str]) -> Value:
    if not isinstance(raw, dict) or "value" not in raw:
        problems.append(f"{where}: missing (need value, unit {unit}, source)")
        return Value(float("nan"), unit, "")
    if raw.get("unit") != unit:
        problems.append(f"{where}: unit is {raw.get('unit')!r}, must be {unit!r}")
    if not raw.get("source"):
        problems.append(f"{where}: no source")
    if not _is_number(raw["value"]):
        problems.append(f"{where}: value {raw['value']!r} is not a number")
    if variable and not all(_is_number(raw.get(k)) and raw[k] > 0 for k in ("uncertainty", "between_subject")):
        problems.append(f"{where}: needs uncertainty and between_subject (sd of the logarithm, > 0)")
    number = float(raw["value"]) if _is_number(raw["value"]) else float("nan")
    start = raw.get("start")
    if start is not None and not (_is_number(start) and start > 0):
        problems.append(f"{where}: start {start!r} is not a positive number")
        start = None
    source = str(raw.get("source", ""))
    return Value(number, unit, source, raw.get("uncertainty"), raw.get("between_subject"), start)


def load_drug(name: str, base: Path = Path(".")) -> Drug:
    """Read and check a drug file.

    Raises
    ------
    FileNotFoundError : no such drug. DrugFileError : everything that is wrong with the file, at once.
    """
    path = drug_path(name, base)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"no drug file {name}; shipped drugs: {', '.join(known_drugs())}")
    try:
        raw = _mapping(load_yaml(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise DrugFileError(f"{path.name}: cannot be read as YAML in UTF-8 ({' '.join(str(error).split())})") from None
    if raw.get("schema") == 2:
        raise DrugFileError(
            f"{path}: schema 2, a file for `pharmtwin qualify` and systems of drugs; the twin workflow reads schema 1 "
            f"({', '.join(known_drugs())})"
        )
    problems: list[str] = []
    values = {}
    for key, unit in REQUIRED.items():
        section, leaf = key.split(".")
        values[key] = _value(key, _mapping(raw.get(section)).get(leaf), unit, key in VARIABLE, problems)
    words = _words(raw, problems)
    kind = _mapping(raw.get("physicochemistry")).get("kind")
    if kind not in ("base", "acid", "neutral"):
        problems.append("physicochemistry.kind: must be base, acid or neutral")
    formulations = {}
    for form, spec in _mapping(_mapping(raw.get("absorption")).get("formulations")).items():
        formulations[form] = {
            k: _value(f"absorption.formulations.{form}.{k}", _mapping(spec).get(k), unit, k == "MTT", problems)
            for k, unit in FORMULATION.items()
        }
    if "IR" not in formulations:
        problems.append("absorption.formulations: needs at least IR")
    if problems:
        raise DrugFileError(f"{path.name}: " + "; ".join(problems))
    return Drug(str(raw.get("name", path.stem)), str(kind), sha256_file(path), values, formulations, words)


def _words(raw: dict[str, Any], problems: list[str]) -> dict[str, str]:
    """What a drug file says in words (each with a source); a key that is not there is left out."""
    words = {}
    for key, known in WORDS.items():
        section, leaf = key.split(".")
        given = _mapping(raw.get(section)).get(leaf)
        if given is None:
            continue
        value = _mapping(given).get("value")
        if not isinstance(value, str) or (known is not None and value not in known):
            problems.append(f"{key}: {value!r} is not one of {', '.join(known or ('the enzymes of the body stage',))}")
        elif not _mapping(given).get("source"):
            problems.append(f"{key}: no source")
        else:
            words[key] = value
    return words
