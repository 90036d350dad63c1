"""Inputs of a draw as the emulator takes them: numbers on which the exposure depends smoothly.

Values of the drug file: logarithm of the factor of all twins times the twin's own. Enzymes and transporters: logarithm
of the activity by genotype times the content that the body has, above a floor, since a genotype may leave none. Body:
logarithms of :data:`BODY`; the rest of the body goes with them, or is left to the twin's own solves to correct.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pharmtwin.drugs.schema import Drug
from pharmtwin.exposures.activity import Activity
from pharmtwin.exposures.draws import normals, sliced
from pharmtwin.exposures.emulator import Emulator
from pharmtwin.exposures.inputs import GFR, LIVER, Inputs, inputs_of, picked
from pharmtwin.exposures.people import People

Floats = NDArray[np.float64]
#: sizes, flows and blood of a person; liver and GFR move from draw to draw
BODY = (LIVER, GFR, "CO", "Q_liver", "V_muscle", "V_adipose", "haematocrit", "albumin", "AGP")
#: relative activity below which less makes no difference: other routes have taken over
FLOOR = 0.05
#: quantity of the body: content of an enzyme or transporter relative to the reference adult, 1 where there is none
CONTENT = "enzyme_{}"
#: the points are the draws of a twin of this name, whose numbers are those of everybody
NOBODY = "points"
CERTAIN = Activity(((1.0, 1.0),), 0.0)


def features_of(inputs: Inputs, people: People, row: int) -> dict[str, Floats]:
    """Features of the draws of one twin, name -> (n,)."""
    paths = dict.fromkeys([*inputs.shared, *inputs.values])
    zero = np.zeros(inputs.n)
    out = {p: inputs.shared.get(p, zero) + (inputs.values[p][row] if p in inputs.values else zero) for p in paths}
    body = _in_turn(people, row, map(CONTENT.format, inputs.molecules), inputs.n)
    out |= {m: _activity(relative[row], body, m) for m, relative in inputs.molecules.items()}
    sizes = _sizes(people, row, inputs.n)
    return out | {q: v + (inputs.organs[q][row] if q in inputs.organs else zero) for q, v in sizes.items()}


def _in_turn(people: People, row: int, names: Iterable[str], n: int) -> dict[str, Floats]:
    """Quantities of a twin's body: (1,), or (n,) where it is uncertain, its bodies in turn as in ``People.bodies``."""
    body = people.bodies_of(row)
    return {q: body[q] if len(body[q]) == 1 else body[q][np.arange(n) % len(body[q])] for q in names if q in body}


def _sizes(people: People, row: int, n: int) -> dict[str, Floats]:
    """Logarithms of :data:`BODY`; raises KeyError for a body without one."""
    body = _in_turn(people, row, BODY, n)
    return {q: np.log(body[q]) for q in BODY}


def _activity(relative: Floats, body: Mapping[str, Floats], molecule: str) -> Floats:
    return np.asarray(np.log(relative * body.get(CONTENT.format(molecule), 1.0) + FLOOR))


@dataclass(frozen=True)
class Points:
    """Where every twin is emulated: n draws of everything that varies, the same for all twins.

    A twin's genotype, body and knowledge of its GFR turn them into its own inputs. sums : what the inputs that need
    nothing of the twin add to the emulator's weighted sums. molecules : activity within a genotype, (n,). genotype :
    probabilities that pick the component, (n,). gfr : standard normal, (n,). noise : standard normal, (n, outputs).
    """

    emulator: Emulator
    sums: Floats
    molecules: Mapping[str, Floats]
    genotype: Mapping[str, Floats]
    gfr: Floats
    noise: Floats

    def of(self, people: People, activity: Mapping[str, Mapping[str, Activity]], row: int) -> Floats:
        """Outputs of one twin at the points, (n, outputs)."""
        n, twin = len(self.sums), people.twin_ids[row]
        body = _in_turn(people, row, map(CONTENT.format, self.molecules), n)
        own = [people.gfr_sd[row] * self.gfr]
        for m, within in self.molecules.items():
            relative = within * picked(activity[m][twin], self.genotype[m]) if m in activity else within
            own.append(_activity(relative, body, m))
        moving = np.stack(own, axis=1) @ self.emulator.rows([GFR, *self.molecules])
        sizes = np.stack(np.broadcast_arrays(*_sizes(people, row, n).values()), axis=1) @ self.emulator.rows(BODY)
        return self.emulator.finish(self.sums + moving + sizes)


def points_of(emulator: Emulator, drug: Drug, genotyped: Mapping[str, object], n: int, master: int) -> Points:
    """The points of a drug; raises ValueError where the emulator was fitted to other inputs."""
    nobody = People((NOBODY,), {}, np.ones(1), {})
    inputs = inputs_of(drug, nobody, {m: {NOBODY: CERTAIN} for m in genotyped}, n, master)
    common = dict(inputs.shared)
    for more in (inputs.values, {LIVER: inputs.organs[LIVER]}):
        for name, logs in more.items():
            common[name] = common.get(name, np.zeros(n)) + logs[0]
    wanted = {*common, *inputs.molecules, *BODY}
    if wanted != set(emulator.inputs):
        odd = ", ".join(sorted(wanted ^ set(emulator.inputs)))
        raise ValueError(f"{drug.name}: the emulator has other inputs than the drug file: {odd}")
    sums = np.stack(list(common.values()), axis=1) @ emulator.rows(list(common)) + emulator.bias
    return Points(
        emulator,
        np.asarray(sums),
        {m: relative[0] for m, relative in inputs.molecules.items()},
        {m: sliced(master, f"{NOBODY}:genotype:{m}", n) for m in genotyped},
        inputs.organs[GFR][0],
        np.stack([normals(master, f"{NOBODY}:residual:{o}", n) for o in emulator.outputs], axis=1),
    )
