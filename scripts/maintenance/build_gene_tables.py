"""Rebuild ``resources/genes`` from open files (run by hand, never by the workflow).

    python scripts/maintenance/build_gene_tables.py --data ../shared/data/pgx --out resources/genes

What it reads below ``--data`` (the same open files from elsewhere do as well):

* ``defs/pharmcat_alleles/GENE_translation.json.gz``, ``defs/pharmcat_phenotype/GENE.json.gz``: PharmCAT
  data 2025-11-05-00-25 (CPIC content, CC0);
* ``defs/pypgx/{allele,variant}-table.csv.gz``: PyPGx 0.27.0 (MIT): GRCh37 positions, CYP2D6 function labels;
* ``cpic_diplotype_phenotype_2022.tsv.gz``: CPIC diplotype table (CC0) as shipped by PAnno 0.3.1;
* ``panel_1kgp_grch38/GENE.vcf.gz``, ``samples.tsv``: 1000 Genomes 30x phased panel (Byrska-Bishop 2022,
  doi:10.1016/j.cell.2022.08.004);
* ``peer_calls/calls_cyrius_cyp2d6_1kgp_3202.tsv``: Cyrius structural calls (Chen 2021, doi:10.1038/s41397-020-00205-5).

The curated tables (phenotype intervals, activity-to-clearance maps) stand in this script as rows with sources.
"""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path

import pandas as pd

GENES = (
    "CYP2D6", "CYP2C19", "CYP2C9", "CYP3A5", "SLCO1B1", "CYP2B6", "CYP3A4", "CYP4F2", "UGT1A1", "ABCG2", "DPYD",
    "TPMT", "NUDT15", "NAT2", "VKORC1", "G6PD",
)  # fmt: skip
FUNCTION_GENES = GENES[1:5]
PHARMCAT = "CPIC allele definition table via PharmCAT data 2025-11-05-00-25"
CPIC_FUNCTION = "CPIC allele functionality table via PharmCAT data 2025-11-05-00-25"
CPIC_2022 = "CPIC diplotype table 2022 via PAnno 0.3.1 (Caudle 2020 consensus, doi:10.1111/cts.12692)"
POPULATIONS = ("AFR", "AMR", "EAS", "EUR", "SAS")
PANEL = "1000 Genomes 30x phased panel (Byrska-Bishop 2022, doi:10.1016/j.cell.2022.08.004)"
CYRIUS = (
    "Cyrius calls (Chen 2021, doi:10.1038/s41397-020-00205-5) on 1000 Genomes 30x "
    "(Byrska-Bishop 2022, doi:10.1016/j.cell.2022.08.004)"
)
IUPAC = {"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC"}


def read_json(path: Path) -> dict:
    """A gzipped JSON file."""
    with gzip.open(path, "rt", encoding="utf-8") as handle:
        return json.load(handle)


