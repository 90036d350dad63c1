"""The criteria of qualification: what was found, what is asked, whether it is met; and coverage of the intervals."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import pandas as pd

from pharmtwin.evaluation.metrics import wilson
from pharmtwin.facts import fact_table, fact_values
from pharmtwin.qualification.judging.score import Figures, both, by_drug, judge, judged, outside_guest
from pharmtwin.qualification.plan import Plan
from pharmtwin.qualification.simulation.everything import Result

NETWORKS = ("CYP3A4-DDI", "CYP2D6-DDI")
PERPETRATORS = ("itraconazole", "rifampicin")
#: of the criterion on CYP2D6; the other genotype rows have criteria of their own
NOT_CYP2D6 = ("omeprazole", "atorvastatin", "rosuvastatin")
#: groups of which every row is inside Guest's limits, or listed: title -> (use case, victims, others; empty: any)
LISTED: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    # Guest's delta is 1.25 here (as in OSP's reports on interactions); the CYP2D6 genotype criterion has delta 1
    "CYP2C19 and CYP1A2 rows": ("interaction", ("omeprazole", "caffeine", "theophylline"), ()),
    "omeprazole genotypes": ("genotype", ("omeprazole",), ()),
    "atorvastatin and rosuvastatin genotypes": ("genotype", ("atorvastatin", "rosuvastatin"), ()),
    "digoxin with other drugs": ("interaction", ("digoxin",), ()),
}


@dataclass(frozen=True)
class Line:
    """One criterion: what was found, what is asked, whether it is met (None: not to be told from these data).

    value : the figure (nan: none). lower_is_better : of the figure.
    """

    what: str
    found: str
    asked: str
    met: bool | None
    value: float = math.nan
    lower_is_better: bool = False

    def text(self) -> str:
        """As printed."""
        mark = {True: "met    ", False: "NOT MET", None: "-      "}[self.met]
        return f"{mark}  {self.what}: {self.found} (asked: {self.asked})"


def percent(x: float) -> str:
    """A share as a whole percentage."""
    return "-" if math.isnan(x) else f"{100 * x:.0f} %"


def _fold(x: float) -> str:
    return "-" if math.isnan(x) else f"{x:.2f}"


def _below(what: str, found: str, value: float, limit: float, asked: str) -> Line:
    return Line(what, found, asked, None if math.isnan(value + limit) else value <= limit, value, True)


def _above(what: str, found: str, value: float, limit: float) -> Line:
    return Line(what, found, f">= {percent(limit)}", None if math.isnan(value) else value >= limit, value)


def criteria(result: Result, plan: Plan, networks: Mapping[str, str]) -> list[Line]:
    """Every figure of the criteria. networks : network by id of a row of the interaction table."""
    lines = [*_genotype(result), *_interactions(result, networks), *_profiles(result, plan)]
    for title, (use_case, victims, others) in LISTED.items():
        mine = judged(_rows(result.ratios, use_case, victims, others))
        out = outside_guest(mine)
        inside = len(mine) - len(out)
        words = f"{inside} of {len(mine)} inside"
        told = explanations() if len(out) else {}
        for title_of, explained in (("outside and explained", True), ("outside", False)):
            rows = out[out["id"].isin(list(told)) == explained] if len(out) else out
            words += f"; {title_of}: " + "; ".join(_name(r) for _, r in rows.iterrows()) if len(rows) else ""
        share = inside / len(mine) if len(mine) else math.nan
        met = None if mine.empty else out.empty or bool(out["id"].isin(list(told)).all())
        lines.append(Line(f"{title}, Guest's limits", words, "all, or explained", met, share))
    return [*lines, *_coverage(result)]


@cache
def _asked() -> dict[str, float]:
    return fact_values("qualification/criteria.tsv", "criterion")


def asked(criterion: str) -> float:
    """What is asked, of ``resources/qualification/criteria.tsv``; raises KeyError for a criterion that is not there."""
    return _asked()[criterion]


def explanations() -> dict[str, str]:
    """Why a ratio is not predicted, by its id (``resources/qualification/explanations.tsv``)."""
    table = fact_table("qualification/explanations.tsv")
    return dict(zip(table["id"].astype(str), table["explanation"].astype(str), strict=True))


def _rows(table: pd.DataFrame, use_case: str, victims: Iterable[str] = (), others: Iterable[str] = ()) -> pd.DataFrame:
    if table.empty:
        return table
    keep = table["use_case"] == use_case
    if victims:
        keep &= table["victim"].isin(list(victims))
    if others:
        keep &= table["others"].isin(list(others))
    return table[keep]


def _name(row: pd.Series) -> str:
    q = "AUC" if row["AUC_observed"] > 0 else "Cmax"
    pair = f"{row['victim']}" + (f" + {row['others']}" if row["others"] else "")
    predicted = row[f"{q}_predicted"]
    return f"{row['study']} ({pair}, {q} {predicted:.2f} for {row[f'{q}_observed']:.2f})"


def _genotype(result: Result) -> list[Line]:
    rows, seen_rows = (
        t[~t["victim"].isin(NOT_CYP2D6)] if len(t) else t
        for t in (judged(_rows(result.ratios, "genotype")), judged(result.in_sample))
    )
    own, seen = judge(rows), judge(seen_rows)
    ours, peer = both(rows)
    guest = [f"{percent(own.guest[k])} (PK-Sim {percent(peer.guest[k])})" for k in range(2)]
    two_fold = f"{percent(own.within[2])} (PK-Sim {percent(peer.within[2])})"
    lines = [
        _below("CYP2D6 genotype ratios, AUC GMFE", _versus(own, ours, peer), own.gmfe, asked("genotype_gmfe"),
               f"<= {asked('genotype_gmfe')}"),
        _above("CYP2D6 genotype ratios, inside Guest's limits", f"{guest[0]}; with delta 1.25 {guest[1]}",
               own.guest[0], asked("genotype_guest")),
        _above("CYP2D6 genotype ratios, within 2-fold", two_fold, own.within[2], asked("genotype_within_2")),
    ]  # fmt: skip
    if seen.n:
        what = "the same with the map that has seen the drug (in sample, apart)"
        lines.append(Line(what, f"GMFE {_fold(seen.gmfe)}, n {seen.n}", "no criterion", None))
    return lines


def _versus(own: Figures, ours: Figures, peer: Figures) -> str:
    if own.n == peer.n:
        return f"{_fold(own.gmfe)}, PK-Sim {_fold(peer.gmfe)} (n {own.n}, map without the drug)"
    on = f"on the {peer.n} rows of PK-Sim ours {_fold(ours.gmfe)}, PK-Sim {_fold(peer.gmfe)}"
    return f"{_fold(own.gmfe)} (n {own.n}, map without the drug); {on}"


def _interactions(result: Result, networks: Mapping[str, str]) -> list[Line]:
    lines = []
    counts = Counter(networks.values())
    for network in NETWORKS:
        share = asked(f"covered_{network}")
        rows = judged(_rows(result.ratios, network))
        predicted = rows[(rows["problem"] == "")] if len(rows) else rows
        ids = set(predicted["id"].astype(str)) if len(predicted) else set()
        n = sum(1 for i, name in networks.items() if name == network and i in ids)
        if counts[network]:
            found = n / counts[network]
            words = f"{n} of {counts[network]} rows ({percent(found)}); the others are listed with their reasons"
            lines.append(_above(f"{network}, rows predicted", words, found, share))
        lines.append(_beside_peer(f"{network}, AUC GMFE on PK-Sim's rows", rows))
    table = judged(result.ratios)
    table = table[table["use_case"].isin(NETWORKS)] if len(table) else table
    for name in PERPETRATORS:
        mine = table[table["others"].str.contains(name)] if len(table) else table
        lines.append(_beside_peer(f"with {name}, AUC GMFE on PK-Sim's rows", mine))
    return lines


def _beside_peer(what: str, rows: pd.DataFrame) -> Line:
    ours, peer = both(rows)
    words = (
        f"ours {_fold(ours.gmfe)}, PK-Sim {_fold(peer.gmfe)} (n {ours.n}; 2-fold {percent(ours.within[2])} and "
        f"{percent(peer.within[2])}, Guest {percent(ours.guest[1])} and {percent(peer.guest[1])})"
    )
    if len(rows) and (rows["role"] == "building").any():
        own, other = both(rows[rows["role"] == "verification"])
        words += f"; verification rows alone: ours {_fold(own.gmfe)}, PK-Sim {_fold(other.gmfe)} (n {own.n})"
    return _below(what, words, ours.gmfe, peer.gmfe, "<= PK-Sim's")


def _profiles(result: Result, plan: Plan) -> list[Line]:
    table = by_drug(result.profiles, result.points)
    mine = table[table["role"] == "verification"].dropna(subset=["GMFE"]) if len(table) else table
    lines = []
    for drug, peer in plan.peer_profiles.items():
        own = mine[mine["drug"] == drug] if len(mine) else mine
        found = float(own["GMFE"].iloc[0]) if len(own) else math.nan
        what = f"profiles of {drug}, verification, GMFE of points"
        lines.append(_below(what, _fold(found), found, peer, f"<= {peer:.2f} (PK-Sim)"))
    median = float(mine["GMFE"].median()) if len(mine) else math.nan
    limit = asked("profile_median")
    lines.append(_below("profiles, verification, median of the drugs' GMFE", f"{_fold(median)} ({len(mine)} drugs)",
                        median, limit, f"<= {limit}"))  # fmt: skip
    rows = result.profiles
    areas = judge(rows[rows["role"] == "verification"] if len(rows) else rows)
    words = f"{percent(areas.within[2])} (n {areas.n})"
    lines.append(
        _above("profiles, verification, AUC within 2-fold", words, areas.within[2], asked("profile_auc_within_2"))
    )
    return lines


# ---- intervals


@dataclass(frozen=True)
class Covered:
    """Share of observations inside their 90 % interval. low, high : 95 % interval of the share, rows as independent."""

    what: str
    quantity: str
    n: int
    hits: int
    share: float
    low: float
    high: float


def coverage(result: Result) -> list[Covered]:
    """Coverage of verification profiles and ratios, by kind and by use case; empty without draws."""
    tables = {"profiles": _verification(result.profiles), "ratios": _verification(judged(result.ratios))}
    ratios = tables["ratios"]
    for use_case in dict.fromkeys(ratios["use_case"]) if len(ratios) else ():
        tables[f"ratios, {use_case}"] = ratios[ratios["use_case"] == use_case]
    out = []
    for what, table in tables.items():
        for quantity in ("AUC", "Cmax"):
            own = judge(table, quantity)
            if own.n_intervals:
                hits = round(own.coverage * own.n_intervals)
                share = wilson(hits, own.n_intervals)
                out.append(Covered(what, quantity, own.n_intervals, hits, own.coverage, share.lo95, share.hi95))
    return out


def _verification(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["role"] == "verification"] if len(table) else table


def _coverage(result: Result) -> list[Line]:
    found = [c for c in coverage(result) if c.what in ("profiles", "ratios")]
    lines = [_covers(f"90 % intervals, {c.quantity} of {c.what}", c.hits, c.n) for c in found]
    if found:
        lines.append(_covers("90 % intervals, all", sum(c.hits for c in found), sum(c.n for c in found)))
    return lines


def _covers(what: str, hits: int, n: int) -> Line:
    share = wilson(hits, n)
    words = f"{percent(hits / n)} hold the observed (n {n}; {percent(share.lo95)[:-2]}-{percent(share.hi95)})"
    low, high = asked("coverage_low"), asked("coverage_high")
    return Line(what, words, f"{percent(low)[:-2]}-{percent(high)}", low <= hits / n <= high)
