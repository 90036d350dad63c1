"""What one VCF record says about one definition position.

Indels are compared after trimming shared bases from both ends (VCF 4.4, section 1.6.1), so that a longer
or multi-allelic REF does not hide a known allele; no reference FASTA is needed. An allele shifted inside a
repeat (not left-aligned) is not recognised: such files must be normalised first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pharmtwin.genome.definitions import OTHER, UNKNOWN, Site

REFERENCE_ONLY = ("<NON_REF>", "<*>", ".", "<X>")
UNSEEN = -2


def trim(position: int, ref: str, alt: str) -> tuple[int, str, str]:
    """(position, ref, alt) without shared bases: suffix first, then prefix. ``(10, "CA", "CAA") -> (11, "", "A")``."""
    while ref and alt and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while ref and alt and ref[0] == alt[0]:
        position, ref, alt = position + 1, ref[1:], alt[1:]
    return position, ref, alt


def is_reference_block(alts: Sequence[str]) -> bool:
    """True for a gVCF block or monomorphic record: no alternate but ``<NON_REF>``, ``<*>`` or ``.``."""
    return all(a in REFERENCE_ONLY for a in alts)


def is_symbolic(alts: Sequence[str]) -> bool:
    """True if an alternate is a structural symbol or breakend (``<DEL>``, ``N[chr2:1[``): says nothing about a base."""
    return any((a.startswith("<") or "[" in a or "]" in a) and a not in REFERENCE_ONLY for a in alts)


def allele_codes(position: int, ref: str, alts: Sequence[str], site: Site) -> list[int] | None:
    """Code at ``site`` of every allele of a sequence-resolved record (index 0: REF), or None for no evidence.

    A deleted base (``*`` or a deletion that spans the site) is UNKNOWN for that chromosome: neither
    reference nor the defining variant. Raises ValueError if REF contradicts the site's reference base.
    """
    ref = ref.upper()
    targets = {trim(site.position, site.ref, alt): code for code, alt in enumerate(site.alts, start=1)}
    offset = site.position - position
    single = len(site.ref) == 1 and all(len(a) == 1 for a in site.alts)
    known = [targets.get(trim(position, ref, a.upper())) for a in alts]
    if offset < 0 or offset >= len(ref):
        return None if not any(known) else [0, *(OTHER if k is None else k for k in known)]
    shared = min(len(ref) - offset, len(site.ref))
    if ref[offset : offset + shared] != site.ref[:shared]:
        raise ValueError(f"REF {ref} at {position} contradicts {site.ref} at {site.position}")
    bases_only = all(len(a) == len(ref) for a in alts if a not in REFERENCE_ONLY and a != "*")
    if single:
        if offset and not bases_only:
            return None
        return [0, *(_base_code(ref, a.upper(), offset, site, k) for a, k in zip(alts, known))]
    indel_here = offset == 0 and (not bases_only or all(a in REFERENCE_ONLY for a in alts))
    if not (any(known) or indel_here):
        return None
    return [0, *(_indel_code(a, len(ref), k) for a, k in zip(alts, known))]


def _base_code(ref: str, alt: str, offset: int, site: Site, known: int | None) -> int:
    if known is not None:
        return known
    if alt == "*":
        return UNKNOWN
    if len(alt) == len(ref):
        base = alt[offset]
        return 0 if base == site.ref else (site.code(base) if base in site.alts else OTHER)
    # an indel anchored at the site leaves its base as it is
    return 0 if offset == 0 and alt[:1] == site.ref else OTHER


def _indel_code(alt: str, ref_length: int, known: int | None) -> int:
    if known is not None:
        return known
    if alt == "*":
        return UNKNOWN
    return 0 if len(alt) == ref_length and alt not in REFERENCE_ONLY else OTHER


def genotype_codes(genotypes: npt.NDArray[np.int16], codes: Sequence[int]) -> npt.NDArray[np.int8]:
    """(n_samples, 2) codes from a cyvcf2 genotype array (n_samples, ploidy + 1; last column: phased).

    Missing and haploid slots are UNKNOWN; more than two alleles are not understood and become UNKNOWN.
    """
    table = np.array([*codes, UNKNOWN], dtype=np.int8)
    index = genotypes[:, :-1]
    out = np.full((len(index), 2), UNKNOWN, dtype=np.int8)
    width = min(index.shape[1], 2)
    inside = (index >= 0) & (index < len(codes))
    out[:, :width] = np.where(inside, table[np.where(inside, index, -1)], UNKNOWN)[:, :width]
    if index.shape[1] > 2:
        out[(index[:, 2:] >= -1).any(axis=1)] = UNKNOWN
    return out


def merge(old: npt.NDArray[np.int8], new: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Join the codes (n_samples, 2) of several records of one site (split multi-allelics).

    In each slot an alternate beats everything and a gap beats the reference. Two alternates in one slot of
    an unphased genotype take both slots if these are free; otherwise the records contradict: UNKNOWN.
    """
    out = np.where(old > 0, old, np.where(new > 0, new, np.minimum(old, new)))
    out = np.where(old == UNSEEN, new, out)
    clash = (old > 0) & (new > 0) & (old != new)
    rows = np.flatnonzero(clash.any(axis=1))
    for row in rows:
        alternates = [int(c) for c in (*old[row], *new[row]) if c > 0]
        out[row] = sorted(alternates) if len(alternates) == 2 else UNKNOWN
    return out
