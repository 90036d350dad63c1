"""Population drawn from the drug file's priors: no concentrations in this study."""

from pathlib import Path

import pandas as pd

from pharmtwin.core.drug import load_drug
from pharmtwin.core.priors import drug_file_population
from pharmtwin.tables import schema, write_table
from pharmtwin.workflow.job import start

start(snakemake)
population = drug_file_population(load_drug(snakemake.config["drug"]), snakemake.config["master_seed"])
write_table("population_draws", population.to_frame(), Path(snakemake.output.population))
nobody = pd.DataFrame({c: [] for c in schema("twin_draws").names})
write_table("twin_draws", nobody, Path(snakemake.output.twins))
