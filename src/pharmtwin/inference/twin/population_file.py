"""Draws of a population posterior from a file: NetCDF of ``pharmtwin population``, or a table with a row a draw.

Columns (variables) have the names of the model's parameters: fixed effects, ``sd_EFFECT`` of random effects,
``corr_EFFECT_EFFECT`` where correlations were estimated, residuals. What the model's file fixes may be missing.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.findings import Finding
from pharmtwin.inference.models.description import CORRELATION, SD, PopulationModel
from pharmtwin.inference.twin.population import PopulationDraws, bounds
from pharmtwin.untrusted import read_bytes

Floats = NDArray[np.float64]
#: columns of a table of draws that are no parameters
COUNTERS = ("chain", "draw")
#: draws of the population below which their number is remarked
FEW = 100


def read_population(path: str, model: PopulationModel, most: int) -> tuple[PopulationDraws | None, list[Finding]]:
    """At most ``most`` draws, evenly spread over the file, and all that is wrong (None if it is an error).

    Not good enough a fit is an error: a person's prior may not rest on it.
    """
    notes = _Notes(path)
    values, about = _table(path, notes)
    if values is None:
        return None, notes.findings
    if about is None:
        notes.say("unjudged", "a table does not say whether the fit was good", "the prior is as good as the fit",
                  "look at its checks, or use the .nc file", severity="warning")  # fmt: skip
    else:
        _judge(about, model, notes)
    draws = _draws(values, model, most, notes)
    return (None if any(f.severity == "error" for f in notes.findings) else draws), notes.findings


class _Notes:
    """Collects findings on the file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.findings: list[Finding] = []

    def say(self, rule: str, what: str, why: str, fix: str, column: str = "", severity: str = "error") -> None:
        """One finding more."""
        self.findings.append(
            Finding.create(f"population.{rule}", self.path, what, why, fix, column=column, severity=severity)
        )


def _table(path: str, notes: _Notes) -> tuple[dict[str, Floats] | None, Mapping[str, object] | None]:
    """Scalars by name, one value a draw, and what the file says of itself (None: a table says nothing)."""
    try:
        if Path(path).suffix == ".nc":
            import xarray as xr

            with xr.open_dataset(path, group="posterior", engine="h5netcdf") as data:
                scalar = [str(n) for n in data.data_vars if set(data[n].dims) == {"chain", "draw"}]
                found = {n: data[n].transpose("chain", "draw").values.astype(float).ravel() for n in scalar}
                return found, dict(data.attrs)
        table = pd.read_csv(io.BytesIO(read_bytes(path)), sep="," if Path(path).suffix == ".csv" else "\t")
        own = [c for c in table.columns if c not in COUNTERS and "[" not in str(c)]
        return {str(c): pd.to_numeric(table[c], errors="coerce").to_numpy(float) for c in own}, None
    except (OSError, ValueError, KeyError, pd.errors.ParserError) as error:
        notes.say("file", f"cannot be read ({type(error).__name__})", "the prior is unknown",
                  "give posterior.nc or draws.tsv of `pharmtwin population`")  # fmt: skip
        return None, None


def _judge(about: Mapping[str, object], model: PopulationModel, notes: _Notes) -> None:
    """Was the fit good, and of these equations?"""
    verdict = str(about.get("verdict", "not stated"))
    if verdict != "good":
        notes.say("verdict", f"its fit is not good: {verdict}", "a prior from it may be wrong",
                  "fit again (more draws, a higher cap), or compare the fast approximation with NUTS")  # fmt: skip
    if about.get("digest", "") != model.structure.digest:
        notes.say("equations", f"the fit was of {about.get('model', 'a model without name')}, whose equations are "
                  "others than those of this model file", "equal names may mean other quantities",
                  "use the model file of the fit", severity="warning")  # fmt: skip


def _draws(values: Mapping[str, Floats], model: PopulationModel, most: int, notes: _Notes) -> PopulationDraws | None:
    """Draws in the model's order."""
    n = len(next(iter(values.values()), ()))
    if not n:
        notes.say("empty", "holds no draws", "the prior is unknown", "give the posterior of a fit")
        return None
    if n < FEW:
        notes.say("few", f"holds {n} draws only", "the population's uncertainty is known roughly",
                  "give more draws", severity="warning")  # fmt: skip
    kept = np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))
    used: set[str] = set()

    def column(name: str, stated: float, fixed: bool) -> Floats:
        used.add(name)
        if name in values:
            if not np.isfinite(values[name]).all():
                notes.say("number", "holds what is no finite number", "draws go together", "correct it", name)
            return values[name][kept]
        if not fixed:
            notes.say("missing", "is not in the file", "the model's file does not fix it",
                      "use the model file of the fit", name)  # fmt: skip
        return np.full(len(kept), stated)

    fixed = [column(f.name, f.value, f.fixed) for f in model.fixed]
    sd = [column(SD.format(r.name), np.sqrt(r.variance), r.fixed) for r in model.random]
    sigma = [column(r.name, r.value, r.fixed) for r in model.residuals]
    omega = np.einsum("si,sj->sij", np.array(sd).T, np.array(sd).T) if sd else np.zeros((len(kept), 0, 0))
    omega = omega * _correlations(model, values, kept, used)
    for name in sorted(set(values) - used):
        notes.say("unknown", "is no parameter of this model", "the fit was of another model",
                  "use the model file of the fit", name)  # fmt: skip
    for f, own in zip(model.fixed, fixed, strict=True):
        low, high = bounds(f)
        if not f.fixed and not np.all((own > low) & (own < high)):
            notes.say("bounds", f"has draws outside of {low:g} to {high:g}", "the model's file does not allow them",
                      "use the model file of the fit", f.name)  # fmt: skip
    positive = [(SD.format(r.name), v) for r, v in zip(model.random, sd, strict=True)]
    positive += [(r.name, v) for r, v in zip(model.residuals, sigma, strict=True)]
    for name, own in positive:
        if np.any(own < 0):
            notes.say("negative", "has draws below 0", "it is a standard deviation", "correct it", name)
    shape = (len(kept), len(model.residuals))
    return PopulationDraws(np.array(fixed).T.reshape(len(kept), -1), omega, np.array(sigma).T.reshape(shape))


def _correlations(
    model: PopulationModel, values: Mapping[str, Floats], kept: NDArray[np.int64], used: set[str]
) -> Floats:
    """Correlation matrices (S, k, k): those of the file, else that of the model."""
    names = [r.name for r in model.random]
    own = np.sqrt(np.diagonal(model.omega))
    scale = np.where(own > 0, own, 1.0)
    R = np.tile(np.where(np.eye(len(names)) > 0, 1.0, model.omega / scale / scale[:, None]), (len(kept), 1, 1))
    for group in (model.of_subject, model.of_occasion):
        for i, a in enumerate(group):
            for b in group[i + 1 :]:
                name = CORRELATION.format(a.name, b.name)
                if name in values:
                    used.add(name)
                    p, q = names.index(a.name), names.index(b.name)
                    R[:, p, q] = R[:, q, p] = values[name][kept]
    return R
