"""``pharmtwin map``: conditional modes (MAP) of a model and data, or of a folder of models beside NONMEM's answers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pharmtwin.files import write_text
from pharmtwin.inference.estimation.uncertainty import shrinkage
from pharmtwin.inference.models.description import PopulationModelError
from pharmtwin.inference.nonmem import compare as beside
from pharmtwin.inference.nonmem import study
from pharmtwin.inference.nonmem.compare import Comparison, lower_than_nonmem, summary
from pharmtwin.inference.nonmem.estimates import Found, find, individual_parameters
from pharmtwin.inference.problem.case import Case, read_case
from pharmtwin.inference.problem.records import DataError
from pharmtwin.model.description import ModelError
from pharmtwin.tables.spreadsheet import tsv


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 1 where something failed, could not be read, disagrees with the index, or NONMEM is better."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.data:
            if arguments.files:
                raise ValueError("give a model and its data, or --data DIR, not both")
            return compare_folder(
                Path(arguments.data), arguments.model, arguments.out, Path(arguments.models), arguments.rtol
            )
        if len(arguments.files) != 2:
            raise ValueError("give a model (.yaml) and its data (.csv), or --data DIR")
        return estimate(arguments.files[0], arguments.files[1], arguments.out, arguments.rtol)
    except DataError as error:
        print(error, file=sys.stderr)
    except (PopulationModelError, ModelError, ValueError, OSError, pd.errors.ParserError) as error:
        print(f"map: {error}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pharmtwin map", description="Conditional modes (MAP) of random effects.")
    parser.add_argument("files", nargs="*", metavar="FILE", help="population model (.yaml) and its data (.csv)")
    parser.add_argument("--data", metavar="DIR", help="folder of models beside NONMEM: index.json, runNNN.data.csv ...")
    parser.add_argument("--model", nargs="+", default=[], metavar="NNN", help="with --data: these models only")
    parser.add_argument("--models", default=str(study.MODELS), metavar="DIR", help="with --data: our model files")
    parser.add_argument("--rtol", type=float, default=1e-8, help="relative tolerance of the solver (default 1e-8)")
    parser.add_argument("--out", metavar="DIR", help="folder for the tables (.tsv)")
    return parser


# --- one model -------------------------------------------------------------------------------------------------------


def estimate(model: str, data: str, out: str | None, rtol: float) -> int:
    """Modes of a user's model and data: printed, and written with individual parameters and predictions."""
    case = read_case(model, data)
    found = find(case, rtol)
    failed = study.failures(case, found, found.best)
    tables = own_tables(case, found)
    for finding in case.findings:
        print(finding.message(), file=sys.stderr)
    print(tables["etas"].to_string(index=False, float_format=lambda v: f"{v:.6g}"))
    print(tables["parameters"].to_string(index=False, float_format=lambda v: f"{v:.5g}"))
    print(tables["shrinkage"].to_string(index=False, float_format=lambda v: f"{v:.3g}", na_rep="-"))
    for name in tables["etas"].loc[
        tables["etas"]["from_0"] > tables["etas"]["objective"] + beside.OBJECTIVE, "subject"
    ]:
        print(f"note: subject {name} has several modes; a search from eta = 0 ends in a lesser one", file=sys.stderr)
    for subject, why in failed.items():
        print(f"FAILED: subject {subject}: {why}", file=sys.stderr)
    if out:
        _write(Path(out), tables)
    return 1 if failed else 0


def own_tables(case: Case, found: Found) -> dict[str, pd.DataFrame]:
    """etas (with objective, that of the mode nearest to 0, and whether the search converged), parameters,
    predictions, shrinkage: all at the best mode."""
    problem, best = found.problem, found.best
    etas = pd.DataFrame(best.eta, columns=[r.name for r in problem.model.random])
    etas.insert(0, "subject", list(problem.subjects))
    etas["objective"], etas["from_0"], etas["converged"] = best.objective, found.near.objective, best.converged
    predictions = pd.DataFrame(
        {
            "subject": [problem.subjects[i] for i in found.subject], "row": found.row,
            "time": case.table.iloc[found.row - 2]["TIME"].to_numpy(dtype=float),
            "output": [case.model.outputs[o].name for o in found.output],
            "pred": found.pred, "ipred": found.best_ipred,
        }
    )  # fmt: skip
    shrunk = shrinkage(
        problem, case.model, case.subjects, best.eta, problem.typical()[: problem.n_fixed], problem.sigma()
    )
    parameters = individual_parameters(problem, best.eta)
    return {"etas": etas, "parameters": parameters, "predictions": predictions, "shrinkage": shrunk}


# --- a folder beside NONMEM ------------------------------------------------------------------------------------------


