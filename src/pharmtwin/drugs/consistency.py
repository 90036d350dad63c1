"""What each part of a drug file says well, but what does not go together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from pharmtwin.drugs.body import has_content, substance
from pharmtwin.drugs.fields import PER_ENZYME, TISSUES
from pharmtwin.drugs.schema import Compound, Drug

#: absorption models that release in stages or as particles, and what each of the others needs
SEGMENTED = ("cat", "adam")
NEEDS = {"cat": ("Peff",), "adam": ("Peff",), "transit": ("MTT", "F_a"), "first_order": ("ka", "F_a")}


class Inconsistency(NamedTuple):
    """A finding without its line: key of the file, rule, severity, what is wrong, how to mend it, the value."""

    key: str
    rule: str
    severity: str
    what: str
    fix: str
    value: object = ""


def absorption_model(drug: Drug) -> str:
    """The model; what ``auto`` means: ``segmented`` (cat or adam) with Peff, else transit or first_order as given.

    Empty if the file tells nothing of absorption: the drug then takes no oral doses. Whether the wall is modelled
    (adam) is decided by the system (``drugs.absorption``).
    """
    if drug.absorption_model != "auto":
        return drug.absorption_model
    given = drug.absorption
    if "Peff" in given:
        return "segmented"
    if "MTT" in given or any("MTT" in form.values for form in drug.formulations.values()):
        return "transit"
    return "first_order" if "ka" in given else ""


def inconsistencies(drug: Drug) -> Iterator[Inconsistency]:
    """All of them: absorption against formulations, transport against the liver's model, binding against fu_p."""
    yield from _absorption(drug)
    for compound in drug.compounds:
        key = f"compounds.{compound.name}"
        yield from _binding(compound, f"{key}.binding")
        yield from _liver(compound, key)
        yield from _twice(compound, key)
        yield from _content(compound, key)
    walled = drug.compounds[:1] if absorption_model(drug) in ("adam", "segmented") else ()
    for compound in drug.compounds:
        for i, carried in enumerate(compound.transport):
            if carried.where == "gut" and compound not in walled:
                what = "efflux into the lumen needs a dosed compound whose absorption model is adam (auto with Peff)"
                fix = "change the absorption model, or leave the efflux out and say so"
                yield Inconsistency(f"compounds.{compound.name}.transport.{i}", "drug.wall", "error", what, fix)


def _content(compound: Compound, key: str) -> Iterator[Inconsistency]:
    """Enzymes whose content, and molecules whose turnover, the tables do not have: the model will refuse to run."""
    for i, path in enumerate(compound.paths):
        for tissue in path.where if set(path.values) & set(PER_ENZYME) else ():
            quantity = "abundance" if tissue == "liver" else "amount"
            if not has_content(path.enzyme, tissue, quantity):
                what = f"physiology/abundance.tsv has no {quantity} of {path.enzyme} in {tissue}"
                fix = "check the name; add the content with its source, or state the path otherwise (CLint_liver)"
                yield Inconsistency(f"{key}.metabolism.{i}", "drug.content", "warning", what, fix, path.enzyme)
    for i, action in enumerate(compound.acts_on):
        turns_over = any(has_content(action.target, tissue, "kdeg") for tissue in TISSUES)
        if action.mechanism in ("induction", "inactivation") and not turns_over:
            what = f"physiology/abundance.tsv has no turnover (kdeg) of {action.target}"
            fix = "check the name; add its turnover with a source"
            yield Inconsistency(f"{key}.acts_on.{i}", "drug.content", "warning", what, fix, action.target)


def _twice(compound: Compound, key: str) -> Iterator[Inconsistency]:
    """Names of paths, and transporters in a place, must be unique within a compound."""
    entries = {
        "metabolism": [path.name for path in compound.paths],
        "transport": [f"{t.transporter} {t.where} {t.direction}" for t in compound.transport],
    }
    for section, names in entries.items():
        for one, other in pairwise(sorted(names)):
            if one == other:
                i = len(names) - 1 - names[::-1].index(one)
                fix = "name every path (`path:`); one entry a transporter, tissue and direction"
                yield Inconsistency(f"{key}.{section}.{i}", "drug.twice", "error", "stands twice", fix, one)


