"""The offline audit: ranges are compared as versions, and what it does not know is said."""

from __future__ import annotations

from pathlib import Path

from pharmtwin.curation.advisories import Advisory, extract, found, locked, read, statement, write

ROOT = Path(__file__).resolve().parents[2]


def test_ranges_are_compared_as_versions() -> None:
    one = Advisory("x", "PYSEC-1", "", "2024-01-01", ">=0,<1.10|>=2.0,<=2.3|==3.0")
    covered = [
        v for v in ("0.1", "1.9", "1.10", "1.10.0", "2.0rc1", "2.0", "2.3", "2.3.1", "3.0", "3.0.1") if one.covers(v)
    ]
    assert covered == ["0.1", "1.9", "2.0", "2.3", "3.0"]
    assert one.covers("not a version")


def test_an_advisory_of_the_database_is_read(tmp_path: Path) -> None:
    (tmp_path / "vulns" / "x").mkdir(parents=True)
    text = """id: PYSEC-1
published: "2014-05-19T14:55:00Z"
aliases: [CVE-1]
affected:
- ranges:
  - {type: GIT, events: [{introduced: "0"}]}
  - {type: ECOSYSTEM, events: [{introduced: "0"}, {fixed: 2.7.2}, {introduced: "3.0"}]}
  versions: ["2.0", "2.9"]
"""
    (tmp_path / "vulns/x/PYSEC-1.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "vulns/x/PYSEC-2.yaml").write_text(text.replace("id: PYSEC-1", "id: PYSEC-2\nwithdrawn: '2020'"))
    (one,) = extract(tmp_path / "vulns", ["x", "y"])
    assert one == Advisory("x", "PYSEC-1", "CVE-1", "2014-05-19", ">=0,<2.7.2|>=3.0|==2.9")
    write(tmp_path / "t.tsv", [one], "2014-06-01")
    assert read(tmp_path / "t.tsv") == ("2014-06-01", [one])


def test_a_locked_version_that_is_affected_fails_until_it_is_judged(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_text("Jinja2==2.7.1 \\\n    --hash=sha256:0\n", encoding="utf-8")
    judged = tmp_path / "judged.tsv"
    judged.write_text("package\tadvisory\tjudgement\n", encoding="utf-8")
    text, code = statement(ROOT / "resources/advisories.tsv", judged, tmp_path)
    assert code == 1 and "jinja2 2.7.1: PYSEC-2014-8 (CVE-2014-1402" in text and "NOT JUDGED" in text
    _, advisories = read(ROOT / "resources/advisories.tsv")
    rows = "".join(f"jinja2\t{a.advisory}\tfine\n" for a, _ in found(advisories, locked(tmp_path)))
    judged.write_text(judged.read_text(encoding="utf-8") + rows, encoding="utf-8")
    text, code = statement(ROOT / "resources/advisories.tsv", judged, tmp_path)
    assert code == 0 and "OFFLINE LIST of 2024-10-10" in text and "Nothing published later is known here" in text


def test_our_locks_have_nothing_that_nobody_judged() -> None:
    text, code = statement(ROOT / "resources/advisories.tsv", ROOT / "resources/advisories_judged.tsv", ROOT)
    assert code == 0, text
