"""A variable of the script that every call of the training function hands it: both names are one value while it trains.

def evaluate(model): ... args.threshold          def main(args): ... evaluate(model)          main(args)
"""

from __future__ import annotations

import ast

from ..recover.names import bound_names, parameter_names
from .draft import Draft
from .given import given_by_calls


def unite_given_globals(draft: Draft) -> None:
    """Let each such variable, if the parameter is called the same, be the parameter, which the module is handed."""
    entry, roles, source = draft.nest.entry, draft.roles, draft.source
    if isinstance(entry.scope, ast.Module) or source.view is not None or entry.scope.name in draft.wanted_elsewhere:
        return
    for parameter in parameter_names(entry.scope):
        given = given_by_calls(roles, entry.scope, parameter)
        keys = {roles.key(scope, value.id) if isinstance(value, ast.Name) else None for scope, value in given}
        if len(keys) != 1 or keys.pop() != (key := (source.tree, parameter)):
            continue
        if (
            roles.rebound_unseen(key)
            or parameter in draft.wanted_elsewhere
            or parameter in bound_names(entry.scope.body)
        ):
            continue
        if (inner := draft.variables.of(entry, parameter)) is not None:
            draft.variables.unite(draft.variables.of_script(key), inner)
