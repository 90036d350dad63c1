"""Drug files of schema 2: a good one is read whole, and every kind of mistake is said at its line, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from pharmtwin.drugs.command import main
from pharmtwin.drugs.read import DrugFileError, check_drug, read_drug

GOOD = """\
schema: 2
name: examplol
compounds:
  examplol:
    physicochemistry:
      kind: base
      MW: {value: 300.0, unit: g/mol, source: test}
      logP: {value: 2.5, unit: "1", source: test}
      base_pKa: {value: [9.1], source: test}
    binding:
      fu_p: {value: 0.1, unit: "1", source: test, cv: 0.2}
      B_P: {value: 0.9, unit: "1", source: test}
      protein: {value: AGP, source: test}
    metabolism:
      - path: hydroxylation
        enzyme: CYP2D6
        where: [liver, gut]
        kcat: {value: 5.0, unit: 1/min, source: test, start: 4.0, between_subject: 0.3}
        Km: {value: 1.0, unit: umol/L, source: test}
        product: hydroxyexamplol
        fraction: {value: 0.8, unit: "1", source: test}
      - {path: other, CLint_liver: {value: 50, unit: L/h, source: test}, matures_as: CYP3A4}
    transport:
      - {transporter: P-gp, where: gut, direction: efflux, CL: {value: 3, unit: L/h, source: test}}
    acts_on:
      - target: CYP2D6
        mechanism: inactivation
        kinact: {value: 10, unit: 1/h, source: test}
        KI: {value: 0.2, unit: umol/L, source: test}
  hydroxyexamplol:
    physicochemistry:
      MW: {value: 316.0, unit: g/mol, source: test}
      logP: {value: 1.5, unit: "1", source: test}
    binding:
      fu_p: {value: 0.3, unit: "1", source: test}
      B_P: {value: 0.8, unit: "1", source: test}
absorption:
  model: adam
  Peff: {value: 4.0, unit: 1e-4 cm/s, source: test}
formulations:
  tablet: {release: weibull, t50: {value: 0.3, unit: h, source: test}, shape: {value: 1.0, unit: "1", source: test}}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "examplol.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_file_is_read_whole_without_a_word(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    drug, findings = check_drug(path)
    assert findings == [] and drug is not None and drug == read_drug(str(path))
    parent = drug.parent
    assert (parent.name, parent.kind, parent.base_pKa, parent.protein) == ("examplol", "base", (9.1,), "AGP")
    assert parent["binding.fu_p"] == 0.1 and parent.values["binding.fu_p"].cv == 0.2
    first, other = parent.paths
    assert first.saturable and first.where == ("liver", "gut") and first.product == "hydroxyexamplol"
    kcat = first.values["kcat"]
    assert (kcat.value, kcat.start, kcat.between_subject) == (5.0, 4.0, 0.3)
    assert not other.saturable and other.matures_as == "CYP3A4" and other.enzyme == ""
    assert parent.transport[0].direction == "efflux" and parent.acts_on[0].values["KI"].value == 0.2
    assert drug.compound("hydroxyexamplol").kind == "neutral" and drug.formulations["tablet"].release == "weibull"
    assert drug.absorption_model == "adam" and drug.absorption["Peff"].value == 4.0
    with pytest.raises(KeyError, match="examplol"):
        drug.compound("nothing")


