"""Did the sampler work? Figures of every parameter, and the table by which a fit may be called good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pharmtwin.inference.criticism.arviz_door import chain_diagnostics, energy_bfmi
from pharmtwin.inference.criticism.limits import judged

Floats = NDArray[np.float64]
PARAMETER_COLUMNS = ["parameter", "mean", "sd", "rhat", "ess_bulk", "ess_tail", "mcse_mean", "mcse_sd"]
#: check -> (column, whether the largest value is the worst one)
WORST = {
    "max_rhat": ("rhat", True),
    "min_ess_bulk": ("ess_bulk", False),
    "min_ess_tail": ("ess_tail", False),
    "max_mcse_mean": ("mcse_mean", True),
    "max_mcse_sd": ("mcse_sd", True),
}


@dataclass(frozen=True)
class SamplerRun:
    """What the sampler says of its own run; what is left out (None) counts as not looked at, hence as not passed.

    diverging (chains, draws) bool; energy (chains, draws); depth (chains, draws) depth of the trees;
    max_depth : the depth at which trees are cut; solver_failures : failed solves among the kept draws.
    """

    diverging: ArrayLike | None = None
    energy: ArrayLike | None = None
    depth: ArrayLike | None = None
    max_depth: int | None = None
    solver_failures: int | None = None


def parameter_table(draws: Mapping[str, ArrayLike]) -> pd.DataFrame:
    """One row for each scalar quantity: mean, sd, R-hat, bulk and tail ESS, Monte-Carlo errors of mean and sd.

    draws : by name, (chains, draws) or (chains, draws, n); elements of the latter are named ``name[0]`` and so on.
    A quantity that never moves has nan, and then fails: leave fixed quantities out. Raises ValueError if the
    numbers of chains or draws differ, or if there is nothing to look at.
    """
    names: list[str] = []
    blocks: list[Floats] = []
    for name, values in draws.items():
        block = np.asarray(values, dtype=float)
        if block.ndim not in (2, 3):
            raise ValueError(f"{name}: draws must be (chains, draws) or (chains, draws, n), not {block.shape}")
        names += [name] if block.ndim == 2 else [f"{name}[{i}]" for i in range(block.shape[2])]
        blocks.append(block[..., None] if block.ndim == 2 else block)
    if len({b.shape[:2] for b in blocks}) != 1:
        raise ValueError("all draws must have the same numbers of chains and of draws, and there must be some")
    all_draws = np.concatenate(blocks, axis=2)
    figures = chain_diagnostics(all_draws)
    flat = all_draws.reshape(-1, len(names))
    table = pd.DataFrame({"parameter": names, "mean": flat.mean(axis=0), "sd": flat.std(axis=0, ddof=1), **figures})
    return table[PARAMETER_COLUMNS]


def diagnostic_rows(table: pd.DataFrame, run: SamplerRun, n_chains: int) -> pd.DataFrame:
    """The table of ``limits.judged`` for the sampler: check, value, limit, passed, worst.

    table : of ``parameter_table``; its Monte-Carlo errors are judged relative to the posterior sd.
    Where any parameter has nan the value is nan, and the parameter is named.
    """
    values: dict[str, tuple[float, str]] = {"chains": (float(n_chains), "")}
    for check, (column, largest) in WORST.items():
        figure = table[column].to_numpy(float)
        if column.startswith("mcse"):
            figure = figure / table["sd"].to_numpy(float)
        values[check] = _worst(figure, table["parameter"].astype(str).to_list(), largest)
    if run.diverging is not None:
        values["divergences"] = (float(np.sum(np.asarray(run.diverging, dtype=bool))), "")
    if run.energy is not None:
        bfmi = energy_bfmi(np.asarray(run.energy, dtype=float))
        values["min_e_bfmi"] = _worst(bfmi, [f"chain {i}" for i in range(len(bfmi))], largest=False)
    if run.depth is not None and run.max_depth is not None:
        values["max_treedepth_hits"] = (float(np.sum(np.asarray(run.depth) >= run.max_depth)), "")
    if run.solver_failures is not None:
        values["solver_failures"] = (float(run.solver_failures), "")
    return judged("sampler", values)


def _worst(figure: Floats, names: list[str], largest: bool) -> tuple[float, str]:
    """Worst figure and its owner; nan is worse than anything."""
    if len(figure) == 0:
        return float("nan"), "nothing to look at"
    bad = np.where(np.isnan(figure), np.inf, figure if largest else -figure)
    i = int(np.argmax(bad))
    return float(figure[i]), names[i]
