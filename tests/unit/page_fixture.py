"""Tables of a twin's page for report tests, and the pages of a built report that are about the cohort."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.tables import schema

STEPS = ("population", "genotype", "body", "kidney", "comedication", "samples")
LEVELS = {"population": 1000.0, "genotype": 1600.0, "body": 1200.0, "kidney": 1210.0, "samples": 900.0}


def cohort(pages: dict[str, str]) -> str:
    """All pages but those of single twins, the index first, as one text."""
    names = sorted((n for n in pages if not n.startswith("twins/")), key=lambda n: (n != "index.html", n))
    return "\n".join(pages[n] for n in names)


def page_tables(twins: list[str], scenario: str, fitted: int) -> dict[str, Any]:
    """Tables of a twin's page, the events sheet, reference bodies and the activity map."""
    steps: list[dict[str, object]] = []
    others: list[dict[str, object]] = []
    courses: list[dict[str, object]] = []
    doses: list[dict[str, object]] = []
    for i, twin in enumerate(twins[:fitted]):
        before = np.nan
        for order, step in enumerate(STEPS):
            known = step in LEVELS
            level = LEVELS[step] * (1 + 0.01 * i) if known else np.nan
            factor = level / before if known and order else np.nan
            steps.append(
                {
                    "twin_id": twin, "scenario": scenario, "metric": "AUCtau", "unit": "ng*h/mL", "order": order,
                    "step": step, "state": "computed" if known else "not_simulated", "median": level,
                    "lo90": level / 2, "hi90": level * 2, "factor": factor, "factor_lo95": factor * 0.95,
                    "factor_hi95": factor * 1.05, "n_draws": 200 if known else 0, "n_failed": 0,
                }
            )  # fmt: skip
            before = level if known else before
        head = {
            "twin_id": twin,
            "scenario": scenario,
            "model": "twin",
            "unit": "ng*h/mL",
            "n_draws": 200,
            "n_failed": 0,
        }
        others.append(
            {
                **head, "metric": "AUCtau", "gene": "CYP2D6", "diplotype": "*1/*1", "actual_median": 900.0,
                "actual_lo90": 450.0, "actual_hi90": 1800.0, "median": 300.0, "lo90": 100.0, "hi90": 600.0,
                "ratio": 0.3333, "ratio_lo90": 0.1, "ratio_hi90": 0.8,
            }
        )  # fmt: skip
        courses += [
            {**{k: head[k] for k in ("twin_id", "scenario", "model", "n_draws")}, "gene": "CYP2D6",
             "diplotype": "*1/*1", "case": case, "time_h": t, "q05": level / 2, "q50": level, "q95": level * 2}
            for case, level in (("actual", 40.0), ("exchanged", 12.5)) for t in (0.0, 12.0, 24.0, 36.0, 48.0)
        ]  # fmt: skip
        for dose, p in ((20.0, 0.25), (40.0, 0.75)):
            for metric, unit, aim in (("AUCtau", "ng*h/mL", False), ("Ctrough", "ng/mL", True)):
                doses.append(
                    {
                        **head, "metric": metric, "unit": unit, "dose_mg": dose, "median": dose, "lo90": dose / 2,
                        "hi90": dose * 2, "target_low": 20.0 if aim else np.nan, "target_high": 60.0 if aim else np.nan,
                        "target_source": "made up for the test" if aim else None, "p_below": 0.2 if aim else np.nan,
                        "p_inside": p if aim else np.nan, "p_above": 0.8 - p if aim else np.nan,
                    }
                )  # fmt: skip
    rows = [
        {"twin_id": t, "time_h": time, "evid": e, "dose_mg": d, "ii_h": 12.0 if e else np.nan,
         "addl": 3 if e else np.nan, "dv_ng_ml": dv, "lloq_ng_ml": 0.5 if not e else np.nan, "use": use}
        for t in twins[:fitted]
        for time, e, d, dv, use in ((0.0, 1, 40.0, np.nan, ""), (2.0, 0, np.nan, 30.0, "fit"),
                                    (8.0, 0, np.nan, 0.4, "test"))
    ]  # fmt: skip
    quantities = (("V_liver", 1.8, "L"), ("V_muscle", 29.0, "L"), ("Q_liver", 90.0, "L/h"))
    reference = [(who, q, v, u) for who in ("population_M", "population_F") for q, v, u in quantities]
    scores = np.arange(0.0, 3.01, 0.5)
    curve = pd.DataFrame({"activity_score": scores, "factor": scores / 2, "sd": 0.2, "map_name": "linear"})
    return {
        "steps": pd.DataFrame(steps, columns=schema("steps").names),
        "counterfactuals": pd.DataFrame(others, columns=schema("counterfactuals").names),
        "counterfactual_courses": pd.DataFrame(courses, columns=schema("counterfactual_courses").names),
        "dose_options": pd.DataFrame(doses, columns=schema("dose_options").names),
        "events": pd.DataFrame(rows),
        "reference_body": pd.DataFrame(reference, columns=["twin_id", "quantity", "value", "unit"]),
        "activity_curve": curve,
    }
