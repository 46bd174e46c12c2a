"""Objects of classes that the project itself defines: what torch would do with such a name, they need not do."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .bindings import File, Names
from .names import parameter_names
from .syntax import Scope, dotted, walk, walk_scope

_DEPTH = 6
_BARE_BASES = frozenset({"object", "ABC", "Generic", "Protocol", "NamedTuple", "Enum"})
_PLAIN_BASES = _BARE_BASES | {"Module"}


def own_class(roles: Names, node: ast.expr, scope: Scope, depth: int = 0) -> ast.ClassDef | None:
    """The class of the project whose object an expression may give, None when no such class is seen."""
    if depth > _DEPTH:
        return None
    match node:
        case ast.Name(id=name):
            return _of_name(roles, name, scope, depth + 1)
        case ast.IfExp(body=body, orelse=orelse):
            return own_class(roles, body, scope, depth + 1) or own_class(roles, orelse, scope, depth + 1)
        case ast.Call(func=function):
            if (found := class_of_call(roles, node)) is not None:
                return found
            if (own := roles.source.function(dotted(function))) is not None:
                results = [n.value for n in walk_scope(own.body) if isinstance(n, ast.Return) and n.value is not None]
                return _first(roles, results, own, depth)
            maker = own_class(roles, function, scope, depth + 1)
            return maker if maker is not None and _returns_self(maker) else None
    return None


def class_of_call(roles: Names, call: ast.Call) -> ast.ClassDef | None:
    """The project's class that a call makes an object of."""
    found = definition_of(roles, call.func)
    return found if isinstance(found, ast.ClassDef) else None


def definition_of(roles: Names, function: ast.expr) -> ast.ClassDef | ast.FunctionDef | None:
    """The project's class or function under a name, in the script or in a file beside it."""
    full = roles.full_name(function)
    if full in roles.source.classes:
        return roles.source.classes[full]
    if "." not in full and (own := roles.source.function(full)) is not None:
        return own
    found = roles.defined_beside(full)
    return found.node if found is not None else None


def is_plain(roles: Names, definition: ast.ClassDef) -> bool:
    """Whether nothing of torch's optimizers or schedulers is among a class's bases."""
    return _only_from(roles, definition, _PLAIN_BASES, 0)


def is_bare(roles: Names, definition: ast.ClassDef) -> bool:
    """Whether all that objects of a class can do is written in the project: neither torch nor what they hold answers for them."""
    if method_of(definition, "__getattr__") or method_of(definition, "__getattribute__"):
        return False
    return _only_from(roles, definition, _BARE_BASES, 0)


def _only_from(roles: Names, definition: ast.ClassDef, known: frozenset[str], depth: int) -> bool:
    """Whether every base of a class, through the project's own classes, is one of those with these names."""
    for base in definition.bases:
        name = dotted(base.value if isinstance(base, ast.Subscript) else base)
        last = name.rpartition(".")[2]
        if last in known:
            continue
        above = definition_of(roles, base) or roles.source.classes.get(last)
        if not isinstance(above, ast.ClassDef) or above is definition or depth > _DEPTH:
            return False
        if not _only_from(roles, above, known, depth + 1):
            return False
    return True


def bare_class(roles: Names, node: ast.expr, scope: Scope) -> ast.ClassDef | None:
    """The class of an object of the script's own whose methods mean what they say there, whatever torch calls so."""
    definition = own_class(roles, node, scope)
    return definition if definition is not None and is_bare(roles, definition) else None


def lineage(definition: ast.ClassDef, roles: File) -> Iterator[tuple[ast.ClassDef, File]]:
    """The class and the project's classes above it, nearest first, each with the file that defines it."""
    found = [(definition, roles)]
    for own, where in found:
        yield own, where
        above = (where.own_class_named(where.full_name(base)) for base in own.bases)
        found += [one for one in above if one is not None and one not in found]


def method_of(definition: ast.ClassDef, name: str) -> ast.FunctionDef | None:
    """The method that the body of a class itself defines."""
    return next((s for s in definition.body if isinstance(s, ast.FunctionDef) and s.name == name), None)


def has_method(definition: ast.ClassDef, name: str) -> bool:
    """Whether a class defines a method for objects itself."""
    return any(
        isinstance(s, ast.FunctionDef)
        and s.name == name
        and not any(dotted(d) in ("staticmethod", "classmethod") for d in s.decorator_list)
        for s in definition.body
    )


def _of_name(roles: Names, name: str, scope: Scope, depth: int) -> ast.ClassDef | None:
    key = roles.key(scope, name)
    if key is None or not roles.bindings(key):
        elsewhere = roles.variable_named(roles.full_name(ast.Name(name, ast.Load())))
        if elsewhere is not None:
            return own_class(elsewhere[1], ast.Name(elsewhere[0], ast.Load()), elsewhere[1].source.tree, depth)
    if key is None:
        return None
    owner, name = key
    for binding in roles.bindings(key):
        found: ast.ClassDef | None = None
        if binding.index is None:
            found = own_class(roles, binding.value, owner, depth)
        elif binding.index == -1:
            found = _first(roles, _elements(roles, binding.value, owner), owner, depth)
        if found is not None:
            return found
    if not isinstance(owner, ast.Module) and name in parameter_names(owner):
        for caller, argument in roles.arguments(owner, name):
            if (given := own_class(roles, argument, caller, depth)) is not None:
                return given
    return None


def _elements(roles: Names, container: ast.expr, scope: Scope) -> list[ast.expr]:
    """What a list that is looped over was made of."""
    match container:
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return elements
        case ast.ListComp(elt=element):
            return [element]
        case ast.Name(id=name):
            key = roles.key(scope, name)
            found: list[ast.expr] = []
            for binding in roles.bindings(key) if key else []:
                if binding.index is None and not isinstance(binding.value, ast.Name):
                    found += _elements(roles, binding.value, scope)
            for call in roles.source.calls:
                match call:
                    case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr="append"), args=[element]):
                        if owner == name and roles.key(roles.source.scope_of(call), owner) == key:
                            found.append(element)
            return found
    return []


def _first(roles: Names, values: list[ast.expr], scope: Scope, depth: int) -> ast.ClassDef | None:
    found = (own_class(roles, value, scope, depth + 1) for value in values)
    return next((f for f in found if f is not None), None)


def _returns_self(definition: ast.ClassDef) -> bool:
    """Whether calling an object of the class gives the object itself."""
    for method in definition.body:
        if isinstance(method, ast.FunctionDef) and method.name in ("__call__", "forward"):
            for node in walk(method):
                if isinstance(node, ast.Return) and isinstance(node.value, ast.Name) and node.value.id == "self":
                    return True
    return False
