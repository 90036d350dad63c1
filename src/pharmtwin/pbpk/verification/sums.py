"""Do the parts of every body add up: arterial branches to cardiac output, organs to body weight."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pharmtwin.core.anatomy import COMPARTMENTS, PORTAL, SYSTEMIC
from pharmtwin.facts import fact_table
from pharmtwin.pbpk.verification.limits import Check, settings
from pharmtwin.tables import schema

FLOWS, LUNG, MASSES = "arterial branches", "lung", "organ masses"
#: what is summed -> what it has to be
WHOLE = {FLOWS: "cardiac output", LUNG: "cardiac output", MASSES: "body weight"}


def body_sums(body: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Table ``body_sums`` of all people of a table ``body``.

    Parameters
    ----------
    people : twin_id, sex (M, F), weight_kg as the bodies were made from. Somebody who is not in it, or whose body
        lacks an organ, has no difference (NaN) and does not pass.

    Flows (L/h): all arterial branches, and the lung's, beside cardiac output. Masses (kg): volume times density of all
    compartments with blood and rest (``physiology/reference_organs.tsv``) beside body weight.
    """
    wide = body.pivot(index="twin_id", columns="quantity", values="value").astype(float)
    who = people.assign(twin_id=people["twin_id"].astype(str)).set_index("twin_id").reindex(wide.index.astype(str))
    organs = fact_table("physiology/reference_organs.tsv").set_index(["organ", "sex"])["density_kg_per_L"]
    density = organs.astype(float).unstack()
    volumes = wide.reindex(columns=[f"V_{c}" for c in COMPARTMENTS]).to_numpy()
    by_sex = {sex: density[sex].reindex(list(COMPARTMENTS)).to_numpy() for sex in density}
    none = np.full(len(COMPARTMENTS), np.nan)
    own = np.array([by_sex.get(str(s), none) for s in who["sex"]]).reshape(len(wide), len(COMPARTMENTS))
    output = wide.reindex(columns=["CO"]).to_numpy()[:, 0]
    sums = {
        FLOWS: (wide.reindex(columns=[f"Q_{t}" for t in (*SYSTEMIC, *PORTAL)]).to_numpy().sum(axis=1), output, "L/h"),
        LUNG: (wide.reindex(columns=["Q_lung"]).to_numpy()[:, 0], output, "L/h"),
        MASSES: ((volumes * own).sum(axis=1), who["weight_kg"].to_numpy(dtype=float), "kg"),
    }
    limit = settings()["body_sums"]
    parts = [
        pd.DataFrame({"twin_id": wide.index.astype(str), "parts": name, "sum": found, "whole": whole, "unit": unit,
                      "relative_difference": np.abs(found - whole) / np.abs(whole)})
        for name, (found, whole, unit) in sums.items()
    ]  # fmt: skip
    table = pd.concat(parts, ignore_index=True)
    table = table.assign(limit=limit, passed=(table["relative_difference"] <= limit).fillna(False))
    return table.sort_values(["twin_id", "parts"], kind="stable", ignore_index=True)[schema("body_sums").names]


def sum_checks(table: pd.DataFrame) -> list[Check]:
    """The largest deviation of each sum over all people; none at all where there are no bodies."""
    out = []
    for parts, mine in table.groupby("parts", sort=True):
        worst = mine.iloc[int(mine["relative_difference"].fillna(np.inf).to_numpy(float).argmax())]
        bad = int((~mine["passed"]).sum())
        place = f"furthest: {worst['twin_id']}; {len(mine)} people, {bad} outside the limit"
        subject = f"{parts} and {WHOLE[str(parts)]}"
        out.append(Check.create("body_sums", subject, float(worst["relative_difference"]), place))
    return out
