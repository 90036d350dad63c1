"""``pharmtwin fit DRUG ... --data DIR``: estimate what the plan names for a drug, print it, and write it if asked."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pharmtwin.drugs.schema import Drug
from pharmtwin.drugs.values import write_values
from pharmtwin.qualification.fitting.exposures import ObservedExposure, entries, read_exposures, read_own_profiles
from pharmtwin.qualification.fitting.fit import Fit, FitError, fit, lines, to_write
from pharmtwin.qualification.plan import PLAN, Entry, PlanError, read_plan
from pharmtwin.qualification.reading.columns import TableError
from pharmtwin.qualification.reading.tables import read_studies
from pharmtwin.qualification.simulation.questions import World
from pharmtwin.qualification.simulation.world import FOLDER, open_world
from pharmtwin.qualification.study import Profile, Ratio, Studies


def compounds_of(entry: Entry, library: Mapping[str, Drug]) -> list[str]:
    """Names of all compounds of an entry's files; raises KeyError for a file that is not there."""
    missing = [f for f in entry.files if f not in library]
    if missing:
        raise KeyError(f"{entry.name}: no drug file {', '.join(missing)}")
    return [c.name for f in entry.files for c in library[f].compounds]


def building_set(
    entry: Entry,
    studies: Studies,
    exposures: Sequence[ObservedExposure],
    own: Sequence[tuple[Profile, str]],
    library: Mapping[str, Drug],
) -> tuple[list[Profile], list[ObservedExposure], list[Ratio]]:
    """What an entry is fitted on: profiles of the reference tables and of our own, exposures, interaction studies.

    Raises KeyError for a ratio that the tables do not have, or that cannot be simulated.
    """
    compounds = set(compounds_of(entry, library))
    profiles = [p for p in studies.profiles if entry.uses(p, compounds)]
    for p, role in own:
        chosen = p.study in entry.own_profiles or p.id in entry.profiles
        if set(p.compounds) <= compounds and (chosen or (entry.all_own_profiles and role == "building")):
            profiles.append(p)
    mine = [e for e in exposures if set(e.compounds) <= compounds]
    ratios = [r for r in studies.ratios if r.id in entry.ratios]
    absent = sorted(set(entry.ratios) - {r.id for r in ratios})
    if absent:
        raise KeyError(f"{entry.name}: no ratio {', '.join(absent)} that can be simulated")
    exposures = [e for e in mine if e.study in entry.exposures or (entry.all_exposures and e.role == "building")]
    return profiles, exposures, ratios


def fit_entry(entry: Entry, world: World, studies: Studies, threads: int = 1) -> Fit:
    """Fit one entry of the plan; raises as :func:`fitting.fit.fit`."""
    exposures, _ = read_exposures(world.library)
    own, _ = read_own_profiles(world.library)
    profiles, chosen, ratios = building_set(entry, studies, exposures, own, world.library)
    return fit(entry, world, profiles, chosen, ratios, threads=threads)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 1 if a drug could not be fitted."""
    parser = argparse.ArgumentParser(prog="pharmtwin fit", description=__doc__)
    parser.add_argument("drugs", nargs="+", help="entries of the plan")
    parser.add_argument("--data", type=Path, required=True, help="folder of the reference tables")
    parser.add_argument("--plan", type=Path, default=PLAN)
    parser.add_argument("--library", type=Path, default=FOLDER, help="folder of the drug files")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write value, cv and start into the drug files")
    args = parser.parse_args(argv)
    try:
        plan = read_plan(args.plan)
        world, wrong = open_world(plan, args.library)
        studies = read_studies(args.data, entries(world.library))
    except (OSError, PlanError, TableError) as error:
        print(f"fit: {error}", file=sys.stderr)
        return 1
    for line in wrong:
        print(line, file=sys.stderr)
    failed = False
    for name in args.drugs:
        if name not in plan.entries:
            print(f"{name}: no entry in {args.plan}; there are {', '.join(plan.entries) or 'none'}", file=sys.stderr)
            failed = True
            continue
        begin = time.perf_counter()
        try:
            found = fit_entry(plan.entries[name], world, studies, args.threads)
        except (FitError, KeyError) as error:
            print(f"{name}: {error.args[0]}", file=sys.stderr)
            failed = True
            continue
        print(f"{name} ({time.perf_counter() - begin:.1f} s)")
        print("\n".join(lines(found)))
        for file, values in to_write(found).items() if args.write else ():
            path = args.library / f"{file}.yaml"
            path.write_text(write_values(path.read_text(encoding="utf-8"), values), encoding="utf-8")
            print(f"  written: {path}")
    return int(failed)
