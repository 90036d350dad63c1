"""Write the conda environment files of the stages, envs/<stage>.yaml, from requirements.lock (run by hand).

    python scripts/maintenance/build_envs.py            # write
    python scripts/maintenance/build_envs.py --check    # only say which files are out of step

There is one source of versions, the lock. A stage's file holds the packages that its code imports (ROOTS) and
everything they need, at the locked versions and with the lock's environment markers.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = ">=3.11,<3.14"

TABLES = ("numpy", "pandas", "pyarrow", "pyyaml", "jsonschema")
MODEL = (*TABLES, "numba", "llvmlite", "scipy", "scikit-sundae")
#: distributions that the code of a stage's jobs imports, directly or through the library
ROOTS: dict[str, tuple[str, ...]] = {
    "genome": (*TABLES, "scipy", "cyvcf2", "pysam"),
    "body": (*TABLES, "scipy", "cyvcf2", "pysam"),
    "pbpk": (*MODEL, "cyvcf2", "pysam"),
    "fit": (*MODEL, "cyvcf2", "pysam", "pymc", "nutpie", "arviz", "h5netcdf", "h5py"),
    "sensitivity": (*MODEL, "salib"),
    "report": (*TABLES, "jinja2"),
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


def main() -> None:
    """Write the files, or say which are out of step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is out of step")
    args = parser.parse_args()
    stale = []
    for stage, text in environments((REPOSITORY / "requirements.lock").read_text(encoding="utf-8")).items():
        path = REPOSITORY / "envs" / f"{stage}.yaml"
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(f"envs/{stage}.yaml")
        if not args.check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    print("\n".join(stale) or "envs are in step with requirements.lock")
    if args.check and stale:
        sys.exit(1)


if __name__ == "__main__":
    main()
