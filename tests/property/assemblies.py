"""Random models put together from every module of the library, with random parameters, regimens and covariate changes.

``random_assembly(rng)`` draws one case. Whatever it draws is physically sensible: rates are not negative and fractions
lie between 0 and 1, so drug only moves and leaves, and enzymes and targets stay bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pharmtwin.engine.run import Dose
from pharmtwin.model.description import Model, Module, Parameter, compose
from pharmtwin.model.library import MODULES, Names, WallPath

Floats = NDArray[np.float64]
Rng = np.random.Generator

SYSTEMIC = ("adipose", "bone", "brain", "heart", "kidney", "muscle", "skin", "thyroid", "rest")
PORTAL = ("gut", "spleen", "pancreas")
ENZYMES = ("CYP2D6", "CYP3A4", "CYP2C19")

#: bounds of log-uniform draws by the beginning of the parameter's name (up to an underscore; the longest one counts);
#: units as the library declares them. Three decades or more, but for what physics confines (fractions, B_P, molar mass)
#: and for factors on a typical value.
BOUNDS = {
    "V": (0.02, 30.0), "Q": (0.1, 100.0), "Kp": (0.03, 50.0), "Kp_scale": (0.3, 3.0), "PS": (0.01, 100.0),
    "CLact": (0.1, 300.0), "B": (0.5, 2.0), "fu": (0.001, 1.0), "f": (0.01, 10.0), "MW": (100.0, 1000.0),
    "GFR": (0.01, 15.0), "Tmax": (0.1, 1000.0), "Kt": (0.01, 100.0), "ka": (0.01, 10.0), "F": (0.001, 1.0),
    "MTT": (0.05, 50.0), "kfast": (0.01, 10.0), "kslow": (0.001, 1.0), "fast": (0.001, 1.0), "CLint": (0.1, 5000.0),
    "Vmax": (0.1, 1000.0), "Km": (0.003, 30.0), "kdeg": (0.001, 1.0), "kinact": (0.01, 20.0), "KI": (0.01, 100.0),
    "Emax": (0.01, 20.0), "EC50": (0.01, 100.0), "Kic": (0.001, 100.0), "Kiu": (0.001, 100.0), "Bmax": (0.1, 1000.0),
    "Kd": (0.01, 100.0), "NS": (0.01, 30.0), "R0": (0.001, 10.0), "Kss": (0.001, 10.0), "kint": (0.001, 5.0),
    "Cu": (0.001, 10.0), "k": (0.01, 20.0), "early": (0.001, 1.0), "film": (0.01, 100.0), "Cs": (0.05, 5000.0),
    "seeds": (0.05, 60.0), "villi": (1e-4, 0.14), "share": (0.001, 1.0), "CLperm": (0.05, 100.0),
    "CL": (0.1, 1000.0), "yield": (1e-4, 0.1),  # a tenth: the product may be ten times as heavy as its parent
}  # fmt: skip
#: what a covariate can change within a run, by head of the name
COVARIATES = ("V", "Q", "GFR", "f", "fu", "B", "kdeg", "CLint", "Vmax", "MTT", "ka", "PS", "Cu")
UPPER_ONE = ("fu", "F", "fast")


class Assembly(NamedTuple):
    """One case.

    parameters (n_segments, n_parameters) hold from segment_times (n_segments,) on; times are sorted output times (h),
    the last one after all doses have begun; used are the library's modules in it, by their names in ``MODULES``.
    """

    model: Model
    parameters: Floats
    regimen: list[Dose]
    segment_times: Floats
    times: Floats
    used: frozenset[str]


@dataclass
class _Builder:
    """Collects modules and what can be observed of them; ``add`` is the only way to the library."""

    rng: Rng
    modules: list[Module] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    observables: list[str] = field(default_factory=list)

    def add(self, builder: str, *args: Any, **options: Any) -> None:
        self.modules.append(MODULES[builder](*args, **options))
        self.used.add(builder)

    def maybe(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def some(self, items: tuple[str, ...], least: int, most: int) -> tuple[str, ...]:
        chosen = self.rng.choice(len(items), size=int(self.rng.integers(least, most + 1)), replace=False)
        return tuple(items[i] for i in sorted(chosen))


@dataclass(frozen=True)
class _Plan:
    """What both compounds of a case share: the organs, the enzymes and who acts on them."""

    systemic: tuple[str, ...]
    portal: tuple[str, ...]
    permeable: frozenset[str]
    enzymes: tuple[str, ...]
    compounds: tuple[str, ...]
    transporter: str
    #: enzyme or transporter -> kinds of inhibition of the first compound by the perpetrator
    inhibition: dict[str, tuple[str, ...]]
    perpetrator: str
    #: the liver is ``two_state_liver``, with an uptake transporter of this name in it (empty: none)
    two_state: bool
    uptake: str
    #: inhibitors (by suffix) of the uptake and of the path UGT1A1, by kind
    kinds: dict[str, tuple[str, ...]]

    @property
    def product(self) -> str | None:
        """What the first compound may be metabolised to."""
        return "inh" if "inh" in self.compounds else None


def _plan(b: _Builder) -> _Plan:
    systemic, portal = b.some(SYSTEMIC, 1, 5), b.some(PORTAL, 0, 3)
    permeable = frozenset(o for o in (*systemic, *portal, "liver") if b.maybe(0.25))
    enzymes = b.some(ENZYMES, 0, 3)
    second = b.maybe(0.4)
    # without a second compound, comedication at a given level (a parameter) may inhibit
    perpetrator = "inh" if second else "given" if b.maybe(0.4) else ""
    two_state = "liver" in permeable and b.maybe(0.5)
    transporter = "OATP1B1" if "liver" in permeable and not two_state and b.maybe(0.5) else ""
    uptake = "OATP1B3_sinus" if two_state and b.maybe(0.7) else ""
    inhibition: dict[str, tuple[str, ...]] = {}
    if perpetrator:
        kinds: tuple[tuple[str, ...], ...] = (
            (),
            ("competitive",),
            ("uncompetitive",),
            ("competitive", "uncompetitive"),
        )
        inhibition = {e: kinds[b.rng.integers(len(kinds))] for e in enzymes}
        if transporter and b.maybe(0.6):
            inhibition[transporter] = ("competitive",)
    compounds = ("", "inh") if second else ("",)
    by = {k: (perpetrator,) if perpetrator and b.maybe(0.5) else () for k in ("competitive", "uncompetitive")}
    return _Plan(
        systemic, portal, permeable, enzymes, compounds, transporter, inhibition, perpetrator, two_state, uptake, by
    )


def _organs(b: _Builder, plan: _Plan, compound: str) -> None:
    common = {"compound": compound, "shares_body": bool(compound)}
    b.add("blood", **common)
    b.add("lung", **common)
    hepatic = "liver_blood" if "liver" in plan.permeable else "liver"
    for organ in (*plan.systemic, *plan.portal):
        kind = "permeability_limited_organ" if organ in plan.permeable else "perfusion_limited_organ"
        b.add(kind, organ, outflow=hepatic if organ in plan.portal else "venous", **common)
    if plan.two_state:
        b.add("two_state_liver", plan.portal, shares_blood=bool(compound), **common)
    elif "liver" in plan.permeable:
        inhibited = not compound and plan.transporter in plan.inhibition
        b.add(
            "permeability_limited_organ",
            "liver",
            also_drains=plan.portal,
            transporter=plan.transporter,
            inhibited=inhibited,
            **common,
        )
    else:
        b.add("well_stirred_liver", plan.portal, **common)


def _input(b: _Builder, plan: _Plan, compound: str) -> None:
    """Ways in: by mouth or not, a depot or not (the intravenous route is always there)."""
    into = "A_gut" if "gut" in plan.portal else "A_liver_blood" if "liver" in plan.permeable else "A_liver"
    oral = b.rng.integers(5)
    if oral >= 3:
        _gut(b, plan, compound, into, adam=oral == 4)
    if oral == 1:
        b.add("first_order_absorption", into=into, compound=compound)
    elif oral == 2:
        b.add("transit_absorption", int(b.rng.integers(1, 8)), into=into, compound=compound)
    for route in ("sc", "im"):
        if b.maybe(0.2):
            b.add("first_order_depot" if b.maybe(0.5) else "parallel_depot", route, compound=compound)


def _gut(b: _Builder, plan: _Plan, compound: str, into: str, adam: bool) -> None:
    """Absorption along the gut in any form; with enterocytes where there is a gut for them to lie in."""
    if "intestine" not in b.used:
        b.add("intestine", (*ENZYMES, "Pgp"))
    form = str(b.rng.choice(["solution", "released", "particles"]))
    stages = 0 if form == "solution" else int(b.rng.integers(1, 4))
    options = {"form": form, "stages": stages, "travels": stages > 0 and b.maybe(0.3), "compound": compound}
    if not adam or "gut" not in plan.portal:
        b.add("cat_absorption", into=into, **options)
        if "gut" in plan.portal and plan.enzymes:
            b.add("unbound_tissue", "gut", mass="Cu_gut_mg", molar="Cu_gut", compound=compound)
            b.add("wall_from_tissue", plan.enzymes, compound=compound)
        return
    enzymes = tuple(e for e in plan.enzymes if b.maybe(0.6))
    efflux = ("Pgp",) if b.maybe(0.5) else ()
    made = {p.name for m in b.modules for p in m.parameters}
    for site in (*enzymes, *efflux):
        if f"kdeg_{site}_gut" not in made:
            acting = (compound,) if b.maybe(0.4) else ()
            b.add("enzyme_turnover", f"{site}_gut", inactivated_by=acting, concentration=f"Cu_wall_{site}")
    gut_blood = "A_gut_blood" if "gut" in plan.permeable else "A_gut"
    liver = "A_liver_blood" if "liver" in plan.permeable else "A_liver"
    paths: tuple[WallPath, ...] = ()
    if enzymes and b.maybe(0.5):
        formed = plan.product if not compound and b.maybe(0.7) else None
        paths = (WallPath("more_gut", enzymes[0], b.maybe(0.5), False, formed, liver),)
    b.add(
        "adam_absorption",
        enzymes=enzymes,
        paths=paths,
        efflux=efflux,
        acts_on=plan.enzymes,
        perfused=b.maybe(0.7),
        gut_blood=gut_blood,
        into=liver,
        **options,
    )


def _binding(b: _Builder, plan: _Plan, compound: str) -> None:
    b.add("molar_mass", compound=compound)
    b.add("linear_plasma_binding" if b.maybe(0.7) else "saturable_plasma_binding", compound=compound)
    b.add("unbound_plasma", compound=compound)
    if not plan.two_state:
        b.add("unbound_tissue", "liver", compound=compound)
        if b.maybe(0.3):
            b.add("unbound_outflow", compound=compound)
    if b.maybe(0.25):
        b.add("target_binding_qss", compound=compound, route="local" if b.maybe(0.3) else "")
        b.observables += [Names(compound)("C_target"), Names(compound)("R_target")]


def _elimination(b: _Builder, plan: _Plan, compound: str) -> None:
    for enzyme in plan.enzymes:
        kinds = () if compound else plan.inhibition.get(enzyme, ())
        if b.maybe(0.7):
            b.add("michaelis_menten_metabolism", enzyme, inhibited=kinds, compound=compound)
        else:
            linear = {"enzyme": enzyme, "inhibited": "competitive" in kinds}
            b.add("linear_metabolism", f"{enzyme}_linear", compound=compound, **linear)
    if b.maybe(0.6):
        b.add("linear_metabolism", "other", compound=compound)
    acting = tuple(k for k, by in plan.kinds.items() if by)
    if b.maybe(0.5):
        _sites(b, plan, "UGT1A1", "Cu")
        options = {"saturable": b.maybe(0.5), "inhibited": acting, "compound": compound}
        product = plan.product if not compound and b.maybe(0.7) else None
        b.add("metabolic_path", "glucuronide", enzyme="UGT1A1", product=product, **options)
    if plan.uptake:
        _sites(b, plan, plan.uptake, "Cu_sinus")
        ends = {"source": "A_liver_blood", "target": "A_liver", "concentration": "Cu_sinus"}
        b.add("active_transport", plan.uptake, saturable=b.maybe(0.5), inhibited=acting, compound=compound, **ends)
    renal = {"filtration": b.maybe(0.6), "secretion": "kidney" in plan.systemic and b.maybe(0.5)}
    if any(renal.values()):
        b.add("excreted", compound=compound)
    if renal["filtration"]:
        # the first compound owns GFR only if it is filtered itself
        owned = any(p.name == "GFR" for m in b.modules for p in m.parameters)
        b.add("glomerular_filtration", compound=compound, shares_body=owned)
    if renal["secretion"]:
        b.add("unbound_tissue", "kidney", mass="Cu_mg_kidney", molar="Cu_kidney", compound=compound)
        b.add("tubular_secretion", compound=compound)
    if b.maybe(0.7):
        b.add("area_under_curve", compound=compound)
        b.observables.append(Names(compound)("AUC"))


def _sites(b: _Builder, plan: _Plan, site: str, concentration: str) -> None:
    """An enzyme or transporter with its inhibition, for all compounds, where the first of them needs it."""
    if site in {m.name for m in b.modules}:
        return
    if b.maybe(0.5):
        b.add("constant_enzyme", site)
    else:
        b.add("enzyme_turnover", site, inactivated_by=("",), concentration=concentration)
    if any(plan.kinds.values()):
        b.add("inhibition", site, of=plan.compounds, concentration=concentration, **plan.kinds)


def _enzymes(b: _Builder, plan: _Plan) -> None:
    acting = (*plan.compounds, *(["given"] if plan.perpetrator == "given" else []))
    for enzyme in plan.enzymes:
        inactivators = tuple(c for c in acting if b.maybe(0.35))
        inducers = tuple(c for c in acting if b.maybe(0.35))
        b.add("enzyme_turnover", enzyme, inactivated_by=inactivators, induced_by=inducers)
        b.observables.append(f"E_{enzyme}")
    if plan.perpetrator == "given":
        levels = (
            Parameter(n, "umol/L", "unbound level of a comedication")
            for n in ("Cu_given", "Cu_plasma_given", "Cu_sinus_given")
        )
        b.modules.append(Module("comedication", parameters=tuple(levels)))
    for target, kinds in plan.inhibition.items():
        site = "Cu_plasma" if target == plan.transporter else "Cu"
        for kind in kinds:
            b.add(f"{kind}_inhibition", target, (plan.perpetrator,), concentration=site)


def _bounds(name: str) -> tuple[float, float]:
    for known in sorted(BOUNDS, key=len, reverse=True):
        if f"{name}_".startswith(f"{known}_"):
            return BOUNDS[known]
    raise KeyError(f"parameter {name!r} begins like none of BOUNDS; add its bounds there")


def _balanced(values: dict[str, float], plan: _Plan) -> dict[str, float]:
    """Cardiac output is the sum of all branches; a depot's slow process is the slow one; a liver holds its blood."""
    slow = {n: min(v, values[n.replace("kslow", "kfast")]) for n, v in values.items() if n.startswith("kslow_")}
    if plan.two_state:
        slow["V_liver_blood"] = min(values["V_liver_blood"], 0.5 * values["V_liver"])
    return values | slow | {"Q_lung": sum(values[f"Q_{o}"] for o in (*plan.systemic, *plan.portal, "liver"))}


