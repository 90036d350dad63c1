"""The evaluation of the report tests' made-up study, by the evaluation stage's own functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.evaluation.evidence import Stages, validation
from pharmtwin.evaluation.people import people
from pharmtwin.evaluation.study import Given, group_table, metric_table
from pharmtwin.pbpk.scores import exceedance_rows, score_rows

LIMIT = 400.0


def draws_tables(predictions: pd.DataFrame, n: int = 200, seed: int = 3) -> dict[str, pd.DataFrame]:
    """Scores and exceedance from lognormal draws that have the predictions' quantiles."""
    rng = np.random.default_rng(seed)
    scores, exceedance = [], []
    for (twin, model), mine in predictions.groupby(["twin_id", "model"], sort=True):
        spread = np.log(mine["hi90"] / mine["lo90"]).to_numpy(float) / (2 * 1.645)
        drawn = mine["median"].to_numpy(float) * np.exp(spread * rng.standard_normal((n, len(mine))))
        samples = mine.rename(columns={"observed": "dv_ng_ml"})
        scores += score_rows(str(twin), str(model), samples, drawn)
        exceedance += exceedance_rows(str(twin), str(model), samples, drawn, [LIMIT])
    return {"predictive_scores": pd.DataFrame(scores), "exceedance": pd.DataFrame(exceedance)}


def given(tables: dict[str, Any]) -> Given:
    """What the evaluation stage reads, from tables of ``report_fixture.make_tables``."""
    drawn = draws_tables(tables["predictions"])
    sheet = tables["covariates"].rename(columns={"age": "age_y"})
    who = people(sheet, tables["genotype"], tables["body"])
    return Given(tables["predictions"], drawn["predictive_scores"], drawn["exceedance"], tables["published"], who,
                 "synthetic", 1)  # fmt: skip


def evaluation_tables(tables: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Tables of the evaluation stage and those it reads from the draws."""
    what = given(tables)
    return {"predictive_scores": what.scores, "exceedance": what.exceedance,
            "evaluation_metrics": metric_table(what), "evaluation_groups": group_table(what)}  # fmt: skip


def validation_of(tables: dict[str, Any]) -> pd.DataFrame:
    """Table ``validation`` of tables that may be None."""
    names = {"groups": "evaluation_groups"}
    parts = ("solver_check", "fit_diagnostics", "fit_summary", "sobol", "predictions", "accuracy", "groups")
    found = {p: tables.get(names.get(p, p)) for p in parts}
    return validation(Stages(**{k: v for k, v in found.items() if v is not None}))
