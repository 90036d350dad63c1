"""Parameters of a drug's model for many twins and draws, by the assembly of the drug library itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pharmtwin.core.gut import gut
from pharmtwin.drugs.dosing import dose_events
from pharmtwin.drugs.parameters import parameter_vector, parameter_vectors
from pharmtwin.drugs.schema import Drug
from pharmtwin.drugs.system import System, parts_of
from pharmtwin.drugs.values import scaled
from pharmtwin.engine.run import Dose
from pharmtwin.exposures.inputs import Inputs
from pharmtwin.exposures.people import People
from pharmtwin.exposures.regimens import Regimen

Floats = NDArray[np.float64]
#: factors at which a value's effect on the parameters is read, and how well a power must describe it
PROBES, EXACT = (1.3, 0.8), 1e-9


@dataclass(frozen=True)
class Draw:
    """One draw of all twins: parameters (n, n_parameters) and the doses, which a drug's own draw may shift or scale."""

    parameters: Floats
    doses: list[Dose]


def powers(drug: Drug, system: System, forms: Mapping[str, str], body: Mapping[str, float], path: str) -> Floats:
    """Exponent with which each parameter follows a value of the drug file, (n_parameters,).

    Raises ValueError if a parameter does not follow the value by a power.
    """

    def vector(factor: float) -> Floats:
        own = replace(system, parts=parts_of([scaled(drug, ({drug.name: {path: factor}},))], forms))
        return parameter_vector(own, body)

    base = vector(1.0)
    found = []
    for factor in PROBES:
        ratio = np.where(base != 0.0, vector(factor) / np.where(base != 0.0, base, 1.0), 1.0)
        found.append(np.log(ratio) / math.log(factor))
    if np.abs(found[0] - found[1]).max() > EXACT:
        wrong = system.model.parameter_names[int(np.abs(found[0] - found[1]).argmax())]
        raise ValueError(f"{drug.name}: {wrong} does not follow {path} by a power, so it cannot vary between twins")
    return np.asarray(np.round(found[0], 9))


def draws_of(drug: Drug, system: System, regimen: Regimen, people: People, inputs: Inputs) -> Iterator[Draw]:
    """The draws of a drug in all twins, one after the other."""
    forms = {drug.name: regimen.formulation} if regimen.formulation else {}
    typical = {q: float(np.median(v)) for q, v in people.body.items()}
    between = []
    for path, logs in inputs.values.items():
        exponents = powers(drug, system, forms, typical, path)
        between.append((np.exp(logs), [(int(c), float(exponents[c])) for c in np.flatnonzero(exponents)]))
    organs = {q: np.exp(logs) for q, logs in inputs.organs.items()}
    stomach = gut("fasted")
    for k in range(inputs.n):
        scales = {drug.name: {path: math.exp(logs[k]) for path, logs in inputs.shared.items()}}
        drawn = replace(system, parts=parts_of([scaled(drug, (scales,))], forms))
        bodies = people.bodies(k)
        for quantity, factors in organs.items():
            bodies[quantity] = bodies[quantity] * factors[:, k]
        P = parameter_vectors(drawn, bodies, {m: f[:, k] for m, f in inputs.molecules.items()}, gut=stomach)
        for factors, columns in between:
            for column, exponent in columns:
                P[:, column] *= factors[:, k] ** exponent
        yield Draw(P, dose_events(drawn, drug.name, "oral", regimen.doses(), regimen.formulation))
