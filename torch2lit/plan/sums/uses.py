"""Where the hooks name a variable, and in which expressions its value is told when an epoch's batches are over."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ...recover.items import Item, names_in
from ...recover.nest import Frame
from ...recover.roles import Key
from ...recover.syntax import walk
from ...recover.variables import Variable
from ..draft import HOOKS, Draft

_SEES_LOCALS = {"exec", "eval", "locals", "vars"}
_SEES_GLOBALS = {"exec", "eval", "locals", "globals", "vars"}


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """One name in one hook."""

    name: ast.Name
    frame: Frame
    item: Item
    hook: str
    place: int
    """Which item of all hooks it is, in the order in which they run."""


class Uses:
    """All uses of all variables in the hooks of a draft."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self._of: dict[Variable, list[Use]] = {}
        gone = {id(n) for claim in draft.claims.values() for part in claim.unread for n in walk(part)}
        gone |= {id(n) for s in draft.removals for n in walk(s)}
        items = [(hook, item) for hook in HOOKS for item in draft.hooks.get(hook, [])]
        for place, (hook, item) in enumerate(items):
            for name, frame in names_in(item):
                variable = draft.variables.of(frame, name.id)
                if variable is not None and id(name) not in gone:
                    self._of.setdefault(variable, []).append(Use(name, frame, item, hook, place))
            for bound in item.bound if item.kind == "bind" else ():
                if (variable := draft.variables.of(item.frame, bound)) is not None:
                    self._of.setdefault(variable, []).append(
                        Use(ast.Name(bound, ast.Store()), item.frame, item, hook, place)
                    )
        self.gone = gone
        self.all = [u for found in self._of.values() for u in found]

    def of(self, variable: Variable) -> list[Use]:
        """Its uses, in the order of the hooks."""
        return self._of.get(variable, [])

    def only_in_hooks(self, variable: Variable) -> bool:
        """Whether nothing but the hooks names it, in whatever way."""
        uses, draft = self.of(variable), self.draft
        joined = draft.variables.joined(variable)
        known = {id(u.name) for u in uses} | {id(n) for n, _frame in joined}
        keys = {draft.roles.key(u.frame.scope, u.name.id) for u in uses}
        keys |= {draft.roles.key(frame.scope, n.id) for n, frame in joined}
        for key in keys:
            if key is None or draft.roles.rebound_unseen(key) or self._is_hidden(key):
                return False
            if isinstance(key[0], ast.Module) and key[1] in draft.wanted_elsewhere:
                return False
            if any(id(n) not in known and id(n) not in self.gone for n in draft.roles.mentions(key)):
                return False
        return True

    def _is_hidden(self, key: Key) -> bool:
        """Whether code that is not there to read may name it: what sees the variables of a function runs in that function."""
        source, (scope, _name) = self.draft.source, key
        if isinstance(scope, ast.Module):
            return any(self._sees(call, _SEES_GLOBALS) for call in source.calls)
        inside = {id(n) for n in walk(scope)}
        return any(id(call) in inside and self._sees(call, _SEES_LOCALS) for call in source.calls)

    def _sees(self, call: ast.Call, functions: set[str]) -> bool:
        """Whether it calls one of Python's functions that see all variables. With an object `vars` tells its attributes alone."""
        if not isinstance(call.func, ast.Name) or call.func.id not in functions:
            return False
        if call.func.id == "vars" and len(call.args) == 1 and isinstance(call.args[0], ast.Name):
            return call.args[0].id in self.draft.roles.origins  # a module's are the variables of its file
        return self.draft.source.function(call.func.id) is None
