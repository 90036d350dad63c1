"""What runs again after which change: compared with the dry run."""

from __future__ import annotations

from pathlib import Path

from tests.workflow.conftest import Project

GATHER = {"evaluate", "report", "manifest"}
OF_A_BUCKET = ("explain", "twins", "exports", "pbpk", "attributions")


def sampled(project: Project) -> str:
    return sorted({r[0] for r in project.sheet("events")[1:]})[0]


def unsampled(project: Project) -> str:
    with_events = {r[0] for r in project.sheet("events")[1:]}
    return next(r[0] for r in project.sheet("twins")[1:] if r[0] not in with_events)


def test_a_second_run_has_nothing_to_do(project: Project) -> None:
    done = project.snakemake("-n")
    assert "Nothing to be done" in done.stdout + done.stderr


def test_touching_the_sheets_changes_nothing(project: Project) -> None:
    for table in ("twins", "events"):
        (project.folder / f"config/studies/demo/{table}.tsv").touch()
    assert project.planned() == set()


def test_weight_of_a_twin_without_samples_reruns_its_bucket_and_the_gathering_jobs(project: Project) -> None:
    twin = unsampled(project)
    project.set_cell(twin, "weight_kg", "71.5")
    bucket = project.bucket(twin)
    assert project.planned() == {f"{rule}[{bucket}]" for rule in OF_A_BUCKET} | {"criticism", "verification"} | GATHER


def test_weight_of_a_sampled_twin_also_reruns_the_fit_and_all_that_reads_it(project: Project) -> None:
    twin = sampled(project)
    project.set_cell(twin, "weight_kg", "71.5")
    buckets = {project.bucket(r[0]) for r in project.sheet("twins")[1:]}
    own = {f"twins[{project.bucket(twin)}]", f"exports[{project.bucket(twin)}]"}
    expected = {"fit", "population", "published", "criticism", "verification"} | own | GATHER
    assert project.planned() == expected | {
        f"{rule}[{b}]" for b in buckets for rule in ("pbpk", "attributions", "explain")
    }


def test_a_new_twin_reruns_one_bucket(project: Project) -> None:
    rows = project.sheet("twins")
    known = {r[0] for r in rows[1:]}
    original = (Path(__file__).parents[2] / "config/studies/demo/twins.tsv").read_text(encoding="utf-8").splitlines()
    new = next(r for r in (line.split("\t") for line in original[1:]) if r[0] not in known)
    project.write_sheet("twins", [*rows, new])
    bucket = project.bucket(new[0])
    assert project.planned() == {f"{rule}[{bucket}]" for rule in OF_A_BUCKET} | {"criticism", "verification"} | GATHER


def test_a_comment_in_the_library_reruns_nothing_and_code_reruns_its_stage(project: Project) -> None:
    module = project.folder / "src/pharmtwin/evaluation/metrics.py"
    text = module.read_text(encoding="utf-8")
    module.write_text(text + "\n# a comment more\n", encoding="utf-8")
    assert project.planned() == set()
    module.write_text(text + "\nONE_MORE = 1\n", encoding="utf-8")
    assert project.planned() == GATHER


def test_code_of_the_body_stage_never_touches_the_genome(project: Project) -> None:
    module = project.folder / "src/pharmtwin/body/equations.py"
    module.write_text(module.read_text(encoding="utf-8") + "\nONE_MORE = 1\n", encoding="utf-8")
    planned = project.planned()
    assert {"fit", "reference", "published"} <= planned
    assert not any(j.startswith(("genome", "compile")) for j in planned)


def test_a_drug_value_reruns_what_reads_it(project: Project) -> None:
    drug = project.folder / "resources/drugs/twin/paroxetine.yaml"
    drug.write_text(drug.read_text(encoding="utf-8").replace("value: 0.05,", "value: 0.06,", 1), encoding="utf-8")
    planned = project.planned()
    assert {"fit", "sensitivity", "published", "population"} <= planned
    assert not any(j.startswith(("genome", "twins", "compile", "reference")) for j in planned)
