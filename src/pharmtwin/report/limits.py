"""Findings, limits, methods: what was wrong in the input, what is not claimed, how it was done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pharmtwin.report.blocks import Block, Bullets, Cell, Paragraph, Section, Table
from pharmtwin.report.genome_calls import NO_CALL, top_rows
from pharmtwin.report.inputs import ReportInputs
from pharmtwin.report.quantities import UNUSED, differs
from pharmtwin.report.rows import records
from pharmtwin.report.words import count, plural, without_folders

BADGES = {"error": "bad", "warning": "warn", "note": "note"}
SEVERITIES = ("error", "warning", "note")
MAX_FINDINGS = 100
#: rules of notes that tell what was repaired or left out
CHANGED = ("repair.", "sheet.row_excluded")
MEASURED_BLOOD = ("albumin_g_l", "agp_g_l", "haematocrit")


def _text(value: object) -> str:
    """A cell of the findings as text; empty where there is none."""
    return "" if value is None or value != value else str(value)


def findings_section(inputs: ReportInputs) -> Section:
    """All findings: a line a rule, then the findings themselves (capped, counted)."""
    findings = inputs.findings
    if findings.empty:
        return Section(
            "findings", "Findings in the input", (Paragraph("No finding: every check of the input passed."),)
        )
    order = {s: i for i, s in enumerate(SEVERITIES)}
    table = findings.assign(order=findings["severity"].map(order)).sort_values(
        ["order", "rule", "file", "row", "column"], kind="stable"
    )
    rules = []
    for (_, rule), part in table.groupby(["order", "rule"], sort=True):
        first = part.iloc[0]
        severity = Cell(str(first["severity"]), badge=BADGES[str(first["severity"])])
        rules.append([severity, str(rule), count(len(part)), f"{first['what']}; {first['why']}"])
    rows = [
        [
            Cell(r.severity, badge=BADGES[str(r.severity)]),
            without_folders(r.file) + (f":{r.row}" if r.row else ""),
            "" if r.column != r.column or r.column is None else str(r.column),
            r.what,
            r.why,
            r.fix,
            r.rule,
        ]
        for r in records(table.fillna({"column": "", "value": ""}))
    ]
    changed = [
        [without_folders(r.file) + (f":{r.row}" if r.row else ""), _text(r.column), _text(r.value), r.what, r.rule]
        for r in records(table[table["rule"].str.startswith(CHANGED)])
    ]
    repaired = (
        Table.create(
            "Repairs, and rows that are not used",
            ["Where", "Column", "As written", "What", "Rule"],
            changed,
            text=range(5),
            limit=MAX_FINDINGS,
            file="findings.tsv",
        ),
    )
    blocks = (
        *(repaired if changed else ()),
        Table.create("Findings by rule", ["Severity", "Rule", "n", "Example"], rules, text=(0, 1, 3)),
        Table.create(
            "Single findings",
            ["Severity", "Where", "Column", "What", "Why it matters", "How to fix", "Rule"],
            rows,
            text=range(7),
            folded=True,
            limit=MAX_FINDINGS,
            file="findings.tsv",
        ),
    )
    return Section("findings", "Findings in the input", blocks)


def _genome_limits(inputs: ReportInputs) -> list[str]:
    """What the genotypes do not tell, in numbers of twins."""
    top, said = top_rows(inputs.genotype), []
    others = sorted(set(top["gene"].astype(str)) - {inputs.gene})
    if others:
        said.append(
            f"Only {inputs.gene} changes a prediction; {plural(len(others), 'further gene')} "
            f"{'is' if len(others) == 1 else 'are'} called and reported."
        )
    for gene, part in top[top["structure"] == "not_assessed"].groupby("gene", sort=True):
        said.append(
            f"{gene}: in {plural(len(part), 'twin')} the structure was not assessed; deletions, duplications and "
            "hybrids are unknown and can change the function."
        )
    lost = top[top["state"] == NO_CALL]
    if len(lost):
        said.append(
            f"{plural(len(lost), 'gene of a twin', 'genes of single twins')} could not be called; what is shown for "
            "them is what the population makes likely."
        )
    gaps = inputs.genotype.loc[inputs.genotype["n_not_assayed"] > 0, "twin_id"].nunique()
    if gaps:
        said.append(
            f"In {plural(gaps, 'twin')} at least one position that defines an allele was not assayed; it was not taken "
            "as reference, and its alleles stay possible or cannot be excluded."
        )
    declared = inputs.twin_sites.loc[inputs.twin_sites["n_reference_by_declaration"] > 0, "twin_id"].nunique()
    if declared:
        said.append(
            f"In {plural(declared, 'twin')} positions count as reference only because the configuration declares it."
        )
    if len(inputs.recommendations):
        said.append(
            "Recommendations are a short reading of guidelines. Where two genes decide together their results are "
            "taken as independent, and comedication is accounted for by a rule of thumb."
        )
    return said


def _body_limits(inputs: ReportInputs) -> list[str]:
    """What is known of the bodies and changes no prediction."""
    said, people = [], inputs.covariates
    measured = [c for c in MEASURED_BLOOD if c in people]
    n = int(people[measured].notna().any(axis=1).sum()) if measured else 0
    if n and inputs.binding_protein == "":
        said.append(
            f"{plural(n, 'twin')} {'has' if n == 1 else 'have'} measured plasma proteins or haematocrit. The drug file "
            f"of {inputs.drug} names no binding protein, so they change no prediction."
        )
    times = inputs.body[inputs.body["quantity"].isin(UNUSED) & inputs.body["value"].map(differs)]
    if n := times["twin_id"].nunique():
        said.append(
            f"In {plural(n, 'twin')} a condition changes gastric emptying or intestinal transit. Both times are "
            "computed, and no prediction uses them yet."
        )
    return said


def limits(inputs: ReportInputs) -> list[str]:
    """What the report does not claim, said from the data."""
    said = ["Not a medical device; not for treatment decisions. Intended use: research and method evaluation."]
    if inputs.synthetic:
        said.append(
            "The concentrations are synthetic: agreement with them shows that the computation recovers its own "
            "assumptions, not that it predicts patients."
        )
    said += _genome_limits(inputs) + _body_limits(inputs)
    if len(inputs.published):
        roles = set(inputs.published["role"])
        if "building" in roles:
            said.append(
                "Published profiles marked building were used to set values; agreement with them proves nothing."
            )
        said.append("Published profiles are means of small groups, digitised from figures; single subjects vary more.")
    else:
        said.append("Nothing here was compared with published concentrations of real people.")
    if inputs.fit_summary.empty:
        said.append("No fit was made: all intervals come from priors.")
    said.append("Intervals hold given the model. They do not contain the doubt whether its structure is right.")
    if len(inputs.fitted_twins) < len(inputs.twins):
        n = len(inputs.twins) - len(inputs.fitted_twins)
        said.append(
            f"{plural(n, 'twin')} without concentrations of their own are predicted from genotype and body only."
        )
    return said


def flat(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A configuration as sorted (dotted key, value) pairs; absolute paths lose their folders."""
    out: list[tuple[str, str]] = []
    for key in sorted(config, key=str):
        value = config[key]
        if isinstance(value, Mapping):
            out += flat(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple):
            out.append((f"{prefix}{key}", ", ".join(without_folders(v) for v in value)))
        else:
            out.append((f"{prefix}{key}", without_folders(value)))
    return out


