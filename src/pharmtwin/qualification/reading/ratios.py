"""Ratios between genotype groups of a study: the CYP2D6 table, and groups of data sets."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from pharmtwin.facts import fact_table
from pharmtwin.qualification.reading import genotypes
from pharmtwin.qualification.reading.columns import read_csv
from pharmtwin.qualification.reading.names import (
    Genotypes,
    Library,
    NotSimulated,
    check_compounds,
    dosed,
    dosings,
    measured,
)
from pharmtwin.qualification.reading.persons import ancestry_of
from pharmtwin.qualification.reading.sets import DataSet, Row, arm, study_key, with_dose_of
from pharmtwin.qualification.study import Arm, Event, LeftOut, Person, Ratio

CYP2D6_TABLES = ("cyp2d6_genotype_ratios", "osp_cyp2d6_dgi_ratios")
DERIVED_TABLE = "derived_group_ratios"
#: differences between groups that are not genotypes
DISEASE = re.compile(r"renal|kidney|esrd|dialys|hepatic|cirrho|child-pugh|impair", re.I)
Window = tuple[float, float]


def number(text: str) -> float:
    """A number, nan for an empty cell."""
    return float(text) if text else math.nan


def keep_or_leave(kept: list[Ratio], left: list[LeftOut], blank: LeftOut, make: Callable[[], Ratio]) -> None:
    """Append the ratio that is made, or the row with the reason why there is none."""
    try:
        kept.append(make())
    except NotSimulated as why:
        left.append(replace(blank, reason=str(why)))
    except ValueError as why:
        left.append(replace(blank, reason=f"not readable: {why}"))


@dataclass(frozen=True)
class Context:
    """What every reader of ratios needs."""

    sets: Mapping[str, DataSet]
    known: Library
    genes: Genotypes
    ancestries: Mapping[str, str]

    def of_study(self, study: str, *, dosed_only: bool = True) -> list[DataSet]:
        """Data sets of a study (only those whose doses are told)."""
        key = study_key(study)
        return [s for s in self.sets.values() if (s.doses or not dosed_only) and study_key(s.study) == key]

    def person(self, study: str, text: str = "") -> Person:
        """Reference man of the ancestry that ``groups.tsv`` or a text gives the study."""
        ancestry = self.ancestries.get(study_key(study)) or ancestry_of(text) or "EUR"
        sex = "F" if re.search(r"\bfemale\b|\bwomen\b", text, re.I) else "M"
        return Person(sex=sex, ancestry=ancestry)


def same_group(word: str, data: DataSet) -> bool:
    """Whether a data set is of a group: by its words, or a phenotype that its score belongs to (NM, EM: 1.25 on)."""
    score = genotypes.score_of(data.group)
    for own in data.groups:
        if own == word or {own, word} == {"EM", "NM"}:
            return True
        if (a := genotypes.score_of(own)) is not None and a == genotypes.score_of(word):
            return True
    if score is None or word not in ("NM", "EM", "IM"):
        return False
    return score >= 1.25 if word in ("NM", "EM") else 0 < score < 1.25


# ---- CYP2D6


def cyp2d6(folder: Path, context: Context) -> tuple[list[Ratio], list[LeftOut]]:
    """Rows of the tables of CYP2D6 genotype ratios; a row that two tables have is used once."""
    kept: list[Ratio] = []
    left: list[LeftOut] = []
    seen: set[str] = set()
    for table in CYP2D6_TABLES:
        for row in read_csv(folder / f"{table}.csv"):
            blank = LeftOut(row["data_id"], table, f"{row['study']}, {row['analyte']}, {row['contrast']}", "")
            if row["data_id"] in seen:
                left.append(replace(blank, reason=f"the same row as in {CYP2D6_TABLES[0]}"))
                continue
            seen.add(row["data_id"])
            keep_or_leave(kept, left, blank, partial(_cyp2d6_row, row, context))
    return kept, left


def _cyp2d6_row(row: Row, context: Context) -> Ratio:
    """A row of the table.

    NM beside PM is the EM of the studies, everybody but PM: the source of the table writes NM for it
    (SRuedesh/DDGI-CYP2D6, commit e670d113, scripts/harmonize-qualification-plan.ps1: source EM, label NM).
    """
    what = measured(row["analyte"])
    test, reference = row["contrast"].split("/")
    end = float(row["t_end_h"])
    arms: list[Arm] = []
    windows: list[Window] = []
    for word in (test, reference):
        data = _best(context.of_study(row["study"]), row["analyte"], word, end)
        if data is not None:
            one = arm(data, context.known, context.genes, context.ancestries)
            start = _last_dose(one, float(data.points[0]["time_h"]) - data.first_dose if data.points else 0.0)
        else:
            who = context.person(row["study"])
            group, times = _arm_of(row["study"], "EM" if (test, word) == ("PM", "NM") else word)
            events = tuple(Event(t, float(row["dose_mg"])) for t in times)
            given = dosings(what.taken_as, row["route"], events, context.known, labelled=True)
            drugs = [d.drug for d in given]
            one = Arm(tuple(given), who, context.genes.of(drugs, {"CYP2D6": group}, who.ancestry))
            start = times[-1]
        check_compounds(what.compounds, [d.drug for d in one.dosings], context.known)
        arms.append(one)
        windows.append((start, start + end))
    return Ratio(
        id=row["data_id"],
        use_case="genotype",
        study=row["study"],
        analyte=row["analyte"],
        compounds=what.compounds,
        test=arms[0],
        reference=arms[1],
        window_test=windows[0],
        window_reference=windows[1],
        auc=number(row["obs_aucr"]),
        cmax=number(row["obs_cmaxr"]),
        peer_auc=number(row["osp_pred_aucr"]),
        peer_cmax=number(row["osp_pred_cmaxr"]),
        flag=row["flag"],
    )


@cache
def _arms() -> dict[tuple[str, str], tuple[str, tuple[float, ...]]]:
    """Group and hours of doses by study and word of the contrast (``qualification/genotype_arms.tsv``)."""
    table = fact_table("qualification/genotype_arms.tsv").fillna({"doses_before": 0, "interval_h": 0})
    found: dict[tuple[str, str], tuple[str, tuple[float, ...]]] = {}
    for study, word, group, before, interval in zip(*(table[c] for c in table.columns[:5]), strict=True):
        times = tuple(i * float(interval) for i in range(int(before) + 1))
        found[study_key(str(study)), str(word)] = str(group), times
    return found


def _arm_of(study: str, word: str) -> tuple[str, tuple[float, ...]]:
    """Group of an arm without a data set, and the hours of its doses; the last one starts the window."""
    return _arms().get((study_key(study), word), (word, (0.0,)))


def _best(sets: list[DataSet], analyte: str, word: str, end: float) -> DataSet | None:
    """Data set of a group whose samples span the window best; that of the analyte first, else another of its drug."""
    drug = {d for d, _, _ in dosed(measured(analyte).taken_as)}
    fitting = [
        s
        for s in sets
        if same_group(word, s) and drug & {d for dose in s.doses for d, _, _ in dosed(dose["compound"])} and s.points
    ]

    def misses(data: DataSet) -> tuple[bool, float]:
        times = [float(p["time_h"]) for p in data.points]
        start = max((float(d["time_h"]) for d in data.doses if float(d["time_h"]) <= times[0] + 0.1), default=0.0)
        return data.analyte != analyte, abs(math.log((times[-1] - start) / end))

    return min(fitting, key=misses, default=None)


def _last_dose(one: Arm, first_sample: float) -> float:
    """Last dose of the observed drug at or before the first sample (h)."""
    return max((e.time for e in one.dosings[0].events if e.time <= first_sample + 0.1), default=0.0)


# ---- groups of data sets


def derived(folder: Path, context: Context) -> tuple[list[Ratio], list[LeftOut]]:
    """Rows of the table of ratios between two data sets: genotype groups of one study."""
    kept: list[Ratio] = []
    left: list[LeftOut] = []
    for row in read_csv(folder / f"{DERIVED_TABLE}.csv"):
        id_ = f"{row['test_id']}/{row['ref_id']}"
        blank = LeftOut(id_, DERIVED_TABLE, f"{row['test']} over {row['reference']}", "")
        keep_or_leave(kept, left, blank, partial(_derived_row, row, id_, context))
    return kept, left


def _derived_row(row: Row, id_: str, context: Context) -> Ratio:
    if DISEASE.search(f"{row['reference']} {row['test']}"):
        raise NotSimulated("groups of a disease, not of a genotype")
    missing = [i for i in (row["test_id"], row["ref_id"]) if i not in context.sets]
    if missing:
        raise NotSimulated(f"no data set {', '.join(missing)} in osp_datasets.csv")
    test, reference = (context.sets[row[k]] for k in ("test_id", "ref_id"))
    if test.groups == reference.groups or not test.groups or not reference.groups:
        raise NotSimulated("the two data sets are not of different genotype groups")
    arms = [arm(d, context.known, context.genes, context.ancestries, rescale=True) for d in (test, reference)]
    if _amount(arms[0]) != _amount(arms[1]):
        arms[0] = with_dose_of(arms[0], arms[1])
    what = measured(reference.analyte)
    for one in arms:
        check_compounds(what.compounds, [d.drug for d in one.dosings], context.known)
    windows = []
    for one, data in zip(arms, (test, reference)):
        start = _last_dose(one, float(data.points[0]["time_h"]) - data.first_dose)
        windows.append((start, float(row["t_last_h"]) - data.first_dose))
    n = [d.n for d in (test, reference) if d.n]
    return Ratio(
        id=id_,
        use_case="genotype",
        study=reference.study,
        analyte=row["analyte"],
        compounds=what.compounds,
        test=arms[0],
        reference=arms[1],
        window_test=windows[0],
        window_reference=windows[1],
        auc=number(row["auc_ratio"]),
        cmax=number(row["cmax_ratio"]),
        n=sum(n) if n else None,
    )


def _amount(one: Arm) -> tuple[float, ...]:
    return tuple(d.events[0].amount for d in one.dosings)
