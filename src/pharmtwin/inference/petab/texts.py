"""Expression texts: names replaced by other texts, comparisons replaced, names that a text reaches."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterable, Mapping

from pharmtwin.model.algebra import names, parse


def substituted(text: str, values: Mapping[str, str]) -> str:
    """The text with names replaced by texts (each as if in brackets)."""
    used = {n: v for n, v in values.items() if n in names(text) and n != v}
    if not used:
        return text
    trees = {n: parse(v) for n, v in used.items()}

    class Replace(ast.NodeTransformer):
        """Names that are not called."""

        def visit_Call(self, node: ast.Call) -> ast.AST:
            """Arguments, not the function's name."""
            node.args = [self.visit(a) for a in node.args]
            return node

        def visit_Name(self, node: ast.Name) -> ast.AST:
            """The tree of its text."""
            return copy.deepcopy(trees.get(node.id, node))

    return ast.unparse(Replace().visit(copy.deepcopy(parse(text))))


def with_comparisons(text: str, flag: Callable[[str, str, str], str | None]) -> str:
    """The text with comparisons (left, operator, right: texts) replaced by ``flag > 0.5`` where flag names a flag."""

    class Replace(ast.NodeTransformer):
        """Comparisons, chains of them (a < b < c) taken apart."""

        def visit_Compare(self, node: ast.Compare) -> ast.AST:
            """One comparison, or several joined by ``and``."""
            sides = [node.left, *node.comparators]
            parts: list[ast.expr] = []
            for left, op, right in zip(sides[:-1], node.ops, sides[1:], strict=True):
                one = ast.Compare(left, [op], [right])
                shown = ast.unparse(one)
                a, b = ast.unparse(left), ast.unparse(right)
                name = flag(a, shown, b)
                parts.append(one if name is None else parse_fresh(f"{name} > 0.5"))
            return parts[0] if len(parts) == 1 else ast.BoolOp(ast.And(), parts)

    if not any(isinstance(node, ast.Compare) for node in ast.walk(parse(text))):
        return text
    return ast.unparse(Replace().visit(copy.deepcopy(parse(text))))


def parse_fresh(text: str) -> ast.expr:
    """A tree of one's own (those of ``parse`` are shared)."""
    return copy.deepcopy(parse(text))


def reached(texts: Mapping[str, str], start: Iterable[str]) -> set[str]:
    """Names that texts use, directly or through the texts of names; texts themselves are ``start``."""
    seen: set[str] = set()
    open_ = {n for text in start for n in names(text)}
    while open_:
        name = open_.pop()
        seen.add(name)
        if name in texts:
            open_ |= names(texts[name]) - seen
    return seen


def fresh(wish: str, taken: set[str]) -> str:
    """A name that is not taken yet; it is now."""
    name = wish
    while name in taken:
        name += "_"
    taken.add(name)
    return name
