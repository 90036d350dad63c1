"""The study's configuration: reading, merging and checking of the YAML files.

Findings name file, line and dotted key (as the column). A workflow that hands over an already merged
dictionary may pass ``places`` (see :func:`load_config`); without it the file is called ``config``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from pharmtwin import facts
from pharmtwin.findings import Finding
from pharmtwin.intake.columns import SCHEMAS
from pharmtwin.untrusted import compose_yaml, construct

DEFAULT_CONFIG = SCHEMAS.parent / "config.yaml"
TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a block of keys",
}
ACTIVITY_MAPS = "genes/clearance_maps.tsv"
#: files that are read by one stage alone, and what for
NAMED_FILES = {
    "paths.published": "the model is held against this table",
    "paths.plan": "the fit waits for the analysis plan",
    "paths.targets": "the dose table judges doses by these ranges",
    "dossier.about": "the dossier is made from these statements",
}
SCORE_FILES = ("files", "panel", "panel_groups")
Places = dict[str, tuple[str, int]]


@lru_cache(maxsize=1)
def config_schema() -> dict[str, Any]:
    """JSON Schema of the configuration."""
    return dict(json.loads((SCHEMAS / "config.schema.json").read_text(encoding="utf-8")))


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` on ``base``: blocks are merged key by key, everything else is replaced (Snakemake's way)."""
    out = dict(base)
    for key, value in over.items():
        both_blocks = isinstance(value, Mapping) and isinstance(out.get(key), Mapping)
        out[key] = merge(out[key], value) if both_blocks else value
    return out


def named_files(config: Mapping[str, Any]) -> dict[str, list[str]]:
    """Files that the configuration names, by dotted key, but for the VCFs of the twins; empty settings are left out."""
    paths, scores = config.get("paths"), config.get("scores")
    cells: dict[str, Any] = {f"paths.{k}": v for k, v in paths.items()} if isinstance(paths, Mapping) else {}
    cells |= {f"scores.{k}": scores.get(k) for k in SCORE_FILES} if isinstance(scores, Mapping) else {}
    cells.pop("paths.vcf_dir", None)
    cells["scores.panel"] = str(cells.get("scores.panel") or "").split(";")
    listed = {k: v if isinstance(v, list) else [v] for k, v in cells.items()}
    return {k: [str(f).strip() for f in v if f] for k, v in listed.items() if any(v)}


def read_config(path: str, base: Path = Path(".")) -> tuple[dict[str, Any] | None, Places, list[Finding]]:
    """One configuration file: its content (None if unreadable), where each dotted key stands, and findings."""

    def broken(rule: str, what: str, fix: str, row: int = 0) -> tuple[None, Places, list[Finding]]:
        why = "no setting can be read from it, so the sheets it names were not checked in this run"
        return None, {}, [Finding.create(rule, path, what, why, fix, row=row)]

    try:
        text = (base / path).read_text(encoding="utf-8-sig")
        loader, node = compose_yaml(text)
        content = None if node is None else construct(loader, node)
    except FileNotFoundError:
        return broken("config.file_missing", "the configuration file does not exist", "correct the path")
    except (OSError, UnicodeDecodeError) as error:
        return broken("config.file_missing", f"cannot be read ({type(error).__name__})", "save it as UTF-8 text")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        fix = "correct the line: 'key: value', indented by blanks (never tabs), one level two blanks"
        return broken("config.yaml_syntax", f"is not valid YAML: {problem}", fix, mark.line + 1 if mark else 0)
    if content is None:
        return {}, {}, []
    if not isinstance(content, dict):
        what = f"holds {'a list' if isinstance(content, list) else 'a single value'}, not keys with values"
        return broken("config.not_mapping", what, "write lines of the form 'key: value'", 1)
    places: Places = {}
    return content, places, _walk(path, node, "", places)


