"""A variable of the script that the function around the loop makes itself, and nobody else binds.

def main():
    global args                         lit_net = LitNet(model, args)
    args = parser.parse_args()    →     trainer.fit(lit_net, loader)
    for epoch in range(args.epochs): train(model)
"""

from __future__ import annotations

import ast

from ...recover.names import bound_names, declared, flow
from ...recover.variables import Variable
from ..draft import Draft
from .unbound import before_loop, bound_before_call


def made_by_entry(draft: Draft, variable: Variable) -> ast.expr | None:
    """The one value that such a variable ever gets, surely before the loop begins."""
    entry, name = draft.nest.entry.scope, variable.name
    if not _only_entry_declares(draft, variable) or name in bound_names(draft.source.tree.body):
        return None
    match [s for s in entry.body if name in bound_names([s])]:
        case [ast.Assign(targets=[ast.Name()], value=value) as binding] if binding in before_loop(draft):
            return value
    return None


def settled_by_entry(draft: Draft, variable: Variable) -> bool:
    """Whether the function gives such a variable its last value before the loop, be it another one than the script gave it."""
    if not _only_entry_declares(draft, variable) or variable.name in bound_names([draft.nest.outermost]):
        return False
    return variable.name in bound_before_call(draft) or binds_before_loop(draft, variable)


def binds_before_loop(draft: Draft, variable: Variable) -> bool:
    """Whether the function around the loop, which declares the variable global, surely binds it on the way to the loop."""
    entry, name = draft.nest.entry.scope, variable.name
    if isinstance(entry, ast.Module) or name not in declared(entry.body, ast.Global):
        return False
    return name in flow(before_loop(draft)).definite


def _only_entry_declares(draft: Draft, variable: Variable) -> bool:
    """Whether no function but the one around the loop binds a variable of the script."""
    entry, name = draft.nest.entry.scope, variable.name
    if isinstance(entry, ast.Module) or not variable.is_global or draft.roles.runs_text:
        return False
    if name in draft.wanted_elsewhere:
        return False
    declaring = [d for d in draft.source.all(ast.Global) if name in d.names]
    return bool(declaring) and all(draft.source.scope_of(d) is entry for d in declaring)
