"""The model that a set of drugs makes in one body: every compound a whole-body PBPK model, linked by enzymes.

The first drug's parent has no suffix; every other compound is named by its own. Enzymes and transporters are one each
in their place (``drugs.places``): they turn over where somebody inactivates or induces them, and reversible inhibitors
act on every other compound's path. Doses: ``drugs.dosing``; values: ``drugs.parameters``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pharmtwin.core.anatomy import PORTAL, TISSUES
from pharmtwin.drugs.absorption import Absorption, absorption_modules, choose
from pharmtwin.drugs.places import Key, acts_on, handled, place_of, seen, site, symbol, transports
from pharmtwin.drugs.schema import Compound, Drug, Path
from pharmtwin.model.description import Model, Module, compose
from pharmtwin.model.library import (
    WallPath,
    active_transport,
    area_under_curve,
    blood,
    constant_enzyme,
    enzyme_turnover,
    excreted,
    first_order_depot,
    glomerular_filtration,
    inhibition,
    intestine,
    linear_plasma_binding,
    lung,
    metabolic_path,
    molar_mass,
    perfusion_limited_organ,
    saturable_plasma_binding,
    two_state_liver,
    unbound_outflow,
    unbound_tissue,
    wall_from_tissue,
    well_stirred_liver,
)
from pharmtwin.model.library.metabolism import KINDS


@dataclass(frozen=True)
class Part:
    """One compound in the system. suffix : of its names. drug : that brings it. dosed : it is the drug's parent."""

    suffix: str
    drug: Drug
    compound: Compound
    dosed: bool
    absorption: Absorption = field(default_factory=Absorption)

    @property
    def permeable(self) -> bool:
        """True if its liver has a membrane between blood and cells."""
        return self.compound.liver == "permeability_limited"

    @property
    def portal(self) -> str:
        """State (without suffix) that takes portal blood."""
        return "A_liver_blood" if self.permeable else "A_liver"


@dataclass(frozen=True)
class System:
    """A composed model and what it is made of. enzymes : (enzyme or transporter, place) that handle a compound."""

    model: Model
    parts: tuple[Part, ...]
    enzymes: tuple[Key, ...]

    def part(self, compound: str) -> Part:
        """A compound by its name; raises KeyError naming those there are."""
        for part in self.parts:
            if part.compound.name == compound:
                return part
        raise KeyError(f"no compound {compound!r}; there are {[p.compound.name for p in self.parts]}")

    def dosed(self, drug: str) -> Part:
        """The parent of a drug by the drug's name; raises KeyError naming those there are."""
        for part in self.parts:
            if part.dosed and part.drug.name == drug:
                return part
        raise KeyError(f"no drug {drug!r}; there are {[p.drug.name for p in self.parts if p.dosed]}")

    @property
    def wall_sites(self) -> tuple[str, ...]:
        """Names of the enzymes and transporters of the gut wall."""
        return tuple(symbol(molecule) for molecule, place in self.enzymes if place == "gut")


def parts_of(drugs: Sequence[Drug], formulations: Mapping[str, str] | None = None) -> tuple[Part, ...]:
    """All compounds of the drugs.

    Raises ValueError if two have the same name, KeyError for a formulation of a drug that is not there.
    """
    strange = sorted(set(formulations or {}) - {d.name for d in drugs})
    if strange:
        raise KeyError(f"formulations of {strange}, but the drugs are {[d.name for d in drugs]}")
    names = [c.name for d in drugs for c in d.compounds]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise ValueError(f"compounds that come with more than one drug: {twice}; a drug is its own metabolite's file")
    walls = {key for d in drugs for c in d.compounds for key in handled(c) if key[1] == "gut"}
    parts = []
    for k, drug in enumerate(drugs):
        for i, compound in enumerate(drug.compounds):
            absorption = Absorption()
            if i == 0:
                own = any(key in walls for key in handled(compound))
                acts = any(a.target == molecule for a in compound.acts_on for molecule, _ in walls)
                absorption = choose(drug, (formulations or {}).get(drug.name, ""), own or acts)
            suffix = "" if k == 0 and i == 0 else symbol(compound.name)
            parts.append(Part(suffix, drug, compound, i == 0, absorption))
    return tuple(parts)


