"""A drug as a file (schema 2): compounds, how each is distributed, metabolised, transported, excreted, and what it does
to enzymes and transporters; how the drug is absorbed, and in which formulations.

Every quantity is ``{value, unit, source}`` and may carry ``cv`` (uncertainty of the typical value, sd of the
logarithm), ``between_subject`` (sd of the logarithm between people) and ``start`` (centre of the prior of an estimated
value). :mod:`pharmtwin.drugs.read` reads and checks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SCHEMA = 2
ABSORPTION_MODELS = ("auto", "transit", "first_order", "cat", "adam")
RELEASES = ("solution", "weibull", "particles", "transit")
LIVERS = ("well_stirred", "permeability_limited")


@dataclass(frozen=True)
class Quantity:
    """A number with its unit and source.

    cv : sd of the logarithm of the typical value (0: taken as known). between_subject : sd of the logarithm between
    people beyond genotype and body (0: none). start : centre of the weak prior, for an estimated value.
    """

    value: float
    unit: str
    source: str
    cv: float = 0.0
    between_subject: float = 0.0
    start: float | None = None


@dataclass(frozen=True)
class Path:
    """One metabolic path of a compound.

    enzyme : whose state drives it; empty for a path of no named enzyme. where : liver, gut, kidney.
    matures_as : the enzyme that a path without one follows in children and disease. product : compound that is formed.
    values : as in ``fields.PATH``: one of ``fields.KINETICS``, Km where it saturates; fraction that forms the product.
    """

    name: str
    enzyme: str
    where: tuple[str, ...]
    values: Mapping[str, Quantity]
    product: str = ""
    matures_as: str = ""

    @property
    def saturable(self) -> bool:
        """True for Michaelis-Menten kinetics."""
        return "Km" in self.values


@dataclass(frozen=True)
class Transport:
    """Active transport of a compound: transporter, tissue, direction (uptake, efflux, secretion), values."""

    transporter: str
    where: str
    direction: str
    values: Mapping[str, Quantity]


@dataclass(frozen=True)
class Action:
    """What a compound does to an enzyme or transporter: target, mechanism, values as in ``fields.ACTIONS``."""

    target: str
    mechanism: str
    values: Mapping[str, Quantity]


@dataclass(frozen=True)
class Compound:
    """One substance: parent or metabolite. values : quantity by ``section.name`` of ``fields.COMPOUND``.

    partition : method of the partition coefficients. lysosomes : pH partition into lysosomes is added to them.
    liver : one of :data:`LIVERS`.
    """

    name: str
    kind: str
    acid_pKa: tuple[float, ...]
    base_pKa: tuple[float, ...]
    values: Mapping[str, Quantity]
    protein: str = ""
    partition: str = "auto"
    lysosomes: bool = False
    liver: str = LIVERS[0]
    paths: tuple[Path, ...] = ()
    transport: tuple[Transport, ...] = ()
    acts_on: tuple[Action, ...] = ()

    def __getitem__(self, key: str) -> float:
        return self.values[key].value

    def get(self, key: str, default: float) -> float:
        """Value of a quantity, or the default where the file does not tell it."""
        return self.values[key].value if key in self.values else default


@dataclass(frozen=True)
class Formulation:
    """How a dosage form releases: ``release`` is one of :data:`RELEASES`; values as in ``fields.FORMULATION``."""

    name: str
    release: str
    values: Mapping[str, Quantity]


@dataclass(frozen=True)
class Drug:
    """A drug file. The first compound is what is dosed.

    absorption : values as in ``fields.ABSORPTION``. absorption_model : one of :data:`ABSORPTION_MODELS`.
    depots : values as in ``fields.DEPOT`` by route (``sc``, ``im``).
    """

    name: str
    sha256: str
    compounds: tuple[Compound, ...]
    absorption_model: str
    absorption: Mapping[str, Quantity] = field(default_factory=dict)
    formulations: Mapping[str, Formulation] = field(default_factory=dict)
    depots: Mapping[str, Mapping[str, Quantity]] = field(default_factory=dict)

    @property
    def parent(self) -> Compound:
        """The compound that is dosed."""
        return self.compounds[0]

    def compound(self, name: str) -> Compound:
        """A compound by name; raises KeyError naming those there are."""
        for compound in self.compounds:
            if compound.name == name:
                return compound
        raise KeyError(f"{self.name} has no compound {name!r}; it has {[c.name for c in self.compounds]}")
