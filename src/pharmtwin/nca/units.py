"""Units of NCA parameters from those of time, concentration and dose; volumes in L where the units are known."""

from __future__ import annotations

from pharmtwin.nca.profile import Units
from pharmtwin.units import convert, is_known

NG_ML_PER_MG_L = 1000.0


def volume_factor(units: Units) -> float | None:
    """Litres in one (dose unit / concentration unit), None where one of them is not known."""
    if not (is_known("dose", units.dose, "mg") and is_known("concentration", units.concentration, "ng/mL")):
        return None
    dose = convert(1.0, "dose", units.dose, "mg")
    return dose / (convert(1.0, "concentration", units.concentration, "ng/mL") / NG_ML_PER_MG_L)


def unit_of(kind: str, units: Units) -> tuple[str, float]:
    """Unit of a kind of parameter, and what a value in plain data units is multiplied by.

    Units that the data do not state appear as time, conc and dose. Raises KeyError for an unknown kind.
    """
    t, c, d = units.time or "time", units.concentration or "conc", units.dose or "dose"
    factor = volume_factor(units)
    volume = "L" if factor is not None else f"{d}/({c})"
    known = {
        "1": "1", "count": "count", "%": "%", "time": t, "inverse_time": f"1/{t}", "conc": c, "dose": d,
        "auc": f"{c}*{t}", "aumc": f"{c}*{t}^2", "conc_dose": f"({c})/({d})", "auc_dose": f"({c}*{t})/({d})",
        "volume": volume, "clearance": f"{volume}/{t}",
    }  # fmt: skip
    return known[kind], factor if kind in ("volume", "clearance") and factor is not None else 1.0
