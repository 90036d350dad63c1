"""Reference tables of a folder -> arms with observations, every row once."""

from __future__ import annotations

from pathlib import Path

from pharmtwin.facts import fact_table
from pharmtwin.qualification.reading.columns import check_columns
from pharmtwin.qualification.reading.interactions import interactions
from pharmtwin.qualification.reading.names import Genotypes, Library, library
from pharmtwin.qualification.reading.ratios import Context, cyp2d6, derived
from pharmtwin.qualification.reading.sets import data_sets, profiles, study_key
from pharmtwin.qualification.study import Studies


def read_studies(folder: Path, known: Library | None = None, *, in_sample: bool = False) -> Studies:
    """All that the reference tables of a folder hold, as arms and what was observed of them.

    Tables (those not there hold nothing): ``osp_datasets`` with ``osp_doses`` and ``osp_profiles``,
    ``cyp2d6_genotype_ratios``, ``osp_cyp2d6_dgi_ratios``, ``derived_group_ratios``, ``osp_ddi_pred_vs_obs`` and
    ``osp_ddi_ratios_raw`` (``.csv``). Every data set and every ratio is in exactly one list of the result; a row of
    both interaction tables (the same id) counts once.

    Parameters
    ----------
    folder : where the tables are.
    known : drug files; not given: those of ``resources/drugs``.
    in_sample : True takes the CYP2D6 map fitted on all drugs; else, for a drug that was in the fit, the one without it.

    A row that is not simulated is in ``left_out`` with the reason: no drug file, no doses, not plasma, text that could
    not be read (with what). Raises FileNotFoundError if the folder holds no table, TableError (all at once) for tables
    that are no CSV or lack columns.
    """
    if not any(folder.glob("*.csv")):
        raise FileNotFoundError(f"no reference tables (*.csv) in {folder}")
    check_columns(folder)
    drugs = library() if known is None else known
    genes = Genotypes(drugs, in_sample)
    groups = fact_table("qualification/groups.tsv")
    ancestries = {study_key(str(s)): str(a) for s, a in zip(groups["study"], groups["ancestry"])}
    context = Context(data_sets(folder), drugs, genes, ancestries)
    shown, left = profiles(context.sets, drugs, genes, ancestries)
    ratios = []
    for read in (cyp2d6, derived, interactions):
        more, without = read(folder, context)
        ratios += more
        left += without
    return Studies(tuple(shown), tuple(ratios), tuple(left))
