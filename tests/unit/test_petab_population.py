"""PEtab problems as population models: closed forms, derivatives against central differences, what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import libsbml
import numpy as np
import pytest
from scipy.stats import norm

from pharmtwin.exchange.petab import SCALES, simulate_problem
from pharmtwin.inference.estimation.maximise import maximise
from pharmtwin.inference.models.description import PopulationModelError, Prior
from pharmtwin.inference.petab.command import main
from pharmtwin.inference.petab.importing import PetabPopulation, import_petab
from pharmtwin.inference.petab.likelihood import log_likelihood_of_table
from pharmtwin.inference.petab.noise import Coefficient, Noise, noise_of
from pharmtwin.inference.petab.texts import substituted, with_comparisons
from pharmtwin.inference.problem.problem import make_problem

LN10 = math.log(10.0)


def sbml(
    rates: Mapping[str, str], parameters: Mapping[str, float], *, starts: Mapping[str, str] | None = None,
    rules: Mapping[str, str] | None = None, events: Mapping[str, tuple[str, str, str]] | None = None,
) -> str:  # fmt: skip
    """A model of amounts in a compartment of size 1, whose rates are rules; events are (trigger, target, value)."""
    document = libsbml.SBMLDocument(3, 2)
    model = document.createModel()
    model.setId("small")
    size = model.createCompartment()
    size.setId("c"), size.setConstant(True), size.setSize(1.0), size.setSpatialDimensions(3)
    for name in rates:
        s = model.createSpecies()
        s.setId(name), s.setCompartment("c"), s.setHasOnlySubstanceUnits(True), s.setConstant(False)
        s.setBoundaryCondition(False), s.setInitialAmount(0.0)
    for name, value in {**parameters, **dict.fromkeys(rules or {}, 0.0)}.items():
        p = model.createParameter()
        p.setId(name), p.setValue(value), p.setConstant(False)
    formula = libsbml.parseL3Formula
    for name, text in rates.items():
        rate = model.createRateRule()
        rate.setVariable(name), rate.setMath(formula(text))
    for name, text in (rules or {}).items():
        rule = model.createAssignmentRule()
        rule.setVariable(name), rule.setMath(formula(text))
    for name, text in (starts or {}).items():
        start = model.createInitialAssignment()
        start.setSymbol(name), start.setMath(formula(text))
    for name, (when, target, value) in (events or {}).items():
        event = model.createEvent()
        event.setId(name), event.setUseValuesFromTriggerTime(True)
        trigger = event.createTrigger()
        trigger.setInitialValue(True), trigger.setPersistent(True), trigger.setMath(formula(when))
        assignment = event.createEventAssignment()
        assignment.setVariable(target), assignment.setMath(formula(value))
    return str(libsbml.writeSBMLToString(document))


def written(folder: Path, model: str, **tables: str) -> Path:
    """The files of a problem; tables are written with blanks for tabs, ``-`` for an empty cell."""
    files = {"par": tables["par"], "con": tables["con"], "obs": tables["obs"], "mea": tables["mea"]}
    (folder / "model.xml").write_text(model, encoding="utf-8")
    for name, text in files.items():
        rows = ["\t".join("" if c == "-" else c for c in line.split()) for line in text.strip().splitlines()]
        (folder / f"{name}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    path = folder / "small.yaml"
    path.write_text(
        "format_version: 1\nparameter_file: par.tsv\nproblems:\n- sbml_files: [model.xml]\n"
        "  condition_files: [con.tsv]\n  observable_files: [obs.tsv]\n  measurement_files: [mea.tsv]\n",
        encoding="utf-8",
    )
    return path


PARAMETERS = "parameterId parameterScale lowerBound upperBound nominalValue estimate\n"
OBSERVABLES = "observableId observableFormula noiseFormula observableTransformation\n"
MEASURED = (
    "observableId preequilibrationConditionId simulationConditionId measurement time observableParameters "
    "noiseParameters\n"
)


def check(made: PetabPopulation, expected: Callable[[Mapping[str, float]], float]) -> None:
    """Log-likelihood and derivatives off the nominal values, against a closed form and its central differences."""
    moved = {}
    for k, p in enumerate(made.estimated):
        e = made.entries[p]
        moved[p] = float(SCALES[e.scale][1](e.scaled(e.value) + 0.03 * (k + 1)))
    value, gradient = made.log_likelihood(moved)
    constants = {p: e.value for p, e in made.entries.items() if not e.estimated}
    assert value == pytest.approx(expected(constants | moved), rel=1e-9)
    for p in made.estimated:
        e, h = made.entries[p], 1e-5
        there = [SCALES[e.scale][1](e.scaled(moved[p]) + s * h) for s in (1, -1)]
        up, down = (expected(constants | {**moved, p: float(v)}) for v in there)
        assert gradient[p] == pytest.approx((up - down) / (2 * h), rel=1e-6, abs=1e-6), p
    nominal, _ = made.log_likelihood(derivatives=False)
    again = log_likelihood_of_table(made.problem, simulate_problem(made.problem))
    assert nominal == pytest.approx(again, abs=1e-6)


@pytest.fixture
def decay(tmp_path: Path) -> Path:
    """A(0) = A0, dA/dt = -k A: k is a parameter in one condition, a number in another, the model's own in a third."""
    model = sbml({"A": "-k*A"}, {"k": 0.7, "A0": 1.0, "unused": 1.0}, starts={"A": "2*A0"})
    return written(
        tmp_path, model,
        par=PARAMETERS + "A0 log 0.1 100 5 1\nk_slow log10 0.001 10 0.2 1\ns lin 0.1 10 3 1\nsd log10 0.01 10 0.5 1\n"
        "rel lin 0.01 1 0.1 1\nsd2 lin 0.01 1 0.2 1\nbase log10 0.01 10 0.4 0",
        con="conditionId k unused\nslow k_slow 1\nfast 0.9 2\nown - 3",
        obs=OBSERVABLES
        + "o observableParameter1_o*A+base noiseParameter1_o+noiseParameter2_o*(base+A*observableParameter1_o) lin\n"
        "l A noiseParameter1_l log10\nn A noiseParameter1_n log",
        mea=MEASURED + "o - slow 9.1 1 s sd;rel\no - slow 8.7 1 2.5 sd;rel\no - fast 3.3 2 s sd;rel\n"
        "o - own 21 0.5 s 0.3;rel\n"
        "l - own 4.4 1 - sd2\nl - slow 7.7 0 - 0.15\nn - fast 0.8 3 - 0.25",
    )  # fmt: skip