def _absorption(drug: Drug) -> Iterator[Inconsistency]:
    model = absorption_model(drug)
    if not model:
        what = "nothing is said of absorption: the drug takes no oral doses"
        yield Inconsistency("absorption", "drug.no_oral", "note", what, "give Peff, MTT or ka if it is swallowed")
    for leaf in NEEDS.get("cat" if model == "segmented" else model, ()):
        every_form = bool(drug.formulations) and all(leaf in form.values for form in drug.formulations.values())
        if leaf not in drug.absorption and not every_form:
            what = f"absorption model {model} needs {leaf}"
            yield Inconsistency(f"absorption.{leaf}", "drug.missing", "error", what, "add it, or take another model")
    for name, form in drug.formulations.items():
        key = f"formulations.{name}.release"
        segmented = model in ("segmented", *SEGMENTED)
        if form.release in ("weibull", "particles") and not segmented:
            what = f"release {form.release} needs absorption model cat or adam, not {model or 'none'}"
            yield Inconsistency(key, "drug.release", "error", what, "give Peff and one of these models")
        if form.release == "transit" and model != "transit":
            what = f"release transit needs absorption model transit, not {model or 'none'}"
            yield Inconsistency(key, "drug.release", "error", what, "take release weibull (t50, shape), or the model")
        if form.release == "particles" and "solubility" not in drug.absorption:
            what = "particles need the solubility"
            yield Inconsistency("absorption.solubility", "drug.missing", "error", what, "add absorption.solubility")


def _binding(compound: Compound, key: str) -> Iterator[Inconsistency]:
    values = compound.values
    if "binding.B_P" not in values and "binding.fu_p" in values and "physicochemistry.logP" in values:
        try:
            ratio = substance(compound).B_P
        except (ValueError, ArithmeticError):  # kind, constants or ranges do not fit, which the reader has said
            return
        what = f"no blood:plasma ratio is given: computed from the composition of red cells it is {ratio:.3g}"
        yield Inconsistency(f"{key}.B_P", "drug.computed", "note", what, "give a measured one where there is one")
    both = ("binding.sites" in values, "binding.Kd" in values)
    if both == (True, True) and compound.get("binding.fu_p", 0.0) > 0 and compound["binding.Kd"] > 0:
        most, bound = compound["binding.sites"] / compound["binding.Kd"], 1.0 / compound["binding.fu_p"] - 1.0
        if most > 1.01 * bound:
            what = f"sites/Kd = {most:.4g} binds more than fu_p says (bound:unbound {bound:.4g})"
            yield Inconsistency(f"{key}.sites", "drug.binding", "error", what, "make sites, Kd and fu_p agree", most)
    elif any(both):
        what = "saturable binding needs both sites and Kd"
        yield Inconsistency(f"{key}.sites", "drug.missing", "error", what, "give both, or neither")


def _liver(compound: Compound, key: str) -> Iterator[Inconsistency]:
    permeable = compound.liver == "permeability_limited"
    if permeable and "liver.PS" not in compound.values:
        what = "a permeability-limited liver needs PS"
        yield Inconsistency(f"{key}.liver.PS", "drug.missing", "error", what, "add it in L/h, with its source")
    for i, carried in enumerate(compound.transport):
        if carried.where == "liver" and carried.direction == "uptake" and not permeable:
            what = "uptake into liver cells has no meaning in a well-stirred liver"
            fix = "write `liver: {model: permeability_limited, PS: ..}`"
            yield Inconsistency(f"{key}.transport.{i}", "drug.liver", "error", what, fix)
    for leaf in ("PS", "fu_cell"):
        if f"liver.{leaf}" in compound.values and not permeable:
            what = f"{leaf} has no effect in a well-stirred liver"
            yield Inconsistency(f"{key}.liver.{leaf}", "drug.liver", "error", what, "set model: permeability_limited")
