"""Modules that are no model by name or use and still compute otherwise in eval mode: a loss with dropout, features of a network.

The LightningModule holds them, so Lightning would switch them to eval mode for its validation, which the script does not.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ..recover.bindings import Key, Names
from ..recover.callees import callees, is_named
from ..recover.items import Item
from ..recover.makings import Making, Value, makings, sources
from ..recover.own_classes import class_of_call, lineage
from ..recover.roles import Role
from ..recover.syntax import dotted, walk
from ..recover.variables import Variable
from .draft import Draft
from .made_from import is_number_or_copy, made_from
from .making_functions import nodes_of_making
from .may_run import may_run
from .steps import optimizer_names

_MODAL = re.compile(r"drop|norm|rrelu|rnn|lstm|gru|transformer|attention|training|net|vgg|model|encoder", re.I)
"""Names by which a class of the project shows that it may compute otherwise in eval mode."""
_MODAL_LAYERS = re.compile(
    r"torch\.nn\.(\w*Dropout\w*|\w*BatchNorm\w*|RReLU|LSTM|GRU|RNN|Transformer\w*|Multihead\w*)$"
)
_CONTAINERS = re.compile(r"torch\.nn\.(Sequential|ModuleList|ModuleDict)$")
_DEPTH = 4
_NO_MODULES = (Role.OPTIMIZER, Role.SCHEDULER, Role.LOADER, Role.SCALER, Role.WRITER, Role.BAR, Role.DEVICE)


def mode_dependent(draft: Draft, validation: list[Item]) -> set[Variable]:
    """The variables that the validation uses, besides models, whose modules may compute otherwise in eval mode."""
    return {v for v in _others(draft, validation) if _may_depend(draft, v)}


def made_of_models(draft: Draft, validation: list[Item]) -> dict[Variable, frozenset[Key]]:
    """The variables that the validation uses whose values may reach models, whatever was made of them, and these models."""
    others = [v for v in sorted(_others(draft, validation), key=lambda v: v.rank) if _role(draft, v) not in _NO_MODULES]
    made = {v: made_from((v.scope, v.name), lambda own: _read_for(draft, own)) for v in others}
    found = {v: frozenset(k for k in keys if draft.roles.role_of(k) is Role.MODEL) for v, keys in made.items()}
    return {variable: models for variable, models in found.items() if models}


def _others(draft: Draft, validation: list[Item]) -> set[Variable]:
    """The variables besides models and optimizers that the validation uses, and the loop does not bind."""
    named = {n.id for n in may_run(draft.source, [i.node for i in validation]) if isinstance(n, ast.Name)}
    used = draft.variables.sequence(validation).read
    everywhere = draft.variables.sequence(draft.all_items())
    reached = {v for v in everywhere.read if v in used or v.name in named} - everywhere.written
    return {v for v in reached if _role(draft, v) is not Role.MODEL and not _is_stepped(draft, v)}


def _read_for(draft: Draft, key: Key) -> set[Key]:
    """The variables that are read to make a variable's values, in functions that make them, too, and what is put into these."""
    values = [*(b.value for b in draft.roles.bindings(key)), *_put_in(draft, key)]
    run = nodes_of_making(draft.roles, (v for v in values if not is_number_or_copy(draft, v)))
    names = [n for n, file in run if isinstance(n, ast.Name) and file is draft.roles]
    keys = {draft.roles.key(draft.source.scope_of(n), n.id) for n in names}
    return {k for k in keys if k is not None}


def _put_in(draft: Draft, key: Key) -> list[ast.expr]:
    """What a script puts into the object of a variable: its attributes and elements, and what its methods are given."""
    found: list[ast.expr] = []
    parents = draft.source.parents
    if not draft.roles.bindings(key):  # a module that was imported, or a parameter
        return found
    for name in draft.roles.mentions(key):
        below: ast.AST = name
        while isinstance(above := parents[below], ast.Attribute | ast.Subscript) and above.value is below:
            below = above
        match above:
            case ast.Assign(targets=targets, value=value) if below in targets and below is not name:
                found.append(value)
            case ast.Call(func=function, args=args) if function is below and isinstance(parents[above], ast.Expr):
                found += args
    return found


def _role(draft: Draft, variable: Variable) -> Role | None:
    return draft.roles.role_of((variable.scope, variable.name))


def _is_stepped(draft: Draft, variable: Variable) -> bool:
    """Whether it is an optimizer of the loop: by whatever name its class was found, it has no mode."""
    return any(draft.variable(name, draft.nest.step_frame) == variable for name in optimizer_names(draft))


def _may_depend(draft: Draft, variable: Variable) -> bool:
    return _is_made_modal(Value(ast.Name(variable.name, ast.Load()), variable.scope, draft.roles), 0)


def _is_made_modal(value: Value, depth: int) -> bool:
    return any(_is_modal(making) or _calls_unnamed(making, depth) for making in makings(value))


def _calls_unnamed(making: Making, depth: int) -> bool:
    """Whether a call of a variable may make such a module: what it calls was handed on, or is found in a table."""
    called = making.call.func
    if isinstance(called, ast.Attribute) or is_named(called, making.roles):
        return False
    if isinstance(called, ast.Name) and making.roles.key(making.scope, called.id) is None:
        return False  # of Python itself
    if _is_layer(Value(called, making.scope, making.roles)):
        return False  # it computes a tensor
    for one in callees(Value(called, making.scope, making.roles)):
        if one is None or depth > _DEPTH:
            return True
        made = one.node.body if isinstance(one.node, ast.Lambda) else ast.Call(one.node, [], [])
        if _is_made_modal(Value(made, one.scope, one.roles), depth + 1):
            return True
    return False


def _is_layer(value: Value, seen: frozenset[ast.expr] = frozenset()) -> bool:
    """Whether a value surely is an object of a class of torch's layers."""
    return all(one.node in seen or _is_made_layer(one, seen) for one in sources(value) or [value])


def _is_made_layer(one: Value, seen: frozenset[ast.expr]) -> bool:
    match one.node:
        case ast.Call(func=ast.Attribute(value=owner, attr="cuda" | "to" | "cpu")):
            return _is_layer(Value(owner, one.scope, one.roles), seen | {one.node})
        case ast.Call(func=function):
            full = one.roles.full_name(function)
            return full.startswith("torch.nn.") and full.rpartition(".")[2][:1].isupper()
    return False


def _is_modal(making: Making, depth: int = 0) -> bool:
    if _MODAL_LAYERS.match(making.full_name):
        return True
    if _CONTAINERS.match(making.full_name) and depth < _DEPTH:
        return any(_is_modal(m, depth + 1) for a in making.arguments() for m in makings(a))
    names = list(_names_of_class(making.roles, making.call, 0))
    return "Module" in names and any(_MODAL.search(name) for name in names)


def _names_of_class(roles: Names, call: ast.Call, depth: int) -> Iterator[str]:
    """The last words of the bases of a project's class, and all names in it and in the classes that it makes objects of."""
    definition = class_of_call(roles, call)
    if definition is None or depth > _DEPTH:
        return
    for part, _file in lineage(definition, roles):
        yield from (dotted(base).rpartition(".")[2] for base in part.bases)
        for node in (n for statement in part.body for n in walk(statement)):
            if isinstance(node, ast.Name):
                yield node.id
            elif isinstance(node, ast.Attribute):
                yield node.attr
            elif isinstance(node, ast.Call):
                yield from _names_of_class(roles, node, depth + 1)
