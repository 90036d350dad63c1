"""Virtual people: shares, limits, determinism, order independence; raking and genotypes with known answers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pharmtwin import cli
from pharmtwin.body.kidney.function import gfr
from pharmtwin.body.people.cohort import FILTERS, cohort
from pharmtwin.body.people.raking import rake
from pharmtwin.cohorts.genotypes import draw_genotypes, haplotype_frequencies
from pharmtwin.genome.definitions import GENES


def test_the_same_seed_draws_the_same_people_whatever_the_size() -> None:
    small, large = cohort(40, 5).people, cohort(300, 5).people
    pd.testing.assert_frame_equal(small, large.iloc[:40])
    assert not small["weight_kg"].equals(cohort(40, 6).people["weight_kg"])


def test_filters_do_not_change_people_who_meet_them() -> None:
    free, held = cohort(200, 5).people, cohort(200, 5, filters={"weight_kg": (40, 90)}).people
    at = free["weight_kg"].between(40, 90)
    assert 0.4 < at.mean() < 0.9
    pd.testing.assert_frame_equal(free[at], held[at])
    assert held["weight_kg"].between(40, 90).all()


def test_ten_thousand_people_of_all_ages_in_seconds() -> None:
    start = time.perf_counter()
    people = cohort(10_000, 1, age=(0, 95), ages="uniform").people
    assert time.perf_counter() - start < 10
    assert people.notna().all(axis=None) and people["twin_id"].is_unique
    counts = np.histogram(people["age_y"], bins=np.linspace(0, 95, 20))[0]
    assert counts.min() > 0.85 * counts.mean() and counts.max() < 1.15 * counts.mean()


def test_shares_of_sex_and_ancestry_stay_under_filters() -> None:
    mix = {"EAS": 0.25, "AFR": 0.75}
    made = cohort(4000, 2, age=(30, 60), female_share=0.3, ancestry=mix, filters={"bmi": (18.5, 25)})
    assert (made.people["sex"] == "F").mean() == pytest.approx(0.3, abs=0.025)
    assert (made.people["ancestry"] == "AFR").mean() == pytest.approx(0.75, abs=0.025)
    bmi = made.people["weight_kg"] / (made.people["height_cm"] / 100) ** 2
    assert bmi.between(18.5, 25).all()
    assert 0.1 < made.acceptance < 0.5
    drawn = round(4000 / made.acceptance)
    assert made.rejected["bmi"] + made.rejected["limits"] == drawn - 4000


def test_renal_function_can_be_asked_for() -> None:
    made = cohort(300, 3, age=(50, 80), filters={"egfr": (15, 60)})
    p = made.people
    female = (p["sex"] == "F").to_numpy()
    by = gfr(p["age_y"], female, p["weight_kg"], p["height_cm"], creatinine_mg_dl=p["creatinine_mg_dl"])
    assert ((by.indexed >= 15) & (by.indexed <= 60)).all()


def test_groups_differ_as_in_the_survey() -> None:
    def mean(code: str, column: str) -> float:
        return float(cohort(2000, 4, age=(20, 60), female_share=0, ancestry={code: 1}).people[column].mean())

    assert mean("EUR", "height_cm") - mean("AMR", "height_cm") == pytest.approx(6.5, abs=2)
    assert mean("AFR", "creatinine_mg_dl") > 1.05 * mean("EUR", "creatinine_mg_dl")


def test_a_cohort_says_what_it_does_not_know() -> None:
    notes = " ".join(cohort(5, 1, age=(0, 95)).notes)
    for word in ("Above 80 years", "below 12 years", "born at term", "no real person"):
        assert word in notes
    assert "below 12" not in " ".join(cohort(5, 1).notes)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"age": (60, 20)}, "age must go up"),
        ({"age": (20, 130)}, "within 0-95"),
        ({"female_share": 1.2}, "female_share"),
        ({"ancestry": {"XYZ": 1.0}}, "ancestry needs shares"),
        ({"filters": {"shoe": (1, 2)}}, "filter shoe"),
        ({"filters": {"bmi": (30, 20)}}, "goes up"),
        ({"children": "none"}, "survey or charts"),
        ({"filters": {"height_cm": (250, 260)}}, "in none of"),
    ],
)
def test_impossible_requests_are_refused(request_: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        cohort(2, 1, **request_)


def test_raking_shares_is_iterative_proportional_fitting() -> None:
    """2 x 2 table 10 20 / 30 40 to margins 0.5, 0.5 and 0.6, 0.4: fitted here by alternating scaling."""
    table = np.array([[10.0, 20.0], [30.0, 40.0]])
    fitted = table / table.sum()
    for _ in range(500):
        fitted *= np.array([[0.5], [0.5]]) / fitted.sum(axis=1, keepdims=True)
        fitted *= np.array([[0.6, 0.4]]) / fitted.sum(axis=0, keepdims=True)
    rows = pd.DataFrame({"a": list("xxyy"), "b": list("uvuv"), "weight": table.ravel()})
    done = rake(rows, {"a": {"x": 0.5, "y": 0.5}, "b": {"u": 0.6, "v": 0.4}})
    np.testing.assert_allclose(done.weights / done.weights.sum(), fitted.ravel(), atol=1e-9)
    np.testing.assert_allclose(done.table["reached"], [0.5, 0.5, 0.6, 0.4], atol=1e-8)
    assert done.effective_n == pytest.approx(1 / (fitted**2).sum())


def test_raking_a_normal_shifts_it() -> None:
    """Tilting N(0,1) to mean 0.5 and sd 1 gives weights exp(0.5 x - 0.125)."""
    x = np.random.default_rng(1).standard_normal(200_000)
    done = rake(pd.DataFrame({"x": x}), {"x": (0.5, 1.0)})
    at = np.abs(x) < 2
    np.testing.assert_allclose(done.weights[at], np.exp(0.5 * x - 0.125)[at], rtol=0.05)
    assert done.effective_n / 200_000 == pytest.approx(np.exp(-0.25), rel=0.02)
    assert done.largest_deviation < 1e-9


def test_raking_to_what_is_already_so_changes_nothing() -> None:
    people = cohort(500, 1).people
    age = people["age_y"].to_numpy(dtype=float)
    done = rake(people, {"age_y": (float(age.mean()), float(age.std()))})
    np.testing.assert_allclose(done.weights, 1.0, atol=1e-8)
    assert done.effective_n == pytest.approx(500) and done.n_trimmed == 0


def test_raked_cohort_meets_a_table_of_a_trial() -> None:
    people = cohort(5000, 1, age=(18, 80)).people
    targets = {"sex": {"F": 0.45, "M": 0.55}, "age_y": (56.0, 10.0), "weight_kg": (92.0, None)}
    done = rake(people, targets)
    np.testing.assert_allclose(done.table["reached"], done.table["target"], rtol=1e-6)
    assert 500 < done.effective_n < 5000
    capped = rake(people, targets, trim=3.0)
    assert capped.n_trimmed > 0 and capped.weights.max() <= 3.0 + 1e-6
    assert done.weights.max() > 3.0 and capped.effective_n > done.effective_n


def test_a_category_without_share_gets_no_weight() -> None:
    people = cohort(400, 1).people
    done = rake(people, {"sex": {"F": 1.0, "M": 0.0}})
    assert (done.weights[people["sex"] == "M"] == 0).all()


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ({"age_y": (120.0, None)}, "out of reach"),
        ({"age_y": (50.0, 60.0)}, "out of reach"),
        ({"sex": {"F": 0.5, "X": 0.5}}, "nobody has"),
        ({"sex": {"F": 0.5}}, "sum to 1"),
        ({"nothing": (1.0, None)}, "missing"),
        ({"age_y": (79.7, None)}, "out of reach of this cohort"),
        ({"age_y": (20.0, None), "old": {"no": 0.05, "yes": 0.95}}, "together|out of reach"),
    ],
)
def test_targets_out_of_reach_are_refused(targets: dict, words: str) -> None:
    people = cohort(500, 1).people
    people["old"] = np.where(people["age_y"] > 40, "yes", "no")
    with pytest.raises(ValueError, match=words):
        rake(people, targets)


def test_genotypes_follow_the_frequencies_of_the_ancestry() -> None:
    people = cohort(3000, 1, ancestry={"EUR": 0.5, "EAS": 0.5}).people
    drawn = draw_genotypes(people, 1, ["CYP2D6"])
    for code in ("EUR", "EAS"):
        names, share = haplotype_frequencies("CYP2D6", code)
        alleles = drawn["CYP2D6"][people["ancestry"] == code].str.split("/").explode()
        for name, p in sorted(zip(names, share), key=lambda x: -x[1])[:6]:
            sd = np.sqrt(p * (1 - p) / len(alleles))
            assert (alleles == name).mean() == pytest.approx(p, abs=4.5 * sd)
        assert sum(share) == pytest.approx(1.0)
    structures = drawn["CYP2D6"].str.contains(r"x\d|\+|\*5(?:/|$)", regex=True)
    assert structures[people["ancestry"] == "EAS"].mean() > 0.3  # *36+*10


def test_genotypes_do_not_depend_on_what_else_is_drawn() -> None:
    people = cohort(60, 1).people
    one = draw_genotypes(people, 9, ["CYP2C19"])
    many = draw_genotypes(people.iloc[::-1], 9, ["CYP2D6", "CYP2C19", "TPMT"]).iloc[::-1].reset_index(drop=True)
    assert one["CYP2C19"].tolist() == many["CYP2C19"].tolist()


def test_a_man_has_one_x_chromosome_and_pooled_means_all_panels() -> None:
    people = cohort(200, 1, ancestry={"": 1.0}).people
    drawn = draw_genotypes(people, 1, list(GENES))
    two = drawn["G6PD"].str.contains("/")
    assert (two == (people["sex"] == "F")).all()
    assert drawn["CYP2D6"].str.contains("/").all()
    with pytest.raises(KeyError, match="unknown genes"):
        draw_genotypes(people, 1, ["CYP9X9"])


def test_the_command_writes_a_sheet_labelled_synthetic(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "people.tsv"
    words = ["cohort", "--n", "20", "--age", "18-65", "--filter", "bmi=18.5-35", "--ancestry", "EUR=1"]
    assert cli.main([*words, "--genes", "CYP2D6", "--out", str(out)]) == 0
    table = pd.read_csv(out, sep="\t", comment="#")
    assert table[["vcf", "sample"]].isna().all(axis=None) and (table["survey_weight"] == 1).all()
    assert len(table) == 20 and (table["label"] == "synthetic").all() and (table["ancestry"] == "EUR").all()
    assert table["CYP2D6"].str.match(r"\*").all() and table["age_y"].between(18, 65).all()
    assert out.read_text().startswith("# SYNTHETIC")
    assert "no real person" in capsys.readouterr().out
    assert cli.main(["cohort", "--age", "65-18", "--out", str(out)]) == 1
    assert "age must go up" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--age", "40"], "--age 40: write FROM-TO"),
        (["--age", "x-50"], "--age x-50: write FROM-TO"),
        (["--filter", "bmi=30"], "--filter bmi=30: write COLUMN=FROM-TO"),
        (["--filter", "bmi"], "--filter bmi: write COLUMN=FROM-TO"),
        (["--ancestry", "EUR"], "--ancestry EUR: write ANCESTRY=SHARE"),
    ],
)
def test_what_the_command_cannot_read_is_said_in_its_words(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "people.tsv"
    assert cli.main(["cohort", "--n", "2", *words, "--out", str(out)]) == 1
    assert said in capsys.readouterr().err and not out.exists()


def test_no_folder_is_made_for_a_cohort(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cohort", "--n", "2", "--out", str(tmp_path / "new" / "x.tsv")]) == 1
    assert "there is no folder" in capsys.readouterr().err and not (tmp_path / "new").exists()


def test_shares_that_are_scaled_and_groups_that_are_shared_are_said() -> None:
    assert "add up to 1.2" in " ".join(cohort(3, 1, ancestry={"EUR": 0.7, "AFR": 0.5}).notes)
    notes = " ".join(cohort(3, 1, ancestry={"EAS": 0.5, "SAS": 0.5}).notes)
    assert "EAS and SAS" in notes and "add up" not in notes
    assert "alike" not in " ".join(cohort(3, 1, ancestry={"EUR": 1.0}).notes)


def test_help_names_filters_and_seed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["cohort", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for word in (*FILTERS, "default 1)"):
        assert word in text


def test_a_closed_pipe_ends_the_command_quietly(tmp_path: Path) -> None:
    """The reader is gone before the first line: no traceback, the exit code of SIGPIPE."""
    code = "import sys; from pharmtwin import cli; sys.exit(cli.main(sys.argv[1:]))"
    read, write = os.pipe()
    os.close(read)
    words = [sys.executable, "-c", code, "cohort", "--n", "2", "--out", str(tmp_path / "x.tsv")]
    done = subprocess.run(words, stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert done.returncode == 141 and done.stderr == ""
