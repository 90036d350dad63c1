"""Every module of the library against an answer that is known without it: closed forms, limits, equilibria."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from scipy.optimize import brentq
from scipy.special import gammainc, lambertw

from pharmtwin.core.whole_body import whole_body
from pharmtwin.engine.run import Dose, pack, simulate
from pharmtwin.model.balance import mass_error, pools
from pharmtwin.model.description import Definition, Model, ModelError, Module, Parameter, Port, State, compose
from pharmtwin.model.library import (
    MODULES,
    area_under_curve,
    blood,
    competitive_inhibition,
    enzyme_turnover,
    excreted,
    first_order_absorption,
    first_order_depot,
    glomerular_filtration,
    join,
    linear_metabolism,
    linear_plasma_binding,
    lung,
    michaelis_menten_metabolism,
    molar_mass,
    parallel_depot,
    perfusion_limited_organ,
    permeability_limited_organ,
    saturable_plasma_binding,
    target_binding_qss,
    transit_absorption,
    tubular_secretion,
    unbound_plasma,
    unbound_tissue,
    uncompetitive_inhibition,
    well_stirred_liver,
)

Floats = NDArray[np.float64]
Values = dict[str, float]
RTOL = 1e-9


def run(
    model: Model, values: Values, doses: list[Dose], times: Sequence[float] | Floats, rtol: float = RTOL
) -> tuple[dict[str, Floats], Values]:
    """Observables by name over the times, and the final states by name; every run must keep its mass."""
    assert sorted(values) == sorted(model.parameter_names), set(values) ^ set(model.parameter_names)
    p = np.array([values[n] for n in model.parameter_names])
    solved = simulate(model, pack(model, [p], [doses], [np.asarray(times, float)]), engine="rosenbrock", rtol=rtol)
    assert not solved.flag.any()
    if pools(model):
        assert mass_error(model, solved.final_state, [doses], [times[-1]]).max() < 1e-8
    return dict(zip(model.observable_names, solved.of(0).T)), dict(zip(model.state_names, solved.final_state[0]))


def vessel(**constants: str) -> Module:
    """One well-mixed space: A_venous (dose route iv), volume V, and constants that stand in for other modules."""
    return Module(
        name="vessel",
        states=(State("A_venous", "mg", "amount", conserved=True),),
        parameters=(Parameter("V", "L", "volume"), *(Parameter(n, unit, "given") for n, unit in constants.items())),
        definitions=(Definition("C_plasma", "A_venous/V", "mg/L", "concentration"),),
        dose_targets=(("iv", "A_venous"),),
    )


def unbound(**constants: str) -> Module:
    """A vessel whose whole content is unbound: Cu_mg = C_plasma, Cu in umol/L."""
    parts = Module(
        name="unbound",
        definitions=(
            Definition("Cu_mg", "C_plasma", "mg/L", "unbound"),
            Definition("Cu", "1000*C_plasma/MW", "umol/L", "unbound"),
        ),
        needs=(Port("C_plasma", "mg/L"), Port("MW", "g/mol")),
    )
    return join("vessel", [vessel(**constants), molar_mass(), parts])


# ---------------------------------------------------------------- absorption and depots


def test_first_order_absorption_is_an_exponential() -> None:
    model = compose("m", [vessel(), first_order_absorption(into="A_venous")], ["A_venous", "A_lumen", "A_faeces"])
    t = np.array([0.1, 1.0, 4.0, 20.0])
    got, _ = run(model, {"V": 10.0, "ka": 0.7, "F_a": 0.6}, [Dose(0.0, 50.0)], t)
    np.testing.assert_allclose(got["A_lumen"], 50.0 * np.exp(-0.7 * t), rtol=1e-7)
    np.testing.assert_allclose(got["A_venous"], 30.0 * -np.expm1(-0.7 * t), rtol=1e-7)
    np.testing.assert_allclose(got["A_faeces"], 20.0 * -np.expm1(-0.7 * t), rtol=1e-7)


@pytest.mark.parametrize("n_transit", [1, 3, 8])
def test_transit_absorption_is_a_gamma_distribution(n_transit: int) -> None:
    model = compose("m", [vessel(), transit_absorption(n_transit, into="A_venous")], ["A_venous"])
    t = np.array([0.2, 1.0, 2.5, 7.0])
    got, end = run(model, {"V": 10.0, "MTT": 2.0, "F_a": 0.8}, [Dose(0.0, 10.0)], t)
    arrived = gammainc(n_transit, n_transit / 2.0 * t)  # regularised: the distribution function of the gamma density
    np.testing.assert_allclose(got["A_venous"], 8.0 * arrived, rtol=1e-7)
    assert end["A_faeces"] == pytest.approx(2.0 * arrived[-1], rel=1e-7)


def test_first_order_depot_loses_what_is_not_bioavailable() -> None:
    model = compose("m", [vessel(), first_order_depot("sc")], ["A_venous", "A_sc"])
    t = np.array([0.5, 5.0, 50.0])
    got, end = run(model, {"V": 10.0, "ka_sc": 0.05, "F_sc": 0.7}, [Dose(0.0, 100.0, "sc")], t)
    np.testing.assert_allclose(got["A_sc"], 100.0 * np.exp(-0.05 * t), rtol=1e-7)
    np.testing.assert_allclose(got["A_venous"], -70.0 * np.expm1(-0.05 * t), rtol=1e-7)
    assert end["A_sc_lost"] == pytest.approx(-30.0 * np.expm1(-2.5), rel=1e-7)


@pytest.mark.parametrize(("kfast", "kslow"), [(0.5, 0.01), (0.3, 0.2), (0.02, 0.4)])
def test_parallel_depot_releases_two_exponentials(kfast: float, kslow: float) -> None:
    model = compose("m", [vessel(), parallel_depot("im")], ["A_venous"])
    t, fast = np.array([0.5, 4.0, 30.0, 200.0]), 0.3
    values = {"V": 10.0, "kfast_im": kfast, "kslow_im": kslow, "fast_im": fast, "F_im": 0.9}
    got, end = run(model, values, [Dose(0.0, 100.0, "im")], t)
    left = fast * np.exp(-kfast * t) + (1 - fast) * np.exp(-kslow * t)
    np.testing.assert_allclose(got["A_venous"], 90.0 * (1 - left), rtol=1e-7)
    assert end["A_im"] + end["A_im_slow"] == pytest.approx(100.0 * left[-1], rel=1e-6, abs=1e-9)


# ---------------------------------------------------------------- enzymes and metabolism


def enzyme_curve(t: Floats, kdeg: float, synthesis: float, loss: float) -> Floats:
    """dE/dt = kdeg synthesis - (kdeg + loss) E from E = 1: exponential approach to the steady state."""
    steady = kdeg * synthesis / (kdeg + loss)
    return steady + (1 - steady) * np.exp(-(kdeg + loss) * t)


def test_enzyme_falls_and_rises_to_its_steady_state() -> None:
    """Constant inactivators and inducers, two of each: they add up."""
    perpetrators = Module("given", parameters=tuple(Parameter(f"Cu_{c}", "umol/L", "") for c in ("a", "b")))
    both = enzyme_turnover("CYP3A4", inactivated_by=("a", "b"), induced_by=("b", "a"))
    model = compose("m", [perpetrators, both], ["E_CYP3A4"])
    t = np.array([1.0, 10.0, 50.0, 2000.0])
    values = {"Cu_a": 0.3, "Cu_b": 2.0, "f_CYP3A4": 1.0, "kdeg_CYP3A4": 0.0193, "kinact_CYP3A4_a": 2.4,
              "KI_CYP3A4_a": 6.0, "kinact_CYP3A4_b": 0.5, "KI_CYP3A4_b": 1.0, "Emax_CYP3A4_a": 9.0,
              "EC50_CYP3A4_a": 0.34, "Emax_CYP3A4_b": 3.0, "EC50_CYP3A4_b": 5.0}  # fmt: skip
    loss = 2.4 * 0.3 / 6.3 + 0.5 * 2.0 / 3.0
    induced = 1 + 9.0 * 0.3 / 0.64 + 3.0 * 2.0 / 7.0
    got, _ = run(model, values, [], t)
    np.testing.assert_allclose(got["E_CYP3A4"], enzyme_curve(t, 0.0193, induced, loss), rtol=1e-7)
    alone = values | {"Emax_CYP3A4_a": 0.0, "Emax_CYP3A4_b": 0.0, "kinact_CYP3A4_b": 0.0}
    steady = 0.0193 / (0.0193 + 2.4 * 0.3 / (6.0 + 0.3))
    assert run(model, alone, [], t)[0]["E_CYP3A4"][-1] == pytest.approx(steady, rel=1e-8)
    nobody = alone | {"kinact_CYP3A4_a": 0.0}
    np.testing.assert_allclose(run(model, nobody, [], t)[0]["E_CYP3A4"], 1.0, rtol=1e-12)


def test_linear_metabolism_is_an_exponential_and_follows_enzyme_and_inhibitor() -> None:
    parts = [
        unbound(Cu_inh="umol/L", E_X="1"),
        linear_metabolism("slow", source="A_venous"),
        linear_metabolism("fast", source="A_venous", enzyme="X", inhibited=True),
        competitive_inhibition("X", ("inh",)),
    ]
    model = compose("m", parts, ["A_venous"])
    t = np.array([0.5, 3.0, 12.0])
    values = {"V": 20.0, "MW": 300.0, "Cu_inh": 6.0, "E_X": 0.4, "CLint_slow": 2.0, "f_slow": 0.5, "CLint_fast": 30.0,
              "f_fast": 1.5, "Kic_X_inh": 2.0}  # fmt: skip
    got, end = run(model, values, [Dose(0.0, 5.0, "iv")], t)
    clearance = 2.0 * 0.5 + 30.0 * 1.5 * 0.4 / (1 + 6.0 / 2.0)
    np.testing.assert_allclose(got["A_venous"], 5.0 * np.exp(-clearance / 20.0 * t), rtol=1e-7)
    assert end["A_met_slow"] / end["A_met_fast"] == pytest.approx(1.0 / 4.5, rel=1e-8)


@pytest.mark.parametrize("kinds", [(), ("competitive",), ("uncompetitive",), ("competitive", "uncompetitive")])
@pytest.mark.parametrize("dose", [1e-4, 5.0, 300.0])
def test_michaelis_menten_with_reversible_inhibition_is_lambert_w(kinds: tuple[str, ...], dose: float) -> None:
    """Inhibitors change the apparent constants: Km (1 + I/Kic)/(1 + I/Kiu) and Vmax/(1 + I/Kiu)."""
    makers = {"competitive": competitive_inhibition, "uncompetitive": uncompetitive_inhibition}
    parts = [unbound(Cu_inh="umol/L", E_X="1", f_X="1"), *(makers[k]("X", ("inh",)) for k in kinds)]
    model = compose("m", [*parts, michaelis_menten_metabolism("X", source="A_venous", inhibited=kinds)], ["Cu"])
    values = {"V": 20.0, "MW": 400.0, "Cu_inh": 3.0, "E_X": 0.8, "f_X": 1.5, "Vmax_X": 50.0, "Km_X": 2.0}
    values |= {"Kic_X_inh": 1.0} if "competitive" in kinds else {}
    values |= {"Kiu_X_inh": 6.0} if "uncompetitive" in kinds else {}
    up = 1 + 3.0 / 1.0 if "competitive" in kinds else 1.0
    down = 1 + 3.0 / 6.0 if "uncompetitive" in kinds else 1.0
    vmax, km = 0.8 * 1.5 * 50.0 / 20.0 / down, 2.0 * up / down  # umol/L/h, umol/L
    t = np.linspace(0.1, 0.9, 5) * dose * 1000 / 400.0 / 20.0 / vmax + np.linspace(0.2, 3.0, 5) * km / vmax
    got, _ = run(model, values, [Dose(0.0, dose, "iv")], t)
    c0 = dose * 1000 / 400.0 / 20.0
    exact = km * lambertw(c0 / km * np.exp((c0 - vmax * t) / km)).real
    np.testing.assert_allclose(got["Cu"], exact, rtol=1e-6)
    if dose < 1e-3:  # far below Km: first order with intrinsic clearance Vmax/Km
        np.testing.assert_allclose(got["Cu"], c0 * np.exp(-vmax / km * t), rtol=1e-3)


# ---------------------------------------------------------------- kidney and accounts


def test_filtration_clears_unbound_arterial_plasma() -> None:
    arterial = Module(
        name="artery",
        states=(State("A_arterial", "mg", "", conserved=True),),
        parameters=(Parameter("V_arterial", "L", ""), Parameter("B_P", "1", "")),
        definitions=(Definition("C_arterial", "A_arterial/V_arterial", "mg/L", ""),),
        dose_targets=(("ia", "A_arterial"),),
    )
    parts = [arterial, linear_plasma_binding(), excreted(), glomerular_filtration()]
    model = compose("m", parts, ["A_urine"])
    t = np.array([0.5, 2.0, 9.0])
    values = {"V_arterial": 5.0, "B_P": 0.8, "fu_p": 0.2, "GFR": 7.2}
    got, _ = run(model, values, [Dose(0.0, 10.0, "ia")], t)
    np.testing.assert_allclose(got["A_urine"], -10.0 * np.expm1(-0.2 * 7.2 / 0.8 / 5.0 * t), rtol=1e-7)


def test_tubular_secretion_is_saturable() -> None:
    """Out of a closed kidney: Lambert W; far above Kt it is of zero order."""
    kidney = Module(
        name="kidney",
        states=(State("A_kidney", "mg", "", conserved=True),),
        definitions=(Definition("Cu_kidney", "1000*A_kidney/(0.3*MW)", "umol/L", ""),),
        needs=(Port("MW", "g/mol"),),
        dose_targets=(("local", "A_kidney"),),
    )
    parts = [kidney, molar_mass(), excreted(), tubular_secretion()]
    model = compose("m", parts, ["Cu_kidney", "A_urine"])
    values = {"MW": 250.0, "Tmax_renal": 30.0, "Kt_renal": 5.0}
    c0, t = 10.0 * 1000 / 0.3 / 250.0, np.array([0.01, 0.5, 1.2, 1.6])
    got, _ = run(model, values, [Dose(0.0, 10.0, "local")], t)
    exact = 5.0 * lambertw(c0 / 5.0 * np.exp((c0 - 30.0 / 0.3 * t) / 5.0)).real
    np.testing.assert_allclose(got["Cu_kidney"], exact, rtol=1e-6)
    assert got["A_urine"][0] == pytest.approx(30.0 * 0.250 * 0.01, rel=5.0 / c0)


def test_area_under_the_curve_has_the_concentrations_unit() -> None:
    parts = [unbound(), linear_metabolism("x", source="A_venous"), area_under_curve()]
    parts.append(area_under_curve("Cu", account="AUCu", unit="umol/L"))
    model = compose("m", parts, ["AUC", "AUCu"])
    assert {s.name: s.unit for s in model.states if s.name.startswith("AUC")} == {"AUC": "mg*h/L", "AUCu": "umol*h/L"}
    values = {"V": 20.0, "MW": 400.0, "CLint_x": 4.0, "f_x": 1.0}
    got, _ = run(model, values, [Dose(0.0, 10.0, "iv")], [5.0, 500.0])
    assert got["AUC"][1] == pytest.approx(10.0 / 4.0, rel=1e-8)
    assert got["AUCu"][0] == pytest.approx(10.0 / 4.0 * -np.expm1(-1.0) * 1000 / 400.0, rel=1e-8)


# ---------------------------------------------------------------- binding


@pytest.mark.parametrize("dose", [1e-9, 1e-3, 1.0, 30.0, 1e5])
def test_saturable_plasma_binding_solves_the_binding_equation(dose: float) -> None:
    binding = join("b", [vessel(), molar_mass(), saturable_plasma_binding(), unbound_plasma()])
    model = compose("m", [binding], ["fu_p", "Cu_plasma"])
    values = {"V": 3.0, "MW": 300.0, "Bmax_plasma": 600.0, "Kd_plasma": 5.0, "NS_plasma": 0.25}
    got, _ = run(model, values, [Dose(0.0, dose, "iv")], [1.0])
    total = dose * 1000 / 3.0 / 300.0
    exact = brentq(lambda cu: cu * 1.25 + 600.0 * cu / (5.0 + cu) - total, 0.0, total, xtol=1e-300, rtol=1e-14)
    assert got["Cu_plasma"][0] == pytest.approx(exact, rel=1e-11)
    limits = {1e-9: 1 / (1.25 + 600.0 / 5.0), 1e5: 1 / 1.25}
    assert got["fu_p"][0] == pytest.approx(limits.get(dose, exact / total), rel=2e-2 if dose == 1e5 else 1e-9)


TARGET = {"MW": 1.5e5, "V_target": 3.0, "R0_target": 0.02, "Kss_target": 0.001, "kdeg_target": 0.03, "kint_target": 0.1}


def central_target(*more: Module) -> Model:
    """The classical central compartment with a target in it."""
    site = target_binding_qss(exchanges_with_plasma=False, route="iv")
    return compose("m", [molar_mass(), site, *more], ["C_target", "Ctot_target", "Rtot_target", "RO_target"])


@pytest.mark.parametrize("dose", [1e-6, 1e-2, 9.0, 1e3])
def test_qss_binding_holds_at_every_time(dose: float) -> None:
    """Ctot = C + Rtot C/(Kss + C), to full precision however small the free concentration is."""
    got, _ = run(central_target(), TARGET, [Dose(0.0, dose, "iv")], np.linspace(0.1, 100.0, 7))
    C = got["C_target"]
    np.testing.assert_allclose(C + got["Rtot_target"] * C / (0.001 + C), got["Ctot_target"], rtol=1e-13)
    np.testing.assert_allclose(got["RO_target"], C / (0.001 + C), rtol=1e-13)


def test_qss_limits_small_and_large_doses() -> None:
    """kint = kdeg keeps the target constant: first order at kint R0/(R0 + Kss), zero order at kint R0 above it."""
    values = TARGET | {"kint_target": 0.03}
    t = np.array([1.0, 10.0, 60.0])
    got, _ = run(central_target(), values, [Dose(0.0, 1e-5, "iv")], t)
    small = 1e-5 * 1000 / 3.0 / 1.5e5
    np.testing.assert_allclose(got["Ctot_target"], small * np.exp(-0.03 * 0.02 / 0.021 * t), rtol=1e-4)
    np.testing.assert_allclose(got["Rtot_target"], 0.02, rtol=1e-9)
    got, _ = run(central_target(), values, [Dose(0.0, 1e4, "iv")], t)
    large = 1e4 * 1000 / 3.0 / 1.5e5
    np.testing.assert_allclose(large - got["Ctot_target"], 0.03 * 0.02 * t, rtol=1e-4)


def test_qss_steady_state_under_infusion() -> None:
    """kint Rtot RO = rate/V and Rtot = R0 kdeg/(kdeg + (kint - kdeg) RO), solved by hand for RO."""
    rate, v = 0.1, TARGET  # mg/h
    x = rate * 1000 / v["MW"] / v["V_target"] / (v["kint_target"] * v["R0_target"])  # RO kdeg/(kdeg + (kint-kdeg) RO)
    occupied = x * v["kdeg_target"] / (v["kdeg_target"] - x * (v["kint_target"] - v["kdeg_target"]))
    assert 0.05 < occupied < 0.95
    got, _ = run(central_target(), TARGET, [Dose(0.0, rate * 4000, "iv", 4000.0)], [3999.0])
    assert got["RO_target"][0] == pytest.approx(occupied, rel=1e-7)
    assert got["C_target"][0] == pytest.approx(v["Kss_target"] * occupied / (1 - occupied), rel=1e-6)


def test_qss_is_the_limit_of_fast_binding() -> None:
    """The full target model (Mager and Jusko 2001), kon -> infinity at the same Kss: the difference falls as 1/kon."""
    v, t, dose = TARGET, np.array([5.0, 40.0, 100.0, 200.0]), 12.0
    got, _ = run(central_target(), v, [Dose(0.0, dose, "iv")], t)
    c0, kint, kdeg = dose * 1000 / v["V_target"] / v["MW"], v["kint_target"], v["kdeg_target"]

    def full(kon: float) -> Floats:
        koff = v["Kss_target"] * kon - kint

        def rates(_: float, y: Floats) -> list[float]:
            free, target, bound = y
            net = kon * free * target - koff * bound
            return [-net, kdeg * (v["R0_target"] - target) - net, net - kint * bound]

        solved = solve_ivp(rates, (0, t[-1]), [c0, v["R0_target"], 0.0], "Radau", t, rtol=1e-10, atol=1e-14)
        return solved.y[0] + solved.y[2]

    errors = [float(np.max(np.abs(full(kon) / got["Ctot_target"] - 1))) for kon in (1e5, 1e6)]
    assert errors[1] < 1e-3 and errors[0] == pytest.approx(10 * errors[1], rel=0.1)


def test_target_space_without_target_is_a_second_compartment() -> None:
    parts = [vessel(), linear_plasma_binding(), molar_mass(), unbound_plasma(), target_binding_qss()]
    model = compose("m", parts, ["A_venous", "A_target"])
    values = TARGET | {"V": 5.0, "fu_p": 0.4, "PS_target": 0.7, "R0_target": 0.0}
    t = np.array([1.0, 5.0, 30.0])
    got, _ = run(model, values, [Dose(0.0, 10.0, "iv")], t)
    out, back = 0.7 * 0.4 / 5.0, 0.7 / 3.0
    M = np.array([[-out, back], [out, -back]])
    exact = np.array([expm(M * s) @ [10.0, 0.0] for s in t])
    np.testing.assert_allclose(np.array([got["A_venous"], got["A_target"]]).T, exact, rtol=1e-7)


# ---------------------------------------------------------------- organs and whole bodies

FLOW = {"muscle": 66.0, "brain": 47.0, "kidney": 74.0, "gut": 58.0, "spleen": 12.0, "liver": 25.0}
VOLUME = {"muscle": 29.0, "brain": 1.4, "kidney": 0.3, "gut": 1.2, "spleen": 0.15, "liver": 1.8, "lung": 0.5}
KP = {"muscle": 3.0, "brain": 0.4, "kidney": 9.0, "gut": 5.0, "spleen": 2.0, "liver": 8.0, "lung": 6.0}


def body(*more: Module, permeable: tuple[str, ...] = (), compound: str = "", **liver: Any) -> list[Module]:
    """A small body; the organs in ``permeable`` are permeability-limited."""
    common: dict[str, Any] = {"compound": compound, "shares_body": bool(compound)}
    portal = ("gut", "spleen")
    hepatic = "liver_blood" if "liver" in permeable else "liver"
    parts = [blood(**common), lung(**common), linear_plasma_binding(compound=compound), *more]
    for organ in FLOW:
        maker = permeability_limited_organ if organ in permeable else perfusion_limited_organ
        if organ != "liver":
            parts.append(maker(organ, outflow=hepatic if organ in portal else "venous", **common))
        elif organ in permeable:
            parts.append(permeability_limited_organ("liver", also_drains=portal, **common, **liver))
        else:
            parts.append(well_stirred_liver(portal, **common))
    return parts


def body_values(permeable: tuple[str, ...] = (), compound: str = "", PS: float = 5.0) -> Values:
    """Values of :func:`body`; a permeable organ's blood is 5 % of its volume."""
    tail = f"_{compound}" if compound else ""
    drug = {"B_P": 0.9, "fu_p": 0.15, "Kp_scale": 1.2, **{f"Kp_{o}": k for o, k in KP.items()}}
    drug |= {f"PS_{o}": PS for o in permeable}
    values = {n + tail: v for n, v in drug.items()}
    if not compound:
        values |= {"V_venous": 3.7, "V_arterial": 1.8, "Q_lung": sum(FLOW.values())}
        values |= {f"Q_{o}": q for o, q in FLOW.items()} | {f"V_{o}": v for o, v in VOLUME.items()}
        values |= {f"V_{o}_blood": 0.05 * VOLUME[o] for o in permeable}
    return values


