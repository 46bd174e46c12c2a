"""Does code of another file of the project leave a model that it is handed in its mode?

save_model(model, optimizer, path)      stopper.step(val_loss, model)
"""

from __future__ import annotations

import ast

from ..recover.bindings import Names
from ..recover.made_in_train_mode import switches_modes
from ..recover.mode_paths import Place, called_in_project, code_path
from ..recover.roles import Role
from .draft import Draft
from .may_run import may_run


def leaves_modes(draft: Draft, call: ast.Call) -> bool:
    """Whether a call runs a function or method of the project that looks at no mode, switches none, and has no other file do so."""
    scope = draft.source.scope_of(call)
    given = [a for a in [*call.args, *(k.value for k in call.keywords)] if isinstance(a, ast.Name)]
    keys = {draft.roles.key(scope, a.id) for a in given if draft.roles.of(a, scope) is Role.MODEL}
    place = Place(draft.roles, scope, frozenset(k for k in keys if k is not None))
    found = called_in_project(call, place)
    if found is None or code_path(call, place).shows:
        return False
    function, names = found
    return not any(switches_modes(n) or _leads_on(names, n) for n in may_run(names.source, [function]))


def _leads_on(names: Names, node: ast.AST) -> bool:
    """Whether the node calls code of a further file."""
    if not isinstance(node, ast.Call):
        return False
    full = names.full_name(node.func)
    found = (names.function_named(full) or names.own_class_named(full)) if full else None
    return found is not None and found[1] is not names
