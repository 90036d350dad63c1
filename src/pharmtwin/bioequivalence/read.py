"""A user's table (a row a subject and period) or the long table of ``pharmtwin nca``, read into studies by endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pharmtwin.bioequivalence.study import Study
from pharmtwin.findings import Finding, has_errors
from pharmtwin.intake.sheet import is_missing
from pharmtwin.nca.cells import Cells, number, plain, read_cells
from pharmtwin.untrusted import is_whole

Names = NDArray[np.str_]
#: names that people give the columns, best first
COLUMNS = {
    "subject": ("subject", "subj", "subjectid", "usubjid", "subjid", "id", "patient", "volunteer", "twin_id", "animal"),
    "period": ("period", "per", "visit", "aperiod", "occasion"),
    "sequence": ("sequence", "seq", "arm", "group", "trtseq", "actarm"),
    "treatment": ("treatment", "trt", "treat", "formulation", "form", "drug", "product", "trta", "regimen"),
}
#: columns that are values already; an endpoint whose name begins with log or ln is a logarithm
VALUES = ("pk", "auc", "cmax", "value", "response", "result", "dv", "y", "data")
LOGARITHM = ("log", "ln")
REFERENCE = ("r", "ref", "reference", "comparator", "rld", "innovator")
TEST = ("t", "test", "generic")
#: of a long table, these are taken unless others are asked for
USUAL = ("auc_last", "auc_inf_obs", "cmax", "AUClast", "AUCINF_obs", "Cmax", "AUCLST", "AUCIFO", "CMAX")
WHY = "the estimate would rest on a wrong table"


@dataclass
class Given:
    """What was read, and all that is wrong with it."""

    path: str
    findings: list[Finding] = field(default_factory=list)
    studies: list[Study] = field(default_factory=list)

    def say(self, rule: str, what: str, fix: str, severity: str = "error", why: str = WHY, **place: Any) -> None:
        """One finding more."""
        finding = Finding.create(f"be.{rule}", self.path, what, why, fix, severity=severity, **place)
        if finding not in self.findings:  # every endpoint looks at the same names
            self.findings.append(finding)


def read_studies(
    path: str, endpoints: Sequence[str] = (), reference: str = "", given: dict[str, str] | None = None,
    logarithms: bool = False,
) -> Given:  # fmt: skip
    """Read a table. ``endpoints``: columns (or parameters of a long table); ``reference``: name of the reference;
    ``given``: role -> column where the names are unusual; ``logarithms``: the values are logarithms already.
    """
    out = Given(path)
    cells, found = read_cells(path)
    out.findings += found
    if cells is None:
        return out
    roles = {role: cells.find(names, (given or {}).get(role)) for role, names in COLUMNS.items()}
    for role, column in (given or {}).items():
        if role in roles and roles[role] is None:
            out.say("column", "is not in the table", f"columns are: {', '.join(cells.columns)}", column=column)
    if roles["treatment"] is None and roles["sequence"]:  # parallel groups: the group is the treatment
        roles["treatment"], roles["sequence"] = roles["sequence"], None
    for role in ("subject", "treatment"):
        if roles[role] is None:
            words = f"no column tells the {role}"
            out.say("column", words, f"name it {COLUMNS[role][0]}, or give --column {role}=NAME", row=cells.header)
    long = _long_columns(cells)
    chosen = _endpoints(out, cells, endpoints, roles, long)
    if has_errors(out.findings):
        return out
    labels = _treatments(out, cells, roles, reference)
    for endpoint in chosen:
        _studies(out, cells, roles, endpoint, labels, long, logarithms)
    return out


def _long_columns(cells: Cells) -> tuple[str, str] | None:
    """Columns of parameter and value, where the table is long."""
    parameter = cells.find(("parameter", "pptestcd", "endpoint"))
    value = cells.find(("value", "ppstresn", "ppstres", "pporres"))
    return (parameter, value) if parameter and value else None


def _endpoints(
    out: Given, cells: Cells, asked: Sequence[str], roles: dict[str, str | None], long: tuple[str, str] | None
) -> list[str]:
    if long:
        there = list(dict.fromkeys(cells.columns[long[0]]))
        chosen = list(asked) or [p for p in USUAL if p in there] or there
    else:
        there = [c for c in cells.columns if c not in roles.values()]
        known = [c for c in there if plain(c).startswith(VALUES)]
        logs = [c for c in there if plain(c).startswith(LOGARITHM)]
        chosen = [c for c in asked] or known or logs
    for name in asked:
        if name not in there:
            out.say("endpoint", "is not in the table", f"endpoints are: {', '.join(there)}", column=name)
    if not chosen:
        out.say("endpoint", "no column holds a PK value", "name one with --endpoint", row=cells.header)
    return chosen


def _treatments(out: Given, cells: Cells, roles: dict[str, str | None], reference: str) -> tuple[str, list[str]] | None:
    """The reference and the tests, or None with the reason as a finding."""
    column = str(roles["treatment"])
    labels = sorted({t for t in cells.columns[column] if not is_missing(t)})
    if reference and reference not in labels:
        fix = f"treatments are: {', '.join(labels)}"
        out.say("reference", "is not a treatment of the table", fix, column=column, value=reference)
        return None
    found = [t for t in labels if plain(t) in REFERENCE]
    if not reference and not found and len(labels) == 2:
        found = [t for t in labels if plain(labels[1 - labels.index(t)]) in TEST]
    chosen = reference or (found[0] if len(found) == 1 else "")
    if not chosen or len(labels) < 2:
        what = f"cannot tell the reference among the treatments {', '.join(labels) or '(none)'}"
        out.say("reference", what, "give --reference NAME; two treatments are needed", column=column)
        return None
    return chosen, [t for t in labels if t != chosen]


def _studies(
    out: Given, cells: Cells, roles: dict[str, str | None], endpoint: str, labels: tuple[str, list[str]] | None,
    long: tuple[str, str] | None, logarithms: bool,
) -> None:  # fmt: skip
    """Studies of one endpoint, one for each test."""
    rows = [i for i in range(len(cells.lines)) if not long or cells.columns[long[0]][i] == endpoint]
    column = long[1] if long else endpoint
    logs = logarithms or plain(endpoint).startswith(LOGARITHM)
    text = {role: [cells.columns[c][i] if c else "" for i in rows] for role, c in roles.items()}
    text["period"] = [_canonical(p) for p in text["period"]]
    _number_within_sequences(out, roles, text)
    _check_names(out, cells, roles, text, rows)
    values = np.full(len(rows), np.nan)
    missing = 0
    for k, i in enumerate(rows):
        cell = cells.columns[column][i]
        value = number(cell, cells.decimal_comma)
        place: dict[str, Any] = {"row": cells.lines[i], "column": column, "value": cell}
        if value is None:
            out.say("value", "is not a number", "write a number, or NA where there is none", **place)
        elif not logs and value <= 0:
            out.say("value", "is not above 0", "give the value, or NA where there is none; or --log", **place,
                    why="it has no logarithm")  # fmt: skip
        elif np.isnan(value):
            missing += 1
            out.say("missing", "there is no value", "no action needed if it was not measured", "warning",
                    "the subject counts with its other periods only", **place)  # fmt: skip
        else:
            values[k] = value if logs else np.log(value)
    if has_errors(out.findings) or labels is None:
        return
    sequence = _sequences(text, _periods(text))
    for test in labels[1]:
        pair = np.array([t in (test, labels[0]) for t in text["treatment"]])
        keep = pair & np.isfinite(values)
        names = {r: np.array(v, dtype=str)[keep] for r, v in {**text, "sequence": sequence}.items()}
        if not {test, labels[0]} <= set(names["treatment"]):
            out.say("values", f"has no values of {test} or of {labels[0]}", "give values of both", column=column)
            continue
        planned = len({s for s, p in zip(text["subject"], pair, strict=True) if p})
        lost = int(np.sum(pair & ~np.isfinite(values)))
        out.studies.append(Study(endpoint, names["subject"], names["sequence"], names["period"], names["treatment"],
                                 values[keep], test, labels[0], planned, lost))  # fmt: skip


def _number_within_sequences(out: Given, roles: dict[str, str | None], text: dict[str, list[str]]) -> None:
    """Where most subjects' numbers stand in several sequences, people were numbered anew in each: told apart."""
    of: dict[str, set[str]] = {}
    for subject, sequence in zip(text["subject"], text["sequence"], strict=True):
        of.setdefault(subject, set()).add(sequence)
    if not roles["sequence"] or 2 * sum(len(s) > 1 for s in of.values()) <= len(of):
        return
    words = "subjects' numbers begin anew in each sequence; number and sequence together are taken as the subject"
    out.say("numbers", words, "number subjects through the study if these are the same people", "warning",
            column=str(roles["subject"]))  # fmt: skip
    text["subject"] = [f"{s} ({q})" for s, q in zip(text["subject"], text["sequence"], strict=True)]


