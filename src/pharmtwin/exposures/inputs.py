"""What varies in the draws of many twins, as numbers: of the drug, of each twin, and of its genotype.

Of a draw: every value of the drug file with a ``cv`` and the turnover of its enzymes have a factor that is the same for
all twins; each twin has its own factors on what handles the drug (by genotype and within it), on the values with
``between_subject``, on liver size and on GFR. The declarations are those that qualification draws its intervals from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pharmtwin.drugs.schema import Drug
from pharmtwin.drugs.values import quantities
from pharmtwin.exposures.activity import Activity
from pharmtwin.exposures.draws import components, many_normals, shared_normals, sliced
from pharmtwin.exposures.people import People
from pharmtwin.uncertainty.drugs import between_inputs, molecule_inputs, organ_inputs, turnover_inputs, value_inputs
from pharmtwin.uncertainty.spread import shipped_spread

Floats = NDArray[np.float64]
LIVER, GFR, KINACT = "V_liver", "GFR", ".inactivation.kinact"


@dataclass(frozen=True)
class Inputs:
    """Inputs of n draws.

    shared : path of the drug file -> logarithm of the factor of all twins, (n,). values : path -> logarithm of the
    twin's own factor, (twins, n). organs : the same by quantity of the body. molecules : enzyme or transporter ->
    activity relative to the reference diplotype, (twins, n); 0 where the genotype leaves none.
    """

    n: int
    shared: Mapping[str, Floats]
    values: Mapping[str, Floats]
    organs: Mapping[str, Floats]
    molecules: Mapping[str, Floats]


def inputs_of(
    drug: Drug, people: People, activity: Mapping[str, Mapping[str, Activity]], n: int, master: int
) -> Inputs:
    """The n draws of a drug in all twins; ``activity`` of :func:`activity.activities`."""
    spread, ids = shipped_spread(), people.twin_ids

    def own(what: str, sd: float | Floats) -> Floats:
        z = many_normals(master, [f"{t}:{what}" for t in ids], n)
        return np.asarray(np.atleast_1d(np.asarray(sd, dtype=float))[:, None] * z)

    molecules = {i.acts_on: np.exp(own(i.name, i.law.sd)) for i in molecule_inputs([drug], spread, tuple(activity))}
    for molecule in molecules:
        if molecule in activity:
            molecules[molecule] *= genotype_factors(activity[molecule], people, molecule, n, master)
    liver = next(i for i in organ_inputs(spread) if i.acts_on == LIVER)
    return Inputs(
        n,
        shared_logs(drug, n, master),
        {i.acts_on: own(i.name, i.law.sd) for i in between_inputs(drug)},
        {LIVER: own(liver.name, liver.law.sd), GFR: own("gfr", people.gfr_sd)},
        molecules,
    )


def shared_logs(drug: Drug, n: int, master: int) -> dict[str, Floats]:
    """Logarithm of the factor on each value of the drug file in each of n draws, (n,) by path.

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
    return logs


def genotype_factors(of: Mapping[str, Activity], people: People, molecule: str, n: int, master: int) -> Floats:
    """Relative activity by genotype, (twins, n): the components of the posterior in proportion to their weights."""
    out = np.empty((people.n, n))
    for row, twin in enumerate(people.twin_ids):
        mixture = of[twin].components
        # the numbers are drawn only where they decide
        u = sliced(master, f"{twin}:genotype:{molecule}", n) if len(mixture) > 1 else np.zeros(n)
        out[row] = picked(of[twin], u)
    return out


def picked(activity: Activity, u: Floats) -> Floats:
    """Relative activity at each of the sliced probabilities ``u``, by the weights of the components."""
    values, weights = (np.array(x) for x in zip(*activity.components, strict=True))
    return np.asarray(values[components(u, weights)])
