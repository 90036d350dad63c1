"""The written part of ``docs/qualification.md``: criteria, figures by use case and role, pictures, what is left out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from pharmtwin.facts import RESOURCES
from pharmtwin.files import write_text
from pharmtwin.qualification.judging.criteria import coverage, criteria, explanations, percent
from pharmtwin.qualification.judging.score import by, by_drug
from pharmtwin.qualification.plan import Entry, Plan
from pharmtwin.qualification.simulation.everything import Result

PAGE = RESOURCES.parent / "docs" / "qualification.md"
BEGIN, END = "<!-- written by pharmtwin qualify: begin -->", "<!-- written by pharmtwin qualify: end -->"
#: use cases in the words of the page
WORDS = {
    "genotype": "Genotype ratios",
    "CYP3A4-DDI": "CYP3A4 interactions",
    "CYP2D6-DDI": "CYP2D6 interactions",
    "interaction": "Other interactions",
}
#: columns of ``score.by`` on the page, and how they are shown
FOLD, SHARE, PLAIN = "{:.2f}".format, percent, str
RATIO_COLUMNS = {
    "n": ("n", PLAIN), "GMFE": ("GMFE", FOLD), "AFE": ("bias", FOLD), "within_1.25": ("1.25-fold", SHARE),
    "within_1.5": ("1.5-fold", SHARE), "within_2": ("2-fold", SHARE), "Guest_1": ("Guest, 1", SHARE),
    "Guest_1.25": ("Guest, 1.25", SHARE), "coverage": ("90 % interval", SHARE), "n_peer": ("n PK-Sim", PLAIN),
    "GMFE_same_rows": ("GMFE there", FOLD), "GMFE_peer": ("GMFE PK-Sim", FOLD),
    "within_2_peer": ("2-fold PK-Sim", SHARE), "Guest_1.25_peer": ("Guest, 1.25 PK-Sim", SHARE),
}  # fmt: skip
PAIR_COLUMNS = ("n", "GMFE", "AFE", "within_2", "Guest_1.25", "n_peer", "GMFE_same_rows", "GMFE_peer")
PROFILE_COLUMNS = {
    "profiles": ("profiles", PLAIN), "points": ("points", PLAIN), "GMFE": ("GMFE of points", FOLD),
    "AFE": ("bias", FOLD), "AUC_GMFE": ("GMFE of AUC", FOLD), "AUC_within_2": ("AUC in 2-fold", SHARE),
    "Cmax_GMFE": ("GMFE of Cmax", FOLD), "AUC_coverage": ("90 % interval, AUC", SHARE),
    "Cmax_coverage": ("90 % interval, Cmax", SHARE),
}  # fmt: skip
FEW = 12  # reasons that are printed one a row; the others are summed


def markdown(table: pd.DataFrame) -> str:
    """A table in Markdown: words as they are, numbers with three significant digits."""
    if table.empty:
        return "(none)"

    def cell(value: object) -> str:
        if isinstance(value, float):
            return "" if math.isnan(value) else f"{value:.3g}"
        return "" if value is None or value is pd.NA else str(value).replace("|", "/")

    lines = ["| " + " | ".join(map(str, table.columns)) + " |", "|" + "---|" * len(table.columns)]
    return "\n".join([*lines, *("| " + " | ".join(cell(v) for v in row) + " |" for row in table.to_numpy(object))])


def shown(table: pd.DataFrame, keys: Mapping[str, str], columns: Mapping[str, tuple]) -> str:
    """Some columns of a table of figures in the page's words; columns without any figure are left out."""
    if table.empty:
        return "(none)"
    out = {word: table[key] for key, word in keys.items()}
    for column, (word, form) in columns.items():
        if table[column].notna().any() and not (column == "n_peer" and not table[column].any()):
            out[word] = table[column].map(lambda v, form=form: "" if pd.isna(v) else form(v))
    return markdown(pd.DataFrame(out))


