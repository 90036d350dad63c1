"""Files of others within bounds: bombs, archives, YAML, names; and what must still be read."""

from __future__ import annotations

import gzip
import os
import zipfile
from pathlib import Path

import pytest
import yaml

from pharmtwin import untrusted
from pharmtwin.core.drug import drug_path
from pharmtwin.drugs.read import drug_file
from pharmtwin.exchange.petab import load_problem
from pharmtwin.findings import Finding, printable
from pharmtwin.genome.outside.table import read_outside
from pharmtwin.inference.models.description import PopulationModelError
from pharmtwin.inference.models.read import read_population_model
from pharmtwin.inference.problem.case import read_table
from pharmtwin.intake.config import check_config, load_config, read_config
from pharmtwin.untrusted import TooMuch, YamlBomb, check_archive, inside, is_whole, load_yaml, open_unpacked, read_bytes

ROOT = Path(__file__).resolve().parents[2]


def test_a_gzip_bomb_ends_at_the_bound_and_a_plain_gzip_is_read(tmp_path: Path) -> None:
    small, large = tmp_path / "a.gz", tmp_path / "b.gz"
    small.write_bytes(gzip.compress(b"line\n" * 1000))
    large.write_bytes(gzip.compress(bytes(64 * untrusted.MIB)))
    assert read_bytes(small) == b"line\n" * 1000
    with open_unpacked(large) as handle, pytest.raises(TooMuch, match="400 times its size"):
        while handle.read(untrusted.MIB):
            pass
    table, findings = read_table(str(large), "x")
    assert table is None and [f.rule for f in findings] == ["x"]


def test_a_bound_on_bytes_and_no_pipes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)
    with pytest.raises(TooMuch):
        read_bytes(tmp_path / "a", most=99)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        read_bytes(tmp_path / "pipe")  # would wait for ever


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd", "C:\\x", "..\\x", "a\nb", "", "a/.."])
def test_names_that_leave_their_folder(name: str) -> None:
    assert not inside(name)


@pytest.mark.parametrize("name", ["a", "a/b.tsv", "a..b", "..a", "x'; rm -rf ~"])
def test_names_that_stay(name: str) -> None:
    assert inside(name)


def archive(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members:
            made.writestr(name, content)
    return path


def test_archives_are_judged_before_anything_is_read(tmp_path: Path) -> None:
    good = archive(tmp_path / "good.zip", ("d/a.txt", b"x"))
    with zipfile.ZipFile(good) as opened:
        check_archive(opened)
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as made:
        made.writestr(link, "/etc/passwd")
    archive(tmp_path / "out.zip", ("../../x", b"x"))
    archive(tmp_path / "bomb.zip", ("a", bytes(3 * untrusted.MIB)))
    for name, why in (("link", "a link"), ("out", "outside"), ("bomb", "unpacks to 3 MiB")):
        with zipfile.ZipFile(tmp_path / f"{name}.zip") as opened, pytest.raises(zipfile.BadZipFile, match=why):
            check_archive(opened, most=2 * untrusted.MIB)


def test_a_pypgx_archive_that_is_a_bomb_is_one_finding(tmp_path: Path) -> None:
    meta = b"SemanticType=SampleTable[Results]\nGene=CYP2D6\n"
    path = archive(tmp_path / "r.zip", ("x/metadata.txt", meta), ("x/data.tsv", bytes(100 * untrusted.MIB)))
    table, findings = read_outside(path)
    assert table.empty and [f.rule for f in findings] == ["outside.file"]


LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{n}: &{n} [{','.join([f'*{o}'] * 9)}]\n" for o, n in zip("abcdefgh", "bcdefghi")
)


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        "a: &a [*a, *a]",
        "[" * 3000,
        "{a: " * 3000,
        "x: " + "9" * 5000,
        "x: " + "1:" * 5000 + "1",
        "x: 2001-99-99",
        "!!int ''",
        "!!timestamp []",
        "x: !!python/object/apply:os.system ['touch pwned']",
        "x: !!python/name:os.system",
        '"\\UFFFFFFFF"',
        "? {a: b}\n: c",
    ],
)
def test_yaml_that_is_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(yaml.YAMLError):
        load_yaml(text)
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    content, _, findings = read_config("c.yaml")
    assert content is None and [f.rule for f in findings] == ["config.yaml_syntax"]
    assert not (tmp_path / "pwned").exists()


