"""A variable of the script that the function around the loop makes itself, and nobody else binds.

def main():
    global args                         lit_net = LitNet(model, args)
    args = parser.parse_args()    →     trainer.fit(lit_net, loader)
    for epoch in range(args.epochs): train(model)
"""

from __future__ import annotations

import ast

from ...recover.names import bound_names
from ...recover.variables import Variable
from ..draft import Draft
from .unbound import before_loop


def made_by_entry(draft: Draft, variable: Variable) -> ast.expr | None:
    """The one value that such a variable ever gets, surely before the loop begins."""
    entry, name = draft.nest.entry.scope, variable.name
    if isinstance(entry, ast.Module) or not variable.is_global or draft.roles.runs_text:
        return None
    declaring = [d for d in draft.source.all(ast.Global) if name in d.names]
    if not declaring or any(draft.source.scope_of(d) is not entry for d in declaring):
        return None
    if name in bound_names(draft.source.tree.body) or name in draft.wanted_elsewhere:
        return None
    match [s for s in entry.body if name in bound_names([s])]:
        case [ast.Assign(targets=[ast.Name()], value=value) as binding] if binding in before_loop(draft):
            return value
    return None
