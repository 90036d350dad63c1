"""Enzymes and transporters in their places, and what they see of a compound there.

* liver: enzymes of liver cells and efflux into bile; unbound concentration of the cells (well-stirred: of the liver),
  ``Cu``.
* sinus: uptake into liver cells; unbound concentration in the blood of the liver, ``Cu_sinus``.
* gut: enzymes and efflux of the gut wall; ``Cu_wall_<molecule>``, unbound in enterocytes, weighted with the molecule's
  shares of the segments. Of a compound without enterocytes of its own (no absorption model adam: transit, first order,
  cat; a metabolite) it is that of the gut organ, ``Cu_gut``, through which all that is absorbed or circulates passes.
* kidney: enzymes and secretion of the kidney; unbound concentration of its tissue, ``Cu_kidney``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pharmtwin.drugs.schema import Compound, Transport

#: (molecule, place)
Key = tuple[str, str]
#: place of a transporter by tissue and direction
PLACE = {
    ("liver", "uptake"): "sinus",
    ("liver", "efflux"): "liver",
    ("gut", "efflux"): "gut",
    ("kidney", "secretion"): "kidney",
}
#: organ that a place belongs to
TISSUE = {"liver": "liver", "sinus": "liver", "gut": "gut", "kidney": "kidney"}
SEEN = {"liver": "Cu", "sinus": "Cu_sinus", "kidney": "Cu_kidney"}
#: name of the secretion that a file states without a transporter
SECRETION = "secretion"
#: factors of reversible inhibition by mechanism
BOTH = ("competitive", "uncompetitive")
REVERSIBLE = {"competitive": BOTH[:1], "uncompetitive": BOTH[1:], "noncompetitive": BOTH, "mixed": BOTH}


def symbol(name: str) -> str:
    """A name as it may stand in an equation (``P-gp`` is ``P_gp``)."""
    return re.sub(r"\W", "_", name)


def site(molecule: str, place: str) -> str:
    """Name of an enzyme's or transporter's state: in the liver its own name, elsewhere with the place."""
    return symbol(molecule) if place == "liver" else f"{symbol(molecule)}_{place}"


def seen(molecule: str, place: str) -> str:
    """Unbound concentration (umol/L) that a molecule sees in its place, without the compound's suffix."""
    return f"Cu_wall_{symbol(molecule)}" if place == "gut" else SEEN[place]


def transports(compound: Compound) -> tuple[Transport, ...]:
    """Active transport of a compound; secretion that names no transporter (``kidney.CL_secretion``) included."""
    key = "kidney.CL_secretion"
    if key not in compound.values:
        return compound.transport
    unnamed = Transport(SECRETION, "kidney", "secretion", {"CL": compound.values[key]})
    return (*compound.transport, unnamed)


def place_of(transport: Transport) -> str:
    """Place of a transporter."""
    return PLACE[transport.where, transport.direction]


def handled(compound: Compound) -> Iterator[Key]:
    """Every molecule, in its place, that metabolises or carries a compound."""
    for path in compound.paths:
        if path.enzyme:
            yield from ((path.enzyme, tissue) for tissue in path.where)
    yield from ((t.transporter, place_of(t)) for t in transports(compound))


def acts_on(compound: Compound, molecule: str, mechanism: str) -> bool:
    """True if a compound acts on a molecule by a mechanism (``competitive``: also as part of another one)."""
    return any(
        a.target == molecule and (a.mechanism == mechanism or mechanism in REVERSIBLE.get(a.mechanism, ()))
        for a in compound.acts_on
    )
