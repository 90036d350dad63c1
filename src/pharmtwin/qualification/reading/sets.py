"""Observed data sets (``osp_datasets``, ``osp_doses``, ``osp_profiles``): arms and their concentrations."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pharmtwin.qualification.reading import genotypes
from pharmtwin.qualification.reading.columns import read_csv
from pharmtwin.qualification.reading.doses import LEFT_OUT, corrected, corrections, single_dose
from pharmtwin.qualification.reading.names import (
    Genotypes,
    Library,
    NotSimulated,
    check_compounds,
    dosed,
    dosings,
    main_protein,
    measured,
    told_form,
)
from pharmtwin.qualification.reading.people import counted_twice, join
from pharmtwin.qualification.reading.persons import SEXES, ancestry_of, weight
from pharmtwin.qualification.reading.samples import SLACK, samples
from pharmtwin.qualification.reading.told import as_labelled, habits, phenotype, stomach
from pharmtwin.qualification.study import Arm, Dosing, Event, LeftOut, Person, Profile

Row = Mapping[str, str]
TABLE = "osp_datasets"
#: word of osp_doses.application -> route (UserDefined: as the data set says)
APPLICATIONS = {
    "Oral": "PO",
    "Intravenous": "IV",
    "IntravenousBolus": "IV",
    "Subcutaneous": "SC",
    "Intramuscular": "IM",
}
PLASMA = ("plasma", "serum")
#: what was taken along and no model of ours knows
BESIDE = re.compile(r"charcoal|grapefruit|antacid|cholestyramine|kaolin", re.I)
PERSON = re.compile(r"\b([mf]), (\d+) ?kg, (\d+) ?y\b")
YEAR = re.compile(r"(?:19|20)\d\d")


def study_key(study: str) -> str:
    """A study's name without brackets and blanks, to find it in another table (``Chen (2015)``, ``Chen 2015``)."""
    return re.sub(r"[()\s,.]|et al", "", study).lower()


@dataclass(frozen=True)
class DataSet:
    """A row of osp_datasets with its doses and points (row texts as they stand)."""

    row: Row
    doses: tuple[Row, ...]
    points: tuple[Row, ...]

    @property
    def study(self) -> str:
        """The study; from the data set's name where the column is empty or holds no year."""
        told, name = self.row["study"], self.row["osp_name"]
        if YEAR.search(told):
            return told
        found = re.match(rf"(.{{2,40}}?{YEAR.pattern}[a-z]?)\b", name.replace("(", "").replace("_", " "))
        return found[1] if found else told or re.split(r"[,._]", name)[0]

    @property
    def analyte(self) -> str:
        """What was measured; ``X-total`` where the name says so and the column only says ``X``."""
        total = f"{self.row['analyte']}-total"
        return total if total.lower() in self.row["osp_name"].lower() else self.row["analyte"]

    @property
    def n(self) -> int | None:
        """Number of people."""
        found = re.search(r"\d+", self.row["n"]) or re.search(r"(?<=n=)\d+", self.row["osp_name"].replace(" ", ""))
        return int(found[0]) if found else None

    @property
    def first_dose(self) -> float:
        """Clock of the first dose (h)."""
        return min(float(d["time_h"]) for d in self.doses)

    @property
    def group(self) -> str:
        """Genotype group as told; the linked individual's where the two disagree, or where only it has a score.

        The source names some data sets after another group than the one it simulates; its individual is right. Of two
        words for the same phenotype (EM and NM) or a coarser one (EM for hmEM) the data set's stays.
        """
        own, linked = phenotype(self.row), self.row["genotype_of_linked_individual"]
        if linked.startswith("AS") and genotypes.score_of(own) != genotypes.score_of(linked):
            return linked
        return own

    @property
    def groups(self) -> tuple[str, ...]:
        """All that the group is called."""
        return tuple(g for g in (phenotype(self.row), self.group) if g)


