"""The study verifies itself: states over a regimen, mass balance, tolerance ladder, closed forms, sums of bodies."""

from pathlib import Path

import pandas as pd

from pharmtwin.body.checks import completed
from pharmtwin.body.physiology import reference_twins
from pharmtwin.core.exposure import scenarios_of
from pharmtwin.pbpk.explain import explained_scenario
from pharmtwin.pbpk.verification.stage import TABLES, verify
from pharmtwin.tables import write_table
from pharmtwin.workflow.given import study
from pharmtwin.workflow.job import start

log = start(snakemake)
config = snakemake.config
given = study(config)
sheet = pd.concat([completed(given.twins), reference_twins()], ignore_index=True)[["twin_id", "sex", "weight_kg"]]
scenario = explained_scenario(config, scenarios_of(given.scenarios))
tables = verify(snakemake.input, config, scenario, sheet, log)
for name, path in zip(TABLES, snakemake.output, strict=True):
    write_table(name, tables[name], Path(path))
