"""A drug file's text from a tree: YAML as the library writes it, one quantity a line."""

from __future__ import annotations

import json
import re
from typing import Any


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        text = f"{value:.6g}"
        if "e" in text and "." not in text.split("e")[0]:  # YAML reads 1e-05 as a word
            text = text.replace("e", ".0e")
        return text
    if isinstance(value, int):
        return str(value)
    text = str(value)
    return (
        text
        if re.fullmatch(r"[A-Za-z_][\w\-/ ]*", text) and text not in ("no", "yes")
        else json.dumps(text, ensure_ascii=False)
    )


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(v) for v in value) + "]"
    return _scalar(value)


def yaml_text(tree: dict[str, Any], depth: int = 0) -> str:
    """YAML of a tree of mappings, lists of mappings, and quantities (``{value, unit, source, ..}`` on one line)."""
    lines, pad = [], "  " * depth
    for key, value in tree.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            lines.append(f"{pad}{key}:\n")
            for entry in value:
                block = yaml_text(entry, depth + 2)
                lines.append(f"{pad}  - {block[2 * depth + 4 :]}")
        elif isinstance(value, dict) and "value" not in value and not set(value) <= {"release"}:
            lines.append(f"{pad}{key}:\n{yaml_text(value, depth + 1)}")
        else:
            lines.append(f"{pad}{key}: {_inline(value)}\n")
    return "".join(lines)