@pytest.mark.parametrize("permeable", [(), ("brain", "liver", "gut")])
def test_without_elimination_every_space_is_in_equilibrium(permeable: tuple[str, ...]) -> None:
    """C B_P/(Kp Kp_scale) equals the blood concentration in every tissue, for two compounds in one body."""
    parts = [*body(permeable=permeable), *body(permeable=permeable, compound="inh")]
    model = compose("m", parts, ["C_venous"])
    values = body_values(permeable) | body_values(permeable, "inh", PS=0.8) | {"Kp_scale_inh": 0.3, "B_P_inh": 1.7}
    _, y = run(model, values, [Dose(0.0, 40.0, "iv"), Dose(2.0, 5.0, "iv_inh", 3.0)], [6000.0])
    for tail, dose in (("", 40.0), ("_inh", 5.0)):
        level = y[f"A_venous{tail}"] / values["V_venous"]
        assert y[f"A_arterial{tail}"] / values["V_arterial"] == pytest.approx(level, rel=1e-7)
        per_level = values["V_venous"] + values["V_arterial"]
        for organ, volume in VOLUME.items():
            kp = values[f"Kp_{organ}{tail}"] * values[f"Kp_scale{tail}"] / values[f"B_P{tail}"]
            assert y[f"A_{organ}{tail}"] / volume / kp == pytest.approx(level, rel=1e-7), organ
            per_level += volume * kp
        for organ in permeable:
            assert y[f"A_{organ}_blood{tail}"] / values[f"V_{organ}_blood"] == pytest.approx(level, rel=1e-7)
            per_level += values[f"V_{organ}_blood"]
        assert level == pytest.approx(dose / per_level, rel=1e-7)