def of_decay(v: Mapping[str, float]) -> float:
    a = lambda k, t: 2.0 * v["A0"] * math.exp(-k * t)  # noqa: E731
    total = 0.0
    for k, t, scale, sd, y in ((v["k_slow"], 1, v["s"], v["sd"], 9.1), (v["k_slow"], 1, 2.5, v["sd"], 8.7),
                               (0.9, 2, v["s"], v["sd"], 3.3), (0.7, 0.5, v["s"], 0.3, 21)):  # fmt: skip
        f = scale * a(k, t) + v["base"]
        total += norm.logpdf(y, f, sd + v["rel"] * f)
    for k, t, sd, y in ((0.7, 1, v["sd2"], 4.4), (v["k_slow"], 0, 0.15, 7.7)):
        total += norm.logpdf(math.log10(y), math.log10(a(k, t)), sd) - math.log(y * LN10)
    return float(total + norm.logpdf(math.log(0.8), math.log(a(0.9, 3)), 0.25) - math.log(0.8))


def test_conditions_scales_and_noise_against_the_closed_form(decay: Path) -> None:
    made = import_petab(decay)
    check(made, of_decay)
    model = made.model
    assert [s.id for s in made.subjects] == ["slow", "fast", "own"]
    assert set(model.covariates) == {"k_case", "k_number"} and model.initial == (("A", "A_start"),)
    assert {o.error for o in model.outputs} == {"combined_sd", "lognormal"} and len(model.outputs) == 6
    assert made.residuals["sd2"] == ("sd_log_sd2", pytest.approx(LN10))
    assert any("unused" in n for n in made.notes)
    assert made.values() == pytest.approx({p: e.value for p, e in made.entries.items() if e.estimated})
    moved = made.with_values({"sd2": 0.3, "k_slow": 0.4})
    assert made.values(moved)["sd2"] == pytest.approx(0.3) and made.values(moved)["k_slow"] == pytest.approx(0.4)
    assert {f.name: f.value for f in moved.fixed}["log10_k_slow"] == pytest.approx(math.log10(0.4))
    with pytest.raises(KeyError, match="base"):
        made.with_values({"base": 1.0})


