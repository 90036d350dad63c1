"""The map from CYP2D6's alleles to its activity, estimated with the PBPK models themselves, one drug left out.

    python -m pharmtwin.qualification.activity.map --data DIR [--write power]

AUCs of every arm of the genotype ratios are solved once on a grid of activities; between them log AUC is interpolated.
A group is a mixture of pairs of alleles' values (CPIC's of :mod:`pharmtwin.genome`: 0, 0.25 of ``*10``, 0.5 of ``*9``
and ``*41``, 1, 2 of a duplication), told by its score and the ancestry of the study; its AUC is the weighted mean.
For each drug, the parameters of a form minimise the mean absolute log error of the other drugs' ratios, each drug one
vote; nothing else is estimated. A form is judged by the ratios of the drugs left out, each drug one vote. ``--write``
writes the chosen form's parameters into ``resources/qualification/cyp2d6_left_out.tsv``.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.optimize import minimize

from pharmtwin.facts import RESOURCES
from pharmtwin.files import write_text
from pharmtwin.qualification.activity.forms import FORMS, Form, Pair, PairMixture
from pharmtwin.qualification.fitting.exposures import entries
from pharmtwin.qualification.plan import PLAN, read_plan
from pharmtwin.qualification.reading.genotypes import coded_by_pair, pairs_of_code
from pharmtwin.qualification.reading.tables import read_studies
from pharmtwin.qualification.simulation.questions import World, arm_exposure, arm_job
from pharmtwin.qualification.simulation.runs import run_jobs
from pharmtwin.qualification.simulation.world import FOLDER, open_world
from pharmtwin.qualification.study import Arm, Ratio

Floats = NDArray[np.float64]
TABLE = RESOURCES / "qualification" / "cyp2d6_left_out.tsv"
ENZYME = "CYP2D6"
DRUGS = ("dextromethorphan", "metoprolol", "paroxetine", "risperidone")
#: rows that the table of ratios does not flag and docs/clearance-maps.md leaves out (Capon 1996: truncated AUC)
LEFT_OUT = ("900050",)
GRID = np.array(
    [0, 0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.25, 1.6, 2.0, 2.6, 3.5, 5.0]
)
SEED, RESAMPLES = 20261122, 300


@dataclass(frozen=True)
class Group:
    """AUC of an arm by activity: ``log_auc`` of the root of the activity. pairs : of alleles' values, with weights."""

    pairs: PairMixture
    log_auc: PchipInterpolator

    def auc(self, activity: Callable[[Pair], float]) -> float:
        """Weighted mean of the AUCs of its pairs."""
        f = np.clip([activity(p) for p, _ in self.pairs], 0.0, GRID[-1])
        weights = np.array([w for _, w in self.pairs])
        return float(weights @ np.exp(self.log_auc(np.sqrt(f))) / weights.sum())


@dataclass(frozen=True)
class Row:
    """An observed AUC ratio with the curves of its two arms."""

    id: str
    drug: str
    study: str
    observed: float
    test: Group
    reference: Group

    def error(self, activity: Callable[[Pair], float]) -> float:
        """Log of predicted over observed."""
        return math.log(self.test.auc(activity) / self.reference.auc(activity) / self.observed)


def drug_of(ratio: Ratio) -> str:
    """Name of the observed drug, enantiomers as one."""
    return ratio.test.dosings[0].drug.removesuffix("_R").removesuffix("_S")


