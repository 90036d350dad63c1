"""The mechanistic static model against published interaction studies, beside PK-Sim's predictions of the same rows.

Every row of the open table gets a prediction or the reason why not. Nothing is fitted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pharmtwin.ddi.decision import decision_table
from pharmtwin.ddi.static_basic import FDA_2020
from pharmtwin.ddi.static_inputs import Draws, perpetrator_names, perpetrators, regimens, victim, victim_names
from pharmtwin.ddi.static_mechanistic import Physiology, auc_ratio, physiology
from pharmtwin.evaluation.metrics import afe, gmfe, inside, share_within, within_guest

DRAWS, SEED = 2000, 20261121
BEGIN, END = "<!-- written by scripts/maintenance/static_ddi.py -->", "<!-- end of what is written -->"
METABOLITES = ("3-Hydroxyquinidine", "9-Hydroxyrisperidone", "Dextrorphan", "(E)-4-Hydroxyclomiphene",
               "(E)-N-Desethylclomiphene", "(E)-4-Hydroxy-N-desethylclomiphene")  # fmt: skip
NORMAL_SCORE = 2.0  # activity score of the normal metabolisers whom fm describes
#: phenotype words of the table as activity scores; "fast" metabolisers and intermediate ones of unknown score have none
PHENOTYPES = {"PM": 0.0, "NM": NORMAL_SCORE}


@dataclass(frozen=True)
class Covered:
    """How a row is predicted: victim, route, the drug's table regimen, the scale of its dose, the genotype."""

    victim: str
    oral: bool
    given_as: str
    regimen: str
    scale: float
    genotype: Mapping[str, float]
    single_dose: bool


def _dose_mg(text: str) -> float | None:
    """Last dose of a titration: "50/100" 100, "first 2, then 600" 600; None where no dose is written."""
    cleaned = text.replace("10/10/2010", "10/10/20")  # a spreadsheet made a date of Stout 2011's 10/10/20 mg
    numbers = [float(x) for x in re.findall(r"\d+(?:\.\d+)?", cleaned)]
    return numbers[-1] if numbers else None


def _score(group: str) -> float | str | None:
    """Activity score that a group's name tells (None: not a genotype group; text: named but of no known score)."""
    found = re.search(r"_(?:AS([\d.]+)|(PM|NM|IM|fastNM))$", group)
    if not found:
        return None
    return float(found[1]) if found[1] else PHENOTYPES.get(found[2], found[2])


def cover(row: Mapping[Hashable, Any]) -> Covered | str:
    """How a row of the open table is predicted, or the reason why it is not."""
    name, drug = str(row["Victim"]), str(row["Perpetrator"])
    times, told, group = (str(row[k]) for k in ("Times of Administration", "Description", "Grouping"))
    if name in METABOLITES:
        return "the victim is a metabolite: the static model has no formation term"
    if name not in victim_names():
        return f"no sourced fm of {name}"
    if drug not in perpetrator_names():
        return f"no sourced inhibition or induction constants of {drug}"
    if re.search(r"wash ?out|Week [12] after", group):
        return "observed after the perpetrator had been stopped"
    dose = _dose_mg(str(row["Dose"])) if row["Dose"] == row["Dose"] else None
    if dose is None:
        return "the table gives no dose of the perpetrator"
    score = _score(group)
    if isinstance(score, str):
        return f"genotype group {score} has no activity score"
    once = times.strip() == "0" or told.startswith("SD")
    daily = "QD" in told or "OD" in told
    choice = _regimen(drug, dose, once, daily, str(row["Route Perpetrator"]) == "IV", score)
    if choice is None:
        return f"no Cmax of {drug} in the table"
    regimen, scale = choice
    made = perpetrators(drug, regimen, scale)
    own = set(victim(name).fm)
    if not own & {e for p in made for e in p.enzymes}:
        return f"{drug} acts on none of {name}'s enzymes in the table ({', '.join(sorted(own))})"
    genotype = {} if score is None else {"CYP2D6": score / NORMAL_SCORE}
    return Covered(name, str(row["Route Victim"]) == "PO", drug, regimen, scale, genotype, once)


