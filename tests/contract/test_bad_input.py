"""Bad input: each mistake alone and all of them together, through the command line, with the real VCF reader.

The contract is the finding itself (file, row, column, value, rule), the words a user reads, the exit
code, and that good input gives no finding at all: the tests can fail both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from pharmtwin import facts
from pharmtwin.cli import main
from pharmtwin.findings import Finding
from pharmtwin.intake.check import check_study
from pharmtwin.intake.config import load_config

GENES = ("CYP2D6", "CYP2C19", "CYP2C9", "CYP3A5", "SLCO1B1")
TWIN = {
    "vcf": "cohort.vcf",
    "ancestry": "EUR",
    "sex": "F",
    "age_y": "50",
    "weight_kg": "70",
    "height_cm": "170",
    "creatinine_mg_dl": "0.9",
    "label": "synthetic",
}
EVENT = dict.fromkeys(
    ["twin_id", "time_h", "evid", "drug", "dose_mg", "route", "ii_h", "addl", "dv_ng_ml", "lloq_ng_ml", "use"], ""
)


def dose(twin: str, time: str = "0", **other: str) -> dict[str, str]:
    row = {"twin_id": twin, "time_h": time, "evid": "1", "drug": "testdrug", "dose_mg": "20", "route": "oral"}
    return EVENT | row | other


def observation(twin: str, time: str, value: str, **other: str) -> dict[str, str]:
    row = {"twin_id": twin, "time_h": time, "evid": "0", "drug": "testdrug", "dv_ng_ml": value, "use": "fit"}
    return EVENT | row | other


@dataclass
class Folder:
    """A small study in memory; ``write`` puts it into a directory. Good as it stands."""

    config: dict[str, Any] = field(default_factory=dict)
    twins: list[dict[str, str]] = field(default_factory=list)
    events: list[dict[str, str]] = field(default_factory=list)
    scenarios: list[dict[str, str]] = field(default_factory=list)
    vcfs: dict[str, str] = field(default_factory=dict)
    beside: dict[str, str] = field(default_factory=dict)

    @classmethod
    def good(cls) -> Folder:
        twins = [{"twin_id": f"T{i}", **TWIN, "sample": f"S{i}"} for i in range(1, 10)]
        events = [row for i in range(1, 10) for row in (dose(f"T{i}"), observation(f"T{i}", "4", "12.5"))]
        regimen = {"scenario": "qd20", "drug": "testdrug", "dose_mg": "20", "interval_h": "24", "n_doses": "7"}
        scenarios = [{**regimen, "route": "oral", "label": "20 mg once daily"}]
        paths = {"twins": "twins.tsv", "events": "events.tsv", "scenarios": "scenarios.tsv", "vcf_dir": "vcf"}
        config = {
            "study": "test",
            "drug": "drugs/testdrug.yaml",
            "paths": {**paths, "structure_calls": "", "published": "", "targets": ""},
            "genome": {"genes": list(GENES)},
            "sensitivity": {"scenario": "qd20"},
        }
        samples = [twin["sample"] for twin in twins]
        return cls(config, twins, events, scenarios, {"cohort.vcf": vcf_text(samples)})

    def write(self, folder: Path) -> None:
        (folder / "vcf").mkdir()
        (folder / "drugs").mkdir()
        (folder / "drugs" / "testdrug.yaml").write_text("name: testdrug\n")
        (folder / "my.yaml").write_text(yaml.safe_dump(self.config, sort_keys=False))
        for name in ("twins", "events", "scenarios"):
            rows = getattr(self, name)
            columns = list(dict.fromkeys(key for row in rows for key in row))
            lines = [columns, *([row.get(c, "") for c in columns] for row in rows)]
            (folder / f"{name}.tsv").write_text("".join("\t".join(line) + "\n" for line in lines))
        for name, text in self.vcfs.items():
            (folder / "vcf" / name).write_text(text)
        for name, text in self.beside.items():
            (folder / name).write_text(text)


def vcf_text(samples: list[str], build: str = "GRCh38", records: bool = True) -> str:
    """A VCF with one definition position a gene, all homozygous reference."""
    lengths = facts.fact_table("genes/contig_lengths.tsv")
    lines = ["##fileformat=VCFv4.2"]
    for row in lengths[lengths["build"] == build].to_dict("records"):
        lines.append(f"##contig=<ID={row['chrom']},length={row['length']}>")
    lines.append('##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">')
    lines.append("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples]))
    positions = facts.fact_table("genes/positions.tsv")
    order = list(lengths[lengths["build"] == build]["chrom"])
    positions = positions[positions["position_grch37"].notna()]
    first = [positions[positions["gene"] == gene].iloc[0] for gene in GENES]
    for row in sorted(first, key=lambda r: (order.index(r["chrom"]), r["position"])) if records else []:
        position = row["position" if build == "GRCh38" else "position_grch37"]
        alt = str(row["alts"]).split(",")[0]
        lines.append(
            "\t".join(
                [row["chrom"], str(position), ".", row["ref"], alt, ".", "PASS", ".", "GT", *["0|0"] * len(samples)]
            )
        )
    return "\n".join(lines) + "\n"


HEADER_ROW = 1 + vcf_text(["S"]).splitlines().index(next(x for x in vcf_text(["S"]).splitlines() if x[:2] == "#C"))


def missing_column(f: Folder) -> None:
    for row in f.scenarios:
        del row["interval_h"]


def sex_code(f: Folder) -> None:
    f.twins[0]["sex"] = "male"


def pounds_by_value(f: Folder) -> None:
    f.twins[1]["weight_kg"] = "230"


def pounds_in_cell(f: Folder) -> None:
    f.twins[2]["weight_kg"] = "165 lb"


def metres(f: Folder) -> None:
    f.twins[3]["height_cm"] = "1.7"


def swapped(f: Folder) -> None:
    f.twins[4] |= {"weight_kg": "170", "height_cm": "70"}


def twin_not_in_vcf(f: Folder) -> None:
    f.twins.append({"twin_id": "T10", **TWIN, "sample": "S10"})
    f.events.append(dose("T10"))


def vcf_sample_without_twin(f: Folder) -> None:
    f.vcfs["cohort.vcf"] = vcf_text([f"S{i}" for i in range(1, 10)] + ["S99"])


def length_of(chrom: str) -> tuple[str, str]:
    """Header lines of a contig on the two builds: GRCh38, GRCh37."""
    lengths = facts.fact_table("genes/contig_lengths.tsv")
    of = {r["build"]: r["length"] for r in lengths[lengths["chrom"] == chrom].to_dict("records")}
    return f"##contig=<ID={chrom},length={of['GRCh38']}>", f"##contig=<ID={chrom},length={of['GRCh37']}>"


def grch37(f: Folder) -> None:
    f.twins[5]["vcf"] = "old.vcf"
    f.vcfs["old.vcf"] = vcf_text(["S6"]).replace(*length_of("chr10"))
    _leave_cohort(f, "S6")


def empty_vcf(f: Folder) -> None:
    f.twins[6]["vcf"] = "empty.vcf"
    f.vcfs["empty.vcf"] = vcf_text(["S7"], records=False)
    _leave_cohort(f, "S7")


def _leave_cohort(f: Folder, sample: str) -> None:
    """Take a sample out of the cohort VCF, so that it is not an extra sample there."""
    names = next(line for line in f.vcfs["cohort.vcf"].splitlines() if line.startswith("#CHROM")).split("\t")[9:]
    f.vcfs["cohort.vcf"] = vcf_text([name for name in names if name != sample])


def vcf_file_missing(f: Folder) -> None:
    f.twins[7]["vcf"] = "nowhere.vcf"
    _leave_cohort(f, "S8")


def dose_without_amount(f: Folder) -> None:
    f.events[0]["dose_mg"] = ""


def time_not_numeric(f: Folder) -> None:
    f.events[2]["time_h"] = "08:00"


def duplicate_id(f: Folder) -> None:
    f.twins[8]["twin_id"] = "T1"
    f.events = [row for row in f.events if row["twin_id"] != "T9"]


def event_drug(f: Folder) -> None:
    f.events[5]["drug"] = "aspirin"


def scenario_drug(f: Folder) -> None:
    f.scenarios[0]["drug"] = "aspirin"


def config_drug(f: Folder) -> None:
    f.config["drug"] = "drugs/nothing.yaml"
    for row in f.events + f.scenarios:
        row["drug"] = "nothing" if row["drug"] == "testdrug" else row["drug"]


def config_key(f: Folder) -> None:
    f.config["fit"] = {"chain": 2}


def beside(key: str, name: str, text: str) -> Callable[[Folder], None]:
    """A file beside the VCFs, named in the config."""

    def spoil(f: Folder) -> None:
        f.beside[name] = text
        f.config["paths"][key] = [name] if key == "outside_files" else name

    return spoil


# name -> (what spoils the folder, file, row, column, value, rule, words of the message)
CASES: dict[str, tuple[Any, ...]] = {
    "missing column": (
        missing_column, "scenarios.tsv", 1, "interval_h", "", "scenarios.column_missing",
        "the column is missing - it holds the dosing interval - add the column interval_h in h"),
    "sex code": (
        sex_code, "twins.tsv", 2, "sex", "male", "twins.sex_code",
        "is not one of the codes M, F - organ volumes, blood flows and eGFR are tabulated for M and F, and a guess "
        "could swap them - write M if that is meant"),
    "weight in pounds, by value": (
        pounds_by_value, "twins.tsv", 3, "weight_kg", "230", "twins.weight_pounds",
        "looks like pounds: a body mass index of 80 kg/m2 as kg, of 36 as lb - organ sizes and blood flows scale with "
        "weight and height - write 104.3 if it is in pounds"),
    "weight in pounds, in the cell": (
        pounds_in_cell, "twins.tsv", 4, "weight_kg", "165 lb", "twins.unit_in_cell", "write 74.84 (165 lb in kg)"),
    "height in metres": (
        metres, "twins.tsv", 5, "height_cm", "1.7", "twins.height_metres",
        "looks like metres, not cm - organ sizes and blood flows scale with weight and height - write the height in "
        "cm: 170"),
    "weight and height swapped": (
        swapped, "twins.tsv", 6, "height_cm", "70", "twins.height_weight_swapped",
        "looks swapped with weight_kg (170)"),
    "twin not in VCF": (
        twin_not_in_vcf, "twins.tsv", 11, "sample", "S10", "vcf.sample_missing",
        "the VCF vcf/cohort.vcf has no such sample"),
    "VCF sample without twin": (
        vcf_sample_without_twin, "vcf/cohort.vcf", HEADER_ROW, "", "S99", "vcf.sample_extra",
        "1 samples belong to no twin"),
    "two builds": (
        grch37, "vcf/old.vcf", 0, "", "contigs of GRCh37 and GRCh38", "vcf.build_conflict", "one build a file"),
    "empty VCF": (empty_vcf, "vcf/empty.vcf", 0, "", "", "vcf.empty", "the file has a header but no records"),
    "VCF file missing": (
        vcf_file_missing, "twins.tsv", 9, "vcf", "nowhere.vcf", "vcf.file_missing",
        "the file vcf/nowhere.vcf does not exist - the twin's genotypes are read from it"),
    "dose without amount": (
        dose_without_amount, "events.tsv", 2, "dose_mg", "", "events.dose_missing",
        "a dose row without an amount - without it no concentration can be predicted - write the amount in mg"),
    "time not numeric": (
        time_not_numeric, "events.tsv", 4, "time_h", "08:00", "events.not_a_number",
        "is not a number - doses and samples are placed on one clock, in hours - write hours since the twin's first "
        "dose"),
    "duplicate id": (
        duplicate_id, "twins.tsv", 10, "twin_id", "T1", "twins.duplicate_id",
        "the twin_id of row 2 again - doses and samples could belong to row 2 or to row 10"),
    "unknown drug in events": (
        event_drug, "events.tsv", 7, "drug", "aspirin", "events.drug_unknown", "is not the configured drug"),
    "unknown drug in scenarios": (
        scenario_drug, "scenarios.tsv", 2, "drug", "aspirin", "scenarios.drug_unknown",
        "there is no drug file of this name - the regimen cannot be simulated - available drugs: "),
    "unknown drug in config": (
        config_drug, "my.yaml", 2, "drug", "drugs/nothing.yaml", "config.drug_unknown",
        "there is no such drug file - nothing is known of the drug - available drugs: "),
    "unknown config key": (
        config_key, "my.yaml", 0, "fit.chain", "", "config.unknown_key",
        "the key is not known - it would have no effect - did you mean fit.chains?"),
    "pedigree with too few fields": (
        beside("pedigree", "family.ped", "F1\tS1\tS2\n"), "family.ped", 1, "", "", "ped.columns",
        "3 fields - relatives decide phase, and a wrong one gives wrong haplotypes - write family"),
    "callable region upside down": (
        beside("callable", "regions.bed", "chr22\t1\t5\nchr22\t100\t50\n"), "regions.bed", 2, "", "", "bed.interval",
        "start is not below end - an absent record inside a callable region counts as reference"),
    "outside call of one allele": (
        beside("outside_files", "calls.tsv", "S1\tCYP2D6\t*1/*1\nS3\tCYP2D6\t*4\n"), "calls.tsv", 2, "", "",
        "outside.row", "CYP2D6: 1 alleles where two are needed - the call cannot be used"),
    "alignment that is not there": (
        beside("alignments", "reads.tsv", "sample\tbam\treference\nS1\tnowhere.bam\t\n"), "reads.tsv", 2, "", "",
        "reads.sheet", "the file nowhere.bam does not exist"),
}  # fmt: skip


def findings_of(folder: Path) -> list[Finding]:
    config, places, findings = load_config(["my.yaml"])
    return findings + (check_study(config, places=places) if config is not None else [])


def expect(found: list[Finding], printed: str, case: tuple[Any, ...]) -> None:
    _, file, row, column, value, rule, words = case
    if column == "fit.chain":  # its line depends on what else the config says
        row = 1 + Path(file).read_text().splitlines().index("  chain: 2")
    hits = [f for f in found if (f.file, f.row, f.column, f.rule) == (file, row, column, rule)]
    assert len(hits) == 1, f"expected one {rule} at {file}:{row} {column}; found:\n{printed}"
    assert hits[0].severity == "error" and hits[0].value == value
    place = f"{file}:{row}" if row else file
    where = f"{place} {column}".rstrip() + (f" [{value}]" if value else "")
    line = next(line for line in printed.splitlines() if line.startswith(f"{where} - ") and line.endswith(f"({rule})"))
    assert words in line


def run(folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    folder.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    return findings_of(tmp_path)


def test_good_input(tmp_path, monkeypatch, capsys):
    before = Folder.good()
    assert before.vcfs["cohort.vcf"].splitlines()[HEADER_ROW - 1].startswith("#CHROM")
    assert run(before, tmp_path, monkeypatch) == []
    files = sorted(tmp_path.rglob("*"))
    assert main(["check", "--configfile", "my.yaml"]) == 0
    assert capsys.readouterr().out == "0 errors, 0 warnings in 0 files\n"
    assert sorted(tmp_path.rglob("*")) == files, "a check writes nothing"


@pytest.mark.parametrize("name", CASES)
def test_one_mistake(name, tmp_path, monkeypatch, capsys):
    folder = Folder.good()
    CASES[name][0](folder)
    found = run(folder, tmp_path, monkeypatch)
    assert main(["check", "--configfile", "my.yaml"]) == 1
    expect(found, capsys.readouterr().out, CASES[name])
    assert [f.rule for f in found if f.severity == "error"] == [CASES[name][5]], "one mistake, one error"


def test_all_mistakes_in_one_run(tmp_path, monkeypatch, capsys):
    folder = Folder.good()
    vcf_sample_without_twin(folder)
    for name, case in CASES.items():
        if name != "VCF sample without twin":
            case[0](folder)
    found = run(folder, tmp_path, monkeypatch)
    assert main(["check", "--configfile", "my.yaml"]) == 1
    printed = capsys.readouterr().out
    for case in CASES.values():
        expect(found, printed, case)
    errors = [f for f in found if f.severity == "error"]
    copied = [f.column for f in found if f.severity == "warning"]  # the made-up twins are all alike
    assert {f.rule for f in found if f.severity == "warning"} == {"twins.copied_column"}
    assert printed.splitlines()[-1] == f"{len(errors)} errors, {len(copied)} warnings in 11 files"
    assert len(errors) == len(CASES)


def test_missing_column_hides_nothing_else_in_its_sheet(tmp_path, monkeypatch):
    folder = Folder.good()
    sex_code(folder)
    duplicate_id(folder)
    for row in folder.twins:
        row["wt"] = row.pop("weight_kg")
    found = run(folder, tmp_path, monkeypatch)
    assert [(f.rule, f.row, f.column) for f in found] == [
        ("twins.column_missing", 1, "weight_kg"),
        ("twins.sex_code", 2, "sex"),
        ("twins.duplicate_id", 10, "twin_id"),
    ]
    assert "is the column wt meant? name it weight_kg in kg" in found[0].fix


@pytest.mark.parametrize(
    ("text", "rule", "row"),
    [
        ("study: demo\n  paths: [\n", "config.yaml_syntax", 2),
        ("study: demo\n\tx: 1\n", "config.yaml_syntax", 2),
        ("- a\n- b\n", "config.not_mapping", 1),
        ("just words\n", "config.not_mapping", 1),
        (None, "config.file_missing", 0),
    ],
)
def test_unreadable_config(text, rule, row, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "my.yaml").write_text(text)
    assert main(["check", "--configfile", "my.yaml"]) == 1
    printed = capsys.readouterr().out
    assert f"({rule})" in printed and printed.endswith("1 error, 0 warnings in 1 file\n")
    assert f"my.yaml{f':{row}' if row else ''} - " in printed


def test_genotypes_never_appear(tmp_path, monkeypatch, capsys):
    folder = Folder.good()
    folder.config["paths"]["structure_calls"] = "calls.tsv"
    (tmp_path / "calls.tsv").write_text(
        "twin_id\tgene\tdiplotype\tmethod\tlabel\nT1\tCYP2D6\t*1xN/*4\tassay\tsynthetic\n"
    )
    found = run(folder, tmp_path, monkeypatch)
    assert [f.rule for f in found] == ["structure_calls.diplotype_form"]
    main(["check", "--configfile", "my.yaml"])
    assert "*4 " not in capsys.readouterr().out.replace("*1x2/*4 ", "")


def only(found: list[Finding], row: int) -> set[tuple[str, str, str]]:
    return {(f.column, f.rule, f.severity) for f in found if f.file == "twins.tsv" and f.row == row}


def test_every_cell_of_a_row_is_checked_in_one_run(tmp_path, monkeypatch):
    folder = Folder.good()
    folder.twins[0] |= {"sex": "male", "cystatin_c_mg_l": "0.9x", "conditions": "gout"}
    folder.twins[1] |= {"weight_kg": "70,5", "conditions": "ckd:G9", "height_cm": "160"}
    folder.twins[2] |= {"age_y": "0.25", "weight_kg": "6", "height_cm": "0.60", "creatinine_mg_dl": "20"}
    found = run(folder, tmp_path, monkeypatch)
    assert only(found, 2) == {
        ("sex", "twins.sex_code", "error"),
        ("cystatin_c_mg_l", "twins.not_a_number", "error"),
        ("conditions", "conditions.unknown", "error"),
    }
    assert only(found, 3) == {
        ("weight_kg", "twins.decimal_comma", "error"),
        ("conditions", "conditions.level", "error"),
    }
    assert {("height_cm", "twins.height_metres", "error"), ("creatinine_mg_dl", "kidney.creatinine_unit", "error")} <= (
        only(found, 4)
    )
    assert not [f for f in found if f.rule in ("body.imputed", "body.not_imputable")], "follows from a bad cell"


def test_values_are_shown_as_written_and_acceptable_errors_say_so(tmp_path, monkeypatch):
    folder = Folder.good()
    folder.twins[0] |= {"height_cm": "121.0", "weight_kg": "40"}
    folder.twins[1] |= {"height_cm": "121", "weight_kg": "40", "accept": "body.extreme"}
    folder.twins[2] |= {"height_cm": "110", "weight_kg": "38", "accept": "twins.adult_size"}
    found = [f for f in run(folder, tmp_path, monkeypatch) if f.column == "height_cm"]
    assert [(f.row, f.value, f.rule, f.severity) for f in found] == [
        (2, "121.0", "body.extreme", "error"),
        (3, "121", "body.extreme", "note"),
        (4, "110", "twins.adult_size", "note"),
    ]
    assert "put body.extreme into the column accept" in found[0].fix


def test_extra_samples_as_a_warning_name_the_key_only_where_it_helps(tmp_path, monkeypatch):
    folder = Folder.good()
    vcf_sample_without_twin(folder)
    (error,) = run(folder, tmp_path, monkeypatch)
    assert "genome.extra_samples: warning" in error.fix
    (tmp_path / "my.yaml").write_text(
        (tmp_path / "my.yaml").read_text().replace("genome:", "genome:\n  extra_samples: warning")
    )
    (warning,) = findings_of(tmp_path)
    assert warning.severity == "warning" and "warning" not in warning.fix


def test_a_drawn_cohort_is_a_valid_sheet(tmp_path, monkeypatch):
    folder = Folder.good()
    folder.config["paths"]["events"] = ""
    folder.config |= {"fit": {"enabled": False}, "data_kind": "synthetic"}
    folder.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    words = ["cohort", "--n", "20", "--age", "20-60", "--filter", "bmi=19-35", "--genes", "CYP2D6"]
    assert main([*words, "--out", "twins.tsv"]) == 0
    found = findings_of(tmp_path)
    assert {(f.rule, f.column, f.severity) for f in found} == {
        ("sheet.comment", "", "note"),
        ("twins.column_unknown", "survey_weight", "note"),
        ("twins.column_unknown", "CYP2D6", "note"),
        ("twins.no_vcf", "vcf", "warning"),
    }
