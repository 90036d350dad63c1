"""What the reference tables of a folder must hold: their columns, all checked before a row is read."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

_RATIO = ("data_id", "study", "analyte", "contrast", "route", "dose_mg", "t_end_h", "obs_aucr", "obs_cmaxr",
          "osp_pred_aucr", "osp_pred_cmaxr", "flag")  # fmt: skip
_INTERACTION = (
    "Study ID", "Grouping", "Victim", "Perpetrator", "Route Victim", "Route Perpetrator", "AUCR Avg", "CmaxR Avg",
    "t_placebo_0", "t_placebo_end", "t_treatment_0", "t_treatment_end", "t Unit", "Dose", "Dose Unit",
    "Times of Administration",
)  # fmt: skip
#: columns without which a table is misread. Not here: those that add words where they are there (``grouping`` of data
#: sets; dosage form, food, infusion of ``osp_ddi_ratios_raw``)
COLUMNS = {
    "osp_datasets": (
        "dataset_id", "drug", "analyte", "osp_name", "study", "gene", "genotype_or_phenotype",
        "genotype_of_linked_individual", "n", "route", "dose", "food", "matrix", "dimension", "error_type",
        "population", "sex", "age_y", "weight_kg", "height_cm",
    ),
    "osp_doses": (
        "dataset_id", "compound", "time_h", "dose", "dose_unit", "application", "infusion_min", "formulation",
    ),
    "osp_profiles": ("dataset_id", "time_h", "conc_ug_per_L", "error"),
    "cyp2d6_genotype_ratios": _RATIO,
    "osp_cyp2d6_dgi_ratios": _RATIO,
    "derived_group_ratios": (
        "analyte", "reference", "test", "ref_id", "test_id", "t_last_h", "auc_ratio", "cmax_ratio",
    ),
    "osp_ddi_pred_vs_obs": ("network", "data_id", "osp_pred_aucr", "osp_pred_cmaxr", *_INTERACTION),
    "osp_ddi_ratios_raw": (
        "ID", "Compartment", "R Dose correction factor", "Comment", "Dose free API", *_INTERACTION,
    ),
}  # fmt: skip


class TableError(ValueError):
    """Reference tables that cannot be used; the message lists everything that is wrong, by file."""


def read_csv(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV as text; none if the file is not there. Raises ValueError if it is no CSV in UTF-8."""
    rows = _table(path).to_dict("records") if path.exists() else []
    return [{str(k): str(v).strip() for k, v in row.items()} for row in rows]


def check_columns(folder: Path) -> None:
    """Raises TableError listing every column that a table of the folder lacks, and every table that is no CSV."""
    wrong = []
    for name, needed in COLUMNS.items():
        path = folder / f"{name}.csv"
        if not path.exists():
            continue
        try:
            there = _table(path).columns
        except ValueError as error:  # of pandas: no text in UTF-8, no header, rows of other lengths
            wrong.append(f"{path.name}: cannot be read as CSV in UTF-8 ({error})")
            continue
        missing = [c for c in needed if c not in there]
        wrong += [f"{path.name}: no column {', '.join(missing)}"] if missing else []
    if wrong:
        raise TableError(f"reference tables in {folder}:\n" + "\n".join(wrong))


def _table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)
