"""All figures of a study: predicted and goodness of fit apart, model beside model, and by groups of people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from pharmtwin.evaluation.accuracy import STUDY_MODELS, DataSet, accuracy, published_sets, study_sets
from pharmtwin.evaluation.catalogue import EVENTS, VALUES, Figure
from pharmtwin.evaluation.fairness import by_group
from pharmtwin.evaluation.figures import evaluate
from pharmtwin.tables import conform, schema

CONCENTRATION = "ng/mL"
AREA = "ng*h/mL"
#: figures of groups: error, bias, and whether intervals hold what they say
IN_GROUPS = ("GMFE", "AFE", "within_2_fold", "MPE", "relative_RMSE", "coverage", "width", "CRPS")


@dataclass(frozen=True)
class Given:
    """What is evaluated; tables by their schema, empty where there are none.

    ``people``: as of :func:`pharmtwin.evaluation.people.people`; ``kind``: synthetic or real; ``seed``: master seed.
    """

    predictions: pd.DataFrame
    scores: pd.DataFrame
    exceedance: pd.DataFrame
    published: pd.DataFrame
    people: pd.DataFrame
    kind: str
    seed: int


def columns_of(pairs: pd.DataFrame, bands: bool = True) -> pd.DataFrame:
    """A data set's pairs under the names that the catalogue of figures asks for."""
    names = {"cluster": "subject", "median": "predicted", "lo90": "lo", "hi90": "hi"}
    out = pairs.rename(columns=names)
    return out if bands else out.drop(columns=["lo", "hi"], errors="ignore")


def with_before(predictions: pd.DataFrame) -> pd.DataFrame:
    """Predictions with the twin's sample before (whatever its use): ``observed_before``, ``predicted_before``.

    Both are empty at a twin's first sample. Levels of people agree by their spread alone, changes do not.
    """
    ordered = predictions.sort_values(["twin_id", "model", "time_h"], kind="stable")
    last = ordered.groupby(["twin_id", "model"], sort=False)
    return ordered.assign(observed_before=last["observed"].shift(), predicted_before=last["median"].shift())


def _sets(given: Given) -> Iterator[DataSet]:
    """Data sets with all that the figures need."""
    if len(given.predictions):
        keys = ["twin_id", "model", "time_h"]
        full = with_before(given.predictions).merge(given.scores[[*keys, "crps"]], on=keys, how="left")
        yield from study_sets(full, given.kind)
    if len(given.published):
        yield from published_sets(given.published)


def _in_unit(figure: Figure, unit: str) -> Figure:
    """The figure with the unit of the values it is about."""
    return replace(figure, unit=unit) if figure.unit == "value" else figure


def _rows(data: DataSet, chosen: tuple[Figure, ...], kind: str, seed: int, unit: str) -> Iterator[dict[str, object]]:
    head = {"data_set": data.name, "data_kind": data.kind, "seen_by_fit": data.seen, "kind": kind}
    for model in data.models:
        mine = data.pairs[data.pairs["model"] == model]
        if mine.empty:
            continue
        table = columns_of(mine.sort_values(["cluster", "pair"], kind="stable"), data.bands)
        for result in evaluate(table, seed, data.name, tuple(_in_unit(f, unit) for f in chosen)):
            yield {**head, "model": model, "unit": result.figure.unit, **result.row}


def event_sets(given: Given) -> Iterator[DataSet]:
    """Predicted probabilities to lie above a limit, with what happened; a data set a use and limit."""
    if given.exceedance.empty or given.predictions.empty:
        return
    keys = ["twin_id", "model", "time_h"]
    joined = given.exceedance.merge(given.predictions[[*keys, "use", "observed", "median"]], on=keys, how="left")
    joined = joined.assign(happened=(joined["observed"] > joined["limit"]).astype(float))
    for data in study_sets(joined, given.kind):
        for limit, part in data.pairs.groupby("limit", sort=True):
            yield replace(data, name=f"{data.name}: above {limit:g} ng/mL", pairs=part)


def accuracy_table(given: Given) -> pd.DataFrame:
    """Table ``accuracy``: the main figures, and models paired on the same observations."""
    return accuracy(given.predictions, given.published, given.kind, given.seed)


def metric_table(given: Given) -> pd.DataFrame:
    """Table ``evaluation_metrics``: every figure of every model on every data set, events last."""
    rows: list[dict[str, object]] = []
    for data in _sets(given):
        rows.extend(_rows(data, VALUES, "value", given.seed, CONCENTRATION if data.bands else AREA))
    for data in event_sets(given):
        rows.extend(_rows(data, EVENTS, "event", given.seed, "1"))
    return conform("evaluation_metrics", pd.DataFrame(rows, columns=schema("evaluation_metrics").names))


def group_table(given: Given) -> pd.DataFrame:
    """Table ``evaluation_groups``: figures by genotype, ancestry, age and renal function, with gaps."""
    chosen = tuple(_in_unit(f, CONCENTRATION) for f in VALUES if f.name in IN_GROUPS)
    unit = {f.name: f.unit for f in chosen}
    frames = []
    for data in _sets(given):
        if data.models != STUDY_MODELS:
            continue
        pairs = data.pairs.merge(given.people, on="twin_id", how="left")
        for model in data.models:
            mine = pairs[pairs["model"] == model].sort_values(["cluster", "pair"], kind="stable")
            if mine.empty:
                continue
            found = by_group(columns_of(mine), given.seed, data.name, chosen)
            found = found.assign(data_set=data.name, data_kind=data.kind, seen_by_fit=data.seen, model=model)
            frames.append(found.assign(unit=found["metric"].map(unit)))
    names = schema("evaluation_groups").names
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=names)
    return conform("evaluation_groups", table[names])
