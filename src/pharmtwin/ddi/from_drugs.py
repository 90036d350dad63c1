"""Inputs of the static models from drug files of schema 2: constants as written, exposure by a quick simulation.

Ki, kinact, KI, Emax, EC50, fu and the blood:plasma ratio stand in the file. Cmax is the peak in the last interval of
the regimen, Fa, Fg and fm are shares of a simulated dose in the reference man, ka puts a one-compartment peak at
the simulated tmax with the simulated half-life. What the file does not hold is taken from
``interactions/static_inputs.tsv``, where the drug is there. Each value says where it came from.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pharmtwin.ddi.static_basic import Perpetrator, Quantity
from pharmtwin.ddi.static_inputs import absorption_rate, perpetrator_names, perpetrators, regimens, victim, victim_names
from pharmtwin.ddi.static_mechanistic import Victim
from pharmtwin.drugs import quick
from pharmtwin.drugs.body import substance
from pharmtwin.drugs.read import drug_file, read_drug
from pharmtwin.drugs.schema import Compound, Drug

Body = Mapping[str, float]
#: mg: a victim's dose small enough that nothing saturates
TRACE = 0.1
#: beginnings of names of enzymes; any other target is a transporter
ENZYMES = ("CYP", "UGT", "AADAC", "CES", "SULT")


@dataclass
class Inputs:
    """What goes into the static models, and where it came from (lines for the reader)."""

    perpetrators: list[Perpetrator] = field(default_factory=list)
    victims: list[Victim] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def is_file(name: str) -> bool:
    """True if there is a drug file of this name or path."""
    try:
        return os.path.isfile(drug_file(name))
    except FileNotFoundError:  # a name that leads into another folder
        return False


def of_table(name: str, known: list[str]) -> str:
    """A drug's name as the table writes it (``metoprolol_S`` is S-Metoprolol); "" if it is not there."""
    stem = name.rsplit("/", 1)[-1].removesuffix(".yaml")
    base, _, end = stem.rpartition("_")
    wanted = f"{end}-{base}" if end in ("R", "S") else stem
    return next((k for k in known if k.lower() == wanted.lower()), "")


def add_perpetrator(
    out: Inputs, name: str, body: Body, dose: float = 0.0, every: float = 24.0, count: int = 10, cmax: float = 0.0,
    regimen: str = "",
) -> None:  # fmt: skip
    """A perpetrator with its metabolites.

    Parameters
    ----------
    dose : mg, every ``every`` h, ``count`` times (drug files). cmax : of the parent, mg/L (0: simulated).
    regimen : of the table, for a drug without a file or if wanted.

    Raises KeyError for an unknown drug or regimen, ValueError where a file needs a dose or cannot be simulated.
    """
    listed = of_table(name, perpetrator_names())
    if regimen or not is_file(name):
        if not listed:
            raise KeyError(f"no drug file and no row of interactions/static_inputs.tsv for {name}")
        known = regimens(listed)
        chosen = regimen or known[0]
        if not regimen and len(known) > 1:
            out.notes.append(f"{listed}: first of the regimens {', '.join(known)} (choose with --regimen)")
        out.perpetrators += perpetrators(listed, chosen)
        out.notes.append(f"{listed}, {chosen}: all values from interactions/static_inputs.tsv")
        return
    if dose <= 0:
        raise ValueError(f"{name}: give --dose (mg), or a regimen of the table with --regimen")
    drug = read_drug(name)
    made = _from_file(drug, body, dose, every, count, cmax, out.notes)
    if listed:
        made = [_completed(p, listed, out.notes) for p in made]
    out.perpetrators += made


def _from_file(
    drug: Drug, body: Body, dose: float, every: float, count: int, cmax: float, notes: list[str]
) -> list[Perpetrator]:
    peaks = quick.plateau(drug, body, quick.Regimen(drug.name, dose, "oral", every, count))
    single = quick.dose_response(drug, body, dose)[drug.parent.name]
    taken = quick.fate(drug, body, dose)
    fa = 1.0 - taken.faeces
    fg = 1.0 - taken.gut / fa
    ka = float(absorption_rate(single.tmax, single.half_life))
    notes.append(
        f"{drug.name} {dose:g} mg every {every:g} h, {count} doses, simulated: tmax {single.tmax:.3g} h, half-life "
        f"{single.half_life:.3g} h, ka {ka:.3g} 1/h, Fa {fa:.3g}, Fg {fg:.3g}"
    )
    made = []
    for compound in drug.compounds:
        parent = compound is drug.parent
        peak = cmax if parent and cmax > 0 else peaks[compound.name].cmax
        how = "given" if parent and cmax > 0 else "simulated"
        constants = _constants(compound, notes)
        if not (constants.ki or constants.tdi or constants.induction or constants.ic50):
            continue
        molar = 1000.0 / compound["physicochemistry.MW"]
        notes.append(f"{compound.name}: Cmax {peak:.4g} mg/L ({how}), constants and fu from the drug file")
        made.append(
            Perpetrator(
                compound.name, peak * molar, compound["binding.fu_p"], dose * molar if parent else 0.0, ka, fa, fg,
                substance(compound).B_P, parent, constants.ki, constants.tdi, constants.induction, constants.ic50,
            )
        )  # fmt: skip
    return made


