"""The corpus of broken studies: every fault is found, at its place; sound studies have no error."""

from __future__ import annotations

import pytest
from tests.corpus.build import Study, broken, broken_cases, findings_of, sound_names, write

from pharmtwin.body.checks import body_findings
from pharmtwin.intake.rules import RULES

CASES = broken_cases()


def rules(findings, severities=("error", "warning")):
    return {(f.rule, f.file, f.row, f.column) for f in findings if f.severity in severities}


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """Warnings that the sound studies have themselves."""
    out = {}
    for name in sound_names():
        folder = tmp_path_factory.mktemp(name)
        write(Study.sound(name), folder)
        out[name] = findings_of(folder)[0]
    return out


@pytest.fixture(autouse=True, scope="module")
def bodies_once():
    """Most studies have the same people: the body's findings are a function of the sheet, and are kept by it."""
    kept = {}

    def once(twins, file="twins.tsv"):
        key = (file, twins.to_json())
        if key not in kept:
            kept[key] = body_findings(twins, file)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pharmtwin.body.checks.body_findings", once)
        yield


def test_the_corpus_is_as_large_as_it_should_be():
    several = [c for c in CASES if len(c["expect"]) > 1 and c["name"].startswith("several")]
    single = [c for c in CASES if not c["name"].startswith("several")]
    assert len(single) >= 150 and len(several) >= 20 and len(sound_names()) >= 20
    assert len({c["name"] for c in CASES}) == len(CASES)
    assert set(RULES) <= {e["rule"] for c in CASES for e in c["expect"]}, "every registered rule has a case"


@pytest.mark.parametrize("name", sound_names())
def test_a_sound_study_has_no_error(name, usual):
    errors = [f.message() for f in usual[name] if f.severity == "error"]
    assert errors == []


@pytest.mark.parametrize("case", CASES, ids=[c["name"] for c in CASES])
def test_a_broken_study_is_found_out(case, usual, tmp_path):
    found = broken(case, tmp_path)
    printed = "\n".join(f"{f.severity} {f.message()}" for f in found)
    for wanted in case["expect"]:
        file = wanted.get("file", case["change"][0].get("file", "study.yaml"))
        place = (wanted["rule"], file, wanted.get("row", 0), wanted.get("column", ""))
        assert place in rules(found, ("error", "warning", "note")), f"not found: {place}\n{printed}"
    before = {r[0] for r in rules(usual[case["of"]])}
    known = {w["rule"] for w in case["expect"]} | set(case["also"]) | before
    beyond = {f.rule for f in found if f.severity in ("error", "warning")} - known
    assert not beyond, f"said besides: {beyond}\n{printed}"
