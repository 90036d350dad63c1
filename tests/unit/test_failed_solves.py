"""Every failed solve of any stage is named at the end of a run and sets the exit code, in this call and the next."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pharmtwin.core.unsolved import unsolved
from pharmtwin.workflow.failed import exit_code, failed_solves

REPOSITORY = Path(__file__).resolve().parents[2]
HEAD = "stage\trun\tstate\tmax_relative_difference\tlimit\tpassed\tfailure\n"
FINE = "pbpk/b0\tT1/once/twin/draw2\tC_plasma at 1 h\t1e-06\t0.001\tTrue\t\n"
WHOLE = "pbpk/b0\tT2/{}/twin\tnot known\t\t\tFalse\tno result: all 6 solves failed; the first: parameter x is nan\n"


def draw(run: str, stage: str = "pbpk/b0", why: str = "too many steps") -> str:
    """A row of one failed solve, as engine.failures writes it."""
    return f"{stage}\t{run}\tA_liver\t\t\tFalse\t{run} - solve failed: {why}\n"


def lay(folder: Path, **tables: str) -> list[Path]:
    """Tables solver_check of some parts; their paths."""
    paths = [folder / part.replace("_", "/") / "solver_check.tsv" for part in tables]
    for path, text in zip(paths, tables.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEAD + text, encoding="utf-8")
    return paths


def test_a_run_without_failures_is_silent_and_ends_with_zero(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = lay(tmp_path, pbpk_b0=FINE, sensitivity="")
    assert exit_code([*paths, tmp_path / "not/made/yet.tsv"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("part", "row", "said"),
    [
        ("pbpk_b0", draw("T1/once/twin/draw1"), "pbpk/b0, T1/once/twin: draw1: solve failed: too many steps"),
        ("pbpk_population", draw("population/once/population/draw0", "population"),
         "population, population/once/population: draw0: solve failed: too many steps"),
        ("published", draw("Chen2015_AS1.5/draw8", "published/drug_file"),
         "published/drug_file, Chen2015_AS1.5: draw8: solve failed: too many steps"),
        ("sensitivity", draw("run38", "morris/sensitivity/0"),
         "morris/sensitivity/0: run38: solve failed: too many steps"),
        ("pbpk_b0", "pbpk/b0\tT1/once/twin/draw2\tC_plasma at 1 h\t0.1\t0.001\tFalse\t\n",
         "pbpk/b0, T1/once/twin: draw2: C_plasma at 1 h: not within the limit of the second solver"),
    ],
)  # fmt: skip
def test_one_failed_solve_of_any_stage_is_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], part: str, row: str, said: str
) -> None:
    paths = lay(tmp_path, pbpk_b1=FINE, **{part: FINE + row})
    assert exit_code(paths) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"FAILED SOLVES: {paths[-1]}: {said}"
    assert lines[1].startswith("FAILED SOLVES: 1 in all, 0 without any result") and len(lines) == 2


def test_draws_of_a_twin_are_one_line_and_a_twin_without_a_result_says_so(tmp_path: Path) -> None:
    many = "".join(draw(f"T1/once/twin/draw{k}", why=f"stopped at {k} h") for k in range(7))
    other = draw("T1/once/covariates/draw3")
    lost = "".join(draw(f"T2/once/twin/draw{k}") for k in range(6)) + WHOLE.format("once") + WHOLE.format("samples")
    (path,) = lay(tmp_path, pbpk_b0=many + other + FINE + lost)
    found = {f.who: f for f in failed_solves([path])}
    assert found["pbpk/b0, T1/once/twin"].line == (
        f"{path}: pbpk/b0, T1/once/twin: draw0, draw1, draw2, draw3, draw4 and 2 more: "
        "the first: solve failed: stopped at 0 h"
    )
    assert found["pbpk/b0, T1/once/covariates"].draws == ("draw3",)
    for scenario in ("once", "samples"):
        one = found[f"pbpk/b0, T2/{scenario}/twin"]
        assert not one.has_result
        assert one.line.endswith(f"T2/{scenario}/twin: no result: all 6 solves failed; the first: parameter x is nan")
    assert len(found) == 4


def test_a_table_that_is_not_solver_check_is_an_error(tmp_path: Path) -> None:
    (path,) = lay(tmp_path, pbpk_b0="")
    path.write_text("a\tb\n1\t2\n", encoding="utf-8")
    with pytest.raises(KeyError):
        failed_solves([path])
    with pytest.raises(ValueError, match="not twin/scenario/model"):
        unsolved("T1", "no result: all 6 solves failed")


def test_every_table_of_a_rule_is_looked_at() -> None:
    """What a rule writes as solver_check.tsv stands in SOLVER_CHECKS, which the Snakefile and the report read."""
    rules = {p.name: p.read_text(encoding="utf-8") for p in (REPOSITORY / "rules").glob("*.smk")}
    written = {w for text in rules.values() for w in re.findall(r'checks=f"{OUT}/(.*?)/solver_check\.tsv"', text)}
    listed = re.search(r"^SOLVER_CHECKS = \[\n(.*?)^\]", rules["report.smk"], re.S | re.M)
    assert listed and {"pbpk/{{bucket}}", "pbpk/population", "published", "sensitivity"} <= written
    looked_at = set(re.findall(r'f"{OUT}/(.*?)/solver_check\.tsv"', listed[1]))
    looked_at |= {
        f"{stage}/{{{{bucket}}}}" for stage in re.findall(r'gathered\("(\w+)", "solver_check\.tsv"\)', listed[1])
    }
    assert looked_at == written


def test_the_snakefile_sets_the_exit_code_in_this_call_and_the_next(tmp_path: Path) -> None:
    """The text of the hooks, and the Snakefile's from its target on, in a workflow of one script."""
    source = (REPOSITORY / "Snakefile").read_text(encoding="utf-8")
    target = source[source.index("if workflow.is_main_process and failed_solves(") :]
    hooks = (REPOSITORY / "rules/hooks.smk").read_text(encoding="utf-8")
    assert "rule all:" in target and "onsuccess:" in hooks
    (tmp_path / "Snakefile").write_text(
        "from pathlib import Path\nfrom types import SimpleNamespace\n"
        "from pharmtwin.workflow.failed import failed_solves\n"
        'OUT = "results/s"\nLOG = f"{OUT}/logs"\nEXPOSURE_CHECKS = []\n'
        'PLAN = SimpleNamespace(twins={"b0": ["T1"]}, buckets=["b0"])\n'
        'SOLVER_CHECKS = [f"{OUT}/pbpk/b0/solver_check.tsv", f"{OUT}/sensitivity/solver_check.tsv"]\n'
        'rule manifest:\n    output: f"{OUT}/manifest.json"\n    script: "m.py"\n' + hooks + target,
        encoding="utf-8",
    )
    failing = HEAD + FINE + draw("T1/once/twin/draw1")
    (tmp_path / "m.py").write_text(
        "from pathlib import Path\n"
        "table = Path('results/s/pbpk/b0/solver_check.tsv')\n"
        f"table.parent.mkdir(parents=True)\ntable.write_text({failing!r})\n"
        "Path(snakemake.output[0]).touch()\n",
        encoding="utf-8",
    )
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs/report.yaml").write_bytes((REPOSITORY / "envs/report.yaml").read_bytes())

    def snakemake(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "snakemake", "--cores", "1", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    for call in ("first", "second"):
        done = snakemake()
        assert done.returncode == 1 and done.stderr.count("FAILED SOLVES: ") == 2, (call, done.stderr)
        assert ("rule manifest:" in done.stderr) == (call == "first"), (call, done.stderr)
    dry = snakemake("-n")
    assert dry.returncode == 0 and "FAILED SOLVES" not in dry.stdout + dry.stderr

    lay(tmp_path / "results/s", pbpk_b0=FINE)  # as after a run that mended it
    mended = snakemake()
    assert mended.returncode == 0 and "FAILED SOLVES" not in mended.stderr, mended.stderr
    assert "Nothing to be done" in mended.stdout + mended.stderr
