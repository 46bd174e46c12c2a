"""Models that have nothing in common with another one: switching one of them leaves the other in its mode."""

from __future__ import annotations

import ast

from ..recover.bindings import Key
from ..recover.role import Role
from ..recover.variables import Variable
from .draft import Draft
from .mode_afterwards import holders


def models_apart(draft: Draft, model: Variable) -> frozenset[Key]:
    """The models of the same scope that neither hold the model nor are a part of it: each was made by a call that it does not stand in."""
    own = (model.scope, model.name)
    if not _is_made_here(draft, own):
        return frozenset()
    held = holders(draft, frozenset({own}))
    names = draft.roles.locals(model.scope)
    others = [(model.scope, name) for name in sorted(names) if draft.roles.role_of((model.scope, name)) is Role.MODEL]
    apart = [o for o in others if o != own and o not in held and _is_made_here(draft, o)]
    return frozenset(o for o in apart if own not in holders(draft, frozenset({o})))


def _is_made_here(draft: Draft, key: Key) -> bool:
    """Whether every value of a name is that of a call, so that no other name of the scope stands for the same model."""
    values = [b.value for b in draft.roles.bindings(key)]
    return (
        bool(values)
        and all(isinstance(v, ast.Call) for v in values)
        and not draft.roles.is_bare_object(ast.Name(key[1], ast.Load()), key[0])
    )