def methods_section(inputs: ReportInputs) -> Section:
    """How it was done, in short, with versions and configuration."""
    blocks: list[Block] = [
        Bullets(
            (
                "Genotype: diplotypes with probabilities from the VCF and haplotype frequencies of the ancestry; a "
                "position is observed, reference by evidence or declaration, or not assayed; activity score and "
                "phenotype by the named scheme; every candidate is carried on with its weight.",
                "Recommendations: guidelines by drug and phenotype, weighted by the phenotypes' probabilities, from "
                "genes alone and as inhibitors and inducers taken beside leave them.",
                "Body: organ volumes, flows, kidney, proteins and enzymes from the covariates, age and conditions.",
                f"Model: whole-body PBPK model of {inputs.drug}; every value of the drug file has a unit and a source.",
                "Three models side by side. Population: knows nothing about the patient. Covariates: genotype and "
                "body. Twin: also the patient's own concentrations, through a hierarchical Bayesian fit.",
                "Intervals of predictions: 5 % to 95 % quantiles of posterior draws; of accuracy figures: 95 %.",
                "Accuracy: fold errors on ln(predicted median / observed), positive where predicted too high.",
                "Sensitivity: Morris screening, then Sobol indices of the survivors (total: Jansen; first order: "
                "control variates), with bootstrap intervals over base blocks.",
            )
        )
    ]
    versions = [[k, str(v)] for k, v in sorted(inputs.versions.items())]
    if versions:
        blocks.append(Table.create("Versions", ["Part", "Version"], versions, text=(0, 1), folded=True, limit=500))
    config = [list(pair) for pair in flat(inputs.config)]
    if config:
        blocks.append(Table.create("Configuration", ["Key", "Value"], config, text=(0, 1), folded=True, limit=500))
    return Section("methods", "Methods in short", tuple(blocks))


def limits_section(inputs: ReportInputs) -> Section:
    """What this does not claim."""
    return Section("limits", "What this does not claim", (Bullets(tuple(limits(inputs))),))
