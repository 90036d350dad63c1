"""Accuracy and coverage of every model on every data set, and the sentences that name the winner."""

from pathlib import Path

from pharmtwin.evaluation.accuracy import accuracy
from pharmtwin.evaluation.verdict import verdict
from pharmtwin.files import write_text
from pharmtwin.tables import read_table, read_tables, write_table
from pharmtwin.workflow.job import start

log = start(snakemake)
config = snakemake.config
predictions = read_tables("predictions", [Path(p) for p in snakemake.input.predictions])
published = read_table("published", Path(snakemake.input.published[0])) if snakemake.input.published else None
kind = "real" if config["data_kind"] == "real" else "synthetic"
table = accuracy(predictions, published, kind, config["master_seed"])
write_table("accuracy", table, Path(snakemake.output.accuracy))
write_text(Path(snakemake.output.verdict), verdict(table, kind) + "\n")
log.info("%d figures", len(table))
