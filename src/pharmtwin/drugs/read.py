"""Reading a drug file (schema 2): all that is missing, inconsistent or off by a unit is said at once, with its line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path as FilePath
from typing import Any

from pharmtwin.core.binding import PARTNERS
from pharmtwin.core.drug import plain_name
from pharmtwin.core.partition import KINDS, METHODS
from pharmtwin.drugs import fields as f
from pharmtwin.drugs.consistency import inconsistencies
from pharmtwin.drugs.reader import Reader
from pharmtwin.drugs.schema import (
    ABSORPTION_MODELS,
    LIVERS,
    RELEASES,
    SCHEMA,
    Action,
    Compound,
    Drug,
    Formulation,
    Path,
    Quantity,
    Transport,
)
from pharmtwin.facts import RESOURCES, sha256_file
from pharmtwin.findings import Finding, has_errors

DIRECTIONS = ("uptake", "efflux", "secretion")
COMPOUND_KEYS = (*f.COMPOUND, "metabolism", "transport", "acts_on")
TOP_KEYS = ("schema", "name", "compounds", "absorption", "formulations", "depots")
#: words, lists and switches of the sections of a compound, beside the quantities of ``fields.COMPOUND``
WORDS = {
    "physicochemistry": ("kind", "acid_pKa", "base_pKa"),
    "binding": ("protein",),
    "distribution": ("method", "lysosomes"),
    "liver": ("model",),
}
NEEDED = ("physicochemistry.MW", "physicochemistry.logP", "binding.fu_p")


class DrugFileError(ValueError):
    """A drug file that cannot be used; the message lists every error."""


def drug_file(name: str, base: FilePath = FilePath(".")) -> FilePath:
    """Path of a drug file: a path ending in .yaml, or a name in ``resources/drugs``."""
    return base / name if name.endswith((".yaml", ".yml")) else RESOURCES / "drugs" / f"{plain_name(name)}.yaml"


def not_there(path: FilePath) -> str:
    """What to say of a drug file that does not exist: the shipped drug whose name is nearest, or all of them."""
    shipped = sorted(p.stem for p in (RESOURCES / "drugs").glob("*.yaml"))
    near = get_close_matches(path.stem, shipped, n=1)
    return f"no drug file {path}; " + (f"did you mean {near[0]}?" if near else f"shipped are {', '.join(shipped)}")


def read_drug(name: str, base: FilePath = FilePath(".")) -> Drug:
    """A checked drug; raises FileNotFoundError, or DrugFileError with every error."""
    path = drug_file(name, base)
    if not os.path.isfile(path):
        raise FileNotFoundError(not_there(path))
    drug, findings = check_drug(path)
    if drug is None or has_errors(findings):
        raise DrugFileError("\n".join(x.message() for x in findings if x.severity == "error"))
    return drug


def check_drug(path: FilePath) -> tuple[Drug | None, list[Finding]]:
    """A drug file as far as it can be read (None: not at all), and every finding, by line."""
    reader = _Reader(str(path))
    raw = reader.tree(path)
    if raw is None and reader.findings:
        return None, reader.findings
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        reader.error(
            "schema", "drug.schema", f"is not a drug file of schema {SCHEMA}", f"begin with `schema: {SCHEMA}`"
        )
        return None, reader.findings
    drug = reader.drug(raw, path)
    for found in inconsistencies(drug):
        reader.say(found.key, found.rule, found.severity, found.what, found.fix, found.value)
    return drug, sorted(set(reader.findings), key=lambda x: (x.row, x.column, x.rule))


@dataclass
class _Reader(Reader):
    """The parts of a drug file."""

    def missing(self, key: str, leaf: str, spec: f.Field) -> None:
        fix = f"add it in {spec.unit}, with its source"
        self.error(f"{key}.{leaf}", "drug.missing", f"missing: {spec.meaning}", fix)

    def drug(self, raw: dict[str, Any], path: FilePath) -> Drug:
        self.mapping("", raw, TOP_KEYS)
        table = self.mapping("compounds", raw.get("compounds"), ())
        if not table:
            fix = "give the compound that is dosed, then its metabolites"
            self.error("compounds", "drug.missing", "no compound is given", fix)
        compounds = tuple(self.compound(name, body, tuple(table)) for name, body in table.items())
        given = self.mapping("absorption", raw.get("absorption"), ("model", *f.ABSORPTION))
        model = self.word("absorption.model", given.get("model"), ABSORPTION_MODELS, "auto")
        forms = self.mapping("formulations", raw.get("formulations"), ())
        depots = self.mapping("depots", raw.get("depots"), f.DEPOTS)
        return Drug(
            name=str(raw.get("name", path.stem)),
            sha256=sha256_file(path),
            compounds=compounds,
            absorption_model=model,
            absorption=self.quantities("absorption", given, f.ABSORPTION),
            formulations={name: self.formulation(name, body) for name, body in forms.items()},
            depots={route: self.depot(route, body) for route, body in depots.items()},
        )

    def compound(self, name: str, raw: object, known: tuple[str, ...]) -> Compound:
        key = f"compounds.{name}"
        body = self.mapping(key, raw, COMPOUND_KEYS)
        values: dict[str, Quantity] = {}
        sections = {s: self.mapping(f"{key}.{s}", body.get(s), (*f.COMPOUND[s], *WORDS.get(s, ()))) for s in f.COMPOUND}
        for section, specs in f.COMPOUND.items():
            found = self.quantities(f"{key}.{section}", sections[section], specs)
            values |= {f"{section}.{n}": q for n, q in found.items()}
        for needed in NEEDED:
            section, leaf = needed.split(".")
            if leaf not in sections[section]:
                self.missing(f"{key}.{section}", leaf, f.COMPOUND[section][leaf])
        chemistry, method = sections["physicochemistry"], sections["distribution"].get("method")
        kind = self.word(f"{key}.physicochemistry.kind", chemistry.get("kind"), KINDS, "neutral")
        acid, base = (self.pka(f"{key}.physicochemistry.{n}", chemistry.get(n)) for n in ("acid_pKa", "base_pKa"))
        fits = {"neutral": not acid and not base, "acid": bool(acid) and not base, "base": bool(base) and not acid}
        if not fits.get(kind, bool(acid) and bool(base)):
            what = f"{kind} with {len(acid)} acidic and {len(base)} basic pKa"
            self.error(f"{key}.physicochemistry.kind", "drug.pka", what, "make kind and constants agree", kind)
        return Compound(
            name=name, kind=kind, acid_pKa=acid, base_pKa=base, values=values,
            protein=self.word(f"{key}.binding.protein", sections["binding"].get("protein"), PARTNERS, ""),
            partition=self.word(f"{key}.distribution.method", method, ("auto", *METHODS), "auto"),
            lysosomes=self.switch(f"{key}.distribution.lysosomes", sections["distribution"].get("lysosomes")),
            liver=self.word(f"{key}.liver.model", sections["liver"].get("model"), LIVERS, LIVERS[0]),
            paths=tuple(self.path(k, x, known) for k, x in self.entries(f"{key}.metabolism", body.get("metabolism"))),
            transport=tuple(self.carried(k, x) for k, x in self.entries(f"{key}.transport", body.get("transport"))),
            acts_on=tuple(
                a for k, x in self.entries(f"{key}.acts_on", body.get("acts_on")) if (a := self.action(k, x))
            ),
        )  # fmt: skip

    def path(self, key: str, raw: dict[str, Any], known: tuple[str, ...]) -> Path:
        self.mapping(key, raw, ("path", "enzyme", "where", "product", "matures_as", *f.PATH))
        values = self.quantities(key, raw, f.PATH)
        stated = [n for n in f.KINETICS if n in values]
        if len(stated) != 1 or (stated[0] in f.NEEDS_KM and "Km" not in values):
            what = f"kinetics {sorted(set(values) - {'fraction'}) or 'missing'}"
            fix = f"give one of {', '.join(f.KINETICS)}; with Km where it saturates ({', '.join(f.NEEDS_KM)} need it)"
            self.error(key, "drug.kinetics", what, fix)
        kinetic = stated[0] if stated else "kcat"
        enzyme = str(raw.get("enzyme") or "")
        if not enzyme and set(stated) & set(f.PER_ENZYME):
            self.error(key, "drug.enzyme", "kinetics per enzyme, but no enzyme is named", "name the enzyme")
        product = str(raw.get("product") or "")
        if product and product not in known:
            fix = f"add it to compounds, or write one of {', '.join(known)}"
            self.error(f"{key}.product", "drug.product", "the product is not among the compounds", fix, product)
        where = raw.get("where", [f.KINETICS[kinetic][0]])
        where = tuple(map(str, where if isinstance(where, list) else [where]))
        for tissue in where or ("",):
            if tissue not in f.KINETICS[kinetic]:
                fix = f"write some of {', '.join(f.KINETICS[kinetic])}, or state the kinetics otherwise"
                self.error(f"{key}.where", "drug.word", f"{kinetic} is not stated for this tissue", fix, tissue)
        name = str(raw.get("path") or enzyme or "other")
        return Path(name, enzyme, where, values, product, str(raw.get("matures_as") or ""))

    def carried(self, key: str, raw: dict[str, Any]) -> Transport:
        self.mapping(key, raw, ("transporter", "where", "direction", *f.TRANSPORT))
        values = self.quantities(key, raw, f.TRANSPORT)
        if set(values) not in ({"CL"}, {"Vmax", "Km"}):
            self.error(key, "drug.kinetics", f"transport by {sorted(values) or 'nothing'}", "give CL, or Vmax and Km")
        if not raw.get("transporter"):
            self.error(key, "drug.missing", "no transporter is named", "name the transporter")
        where = self.word(f"{key}.where", raw.get("where"), f.TISSUES, "liver")
        direction = self.word(f"{key}.direction", raw.get("direction"), DIRECTIONS, f.CARRIED[where][0])
        if direction not in f.CARRIED[where]:
            fix = f"write {' or '.join(f.CARRIED[where])}"
            self.error(f"{key}.direction", "drug.word", f"there is no {direction} in the model of {where}", fix)
        return Transport(str(raw.get("transporter", "")), where, direction, values)

    def action(self, key: str, raw: dict[str, Any]) -> Action | None:
        mechanism = raw.get("mechanism")
        if not isinstance(mechanism, str) or mechanism not in f.ACTIONS:
            what = f"is not one of {', '.join(f.ACTIONS)}"
            self.error(f"{key}.mechanism", "drug.word", what, "write one of them", mechanism)
            return None
        specs = f.ACTIONS[mechanism]
        self.mapping(key, raw, ("target", "mechanism", *specs))
        for name, spec in specs.items():
            if name not in raw and name not in f.ACTIONS_OPTIONAL:
                self.missing(key, name, spec)
        if not raw.get("target"):
            self.error(f"{key}.target", "drug.missing", "no target is named", "name the enzyme or transporter")
        return Action(str(raw.get("target", "")), mechanism, self.quantities(key, raw, specs))

    def formulation(self, name: str, raw: object) -> Formulation:
        key = f"formulations.{name}"
        body = self.mapping(key, raw, ("release", *f.FORMULATION))
        release = self.word(f"{key}.release", body.get("release"), RELEASES, "solution")
        for leaf in f.RELEASE_NEEDS.get(release, ()):
            if leaf not in body:
                self.missing(key, leaf, f.FORMULATION[leaf])
        return Formulation(name, release, self.quantities(key, body, f.FORMULATION))

    def depot(self, route: str, raw: object) -> Mapping[str, Quantity]:
        key = f"depots.{route}"
        body = self.mapping(key, raw, tuple(f.DEPOT))
        for leaf, spec in f.DEPOT.items():
            if leaf not in body:
                self.missing(key, leaf, spec)
        return self.quantities(key, body, f.DEPOT)
