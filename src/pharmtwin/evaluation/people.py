"""By what people are grouped: CYP2D6 phenotype, ancestry, age and kidney function of every twin."""

from __future__ import annotations

import pandas as pd

from pharmtwin.evaluation.fairness import UNKNOWN


def phenotypes(genotype: pd.DataFrame, gene: str) -> pd.Series:
    """The most probable phenotype of a gene by twin; the probabilities of diplotypes with one phenotype are added."""
    mine = genotype[genotype["gene"] == gene]
    share = mine.groupby(["twin_id", "phenotype"], sort=True)["probability"].sum().reset_index()
    best = share.sort_values(["twin_id", "probability", "phenotype"], ascending=[True, False, True], kind="stable")
    return best.drop_duplicates("twin_id").set_index("twin_id")["phenotype"].astype(str)


def people(twins: pd.DataFrame, genotype: pd.DataFrame, body: pd.DataFrame, gene: str = "CYP2D6") -> pd.DataFrame:
    """One row a twin: twin_id, genotype, ancestry, age_y, egfr (mL/min/1.73 m2); unknown or empty where not told.

    ``twins``: the sheet (twin_id, ancestry and age_y if it has them); ``genotype``, ``body``: tables by their schema.
    """
    out = pd.DataFrame({"twin_id": twins["twin_id"].astype(str).to_numpy()})
    kidney = body[body["quantity"] == "eGFR"].set_index("twin_id")["value"]
    out["genotype"] = out["twin_id"].map(phenotypes(genotype, gene)).fillna(UNKNOWN)
    ancestry = twins["ancestry"].to_numpy(dtype=object) if "ancestry" in twins else None
    out["ancestry"] = pd.Series(ancestry, index=out.index, dtype=object).replace("", None).fillna(UNKNOWN)
    out["age_y"] = pd.to_numeric(twins["age_y"], errors="coerce").to_numpy(float) if "age_y" in twins else float("nan")
    out["egfr"] = out["twin_id"].map(kidney).astype(float)
    return out
