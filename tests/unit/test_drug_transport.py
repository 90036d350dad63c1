"""Transporters and the two-state liver: limits that have exact answers, inhibition and genotype in every place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drug_fixture import auc, compound, drug_maker, hepatic_flow, man, path, quantity, segmented, solve

from pharmtwin.core.gut import gut
from pharmtwin.core.gut_drug import absorption_rate, fraction_absorbed
from pharmtwin.drugs.dosing import dose_events
from pharmtwin.drugs.parameters import parameter_values, parameter_vector
from pharmtwin.drugs.system import build

FU = 0.2


@pytest.fixture
def drug(tmp_path: Path) -> Any:
    return drug_maker(tmp_path)


def permeable(PS: float) -> dict[str, Any]:
    return {"model": "permeability_limited", "PS": quantity(PS, "L/h")}


def carried(transporter: str, where: str, direction: str, CL: float) -> dict[str, Any]:
    return {"transporter": transporter, "where": where, "direction": direction, "CL": quantity(CL, "L/h")}


def inhibits(target: str, Ki: float = 0.05) -> dict[str, Any]:
    return {"target": target, "mechanism": "competitive", "Ki": quantity(Ki, "umol/L")}


def clearance(system: Any, activity: dict[str, float] | None = None, **body: float) -> float:
    vector = parameter_vector(system, man(**body), activity)
    return 10.0 / auc(system, vector, dose_events(system, "v", "iv", [(0.0, 10.0, 0.0)]))


def test_a_permeable_membrane_gives_the_well_stirred_liver(drug: Any) -> None:
    metabolism = [path(60.0)]
    plain = build([drug("v", v=compound(metabolism=metabolism))])
    apart = [build([drug("v", v=compound(metabolism=metabolism, liver=permeable(PS)))]) for PS in (1e3, 1e5)]
    exact, (far, near) = clearance(plain), [clearance(s) for s in apart]
    assert near == pytest.approx(exact, rel=2e-3) and abs(near - exact) < 0.03 * abs(far - exact)


@pytest.mark.parametrize("activity", [1.0, 0.3])
def test_clearance_is_that_of_the_extended_model(drug: Any, activity: float) -> None:
    """CL = Q fu CLall/(Q + fu CLall), CLall = (PSact + PS) CLint/(PS + CLint), CLint metabolism and bile together."""
    transport = [carried("OATP1B1", "liver", "uptake", 80.0), carried("MRP2", "liver", "efflux", 25.0)]
    parts = compound(metabolism=[path(15.0)], transport=transport, liver=permeable(20.0))
    system = build([drug("v", v=parts)])
    values = parameter_values(system, man(), {"OATP1B1": activity})
    relative = values["PS_liver"] / 20.0
    assert relative == pytest.approx(1.0, rel=1e-3)  # the reference man's liver
    whole = relative * (80.0 * activity + 20.0) * (15.0 + 25.0) / (20.0 + 15.0 + 25.0)
    flow = hepatic_flow(man())
    assert clearance(system, {"OATP1B1": activity}) == pytest.approx(flow * FU * whole / (flow + FU * whole), rel=1e-5)


@pytest.mark.parametrize(
    ("place", "key"), [("uptake", "OATP1B1_sinus"), ("gut", "P_gp_gut"), ("kidney", "OCT2_kidney"), ("bile", "MRP2")]
)
def test_a_constant_inhibitor_acts_as_less_transporter(drug: Any, place: str, key: str) -> None:
    transport = {
        "uptake": [carried("OATP1B1", "liver", "uptake", 80.0)],
        "gut": [carried("P-gp", "gut", "efflux", 30.0)],
        "kidney": [carried("OCT2", "kidney", "secretion", 30.0)],
        "bile": [carried("MRP2", "liver", "efflux", 30.0)],
    }[place]
    name = transport[0]["transporter"]
    victim = compound(metabolism=[path(15.0)], transport=transport, liver=permeable(20.0))
    blocker = drug("b", segmented(), blocker=compound(acts_on=[inhibits(name)]))
    system = build([drug("v", segmented(0.5), v=victim), blocker])
    assert f"f_{key}" in system.model.parameter_names
    before = dose_events(system, "b", "iv", [(0.0, 5.0, 0.0)])
    after = dose_events(system, "v", "oral", [(500.0, 10.0, 0.0)])
    vector = parameter_vector(system, man())
    blocked = solve(system, vector, before + after, [0.0, 499.0, 3000.0])
    part = 1.0 / (1.0 + 1000.0 * FU * blocked["C_plasma_blocker"][1] / 300.0 / 0.05)
    alone = auc(system, vector, after)
    slower = auc(system, parameter_vector(system, man(), {name: part}), after)
    assert blocked["AUC"][-1] == pytest.approx(slower, rel=2e-4)
    assert abs(np.log(slower / alone)) > 0.05


def test_bile_comes_back(drug: Any) -> None:
    """Bile as the only way out: AUC = D/CL (1 + Fh Fa/(1 - Fa)), for what is excreted passes the bowel again."""
    parts = compound(transport=[carried("MRP2", "liver", "efflux", 40.0)])
    body, of = man(), gut()
    Fa = fraction_absorbed(absorption_rate(0.7, of.radius), of.k_transit)
    system = build([drug("v", segmented(0.7), v=parts)])
    bile = parameter_values(system, body)["CL_MRP2"]
    flow = hepatic_flow(body)
    CL, Fh = flow * FU * bile / (flow + FU * bile), flow / (flow + FU * bile)
    area = auc(system, parameter_vector(system, body), dose_events(system, "v", "iv", [(0.0, 10.0, 0.0)]))
    assert area == pytest.approx(10.0 / CL * (1 + Fh * Fa / (1 - Fa)), rel=1e-4)
    without = build([drug("v", {}, v=parts)])
    lost = solve(
        without, parameter_vector(without, body), dose_events(without, "v", "iv", [(0.0, 10.0, 0.0)]), [3000.0]
    )
    assert lost["AUC"][-1] == pytest.approx(10.0 / CL, rel=1e-5) and lost["_A_faeces"] == pytest.approx(10.0, rel=1e-6)


def test_efflux_into_the_lumen_lowers_absorption_and_inhibition_restores_it(drug: Any) -> None:
    parts = compound(metabolism=[path(15.0)], transport=[carried("P-gp", "gut", "efflux", 300.0)])
    system = build([drug("v", segmented(0.5), v=parts)])
    doses = dose_events(system, "v", "oral", [(0.0, 10.0, 0.0)])
    areas = [auc(system, parameter_vector(system, man(), {"P-gp": f}), doses) for f in (1.0, 0.1, 0.0)]
    assert areas[0] < 0.8 * areas[2] and areas[0] < areas[1] < areas[2]
    plain = build([drug("w", segmented(0.5), w=compound(metabolism=[path(15.0)]))])
    same = auc(plain, parameter_vector(plain, man()), dose_events(plain, "w", "oral", [(0.0, 10.0, 0.0)]))
    assert areas[2] == pytest.approx(same, rel=1e-4)


def test_the_kidney_secretes_metabolises_and_filters(drug: Any) -> None:
    secreting = compound(kidney={"CL_secretion": quantity(30.0, "L/h"), "GFR_fraction": quantity(0.4, "1")})
    conjugating = compound(metabolism=[{"path": "ugt", "CLint_kidney": quantity(30.0, "L/h")}])
    flow = man()["Q_kidney"]
    for parts in (secreting, conjugating):
        system = build([drug("v", v=parts)])
        values = parameter_values(system, man())
        intrinsic = next(v for n, v in values.items() if n in ("CL_secretion_kidney", "CLint_ugt_kidney"))
        assert intrinsic == pytest.approx(30.0 * man()["V_kidney"] / (0.31 / 1.05))
        assert clearance(system) == pytest.approx(flow * FU * intrinsic / (flow + FU * intrinsic), rel=1e-5)
    filtering = build([drug("v", v=compound(kidney={"GFR_fraction": quantity(0.4, "1")}))])
    # filtered from arterial plasma: what is behind the kidney's inflow sees the rest, D/CL and the passage of the lung
    assert clearance(filtering, GFR=7.0) == pytest.approx(
        FU * 7.0 * 0.4 / (1 + FU * 7.0 * 0.4 / man()["Q_lung"]), rel=1e-4
    )


def test_an_induced_transporter_turns_over(drug: Any) -> None:
    induces = {"target": "P-gp", "mechanism": "induction", "Emax": quantity(2.5, "1"), "EC50": quantity(0.1, "umol/L")}
    parts = compound(metabolism=[path(15.0)], transport=[carried("P-gp", "gut", "efflux", 100.0)])
    inducer = drug("b", segmented(), b=compound(acts_on=[induces]))
    system = build([drug("v", segmented(0.5), v=parts), inducer], observe=["E_P_gp_gut"])
    doses = dose_events(system, "b", "iv", [(0.0, 5.0, 0.0)])
    got = solve(system, parameter_vector(system, man()), doses, [0.0, 1500.0])
    unbound = 1000.0 * FU * got["C_plasma_b"][-1] / 300.0
    assert got["E_P_gp_gut"][-1] == pytest.approx(1 + 2.5 * unbound / (0.1 + unbound), rel=1e-4)


def test_mass_closes_with_everything_at_once(drug: Any) -> None:
    transport = [
        carried("OATP1B1", "liver", "uptake", 80.0),
        {"transporter": "P-gp", "where": "gut", "direction": "efflux", "Vmax": quantity(50.0, "umol/h"),
         "Km": quantity(2.0, "umol/L")},
        carried("MRP2", "liver", "efflux", 20.0),
        carried("OAT3", "kidney", "secretion", 9.0),
    ]  # fmt: skip
    formed = path(0.1, "CYP3A4", where=["liver", "gut"], product="m", fraction=quantity(0.7, "1"))
    metabolite = compound(metabolism=[path(9.0, name="gone")], liver=permeable(5.0))
    victim = drug(
        "v", segmented(), v=compound(metabolism=[formed], transport=transport, liver=permeable(20.0)), m=metabolite
    )
    actions = [inhibits(t) for t in ("OATP1B1", "P-gp", "MRP2", "OAT3", "CYP3A4")]
    other = drug("o", other=compound(metabolism=[path(8.0)], acts_on=actions))
    system = build([victim, other])
    doses = dose_events(system, "v", "oral", [(0.0, 50.0, 0.0), (5.0, 30.0, 0.0)])
    doses += dose_events(system, "o", "oral", [(1.0, 20.0, 0.0)])
    body = man(GFR=7.0)
    for end in (0.7, 6.0, 80.0):  # the fixture checks the mass
        got = solve(system, parameter_vector(system, body), sorted(doses, key=lambda d: d.time), [0.0, max(end, 5.1)])
    assert got["AUC_m"][-1] > 0 and got["_A_urine"] > 0


def test_transport_that_the_model_cannot_hold_is_refused(drug: Any) -> None:
    with pytest.raises(ValueError, match="no meaning in a well-stirred liver"):
        drug("v", v=compound(transport=[carried("OATP1B1", "liver", "uptake", 80.0)]))
    with pytest.raises(ValueError, match="absorption model is adam"):
        drug("v", v=compound(transport=[carried("P-gp", "gut", "efflux", 80.0)]))
    with pytest.raises(ValueError, match="no uptake in the model of gut"):
        drug("v", segmented(), v=compound(transport=[carried("P-gp", "gut", "uptake", 80.0)]))
    unknown = build([drug("v", segmented(), v=compound(transport=[carried("XYZ1", "gut", "efflux", 8.0)]))])
    with pytest.raises(KeyError, match="XYZ1"):
        parameter_vector(unknown, man())
