"""A made-up fit and study for tests of its criticism: four chains of nine parameters, and replicates of the study."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.inference.criticism.chains import Chains
from pharmtwin.inference.criticism.study import chain_tables, study_vpc

PARAMETERS = ("CLint_per_AS", "CLint_other", "Kp_scale", "MTT", "omega_CYP2D6", "omega_Kp", "sigma_prop")


def make_chains(n: int = 400, chains: int = 4, seed: int = 3, divergent: int = 0) -> Chains:
    """Independent draws; the first two parameters are correlated."""
    rng = np.random.default_rng(seed)
    z = {p: rng.normal(size=(chains, n)) for p in PARAMETERS}
    z["CLint_other"] = -0.8 * z["CLint_per_AS"] + 0.6 * z["CLint_other"]
    diverging = np.zeros((chains, n), dtype=bool)
    diverging[0, 7 : 7 + divergent] = True
    return Chains({p: np.exp(0.2 * v) for p, v in z.items()}, rng.gamma(4.0, 2.0, size=(chains, n)), diverging)


def make_study(
    people: int = 40, seed: int = 5, studies: int = 500, lloq: float = np.nan, shift: float = 0.0
) -> tuple[pd.DataFrame, np.ndarray, dict[str, str]]:
    """Samples, replicates and phenotypes of a study that was simulated by the model itself, ``shift`` aside."""
    rng = np.random.default_rng(seed)
    times = np.array([1.0, 2.0, 4.0, 8.0, 12.0, 24.0])
    twin = np.repeat([f"PT-{i + 1:04d}" for i in range(people)], len(times))
    dose = np.repeat(np.where(np.arange(people) % 2, 2.0, 1.0), len(times))
    typical = 10.0 * dose * np.exp(-0.1 * np.tile(times, people))

    def draw() -> np.ndarray:
        person = np.repeat(rng.normal(0, 0.4, people), len(times))
        return np.asarray(typical * np.exp(person + rng.normal(0, 0.15, len(typical))))

    samples = pd.DataFrame(
        {
            "twin_id": twin, "time_h": np.tile(times, people),
            "use": np.where(np.tile(times, people) < 24, "fit", "test"),
            "observed": draw() * np.exp(shift), "lloq": lloq, "typical": typical,
        }
    )  # fmt: skip
    names = ("Normal Metabolizer", "Intermediate Metabolizer", "Poor Metabolizer")
    phenotype = {f"PT-{i + 1:04d}": names[0 if i < people // 2 else 1 if i < people - 2 else 2] for i in range(people)}
    return samples, np.array([draw() for _ in range(studies)]), phenotype


def criticism_tables(divergent: int = 0, lloq: float = np.nan) -> dict[str, Any]:
    """Keyword arguments of ``ReportInputs.create``: all tables of the criticism."""
    samples, simulated, phenotype = make_study(lloq=lloq)
    vpc = study_vpc(samples, simulated, len(simulated), phenotype)
    return {**chain_tables(make_chains(divergent=divergent)), **vpc}
