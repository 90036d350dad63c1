"""The typical subject of a study, and the body that goes with it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache

import pandas as pd

from pharmtwin.body.physiology import physiology
from pharmtwin.facts import fact_table
from pharmtwin.qualification.study import Arm, Person
from pharmtwin.tables import records

SEXES = {"MALE": "M", "M": "M", "FEMALE": "F", "F": "F"}
#: ancestry -> word of qualification/populations.tsv whose sizes stand for it
TYPICAL = {"EUR": "European", "AMR": "MexicanAmerican", "AFR": "BlackAmerican", "EAS": "Asian", "SAS": "South Asian"}
ADULT = 18.0  # y: from here on the size of an adult stands in for one that is not told


@cache
def _populations() -> dict[tuple[str, str], tuple[str, float, float]]:
    """(word, sex) -> ancestry, weight (kg), height (cm)."""
    rows = records(fact_table("qualification/populations.tsv"))
    return {(str(r.population), str(r.sex)): (str(r.ancestry), float(r.weight_kg), float(r.height_cm)) for r in rows}


def ancestry_of(text: str) -> str:
    """Ancestry (1000 Genomes code) of a population as a table words it; "" where it names none that is known."""
    found = [
        (len(word), row[0])
        for (word, _), row in _populations().items()
        if re.search(rf"(?<![a-z]){word}", text, re.I)  # Asian is in Caucasian
    ]
    return max(found)[1] if found else ""


def complete(person: Person) -> Person:
    """The person with a size: weight and height not told are those of an adult of the sex and ancestry.

    If one of the two is told the other keeps the body mass index of that adult. Raises ValueError for a child without
    weight and height.
    """
    if person.weight_kg is not None and person.height_cm is not None:
        return person
    if person.age_y < ADULT:
        raise ValueError(f"a child of {person.age_y:g} years without weight and height")
    _, weight, height = _populations()[TYPICAL[person.ancestry], person.sex]
    if person.weight_kg is not None:
        weight, height = person.weight_kg, height * (person.weight_kg / weight) ** 0.5
    elif person.height_cm is not None:
        weight, height = weight * (person.height_cm / height) ** 2, person.height_cm
    return Person(person.sex, person.age_y, weight, height, person.ancestry)


def weight(person: Person) -> float:
    """Body weight (kg), for doses per kg; told, or that of :func:`complete`."""
    return float(complete(person).weight_kg or 0.0)


def bodies(arms: Iterable[Arm]) -> dict[Person, Mapping[str, float]]:
    """Quantities of table ``body`` (name -> value, in the units of that table) by the person of each arm.

    Not told: a European man of 30 years, 73 kg, 176 cm. Equal people are computed once. Raises ValueError for a child
    without size.
    """
    return {person: body(person) for person in dict.fromkeys(arm.person for arm in arms)}


@lru_cache(maxsize=512)
def body(person: Person) -> Mapping[str, float]:
    """Quantities of table ``body`` of one person; errors as :func:`bodies`."""
    full = complete(person)
    sheet = pd.DataFrame(
        {
            "twin_id": ["study"],
            "sex": [full.sex],
            "age_y": [full.age_y],
            "weight_kg": [full.weight_kg],
            "height_cm": [full.height_cm],
        }
    )
    table = physiology(sheet)
    return {str(q): float(v) for q, v in zip(table["quantity"], table["value"])}
