"""Configuration, the study as tables, and the whole check with a stand-in for the VCF reader."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from pharmtwin.findings import Finding, write_findings
from pharmtwin.genome.function.factors import activity_maps
from pharmtwin.genome.stage import genotype_of, outside_of
from pharmtwin.intake.check import check_study, format_findings
from pharmtwin.intake.config import DEFAULT_CONFIG, check_config, load_config, merge
from pharmtwin.intake.study import load_study
from pharmtwin.tables import read_table

TWINS = """twin_id\tvcf\tsample\tancestry\tsex\tage_y\tweight_kg\theight_cm\tcreatinine_mg_dl\tlabel
T1\ta.vcf\tS1\tEUR\tF\t50\t70\t170\t0.9\tsynthetic
007\ta.vcf\tS2\t\tM\t40\t80.5\t180\t1\tsynthetic
"""
EVENTS = """twin_id\ttime_h\tevid\tdrug\tdose_mg\troute\tdv_ng_ml\tuse
T1\t0\t1\td\t20\toral\t\t
T1\t4\t0\td\t\t\t12.5\tfit
"""
SCENARIOS = "scenario\tdrug\tdose_mg\tinterval_h\tn_doses\troute\tlabel\nqd\td\t20\t24\t7\toral\tdaily\n"


@pytest.fixture
def config(tmp_path):
    for name, text in (("twins", TWINS), ("events", EVENTS), ("scenarios", SCENARIOS)):
        (tmp_path / f"{name}.tsv").write_text(text)
    (tmp_path / "d.yaml").write_text("name: d\n")
    (tmp_path / "a.vcf").write_text("")
    content = yaml.safe_load(DEFAULT_CONFIG.read_text())
    paths = {"twins": "twins.tsv", "events": "events.tsv", "scenarios": "scenarios.tsv", "vcf_dir": "."}
    paths |= {"structure_calls": "", "published": ""}
    return merge(content, {"paths": paths, "drug": "d.yaml", "sensitivity": {"scenario": "qd"}})


def rules(found):
    return [(f.rule, f.column) for f in found]


def test_the_default_config_keeps_its_schema_and_comments_every_key():
    content = yaml.safe_load(DEFAULT_CONFIG.read_text())
    assert [
        f for f in check_config(content, Path(".")) if f.rule not in ("config.drug_unknown", "config.file_missing")
    ] == []
    lines = DEFAULT_CONFIG.read_text().splitlines()
    keys = [n for n, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")]
    assert [lines[n] for n in keys if not lines[n - 1].lstrip().startswith("#")] == []


def test_study_tables(config, tmp_path):
    study, found = load_study(config, tmp_path)
    assert found == [] and study is not None
    assert study.name == "demo" and study.data_kind == "synthetic" and study.vcfs == ("a.vcf",)
    assert study.twins["twin_id"].tolist() == ["T1", "007"], "ids stay text"
    assert study.twins["ancestry"].tolist() == ["EUR", "ALL"] and study.twins["row"].tolist() == [2, 3]
    assert study.twins["weight_kg"].dtype == "float64" and study.twins["weight_kg"].tolist() == [70.0, 80.5]
    assert study.twins["accept"].tolist() == ["", ""], "optional columns are always there"
    assert study.events["evid"].dtype == "Int64" and study.events["dv_ng_ml"].isna().tolist() == [True, False]
    assert study.structure_calls.empty and "diplotype" in study.structure_calls


def test_an_unreadable_sheet_gives_no_study_but_all_other_findings(config, tmp_path):
    (tmp_path / "events.tsv").unlink()
    (tmp_path / "twins.tsv").write_text(TWINS.replace("\tF\t", "\tfemale\t"))
    (tmp_path / "scenarios.tsv").write_text(SCENARIOS.replace("\t24\t", "\tdaily\t"))
    study, found = load_study(config, tmp_path)
    assert study is None
    assert {r for r, _ in rules(found)} == {"sheet.file_missing", "twins.sex_code", "scenarios.not_a_number"}


@pytest.mark.parametrize(
    ("change", "rule", "key", "words"),
    [
        ({"chains": 4}, "config.unknown_key", "chains", "did you mean fit.chains"),
        ({"study": "My Study"}, "config.form", "study", "[a-z0-9_-]"),
        ({"data_kind": "sythetic"}, "config.choice", "data_kind", "write synthetic if that is meant"),
        ({"pbpk": {"rtol": "1e-6"}}, "config.type", "pbpk.rtol", "needs a point, e.g. 1.0e-4"),
        ({"pbpk": {"draws": 0}}, "config.out_of_range", "pbpk.draws", "at least 1"),
        ({"fit": "yes"}, "config.type", "fit", "a block of keys"),
        ({"genome": {"genes": ["CYP2D7"]}}, "config.choice", "genome.genes", "CYP2D6"),
        ({"genome": {"activity_map": "mean"}}, "config.choice", "genome.activity_map", "mean_curve"),
        ({"genome": {"activity_map": "saturating_floor"}}, "config.choice", "genome.activity_map", "power, saturating"),
        ({"genome": {"phenotype_scheme": "cpic"}}, "config.choice", "genome.phenotype_scheme", "cpic2020"),
        ({"genome": {"genes": []}}, "config.form", "genome.genes", "the list is empty"),
        ({"genome": {"genes": ["CYP2D6", 5]}}, "config.type", "genome.genes", "text"),
        ({"sensitivity": {"scenario": "bid"}}, "config.scenario_unknown", "sensitivity.scenario", "qd"),
        ({"sensitivity": {"max_base": 512}}, "config.out_of_range", "sensitivity.max_base", "sobol_base (1024)"),
        ({"sensitivity": {"sobol_base": 1000}}, "config.choice", "sensitivity.sobol_base", "1024"),
        ({"paths": {"published": "p.tsv"}}, "config.file_missing", "paths.published", 'write "" for none'),
        ({"paths": {"events": ""}}, "config.nothing_to_fit", "fit.enabled", "set fit.enabled to false"),
        ({"data_kind": "real"}, "twins.label_kind", "label", "data_kind of the config is real"),
    ],
)
def test_config_rules(config, tmp_path, change, rule, key, words):
    _, found = load_study(merge(config, change), tmp_path)
    hits = [f for f in found if f.rule == rule and f.column == key]
    assert hits and words in hits[0].message(), rules(found)
    assert {f.rule for f in found} == {rule}


@pytest.mark.parametrize("name", activity_maps())
def test_every_map_of_the_enzyme_may_be_chosen(config, tmp_path, name):
    assert load_study(merge(config, {"genome": {"activity_map": name}}), tmp_path)[1] == []


def test_predictions_only(config, tmp_path):
    study, found = load_study(merge(config, {"paths": {"events": ""}, "fit": {"enabled": False}}), tmp_path)
    assert found == [] and study is not None and study.events.empty


def test_no_config_key_can_break_the_check(config, tmp_path):
    """Every key missing, or of a wrong type: findings, never an exception."""
    for key in list(config):
        for value in (None, 7, "x", ["x"], {"x": 1}):
            broken = deepcopy(config)
            broken[key] = value
            load_study(broken, tmp_path)
        del broken[key]
        assert ("config.key_missing", key) in rules(load_study(broken, tmp_path)[1])
    for key in config["paths"]:
        broken = merge(config, {"paths": {key: 7}})
        assert ("config.type", f"paths.{key}") in rules(load_study(broken, tmp_path)[1])
    assert len(load_study({}, tmp_path)[1]) == len(config)


def test_config_files_merge_and_keep_their_lines(tmp_path):
    (tmp_path / "one.yaml").write_text("fit:\n  chains: 2\n  tune: 100\n")
    (tmp_path / "two.yaml").write_text("# later wins\nfit:\n  chains: 3\n  chains: 6\n")
    config, places, found = load_config(["one.yaml", "two.yaml"], tmp_path)
    assert config is not None and config["fit"]["chains"] == 6 and config["fit"]["tune"] == 100
    assert config["fit"]["draws"] == load_config([], tmp_path)[0]["fit"]["draws"], "defaults stay"
    assert places["fit.chains"] == ("two.yaml", 4) and places["fit.tune"] == ("one.yaml", 3)
    assert [(f.rule, f.file, f.row, f.column) for f in found] == [("config.key_twice", "two.yaml", 4, "fit.chains")]


def test_vcf_checks_are_called_once_a_file(config, tmp_path, monkeypatch):
    calls = []

    def stand_in(path, expected, *, extra_samples, required, genes, options):
        calls.append((Path(path).name, expected, extra_samples, required))
        return [Finding.create("vcf.sample_missing", path, "not there", "why", "fix", row=5, value="S2")]

    monkeypatch.setattr("pharmtwin.genome.reading.checks.vcf_findings", stand_in)
    found = check_study(config, tmp_path)
    assert calls == [("a.vcf", ["S1", "S2"], "error", True)]
    assert [(f.file, f.row, f.column, f.value, f.rule) for f in found] == [
        ("twins.tsv", 3, "sample", "S2", "vcf.sample_missing")
    ]
    assert check_study(config, tmp_path, vcf=False) == []


def test_missing_vcf_is_said_once_at_its_first_row(config, tmp_path):
    (tmp_path / "a.vcf").unlink()
    found = check_study(config, tmp_path)
    assert [(f.row, f.column, f.value, f.rule) for f in found] == [(2, "vcf", "a.vcf", "vcf.file_missing")]
    assert "named by 1 more rows" in found[0].what


def test_findings_are_sorted_written_and_formatted(tmp_path):
    a = Finding.create("r.a", "b.tsv", "what", "why", "fix", row=10, column="x", value="v")
    b = Finding.create("r.b", "b.tsv", "what", "why", "fix", row=9, severity="warning")
    c = Finding.create("r.c", "a.tsv", "what", "why", "fix", severity="note")
    write_findings([a, b, c, a], tmp_path / "findings.tsv")
    table = read_table("findings", tmp_path / "findings.tsv")
    assert table["rule"].tolist() == ["r.c", "r.b", "r.a"]
    assert [p.name for p in tmp_path.iterdir()] == ["findings.tsv"]
    assert format_findings([a, b, c]).splitlines() == [
        "errors:", "b.tsv:10 x [v] - what - why - fix (r.a)", "",
        "warnings:", "b.tsv:9 - what - why - fix (r.b)", "",
        "notes:", "a.tsv - what - why - fix (r.c)", "",
        "1 error, 1 warning in 2 files",
    ]  # fmt: skip
    write_findings([], tmp_path / "none.tsv")
    assert read_table("findings", tmp_path / "none.tsv").empty


def test_a_twin_without_a_vcf_has_a_sample_name_of_its_own(config, tmp_path):
    (tmp_path / "twins.tsv").write_text(TWINS.replace("007\ta.vcf\tS2", "007\t\t"))
    study, found = load_study(config, tmp_path)
    assert study is not None and rules(found) == [("twins.no_vcf", "vcf")]
    assert study.twins["vcf"].tolist() == ["a.vcf", ""] and study.twins["sample"].tolist() == ["S1", "no_vcf:007"]
    assert study.vcfs == ("a.vcf",)


def test_the_genotype_of_a_twin_without_a_vcf_is_that_of_its_population(config, tmp_path):
    """Neither reference nor nobody: a posterior that sums to 1, follows the ancestry, and counts as no call."""
    text = TWINS.replace("T1\ta.vcf\tS1", "T1\t\t").replace("007\ta.vcf\tS2\t", "007\t\t\tEAS")
    (tmp_path / "twins.tsv").write_text(text)
    study, _ = load_study(config, tmp_path)
    assert study is not None
    options = {**config["genome"], "genes": ["CYP2D6"]}
    nothing, _, _ = outside_of(study.structure_calls, [], study.twins)
    genotype, _, priors, _ = genotype_of({}, study.twins, nothing, options, "")
    assert set(genotype["status"]) == {"no_call"}
    assert genotype.groupby("twin_id")["probability"].sum().tolist() == pytest.approx([1, 1])
    best = genotype.sort_values("probability").groupby("twin_id")["diplotype"].last()
    assert "*10" in best["007"] and "*10" not in best["T1"]
    assert priors.groupby("twin_id")["weight"].sum().tolist() == pytest.approx([1, 1])