def data_sets(folder: Path) -> dict[str, DataSet]:
    """Data sets of a folder by id, in their order."""
    doses: dict[str, list[Row]] = {}
    points: dict[str, list[Row]] = {}
    for line in read_csv(folder / "osp_doses.csv"):
        doses.setdefault(line["dataset_id"], []).append(line)
    for line in read_csv(folder / "osp_profiles.csv"):
        points.setdefault(line["dataset_id"], []).append(line)
    rows: list[Row] = list(read_csv(folder / "osp_datasets.csv"))
    changed = corrections()
    fixed = [corrected(r, doses.get(r["dataset_id"], ()), changed.get(r["dataset_id"], {})) for r in rows]
    by_study: dict[tuple[str, str, str], list[tuple[Row, ...]]] = {}
    for row, given in fixed:
        by_study.setdefault((row["drug"], row["study"], row["route"]), []).append(given)
    by_arm: dict[tuple[str, ...], list[tuple[Row, ...]]] = {}
    for row, _ in fixed:
        by_arm.setdefault(_arm_key(row), []).append(tuple(points.get(row["dataset_id"], ())))
    out = {}
    for row, given in fixed:
        own = tuple(points.get(row["dataset_id"], ()))
        told = given or single_dose(row, own, by_study[row["drug"], row["study"], row["route"]], by_arm[_arm_key(row)])
        out[row["dataset_id"]] = DataSet(row, told, own)
    return out


def _arm_key(row: Row) -> tuple[str, ...]:
    """What data sets of one arm, each of another analyte, have in common."""
    return tuple(row.get(c, "") for c in ("drug", "study", "grouping", "route", "dose"))


def person(data: DataSet, ancestries: Mapping[str, str]) -> Person:
    """Typical subject: linked individual of the source, ancestry of its population or of ``groups.tsv``.

    Without a linked individual the one in the data set's words (``m, 80kg, 70y``).
    """
    row = data.row
    if not row["age_y"] and (words := PERSON.search(row["osp_name"])):
        row = {**row, "sex": words[1].upper(), "weight_kg": words[2], "age_y": words[3]}
    told = ancestries.get(study_key(data.study)) or ancestry_of(row["population"]) or "EUR"
    return Person(
        SEXES.get(row["sex"].upper(), "M"),
        float(row["age_y"] or 30.0),
        float(row["weight_kg"]) if row["weight_kg"] else None,
        float(row["height_cm"]) if row["height_cm"] else None,
        told,
    )


def arm(
    data: DataSet, known: Library, genes: Genotypes, ancestries: Mapping[str, str], *, rescale: bool = False
) -> Arm:
    """Arm of a data set: its protocol, its clock moved so that the first dose is at 0 h.

    The observed drug comes first. Raises NotSimulated where the doses are not told, or are others than the data set
    says (``rescale``: take the stated dose instead, for ratios in which it cancels).
    """
    row = data.row
    if reason := row.get(LEFT_OUT, ""):
        raise NotSimulated(reason)
    if not data.doses:
        raise NotSimulated("no doses in osp_doses.csv, and no single dose in its own words")
    if found := BESIDE.search(row["osp_name"]):
        raise NotSimulated(f"taken with something no model knows: {found[0]}")
    who = person(data, ancestries)
    scale = _stated_over_protocol(data)
    if scale != 1.0 and not rescale:
        raise NotSimulated(f"stated dose {row['dose']!r} is not that of the linked protocol")
    full = stomach(row)
    given = _dosings(data, known, scale, who, full or "fasted")
    if not full and (full := as_labelled(given)) != "fasted":
        given = _dosings(data, known, scale, who, full)
    wanted = {drug for drug, _, _ in dosed(measured(data.analyte).taken_as)}
    given.sort(key=lambda d: d.drug not in wanted)
    drugs = list(dict.fromkeys(d.drug for d in given))
    protein = genotypes.protein_of(row["gene"]) or (main_protein(drugs[0]) if data.group else "")
    told = {protein: data.group} if protein and data.group else {}
    mixtures = genes.of(drugs, told, who.ancestry)
    carried = {p for d in drugs for p in known[d].proteins}
    smoked = {p: m for p, m in habits(row).items() if p in carried}
    return Arm(tuple(given), who, {**mixtures, **smoked}, full)


def _dosings(data: DataSet, known: Library, scale: float, who: Person, full: str) -> list[Dosing]:
    """Dosings of a protocol into a stomach that is fed or fasted; raises NotSimulated as :func:`arm`."""
    row, start = data.row, data.first_dose
    by_way: dict[tuple[str, str, str], list[Event]] = {}
    for d in data.doses:
        route = APPLICATIONS.get(d["application"], row["route"])
        amount = _mg(d, who) * scale
        event = Event(float(d["time_h"]) - start, amount, float(d["infusion_min"] or 0) / 60.0)
        by_way.setdefault((d["compound"], route, d["formulation"]), []).append(event)
    given: list[Dosing] = []
    for (compound, route, form), events in by_way.items():
        ordered = tuple(sorted(events, key=lambda e: e.time))
        form = told_form(compound, form, f"{row['osp_name']} {row.get('grouping', '')}")
        words = form if re.search(r"\bfed\b|\bfasted\b", form, re.I) else f"{form} {full}"
        given += dosings(compound, route, ordered, known, labelled=False, formulation=words)
    return given


