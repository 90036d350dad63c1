"""What the report is made from: tables of the other stages, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import pandas as pd

from pharmtwin.core.pages import paged
from pharmtwin.tables import conform, schema, schema_names

DATA_KINDS = ("synthetic", "real", "mixed")
TWIN_PAGES = ("fitted", "all", "none")


def _empty(name: str) -> pd.DataFrame:
    return pd.DataFrame({c: [] for c in schema(name).names})


@dataclass(frozen=True, kw_only=True)
class ReportInputs:
    """Everything a report shows. Build it with :meth:`create`, which checks every table.

    Attributes
    ----------
    study, drug, gene : names as shown; ``gene`` is the one whose activity score groups the twins.
    data_kind : ``synthetic``, ``real`` or ``mixed`` (real genomes, synthetic people): the banner of every page.
    verdict : the sentences of ``pharmtwin.evaluation.verdict.verdict``.
    genotype ... accuracy : tables by their schema; None or empty where the stage is switched off.
    covariates : one row a twin with ``twin_id`` and, where known, ``sex``, ``ancestry`` and numeric columns
        whose names begin with ``age``, ``weight``, ``height`` (a unit may follow: ``weight_kg``).
    scenarios : the scenario table as the user wrote it; its first column names the scenario.
    observed_scenario : scenario in which the concentrations were taken, so that the observed points can be
        drawn on its profile; empty: points are drawn alone.
    twin_pages : which twins get a page of their own (``report.twin_pages`` of the configuration): ``fitted``, ``none``,
        or ``all``, which is ``fitted`` in a cohort of more than ``MAX_PAGES``.
    priors : of the body and the genes; says how each twin's GFR is known.
    reference_body : as ``body``, of the reference man and woman.
    events : the canonical events sheet. activity_curve : the study's map of ``gene``: ``activity_score``, ``factor``
        (clearance relative to score 2), ``sd`` of its logarithm, ``map_name``.
    body_without : as ``body``, of the twins with conditions, as they would be without.
    twins_file, twin_rows : name of the twins sheet and row in it by twin, as findings tell places.
    binding_protein : protein in plasma that the drug file names; "" if it names none, None if that is not known.
    config : the run's configuration; absolute paths in it are shown by their last part only.
    versions : name -> version of package, tables and resources.
    definitions : release and hash of the allele definitions in use, one line.
    structure_prior : gene -> ancestry panel -> share of people with a deletion, duplication or hybrid of the gene;
        genes of which no source counts them are absent.
    activity : rows of ``genome.function.activity_by_ancestry``: activity score and factor by gene and ancestry.
    allele_frequencies, allele_genes : of ``genome.cohort_frequencies``: the cohort's alleles beside the reference, and
        what was compared.
    """

    study: str
    drug: str
    data_kind: str
    gene: str = "CYP2D6"
    verdict: str = ""
    observed_scenario: str = ""
    twin_pages: str = "fitted"
    twins_file: str = ""
    twin_rows: Mapping[str, int] = field(default_factory=dict)
    binding_protein: str | None = None
    findings: pd.DataFrame = field(default_factory=lambda: _empty("findings"))
    genotype: pd.DataFrame = field(default_factory=lambda: _empty("genotype"))
    twin_sites: pd.DataFrame = field(default_factory=lambda: _empty("twin_sites"))
    recommendations: pd.DataFrame = field(default_factory=lambda: _empty("recommendations"))
    body: pd.DataFrame = field(default_factory=lambda: _empty("body"))
    body_without: pd.DataFrame = field(default_factory=lambda: _empty("body"))
    reference_body: pd.DataFrame = field(default_factory=lambda: _empty("body"))
    priors: pd.DataFrame = field(default_factory=lambda: _empty("priors"))
    exposure: pd.DataFrame = field(default_factory=lambda: _empty("exposure"))
    profiles: pd.DataFrame = field(default_factory=lambda: _empty("profiles"))
    predictions: pd.DataFrame = field(default_factory=lambda: _empty("predictions"))
    steps: pd.DataFrame = field(default_factory=lambda: _empty("steps"))
    counterfactuals: pd.DataFrame = field(default_factory=lambda: _empty("counterfactuals"))
    counterfactual_courses: pd.DataFrame = field(default_factory=lambda: _empty("counterfactual_courses"))
    dose_options: pd.DataFrame = field(default_factory=lambda: _empty("dose_options"))
    fit_summary: pd.DataFrame = field(default_factory=lambda: _empty("fit_summary"))
    fit_diagnostics: pd.DataFrame = field(default_factory=lambda: _empty("fit_diagnostics"))
    fit_twins: pd.DataFrame = field(default_factory=lambda: _empty("fit_twins"))
    fit_genotype: pd.DataFrame = field(default_factory=lambda: _empty("fit_genotype"))
    fit_ranks: pd.DataFrame = field(default_factory=lambda: _empty("fit_ranks"))
    fit_traces: pd.DataFrame = field(default_factory=lambda: _empty("fit_traces"))
    fit_energy: pd.DataFrame = field(default_factory=lambda: _empty("fit_energy"))
    fit_chains: pd.DataFrame = field(default_factory=lambda: _empty("fit_chains"))
    vpc_groups: pd.DataFrame = field(default_factory=lambda: _empty("vpc_groups"))
    vpc: pd.DataFrame = field(default_factory=lambda: _empty("vpc"))
    vpc_blq: pd.DataFrame = field(default_factory=lambda: _empty("vpc_blq"))
    morris: pd.DataFrame = field(default_factory=lambda: _empty("morris"))
    sobol: pd.DataFrame = field(default_factory=lambda: _empty("sobol"))
    sobol_convergence: pd.DataFrame = field(default_factory=lambda: _empty("sobol_convergence"))
    sobol_course: pd.DataFrame = field(default_factory=lambda: _empty("sobol_course"))
    sobol_second: pd.DataFrame = field(default_factory=lambda: _empty("sobol_second"))
    tornado: pd.DataFrame = field(default_factory=lambda: _empty("tornado"))
    sensitivity_inputs: pd.DataFrame = field(default_factory=lambda: _empty("sensitivity_inputs"))
    sensitivity_advice: pd.DataFrame = field(default_factory=lambda: _empty("sensitivity_advice"))
    published: pd.DataFrame = field(default_factory=lambda: _empty("published"))
    solver_check: pd.DataFrame = field(default_factory=lambda: _empty("solver_check"))
    verification: pd.DataFrame = field(default_factory=lambda: _empty("verification"))
    organ_courses: pd.DataFrame = field(default_factory=lambda: _empty("organ_courses"))
    mass_balance: pd.DataFrame = field(default_factory=lambda: _empty("mass_balance"))
    tolerance_ladder: pd.DataFrame = field(default_factory=lambda: _empty("tolerance_ladder"))
    exact_courses: pd.DataFrame = field(default_factory=lambda: _empty("exact_courses"))
    closed_forms: pd.DataFrame = field(default_factory=lambda: _empty("closed_forms"))
    body_sums: pd.DataFrame = field(default_factory=lambda: _empty("body_sums"))
    accuracy: pd.DataFrame = field(default_factory=lambda: _empty("accuracy"))
    predictive_scores: pd.DataFrame = field(default_factory=lambda: _empty("predictive_scores"))
    exceedance: pd.DataFrame = field(default_factory=lambda: _empty("exceedance"))
    evaluation_metrics: pd.DataFrame = field(default_factory=lambda: _empty("evaluation_metrics"))
    evaluation_groups: pd.DataFrame = field(default_factory=lambda: _empty("evaluation_groups"))
    attributions: pd.DataFrame = field(default_factory=lambda: _empty("attributions"))
    validation: pd.DataFrame = field(default_factory=lambda: _empty("validation"))
    covariates: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"twin_id": []}))
    scenarios: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"scenario": []}))
    config: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    definitions: str = ""
    structure_prior: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    activity: pd.DataFrame = field(default_factory=pd.DataFrame)
    activity_curve: pd.DataFrame = field(default_factory=pd.DataFrame)
    allele_frequencies: pd.DataFrame = field(default_factory=pd.DataFrame)
    allele_genes: pd.DataFrame = field(default_factory=pd.DataFrame)
    events: pd.DataFrame = field(default_factory=pd.DataFrame)

    @classmethod
    def create(cls, **values: Any) -> ReportInputs:
        """Check and build: None counts as empty, tables are brought to their schema.

        Raises ValueError on an unknown data kind or twin_pages, and TableError on a table that breaks its schema.
        """
        given = cls(**{k: v for k, v in values.items() if v is not None})
        if given.data_kind not in DATA_KINDS:
            raise ValueError(f"data_kind {given.data_kind!r}: use one of {DATA_KINDS}")
        if given.twin_pages not in TWIN_PAGES:
            raise ValueError(f"twin_pages {given.twin_pages!r}: use one of {TWIN_PAGES}")
        known = set(schema_names())
        checked: dict[str, Any] = {
            f.name: conform(f.name, getattr(given, f.name)).sort_values(
                list(schema(f.name).key) or list(schema(f.name).names), kind="stable", ignore_index=True
            )
            for f in fields(cls)
            if f.name in known
        }
        checked |= {n: conform("body", getattr(given, n)) for n in ("body_without", "reference_body")}
        for name, order in (("events", ["twin_id", "time_h", "evid"]), ("activity_curve", ["activity_score"])):
            if len(table := getattr(given, name)):
                checked[name] = table.sort_values(order, kind="stable", ignore_index=True)
        if len(given.covariates):
            checked["covariates"] = given.covariates.sort_values("twin_id", kind="stable", ignore_index=True)
        return replace(given, **checked)

    @property
    def synthetic(self) -> bool:
        """True where the concentrations (and the people) are simulated."""
        return self.data_kind != "real"

    @property
    def twins(self) -> list[str]:
        """All twins of the cohort, sorted."""
        known = [set(t["twin_id"].astype(str)) for t in (self.covariates, self.genotype, self.body, self.exposure)]
        return sorted(set().union(*known))

    @property
    def fitted_twins(self) -> list[str]:
        """Twins with a posterior of their own, sorted."""
        return sorted(set(self.fit_twins["twin_id"].astype(str)))

    @property
    def paged_twins(self) -> list[str]:
        """Twins with a page of their own, sorted."""
        return paged(self.twin_pages, {*self.twins, *self.fitted_twins}, self.fitted_twins, len(self.twins))

    def numeric_covariate(self, prefix: str) -> tuple[pd.Series, str] | None:
        """Numeric covariate by the beginning of its column name, indexed by twin, with its unit; None if absent."""
        for name in self.covariates.columns:
            if name == prefix or name.startswith(f"{prefix}_"):
                values = pd.to_numeric(self.covariates.set_index("twin_id")[name], errors="coerce")
                return values, name.removeprefix(prefix).removeprefix("_").replace("_", " ")
        return None

    def body_quantity(self, quantity: str) -> tuple[pd.Series, str] | None:
        """Quantity of the body table, indexed by twin, with its unit; None if absent."""
        rows = self.body[self.body["quantity"] == quantity]
        if rows.empty:
            return None
        return rows.set_index("twin_id")["value"], str(rows["unit"].iloc[0])
