"""Calls of several files put together: whose sample, which file, under which name."""

from __future__ import annotations

import pandas as pd
import pytest

from pharmtwin.genome.merge import merge_files
from pharmtwin.tables import conform


def file(*rows: tuple[str, str, str, int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A file's calls and sites from (sample, gene, diplotype, n_observed)."""
    calls = pd.DataFrame(
        [{"sample": s, "gene": g, "ancestry": "EUR", "diplotype": d, "probability": 1.0} for s, g, d, _ in rows]
    )
    sites = pd.DataFrame(
        [
            {
                "sample": s, "gene": g, "n_sites": 10, "n_observed": n, "n_reference_by_declaration": 0,
                "status": "called", "reason": "", "n_reference_by_evidence": 0, "not_callable": "", "phase": "",
                "phase_blocks": "", "phase_probability": 1.0, "unknown_alternates": "", "shown": "", "definitions": "",
                "n_not_assayed": 10 - n, "not_assayed": "", "phasing": "gt", "structure": "not_assessed",
                "unexplained": 0,
            }
            for s, g, _, n in rows
        ]
    )  # fmt: skip
    return calls, sites


def twins(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["twin_id", "vcf", "sample"]).assign(ancestry="EUR")


def diplotypes(calls: pd.DataFrame) -> dict[tuple[str, str], str]:
    return {(str(s), str(g)): str(d) for s, g, d in zip(calls["sample"], calls.gene, calls.diplotype)}


def test_same_sample_name_in_two_files_is_two_people() -> None:
    frames = {"a.vcf": file(("S1", "CYP2D6", "*1/*1", 9)), "b.vcf": file(("S1", "CYP2D6", "*4/*4", 9))}
    calls, sites, renamed = merge_files(frames, twins(("t1", "a.vcf", "S1"), ("t2", "b.vcf", "S1")))
    assert renamed["sample"].tolist() == ["a.vcf#S1", "b.vcf#S1"]
    assert diplotypes(calls) == {("a.vcf#S1", "CYP2D6"): "*1/*1", ("b.vcf#S1", "CYP2D6"): "*4/*4"}
    conform("calls", calls)
    conform("sites", sites)


def test_each_gene_comes_from_the_file_that_assays_most_of_it() -> None:
    frames = {
        "a.vcf": file(("S1", "CYP2D6", "*1/*1", 0), ("S1", "CYP2C19", "*2/*2", 8)),
        "b.vcf": file(("S1", "CYP2D6", "*4/*4", 9), ("S1", "CYP2C19", "*1/*1", 1)),
    }
    for order in ("a.vcf;b.vcf", "b.vcf;a.vcf"):
        calls, sites, renamed = merge_files(frames, twins(("t1", order, "S1")))
        key = f"{order}#S1"
        assert renamed["sample"].tolist() == [key]
        assert diplotypes(calls) == {(key, "CYP2D6"): "*4/*4", (key, "CYP2C19"): "*2/*2"}
        assert dict(zip(sites.gene, sites.n_observed)) == {"CYP2D6": 9, "CYP2C19": 8}
        assert not {"_file"} & {*calls.columns, *sites.columns}


def test_only_samples_that_a_twin_names_are_kept() -> None:
    frames = {"a.vcf": file(("S1", "CYP2D6", "*1/*1", 9), ("S2", "CYP2D6", "*2/*2", 9))}
    calls, sites, _ = merge_files(frames, twins(("t1", "a.vcf", "S2")))
    assert calls["sample"].tolist() == ["a.vcf#S2"] == sites["sample"].tolist()


def test_several_candidates_of_one_sample_stay_together() -> None:
    calls, sites = file(("S1", "CYP2D6", "*1/*1", 9))
    calls = pd.concat([calls.assign(probability=0.7), calls.assign(diplotype="*1/*2", probability=0.3)])
    got, _, _ = merge_files({"a.vcf": (calls, sites)}, twins(("t1", "a.vcf", "S1"), ("t2", "a.vcf", "S1")))
    assert got.probability.tolist() == [0.7, 0.3]  # two twins on one sample do not double its calls


def test_a_file_without_calls_is_named() -> None:
    with pytest.raises(KeyError, match=r"b\.vcf"):
        merge_files({"a.vcf": file(("S1", "CYP2D6", "*1/*1", 9))}, twins(("t1", "a.vcf;b.vcf", "S1")))


def test_twins_without_a_file_keep_their_name_and_get_no_calls() -> None:
    frames = {"a.vcf": file(("S1", "CYP2D6", "*1/*1", 9))}
    calls, sites, renamed = merge_files(frames, twins(("t1", "", "")))
    assert renamed["sample"].tolist() == [""]
    assert calls.empty and sites.empty, "nobody's calls are nobody's"
    calls, _, renamed = merge_files(frames, twins(("t1", "", "x"), ("t2", "a.vcf", "S1")))
    assert renamed["sample"].tolist() == ["x", "a.vcf#S1"] and calls["sample"].tolist() == ["a.vcf#S1"]
