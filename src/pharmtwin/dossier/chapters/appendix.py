"""Appendices: parameters and numbers of figures, reproducibility, electronic package, glossary and references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import yaml

from pharmtwin.dossier.about import About
from pharmtwin.dossier.blocks import Block, Chapter, Heading
from pharmtwin.dossier.chapters.methods import fact_rows
from pharmtwin.dossier.datasets import DataSet
from pharmtwin.dossier.rerun import Rerun
from pharmtwin.dossier.run import Run
from pharmtwin.facts import fact_table
from pharmtwin.report.blocks import Bullets, Cell, Paragraph, Table
from pharmtwin.report.words import NONE, count

#: tables of system parameters that are printed in full: file of resources/physiology, caption
SYSTEM = (
    ("reference_bodies", "Reference adults"),
    ("reference_organs", "Organs of the reference adults"),
    ("equations", "Coefficients of the equations of body and partitioning"),
    ("ageing", "Rates of ageing"),
    ("blood", "Albumin, alpha-1 acid glycoprotein and haematocrit"),
    ("kidney", "Equations of kidney function"),
    ("enzymes", "Enzymes of the liver"),
    ("tissue_composition", "Composition of tissues"),
    ("variability", "Variability between people"),
    ("variability_correlations", "Correlations between people"),
    ("ontogeny", "Maturation of enzymes and transporters"),
)
HASH = 16  # digits of a hash in a printed list; all of them are in the manifest


def parameters_chapter(numbers: Sequence[Table]) -> Chapter:
    """A: system parameters with sources, all tables of facts by version, and the numbers of the figures."""
    blocks: list[Block] = [Heading("System parameters")]
    for name, caption in SYSTEM:
        blocks += fact_rows(f"physiology/{name}.tsv", caption)
    versions = fact_table("versions.tsv").drop(columns="rows").fillna("")
    rows = [
        [
            str(r["table"]),
            str(r["version"]),
            str(r["what"]),
            str(r["source"]),
            str(r["licence"]),
            str(r["sha256"])[:HASH],
        ]
        for _, r in versions.iterrows()
    ]
    header = ["Table", "Version", "What", "Source", "Licence", "sha256 (begins)"]
    blocks += [Heading("All tables of facts"), Table.create("Tables of facts", header, rows, text=range(6), limit=1000)]
    if numbers:
        blocks += [Heading("Numbers of the figures"), *numbers]
    return Chapter("A", "Parameters and numbers", tuple(blocks))


def _hashes(entries: Sequence[Mapping[str, Any]], caption: str) -> Table:
    rows = [[str(e["path"]), count(e["bytes"]), str(e["sha256"])] for e in entries]
    return Table.create(caption, ["File", "Bytes", "sha256"], rows, text=(0, 2), limit=2000)


def reproducibility_chapter(run: Run, rerun: Rerun | None) -> Chapter:
    """B: environment, hashes of inputs and outputs, run time, comparison with a second run."""
    manifest = run.manifest
    software = [[k, str(v)] for k, v in sorted(manifest["software"].items())]
    seconds = [[k, f"{v:.0f}"] for k, v in sorted(run.seconds.items())]
    outputs = [e for e in manifest["outputs"] if "/exports/" not in e["path"]]
    exports = len(manifest["outputs"]) - len(outputs)
    blocks: list[Block] = [
        Paragraph(
            "All results were hashed again when this dossier was written, and are as the manifest records. "
            "requirements.lock pins every package by hash; its own hash is among those of the code in the manifest."
        ),
        Heading("Second run"),
    ]
    if rerun is None:
        blocks.append(Paragraph("No second run was given (--rerun): reproducibility is not shown here.", "caution"))
    elif rerun.problems:
        blocks += [Paragraph("A second run differs from this one:", "caution"), Bullets(rerun.problems), rerun.table]
    else:
        said = "A second run gave the same inputs, facts, code and outputs, byte for byte."
        blocks += [Paragraph(said), rerun.table]
    blocks += [
        Heading("Software"),
        Table.create("Software", ["Package", "Version"], software, text=(0, 1), limit=500),
        Heading("Files"),
        _hashes(manifest["inputs"], "Inputs"),
        _hashes(outputs, "Outputs"),
        Paragraph(
            f"{count(exports)} export files of single twins, {count(len(manifest['code']))} files of code and "
            f"{count(len(manifest['facts']))} of facts are listed in manifest.json of the electronic package."
        ),
        Heading("Run time"),
        Table.create("Run time of the jobs", ["Job", "Seconds"], seconds, limit=500),
    ]
    return Chapter("B", "Reproducibility", tuple(blocks))


def package_chapter(sets: Sequence[DataSet], folders: Sequence[tuple[str, str]]) -> Chapter:
    """C: what the electronic package holds, and the definition of every variable."""
    listed = [
        [s.name, s.label, count(len(s.frame)), ", ".join(s.key) or NONE, s.source, Cell("; ".join(s.notes) or NONE)]
        for s in sets
    ]
    variables = [
        [s.name, v.name, v.label, v.kind, v.unit or NONE, v.column, v.meaning] for s in sets for v in s.variables
    ]
    return Chapter(
        "C",
        "Electronic package",
        (
            Table.create("Folders of the package", ["Folder or file", "Content"], folders, text=(0, 1)),
            Table.create(
                "Data sets",
                ["Name", "Label", "Rows", "Key", "From", "Changed on the way"],
                listed,
                text=(0, 1, 3, 4, 5),
            ),
            Table.create(
                "Variables",
                ["Data set", "Variable", "Label", "Type", "Unit", "Column", "Meaning"],
                variables,
                text=range(7),
                limit=1000,
            ),
        ),
    )


def words_chapter(about: About, run: Run) -> Chapter:
    """D: glossary, the author's references, and the sources of the drug's values (chapter 6 has them in full)."""
    words = yaml.safe_load((files("pharmtwin.dossier") / "glossary.yaml").read_text(encoding="utf-8"))
    references = tuple(str(r) for r in about.entries("references"))
    glossary = Table.create("Glossary", ["Word", "Meaning"], sorted(words.items()), text=(0, 1))
    blocks: list[Block] = [glossary, Heading("References of the author")]
    blocks.append(Bullets(references) if references else Paragraph("[blank: references]", "missing"))
    blocks.append(
        Paragraph("Sources of parameters: chapter 6 and appendix A. Sources of published profiles: chapter 10.")
    )
    return Chapter("D", "Glossary and references", tuple(blocks))
