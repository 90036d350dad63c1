"""A run for tests of the dossier: the made-up study of the report's tests, a manifest, and sheets in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from report_fixture import make_inputs, make_tables

from pharmtwin.dossier.about import About, read_about
from pharmtwin.dossier.run import Run
from pharmtwin.intake.columns import sheet_spec
from pharmtwin.intake.config import load_config
from pharmtwin.intake.study import Study

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "config/examples/dossier/demo.yaml"
BLANK = ROOT / "config/examples/dossier/dossier.yaml"


def about(path: Path = EXAMPLE) -> About:
    """The statements of a file that must be right."""
    stated, findings = read_about(str(path))
    assert stated is not None, [f.message() for f in findings]
    return stated


def sheet(table: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """A sheet with all columns of its schema; numbers as numbers, text as text."""
    frame = pd.DataFrame(rows)
    for column in sheet_spec(table).columns:
        if column.name not in frame:
            frame[column.name] = float("nan") if column.kind in ("number", "integer") else ""
    return frame[[c.name for c in sheet_spec(table).columns]].assign(row=range(2, len(frame) + 2))


def make_run(folder: Path, *, n: int = 6, fitted: int = 1, **changes: Any) -> Run:
    """A run of ``n`` twins; ``changes`` replace tables of the report's inputs."""
    config = load_config([])[0]
    assert config is not None
    inputs = make_inputs(make_tables(n, fitted), config={"study": "demo"}, **changes)
    twins = sheet("twins", [{"twin_id": t, "sex": "F", "age_y": 40.0, "sample": "S"} for t in inputs.twins])
    dose = {"twin_id": "T001", "time_h": 0.0, "evid": 1, "drug": "paroxetine", "dose_mg": 20.0, "use": ""}
    seen = {"twin_id": "T001", "time_h": 1 / 3, "evid": 0, "dv_ng_ml": 1.25, "lloq_ng_ml": 0.1, "use": "fit"}
    events: list[dict[str, Any]] = [dose, seen, seen | {"time_h": 24.0, "dv_ng_ml": 2.5, "use": "test"}]
    regimen = {"scenario": "40mg_bid", "drug": "atomoxetine", "dose_mg": 40.0, "label": "40 mg"}
    scenarios = sheet("scenarios", [regimen])
    study = Study("demo", "synthetic", config, twins, sheet("events", events), scenarios,
                  sheet("structure_calls", [{}]).head(0), ())  # fmt: skip
    entry = {"path": "a/b.tsv", "bytes": 3, "sha256": "0" * 64}
    manifest = {"inputs": [entry], "outputs": [entry], "code": [entry], "facts": [entry], "config": {},
                "software": {"pharmtwin": "0.1.0", "numpy": "2"}, "seed_rule": "by name"}  # fmt: skip
    record = {"finished": "2026-11-22T13:48:17+00:00"}
    return Run(folder, config, manifest, "f" * 64, record, study, inputs, {"fit": 12.0}, True)
