"""Is ``x.backward(...)`` a tensor's backward pass, or a method of an object that runs one: ``engine.backward(loss)``?"""

from __future__ import annotations

import ast

from .makings import Value, makings
from .names import parameter_names
from .own_classes import has_method, own_class
from .roles import Role, Roles
from .state_names import is_attribute, is_whole
from .syntax import Scope, dotted, walk

_OBJECTS = (Role.MODEL, Role.OPTIMIZER, Role.SCALER, Role.LOADER, Role.WRITER, Role.CONFIG)
_OF_TENSORS = {"gradient", "retain_graph", "create_graph", "inputs"}
_TENSORS = ("Tensor", "Parameter")
_DEPTH = 4


def object_backward(roles: Roles, call: ast.Call, scope: Scope) -> bool:
    """Whether ``x.backward(...)`` calls a method of an object that is no tensor of the batch."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "backward":
        return False
    receiver = call.func.value
    if isinstance(receiver, ast.Name) and _is_own_object(roles, receiver.id, scope):
        return True
    definition = own_class(roles, receiver, scope)
    if definition is not None:
        return has_method(definition, "backward")
    if roles.of(receiver, scope) in _OBJECTS:
        return True
    told = bool(call.args) or any(k.arg not in _OF_TENSORS for k in call.keywords)
    return _is_object(roles, receiver, scope, told, 0)


def _is_own_object(roles: Roles, name: str, scope: Scope) -> bool:
    """Whether a name is the object whose method the scope is, and that object no tensor: ``self.backward(loss)``."""
    if is_whole(name):
        return True
    owner = None if isinstance(scope, ast.Module) else roles.source.in_class(scope)
    if owner is None or isinstance(scope, ast.Module) or parameter_names(scope)[:1] != [name]:
        return False
    return not any(dotted(base).rpartition(".")[2] in _TENSORS for base in owner.bases)


def _is_object(roles: Roles, node: ast.expr, scope: Scope, told: bool, depth: int) -> bool:
    """Whether a value is made before the loop by a call that gives no tensor; ``told``: its method gets what a tensor's does not."""
    if isinstance(node, ast.Attribute):
        return told and _made_by_classes(roles, node, scope)
    if not isinstance(node, ast.Name) or depth > _DEPTH:
        return False
    key = roles.key(scope, node.id)
    if key is None or roles.rebound_unseen(key):
        return False
    owner, name = key
    bindings = roles.bindings(key)
    if not isinstance(owner, ast.Module) and name in parameter_names(owner):
        given = roles.arguments(owner, name)
        return not bindings and bool(given) and all(_is_object(roles, a, s, told, depth + 1) for s, a in given)
    if not bindings:
        return told and name in roles.origins
    if not all(isinstance(b.value, ast.Call) and b.index != -1 for b in bindings):
        return False
    if owner is not scope or is_attribute(name):
        return told and _made_by_classes(roles, node, scope)
    around = [a for a in roles.source.ancestors(node) if isinstance(a, ast.For | ast.While | ast.FunctionDef)]
    loops = around[: next((i for i, a in enumerate(around) if isinstance(a, ast.FunctionDef)), len(around))]
    if not loops or any(
        isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load) for n in walk(loops[-1])
    ):
        return False
    return not any(
        roles.full_name(b.value.func).startswith("torch.") for b in bindings if isinstance(b.value, ast.Call)
    )


def _made_by_classes(roles: Roles, node: ast.expr, scope: Scope) -> bool:
    names = [made.full_name for made in makings(Value(node, scope, roles))]
    return bool(names) and all(n.rpartition(".")[2][:1].isupper() and not n.startswith("torch.") for n in names)
