"""Rules from one sheet into another: comedication and drugs by name, twins without rows, samples that only test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from pharmtwin.intake.rules.registry import Given, Hit, rule


@rule(
    "comedication.near",
    "warning",
    "a comedication that is spelt almost like a drug of the library",
    why="an inhibitor that is not recognised changes nothing",
    fix="correct the spelling",
    needs=("twins",),
    alone=False,
)
def _near(given: Given) -> Iterator[Hit]:
    names = sorted({d.lower() for d in given.drugs} | {d.lower().split("_")[0] for d in given.drugs})
    for r in given.twins.records:
        for name in (n.strip().lower() for n in r.text("comedication").split(";")):
            near = get_close_matches(name, names, n=1, cutoff=0.8) if name and name not in names else []
            if name not in names and not near and not re.search("[,/+&]", name):  # quinidine 200 mg
                near = [n for word in re.findall(r"[^\W\d_]{4,}", name) for n in get_close_matches(word, names, 1, 0.8)]
            if near:
                yield Hit(
                    given.twins,
                    r,
                    "comedication",
                    f"{name} is no drug of the library",
                    f"write {near[0]} if that is meant",
                )


@rule(
    "comedication.separator",
    "error",
    "comedications that are separated by something else than ;",
    why="two drugs would be read as one of an unknown name",
    fix="separate drug names by ;",
    needs=("twins",),
    alone=False,
)
def _separator(given: Given) -> Iterator[Hit]:
    names = {d.lower() for d in given.drugs}
    for r in given.twins.records:
        for part in r.text("comedication").lower().split(";"):
            for mark in (",", "+", "/", " and ", "|"):
                pieces = [p.strip() for p in part.split(mark)]
                if len(pieces) > 1 and sum(p in names for p in pieces) >= 1 and all(pieces):
                    yield Hit(
                        given.twins,
                        r,
                        "comedication",
                        f"drug names are separated by {mark.strip()!r}",
                        f"write {'; '.join(pieces)}",
                    )


@rule(
    "comedication.same_drug",
    "warning",
    "the drug of the study as its own comedication",
    why="its doses stand in the events sheet",
    fix="take it out of the column",
    needs=("twins",),
    alone=False,
)
def _same(given: Given) -> Iterator[Hit]:
    for r in given.twins.records:
        if given.drug and given.drug.lower() in [n.strip().lower() for n in r.text("comedication").split(";")]:
            yield Hit(given.twins, r, "comedication", "is the drug of the study")


@rule(
    "comedication.twice",
    "note",
    "a comedication that stands twice in a cell",
    why="it counts once",
    fix="delete one of the two",
    needs=("twins",),
    alone=False,
)
def _twice(given: Given) -> Iterator[Hit]:
    for r in given.twins.records:
        names = [n.strip().lower() for n in r.text("comedication").split(";") if n.strip()]
        for name in sorted({n for n in names if names.count(n) > 1}):
            yield Hit(given.twins, r, "comedication", f"{name} stands there twice")


@rule(
    "events.doses_only",
    "note",
    "twins with doses and no sample",
    why="nothing calibrates them",
    fix="no action needed, unless samples were forgotten",
)
def _doses_only(given: Given) -> Iterator[Hit]:
    only = [rows[0] for rows in given.people.values() if not any(e.is_sample for e in rows)]
    if only and len(only) < len(given.people):
        yield Hit(
            given.events,
            only[0].record,
            "twin_id",
            f"{len(only)} of {len(given.people)} twins have no sample, the first here",
            value="",
        )


@rule(
    "events.test_only",
    "warning",
    "twins whose samples are all kept for testing, in a study with a fit",
    why="their twins are the population's, not their own",
    fix="give each twin rows with use fit, or leave it if that is meant",
    alone=False,
)
def _test_only(given: Given) -> Iterator[Hit]:
    any_fit = any(e.record.text("use") == "fit" for e in given.rows)
    for rows in given.people.values():
        uses = [e.record.text("use") for e in rows if e.is_sample]
        if any_fit and uses and set(uses) == {"test"}:
            first = next(e for e in rows if e.is_sample)
            yield Hit(given.events, first.record, "use", "all samples of the twin are kept for testing")


@rule(
    "events.fit_after_test",
    "warning",
    "a sample for the fit after samples for the test",
    why="a prediction is judged on what lies after what was learnt",
    fix="test with the later samples, or leave it if that is meant",
    alone=False,
)
def _fit_after_test(given: Given) -> Iterator[Hit]:
    for rows in given.people.values():
        timed = sorted((e for e in rows if e.is_sample and e.time is not None), key=lambda e: e.time or 0.0)
        tests = [e for e in timed if e.record.text("use") == "test"]
        fits = [e for e in timed if e.record.text("use") == "fit"]
        if tests and fits and (fits[0].time or 0.0) > (tests[-1].time or 0.0):
            yield Hit(
                given.events,
                fits[0].record,
                "use",
                f"all samples for the test lie before it (row {tests[-1].row} the last)",
            )
