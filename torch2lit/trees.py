"""Walks through a tree: what is below a node, remembered at the node because trees never change here."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

Node = TypeVar("Node", bound=ast.AST)
Answer = TypeVar("Answer")
_MARKS = {"ctx", "op", "ops"}
_TEXTS = {
    "arg", "asname", "attr", "conversion", "id", "is_async", "kind", "kwd_attrs", "level", "lineno", "module", "rest",
    "simple", "str", "tag", "type_comment",
}  # fmt: skip


def _parts() -> dict[type[ast.AST], tuple[str, ...]]:
    """For every type of node the fields that hold nodes, without the marks for context and operator."""
    found: dict[type[ast.AST], tuple[str, ...]] = {}
    for kind in vars(ast).values():
        if not isinstance(kind, type) or not issubclass(kind, ast.AST):
            continue
        plain = _MARKS | _TEXTS
        if kind.__name__ != "TypeAlias":
            plain = plain | {"name"}
        if kind.__name__ in ("Constant", "MatchSingleton"):
            plain = plain | {"value"}
        if kind.__name__ in ("Global", "Nonlocal"):
            plain = plain | {"names"}
        found[kind] = tuple(f for f in kind._fields if f not in plain)
    return found


_PARTS = _parts()


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes directly below a node in the order of its fields, without the marks for context and operator."""
    found: list[ast.AST] = []
    for name in _PARTS[type(node)]:
        part = getattr(node, name, None)
        if part.__class__ is list:
            found += part
        elif part is not None:
            found.append(part)
    if None in found:  # `{**a}` and keyword-only parameters without a default
        return [child for child in found if child is not None]
    return found


def remembered(find: Callable[[Node], Answer]) -> Callable[[Node], Answer]:
    """Let a function of one node keep its answers at the nodes: trees never change here."""
    place = f"_{find.__module__}.{find.__qualname__}"

    @functools.wraps(find)
    def answer(node: Node) -> Answer:
        known = node.__dict__
        if place not in known:
            known[place] = find(node)
        found: Answer = known[place]
        return found

    return answer


@remembered
def walk(node: ast.AST) -> Sequence[ast.AST]:
    """The node and everything below it, outer ones first, as `ast.walk` gives them, without the marks."""
    found = [node]
    for inner in found:
        if _PARTS[type(inner)]:
            found += children(inner)
    return found


@remembered
def kinds(tree: ast.AST) -> Mapping[type[ast.AST], list[ast.AST]]:
    """Every node of a tree by its exact type, outer ones first (the order of `walk`)."""
    found: dict[type[ast.AST], list[ast.AST]] = {}
    for node in walk(tree):
        kind = type(node)
        if kind in found:
            found[kind].append(node)
        else:
            found[kind] = [node]
    return found


def all_of(tree: ast.AST, kind: type[Node]) -> Sequence[Node]:
    """Every node of exactly this type in a tree, outer ones first."""
    return kinds(tree).get(kind, ())  # type: ignore[return-value]
