"""An attribute of the object that trains, which its constructor surely sets: it is there in every method.

class Training:                                   trainer.fit(lit_net, self.train_loader, self.test_loader)
    def __init__(self, net, test_loader):
        self.test_loader = test_loader     →      also where `self.eval` is false, and nobody asks for the loader
    def run(self):
        if self.eval: for x, y in self.test_loader: ...
"""

from __future__ import annotations

import ast

from ...recover.names import flow
from ...recover.state_names import WHOLE, is_attribute, plain
from ...recover.syntax import walk_scope
from ...recover.variables import Variable
from ..draft import Draft
from ..may_run import may_run


def set_by_constructor(draft: Draft, variable: Variable) -> bool:
    """Whether every object has a value for the attribute from the end of its constructor on."""
    constructor = _constructor(draft)
    if constructor is None or not is_attribute(variable.name) or _is_deleted(draft, variable.name):
        return False
    inside = flow(constructor.body)
    if variable.name not in inside.definite or WHOLE in inside.read:
        return False
    if any(isinstance(n, ast.Return) for n in walk_scope(constructor.body)):
        return False
    return all(node is not draft.nest.entry.scope for node in may_run(draft.source, [constructor]))


def _constructor(draft: Draft) -> ast.FunctionDef | None:
    """The constructor of the class that the objects are of, where that has one itself."""
    view = draft.source.view
    if view is None:
        return None
    leaf = view.family.leaf
    own = (f for f in draft.source.functions if view.method(f) == "__init__")
    found = [f for f in own if leaf.lineno < f.lineno <= (leaf.end_lineno or 0)]
    return found[0] if len(found) == 1 and isinstance(found[0], ast.FunctionDef) else None


def _is_deleted(draft: Draft, name: str) -> bool:
    """Whether something takes the attribute away, from this object or from any other."""
    removed = {n.id for n in draft.source.all(ast.Name) if isinstance(n.ctx, ast.Del)}
    removed |= {n.attr for n in draft.source.all(ast.Attribute) if isinstance(n.ctx, ast.Del)}
    by_name = any(isinstance(c.func, ast.Name) and c.func.id == "delattr" for c in draft.source.calls)
    return by_name or bool(removed & {name, plain(name)})