def build(
    drugs: Sequence[Drug],
    name: str = "system",
    *,
    formulations: Mapping[str, str] | None = None,
    observe: Sequence[str] = (),
) -> System:
    """The model of these drugs together; the first is the victim, whose parent has no suffix.

    Parameters
    ----------
    formulations : dosage form by drug name (not named: the first of its file).
    observe : names that the model returns beside C_plasma and AUC of every compound (e.g. ``A_urine``, ``E_CYP3A4``).

    Raises
    ------
    ValueError : no drug, two compounds of one name, a release that the absorption model cannot hold.
    KeyError : an unknown formulation.
    """
    if not drugs:
        raise ValueError("a system needs at least one drug")
    parts = parts_of(drugs, formulations)
    enzymes = tuple(sorted({key for part in parts for key in handled(part.compound)}))
    factors = {key: _inhibitors(parts, key[0]) for key in enzymes}
    system = _Builder(parts, enzymes, factors)
    observables = [f"{q}_{p.suffix}" if p.suffix else q for p in parts for q in ("C_plasma", "AUC")]
    return System(compose(name, list(system.modules()), [*observables, *observe]), parts, enzymes)


def _inhibitors(parts: Sequence[Part], molecule: str) -> dict[str, tuple[str, ...]]:
    """Reversible inhibitors of a molecule by kind; the same constants hold in every place."""
    return {kind: tuple(p.suffix for p in parts if acts_on(p.compound, molecule, kind)) for kind in KINDS}


@dataclass(frozen=True)
class _Builder:
    """All modules of a system. factors : inhibitors by molecule and kind."""

    parts: tuple[Part, ...]
    enzymes: tuple[Key, ...]
    factors: Mapping[Key, Mapping[str, tuple[str, ...]]]

    def modules(self) -> Iterator[Module]:
        """One after the other; what belongs to the body is declared by the first that needs it."""
        if any(p.absorption.lumen for p in self.parts):
            walls = any(p.absorption.wall for p in self.parts)
            yield intestine(tuple(symbol(m) for m, place in self.enzymes if place == "gut") if walls else ())
        for k, part in enumerate(self.parts):
            earlier = any(p.permeable for p in self.parts[:k])
            yield from _disposition(part, shares_body=k > 0, shares_liver_blood=earlier)
            yield from self.absorption(part)
        yield from (self.turnover(*key) for key in self.enzymes)
        for key, by in self.factors.items():
            substrates = tuple(p.suffix for p in self.parts if key in set(handled(p.compound)))
            if any(by.values()):
                yield inhibition(site(*key), of=substrates, concentration=seen(*key), **by)
        for part in self.parts:
            yield from self.paths(part)
            yield from self.transport(part)

    def kinds(self, molecule: str, place: str) -> tuple[str, ...]:
        """Which factors of inhibition a molecule has in its place."""
        by = self.factors.get((molecule, place), {})
        return tuple(kind for kind in KINDS if by.get(kind))

    def product(self, path: Path) -> Part | None:
        """The compound that a path forms."""
        return next((p for p in self.parts if path.product and p.compound.name == path.product), None)

    def turnover(self, molecule: str, place: str) -> Module:
        by = {
            mechanism: tuple(p.suffix for p in self.parts if acts_on(p.compound, molecule, mechanism))
            for mechanism in ("inactivation", "induction")
        }
        if not any(by.values()):
            return constant_enzyme(site(molecule, place))
        return enzyme_turnover(
            site(molecule, place),
            inactivated_by=by["inactivation"],
            induced_by=by["induction"],
            concentration=seen(molecule, place),
        )

    def absorption(self, part: Part) -> Iterator[Module]:
        """Absorption with its wall; depots; what the wall's molecules see of a compound that has no wall."""
        walls = tuple(molecule for molecule, place in self.enzymes if place == "gut")
        acts = tuple(symbol(m) for m in walls if any(a.target == m for a in part.compound.acts_on))
        ways, kinds = self.wall_paths(part), {}
        if part.absorption.wall:
            kinds = {symbol(m): self.kinds(m, "gut") for m in walls if symbol(m) in {way.site for way in ways}}
        elif acts:
            yield wall_from_tissue(acts, compound=part.suffix)
        yield from absorption_modules(part.absorption, ways, acts, kinds, part.portal, part.suffix)
        for route in part.drug.depots if part.dosed else ():
            yield first_order_depot(route, compound=part.suffix)

    def wall_paths(self, part: Part) -> tuple[WallPath, ...]:
        """Ways of a compound in its enterocytes."""
        if not part.absorption.wall:
            return ()
        ways = []
        for path in part.compound.paths:
            if "gut" in path.where:
                product = self.product(path)
                formed = (product.suffix, product.portal) if product else (None, "A_liver")
                ways.append(WallPath(path_name(path, "gut"), symbol(path.enzyme), path.saturable, False, *formed))
        for carried in transports(part.compound):
            if carried.where == "gut":
                name = site(carried.transporter, "gut")
                ways.append(WallPath(name, symbol(carried.transporter), "Km" in carried.values, pumps=True))
        return tuple(ways)

    def paths(self, part: Part) -> Iterator[Module]:
        """Metabolism outside the enterocytes; a compound without them is metabolised by the gut in the gut organ."""
        for path in part.compound.paths:
            for tissue in path.where:
                if tissue == "gut" and part.absorption.wall:
                    continue
                product = self.product(path)
                into = {"gut": product.portal if product else ""}.get(tissue, f"A_{tissue}")
                yield metabolic_path(
                    path_name(path, tissue),
                    enzyme=site(path.enzyme, tissue) if path.enzyme else "",
                    saturable=path.saturable,
                    concentration={"liver": "Cu"}.get(tissue, f"Cu_{tissue}"),
                    source=f"A_{tissue}",
                    inhibited=self.kinds(path.enzyme, tissue),
                    product=product.suffix if product else None,
                    product_into=into,
                    compound=part.suffix,
                )

    def transport(self, part: Part) -> Iterator[Module]:
        """Active transport outside the enterocytes. Bile enters the first segment of the bowel, else faeces."""
        bile = "A_lumen_1" if part.absorption.lumen else "A_faeces"
        ends = {
            "sinus": ("A_liver_blood", "A_liver"),
            "liver": ("A_liver", bile),
            "kidney": ("A_kidney", "A_urine"),
        }
        carried = [t for t in transports(part.compound) if place_of(t) in ends]
        if not part.absorption.model and any(place_of(t) == "liver" for t in carried):
            yield excreted("A_faeces", meaning="amount excreted with bile", compound=part.suffix)
        for t in carried:
            place = place_of(t)
            source, target = ends[place]
            yield active_transport(
                site(t.transporter, place),
                source=source,
                target=target,
                concentration=seen(t.transporter, place),
                saturable="Km" in t.values,
                inhibited=self.kinds(t.transporter, place),
                compound=part.suffix,
            )


