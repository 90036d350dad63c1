"""What makes the exposure of a bucket's twins differ from the reference person's: Shapley values."""

from pathlib import Path

from pharmtwin.attribution.exposure import Solver
from pharmtwin.attribution.stage import Inputs, attribute
from pharmtwin.body.checks import completed, misfit
from pharmtwin.body.physiology import physiology, reference_twins
from pharmtwin.core.draws import Population
from pharmtwin.core.drug import load_drug
from pharmtwin.core.exposure import scenarios_of
from pharmtwin.tables import read_table, write_table
from pharmtwin.workflow.given import in_bucket, study
from pharmtwin.workflow.job import start
from pharmtwin.workflow.reference import reference_activity

log = start(snakemake)
config, files, option = snakemake.config, snakemake.input, snakemake.config["attributions"]
given, pbpk = study(config), config["pbpk"]
people = reference_twins().set_index("sex", drop=False)
scenarios = scenarios_of(given.scenarios)
draws = read_table("twin_draws", Path(files.twins))
twins = completed(in_bucket(given.twins, snakemake.wildcards.bucket, config["buckets"]))
inputs = Inputs(
    load_drug(str(config["drug"])), twins, people.loc[config["sensitivity"]["reference_sex"]],
    reference_activity(config), read_table("priors", Path(files.priors)),
    Population.from_frame(read_table("population_draws", Path(files.population))), draws, physiology, misfit,
    next(s for s in scenarios if option["scenario"] in ("", s.name)),
    Solver(pbpk["engine"], pbpk["rtol"], pbpk["crosscheck_fraction"], pbpk["crosscheck_rtol"], config["master_seed"]),
    option["max_exact_runs"], option["permutations"], option["draws"], option["draw_pairs"],
)  # fmt: skip
fitted = set(draws["twin_id"])
found = attribute(inputs, [t for t in twins["twin_id"] if option["twins"] == "all" or t in fitted])
write_table("attributions", found["attributions"], Path(snakemake.output.attributions))
write_table("solver_check", found["solver_check"], Path(snakemake.output.checks))
log.info("%d twins, %d rows", found["attributions"]["twin_id"].nunique(), len(found["attributions"]))
