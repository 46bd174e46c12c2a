"""Backward passes and optimizer steps inside of an object's methods, seen from where the batch calls it.

    loss_scaler(loss, optimizer, clip_grad=1.0, parameters=model.parameters())     its `__call__` runs backward and steps
    optimizer.step_and_update_lr()                                                 a schedule around an optimizer

The call itself is the step site then: it stays as it is, and the object goes on doing what it does.
"""

from __future__ import annotations

import ast
import functools
import re
from typing import TYPE_CHECKING

from .names import parameter_names
from .syntax import Scope, dotted, walk, walk_scope

if TYPE_CHECKING:
    from .roles import Roles

_DEPTH = 4
_STEPS = ("step", "first_step", "second_step")
_BACKWARDS = ("backward", "manual_backward")
_NO_OPTIMIZER = re.compile(r"sched|env|prof|writer|meter|bar|simul", re.I)
_NOT_HELD = re.compile(r"(Module|Optimizer|LRScheduler|_LRScheduler|TestCase|Env)$")


_NATIVE_SCALER = """
class NativeScaler:
    def __call__(self, loss, optimizer, **more):
        self._scaler.scale(loss).backward()
        self._scaler.step(optimizer)
"""
_OF_PACKAGES = {
    "timm.utils.NativeScaler": _NATIVE_SCALER,
    "timm.utils.cuda.NativeScaler": _NATIVE_SCALER,
}
"""What the classes of packages do, of which the text is not read, as far as steps go."""


@functools.cache
def class_of_package(full: str) -> ast.ClassDef | None:
    """A class of a known package whose objects run backward and step, in outline."""
    if full not in _OF_PACKAGES:
        return None
    outline = ast.parse(_OF_PACKAGES[full]).body[0]
    assert isinstance(outline, ast.ClassDef)
    return outline


def held_step(roles: Roles, call: ast.Call, scope: Scope) -> tuple[bool, bool]:
    """Whether a call of an object, or of one of its methods, runs a backward pass, and whether it steps an optimizer."""
    method, owner = "__call__", call.func
    if isinstance(call.func, ast.Attribute):
        method, owner = call.func.attr, call.func.value
        if method in _STEPS or method in _BACKWARDS:
            return False, False
    return _held(roles, owner, method, scope)


def steps_inside(roles: Roles, call: ast.Call, scope: Scope) -> bool:
    """Whether ``x.step()`` is a method of the project's own, and steps an optimizer that the object holds.

    An object whose step also runs backward is an agent that learns by itself, and no tool of a batch.
    """
    return (
        isinstance(call.func, ast.Attribute)
        and call.func.attr in _STEPS
        and _held(roles, call.func.value, call.func.attr, scope) == (False, True)
    )


def _held(roles: Roles, owner: ast.expr, method: str, scope: Scope) -> tuple[bool, bool]:
    if roles.held is False or not _may_be_object(roles, owner, scope) or not may_hold_steps(roles):
        return False, False
    definition = held_class(roles, owner, scope)
    if definition is None or any(_NOT_HELD.search(dotted(b)) for b in definition.bases):
        return False, False
    if _makes_modules(roles, definition):
        return False, False
    return method_steps(definition, method)


def _may_be_object(roles: Roles, owner: ast.expr, scope: Scope) -> bool:
    """Whether it is a variable, or an attribute of the object whose method the scope is."""
    if isinstance(owner, ast.Name):
        known = owner.id in roles.origins or owner.id in roles.source.classes
        return not known and roles.key(scope, owner.id) is not None
    return _own_attribute(roles, owner, scope) is not None


def _own_attribute(roles: Roles, node: ast.expr, scope: Scope) -> ast.ClassDef | None:
    """The class whose method the scope is, when the node is an attribute of the method's own object."""
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name) or isinstance(scope, ast.Module):
        return None
    definition = roles.source.in_class(scope)
    return definition if definition is not None and parameter_names(scope)[:1] == [node.value.id] else None


