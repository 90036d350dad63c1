"""Relative activity of the enzymes and transporters of each twin, as a mixture over its diplotype posterior.

Activity is relative to the gene's reference diplotype (``genome.function.factors``). Where an allele's function is
unknown, it is replaced by the alleles of known function of the twin's ancestry; where a pair of functions has no
sourced factor, by the pairs of that ancestry that have one. Neither is ever taken as normal, and both are told: the
share of the posterior without a known factor is ``unsourced``. A gene that the study does not call is that of the
population of the twin's ancestry. The uncertainty of a group's typical factor is shared by all of the group and is not
drawn, as in the other predictions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement, product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.facts import fact_table
from pharmtwin.genome.function import phenotype as ph
from pharmtwin.genome.function.activity_by_ancestry import mapped_genes
from pharmtwin.genome.function.factors import UNKNOWN_FUNCTIONS, NoSourcedFactor, activity_factors, factor
from pharmtwin.genome.select import population_activity
from pharmtwin.qualification.reading.genotypes import GENES

Floats = NDArray[np.float64]
BY_SCORE = "CYP2D6"
NORMAL, MORE = "Normal function", "Increased function"
#: (relative activity, probability) in order of activity
Components = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Activity:
    """Of one molecule in one twin: components, probabilities summing to 1, and the share without a known factor."""

    components: Components
    unsourced: float


def genotyped(molecules: Sequence[str]) -> dict[str, str]:
    """Gene by molecule, of those whose gene has a default map from diplotype to activity."""
    genes = {m: GENES[m] for m in molecules if m in GENES}
    mapped = mapped_genes(list(genes.values()))
    return {m: g for m, g in genes.items() if g in mapped}


def activities(
    genotype: pd.DataFrame, ancestry: Mapping[str, str], molecules: Sequence[str], map_name: str
) -> dict[str, dict[str, Activity]]:
    """Activity by molecule and twin.

    Parameters
    ----------
    genotype : table. ancestry : panel by twin (all twins of the batch). molecules : as drug files name them; those
        without a mapped gene are left out. map_name : CYP2D6's map (``genome.activity_map``).
    """
    out: dict[str, dict[str, Activity]] = {}
    for molecule, gene in genotyped(molecules).items():
        mine = genotype[genotype["gene"] == gene]
        rows = zip(mine["twin_id"].astype(str), mine["diplotype"].astype(str), mine["probability"].astype(float))
        posterior: dict[str, list[tuple[str, float]]] = {}
        for twin, diplotype, probability in rows:
            posterior.setdefault(twin, []).append((diplotype, probability))
        out[molecule] = {
            twin: _activity(gene, posterior.get(twin, []), panel, map_name) for twin, panel in ancestry.items()
        }
    return out


def _activity(gene: str, posterior: Sequence[tuple[str, float]], panel: str, map_name: str) -> Activity:
    if not posterior:
        return Activity(_population(gene, panel, map_name), 1.0)
    weights: dict[float, float] = {}
    unsourced, total = 0.0, sum(p for _, p in posterior)
    for diplotype, probability in posterior:
        components, known = diplotype_activity(gene, diplotype, panel, map_name)
        unsourced += 0.0 if known else probability / total
        for activity, share in components:
            weights[activity] = weights.get(activity, 0.0) + share * probability / total
    return Activity(tuple(sorted(weights.items())), unsourced)


@cache
def diplotype_activity(gene: str, diplotype: str, panel: str, map_name: str) -> tuple[Components, bool]:
    """Components of one diplotype, and whether its own factor is known."""
    alleles = ph.split_diplotype(diplotype)
    if gene == BY_SCORE:
        values = [ph.activity_value(gene, a) for a in alleles]
        options = [population_activity(gene, panel) if v is None else ((v, 1.0),) for v in values]
        scores = [(sum(v for v, _ in chosen), float(np.prod([p for _, p in chosen]))) for chosen in product(*options)]
        return _merged([(_score_factor(s, map_name), p) for s, p in scores]), None not in values
    words = ph.functions(gene, diplotype)
    known = not any(w in UNKNOWN_FUNCTIONS for w in words) and len(words) == 2
    choices = [_functions(gene, panel) if w in UNKNOWN_FUNCTIONS else ((w, 1.0),) for w in words]
    found = []
    for chosen in product(*choices) if len(words) == 2 else ():
        if (relative := _pair_factor(gene, chosen[0][0], chosen[1][0])) is not None:
            found.append((relative, chosen[0][1] * chosen[1][1]))
    if not found:
        return _population(gene, panel, map_name), False
    return _merged(found), known


@cache
def _population(gene: str, panel: str, map_name: str) -> Components:
    """Somebody of an ancestry without a genotype: two independent chromosomes."""
    if gene == BY_SCORE:
        chromosome = population_activity(gene, panel)
        pairs = [(a + b, p * q) for a, p in chromosome for b, q in chromosome]
        return _merged([(_score_factor(s, map_name), p) for s, p in pairs])
    found = []
    for (a, p), (b, q) in combinations_with_replacement(_functions(gene, panel), 2):
        if (relative := _pair_factor(gene, a, b)) is not None:
            found.append((relative, p * q * (1 if a == b else 2)))
    return _merged(found)


@cache
def every_activity(gene: str, map_name: str) -> Activity:
    """All relative activities that an ancestry's pairs of chromosomes have, each as likely as the other."""
    panels = sorted(set(fact_table("genes/allele_frequencies.tsv")["ancestry"].astype(str)))
    values = sorted({value for panel in panels for value, _ in _population(gene, panel, map_name)})
    return Activity(tuple((value, 1.0 / len(values)) for value in values), 0.0)


@cache
def _functions(gene: str, panel: str) -> tuple[tuple[str, float], ...]:
    """Functions of one chromosome of a panel (``ALL``: pooled) and their shares, over alleles of known function."""
    table = fact_table("genes/allele_frequencies.tsv")
    rows = table[(table["gene"] == gene) & ((table["ancestry"] == panel) | (panel == "ALL"))]
    weights: dict[str, float] = {}
    for allele, count in zip(rows["allele"].astype(str), rows["count"].astype(float)):
        if ph.is_known(gene, allele):
            word = ph.functions(gene, f"{allele}/{allele}")[0]
            if word not in UNKNOWN_FUNCTIONS:
                weights[word] = weights.get(word, 0.0) + count
    if not weights:
        raise KeyError(f"no alleles of known function of {gene} in {panel}")
    return tuple((w, c / sum(weights.values())) for w, c in sorted(weights.items()))


def _pair_factor(gene: str, first: str, second: str) -> float | None:
    """Factor of a pair of functions; increased function counts as normal where the map has no row for it."""
    for a, b in ((first, second), *([(_plain(first), _plain(second))] if MORE in (first, second) else [])):
        try:
            return factor(gene, (a, b)).median
        except NoSourcedFactor:
            continue
    return None


def _plain(function: str) -> str:
    return NORMAL if function == MORE else function


@cache
def _score_factor(score: float, map_name: str) -> float:
    return float(activity_factors([score], map_name, BY_SCORE)[0][0])


def _merged(parts: Sequence[tuple[float, float]]) -> Components:
    """Equal activities as one, probabilities scaled to sum to 1."""
    weights: dict[float, float] = {}
    for activity, share in parts:
        weights[activity] = weights.get(activity, 0.0) + share
    total = sum(weights.values())
    return tuple((a, w / total) for a, w in sorted(weights.items()))
