"""A population study: N synthetic people with genomes made of the panel's haplotypes, sheets, VCFs, a config.

Covariates: ``pharmtwin.body.people.cohort`` (adults of 18 to 80 years). Genomes: ``pharmtwin.synthetic.panel_genomes``.
Regimens: three drugs of the library, one week once daily. Everybody is invented. Equal arguments, equal files.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pysam

from pharmtwin.body.people.cohort import cohort
from pharmtwin.cohorts.sheet import sheet
from pharmtwin.files import write_text
from pharmtwin.synthetic.panel_genomes import panel_vcf
from pharmtwin.tables.spreadsheet import tsv

ANCESTRY = {"AFR": 0.2, "AMR": 0.15, "EAS": 0.15, "EUR": 0.35, "SAS": 0.15}
REGIMENS = """
    - {drug: paroxetine, dose_mg: 20, interval_h: 24, n_doses: 7, formulation: ""}
    - {drug: omeprazole_S, dose_mg: 20, interval_h: 24, n_doses: 7, formulation: ""}
    - {drug: rosuvastatin, dose_mg: 20, interval_h: 24, n_doses: 7, formulation: ""}"""
CONFIG = """# {n} synthetic people, genomes of the panel's haplotypes, by scripts/maintenance/make_population_study.py
#   snakemake exposures --configfile {folder}/config.yaml --cores 2
study: {name}
data_kind: synthetic
paths: {{twins: {folder}/twins.tsv, events: "", scenarios: config/studies/panel_1kgp/scenarios.tsv,
        structure_calls: "", vcf_dir: {folder}, published: ""}}
buckets: {buckets}
genome: {{genes: [{genes}], phased_vcf: false, exports: false}}
fit: {{enabled: false}}
sensitivity: {{enabled: false}}
report: {{twin_pages: none}}
exposures:
  draws: 20
  regimens:{regimens}
"""
GENES = ("CYP2D6", "CYP2C19", "CYP2C9", "SLCO1B1", "ABCG2")


def write_vcf(path: Path, text: str) -> None:
    """Compressed by blocks, with its index beside it."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        plain = Path(folder) / "plain.vcf"
        plain.write_text(text, encoding="utf-8")
        packed = Path(folder) / path.name
        pysam.tabix_compress(str(plain), str(packed), force=True)
        pysam.tabix_index(str(packed), preset="vcf", force=True)
        os.replace(f"{packed}.tbi", f"{path}.tbi")
        os.replace(packed, path)


def make(n: int, seed: int, out: Path, *, name: str, per_vcf: int, buckets: int) -> None:
    """Write sheets, VCFs and configuration into ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    twins = sheet(cohort(n, seed, ancestry=ANCESTRY, prefix="P"), seed)
    twins = twins.drop(columns="survey_weight")
    for first in range(0, n, per_vcf):
        rows = slice(first, min(first + per_vcf, n))
        people = twins.iloc[rows]
        file = f"genomes_{first // per_vcf:03d}.vcf.gz"
        samples = [f"G{t}" for t in people["twin_id"]]
        write_vcf(out / file, panel_vcf(people, samples, seed))
        twins.loc[twins.index[rows], "vcf"] = file
        twins.loc[twins.index[rows], "sample"] = samples
    write_text(out / "twins.tsv", tsv(twins))
    text = CONFIG.format(n=n, name=name, folder=out, buckets=buckets, genes=", ".join(GENES), regimens=REGIMENS)
    write_text(out / "config.yaml", text)
