"""Tables and picture of docs/pediatric-clearance.md, written from the tables of values and today's physiology."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.body.anatomy.flows import HEPATIC, cardiac_output, flow_fractions
from pharmtwin.body.anatomy.reference import reference
from pharmtwin.body.content.ontogeny import ontogeny_sources
from pharmtwin.curation.pediatric_clearance import (
    ADULTS,
    BANDS,
    CHILDREN,
    GROUPS,
    PRETERM,
    RESAMPLES,
    SEED,
    SIZE_POWER,
    TARGET_GMFE,
    TARGET_WITHIN_2,
    Body,
    BodyModel,
    Bools,
    Drug,
    Floats,
    Judgement,
    body_of,
    drugs,
    judge_rows,
    predictions,
    scaled_clearance,
    unbound,
)
from pharmtwin.curation.pediatric_clearance_choice import (
    NOT_INDEPENDENT,
    Candidate,
    by_candidate,
    gmfe_of,
    leave_one_drug_out,
)
from pharmtwin.curation.pediatric_clearance_infants import as_modelled, table_rows
from pharmtwin.curation.pediatric_clearance_picture import picture
from pharmtwin.curation.pediatric_clearance_profiles import exposures
from pharmtwin.evaluation.metrics import Estimate
from pharmtwin.facts import RESOURCES, fact_table
from pharmtwin.files import write_text
from pharmtwin.tables import records

PAGE = RESOURCES.parent / "docs" / "pediatric-clearance.md"
PICTURE = PAGE.with_suffix(".svg")
BEGIN, END = "<!-- written by pediatric_clearance.py: begin -->", "<!-- written by pediatric_clearance.py: end -->"
PEER = {"GFR": "1.26, 97 % (39 values)", "CYP3A4": "1.25, 97 % (39 AUCs)"}
LEFT_OUT_BY_THE_PEER = "Goresky 1987"
#: rows of the table that the second search added or made usable (134: its age was found)
SECOND_SEARCH_FROM, FOUND_LATER = 149, 134


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _number(e: Estimate) -> str:
    return f"{e.value:.2f}" if np.isnan(e.lo95) else f"{e.value:.2f} ({e.lo95:.2f}-{e.hi95:.2f})"


def _percent(e: Estimate) -> str:
    whole = f"{100 * e.value:.0f} %"
    return whole if np.isnan(e.lo95) else f"{whole} ({100 * e.lo95:.0f}-{100 * e.hi95:.0f})"


def _figures(j: Judgement) -> list[str]:
    return [str(j.n), str(j.studies), _number(j.gmfe), _percent(j.within_2), _percent(j.within_1_5), _number(j.bias)]


FIGURES = ["n", "studies", "GMFE (95 %)", "within 2-fold", "within 1.5-fold", "bias"]


def verdicts(rows: pd.DataFrame) -> str:
    """The criterion: both groups."""
    out = []
    for group in GROUPS:
        j = judge_rows(rows[rows["group"] == group])
        n, studies, _, *rest = _figures(j)
        exact = f"{j.gmfe.value:.3f} ({j.gmfe.lo95:.2f}-{j.gmfe.hi95:.2f})"  # rounded to two digits it may hide a miss
        out.append([group, n, studies, exact, *rest, j.verdict])
    return _table(["group", *FIGURES, f"GMFE <= {TARGET_GMFE:.2f} and >= {100 * TARGET_WITHIN_2:.0f} %"], out)


def split(rows: pd.DataFrame, column: str, order: list[str] | None = None) -> str:
    """The same figures by another column of :func:`predictions`, within each group."""
    out = []
    for group in GROUPS:
        mine = rows[rows["group"] == group]
        for name in order or list(dict.fromkeys(mine[column])):
            part = mine[mine[column] == name]
            if len(part):
                out.append([group, str(name), *_figures(judge_rows(part))])
    return _table(["group", column, *FIGURES], out)


def beside_the_peer(rows: pd.DataFrame) -> str:
    """Ours and PK-Sim's on the values that PK-Sim's qualification reports give a ratio for."""
    out = []
    for group in GROUPS:
        mine = rows[(rows["group"] == group) & rows["pksim_ratio"].notna()].copy()
        mine["peer"] = mine["pksim_ratio"].astype(float) * mine["CL_mL_min_kg"].astype(float)
        for name, column in (("PharmTwin", "predicted"), ("PK-Sim", "peer")):
            out.append([group, name, *_figures(judge_rows(mine, column))])
    return _table(["group", "program", *FIGURES], out)


def size_alone(drug: Drug, child: Body, adult: Body) -> Floats:
    """Adult clearance x weight ratio^0.75: no maturation, no binding."""
    return np.asarray(drug.clearance * adult.weight * (child.weight / adult.weight) ** SIZE_POWER)


def filtration_alone(drug: Drug, child: Body, adult: Body) -> Floats:
    """fu x GFR of the child for the drugs that are filtered: the adult's clearance is not asked."""
    return unbound(drug, child) * child.gfr if drug.group == "GFR" else scaled_clearance(drug, child, adult)


