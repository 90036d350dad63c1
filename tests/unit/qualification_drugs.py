"""Small drugs and bodies for the tests of qualification."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pharmtwin.body.physiology import physiology, reference_twins
from pharmtwin.drugs.read import read_drug
from pharmtwin.drugs.schema import Drug
from pharmtwin.qualification.study import Person


def quantity(value: float, unit: str, **more: Any) -> dict[str, Any]:
    return {"value": value, "unit": unit, "source": "test", **more}


def compound(logp: float = 1.0, **more: Any) -> dict[str, Any]:
    return {
        "physicochemistry": {"MW": quantity(300.0, "g/mol"), "logP": quantity(logp, "1")},
        "binding": {"fu_p": quantity(0.2, "1"), "B_P": quantity(1.0, "1")},
        **more,
    }


def linear(clearance: float, enzyme: str = "", **more: Any) -> dict[str, Any]:
    """A linear path of the liver, of an enzyme (uL/min/pmol) or of none (L/h)."""
    name, unit = ("CLint_enzyme", "uL/min/pmol") if enzyme else ("CLint_liver", "L/h")
    extra = more.pop("extra", {})
    return {"path": enzyme or "rest", "enzyme": enzyme, name: quantity(clearance, unit, **extra), **more}


def drug_text(name: str, absorption: Mapping[str, Any] | None = None, **compounds: dict[str, Any]) -> str:
    oral = {"model": "transit", "MTT": quantity(0.5, "h"), "F_a": quantity(1.0, "1")}
    raw = {"schema": 2, "name": name, "compounds": compounds, "absorption": dict(absorption or oral)}
    return yaml.safe_dump(raw, sort_keys=False)


def make_drug(folder: Path, name: str, **compounds: dict[str, Any]) -> Drug:
    file = folder / f"{name}.yaml"
    file.write_text(drug_text(name, **compounds), encoding="utf-8")
    return read_drug(str(file))


@cache
def man() -> dict[str, float]:
    """The reference man without filtration, so that the liver is the only way out."""
    table = physiology(reference_twins())
    return dict(table[table["twin_id"] == "population_M"].set_index("quantity")["value"]) | {"GFR": 0.0}


def body(_: Person) -> dict[str, float]:
    return man()
