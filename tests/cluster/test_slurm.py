"""The workflow on a real SLURM of two nodes, one of which is taken away in the middle (``make slurm``).

``PHARMTWIN_SLURM_STUDY``: ``demo`` (default), the shipped study, or ``small``, that of the workflow tests. The same
study is run without SLURM first; both must be equal byte for byte.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from pharmtwin.cli import main
from tests.cluster.cluster import Cluster, why_not
from tests.cluster.plugin import ROOT, install
from tests.workflow.conftest import Project, lay_out, lay_out_demo

STUDY = os.environ.get("PHARMTWIN_SLURM_STUDY", "demo")
LIMIT = 3600.0  # s for the whole run
PROFILE = ["--workflow-profile", "config/profiles/slurm.yaml", "--latency-wait", "10", "--slurm-status-command",
           "squeue", "--slurm-no-account", "--slurm-init-seconds-before-status-checks", "3",
           "--default-resources", "slurm_partition=debug", "mem_mb=2000", "runtime=60"]  # fmt: skip


def project(folder: Path) -> Project:
    """A fresh checkout with the study."""
    return lay_out(folder) if STUDY == "small" else lay_out_demo(folder)


def beside(own: Project, plugin: Path) -> dict[str, str]:
    """Environment of a project with the plugin in it."""
    environment = own.environment()
    return {**environment, "PYTHONPATH": f"{environment['PYTHONPATH']}:{plugin}"}


def files_of(folder: Path) -> list[Path]:
    """Results without logs."""
    return [p for p in folder.rglob("*") if p.is_file() and "logs" not in p.relative_to(folder).parts]


@pytest.mark.cluster
def test_a_node_goes_down_and_all_results_arrive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if reason := why_not():
        pytest.skip(reason)
    plugin = install(ROOT / ".cache/slurm-plugin")
    local, remote = project(tmp_path / "local"), project(tmp_path / "slurm")
    command = [c for c in remote.command(*PROFILE) if c not in ("--cores", "2")]
    with Cluster(tmp_path / "cluster") as cluster, (tmp_path / "slurm.log").open("w") as said:
        began = time.monotonic()
        # with the plugin too: the bill of materials lists it, and it must be the same
        subprocess.run(local.command(), cwd=local.folder, env=beside(local, plugin), check=True, capture_output=True)
        alone, began = time.monotonic() - began, time.monotonic()
        running = subprocess.Popen(
            command, cwd=remote.folder, env=beside(remote, plugin), stdout=said, stderr=subprocess.STDOUT
        )
        lost: set[str] = set()
        try:
            while running.poll() is None and time.monotonic() - began < LIMIT:
                jobs = cluster.jobs()
                finished = sum(state == "COMPLETED" for _, state, _ in jobs)
                on_n1 = {job for job, state, node in jobs if state == "RUNNING" and node == "n1"}
                if not lost and finished >= 2 and on_n1:
                    cluster.down("n1")
                    lost = on_n1
                time.sleep(1.0)
        finally:
            if running.poll() is None:
                running.terminate()
            running.wait(60)
        states = [state for _, state, _ in cluster.jobs()]
        nodes = cluster.nodes_used()
        took = time.monotonic() - began
    text = (tmp_path / "slurm.log").read_text(encoding="utf-8")
    assert running.returncode == 0, text[-4000:]
    assert lost, "no job ran on n1 after two had finished: nothing was taken away"
    assert states.count("NODE_FAIL") >= 1, states
    assert set(nodes) == {"n1", "n2"}, nodes
    pair = [p.folder / f"results/{p.study}/manifest.json" for p in (local, remote)]
    capsys.readouterr()
    main(["verify", *map(str, pair)])
    verdict = capsys.readouterr().out
    # the list of packages describes the environment, which somebody may change between the two runs: no result
    assert "the two runs are byte-equal" in verdict or "every result is byte-equal" in verdict, verdict
    with capsys.disabled():
        print(
            f"\nSLURM: study {local.study}; {len(states)} jobs remembered, {sum(nodes.values())} started "
            f"({', '.join(f'{n} {k}' for n, k in nodes.items())}), {states.count('NODE_FAIL')} lost with node n1, "
            f"all made again; {len(files_of(remote.folder / 'results'))} files, byte-equal to the local run; "
            f"wall {took:.0f} s on SLURM, {alone:.0f} s without"
        )
