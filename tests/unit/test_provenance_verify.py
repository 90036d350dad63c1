"""Verification and comparison of runs: every changed, missing and surplus file is named."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
from tests.unit.run_fixture import lay, place, run

from pharmtwin.cli import main
from pharmtwin.provenance import manifest as m
from pharmtwin.provenance.compare import class_differences, compare
from pharmtwin.provenance.hashes import write_sealed
from pharmtwin.provenance.verify import read_run, verify_run


def verify(path: Path, *only: str, project: Path | None = None) -> list[str]:
    return verify_run(read_run(path), only or ("outputs", "inputs", "modules"), project)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return place(tmp_path, monkeypatch)


def flip(path: Path, at: int, bit: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] ^= 1 << bit
    path.write_bytes(bytes(raw))


# ---------------------------------------------------------------- one run


def test_silence_on_an_untouched_run(folder: Path) -> None:
    run(folder)
    (folder / "logs" / "more.log").write_text("a later attempt\n")
    assert verify(folder) == [] and verify(folder / m.MANIFEST) == []


def test_every_flipped_byte_is_found_and_named(folder: Path) -> None:
    """Every file of the study, the checkout and the results, at its ends and at random places."""
    run(folder)
    rng = random.Random(1)
    skipped = {"logs", "picture.png", "SOURCES.txt", "stage.pyc", ".hidden.tmp"}
    files = [
        p for root in (Path(), m.REPOSITORY) for p in root.rglob("*") if p.is_file() and not skipped & set(p.parts)
    ]
    assert len(files) > 25 and {m.MANIFEST, m.RUN, m.CRATE, m.SBOM, "own.yaml"} <= {p.name for p in files}
    for path in files:
        size = path.stat().st_size
        tries = 60 if path.name in (m.MANIFEST, m.RUN) else 4
        for at in {0, size - 1, *(rng.randrange(size) for _ in range(tries))}:
            before = path.read_bytes()
            flip(path, at, rng.randrange(8))
            try:
                said = verify(folder)
            except ValueError as error:  # a manifest that cannot be read at all
                said = [str(error)]
            assert any(path.name in s for s in said), f"{path} byte {at}: {said}"
            path.write_bytes(before)
    assert verify(folder) == []


def test_missing_and_surplus_files_are_named(folder: Path) -> None:
    run(folder)
    (folder / "report" / "index.html").unlink()
    (folder / "report" / "more.html").write_text("<p>by hand</p>\n")
    (folder / "code" / "extra.py").write_text("import os\n")
    (m.REPOSITORY / "src" / "pharmtwin" / "plugin.py").write_text("import os\n")
    (m.REPOSITORY / "resources" / "genes" / "a.tsv").unlink()
    Path("vcf/two.vcf").unlink()
    assert sorted(verify(folder)) == [
        "code/extra.py: not in the manifest",
        "inputs: vcf/two.vcf: missing (name the folder that paths start from with --project)",
        "modules: resources/genes/a.tsv: missing",
        "modules: src/pharmtwin/plugin.py: not in the manifest",
        "report/index.html: missing",
        "report/more.html: not in the manifest",
    ]


def test_a_change_that_keeps_manifest_and_file_in_step_is_still_seen(folder: Path) -> None:
    """Somebody edits a table and its hash in the manifest: the seal of run.json names another manifest."""
    run(folder)
    made = json.loads((folder / m.MANIFEST).read_text())
    (folder / "exposure.tsv").write_text("twin_id\tmedian\na\t1.6\n")
    made["outputs"] = [
        m.entry(folder / "exposure.tsv", folder) if e["path"] == "exposure.tsv" else e for e in made["outputs"]
    ]
    write_sealed(folder / m.MANIFEST, made)
    assert verify(folder, "outputs") == [f"{m.MANIFEST}: is not the one that {m.RUN} names"]


def test_results_alone_can_be_verified_anywhere(folder: Path, tmp_path: Path) -> None:
    run(folder)
    copy = tmp_path / "archive"
    shutil.copytree(folder, copy)
    assert verify(copy, "outputs") == []
    assert verify(copy) == []  # inputs and checkout are found where the run was
    shutil.rmtree(tmp_path / "study" / "vcf")
    assert [s.split(":")[1].strip() for s in verify(copy)] == ["vcf/one.vcf", "vcf/two.vcf"]
    lay(tmp_path / "moved", {k: Path(k).read_text() for k in ("sheets/twins.tsv", "sheets/events.tsv", "own.yaml")})
    lay(tmp_path / "moved", {"vcf/one.vcf": "##one\n", "vcf/two.vcf": "##two\n"})
    assert verify(copy, "inputs", project=tmp_path / "moved") == []


def test_a_moved_project_is_checked_where_it_is_now(folder: Path, tmp_path: Path) -> None:
    """A copy beside the original: its own inputs count, not those of the folder where the run was."""
    run(folder)
    shutil.copytree(tmp_path / "study", tmp_path / "copy")
    (tmp_path / "copy" / "vcf" / "one.vcf").write_text("##other\n")
    assert verify(tmp_path / "copy" / "results" / "s") == ["inputs: one.vcf: changed since the manifest was written"]


def test_an_absent_run_json_is_a_problem_and_inputs_are_still_looked_for(folder: Path) -> None:
    run(folder)
    (folder / m.RUN).unlink()
    assert verify(folder, "outputs", "inputs") == [f"{m.RUN}: missing"]
    Path("vcf/one.vcf").write_text("##other\n")
    assert len(verify(folder, "inputs")) == 2


# ---------------------------------------------------------------- two runs


def test_compare_names_section_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(place(tmp_path / "a", monkeypatch)).absolute()
    second = run(place(tmp_path / "b", monkeypatch)).absolute()
    assert compare(read_run(first), read_run(second)) == []
    Path("vcf/two.vcf").write_text("##changed\n")
    (m.REPOSITORY / "resources" / "genes" / "b.tsv").write_text("new\n")
    (m.REPOSITORY / "rules" / "common.smk").unlink()
    (second / "exposure.tsv").write_text("other\n")
    run(Path("results/s"), master_seed=4)
    assert sorted(compare(read_run(first), read_run(second))) == sorted([
        "inputs: vcf/two.vcf differs", f"facts: resources/genes/b.tsv only in {second}",
        f"code: rules/common.smk only in {first}", "outputs: exposure.tsv differs", f"outputs: {m.CRATE} differs",
        "config differs: master_seed",
    ])  # fmt: skip


@pytest.mark.parametrize(("key", "value"), [("software", {"numpy": "0"}), ("study", "t"), ("data_kind", "real")])
def test_compare_sees_what_is_not_a_file(folder: Path, tmp_path: Path, key: str, value: object) -> None:
    one = read_run(run(folder))
    shutil.copytree(folder, tmp_path / "other")
    write_sealed(tmp_path / "other" / m.MANIFEST, {**one.manifest, key: value})
    said = compare(one, read_run(tmp_path / "other"))
    assert len(said) == 1 and said[0].startswith(f"{key} differs")


@pytest.mark.parametrize("spoiled", ["batch1", "batch2"])
def test_compare_keeps_two_inputs_of_one_name_apart(folder: Path, tmp_path: Path, spoiled: str) -> None:
    """VCFs of the same name in two folders outside the study (one file a person is often called alike)."""
    where = lay(tmp_path / "seq", {"batch1/calls.vcf": "##1\n", "batch2/calls.vcf": "##2\n"})
    rows = f"twin_id\tvcf\tsample\na\t{where}/batch1/calls.vcf\ts1\nb\t{where}/batch2/calls.vcf\ts2\n"
    Path("sheets/twins.tsv").write_text(rows)
    run(folder)
    shutil.copytree(folder, tmp_path / "before")
    (where / spoiled / "calls.vcf").write_text("##changed\n")
    assert verify(folder, "inputs") == ["inputs: calls.vcf: changed since the manifest was written"]
    said = compare(read_run(tmp_path / "before"), read_run(run(folder)))
    assert said == ["inputs: calls.vcf differs", f"outputs: {m.CRATE} differs"]


def test_a_package_of_another_version_is_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = read_run(run(folder))
    shutil.copytree(folder, tmp_path / "other")
    bill = json.loads((folder / m.SBOM).read_text())
    next(c for c in bill["components"] if c["name"] == "numpy")["version"] = "0.1"
    (tmp_path / "other" / m.SBOM).write_text(json.dumps(bill))
    said = compare(one, read_run(tmp_path / "other"))
    assert any(s.startswith("packages: numpy ") and s.endswith(" and 0.1") for s in said)
    assert main(["verify", str(folder), str(tmp_path / "other")]) == 1
    assert "every result is byte-equal" in capsys.readouterr().out


def test_machine_classes_are_compared_by_what_they_are(folder: Path, tmp_path: Path) -> None:
    one = read_run(run(folder))
    shutil.copytree(folder, tmp_path / "other")
    record = {**one.run, "machine_class": {**one.run["machine_class"], "processor": "z80"}, "host": "elsewhere"}
    write_sealed(tmp_path / "other" / m.RUN, record)
    assert class_differences(one, one) == []
    said = class_differences(one, read_run(tmp_path / "other"))
    assert len(said) == 1 and said[0].startswith("processor: ") and said[0].endswith(" and z80")


# ---------------------------------------------------------------- the command


def test_the_command_says_what_it_checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(folder)
    assert main(["verify", str(folder)]) == 0
    assert "outputs, 4 inputs, 9 modules: every file as recorded" in capsys.readouterr().out
    Path("vcf/one.vcf").write_text("##other\n")
    assert main(["verify", str(folder), "--only", "outputs"]) == 0
    assert main(["verify", str(folder)]) == 1
    assert "inputs: one.vcf: changed" in capsys.readouterr().out


def test_two_runs_of_a_place_are_byte_equal(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(folder)
    shutil.copytree(folder, tmp_path / "other")
    assert main(["verify", str(folder), str(tmp_path / "other")]) == 0
    assert "the two runs are byte-equal" in capsys.readouterr().out
    (tmp_path / "other" / "exposure.tsv").write_text("x\n")
    assert main(["verify", str(folder), str(tmp_path / "other")]) == 1
    assert "exposure.tsv: changed since the manifest was written" in capsys.readouterr().out


def test_nothing_to_verify_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path / "nowhere")]) == 1
    (tmp_path / m.MANIFEST).write_text("{}")
    assert main(["verify", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "no manifest at" in said and "cannot be used" in said
