"""Forms of the map from CYP2D6's alleles to activity, and its estimation with a drug left out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from pharmtwin.qualification.activity.forms import BY_NAME, FORMS
from pharmtwin.qualification.activity.map import GRID, Group, Row, estimate, leave_one_out, loss
from pharmtwin.qualification.reading.genotypes import coded_by_pair, mixture, pairs_of_code

PAIRS = [(0.0, 0.0), (0.0, 0.5), (0.25, 0.25), (0.0, 1.0), (0.25, 1.0), (0.5, 1.0), (1.0, 2.0)]


def group(pair: tuple[float, float], fm: float) -> Group:
    """AUC 1 / (1 - fm + fm activity)."""
    auc = 1.0 / (1.0 - fm + fm * GRID)
    return Group(((pair, 1.0),), PchipInterpolator(np.sqrt(GRID), np.log(auc)))


def rows(exponents: dict[str, float]) -> list[Row]:
    """Ratios that a power map gives, a drug with its own exponent."""
    out = []
    for drug, g in exponents.items():
        for pair in PAIRS:
            observed = 1.0 / (1.0 - 0.9 + 0.9 * (sum(pair) / 2.0) ** g)
            out.append(Row(f"{drug} {pair}", drug, f"{pair}", observed, group(pair, 0.9), group((1.0, 1.0), 0.9)))
    return out


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.name)
def test_forms_are_relative_to_two_normal_alleles_and_rise(form) -> None:  # type: ignore[no-untyped-def]
    x = [1.6 if n == "g" else 0.1 if n == "f0" else 0.2 for n in form.names]
    f = form.activity(x)
    assert f((1.0, 1.0)) == pytest.approx(1.0) and f((0.0, 0.0)) == 0.0
    values = [f(p) for p in [(0.0, 0.25), (0.0, 0.5), (0.0, 1.0), (0.5, 1.0), (1.0, 2.0)]]
    assert values == sorted(values) and values[0] > 0


def test_exponent_is_found_again() -> None:
    found = estimate(rows({"a": 1.7, "b": 1.7}), BY_NAME["power"])
    assert found[0] == pytest.approx(1.7, rel=0.02)


def test_a_drug_does_not_see_its_own_rows() -> None:
    told = leave_one_out(rows({"a": 1.3, "b": 2.0, "c": 2.0}), BY_NAME["power"])
    assert told.parameters["a"][0] == pytest.approx(2.0, rel=0.02)
    assert told.by_drug["a"] > 1.2 and told.gmfe > 1.0


def test_each_drug_has_one_vote() -> None:
    some = rows({"a": 1.0, "b": 2.0})
    many = some + 5 * [r for r in some if r.drug == "a"]
    assert loss(many, BY_NAME["power"], [1.5]) == pytest.approx(loss(some, BY_NAME["power"], [1.5]))


def test_curve_leaves_out_the_drugs_own_model() -> None:
    curve = BY_NAME["mean_curve"]
    assert curve.activity((), "paroxetine")((0.0, 1.0)) != curve.activity((), "risperidone")((0.0, 1.0))


def test_pairs_of_a_group_by_ancestry() -> None:
    with coded_by_pair():
        asian, european = (dict(pairs_of_code(mixture("CYP2D6", "AS0.5", a))) for a in ("EAS", "EUR"))
    assert set(asian) == set(european) == {(0.25, 0.25), (0.0, 0.5)}
    assert asian[0.25, 0.25] > 20 * asian[0.0, 0.5] and european[0.0, 0.5] > european[0.25, 0.25]
    assert len(mixture("CYP2D6", "AS0.5", "EAS")) == 1  # and outside it activities again
