"""Rules that turn a process of a PK-Sim model into an entry of a drug file; what has no rule is said, never dropped.

PK-Sim states a rate per volume of cell or of tissue, with the protein at its reference concentration. Its man has
1.97 L of liver without blood, ours 1.68 kg, with the same contents per gram. So an effective constant of a published
model (kcat, CLspec, specific clearance: what that model was fitted or entered with) is multiplied by the ratio of the
amounts, 1.17, to keep the intrinsic clearance of the whole liver. What was measured per enzyme or per microsomal
protein is kept as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pharmtwin.core.assembly import enzyme_facts
from pharmtwin.drugs import draft_tables as t
from pharmtwin.drugs.body import content, has_content
from pharmtwin.drugs.draft_actions import REVERSIBLE, inactivation, induction, mixed, reversible
from pharmtwin.drugs.draft_entries import Entry, Made, NoRuleError, not_zero, quantity, said_by
from pharmtwin.drugs.draft_tables import Process, pksim
from pharmtwin.drugs.places import SECRETION

UPTAKE = ("OATP1B1", "OATP1B3", "OATP2B1", "OATP1B1/1B3", "NTCP", "OCT1")
EFFLUX = ("P-gp", "BCRP", "MRP2")
SECRETED_BY = ("OAT1", "OAT3", "OCT2", "MATE1", "MATE2-K")


def liver_tissue() -> float:
    """Volume (L) of the liver of PK-Sim's man without its blood: what a reference concentration refers to."""
    return pksim()["liver_volume"] * (1.0 - pksim()["liver_vascular"])


def amount_ratio(enzyme: str) -> float:
    """Amount of a liver enzyme in PK-Sim's man over that in ours (MPPGL is 40 mg/g in both)."""
    ours = content(enzyme, "liver", "abundance")
    return pksim().get(f"content:{enzyme}", ours) / ours * liver_tissue() / enzyme_facts()["liver", "reference_mass"]


def apply(process: Process, said: str, dosed: bool) -> Made:
    """Entries of one process.

    said : name of the published model, for sources. dosed : the compound is the one that is dosed (it has a gut wall).
    Raises NoRuleError, or ValueError for a unit without a rule.
    """
    rule = RULES.get(process.kind)
    if rule is None:
        raise NoRuleError(f"process {process.kind} has no counterpart in a drug file")
    return rule(process, said, dosed)


def _km(process: Process, said: str) -> Entry:
    Km = process.number("Km", t.CONCENTRATION)
    if Km is None:
        raise NoRuleError("saturable, but no Km is given")
    return {"Km": quantity(Km, "umol/L", said_by(process, said, "Km"), "kinetics")}


def _where(enzyme: str) -> list[str]:
    """Tissues of an enzyme: the gut only for CYP3A4, whose part there matters; expression is in no table."""
    return ["liver", "gut"] if enzyme == "CYP3A4" else ["liver"]


def _path(process: Process, **more: Any) -> Entry:
    entry: Entry = {"path": process.molecule or "other"}
    if process.molecule:
        entry["enzyme"] = process.molecule
    return entry | {"where": more.pop("where", _where(process.molecule))} | more


