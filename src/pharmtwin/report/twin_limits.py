"""Limits of one twin's prediction, in red: what was not seen, not learnt, not simulated, or lies outside the data."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pharmtwin.report.blocks import Alert, Block, Paragraph, Section
from pharmtwin.report.genome_calls import GeneCall
from pharmtwin.report.genome_warnings import warnings
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.people import ADULT
from pharmtwin.report.rows import records
from pharmtwin.report.waterfall import comedication_of
from pharmtwin.report.words import count, number, percent, plural

UNTOLD = 0.85  # an interval that is still this share of its prior width: the samples hardly told anything
COVERED = (("age", "age"), ("weight", "weight"), ("height", "height"))


def _genes(inputs: ReportInputs, twin: str, genes: list[GeneCall]) -> list[Alert]:
    """What the assay leaves open about the gene that changes predictions."""
    out = []
    for c in genes:
        if c.gene != inputs.gene:
            continue
        missing = int(c.site.n_not_assayed) if c.site is not None else 0
        if missing:
            text = f"{plural(missing, 'definition position')} of {c.gene} not assayed; not taken as reference, so the "
            out.append(Alert("bad", "Genotype", f"{text}alleles that they define stay possible."))
    for w in warnings(inputs, twin, genes):
        if w.gene == inputs.gene:
            out.append(Alert("bad", w.title, f"{w.gene}: {w.text}."))
    return out


def _unlearnt(inputs: ReportInputs, twin: str) -> list[Alert]:
    """Individual parameters whose interval the samples hardly narrowed."""
    rows = inputs.fit_twins[inputs.fit_twins["twin_id"] == twin]
    said = []
    for r in records(rows):
        if min(r.q05, r.prior_q05) <= 0:
            continue
        left = np.log(r.q95 / r.q05) / np.log(r.prior_q95 / r.prior_q05)
        if left > UNTOLD:
            said.append(f"{r.parameter} ({percent(min(left, 1.0))} of the width before)")
    if not said:
        return []
    text = f"the samples hardly narrowed {', '.join(said)}: there the twin is what genotype, body and population say."
    return [Alert("bad", "Not identified", text)]


def _outside(inputs: ReportInputs, twin: str) -> list[Alert]:
    """Covariates outside the range of the people whom the population was fitted to."""
    fitted, said = [t for t in inputs.fitted_twins if t != twin], []
    known = [(name, inputs.numeric_covariate(prefix)) for prefix, name in COVERED]
    known.append(("eGFR", inputs.body_quantity("eGFR")))
    for name, found in known:
        if found is None or not fitted:
            continue
        values, own = found[0].reindex(fitted).dropna(), found[0].get(twin)
        if len(values) and own is not None and not pd.isna(own) and not values.min() <= own <= values.max():
            said.append(f"{name} {number(own)} (they: {number(values.min())} to {number(values.max())})")
    if not said:
        return []
    others = plural(len(fitted), "other twin")
    text = f"outside the range of the {others} that the population was fitted to: {', '.join(said)}."
    return [Alert("bad", "Extrapolation", text)]


def _age(inputs: ReportInputs, twin: str) -> list[Alert]:
    found = inputs.numeric_covariate("age")
    years = found[0].get(twin) if found is not None else None
    if years is None or pd.isna(years) or years >= ADULT:
        return []
    text = "predictions in people under 18 years are checked far less than in adults."
    return [Alert("bad", "Child", text)]


def limits_of_twin(inputs: ReportInputs, twin: str, genes: list[GeneCall]) -> Section:
    """All limits of a twin's page, and what the page is for."""
    found = [*_genes(inputs, twin, genes), *_unlearnt(inputs, twin), *_outside(inputs, twin), *_age(inputs, twin)]
    told = comedication_of(inputs, twin)
    words = f"stated: {told}. " if told else "none is stated. "
    found.append(Alert("bad", "Comedication, food", f"not in the simulation; {words}An interaction would go unseen."))
    if twin not in inputs.fitted_twins:
        text = "no concentration of this twin: how it differs from people like it is not known."
        found.append(Alert("bad", "No samples", text))
    if inputs.synthetic:
        found.append(Alert("bad", "Simulated concentrations", "nothing on this page was measured in a patient."))
    intent = (
        f"{count(len(found))} limits. Intended use: research on methods of individual prediction. Not a medical "
        "device, and not for decisions on treatment."
    )
    blocks: tuple[Block, ...] = (*found, Paragraph(intent, "small"))
    return Section("limits", "Limits of this prediction", blocks)
