"""A made-up study for report tests: 60 twins, 12 of them fitted, plausible numbers, every table filled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from evaluation_fixture import validation_of
from page_fixture import page_tables
from verification_fixture import verification_tables

from pharmtwin.evaluation.accuracy import accuracy
from pharmtwin.evaluation.verdict import verdict
from pharmtwin.report import ReportInputs
from pharmtwin.tables import schema

DIPLOTYPES = {
    "CYP2D6": (
        ("*1/*1", 2.0, "Normal Metabolizer", 0.42),
        ("*1/*41", 1.25, "Normal Metabolizer", 0.14),
        ("*1/*4", 1.0, "Intermediate Metabolizer", 0.22),
        ("*4/*41", 0.25, "Intermediate Metabolizer", 0.08),
        ("*4/*4", 0.0, "Poor Metabolizer", 0.08),
        ("*1x2/*2", 3.0, "Ultrarapid Metabolizer", 0.03),
        ("*1/*22", None, "Indeterminate", 0.03),
    ),
    "CYP2C19": (
        ("*1/*1", None, "Normal Metabolizer", 0.4),
        ("*1/*2", None, "Intermediate Metabolizer", 0.26),
        ("*1/*17", None, "Rapid Metabolizer", 0.26),
        ("*17/*17", None, "Ultrarapid Metabolizer", 0.05),
        ("*2/*2", None, "Poor Metabolizer", 0.03),
    ),
    "SLCO1B1": (
        ("*1/*1", None, "Normal Function", 0.7),
        ("*1/*15", None, "Decreased Function", 0.26),
        ("*15/*15", None, "Poor Function", 0.04),
    ),
}
SCENARIOS = (("40mg_bid", 40.0, 12.0, 14), ("80mg_qd", 80.0, 24.0, 7))
DRAWS = 200


def _genotype(rng: np.random.Generator, twins: list[str]) -> pd.DataFrame:
    rows = []
    for gene, table in DIPLOTYPES.items():
        weights = np.array([d[3] for d in table])
        for twin in twins:
            pick = int(rng.choice(len(table), p=weights / weights.sum()))
            sure = gene != "CYP2D6" or rng.random() > 0.15
            calls = [(pick, 1.0)] if sure else [(pick, 0.83), ((pick + 1) % len(table), 0.17)]
            gaps = int(rng.integers(1, 4)) if rng.random() < 0.1 else 0
            for i, probability in calls:
                name, score, phenotype, _ = table[i]
                rows.append(
                    {
                        "twin_id": twin,
                        "gene": gene,
                        "diplotype": name,
                        "probability": probability,
                        "activity_score": score,
                        "phenotype": phenotype,
                        "scheme": "cpic2020",
                        "status": "called" if sure else "candidates",
                        "phasing": "gt" if sure else "panel",
                        "structure": "not_assessed" if gene == "CYP2D6" else "not_applicable",
                        "n_not_assayed": gaps,
                    }
                )
    return pd.DataFrame(rows)


def _twin_sites(genotype: pd.DataFrame) -> pd.DataFrame:
    """Five positions a gene; the gaps are those of ``genotype``, the rest was observed."""
    top = genotype.drop_duplicates(["twin_id", "gene"])
    return pd.DataFrame(
        {
            "twin_id": top["twin_id"],
            "gene": top["gene"],
            "status": top["status"],
            "reason": "",
            "n_sites": 5,
            "n_observed": 5 - top["n_not_assayed"],
            "n_reference_by_evidence": 0,
            "n_reference_by_declaration": 0,
            "n_not_assayed": top["n_not_assayed"],
            "not_assayed": [",".join(str(100 + i) for i in range(n)) for n in top["n_not_assayed"]],
            "not_callable": ["*31" if n else "" for n in top["n_not_assayed"]],
            "phasing": top["phasing"],
            "phase": "",
            "phase_blocks": "",
            "phase_probability": 1.0,
            "structure": top["structure"],
            "unexplained": 0,
            "unknown_alternates": "",
            "definitions": "test",
            "shown": "*1/*1",
        }
    )


def advice(twin: str, basis: str, probability: float, action: str, result: str, dose: str | None) -> dict[str, Any]:
    """One row of table ``recommendations``."""
    return {
        "twin_id": twin, "basis": basis, "drug": "atomoxetine", "population": "adults", "gene": "CYP2D6",
        "result": result, "probability": probability, "action": action, "implication": "exposure changes",
        "dose": dose, "strength": "moderate", "guideline": "CYP2D6 and atomoxetine", "doi": "10.1002/cpt.1409",
        "date": "2019", "source": "made up for the test",
    }  # fmt: skip


def _recommendations(genotype: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for r in genotype[genotype["gene"] == "CYP2D6"].itertuples():
        action = {"Normal Metabolizer": "standard", "Poor Metabolizer": "reduce"}.get(str(r.phenotype), "monitor")
        result = f"{r.phenotype} of {r.diplotype}"
        rows.append(advice(str(r.twin_id), "genetic", float(str(r.probability)), action, result, None))
    key = ["twin_id", "basis", "drug", "population", "gene", "result", "action"]
    return pd.DataFrame(rows).drop_duplicates(key)


def _people(rng: np.random.Generator, twins: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    n = len(twins)
    people = pd.DataFrame(
        {
            "twin_id": twins,
            "sex": rng.choice(["female", "male"], n),
            "age_years": rng.integers(19, 81, n).astype(float),
            "weight_kg": np.round(rng.normal(76, 14, n), 1),
            "height_cm": np.round(rng.normal(171, 9, n), 1),
            "ancestry": rng.choice(["EUR", "AFR", "EAS", "SAS", "AMR"], n, p=[0.4, 0.2, 0.18, 0.12, 0.1]),
        }
    )
    rows = []
    for r in people.itertuples():
        scale = float(str(r.weight_kg)) / 73
        bmi = float(str(r.weight_kg)) / (float(str(r.height_cm)) / 100) ** 2
        for quantity, value, unit in (
            ("V_liver", 1.8 * scale, "L"),
            ("V_muscle", 29 * scale, "L"),
            ("V_adipose", 18 * scale, "L"),
            ("Q_liver", 90 * scale**0.75, "L/h"),
            ("Q_kidney", 68 * scale**0.75, "L/h"),
            ("CO", 390 * scale**0.75, "L/h"),
            ("BMI", bmi, "kg/m²"),
            ("BSA", 1.85 * scale**0.7, "m²"),
            ("eGFR", float(rng.normal(88, 18)), "mL/min/1.73 m²"),
        ):
            rows.append({"twin_id": r.twin_id, "quantity": quantity, "value": value, "unit": unit})
    return people, pd.DataFrame(rows)


def _curve(time: np.ndarray, dose: float, tau: float, n: int, clearance: Any, volume: Any) -> np.ndarray:
    """One compartment, first-order absorption, n doses; shape (draws, times), or (times,) for one draw."""
    cl, v = np.atleast_1d(clearance)[:, None], np.atleast_1d(volume)[:, None]
    ka, k, out = 1.6, cl / v, np.zeros((max(len(cl), len(v)), len(time)))
    for i in range(n):
        t = np.clip(time - i * tau, 0, None)
        out += 1000 * dose / v * ka / (ka - k) * (np.exp(-k * t) - np.exp(-ka * t))
    return out if np.ndim(clearance) else out[0]


def make_tables(n_twins: int = 60, n_fitted: int = 12, seed: int = 7) -> dict[str, Any]:
    """Keyword arguments of ``ReportInputs.create``."""
    rng = np.random.default_rng(seed)
    twins = [f"PT-{i + 1:04d}" for i in range(n_twins)]
    genotype = _genotype(rng, twins)
    people, body = _people(rng, twins)
    score = genotype[genotype["gene"] == "CYP2D6"].drop_duplicates("twin_id").set_index("twin_id")["activity_score"]
    weight = people.set_index("twin_id")["weight_kg"]
    exposure, profiles, predictions, fit_twins, fit_genotype = [], [], [], [], []
    for i, twin in enumerate(twins):
        typical = 4 + 14 * float(score[twin] if pd.notna(score[twin]) else 1.5)
        typical *= (float(weight[twin]) / 73) ** 0.75
        true = typical * float(np.exp(rng.normal(0, 0.35)))
        volume = 2.6 * float(weight[twin]) * float(np.exp(rng.normal(0, 0.12)))
        fitted = i < n_fitted
        models = {"population": (24.0, 0.62, 190.0), "covariates": (typical, 0.36, 2.6 * float(weight[twin]))}
        if fitted:
            models["twin"] = (true * float(np.exp(rng.normal(0, 0.07))), 0.11, volume)
        draws = {
            m: (cl * np.exp(rng.normal(0, sd, DRAWS)), v * np.exp(rng.normal(0, 0.2 if m != "twin" else 0.1, DRAWS)))
            for m, (cl, sd, v) in models.items()
        }
        for scenario, dose, tau, n in SCENARIOS:
            time = np.unique(np.concatenate([np.linspace(0, 24, 25), np.linspace((n - 1) * tau, n * tau, 25)]))
            for m, (cl, v) in draws.items():
                runs = _curve(time, dose, tau, n, cl, v)
                last = runs[:, time >= (n - 1) * tau]
                figures = {
                    "AUCtau": (1000 * dose / cl, "ng*h/mL"),
                    "Cmax": (last.max(axis=1), "ng/mL"),
                    "Ctrough": (last[:, -1], "ng/mL"),
                    "tmax": (time[time >= (n - 1) * tau][last.argmax(axis=1)] - (n - 1) * tau, "h"),
                }
                for metric, (values, unit) in figures.items():
                    lo, mid, hi = np.quantile(values, [0.05, 0.5, 0.95])
                    failed = 3 if (i, m) == (4, "covariates") else 0
                    exposure.append((twin, scenario, m, metric, unit, mid, lo, hi, DRAWS - failed, failed))
                if fitted:
                    for t, q in zip(time, np.quantile(runs, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0).T):
                        profiles.append((twin, scenario, m, t, *q))
        if not fitted:
            continue
        dose, tau, n = SCENARIOS[0][1:]
        sampled = np.array([1.0, 2.0, 4.0, 8.0, 12.0, 143.9, 155.9, 167.9])
        noise = np.exp(rng.normal(0, 0.12, len(sampled)))
        observed = _curve(sampled, dose, tau, n, true, volume) * noise
        for m, (cl, v) in draws.items():
            runs = _curve(sampled, dose, tau, n, cl, v)
            runs *= np.exp(rng.normal(0, 0.12, runs.shape))
            for t, obs, (lo, mid, hi) in zip(sampled, observed, np.quantile(runs, [0.05, 0.5, 0.95], axis=0).T):
                predictions.append((twin, m, t, "test" if t > 100 else "fit", obs, mid, lo, hi))
        for parameter, unit, prior, post, sd in (
            ("CLint_CYP2D6", "L/h", typical, models["twin"][0], 0.12),
            ("CLint_other", "L/h", 4.0, 4.3, 0.25),
            ("Kp_scale", "1", 1.0, volume / (2.6 * float(weight[twin])), 0.1),
            ("MTT", "h", 0.6, 0.55, 0.15),
        ):
            before, after = 0.36 if parameter != "MTT" else 0.5, sd
            q = [prior * np.exp(z * before) for z in (-1.645, 0, 1.645)]
            q += [post * np.exp(z * after) for z in (-1.645, 0, 1.645)]
            fit_twins.append((twin, parameter, unit, *q))
        own = genotype[(genotype["twin_id"] == twin) & (genotype["gene"] == "CYP2D6")]
        for r in own.itertuples():
            prior_p = float(str(r.probability))
            post_p = prior_p if len(own) == 1 else (0.95 if prior_p > 0.5 else 0.05)
            fit_genotype.append((twin, "CYP2D6", f"AS={r.activity_score:g}", prior_p, post_p))
    band = ["median", "lo90", "hi90"]
    tables: dict[str, Any] = {
        "genotype": genotype,
        "twin_sites": _twin_sites(genotype),
        "recommendations": _recommendations(genotype),
        "body": body,
        "covariates": people,
        "exposure": pd.DataFrame(
            exposure, columns=["twin_id", "scenario", "model", "metric", "unit", *band, "n_draws", "n_failed"]
        ),
        "profiles": pd.DataFrame(
            profiles, columns=["twin_id", "scenario", "model", "time_h", "q05", "q25", "q50", "q75", "q95"]
        ),
        "predictions": pd.DataFrame(predictions, columns=["twin_id", "model", "time_h", "use", "observed", *band]),
        "fit_twins": pd.DataFrame(
            fit_twins,
            columns=["twin_id", "parameter", "unit", "prior_q05", "prior_q50", "prior_q95", "q05", "q50", "q95"],
        ),
        "fit_genotype": pd.DataFrame(
            fit_genotype, columns=["twin_id", "gene", "component", "prior_probability", "posterior_probability"]
        ),
        "published": _published(rng),
        **_fit_tables(),
        **_sensitivity(),
        "findings": _findings(),
        **page_tables(twins, SCENARIOS[0][0], n_fitted),
        **verification_tables(twins[0], twins[1]),
        "scenarios": pd.DataFrame(SCENARIOS, columns=["scenario", "dose_mg", "tau_h", "n_doses"]).assign(
            drug="atomoxetine", food="fasted"
        ),
    }
    return tables


def _published(rng: np.random.Generator) -> pd.DataFrame:
    rows = []
    for study, group, role, clearance in (
        ("Author 2003", "AS=0", "building", 4.2),
        ("Author 2003", "AS=2", "building", 30.0),
        ("Writer 2011", "AS=0.5", "verification", 11.0),
        ("Writer 2011", "AS=1", "verification", 17.0),
        ("Scribe 2015", "AS=1.25", "verification", 22.0),
        ("Scribe 2015", "AS=2", "verification", 34.0),
    ):
        time = np.array([0.5, 1, 2, 4, 6, 8, 12, 24.0])
        observed = _curve(time, 40, 24, 1, clearance, 190) * np.exp(rng.normal(0, 0.15, len(time)))
        for m, factor, sd in (("drug_file", 1.15, 0.4), ("fitted", 1.03, 0.33)):
            typical = 4 + 14 * float(group.removeprefix("AS="))
            runs = _curve(time, 40, 24, 1, factor * typical * np.exp(rng.normal(0, sd, 300)), 190.0)
            for t, obs, (lo, mid, hi) in zip(time, observed, np.quantile(runs, [0.05, 0.5, 0.95], axis=0).T):
                profile = f"{study.replace(' ', '_').lower()}_{group}"
                rows.append((profile, study, group, "40 mg single dose, fasted", role, m, t, obs, mid, lo, hi))
    names = ["profile", "study", "group", "dose", "role", "model", "time_h", "observed", "median", "lo90", "hi90"]
    return pd.DataFrame(rows, columns=names)


def _fit_tables() -> dict[str, pd.DataFrame]:
    rows = []
    for name, meaning, unit, prior, sd, post, post_sd, rhat, ess in (
        ("CLint_per_AS", "CYP2D6 clearance per unit of activity score", "L/h", 14.0, 0.3, 13.1, 0.06, 1.002, 2310),
        ("CLint_other", "clearance by other pathways", "L/h", 4.0, 0.4, 4.4, 0.12, 1.001, 2850),
        ("Kp_scale", "scale of all tissue partition coefficients", "1", 1.0, 0.25, 1.06, 0.04, 1.003, 1930),
        ("MTT", "mean transit time of absorption", "h", 0.6, 0.5, 0.55, 0.1, 1.001, 3120),
        ("omega_CYP2D6", "between-twin sd of ln CLint_CYP2D6", "1", 0.35, 0.5, 0.33, 0.12, 1.004, 1240),
        ("omega_Kp", "between-twin sd of ln Kp scale", "1", 0.15, 0.5, 0.14, 0.38, 1.008, 640),
        ("sigma_prop", "proportional residual error", "1", 0.15, 0.5, 0.124, 0.05, 1.001, 3400),
    ):
        q = [m * np.exp(z * s) for m, s in ((post, post_sd), (prior, sd)) for z in (-1.645, 0, 1.645)]
        rows.append((name, meaning, unit, post, post * post_sd, *q, rhat, ess, 0.8 * ess))
    names = ["parameter", "meaning", "unit", "mean", "sd", "q05", "q50", "q95"]
    names += ["prior_q05", "prior_q50", "prior_q95", "rhat", "ess_bulk", "ess_tail"]
    checks = [
        ("chains", 4.0, "at least 4", True, ""),
        ("divergences", 0.0, "at most 0", True, ""),
        ("max_rhat", 1.008, "below 1.01", True, "omega_Kp"),
        ("min_ess_bulk", 640.0, "at least 400", True, "omega_Kp"),
        ("min_ess_tail", 512.0, "at least 400", True, "eta[T1,eta_MTT]"),
        ("max_mcse_mean", 0.04, "at most 0.1", True, "omega_Kp"),
        ("max_mcse_sd", 0.03, "at most 0.1", True, "omega_Kp"),
        ("min_e_bfmi", 0.81, "above 0.3", True, "chain 2"),
        ("solver_failures", 0.0, "at most 0", True, ""),
        ("max_treedepth_hits", 4.0, "at most 0", False, ""),
    ]
    return {
        "fit_summary": pd.DataFrame(rows, columns=names),
        "fit_diagnostics": pd.DataFrame(checks, columns=["check", "value", "limit", "passed", "worst"]),
    }


def _sensitivity() -> dict[str, pd.DataFrame]:
    morris, sobol, settled, course, tornado = [], [], [], [], []
    effects = {
        "activity.CYP2D6": (0.9, 0.31),
        "omega CLint": (0.42, 0.12),
        "CLint_other": (0.31, 0.16),
        "fu_p": (0.28, 0.05),
        "Kp_scale": (0.05, 0.02),
        "V_liver": (0.11, 0.03),
        "Q_liver": (0.07, 0.05),
        "MTT": (0.015, 0.01),
        "haematocrit": (0.008, 0.003),
    }
    kept_once = set()
    for output, weight in (("AUCtau", 1.0), ("Cmax", 0.7)):
        for name, (mu, sigma) in effects.items():
            star = mu * (weight if name not in ("MTT", "Kp_scale") else 3.5 if output == "Cmax" else 1)
            kept = star > 0.1
            rule = "mu* above 10 % of the largest" if kept else "mu* below 10 % of the largest"
            ends = (star, 0.88 * star, 1.12 * star)
            morris.append((output, "ln", name, 1, -star * 0.9, *ends, sigma * weight, 30, 0, kept, rule))
            if kept:
                kept_once.add(name)
                s1 = (star / 1.25) ** 2
                total = s1 * 1.18 + 0.01
                first, whole = (s1, s1 - 0.03, s1 + 0.03), (total, total - 0.04, total + 0.04)
                sobol.append((output, "ln", name, 1, *first, *whole, 1024, 9216, 2, 0, 0, True))
                settled += [(output, name, n, *first, *whole) for n in (512, 1024)]
                tornado.append((output, "ng/mL", name, "1", 0.5, 2.0, 30.0, 30.0 + 10 * star, 30.0 - 8 * star))
    for name, (mu, _) in effects.items():
        if name in kept_once:
            share = (mu**2, mu**2 - 0.02, mu**2 + 0.02)
            course += [(t, name, *share, *share, 0) for t in (0.0, 6.0, 12.0)]
    rows = {
        "morris": morris,
        "sobol": sobol,
        "sobol_convergence": settled,
        "sobol_course": course,
        "sobol_second": [("AUCtau", "fu_p", "CLint_other", 0.04, 0.01, 0.07)],
        "tornado": tornado,
        "sensitivity_inputs": [
            (
                n,
                n,
                "drug",
                "lognormal(1, 0.3)",
                0.05,
                "1",
                n,
                n,
                "synthetic",
                "analysed" if n in kept_once else "screened out",
            )
            for n in effects
        ],
        "sensitivity_advice": [
            (
                1,
                "measure",
                "AUCtau",
                "activity.CYP2D6",
                "activity.CYP2D6: knowing it would take away 52 % of the variance.",
            ),
            (2, "fix", "", "MTT; haematocrit", "MTT, haematocrit: screened out; kept at their median."),
            (3, "precision", "", "", "N = 1024: half of the widest 95 % interval is 0.040: narrow enough."),
            (4, "failures", "", "", "2 runs failed with the fast engine and were solved by CVODE."),
        ],
    }
    return {name: pd.DataFrame(found, columns=schema(name).names) for name, found in rows.items()}


def _findings() -> pd.DataFrame:
    names = ["severity", "file", "row", "column", "value", "what", "why", "fix", "rule"]
    rows = [
        (
            "warning",
            "samples.tsv",
            14,
            "weight",
            "148",
            "weight is outside the range of the physiology data",
            "organ volumes are extrapolated",
            "check the unit (kg) or accept the extrapolation",
            "twins.weight_range",
        ),
        (
            "note",
            "cohort.vcf.gz",
            0,
            None,
            None,
            "3 definition positions of CYP2D6 are absent",
            "alleles that need them cannot be excluded",
            "supply a gVCF or declare absent positions",
            "vcf.not_assayed",
        ),
    ]
    return pd.DataFrame(rows, columns=names)


def make_inputs(tables: dict[str, Any] | None = None, **changes: Any) -> ReportInputs:
    """The made-up study (or given tables of it) as report inputs; keyword arguments replace or (None) remove parts."""
    tables = tables or make_tables()
    figures = accuracy(tables["predictions"], tables["published"], "synthetic", 1)
    values: dict[str, Any] = {
        "study": "demo",
        "drug": "atomoxetine",
        "data_kind": "synthetic",
        "observed_scenario": "40mg_bid",
        "accuracy": figures,
        "verdict": verdict(figures, "synthetic"),
        "config": {
            "study": "demo",
            "seed": 1,
            "fit": {"draws": 1000, "chains": 4},
            "vcf": "/home/someone/cohort.vcf.gz",
        },
        "definitions": "CPIC of the test; sha256:0123456789ab",
        "structure_prior": {
            "CYP2D6": {"EUR": 0.226, "AFR": 0.267, "EAS": 0.659, "SAS": 0.14, "AMR": 0.158, "ALL": 0.3}
        },
        "versions": {"pharmtwin": "0.1.0", "tables": "1.0", "drug file atomoxetine": "1.0"},
        **tables,
        **changes,
    }
    values.setdefault("validation", validation_of(values))
    return ReportInputs.create(**values)
