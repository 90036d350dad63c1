"""Licence, goal and hypotheses from small YAML files; everything that is wrong comes back as findings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pharmtwin.findings import Finding
from pharmtwin.inference.dose.choice import Goal
from pharmtwin.inference.dose.regimens import Licence
from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.problem.problem import Component
from pharmtwin.untrusted import load_yaml

SCHEMA = 1
NUMBER, WHOLE, NUMBERS = "a number from 0 on", "a whole number from 0 on", "a list of numbers above 0"
TEXT, LIST = "a text", "a list"
LICENCE = {
    "route": TEXT, "strengths": NUMBERS, "units": WHOLE, "splits": WHOLE, "intervals": NUMBERS, "durations": NUMBERS,
    "lowest_dose": NUMBER, "highest_dose": NUMBER, "highest_daily": NUMBER, "input": TEXT, "drug": TEXT, "source": TEXT,
}  # fmt: skip
GOAL = {
    "metric": TEXT, "output": TEXT, "low": NUMBER, "high": NUMBER, "level": NUMBER, "toxic_metric": TEXT,
    "toxic": NUMBER, "efficacy": NUMBER, "harm": NUMBER, "horizon": NUMBER, "source": TEXT,
}  # fmt: skip
#: who decides on the length of a zero-order input: nobody (a bolus, or ``durations``), or a parameter of the model
INPUTS = {"given": 0, "rate_of_model": -1, "duration_of_model": -2}


@dataclass(frozen=True)
class Asked:
    """A goal, and when it is judged: the interval in which ``horizon`` (h from now) ends."""

    goal: Goal
    horizon: float
    source: str = ""


class _Page:
    """One YAML file: its known entries, and what is wrong with it."""

    def __init__(self, path: str, rule: str, kinds: Mapping[str, str], needed: tuple[str, ...]) -> None:
        self.path, self.rule, self.findings = path, rule, []  # type: str, str, list[Finding]
        self.values: dict[str, Any] = {}
        raw = self._raw()
        if raw is None:
            return
        if raw.get("schema") != SCHEMA:
            self.wrong("schema", "is not a schema of this program", f"write schema: {SCHEMA}", raw.get("schema", ""))
        for key, value in raw.items():
            if key == "schema":
                continue
            if key not in kinds:
                self.wrong(str(key), "is no known entry", f"use {', '.join(kinds)}")
            elif not _fits(kinds[key], value):
                self.wrong(str(key), f"is not {kinds[key]}", "correct it", value)
            else:
                self.values[key] = tuple(map(float, value)) if kinds[key] == NUMBERS else value
        for key in needed:
            if key not in raw:
                self.wrong(key, "is missing", f"add {key}, {kinds[key]}")

    def _raw(self) -> Mapping[str, Any] | None:
        try:
            raw = load_yaml(Path(self.path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            self.wrong("", f"cannot be read: {type(error).__name__}", "give a YAML file that is there")
            return None
        if not isinstance(raw, Mapping):
            self.wrong("", "is no mapping of entries", "write `name: value` lines")
            return None
        return raw

    def wrong(self, entry: str, what: str, fix: str, value: object = "") -> None:
        """One fault more."""
        why = "the hypotheses are unknown" if self.rule == "components" else "no dose can be looked for"
        self.findings.append(Finding.create(f"dose.{self.rule}", self.path, what, why, fix, column=entry, value=value))


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _fits(kind: str, value: Any) -> bool:
    if kind in (NUMBER, WHOLE):
        return _number(value) and value >= 0 and (kind == NUMBER or value == int(value))
    if kind == NUMBERS:
        return isinstance(value, list) and all(_number(v) and v > 0 for v in value) and len(value) > 0
    return isinstance(value, str if kind == TEXT else list)


def read_licence(path: str, model: PopulationModel | None) -> tuple[Licence | None, list[Finding]]:
    """The licence, or None with what is wrong; ``route``: a route or state of the model (None: not checked)."""
    page = _Page(path, "licence", LICENCE, ("route", "strengths", "intervals"))
    v = page.values
    state = _state(page, model)
    for key, allowed in (("splits", (1, 2)), ("units", range(1, 101))):
        if key in v and v[key] not in allowed:
            page.wrong(key, "is out of range", "write 1 or 2" if key == "splits" else "write 1 to 100", v[key])
    given = v.get("input", "given")
    if given not in INPUTS:
        page.wrong("input", "is unknown", f"use {', '.join(INPUTS)}", given)
    elif given != "given" and model is not None:
        item = given.split("_")[0]
        if "durations" in v or not any(d.item == item and d.state == state for d in model.doses):
            what = f"needs a model with a {item} of doses into {state}, and no durations"
            page.wrong("input", what, "use given", given)
    if page.findings:
        return None, page.findings
    named: dict[str, Any] = {k: int(v[k]) for k in ("units", "splits") if k in v}
    named |= {k: float(v[k]) for k in ("lowest_dose", "highest_dose", "highest_daily") if k in v}
    named |= {"durations": v.get("durations", ()), "modelled": INPUTS[given]}
    return Licence(v["strengths"], v["intervals"], state, **named), []


def _state(page: _Page, model: PopulationModel | None) -> str:
    route = str(page.values.get("route", ""))
    if model is None or "route" not in page.values:
        return route
    routes = dict(model.structure.dose_targets)
    state = routes.get(route, route)
    if state not in model.structure.state_names:
        page.wrong("route", f"is no route of model {model.name}", f"use {', '.join(routes)}", route)
    return state


def read_goal(path: str, model: PopulationModel | None) -> tuple[Asked | None, list[Finding]]:
    """The goal, or None with what is wrong; ``output`` must be one of the model's (None: not checked)."""
    page = _Page(path, "goal", GOAL, ("metric", "low", "horizon"))
    v = dict(page.values)
    horizon, source = v.pop("horizon", 0.0), v.pop("source", "")
    if "horizon" in page.values and not horizon > 0:
        page.wrong("horizon", "is not above 0", "write the hours after which the regimen is judged", horizon)
    if model is not None:
        names = [o.name for o in model.outputs]
        if v.setdefault("output", names[0]) not in names:
            page.wrong("output", f"is no output of model {model.name}", f"use {', '.join(names)}", v["output"])
    try:
        goal = Goal(**{"metric": "AUC", "low": 0.0, **v}) if "metric" in v and "low" in v else None
    except ValueError as error:
        for line in str(error).splitlines():
            entry, _, what = line.partition(": ")
            page.wrong(entry, what, "correct it", v.get(entry, ""))
    if page.findings:
        return None, page.findings
    assert goal is not None
    return Asked(goal, float(horizon), source), []