def test_rest_before_the_measurements_and_at_the_end(tmp_path: Path) -> None:
    path = written(
        tmp_path, sbml({"S": "p - k*S"}, {"k": 1.0, "p": 1.0}),
        par=PARAMETERS + "k log10 0.01 10 0.5 1\nhigh log 0.1 100 6 1",
        con="conditionId p\nlow 2\nhot high", obs=OBSERVABLES + "o S 0.3 lin\njumps S+p 0.3 lin",
        mea=MEASURED + "o low hot 5.1 0 - -\no low hot 8.8 1.5 - -\no low hot 13 inf - -\no - low 2.2 1 - -\n"
        "jumps low hot 9.8 0 - -",
    )  # fmt: skip

    def expected(v: Mapping[str, float]) -> float:
        s = lambda p, first, t: p / v["k"] + (first - p / v["k"]) * math.exp(-v["k"] * t)  # noqa: E731
        rest = 2 / v["k"]
        f = [rest, s(v["high"], rest, 1.5), v["high"] / v["k"], s(2, 0, 1), rest + v["high"]]
        return float(norm.logpdf([5.1, 8.8, 13, 2.2, 9.8], f, 0.3).sum())

    made = import_petab(path)
    check(made, expected)
    assert made.rest >= 1e3 and any(f"{made.rest:g} units" in n for n in made.notes)
    short = import_petab(path, rest=0.5)
    assert short.rest == 0.5 and short.log_likelihood()[0] != pytest.approx(made.log_likelihood()[0], abs=1e-3)


def test_rest_that_is_never_reached_is_said(tmp_path: Path) -> None:
    path = written(tmp_path, sbml({"S": "p"}, {"p": 1.0}), par=PARAMETERS + "q lin 0 10 1 1", con="conditionId p\na 1",
                   obs=OBSERVABLES + "o S*q 0.3 lin", mea=MEASURED + "o a a 5.1 0 - -")  # fmt: skip
    with pytest.raises(PopulationModelError, match="no rest within"):
        import_petab(path)


SWITCH = sbml({"A": "u - k*A"}, {"k": 0.5, "t_on": 0.0}, rules={"u": "piecewise(0, time < t_on, 3)"})


@pytest.mark.parametrize("covariate_at", ["end", "start"])
def test_a_jump_at_a_known_time(tmp_path: Path, covariate_at: str) -> None:
    path = written(
        tmp_path, SWITCH, par=PARAMETERS + "k log10 0.01 10 0.5 1",
        con="conditionId t_on\nearly 1\nlate 2.5\nalways 0", obs=OBSERVABLES + "o A+10*u 0.3 lin",
        mea=MEASURED + "o - early 0.1 0.5 - -\no - early 31 1 - -\no - early 33 2 - -\no - late 0.2 1 - -\n"
        "o - late 32 4 - -\no - always 31 0 - -\no - always 35 3 - -",
    )  # fmt: skip

    def of(k: float, on: float, t: float) -> float:
        return 0.0 if t < on else 30.0 + 3 / k * (1 - math.exp(-k * (t - on)))

    rows = [(1, 0.5, 0.1), (1, 1, 31), (1, 2, 33), (2.5, 1, 0.2), (2.5, 4, 32), (0, 0, 31), (0, 3, 35)]
    made = import_petab(path)
    check(made, lambda v: float(sum(norm.logpdf(y, of(v["k"], on, t), 0.3) for on, t, y in rows)))
    assert (
        made.notes == () and made.model.covariates == ("switch_1",) and "time" not in made.model.structure.state_names
    )
    packed = make_problem(made.model, made.subjects, covariate_at=covariate_at, rtol=1e-10)
    f = packed.predict(packed.rows(packed.typical(), np.zeros((3, 0)))).f
    assert f == pytest.approx([of(0.5, on, t) for on, t, _ in rows], rel=1e-8, abs=1e-8)


