"""The world that studies are simulated in: every drug file of the library, and bodies by person."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pharmtwin.drugs.read import check_drug
from pharmtwin.facts import RESOURCES
from pharmtwin.findings import has_errors
from pharmtwin.qualification.plan import Plan
from pharmtwin.qualification.reading.persons import body
from pharmtwin.qualification.simulation.questions import World
from pharmtwin.qualification.study import Person

FOLDER = RESOURCES / "drugs"


@cache
def _body(person: Person) -> Mapping[str, float]:
    return dict(body(person))


def open_world(plan: Plan, folder: Path = FOLDER) -> tuple[World, list[str]]:
    """The world of all drug files of a folder that can be used, and what is wrong with the others.

    Raises FileNotFoundError if the folder has no drug file at all.
    """
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise FileNotFoundError(f"no drug file in {folder}")
    library, wrong = {}, []
    for file in files:
        drug, findings = check_drug(file)
        if drug is None or has_errors(findings):
            wrong += [f"{file.name}: {x.message()}" for x in findings if x.severity == "error"]
        elif drug.name in library:
            wrong.append(f"{file.name}: {drug.name} is the name of another file too")
        else:
            library[drug.name] = drug
    return World(library, _body, plan.acid_suppressants), wrong
