"""``pharmtwin twin`` and ``pharmtwin dose``: one person's posterior from samples, and a dose under it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pharmtwin.core.seeds import generator
from pharmtwin.findings import has_errors
from pharmtwin.inference.dose import files
from pharmtwin.inference.dose.answer import Answer, find_dose, words
from pharmtwin.inference.dose.choice import CONFLICTS, objections
from pharmtwin.inference.dose.given import Given, covariates_from_now, read, start
from pharmtwin.inference.dose.person import Person
from pharmtwin.inference.nonmem.estimates import individual_parameters
from pharmtwin.inference.output import finding_lines, refused, shown, write_folder
from pharmtwin.inference.twin.twin import Twin, fit_twin

SUPPORT = "Decision support for a professional who knows the patient; not a prescription, not a medical device."

FIRST_DOSE_DRAWS = 1000  # of the population, where there are no samples


def twin(argv: Sequence[str]) -> int:
    """Fit one person's samples, print what they taught; 1 if something is wrong with input or fit."""
    arguments = _parser("twin").parse_args(argv)
    given = read(arguments)
    if given.subject is not None and not len(given.subject.obs_row):
        given.say("samples", arguments.data, "the person has no samples", "there is nothing to fit",
                  "add samples; `pharmtwin dose` finds a first dose without")  # fmt: skip
    if has_errors(given.findings):
        return refused(given.findings, arguments.out)
    started = time.monotonic()
    try:
        fitted = _fit(given, arguments)
    except ValueError as error:
        given.say("impossible", arguments.data, str(error), "there is no posterior", "see what it says")
        return refused(given.findings, arguments.out)
    seconds = time.monotonic() - started
    findings = [*given.findings, *fitted.findings]
    parameters = _parameters(fitted)
    lines = [*_basis(given, fitted, arguments), "", *_twin_lines(fitted, parameters), "", *finding_lines(findings), "",
             f"usable for forecasts and doses: {'yes' if fitted.usable else 'NO'}"]  # fmt: skip
    print("\n".join(lines))
    print(f"time: {seconds:.1f} s")
    if has_errors(findings):
        return refused((), arguments.out)
    draws = pd.DataFrame(fitted.posterior.v, columns=list(fitted.posterior.names))
    draws.insert(0, "component", [fitted.problem.names_of_case[c] for c in fitted.posterior.case])
    tables = {"learned": fitted.learned, "parameters": parameters, "hypotheses": fitted.hypotheses, "draws": draws}
    if arguments.out:
        write_folder(Path(arguments.out), "twin.txt", lines, findings, tables)
    return 0


def dose(argv: Sequence[str]) -> int:
    """Look through licensed regimens under one person's posterior; 1 if something is wrong with input or fit."""
    arguments = _parser("dose").parse_args(argv)
    given = read(arguments)
    licence, found = files.read_licence(arguments.licence, given.model)
    asked, more = files.read_goal(arguments.goal, given.model)
    given.findings += [*found, *more]
    now = start(given, arguments)
    covariates = covariates_from_now(given, arguments, now)
    if has_errors(given.findings) or given.model is None or given.subject is None or licence is None or asked is None:
        return refused(given.findings, arguments.out)
    started = time.monotonic()
    rng = generator(arguments.seed, "dose", given.subject.id)
    goal = asked.goal
    try:
        fitted = _fit(given, arguments) if len(given.subject.obs_row) else None
        person = _person(given, fitted, arguments, now, covariates, rng)
        against = objections(fitted, arguments.accept) if fitted else []
        answer = find_dose(person, licence, asked, against, rng, given.columns.lloq.get(goal.output, 0.0))
    except ValueError as error:  # the model cannot be solved for these rows, or the licence allows nothing
        given.say("impossible", arguments.data, str(error), "no dose can be looked for", "see what it says")
        return refused(given.findings, arguments.out)
    findings = [*given.findings, *(fitted.findings if fitted else ())]
    lines = [
        SUPPORT, "", *_basis(given, fitted, arguments), *_forecast_lines(person, fitted, arguments.occasion), "",
        *words(answer, asked, given.model.output(goal.output).unit), "", *finding_lines(findings),
    ]  # fmt: skip
    print("\n".join(lines))
    print(f"time: {time.monotonic() - started:.1f} s")
    if has_errors(findings):
        return refused((), arguments.out)
    if arguments.out:
        write_folder(Path(arguments.out), "dose.txt", lines, findings, _tables(answer))
    return 0


