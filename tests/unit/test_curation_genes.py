"""Gene tables: known answers from outside, both builds, and the command that rebuilds them."""

from __future__ import annotations

import gzip
import http.server
import json
import shutil
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pharmtwin import facts
from pharmtwin.curation import gene_builds, gene_check, gene_panel, gene_release, gene_sources, gene_update
from pharmtwin.curation.gene_files import read_table
from pharmtwin.curation.gene_sub_alleles import kept_rows, pharmvar_rows, rewritten, same_edit
from pharmtwin.genome.definitions import GENES, UNKNOWN, gene_definition
from pharmtwin.genome.release import DEFINITION_TABLES, definition_version

TABLES = facts.RESOURCES / "genes"

# (gene, allele): {rsid: (chrom, GRCh38 position, GRCh37 position)}, positions as dbSNP gives them
KNOWN = {
    ("CYP2D6", "*4"): {"rs3892097": ("chr22", 42128945, 42524947)},
    ("CYP2D6", "*9"): {"rs5030656": ("chr22", 42128173, 42524175)},
    # GRCh38 carries *38: against it *2 and *17 have rs3758581 too
    ("CYP2C19", "*2"): {"rs12769205": ("chr10", 94775367, 96535124), "rs4244285": ("chr10", 94781859, 96541616),
                        "rs3758581": ("chr10", 94842866, 96602623)},
    ("CYP2C19", "*17"): {"rs12248560": ("chr10", 94761900, 96521657), "rs3758581": ("chr10", 94842866, 96602623)},
    ("CYP2C9", "*2"): {"rs1799853": ("chr10", 94942290, 96702047)},
    ("CYP2C9", "*3"): {"rs1057910": ("chr10", 94981296, 96741053)},
    ("CYP2C8", "*3"): {"rs10509681": ("chr10", 95038992, 96798749), "rs11572080": ("chr10", 95067273, 96827030)},
    ("CYP2B6", "*6"): {"rs3745274": ("chr19", 41006936, 41512841), "rs2279343": ("chr19", 41009358, 41515263)},
    ("CYP3A4", "*22"): {"rs35599367": ("chr7", 99768693, 99366316)},
    ("CYP3A5", "*3"): {"rs776746": ("chr7", 99672916, 99270539)},
    ("CYP4F2", "*3"): {"rs2108622": ("chr19", 15879621, 15990431)},
    ("CYP1A2", "*1F"): {"rs762551": ("chr15", 74749576, 75041917)},
    ("UGT1A1", "*28"): {"rs3064744": ("chr2", 233760233, 234668879)},
    ("SLCO1B1", "*5"): {"rs4149056": ("chr12", 21178615, 21331549)},
    ("ABCG2", "rs2231142 variant (T)"): {"rs2231142": ("chr4", 88131171, 89052323)},
    ("DPYD", "c.1905+1G>A (*2A)"): {"rs3918290": ("chr1", 97450058, 97915614)},
    ("TPMT", "*3A"): {"rs1800460": ("chr6", 18138997, 18139228), "rs1142345": ("chr6", 18130687, 18130918)},
    ("NUDT15", "*3"): {"rs116855232": ("chr13", 48045719, 48619855)},
    ("VKORC1", "rs9923231 variant (T)"): {"rs9923231": ("chr16", 31096368, 31107689)},
    ("G6PD", "A- 202A_376G"): {"rs1050828": ("chrX", 154536002, 153764217),
                               "rs1050829": ("chrX", 154535277, 153763492)},
}  # fmt: skip


def variants_of(gene: str, allele: str) -> list[tuple[str, str, str, int, int]]:
    """(rsid, ref, alt, GRCh38, GRCh37 position) of an allele's core variants."""
    definition = gene_definition(gene)
    core = definition.core[definition.alleles.index(allele)]
    return [
        (s.rsid, s.ref, s.alts[c - 1], s.position, s.position_grch37 or 0) for s, c in zip(definition.sites, core) if c
    ]


