"""Report stage: the tables of all other stages gathered into the report's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pharmtwin import __version__
from pharmtwin.core.drug import load_drug
from pharmtwin.facts import fact_table
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.tables import read_table, read_tables

OWN_REGIMEN = "own_regimen"


def _some(name: str, paths: list[str]) -> pd.DataFrame | None:
    return read_table(name, Path(paths[0])) if paths else None


def _by_stem(paths: list[str]) -> dict[str, list[str]]:
    return {Path(p).stem: [p] for p in paths}


def _beside_twins(population: pd.DataFrame, twins: list[str]) -> pd.DataFrame:
    """The population model's rows (one for everybody), shown beside each of the given twins."""
    return pd.concat([population.assign(twin_id=t) for t in twins], ignore_index=True) if twins else population.head(0)


def once(findings: pd.DataFrame) -> pd.DataFrame:
    """Each finding once: the check's comes first and knows what the user accepted; a stage may find the same again."""
    place = ["file", "row", "column", "rule", "what"]
    same = findings[place].astype("string").fillna("").duplicated()
    return findings[~same.to_numpy(dtype=bool)].reset_index(drop=True)


#: tables of the sensitivity stage
SENSITIVITY = ("morris", "sobol", "sobol_convergence", "sobol_course", "sobol_second", "tornado", "sensitivity_inputs",
               "sensitivity_advice")  # fmt: skip
#: tables of the verification stage
VERIFICATION = ("verification", "organ_courses", "mass_balance", "tolerance_ladder", "exact_courses", "closed_forms",
                "body_sums")  # fmt: skip
#: tables of the criticism of the fit, with the ends of their files
CRITICISM = {"vpc_groups": "tsv", "vpc": "tsv", "vpc_blq": "tsv", "fit_ranks": "tsv", "fit_traces": "parquet",
             "fit_energy": "tsv", "fit_chains": "tsv"}  # fmt: skip
#: further tables of the evaluation stage
EVALUATION = ("evaluation_metrics", "evaluation_groups", "validation")


def gather(
    files: Any,
    config: Mapping[str, Any],
    twins: pd.DataFrame,
    scenarios: pd.DataFrame,
    events: pd.DataFrame,
    *,
    definitions: str = "",
    structure_prior: Mapping[str, Mapping[str, float]] | None = None,
    activity: pd.DataFrame | None = None,
    activity_curve: pd.DataFrame | None = None,
    body_without: pd.DataFrame | None = None,
    allele_frequencies: pd.DataFrame | None = None,
    allele_genes: pd.DataFrame | None = None,
    folder: Path | None = None,
) -> ReportInputs:
    """All inputs of the report from a job's files; stages that are switched off are absent.

    definitions, structure_prior, activity, body_without, allele_frequencies, allele_genes : as in
        :class:`ReportInputs`; the report does not know the code of the genome and body stages, so the script that knows
        them hands these over.
    folder : of the results; None: ``results/<study>`` of the working directory.
    """
    fit, sensitivity = _by_stem(list(files.fit)), _by_stem(list(files.sensitivity))
    evaluation, verification = _by_stem(list(files.evaluation)), _by_stem(list(files.verification))
    criticism = _by_stem(list(files.criticism))
    exposure = read_tables("exposure", [Path(p) for p in files.exposure])
    profiles = read_tables("profiles", [Path(p) for p in files.profiles])
    everybody = exposure.model == "population", profiles.model == "population"
    fit_twins = _some("fit_twins", fit.get("twins", []))
    sampled = sorted(set(fit_twins.twin_id)) if fit_twins is not None else []
    apart = profiles[everybody[1] & (profiles.twin_id == "population")]
    exposure = pd.concat([exposure[~everybody[0]], _beside_twins(exposure[everybody[0]], sampled)], ignore_index=True)
    profiles = pd.concat([profiles[profiles.twin_id != "population"], _beside_twins(apart, sampled)], ignore_index=True)
    if len(twins) > 500:  # curves of thousands of twins are in the results, not on the page
        profiles = profiles[profiles.twin_id.isin(sampled)]
    folder = folder or Path("results") / str(config["study"])
    findings = [folder / "intake" / "findings.tsv", *(Path(p) for p in files.findings)]
    versions = {"pharmtwin": __version__}
    versions |= {
        str(r.table): f"{r.version} (sha256 {str(r.sha256)[:12]})" for r in fact_table("versions.tsv").itertuples()
    }
    return ReportInputs.create(
        study=config["study"],
        drug=Path(str(config["drug"])).stem,
        data_kind=config["data_kind"],
        verdict=Path(files.verdict).read_text(encoding="utf-8").strip(),
        observed_scenario=OWN_REGIMEN if sampled else "",
        twin_pages=str(config["report"]["twin_pages"]),
        twins_file=str(config["paths"]["twins"]),
        twin_rows={str(t): int(r) for t, r in zip(twins["twin_id"], twins["row"])} if "row" in twins else {},
        binding_protein=load_drug(str(config["drug"])).words.get("binding.protein", ""),
        findings=once(read_tables("findings", findings)),
        genotype=read_tables("genotype", [Path(p) for p in files.genotype]),
        twin_sites=read_tables("twin_sites", [Path(p) for p in files.sites]),
        recommendations=read_tables("recommendations", [Path(p) for p in files.recommendations]),
        body=read_tables("body", [Path(p) for p in files.body]),
        body_without=body_without,
        reference_body=_some("body", list(files.reference)),
        priors=read_tables("priors", [Path(p) for p in files.priors]),
        exposure=exposure,
        profiles=profiles,
        predictions=read_tables("predictions", [Path(p) for p in files.predictions]),
        steps=read_tables("steps", [Path(p) for p in files.steps]),
        counterfactuals=read_tables("counterfactuals", [Path(p) for p in files.counterfactuals]),
        counterfactual_courses=read_tables("counterfactual_courses", [Path(p) for p in files.counterfactual_courses]),
        dose_options=read_tables("dose_options", [Path(p) for p in files.dose_options]),
        fit_summary=_some("fit_summary", fit.get("summary", [])),
        fit_diagnostics=_some("fit_diagnostics", fit.get("diagnostics", [])),
        fit_twins=fit_twins,
        fit_genotype=_some("fit_genotype", fit.get("genotype", [])),
        **{name: _some(name, criticism.get(name, [])) for name in CRITICISM},
        **{name: _some(name, sensitivity.get(name, [])) for name in SENSITIVITY},
        published=_some("published", list(files.published)),
        solver_check=read_tables("solver_check", [Path(p) for p in files.checks]),
        **{name: _some(name, verification.get(name, [])) for name in VERIFICATION},
        accuracy=read_table("accuracy", Path(files.accuracy)),
        predictive_scores=read_tables("predictive_scores", [Path(p) for p in files.scores]),
        exceedance=read_tables("exceedance", [Path(p) for p in files.exceedance]),
        attributions=read_tables("attributions", [Path(p) for p in files.attributions]),
        **{name: _some(name, evaluation.get(name, [])) for name in EVALUATION},
        covariates=twins.drop(columns=["row"], errors="ignore"),
        scenarios=scenarios.drop(columns=["row"], errors="ignore"),
        config=config,
        versions=versions,
        definitions=definitions,
        structure_prior=structure_prior,
        activity=activity,
        activity_curve=activity_curve,
        allele_frequencies=allele_frequencies,
        allele_genes=allele_genes,
        events=events.drop(columns=["row"], errors="ignore"),
    )
