"""``pharmtwin import-petab PROBLEM.yaml``: what was understood, and the log-likelihood at the nominal values.

The problem is solved twice, as a population model (Rosenbrock) and as a PEtab problem (CVODE, events and rest by its
own rules), and the two log-likelihoods are shown beside each other.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence

import pandas as pd

from pharmtwin.exchange.evaluate import ExchangeError
from pharmtwin.exchange.petab import load_problem, simulate_problem
from pharmtwin.inference.models.description import PopulationModelError, Prior
from pharmtwin.inference.petab.importing import RTOL, PetabPopulation, import_petab
from pharmtwin.inference.petab.likelihood import log_likelihood_of_table
from pharmtwin.inference.petab.parameters import WIDE

#: the two log-likelihoods may differ by so much
AGREE = 1e-2


def main(argv: Sequence[str] | None = None) -> int:
    """Import, print; 1 where the problem is refused, cannot be solved, or the two log-likelihoods differ."""
    arguments = _parser().parse_args(argv)
    try:
        made = import_petab(
            load_problem(arguments.problem, arguments.which), priors=not arguments.no_priors,
            without_events=arguments.without_event, rest=arguments.rest,
        )  # fmt: skip
    except (ExchangeError, PopulationModelError, OSError, KeyError, ValueError) as error:
        print(f"import-petab: {error}", file=sys.stderr)
        return 1
    print(understood(made))
    ours, _ = made.log_likelihood(rtol=arguments.rtol, derivatives=False)
    print(f"log-likelihood at the nominal values: {ours:.6f}")
    try:
        theirs = log_likelihood_of_table(made.problem, simulate_problem(made.problem))
    except ExchangeError as error:
        print(f"import-petab: as a PEtab problem: {error}", file=sys.stderr)
        return 1
    print(f"the same as a PEtab problem (CVODE):  {theirs:.6f}")
    if math.isfinite(ours) and abs(ours - theirs) <= AGREE:
        return 0
    print(
        f"import-petab: the two log-likelihoods differ by more than {AGREE:g}: do not use the import", file=sys.stderr
    )
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pharmtwin import-petab", description="A PEtab problem as a population model."
    )
    parser.add_argument("problem", help="problem (.yaml) of PEtab version 1")
    parser.add_argument("--which", type=int, default=0, metavar="K", help="problem number K of the file (default 0)")
    parser.add_argument("--no-priors", action="store_true", help="leave the objective priors out")
    parser.add_argument("--without-event", nargs="+", default=[], metavar="ID", help="leave these events out")
    parser.add_argument("--rest", type=float, default=0.0, metavar="T",
                        help="time to solve for until rest (default: 10 x what the nominal values need)")  # fmt: skip
    parser.add_argument("--rtol", type=float, default=RTOL, help=f"relative tolerance of the solver (default {RTOL:g})")
    return parser


def understood(made: PetabPopulation) -> str:
    """What an import holds: parameters, outputs, conditions, covariates, notes."""
    model = made.model
    fixed = {f.name: f for f in model.fixed}
    residual = {r.name: r for r in model.residuals}
    rows = []
    for p, entry in made.entries.items():
        if p in made.effects:
            e = fixed[made.effects[p]]
            rows.append((p, f"fixed effect {e.name}", entry.scale, e.value, e.lower, e.upper, _shown(e.prior)))
        elif p in made.residuals:
            name, factor = made.residuals[p]
            r = residual[name]
            role = f"residual {name}" + ("" if factor == 1.0 else f" ({factor:.6g} x)")
            low, high = (r.prior.lower, r.prior.upper) if r.prior is not None else (math.nan, math.nan)
            rows.append((p, role, "fixed" if r.fixed else entry.scale, r.value, low, high, _shown(r.prior)))
        else:
            rows.append((p, "constant", "", entry.value, math.nan, math.nan, ""))
    columns = ["parameter", "is", "scale", "value", "lower", "upper", "prior"]
    parameters = pd.DataFrame(rows, columns=columns).to_string(
        index=False, float_format=lambda v: f"{v:.5g}", na_rep="-"
    )
    errors = pd.Series([o.error for o in model.outputs]).value_counts()
    kinds = ", ".join(f"{n} {kind}" for kind, n in errors.items())
    samples = sum(len(s.obs_row) for s in made.subjects)
    states = len(model.structure.states)
    lines = [
        f"{made.problem.name}: {states} states, {len(made.subjects)} subjects (conditions), {samples} measurements",
        f"{len(model.outputs)} outputs ({kinds})",
        f"covariates: {', '.join(model.covariates) or 'none'}",
        f"states that start from parameters: {', '.join(s for s, _ in model.initial) or 'none'}",
        "",
        parameters,
        "",
        *(f"note: {n}" for n in made.notes),
    ]
    return "\n".join(lines)


def _shown(prior: Prior | None) -> str:
    """A prior in words."""
    if prior is None:
        return "none"
    bounded = prior.family == "lognormal" and prior.lower > 0 and math.isfinite(prior.upper)
    if bounded and prior.arguments[1] >= WIDE * math.log(prior.upper / prior.lower):
        return "flat in the logarithm"
    return f"{prior.family}({', '.join(f'{a:.4g}' for a in prior.arguments)})"