def _parser(action: str) -> argparse.ArgumentParser:
    told = {"twin": "One person's posterior from samples.", "dose": "A licensed dose under one person's posterior."}
    parser = argparse.ArgumentParser(prog=f"pharmtwin {action}", description=told[action])
    parser.add_argument("model", help="population model (.yaml); its section data says what the columns mean")
    parser.add_argument("data", help="NONMEM-style rows (.csv): doses given, samples, covariates")
    parser.add_argument("--id", required=True, metavar="ID", help="the person: a value of the column ID")
    parser.add_argument("--population", metavar="FILE",
                        help="posterior of the population (.nc or draws.tsv of `pharmtwin population`) as the prior; "
                        "default: the model file's values, taken as known")  # fmt: skip
    parser.add_argument("--components", metavar="FILE", help="hypotheses about the person (diplotypes), .yaml")
    parser.add_argument("--seed", type=int, default=1, help="master seed (default 1)")
    parser.add_argument("--out", metavar="DIR", help="folder for text and tables")
    if action == "dose":
        parser.add_argument("--licence", required=True, metavar="FILE", help="what may be prescribed, .yaml")
        parser.add_argument("--goal", required=True, metavar="FILE", help="what the dose shall reach, .yaml")
        add = parser.add_argument
        add("--now", type=float, metavar="H", help="first new dose, on the data's clock (default: the last row's time)")
        add("--set", nargs="+", default=[], metavar="NAME=VALUE", help="covariates from now on (default: unchanged)")
        add("--occasion", choices=("new", "last"), default="new",
            help="for models with effects of the occasion: the forecast is a new one (default)")  # fmt: skip
        add("--accept", nargs="+", default=[], choices=CONFLICTS, metavar="RULE",
            help=f"findings whose records were checked and stand: {', '.join(CONFLICTS)}")  # fmt: skip
    return parser


# ---- the fit


def _fit(given: Given, arguments: argparse.Namespace) -> Twin:
    assert given.subject is not None
    model, prior = given.prior()
    return fit_twin(model, given.subject, prior, given.components, master=arguments.seed,
                    covariate_at=given.columns.covariate_at, name=arguments.data)  # fmt: skip


def _person(
    given: Given, fitted: Twin | None, arguments: argparse.Namespace, now: float, covariates: np.ndarray | None,
    rng: np.random.Generator,
) -> Person:  # fmt: skip
    """Whom the dose is for; without samples, draws of the population for such a person."""
    if fitted is None:
        model, prior = given.prior()
        return Person.of_prior(model, FIRST_DOSE_DRAWS, rng, prior=prior, subject=given.subject, now=now,
                               components=given.components, covariates=covariates,
                               covariate_at=given.columns.covariate_at)  # fmt: skip
    return Person.of_twin(fitted, now, rng, covariates=covariates, new_occasion=arguments.occasion == "new")


def _parameters(fitted: Twin) -> pd.DataFrame:
    """Individual parameters (definitions free of states; covariates of the first row): median and 90 % interval."""
    p = fitted.posterior
    each = individual_parameters(fitted.problem.repeat_cases(p.case), p.v).drop(columns="subject")
    q = each.quantile([0.05, 0.5, 0.95]).T
    return pd.DataFrame({"parameter": q.index, "q05": q[0.05].values, "q50": q[0.5].values, "q95": q[0.95].values})


# ---- output


def _basis(given: Given, fitted: Twin | None, arguments: argparse.Namespace) -> list[str]:
    """What the answer rests on."""
    assert given.model is not None and given.subject is not None
    n = len(given.subject.obs_row)
    lines = [
        "rests on",
        f"  model: {given.model.name} ({arguments.model})",
        f"  source: {given.model.source or 'not stated'}",
        f"  person: {arguments.id}; {n} sample(s), {len(given.subject.doses)} dose row(s); seed {arguments.seed}",
    ]
    if given.population is not None:
        lines.insert(3, f"  population: {len(given.population)} draws of {arguments.population}, mixed")
    if fitted is None:
        return [*lines, "  method: the population's variability for such a person; no samples (a first dose)"]
    p = fitted.posterior
    k = "" if np.isnan(p.k) else f", Pareto k {p.k:.2f}"
    checked = "passed" if p.trusted else "NOT passed"
    lines.append(f"  method: {p.method}{k}, effective sample {p.ess:.0f}, {len(p.v)} draws; its checks: {checked}")
    return [*lines, *(f"    {rung}" for rung in p.rungs)]


def _twin_lines(fitted: Twin, parameters: pd.DataFrame) -> list[str]:
    lines = ["what the samples taught (variance_left, overlap: 1 nothing)", shown(fitted.learned), ""]
    lines += ["individual parameters (median, 90 % interval; covariates of the first row)", shown(parameters)]
    if len(fitted.hypotheses) > 1:
        lines += ["", "hypotheses", shown(fitted.hypotheses)]
    return lines


def _forecast_lines(person: Person, fitted: Twin | None, occasion: str) -> list[str]:
    model = person.model
    said = ", ".join(f"{n} {v:g}" for n, v in zip(model.covariates, person.covariates, strict=True))
    lines = [f"  forecast: from {person.now:g} h on" + (f", with {said}" if said else "")]
    if model.of_occasion and fitted is not None:
        told = {"new": "those of a new occasion, drawn anew", "last": "those of the last occasion of the data"}
        lines.append(f"  effects of the occasion: {told[occasion]}")
    return lines


def _tables(answer: Answer) -> dict[str, pd.DataFrame]:
    tables = {"regimens": answer.table, "exposure": answer.profile, "next_sample": answer.samples}
    return {name: table for name, table in tables.items() if len(table.columns)}
