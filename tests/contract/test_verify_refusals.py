"""``pharmtwin verify`` with what it cannot use: said in words, exit code 1, no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from pharmtwin.cli import main


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (None, "no manifest at"),
        (b"", "is no JSON any more"),
        (b"\xff\xfe\x00", "is no JSON any more"),
        (b"[]", "is no JSON object any more"),
        (b'{"schema": "pharmtwin-manifest-1", "outputs": []}', "does not bear its seal"),
    ],
)
def test_a_manifest_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, word: str
) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_bytes(content)
    for target in (tmp_path, tmp_path / "manifest.json"):
        assert main(["verify", str(target)]) == 1
        assert word in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["a", "b", "--rerun"],
        ["a", "--limits", "1.1", "1.25"],
        ["a", "--limits", "0.8", "0.9"],
        ["a", "--limits", "0", "2"],
    ],
)
def test_requests_that_contradict_themselves(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", *arguments]) == 1
    assert capsys.readouterr().err.startswith("verify: ")