def first_search(rows: pd.DataFrame) -> pd.DataFrame:
    """The values that were used before the second search."""
    return rows[(rows["id"].astype(int) < SECOND_SEARCH_FROM) & (rows["id"].astype(int) != FOUND_LATER)]


def second_reading() -> str:
    """The GFR group without the adult's clearance, and beside the peer on the values both predict."""
    rows = predictions(scaling=filtration_alone)
    rows = rows[rows["group"] == "GFR"]
    parts = (("all values", rows), ("values PK-Sim predicts too", rows[rows["pksim_ratio"].notna()]))
    out = [[name, *_figures(j := judge_rows(part)), j.verdict] for name, part in parts]
    return _table(["fu x GFR", *FIGURES, f"GMFE <= {TARGET_GMFE:.2f} and >= {100 * TARGET_WITHIN_2:.0f} %"], out)


def choosing() -> str:
    """Every candidate fixed, by drug; then the candidate chosen without each drug, and what it gives on that drug."""
    tables = by_candidate()
    names = list(dict.fromkeys(next(iter(tables.values()))["drug"]))
    fixed = []
    for one, rows in tables.items():
        j = judge_rows(rows)
        drugs_of = [f"{gmfe_of(rows[rows['drug'] == name]):.2f}" for name in names]
        fixed.append([one.name, _number(j.gmfe), _percent(j.within_2), _number(j.bias), *drugs_of])
    parts = [
        f"Every candidate on all {len(next(iter(tables.values())))} values, and its GMFE by drug "
        f"(left out as not independent: {', '.join(NOT_INDEPENDENT)}):",
        _table(["curve x protein", "GMFE (95 %)", "within 2-fold", "bias", *names], fixed),
        "Chosen without the drug, judged on it:",
        _folds(tables),
    ]
    return "\n\n".join(parts)


def _folds(tables: dict[Candidate, pd.DataFrame]) -> str:
    out = []
    default = {one: rows for one, rows in tables.items() if one.protein in (None, "barter_2008")}
    for pool, among in (("all", tables), ("protein by the default", default)):
        for votes, by_drug in (("values", False), ("drugs", True)):
            folds, rows = leave_one_drug_out(among, by_drug)
            for f in folds:
                chosen = f"{f.chosen.name} ({f.others:.2f})"
                out.append([pool, votes, f.drug, chosen, f"{f.held_out.gmfe.value:.2f}"])
            j = judge_rows(rows)
            out.append([pool, votes, "**all held out**", "", f"**{_number(j.gmfe)}, {_percent(j.within_2)}**"])
    return _table(["candidates", "votes", "held out", "chosen (GMFE of the others)", "held-out GMFE"], out)


