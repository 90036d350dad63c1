"""Tables: what is written is read back; what breaks the schema is refused by table, column and row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pharmtwin import tables
from pharmtwin.files import write_text
from pharmtwin.tables import TableError, conform, read_table, read_tables, schema, schema_names, write_table


def profiles(n: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"twin_id": [f"t{k}" for k in range(n)], "scenario": "20mg", "model": "covariates"})
    frame["time_h"] = np.arange(n) / 3.0
    for q in ("q05", "q25", "q50", "q75", "q95"):
        frame[q] = rng.lognormal(0.0, 8.0, n)
    return frame


def findings(*values: str) -> pd.DataFrame:
    row = {
        "severity": "error",
        "file": "a.tsv",
        "row": 2,
        "column": "sex",
        "what": "a",
        "why": "b",
        "fix": "c",
        "rule": "r",
    }
    return pd.DataFrame([row | {"value": v} for v in values])


def test_every_schema_is_complete() -> None:
    assert {"findings", "exposure", "priors", "body", "calls"} <= set(schema_names())
    for name in schema_names():
        s = schema(name)
        assert s.name == name and s.version and set(s.key) <= set(s.names)
        assert all(c.meaning and c.dtype in tables.DTYPES for c in s.columns)
        assert list(read_tables(name, []).columns) == s.names


@pytest.mark.parametrize("suffix", [".parquet", ".tsv"])
def test_what_is_written_is_read_back(tmp_path: Path, suffix: str) -> None:
    frame = profiles(200).sample(frac=1.0, axis=1, random_state=1)  # columns in any order
    path = tmp_path / "deep" / f"profiles{suffix}"
    write_table("profiles", frame, path)
    back = read_table("profiles", path)
    assert list(back.columns) == schema("profiles").names
    pd.testing.assert_frame_equal(back, conform("profiles", frame), check_exact=suffix == ".parquet", rtol=1e-11)
    assert [p.name for p in path.parent.iterdir()] == [path.name], "no temporary file stays"


def test_tsv_keeps_every_digit(tmp_path: Path) -> None:
    """The docstring promises full float precision."""
    frame = profiles(200)
    write_table("profiles", frame, tmp_path / "p.tsv")
    np.testing.assert_array_equal(read_table("profiles", tmp_path / "p.tsv").q50, frame.q50)


@pytest.mark.parametrize("suffix", [".parquet", ".tsv"])
def test_text_survives_as_written(tmp_path: Path, suffix: str) -> None:
    """A pseudonym may look like a number or like a missing value; a finding shows a cell as the user wrote it."""
    path = tmp_path / f"x{suffix}"
    ids = [
        "007",
        "7",
        "7.0",
        "1e5",
        "True",
        "NA",
        "nan",
        "null",
        "None",
        "N/A",
        "-",
        'quo"te',
        "tab\there",
        "line\nbreak",
        "ü",
        " x ",
    ]
    frame = profiles(len(ids)).assign(twin_id=ids)
    write_table("profiles", frame, path)
    assert read_table("profiles", path).twin_id.tolist() == ids
    said = ["NA", "n/a", "x"]
    write_table("findings", findings(*said), path)
    assert read_table("findings", path).value.tolist() == said


@pytest.mark.parametrize("suffix", [".parquet", ".tsv"])
def test_empty_cells_of_a_nullable_column_stay_empty(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    frame = findings("x", "y")
    frame["value"] = pd.Series(["x", None], dtype="string")
    write_table("findings", frame, path)
    back = read_table("findings", path)
    assert back.value.iloc[0] == "x" and pd.isna(back.value.iloc[1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"q50": None}, ("profiles", "q50", "row 1")),
        ({"model": "wishful"}, ("profiles", "model", "wishful", "covariates")),
        ({"twin_id": "t", "time_h": 0.0}, ("profiles", "duplicate key", "20mg")),
        ({"q50": "much"}, ("profiles", "q50")),
        ({"extra": 1.0}, ("profiles", "surplus", "extra")),
    ],
)
def test_a_broken_table_is_refused_by_name(change: dict[str, object], words: tuple[str, ...]) -> None:
    with pytest.raises(TableError) as error:
        conform("profiles", profiles().assign(**change))
    assert all(w in str(error.value) for w in words), str(error.value)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(TableError, match=r"missing columns \['q50'\]"):
        conform("profiles", profiles().drop(columns="q50"))


def test_a_fraction_is_no_integer() -> None:
    with pytest.raises(TableError, match="row"):
        conform("findings", findings("x").assign(row=2.5))
    assert conform("findings", findings("x").assign(row=2.0)).row.tolist() == [2]


def test_a_word_is_no_truth_value() -> None:
    frame = pd.DataFrame(
        {
            "stage": ["p"],
            "run": ["a"],
            "state": ["C"],
            "max_relative_difference": [0.0],
            "limit": [1.0],
            "passed": ["False"],
            "failure": [None],
        }
    )
    with pytest.raises(TableError, match="passed"):
        conform("solver_check", frame)


def test_unknown_table_and_unknown_suffix(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        schema("nothing")
    with pytest.raises(ValueError, match=r"\.csv"):
        write_table("profiles", profiles(), tmp_path / "x.csv")


def test_buckets_are_joined_in_the_order_given_and_checked_together(tmp_path: Path) -> None:
    a, b = profiles(2), profiles(2).assign(scenario="40mg")
    write_table("profiles", a, tmp_path / "a.parquet")
    write_table("profiles", b, tmp_path / "b.parquet")
    joined = read_tables("profiles", [tmp_path / "b.parquet", tmp_path / "a.parquet"])
    assert joined.scenario.tolist() == ["40mg", "40mg", "20mg", "20mg"]
    with pytest.raises(TableError, match="duplicate key"):
        read_tables("profiles", [tmp_path / "a.parquet"] * 2)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    write_text(path, "old\n")

    def fail(p: Path) -> None:
        p.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        tables.replace_atomically(path, fail)
    assert path.read_bytes() == b"old\n" and [p.name for p in tmp_path.iterdir()] == ["x.txt"]


def test_same_table_same_bytes(tmp_path: Path) -> None:
    for suffix in (".parquet", ".tsv"):
        for name in ("a", "b"):
            write_table("profiles", profiles(), tmp_path / f"{name}{suffix}")
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
