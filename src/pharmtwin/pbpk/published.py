"""Published mean profiles, each simulated at its own dose and regimen for a group like the published one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.core.assembly import individual_columns, typical_individual
from pharmtwin.core.draws import Population, individual_draws
from pharmtwin.core.drug import Drug
from pharmtwin.core.exposure import NG_ML
from pharmtwin.core.seeds import generator
from pharmtwin.core.whole_body import whole_body
from pharmtwin.engine.crosscheck import crosscheck
from pharmtwin.engine.failures import note_failures, require_some
from pharmtwin.engine.run import Dose, pack, simulate
from pharmtwin.pbpk.predict import Settings
from pharmtwin.tables import records

Floats = NDArray[np.float64]


def covariates(groups: pd.DataFrame, bodies: pd.DataFrame) -> pd.DataFrame:
    """Twins-like rows of the groups' mean subjects; what a paper does not say is the reference body of its sex.

    ``bodies`` is ``resources/physiology/reference_bodies.tsv``; ages below 18 do not occur.
    """
    reference = bodies.set_index("sex")
    return pd.DataFrame(
        [
            {
                "twin_id": g.profile, "sex": g.sex, "age_y": float(g.age_y),
                "weight_kg": float(g.weight_kg) if pd.notna(g.weight_kg) else float(reference.loc[g.sex, "mass_kg"]),
                "height_cm": float(reference.loc[g.sex, "height_cm"]),
                "creatinine_mg_dl": 0.9 if g.sex == "M" else 0.7,
            }
            for g in records(groups)
        ]
    )  # fmt: skip


def group_doses(group: pd.Series, drug: Drug) -> tuple[Dose, ...]:
    """Regimen of a published group; a controlled-release form has its lag and relative bioavailability."""
    n = int(group.n_doses)
    every = float(group.interval_h) if n > 1 else 0.0
    if group.route == "iv":
        return tuple(Dose(k * every, float(group.dose_mg), "iv", float(group.infusion_h)) for k in range(n))
    form = drug.formulation(str(group.formulation))
    amount = float(group.dose_mg) * form["F_rel"].value
    return tuple(Dose(k * every + form["lag"].value, amount, "oral") for k in range(n))


def dose_words(group: pd.Series) -> str:
    """Dose and regimen in words."""
    times = f" x {int(group.n_doses)} every {group.interval_h:g} h" if int(group.n_doses) > 1 else " single dose"
    return f"{group.dose_mg:g} mg {group.formulation if group.route == 'oral' else 'i.v. infusion'}{times}"


def simulate_groups(
    groups: pd.DataFrame,
    profiles: pd.DataFrame,
    base: Mapping[str, Floats],
    activity: pd.DataFrame,
    drug: Drug,
    population: Population,
    model_name: str,
    settings: Settings,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables ``published`` (one model) and ``solver_check``.

    Parameters
    ----------
    groups, profiles : ``resources/observed`` tables. base : parameter vectors by profile.
    activity : table ``priors`` of the groups' CYP2D6 activity. population : draws to use.
    """
    model, n = whole_body(), settings.draws
    rows, checks = [], []
    for _, group in groups.iterrows():
        name = str(group.profile)
        mixture = activity[activity.twin_id == name]
        P = np.tile(base[name], (n, 1))
        P[:, individual_columns()] = individual_draws(
            f"published/{name}", mixture.location.to_numpy(float), mixture.weight.to_numpy(float),
            typical_individual(drug, "CR" if group.formulation == "CR" else "IR"), population, n, settings.master_seed,
        )  # fmt: skip
        points = profiles[profiles.profile == name].sort_values("time_h")
        times = points.time_h.to_numpy(float)
        batch = pack(model, P, [group_doses(group, drug)] * n, [times] * n)
        solved = simulate(model, batch, engine="rosenbrock", rtol=settings.rtol)
        labels = [f"{name}/draw{k}" for k in range(n)]
        checks.append(note_failures(model, batch, solved, labels, f"published/{model_name}"))
        require_some(checks[-1], n, f"published profile {name}")
        good = np.flatnonzero(solved.flag == 0)
        curves = np.array([solved.of(int(k))[:, 0] for k in good]) * NG_ML
        lo, mid, hi = np.quantile(curves, [0.05, 0.5, 0.95], axis=0)
        for j, p in enumerate(records(points)):
            rows.append(
                {
                    "profile": name, "study": group.study, "group": group.group, "dose": dose_words(group),
                    "role": group.role, "model": model_name, "time_h": float(p.time_h), "observed": float(p.conc),
                    "median": float(mid[j]), "lo90": float(lo[j]), "hi90": float(hi[j]),
                }
            )  # fmt: skip
        checks.append(
            crosscheck(
                model,
                batch,
                solved,
                labels,
                stage=f"published/{model_name}",
                rng=generator(settings.master_seed, "crosscheck", f"published/{name}/{model_name}"),
                fraction=settings.crosscheck_fraction,
                limit=settings.crosscheck_rtol,
            )
        )
    return pd.DataFrame(rows), pd.concat([c for c in checks if len(c)], ignore_index=True)
