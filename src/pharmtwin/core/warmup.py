"""Compile the code of a model once, so that no simulating job does."""

from __future__ import annotations

import numpy as np

from pharmtwin.core.whole_body import whole_body
from pharmtwin.engine.compiled import source_key
from pharmtwin.engine.run import Dose, pack, simulate, simulate_with_sensitivities
from pharmtwin.model.description import Model

MODELS = {"whole_body": whole_body}


def warm_up(name: str) -> dict[str, object]:
    """Solve one small run with every compiled entry point; returns what the compile stamp says."""
    model: Model = MODELS[name]()
    batch = pack(model, [np.ones(len(model.parameters))], [[Dose(0.0, 1.0)]], [np.array([0.5, 1.0])])
    simulate_with_sensitivities(model, batch)
    simulate(model, batch, engine="rosenbrock")
    solved = simulate(model, batch, engine="cvode")
    return {
        "model": name,
        "states": len(model.states),
        "parameters": len(model.parameters),
        "description": model.digest,
        "compiled": source_key(model),
        "cvode": solved.path,
    }