def _walk(path: str, node: yaml.Node | None, prefix: str, places: Places) -> list[Finding]:
    """Note the line of every key; findings are keys that stand twice (YAML keeps the last in silence)."""
    findings: list[Finding] = []
    if not isinstance(node, yaml.MappingNode):
        return findings
    for key_node, value_node in node.value:
        key, row = f"{prefix}{key_node.value}", key_node.start_mark.line + 1
        if key in places:
            what, why = f"the key stands in line {places[key][1]} too", "only the last of them counts"
            fix = "delete one of the two"
            findings.append(Finding.create("config.key_twice", path, what, why, fix, row=row, column=key))
        places[key] = (path, row)
        findings += _walk(path, value_node, f"{key}.", places)
    return findings


def load_config(files: Sequence[str], base: Path = Path(".")) -> tuple[dict[str, Any] | None, Places, list[Finding]]:
    """Defaults with ``files`` merged over them in order.

    The defaults are ``config/config.yaml`` of the working directory, or that of the package's checkout.
    The configuration is None if any file could not be read. ``places``: dotted key -> (file, line).
    """
    default = "config/config.yaml" if (base / "config/config.yaml").is_file() else str(DEFAULT_CONFIG)
    config: dict[str, Any] = {}
    places: Places = {}
    findings: list[Finding] = []
    readable = True
    for path in dict.fromkeys([default, *files]):
        content, its_places, its_findings = read_config(path, base)
        findings += its_findings
        readable = readable and content is not None
        config = merge(config, content or {})
        places.update(its_places)
    return (config if readable else None), places, findings


def setting(config: Mapping[str, Any], key: str, default: Any) -> Any:
    """Value of a dotted key if it is there and of the default's type, else the default (its finding is made here)."""
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value if isinstance(value, type(default)) else default


def drug_name(config: Mapping[str, Any]) -> str:
    """Name of the configured drug: the name itself, or the stem of its .yaml path."""
    drug = setting(config, "drug", "")
    return Path(drug).stem if drug.endswith((".yaml", ".yml")) else drug


def available_drugs() -> list[str]:
    """Names of the drug files in ``resources/drugs/twin``."""
    return sorted(p.stem for p in (facts.RESOURCES / "drugs" / "twin").glob("*.yaml"))


def library_drugs() -> list[str]:
    """Names of all drugs of the library and of the twin's drugs."""
    folder = facts.RESOURCES / "drugs"
    return sorted({p.stem for p in folder.glob("*.yaml")} | set(available_drugs()))


def check_config(config: Mapping[str, Any], base: Path = Path("."), places: Places | None = None) -> list[Finding]:
    """All findings on keys and values, and on the drug file and the published table that they name."""
    places = places or {}
    findings = []
    for error in Draft202012Validator(config_schema()).iter_errors(dict(config)):
        findings += _explain(error, places)
    drug = setting(config, "drug", "")
    if drug.endswith((".yaml", ".yml")):
        lacking = not os.path.isfile(base / drug)
    else:
        lacking = bool(drug) and drug not in available_drugs()
    if lacking:
        listed = ", ".join(available_drugs()) or "none"
        fix = f"available drugs: {listed}; or give the path of your own .yaml file"
        what = "there is no such drug file"
        findings.append(_at(places, "drug", "config.drug_unknown", drug, what, "nothing is known of the drug", fix))
    for key, why in NAMED_FILES.items():
        named = setting(config, key, "")
        if named and not os.path.isfile(base / named):
            what, fix = "there is no such file", 'correct the path, or write "" for none'
            findings.append(_at(places, key, "config.file_missing", named, what, why, fix))
    base_size, max_size = (setting(config, f"sensitivity.{key}", 0) for key in ("sobol_base", "max_base"))
    if base_size and max_size and base_size > max_size:
        what, why = f"is smaller than sobol_base ({base_size})", "the sample size only grows"
        findings.append(
            _at(places, "sensitivity.max_base", "config.out_of_range", max_size, what, why, "make it at least as large")
        )
    return (
        findings
        + _odd_texts(config, places)
        + _named_rows(config, places)
        + _targets(config, base)
        + _regimens(config, base, places)
    )


