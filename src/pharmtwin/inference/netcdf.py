"""Draws in a file: NetCDF for ArviZ, the same bytes for the same draws."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pharmtwin.files import replace_atomically


def save_posterior(posterior: Any, path: Path, about: Mapping[str, str] | None = None) -> None:
    """Write all draws of an ArviZ InferenceData without clock or host, so that equal draws give equal bytes.

    about : attributes of the group ``posterior``. A group that is not there is left out.
    """
    import arviz as az

    groups = {}
    for name in ("posterior", "sample_stats"):
        if name not in posterior.groups():
            continue
        group = getattr(posterior, name).copy()
        keep = [v for v in group.data_vars if group[v].dtype.kind in "fiub"]
        group = group[keep]
        group.attrs = dict(about or {}) if name == "posterior" else {}
        groups[name] = group
    idata = az.InferenceData(**groups)
    idata.attrs.clear()
    replace_atomically(path, lambda p: idata.to_netcdf(str(p), engine="h5netcdf"))


def load_posterior(path: Path) -> Any:
    """The InferenceData of :func:`save_posterior`."""
    import arviz as az

    return az.from_netcdf(str(path), engine="h5netcdf")
