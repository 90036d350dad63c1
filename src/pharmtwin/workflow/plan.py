"""The plan of a run: which twins fall into which bucket, what each job depends on, as digests.

No health data leaves this module: rules carry the digest of their rows, never the rows. Only the
standard library and ``intake``'s readers are used, since every job parses the Snakefile.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pharmtwin.intake.buckets import bucket_name, bucket_of, rows_digest, vcf_key, vcf_paths
from pharmtwin.intake.config import setting
from pharmtwin.intake.opening import canonical_rows
from pharmtwin.intake.pseudonyms import pseudonyms_of, renamed

Rows = list[dict[str, str]]
REPOSITORY = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Plan:
    """What the rules ask for."""

    twins: dict[str, Rows] = field(default_factory=dict)  # bucket -> rows of the twins sheet
    events: dict[str, Rows] = field(default_factory=dict)  # bucket -> rows of the events sheet
    calls: dict[str, Rows] = field(default_factory=dict)  # bucket -> rows of outside structure calls
    sampled: frozenset[str] = frozenset()  # twins with observations for the fit
    vcf_of: dict[str, str] = field(default_factory=dict)  # vcf key -> path
    vcf_dir: str = ""
    _digests: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def buckets(self) -> list[str]:
        """Names of the buckets that hold twins."""
        return sorted(self.twins)

    def bucket_digest(self, bucket: str) -> str:
        """Digest of everything the user gave about a bucket's twins."""
        if bucket not in self._digests:
            rows = [*self.twins[bucket], *self.events.get(bucket, []), *self.calls.get(bucket, [])]
            self._digests[bucket] = rows_digest(rows)
        return self._digests[bucket]

    def bucket_vcfs(self, bucket: str) -> list[str]:
        """Keys of the VCFs that a bucket's twins need."""
        return _keys(self.twins[bucket], self.vcf_dir)

    def sampled_rows(self) -> Rows:
        """Rows of the twins with samples (twins, their events, their outside calls), sorted by twin."""
        out: Rows = []
        for part in (self.twins, self.events, self.calls):
            rows = [r for b in sorted(part) for r in part[b] if r.get("twin_id") in self.sampled]
            out += sorted(rows, key=lambda r: r.get("twin_id", ""))
        return out

    def sampled_digest(self) -> str:
        """Digest of the rows that the population fit depends on."""
        return rows_digest(self.sampled_rows())

    def sampled_vcfs(self) -> list[str]:
        """Keys of the VCFs of the twins with samples."""
        return _keys([r for b in self.twins.values() for r in b if r["twin_id"] in self.sampled], self.vcf_dir)


def _keys(rows: Rows, vcf_dir: str) -> list[str]:
    cells = {r.get("vcf", "") for r in rows}
    return sorted({vcf_key(p) for cell in cells for p in vcf_paths(vcf_dir, cell)})


def make_plan(config: Mapping[str, Any], base: Path = Path(".")) -> Plan:
    """Read the sheets and lay out the run (the gate has checked them before)."""
    n = int(setting(config, "buckets", 1))
    vcf_dir = str(setting(config, "paths.vcf_dir", ""))
    tables: dict[str, Rows] = {}
    names = pseudonyms_of(config, base)
    for table in ("twins", "events", "structure_calls"):
        tables[table] = renamed(canonical_rows(config, table, base), names)
    twins: dict[str, Rows] = {}
    home: dict[str, str] = {}
    for row in tables["twins"]:
        bucket = bucket_name(bucket_of(row["twin_id"], n))
        home[row["twin_id"]] = bucket
        twins.setdefault(bucket, []).append(row)
    split: dict[str, dict[str, Rows]] = {"events": {}, "structure_calls": {}}
    for table, parts in split.items():
        for row in tables[table]:
            if row.get("twin_id") in home:
                parts.setdefault(home[row["twin_id"]], []).append(row)
    sampled = frozenset(
        r["twin_id"]
        for r in tables["events"]
        if r.get("use", "").strip() == "fit" and r.get("evid", "").strip() == "0" and r["twin_id"] in home
    )
    paths = sorted({p for cell in {r.get("vcf", "") for r in tables["twins"]} for p in vcf_paths(vcf_dir, cell)})
    return Plan(
        twins=twins,
        events=split["events"],
        calls=split["structure_calls"],
        sampled=sampled,
        vcf_of={vcf_key(p): p for p in paths},
        vcf_dir=vcf_dir,
    )


def bucket_ancestry(config: Mapping[str, Any], bucket: str) -> dict[str, str]:
    """Ancestry by twin of one bucket; not told: ``ALL``."""
    return {r["twin_id"]: r.get("ancestry", "").strip() or "ALL" for r in make_plan(config).twins[bucket]}


def all_ancestry(config: Mapping[str, Any]) -> dict[str, str]:
    """Ancestry by twin of the whole study."""
    return {r["twin_id"]: r.get("ancestry", "").strip() or "ALL" for b in make_plan(config).twins.values() for r in b}


@cache
def facts_digest(*names: str) -> str:
    """sha256 over resource tables (files or folders of ``resources/``), names and bytes."""
    digest = hashlib.sha256()
    for name in names:
        root = REPOSITORY / "resources" / name
        if not root.exists():
            raise FileNotFoundError(f"no resource {name}")
        for path in sorted(p for p in ([root] if root.is_file() else root.rglob("*")) if p.is_file()):
            digest.update(path.relative_to(REPOSITORY).as_posix().encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def settings_digest(config: Mapping[str, Any], *keys: str) -> str:
    """sha256 over settings of the config: a rule reruns when one it reads changes, and only then."""

    def value(key: str) -> Any:
        found: Any = config
        for part in key.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return found

    text = json.dumps({k: value(k) for k in keys}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