def _odd_texts(config: Mapping[str, Any], places: Places) -> list[Finding]:
    """Texts with control characters, and files whose names Snakemake would take for patterns."""

    def texts(value: object, key: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, Mapping):
            for name, part in value.items():
                yield from texts(part, f"{key}.{name}" if key else str(name))
        elif isinstance(value, list):
            for part in value:
                yield from texts(part, key)
        elif isinstance(value, str):
            yield key, value

    findings = []
    for key, text in texts(config, ""):
        if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text):
            what, why = "holds a control character (a tab, a line end)", "it would change paths and messages"
            findings.append(_at(places, key, "config.control", text, what, why, "write it on one line without tabs"))
    named = [(k, f) for k, files in named_files(config).items() for f in files]
    named += [(k, setting(config, k, "")) for k in ("drug", "dossier.about", "qualification.data", "paths.vcf_dir")]
    for key, file in named:
        if "{" in file or "}" in file:
            what, why = "the name of the file holds a brace", "Snakemake takes braces for a pattern of many files"
            findings.append(_at(places, key, "config.brace", file, what, why, "rename the file"))
    folder = setting(config, "paths.vcf_dir", "")
    if ";" in folder:
        what, why = "the name of the folder holds a semicolon", "semicolons part the VCFs of a twin"
        findings.append(_at(places, "paths.vcf_dir", "config.semicolon", folder, what, why, "rename the folder"))
    return findings


def _targets(config: Mapping[str, Any], base: Path) -> list[Finding]:
    """What is wrong with the table of target ranges."""
    named = setting(config, "paths.targets", "")
    if not named or not (base / named).is_file():
        return []
    from pharmtwin.core.targets import faults, read_targets

    why, fix = "no dose can be judged by this range", "correct the cell"
    try:
        wrong = faults(read_targets(base / named))
    except (ValueError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())
        return [Finding.create("targets.unreadable", named, said, why, "save it as tab-separated UTF-8 text")]
    return [
        Finding.create("targets.cell", named, what, why, fix, row=line, column=column, value=value)
        for line, column, value, what in wrong
    ]


def _regimens(config: Mapping[str, Any], base: Path, places: Places) -> list[Finding]:
    """Drugs of ``exposures.regimens`` without a file; their content is checked where they are read."""
    library = facts.RESOURCES / "drugs"
    findings = []
    for regimen in setting(config, "exposures.regimens", []):
        drug = regimen.get("drug") if isinstance(regimen, Mapping) else None
        if not isinstance(drug, str) or not drug:
            continue  # the schema says so
        own = drug.endswith((".yaml", ".yml"))
        if not ((base / drug) if own else library / f"{drug}.yaml").is_file():
            known = ", ".join(sorted(p.stem for p in library.glob("*.yaml")))
            what, why = "there is no such drug file", "nothing is known of the drug"
            fix = f"the library has: {known}; or give the path of your own .yaml file"
            findings.append(_at(places, "exposures.regimens", "config.drug_unknown", drug, what, why, fix))
    return findings


def _named_rows(config: Mapping[str, Any], places: Places) -> list[Finding]:
    """Genes and named alternatives that the resource tables do not have."""
    genes = [gene for gene in setting(config, "genome.genes", []) if isinstance(gene, str)]
    wanted = (
        ("genome.genes", genes, "genes/definitions.tsv", "gene"),
        ("genome.activity_map", [setting(config, "genome.activity_map", "")], ACTIVITY_MAPS, "map_name"),
        ("genome.phenotype_scheme", [setting(config, "genome.phenotype_scheme", "")], "genes/phenotypes.tsv", "scheme"),
    )
    findings = []
    for key, names, table, column in wanted:
        rows = facts.fact_table(table)
        if table == ACTIVITY_MAPS:  # the maps that genome.function.factors.activity_maps gives
            rows = rows[(rows["gene"] == "CYP2D6") & (rows["quantity"] == "enzyme_clint") & (rows["form"] != "classes")]
        known = sorted(set(rows[column]))
        for name in (n for n in names if n and n not in known):
            what, why = f"resources/{table} has no such {column}", "there are no facts to work with"
            fix = f"write one of {', '.join(known)}"
            findings.append(_at(places, key, "config.choice", name, what, why, fix))
    return findings