@pytest.mark.parametrize(("gene", "allele"), list(KNOWN))
def test_core_variants_lie_where_dbsnp_has_them_on_both_builds(gene: str, allele: str) -> None:
    chrom = gene_definition(gene).chrom
    found = {rsid: (chrom, new, old) for rsid, _, _, new, old in variants_of(gene, allele)}
    assert found == KNOWN[gene, allele]


def test_the_ugt1a1_repeat_alleles_differ_by_ta_units() -> None:
    length = {a: len(v[2]) - len(v[1]) for a in ("*28", "*36", "*37") for v in variants_of("UGT1A1", a)}
    assert length == {"*28": 2, "*36": -2, "*37": 4}  # TA7, TA5, TA8 against the reference's TA6


def test_reference_alleles_of_both_builds() -> None:
    """The haplotype that each build's reference sequence carries, by name (CYP2C19 *38 on GRCh38, *1 on GRCh37)."""
    positions = read_table(TABLES / "positions.tsv")
    grch38, grch37 = {}, {}
    for gene in GENES:
        definition = gene_definition(gene)
        refs = positions.loc[positions["gene"] == gene, "ref_grch37"]
        codes = [0 if old == s.ref else s.code(old) for s, old in zip(definition.sites, refs, strict=True)]
        name, unexplained = definition.name(np.array(codes, dtype=np.int8))
        assert unexplained == 0, gene
        grch38[gene] = definition.reference
        if name != definition.reference:
            grch37[gene] = name
    assert grch37 == {"CYP2D6": "*2", "CYP2C19": "*1", "CYP3A5": "*3", "DPYD": "c.85T>C (*9A)"}
    assert grch38["CYP2C19"] == "*38" and grch38["ABCB1"] == "*2" and grch38["CYP1A2"] == "*1A"
    swapped = positions.loc[positions["ref"] != positions["ref_grch37"], "rsid"]
    assert set(swapped) == {"rs1135840", "rs16947", "rs1058164", "rs3758581", "rs776746", "rs1801265"}


def test_the_tables_in_use_pass_their_own_checks() -> None:
    assert gene_check.problems(TABLES) == []
    assert {gene: gene_check.misnamed(gene_definition(gene)) for gene in GENES} == {gene: [] for gene in GENES}


def test_every_site_says_how_its_grch37_position_is_known() -> None:
    lift = read_table(TABLES / "positions.tsv")["lift"]
    assert set(lift) == {gene_builds.TABLE, gene_builds.OFFSET}
    assert (lift == gene_builds.TABLE).mean() > 0.8


@pytest.mark.parametrize(
    ("table", "row", "column", "value", "told"),
    [
        ("positions", 5, "position_grch37", "", "no GRCh37 position"),
        ("positions", 5, "position_grch37", "999999999", "lies outside chr22 of GRCh37"),
        ("positions", 5, "ref_grch37", "TTT", "GRCh37's TTT is not one of"),
        ("positions", 5, "alts", "N", "not distinct base sequences"),
        ("positions", 5, "position", "1", "not ascending and unique"),
        ("definitions", 1, "alt", "T", "is not a definition position"),
        ("definitions", 1, "position", "", "2 alleles without variants"),
        ("definitions", 1, "allele", "*1/*2", "separates the alleles of a diplotype"),
    ],
)
def test_a_broken_table_is_told(tmp_path: Path, table: str, row: int, column: str, value: str, told: str) -> None:
    for name in ("positions", "definitions", "sub_alleles", "contig_lengths"):
        shutil.copy(TABLES / f"{name}.tsv", tmp_path)
    frame = read_table(tmp_path / f"{table}.tsv")
    frame.loc[row, column] = value
    frame.to_csv(tmp_path / f"{table}.tsv", sep="\t", index=False)
    assert any(told in line for line in gene_check.problems(tmp_path)), gene_check.problems(tmp_path)


