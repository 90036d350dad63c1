"""What ``pharmtwin sensitivity`` reads: one YAML file that says whom, under which doses, looking at what.

::

    name: mavoglurant after an infusion
    seed: 1
    population: resources/population/mavoglurant.yaml   # or   drugs: [paroxetine]   (files of schema 2; first is dosed)
    covariates: {WT: 94.3}                              # of a population model
    concentration: C                                    # observable of a population model, with its unit
    unit: ng/mL
    sex: M                                              # reference person of a system of drugs
    formulation: IR
    genotypes: {CYP2D6: [[0, 0.06], [0.5, 0.4], [1, 0.54]]}   # activity, probability
    doses: {amount_mg: 25, route: iv, infusion_h: 0.3333, n: 1, interval_h: 24}
    observe: {from_h: 0, to_h: 48}                      # default: the last dosing interval
    outputs: [AUC, Cmax, {name: below 10, statistic: time_to, level: 10}]
    inputs: {CLintHat: {uniform: [1000, 1500]}}         # of a population model, instead of its priors
    leave_out: [eta_CLint]
    morris: {trajectories: 30, candidates: 60, levels: 4, keep: 0.05}
    sobol: {base: 1024, max_base: 4096, half_width: 0.05, second_order: false}
    check: {fraction: 0.002, rtol: 1.0e-3}              # runs that CVODE solves again, and how far it may differ
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pharmtwin.body.physiology import physiology, reference_twins
from pharmtwin.drugs.dosing import dose_events
from pharmtwin.drugs.read import drug_file, read_drug
from pharmtwin.drugs.reader import Reader, is_number
from pharmtwin.drugs.system import build
from pharmtwin.engine.run import Dose
from pharmtwin.findings import Finding
from pharmtwin.inference.models.description import PopulationModelError
from pharmtwin.inference.models.read import read_population_model
from pharmtwin.sensitivity.outputs import Output, Window, observing, output_of
from pharmtwin.sensitivity.population import population_subject
from pharmtwin.sensitivity.runs import RTOL, Solver
from pharmtwin.sensitivity.study import Settings
from pharmtwin.sensitivity.subject import Subject
from pharmtwin.sensitivity.system import CONCENTRATION, system_subject
from pharmtwin.uncertainty.inputs import Law

SECTIONS = (
    "name", "seed", "population", "drugs", "covariates", "concentration", "unit", "sex", "formulation", "genotypes",
    "doses", "observe", "outputs", "inputs", "leave_out", "morris", "sobol", "check",
)  # fmt: skip
DOSES = ("amount_mg", "route", "infusion_h", "n", "interval_h")
MORRIS = {"trajectories": 30, "candidates": 60, "levels": 4, "keep": 0.05}
SOBOL = {"base": 1024, "max_base": 4096, "half_width": 0.05, "second_order": False}
WHY = "the analysis is made from it"
#: share of the blocks of which CVODE solves one run again, and the relative difference that may show
CHECK = {"fraction": 0.002, "rtol": 1e-3}
BLOCKS = {"morris": MORRIS, "sobol": SOBOL, "check": CHECK}
SAMPLE_LIMIT = 2**20
MOST_DOSES = 10_000


class SpecError(ValueError):
    """The file cannot be used; ``findings`` say everything that is wrong."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(f.message() for f in findings))
        self.findings = findings