def test_a_permeable_organ_becomes_a_perfused_one() -> None:
    """PS -> infinity: the organ with its blood is one space of the volume V + V_blood B_P/(Kp Kp_scale)."""
    t = np.array([0.05, 0.3, 1.0, 5.0])
    dose = [Dose(0.0, 10.0, "iv")]
    model = compose("p", body(permeable=("muscle",)), ["C_venous"])
    kp = KP["muscle"] * 1.2 / 0.9
    one = body_values() | {"V_muscle": VOLUME["muscle"] * (1 + 0.05 / kp)}
    limit, _ = run(compose("q", body(), ["C_venous"]), one, dose, t)

    def difference(PS: float) -> float:
        got, _ = run(model, body_values(("muscle",), PS=PS), dose, t)
        return float(np.max(np.abs(got["C_venous"] / limit["C_venous"] - 1)))

    assert difference(5.0) > 0.5
    assert difference(1e6) < 1e-3 and difference(1e5) == pytest.approx(10 * difference(1e6), rel=0.1)


def clearing_liver(permeable: bool, *more: Module, **liver: Any) -> Model:
    """A body whose liver alone eliminates, by one linear path, with the area under the blood concentration."""
    extra = [molar_mass(), unbound_tissue(), area_under_curve("C_venous"), *more]
    extra += [first_order_absorption(), linear_metabolism("x", enzyme="X" if more else "", inhibited=bool(more))]
    return compose("m", body(*extra, permeable=("liver",) if permeable else (), **liver), ["AUC"])


