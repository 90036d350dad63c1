"""Absorption models of a drug in a body: the gut's physiology, parameter vectors of the modules, choice of the model.

The choice follows rules on solubility, permeability, release and gut-wall handling (:func:`choose_absorption`) and can
be overridden. Nothing here changes with age but what the body brings (Q_gut): gastric emptying does not (Bonner 2015),
and for transit, radius and fluid no curve was read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from pharmtwin.core.gut_drug import (
    OralDrug,
    absorption_rate,
    coefficients,
    dissolution_constants,
    fraction_absorbed,
    gut_availability,
    permeability_clearance,
    qgut,
    solubility,
    weibull_release,
)
from pharmtwin.facts import fact_table
from pharmtwin.model.library import Names
from pharmtwin.model.library.lumen import SITES, SMALL_BOWEL

TABLE = "physiology/gut.tsv"
STATES = ("fasted", "fed")


@dataclass(frozen=True)
class Gut:
    """A gut: rates (1/h), radii (cm), area (cm2), flows (L/h), volumes (L); by segment where it differs.

    villi: part of the gut organ's flow; pH, bile_salt (mmol/L), fluid (L) by site; shares of wall enzymes by segment.
    """

    k_empty: float
    k_transit: float
    k_colon: float
    radius: float
    radius_colon: float
    area: float
    Q_villi: float
    V_ent: float
    villi: Mapping[str, float]
    pH: Mapping[str, float]
    bile_salt: Mapping[str, float]
    fluid: Mapping[str, float]
    shares: Mapping[str, Mapping[str, float]]

    def evenly(self) -> Gut:
        """The same gut with villous flow and wall content spread evenly (the case that QGut's formula describes)."""
        even = dict.fromkeys(SMALL_BOWEL, 1.0 / 7.0)
        return replace(
            self,
            villi={i: sum(self.villi.values()) / 7.0 for i in SMALL_BOWEL},
            shares=dict.fromkeys(self.shares, even),
        )


@lru_cache(maxsize=8)
def _values(state: str) -> dict[tuple[str, str], float]:
    table = fact_table(TABLE)
    rows = table[table.state.isin(["any", state])]
    return {(str(q), str(s)): float(v) for q, s, v in zip(rows.quantity, rows.segment, rows.value)}


def gut(state: str = "fasted", *, acid_suppressed: bool = False, gastric_pH: float | None = None) -> Gut:
    """The reference adult's gut.

    Parameters
    ----------
    state : ``fasted`` or ``fed`` (emptying, pH, bile salts, fluid). acid_suppressed : on a proton pump inhibitor.
    gastric_pH : a pH that replaces the table's.

    Raises
    ------
    ValueError : unknown state; a gastric pH outside 0 to 10.
    """
    if state not in STATES:
        raise ValueError(f"state {state!r} is not one of {STATES}")
    if gastric_pH is not None and not 0 <= gastric_pH <= 10:
        raise ValueError(f"gastric pH {gastric_pH} is outside 0 to 10")
    v = _values(state)
    by = lambda quantity, sites: {s: v[quantity, s] for s in sites}  # noqa: E731
    part = {i: v["villous_share", i] for i in SMALL_BOWEL}
    pH = by("pH", SITES)
    if acid_suppressed:
        pH["stomach"] = max(pH["stomach"], _values("acid_suppressed")["pH", "stomach"])
    if gastric_pH is not None:
        pH["stomach"] = gastric_pH
    whole = v["villous_flow", "small_bowel"] / v["gut_flow", "all"]
    shares = {}
    for site in sorted({q.removeprefix("share_") for q, _ in v if q.startswith("share_")}):
        one = by(f"share_{site}", SMALL_BOWEL)
        shares[site] = {i: x / sum(one.values()) for i, x in one.items()}
    return Gut(
        k_empty=v["k_empty", "stomach"],
        k_transit=7.0 / v["residence", "small_bowel"],
        k_colon=1.0 / v["residence", "colon"],
        radius=v["radius", "small_bowel"],
        radius_colon=v["radius", "colon"],
        area=v["area", "small_bowel"],
        Q_villi=v["villous_flow", "small_bowel"],
        V_ent=v["enterocyte_volume", "small_bowel"],
        villi={i: whole * x / sum(part.values()) for i, x in part.items()},
        pH=pH,
        bile_salt=by("bile_salt", SITES),
        fluid=by("fluid", SITES),
        shares=shares,
    )


def intestine_parameters(of: Gut, sites: Sequence[str] = ()) -> dict[str, float]:
    """Values of ``intestine(sites)``; enzymes without a distribution of their own take that of CYP3A4.

    Names are compared without underscores: the segments of P-gp, as ``P_gp`` or ``Pgp``, are those of ``Pgp``. A
    transporter must be in the table (KeyError names it).
    """
    values = {"k_empty": of.k_empty, "k_transit": of.k_transit, "k_colon": of.k_colon}
    values |= {f"V_fluid_{s}": x for s, x in of.fluid.items()}
    values |= {f"V_ent_{i}": of.V_ent / 7.0 for i in SMALL_BOWEL}
    values |= {f"villi_{i}": x for i, x in of.villi.items()}
    for site in sites:
        like = site.replace("_", "")
        if like not in of.shares and like.startswith(("CYP", "UGT")):
            like = "CYP3A4"
        if like not in of.shares:
            raise KeyError(f"{TABLE} has no share_{like}: how {site} is distributed along the bowel")
        values |= {f"share_{site}_{i}": x for i, x in of.shares[like].items()}
    return values


@dataclass(frozen=True)
class Choice:
    """An absorption model: ``first_order``, ``cat`` or ``adam``, its form, and why.

    ``options`` are the arguments of the builder (form, stages, travels; enzymes and efflux for ``adam``).
    """

    model: str
    options: dict[str, Any]
    reasons: tuple[str, ...]
    dose_number: float
    fraction_absorbed: float
    Fg: float


MODELS = ("first_order", "cat", "adam")


def choose_absorption(drug: OralDrug, dose: float, of: Gut, model: str = "") -> Choice:
    """Choose the simplest absorption model that a drug needs at a dose (mg); ``model`` overrides.

    Rules, the first that applies: ``adam`` if QGut predicts Fg < 0.9 for the wall enzymes, or if efflux could carry
    more than a tenth of what the wall lets through; ``cat`` with particles if the dose does not dissolve in 250 mL at
    some pH from 1.2 to 6.8; ``cat`` with release if the dosage form releases over time; ``cat`` in solution if less
    than 85 % of a dissolved dose is absorbed; else ``first_order`` (ka = 2 Peff/R after emptying, F_a = 1).
    The form follows solubility and release whatever the model.

    Raises
    ------
    ValueError : unknown model; a dose that is not above 0; first_order for a drug with particles or wall enzymes.
    """
    if model and model not in MODELS:
        raise ValueError(f"absorption model {model!r} is not one of {MODELS}")
    if not dose > 0:
        raise ValueError(f"dose {dose} mg is not above 0")
    rule = coefficients("choice")
    least = min(solubility(drug, float(pH)) for pH in np.arange(rule["pH_low"], rule["pH_high"] + 0.05, 0.1))
    number = dose / rule["glass"] / least
    Fa = fraction_absorbed(absorption_rate(drug.Peff, of.radius), of.k_transit)
    CLperm = permeability_clearance(drug.Peff, of.area)
    Fg = gut_availability(qgut(of.Q_villi, CLperm), sum(v / k for v, k in drug.enzymes.values()), drug.fu_gut)
    pumped = sum(v / k for v, k in drug.efflux.values()) / CLperm
    options: dict[str, Any] = {"form": "solution", "stages": 0, "travels": drug.travels}
    if number > 1:
        options["form"], options["stages"] = "particles", 1
    if drug.release is not None:
        options["stages"] = weibull_release(*drug.release).stages
        options["form"] = "particles" if number > 1 else "released"
    found = (
        (Fg < rule["wall"], "adam", f"QGut predicts Fg {Fg:.2f}, below {rule['wall']}"),
        (pumped > rule["efflux"], "adam", f"efflux could carry {pumped:.2f} of the wall's permeability clearance"),
        (number > 1, "cat", f"dose number {number:.2g}: the dose does not dissolve in 250 mL at every pH"),
        (drug.release is not None, "cat", "the dosage form releases over time"),
        (Fa < rule["permeable"], "cat", f"predicted fraction absorbed {Fa:.2f}, below {rule['permeable']}"),
    )
    reasons = tuple(why for true, _, why in found if true)
    chosen = next((m for true, m, _ in found if true), "first_order")
    if model:
        reasons = (f"asked for (rules: {chosen})", *reasons)
        chosen = model
    if chosen == "first_order" and options["form"] != "solution":
        raise ValueError(f"first-order absorption cannot hold this dosage form: {'; '.join(reasons)}")
    if chosen == "adam":
        options |= {"enzymes": tuple(drug.enzymes), "efflux": tuple(drug.efflux)}
    return Choice(chosen, options, reasons or ("soluble, permeable, not handled by the wall",), number, Fa, Fg)


def first_order_parameters(drug: OralDrug, of: Gut, *, compound: str = "") -> dict[str, float]:
    """Values of ``first_order_absorption``: emptying and absorption in series, as one rate 1/(1/k_empty + 1/ka)."""
    n = Names(compound)
    ka = absorption_rate(drug.Peff, of.radius)
    return {n("ka"): 1.0 / (1.0 / of.k_empty + 1.0 / ka), n("F_a"): 1.0}


def cat_parameters(
    drug: OralDrug, of: Gut, *, form: str = "solution", stages: int = 0, travels: bool = False, compound: str = ""
) -> dict[str, float]:
    """Values of ``cat_absorption`` of this form for one compound (the gut's own: :func:`intestine_parameters`).

    Raises
    ------
    ValueError : particles without a solubility; stages that differ from those of the drug's release.
    """
    n = Names(compound)
    values = {f"ka_{i}": absorption_rate(drug.Peff, of.radius) for i in SMALL_BOWEL}
    values["ka_colon"] = absorption_rate(drug.Peff * drug.colon_ratio, of.radius_colon)
    if form == "particles":
        if drug.solubility is None:
            raise ValueError("particles need the drug's solubility")
        values |= {f"Cs_{s}": solubility(drug, of.pH[s], of.bile_salt[s]) for s in SITES}
        values["k_dissolution"], values["film"] = dissolution_constants(drug.MW, drug.radius_um, drug.density)
        values |= {"k_precipitation": drug.k_precipitation, "seeds": drug.seeds}
    if form != "solution":
        at_once = (coefficients("dissolution")["disintegration"], 1.0)
        curve = weibull_release(*(drug.release or at_once))
        if curve.stages != stages:
            raise ValueError(f"the drug's release takes {curve.stages} stages, not {stages}")
        values |= {f"k_release_{j}": k for j, k in enumerate(curve.rates, start=1)}
        values |= {f"early_{j}": part for j, part in enumerate(curve.early, start=1)}
    return {n(name): value for name, value in values.items()}


def adam_parameters(drug: OralDrug, of: Gut, *, compound: str = "", **options: Any) -> dict[str, float]:
    """Values of ``adam_absorption`` for one compound; ``options`` as of its builder (form, stages, travels used here).

    CLperm = Peff area, evenly over the segments, as ka is.
    """
    n = Names(compound)
    form = {k: options[k] for k in ("form", "stages", "travels") if k in options}
    values = {n("fu_gut"): drug.fu_gut}
    values |= {n(f"CLperm_{i}"): permeability_clearance(drug.Peff, of.area / 7.0) for i in SMALL_BOWEL}
    for site, (vmax, km) in {**drug.enzymes, **drug.efflux}.items():
        values |= {n(f"Vmax_{site}_gut"): vmax, n(f"Km_{site}_gut"): km}
    return cat_parameters(drug, of, compound=compound, **form) | values


def check_binding(fu_p: float, B_P: float, fu_gut: float) -> str:
    """What is wrong with fu_gut ("" if nothing): it may not be below fu_p/B_P (see ``adam_absorption``)."""
    if math.isfinite(fu_gut) and fu_gut >= fu_p / B_P:
        return ""
    in_blood = f"the unbound fraction in blood, {fu_p / B_P:g}"
    return f"fu_gut {fu_gut:g} is below {in_blood}: enterocytes would take more than blood brings"
