"""What the analysis says in words: what to measure next, what may be fixed, and how far the indices can be trusted.

A first-order index is the share of the variance that would go, on average, if the input were known; that is what a
measurement is worth. An input may be fixed where the upper end of its total index is below :data:`NEGLIGIBLE`, in
every output, or where Morris screened it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from pharmtwin.facts import fact_table
from pharmtwin.sensitivity.study import Estimate, Settings
from pharmtwin.sensitivity.subject import Subject
from pharmtwin.tables import records, schema
from pharmtwin.uncertainty.inputs import DUMMY

NEGLIGIBLE = 0.01
#: first-order shares below this are not worth a measurement of their own
WORTH = 0.05
MOST = 8
TABLE = "sensitivity/measurements.tsv"
#: topic, output, input, text
Sentence = tuple[str, str, str, str]


def how_to_learn(name: str, kind: str) -> str:
    """How an input can become known: the row with the longest beginning that fits, else that of its kind."""
    table = fact_table(TABLE)
    fitting = [r for r in records(table) if str(r.begins) and name.startswith(str(r.begins))]
    fitting = fitting or [r for r in records(table) if str(r.begins) == f"kind:{kind}"]
    return str(max(fitting, key=lambda r: len(str(r.begins))).how)


def advice(
    subject: Subject, tables: Mapping[str, pd.DataFrame], last: Estimate, settings: Settings, repaired: int
) -> pd.DataFrame:
    """Table ``sensitivity_advice``."""
    rows: list[Sentence] = []
    sobol = tables["sobol"]
    units = {i.group or i.name: i for i in subject.inputs}
    real = sobol[sobol["input"] != DUMMY]
    rows += _measure(real, {n: how_to_learn(n, i.kind) for n, i in units.items()})
    for o in subject.outputs:
        rows += _together(o.name, real[real["output"] == o.name])
    rows += _fix(sobol, tables["sensitivity_inputs"])
    rows += _trust(subject, sobol, last, settings, repaired)
    numbered = [(rank, *row) for rank, row in enumerate(rows, start=1)]
    return pd.DataFrame(numbered, columns=schema("sensitivity_advice").names)


def _measure(real: pd.DataFrame, how: Mapping[str, str]) -> list[Sentence]:
    """A sentence an input, the most rewarding first: what knowing it would take away of which outputs."""
    rows: list[Sentence] = []
    worth = real[real["S1"] >= WORTH]
    best = worth.groupby("input")["S1"].max().reset_index().sort_values(["S1", "input"], ascending=[False, True])
    for name in best["input"].astype(str).head(MOST):
        shares = [
            f"{_percent(r.S1)} ({_percent(r.S1_lo)} to {_percent(r.S1_hi)}) of "
            f"{'ln ' if r.scale == 'ln' else ''}{r.output} (ST {_percent(r.ST)})"
            for r in records(worth[worth["input"] == name])
        ]
        outputs = "; ".join(worth.loc[worth["input"] == name, "output"].astype(str))
        text = f"{name}: knowing it would on average take away of the variance: {', '.join(shares)}. {how[name]}"
        rows.append(("measure", outputs, name, text))
    return rows


def _together(output: str, mine: pd.DataFrame) -> list[Sentence]:
    """Inputs that act to a good part in interactions."""
    found = mine[(mine["ST_lo"] - mine["S1_hi"]) > WORTH].sort_values(["ST", "input"], ascending=[False, True])
    if found.empty:
        return []
    named = ", ".join(f"{r.input} (S1 {r.S1:.2f}, ST {r.ST:.2f})" for r in records(found))
    text = f"{output}: {named} act to a good part together with other inputs; knowing one alone tells less than ST."
    return [("interaction", output, "; ".join(found["input"].astype(str)), text)]


def _fix(sobol: pd.DataFrame, inputs: pd.DataFrame) -> list[Sentence]:
    rows = []
    top = sobol[sobol["input"] != DUMMY].groupby("input", sort=True)["ST_hi"].max()
    small = [str(n) for n in top[top < NEGLIGIBLE].index]
    if small:
        text = f"{_list(small)}: total share below {_percent(NEGLIGIBLE)} in every output, whole interval included."
        rows.append(("fix", "", "; ".join(small), text))
    out = inputs[inputs["fate"] == "screened out"]
    if len(out):
        names = list(dict.fromkeys(out["varied_as"].astype(str)))
        text = f"{_list(names)}: {len(out)} inputs that Morris screened out; kept at their median in Sobol."
        rows.append(("fix", "", "; ".join(names), text))
    return rows


def _trust(subject: Subject, sobol: pd.DataFrame, last: Estimate, settings: Settings, repaired: int) -> list[Sentence]:
    half, rows = last.half_width, []
    verdict = "narrow enough" if half <= settings.target else (
        f"wider than asked for: the budget of N = {settings.sizes[-1]} base blocks ended; raise max_base"
    )  # fmt: skip
    rows.append(("precision", "", "", f"N = {last.n}: half of the widest 95 % interval is {half:.3f} (asked for "
                 f"{settings.target:g}): {verdict}."))  # fmt: skip
    for name in last.constant:
        rows.append(("precision", name, "", f"{name} does not vary with any input and has no indices."))
    if repaired:
        rows.append(("failures", "", "", f"{repaired} runs failed with the fast engine and were solved by CVODE."))
    lost = sobol.groupby("output", sort=True)[["n_failed", "n_left_out"]].max()
    for r in records(lost[lost["n_left_out"] > 0].reset_index()):
        rows.append(("failures", str(r.output), "", f"{r.output}: {r.n_failed} runs without a value; their "
                     f"{r.n_left_out} base blocks left out as a whole (failed solves: solver_check)."))  # fmt: skip
    noisy = sobol[(sobol["input"] == DUMMY) & (sobol["ST"] > NEGLIGIBLE)]
    for r in records(noisy):
        rows.append(("failures", str(r.output), DUMMY, f"the dummy has ST {r.ST:.3f} for {r.output}: runs are not "
                     "reproducible, no index can be trusted."))  # fmt: skip
    return rows


def _percent(x: float) -> str:
    return f"{100 * x:.2g} %" if abs(x) < 0.1 else f"{100 * x:.0f} %"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)
