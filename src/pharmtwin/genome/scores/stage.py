"""Polygenic scores as a stage: one scoring file on the VCFs of one genome, and what a twin carries of it.

As with star alleles, covariates stay out of the first step: a sample is compared with every ancestry group of the
panel, and only ``modifiers`` looks up which group is the twin's.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.findings import Finding
from pharmtwin.genome.definitions import ANCESTRIES
from pharmtwin.genome.reading.checks import detect_build
from pharmtwin.genome.reading.vcf import header_lines
from pharmtwin.genome.scores.file import ScoringFile, read_scoring_file
from pharmtwin.genome.scores.groups import Reference, reference_groups, standardise
from pharmtwin.genome.scores.match import REASONS
from pharmtwin.genome.scores.pgs import Scored, score_vcf, with_frequencies
from pharmtwin.tables import conform, records, schema
from pharmtwin.untrusted import read_bytes

GROUPS = tuple(a for a in ANCESTRIES if a != "ALL")
SHOWN = 5


class ScoreError(ValueError):
    """A score that cannot be what the user meant; the run stops."""


@dataclass(frozen=True)
class Panel:
    """Reference panel: its files and the ancestry group of each sample."""

    files: tuple[Path, ...]
    group_of: Mapping[str, str]


@dataclass(frozen=True)
class ScoreTables:
    """Tables ``scores``, ``score_z`` and ``score_rows`` of one scoring file on one genome, and findings."""

    scores: pd.DataFrame
    z: pd.DataFrame
    rows: pd.DataFrame
    findings: list[Finding]


def read_panel(files: Sequence[str], groups: str) -> Panel | None:
    """The panel of the config, None without files. ``groups`` : TSV with columns sample and ancestry.

    Raises ScoreError for a sheet without these columns, a sample twice, or an unknown ancestry.
    """
    if not files:
        return None
    if not groups:
        raise ScoreError("scores.panel needs scores.panel_groups: who belongs to which ancestry")
    try:
        table = pd.read_csv(io.BytesIO(read_bytes(groups)), sep="\t", dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:  # of pandas: no columns, rows of other lengths, no UTF-8
        raise ScoreError(f"{groups}: cannot be read as a table ({error})") from None
    lacking = [c for c in ("sample", "ancestry") if c not in table]
    if lacking:
        raise ScoreError(f"{groups}:1: no column {' and '.join(lacking)}")
    table = table[table["ancestry"] != ""]
    strange = sorted(set(table["ancestry"]) - set(GROUPS))
    if strange:
        raise ScoreError(
            f"{groups}: unknown ancestry {', '.join(strange[:SHOWN])}; write {', '.join(GROUPS)} or nothing"
        )
    if table["sample"].duplicated().any():
        raise ScoreError(f"{groups}: sample {table['sample'][table['sample'].duplicated()].iloc[0]} stands there twice")
    return Panel(tuple(Path(f) for f in files), dict(zip(table["sample"], table["ancestry"])))


def score_genome(
    file: Path, vcfs: Sequence[Path], panel: Panel | None, options: Mapping[str, Any], label: str, build: str = "auto"
) -> ScoreTables:
    """Score every sample of the VCFs of one genome. ``options`` : ``scores`` of the config; ``label`` : data_kind.

    build : of the VCFs, where they do not tell it themselves.

    A score below the match rate is refused with a warning and an empty table: the run goes on without it.
    Raises ScoreError if the scoring file or a VCF cannot be used, and if no row at all is matched: then the files do
    not belong together.
    """
    score, findings = _read(file, vcfs, build)
    rate, imputation = float(options["match_rate"]), str(options["imputation"])
    if imputation == "panel" and panel is None:
        raise ScoreError("scores.imputation: panel needs scores.panel")
    reference = score_vcf(score, panel.files, min_match_rate=rate, imputation=_of_panel(imputation)) if panel else None
    filled = score
    if imputation == "panel" and reference is not None:
        _usable(reference)
        filled = with_frequencies(score, reference)
    mine = "given" if imputation == "panel" else imputation
    own = score_vcf(filled, vcfs, min_match_rate=rate, imputation=mine)
    _usable(own)
    if not own.match_rate > 0:
        raise ScoreError(
            f"{file.name}: not one of {own.n_rows} rows is matched ({_reasons(own.rows)}); check the build"
        )
    findings += [*own.findings, *_unmatched(file, own)]
    z = _nobody("score_z")
    if panel is not None and reference is not None and own.samples is not None:
        z, more = _compare(own, reference, filled, vcfs, panel, rate, mine)
        findings += more
    kept = [replace(f, severity="warning") if f.severity == "error" else f for f in findings]  # the run goes on
    rows = conform("score_rows", own.rows[schema("score_rows").names])
    return ScoreTables(_scores(score, own, label), z, rows, sorted(set(kept)))


def _read(file: Path, vcfs: Sequence[Path], build: str) -> tuple[ScoringFile, list[Finding]]:
    """The scoring file on the build of the VCFs; on either build if they do not tell (the match rate then guards)."""
    builds = sorted({detect_build(v, header_lines(v)) for v in vcfs} - {""})
    if len(builds) > 1:
        raise ScoreError(f"{file.name}: the VCFs of one genome are on {' and '.join(builds)}")
    said = []
    for choice in builds or (("GRCh38", "GRCh37") if build == "auto" else (build,)):
        score, findings = read_scoring_file(file, choice)
        if score is not None:
            return score, findings
        said.append("\n".join(f.message() for f in findings))
    raise ScoreError(said[0])


def _of_panel(imputation: str) -> str:
    """How the panel's own gaps are filled, so that both sums mean the same."""
    return "data" if imputation == "panel" else imputation


