"""Spreads between people that no single drug states: of enzymes, organs, flows and GFR."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import yaml

from pharmtwin.body.variability import TABLE, residual_sds
from pharmtwin.facts import RESOURCES, fact_table
from pharmtwin.uncertainty.inputs import Input, factor

PLAN = "qualification/plan.yaml"


@dataclass(frozen=True)
class Spread:
    """Sds of logarithms for intervals that no table of the body holds.

    within_genotype : activity of an enzyme or transporter between people of one genotype. transporter : without it.
    gfr : GFR of healthy people of one age and size. ratio_studies, ratio_studies_cmax : ratios of AUC and of Cmax of
    one pair of arms between studies. company : exposure to the other drugs of an arm, between studies. turnover :
    enzyme turnover. few : between studies, where the building set has fewer than 10 observations. people : of a study
    that does not tell their number.
    """

    within_genotype: float
    transporter: float
    gfr: float
    ratio_studies: float
    ratio_studies_cmax: float
    company: float
    turnover: float
    few: float
    people: float


@cache
def shipped_spread() -> Spread:
    """The spreads of ``resources/qualification/plan.yaml``."""
    raw = yaml.safe_load((RESOURCES / PLAN).read_text(encoding="utf-8"))["spread"]
    return Spread(**{key: float(entry["value"]) for key, entry in raw.items()})


sds = cache(residual_sds)


@cache
def enzyme_sds() -> dict[str, float]:
    """Sd of the logarithm of the activity by enzyme: content per microsomal protein and protein per gram."""
    of = sds()
    return {k.partition(".")[2]: math.hypot(v, of["MPPGL"]) for k, v in of.items() if k.startswith("enzyme.")}


def residual(quantity: str, acts_on: str = "", **more: object) -> Input:
    """An input of the body: residual spread of a quantity of ``physiology/variability.tsv``, with its source."""
    table = fact_table(TABLE)
    row = table[(table["quantity"] == quantity) & (table["default"] == 1)].iloc[0]
    return factor(quantity, sds()[quantity], "body", acts_on or quantity, str(row["source"]), **more)