def body(result: Result, plan: Plan, networks: Mapping[str, str], pictures: Mapping[str, str]) -> str:
    """Text between the markers. pictures : title -> file beside the page. networks : as in ``criteria``."""
    mark = {True: "met", False: "**not met**", None: ""}
    lines = criteria(result, plan, networks)
    rows = [{"criterion": c.what, "found": c.found, "asked": c.asked, "": mark[c.met]} for c in lines]
    parts = [
        "## Criteria", markdown(pd.DataFrame(rows)),
        *_intervals(result, plan), *_profiles(result), *_ratios(result),
        "## Pictures", *(f"![{title}]({file})" for title, file in pictures.items()),
        "## What was fitted, and on what", _fitted(plan),
        "## Rows outside the limits, explained", _explained(result),
        "## What is not simulated", *_left_out(result),
        "## Cost", _cost(result),
    ]  # fmt: skip
    return "\n\n".join(parts)


def _intervals(result: Result, plan: Plan) -> list[str]:
    found = [asdict(c) for c in coverage(result)]
    if not found:
        return []
    table = pd.DataFrame(found)
    table["inside"] = table["share"].map(percent)
    table["95 % interval"] = [f"{100 * a:.0f}-{100 * b:.0f} %" for a, b in zip(table["low"], table["high"])]
    between = ", ".join(f"{k} of profiles {v:.2f}" for k, v in result.between.items())
    words = (
        "How many observed values lie inside the 90 % interval of their prediction (verification only; rows taken as "
        "independent). Sd of the logarithm between studies: "
        f"{between}, of ratios {plan.spread.ratio_studies:g} (AUC) and {plan.spread.ratio_studies_cmax:g} (Cmax)."
    )
    return [
        "## Coverage of the intervals",
        words,
        markdown(table[["what", "quantity", "n", "inside", "95 % interval"]]),
    ]


def _profiles(result: Result) -> list[str]:
    table = by_drug(result.profiles, result.points)
    out = ["## Profiles by drug", "Coverage of the building set is no test: its spread between studies comes from it."]
    for role in ("verification", "building"):
        mine = table[table["role"] == role] if len(table) else table
        out += [f"### {role.capitalize()}", shown(mine, {"drug": "drug"}, PROFILE_COLUMNS)]
    return out


def _ratios(result: Result) -> list[str]:
    out = [
        "## Ratios by use case",
        "Ours on all rows, then ours and PK-Sim's on the rows that PK-Sim predicts. Guest's limits: delta 1 and 1.25.",
    ]
    cases, pairs = by(result.ratios, ["role", "use_case"]), by(result.ratios, ["role", "use_case", "victim", "others"])
    tops = by(result.ratios, ["role", "use_case"], "Cmax")
    for table in (cases, tops):
        if len(table):
            table["use_case"] = table["use_case"].map(lambda u: WORDS.get(str(u), str(u)))
    for role in ("verification", "building"):
        mine = [t[t["role"] == role] if len(t) else t for t in (cases, tops)]
        if role == "building" and mine[0].empty and mine[1].empty:
            out += ["### Building", "No ratio is in the building set."]
            continue
        for quantity, table in zip(("AUC", "Cmax"), mine, strict=True):
            out += [f"### {role.capitalize()}, {quantity}", shown(table, {"use_case": "use case"}, RATIO_COLUMNS)]
    few = {k: v for k, v in RATIO_COLUMNS.items() if k in PAIR_COLUMNS}
    out.append("## AUC ratios by pair")
    for use_case in dict.fromkeys(pairs["use_case"]) if len(pairs) else ():
        mine = pairs[pairs["use_case"] == use_case]
        keys = {"victim": "victim", "others": "with"} if mine["others"].any() else {"victim": "drug"}
        keys |= {"role": "role"} if (mine["role"] == "building").any() else {}
        out += [f"### {WORDS.get(str(use_case), str(use_case))}", shown(mine, keys, few)]
    flagged = result.ratios[result.ratios["flag"] != ""] if len(result.ratios) else result.ratios
    if len(flagged):
        columns = ["id", "study", "analyte", "AUC_observed", "AUC_predicted", "AUC_peer", "flag"]
        named = flagged[columns].rename(columns={c: c.replace("_", " ").replace("peer", "PK-Sim") for c in columns})
        out += ["### Flagged rows: shown, never judged", markdown(named)]
    return out


