"""``pharmtwin check``: a study, a folder or a data set, all findings at once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pharmtwin.findings import Finding, has_errors, sort_findings
from pharmtwin.intake.opening import Excluded, reading_of

SHEETS = (".tsv", ".csv", ".txt", ".dat", ".xlsx", ".xlsm", ".xpt", ".tab", ".prn")
FORMATS = ("text", "tsv", "json", "html")


def parser() -> argparse.ArgumentParser:
    """The words of the command."""
    p = argparse.ArgumentParser(
        prog="pharmtwin check",
        description="Check a study's config, sheets and VCFs, or a data set alone, and say all that is wrong. "
        "Exit code 1 if anything is an error.",
    )
    p.add_argument(
        "study", nargs="*", metavar="STUDY",
        help="a config file (.yaml), a folder with one, or data sets (NM-TRAN, CDISC as CSV or XPT, xlsx)",
    )  # fmt: skip
    p.add_argument("--configfile", nargs="+", action="extend", default=[], metavar="F",
                   help="your config file(s), merged over config/config.yaml in this order")  # fmt: skip
    p.add_argument("--format", choices=FORMATS, default="text", help="what is printed (default: text)")
    p.add_argument("--out", default="", metavar="FOLDER",
                   help="write findings.tsv, .json, .html and excluded.tsv there as well")  # fmt: skip
    p.add_argument("--units", nargs="+", default=[], metavar="COLUMN=UNIT",
                   help="units of a data set's columns, e.g. AMT=mg DV=ng/mL")  # fmt: skip
    p.add_argument("--timezone", default="", metavar="ZONE",
                   help="time zone of a data set's clock times without an offset, e.g. Europe/Berlin")  # fmt: skip
    p.add_argument(
        "--repair", nargs="+", default=[], metavar="REPAIR", help="repairs that may be made (docs/findings.md)"
    )
    p.add_argument("--no-vcf", action="store_true", help="do not look into the VCFs")
    return p


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit code."""
    words = parser().parse_args(argv)
    findings, excluded = check(words)
    findings = sort_findings(findings)
    print(_printed(findings, excluded, words), end="")
    if words.out:
        from pharmtwin.intake.output import write_all

        written = write_all(findings, excluded, Path(words.out), "Findings in the input")
        print(f"written: {', '.join(str(p) for p in written)}", file=sys.stderr)
    return 1 if has_errors(findings) else 0


def _printed(findings: list[Finding], excluded: list[Excluded], words: argparse.Namespace) -> str:
    from pharmtwin.intake.check import format_findings
    from pharmtwin.intake.output import as_json, as_page, as_tsv

    if words.format == "text":
        return format_findings(findings) + "\n"
    if words.format == "html":
        return as_page(findings, "Findings in the input", excluded)
    return as_json(findings) if words.format == "json" else as_tsv(findings)


def check(words: argparse.Namespace) -> tuple[list[Finding], list[Excluded]]:
    """Findings and rows that are not used, of everything that the command names."""
    configs = [*words.configfile, *(s for s in words.study if s.endswith((".yaml", ".yml")))]
    others = [s for s in words.study if s not in configs]
    out = _check_study(configs, Path("."), words) if configs or not others else ([], [])
    for name in others:
        found = _check_folder(name, words) if Path(name).is_dir() else _check_data(name, words)
        out = (out[0] + found[0], out[1] + found[1])
    return out


def _check_study(files: Sequence[str], base: Path, words: argparse.Namespace) -> tuple[list[Finding], list[Excluded]]:
    from pharmtwin.intake.check import check_all
    from pharmtwin.intake.config import load_config
    from pharmtwin.intake.hiding import without_ids

    config, places, findings = load_config(files, base)
    if config is None:
        return findings, []
    _over(config, words)
    found, excluded = check_all(config, base, vcf=not words.no_vcf, places=places)
    return without_ids(findings + found, excluded, config, base)


def _over(config: dict[str, Any], words: argparse.Namespace) -> None:
    """What the command line states besides the configuration."""
    intake = config.get("intake")
    if isinstance(intake, dict):
        stated = {"timezone": words.timezone or intake.get("timezone", "")}
        stated["units"] = {**intake.get("units", {}), **_units(words)}
        stated["repairs"] = [*dict.fromkeys([*intake.get("repairs", []), *words.repair])]
        config["intake"] = {**intake, **stated}


def _units(words: argparse.Namespace) -> dict[str, str]:
    return {column: unit for column, _, unit in (u.partition("=") for u in words.units)}


def _check_folder(name: str, words: argparse.Namespace) -> tuple[list[Finding], list[Excluded]]:
    """A folder with one config file is a study whose paths start there; else each sheet in it is a data set."""
    folder = Path(name)
    configs = sorted(p.name for p in folder.glob("*.y*ml") if _is_config(p))
    if configs:
        return _check_study(configs, folder, words)
    sheets = sorted(p for p in folder.iterdir() if p.suffix.lower() in SHEETS)
    if not sheets:
        what = "the folder holds neither a config file nor a sheet"
        fix = f"name a config file, or a data set ({', '.join(SHEETS)})"
        return [Finding.create("config.file_missing", name, what, "there is nothing to check", fix)], []
    out: tuple[list[Finding], list[Excluded]] = ([], [])
    for path in sheets:
        found = _check_data(str(path), words)
        out = (out[0] + found[0], out[1] + found[1])
    return out


def _is_config(path: Path) -> bool:
    """A YAML file with a block ``paths``."""
    from pharmtwin.intake.config import read_config

    content = read_config(path.name, path.parent)[0]
    return content is None or "paths" in content


def _check_data(path: str, words: argparse.Namespace) -> tuple[list[Finding], list[Excluded]]:
    from pharmtwin.intake.dataset import check_data_set

    reading = replace(reading_of({}), timezone=words.timezone, units=_units(words), repairs=frozenset(words.repair))
    _, findings, excluded = check_data_set(path, reading=reading)
    return findings, excluded
