"""Interaction studies (``osp_ddi_ratios_raw``, with PK-Sim's prediction where ``osp_ddi_pred_vs_obs`` has the row).

The columns Dose, Route, Times of Administration, form and food describe the **perpetrator** (food chooses its
formulation; the arm is fasted); the victim stands there with its name and route only. Its dose comes from, in this
order: ``qualification/victim_doses.tsv`` by study, the group's name (``Midazolam PO 2 mg``), data sets of the same
study, the usual dose of that table. Hours count on the perpetrator's clock. The victim is given at the start of each
window, once, unless that table tells more or the windows say so (:func:`_rule`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd

from pharmtwin.facts import fact_table
from pharmtwin.qualification.reading import genotypes
from pharmtwin.qualification.reading.columns import read_csv
from pharmtwin.qualification.reading.names import (
    ROUTES,
    NotSimulated,
    check_compounds,
    dosed,
    dosings,
    is_drug,
    main_protein,
    measured,
)
from pharmtwin.qualification.reading.persons import weight
from pharmtwin.qualification.reading.ratios import Context, Window, keep_or_leave, number, same_group
from pharmtwin.qualification.reading.regimen_text import events, window
from pharmtwin.qualification.reading.sets import APPLICATIONS, Row, stated_dose
from pharmtwin.qualification.reading.told import FED
from pharmtwin.qualification.study import Arm, Dosing, Event, LeftOut, Person, Ratio

RAW, PREDICTED = "osp_ddi_ratios_raw", "osp_ddi_pred_vs_obs"
#: ratios of renal clearance, troughs or single samples: not of AUC and Cmax
NOT_EXPOSURE = re.compile(r"1/\s*(CLR|RenalClearance|renal clearance)|ctrough|concentration \d+ ?h after", re.I)
#: a ratio that was computed from clearances ("clerance" stands so in the table)
CLEARANCE = re.compile(r"1/.*cle(a)?rance", re.I)
#: rows of the control phase that compare two genotype groups, with a direction that the comment contradicts
CONTROL = re.compile(r"!! DDGI Ratios|Control_(PM|IM|NM|UM|AS|fast)", re.I)
GROUP = re.compile(r"_(AS\d(?:\.\d+)?|fastNM|[PINEU]M)$|^([PINEU]M)\s*\+|\b(CYP\w+)?(\*\d+\w?/\*\d+\w?)")
BASES = re.compile(r"\b([GT]/[GT])2677")
#: from this hour on an equal window before and after means repeated dosing of the victim
STEADY_FROM = 48.0
INTERVALS = (6.0, 8.0, 12.0, 24.0)


def interactions(folder: Path, context: Context) -> tuple[list[Ratio], list[LeftOut]]:
    """Every row of the two tables once: as a ratio, or left out with its reason."""
    predicted = {row["data_id"]: row for row in read_csv(folder / f"{PREDICTED}.csv")}
    raw = {row["ID"]: row for row in read_csv(folder / f"{RAW}.csv")}
    kept: list[Ratio] = []
    left: list[LeftOut] = []
    for id_ in dict.fromkeys((*predicted, *raw)):
        row = {**raw.get(id_, {}), **predicted.get(id_, {})}
        table = PREDICTED if id_ in predicted else RAW
        what = f"{row['Study ID']}, {row['Victim']} + {row['Perpetrator']}, {row['Grouping']}"
        blank = LeftOut(id_, table, what, "")
        keep_or_leave(kept, left, blank, partial(ratio, id_, row, context))
    return kept, left


def ratio(id_: str, row: Row, context: Context) -> Ratio:
    """One row; raises NotSimulated or Unreadable with the reason."""
    what = measured(row["Victim"])
    _need_drugs(row, what.taken_as, context)
    _need_exposure(row)
    reference_window, test_window = _windows(row)
    perpetrator = _perpetrator(row, context)
    study, group = row["Study ID"], row["Grouping"]
    who = context.person(study, group)
    plan = _rule(row, context, reference_window, test_window)
    factor = _dose_factor(row)
    drugs = [d for d, _, _ in dosed(what.taken_as)]
    told = _told(row, drugs[0], context)
    mixtures = context.genes.of([*drugs, *(d.drug for d in perpetrator)], told, who.ancestry)
    check_compounds(what.compounds, [*drugs, *(d.drug for d in perpetrator)], context.known)
    test = _arm(plan, row, context, who, mixtures, test_window, factor, perpetrator)
    reference = _arm(plan, row, context, who, mixtures, reference_window, 1.0, [])
    return Ratio(
        id=id_,
        use_case=row.get("network") or "interaction",
        study=study,
        analyte=row["Victim"],
        compounds=what.compounds,
        test=test[0],
        reference=reference[0],
        window_test=test[1],
        window_reference=reference[1],
        auc=number(row.get("AUCR Avg", "")),
        cmax=number(row.get("CmaxR Avg", "")),
        peer_auc=number(row.get("osp_pred_aucr", "")),
        peer_cmax=number(row.get("osp_pred_cmaxr", "")),
    )


# ---- what makes a row unusable


def _need_drugs(row: Row, victim: str, context: Context) -> None:
    missing = [
        drug
        for name in (victim, row["Perpetrator"])
        if not is_drug(name, context.known)
        for drug, _, _ in dosed(name)
        if drug not in context.known
    ]
    if missing:
        raise NotSimulated(f"no drug file: {', '.join(sorted(set(missing)))}")


def _need_exposure(row: Row) -> None:
    if not row.get("AUCR Avg") and not row.get("CmaxR Avg"):
        raise NotSimulated("no ratio observed")
    comment = row.get("Comment", "")
    if row.get("Compartment", "").lower() == "urine" or NOT_EXPOSURE.search(comment):
        raise NotSimulated("a ratio of renal clearances or single samples, not of AUC or Cmax")
    if CONTROL.search(comment) or CONTROL.search(row["Grouping"]):
        raise NotSimulated("two genotype groups of the control phase: no interaction, and its direction is not certain")


# ---- windows, perpetrator, victim


@cache
def _facts(name: str) -> list[dict[str, Any]]:
    table = fact_table(f"qualification/{name}.tsv")
    return [{str(k): "" if pd.isna(v) else v for k, v in r.items()} for r in table.to_dict("records")]


def _windows(row: Row) -> tuple[Window, Window]:
    """Windows without and with perpetrator (h), from ``windows.tsv`` where it has the row."""
    names = ("t_placebo_0", "t_placebo_end", "t_treatment_0", "t_treatment_end")
    given: Mapping[str, Any] = row
    for fact in _facts("windows"):
        if fact["study"] == row["Study ID"] and row["Grouping"].endswith(str(fact["group"])):
            given = fact
    if not all(str(given.get(n, "")) for n in names):
        raise NotSimulated("no windows of exposure")
    if row.get("t Unit", "h") not in ("", "h"):
        raise NotSimulated(f"windows in {row['t Unit']!r}")
    a, b, c, d = (str(given[n]) for n in names)
    return window(a, b), window(c, d)


def _dose_factor(row: Row) -> float:
    """Treatment dose over control dose. A ratio that was computed from clearances holds at equal doses."""
    text = row.get("R Dose correction factor", "")
    return 1.0 if not text or CLEARANCE.search(row.get("Comment", "")) else number(text)


def _perpetrator(row: Row, context: Context) -> list[Dosing]:
    """Perpetrator as taken; doses of the free substance where the table has them, else as labelled."""
    times, dose = row["Times of Administration"], row["Dose"]
    free = row.get("Dose free API", "")
    for fact in _facts("regimen_corrections"):
        here = fact["study"] in ("", row["Study ID"]) and fact["perpetrator"] == row["Perpetrator"]
        if here and (str(fact["times"]), str(fact["dose"])) == (times, dose):
            times, dose, free = str(fact["new_times"]), str(fact["new_dose"]), ""
            break
    minutes = row.get("Infusion duration [min]", "")
    given = events(times, free or dose, row.get("Dose Unit") or "mg", minutes)
    form = " ".join(
        row.get(c, "") for c in ("Administered form", "Formulation type", "Comment on administration/formulation")
    )
    form += " fed" if FED.search(row.get("Fasted/Fed state", "")) else " fasted"
    return dosings(
        row["Perpetrator"], row["Route Perpetrator"], given, context.known, labelled=not free, formulation=form
    )


@dataclass(frozen=True)
class Plan:
    """How the victim is given. before : doses before that at the start of the window (None: from clock 0).

    labelled : the dose is as labelled, not of the substance. after : doses go on in the window.
    """

    dose_mg: float
    labelled: bool = True
    infusion: float = 0.0
    interval: float = 0.0
    before: int | None = 0
    after: bool = True
    wait: float = 0.0


def _rule(row: Row, context: Context, reference: Window, test: Window) -> Plan:
    """Plan of the victim. Not told: once, at the start of the window; but every interval from 0 h on where the windows
    begin 48 h or later, and are a usual dosing interval long, without as with perpetrator."""
    victim, route = measured(row["Victim"]).taken_as, row["Route Victim"].upper()
    facts = [
        f
        for f in _facts("victim_doses")
        if (f["victim"], f["route"]) == (victim, route) and f["study"] in ("", row["Study ID"])
        if not f["group"] or str(f["group"]) in row["Grouping"]
    ]
    usual = next((f for f in facts if not f["study"]), None)
    fact = max((f for f in facts if f["study"]), key=lambda f: len(str(f["group"])), default=None)
    data = _data_set(row, victim, route, context)
    if fact is not None:
        plan = _plan(fact)
    elif written := _written_dose(row, victim):
        plan = Plan(written, infusion=_usual_infusion(victim, route))
    elif data is not None:
        plan = data
    elif usual is not None:
        plan = _plan(usual)
    else:
        raise NotSimulated(f"no dose of {victim} ({route}): neither told nor in victim_doses.tsv")
    length = reference[1] - reference[0]
    steady = reference[0] >= STEADY_FROM and abs(length - (test[1] - test[0])) < 1 and length in INTERVALS
    if fact is None and steady:
        return replace(plan, interval=length, before=None)
    return plan


def _plan(fact: Mapping[str, Any]) -> Plan:
    before = str(fact["doses_before"])
    return Plan(
        float(fact["dose_mg"]),
        infusion=float(fact["infusion_min"] or 0) / 60.0,
        interval=float(fact["interval_h"] or 0),
        before=None if before in ("clock", "last") else int(float(before or 0)),
        after=before != "last",
        wait=float(fact["wait_h"] or 0),
    )


def _written_dose(row: Row, victim: str) -> float | None:
    """Dose in the group's name: ``Rosuvastatin PO 10 mg``, ``10mg Verapamil``."""
    name = re.escape(victim)
    for pattern in (rf"{name}\D{{0,6}}?([\d.]+)\s*mg\b(?!/)", rf"([\d.]+)\s*mg\s+{name}"):
        if found := re.search(pattern, row["Grouping"].split("|")[0], re.I):
            return float(found[1])
    return None