def _fitted(plan: Plan) -> str:
    def where(e: Entry) -> str:
        n = len(e.profiles)
        own = [*(["profiles " + ", ".join(p.removeprefix(f"{e.name}_") for p in e.profiles)] if n else []), *e.studies]
        own += ["all exposures with role building"] if e.all_exposures else list(e.exposures)
        own += ["all own profiles with role building"] if e.all_own_profiles else list(e.own_profiles)
        return "; ".join([*own, *(["ratios " + ", ".join(e.ratios)] if e.ratios else [])]) or "-"

    def what(e: Entry) -> str:
        return "; ".join(" = ".join(p.removeprefix("compounds.") for _, p in f.paths) for f in e.fitted)

    rows = [{"drug": e.name, "building set": where(e), "fitted (= : one factor)": what(e)}
            for e in plan.entries.values() if e.fitted]  # fmt: skip
    return markdown(pd.DataFrame(rows))


def _explained(result: Result) -> str:
    """The explanations, by study; they change no figure."""
    told = explanations()
    if result.ratios.empty:
        return "None."
    rows = result.ratios[result.ratios["id"].isin(list(told))]
    table = pd.DataFrame(
        {"study": rows["study"], "observed": rows["victim"], "with": rows["others"], "why": rows["id"].map(told)}
    )
    return markdown(table)


def _left_out(result: Result) -> list[str]:
    """Reasons with the rows of each table."""
    counts = Counter((x.reason.partition(":")[0] if "no drug file" in x.reason else x.reason, x.table)
                     for x in result.left_out)  # fmt: skip
    most = counts.most_common(FEW)
    rest = sum(counts.values()) - sum(n for _, n in most)
    rows = [{"reason": reason, "table": table, "rows": n} for (reason, table), n in most]
    rows += [{"reason": f"{len(counts) - len(most)} other reasons", "table": "", "rows": rest}] if rest else []
    missing = Counter(
        name for x in result.left_out if x.reason.startswith("no drug file: ")
        for name in x.reason.removeprefix("no drug file: ").split(", ")
    )  # fmt: skip
    words = f"{len(result.left_out)} rows; every one with its reason in `left_out.tsv`."
    if missing:
        words += " Without a drug file: " + ", ".join(f"{k} ({n})" for k, n in missing.most_common()) + "."
    return [words, markdown(pd.DataFrame(rows))]


def _cost(result: Result) -> str:
    compiling = sum(c.compile_s for c in result.costs)
    solving = sum(c.parameters_s + c.solve_s for c in result.costs)
    return (
        f"{len(result.costs)} structures, {sum(c.n_solves for c in result.costs)} solves with {result.draws} draws. "
        f"Work: building and compiling {compiling:.0f} s (then kept), parameters and solving {solving:.0f} s. "
        f"Draws that failed and are left out of intervals: {sum(result.failed_draws.values())}."
    )


def write_page(text: str, page: Path = PAGE) -> None:
    """Put the text between the markers of the page; raises ValueError if the page does not have both once, in order."""
    old = page.read_text(encoding="utf-8")
    if old.count(BEGIN) != 1 or old.count(END) != 1 or old.index(BEGIN) > old.index(END):
        raise ValueError(f"{page} needs the lines {BEGIN} and {END}")
    head, tail = old.partition(BEGIN)[0], old.partition(END)[2]
    write_text(page, f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}")
