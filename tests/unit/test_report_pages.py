"""The report: complete, offline, escaped, deterministic, and honest about what did not run."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pandas as pd
import pytest
from evaluation_fixture import evaluation_tables
from page_fixture import cohort
from report_fixture import make_inputs, make_tables

from pharmtwin.facts import resource_path, sha256_file
from pharmtwin.report import ReportInputs, build_report
from pharmtwin.report.budgets import over_budget
from pharmtwin.report.index import STAGES
from pharmtwin.report.words import page_name
from pharmtwin.tables import TableError

BUNDLE = re.compile(r"/\* bundle begins \*/.*?/\* bundle ends \*/", re.S)
SECTIONS = [
    "cohort",
    "genotypes",
    "exposure",
    "fit",
    "accuracy",
    "published",
    "sensitivity",
    "limits",
    "checks",
    "findings",
    "methods",
]


COHORT = ["index.html", *(f"{key}.html" for key in STAGES)]


@pytest.fixture(scope="module")
def inputs() -> ReportInputs:
    tables = make_tables()
    return make_inputs(tables, **evaluation_tables(tables))


@pytest.fixture(scope="module")
def pages(inputs: ReportInputs) -> dict[str, str]:
    return build_report(inputs)


@pytest.fixture(scope="module")
def small() -> dict[str, Any]:
    """Tables of six twins, one of them fitted."""
    return make_tables(6, 1)


def own(page: str) -> str:
    """The page without the vendored figure library."""
    return BUNDLE.sub("", page)


def test_one_index_and_a_page_for_every_fitted_twin(pages: dict[str, str]) -> None:
    assert sorted(pages) == sorted([*COHORT, *(f"twins/PT-{i:04d}.html" for i in range(1, 13))])


def test_twin_pages_can_be_left_out_without_dangling_links(small: dict[str, Any]) -> None:
    built = build_report(make_inputs(small, twin_pages="none"))
    assert list(built) == COHORT and 'href="twins/' not in own(cohort(built))


def test_index_has_every_section_and_the_answer_first(pages: dict[str, str], inputs: ReportInputs) -> None:
    text = own(cohort(pages))
    for section in SECTIONS:
        assert f'<section id="{section}">' in text
    assert text.index("has the lowest error") < text.index('<section id="cohort">')
    for model in ("Population", "Covariates", "Twin"):
        assert f"{model}<small>" in text
    assert 'href="twins/PT-0001.html"' in text


def test_synthetic_data_are_unmistakable_on_every_page(pages: dict[str, str]) -> None:
    assert all("SYNTHETIC DATA" in own(p) for p in pages.values())


def test_failures_and_warnings_stand_above_the_first_number(pages: dict[str, str]) -> None:
    top = own(cohort(pages)).split('<section id="cohort">')[0]
    assert "6 of 52\u202f800 solves failed, in 1 twin" in top
    assert "max_treedepth_hits = 4 (limit: at most 0)" in top and "1 warning" in top


def test_nothing_is_loaded_from_anywhere(pages: dict[str, str]) -> None:
    for page in pages.values():
        text = own(page)
        for target in re.findall(r"""(?:src|href|action|data)\s*=\s*["']([^"']*)""", text):
            assert target.startswith(("#", "data:", "twins/", "../index.html")) or target in COHORT, target
        assert not re.findall(r"url\(|@import|fetch\(|XMLHttpRequest|import\(", text)
        assert "default-src 'none'" in text
        assert page.count("/* bundle begins */") == 1


def test_every_figure_has_a_table_and_alternative_text(pages: dict[str, str]) -> None:
    for page in pages.values():
        figures = re.findall(r"<figure.*?</figure>", own(page), re.S)
        assert figures
        for figure in figures:
            assert "<table" in figure and re.search(r'role="img" aria-label="[^"]{20,}', figure)
    found = re.findall(r'id="figures">(.*?)</script>', cohort(pages), re.S)
    drawn = [c for text in found for c in json.loads(text)["charts"].values()]
    assert {t["type"] for c in drawn for p in c["panels"] for t in p["data"]} == {"scatter", "bar"}


def test_pages_are_small(pages: dict[str, str]) -> None:
    assert [fault for name, text in pages.items() for fault in over_budget(name, len(text.encode()))] == []
    assert over_budget("twins/a.html", 1_600_001) and not over_budget("index.html", 1_600_001)
    assert over_budget("fit.html", 3_000_001)


def test_equal_inputs_give_equal_bytes_whatever_the_row_order(pages: dict[str, str]) -> None:
    tables = make_tables()
    tables |= evaluation_tables(tables)
    shuffled = {k: v.sample(frac=1, random_state=1) for k, v in tables.items() if k != "scenarios"}
    again = build_report(make_inputs({**tables, **shuffled}))
    assert {k: hashlib.sha256(v.encode()).hexdigest() for k, v in again.items()} == {
        k: hashlib.sha256(v.encode()).hexdigest() for k, v in pages.items()
    }


def test_no_folder_of_the_machine_is_shown(pages: dict[str, str]) -> None:
    text = own(cohort(pages))
    assert "/home/someone" not in text and "…/cohort.vcf.gz" in text


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (["fit_summary", "fit_diagnostics", "fit_twins", "fit_genotype"], "The fit did not run"),
        (["morris", "sobol"], "The sensitivity stage did not run"),
        (["sobol"], "Sobol did not run"),
        (["published"], "No published profiles were compared"),
        (["predictions"], "no predictive check"),
        (["accuracy"], "The evaluation stage did not run"),
        (["exposure"], "The simulation stage did not run"),
        (["genotype"], "no gene was called"),
        (["covariates", "body"], "No covariates were handed to the report"),
        (["findings"], "every check of the input passed"),
        (["profiles"], "What this does not claim"),
    ],
)
def test_a_missing_stage_is_said(missing: list[str], said: str, small: dict[str, Any]) -> None:
    kept = make_inputs(small, **{name: None for name in missing})
    assert said in own(cohort(build_report(kept)))