def what_if() -> str:
    """GMFE and share within 2-fold when one choice is another. None of these chose anything."""
    default, *others = ontogeny_sources("CYP3A4")
    base = predictions()
    cases = [
        ("as judged", base),
        (f"size alone: weight^{SIZE_POWER:g}", predictions(scaling=size_alone)),
        ("the values of the first search alone, today's adults", first_search(base)),
        *((f"adult references: {name}", predictions(facts=drugs(table))) for name, table in other_adults().items()),
        (f"without {LEFT_OUT_BY_THE_PEER} (the peer left it out)", base[base["study"] != LEFT_OUT_BY_THE_PEER]),
        *((f"CYP3A4 by {name} instead of {default}", predictions(_body(curve=name))) for name in others),
        ("MPPGL 30.4 mg/g at every age (leeder_2022)", predictions(_body(protein="leeder_2022"))),
        ("hepatic flow at the adult's share of cardiac output", predictions(adult_share_of_output)),
        ("AGP by johnson_2006", predictions(_body(agp_source="johnson_2006"))),
    ]
    out = []
    for name, rows in cases:
        cells = [judge_rows(rows[rows["group"] == group]) for group in GROUPS]
        out.append([name, *(f"{j.gmfe.value:.2f}, {100 * j.within_2.value:.0f} %, {j.bias.value:.2f}" for j in cells)])
    return _table(["choice", *(f"{group}: GMFE, 2-fold, bias" for group in GROUPS)], out)


def other_adults() -> dict[str, pd.DataFrame]:
    """Other tables of adult studies, by name: what was found before, and what single decisions would change."""
    table = fact_table(ADULTS)
    profile = table["unit"].astype("string").fillna("").str.endswith("by its profile")
    drawn = exposures().groupby("study")["clearance"].mean()

    def with_profile(study: str) -> pd.DataFrame:
        mine = table["study"] == study
        changed = {"used": "yes", "CL_mL_min_kg": float(drawn[study])}
        return table.assign(**{name: table[name].mask(mine, value) for name, value in changed.items()})

    return {
        "of the first two searches": table[table["search"].astype(str) != "3"],
        "printed clearances alone": table[~profile],
        "Walker 1979 (amikacin) by its profile": with_profile("Walker 1979"),
        "Allonen 1981 (midazolam) by its profile": with_profile("Allonen 1981"),
    }


def _body(**choices: Any) -> BodyModel:
    return partial(body_of, **choices)


def adult_share_of_output(age: Floats, female: Bools, weight: Floats, height: Floats, weeks: Floats) -> Body:
    """The body with hepatic flow at the adult's share of cardiac output at every age."""
    organs = reference().organs
    share = flow_fractions(np.full(age.shape, 30.0), female)[:, [organs.index(organ) for organ in HEPATIC]].sum(axis=1)
    output = cardiac_output(weight, height, age, female) * 1000.0 / 60.0
    return replace(body_of(age, female, weight, height, weeks), hepatic_flow=share * output)


def above_the_flow(rows: pd.DataFrame) -> str:
    """Observed clearances that no maturation can reach: above hepatic blood flow x blood:plasma ratio of our body."""
    facts = drugs()
    ceiling = rows["flow"].astype(float) * np.array([facts[name].blood_to_plasma for name in rows["drug"]])
    over = rows[(rows["group"] == "CYP3A4") & (rows["CL_mL_min_kg"].astype(float) > ceiling)]
    return "; ".join(
        f"{r.drug} {r.study} {r.label} {float(r.CL_mL_min_kg):.3g} above {ceiling[i]:.3g}"
        for i, r in zip(over.index, records(over))
    )


def values(rows: pd.DataFrame) -> str:
    """Every value that is used: observed, predicted, ratio, PK-Sim's ratio."""
    out = []
    for r in records(rows):
        peer = "" if pd.isna(r.pksim_ratio) else f"{float(r.pksim_ratio):.2f}"
        weight = f"{float(r.weight_kg):g}{'*' if r.weight_from == 'growth chart' else ''}"
        numbers = [f"{float(r.CL_mL_min_kg):.3g}", f"{float(r.predicted):.3g}", f"{float(r.ratio):.2f}", peer]
        out.append([str(r.drug), str(r.study), str(r.label), f"{float(r.age_y):.3g}", weight, *numbers])
    head = ["drug", "study", "value", "age, y", "kg", "observed", "predicted", "ratio", "PK-Sim's ratio"]
    return _table(head, out)


def adults(used: bool) -> str:
    """The adult studies that make the references, or those that do not, with the reason."""
    table = fact_table(ADULTS)
    rows = table[table["used"] == ("yes" if used else "no")].astype("string").fillna("")
    if used:
        out = [[str(r.drug), str(r.study), str(r.n), f"{r.value} {r.unit}", str(r.CL_mL_min_kg)] for r in records(rows)]
        return _table(["drug", "study", "n", "as found", "mL/min/kg"], out)
    out = [[str(r.drug), str(r.study), str(r.n), f"{r.value} {r.unit}".strip(), str(r.reason)] for r in records(rows)]
    return _table(["drug", "study", "n", "clearance", "why not"], out)


