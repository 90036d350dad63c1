"""``pharmtwin drug draft NAME --tables DIR --out FILE``: a drug file from the tables of a PK-Sim model.

A draft is a start, not a calibrated file: every line says which row it is from and what was done to it, and every row
that no rule could use becomes a finding. Rules of processes: :mod:`pharmtwin.drugs.draft_rules`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pharmtwin.core.gut_drug import coefficients, ionisation_gain
from pharmtwin.core.partition import Compound as Substance
from pharmtwin.core.partition import with_computed_ratio
from pharmtwin.drugs import draft_tables as t
from pharmtwin.drugs.draft_entries import Entry, Made, NoRuleError, number_paths, quantity
from pharmtwin.drugs.draft_genotypes import choose
from pharmtwin.drugs.draft_rules import apply
from pharmtwin.drugs.draft_tables import Process, Row, choice, pksim, processes, read_tables, reason, slug
from pharmtwin.drugs.draft_yaml import yaml_text
from pharmtwin.findings import Finding

METHODS = {
    "rodgers and rowland": "rodgers_rowland",
    "schmitt": "schmitt",
    "berezhkovskiy": "berezhkovskiy",
    "poulin and theil": "poulin_theil",
    "pk-sim standard": "pk_sim",
}
PROTEINS = {"albumin": "albumin", "aag": "AGP", "agp": "AGP", "α1-acid glycoprotein": "AGP", "glycoprotein": "AGP"}
#: kinds of value whose uncertainty is named at the head of a draft
KINDS = ("kinetics", "inhibition", "transport", "assumed", "Peff")


class DraftError(ValueError):
    """A draft that cannot be made: an unknown name, a table without what every drug file needs."""


@dataclass
class Draft:
    """A drug file as a tree, comments for its head, and what could not be used or was assumed."""

    name: str
    tree: dict[str, Any] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def say(self, row: Row, rule: str, what: str, fix: str, severity: str = "warning", value: str = "") -> None:
        why = "nothing of the tables is dropped in silence"
        place = {"row": row.line, "column": row["parameter"], "severity": severity}
        self.findings.append(Finding.create(rule, row.file, what, why, fix, value=value, **place))  # type: ignore[arg-type]

    def text(self) -> str:
        """The file."""
        head = "\n".join(f"# {line}" for line in self.comments)
        return f"{head}\n{yaml_text(self.tree)}"


def draft(name: str, folder: Path) -> Draft:
    """Draft of a drug file.

    Parameters
    ----------
    name : of the dosed compound (``warfarin_S``, ``S-Warfarin``), or of a model with one dosed compound.
    folder : with the tables of :mod:`pharmtwin.drugs.draft_tables`.

    Raises FileNotFoundError, ValueError for unusable tables, DraftError for a name that they do not have.
    """
    tables = read_tables(folder)
    model, parent = _find(name, tables["parameters"])
    drug = _Drug(model, tables["parameters"], tables["processes"])
    out = Draft(slug(parent))
    drug.write(parent, out)
    return out


def drafts(folder: Path) -> list[str]:
    """Names of all drugs that the tables can draft (dosed compounds)."""
    tables = read_tables(folder)
    formed = {(r["model"], slug(r["metabolite"])) for r in tables["processes"] if r["metabolite"]}
    both = dict.fromkeys((r["model"], r["compound"]) for r in tables["parameters"])
    return [slug(c) for m, c in both if (m, slug(c)) not in formed]


def _find(name: str, rows: Sequence[Row]) -> tuple[str, str]:
    """Model and compound of a name; raises DraftError naming what there is."""
    known = dict.fromkeys((r["model"], r["compound"]) for r in rows)
    for model, compound in known:
        if name in (compound, slug(compound)):
            return model, compound
    mine = [compound for model, compound in known if model == name]
    if len(mine) == 1:
        return name, mine[0]
    words = f"model {name} has several compounds: " if mine else f"the tables have no {name}; they have "
    raise DraftError(words + ", ".join(slug(c) for c in mine or [c for _, c in known]))


class _Drug:
    """One published model: its rows by compound."""

    def __init__(self, model: str, parameters: Sequence[Row], rows: Sequence[Row]) -> None:
        self.said = f"OSP model {model}"
        self.parameters = [r for r in parameters if r["model"] == model]
        self.processes = [r for r in rows if r["model"] == model]
        self.by_slug = {slug(r["compound"]): r["compound"] for r in self.parameters}

    def write(self, parent: str, out: Draft) -> None:
        kinds = ", ".join(f"{k} {choice(f'cv:{k}'):g}" for k in KINDS)
        out.comments += [
            f"{slug(parent)}: drafted from the tables of a published PK-Sim model ({self.said}); not calibrated.",
            f"cv: own choice by kind of value ({kinds}).",
        ]
        compounds: dict[str, Any] = {}
        todo = [parent]
        while todo:
            compound = todo.pop(0)
            body, formed = self.compound(compound, out, dosed=compound == parent)
            compounds[slug(compound)] = body
            todo += [c for c in formed if slug(c) not in compounds and c not in todo]
        out.tree = {"schema": 2, "name": slug(parent), "compounds": compounds}
        out.tree |= self.oral(parent, out, compounds[slug(parent)])

    # ---- one compound

    def row(self, compound: str, group: str, parameter: str, out: Draft | None = None) -> Row | None:
        """The default alternative of a parameter; the others go into a comment."""
        rows = [r for r in self.parameters if (r["compound"], r["group"]) == (compound, group)]
        rows = [r for r in rows if r["parameter"].startswith(parameter)]
        default = next((r for r in rows if r["is_default"] == "True"), None)
        others = [f"{r['value']} {r['unit']}".strip() + f" ({r['alternative']})" for r in rows if r is not default]
        if out is not None and others and default is not None:
            out.comments.append(f"{slug(compound)}, {parameter}: other values in the tables: {'; '.join(others)}.")
        if default is None and rows:
            default = rows[0]
            if out is not None:
                out.say(default, "draft.default", "no alternative is marked as the default", "check the value")
        return default

    def source(self, row: Row) -> str:
        return f"{self.said}, {row['parameter']}: {row.origin()}"

    def compound(self, compound: str, out: Draft, dosed: bool) -> tuple[dict[str, Any], list[str]]:
        body = self.chemistry(compound, out)
        made, formed = Made(), []
        own = [r for r in self.processes if r["compound"] == compound]
        for process in self.of_normal_genotype(processes(own), out):
            try:
                one = apply(process, self.said, dosed)
            except (NoRuleError, ValueError) as error:
                severity = "note" if "is 0" in str(error) else "warning"
                what = f"{compound}, {process.kind} {process.molecule} ({process.data_source}): {error}"
                out.say(process.first, "draft.no_rule", what, "add it by hand if it matters", severity)
                continue
            for note in one.notes:
                out.say(process.first, "draft.assumed", note, "give the content, or calibrate the value")
            for section, entry in one.entries:
                if section == "metabolism" and process.metabolite:
                    formed += self.product(process, entry, out)
                made.entries.append((section, entry))
            made.filtration += one.filtration
            made.renal += one.renal
        for section in ("metabolism", "transport", "acts_on"):
            entries = [e for s, e in made.entries if s == section]
            if entries:
                body[section] = entries
        number_paths(body.get("metabolism", []))
        self.kidney(body, made, out)
        if any(e["direction"] == "uptake" for e in body.get("transport", [])):
            PS, note = choice("liver_PS"), f"assumption: {reason('liver_PS')}; to be calibrated"
            body["liver"] = {"model": "permeability_limited", "PS": quantity(PS, "L/h", note, "PS")}
            what = f"{compound}: passive uptake of the liver is in no table, {PS:g} L/h assumed"
            out.say(own[0], "draft.assumed", what, "give PS, or calibrate it")
        order = ("physicochemistry", "binding", "distribution", "liver", "kidney", "metabolism", "transport", "acts_on")
        return {key: body[key] for key in order if key in body}, formed

    def product(self, process: Process, entry: Entry, out: Draft) -> list[str]:
        """The compound that a path forms, if the tables describe it."""
        name = slug(process.metabolite)
        if name in self.by_slug:
            entry["product"] = name
            return [self.by_slug[name]]
        what = f"product {process.metabolite} is not described in the tables: it is not followed"
        out.say(process.first, "draft.product", what, "add it as a compound if it is to be observed", "note")
        return []

    def chemistry(self, compound: str, out: Draft) -> dict[str, Any]:
        """Physicochemistry, binding and distribution; raises DraftError for what every drug file needs."""
        needed = {"logP": ("Lipophilicity", "Lipophilicity"), "fu_p": ("FractionUnbound", "Fraction unbound"),
                  "MW": ("Compound", "Molecular weight")}  # fmt: skip
        rows = {key: self.row(compound, *place, out) for key, place in needed.items()}
        missing = [key for key, row in rows.items() if row is None]
        if missing:
            raise DraftError(f"{compound}: the tables have no {', '.join(missing)}")
        found = {key: row for key, row in rows.items() if row is not None}
        acids, bases = self.groups(compound, out)
        kind = {(1, 1): "zwitterion", (1, 0): "acid", (0, 1): "base"}.get((bool(acids), bool(bases)), "neutral")
        mw, logp, fu = found["MW"], found["logP"], found["fu_p"]
        chemistry: dict[str, Any] = {
            "kind": kind,
            "MW": quantity(float(mw["value"]), "g/mol", self.source(mw)),
            "logP": quantity(float(logp["value"]), "1", self.source(logp), "logP"),
        }
        for word, values in (("acid_pKa", acids), ("base_pKa", bases)):
            if values:
                chemistry[word] = {"value": values, "source": f"{self.said}, pKa"}
        binding: dict[str, Any] = {"fu_p": quantity(fu.number(t.PLAIN), "1", self.source(fu), "fu_p")}
        partner = self.row(compound, "Binding", "PlasmaProteinBindingPartner")
        if partner is not None and partner["value"].lower() in PROTEINS:
            binding["protein"] = PROTEINS[partner["value"].lower()]
        elif partner is not None:
            what = f"{compound}: binding partner {partner['value'] or 'unknown'}: fu_p follows no protein"
            out.say(partner, "draft.protein", what, "name albumin, AGP or lipoproteins if it is known", "note")
        self.look_twice(compound, chemistry, binding, mw, out)
        method = self.row(compound, "CalculationMethod", "Cellular partition coefficient method")
        word = METHODS.get(method["value"].lower(), "") if method is not None else ""
        if method is not None and not word:
            out.say(method, "draft.method", f"{compound}: method {method['value']} is not ours: auto", "choose one")
        scale = quantity(1.0, "1", "as predicted; to be calibrated") | {"start": 1.0, "cv": choice("cv:Kp_scale")}
        self.unused(compound, out)
        return {
            "physicochemistry": chemistry,
            "binding": binding,
            "distribution": {"method": word or "auto", "Kp_scale": scale},
        }

    def look_twice(
        self, compound: str, chemistry: dict[str, Any], binding: dict[str, Any], mw: Row, out: Draft
    ) -> None:
        """Where the structures differ most: cells of large molecules, and blood:plasma ratios that are computed."""
        if chemistry["MW"]["value"] > choice("large"):
            what = (
                f"{compound}: in PK-Sim membranes limit what so large a molecule meets in cells, so that its constants"
            )
            fix = "calibrate kcat, or take a permeability-limited liver"
            out.say(mw, "draft.large", f"{what} are too large for a well-stirred liver", fix, value=mw["value"])
        values = {k: v["value"] for k, v in {**chemistry, **binding}.items() if isinstance(v, dict)}
        acids, bases = (tuple(values.get(k, ())) for k in ("acid_pKa", "base_pKa"))
        groups = ("acid",) * len(acids) + ("base",) * len(bases)
        plain = Substance(values["logP"], (*acids, *bases), chemistry["kind"], values["fu_p"], 1.0, groups)
        ratio = with_computed_ratio(plain).B_P
        if ratio > choice("high_B_P"):
            assumed = choice("assumed_B_P")
            what = f"{compound}: no blood:plasma ratio; {ratio:.3g} from the composition of red cells is not credible"
            fix = f"give a measured one (binding.B_P) for the {assumed:g} assumed; clearance follows it"
            out.say(mw, "draft.B_P", what, fix)
            why = f"assumption: none in the tables; {ratio:.3g} from the composition of red cells is not credible"
            binding["B_P"] = quantity(assumed, "1", why, "B_P")

    def unused(self, compound: str, out: Draft) -> None:
        """Parameters that have no counterpart here, named."""
        for r in self.parameters:
            if r["compound"] != compound or r["is_default"] != "True":
                continue
            if r["group"] == "Permeability" or (r["group"] == "Compound" and r["parameter"] != "Molecular weight"):
                halogen = r["parameter"] in ("F", "Cl", "Br", "I")
                what = f"{compound}: {r['parameter']} has no counterpart in a drug file"
                if not halogen:
                    out.say(r, "draft.no_rule", what, "organs are limited by flow; Kp_scale takes its part", "note")

    def groups(self, compound: str, out: Draft) -> tuple[list[float], list[float]]:
        """Acidic and basic pKa; an acid too weak to be ionised is left out beside a base."""
        rows = [r for r in self.parameters if r["compound"] == compound and r["group"] == "pKa"]
        bases = [float(r["value"]) for r in rows if r["alternative"].startswith("Base")]
        acids = []
        for r in rows:
            if not r["alternative"].startswith("Acid"):
                continue
            if bases and float(r["value"]) > choice("weakest_acid"):
                what = f"{compound}: acid of pKa {r['value']} is never ionised in the body: left out beside the base"
                out.say(r, "draft.pka", what, "none needed", "note")
            else:
                acids.append(float(r["value"]))
        return acids, bases

    def of_normal_genotype(self, all_: Sequence[Process], out: Draft) -> list[Process]:
        """Processes of normal genotype; the others are listed at the head of the file."""
        choice = choose(all_)
        for process in choice.dropped:
            rate = process.rows.get("kcat") or process.first
            what = (
                f"{rate['compound']}, {process.molecule} of {process.data_source}: {rate['parameter']} {rate['value']}"
            )
            what = f"{what} {rate['unit']}".rstrip() + ": not taken"
            out.comments.append(f"{what} (genotypes are factors on the activity).")
            out.say(rate, "draft.genotype", what, "none needed", "note")
        for process, what, fix in choice.remarks:
            out.say(process.first, "draft.genotype", f"{process.first['compound']}, {what}", fix)
        return choice.kept

    def kidney(self, body: dict[str, Any], made: Made, out: Draft) -> None:
        """Filtration as a share of GFR; what is beyond it, secretion. Nothing told: no renal clearance."""
        renal = list(made.renal)
        GFR = pksim()["GFR"]
        total = sum(v for v, _ in renal) + sum(f * GFR for f, _ in made.filtration)
        words = "; ".join(s for _, s in (*made.filtration, *renal))
        none = f"{self.said}: no renal process in the tables"
        body["kidney"] = {"GFR_fraction": quantity(min(total / GFR, 1.0), "1", words or none)}
        if total > GFR * 1.0001:
            how = f"{words}; what exceeds filtration, over {GFR:g} L/h"
            body["kidney"]["CL_secretion"] = quantity(total - GFR, "L/h", how, "kinetics")

    # ---- absorption

    def oral(self, parent: str, out: Draft, body: dict[str, Any]) -> dict[str, Any]:
        permeability = self.row(parent, "IntestinalPermeability", "Specific intestinal permeability", out)
        if permeability is None:
            what, why = f"{parent}: no intestinal permeability, so no oral doses", "absorption needs one"
            found = Finding.create("draft.oral", "drug_parameters", what, why, "give Peff", severity="warning")
            out.findings.append(found)
            return {}
        factor = pksim()["surface_enlargement"] / pksim()["surface_filling"]
        Peff = permeability.number(t.PERMEABILITY) * factor * 1e4
        how = f"{self.said}, specific intestinal permeability {permeability['value']} {permeability['unit']}: "
        how += f"{permeability.origin()}; times {factor:.4g} (surface of the jejunum in PK-Sim over its filling)"
        highest = choice("highest_Peff")
        if Peff > highest:
            what = f"{Peff:.3g}e-4 cm/s is beyond what was ever measured: {highest:g} is written"
            out.say(permeability, "draft.Peff", what, "give a human Peff", value=permeability["value"])
            how, Peff = f"{how} ({Peff:.3g}); held at {highest:g}, absorption is not limited by it", highest
        own = quantity(Peff, "1e-4 cm/s", how) | {"start": float(f"{Peff:.4g}"), "cv": choice("cv:Peff")}
        absorption: dict[str, Any] = {"model": "auto", "Peff": own}
        solubility = self.row(parent, "Solubility", "Solubility at reference pH", out)
        if solubility is not None:
            at = self.row(parent, "Solubility", "Reference pH")
            pH = float(at["value"]) if at is not None else choice("reference_pH")
            chemistry = body["physicochemistry"]
            acids, bases = (chemistry.get(k, {}).get("value", []) for k in ("acid_pKa", "base_pKa"))
            gain = min(ionisation_gain(pH, tuple(acids), tuple(bases)), coefficients("default")["salt_limit"])
            unionised = solubility.number(t.SOLUBILITY) / gain
            source = (
                f"{self.source(solubility)}; {solubility['value']} {solubility['unit']} at pH {pH:g} over {gain:.3g}"
            )
            absorption["solubility"] = quantity(unionised, "mg/mL", f"{source} (ionised part)", "solubility")
        what = "dosage forms are in no table: written as a solution, which peaks too early for a tablet"
        out.say(permeability, "draft.formulation", what, "add formulations (release weibull: t50, shape)", "note")
        return {"absorption": absorption, "formulations": {"solution": {"release": "solution"}}}
