"""Words for what a GFR was computed from: one label a person, so that no choice stays silent."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pharmtwin.body.equations import Bools, Floats

NOT_COMPUTED = "not computed"
MEASURED = "measured"
Words = NDArray[np.str_]


def _pick(*cases: tuple[Any, Any], default: Any = "") -> Words:
    return np.select([c for c, _ in cases], [np.asarray(v, dtype=object) for _, v in cases], default).astype(object)


def marker_label(has_cr: Bools, has_cys: Bools, creatinine: str, cystatin: str, combined: str) -> Words:
    """Name of the equation by what was given."""
    return _pick((has_cr & has_cys, combined), (has_cr, creatinine), (has_cys, cystatin))


def method_labels(
    *,
    age: Floats,
    weight: Floats,
    height: Floats,
    gestation: Floats,
    measured: Floats,
    missing: Bools,
    w_cr: Floats,
    w_cys: Floats,
    has_cr: Bools,
    has_cys: Bools,
    w_old: Floats,
    w_typical: Floats,
    young: tuple[str, str, str],
    old: tuple[str, str, str],
    typical: str,
    children: str = "Rhodin 2009",
) -> Words:
    """Label of every person, shape (n,).

    ``young`` and ``old`` name the equation of creatinine, of cystatin C and of both, ``typical`` and ``children`` what
    is taken without a marker; ``w_*`` are the weights of creatinine, cystatin C, the adults' equation and the adults'
    typical value; ``gestation`` is as told (NaN: not).
    """
    child = marker_label(w_cr > 0, w_cys > 0, *young)
    adult = marker_label(has_cr, has_cys, *old)
    marker = _pick((w_old <= 0, child), (w_old >= 1, adult), default=child + " into " + adult)
    alone = _pick((w_typical <= 0, children), (w_typical >= 1, typical), default=f"{children} into {typical}")
    w = np.maximum(w_cr, w_cys)
    label = _pick((w <= 0, alone), (w >= 1, marker), default=alone + " into " + marker)
    idle_cr, idle_cys = has_cr & (w_cr <= 0), has_cys & (w_cys <= 0)
    label = label + _pick(
        (idle_cr & idle_cys, "; creatinine and cystatin C not used at this age"),
        (idle_cr, "; creatinine not used at this age"),
        (idle_cys, "; cystatin C not used at this age"),
        ((w <= 0) & ~has_cr & ~has_cys, "; no marker given"),
    )
    label = label + _pick(((age < 2) & np.isnan(gestation), "; born at term assumed"))
    lacking = (
        _pick((np.isnan(age), " age_y"))
        + _pick((np.isnan(weight), " weight_kg"))
        + _pick((np.isnan(height), " height_cm"))
    )
    label = _pick(
        (missing, NOT_COMPUTED + ": missing" + lacking),
        (~np.isnan(measured), MEASURED),
        default=label,
    )
    return label.astype(str)
