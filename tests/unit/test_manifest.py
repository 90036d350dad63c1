"""Manifest: what it lists, what it leaves out, what verification and comparison find."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pharmtwin.workflow import manifest as m

REPOSITORY = {
    "Snakefile": "rule all:\n",
    "rules/common.smk": "X = 1\n",
    "scripts/stage.py": "import json\n",
    "scripts/__pycache__/stage.pyc": "bytecode",
    "src/pharmtwin/core.py": "VALUE = 1\n",
    "src/pharmtwin/tables/t.yaml": "name: t\n",
    "src/pharmtwin/picture.png": "not code",
    "src/pharmtwin.egg-info/SOURCES.txt": "not code",
    "requirements.lock": "numpy==2.0\n",
    "pyproject.toml": "[project]\n",
    "resources/genes/a.tsv": "allele\n*1\n",
}
STUDY = {
    "sheets/twins.tsv": "twin_id\tvcf\tsample\na\tone.vcf\ts1\nb\ttwo.vcf\ts2\n",
    "sheets/events.tsv": "twin_id\tevid\tuse\na\t0\tfit\n",
    "vcf/one.vcf": "##one\n",
    "vcf/two.vcf": "##two\n",
    "results/s/exposure.tsv": "twin_id\tmedian\na\t1.5\n",
    "results/s/report/index.html": "<p>made</p>\n",
    "results/s/logs/pbpk.log": "start\n",
    "results/s/logs/deep/x.benchmark.tsv": "s\n1.0\n",
    "results/s/run.json": "{}\n",
    "results/s/.hidden.tmp": "half\n",
}


def lay(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def config(**more: Any) -> dict[str, Any]:
    paths = {"twins": "sheets/twins.tsv", "events": "sheets/events.tsv", "structure_calls": "", "vcf_dir": "vcf",
             "outside_files": [], "alignments": ""}  # fmt: skip
    return {"study": "s", "data_kind": "synthetic", "paths": paths, "drug": "paroxetine", "master_seed": 3,
            "buckets": 2, "fit": {"enabled": True}} | more  # fmt: skip


def place(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout and a study under ``root``, made the working directory; the folder of results."""
    lay(root / "checkout", REPOSITORY)
    lay(root / "study", STUDY)
    monkeypatch.setattr(m, "REPOSITORY", root / "checkout")
    monkeypatch.chdir(root / "study")
    return Path("results/s")


def written(folder: Path, **more: Any) -> Path:
    made = m.manifest(config(**more), folder, ["something"])
    path = folder / "manifest.json"
    path.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path


def paths(section: list[dict[str, Any]]) -> list[str]:
    return [e["path"] for e in section]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return place(tmp_path, monkeypatch)


# ---------------------------------------------------------------- what it lists


def test_every_input_fact_code_and_output_stands_there_with_its_hash(folder: Path) -> None:
    made = m.manifest(config(), folder, ["something"])
    assert paths(made["inputs"]) == ["sheets/twins.tsv", "sheets/events.tsv", "vcf/one.vcf", "vcf/two.vcf"]
    assert paths(made["facts"]) == ["resources/genes/a.tsv"]
    assert sorted(paths(made["code"])) == [
        "Snakefile", "pyproject.toml", "requirements.lock", "rules/common.smk", "scripts/stage.py",
        "src/pharmtwin/core.py", "src/pharmtwin/tables/t.yaml",
    ]  # fmt: skip
    assert paths(made["outputs"]) == ["exposure.tsv", "report/index.html"]
    texts = {**REPOSITORY, **STUDY, **{k.removeprefix("results/s/"): v for k, v in STUDY.items()}}
    for section in ("inputs", "facts", "code", "outputs"):
        for entry in made[section]:
            content = texts[entry["path"]].encode()
            assert entry["sha256"] == sha256(content).hexdigest() and entry["bytes"] == len(content)
    assert made["config"]["master_seed"] == 3 and made["study"] == "s" and made["data_kind"] == "synthetic"
    assert {"pharmtwin", "numpy", "snakemake", "scikit-sundae"} <= made["software"].keys()


def test_a_drug_file_of_the_users_own_is_an_input(folder: Path) -> None:
    Path("mine.yaml").write_text("name: mine\n")
    assert "mine.yaml" in paths(m.manifest(config(drug="mine.yaml"), folder, ["x"])["inputs"])
    assert "paroxetine" not in paths(m.manifest(config(), folder, ["x"])["inputs"])


@pytest.mark.parametrize("made", [[], ["x"]])
def test_nothing_made_is_no_manifest(folder: Path, made: list[str]) -> None:
    if made:
        for name in ("exposure.tsv", "report/index.html"):
            (folder / name).unlink()
    with pytest.raises(RuntimeError, match="no manifest"):
        m.manifest(config(), folder, made)


def test_an_input_that_vanished_is_an_error_and_not_a_gap(folder: Path) -> None:
    Path("sheets/events.tsv").unlink()
    with pytest.raises((OSError, ValueError), match=r"events\.tsv"):
        m.manifest(config(), folder, ["x"])


# ---------------------------------------------------------------- what it leaves out


def test_equal_studies_at_two_places_and_times_give_equal_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = []
    for k, name in enumerate(("here", "quite/another/place")):
        folder = place(tmp_path / name, monkeypatch)
        for path in (tmp_path / name).rglob("*"):
            os.utime(path, (1e9 + 1e6 * k, 1e9 + 1e6 * k))
        (folder / "run.json").write_text(f'{{"finished": {k}}}')
        (folder / "logs" / "pbpk.log").write_text(f"attempt {k}\n" * (k + 1))
        monkeypatch.setattr(platform, "node", lambda k=k: f"machine-{k}")
        monkeypatch.setattr(socket, "gethostname", lambda k=k: f"machine-{k}")
        monkeypatch.setenv("USER", f"user-{k}")
        texts.append(written(folder).read_text())
    assert texts[0] == texts[1]
    for word in (str(tmp_path), "machine-", "user-0", "here", str(Path.home()), "run.json", "logs/"):
        assert word not in texts[0], word


