"""Findings: the line that a user reads."""

from __future__ import annotations

import pytest

from pharmtwin.findings import Finding, has_errors


def make(**more: object) -> Finding:
    given: dict[str, object] = {"row": 7, "column": "sex", "value": "X", **more}
    return Finding.create("twins.sex_code", "twins.tsv", "what", "why", "fix", **given)  # type: ignore[arg-type]


def test_message_has_the_promised_form() -> None:
    assert make().message() == "twins.tsv:7 sex [X] - what - why - fix (twins.sex_code)"
    assert make(row=0, column="", value="").message() == "twins.tsv - what - why - fix (twins.sex_code)"
    assert make(column="", value=0).message() == "twins.tsv:7 [0] - what - why - fix (twins.sex_code)"


def test_severity_and_sentences_are_checked() -> None:
    with pytest.raises(ValueError, match="fatal"):
        make(severity="fatal")
    for gap in range(5):
        words = ["rule", "file", "what", "why", "fix"]
        words[gap] = ""
        with pytest.raises(ValueError, match="needs a rule"):
            Finding.create(*words)


def test_only_errors_stop_a_run() -> None:
    quiet = [make(severity="warning"), make(severity="note")]
    assert not has_errors([]) and not has_errors(quiet)
    assert has_errors([*quiet, make()])


def test_findings_sort_by_place() -> None:
    assert sorted([make(row=12), make(row=2), make(row=7)])[0].row == 2
