"""The form of the CYP2D6 map that qualification takes is the one of least left-out error, its numbers found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from pharmtwin.facts import fact_table
from pharmtwin.qualification.activity.forms import FORMS
from pharmtwin.qualification.activity.map import estimate, leave_one_out, rows_of
from pharmtwin.qualification.plan import PLAN, read_plan
from pharmtwin.qualification.simulation.world import FOLDER, open_world

pytestmark = pytest.mark.reference
DATA = Path(__file__).parents[3] / "shared/data/pbpk"


@pytest.mark.skipif(not DATA.is_dir(), reason="no reference data beside the repository")
def test_the_map_is_found_again() -> None:
    table = fact_table("qualification/cyp2d6_left_out.tsv").set_index("drug")
    assert set(table["form"]) == {table.loc["all", "form"]}
    world, _ = open_world(read_plan(PLAN), FOLDER)
    rows = rows_of(DATA, world)
    judged = {form.name: leave_one_out(rows, form) for form in FORMS}
    best = min(judged.values(), key=lambda j: j.gmfe)
    assert best.form.name == table.loc["all", "form"], {n: round(j.gmfe, 3) for n, j in judged.items()}
    if not best.form.names:  # a form without parameters
        assert table["value"].isna().all()
        return
    found = {drug: values[0] for drug, values in best.parameters.items()} | {"all": estimate(rows, best.form)[0]}
    assert set(found) == set(table.index)
    for drug, value in found.items():
        assert value == pytest.approx(float(table.loc[drug, "value"]), rel=0.02), drug
