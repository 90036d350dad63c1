"""Reversible inhibition: factors on an enzyme's (or transporter's) Km and on its substrate.

v = Vmax S/(Km (1 + sum I/Kic) + S (1 + sum I/Kiu)): competitive inhibitors raise the apparent Km, uncompetitive ones
lower Vmax and Km alike, a mixed inhibitor does both (both modules). Segel 1975, Enzyme Kinetics, chapters 3 and 4.
"""

from __future__ import annotations

from pharmtwin.model.description import Definition, Module, Parameter, Port
from pharmtwin.model.library.naming import Names


def _factor(kind: str, symbol: str, target: str, by: tuple[str, ...], of: str, concentration: str) -> Module:
    if not by:
        raise ValueError(f"{kind} inhibition of {target!r} needs at least one inhibitor in `by`")
    if of in by:
        raise ValueError(f"{kind} inhibition of {target!r}: {of!r} cannot inhibit itself; leave it out of `by`")
    victim, terms, parameters, needs = Names(of), [], [], []
    for compound in by:
        n = Names(compound)
        Cu, Ki = n(concentration), n(f"{symbol}_{target}")
        terms.append(f"{Cu}/{Ki}")
        parameters.append(Parameter(Ki, "umol/L", n.meaning(f"{kind} inhibition constant on {target} (unbound)")))
        needs.append(Port(Cu, "umol/L"))
    name = victim(f"{kind}_{target}")
    factor = Definition(
        name, " + ".join(["1", *terms]), "1", victim.meaning(f"factor of {kind} inhibition of {target}")
    )
    return Module(name=name, parameters=tuple(parameters), definitions=(factor,), needs=tuple(needs))


def competitive_inhibition(target: str, by: tuple[str, ...], *, of: str = "", concentration: str = "Cu") -> Module:
    """``competitive_<target>`` = 1 + sum I/Kic: what multiplies the Km of the compound ``of``.

    Parameters
    ----------
    target : enzyme or transporter. by : inhibitors by their suffix. of : the inhibited compound's suffix.
    concentration : name of the inhibitors' unbound concentration (umol/L) at the target, without suffix.

    Raises
    ------
    ValueError : no inhibitor, or a compound that inhibits itself (its own Km says that already).
    """
    return _factor("competitive", "Kic", target, by, of, concentration)


def uncompetitive_inhibition(target: str, by: tuple[str, ...], *, of: str = "", concentration: str = "Cu") -> Module:
    """``uncompetitive_<target>`` = 1 + sum I/Kiu: what multiplies the substrate in the denominator of its rate.

    Parameters and errors as for :func:`competitive_inhibition`.
    """
    return _factor("uncompetitive", "Kiu", target, by, of, concentration)
