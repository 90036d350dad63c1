"""Allele frequencies of a cohort: the count's law against scipy, the alarm, and what is not compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, betabinom, binom, binomtest

from pharmtwin.cohorts.genotypes import draw_genotypes
from pharmtwin.genome.cohort_frequencies import cohort_frequencies, count_law, jeffreys, shown, two_sided
from pharmtwin.genome.function.activity_intervals import allele_counts

ENDLESS = 1e8  # reference chromosomes that leave next to nothing open (more, and the logarithms of the law cancel)


def tables(
    calls: dict[str, str], gene: str = "CYP2C19", structure: str = "not_applicable", **more: object
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """genotype and twin_sites of twins with one diplotype each."""
    genotype = pd.DataFrame(
        {"twin_id": list(calls), "gene": gene, "diplotype": list(calls.values()), "probability": 1.0,
         "status": "called", "structure": structure}
    ).assign(**more)  # fmt: skip
    return genotype, pd.DataFrame({"twin_id": list(calls), "gene": gene, "not_callable": ""})


def test_the_law_of_a_count_is_binomial_where_the_reference_is_endless() -> None:
    law = count_law({"EUR": (0.2 * ENDLESS, ENDLESS)}, {"EUR": 30})
    assert law == pytest.approx(binom.pmf(np.arange(31), 30, 0.2), abs=1e-6)
    for k in (0, 3, 6, 12, 20):
        assert two_sided(law, k) == pytest.approx(binomtest(k, 30, 0.2).pvalue, rel=1e-4)


def test_a_small_reference_leaves_more_open() -> None:
    law = count_law({"EUR": (2, 10)}, {"EUR": 30})
    assert law == pytest.approx(betabinom.pmf(np.arange(31), 30, 2.5, 8.5))
    assert two_sided(law, 15) > binomtest(15, 30, 0.2).pvalue


def test_two_ancestries_are_a_poisson_binomial_sum() -> None:
    law = count_law({"EUR": (0.5 * ENDLESS, ENDLESS), "EAS": (0.1 * ENDLESS, ENDLESS)}, {"EUR": 2, "EAS": 1})
    by_hand = [0.25 * 0.9, 0.5 * 0.9 + 0.25 * 0.1, 0.25 * 0.9 + 0.5 * 0.1, 0.25 * 0.1]
    assert law == pytest.approx(by_hand, abs=1e-6)


def test_jeffreys_limits() -> None:
    assert jeffreys(3, 20) == pytest.approx(beta.ppf([0.025, 0.975], 3.5, 17.5))
    assert jeffreys(0, 20)[0] == 0.0 and jeffreys(20, 20)[1] == 1.0


def test_counts_and_expected_counts_by_ancestry() -> None:
    genotype, sites = tables({"A": "*1/*2", "B": "*2/*2", "C": "*1/*1"})
    table, genes = cohort_frequencies(genotype, sites, {"A": "EUR", "B": "EAS", "C": "EUR"})
    row = table.set_index("allele").loc["*2"]
    share = {a: (c := allele_counts("CYP2C19", a))["*2"] / sum(c.values()) for a in ("EUR", "EAS")}
    assert row["count"] == 3 and row["chromosomes"] == 6
    assert row["expected"] == pytest.approx(4 * share["EUR"] + 2 * share["EAS"])
    assert table["p_adjusted"].to_numpy() == pytest.approx(np.minimum(table["p"] * len(table), 1.0))
    assert genes.iloc[0].to_list() == ["CYP2C19", 3, 3, "full", True]


def test_an_impossible_cohort_raises_the_alarm_and_a_common_one_does_not() -> None:
    poor = {f"T{i}": "*2/*2" for i in range(20)}
    table, _ = cohort_frequencies(*tables(poor), dict.fromkeys(poor, "EUR"))
    assert {"*2"} <= set(table.loc[table["alarm"], "allele"])
    people = pd.DataFrame(
        {"twin_id": [f"T{i}" for i in range(150)], "sex": "F", "ancestry": ["EUR", "AFR", "SAS"] * 50}
    )
    alarms = []
    for seed in range(4):
        drawn = draw_genotypes(people, seed, ("CYP2C19", "CYP2C9"))
        parts = [tables(dict(zip(drawn["twin_id"], drawn[g])), g) for g in ("CYP2C19", "CYP2C9")]
        genotype, sites = (pd.concat(p, ignore_index=True) for p in zip(*parts))
        table, _ = cohort_frequencies(genotype, sites, dict(zip(people["twin_id"], people["ancestry"])))
        alarms.append(int(table["alarm"].sum()))
    assert sum(alarms) == 0


def test_who_is_not_called_and_what_cannot_be_called_do_not_count() -> None:
    genotype, sites = tables({"A": "*1/*2", "B": "*2/*2", "C": "*1/*17"})
    genotype.loc[1, "status"], genotype.loc[2, "probability"] = "no_call", 0.6
    table, genes = cohort_frequencies(genotype, sites, {})
    assert genes.loc[0, "compared"] == 1 and set(table.loc[table["count"] > 0, "allele"]) == {"*1", "*2"}
    genotype, sites = tables({"A": "*1/*2", "B": "*1/*1"})
    sites.loc[1, "not_callable"] = "*2|*3"
    table, _ = cohort_frequencies(genotype, sites, {})
    n = table.set_index("allele")["chromosomes"]
    assert n["*2"] == 2 and n["*3"] == 2 and n["*17"] == 4


def test_one_x_is_one_chromosome() -> None:
    genotype, sites = tables({"A": "B (reference)", "B": "B (reference)/B (reference)"}, "G6PD")
    table, _ = cohort_frequencies(genotype, sites, {})
    assert table.set_index("allele").loc["B (reference)", ["count", "chromosomes"]].to_list() == [3, 3]


@pytest.mark.parametrize(
    ("full", "star"),
    [("*1/*5", "*1/*1"), ("*1x2/*4", "*1/*4"), ("*36+*10/*2", "*10/*2"), ("*5/*5", ""), ("*2x9/*1", "*1/*2")],
)
def test_stars_that_small_variants_show(full: str, star: str) -> None:
    assert shown("CYP2D6", full) == star


def test_without_a_known_structure_stars_are_compared() -> None:
    genotype, sites = tables({"A": "*1/*1x2", "B": "*4/*5"}, "CYP2D6", "not_assessed")
    table, genes = cohort_frequencies(genotype, sites, {"A": "EUR", "B": "EUR"})
    counts = table.set_index("allele")["count"]
    assert genes.loc[0, "basis"] == "shown" and counts["*1"] == 2 and counts["*4"] == 2
    assert not {"*5", "*1x2"} & set(counts.index)
    reference = table.set_index("allele").loc["*1", "reference"]
    counted = allele_counts("CYP2D6", "EUR")
    whole = sum(counted.values()) - counted["*5"]
    assert reference == pytest.approx((counted["*1"] + counted["*1x2"]) / whole)


def test_a_gene_without_reference_is_said_and_not_compared() -> None:
    genotype, sites = tables({"A": "*57:01/*57:01"}, "HLA-B")
    table, genes = cohort_frequencies(genotype, sites, {})
    assert table.empty and genes.loc[0, "has_reference"] == False  # noqa: E712
