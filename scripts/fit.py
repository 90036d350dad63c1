"""Population fit by NUTS on the twins with samples."""

from pathlib import Path

from pharmtwin.body.checks import completed
from pharmtwin.body.physiology import physiology
from pharmtwin.core.assembly import assemble
from pharmtwin.core.drug import load_drug
from pharmtwin.genome.select import diplotype_shares
from pharmtwin.genome.stage import genotype_of, outside_of
from pharmtwin.inference.netcdf import save_posterior
from pharmtwin.inference.stage import fit_study
from pharmtwin.tables import write_table
from pharmtwin.workflow.given import genome_frames, study
from pharmtwin.workflow.job import start
from pharmtwin.workflow.plan import make_plan

log, config, plan = start(snakemake), snakemake.config, make_plan(snakemake.config)
given, drug = study(config), load_drug(config["drug"])
twins = given.twins[given.twins.twin_id.isin(plan.sampled)].reset_index(drop=True)
sheet = given.structure_calls[given.structure_calls.twin_id.isin(plan.sampled)].reset_index(drop=True)
outside, _, _ = outside_of(sheet, list(snakemake.input.outside), twins)
frames = genome_frames(list(snakemake.input.calls), plan.vcf_of)
genotype, _, activity, _ = genotype_of(frames, twins, outside, config["genome"], config["paths"]["structure_calls"])
shares = diplotype_shares(genotype, ancestry=dict(zip(twins.twin_id, twins.ancestry, strict=True)))
base = assemble(drug, physiology(completed(twins)))
tables, posterior = fit_study(
    drug, base, given.events, activity, shares, config["fit"], config["master_seed"], snakemake.threads, log
)
for name, frame, path in (
    ("fit_summary", tables.summary, snakemake.output.summary),
    ("fit_diagnostics", tables.diagnostics, snakemake.output.diagnostics),
    ("fit_twins", tables.twins, snakemake.output.individual),
    ("fit_genotype", tables.genotype, snakemake.output.genotype),
    ("fit_diplotypes", tables.diplotypes, snakemake.output.diplotypes),
    ("population_draws", tables.population_draws, snakemake.output.population),
    ("twin_draws", tables.twin_draws, snakemake.output.twins),
):
    write_table(name, frame, Path(path))
save_posterior(posterior, Path(snakemake.output.posterior))