def profile(data: DataSet, known: Library, genes: Genotypes, ancestries: Mapping[str, str]) -> Profile:
    """Concentrations in plasma of a data set with its arm; raises NotSimulated with the reason why not."""
    row = data.row
    if not row["dimension"].startswith("Concentration"):
        raise NotSimulated(f"not a concentration: {row['dimension'].lower()} in {row['matrix'].lower()}")
    if row["matrix"].lower() not in PLASMA:
        raise NotSimulated(f"not in plasma: {row['matrix'].lower()}")
    what = measured(data.analyte)
    told = arm(data, known, genes, ancestries)
    check_compounds(what.compounds, [d.drug for d in told.dosings], known)
    time, level, sd = samples(data.points, data.doses, row["error_type"])
    if not len(time):
        raise NotSimulated("no concentrations")
    if time[0] < -SLACK:
        raise NotSimulated("concentrations before the first dose")
    drug = told.dosings[0].drug
    return Profile(row["dataset_id"], drug, what.compounds, data.study, told, np.maximum(time, 0.0), level, sd, data.n)


def profiles(
    sets: Mapping[str, DataSet], known: Library, genes: Genotypes, ancestries: Mapping[str, str]
) -> tuple[list[Profile], list[LeftOut]]:
    """Every data set as a profile (people of one group as one), or left out with its reason."""
    kept: list[Profile] = []
    left: list[LeftOut] = []
    twice = counted_twice(sets)
    for id_, data in sets.items():
        try:
            if id_ in twice:
                raise NotSimulated("one person of a group whose mean or median is another data set")
            kept.append(profile(data, known, genes, ancestries))
        except NotSimulated as why:
            left.append(_left_out(data, str(why)))
        except ValueError as why:
            left.append(_left_out(data, f"not readable: {why}"))
    joined, others = join(kept, sets, lambda id_, why: _left_out(sets[id_], why))
    return joined, [*left, *others]


def _left_out(data: DataSet, why: str) -> LeftOut:
    return LeftOut(data.row["dataset_id"], TABLE, f"{data.study}, {data.analyte}", why)


def _mg(dose: Row, who: Person) -> float:
    """Amount of a dose in mg; per kg with the weight of the person."""
    factors = {"mg": 1.0, "g": 1e3, "µg": 1e-3, "mg/kg": weight(who), "µg/kg": 1e-3 * weight(who)}
    if dose["dose_unit"] not in factors:
        raise NotSimulated(f"dose in {dose['dose_unit']!r}")
    return float(dose["dose"]) * factors[dose["dose_unit"]]


def stated_dose(data: DataSet) -> float | None:
    """Dose that the data set itself states (mg); None if it is not one number of mg or µg."""
    found = re.fullmatch(r"([\d.,]+)\s*(mg|µg|)(?:\s*(?:[SQ]D|BID|TID|iv|po))?", data.row["dose"].strip(), re.I)
    return float(found[1].replace(",", ".")) * (1e-3 if found[2] == "µg" else 1.0) if found else None


def _stated_over_protocol(data: DataSet) -> float:
    """Stated dose over that of the linked protocol; 1 where they agree (as base or as salt), or none can be compared.

    They agree if any dose of the protocol, all compounds together, is the stated one: a titration has several.
    """
    stated = stated_dose(data)
    if stated is None or any(d["dose_unit"] != "mg" for d in data.doses):
        return 1.0
    totals: dict[float, float] = {}
    labelled: dict[float, float] = {}
    for d in data.doses:
        hour, mg = float(d["time_h"]), float(d["dose"])
        totals[hour] = totals.get(hour, 0.0) + mg
        labelled[hour] = labelled.get(hour, 0.0) + mg / dosed(d["compound"])[0][2]
    if any(math.isclose(stated, total, rel_tol=0.03) for total in (*totals.values(), *labelled.values())):
        return 1.0
    return stated / totals[min(totals)]


def with_dose_of(target: Arm, source: Arm) -> Arm:
    """An arm with the doses of another: two groups of one study that the tables give different protocols."""
    return replace(target, dosings=source.dosings)
