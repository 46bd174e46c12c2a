"""The converted text as those see it who read its command line."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from ..recover.bindings import Key
from ..recover.roles import Roles, roles_of
from ..recover.syntax import Source, dotted, walk
from .stays import Stays, quoted


@dataclass(frozen=True)
class Scene:
    """One converted text."""

    source: Source

    @cached_property
    def roles(self) -> Roles:
        """What its names stand for."""
        return roles_of(self.source)

    def full_name(self, node: ast.expr) -> str:
        """A dotted name with the import's alias resolved; "" for anything else."""
        first, _, rest = dotted(node).partition(".")
        origin = self.roles.origins.get(first, "")
        return f"{origin}.{rest}" if origin and rest else origin

    def variable(self, name: ast.Name) -> Key | None:
        """The variable that a name stands for."""
        return self.roles.key(self.source.scope_of(name), name.id)

    def bound(self, variable: Key) -> list[ast.AST]:
        """All that gives a variable a value."""
        scope, name = variable
        found: list[ast.AST] = [n for n in self.roles.mentions(variable) if not isinstance(n.ctx, ast.Load)]
        named: list[tuple[ast.AST, str]] = [
            (d, d.name) for d in [*self.source.functions, *self.source.all(ast.ClassDef)]
        ]
        named += [(h, h.name or "") for h in self.source.all(ast.ExceptHandler)]
        named += [(a, (a.asname or a.name).partition(".")[0]) for a in self.source.all(ast.alias)]
        named += [(a, a.arg) for a in self.source.all(ast.arg)]
        found += [n for n, own in named if own == name and self._scope_of(n) is scope]
        if isinstance(scope, ast.Module):
            declared = self.source.all(ast.Global)
            found += [g for g in declared if name in g.names]
        return found

    def _scope_of(self, node: ast.AST) -> ast.AST:
        """The scope of what a node other than a name binds: a parameter is the function's own."""
        parent = self.source.parents[node]
        return self.source.parents[parent] if isinstance(node, ast.arg) else self.source.scope_of(node)

    def only_binding(self, name: ast.Name) -> ast.stmt | None:
        """The one statement that gives a variable its value; None where there are several, or another kind of place."""
        variable = self.variable(name)
        bound = self.bound(variable) if variable is not None else []
        return self.source.statement_of(bound[0]) if len(bound) == 1 and isinstance(bound[0], ast.Name) else None

    def is_of_the_file(self, name: ast.Name) -> bool:
        """Whether it is one thing all through the file: an import, a builtin, a function, class or constant at its margin."""
        variable = self.variable(name)
        if variable is None:
            return hasattr(builtins, name.id) or name.id in self.roles.origins
        bound = self.bound(variable)
        if variable[0] is not self.source.tree or len(bound) != 1:
            return False
        [one] = bound
        if isinstance(one, ast.FunctionDef | ast.ClassDef | ast.alias):
            return True
        statement = self.source.statement_of(one)
        constant = isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(statement.value, ast.Constant)
        return constant and self.source.parents[statement] is self.source.tree

    def foreign(self, node: ast.AST, known: Collection[str] = ()) -> str:
        """A name that an expression reads and that is neither known nor one thing all through the file; "" when there is none."""
        own = {n.id for n in walk(node) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
        own |= {a.arg for a in walk(node) if isinstance(a, ast.arg)}
        read = [n for n in walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
        return next((n.id for n in read if n.id not in {*known, *own} and not self.is_of_the_file(n)), "")

    def mentions(self, name: ast.Name) -> list[ast.Name]:
        """Every place that names the same variable."""
        variable = self.variable(name)
        return self.roles.mentions(variable) if variable is not None else [name]

    def named(self, name: str) -> list[ast.Name]:
        """Every place that has this name, whatever it is there."""
        return [n for n in self.source.all(ast.Name) if n.id == name]

    def is_alone(self, statement: ast.stmt) -> bool:
        """Whether no other statement shares its lines."""
        lines = self.source.lines
        before = lines[statement.lineno - 1].encode()[: statement.col_offset].decode()
        behind = lines[(statement.end_lineno or statement.lineno) - 1].encode()[statement.end_col_offset :].decode()
        return not before.strip() and (not behind.strip() or behind.lstrip().startswith("#"))

    def comment(self, statement: ast.stmt) -> str:
        """What is said behind a statement, with its blanks, "" when nothing."""
        line = self.source.lines[(statement.end_lineno or statement.lineno) - 1]
        behind = line.encode()[statement.end_col_offset :].decode().strip()
        return f"  {behind}" if behind else ""

    def lines_with(self, changes: Mapping[ast.Attribute, str]) -> list[str]:
        """The lines with other words for some parts. Raises `Stays` for a part of a formatted text."""
        lines = [line.encode() for line in self.source.lines]
        formatted = {id(n) for whole in self.source.all(ast.JoinedStr) for n in walk(whole)}
        for part in sorted(changes, key=lambda n: (n.lineno, n.col_offset), reverse=True):
            if id(part) in formatted or part.lineno != part.end_lineno:
                raise Stays(f"{quoted(part)} cannot be written anew where it stands", part)
            row = part.lineno - 1
            lines[row] = lines[row][: part.col_offset] + changes[part].encode() + lines[row][part.end_col_offset :]
        return [line.decode() for line in lines]

    def reworded(self, node: ast.AST, changes: Mapping[ast.AST, str]) -> str:
        """The text of a piece of code with other words for some of its parts. Raises `Stays` for a part of a formatted text."""
        lines = self.source.segment(node).encode().split(b"\n")
        formatted = {id(n) for whole in walk(node) if isinstance(whole, ast.JoinedStr) for n in walk(whole)}
        for part in sorted(changes, key=lambda n: (n.lineno, n.col_offset), reverse=True):  # type: ignore[attr-defined]
            if id(part) in formatted or part.lineno != part.end_lineno:  # type: ignore[attr-defined]
                raise Stays(f"{quoted(part)} cannot be written anew where it stands", part)
            row = part.lineno - node.lineno  # type: ignore[attr-defined]
            shift = node.col_offset if row == 0 else 0  # type: ignore[attr-defined]
            first, last = part.col_offset - shift, part.end_col_offset - shift  # type: ignore[attr-defined]
            lines[row] = lines[row][:first] + changes[part].encode() + lines[row][last:]
        return b"\n".join(lines).decode()
