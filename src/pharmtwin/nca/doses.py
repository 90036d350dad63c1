"""Dose rows of a table as doses: amount, route, infusion, further doses, steady state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pharmtwin.intake.sheet import is_missing
from pharmtwin.nca.profile import Dose

if TYPE_CHECKING:
    from pharmtwin.nca.read import Given, Stated, Table

#: what people write for a route (CDISC terms among them)
ROUTES = {
    "extravascular": ("extravascular", "oral", "po", "p.o.", "sc", "subcutaneous", "im", "intramuscular", "ev",
                      "topical", "sublingual", "rectal", "transdermal", "inhalation", "nasal"),
    "bolus": ("bolus", "ivbolus", "iv bolus", "intravenous bolus", "iv", "intravenous", "intravascular"),
    "infusion": ("infusion", "ivinfusion", "iv infusion", "intravenous drip", "intravenous infusion"),
}  # fmt: skip
INFUSED = "an infusion without a duration"


def route_of(text: str) -> str:
    """Route by the words of a table, empty where it says nothing that is known."""
    return next((route for route, words in ROUTES.items() if text.strip().lower() in words), "")


def doses_of_rows(out: Given, table: Table, rows: np.ndarray, stated: Stated) -> list[tuple[int, list[Dose]]]:
    """Doses of each row, those of ADDL among them; findings for what makes no dose."""
    found = []
    for i in map(int, rows):
        if dose := _dose(out, table, i, stated):
            found.append((i, _further(out, table, i, dose)))
    return found


def _dose(out: Given, table: Table, i: int, stated: Stated) -> Dose | None:
    line, path = table.cells.lines[i], table.cells.path
    cell = {r: float(table.value(r)[i]) for r in ("time", "amount", "rate", "duration", "ii", "ss")}
    amount = stated.dose if np.isfinite(stated.dose) else cell["amount"]
    if not amount > 0:
        out.say("amount", "a dose must be above 0", "give the amount, or remove the row", row=line, path=path,
                column=str(table.role["amount"] or ""), value=f"{cell['amount']:g}")  # fmt: skip
        return None
    if np.isnan(cell["time"]):
        out.say("time", "the time of a dose is missing", "complete the row", row=line, path=path)
        return None
    if cell["rate"] < 0:
        out.say("rate", "the rate or duration is left to a model", "give the rate, or a column duration", row=line,
                column=str(table.role["rate"]), value=f"{cell['rate']:g}", path=path)  # fmt: skip
        return None
    written = table.text("route", i)
    route = stated.route or route_of(written)
    if written and not route:
        out.say("route", "is a route that is not known", f"write one of {', '.join(ROUTES)}", row=line,
                column=str(table.role["route"]), value=written, path=path)  # fmt: skip
    length = cell["duration"] if cell["duration"] > 0 else stated.duration
    if cell["rate"] > 0:
        length = amount / cell["rate"]
    if length > 0 and route in ("", "bolus", "infusion"):
        route = "infusion"
    if route == "infusion" and not length > 0:
        out.say("duration", INFUSED, "give --duration, or a column duration or rate", row=line, path=path)
        return None
    tau = cell["ii"] if cell["ii"] > 0 else float("nan")
    return Dose(
        cell["time"], amount, route or "extravascular", length if route == "infusion" else 0.0, cell["ss"] > 0, tau
    )


def _further(out: Given, table: Table, i: int, dose: Dose) -> list[Dose]:
    """The dose and those that ADDL adds."""
    more = float(table.value("addl")[i])
    if is_missing(str(more)) or not more > 0:
        return [dose]
    if np.isnan(dose.tau) or more != int(more):
        out.say("addl", "further doses need their number and interval", "give ADDL as a whole number, and II above 0",
                row=table.cells.lines[i], column=str(table.role["addl"]), value=f"{more:g}",
                path=table.cells.path)  # fmt: skip
        return [dose]
    return [Dose(dose.time + k * dose.tau, dose.amount, dose.route, dose.duration, dose.steady, dose.tau)
            for k in range(int(more) + 1)]  # fmt: skip
