"""``run.json``: clock, host, versions, cores, durations and places of a run. Never compared between runs."""

from __future__ import annotations

import getpass
import hashlib
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from pharmtwin.provenance.jobs import durations
from pharmtwin.provenance.manifest import inputs_of
from pharmtwin.workflow.calls import read_calls
from pharmtwin.workflow.plan import REPOSITORY

#: variables that change how numbers are computed
SETTINGS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES", "NUMBA_CPU_NAME",
    "NUMBA_CPU_FEATURES", "PYTHONHASHSEED",
)  # fmt: skip


def machine_class() -> dict[str, str]:
    """What equal bytes depend on beside inputs, code and packages: processor, its features, system, interpreter."""
    from llvmlite import binding

    features = binding.get_host_cpu_features().flatten()
    kernel = {k: os.environ[k] for k in SETTINGS[2:6] if k in os.environ}
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()),
        "processor": binding.get_host_cpu_name(),
        "processor_features": hashlib.sha256(features.encode()).hexdigest()[:16],
        "python": ".".join(platform.python_version_tuple()[:2]),
        "kernels": " ".join(f"{k}={v}" for k, v in sorted(kernel.items())) or "as the processor allows",
    }


def _git() -> dict[str, Any]:
    """Commit of the checkout and whether files differ from it; empty where there is no git or no repository."""

    def said(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout.strip()

    try:
        return {"commit": said("rev-parse", "HEAD"), "changed_files": len(said("status", "--porcelain").splitlines())}
    except (OSError, subprocess.SubprocessError):
        return {}


def packages() -> dict[str, str]:
    """Version of every installed package by name."""
    found: dict[str, str] = {}
    for one in metadata.distributions():
        found.setdefault(one.metadata["Name"], one.version)
    return dict(sorted(found.items()))


def run_record(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The record of the run whose results are in ``folder``; call it in the run's working directory.

    ``inputs_at``: place of each input in the manifest's order, and how the config or sheet names it;
    ``settings_at``: what the config says of places, which the manifest leaves out. Both are what a later
    verification or rerun finds the inputs by.
    """
    calls, used = read_calls(folder), durations(folder)
    return {
        "schema": "pharmtwin-run-1",
        "started": calls[0]["started"] if calls else "",
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "calls": calls,
        "cores": calls[-1]["cores"] if calls else None,
        "host": platform.node(),
        "user": getpass.getuser(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "machine_class": machine_class(),
        "environment": {k: os.environ[k] for k in SETTINGS if k in os.environ},
        "packages": packages(),
        "git": _git(),
        "working_directory": str(Path.cwd()),
        "checkout": str(REPOSITORY),
        "inputs_at": [{"given": i.given, "at": str(i.path.absolute())} for i in inputs_of(config)],
        "settings_at": {"paths": config["paths"], "drug": str(config["drug"])},
        "durations": used,
        "cpu_seconds": round(sum(d.get("cpu_seconds", 0.0) for d in used.values()), 2),
    }