def read_spec(path: str) -> tuple[Subject, Settings]:
    """Subject and settings of a file; raises SpecError with all findings."""
    reader = Reader(path)
    raw = reader.tree(Path(path))
    findings = list(reader.findings)

    def wrong(key: str, what: str, fix: str, value: object = "") -> None:
        place = next((reader.lines[k] for k in (key, key.partition(".")[0]) if k in reader.lines), 0)
        findings.append(Finding.create("sensitivity.spec", path, what, WHY, fix, row=place, column=key, value=value))

    if findings:
        raise SpecError(findings)
    if not isinstance(raw, Mapping):
        wrong("", "holds no keys with values", "write it as config/examples/sensitivity/mavoglurant.yaml")
        raise SpecError(findings)
    for key in raw:
        if key not in SECTIONS:
            wrong(str(key), "the key is not known", f"known keys: {', '.join(SECTIONS)}")
    if ("population" in raw) == ("drugs" in raw):
        wrong(
            "population", "needs either population or drugs", "name a population model file, or drug files of schema 2"
        )
    regimen, window = _regimen(raw, wrong)
    settings = _settings(raw, wrong)
    concentration = str(raw.get("concentration", CONCENTRATION))
    if "population" in raw and "concentration" not in raw:
        wrong("concentration", "the observable of the population model is missing", "write one of its observables")
    outputs: list[Output] = []
    given = raw.get("outputs")
    for item in given if isinstance(given, list) and given else [None]:
        try:
            factor, unit = (1.0, str(raw.get("unit", "1"))) if "population" in raw else (1000.0, "ng/mL")
            outputs.append(output_of(item, concentration, factor=factor, unit=unit))
        except (ValueError, TypeError) as error:
            wrong("outputs", str(error), "write a list, e.g. [AUC, Cmax]", "" if item is None else item)
    if findings or regimen is None or window is None or settings is None:
        raise SpecError(findings)
    if any(o.statistic == "time_to" for o in outputs) and window.start > 0:
        window = Window(window.start, window.end, (window.end - window.start) / 8.0)
    try:
        make = _population if "population" in raw else _system
        return make(raw, regimen, window, tuple(outputs), concentration), settings
    except FileNotFoundError as error:
        wrong("population" if "population" in raw else "drugs", str(error), "correct the name or path")
    except PopulationModelError as error:
        wrong("population", str(error).replace("\n", "; "), "mend the model file")
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        wrong("", str(error.args[0] if error.args else error).replace("\n", "; "), "correct what it names")
    raise SpecError(findings)


def _regimen(raw: Mapping[str, Any], wrong: Any) -> tuple[tuple[Dose, ...] | None, Window | None]:
    doses = raw.get("doses")
    if not isinstance(doses, Mapping):
        wrong(
            "doses", "is missing or no block of keys", "write e.g. {amount_mg: 20, route: oral, n: 21, interval_h: 24}"
        )
        return None, None
    unknown = [k for k in doses if k not in DOSES]
    bad = [k for k in ("amount_mg", "infusion_h", "n", "interval_h") if k in doses and not is_number(doses[k])]
    if unknown or bad or "amount_mg" not in doses:
        what = f"unknown {unknown}" if unknown else f"not a number: {bad}" if bad else "amount_mg is missing"
        wrong("doses", what, f"keys are {', '.join(DOSES)}; all but route are numbers")
        return None, None
    if float(doses.get("n", 1)) > MOST_DOSES:
        wrong("doses", f"has n above {MOST_DOSES}", "write the doses that are needed", doses["n"])
        return None, None
    n, every = int(doses.get("n", 1)), float(doses.get("interval_h", 24.0))
    amount, infusion = float(doses["amount_mg"]), float(doses.get("infusion_h", 0.0))
    if n < 1 or every <= 0 or amount <= 0 or infusion < 0 or infusion >= every:
        wrong(
            "doses",
            "needs n of at least 1, positive amount_mg and interval_h, and an infusion shorter than that",
            "correct it",
        )
        return None, None
    regimen = tuple(Dose(k * every, amount, str(doses.get("route", "oral")), infusion) for k in range(n))
    seen = raw.get("observe", {"from_h": (n - 1) * every, "to_h": n * every})
    ok = isinstance(seen, Mapping) and set(seen) == {"from_h", "to_h"} and all(is_number(x) for x in seen.values())
    if not ok or not 0 <= float(seen["from_h"]) < float(seen["to_h"]):
        wrong(
            "observe",
            "needs from_h and to_h, hours after the first dose, the first smaller",
            "write {from_h: 0, to_h: 48}",
        )
        return regimen, None
    return regimen, Window(float(seen["from_h"]), float(seen["to_h"]))


def _default(key: str) -> float | bool:
    """Of a key such as sobol.base."""
    block, _, name = key.partition(".")
    return BLOCKS[block][name]


