"""The genome page of the report: nothing is called that was not, nothing is hidden, nothing is doubled."""

from __future__ import annotations

import html
import re
from collections import namedtuple
from typing import Any

import pandas as pd
import pytest
from page_fixture import cohort
from report_fixture import advice, make_inputs, make_tables

from pharmtwin.report import ReportInputs, build_report
from pharmtwin.report.blocks import Chart
from pharmtwin.report.genome_calls import GeneCall, gene_calls, phase_steps, phenotype_class, site_name, top_rows
from pharmtwin.report.genome_phase import phase_track
from pharmtwin.report.genome_warnings import warnings

TWIN = "PT-0001"


def row(gene: str, diplotype: str, probability: float, phenotype: str, **more: Any) -> dict[str, Any]:
    """One row of table ``genotype``."""
    return {
        "twin_id": TWIN, "gene": gene, "diplotype": diplotype, "probability": probability, "activity_score": None,
        "phenotype": phenotype, "scheme": "cpic2020", "status": "called", "phasing": "trivial",
        "structure": "not_applicable", "n_not_assayed": 0, **more,
    }  # fmt: skip


def site(gene: str, **more: Any) -> dict[str, Any]:
    """One row of table ``twin_sites``."""
    return {
        "twin_id": TWIN, "gene": gene, "status": "called", "reason": None, "n_sites": 10, "n_observed": 10,
        "n_reference_by_evidence": 0, "n_reference_by_declaration": 0, "n_not_assayed": 0, "not_assayed": None,
        "not_callable": None, "phasing": "trivial", "phase": None, "phase_blocks": None, "phase_probability": 1.0,
        "structure": "not_applicable", "unexplained": 0, "unknown_alternates": None, "definitions": "test",
        "shown": "*1/*1", **more,
    }  # fmt: skip


GENOTYPE = [
    row("CYP2D6", "*1/*4", 0.63, "Intermediate Metabolizer", status="candidates", structure="not_assessed"),
    row("CYP2D6", "*1/*68+*4", 0.36, "Intermediate Metabolizer", status="candidates", structure="not_assessed"),
    row("CYP2D6", "*1x2/*4", 0.006, "Normal Metabolizer", status="candidates", structure="not_assessed"),
    row("CYP2D6", "*1/*4x2", 0.004, "Intermediate Metabolizer", status="candidates", structure="not_assessed"),
    row("CYP2C19", "*1/*1", 1.0, "Normal Metabolizer"),
    row("CYP2C9", "*1/*1", 1.0, "Normal Metabolizer"),
    row("CYP2C8", "*1/*1", 1.0, "Indeterminate"),
    row("G6PD", "B (reference)", 1.0, "Normal"),
    row("NAT2", "*5/*6", 0.96, "Poor Metabolizer", status="no_call"),
    row("NAT2", "*6/*16", 0.04, "Poor Metabolizer", status="no_call"),
    row("TPMT", "*1/*3A", 1.0, "Intermediate Metabolizer", status="no_call", structure="outside_call"),
]
WHY = "required positions not assayed: 18400806"
SITES = [
    site("CYP2D6", status="candidates", structure="not_assessed", phasing="panel", phase_probability=0.97,
         phase="42126611:0|1,42129033:2|0,42130692:99|."),
    site("CYP2C19"),
    site("CYP2C9", unexplained=1),
    site("CYP2C8", n_observed=2, n_reference_by_evidence=3, n_reference_by_declaration=5),
    site("G6PD", phasing="haploid"),
    site("NAT2", status="no_call", reason=WHY, n_observed=9, n_not_assayed=1, not_assayed="18400806",
         not_callable="*7|*10"),
    site("TPMT", status="no_call", reason="an alternate that no definition knows at 18130687",
         unknown_alternates="18130687"),
    site("DPYD"),
]  # fmt: skip
ADVICE = [
    advice(TWIN, "genetic", 0.9, "standard", "Normal Metabolizer (2)", None),
    advice(TWIN, "genetic", 0.095, "reduce", "Poor Metabolizer (0)", "half the dose"),
    advice(TWIN, "genetic", 0.005, "none", "Indeterminate", None),
    advice(TWIN, "comedication", 0.995, "reduce", "Poor Metabolizer (0)", "half the dose"),
    advice(TWIN, "comedication", 0.005, "none", "Indeterminate", None),
]


