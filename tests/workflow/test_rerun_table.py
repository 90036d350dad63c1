"""The table of docs/reruns.md, row by row: each change is made to a finished study and the dry run compared."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.workflow.conftest import REPOSITORY, Project
from tests.workflow.test_reruns import GATHER, sampled, unsampled

PAGE = REPOSITORY / "docs/reruns.md"


def rows() -> dict[str, str]:
    """Jobs by change, as the page says."""
    found = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {change: jobs for change, jobs in found if change != "change" and not change.startswith("-")}


def edit(project: Project, file: str, old: str, new: str) -> None:
    path = project.folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{file} has no {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def append(project: Project, file: str, text: str) -> None:
    path = project.folder / file
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def add_a_twin(project: Project) -> str:
    here = project.sheet("twins")
    known = {r[0] for r in here[1:]}
    original = (REPOSITORY / "config/studies/demo/twins.tsv").read_text(encoding="utf-8").splitlines()
    new = next(r for r in (line.split("\t") for line in original[1:]) if r[0] not in known)
    project.write_sheet("twins", [*here, new])
    return new[0]


def weigh(project: Project, twin: str) -> str:
    project.set_cell(twin, "weight_kg", "71.5")
    return twin


def change_the_dose(project: Project) -> str:
    sheet = project.sheet("scenarios")
    at = sheet[0].index("dose_mg")
    sheet[1][at] = str(float(sheet[1][at]) * 2)
    project.write_sheet("scenarios", sheet)
    return ""


def change_a_table(project: Project) -> str:
    append(project, "resources/physiology/reference_bodies.tsv", "# one more line that says nothing\n")
    return ""


def touch(project: Project) -> str:
    for table in ("twins", "events"):
        (project.folder / f"config/studies/demo/{table}.tsv").touch()
    return ""


DRUG = "resources/drugs/twin/paroxetine.yaml"
CHANGES: dict[str, Callable[[Project], str | None]] = {
    "a twin is added": add_a_twin,
    "weight of a twin without samples": lambda p: weigh(p, unsampled(p)),
    "weight of a twin with samples for the fit": lambda p: weigh(p, sampled(p)),
    "a value of the drug file": lambda p: edit(
        p, "resources/drugs/twin/paroxetine.yaml", "value: 0.05,", "value: 0.06,"
    ),
    "a dose of a regimen": change_the_dose,
    "code of the evaluation": lambda p: append(p, "src/pharmtwin/evaluation/metrics.py", "\nONE_MORE = 1\n"),
    "a comment in the library": lambda p: append(p, "src/pharmtwin/evaluation/metrics.py", "\n# a comment more\n"),
    "the sheets' time stamps": touch,
    "a table of physiology": change_a_table,
    "requirements.lock": lambda p: append(p, "requirements.lock", "# one more line\n"),
}


def expected(project: Project, jobs: str, twin: str) -> set[str]:
    """Names as :meth:`Project.planned` gives them."""
    if jobs == "none":
        return set()
    buckets = {project.bucket(r[0]) for r in project.sheet("twins")[1:]}
    out = set(GATHER)
    for job in [] if jobs == "only the gathering jobs" else jobs.split(", "):
        name, _, which = job.partition("[")
        own = {
            "": {""},
            "own]": {f"[{project.bucket(twin)}]"} if twin else set(),
            "every]": {f"[{b}]" for b in buckets},
        }
        out |= {name + where for where in own[which]}
    return out


def test_every_row_of_the_page_is_tested() -> None:
    assert list(rows()) == list(CHANGES)


@pytest.mark.parametrize("change", list(CHANGES))
def test_row(change: str, project: Project) -> None:
    twin = CHANGES[change](project) or ""
    assert project.planned() == expected(project, rows()[change], twin)
