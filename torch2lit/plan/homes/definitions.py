"""Functions that the training function defines for itself, and what they read of it.

def main(args):                             class LitNet(L.LightningModule):
    def log_string(text): ...                   def __init__(self, model, log_string): ...
    for epoch in range(args.epochs):    →
        ...                                 def main(args):
        log_string(...)                         def log_string(text): ...
                                                lit_net = LitNet(model, log_string)

The module is handed them as any other value. What cannot be handed (a class, an import) keeps the module's class in that function.
"""

from __future__ import annotations

import ast

from ...recover.items import Item
from ...recover.names import declared, flow, free_names
from ...recover.roles import Key
from ...recover.syntax import walk, walk_scope
from ..closures import defined_names
from .batches import Batches

_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Definitions(Batches):
    """Decides where the module's class stands, and gives homes to the functions that it is handed."""

    handed: frozenset[str] = frozenset()
    """The functions that the module is handed."""

    def place_class(self) -> None:
        """Above the function that trains, unless the module needs what only stands inside."""
        if isinstance(self.entry.scope, ast.Module):
            return
        needed = self._needed()
        in_class = self.draft.source.in_class(self.entry.scope) is not None
        if needed and all(self._may_be_handed(key) for key in needed):
            self.variables.hand(needed)
            self.handed = frozenset(name for _scope, name in needed)
        elif needed and not in_class:
            self.state.inside = True

    def _needed(self) -> list[Key]:
        """The definitions and imports of functions that the hooks read."""
        moving = {d for s in walk(self.draft.nest.outermost) for d in _defined_by(s)} | self._imported_by_the_loop()
        found: dict[Key, None] = {}
        for item in self.draft.all_items():
            scope = item.frame.scope
            for name in sorted(flow([item.node]).read):
                key = self.draft.roles.key(scope, name)
                if key is None or (name in moving and key[0] is self.entry.scope):
                    continue
                if isinstance(key[0], ast.Module) or not self.variables.is_static(key):
                    continue
                if key[0] is not scope or (scope is self.entry.scope and not _bound_inside(item, name)):
                    found[key] = None
        return list(found)

    def _may_be_handed(self, key: Key) -> bool:
        """Whether a name stands for one function that reads the training function as it is all through the loop."""
        scope, name = key
        entry, outermost = self.entry.scope, self.draft.nest.outermost
        if self.draft.roles.key(entry, name) != key:
            return False
        made = [s for s in walk_scope(scope.body) if name in defined_names(s)]
        if len(made) != 1 or not isinstance(made[0], _Function) or made[0] not in scope.body:
            return False
        if scope is entry and made[0].lineno > outermost.lineno:
            return False
        ancestors = self.draft.source.ancestors
        functions = [f for f in self.draft.source.functions if f is not entry and scope in ancestors(f)]
        return not any(declared(f.body, ast.Nonlocal) for f in functions)

    def _imported_by_the_loop(self) -> set[str]:
        """The names that imports of the loop bind and none around it."""
        outermost, source = self.draft.nest.outermost, self.draft.source
        inside: set[str] = set()
        around: set[str] = set()
        for node in walk_scope(self.entry.scope.body):
            if isinstance(node, ast.Import | ast.ImportFrom):
                (inside if outermost in source.ancestors(node) else around).update(defined_names(node))
        return inside - around

    def check_static(self) -> None:
        """Refuse a function of the entry function that the hooks call, where it reads from there what the loop changes."""
        if not self.handed and not self.state.inside:
            return
        frames = {frame.scope for frame in self.draft.nest.entered}
        if self.draft.validation is not None:
            frames |= {frame.scope for frame in self.draft.validation.frames}
        written = set().union(*self.written.values()) if self.written else set()
        for function in self.draft.source.functions:
            if self.draft.source.scope_of(function) is not self.entry.scope or function in frames:
                continue
            if self.draft.nest.outermost in self.draft.source.ancestors(function):
                continue
            for name in sorted(free_names(function)):
                variable = self.variables.of(self.entry, name)
                if variable is not None and variable in written:
                    raise self.draft.refuse(
                        "closure-over-loop-state",
                        function,
                        f"`{function.name}` reads `{name}`, which the loop changes, from the function around it",
                    )


def _bound_inside(item: Item, name: str) -> bool:
    return name in flow([item.node]).definite


def _defined_by(statement: ast.AST) -> list[str]:
    return [statement.name] if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else []
