"""Drafts of drug files from tables, and quick simulations: answers by hand, and nothing dropped in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drug_fixture import compound, drug_maker, hepatic_flow, path, quantity, segmented
from drug_fixture import man as reference_man

from pharmtwin.core.assembly import enzyme_facts
from pharmtwin.drugs import fields, quick
from pharmtwin.drugs.body import content
from pharmtwin.drugs.command import main
from pharmtwin.drugs.draft import Draft, DraftError, draft, drafts
from pharmtwin.drugs.draft_rules import amount_ratio, liver_tissue
from pharmtwin.drugs.draft_tables import choice, pksim, slug
from pharmtwin.drugs.read import check_drug
from pharmtwin.drugs.schema import Compound
from pharmtwin.drugs.words import words
from pharmtwin.findings import has_errors

PARAMETERS = "model,compound,group,alternative,is_default,parameter,value,unit,source,description"
PROCESSES = "model,compound,process,molecule,data_source,metabolite,parameter,value,unit,source,description"
CHEMISTRY = """\
m,{c},Lipophilicity,Lit,True,Lipophilicity,2.0,Log Units,Publication,Someone 2001
m,{c},Lipophilicity,Other,False,Lipophilicity,3.0,Log Units,,
m,{c},FractionUnbound,Lit,True,"Fraction unbound (plasma, reference value)",10,%,Publication,
m,{c},Compound,,True,Molecular weight,300,g/mol,,
m,{c},Binding,,True,PlasmaProteinBindingPartner,Albumin,,,
m,{c},CalculationMethod,,True,Cellular partition coefficient method,Rodgers and Rowland,,,
"""
ORAL = """\
m,D,IntestinalPermeability,Fit,True,Specific intestinal permeability (transcellular),6e-6,cm/min,,
m,D,pKa,Base,True,pKa1,9.0,,,
m,D,Solubility,Lit,True,Solubility at reference pH,101,mg/l,,
m,D,Solubility,Lit,True,Reference pH,7.0,,,
"""
MICROSOMES = "In vitro Vmax for liver microsomes"


def rows(process: str, molecule: str, values: dict[str, tuple[float, str]], where: str = "Lit", to: str = "") -> str:
    return "".join(f"m,D,{process},{molecule},{where},{to},{k},{v},{u},,\n" for k, (v, u) in values.items())


def made(folder: Path, processes: str, parameters: str = CHEMISTRY.format(c="D") + ORAL) -> tuple[Draft, Compound]:
    """Draft of compound D, and its parent read back; the check of the file must find no error."""
    (folder / "x_drug_parameters.csv").write_text(f"{PARAMETERS}\n{parameters}", encoding="utf-8")
    (folder / "x_drug_processes.csv").write_text(f"{PROCESSES}\n{processes}", encoding="utf-8")
    out = draft("d", folder)
    file = folder / "d.yaml"
    file.write_text(out.text(), encoding="utf-8")
    drug, findings = check_drug(file)
    assert drug is not None and not has_errors(findings), [f.message() for f in findings]
    return out, drug.parent


def value(parent: Compound, name: str, entry: int = 0) -> float:
    return parent.paths[entry].values[name].value


def said(out: Draft, word: str) -> list[str]:
    return [f.what for f in out.findings if word in f.what]


def test_chemistry_and_absorption(tmp_path: Path) -> None:
    out, parent = made(tmp_path, rows("GlomerularFiltration", "", {"GFR fraction": (0.5, "")}))
    assert parent["binding.fu_p"] == 0.1 and parent.kind == "base" and parent.base_pKa == (9.0,)
    assert parent.protein == "albumin" and parent.partition == "rodgers_rowland"
    assert parent["kidney.GFR_fraction"] == 0.5
    drug, _ = check_drug(tmp_path / "d.yaml")
    assert drug is not None
    factor = pksim()["surface_enlargement"] / pksim()["surface_filling"]
    assert drug.absorption["Peff"].value == pytest.approx(6e-6 / 60 * factor * 1e4, rel=1e-4)
    assert drug.absorption["solubility"].value == pytest.approx(0.101 / 101, rel=1e-5)  # pH 7, pKa 9: 1 + 100
    assert "3.0 Log Units (Other)" in out.text() and "Someone 2001" in out.text()
    assert said(out, "solution")


def test_a_permeability_beyond_all_measured_is_held(tmp_path: Path) -> None:
    out, _ = made(tmp_path, "", CHEMISTRY.format(c="D") + ORAL.replace("6e-6", "0.01"))
    drug, _ = check_drug(tmp_path / "d.yaml")
    assert (
        drug is not None
        and drug.absorption["Peff"].value == choice("highest_Peff")
        and said(out, "beyond what was ever measured")
    )


def test_turnover_keeps_the_clearance_of_the_whole_liver(tmp_path: Path) -> None:
    given = {"Km": (2000.0, "nmol/l"), "kcat": (10.0, "1/min"), MICROSOMES: (5.0, "nmol/min/mg mic. protein")}
    _, parent = made(tmp_path, rows("MetabolizationLiverMicrosomes_MM", "CYP3A4", given))
    ours = content("CYP3A4", "liver", "abundance") * 40e-3 * enzyme_facts()["liver", "reference_mass"]  # umol
    assert value(parent, "kcat") * ours == pytest.approx(10.0 * 108 * 40e-3 * 2.377 * 0.83, rel=1e-4)
    assert value(parent, "Km") == 2.0 and parent.paths[0].where == ("liver", "gut")
    assert amount_ratio("CYP2D6") == pytest.approx(2.377 * 0.83 / 1.68)


def test_microsomal_and_recombinant_rates_are_kept(tmp_path: Path) -> None:
    micro = rows(
        "MetabolizationLiverMicrosomes_MM",
        "CYP2D6",
        {MICROSOMES: (100.0, "pmol/min/mg mic. protein"), "Km": (4.0, "µmol/l")},
    )
    single = rows(
        "rCYP450_MM",
        "CYP2C19",
        {"In vitro Vmax/recombinant enzyme": (7.0, "pmol/min/pmol rec. enzyme"), "Km": (1.0, "µM")},
    )
    linear = rows("rCYP450_FirstOrder", "CYP1A2", {"In vitro CL/recombinant enzyme": (0.3, "µl/min/pmol rec. enzyme")})
    unknown = rows(
        "MetabolizationLiverMicrosomes_MM",
        "UGT2B15",
        {MICROSOMES: (2.0, "nmol/min/mg mic. protein"), "Km": (180.0, "µmol/l")},
    )
    _, parent = made(tmp_path, micro + single + linear + unknown)
    assert value(parent, "CLint_enzyme") == pytest.approx(100 / 10 / 4.0) and parent.paths[0].saturable
    assert value(parent, "kcat", 1) == 7.0 and value(parent, "CLint_enzyme", 2) == 0.3
    assert value(parent, "Vmax_liver", 3) == pytest.approx(2000 * 40 * 1680 * 60e-6)  # pmol/min/mg x mg -> umol/h


def test_specific_clearances(tmp_path: Path) -> None:
    enzyme = rows(
        "MetabolizationIntrinsic_FirstOrder",
        "CYP2C19",
        {"Intrinsic clearance": (0.0, "l/min"), "Specific clearance": (10.0, "1/min")},
    )
    liver = rows(
        "LiverClearance", "", {"Plasma clearance": (0.0, "ml/min/kg"), "Specific clearance": (0.5, "1/min")}, "all"
    )
    unknown = rows("MetabolizationSpecific_FirstOrder", "UGT9", {"CLspec/[Enzyme]": (0.4, "l/µmol/min")})
    out, parent = made(tmp_path, enzyme + liver + unknown)
    by_name = {p.name: p for p in parent.paths}
    umol = 19 * 40e-3 * 1.68
    assert by_name["CYP2C19"].values["CLint_enzyme"].value == pytest.approx(10 * liver_tissue() / umol, rel=1e-5)
    assert by_name["other"].values["CLint_liver"].value == pytest.approx(0.5 * 2.377 * 0.667 * 60, rel=1e-5)
    assert by_name["UGT9"].values["CLint_liver"].value == pytest.approx(0.4 * liver_tissue() * 60, rel=1e-5)
    assert said(out, "content of UGT9 unknown")


def test_kidney_beyond_filtration_is_secretion(tmp_path: Path) -> None:
    clearance = rows(
        "KidneyClearance",
        "",
        {
            "Plasma clearance": (2.0, "ml/min/kg"),
            "Fraction unbound (experiment)": (0.5, ""),
            "Body weight": (70.0, "kg"),
        },
    )
    _, parent = made(tmp_path, clearance)
    assert parent["kidney.GFR_fraction"] == 1.0
    assert parent["kidney.CL_secretion"] == pytest.approx(2.0 * 0.06 * 70 / 0.5 - pksim()["GFR"])


def test_actions(tmp_path: Path) -> None:
    text = rows("CompetitiveInhibition", "ABCB1", {"Ki": (8.0, "nmol/l")})
    text += rows("MixedInhibition", "CYP1A2", {"Ki_c": (10.0, "nmol/l"), "Ki_u": (0.02, "µmol/l")})
    text += rows("IrreversibleInhibition", "CYP3A4", {"kinact": (0.04, "1/min"), "K_kinact_half": (6.0, "µmol/l")})
    text += rows("IrreversibleInhibition", "CYP2C19", {"kinact": (5.0, "1/h"), "K_kinact_half": (0.3, "µmol/l")})
    text += rows("Induction", "CYP2C8", {"EC50": (0.34, "µmol/l"), "Emax": (3.2, "")})
    _, parent = made(tmp_path, text)
    by = {a.target: {k: q.value for k, q in a.values.items()} for a in parent.acts_on}
    assert by["P-gp"] == {"Ki": 0.008} and by["CYP1A2"] == {"Kic": 0.01, "Kiu": 0.02}
    assert by["CYP3A4"] == {"kinact": pytest.approx(2.4), "KI": 6.0} and by["CYP2C19"]["kinact"] == pytest.approx(5.0)
    assert by["CYP2C8"] == {"EC50": 0.34, "Emax": 3.2}


def test_transport_and_what_it_needs(tmp_path: Path) -> None:
    kinetics = {"kcat": (100.0, "1/min"), "Km": (2.0, "µmol/l")}
    text = "".join(
        rows("ActiveTransportSpecific_MM", name, kinetics) for name in ("OATP1B1/1B3", "P-gp", "OAT3", "XYZ1")
    )
    out, parent = made(tmp_path, text)
    by = {t.transporter: t for t in parent.transport}
    assert set(by) == {"OATP1B1", "P-gp", "OAT3"} and said(out, "XYZ1")
    assert by["OATP1B1"].values["Vmax"].value == pytest.approx(100 * 60 * liver_tissue(), rel=1e-5)
    assert (by["P-gp"].where, by["OAT3"].direction) == ("gut", "secretion")
    assert parent.liver == "permeability_limited" and said(out, "passive uptake")


def test_genotypes_are_listed_and_the_normal_one_is_taken(tmp_path: Path) -> None:
    def score(where: str, kcat: float) -> str:
        return rows("rCYP450_MM", "CYP2D6", {"kcat": (kcat, "1/min"), "Km": (1.0, "µmol/l")}, where)

    text = score("Fit", 3.0) + score("AS=0", 0.0) + score("AS=2", 7.0) + score("AS=3", 9.0)
    text += rows("ActiveTransportSpecific_MM", "OATP1B1", {"kcat": (4.0, "1/min"), "Km": (1.0, "µmol/l")}, "PI")
    text += rows(
        "ActiveTransportSpecific_MM", "OATP1B1", {"kcat": (2.0, "1/min"), "Km": (1.0, "µmol/l")}, "genotype 15_15"
    )
    text += score("CYP2D6 inhibition sink", 0.5).replace("CYP2D6,", "CYP1A2,", 1).replace("CYP2D6,", "CYP1A2,")
    out, parent = made(tmp_path, text)
    assert [p.name for p in parent.paths] == ["CYP2D6", "CYP1A2"]
    assert value(parent, "kcat") == pytest.approx(7.0 * amount_ratio("CYP2D6"), rel=1e-5)
    assert parent.transport[0].values["Vmax"].value == pytest.approx(4.0 * 60 * liver_tissue(), rel=1e-5)
    for where in ("Fit", "AS=0", "AS=3", "genotype 15_15"):
        assert f" of {where}: " in out.text() and said(out, where)


def test_metabolites_become_compounds(tmp_path: Path) -> None:
    text = rows("rCYP450_MM", "CYP2D6", {"kcat": (3.0, "1/min"), "Km": (1.0, "µM")}, to="Hydroxy-D")
    text += rows("rCYP450_MM", "CYP1A2", {"kcat": (3.0, "1/min"), "Km": (1.0, "µM")}, to="Unknown")
    out, parent = made(tmp_path, text, CHEMISTRY.format(c="D") + ORAL + CHEMISTRY.format(c="Hydroxy-D"))
    drug, _ = check_drug(tmp_path / "d.yaml")
    assert drug is not None and [c.name for c in drug.compounds] == ["d", "OH_d"]
    assert [p.product for p in parent.paths] == ["OH_d", ""] and said(out, "product Unknown")
    assert drafts(tmp_path) == ["d"]


def test_what_has_no_rule_is_a_finding_that_names_the_row(tmp_path: Path) -> None:
    text = rows("SpecificBinding", "GABRG2", {"koff": (1.0, "1/min")}) + rows("Magic", "M", {"x": (1.0, "")})
    text += rows("rCYP450_MM", "CYP2D6", {"kcat": (3.0, "furlong"), "Km": (1.0, "µM")})
    text += rows("rCYP450_MM", "CYP1A2", {"kcat": (0.0, "1/min"), "Km": (1.0, "µM")})
    out, parent = made(tmp_path, text)
    assert not parent.paths
    assert said(out, "SpecificBinding GABRG2") and said(out, "Magic M") and said(out, "furlong") and said(out, "is 0")
    assert {f.row for f in out.findings if "Magic" in f.what} == {3}


def test_bad_tables_and_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FileNotFoundError, match="drug_parameters"):
        draft("d", tmp_path)
    made(tmp_path, "")
    with pytest.raises(DraftError, match="the tables have no z; they have d"):
        draft("z", tmp_path)
    assert main(["draft", "z", "--tables", str(tmp_path), "--out", str(tmp_path / "z.yaml")]) == 1
    assert "can be drafted: d" in capsys.readouterr().err
    assert main(["draft", "d", "--tables", str(tmp_path), "--out", str(tmp_path / "new.yaml")]) == 0
    assert "written; no errors" in capsys.readouterr().out and (tmp_path / "new.yaml").is_file()
    (tmp_path / "x_drug_processes.csv").write_text("model,compound\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no column process"):
        draft("d", tmp_path)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("S-Warfarin", "warfarin_S"),
        ("Esomeprazole", "omeprazole_S"),
        ("R-omeprazole", "omeprazole_R"),
        ("N-desalkyl-Itraconazole", "ND_itraconazole"),
        ("Dextrorphan-O-glucuronide", "dextrorphan_o_glucuronide"),
    ],
)
def test_names(written: str, name: str) -> None:
    assert slug(written) == name


# ---- quick simulations


@pytest.fixture
def make(tmp_path: Path) -> Any:
    return drug_maker(tmp_path)


def test_a_dose_in_the_reference_man(make: Any) -> None:
    body = reference_man()
    drug = make("d", d=compound(metabolism=[path(30.0), path(0.7, "CYP2D6")]))
    fate = quick.fate(drug, body, 10.0, "iv")
    assert sum(fate.paths.values()) == pytest.approx(1.0, rel=1e-5) and fate.urine == 0.0
    oral, vein = (quick.dose_response(drug, body, 10.0, r)["d"] for r in ("oral", "iv"))
    flow, CL = hepatic_flow(body), 10.0 / vein.auc  # B_P is 1
    assert oral.auc / vein.auc == pytest.approx(1 - CL / flow, rel=1e-3)  # complete absorption: F is Fh
    assert oral.tmax > vein.tmax and oral.half_life == pytest.approx(vein.half_life, rel=0.05)
    assert quick.dose_response(drug, body, 20.0)["d"].auc == pytest.approx(2 * oral.auc, rel=1e-5)


def test_half_life_of_one_exponential() -> None:
    times = quick.grid(0.0, quick.LONGEST)
    k = np.log(2) / 7.0
    seen = quick.exposure(times, np.exp(-k * times), (1 - np.exp(-k * times)) / k, 0.0)
    assert seen.half_life == pytest.approx(7.0, rel=1e-6) and seen.auc == pytest.approx(1 / k, rel=2e-4)
    with pytest.raises(ValueError, match="still grows"):
        quick.exposure(times, np.ones_like(times), times, 0.0)


def test_an_inhibitor_raises_the_area_up_to_the_ceiling(make: Any) -> None:
    body = reference_man()
    victim = make("v", segmented(), v=compound(metabolism=[path(30.0), path(0.7, "CYP2D6")]))
    action = {"target": "CYP2D6", "mechanism": "competitive", "Ki": quantity(1e-4, "umol/L")}
    other = make("b", b=compound(metabolism=[path(5.0, name="gone")], acts_on=[action]))
    pair = quick.interaction(victim, [(other, 100.0, 24.0)], body, 1.0)
    fm = quick.fate(victim, body, 1.0, "iv").paths["CYP2D6"]
    assert 0.9 / (1 - fm) < pair.auc_ratio < 1.02 / (1 - fm)
    weak = make("w", w=compound(metabolism=[path(5.0, name="gone2")]))
    assert quick.interaction(victim, [(weak, 100.0, 24.0)], body, 1.0).auc_ratio == pytest.approx(1.0, rel=2e-3)


def test_the_command_prints_a_table(make: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make("v", segmented(), v=compound(metabolism=[path(30.0)]))
    file = str(tmp_path / "v.yaml")
    assert main(["simulate", file, "--dose", "10"], reference_man) == 0
    lines = dict(line.split("\t")[:2] for line in capsys.readouterr().out.splitlines())
    assert {"AUC", "Cmax", "tmax", "t1/2", "CL", "F", "fm rest"} <= set(lines)
    assert float(lines["F"]) < 1 and float(lines["fm rest"]) == pytest.approx(1.0)
    assert main(["simulate", file, "--dose", "1", "--route", "nose"], reference_man) == 1
    assert "drug simulate:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--dose", "-1"], "--dose must be a number above 0"),
        (["--dose", "0"], "--dose must be a number above 0"),
        (["--dose", "nan"], "--dose must be a number above 0"),
        (["--dose", "inf"], "--dose must be a number above 0"),
        (["--dose", "1", "--hours", "nan"], "--hours must be a number above 0"),
        (["--dose", "1", "--hours", "0"], "--hours must be a number above 0"),
        (["--dose", "1", "--lead", "nan"], "--lead must be a number from 0"),
        (["--dose", "1", "--lead", "-24"], "--lead must be a number from 0"),
        *((["--dose", "1", "--interaction", f"v{text}"], "NAME:MG:EVERY_H, numbers above 0")
          for text in ("", ":nan", ":inf", ":-5", ":0", ":200:0", ":200:nan", ":200:-24", ":x", ":1:2:3")),
    ],
)  # fmt: skip
def test_numbers_that_are_no_doses_are_refused(
    make: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    make("v", segmented(), v=compound(metabolism=[path(30.0)]))
    assert main(["simulate", str(tmp_path / "v.yaml"), *options], reference_man) == 1
    printed = capsys.readouterr()
    assert words in printed.err and not printed.out


def test_the_page_has_the_words_of_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "add-a-drug.md").read_text(encoding="utf-8")
    begin, end = (f"<!-- written by pharmtwin drug words: {word} -->\n" for word in ("begin", "end"))
    advice = "run `pharmtwin drug words` and put it between the markers of docs/add-a-drug.md"
    assert page.partition(begin)[2].partition(end)[0].strip() == words().strip(), advice
    for name in (*fields.PATH, *fields.TRANSPORT, *fields.ABSORPTION, *fields.FORMULATION, *fields.ACTIONS):
        assert name in page
    assert main(["words"]) == 0 and capsys.readouterr().out == words()


def test_the_page_names_the_options_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "add-a-drug.md").read_text(encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["simulate", "--help"])
    told = capsys.readouterr().out
    for option in ("--dose", "--route", "--hours", "--form", "--interaction", "--lead"):
        assert option in told and option in page
    factor = pksim()["surface_enlargement"] / pksim()["surface_filling"]
    assert f"Peff = {factor:.3g}".replace("2.56e+03", "2560") in page and "x 1.174" in page
    assert amount_ratio("CYP3A4") == pytest.approx(1.174, abs=5e-4)
    high, assumed = choice("high_B_P"), choice("assumed_B_P")
    assert f"at most {choice('highest_Peff'):g}e-4 cm/s" in page and f"with PS {choice('liver_PS'):g} L/h" in page
    assert f"more than {high:g}, {assumed:.1f} is assumed" in page
