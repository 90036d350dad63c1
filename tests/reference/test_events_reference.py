"""Event semantics against NONMEM's own output: the 54 cases of nlmixr2data's nmtest.

One compartment with a depot, ka 1.5/h, CL 1.1 L/h, V 20 L, cp in ug/L; bioavailability, lag, modelled rate and duration
act on doses into the central compartment. Where a lag is longer than its interval NONMEM extrapolates backwards, with
negative concentrations: reproduced with ``long_lag="nonmem"`` (rxode2 leaves those times out).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pharmtwin.engine.event_table import EventTableError
from pharmtwin.engine.events import expand, pack_tables
from pharmtwin.engine.run import simulate
from pharmtwin.model.description import Definition, Flux, Model, Module, Parameter, State, compose

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "bayes" / "nlmixr2data" / "nmtest.csv"
PARAMETERS = np.array([1.5, 1.1, 20.0])
#: below this (ug/L; the table's peaks are thousands) five digits of the table are less than 1e-3 of anything
FLOOR = 1.0
#: ids with a steady-state dose whose lag is longer than its interval
LONG_LAG = {409, 410, 411, 415, 509, 510, 610, 709, 809, 825, 909, 1009}

pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not DATA.exists(), reason="reference data ../shared/data/bayes is not beside the checkout"),
]


@pytest.fixture(scope="module")
def model() -> Model:
    body = Module(
        name="body",
        states=(State("depot", "mg", "gut"), State("central", "mg", "body")),
        parameters=(Parameter("ka", "1/h", "absorption"), Parameter("cl", "L/h", "CL"), Parameter("v", "L", "V")),
        definitions=(Definition("cp", "1000*central/v", "ug/L", "plasma concentration"),),
        fluxes=(
            Flux("absorption", "ka*depot", "mg/h", "depot", "central"),
            Flux("elimination", "cl/v*central", "mg/h", "central", None),
        ),
    )
    return compose("nmtest", [body], ["cp"])


def cases() -> dict[int, pd.DataFrame]:
    """Event table of each id, in NONMEM's names; F and ALAG belong to doses into central (CMT 2) only."""
    raw = pd.read_csv(DATA).rename(columns=str.upper)
    raw = raw.rename(columns={"LAGT": "ALAG", "BIOAV": "F", "RAT2": "R", "DUR2": "D"}).drop(columns="MODE")
    other = raw["CMT"] != 2
    raw.loc[other, ["ALAG", "F"]] = [0.0, 1.0]
    return {int(rows["ID"].iloc[0]): rows for _, rows in raw.groupby("ID", sort=False)}


@pytest.mark.parametrize("engine", ["rosenbrock", "cvode"])
def test_all_cases(model: Model, engine: str) -> None:
    tables = cases()
    assert len(tables) == 54
    batch = pack_tables(
        model,
        [PARAMETERS] * 54,
        list(tables.values()),
        long_lag="nonmem",
        engine=engine,
        names=[str(k) for k in tables],
    )
    solved = simulate(model, batch, engine=engine, rtol=1e-9)
    assert not solved.flag.any()
    worst = {}
    for k, (key, rows) in enumerate(tables.items()):
        expected = rows.loc[rows.EVID == 0, "CP"].to_numpy()
        assert len(expected) == 131
        error = np.abs(solved.of(k)[:, 0] - expected) / np.maximum(np.abs(expected), FLOOR)
        worst[key] = float(error.max())
    print(f"\n{engine}: largest relative error of 54 x 131 records {max(worst.values()):.2g}")
    assert {key: e for key, e in worst.items() if e > 2e-4} == {}  # the table has five digits


def test_lags_longer_than_the_interval_are_refused_by_default(model: Model) -> None:
    refused = set()
    for key, rows in cases().items():
        try:
            expand(model, rows, PARAMETERS)
        except EventTableError as error:
            assert {f.column for f in error.findings} == {"ALAG"}
            refused.add(key)
    assert refused == LONG_LAG


def test_periodic_reading_agrees_where_nonmem_has_arrived(model: Model) -> None:
    """From the latest implied arrival on, and never below zero before it."""
    for key, rows in cases().items():
        if key not in LONG_LAG or key == 825:  # 825: two regimens, SS 1 and 2 on top of each other
            continue
        dose = rows[rows.EVID == 1].iloc[0]
        batch = pack_tables(model, [PARAMETERS], [rows], long_lag="periodic")
        got = simulate(model, batch, engine="rosenbrock", rtol=1e-9).of(0)[:, 0]
        obs = rows[rows.EVID == 0]
        late = (obs.TIME >= dose.ALAG - dose.II).to_numpy()
        np.testing.assert_allclose(got[late], obs.CP.to_numpy()[late], rtol=2e-4)
        assert got.min() > 0