def test_events_at_known_times(tmp_path: Path) -> None:
    events = {"dose": ("time >= 2", "A", "A + 2*amount"), "induction": ("time > 3", "k", "0.9")}
    model = sbml({"A": "-k*A"}, {"k": 0.5, "amount": 0.0}, events=events)
    path = written(
        tmp_path, model, par=PARAMETERS + "A0 log10 0.1 100 8 1", con="conditionId A amount\nx A0 4\ny A0 1",
        obs=OBSERVABLES + "o A 0.3 lin",
        mea=MEASURED + "o - x 6 0.5 - -\no - x 11 2 - -\no - x 9 2.5 - -\no - x 3 4 - -\no - y 3 3 - -",
    )  # fmt: skip

    def of(first: float, amount: float, t: float) -> float:
        at = lambda s: first * math.exp(-0.5 * s) + (2 * amount * math.exp(-0.5 * (s - 2)) if s >= 2 else 0)  # noqa: E731
        return at(t) if t <= 3 else at(3) * math.exp(-0.9 * (t - 3))

    rows = [(4, 0.5, 6), (4, 2, 11), (4, 2.5, 9), (4, 4, 3), (1, 3, 3)]
    check(import_petab(path), lambda v: float(sum(norm.logpdf(y, of(v["A0"], a, t), 0.3) for a, t, y in rows)))


def test_an_event_of_states_is_left_out_only_when_asked(tmp_path: Path) -> None:
    model = sbml({"A": "-k*A"}, {"k": 0.5}, starts={"A": "5"}, events={"tidy": ("A < 1e-8", "A", "0")})
    path = written(tmp_path, model, par=PARAMETERS + "k log10 0.1 100 0.5 1", con="conditionId\nx",
                   obs=OBSERVABLES + "o A 0.3 lin", mea=MEASURED + "o - x 3 1 - -")  # fmt: skip
    with pytest.raises(PopulationModelError, match=r"event tidy: its trigger .* depends on states"):
        import_petab(path)
    with pytest.raises(PopulationModelError, match="no events other"):
        import_petab(path, without_events=["other"])
    made = import_petab(path, without_events=["tidy"])
    check(made, lambda v: float(norm.logpdf(3, 5 * math.exp(-v["k"]), 0.3)))
    assert any("tidy" in n for n in made.notes)


def reacting() -> str:
    """S -> 0 at the rate k S E V (mol/h) in a volume V of 2; E is a concentration that nothing changes."""
    document = libsbml.SBMLDocument(3, 2)
    model = document.createModel()
    size = model.createCompartment()
    size.setId("V"), size.setConstant(True), size.setSize(2.0), size.setSpatialDimensions(3)
    for name, value, constant in (("S", 3.0, False), ("E", 1.0, True), ("N", math.nan, False)):
        s = model.createSpecies()
        s.setId(name), s.setCompartment("V"), s.setHasOnlySubstanceUnits(False), s.setConstant(constant)
        s.setBoundaryCondition(constant)
        if math.isfinite(value):
            s.setInitialConcentration(value)
    k = model.createParameter()
    k.setId("k"), k.setValue(0.2), k.setConstant(True)
    reaction = model.createReaction()
    reaction.setId("loss"), reaction.setReversible(False)
    lost = reaction.createReactant()
    lost.setSpecies("S"), lost.setStoichiometry(1.0), lost.setConstant(True)
    reaction.createKineticLaw().setMath(libsbml.parseL3Formula("k*S*E*V"))
    return str(libsbml.writeSBMLToString(document))


