"""All files of a dossier: the three forms of the document, the electronic package, the hashes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pharmtwin.dossier.about import About
from pharmtwin.dossier.build import PlanState, build
from pharmtwin.dossier.datasets import data_sets
from pharmtwin.dossier.package import FOLDERS, write_hashes, write_package
from pharmtwin.dossier.page import html_text, write_page
from pharmtwin.dossier.pdf import write_pdf
from pharmtwin.dossier.plan import deviations, plan, read_plan
from pharmtwin.dossier.rerun import Rerun
from pharmtwin.dossier.run import Run
from pharmtwin.dossier.word import write_word
from pharmtwin.findings import Finding
from pharmtwin.report.words import without_folders


def plan_state(run: Run, about: About, file: str) -> tuple[PlanState, list[Finding]]:
    """The plan beside the run; a plan that cannot be read is an error, none at all a warning."""
    if not file:
        what, why = "no analysis plan is named", "deviations cannot be listed"
        fix = "before the next fit: pharmtwin plan, and paths.plan in the configuration"
        warning = Finding.create("dossier.no_plan", about.file, what, why, fix, severity="warning")
        return PlanState(), [warning]
    planned, sha, findings = read_plan(file)
    if planned is None:
        return PlanState(), findings
    before_fit = any(e["sha256"] == sha for e in run.manifest["inputs"])
    found = deviations(planned, plan(run.config, about), about)
    return PlanState(without_folders(file), sha, before_fit, tuple(found)), findings


def write(
    folder: Path,
    run: Run,
    about: About,
    plan: PlanState,
    rerun: Rerun | None,
    release: str,
    when: datetime,
    plan_file: str = "",
) -> list[Finding]:
    """Write everything into a new ``folder``; returns findings of the building."""
    sets = data_sets(run)
    built = build(run, about, plan, sets, FOLDERS, release=release, rerun=rerun)
    document, items = built.dossier, built.layout.items
    findings = list(built.findings)
    folder.mkdir(parents=True)
    write_page(html_text(document.cover, items, document.mark, document.footer), str(folder / "dossier.html"))
    write_word(folder / "dossier.docx", document.cover, items, document.mark, document.footer, when)
    write_pdf(folder / "dossier.pdf", document.cover, items, document.mark, document.footer, when)
    missing = write_package(
        folder / "package",
        run,
        about,
        sets,
        plan=Path(plan_file) if plan.sha256 else None,
        mark=document.mark,
        when=when,
    )
    if missing:
        what = f"{len(missing)} files of code or facts are not in the package: this installation has other bytes"
        fix = "write the dossier with the installation that made the run"
        findings.append(
            Finding.create("dossier.package_incomplete", str(run.folder / "manifest.json"), what,
                           "a reviewer could not run it again from the package alone", fix, severity="warning")
        )  # fmt: skip
    write_hashes(folder)
    return findings