@dataclass
class _Constants:
    """Constants by target, in the units of :class:`Perpetrator`."""

    ki: dict[str, Quantity] = field(default_factory=dict)
    tdi: dict[str, tuple[Quantity, Quantity]] = field(default_factory=dict)
    induction: dict[str, tuple[Quantity, Quantity]] = field(default_factory=dict)
    ic50: dict[str, Quantity] = field(default_factory=dict)


def _constants(compound: Compound, notes: list[str]) -> _Constants:
    """Constants of a compound's actions; what has no place in the static models is noted."""
    out = _Constants()
    for action in compound.acts_on:
        v = {k: q.value for k, q in action.values.items()}
        target, enzyme = action.target, action.target.startswith(ENZYMES)
        if action.mechanism == "uncompetitive" or (action.mechanism in ("inactivation", "induction") and not enzyme):
            notes.append(f"{compound.name}: {action.mechanism} of {target}: no static model")
        elif action.mechanism == "inactivation":
            out.tdi[target] = (v["kinact"], v["KI"])
        elif action.mechanism == "induction":
            out.induction[target] = (v["Emax"], v["EC50"])
        else:
            (out.ki if enzyme else out.ic50)[target] = v["Ki"] if "Ki" in v else v["Kic"]
    return out


def _completed(perpetrator: Perpetrator, listed: str, notes: list[str]) -> Perpetrator:
    """Constants of targets that the file does not name, from the table."""
    rows = {p.name.lower().replace("-", "_"): p for p in perpetrators(listed, regimens(listed)[0])}
    other = rows.get(perpetrator.name.lower())
    if other is None:
        return perpetrator
    pairs = {
        "Ki": (perpetrator.ki_umol_per_l, other.ki_umol_per_l),
        "inactivation": (perpetrator.tdi, other.tdi),
        "induction": (perpetrator.induction, other.induction),
        "IC50": (perpetrator.ic50_umol_per_l, other.ic50_umol_per_l),
    }
    for kind, (mine, theirs) in pairs.items():
        new = [t for t in theirs if t not in mine]
        if new:
            notes.append(f"{perpetrator.name}: {kind} of {', '.join(new)} from interactions/static_inputs.tsv")
    return replace(
        perpetrator,
        ki_umol_per_l={**other.ki_umol_per_l, **perpetrator.ki_umol_per_l},
        tdi={**other.tdi, **perpetrator.tdi},
        induction={**other.induction, **perpetrator.induction},
        ic50_umol_per_l={**other.ic50_umol_per_l, **perpetrator.ic50_umol_per_l},
    )


def add_victim(out: Inputs, name: str, body: Body, oral: bool = True) -> None:
    """A victim: fm and Fg of a simulated trace dose of its file, else of the table; raises KeyError, ValueError."""
    if not is_file(name):
        listed = of_table(name, victim_names())
        if not listed:
            raise KeyError(f"no drug file and no row of interactions/static_inputs.tsv for {name}")
        out.victims.append(victim(listed, oral))
        out.notes.append(f"{listed}: fm and Fg from interactions/static_inputs.tsv")
        return
    drug = read_drug(name)
    by_vein = quick.fate(drug, body, TRACE, "iv")
    fm: dict[str, float] = {}
    for path, share in by_vein.paths.items():
        enzyme = by_vein.enzymes.get(path, "")
        if enzyme:
            fm[enzyme] = fm.get(enzyme, 0.0) + share
    fg, gut_enzyme = 1.0, "CYP3A4"
    if oral:
        taken = quick.fate(drug, body, TRACE)
        fg = 1.0 - taken.gut / max(1.0 - taken.faeces, 1e-12)
        walls = {p: s for p, s in taken.paths.items() if p.endswith("_gut")}
        if walls:
            gut_enzyme = by_vein.enzymes.get(max(walls, key=lambda p: walls[p]), "CYP3A4") or "CYP3A4"
    out.victims.append(Victim(drug.name, fm, min(fg, 1.0), oral, gut_enzyme))
    words = ", ".join(f"{e} {s:.3g}" for e, s in sorted(fm.items(), key=lambda x: -x[1]))
    out.notes.append(
        f"{drug.name}: fm {words or 'none of a named enzyme'}; Fg {fg:.3g} ({gut_enzyme}); simulated, {TRACE:g} mg"
    )
