"""What must hold of a conversion before anything is written (DESIGN: checks)."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Container, Mapping
from pathlib import Path

from .memory import once, tree_of
from .trees import all_of


def unbound_names(text: str) -> set[str]:
    """The names that some scope reads, or deletes, and that neither the module nor Python binds.

    Raises SyntaxError when the text is not Python.
    """
    return once(("unbound names", text), lambda: _unbound(text) | _only_deleted(text))


def _unbound(text: str) -> set[str]:
    top = symtable.symtable(text, "<checks>", "exec")
    bound = {s.get_name() for s in _symbols(top) if s.is_assigned() or s.is_imported()}
    bound |= {child.get_name() for child in top.get_children()}
    used: set[str] = set()
    _collect(top, bound, used, is_module=True)
    return used - bound - set(dir(builtins)) - _MODULE_NAMES


def _only_deleted(text: str) -> set[str]:
    """The names that a scope deletes, and does nothing else about: to Python they are bound there."""
    tree = tree_of(text)
    if not (deletions := all_of(tree, ast.Delete)):
        return set()
    from .recover.names import bound_otherwise, declared, parameter_names
    from .recover.syntax import Scope, walk_scope

    found: set[str] = set()
    scopes: list[Scope] = [tree, *all_of(tree, ast.FunctionDef), *all_of(tree, ast.AsyncFunctionDef)]
    for scope in scopes:
        nodes = walk_scope(scope.body)
        deleted = {t.id for n in nodes if n in deletions for t in ast.walk(n) if isinstance(t, ast.Name)}
        if not deleted:
            continue
        bound = set() if isinstance(scope, ast.Module) else set(parameter_names(scope))
        bound |= declared(scope.body, ast.Global) | declared(scope.body, ast.Nonlocal)
        for node in nodes:
            bound.update(bound_otherwise(node))
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Del):
                bound.add(node.id)
        found |= deleted - bound
    return found


_MODULE_NAMES = {
    "__file__",
    "__name__",
    "__doc__",
    "__spec__",
    "__loader__",
    "__package__",
    "__builtins__",
    "__class__",
}


def listed(names: list[str]) -> str:
    """Names as a sentence has them: ``a``, ``b`` and ``c`` in backticks."""
    quoted = [f"`{name}`" for name in names]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else "".join(quoted)


def early_names(text: str) -> set[str]:
    """The names that some block reads before anything in it has bound them."""
    from .recover.early_reads import early_reads  # brings LibCST

    return once(("early names", text), lambda: early_reads(tree_of(text)))


def _symbols(table: symtable.SymbolTable) -> list[symtable.Symbol]:
    """As `get_symbols` gives them, which looks at all functions of the scope again for every name: quadratic in long files."""
    flags: Mapping[str, int] = table._table.symbols  # type: ignore[attr-defined]
    return [symtable.Symbol(name, value) for name, value in flags.items()]


def _collect(table: symtable.SymbolTable, bound: set[str], used: set[str], *, is_module: bool = False) -> None:
    for symbol in _symbols(table):
        if symbol.is_declared_global() and symbol.is_assigned():
            bound.add(symbol.get_name())
        if symbol.is_referenced() and (is_module or symbol.is_global()):
            used.add(symbol.get_name())
    for child in table.get_children():
        _collect(child, bound, used)


def missed_names(path: str, before: str, after: str, changed: Mapping[Path, str] | None = None) -> dict[str, Path]:
    """The names that a module had and has no more, though another file of the project takes them from it; with that file.

    ``changed`` has the files whose text is about to be another one.
    """
    from .recover.wanted_names import names_of_module, wanted_elsewhere  # brings LibCST

    try:
        gone = names_of_module(tree_of(before)) - names_of_module(tree_of(after))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}  # no other file of today's Python can import what is none
    if not gone:
        return {}
    return {name: file for name, file in wanted_elsewhere(path, changed).items() if name in gone}


def imported_but_unused(
    before: ast.Module, after: ast.Module, wanted: Container[str] = ()
) -> list[tuple[ast.Import | ast.ImportFrom, set[str]]]:
    """Top-level imports of the raw text with the names whose last use went away in the conversion, none that is ``wanted``."""
    used_before, used_after = _read_names(before), _read_names(after)
    exported = {
        e.value
        for s in before.body
        if isinstance(s, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in s.targets)
        for e in ast.walk(s.value)
        if isinstance(e, ast.Constant)
    }
    found = []
    for statement in before.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            names = {(a.asname or a.name).split(".")[0] for a in statement.names}
            gone = {
                n for n in names if n in used_before and n not in used_after and n not in exported and n not in wanted
            }
            if gone:
                found.append((statement, gone))
    return found


def _read_names(tree: ast.Module) -> set[str]:
    return {n.id for n in all_of(tree, ast.Name)}
