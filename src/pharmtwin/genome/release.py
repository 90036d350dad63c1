"""Which release of the definitions is in use, and a hash over all of them: in every output."""

from __future__ import annotations

import hashlib
from functools import cache

from pharmtwin.facts import fact_table, resource_path, sha256_file

#: what decides a call and its function; the panel decides only how likely it is
DEFINITION_TABLES = ("positions", "definitions", "optional_variants", "sub_alleles", "functions", "phenotypes")


@cache
def definition_release() -> str:
    """Releases of the definition tables: ``CPIC 2025-11-05-00-25 + PyPGx 0.27.0 + ...``."""
    table = fact_table("genes/release.tsv").set_index("table")["release"]
    parts = [p for name in DEFINITION_TABLES if name in table.index for p in str(table[name]).split(" + ")]
    return " + ".join(dict.fromkeys(parts))


@cache
def definition_version() -> str:
    """Release and hash of the definitions: ``CPIC 2025-11-05-00-25 + ...; sha256:0123456789ab``.

    The hash runs over the bytes of DEFINITION_TABLES, so it changes with any of their facts.
    """
    digest = hashlib.sha256()
    for name in DEFINITION_TABLES:
        path = resource_path(f"genes/{name}.tsv")
        digest.update(f"{path.name} {sha256_file(path)}\n".encode())
    return f"{definition_release()}; sha256:{digest.hexdigest()[:12]}"
