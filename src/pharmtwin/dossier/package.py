"""The electronic package: data sets, programs as text, model, manifest, plan, statements, reviewer's guide, hashes."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from pharmtwin.core.whole_body import whole_body
from pharmtwin.dossier.about import About
from pharmtwin.dossier.blocks import Authored, Chapter, Cover
from pharmtwin.dossier.chapters.appendix import package_chapter
from pharmtwin.dossier.datasets import DataSet, definitions
from pharmtwin.dossier.layout import lay_out
from pharmtwin.dossier.pdf import write_pdf
from pharmtwin.dossier.run import Run
from pharmtwin.dossier.xport import write_xport
from pharmtwin.facts import sha256_file
from pharmtwin.files import write_text
from pharmtwin.report.blocks import Bullets, Paragraph
from pharmtwin.report.words import count
from pharmtwin.workflow.plan import REPOSITORY

FOLDERS = (
    ("datasets/*.xpt", "data sets, SAS transport files of version 5, one a table"),
    ("datasets/define.tsv", "every variable: data set, name, label, type, unit, column, meaning"),
    (
        "programs/",
        "the code of the run as text (.txt added to each name), byte for byte as the manifest lists it (UTF-8)",
    ),
    ("facts/", "all tables and drug files that the run could read, as text, with unit and source in each row"),
    ("model/model.tex", "the equations of the model as LaTeX"),
    ("model/model.xml", "the same model as SBML, level 3"),
    ("run/", "manifest.json and run.json of the run; analysis plan and dossier.yaml where there are any"),
    ("reviewer-guide.pdf", "how to read the package and how to run the study again"),
    ("../sha256.txt", "sha256 of every file, for `sha256sum -c sha256.txt`"),
)


def _programs(run: Run, folder: Path) -> list[str]:
    """Copy code and facts whose bytes are those of the run; the paths of the others."""
    missing = []
    for section, target in (("code", "programs"), ("facts", "facts")):
        for entry in run.manifest[section]:
            source = REPOSITORY / entry["path"]
            if not source.is_file() or sha256_file(source) != entry["sha256"]:
                missing.append(str(entry["path"]))
                continue
            inside = entry["path"].removeprefix("resources/") if section == "facts" else entry["path"]
            copy = folder / target / f"{inside}.txt"
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
    return missing


def _define(sets: Sequence[DataSet]) -> str:
    lines = ["dataset\tvariable\tlabel\ttype\tunit\tcolumn\tmeaning"]
    lines += [
        "\t".join((s.name, v.name, v.label, v.kind, v.unit, v.column, " ".join(v.meaning.split())))
        for s in sets
        for v in s.variables
    ]
    return "\n".join(lines) + "\n"


def _guide(path: Path, run: Run, sets: Sequence[DataSet], missing: Sequence[str], mark: str, when: datetime) -> None:
    empty = sorted(set(definitions()) - {s.name for s in sets})
    steps = (
        "Unpack programs/ (without .txt) and facts/ (as resources/) into one folder, or take the release that the "
        "manifest names.",
        "make setup (Python 3.11 to 3.13) installs requirements.lock; every package is checked by its hash.",
        f"snakemake --cores 2, with the configuration of manifest.json, writes results/{run.inputs.study}.",
        f"pharmtwin verify results/{run.inputs.study}/manifest.json run/manifest.json compares the runs.",
        f"Run time of the jobs here: {count(sum(run.seconds.values()))} s in all (two cores suffice).",
    )
    notes = [
        "No record was dropped: observations that were kept aside stand in PC and PRED with USE = test.",
        "Genome files are not part of the package; GENO has the diplotypes that were read from them.",
        "profiles (concentrations over time of every twin) and population draws stay in the results folder.",
    ]
    if empty:
        notes.append(f"Data sets without rows were not written: {', '.join(empty)}.")
    if missing:
        shown = ", ".join(missing[:20]) + (f" and {len(missing) - 20} more" if len(missing) > 20 else "")
        notes.append(f"Not in the package, because this installation has other bytes than the run had: {shown}.")
    chapters = (
        Chapter("1", "How to run the study again", (Bullets(steps),)),
        Chapter("2", "What to know", (Paragraph("In reading the data sets:"), Bullets(tuple(notes)))),
        package_chapter(sets, FOLDERS),
    )
    title = Authored("title", f"Reviewer's guide: {run.inputs.study}")
    lines = (("Run", run.run_id), ("Manifest (sha256)", run.manifest_sha256))
    cover = Cover(title, Authored("context", "Electronic package of the dossier"), lines, "Written by the program.")
    write_pdf(path, cover, lay_out(chapters).items, mark, "Reviewer's guide", when)


def write_package(
    folder: Path,
    run: Run,
    about: About,
    sets: Sequence[DataSet],
    *,
    plan: Path | None,
    mark: str,
    when: datetime,
) -> list[str]:
    """Write the package into ``folder``; returns the paths of code and facts that it had to leave out."""
    from pharmtwin.exchange.sbml_export import to_sbml
    from pharmtwin.model.equations import document

    for s in sets:
        target = folder / "datasets" / f"{s.name.lower()}.xpt"
        write_xport(target, s.frame, s.name, s.label, {v.name: v.label for v in s.variables}, when)
    write_text(folder / "datasets" / "define.tsv", _define(sets))
    missing = _programs(run, folder)
    write_text(folder / "model" / "model.tex", document(whole_body()))
    write_text(folder / "model" / "model.xml", to_sbml(whole_body()))
    (folder / "run").mkdir(parents=True, exist_ok=True)
    copies: Iterable[tuple[Path, str]] = (
        (run.folder / "manifest.json", "manifest.json"),
        (run.folder / "run.json", "run.json"),
        (Path(about.file), "dossier.yaml"),
        *([(plan, "plan.json")] if plan else []),
    )
    for source, name in copies:
        if source.is_file():
            shutil.copyfile(source, folder / "run" / name)
    _guide(folder / "reviewer-guide.pdf", run, sets, missing, mark, when)
    return missing


def write_hashes(folder: Path) -> None:
    """``sha256.txt``: a line a file, in the form that ``sha256sum -c`` reads."""
    found = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "sha256.txt")
    lines = [f"{sha256_file(p)}  {p.relative_to(folder).as_posix()}\n" for p in found]
    write_text(folder / "sha256.txt", "".join(lines))
