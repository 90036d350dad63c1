"""Genotype groups of published studies as mixtures of relative activities.

A group is told as a score (``AS0.5``), alleles (``*1/*3``), a phenotype (``PM``) or not at all; what is not told is
the mixture of the diplotypes that fit, by their frequencies in the study's ancestry (Hardy-Weinberg from
``genes/allele_frequencies.tsv``, functions of ``genes/functions.tsv``). Activity multiplies an enzyme's clearance or a
transporter's in a drug file, relative to the reference of :mod:`pharmtwin.genome.function.factors`: 1 is activity score
2 of CYP2D6, and two alleles of normal function elsewhere (CYP3A5: ``*1/*1``; no expression is 0).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from itertools import combinations_with_replacement, pairwise

from pharmtwin.facts import fact_table
from pharmtwin.genome.function import phenotype as ph
from pharmtwin.genome.function.factors import NoSourcedFactor, factor
from pharmtwin.genome.select import population_activity
from pharmtwin.qualification.activity.forms import BY_NAME, PairMixture
from pharmtwin.qualification.study import Mixture

#: enzyme or transporter, as drug files name it -> gene (CYP2B6 has no map of the enzyme alone, so it is not here)
GENES = {
    "CYP2D6": "CYP2D6",
    "CYP2C19": "CYP2C19",
    "CYP2C9": "CYP2C9",
    "CYP3A5": "CYP3A5",
    "UGT1A1": "UGT1A1",
    "OATP1B1": "SLCO1B1",
    "BCRP": "ABCG2",
    "P-gp": "ABCB1",
}
PROTEINS = {gene: protein for protein, gene in GENES.items()}
Pair = tuple[str, str]
#: largest share of a population whose diplotypes may be without a sourced factor
UNSOURCED = 0.1
#: names of older papers -> today's (PharmVar)
OLD_NAMES = {("SLCO1B1", "*1a"): "*1", ("SLCO1B1", "*1b"): "*37"}
ABCB1_BASES = {"G/G": "*1/*1", "G/T": "*1/*2", "T/T": "*2/*2"}

NORMAL, NONE, MORE = "Normal function", "No function", "Increased function"
#: activity scores (from, to) of phenotypes. EM is the word of older papers, whose phenotyping parts all others from PM;
#: fastNM is the faster half of one study's NM
SCORES = {
    "PM": (0.0, 0.0),
    "IM": (0.25, 1.0),
    "NM": (1.25, 2.25),
    "EM": (0.25, 9.0),
    "FASTNM": (2.0, 2.25),
    "UM": (2.5, 9.0),
}


def protein_of(text: str) -> str:
    """Protein of a gene or protein as a table names it (``CYP2D6 activity score``, ``SLCO1B1 c.521``); "" for none."""
    for name in (*GENES, *PROTEINS):
        if name.lower() in text.lower():
            return PROTEINS.get(name, name)
    return ""


def mixture(protein: str, text: str, ancestry: str = "EUR", leave_out: str = "", most: int = 5) -> Mixture:
    """Relative activities and weights of a group; ``text`` empty: the whole population of the ancestry.

    Parameters
    ----------
    protein : a key of :data:`GENES`.
    text : ``AS0.5`` or ``0.5``, ``*1/*15``, PM, IM, NM (or EM: all but PM for CYP2C19, likewise for CYP2D6),
        RM, UM, hmEM and htEM (two and one allele of normal function), expressor, nonexpressor, or bases at ABCB1
        c.2677 (``G/T``).
    ancestry : 1000 Genomes code.
    leave_out : CYP2D6: drug whose data must not be in the map from score to activity
        (``qualification/cyp2d6_left_out.tsv``; a drug that is not there was never in it).
    most : components at most; neighbours are merged at their weighted mean.

    Raises ValueError for a text that is not understood or a group that the population does not have, KeyError for a
    protein that is not in :data:`GENES`.
    """
    if protein not in GENES:
        raise KeyError(f"no genotypes of {protein!r}; known: {sorted(GENES)}")
    word = re.sub(r"\s|=", "", text)
    if protein == "CYP2D6":
        found = _by_alleles(word, ancestry, leave_out)
        return tuple(found.items()) if _coded.get() else _condense(found, most)
    return _condense(_by_functions(GENES[protein], word, ancestry), most)


def mean_activity(protein: str, ancestry: str = "EUR", leave_out: str = "") -> float:
    """Mean relative activity of an untyped group."""
    return sum(a * w for a, w in mixture(protein, "", ancestry, leave_out))


def score_of(word: str) -> float | None:
    """Activity score of ``AS0.5``, ``AS=0.5``, ``0.5`` or ``PM``; None for a group of several scores."""
    found = re.fullmatch(r"(?:AS)?(\d+(?:\.\d+)?)", re.sub(r"\s|=", "", word))
    return float(found[1]) if found else 0.0 if word == "PM" else None


# ---- CYP2D6: by the values of two alleles

_coded: ContextVar[bool] = ContextVar("coded", default=False)
CODE = 64.0  # values are multiples of 0.25 and far below 16: a pair is one number


@contextmanager
def coded_by_pair() -> Iterator[None]:
    """Within it, mixtures of CYP2D6 hold codes of pairs of alleles' values in place of activities, none merged."""
    token = _coded.set(True)
    try:
        yield
    finally:
        _coded.reset(token)


def pairs_of_code(coded: Mixture) -> PairMixture:
    """Pairs of alleles' values of a mixture read under :func:`coded_by_pair`."""
    return tuple(((a % CODE, a // CODE / 4.0), w) for a, w in coded)


def _alleles(word: str, ancestry: str) -> dict[tuple[float, float], float]:
    """Weights of pairs of alleles' values (low, high) of a group."""
    score = score_of(word)
    if score is None and "*" in word:
        score = ph.activity_score("CYP2D6", word)
        if score is None:
            raise ValueError(f"CYP2D6 {word}: an allele of unknown function")
    if score is not None:
        low = high = score
    else:
        limits = (0.0, 9.0) if not word else SCORES.get(word.upper())
        if limits is None:
            raise ValueError(f"CYP2D6 group {word!r}; known: AS<score>, alleles, {', '.join(SCORES)}")
        low, high = limits
    chromosome = population_activity("CYP2D6", ancestry)
    pairs: dict[tuple[float, float], float] = {}
    for a, p in chromosome:
        for b, q in chromosome:
            if low <= a + b <= high:
                key = (min(a, b), max(a, b))
                pairs[key] = pairs.get(key, 0.0) + p * q
    if not pairs and score is not None:  # nobody in the panel has it: as near to two like alleles as values go
        pairs = {(math.floor(2.0 * score) / 4.0, score - math.floor(2.0 * score) / 4.0): 1.0}
    if not pairs:
        raise ValueError(f"CYP2D6 group {word!r}: nobody in {ancestry}")
    return pairs


@cache
def left_out_map(drug: str) -> Callable[[tuple[float, float]], float]:
    """Activity of a pair of alleles' values by the map that was estimated without a drug (without all of none)."""
    found = fact_table("qualification/cyp2d6_left_out.tsv")
    name = re.sub(r"_[RS]$", "", drug)
    rows = found[found["drug"] == (name if (found["drug"] == name).any() else "all")]
    form = BY_NAME[str(rows["form"].iloc[0])]
    known = rows[rows["parameter"].notna()]
    values = dict(zip(known["parameter"].astype(str), known["value"].astype(float)))
    return form.activity([values[k] for k in form.names], name)


def _by_alleles(word: str, ancestry: str, leave_out: str) -> dict[float, float]:
    pairs = _alleles(word, ancestry)
    if _coded.get():
        return {a + CODE * 4.0 * b: w for (a, b), w in pairs.items()}
    activity = left_out_map(leave_out or "all")
    out: dict[float, float] = {}
    for pair, weight in pairs.items():
        value = activity(pair)
        out[value] = out.get(value, 0.0) + weight
    return out


# ---- the others: by the functions of two alleles


def _phenotypes(gene: str) -> dict[str, Callable[[Pair], bool]]:
    """Which pairs of functions a word means."""
    poor = (lambda p: NORMAL not in p and MORE not in p) if gene == "CYP2C9" else (lambda p: p == (NONE, NONE))
    return {
        "": lambda p: True,
        "PM": poor,
        "NONEXPRESSOR": lambda p: p == (NONE, NONE),
        "EXPRESSOR": lambda p: p != (NONE, NONE),
        "IM": lambda p: not poor(p) and any(f not in (NORMAL, MORE) for f in p),
        "HTEM": lambda p: p == (NONE, NORMAL),
        "HMEM": lambda p: p == (NORMAL, NORMAL),
        "NM": lambda p: p == (NORMAL, NORMAL),
        "EM": (lambda p: p == (NORMAL, NORMAL)) if gene == "CYP3A5" else (lambda p: not poor(p)),
        "RM": lambda p: p == (MORE, NORMAL),
        "UM": lambda p: p == (MORE, MORE),
    }


@cache
def _pairs(gene: str, ancestry: str) -> dict[Pair, float]:
    """Share of each unordered pair of functions (sorted words); alleles of unknown function left out."""
    table = fact_table("genes/allele_frequencies.tsv")
    rows = table[(table["gene"] == gene) & ((table["ancestry"] == ancestry) | (ancestry == "ALL"))]
    weights: dict[str, float] = {}
    for allele, count in zip(rows["allele"].astype(str), rows["count"].astype(float)):
        if ph.is_known(gene, allele):
            word = ph.functions(gene, f"{allele}/{allele}")[0]
            weights[word] = weights.get(word, 0.0) + count
    known = {w: c for w, c in weights.items() if w not in ("Unknown function", "Uncertain function")}
    total = sum(known.values())
    pairs = combinations_with_replacement(sorted(known), 2)
    return {(a, b): known[a] * known[b] / total**2 * (1 if a == b else 2) for a, b in pairs}


def _activity(gene: str, pair: Pair) -> float | None:
    """Relative activity of a pair, None without a sourced value; where a map has no row for increased function, it is
    taken as normal."""
    for words in (pair, tuple(NORMAL if f == MORE else f for f in pair)):
        try:
            return factor(gene, (words[0], words[1])).median
        except NoSourcedFactor:
            continue
    return None


def _by_functions(gene: str, word: str, ancestry: str) -> dict[float, float]:
    if gene == "ABCB1" and (found := re.match(r"([GT])/([GT])", word)):
        word = ABCB1_BASES["/".join(sorted(found.groups()))]
    if "*" in word:
        alleles = [OLD_NAMES.get((gene, a), a) for a in re.findall(r"\*\w+", word)]
        if len(alleles) != 2 or not all(ph.is_known(gene, a) for a in alleles):
            raise ValueError(f"{gene} {word}: not two known alleles")
        first, second = sorted(ph.functions(gene, "/".join(alleles)))
        activity = _activity(gene, (first, second))
        if activity is None:
            raise ValueError(f"{gene} {word}: no sourced activity for {first} and {second}")
        return {activity: 1.0}
    fits = _phenotypes(gene).get(word.upper())
    if fits is None:
        raise ValueError(f"{gene} group {word!r}; known: alleles, {', '.join(w for w in _phenotypes(gene) if w)}")
    chosen = {p: w for p, w in _pairs(gene, ancestry).items() if fits(p)}
    out: dict[float, float] = {}
    for pair, weight in chosen.items():
        activity = _activity(gene, pair)
        if activity is not None:
            out[activity] = out.get(activity, 0.0) + weight
    if not out or sum(out.values()) < (1 - UNSOURCED) * sum(chosen.values()):
        raise ValueError(f"{gene} group {word!r} in {ancestry}: no sourced activity for {sorted(chosen)}")
    return out


def _condense(activities: dict[float, float], most: int, same: float = 0.1, rare: float = 0.01) -> Mixture:
    """At most so many components, weights summing to 1: neighbours merge, the closest first; zero activity stays.

    Those within 10 % of each other, or rarer than 1 %, always merge: the difference is far below what is known.
    """
    total = sum(activities.values())
    parts = [(a, w / total) for a, w in sorted(activities.items()) if w > 0]
    while len(parts) > 1:
        costs = [(_cost(a, b, same, rare), i) for i, (a, b) in enumerate(pairwise(parts))]
        cost, i = min(costs)
        if cost == math.inf or (cost > 0 and len(parts) <= most):
            break
        (a, p), (b, q) = parts[i], parts[i + 1]
        parts[i : i + 2] = [((a * p + b * q) / (p + q), p + q)]
    return tuple(parts)


def _cost(low: tuple[float, float], high: tuple[float, float], same: float, rare: float) -> float:
    """What the merging of two components loses: variance within; 0 where they count as one, inf where they may not."""
    (a, p), (b, q) = low, high
    if a == 0 and p >= rare:
        return math.inf
    return 0.0 if b <= a * (1 + same) or min(p, q) < rare else p * q / (p + q) * (b - a) ** 2