def clearance(model: Model, values: Values, route: str = "iv") -> float:
    """Dose over area, blood."""
    got, end = run(model, values, [Dose(0.0, 10.0, route)], [8000.0])
    assert end["A_venous"] < 1e-10
    return float(10.0 / got["AUC"][0])


DRUG = {"MW": 300.0, "CLint_x": 700.0, "f_x": 1.2, "ka": 1.0, "F_a": 1.0}


def test_well_stirred_liver_clears_as_its_formula() -> None:
    values = body_values() | DRUG
    flow, f_cl = FLOW["liver"] + FLOW["gut"] + FLOW["spleen"], 0.15 / 0.9 * 700.0 * 1.2
    well_stirred = flow * f_cl / (flow + f_cl)
    model = clearing_liver(False)
    assert clearance(model, values) == pytest.approx(well_stirred, rel=1e-7)
    assert clearance(model, values, "oral") == pytest.approx(f_cl, rel=1e-7)  # D/AUC_oral = fu CLint
    assert clearance(model, values | {"CLint_x": 1e8}) == pytest.approx(flow, rel=1e-4)


@pytest.mark.parametrize(("PS", "uptake", "inhibitor"), [(5.0, 0.0, 0.0), (5.0, 300.0, 0.0), (5.0, 300.0, 4.0)])
def test_permeable_liver_clears_as_the_extended_clearance_model(PS: float, uptake: float, inhibitor: float) -> None:
    """CLall = (PSdif + PSact) CLint/(PSdif + CLint), CL = Q fb CLall/(Q + fb CLall), fb = fu_p/B_P."""
    given = Module("given", parameters=(Parameter("Cu_plasma_inh", "umol/L", ""), Parameter("E_X", "1", "")))
    factors = [
        competitive_inhibition("OATP1B1", ("inh",), concentration="Cu_plasma"),
        competitive_inhibition("X", ("inh",), concentration="Cu_plasma"),
    ]
    model = clearing_liver(True, given, *factors, transporter="OATP1B1", inhibited=True)
    values = body_values(("liver",), PS=PS) | DRUG | {"CLint_x": 20.0, "f_x": 1.0, "E_X": 1.0}
    values |= {"CLact_OATP1B1": uptake, "f_OATP1B1": 0.5, "Cu_plasma_inh": inhibitor, "Kic_OATP1B1_inh": 2.0}
    values |= {"Kic_X_inh": 8.0}
    active, metabolism = 0.5 * uptake / (1 + inhibitor / 2.0), 20.0 / (1 + inhibitor / 8.0)
    overall = (PS + active) * metabolism / (PS + metabolism) * 0.15 / 0.9
    flow = FLOW["liver"] + FLOW["gut"] + FLOW["spleen"]
    assert clearance(model, values) == pytest.approx(flow * overall / (flow + overall), rel=1e-7)


