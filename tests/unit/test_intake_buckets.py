"""Stable names of the workflow graph."""

import subprocess
import sys

import pytest

from pharmtwin.intake.buckets import bucket_name, bucket_of, rows_digest, vcf_key, vcf_path
from pharmtwin.intake.sheet import read_rows


def test_bucket_is_sha256_modulo_n():
    whole = 0x1F93603DB53BFAD5C92390F735D0CBB8617B4AB8214AE91C5664A3D1E9B009C8  # sha256 of "T1"
    assert [bucket_of("T1", n) for n in (1, 4, 7, 100)] == [whole % n for n in (1, 4, 7, 100)]
    with pytest.raises(ValueError, match="at least 1"):
        bucket_of("T1", 0)


def test_bucket_name():
    assert bucket_name(3) == "b003"


def test_digest_ignores_column_order_number_spelling_and_empty_cells():
    a = [{"twin_id": "T1", "weight_kg": "70", "addl": ""}]
    b = [{"weight_kg": "70.0", "twin_id": "T1"}]
    c = [{"weight_kg": 70, "twin_id": "T1", "addl": None}]
    assert rows_digest(a) == rows_digest(b) == rows_digest(c)
    assert rows_digest([{"x": "-0"}]) == rows_digest([{"x": "0"}])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([{"weight_kg": "70"}], [{"weight_kg": "71"}]),
        ([{"twin_id": "007"}], [{"twin_id": "7"}]),
        ([{"twin_id": "7"}], [{"twin_id": "7.0"}]),
        ([{"a": "1"}, {"a": "2"}], [{"a": "2"}, {"a": "1"}]),
        ([{"a": "1", "b": "2"}], [{"a": "1"}, {"b": "2"}]),
        ([{"a": "1"}], [{"b": "1"}]),
        ([], [{"a": "1"}]),
    ],
)
def test_digest_sees_what_matters(one, other):
    assert rows_digest(one) != rows_digest(other)


def test_vcf_key_and_path():
    assert vcf_path("config/studies/demo", "./a/../c.vcf.gz") == "config/studies/demo/c.vcf.gz"
    assert vcf_path("config", "/data/c.vcf") == "/data/c.vcf"
    assert vcf_key("x/my cohort.v2.vcf.gz").startswith("my_cohort_v2_")
    assert vcf_key("x/a.vcf") != vcf_key("y/a.vcf")
    assert len(vcf_key("a.vcf").rsplit("_", 1)[1]) == 8


def test_ten_thousand_twins_are_cheap_and_need_no_pandas(tmp_path):
    path = tmp_path / "twins.tsv"
    row = "T{}\tc.vcf.gz\tS{}\tEUR\tF\t50\t70.5\t170\t0.9\tsynthetic"
    header = "twin_id vcf sample ancestry sex age_y weight_kg height_cm creatinine_mg_dl label".replace(" ", "\t")
    path.write_text("\n".join([header, *(row.format(i, i) for i in range(10_000))]))
    rows = read_rows(path)
    buckets: dict[int, list] = {}
    for r in rows:
        vcf_key(vcf_path("d", r["vcf"]))
        buckets.setdefault(bucket_of(r["twin_id"], 16), []).append(r)
    digests = {i: rows_digest(its) for i, its in buckets.items()}
    assert len(rows) == 10_000 and len(digests) == 16
    code = "import sys, pharmtwin.intake.sheet, pharmtwin.intake.buckets; assert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
