"""What qualification says in words and tables: the criteria with their figures, and ``docs/qualification.md``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pharmtwin.facts import RESOURCES
from pharmtwin.files import write_text
from pharmtwin.qualification.plan import Plan
from pharmtwin.qualification.score import Figures, both, by, by_drug, judge, judged, outside_guest
from pharmtwin.qualification.simulate_all import Result

PAGE = RESOURCES.parent / "docs" / "qualification.md"
BEGIN, END = "<!-- written by pharmtwin qualify: begin -->", "<!-- written by pharmtwin qualify: end -->"
GENOTYPE = {"GMFE": 1.38, "Guest": 0.79, "within_2": 0.93}  # PK-Sim on the open rows
COVERED = {"CYP3A4-DDI": 0.80, "CYP2D6-DDI": 0.45}  # share of a network that is predicted
PROFILE_MEDIAN, PROFILE_AUC = 1.5, 0.90
COVERAGE = (0.80, 0.95)
PERPETRATORS = ("itraconazole", "rifampicin")
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
    """One criterion: what was found, what is asked, whether it is met (None: not to be told from these data)."""

    what: str
    found: str
    asked: str
    met: bool | None

    def text(self) -> str:
        """As printed."""
        mark = {True: "met    ", False: "NOT MET", None: "no data"}[self.met]
        return f"{mark}  {self.what}: {self.found} (asked: {self.asked})"


def percent(x: float) -> str:
    """A share as a whole percentage."""
    return "-" if math.isnan(x) else f"{100 * x:.0f} %"


def _fold(x: float) -> str:
    return "-" if math.isnan(x) else f"{x:.2f}"


def criteria(result: Result, plan: Plan, networks: Mapping[str, str]) -> list[Line]:
    """Every figure of the criteria. networks : network by id of a row of the interaction table."""
    lines = [*_genotype(result), *_interactions(result, networks), *_profiles(result, plan)]
    for title, (use_case, victims, others) in LISTED.items():
        mine = judged(_rows(result.ratios, use_case, victims, others))
        out = outside_guest(mine)
        words = f"{len(mine) - len(out)} of {len(mine)} inside"
        words += "; outside: " + "; ".join(_name(r) for _, r in out.iterrows()) if len(out) else ""
        lines.append(Line(f"{title}, Guest's limits", words, "all, or explained", None if mine.empty else out.empty))
    return [*lines, *_coverage(result)]


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


#: of the criterion on CYP2D6; the other genotype rows have criteria of their own
NOT_CYP2D6 = ("omeprazole", "atorvastatin", "rosuvastatin")


def _genotype(result: Result) -> list[Line]:
    rows, seen_rows = (
        t[~t["victim"].isin(NOT_CYP2D6)] if len(t) else t
        for t in (judged(_rows(result.ratios, "genotype")), judged(result.in_sample))
    )
    own, seen = judge(rows), judge(seen_rows)
    ours, peer = both(rows)
    some = own.n > 0
    guest = [f"{percent(own.guest[k])} (PK-Sim {percent(peer.guest[k])})" for k in range(2)]
    lines = [
        Line(f"genotype ratios, AUC GMFE (n {own.n}, map without the drug)", _versus(own, ours, peer),
             f"<= {GENOTYPE['GMFE']}", own.gmfe <= GENOTYPE["GMFE"] if some else None),
        Line("genotype ratios, inside Guest's limits", f"{guest[0]}; with delta 1.25 {guest[1]}",
             f">= {percent(GENOTYPE['Guest'])}", own.guest[0] >= GENOTYPE["Guest"] if some else None),
        Line("genotype ratios, within 2-fold", f"{percent(own.within[2])} (PK-Sim {percent(peer.within[2])})",
             f">= {percent(GENOTYPE['within_2'])}", own.within[2] >= GENOTYPE["within_2"] if some else None),
    ]  # fmt: skip
    if seen.n:
        lines.append(Line("the same with the map that has seen the drug (in sample, printed apart)",
                          f"GMFE {_fold(seen.gmfe)}, n {seen.n}", "no criterion", None))  # fmt: skip
    return lines


def _versus(own: Figures, ours: Figures, peer: Figures) -> str:
    return f"{_fold(own.gmfe)}; on the {peer.n} rows of PK-Sim: ours {_fold(ours.gmfe)}, PK-Sim {_fold(peer.gmfe)}"


def _interactions(result: Result, networks: Mapping[str, str]) -> list[Line]:
    lines = []
    counts = Counter(networks.values())
    for network, share in COVERED.items():
        rows = judged(_rows(result.ratios, network))
        predicted = rows[(rows["problem"] == "")] if len(rows) else rows
        ids = set(predicted["id"].astype(str)) if len(predicted) else set()
        n = sum(1 for i, name in networks.items() if name == network and i in ids)
        if counts[network]:
            found = n / counts[network]
            words = f"{n} of {counts[network]} rows ({percent(found)}); the others are listed with their reasons"
            lines.append(Line(f"{network}, rows predicted", words, f">= {percent(share)}", found >= share))
        ours, peer = both(rows)
        lines.append(Line(f"{network}, AUC GMFE on PK-Sim's rows", _pair(ours, peer), "<= PK-Sim's",
                          ours.gmfe <= peer.gmfe if ours.n else None))  # fmt: skip
    network_rows = judged(result.ratios)
    network_rows = network_rows[network_rows["use_case"].isin(list(COVERED))] if len(network_rows) else network_rows
    for name in PERPETRATORS:
        mine = network_rows[network_rows["others"].str.contains(name)] if len(network_rows) else network_rows
        ours, peer = both(mine)
        lines.append(Line(f"with {name}, AUC GMFE on PK-Sim's rows", _pair(ours, peer), "<= PK-Sim's",
                          ours.gmfe <= peer.gmfe if ours.n else None))  # fmt: skip
    return lines


def _pair(ours: Figures, peer: Figures) -> str:
    return (
        f"ours {_fold(ours.gmfe)}, PK-Sim {_fold(peer.gmfe)} (n {ours.n}; 2-fold {percent(ours.within[2])} and "
        f"{percent(peer.within[2])}, Guest {percent(ours.guest[1])} and {percent(peer.guest[1])})"
    )


def _profiles(result: Result, plan: Plan) -> list[Line]:
    table = by_drug(result.profiles, result.points)
    mine = table[table["role"] == "verification"].dropna(subset=["GMFE"]) if len(table) else table
    lines = []
    for drug, peer in plan.peer_profiles.items():
        own = mine[mine["drug"] == drug] if len(mine) else mine
        found = float(own["GMFE"].iloc[0]) if len(own) else math.nan
        lines.append(Line(f"profiles of {drug}, verification, GMFE of points", _fold(found), f"<= {peer:.2f} (PK-Sim)",
                          None if math.isnan(found) else found <= peer))  # fmt: skip
    median = float(mine["GMFE"].median()) if len(mine) else math.nan
    lines.append(Line(f"profiles, verification, median of {len(mine)} drugs' GMFE", _fold(median),
                      f"<= {PROFILE_MEDIAN}", None if math.isnan(median) else median <= PROFILE_MEDIAN))  # fmt: skip
    rows = result.profiles
    areas = judge(rows[rows["role"] == "verification"] if len(rows) else rows)
    lines.append(Line(f"profiles, verification, AUC within 2-fold (n {areas.n})", percent(areas.within[2]),
                      f">= {percent(PROFILE_AUC)}", areas.within[2] >= PROFILE_AUC if areas.n else None))  # fmt: skip
    return lines


def _coverage(result: Result) -> list[Line]:
    lines = []
    rows = result.profiles
    verification = rows[rows["role"] == "verification"] if len(rows) else rows
    hits = total = 0.0
    for title, table in (("AUC of profiles (verification)", verification), ("AUC ratios", judged(result.ratios))):
        for quantity in ("AUC", "Cmax"):
            own = judge(table, quantity)
            if own.n_intervals:
                name = title.replace("AUC", quantity)
                lines.append(Line(f"90 % intervals, {name} (n {own.n_intervals})", percent(own.coverage), "80-95 %",
                                  COVERAGE[0] <= own.coverage <= COVERAGE[1]))  # fmt: skip
                hits, total = hits + own.coverage * own.n_intervals, total + own.n_intervals
    if total:
        share = hits / total
        lines.append(Line(f"90 % intervals, all (n {total:.0f})", percent(share), "80-95 %",
                          COVERAGE[0] <= share <= COVERAGE[1]))  # fmt: skip
    return lines


def markdown(table: pd.DataFrame) -> str:
    """A table in Markdown: shares as they are, three significant digits."""
    if table.empty:
        return "(none)"

    def cell(value: object) -> str:
        if isinstance(value, float):
            return "" if math.isnan(value) else f"{value:.3g}"
        return "" if value is None or value is pd.NA else str(value).replace("|", "/")

    lines = ["| " + " | ".join(map(str, table.columns)) + " |", "|" + "---|" * len(table.columns)]
    return "\n".join([*lines, *("| " + " | ".join(cell(v) for v in row) + " |" for row in table.to_numpy(object))])


def body(result: Result, plan: Plan, networks: Mapping[str, str], pictures: Mapping[str, str]) -> str:
    """Text between the markers: criteria, tables, pictures (title -> file beside the page), what was left out."""
    mark = {True: "met", False: "**not met**", None: "-"}
    found = criteria(result, plan, networks)
    rows = [{"": mark[c.met], "criterion": c.what, "found": c.found, "asked": c.asked} for c in found]
    pairs = by(result.ratios, ["use_case", "victim", "others"])
    reasons = Counter(x.reason for x in result.left_out)
    fitted = [
        {"entry": e.name, "building": ", ".join([*e.profiles, *e.studies, *e.exposures, *e.own_profiles]) or "-",
         "fitted": "; ".join(" and ".join(":".join(p) for p in f.paths) for f in e.fitted)}
        for e in plan.entries.values() if e.fitted
    ]  # fmt: skip
    cost = (
        f"{len(result.costs)} structures, {sum(c.n_solves for c in result.costs)} solves with {result.draws} draws; "
        f"compiling {sum(c.compile_s for c in result.costs):.0f} s, parameters and solving "
        f"{sum(c.parameters_s + c.solve_s for c in result.costs):.0f} s of work; {result.seconds:.0f} s in all. "
        f"Draws that failed and are left out of intervals: {sum(result.failed_draws.values())}."
    )
    parts = [
        "## Criteria", markdown(pd.DataFrame(rows)),
        "## Profiles by drug", markdown(by_drug(result.profiles, result.points)),
        "## Ratios by use case", markdown(by(result.ratios, ["use_case"])),
        "Cmax:", markdown(by(result.ratios, ["use_case"], "Cmax")),
        "## Ratios by pair", markdown(pairs),
        "## Pictures", *(f"![{title}]({file})" for title, file in pictures.items()),
        "## What was fitted, and on what", markdown(pd.DataFrame(fitted)),
        "## Flagged rows: shown, never judged", markdown(_flagged(result.ratios)),
        "## What is not simulated", markdown(pd.DataFrame(reasons.most_common(), columns=["reason", "rows"])),
        "## Cost", cost,
        "Sd between studies in the intervals (log): " + ", ".join(f"{k} {v:.2f}" for k, v in result.between.items())
        + f"; ratios {plan.spread.ratio_studies:g}.",
    ]  # fmt: skip
    return "\n\n".join(parts)


def _flagged(ratios: pd.DataFrame) -> pd.DataFrame:
    if ratios.empty:
        return ratios
    return ratios[ratios["flag"] != ""][["id", "study", "analyte", "AUC_observed", "AUC_predicted", "AUC_peer", "flag"]]


def write_page(text: str, page: Path = PAGE) -> None:
    """Put the text between the markers of the page; raises ValueError if the page does not have both once, in order."""
    old = page.read_text(encoding="utf-8")
    if old.count(BEGIN) != 1 or old.count(END) != 1 or old.index(BEGIN) > old.index(END):
        raise ValueError(f"{page} needs the lines {BEGIN} and {END}")
    head, tail = old.partition(BEGIN)[0], old.partition(END)[2]
    write_text(page, f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}")