def _usable(scored: Scored) -> None:
    if scored.rows.empty:
        raise ScoreError("\n".join(f.message() for f in scored.findings))


def _reasons(rows: pd.DataFrame) -> str:
    counts = rows.loc[~rows["matched"], "reason"].value_counts().sort_index()
    return "; ".join(f"{reason} {n}" for reason, n in counts.items())


def _unmatched(file: Path, scored: Scored) -> list[Finding]:
    """One finding a reason, with the first lines; table ``score_rows`` has them all."""
    out = []
    for reason, rows in scored.rows[~scored.rows["matched"]].groupby("reason", sort=True):
        lines = ", ".join(map(str, rows["row"].iloc[:SHOWN])) + (", ..." if len(rows) > SHOWN else "")
        out.append(
            Finding.create(
                "pgs.unmatched",
                file.name,
                f"rows of the score are not counted: {REASONS[str(reason)]}",
                "the score lacks their weight",
                "see table score_rows; impute or genotype the positions",
                value=f"{reason}: {len(rows)} of {scored.n_rows} rows, lines {lines}",
                severity="note",
            )
        )
    return out


def _scores(score: ScoringFile, own: Scored, label: str) -> pd.DataFrame:
    if own.samples is None:
        return _nobody("scores")
    about: dict[str, Any] = {
        "score": score.name,
        "trait": score.header.get("trait_reported", ""),
        "weight_type": score.weight_type,
        "n_rows": own.n_rows,
        "n_unmatched": own.n_rows - own.n_matched,
        "unmatched": _reasons(own.rows),
        "match_rate": own.match_rate,
        "weight_matched": own.weight_matched,
        "label": label,
    }
    return conform("scores", own.samples.drop(columns="named_dosage_sum").assign(**about))


def _nobody(table: str) -> pd.DataFrame:
    return conform(table, pd.DataFrame({c: [] for c in schema(table).names}))


def _compare(
    own: Scored, reference: Scored, score: ScoringFile, vcfs: Sequence[Path], panel: Panel, rate: float, imputation: str
) -> tuple[pd.DataFrame, list[Finding]]:
    """Table ``score_z``: every sample beside every group, both summed over the rows that both files match."""
    findings = [f for f in reference.findings if f not in own.findings]
    if reference.rows.empty:
        return _nobody("score_z"), findings
    common = np.intersect1d(_used(own), _used(reference))
    if len(common) < rate * own.n_rows:
        what, why = "too few rows are matched in the panel as well", "a z score would be of another score"
        value = f"{len(common)} of {own.n_rows}, needed {rate}"
        fix = "give a panel that holds the score's positions"
        return _nobody("score_z"), [
            *findings, Finding.create("pgs.panel_rate", score.file, what, why, fix, value=value, severity="warning")
        ]  # fmt: skip
    if len(common) < len(_used(own)):
        own = score_vcf(score, vcfs, min_match_rate=rate, imputation=imputation, rows=common)
    if len(common) < len(_used(reference)):
        how = "data" if imputation == "given" else imputation
        reference = score_vcf(score, panel.files, min_match_rate=rate, imputation=how, rows=common)
    groups, more = reference_groups(reference, panel.group_of)
    findings += more
    if groups is None or own.samples is None:
        return _nobody("score_z"), findings
    tables = []
    for group in groups.groups["group"]:
        table, more = _against(own, groups, str(group))
        findings += more
        if table is not None:
            tables.append(table.assign(n_rows=len(common)))
    if not tables:
        return _nobody("score_z"), findings
    return conform("score_z", pd.concat(tables, ignore_index=True)), findings


