"""Which single element would have to be wrong, and by how much, to explain infants' clearance by CYP3A4.

Information only: no default is chosen by it. One element of the scaling is multiplied by a factor, everything else
stays; wanted is the factor that makes the geometric mean of predicted/observed 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from pharmtwin.curation.pediatric_clearance import Body, Drug, Pair, prepared, scaled_clearance, unbound

Floats = NDArray[np.float64]

BAND = "1-12 months"
LARGEST = 1000.0  # factors from its inverse to here are tried
STEPS = 60  # bisections

#: drug, child, factor -> drug, child with one element changed
Change = Callable[[Drug, Body, float], tuple[Drug, Body]]


def _body(*names: str) -> Change:
    def change(drug: Drug, child: Body, factor: float) -> tuple[Drug, Body]:
        return drug, replace(child, **{name: getattr(child, name) * factor for name in names})

    return change


#: name -> change; liver mass and CYP3A4 per gram enter as their product, so one factor stands for either
ELEMENTS: dict[str, Change] = {
    "hepatic blood flow": _body("hepatic_flow"),
    "liver mass, or CYP3A4 per gram": _body("cyp3a4"),
    "liver mass, its flow in proportion": _body("cyp3a4", "hepatic_flow"),
    "AGP in plasma (unbound fraction)": _body("agp"),
    "AGP and albumin (unbound fraction)": _body("agp", "albumin"),
    "clearance of the reference adult": lambda drug, child, factor: (
        replace(drug, clearance=drug.clearance * factor),
        child,
    ),
}


@dataclass(frozen=True)
class Group:
    """Infants of one drug: the pair with their bodies alone, observed clearances (mL/min/kg), hepatic flow."""

    pair: Pair
    observed: Floats


def groups(band: str = BAND) -> list[Group]:
    """The CYP3A4 values of an age band, by drug."""
    rows, pairs = prepared()
    out = []
    for pair in pairs:
        inside = (rows["band"].iloc[pair.rows] == band).to_numpy(dtype=bool)
        if pair.drug.group == "CYP3A4" and inside.any():
            child = Body(**{f.name: getattr(pair.child, f.name)[inside] for f in fields(Body)})
            mine = pair.rows[inside]
            out.append(Group(replace(pair, rows=mine, child=child), rows["CL_mL_min_kg"].to_numpy(float)[mine]))
    return out


def log_bias(mine: list[Group], change: Change, factor: float) -> float:
    """Mean of log(predicted/observed) with one element times ``factor``; infinite if the adult's liver cannot do it."""
    logs = []
    for one in mine:
        drug, child = change(one.pair.drug, one.pair.child, factor)
        try:
            predicted = scaled_clearance(drug, child, one.pair.adult) / child.weight
        except ValueError:  # the adult's clearance would exceed hepatic blood flow
            return float("inf")
        logs.append(np.log(predicted / one.observed))
    return float(np.concatenate(logs).mean())


def needed(mine: list[Group], change: Change) -> float:
    """The factor that takes the bias to 1, nan if none between 1/1000 and 1000 does."""
    start = log_bias(mine, change, 1.0)
    if start == 0.0:
        return 1.0
    for end in (LARGEST, 1.0 / LARGEST):
        inner, outer = 0.0, float(np.log(end))
        if np.sign(log_bias(mine, change, end)) == np.sign(start):
            continue
        for _ in range(STEPS):
            middle = (inner + outer) / 2.0
            if np.sign(log_bias(mine, change, float(np.exp(middle)))) == np.sign(start):
                inner = middle
            else:
                outer = middle
        if abs(log_bias(mine, change, float(np.exp(inner)))) < 1e-6:
            return float(np.exp(inner))
    return float("nan")


def table_rows() -> tuple[list[str], list[list[str]]]:
    """Head and rows: each element, the factor for all values together and for each drug."""
    mine = groups()
    names = [f"{g.pair.drug.name} ({len(g.observed)})" for g in mine]
    count = sum(len(g.observed) for g in mine)
    head = ["element, times", f"all ({count})", *names]
    rows = [["*predicted/observed as it is*", *(f"{np.exp(log_bias(part, ELEMENTS['hepatic blood flow'], 1.0)):.2f}"
             for part in (mine, *([g] for g in mine)))]]  # fmt: skip
    for name, change in ELEMENTS.items():
        factors = [needed(part, change) for part in (mine, *([g] for g in mine))]
        rows.append([name, *("none does" if np.isnan(f) else f"{f:.2g}" for f in factors)])
    return head, rows


def as_modelled() -> dict[str, float]:
    """Medians of the infants' elements as the body has them: hepatic flow (mL/min/kg, and over the adult's), CYP3A4 of
    the whole liver per kg over the adult's, unbound fraction of AGP-bound drugs over the adult's."""
    flow, ratio, content, free = [], [], [], []
    for one in groups():
        child, adult = one.pair.child, one.pair.adult
        flow.append(child.hepatic_flow / child.weight)
        ratio.append(flow[-1] / (adult.hepatic_flow / adult.weight))
        content.append((child.cyp3a4 / child.weight) / (adult.cyp3a4 / adult.weight))
        if one.pair.drug.protein == "AGP":
            free.append(unbound(one.pair.drug, child) / unbound(one.pair.drug, adult))
    parts = {"flow": flow, "flow_ratio": ratio, "content_ratio": content, "unbound_ratio": free}
    return {name: float(np.median(np.concatenate(values))) for name, values in parts.items()}
