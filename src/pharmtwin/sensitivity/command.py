"""``pharmtwin sensitivity``: the analysis of a population model, or of drugs of the library, without a study."""

from __future__ import annotations

import argparse
import logging
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pharmtwin.engine.crosscheck import EnginesDisagree
from pharmtwin.files import write_text
from pharmtwin.findings import has_errors
from pharmtwin.sensitivity.run import run
from pharmtwin.sensitivity.shards import ForeignShard
from pharmtwin.sensitivity.spec import SpecError, read_spec
from pharmtwin.tables import records
from pharmtwin.uncertainty.inputs import DUMMY

SHOWN = 10


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="pharmtwin sensitivity", description=__doc__)
    top.add_argument("spec", help="YAML file: whom, doses, outputs, sizes (docs/sensitivity.md)")
    top.add_argument("--out", required=True, metavar="FOLDER", help="tables, words, and the shards a resumed run needs")
    top.add_argument("--shards", type=int, default=8, help="files a step is cut into (default 8): what a kill can lose")
    top.add_argument("--workers", type=int, default=1, help="processes (default 1); results do not depend on it")
    return top


def main(argv: Sequence[str]) -> int:
    """Analyse, write tables, print what they say; 1 if the input is wrong or the analysis impossible."""
    arguments = parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if arguments.shards < 1 or arguments.workers < 1:
        print("sensitivity: shards and workers are at least 1", file=sys.stderr)
        return 1
    try:
        read_spec(arguments.spec)
        begin = time.perf_counter()
        found = run(
            (read_spec, arguments.spec), Path(arguments.out), shards=arguments.shards, workers=arguments.workers
        )
    except SpecError as error:
        print(error, file=sys.stderr)
        return 1 if has_errors(error.findings) else 0
    except (FileNotFoundError, ForeignShard, RuntimeError, EnginesDisagree) as error:
        print(f"sensitivity: {error}", file=sys.stderr)
        return 1
    words = text(found)
    write_text(Path(arguments.out) / "sensitivity.txt", words)
    print(words, end="")
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(u.ru_utime + u.ru_stime for u in used)
    most = max(u.ru_maxrss for u in used) / 1024
    print(f"\n{time.perf_counter() - begin:.1f} s, {cpu:.1f} CPU s, {most:.0f} MB at most")
    return 0


def text(found: dict[str, pd.DataFrame]) -> str:
    """The largest indices of every output, and the advice."""
    lines, sobol = [], found["sobol"]
    inputs = found["sensitivity_inputs"]
    units = inputs.loc[inputs["fate"] != DUMMY, "varied_as"].nunique()
    survivors = inputs.loc[inputs["fate"] == "analysed", "varied_as"].nunique()
    lines.append(f"{(inputs['fate'] != DUMMY).sum()} uncertain inputs, varied as {units}; {survivors} go on to Sobol.")
    for output, part in sobol.groupby("output", sort=False):
        first = part.iloc[0]
        of = f"ln {output}" if first["scale"] == "ln" else str(output)
        lines += ["", f"{of}: N = {first['n_base']}, {first['n_runs']} runs, 95 % intervals in brackets",
                  f"  {'input':44s} {'S1':>24s} {'ST':>24s}"]  # fmt: skip
        for r in records(part.sort_values(["ST", "input"], ascending=[False, True]).head(SHOWN)):
            one = f"{r.S1:.3f} [{r.S1_lo:.3f}, {r.S1_hi:.3f}]"
            whole = f"{r.ST:.3f} [{r.ST_lo:.3f}, {r.ST_hi:.3f}]"
            lines.append(f"  {r.input:44s} {one:>24s} {whole:>24s}")
    lines.append("")
    lines += [f"{r.topic}: {r.text}" for r in records(found["sensitivity_advice"])]
    return "\n".join(lines) + "\n"
