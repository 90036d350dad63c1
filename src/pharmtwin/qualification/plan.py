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

import yaml

from pharmtwin.drugs.reader import Reader
from pharmtwin.facts import RESOURCES
from pharmtwin.qualification.study import Profile

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
class Spread:
    """Sds of logarithms for intervals that no table of the body holds.

    within_genotype : activity of an enzyme or transporter between people of one genotype. transporter : without it.
    gfr : GFR of healthy people of one age and size. ratio_studies, ratio_studies_cmax : ratios of AUC and of Cmax of
    one pair of arms between studies. company : exposure to the other drugs of an arm, between studies. turnover :
    enzyme turnover. few : between studies, where the building set has fewer than 10 observations. people : of a study
    that does not tell their number.
    """

    within_genotype: float
    transporter: float
    gfr: float
    ratio_studies: float
    ratio_studies_cmax: float
    company: float
    turnover: float
    few: float
    people: float


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
    """The plan; raises PlanError listing all that is wrong, FileNotFoundError without the file."""
    text = path.read_text(encoding="utf-8")
    try:
        raw, node = yaml.safe_load(text) or {}, yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise PlanError(f"{path.name} is not valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise PlanError(f"{path.name} is not a mapping of keys")
    wrong: list[str] = [f"{k}: not known here; known are {', '.join(TOP)}" for k in raw if k not in TOP]
    given = raw.get("spread") or {}
    known = [f.name for f in fields(Spread)]
    wrong += [f"spread.{k}: not known here; known are {', '.join(known)}" for k in given if k not in known]
    spread = {k: given[k].get("value") if isinstance(given.get(k), dict) else None for k in known}
    wrong += [f"spread.{k}: needs value (a number), unit and source" for k, v in spread.items() if not _is_number(v)]
    entries = {str(name): _entry(str(name), body or {}, wrong) for name, body in (raw.get("drugs") or {}).items()}
    peer = {str(k): v.get("value") for k, v in (raw.get("peer_profiles") or {}).items()}
    wrong += [
        f"peer_profiles.{k}: needs value (a number), unit and source" for k, v in peer.items() if not _is_number(v)
    ]
    reader = Reader(path.name)
    reader.note_lines(node, "")
    wrong += [f.message() for f in reader.findings]
    if wrong:
        raise PlanError(f"{path.name}:\n" + "\n".join(wrong))
    numbers = {k: float(v) for k, v in spread.items() if v is not None}
    return Plan(Spread(**numbers), entries, frozenset(map(str, raw.get("acid_suppressants") or ())), peer)


def _is_number(value: object) -> bool:
    return type(value) in (int, float)


def _entry(name: str, raw: dict[str, Any], wrong: list[str]) -> Entry:
    building = raw.get("building") or {}
    wrong += [f"drugs.{name}.{k}: not known; known are {', '.join(ENTRY)}" for k in raw if k not in ENTRY]
    wrong += [f"drugs.{name}.building.{k}: not known; known are {', '.join(BUILDING)}" for k in building
              if k not in BUILDING]  # fmt: skip
    files = tuple(raw.get("files") or (name,))
    fitted = tuple(_fitted(f"drugs.{name}.fitted.{i}", x, files, wrong) for i, x in enumerate(raw.get("fitted") or ()))
    if building.get("ratios") == "all":
        wrong.append(f"drugs.{name}.building.ratios: list the rows by id; not all of them may be fitted")
    texts = {k: tuple(map(str, building.get(k) or ())) for k in BUILDING if building.get(k) != "all"}
    return Entry(
        name, files, texts.get("profiles", ()), texts.get("studies", ()), texts.get("exposures", ()),
        building.get("exposures") == "all", texts.get("own_profiles", ()), building.get("own_profiles") == "all",
        texts.get("ratios", ()), fitted,
    )  # fmt: skip


def _fitted(key: str, raw: Mapping[str, Any], files: Sequence[str], wrong: list[str]) -> Fitted:
    value, sd = raw.get("value"), raw.get("prior_sd")
    texts = [value] if isinstance(value, str) else list(value or ())
    if not texts or not isinstance(sd, int | float) or not 0 < sd < 10:
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
