"""``pharmtwin be``: forms of tables, findings on bad rows, what is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pharmtwin.bioequivalence.average import method_a, method_b
from pharmtwin.bioequivalence.read import Given, read_studies
from pharmtwin.bioequivalence.study import design_of
from pharmtwin.cli import main


def crossover(n: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    rows = []
    for k in range(n):
        sequence = ("TR", "RT")[k % 2]
        for p, t in enumerate(sequence, start=1):
            auc, cmax = (round(float(np.exp(level + 0.1 * rng.normal())), 3) for level in (4, 2))
            rows.append({"subject": k, "period": p, "sequence": sequence, "treatment": t, "AUC": auc, "Cmax": cmax})
    return pd.DataFrame(rows)


def save(tmp_path: Path, table: pd.DataFrame, **how: object) -> str:
    path = tmp_path / "be.csv"
    table.to_csv(path, index=False, **how)  # type: ignore[call-overload]
    return str(path)


def rules(given: Given, severity: str = "error") -> list[str]:
    return [f.rule for f in given.findings if f.severity == severity]


def same(a: Given, b: Given) -> bool:
    return bool(method_a(a.studies[0]).interval(0.05) == method_a(b.studies[0]).interval(0.05)
                and method_b(a.studies[0]).se == method_b(b.studies[0]).se)  # fmt: skip


def test_other_headers_separators_and_decimals_are_the_same_data(tmp_path: Path) -> None:
    plain = crossover()
    first = read_studies(save(tmp_path, plain))
    assert [s.endpoint for s in first.studies] == ["AUC", "Cmax"] and not first.findings
    renamed = plain.rename(columns={"subject": "SUBJ", "period": "Per", "sequence": "Seq", "treatment": "Formulation"})
    assert same(first, read_studies(save(tmp_path, renamed, sep=";", decimal=",")))
    text = Path(save(tmp_path, plain, sep="\t")).read_text(encoding="utf-8")
    (tmp_path / "note.tsv").write_text(f"# a study\n# of two lines\n{text}", encoding="utf-8")
    assert same(first, read_studies(str(tmp_path / "note.tsv")))
    logs = plain.assign(logPK=np.log(plain["AUC"])).drop(columns=["AUC", "Cmax"])
    assert method_a(read_studies(save(tmp_path, logs)).studies[0]).estimate == pytest.approx(
        method_a(first.studies[0]).estimate
    )


def test_names_of_treatments(tmp_path: Path) -> None:
    plain = crossover()
    first = read_studies(save(tmp_path, plain))
    words = plain.assign(treatment=plain["treatment"].map({"T": "Test", "R": "Reference"}))
    assert same(first, read_studies(save(tmp_path, words)))
    letters = plain.assign(treatment=plain["treatment"].map({"T": "B", "R": "A"}))
    assert rules(read_studies(save(tmp_path, letters))) == ["be.reference"]
    assert same(first, read_studies(save(tmp_path, letters), reference="A"))
    assert rules(read_studies(save(tmp_path, letters), reference="C")) == ["be.reference"]


def test_a_missing_sequence_follows_from_the_periods(tmp_path: Path) -> None:
    plain = crossover()
    assert same(read_studies(save(tmp_path, plain)), read_studies(save(tmp_path, plain.drop(columns="sequence"))))
    rows = [
        ("a", 1, "T"),
        ("a", 2, "R"),
        ("a", 3, "R"),
        ("b", 1, "R"),
        ("b", 2, "T"),
        ("b", 3, "R"),
        ("c", 1, "T"),
        ("c", 3, "R"),
    ]
    table = pd.DataFrame([{"id": s, "period": p, "trt": t, "PK": 1.0 + k} for k, (s, p, t) in enumerate(rows)])
    (study,) = read_studies(save(tmp_path, table)).studies
    assert set(study.sequence[study.subject == "c"]) == {"TRR"}  # c fits one of the full patterns


def test_two_tests_are_compared_with_one_reference_each(tmp_path: Path) -> None:
    rows = [(k, p, "RAB"[(k + p) % 3]) for k in range(6) for p in range(3)]
    table = pd.DataFrame([{"id": k, "period": p, "trt": t, "PK": 2.0 + k + p} for k, p, t in rows])
    given = read_studies(save(tmp_path, table))
    assert [s.test for s in given.studies] == ["A", "B"] and all(len(s.y) == 12 for s in given.studies)


def test_a_missing_value_is_a_warning_and_counted(tmp_path: Path) -> None:
    table = crossover()
    table["AUC"] = table["AUC"].astype(object)
    table.loc[3, "AUC"] = "."
    given = read_studies(save(tmp_path, table), ["AUC"])
    assert rules(given, "warning") == ["be.missing"] and given.findings[0].row == 5
    assert given.studies[0].missing == 1 and len(given.studies[0].y) == 11 and given.studies[0].planned_subjects == 6


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [("AUC", 0, "be.value"), ("AUC", -3, "be.value"), ("AUC", "high", "be.value"), ("subject", "", "be.name"),
     ("treatment", "", "be.name"), ("period", 1, "be.twice"), ("sequence", "RTX", "be.sequence")],
)  # fmt: skip
def test_bad_rows_are_findings_with_their_line(tmp_path: Path, column: str, value: object, rule: str) -> None:
    table = crossover().astype(object)
    table.loc[1, column] = value
    given = read_studies(save(tmp_path, table), ["AUC"])
    found = [f for f in given.findings if f.severity == "error"]
    assert [f.rule for f in found] == [rule] and found[0].row == 3 and not given.studies


def test_subjects_numbered_anew_in_each_sequence_are_told_apart(tmp_path: Path) -> None:
    table = crossover()
    first = read_studies(save(tmp_path, table))
    again = read_studies(save(tmp_path, table.assign(subject=table["subject"] // 2)))
    assert rules(again, "warning") == ["be.numbers"] and not rules(again)
    assert same(first, again) and again.studies[0].n_subjects == 6


def test_groups_without_periods_are_parallel(tmp_path: Path) -> None:
    rows = [{"id": k, "group": "RT"[k % 2], "AUC": 10.0 + k} for k in range(9)]
    given = read_studies(save(tmp_path, pd.DataFrame(rows)))
    assert not given.findings and design_of(given.studies[0]).kind == "parallel"


def test_a_treatment_against_the_sequence_is_a_warning(tmp_path: Path) -> None:
    table = crossover()
    table.loc[[0, 1], "treatment"] = ["R", "T"]
    given = read_studies(save(tmp_path, table), ["AUC"])
    assert rules(given, "warning") == ["be.order", "be.order"] and given.studies


def test_missing_columns_are_told_together(tmp_path: Path) -> None:
    given = read_studies(save(tmp_path, pd.DataFrame({"a": [1], "b": [2]})))
    assert rules(given) == ["be.column", "be.column", "be.endpoint"]
    assert rules(read_studies(save(tmp_path, crossover()), ["Tmax"])) == ["be.endpoint"]


def test_the_command_writes_its_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["be", save(tmp_path, crossover(12)), "--frameworks", "ABE", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "AUC: T against R" in told and "2x2x2" in told and "individual ratios" in told
    table = pd.read_csv(out / "be.tsv", sep="\t")
    assert list(table["endpoint"]) == ["AUC", "AUC", "Cmax", "Cmax"] and set(table["verdict"]) == {"bioequivalent"}
    assert len(pd.read_csv(out / "ratios.tsv", sep="\t")) == 24 and (out / "findings.tsv").is_file()


def test_bad_data_write_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    table = crossover()
    table.loc[[1, 4], "AUC"] = 0
    assert main(["be", save(tmp_path, table), "--out", str(out)]) == 1
    assert capsys.readouterr().err.count("(be.value)") == 2 and not out.exists()
    assert main(["be", save(tmp_path, crossover()), "--level", "100"]) == 1
    assert main(["be", save(tmp_path, crossover()), "--column", "trt"]) == 1


def test_from_concentrations_to_a_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng, lines = np.random.default_rng(4), ["id,period,sequence,treatment,time,conc,dose"]
    for k in range(12):
        sequence = ("TR", "RT")[k % 2]
        for p, t in enumerate(sequence, start=1):
            scale = np.exp(0.1 * rng.normal())
            lines += [
                f"{k},{p},{sequence},{t},{h},{scale * c:.6g},10" for h, c in zip((0, 1, 2, 4, 8), (0, 8, 6, 3, 1))
            ]
    data, table = tmp_path / "conc.csv", tmp_path / "nca.tsv"
    data.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert main(["nca", str(data), "--out", str(table)]) == 0
    assert main(["be", str(table), "--frameworks", "ABE"]) == 0
    told = capsys.readouterr().out
    assert all(f"{name}: T against R" in told for name in ("auc_last", "auc_inf_obs", "cmax"))