def _parameters(rng: Rng, model: Model, plan: _Plan, horizon: float) -> tuple[Floats, Floats]:
    """Values of each segment and its start: the first is log-uniform, the others change covariates."""
    values = {n: float(np.exp(rng.uniform(*np.log(_bounds(n))))) for n in model.parameter_names}
    rows, starts = [_balanced(values, plan)], [0.0]
    for start in np.sort(rng.uniform(0.02, 0.9, int(rng.integers(0, 4)))) * horizon:
        values = dict(values)
        for name in model.parameter_names:
            if name.split("_")[0] in COVARIATES and rng.random() < 0.3:
                values[name] *= float(np.exp(0.5 * rng.standard_normal()))
                if name.split("_")[0] in UPPER_ONE:
                    values[name] = min(values[name], 1.0)
        rows.append(_balanced(values, plan))
        starts.append(float(start))
    return np.array([[row[n] for n in model.parameter_names] for row in rows]), np.array(starts)


def _regimen(rng: Rng, model: Model, horizon: float) -> list[Dose]:
    """One to three courses of one to six doses: boluses and infusions, some at equal times, every route possible."""
    routes = [route for route, _ in model.dose_targets]
    doses = []
    for _ in range(int(rng.integers(1, 4))):
        route = str(rng.choice(routes))
        amount = float(np.exp(rng.uniform(np.log(0.1), np.log(500.0))))
        duration = 0.0 if rng.random() < 0.6 else float(np.exp(rng.uniform(np.log(0.1), np.log(24.0))))
        first = float(rng.choice([0.0, 0.0, rng.uniform(0.0, horizon / 3)]))
        every = float(rng.choice([6.0, 8.0, 12.0, 24.0]))
        count = int(rng.integers(1, 7))
        doses += [
            Dose(float(t), amount, route, duration) for t in first + every * np.arange(count) if t < 0.9 * horizon
        ]
    return doses


