"""The page of two runs: verdict, exposures beside each other, distances by table, outputs and environments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.files import write_text
from pharmtwin.provenance import compare as c
from pharmtwin.provenance.agreement import Agreement
from pharmtwin.provenance.equivalence import LIMITS, METRICS, paired
from pharmtwin.provenance.largest import largest_differences
from pharmtwin.provenance.verify import Recorded
from pharmtwin.report.blocks import (
    Alert,
    Block,
    Bullets,
    Cell,
    Chart,
    Page,
    Panel,
    Paragraph,
    Section,
    Table,
    Tile,
    Tiles,
)
from pharmtwin.report.figures import MUTED, STYLE, axis, limits_of, line, points
from pharmtwin.report.render import render, templates
from pharmtwin.report.words import NONE, count, interval, model, number, plural, without_folders
from pharmtwin.tables import records
from pharmtwin.tables.spreadsheet import tsv

#: files in the folder of the page: itself, and the numbers of its figures and of its table of distances
PAGE, EXPOSURES, TABLES = "index.html", "exposures.tsv", "tables.tsv"
#: values drawn of a model in a panel; of more, every k-th in the order of the ratio, the furthest always among them
MAX_POINTS = 1000
PARTS = {"inputs": "Inputs", "facts": "Resource tables", "code": "Code modules", "config": "Settings",
         "software": "Packages that compute", "study": "Study", "data_kind": "Kind of data",
         "solver": "Compiled model", "packages": "All packages"}  # fmt: skip
CLASS = {"system": "System", "libc": "C library", "processor": "Processor",
         "processor_features": "Processor features (hash)", "python": "Python, minor version",
         "kernels": "Numerical kernels"}  # fmt: skip
LOCK = "requirements.lock"
DATA_KINDS = ("real", "mixed", "synthetic")  # the one that asks most care first
FOOTER = "For research use only; not a medical device. Host and user of a run are not shown; its run.json has them."


def exposure_table(tost: pd.DataFrame, limits: tuple[float, float] = LIMITS) -> Table:
    """The table of :func:`pharmtwin.provenance.equivalence.tost_table` for readers; no row is left out."""
    rows = []
    for r in records(tost):
        unpaired = int(r.only_reference) + int(r.only_test)
        head = [str(r.scenario), str(r.model), str(r.metric), count(r.n), count(unpaired)]
        if r.reason:
            rows.append([*head, NONE, NONE, f"not tested: {r.reason}"])
            continue
        said = "equivalent" if r.equivalent else "NOT shown equivalent"
        rows.append([*head, interval(r.ratio, r.lo90, r.hi90), number(r.largest), said])
    header = ["Scenario", "Model", "Metric", "Pairs", "Without pair", "Ratio of geometric means (90 %)"]
    header += ["Furthest twin", "TOST"]
    low, high = limits
    note = f"Second run over first; pairs are twins; limits {low:.2f} to {high:.2f}; the ratio furthest from 1."
    return Table.create("Exposure of two runs", header, rows, text=(0, 1, 2, 7), note=note, limit=len(rows))


# ---------------------------------------------------------------- verdict


def _verdict(found: Agreement, changed: Sequence[str]) -> list[Block]:
    """What the comparison says, in words, the gravest first."""
    total = len(found.one.manifest["outputs"])
    out: list[Block] = []
    if changed:
        text = f"{plural(len(changed), 'file')}: {changed[0]}"
        text += f"; and {plural(len(changed) - 1, 'more', 'more')}." if len(changed) > 1 else "."
        out.append(Alert("bad", "Not as the manifest says", text + " The comparison below goes by the manifests."))
    if found.byte_equal:
        text = f"{plural(total, 'output')}, inputs, resource tables, code, settings and packages are the same."
        out.append(Alert("good", "Byte-equal", text))
        return out
    parts = [*dict.fromkeys(PARTS[d.part].lower() for d in given_differences(found))]
    unlike = f"{plural(len(found.outputs), 'output differs', 'outputs differ')} ({count(total)} in the first run)."
    if found.same_names and not found.differing:
        text = "Every result is byte-equal; what differs describes the run or was given to it"
        text += f": {', '.join(parts)}." if parts else "."
        out.append(Alert("good" if not found.given else "warn", "Results byte-equal", text))
    elif found.within:
        text = f"{unlike} All lie within resources/rerun_tolerance.tsv, which another machine class allows."
        out.append(Alert("good", "Agree within tolerance", text))
    elif found.given:
        text = f"{unlike} The runs were not made of the same: {', '.join(parts)}. Equal bytes cannot be expected; the "
        out.append(Alert("warn", "Not byte-equal", text + "equivalence of the exposures is what counts."))
    else:
        text = f"{unlike} The runs were made of the same inputs, code, settings and packages"
        text += ", and some results lie outside of their tolerance." if found.classes else (
            " on the same machine class: equal bytes are demanded.")  # fmt: skip
        out.append(Alert("bad", "Not byte-equal", text))
    return out


def _equivalence(found: Agreement) -> Alert:
    low, high = found.limits
    tested = found.tost[found.tost["reason"] == ""]
    if tested.empty:
        why = "neither run has an exposure" if found.tost.empty else "no comparison has two pairs above 0"
        return Alert("warn", "Equivalence of exposures not tested", f"{why[0].upper()}{why[1:]}.")
    good, untested = int(tested["equivalent"].sum()), len(found.tost) - len(tested)
    single = int(found.tost[["only_reference", "only_test"]].to_numpy().sum())
    text = f"{count(good)} of {plural(len(tested), 'comparison')} equivalent by two one-sided tests, limits {low:g} to "
    text += f"{high:g}" + (f"; {count(untested)} not tested, with fewer than two pairs" if untested else "")
    text += f"; {plural(single, 'value')} in one run only." if single else "."
    level = "bad" if good < len(tested) else "warn" if single else "good"
    return Alert(level, "Exposures equivalent" if level == "good" else "Exposures", text)


def _tiles(found: Agreement, pairs: pd.DataFrame, tables: pd.DataFrame) -> Tiles:
    both = {e["path"] for e in found.one.manifest["outputs"]} & {e["path"] for e in found.other.manifest["outputs"]}
    equal = len(both) - len(c.differing_files(found.one, found.other, "outputs"))
    items = [Tile(f"{count(equal)} of {count(len(both))}", "common outputs byte-equal",
                  "good" if equal == len(both) else "warn")]  # fmt: skip
    for metric in METRICS:
        apart = pairs.loc[(pairs["metric"] == metric) & pairs["percent"].notna(), "percent"].abs()
        items.append(Tile(f"{number(apart.max())} %" if len(apart) else NONE, f"largest difference of {metric}"))
    far = tables["largest"].max()
    items.append(Tile(number(far), "largest relative difference of a table"))
    return Tiles(tuple(items))


# ---------------------------------------------------------------- exposures


def _thinned(part: pd.DataFrame) -> pd.DataFrame:
    """At most about :data:`MAX_POINTS` rows over the whole range of ratios, both ends kept."""
    if len(part) <= MAX_POINTS:
        return part
    ordered = part.sort_values("ratio", kind="stable")
    step = -(-len(ordered) // MAX_POINTS)
    kept = {*range(0, len(ordered), step), len(ordered) - 1}
    return ordered.iloc[sorted(kept)]


def _limit_lines(x: tuple[float, float], ends: Sequence[tuple[tuple[float, float], str, str]]) -> list[dict[str, Any]]:
    """Straight lines between two x: ends in y, name, dash; a name stands in the legend once."""
    out, seen = [], set[str]()
    for y, name, dash in ends:
        trace = line(x, y, name, MUTED, dash) | {"showlegend": name not in seen, "hoverinfo": "skip"}
        trace["line"] = {"color": MUTED, "dash": dash, "width": 1.1}
        seen.add(name)
        out.append(trace)
    return out


def _models(part: pd.DataFrame, y: str) -> list[dict[str, Any]]:
    traces = []
    for name in (m for m in ("population", "covariates", "twin") if (part["model"] == m).any()):
        mine, style = _thinned(part[part["model"] == name]), STYLE[name]
        hover = [f"{r.twin_id}, {r.scenario}: {r.percent:+.3g} %" for r in records(mine)]
        traces.append(points(mine["median_r"], mine[y], model(name), style["colour"], style["symbol"], text=hover,
                             size=7, opacity=0.85))  # fmt: skip
    return traces


def _panels(good: pd.DataFrame, limits: tuple[float, float]) -> tuple[tuple[Panel, ...], tuple[Panel, ...]]:
    """Second against first run, and the difference in % against the first, a panel a metric."""
    low, high = limits
    told, (below, above) = f"limits {low:g} and {high:g}", (100 * (low - 1), 100 * (high - 1))
    identity, apart = [], []
    for metric in (m for m in METRICS if (good["metric"] == m).any()):
        part = good[good["metric"] == metric]
        unit = str(part["unit_r"].iloc[0])
        span = limits_of(part["median_r"], part["median_t"])
        ends = [(span, "identity", "solid"), *(((span[0] * f, span[1] * f), told, "dash") for f in limits)]
        reach = [float(np.log10(v)) for v in span]
        layout = {"xaxis": axis(f"{metric}, first run ({unit})", log=True, range=reach),
                  "yaxis": axis(f"{metric}, second run ({unit})", log=True, range=reach)}  # fmt: skip
        identity.append(Panel(metric, (*_limit_lines(span, ends), *_models(part, "median_t")), layout))
        flat = [((0.0, 0.0), "identity", "solid"), *(((v, v), told, "dash") for v in (below, above))]
        layout = {"xaxis": axis(f"{metric}, first run ({unit})", log=True, range=reach),
                  "yaxis": axis(f"Difference of {metric} (%)")}  # fmt: skip
        apart.append(Panel(metric, (*_limit_lines(span, flat), *_models(part, "percent")), layout))
    return tuple(identity), tuple(apart)


def _charts(pairs: pd.DataFrame, limits: tuple[float, float]) -> list[Block]:
    good = pairs[pairs["ratio"].notna()]
    if good.empty:
        return [Paragraph("No exposure above 0 stands in both runs: nothing to draw.", "missing")]
    identity, apart = _panels(good, limits)
    order = good.assign(size=np.log(good["ratio"]).abs()).sort_values("size", ascending=False, kind="stable")
    header = ["Twin", "Scenario", "Model", "Metric", "Unit", "First run", "Second run", "Difference (%)"]
    rows = [[r.twin_id, r.scenario, model(r.model), r.metric, r.unit_r, number(r.median_r, 6), number(r.median_t, 6),
             number(r.percent)] for r in records(order)]  # fmt: skip
    note = "Medians of the last dosing interval; the furthest apart first."
    table = Table.create("Exposures of both runs", header, rows, text=(0, 1, 2, 3, 4), note=note, file=EXPOSURES)
    far = order.iloc[0]
    lone = len(pairs) - len(good)
    said = f"{plural(len(good), 'pair')}; the furthest apart: {far['twin_id']}, {far['scenario']}, {far['metric']}, "
    said += f"{number(far['percent'])} %."
    caption = f"{said} Numbers in full precision: {EXPOSURES}."
    if lone:
        caption += f" {plural(lone, 'value')} without a pair above 0 {'is' if lone == 1 else 'are'} not drawn."
    per_model = good.groupby(["metric", "model"]).size().max()
    if per_model > MAX_POINTS:
        caption += (
            f" Drawn: of each model about {count(MAX_POINTS)} over the whole range of ratios, both ends among them."
        )
    names = " and ".join(p.label for p in identity)
    return [
        Chart("identity", f"{names}, second run against first", f"Identity plot of {names}: {said}", identity, table,
              caption=caption, height=380, width=320),
        Chart("difference", f"Difference of {names} in per cent", f"Differences of {names} in %: {said}", apart, table,
              caption="Second run over first, less 1.", height=320, width=320),
    ]  # fmt: skip


# ---------------------------------------------------------------- tables, outputs, environment


def _distances(found: Agreement, tables: pd.DataFrame) -> Section:
    differ = tables[tables["differ"] > 0]
    equal = int((tables["differ"] == 0).sum())
    blocks: list[Block] = []
    if equal:
        blocks.append(Paragraph(f"{plural(equal, 'table is', 'tables are')} byte-equal in all files."))
    rows: list[list[Cell | str]] = []
    for r in records(differ):
        nothing = r.largest != r.largest
        values = "" if nothing else f"{number(r.first, 6)} and {number(r.second, 6)}"
        where = NONE if nothing else Cell(f"{r.column}, row {count(r.row)}: {values}", sub=str(r.file))
        files, counts = f"{count(r.differ)} of {count(r.files)}", (count(n) for n in (r.numbers, r.unmatched, r.texts))
        rows.append([Cell(r.table, sub=r.reason), files, number(r.largest), where, *counts])
    if rows:
        header = ["Table", "Files that differ", "Largest relative difference", "Where: first and second", "Numbers",
                  "In one run only", "Other texts"]  # fmt: skip
        note = "Relative to the larger absolute value, 0 to 2; rows in file order. Draws of a sampler differ wherever "
        note += f"one bit before them does. Under a table: what of it could not be compared. In full: {TABLES}."
        blocks.append(Table.create("Largest relative difference by table", header, rows, text=(0, 3), note=note,
                                   file=TABLES))  # fmt: skip
    if not len(tables):
        blocks.append(Paragraph("The runs have no table in common.", "missing"))
    if found.problems:
        words, note = (
            [[p] for p in found.problems],
            "By resources/rerun_tolerance.tsv: it holds between machine classes.",
        )
        blocks.append(Table.create("Outside of tolerance", ["File, column, how far"], words, note=note, folded=True))
    elif found.judged:
        blocks.append(Paragraph("All results that differ lie within resources/rerun_tolerance.tsv."))
    skipped = [[s] for j in found.judged for s in j.skipped]
    if skipped:
        blocks.append(Table.create("Not compared by tolerance", ["What and why"], skipped, folded=True))
    return Section("tables", "How far the tables lie apart", tuple(blocks))


def _outputs(found: Agreement) -> Section:
    title = "Outputs that are not byte-equal"
    differ = c.file_differences(found.one, found.other, "outputs")
    if not differ:
        n = len(found.one.manifest["outputs"])
        return Section("outputs", title, (Paragraph(f"None: all {plural(n, 'output')} have equal bytes."),))
    rows: list[list[Cell | str]] = []
    for d in differ:
        lone = "second" if d.first == c.ABSENT else "first" if d.second == c.ABSENT else ""
        state = Cell(f"only in the {lone} run", badge="bad") if lone else Cell("other bytes", badge="warn")
        rows.append([d.name, state, d.first, d.second])
    header = ["Output", "State", "First run (sha256)", "Second run (sha256)"]
    note = "The first 12 digits of the hash; the manifests have all."
    table = Table.create(title, header, rows, text=range(4), note=note, folded=len(rows) > 20)
    return Section("outputs", title, (table,))


def given_differences(found: Agreement) -> list[c.Difference]:
    """What the runs were not given alike: files, settings, versions and packages."""
    pair = found.one, found.other
    files = [d for section in c.GIVEN for d in c.file_differences(*pair, section)]
    return [*files, *c.value_differences(*pair), *c.package_differences(*pair)]


def _facts_of(run: Recorded) -> dict[str, str]:
    """What a run says of its environment, by name; what it does not say is left out."""
    made, told = run.manifest, run.run
    lock = [e["sha256"][:12] for e in made["code"] if e["path"] == LOCK]
    git = told.get("git", {})
    changed = f", {plural(int(git['changed_files']), 'changed file')}" if git.get("changed_files") else ""
    out = {
        "Finished": str(told.get("finished", "")),
        "PharmTwin": str(made.get("software", {}).get("pharmtwin", "")),
        "Git commit": f"{git['commit'][:12]}{changed}" if git.get("commit") else "",
        f"Lock ({LOCK}, sha256)": ", ".join(lock),
        "Python": str(told.get("python", "")),
        "Platform": str(told.get("platform", "")),
        **{name: str(told.get("machine_class", {}).get(key, "")) for key, name in CLASS.items()},
        "Installed packages": count(len(bill)) if (bill := c.packages(run.folder)) else "",
        "Code modules": count(len(made["code"])),
        "Resource tables": count(len(made["facts"])),
        "Inputs": count(len(made["inputs"])),
        "Outputs": count(len(made["outputs"])),
        "Cores": str(told.get("cores") or ""),
        "CPU time of the jobs (s)": number(told["cpu_seconds"]) if "cpu_seconds" in told else "",
    }
    return {k: v for k, v in out.items() if v}


#: what may differ between equal runs
FREE = ("Finished", "Cores", "CPU time of the jobs (s)", "Git commit")


def _environment(found: Agreement) -> Section:
    first, second = _facts_of(found.one), _facts_of(found.other)
    rows: list[list[Cell | str]] = []
    for name in [*first, *(k for k in second if k not in first)]:
        a, b = (f.get(name, "not recorded") for f in (first, second))
        state = Cell("the same") if a == b else Cell("differs", badge="" if name in FREE else "warn")
        rows.append([name, a, b, state])
    header = ["Of the run", "First run", "Second run", "Compared"]
    note = "Finished, cores, CPU time and commit may differ between equal runs."
    blocks: list[Block] = [Table.create("Environment", header, rows, text=range(3), note=note)]
    differ = given_differences(found)
    if not differ:
        same = "Inputs, resource tables, code modules, settings and packages are the same in both runs."
        return Section("environment", "Environment of both runs", (*blocks, Paragraph(same)))
    counts = {p: sum(d.part == p for d in differ) for p in PARTS}
    blocks.append(Bullets(tuple(f"{PARTS[p]}: {plural(n, 'difference')}" for p, n in counts.items() if n)))
    rows = [[PARTS[d.part], d.name, *(without_folders(v) for v in (d.first, d.second))] for d in differ]
    header = ["Part", "Name", "First run", "Second run"]
    note = "Files by the first 12 digits of their sha256."
    blocks.append(Table.create("What the runs were not given alike", header, rows, text=range(4), note=note,
                               folded=len(rows) > 20, limit=len(rows)))  # fmt: skip
    return Section("environment", "Environment of both runs", tuple(blocks))


def comparison_page(
    found: Agreement, pairs: pd.DataFrame, tables: pd.DataFrame, changed: Sequence[str] = (), fresh: bool = False
) -> Page:
    """The page of two runs.

    Parameters
    ----------
    pairs, tables : of :func:`pharmtwin.provenance.equivalence.paired` and
        :func:`pharmtwin.provenance.largest.largest_differences`.
    changed : files that are not as their manifest says, in words.
    fresh : whether the second run is the first one run afresh.
    """
    studies = list(dict.fromkeys(str(r.manifest["study"]) for r in (found.one, found.other)))
    kinds = {str(r.manifest["data_kind"]) for r in (found.one, found.other)}
    who = "Second run: the same study run afresh." if fresh else "First and second run as they were named."
    release = [str(r.manifest.get("software", {}).get("pharmtwin", "unknown")) for r in (found.one, found.other)]
    top = (
        *_verdict(found, changed),
        _equivalence(found),
        Paragraph(f"{who} PharmTwin {release[0]} and {release[1]}.", "small"),
        _tiles(found, pairs, tables),
    )
    exposure = [*_charts(pairs, found.limits)]
    if len(found.tost):
        exposure.append(exposure_table(found.tost, found.limits))
    return Page(
        title=f"Two runs compared, {' and '.join(studies)}",
        heading="Run and rerun compared" if fresh else "Two runs compared",
        subheading=f"study {' and '.join(studies)}",
        data_kind=next(k for k in DATA_KINDS if k in kinds),
        top=top,
        sections=(
            Section("exposure", "Exposure", tuple(exposure)),
            _distances(found, tables),
            _outputs(found),
            _environment(found),
        ),
        footer=FOOTER,
    )


def write_page(found: Agreement, folder: Path, changed: Sequence[str] = (), fresh: bool = False) -> Path:
    """Write the page and the numbers of its figures (TSV) to ``folder``; the page's path. Raises OSError."""
    pairs, tables = paired(*found.exposures), largest_differences(found.one, found.other)
    page = comparison_page(found, pairs, tables, changed, fresh)
    write_text(folder / EXPOSURES, tsv(pairs))
    write_text(folder / TABLES, tsv(tables))
    write_text(folder / PAGE, render(page, templates()))
    return folder / PAGE
