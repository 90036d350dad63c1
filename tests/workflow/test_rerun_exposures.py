"""The second table of docs/reruns.md, row by row: the target ``exposures`` of a small population study."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pharmtwin.intake.buckets import bucket_name, bucket_of
from tests.kill.study import BUCKETS, REGIMEN, KillProject, lay_out_population
from tests.workflow.conftest import REPOSITORY
from tests.workflow.test_rerun_table import edit

CONFIG, TWINS = "config/kill.yaml", "config/studies/kill/twins.tsv"
DRUG = f"resources/drugs/{REGIMEN.drug}.yaml"


def rows() -> dict[str, str]:
    """Jobs by change, as the page says."""
    page = (REPOSITORY / "docs/reruns.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]+ \|$", page, flags=re.MULTILINE)
    return {change: jobs for change, jobs in found if not change.startswith("exposures: ")}


def weigh(project: KillProject) -> str:
    """Another weight of the first twin, whose name is returned."""
    path = project.folder / TWINS
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = lines[1].split("\t")
    cells[lines[0].split("\t").index("weight_kg")] = "71.5"
    path.write_text("\n".join([lines[0], "\t".join(cells), *lines[2:]]) + "\n", encoding="utf-8")
    return cells[0]


CHANGES: dict[str, Callable[[KillProject], str | None]] = {
    "weight of a twin": weigh,
    "draws a twin": lambda p: edit(p, CONFIG, "draws: 5", "draws: 6"),
    "limits by draws alone": lambda p: edit(p, CONFIG, "draws: 5", "draws: 5\n  method: draws"),
    "a dose more": lambda p: edit(p, CONFIG, "n_doses: 2", "n_doses: 3"),
    "a value of a drug of the library": lambda p: edit(p, DRUG, "value: 19.76,", "value: 19.77,"),
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> KillProject:
    """The study after one run."""
    project = lay_out_population(tmp_path_factory.mktemp("exposures") / "project")
    project.snakemake()
    return project


def test_every_row_of_the_page_is_tested() -> None:
    assert list(rows()) == list(CHANGES)


@pytest.mark.parametrize("change", list(CHANGES))
def test_row(change: str, done: KillProject, tmp_path: Path) -> None:
    shutil.copytree(done.folder, tmp_path / "project", symlinks=True)
    project = KillProject(tmp_path / "project", "kill")
    assert project.planned() == set()
    own = bucket_name(bucket_of(CHANGES[change](project) or "", BUCKETS))
    expected = set()
    for job in rows()[change].split(", "):
        name, _, which = job.partition("[")
        buckets = {"": [""], "own]": [f"[{own}]"], "every]": [f"[{bucket_name(k)}]" for k in range(BUCKETS)]}
        expected |= {name + where for where in buckets[which]}
    assert project.planned() == expected
