"""What is fitted, and on what: ``resources/qualification/plan.yaml``. What is not in ``building`` is verification.

::

    acid_suppressants: [omeprazole_R, omeprazole_S]   # company that raises the pH of the stomach
    spread:                                           # all of Spread
      gfr: {value: 0.2, unit: "1", source: ...}
    peer_profiles:                                    # GMFE of PK-Sim on a drug's verification profiles
      paroxetine: {value: 1.59, unit: "1", source: ...}
    drugs:
      midazolam:                        # a name of its own; files: what it is made of (default: the file of that name)
        files: [midazolam]
        building:
          profiles: [midazolam_004]     # data sets by id
          studies: [Olkkola 1993]       # all data sets of a study in which these files' compounds are observed
          exposures: [Thummel 1996]     # studies of resources/observed/exposures.tsv (all: those with role building)
          own_profiles: all             # likewise of resources/observed/own_profiles.tsv
          ratios: ["366", "368"]        # interaction studies by id, at most a few; never a ratio of genotypes
        fitted:
          - {value: compounds.midazolam.metabolism.CYP3A4.kcat, prior_sd: 0.5}
          - {value: [metoprolol_R:absorption.Peff, metoprolol_S:absorption.Peff], prior_sd: 0.3}   # one common factor

The weak prior of a fitted value is centred on its ``start`` in the drug file (without one: on its value).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pharmtwin.drugs.reader import Reader, is_number
from pharmtwin.facts import RESOURCES
from pharmtwin.findings import Finding
from pharmtwin.qualification.study import Profile
from pharmtwin.uncertainty.spread import Spread

PLAN = RESOURCES / "qualification" / "plan.yaml"
TOP = ("acid_suppressants", "spread", "peer_profiles", "drugs")
ENTRY = ("files", "building", "fitted", "note")
BUILDING = ("profiles", "studies", "exposures", "own_profiles", "ratios")


class PlanError(ValueError):
    """A plan that cannot be used; the message lists everything that is wrong."""


@dataclass(frozen=True)
class Fitted:
    """One estimated factor. paths : (drug file, path of the value) that it multiplies. prior_sd : of its logarithm."""

    paths: tuple[tuple[str, str], ...]
    prior_sd: float

    @property
    def name(self) -> str:
        """Name of the first value."""
        return ":".join(self.paths[0])


@dataclass(frozen=True)
class Entry:
    """Plan of one drug. all_... : every exposure or own profile of its files with role ``building`` is used."""

    name: str
    files: tuple[str, ...]
    profiles: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    exposures: tuple[str, ...] = ()
    all_exposures: bool = False
    own_profiles: tuple[str, ...] = ()
    all_own_profiles: bool = False
    ratios: tuple[str, ...] = ()
    fitted: tuple[Fitted, ...] = ()

    def uses(self, profile: Profile, compounds: Iterable[str]) -> bool:
        """Whether a profile is in the building set. compounds : of the entry's files."""
        if profile.id in self.profiles:
            return True
        return profile.study in self.studies and set(profile.compounds) <= set(compounds)


@dataclass(frozen=True)
class Plan:
    """The whole plan. peer_profiles : PK-Sim's published GMFE of the verification profiles of a drug."""

    spread: Spread
    entries: Mapping[str, Entry] = field(default_factory=dict)
    acid_suppressants: frozenset[str] = frozenset()
    peer_profiles: Mapping[str, float] = field(default_factory=dict)

    def building_ratios(self) -> frozenset[str]:
        """Ids of the ratios that something is fitted on; all others are verification."""
        return frozenset(r for e in self.entries.values() if e.fitted for r in e.ratios)


