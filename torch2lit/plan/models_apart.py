"""Models that have nothing in common with another one: switching one of them leaves the other in its mode."""

from __future__ import annotations

import ast

from ..recover.bindings import Key
from ..recover.role import Role
from ..recover.syntax import walk
from ..recover.variables import Variable
from .draft import Draft
from .made_from import is_number_or_copy, made_from
from .mode_afterwards import holders


def models_apart(draft: Draft, model: Variable) -> frozenset[Key]:
    """The models of the same scope that neither hold the model nor are a part of it: each was made by a call that it does not stand in."""
    own = (model.scope, model.name)
    if not _is_made_here(draft, own):
        return frozenset()
    names = draft.roles.locals(model.scope)
    others = [(model.scope, name) for name in sorted(names) if draft.roles.role_of((model.scope, name)) is Role.MODEL]
    made = _made_of(draft, own)
    return frozenset(o for o in others if o != own and _is_made_here(draft, o) and _are_apart(draft, own, made, o))


def _are_apart(draft: Draft, own: Key, made: set[Key], other: Key) -> bool:
    """Whether neither of two models was made of the other one, and no model took part in the making of both."""
    of_other = _made_of(draft, other)
    common = {key for key in made & of_other if draft.roles.role_of(key) is Role.MODEL}
    related = other in holders(draft, frozenset({own})) or own in holders(draft, frozenset({other}))
    return not (common or related or other in made or own in of_other)


def _made_of(draft: Draft, key: Key) -> set[Key]:
    """The variables that a variable's values are made of, except for the numbers that are computed from them."""
    return made_from(key, lambda own: _read_for(draft, own))


def _read_for(draft: Draft, key: Key) -> set[Key]:
    values = [b.value for b in draft.roles.bindings(key) if not is_number_or_copy(draft, b.value)]
    names = {n.id for value in values for n in walk(value) if isinstance(n, ast.Name)}
    return {other for name in names if (other := draft.roles.key(key[0], name)) is not None}


def _is_made_here(draft: Draft, key: Key) -> bool:
    """Whether every value of a name is that of a call, so that no other name of the scope stands for the same model."""
    values = [b.value for b in draft.roles.bindings(key)]
    return (
        bool(values)
        and all(isinstance(v, ast.Call) for v in values)
        and not draft.roles.is_bare_object(ast.Name(key[1], ast.Load()), key[0])
    )