@pytest.fixture(scope="module")
def small() -> dict[str, Any]:
    return make_tables(3, 1)


def inputs_of(small: dict[str, Any], **changes: Any) -> ReportInputs:
    people = small["covariates"].assign(ancestry="AFR")
    given = {"genotype": pd.DataFrame(GENOTYPE), "twin_sites": pd.DataFrame(SITES),
             "recommendations": pd.DataFrame(ADVICE), "covariates": people}  # fmt: skip
    return make_inputs({**small, **given, **changes})


@pytest.fixture(scope="module")
def inputs(small: dict[str, Any]) -> ReportInputs:
    return inputs_of(small)


def text_of(page: str, section: str) -> str:
    """Text of a section without tags, one space between words."""
    body = page.split(f'<section id="{section}">')[1].split("</section>")[0]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)))


@pytest.fixture(scope="module")
def genome(inputs: ReportInputs) -> str:
    return text_of(build_report(inputs)[f"twins/{TWIN}.html"], "genome")


def test_states_follow_the_twin_and_outside_calls_stand(inputs: ReportInputs) -> None:
    calls = {c.gene: c for c in gene_calls(inputs, TWIN)}
    assert next(iter(calls)) == "CYP2D6"
    assert {g: c.state for g, c in calls.items()} == {
        "CYP2D6": "candidates", "CYP2C19": "called", "CYP2C9": "called", "CYP2C8": "called", "G6PD": "called",
        "NAT2": "no call", "TPMT": "called", "DPYD": "left out",
    }  # fmt: skip
    assert calls["NAT2"].reason == WHY and not calls["TPMT"].reason
    assert dict(zip(*top_rows(inputs.genotype)[["gene", "state"]].to_numpy().T))["TPMT"] == "called"


def test_no_call_is_never_shown_as_a_call(genome: str, inputs: ReportInputs) -> None:
    assert "5 of 8 genes called; several candidates: CYP2D6; no call: NAT2; left out: DPYD" in genome
    assert f"No call NAT2: {WHY}" in genome
    assert "*5/*6 likely, not called" in genome
    index = text_of(cohort(build_report(inputs)), "genotypes")
    assert f"NAT2 {WHY} 1" in index
    numbers = index.split("Numbers of this figure")[1]
    assert "NAT2 no call 1 1.00 100" in numbers and "NAT2 Poor Metabolizer" not in numbers.split("What was seen")[0]


def test_rare_candidates_are_summed_not_dropped(genome: str) -> None:
    assert "*1x2/*4" not in genome
    assert "*1/*68+*4 and 2 more below 1 %, together 1.0 %" in genome


def test_certain_normal_genes_take_one_line_and_odd_ones_do_not(genome: str) -> None:
    line = genome.split("Normal function, called with at least 99 %:")[1].split(".")[0]
    assert line.strip() == "CYP2C19 *1/*1, G6PD B (reference) (one X chromosome)"
    assert "no scheme names a phenotype (not the same as normal): CYP2C8 *1/*1." in genome
    assert "CYP2C9 called *1/*1 100" in genome  # it holds a variant that no allele explains


def test_warnings_name_gene_reason_and_how_likely(genome: str, inputs: ReportInputs) -> None:
    assert "CYP2D6: 27 % of people of ancestry AFR carry a deletion, duplication or hybrid (a prior" in genome
    assert "CYP2C9: 1 variant that no named allele explains" in genome
    assert f"at {site_name('TPMT', 18130687)} an alternate that no definition knows" in genome
    assert "5 positions in CYP2C8; the configuration says so" in genome
    found = warnings(inputs, TWIN, gene_calls(inputs, TWIN))
    assert {(w.title, w.gene) for w in found} == {
        ("No call", "NAT2"), ("Left out", "DPYD"), ("Unexplained variants", "CYP2C9"), ("Unknown alternates", "TPMT"),
        ("Structure not assessed", "CYP2D6"), ("Reference by declaration only", ""),
    }  # fmt: skip


