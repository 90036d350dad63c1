"""``pharmtwin qualify --data DIR --out DIR``: every published study predicted and judged; prints the criteria."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pharmtwin.files import write_text
from pharmtwin.qualification.fitting.exposures import entries
from pharmtwin.qualification.judging import figures
from pharmtwin.qualification.judging.criteria import Line, coverage, criteria
from pharmtwin.qualification.judging.gate import write_gate
from pharmtwin.qualification.judging.page import PAGE, WORDS, body, write_page
from pharmtwin.qualification.judging.score import by, by_drug, judged
from pharmtwin.qualification.plan import PLAN, Plan, PlanError, read_plan
from pharmtwin.qualification.reading.columns import TableError
from pharmtwin.qualification.reading.tables import read_studies
from pharmtwin.qualification.simulation.everything import Result, called, questions, run, select
from pharmtwin.qualification.simulation.own import Own, exposure_summary, own_tables
from pharmtwin.qualification.simulation.questions import Question, World
from pharmtwin.qualification.simulation.shards import Solver
from pharmtwin.qualification.simulation.world import FOLDER, open_world
from pharmtwin.qualification.study import Ratio, Studies
from pharmtwin.tables.spreadsheet import tsv

NETWORKS = "osp_ddi_pred_vs_obs.csv"
USE_CASES = ("profiles", "genotype", "CYP3A4-DDI", "CYP2D6-DDI", "interaction")
OWN = "own"  # our own collection of exposures and profiles
PICTURE = "predicted against observed"


@dataclass(frozen=True)
class Setup:
    """What is asked of which world. in_sample : genotype ratios with the activity map that has seen the drug.

    networks : as in ``criteria``; empty if studies were selected, as shares are of the whole table. wrong : drug files
    that cannot be read.
    """

    studies: Studies
    in_sample: tuple[Ratio, ...]
    world: World
    plan: Plan
    networks: dict[str, str]
    wrong: tuple[str, ...]
    draws: int

    def questions(self) -> list[Question]:
        """All of them."""
        return questions(self.studies, self.in_sample, self.world, self.plan, self.draws)

    def run(self, workers: int = 2, solver: Solver | None = None) -> Result:
        """Predict everything."""
        return run(
            self.studies, self.in_sample, self.world, self.plan, draws=self.draws, workers=workers, solver=solver
        )

    def criteria(self, result: Result) -> list[Line]:
        """The criteria with their figures."""
        return criteria(result, self.plan, self.networks)


def set_up(
    data: Path,
    draws: int = 30,
    drugs: Sequence[str] = (),
    use_cases: Sequence[str] = (),
    plan: Path = PLAN,
    library: Path = FOLDER,
) -> Setup:
    """Read the plan, the drug files and the reference tables. drugs, use_cases : only these (empty: all)."""
    what = read_plan(plan)
    world, wrong = open_world(what, library)
    known = entries(world.library)
    studies = select(read_studies(data, known), drugs, use_cases)
    seen = select(read_studies(data, known, in_sample=True), drugs, use_cases).ratios
    in_sample = tuple(r for r in seen if r.use_case == "genotype")
    networks = {} if drugs or use_cases else networks_of(data)
    return Setup(studies, in_sample, world, what, networks, tuple(wrong), draws)


def networks_of(folder: Path) -> dict[str, str]:
    """Network by id of every row of the interaction table; none without the table."""
    path = folder / NETWORKS
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as handle:
        return {row["data_id"]: row["network"] for row in csv.DictReader(handle)}


def panels(result: Result) -> dict[str, pd.DataFrame]:
    """Tables of the identity plots by title."""
    ratios = judged(result.ratios)
    out = {f"{WORDS[u]}: AUC": ratios[ratios["use_case"] == u] for u in USE_CASES[1:]} if len(ratios) else {}
    if len(result.profiles):
        for role in ("building", "verification"):
            out[f"Profiles, {role}: AUC"] = result.profiles[result.profiles["role"] == role].assign(
                victim=result.profiles["drug"]
            )
    return {title: table for title, table in out.items() if len(table) and (table["AUC_predicted"] > 0).any()}


def write_tables(result: Result, out: Path) -> None:
    """Tables and pictures into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    tables = {
        "profiles": result.profiles,
        "points": result.points,
        "profiles_by_drug": by_drug(result.profiles, result.points),
        "ratios": result.ratios,
        "ratios_by_use_case": by(result.ratios, ["use_case", "role"]),
        "ratios_by_pair": by(result.ratios, ["use_case", "victim", "others", "role"]),
        "ratios_cmax_by_use_case": by(result.ratios, ["use_case", "role"], "Cmax"),
        "coverage": pd.DataFrame(coverage(result)),
        "genotype_in_sample": result.in_sample,
        "left_out": pd.DataFrame(result.left_out),
        "cost": pd.DataFrame(result.costs),
    }
    for name, table in tables.items():
        write_text(out / f"{name}.tsv", tsv(table, float_format="%.5g"))
    write_text(out / "identity.svg", figures.identity(panels(result)))
    by_name: dict[str, list[figures.Pair]] = {}
    for pair, drug in zip(result.pairs, result.profiles["drug"] if len(result.profiles) else (), strict=True):
        by_name.setdefault(str(drug), []).append(pair)
    (out / "profiles").mkdir(exist_ok=True)
    for drug, pairs in by_name.items():
        write_text(out / "profiles" / f"{drug}.svg", figures.profiles(pairs, result.roles))


