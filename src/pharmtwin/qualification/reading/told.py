"""What the words of a data set tell beside its columns: phenotype, smoking, and whether the stomach was full."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pharmtwin.facts import fact_table
from pharmtwin.qualification.study import Dosing, Mixture
from pharmtwin.tables import records

Row = Mapping[str, str]
FED, FASTED = re.compile(r"\bfed\b|breakfast|meal", re.I), re.compile(r"\bfast(?:ed|ing)?\b", re.I)
#: words of a column of food that tell nothing
NOT_TOLD = ("", ".", "unknown")
PHENOTYPES = ("PM", "IM", "NM", "EM", "RM", "UM")
SMOKERS = re.compile(r"(?<!non-)(?<!non )(?<!non)\bsmokers?\b", re.I)
OTHERS = re.compile(r"\bnon[- ]?smokers?\b", re.I)


def phenotype(row: Row) -> str:
    """Genotype group or phenotype of a data set; one source writes it where the route should stand."""
    own = row["genotype_or_phenotype"]
    return own or (row["route"] if row["route"] in PHENOTYPES else "")


def habits(row: Row) -> dict[str, Mixture]:
    """Activity by enzyme that the words of a data set tell of smoking (``smoking.tsv``), against people who do not.

    A group of smokers and others is half of each: their numbers are not in the tables. Empty where no word tells of
    smokers.
    """
    words = f"{row['osp_name']} {row.get('grouping', '')}"
    if not SMOKERS.search(words):
        return {}
    told = ((str(r.protein), float(r.activity)) for r in records(fact_table("qualification/smoking.tsv")))
    return {p: ((1.0, 0.5), (a, 0.5)) if OTHERS.search(words) else ((a, 1.0),) for p, a in told}


def stomach(row: Row) -> str:
    """``fed`` or ``fasted`` as the column of food tells, or the words of the linked simulation; "" if neither does."""
    food = row["food"].strip()
    words = row.get("osp_simulation", "") if food.lower() in NOT_TOLD else food
    if FED.search(words):
        return "fed"
    return "fasted" if food.lower() not in NOT_TOLD or FASTED.search(words) else ""


def as_labelled(given: Iterable[Dosing]) -> str:
    """Stomach in which the label of a dosage form has it taken (``labelled_food.tsv``; others: fasted).

    given : dosings, their formulations chosen as if fasted.
    """
    forms = {(d.drug, d.formulation) for d in given if d.route == "oral"}
    rows = records(fact_table("qualification/labelled_food.tsv"))
    found = {str(r.stomach) for r in rows if (str(r.drug), str(r.formulation)) in forms}
    return found.pop() if len(found) == 1 else "fasted"
