"""Exposures of all twins in one table: by regimen, metric and ancestry; and the sha256 of every part."""

from pathlib import Path

from pharmtwin.exposures.stage import summary_of
from pharmtwin.facts import sha256_file
from pharmtwin.files import write_text
from pharmtwin.tables import read_tables, write_table
from pharmtwin.workflow.job import start
from pharmtwin.workflow.plan import all_ancestry

log = start(snakemake)
given, out = snakemake.input, snakemake.output
table = read_tables("exposures", [Path(f) for f in given.exposures])
write_table("exposure_summary", summary_of(table, all_ancestry(snakemake.config)), Path(out.summary))
folder = Path(out.parts).parent
named = [f"{sha256_file(Path(f))}  {Path(f).relative_to(folder).as_posix()}" for f in sorted(given.exposures)]
write_text(Path(out.parts), "".join(f"{line}\n" for line in named))
log.info("%d twins, %d rows", table["twin_id"].nunique(), len(table))
