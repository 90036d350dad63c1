"""Genotype, physiology and priors of one bucket of twins."""

from pathlib import Path

import pandas as pd

from pharmtwin.body.physiology import body_priors, physiology, physiology_findings
from pharmtwin.genome.stage import genotype_of, site_findings
from pharmtwin.intake.check import write_findings
from pharmtwin.tables import write_table
from pharmtwin.workflow.job import genome_frames, in_bucket, start, study
from pharmtwin.workflow.plan import make_plan

log = start(snakemake)
config, bucket = snakemake.config, snakemake.wildcards.bucket
given = study(config)
twins = in_bucket(given.twins, bucket, config["buckets"])
outside = in_bucket(given.structure_calls, bucket, config["buckets"])
frames = genome_frames(list(snakemake.input.calls), make_plan(config).vcf_of)
genotype, activity, findings = genotype_of(frames, twins, outside, config["genome"], config["paths"]["structure_calls"])
body = physiology(twins)
findings += physiology_findings(twins, config["paths"]["twins"]) + site_findings(
    frames, twins, config["paths"]["twins"]
)
log.info("%d twins, %d findings", len(twins), len(findings))
write_table("genotype", genotype, Path(snakemake.output.genotype))
write_table("body", body, Path(snakemake.output.body))
write_table("priors", pd.concat([activity, body_priors(body)], ignore_index=True), Path(snakemake.output.priors))
write_findings(findings, Path(snakemake.output.findings))
