"""A control stream as plain parts: pharmpy reads the code, this module takes out what a population model needs.

What pharmpy does not say is read from the text: the numbers of the compartments ($MODEL) and records without a meaning
here. pharmpy-core: LGPL-3, https://pharmpy.github.io; its model objects, not its code, are used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from pharmtwin.inference.models.description import PopulationModelError

Floats = NDArray[np.float64]
Assignment = tuple[str, sympy.Expr]
#: compartments by number of the routines that bring their own (NONMEM Users Guide VI; pharmpy's names)
OWN_COMPARTMENTS = {
    "ADVAN1": ("CENTRAL",), "ADVAN2": ("DEPOT", "CENTRAL"), "ADVAN3": ("CENTRAL", "PERIPHERAL"),
    "ADVAN4": ("DEPOT", "CENTRAL", "PERIPHERAL"), "ADVAN10": ("CENTRAL",),
    "ADVAN11": ("CENTRAL", "PERIPHERAL1", "PERIPHERAL2"),
    "ADVAN12": ("DEPOT", "CENTRAL", "PERIPHERAL1", "PERIPHERAL2"),
}  # fmt: skip
#: records that are translated, or that say nothing about the model
KNOWN = (
    "PROB",
    "INPU",
    "DATA",
    "SUBR",
    "MODE",
    "PK",
    "DES",
    "ERRO",
    "THET",
    "OMEG",
    "SIGM",
    "EST",
    "COV",
    "TABL",
    "SIZE",
)


@dataclass(frozen=True)
class Theta:
    """A THETA: initial value, bounds, whether it is fixed."""

    name: str
    value: float
    lower: float
    upper: float
    fixed: bool


@dataclass(frozen=True)
class Stream:
    """Parts of a control stream.

    Attributes
    ----------
    etas, omega, epsilons, sigma : names and covariances of the random variables; ``omega_fixed``, ``sigma_fixed`` of
        each; ``shared``: pairs of etas of one variance (SAME).
    before : assignments of $PK and $DES in their order. rates : derivative of each compartment that has one.
    after : those of $ERROR; ``dependent`` the name of the datum there. columns : of $INPUT that are not dropped.
    compartments : names by number. observed : number (from 1) that F is of where the data say nothing else.
    notes : what was not translated.
    """

    name: str
    thetas: tuple[Theta, ...]
    etas: tuple[str, ...]
    omega: Floats
    omega_fixed: tuple[bool, ...]
    shared: tuple[tuple[str, str], ...]
    epsilons: tuple[str, ...]
    sigma: Floats
    sigma_fixed: tuple[bool, ...]
    before: tuple[Assignment, ...]
    rates: dict[str, sympy.Expr]
    after: tuple[Assignment, ...]
    dependent: str
    columns: tuple[str, ...]
    compartments: tuple[str, ...]
    observed: int
    notes: tuple[str, ...]


def read_stream(path: Path) -> Stream:
    """Read a control stream; raises PopulationModelError where it has no compartments or pharmpy cannot read it."""
    from pharmpy.modeling import read_model

    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        model = read_model(path)
    except FileNotFoundError:
        raise
    except Exception as error:  # pharmpy raises many kinds, of its parser and its own
        raise PopulationModelError(f"{path}: pharmpy cannot read it: {error}") from None
    system = model.statements.ode_system
    if system is None or not hasattr(system, "eqs"):
        raise PopulationModelError(f"{path}: has no compartments ($PRED alone is not translated)")
    compartments, observed = numbered(text, list(system.compartment_names))
    inits = {sympy.Symbol(p.name): sympy.Float(p.init) for p in model.parameters}
    fixed = {p.name for p in model.parameters if p.fix}
    etas, omega, omega_fixed, shared = _random(model.random_variables.etas, inits, fixed)
    epsilons, sigma, sigma_fixed, _ = _random(model.random_variables.epsilons, inits, fixed)
    symbols = set(model.random_variables.parameter_names)
    thetas = tuple(
        Theta(p.name, float(p.init), float(p.lower), float(p.upper), bool(p.fix))
        for p in model.parameters if p.name not in symbols
    )  # fmt: skip
    dependents = [str(name) for name in model.dependent_variables]
    if len(dependents) != 1:
        raise PopulationModelError(f"{path}: has {len(dependents)} dependent variables, not one")
    return Stream(
        path.stem, thetas, etas, omega, omega_fixed, shared, epsilons, sigma, sigma_fixed,
        tuple(_assignments(model.statements.before_odes)),
        {_compartment(eq.lhs): sympy.sympify(eq.rhs) for eq in system.eqs},
        tuple(_assignments(model.statements.after_odes)), dependents[0],
        tuple(c.name for c in model.datainfo if not c.drop), compartments, observed, tuple(text_notes(text)),
    )  # fmt: skip


def _assignments(statements: Any) -> list[Assignment]:
    return [(str(sympy.sympify(s.symbol)), sympy.sympify(s.expression)) for s in statements]


def _compartment(derivative: Any) -> str:
    """X of d A_X(t) / dt."""
    if not sympy.sympify(derivative).args:
        raise PopulationModelError(f"an equation of $DES is of no compartment: {derivative}")
    return str(sympy.sympify(derivative).args[0].func).removeprefix("A_")


def _random(
    variables: Any, inits: dict[sympy.Symbol, sympy.Float], fixed: set[str]
) -> tuple[tuple[str, ...], Floats, tuple[bool, ...], tuple[tuple[str, str], ...]]:
    """Names, covariance, whether each variance is fixed, and pairs that share one."""
    names = tuple(variables.names)
    if not names:
        return (), np.zeros((0, 0)), (), ()
    matrix = sympy.Matrix(sympy.sympify(variables.covariance_matrix))
    covariance = np.array(matrix.subs(inits).tolist(), dtype=float)
    own = [matrix[k, k] for k in range(len(names))]
    shared = [(names[own.index(v)], names[k]) for k, v in enumerate(own) if own.index(v) < k and v.free_symbols]
    return names, covariance, tuple(str(v) in fixed for v in own), tuple(shared)


def record(text: str, start: str) -> str:
    """Text of the records whose name begins so, without comments; "" if there is none."""
    bare = re.sub(r";[^\n]*", "", text)
    found = re.findall(rf"^\s*\$({start}\w*)([^$]*)", bare, re.IGNORECASE | re.MULTILINE)
    return "\n".join(body for _, body in found)


def numbered(text: str, known: list[str]) -> tuple[tuple[str, ...], int]:
    """Compartments by number, and the number of the default observation compartment.

    That is the one with DEFOBS, else one called CENTRAL, else the first (NONMEM help, item $MODEL).
    """
    body, names, chosen = record(text, "MODE"), [], 0
    for inner, plain in re.findall(r"COMP\w*\s*=?\s*(?:\(([^)]*)\)|(\w+))", body, re.IGNORECASE):
        words = re.split(r"[\s,]+", (inner or plain).strip())
        names.append(words[0])
        if any(w.upper().startswith("DEFOB") for w in words[1:]):
            chosen = len(names)
    if not names:
        routine = re.search(r"\bADVAN\d+", record(text, "SUBR"), re.IGNORECASE)
        names = list(OWN_COMPARTMENTS.get(routine[0].upper() if routine else "", known))
    upper = [n.upper() for n in names]
    if not chosen:
        chosen = upper.index("CENTRAL") + 1 if "CENTRAL" in upper else 1
    return tuple(names), chosen


def text_notes(text: str) -> list[str]:
    """Records that are not translated, and conditions of $DATA by which NONMEM leaves rows out."""
    notes = []
    for name in re.findall(r"^\s*\$(\w+)", text, re.MULTILINE):
        if not name.upper().startswith(KNOWN):
            notes.append(f"record ${name} is not translated")
    data = record(text, "DATA")
    notes += [
        f"{m.strip()} of $DATA is not applied: give a file without those rows"
        for m in re.findall(r"(?:IGNORE|ACCEPT)\s*=?\s*\([^)]*\)", data, re.IGNORECASE)
    ]
    return notes
