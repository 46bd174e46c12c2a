"""Networks that a batch clears as wholes: where they are all that an optimizer is made of, no gradient of theirs is older than the batch.

optimizer = get_optimizer(args.name, model, lr=args.lr)       it may hold the parameters in any groups, or some of them
for x, y in loader:
    model.zero_grad()
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..recover.bindings import Key
from ..recover.own_classes import method_of
from ..recover.reached_files import reached_files
from ..recover.role import Role
from ..recover.roles import Roles
from ..recover.syntax import Scope, dotted, root_name, walk
from ..recover.variables import Variable
from .draft import Draft
from .held_models import held_models
from .steps import optimizer_names

_PARAMETERS = ("parameters", "named_parameters")
_DEEPEST = 6


def cleared_wholes(draft: Draft) -> frozenset[str]:
    """The models whose clearing is that of all gradients: every one that the module holds; none where an optimizer may hold others' parameters."""
    if any(_has_own_clearing(file) for file in reached_files(draft.roles)):
        return frozenset()
    models = held_models(draft)
    keys = {(model.scope, model.name) for model in models}
    made_of_them = all(_is_made_of(draft, name, keys) for name in optimizer_names(draft))
    return frozenset(map(whole_name, models)) if made_of_them else frozenset()


def _is_object(draft: Draft, key: Key) -> bool:
    """Whether a name may hold an object that has parameters of its own: one of a class, other than an optimizer, or one that is called."""
    if draft.roles.role_of(key) is Role.OPTIMIZER:
        return False
    calls = [b.value for b in draft.roles.bindings(key) if isinstance(b.value, ast.Call)]
    called = any(isinstance(call.func, ast.Name) and call.func.id == key[1] for call in draft.source.calls)
    return any(called or dotted(call.func).rpartition(".")[2][:1].isupper() for call in calls)


def _has_own_clearing(file: Roles) -> bool:
    """Whether a class of modules says itself what `zero_grad()` does."""
    return any(method_of(c, "zero_grad") and file.is_module_class(c.name) for c in file.source.classes.values())


def whole_name(model: Variable) -> str:
    """What stands for a model among what a batch has cleared."""
    return f"the whole of {model.rank}"


def _is_made_of(draft: Draft, optimizer: ast.expr, models: set[Key]) -> bool:
    """Whether the values of an optimizer's name are calls that are handed those models, and the parameters of no others."""
    variable = draft.variable(optimizer, draft.nest.step_frame)
    if variable is None:
        return False
    given = list(_given(draft, (variable.scope, variable.name), 0))
    owners = [draft.roles.key(scope, name) for scope, name in given]
    return bool(owners) and all(owner in models for owner in owners)


def _given(draft: Draft, key: Key, depth: int) -> Iterator[tuple[Scope, str]]:
    """The models, and whatever else gives parameters, in what a name stands for: those that its values are made of."""
    for binding in draft.roles.bindings(key) if depth < _DEEPEST else ():
        for node in walk(binding.value):
            match node:
                case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in _PARAMETERS:
                    yield key[0], root_name(owner)
                case ast.Name(id=name, ctx=ast.Load()) if (other := draft.roles.key(key[0], name)) not in (None, key):
                    assert other is not None
                    if draft.roles.role_of(other) in (Role.MODEL, Role.CRITERION) or _is_object(draft, other):
                        yield key[0], name
                    elif draft.roles.role_of(other) in (None, Role.OPTIMIZER):
                        yield from _given(draft, other, depth + 1)
