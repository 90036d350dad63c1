"""Updated probabilities of diplotypes: Bayes' rule written out by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from pharmtwin.genome.select import activity_priors, diplotype_shares
from pharmtwin.inference.data import activity_mixture
from pharmtwin.inference.diplotypes import diplotype_table
from pharmtwin.tables import conform

SHARES = pd.DataFrame(
    [
        ("amber", "CYP2D6", "*1/*2", "AS=2", 0.5), ("amber", "CYP2D6", "*1/*41", "AS=1.5", 0.2),
        ("amber", "CYP2D6", "*2/*41", "AS=1.5", 0.1), ("amber", "CYP2D6", "*1/*22", "AS=unknown:1.5", 0.06),
        ("amber", "CYP2D6", "*1/*22", "AS=unknown:1", 0.04), ("amber", "CYP2D6", "*1x2/*2", "AS=3", 0.1),
        ("coral", "CYP2D6", "*4/*4", "AS=0", 1.0),
    ],
    columns=["twin_id", "gene", "diplotype", "component", "weight"],
)  # fmt: skip


def components(**posterior: float) -> pd.DataFrame:
    """Table fit_genotype of amber: activities 1 and 3 were cut, 0.5 and 0.36 of 0.86 are left."""
    prior = {"AS=1.5": 0.36 / 0.86, "AS=2": 0.5 / 0.86}
    return pd.DataFrame(
        [("amber", "CYP2D6", c, prior[c], p) for c, p in posterior.items()],
        columns=["twin_id", "gene", "component", "prior_probability", "posterior_probability"],
    )


def test_an_activity_hands_its_new_weight_to_its_diplotypes_as_they_shared_the_old() -> None:
    got = diplotype_table(SHARES, components(**{"AS=1.5": 0.9, "AS=2": 0.1}))
    assert set(got.twin_id) == {"amber"}  # coral was not in the fit
    rows = conform("fit_diplotypes", got).set_index("diplotype")
    assert rows.prior_probability.to_dict() == pytest.approx(
        {"*1/*2": 0.5, "*1/*41": 0.2, "*2/*41": 0.1, "*1/*22": 0.1, "*1x2/*2": 0.1}
    )
    assert rows.cut_probability.to_dict() == pytest.approx(
        {"*1/*2": 0.0, "*1/*41": 0.0, "*2/*41": 0.0, "*1/*22": 0.04, "*1x2/*2": 0.1}
    )
    after = rows.posterior_probability
    assert after.drop("*1x2/*2").to_dict() == pytest.approx(
        {"*1/*2": 0.1, "*1/*41": 0.9 * 0.2 / 0.36, "*2/*41": 0.9 * 0.1 / 0.36, "*1/*22": 0.9 * 0.06 / 0.36}
    )
    assert math.isnan(after["*1x2/*2"]) and after.sum() == pytest.approx(1.0)


def test_concentrations_that_say_nothing_leave_the_genomes_probabilities() -> None:
    got = diplotype_table(SHARES, components(**{"AS=1.5": 0.36 / 0.86, "AS=2": 0.5 / 0.86})).set_index("diplotype")
    expected = (got.prior_probability - got.cut_probability) / 0.86
    assert got.posterior_probability.dropna().to_dict() == pytest.approx(expected[expected > 0].to_dict())


def test_the_shares_are_those_of_the_activity_priors() -> None:
    """The genome's own candidates, an allele of unknown function among them, through the fit's mixture."""
    genotype = pd.DataFrame(
        [("amber", "CYP2D6", "*1/*4", 0.6), ("amber", "CYP2D6", "*1/*22", 0.3), ("amber", "CYP2D6", "*2/*4", 0.1)],
        columns=["twin_id", "gene", "diplotype", "probability"],
    )
    shares = diplotype_shares(genotype, ancestry={"amber": "EUR"})
    assert shares.groupby("diplotype").weight.sum().to_dict() == pytest.approx(
        {"*1/*4": 0.6, "*1/*22": 0.3, "*2/*4": 0.1}
    )
    _, weight, names, cut = activity_mixture(activity_priors(genotype, ancestry={"amber": "EUR"}), "amber", 0.0)
    assert cut == pytest.approx(0.0, abs=1e-12)
    learnt = pd.DataFrame(
        {"twin_id": "amber", "gene": "CYP2D6", "component": names, "prior_probability": weight,
         "posterior_probability": [float(n == "AS=1") for n in names]}
    )  # fmt: skip
    got = diplotype_table(shares, learnt).set_index("diplotype").posterior_probability
    # activity 1 for certain: *1/*22 counts with its share of activity 1
    one = shares[shares.component.isin(["AS=1", "AS=unknown:1"])].groupby("diplotype").weight.sum()
    assert got.to_dict() == pytest.approx((one / one.sum()).to_dict())
