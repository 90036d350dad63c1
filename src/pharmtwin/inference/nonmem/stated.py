"""Does a model file hold what the study's index states of the run? Each value is compared, or said to be unchecked.

The index names a quantity as its authors do: ``CL`` may be our ``TVCL``, ``CL`` or constant ``CL``; a variance ``CL``
is of ``eta_CL``; ``prop_var`` is the square of the proportional error, ``prop_var_CMT2`` of that of what CMT 2 names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.problem.records import Columns

RELATIVE = 1e-9
ERROR = re.compile(r"(?P<kind>prop|add|log_add|log_additive)_var(_(?P<of>\w+))?$")
KINDS = {"prop": {"proportional": 0, "combined": 1}, "add": {"additive": 0, "combined": 0}}


def check(entry: Mapping[str, Any], model: PopulationModel, columns: Columns) -> tuple[list[str], list[str]]:
    """(disagreements, statements that no rule here understands) of a model with an index entry."""
    checker = _Checker(model, columns)
    for key, value in entry.items():
        if key == "n_eta":
            checker.compare("n_eta", value, float(n_columns(model, columns)))
        elif key == "typical":
            for name, number in value.items():
                checker.compare(f"typical {name}", number, checker.typical(name))
        elif key == "omega_var":
            for name, number in value.items():
                checker.compare(f"variance of {name}", number, checker.covariance(name, name))
        elif key.startswith("omega_lower_triangle_"):
            checker.triangle(key.removeprefix("omega_lower_triangle_").split("_"), value)
        elif key == "omega_blocks":
            for name, numbers in value.items():
                if name == "IOV":
                    own = [r.variance for r in model.of_occasion for _ in columns.occasions]
                    checker.compare("variances of occasions", numbers, own)
                else:
                    checker.triangle(name.split("_"), numbers)
        elif key == "error":
            for name, number in value.items():
                if name != "note":
                    checker.error(name, number)
    return checker.wrong, checker.unchecked


def n_columns(model: PopulationModel, columns: Columns) -> int:
    """ETA of the control stream: one a subject's effect, one an occasion for an effect of the occasion."""
    return len(model.of_subject) + len(model.of_occasion) * max(len(columns.occasions), 1)


class _Checker:
    def __init__(self, model: PopulationModel, columns: Columns) -> None:
        self.model, self.columns = model, columns
        self.wrong: list[str] = []
        self.unchecked: list[str] = []
        values = {**{f.name: f.value for f in model.fixed}, **model.constants}
        self.values = {n.casefold(): v for n, v in values.items()}
        self.random = {r.name.casefold(): k for k, r in enumerate(model.random)}

    def compare(self, what: str, stated: Any, own: Any) -> None:
        if own is None:
            self.unchecked.append(what)
        elif not (np.shape(stated) == np.shape(own) and np.allclose(stated, own, rtol=RELATIVE, atol=0.0)):
            self.wrong.append(f"{what}: the index states {stated}, the model file {own}")

    def typical(self, name: str) -> float | None:
        for candidate in (f"tv{name}", name):
            if candidate.casefold() in self.values:
                return self.values[candidate.casefold()]
        return None

    def covariance(self, a: str, b: str) -> float | None:
        rows = [self.random.get(f"eta_{n}".casefold()) for n in (a, b)]
        return None if None in rows else float(self.model.omega[rows[0], rows[1]])

    def triangle(self, names: list[str], stated: list[float]) -> None:
        """Lower triangle by rows of the block of some effects."""
        own = [self.covariance(a, b) for k, a in enumerate(names) for b in names[: k + 1]]
        self.compare(f"covariance of {', '.join(names)}", stated, None if None in own else own)

    def error(self, name: str, stated: float) -> None:
        """A variance of the residual error; what the model does not have is 0."""
        match = ERROR.match(name)
        outputs = self._outputs(match["of"] or "") if match else []
        if match is None or len(outputs) != 1:
            self.unchecked.append(f"error {name}")
            return
        output = outputs[0]
        slot = KINDS[match["kind"].removeprefix("log_").removesuffix("itive")].get(output.error)
        residuals = {r.name: r.value for r in self.model.residuals}
        own = 0.0 if slot is None else residuals[output.residuals[slot]] ** 2
        self.compare(f"error {name}", stated, own)

    def _outputs(self, of: str) -> list[Any]:
        if not of:
            return list(self.model.outputs)
        wanted = self.columns.outputs.get(of.removeprefix("CMT"), of)
        return [o for o in self.model.outputs if o.name == wanted]