def test_an_empty_study_still_has_a_page() -> None:
    text = cohort(build_report(ReportInputs.create(study="empty", drug="none", data_kind="real")))
    assert "REAL DATA" in text and "SYNTHETIC DATA" not in text


def test_sensitivity_says_what_to_measure_and_draws_five_figures(pages: dict[str, str]) -> None:
    text = own(cohort(pages))
    for figure in ("tornado", "sobol", "sobol-course", "sobol-convergence", "morris"):
        assert f'id="{figure}"' in text or f'id="chart-{figure}"' in text or f'"{figure}"' in text, figure
    assert "What to measure next" in text and "knowing it would take away 52" in text
    assert "What may be fixed" in text and "solved by CVODE" in text and "Second-order indices" in text
    assert "Base blocks N" in text and "Uncertain inputs" in text


def test_sensitivity_inputs_are_escaped_in_every_figure(small: dict[str, Any]) -> None:
    names = ("morris", "sobol", "sobol_convergence", "sobol_course", "tornado", "sensitivity_inputs")
    changed = {n: small[n].assign(input=small[n]["input"] + EVIL) for n in names}
    changed["sensitivity_advice"] = small["sensitivity_advice"].assign(text=EVIL)
    text = own(cohort(build_report(make_inputs(small, **changed))))
    assert "<script>alert" not in text and "<b onmouseover" not in text


EVIL = "<script>alert(1)</script><b onmouseover=x>'\"&"


def test_user_strings_are_escaped(small: dict[str, Any]) -> None:
    def rename(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(twin_id=frame["twin_id"].replace("PT-0001", EVIL)) if "twin_id" in frame else frame

    changes: dict[str, Any] = {k: rename(v) for k, v in small.items()}
    for name, column in (("findings", "what"), ("published", "group"), ("morris", "input"), ("sobol", "input")):
        changes[name] = changes[name].assign(**{column: changes[name][column] + EVIL})
    changes["genotype"]["phenotype"] += EVIL
    built = build_report(make_inputs(changes, study=EVIL, drug=EVIL, versions={EVIL: EVIL}, config={EVIL: EVIL}))
    assert sorted(built) == sorted([*COHORT, f"twins/{page_name(EVIL)}"])
    for name, page in built.items():
        text = own(page)
        assert "<script>alert" not in text and "<b onmouseover" not in text
        assert text.count("<script") == (2 if name == "evaluation.html" else 3) and "&lt;script&gt;alert(1)" in text


def test_page_names_are_safe_and_distinct() -> None:
    assert page_name("PT-1") == "PT-1.html"
    names = {page_name(t) for t in ("a/b", "a b", "a_b", "../a", ".a")}
    assert len(names) == 5 and not any("/" in n or n.startswith(".") for n in names)


def test_inputs_are_checked() -> None:
    with pytest.raises(ValueError, match="data_kind"):
        ReportInputs.create(study="s", drug="d", data_kind="imagined")
    with pytest.raises(TableError):
        ReportInputs.create(study="s", drug="d", data_kind="real", morris=pd.DataFrame({"x": [1]}))


def test_the_figure_library_is_the_one_its_readme_names() -> None:
    digest = sha256_file(resource_path("report/plotly-basic.min.js"))
    assert digest in resource_path("report/README.md").read_text(encoding="utf-8")
