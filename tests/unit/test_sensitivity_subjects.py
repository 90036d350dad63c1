"""Whom an analysis is about: a twin, drugs of the library, a population model; each input moves what it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.typing import NDArray
from tests.unit.sensitivity_fixture import POPULATION

from pharmtwin.body.physiology import physiology, reference_twins
from pharmtwin.core.draws import ACTIVITY
from pharmtwin.core.drug import Drug, load_drug
from pharmtwin.core.exposure import Scenario, interval_metrics
from pharmtwin.core.whole_body import INDIVIDUAL, whole_body
from pharmtwin.drugs.dosing import dose_events
from pharmtwin.drugs.parameters import parameter_vector
from pharmtwin.drugs.read import read_drug
from pharmtwin.drugs.system import build
from pharmtwin.engine.run import Dose, pack, simulate
from pharmtwin.inference.models.read import population_model
from pharmtwin.sensitivity.outputs import Window, output_of
from pharmtwin.sensitivity.population import population_inputs, population_subject
from pharmtwin.sensitivity.runs import observed
from pharmtwin.sensitivity.system import system_subject
from pharmtwin.sensitivity.twin import GENOTYPE, Person, twin_subject
from pharmtwin.uncertainty.inputs import DUMMY, Law

Floats = NDArray[np.float64]
ROOT = Path(__file__).resolve().parents[2]


def solved(subject: Any, u: Floats) -> Floats:
    """Outputs at points of the cube, by CVODE."""
    return observed(subject, simulate(subject.model, subject.batch(u), engine="cvode", rtol=1e-9))


# ---------------------------------------------------------------- the twin of the workflow


def reference_man(priors: list[tuple[float, float]]) -> Person:
    table = physiology(reference_twins())
    body = dict(table[table["twin_id"] == "population_M"].set_index("quantity")["value"])
    rows = [{"parameter": ACTIVITY, "location": a, "weight": w, "scale": 0.0} for a, w in priors]
    rows.append({"parameter": "GFR", "location": 1.0, "weight": 1.0, "scale": 0.2})
    return Person("population_M", body, "M", 35.0, pd.DataFrame(rows))


@pytest.fixture
def drug(drug_file: dict[str, Any], tmp_path: Path) -> Drug:
    (tmp_path / "drug.yaml").write_text(yaml.safe_dump(drug_file))
    return load_drug("drug.yaml", tmp_path)


TWICE = Scenario("twice", 20.0, 12.0, 4, "oral")
METRICS = ("AUCtau", "Cmax", "Ctrough", "tmax")


def twin(drug: Drug, **options: Any) -> Any:
    outputs = [output_of(m, "C_plasma") for m in METRICS]
    return twin_subject(drug, reference_man([(0.0, 0.25), (0.5, 0.5), (1.0, 0.25)]), TWICE, outputs, **options)


def test_a_twin_has_at_least_sixty_inputs_from_everywhere(drug: Drug) -> None:
    subject = twin(drug)
    kinds = pd.Series([i.kind for i in subject.inputs]).value_counts()
    assert len(subject.inputs) - 1 >= 60 and (kinds[["drug", "people", "body", "adherence"]] >= 2).all()
    assert kinds["genotype"] == kinds["dummy"] == 1 and subject.inputs[-1].name == DUMMY
    assert {i.group for i in subject.inputs} == {"", "tissue partition", "organ flows", "adherence"}
    known = twin(drug, known_activity=0.5, leave_out=["tissue partition", "gfr"])
    names = {i.name for i in known.inputs}
    assert GENOTYPE not in names and "gfr" not in names and not any(n.startswith("Kp.") for n in names)
    with pytest.raises(ValueError, match="no inputs or groups gut"):
        twin(drug, leave_out=["gut"])


def test_at_typical_values_the_twin_is_the_workflows_own(drug: Drug) -> None:
    """Nothing varies but the dummy: the metrics of the pbpk stage at the same parameters."""
    everything = [i.group or i.name for i in twin(drug, known_activity=0.5).inputs if i.name != DUMMY]
    subject = twin(drug, known_activity=0.5, leave_out=everything)
    assert [i.name for i in subject.inputs] == [DUMMY]
    P = subject.parameters({DUMMY: np.array([0.1, 0.9])}, 2)
    np.testing.assert_array_equal(P[0], P[1])
    at = dict(zip(whole_body().parameter_names, P[0], strict=True))
    assert [at[p] for p in INDIVIDUAL] == [0.5, 1.0, 1.1, 2.5]
    times = TWICE.last_start + np.linspace(0.0, 12.0, 97)
    reference = simulate(whole_body(), pack(whole_body(), P[:1], [TWICE.doses()], [times]), rtol=1e-9)
    wanted = interval_metrics(TWICE, times, reference.of(0))
    found = solved(subject, np.array([[0.5]]))[0]
    assert np.exp(found[:3]) == pytest.approx([wanted[m] for m in METRICS[:3]], rel=1e-5)
    assert found[3] == pytest.approx(wanted["tmax"], abs=0.13)


def test_each_input_of_the_twin_moves_its_own_parameters(drug: Drug) -> None:
    subject = twin(drug)
    names, n = whole_body().parameter_names, len(subject.inputs)
    typical = {i.name: i.law.quantile(np.array([0.5])) for i in subject.inputs}
    base = subject.parameters(typical, 1)[0]
    moved: dict[str, set[str]] = {}
    for i in subject.inputs:
        changed = subject.parameters({**typical, i.name: i.law.quantile(np.array([0.9]))}, 1)[0]
        moved[i.name] = {names[c] for c in np.flatnonzero(changed != base)}
    assert n == len(moved) and moved[DUMMY] == set() and moved["gfr"] == {"GFR"}
    assert moved["metabolism.CYP2D6_kcat"] == moved["metabolism.CYP2D6_kcat between people"] == {"f_CYP2D6"}
    assert moved[GENOTYPE] == {"f_CYP2D6"} and moved["turnover:CYP2D6"] == {"kdeg_CYP2D6"}
    assert moved["metabolism.CYP2D6_Km"] == {"Km_CYP2D6"} and moved["Kp.muscle"] == {"Kp_muscle"}
    assert {"V_liver", "Vmax_CYP2D6", "CLint_other", "V_adipose"} <= moved["volume.liver"]
    assert len([p for p in moved["cardiac_output"] if p.startswith("Q_")]) == 14
    assert {"fu_p", "Kp_muscle"} <= moved["binding.fu_p"] and "Kp_muscle" in moved["physicochemistry.logP"]
    assert moved["adherence.taken"] == moved["adherence.pattern"] == moved["adherence.delay"] == set()


def test_adherence_changes_the_doses(drug: Drug) -> None:
    subject = twin(drug)
    u = np.full((2, len(subject.inputs)), 0.5)
    names = [i.name for i in subject.inputs]
    u[1, names.index("adherence.taken")] = 0.01
    batch = subject.batch(u)
    amounts = batch.ev_amount.reshape(2, -1)
    assert amounts[0].sum() == 80.0 and amounts[1].sum() < 80.0 and amounts[1, -1] == 20.0
    assert solved(subject, u)[1, 0] < solved(subject, u)[0, 0]


# ---------------------------------------------------------------- drug files of schema 2


def paroxetine(**options: Any) -> Any:
    table = physiology(reference_twins())
    body = dict(table[table["twin_id"] == "population_M"].set_index("quantity")["value"])
    file = read_drug("paroxetine")
    doses = dose_events(build([file]), "paroxetine", "oral", [(24.0 * k, 20.0, 0.0) for k in range(3)])
    outputs = [output_of("AUCtau", "C_plasma")]
    return body, file, system_subject([file], body, "M", 35.0, doses, Window(48.0, 72.0), outputs, **options)


def test_a_system_at_typical_values_is_the_librarys_own() -> None:
    body, file, subject = paroxetine(genotypes={"CYP2D6": [(0.5, 1.0)]})
    n_inputs = len(subject.inputs) - 1
    assert n_inputs >= 60 and not any(i.kind == "genotype" for i in subject.inputs)
    typical = {i.name: np.ones(1) for i in subject.inputs}
    wanted = parameter_vector(build([file]), body, {"CYP2D6": 0.5})
    np.testing.assert_allclose(subject.parameters(typical, 1)[0], wanted, rtol=1e-9)


def test_inputs_of_a_system_move_what_they_name() -> None:
    _, file, subject = paroxetine(genotypes={"CYP2D6": [(0.0, 0.1), (1.0, 0.9)]})
    names = build([file]).model.parameter_names
    typical = {i.name: np.ones(1) for i in subject.inputs}
    base = subject.parameters(typical, 1)[0]

    def moved(name: str) -> dict[str, float]:
        changed = subject.parameters({**typical, name: np.array([0.5])}, 1)[0]
        return {names[c]: changed[c] / base[c] for c in np.flatnonzero(changed != base)}

    assert moved("genotype.CYP2D6") == pytest.approx({"f_CYP2D6": 0.5, "f_CYP2D6_gut": 0.5})
    assert moved("paroxetine:metabolism.CYP2D6.Km").keys() == {"Km_CYP2D6", "Km_CYP2D6_gut"}
    assert moved("turnover:CYP2D6") == pytest.approx({"kdeg_CYP2D6": 0.5, "kdeg_CYP2D6_gut": 0.5})
    assert moved("gut.emptying") == {"k_empty": 0.5} and moved("gut.residence") == {"k_transit": 2.0}
    assert moved("Kp.muscle") == {"Kp_muscle": 0.5} and moved("gfr") == {"GFR": 0.5}
    assert moved(DUMMY) == {}


# ---------------------------------------------------------------- population models


def test_a_population_model_brings_priors_and_correlated_effects() -> None:
    model, _ = population_model(POPULATION)
    inputs, correlations = population_inputs(model)
    by_name = {i.name: i for i in inputs}
    assert set(by_name) == {"TVCL", "eta_CL", "eta_V"}  # no prior, no variance: no input
    assert by_name["TVCL"].law.text() == "lognormal(4, 0.2)" and by_name["eta_V"].law.sd == pytest.approx(0.2)
    assert by_name["eta_CL"].group == by_name["eta_V"].group != "" and correlations == {("eta_CL", "eta_V"): 0.5}
    given, _ = population_inputs(model, {"TVV": Law("uniform", (50.0, 90.0)), "WT": Law("normal", (70.0, 10.0))})
    assert {"TVV", "WT"} <= {i.name for i in given}
    with pytest.raises(ValueError, match="has no Q that could vary"):
        population_inputs(model, {"Q": Law("uniform", (0.0, 1.0))})


def test_a_population_model_is_solved_with_its_inputs() -> None:
    model, _ = population_model(POPULATION)
    outputs = [output_of({"name": "AUC", "statistic": "AUC"}, "C", factor=1.0, unit="mg/L")]
    subject = population_subject(model, {"WT": 70.0}, [Dose(0.0, 100.0, "oral")], Window(0.0, 500.0), outputs, "C")
    assert [i.name for i in subject.inputs] == ["TVCL", "eta_CL", "eta_V", DUMMY]
    u = np.array([[0.5, 0.5, 0.5, 0.1], [0.9, 0.5, 0.5, 0.1]])
    AUC = np.exp(solved(subject, u)[:, 0])
    TVCL = 4.0 * np.exp(0.2 * 1.2815516)
    assert pytest.approx([100.0 / 4.0, 100.0 / TVCL], rel=1e-4) == AUC
    with pytest.raises(ValueError, match="covariates WT"):
        population_subject(model, {}, [Dose(0.0, 100.0, "oral")], Window(0.0, 24.0), outputs, "C")
