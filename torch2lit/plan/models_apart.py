"""Models that have nothing in common with another one: switching one of them leaves the other in its mode."""

from __future__ import annotations

import ast

from ..recover.bindings import Key
from ..recover.role import Role
from ..recover.syntax import walk
from ..recover.variables import Variable
from .draft import Draft
from .mode_afterwards import COPIES, holders


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
    found: set[Key] = set()
    waiting = [key]
    while waiting:
        scope, name = waiting.pop()
        for binding in draft.roles.bindings((scope, name)):
            if (found and isinstance(binding.value, ast.BinOp | ast.Compare | ast.UnaryOp)) or _copies(
                draft, binding.value
            ):
                continue
            read = {n.id for n in walk(binding.value) if isinstance(n, ast.Name)}
            new = {k for n in read if (k := draft.roles.key(scope, n)) is not None} - found - {key}
            found |= new
            waiting += sorted(new, key=lambda k: k[1])
    return found


def _copies(draft: Draft, value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and draft.roles.full_name(value.func) in COPIES


def _is_made_here(draft: Draft, key: Key) -> bool:
    """Whether every value of a name is that of a call, so that no other name of the scope stands for the same model."""
    values = [b.value for b in draft.roles.bindings(key)]
    return (
        bool(values)
        and all(isinstance(v, ast.Call) for v in values)
        and not draft.roles.is_bare_object(ast.Name(key[1], ast.Load()), key[0])
    )
