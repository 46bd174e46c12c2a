"""The calls that make a value, seen through names, branches, arguments, containers, own functions, objects and files."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .bindings import Names
from .names import parameter_names
from .own_classes import lineage, method_of
from .reached_returns import reached_returns
from .syntax import Scope, dotted, remembered, walk, walk_scope

_DEEPEST = 40


@dataclass(frozen=True, slots=True)
class Value:
    """An expression with the scope and the file whose names it uses."""

    node: ast.expr
    scope: Scope
    roles: Names


@dataclass(frozen=True, slots=True)
class Making:
    """A call that makes the value, of a class or of a function that is no function of the project."""

    call: ast.Call
    scope: Scope
    roles: Names

    @property
    def full_name(self) -> str:
        """The dotted name of what is called, import aliases resolved."""
        return self.roles.full_name(self.call.func)

    @property
    def last_name(self) -> str:
        """The last part of that name: ``DataLoader``."""
        return self.full_name.rpartition(".")[2]

    def argument(self, name: str, index: int | None = None) -> Value | None:
        """What is passed under a keyword, in the call itself or in a dictionary behind ``**``, or at a place."""
        for keyword in self.call.keywords:
            if keyword.arg == name:
                return Value(keyword.value, self.scope, self.roles)
        for keyword in self.call.keywords:
            if keyword.arg is None:
                found = next(_Search().entries(Value(keyword.value, self.scope, self.roles), name), None)
                if found is not None:
                    return found
        if index is not None and index < len(self.call.args):
            return Value(self.call.args[index], self.scope, self.roles)
        return None

    def arguments(self) -> list[Value]:
        """Everything that is passed in the call itself."""
        nodes = [*self.call.args, *(k.value for k in self.call.keywords)]
        return [Value(node, self.scope, self.roles) for node in nodes]


def makings(value: Value) -> list[Making]:
    """Every call that may give the expression its value, as far as the project's text shows."""
    return [Making(p.node, p.scope, p.roles) for p in sources(value) if isinstance(p.node, ast.Call)]


def sources(value: Value) -> list[Value]:
    """All that the expression comes down to: those calls, and whatever else nothing is known of."""
    return list(_Search().reduced(value, 0))


def one_back(value: Value) -> list[Value]:
    """What the expression stands for, one name, branch, call or container further back; nothing where that is not known."""
    return [found for found in _Search().one_step(value, 0) if found is not value]


def elements_at(container: Value, place: ast.expr | None) -> Iterator[Value]:
    """The elements of a list, tuple or dictionary at a place; all of them when the place is not a constant."""
    return _Search().elements(container, place, 0)


def is_none(value: Value) -> bool:
    """Whether the expression surely is None."""
    parts = sources(value)
    return bool(parts) and all(isinstance(p.node, ast.Constant) and p.node.value is None for p in parts)