def _times(rng: Rng, regimen: list[Dose], horizon: float) -> Floats:
    """Output times: scattered, at some doses, soon after some (where levels are high), the horizon last."""
    scattered = rng.uniform(0.0, horizon, int(rng.integers(4, 30)))
    at_doses = [d.time for d in regimen if rng.random() < 0.3]
    soon = [d.time + rng.uniform(0.02, 1.0) for i, d in enumerate(regimen) if i == 0 or rng.random() < 0.3]
    return np.sort(np.concatenate([scattered, at_doses, soon, [0.0, horizon]]))


def random_assembly(rng: Rng) -> Assembly:
    """Draw one case; equal generators give equal cases."""
    b = _Builder(rng)
    plan = _plan(b)
    steps: tuple[Callable[[str], None], ...] = (
        lambda c: _organs(b, plan, c),
        lambda c: _input(b, plan, c),
        lambda c: _binding(b, plan, c),
        lambda c: _elimination(b, plan, c),
    )
    for compound in plan.compounds:
        b.observables.append(Names(compound)("C_plasma"))
        for step in steps:
            step(compound)
    _enzymes(b, plan)
    names = [p.name for m in b.modules for p in m.parameters]
    tangents = tuple(str(n) for n in rng.choice(names, size=int(rng.integers(0, 5)), replace=False))
    model = compose("assembly", b.modules, b.observables, tangents)
    horizon = float(rng.choice([12.0, 48.0, 168.0, 336.0]))
    parameters, segment_times = _parameters(rng, model, plan, horizon)
    regimen = _regimen(rng, model, horizon)
    return Assembly(model, parameters, regimen, segment_times, _times(rng, regimen, horizon), frozenset(b.used))