def test_competitive_inhibition_raises_the_oral_area_by_the_static_formula() -> None:
    """Linear, oral, liver only: AUCR = 1/(fm/(1 + I/Ki) + 1 - fm), at most 1/(1 - fm)."""
    given = Module("given", parameters=(Parameter("Cu_inh", "umol/L", ""), Parameter("E_X", "1", "")))
    model = clearing_liver(False, given, competitive_inhibition("X", ("inh",)), linear_metabolism("rest"))
    values = body_values() | DRUG | {"CLint_rest": 60.0, "f_rest": 1.0, "E_X": 1.0, "Cu_inh": 0.0, "Kic_X_inh": 0.5}
    fm = 840.0 / (840.0 + 60.0)
    alone = clearance(model, values, "oral")
    for inhibitor in (0.2, 5.0):
        ratio = alone / clearance(model, values | {"Cu_inh": inhibitor}, "oral")
        assert ratio == pytest.approx(1 / (fm / (1 + inhibitor / 0.5) + 1 - fm), rel=1e-7)
    flooded = alone / clearance(model, values | {"Cu_inh": 1e9}, "oral")
    assert flooded == pytest.approx(1 / (1 - fm), rel=1e-6)


def test_two_like_compounds_behave_alike_and_share_only_the_body() -> None:
    """The second compound with the first one's values gives the first one's curve; its mass is a pool of its own."""
    first = body(molar_mass(), unbound_tissue(), linear_metabolism("x"))
    more = [molar_mass(compound="b"), unbound_tissue(compound="b"), linear_metabolism("x", compound="b")]
    model = compose("m", [*first, *body(*more, compound="b")], ["C_plasma", "C_plasma_b"])
    values = (
        body_values()
        | body_values(compound="b")
        | {f"{n}{t}": DRUG[n] for n in ("MW", "CLint_x", "f_x") for t in ("", "_b")}
    )
    t = np.array([0.1, 1.0, 6.0])
    got, _ = run(model, values, [Dose(0.0, 10.0, "iv"), Dose(0.0, 30.0, "iv_b")], t)
    np.testing.assert_allclose(got["C_plasma_b"], 3 * got["C_plasma"], rtol=1e-7)
    assert [len(p) for p in pools(model)] == [10, 10]