def compare_folder(folder: Path, chosen: Sequence[str], out: str | None, models: Path, rtol: float) -> int:
    """Every model of a folder: a line each as it is done, then what is to be said, and totals."""
    index = study.read_index(folder)
    wanted = [c.removeprefix("run") for c in chosen] or list(index)
    unknown = [w for w in wanted if w not in index]
    if unknown:
        raise ValueError(f"{folder / 'index.json'} has no models {', '.join(unknown)}; it has {', '.join(index)}")
    outcomes = []
    for number in wanted:
        outcome = study.run_model(number, index[number], folder, models, rtol)
        outcomes.append(outcome)
        if outcome.comparison is None:
            print(f"{number}: NOT COVERED: {outcome.reason}", flush=True)
        else:
            row = summary([outcome.comparison]).iloc[0]
            print(
                f"{number}: {row['subjects']} subjects, etas within 1e-4 {row['within_1e-4']:.4f}, "
                f"{row['seconds']:.1f} s",
                flush=True,
            )
    done = [o.comparison for o in outcomes if o.comparison is not None]
    lines, good = verdict(outcomes, done)
    print("\n".join(lines))
    if out:
        tables = {f"run{c.number}.subjects": c.subjects for c in done}
        tables |= {f"run{c.number}.predictions": c.predictions for c in done}
        _write(Path(out), {**tables, "models": summary(done), "lower_than_nonmem": lower_than_nonmem(done)})
    return 0 if good else 1


WORDS = """
Etas are compared in NONMEM's optimum: of our two, from eta = 0 and the best one, that of the closer objective. Shares
are of all. apart: subjects whose compared optimum is lower than NONMEM's by more than 1e-3, so another one; the
greatest differences (max_eta, max_objective, max_ipred) are of the others. lower: subjects for whom any optimum lower
than NONMEM's was found. higher: NONMEM's is lower than our best by more than 1e-3."""


def verdict(outcomes: Sequence[study.Outcome], done: list[Comparison]) -> tuple[list[str], bool]:
    """What to print, and whether all is well."""
    lines: list[str] = []
    good = len(done) == len(outcomes)
    for o in outcomes:
        lines += [f"{o.number}: DISAGREES with the index: {d}" for d in o.disagreements]
        lines += [f"{o.number}: not checked against the index: {d}" for d in o.unchecked]
        lines += [f"{o.number}: {f}" for f in o.findings]
        good = good and not o.disagreements
    if not done:
        return [*lines, "no model was compared"], False
    for c in done:
        failed = c.subjects[c.subjects["failed"] != ""]
        lines += [f"{c.number}: FAILED: subject {s}: {w}" for s, w in zip(failed.subject, failed.failed, strict=True)]
        higher = c.subjects[c.subjects["higher"]]
        lines += [
            f"{c.number}: WORSE: subject {s}: NONMEM {theirs:.6g}, ours {ours:.6g}"
            for s, theirs, ours in zip(higher.subject, higher.nonmem_objective, higher.best_objective, strict=True)
        ]
        good = good and not len(failed) and not len(higher)
        lines += [f"{c.number}: {line}" for line in beside.beyond(c)]
    table = summary(done)
    shown = {c: "{:.4f}".format for c in ("within_1e-4", "within_1e-3", "ipred_within_1e-4")}
    shown |= {c: "{:.1e}".format for c in table.columns if c.startswith("max_")} | {"seconds": "{:.1f}".format}
    lines += ["", table.to_string(index=False, formatters=shown, na_rep="-"), WORDS]
    lower = lower_than_nonmem(done)
    if len(lower):
        lines += ["", f"Lower than NONMEM's objective by more than {beside.OBJECTIVE:g} ({len(lower)} subjects):"]
        lines.append(lower.to_string(index=False, float_format=lambda v: f"{v:.6f}"))
    return [*lines, "", *totals(outcomes, table)], good


def totals(outcomes: Sequence[study.Outcome], table: pd.DataFrame) -> list[str]:
    """The whole beside what is asked."""

    def mean(column: str, by: str) -> float:
        return float((table[column].fillna(0.0) * table[by]).sum() / max(table[by].sum(), 1))

    def said(ok: bool) -> str:
        return "met" if ok else "NOT met"

    def greatest(column: str, limit: float) -> str:
        value = table[column].max()
        return f"{value:.1e} ({said(bool(value < limit))}: {limit:g})"

    covered, close = len(table) / len(outcomes), mean("within_1e-4", "etas")
    same, subjects = int((table["subjects"] - table["apart"]).sum()), int(table["subjects"].sum())
    return [
        f"models covered: {len(table)} of {len(outcomes)} "
        f"({said(covered >= beside.SHARE_COVERED)}: {beside.SHARE_COVERED:.0%})",
        f"etas within {beside.CLOSE:g}: {close:.2%} of {int(table['etas'].sum())} "
        f"({said(close >= beside.SHARE_CLOSE)}: {beside.SHARE_CLOSE:.0%}); within {beside.ETA:g}: "
        f"{mean('within_1e-3', 'etas'):.2%}",
        f"same optimum ({same} of {subjects} subjects), greatest differences: "
        f"of etas {greatest('max_eta', beside.ETA)}, of objectives {greatest('max_objective', beside.OBJECTIVE)}, "
        f"of IPRED, relative, {greatest('max_ipred', beside.PREDICTION)}",
        f"all subjects: greatest relative difference of PRED {greatest('max_pred', beside.PREDICTION)}; IPRED within "
        f"{beside.PREDICTION:g}: {mean('ipred_within_1e-4', 'observations'):.2%} of {int(table['observations'].sum())}",
        f"subjects with an optimum lower than NONMEM's: {int(table['lower'].sum())}; with a higher one: "
        f"{int(table['higher'].sum())}; failed: {int(table['failed'].sum())}",
    ]


def _write(folder: Path, tables: dict[str, pd.DataFrame]) -> None:
    for name, table in tables.items():
        write_text(folder / f"{name}.tsv", tsv(table))
    print(f"{len(tables)} tables in {folder}")
