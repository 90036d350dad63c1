"""Files with their hashes, and seals on JSON documents that hold such lists."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pharmtwin.facts import sha256_file
from pharmtwin.files import write_text


def entry(path: Path, root: Path) -> dict[str, Any]:
    """Path from ``root``, bytes and sha256 of a file."""
    return {"path": path.relative_to(root).as_posix(), "bytes": path.stat().st_size, "sha256": sha256_file(path)}


def files_below(root: Path) -> list[Path]:
    """Files of a folder, sorted, without Python's caches; a file is its own list, an absent path an empty one."""
    if root.is_file():
        return [root]
    return sorted(
        p for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts and ".egg-info" not in str(p)
    )


def text_of(document: Mapping[str, Any]) -> str:
    """JSON text of a document: sorted keys, one place for everything, so equal content gives equal bytes."""
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def seal_of(document: Mapping[str, Any]) -> str:
    """sha256 of a document without its key ``seal``."""
    rest = {k: v for k, v in document.items() if k != "seal"}
    return hashlib.sha256(text_of(rest).encode()).hexdigest()


def write_sealed(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document with its seal: a later change of a byte in it shows (it is no signature)."""
    write_text(path, text_of({**document, "seal": seal_of(document)}))


def read_sealed(path: Path) -> tuple[dict[str, Any], str]:
    """A sealed document and what is wrong with it ("" if nothing): unreadable, another format, or a changed byte.

    An unreadable document is empty.
    """
    raw = path.read_bytes()
    try:
        document = json.loads(raw)
    except ValueError as error:
        return {}, f"is no JSON any more ({type(error).__name__})"
    if not isinstance(document, dict):
        return {}, "is no JSON object any more"
    if document.get("seal") != seal_of(document) or raw != text_of(document).encode():
        return document, "does not bear its seal: changed since it was written, or of a version without seals"
    return document, ""
