"""Snakemake's SLURM executor from ``requirements-slurm.lock`` into a folder of its own.

Not into the environment: with the plugin there and no controller running, every start of Snakemake would wait for
``scontrol`` (10 s).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def lacking(lock: str) -> str:
    """The requirements of a lock file that this environment does not have in that version, with their hashes."""
    blocks = re.findall(r"^\w[^\n]*\\\n(?:    --hash=[^\n]*\n?)+", lock, flags=re.MULTILINE)
    kept = []
    for block in blocks:
        name, wanted = re.match(r"([\w.-]+)==([^\s;\\]+)", block).groups()  # type: ignore[union-attr]
        try:
            have = version(name)
        except PackageNotFoundError:
            have = ""
        if have != wanted:
            kept.append(block)
    return "".join(kept)


def install(folder: Path) -> Path:
    """Put the plugin and what it needs into ``folder``; raises CalledProcessError."""
    if not (folder / "snakemake_executor_plugin_slurm").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        wanted = folder / "wanted.txt"
        wanted.write_text(lacking((ROOT / "requirements-slurm.lock").read_text(encoding="utf-8")), encoding="utf-8")
        uv = shutil.which("uv")
        pip = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
        options = ["--quiet", "--no-deps", "--require-hashes", "--target", str(folder), "-r", str(wanted)]
        subprocess.run([*pip, *options], check=True)
    return folder
