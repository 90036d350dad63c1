"""Calibration on a slice: synthetic people of known truth. The whole: `make calibration`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from pharmtwin.core.drug import load_drug
from pharmtwin.inference.calibration import ladder
from pharmtwin.inference.calibration.cases import Case, Person, cases
from pharmtwin.inference.calibration.coverage import agreement_passes, coverage, coverage_passes, summary
from pharmtwin.inference.calibration.ranks import ranks
from pharmtwin.inference.calibration.settings import settings
from pharmtwin.inference.calibration.synthetic import synthetic
from pharmtwin.inference.criticism.sbc import LOG_LIKELIHOOD, sbc_table
from pharmtwin.inference.twin.prior import TwinPrior
from pharmtwin.inference.twin.settings import ladder_options
from pharmtwin.inference.twin.whole_body import ACTIVITY

#: people of the wrong prior lie far from it, and NUTS would take its time over each
NO_SECOND_OPINION = replace(ladder_options(), conflict=0.0, rounds=2, nuts_seconds=0.0)


def too_sure(case: Case) -> Case:
    """The case, data as before, but fitted with a twentieth of the prior's variances: a fault that must be seen."""

    def person(rng: np.random.Generator, name: str) -> Person:
        p = case.person(rng, name)
        return replace(p, prior=_Swapping(p.prior))

    return replace(case, person=person)


class _Swapping(TwinPrior):
    """Draws from the true prior, but has the moments and density of one that is too narrow."""

    def __init__(self, true: TwinPrior) -> None:
        super().__init__(true.names, true.centre, true.mean, 0.05 * true.cov, true.sigma)
        object.__setattr__(self, "_true", true)

    def sample(self, n: int, rng: np.random.Generator):  # type: ignore[no-untyped-def]
        return self._true.sample(n, rng)  # type: ignore[attr-defined]


def test_thirty_twins_are_covered_as_asked() -> None:
    table = coverage(cases()["amikacin"], 30)
    found = summary(table)
    assert found["untrusted"] == 0 and set(table["n_samples"]) == {1, 2, 3, 4, 5}
    low, high = binom.interval(0.999, 30, settings("asked")["level"])
    assert low <= table["inside"].sum() <= high
    assert found["median_seconds"] < settings("asked")["median_seconds"]
    wrong = coverage(too_sure(cases()["amikacin"]), 30, options=NO_SECOND_OPINION)
    assert wrong["inside"].sum() < low


def test_ranks_of_twenty_are_uniform_and_those_of_a_wrong_prior_are_not() -> None:
    case = cases()["one_compartment"]
    counted, kept = ranks(case, 20)
    assert kept == 100 and set(counted) == {"eta_CL", "eta_VC", "eta_KA", "clearance", LOG_LIKELIHOOD}
    table = sbc_table(counted, kept).set_index("quantity")
    assert table["passed"].all() and (table["n"] == 20).all()
    np.testing.assert_array_equal(counted["clearance"], counted["eta_CL"])  # the same up to a constant
    wrong = sbc_table(ranks(too_sure(case), 20, options=NO_SECOND_OPINION)[0], kept).set_index("quantity")
    assert not wrong["passed"].all() and wrong["spread"].max() > 1.3


def test_a_person_is_the_same_whoever_else_is_drawn() -> None:
    case = cases()["amikacin"]
    a, b, c = synthetic(case, 1, "twin3"), synthetic(case, 1, "twin3"), synthetic(case, 2, "twin3")
    np.testing.assert_array_equal(a.person.subject.obs_value, b.person.subject.obs_value)
    np.testing.assert_array_equal(a.v, b.v)
    assert a.log_lik == b.log_lik and not np.array_equal(a.v, c.v)
    assert np.all(a.person.subject.times[a.person.subject.obs_row] > 0.5)


def test_what_is_not_as_asked_does_not_pass() -> None:
    good = {"inside": 0.9, "median_seconds": 1.0, "untrusted": 0}
    assert coverage_passes(good)
    for change in ({"inside": 0.86}, {"inside": 0.94}, {"median_seconds": 2.1}, {"untrusted": 1}):
        assert not coverage_passes({**good, **change})
    table = pd.DataFrame({"difference": [0.5, -3.9], "good": [True, True]})
    assert agreement_passes(table)
    assert not agreement_passes(table.assign(good=[True, False]))
    assert not agreement_passes(table.assign(difference=[0.5, -4.1]))


def test_the_command_says_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ladder.main(["--case", "nobody"]) == 2
    assert "amikacin, one_compartment" in capsys.readouterr().err
    ladder.main(["--case", "one_compartment", "--twins", "3", "--sbc", "3", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    assert "coverage, one_compartment, clearance: n 3" in said and "SBC, one_compartment" in said
    assert len(pd.read_csv(tmp_path / "one_compartment_coverage.tsv", sep="\t")) == 3
    assert len(pd.read_csv(tmp_path / "one_compartment_ranks.tsv", sep="\t")) == 3


def test_whole_body_people_have_an_ambiguous_genotype_and_an_uncertain_population() -> None:
    from pharmtwin.body.physiology import physiology, reference_twins
    from pharmtwin.core.assembly import assemble

    drug = load_drug("paroxetine")
    case = cases(assemble(drug, physiology(reference_twins())), drug)["whole_body"]
    made = synthetic(case, 1, "twin0")
    assert len(made.person.components) == 3 and made.person.prior.n_draws == 200
    assert sum(c.weight for c in made.person.components) == pytest.approx(1.0)
    assert np.isfinite(made.log_lik) and made.sigma[0] in made.person.prior.sigma
    activity = made.person.components[made.case].values[ACTIVITY]
    assert made.value == pytest.approx(np.log(activity) + made.v[0])
