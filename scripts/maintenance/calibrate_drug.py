"""Estimate the "estimated" values of a drug file from published mean profiles with role "building".

    python scripts/maintenance/calibrate_drug.py paroxetine

Least squares (soft L1) on log concentrations, each profile with the same weight, for the typical subject of
each group; weak priors (sd of the logarithm) hold what the profiles do not determine. Extensive metabolisers
without a genotype have the mean clearance of the activity scores 1 to 2.25 in Europeans. Profiles with role
"verification" (all groups by CYP2D6 activity score) are never read here. Prints the values to write into
the drug file with their standard errors; nothing is written.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.optimize import least_squares

from pharmtwin.body.physiology import physiology
from pharmtwin.core.assembly import assemble
from pharmtwin.core.drug import load_drug
from pharmtwin.core.exposure import NG_ML
from pharmtwin.core.whole_body import whole_body
from pharmtwin.engine.run import pack, simulate
from pharmtwin.facts import fact_table
from pharmtwin.genome.groups import group_activity
from pharmtwin.pbpk.published import covariates, group_doses

FREE = {"Vmax_CYP2D6": 0.7, "CLint_other": 0.7, "Kp_scale": 0.7, "MTT": 0.7, "KI_CYP2D6": 1.0}
KEYS = {
    "Vmax_CYP2D6": "metabolism.CYP2D6_kcat",
    "CLint_other": "metabolism.CLint_other",
    "Kp_scale": "distribution.Kp_scale",
    "KI_CYP2D6": "metabolism.CYP2D6_KI",
}
PRIOR_WEIGHT = 0.2


def main(name: str) -> None:
    """Run the estimation and print it."""
    drug, model = load_drug(name), whole_body()
    groups = fact_table(f"observed/{name}_groups.tsv").query("role == 'building'").reset_index(drop=True)
    points = fact_table(f"observed/{name}_profiles.tsv")
    base = assemble(drug, physiology(covariates(groups, fact_table("physiology/reference_bodies.tsv"))))
    activity = group_activity(groups, "mean_curve")
    activity = (activity.weight * activity.location).groupby(activity.twin_id).sum()
    names = model.parameter_names
    data = [points[points.profile == g].sort_values("time_h") for g in groups.profile]

    def residuals(x: np.ndarray) -> np.ndarray:
        P = []
        for g in groups.profile:
            p = base[g].copy()
            for parameter, v in zip(FREE, x, strict=True):
                p[names.index(parameter)] *= np.exp(v)
            p[names.index("f_CYP2D6")] = activity[g]
            P.append(p)
        doses = [group_doses(row, drug) for _, row in groups.iterrows()]
        solved = simulate(model, pack(model, P, doses, [d.time_h.to_numpy(float) for d in data]), engine="rosenbrock")
        out = [x / np.array(list(FREE.values())) * PRIOR_WEIGHT]
        for k, d in enumerate(data):
            log_ratio = np.log(np.maximum(solved.of(k)[:, 0] * NG_ML, 1e-6) / d.conc.to_numpy(float))
            out.append(np.clip(log_ratio, -3, 3) / np.sqrt(len(d)))
        return np.concatenate(out)

    fit = least_squares(residuals, np.zeros(len(FREE)), loss="soft_l1", bounds=(-4, 4))
    covariance = np.linalg.inv(fit.jac.T @ fit.jac) * 2 * fit.cost / max(1, len(data) - len(FREE))
    for k, parameter in enumerate(FREE):
        value = drug.formulation("IR")["MTT"].value if parameter == "MTT" else drug[KEYS[parameter]]
        print(f"{parameter:14s} {value * np.exp(fit.x[k]):10.4g}  se(log) {np.sqrt(covariance[k, k]):.2f}")
    each = [
        np.mean(np.abs(r)) * np.sqrt(len(r))
        for r in np.split(fit.fun[len(FREE) :], np.cumsum([len(d) for d in data])[:-1])
    ]
    print(f"GMFE over {len(data)} building profiles: {np.exp(np.mean(each)):.2f}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "paroxetine")
