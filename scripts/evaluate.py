"""How well every model predicts and for whom, the sentences that name the winner, and what was validated."""

from pathlib import Path

from pharmtwin.evaluation.evidence import Stages, validation
from pharmtwin.evaluation.people import people
from pharmtwin.evaluation.study import Given, accuracy_table, group_table, metric_table
from pharmtwin.evaluation.verdict import verdict
from pharmtwin.files import write_text
from pharmtwin.tables import read_tables, write_table
from pharmtwin.workflow.given import study
from pharmtwin.workflow.job import start

log = start(snakemake)
config, files, out = snakemake.config, snakemake.input, snakemake.output


def table(name: str, paths):
    return read_tables(name, [Path(p) for p in paths])


kind = "real" if config["data_kind"] == "real" else "synthetic"
who = people(study(config).twins, table("genotype", files.genotype), table("body", files.body))
given = Given(
    *(table(n, files[n]) for n in ("predictions", "predictive_scores", "exceedance", "published")), who, kind,
    config["master_seed"],
)  # fmt: skip
accuracy, groups = accuracy_table(given), group_table(given)
fit = {f"fit_{Path(p).stem}": table(f"fit_{Path(p).stem}", [p]) for p in files.fit}
shown = {n: fit[n] for n in ("fit_diagnostics", "fit_summary") if n in fit}
checks, sobol = table("solver_check", files.checks), table("sobol", files.sobol)
shown["verification"] = table("verification", [files.verification])
stages = Stages(checks, sobol=sobol, predictions=given.predictions, accuracy=accuracy, groups=groups, **shown)
write_table("accuracy", accuracy, Path(out.accuracy))
write_table("evaluation_metrics", metric_table(given), Path(out.metrics))
write_table("evaluation_groups", groups, Path(out.groups))
write_table("validation", validation(stages), Path(out.validation))
write_text(Path(out.verdict), verdict(accuracy, kind) + "\n")
log.info("%d figures", len(accuracy))