def test_concentrations_that_conditions_set(tmp_path: Path) -> None:
    tables = {
        "par": PARAMETERS + "k log10 0.01 10 0.2 1\nS0 lin 0.1 100 4 1",
        "con": "conditionId S E\nx S0 0.5\ny - 2\nz 7 -",
        "obs": OBSERVABLES + "o S*E 0.3 lin", "mea": MEASURED + "o - x 1.8 1 - -\no - y 4 1 - -\no - z 4 2 - -",
    }  # fmt: skip
    made = import_petab(written(tmp_path, reacting(), **tables))

    def expected(v: Mapping[str, float]) -> float:
        rows = [(v["S0"], 0.5, 1, 1.8), (3.0, 2.0, 1, 4.0), (7.0, 1.0, 2, 4.0)]
        return float(sum(norm.logpdf(y, s * e * math.exp(-v["k"] * e * t), 0.3) for s, e, t, y in rows))

    check(made, expected)
    tables["obs"] = OBSERVABLES + "o S*N 0.3 lin"
    with pytest.raises(PopulationModelError, match=r"N_amount have no value"):
        import_petab(written(tmp_path, reacting(), **tables))


def test_a_jump_whose_time_is_estimated_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, SWITCH, par=PARAMETERS + "t_on log10 0.01 10 0.5 1", con="conditionId\nx",
                   obs=OBSERVABLES + "o A 0.3 lin", mea=MEASURED + "o - x 3 1 - -")  # fmt: skip
    with pytest.raises(PopulationModelError, match=r"time < t_on turns depends on what is estimated \(t_on\)"):
        import_petab(path)