def test_an_unknown_prior_is_said_to_be_unknown(small: dict[str, Any]) -> None:
    said = []
    for prior in ({}, {"CYP4F2": {"AFR": 0.1}}):
        given = inputs_of(small, structure_prior=prior)
        said.append([w.text for w in warnings(given, TWIN, gene_calls(given, TWIN)) if w.title.startswith("Structure")])
    assert said == [
        ["how often it is not plain was not handed to the report"],
        ["no source counts how often people carry a deletion, duplication or hybrid"],
    ]


def test_findings_about_the_twin_are_repeated_beside_its_genes(small: dict[str, Any]) -> None:
    problem = {"severity": "warning", "file": "outside.tsv", "row": 2, "column": None, "value": None,
               "why": "one of the two may be wrong", "fix": "look", "rule": "outside.contradicts"}  # fmt: skip
    rows = [{**problem, "what": f"twin {t}, gene CYP2D6: the call contradicts the VCF"} for t in (TWIN, TWIN + "0")]
    given = inputs_of(small, findings=pd.DataFrame(rows))
    found = [w for w in warnings(given, TWIN, gene_calls(given, TWIN)) if w.title == "Finding"]
    assert [w.text for w in found] == [
        f"twin {TWIN}, gene CYP2D6: the call contradicts the VCF; one of the two may be wrong"
    ]


def test_alleles_that_cannot_be_called_are_listed_with_the_positions(genome: str) -> None:
    assert "Alleles that this assay cannot call: 2 in 1 gene" in genome
    assert f"NAT2 {site_name('NAT2', 18400806)} *7, *10" in genome


def test_phase_is_told_in_letters(genome: str) -> None:
    steps = phase_steps("CYP2D6", "42126611:0|1,42129033:2|0,42130692:99|.")
    assert steps == ["rs1135840 C|G", "rs5030865 T|C", "rs1065852 ?|."]
    assert f"CYP2D6 haplotype frequencies 97.0 % {', '.join(steps)}" in genome
    assert phase_steps("CYP2D6", None) == []


def test_advice_from_genes_and_with_comedication_stands_side_by_side(genome: str) -> None:
    table = genome.split("Recommendations of guidelines")[1]
    assert "Genes alone With comedication" in table
    assert "standard dosing; exposure changes (moderate) 90 % 0 %" in table
    assert "lower dose: half the dose; exposure changes (moderate) 9.5 % 99.5 %" in table
    assert "1 other advice, below 1 % 0.5 % 0.5 %" in table
    assert "doi:10.1002/cpt.1409" in table


def test_advice_that_rests_on_no_call_says_so(small: dict[str, Any]) -> None:
    told = [advice(TWIN, "genetic", 1.0, "reduce", "Poor Metabolizer", None) | {"gene": g} for g in ("NAT2", "TPMT")]
    text = text_of(build_report(inputs_of(small, recommendations=pd.DataFrame(told)))[f"twins/{TWIN}.html"], "genome")
    assert "NAT2: Poor Metabolizer (NAT2 not called: frequencies of the population)" in text
    assert "TPMT: Poor Metabolizer lower dose" in text


def test_cohort_advice_counts_twins(inputs: ReportInputs) -> None:
    text = text_of(cohort(build_report(inputs)), "genotypes").split("Recommendations of guidelines")[1]
    assert "lower dose: half the dose; exposure changes (moderate) 0.0950 0.0950 0.995" in text


def test_without_comedication_there_is_no_empty_column(small: dict[str, Any]) -> None:
    given = inputs_of(small, recommendations=pd.DataFrame(ADVICE[:3]))
    text = text_of(build_report(given)[f"twins/{TWIN}.html"], "genome")
    assert "With comedication" not in text and "No comedication is stated for this twin" in text


def test_every_page_says_research_use_and_names_the_definitions(inputs: ReportInputs, genome: str) -> None:
    pages = build_report(inputs)
    assert all("For research use only" in p.split("<main")[0] for p in pages.values())
    assert "CPIC of the test; sha256:0123456789ab" in genome
    assert "CPIC of the test; sha256:0123456789ab" in text_of(cohort(pages), "genotypes")


def test_a_report_without_sites_and_advice_says_so(small: dict[str, Any]) -> None:
    pages = build_report(inputs_of(small, twin_sites=None, recommendations=None))
    assert "No file with genotypes was read for this twin" in pages[f"twins/{TWIN}.html"]
    assert "What was seen of each position was not handed to the report" in cohort(pages)
    assert "No recommendation: the table of guidelines knows neither" in cohort(pages)


