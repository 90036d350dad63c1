"""The sheet of a virtual population, as ``pharmtwin cohort`` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pharmtwin import __version__
from pharmtwin.body.people.cohort import Cohort
from pharmtwin.cohorts.genotypes import draw_genotypes
from pharmtwin.files import write_text
from pharmtwin.tables.spreadsheet import tsv

#: significant digits, as a ward would write them down
DIGITS = {"age_y": 5, "weight_kg": 4, "height_cm": 4, "creatinine_mg_dl": 3, "haematocrit": 3}


def sheet(drawn: Cohort, seed: int, genes: Sequence[str] = ()) -> pd.DataFrame:
    """A twins sheet: people rounded to :data:`DIGITS`, label ``synthetic``, without VCFs, a column a gene.

    ``survey_weight`` is 1 for all, for :func:`pharmtwin.body.people.raking.rake` to start from; the check passes over
    it and over the columns of genes.
    """
    people = drawn.people.rename(columns={"weight": "survey_weight"})
    people.insert(1, "vcf", "")
    people.insert(2, "sample", "")
    for column, digits in DIGITS.items():
        people[column] = [float(f"{x:.{digits}g}") for x in people[column]]
    people["label"] = "synthetic"
    genotypes = draw_genotypes(people, seed, genes) if genes else people[["twin_id"]]
    return people.merge(genotypes, on="twin_id", validate="one_to_one")


def write_sheet(path: Path, drawn: Cohort, seed: int, genes: Sequence[str] = ()) -> None:
    """TSV with what is to be known about these people in comment lines above it."""
    lines = [
        "SYNTHETIC virtual people, for research use only",
        f"pharmtwin {__version__}, seed {seed}, accepted {100 * drawn.acceptance:.3g} % of the people drawn",
        *drawn.notes,
    ]
    text = "".join(f"# {line}\n" for line in lines)
    write_text(path, text + tsv(sheet(drawn, seed, genes)))
