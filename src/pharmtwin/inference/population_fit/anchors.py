"""Published posteriors that a fit must reproduce: the data, the model, and the comparison, of each.

``data`` is the folder of reference data (mavoglurant_pbpk, bayesian_benchmarks, posteriordb; see its SOURCES.md).
Models stand in ``resources/population``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pharmtwin.facts import RESOURCES, fact_table
from pharmtwin.inference.models.read import read_population_model
from pharmtwin.inference.population_fit.build import PopulationFit, build
from pharmtwin.inference.population_fit.compare import compare_draws, compare_moments
from pharmtwin.inference.population_fit.sample import Plan, Posterior
from pharmtwin.inference.problem.records import Columns, read_subjects

BENCHMARKS = {"01": "01-iv_2cmt_linear", "04": "04-depot_1cmt_mm"}
POSTERIORDB = {
    "one_comp_mm_elim_abs": {"k_a": "k_a", "K_m": "K_m", "V_m": "V_m", "sigma": "sigma"},
    "hudson_lynx_hare": {
        "theta[1]": "alpha", "theta[2]": "beta", "theta[3]": "gamma", "theta[4]": "delta", "z_init[1]": "hares_0",
        "z_init[2]": "lynxes_0", "sigma[1]": "sigma_hare", "sigma[2]": "sigma_lynx",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Anchor:
    """A published posterior: ``make`` builds the fit, ``plan`` is its sampling, ``compare`` the table beside it."""

    name: str
    make: Callable[[], PopulationFit]
    plan: Plan
    compare: Callable[[Posterior], pd.DataFrame]


def published(anchor: str, quantity: str) -> dict[str, float]:
    """``ess_bulk`` (draws) or ``ess_rate`` (1/s) of a published posterior by parameter."""
    table = fact_table("inference/anchors.tsv")
    own = table[(table["anchor"].astype(str) == anchor) & (table["quantity"] == quantity)]
    return dict(zip(own["parameter"], own["value"].astype(float), strict=True))


def _model(name: str, table: pd.DataFrame, lkj: float | None = None, rtol: float = 1e-6) -> PopulationFit:
    model, columns = read_population_model(RESOURCES / "population" / f"{name}.yaml")
    subjects, _ = read_subjects(model, table, Columns(**columns), name)
    return build(model, subjects, lkj=lkj, rtol=rtol)


def mavoglurant(data: Path) -> Anchor:
    """Whole-body PBPK, first 20 subjects, against Stan/Torsten (general ODE)."""
    folder = data / "mavoglurant_pbpk"

    def make() -> PopulationFit:
        table = pd.read_csv(folder / "Mavoglurant_A2121_nmpk.csv")
        return _model("mavoglurant", table[table["ID"] <= 812])

    def compare(posterior: Posterior) -> pd.DataFrame:
        theirs = pd.read_csv(folder / "stan_torsten_genode.csv").rename(columns={"variable": "parameter"})
        return compare_moments(posterior.table, theirs.replace({"parameter": {"omega[1]": "sd_eta_CLint"}}))

    return Anchor("mavoglurant", make, Plan(tune=200, draws=2000, cap=900.0), compare)


def bayesian_benchmark(data: Path, number: str) -> Anchor:
    """Multiple doses, 120 subjects: "01" (iv, two compartments) or "04" (oral, saturable), against Stan/Torsten."""
    folder, file = data / "bayesian_benchmarks", f"{BENCHMARKS[number]}.multiple_dose.csv"
    name = f"bayesian_benchmarks_{number}"

    def make() -> PopulationFit:
        return _model(name, pd.read_csv(folder / file), lkj=2.0, rtol=1e-5)

    def compare(posterior: Posterior) -> pd.DataFrame:
        theirs = pd.read_csv(folder / "stan_draw_summaries" / file)
        theirs["ess_bulk"] = theirs["parameter"].map(published(number, "ess_bulk"))
        sds = [p for p in posterior.idata.posterior if str(p).startswith("sd_")]
        names = {f"omega[{k + 1}]": str(p) for k, p in enumerate(sds)}
        return compare_moments(posterior.table, theirs.replace({"parameter": names}), sd_by="error")

    return Anchor(name, make, Plan(tune=200, draws=1000, cap=3600.0), compare)


def posteriordb(data: Path, name: str) -> Anchor:
    """``one_comp_mm_elim_abs`` or ``hudson_lynx_hare`` against 10,000 reference draws (10 chains in a row)."""
    folder = data / "posteriordb"

    def make() -> PopulationFit:
        raw = json.loads((folder / f"{name}.data.json").read_text(encoding="utf-8"))
        if name == "hudson_lynx_hare":
            y = np.array([raw["y_init"], *raw["y"]])
            times = np.repeat([0.0, *raw["ts"]], 2)
            table = {"TIME": times, "DV": y.ravel(), "DVID": np.tile([1, 2], len(y)), "EVID": 0}
        else:
            zeros = [0.0] * len(raw["times"])
            table = {"TIME": [0.0, *raw["times"]], "AMT": [raw["D"], *zeros], "DV": [0.0, *raw["C_hat"]],
                     "EVID": [1, *map(int, zeros)]}  # fmt: skip
        return _model(name, pd.DataFrame({"ID": 1, **table}))

    def compare(posterior: Posterior) -> pd.DataFrame:
        theirs = pd.read_csv(folder / f"{name}.reference_draws.csv.gz").rename(columns=POSTERIORDB[name])
        chains = {str(c): theirs[c].to_numpy(float).reshape(10, -1) for c in theirs}
        return compare_draws({c: posterior.idata.posterior[c].values for c in chains}, chains)

    tight = Plan(tune=1000, draws=10_000, target_accept=0.99, cap=900.0)
    plan = tight if name == "one_comp_mm_elim_abs" else Plan(tune=500, draws=2500, cap=900.0)
    return Anchor(name, make, plan, compare)


def told(anchor: Anchor, posterior: Posterior) -> str:
    """The comparison and the run in words."""
    name, rate = posterior.slowest()
    table = anchor.compare(posterior)
    lines = [
        table.to_string(index=False, float_format=lambda v: f"{v:.4g}"),
        f"{anchor.name}: {posterior.verdict}; {int((~table['agrees']).sum())} of {len(table)} rows disagree",
        f"sampling {posterior.seconds:.0f} s wall, {posterior.cpu_seconds:.0f} s CPU on {anchor.plan.cores} threads, "
        f"compiling and centring {posterior.prepared:.0f} s; {posterior.gradients} gradients, "
        f"{posterior.failed_solves} failed solves",
        f"slowest parameter {name}: {rate:.3g} effective draws (bulk) a second; smallest ESS bulk "
        f"{posterior.table['ess_bulk'].min():.0f}, tail {posterior.table['ess_tail'].min():.0f}",
    ]
    return "\n".join(lines)
