"""What a run leaves behind: no genotype or id in logs, nothing outside results/, no shell sees a user's words."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from pharmtwin.intake.pseudonyms import VARIABLE, Pseudonyms
from tests.workflow.conftest import Project, lay_out

GENOTYPE = re.compile(r"\*\d+(\.\d+)?\s*/\s*\*\d+|(?<![\w./|])[0-9.][/|][0-9.](?![\w./|])")
KEY = "a key of the test, long enough"


def logs(project: Project) -> dict[Path, str]:
    """Every log of a run: the rules', the notes of the jobs, Snakemake's own."""
    folders = [*project.folder.glob("results/*/logs"), project.folder / ".snakemake" / "log"]
    files = [p for f in folders for p in f.rglob("*") if p.is_file()]
    return {p: p.read_text(encoding="utf-8", errors="replace") for p in files}


def names(project: Project) -> list[str]:
    """Ids of the twins and names of their samples."""
    rows = project.sheet("twins")
    columns = [rows[0].index(c) for c in ("twin_id", "sample")]
    return [row[c] for row in rows[1:] for c in columns]


def with_names(text: str, listed: list[str]) -> list[str]:
    """Names that stand in a text as words of their own."""
    return [n for n in listed if re.search(rf"(?<![\w]){re.escape(n)}(?![\w])", text)]


def test_logs_hold_no_genotype_and_no_id(finished: Project) -> None:
    found = logs(finished)
    assert len(found) > 20
    for path, text in found.items():
        assert not with_names(text, names(finished)), path
        assert not GENOTYPE.search(text), (path, GENOTYPE.search(text))


def small(folder: Path) -> Project:
    """The small study without fit and sensitivity: what is tested here ends before them."""
    project = lay_out(folder)
    config = project.folder / "config" / "small.yaml"
    text = config.read_text(encoding="utf-8").replace("fit: {", "fit: {enabled: false, ")
    config.write_text(text.replace("sensitivity: {", "sensitivity: {enabled: false, "), encoding="utf-8")
    return project


def files_outside(project: Project) -> set[str]:
    """Files of the project that a run may not touch, with their times."""
    kept = ("results", ".snakemake", ".cache", "__pycache__")
    return {
        f"{p.relative_to(project.folder)} {p.stat().st_mtime_ns}"
        for p in project.folder.rglob("*")
        if p.is_file() and not set(p.relative_to(project.folder).parts) & set(kept)
    }


def test_words_of_a_user_reach_no_shell(tmp_path: Path) -> None:
    """Quotes, semicolons, dollars, pipes and blanks in the paths of a study."""
    project = small(tmp_path / "it's; a $HOME `x` & project")
    odd = project.folder / "config" / 'o\'dd $(touch pwned) `touch pwned2` "q" & | > pwned3'
    odd.mkdir()
    for path in (p for p in (project.folder / "config/studies/demo").iterdir() if p.is_file()):
        shutil.copy2(path, odd / path.name)
    config = project.folder / "config" / "small.yaml"
    where = odd.relative_to(project.folder).as_posix()
    text = re.sub(r"config/studies/demo(/\w+\.tsv)?", lambda m: json.dumps(where + (m[1] or "")), config.read_text())
    config.write_text(text, encoding="utf-8")
    before = files_outside(project)
    project.snakemake("--until", "twins")
    assert list(project.folder.glob("results/small/twins/*/genotype.parquet"))
    assert files_outside(project) == before
    assert not list(tmp_path.rglob("pwned*"))


def test_a_study_under_pseudonyms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, KEY)
    project = small(tmp_path / "project")
    with (project.folder / "config" / "small.yaml").open("a", encoding="utf-8") as config:
        config.write("privacy: {pseudonyms: true}\n")
    rows = project.sheet("twins")
    at = rows[0].index("twin_id")
    ids = [row[at] for row in rows[1:]]
    project.snakemake("--until", "exports")
    made = [p for p in project.folder.glob("results/**/*") if "code" not in p.parts]
    exports = {p.name.split(".")[0] for p in made if p.match("twins/*/exports/[!.]*")}
    assert exports == {Pseudonyms(KEY.encode()).of(i) for i in ids}
    for path in made:
        assert not with_names(path.name.replace("_", " ").replace(".", " "), ids), path
        if path.is_file():
            content = path.read_bytes()
            assert KEY.encode() not in content, path
            assert not [i for i in ids if re.search(rb"(?<!\w)" + i.encode() + rb"(?!\w)", content)], path
    for path, text in logs(project).items():
        assert not with_names(text, names(project)), path


def test_a_study_that_leads_out_of_results_is_refused(tmp_path: Path) -> None:
    project = small(tmp_path / "project")
    before = files_outside(project)
    for study in ("../../outside", "/tmp/outside", "a/b", "x\n", "$(touch pwned)", "x; touch pwned"):
        done = project.snakemake("-n", "--config", f"study={json.dumps(study)}", check=False)
        assert done.returncode != 0 and "config." in done.stderr, study
    assert files_outside(project) == before and not (project.folder / "results").exists()
    assert not (tmp_path / "outside").exists() and not os.path.exists("/tmp/outside")