def _data_set(row: Row, victim: str, route: str, context: Context) -> Plan | None:
    """Dose of the victim in data sets of the same study and route: of a protocol, else the largest stated one (a
    smaller one is that of the arm with perpetrator, which the dose correction factor gives)."""
    drugs = {d for d, _, _ in dosed(victim)}
    stated: list[float] = []
    for data in context.of_study(row["Study ID"], dosed_only=False):
        for dose in data.doses:
            same = {d for d, _, _ in dosed(dose["compound"])} == drugs
            if same and APPLICATIONS.get(dose["application"]) == route:
                amount = float(dose["dose"]) * (weight(Person()) if dose["dose_unit"] == "mg/kg" else 1.0)
                return Plan(amount, False, float(dose["infusion_min"] or 0) / 60.0)
        if ROUTES.get(data.row["route"].upper()) == ROUTES[route] and measured(data.analyte).taken_as == victim:
            stated += [mg] if (mg := stated_dose(data)) else []
    return Plan(max(stated), True, _usual_infusion(victim, route)) if stated else None


def _usual_infusion(victim: str, route: str) -> float:
    usual = (f for f in _facts("victim_doses") if (f["victim"], f["route"], f["study"]) == (victim, route, ""))
    return next((_plan(f).infusion for f in usual), 0.0)


