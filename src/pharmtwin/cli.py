"""The ``pharmtwin`` command: one function a sub-command, heavy imports inside it."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from pharmtwin import __version__


def genome(arguments: argparse.Namespace) -> int:
    """Star alleles of one VCF, without a study: a table on standard output or in a file; 1 if it cannot be read."""
    from pathlib import Path

    from pharmtwin.findings import Finding, has_errors
    from pharmtwin.genome.definitions import ANCESTRIES, GENES
    from pharmtwin.genome.quick import activity_table, call_table, match_table
    from pharmtwin.genome.reading.vcf import VcfError
    from pharmtwin.genome.release import definition_version
    from pharmtwin.intake.config import load_config
    from pharmtwin.tables.spreadsheet import tsv

    genes = arguments.genes or list(GENES)
    unknown = [g for g in genes if g not in GENES]
    if unknown or arguments.ancestry not in ANCESTRIES:
        print(f"unknown: {unknown or arguments.ancestry}; genes: {', '.join(GENES)}; ancestries: {ANCESTRIES}")
        return 1
    findings: list[Finding] = []
    try:
        if arguments.matching:
            table = match_table(Path(arguments.vcf), genes, every=arguments.all, combine=arguments.combinations)
        else:
            config, _, _ = load_config([])
            given = {"genes": genes, "absent_positions": arguments.absent, "build": arguments.build}
            evidence = {"callable_bed": arguments.callable, "pedigree": arguments.pedigree}
            settings = {**(config or {})["genome"], **given}
            if arguments.activity:
                table, findings = activity_table(Path(arguments.vcf), settings, **evidence)
            else:
                table, findings = call_table(Path(arguments.vcf), settings, ancestry=arguments.ancestry, **evidence)
    except VcfError as error:
        print(error, file=sys.stderr)
        return 1
    print("".join(f"{f.message()}\n" for f in findings), end="", file=sys.stderr)
    if has_errors(findings):
        return 1
    text = f"# definitions: {definition_version()}; for research use only\n"
    text += tsv(table)
    if arguments.out:
        Path(arguments.out).write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return 0


def cohort(arguments: argparse.Namespace) -> int:
    """A virtual population as a twins sheet labelled synthetic; 1 if the request is impossible."""
    from pathlib import Path

    from pharmtwin.body.people.cohort import cohort as draw
    from pharmtwin.cohorts.sheet import write_sheet

    def number(option: str, text: str, form: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise ValueError(f"{option}: write {form}") from None

    def span(option: str, text: str, form: str) -> tuple[float, float]:
        low, _, high = text.partition("-")
        return number(option, low, form), number(option, high, form)

    out = Path(arguments.out)
    try:
        if not out.parent.is_dir():
            raise ValueError(f"there is no folder {out.parent}; make it, or write --out elsewhere")
        shares = [(part, *part.partition("=")[::2]) for part in arguments.ancestry]
        mix = {a: number(f"--ancestry {part}", s, "ANCESTRY=SHARE, e.g. EUR=0.6 AFR=0.4") for part, a, s in shares}
        limits = [(part, *part.partition("=")[::2]) for part in arguments.filter]
        filters = {c: span(f"--filter {part}", r, "COLUMN=FROM-TO, e.g. bmi=18.5-30") for part, c, r in limits}
        age = span(f"--age {arguments.age}", arguments.age, "FROM-TO, e.g. 18-65 (one age: 40-40.9)")
        drawn = draw(
            arguments.n,
            arguments.seed,
            age=age,
            ages=arguments.ages,
            female_share=arguments.female,
            ancestry=mix or None,
            filters=filters,
            children=arguments.children,
        )
        write_sheet(out, drawn, arguments.seed, arguments.genes)
    except (KeyError, ValueError) as error:
        print(f"cohort: {error.args[0]}", file=sys.stderr)
        return 1
    print(f"{arguments.n} synthetic people in {arguments.out}; accepted {100 * drawn.acceptance:.3g} % of those drawn")
    print("\n".join(drawn.notes))
    return 0


def _reference_man() -> dict[str, float]:
    """Quantities of the reference man (35 years, 73 kg) by name."""
    from pharmtwin.body.physiology import physiology, reference_twins

    table = physiology(reference_twins())
    return dict(table[table["twin_id"] == "population_M"].set_index("quantity")["value"])


#: commands that read their own arguments: module, function, words; those that need the reference man get him too
OWN = {
    "check": ("intake.command", "main",
              "check a study's config, sheets and VCFs, or a data set alone, and say all that is wrong"),
    "drug": ("drugs.command", "main",
             "drug files of schema 2: check one, simulate a dose, draft one from published tables"),
    "ddi": ("ddi.command", "main", "static interaction models of ICH M12 and their decision table"),
    "fit": ("qualification.fitting.command", "main",
            "estimate a drug's values on its building set, as resources/qualification/plan.yaml says"),
    "qualify": ("qualification.command", "main",
                "simulate published studies with the drug library: tables and figures of accuracy"),
    "map": ("inference.nonmem.command", "main",
            "conditional modes (MAP) of a population model and data; of a folder of models, beside NONMEM's"),
    "estimate": ("inference.estimation.command", "main",
                 "maximum likelihood of a population model: FO, FOCE, FOCEI, Laplace, adaptive quadrature"),
    "population": ("inference.population_fit.command", "main",
                   "posterior of a population model by NUTS, with its checks; a prior for twin and dose"),
    "twin": ("inference.command", "twin", "one person's posterior from a population model and samples"),
    "dose": ("inference.command", "dose", "a licensed dose under one person's posterior, and when to sample next"),
    "nca": ("nca.command", "main", "non-compartmental analysis: all parameters, a reason for each that is missing"),
    "be": ("bioequivalence.command", "main", "bioequivalence of a test and a reference, by each regulator's criterion"),
    "sensitivity": ("sensitivity.command", "main",
                    "global sensitivity of a population model or of drugs: Morris, then Sobol, with intervals"),
    "plan": ("dossier.command", "plan", "the analysis plan before the fit: question, criteria, settings, and its hash"),
    "dossier": ("dossier.command", "main",
                "the dossier of a finished run: HTML, DOCX, PDF and an electronic package"),
    "verify": ("provenance.command", "main",
               "a run against its manifest, against a second run, or against a fresh one (--rerun)"),
    "pseudonyms": ("intake.pseudonyms_command", "main",
                   "who is who in a study that ran under pseudonyms (privacy.pseudonyms)"),
    "import-nonmem": ("inference.nonmem.importing.command", "main",
                      "a NONMEM control stream as a population model file, and what was not understood"),
    "import-petab": ("inference.petab.command", "main",
                     "a PEtab problem as a population model: what was understood, and its log-likelihood"),
}  # fmt: skip
NEED_REFERENCE_MAN = ("drug", "ddi")


def run_own(name: str, argv: Sequence[str]) -> int:
    """Run one of :data:`OWN`; heavy modules are imported here."""
    module, function, _ = OWN[name]
    run = getattr(importlib.import_module(f"pharmtwin.{module}"), function)
    return int(run(argv, _reference_man) if name in NEED_REFERENCE_MAN else run(argv))


def parser() -> argparse.ArgumentParser:
    """The command line: every sub-command names its function as ``run``."""
    top = argparse.ArgumentParser(prog="pharmtwin", description="Patient-specific pharmacological digital twins.")
    top.add_argument("--version", action="version", version=f"pharmtwin {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    sub = commands.add_parser("genome", help="star alleles of one VCF, without a study (research use)")
    sub.add_argument("vcf", help="VCF, BCF or gVCF, GRCh38 or GRCh37")
    sub.add_argument("--genes", nargs="+", metavar="GENE", help="default: all")
    sub.add_argument("--ancestry", default="ALL", help="AFR, AMR, EAS, EUR, SAS or ALL (default)")
    sub.add_argument("--absent", default="not_assayed", choices=["not_assayed", "reference"])
    sub.add_argument("--build", default="auto", choices=["auto", "GRCh38", "GRCh37"])
    sub.add_argument("--callable", default="", metavar="BED", help="regions where an absent record means reference")
    sub.add_argument("--pedigree", default="", metavar="PED", help="relatives among the samples, for phase")
    sub.add_argument("--activity", action="store_true", help="activity and factor by ancestry with intervals instead")
    sub.add_argument("--matching", action="store_true", help="exact named-allele matching by PharmCAT's rules instead")
    sub.add_argument("--all", action="store_true", help="with --matching: every matching diplotype, not the best only")
    sub.add_argument("--combinations", action="store_true", help="with --matching: name combinations, partial alleles")
    sub.add_argument("--out", default="", metavar="TSV", help="write here instead of to the screen")
    sub.set_defaults(run=genome)

    sub = commands.add_parser("cohort", help="draw a virtual population as a twins sheet labelled synthetic")
    sub.add_argument("--n", type=int, default=1000, help="how many people (default 1000)")
    sub.add_argument("--seed", type=int, default=1, help="of all random numbers (default 1)")
    sub.add_argument("--age", default="18-80", metavar="FROM-TO", help="years, within 0-95 (default 18-80)")
    sub.add_argument("--ages", default="survey", choices=["survey", "uniform"], help="how ages spread in that range")
    sub.add_argument("--female", type=float, metavar="SHARE", help="0-1; default: as in the survey")
    sub.add_argument(
        "--ancestry",
        nargs="+",
        default=[],
        metavar="A=SHARE",
        help="AFR, AMR, EAS, EUR, SAS, e.g. EUR=0.6 AFR=0.4; default: as in the survey",
    )
    sub.add_argument(
        "--filter",
        nargs="+",
        default=[],
        metavar="C=FROM-TO",
        help="bmi (kg/m2), egfr (mL/min/1.73 m2), weight_kg, height_cm, creatinine_mg_dl, haematocrit (fraction), "
        "e.g. bmi=18.5-30 egfr=60-200",
    )
    sub.add_argument("--children", default="survey", choices=["survey", "charts"], help="US survey, or growth charts")
    sub.add_argument("--genes", nargs="+", default=[], metavar="GENE", help="add a diplotype column for each")
    sub.add_argument("--out", required=True, metavar="TSV")
    sub.set_defaults(run=cohort)

    for name, (_, _, words) in OWN.items():
        commands.add_parser(name, help=words)

    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code. A reader that goes away (``| head``) ends the command without a word."""
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        if given and given[0] in OWN:
            code = run_own(given[0], given[1:])
        else:
            arguments = parser().parse_args(given)
            code = int(arguments.run(arguments))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Python flushes once more at its end: give it somewhere to write
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13  # as a program that SIGPIPE ends


if __name__ == "__main__":
    sys.exit(main())
