"""Optimizers that a method makes as attributes of its object, right before its loop: the module may make them when nobody else knows them.

def fit(self):
    self.optimizer = Adam(self.net.parameters(), lr=self.rate)      an attribute that other methods, other files, subclasses or
    for epoch in range(self.epochs): ...                            whoever has the object may read stays one
"""

from __future__ import annotations

import ast

from ..recover.roles import Role
from ..recover.state_names import is_attribute, is_whole, plain
from ..recover.syntax import root_name
from ..recover.variables import Variable
from .draft import Draft


def only_the_program_shows(draft: Draft, variable: Variable) -> bool:
    """Whether the variables of the plain view are all that names an attribute: no other object is asked for it, and nobody gets this one."""
    view, name = draft.source.view, plain(variable.name)
    if view is None or not is_attribute(variable.name) or view.family.is_module:
        return False
    if view.bound_outside is None or name in view.bound_outside or name in view.mentioned_elsewhere:
        return False
    if view.family.read_by_bases(name, view.raw.text) or _is_handed_on(draft):
        return False
    return not any(_asks_for(draft, node, name) for node in draft.source.all(ast.Attribute))


def _is_handed_on(draft: Draft) -> bool:
    """Whether some code gets the object as a whole."""
    return any(is_whole(node.id) for node in draft.source.all(ast.Name))


def _asks_for(draft: Draft, node: ast.Attribute, name: str) -> bool:
    """Whether an object, and no module or settings, is asked for an attribute of that name."""
    if node.attr != name or root_name(node) in draft.roles.origins:
        return False
    return draft.roles.of(node.value, draft.source.scope_of(node)) is not Role.CONFIG
