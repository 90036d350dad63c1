"""The qualification as a target of the workflow: one job a shard, then the tables; no such target without tables."""

from __future__ import annotations

from collections.abc import Callable

from tests.workflow.conftest import Project


def dry(project: Project, shards: int) -> str:
    """Dry run of the target on a folder with one reference table."""
    folder = project.folder / "tables"
    folder.mkdir(exist_ok=True)
    (folder / "cyp2d6_genotype_ratios.csv").write_text("data_id\n", encoding="utf-8")
    config = project.folder / "config/small.yaml"
    text = config.read_text(encoding="utf-8").partition("qualification:")[0]
    config.write_text(f"{text}qualification: {{shards: {shards}}}\n", encoding="utf-8")
    return project.snakemake("-n", "--config", "qualification={data: tables}", "--", "qualification").stdout


def test_the_target_has_a_job_for_every_shard(fresh: Callable[[], Project]) -> None:
    project = fresh()
    for shards in (1, 3):
        text = dry(project, shards)
        assert text.count("rule qualification_shard:") == shards and text.count("rule qualification:") == 1
        assert "rule pbpk:" not in text  # no part of a study
    assert "qualification" not in project.planned()
    missing = project.snakemake("-n", "--", "qualification", check=False)
    assert missing.returncode != 0 and "qualification" in missing.stdout + missing.stderr
