"""Offline check of a crate: the MUST rules of RO-Crate 1.1 (https://w3id.org/ro/crate/1.1), of Workflow RO-Crate 1.0
(https://w3id.org/workflowhub/workflow-ro-crate/1.0) and of Process, Workflow and Provenance Run Crate 0.5
(https://w3id.org/ro/wfrun/provenance/0.5), and that every file named is there with its hash.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pharmtwin.facts import sha256_file
from pharmtwin.provenance.crate import CONTEXT, RO_CRATE, RUN_CRATES
from pharmtwin.provenance.manifest import CRATE, MANIFEST, RUN

Entity = dict[str, Any]
ACTIONS = {"CreateAction", "ActivateAction", "UpdateAction"}
TOOLS = {"SoftwareApplication", "SoftwareSourceCode", "ComputationalWorkflow"}


def as_list(value: Any) -> list[Any]:
    """A JSON-LD value as a list."""
    return [] if value is None else value if isinstance(value, list) else [value]


def types(entity: Entity) -> set[str]:
    """Types of an entity."""
    return set(as_list(entity.get("@type")))


class Graph:
    """Entities by identifier, and what a property refers to."""

    def __init__(self, document: Any) -> None:
        entities = document.get("@graph") if isinstance(document, dict) else None
        if not isinstance(entities, list) or not all(isinstance(e, dict) and "@id" in e for e in entities):
            raise ValueError("is no flattened JSON-LD: @graph is not a list of entities with @id")
        self.entities: list[Entity] = entities
        self.by_id = {str(e["@id"]): e for e in entities}

    def refs(self, entity: Entity, name: str) -> list[Entity | None]:
        """What a property refers to; None for an entity that is not there, or a value that is no reference."""
        values = as_list(entity.get(name))
        return [self.by_id.get(str(v["@id"])) if isinstance(v, dict) and "@id" in v else None for v in values]

    def of_type(self, *names: str) -> list[Entity]:
        """Entities with one of the types."""
        return [e for e in self.entities if types(e) & set(names)]


def _one(graph: Graph, entity: Entity, name: str, test: Callable[[Entity], bool]) -> bool:
    """Whether a property refers to something, and everything that it refers to is there and passes a test."""
    found = graph.refs(entity, name)
    return bool(found) and all(e is not None and test(e) for e in found)


def _is(*names: str) -> Callable[[Entity], bool]:
    return lambda e: bool(types(e) & set(names))


def _ro_crate(g: Graph, document: Entity) -> Iterator[str]:
    if CONTEXT[0] not in as_list(document.get("@context")):
        yield f"@context lacks {CONTEXT[0]}"
    if len(g.by_id) != len(g.entities):
        yield "two entities have the same @id"
    yield from (f"{e['@id']}: no @type" for e in g.entities if not types(e))
    head, root = g.by_id.get(CRATE, {}), g.by_id.get("./", {})
    if types(head) != {"CreativeWork"} or as_list(head.get("about")) != [{"@id": "./"}]:
        yield f"{CRATE}: a CreativeWork about ./ is missing"
    if {"@id": RO_CRATE} not in as_list(head.get("conformsTo")):
        yield f"{CRATE}: conformsTo lacks {RO_CRATE}"
    if "Dataset" not in types(root):
        yield "./: the root Dataset is missing"
    yield from (f"./: no {k}" for k in ("name", "description", "datePublished", "license") if not root.get(k))
    try:
        date.fromisoformat(str(root.get("datePublished"))[:10])
    except ValueError:
        yield "./: datePublished is no ISO 8601 date"
    reached: set[str] = set()
    stack = [root]
    while stack:
        for part in (e for e in g.refs(stack.pop(), "hasPart") if e and e["@id"] not in reached):
            reached.add(part["@id"])
            stack.append(part)
    for e in g.of_type("File", "Dataset"):
        if e["@id"] not in reached | {"./"}:
            yield f"{e['@id']}: no hasPart leads from the root to it"
        if re.match(r"(/|[A-Za-z]:\\|file:)|.*(^|/)\.\.(/|$)", str(e["@id"])) or re.search(r"[\s\\]", str(e["@id"])):
            yield f"{e['@id']}: neither a relative path inside the crate nor an absolute URI"
    for e in g.entities:
        for name, value in e.items():
            for v in as_list(value):
                if isinstance(v, dict) and set(v) != {"@id"}:
                    yield f"{e['@id']}: {name} nests an entity"


def _workflow(g: Graph) -> Iterator[str]:
    root = g.by_id.get("./", {})
    main = next(iter(g.refs(root, "mainEntity")), None)
    if main is None:
        yield "./: mainEntity leads nowhere"
        return
    if not {"File", "SoftwareSourceCode", "ComputationalWorkflow"} <= types(main):
        yield f"{main['@id']}: a main workflow is File, SoftwareSourceCode and ComputationalWorkflow"
    if not _one(g, main, "programmingLanguage", _is("ComputerLanguage")):
        yield f"{main['@id']}: programmingLanguage leads to no ComputerLanguage"
    if not any(_one(g, a, "instrument", lambda e: e is main) for a in g.of_type(*ACTIONS)):
        yield f"no action has the main workflow {main['@id']} as its instrument"
    for uri in RUN_CRATES:
        if not any(e and e["@id"] == uri and "CreativeWork" in types(e) for e in g.refs(root, "conformsTo")):
            yield f"./: conformsTo leads to no CreativeWork {uri}"
    if not _one(g, main, "hasPart", _is(*TOOLS)):
        yield f"{main['@id']}: hasPart leads to no tool"
    if main.get("step") and "HowTo" not in types(main):
        yield f"{main['@id']}: has steps and is no HowTo"
    for p in g.of_type("FormalParameter"):
        if not p.get("additionalType"):
            yield f"{p['@id']}: a FormalParameter needs additionalType"
    for name in ("input", "output"):
        if main.get(name) and not _one(g, main, name, _is("FormalParameter")):
            yield f"{main['@id']}: {name} leads to something that is no FormalParameter"


def _actions(g: Graph) -> Iterator[str]:
    for a in g.of_type(*ACTIONS):
        if not _one(g, a, "instrument", _is(*TOOLS)):
            yield f"{a['@id']}: instrument leads to no tool"
        for name in ("object", "result"):
            yield from (
                f"{a['@id']}: {name} leads to an entity that is not there" for e in g.refs(a, name) if e is None
            )
    steps = {e["@id"] for w in g.of_type("ComputationalWorkflow") for e in g.refs(w, "step") if e}
    tools = {e["@id"] for w in g.of_type("ComputationalWorkflow") for e in g.refs(w, "hasPart") if e}
    run = {e["@id"] for a in g.of_type(*ACTIONS) for e in g.refs(a, "instrument") if e}
    yield from (f"{t}: a tool of the workflow that no action has as its instrument" for t in sorted(tools - run))
    for s in g.of_type("HowToStep"):
        if s["@id"] not in steps:
            yield f"{s['@id']}: no workflow has this step"
        if not _one(g, s, "workExample", _is(*TOOLS)):
            yield f"{s['@id']}: workExample leads to no tool"
        if "position" in s and not re.fullmatch(r"\d+", str(s["position"])):
            yield f"{s['@id']}: position is no whole number"
    for c in g.of_type("ControlAction"):
        if not _one(g, c, "instrument", _is("HowToStep")):
            yield f"{c['@id']}: instrument leads to no HowToStep"
        if not _one(g, c, "object", _is(*ACTIONS)):
            yield f"{c['@id']}: object leads to no action of a tool"
    for o in g.of_type("OrganizeAction"):
        for name, wanted in (("instrument", TOOLS), ("object", {"ControlAction"}), ("result", ACTIONS)):
            if not _one(g, o, name, _is(*wanted)):
                yield f"{o['@id']}: {name} leads to no {' or '.join(sorted(wanted))}"


def _order(g: Graph) -> Iterator[str]:
    """A step that needs another's output has to have the larger position."""
    position = {s["@id"]: int(p) for s in g.of_type("HowToStep") if (p := str(s.get("position", ""))).isdecimal()}
    step_of = {
        a["@id"]: s["@id"]
        for c in g.of_type("ControlAction")
        for s in g.refs(c, "instrument")
        for a in g.refs(c, "object")
        if a and s and s["@id"] in position
    }
    own = [a for a in g.of_type(*ACTIONS) if a["@id"] in step_of]
    maker = {r["@id"]: step_of[a["@id"]] for a in own for r in g.refs(a, "result") if r}
    for a in own:
        step = step_of[a["@id"]]
        for other in sorted({maker[e["@id"]] for e in g.refs(a, "object") if e and e["@id"] in maker} - {step}):
            if position[step] <= position[other]:
                yield f"{step}: needs {other}, whose position is not smaller"


def _files(g: Graph, folder: Path) -> Iterator[str]:
    for e in g.of_type("File"):
        name = str(e["@id"])
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", name):
            continue  # an absolute URI: not in the folder
        path = folder / unquote(name)
        if not path.is_file():
            yield f"{name}: not in the folder"
        elif "sha256" in e and sha256_file(path) != e["sha256"]:
            yield f"{name}: sha256 differs"
        elif "sha256" not in e and name not in (MANIFEST, RUN):
            yield f"{name}: has no sha256"
    yield from (
        f"{e['@id']}: not in the folder" for e in g.of_type("Dataset") if not (folder / unquote(e["@id"])).is_dir()
    )


def check_crate(folder: Path) -> list[str]:
    """Every rule that the crate in ``folder`` breaks, in words (empty: none).

    Raises
    ------
    FileNotFoundError : there is no ``ro-crate-metadata.json``.
    """
    try:
        document = json.loads((folder / CRATE).read_text(encoding="utf-8"))
        g = Graph(document)
    except ValueError as error:
        return [f"{CRATE}: {error}"]
    return [*_ro_crate(g, document), *_workflow(g), *_actions(g), *_order(g), *_files(g, folder)]
