"""Which generator of the script's own a loop runs through: a function, or the method of an object whose class is known."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from ..recover.names import bound_names
from ..recover.neighbours import Definition
from ..recover.own_classes import lineage, method_of
from ..recover.project_text import other_text
from ..recover.roles import Roles
from ..recover.syntax import Scope, dotted, root_name, walk
from .parts import Parts, parts_of

_DEPTH = 6
_CHANGES_LOOKUP = {"__getattribute__", "__new__", "__init_subclass__"}


@dataclass(frozen=True, slots=True)
class Called:
    """A generator, the file that holds it, and what the loop calls the object whose method it is, "" for a function.

    ``elsewhere`` is set when the file is another one than the script's.
    """

    parts: Parts
    roles: Roles
    receiver: str = ""
    elsewhere: Definition | None = None


def called_by(roles: Roles, call: ast.Call, scope: Scope, path: str) -> Called | None:
    """The generator that a call surely starts."""
    match call.func:
        case ast.Attribute(value=owner, attr=method) if root_name(owner) not in roles.origins:
            return _method(roles, owner, method, scope, path)
        case ast.Name() | ast.Attribute():
            return _function(roles, call.func, scope, path)
    return None


def _function(roles: Roles, function: ast.expr, scope: Scope, path: str) -> Called | None:
    full = roles.full_name(function)
    if not full or not _is_of_module(roles, dotted(function).partition(".")[0], scope):
        return None
    own = roles.source.function(full) if "." not in full else None
    if own is not None:
        parts = parts_of(own) if _is_said_once(roles, own) else None
        return Called(parts, roles) if parts is not None else None
    there, found = roles.function_named(full), roles.defined_beside(full)
    if there is None or found is None or not _is_said_once(there[1], there[0]):
        return None
    if _is_replaced(there[0].name, path, roles, there[1]) or (parts := parts_of(there[0])) is None:
        return None
    return Called(parts, there[1], elsewhere=found)


def _method(roles: Roles, owner: ast.expr, method: str, scope: Scope, path: str) -> Called | None:
    found = _class_of(roles, owner, scope, path)
    if found is None:
        return None
    definition, file, full = found
    function = method_of(definition, method)
    if function is None or not _is_found_there(definition, method, file):
        return None
    if _is_replaced(method, path, roles, file) or not function.args.args or function.args.posonlyargs:
        return None
    parts = parts_of(function)
    if parts is None or _stores(parts, function.args.args[0].arg):
        return None
    there = roles.defined_beside(full) if file is not roles else None
    if file is not roles and there is None:
        return None
    elsewhere = Definition(there.file, there.module, function) if there is not None else None
    return Called(parts, file, ast.unparse(owner), elsewhere)


def _class_of(roles: Roles, owner: ast.expr, scope: Scope, path: str) -> tuple[ast.ClassDef, Roles, str] | None:
    """The one class that an object surely is of while a loop runs, the file that holds it, and its full name."""
    match owner:
        case ast.Name(id=name) if name == _own_name(roles, scope):
            definition = roles.source.in_class(scope)
            assert definition is not None
            known = not _is_extended(roles, definition, path)
            return (definition, roles, definition.name) if known else None
        case ast.Name(id=name):
            key = roles.key(scope, name)
            bindings = roles.bindings(key) if key is not None else []
            if key is None or not bindings or bindings[0].index is not None or roles.rebound_unseen(key):
                return None
            if sum(not isinstance(n.ctx, ast.Load) for n in roles.mentions(key)) != 1:
                return None
            return _made(roles, bindings[0].value, key[0])
        case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name == _own_name(roles, scope):
            return _attribute(roles, attribute, scope, path)
    return None


def _made(roles: Roles, made: ast.expr, scope: Scope) -> tuple[ast.ClassDef, Roles, str] | None:
    """The class of what a call makes."""
    if not isinstance(made, ast.Call) or not _is_of_module(roles, dotted(made.func).partition(".")[0], scope):
        return None
    full = roles.full_name(made.func)
    found = roles.own_class_named(full)
    return (*found, full) if found is not None else None


def _own_name(roles: Roles, scope: Scope) -> str:
    """What a method calls its own object, "" for any other scope and where it binds the name anew."""
    if isinstance(scope, ast.Module) or scope.decorator_list or not scope.args.args:
        return ""
    if not isinstance(roles.source.parents[scope], ast.ClassDef):
        return ""
    own = scope.args.args[0].arg
    stored = any(isinstance(n, ast.Name) and n.id == own and not isinstance(n.ctx, ast.Load) for n in walk(scope))
    return "" if stored else own


def _attribute(roles: Roles, attribute: str, scope: Scope, path: str) -> tuple[ast.ClassDef, Roles, str] | None:
    """The class of an attribute that one statement of the class binds, and nothing else."""
    source, definition = roles.source, roles.source.in_class(scope)
    assert definition is not None
    stores = [n for n in source.all(ast.Attribute) if n.attr == attribute and not isinstance(n.ctx, ast.Load)]
    if len(stores) != 1 or any(_binds_by_name(node) for node in walk(definition)):
        return None
    made = source.parents[stores[0]]
    method = source.scope_of(stores[0])
    if source.parents[method] is not definition or dotted(stores[0].value) != _own_name(roles, method):
        return None
    if any(attribute in bound_names(one.body) for one, _file in lineage(definition, roles)):
        return None
    if not isinstance(made, ast.Assign) or _is_stored(attribute, path) or _is_extended(roles, definition, path):
        return None
    return _made(roles, made.value, method)


def _is_extended(roles: Roles, definition: ast.ClassDef, path: str) -> bool:
    """Whether objects may be of a class that extends this one and does otherwise."""
    if any(definition.name in dotted(base).split(".") for c in roles.source.all(ast.ClassDef) for base in c.bases):
        return True
    return re.search(rf"class\s+\w+\s*\([^)]*\b{re.escape(definition.name)}\b", other_text(path)) is not None


def _is_of_module(roles: Roles, name: str, scope: Scope) -> bool:
    """Whether the name, read in the scope, is what one statement of the module binds, always and to one thing."""
    tree = roles.source.tree
    key = roles.key(scope, name)
    return key == (tree, name) and _binders(tree, name) == 1 and not roles.rebound_unseen(key)


def _is_said_once(roles: Roles, definition: ast.FunctionDef | ast.ClassDef) -> bool:
    tree = roles.source.tree
    known = not roles.rebound_unseen((tree, definition.name))
    return known and definition in tree.body and _binders(tree, definition.name) == 1


def _binders(tree: ast.Module, name: str) -> int:
    """How many statements of the module bind a name; those that need not run count twice."""
    found = 0
    for statement in tree.body:
        if name in bound_names([statement]):
            certain = isinstance(statement, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef | ast.Assign)
            found += 1 if certain else 2
    return found


def _is_found_there(definition: ast.ClassDef, method: str, roles: Roles, depth: int = 0) -> bool:
    """Whether asking an object of the class for the method gives the one that its body defines."""
    if not _is_said_once(roles, definition) or definition.keywords or definition.decorator_list or depth > _DEPTH:
        return False
    if sum(method in bound_names([s]) for s in definition.body) > 1 or _CHANGES_LOOKUP & bound_names(definition.body):
        return False
    if any(_binds_by_name(node) for node in walk(definition)):
        return False
    for base in definition.bases:
        if dotted(base) == "object" and "object" not in roles.source.names - {"object"}:
            continue
        above = roles.own_class_named(roles.full_name(base))
        if above is None or not _is_found_there(above[0], method, above[1], depth + 1):
            return False
    return True


def _binds_by_name(node: ast.AST) -> bool:
    """Whether it may bind an attribute whose name is only known when it runs."""
    match node:
        case ast.Call(func=ast.Name(id="setattr")) | ast.Attribute(attr="__setattr__"):
            return True
        case ast.Attribute(value=ast.Attribute(attr="__dict__"), attr="update" | "setdefault"):
            return True
        case ast.Subscript(value=ast.Attribute(attr="__dict__"), ctx=ast.Store() | ast.Del()):
            return True
        case ast.Assign(targets=targets):
            return any(isinstance(t, ast.Attribute) and t.attr == "__dict__" for t in targets)
        case ast.Call(func=ast.Name(id="vars")):
            return True
    return False


def _is_replaced(name: str, path: str, *files: Roles) -> bool:
    """Whether some code may put another function in the place of the one of this name, or may name it as text."""
    for roles in dict.fromkeys(files):
        if any(n.attr == name and not isinstance(n.ctx, ast.Load) for n in roles.source.all(ast.Attribute)):
            return True
        if any(n.value == name for n in roles.source.all(ast.Constant)):
            return True
    return _is_stored(name, path)


def _is_stored(name: str, path: str) -> bool:
    """Whether another file of the project may bind an attribute of this name, or names it as text."""
    return re.search(rf"\.{re.escape(name)}\s*=[^=]|[\"']{re.escape(name)}[\"']", other_text(path)) is not None


def _stores(parts: Parts, name: str) -> bool:
    nodes = (n for n in walk(parts.function) if isinstance(n, ast.Name))
    return any(n.id == name and not isinstance(n.ctx, ast.Load) for n in nodes)