# ---------------------------------------------------------------- names, order, refusals


def test_whole_body_keeps_its_arrays() -> None:
    """Tables and fits of earlier runs index these names: the order is part of the model."""
    tissues = ["lung", "adipose", "bone", "brain", "heart", "kidney", "liver", "muscle", "skin", "thyroid", "rest",
               "gut", "spleen", "pancreas"]  # fmt: skip
    model = whole_body()
    assert model.state_names == [
        *(f"A_transit{i}" for i in (1, 2, 3, 4)), "A_faeces", *(f"A_{t}" for t in tissues), "A_venous", "A_arterial",
        "AUC", "E_CYP2D6", "A_met_CYP2D6", "A_met_other", "A_urine",
    ]  # fmt: skip
    assert model.parameter_names == [
        "MTT", "F_a", *(f"{x}_{t}" for t in tissues for x in ("V", "Q", "Kp")), "V_venous", "V_arterial", "B_P", "fu_p",
        "Kp_scale", "MW", "Vmax_CYP2D6", "Km_CYP2D6", "f_CYP2D6", "CLint_other", "f_other", "kdeg_CYP2D6",
        "kinact_CYP2D6", "KI_CYP2D6", "GFR",
    ]  # fmt: skip


def test_the_registry_holds_every_builder() -> None:
    import pharmtwin.model.library as library

    public = {n for n in library.__all__ if inspect.isfunction(getattr(library, n))} - {"join"}
    assert public == set(MODULES)
    assert all(MODULES[n].__name__ == n and MODULES[n].__doc__ for n in MODULES)


