"""Small drugs, the reference man, and exposures of systems of drugs: what the tests of ``drugs`` share."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pharmtwin.body.physiology import physiology, reference_twins
from pharmtwin.drugs.read import read_drug
from pharmtwin.drugs.schema import Drug
from pharmtwin.drugs.system import System
from pharmtwin.engine.run import Dose, pack, simulate
from pharmtwin.model.balance import total_mass

LONG = 3000.0  # h: everything linear is gone by then
TRANSIT = {
    "model": "transit",
    "MTT": {"value": 0.5, "unit": "h", "source": "test"},
    "F_a": {"value": 1.0, "unit": "1", "source": "test"},
}


def quantity(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "source": "test"}


def compound(**more: Any) -> dict[str, Any]:
    return {
        "physicochemistry": {"MW": quantity(300.0, "g/mol"), "logP": quantity(1.5, "1")},
        "binding": {"fu_p": quantity(0.2, "1"), "B_P": quantity(1.0, "1")},
        **more,
    }


def path(clearance: float, enzyme: str = "", **more: Any) -> dict[str, Any]:
    """A linear path of an enzyme (uL/min/pmol) or, without one, of the liver (L/h)."""
    name = "CLint_enzyme" if enzyme else "CLint_liver"
    unit = "uL/min/pmol" if enzyme else "L/h"
    return {"path": more.pop("name", enzyme or "rest"), "enzyme": enzyme, name: quantity(clearance, unit), **more}


def segmented(Peff: float = 4.0, **more: Any) -> dict[str, Any]:
    """Absorption in segments, the wall where it matters."""
    return {"Peff": quantity(Peff, "1e-4 cm/s"), **more}


def drug_maker(folder: Path) -> Callable[..., Drug]:
    """Writes a drug file and reads it: ``make(name, absorption=, formulations=, **compounds)``."""

    def make(name: str, absorption: Any = TRANSIT, formulations: Any = None, **compounds: dict[str, Any]) -> Drug:
        raw = {"schema": 2, "name": name, "compounds": compounds, "absorption": absorption}
        if formulations:
            raw["formulations"] = formulations
        file = folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
        return read_drug(str(file))

    return make


@lru_cache(maxsize=1)
def _man() -> dict[str, float]:
    table = physiology(reference_twins())
    return dict(table[table["twin_id"] == "population_M"].set_index("quantity")["value"])


def man(**changes: float) -> dict[str, float]:
    """The reference man without filtration, so that the liver is the only way out."""
    return _man() | {"GFR": 0.0} | changes


def hepatic_flow(body: dict[str, float]) -> float:
    return sum(body[f"Q_{o}"] for o in ("liver", "gut", "spleen", "pancreas"))


def solve(system: System, vector: np.ndarray, doses: list[Dose], times: Any, rtol: float = 1e-8) -> dict[str, Any]:
    """Observables over the times and final states by name (with an underscore before); mass must close."""
    packed = pack(system.model, np.array([vector]), [doses], [np.asarray(times, dtype=float)])
    solved = simulate(system.model, packed, rtol=rtol, engine="rosenbrock", form="tape")
    assert (solved.flag == 0).all(), solved.stat
    given = sum(d.amount for d in doses)
    assert abs(total_mass(system.model, solved.final_state[0].tolist()) - given) <= 1e-7 * max(given, 1e-9)
    out: dict[str, Any] = dict(zip(system.model.observable_names, solved.of(0).T))
    return out | {f"_{n}": v for n, v in zip(system.model.state_names, solved.final_state[0])}


def auc(system: System, vector: np.ndarray, doses: list[Dose], end: float = LONG, of: str = "AUC") -> float:
    """Area under the plasma concentration to the end (mg h/L); only for systems whose molar masses are equal."""
    return float(solve(system, vector, doses, [0.0, end])[of][-1])
