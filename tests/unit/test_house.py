"""The house keeps its own rules: layers, sizes, one lock, no registry hosts, links that lead somewhere."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import pharmtwin
from pharmtwin.curation import environments as envs
from pharmtwin.tables import schema_names
from pharmtwin.workflow.code import module_path, modules_of

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "pharmtwin"
TOP = ("Snakefile", "Makefile", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "pyproject.toml",
       "requirements.in", "requirements.lock", ".ci", ".editorconfig", "config", "docs", "envs", "resources", "rules",
       "scripts", "src", "tests")  # fmt: skip
TEXT = {"", ".cfg", ".in", ".lock", ".md", ".py", ".smk", ".toml", ".tsv", ".yaml", ".yml", ".json", ".j2"}

STAGES = {"genome", "body", "pbpk", "inference", "sensitivity", "evaluation", "report", "intake"}
#: what a package of the library may import besides itself; below core nothing knows a stage
LOWER = {"files", "", "findings", "tables", "units", "facts", "untrusted"}
ALLOWED = {
    **{stage: {"core", "model", "engine"} | LOWER for stage in STAGES},
    # whom the analysis is about may be a system of drugs; its uncertain inputs are declared beside those of qualify
    "sensitivity": {"core", "drugs", "engine", "model", "uncertainty"} | LOWER,
    "uncertainty": {"core", "drugs"} | LOWER,
    "attribution": {"core", "model", "engine"} | LOWER,
    "core": {"model", "engine"} | LOWER,
    "ddi": {"core", "drugs"} | LOWER,
    "drugs": {"core", "model", "engine"} | LOWER,
    "exchange": {"model", "engine"} | LOWER,
    "engine": {"model"} | LOWER,
    "model": LOWER,
    "nca": {"intake"} | LOWER,
    "dossier": STAGES | {"bioequivalence", "core", "model", "engine", "exchange", "workflow", "provenance"} | LOWER,
    "bioequivalence": {"nca", "intake", "evaluation"} | LOWER,
    # the page of two runs is drawn with the report's blocks
    "provenance": {"workflow", "intake", "bioequivalence", "report"} | LOWER,
    "tables": LOWER,
}
#: the check of the input asks the genome stage's own checks about the VCFs, and the body stage's about the twins
EXCEPTIONS = {("intake", "genome.reading"), ("intake", "body.checks"), ("intake", "body.people.sizes")}
#: a PEtab problem becomes a population model: the fit builds on the reader of SBML and PEtab, which knows no stage
EXCEPTIONS |= {("inference", "exchange")}
#: spreads of the body are declared by the body stage; `pharmtwin sensitivity` reads population models and the reference
#: people by their own readers
EXCEPTIONS |= {("uncertainty", "body.variability"), ("uncertainty", "body.anatomy.reference")}
EXCEPTIONS |= {("sensitivity", "inference.models"), ("sensitivity", "body.physiology")}
#: the report asks the fit's own limits whether the fit is good
EXCEPTIONS |= {("report", "inference.criticism.limits")}
ENVS = ("genome", "body", "pbpk", "fit", "sensitivity", "report", "dossier")
DISTRIBUTION = {"yaml": "pyyaml", "sksundae": "scikit-sundae", "SALib": "salib", "docx": "python-docx",
                "libsbml": "python-libsbml"}  # fmt: skip


def own_files() -> Iterator[Path]:
    """Text files of the repository, caches and vendored code left out."""
    for name in TOP:
        path = ROOT / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            hidden = any(part == "__pycache__" or part.endswith(".egg-info") for part in file.parts)
            if file.is_file() and not hidden and file.suffix in TEXT:
                yield file


def imports(path: Path) -> Iterator[str]:
    """Dotted names of the modules that a file imports, wherever in the file; ``from a import b`` gives a and a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{a.name}" for a in node.names if module_path(f"{node.module}.{a.name}"))


