"""Organs, blood flows and GFR of one person as uncertain inputs, and the bodies that drawn factors make.

Spreads are those of virtual populations (``physiology/variability.tsv``): what differs between people of one age, sex
and size, and is not measured in a patient.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pharmtwin.body.anatomy.reference import SEXES, reference
from pharmtwin.body.variability import vary
from pharmtwin.core.anatomy import BLOOD
from pharmtwin.uncertainty.inputs import Input
from pharmtwin.uncertainty.spread import residual, sds

Floats = NDArray[np.float64]
FLOWS = "organ flows"
OUTPUT = "cardiac_output"


def anatomy_inputs(body: Mapping[str, float]) -> tuple[Input, ...]:
    """Residual spread of organ volumes, cardiac output and organ conductances; conductances are one group.

    ``body``: quantities of table ``body`` of the person, for the typical values.
    """
    out = []
    for name in sds():
        kind, _, organ = name.partition(".")
        if kind == "volume":
            typical = body["V_venous"] + body["V_arterial"] if organ == "blood" else body[f"V_{organ}"]
            out.append(residual(name, name, unit="L", typical=typical, meaning=f"volume of {organ}"))
        elif name == OUTPUT:
            out.append(residual(name, name, unit="L/h", typical=body["CO"], meaning="cardiac output"))
        elif kind == "flow":
            typical = body[f"Q_{organ}"]
            words = f"blood flow of {organ}, as a share of cardiac output"
            out.append(residual(name, name, unit="L/h", typical=typical, meaning=words, group=FLOWS))
    return tuple(out)


def bodies(body: Mapping[str, float], sex: str, age_y: float, factors: Mapping[str, Floats]) -> dict[str, Floats]:
    """Volumes (V_*, L) and flows (Q_*, L/h) of one person with factors on them, each (n,).

    Parameters
    ----------
    body : quantities of table ``body``. factors : ``volume.<organ>``, ``cardiac_output``, ``flow.<organ>``, each (n,);
        what is not there is left as it is.

    Raises
    ------
    ValueError : drawn organs that do not fit into the body.
    """
    ref, s = reference(), SEXES.index(sex)
    names = [organ for organ in ref.organs if organ not in BLOOD]
    mass = np.array([[body[f"V_{o}"] * ref.density[s, i] for i, o in enumerate(ref.organs)]])
    flow = np.array([[body[f"Q_{o}"] for o in names]])
    drawn = {k: np.asarray(v, dtype=float)[None, :] for k, v in factors.items()}
    varied = vary(mass, flow, np.array([body["CO"]]), drawn, np.array([age_y]), np.array([sex == "F"]))
    out = {f"V_{o}": varied.mass[0, ..., i] / ref.density[s, i] for i, o in enumerate(ref.organs)}
    return out | {f"Q_{o}": varied.flow[0, ..., i] for i, o in enumerate(names)}
