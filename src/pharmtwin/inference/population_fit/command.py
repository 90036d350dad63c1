"""``pharmtwin population MODEL.yaml DATA.csv``: the posterior of a population model, and whether it may be trusted."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.seeds import generator
from pharmtwin.inference.output import finding_lines, refused, shown, write_folder
from pharmtwin.inference.problem.limits import METHODS

Floats = NDArray[np.float64]
#: exit codes: bad input or no posterior; a posterior whose verdict is not good (argparse has 2)
REFUSED, NOT_GOOD = 1, 3


@dataclass
class Result:
    """What is printed and written of a posterior, by NUTS or a fast method."""

    posterior: Any
    method: str
    verdict: str
    draws: dict[str, Floats]
    table: pd.DataFrame
    checks: pd.DataFrame
    lines: list[str] = field(default_factory=list)
    extra: dict[str, pd.DataFrame] = field(default_factory=dict)
    nuts: Any = None


def main(argv: Sequence[str] | None = None) -> int:
    """Fit, print, write; 0 only where the verdict is good."""
    arguments = _parser().parse_args(argv)
    from pharmtwin.inference.population_fit.given import free_of_errors, read
    from pharmtwin.inference.population_fit.screen import screen

    log, started = _log(), time.monotonic()
    given = read(arguments.model, arguments.data, arguments.blq, arguments.lkj, arguments.rtol)
    if given.fit is not None:
        log.info("%d subjects, %d samples; looking at the data", len(given.subjects), len(given.fit.problem.y))
        given.findings += screen(given.fit, arguments.data, generator(arguments.seed, "screen", given.fit.source.name))
    if not free_of_errors(given):
        return refused(given.findings, arguments.out)
    assert given.fit is not None
    try:
        result = _fit(given.fit, arguments, started + arguments.cap, log)
    except (TimeoutError, ValueError, RuntimeError, FloatingPointError) as error:
        given.say("no_posterior", arguments.data, " ".join(str(error).split()), "there is no posterior",
                  "see what it says")  # fmt: skip
        return refused(given.findings, arguments.out)
    _report(given, result, arguments, log, started)
    return 0 if result.verdict == "good" else NOT_GOOD


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pharmtwin population",
        description="The posterior of a population model by NUTS (exact gradients), with its checks.",
        epilog="Exit code 0: the verdict is good. 1: bad input, or no posterior; nothing is written. "
        "3: there is a posterior, and its verdict is not good.",
    )
    add = parser.add_argument
    add("model", help="population model (.yaml) with priors; its section data says what the columns mean")
    add("data", help="NONMEM-style rows (.csv) of all subjects")
    add("--chains", type=_whole, default=4, help="default 4 (fewer are never called good)")
    add("--tune", type=_whole, default=200, help="warm-up of a chain (default 200)")
    add("--draws", type=_whole, default=500, help="kept draws of a chain (default 500)")
    add("--target-accept", type=float, default=0.8, help="acceptance that steps are adapted to (default 0.8)")
    add("--cores", type=_whole, default=2, help="chains that run at once (default 2)")
    add("--cap", type=_positive, default=3600.0, metavar="S", help="seconds that the fit may take (default 3600)")
    add("--seed", type=int, default=1, help="master seed (default 1)")
    add("--lkj", type=_positive, help="estimate correlations, with this concentration (default: those of the file)")
    add("--blq", choices=METHODS, default="", help="values below the limit (default: the file's, else M3)")
    add("--rtol", type=_positive, default=1e-6, help="relative tolerance of the solver (default 1e-6)")
    add("--fast", choices=("laplace", "advi"), help="a normal approximation with importance resampling, not NUTS")
    add("--compare", action="store_true", help="with --fast: run NUTS too, and compare")
    add(
        "--criticism",
        type=float,
        default=120.0,
        metavar="S",
        help="seconds for LOO, VPC and NPDE (default 120; 0: none)",
    )
    add("--out", metavar="DIR", help="folder for text, posterior.nc and tables")
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not greater than 0")
    return value


def _whole(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1")
    return value


def _log() -> logging.Logger:
    """Progress goes to standard error."""
    log = logging.getLogger("pharmtwin.population")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.INFO)
    return log


# ---- the fit


def _fit(fit: Any, arguments: argparse.Namespace, end: float, log: logging.Logger) -> Result:
    """The posterior asked for; ``end``: time at which the cap comes."""
    from pharmtwin.inference.population_fit import fast
    from pharmtwin.inference.population_fit.geometry import settle
    from pharmtwin.inference.population_fit.sample import Plan, announce, compile_fit, sample

    name = fit.source.name
    if time.monotonic() > end:
        raise TimeoutError(f"the cap of {arguments.cap:g} s came before the fit could begin: raise it")
    log.info("compiling the model")
    compiled = compile_fit(fit)
    plan = Plan(arguments.chains, arguments.tune, arguments.draws, arguments.target_accept, arguments.cores,
                arguments.cap)  # fmt: skip
    nuts = None
    if not arguments.fast or arguments.compare:
        announce(fit, compiled, plan, f"{name}, before the search for the centre", log)
    log.info("searching the posterior's centre")
    centre = settle(fit, compiled, end)
    if not arguments.fast or arguments.compare:
        plan = replace(plan, cap=max(end - time.monotonic(), 1.0))
        nuts = sample(fit, plan, master=arguments.seed, name=name, log=log, compiled=compiled, centre=centre)
    if not arguments.fast:
        return _of_nuts(fit, nuts)
    log.info("%s approximation", arguments.fast)
    found = getattr(fast, arguments.fast)(fit, compiled, master=arguments.seed, name=name)
    lines = []
    if nuts is not None and nuts.verdict == "good":
        found = fast.compare_with_nuts(found, nuts, fit)
    elif nuts is not None:
        lines.append(f"NUTS is no standard to compare with: {nuts.verdict}")
    draws = {n: v[None] for n, v in found.draws.items()}
    extra = {} if found.comparison is None else {"comparison": found.comparison}
    lines.append(f"{found.method}: Pareto k {found.k:.2f} (at most {found.k_limit:.2f}), "
                 f"{found.effective:.0f} effective draws")  # fmt: skip
    return Result(found, f"{found.method}, importance resampling", found.verdict, draws, found.table(fit),
                  found.checks(), lines, extra, nuts)  # fmt: skip


def _of_nuts(fit: Any, posterior: Any) -> Result:
    draws = {str(n): v.values for n, v in posterior.idata.posterior.data_vars.items()}
    sizes = posterior.idata.posterior.sizes
    words = (f"{sizes['chain']} chains of {sizes['draw']} draws; {posterior.gradients} gradients, "
             f"{posterior.failed_solves} failed solves")  # fmt: skip
    return Result(posterior, "NUTS", posterior.verdict, draws, posterior.table, posterior.checks, [words])


# ---- output


def _report(given: Any, result: Result, arguments: argparse.Namespace, log: logging.Logger, started: float) -> None:
    from pharmtwin.inference.population_fit.criticise import Criticism, criticise

    fit = given.fit
    files = _save(Path(arguments.out), fit, result) if arguments.out else []
    made = Criticism(lines=["not asked for"])
    if arguments.criticism > 0:
        made = criticise(
            fit, result.draws, given.columns.lloq, arguments.criticism, arguments.seed, fit.source.name, log
        )
    table = _quantiles(result, fit)
    lines = [
        *_basis(fit, arguments, result), "", f"VERDICT: {result.verdict}", *_not_good(result), "",
        "parameters of the population", shown(table[table["parameter"].isin(fit.parameters)]), "",
        "checks", shown(result.checks), "",
        "criticism", *(f"  {line}" for line in made.lines), "", *finding_lines(given.findings),
    ]  # fmt: skip
    if "comparison" in result.extra:
        lines += ["", "beside NUTS", shown(result.extra["comparison"])]
    print("\n".join(lines))
    print(f"time: {time.monotonic() - started:.0f} s")
    if arguments.out:
        tables = {"parameters": table, "checks": result.checks, "draws": _draws_table(fit, result)}
        tables |= result.extra | made.tables
        write_folder(Path(arguments.out), "population.txt", lines, given.findings, tables, files)


def _basis(fit: Any, arguments: argparse.Namespace, result: Result) -> list[str]:
    model, p = fit.source, fit.problem
    lkj = "those of the model file" if fit.lkj is None else f"LKJ({fit.lkj:g})"
    return [
        "rests on",
        f"  model: {model.name} ({arguments.model})",
        f"  source: {model.source or 'not stated'}",
        f"  data: {arguments.data}; {len(p.subjects)} subjects, {len(p.y)} samples",
        f"  correlations of random effects: {lkj}",
        f"  method: {result.method}; seed {arguments.seed}",
        *(f"    {line}" for line in result.lines),
    ]


def _not_good(result: Result) -> list[str]:
    if result.verdict == "good":
        return []
    words = "This posterior has not passed its checks: do not rest a decision, a prior or a report on it."
    more = "More draws (--draws), a longer warm-up (--tune) or a higher cap (--cap) may help; see the checks."
    return [words, more if result.method == "NUTS" else "Compare it with NUTS (--compare), or use NUTS alone."]


def _quantiles(result: Result, fit: Any) -> pd.DataFrame:
    """The table of parameters with median and 90 % interval."""
    flat = {n: v.reshape(-1, *v.shape[2:]) for n, v in result.draws.items()}
    columns = [flat[n] for n in fit.parameters]
    if len(result.table) > len(columns):
        columns += list(flat["eta"].reshape(len(flat["eta"]), -1).T)
    q = np.quantile(np.array(columns), [0.05, 0.5, 0.95], axis=1)
    table = result.table.copy()
    for k, name in enumerate(("q05", "q50", "q95")):
        table.insert(3 + k, name, q[k])
    return table


def _save(folder: Path, fit: Any, result: Result) -> list[str]:
    """The draws at once, before anything else can fail; an older text goes: with the new one the folder is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "population.txt").unlink(missing_ok=True)
    found = {"posterior.nc": result.posterior, "posterior_nuts.nc": result.nuts}
    kept = {name: p for name, p in found.items() if p is not None}
    for name, posterior in kept.items():
        posterior.save(folder / name, fit)
    return list(kept)


def _draws_table(fit: Any, result: Result) -> pd.DataFrame:
    if result.method == "NUTS":
        return pd.DataFrame(result.posterior.draws_table(fit))
    return pd.DataFrame({n: result.draws[n][0] for n in fit.parameters})