def test_every_reason_at_once(decay: Path) -> None:
    for file, old, new in (
        ("obs.tsv", "noiseParameter1_n\tlog", "k_slow*sd\tlog"),
        ("obs.tsv", "A\tnoiseParameter1_l", "A*sd\tnoiseParameter1_l"),
        ("mea.tsv", "4.4\t1", "-4.4\t1"),
        ("mea.tsv", "s\tsd;rel", "nothing\tsd;rel"),
        ("con.tsv", "0.9", "many"),
        ("par.tsv", "0.1\t1\nsd2", "0.1\tyes\nsd2"),
    ):
        text = (decay.parent / file).read_text(encoding="utf-8")
        assert old in text, old
        (decay.parent / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(PopulationModelError) as error:
        import_petab(decay)
    text = str(error.value)
    for words in ("estimate is 'yes'", "k is 'many'", "'nothing'", "no positive multiple of one parameter"):
        assert words in text, words
    for file, old, new in (("con.tsv", "many", "0.9"), ("mea.tsv", "nothing", "s"), ("par.tsv", "yes", "1"),
                           ("obs.tsv", "k_slow*sd", "noiseParameter1_n")):  # fmt: skip
        text = (decay.parent / file).read_text(encoding="utf-8")
        (decay.parent / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(PopulationModelError, match="parameter sd is both noise"):
        import_petab(decay)
    text = (decay.parent / "obs.tsv").read_text(encoding="utf-8")
    (decay.parent / "obs.tsv").write_text(text.replace("A*sd\tnoise", "A\tnoise"), encoding="utf-8")
    with pytest.raises(PopulationModelError, match=r"row 6: measurement -4\.4 has no logarithm"):
        import_petab(decay)


@pytest.mark.parametrize(
    ("noise", "observable", "expected"),
    [
        ("sd", "s*A", Noise("additive", (Coefficient(1.0, "sd"),))),
        ("2*sd", "s*A", Noise("additive", (Coefficient(2.0, "sd"),))),
        ("0.5", "A", Noise("additive", (Coefficient(0.5),))),
        ("b*(A*s)", "s*A", Noise("proportional", (Coefficient(1.0, "b"),))),
        ("a + b*s*A", "s*A", Noise("combined_sd", (Coefficient(1.0, "a"), Coefficient(1.0, "b")))),
        ("a + 0.1*(A + B + 1)", "1 + B + A", Noise("combined_sd", (Coefficient(1.0, "a"), Coefficient(0.1)))),
        ("sqrt(pow(a, 2) + pow(b*A, 2))", "A", Noise("combined", (Coefficient(1.0, "a"), Coefficient(1.0, "b")))),
        ("sqrt(0.25 + 4*(b*A)**2)", "A", Noise("combined", (Coefficient(0.5), Coefficient(2.0, "b")))),
        ("a*b", "A", "coefficient of a, b that is no positive multiple"),
        ("a + b*B", "A", "depends on B"),
        ("a + A**2", "A", "is no constant"),
        ("a + b*sqrt(A)", "A", "is no constant"),
        ("a - b*A", "A", "coefficient of b that is no positive multiple"),
        ("a + b*A", "2*A", "depends on A"),
    ],
)
def test_noise_formulas(noise: str, observable: str, expected: Noise | str) -> None:
    found = noise_of(noise, observable, {"A", "B", "time"}, {})
    if isinstance(expected, str):
        assert isinstance(found, str) and expected in found
    else:
        assert found == expected


PRIORS = [
    ("log10", "parameterScaleNormal", "0.5;2", Prior("normal", (0.5, 2.0))),
    ("lin", "normal", "0.5;2", Prior("normal", (0.5, 2.0))),
    ("lin", "logNormal", "0.5;2", Prior("lognormal", (math.exp(0.5), 2.0))),
    ("log10", "logNormal", "0.5;2", Prior("normal", (0.5 / LN10, 2.0 / LN10))),
    ("log", "parameterScaleUniform", "-1;2", Prior("uniform", (-1.0, 2.0))),
    ("log", "", "", Prior("uniform", (math.log(0.01), math.log(10.0)))),
    ("lin", "uniform", "0.1;2", Prior("uniform", (0.1, 2.0))),
    ("log10", "normal", "0.5;2", "one of the value itself"),
    ("log10", "uniform", "0.1;2", "one of the value itself"),
    ("lin", "logLaplace", "0.5;2", "no family"),
    ("log10", "strange", "0.5;2", "unknown"),
    ("log10", "normal", "0.5", "2 parameters, not 1"),
]


def with_prior(folder: Path, parameter: str, scale: str, kind: str, arguments: str) -> Path:
    rows = "k log10 0.01 10 0.5 1 - -\nsd lin 0.01 10 0.5 1 - -\n"
    old = next(r for r in rows.splitlines() if r.startswith(f"{parameter} "))
    table = rows.replace(old, f"{parameter} {scale} 0.01 10 0.5 1 {kind or '-'} {arguments or '-'}")
    head = PARAMETERS.strip() + " objectivePriorType objectivePriorParameters\n"
    return written(folder, sbml({"A": "-k*A"}, {"k": 0.5}, starts={"A": "5"}), par=head + table,
                   con="conditionId\nx", obs=OBSERVABLES + "o A sd log10", mea=MEASURED + "o - x 3 1 - -")  # fmt: skip


@pytest.mark.parametrize(("scale", "kind", "arguments", "expected"), PRIORS)
def test_priors_of_fixed_effects(
    tmp_path: Path, scale: str, kind: str, arguments: str, expected: Prior | str
) -> None:  # fmt: skip
    path = with_prior(tmp_path, "k", scale, kind, arguments)
    if isinstance(expected, str):
        with pytest.raises(PopulationModelError, match=expected):
            import_petab(path)
        assert any(kind in n for n in import_petab(path, priors=False).notes)
        return
    effect = import_petab(path).model.fixed[0]
    assert effect.prior is not None and effect.prior.family == expected.family
    assert effect.prior.arguments == pytest.approx(expected.arguments)
    there = {"lin": float, "log": math.log, "log10": math.log10}[scale]
    assert (effect.lower, effect.upper) == pytest.approx((there(0.01), there(10)))


@pytest.mark.parametrize(
    ("scale", "kind", "arguments", "expected"),
    [
        (
            "log10",
            "parameterScaleNormal",
            "-1;0.5",
            Prior("lognormal", (LN10 * 0.1, LN10 * 0.5), LN10 * 0.01, LN10 * 10),
        ),
        ("lin", "logNormal", "-1;0.5", Prior("lognormal", (LN10 * math.exp(-1), 0.5), LN10 * 0.01, LN10 * 10)),
        ("lin", "normal", "1;0.5", Prior("normal", (LN10, LN10 * 0.5), LN10 * 0.01, LN10 * 10)),
        ("lin", "", "", Prior("uniform", (LN10 * 0.01, LN10 * 10))),
    ],
)
def test_priors_of_standard_deviations(
    tmp_path: Path, scale: str, kind: str, arguments: str, expected: Prior
) -> None:  # fmt: skip
    found = import_petab(with_prior(tmp_path, "sd", scale, kind, arguments)).model.residuals[0].prior
    assert found is not None and found.family == expected.family
    assert [*found.arguments, found.lower, found.upper] == pytest.approx(
        [*expected.arguments, expected.lower, expected.upper]
    )


def test_a_standard_deviation_flat_in_its_logarithm(tmp_path: Path) -> None:
    prior = import_petab(with_prior(tmp_path, "sd", "log10", "", "")).model.residuals[0].prior
    assert prior is not None and (prior.lower, prior.upper) == pytest.approx((LN10 * 0.01, LN10 * 10))
    x = np.geomspace(prior.lower, prior.upper, 9)
    median, sd = prior.arguments
    density = x * norm.pdf(np.log(x / median) / sd) / x  # of log x
    assert density == pytest.approx(np.full(9, density[0]), rel=1e-6)


def test_maximum_likelihood_of_a_mean(tmp_path: Path) -> None:
    y = [4.1, 5.3, 4.6, 5.9, 4.4]
    path = written(
        tmp_path, sbml({"A": "0*A"}, {"m": 1.0}, starts={"A": "m"}),
        par=PARAMETERS + "m log10 0.1 100 3 1\nsd log10 0.01 100 2 1", con="conditionId\nx",
        obs=OBSERVABLES + "o A sd lin",
        mea=MEASURED + "".join(f"o - x {v} {t} - -\n" for t, v in enumerate(y)),
    )  # fmt: skip
    made = import_petab(path)
    found = maximise(made.model, made.subjects, covariance="")
    assert found.converged
    assert made.values(found.model) == pytest.approx({"m": np.mean(y), "sd": np.std(y)}, rel=1e-4)
    assert found.objective.log_likelihood == pytest.approx(norm.logpdf(y, np.mean(y), np.std(y)).sum(), abs=1e-6)


def test_texts() -> None:
    assert substituted("a*exp(b) - c", {"a": "x + 1", "exp": "no", "b": "b"}) == "(x + 1) * exp(b) - c"
    flagged = with_comparisons("piecewise(1, t < 4, 2, 0 < x and t >= u, 3)", lambda a, s, b: "f" if a == "t" else None)
    assert flagged == "piecewise(1, f > 0.5, 2, 0 < x and f > 0.5, 3)"
    chained = with_comparisons("piecewise(1, 2 < t < 4, 3)", lambda a, s, b: f"f{s.index('t')}")
    assert chained == "piecewise(1, f4 > 0.5 and f0 > 0.5, 3)"


def test_the_command(decay: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(decay)]) == 0
    out = capsys.readouterr().out
    expected = of_decay({"A0": 5, "k_slow": 0.2, "s": 3, "sd": 0.5, "rel": 0.1, "sd2": 0.2, "base": 0.4})
    assert f"log-likelihood at the nominal values: {expected:.6f}" in out
    assert "3 subjects (conditions), 7 measurements" in out and "residual sd_log_sd2 (2.30259 x)" in out
    assert main([str(decay), "--which", "3"]) == 1
    assert "there is no number 3" in capsys.readouterr().err
