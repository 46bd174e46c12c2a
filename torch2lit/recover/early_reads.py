"""Names that a block surely reads before anything has bound them: whoever runs it gets an UnboundLocalError."""

from __future__ import annotations

import ast
import builtins

from ..trees import all_of
from .names import Walk, bound_names, local_names, parameter_names

_BUILTINS = frozenset(dir(builtins))


def early_reads(tree: ast.Module) -> set[str]:
    """The names of a file that the block in which they live reads while they surely have no value yet."""
    found = _of_block(tree.body, local_names(tree) - _BUILTINS) if not _binds_unseen(tree) else set()
    functions: list[ast.FunctionDef | ast.AsyncFunctionDef] = [*all_of(tree, ast.FunctionDef)]
    functions += all_of(tree, ast.AsyncFunctionDef)
    for node in functions:
        found |= _of_block(node.body, local_names(node) - set(parameter_names(node)))
    return found


def _binds_unseen(tree: ast.Module) -> bool:
    """Whether the module may get names that its text does not bind in order."""
    return (
        bool(all_of(tree, ast.Global))
        or any(node.names[0].name == "*" for node in all_of(tree, ast.ImportFrom))
        or any(node.id in ("exec", "globals", "vars") for node in all_of(tree, ast.Name))
    )


def _of_block(body: list[ast.stmt], names: frozenset[str]) -> set[str]:
    reads = _Reads(names)
    reads.block(body)
    return reads.early


class _Reads(Walk):
    """A walk in the order of running that takes every name for bound which some way has bound by then."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__()
        self.names = names
        self.early: set[str] = set()

    def read(self, name: str) -> None:
        if name in self.names and name not in self.written:
            self.early.add(name)

    def node(self, node: ast.AST | None) -> None:
        match node:
            case ast.For() | ast.AsyncFor():
                super().node(node.iter)
                self.written |= bound_names([node])
            case ast.While():
                super().node(node.test)
                self.written |= bound_names([node])
            case (
                ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name)
            ):  # what it reads is read when it is called
                for part in [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults]:
                    super().node(part)
                self.write(name)
                return
            case ast.ClassDef(name=name):
                for part in [*node.decorator_list, *node.bases]:
                    super().node(part)
                self.write(name)
                return
            case ast.Lambda():
                return
        super().node(node)
