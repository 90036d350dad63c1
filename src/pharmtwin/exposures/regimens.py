"""Regimens of the exposures: drugs of the library, each alone, some doses at equal intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pharmtwin.drugs.read import read_drug
from pharmtwin.drugs.schema import Drug
from pharmtwin.drugs.system import System, build

Floats = NDArray[np.float64]
GRID_POINTS = 97  # of the last interval, as in the other predictions


@dataclass(frozen=True)
class Regimen:
    """``n_doses`` oral doses of ``dose_mg`` every ``interval_h``; formulation "": the first of the drug file."""

    drug: str
    dose_mg: float
    interval_h: float
    n_doses: int
    formulation: str = ""

    @property
    def name(self) -> str:
        """Drug, dose and regimen in one word, unique in a study: ``paroxetine_20mg_q24h_x7``."""
        form = f"_{self.formulation}" if self.formulation else ""
        return f"{self.drug}{form}_{self.dose_mg:g}mg_q{self.interval_h:g}h_x{self.n_doses}"

    @property
    def last_start(self) -> float:
        """Start of the last interval (h)."""
        return (self.n_doses - 1) * self.interval_h

    def times(self) -> Floats:
        """Grid of the last interval (h)."""
        return np.asarray(self.last_start + np.linspace(0.0, self.interval_h, GRID_POINTS))

    def doses(self) -> list[tuple[float, float, float]]:
        """(time h, amount mg, duration h)."""
        return [(k * self.interval_h, self.dose_mg, 0.0) for k in range(self.n_doses)]


def regimens_of(config: Mapping[str, Any]) -> list[Regimen]:
    """Those of ``exposures.regimens``; raises ValueError for two that are the same."""
    found = [
        Regimen(
            str(r["drug"]),
            float(r["dose_mg"]),
            float(r["interval_h"]),
            int(r["n_doses"]),
            str(r.get("formulation", "")),
        )
        for r in config["exposures"]["regimens"]
    ]
    names = [r.name for r in found]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise ValueError(f"exposures.regimens: {', '.join(twice)} stands there twice")
    return found


def system_of(regimen: Regimen) -> tuple[Drug, System]:
    """The drug and its model; raises DrugFileError, FileNotFoundError, KeyError (formulation)."""
    drug = read_drug(regimen.drug)
    forms = {drug.name: regimen.formulation} if regimen.formulation else None
    return drug, build([drug], f"{drug.name} alone", formulations=forms)
