"""Whether computing with a model leaves it the layers and parameters that it has."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from .bindings import Names
from .builders import asked_elsewhere, builders
from .makings import Making, Value, makings
from .own_classes import lineage
from .role import Role
from .syntax import dotted, root_name, walk

_SETTERS = {
    "register_parameter", "register_module", "register_buffer", "add_module", "append", "extend", "insert", "pop", "clear", "update",
    "setattr", "delattr", "__setattr__", "Parameter", "exec", "vars",
}  # fmt: skip
_LIBRARIES = ("torch.nn.", "torchvision.models.", "dgl.nn.")
"""Packages whose layers register all that they have when they are made; DGL's explainers, which do not, hold a model and are none."""
_HARMLESS = ("torch.", "torchvision.", "math.", "numpy.", "collections.", "functools.", "dgl.nn.", "dgl.dataloading.")
_PLAIN = ("torch.autograd.", "torch.jit.ScriptModule", "typing.", "enum.", "abc.")
"""Bases that bind no layers of their own."""
_GIVE_THEMSELVES = {"to", "cuda", "cpu", "train", "eval", "float", "double", "half"}
_OF_GRAPHS = ("ndata", "edata", "srcdata", "dstdata")
_DEEPEST = 6


def keeps_layers(roles: Names, name: ast.Name, called: ast.AST) -> bool:
    """Whether calling a model, one of its methods or of its layers binds nothing on it: of known layers, and of the project's own classes."""
    made = list(makings(Value(name, roles.source.scope_of(name), roles)))
    if not made or not all(_is_quiet(m.call, m.roles, _DEEPEST) for m in made):
        return False
    return called is name or all(_is_of_own(m.call, m.roles, called, _DEEPEST) for m in made)


def bare_making(call: ast.Call) -> ast.Call:
    """The call that makes the model in ``Net().to(device)``."""
    while (
        isinstance(call.func, ast.Attribute)
        and call.func.attr in _GIVE_THEMSELVES
        and isinstance(call.func.value, ast.Call)
    ):
        call = call.func.value
    return call


def _is_quiet(call: ast.Call, roles: Names, depth: int) -> bool:
    call = bare_making(call)
    if isinstance(call.func, ast.Attribute) and call.func.attr in _GIVE_THEMSELVES and depth:
        inner = _others_made(call, call.func.value, roles)
        return bool(inner) and all(_is_quiet(m.call, m.roles, depth - 1) for m in inner)
    full = roles.full_name(call.func)
    if full.startswith(_LIBRARIES):
        parts = [n for a in (*call.args, *(k.value for k in call.keywords)) for n in walk(a)]
        calls = [n for n in parts if isinstance(n, ast.Call) and _makes_object(n)]
        held = [n for n in parts if isinstance(n, ast.Name) and roles.of(n, roles.source.scope_of(n)) is Role.MODEL]
        return (
            depth > 0
            and all(_is_quiet(n, roles, depth - 1) for n in calls)
            and all(_holds_quiet(n, call, roles, depth - 1) for n in held)
        )
    own = roles.own_class_named(full)
    return own is not None and _only_known_parts(*own)


def _holds_quiet(model: ast.Name, call: ast.Call, roles: Names, depth: int) -> bool:
    """Whether a model that a layer is handed is quiet itself."""
    made = _others_made(call, model, roles)
    return bool(made) and all(_is_quiet(m.call, m.roles, depth) for m in made)


def _others_made(call: ast.Call, value: ast.expr, roles: Names) -> list[Making]:
    """What makes the model of which a call gives the model itself: ``model = model.to(device)`` makes none."""
    return [m for m in makings(Value(value, roles.source.scope_of(call), roles)) if m.call is not call]


def _makes_object(call: ast.Call) -> bool:
    return dotted(call.func).rpartition(".")[2][:1].isupper()


def _only_known_parts(definition: ast.ClassDef, roles: Names) -> bool:
    """Whether a class, those above it and those of which it makes its parts are of quiet files or known packages."""
    waiting, seen = [(definition, roles)], [definition]
    files = [roles]
    while waiting:
        one, file = waiting.pop()
        if not _is_quiet_file(file):
            return False
        for part in (*_bases(one, file), *_made(one, file)):
            if part is None:
                return False
            if part[0] not in seen:
                seen.append(part[0])
                waiting.append(part)
                files += [part[1]] if part[1] not in files else []
    return all(not builders(f.source) & asked_elsewhere(g.source) for f in files for g in files if f is not g)


