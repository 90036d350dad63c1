"""Conda environment files of the stages, ``envs/<stage>.yaml``, written from requirements.lock.

There is one source of versions, the lock. A stage's file holds the packages that its code imports (ROOTS) and
everything they need, at the locked versions and with the lock's environment markers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
PYTHON = ">=3.11,<3.14"

TABLES = ("numpy", "pandas", "pyarrow", "pyyaml", "jsonschema", "openpyxl")
MODEL = (*TABLES, "numba", "llvmlite", "scipy", "scikit-sundae")
#: distributions that the code of a stage's jobs imports, directly or through the library
ROOTS: dict[str, tuple[str, ...]] = {
    "genome": (*TABLES, "scipy", "cyvcf2", "pysam"),
    "body": (*TABLES, "scipy", "cyvcf2", "pysam"),
    "pbpk": (*MODEL, "cyvcf2", "pysam"),
    "fit": (*MODEL, "cyvcf2", "pysam", "pymc", "nutpie", "arviz", "h5netcdf", "h5py"),
    "sensitivity": (*MODEL, "salib"),
    "report": (*TABLES, "scipy", "jinja2", "llvmlite", "packaging"),
    "dossier": (
        *MODEL,
        "cyvcf2",
        "pysam",
        "jinja2",
        "matplotlib",
        "python-docx",
        "typst",
        "pyreadstat",
        "python-libsbml",
    ),
}
HEADER = """\
# Stage {stage}: conda environment, written from requirements.lock by scripts/maintenance/build_envs.py. Do not edit.
# Use: PYTHONPATH=$PWD/src snakemake --sdm conda ... (the package itself runs from the checkout).
# Conda cannot check the lock's hashes; `make setup` can.
"""


@dataclass
class Pin:
    """One entry of the lock: requirement as written (name==version, perhaps a marker), and who asked for it."""

    name: str
    requirement: str
    wanted_by: set[str] = field(default_factory=set)


def normalised(name: str) -> str:
    """Name of a distribution as registries compare it (PEP 503), without extras."""
    return re.sub(r"[-_.]+", "-", name.split("[")[0]).lower()


def read_lock(text: str) -> list[Pin]:
    """Entries of a lock in file order; a name occurs twice where versions depend on a marker."""
    pins: list[Pin] = []
    for line in text.splitlines():
        start = re.match(r"([A-Za-z0-9][\w.-]*)==\S+", line)
        via = re.match(r"    # via (\S+)|    #   (\S+)", line)
        if start:
            requirement = line.removesuffix("\\").strip().replace(" ; ", "; ")
            pins.append(Pin(normalised(start[1]), requirement))
        elif via and pins:
            pins[-1].wanted_by.add(normalised(via[1] or via[2]))
    return pins


def closure(pins: list[Pin], roots: tuple[str, ...]) -> list[Pin]:
    """Entries that ``roots`` need, themselves included, in file order; raises KeyError for a root not in the lock."""
    known = {p.name for p in pins}
    missing = [r for r in roots if r not in known]
    if missing:
        raise KeyError(f"not in requirements.lock: {missing}")
    chosen = set(roots)
    while True:
        more = {p.name for p in pins if p.wanted_by & chosen} - chosen
        if not more:
            return [p for p in pins if p.name in chosen]
        chosen |= more


def env_text(stage: str, pins: list[Pin]) -> str:
    """Environment file of a stage."""
    lines = [HEADER.format(stage=stage) + "channels:", "  - conda-forge", "  - nodefaults", "dependencies:"]
    lines += [f"  - python {PYTHON}", "  - pip", "  - pip:"]
    # single quotes of a marker are doubled inside a single-quoted scalar
    lines += ["      - '{}'".format(p.requirement.replace("'", "''")) for p in closure(pins, ROOTS[stage])]
    return "\n".join(lines) + "\n"


def environments(lock: str) -> Mapping[str, str]:
    """Text of every environment file by stage."""
    pins = read_lock(lock)
    return {stage: env_text(stage, pins) for stage in ROOTS}


def out_of_step(repository: Path = REPOSITORY) -> dict[str, str]:
    """Text that a file should hold by path from the repository, for every file that is absent or holds another."""
    wanted = environments((repository / "requirements.lock").read_text(encoding="utf-8"))
    files = {f"envs/{stage}.yaml": text for stage, text in wanted.items()}

    def is_current(name: str, text: str) -> bool:
        path = repository / name
        return path.exists() and path.read_text(encoding="utf-8") == text

    return {name: text for name, text in files.items() if not is_current(name, text)}
