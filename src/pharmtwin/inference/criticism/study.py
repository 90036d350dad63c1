"""Criticism of a study's fit as tables: the visual predictive checks by use and genotype group, and the chains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.inference.criticism.bins import PER_BIN, bins_for_percentiles
from pharmtwin.inference.criticism.chains import Chains, chain_table, energy_table, rank_table, trace_table
from pharmtwin.inference.criticism.vpc import VpcData, blq_table, prediction_corrected, vpc_data, vpc_table
from pharmtwin.inference.netcdf import load_posterior
from pharmtwin.inference.results import population_names
from pharmtwin.tables import schema

Floats = NDArray[np.float64]
USES = ("fit", "test")
EVERYBODY = "all"
#: twins below which a group has no check of its own: percentiles of a few people are those people
LEAST_TWINS = 5
DRAWN = "drawn"
CHAINS = ("fit_ranks", "fit_traces", "fit_energy", "fit_chains")


@dataclass(frozen=True)
class Part:
    """Samples of one use and group: their rows, and why they have no check ("" where they have one)."""

    use: str
    group: str
    rows: NDArray[np.int64]
    why: str


def parts_of(samples: pd.DataFrame, phenotype: Mapping[str, str]) -> Iterator[Part]:
    """Each use as a whole and by phenotype of the twins; a twin without one is only in the whole."""
    twins = samples["twin_id"].astype(str)
    group = twins.map(dict(phenotype))
    for use in USES:
        mine = (samples["use"] == use).to_numpy()
        names = sorted(set(group[mine].dropna()))
        for name in [EVERYBODY, *names]:
            rows = np.flatnonzero(mine & (True if name == EVERYBODY else (group == name).to_numpy()))
            if not len(rows):
                continue
            n, people = len(rows), twins.iloc[rows].nunique()
            why = ""
            if n < PER_BIN:
                why = f"{n} samples, fewer than {PER_BIN}"
            elif people < LEAST_TWINS and name != EVERYBODY:
                why = f"{people} twins, fewer than {LEAST_TWINS}"
            elif name != EVERYBODY and len(names) == 1 and n == int(mine.sum()):
                why = "all twins are of this group"
            yield Part(use, name, rows, why)


def study_vpc(
    samples: pd.DataFrame, simulated: Floats, asked: int, phenotype: Mapping[str, str]
) -> dict[str, pd.DataFrame]:
    """Tables ``vpc_groups``, ``vpc`` and ``vpc_blq``.

    samples : one row a sample: twin_id, time_h, use, observed, lloq (nan: none), typical (ng/mL). simulated :
    (studies, samples), whole simulated studies; asked : how many were to be. phenotype : by twin, what groups them.

    Percentiles of the concentrations as they are and prediction corrected (by ``typical``), bins of about equal counts.
    A value below its limit of quantification is ranked below the others. A group that is too small has a row in
    ``vpc_groups`` that says so.
    """
    groups: list[tuple[object, ...]] = []
    tables: dict[str, list[pd.DataFrame]] = {"vpc": [], "vpc_blq": []}
    for part in parts_of(samples, phenotype):
        own = samples.iloc[part.rows]
        below = (own["observed"] < own["lloq"]).to_numpy()
        limit = own["lloq"].to_numpy(float)
        state = part.why
        if not state:
            try:
                made = _checks(own, simulated[:, part.rows], below, limit)
            except ValueError as error:  # too few studies, no finite prediction
                state = str(error)
            else:
                for name, table in made.items():
                    tables[name].append(table.assign(use=part.use, group=part.group))
        n_limit = int(np.isfinite(limit).sum())
        simulated_below = float((simulated[:, part.rows] < limit).mean()) if n_limit and len(simulated) else np.nan
        groups.append(
            (part.use, part.group, own["twin_id"].nunique(), len(own), int(below.sum()), n_limit, simulated_below,
             len(simulated), asked, state or DRAWN)
        )  # fmt: skip
    out = {"vpc_groups": pd.DataFrame(groups, columns=schema("vpc_groups").names)}
    for name, made_tables in tables.items():
        names = schema(name).names
        out[name] = pd.concat(made_tables, ignore_index=True)[names] if made_tables else _empty(name)
    return out


def _checks(own: pd.DataFrame, simulated: Floats, below: NDArray[np.bool_], limit: Floats) -> dict[str, pd.DataFrame]:
    """VPC, as it is and prediction corrected, and shares below the limit, of one group."""
    x = own["time_h"].to_numpy(float)
    observed = np.where(below, np.nan, own["observed"].to_numpy(float))
    data: VpcData = vpc_data(observed, simulated, x, bins_for_percentiles(x), below=below, lloq=limit)
    plain = vpc_table(data).assign(corrected=False)
    corrected = vpc_table(prediction_corrected(data, own["typical"].to_numpy(float))).assign(corrected=True)
    return {
        "vpc": pd.concat([plain, corrected], ignore_index=True),
        "vpc_blq": blq_table(data) if np.isfinite(limit).any() else _empty("vpc_blq"),
    }


def phenotype_of(genotype: pd.DataFrame, gene: str) -> dict[str, str]:
    """Most probable phenotype of each twin (table ``genotype``), over all its diplotypes."""
    rows = genotype[genotype["gene"] == gene]
    share = rows.groupby(["twin_id", "phenotype"])["probability"].sum().reset_index()
    share = share.sort_values(["probability", "phenotype"], ascending=[False, True], kind="stable")
    top = share.drop_duplicates("twin_id")
    return dict(zip(top["twin_id"].astype(str), top["phenotype"].astype(str)))


def read_chains(path: Path) -> Chains:
    """Draws of the population parameters, energies and divergences from ``fit/posterior.nc``."""
    found = load_posterior(path)
    draws = {label: found.posterior[name].values for name, label in population_names().items()}
    stats = found.sample_stats
    return Chains(draws, stats["energy"].values, stats["diverging"].values.astype(bool))


def chain_tables(chains: Chains | None) -> dict[str, pd.DataFrame]:
    """Tables ``CHAINS`` of a fit; without rows where there was none."""
    if chains is None:
        return {name: _empty(name) for name in CHAINS}
    made = (rank_table(chains.draws), trace_table(chains), energy_table(chains.energy), chain_table(chains))
    return dict(zip(CHAINS, made, strict=True))


def _empty(name: str) -> pd.DataFrame:
    return pd.DataFrame({c: [] for c in schema(name).names})