def read_components(path: str, model: PopulationModel | None) -> tuple[tuple[Component, ...], list[Finding]]:
    """Hypotheses about a person (diplotypes), and what is wrong.

    ``components: [{name, weight, values: {constant or covariate: number}}]``; weights are probabilities.
    """
    page = _Page(path, "components", {"components": LIST, "source": TEXT}, ("components",))
    made: list[Component] = []
    settable = None if model is None else {*model.constants, *model.covariates}
    for k, entry in enumerate(page.values.get("components", ()), start=1):
        where = f"components {k}"
        if not isinstance(entry, Mapping) or set(entry) - {"name", "weight", "values"}:
            page.wrong(where, "is not {name, weight, values}", "write these three entries")
            continue
        weight: Any = entry.get("weight")
        values: Any = entry.get("values") or {}
        foreign: list[str] = []
        if settable is not None and isinstance(values, Mapping):
            foreign = sorted(str(v) for v in values if v not in settable)
        if not _number(weight) or not 0 <= weight <= 1:
            page.wrong(where, "has no weight between 0 and 1", "write its probability", weight)
        elif not isinstance(values, Mapping) or not all(map(_number, values.values())):
            page.wrong(where, "has values that are no numbers", "write values: {NAME: number}")
        elif foreign:
            fix = f"use {', '.join(sorted(settable or ())) or 'a model that has some'}"
            page.wrong(where, f"sets {', '.join(foreign)}, no constant or covariate of the model", fix)
        else:
            made.append(
                Component(float(weight), {str(n): float(x) for n, x in values.items()}, str(entry.get("name", k)))
            )
    total = sum(c.weight for c in made)
    if not page.findings and abs(total - 1.0) > 1e-6:
        page.wrong("components", f"have weights that add up to {total:g}, not 1", "correct the probabilities")
    return tuple(made), page.findings
