"""Classes of the script's own whose objects are sources of batches that keep what Lightning takes for granted of a loader.

class TrainBatches:
    def __init__(self, data, size):             its length is that of a range, which is made once
        self.steps = range(0, len(data), size)
    def __len__(self):
        return len(self.steps)
    def __iter__(self):                         a generator: to start one does nothing, nor does it do anything behind its last batch
        for i in self.steps:
            yield self.data[i : i + self.size]
"""

from __future__ import annotations

import ast

from .bindings import Names
from .makings import Making, Value, makings, sources
from .names import parameter_names
from .own_classes import method_of
from .syntax import walk

_METHODS = {"__init__", "__len__", "__iter__"}


def is_batch_source(definition: ast.ClassDef) -> bool:
    """Whether the class is such: one batch for each number of its range, made when it is asked for and not before."""
    plain = not definition.bases and not definition.keywords and not definition.decorator_list
    methods = [s for s in definition.body if not _is_docstring(s)]
    if not plain or not all(isinstance(m, ast.FunctionDef) and not m.decorator_list for m in methods):
        return False
    made, length, start = (method_of(definition, name) for name in ("__init__", "__len__", "__iter__"))
    if {m.name for m in methods if isinstance(m, ast.FunctionDef)} != _METHODS or not (made and length and start):
        return False
    steps = _counted(length)
    return (
        bool(steps)
        and _makes_range(made, steps)
        and _yields_once(start, steps)
        and _keeps(definition, made, start, steps)
    )


def source_makings(value: Value) -> list[Making]:
    """The calls that make the value when it surely is an object of such a class; none otherwise."""
    parts, made = sources(value), makings(value)
    if not made or len(made) != len(parts):
        return []
    return made if all(_makes_source(one.roles, one.call) for one in made) else []


def counted_places(made: Making) -> list[int]:
    """The places of the arguments that the range is made of: of the others it does not matter what they hold by then."""
    own = made.roles.own_class_named(made.full_name)
    assert own is not None
    constructor = method_of(own[0], "__init__")
    assert constructor is not None
    ranges = [s.value for s in constructor.body if isinstance(s, ast.Assign) and isinstance(s.value, ast.Call)]
    read = {n.id for r in ranges for n in walk(r) if isinstance(n, ast.Name)}
    return [place for place, name in enumerate(parameter_names(constructor)[1:]) if name in read]


def _makes_source(roles: Names, call: ast.Call) -> bool:
    own = roles.own_class_named(roles.full_name(call.func))
    if own is None or not is_batch_source(own[0]):
        return False
    inside = {id(n) for n in walk(own[0])}
    steps = _counted(next(s for s in own[0].body if isinstance(s, ast.FunctionDef) and s.name == "__len__"))
    files = {id(names.source): names.source for names in (roles, own[1])}.values()
    stored = (n for file in files for n in file.all(ast.Attribute) if not isinstance(n.ctx, ast.Load))
    return not any(n.attr == steps and id(n) not in inside for n in stored)


def _counted(length: ast.FunctionDef) -> str:
    """``steps`` of ``return len(self.steps)``."""
    match [s for s in length.body if not _is_docstring(s)]:
        case [
            ast.Return(
                value=ast.Call(
                    func=ast.Name(id="len"),
                    args=[ast.Attribute(value=ast.Name(id="self"), attr=attribute)],
                )
            )
        ]:
            return attribute
    return ""


def _makes_range(made: ast.FunctionDef, steps: str) -> bool:
    """Whether the constructor only keeps what it is given, and a range."""
    ranges = 0
    for statement in made.body:
        match statement:
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=value):
                if name == steps:
                    ranges += (
                        isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "range"
                    )
                elif not isinstance(value, ast.Name):
                    return False
            case _:
                if not _is_docstring(statement):
                    return False
    return ranges == 1


def _yields_once(start: ast.FunctionDef, steps: str) -> bool:
    """Whether the iterator is a loop over the range whose turns end with the one `yield`, and which nothing leaves or shortens."""
    body = [s for s in start.body if not _is_docstring(s)]
    first = next((n for n, s in enumerate(body) if not _only_binds(s)), len(body))
    match body[first:]:
        case [ast.For(iter=ast.Attribute(value=ast.Name(id="self"), attr=attribute), orelse=[]) as loop]:
            last = loop.body[-1]
            yields = [n for n in walk(loop) if isinstance(n, ast.Yield | ast.YieldFrom)]
            leaves = any(isinstance(n, ast.Break | ast.Continue | ast.Return) for n in walk(loop))
            straight = isinstance(last, ast.Expr) and isinstance(last.value, ast.Yield)
            return attribute == steps and straight and len(yields) == 1 and not leaves
    return False


def _only_binds(statement: ast.stmt) -> bool:
    """Whether it makes something for all batches: it runs with the first of them."""
    return isinstance(statement, ast.Assign) and not any(
        isinstance(n, ast.Yield | ast.YieldFrom) for n in walk(statement)
    )


def _keeps(definition: ast.ClassDef, made: ast.FunctionDef, start: ast.FunctionDef, steps: str) -> bool:
    """Whether nothing but the constructor stores into the object, besides a turn that starts an iterator of it again."""
    inside = {id(n) for n in walk(made)} | {id(n) for s in walk(start) for n in _started_again(s, steps)}
    return not any(
        isinstance(n, ast.Attribute) and not isinstance(n.ctx, ast.Load) and id(n) not in inside
        for n in walk(definition)
    )


def _started_again(node: ast.AST, steps: str) -> list[ast.expr]:
    match node:
        case ast.Assign(
            targets=[ast.Attribute(value=ast.Name(id="self"), attr=name) as held],
            value=ast.Call(func=ast.Name(id="iter"), args=[_]),
        ) if name != steps:
            return [held]
    return []


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
