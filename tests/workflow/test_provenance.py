"""What a whole run says of itself: crate, bill, manifest; flipped bytes; the study run afresh."""

from __future__ import annotations

import json
import random
from pathlib import Path

from pharmtwin.cli import main
from pharmtwin.provenance.crate_check import check_crate
from pharmtwin.provenance.verify import read_run, verify_run
from tests.workflow.conftest import Project

RESULTS = "results/small"
SCRIPTS = {"compile", "genome", "exports", "twins", "reference", "fit", "pbpk", "explain", "population", "published",
           "attributions", "criticism", "verification", "sensitivity", "evaluate", "report"}  # fmt: skip
RULES = SCRIPTS | {"sensitivity_morris", "sensitivity_screen", "sensitivity_sobol"}


def test_the_crate_keeps_the_profile_and_tells_every_job(finished: Project) -> None:
    folder = finished.folder / RESULTS
    assert check_crate(folder) == []
    graph = {e["@id"]: e for e in json.loads((folder / "ro-crate-metadata.json").read_text(encoding="utf-8"))["@graph"]}
    jobs = [e for i, e in graph.items() if i.startswith("#job-")]
    assert {e["instrument"]["@id"] for e in jobs} == {f"code/scripts/{r}.py" for r in SCRIPTS}
    assert not [e["description"] for e in jobs if "no hash of" in e["description"]]
    place = {r: int(graph[f"#step-{r}"]["position"]) for r in RULES}
    assert place["genome"] < place["fit"] < place["pbpk"] < place["evaluate"] < place["report"] == max(place.values())


def test_every_result_has_its_rule_and_every_job_its_duration(finished: Project) -> None:
    run = read_run(finished.folder / RESULTS)
    alone = {e["path"] for e in run.manifest["outputs"] if "rule" not in e}
    intake = {f"intake/{f}" for f in ("findings.tsv", "findings.json", "excluded.tsv")}
    assert alone == {*intake, "ro-crate-metadata.json", "sbom.cdx.json"}
    assert {e["rule"] for e in run.manifest["outputs"] if "rule" in e} == RULES
    notes = {p.relative_to(run.folder / "logs").as_posix() for p in (run.folder / "logs").rglob("*.job.json")}
    timed = {f"{name}.job.json" for name in run.run["durations"]}
    assert notes == timed | {"manifest.job.json"}  # the last job is not over when it writes
    assert run.run["cores"] == 2 and run.run["cpu_seconds"] > 1
    assert [Path(c["path"]).name for c in run.run["calls"][0]["configfiles"]] == ["small.yaml", "config.yaml"]


def test_a_flipped_byte_anywhere_is_found(project: Project) -> None:
    """Forty files of every part, one bit each."""
    rng = random.Random(20261122)
    run = read_run(project.folder / RESULTS)
    parts = {
        "outputs": (project.folder / RESULTS, [e["path"] for e in run.manifest["outputs"]]),
        "inputs": (project.folder, [e["path"] for e in run.manifest["inputs"]] + ["config/small.yaml"]),
        "modules": (project.folder, [e["path"] for p in ("code", "facts") for e in run.manifest[p]]),
    }
    spoiled: dict[Path, bytes] = {}
    for root, names in parts.values():
        for name in rng.sample(sorted(set(names)), min(14, len(set(names)))):
            path = root / name
            if size := path.stat().st_size:
                spoiled[path] = raw = path.read_bytes()
                at = rng.randrange(size)
                path.write_bytes(raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1 :])
    said = "\n".join(verify_run(run))
    missed = [str(p) for p in spoiled if p.name not in said]
    assert len(spoiled) >= 30 and not missed
    for path, raw in spoiled.items():
        path.write_bytes(raw)
    assert verify_run(run) == []


def test_a_rerun_is_byte_equal_and_equivalent(project: Project, tmp_path: Path, capsys) -> None:
    """Another folder, other cores, compiled anew."""
    where = [str(project.folder / RESULTS), "--rerun", "--cores", "1", "--keep", str(tmp_path / "again")]
    assert main(["verify", *where]) == 0
    said = capsys.readouterr().out
    assert "the two runs are byte-equal" in said
    assert "TOST: 4 of 4 comparisons equivalent, 2 not tested; values in one run only: 0" in said
