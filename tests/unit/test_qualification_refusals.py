"""Plans and reference tables that cannot be used are refused in words, all at once; nothing to judge is no error."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
from qualification_drugs import body, compound, linear, make_drug

from pharmtwin.qualification.command import main, panels, report, write_tables
from pharmtwin.qualification.fitting.command import main as fit_main
from pharmtwin.qualification.judging.criteria import criteria
from pharmtwin.qualification.judging.page import body as page_body
from pharmtwin.qualification.plan import PlanError, read_plan
from pharmtwin.qualification.reading.columns import COLUMNS, TableError
from pharmtwin.qualification.reading.names import assumed
from pharmtwin.qualification.reading.tables import read_studies
from pharmtwin.qualification.simulation.everything import run
from pharmtwin.qualification.simulation.questions import World
from pharmtwin.qualification.study import Studies

# ---- plans

SPREAD = "".join(
    f"  {name}: {{value: 0.3, unit: '1', source: s}}\n"
    for name in ("within_genotype", "transporter", "gfr", "ratio_studies", "ratio_studies_cmax", "company", "turnover",
                 "few", "people")
)  # fmt: skip
FITTED = "    fitted: [{value: absorption.Peff, prior_sd: 0.5}]\n"
GOOD = f"acid_suppressants: [omeprazole_S]\nspread:\n{SPREAD}drugs:\n  midazolam:\n    files: [midazolam]\n{FITTED}"


def said(folder: Path, content: str | bytes) -> str:
    """What is said of a plan that is refused."""
    file = folder / "plan.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(PlanError) as error:
        read_plan(file)
    return str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("drugs: [\n", "line 2: is not valid YAML"),
        ("- a\n- b\n", "the plan: is not a mapping"),
        ("only words", "the plan: is not a mapping"),
        ("", "spread.gfr: needs value"),
        (b"\x89PNG\xff\xfe\x00", "is not a text file in UTF-8"),
        ("drugs: &d\n  a: *d\n", "aliases repeat one another"),
        ("drugs: " + "[" * 2000 + "]" * 2000, "nested too deeply"),
    ],
)
def test_what_is_no_plan_is_said(tmp_path: Path, content: str | bytes, words: str) -> None:
    assert words in said(tmp_path, content)


def test_keys_that_stand_twice_are_named_with_their_lines(tmp_path: Path) -> None:
    text = GOOD + FITTED + "  midazolam: {}\nspread: {}\n"
    told = said(tmp_path, text)
    for key in ("drugs.midazolam.fitted", "drugs.midazolam", "spread"):
        (line,) = re.findall(rf"line (\d+): {key} the key stands twice, in line (\d+) again", told)
        last = key.rpartition(".")[2]
        assert all(text.splitlines()[int(row) - 1].strip().startswith(f"{last}:") for row in line), (key, line)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[omeprazole_S]", "omeprazole_S", "acid_suppressants: needs a list"),
        ("files: [midazolam]", "files: midazolam", "drugs.midazolam.files: needs a list"),
        ("files: [midazolam]", "building: {studies: Olkkola 1993}", "drugs.midazolam.building.studies: needs a list"),
        ("files: [midazolam]", "building: [m_1]", "drugs.midazolam.building: is not a mapping"),
        ("fitted: [{value: absorption.Peff, prior_sd: 0.5}]", "fitted: 3", "drugs.midazolam.fitted: needs a list"),
        ("{value: absorption.Peff, prior_sd: 0.5}", "absorption.Peff", "drugs.midazolam.fitted.0: is not a mapping"),
        ("prior_sd: 0.5", "prior_sd: .nan", "drugs.midazolam.fitted.0: needs value"),
        ("gfr: {value: 0.3", "gfr: {value: .nan", "spread.gfr: needs value"),
        ("drugs:\n", "peer_profiles: {midazolam: 1.7}\ndrugs:\n", "peer_profiles.midazolam: needs value"),
        ("  midazolam:\n", "  midazolam: 3\n  other:\n", "drugs.midazolam: is not a mapping"),
    ],
)
def test_a_plan_of_another_shape_is_said(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert GOOD.count(old) == 1
    (tmp_path / "plan.yaml").write_text(GOOD, encoding="utf-8")
    assert read_plan(tmp_path / "plan.yaml").entries["midazolam"].fitted
    assert words in said(tmp_path, GOOD.replace(old, new))


# ---- reference tables

PAIR = {"study": "C 2002", "analyte": "Paroxetine", "route": "PO", "dose_mg": "40", "t_end_h": "96",
        "contrast": "PM/NM", "obs_aucr": "3", "obs_cmaxr": "2", "osp_pred_aucr": "2.5"}  # fmt: skip
SET = {"drug": "paroxetine", "analyte": "Paroxetine", "study": "C (2002)", "route": "PO", "dose": "40 mg",
       "matrix": "Plasma", "dimension": "Concentration (mass)", "gene": "CYP2D6", "population": "European"}  # fmt: skip
INTERACTION = {
    "Study ID": "D 2003", "Victim": "Novel", "Perpetrator": "Paroxetine", "Route Victim": "PO", "t Unit": "h",
    "Route Perpetrator": "PO", "AUCR Avg": "4", "t_placebo_0": "0", "t_placebo_end": "inf", "t_treatment_0": "50",
    "t_treatment_end": "inf", "Dose": "20", "Dose Unit": "mg", "Times of Administration": "S0-T24-R4",
    "Grouping": "Novel PO 5 mg with paroxetine",
}  # fmt: skip
GROUPS = {"pm": "PM", "nm": "EM"}
TABLES: dict[str, list[dict[str, str]]] = {
    "osp_datasets": [{**SET, "dataset_id": i, "genotype_or_phenotype": g} for i, g in GROUPS.items()],
    "osp_doses": [{"dataset_id": i, "compound": "Paroxetine", "time_h": "0", "dose": "40", "dose_unit": "mg",
                   "application": "Oral"} for i in GROUPS],
    "osp_profiles": [{"dataset_id": i, "time_h": h, "conc_ug_per_L": "5"} for i in GROUPS for h in ("1", "96")],
    "cyp2d6_genotype_ratios": [{**PAIR, "data_id": "1"}],
    "osp_cyp2d6_dgi_ratios": [{**PAIR, "data_id": "2", "study": "E 2004"}],
    "derived_group_ratios": [{"analyte": "Paroxetine", "reference": "EM", "test": "PM", "ref_id": "nm", "test_id": "pm",
                              "t_last_h": "96", "auc_ratio": "3"}],
    "osp_ddi_pred_vs_obs": [{**INTERACTION, "network": "CYP2D6-DDI", "data_id": "7"}],
    "osp_ddi_ratios_raw": [{**INTERACTION, "ID": "7"}, {**INTERACTION, "ID": "8"}],
}  # fmt: skip


def write(folder: Path, without: Mapping[str, tuple[str, ...]] | None = None) -> None:
    """All tables with the columns of COLUMNS and no other, less some."""
    assert TABLES.keys() == COLUMNS.keys()
    for name, rows in TABLES.items():
        columns = [c for c in COLUMNS[name] if c not in (without or {}).get(name, ())]
        pd.DataFrame(rows, columns=columns).to_csv(folder / f"{name}.csv", index=False)


def test_the_columns_that_are_asked_for_suffice(tmp_path: Path) -> None:
    write(tmp_path)
    found = read_studies(tmp_path, assumed(["paroxetine", "novel"]))
    assert not found.left_out and [p.id for p in found.profiles] == ["pm", "nm"]
    assert [r.id for r in found.ratios] == ["1", "2", "pm/nm", "7", "8"]


def test_every_missing_column_of_every_table_is_named_at_once(tmp_path: Path) -> None:
    write(tmp_path, {name: (columns[0], columns[-1]) for name, columns in COLUMNS.items()})
    with pytest.raises(TableError) as error:
        read_studies(tmp_path, assumed([]))
    lines = str(error.value).splitlines()[1:]
    assert lines == [f"{name}.csv: no column {c[0]}, {c[-1]}" for name, c in COLUMNS.items()]


@pytest.mark.parametrize("content", [b"", b"\x89PNG\xff\xfe", b'a,b\n1,2\n3,"4\n'])
def test_a_table_that_is_no_csv_is_named_beside_the_others(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, {"osp_profiles": ("error",)})
    (tmp_path / "osp_doses.csv").write_bytes(content)
    with pytest.raises(
        TableError, match=r"(?s)osp_doses.csv: cannot be read as CSV.*osp_profiles.csv: no column error"
    ):
        read_studies(tmp_path, assumed([]))


# ---- the commands


@pytest.fixture
def told(tmp_path: Path) -> list[str]:
    """Options of a small world: a racemate and reference tables."""
    library, data = tmp_path / "drugs", tmp_path / "data"
    library.mkdir()
    data.mkdir()
    for name in ("novel_R", "novel_S"):
        make_drug(library, name, **{name: compound(metabolism=[linear(3.0)])})
    write(data)
    return ["--data", str(data), "--library", str(library)]


def test_the_commands_refuse_in_words(tmp_path: Path, told: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    qualify = [*told, "--out", str(tmp_path / "out"), "--workers", "1", "--draws", "0"]
    assert main([*qualify, "--drug", "novell", "novel"]) == 1
    assert capsys.readouterr().err == "qualify: no drug file novell; there are novel_R, novel_S\n"
    plan = tmp_path / "plan.yaml"
    plan.write_text("drugs: [\n", encoding="utf-8")
    assert main([*qualify, "--plan", str(plan)]) == 1 and "qualify: plan.yaml: line 2" in capsys.readouterr().err
    assert fit_main(["x", *told, "--plan", str(plan)]) == 1 and "fit: plan.yaml: line 2" in capsys.readouterr().err
    write(tmp_path / "data", {"osp_doses": ("dose_unit",), "osp_datasets": ("sex", "n")})
    for run_it in (lambda: main(qualify), lambda: fit_main(["midazolam", *told])):
        assert run_it() == 1
        err = capsys.readouterr().err
        assert "osp_doses.csv: no column dose_unit" in err and "osp_datasets.csv: no column n, sex" in err
    assert not (tmp_path / "out").exists()


def test_a_selection_without_rows_is_a_run_without_figures(
    tmp_path: Path, told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out, page = tmp_path / "out", tmp_path / "page.md"
    page.write_text("<!-- written by pharmtwin qualify: begin -->\n<!-- written by pharmtwin qualify: end -->\n")
    asked = ["--drug", "novel", "--use-case", "genotype", "--draws", "10", "--workers", "1", "--page", str(page)]
    assert main([*told, "--out", str(out), *asked]) == 0
    assert "(none)" in capsys.readouterr().out
    table = pd.read_csv(out / "criteria.tsv", sep="\t")
    assert len(table) > 10 and table["met"].isna().all()
    text = page.read_text(encoding="utf-8")
    assert "## Criteria" in text and "**not met**" not in text and "| met |" not in text
    assert main([*told, "--out", str(out), *asked[:-2], "--gate"]) == 0  # nothing is not met


def test_no_row_at_all_has_criteria_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = read_plan()
    result = run(Studies((), (), ()), (), World({}, body), plan, draws=0, workers=1)
    lines = criteria(result, plan, {})
    assert lines and all(line.met is None and math.isnan(line.value) for line in lines)
    assert all(line.text().startswith("-") for line in lines)
    text = page_body(result, plan, {}, {})
    assert "0 rows" in text and "## Rows outside the limits, explained\n\nNone." in text
    assert panels(result) == {}
    write_tables(result, tmp_path)
    report(result)
    assert "Not simulated: 0 rows" in capsys.readouterr().out and (tmp_path / "ratios.tsv").is_file()
