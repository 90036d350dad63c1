"""How far the limits of an interval lie from those of 1,000 draws, for twins of a finished study drawn at random.

    make population N=1000
    python tests/bench/bench_limits.py .cache/population_1000/config.yaml [--twins 200] [--reference 1000] [--out FILE]

For every drug and metric the median over the twins of |limit / limit of the reference - 1|, for the quantiles of the
study's number of draws, for the emulator that the study fitted, and for a second reference: what two sets of 1,000
draws differ by, a floor below which nothing can be seen. References and study have master seeds of their own, so that
no draw is shared. Prints the table of docs/exposures.md; ``--out`` writes the figures as TSV.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.core.seeds import generator
from pharmtwin.exposures.emulator import Emulator, from_frame
from pharmtwin.exposures.people import People, people_of
from pharmtwin.exposures.stage import exposures_of
from pharmtwin.files import write_text
from pharmtwin.intake.config import load_config
from pharmtwin.tables import read_table, read_tables
from pharmtwin.tables.spreadsheet import tsv
from pharmtwin.workflow.plan import all_ancestry

LIMITS = ("lo90", "median", "hi90")
SEEDS = {"reference": "first reference", "floor": "second reference"}


def study(path: Path, twins: int) -> tuple[dict[str, Any], People, pd.DataFrame, dict[str, Emulator]]:
    """Configuration, some twins drawn at random, their genotypes, and the emulators of a finished study."""
    config, _, findings = load_config([str(path)])
    if config is None:
        raise SystemExit("\n".join(f.what for f in findings))
    folder = Path("results") / config["study"]
    tables = {name: read_tables(name, sorted(folder.glob(f"twins/b*/{name}.parquet")))
              for name in ("body", "body_draws", "priors", "genotype")}  # fmt: skip
    ids = sorted(set(tables["body"]["twin_id"].astype(str)))
    rng = generator(int(config["master_seed"]), "bench", "limits")
    some = {ids[k] for k in rng.choice(len(ids), size=min(twins, len(ids)), replace=False)}
    own = {name: t[t["twin_id"].isin(some)].reset_index(drop=True) for name, t in tables.items()}
    people = people_of(own["body"], own["body_draws"], own["priors"], all_ancestry(config))
    weights = read_table("emulator_weights", folder / "exposures/emulator_weights.parquet")
    emulators = {str(r): from_frame(mine) for r, mine in weights.groupby("regimen")}
    return config, people, own["genotype"], emulators


def limits_by(
    config: Mapping[str, Any], people: People, genotype: pd.DataFrame, emulators: Mapping[str, Emulator], reference: int
) -> dict[str, pd.DataFrame]:
    """Table ``exposures`` by what made the limits."""
    log = logging.getLogger("bench")

    def run(changed: Mapping[str, Any], found: Mapping[str, Emulator] | None, name: str) -> pd.DataFrame:
        start = time.process_time()
        table, _ = exposures_of(people, genotype, changed, f"bench/{name}", log, found)
        print(f"{name}: {time.process_time() - start:.1f} CPU s")
        return table

    out = {"draws": run(config, None, "draws"), "emulator": run(config, emulators, "emulator")}
    for name, words in SEEDS.items():
        seed = int(generator(int(config["master_seed"]), "bench", words).integers(2**62))
        many = {**config, "master_seed": seed, "exposures": {**config["exposures"], "draws": reference}}
        many["pbpk"] = {**config["pbpk"], "crosscheck_fraction": 0.0}
        out[name] = run(many, None, name)
    return out


def errors(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Median over the twins of the relative error of each limit, a row by drug, metric and method."""
    key = ["drug", "metric", "twin_id"]
    truth = tables["reference"].set_index(key)[list(LIMITS)]
    rows = []
    for name in ("draws", "emulator", "floor"):
        own = tables[name].set_index(key)
        off = (own[list(LIMITS)] / truth - 1.0).abs().groupby(["drug", "metric"], sort=False).median()
        share = (own["method"] == "emulator").groupby(["drug", "metric"], sort=False).mean()
        rows.append(off.assign(method=name, emulated=share).reset_index())
    return pd.concat(rows, ignore_index=True)[["drug", "metric", "method", *LIMITS, "emulated"]]


def page(found: pd.DataFrame, metrics: Sequence[str] = ("AUCtau", "Cmax")) -> str:
    """The table of docs/exposures.md: lower, middle, upper, in per cent."""
    lines = ["| drug | metric | draws alone | emulator | floor |", "|---|---|---|---|---|"]
    for (drug, metric), mine in found[found["metric"].isin(metrics)].groupby(["drug", "metric"], sort=False):
        cells = [
            ", ".join(f"{100 * row[limit]:.1f}" for limit in LIMITS) + " %"
            for _, row in mine.set_index("method").loc[["draws", "emulator", "floor"]].iterrows()
        ]
        lines.append(f"| {drug} | {metric} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Read the study, draw, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--twins", type=int, default=200)
    parser.add_argument("--reference", type=int, default=1000, help="draws of a reference")
    parser.add_argument("--out", type=Path, help="the figures as TSV")
    args = parser.parse_args()
    config, people, genotype, emulators = study(args.config, args.twins)
    print(f"{people.n} twins, {config['exposures']['draws']} draws, references of {args.reference} draws")
    tables = limits_by(config, people, genotype, emulators, args.reference)
    found = errors(tables)
    print(page(found))
    print(found.assign(**{x: found[x].round(4) for x in (*LIMITS, "emulated")}).to_string(index=False))
    counted = tables["emulator"].groupby(["drug", "metric", "method"], sort=False).size()
    print(counted.to_string())
    misfit = tables["emulator"].groupby(["drug", "metric"], sort=False)["misfit"].quantile(np.array([0.5, 0.95, 1.0]))
    print(misfit.unstack().round(3).to_string())
    if args.out:
        write_text(args.out, tsv(found))


if __name__ == "__main__":
    main()
