"""NCA against Phoenix WinNonlin's tables and PKNCA's vectors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pharmtwin.nca import areas
from pharmtwin.nca.analysis import analyse, wide
from pharmtwin.nca.curve import settle_blq
from pharmtwin.nca.profile import Dose, Profile, Units
from pharmtwin.nca.settings import PRESETS, Settings
from pharmtwin.nca.terminal import terminal

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "bayes" / "nca"
pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(not DATA.exists(), reason="reference data not beside the checkout"),
]
#: data set -> columns of subject, time and concentration, and the dose that WinNonlin was given
DATA_SETS = {"Theoph": ("Subject", "Time", "conc", 320.0), "Indometh": ("Subject", "time", "conc", 25.0)}
INFUSION_H = 0.25


def tables() -> list[Path]:
    return sorted((DATA / "winnonlin").glob("*.csv")) if DATA.exists() else []


def configuration(path: Path) -> tuple[str, str, tuple[Dose, ...]]:
    """Data set and trapezoids from a table's name; route and whether there was a dose from its columns."""
    name, method = path.stem.split("_")[:2]
    columns = set(pd.read_csv(path, nrows=0).columns)
    amount = DATA_SETS[name][3] if "Cmax_D" in columns else float("nan")
    route = "infusion" if "Infusion" in path.stem else ("bolus" if "C0" in columns else "extravascular")
    method = {"Linear": "linear", "Log": "lin-up/log-down"}[method]
    return name, method, (Dose(0.0, amount, route, INFUSION_H if route == "infusion" else 0.0),)


@pytest.mark.parametrize("rules", list(PRESETS))
@pytest.mark.parametrize("path", tables(), ids=lambda p: p.stem)
def test_winnonlin(path: Path, rules: str) -> None:
    name, method, doses = configuration(path)
    subject, time, conc, _ = DATA_SETS[name]
    data, expected = pd.read_csv(DATA / f"{name}.csv"), pd.read_csv(path)
    compared = 0
    for row in expected.to_dict("records"):
        mine = data[data[subject] == row["Subject"]].sort_values(time)
        profile = Profile.of(mine[time], mine[conc], doses, Units("h", "mg/L", "mg"))
        got = wide(analyse(profile, replace(PRESETS[rules], method=method)), [], "winnonlin").iloc[0]
        for column, value in row.items():
            if column == "Subject" or pd.isna(value):
                continue
            mine_of = got.get(str(column).replace("_F_", "_"))
            assert mine_of is not None, f"{column} is not among the parameters"
            assert mine_of == pytest.approx(value, rel=1e-6, abs=1e-9), f"subject {row['Subject']}, {column}"
            compared += 1
    assert compared == expected.drop(columns="Subject").notna().to_numpy().sum()


VECTORS = json.loads((DATA / "pknca_vectors.json").read_text(encoding="utf-8")) if DATA.exists() else {}


@pytest.mark.parametrize("case", range(len(VECTORS.get("auc", []))))
def test_pknca_areas(case: int) -> None:
    vector = VECTORS["auc"][case]
    settings = Settings(blq_middle="keep" if vector.get("blq", "keep") == "keep" else "drop")
    t, c = np.array(vector["time"], dtype=float), np.array(vector["conc"], dtype=float)
    keep, c = settle_blq(t, c, settings)
    for name, extent in (("AUClast", "last"), ("AUCall", "all"), ("AUCinf", "inf")):
        if vector.get(name) is not None:
            got = areas.area(t[keep], c[keep], vector["method"], extent, lambda_z=vector["lambda_z"] or float("nan"))
            assert got == pytest.approx(vector[name], rel=1e-12), name


@pytest.mark.parametrize("case", range(len(VECTORS.get("half_life", []))))
def test_pknca_half_lives(case: int) -> None:
    vector = VECTORS["half_life"][case]
    settings = Settings(r2_tolerance=vector.get("adj_r2_factor", 1e-4))
    t, c = np.array(vector["time"], dtype=float), np.array(vector["conc"], dtype=float)
    fit = terminal(t, c, settings, with_tmax=vector["allow_tmax"])
    got = {"half_life": fit.half_life, "lambda_z": fit.lambda_z, "n_points": fit.n, "span_ratio": fit.span_ratio,
           "clast_pred": fit.predicted(t[-1])}  # fmt: skip
    known = {k: v for k, v in vector.items() if k in got}
    assert known and {k: got[k] for k in known} == pytest.approx(known, rel=1e-6)


def test_pknca_defaults_are_the_defaults_here() -> None:
    theirs, mine = VECTORS["pknca_defaults"], Settings()
    assert mine.method == theirs["auc_method"].replace("lin up/log down", "lin-up/log-down")
    assert mine.r2_tolerance == theirs["adj_r_squared_factor"] and mine.min_points == theirs["min_hl_points"]
    assert (mine.tmax_in_lambda_z == "never") is not theirs["allow_tmax_in_half_life"]
    assert mine.min_span == theirs["min_span_ratio"] and mine.min_r2 == theirs["min_hl_r_squared"]
    assert mine.max_extrapolated == theirs["max_aucinf_pext"]
    assert {"first": mine.blq_first, "middle": mine.blq_middle, "last": mine.blq_last} == theirs["conc_blq"]
