"""Numbers of a drug file by path: read, replaced in the drug, and written into the file's text.

Paths: ``absorption.Peff``, ``formulations.tablet.t50``, ``depots.sc.ka``, ``compounds.<name>.binding.fu_p``,
``compounds.<name>.metabolism.<path>.kcat``, ``compounds.<name>.transport.<transporter>.<where>.CL`` and
``compounds.<name>.acts_on.<target>.<mechanism>.Ki``. Tissue and mechanism may be left out where that is clear.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from pharmtwin.core.partition import reference_haematocrit
from pharmtwin.drugs.schema import Compound, Drug, Quantity

Change = Callable[[str, Quantity], Quantity]
#: factors on values: drug -> whole path -> factor
Scales = Mapping[str, Mapping[str, float]]
#: values that are fractions: a factor does not lift them above 1
FRACTIONS = ("fu_p", "fu_mic", "fu_gut", "fu_cell", "F_a", "F", "fraction", "GFR_fraction")
LOGARITHMS = ("logP",)  # a factor adds its logarithm
BLOOD_TO_PLASMA = "B_P"  # a factor acts on what cells hold: on the part above 1 - haematocrit, which is plasma


def mapped(drug: Drug, change: Change) -> Drug:
    """The drug with ``change(path, quantity)`` in place of every quantity."""

    def each(prefix: str, values: Mapping[str, Quantity]) -> dict[str, Quantity]:
        return {k: change(f"{prefix}.{k}", q) for k, q in values.items()}

    def of(compound: Compound) -> Compound:
        at = f"compounds.{compound.name}"
        return replace(
            compound,
            values=each(at, compound.values),
            paths=tuple(replace(p, values=each(f"{at}.metabolism.{p.name}", p.values)) for p in compound.paths),
            transport=tuple(
                replace(t, values=each(f"{at}.transport.{t.transporter}.{t.where}", t.values))
                for t in compound.transport
            ),
            acts_on=tuple(
                replace(a, values=each(f"{at}.acts_on.{a.target}.{a.mechanism}", a.values)) for a in compound.acts_on
            ),
        )

    return replace(
        drug,
        compounds=tuple(of(c) for c in drug.compounds),
        absorption=each("absorption", drug.absorption),
        formulations={
            k: replace(form, values=each(f"formulations.{k}", form.values)) for k, form in drug.formulations.items()
        },
        depots={k: each(f"depots.{k}", values) for k, values in drug.depots.items()},
    )


def quantities(drug: Drug) -> dict[str, Quantity]:
    """Every quantity of a drug by its path."""
    found: dict[str, Quantity] = {}

    def note(path: str, q: Quantity) -> Quantity:
        found[path] = q
        return q

    mapped(drug, note)
    return found


def _short(path: str) -> str:
    """Path without tissue or mechanism."""
    parts = path.split(".")
    carried = len(parts) == 6 and parts[2] in ("transport", "acts_on")
    return ".".join([*parts[:4], parts[5]]) if carried else path


def full_path(drug: Drug, path: str) -> str:
    """The whole path of one that may lack tissue or mechanism; raises KeyError for none, or more than one."""
    known = quantities(drug)
    found = [p for p in known if path in (p, _short(p))]
    if len(found) != 1:
        near = [p for p in known if p.rpartition(".")[2] == path.rpartition(".")[2]]
        what = f"matches {found}" if found else f"is not there; {near or 'nothing'} ends like it"
        raise KeyError(f"{drug.name}: {path} {what}")
    return found[0]


def with_values(drug: Drug, values: Mapping[str, float]) -> Drug:
    """The drug with other values at some paths; raises KeyError for a path that it does not have."""
    wanted = {full_path(drug, p): v for p, v in values.items()}
    return mapped(drug, lambda p, q: replace(q, value=wanted[p]) if p in wanted else q)


def scaled(drug: Drug, scales: tuple[Scales, ...]) -> Drug:
    """The drug with its values times all factors.

    Fractions stay at most 1; logP moves by the factor's logarithm; of B_P the part above 1 - haematocrit is scaled.
    """
    factors: dict[str, float] = {}
    for scale in scales:
        for path, factor in scale.get(drug.name, {}).items():
            factors[path] = factors.get(path, 1.0) * factor

    def change(path: str, q: Quantity) -> Quantity:
        if path not in factors:
            return q
        leaf, factor = path.rpartition(".")[2], factors[path]
        if leaf in LOGARITHMS:
            return replace(q, value=q.value + math.log(factor))
        if leaf == BLOOD_TO_PLASMA:
            plasma = 1.0 - reference_haematocrit()
            return replace(q, value=plasma + (q.value - plasma) * factor)
        return replace(q, value=min(q.value * factor, max(1.0, q.value)) if leaf in FRACTIONS else q.value * factor)

    return mapped(drug, change) if factors else drug


def number(value: float) -> str:
    """Four significant digits, as YAML reads a number (its 1e-5 is a word)."""
    text = f"{value:.4g}"
    mantissa, e, exponent = text.partition("e")
    return text if not e or "." in mantissa else f"{mantissa}.0e{exponent}"


@dataclass(frozen=True)
class Written:
    """What is written for a quantity: value, sd of its logarithm (None: left as it is), centre of its prior.

    A ``start`` that the file has stays, so that a fit from the written file has the same priors.
    """

    value: float
    cv: float | None = None
    start: float | None = None


def write_values(text: str, values: Mapping[str, Written]) -> str:
    """A drug file's text with other numbers at some paths (whole ones); all else, comments too, stays as it is.

    Raises
    ------
    KeyError : a path that the file does not have. ValueError : a value that is not finite.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    edits: list[tuple[int, int, str]] = []
    for path, new in values.items():
        if not math.isfinite(new.value) or (new.cv is not None and not math.isfinite(new.cv)):
            raise ValueError(f"{path}: {new.value} (sd {new.cv}) is not finite")
        node = _node(root, path)
        value = _child(node, "value", path)
        edits.append((value.start_mark.index, value.end_mark.index, number(new.value)))
        between = ", " if node.flow_style else "\n" + " " * node.start_mark.column
        has = {k.value: v for k, v in node.value}
        added = ""
        if new.cv is not None and "cv" in has:
            edits.append((has["cv"].start_mark.index, has["cv"].end_mark.index, f"{new.cv:.2g}"))
        elif new.cv is not None:
            added += f"{between}cv: {new.cv:.2g}"
        if new.start is not None and "start" not in has:
            added += f"{between}start: {number(new.start)}"
        if added:
            edits.append((value.end_mark.index, value.end_mark.index, added))
    for start, end, words in sorted(edits, reverse=True):
        text = text[:start] + words + text[end:]
    return text


