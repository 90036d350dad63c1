"""What all modules of the library share: names of a compound, parts of the body shared by compounds, joining."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pharmtwin.model.description import ModelError, Module, Parameter, Port


@dataclass(frozen=True)
class Names:
    """Names of one compound: ``Names("inh")("Kp_liver")`` is ``Kp_liver_inh``; the compound ``""`` adds nothing.

    Two PBPK models in one system (victim and inhibitor) differ in this suffix and share the body's parameters.
    """

    compound: str = ""

    def __call__(self, name: str) -> str:
        """The name of this compound's quantity."""
        return f"{name}_{self.compound}" if self.compound else name

    def meaning(self, text: str) -> str:
        """The meaning, with the compound named."""
        return f"{text} ({self.compound})" if self.compound else text


def of_the_body(shares_body: bool, *parameters: Parameter) -> tuple[tuple[Parameter, ...], tuple[Port, ...]]:
    """Parameters of the body: declared by the first compound's module, counted on (as ports) by the others'.

    Returns (parameters to declare, ports to need); one of the two is empty.
    """
    if shares_body:
        return (), tuple(Port(p.name, p.unit) for p in parameters)
    return parameters, ()


def join(name: str, modules: Sequence[Module], parameter_order: Sequence[str] = ()) -> Module:
    """One module that holds all parts of several, in their order; ports between them stay and are checked.

    Parameters
    ----------
    parameter_order : names of all parameters in the wished order (arrays follow it); default: order of the modules.

    Raises
    ------
    ModelError : ``parameter_order`` does not name every parameter exactly once.
    """
    parameters = [p for m in modules for p in m.parameters]
    if parameter_order:
        if sorted(parameter_order) != sorted(p.name for p in parameters):
            differ = sorted(set(parameter_order) ^ {p.name for p in parameters}) or "a name stands twice"
            raise ModelError(f"parameter order of module {name!r} does not fit its parameters: {differ}")
        parameters.sort(key=lambda p: list(parameter_order).index(p.name))
    return Module(
        name=name,
        states=tuple(s for m in modules for s in m.states),
        parameters=tuple(parameters),
        definitions=tuple(d for m in modules for d in m.definitions),
        fluxes=tuple(f for m in modules for f in m.fluxes),
        needs=tuple(dict.fromkeys(port for m in modules for port in m.needs)),
        dose_targets=tuple(t for m in modules for t in m.dose_targets),
    )
