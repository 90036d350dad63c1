"""The answer in plain sentences: which model predicts best, by how much, how surely."""

from __future__ import annotations

import pandas as pd

from pharmtwin.evaluation.accuracy import kept_aside

SPOKEN = {
    "population": "the population model (no patient data)",
    "covariates": "the covariate model (genotype and body)",
    "twin": "the twin (genotype, body and the patient's own concentrations)",
}


def _join(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 2 else parts)


def _short(model: str) -> str:
    return SPOKEN.get(model, model).split(" (")[0]


def _figure(row: pd.Series) -> str:
    if pd.isna(row["lo95"]) or pd.isna(row["hi95"]):
        return f"{row['value']:.2f} (too few subjects for an interval)"
    return f"{row['value']:.2f} ({row['lo95']:.2f} to {row['hi95']:.2f})"


def _paired(best: str, other: str, table: pd.DataFrame) -> pd.Series | None:
    """GMFE of ``best`` divided by that of ``other`` on the same pairs, with interval; None if never paired."""
    for model, reference in ((best, other), (other, best)):
        rows = table[(table["model"] == model) & (table["metric"] == f"GMFE_ratio_to_{reference}")]
        if rows.empty:
            continue
        ratio = rows.iloc[0][["value", "lo95", "hi95"]].astype(float)
        if model == best:
            return ratio
        return pd.Series({"value": 1 / ratio["value"], "lo95": 1 / ratio["hi95"], "hi95": 1 / ratio["lo95"]})
    return None


def verdict(accuracy: pd.DataFrame | None, data_kind: str) -> str:
    """Plain sentences for the report: the model with the lowest GMFE on the troughs kept aside, whichever it is.

    Differences are judged by the paired ratio of GMFE over the same samples (its 95 % interval below 1),
    not by whether separate intervals overlap.
    """
    name = kept_aside(data_kind)
    if accuracy is None or accuracy.empty or not (accuracy["data_set"] == name).any():
        return "No concentrations were kept aside, so this run does not show how well it predicts new ones."
    table = accuracy[accuracy["data_set"] == name]
    gmfe = table[table["metric"] == "GMFE"].set_index("model").sort_values("value", kind="stable")
    best, rest = str(gmfe.index[0]), [str(m) for m in gmfe.index[1:]]
    first = f"{SPOKEN.get(best, best)} has the lowest error: GMFE {_figure(gmfe.iloc[0])}, 95 % interval in brackets"
    text = f"On {int(gmfe.iloc[0]['n'])} {name}, {first}"
    if rest:
        text += "; " + _join(
            [f"{_short(m)} {_figure(table[(table['model'] == m) & (table['metric'] == 'GMFE')].iloc[0])}" for m in rest]
        )
    text += "."
    missing = {str(m): int(n) for m, n in gmfe["n_missing"].items() if n}
    if missing:
        said = [f"{n} by {_short(m)}" for m, n in missing.items()]
        text += f" Not predicted, and not counted: {_join(said)}."
    paired = {m: ratio for m in rest if (ratio := _paired(best, m, table)) is not None}
    if paired:
        said = [f"{_figure(ratio)} times that of {_short(m)}" for m, ratio in paired.items()]
        text += f" Paired over the same samples, its GMFE is {_join(said)}."
    unsettled = [_short(m) for m, ratio in paired.items() if not ratio["hi95"] < 1]
    if unsettled:
        text += f" These data do not separate it from {_join(unsettled)}."
    if "twin" in rest:
        text += " The patient's own concentrations brought no gain here."
    return text