def write_all(setup: Setup, result: Result, out: Path, own: Sequence[str] | None = (), workers: int = 1) -> list[Line]:
    """Tables, pictures, the criteria (``criteria.tsv``), and ``qualification.md`` as on the page; prints all figures.

    own : drugs of our own collection of exposures and profiles that is predicted as well (empty: all, None: nothing).
    """
    write_tables(result, out)
    report(result)
    if own is not None:
        show_own(own_tables(setup.world, setup.plan, own, workers), out)
    lines = setup.criteria(result)
    print("\n".join(line.text() for line in lines))
    table = pd.DataFrame([{"criterion": x.what, "found": x.found, "asked": x.asked,
                           "met": {True: "yes", False: "no", None: ""}[x.met]} for x in lines])  # fmt: skip
    write_text(out / "criteria.tsv", tsv(table))
    text = body(result, setup.plan, setup.networks, {PICTURE: "identity.svg"})
    write_text(out / "qualification.md", f"# Qualification\n\n{text}\n")
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 1 if a criterion is not met and ``--gate`` is given."""
    parser = argparse.ArgumentParser(prog="pharmtwin qualify", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the reference tables")
    parser.add_argument("--out", type=Path, required=True, help="folder for tables and pictures")
    parser.add_argument("--drug", nargs="+", default=[], help="only studies with one of these drugs")
    parser.add_argument("--use-case", nargs="+", default=[], choices=(*USE_CASES, OWN))
    parser.add_argument("--draws", type=int, default=30, help="for intervals (0: none)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--plan", type=Path, default=PLAN)
    parser.add_argument("--library", type=Path, default=FOLDER, help="folder of the drug files")
    parser.add_argument("--page", type=Path, nargs="?", const=PAGE,
                        help="page whose marked part is written anew (default: docs/qualification.md)")  # fmt: skip
    parser.add_argument("--write-gate", action="store_true", help="write resources/qualification/gate.tsv anew")
    parser.add_argument("--gate", action="store_true", help="exit 1 if a criterion is not met")
    args = parser.parse_args(argv)
    if args.draws and args.draws < 10:
        parser.error("fewer than 10 draws give no interval")
    if args.write_gate and (args.drug or args.use_case):
        parser.error("the gate is of all studies")
    try:
        setup = set_up(args.data, args.draws, args.drug, args.use_case, args.plan, args.library)
    except (OSError, PlanError, TableError) as error:
        print(f"qualify: {error}", file=sys.stderr)
        return 1
    for line in setup.wrong:
        print(f"drug file left out: {line}", file=sys.stderr)
    if unknown := [d for d in args.drug if d not in called(setup.world.library)]:
        known = ", ".join(sorted(setup.world.library))
        print(f"qualify: no drug file {', '.join(unknown)}; there are {known}", file=sys.stderr)
        return 1
    result = setup.run(args.workers)
    own = args.drug if not args.use_case or OWN in args.use_case else None
    lines = write_all(setup, result, args.out, own, args.workers)
    if args.write_gate:
        write_gate(lines)
    if args.page:
        picture = args.page.with_suffix(".svg")
        write_text(picture, figures.identity(panels(result)))
        write_page(body(result, setup.plan, setup.networks, {PICTURE: picture.name}), args.page)
    return int(args.gate and any(line.met is False for line in lines))


def show_own(own: Own, out: Path) -> None:
    """Write and print what is predicted of our own collection."""
    write_text(out / "own_exposures.tsv", tsv(own.exposures, float_format="%.5g"))
    left = pd.DataFrame(own.left_out)
    write_text(out / "own_left_out.tsv", tsv(left))
    for title, table in (
        ("Own collection: exposures, predicted over observed", exposure_summary(own.exposures)),
        ("Own collection: profiles by drug", own.profiles_by_drug),
    ):
        text = table.to_string(index=False, float_format="{:.2f}".format) if len(table) else "(none)"
        print(f"\n{title}\n{text}")
    print(f"  {len(own.left_out)} rows of our own collection are not predicted (own_left_out.tsv)\n")


def report(result: Result) -> None:
    """Print tables, what is not simulated, and the cost."""
    with pd.option_context("display.width", 220, "display.max_columns", 30, "display.max_rows", 500):
        numbers = "{:.2f}".format
        for title, table in (
            ("Profiles by drug", by_drug(result.profiles, result.points)),
            ("Ratios of AUC by use case", by(result.ratios, ["use_case", "role"])),
            ("Ratios of Cmax by use case", by(result.ratios, ["use_case", "role"], "Cmax")),
            ("Ratios of AUC by pair", by(result.ratios, ["use_case", "victim", "others", "role"])[PAIR]
             if len(result.ratios) else pd.DataFrame()),
            ("Coverage of 90 % intervals", pd.DataFrame(coverage(result))),
        ):  # fmt: skip
            print(f"\n{title}\n{table.to_string(index=False, float_format=numbers) if len(table) else '(none)'}")
    reasons = pd.Series([x.reason for x in result.left_out], dtype=str).value_counts()
    print(f"\nNot simulated: {len(result.left_out)} rows (left_out.tsv)")
    for reason, n in reasons.items():
        print(f"  {n:4d}  {reason}")
    if result.failed_draws:
        print(f"\nDraws that failed and are left out of intervals: {sum(result.failed_draws.values())}")
        for reason, n in list(result.failed_draws.items())[:20]:
            print(f"  {n:4d}  {reason}")
    print(
        f"\n{len(result.costs)} structures, {sum(c.n_solves for c in result.costs)} solves, {result.draws} draws: "
        f"compiling {sum(c.compile_s for c in result.costs):.0f} s, parameters "
        f"{sum(c.parameters_s for c in result.costs):.0f} s, solving {sum(c.solve_s for c in result.costs):.0f} s of "
        f"work; {result.seconds:.0f} s in all\n"
    )


PAIR = ["use_case", "victim", "others", "role", "n", "GMFE", "AFE", "within_2", "Guest_1.25", "n_peer",
        "GMFE_same_rows", "GMFE_peer"]  # fmt: skip