def path_name(path: Path, tissue: str) -> str:
    """Name of a path's parameters in a tissue: with the tissue, but for the liver."""
    return symbol(path.name) if tissue == "liver" else f"{symbol(path.name)}_{tissue}"


def _disposition(part: Part, shares_body: bool, shares_liver_blood: bool) -> Iterator[Module]:
    """Organs, blood, binding, filtration, accounts of one compound."""
    c = part.suffix
    hepatic = "liver_blood" if part.permeable else "liver"
    for tissue in TISSUES:
        if tissue == "lung":
            yield lung(compound=c, shares_body=shares_body)
        elif tissue == "liver" and part.permeable:
            yield two_state_liver(PORTAL, compound=c, shares_body=shares_body, shares_blood=shares_liver_blood)
        elif tissue == "liver":
            yield well_stirred_liver(PORTAL, compound=c, shares_body=shares_body)
            yield unbound_tissue("liver", compound=c)
            yield unbound_outflow("liver", compound=c)
        else:
            outflow = hepatic if tissue in PORTAL else "venous"
            yield perfusion_limited_organ(tissue, outflow=outflow, compound=c, shares_body=shares_body)
    yield blood(compound=c, shares_body=shares_body)
    saturable = "binding.sites" in part.compound.values
    yield saturable_plasma_binding(compound=c) if saturable else linear_plasma_binding(compound=c)
    yield molar_mass(compound=c)
    yield unbound_tissue("gut", mass="Cu_gut_mg", molar="Cu_gut", compound=c)
    yield unbound_tissue("kidney", mass="Cu_kidney_mg", molar="Cu_kidney", compound=c)
    yield excreted("A_urine", meaning="amount excreted into urine", compound=c)
    yield glomerular_filtration(fraction=True, compound=c, shares_body=shares_body)
    yield area_under_curve(meaning="area under the venous plasma concentration", compound=c)