@pytest.mark.parametrize(
    ("old", "new", "rule", "words"),
    [
        ("schema: 2", "schema: 1", "drug.schema", "begin with"),
        ("      MW: {value: 300.0, unit: g/mol", "      MW: {value: 300.0, unit: kDa", "drug.unit", "must be in g/mol"),
        ("value: 300.0", "value: heavy", "drug.number", "heavy"),
        ("fu_p: {value: 0.1,", "fu_p: {value: 10,", "drug.range", "cannot be outside"),
        ("KI: {value: 0.2,", "KI: {value: 2000,", "drug.rare", "(2 if it is divided by 1000)"),
        ("      logP: {value: 2.5", "      logp: {value: 2.5", "drug.unknown_key", "did you mean logP?"),
        ('B_P: {value: 0.9, unit: "1", source: test}', 'B_P: {value: 0.9, unit: "1"}', "drug.source", "has no source"),
        ("kind: base", "kind: acid", "drug.pka", "acid with 0 acidic and 1 basic pKa"),
        ("kind: base", "kind: salt", "drug.word", "neutral, acid, base, zwitterion"),
        ("        Km: {value: 1.0, unit: umol/L, source: test}\n", "", "drug.kinetics", "['kcat']"),
        ("product: hydroxyexamplol", "product: nobody", "drug.product", "not among the compounds"),
        ("enzyme: CYP2D6", "enzyme:", "drug.enzyme", "no enzyme is named"),
        ("mechanism: inactivation", "mechanism: blocks", "drug.word", "competitive"),
        ("        KI: {value: 0.2, unit: umol/L, source: test}\n", "", "drug.missing", "half that rate"),
        ("model: adam", "model: magic", "drug.word", "first_order"),
        ("shape: {value: 1.0", "slope: {value: 1.0", "drug.missing", "Weibull shape"),
        ("where: gut,", "where: toe,", "drug.word", "liver, gut, kidney"),
        ("CL: {value: 3", "Vmax: {value: 3", "drug.kinetics", "Vmax and Km"),
        ("cv: 0.2", "cv: -0.2", "drug.number", "not a positive number"),
        ("base_pKa: {value: [9.1]", "base_pKa: {value: [91]", "drug.range", "between -5 and 16"),
        ("    metabolism:\n", "    metabolism: [\n", "drug.yaml", "not valid YAML"),
    ],
)
def test_every_mistake_is_said_at_its_line(tmp_path: Path, old: str, new: str, rule: str, words: str) -> None:
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    _, findings = check_drug(path)
    mine = [x for x in findings if x.rule == rule and words in x.message()]
    assert mine, [x.message() for x in findings]
    line = GOOD[: GOOD.index(old)].count("\n") + 1
    assert rule == "drug.yaml" or abs(mine[0].row - line) <= 4, (mine[0].row, line)


def test_all_mistakes_come_at_once_and_stop_the_reading(tmp_path: Path) -> None:
    text = GOOD.replace("value: 300.0", "value: x").replace("model: adam", "model: y").replace("Km:", "km:")
    path = write(tmp_path, text)
    with pytest.raises(DrugFileError) as error:
        read_drug(str(path))
    assert all(rule in str(error.value) for rule in ("drug.number", "drug.word", "drug.unknown_key", "drug.kinetics"))
    with pytest.raises(FileNotFoundError):
        read_drug("unobtainium")


def finding(folder: Path, old: str, new: str) -> list[str]:
    """Rules (with severity) of what is said after one change of the good file."""
    assert old in GOOD
    _, findings = check_drug(write(folder, GOOD.replace(old, new, 1)))
    return [f"{x.severity} {x.rule}" for x in findings]


def test_what_does_not_go_together_is_said(tmp_path: Path) -> None:
    carried = "where: gut, direction: efflux"
    assert finding(tmp_path, "model: adam", "model: cat") == ["error drug.wall"]
    assert finding(tmp_path, "model: adam", "model: auto") == []
    assert "error drug.missing" in finding(tmp_path, "  Peff: {value: 4.0, unit: 1e-4 cm/s, source: test}\n", "")
    assert finding(tmp_path, carried, "where: liver, direction: uptake") == ["error drug.liver"]
    assert finding(tmp_path, carried, "where: kidney, direction: efflux") == ["error drug.word"]
    assert finding(tmp_path, carried, "where: kidney, direction: secretion") == []
    permeable = "    liver: {model: permeability_limited}\n    binding:\n"
    assert finding(tmp_path, "    binding:\n", permeable) == ["error drug.missing"]
    assert finding(tmp_path, "path: other, ", "path: hydroxylation, ") == ["error drug.twice"]
    assert finding(tmp_path, 'B_P: {value: 0.9, unit: "1", source: test}\n', "\n") == ["note drug.computed"]
    transit = "release: transit, MTT: {value: 1, unit: h, source: test}"
    assert finding(tmp_path, "release: weibull", transit) == ["error drug.release"]
    particles = "{release: particles, particle_radius: {value: 5, unit: um, source: test}"
    assert finding(tmp_path, "{release: weibull", particles) == ["error drug.missing"]


