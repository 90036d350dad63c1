"""Names of the reference tables -> drug files and their compounds, and what a genotype or none means for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml

from pharmtwin.facts import RESOURCES, fact_table
from pharmtwin.qualification.reading import genotypes
from pharmtwin.qualification.study import Dosing, Event, Mixture
from pharmtwin.tables import records

ROUTES = {"PO": "oral", "ORAL": "oral", "IV": "iv", "SC": "sc", "IM": "im", "COLON": "colon", "INTRACOLONIC": "colon"}


class NotSimulated(ValueError):
    """A row that cannot become an arm; the message is the reason of its :class:`~.study.LeftOut`."""


@dataclass(frozen=True)
class Entry:
    """What reading needs of a drug file. compounds empty: not known, any is taken as there (for counts)."""

    compounds: frozenset[str] = frozenset()
    formulations: tuple[str, ...] = ()
    proteins: frozenset[str] = frozenset()


Library = Mapping[str, Entry]


def library() -> dict[str, Entry]:
    """The drug files of ``resources/drugs`` (schema 2) by name: compounds, formulations, enzymes and transporters."""
    out: dict[str, Entry] = {}
    for path in sorted((RESOURCES / "drugs").glob("*.yaml")):
        raw: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(raw, dict) or raw.get("schema") != 2:
            continue
        compounds = raw.get("compounds") or {}
        proteins = {
            str(part.get(key, ""))
            for compound in compounds.values()
            for section, key in (("metabolism", "enzyme"), ("transport", "transporter"))
            for part in (compound or {}).get(section) or []
        }
        formulations = tuple(raw.get("formulations") or ())
        out[str(raw["name"])] = Entry(frozenset(compounds), formulations, frozenset(proteins - {""}))
    return out


def assumed(names: Iterable[str]) -> dict[str, Entry]:
    """A library as if drug files of these names were there, with any compound: to count what would be simulated."""
    return {name: Entry() for name in names}


def file_name(name: str) -> str:
    """Name as drug files write it: ``S-Warfarin`` is ``warfarin_S``, ``Some drug`` is ``some_drug``."""
    enantiomer = re.fullmatch(r"([RS])-(.+)", name.strip())
    plain = re.sub(r"[\s-]+", "_", (enantiomer[2] if enantiomer else name).strip().lower())
    return f"{plain}_{enantiomer[1]}" if enantiomer else plain


@dataclass(frozen=True)
class Measured:
    """compounds : of drug files; they add up. taken_as : name of what was taken."""

    compounds: tuple[str, ...]
    taken_as: str


@cache
def _table(name: str, key: str = "name") -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {}
    for row in records(fact_table(f"qualification/{name}.tsv")):
        out.setdefault(str(getattr(row, key)).lower(), []).append(row)
    return out


def measured(name: str) -> Measured:
    """What is measured under a name (``compounds.tsv``; else the compound and drug of that name)."""
    rows = _table("compounds").get(name.strip().lower())
    if not rows:
        return Measured((file_name(name),), name.strip())
    return Measured(tuple(str(r.compound) for r in rows), str(rows[0].taken_as))


def is_drug(name: str, known: Library) -> bool:
    """Whether a dose of this name can be given: every drug file it is made of is there."""
    return all(drug in known for drug, _, _ in dosed(name))


def dosed(name: str) -> list[tuple[str, float, float]]:
    """(drug file, share of the dose, mg of substance per mg as labelled) of a name; not in ``dosed.tsv``: itself."""
    rows = _table("dosed").get(name.strip().lower())
    if not rows:
        return [(file_name(name), 1.0, 1.0)]
    return [(str(r.drug), float(r.share), float(r.base_share)) for r in rows]


def dosings(
    name: str, route: str, events: tuple[Event, ...], known: Library, *, labelled: bool, formulation: str = ""
) -> list[Dosing]:
    """Dosings of what a name is made of. labelled : doses are as labelled (salt), not of the substance.

    formulation : words of the table, which choose the drug file's formulation.
    Raises NotSimulated for a route that is not known or a drug without a file.
    """
    way = ROUTES.get(route.strip().upper())
    if way is None:
        raise NotSimulated(f"route {route!r}")
    out = []
    for drug, share, base in dosed(name):
        if drug not in known:
            raise NotSimulated(f"no drug file: {drug}")
        factor = share * (base if labelled else 1.0)
        mine = tuple(Event(e.time, e.amount * factor, e.infusion) for e in events)
        form = _formulation(formulation, drug, known[drug].formulations) if way in ("oral", "colon") else ""
        out.append(Dosing(drug, way, mine, form))
    return out


def _formulation(words: str, drug: str, known: tuple[str, ...]) -> str:
    """The formulation of a drug file whose words are all told (``formulation_words.tsv`` for other words of the same).

    Of several the longest, then the first; of none by the drug's usual form, else "" (the file's first).
    """
    told = " ".join([words, *_meanings("told", words)])
    for text in (told, " ".join([told, *_meanings("usual", drug)])):
        tokens = _tokens(text)
        fits = [f for f in known if _tokens(f) <= tokens]
        if fits:
            return max(fits, key=lambda f: len(_tokens(f)))
    return ""


def told_form(compound: str, form: str, words: str) -> str:
    """Dosage form of a protocol, or the data set's own words where the source simulates every form as this one.

    Those are the rows of kind ``linked`` in ``formulation_words.tsv`` (word: the compound, means: the form).
    """
    rows = _table("formulation_words", "word").get(compound.strip().lower(), [])
    same = any(str(r.kind) == "linked" and str(r.means).lower() == form.strip().lower() for r in rows)
    return words if same else form


def _tokens(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", text.lower().replace("_", " ")))


def _meanings(kind: str, text: str) -> list[str]:
    rows = (r for found in _table("formulation_words", "word").values() for r in found if r.kind == kind)
    return [str(r.means) for r in rows if re.search(rf"\b{r.word}\b", text, re.I)]


def check_compounds(compounds: tuple[str, ...], drugs: Iterable[str], known: Library) -> None:
    """Raises NotSimulated if no drug of an arm has a compound that was measured."""
    entries = [known[d] for d in drugs]
    if any(not e.compounds for e in entries):
        return
    there = frozenset().union(*(e.compounds for e in entries))
    if missing := [c for c in compounds if c not in there]:
        raise NotSimulated(f"no drug file has the compound {', '.join(missing)}")


@dataclass
class Genotypes:
    """Genotypes of arms. in_sample : take the CYP2D6 map that has seen the drug as well (default: one that has not)."""

    known: Library
    in_sample: bool = False
    _cache: dict[tuple[str, str, str, str], Mixture] = field(default_factory=dict)

    def of(self, drugs: list[str], told: Mapping[str, str], ancestry: str) -> dict[str, Mixture]:
        """Mixtures by protein of an arm whose observed drug comes first.

        told : protein -> group as the study says. Of the first drug's main gene (``main_genes.tsv``) an untyped group
        is a mixture; every other polymorphic protein of the arm's drug files has the population's mean activity, one
        component. Raises NotSimulated for a group that is not understood.
        """
        main = {str(r.protein) for r in _table("main_genes", "drug").get(drugs[0].lower(), [])}
        carried = {p for d in drugs for p in self.known[d].proteins if p in genotypes.GENES}
        out: dict[str, Mixture] = {}
        for protein in sorted(carried | main | set(told)):
            found = self._mixture(protein, told.get(protein, ""), ancestry, drugs[0])
            if protein not in told and protein not in main:
                found = ((sum(a * w for a, w in found), 1.0),)
            out[protein] = found
        return out

    def _mixture(self, protein: str, text: str, ancestry: str, drug: str) -> Mixture:
        key = (protein, text, ancestry, "" if self.in_sample else drug)
        if key not in self._cache:
            try:
                self._cache[key] = genotypes.mixture(*key)
            except (ValueError, KeyError) as error:
                raise NotSimulated(f"genotype: {error}") from error
        return self._cache[key]


def main_protein(drug: str) -> str:
    """The protein whose genotype groups of this drug are told by, if a table does not name it ("": none)."""
    rows = _table("main_genes", "drug").get(drug.lower(), [])
    return str(rows[0].protein) if rows else ""