def _bases(definition: ast.ClassDef, file: Names) -> Iterator[tuple[ast.ClassDef, Names] | None]:
    """The project's classes above a class; None for one of an unknown package."""
    for base in definition.bases:
        full = file.full_name(base)
        own = file.own_class_named(full)
        if own is not None or not (full.startswith((*_LIBRARIES, *_PLAIN)) or hasattr(builtins, full)):
            yield own


def _made(definition: ast.ClassDef, file: Names) -> Iterator[tuple[ast.ClassDef, Names] | None]:
    """The project's classes of which a class makes objects; None for one of an unknown package."""
    for node in walk(definition):
        if isinstance(node, ast.Call) and _makes_object(node) and root_name(node.func) != "self":
            full = file.full_name(node.func)
            own = file.own_class_named(full)
            if own is not None or not (full.startswith(_HARMLESS) or hasattr(builtins, full)):
                yield own


def _is_quiet_file(roles: Names) -> bool:
    """Whether no class of a file binds anything on its objects but where they are made."""
    run_by_making = {"__init__", *builders(roles.source)}
    for definition in roles.source.classes.values():
        for method in definition.body:
            if isinstance(method, ast.FunctionDef) and method.name not in run_by_making:
                if not _is_quiet_method(method, roles):
                    return False
    return True


def _is_quiet_method(method: ast.FunctionDef, roles: Names) -> bool:
    """Whether a method only reads attributes of its object, which it hands on to nobody."""
    parents, itself = roles.source.parents, _own_name(method)
    for node in walk(method):
        match node:
            case ast.Attribute(ctx=ast.Store() | ast.Del()):
                if not _only_moves(node, parents.get(node)):
                    return False
            case ast.Subscript(value=ast.Attribute() as holder, ctx=ast.Store() | ast.Del()):
                if not _is_of_graph(holder, itself, roles):
                    return False
            case ast.Attribute(value=ast.Name(id=name), attr="__init__") if name == itself:
                return False
            case ast.Name(id=name) if name == itself and not isinstance(parents.get(node), ast.Attribute):
                return False
            case ast.Call(func=function, args=args) if dotted(function).rpartition(".")[2] in _SETTERS:
                owner = function.value if isinstance(function, ast.Attribute) else None
                makes = any(isinstance(n, ast.Call) and _makes_object(n) for a in args for n in walk(a))
                if makes or not isinstance(owner, ast.Name) or owner.id == itself:
                    return False
    return True


def _own_name(method: ast.FunctionDef) -> str:
    """What a method calls its object; "" when it knows none."""
    static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in method.decorator_list)
    return method.args.args[0].arg if method.args.args and not static else ""


def _is_of_graph(holder: ast.Attribute, itself: str, roles: Names) -> bool:
    """Whether what gets an item is what one of DGL's graphs holds of its nodes and edges: ``graph.ndata["h"] = h``."""
    named = isinstance(holder.value, ast.Name) and holder.value.id != itself
    return named and holder.attr in _OF_GRAPHS and "dgl" in roles.origins.values()


def _only_moves(target: ast.Attribute, statement: ast.AST | None) -> bool:
    """Whether an attribute gets itself on another device: a layer gives itself, and a module takes no plain tensor for a parameter."""
    match statement:
        case ast.Assign(targets=[_], value=ast.Call(func=ast.Attribute(value=value, attr="to" | "cuda" | "cpu"))):
            return ast.unparse(value) == ast.unparse(target)
    return False


def _is_of_own(call: ast.Call, roles: Names, called: ast.AST, depth: int) -> bool:
    """Whether what is called of a model is a method or a layer that its class names."""
    call = bare_making(call)
    if isinstance(call.func, ast.Attribute) and call.func.attr in _GIVE_THEMSELVES and depth:
        inner = _others_made(call, call.func.value, roles)
        return bool(inner) and all(_is_of_own(m.call, m.roles, called, depth - 1) for m in inner)
    own = roles.own_class_named(roles.full_name(call.func))
    if own is None or not isinstance(called, ast.Attribute) or not isinstance(called.value, ast.Name):
        return False
    for definition, file in lineage(*own):
        for node in walk(definition):
            if isinstance(node, ast.FunctionDef) and node.name == called.attr:
                return _is_quiet_method(node, file)
            if isinstance(node, ast.Attribute) and node.attr == called.attr and isinstance(node.ctx, ast.Store):
                return True
    return False
