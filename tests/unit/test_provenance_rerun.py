"""Rerun: how the study is laid out again, and what stands in its way. A whole rerun is in tests/workflow."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from tests.unit.run_fixture import config, lay, place, run

from pharmtwin.cli import main
from pharmtwin.provenance import manifest as m
from pharmtwin.provenance import rerun
from pharmtwin.provenance.agreement import agreement
from pharmtwin.provenance.hashes import write_sealed
from pharmtwin.provenance.rerun import RerunError, lay_out
from pharmtwin.provenance.verify import read_run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return place(tmp_path, monkeypatch)


def test_code_config_and_inputs_stand_where_they_stood(folder: Path, tmp_path: Path) -> None:
    lay(Path(), {"vcf/one.vcf.tbi": "index"})
    work = lay_out(read_run(run(folder)), tmp_path / "new")
    assert (work / "Snakefile").read_text() == "rule all:\n" and (work / "resources/genes/a.tsv").is_file()
    for name in ("sheets/twins.tsv", "vcf/one.vcf", "vcf/one.vcf.tbi"):
        assert (work / name).read_bytes() == Path(name).read_bytes()
    settings = yaml.safe_load((work / rerun.CONFIG).read_text())
    assert settings == config()


def test_names_that_climb_stay_below_the_new_folder(folder: Path, tmp_path: Path) -> None:
    lay(tmp_path, {"data/deep/events.tsv": "twin_id\tevid\tuse\na\t0\tfit\n"})
    own = {**config()["paths"], "events": "../data/deep/../deep/events.tsv"}
    work = lay_out(read_run(run(folder, paths=own)), tmp_path / "new")
    assert (work / own["events"]).is_file() and (work / own["events"]).resolve() == tmp_path / "data/deep/events.tsv"
    assert (tmp_path / "new/up/data/deep/events.tsv").is_symlink()


def test_another_release_runs_its_own_files(folder: Path, tmp_path: Path) -> None:
    run(folder)
    shutil.copytree(folder / "code", tmp_path / "release")
    lay(tmp_path / "release", {"Snakefile": "rule new:\n"})
    work = lay_out(read_run(folder), tmp_path / "new", code=tmp_path / "release")
    assert (work / "Snakefile").read_text() == "rule new:\n" and (work / "vcf/one.vcf").is_file()


def test_an_input_inside_the_code_is_the_recorded_one(folder: Path, tmp_path: Path) -> None:
    """A published table may lie in resources/: the copy of the code has it too."""
    lay(Path(), {"resources/genes/a.tsv": "the user's\n"})
    own = {**config()["paths"], "events": "resources/genes/a.tsv"}
    lay(Path(), {"resources/genes/a.tsv": "twin_id\tevid\tuse\na\t0\tfit\n"})
    work = lay_out(read_run(run(folder, paths=own)), tmp_path / "new")
    assert (work / "resources/genes/a.tsv").read_text().startswith("twin_id")


def test_what_is_gone_is_said(folder: Path, tmp_path: Path) -> None:
    run(folder)
    Path("vcf/two.vcf").unlink()
    with pytest.raises(RerunError, match=r"input vcf/two\.vcf is not there"):
        lay_out(read_run(folder), tmp_path / "new")
    shutil.rmtree(folder / "code")
    with pytest.raises(RerunError, match="no code at"):
        lay_out(read_run(folder), tmp_path / "new2")


def test_a_run_that_fails_shows_snakemakes_words(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """The fixture's Snakefile makes nothing."""
    run(folder)
    assert main(["verify", str(folder), "--rerun", "--keep", str(tmp_path / "new")]) == 1
    said = capsys.readouterr().out
    assert "every file as recorded" in said and "the rerun did not come to its end" in said
    assert (tmp_path / "new" / rerun.LOG).is_file()
    assert main(["verify", str(folder), "--rerun", "--keep", str(tmp_path / "new")]) == 1
    assert "is there already" in capsys.readouterr().err


# ---------------------------------------------------------------- how two runs agree


def other_run(folder: Path, target: Path, exposure: str, processor: str | None) -> Path:
    """A second run with another result, perhaps of another machine class."""
    one = read_run(folder)
    shutil.copytree(folder, target)
    (target / "exposure.tsv").write_text(exposure)
    outputs = [m.entry(target / e["path"], target) for e in one.manifest["outputs"]]
    write_sealed(target / m.MANIFEST, {**one.manifest, "outputs": outputs})
    kind = {**one.run["machine_class"], **({"processor": processor} if processor else {})}
    record = {**one.run, "machine_class": kind, "manifest_sha256": m.sha256_file(target / m.MANIFEST)}
    write_sealed(target / m.RUN, record)
    return target


@pytest.mark.parametrize(
    ("exposure", "processor", "code", "words"),
    [
        ("twin_id\tmedian\na\t1.5000000001\n", "z80", 0, "the two runs agree within tolerance"),
        ("twin_id\tmedian\na\t1.5000000001\n", None, 1, "equal bytes are demanded"),
        ("twin_id\tmedian\na\t1.6\n", "z80", 1, "outside tolerance: exposure.tsv: median"),
    ],
)
def test_tolerance_counts_on_another_machine_class_only(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture,
    exposure: str, processor: str | None, code: int, words: str,
) -> None:  # fmt: skip
    from pharmtwin.provenance import tolerance

    monkeypatch.setattr(tolerance, "rules", lambda: [tolerance.Rule("exposure.tsv", "*", "relative", 1e-6, "test")])
    run(folder)
    other = other_run(folder, tmp_path / "other", exposure, processor)
    assert main(["verify", str(folder), str(other)]) == code
    assert words in capsys.readouterr().out


def test_other_inputs_are_no_question_of_tolerance(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pharmtwin.provenance import tolerance

    monkeypatch.setattr(tolerance, "rules", lambda: [tolerance.Rule("*", "*", "skip", 0.0, "test")])
    run(folder)
    other = other_run(folder, tmp_path / "other", "x\n", "z80")
    one, two = read_run(folder), read_run(other)
    assert agreement(one, two).agrees
    two.manifest["config"]["master_seed"] = 4
    assert not agreement(one, two).agrees