def _enzymatic(process: Process, said: str, dosed: bool, saturable: bool) -> Made:
    """Any enzymatic path: turnover number, clearance per enzyme, Vmax per microsomal protein, specific clearance."""
    made = Made()
    km = _km(process, said) if saturable else {}
    Km = km["Km"]["value"] if km else 1.0
    known = has_content(process.molecule, "liver", "abundance")
    effective = "kcat" if saturable else "CLspec/[Enzyme]"
    units = t.TURNOVER if saturable else t.PER_ENZYME
    value = process.number(effective, units)
    if value is not None:
        not_zero(value, effective)
        if known:
            how = f"times {amount_ratio(process.molecule):.3f} (amount of liver enzyme in PK-Sim's man over ours)"
            name, unit = ("kcat", "1/min") if saturable else ("CLint_enzyme", "uL/min/pmol")
            q = quantity(
                value * amount_ratio(process.molecule), unit, said_by(process, said, effective, how), "kinetics"
            )
            made.entries.append(("metabolism", _path(process, **{name: q}, **km)))
        else:
            made.entries.append(("metabolism", _unknown_content(process, said, effective, value, km, made)))
        return made
    if process.kind == "MetabolizationIntrinsic_FirstOrder":
        rate = not_zero(process.number("Specific clearance", t.PER_MINUTE), "specific clearance")
        source = "Specific clearance"
        if not known:
            made.entries.append(("metabolism", _unknown_content(process, said, source, rate, {}, made)))
            return made
        umol = content(process.molecule, "liver", "abundance") * enzyme_facts()["liver", "MPPGL"] * 1e-3
        umol *= enzyme_facts()["liver", "reference_mass"]
        how = f"times {liver_tissue():.3f} L of liver over {umol:.3g} umol of {process.molecule} in ours"
        q = quantity(rate * liver_tissue() / umol, "uL/min/pmol", said_by(process, said, source, how), "kinetics")
        made.entries.append(("metabolism", _path(process, CLint_enzyme=q)))
        return made
    made.entries.append(("metabolism", _in_vitro(process, said, saturable, km, Km, known)))
    return made


def _in_vitro(process: Process, said: str, saturable: bool, km: Entry, Km: float, known: bool) -> Entry:
    """A path stated by what was measured: per microsomal protein, per recombinant enzyme, per volume."""
    given = [n for n in process.rows if n.startswith(("In vitro", "Vmax", "Specific clearance"))]
    if not given:
        raise NoRuleError("no rate is given")
    name = given[0]
    row = process.rows[name]
    if row["unit"] in t.MICROSOMAL:
        rate = not_zero(row.number(t.MICROSOMAL), name)
        microsomes = enzyme_facts()["liver", "MPPGL"] * enzyme_facts()["liver", "reference_mass"] * 1e3  # mg
        if known:
            per = content(process.molecule, "liver", "abundance")
            how = f"over {per:g} pmol/mg of {process.molecule} and Km"
            q = quantity(rate / per / Km, "uL/min/pmol", said_by(process, said, name, how), "kinetics")
            return _path(process, CLint_enzyme=q, **km)
        how = f"times {microsomes:.0f} mg of microsomal protein (reference man), since no content is known"
        form, unit = ("Vmax_liver", "umol/h") if saturable else ("CLint_liver", "L/h")
        q = quantity(rate * microsomes * 60e-6, unit, said_by(process, said, name, how), "kinetics")
        return _path(process, where=["liver"], **{form: q}, **km)
    if row["unit"] in t.VOLUMETRIC or name == "Specific clearance":
        concentration = process.number("Enzyme concentration", t.CONCENTRATION) or pksim()["reference_concentration"]
        rate = not_zero(row.number(t.VOLUMETRIC if row["unit"] in t.VOLUMETRIC else t.PER_MINUTE), name) / concentration
        form, unit = ("kcat", "1/min") if saturable else ("CLint_enzyme", "uL/min/pmol")
        if not known:
            raise NoRuleError(f"physiology/abundance.tsv has no content of {process.molecule}")
        q = quantity(rate, unit, said_by(process, said, name, f"over {concentration:g} umol/L"), "kinetics")
        return _path(process, **{form: q}, **km)
    units = t.TURNOVER if saturable else t.PER_ENZYME
    rate = not_zero(row.number(units), name)
    if not known:
        raise NoRuleError(f"physiology/abundance.tsv has no content of {process.molecule}")
    form, unit = ("kcat", "1/min") if saturable else ("CLint_enzyme", "uL/min/pmol")
    return _path(process, **{form: quantity(rate, unit, said_by(process, said, name), "kinetics")}, **km)


