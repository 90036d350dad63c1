"""Our modes, objectives and predictions beside NONMEM's, subject by subject.

Like is compared with like: where we know two modes of a subject (from eta = 0, and the best), NONMEM's is compared with
the one whose objective is closer to its own; that it is not the best one is said apart. An objective is -2 log of the
joint density of data and effects without constants.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.inference.models.description import PopulationModel
from pharmtwin.inference.models.occasions import effect_of
from pharmtwin.inference.nonmem.estimates import Found
from pharmtwin.inference.problem.case import Case

Floats = NDArray[np.float64]
#: what is asked: etas, share SHARE_CLOSE of them within CLOSE, objective (difference), predictions (relative)
ETA, CLOSE, OBJECTIVE, PREDICTION = 1e-3, 1e-4, 1e-3, 1e-4
SHARE_CLOSE, SHARE_COVERED = 0.95, 0.95
#: objectives that differ by less are of one optimum (the solver's noise is 1e-7)
SAME = 1e-6


@dataclass(frozen=True)
class Comparison:
    """One model beside NONMEM.

    Attributes
    ----------
    subjects : a row a subject: subject, failed, compared ("from 0" or "best": the mode ETA1 ... is of), ETA1 ...,
        NM_ETA1 ..., BEST_ETA1 ..., max_eta_difference, objective (of the compared mode), nonmem_objective,
        from_0_objective, best_objective, pred_difference, ipred_difference (greatest over observations), and
        ``apart`` (the compared mode is lower than NONMEM's by more than :data:`OBJECTIVE`: not its optimum),
        ``lower`` (the best mode is lower than NONMEM's by more than that), ``higher`` (NONMEM's is lower than our
        best). What NONMEM does not state is NaN.
    predictions : a row an observation: subject, row, time, output, value, pred, ipred, best_ipred, nonmem_pred,
        nonmem_ipred, pred_difference, ipred_difference.
    """

    number: str
    subjects: pd.DataFrame
    predictions: pd.DataFrame
    n_etas: int
    seconds: float

    @property
    def differences(self) -> Floats:
        """Absolute differences of all etas, (n_subjects, n_etas)."""
        ours = self.subjects[[f"ETA{k + 1}" for k in range(self.n_etas)]].to_numpy()
        theirs = self.subjects[[f"NM_ETA{k + 1}" for k in range(self.n_etas)]].to_numpy()
        return np.abs(ours - theirs)


def eta_columns(model: PopulationModel, expanded: PopulationModel, eta: Floats, n_occasions: int) -> Floats:
    """Etas (n_subjects, n) in NONMEM's order: the model file's, an effect of the occasion once an occasion.

    eta (n_subjects, n_random) in the order of the expanded model. Occasions that nobody has get 0, the mode there.
    """
    names = [r.name for r in expanded.random]
    columns = []
    for effect in model.random:
        own = (
            [effect.name] if effect.level == "subject" else [effect_of(effect.name, k + 1) for k in range(n_occasions)]
        )
        columns += [eta[:, names.index(n)] if n in names else np.zeros(len(eta)) for n in own]
    return np.column_stack(columns) if columns else np.zeros((len(eta), 0))


def difference(ours: Floats, theirs: Floats, logarithmic: NDArray[np.bool_]) -> Floats:
    """Relative difference of predictions; of logarithms the difference: the relative one of what they are of.

    NaN where ``theirs`` is; infinite where only ours is no number, or only theirs is 0.
    """
    gap = np.abs(ours - theirs)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(logarithmic | (gap == 0.0), gap, gap / np.abs(theirs))
    return np.asarray(np.where(np.isfinite(theirs) & ~np.isfinite(ours), np.inf, value))


def compare(
    number: str, case: Case, found: Found, expected: pd.DataFrame | None, seconds: float, failed: dict[str, str]
) -> Comparison:
    """Compare with NONMEM's etas and objectives (``expected``: ID, ETA1 ..., OFV_MAP) and the data's NM_PRED, NM_IPRED.

    failed : subjects whose search failed. Raises ValueError where expected and data do not fit each other.
    """
    n_occasions = max(len(case.columns.occasions), 1)
    near, best = (eta_columns(case.model, found.problem.model, m.eta, n_occasions) for m in (found.near, found.best))
    n_etas = near.shape[1]
    ids = [s.id for s in case.subjects]
    nonmem, nonmem_objective = _expected(expected, ids, n_etas)
    first, lowest = found.near.objective, found.best.objective
    closer = np.abs(lowest - nonmem_objective) < np.abs(first - nonmem_objective)
    use_best = closer & (first > lowest + SAME)
    ours, etas = np.where(use_best, lowest, first), np.where(use_best[:, None], best, near)
    predictions = _predictions(case, found, use_best)
    table = pd.DataFrame({"subject": ids, "failed": [failed.get(i, "") for i in ids]})
    table["compared"] = np.where(use_best, "best", "from 0")
    for prefix, values in (("ETA", etas), ("NM_ETA", nonmem), ("BEST_ETA", best)):
        for k in range(n_etas):
            table[f"{prefix}{k + 1}"] = values[:, k]
    table["max_eta_difference"] = np.abs(etas - nonmem).max(axis=1) if n_etas else 0.0
    table["objective"], table["nonmem_objective"] = ours, nonmem_objective
    table["from_0_objective"], table["best_objective"] = first, lowest
    for column in ("pred_difference", "ipred_difference"):
        table[column] = predictions.groupby("subject", sort=False)[column].max().reindex(ids).to_numpy()
    table["apart"] = ours < nonmem_objective - OBJECTIVE
    table["lower"] = lowest < nonmem_objective - OBJECTIVE
    table["higher"] = ~(lowest <= nonmem_objective + OBJECTIVE) & np.isfinite(nonmem_objective)
    return Comparison(number, table, predictions, n_etas, seconds)


def _expected(expected: pd.DataFrame | None, ids: list[str], n_etas: int) -> tuple[Floats, Floats]:
    """NONMEM's etas and objectives in the order of our subjects; NaN where it states none."""
    if expected is None:
        return np.full((len(ids), n_etas), np.nan), np.full(len(ids), np.nan)
    own = expected.set_index(expected["ID"].map(lambda v: f"{v:g}" if isinstance(v, float) else str(v)))
    columns = [c for c in own.columns if c.startswith("ETA")]
    if len(columns) != n_etas:
        raise ValueError(f"NONMEM states {len(columns)} etas, the model has {n_etas}")
    missing = [i for i in ids if i not in own.index]
    if missing:
        raise ValueError(f"NONMEM states nothing of subjects {', '.join(missing)}")
    own = own.loc[ids]
    return own[[f"ETA{k + 1}" for k in range(n_etas)]].to_numpy(dtype=float), own["OFV_MAP"].to_numpy(dtype=float)


def _predictions(case: Case, found: Found, use_best: NDArray[np.bool_]) -> pd.DataFrame:
    """One row an observation."""
    model, rows = case.model, case.table.iloc[found.row - 2]
    ipred = np.where(use_best[found.subject], found.best_ipred, found.ipred)
    logarithmic = np.array([o.unit.startswith("log(") for o in model.outputs])[found.output]
    theirs = [
        rows[c].to_numpy(dtype=float) if c in rows else np.full(len(rows), np.nan) for c in ("NM_PRED", "NM_IPRED")
    ]
    return pd.DataFrame(
        {
            "subject": [case.subjects[i].id for i in found.subject], "row": found.row,
            "time": rows["TIME"].to_numpy(dtype=float), "output": [model.outputs[o].name for o in found.output],
            "value": rows[case.columns.value].to_numpy(dtype=float), "pred": found.pred, "ipred": ipred,
            "best_ipred": found.best_ipred, "nonmem_pred": theirs[0], "nonmem_ipred": theirs[1],
            "pred_difference": difference(found.pred, theirs[0], logarithmic),
            "ipred_difference": difference(ipred, theirs[1], logarithmic),
        }
    )  # fmt: skip


def summary(comparisons: list[Comparison]) -> pd.DataFrame:
    """A row a model: shares over all etas and observations; greatest differences over subjects not ``apart``."""
    rows = []
    for c in comparisons:
        same = c.subjects[~c.subjects["apart"]]
        pred, ipred = (c.predictions[f"{p}_difference"].dropna() for p in ("pred", "ipred"))
        gap = c.differences
        stated = np.isfinite(gap)
        rows.append(
            {
                "model": c.number, "subjects": len(c.subjects), "etas": int(stated.sum()),
                "within_1e-4": float(np.mean(gap[stated] < CLOSE)) if stated.any() else np.nan,
                "within_1e-3": float(np.mean(gap[stated] < ETA)) if stated.any() else np.nan,
                "max_eta": same["max_eta_difference"].max(),
                "max_objective": (same["objective"] - same["nonmem_objective"]).abs().max(),
                "max_pred": pred.max(), "max_ipred": same["ipred_difference"].max(), "observations": len(ipred),
                "ipred_within_1e-4": float(np.mean(ipred < PREDICTION)) if len(ipred) else np.nan,
                "apart": int(c.subjects["apart"].sum()), "lower": int(c.subjects["lower"].sum()),
                "higher": int(c.subjects["higher"].sum()), "failed": int((c.subjects["failed"] != "").sum()),
                "seconds": c.seconds,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def beyond(c: Comparison) -> list[str]:
    """Subjects in the same optimum whose etas, objective or IPRED differ by more than is asked, in words."""
    own = c.subjects[~c.subjects["apart"]]
    gap = own["objective"] - own["nonmem_objective"]
    wide = (own["max_eta_difference"] >= ETA) | (gap.abs() >= OBJECTIVE) | (own["ipred_difference"] >= PREDICTION)
    return [
        f"beyond tolerance: subject {s}: etas differ by {eta:.1e}, IPRED by {ipred:.1e}; our objective is "
        f"{'lower' if g < 0 else 'higher'} by {abs(g):.1e}"
        for s, eta, ipred, g in zip(
            own.loc[wide, "subject"], own.loc[wide, "max_eta_difference"], own.loc[wide, "ipred_difference"], gap[wide],
            strict=True,
        )
    ]  # fmt: skip


def lower_than_nonmem(comparisons: list[Comparison]) -> pd.DataFrame:
    """Subjects for whom an objective lower than NONMEM's was found, with all objectives."""
    columns = ["subject", "nonmem_objective", "from_0_objective", "best_objective", "max_eta_difference", "apart"]
    parts = []
    for c in comparisons:
        own = c.subjects.loc[c.subjects["lower"] | c.subjects["apart"], columns].copy()
        own.insert(0, "model", c.number)
        parts.append(own)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["model", *columns])