def test_two_alleles_with_the_same_variants_are_told(tmp_path: Path) -> None:
    for name in ("positions", "definitions", "sub_alleles", "contig_lengths"):
        shutil.copy(TABLES / f"{name}.tsv", tmp_path)
    frame = read_table(tmp_path / "definitions.tsv")
    twin = frame[(frame["gene"] == "TPMT") & (frame["allele"] == "*3A")].assign(allele="*3Z")
    pd.concat([frame, twin]).to_csv(tmp_path / "definitions.tsv", sep="\t", index=False)
    assert gene_check.problems(tmp_path) == ["TPMT: *3Z and *3A have the same core variants"]


# --- GRCh37 ---------------------------------------------------------------------------------------------------------


def test_a_site_between_places_of_one_distance_is_moved_by_it() -> None:
    pairs = [(100, 7), (200, 7), (300, 9)]
    assert gene_builds.by_neighbours(150, pairs) == (157, "offset")
    assert gene_builds.by_neighbours(50, pairs) == (57, "offset")
    assert gene_builds.by_neighbours(400, pairs) == (409, "offset")
    assert gene_builds.by_neighbours(250, pairs) == (None, "neighbours disagree")
    assert gene_builds.by_neighbours(200, pairs) == (207, "offset")


def test_a_base_swapped_between_the_builds_is_found_and_an_unknown_one_refused() -> None:
    positions = pd.DataFrame(
        [("G", "chr1", 100, "rs1", "A", "G", "s"), ("G", "chr1", 150, "rs2", "C", "T", "s")],
        columns=["gene", "chrom", "position", "rsid", "ref", "alts", "source"],
    )
    variants = pd.DataFrame(
        [("1", "107", "100", "1-107-G-A", "1-100-A-G"), ("1", "207", "200", "1-207-C-T", "1-200-C-T")],
        columns=["Chromosome", "GRCh37Position", "GRCh38Position", "GRCh37Name", "GRCh38Name"],
    )
    exons = [f"{b}Exon{s}" for b in ("GRCh37", "GRCh38") for s in ("Starts", "Ends")]
    genes = pd.DataFrame(columns=["GRCh38Region", *exons])
    curated = pd.DataFrame({"gene": [], "position": [], "ref_grch37": []})
    out = gene_builds.add_grch37(positions, variants, genes, curated)
    assert out["position_grch37"].tolist() == [107, 157]
    assert out["ref_grch37"].tolist() == ["G", "C"]
    assert out["lift"].tolist() == [gene_builds.TABLE, "offset"]
    curated = pd.DataFrame({"gene": ["G"], "position": ["150"], "ref_grch37": ["A"]})
    with pytest.raises(ValueError, match="GRCh37 carries A, not one of C,T"):
        gene_builds.add_grch37(positions, variants, genes, curated)


# --- sub-alleles ----------------------------------------------------------------------------------------------------


def test_a_sub_allele_carries_every_core_variant_of_its_star() -> None:
    table = read_table(TABLES / "sub_alleles.tsv")
    assert table.groupby("gene")["sub_allele"].nunique().to_dict() == {"CYP2D6": 360, "SLCO1B1": 2}
    for (gene, sub, star), rows in table.groupby(["gene", "sub_allele", "core_allele"]):
        core = {(str(p), ref, alt) for _, ref, alt, p, _ in variants_of(gene, star)}
        carried = set(zip(rows["position"], rows["ref"], rows["alt"]))
        assert core <= carried, f"{gene} {sub} lacks {core - carried}"


def test_the_exon_9_conversion_is_what_tells_cyp2d6_4_013_from_4_001() -> None:
    table = read_table(TABLES / "sub_alleles.tsv")
    of = {s: set(table.loc[table["sub_allele"] == s, "position"].astype(int)) for s in ("*4.001", "*4.013")}
    assert {p for p in of["*4.013"] - of["*4.001"] if 42126619 <= p <= 42126667} and not of["*4.001"] - of["*4.013"]


