"""What the concentrations say of each diplotype: from the fit's components back to the genome's candidates."""

from __future__ import annotations

import pandas as pd

from pharmtwin.inference.data import component_name


def diplotype_table(shares: pd.DataFrame, components: pd.DataFrame) -> pd.DataFrame:
    """Table ``fit_diplotypes``.

    Parameters
    ----------
    shares : twin_id, gene, diplotype, component, weight: how much of each component of table ``priors`` a
        diplotype is. components : table ``fit_genotype``; its twins are those of the result.

    Given the activity, concentrations say nothing of the diplotype: p(d | y) = sum_c p(d | c) p(c | y). A component
    that the fit left out (``fit.min_component_weight``) has no p(c | y); its share stands in ``cut_probability``.
    """
    rows = shares[shares["twin_id"].isin(components["twin_id"])].assign(
        component=shares["component"].map(component_name)
    )
    rows = rows.merge(components, on=["twin_id", "gene", "component"], how="left")
    person = ["twin_id", "gene"]
    rows["weight"] /= rows.groupby(person)["weight"].transform("sum")
    kept = rows["posterior_probability"].notna()
    inside = rows["weight"].where(kept, 0.0)
    # of what was kept the priors sum to 1
    rows["posterior_probability"] *= inside / inside.groupby([rows[c] for c in person]).transform("sum")
    rows["posterior_probability"] /= rows["prior_probability"]
    rows["cut_probability"] = rows["weight"].where(~kept, 0.0)
    by = rows.groupby([*person, "diplotype"], sort=False)
    out = by[["weight", "cut_probability"]].sum().rename(columns={"weight": "prior_probability"})
    out["posterior_probability"] = by["posterior_probability"].sum(min_count=1)
    return out.reset_index().sort_values(
        [*person, "prior_probability", "diplotype"], ascending=[True, True, False, True], ignore_index=True
    )