def _regimen(
    drug: str, dose: float, once: bool, daily: bool, intravenous: bool, score: float | None
) -> tuple[str, float] | None:
    """Nearest regimen of the table, and the dose over its dose: by route, then sd or md, then dose, then score."""
    best: tuple[tuple[float, ...], str, float] | None = None
    for order, text in enumerate(regimens(drug)):
        words = text.split()
        table_dose = float(words[0])
        tagged = next((float(w[2:]) for w in words if w.startswith("AS")), NORMAL_SCORE)
        kind = "sd" if "sd" in words else "md" if "md" in words else ""
        cost = (
            float(("IV" in words) != intravenous),
            float(kind not in ("", "sd" if once else "md")),
            abs(float(np.log(dose / table_dose))),
            abs(tagged - (NORMAL_SCORE if score is None else score)),
            float(("qd" in words) != daily) if "qd" in words else 0.5 * float(daily),
            float(order),
        )
        if best is None or cost < best[0]:
            best = (cost, text, dose / table_dose)
    return None if best is None else (best[1], best[2])


def predict(table: pd.DataFrame, body: Physiology | None = None, liver_site: str = "inlet") -> pd.DataFrame:
    """Every row with ``predicted``, ``lo``, ``hi`` (90 %), ``regimen``, ``scale`` and ``single_dose``, or a ``reason``.

    ``observed`` is the study's ratio at full digits where given, else the report's rounded one.
    """
    constants = body or physiology()
    draws = Draws(DRAWS, SEED)
    out = []
    for row in table.to_dict("records"):
        found = cover(row)
        observed = row["AUCR Avg"] if row["AUCR Avg"] == row["AUCR Avg"] else row["report_obs_aucr"]
        line = {"network": row["network"], "data_id": row["data_id"], "study": row["Study ID"], "victim": row["Victim"],
                "perpetrator": row["Perpetrator"], "route": row["Route Victim"], "observed": float(observed),
                "pksim": float(row["osp_pred_aucr"]), "reason": ""}  # fmt: skip
        if isinstance(found, str):
            out.append({**line, "reason": found})
            continue
        centre, spread = (
            auc_ratio(
                victim(found.victim, found.oral, d),
                perpetrators(found.given_as, found.regimen, found.scale, d),
                constants,
                found.genotype,
                liver_site,
            ).aucr
            for d in (Draws(), draws)
        )
        lo, hi = np.percentile(np.broadcast_to(np.asarray(spread), DRAWS), [5, 95])
        out.append({**line, "predicted": float(centre), "lo": float(lo), "hi": float(hi), "regimen": found.regimen,
                    "scale": found.scale, "single_dose": found.single_dose})  # fmt: skip
    return pd.DataFrame(out)


def accuracy(rows: pd.DataFrame, column: str = "predicted") -> dict[str, float]:
    """n, GMFE, bias, shares in 2-fold and in Guest's limits (delta 1 and 1.25) of ``column`` on covered rows."""
    pred, obs = rows[column].to_numpy(float), rows["observed"].to_numpy(float)
    return {
        "n": len(rows),
        "GMFE": gmfe(pred, obs),
        "AFE": afe(pred, obs),
        "2-fold": share_within(pred, obs, 2),
        "Guest d=1": float(within_guest(pred, obs).mean()),
        "Guest d=1.25": float(within_guest(pred, obs, 1.25).mean()),
    }


