"""Parameters of a drug's model for many twins and draws, by the assembly of the drug library itself.

Of a draw: every value of the drug file with a ``cv`` and the turnover of its enzymes have a factor that is the same for
all twins; each twin has its own factors on what handles the drug (by genotype and within it), on the values with
``between_subject``, on liver size and on GFR. The declarations are those that qualification draws its intervals from.
"""

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
from pharmtwin.drugs.values import quantities, scaled
from pharmtwin.engine.run import Dose
from pharmtwin.exposures.activity import Activity
from pharmtwin.exposures.draws import components, many_normals, shared_normals, sliced
from pharmtwin.exposures.people import People
from pharmtwin.exposures.regimens import Regimen
from pharmtwin.uncertainty.drugs import between_inputs, molecule_inputs, organ_inputs, turnover_inputs, value_inputs
from pharmtwin.uncertainty.spread import shipped_spread

Floats = NDArray[np.float64]
LIVER, GFR, KINACT = "V_liver", "GFR", ".inactivation.kinact"
#: factors at which a value's effect on the parameters is read, and how well a power must describe it
PROBES, EXACT = (1.3, 0.8), 1e-9


@dataclass(frozen=True)
class Draw:
    """One draw of all twins: parameters (n, n_parameters) and the doses, which a drug's own draw may shift or scale."""

    parameters: Floats
    doses: list[Dose]


def shared_scales(drug: Drug, n: int, master: int) -> list[dict[str, dict[str, float]]]:
    """Factors on the drug's values in each of n draws, as ``drugs.values.scaled`` takes them.

    Turnover of an inactivated enzyme acts on kinact: what inactivation leaves is decided by kinact over turnover.
    """
    values, turnover = value_inputs(drug), turnover_inputs([drug], shipped_spread())
    names = [f"{drug.name}:{i.acts_on}" for i in values] + [i.name for i in turnover]
    z = shared_normals(master, names, n)
    logs = {i.acts_on: i.law.sd * z[k] for k, i in enumerate(values)}
    of_enzyme = {i.acts_on: i.law.sd * z[len(values) + k] for k, i in enumerate(turnover)}
    for path in quantities(drug):
        if path.endswith(KINACT) and (target := path.split(".")[3]) in of_enzyme:
            logs[path] = logs.get(path, np.zeros(n)) - of_enzyme[target]
    return [{drug.name: {path: math.exp(x[k]) for path, x in logs.items()}} for k in range(n)]


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


def draws_of(
    drug: Drug,
    system: System,
    regimen: Regimen,
    people: People,
    activity: Mapping[str, Mapping[str, Activity]],
    n: int,
    master: int,
) -> Iterator[Draw]:
    """The n draws of a drug in all twins, one after the other; ``activity`` of ``activities``."""
    forms = {drug.name: regimen.formulation} if regimen.formulation else {}
    spread, ids = shipped_spread(), people.twin_ids

    def own(what: str, sd: float | Floats) -> Floats:
        z = many_normals(master, [f"{t}:{what}" for t in ids], n)
        return np.asarray(np.exp(np.atleast_1d(np.asarray(sd, dtype=float))[:, None] * z))

    molecules = {i.acts_on: own(i.name, i.law.sd) for i in molecule_inputs([drug], spread, tuple(activity))}
    for molecule in molecules:
        if molecule in activity:
            molecules[molecule] = molecules[molecule] * genotype_factors(
                activity[molecule], people, molecule, n, master
            )
    liver = next(i for i in organ_inputs(spread) if i.acts_on == LIVER)
    organs = {LIVER: own(liver.name, liver.law.sd), GFR: own("gfr", people.gfr_sd)}
    typical = {q: float(np.median(v)) for q, v in people.body.items()}
    between = []
    for i in between_inputs(drug):
        exponents = powers(drug, system, forms, typical, i.acts_on)
        factors = own(i.name, i.law.sd)
        between.append((factors, [(int(c), float(exponents[c])) for c in np.flatnonzero(exponents)]))
    stomach = gut("fasted")
    for k, scales in enumerate(shared_scales(drug, n, master)):
        drawn = replace(system, parts=parts_of([scaled(drug, (scales,))], forms))
        bodies = people.bodies(k)
        for quantity, factors in organs.items():
            bodies[quantity] = bodies[quantity] * factors[:, k]
        P = parameter_vectors(drawn, bodies, {m: f[:, k] for m, f in molecules.items()}, gut=stomach)
        for factors, columns in between:
            for column, exponent in columns:
                P[:, column] *= factors[:, k] ** exponent
        yield Draw(P, dose_events(drawn, drug.name, "oral", regimen.doses(), regimen.formulation))


def genotype_factors(of: Mapping[str, Activity], people: People, molecule: str, n: int, master: int) -> Floats:
    """Relative activity by genotype, (twins, n): the components of the posterior in proportion to their weights."""
    out = np.empty((people.n, n))
    for row, twin in enumerate(people.twin_ids):
        values, weights = (np.array(x) for x in zip(*of[twin].components, strict=True))
        if len(values) == 1:
            out[row] = values[0]
        else:
            out[row] = values[components(sliced(master, f"{twin}:genotype:{molecule}", n), weights)]
    return out
