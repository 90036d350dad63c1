"""Genome stage against peers and truth: PharmCAT 3.1.1, GeT-RM, Cyrius, the 1000 Genomes phased panel.

Run with ``pytest tests/reference -m reference -s`` to see the figures.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pharmtwin.genome.caller import call_gene, call_vcf
from pharmtwin.genome.definitions import ANCESTRIES, GENES, diplotype
from pharmtwin.genome.haplotypes import Panel, count_configurations
from pharmtwin.genome.structure import Structures
from pharmtwin.genome.vcf import SiteCalls, read_sites

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "pgx"
VCF = DATA / "pharmcat_positions_1kgp_observed.vcf.gz"
NO_STRUCTURE = Structures(np.zeros(6), {}, np.zeros(6))

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not VCF.exists(), reason="reference data ../shared/data/pgx is not beside the checkout"),
]


@pytest.fixture(scope="module")
def declared() -> dict[str, SiteCalls]:
    return read_sites(VCF, GENES, absent="reference")


@pytest.fixture(scope="module")
def samples() -> pd.DataFrame:
    return pd.read_csv(DATA / "samples.tsv", sep="\t", dtype=str).set_index("sample")


def unphased(calls: SiteCalls) -> SiteCalls:
    return dataclasses.replace(calls, block=np.full_like(calls.block, -1))


def subset(calls: SiteCalls, rows: np.ndarray) -> SiteCalls:
    return dataclasses.replace(
        calls,
        samples=tuple(np.array(calls.samples)[rows]),
        alleles=calls.alleles[rows].copy(),
        block=calls.block[rows].copy(),
    )


def top(calls: pd.DataFrame, ancestry: str = "ALL") -> pd.Series:
    return calls[calls["ancestry"] == ancestry].drop_duplicates("sample").set_index("sample")["diplotype"]


def peer(name: str) -> pd.DataFrame:
    frame = pd.read_csv(DATA / "peer_calls" / name, sep="\t", dtype=str)
    return frame[frame["diplotypes"].notna()]


def tandem(text: str) -> str:
    """GeT-RM's ``*10+36x2`` in our writing, ``*36+*36+*10`` (hybrids first)."""
    sides = []
    for side in text.split("/"):
        parts = []
        for part in side.split("+"):
            name, _, copies = part.lstrip("*").partition("x")
            parts += [f"*{name}"] * int(copies or 1) if "+" in side else ["*" + part.lstrip("*")]
        sides.append("+".join(sorted(parts, key=lambda a: a not in ("*13", "*36", "*68"))))
    return written("/".join(sides))


def written(text: str) -> str:
    return diplotype(*text.split("/")) if text.count("/") == 1 else text


@pytest.mark.parametrize("gene", GENES)
def test_same_diplotype_as_pharmcat_on_phased_data(gene: str, declared: dict[str, SiteCalls]) -> None:
    """Every unambiguous PharmCAT call (absent positions filled with reference) is ours too."""
    calls, _ = call_gene(declared[gene], structures=NO_STRUCTURE)
    mine = top(calls)
    for name in ("calls_pharmcat311_getrm122_phased.tsv", "calls_pharmcat311_1kgp_first574_13genes.tsv.gz"):
        theirs = peer(name)
        theirs = theirs[(theirs["gene"] == gene) & theirs["sample"].isin(mine.index)]
        wrong = [(s, mine[s], d) for s, d in zip(theirs["sample"], theirs["diplotypes"]) if mine[s] != written(d)]
        print(f"{gene} {name}: {len(theirs) - len(wrong)}/{len(theirs)} equal to PharmCAT 3.1.1")
        assert not wrong


