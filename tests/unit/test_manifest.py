"""Manifest and run.json: what they list, what they leave out."""

from __future__ import annotations

import json
import os
import platform
import socket
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import pytest
from tests.unit.run_fixture import REPOSITORY, STUDY, config, lay, paths, place, run

from pharmtwin.provenance import manifest as m
from pharmtwin.provenance.run import run_record


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return place(tmp_path, monkeypatch)


# ---------------------------------------------------------------- what it lists


def test_every_input_fact_code_and_output_stands_there_with_its_hash(folder: Path) -> None:
    made = m.manifest(config(), folder, ["something"])
    assert paths(made["inputs"]) == ["sheets/twins.tsv", "sheets/events.tsv", "vcf/one.vcf", "vcf/two.vcf"]
    assert paths(made["facts"]) == ["resources/genes/a.tsv"]
    assert sorted(paths(made["code"])) == [
        "Snakefile", "pyproject.toml", "requirements.lock", "rules/common.smk", "scripts/pbpk.py",
        "scripts/report.py", "src/pharmtwin/core.py", "src/pharmtwin/tables/t.yaml",
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
        (folder / "logs" / "pbpk.log").write_text(f"attempt {k}\n" * (k + 1))
        monkeypatch.setattr(platform, "node", lambda k=k: f"machine-{k}")
        monkeypatch.setattr(socket, "gethostname", lambda k=k: f"machine-{k}")
        monkeypatch.setenv("USER", f"user-{k}")
        run(folder)
        texts.append([(folder / f).read_text() for f in (m.MANIFEST, m.CRATE, m.SBOM)])
    assert texts[0] == texts[1]
    for word in (str(tmp_path), "machine-", "user-0", "quite", str(Path.home()), "logs/"):
        assert not any(word in t for t in texts[0]), word


def test_absolute_inputs_appear_by_name_only(folder: Path, tmp_path: Path) -> None:
    where = lay(tmp_path / "private", {"events.tsv": STUDY["sheets/events.tsv"], "far.vcf": "##far\n"})
    rows = STUDY["sheets/twins.tsv"] + f"c\t{where}/far.vcf\ts3\nd\t../../private/far2.vcf\ts4\n"
    Path("sheets/twins.tsv").write_text(rows)
    (where / "far2.vcf").write_text("##far2\n")
    own = {**config()["paths"], "events": str(where / "events.tsv")}
    path = run(folder, paths=own) / m.MANIFEST
    inputs = json.loads(path.read_text())["inputs"]
    assert sorted(paths(inputs)) == ["events.tsv", "far.vcf", "far2.vcf", "sheets/twins.tsv", "vcf/one.vcf",
                                     "vcf/two.vcf"]  # fmt: skip
    assert next(e for e in inputs if e["path"] == "far.vcf")["sha256"] == sha256(b"##far\n").hexdigest()
    for text in (path.read_text(), (folder / m.CRATE).read_text()):
        assert str(tmp_path) not in text and "private" not in text


def test_an_absolute_drug_file_appears_by_name_only(folder: Path, tmp_path: Path) -> None:
    where = lay(tmp_path / "private", {"mine.yaml": "name: mine\n"})
    path = run(folder, drug=str(where / "mine.yaml")) / m.MANIFEST
    made = json.loads(path.read_text())
    assert "mine.yaml" in paths(made["inputs"])
    assert "private" not in path.read_text(), "the section config shows the folder of the drug file"
    assert made["config"]["drug"].endswith("mine.yaml")


def test_alignments_bring_their_reference_genome(folder: Path) -> None:
    lay(Path(), {"bam.tsv": "sample\tbam\treference\ns1\tone.bam\tgrch38.fa\n", "one.bam": "b", "grch38.fa": ">1\nA\n"})
    own = {**config()["paths"], "alignments": "bam.tsv"}
    lay(Path(), {"one.bam.bai": "i", "vcf/two.vcf.tbi": "i"})  # indexes are read too
    shown = [i.shown for i in m.inputs_of(config(paths=own))]
    assert shown[-4:] == ["grch38.fa", "one.bam", "vcf/two.vcf.tbi", "one.bam.bai"]


def test_what_changes_no_result_is_no_part_of_the_settings(folder: Path) -> None:
    made = m.manifest(config(dossier={"about": "/home/somebody/about.yaml"}), folder, ["x"])
    assert "dossier" not in made["config"] and "paths" not in made["config"]


# ---------------------------------------------------------------- who made what


def test_outputs_carry_their_rule_and_batch(folder: Path) -> None:
    made = {e["path"]: e for e in json.loads((run(folder) / m.MANIFEST).read_text())["outputs"]}
    assert (made["exposure.tsv"]["rule"], made["exposure.tsv"]["batch"]) == ("pbpk", "b000")
    assert made["report/index.html"]["rule"] == "report"  # the rule names the folder
    assert "rule" not in made[m.SBOM]


def test_the_kept_code_is_that_of_the_checkout(folder: Path) -> None:
    (folder / "code" / "src").mkdir(parents=True)
    (folder / "code" / "src" / "old.py").write_text("of a run before")
    run(folder)
    kept = {p.relative_to(folder / "code").as_posix() for p in (folder / "code").rglob("*") if p.is_file()}
    assert kept == {k for k in REPOSITORY if "pycache" not in k and "egg-info" not in k and not k.endswith(".png")}
    assert all((folder / "code" / k).read_text() == REPOSITORY[k] for k in kept)


# ---------------------------------------------------------------- run.json


def test_run_record_holds_what_the_manifest_must_not(folder: Path) -> None:
    run(folder)
    record = json.loads((folder / m.RUN).read_text())
    assert {"finished", "host", "platform", "python", "user", "git", "machine_class", "packages"} <= record.keys()
    assert "+00:00" in record["finished"] and record["started"] <= record["finished"]
    assert record["cores"] == 2 and record["calls"][0]["configfiles"][0]["path"] == str(Path("own.yaml").absolute())
    assert record["manifest_sha256"] == sha256((folder / m.MANIFEST).read_bytes()).hexdigest()
    assert [i["given"] for i in record["inputs_at"]][:2] == ["sheets/twins.tsv", "sheets/events.tsv"]
    assert record["inputs_at"][2]["at"] == str(Path("vcf/one.vcf").absolute())
    assert record["packages"]["numpy"] == metadata.version("numpy")


def test_durations_come_from_the_benchmarks(folder: Path) -> None:
    head = "s\th:m:s\tmax_rss\tmax_vms\tcpu_time\n"
    lay(folder, {"logs/fit.benchmark.tsv": head + "240.4\t0:04:00\t555.0\t1\t340.2\n",
                 "logs/pbpk/b1.benchmark.tsv": head + "0.5\t0:00:00\t-\t-\tNA\n"})  # fmt: skip
    record = run_record(config(), folder)
    assert record["durations"]["fit"] == {"seconds": 240.4, "cpu_seconds": 340.2, "max_rss_mb": 555.0}
    assert record["durations"]["pbpk/b1"] == {"seconds": 0.5}
    assert record["cpu_seconds"] == 340.2


def test_a_resumed_study_has_several_calls(folder: Path) -> None:
    run(folder)
    run(folder)
    record = json.loads((folder / m.RUN).read_text())
    assert len(record["calls"]) == 2 and record["started"] == record["calls"][0]["started"]
