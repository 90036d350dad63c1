"""What was seen of a gene in each sample: evidence by position, phase, what could not be called and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from pharmtwin.facts import fact_table
from pharmtwin.genome.calling.haplotypes import Float
from pharmtwin.genome.definitions import CALLED, OTHER, UNKNOWN, Codes, GeneDefinition
from pharmtwin.genome.outside.structure import COPY_NUMBER, state_without_evidence
from pharmtwin.genome.reading.vcf import BLOCK, CALLABLE, DECLARED, SiteCalls
from pharmtwin.genome.release import definition_version


@dataclass(frozen=True)
class GenotypeCall:
    """Posterior of one genotype.

    posterior : diplotype -> probability (6,) by ANCESTRIES.
    shown : most probable pair of alleles that the short variants show, structure left aside (pooled ancestries).
    first, second : most probable haplotypes (n_sites,), pooled ancestries; they hold exactly the observed alleles.
    phase_probability : of that phase among all (pooled ancestries).
    phasing : how phase was settled: trivial (at most one heterozygous position), haploid, gt, ps, pedigree, panel.
    unexplained : variants that the names of the most probable haplotypes do not explain.
    blocks : heterozygous positions (indices) by what the input holds together; one without a phase stands alone.
    """

    posterior: dict[str, Float]
    shown: str
    first: Codes
    second: Codes
    phase_probability: float
    phasing: str
    unexplained: int
    blocks: Sequence[Sequence[int]] = ()

    @property
    def top(self) -> float:
        """Probability of the most probable diplotype (pooled ancestries)."""
        return max(float(p[-1]) for p in self.posterior.values())


def sites_table(
    site_calls: SiteCalls, pattern: npt.NDArray[np.intp], calls: list[GenotypeCall], counted: Mapping[str, int]
) -> pd.DataFrame:
    """Table ``sites`` of one gene: ``calls`` of distinct genotypes, ``pattern`` (n_samples,) which one a sample has.

    counted : sample -> gene copies known from structural records.
    """
    definition, evidence = site_calls.definition, site_calls.evidence
    complete = (site_calls.alleles != UNKNOWN).all(axis=2)
    masks, mask_of = np.unique(complete, axis=0, return_inverse=True)
    mask_of = mask_of.ravel()
    lacking = [",".join(str(p) for p in definition.positions[~m]) for m in masks]
    uncallable = ["|".join(_not_callable(definition, m)) for m in masks]
    foreign = (site_calls.alleles == OTHER).any(axis=2)
    strange = [",".join(str(p) for p in definition.positions[f]) if f.any() else "" for f in foreign]
    n_known = complete.sum(axis=1)
    by_evidence = (complete & np.isin(evidence, (BLOCK, CALLABLE))).sum(axis=1)
    declared = (complete & (evidence == DECLARED)).sum(axis=1)
    phase = [phase_text(definition, call) for call in calls]
    blocks = ["|".join(",".join(str(definition.positions[i]) for i in b) for b in call.blocks) for call in calls]
    by_itself = state_without_evidence(definition.gene)
    status, reason = _status(site_calls, complete, foreign, np.array([c.top for c in calls])[pattern])
    return pd.DataFrame(
        {
            "sample": list(site_calls.samples),
            "gene": definition.gene,
            "status": status,
            "reason": reason,
            "shown": [calls[k].shown for k in pattern],
            "n_sites": len(definition.sites),
            "n_observed": n_known - by_evidence - declared,
            "n_reference_by_evidence": by_evidence,
            "n_reference_by_declaration": declared,
            "n_not_assayed": len(definition.sites) - n_known,
            "not_assayed": [lacking[k] for k in mask_of],
            "not_callable": [uncallable[k] for k in mask_of],
            "phasing": [calls[k].phasing for k in pattern],
            "phase": [phase[k] for k in pattern],
            "phase_blocks": [blocks[k] for k in pattern],
            "phase_probability": [calls[k].phase_probability for k in pattern],
            "structure": [COPY_NUMBER if s in counted else by_itself for s in site_calls.samples],
            "unexplained": [calls[k].unexplained for k in pattern],
            "unknown_alternates": strange,
            "definitions": definition_version(),
        }
    )


def _not_callable(definition: GeneDefinition, known: npt.NDArray[np.bool_]) -> list[str]:
    """Alleles with a core position among those not known."""
    lost: npt.NDArray[np.bool_] = np.asarray(((definition.core > 0) & ~known).any(axis=1))
    return [a for a, gone in zip(definition.alleles, lost) if gone]


def _status(
    site_calls: SiteCalls, complete: npt.NDArray[np.bool_], foreign: npt.NDArray[np.bool_], top: Float
) -> tuple[list[str], list[str]]:
    """``called``, ``candidates`` or ``no_call`` of each sample, and the reason of no call."""
    definition = site_calls.definition
    required = np.isin(definition.positions, required_positions(definition.gene))
    seen = (site_calls.alleles != UNKNOWN).any(axis=(1, 2))
    status, reason = [], []
    for i in range(len(site_calls.samples)):
        why = ""
        if not seen[i]:
            why = "no definition position was assayed"
        elif (required & ~complete[i]).any():
            lost = definition.positions[required & ~complete[i]]
            why = f"required positions not assayed: {', '.join(map(str, lost))}"
        elif foreign[i].any():
            where = definition.positions[foreign[i]]
            why = f"an alternate that no definition knows at {', '.join(map(str, where))}"
        status.append("no_call" if why else "called" if top[i] >= CALLED else "candidates")
        reason.append(why)
    return status, reason


@cache
def required_positions(gene: str) -> tuple[int, ...]:
    """GRCh38 positions without which a gene is not called (``calling_rules.tsv``, rule required_position)."""
    table = fact_table("genes/calling_rules.tsv")
    rows = table[(table["gene"] == gene) & (table["rule"] == "required_position")]
    return tuple(int(p) for p in rows["position"])


def phase_text(definition: GeneDefinition, call: GenotypeCall) -> str:
    """Heterozygous positions of the most probable phase: ``position:first|second`` of codes, comma separated."""
    het = np.flatnonzero(call.first != call.second)
    positions = definition.positions
    shown = [
        f"{positions[i]}:{'|'.join('.' if c == UNKNOWN else str(c) for c in (call.first[i], call.second[i]))}"
        for i in het
    ]
    return ",".join(shown)