class _Search:
    """One walk back from a value; what was seen once is not followed again."""

    def __init__(self, owners: set[int] | None = None) -> None:
        self.seen: set[tuple[int, object]] = set()
        self.owners: set[int] = set() if owners is None else owners
        """The objects whose class was asked for, in the searches for these classes too: each is looked at once."""

    def _is_new(self, value: Value, place: object) -> bool:
        mark = (id(value.node), place)
        if mark in self.seen:
            return False
        self.seen.add(mark)
        return True

    def reduced(self, value: Value, depth: int) -> Iterator[Value]:
        """The expressions that a value comes down to: calls of others' functions and classes, and what leads no further."""
        if depth > _DEEPEST or not self._is_new(value, None):
            return
        for inner in self.one_step(value, depth):
            if inner is value:
                yield value
            else:
                yield from self.reduced(inner, depth + 1)

    def one_step(self, value: Value, depth: int) -> Iterable[Value]:
        """What the expression stands for, one name, branch, call or container further back; itself when nothing is known."""
        node, scope, roles = value.node, value.scope, value.roles
        match node:
            case ast.Name(id=name):
                return self._of_name(roles, scope, name, depth)
            case ast.NamedExpr(value=inner):
                return [Value(inner, scope, roles)]
            case ast.IfExp(body=body, orelse=orelse):
                return [Value(body, scope, roles), Value(orelse, scope, roles)]
            case ast.BoolOp(values=values):
                return [Value(v, scope, roles) for v in values]
            case ast.Subscript(value=container, slice=place):
                return self.elements(Value(container, scope, roles), place, depth)
            case ast.Attribute(value=owner, attr=attribute):
                return _elsewhere(node, roles) or self._of_attribute(Value(owner, scope, roles), attribute, depth)
            case ast.Call():
                returned = self._returned(value, depth)
                return [value] if returned is None else returned
        return [value]

    def _of_name(self, roles: Names, scope: Scope, name: str, depth: int) -> Iterator[Value]:
        key = roles.key(scope, name)
        if key is None or not roles.bindings(key):
            yield from _elsewhere(ast.Name(name, ast.Load()), roles)
        if key is None:
            return
        owner, name = key
        for binding in roles.bindings(key):
            value = Value(binding.value, owner, roles)
            if binding.index is None:
                yield value
            elif binding.index >= 0:
                yield from self.elements(value, ast.Constant(binding.index), depth)
            elif binding.index == -1:
                yield from self.elements(value, None, depth)
        view = roles.source.view
        if view is not None and not isinstance(owner, ast.Module) and view.method(owner) and view.is_made_elsewhere:
            return  # what other files give is not known
        if not isinstance(owner, ast.Module) and name in parameter_names(owner):
            for caller, argument in roles.arguments(owner, name):
                yield Value(argument, caller, roles)

    def _returned(self, call: Value, depth: int) -> list[Value] | None:
        """What a function or method of the project returns; None when the call is none of one."""
        assert isinstance(call.node, ast.Call)
        function = call.node.func
        full = call.roles.full_name(function)
        if full and (own := call.roles.function_named(full)) is not None:
            found, roles = own
            called = reached_returns(found, call.node)
            return None if yields(found) else [Value(n.value, found, roles) for n in called if n.value is not None]
        if isinstance(function, ast.Attribute):
            for definition, roles in self._classes_of(Value(function.value, call.scope, call.roles), depth):
                if (method := method_of(definition, function.attr)) is not None:
                    return None if yields(method) else _results(method, roles)
        return None

    def _classes_of(self, value: Value, depth: int) -> Iterator[tuple[ast.ClassDef, Names]]:
        """The project's class of an object, and the classes above it, each with the file that defines it."""
        found: list[tuple[ast.ClassDef, Names]] = []
        if isinstance(value.node, ast.Name) and value.node.id == "self" and not isinstance(value.scope, ast.Module):
            owner = value.roles.source.in_class(value.scope)
            found += [(owner, value.roles)] if owner is not None else []
        else:
            if id(value.node) in self.owners:
                return
            self.owners.add(id(value.node))
            for part in _Search(self.owners).reduced(value, depth + 1):
                if isinstance(part.node, ast.Call):
                    made = part.roles.own_class_named(part.roles.full_name(part.node.func))
                    found += [made] if made is not None else []
        for definition, roles in found:
            yield from lineage(definition, roles)

    def _of_attribute(self, owner: Value, attribute: str, depth: int) -> Iterator[Value]:
        """What the class of an object stores under an attribute, or a property gives."""
        for definition, roles in self._classes_of(owner, depth):
            if (getter := method_of(definition, attribute)) is not None:
                yield from _results(getter, roles)
            for node in walk(definition):
                if not isinstance(node, ast.Assign):
                    continue
                value = Value(node.value, roles.source.scope_of(node), roles)
                for target in node.targets:
                    if _is_own(target, attribute):
                        yield value
                    elif isinstance(target, ast.Tuple):
                        for index, element in enumerate(target.elts):
                            if _is_own(element, attribute):
                                yield from self.elements(value, ast.Constant(index), depth)

    def elements(self, container: Value, place: ast.expr | None, depth: int) -> Iterator[Value]:
        """The elements of a list, tuple or dictionary at a place; all of them when the place is not a constant."""
        wanted = place.value if isinstance(place, ast.Constant) else None
        if depth > _DEEPEST or not self._is_new(container, (wanted,)):
            return
        node, scope, roles = container.node, container.scope, container.roles
        match node:
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                if isinstance(wanted, int) and wanted < len(elements):
                    elements = [elements[wanted]]
                for element in elements:
                    yield Value(element, scope, roles)
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if not isinstance(key, ast.Constant) or wanted is None or key.value == wanted:
                        yield Value(value, scope, roles)
            case ast.ListComp(elt=element) | ast.GeneratorExp(elt=element) | ast.DictComp(value=element):
                yield Value(element, scope, roles)
            case ast.Call(func=ast.Attribute(value=inner_container, attr="values"), args=[]):
                yield from self.elements(Value(inner_container, scope, roles), None, depth + 1)
            case ast.Call(func=ast.Name(id="list" | "tuple"), args=[same]):
                yield from self.elements(Value(same, scope, roles), place, depth + 1)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                for part in (left, right):
                    yield from self.elements(Value(part, scope, roles), None, depth + 1)
            case ast.Call(func=ast.Name(id="dict"), keywords=keywords):
                for keyword in keywords:
                    if keyword.arg is None or wanted is None or keyword.arg == wanted:
                        yield Value(keyword.value, scope, roles)
            case _:
                for inner in self.one_step(container, depth):
                    if inner is not container:
                        yield from self.elements(inner, place, depth + 1)
        if isinstance(node, ast.Name):
            yield from self._stored(node, container, wanted, depth)

    def _stored(self, name: ast.Name, container: Value, wanted: object, depth: int) -> Iterator[Value]:
        """What is put into a container later: ``loaders["train"] = ...``, ``loaders.append(...)``, ``options.update(...)``."""
        key = container.roles.key(container.scope, name.id)
        if key is None:
            return
        for node in _stores(key[0]).get(name.id, ()):
            match node:
                case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=owner), slice=place)], value=value):
                    at = place.value if isinstance(place, ast.Constant) else None
                    if owner == name.id and (at is None or wanted is None or at == wanted):
                        yield Value(value, key[0], container.roles)
                case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr="append"), args=[value]):
                    if owner == name.id:
                        yield Value(value, key[0], container.roles)
                case (
                    ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr="extend"), args=[values])
                    | ast.AugAssign(target=ast.Name(id=owner), op=ast.Add(), value=values)
                ):
                    if owner == name.id:
                        yield from self.elements(Value(values, key[0], container.roles), None, depth + 1)
                case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr="insert"), args=[_, value]):
                    if owner == name.id:
                        yield Value(value, key[0], container.roles)
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id=owner), attr="update"), args=given, keywords=keywords
                ) if owner == name.id:
                    for keyword in keywords:
                        if wanted is None or keyword.arg == wanted:
                            yield Value(keyword.value, key[0], container.roles)
                    there = ast.Constant(wanted) if isinstance(wanted, str | int) else None
                    for value in given:
                        yield from self.elements(Value(value, key[0], container.roles), there, depth + 1)

    def entries(self, options: Value, name: str) -> Iterator[Value]:
        """What a dictionary behind ``**`` holds under a name, through a function's own ``**kwargs`` too."""
        node, scope, roles = options.node, options.scope, options.roles
        if isinstance(node, ast.Name) and not isinstance(scope, ast.Module):
            if scope.args.kwarg is not None and scope.args.kwarg.arg == node.id:
                for call in roles.source.calls:
                    if dotted(call.func) == scope.name:
                        for keyword in call.keywords:
                            if keyword.arg == name:
                                yield Value(keyword.value, roles.source.scope_of(call), roles)
                return
        yield from self.elements(options, ast.Constant(name), 0)