def test_imports_point_down_only() -> None:
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        package = path.relative_to(PACKAGE).parts[0]
        for name in imports(path):
            target = name.removeprefix("pharmtwin.").split(".")[0] if name.startswith("pharmtwin.") else package
            excused = any(package == p and f"{name}.".startswith(f"pharmtwin.{m}.") for p, m in EXCEPTIONS)
            parent = any(package == p and name == f"pharmtwin.{m.split('.')[0]}" for p, m in EXCEPTIONS)
            if package in ALLOWED and target != package and target not in ALLOWED[package] and not (excused or parent):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_the_science_knows_no_workflow() -> None:
    wrong = [
        str(p.relative_to(ROOT))
        for p in PACKAGE.rglob("*.py")
        if any(n.split(".")[0] == "snakemake" for n in imports(p))
    ]
    assert not wrong, f"these import snakemake: {wrong}"


def test_what_is_run_by_hand_is_reached_by_no_stage() -> None:
    files = [*(ROOT / "scripts").glob("*.py"), *(p for p in PACKAGE.rglob("*.py") if p.parent.name != "curation")]
    wrong = [str(p.relative_to(ROOT)) for p in files if any(n.startswith("pharmtwin.curation") for n in imports(p))]
    assert not wrong, f"these import pharmtwin.curation: {wrong}"