def solve_rows(ratios: Sequence[Ratio], world: World) -> list[Row]:
    """The rows with AUC curves. Ratios are read under :func:`genotypes.coded_by_pair`. Raises ValueError if a solve
    fails."""
    asked = []
    for r in ratios:
        for arm, window in ((r.test, r.window_test), (r.reference, r.window_reference)):
            for a in GRID:
                changed: Arm = replace(arm, genotype={**arm.genotype, ENZYME: ((float(a), 1.0),)})
                asked.append((arm_job(f"{r.id} at {a:g}", changed, r.compounds, window, world), window))
    curves, _ = run_jobs([j for j, _ in asked])
    found = [arm_exposure(j, w, c) for (j, w), c in zip(asked, curves, strict=True)]
    if wrong := [e.problem for e in found if e.problem]:
        raise ValueError("; ".join(wrong[:5]))
    n = len(GRID)
    groups = []
    for i, arm in enumerate(a for r in ratios for a in (r.test, r.reference)):
        logs = np.log([max(e.auc, 1e-12) for e in found[i * n : (i + 1) * n]])
        groups.append(Group(pairs_of_code(arm.genotype[ENZYME]), PchipInterpolator(np.sqrt(GRID), logs)))
    return [Row(r.id, drug_of(r), r.study, r.auc, groups[2 * i], groups[2 * i + 1]) for i, r in enumerate(ratios)]


def loss(rows: Sequence[Row], form: Form, x: Sequence[float] | Floats, drug: str = "") -> float:
    """Mean absolute log error, each drug one vote."""
    activity = form.activity([float(v) for v in x], drug)
    by_drug: dict[str, list[float]] = {}
    for row in rows:
        by_drug.setdefault(row.drug, []).append(abs(row.error(activity)))
    return float(np.mean([np.mean(v) for v in by_drug.values()]))


def estimate(rows: Sequence[Row], form: Form, drug: str = "") -> tuple[float, ...]:
    """Parameters of least loss: grid search, then the simplex from its best point. drug : left out (a curve asks)."""
    if not form.names:
        return ()
    axes = [np.geomspace(low, high, 25 if len(form.names) == 1 else 9) for low, high in form.bounds]
    points = np.array(np.meshgrid(*axes)).reshape(len(axes), -1).T
    best = min(points, key=lambda p: loss(rows, form, p, drug))
    low, high = np.array(form.bounds).T

    def inside(logs: Floats) -> float:
        return loss(rows, form, np.clip(np.exp(logs), low, high), drug)

    found = minimize(inside, np.log(best), method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-5, "maxiter": 300})
    return tuple(float(v) for v in np.clip(np.exp(found.x), low, high))


@dataclass(frozen=True)
class Judged:
    """A form by the drugs left out. parameters : by drug. errors : log predicted over observed by row id."""

    form: Form
    parameters: Mapping[str, tuple[float, ...]]
    errors: Mapping[str, float]
    by_drug: Mapping[str, float]

    @property
    def gmfe(self) -> float:
        """Each drug one vote."""
        return math.exp(float(np.mean(np.log(list(self.by_drug.values())))))


def leave_one_out(rows: Sequence[Row], form: Form) -> Judged:
    """Every drug predicted with the form as the others estimate it."""
    parameters: dict[str, tuple[float, ...]] = {}
    errors: dict[str, float] = {}
    folds: dict[str, float] = {}
    for drug in sorted({r.drug for r in rows}):
        x = parameters[drug] = estimate([r for r in rows if r.drug != drug], form, drug)
        mine = {r.id: r.error(form.activity(x, drug)) for r in rows if r.drug == drug}
        errors |= mine
        folds[drug] = math.exp(float(np.mean(np.abs(list(mine.values())))))
    return Judged(form, parameters, errors, folds)


def spread(rows: Sequence[Row], form: Form, drug: str = "", n: int = RESAMPLES) -> Floats:
    """Estimates from studies drawn with replacement within each drug: n rows, a column a parameter."""
    rng = np.random.default_rng(SEED)
    studies: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        studies.setdefault(row.drug, {}).setdefault(row.study, []).append(row)
    out = []
    for _ in range(n):
        drawn: list[Row] = []
        for of in studies.values():
            names = sorted(of)
            drawn += [r for k in rng.integers(len(names), size=len(names)) for r in of[names[k]]]
        out.append(estimate(drawn, form, drug))
    return np.array(out)


