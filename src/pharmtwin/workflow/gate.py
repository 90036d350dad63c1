"""The gate in front of the workflow: everything the user gave is checked before the job graph is built.

It is not a rule: a rule whose output is an ``ancient()`` input of all others hides their own reasons to run
from Snakemake while it is itself to be run (seen in 9.27: a changed weight would rerun the check and nothing
else), and a missing VCF would stop the graph before any finding is said. The gate runs in the main process
only, looks into the VCFs unless this is a dry run, and remembers the digest of what it has passed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pharmtwin.files import write_text
from pharmtwin.intake.config import named_files, setting
from pharmtwin.intake.sheet import workbook_and_sheet
from pharmtwin.workflow.code import code_digest


def _stamp(config: Mapping[str, Any], base: Path) -> str:
    """Digest of everything that the check reads (VCFs by size and time: they are large)."""
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    digest.update(code_digest("pharmtwin.intake.check").encode())
    for name in sorted(f for files in named_files(config).values() for f in files):
        path = base / workbook_and_sheet(name)[0]
        if os.path.isfile(path):
            digest.update(path.read_bytes())
    folder = base / str(setting(config, "paths.vcf_dir", ""))
    for path in sorted(p for p in folder.rglob("*") if ".vcf" in p.name or ".bcf" in p.name) if folder.is_dir() else []:
        about = path.stat()
        digest.update(f"{path.name} {about.st_size} {about.st_mtime_ns}".encode())
    return digest.hexdigest()


def _may_skip(config: Mapping[str, Any], base: Path) -> bool:
    """False where pseudonyms lack their key, which the digest of the input does not tell."""
    from pharmtwin.intake.pseudonyms import PseudonymError, pseudonyms_of

    try:
        pseudonyms_of(config, base)
    except PseudonymError:
        return False
    return True


def gate(config: Mapping[str, Any], configfiles: Sequence[str], *, dry_run: bool, base: Path = Path(".")) -> None:
    """Check; print all findings at once and leave with exit code 1 if one is an error.

    Passed (and not a dry run): ``results/<study>/intake/findings.tsv`` (and .json) holds warnings and notes, and
    ``excluded.tsv`` the rows that are not used.
    """
    study = str(setting(config, "study", "study"))
    passed = base / "results" / study / "logs" / "checked.json"
    target = base / "results" / study / "intake" / "findings.tsv"
    stamp = _stamp(config, base)
    plain = re.fullmatch(r"[a-z0-9_-]+", study) is not None  # else the check refuses it
    if (
        plain
        and _may_skip(config, base)
        and passed.is_file()
        and target.is_file()
        and json.loads(passed.read_text())["stamp"] == stamp
    ):
        return
    from pharmtwin.findings import has_errors, write_findings
    from pharmtwin.intake.check import check_all, format_findings
    from pharmtwin.intake.config import load_config
    from pharmtwin.intake.hiding import without_ids
    from pharmtwin.intake.output import as_json, excluded_tsv

    _, places, _ = load_config([f for f in configfiles if Path(f).name != "config.yaml"], base)
    findings, excluded = check_all(config, base, vcf=not dry_run, places=places)
    if dry_run and has_errors(findings):  # say what the VCFs hold as well: all at once
        findings, excluded = check_all(config, base, places=places)
    findings, excluded = without_ids(findings, excluded, config, base)
    if has_errors(findings):
        print(format_findings(findings), file=sys.stderr)
        raise SystemExit(1)
    if dry_run:
        return
    print(format_findings(findings), file=sys.stderr)
    before = target.read_bytes() if target.is_file() else None
    draft = target.with_suffix(".draft.tsv")
    write_findings(findings, draft)
    if draft.read_bytes() != before:
        draft.replace(target)
    draft.unlink(missing_ok=True)
    write_text(target.with_suffix(".json"), as_json(findings))
    write_text(target.with_name("excluded.tsv"), excluded_tsv(excluded))
    write_text(passed, json.dumps({"stamp": stamp}) + "\n")