def test_a_file_that_is_out_of_step_with_the_lock_is_named(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_bytes((ROOT / "requirements.lock").read_bytes())
    (tmp_path / "envs").mkdir()
    for stage in envs.ROOTS:
        (tmp_path / f"envs/{stage}.yaml").write_bytes((ROOT / f"envs/{stage}.yaml").read_bytes())
    assert envs.out_of_step(tmp_path) == {}
    (tmp_path / "envs/fit.yaml").unlink()
    (tmp_path / "envs/body.yaml").write_text("edited by hand", encoding="utf-8")
    assert envs.out_of_step(tmp_path) == {
        f"envs/{s}.yaml": (ROOT / f"envs/{s}.yaml").read_text(encoding="utf-8") for s in ("body", "fit")
    }


def test_heavy_packages_stay_in_their_stage() -> None:
    heavy = {"pymc": {"inference"}, "arviz": {"inference"}, "nutpie": {"inference"}, "plotly": {"report"}}
    heavy |= {p: {"dossier"} for p in ("docx", "typst", "pyreadstat")} | {"openpyxl": {"intake"}}
    for path in sorted(PACKAGE.rglob("*.py")):
        package = path.relative_to(PACKAGE).parts[0]
        wrong = [n for n in imports(path) if package not in heavy.get(n.split(".")[0], {package})]
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_files_are_one_idea_long() -> None:
    limits = [(ROOT / "Snakefile", 60), *((p, 40) for p in (ROOT / "scripts").rglob("*.py"))]
    limits += [(p, 400) for p in PACKAGE.rglob("*.py")]
    long = []
    for path, limit in limits:
        n = len(path.read_text(encoding="utf-8").splitlines())
        if n > limit:
            long.append(f"{path.relative_to(ROOT)}: {n} lines, at most {limit}")
    assert not long, "\n".join(long)


def test_top_level_is_the_house_plan() -> None:
    missing = [name for name in TOP if not (ROOT / name).exists()]
    assert not missing, f"missing at the top level: {missing}"


def test_no_registry_host_or_index_option_anywhere() -> None:
    words = ["py" + "pi.org", "python" + "hosted", "anaconda" + ".org", "conda." + "anaconda", "--index" + "-url",
             "--extra-index" + "-url", "--find" + "-links", "--trusted" + "-host", "index" + "-strategy"]  # fmt: skip
    pattern = re.compile("|".join(map(re.escape, words)), re.IGNORECASE)
    found = []
    for path in own_files():
        for i, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{i} {line.strip()[:80]}")
    assert not found, "\n".join(found)


def test_every_locked_version_has_hashes() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for entry in re.split(r"\n(?=[A-Za-z0-9])", text):
        assert "==" in entry.splitlines()[0] and "--hash=sha256:" in entry, entry.splitlines()[0]


def test_envs_are_in_step_with_the_lock() -> None:
    wanted = envs.environments((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    assert {p.stem for p in (ROOT / "envs").glob("*.yaml")} == set(wanted)
    for stage, text in wanted.items():
        stale = f"envs/{stage}.yaml is out of step; run scripts/maintenance/build_envs.py"
        assert (ROOT / "envs" / f"{stage}.yaml").read_text(encoding="utf-8") == text, stale


def scripts_by_env() -> dict[str, set[Path]]:
    """Scripts of the rules by the environment that they run in."""
    out: dict[str, set[Path]] = {}
    for path in (ROOT / "rules").glob("*.smk"):
        for rule in re.split(r"^ *rule ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            env, script = re.search(r"envs/(\w+)\.yaml", rule), re.search(r"scripts/(\w+\.py)", rule)
            assert env and script, f"{path.name}, rule {rule.split(':')[0]}: needs conda and script"
            out.setdefault(env[1], set()).add(ROOT / "scripts" / script[1])
    return out


def test_rules_use_the_environments_that_are_there() -> None:
    assert set(scripts_by_env()) == set(ENVS) == set(envs.ROOTS)


@pytest.mark.parametrize("stage", ENVS)
def test_an_env_holds_what_its_scripts_import(stage: str) -> None:
    scripts = scripts_by_env()[stage]
    direct = {n for script in scripts for n in imports(script)}
    reached = {m for n in direct if module_path(n) for m in modules_of(n)}
    tops = {n.split(".")[0] for n in direct}
    tops |= {n.split(".")[0] for m in reached if (p := module_path(m)) for n in imports(p)}
    third = tops - set(sys.stdlib_module_names) - {"pharmtwin"}
    pins = envs.read_lock((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    held = {p.name for p in envs.closure(pins, envs.ROOTS[stage])}
    missing = sorted(t for t in third if envs.normalised(DISTRIBUTION.get(t, t)) not in held)
    assert not missing, f"envs/{stage}.yaml lacks {missing}; add them to ROOTS in pharmtwin.curation.environments"


def test_env_files_are_conda_environments() -> None:
    for path in (ROOT / "envs").glob("*.yaml"):
        env = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert env["channels"] == ["conda-forge", "nodefaults"]
        assert env["dependencies"][0] == "python >=3.11,<3.14"
        assert all("==" in line for line in env["dependencies"][-1]["pip"]), path.name


def test_changelog_tells_this_version_and_the_numbers() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version = re.search(r"^## \[(\d+\.\d+\.\d+)\]", text, re.MULTILINE)
    assert version and version[1] == pharmtwin.__version__.split(".dev")[0]
    assert "### Numbers that changed" in text


def test_every_table_of_the_workflow_is_explained() -> None:
    text = (ROOT / "docs" / "output.md").read_text(encoding="utf-8")
    silent = [name for name in schema_names() if f"`{name}`" not in text]
    assert not silent, f"docs/output.md does not explain the tables {silent}"


def test_links_in_the_documents_lead_somewhere() -> None:
    broken = []
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "config" / "README.md"]
    for page in [*pages, *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)} -> {target}")
    assert not broken, "\n".join(broken)


def test_the_makefile_lists_its_targets_and_refuses_an_absent_python() -> None:
    env = {
        k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))
    }  # these tests may run under make

    def make(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["make", *words], cwd=ROOT, env=env, capture_output=True, text=True)

    listing = make("help").stdout
    assert all(f"make {t}" in listing for t in ("setup", "demo", "test", "lint", "reference", "bench", "lock", "clean"))
    absent = make("setup", "PYTHON=no-such-python")
    assert absent.returncode != 0 and "no usable Python called 'no-such-python'" in absent.stderr