def drawn_curves() -> str:
    """Clearances by the drawn curves of adults, beside the printed ones where there are any."""
    out = []
    for r in records(exposures()):
        printed = "" if pd.isna(r.printed) else f"{float(r.printed):.4g} {r.unit_printed}"
        unseen = f"{100 * float(r.before):.0f} %, {100 * float(r.after):.0f} %"
        note = "" if pd.isna(r.note) else str(r.note)
        out.append([str(r.drug), str(r.study), str(r.role), f"{float(r.clearance):.2f}", printed, unseen, note])
    return _table(["drug", "study", "role", "by profile, mL/min/kg", "printed", "AUC before, after", "note"], out)


def not_used() -> str:
    """Every value that was found and is not used, with the reason."""
    table = fact_table(CHILDREN)
    out = []
    for r in records(table[table["used"] == "no"].astype("string").fillna("")):
        value = f"{r.value} {r.unit}".strip()
        out.append([str(r.drug), str(r.study), str(r.label), value, str(r.reason), str(r.reference)])
    return _table(["drug", "study", "value", "clearance", "why not", "reference"], out)


def report() -> tuple[str, str]:
    """The written part of the page, and the picture (SVG)."""
    rows = predictions()
    bands = [PRETERM, *(name for _, _, name in BANDS)]
    parts = [
        f"{len(rows)} values. Intervals: {RESAMPLES:,} resamples of whole studies, seed {SEED}; none below five "
        f"studies. Bias: geometric mean of predicted/observed. Peer, PK-Sim, as its reports print it: GFR "
        f"{PEER['GFR']}, CYP3A4 {PEER['CYP3A4']}.",
        verdicts(rows),
        "**GFR drugs, second reading** (told, not judged): filtered drug as fu x GFR of the child, without the adult's "
        "clearance, as the peer does",
        second_reading(),
        "**By drug**",
        split(rows, "drug"),
        "**By study**",
        split(rows, "study"),
        "**By age**",
        split(rows, "band", bands),
        "**Beside PK-Sim, on the values both predict**",
        beside_the_peer(rows),
        "**Which maturation of CYP3A4**",
        choosing(),
        "**If one choice were another** (told so that the reader sees what matters; nothing was chosen by it)",
        what_if(),
        f"**Observed above what our liver's blood flow allows** (mL/min/kg): {above_the_flow(rows) or 'none'}.",
        "**Infants of 1-12 months, CYP3A4 drugs: which single element would have to be wrong, and by what factor** "
        "(factor that takes predicted/observed to 1 on the geometric mean; number of values in brackets)",
        _table(*table_rows()),
        "As the body has them, medians: hepatic flow {flow:.0f} mL/min/kg, {flow_ratio:.2f} of the adult's; CYP3A4 of "
        "the whole liver per kg {content_ratio:.2f}; unbound fraction of drugs bound by AGP {unbound_ratio:.2f}".format(
            **as_modelled()
        ),
        "## Adult references",
        adults(used=True),
        "**Clearance by drawn curves**: those that count (reference), those compared with a printed clearance (check), "
        "those refused",
        drawn_curves(),
        "## Values used",
        "Clearance in mL/min/kg of plasma; * weight is the median for age.",
        values(rows),
        "## Values not used",
        not_used(),
        "## Adult studies not used",
        adults(used=False),
    ]
    return "\n\n".join(parts), picture(rows)


def written(page: str, text: str) -> str:
    """The page with the part between the marks replaced; raises ValueError if the marks are not there once each."""
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"{PAGE.name} must hold the marks {BEGIN!r} and {END!r} once each")
    return page[: page.index(BEGIN) + len(BEGIN)] + f"\n\n{text}\n\n" + page[page.index(END) :]


def write(text: str, drawing: str, page: Path = PAGE) -> None:
    """Write the tables into the page and the picture beside it."""
    write_text(page, written(page.read_text(encoding="utf-8"), text))
    write_text(page.with_suffix(".svg"), drawing)
