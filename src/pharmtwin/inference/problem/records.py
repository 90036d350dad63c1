"""NONMEM-style rows of many subjects, read once: doses, observations, covariates, occasions, and every fault found.

One table, a row a record, times ascending within a subject. Data items as in NM-TRAN: ID TIME EVID AMT RATE II ADDL SS
CMT MDV DV (upper case or lower); EVID may be missing where AMT tells. ``Columns`` says what else means what: which
column tells the output of an observation, the occasion, the limit of quantification.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.findings import Finding
from pharmtwin.inference.models.description import Output, PopulationModel
from pharmtwin.inference.problem import limits
from pharmtwin.units import UnitError, convert

Floats = NDArray[np.float64]
#: unit by way of which concentrations are converted
COMMON = "ng/mL"
#: what a row may state of an observation, beside its value
DESCRIBED = ("matrix", "analyte", "site", "unbound", "unit")
ITEMS = ("TIME", "EVID", "AMT", "RATE", "II", "ADDL", "SS", "CMT", "MDV", "DV")


@dataclass(frozen=True)
class Columns:
    """What the columns of a table mean.

    Attributes
    ----------
    output : column whose value names the output of an observation (DVID, CMT ...); "" where there is one output.
    outputs : value of that column -> name of the output; what is not declared here is an error.
    described : column -> what of the output it states (matrix, analyte, site, unbound, unit). An observation is of the
        output that is declared so; where ``output`` tells it already, the statements must agree. Units of concentration
        are converted to the output's own.
    states : value of CMT on a dose -> state; default: 1-based number, or the state's name.
    value : column of the observed values. occasion : column that tells the occasion; "" where there is none.
    occasions : its values in the order of the occasions; default that of their first rows, by subject.
    lloq : limit of quantification, by output, in the data's unit. limit_column : the same by row.
    censored : column that is 1 where the value lies below the limit (-1: above); else values below the limit are.
    blq : method, M1 to M7 (Beal 2001).
    covariate_at : "end": a covariate's value holds from the record before up to its own (NONMEM); "start": from its
        own record on.
    """

    output: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    described: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    value: str = "DV"
    occasion: str = ""
    occasions: Sequence[object] = ()
    lloq: Mapping[str, float] = field(default_factory=dict)
    limit_column: str = ""
    censored: str = ""
    blq: str = "M3"
    covariate_at: str = "end"


@dataclass(frozen=True)
class Dose:
    """A dose row: ``amount`` (mg) into state number ``state`` at ``time`` (h).

    ``rate``: 0 bolus, > 0 rate (mg/h), -1 and -2: rate or duration is the model's. ``ii`` (h) and ``addl``: further
    doses. ``ss``: 1 for a steady state in place of what was there. ``row``: of the subject.
    """

    time: float
    state: int
    amount: float
    rate: float
    ii: float
    addl: int
    ss: int
    row: int


@dataclass(frozen=True)
class Subject:
    """One subject's records.

    Attributes
    ----------
    times, covariates : (n_rows,), (n_rows, n_covariates) of all rows. occasions : (n_rows,) from 0 on.
    resets : rows with EVID 3 or 4. doses : dose rows.
    obs_row, obs_output, obs_value, obs_code, obs_limit : (n_obs,), see ``score``; ``file_row``: row of the table.
    """

    id: str
    times: Floats
    covariates: Floats
    occasions: NDArray[np.int64]
    resets: tuple[int, ...]
    doses: tuple[Dose, ...]
    obs_row: NDArray[np.int64]
    obs_output: NDArray[np.int64]
    obs_value: Floats
    obs_code: NDArray[np.int64]
    obs_limit: Floats
    file_row: NDArray[np.int64]

    @property
    def n_occasions(self) -> int:
        """Occasions of this subject."""
        return int(self.occasions.max()) + 1 if len(self.occasions) else 1


class DataError(ValueError):
    """The data cannot be used; ``findings`` holds all that is wrong."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(f.message() for f in self.findings))


def read_subjects(
    model: PopulationModel, table: pd.DataFrame, columns: Columns | None = None, name: str = "data"
) -> tuple[list[Subject], list[Finding]]:
    """Subjects in the order of their first rows, and notes and warnings; raises DataError with every error."""
    reader = _Reader(model, columns or Columns(), name)
    return reader.read(table)