def test_indels_shifted_right_and_blocks_take_the_writing_of_the_sites() -> None:
    sites = [
        SimpleNamespace(position=42128173, rsid="rs5030656", ref="CCTT", alts="C"),
        SimpleNamespace(position=42130727, rsid="", ref="AG", alts="A"),
        SimpleNamespace(position=42129770, rsid="rs28371706", ref="G", alts="A,T"),
    ]
    assert list(rewritten(42128175, "", "TTCT", "T", sites)) == [(42128173, "rs5030656", "CCTT", "C")]
    assert list(rewritten(42130728, "", "GG", "G", sites)) == [(42130727, "", "AG", "A")]
    block = [(42129770, "rs28371706", "G", "T"), (42129771, "", "T", "A")]
    assert list(rewritten(42129770, "", "GT", "TA", sites)) == block
    assert list(rewritten(42130728, "", "GC", "G", sites)) == [(42130728, "", "GC", "G")]  # another deletion
    assert not same_edit(10, "AC", "A", 14, "CT", "C")  # a gap between them: nothing is known


def test_positions_of_the_pharmvar_file_count_from_zero(tmp_path: Path) -> None:
    variant = {"id": "rs3892097", "position": 42128944, "reference": "C", "alternate": "T"}
    content = {
        "database_metadata": {"pharmvar_version": "9.9"},
        "cyp2d6_gene_def": {
            "a": {"star_allele": "4.001", "variants": [variant]},
            "b": {"star_allele": "1.001", "variants": []},
            "c": {"star_allele": "4", "variants": [variant]},
        },
    }
    path = tmp_path / "x.json.gz"
    path.write_bytes(gzip.compress(json.dumps(content).encode()))
    rows = pharmvar_rows(path, [])
    assert rows == [
        ("CYP2D6", "*1.001", "*1", None, "", None, None, "PharmVar 9.9"),
        ("CYP2D6", "*4.001", "*4", 42128945, "rs3892097", "C", "T", "PharmVar 9.9"),
    ]
    assert kept_rows(tmp_path / "absent.tsv") == []


# --- panel ----------------------------------------------------------------------------------------------------------


def test_a_man_has_one_x_a_woman_two() -> None:
    x, autosome = SimpleNamespace(chrom="chrX", gene="G6PD"), SimpleNamespace(chrom="chr1", gene="DPYD")
    alleles = np.array([[[1, 1], [0, 0]], [[0, 1], [1, 0]], [[1, UNKNOWN], [0, UNKNOWN]]], dtype=np.int8)
    sex = np.array(["male", "female", "male"], dtype=object)
    haplotypes, person = gene_panel.chromosomes(x, alleles, sex)  # type: ignore[arg-type]
    assert person.tolist() == [0, 1, 1, 2]
    assert haplotypes.tolist() == [[1, 0], [0, 1], [1, 0], [1, 0]]
    haplotypes, person = gene_panel.chromosomes(autosome, alleles, sex)  # type: ignore[arg-type]
    assert person.tolist() == [0, 0, 1, 1, 2, 2] and haplotypes.shape == (6, 2)
    with pytest.raises(ValueError, match="1 men with two alleles on X"):
        gene_panel.chromosomes(x, alleles, np.array(["male"] * 3, dtype=object))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="sex of every person"):
        gene_panel.chromosomes(x, alleles, np.array(["male", "female", None], dtype=object))  # type: ignore[arg-type]


def test_panel_counts_every_chromosome_of_the_2504_once() -> None:
    panel = pd.read_csv(TABLES / "panel_haplotypes.tsv", sep="\t")
    total = panel.groupby("gene")[list(gene_panel.POPULATIONS)].sum().sum(axis=1)
    assert set(total.index) == set(GENES)
    assert total["G6PD"] == 1233 + 2 * 1271  # men and women of the panel
    assert set(total.drop("G6PD")) == {2 * 2504}
    of_ancestry = panel[panel["gene"] == "CYP2C8"][list(gene_panel.POPULATIONS)].sum()
    assert of_ancestry.to_dict() == {"AFR": 1322, "AMR": 694, "EAS": 1008, "EUR": 1006, "SAS": 978}