def _at(places: Places, key: str, rule: str, value: object, what: str, why: str, fix: str) -> Finding:
    """Finding at the line of a key, or of the nearest block around it that has a line."""
    parts = key.split(".")
    near = next((p for n in range(len(parts), 0, -1) if (p := places.get(".".join(parts[:n])))), ("config", 0))
    return Finding.create(rule, near[0], what, why, fix, row=near[1], column=key, value=value)


def _explain(error: ValidationError, places: Places) -> list[Finding]:
    """Findings of one schema error, in the words of the schema's descriptions."""
    path = [str(part) for part in error.absolute_path if not isinstance(part, int)]
    key, rule = ".".join(path), error.validator
    expected: Any = error.validator_value
    instance: Any = error.instance
    schema: Any = error.schema
    if rule == "additionalProperties":
        known = list(schema["properties"])
        return [_unknown_key([*path, str(k)], known, places) for k in instance if k not in known]
    if rule == "required":
        # jsonschema reports each missing key once, and names it in the message only
        missing = next(k for k in expected if k not in instance and error.message.startswith(repr(k)))
        what = f"it is {schema['properties'][missing]['description']}"
        full = ".".join([*path, missing])
        fix = "add the key, as in config/config.yaml"
        return [_at(places, full, "config.key_missing", "", "the key is missing", what, fix)]
    value = instance if isinstance(instance, (str, int, float)) else ""
    why = f"it is {schema.get('description', 'an entry of the list ' + key)}"
    if rule == "type":
        what = f"is not {TYPES[str(expected)]}"
        hint = "a number with an exponent needs a point, e.g. 1.0e-4" if _looks_like_exponent(value) else ""
        return [_at(places, key, "config.type", value, what, why, hint or f"write {TYPES[str(expected)]}")]
    if rule == "enum":
        near = get_close_matches(str(value), [str(v) for v in expected], n=1)
        listed = ", ".join(str(v) for v in expected)
        fix = f"write {near[0]} if that is meant" if near else "write one of them"
        return [_at(places, key, "config.choice", value, f"is not one of {listed}", why, fix)]
    if rule in ("minimum", "maximum", "multipleOf"):
        side = {"minimum": "at least", "maximum": "at most", "multipleOf": "a multiple of"}[str(rule)]
        return [
            _at(places, key, "config.out_of_range", value, f"must be {side} {expected:g}", why, "correct the value")
        ]
    what = {
        "pattern": f"is not of the form {expected}",
        "minLength": "is empty",
        "minItems": "the list is empty",
        "uniqueItems": "an entry of the list stands there twice",
    }.get(str(rule), str(error.message))
    return [_at(places, key, "config.form", value, what, why, "correct the value, as in config/config.yaml")]


def _looks_like_exponent(value: object) -> bool:
    try:
        return isinstance(value, str) and "e" in value.lower() and bool(float(value))
    except ValueError:
        return False


def _unknown_key(path: list[str], known: list[str], places: Places) -> Finding:
    """An unknown key with the nearest known one, here or elsewhere in the configuration."""
    full, key = ".".join(path), path[-1]
    near = get_close_matches(key, known, n=1)
    elsewhere = [k for k in _all_keys(config_schema()) if k.split(".")[-1] == key]
    if elsewhere:
        fix = f"did you mean {elsewhere[0]}? Indent it under its block"
    elif near:
        fix = f"did you mean {'.'.join([*path[:-1], near[0]])}?"
    else:
        fix = f"delete it; known here: {', '.join(known)}"
    return _at(places, full, "config.unknown_key", "", "the key is not known", "it would have no effect", fix)


def _all_keys(schema: Mapping[str, Any], prefix: str = "") -> list[str]:
    keys = []
    for name, part in schema.get("properties", {}).items():
        keys += [f"{prefix}{name}", *_all_keys(part, f"{prefix}{name}.")]
    return keys