def test_molecules_that_the_tables_lack_are_named(tmp_path: Path) -> None:
    assert finding(tmp_path, "enzyme: CYP2D6", "enzyme: CYP9Z9") == ["warning drug.content"] * 2  # liver and gut
    assert finding(tmp_path, "- target: CYP2D6", "- target: CYP2D66") == ["warning drug.content"]


def test_kinetics_are_stated_for_tissues_that_have_them(tmp_path: Path) -> None:
    stated = "CLint_liver: {value: 50, unit: L/h, source: test}"
    assert finding(tmp_path, stated, f"{stated}, where: [liver, gut]") == ["error drug.word"]
    assert finding(tmp_path, stated, "CLint_kidney: {value: 5, unit: L/h, source: test}") == []
    whole = "Vmax_liver: {value: 50, unit: umol/h, source: test}"
    assert finding(tmp_path, stated, whole) == ["error drug.kinetics"]
    assert finding(tmp_path, stated, f"{whole}, Km: {{value: 5, unit: umol/L, source: test}}") == []


def test_saturable_binding_must_agree_with_the_unbound_fraction(tmp_path: Path) -> None:
    two = (
        "sites: {{value: {}, unit: umol/L, source: t}}\n      Kd: {{value: 2.0, unit: umol/L, source: t}}\n      fu_p:"
    )
    assert finding(tmp_path, "fu_p:", two.format(18.0)) == []
    assert finding(tmp_path, "fu_p:", two.format(30.0)) == ["error drug.binding"]
    one = "Kd: {value: 2.0, unit: umol/L, source: test}\n      fu_p:"
    assert finding(tmp_path, "fu_p:", one) == ["error drug.missing"]


def test_the_command_says_what_the_file_makes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = write(tmp_path, GOOD)
    assert main(["check", str(good)]) == 0
    said = capsys.readouterr().out
    assert "absorption adam, dosage form tablet (released)" in said
    assert "CYP2D6: hydroxylation, hydroxylation_gut -> hydroxyexamplol" in said
    assert "P-gp: efflux, gut" in said and "no errors; 0 warnings, 0 notes" in said
    bad = write(tmp_path, GOOD.replace("unit: g/mol", "unit: kDa", 1))
    assert main(["check", str(bad)]) == 1 and "error: " in capsys.readouterr().out
    assert main(["check", str(tmp_path / "absent.yaml")]) == 1 and "no drug file" in capsys.readouterr().err


# ---- files that are no drug files at all