def test_the_panel_list_serves_in_place_of_the_sample_sheet(tmp_path: Path) -> None:
    listed = tmp_path / "integrated_call_samples_v3.20130502.ALL.panel"
    listed.write_text("sample\tpop\tsuper_pop\tgender\t\t\nHG00096\tGBR\tEUR\tmale\nHG00097\tGBR\tEUR\tfemale\n")
    people = gene_panel.unrelated(tmp_path)
    assert people.to_dict("list") == {
        "sample": ["HG00096", "HG00097"], "super_pop": ["EUR", "EUR"], "sex": ["male", "female"],
    }  # fmt: skip


# --- release --------------------------------------------------------------------------------------------------------


def test_the_version_names_the_releases_and_follows_every_fact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = definition_version()
    assert here.startswith("CPIC ") and "PharmVar 6.1.3" in here and len(here.split("sha256:")[1]) == 12
    shutil.copytree(TABLES, tmp_path / "genes")
    monkeypatch.setattr(facts, "RESOURCES", tmp_path)
    definition_version.cache_clear()
    assert definition_version() == here
    changed = tmp_path / "genes" / "optional_variants.tsv"
    changed.write_text(changed.read_text().replace("CYP2D6", "CYP2D7", 1))
    definition_version.cache_clear()
    assert definition_version() != here
    definition_version.cache_clear()


def test_every_built_table_has_a_release_and_every_source_a_licence() -> None:
    release = read_table(TABLES / "release.tsv")
    assert set(DEFINITION_TABLES) <= set(release["table"])
    assert (release.drop(columns="date") != "").all().all() and release["inputs_sha256"].str.len().eq(64).all()
    sources = gene_update.read_sources(TABLES)
    assert (sources[["path", "release", "licence", "source", "tables"]] != "").all().all()
    by_tables = {t for row in sources["tables"] for t in row.split()}
    assert by_tables == set(release["table"])
    named = set().union(*(row.split(",") for row in sources["genes"] if row))
    assert named == set(GENES)


def test_packing_does_not_change_the_hash_of_a_source(tmp_path: Path) -> None:
    for name, level in (("a.json.gz", 1), ("b.json.gz", 9)):
        (tmp_path / name).write_bytes(gzip.compress(b"{}" * 500, level))
    assert (tmp_path / "a.json.gz").read_bytes() != (tmp_path / "b.json.gz").read_bytes()
    assert gene_release.content_hash(tmp_path / "a.json.gz") == gene_release.content_hash(tmp_path / "b.json.gz")


# --- fetching (loopback only) ---------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server on this machine that serves a folder: (address, folder)."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, directory=str(folder), **kwargs)

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{web.server_port}", folder
        web.shutdown()