def rows_of(data: Path, world: World) -> list[Row]:
    """Judged genotype ratios of :data:`DRUGS` in a folder of reference tables."""
    with coded_by_pair():
        studies = read_studies(data, entries(world.library))
    ratios = [r for r in studies.ratios if r.use_case == "genotype" and not r.flag and drug_of(r) in DRUGS
              and r.auc > 0 and r.id not in LEFT_OUT]  # fmt: skip
    return solve_rows(ratios, world)


def table(chosen: Judged, spreads: Mapping[str, Floats], rows: Sequence[Row]) -> str:
    """Text of the table of left-out maps; drug ``all``: estimated on all four."""
    head = (
        "# Maps from CYP2D6's alleles to activity, each estimated without one drug on AUC ratios of the others, by\n"
        "# the PBPK models: python -m pharmtwin.qualification.activity.map --write FORM (docs/clearance-maps.md).\n"
        "# all: on all four; for drugs that are not here. low, high: 90 % interval, studies drawn anew within drugs.\n"
    )
    lines = ["drug\tform\tparameter\tvalue\tlow\thigh\tunit\tn\tsource"]
    for drug, x in chosen.parameters.items():
        n = sum(r.drug != drug for r in rows)
        if not chosen.form.names:
            lines.append(f"{drug}\t{chosen.form.name}\t\t\t\t\t1\t{n}\t{chosen.form.meaning}: nothing is estimated")
        for k, name in enumerate(chosen.form.names):
            low, high = np.percentile(spreads[drug][:, k], [5, 95])
            lines.append(
                f"{drug}\t{chosen.form.name}\t{name}\t{x[k]:.4g}\t{low:.3g}\t{high:.3g}\t1\t{n}\testimated on the AUC "
                "ratios by genotype of OSP DDGI-CYP2D6 (commit 3848285c) with the drug files of resources/drugs"
            )
    return head + "\n".join(lines) + "\n"


def report(found: Sequence[Judged]) -> str:
    """Markdown table of the forms."""
    drugs = list(found[0].by_drug)
    left_out = ", ".join(drugs)
    lines = [f"| form | parameters without {left_out} | GMFE, each drug one vote | rows | {' | '.join(drugs)} |",
             f"|{'---|' * (4 + len(drugs))}"]  # fmt: skip
    for j in found:
        told = "; ".join(" ".join(f"{v:.3g}" for v in j.parameters[d]) or "-" for d in drugs)
        rows = math.exp(float(np.mean(np.abs(list(j.errors.values())))))
        lines.append(f"| {j.form.name}: {j.form.meaning} | {told} | {j.gmfe:.3f} | {rows:.3f} | "
                     + " | ".join(f"{j.by_drug[d]:.2f}" for d in drugs) + " |")  # fmt: skip
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Estimate all forms, print their figures, and write the chosen one if asked."""
    parser = argparse.ArgumentParser(prog="python -m pharmtwin.qualification.activity.map", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the reference tables")
    parser.add_argument("--library", type=Path, default=FOLDER)
    parser.add_argument("--write", metavar="FORM", default="", help=f"one of {', '.join(f.name for f in FORMS)}")
    args = parser.parse_args(argv)
    world, wrong = open_world(read_plan(PLAN), args.library)
    print("\n".join(wrong))
    rows = rows_of(args.data, world)
    found = [leave_one_out(rows, form) for form in FORMS]
    print(report(found))
    for j in found:
        if j.form.name == args.write:
            drugs = list(j.parameters)
            whole = estimate(rows, j.form)
            spreads = {d: spread([r for r in rows if r.drug != d], j.form, d) for d in drugs}
            spreads["all"] = spread(rows, j.form)
            write_text(TABLE, table(replace(j, parameters={**j.parameters, "all": whole}), spreads, rows))
            print(f"written: {TABLE}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
