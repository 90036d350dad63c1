"""Figures of the fit's chains, visual predictive checks and allele frequencies: numbers drawn, and empty cases said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from criticism_fixture import PARAMETERS, criticism_tables
from report_fixture import make_inputs, make_tables

from pharmtwin.genome.cohort_frequencies import cohort_frequencies
from pharmtwin.report.blocks import Block, Chart, Paragraph
from pharmtwin.report.fit import fit_section
from pharmtwin.report.fit_chains import chain_blocks, pair_chart, rank_chart
from pharmtwin.report.genome_cohort import genotype_section
from pharmtwin.report.genome_frequencies import frequency_blocks
from pharmtwin.report.index import stage_pages
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.render import render, templates
from pharmtwin.report.vpc import vpc_section


@pytest.fixture(scope="module")
def small() -> dict[str, Any]:
    return make_tables(6, 1)


@pytest.fixture(scope="module")
def criticism() -> dict[str, Any]:
    return criticism_tables()


@pytest.fixture(scope="module")
def inputs(small: dict[str, Any], criticism: dict[str, Any]) -> ReportInputs:
    return make_inputs(small, **criticism)


def charts(blocks: tuple[Block, ...] | list[Block]) -> dict[str, Chart]:
    return {b.id: b for b in blocks if isinstance(b, Chart)}


def words(blocks: tuple[Block, ...] | list[Block]) -> str:
    return " ".join(b.text for b in blocks if isinstance(b, Paragraph))


def test_the_fit_page_has_all_figures_of_the_chains(inputs: ReportInputs) -> None:
    found = charts(fit_section(inputs).blocks)
    assert {"population-parameters", "ranks", "traces", "energy", "pairs"} <= set(found)
    n = len(PARAMETERS)
    assert len(found["ranks"].panels) == len(found["traces"].panels) == n
    assert len(found["energy"].panels) == 4 and len(found["pairs"].panels) == n * (n - 1) // 2
    assert [p.label for p in found["ranks"].panels] == inputs.fit_summary["parameter"].to_list()


def test_ranks_draw_the_counts_and_the_band(inputs: ReportInputs) -> None:
    chart = rank_chart(inputs)
    own = inputs.fit_ranks[(inputs.fit_ranks["parameter"] == "MTT") & (inputs.fit_ranks["chain"] == 2)]
    panel = next(p for p in chart.panels if p.label == "MTT")
    drawn = next(t for t in panel.data if t["name"] == "chain 2")
    assert drawn["y"][::2] == drawn["y"][1::2] == [float(n) for n in own["count"]]
    band = panel.data[0]
    assert band["fill"] == "toself" and max(band["y"]) == pytest.approx(own["high"].iloc[0], rel=1e-3)


def test_bars_outside_of_the_band_are_named(small: dict[str, Any], criticism: dict[str, Any]) -> None:
    ranks = criticism["fit_ranks"].copy()
    ranks.loc[(ranks["parameter"] == "MTT") & (ranks["chain"] == 0) & (ranks["bar"] == 0), "count"] = 400
    chart = rank_chart(make_inputs(small, **{**criticism, "fit_ranks": ranks}))
    assert "Outside of the band: MTT (1 bar)" in chart.caption


def test_pairs_say_that_there_is_no_divergence_and_put_the_correlated_first(inputs: ReportInputs) -> None:
    chart = pair_chart(inputs)
    assert "No divergences" in chart.caption
    first = [c.text for c in chart.table.rows[0]]
    assert first[:2] == ["CLint_other", "CLint_per_AS"] and float(first[2]) == pytest.approx(-0.8, abs=0.06)
    assert all(len(p.data) == 1 for p in chart.panels)


def test_divergent_draws_are_marked_in_every_pair(small: dict[str, Any]) -> None:
    tables = criticism_tables(divergent=3)
    chart = pair_chart(make_inputs(small, **tables))
    assert "3 divergent draws, all marked" in chart.caption
    assert {len(p.data[1]["x"]) for p in chart.panels} == {3}


def test_without_draws_the_page_says_so(small: dict[str, Any]) -> None:
    assert "were not handed to the report" in words(chain_blocks(make_inputs(small)))
    none = make_inputs(small, fit_summary=None, fit_diagnostics=None, fit_twins=None, fit_genotype=None)
    assert "the fit did not run" in words(chain_blocks(none))


def test_the_check_has_panels_of_large_groups_and_names_the_small(inputs: ReportInputs) -> None:
    blocks = vpc_section(inputs).blocks
    found = charts(blocks)
    assert {"vpc", "pcvpc"} == set(found)
    labels = [p.label for p in found["vpc"].panels]
    assert labels[0] == "Samples used in the fit: all twins" and "Samples kept aside: all twins" in labels
    assert not any("Poor" in label for label in labels)
    said = words(blocks)
    assert "Poor Metabolizer (2 twins, fewer than 5)" in said and "posterior predictive" in said
    assert "No limit of quantification is stated" in said and "synthetic" in said


def test_bands_are_those_of_the_table(inputs: ReportInputs) -> None:
    chart = charts(vpc_section(inputs).blocks)["pcvpc"]
    rows = inputs.vpc.query("corrected and use == 'fit' and group == 'all' and percentile == 50").sort_values("bin")
    panel = next(p for p in chart.panels if p.label == "Samples used in the fit: all twins")
    middle = next(t for t in panel.data if "median" in t["name"])
    assert min(middle["y"]) == pytest.approx(rows["low"].min(), rel=1e-3)
    assert max(middle["y"]) == pytest.approx(rows["high"].max(), rel=1e-3)
    seen = next(t for t in panel.data if t["name"] == "observed, 50 %")
    assert seen["y"] == pytest.approx(rows["observed"].to_list(), rel=1e-3)


def test_samples_below_the_limit_have_a_panel(small: dict[str, Any]) -> None:
    tables = criticism_tables(lloq=3.0)
    found = charts(vpc_section(make_inputs(small, **tables)).blocks)
    chart = found["vpc-blq"]
    assert chart.panels[0].layout["yaxis"]["title"]["text"] == "Samples below the limit (%)"
    assert "at most" in " ".join(c.text for row in found["vpc"].table.rows for c in row)


def test_a_limit_that_no_sample_is_below_is_said_with_the_simulated_share(small: dict[str, Any]) -> None:
    tables = criticism_tables(lloq=0.01)
    said = words(vpc_section(make_inputs(small, **tables)).blocks)
    assert "No sample of the study lies below its limit" in said and "0 % of the simulated samples used" in said


def test_without_replicates_or_fit_the_check_says_so(small: dict[str, Any], criticism: dict[str, Any]) -> None:
    assert "No visual predictive check" in words(vpc_section(make_inputs(small)).blocks)
    vpc = {k: v for k, v in criticism.items() if k.startswith("vpc")}
    none = make_inputs(small, fit_summary=None, fit_diagnostics=None, fit_twins=None, fit_genotype=None, **vpc)
    assert "prior predictive" in words(vpc_section(none).blocks)


def frequencies(small: dict[str, Any], genotype: pd.DataFrame | None = None, **changes: Any) -> ReportInputs:
    genotype = small["genotype"] if genotype is None else genotype
    people = small["covariates"]
    ancestry = dict(zip(people["twin_id"], people["ancestry"]))
    table, genes = cohort_frequencies(genotype, small["twin_sites"], ancestry)
    return make_inputs(small, allele_frequencies=table, allele_genes=genes, **changes)


def test_frequencies_stand_beside_the_reference(small: dict[str, Any]) -> None:
    given = frequencies(small, small["genotype"].query("gene != 'SLCO1B1'"))
    blocks = frequency_blocks(given)
    chart = charts(blocks)["frequencies"]
    row = next(r for r in chart.table.rows if [c.text for c in r[:2]] == ["CYP2C19", "*17"])
    table = given.allele_frequencies.set_index(["gene", "allele"])
    assert row[2].text == str(table.loc[("CYP2C19", "*17"), "count"])
    assert chart.panels[0].data[0]["name"] == "identity"
    said = words(blocks)
    assert "No frequency alarm" in said and "The cohort is synthetic" in said and "CYP2D6" in said
    assert "frequencies" in charts(genotype_section(given).blocks)


def test_an_improbable_count_is_named(small: dict[str, Any]) -> None:
    genotype = small["genotype"].copy()
    mine = genotype["gene"] == "CYP2C19"
    genotype.loc[mine, ["diplotype", "probability", "status"]] = ["*17/*17", 1.0, "called"]
    blocks = frequency_blocks(frequencies(small, genotype, data_kind="real"))
    said = words(blocks)
    assert "Frequency alarm: CYP2C19 *17 (12 of 12" in said and "synthetic" not in said
    names = [t["name"] for t in charts(blocks)["frequencies"].panels[0].data]
    assert "frequency alarm" in names


def test_no_comparison_is_said(small: dict[str, Any]) -> None:
    assert "were not handed to the report" in words(frequency_blocks(make_inputs(small)))
    genotype = small["genotype"].assign(status="no_call")
    said = words(frequency_blocks(frequencies(small, genotype)))
    assert "no gene has both called genotypes and a reference" in said
    genotype = small["genotype"].assign(gene=small["genotype"]["gene"].replace("SLCO1B1", "HLA-B"))
    assert "HLA-B (no reference frequency)" in words(frequency_blocks(frequencies(small, genotype)))


def test_pages_do_not_depend_on_the_order_of_rows(small: dict[str, Any], criticism: dict[str, Any]) -> None:
    environment = templates()
    made = []
    for seed in (None, 1):
        tables = criticism if seed is None else {k: v.sample(frac=1, random_state=seed) for k, v in criticism.items()}
        pages = stage_pages(make_inputs(small, **tables))
        made.append([render(pages[name], environment) for name in ("fit.html", "accuracy.html")])
    assert made[0] == made[1]
    assert all(len(text.encode()) < 1_600_000 for text in made[0])


def test_a_bin_at_one_time_is_still_drawn(small: dict[str, Any], criticism: dict[str, Any]) -> None:
    chart = charts(vpc_section(make_inputs(small, **criticism)).blocks)["vpc"]
    panel = next(p for p in chart.panels if p.label == "Samples kept aside: all twins")
    band = panel.data[0]
    assert max(band["x"]) > min(band["x"]) and np.isfinite(band["y"]).all()
