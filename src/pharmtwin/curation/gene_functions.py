"""Allele functions and diplotype phenotypes of the 19 genes: ``functions.tsv`` and ``phenotypes.tsv``.

Two kinds of rows. *Built* rows are read from open files each time: PharmCAT's phenotype files (CPIC content, CC0), the
CPIC diplotype table of 2022 for CYP2D6 and PyPGx 0.27.0 (MIT) for the genes without a CPIC table. *Curated* rows
(``curated`` = yes) were entered by hand with their source: intervals of activity scores, tandem alleles, G6PD's classes
by sex, assignments newer than the files. :func:`write` keeps curated rows as they are; where one names the same allele
and scheme as a built row, the curated one stands.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd

from pharmtwin.facts import resource_path
from pharmtwin.genome.definitions import natural_key

RELEASE = "PharmCAT data 2025-11-05-00-25"
CPIC_FUNCTION = f"CPIC allele functionality table via {RELEASE}"
CPIC_PHENOTYPE = f"CPIC diplotype-phenotype table via {RELEASE}"
NOT_ASSIGNED = "no CPIC assignment in data 2025-11-05-00-25"
CPIC_2022 = "CPIC diplotype table 2022 via PAnno 0.3.1 (Caudle 2020 consensus, doi:10.1111/cts.12692)"
PYPGX = "PyPGx 0.27.0, not CPIC"
G6PD_SOURCE = "CPIC allele functionality table (WHO class) via PyPGx 0.27.0"

#: genes whose phenotype file PharmCAT ships
CPIC_GENES = ("ABCG2", "CYP2B6", "CYP2C19", "CYP2C9", "CYP3A4", "CYP3A5", "DPYD", "NAT2", "NUDT15", "SLCO1B1", "TPMT",
              "UGT1A1", "VKORC1")  # fmt: skip
#: genes with an activity score: their phenotypes are intervals, which are curated
INTERVAL_GENES = ("CYP2C9", "DPYD")
PYPGX_GENES = ("CYP2C8", "CYP1A2", "ABCB1", "CYP4F2")
GENES = ("CYP2D6", "CYP2C19", "CYP2C9", "CYP2C8", "CYP2B6", "CYP3A4", "CYP3A5", "CYP4F2", "CYP1A2", "UGT1A1", "SLCO1B1",
         "ABCB1", "ABCG2", "DPYD", "TPMT", "NUDT15", "NAT2", "VKORC1", "G6PD")  # fmt: skip

FUNCTION_COLUMNS = ["gene", "allele", "scheme", "function", "activity_value", "curated", "source"]
PHENOTYPE_COLUMNS = ["scheme", "gene", "lower", "lower_closed", "upper", "upper_closed", "function_1", "function_2",
                     "phenotype", "curated", "source"]  # fmt: skip
SCHEME = "cpic2020"
UNKNOWN = "Unknown function"
SCORE_LABEL = {0.0: "No function", 0.25: "Decreased function", 0.5: "Decreased function", 1.0: "Normal function"}
WHO_CLASS = {
    "Class I (Deficient with CNSHA)": "I/Deficient with CNSHA",
    "Class II (Deficient)": "II/Deficient",
    "Class III (Deficient)": "III/Deficient",
    "Class IV (Normal)": "IV/Normal",
    "Unknown Function": "Uncertain function",
}

Row = tuple[str, str, str, float | None, str]


def write(data: Path, out: Path) -> None:
    """Rewrite ``functions.tsv`` and ``phenotypes.tsv`` in ``out`` from the open files below ``data``.

    Curated rows are taken from the tables in ``out``, or from the shipped ones where ``out`` has none; alleles that are
    defined but have no assignment come from ``out/definitions.tsv`` likewise. Raises FileNotFoundError for a lacking
    file and ValueError where a source contradicts itself.
    """
    defined = _shipped(out, "definitions.tsv").groupby("gene", sort=False)["allele"].unique()
    alleles = {gene: [str(a) for a in defined.get(gene, [])] for gene in GENES}
    functions = function_table(data, alleles)
    functions = merged(functions, _shipped(out, "functions.tsv"), ["gene", "allele", "scheme"])
    order = pd.Series(range(len(GENES)), index=GENES)
    functions = functions.assign(_gene=functions["gene"].map(order), _key=functions["allele"].map(natural_key))
    functions = functions.sort_values(["_gene", "_key", "scheme"], kind="stable")[FUNCTION_COLUMNS]
    phenotypes = merged(phenotype_table(data), _shipped(out, "phenotypes.tsv"), [])[PHENOTYPE_COLUMNS]
    for name, table in (("functions", functions), ("phenotypes", phenotypes)):
        table.to_csv(out / f"{name}.tsv", sep="\t", index=False, lineterminator="\n")


def merged(built: pd.DataFrame, shipped: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """Curated rows of ``shipped`` and the built ones; a curated row replaces the built row of the same ``key``."""
    curated = shipped[shipped["curated"] == "yes"].astype(object)
    built = built.astype(object).assign(curated="no")
    if key:
        taken = set(map(tuple, curated[key].fillna("").to_numpy()))
        built = built[[tuple(k) not in taken for k in built[key].fillna("").to_numpy()]]
    return pd.concat([curated, built], ignore_index=True)


def function_table(data: Path, alleles: dict[str, list[str]]) -> pd.DataFrame:
    """Built rows: gene, allele, scheme (empty: every scheme), function, activity_value (empty: none), source.

    ``alleles``: gene -> defined alleles; one without an assignment gets an unknown function, never a normal one.
    """
    rows: list[Row] = []
    for gene in CPIC_GENES:
        rows += _cpic(gene, read_json(data / f"defs/pharmcat_phenotype/{gene}.json.gz"), alleles[gene])
    labels = pd.read_csv(data / "defs/pypgx/allele-table.csv.gz", dtype=str, keep_default_na=False)
    words = {gene: dict(zip(t["StarAllele"], t["Function"])) for gene, t in labels.groupby("Gene")}
    rows += _cyp2d6(data, words["CYP2D6"], alleles["CYP2D6"])
    for gene in PYPGX_GENES:
        named = {a: f for a, f in words[gene].items() if a != "*DEL"}
        for allele in dict.fromkeys([*named, *alleles[gene]]):
            text = named.get(allele, UNKNOWN).replace("Function", "function")
            rows.append((gene, allele, text, None, PYPGX if allele in named else "no assignment in PyPGx 0.27.0"))
    for allele in alleles["G6PD"]:
        text = WHO_CLASS.get(words["G6PD"].get(allele, ""), UNKNOWN)
        rows.append(("G6PD", allele, text, None, G6PD_SOURCE if text != UNKNOWN else "no class in PyPGx 0.27.0"))
    table = pd.DataFrame(rows, columns=["gene", "allele", "function", "activity_value", "source"])
    return table.assign(scheme="")


def _cpic(gene: str, raw: dict[str, Any], defined: list[str]) -> list[Row]:
    assigned = {a["name"]: a for a in raw["namedAlleles"]}
    rows: list[Row] = []
    for allele in dict.fromkeys([*assigned, *defined]):
        if allele not in assigned:
            rows.append((gene, allele, UNKNOWN, None, NOT_ASSIGNED))
            continue
        text, value = assigned[allele]["functionValue"], assigned[allele]["activityValue"]
        number = None if value in (None, "n/a") else float(value)
        rows.append((gene, allele, UNKNOWN if text == "Unassigned function" else text, number, CPIC_FUNCTION))
    return rows


def _cyp2d6(data: Path, words: dict[str, str], defined: list[str]) -> list[Row]:
    """CYP2D6's values are the scores of CPIC's diplotypes with *5 (no function); labels from PyPGx where none is."""
    cpic = pd.read_csv(data / "cpic_diplotype_phenotype_2022.tsv.gz", sep="\t", dtype=str)
    cpic = cpic[cpic["gene"] == "CYP2D6"]
    null = pd.concat([cpic[cpic["allele2"] == "*5"].assign(other=cpic["allele1"]),
                      cpic[cpic["allele1"] == "*5"].assign(other=cpic["allele2"])])  # fmt: skip
    score = {a: s for a, s in zip(null["other"], null["activity_score"]) if "x" not in a}
    rows: list[Row] = []
    for allele in dict.fromkeys([*defined, *score]):
        value = score.get(allele)
        label = words.get(allele, "Unknown Function").replace("Function", "function")
        if isinstance(value, str):
            rows.append(("CYP2D6", allele, SCORE_LABEL[float(value)], float(value), CPIC_2022))
        elif allele in score:
            rows.append(("CYP2D6", allele, label, None, CPIC_2022 + "; label PyPGx 0.27.0"))
        elif label.split()[0] in ("Uncertain", "Unknown") and allele in words:
            rows.append(("CYP2D6", allele, label, None, "label PyPGx 0.27.0; no CPIC assignment in the 2022 table"))
        else:
            rows.append(("CYP2D6", allele, UNKNOWN, None, "no CPIC assignment in the 2022 table"))
    return rows


def phenotype_table(data: Path) -> pd.DataFrame:
    """Built rows of scheme ``cpic2020``: unordered pairs of functions -> phenotype; ValueError if a pair has two."""
    rows = []
    for gene in CPIC_GENES:
        if gene in INTERVAL_GENES:
            continue
        raw = read_json(data / f"defs/pharmcat_phenotype/{gene}.json.gz")
        function = {a["name"]: a["functionValue"] for a in raw["namedAlleles"]}
        pairs: dict[tuple[str, str], set[str]] = {}
        for entry in raw["diplotypes"]:
            one, two = sorted(function[a] for a, n in entry["diplotypekey"].items() for _ in range(n))
            pairs.setdefault((one, two), set()).add(entry["phenotype"])
        for (one, two), phenotypes in sorted(pairs.items()):
            if len(phenotypes) != 1:
                raise ValueError(f"{gene}: {one} + {two} gives {phenotypes}")
            rows.append((SCHEME, gene, None, None, None, None, one, two, phenotypes.pop(), CPIC_PHENOTYPE))
    return pd.DataFrame(rows, columns=[c for c in PHENOTYPE_COLUMNS if c != "curated"])


def read_json(path: Path) -> dict[str, Any]:
    """A gzipped JSON file."""
    with gzip.open(path, "rt", encoding="utf-8") as handle:
        return dict(json.load(handle))


def _shipped(out: Path, name: str) -> pd.DataFrame:
    path = out / name
    path = path if path.exists() else resource_path(f"genes/{name}")
    table = pd.read_csv(path, sep="\t", comment="#", dtype=object, keep_default_na=False)
    return table.assign(curated="no") if "curated" not in table else table
