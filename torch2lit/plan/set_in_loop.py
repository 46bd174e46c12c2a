"""Whether a setting may get another value while the training runs, by whatever name its object is known there.

args.clip *= 0.9        config["clip"] = 0.1        setattr(options, "clip", 0.1)        vars(args).update(clip=0.1)
def tighten(): global clip; clip *= 0.9

What the Trainer and the hyper-parameters are told is read once, when the training begins.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from ..recover.names import bound_names
from ..recover.syntax import dotted, source_of, walk
from .draft import Draft
from .may_run import may_run, runs_in_loop

_CHANGES = {"update", "setdefault", "pop", "popitem", "clear", "__setitem__", "__setattr__"}


def is_set_in_loop(draft: Draft, node: ast.expr) -> bool:
    """Whether what the expression asks may be set while the loop runs: a name by a function, an attribute, a place of a container."""
    names = {n.id for n in walk(node) if isinstance(n, ast.Name)}
    if is_bound_by_functions(draft, names):
        return True
    attributes = {n.attr for n in walk(node) if isinstance(n, ast.Attribute)}
    places = [n for n in walk(node) if isinstance(n, ast.Subscript)]
    if places and any(_sets_place(one, place) for one in _running(draft) for place in places):
        return True
    return bool(attributes) and sets_attributes(draft, attributes)


def is_bound_by_functions(draft: Draft, names: set[str]) -> bool:
    """Whether a function that may run while the loop runs gives one of these names another value, as a global or as its caller's."""
    for node in runs_in_loop(draft):
        if isinstance(node, ast.Global | ast.Nonlocal) and (told := names.intersection(node.names)):
            if told & bound_names(draft.source.scope_of(node).body):
                return True
    return False


def sets_attributes(draft: Draft, attributes: set[str], *, of_objects: bool = True) -> bool:
    """Whether the loop may set an attribute of one of these names; without ``of_objects`` a method's own object is left out."""
    return any(_sets_attribute(one, attributes, of_objects) for one in _running(draft))


def _running(draft: Draft) -> Iterator[ast.AST]:
    """Every node that may run while the loop runs, in the script and in functions of files beside it that it calls."""
    beside: dict[Path, set[str]] = {}
    neighbours = draft.roles.neighbours
    for node in runs_in_loop(draft):
        yield node
        if isinstance(node, ast.Call):
            found = draft.roles.defined_beside(draft.roles.full_name(node.func))
            if found is not None:
                beside.setdefault(found.file, set()).add(found.node.name)
    if neighbours is None:
        return
    for file, names in beside.items():
        try:
            source = source_of(neighbours.text(file))
        except SyntaxError:
            continue
        yield from may_run(source, [n for n in source.tree.body if getattr(n, "name", "") in names])


def _sets_attribute(node: ast.AST, attributes: set[str], of_objects: bool) -> bool:
    match node:
        case ast.Attribute(value=owner, attr=attr, ctx=ast.Store() | ast.Del()):
            own = isinstance(owner, ast.Name) and owner.id == "self"
            return attr in attributes and (of_objects or not own)
        case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[_, name, *_]):
            return not isinstance(name, ast.Constant) or name.value in attributes
        case ast.Call(func=ast.Attribute(value=owner, attr=how)) if how in _CHANGES:
            return _is_inside_of_object(owner)
        case ast.Subscript(value=owner, ctx=ast.Store() | ast.Del()):
            return _is_inside_of_object(owner)
    return False


def _is_inside_of_object(node: ast.expr) -> bool:
    """``vars(args)`` or ``args.__dict__``."""
    match node:
        case ast.Call(func=ast.Name(id="vars")) | ast.Attribute(attr="__dict__"):
            return True
    return False


def _sets_place(node: ast.AST, place: ast.Subscript) -> bool:
    match node:
        case ast.Subscript(ctx=ast.Store() | ast.Del()):
            return _may_be_same(node, place)
        case ast.Call(func=ast.Attribute(value=owner, attr=how)) if how in _CHANGES:
            return dotted(owner).rpartition(".")[2] == dotted(place.value).rpartition(".")[2]
    return False


def _may_be_same(one: ast.Subscript, other: ast.Subscript) -> bool:
    """Whether two places may be one: unless both are written out and differ."""
    written_out = isinstance(one.slice, ast.Constant) and isinstance(other.slice, ast.Constant)
    if written_out:
        return ast.dump(one.slice) == ast.dump(other.slice)
    return dotted(one.value).rpartition(".")[2] == dotted(other.value).rpartition(".")[2]
