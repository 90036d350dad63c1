"""How a regimen is really taken: which doses are omitted, and when the last one is swallowed.

``adherence.taken`` is the share of doses that a patient takes, ``adherence.pattern`` a number that decides which ones,
``adherence.delay`` how late the last dose is. The dose that opens the observed interval is always taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
TAKEN, PATTERN, DELAY = "adherence.taken", "adherence.pattern", "adherence.delay"
#: largest shift of a dose, as a share of the dosing interval
LARGEST_SHIFT = 1.0 / 3.0
GOLDEN = (5.0**0.5 - 1.0) / 2.0


def taken_doses(
    times: Sequence[float] | Floats, amounts: Sequence[float] | Floats, drawn: Mapping[str, Floats], n: int
) -> tuple[Floats, Floats]:
    """Times (h) and amounts (mg) of the doses of ``n`` runs, each (n, n_doses); an omitted dose has amount 0.

    Of the doses before the last a run omits those whose place in the golden-ratio sequence, moved by the run's
    pattern, is below 1 - taken: the share omitted is met on average and the omitted ones lie apart.
    """
    t, a = np.tile(np.asarray(times, dtype=float), (n, 1)), np.tile(np.asarray(amounts, dtype=float), (n, 1))
    last = t.shape[1] - 1
    if TAKEN in drawn and last > 0:
        pattern = drawn.get(PATTERN, np.zeros(n))
        place = np.mod((last - np.arange(last)) * GOLDEN + pattern[:, None], 1.0)
        a[:, :last] = np.where(place < 1.0 - drawn[TAKEN][:, None], 0.0, a[:, :last])
    if DELAY in drawn and last > 0:
        most = LARGEST_SHIFT * (t[0, last] - t[0, last - 1])
        t[:, last] += np.clip(drawn[DELAY], -most, most)
    return t, a