def listed(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """A sources table of (path, genes, url)."""
    frame = pd.DataFrame(rows, columns=["path", "genes", "url"])
    return frame.assign(release="r", date="d", licence="l", source="s", tables="positions")


def test_sources_are_fetched_packed_and_kept(server: tuple[str, Path], tmp_path: Path) -> None:
    address, folder = server
    (folder / "TPMT.json").write_text('{"gene": "TPMT"}')
    (folder / "plain.tsv").write_text("a\tb\n")
    sources = listed(
        ("defs/{gene}.json.gz", "TPMT", address + "/{gene}.json"),
        ("plain.tsv", "", f"{address}/plain.tsv"),
        ("by_hand.tsv", "", ""),
    )
    out = tmp_path / "out"
    assert gene_sources.fetch_sources(out, sources) == ["by_hand.tsv"]
    assert gzip.decompress((out / "defs/TPMT.json.gz").read_bytes()) == b'{"gene": "TPMT"}'
    assert (out / "plain.tsv").read_text() == "a\tb\n"
    (folder / "plain.tsv").write_text("newer\n")
    gene_sources.fetch_sources(out, sources)  # what is there is not fetched again
    assert (out / "plain.tsv").read_text() == "a\tb\n"


def test_an_address_that_moved_and_a_machine_without_a_way_are_told(server: tuple[str, Path], tmp_path: Path) -> None:
    address, _ = server
    with pytest.raises(gene_sources.FetchError, match=r"404 .*correct its line in resources/genes/sources.tsv"):
        gene_sources.fetch_sources(tmp_path, listed(("x.tsv", "", f"{address}/absent")))
    with pytest.raises(gene_sources.FetchError, match=r"make update-genes SOURCE="):
        gene_sources.fetch("http://127.0.0.1:1/x")
    with pytest.raises(gene_sources.FetchError, match="only http and https"):
        gene_sources.fetch("file:///etc/hostname")
    assert not (tmp_path / "x.tsv").exists()


def test_a_file_of_a_package_is_taken_out_of_what_pip_brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def brought(command: list[str], **_: Any) -> SimpleNamespace:
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "pypgx-1.whl", "w") as wheel:
            wheel.writestr("pypgx/api/data/allele-table.csv", "Gene\n")
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(gene_sources.subprocess, "run", brought)
    sources = listed(("t.csv.gz", "", "pip:pypgx==1:pypgx/api/data/allele-table.csv"))
    assert gene_sources.fetch_sources(tmp_path, sources) == []
    assert gzip.decompress((tmp_path / "t.csv.gz").read_bytes()) == b"Gene\n"
    with pytest.raises(gene_sources.FetchError, match=r"holds no absent\.csv"):
        gene_sources.fetch_sources(tmp_path, listed(("u.csv", "", "pip:pypgx==1:absent.csv")))
    monkeypatch.setattr(
        gene_sources.subprocess, "run", lambda *a, **k: SimpleNamespace(returncode=1, stderr="no network")
    )
    with pytest.raises(gene_sources.FetchError, match=r"pip cannot fetch pypgx==1 \(no network\)"):
        gene_sources.package_files("pypgx==1")


# --- rebuilding -----------------------------------------------------------------------------------------------------


@pytest.fixture
def made_up(tmp_path: Path) -> tuple[Path, Path]:
    """(sources, tables): every gene with two SNVs, alleles R (reference), A and B, on a chromosome of its own."""
    data, out = tmp_path / "data", tmp_path / "genes"
    (data / "defs/pharmcat_alleles").mkdir(parents=True)
    (data / "defs/pypgx").mkdir()
    out.mkdir()
    alleles, variants, defaults = [], [], []
    for n, gene in enumerate(GENES, start=1):
        sites = [(1000, "A", "G"), (2000, "C", "T")]
        names = [f"{n}-{p}-{ref}-{alt}" for p, ref, alt in sites]
        lifted = [f"{n}-{p + 10}-{ref}-{alt}" for p, ref, alt in sites]
        alleles += [(gene, "R", "N/A"), (gene, "A", names[0]), (gene, "B", ",".join(names))]
        variants += [(gene, old, new, f"rs{n}", n, p + 10, p) for old, new, (p, *_) in zip(lifted, names, sites)]
        defaults.append((gene, "R", f"{n}:1-3000", "", "", "", ""))
        write_pharmcat(data, gene, n, sites, {"R": ["A", "C"], "A": ["G", None], "B": ["G", "T"]})
    for name, rows, columns in (
        ("allele", alleles, ["Gene", "StarAllele", "GRCh38Core"]),
        ("variant", variants, ["Gene", "GRCh37Name", "GRCh38Name", "rsID", "Chromosome", "GRCh37Position",
                               "GRCh38Position"]),
        ("gene", defaults, ["Gene", "GRCh38Default", "GRCh38Region", "GRCh37ExonStarts", "GRCh37ExonEnds",
                            "GRCh38ExonStarts", "GRCh38ExonEnds"]),
    ):  # fmt: skip
        pd.DataFrame(rows, columns=columns).to_csv(data / f"defs/pypgx/{name}-table.csv.gz", index=False)
    shutil.copy(TABLES / "contig_lengths.tsv", out)
    (out / "curated_sites.tsv").write_text("gene\tposition\trsid\tref\tref_grch37\tmore_alts\tsource\n")
    sources = gene_update.read_sources(TABLES)
    sources = sources[~sources["tables"].str.contains("panel|frequencies")]
    sources.loc[sources["path"].str.contains("pharmvar"), "tables"] = "sub_alleles"
    sources.to_csv(out / "sources.tsv", sep="\t", index=False)
    release = read_table(TABLES / "release.tsv")
    release.to_csv(out / "release.tsv", sep="\t", index=False)
    return data, out