@pytest.mark.parametrize("gene", GENES)
def test_unphased_call_is_among_pharmcats_candidates(gene: str, declared: dict[str, SiteCalls]) -> None:
    calls, _ = call_gene(unphased(declared[gene]), structures=NO_STRUCTURE)
    mine = top(calls)
    theirs = peer("calls_pharmcat311_getrm122_unphased.tsv")
    theirs = theirs[theirs["gene"] == gene]
    inside = [mine[s] in [written(x) for x in d.split(";")] for s, d in zip(theirs["sample"], theirs["diplotypes"])]
    several = theirs["diplotypes"].str.contains(";").sum()
    print(f"{gene} unphased: {sum(inside)}/{len(inside)} among PharmCAT's candidates ({several} with several)")
    assert all(inside)


@pytest.mark.parametrize("gene,floor", [("CYP2C19", 1.0), ("CYP2C9", 0.95), ("CYP3A5", 1.0), ("SLCO1B1", 0.9)])
def test_getrm_truth(gene: str, floor: float, declared: dict[str, SiteCalls]) -> None:
    """SLCO1B1 truth is legacy nomenclature: *37 did not exist and was written *1."""
    calls, _ = call_gene(declared[gene])
    mine = top(calls)
    truth = pd.read_csv(DATA / "truth_getrm.tsv", sep="\t", dtype=str)
    truth = truth[(truth["gene"] == gene) & truth["sample"].isin(mine.index) & truth["accepted_diplotypes"].notna()]

    def legacy(text: str) -> str:
        return written(text.replace("*37", "*1")) if gene == "SLCO1B1" else written(text)

    right = [
        legacy(mine[s]) in {legacy(x) for x in accepted.split(";")}
        for s, accepted in zip(truth["sample"], truth["accepted_diplotypes"])
    ]
    print(f"{gene}: {sum(right)}/{len(right)} equal to GeT-RM")
    assert np.mean(right) >= floor


def test_cyp2d6_truth_gets_probability(declared: dict[str, SiteCalls], samples: pd.DataFrame) -> None:
    """Structure cannot be seen, but the truth must stay possible and the posterior be calibrated."""
    calls, _ = call_gene(declared["CYP2D6"], min_probability=0)
    truth = pd.read_csv(DATA / "truth_getrm.tsv", sep="\t", dtype=str)
    truth = truth[(truth["gene"] == "CYP2D6") & truth["sample"].isin(calls["sample"].unique())]
    table = calls.set_index(["sample", "ancestry", "diplotype"])["probability"].sort_index()
    rows = []
    for row in truth.itertuples():
        ancestry = row.super_pop if row.super_pop in ANCESTRIES else "ALL"
        accepted = {tandem(x) for x in str(row.accepted_diplotypes).split(";")}
        mine = table.loc[(row.sample, ancestry)]
        rows.append((row.has_sv == "1", float(sum(mine.get(a, 0.0) for a in accepted)), mine.idxmax() in accepted))
    out = pd.DataFrame(rows, columns=["sv", "p", "top"])
    print(
        out.groupby("sv").agg(
            n=("p", "size"), mean_p=("p", "mean"), top=("top", "sum"), excluded=("p", lambda p: (p == 0).sum())
        )
    )
    assert out.loc[~out["sv"], "p"].mean() > 0.5


@pytest.mark.parametrize(
    "gene,floor", [("CYP2D6", 0.96), ("CYP2C19", 0.98), ("CYP2C9", 0.9), ("CYP3A5", 0.99), ("SLCO1B1", 0.95)]
)
def test_phase_from_the_panel_on_held_out_samples(
    gene: str, floor: float, declared: dict[str, SiteCalls], samples: pd.DataFrame
) -> None:
    """Panel built from one half of the 2,504 samples, phase removed from the other half (two or more het sites)."""
    found = declared[gene]
    meta = samples.reindex(list(found.samples))
    unrelated = (meta["in_1kgp_2504"] == "1").to_numpy()
    even = np.arange(len(meta)) % 2 == 0
    train, test = np.flatnonzero(unrelated & even), np.flatnonzero(unrelated & ~even)
    haplotypes = found.alleles[train].transpose(0, 2, 1).reshape(-1, found.alleles.shape[1])
    counts = count_configurations(found.definition, haplotypes, meta["super_pop"].to_numpy()[train].repeat(2))
    panel = Panel.create(counts, gene)
    several = (found.alleles[test, :, 0] != found.alleles[test, :, 1]).sum(axis=1) >= 2
    part = subset(found, test[several])
    truth = top(call_gene(part, structures=NO_STRUCTURE)[0])
    guess, _ = call_gene(unphased(part), panel=panel, structures=NO_STRUCTURE)
    own = pd.Series(meta["super_pop"].to_dict())
    mine = guess[guess["ancestry"] == guess["sample"].map(own)]
    best = mine.drop_duplicates("sample").set_index("sample")
    right = best["diplotype"] == truth.reindex(best.index)
    pooled = (top(guess) == truth).mean()
    print(
        f"{gene} held out, unphased: {right.sum()}/{len(right)} = {right.mean():.4f} (pooled {pooled:.4f}); "
        f"mean probability of the top call {best['probability'].mean():.4f}"
    )
    assert right.mean() >= floor