def definition_tables(data: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """positions, definitions (core variants), optional_variants (IUPAC entries: either base)."""
    grch37 = pd.read_csv(data / "defs/pypgx/variant-table.csv.gz", dtype=str)
    lifted = {
        (r.Chromosome, int(r.GRCh38Position)): int(r.GRCh37Position)
        for r in grch37.itertuples()
        if str(r.GRCh37Position).isdigit() and str(r.GRCh38Position).isdigit()
    }
    positions, core, optional = [], [], []
    for gene in GENES:
        raw = read_json(data / f"defs/pharmcat_alleles/{gene}_translation.json.gz")
        chrom = raw["chromosome"]
        variants = sorted(enumerate(raw["variants"]), key=lambda pair: pair[1]["position"])
        for _, v in variants:
            positions.append(
                (gene, chrom, v["position"], v["rsid"], v["ref"], ",".join(v["alts"]),
                 lifted.get((chrom[3:], v["position"])), PHARMCAT)
            )  # fmt: skip
        # sub-alleles of one star (SLCO1B1 *45.001, *45.002) are replaced by their core allele
        named = [a for a in raw["namedAlleles"] if a["name"] not in raw["suballelesMap"]] + raw["hiddenCoreAlleles"]
        for allele in named:
            n_core = 0
            for i, v in variants:
                entry = allele["cpicAlleles"][i]
                if entry is None:
                    continue
                where = (gene, allele["name"], chrom, v["position"], v["rsid"], v["ref"])
                mapped = v["cpicToVcfAlleleMap"].get(entry)
                if mapped is None:
                    for base in IUPAC[entry]:
                        if base != v["ref"] and base in v["alts"]:
                            optional.append((*where, base, PHARMCAT))
                elif mapped != v["ref"]:
                    core.append((*where, mapped, PHARMCAT))
                    n_core += 1
            if n_core == 0:
                if not allele.get("reference"):
                    raise ValueError(f"{gene}{allele['name']} has no core variant")
                core.append((gene, allele["name"], chrom, None, None, None, None, PHARMCAT))
    names = ["gene", "allele", "chrom", "position", "rsid", "ref", "alt", "source"]
    where_columns = ["gene", "chrom", "position", "rsid", "ref", "alts", "position_grch37", "source"]
    return (
        pd.DataFrame(positions, columns=where_columns).astype({"position_grch37": "Int64"}),
        pd.DataFrame(core, columns=names).astype({"position": "Int64"}),
        pd.DataFrame(optional, columns=names),
    )  # fmt: skip


def function_table(data: Path, definitions: pd.DataFrame) -> pd.DataFrame:
    """gene, allele, function, activity_value (empty where CPIC gives none), source."""
    rows = []
    label = {"Normal function": "Normal function", "Unassigned function": "Unknown function"}
    score_label = {0.0: "No function", 0.25: "Decreased function", 0.5: "Decreased function", 1.0: "Normal function"}
    for gene in FUNCTION_GENES:
        raw = read_json(data / f"defs/pharmcat_phenotype/{gene}.json.gz")
        defined = dict.fromkeys(definitions.loc[definitions["gene"] == gene, "allele"])
        functions = raw["haplotypes"]
        values = raw["activityValues"] or {}
        named = {a["name"]: a for a in raw["namedAlleles"]} if isinstance(raw["namedAlleles"], list) else {}
        for allele in dict.fromkeys([*functions, *defined]):
            text = functions.get(allele, "Unknown function")
            value = values.get(allele, "n/a")
            if gene == "CYP2C9":  # this file carries the activity value in place of the function label
                value = text if text[0].isdigit() else value
                function = str(named.get(allele, {}).get("function", ""))
                text = function or (score_label[float(value)] if value[0].isdigit() else "Uncertain function")
            source = CPIC_FUNCTION if allele in functions else "no CPIC assignment in data 2025-11-05-00-25"
            text = text if allele in functions else "Unknown function"
            rows.append((gene, allele, label.get(text, text), None if value == "n/a" else float(value), source))
    cpic = pd.read_csv(data / "cpic_diplotype_phenotype_2022.tsv.gz", sep="\t", dtype=str)
    cpic = cpic[cpic["gene"] == "CYP2D6"]
    null = pd.concat([cpic[cpic["allele2"] == "*5"].assign(other=cpic["allele1"]),
                      cpic[cpic["allele1"] == "*5"].assign(other=cpic["allele2"])])  # fmt: skip
    score = {r.other: r.activity_score for r in null.itertuples() if "x" not in r.other}
    pypgx = pd.read_csv(data / "defs/pypgx/allele-table.csv.gz", dtype=str, keep_default_na=False)
    words = {r.StarAllele: r.Function for r in pypgx[pypgx["Gene"] == "CYP2D6"].itertuples()}
    defined = list(definitions.loc[definitions["gene"] == "CYP2D6", "allele"].unique())
    for allele in dict.fromkeys([*defined, *score, "*5", "*13", "*36", "*57", "*61", "*63", "*68"]):
        value = score.get(allele)
        if isinstance(value, str):
            rows.append(("CYP2D6", allele, score_label[float(value)], float(value), CPIC_2022))
        elif (allele in words and words[allele].split()[0] in ("Uncertain", "Unknown")) or allele in score:
            text = words.get(allele, "Unknown Function").replace("Function", "function")
            rows.append(("CYP2D6", allele, text, None, CPIC_2022 + "; label PyPGx 0.27.0"))
        else:
            rows.append(("CYP2D6", allele, "Unknown function", None, "no CPIC assignment in the 2022 table"))
    tandem = "sum of the copies (CPIC: *36 and *68 no function), Caudle 2020 doi:10.1111/cts.12692"
    rows.append(("CYP2D6", "*36+*10", "Decreased function", 0.25, tandem))
    rows.append(("CYP2D6", "*68+*4", "No function", 0.0, tandem))
    return pd.DataFrame(rows, columns=["gene", "allele", "function", "activity_value", "source"])


def phenotype_table(data: Path, functions: pd.DataFrame) -> pd.DataFrame:
    """Schemes ``cpic2020`` (all genes) and ``paper`` (CYP2D6): score intervals or unordered function pairs."""
    caudle = "Caudle 2020 CPIC/DPWG consensus, doi:10.1111/cts.12692"
    cpic_2c9 = "CPIC CYP2C9 diplotype table (Theken 2020, doi:10.1002/cpt.1830)"
    paper = "the source paper's older scheme; 1 < AS < 1.5 is left undefined"
    pm, im, nm, um = (f"{word} Metabolizer" for word in ("Poor", "Intermediate", "Normal", "Ultrarapid"))
    rows: list[tuple] = [
        ("cpic2020", "CYP2D6", 0.0, True, 0.0, True, None, None, pm, caudle),
        ("cpic2020", "CYP2D6", 0.0, False, 1.25, False, None, None, im, caudle),
        ("cpic2020", "CYP2D6", 1.25, True, 2.25, True, None, None, nm, caudle),
        ("cpic2020", "CYP2D6", 2.25, False, None, False, None, None, um, caudle),
        ("cpic2020", "CYP2C9", 0.0, True, 1.0, False, None, None, pm, cpic_2c9),
        ("cpic2020", "CYP2C9", 1.0, True, 2.0, False, None, None, im, cpic_2c9),
        ("cpic2020", "CYP2C9", 2.0, True, 2.0, True, None, None, nm, cpic_2c9),
        ("paper", "CYP2D6", 0.0, True, 0.0, True, None, None, pm, paper),
        ("paper", "CYP2D6", 0.0, False, 1.0, True, None, None, im, paper),
        ("paper", "CYP2D6", 1.5, True, 2.0, True, None, None, nm, paper),
        ("paper", "CYP2D6", 2.0, False, None, False, None, None, um, paper),
    ]
    for gene in ("CYP2C19", "CYP3A5", "SLCO1B1"):
        function = functions[functions["gene"] == gene].set_index("allele")["function"].to_dict()
        pairs: dict[tuple[str, str], set[str]] = {}
        for entry in read_json(data / f"defs/pharmcat_phenotype/{gene}.json.gz")["diplotypes"]:
            one, two = entry["diplotype"].split("/")
            pairs.setdefault(tuple(sorted((function[one], function[two]))), set()).add(entry["phenotype"])
        for (one, two), phenotypes in sorted(pairs.items()):
            if len(phenotypes) != 1:
                raise ValueError(f"{gene}: {one} + {two} gives {phenotypes}")
            rows.append(("cpic2020", gene, None, None, None, None, one, two, phenotypes.pop(), CPIC_FUNCTION))
    names = ["scheme", "gene", "lower", "lower_closed", "upper", "upper_closed", "function_1", "function_2",
             "phenotype", "source"]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def clearance_table() -> pd.DataFrame:
    """CYP2D6 activity score -> intrinsic clearance relative to score 2, three named maps."""
    maps = {
        "mean_curve": (
            {0: 0, 0.5: 0.15, 0.75: 0.26, 1: 0.39, 1.25: 0.50, 1.5: 0.64, 2: 1, 3: 1.78},
            "mean of kcat by activity score in the paroxetine (Ruedesheim 2022), dextromethorphan and atomoxetine "
            "PBPK models; 0.25 interpolated",
        ),
        "linear": ({0: 0, 1: 0.5, 2: 1, 3: 1.5}, "activity score / 2 (definition of the score)"),
        "paroxetine_ruedesheim2022": (
            {0: 0, 0.5: 0.161, 0.75: 0.264, 1: 0.381, 1.25: 0.516, 1.5: 0.663, 2: 1, 3: 1.853},
            "Ruedesheim 2022 paroxetine PBPK model, CYP2D6 kcat by activity score",
        ),
    }
    return pd.DataFrame(
        [("CYP2D6", name, s, c, src) for name, (points, src) in maps.items() for s, c in points.items()],
        columns=["gene", "map_name", "activity_score", "relative_clearance", "source"],
    )


def panel_tables(data: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict]:
    """panel_haplotypes, panel_sites, allele frequencies of the SNV genes, and each sample's CYP2D6 star pair."""
    from pharmtwin.genome.definitions import UNKNOWN, natural_key
    from pharmtwin.genome.haplotypes import count_configurations, decode
    from pharmtwin.genome.vcf import read_sites

    samples = pd.read_csv(data / "samples.tsv", sep="\t", dtype=str)
    samples = samples[samples["in_1kgp_2504"] == "1"]
    ancestry = samples["super_pop"].repeat(2).to_numpy()
    panel, sites, pairs = [], [], {}
    for gene in GENES:
        slices = {"DPYD": "dpyd_positions_1kgp_observed.vcf.gz"}
        calls = read_sites(data / slices.get(gene, f"panel_1kgp_grch38/{gene}.vcf.gz"), [gene], samples=list(samples["sample"]))[gene]
        haplotypes = calls.alleles.transpose(0, 2, 1).reshape(-1, calls.alleles.shape[1])
        table = count_configurations(calls.definition, haplotypes, ancestry)
        panel.append(table.assign(source=PANEL))
        for i, site in enumerate(calls.definition.sites):
            assayed = bool((haplotypes[:, i] != UNKNOWN).any())
            sites.append((gene, calls.definition.chrom, site.position, site.rsid, assayed, PANEL))
        if gene == "CYP2D6":
            # the star a sample's SNVs show: the panel configuration (completed) that its bases belong to
            lacking = (haplotypes == UNKNOWN).all(axis=0)
            stars = {decode(calls.definition, h)[~lacking].tobytes(): a
                     for h, a in zip(table["haplotype"], table["allele"])}  # fmt: skip
            shown = [
                stars.get(h[~lacking].tobytes(), calls.definition.name(h.clip(0, 9) * (h < 9))[0]) for h in haplotypes
            ]
            pairs = {s: (shown[2 * i], shown[2 * i + 1]) for i, s in enumerate(samples["sample"])}
    haplotypes_table = pd.concat(panel, ignore_index=True)
    long = haplotypes_table.melt(["gene", "allele"], list(POPULATIONS), "ancestry", "count")
    counts = long.groupby(["gene", "ancestry", "allele"], as_index=False)["count"].sum()
    counts = counts[(counts["count"] > 0) & (counts["gene"] != "CYP2D6")]
    order = counts["allele"].map(natural_key)
    counts = counts.assign(order=order).sort_values(["gene", "ancestry", "order"]).drop(columns="order")
    panel_sites = pd.DataFrame(sites, columns=["gene", "chrom", "position", "rsid", "in_panel", "source"])
    return haplotypes_table, panel_sites, counts, pairs


def structural_tables(data: Path, pairs: dict) -> tuple[pd.DataFrame, pd.DataFrame]:
    """structure_frequencies (what hides behind an SNV-level star) and CYP2D6 allele counts, from Cyrius calls."""
    ancestry = pd.read_csv(data / "samples.tsv", sep="\t", dtype=str).set_index("sample")["super_pop"].to_dict()
    calls = pd.read_csv(data / "peer_calls/calls_cyrius_cyp2d6_1kgp_3202.tsv", sep="\t", dtype=str)
    shown: list[tuple[str, str, str]] = []
    alleles: list[tuple[str, str]] = []
    for row in calls.itertuples():
        if row.Sample not in pairs or row.Filter != "PASS" or str(row.Genotype).count("/") != 1:
            continue
        if ";" in row.Genotype:
            continue
        full = [a.replace("*4.013", "*4") for a in row.Genotype.split("/")]
        population = ancestry[row.Sample]
        alleles += [(population, a) for a in full]
        x, y = pairs[row.Sample]
        straight = _shows(full[0], x) + _shows(full[1], y)
        crossed = _shows(full[0], y) + _shows(full[1], x)
        for allele, star in zip(full, (x, y) if straight >= crossed else (y, x)):
            if allele == "*5":
                shown.append((population, "none", "*5"))
            elif _is_structural(allele) and allele != star:
                shown.append((population, star, allele))
            else:
                shown.append((population, star, star))
    frame = pd.DataFrame(shown, columns=["ancestry", "snv_allele", "allele"])
    frame = pd.concat([frame, frame.assign(ancestry="ALL")])
    out = frame.groupby(["ancestry", "snv_allele", "allele"], as_index=False).size().rename(columns={"size": "count"})
    per_star = out.groupby(["ancestry", "snv_allele"])["count"].transform("sum")
    everything = out.groupby("ancestry")["count"].transform("sum")
    out["total"] = per_star.where(out["snv_allele"] != "none", everything)
    out["frequency"] = (out["count"] / out["total"]).round(6)
    out.insert(0, "gene", "CYP2D6")
    counts = pd.DataFrame(alleles, columns=["ancestry", "allele"])
    counts = counts.groupby(["ancestry", "allele"], as_index=False).size().rename(columns={"size": "count"})
    return out.assign(source=CYRIUS), counts.assign(gene="CYP2D6")


def _is_structural(allele: str) -> bool:
    return "x" in allele or "+" in allele or allele in ("*5", "*13", "*36", "*68")


def _shows(full: str, star: str) -> float:
    """How well an SNV-level star fits a full allele: 2 same, 1.5 its base or a part, 0.5 a deletion, 0 not."""
    if full == star:
        return 2.0
    parts = [p.split("x")[0] for p in full.split("+")]
    if star in parts:
        return 1.5 if star == parts[-1] else 1.0
    return 0.5 if full == "*5" else 0.0


def main() -> None:
    """Read, build, write. Then run build_versions.py: it brings resources/versions.tsv in step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/pgx"))
    parser.add_argument("--out", type=Path, default=Path("resources/genes"))
    args = parser.parse_args()

    def write(name: str, frame: pd.DataFrame) -> None:
        frame.to_csv(args.out / f"{name}.tsv", sep="\t", index=False, lineterminator="\n")

    positions, core, optional = definition_tables(args.data)
    functions = function_table(args.data, core)
    for name, frame in (("positions", positions), ("definitions", core), ("optional_variants", optional),
                        ("functions", functions), ("phenotypes", phenotype_table(args.data, functions)),
                        ("activity_to_clearance", clearance_table())):  # fmt: skip
        write(name, frame)
    haplotypes, panel_sites, counts, pairs = panel_tables(args.data)
    structures, cyp2d6 = structural_tables(args.data, pairs)
    counts = pd.concat([counts.assign(source=PANEL), cyp2d6.assign(source=CYRIUS)], ignore_index=True)
    counts["total"] = counts.groupby(["gene", "ancestry"])["count"].transform("sum")
    counts["frequency"] = (counts["count"] / counts["total"]).round(6)
    write("panel_haplotypes", haplotypes)
    write("panel_sites", panel_sites)
    write("structure_frequencies", structures)
    write("allele_frequencies", counts[["gene", "ancestry", "allele", "count", "total", "frequency", "source"]])
    print("now run: python scripts/maintenance/build_versions.py")


if __name__ == "__main__":
    main()
