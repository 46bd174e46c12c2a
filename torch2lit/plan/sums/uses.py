"""Where the hooks name a variable, and in which expressions its value is told when an epoch's batches are over."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ...recover.items import Item, names_in
from ...recover.nest import Frame
from ...recover.syntax import walk
from ...recover.variables import Variable
from ..draft import HOOKS, Draft

_REACHES_ALL = {"exec", "eval", "locals", "globals", "vars"}


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
        self.hidden = any(isinstance(c.func, ast.Name) and c.func.id in _REACHES_ALL for c in draft.source.calls)

    def of(self, variable: Variable) -> list[Use]:
        """Its uses, in the order of the hooks."""
        return self._of.get(variable, [])

    def only_in_hooks(self, variable: Variable) -> bool:
        """Whether nothing but the hooks names it, in whatever way."""
        uses, draft = self.of(variable), self.draft
        known = {id(u.name) for u in uses}
        keys = {draft.roles.key(u.frame.scope, u.name.id) for u in uses}
        for key in keys:
            if key is None or draft.roles.rebound_unseen(key) or self.hidden:
                return False
            if isinstance(key[0], ast.Module) and key[1] in draft.wanted_elsewhere:
                return False
            if any(id(n) not in known and id(n) not in self.gone for n in draft.roles.mentions(key)):
                return False
        return True
