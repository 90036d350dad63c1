"""Every rule of the check by its id: those of the registry, those that stand elsewhere, those of the VCF reader."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

from pharmtwin.intake.cells import REPAIRS

ELSEWHERE = Path(__file__).resolve().parent / "rules" / "catalogue.yaml"
HEAD = ELSEWHERE.with_name("page.md")
#: first part of an id -> what its rules are about
FAMILIES = {
    "config": "The configuration", "privacy": "Pseudonyms", "sheet": "Files and headers", "units": "Units",
    "time": "Clock times",
    "regimen": "Regimens in words", "*": "Single cells, in every sheet", "ids": "Ids", "twins": "The twins sheet",
    "body": "Bodies", "kidney": "Kidney markers", "conditions": "Conditions", "comedication": "Comedication",
    "events": "Doses and samples", "scenarios": "Scenarios", "structure_calls": "Calls of gene structure",
    "cdisc": "CDISC", "vcf": "VCF files", "bed": "Callable regions", "ped": "Pedigrees",
    "outside": "Results of other callers", "reads": "Alignments", "repair": "Repairs that were asked for",
}  # fmt: skip


@cache
def catalogue() -> dict[str, tuple[str, str]]:
    """Rule id -> (level, what it finds), ordered by family and id."""
    from pharmtwin.genome.reading.checks import RULES as VCF  # heavy
    from pharmtwin.intake.rules import RULES

    told = yaml.safe_load(ELSEWHERE.read_text(encoding="utf-8"))
    out = {str(key): (str(words).partition(": ")[0], str(words).partition(": ")[2]) for key, words in told.items()}
    out |= {r.id: (r.level, r.about) for r in RULES.values()}
    out |= {key: (words[0], words[2]) for key, words in VCF.items()}
    out |= {f"repair.{name}": ("note", f"repaired: {what}") for name, what in REPAIRS.items()}
    families = list(FAMILIES)
    return dict(sorted(out.items(), key=lambda item: (families.index(item[0].split(".")[0]), item[0])))


def page() -> str:
    """The text of docs/findings.md, written from the rules themselves."""
    from pharmtwin.intake.rules import RULES

    rules = catalogue()
    lines = [HEAD.read_text(encoding="utf-8").format(n=len(rules), own=len(RULES)).rstrip("\n"), ""]
    lines += [f"* `{name}`: {what}" for name, what in REPAIRS.items()]
    for family, title in FAMILIES.items():
        its = {key: words for key, words in rules.items() if key.split(".")[0] == family}
        if its:
            lines += ["", f"## {title}", "", "| rule | level | what it finds |", "|---|---|---|"]
            for key, (level, about) in its.items():
                more = RULES.get(key)
                reason = f"; {more.why}" if more else ""
                lines.append(f"| `{key}` | {level} | {_cell(about)}{_cell(reason)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
