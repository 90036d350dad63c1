"""What a reader of a twin's genotypes must know first: no call, odd variants, structure, declared positions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pharmtwin.report.blocks import Alert
from pharmtwin.report.genome_calls import LEFT_OUT, NO_CALL, GeneCall, site_names
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.rows import records
from pharmtwin.report.words import count, percent, plural

NO_ANCESTRY = "ALL"
VARIANT = "deletion, duplication or hybrid"
FEW = 4  # genes named one by one
#: findings of the genome stage that the warnings here say already
SAID = ("genome.not_assayed", "genome.unexplained")


class Warned(NamedTuple):
    """One warning: level and title group them, ``gene`` ("" for several) and ``text`` tell it."""

    level: str
    title: str
    gene: str
    text: str


def ancestry_of(inputs: ReportInputs, twin: str) -> str:
    """Ancestry panel of a twin; ALL (all panels pooled) where the sheet does not say."""
    if "ancestry" not in inputs.covariates:
        return NO_ANCESTRY
    own = inputs.covariates.loc[inputs.covariates["twin_id"] == twin, "ancestry"].dropna().astype(str)
    return next((a for a in own if a), NO_ANCESTRY)


def people_of(ancestry: str) -> str:
    """``people of ancestry AFR``, ``people (all panels pooled)``."""
    return "people (all panels pooled)" if ancestry == NO_ANCESTRY else f"people of ancestry {ancestry}"


def structure_prior(inputs: ReportInputs, gene: str, ancestry: str) -> str:
    """How often people of an ancestry carry a structural variant of the gene, in words."""
    if not inputs.structure_prior:
        return "how often it is not plain was not handed to the report"
    known = inputs.structure_prior.get(gene, {}).get(ancestry)
    if known is None:
        return f"no source counts how often people carry a {VARIANT}"
    return f"{percent(known)} of {people_of(ancestry)} carry a {VARIANT} (a prior, not a call)"


def warnings(inputs: ReportInputs, twin: str, calls: list[GeneCall]) -> list[Warned]:
    """All warnings about a twin's genotypes, the gravest first."""
    out: list[Warned] = []
    for c in calls:
        if c.state == NO_CALL:
            out.append(Warned("bad", "No call", c.gene, c.reason))
        if c.state == LEFT_OUT:
            out.append(Warned("bad", "Left out", c.gene, "seen in the file, but no result was made of it"))
    out += _findings(inputs, twin)
    for c in calls:
        if c.site is None:
            continue
        if c.site.unexplained:
            text = f"{plural(c.site.unexplained, 'variant')} that no named allele explains"
            out.append(Warned("warn", "Unexplained variants", c.gene, text))
        strange = site_names(c.gene, c.site.unknown_alternates)
        if strange:
            text = f"at {', '.join(strange)} an alternate that no definition knows"
            out.append(Warned("warn", "Unknown alternates", c.gene, text))
    ancestry = ancestry_of(inputs, twin)
    for c in calls:
        if c.rows and str(c.rows[0].structure) == "not_assessed":
            out.append(Warned("warn", "Structure not assessed", c.gene, structure_prior(inputs, c.gene, ancestry)))
    declared = {c.gene: int(c.site.n_reference_by_declaration) for c in calls if c.site is not None}
    declared = {gene: n for gene, n in declared.items() if n}
    if declared:
        where = ", ".join(declared) if len(declared) <= FEW else f"{len(declared)} genes, see the bars"
        text = f"{plural(sum(declared.values()), 'position')} in {where}; the configuration says so, nobody saw them"
        out.append(Warned("warn", "Reference by declaration only", "", text))
    return out


def _findings(inputs: ReportInputs, twin: str) -> list[Warned]:
    """Findings about this twin's genotypes, such as an outside call that contradicts the VCF."""
    table = inputs.findings
    stage = table["rule"].str.startswith(("genome.", "outside.", "structure.")) & ~table["rule"].isin(SAID)
    named = (table["value"].astype("string") == twin).fillna(False).astype(bool)
    named |= table["what"].str.startswith(f"twin {twin}, ")
    serious = table["severity"] != "note"
    rows = table[stage & named & serious].drop_duplicates(["rule", "what"])
    return [
        Warned("bad" if r.severity == "error" else "warn", "Finding", "", f"{r.what}; {r.why}") for r in records(rows)
    ]


def grouped(found: Iterable[Warned]) -> list[Alert]:
    """One alert a kind of warning; genes with the same words share them."""
    kinds: dict[tuple[str, str], dict[str, list[str]]] = {}
    for w in found:
        kinds.setdefault((w.level, w.title), {}).setdefault(w.text, []).append(w.gene)
    out = []
    for (level, title), texts in kinds.items():
        said = [f"{', '.join(genes)}: {text}" if any(genes) else text for text, genes in texts.items()]
        out.append(Alert(level, title, ". ".join(said) + "."))
    return out


def headline_warnings(inputs: ReportInputs, found: list[Warned], calls: list[GeneCall]) -> list[Alert]:
    """For the top of the page: the warnings of the gene that changes predictions, the others by name."""
    own = [w for w in found if w.gene == inputs.gene]
    gaps = [c for c in calls if c.gene == inputs.gene and c.site is not None and c.site.n_not_assayed]
    own += [
        Warned("warn", "Positions not assayed", c.gene, f"{count(c.site.n_not_assayed)}, not taken as reference")
        for c in gaps
        if c.site is not None
    ]
    rest: dict[str, list[str]] = {}
    for w in found:
        if w.gene != inputs.gene and w.title not in ("Structure not assessed", "Reference by declaration only"):
            rest.setdefault(w.title, []).append(w.gene)
    out = grouped(own)
    if rest:
        said = [f"{title.lower()} {', '.join(dict.fromkeys(g for g in genes if g))}" for title, genes in rest.items()]
        out.append(Alert("warn", "Other genes", "; ".join(s.strip() for s in said) + " (see Genome)."))
    return out
