"""Where names get their values, and what may be asked about names in a file (`torch2lit.recover.roles` has the answers)."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Protocol, TypeVar

from .names import target_names
from .neighbours import Definition, Neighbours
from .role import Role
from .syntax import Scope, Source, walk_scope

Key = tuple[Scope, str]
File = TypeVar("File", bound="Names")


@dataclass(frozen=True, slots=True)
class Binding:
    """One place where a name gets a value; ``index`` is its place when a tuple is unpacked, -1 when the name is looped over."""

    value: ast.expr
    index: int | None
    statement: ast.stmt


class Names(Protocol):
    """What the names in one file stand for."""

    source: Source
    neighbours: Neighbours | None
    aliases: dict[str, Key]

    @property
    def origins(self) -> dict[str, str]:
        """For each imported name the dotted thing that it stands for."""

    def key(self, scope: Scope, name: str) -> Key | None:
        """The scope in which the name, read in ``scope``, lives; None for builtins and unknown names."""

    def bindings(self, key: Key) -> list[Binding]:
        """The places that give the name its values, in source order."""

    def arguments(self, function: Scope, parameter: str) -> list[tuple[Scope, ast.expr]]:
        """What the file's own calls pass for a parameter, with the scope of each call."""

    def full_name(self, function: ast.AST) -> str:
        """The dotted name of a called thing with import aliases resolved."""

    def defined_beside(self, full: str) -> Definition | None:
        """The function or class of a file beside this one that a full name stands for."""

    def of(self, node: ast.expr, scope: Scope) -> Role | None:
        """The role of an expression's value."""

    def function_named(self: File, full: str) -> tuple[ast.FunctionDef, File] | None:
        """The function of a full name, in this file or in one beside it, with the file that defines it."""

    def own_class_named(self: File, full: str) -> tuple[ast.ClassDef, File] | None:
        """The class of a full name, in this file or in one beside it, with the file that defines it."""

    def variable_named(self: File, full: str) -> tuple[str, File] | None:
        """The variable at module level of a file beside this one that a full name stands for, with that file."""


def collect_bindings(scope: Scope) -> dict[str, list[Binding]]:
    """The places in a scope that give names their values, by name, in source order."""
    found: dict[str, list[Binding]] = {}

    def add(target: ast.AST, value: ast.expr, statement: ast.stmt, index: int | None) -> None:
        if isinstance(target, ast.Name):
            found.setdefault(target.id, []).append(Binding(value, index, statement))
        elif isinstance(target, ast.Tuple | ast.List):
            for position, element in enumerate(target.elts):
                add(element, value, statement, position if index is None else -2)

    for node in sorted(
        (n for n in walk_scope(scope.body) if isinstance(n, ast.stmt)), key=lambda s: (s.lineno, s.col_offset)
    ):
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                        for element, part in zip(target.elts, value.elts, strict=False):
                            add(element, part, node, None)
                    else:
                        add(target, value, node, None)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                add(target, value, node, None)
            case ast.For(target=target, iter=value):
                for name in target_names(target):
                    found.setdefault(name, []).append(Binding(value, -1, node))
            case ast.With(items=items):
                for item in items:
                    if item.optional_vars is not None:
                        add(item.optional_vars, item.context_expr, node, None)
    return found