class _Reader:
    """Reads a table for a model, and collects findings."""

    def __init__(self, model: PopulationModel, columns: Columns, name: str) -> None:
        self.model, self.columns, self.name = model, columns, name
        self.findings: list[Finding] = []
        self.states = {n: k for k, n in enumerate(model.structure.state_names)}
        self.output_index = {o.name: k for k, o in enumerate(model.outputs)}

    def say(
        self, severity: str, rule: str, row: int, column: str, value: object, what: str, why: str, fix: str
    ) -> None:
        """One finding more."""
        made = Finding.create(f"records.{rule}", self.name, what, why, fix, row=row, column=column, value=value,
                              severity=severity)  # fmt: skip
        self.findings.append(made)

    def read(self, table: pd.DataFrame) -> tuple[list[Subject], list[Finding]]:
        """See :func:`read_subjects`."""
        data = table.rename(columns={c: str(c).upper() for c in table.columns if str(c).upper() in (*ITEMS, "ID")})
        self._required(data)
        if self._wrong():
            raise DataError(self._wrong())
        data = data.assign(**{"_row": np.arange(2, len(data) + 2)})
        subjects = [self._subject(str(i), own) for i, own in data.groupby("ID", sort=False)]
        if self._wrong():
            raise DataError(self._wrong())
        return subjects, self.findings

    def _wrong(self) -> list[Finding]:
        return [f for f in self.findings if f.severity == "error"]

    def _required(self, data: pd.DataFrame) -> None:
        c = self.columns
        needed = ["ID", "TIME", c.value, *self.model.covariates]
        needed += [x for x in (c.output, c.occasion, c.limit_column, c.censored, *c.described) if x]
        for column, attribute in c.described.items():
            if attribute not in DESCRIBED:
                self.say("error", "described", 0, column, attribute, "is nothing that an output declares",
                         "the column could not be checked", f"use one of {', '.join(DESCRIBED)}")  # fmt: skip
        if self.model.of_occasion and not c.occasion:
            self.say("error", "occasion", 0, "", "", "no column tells the occasion", "effects of the occasion need it",
                     "name the column (columns: occasion)")  # fmt: skip
        if len(self.model.outputs) > 1 and not c.output and not c.described:
            self.say("error", "output", 0, "", "", "no column tells which output an observation is of",
                     "the model has several", "name the column and its values (columns: output, outputs)")  # fmt: skip
        for column in needed:
            if column not in data.columns:
                self.say("error", "column", 0, column, "", "is missing", "the rows cannot be read without it",
                         "add the column, or name the one that holds it")  # fmt: skip
        for value, output in c.outputs.items():
            if output not in self.output_index:
                self.say("error", "output", 0, c.output, value,
                         f"stands for {output!r}, which is no output of the model",
                         "its rows would be compared with nothing",
                         f"declare it, or use {sorted(self.output_index)}")  # fmt: skip
        if c.blq not in limits.METHODS:
            self.say("error", "blq", 0, "", c.blq, "is no method for values below the limit", "they cannot be read",
                     f"use one of {', '.join(limits.METHODS)}")  # fmt: skip

    def _number(self, cells: Mapping[str, Any], column: str, default: float | None, row: int) -> float:
        cell = cells.get(column)
        empty = cell is None or (isinstance(cell, float) and math.isnan(cell)) or str(cell).strip() in ("", ".", "NA")
        if empty and default is not None:
            return default
        try:
            number = float("nan" if empty else str(cell))
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self.say("error", "number", row, column, "" if empty else cell, "is no finite number",
                     "the row cannot be read", "write a number")  # fmt: skip
            return math.nan
        return number

    def _subject(self, ident: str, own: pd.DataFrame) -> Subject:
        c, rows = self.columns, [{str(k): v for k, v in r.items()} for r in own.to_dict("records")]
        times, covariates, occasions, resets, doses, observed = [], [], [], [], [], []
        seen = {_label(value): k for k, value in enumerate(c.occasions)}
        before = -math.inf
        for k, cells in enumerate(rows):
            row = int(cells["_row"])
            time = self._number(cells, "TIME", None, row)
            if time < before:
                self.say("error", "time", row, "TIME", cells["TIME"], f"lies before the row above it ({before:g} h)",
                         "events are worked off in order", "sort the rows of the subject by time")  # fmt: skip
            before = max(before, time)
            times.append(time)
            covariates.append([self._number(cells, n, None, row) for n in self.model.covariates])
            if c.occasion:
                label = _label(cells[c.occasion])
                if c.occasions and label not in seen:
                    self.say("error", "occasion", row, c.occasion, label, "is no declared occasion",
                             "it has no effects", f"declare it (columns: occasions): {', '.join(seen)}")  # fmt: skip
                occasions.append(seen.setdefault(label, len(seen)))
            else:
                occasions.append(0)
            amount = self._number(cells, "AMT", 0.0, row)
            evid = self._evid(cells, row, amount)
            if evid in (3, 4):
                resets.append(k)
            if evid in (1, 4):
                doses.append(self._dose(cells, k, row, time, amount))
            elif evid == 0 and self._number(cells, "MDV", 0.0, row) == 0:
                observed.append((k, row, cells))
        given = [d for d in doses if d is not None]
        if observed and given and max(times[k] for k, _, _ in observed) < min(d.time for d in given):
            first = observed[-1]
            self.say("warning", "dose_after", first[1], "TIME", first[2]["TIME"],
                     "every sample lies before the first dose",
                     "such samples say nothing about the drug", "check the times of doses and samples")  # fmt: skip
        elif observed and not doses:
            self.say("warning", "no_dose", observed[0][1], "AMT", "", "the subject has samples and no dose",
                     "the prediction is what the model starts with", "check that the dose rows are there")  # fmt: skip
        values = [self._observation(*o) for o in observed]
        kept = [v for v in values if v is not None]
        arrays = limits.apply(self, ident, kept)
        return Subject(
            ident, np.array(times, dtype=float), np.array(covariates, dtype=float).reshape(len(rows), -1),
            np.array(occasions, dtype=np.int64), tuple(resets), tuple(given), *arrays,
        )  # fmt: skip

    def _evid(self, cells: Mapping[str, Any], row: int, amount: float) -> int:
        """Kind of a row, 0 to 4; 2 (neither dose nor observation), with a fault, where it is none of them."""
        kind = self._number(cells, "EVID", 1.0 if amount > 0 else 0.0, row)
        if kind in (0, 1, 2, 3, 4):
            return int(kind)
        if math.isfinite(kind):
            self.say("error", "evid", row, "EVID", cells["EVID"], "is not 0, 1, 2, 3 or 4",
                     "the kind of the row is unknown", "write 0 for an observation, 1 for a dose")  # fmt: skip
        return 2

    def _dose(self, cells: Mapping[str, Any], k: int, row: int, time: float, amount: float) -> Dose | None:
        rate, ii, addl, ss = (self._number(cells, column, 0.0, row) for column in ("RATE", "II", "ADDL", "SS"))
        before = len(self._wrong())

        def wrong(column: str, what: str, why: str, fix: str) -> None:
            self.say("error", "dose", row, column, cells.get(column, ""), what, why, fix)

        state = self._state(cells, row)
        if not amount > 0:
            wrong("AMT", "is not greater than 0", "the row gives nothing", "write the amount")
        if rate < 0 and rate not in (-1.0, -2.0):
            wrong("RATE", "is negative", "only -1 and -2 have a meaning", "write a rate, 0, -1 or -2")
        item = {-1.0: "rate", -2.0: "duration"}.get(rate)
        if item and state >= 0 and not any(d.item == item and self.states[d.state] == state for d in self.model.doses):
            wrong("RATE", f"asks for a {item} that the model does not have", "the length of the input is unknown",
                  f"declare the {item} of doses into this state, or write the rate")  # fmt: skip
        if ss not in (0.0, 1.0):
            wrong("SS", "is not 0 or 1", "a steady state that is added to what is there is not computed here",
                  "write the doses that lead to it")  # fmt: skip
        if (ss or addl > 0) and not ii > 0:
            wrong(
                "II",
                "is not greater than 0",
                "the doses before or after this one have no time",
                "write the interval in h",
            )
        if addl < 0 or addl != int(addl if math.isfinite(addl) else 0):
            wrong("ADDL", "is not a whole number from 0", "doses are counted", "write the number of further doses")
        if len(self._wrong()) > before or state < 0:
            return None
        return Dose(time, state, amount, rate, ii, int(addl), int(ss), k)

    def _state(self, cells: Mapping[str, Any], row: int) -> int:
        cell = cells.get("CMT")
        text = "" if cell is None or (isinstance(cell, float) and math.isnan(cell)) else str(cell).strip()
        text = text[:-2] if text.endswith(".0") else text
        targets = dict(self.model.structure.dose_targets)
        if text in ("", ".") and len(set(targets.values())) == 1:
            return self.states[next(iter(targets.values()))]
        name = self.columns.states.get(text, targets.get(text, text))
        if name in self.states:
            return self.states[name]
        if not self.columns.states and re.fullmatch("[0-9]{1,4}", text) and 1 <= int(text) <= len(self.states):
            return int(text) - 1
        known = self.columns.states or {str(k): n for k, n in enumerate(self.states, start=1)}
        self.say("error", "cmt", row, "CMT", text, "names no state of the model", "the dose would go nowhere",
                 f"use one of {', '.join(f'{a} ({b})' for a, b in known.items())}")  # fmt: skip
        return -1

    def _observation(self, k: int, row: int, cells: Mapping[str, Any]) -> limits.Read | None:
        c, output = self.columns, 0
        if c.output:
            text = _label(cells[c.output])
            if text not in c.outputs:
                self.say("error", "output", row, c.output, text, "is no declared output",
                         "the sample cannot be compared with anything",
                         f"declare it (columns: outputs); declared: {', '.join(c.outputs) or 'none'}")  # fmt: skip
                return None
            output = self.output_index[c.outputs[text]]
        found = self._described(cells, row, output if c.output else -1)
        if found is None:
            return None
        output, factor = found
        flag = self._number(cells, c.censored, 0.0, row) if c.censored else 0.0
        name = self.model.outputs[output].name
        limit = c.lloq.get(name, math.nan)
        if c.limit_column:
            limit = self._number(cells, c.limit_column, limit if math.isfinite(limit) else 0.0, row)
        value = self._number(cells, c.value, limit if flag and math.isfinite(limit) else None, row)
        if value <= 0 and not flag and not limit > 0 and self.model.outputs[output].error == "lognormal":
            self.say("error", "not_positive", row, c.value, cells[c.value], "is not greater than 0",
                     "a lognormal error gives it no probability",
                     "declare the limit of quantification (columns: lloq), or leave the row out")  # fmt: skip
        return limits.Read(k, row, output, value * factor, limit * factor, int(flag))

    def _described(self, cells: Mapping[str, Any], row: int, known: int) -> tuple[int, float] | None:
        """The output that a row's statements fit, and the factor from its unit; None and a finding if there is none."""
        stated = {a: str(cells[c]).strip() for c, a in self.columns.described.items()}
        wanted = {a: v.casefold() for a, v in stated.items() if a != "unit"}
        candidates = [known] if known >= 0 else range(len(self.model.outputs))
        fitting = [k for k in candidates if all(_said(self.model.outputs[k], a) == v for a, v in wanted.items())]
        if len(fitting) != 1:
            declared = "; ".join(
                f"{o.name}: " + ", ".join(_said(o, a) or "nothing" for a in wanted) for o in self.model.outputs
            )
            columns = {a: c for c, a in self.columns.described.items()}
            self.say("error", "output", row, columns[next(iter(wanted), "unit")], ", ".join(wanted.values()),
                     "is no declared output" if not fitting else "fits several outputs",
                     "the sample cannot be compared with anything", f"declare it; declared are {declared}")  # fmt: skip
            return None
        unit, own = stated.get("unit", ""), self.model.outputs[fitting[0]].unit
        if not unit or unit == own:
            return fitting[0], 1.0
        try:
            return fitting[0], convert(1.0, "concentration", unit, COMMON) / convert(1.0, "concentration", own, COMMON)
        except UnitError:
            column = next(c for c, a in self.columns.described.items() if a == "unit")
            self.say("error", "unit", row, column, unit, f"cannot be converted to {own or 'no unit'}",
                     "the value would be wrong by a factor", "write the value in the unit of the output")  # fmt: skip
            return None


def _said(output: Output, attribute: str) -> str:
    """What an output declares of an attribute, as a row would say it."""
    value = getattr(output, attribute)
    if attribute == "unbound":
        return "unbound" if value else "total"
    return str(value).casefold()


def _label(cell: object) -> str:
    """A cell that is a name: 1 and 1.0 are the same."""
    text = str(cell).strip()
    return text[:-2] if text.endswith(".0") else text
