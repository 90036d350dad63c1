"""What stops a run: errors always, and the warnings that the configuration names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from pharmtwin.findings import Finding

STOPS = "the configuration lets this warning stop a run (intake.stop_on)"


def apply_policy(findings: Sequence[Finding], stop_on: Sequence[str]) -> list[Finding]:
    """Warnings whose rule ``stop_on`` names (``*`` for any ending) become errors, and say why.

    A rule that the user accepted for a row is a note, and stays one.
    """

    def judged(f: Finding) -> Finding:
        stops = f.severity == "warning" and any(fnmatchcase(f.rule, pattern) for pattern in stop_on)
        return replace(f, severity="error", why=f"{f.why}; {STOPS}") if stops else f

    return [judged(f) for f in findings]


def idle_patterns(stop_on: Sequence[str], rules: Sequence[str]) -> list[str]:
    """Patterns that no rule has: a misspelt one would stop nothing."""
    return [p for p in stop_on if not any(fnmatchcase(r, p) or _same_family(r, p) for r in rules)]


def _same_family(rule: str, pattern: str) -> bool:
    """A rule of the catalogue may itself stand for several, as ``*.out_of_range``."""
    return "*" in rule and fnmatchcase(pattern, rule)
