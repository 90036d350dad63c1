"""SBOM: every installed package, with what CycloneDX 1.6 demands."""

from __future__ import annotations

import json
import re
import uuid
from importlib import metadata
from pathlib import Path

import pytest
from tests.unit.run_fixture import bill

from pharmtwin.provenance.sbom import licences, lock_hashes, normalised, purl, sbom

LOCK = """\
Some_Package==1.0 ; python_version < "3.12" \\
    --hash=sha256:{a} \\
    --hash=sha256:{b}
    # via other
some-package==2.0 ; python_version >= "3.12" \\
    --hash=sha256:{c}
""".format(a="a" * 64, b="b" * 64, c="c" * 64)


def test_it_lists_every_installed_package_once_with_its_version() -> None:
    installed = {normalised(d.metadata["Name"]): d.version for d in reversed(list(metadata.distributions()))}
    subject = bill()["metadata"]["component"]
    listed = [(normalised(c["name"]), c["version"]) for c in [*bill()["components"], subject]]
    assert len(listed) == len(dict(listed)) > 50
    assert {k: v for k, v in listed if k != "pharmtwin"} == {k: v for k, v in installed.items() if k != "pharmtwin"}


def test_each_component_has_version_licence_purl_and_the_locks_hashes() -> None:
    accepted = lock_hashes((Path(__file__).parents[2] / "requirements.lock").read_text(encoding="utf-8"))
    for c in bill()["components"]:
        assert c["purl"] == f"pkg:pypi/{normalised(c['name'])}@{c['version']}" == c["bom-ref"]
        kinds = [set(one) - {"acknowledgement"} for one in c["licenses"]]
        assert kinds and (kinds == [{"expression"}] or all(k == {"license"} for k in kinds)), c["name"]
        hashes = [h["content"] for r in c.get("externalReferences", []) for h in r["hashes"]]
        assert hashes == accepted.get((normalised(c["name"]), c["version"]), hashes)
        assert c["properties"][0]["value"].startswith("yes" if hashes else "no")
    numpy = next(c for c in bill()["components"] if c["name"] == "numpy")
    assert numpy["externalReferences"][0]["hashes"] and "BSD" in str(numpy["licenses"])


def test_the_bill_keeps_the_rules_of_the_specification() -> None:
    """CycloneDX 1.6 JSON: required fields, unique references, dependencies that lead somewhere, hash lengths."""
    b = bill()
    assert (b["bomFormat"], b["specVersion"], b["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", b["serialNumber"])
    assert uuid.UUID(b["serialNumber"][9:]).version == 5
    references = [b["metadata"]["component"]["bom-ref"], *(c["bom-ref"] for c in b["components"])]
    assert len(set(references)) == len(references)
    assert [d["ref"] for d in b["dependencies"]] == references
    for d in b["dependencies"]:
        assert set(d["dependsOn"]) <= set(references) and len(set(d["dependsOn"])) == len(d["dependsOn"])
    for c in b["components"]:
        assert c["type"] == "library"
        for r in c.get("externalReferences", []):
            assert all(re.fullmatch("[0-9a-f]{64}", h["content"]) and h["alg"] == "SHA-256" for h in r["hashes"])


def test_equal_environments_give_equal_bytes_without_clock_or_place() -> None:
    assert json.dumps(sbom()) == json.dumps(bill())
    text = json.dumps(bill())
    assert "timestamp" not in text and str(Path.home()) not in text and "site-packages" not in text


def test_dependencies_are_those_that_are_installed() -> None:
    needs = {d["ref"].split("@")[0]: d["dependsOn"] for d in bill()["dependencies"]}
    assert purl("numpy", metadata.version("numpy")) in needs["pkg:pypi/pandas"]


def test_a_lock_is_read_by_name_and_version() -> None:
    assert lock_hashes(LOCK) == {("some-package", "1.0"): ["a" * 64, "b" * 64], ("some-package", "2.0"): ["c" * 64]}


@pytest.mark.parametrize(
    ("info", "classifiers", "expected"),
    [
        ({"License-Expression": "MIT OR Apache-2.0", "License": "x"}, [], "MIT OR Apache-2.0"),
        ({"License": "text"}, ["License :: OSI Approved :: MIT License", "Topic :: A"], "MIT License"),
        ({"License": "BSD 3-Clause\n\nCopyright ..."}, ["License :: OSI Approved"], "BSD 3-Clause"),
        ({"License": "UNKNOWN"}, [], None),
    ],
)
def test_licences_are_those_that_the_package_states(info: dict, classifiers: list[str], expected: str | None) -> None:
    found = licences(info, classifiers)
    assert [one.get("expression") or one["license"]["name"] for one in found] == ([expected] if expected else [])


def test_urls_of_versions_with_a_local_part_are_encoded() -> None:
    assert purl("My_Pack.age", "1.0+cpu") == "pkg:pypi/my-pack-age@1.0%2Bcpu"
