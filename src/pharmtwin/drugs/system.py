"""The model that a set of drugs makes in one body: every compound a whole-body PBPK model, linked by enzymes.

The first drug's parent has no suffix; every other compound is named by its own. One state per enzyme and tissue turns
over, is inactivated and induced by whoever does that; reversible inhibitors act on every other compound's path.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pharmtwin.core.anatomy import PORTAL, TISSUES
from pharmtwin.core.whole_body import N_TRANSIT
from pharmtwin.drugs.schema import Compound, Drug, Path
from pharmtwin.model.description import Model, Module, compose
from pharmtwin.model.library import (
    area_under_curve,
    blood,
    enzyme_turnover,
    excreted,
    first_order_absorption,
    glomerular_filtration,
    linear_plasma_binding,
    lung,
    molar_mass,
    perfusion_limited_organ,
    transit_absorption,
    unbound_tissue,
    well_stirred_liver,
)
from pharmtwin.model.library.paths import inhibition, metabolic_path

#: unbound concentration (umol/L) that enzymes of a tissue see, without the compound's suffix
SEEN = {"liver": "Cu", "gut": "Cu_gut"}
#: which factors a mechanism of reversible inhibition has
BOTH = ("competitive", "uncompetitive")
REVERSIBLE = {"competitive": BOTH[:1], "uncompetitive": BOTH[1:], "noncompetitive": BOTH, "mixed": BOTH}


@dataclass(frozen=True)
class Part:
    """One compound in the system. suffix : of its names. drug : that brings it. dosed : it is the drug's parent."""

    suffix: str
    drug: Drug
    compound: Compound
    dosed: bool


@dataclass(frozen=True)
class System:
    """A composed model and what it is made of. enzymes : (enzyme, tissue) that have a state."""

    model: Model
    parts: tuple[Part, ...]
    enzymes: tuple[tuple[str, str], ...]

    def part(self, compound: str) -> Part:
        """A compound by its name; raises KeyError naming those there are."""
        for part in self.parts:
            if part.compound.name == compound:
                return part
        raise KeyError(f"no compound {compound!r}; there are {[p.compound.name for p in self.parts]}")


def site(enzyme: str, tissue: str) -> str:
    """Name of an enzyme's state in a tissue: the liver's has the enzyme's own name."""
    return symbol(enzyme) if tissue == "liver" else f"{symbol(enzyme)}_{tissue}"


def symbol(name: str) -> str:
    """A name as it may stand in an equation (``P-gp`` is ``P_gp``)."""
    return re.sub(r"\W", "_", name)


def parts_of(drugs: Sequence[Drug]) -> tuple[Part, ...]:
    """All compounds of the drugs; raises ValueError if two have the same name."""
    parts = [
        Part("" if k == 0 and i == 0 else symbol(compound.name), drug, compound, i == 0)
        for k, drug in enumerate(drugs)
        for i, compound in enumerate(drug.compounds)
    ]
    names = [p.compound.name for p in parts]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise ValueError(f"compounds that come with more than one drug: {twice}; a drug is its own metabolite's file")
    return tuple(parts)


def build(drugs: Sequence[Drug], name: str = "system") -> System:
    """The model of these drugs together; the first is the victim, whose parent has no suffix.

    Raises ValueError for no drug, two compounds of one name, or an absorption model that is not available here.
    """
    if not drugs:
        raise ValueError("a system needs at least one drug")
    parts = parts_of(drugs)
    enzymes = _enzymes(parts)
    modules: list[Module] = []
    for k, part in enumerate(parts):
        modules += _disposition(part, shares_body=k > 0)
        if part.dosed:
            modules.append(_absorption(part))
    modules += [_turnover(parts, enzyme, tissue) for enzyme, tissue in enzymes]
    factors = {key: _inhibitors(parts, *key) for key in enzymes}
    for (enzyme, tissue), by in factors.items():
        substrates = _substrates(parts, enzyme, tissue)
        if substrates and any(by.values()):
            modules.append(
                inhibition(
                    site(enzyme, tissue), of=substrates, competitive=by["competitive"],
                    uncompetitive=by["uncompetitive"], concentration=SEEN[tissue],
                )
            )  # fmt: skip
    suffix = {p.compound.name: p.suffix for p in parts}
    for part in parts:
        for path in part.compound.paths:
            for tissue in path.where:
                modules.append(_path(part, path, tissue, factors, suffix))
    observed = [p.suffix for p in parts]
    observables = [f"{q}_{s}" if s else q for s in observed for q in ("C_plasma", "AUC")]
    return System(compose(name, modules, observables), parts, enzymes)


