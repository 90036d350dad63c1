"""The exponents of the CYP2D6 map that qualification takes are those that its own command finds again."""

from __future__ import annotations

from pathlib import Path

import pytest

from pharmtwin.facts import fact_table
from pharmtwin.qualification.activity_forms import FORMS
from pharmtwin.qualification.activity_map import estimate, leave_one_out, rows_of
from pharmtwin.qualification.plan import PLAN, read_plan
from pharmtwin.qualification.simulate_world import FOLDER, open_world

pytestmark = pytest.mark.reference
DATA = Path(__file__).parents[3] / "shared/data/pbpk"


@pytest.mark.skipif(not DATA.is_dir(), reason="no reference data beside the repository")
def test_the_exponents_are_found_again() -> None:
    table = fact_table("qualification/cyp2d6_left_out.tsv").set_index("drug")
    form = next(f for f in FORMS if f.name == table.loc["all", "form"])
    world, _ = open_world(read_plan(PLAN), FOLDER)
    rows = rows_of(DATA, world)
    judged = leave_one_out(rows, form)
    found = {drug: values[0] for drug, values in judged.parameters.items()} | {"all": estimate(rows, form)[0]}
    assert set(found) == set(table.index)
    for drug, value in found.items():
        assert value == pytest.approx(float(table.loc[drug, "value"]), rel=0.02), drug
