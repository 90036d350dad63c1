"""A SLURM cluster of two nodes on this machine, for the test: started and stopped by recorded process ids alone."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scontrol", "sinfo")
CONF = Path("/etc/slurm/slurm.conf")
PORT = 26817


def why_not() -> str:
    """Why no cluster can be started here, in words; empty if one can."""
    if os.geteuid() != 0:
        return "starting SLURM's daemons needs root"
    lacking = [p for p in PROGRAMS if shutil.which(p) is None]
    if lacking:
        return f"not installed: {', '.join(lacking)} (Debian: slurm-wlm, munge)"
    if CONF.exists() or CONF.is_symlink():
        return f"{CONF} is there: a cluster is configured on this machine, and the test would replace it"
    return ""


class Cluster:
    """Nodes n1 and n2. Sbatch finds the configuration at /etc/slurm/slurm.conf only: the plugin clears SLURM_CONF."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.host = socket.gethostname().split(".")[0]

    def run(self, *command: str, timeout: float = 60) -> str:
        """Output of a command; raises CalledProcessError."""
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout).stdout

    def __enter__(self) -> Cluster:
        for part in ("run", "log", "state", "spool", "etc", "munge"):
            (self.base / part).mkdir(parents=True, exist_ok=True)
        os.chmod(self.base, 0o755)
        munge = self.base / "munge"
        os.chmod(munge, 0o755)
        key = munge / "munge.key"
        key.write_bytes(os.urandom(1024))
        os.chmod(key, 0o600)
        self.run(
            "munged", "--force", f"--key-file={key}", f"--socket={munge}/munge.socket",
            f"--pid-file={munge}/munged.pid", f"--log-file={munge}/munged.log", f"--seed-file={munge}/munged.seed",
            "--num-threads=2",
        )  # fmt: skip
        text = (HERE / "slurm.conf.in").read_text(encoding="utf-8")
        for name, value in {"BASE": self.base, "HOST": self.host, "PORT": PORT, "PORT1": PORT + 101,
                            "PORT2": PORT + 102}.items():  # fmt: skip
            text = text.replace(f"@{name}@", str(value))
        conf = self.base / "etc/slurm.conf"
        conf.write_text(text, encoding="utf-8")
        CONF.parent.mkdir(parents=True, exist_ok=True)
        CONF.symlink_to(conf)
        try:
            self.run("slurmctld", "-c")
            self._wait(lambda: "UP" in self.run("scontrol", "ping"), "the controller")
            for node in ("n1", "n2"):
                self.run("slurmd", "-N", node)
            self._wait(lambda: len(self.run("sinfo", "-h", "-N", "-t", "idle", "-o", "%N").split()) == 2, "the nodes")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait(self, ready: object, what: str, seconds: float = 60) -> None:
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            with contextlib.suppress(subprocess.CalledProcessError):
                if ready():  # type: ignore[operator]
                    return
            time.sleep(0.2)
        logs = "\n".join(p.read_text(errors="replace")[-1500:] for p in sorted((self.base / "log").glob("*.log")))
        raise RuntimeError(f"{what} did not come up in {seconds:g} s\n{logs}")

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(Exception):
            self.run("scancel", "--state=RUNNING,PENDING", "-u", "root")
        pids = [*sorted((self.base / "run").glob("*.pid"), reverse=True), self.base / "munge/munged.pid"]
        for file in pids:
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(file.read_text()), signal.SIGTERM)
        if CONF.is_symlink() and Path(os.readlink(CONF)) == self.base / "etc/slurm.conf":
            CONF.unlink()

    def jobs(self) -> list[tuple[str, str, str]]:
        """(number, state, node) of every job SLURM still remembers."""
        lines = self.run("squeue", "-h", "--states=all", "-o", "%i|%T|%N").splitlines()
        return [(a, b, c) for a, b, c in (line.split("|") for line in lines)]

    def down(self, node: str) -> None:
        """Take a node away while jobs run on it: SLURM kills them with state NODE_FAIL."""
        self.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")

    def nodes_used(self) -> dict[str, int]:
        """Jobs that the controller started, by node, from its log."""
        text = (self.base / "log/slurmctld.log").read_text(errors="replace")
        found = re.findall(r"Allocate JobId=\d+ NodeList=(\w+)", text)
        return {n: found.count(n) for n in sorted(set(found))}
