"""Optimizers that a method makes as attributes of its object, right before its loop: the module may make them when nobody else knows them.

def fit(self):
    self.optimizer = Adam(self.net.parameters(), lr=self.rate)      an attribute that other methods, other files, subclasses or
    for epoch in range(self.epochs): ...                            whoever has the object may read stays one
"""

from __future__ import annotations

import ast

from ..recover.roles import Role
from ..recover.state_names import is_attribute, is_whole, plain
from ..recover.syntax import root_name, walk
from ..recover.variables import Variable
from .draft import Draft
from .statements_between import statements_between


def only_the_program_shows(draft: Draft, variable: Variable) -> bool:
    """Whether the variables of the plain view are all that names an attribute: no other object is asked for it, and nobody gets this one."""
    view, name = draft.source.view, plain(variable.name)
    if view is None or not is_bound_plainly(draft, variable) or name in view.mentioned_elsewhere:
        return False
    if view.family.read_by_bases(name, view.raw.text) or _is_handed_on(draft):
        return False
    return not any(_asks_for(draft, node, name) for node in draft.source.all(ast.Attribute))


def is_bound_plainly(draft: Draft, variable: Variable) -> bool:
    """Whether a variable is an attribute of an object that is no module, and that no code outside of its class binds."""
    view = draft.source.view
    if view is None or not is_attribute(variable.name) or view.family.is_module:
        return False
    return view.bound_outside is not None and plain(variable.name) not in view.bound_outside


def is_asked_first_in_loop(draft: Draft, variable: Variable, making: list[ast.stmt]) -> bool:
    """Whether nothing between the making of an attribute and the loop reads it, in whatever way: the module may bind it as well."""
    escapes, scope = draft.roles.escapes, draft.nest.entry.scope
    if escapes is None:
        return False
    for statement in statements_between(draft, making[0].lineno):
        if statement in making:
            continue
        read, written = escapes.through_calls(statement)
        named = any(isinstance(n, ast.Name) and n.id == variable.name for n in walk(statement))
        if named or variable.name in read | written or escapes.touches(statement, scope):
            return False
    return True


def _is_handed_on(draft: Draft) -> bool:
    """Whether some code gets the object as a whole."""
    return any(is_whole(node.id) for node in draft.source.all(ast.Name))


def _asks_for(draft: Draft, node: ast.Attribute, name: str) -> bool:
    """Whether an object, and no module or settings, is asked for an attribute of that name."""
    if node.attr != name or root_name(node) in draft.roles.origins:
        return False
    return draft.roles.of(node.value, draft.source.scope_of(node)) is not Role.CONFIG
