"""RO-Crate of a run by the Provenance Run Crate profile 0.5 (with Workflow Run Crate, Process Run Crate 0.5,
Workflow RO-Crate 1.0 and RO-Crate 1.1 below it): ``ro-crate-metadata.json`` in the folder of the results.

The crate holds no clock: times of the jobs stand in ``run.json``, and the date that RO-Crate demands is that of
the PharmTwin version. Inputs stay where they are (they may be health data); they are named by their hash (RFC 6920).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pharmtwin import __date__, __version__
from pharmtwin.provenance.jobs import Job
from pharmtwin.provenance.manifest import KEPT, MANIFEST, RUN, SBOM, Input, shown

RO_CRATE, WORKFLOW_CRATE = "https://w3id.org/ro/crate/1.1", "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
RUN_CRATES = {
    f"https://w3id.org/ro/wfrun/{part}/0.5": f"{part.capitalize()} Run Crate"
    for part in ("process", "workflow", "provenance")
}
CONTEXT = [f"{RO_CRATE}/context", "https://w3id.org/ro/terms/workflow-run/context"]
LANGUAGE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
ENGINE = "#snakemake"
MAIN = f"{KEPT}/Snakefile"
COMPLETED = "http://schema.org/CompletedActionStatus"
MEDIA = {
    ".tsv": "text/tab-separated-values", ".html": "text/html", ".json": "application/json", ".txt": "text/plain",
    ".parquet": "application/vnd.apache.parquet", ".nc": "application/x-netcdf", ".gz": "application/gzip",
    ".py": "text/x-python", ".yaml": "application/yaml", ".css": "text/css", ".js": "text/javascript",
    ".tbi": "application/octet-stream", ".bcf": "application/octet-stream", ".bam": "application/octet-stream",
    ".csv": "text/csv",
}  # fmt: skip
Entity = dict[str, Any]


def refer(ids: Iterable[str]) -> list[dict[str, str]] | dict[str, str]:
    """References to entities, each once, sorted; a single one stands alone, as RO-Crate recommends."""
    found = [{"@id": i} for i in sorted(set(ids))]
    return found[0] if len(found) == 1 else found


def ni(sha256: str) -> str:
    """Name of a file by its hash (RFC 6920, ``ni:///sha-256;...``)."""
    return "ni:///sha-256;" + base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode().rstrip("=")


def file_entity(item: Mapping[str, Any], identifier: str, **more: Any) -> Entity:
    """A File: name, size, sha256, media type."""
    suffix = Path(item["path"]).suffix
    known = {"encodingFormat": MEDIA.get(suffix, "text/plain")}
    named = {"name": item["path"], "contentSize": str(item["bytes"]), "sha256": item["sha256"]}
    return {"@id": identifier, "@type": "File", **named, **known, **more}


class Places:
    """What a path in a rule is called in the crate: a result, a kept fact or module, or an input by its hash."""

    def __init__(self, made: Mapping[str, Any], folder: Path, inputs: Sequence[Input]) -> None:
        self.folder = folder.absolute()
        self.results = {e["path"] for e in made["outputs"]}
        self.kept = {e["path"] for part in ("code", "facts") for e in made[part]}
        self.inputs = {i.path.absolute(): ni(e["sha256"]) for i, e in zip(inputs, made["inputs"], strict=True)}

    def inside(self, directory: str) -> list[str]:
        """Results below a folder of the results (written with its slash)."""
        return [f for f in self.results if f.startswith(directory)]

    def find(self, name: str) -> str | None:
        """Identifier of a path as a rule names it; None for a file that no list of the manifest holds."""
        path = Path(name).absolute()
        if path in self.inputs:
            return self.inputs[path]
        if path.is_relative_to(self.folder):
            own = path.relative_to(self.folder).as_posix()
            if own in self.results:
                return quote(own)
            return quote(own) + "/" if self.inside(own + "/") else None
        return quote(f"{KEPT}/{name}") if name in self.kept else None


def order_of(jobs: Sequence[Job]) -> dict[str, int]:
    """Position of each rule: a rule stands behind every rule whose outputs it reads."""
    maker = {o: j.rule for j in jobs for o in j.outputs}
    needs = {j.rule: set[str]() for j in jobs}
    for job in jobs:
        read = {
            maker.get(p) or next((maker[str(q)] for q in Path(p).parents if str(q) in maker), "") for p in job.inputs
        }
        needs[job.rule] |= read - {"", job.rule}
    level: dict[str, int] = {}
    while len(level) < len(needs):
        ready = [r for r in sorted(needs) if r not in level and needs[r] <= level.keys()]
        if not ready:
            raise ValueError(f"rules wait for each other: {sorted(needs.keys() - level.keys())}")
        level |= {r: 1 + max((level[n] for n in needs[r]), default=0) for r in ready}
    return level


def _profiles() -> list[Entity]:
    known = {**RUN_CRATES, WORKFLOW_CRATE: "Workflow RO-Crate"}
    return [
        {"@id": i, "@type": "CreativeWork", "name": name, "version": i.rsplit("/", 1)[1]} for i, name in known.items()
    ]


def _actions(jobs: Sequence[Job], places: Places) -> list[Entity]:
    """What each job did (CreateAction), each as a step of the workflow (ControlAction), and the steps themselves."""
    entities: list[Entity] = []
    for rule, position in sorted(order_of(jobs).items()):
        script = next(j.script for j in jobs if j.rule == rule)
        step = {"@id": f"#step-{rule}", "@type": "HowToStep", "name": rule, "position": str(position)}
        entities.append(step | {"workExample": {"@id": f"{KEPT}/{script}"}})
    for job in jobs:
        objects = [i for p in job.inputs if (i := places.find(p))]
        results = [i for p in job.outputs if (i := places.find(p))]
        unknown = sorted({shown(Path(p)) for p in (*job.inputs, *job.outputs) if places.find(p) is None})
        words = f"Snakemake ran {job.script} for rule {job.rule}" + (f", batch {job.batch}" if job.batch else "")
        words += f"; the manifest holds no hash of {', '.join(unknown)}" if unknown else ""
        action = f"#job-{quote(job.name)}"
        entities.append({
            "@id": action, "@type": "CreateAction", "name": f"Job {job.name}",
            "description": words,
            "instrument": {"@id": f"{KEPT}/{job.script}"}, "object": refer(objects), "result": refer(results),
            "actionStatus": COMPLETED,
        })  # fmt: skip
        entities.append({
            "@id": f"#control-{quote(job.name)}", "@type": "ControlAction", "name": f"Step {job.name}",
            "instrument": {"@id": f"#step-{job.rule}"}, "object": {"@id": action},
        })  # fmt: skip
    return entities


def _settings(config: Mapping[str, Any]) -> list[Entity]:
    return [
        {"@id": f"#setting-{quote(key)}", "@type": "PropertyValue", "name": key,
         "value": value if isinstance(value, str) else json.dumps(value, sort_keys=True)}
        for key, value in sorted(config.items())
    ]  # fmt: skip


def _data(made: Mapping[str, Any], places: Places, jobs: Sequence[Job]) -> list[Entity]:
    """Files of the run but for its main workflow: results, inputs, kept code and facts, folders, records."""
    outputs = [file_entity(e, quote(e["path"])) for e in made["outputs"]]
    given = [file_entity(e, ni(e["sha256"]), description="input; stays with its owner") for e in made["inputs"]]
    scripts = {j.script for j in jobs}
    code = [
        file_entity(e, quote(f"{KEPT}/{e['path']}"))
        | ({"@type": ["File", "SoftwareSourceCode"], "version": __version__} if e["path"] in scripts else {})
        for part in ("code", "facts")
        for e in made[part]
        if e["path"] != "Snakefile"
    ]
    folders = sorted({i for j in jobs for p in j.outputs if (i := places.find(p)) and i.endswith("/")})
    inside = {d: [quote(f) for f in places.results if quote(f).startswith(d)] for d in folders}
    return [
        *outputs,
        *{e["@id"]: e for e in given}.values(),  # one file under two names is one file
        *code,
        *({"@id": d, "@type": "Dataset", "name": d, "hasPart": refer(files)} for d, files in inside.items()),
        {"@id": MANIFEST, "@type": "File", "name": "Manifest", "encodingFormat": "application/json",
         "description": "sha256 of every input, fact, module and output, this crate included"},
        {"@id": RUN, "@type": "File", "name": "Record of the run", "encodingFormat": "application/json",
         "description": "clock, host, versions, cores, durations: differs from run to run", "about": {"@id": "#run"}},
    ]  # fmt: skip


def _language_and_rights() -> list[Entity]:
    version, url = metadata.version("snakemake"), "https://snakemake.github.io"
    paper = {"@id": "https://doi.org/10.1093/bioinformatics/bts480"}
    return [
        {"@id": ENGINE, "@type": "SoftwareApplication", "name": "Snakemake", "url": url, "softwareVersion": version},
        {"@id": LANGUAGE, "@type": "ComputerLanguage", "name": "Snakemake", "alternateName": "Snakemake",
         "identifier": paper, "url": {"@id": url}, "version": version},
        {"@id": "#rights", "@type": "CreativeWork", "name": "Rights of the study's owner",
         "description": "The owner of the study decides on the use of its data and results; the code is Apache-2.0."},
        {"@id": "#licence", "@type": "CreativeWork", "name": "Apache License 2.0", "identifier": "Apache-2.0",
         "url": "https://www.apache.org/licenses/LICENSE-2.0"},
    ]  # fmt: skip


def _whole_run(
    made: Mapping[str, Any], jobs: Sequence[Job], actions: list[Entity], settings: list[Entity]
) -> list[Entity]:
    """Main workflow, its run (CreateAction), and Snakemake's part in it (OrganizeAction)."""
    by_type: dict[str, list[str]] = {}
    for entity in actions:
        by_type.setdefault(entity["@type"], []).append(entity["@id"])
    given = [ni(e["sha256"]) for e in made["inputs"]] + [e["@id"] for e in settings]
    main = file_entity(next(e for e in made["code"] if e["path"] == "Snakefile"), MAIN) | {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        "name": f"PharmTwin {__version__}: from VCF, covariates and concentrations to a patient's own PBPK model",
        "programmingLanguage": {"@id": LANGUAGE}, "version": __version__, "license": {"@id": "#licence"},
        "hasPart": refer(f"{KEPT}/{j.script}" for j in jobs), "step": refer(by_type["HowToStep"]),
    }  # fmt: skip
    run = {
        "@id": "#run", "@type": "CreateAction", "name": f"Run of study {made['study']}",
        "description": f"times, host and processors stand in {RUN}", "instrument": {"@id": MAIN},
        "object": refer(given), "result": refer(quote(e["path"]) for e in made["outputs"]), "actionStatus": COMPLETED,
    }  # fmt: skip
    engine_run = {
        "@id": "#engine-run", "@type": "OrganizeAction", "name": "Run of Snakemake", "instrument": {"@id": ENGINE},
        "object": refer(by_type["ControlAction"]), "result": {"@id": "#run"},
    }  # fmt: skip
    return [main, run, engine_run]


def crate(made: Mapping[str, Any], folder: Path, inputs: Sequence[Input], jobs: Sequence[Job]) -> dict[str, Any]:
    """The crate of a run.

    Parameters
    ----------
    made : manifest (:func:`pharmtwin.provenance.manifest.manifest`) whose outputs do not hold the crate itself.
    folder : results of the run, the root of the crate.
    inputs : :func:`pharmtwin.provenance.manifest.inputs_of`, in the order of the manifest.
    jobs : jobs that made the results.

    Raises
    ------
    ValueError : no job is known, or rules wait for each other.
    """
    if not jobs:
        raise ValueError("no job left a note beside its log: there is no run to describe")
    places = Places(made, folder, inputs)
    data, actions, settings = _data(made, places, jobs), _actions(jobs, places), _settings(made["config"])
    whole = _whole_run(made, jobs, actions, settings)
    done = [e["@id"] for e in (*whole, *actions) if e["@type"] in ("CreateAction", "OrganizeAction")]
    root = {
        "@id": "./", "@type": "Dataset", "name": f"PharmTwin results of study {made['study']} ({made['data_kind']})",
        "description": f"Results of one run. datePublished is the day of PharmTwin {__version__}, so that equal runs "
        f"give equal bytes; the clock of the run stands in {RUN}. Packages: {SBOM}.",
        "datePublished": __date__, "license": {"@id": "#rights"}, "mainEntity": {"@id": MAIN},
        "conformsTo": refer([*RUN_CRATES, WORKFLOW_CRATE]), "hasPart": refer([MAIN, *(e["@id"] for e in data)]),
        "mentions": refer(done),
    }  # fmt: skip
    head = {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"},
            "conformsTo": refer([RO_CRATE, WORKFLOW_CRATE])}  # fmt: skip
    rest = [*data, *whole, *actions, *settings, *_language_and_rights(), *_profiles()]
    return {"@context": CONTEXT, "@graph": [head, root, *sorted(rest, key=lambda e: str(e["@id"]))]}