def held_class(roles: Roles, node: ast.expr, scope: Scope, depth: int = 0) -> ast.ClassDef | None:
    """The class of an object that may hold a step; no file is read for objects of other classes."""
    if depth > _DEPTH:
        return None
    match node:
        case ast.Name(id=name) if (key := roles.key(scope, name)) is not None:
            values = [(b.value, key[0]) for b in roles.bindings(key) if b.index is None]
            if not isinstance(key[0], ast.Module) and key[1] in parameter_names(key[0]):
                values += [(argument, caller) for caller, argument in roles.arguments(*key)]
            found = (held_class(roles, value, place, depth + 1) for value, place in values)
            return next((f for f in found if f is not None), None)
        case ast.Attribute(attr=attribute) if (owner := _own_attribute(roles, node, scope)) is not None:
            stored = (
                held_class(roles, s.value, method, depth + 1)
                for method in _methods(owner).values()
                for s in walk_scope(method.body)
                if isinstance(s, ast.Assign) and any(_is_own(t, attribute, method) for t in s.targets)
            )
            return next((f for f in stored if f is not None), None)
        case ast.IfExp(body=body, orelse=orelse):
            return held_class(roles, body, scope, depth + 1) or held_class(roles, orelse, scope, depth + 1)
        case ast.Call(func=function):
            full = roles.full_name(function)
            if (known := class_of_package(full)) is not None:
                return known
            if full in roles.source.classes or (full.rpartition(".")[2][:1].isupper() and _may_step(roles, full)):
                return roles.class_named(full)
            if (own := roles.source.function(full)) is not None:
                results = [n.value for n in walk_scope(own.body) if isinstance(n, ast.Return) and n.value is not None]
                found = (held_class(roles, result, own, depth + 1) for result in results)
                return next((f for f in found if f is not None), None)
    return None


def may_hold_steps(roles: Roles) -> bool:
    """Whether a class of the file, or one that it imports from beside it, has a method that steps."""
    if roles.held is None:
        made = {roles.full_name(c.func): None for c in roles.source.calls if isinstance(c.func, ast.Attribute)}
        classes = [n for n in (*roles.origins.values(), *made) if n.rpartition(".")[2][:1].isupper()]
        names = [n for n in dict.fromkeys(classes) if _may_step(roles, n)]
        known = [c for n in dict.fromkeys(classes) if (c := class_of_package(n)) is not None]
        known += [*roles.source.classes.values(), *(c for n in names if (c := roles.class_named(n)) is not None)]
        roles.held = any(any(method_steps(c, m.name)) for c in known for m in _methods(c).values())
    return roles.held


def _may_step(roles: Roles, full: str) -> bool:
    """Whether the text of a class's file has the words of a step, so that it is worth parsing."""
    neighbours = roles.neighbours
    file = neighbours.file(full.rpartition(".")[0]) if neighbours is not None else None
    if neighbours is None or file is None:
        return False
    return file.name == "__init__.py" or any(f".{word}(" in neighbours.text(file) for word in (*_STEPS, *_BACKWARDS))


def method_steps(definition: ast.ClassDef, name: str, depth: int = 0) -> tuple[bool, bool]:
    """Whether a method runs one backward pass and whether it makes one optimizer step, in methods that it calls, too.

    A method that does so in a loop is a training loop of its own, and no step of another one.
    """
    methods = _methods(definition)
    waiting, seen = [name], {name}
    backward = steps = False
    while waiting:
        method = methods.get(waiting.pop())
        looped = _in_loops(method)
        for node in walk(method) if method is not None else []:
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            receiver, called = node.func.value, node.func.attr
            if isinstance(receiver, ast.Name) and receiver.id == "self":
                if node in looped and (depth > _DEPTH or any(method_steps(definition, called, depth + 1))):
                    return False, False
                if called not in seen:
                    seen.add(called)
                    waiting.append(called)
                continue
            trains = called in _BACKWARDS or (called in _STEPS and not _NO_OPTIMIZER.search(ast.unparse(receiver)))
            if trains and node in looped:
                return False, False
            backward |= trains and called in _BACKWARDS
            steps |= trains and called in _STEPS
    return backward, steps


def _makes_modules(roles: Roles, definition: ast.ClassDef) -> bool:
    """Whether an object makes networks itself: then it is the program, and no tool of one."""
    for node in walk(definition):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Attribute) for t in node.targets):
            for call in (n for n in walk(node.value) if isinstance(n, ast.Call)):
                name = dotted(call.func)
                last = name.rpartition(".")[2]
                of_torch = name.startswith(("nn.", "torch.nn.")) and last[:1].isupper() and not last.endswith("Loss")
                if of_torch or roles.is_module_class(name):
                    return True
    return False


def _in_loops(method: ast.FunctionDef | None) -> set[ast.AST]:
    loops = [n for n in walk(method) if isinstance(n, ast.For | ast.While)] if method is not None else []
    return {inner for loop in loops for statement in loop.body for inner in walk(statement)}


def _methods(definition: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    return {s.name: s for s in definition.body if isinstance(s, ast.FunctionDef)}


def _is_own(target: ast.expr, attribute: str, method: ast.FunctionDef) -> bool:
    """Whether the target is the attribute of the method's own object."""
    match target:
        case ast.Attribute(value=ast.Name(id=name), attr=found):
            return found == attribute and parameter_names(method)[:1] == [name]
    return False