def write_pharmcat(data: Path, gene: str, chrom: int, sites: list[tuple[int, str, str]], alleles: dict) -> None:
    """One made-up translation file in the form that PharmCAT writes."""
    variants = [
        {"position": p, "rsid": f"rs{chrom}", "ref": ref, "alts": [alt], "cpicToVcfAlleleMap": {ref: ref, alt: alt}}
        for p, ref, alt in sites
    ]
    named = [{"name": n, "reference": n == "R", "cpicAlleles": entries} for n, entries in alleles.items()]
    content = {"version": "2030-01-02-03-04", "chromosome": f"chr{chrom}", "variants": variants,
               "namedAlleles": named, "suballelesMap": {}, "hiddenCoreAlleles": []}  # fmt: skip
    path = data / f"defs/pharmcat_alleles/{gene}_translation.json.gz"
    path.write_bytes(gzip.compress(json.dumps(content).encode(), mtime=0))


def test_a_rebuild_tells_what_changed_and_a_second_one_writes_nothing(made_up: tuple[Path, Path]) -> None:
    data, out = made_up
    said = gene_update.update(data, out, panel=False)
    assert "TPMT: alleles added 3 (R, A, B)" in said and "written: definitions.tsv" in said
    assert any(line.startswith("functions.tsv and phenotypes.tsv kept") for line in said)
    release = read_table(out / "release.tsv").set_index("table")
    assert release.loc["optional_variants", "release"] == "CPIC 2030-01-02-03-04"
    assert release.loc["optional_variants", "date"] == "2030-01-02"
    said = gene_update.update(data, out, panel=False)
    assert "alleles and positions: no difference" in said and not [s for s in said if s.startswith("written")]
    n = GENES.index("TPMT") + 1
    sites = [(1000, "A", "G"), (2000, "C", "T")]
    write_pharmcat(data, "TPMT", n, sites, {"R": ["A", "C"], "B": [None, "T"], "D": ["G", "Y"]})
    said = gene_update.update(data, out, panel=False)
    assert "TPMT: alleles added 1 (D); removed 1 (A); changed 1 (B)" in said
    optional = read_table(out / "optional_variants.tsv")
    assert optional[["allele", "position", "alt"]].to_numpy().tolist() == [["D", "2000", "T"]]


def test_definitions_that_fail_their_checks_replace_nothing(made_up: tuple[Path, Path]) -> None:
    data, out = made_up
    gene_update.update(data, out, panel=False)
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    n = GENES.index("NAT2") + 1
    write_pharmcat(data, "NAT2", n, [(1000, "A", "G")], {"R": ["A"], "A": ["G"], "B": ["G"]})
    with pytest.raises(gene_update.UpdateError, match="NAT2: B and A have the same core variants"):
        gene_update.update(data, out, panel=False)
    (data / "defs/pharmcat_alleles/DPYD_translation.json.gz").unlink()
    with pytest.raises(FileNotFoundError, match="DPYD"):
        gene_update.update(data, out, panel=False)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert gene_definition("NAT2").alleles != ("R", "A", "B")  # the facts in use are the shipped ones again
