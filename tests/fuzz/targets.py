"""Every parser of what a user may hand in, by name: a table that a new parser joins with one entry.

A target gets the path of a file and reads it as the program would. What it may raise is in ``errors``: the parser's own
error, which carries a message for the user. Any other exception is a fault, and so is a result that takes longer than
``seconds``. ``seeds`` are files of the repository that the fuzzer begins with, beside ``corpus/<name>``.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(__file__).resolve().parent / "corpus"
STUDY = "tests/fuzz/study"


@dataclass(frozen=True)
class Target:
    """One parser. words: what its language is made of. needs: package without which it is left out. seconds: a hang."""

    read: Callable[[Path], object]
    suffix: str
    errors: Callable[[], tuple[type[BaseException], ...]] = tuple
    seeds: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    needs: str = ""
    seconds: int = 20


TARGETS: dict[str, Target] = {}
CELLS = ("\t", "\n", "\r\n", ";", ",", "NA", ".", "1e5", "007", "-1", "0", "1e999", "inf", "1,5", "\x00", "\ufeff", '"',
         "=1+1", "T1", "evid")  # fmt: skip
YAML = (": ", "- ", "{", "}", "[", "]", "&a ", "*a", "<<: ", "!!python/object/apply:os.system ", "~", "|\n", "? ",
        "#", "1e400", "2001-02-30", ".nan", "!!int ", "!!timestamp ", "0x", "1:30", "'", '"', "\\x01", "---\n",
        "\t")  # fmt: skip


def target(name: str, suffix: str, **about: Any) -> Callable[[Callable[[Path], object]], Callable[[Path], object]]:
    """Enter a function in the table."""

    def enter(read: Callable[[Path], object]) -> Callable[[Path], object]:
        try:
            there = not about.get("needs") or importlib.util.find_spec(about["needs"]) is not None
        except ModuleNotFoundError:
            there = False
        if there:
            TARGETS[name] = Target(read, suffix, **about)
        return read

    return enter


def text_of(path: Path) -> str:
    """Text of an input for the parsers that take text; bytes that are none become marks."""
    return path.read_bytes().decode("utf-8", errors="replace")


def parts_of(path: Path) -> dict[str, str]:
    """Several files in one input: each begins after a line ``=== name``."""
    found: dict[str, str] = {}
    for part in ("\n" + text_of(path)).split("\n=== ")[1:]:
        name, _, text = part.partition("\n")
        found[name.strip()] = text
    return found


# ---- the study: configuration and sheets


SHEETS = ("twins", "events", "scenarios", "structure_calls")


@functools.cache
def _defaults() -> dict[str, Any]:
    from pharmtwin.intake.config import load_config

    config, _, _ = load_config([])
    assert config is not None
    own = {table: f"{STUDY}/{table}.tsv" for table in SHEETS}
    return {**config, "paths": {**config["paths"], **own}, "fit": {**config["fit"], "enabled": False}}


def _study(table: str, path: Path) -> object:
    from pharmtwin.intake import study
    from pharmtwin.intake.check import format_findings
    from pharmtwin.workflow.plan import make_plan

    config = {**_defaults(), "paths": {**_defaults()["paths"], table: str(path)}}
    with mock.patch.object(study, "check_config", lambda *_: []):  # it has a target of its own, and takes most time
        tables, found = study.read_tables(config, ROOT)
    format_findings(found)
    if not any(f.severity == "error" for f in found):
        study.build_study(config, tables)
        make_plan(config, ROOT)
    return found


for _table in SHEETS:
    target(
        f"sheet_{_table}", ".tsv", seeds=(f"{STUDY}/{_table}.tsv",), words=CELLS
    )(functools.partial(_study, _table))  # fmt: skip


@target("bodies", ".tsv", seeds=(f"{STUDY}/twins.tsv",), words=(*CELLS, "liver_cirrhosis", "2000", "1e-9"))
def bodies(path: Path) -> object:
    from pharmtwin.intake.check import check_study

    return check_study({**_defaults(), "paths": {**_defaults()["paths"], "twins": str(path)}}, ROOT, vcf=False)


@target("config", ".yaml", seeds=("config/config.yaml",), words=YAML)
def config(path: Path) -> object:
    from pharmtwin.intake.check import check_study
    from pharmtwin.intake.config import check_config, merge, read_config

    content, places, findings = read_config(str(path))
    if content is None:
        return findings
    findings += check_config(content, ROOT, places)
    whole = merge(_defaults(), content)
    if not any(f.severity == "error" for f in check_config(whole, ROOT, places)):
        findings += check_study(whole, ROOT, vcf=False, places=places)
    return [f.message() for f in findings]


# ---- drugs


@target("drug", ".yaml", seeds=("resources/drugs/caffeine.yaml",), words=YAML)
def drug(path: Path) -> object:
    from pharmtwin.drugs.read import check_drug

    return check_drug(path)


def _drug_error() -> tuple[type[BaseException], ...]:
    from pharmtwin.core.drug import DrugFileError

    return (DrugFileError,)


@target("drug_twin", ".yaml", seeds=("resources/drugs/twin/paroxetine.yaml",), words=YAML, errors=_drug_error)
def drug_twin(path: Path) -> object:
    from pharmtwin.core.drug import load_drug

    return load_drug(str(path))


# ---- genomes


def _vcf_error() -> tuple[type[BaseException], ...]:
    from pharmtwin.genome.reading.vcf import VcfError

    return (VcfError,)


@target("vcf", ".vcf", words=("0/1", "0|1", "./.", "<DEL>", "GT:DP:GQ", "PASS", "chr10", "\t", "##", "END=", "*", "."))
def vcf(path: Path) -> object:
    from pharmtwin.genome.reading.checks import vcf_findings

    return vcf_findings(str(path), None, genes=["CYP2C19", "CYP2D6"])


@target("vcf_sites", ".vcf", errors=_vcf_error, words=("0/1", "0|1", "./.", "<*>", "GT", "chr10", "\t", "END=9"))
def vcf_sites(path: Path) -> object:
    from pharmtwin.genome.reading.vcf import read_sites

    return read_sites(path, ["CYP2C19"], absent="reference")


@target("bed", ".bed", words=("chr10", "\t", "track", "1", "99999999999999999999"))
def bed(path: Path) -> object:
    from pharmtwin.genome.reading.bed import BedError, bed_findings, read_bed

    found = bed_findings(path)
    if not any(f.severity == "error" for f in found):
        try:
            read_bed(path)
        except BedError as error:
            raise AssertionError("the check passed what the reader refuses") from error
    return found


@target("ped", ".ped", words=("\t", "0", "F", "S1", "#"))
def ped(path: Path) -> object:
    from pharmtwin.genome.calling.pedigree import read_ped

    return read_ped(path)


def _outside_error() -> tuple[type[BaseException], ...]:
    from pharmtwin.genome.outside.parsers import OutsideError

    return (OutsideError,)


@target("outside_calls", ".tsv", words=("CYP2D6", "*1/*2", "*4x2", "+", "\t", "Sample", "Genotype", "Filter", "{", "}"))
def outside_calls(path: Path) -> object:
    from pharmtwin.genome.outside.table import read_outside

    return read_outside(path)


@target("alignments", ".tsv", words=("sample", "bam", "reference", "\t"))
def alignments(path: Path) -> object:
    from pharmtwin.genome.reads.sheet import alignment_findings

    return alignment_findings(path, ["S1"])


@target("scoring_file", ".txt", words=("rsID", "chr_name", "effect_allele", "effect_weight", "#genome_build=", "\t"))
def scoring_file(path: Path) -> object:
    from pharmtwin.genome.scores.file import read_scoring_file

    return read_scoring_file(path, "GRCh38")


# ---- population models and their data


def _model_error() -> tuple[type[BaseException], ...]:
    from pharmtwin.inference.models.description import PopulationModelError

    return (PopulationModelError,)


MODEL = "config/examples/population/synthetic_model.yaml"


@target("population_model", ".yaml", seeds=(MODEL, "resources/population/phenobarbital.yaml"), errors=_model_error,
        words=(*YAML, "exp(", "**"))  # fmt: skip
def population_model(path: Path) -> object:
    from pharmtwin.inference.models.read import read_population_model
    from pharmtwin.inference.problem.case import columns_of

    model, data = read_population_model(path)
    return model, columns_of(data, "model")


@functools.cache
def _model() -> Any:
    from pharmtwin.inference.problem.case import read_model

    return read_model(str(ROOT / MODEL), "fuzz")


def _data_error() -> tuple[type[BaseException], ...]:
    from pharmtwin.inference.problem.records import DataError

    return (DataError,)


@target("nmtran_data", ".csv", seeds=("config/examples/population/synthetic_new.csv",), errors=_data_error,
        words=("ID,TIME,AMT", "EVID", "SS", "ADDL", "II", "RATE", *CELLS))  # fmt: skip
def nmtran_data(path: Path) -> object:
    from pharmtwin.inference.problem.case import read_table
    from pharmtwin.inference.problem.records import read_subjects

    model, columns, _ = _model()
    table, found = read_table(str(path), "fuzz")
    return found if table is None else read_subjects(model, table, columns, "data.csv")


for _kind in ("licence", "goal", "components"):

    def _page(path: Path, kind: str = _kind) -> object:
        from pharmtwin.inference.dose import files

        return getattr(files, f"read_{kind}")(str(path), _model()[0])

    _seed = f"config/examples/dose/synthetic_{_kind}.yaml"
    target(f"dose_{_kind}", ".yaml", words=YAML, seeds=(_seed,) if (ROOT / _seed).is_file() else ())(_page)


def _spec_error() -> tuple[type[BaseException], ...]:
    from pharmtwin.sensitivity.spec import SpecError

    return (SpecError,)


@target("sensitivity_spec", ".yaml", words=YAML, errors=_spec_error,
        seeds=("config/examples/sensitivity/mavoglurant.yaml",))  # fmt: skip
def sensitivity_spec(path: Path) -> object:
    from pharmtwin.sensitivity.spec import read_spec

    return read_spec(str(path))


@target("population_draws", ".tsv", words=("chain", "draw", "\t", *CELLS))
def population_draws(path: Path) -> object:
    from pharmtwin.inference.twin.population_file import read_population

    return read_population(str(path), _model()[0], 100)


@target(
    "nonmem_stream",
    ".mod",
    needs="pharmpy",
    errors=_model_error,
    seconds=60,
    words=("$PROBLEM", "$INPUT", "$PK", "$DES", "$ERROR", "$THETA", "$OMEGA BLOCK(2)", "ADVAN2", "DADT(1)", "EXP("),
)
def nonmem_stream(path: Path) -> object:
    from pharmtwin.inference.nonmem.importing.command import imported

    return imported(path)


# ---- exchange


def _exchange_error() -> tuple[type[BaseException], ...]:
    from pharmtwin.exchange.evaluate import ExchangeError

    return (ExchangeError,)


@target(
    "sbml",
    ".xml",
    errors=_exchange_error,
    words=("<sbml", "<species ", "<apply>", "<ci>", "<cn>", "<math", "<reaction", "<event", "</", "/>", "<!ENTITY"),
)
def sbml(path: Path) -> object:
    from pharmtwin.exchange.sbml_import import from_sbml

    return from_sbml(path)


@target(
    "formula", ".txt", errors=_exchange_error, words=("+", "**", "^", "(", ")", "exp", "piecewise(", "9", "e", ",", "<")
)
def formula(path: Path) -> object:
    from pharmtwin.exchange.sbml_math import read_formula

    return read_formula(text_of(path), lambda name: name, "here")


@target(
    "expression", ".txt", words=("+", "**", "(", ")", "exp(", "min(", "9", "e", ",", "<", " if ", "else", "lambda:")
)
def expression(path: Path) -> object:
    from pharmtwin.model.description import Definition, Flux, ModelError, Module, Parameter, State, compose

    text = text_of(path)
    module = Module(
        "m", states=(State("x", "1", "x", 1.0),), parameters=(Parameter("p", "1", "p"),),
        definitions=(Definition("d", text, "1", "d"),), fluxes=(Flux("f", text, "1/h", target="x"),),
    )  # fmt: skip
    try:
        return compose("m", [module], ["d"]).digest
    except ModelError:
        return None


@target("petab", ".txt", errors=_exchange_error, words=("=== ", "\t", "parameterId", "observableId", "problem.yaml"))
def petab(path: Path) -> object:
    from pharmtwin.exchange.petab import load_problem
    from pharmtwin.untrusted import inside

    folder = path.with_name("petab")
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, text in parts_of(path).items():
        if inside(name) and "/" not in name and "\\" not in name and len(name) < 60:
            (folder / name).write_text(text, encoding="utf-8")
    if not (folder / "problem.yaml").is_file():
        return None
    return load_problem(folder / "problem.yaml")


# ---- tables of other commands, texts


@target("nca_table", ".csv", words=("ID,TIME,DV", "AMT", "BLQ", "<0.5", *CELLS))
def nca_table(path: Path) -> object:
    from pharmtwin.nca.read import read_profiles

    return read_profiles(str(path))


@target("be_table", ".csv", words=("subject,period,sequence,treatment,AUC", "R", "T", *CELLS))
def be_table(path: Path) -> object:
    from pharmtwin.bioequivalence.read import read_studies

    return read_studies(str(path))


@target("dossier", ".yaml", words=YAML, seeds=("config/examples/dossier/demo.yaml",))
def dossier(path: Path) -> object:
    from pharmtwin.dossier.about import blank_findings, read_about

    about, findings = read_about(str(path))
    return findings if about is None else blank_findings(about, "warning")


def _unreadable() -> tuple[type[BaseException], ...]:
    from pharmtwin.qualification.reading.regimen_text import Unreadable

    return (Unreadable,)


@target("regimen_published", ".txt", errors=_unreadable,
        words=("S0", "-T24", "-R14", "/", ",", ";", "(10 mg)", "200mg: ", "Day1:", "first 10, then 75"))  # fmt: skip
def regimen_published(path: Path) -> object:
    from pharmtwin.qualification.reading.regimen_text import events

    times, _, dose = text_of(path).partition("\n")
    return events(times, dose)


@target("units", ".txt", words=("mg/L", "ng/mL", "µg", "kg", "\n"))
def units(path: Path) -> object:
    from pharmtwin.units import UnitError, convert

    quantity, _, unit = text_of(path).partition("\n")
    try:
        return convert(1.0, quantity, unit, "kg")
    except UnitError:
        return None


# ---- the door of the intake: spreadsheets, transport files, regimens, clock times


@target(
    "xlsx",
    ".txt",
    needs="pharmtwin.intake.xlsx",
    words=("=== ", "<row ", "<c ", "<v>", "</c>", 't="s"', "<mergeCell ", "<f>", "<!ENTITY", "1e308", "A1:ZZ9999999"),
)
def xlsx(path: Path) -> object:
    """The XML parts of a workbook, zipped here: bytes changed inside of a zip would only break its check sum."""
    from pharmtwin.intake.xlsx import parse_xlsx

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in parts_of(path).items():
            if name.isprintable() and 0 < len(name) < 200:  # other names are the writer's trouble, not the reader's
                archive.writestr(name, text)
    return parse_xlsx(packed.getvalue(), "a.xlsx")


@target("xlsx_bytes", ".xlsx", needs="pharmtwin.intake.xlsx", words=("PK\x03\x04", "PK\x05\x06"))
def xlsx_bytes(path: Path) -> object:
    from pharmtwin.intake.xlsx import parse_xlsx

    return parse_xlsx(path.read_bytes(), "a.xlsx")


@target("xport", ".xpt", needs="pharmtwin.intake.xport", words=("HEADER RECORD*******", "NAMESTR", "OBS", "LIBV8"))
def xport(path: Path) -> object:
    from pharmtwin.intake.xport import parse_xport

    return parse_xport(path.read_bytes(), "a.xpt")


def _regimen_error() -> tuple[type[BaseException], ...]:
    from pharmtwin.intake.regimen_text import RegimenError

    return (RegimenError,)


@target("regimen", ".txt", needs="pharmtwin.intake.regimen_text", errors=_regimen_error,
        words=("20 mg", "q24h", "x 14", "then", "iv", "over", "bid", "loading", "h", "until", "1e9"))  # fmt: skip
def regimen(path: Path) -> object:
    from pharmtwin.intake.regimen_text import parse_regimen

    return parse_regimen(text_of(path))


@target("iso_time", ".txt", needs="pharmtwin.intake.times",
        words=("2026-03-29T02:30", "+01:00", "Z", "Europe/Berlin", "24:00", "W01", "-00:00", "\n", ",5"))  # fmt: skip
def iso_time(path: Path) -> object:
    from pharmtwin.intake.times import instant

    text, _, zone = text_of(path).partition("\n")
    return instant(text, zone)


DATA_SETS = ("nmtran_infusion_steady_state/data.csv", "nmtran_dates/data.csv", "nmtran_changing_covariates/data.csv",
             "adpc_csv/adpc.csv", "regimens_alone/data.csv", "below_limit/data.csv")  # fmt: skip


@target("data_set", ".csv", needs="pharmtwin.intake.dataset",
        seeds=tuple(f"tests/corpus/sound/{name}" for name in DATA_SETS),
        words=(*CELLS, "ID,TIME,AMT,DV\n", "[mg]", "(ug/L)", "2026-03-29T02:30", "#", "20 mg qd x 14"))  # fmt: skip
def data_set(path: Path) -> object:
    """A data set alone, through the door and all rules; as text, with every repair allowed."""
    from pharmtwin.intake.cells import REPAIRS, Reading
    from pharmtwin.intake.dataset import check_data_set
    from pharmtwin.intake.output import as_json, as_page, as_tsv

    reading = Reading(timezone="Europe/Berlin", units={"AMT": "mg", "DV": "ng/mL"}, repairs=frozenset(REPAIRS))
    _, findings, excluded = check_data_set(str(path), reading=reading)
    return as_json(findings), as_tsv(findings), as_page(findings, "fuzz", excluded)
