"""Rebuild ``resources/genes`` from its sources: build aside, check, tell the differences, and only then replace."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from pharmtwin import facts
from pharmtwin.curation import (
    gene_check,
    gene_copying,
    gene_definitions,
    gene_functions,
    gene_panel,
    gene_release,
    gene_rules,
)
from pharmtwin.curation.gene_files import read_table, write_table
from pharmtwin.files import write_bytes
from pharmtwin.genome import definitions


class UpdateError(RuntimeError):
    """The new tables are not fit for use; the message lists why, and the tables in use are as they were."""


def read_sources(folder: Path) -> pd.DataFrame:
    """sources.tsv: where each input comes from."""
    return read_table(folder / "sources.tsv")


def update(data: Path, out: Path, *, panel: bool = True) -> list[str]:
    """Rebuild the tables in ``out`` from ``data``; returns what changed, in lines for people.

    panel : also recount the panel and fit the copying model (two minutes). Without it the panel must still fit the
        definitions.
    Raises FileNotFoundError for a missing input, UpdateError if a check fails; then nothing is replaced.
    """
    with tempfile.TemporaryDirectory() as folder:
        staged = Path(folder) / "genes"
        staged.mkdir()
        for path in out.glob("*.tsv"):
            shutil.copy(path, staged)
        said = _build(data, staged, panel=panel)
        said = [*(gene_check.differences(out, staged) or ["alleles and positions: no difference"]), *said]
        for path in sorted(staged.glob("*.tsv")):
            old = out / path.name
            if not old.exists() or old.read_bytes() != path.read_bytes():
                write_bytes(old, path.read_bytes())
                said.append(f"written: {path.name}")
    return said


def _build(data: Path, staged: Path, *, panel: bool) -> list[str]:
    sources = read_sources(staged)
    said = []
    gene_definitions.write(data, staged)
    wrong = gene_check.problems(staged)
    if not wrong:
        with facts_from(staged.parent):
            for gene in definitions.GENES:
                names = gene_check.misnamed(definitions.gene_definition(gene))
                wrong += [f"{gene} {name}: its own variants get another name" for name in names]
    if wrong:
        raise UpdateError("the new definitions fail their checks, nothing was replaced:\n  " + "\n  ".join(wrong))
    if needed_by(("sub_alleles",), data, sources):
        said.append("CYP2D6 sub-alleles kept as they are: no PharmVar file among the sources")
    lacking = needed_by(("functions", "phenotypes"), data, sources)
    if lacking:
        said.append(f"functions.tsv and phenotypes.tsv kept as they are: {', '.join(lacking)} not among the sources")
    if (data / "defs/exemptions.json").exists():
        gene_rules.write(data, staged)
    else:
        said.append("calling_rules.tsv and its sisters kept as they are: no exemptions.json among the sources")
    with facts_from(staged.parent):
        if not lacking:
            gene_functions.write(data, staged)
        if panel:
            gene_panel.write(data, staged)
            gene_copying.write(staged)
    path = staged / "release.tsv"
    old = read_table(path) if path.exists() else None
    write_table(staged, "release", gene_release.release_table(data, sources, old))
    return said


def needed_by(tables: tuple[str, ...], data: Path, sources: pd.DataFrame) -> list[str]:
    """Inputs of some tables that ``data`` lacks."""
    files = gene_release.source_files(data, sources)
    return [f.name for f in files if set(tables) & set(f.tables) and not f.path.exists()]


@contextmanager
def facts_from(resources: Path) -> Iterator[None]:
    """Within the block, facts are read from another folder of resources (the staged tables)."""
    before = facts.RESOURCES
    facts.RESOURCES = resources
    definitions.gene_definition.cache_clear()
    try:
        yield
    finally:
        facts.RESOURCES = before
        definitions.gene_definition.cache_clear()