def bomb(levels: int = 30) -> str:
    """Each level repeats the one before nine times: a kilobyte that unfolds to 9^levels values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, levels)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("content", "rule", "words"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\xff\xfe", "drug.encoding", "UTF-8"),
        (GOOD.replace("examplol", "ex\xe4mplol").encode("latin-1"), "drug.encoding", "UTF-8"),
        (b"schema: 2\x00\n", "drug.yaml", "not valid YAML"),
        (f"schema: 2\n{bomb()}".encode(), "drug.alias", "repeat one another"),
        (b"schema: 2\ncompounds: &c\n  d: *c\n", "drug.alias", "repeat one another"),
        (f"schema: 2\nx: &x [{'*x, ' * 2000}]\n".encode(), "drug.alias", "repeat one another"),
        (b"schema: 2\ncompounds: " + b"[" * 2000 + b"]" * 2000, "drug.yaml", "nested too deeply"),
        (b"schema: 2\ncompounds: " + b"{a: " * 2000 + b"}" * 2000, "drug.yaml", "nested too deeply"),
        (b"schema: 2\nname: 2001-99-99\n", "drug.yaml", "not valid YAML"),
        (b"schema: 2\nname: " + b"1" * 9999, "drug.yaml", "not valid YAML"),
        (b"- schema: 2\n", "drug.schema", "not a drug file"),
        (b"", "drug.schema", "not a drug file"),
    ],
)
def test_what_is_no_drug_file_is_said_in_one_finding(tmp_path: Path, content: bytes, rule: str, words: str) -> None:
    path = tmp_path / "examplol.yaml"
    path.write_bytes(content)
    drug, findings = check_drug(path)
    assert drug is None and [f.rule for f in findings] == [rule] and words in findings[0].message()
    with pytest.raises(DrugFileError, match=words):
        read_drug(str(path))


@pytest.mark.parametrize(
    ("once", "twice", "key"),
    [
        ("name: examplol\n", "name: examplol\nname: other\n", "name"),
        ("      B_P: {value: 0.9,", "      fu_p: {value: 0.5, unit: '1', source: b}\n      B_P: {value: 0.9,",
         "compounds.examplol.binding.fu_p"),
        ("CL: {value: 3,", "CL: {value: 3, value: 30,", "compounds.examplol.transport.0.CL.value"),
        ("  hydroxyexamplol:", "  examplol: {}\n  hydroxyexamplol:", "compounds.examplol"),
    ],
)  # fmt: skip
def test_a_key_that_stands_twice_is_an_error_at_both_lines(tmp_path: Path, once: str, twice: str, key: str) -> None:
    assert GOOD.count(once) == 1
    text = GOOD.replace(once, twice)
    _, findings = check_drug(write(tmp_path, text))
    (found,) = (f for f in findings if f.rule == "yaml.duplicate_key")
    assert found.column == key and found.severity == "error"
    word = key.rpartition(".")[2]
    first, again = found.row, int(found.what.split("line ")[1].split()[0])
    assert first <= again and all(word in text.splitlines()[row - 1] for row in (first, again))


def test_aliases_that_end_are_read(tmp_path: Path) -> None:
    unit = 'unit: "1", source: test'
    text = GOOD.replace(f"fu_p: {{value: 0.3, {unit}}}", f"fu_p: &fu {{value: 0.3, {unit}}}")
    text = text.replace(f"B_P: {{value: 0.8, {unit}}}", "B_P: {<<: *fu, value: 0.8}")
    drug, findings = check_drug(write(tmp_path, text))
    assert findings == [] and drug is not None
    assert (drug.compounds[1]["binding.fu_p"], drug.compounds[1]["binding.B_P"]) == (0.3, 0.8)


@pytest.mark.parametrize("odd", ["{}", "[]", "[[]]", "[{}]", "{a: 1}", ".nan", "1" + "0" * 400, "true"])
def test_a_thing_of_another_kind_is_an_error_wherever_it_stands(tmp_path: Path, odd: str) -> None:
    for word in ("mechanism: inactivation", "where: gut", "where: [liver, gut]", "kind: base", "model: adam",
                 "value: 300.0", "cv: 0.2", "release: weibull"):  # fmt: skip
        key = word.partition(":")[0]
        assert any(x.startswith("error") for x in finding(tmp_path, word, f"{key}: {odd}")), (word, odd)


def test_a_name_that_is_nearly_one_of_the_library_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FileNotFoundError, match=r"did you mean midazolam\?"):
        read_drug("midazolan")
    with pytest.raises(FileNotFoundError, match=r"shipped are .*midazolam"):
        read_drug("unobtainium")
    assert main(["check", "digoxine"]) == 1 and "did you mean digoxin?" in capsys.readouterr().err
