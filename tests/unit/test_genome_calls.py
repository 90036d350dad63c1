"""Diplotype posteriors, selection, activity priors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_genome_vcf import HEADER, write

from pharmtwin.facts import fact_table
from pharmtwin.genome.calling import phasing
from pharmtwin.genome.calling.caller import call_gene, call_genotype, call_vcf, canonical, copy_number_error
from pharmtwin.genome.calling.haplotypes import count_configurations, decode, encode, gene_panel
from pharmtwin.genome.calling.phasing import phases
from pharmtwin.genome.definitions import ANCESTRIES, GENES, OTHER, UNKNOWN, diplotype, gene_definition
from pharmtwin.genome.function import phenotype as ph
from pharmtwin.genome.outside.structure import gene_structures
from pharmtwin.genome.reading.vcf import SiteCalls, VcfError
from pharmtwin.genome.select import activity_priors, population_activity, select_calls

STAR17 = "chr10 94761900 C T PASS ."
STAR2 = ("chr10 94775367 A G PASS .", "chr10 94781859 G A PASS .")
STAR1 = "chr10 94842866 A G PASS ."


def call(path: Path, gene: str, ancestry: str = "EUR", **options: object) -> tuple[pd.Series, pd.Series]:
    calls, sites = call_vcf(path, [gene], **options)  # type: ignore[arg-type]
    mine = calls[calls["ancestry"] == ancestry].set_index("diplotype")["probability"]
    return mine, sites.iloc[0]


def test_cyp2c19_reference_is_star38_not_star1(tmp_path: Path) -> None:
    nothing = write(tmp_path / "a.vcf", ["chr7 99672916 T C PASS . GT 0/0"])
    assert call(nothing, "CYP2C19", absent="reference")[0].to_dict() == {"*38/*38": pytest.approx(1)}
    for genotype, expected in (("1/1", "*1/*1"), ("0/1", "*1/*38")):
        path = write(tmp_path / "b.vcf", [f"{STAR1} GT {genotype}"])
        assert call(path, "CYP2C19", absent="reference")[0].idxmax() == expected


def test_phase_of_the_file_is_kept(tmp_path: Path) -> None:
    trans = write(tmp_path / "t.vcf", [f"{STAR17} GT 1|0", *(f"{r} GT 0|1" for r in STAR2), f"{STAR1} GT 1|1"])
    found, site = call(trans, "CYP2C19", absent="reference", min_probability=0)
    assert found["*2/*17"] == pytest.approx(1) and site["phasing"] == "gt" and site["unexplained"] == 0
    cis = write(tmp_path / "c.vcf", [f"{STAR17} GT 0|1", *(f"{r} GT 0|1" for r in STAR2), f"{STAR1} GT 1|1"])
    found, site = call(cis, "CYP2C19", absent="reference", min_probability=0)
    assert list(found.index) == ["*1/[*2 + *17]"] and site["unexplained"] == 0  # both on one chromosome: said so


def test_phase_sets(tmp_path: Path) -> None:
    def file(second: int) -> Path:
        rows = [f"{STAR17} GT:PS 1|0:100", *(f"{r} GT:PS 1|0:{second}" for r in STAR2), f"{STAR1} GT 1/1"]
        return write(tmp_path / f"{second}.vcf", rows)

    found, site = call(file(100), "CYP2C19", absent="reference", min_probability=0)
    assert site["phasing"] == "ps" and list(found.index) == ["*1/[*2 + *17]"]
    assert site["phase_blocks"].count(",") == len(STAR2) and "|" not in site["phase_blocks"]
    found, site = call(file(200), "CYP2C19", absent="reference", min_probability=0)
    assert site["phasing"] == "panel" and found.idxmax() == "*2/*17" and found["*1/[*2 + *17]"] > 0
    seventeen, two = STAR17.split()[1], [r.split()[1] for r in STAR2]
    assert site["phase_blocks"] == f"{seventeen}|{','.join(two)}"


def test_unphased_takes_the_common_phase_and_keeps_the_other_possible(tmp_path: Path) -> None:
    path = write(tmp_path / "a.vcf", [f"{STAR17} GT 0/1", *(f"{r} GT 0/1" for r in STAR2), f"{STAR1} GT 1/1"])
    found, site = call(path, "CYP2C19", absent="reference", min_probability=0)
    assert site["phasing"] == "panel"
    assert found["*2/*17"] > 0.99 and found["*1/[*2 + *17]"] > 0
    assert found.sum() == pytest.approx(1)


def test_missing_positions_widen_the_posterior(tmp_path: Path) -> None:
    path = write(tmp_path / "a.vcf", [f"{STAR1} GT 1/1"])
    narrow, declared = call(path, "CYP2C19", absent="reference")
    wide, site = call(path, "CYP2C19")
    assert list(narrow.index) == ["*1/*1"]
    assert {"*1/*1", "*1/*2", "*1/*17", "*2/*17"} <= set(wide.index) and wide["*1/*1"] < 0.6
    assert site["n_not_assayed"] == 34 and site["n_observed"] == 1 and site["n_reference_by_declaration"] == 0
    assert declared["n_reference_by_declaration"] == 34 and declared["n_not_assayed"] == 0
    assert "94781859" in site["not_assayed"].split(",")


def test_partial_genotype_leaves_the_other_chromosome_open(tmp_path: Path) -> None:
    rows = [f"{STAR2[0]} GT 0/1", f"{STAR2[1]} GT ./1", f"{STAR1} GT 1/1"]
    found, _ = call(write(tmp_path / "a.vcf", rows), "CYP2C19", absent="reference", min_probability=0)
    assert found.idxmax() == "*1/*2" and found.sum() == pytest.approx(1)
    rows = [f"{STAR2[1]} GT ./1", f"{STAR1} GT 1/1"]
    found, _ = call(write(tmp_path / "b.vcf", rows), "CYP2C19")
    assert found["*1/*2"] > 0.1 and found["*2/*2"] > 0.01


def test_ancestry_weighs_what_was_not_assayed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.vcf", ["chr10 94842866 A G PASS . GT 1/1"])
    p = {a: call(path, "CYP2C19", a)[0]["*1/*17"] for a in ("EUR", "EAS")}
    assert p["EUR"] > 5 * p["EAS"]


def test_deletion_is_possible_only_without_heterozygous_sites(tmp_path: Path) -> None:
    star4 = "chr22 42128945 C T PASS ."
    hom, site = call(write(tmp_path / "a.vcf", [f"{star4} GT 1/1"]), "CYP2D6", absent="reference")
    het, _ = call(write(tmp_path / "b.vcf", [f"{star4} GT 0/1"]), "CYP2D6", absent="reference")
    assert site["structure"] == "not_assessed" and hom["*4/*5"] > 0.01
    assert not any("*5" in d.split("/") for d in het.index)
    assert het["*1/*4"] > 0.4 and het["*1/*68+*4"] > 0.1


def test_deletion_follows_bayes() -> None:
    """P(X/*5 | homozygous) = 2 f / (2 f + (1 - f) p) with f the deletion, p the haplotype among the rest."""
    panel, structures = gene_panel("CYP2D6"), gene_structures("CYP2D6")
    n = len(panel.definition.sites)
    found = call_genotype(panel, structures, np.zeros((n, 2), dtype=np.int8), np.full(n, -1, dtype=np.int32)).posterior
    deleted = sum(p for d, p in found.items() if "*5" in d.split("/"))
    p = np.exp(panel.log_likelihood(np.zeros((1, n), dtype=np.int8))[0])
    f = structures.deletion
    assert np.allclose(deleted, 2 * f / (2 * f + (1 - f) * p))
    assert np.allclose(sum(found.values()), 1)


def test_structures_are_distributions() -> None:
    structures = gene_structures("CYP2D6")
    for star in ("*10", "*4", "*1", "*185"):
        assert np.allclose(sum(structures.behind(star).values()), 1)
    assert structures.behind("*10")["*36+*10"][ANCESTRIES.index("EAS")] > 0.5
    assert gene_structures("CYP2C9").behind("*2").keys() == {"*2"}


@pytest.mark.parametrize("gene", GENES)
def test_phasing_never_alters_a_genotype(gene: str) -> None:
    rng = np.random.default_rng(7)
    panel = gene_panel(gene)
    n = len(panel.definition.sites)
    for rate in (0.02, 0.3):
        for k in range(20):
            alleles = np.zeros((n, 2), dtype=np.int8)
            changed = rng.random((n, 2)) < rate
            alleles[changed] = rng.choice([1, UNKNOWN, OTHER], size=changed.sum())
            block = rng.choice([-1, 0, 5, 9], size=n).astype(np.int32)
            first, second, _ = phases(panel, alleles, block)
            assert len(first) >= 1
            pairs = np.sort(np.stack([first, second], axis=2), axis=2)
            assert (pairs == np.sort(alleles, axis=1)[None]).all()
            if k < 3:  # the posterior of scrambled genotypes is slow: a few do
                found = call_genotype(panel, gene_structures(gene), alleles, block)
                assert np.allclose(sum(found.posterior.values()), 1)


@pytest.mark.parametrize("gene", GENES)
def test_every_definition_names_itself_and_has_a_function(gene: str) -> None:
    definition = gene_definition(gene)
    functions = set(fact_table("genes/functions.tsv").query("gene == @gene")["allele"])
    for allele, core in zip(definition.alleles, definition.core):
        assert definition.name(core) == (allele, 0)
        assert np.array_equal(decode(definition, encode(definition, core)), core)
    assert set(definition.alleles) <= functions
    with pytest.raises(ValueError, match="unknown positions"):
        definition.name(np.full(len(definition.sites), UNKNOWN, dtype=np.int8))


def test_people_full_of_unknown_alternates_get_no_call_and_no_crash() -> None:
    """A corrupt file: no definition knows any of the 156 alternates, and no phase fits."""
    definition = gene_definition("CYP2D6")
    nothing = SiteCalls.nothing(definition, ("all", "half", "het"))
    nothing.alleles[0] = OTHER
    nothing.alleles[1, ::2] = OTHER
    nothing.alleles[2, :, 0], nothing.alleles[2, :, 1] = 0, OTHER
    calls, sites = call_gene(nothing)
    assert (sites["status"] == "no_call").all() and sites["reason"].str.contains("no definition knows").all()
    assert np.allclose(calls.groupby(["sample", "ancestry"])["probability"].sum(), 1)


def completed(gene: str, *positions: int) -> tuple[str, int]:
    """Allele and number of filled in variants of a panel haplotype with variants at GRCh38 positions."""
    definition = gene_definition(gene)
    sites = fact_table("genes/panel_sites.tsv")
    lacking = sites.loc[(sites["gene"] == gene) & ~sites["in_panel"].astype(bool), "position"]
    haplotype = np.isin(definition.positions, positions).astype(np.int8)
    haplotype[np.isin(definition.positions, lacking)] = UNKNOWN
    row = count_configurations(definition, haplotype[None], ["AFR"]).iloc[0]
    return str(row["allele"]), int(row["n_completed"])


def test_panel_haplotypes_are_completed_where_they_show_enough_of_an_allele() -> None:
    """CYP2B6 *17 shows one variant that nobody else has; CYP2D6 *143 could show only what it shares with *35."""
    assert completed("CYP2B6", 40991381) == ("*17", 3)
    assert completed("CYP2D6", 42130761) == ("*1", 0)
    assert completed("CYP2B6", 41006936) == ("*9", 0)  # explained as it is


def test_frequencies_sum_to_one() -> None:
    table = fact_table("genes/allele_frequencies.tsv")
    assert np.allclose(table.groupby(["gene", "ancestry"])["frequency"].sum(), 1, atol=1e-4)
    assert all(ph.is_known(g, a) for g, a in zip(table["gene"], table["allele"]))


def test_unknown_function_never_becomes_normal() -> None:
    assert ph.activity_value("CYP2D6", "*22") is None
    assert ph.activity_score("CYP2D6", "*1/*22") is None and ph.phenotype("CYP2D6", "*1/*22") == "Indeterminate"
    assert ph.activity_score("CYP2D6", "*1/*36+*36+*83+*10") is None
    assert ph.phenotype("CYP2C19", "*1/*12") == "Indeterminate"
    with pytest.raises(ph.UnknownAllele):
        ph.activity_value("CYP2D6", "*999")


@pytest.mark.parametrize(
    "pair,score,phenotype",
    [
        ("*4/*5", 0.0, "Poor Metabolizer"),
        ("*1/*4", 1.0, "Intermediate Metabolizer"),
        ("*1/*10", 1.25, "Normal Metabolizer"),
        ("*10/*36+*10", 0.5, "Intermediate Metabolizer"),
        ("*1/*68+*4", 1.0, "Intermediate Metabolizer"),
        ("*1x2/*10", 2.25, "Normal Metabolizer"),
        ("*1/*41x3", 2.5, "Ultrarapid Metabolizer"),
        ("*1/*2x2", 3.0, "Ultrarapid Metabolizer"),
        ("*1/*13+*2", 2.0, "Normal Metabolizer"),
        ("*4xN/*41", 0.5, "Intermediate Metabolizer"),
    ],
)
def test_cyp2d6_scores(pair: str, score: float, phenotype: str) -> None:
    assert ph.activity_score("CYP2D6", pair) == score
    assert ph.phenotype("CYP2D6", pair) == phenotype


def test_other_phenotypes_and_the_paper_scheme() -> None:
    assert ph.phenotype("CYP2C9", "*2/*3") == "Poor Metabolizer"
    assert ph.phenotype("CYP2C9", "*1/*3") == "Intermediate Metabolizer"
    assert ph.phenotype("CYP2C19", "*2/*17") == "Intermediate Metabolizer"
    assert ph.phenotype("CYP2C19", "*1/*38") == "Normal Metabolizer"
    assert ph.phenotype("CYP3A5", "*3/*7") == "Poor Metabolizer"
    assert ph.phenotype("SLCO1B1", "*5/*15") == "Poor Function"
    assert ph.phenotype("CYP2D6", "*1/*10", "paper") == "Indeterminate"  # 1.25 lies in that scheme's gap
    with pytest.raises(KeyError, match="no phenotypes"):
        ph.phenotype("CYP2C9", "*1/*1", "paper")


def test_relative_clearance() -> None:
    for name in ("mean_curve", "paroxetine_ruedesheim2022"):
        grid = ph.relative_clearance(np.linspace(0, 5, 101), name)
        assert (np.diff(grid) > 0).all() and grid[0] == 0 and ph.relative_clearance(2.0, name) == pytest.approx(1)
    assert ph.relative_clearance([0.5, 1.25, 3]) == pytest.approx([0.15, 0.50, 1.78])
    assert ph.relative_clearance(4.0) == pytest.approx(1.78 + 0.78)
    assert 0 < ph.relative_clearance(0.25) < 0.15
    with pytest.raises(KeyError, match="mean_curve"):
        ph.relative_clearance(1.0, "nonsense")


@pytest.fixture
def two_twins(tmp_path: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    rows = ["chr22 42128945 C T PASS . GT 0/1 0/0", "chr7 99672916 T C PASS . GT 1/1 0/1"]
    calls, sites = call_vcf(write(tmp_path / "a.vcf", rows, "S1 S2"), ["CYP2D6", "CYP3A5"], absent="reference")
    twins = pd.DataFrame({"twin_id": ["A", "B", "C"], "sample": ["S1", "S2", None], "ancestry": ["EUR", None, "EAS"]})
    return calls, sites, twins


def test_select_and_priors(two_twins: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]) -> None:
    genotype, findings = select_calls(*two_twins, None)
    assert not findings
    assert np.allclose(genotype.groupby(["twin_id", "gene"])["probability"].sum(), 1)
    assert genotype.iloc[0][["twin_id", "gene", "diplotype"]].tolist() == ["A", "CYP2D6", "*1/*4"]
    assert genotype.query("twin_id == 'C' and gene == 'CYP2D6'")["n_not_assayed"].eq(156).all()
    assert (genotype["activity_score"].isna() | (genotype["gene"] == "CYP2D6")).all()
    priors = activity_priors(genotype, ancestry={"A": "EUR", "C": "EAS"})
    assert np.allclose(priors.groupby("twin_id")["weight"].sum(), 1)
    first = priors[priors["twin_id"] == "A"].set_index("component")
    assert first.loc["AS=1", "location"] == pytest.approx(0.5**2.133) and first["weight"].idxmax() == "AS=1"
    assert (priors["scale"] == 0).all() and (priors["family"] == "point").all()  # the map's uncertainty is not drawn
    spread = 2.133 * np.log(2) * 0.276  # d ln f / d ln g, times the sd of the logarithm of g
    assert f"map power, sd of the logarithm {spread:.2f}, shared by all, not drawn" in first.loc["AS=1", "source"]
    assert "sd" not in first.loc["AS=2", "source"]
    curve = activity_priors(genotype, "mean_curve", ancestry={"A": "EUR", "C": "EAS"})
    assert curve.set_index(["twin_id", "component"]).loc[("A", "AS=1"), "location"] == pytest.approx(0.39)
    assert activity_priors(genotype, genes=["VKORC1"]).empty
    with pytest.raises(ValueError, match="no calls for samples"):
        select_calls(two_twins[0], two_twins[1], two_twins[2].assign(sample="other"), None)


def test_outside_calls(two_twins: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]) -> None:
    outside = pd.DataFrame(
        {
            "twin_id": ["A", "B", "B", "Z"],
            "gene": ["CYP2D6", "CYP2D6", "CYP3A5", "CYP2D6"],
            "diplotype": ["*68 + *4/*1", "*17/*29", "*77/*1", "*1/*1"],
        }
    )
    genotype, findings = select_calls(*two_twins, outside)
    a = genotype.query("twin_id == 'A' and gene == 'CYP2D6'")
    assert a[["diplotype", "probability", "structure", "phasing"]].values.tolist() == [
        ["*1/*68+*4", 1.0, "outside_call", "outside"]
    ]
    assert genotype.query("twin_id == 'B' and gene == 'CYP2D6'")["diplotype"].tolist() == ["*17/*29"]
    assert [(f.rule, f.severity, f.row) for f in findings] == [
        ("outside.contradicts_vcf", "warning", 3),
        ("outside.allele", "error", 4),
        ("outside.unknown_row", "error", 5),
    ]
    assert all("*" not in f.what for f in findings)
    assert len(genotype.query("twin_id == 'B' and gene == 'CYP3A5'")) == 1  # the VCF's call stays


def test_unknown_function_is_spread_over_the_population() -> None:
    genotype = pd.DataFrame(
        {
            "twin_id": ["A"], "gene": ["CYP2D6"], "diplotype": ["*1/*22"], "probability": [1.0],
            "activity_score": [np.nan], "phenotype": ["Indeterminate"], "scheme": ["cpic2020"],
            "phasing": ["gt"], "structure": ["not_assessed"], "n_not_assayed": [0],
        }
    )  # fmt: skip
    priors = activity_priors(genotype, ancestry={"A": "EAS"})
    assert priors["component"].str.startswith("AS=unknown:").all() and len(priors) > 2
    expected = dict(population_activity("CYP2D6", "EAS"))
    weights = priors.set_index("component")["weight"]
    assert weights["AS=unknown:1.25"] == pytest.approx(expected[0.25])  # *1 is known: 1 + the drawn allele
    assert "AS=unknown:0" not in weights and weights.sum() == pytest.approx(1)


def test_options_and_errors(tmp_path: Path) -> None:
    path = write(tmp_path / "a.vcf", [f"{STAR1} GT 1/1"])
    full, cut = call(path, "CYP2C19", min_probability=0)[0], call(path, "CYP2C19", min_probability=0.05)[0]
    assert len(cut) < len(full) and cut.min() >= 0.05 and cut.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="absent"):
        call(path, "CYP2C19", absent="guess")
    with pytest.raises(KeyError, match="CYP1A1"):
        call(path, "CYP1A1")
    old = write(tmp_path / "b.vcf", [f"{STAR1} GT 1/1"], header=HEADER.replace("133797422", "135534747")
                .replace("##contig=<ID=chr7,length=159345973>\n", ""))  # fmt: skip
    with pytest.raises(VcfError, match="GRCh37"):
        call(old, "CYP2C19")


def test_diplotype_order() -> None:
    assert diplotype("*36+*10", "*10") == "*10/*36+*10" and diplotype("*10", "*2") == "*2/*10"
    assert diplotype("*41", "*1x2") == "*1x2/*41"


def mosaic_genotype(gene: str, rng: np.random.Generator) -> np.ndarray:
    """Unphased genotype (n_sites, 2) of two mosaics of random panel haplotypes."""
    panel = gene_panel(gene)
    n = panel.templates.shape[1]
    pair = [
        np.where(np.arange(n) < rng.integers(n), *panel.templates[rng.integers(len(panel.templates), size=2)])
        for _ in range(2)
    ]
    return np.sort(np.array(pair, dtype=np.int8).T, axis=1)


@pytest.mark.parametrize(
    "gene,listed,beam", [("CYP2D6", phasing.MAX_LISTED, phasing.BEAM), ("NAT2", 5, 12), ("SLCO1B1", 5, 12)]
)
def test_the_search_finds_the_best_phase_that_a_full_list_holds(
    gene: str, listed: int, beam: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few people have as many heterozygous positions elsewhere: the smaller genes get a smaller beam."""
    rng = np.random.default_rng(5)
    panel, compared = gene_panel(gene), 0
    monkeypatch.setattr(phasing, "BEAM", beam)
    for _ in range(1000):
        alleles = mosaic_genotype(gene, rng)
        n_het = int((alleles[:, 0] != alleles[:, 1]).sum())
        if not listed < n_het <= 12:
            continue
        block = np.full(len(alleles), -1, dtype=np.int32)
        monkeypatch.setattr(phasing, "MAX_LISTED", n_het)
        all_first, all_second, n_blocks = phases(panel, alleles, block)
        assert len(all_first) == 2 ** (n_het - 1) and n_blocks == n_het
        monkeypatch.setattr(phasing, "MAX_LISTED", listed)
        first, second, _ = phases(panel, alleles, block)
        assert len(first) <= beam < len(all_first)
        assert len({f.tobytes() for f in first} | {s.tobytes() for s in second}) == 2 * len(first)
        weight = panel.log_likelihood(all_first) + panel.log_likelihood(all_second)
        kept = panel.log_likelihood(first) + panel.log_likelihood(second)
        assert np.allclose(kept.max(axis=0), weight.max(axis=0))  # in every ancestry
        compared += 1
        if compared == 5:
            break
    assert compared == 5


def test_blocks_of_the_file_are_turned_as_a_whole() -> None:
    panel = gene_panel("CYP2C19")
    n = len(panel.definition.sites)
    alleles, block = np.zeros((n, 2), dtype=np.int8), np.full(n, -1, dtype=np.int32)
    alleles[[2, 5, 9, 20], 0] = 1
    block[[2, 9]], block[5] = 7, 8
    first, second, n_blocks = phases(panel, alleles, block)
    assert n_blocks == 3 and len(first) == 4  # {2, 9}, {5}, {20}: two free turns
    assert (first[:, 2] == first[:, 9]).all() and (first + second == 1)[:, [2, 5, 9, 20]].all()
    assert len({f.tobytes() for f in first} | {s.tobytes() for s in second}) == 8


def test_canonical_writing() -> None:
    alleles = np.array([[[1, 0], [1, 0], [1, 1], [UNKNOWN, 1]]], dtype=np.int8)
    block = np.array([[-1, 4, 4, -1]], dtype=np.int32)
    same, blocks = canonical(alleles, block)
    assert same[0].tolist() == [[0, 1], [1, 0], [1, 1], [UNKNOWN, 1]] and blocks[0].tolist() == [-1, 4, -1, -1]


def test_the_error_of_copy_numbers_is_a_fact_with_a_source() -> None:
    assert 0 < copy_number_error("CYP2D6") < 0.2
    with pytest.raises(KeyError):
        copy_number_error("CYP2C19")
    table = fact_table("genes/calling_parameters.tsv")
    assert table["source"].str.contains("stated round figure").all()