def _settings(raw: Mapping[str, Any], wrong: Any) -> Settings | None:
    values: dict[str, Any] = {}
    faults = False
    for block, defaults in BLOCKS.items():
        given = raw.get(block, {})
        if not isinstance(given, Mapping) or set(given) - set(defaults):
            wrong(block, "is no block of known keys", f"known keys: {', '.join(defaults)}")
            return None
        values |= {f"{block}.{k}": given.get(k, v) for k, v in defaults.items()}
    for key, value in values.items():
        number = isinstance(value, bool) if key == "sobol.second_order" else is_number(value) and value >= 0
        if not number:
            wrong(key, "is not of the right kind", f"write e.g. {_default(key)}", value)
            faults = True
    seed = raw.get("seed", 1)
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
        wrong("seed", "is not a whole number from 0", "write e.g. seed: 1", seed)
        faults = True
    if faults:
        return None
    base, most = int(values["sobol.base"]), int(values["sobol.max_base"])
    power = all(8 <= x <= SAMPLE_LIMIT and x & (x - 1) == 0 for x in (base, most)) and base <= most
    if not power:
        wrong(
            "sobol.base", "base and max_base must be powers of two from 8 on, base the smaller", "write e.g. 1024", base
        )
    if values["morris.trajectories"] < 2 or values["morris.levels"] % 2 or values["morris.levels"] < 2:
        wrong(
            "morris",
            "needs at least two trajectories and an even number of levels",
            "write {trajectories: 30, levels: 4}",
        )
        return None
    if not power:
        return None
    return Settings(
        trajectories=int(values["morris.trajectories"]), candidates=int(values["morris.candidates"]),
        grid=int(values["morris.levels"]), base=base, max_base=most, target=float(values["sobol.half_width"]),
        solver=Solver(RTOL, float(values["check.fraction"]), float(values["check.rtol"]), seed),
        keep=float(values["morris.keep"]),
        second=bool(values["sobol.second_order"]),
    )  # fmt: skip


def _laws(raw: Mapping[str, Any]) -> dict[str, Law]:
    """Distributions of ``inputs``: {name: {family: arguments}}."""
    out = {}
    for name, spec in (raw.get("inputs") or {}).items():
        if not isinstance(spec, Mapping) or len(spec) != 1:
            raise ValueError(f"inputs.{name}: write one distribution, e.g. {{uniform: [1, 10]}}")
        family, arguments = next(iter(spec.items()))
        out[str(name)] = Law(str(family), tuple(float(a) for a in arguments))
    return out


def _population(
    raw: Mapping[str, Any], regimen: tuple[Dose, ...], window: Window, outputs: tuple[Output, ...], concentration: str
) -> Subject:
    model, _ = read_population_model(str(raw["population"]))
    laws = _laws(raw)
    return population_subject(
        model, {str(k): float(v) for k, v in (raw.get("covariates") or {}).items()}, regimen, window, outputs,
        concentration, given=laws, leave_out=[str(x) for x in raw.get("leave_out", [])],
        unit=str(raw.get("unit", "1")),
    )  # fmt: skip


def _system(
    raw: Mapping[str, Any], regimen: tuple[Dose, ...], window: Window, outputs: tuple[Output, ...], concentration: str
) -> Subject:
    names = raw["drugs"] if isinstance(raw["drugs"], list) else [raw["drugs"]]
    drugs = [read_drug(str(drug_file(str(n)))) for n in names]
    sex = str(raw.get("sex", "M"))
    people = reference_twins().set_index("sex")
    if sex not in people.index:
        raise ValueError(f"sex {sex!r} is not M or F")
    table = physiology(reference_twins())
    body = dict(table[table["twin_id"] == f"population_{sex}"].set_index("quantity")["value"])
    forms = {drugs[0].name: str(raw["formulation"])} if raw.get("formulation") else None
    events = [(d.time, d.amount, d.duration) for d in regimen]
    system = build(drugs, formulations=forms)
    doses = dose_events(system, drugs[0].name, regimen[0].route, events, str(raw.get("formulation", "")))
    observing(system.model, outputs, concentration)
    genotypes = {str(k): [(float(a), float(p)) for a, p in v] for k, v in (raw.get("genotypes") or {}).items()}
    return system_subject(
        drugs, body, sex, float(people["age_y"].to_dict()[sex]), doses, window, outputs, formulations=forms,
        genotypes=genotypes, leave_out=[str(x) for x in raw.get("leave_out", [])],
    )  # fmt: skip
