"""From calls by sample and ancestry to each twin's genotype and the prior on its enzyme activity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import pandas as pd

from pharmtwin.facts import fact_table
from pharmtwin.findings import Finding
from pharmtwin.genome.calling.caller import call_gene
from pharmtwin.genome.definitions import ANCESTRIES, gene_definition
from pharmtwin.genome.function import phenotype as ph
from pharmtwin.genome.function.priors import activity_components
from pharmtwin.genome.outside.calls import apply_outside
from pharmtwin.genome.reading.vcf import SiteCalls
from pharmtwin.tables import conform, schema


def select_calls(
    calls: pd.DataFrame,
    sites: pd.DataFrame,
    twins: pd.DataFrame,
    outside: pd.DataFrame | None = None,
    *,
    scheme: str = "cpic2020",
    outside_file: str = "outside_calls",
) -> tuple[pd.DataFrame, list[Finding]]:
    """Table ``genotype`` of the twins, and findings.

    calls, sites : tables of one or more VCFs (sample names unique among them).
    twins : twin_id, sample, ancestry, optionally sex (M: one X chromosome). Ancestry empty: ALL. Sample empty: the
        population of the ancestry.
    outside : outside calls as ``apply_outside`` takes them (twin_id, gene, diplotype, optional weight, row);
        may be empty. They replace the posterior (structure ``outside_call``).
    scheme : phenotype scheme for CYP2D6; the other genes have ``cpic2020`` only.
    outside_file : the file named in findings about outside calls; rows count from its header.
    """
    ancestry = twins["ancestry"].fillna("").astype(str).replace("", "ALL")
    unknown = sorted(set(ancestry) - set(ANCESTRIES))
    if unknown:
        raise ValueError(f"ancestry {unknown} is not one of {ANCESTRIES}")
    wanted = pd.DataFrame(
        {
            "twin_id": twins["twin_id"].astype(str),
            "sample": twins["sample"].fillna("").astype(str),
            "ancestry": ancestry,
        }
    )
    genes = list(dict.fromkeys(calls["gene"]))
    if (wanted["sample"] == "").any():
        population = [population_calls(gene) for gene in genes]
        calls = pd.concat([calls, *(c for c, _ in population)], ignore_index=True)
        sites = pd.concat([sites, *(s for _, s in population)], ignore_index=True)
    lacking = sorted(set(wanted["sample"]) - set(calls["sample"]))
    if lacking:
        raise ValueError(f"no calls for samples {lacking[:5]}; the findings of the VCF say why")
    chosen = wanted.merge(calls, on=["sample", "ancestry"]).merge(
        sites[["sample", "gene", "status", "phasing", "structure", "n_not_assayed"]], on=["sample", "gene"]
    )
    chosen, findings = _one_x(chosen, twins, outside_file)
    if outside is not None and len(outside):
        chosen, more = apply_outside(chosen, outside, outside_file)
        findings += more
    pairs = chosen[["gene", "diplotype"]].drop_duplicates()
    pairs["activity_score"] = [
        np.nan if (score := ph.activity_score(g, d)) is None else score
        for g, d in zip(pairs["gene"], pairs["diplotype"])
    ]
    pairs["scheme"] = [scheme if g == "CYP2D6" else "cpic2020" for g in pairs["gene"]]
    pairs["phenotype"] = [ph.phenotype(g, d, s) for g, d, s in zip(pairs["gene"], pairs["diplotype"], pairs["scheme"])]
    chosen = chosen.merge(pairs, on=["gene", "diplotype"])
    order = {t: i for i, t in enumerate(wanted["twin_id"])}
    rank = {g: i for i, g in enumerate(genes)}
    chosen = chosen.assign(
        _twin=chosen["twin_id"].map(order), _gene=chosen["gene"].map(rank), _p=-chosen["probability"]
    )
    chosen = chosen.sort_values(["_twin", "_gene", "_p", "diplotype"], kind="stable")
    return conform("genotype", chosen.drop(columns=["sample", "ancestry", "_twin", "_gene", "_p"])), findings


def _one_x(chosen: pd.DataFrame, twins: pd.DataFrame, file: str) -> tuple[pd.DataFrame, list[Finding]]:
    """A man has one X chromosome: his allele is either of the pair that a diploid writing gives with equal weight.

    Where no candidate has two equal alleles the file shows two X chromosomes: the gene is left out, with a finding.
    """
    if "sex" not in twins:
        return chosen, []
    men = set(twins.loc[twins["sex"].astype(str) == "M", "twin_id"].astype(str))
    mine = chosen[chosen["gene"].isin(ph.X_GENES) & chosen["twin_id"].astype(str).isin(men)]
    if mine.empty:
        return chosen, []
    pairs = [ph.split_diplotype(d) for d in mine["diplotype"].astype(str)]
    person = ["twin_id", "gene"]
    equal = mine["probability"] * [float(len(set(pair)) == 1) for pair in pairs]
    fits = equal.groupby([mine[c] for c in person]).transform("sum") > 0
    halves = [mine.assign(diplotype=[p[k] for p in pairs], probability=mine["probability"] / 2) for k in (0, -1)]
    single = pd.concat([half[fits] for half in halves])
    single["probability"] = single.groupby([*person, "diplotype"])["probability"].transform("sum")
    single = single.drop_duplicates([*person, "diplotype"])
    findings = [
        Finding.create(
            "genome.two_x", file, f"twin {twin}, gene {gene}: two different alleles on the X chromosome of a man",
            "the sample is another person's, or the sex is wrong; the gene is left out for this twin",
            "check sample and sex", severity="warning",
        )
        for twin, gene in sorted(set(zip(mine.loc[~fits, "twin_id"], mine.loc[~fits, "gene"])))
    ]  # fmt: skip
    return pd.concat([chosen.drop(mine.index), single], ignore_index=True), findings


@cache
def population_calls(gene: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """calls and sites of a sample (named "") without any genotype: the population of each ancestry."""
    nothing = SiteCalls.nothing(gene_definition(gene))
    calls, sites = call_gene(nothing, min_probability=1e-3)
    return calls, sites.assign(phasing="panel")


@cache
def population_activity(gene: str, ancestry: str) -> tuple[tuple[float, float], ...]:
    """(activity value, probability) of one chromosome in a population, over alleles of known function.

    From allele_frequencies.tsv x functions.tsv; ``ALL`` pools the counts of the five panels.
    """
    table = fact_table("genes/allele_frequencies.tsv")
    rows = table[(table["gene"] == gene) & ((table["ancestry"] == ancestry) | (ancestry == "ALL"))]
    weights: dict[float, float] = {}
    for allele, count in zip(rows["allele"].astype(str), rows["count"].astype(float)):
        value = ph.activity_value(gene, allele) if ph.is_known(gene, allele) else None
        if value is not None:
            weights[value] = weights.get(value, 0.0) + count
    total = sum(weights.values())
    return tuple((v, w / total) for v, w in sorted(weights.items()))


def diplotype_shares(
    genotype: pd.DataFrame, genes: Sequence[str] = ("CYP2D6",), *, ancestry: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """How each diplotype's probability is shared out over the components of :func:`activity_priors`.

    Columns twin_id, gene, diplotype, component, score (activity score), weight (share of its probability).
    """
    rows = genotype[genotype["gene"].isin(list(genes))].copy()
    if ancestry is None:
        rows["ancestry"] = "ALL"
    else:
        rows["ancestry"] = rows["twin_id"].map(dict(ancestry)).fillna("ALL").replace("", "ALL")
    unique = rows[["gene", "diplotype", "ancestry"]].drop_duplicates()
    spread = [
        (r.gene, r.diplotype, r.ancestry, component, score, share)
        for r in unique.itertuples()
        for component, score, share in _scores(str(r.gene), str(r.diplotype), str(r.ancestry))
    ]
    table = pd.DataFrame(spread, columns=["gene", "diplotype", "ancestry", "component", "score", "share"])
    rows = rows.merge(table, on=["gene", "diplotype", "ancestry"])
    rows["weight"] = rows["probability"] * rows["share"]
    return rows[["twin_id", "gene", "diplotype", "component", "score", "weight"]]


def activity_priors(
    genotype: pd.DataFrame,
    map_name: str | None = None,
    genes: Sequence[str] = ("CYP2D6",),
    *,
    ancestry: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Table ``priors``: parameter ``activity.<gene>``, a mixture of points, one component a distinct activity score.

    location : intrinsic clearance relative to activity score 2 (unit 1) by the named map (None: the gene's default).
    Unknown function is not normal: where a diplotype has no activity score, each allele of unknown function is
    replaced by a draw from the alleles of known function in the twin's ancestry (``ancestry``: twin_id -> panel,
    absent: ALL), the known allele kept; these components are called ``AS=unknown:<score>``.
    Raises KeyError for a map or a gene without one.
    """
    rows = diplotype_shares(genotype, genes, ancestry=ancestry)
    out = rows.groupby(["twin_id", "gene", "component", "score"], sort=False, as_index=False)["weight"].sum()
    out["weight"] /= out.groupby(["twin_id", "gene"])["weight"].transform("sum")
    parts = [
        activity_components(out[out["gene"] == gene].drop(columns="gene"), "diplotype posterior", map_name, str(gene))
        for gene in out["gene"].unique()
    ]
    nothing = [conform("priors", pd.DataFrame(columns=schema("priors").names))]
    return pd.concat(parts or nothing, ignore_index=True)


def _scores(gene: str, pair: str, ancestry: str) -> list[tuple[str, float, float]]:
    """(component, activity score, share) of one diplotype; shares sum to 1."""
    score = ph.activity_score(gene, pair)
    if score is not None:
        return [(f"AS={score:g}", score, 1.0)]
    mixture = {0.0: 1.0}
    for allele in ph.split_diplotype(pair):
        value = ph.activity_value(gene, allele)
        options = population_activity(gene, ancestry) if value is None else ((value, 1.0),)
        step: dict[float, float] = {}
        for known, p in mixture.items():
            for added, q in options:
                step[known + added] = step.get(known + added, 0.0) + p * q
        mixture = step
    return [(f"AS=unknown:{s:g}", s, p) for s, p in sorted(mixture.items())]