def _canonical(text: str) -> str:
    """1 and 1.0 are one period."""
    value = number(text)
    return f"{value:g}" if value is not None and np.isfinite(value) else text


def _periods(text: dict[str, list[str]]) -> list[str]:
    """Periods; a table without them has one."""
    return [p or "1" for p in text["period"]]


def _check_names(
    out: Given, cells: Cells, roles: dict[str, str | None], text: dict[str, list[str]], rows: list[int]
) -> None:
    """Names that are missing, rows that are there twice, subjects in two sequences, treatments against the sequence."""
    seen: dict[tuple[str, str], int] = {}
    of_subject: dict[str, str] = {}
    labels = {t for t in text["treatment"] if not is_missing(t)}
    for k, i in enumerate(rows):
        line = cells.lines[i]
        for role, column in roles.items():
            if column and role != "sequence" and is_missing(text[role][k]):
                out.say("name", f"the {role} is missing", "complete or remove the row", row=line, column=column)
        key = (text["subject"][k], text["period"][k])
        if key in seen:
            what = "repeats subject and period of an earlier row" if roles["period"] else "is the subject's second row"
            fix = "keep one of them" if roles["period"] else "add a column period"
            out.say("twice", what, fix, row=line, column=str(roles["subject"]), value=f"{key[0]} (line {seen[key]})")
        seen.setdefault(key, line)
        sequence = text["sequence"][k]
        if roles["sequence"] and not is_missing(sequence):
            first = of_subject.setdefault(key[0], sequence)
            if first != sequence:
                out.say("sequence", f"the subject has sequence {first} in an earlier row", "give it one sequence",
                        row=line, column=str(roles["sequence"]), value=sequence)  # fmt: skip
            wanted = _planned(sequence, key[1], labels)
            if wanted and wanted != text["treatment"][k]:
                out.say("order", f"the sequence {sequence} says {wanted} in period {key[1]}", "check which is right",
                        "warning", "the treatment as given is used", row=line, column=str(roles["treatment"]),
                        value=text["treatment"][k])  # fmt: skip


