"""Population models: what a description must hold, YAML files, occasions, aliases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import yaml

from pharmtwin.inference.models.description import PopulationModelError
from pharmtwin.inference.models.occasions import expand
from pharmtwin.inference.models.read import population_model, read_population_model
from pharmtwin.inference.problem.aliases import aliases

TEXT = """
schema: 1
name: oral
source: a test
covariates: [WT]
constants: {Q: 4}
fixed: {TVCL: {value: 4, prior: {lognormal: [4, 1]}}, TVV: 70, KA: 1, b_WT: 0.75}
random:
  eta_CL: {variance: 0.2}
  eta_V: {variance: 0.1}
  kappa_CL: {variance: 0.05, level: occasion}
covariance: [[eta_CL, eta_V, 0.03]]
residual: {a: 0.1, b: {value: 0.2, prior: {halfnormal: 0.5}}}
parameters:
  CL: TVCL * (WT / 70)**b_WT * exp(eta_CL + kappa_CL)
  V: TVV * exp(eta_V)
states:
  depot: -KA * depot
  central: KA * depot - (CL + Q - 4) / V * central
observe: {C: central / V}
routes: {oral: depot}
outputs: {plasma: {of: C, error: {combined: [a, b]}, unit: mg/L}}
data: {occasion: OCC}
"""


def raw(**changes: Any) -> dict[str, Any]:
    """The text above with some sections replaced."""
    return {**yaml.safe_load(TEXT), **changes}


def test_a_file_gives_the_model_and_what_its_columns_mean(tmp_path: Any) -> None:
    path = tmp_path / "oral.yaml"
    path.write_text(TEXT, encoding="utf-8")
    model, data = read_population_model(path)
    assert data == {"occasion": "OCC"}
    assert [f.name for f in model.fixed] == ["TVCL", "TVV", "KA", "b_WT"]
    assert model.fixed[0].prior is not None and model.fixed[0].prior.arguments == (4.0, 1.0)
    assert model.omega.tolist() == [[0.2, 0.03, 0], [0.03, 0.1, 0], [0, 0, 0.05]]
    assert model.outputs[0].residuals == ("a", "b")
    assert model.structure.dose_state("oral") == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": 7}, "schema is 7"),
        ({"sates": {}}, "unknown sections ['sates']"),
        ({"states": None}, "section 'states' is missing"),
        ({"fixed": {"TVCL": "four", "TVV": 70, "KA": 1, "b_WT": 1}}, "fixed.TVCL"),
        ({"fixed": {"TVCL": {"value": float("nan")}, "TVV": 70, "KA": 1, "b_WT": 1}}, "not a finite number"),
        ({"fixed": {"TVCL": {"value": 1, "valeu": 2}, "TVV": 70, "KA": 1, "b_WT": 1}}, "unknown keys ['valeu']"),
        ({"fixed": {"TVCL": {"value": 1, "prior": {"gamma": [1]}}, "TVV": 70, "KA": 1, "b_WT": 1}}, "needs one family"),
        (
            {"fixed": {"TVCL": {"value": 1, "prior": {0.4: 1, "halfnormal": 1}}, "TVV": 70, "KA": 1, "b_WT": 1}},
            "not ['0.4', 'halfnormal']",
        ),
        ({"fixed": {"TVCL": {"value": 1, "prior": {"normal": [1]}}, "TVV": 70, "KA": 1, "b_WT": 1}}, "2 argument(s)"),
        ({"fixed": {"TVCL": 4, "TVV": 70, "KA": 1, "b_WT": 1, "Q": 2}}, "declared by module"),
        ({"covariance": [["eta_CL", "kappa_CL", 0.1]]}, "different levels"),
        ({"covariance": [["eta_CL", "eta_X", 0.1]]}, "names no pair"),
        ({"covariance": [["eta_CL", "eta_V", 0.9]]}, "not positive semi-definite"),
        ({"outputs": {"plasma": {"of": "D", "error": {"additive": ["a"]}}}}, "no observable"),
        ({"outputs": {"plasma": {"of": "C", "error": {"additive": ["a", "b"]}}}}, "1 parameter(s), not 2"),
        ({"outputs": {"plasma": {"of": "C", "error": {"additive": ["s"]}}}}, "not declared"),
        ({"outputs": {"plasma": {"of": "C", "error": {"gamma": ["a"]}}}}, "has the error 'gamma'"),
        ({"doses": {"depot": {"lag": "C"}}}, "definition free of states"),
        ({"doses": {"lumen": {"lag": "KA"}}}, "no state"),
        ({"initial": {"central": "C"}}, "definition free of states"),
        ({"parameters": {"CL": "TVCL * nothing", "V": "TVV"}}, "nothing"),
    ],
)
def test_every_fault_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(PopulationModelError) as caught:
        population_model(raw(**changes), "oral.yaml")
    assert words in str(caught.value) and "oral.yaml" in str(caught.value)


def test_faults_come_together() -> None:
    with pytest.raises(PopulationModelError) as caught:
        population_model(raw(schema=2, sates={}), "oral.yaml")
    assert len(str(caught.value).splitlines()) == 2


def test_effects_of_the_occasion_are_written_out() -> None:
    model, _ = population_model(raw())
    two = expand(model, 2)
    assert [r.name for r in two.random] == ["eta_CL", "eta_V", "kappa_CL_occ1", "kappa_CL_occ2"]
    assert np.allclose(np.diag(two.omega), [0.2, 0.1, 0.05, 0.05]) and two.omega[0, 1] == 0.03
    assert two.covariates == ("WT", "occasion_1", "occasion_2")
    assert expand(two, 2) is two, "nothing is left to write out"


def test_a_typical_value_beside_its_random_effect_needs_no_derivative_of_its_own() -> None:
    model, _ = population_model(raw())
    assert aliases(model) == {"TVCL": "eta_CL", "TVV": "eta_V"}
    apart, _ = population_model(
        raw(parameters={"CL": "TVCL * (WT / 70)**b_WT * exp(eta_CL + kappa_CL)", "V": "TVV + exp(eta_V)"})
    )
    assert aliases(apart) == {"TVCL": "eta_CL"}
    twice, _ = population_model(raw(observe={"C": "central / V", "share": "TVCL * central"}))
    assert aliases(twice) == {"TVV": "eta_V"}, "TVCL is used in another place too"
