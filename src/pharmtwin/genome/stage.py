"""Genome stage for a group of twins: calls of their VCFs, ancestry and outside calls, activity priors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pharmtwin.findings import Finding
from pharmtwin.genome.caller import call_vcf, covered_genes
from pharmtwin.genome.merge import Frames, merge_files
from pharmtwin.genome.phenotype import relative_clearance
from pharmtwin.genome.select import activity_priors, population_activity, population_calls, select_calls
from pharmtwin.tables import conform, records

GENE = "CYP2D6"


def genotype_of(
    frames: Frames, twins: pd.DataFrame, outside: pd.DataFrame, options: Mapping[str, Any], outside_file: str
) -> tuple[pd.DataFrame, pd.DataFrame, list[Finding]]:
    """Table ``genotype``, activity ``priors`` and findings of some twins.

    Parameters
    ----------
    frames : VCF path -> (calls, sites). twins, outside : canonical sheets. options : ``genome`` of the config.
    """
    calls, sites, renamed = merge_files(frames, twins[["twin_id", "vcf", "sample", "ancestry"]])
    calls, sites = _complete(calls, sites, sorted(set(renamed["sample"]) - {""}), list(options["genes"]))
    genotype, findings = select_calls(
        calls, sites, renamed, outside, scheme=options["phenotype_scheme"], outside_file=outside_file or "outside_calls"
    )
    ancestry = dict(zip(twins.twin_id.astype(str), twins.ancestry.astype(str), strict=True))
    return genotype, activity_priors(genotype, options["activity_map"], (GENE,), ancestry=ancestry), findings


def call_file(path: Path, options: Mapping[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables ``calls`` and ``sites`` of one VCF, for the genes that it covers.

    A gene of which the file holds no position says nothing about its samples; another file of the same
    twins may, and if none does, ``genotype_of`` gives them the population's posterior.
    """
    covered = covered_genes(path, list(options["genes"]), str(options["absent_positions"]))
    return call_vcf(
        path,
        covered or list(options["genes"]),
        absent=str(options["absent_positions"]),
        min_probability=float(options["min_probability"]),
    )


def _complete(
    calls: pd.DataFrame, sites: pd.DataFrame, samples: list[str], genes: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add the population's posterior for every sample and gene that no file covers."""
    have = set(zip(sites["sample"].astype(str), sites["gene"].astype(str))) if len(sites) else set()
    new_calls, new_sites = [calls], [sites]
    for gene in genes:
        lacking = [s for s in samples if (s, gene) not in have]
        if lacking:
            nobody_calls, nobody_sites = population_calls(gene)
            names = pd.DataFrame({"sample": lacking})
            new_calls.append(names.merge(nobody_calls.drop(columns="sample"), how="cross"))
            new_sites.append(names.merge(nobody_sites.drop(columns="sample"), how="cross"))
    return pd.concat(new_calls, ignore_index=True), pd.concat(new_sites, ignore_index=True)


def site_findings(frames: Frames, twins: pd.DataFrame, file: str) -> list[Finding]:
    """Per twin and gene: positions that were not assayed, and variants that no definition explains."""
    _, sites, renamed = merge_files(frames, twins[["twin_id", "vcf", "sample", "ancestry"]])
    rows = renamed.merge(sites, on="sample").merge(twins[["twin_id", "row"]], on="twin_id")
    out = []
    for r in records(rows):
        if r.unexplained:
            out.append(
                Finding.create(
                    "genome.unexplained",
                    file,
                    f"{r.gene}: {r.unexplained} variants that no star allele explains",
                    "the named allele may not be the whole truth",
                    "look at the gene by hand or give an outside call",
                    row=int(r.row),
                    column="sample",
                    value=r.twin_id,
                    severity="warning",
                )
            )
        if r.n_not_assayed:
            out.append(
                Finding.create(
                    "genome.not_assayed",
                    file,
                    f"{r.gene}: {r.n_not_assayed} of {r.n_sites} positions not assayed",
                    "they are not taken as reference; the diplotype posterior is wider",
                    "include the positions in the export, or declare absent positions as reference",
                    row=int(r.row),
                    column="sample",
                    value=r.twin_id,
                    severity="note",
                )
            )
    return out


def population_priors(twin_ids: Sequence[str], map_name: str) -> pd.DataFrame:
    """Activity ``priors`` of somebody without a genotype: all five panels pooled."""
    chromosome = population_activity(GENE, "ALL")
    scores: dict[float, float] = {}
    for a, p in chromosome:
        for b, q in chromosome:
            scores[a + b] = scores.get(a + b, 0.0) + p * q
    ordered = sorted(scores)
    relative = relative_clearance(ordered, map_name, GENE)
    rows = [
        {
            "twin_id": t, "parameter": f"activity.{GENE}", "component": f"AS={s:g}", "weight": scores[s],
            "family": "point", "location": float(relative[k]), "scale": 0.0, "unit": "1",
            "source": f"pooled allele frequencies; activity score to clearance by map {map_name}",
        }
        for t in twin_ids
        for k, s in enumerate(ordered)
    ]  # fmt: skip
    return conform("priors", pd.DataFrame(rows))