def test_a_missing_and_a_circular_port_are_named() -> None:
    with pytest.raises(ModelError, match=r"'MW'.*'unbound_liver'.*dangling"):
        compose("m", [*body(), unbound_tissue()], [])
    with pytest.raises(ModelError, match=r"'Q_gut'.*'liver'.*dangling"):
        compose("m", [blood(), linear_plasma_binding(), well_stirred_liver(("gut",))], [])
    with pytest.raises(ModelError, match=r"'absorbed'.*'absorption'.*'A_gut'"):
        compose("m", [vessel(), first_order_absorption()], [])
    with pytest.raises(ModelError, match=r"'V_venous'.*'blood'.*'blood_inh'"):
        compose("m", [blood(), blood(compound="inh")], [])  # the second compound must share the body
    turned = Module(  # plasma concentration from unbound, while binding takes unbound from plasma concentration
        name="turned",
        definitions=(Definition("C_plasma", "A_x/fu_p", "mg/L", ""),),
        states=(State("A_x", "mg", "", conserved=True),),
        needs=(Port("fu_p", "1"),),
    )
    with pytest.raises(ModelError, match=r"circular definition.*C_plasma.*fu_p"):
        compose("m", [turned, molar_mass(), saturable_plasma_binding()], [])


def test_senseless_modules_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'OATP|transporter"):
        permeability_limited_organ("liver", inhibited=True)
    with pytest.raises(ValueError, match=r"'x'.*enzyme"):
        linear_metabolism("x", inhibited=True)
    with pytest.raises(ValueError, match=r"CYP3A4.*'mixed'"):
        michaelis_menten_metabolism("CYP3A4", inhibited=("mixed",))
    with pytest.raises(ValueError, match="at least one inhibitor"):
        competitive_inhibition("X", ())
    with pytest.raises(ValueError, match="cannot inhibit itself"):
        uncompetitive_inhibition("X", ("a", "b"), of="b")
    with pytest.raises(ValueError, match="at least one compartment"):
        transit_absorption(0)


def test_join_orders_parameters_and_refuses_a_wrong_order() -> None:
    parts = [linear_plasma_binding(), molar_mass()]
    assert [p.name for p in join("j", parts).parameters] == ["fu_p", "MW"]
    assert [p.name for p in join("j", parts, ("MW", "fu_p")).parameters] == ["MW", "fu_p"]
    for wrong in (("MW",), ("MW", "fu_p", "B_P"), ("MW", "MW")):
        with pytest.raises(ModelError, match="parameter order of module 'j'"):
            join("j", parts, wrong)