def _told(row: Row, drug: str, context: Context) -> dict[str, str]:
    """Genotype group: of the group's name, else of ``groups.tsv``; a score where a data set of the study has it."""
    if bases := BASES.search(row["Grouping"]):
        return {"P-gp": bases[1]}
    found = GROUP.search(row["Grouping"])
    if found:
        word = found[1] or found[2] or found[4]
        protein = genotypes.protein_of(found[3] or "") or main_protein(drug) or "CYP2D6"
        scored = (s.group for s in context.of_study(row["Study ID"]) if same_group(word, s))
        score = next((g for g in scored if genotypes.score_of(g) is not None), None)
        return {protein: score if score and protein == "CYP2D6" else word}
    for fact in _facts("groups"):
        if fact["study"] == row["Study ID"] and fact["group"] and fact["protein"] == main_protein(drug):
            return {str(fact["protein"]): str(fact["group"])}
    return {}


def _arm(
    plan: Plan,
    row: Row,
    context: Context,
    who: Person,
    mixtures: Mapping[str, Any],
    span: Window,
    factor: float,
    others: list[Dosing],
) -> tuple[Arm, Window]:
    """Arm of the victim and others, and the window, on a clock whose first dose is at 0 h."""
    start = span[0] - plan.wait
    hours = [start]
    if plan.interval > 0:
        before = math.floor(start / plan.interval + 1e-9) if plan.before is None else plan.before
        hours = [start - plan.interval * k for k in range(before, -1, -1)]
        end = span[1] if math.isfinite(span[1]) else start
        n_after = max(0, math.ceil((end - start) / plan.interval - 1e-9) - 1) if plan.after else 0
        hours += [start + plan.interval * (k + 1) for k in range(n_after)]
    zero = min([*hours, *(e.time for d in others for e in d.events)])
    mine = tuple(Event(h - zero, plan.dose_mg * factor, plan.infusion) for h in hours)
    victim = measured(row["Victim"]).taken_as
    given = dosings(victim, row["Route Victim"], mine, context.known, labelled=plan.labelled)
    moved = [replace(d, events=tuple(replace(e, time=e.time - zero) for e in d.events)) for d in others]
    return Arm((*given, *moved), who, dict(mixtures)), (span[0] - zero, span[1] - zero)
