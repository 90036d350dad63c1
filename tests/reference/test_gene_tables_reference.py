"""The gene tables against the open files they come from, and against files that had no part in them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cyvcf2 import VCF

from pharmtwin import facts
from pharmtwin.curation.gene_files import read_table
from pharmtwin.curation.gene_update import update
from pharmtwin.genome.definitions import gene_definition

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "pgx"
TABLES = facts.RESOURCES / "genes"
pytestmark = [pytest.mark.reference, pytest.mark.skipif(not DATA.exists(), reason=f"no reference data at {DATA}")]


def test_a_rebuild_gives_the_committed_tables_byte_for_byte(tmp_path: Path) -> None:
    for path in TABLES.glob("*.tsv"):
        shutil.copy(path, tmp_path)
    said = update(DATA, tmp_path)
    print("\n".join(said))
    assert not [line for line in said if line.startswith("written")]
    assert all((tmp_path / p.name).read_bytes() == p.read_bytes() for p in TABLES.glob("*.tsv"))


def test_the_grch37_panel_has_our_grch37_bases_at_our_grch37_positions() -> None:
    """1000 Genomes phase 3 was called against GRCh37 itself and had no part in the lifting."""
    rows = read_table(TABLES / "positions.tsv")
    wanted = {int(r["position_grch37"]): r for _, r in rows[rows["gene"] == "DPYD"].iterrows()}
    checked = 0
    for record in VCF(str(DATA / "panel_1kgp_grch37" / "DPYD.vcf.gz")):
        row = wanted.get(record.POS)
        if row is None:
            continue
        ours = {row["ref"], *row["alts"].split(",")}
        assert record.REF[0] == row["ref_grch37"][0], row.to_dict()
        if len(record.REF) == 1 and all(len(a) == 1 for a in ours):
            assert ours & set(record.ALT), row.to_dict()
            checked += 1
    print(f"{checked} of {len(wanted)} DPYD sites are in the GRCh37 panel")
    assert checked >= 15


@pytest.mark.parametrize("gene", ["CYP2C8", "CYP1A2", "ABCB1"])
def test_refs_of_the_genes_outside_cpic_are_those_of_the_grch38_panel(gene: str) -> None:
    """Their definitions come from PyPGx; the panel was called against GRCh38 itself."""
    sites = {s.position: s for s in gene_definition(gene).sites}
    found = 0
    for record in VCF(str(DATA / "panel_1kgp_grch38" / f"{gene}.vcf.gz")):
        site = sites.get(record.POS)
        if site and len(record.REF) == len(site.ref):
            assert site.ref == record.REF, site
            found += record.ALT[0] in site.alts
    print(f"{gene}: {found} definition variants seen in the panel")
    assert found >= 4
