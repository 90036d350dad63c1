"""The report calls a fit good only where every check of the sampler was made and passed."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pytest
from report_fixture import make_inputs, make_tables

from pharmtwin.report import build_report
from pharmtwin.report.soundness import GOOD, fit_alert, fit_verdict

PRAISE = "The fit is good"
BUNDLE = re.compile(r"/\* bundle begins \*/.*?/\* bundle ends \*/", re.S)


@pytest.fixture(scope="module")
def small() -> dict[str, Any]:
    """Tables of six twins, one of them fitted; every check passed."""
    tables = make_tables(6, 1)
    checks = tables["fit_diagnostics"]
    value = checks["value"].where(checks["check"] != "max_treedepth_hits", 0.0)
    return {**tables, "fit_diagnostics": checks.assign(value=value, passed=True)}


def pages_of(small: dict[str, Any], checks: pd.DataFrame) -> list[str]:
    """Index, page of the fit, page of the fitted twin."""
    pages = build_report(make_inputs({**small, "fit_diagnostics": checks}))
    (twin,) = [name for name in pages if name.startswith("twins/")]
    return [BUNDLE.sub("", pages[name]) for name in ("index.html", "fit.html", twin)]


def test_a_good_fit_is_called_good(small: dict[str, Any]) -> None:
    inputs = make_inputs(small)
    assert fit_verdict(inputs) == GOOD and fit_alert(inputs) is None
    index, fit, twin = pages_of(small, small["fit_diagnostics"])
    assert PRAISE in fit and "10 of 10" in index + fit
    assert "did not pass its diagnostics" not in index + fit + twin


@pytest.mark.parametrize("check", ["max_rhat", "min_ess_tail", "divergences", "solver_failures", "max_mcse_mean"])
@pytest.mark.parametrize("how", ["failed", "not a number", "not looked at"])
def test_a_fit_with_one_fault_is_not(small: dict[str, Any], check: str, how: str) -> None:
    checks = small["fit_diagnostics"]
    own = checks["check"] == check
    if how == "failed":
        checks = checks.assign(passed=~own)
    elif how == "not a number":
        checks = checks.assign(value=checks["value"].where(~own), passed=~own)
    else:
        checks = checks[~own]
    inputs = make_inputs({**small, "fit_diagnostics": checks})
    assert fit_verdict(inputs) != GOOD and check in fit_verdict(inputs)
    index, fit, twin = pages_of(small, checks)
    assert PRAISE not in index + fit and "The fit is not good" in fit and check in fit
    for page in (index, twin):
        assert "did not pass its diagnostics" in page and check in page


def test_a_check_of_the_fits_own_counts(small: dict[str, Any]) -> None:
    """A run that was stopped at its cap, or a future check that this version does not know."""
    row = pd.DataFrame([("stopped", 1.0, "not before all draws were made", False, "")],
                       columns=small["fit_diagnostics"].columns)  # fmt: skip
    assert fit_verdict(make_inputs({**small, "fit_diagnostics": pd.concat([small["fit_diagnostics"], row])})) != GOOD


def test_no_diagnostics_are_no_praise(small: dict[str, Any]) -> None:
    checks = small["fit_diagnostics"].iloc[:0]
    index, fit, _ = pages_of(small, checks)
    assert PRAISE not in index + fit and "did not pass its diagnostics" in index and "do not trust the fit" in fit


def test_where_no_fit_was_made_there_is_nothing_to_judge(small: dict[str, Any]) -> None:
    none = {k: None for k in ("fit_summary", "fit_diagnostics", "fit_twins", "fit_genotype")}
    inputs = make_inputs(small, **none)
    assert fit_verdict(inputs) == "" and fit_alert(inputs) is None
