"""Drafts from the open tables of published PK-Sim models: all readable, nothing dropped, clearance carries over."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import pytest

from pharmtwin.body.physiology import physiology, reference_twins
from pharmtwin.drugs import quick
from pharmtwin.drugs.draft import Draft, draft, drafts
from pharmtwin.drugs.draft_tables import processes, read_tables, slug
from pharmtwin.drugs.read import check_drug, read_drug
from pharmtwin.drugs.schema import Drug
from pharmtwin.findings import has_errors

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "pbpk"
pytestmark = [pytest.mark.reference, pytest.mark.skipif(not DATA.exists(), reason="no reference data beside the clone")]
NAMES = drafts(DATA) if DATA.exists() else []
#: drugs that we also have a calibrated file of, and whose clearance PK-Sim does not limit by the membranes of cells
SHIPPED = ("midazolam", "paroxetine", "omeprazole_S", "omeprazole_R", "itraconazole", "rifampicin")
TAKEN_OVER = ("binding.fu_p", "binding.B_P", "distribution.Kp_scale")


@cache
def man() -> dict[str, float]:
    table = physiology(reference_twins())
    return dict(table[table["twin_id"] == "population_M"].set_index("quantity")["value"])


def drafted(name: str, folder: Path) -> tuple[Draft, Drug]:
    out = draft(name, DATA)
    file = folder / f"{name}.yaml"
    file.write_text(out.text(), encoding="utf-8")
    drug, findings = check_drug(file)
    assert drug is not None and not has_errors(findings), [f.message() for f in findings if f.severity == "error"]
    return out, drug


def clearance(drug: Drug, dose: float) -> float:
    return dose / quick.dose_response(drug, man(), dose, "iv")[drug.parent.name].auc


@pytest.mark.parametrize("name", NAMES)
def test_every_row_is_used_or_named(name: str, tmp_path: Path) -> None:
    out, drug = drafted(name, tmp_path)
    assert not has_errors(out.findings)
    text, found = out.text(), {f.row for f in out.findings if "processes" in f.file}
    compounds = {c.name for c in drug.compounds}
    rows = [r for r in read_tables(DATA)["processes"] if slug(r["compound"]) in compounds]
    for compound in {r["compound"] for r in rows}:
        for process in processes([r for r in rows if r["compound"] == compound]):
            raw = [f"{k} {r['value']} {r['unit']}".strip() for k, r in process.rows.items()]
            named = found & {r.line for r in process.rows.values()}
            assert named or any(f"{x}:" in text for x in raw), (process.kind, process.molecule, process.data_source)


@pytest.mark.parametrize("name", NAMES)
def test_a_dose_by_mouth_can_be_simulated(name: str, tmp_path: Path) -> None:
    _, drug = drafted(name, tmp_path)
    seen = quick.dose_response(drug, man(), 10.0)[drug.parent.name]
    assert seen.auc > 0 and seen.cmax > 0


@pytest.mark.parametrize("name", SHIPPED)
def test_clearance_is_that_of_the_calibrated_file(name: str, tmp_path: Path) -> None:
    """With binding and blood:plasma ratio of the shipped file, low dose: within 1.6-fold (seen 0.92 to 1.28)."""
    _, made = drafted(name, tmp_path)
    ours = read_drug(name)
    values = {**made.parent.values, **{k: v for k, v in ours.parent.values.items() if k in TAKEN_OVER}}
    parent = dataclasses.replace(made.parent, values=values, partition=ours.parent.partition)
    same = dataclasses.replace(made, compounds=(parent, *made.compounds[1:]))
    assert 1 / 1.6 < clearance(same, 0.1) / clearance(ours, 0.1) < 1.6


def test_drugs_that_nobody_calibrated(tmp_path: Path) -> None:
    """Published: warfarin 2.80 (S) and 2.30 (R) mL/h/kg (Chirality 1997;9:13, abstract read); atomoxetine 0.35 L/h/kg
    by mouth, F 0.63 in extensive metabolisers (label of Strattera); dapagliflozin half-life 12.9 h (label).
    """
    for name, per_kg in (("warfarin_S", 2.80e-3), ("warfarin_R", 2.30e-3)):
        assert 1 / 1.5 < clearance(drafted(name, tmp_path)[1], 5.0) / (per_kg * 73) < 1.5
    atomoxetine = drafted("atomoxetine", tmp_path)[1]
    oral = quick.dose_response(atomoxetine, man(), 40.0)["atomoxetine"].auc
    assert 1 / 1.5 < 40.0 / oral / (0.35 * 73) < 1.5
    assert 0.5 < oral / 40.0 * clearance(atomoxetine, 40.0) < 0.9
    dapagliflozin = drafted("dapagliflozin", tmp_path)[1]
    assert 9 < quick.dose_response(dapagliflozin, man(), 10.0)["dapagliflozin"].half_life < 18
