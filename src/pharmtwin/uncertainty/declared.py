"""Inputs that only the sensitivity analysis knows: rows of ``resources/sensitivity/inputs.tsv``."""

from __future__ import annotations

from pharmtwin.facts import fact_table
from pharmtwin.tables import records
from pharmtwin.uncertainty.inputs import Input, Law

TABLE = "sensitivity/inputs.tsv"


def declared_inputs(of: str) -> tuple[Input, ...]:
    """Rows for ``twin`` (schema 1) or ``system`` (schema 2), in the order of the table."""
    out = []
    for r in records(fact_table(TABLE).fillna("")):
        if r.of in (of, "both"):
            law = Law(str(r.family), (float(r.a), float(r.b)))
            out.append(Input(str(r.input), law, str(r.kind), str(r.acts_on), str(r.source), unit=str(r.unit),
                             group=str(r.group)))  # fmt: skip
    return tuple(out)