def subsets(covered: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Groups that the page reports; made from the rows' descriptions, never from their errors."""
    md, oral = ~covered["single_dose"].astype(bool), covered["route"] == "PO"
    out = {"all covered": covered}
    for network in sorted(set(covered["network"])):
        here = covered["network"] == network
        out[network] = covered[here]
        out[f"{network}, oral victim, repeated doses"] = covered[here & oral & md]
        out[f"{network}, intravenous victim"] = covered[here & ~oral]
    out |= {f"by {p}": g for p, g in covered.groupby("perpetrator")}
    return {name: rows for name, rows in out.items() if len(rows)}


def summary(rows: pd.DataFrame) -> str:
    """The page's tables: coverage, reasons, accuracy beside PK-Sim, coverage of the intervals."""
    covered = rows[rows["reason"] == ""]
    lines = ["### Coverage", ""]
    for network, here in rows.groupby("network"):
        n = int((here["reason"] == "").sum())
        lines.append(f"* {network}: {n} of {len(here)} rows predicted ({n / len(here):.0%}).")
    lines += ["", "| not predicted because | rows |", "|---|---|"]
    lines += [f"| {reason} | {n} |" for reason, n in Counter(rows.loc[rows["reason"] != "", "reason"]).most_common()]
    lines += ["", "### AUC ratios", "",
              "| rows | n | GMFE static | GMFE PK-Sim | bias static | 2-fold static | 2-fold PK-Sim"
              " | Guest static (d 1 / 1.25) | Guest PK-Sim (d 1 / 1.25) |",
              "|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for name, group in subsets(covered).items():
        ours, theirs = accuracy(group), accuracy(group, "pksim")
        lines.append(
            f"| {name} | {ours['n']} | {ours['GMFE']:.2f} | {theirs['GMFE']:.2f} | {ours['AFE']:.2f}"
            f" | {ours['2-fold']:.0%} | {theirs['2-fold']:.0%} | {ours['Guest d=1']:.0%} / {ours['Guest d=1.25']:.0%}"
            f" | {theirs['Guest d=1']:.0%} / {theirs['Guest d=1.25']:.0%} |"
        )
    hits = inside(covered["observed"], covered["lo"], covered["hi"])
    lines += [
        "",
        f"90 % intervals hold {hits.mean():.0%} of the {len(covered)} observed ratios ({DRAWS} draws, seed {SEED}).",
    ]
    return "\n".join(lines)


def worked_tables() -> str:
    """The decision table of two drugs, M12's verdict beside FDA 2020's where that has the limit."""
    body, lines = physiology(), []
    for drug, regimen, objects in (("Rifampicin", "600 mg", ("Midazolam", "Repaglinide", "Tizanidine")),
                                   ("Clarithromycin", "500 mg md", ("Midazolam", "Desipramine"))):  # fmt: skip
        made, victims = perpetrators(drug, regimen), [victim(name) for name in objects]
        there = {(r.drug, r.model, r.target): r for r in decision_table(made, body, framework=FDA_2020)}
        lines += [f"### {drug}, {regimen.removesuffix(' md')}" + (", repeated" if regimen.endswith("md") else ""), "",
                  "| model | target | I, umol/L | value | flagged if | ICH M12 | FDA 2020 | section of M12 |",
                  "|---|---|---|---|---|---|---|---|"]  # fmt: skip
        for row in decision_table(made, body, victims):
            other = there.get((row.drug, row.model, row.target))
            fda = "" if other is None or other.ratio is None else f"{other.verdict} ({other.ratio:.3g} {other.limit})"
            site = "" if row.concentration_umol_per_l is None else f"{row.concentration_umol_per_l:.3g}"
            value = row.note if row.ratio is None else f"{row.ratio:.3g}"
            where = "transporters" if "transporters" in row.section else row.section
            lines.append(
                f"| {row.model} | {row.target} | {site} | {value} | {row.limit} | {row.verdict} | {fda} | {where} |"
            )
        lines.append("")
    return "\n".join(lines)


def report(table: pd.DataFrame) -> str:
    """Everything that the page holds between its marks."""
    rows = predict(table)
    covered = rows[rows["reason"] == ""]
    systemic = predict(table, liver_site="systemic")
    other = systemic[systemic["reason"] == ""]
    lines = ["| liver concentration | n | GMFE | bias | 2-fold | Guest (d 1 / 1.25) |", "|---|---|---|---|---|---|"]
    for name, group in (("inlet, unbound (ICH M12)", covered), ("systemic, unbound (for comparison)", other)):
        a = accuracy(group)
        lines.append(f"| {name} | {a['n']} | {a['GMFE']:.2f} | {a['AFE']:.2f} | {a['2-fold']:.0%}"
                     f" | {a['Guest d=1']:.0%} / {a['Guest d=1.25']:.0%} |")  # fmt: skip
    return "\n".join(["## Decision tables", "", worked_tables(), "## Accuracy", "", summary(rows), "",
                      "### Which concentration at the liver", "", *lines])  # fmt: skip


def write(text: str, page: Path) -> None:
    """Replace what lies between the page's marks; raises ValueError if a mark is missing."""
    head, opened, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, closed, tail = rest.partition(END)
    if not (opened and closed):
        raise ValueError(f"{page} has lost its marks {BEGIN} {END}")
    page.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}", encoding="utf-8")


def read_open_rows(path: Path) -> pd.DataFrame:
    """The open table of published and PK-Sim-predicted ratios (CSV); raises FileNotFoundError."""
    return pd.read_csv(path, dtype={"Dose": "string", "Times of Administration": "string", "Description": "string"})