def _used(scored: Scored) -> Any:
    return scored.rows.loc[scored.rows["used"], "row"].to_numpy()


def _against(own: Scored, groups: Reference, group: str) -> tuple[pd.DataFrame | None, list[Finding]]:
    """All samples compared with one group."""
    assert own.samples is not None
    table, findings = standardise(own, groups, dict.fromkeys(own.samples["sample"], group))
    if table is None:
        return None, findings
    sd = float(groups.groups.loc[groups.groups["group"] == group, "sd"].iloc[0])
    filled = table["sum_sd"] / table["denominator"].where(table["denominator"] > 0) / sd
    # the group's mean and sd are estimates from n people: variance of z (1 + z^2 / 2) / n for a normal score
    sampling = (1 + table["z"] ** 2 / 2) / table["group_n"]
    table = table.assign(score=own.score, ancestry=group, z_sd=np.sqrt(filled**2 + sampling).where(table["z"].notna()))
    return table[["sample", "score", "ancestry", "z", "z_sd", "group_n"]], findings


def modifiers(
    scores: Mapping[str, pd.DataFrame], z: Mapping[str, pd.DataFrame], twins: pd.DataFrame, file: str
) -> tuple[pd.DataFrame, list[Finding]]:
    """Table ``modifiers`` of some twins and findings.

    scores, z : key of a genome (its VCFs) -> the tables of all its scores. twins : twin_id, sample, ancestry, genome
    (key), row (line of the sheet ``file``). A twin without VCF, sample or ancestry gets what is left, and a finding.
    """
    rows: list[dict[str, object]] = []
    findings: list[Finding] = []
    for twin in records(twins):
        here = scores.get(str(twin.genome), _nobody("scores"))
        mine = here[here["sample"] == twin.sample]
        beside = z.get(str(twin.genome), _nobody("score_z"))
        beside = beside[(beside["sample"] == twin.sample) & beside["z"].notna()]
        for s in records(mine):
            about = f"{s.score}: {s.n_matched} of {s.n_rows} rows matched, {s.n_imputed} filled in"
            rows.append(
                _row(
                    twin.twin_id,
                    f"pgs.{s.score}.sum",
                    s.score_sum,
                    s.sum_sd,
                    f"sum of weights ({s.weight_type})",
                    about,
                )
            )
            for r in records(beside[(beside["score"] == s.score) & (beside["ancestry"] == twin.ancestry)]):
                group = f"{about}; against {r.group_n} people of {r.ancestry}, {r.n_rows} rows"
                rows.append(
                    _row(twin.twin_id, f"pgs.{s.score}", r.z, r.z_sd, "standard deviations of the group", group)
                )
        if not len(mine):
            findings.append(
                _lacking(file, twin, "pgs.twin_without_score", "no score", "see the findings of the scores")
            )
        elif len(beside) and twin.ancestry not in set(beside["ancestry"]):
            fix = "give the ancestry, or a panel that has it"
            findings.append(_lacking(file, twin, "pgs.twin_without_group", "no z score: no group of the panel", fix))
    return conform("modifiers", pd.DataFrame(rows, columns=schema("modifiers").names)), findings


def _row(twin: str, modifier: str, value: float, sd: float, unit: str, source: str) -> dict[str, object]:
    return {"twin_id": twin, "modifier": modifier, "value": value, "sd": sd, "unit": unit, "source": source}


def _lacking(file: str, twin: Any, rule: str, what: str, fix: str) -> Finding:
    why = "no modifier is handed on for this twin"
    return Finding.create(
        rule, file, what, why, fix, row=int(twin.row), column="twin_id", value=twin.twin_id, severity="note"
    )
