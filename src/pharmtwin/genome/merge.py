"""Calls of several VCF files put together for the twins that name them.

A twin's genes may come from one file or from several (one a gene); two files may use the same sample
name for different people. Samples are therefore renamed to ``<files>#<sample>``, and each gene is taken
from the file of the twin that assays most of its positions.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

Frames = Mapping[str, tuple[pd.DataFrame, pd.DataFrame]]


def merge_files(frames: Frames, twins: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Tables ``calls`` and ``sites`` with unique sample names, and ``twins`` renamed to fit.

    Parameters
    ----------
    frames : path of a VCF -> (calls, sites).
    twins : twin_id, vcf (paths joined by ``;``), sample, ancestry.

    Raises
    ------
    KeyError : a twin names a file that is not in ``frames``.
    """
    calls_out: list[pd.DataFrame] = []
    sites_out: list[pd.DataFrame] = []
    for files, mine in twins[twins["vcf"] != ""].groupby("vcf", sort=True):
        parts = str(files).split(";")
        missing = [p for p in parts if p not in frames]
        if missing:
            raise KeyError(f"no calls for {missing}")
        wanted = set(mine["sample"])
        sites = pd.concat([frames[p][1].assign(_file=p) for p in parts], ignore_index=True)
        sites = sites[sites["sample"].isin(wanted)].sort_values(
            ["sample", "gene", "n_observed", "_file"], kind="stable"
        )
        best = sites.groupby(["sample", "gene"], sort=True).tail(1)
        calls = pd.concat([frames[p][0].assign(_file=p) for p in parts], ignore_index=True)
        calls = calls.merge(best[["sample", "gene", "_file"]], on=["sample", "gene", "_file"])
        for frame, out in ((calls, calls_out), (best, sites_out)):
            out.append(frame.assign(sample=f"{files}#" + frame["sample"].astype(str)).drop(columns="_file"))
    renamed = twins.assign(sample=(twins["vcf"] + "#" + twins["sample"]).where(twins["vcf"] != "", twins["sample"]))
    empty = next(iter(frames.values())) if frames else (pd.DataFrame(), pd.DataFrame())
    return (
        pd.concat(calls_out, ignore_index=True) if calls_out else empty[0].iloc[:0],
        pd.concat(sites_out, ignore_index=True) if sites_out else empty[1].iloc[:0],
        renamed,
    )