def test_yaml_in_bounds_is_read() -> None:
    assert load_yaml("a: &a {x: 1}\nb: {<<: *a, y: [1.5e3, 2001-02-03, ~]}")["b"]["x"] == 1
    assert load_yaml("") is None
    with pytest.raises(YamlBomb):
        load_yaml("x: " + "y" * untrusted.MOST_YAML)


def test_templates_of_snakemake_s_yaml_are_refused_by_the_check(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("__use_yte__: true\nstudy: ?open('pwned', 'w').name\n", encoding="utf-8")
    config, places, _ = load_config([str(path)])
    assert config is not None and config["study"].startswith("?open")
    rules = {f.rule for f in check_config(config, ROOT, places) if f.severity == "error"}
    assert {"config.unknown_key", "config.form"} <= rules


@pytest.mark.parametrize("name", ["../../x", "a/b", "..", "/etc/x", "a\\b"])
def test_a_drug_is_named_without_a_folder(name: str) -> None:
    for find in (drug_path, drug_file):
        with pytest.raises(FileNotFoundError):
            find(name)


def test_a_model_does_not_reach_out_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "secret.yaml").write_text("schema: 1\n", encoding="utf-8")
    (tmp_path / "m" / "a.yaml").write_text("base: ../secret.yaml\n", encoding="utf-8")
    with pytest.raises(PopulationModelError, match="not beside or below"):
        read_population_model(tmp_path / "m" / "a.yaml")
    listed = "format_version: 1\nparameter_file: p.tsv\nproblems: [{sbml_files: [../secret.yaml]}]\n"
    (tmp_path / "m" / "p.yaml").write_text(listed, encoding="utf-8")
    with pytest.raises(ValueError, match="beside or below"):
        load_problem(tmp_path / "m" / "p.yaml")


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("study", "../../tmp/x", "config.form"),
        ("study", "demo\n", "config.control"),
        ("study", "a; touch pwned", "config.form"),
        ("drug", "../../x", "config.drug_unknown"),
        ("drug", "x\n.yaml", "config.control"),
    ],
)
def test_a_configuration_that_would_lead_elsewhere(key: str, value: str, rule: str) -> None:
    config, places, _ = load_config([])
    found = check_config({**(config or {}), key: value}, ROOT, places)
    assert rule in {f.rule for f in found if f.severity == "error"}


def test_a_path_with_braces_is_no_pattern_of_snakemake() -> None:
    config, places, _ = load_config([])
    assert config is not None
    config["paths"]["twins"] = "config/{bucket}.tsv"
    assert [f.column for f in check_config(config, ROOT, places) if f.rule == "config.brace"] == ["paths.twins"]


def test_a_folder_of_vcfs_with_a_semicolon_would_be_taken_apart() -> None:
    config, places, _ = load_config([])
    assert config is not None
    config["paths"]["vcf_dir"] = "a;b"
    assert "config.semicolon" in {f.rule for f in check_config(config, ROOT, places)}


def test_a_message_stays_on_its_line_of_the_terminal() -> None:
    made = Finding.create("a.b", "f.tsv", "is odd", "it is", "mend it", value="\x1b[2Jx\n0 errors\u202e\t")
    assert made.message() == "f.tsv [\\x1b[2Jx\\n0 errors\\u202e\\t] - is odd - it is - mend it (a.b)"
    assert printable("µg/L ± é 漢") == "µg/L ± é 漢"


def test_whole_numbers_are_ascii_digits() -> None:
    assert is_whole("0") and is_whole("94781859")
    assert not any(map(is_whole, ("", "-1", "1.0", " 1", "\u00b9", "\u0661", "\uff11", "1\u00b2")))