@remembered
def _stores(scope: Scope) -> Mapping[str, list[ast.AST]]:
    """The statements and calls of a scope that may put something into a container, by its name."""
    found: dict[str, list[ast.AST]] = {}
    for node in walk_scope(scope.body):
        match node:
            case (
                ast.Assign(targets=[ast.Subscript(value=ast.Name(id=owner))])
                | ast.Call(func=ast.Attribute(value=ast.Name(id=owner)))
                | ast.AugAssign(target=ast.Name(id=owner))
            ):
                found.setdefault(owner, []).append(node)
    return found


def yields(function: ast.FunctionDef) -> bool:
    """Whether calling the function gives a generator."""
    return any(isinstance(n, ast.Yield | ast.YieldFrom) for n in walk_scope(function.body))


def _elsewhere(node: ast.expr, roles: Names) -> list[Value]:
    """What an imported name stands for when it is a variable of another file of the project."""
    found = roles.variable_named(roles.full_name(node))
    if found is None:
        return []
    name, other = found
    return [Value(ast.Name(name, ast.Load()), other.source.tree, other)]


def _results(function: ast.FunctionDef, roles: Names) -> list[Value]:
    return [
        Value(n.value, function, roles)
        for n in walk_scope(function.body)
        if isinstance(n, ast.Return) and n.value is not None
    ]


def _is_own(target: ast.expr, attribute: str) -> bool:
    match target:
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return name == attribute
    return False