def _child(node: Any, key: str, path: str) -> Any:
    for name, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if name.value == key:
            return value
    raise KeyError(f"{path}: {key} is not in the file")


#: which key names an entry of a list, and what stands for it where it is left out
NAMED = {"metabolism": ("path", "enzyme", "other"), "transport": ("transporter",), "acts_on": ("target",)}
SECOND = {"transport": ("where", "liver"), "acts_on": ("mechanism", "")}


def _scalar(node: Any, key: str) -> str:
    return next((str(v.value) for k, v in node.value if k.value == key), "")


def _node(root: Any, path: str) -> Any:
    """Node of the quantity at a whole path."""
    parts = path.split(".")
    if parts[0] != "compounds" or parts[2] not in NAMED:
        node = root
        for part in parts:
            node = _child(node, part, path)
        return node
    section = parts[2]
    entries = _child(_child(_child(root, "compounds", path), parts[1], path), section, path)
    name, leaf = ".".join(parts[3:-1]), parts[-1]
    for entry in entries.value:
        own = next((x for key in NAMED[section] if (x := _scalar(entry, key))), NAMED[section][-1])
        if section in SECOND:
            key, default = SECOND[section]
            own += "." + (_scalar(entry, key) or default)
        if own == name:
            return _child(entry, leaf, path)
    raise KeyError(f"{path}: no such entry in the file")
