"""Which names at a turn's head get a batch as it comes from a loader: the Trainer hands it over as it does in any loop over the loader.

batches = iter(loader)          nobody else has the containers of such a batch, so that the turn may change them; and the Trainer puts
x, y = next(batches)            its tensors where it puts those of every loader
"""

from __future__ import annotations

import ast

from ..recover.makings import Value, makings, sources
from ..recover.names import target_names
from ..recover.roles import Roles
from ..recover.syntax import Scope
from .restarted import asked_iterator, restart_of


def from_loaders(made: list[ast.stmt], scope: Scope, roles: Roles) -> set[str]:
    """The names that surely hold what `next` gives of a loader's iterator, and nothing else, behind some statements."""
    found: set[str] = set()
    others: set[str] = set()
    for statement in made:
        names = _from_iterator(statement, scope, roles)
        others |= set() if names is not None else _bound(statement)
        found |= names or set()
    return found - others


def _from_iterator(statement: ast.stmt, scope: Scope, roles: Roles) -> set[str] | None:
    if (restart := restart_of(statement)) is not None:
        return {*restart.batch} if _is_over_loader(restart.iterator, scope, roles) else None
    match statement:
        case ast.Assign(targets=[target], value=value) if name := asked_iterator(value):
            return {*target_names(target)} if _is_over_loader(name, scope, roles) else None
    return None


def _is_over_loader(iterator: str, scope: Scope, roles: Roles) -> bool:
    """Whether all that the name ever holds is an iterator of a loader."""
    key = roles.key(scope, iterator)
    bindings = roles.bindings(key) if key is not None else []
    if key is None or not bindings or roles.rebound_unseen(key):
        return False
    for binding in bindings:
        match binding.value:
            case ast.Call(func=ast.Name(id="iter"), args=[over], keywords=[]) if binding.index is None:
                if not _is_made_as_loader(over, key[0], roles):
                    return False
            case _:
                return False
    return True


def _is_made_as_loader(over: ast.expr, scope: Scope, roles: Roles) -> bool:
    """Whether every value that it may have is made as a loader: a list of the script's own keeps what its batches hold."""
    value = Value(over, scope, roles)
    made = makings(value)
    return bool(made) and len(made) == len(sources(value)) and all(m.last_name.endswith("DataLoader") for m in made)


def _bound(statement: ast.stmt) -> set[str]:
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
