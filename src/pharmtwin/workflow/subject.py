"""Whom the sensitivity analysis of a study is about, from the config and the tables of the body stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pharmtwin.core.exposure import Scenario, scenarios_of
from pharmtwin.facts import fact_table
from pharmtwin.sensitivity.stage import person_of
from pharmtwin.sensitivity.twin import Person
from pharmtwin.tables import read_table
from pharmtwin.workflow.given import study


def analysed_person(config: Mapping[str, Any], body: Path, priors: Path) -> Person:
    """The twin that ``sensitivity.twin`` names, else the reference person of ``reference_sex``."""
    option = config["sensitivity"]
    name, sex = str(option["twin"]), str(option["reference_sex"])
    if name:
        twins = study(config).twins
        row = twins[twins["twin_id"].astype(str) == name].iloc[0]
        sex, age = str(row["sex"]), float(row["age_y"])
    else:
        name = f"population_{sex}"
        people = fact_table("physiology/reference_bodies.tsv").set_index("sex")
        age = float(people["age_y"].to_dict()[sex])
    return person_of(name, sex, age, read_table("body", body), read_table("priors", priors))


def analysed_scenario(config: Mapping[str, Any]) -> Scenario:
    """The regimen that ``sensitivity.scenario`` names."""
    wanted = config["sensitivity"]["scenario"]
    return next(s for s in scenarios_of(study(config).scenarios) if s.name == wanted)