def _unknown_content(process: Process, said: str, name: str, value: float, km: Entry, made: Made) -> Entry:
    """A path of an enzyme whose content we do not have: the whole liver's rate at PK-Sim's reference concentration."""
    given = process.number("Content of CYP proteins in liver microsomes", t.CONTENT)
    if name == "Specific clearance":
        umol, how = liver_tissue(), f"times {liver_tissue():.3f} L of liver"
    elif given:
        umol = given * enzyme_facts()["liver", "MPPGL"] * 1e-3 * liver_tissue()
        how = f"times {umol:.3g} umol in the liver ({given:g} pmol/mg in the table, {liver_tissue():.3f} L)"
    else:
        umol = pksim()["reference_concentration"] * liver_tissue()
        how = f"times {umol:.3g} umol: PK-Sim's default of 1 umol/L in {liver_tissue():.3f} L of liver, an assumption"
        made.notes.append(
            f"content of {process.molecule} unknown: PK-Sim's default reference concentration (1 umol/L, all of it in "
            "the liver) is assumed"
        )
    source = said_by(process, said, name, how)
    if km:
        return _path(process, where=["liver"], Vmax_liver=quantity(value * umol * 60.0, "umol/h", source, "assumed"),
                     **km)  # fmt: skip
    return _path(process, where=["liver"], CLint_liver=quantity(value * umol * 60.0, "L/h", source, "assumed"))


def _liver_clearance(process: Process, said: str, dosed: bool) -> Made:
    """Total hepatic clearance: specific clearance of unbound drug in cells, else plasma clearance over fu (low E)."""
    specific = process.number("Specific clearance", t.PER_MINUTE)
    if specific is not None:
        cells = pksim()["liver_volume"] * pksim()["liver_intracellular"]
        value = not_zero(specific, "specific clearance") * cells * 60.0
        source = said_by(process, said, "Specific clearance", f"times {cells:.3f} L of liver cells")
    else:
        value = not_zero(_plasma_clearance(process), "plasma clearance")
        source = said_by(process, said, "Plasma clearance", "over fu, flow not limiting (low extraction only)")
    entry: Entry = {"path": "other", "where": ["liver"], "CLint_liver": quantity(value, "L/h", source, "kinetics")}
    return Made([("metabolism", entry)])


def _plasma_clearance(process: Process) -> float | None:
    """Unbound clearance (L/h) from a plasma clearance per kg."""
    per_kg = process.number("Plasma clearance", t.PER_KG)
    fu = process.number("Fraction unbound (experiment)", t.PLAIN)
    if per_kg is None or not fu:
        return None
    return per_kg * (process.number("Body weight", t.WEIGHT) or pksim()["body_weight"]) / fu


def _kidney_clearance(process: Process, said: str, dosed: bool) -> Made:
    specific = process.number("Specific clearance", t.PER_MINUTE)
    if specific is not None:
        value = not_zero(specific, "specific clearance") * pksim()["kidney_volume"] * 60.0
        how = f"times {pksim()['kidney_volume']} L of kidney"
        return Made(renal=[(value, said_by(process, said, "Specific clearance", how))])
    value = not_zero(_plasma_clearance(process), "plasma clearance")
    return Made(renal=[(value, said_by(process, said, "Plasma clearance", "over fu"))])


def _filtration(process: Process, said: str, dosed: bool) -> Made:
    fraction = process.number("GFR fraction", t.PLAIN)
    if fraction is None:
        raise NoRuleError("no GFR fraction is given")
    return Made(filtration=[(fraction, said_by(process, said, "GFR fraction"))])


