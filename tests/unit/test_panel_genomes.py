"""Genomes drawn from the panel's haplotypes: frequencies, one X for men, the same person in any cohort, readable."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pharmtwin.facts import fact_table
from pharmtwin.genome.definitions import gene_definition
from pharmtwin.synthetic.panel_genomes import draw_haplotypes, panel_vcf


def people(n: int, ancestry: str = "EUR") -> pd.DataFrame:
    return pd.DataFrame({"twin_id": [f"P{k}" for k in range(n)], "ancestry": ancestry, "sex": ["M", "F"] * (n // 2)})


def test_haplotypes_come_as_often_as_in_the_panel() -> None:
    drawn = draw_haplotypes(people(4000), 1)["CYP2C19"]
    table = fact_table("genes/panel_haplotypes.tsv")
    counts = table.loc[table["gene"] == "CYP2C19", "EUR"].to_numpy(dtype=float)
    share = np.bincount(drawn.ravel(), minlength=len(counts)) / drawn.size
    assert np.abs(share - counts / counts.sum()).max() < 0.02  # four standard errors of a half
    assert not set(np.flatnonzero(share)) & set(np.flatnonzero(counts == 0))


def test_a_person_is_the_same_in_any_cohort() -> None:
    few, many = draw_haplotypes(people(4), 1), draw_haplotypes(people(40), 1)
    assert all(np.array_equal(few[g], many[g][:4]) for g in few)
    with pytest.raises(KeyError, match="no panel of ancestry"):
        draw_haplotypes(people(2, "XYZ"), 1)


def test_the_vcf_is_phased_and_a_man_has_one_x() -> None:
    text = panel_vcf(people(4), ["A", "B", "C", "D"], 1)
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("##")]
    assert rows[0][9:] == ["A", "B", "C", "D"]
    chrom = gene_definition("G6PD").chrom
    for row in rows[1:]:
        for cell, man in zip(row[9:], (True, False, True, False), strict=True):
            assert len(cell.split("|")) == (1 if row[0] == chrom and man else 2)
