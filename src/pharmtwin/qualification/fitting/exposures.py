"""Published exposures and profiles of our own collection as observations to fit and to judge.

``resources/observed/exposures.tsv``: AUC, Cmax, CL, F, half-life, tmax, Vss, fe, CL_renal. ``own_profiles.tsv``: the
same columns, with time_h and conc_ug_per_L in place of the quantity. Regimens are ``single`` or courses
``<mg> q<hours>h x <n>`` (n doses; ``x <n> d``: n days) one after the other, joined by commas (the mg may be left out:
dose_mg). Routes: ``oral`` or
``po`` with words of the dosage form, ``iv`` with the hours of an infusion (``iv 2 h infusion``), sc, im.

AUC_tau, and Cmax, CL, tmax, fe of a regimen, are of the last interval. fe (fraction of the dose in urine) and CL_renal
count the measured compound. CL is the dose over the area (by mouth: CL/F). F compares with the same dose as a bolus. A
single dose that is not told is 1 mg for what does not depend on it. Vss is CL times mean residence time. The half-life
is read between the times at which 80 % and 98 % of the area have passed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pharmtwin.drugs.schema import Drug
from pharmtwin.facts import RESOURCES
from pharmtwin.qualification.reading.names import Entry, Genotypes, dosings, main_protein, measured
from pharmtwin.qualification.reading.persons import ancestry_of
from pharmtwin.qualification.simulation.questions import Window, World, arm_exposure, arm_job, job
from pharmtwin.qualification.simulation.runs import Curve, Job
from pharmtwin.qualification.study import Arm, Dosing, Event, LeftOut, Person, Profile

Floats = NDArray[np.float64]
TABLE = RESOURCES / "observed" / "exposures.tsv"
PROFILES = RESOURCES / "observed" / "own_profiles.tsv"
UNITS = {"AUC_inf": "mg h/L", "AUC_tau": "mg h/L", "Cmax": "mg/L", "CL": "L/h", "F": "1", "thalf": "h", "tmax": "h",
         "Vss": "L", "fe": "1", "CL_renal": "L/h"}  # fmt: skip
#: quantities that a regimen's last interval has
OF_INTERVAL = ("AUC_tau", "Cmax", "CL", "tmax", "fe", "CL_renal")
#: quantities that do not depend on the dose of a linear drug: a single dose that is not told is 1 mg
OF_NO_DOSE = ("CL", "F", "thalf", "Vss", "fe", "CL_renal")
COURSE = re.compile(r"(?:([\d.]+)\s*(?:mg)?\s+)?q([\d.]+)h\s*x\s*(\d+)( d)?")
INFUSION = re.compile(r"([\d.]+)\s*(h|min)\b")
PROTEIN = re.compile(r"([A-Z][A-Za-z0-9-]*\d[A-Z]?\d*|BCRP|P-gp)[ :]+(.+)")
LATE = (0.80, 0.98)
MEAN_TIMES = np.geomspace(0.01, 6144.0, 240)


@dataclass(frozen=True)
class ObservedExposure:
    """One published mean exposure. quantity : a key of :data:`UNITS`. window : h. role : building or verification."""

    id: str
    drug: str
    compounds: tuple[str, ...]
    study: str
    arm: Arm
    quantity: str
    window: Window
    value: float
    role: str
    n: int | None = None

    @property
    def dose(self) -> float:
        """Amount (mg) of the last dose, all parts of a racemate together."""
        last = max(e.time for d in self.arm.dosings for e in d.events)
        return sum(e.amount for d in self.arm.dosings for e in d.events if e.time == last)


def entries(library: Mapping[str, Drug]) -> dict[str, Entry]:
    """What reading needs of drug files."""
    return {
        name: Entry(
            frozenset(c.name for c in drug.compounds),
            tuple(drug.formulations),
            frozenset(p.enzyme for c in drug.compounds for p in c.paths if p.enzyme)
            | frozenset(t.transporter for c in drug.compounds for t in c.transport),
        )
        for name, drug in library.items()
    }


def read_exposures(library: Mapping[str, Drug], path: Path = TABLE) -> tuple[list[ObservedExposure], list[LeftOut]]:
    """Rows of the table that can be simulated, and the others with the reason (an absent table has none)."""
    found: list[ObservedExposure] = []
    left: list[LeftOut] = []
    known = entries(library)
    genotypes = Genotypes(known)
    for i, row in enumerate(_rows(path)):
        name = f"exposure {i + 1} {row['study']} {row['quantity']}"
        try:
            found.append(_exposure(name, row, known, genotypes))
        except (KeyError, ValueError) as error:
            left.append(LeftOut(name, path.name, f"{row['drug']} {row['quantity']}", str(error.args[0])))
    return found, left


def read_own_profiles(
    library: Mapping[str, Drug], path: Path = PROFILES
) -> tuple[list[tuple[Profile, str]], list[LeftOut]]:
    """(profile, role) of the table, and what cannot be simulated with the reason (an absent table has none).

    A profile is all rows that are equal but for time and concentration; its id is made of drug, study and a number.
    """
    groups: dict[tuple[tuple[str, str], ...], list[dict[str, str]]] = {}
    for row in _rows(path):
        same = tuple((k, v) for k, v in row.items() if k not in ("time_h", "conc_ug_per_L", "sd", "source"))
        groups.setdefault(same, []).append(row)
    found: list[tuple[Profile, str]] = []
    left: list[LeftOut] = []
    known = entries(library)
    genotypes = Genotypes(known)
    for i, rows in enumerate(groups.values()):
        row = rows[0]
        name = f"own {row['drug']} {row['study']} {i + 1}"
        try:
            arm, compounds, _ = _arm(row, known, genotypes)
            rows = sorted(rows, key=lambda r: float(r["time_h"]))
            time = np.array([float(r["time_h"]) for r in rows])
            value = np.array([float(r["conc_ug_per_L"]) for r in rows]) / 1000.0
        except (KeyError, ValueError) as error:
            left.append(LeftOut(name, path.name, f"{row['drug']} {row['analyte']}", str(error.args[0])))
            continue
        n = _number(row["n"])
        profile = Profile(name, row["drug"], compounds, row["study"], arm, time, value, np.full(len(time), math.nan),
                          None if n is None else int(n))  # fmt: skip
        found.append((profile, row["role"]))
    return found, left


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    table = pd.read_csv(path, sep="\t", comment="#", dtype=str, keep_default_na=False)
    return [{str(k): str(v).strip() for k, v in cells.items()} for cells in table.to_dict("records")]


def _number(text: str) -> float | None:
    return float(text) if text else None


def _middle(text: str) -> float | None:
    """A number, or the middle of a range (``25-50``)."""
    low, dash, high = text.partition("-")
    return (float(low) + float(high)) / 2.0 if dash and low else _number(text)


def _compounds(analyte: str, known: Mapping[str, Entry]) -> tuple[str, ...]:
    """The compound of that name, else both its enantiomers, else what the reference tables mean by the name."""
    there = {c for entry in known.values() for c in entry.compounds}
    if analyte in there:
        return (analyte,)
    enantiomers = (f"{analyte}_R", f"{analyte}_S")
    return enantiomers if set(enantiomers) <= there else measured(analyte).compounds


def _arm(
    row: Mapping[str, str], known: Mapping[str, Entry], genotypes: Genotypes
) -> tuple[Arm, tuple[str, ...], float]:
    """Arm, measured compounds, and the last interval (h; 0: a single dose)."""
    compounds = _compounds(row["analyte"], known)
    words = row["route"].lower().split()
    way, form = words[0] if words else "", " ".join(words[1:])
    found = INFUSION.search(form)
    hours = float(found[1]) / (60.0 if found[2] == "min" else 1.0) if way == "iv" and found else 0.0
    if "infusion" in form and not hours:
        raise ValueError(f"route {row['route']!r}: how long is the infusion?")
    events, tau = _events(row, hours)
    name = re.sub(r"(.+)_([RS])", r"\2-\1", row["drug"])  # an enantiomer as the reference tables write it
    parts = dosings(name, way, tuple(events), known, labelled=False, formulation=form if way != "iv" else "")
    ancestry = ancestry_of(row.get("population", "")) or "EUR"
    person = Person(
        sex="F" if row.get("sex", "").upper().startswith("F") else "M",
        age_y=_middle(row.get("age_y", "")) or 30.0,
        weight_kg=_middle(row.get("weight_kg", "")),
        ancestry=ancestry,
    )
    drugs = [d.drug for d in parts]
    there = {c for d in drugs for c in known[d].compounds}
    if not set(compounds) <= there:
        raise KeyError(f"{', '.join(sorted(set(compounds) - there))} is no compound of {', '.join(drugs)}")
    told = {}
    if row["genotype"]:
        match = PROTEIN.fullmatch(row["genotype"])
        protein, text = (match[1], match[2]) if match else (main_protein(drugs[0]), row["genotype"])
        if not protein:
            raise ValueError(f"genotype {row['genotype']!r}: of which gene?")
        told[protein] = text
    return Arm(tuple(parts), person, genotypes.of(drugs, told, ancestry)), compounds, tau


def _exposure(name: str, row: Mapping[str, str], known: Mapping[str, Entry], genotypes: Genotypes) -> ObservedExposure:
    quantity = row["quantity"]
    if quantity not in UNITS:
        raise ValueError(f"{quantity} is not predicted here ({', '.join(UNITS)} are)")
    if row["unit"] != UNITS[quantity]:
        raise ValueError(f"{quantity} in {row['unit']!r}, not in {UNITS[quantity]}")
    arm, compounds, tau = _arm(row, known, genotypes)
    if quantity == "Vss" and any(d.route != "iv" for d in arm.dosings):
        raise ValueError("Vss needs an intravenous dose")
    if quantity == "AUC_tau" and not tau:
        raise ValueError("AUC_tau needs a regimen")
    if quantity in ("AUC_inf", "Vss", "F") and tau:
        raise ValueError(f"{quantity} needs a single dose")
    value = _number(row["value"])
    if value is None or value <= 0:
        raise ValueError(f"value {row['value']!r} is not above 0")
    start = arm.dosings[0].events[-1].time
    end = start + tau if tau and quantity in OF_INTERVAL else math.inf
    n = _number(row["n"])
    return ObservedExposure(name, row["drug"], compounds, row["study"], arm, quantity, (start, end), value,
                            row["role"], None if n is None else int(n))  # fmt: skip


def _events(row: Mapping[str, str], hours: float) -> tuple[list[Event], float]:
    """Doses and the last interval (0: a single dose). Raises ValueError for a regimen that cannot be read."""
    text, dose = row["regimen"].lower(), _middle(row["dose_mg"])
    if text in ("single", ""):
        if dose is None and row.get("quantity", "") in OF_NO_DOSE:
            dose = 1.0
        if dose is None:
            raise ValueError("no dose")
        return [Event(0.0, dose, hours)], 0.0
    events: list[Event] = []
    begin = tau = 0.0
    for course in text.split(","):
        match = COURSE.fullmatch(course.strip())
        if not match:
            raise ValueError(f"regimen {row['regimen']!r} is neither single nor courses '<mg> q<hours>h x <n>'")
        amount = float(match[1]) if match[1] else dose
        if amount is None:
            raise ValueError("no dose")
        tau = float(match[2])
        n = round(int(match[3]) * 24.0 / tau) if match[4] else int(match[3])
        events += [Event(begin + k * tau, amount, hours) for k in range(n)]
        begin += n * tau
    return events, tau


def _bolus(row: ObservedExposure) -> Arm:
    """The same arm with every dose as an intravenous bolus."""
    return Arm(tuple(Dosing(d.drug, "iv", d.events) for d in row.arm.dosings), row.arm.person, row.arm.genotype)


def exposure_jobs(row: ObservedExposure, world: World) -> tuple[Job, ...]:
    """What must be solved for a row: one arm, for F two."""
    if row.quantity == "Vss":
        times = row.window[0] + np.concatenate([[0.0], MEAN_TIMES])
        return (job(world, row.id, row.arm, row.compounds, times),)
    first = arm_job(row.id, row.arm, row.compounds, row.window, world)
    if row.quantity != "F":
        return (first,)
    return first, arm_job(f"{row.id} (intravenous)", _bolus(row), row.compounds, row.window, world)


def exposure_value(row: ObservedExposure, jobs: Sequence[Job], curves: Sequence[Curve]) -> float:
    """Predicted value of a row in its unit; nan if it could not be solved."""
    if any(c.problem for c in curves):
        return math.nan
    curve, times = curves[0], jobs[0].times
    if row.quantity == "Vss":
        area = curve.area - curve.area[0]
        residence = float(np.trapezoid(1.0 - area / area[-1], times))
        return row.dose / float(area[-1]) * residence
    found = arm_exposure(jobs[0], row.window, curve)
    if found.problem:
        return math.nan
    if row.quantity == "Cmax":
        return found.cmax
    if row.quantity == "CL":
        return row.dose / found.auc
    if row.quantity == "F":
        return found.auc / arm_exposure(jobs[1], row.window, curves[1]).auc
    if row.quantity in ("fe", "CL_renal"):
        last = times if math.isinf(row.window[1]) else times[times <= row.window[1]]
        amount = float(curve.urine[len(last) - 1] - curve.urine[0])
        return amount / (row.dose if row.quantity == "fe" else found.auc)
    inside = (times >= row.window[0]) & (times <= row.window[1])
    if row.quantity == "tmax":
        return float(times[inside][np.argmax(curve.concentration[inside])] - row.window[0])
    if row.quantity == "thalf":
        passed = (curve.area[inside] - curve.area[inside][0]) / found.auc
        a, b = (int(np.searchsorted(passed, share)) for share in LATE)
        c, t = curve.concentration[inside], times[inside]
        return float(math.log(2.0) * (t[b] - t[a]) / math.log(c[a] / c[b])) if c[a] > c[b] > 0 else math.nan
    return found.auc