def _secretion(process: Process, said: str, dosed: bool) -> Made:
    """Tubular secretion: first order of unbound drug in the kidney's volume, or Michaelis-Menten."""
    if "TSspec" in process.rows:
        value = not_zero(process.number("TSspec", t.PER_MINUTE), "TSspec") * pksim()["kidney_volume"] * 60.0
        how = f"times {pksim()['kidney_volume']} L of kidney"
        kinetics = {"CL": quantity(value, "L/h", said_by(process, said, "TSspec", how), "transport")}
    elif "TSmax" in process.rows:
        value = not_zero(process.number("TSmax", t.AMOUNT_RATE), "TSmax")
        kinetics = {"Vmax": quantity(value, "umol/h", said_by(process, said, "TSmax"), "transport")}
        kinetics |= _km(process, said)
    else:
        raise NoRuleError("secretion without TSspec or TSmax")
    name = process.molecule or SECRETION
    return Made([("transport", {"transporter": name, "where": "kidney", "direction": "secretion", **kinetics})])


def _transport(process: Process, said: str, dosed: bool) -> Made:
    """Specific active transport: kcat x reference concentration x volume of the tissue, and Km."""
    made, name = Made(), process.molecule
    volumes = {
        "liver": (UPTAKE, "uptake", liver_tissue()),
        "gut": (EFFLUX, "efflux", pksim()["mucosa_volume"]),
        "kidney": (SECRETED_BY, "secretion", pksim()["kidney_volume"]),
    }
    place = next((where for where, (names, _, _) in volumes.items() if name in names), "")
    if not place:
        raise NoRuleError(f"where {name} carries the compound, and in which direction, is in no table")
    if place == "gut" and not dosed:
        raise NoRuleError(f"{name} of a compound that is not dosed has no gut wall to work in")
    _, direction, volume = volumes[place]
    source = "kcat" if "kcat" in process.rows else next((n for n in process.rows if n.startswith("In vitro Vmax")), "")
    if not source:
        raise NoRuleError("no kcat is given")
    rate = not_zero(process.number(source, t.TURNOVER), source)
    concentration = pksim()["reference_concentration"]
    how = f"times {concentration:g} umol/L (PK-Sim's default, an assumption) x {volume:.3g} L of {place}"
    made.notes.append(
        f"content of {name} unknown: PK-Sim's default of {concentration:g} umol/L in the {place} is assumed"
    )
    if place == "gut":
        made.notes.append(f"{name} elsewhere (bile, kidney, brain) is not written: its content there is in no table")
    if name == "OATP1B1/1B3":
        name = "OATP1B1"
        made.notes.append("OATP1B1/1B3 is one process there: all of it is written as OATP1B1")
    Vmax = quantity(rate * concentration * volume * 60.0, "umol/h", said_by(process, said, source, how), "transport")
    entry = {"transporter": name, "where": place, "direction": direction, "Vmax": Vmax, **_km(process, said)}
    made.entries.append(("transport", entry))
    return made


Rule = Callable[[Process, str, bool], Made]


def _saturable(process: Process, said: str, dosed: bool) -> Made:
    return _enzymatic(process, said, dosed, saturable=True)


def _linear(process: Process, said: str, dosed: bool) -> Made:
    return _enzymatic(process, said, dosed, saturable=False)


RULES: dict[str, Rule] = {
    "MetabolizationLiverMicrosomes_MM": _saturable,
    "MetabolizationSpecific_MM": _saturable,
    "rCYP450_MM": _saturable,
    "MetabolizationLiverMicrosomes_FirstOrder": _linear,
    "MetabolizationSpecific_FirstOrder": _linear,
    "MetabolizationIntrinsic_FirstOrder": _linear,
    "rCYP450_FirstOrder": _linear,
    "LiverClearance": _liver_clearance,
    "KidneyClearance": _kidney_clearance,
    "GlomerularFiltration": _filtration,
    "TubularSecretion_FirstOrder": _secretion,
    "TubularSecretion_MM": _secretion,
    "ActiveTransportSpecific_MM": _transport,
    "ActiveTransport_InVitro_VesicularAssay_MM": _transport,
    **dict.fromkeys(REVERSIBLE, reversible),
    "MixedInhibition": mixed,
    "IrreversibleInhibition": inactivation,
    "Induction": induction,
}
