"""A class or function that a constructor is handed and calls: ``block(planes)`` of ``ResNet(BasicBlock, [2, 2])``.

What it may be is found among the calls that run while the object is made, through the parameters that hand it on: what may run decides
what is handed on, and what is handed on what may run, so both grow until nothing new comes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from .bindings import Key, Names
from .makings import Value
from .names import parameter_names
from .own_classes import lineage
from .roles import bound_argument
from .syntax import Scope, dotted

_UNKNOWN = ast.Constant(...)


def values_of_parameter(name: Value, calls: Iterable[Value]) -> list[Value] | None:
    """The expressions that a name in a constructor or a method may stand for, none of them a variable; None when that is not known."""
    found = _Handed(list(calls)).values(name)
    return None if any(value.node is _UNKNOWN for value in found) else found


class _Handed:
    def __init__(self, calls: list[Value]) -> None:
        self.calls = calls
        self.files: dict[Key, Names] = {}
        """The variables that were asked for, each with the file that has it."""
        self.found: dict[Key, dict[ast.AST, Value]] = {}

    def values(self, name: Value) -> list[Value]:
        """All that a name may stand for."""
        list(self._leaves(name))
        before = -1
        while before != (before := self._size()):
            for key, roles in [*self.files.items()]:
                self.found[key].update((v.node, v) for v in [*self._given_to(key, roles)])
        return list(self._leaves(name))

    def _size(self) -> int:
        return len(self.files) + sum(map(len, self.found.values()))

    def _leaves(self, value: Value) -> Iterator[Value]:
        """What an expression may be, as far as it is known by now."""
        node, scope, roles = value.node, value.scope, value.roles
        match node:
            case ast.Constant(value=None):
                return
            case ast.IfExp(body=body, orelse=orelse):
                yield from self._leaves(Value(body, scope, roles))
                yield from self._leaves(Value(orelse, scope, roles))
            case ast.BoolOp(values=values):
                for one in values:
                    yield from self._leaves(Value(one, scope, roles))
            case ast.Name(id=name) if (key := roles.key(scope, name)) is not None and _is_variable(key, roles):
                self.files.setdefault(key, roles)
                yield from self.found.setdefault(key, {}).values()
            case _:
                yield value

    def _given_to(self, key: Key, roles: Names) -> Iterator[Value]:
        """What a variable gets: by its bindings, and by the calls that may run its function."""
        owner, name = key
        for binding in roles.bindings(key):
            known = binding.index is None
            yield from self._leaves(Value(binding.value if known else _UNKNOWN, owner, roles))
        if _is_declared_elsewhere(key, roles):
            yield Value(_UNKNOWN, owner, roles)
        if isinstance(owner, ast.Module) or name not in parameter_names(owner):
            return
        definition = roles.source.in_class(owner)
        if definition is None or not isinstance(owner, ast.FunctionDef):
            yield Value(_UNKNOWN, owner, roles)  # a plain function may have been called on the way to the object, too
            return
        for call in self.calls:
            if self._may_run(call, owner, definition, roles):
                yield from self._leaves(_given(owner, call, name, roles))

    def _may_run(self, call: Value, method: ast.FunctionDef, owner: ast.ClassDef, roles: Names) -> bool:
        """Whether a call may run a method of a class: by its name, or because it makes an object and the method is its constructor."""
        assert isinstance(call.node, ast.Call)
        function = call.node.func
        if isinstance(function, ast.Attribute) and function.attr == method.name:
            return _may_mean(function.value, call, owner, roles)
        if method.name not in ("__init__", "__new__"):
            return False
        made = call.roles.own_class_named(call.roles.full_name(function))
        if made is not None:
            return _has(made, owner)
        if not isinstance(function, ast.Name):
            return isinstance(function, ast.Attribute) and _is_stored(function.attr, (call.roles, roles))
        return any(
            value.node is _UNKNOWN or ((one := _class_of(value)) is not None and _has(one, owner))
            for value in self._leaves(Value(function, call.scope, call.roles))
        )


def _is_variable(key: Key, roles: Names) -> bool:
    return not isinstance(key[0], ast.Module) or bool(roles.bindings(key)) or _is_declared_elsewhere(key, roles)


def _is_declared_elsewhere(key: Key, roles: Names) -> bool:
    """Whether a function may bind the variable by ``global`` or ``nonlocal``."""
    if any(key[1] in d.names for d in roles.source.all(ast.Global)):
        return True
    return any(key[1] in d.names for d in roles.source.all(ast.Nonlocal))


def _is_stored(attribute: str, files: Iterable[Names]) -> bool:
    """Whether objects of the project may hold something of their own under an attribute, a class maybe."""
    stored = (n for roles in files for n in roles.source.all(ast.Attribute) if not isinstance(n.ctx, ast.Load))
    return any(n.attr == attribute for n in stored)


def _class_of(value: Value) -> tuple[ast.ClassDef, Names] | None:
    full = value.roles.full_name(value.node)
    return value.roles.own_class_named(full) if full else None


def _has(made: tuple[ast.ClassDef, Names], owner: ast.ClassDef) -> bool:
    return any(part is owner for part, _ in lineage(*made))


def _may_mean(receiver: ast.expr, call: Value, owner: ast.ClassDef, roles: Names) -> bool:
    """Whether the method of an object that a call names may be one of a class: on ``self`` and ``super()`` only where some class is of both."""
    above = isinstance(receiver, ast.Call) and dotted(receiver.func) == "super"
    if not above and not (isinstance(receiver, ast.Name) and receiver.id == "self"):
        return True
    inside = call.roles.source.in_class(call.scope) if not isinstance(call.scope, ast.Module) else None
    if inside is None or inside is owner:
        return not above
    classes = [(c, where) for where in (call.roles, roles) for c in where.source.classes.values()]
    return any(_has(one, owner) and _has(one, inside) for one in classes)


def _given(method: ast.FunctionDef, call: Value, name: str, roles: Names) -> Value:
    """What a call that may run a method passes for its parameter, the default included."""
    assert isinstance(call.node, ast.Call)
    static = any(dotted(d) == "staticmethod" for d in method.decorator_list)
    explicit = any(isinstance(a, ast.Name) and a.id == "self" for a in call.node.args[:1])
    skipped: list[ast.expr] = [] if static or explicit else [ast.Constant(None)]
    full = ast.Call(func=call.node.func, args=[*skipped, *call.node.args], keywords=call.node.keywords)
    value = bound_argument(method, full, name)
    if value is None or value in skipped:
        return Value(_UNKNOWN, call.scope, call.roles)
    if value in (*method.args.defaults, *method.args.kw_defaults):
        scope: Scope = roles.source.scope_of(method)
        return Value(value, scope, roles)
    return Value(value, call.scope, call.roles)
