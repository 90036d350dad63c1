"""RO-Crate: what it holds, and that the offline check refuses each broken rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.run_fixture import place, run

from pharmtwin.provenance import manifest as m
from pharmtwin.provenance.crate import ni, order_of
from pharmtwin.provenance.crate_check import check_crate
from pharmtwin.provenance.jobs import Job

Graph = dict[str, dict[str, Any]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return run(place(tmp_path, monkeypatch))


def graph(folder: Path) -> Graph:
    return {e["@id"]: e for e in json.loads((folder / m.CRATE).read_text())["@graph"]}


def edit(folder: Path, change: Callable[[Graph], None]) -> list[str]:
    """What the check says after ``change`` of the entities."""
    document = json.loads((folder / m.CRATE).read_text())
    entities = {e["@id"]: e for e in document["@graph"]}
    change(entities)
    (folder / m.CRATE).write_text(json.dumps({**document, "@graph": list(entities.values())}))
    return check_crate(folder)


def test_names_by_hash_are_those_of_rfc_6920() -> None:
    """Section 8.1 of the RFC: "Hello World!" by sha-256."""
    digest = "7f83b1657ff1fc53b92dc18148a1d65dfc2d4b1fa3d677284addd200126d9069"
    assert ni(digest) == "ni:///sha-256;f4OxZX_x_FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk"


def test_the_crate_keeps_every_rule(folder: Path) -> None:
    assert check_crate(folder) == []


def test_jobs_tools_steps_and_files_hang_together(folder: Path) -> None:
    g = graph(folder)
    assert g["./"]["mainEntity"] == {"@id": "code/Snakefile"}
    job = g["#job-pbpk-b000"]
    assert job["instrument"] == {"@id": "code/scripts/pbpk.py"} and job["result"] == {"@id": "exposure.tsv"}
    events, vcf = (next(e for e in g.values() if e.get("name") == n) for n in ("sheets/events.tsv", "vcf/one.vcf"))
    read = {"code/resources/genes/a.tsv", events["@id"], vcf["@id"]}
    assert {o["@id"] for o in job["object"]} == read and vcf["@id"].startswith("ni:///sha-256;")
    assert g["#job-report"]["object"] == {"@id": "exposure.tsv"} and g["#job-report"]["result"] == {"@id": "report/"}
    assert (g["#step-pbpk"]["position"], g["#step-report"]["position"]) == ("1", "2")
    assert g["#control-pbpk-b000"]["object"] == {"@id": "#job-pbpk-b000"}
    assert g["#engine-run"]["result"] == {"@id": "#run"}
    assert "#job-manifest" not in g  # it writes the crate and is not over
    assert g["#setting-master_seed"]["value"] == "3"


def test_a_file_outside_of_all_lists_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = place(tmp_path, monkeypatch)
    Path("sheets/extra.tsv").write_text("x\n")
    run(folder)
    from tests.unit.run_fixture import note

    note(folder, "pbpk", ["sheets/extra.tsv", "vcf/one.vcf"], [f"{folder}/exposure.tsv"], batch="b000")
    from tests.unit.run_fixture import config

    from pharmtwin.provenance.write import write_records

    write_records(config(), folder, ["x"])
    assert graph(folder)["#job-pbpk-b000"]["description"].endswith("holds no hash of sheets/extra.tsv")
    assert check_crate(folder) == []


def test_rules_in_a_circle_are_an_error() -> None:
    jobs = [Job("a", "", "scripts/a.py", ("y",), ("x",)), Job("b", "", "scripts/b.py", ("x",), ("y",))]
    with pytest.raises(ValueError, match=r"wait for each other: \['a', 'b'\]"):
        order_of(jobs)


def drop(entity: str, key: str) -> Callable[[Graph], None]:
    return lambda g: g[entity].pop(key)


def put(entity: str, key: str, value: Any) -> Callable[[Graph], None]:
    return lambda g: g[entity].__setitem__(key, value)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (drop("./", "datePublished"), "no datePublished"),
        (put("./", "datePublished", "yesterday"), "no ISO 8601"),
        (drop("./", "license"), "no license"),
        (drop("./", "mainEntity"), "mainEntity leads nowhere"),
        (drop("ro-crate-metadata.json", "about"), "CreativeWork about ./ is missing"),
        (put("ro-crate-metadata.json", "conformsTo", []), "conformsTo lacks"),
        (lambda g: g.pop("https://w3id.org/ro/wfrun/provenance/0.5"), "wfrun/provenance/0.5"),
        (put("code/Snakefile", "@type", ["File", "SoftwareSourceCode"]), "ComputationalWorkflow"),
        (put("code/Snakefile", "@type", ["File", "SoftwareSourceCode", "ComputationalWorkflow"]), "no HowTo"),
        (drop("code/Snakefile", "programmingLanguage"), "ComputerLanguage"),
        (drop("code/Snakefile", "hasPart"), "no tool"),
        (drop("#run", "instrument"), "#run: instrument"),
        (drop("#job-report", "instrument"), "#job-report: instrument leads to no tool"),
        (put("#job-report", "object", {"@id": "gone.tsv"}), "not there"),
        (drop("#step-report", "workExample"), "#step-report: workExample"),
        (put("#step-pbpk", "position", "3"), "position is not smaller"),
        (put("#step-pbpk", "position", "first"), "no whole number"),
        (drop("#control-report", "object"), "#control-report: object"),
        (drop("#control-report", "instrument"), "HowToStep"),
        (drop("#engine-run", "result"), "#engine-run: result"),
        (drop("#engine-run", "object"), "#engine-run: object"),
        (put("exposure.tsv", "sha256", "0" * 64), "exposure.tsv: sha256 differs"),
        (put("exposure.tsv", "encodingFormat", {"@id": "x", "name": "y"}), "nests an entity"),
        (lambda g: g.update({"lost.tsv": {"@id": "lost.tsv", "@type": "File"}}), "no hasPart leads"),
        (lambda g: g.update({"#p": {"@id": "#p", "@type": "FormalParameter"}}), "additionalType"),
    ],
)  # fmt: skip
def test_each_broken_rule_is_found(folder: Path, change: Callable[[Graph], None], word: str) -> None:
    said = edit(folder, change)
    assert any(word in s for s in said), said


def test_unreadable_crates_are_findings(folder: Path) -> None:
    for text in ("{", "[]", '{"@graph": [1]}'):
        (folder / m.CRATE).write_text(text)
        assert len(check_crate(folder)) == 1
