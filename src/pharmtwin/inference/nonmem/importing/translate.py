"""A control stream as the sections of a population model file, and notes on what was not understood."""

from __future__ import annotations

import math
from typing import Any

import sympy
from sympy.core.function import AppliedUndef

from pharmtwin.inference.models.description import PopulationModelError
from pharmtwin.inference.nonmem.importing import residual
from pharmtwin.inference.nonmem.importing.printing import open_ended, text
from pharmtwin.inference.nonmem.importing.stream import Stream

#: what NONMEM calls a dose parameter of a compartment, before its number
DOSES = {"F": "F", "ALAG": "lag", "D": "duration", "R": "rate"}
Sections = dict[str, Any]


def translate(stream: Stream) -> tuple[Sections, list[str]]:
    """Sections of the model file, and notes; raises PopulationModelError naming what cannot be translated."""
    return _Translator(stream).sections()


class _Translator:
    """Definitions are kept where something needs them; numbers become constants, zeros vanish."""

    def __init__(self, stream: Stream) -> None:
        self.stream, self.notes = stream, list(stream.notes)
        self.constants: dict[str, float] = {}
        self.definitions: dict[str, sympy.Expr] = {}
        zeros: dict[sympy.Symbol, int] = {}
        for name, expression in residual.ssa(stream.before):
            own = expression.subs(zeros)
            if own.is_number:
                if own == 0 and not name.startswith("A_"):
                    zeros[sympy.Symbol(name)] = 0
                else:
                    self.constants[name] = float(own)
            else:
                self.definitions[name] = own
        self.states = self._state_names()
        self.rates = {c: stream.rates.get(c, sympy.Integer(0)).subs(zeros) for c in stream.compartments}
        missing = [c for c in stream.rates if c not in stream.compartments]
        if missing:
            raise PopulationModelError(f"compartments {missing} are not among those of $MODEL")
        self.needed: set[str] = set()

    def _state_names(self) -> dict[str, str]:
        """State of each compartment: its name, unless something else has it."""
        taken = {n.casefold() for n in (*self.constants, *self.definitions, *self.stream.columns)} | {"time", "pi"}
        return {c: c if c.casefold() not in taken else f"A_{c}" for c in self.stream.compartments}

    def sections(self) -> tuple[Sections, list[str]]:
        """See :func:`translate`."""
        s = self.stream
        doses = self._doses()
        initial = self._initial()
        outputs, observe, residuals, data = self._outputs()
        for expression in (*self.rates.values(), *observe.values()):
            self._need(expression)
        for name in (*(n for own in doses.values() for n in own.values()), *initial.values()):
            if isinstance(name, str):
                self._need(sympy.Symbol(name))
        covariates = self._covariates(set(observe))
        thetas = [t for t in s.thetas if t.name in self.needed]
        self._notes(thetas)
        sections: Sections = {
            "schema": 1, "name": s.name, "source": f"control stream {s.name}", "covariates": covariates,
            "constants": {n: v for n, v in self.constants.items() if n in self.needed},
            "fixed": {t.name: _fixed(t.value, t.lower, t.upper, t.fixed) for t in thetas},
            "random": {
                e: {"variance": float(s.omega[k, k]), **({"fixed": True} if s.omega_fixed[k] else {})}
                for k, e in enumerate(s.etas) if e in self.needed
            },
            "covariance": [
                [a, b, float(s.omega[i, j])]
                for i, a in enumerate(s.etas) for j, b in enumerate(s.etas[:i])
                if s.omega[i, j] != 0.0 and {a, b} <= self.needed
            ],
            "residual": residuals,
            "parameters": {n: text(e, self.states) for n, e in self.definitions.items() if n in self.needed},
            "states": {self.states[c]: text(e, self.states) for c, e in self.rates.items()},
            "observe": {n: text(e, self.states) for n, e in observe.items()},
            "initial": initial, "doses": doses, "outputs": outputs, "data": data,
        }  # fmt: skip
        return {k: v for k, v in sections.items() if v not in ({}, [])}, self.notes

    def _doses(self) -> dict[str, dict[str, str]]:
        """Dose parameters that $PK assigns, by state."""
        found: dict[str, dict[str, str]] = {}
        for number, compartment in enumerate(self.stream.compartments, start=1):
            for prefix, item in DOSES.items():
                name = f"{prefix}{number}"
                if name in self.definitions or name in self.constants:
                    found.setdefault(self.states[compartment], {})[item] = name
        return found

    def _initial(self) -> dict[str, str | float]:
        """Initial amounts, A_0(n): assignments that pharmpy calls A_X(0)."""
        found: dict[str, str | float] = {}
        for compartment, state in self.states.items():
            name, own = f"A_{compartment}(0)", f"start_of_{compartment}"
            if name in self.constants:
                found[state] = self.constants.pop(name)
            elif name in self.definitions:
                self.definitions[own] = self.definitions.pop(name)
                found[state] = own
        return found

    def _outputs(self) -> tuple[Sections, dict[str, sympy.Expr], Sections, Sections]:
        """Sections outputs, observe (as expressions), residual and data."""
        s = self.stream
        y = residual.datum(s)
        column, values = residual.selector(y, s)
        by_compartment = column == "CMT" or (not column and "CMT" in s.columns)
        if by_compartment:
            values = sorted({*values, float(s.observed)})
        sizes = self._of_thetas()
        kept: list[tuple[float | None, residual.Error]] = []
        rows: list[float | None] = [*values] or [None]
        for value in rows:
            at = {} if value is None else {column or "CMT": value}
            error = residual.error_at(y, s, at, sizes)
            if error is not None:
                kept.append((value, error))
        if not kept:
            raise PopulationModelError("no row of the data has a residual error ($ERROR): there is nothing to observe")
        if column and not by_compartment:
            self.notes.append(f"{column} tells the outputs; values that $ERROR does not name are not translated")
        outputs: Sections = {}
        observe: dict[str, sympy.Expr] = {}
        residuals: Sections = {}
        labels: dict[str, str] = {}
        for value, error in kept:
            number = int(value) if by_compartment and value is not None else s.observed
            if not 1 <= number <= len(s.compartments):
                raise PopulationModelError(f"{column or 'CMT'} {number} of $ERROR is no compartment")
            compartment = s.compartments[number - 1]
            name = compartment.lower() if by_compartment or value is None else f"{column.lower()}_{value:g}"
            outputs[name] = self._output(name, number, compartment, error, observe, residuals, len(kept) > 1)
            if value is not None:
                labels[f"{value:g}"] = name
        data: Sections = {"states": {str(k): self.states[c] for k, c in enumerate(s.compartments, start=1)}}
        if labels:
            data |= {"output": column or "CMT", "outputs": labels}
        return outputs, observe, residuals, data

    def _of_thetas(self) -> dict[str, sympy.Expr]:
        """Constants, and definitions that depend on THETAs alone, written out."""
        thetas = {sympy.Symbol(t.name) for t in self.stream.thetas}
        found: dict[str, sympy.Expr] = {n: sympy.Float(v) for n, v in self.constants.items()}
        for name, expression in self.definitions.items():
            own = expression.subs({sympy.Symbol(n): e for n, e in found.items()})
            if own.free_symbols <= thetas and not own.atoms(AppliedUndef):
                found[name] = own
        return found

    def _output(
        self, name: str, number: int, compartment: str, error: residual.Error, observe: dict[str, sympy.Expr],
        residuals: Sections, several: bool,
    ) -> Sections:  # fmt: skip
        """One output; its observables and residual parameters are added."""
        amount = sympy.Function(f"A_{compartment}")(sympy.Symbol("t"))
        scale = f"S{number}"
        predicted = amount / sympy.Symbol(scale) if scale in (*self.definitions, *self.constants) else amount
        observed = f"F_{name}"
        observe[observed] = predicted
        if error.prediction != residual.F:
            observe[f"Y_{name}"] = error.prediction.subs(residual.F, sympy.Symbol(observed))
            observed = f"Y_{name}"
        if not error.linear:
            self.notes.append(f"output {name}: Y is not linear in EPS; linearised, as NONMEM's first-order methods do")
        slots = []
        for slot, value in error.parameters:
            own = f"{slot}_{name}" if several else slot
            residuals[own] = {"value": value, **({"fixed": True} if error.fixed else {})}
            slots.append(own)
        made: Sections = {"of": observed, "error": {error.kind: slots}}
        if math.isfinite(error.where_zero):
            made["where_zero"] = error.where_zero
        return made

    def _need(self, expression: sympy.Expr) -> None:
        """Names that an expression depends on, through definitions."""
        for symbol in expression.free_symbols:
            name = str(symbol)
            if name not in self.needed:
                self.needed.add(name)
                if name in self.definitions:
                    self._need(self.definitions[name])

    def _covariates(self, observed: set[str]) -> list[str]:
        """Needed columns; raises PopulationModelError naming what is neither a column nor assigned."""
        s = self.stream
        known = {*self.definitions, *self.constants, *(t.name for t in s.thetas), *s.etas, "t", *observed}
        rest = sorted(self.needed - known)
        unknown = [n for n in rest if n not in s.columns]
        if unknown:
            raise PopulationModelError(f"{', '.join(unknown)}: neither assigned nor a column of $INPUT")
        return rest

    def _notes(self, thetas: list[Any]) -> None:
        s = self.stream
        left = [t.name for t in s.thetas if t not in thetas]
        if left:
            self.notes.append(
                f"{', '.join(left)}: nothing but the size of the residual error, if anything, depends on them; "
                "the residual parameters hold their product with SIGMA"
            )
        unused = [e for e in s.etas if e not in self.needed]
        if unused:
            self.notes.append(f"{', '.join(unused)}: no prediction depends on them; left out")
        for a, b in s.shared:
            self.notes.append(f"{b} has the variance of {a} (SAME): two effects of equal variance; an estimation would "
                              "let them differ")  # fmt: skip
        for name, expression in self.definitions.items():
            if name in self.needed and open_ended(expression):
                self.notes.append(f"{name} is assigned under a condition only: 0 elsewhere; NONMEM keeps what it was")
            strange = [f for f in expression.atoms(AppliedUndef) if not f.func.__name__.startswith("A_")]
            if strange and name in self.needed:
                raise PopulationModelError(f"{name} uses {', '.join(map(str, strange))}, which is not translated")


def _fixed(value: float, lower: float, upper: float, fixed: bool) -> Sections:
    """A fixed effect; bounds where there are any (pharmpy writes +-1000000 for none)."""
    entry: Sections = {"value": value}
    if math.isfinite(lower) and lower > -1e6:
        entry["lower"] = lower
    if math.isfinite(upper) and upper < 1e6:
        entry["upper"] = upper
    if fixed:
        entry["fixed"] = True
    return entry
