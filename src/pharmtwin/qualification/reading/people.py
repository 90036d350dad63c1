"""Data sets of single people: left out where their group has one, else joined to the mean of their group.

The simulations are of a typical person, and every other profile is a mean; and a study that prints its people one by
one must not count as many studies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from pharmtwin.qualification.study import Floats, LeftOut, Profile

ONE = re.compile(r"indiv\.")
#: a person's number, which one source writes where the study should stand
NUMBER = re.compile(r"\d+(?:\.0)?")
MIDDLE = re.compile(r"\bmean\b|_mean|median", re.I)
#: samples within this many hours of each other are one time of the protocol
TOGETHER = 0.05


class Told(Protocol):
    """What is needed of a data set."""

    @property
    def row(self) -> Mapping[str, str]: ...
    @property
    def study(self) -> str: ...
    @property
    def analyte(self) -> str: ...
    @property
    def n(self) -> int | None: ...


def _key(data: Told) -> tuple[str, ...]:
    row = data.row
    return (row["drug"], data.study, data.analyte, row["route"], row["dose"], row["matrix"])


def is_one(data: Told) -> bool:
    """Whether a data set is of one person."""
    return bool(ONE.search(data.row["osp_name"]) or NUMBER.fullmatch(data.row["study"]))


def counted_twice(sets: Mapping[str, Told]) -> frozenset[str]:
    """Data sets of one person whose group's mean or median (same study, route, dose) is another data set."""
    groups = {_key(d) for d in sets.values() if MIDDLE.search(d.row["osp_name"]) or ((d.n or 0) > 1 and not is_one(d))}
    return frozenset(id_ for id_, d in sets.items() if is_one(d) and _key(d) in groups)


def join(
    profiles: Sequence[Profile], sets: Mapping[str, Told], left_out: Callable[[str, str], LeftOut]
) -> tuple[list[Profile], list[LeftOut]]:
    """Profiles with those of single people of one arm (same study, doses and compounds) as one.

    It has the id of the first, geometric means at the times that at least half of them have, no sd, and their number.
    The others are left out (``left_out`` makes the entry of an id and a reason).
    """
    kept: list[Profile] = []
    groups: list[list[Profile]] = []
    for p in profiles:
        if not is_one(sets[p.id]):
            kept.append(p)
            continue
        mine = next((g for g in groups if _same(g[0], p)), None)
        if mine is None:
            groups.append([p])
            kept.append(p)
        else:
            mine.append(p)
    means = {g[0].id: _mean(g) for g in groups if len(g) > 1}
    left = [left_out(p.id, f"one person, joined to {g[0].id}") for g in groups for p in g[1:]]
    return [means.get(p.id, p) for p in kept], left


def _same(a: Profile, b: Profile) -> bool:
    return (a.study, a.compounds, a.arm) == (b.study, b.compounds, b.arm)


def _mean(group: Sequence[Profile]) -> Profile:
    """Geometric means of a group; readings of 0 are left out."""
    rows = sorted((t, who, c) for who, p in enumerate(group) for t, c in zip(p.time, p.concentration) if c > 0)
    times: list[list[tuple[float, int, float]]] = []
    for row in rows:
        if times and row[0] - times[-1][0][0] < TOGETHER:
            times[-1].append(row)
        else:
            times.append([row])
    shared = [t for t in times if 2 * len({who for _, who, _ in t}) >= len(group)]
    hours: Floats = np.array([np.mean([t for t, _, _ in at]) for at in shared], dtype=np.float64)
    level: Floats = np.array([np.exp(np.mean([np.log(c) for _, _, c in at])) for at in shared], dtype=np.float64)
    return replace(group[0], time=hours, concentration=level, sd=np.full(len(hours), np.nan), n=len(group))
