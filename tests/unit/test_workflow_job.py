"""The log of a job names nobody and no genotype, whatever a library says."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

from pharmtwin.workflow.job import people, start


def test_people_and_genotypes_are_masked(tmp_path: Path) -> None:
    sheet = tmp_path / "twins.tsv"
    sheet.write_text("twin_id\tsample\nD1\tNA7\nD10\tNA8\n", encoding="utf-8")
    config = {"paths": {"twins": str(sheet)}}
    job = SimpleNamespace(log=[tmp_path / "a.log"], rule="fit", wildcards=None, input=[], output=[], config=config)
    root = logging.getLogger()
    before = root.handlers[:]
    try:
        start(job)
        logging.getLogger("x").warning("%s/AS=0.5/draw1 - sample %s of D10: *1/*4x2 cut", "D1", "NA8")
        logging.getLogger("x").warning("0.1 of D11, AUC 1.5")
    finally:
        for handler in root.handlers[:]:
            handler.close()
        root.handlers[:] = before
        logging.captureWarnings(False)
    text = (tmp_path / "a.log").read_text(encoding="utf-8")
    assert "row 2/AS=.../draw1 - sample row 3 of row 3: ... cut" in text
    assert "0.1 of D11, AUC 1.5" in text
    assert people({}) == {} and people({"paths": {"twins": str(tmp_path)}}) == {}