def test_cyp2d6_structure_is_calibrated_against_cyrius(declared: dict[str, SiteCalls], samples: pd.DataFrame) -> None:
    """Expected and observed carriers by ancestry; Brier score against the base rate of the ancestry."""
    calls, _ = call_gene(declared["CYP2D6"], min_probability=0)
    cyrius = pd.read_csv(DATA / "peer_calls/calls_cyrius_cyp2d6_1kgp_3202.tsv", sep="\t", dtype=str)
    cyrius = cyrius[(cyrius["Filter"] == "PASS") & (cyrius["Genotype"].str.count("/") == 1)].set_index("Sample")[
        "Genotype"
    ]
    calls = calls[calls["ancestry"] == calls["sample"].map(samples["super_pop"].to_dict())]
    for label, pattern in (
        ("any structure", r"x\d|\+|\*5(?!\d)|\*13(?!\d)|\*68"),
        ("*5", r"\*5(?!\d)"),
        ("xN", r"x\d"),
        ("*36+*10", r"\*36\+\*10"),
    ):
        p = calls["probability"].where(calls["diplotype"].str.contains(pattern), 0.0).groupby(calls["sample"]).sum()
        both = pd.DataFrame({"p": p, "seen": cyrius.str.contains(pattern).astype(float)}).dropna()
        both = both.join(samples[["super_pop", "in_1kgp_2504"]])
        for group, rows in (
            ("unrelated", both[both["in_1kgp_2504"] == "1"]),
            ("relatives", both[both["in_1kgp_2504"] != "1"]),
        ):
            base = rows.groupby("super_pop")["seen"].transform("mean")
            brier, flat = ((rows["p"] - rows["seen"]) ** 2).mean(), ((base - rows["seen"]) ** 2).mean()
            by = rows.groupby("super_pop").agg(n=("p", "size"), expected=("p", "sum"), seen=("seen", "sum"))
            shown = "; ".join(f"{a} {r.expected:.1f}/{r.seen:.0f}" for a, r in by.iterrows())
            print(f"{label} {group} (expected/seen): {shown}; Brier {brier:.4f}, base rate {flat:.4f}")
            if group == "unrelated" and len(rows):
                tolerance = 3 * np.sqrt(by["n"] * (by["seen"] / by["n"]).clip(0.002) * (1 - by["seen"] / by["n"]))
                assert ((by["expected"] - by["seen"]).abs() <= tolerance).all()
                assert brier <= flat * 1.02


def test_speed_of_3202_samples() -> None:
    start, cpu = time.perf_counter(), time.process_time()
    calls, sites = call_vcf(VCF, GENES)
    used = time.process_time() - cpu
    print(f"3,202 samples x 5 genes: {used:.1f} s CPU, {time.perf_counter() - start:.1f} s, {len(calls)} rows")
    assert sites.groupby("gene")["sample"].nunique().eq(3202).all()
    assert np.allclose(calls.groupby(["sample", "gene", "ancestry"])["probability"].sum(), 1)
    assert used < 30