def _disposition(part: Part, shares_body: bool) -> list[Module]:
    """Organs, blood, binding, filtration, accounts of one compound."""
    how: dict[str, object] = {"compound": part.suffix, "shares_body": shares_body}
    organs = [
        lung(**how)  # type: ignore[arg-type]
        if t == "lung"
        else well_stirred_liver(PORTAL, **how)  # type: ignore[arg-type]
        if t == "liver"
        else perfusion_limited_organ(t, outflow="liver" if t in PORTAL else "venous", **how)  # type: ignore[arg-type]
        for t in TISSUES
    ]
    c = part.suffix
    area = area_under_curve(meaning="area under the venous plasma concentration", compound=c)
    return [
        *organs,
        blood(compound=c, shares_body=shares_body),
        linear_plasma_binding(compound=c),
        molar_mass(compound=c),
        unbound_tissue("liver", compound=c),
        unbound_tissue("gut", mass="Cu_gut_mg", molar="Cu_gut", compound=c),
        excreted("A_urine", meaning="amount filtered into urine", compound=c),
        glomerular_filtration(compound=c, shares_body=shares_body),
        area,
    ]


def _absorption(part: Part) -> Module:
    model = part.drug.absorption_model
    if model in ("auto", "transit"):
        return transit_absorption(N_TRANSIT, compound=part.suffix)
    if model == "first_order":
        return first_order_absorption(compound=part.suffix)
    raise ValueError(f"{part.drug.name}: absorption model {model!r} is not available in this system yet")


def _enzymes(parts: Sequence[Part]) -> tuple[tuple[str, str], ...]:
    """(enzyme, tissue) of every path that names an enzyme, in a stable order."""
    found = {(path.enzyme, t) for p in parts for path in p.compound.paths if path.enzyme for t in path.where}
    return tuple(sorted(found))


def _turnover(parts: Sequence[Part], enzyme: str, tissue: str) -> Module:
    by = {
        mechanism: tuple(p.suffix for p in parts if (enzyme, mechanism) in _actions(p))
        for mechanism in ("inactivation", "induction")
    }
    return enzyme_turnover(
        site(enzyme, tissue), inactivated_by=by["inactivation"], induced_by=by["induction"], concentration=SEEN[tissue]
    )


def _actions(part: Part) -> set[tuple[str, str]]:
    return {(a.target, a.mechanism) for a in part.compound.acts_on}


def _inhibitors(parts: Sequence[Part], enzyme: str, tissue: str) -> dict[str, tuple[str, ...]]:
    """Reversible inhibitors of an enzyme by kind; the same constants hold in every tissue."""
    return {
        kind: tuple(
            p.suffix
            for p in parts
            if any(a.target == enzyme and kind in REVERSIBLE.get(a.mechanism, ()) for a in p.compound.acts_on)
        )
        for kind in ("competitive", "uncompetitive")
    }


def _substrates(parts: Sequence[Part], enzyme: str, tissue: str) -> tuple[str, ...]:
    return tuple(
        p.suffix for p in parts if any(path.enzyme == enzyme and tissue in path.where for path in p.compound.paths)
    )


def _path(
    part: Part,
    path: Path,
    tissue: str,
    factors: Mapping[tuple[str, str], Mapping[str, tuple[str, ...]]],
    suffix: Mapping[str, str],
) -> Module:
    """One path in one tissue; its parameters carry the tissue's name in the gut (``Vmax_<path>_gut``)."""
    by = factors.get((path.enzyme, tissue), {}) if path.enzyme else {}
    return metabolic_path(
        symbol(path.name) if tissue == "liver" else f"{symbol(path.name)}_{tissue}",
        enzyme=site(path.enzyme, tissue) if path.enzyme else "",
        saturable=path.saturable,
        concentration=SEEN[tissue],
        source=f"A_{tissue}",
        inhibited=tuple(kind for kind in ("competitive", "uncompetitive") if by.get(kind)),
        product=suffix[path.product] if path.product else None,
        product_into=f"A_{tissue}",
        compound=part.suffix,
    )
