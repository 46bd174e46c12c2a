"""Whether an optimizer that is made twice holds the same parameters both times.

optimizer = SGD(net.parameters(), lr=0.1)
for epoch in range(2): ...
optimizer = SGD(net.parameters(), lr=0.1)
"""

from __future__ import annotations

import ast

from ..recover.names import flow
from ..recover.roles import Role, Roles
from ..recover.syntax import Scope
from ..recover.ways_on import ways_on
from .same_parameters import SameParameters


def made_alike(roles: Roles, scope: Scope, name: str) -> bool:
    """Whether every making of an optimizer's name lists the parameters of one model, in one block, and nothing in between changes them."""
    key = roles.key(scope, name)
    bindings = roles.bindings(key) if key is not None else []
    made = [b.statement for b in bindings if b.index is None and isinstance(b.statement, ast.Assign)]
    if key is None or not made or len(made) != len(bindings) or roles.rebound_unseen(key):
        return False
    block = roles.source.block_of(made[0])
    if any(one not in block for one in made):
        return False
    lists = {_listed(roles, scope, one) for one in made}
    return None not in lists and len(lists) == 1 and stays_the_same(roles, scope, made[0], made[-1])


def _listed(roles: Roles, scope: Scope, made: ast.Assign) -> str | None:
    match made.value:
        case ast.Call(
            args=[ast.Call(func=ast.Attribute(value=ast.Name(id=model), attr="parameters"), args=[], keywords=[]), *_]
        ):
            return model if roles.role(scope, model) is Role.MODEL else None
    return None


def stays_the_same(roles: Roles, scope: Scope, made: ast.Assign, later: ast.stmt) -> bool:
    """Whether a making would give the same parameters, and find all that it reads, just above a later statement of its block."""
    block = roles.source.block_of(made)
    between = block[block.index(made) + 1 : block.index(later)]
    passed = [s for s in between if not isinstance(s, ast.FunctionDef | ast.ClassDef)]
    same = SameParameters(roles, scope, [made])
    used = same.used_by(made) - {t.id for t in made.targets if isinstance(t, ast.Name)}
    if {*flow(passed).written} & used:
        return False
    return all(same.after(part, used) for statement in passed for part in ways_on(statement))
