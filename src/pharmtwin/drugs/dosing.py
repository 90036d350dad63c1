"""Doses of a drug in a system: routes by its name, lag and relative bioavailability of the dosage form."""

from __future__ import annotations

from collections.abc import Iterable

from pharmtwin.drugs.absorption import formulation_of
from pharmtwin.drugs.system import System
from pharmtwin.engine.run import Dose

#: routes that a dosage form, with its lag and F_rel, belongs to
SWALLOWED = ("oral", "colon")


def dose_events(
    system: System, drug: str, route: str, doses: Iterable[tuple[float, float, float]], formulation: str = ""
) -> list[Dose]:
    """Doses for the engine.

    Parameters
    ----------
    drug : name of the drug file; its parent is dosed. route : ``oral``, ``iv``, ``colon`` (dissolved into the colon),
        or a depot of the file (``sc``, ``im``).
    doses : (time h, amount mg, duration of the infusion h; 0 is a bolus).
    formulation : the dosage form that the system was built with (empty: that one), or a solution.

    lag shifts an oral dose, F_rel scales it.

    Raises
    ------
    KeyError : a drug that is not in the system, or a formulation that its file does not have.
    ValueError : a route that the system does not take, or a dosage form that it was not built with.
    """
    part = system.dosed(drug)
    form, name = part.absorption.formulation, route
    if formulation and formulation != form.name and route in SWALLOWED:
        asked = formulation_of(part.drug, formulation)
        if asked.release != "solution" or not part.absorption.lumen:
            raise ValueError(
                f"{drug}: the system was built with formulation {form.name!r}, not {formulation!r}; build it with "
                f"formulations={{{drug!r}: {formulation!r}}}"
            )
        form = asked
        name = "oral_solution" if route == "oral" and part.absorption.form != "solution" else route
    target = f"{name}_{part.suffix}" if part.suffix else name
    known = [r for r, _ in system.model.dose_targets]
    if target not in known:
        raise ValueError(f"{drug} takes no {route!r} dose in this system; it takes {known}")
    lag, share = 0.0, 1.0
    if route in SWALLOWED:
        lag = form.values["lag"].value if "lag" in form.values and route == "oral" else 0.0
        share = form.values["F_rel"].value if "F_rel" in form.values else 1.0
    return [Dose(time + lag, amount * share, target, duration) for time, amount, duration in doses]
