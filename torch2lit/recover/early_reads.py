"""Names that a block surely reads before anything has bound them: whoever runs it gets an UnboundLocalError."""

from __future__ import annotations

import ast
import builtins

from .names import Walk, bound_names, local_names, parameter_names

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_BUILTINS = frozenset(dir(builtins))


def early_reads(tree: ast.Module) -> set[str]:
    """The names of a file that the block in which they live reads while they surely have no value yet."""
    found = _of_block(tree.body, local_names(tree) - _BUILTINS) if not _binds_unseen(tree) else set()
    for node in ast.walk(tree):
        if isinstance(node, _FUNCTIONS):
            found |= _of_block(node.body, local_names(node) - set(parameter_names(node)))
    return found


def _binds_unseen(tree: ast.Module) -> bool:
    """Whether the module may get names that its text does not bind in order."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Global) or (isinstance(node, ast.ImportFrom) and node.names[0].name == "*"):
            return True
        if isinstance(node, ast.Name) and node.id in ("exec", "globals", "vars"):
            return True
    return False


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