def test_absolute_inputs_appear_by_name_only(folder: Path, tmp_path: Path) -> None:
    where = lay(tmp_path / "private", {"events.tsv": STUDY["sheets/events.tsv"], "far.vcf": "##far\n"})
    rows = STUDY["sheets/twins.tsv"] + f"c\t{where}/far.vcf\ts3\nd\t../../private/far2.vcf\ts4\n"
    Path("sheets/twins.tsv").write_text(rows)
    (where / "far2.vcf").write_text("##far2\n")
    own = {**config()["paths"], "events": str(where / "events.tsv")}
    path = written(folder, paths=own)
    inputs = json.loads(path.read_text())["inputs"]
    assert sorted(paths(inputs)) == ["events.tsv", "far.vcf", "far2.vcf", "sheets/twins.tsv", "vcf/one.vcf",
                                     "vcf/two.vcf"]  # fmt: skip
    assert next(e for e in inputs if e["path"] == "far.vcf")["sha256"] == sha256(b"##far\n").hexdigest()
    assert str(tmp_path) not in path.read_text() and "private" not in path.read_text()


def test_an_absolute_drug_file_appears_by_name_only(folder: Path, tmp_path: Path) -> None:
    where = lay(tmp_path / "private", {"mine.yaml": "name: mine\n"})
    path = written(folder, drug=str(where / "mine.yaml"))
    made = json.loads(path.read_text())
    assert "mine.yaml" in paths(made["inputs"])
    assert "private" not in path.read_text(), "the section config shows the folder of the drug file"
    assert made["config"]["drug"].endswith("mine.yaml")


# ---------------------------------------------------------------- verify


def test_verify_is_silent_on_an_untouched_run(folder: Path) -> None:
    path = written(folder)
    (folder / "logs" / "more.log").write_text("a later attempt\n")
    (folder / "run.json").write_text('{"finished": "later"}')
    assert m.verify(path) == []


def test_verify_finds_changed_missing_and_surplus_files(folder: Path) -> None:
    path = written(folder)
    (folder / "exposure.tsv").write_text("twin_id\tmedian\na\t1.6\n")
    (folder / "report" / "index.html").unlink()
    (folder / "report" / "more.html").write_text("<p>by hand</p>\n")
    problems = m.verify(path)
    assert len(problems) == 3
    assert any(p.startswith("exposure.tsv") and "changed" in p for p in problems)
    assert any(p.startswith("report/index.html") and "missing" in p for p in problems)
    assert any(p.startswith("report/more.html") and "not in the manifest" in p for p in problems)


def test_verify_does_not_depend_on_the_place(folder: Path, tmp_path: Path) -> None:
    written(folder)
    shutil.copytree(folder, tmp_path / "archive")
    assert m.verify(tmp_path / "archive" / "manifest.json") == []


# ---------------------------------------------------------------- compare


def test_compare_names_section_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = tmp_path / "a" / "study" / written(place(tmp_path / "a", monkeypatch))
    folder = place(tmp_path / "b", monkeypatch)
    assert m.compare(one, written(folder).absolute()) == []
    Path("vcf/two.vcf").write_text("##changed\n")
    (m.REPOSITORY / "resources" / "genes" / "b.tsv").write_text("new\n")
    (m.REPOSITORY / "rules" / "common.smk").unlink()
    (folder / "exposure.tsv").write_text("other\n")
    other = written(folder, master_seed=4).absolute()
    problems = m.compare(one, other)
    assert sorted(problems) == sorted([
        "inputs: vcf/two.vcf differs", f"facts: resources/genes/b.tsv only in {other}",
        f"code: rules/common.smk only in {one}", "outputs: exposure.tsv differs", "config differs",
    ])  # fmt: skip


@pytest.mark.parametrize(("key", "value"), [("software", {"numpy": "0"}), ("study", "t"), ("data_kind", "real")])
def test_compare_sees_what_is_not_a_file(folder: Path, key: str, value: object) -> None:
    path = written(folder)
    changed = json.loads(path.read_text()) | {key: value}
    other = folder / "logs" / "other.json"
    other.write_text(json.dumps(changed))
    assert m.compare(path, other) == [f"{key} differs"]


@pytest.mark.parametrize("spoiled", ["batch1", "batch2"])
def test_compare_keeps_two_inputs_of_one_name_apart(folder: Path, tmp_path: Path, spoiled: str) -> None:
    """VCFs of the same name in two folders outside the study (one file a person is often called alike)."""
    where = lay(tmp_path / "seq", {"batch1/calls.vcf": "##1\n", "batch2/calls.vcf": "##2\n"})
    rows = f"twin_id\tvcf\tsample\na\t{where}/batch1/calls.vcf\ts1\nb\t{where}/batch2/calls.vcf\ts2\n"
    Path("sheets/twins.tsv").write_text(rows)
    one = written(folder).rename(folder / "logs" / "one.json")
    (where / spoiled / "calls.vcf").write_text("##changed\n")
    problems = m.compare(one, written(folder))
    assert len(problems) == 1 and problems[0].startswith("inputs: calls.vcf"), problems


def test_run_record_holds_what_the_manifest_must_not() -> None:
    record = m.run_record()
    assert {"finished", "host", "platform", "python", "user"} <= record.keys()
    assert "+00:00" in record["finished"]
