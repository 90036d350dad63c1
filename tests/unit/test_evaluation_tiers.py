"""Validation in four tiers: what was done shows with its evidence, the rest as not done."""

from __future__ import annotations

import pytest

from pharmtwin.evaluation.tiers import DONE, NOT_DONE, TIERS, Evidence, NotDone, activities, summary, validation_table


def test_nothing_is_done_unless_it_is_stated() -> None:
    table = validation_table()
    assert list(dict.fromkeys(table["tier"])) == list(TIERS)
    assert (table["status"] == NOT_DONE).all() and table["why_not"].str.len().min() > 10
    assert activities()["activity"].is_unique and activities().notna().all().all()


def test_evidence_and_reasons_stand_in_their_rows() -> None:
    table = validation_table([Evidence("held_out", "GMFE 1.31 (1.22 to 1.42)", "evaluate/accuracy.tsv"),
                              Evidence("held_out", "coverage 0.91", "evaluate/accuracy.tsv"),
                              NotDone("comparison_with_care", "no trial was made")])  # fmt: skip
    done = table[table["status"] == DONE]
    assert list(done["activity"]) == ["held_out"] * 2 and list(done["result"])[1] == "coverage 0.91"
    assert table.set_index("activity").loc["comparison_with_care", "why_not"] == "no trial was made"
    counts = summary(table).set_index("tier")
    assert counts.loc["prediction", "n_done"] == 1 and counts.loc["clinical utility", "n_done"] == 0
    assert counts[["n_done", "n_not_done"]].to_numpy().sum() == len(activities())


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown activity"):
        validation_table([NotDone("dreaming", "x")])
    with pytest.raises(ValueError, match="done and as not done"):
        validation_table([Evidence("users", "x", "y"), NotDone("users", "z")])
    for empty in (("held_out", "", "x"), ("held_out", "x", "")):
        with pytest.raises(ValueError, match="evidence names"):
            Evidence(*empty)
    with pytest.raises(ValueError, match="reason"):
        NotDone("held_out", "")
