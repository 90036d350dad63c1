"""Which maturation of CYP3A4 to take: chosen on all drugs but one, judged on that one (leave-one-drug-out).

Candidates are the published curves that were not taken from these very values, each with the protein per gram of liver
that its basis asks for: a curve per mg of microsomal protein needs MPPGL, by either source; one per gram of liver none.
The held-out figure is out of sample in the choice of the curve alone: nothing else is chosen here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from pharmtwin.body.content.ontogeny import ontogeny_curve, ontogeny_sources
from pharmtwin.curation.pediatric_clearance import Judgement, body_of, judge_rows, predictions

#: taken from sufentanil clearance of children: part of the values here
NOT_INDEPENDENT = ("upreti_2016",)
PROTEIN = ("barter_2008", "leeder_2022")


@dataclass(frozen=True)
class Candidate:
    """A curve with its protein source; None where the curve is per gram of liver."""

    curve: str
    protein: str | None

    @property
    def name(self) -> str:
        """``curve x protein source``, or the curve alone."""
        return self.curve if self.protein is None else f"{self.curve} x {self.protein}"


def candidates() -> tuple[Candidate, ...]:
    """Every independent curve with every protein source it can be combined with."""
    out = []
    for name in sorted(ontogeny_sources("CYP3A4")):
        if name not in NOT_INDEPENDENT:
            per_mg = ontogeny_curve("CYP3A4", name).basis == "microsomal protein"
            out += [Candidate(name, p) for p in PROTEIN] if per_mg else [Candidate(name, None)]
    return tuple(out)


def by_candidate(group: str = "CYP3A4") -> dict[Candidate, pd.DataFrame]:
    """Predictions of the values of one group by each candidate, everything else as judged."""
    out = {}
    for one in candidates():
        rows = predictions(partial(body_of, curve=one.curve, protein=one.protein))
        out[one] = rows[rows["group"] == group].reset_index(drop=True)
    return out


@dataclass(frozen=True)
class Fold:
    """One drug held out: the candidate chosen on the others, their GMFE with it, the figures of the held-out drug."""

    drug: str
    chosen: Candidate
    others: float
    held_out: Judgement


def gmfe_of(rows: pd.DataFrame, drug_votes: bool = False) -> float:
    """GMFE of rows of :func:`predictions`: each value one vote, or (``drug_votes``) each drug one."""
    size = np.abs(np.log(rows["ratio"].to_numpy(dtype=float)))
    if drug_votes:
        size = pd.Series(size).groupby(rows["drug"].to_numpy()).mean().to_numpy()
    return float(np.exp(size.mean()))


def leave_one_drug_out(
    tables: dict[Candidate, pd.DataFrame], drug_votes: bool = False
) -> tuple[list[Fold], pd.DataFrame]:
    """The folds, and the held-out predictions of all drugs together (rows of :func:`predictions`).

    ``drug_votes`` weighs the drugs equally in the choice; the order of :func:`candidates` breaks a tie.
    """
    drugs = list(dict.fromkeys(next(iter(tables.values()))["drug"]))
    folds, parts = [], []
    for drug in drugs:
        score = {c: gmfe_of(rows[rows["drug"] != drug], drug_votes) for c, rows in tables.items()}
        best = min(score, key=lambda c: score[c])
        mine = tables[best][tables[best]["drug"] == drug]
        folds.append(Fold(drug, best, score[best], judge_rows(mine)))
        parts.append(mine)
    return folds, pd.concat(parts)
