"""Digest of library code: what Snakemake does not track, an edited module, reruns its stage.

The digest covers the parsed code of a module and of every pharmtwin module that it imports, directly or
not (imports inside functions count). Comments, docstrings and formatting are left out.
"""

from __future__ import annotations

import ast
import atexit
import contextlib
import hashlib
import json
import os
from functools import cache
from pathlib import Path

from pharmtwin.files import write_text

PACKAGE = Path(__file__).resolve().parents[1]


def module_path(name: str) -> Path | None:
    """File of a module of this package (``pharmtwin.core.drug``), or None if it is not one."""
    parts = name.split(".")
    if parts[0] != PACKAGE.name:
        return None
    base = PACKAGE.joinpath(*parts[1:])
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list) or not body or not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            continue
        first = body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            node.body = body[1:]
    return tree


@cache
def _parsed(path: Path, mtime: int) -> tuple[str, tuple[str, ...]]:
    """Digest of one file's code, and the names of the pharmtwin modules it may import."""
    raw = path.read_bytes()
    key = hashlib.sha256(raw).hexdigest()
    if key not in _known():
        tree = ast.parse(raw)
        names: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names.update(a.name for a in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
                names.update(f"{node.module}.{a.name}" for a in node.names)  # a submodule, perhaps
        own = sorted(n for n in names if n.split(".")[0] == PACKAGE.name)
        dumped = ast.dump(_without_docstrings(tree), annotate_fields=False)
        _known()[key] = (hashlib.sha256(dumped.encode()).hexdigest(), own)
    digest, own = _known()[key]
    return digest, tuple(own)


@cache
def _known() -> dict[str, tuple[str, list[str]]]:
    """Parsed files by the sha256 of their bytes, kept on disk: every job parses the Snakefile."""
    store = Path(os.environ.get("PHARMTWIN_CACHE", Path.home() / ".cache" / "pharmtwin")) / "parsed_code.json"
    known: dict[str, tuple[str, list[str]]] = {}
    with contextlib.suppress(OSError, ValueError):
        known = {k: (v[0], v[1]) for k, v in json.loads(store.read_text(encoding="utf-8")).items()}
    n = len(known)

    def keep() -> None:
        if len(known) > n:
            with contextlib.suppress(OSError):
                write_text(store, json.dumps(dict(list(known.items())[-2000:])))

    atexit.register(keep)
    return known


def modules_of(name: str) -> list[str]:
    """All pharmtwin modules that a module reaches, itself included, sorted."""
    seen: dict[str, Path] = {}
    stack = [name]
    while stack:
        current = stack.pop()
        path = module_path(current)
        if path is None or current in seen:
            continue
        seen[current] = path
        stack.extend(_parsed(path, path.stat().st_mtime_ns)[1])
        stack.extend(current.rsplit(".", k)[0] for k in range(1, current.count(".") + 1))  # packages run on import
    return sorted(seen)


@cache
def code_digest(*names: str) -> str:
    """sha256 over the code of modules and everything of ours that they import.

    Raises
    ------
    ModuleNotFoundError : a name that is not a module of this package.
    """
    digest = hashlib.sha256()
    reached: set[str] = set()
    for name in names:
        if module_path(name) is None:
            raise ModuleNotFoundError(f"{name} is not a module of {PACKAGE.name}")
        reached.update(modules_of(name))
    for module in sorted(reached):
        path = module_path(module)
        assert path is not None
        digest.update(f"{module} {_parsed(path, path.stat().st_mtime_ns)[0]}\n".encode())
    # templates and table schemas are code in all but name
    for extra in sorted(p for p in PACKAGE.rglob("*") if p.suffix in (".yaml", ".j2", ".css", ".js", ".typ")):
        owner = f"{PACKAGE.name}.{extra.relative_to(PACKAGE).parts[0]}"
        if any(m == owner or m.startswith(f"{owner}.") for m in reached):
            digest.update(extra.relative_to(PACKAGE).as_posix().encode())
            digest.update(hashlib.sha256(extra.read_bytes()).digest())
    return digest.hexdigest()


@cache
def script_digest(name: str) -> str:
    """Digest of all library code behind one script of ``scripts/`` (the script itself is Snakemake's to watch).

    Raises
    ------
    FileNotFoundError : no such script.
    """
    script = PACKAGE.parents[1] / "scripts" / f"{name}.py"
    imported = _parsed(script, script.stat().st_mtime_ns)[1]
    return code_digest(*(m for m in imported if module_path(m) is not None))
