"""Observables and noise: one output for every way in which the measurement table fills a formula's placeholders."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from pharmtwin.exchange.petab import OUTSIDE, PetabProblem
from pharmtwin.inference.models.description import Output, Residual
from pharmtwin.inference.petab.conditions import is_set
from pharmtwin.inference.petab.noise import Coefficient, Noise, noise_of
from pharmtwin.inference.petab.parameters import Entry, residual_of
from pharmtwin.inference.petab.texts import fresh, substituted
from pharmtwin.model.algebra import names

#: a standard deviation of log10 y times this is one of log y
FACTORS = {"lin": 1.0, "log": 1.0, "log10": math.log(10.0)}


@dataclass
class Outputs:
    """What is measured.

    Attributes
    ----------
    of_row : output of each row of the measurement table. formulas : name of an observable -> text.
    residuals : name -> parameter; ``of_parameter``: id of an estimated one -> (its residual, factor).
    """

    of_row: list[str] = field(default_factory=list)
    outputs: dict[str, Output] = field(default_factory=dict)
    formulas: dict[str, str] = field(default_factory=dict)
    residuals: dict[str, Residual] = field(default_factory=dict)
    of_parameter: dict[str, tuple[str, float]] = field(default_factory=dict)


class Reader:
    """Reads the observable and the measurement table for a problem; collects faults."""

    def __init__(
        self, problem: PetabProblem, entries: Mapping[str, Entry], symbols: Mapping[str, str], moving: set[str],
        taken: set[str], faults: list[str],
    ) -> None:  # fmt: skip
        self.problem, self.entries, self.symbols, self.moving = problem, entries, symbols, moving
        self.taken, self.faults, self.made = taken, faults, Outputs()
        self.of_id = {v: k for k, v in symbols.items()}
        self._observable_of: dict[tuple[str, str], str] = {}
        self._number_of: dict[float, str] = {}
        self._refused: set[str] = set()

    def read(self) -> Outputs:
        """All rows."""
        known: dict[tuple[str, str, str], str] = {}
        for number, row in enumerate(self.problem.measurements.to_dict("records"), start=2):
            cells = {str(k): str(v) for k, v in row.items()}
            key = (cells["observableId"], cells.get("observableParameters", ""), cells.get("noiseParameters", ""))
            if key not in known:
                known[key] = self._output(key, number)
            self.made.of_row.append(known[key])
        return self.made

    def _say(self, text: str) -> None:
        if text not in self.faults:
            self.faults.append(text)

    def _filled(self, formula: str, key: tuple[str, str, str], row: int) -> str:
        """A formula with its placeholders and parameters filled in, in names of the structure."""
        filled = {OUTSIDE + p: s for p, s in self.symbols.items()}
        for kind, cells in zip(("observable", "noise"), key[1:], strict=True):
            for k, cell in enumerate((c.strip() for c in cells.split(";") if is_set(c)), start=1):
                try:
                    text = repr(float(cell))
                except ValueError:
                    if cell not in self.entries:
                        self._say(f"row {row}: {kind}Parameters name {cell!r}, neither a number nor a parameter")
                        continue
                    text = self.symbols[cell]
                filled[f"{OUTSIDE}{kind}Parameter{k}_{key[0]}"] = text
        missing = sorted(n.removeprefix(OUTSIDE) for n in names(formula) - filled.keys() if n.startswith(OUTSIDE))
        if missing:
            self._say(f"row {row}: a formula of {key[0]} needs {', '.join(missing)}, which nothing gives")
        return substituted(formula, filled)

    def _output(self, key: tuple[str, str, str], row: int) -> str:
        identifier = key[0]
        spec = self.problem.observables.loc[identifier]
        scale = str(spec.get("observableTransformation", "")).strip() or "lin"
        distribution = str(spec.get("noiseDistribution", "")).strip() or "normal"
        if scale not in FACTORS:
            self._say(f"observable {identifier}: unknown observableTransformation {scale!r}")
            scale = "lin"
        if distribution != "normal":
            self._say(f"observable {identifier}: its noise is {distribution}, and there is only normal noise here")
        formula = self._filled(self.problem.formulas[identifier], key, row)
        if (identifier, formula) not in self._observable_of:
            name = fresh(f"observed_{identifier}".replace("observed_observable_", "observed_"), self.taken)
            self._observable_of[identifier, formula] = name
            self.made.formulas[name] = formula
        noise = self._filled(self.problem.noises[identifier], key, row)
        found = noise_of(noise, formula, self.moving, self.problem.model.definition_texts)
        if isinstance(found, Noise) and scale != "lin":
            found = (
                Noise("lognormal", found.coefficients)
                if found.error == "additive"
                else f"of a {scale} observable is not constant"
            )
        if isinstance(found, str):
            if identifier not in self._refused:
                self._say(f"observable {identifier}: its noise (row {row}: {noise}) {found}")
                self._refused.add(identifier)
            found = Noise("additive", (Coefficient(1.0),))
        slots = tuple(self._residual(c, FACTORS[scale], identifier) for c in found.coefficients)
        name = identifier
        while name in self.made.outputs:
            name = f"{identifier}_{len(self.made.outputs) + 1}"
        observable = self._observable_of[identifier, formula]
        self.made.outputs[name] = Output(name, observable, found.error, slots, matrix="", analyte=identifier, site="")
        return name

    def _residual(self, coefficient: Coefficient, factor: float, observable: str) -> str:
        """The residual parameter of a coefficient, times the factor of the observable's scale."""
        factor *= coefficient.factor
        if not coefficient.parameter:
            if factor not in self._number_of:
                name = f"sd_{len(self._number_of) + 1}" if factor else "none"
                self._number_of[factor] = fresh(name, self.taken)
                self.made.residuals[self._number_of[factor]] = Residual(self._number_of[factor], factor, fixed=True)
            return self._number_of[factor]
        identifier = self.of_id.get(coefficient.parameter, "")
        if not identifier:
            self._say(f"observable {observable}: its noise uses {coefficient.parameter}, which is no parameter of the "
                      "parameter table")  # fmt: skip
            return self._residual(Coefficient(1.0), 1.0, observable)
        if identifier in self.made.of_parameter:
            name, before = self.made.of_parameter[identifier]
            if not math.isclose(before, factor, rel_tol=1e-12):
                self._say(f"parameter {identifier} is the noise of observables on different scales (or with different "
                          "numbers before it)")  # fmt: skip
            return name
        name = self.symbols[identifier] if factor == 1.0 else fresh(f"sd_log_{identifier}", self.taken)
        self.made.of_parameter[identifier] = (name, factor)
        self.made.residuals[name] = residual_of(self.entries[identifier], name, factor, self.faults)
        return name