def _planned(sequence: str, period: str, labels: set[str]) -> str:
    """The treatment that a sequence written in letters plans for a period; empty where it does not say."""
    if not is_whole(period) or not set(sequence) <= labels or not 0 < int(period) <= len(sequence):
        return ""
    return sequence[int(period) - 1]


def _sequences(text: dict[str, list[str]], periods: list[str]) -> list[str]:
    """The sequences given, else the treatments that each subject got in the order of its periods; one that missed some
    has the sequence of the others that it fits, if that is one."""
    given = dict(zip(text["subject"], text["sequence"], strict=True))
    given |= {s: q for s, q in zip(text["subject"], text["sequence"], strict=True) if not is_missing(q)}
    if all(not is_missing(q) for q in given.values()):
        return [given[s] for s in text["subject"]]
    got: dict[str, dict[str, str]] = {}
    for s, p, t in zip(text["subject"], periods, text["treatment"], strict=True):
        got.setdefault(s, {})[p] = t
    full = {tuple(sorted(g.items(), key=_order)) for g in got.values() if len(g) == len(set(periods))}
    name = {}
    for s, mine in got.items():
        fitting = [f for f in full if mine.items() <= dict(f).items()]
        pattern = fitting[0] if len(fitting) == 1 else tuple(sorted(mine.items(), key=_order))
        letters = [t for _, t in pattern]
        name[s] = ("" if all(len(t) == 1 for t in letters) else "-").join(letters)
    return [name[s] for s in text["subject"]]


def _order(item: tuple[str, str]) -> tuple[float, str]:
    """Periods in the order of their numbers, else of their names."""
    value = number(item[0])
    return (float("inf") if value is None or np.isnan(value) else value, item[0])
