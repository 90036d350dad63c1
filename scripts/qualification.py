"""One shard of the qualification's solves; or, from all shards, its tables, pictures and criteria."""

from contextlib import redirect_stdout
from pathlib import Path

from pharmtwin.qualification.command import set_up, write_all
from pharmtwin.qualification.simulation.questions import set_up as jobs_of
from pharmtwin.qualification.simulation.shards import from_files, solve_shard
from pharmtwin.workflow.job import start

log = start(snakemake)
option = snakemake.config["qualification"]
setup = set_up(Path(option["data"]), option["draws"])
if snakemake.rule == "qualification_shard":
    shard, shards = int(snakemake.wildcards.shard), int(snakemake.wildcards.shards)
    costs = solve_shard(jobs_of(setup.questions())[0], shard, shards, Path(snakemake.output[0]))
    log.info("%d structures, %d solves", len(costs), sum(c.n_solves for c in costs))
else:
    for line in setup.wrong:
        log.warning("drug file left out: %s", line)
    result = setup.run(solver=from_files([Path(p) for p in snakemake.input.shards]))
    report = Path(snakemake.output.report)
    with report.open("w", encoding="utf-8") as handle, redirect_stdout(handle):
        lines = write_all(setup, result, report.parent)
    compiling = sum(c.compile_s for c in result.costs)
    working = sum(c.parameters_s + c.solve_s for c in result.costs)
    print("\n".join(line.text() for line in lines))
    print(f"compiling {compiling:.0f} s, solving {working:.0f} s of work; everything in {report}")
