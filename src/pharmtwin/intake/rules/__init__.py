"""Rules that look at whole rows, sheets, and from one sheet into another: small functions in one registry.

Importing the package registers them all; :func:`run_rules` runs those whose tables are there.
"""

from pharmtwin.intake.rules import (  # noqa: F401  (each registers its rules)
    across,
    clockwork,
    covariates,
    dosing,
    identity,
    observations,
    people,
    quantities,
    regimens,
)
from pharmtwin.intake.rules.registry import RULES, Given, Rule, Table, run_rules

__all__ = ["RULES", "Given", "Rule", "Table", "run_rules"]
