"""The whole-body model against matrices and formulas written by hand, not taken from its description."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.optimize import brentq

from pharmtwin.core.anatomy import COMPARTMENTS, PORTAL, SYSTEMIC, TISSUES
from pharmtwin.core.partition import vss
from pharmtwin.core.whole_body import ACCOUNTS, INDIVIDUAL, N_TRANSIT, mass, whole_body, whole_body_for_fit
from pharmtwin.engine.run import Dose, pack, simulate
from pharmtwin.pbpk.verification.exact import hepatic_clearance, hepatic_flow, linear_body

Floats = NDArray[np.float64]
Vector = Callable[..., Floats]
Values = dict[str, float]
LINEAR = {"f_CYP2D6": 0.0, "GFR": 0.0}  # hepatic elimination by CLint_other alone
engines = pytest.mark.parametrize("engine", ["rosenbrock", "cvode"])
STATES = whole_body().state_names
PLASMA_AUC = whole_body().observable_names.index("AUC")


def end_states(
    p: Floats, doses: list[Dose], ends: list[float], engine: str = "rosenbrock", rtol: float = 1e-9
) -> Floats:
    """Final states of one run an end time."""
    model, n = whole_body(), len(ends)
    solved = simulate(model, pack(model, [p] * n, [doses] * n, [np.array([e]) for e in ends]), engine=engine, rtol=rtol)
    assert not solved.flag.any()
    return solved.final_state


def blood_auc(p: Floats, v: Values, dose: Dose, hours: float = 4000.0) -> float:
    """Area under the venous blood concentration to (practically) infinity."""
    y = end_states(p, [dose], [hours])[0]
    assert sum(y[STATES.index(f"A_{c}")] for c in COMPARTMENTS) < 1e-9 * dose.amount
    return float(y[STATES.index("AUC")]) * v["B_P"]


# ---------------------------------------------------------------- exact solution and balances


@pytest.mark.parametrize(("engine", "rtol", "bound"), [("rosenbrock", 1e-9, 1e-8), ("cvode", 1e-11, 1e-7)])
def test_linear_body_is_the_matrix_exponential(
    vector: Vector, body_values: Values, engine: str, rtol: float, bound: float
) -> None:
    """22 states, seven daily doses as jumps; relative error of all states above 1e-6 of the dose (1e-4 mg)."""
    change = {"f_CYP2D6": 0.0}
    M, names = linear_body(body_values | change)
    doses = [Dose(24.0 * k, 100.0) for k in range(7)]
    ends = [0.5, 2.0, 24.0, 60.0, 150.0, 168.0]
    got = end_states(vector(**change), doses, ends, engine, rtol=rtol)
    for k, end in enumerate(ends):
        y, t = np.zeros(len(names)), 0.0
        for d in doses:
            if d.time >= end:
                break
            y = expm(M * (d.time - t)) @ y
            y[0] += d.amount
            t = d.time
        y = expm(M * (end - t)) @ y
        mine = got[k][[STATES.index(n) for n in names]]
        np.testing.assert_allclose(mine[y > 1e-4], y[y > 1e-4], rtol=bound)
        np.testing.assert_allclose(mine, y, atol=bound * y.max())


@engines
def test_mass_balance_with_saturation_and_inactivation(vector: Vector, engine: str) -> None:
    doses = [Dose(0.0, 20.0), Dose(12.0, 30.0), Dose(20.0, 5.0, "iv"), Dose(24.0, 20.0), Dose(36.0, 40.0, "iv", 4.0)]
    ends = [0.01, 1.0, 12.0, 12.5, 20.1, 24.0, 30.0, 38.0, 40.0, 100.0, 1000.0]
    states = end_states(vector(), doses, ends, engine, rtol=1e-6)
    for y, end in zip(states, ends):
        given = sum(d.amount for d in doses if d.time < end and not d.duration) + 10.0 * np.clip(end - 36.0, 0.0, 4.0)
        assert mass(whole_body(), list(y)) == pytest.approx(given, rel=1e-9)
    urine, enzyme, other, faeces = (
        states[-1][STATES.index(s)] for s in ("A_urine", "A_met_CYP2D6", "A_met_other", "A_faeces")
    )
    assert min(urine, enzyme, other, faeces) > 0.1  # every route was open
    assert states[:, STATES.index("E_CYP2D6")].min() < 0.6  # and inactivation was on


@engines
def test_without_elimination_all_organs_reach_equilibrium(vector: Vector, body_values: Values, engine: str) -> None:
    v = body_values
    p = vector(f_CYP2D6=0.0, f_other=0.0, GFR=0.0)
    y = end_states(p, [Dose(0.0, 50.0), Dose(3.0, 50.0, "iv")], [5000.0], engine, rtol=1e-8)[0]
    conc = {c: y[STATES.index(f"A_{c}")] / v[f"V_{c}"] for c in COMPARTMENTS}
    for tissue in TISSUES:
        assert conc[tissue] * v["B_P"] / (v[f"Kp_{tissue}"] * v["Kp_scale"]) == pytest.approx(conc["venous"], rel=1e-7)
    assert conc["arterial"] == pytest.approx(conc["venous"], rel=1e-7)
    kp = {t: v[f"Kp_{t}"] * v["Kp_scale"] for t in TISSUES}
    volume = vss(kp, {c: v[f"V_{c}"] for c in COMPARTMENTS}, v["B_P"])  # plasma volume of distribution
    assert conc["venous"] / v["B_P"] == pytest.approx((50.0 * v["F_a"] + 50.0) / volume, rel=1e-7)


# ---------------------------------------------------------------- clearance, bioavailability, moments


@pytest.mark.parametrize("clint", [30.0, 300.0, 3000.0, 30000.0])
def test_auc_after_iv_is_dose_over_hepatic_clearance(vector: Vector, body_values: Values, clint: float) -> None:
    change = {**LINEAR, "CLint_other": clint}
    auc = blood_auc(vector(**change), body_values, Dose(0.0, 10.0, "iv"), 4000.0 if clint > 100 else 20000.0)
    assert 10.0 / auc == pytest.approx(hepatic_clearance(body_values | change), rel=1e-7)


def test_hepatic_clearance_is_limited_by_total_hepatic_flow(vector: Vector, body_values: Values) -> None:
    auc = blood_auc(vector(**LINEAR, CLint_other=1e9), body_values, Dose(0.0, 10.0, "iv"))
    assert hepatic_flow(body_values) == pytest.approx(25.35 + 58.5 + 11.7 + 3.9)
    assert 10.0 / auc == pytest.approx(hepatic_flow(body_values), rel=1e-5)


def test_oral_bioavailability_is_absorbed_times_what_the_liver_leaves(vector: Vector, body_values: Values) -> None:
    p = vector(**LINEAR)
    oral, iv = (blood_auc(p, body_values, Dose(0.0, 10.0, route)) for route in ("oral", "iv"))
    escapes = 1.0 - hepatic_clearance(body_values) / hepatic_flow(body_values)
    assert 0.1 < escapes < 0.95
    assert oral / iv == pytest.approx(body_values["F_a"] * escapes, rel=1e-7)


def test_renal_clearance_adds_on_the_arterial_side(vector: Vector, body_values: Values) -> None:
    """AUC_arterial = D/(CL_H + fu/B_P GFR); the vein sees what the kidney took: CO (AUC_v - AUC_a) = A_urine."""
    v = body_values | {"f_CYP2D6": 0.0, "fu_p": 0.5, "CLint_other": 40.0}
    p = vector(f_CYP2D6=0.0, fu_p=0.5, CLint_other=40.0)
    y = end_states(p, [Dose(0.0, 10.0, "iv")], [4000.0])[0]
    renal = v["fu_p"] / v["B_P"] * v["GFR"]
    arterial = 10.0 / (hepatic_clearance(v) + renal)
    assert y[STATES.index("A_urine")] == pytest.approx(renal * arterial, rel=1e-7)
    venous = arterial * (1.0 + renal / v["Q_lung"])
    assert y[STATES.index("AUC")] * v["B_P"] == pytest.approx(venous, rel=1e-7)


def test_one_enzyme_of_two_knocked_out_gives_one_over_one_minus_fm(vector: Vector, body_values: Values) -> None:
    """Linear, oral, liver only: AUC ratio = 1/(1 - fm) exactly. Also fixes the units of Vmax/Km (L/h)."""
    v = body_values
    linear = {"GFR": 0.0, "Km_CYP2D6": 1e7, "Vmax_CYP2D6": 400.0 * 1e7, "kinact_CYP2D6": 0.0}
    cyp, other = 400.0 * v["f_CYP2D6"], v["CLint_other"] * v["f_other"]
    dose = Dose(0.0, 10.0)
    normal = blood_auc(vector(**linear), v, dose)
    absent = blood_auc(vector(**linear, f_CYP2D6=0.0), v, dose)
    assert absent / normal == pytest.approx(1.0 / (1.0 - cyp / (cyp + other)), rel=1e-6)
    assert normal == pytest.approx(v["F_a"] * 10.0 / (v["fu_p"] / v["B_P"] * (cyp + other)), rel=1e-6)


@pytest.mark.parametrize(("clint", "hours"), [(300.0, 6000.0), (3.0, 200000.0)])
def test_volume_of_distribution_by_moments(vector: Vector, body_values: Values, clint: float, hours: float) -> None:
    """Vss = D AUMC/AUC^2 (blood, venous sampling, liver eliminates).

    By hand from two passes of the linear system: venous blood and every organ that drains into it count fully;
    lung and artery lie behind one pass of the sampling site, (1 - CL/CO); the portal organs are seen through the
    liver, F_h, and the liver, whose own level is F_h lower, F_h^2. At CL -> 0 this is the textbook sum.
    """
    v = body_values | LINEAR | {"CLint_other": clint}
    model = whole_body()
    edges = np.concatenate([[0.0], np.geomspace(1e-5, hours, 240)])
    x, w = np.polynomial.legendre.leggauss(6)
    nodes = (edges[:-1, None] + np.diff(edges)[:, None] * (x + 1) / 2).ravel()
    weights = (np.diff(edges)[:, None] * w / 2).ravel()
    batch = pack(model, [vector(**LINEAR, CLint_other=clint)], [[Dose(0.0, 10.0, "iv")]], [np.append(nodes, hours)])
    area = simulate(model, batch, engine="rosenbrock", rtol=1e-10).of(0)[:, PLASMA_AUC] * v["B_P"]
    got = 10.0 * float(weights @ (area[-1] - area[:-1])) / area[-1] ** 2

    size = {t: v[f"V_{t}"] * v[f"Kp_{t}"] * v["Kp_scale"] / v["B_P"] for t in TISSUES}
    cl = hepatic_clearance(v)
    escapes = 1.0 - cl / hepatic_flow(v)
    expected = v["V_venous"] + sum(size[t] for t in SYSTEMIC if t != "liver")
    expected += (size["lung"] + v["V_arterial"]) * (1.0 - cl / v["Q_lung"])
    expected += escapes * (sum(size[t] for t in PORTAL) + escapes * size["liver"])
    assert got == pytest.approx(expected, rel=1e-6)
    textbook = vss({t: v[f"Kp_{t}"] * v["Kp_scale"] for t in TISSUES}, {c: v[f"V_{c}"] for c in COMPARTMENTS}, v["B_P"])
    assert got == pytest.approx(textbook / v["B_P"], rel=0.1 if clint > 10 else 1e-2)


def test_absorption_is_a_gamma_density(vector: Vector, body_values: Values) -> None:
    """Four transit compartments: what has left them is the Erlang distribution of mean MTT."""
    ktr = N_TRANSIT / body_values["MTT"]
    ends = [0.3, 1.0, 2.0, 5.0]
    y = end_states(vector(), [Dose(0.0, 10.0)], ends)
    left = np.array([sum(row[STATES.index(f"A_transit{i}")] for i in range(1, N_TRANSIT + 1)) for row in y])
    x = ktr * np.array(ends)
    np.testing.assert_allclose(left, 10.0 * np.exp(-x) * (1 + x + x**2 / 2 + x**3 / 6), rtol=1e-7)


# ---------------------------------------------------------------- enzyme, accounts, flows


@engines
def test_steady_state_of_a_saturable_inactivated_enzyme(vector: Vector, body_values: Values, engine: str) -> None:
    """Constant infusion: E = kdeg/(kdeg + kinact Cu/(KI + Cu)), and elimination equals the rate; a root in Cu."""
    v = body_values | {"GFR": 0.0}
    rate = 2.0

    def enzyme(cu: float) -> float:
        inactivation = v["kinact_CYP2D6"] * cu / (v["KI_CYP2D6"] + cu)
        return v["kdeg_CYP2D6"] / (v["kdeg_CYP2D6"] + inactivation)

    def excess(cu: float) -> float:
        mg_per_umol = v["MW"] / 1000.0
        cyp = v["f_CYP2D6"] * enzyme(cu) * v["Vmax_CYP2D6"] * cu / (v["Km_CYP2D6"] + cu) * mg_per_umol
        return cyp + v["f_other"] * v["CLint_other"] * cu * mg_per_umol - rate

    cu = brentq(excess, 1e-8, 10.0, xtol=1e-14)
    y = end_states(vector(GFR=0.0), [Dose(0.0, rate * 6000.0, "iv", 6000.0)], [5900.0], engine, rtol=1e-8)[0]
    liver = y[STATES.index("A_liver")] / (v["V_liver"] * v["Kp_liver"] * v["Kp_scale"])
    assert 1000.0 * v["fu_p"] * liver / v["MW"] == pytest.approx(cu, rel=1e-6)
    assert y[STATES.index("E_CYP2D6")] == pytest.approx(enzyme(cu), rel=1e-6)
    assert enzyme(cu) < 0.1


@engines
def test_without_inactivation_the_enzyme_stays_whole(vector: Vector, engine: str) -> None:
    model = whole_body()
    times = np.linspace(0.0, 240.0, 41)
    batch = pack(model, [vector(kinact_CYP2D6=0.0)], [[Dose(24.0 * k, 60.0) for k in range(9)]], [times])
    enzyme = simulate(model, batch, engine=engine).of(0)[:, model.observable_names.index("E_CYP2D6")]
    np.testing.assert_allclose(enzyme, 1.0, rtol=0, atol=1e-13)


def test_model_without_accounts_gives_the_same_concentrations(vector: Vector) -> None:
    full, lean = whole_body(), whole_body_for_fit()
    assert lean.parameter_names == full.parameter_names and lean.sensitivities == INDIVIDUAL
    assert not set(lean.state_names) & set(ACCOUNTS)
    for state in lean.state_names:
        terms = [[(f.expression, c) for f in m.fluxes for s, c in f.changes if s == state] for m in (full, lean)]
        assert terms[0] == terms[1] != []
    kept = {d.name: d.expression for d in full.definitions}
    assert all(kept[d.name] == d.expression for d in lean.definitions)
    doses = [Dose(24.0 * k, 20.0) for k in range(3)]
    times = np.array([1.0, 6.0, 24.0, 55.0, 72.0])
    a, b = (simulate(m, pack(m, [vector()], [doses], [times]), engine="rosenbrock", rtol=1e-9) for m in (full, lean))
    for name in lean.observable_names:
        i, j = full.observable_names.index(name), lean.observable_names.index(name)
        np.testing.assert_allclose(b.of(0)[:, j], a.of(0)[:, i], rtol=1e-8)


def test_structure_of_the_body(body_values: Values) -> None:
    """Sixteen compartments; what leaves the artery is what leaves the lung; what leaves the liver is what enters it."""
    model = whole_body()
    assert len(COMPARTMENTS) == 16 and set(TISSUES) | {"venous", "arterial"} == set(COMPARTMENTS)
    assert model.sensitivities == INDIVIDUAL
    assert model.dose_targets == (("oral", "A_transit1"), ("iv", "A_venous"))
    assert sum(body_values[f"Q_{o}"] for o in (*SYSTEMIC, *PORTAL)) == pytest.approx(body_values["Q_lung"], rel=1e-14)
    conserved = {s.name for s in model.states if s.conserved}
    assert set(model.state_names) - conserved == {"AUC", "E_CYP2D6"}
    for flux in model.fluxes:  # mass is conserved as algebra, not only as numbers
        assert sum(float(c) for state, c in flux.changes if state in conserved) == 0.0, flux.name
