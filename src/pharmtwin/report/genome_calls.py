"""What the genome tables say of each twin and gene, in the groups and words of the report."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pharmtwin.facts import fact_table
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.rows import records

AMBIGUOUS = 0.9  # a diplotype whose probability is below this is called ambiguous in the report
SURE = 0.99  # a normal result at least this probable needs no row of its own
SHOWN = 0.01  # candidates and results less probable are summed up
CALLED, CANDIDATES, NO_CALL, LEFT_OUT = "called", "candidates", "no call", "left out"
NO_FILE = "no file covers the gene for this twin"
INDETERMINATE = "Indeterminate"
PHASED_BY = {
    "gt": "genotypes written with |",
    "ps": "phase sets (PS) of the file",
    "pedigree": "pedigree",
    "trivial": "at most one heterozygous position",
    "haploid": "one chromosome",
    "panel": "haplotype frequencies",
    "outside": "outside call",
}
STRUCTURES = {
    "not_applicable": "–",
    "not_assessed": "not\u00a0assessed",
    "copy_number": "copies counted",
    "outside_call": "outside call",
}


class PhenotypeClass(NamedTuple):
    """Phenotypes drawn alike: name, place in the bar, colour and hatching."""

    name: str
    order: int
    colour: str
    pattern: str


NOT_CALLED = PhenotypeClass("No call", 11, "#8a929b", "x")
OTHER = PhenotypeClass("Other", 9, "#999999", "-")
#: words of a phenotype -> its class; the first that fits decides
PHENOTYPES = (
    (("indeterminate",), PhenotypeClass("Indeterminate", 10, "#c9ced4", ".")),
    (("ultrarapid",), PhenotypeClass("Ultrarapid", 6, "#0b3c6f", "")),
    (("rapid", "increased"), PhenotypeClass("Rapid, increased", 5, "#0072b2", "x")),
    (("poor", "deficient"), PhenotypeClass("Poor, deficient", 1, "#d55e00", "/")),
    (
        ("intermediate", "decreased", "variable"),
        PhenotypeClass("Intermediate, decreased, variable", 2, "#e69f00", "\\"),
    ),
    (("normal",), PhenotypeClass("Normal", 4, "#56b4e9", "")),
    (("absent", "-1639 gg"), PhenotypeClass("Variant absent", 8, "#009e73", "")),
    (("carrier", "-1639 a"), PhenotypeClass("Variant carried", 7, "#cc79a7", "-")),
)


def phenotype_class(phenotype: str) -> PhenotypeClass:
    """Class of a phenotype by its words."""
    said = phenotype.lower()
    return next((kind for words, kind in PHENOTYPES if any(w in said for w in words)), OTHER)


@dataclass(frozen=True)
class GeneCall:
    """One gene of one twin.

    state : called, candidates, no call or left out (seen in the file, without a result; a finding says why).
    rows : of table ``genotype`` by falling probability. site : row of ``twin_sites``, None where no file was read.
    reason : why there is no call.
    """

    gene: str
    state: str
    rows: tuple[Any, ...]
    site: Any | None
    reason: str

    @property
    def is_odd(self) -> bool:
        """Whether the file holds a variant that the named alleles do not explain."""
        return self.site is not None and bool(self.site.unexplained or text_of(self.site.unknown_alternates))

    @property
    def is_sure(self) -> bool:
        """Called with next to no doubt, from the variants alone, and nothing odd beside."""
        plain = self.state == CALLED and str(self.rows[0].structure) in ("not_applicable", "not_assessed")
        return plain and float(self.rows[0].probability) >= SURE and not self.is_odd


def text_of(value: Any) -> str:
    """A nullable text, empty where there is none."""
    return "" if value is None or pd.isna(value) else str(value)


def call_states(top: pd.DataFrame) -> pd.Series:
    """State of each row, ``top`` being the most probable row of a twin and gene.

    By the probability in the twin's ancestry; an outside call stands, whatever the VCF had.
    """
    lacking = (top["status"] == "no_call") & (top["structure"] != "outside_call")
    states = np.where(lacking, NO_CALL, np.where(top["probability"] >= AMBIGUOUS, CALLED, CANDIDATES))
    return pd.Series(states, index=top.index, dtype=str)


def top_rows(genotype: pd.DataFrame) -> pd.DataFrame:
    """Most probable row of each twin and gene, with its ``state``."""
    ordered = genotype.sort_values(["probability", "diplotype"], ascending=[False, True], kind="stable")
    top = ordered.drop_duplicates(["twin_id", "gene"])
    return top.assign(state=call_states(top))


def top_calls(genotype: pd.DataFrame, gene: str) -> pd.DataFrame:
    """One row a twin: most probable activity score (its total probability), and the top diplotype and phenotype.

    Columns: diplotype, probability, activity_score (nan: none), score_probability, phenotype, state; index twin_id.
    """
    rows = genotype[genotype["gene"] == gene]
    scores = rows.groupby(["twin_id", "activity_score"], dropna=False)["probability"].sum().reset_index()
    scores = scores.sort_values(["probability", "activity_score"], ascending=[False, True], kind="stable")
    scores = scores.drop_duplicates("twin_id").set_index("twin_id")
    out = top_rows(rows).set_index("twin_id")[["diplotype", "probability", "phenotype", "state"]].sort_index()
    out["activity_score"] = scores["activity_score"].reindex(out.index).astype(float)
    out["score_probability"] = scores["probability"].reindex(out.index).astype(float)
    return out


def gene_calls(inputs: ReportInputs, twin: str) -> list[GeneCall]:
    """All genes of a twin: the one that groups the twins first, then by name."""
    genotype = inputs.genotype[inputs.genotype["twin_id"] == twin]
    states = top_rows(genotype).set_index("gene")["state"]
    ordered = genotype.sort_values(["probability", "diplotype"], ascending=[False, True], kind="stable")
    rows: dict[str, list[Any]] = {}
    for r in records(ordered):
        rows.setdefault(str(r.gene), []).append(r)
    sites = {str(r.gene): r for r in records(inputs.twin_sites[inputs.twin_sites["twin_id"] == twin])}
    out = []
    for gene in sorted({*rows, *sites}, key=lambda g: (g != inputs.gene, g)):
        site, state = sites.get(gene), str(states.get(gene, LEFT_OUT))
        why = (text_of(site.reason) if site is not None else "") or NO_FILE
        out.append(GeneCall(gene, state, tuple(rows.get(gene, ())), site, why if state == NO_CALL else ""))
    return out


@cache
def site_table() -> dict[tuple[str, int], tuple[str, tuple[str, ...]]]:
    """(gene, GRCh38 position) -> (rs number, or the position; sequences by allele code)."""
    rows = records(fact_table("genes/positions.tsv"))
    return {
        (str(r.gene), int(r.position)): (text_of(r.rsid) or str(r.position), (str(r.ref), *str(r.alts).split(",")))
        for r in rows
    }


def site_name(gene: str, position: int) -> str:
    """rs number of a definition position, or the position itself."""
    return site_table().get((gene, position), (str(position), ()))[0]


def site_names(gene: str, positions: Any) -> list[str]:
    """Names of the positions of a comma-separated field."""
    return [site_name(gene, int(p)) for p in text_of(positions).split(",") if p]


def phase_steps(gene: str, phase: Any) -> list[str]:
    """Heterozygous positions of a ``phase`` field in letters: ``rs1065852 G|A``; ``?`` is another, ``.`` unknown."""
    out = []
    for step in text_of(phase).split(","):
        if step:
            position, _, codes = step.partition(":")
            name, letters = site_table().get((gene, int(position)), (position, ()))
            out.append(f"{name} {'|'.join(_letters(c, letters) for c in codes.split('|'))}")
    return out


def _letters(code: str, letters: tuple[str, ...]) -> str:
    if not code.isdigit():
        return code
    return letters[int(code)] if int(code) < len(letters) else "?"


@cache
def genes_without_scheme() -> frozenset[str]:
    """Genes whose function no phenotype scheme names: called, always Indeterminate."""
    named = fact_table("genes/phenotypes.tsv").groupby("gene")["phenotype"].unique()
    return frozenset(str(g) for g, phenotypes in named.items() if list(phenotypes) == [INDETERMINATE])
