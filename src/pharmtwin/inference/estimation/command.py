"""``pharmtwin estimate MODEL.yaml DATA.csv``: point estimates of a population model, as NONMEM or nlme give them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pharmtwin.files import write_text
from pharmtwin.inference.estimation.approximations import CURVATURES, METHODS
from pharmtwin.inference.estimation.maximise import Estimate, maximise
from pharmtwin.inference.estimation.objective import EstimationError
from pharmtwin.inference.estimation.surface import Method
from pharmtwin.inference.models.description import PopulationModelError
from pharmtwin.inference.problem.case import read_case
from pharmtwin.inference.problem.records import DataError
from pharmtwin.tables.spreadsheet import tsv


def main(argv: Sequence[str] | None = None) -> int:
    """Estimate, print, write; 1 if it could not be done or the minimum was not reached."""
    arguments = _parser().parse_args(argv)
    try:
        case = read_case(arguments.model, arguments.data)
        for finding in case.findings:
            print(finding.message(), file=sys.stderr)
        method = Method(arguments.method, arguments.nodes, arguments.curvature)
        found = maximise(
            case.model, case.subjects, method, covariance=arguments.covariance, covariate_at=case.columns.covariate_at,
            rtol=arguments.rtol, most=arguments.iterations, threads=arguments.threads,
        )  # fmt: skip
    except (
        PopulationModelError,
        DataError,
        EstimationError,
        FileNotFoundError,
        pd.errors.ParserError,
        ValueError,
    ) as error:
        print(f"estimate: {error}", file=sys.stderr)
        return 1
    tables = report(found)
    print(tables["summary"].to_string(index=False, header=False))
    print(tables["estimates"].to_string(index=False, float_format=lambda v: f"{v:.5g}", na_rep="-"))
    print(tables["shrinkage"].to_string(index=False, float_format=lambda v: f"{v:.3g}", na_rep="-"))
    for message in found.messages:
        print(f"warning: {message}", file=sys.stderr)
    if arguments.out:
        for name, frame in tables.items():
            write_text(Path(arguments.out) / f"{name}.tsv", tsv(frame))
    return 0 if found.converged else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pharmtwin estimate", description="Maximum marginal likelihood.")
    parser.add_argument(
        "model", help="population model (.yaml); its values are the start, its section data names columns"
    )
    parser.add_argument("data", help="NONMEM-style rows (.csv)")
    parser.add_argument("--method", choices=METHODS, default="focei", help="default focei")
    parser.add_argument("--nodes", type=int, default=5, help="nodes an effect of agq (default 5)")
    parser.add_argument("--curvature", choices=CURVATURES, default="exact", help="of laplace and agq (default exact)")
    parser.add_argument("--covariance", choices=("sandwich", "R", "S", ""), default="sandwich",
                        help="form of the standard errors (default sandwich; '' for none)")  # fmt: skip
    parser.add_argument("--rtol", type=float, default=1e-9, help="relative tolerance of the solver (default 1e-9)")
    parser.add_argument("--iterations", type=int, default=200, help="at most (default 200)")
    parser.add_argument("--threads", type=int, default=1, help="of the solver (default 1)")
    parser.add_argument("--out", metavar="DIR", help="folder for the tables (.tsv)")
    return parser


def report(found: Estimate) -> dict[str, pd.DataFrame]:
    """Tables of an estimate: summary, estimates, shrinkage, random_effects (modes by subject), covariance."""
    o, u = found.objective, found.uncertainty
    condition = u.condition_number if u is not None else float("nan")
    summary = [
        ("method", o.method), ("objective (-2 log likelihood without n log 2 pi)", f"{o.value:.6f}"),
        ("log likelihood", f"{o.log_likelihood:.6f}"), ("reached", "yes" if found.converged else "no"),
        ("iterations", found.iterations), ("evaluations of the objective", found.evaluations),
        ("expected fall by one more step", f"{found.distance:.2g}"),
        ("standard errors", u.form if u is not None else "none"), ("condition number", f"{condition:.4g}"),
    ]  # fmt: skip
    names = list(found.effects)
    random = pd.DataFrame(o.eta, columns=names)
    random.insert(0, "subject", list(found.subjects))
    random["objective"] = o.by_subject
    tables = {
        "summary": pd.DataFrame(summary, columns=["quantity", "value"]),
        "estimates": found.table,
        "shrinkage": found.shrinkage,
        "random_effects": random,
    }
    if u is not None and u.form in u.covariances:
        C = pd.DataFrame(u.covariances[u.form], columns=list(u.names))
        C.insert(0, "name", list(u.names))
        tables["covariance"] = C
    return tables