def read_plan(path: Path = PLAN) -> Plan:
    """The plan; raises PlanError listing all that is wrong, or that the file cannot be read."""
    reader = Reader(path.name)
    tree = reader.tree(path)
    wrong = [_words(f) for f in reader.findings]
    if tree is None and wrong:
        raise PlanError(f"{path.name}: {wrong[0]}")
    raw = _mapping("", tree, wrong, TOP)
    given = _mapping("spread", raw.get("spread"), wrong, tuple(f.name for f in fields(Spread)))
    spread = {f.name: _value(f"spread.{f.name}", given.get(f.name), wrong) for f in fields(Spread)}
    peers = _mapping("peer_profiles", raw.get("peer_profiles"), wrong)
    peer = {k: _value(f"peer_profiles.{k}", v, wrong) for k, v in peers.items()}
    drugs = _mapping("drugs", raw.get("drugs"), wrong)
    entries = {name: _entry(name, body, wrong) for name, body in drugs.items()}
    acid = frozenset(_texts("acid_suppressants", raw.get("acid_suppressants"), wrong))
    if wrong:
        raise PlanError(f"{path.name}:\n" + "\n".join(wrong))
    return Plan(Spread(**spread), entries, acid, peer)


def _words(found: Finding) -> str:
    place = (f"line {found.row}:" if found.row else "", found.column, found.what)
    return f"{' '.join(x for x in place if x)}; {found.fix}"


def _mapping(key: str, raw: object, wrong: list[str], known: tuple[str, ...] = ()) -> dict[str, Any]:
    """A mapping by names (nothing: an empty one); anything else is said, and names that are not known (empty: any)."""
    if not isinstance(raw, dict):
        wrong += [] if raw is None else [f"{key or 'the plan'}: is not a mapping of keys"]
        return {}
    place = f"{key}." if key else ""
    wrong += [f"{place}{k}: not known here; known are {', '.join(known)}" for k in raw if known and k not in known]
    return {str(k): v for k, v in raw.items()}


def _value(key: str, raw: object, wrong: list[str]) -> float:
    """The number of ``{value, unit, source}``."""
    value = raw.get("value") if isinstance(raw, dict) else None
    if is_number(value):
        return float(value)
    wrong.append(f"{key}: needs value (a number), unit and source")
    return 0.0


def _texts(key: str, raw: object, wrong: list[str]) -> tuple[str, ...]:
    """A list of names (nothing: none)."""
    if raw is None:
        return ()
    if isinstance(raw, list) and all(isinstance(x, str | int) for x in raw):
        return tuple(map(str, raw))
    wrong.append(f"{key}: needs a list of names, [a, b]")
    return ()


def _entry(name: str, body: object, wrong: list[str]) -> Entry:
    key = f"drugs.{name}"
    raw = _mapping(key, body, wrong, ENTRY)
    building = _mapping(f"{key}.building", raw.get("building"), wrong, BUILDING)
    files = _texts(f"{key}.files", raw.get("files"), wrong) or (name,)
    listed = raw.get("fitted") or []
    if not isinstance(listed, list):
        wrong.append(f"{key}.fitted: needs a list")
        listed = []
    fitted = tuple(_fitted(f"{key}.fitted.{i}", x, files, wrong) for i, x in enumerate(listed))
    if building.get("ratios") == "all":
        wrong.append(f"{key}.building.ratios: list the rows by id; not all of them may be fitted")
    everything = {k for k in ("exposures", "own_profiles", "ratios") if building.get(k) == "all"}
    named = {k: _texts(f"{key}.building.{k}", building.get(k), wrong) for k in BUILDING if k not in everything}
    return Entry(
        name, files, named["profiles"], named["studies"], named.get("exposures", ()), "exposures" in everything,
        named.get("own_profiles", ()), "own_profiles" in everything, named.get("ratios", ()), fitted,
    )  # fmt: skip


def _fitted(key: str, raw: object, files: Sequence[str], wrong: list[str]) -> Fitted:
    given = _mapping(key, raw, wrong)
    value, sd = given.get("value"), given.get("prior_sd")
    texts = [value] if isinstance(value, str) else value
    if not texts or not isinstance(texts, list) or not is_number(sd) or not 0 < sd < 10:
        wrong.append(f"{key}: needs value (a path or several) and prior_sd (sd of the logarithm, above 0)")
        return Fitted((("", ""),), 1.0)
    paths = []
    for text in texts:
        before, colon, after = str(text).partition(":")
        file, path = (before, after) if colon else (files[0], before)
        if file not in files:
            wrong.append(f"{key}: {file} is not among the files {', '.join(files)}")
        paths.append((file, path))
    return Fitted(tuple(paths), float(sd))
