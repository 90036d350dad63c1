"""The corpora of the fuzzer replayed, and short rounds of hypothesis on the same parsers: part of `make test`.

`make fuzz` runs the coverage-guided fuzzer itself (docs/security.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.one import fault, work_folder
from tests.fuzz.targets import CORPUS, ROOT, TARGETS

SLOW = ("bodies", "nonmem_stream")  # a second an input: the corpus is enough in every run


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with work_folder() as made:
        yield made


def inputs(name: str) -> list[bytes]:
    """Seeds and corpus of a parser."""
    files = [ROOT / s for s in TARGETS[name].seeds] + sorted((CORPUS / name).glob("*"))
    return [path.read_bytes() for path in files]


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_corpus(name: str, folder: Path) -> None:
    known = inputs(name)
    assert known, f"{name} has no corpus and no seed"
    for data in known:
        found = fault(TARGETS[name], data, folder)
        if found is not None:
            raise AssertionError(f"{name} on {data[:300]!r}") from found


@pytest.mark.parametrize("name", sorted(set(TARGETS) - set(SLOW)))
def test_changed_inputs(name: str, folder: Path) -> None:
    """A known input with a piece of it replaced by a word of its language, by bytes, or by another piece of it."""
    target, known = TARGETS[name], inputs(name)
    words = [w.encode() for w in target.words] or [b""]

    @settings(max_examples=20, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        base = data.draw(st.sampled_from(known))
        for _ in range(data.draw(st.integers(1, 3))):
            start = data.draw(st.integers(0, len(base)))
            end = start + data.draw(st.integers(0, 12))
            begin = data.draw(st.integers(0, len(base)))
            new = data.draw(st.sampled_from(words) | st.binary(max_size=6) | st.just(base[begin : begin + 20]))
            base = base[:start] + new + base[end:]
        found = fault(target, base, folder)
        if found is not None:
            raise AssertionError(f"{name} on {base!r}") from found

    check()
