"""One life, day by day: no quantity of the whole body jumps, with kidney markers or without, born at term or early."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from pharmtwin.body.anatomy.reference import reference
from pharmtwin.body.checks import completed
from pharmtwin.body.kidney.findings import typical_creatinine
from pharmtwin.body.physiology import body_of

DAYS = 365.25
LAST = 95.0
#: largest relative change of any quantity in one day from an age on (years); what grows fastest is alpha-1-acid
#: glycoprotein, which doubles within two weeks of birth, and the fat of the newborn
LIMITS = ((0.0, 0.12), (0.1, 0.03), (1.0, 0.01), (2.0, 0.003), (18.0, 0.0005))
SMALL = 2e-4  # a change that needs no neighbours like it
BEND = 3.0  # a change may be so many times that of the days beside it: curves bend, only a jump stands alone


@cache
def median_life(sex: str) -> pd.DataFrame:
    """A person of median height and weight at every day of a life."""
    age = np.arange(0.0, LAST, 1.0 / DAYS)
    ids = [f"d{i}" for i in range(len(age))]
    return completed(pd.DataFrame({"twin_id": ids, "sex": sex, "age_y": age, "weight_kg": np.nan, "height_cm": np.nan}))


@pytest.mark.parametrize("sex", ["M", "F"])
@pytest.mark.parametrize(("weeks", "marker"), [(40.0, True), (40.0, False), (32.0, True)])
def test_no_quantity_jumps_from_one_day_to_the_next(sex: str, weeks: float, marker: bool) -> None:
    table = median_life(sex).assign(gestational_age_wk=weeks)
    age = table["age_y"].to_numpy()
    if marker:
        table["creatinine_mg_dl"] = typical_creatinine(age, np.full(age.shape, sex == "F"))
    limit = np.array([[m for start, m in LIMITS if a >= start][-1] for a in age[:-1]])
    for quantity, (values, _) in body_of(table).columns.items():
        assert np.isfinite(values).all(), quantity
        # an enzyme that is nearly absent may double from next to nothing: judged in fractions of the adult
        scale = np.ones(len(values) - 1) if quantity.startswith("enzyme_") else values[:-1]
        change = np.abs(np.diff(values)) / scale
        beside = np.maximum(np.append(change[1:], 0.0), np.append(0.0, change[:-1]))
        jump = (change > SMALL) & (change > BEND * beside)
        worst = int(np.argmax(np.where(jump, change, 0.0) if jump.any() else change / limit))
        where = f"{quantity}: {change[worst]:.3%} on day {worst} ({age[worst]:.3f} y), beside {beside[worst]:.3%}"
        assert not jump.any() and (change <= limit).all(), where


def test_10_000_random_people_close() -> None:
    rng, n, ref = np.random.default_rng(11), 10_000, reference()
    table = pd.DataFrame(
        {"twin_id": [f"t{i}" for i in range(n)], "sex": rng.choice(["M", "F"], n), "age_y": rng.uniform(0, 95, n)}
    ).assign(weight_kg=np.nan, height_cm=np.nan)
    table = completed(table)
    table["weight_kg"] *= np.exp(rng.normal(0.0, 0.2, n))
    table["height_cm"] *= np.exp(rng.normal(0.0, 0.04, n))
    columns = {name: values for name, (values, _) in body_of(table).columns.items()}
    sex = (table["sex"] == "F").to_numpy().astype(int)
    mass = np.stack([columns[f"V_{organ}"] for organ in ref.organs], axis=1) * ref.density[sex]
    assert np.abs(mass.sum(axis=1) / table["weight_kg"].to_numpy() - 1.0).max() < 1e-9
    flows = sum(v for name, v in columns.items() if name.startswith("Q_") and name != "Q_lung")
    assert np.abs(flows / columns["CO"] - 1.0).max() < 1e-9 and (columns["Q_lung"] == columns["CO"]).all()