@pytest.mark.parametrize(
    ("phenotype", "name"),
    [
        ("Likely Poor Metabolizer", "Poor, deficient"),
        ("Deficient with CNSHA", "Poor, deficient"),
        ("Possible Intermediate Metabolizer", "Intermediate, decreased, variable"),
        ("Variable", "Intermediate, decreased, variable"),
        ("Ultrarapid Metabolizer", "Ultrarapid"),
        ("Rapid Metabolizer", "Rapid, increased"),
        ("Increased Function", "Rapid, increased"),
        ("Normal", "Normal"),
        ("Indeterminate", "Indeterminate"),
        ("-1639 GG", "Variant absent"),
        ("-1639 AG", "Variant carried"),
        ("rs2108622 T carrier", "Variant carried"),
        ("rs2108622 T absent", "Variant absent"),
        ("something new", "Other"),
    ],
)
def test_phenotypes_have_a_class(phenotype: str, name: str) -> None:
    assert phenotype_class(phenotype).name == name


def activity(gene: str, ancestry: str, quantity: str, mean: float, map_name: str) -> dict[str, Any]:
    """One row of activity by gene and ancestry."""
    return {
        "gene": gene, "ancestry": ancestry, "quantity": quantity, "mean": mean, "q05": 0.0, "q50": mean, "q95": 2.0,
        "mean_q05": mean - 0.01, "mean_q95": mean + 0.01, "unknown": 0.043, "unsourced": 0.0, "map_name": map_name,
    }  # fmt: skip


def test_activity_by_gene_and_ancestry_stands_on_the_page_once() -> None:
    table = pd.DataFrame(
        [
            activity("CYP2D6", "AFR", "activity_score", 1.41, "power"),
            activity("CYP2D6", "AFR", "enzyme_clint", 0.581, "power"),
            activity("SLCO1B1", "AFR", "uptake", 0.797, "pitavastatin"),
        ]
    )
    page = cohort(build_report(make_inputs(activity=table)))
    assert page.count("<summary>Activity by gene and ancestry") == 1
    for said in ("1.41 (1.40 to 1.42)", "0.581 (0.571 to 0.591)", "0.797 (0.787 to 0.807)", "CYP2D6 power, SLCO1B1"):
        assert said in page
    assert "Activity by gene and ancestry" not in cohort(build_report(make_inputs()))


def blocked(gene: str, phasing: str, phase_blocks: str, **more: Any) -> Any:
    """A called gene with heterozygous positions in blocks."""
    rows = site(gene, phasing=phasing, phase_blocks=phase_blocks, phase="1:0|1,2:0|1,3:1|0", **more)
    named = namedtuple("named", rows)(**rows)
    return GeneCall(gene, "called", (), named, "")


def test_positions_of_one_phase_block_are_joined() -> None:
    calls = [
        blocked("CYP2D6", "ps", "42126611,42129033|42130692"),
        blocked("NAT2", "panel", "18400344|18400806", phase_probability=0.97),
        blocked("TPMT", "trivial", "18143955"),
    ]
    chart = phase_track(calls)[0]
    assert isinstance(chart, Chart)
    traces = {t["name"]: t for t in chart.panels[0].data}
    assert traces["phase block 1"]["x"] == [1, 2, None] and set(traces["phase block 1"]["y"]) == {"CYP2D6"}
    assert list(zip(traces["no phase in the input"]["x"], traces["no phase in the input"]["y"])) == [
        (3, "CYP2D6"), (1, "NAT2"), (2, "NAT2"),
    ]  # fmt: skip
    dotted = traces["by haplotype frequencies"]
    assert dotted["x"] == [1, 2, None] and "97.0 %" in dotted["text"][0] and set(dotted["y"]) == {"NAT2"}
    rows = [[c.text for c in row] for row in chart.table.rows]
    assert [r[0] for r in rows] == ["CYP2D6", "NAT2"] and rows[1][3] == "none"
    assert rows[0][3] == f"{site_name('CYP2D6', 42126611)} + {site_name('CYP2D6', 42129033)}"


def test_one_heterozygous_position_needs_no_track() -> None:
    assert phase_track([blocked("TPMT", "trivial", "18143955"), blocked("CYP2C9", "trivial", "")]) == []
