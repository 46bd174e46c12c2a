"""Loaders of which one batch more may be fetched, and nothing shows it: it draws no random number and changes nothing."""

from __future__ import annotations

import ast

from ..recover.bindings import Names
from ..recover.loops import DATA_LOADERS
from ..recover.makings import Making, Value, sources
from ..recover.nest import Frame
from ..recover.own_classes import lineage, method_of
from ..recover.syntax import dotted, walk
from .draft import Draft
from .train_data import constructions

_LEFT_ALONE = ("sampler", "batch_sampler", "collate_fn", "worker_init_fn", "generator")
"""Arguments of a loader by which code of the script's own may run for a batch."""
_STARTS = ("torch.tensor", "torch.stack", "torch.cat", "torch.zeros", "torch.ones", "torch.arange")


def fetches_unseen(draft: Draft, base: ast.expr, frame: Frame) -> bool:
    """Whether all that the loader may be are loaders of torch's own over data that only look into lists and tensors."""
    made = constructions(draft, base, frame)
    return bool(made) and all(_is_plain_loader(one) for one in made)


def _is_plain_loader(made: Making) -> bool:
    if made.full_name not in DATA_LOADERS or any(k.arg is None for k in made.call.keywords) or len(made.call.args) > 3:
        return False
    for name in _LEFT_ALONE:
        given = made.argument(name)
        if given is not None and not (isinstance(given.node, ast.Constant) and given.node.value is None):
            return False
    dataset = made.argument("dataset", 0)
    parts = sources(dataset) if dataset is not None else []
    return bool(parts) and all(_is_still(part) for part in parts)


def _is_still(dataset: Value) -> bool:
    """Whether asking for an example only looks: a TensorDataset, or a class of the script whose `__getitem__` does no more."""
    if not isinstance(dataset.node, ast.Call):
        return False
    full = dataset.roles.full_name(dataset.node.func)
    if full in ("torch.utils.data.TensorDataset", "torch.utils.data.dataset.TensorDataset"):
        return True
    known = dataset.roles.own_class_named(full)
    return known is not None and _only_looks(*known)


def _only_looks(definition: ast.ClassDef, roles: Names) -> bool:
    bases = [roles.full_name(base) for own, _roles in lineage(definition, roles) for base in own.bases]
    getter = method_of(definition, "__getitem__")
    others = {s.name for s in definition.body if isinstance(s, ast.FunctionDef)} - {
        "__init__",
        "__len__",
        "__getitem__",
    }
    if getter is None or bases != ["torch.utils.data.Dataset"] or any(n.startswith("__") for n in others):
        return False
    if definition.decorator_list or getter.decorator_list or not getter.args.args:
        return False
    own = getter.args.args[0].arg
    places = {a.arg for a in getter.args.args[1:]}
    return all(_is_look(s, own, places, definition, roles) for s in getter.body)


def _is_look(statement: ast.stmt, own: str, places: set[str], definition: ast.ClassDef, roles: Names) -> bool:
    """Whether a statement of `__getitem__` only reads places of lists and tensors that the object holds."""
    match statement:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Return(value=ast.expr() as value) | ast.Assign(targets=[ast.Name()], value=value):
            return _is_element(value, own, places, definition, roles)
    return False


def _is_element(value: ast.expr, own: str, places: set[str], definition: ast.ClassDef, roles: Names) -> bool:
    match value:
        case ast.Tuple(elts=elements):
            return all(_is_element(e, own, places, definition, roles) for e in elements)
        case ast.Subscript(value=ast.Attribute(value=ast.Name(id=owner), attr=name), slice=ast.Name(id=place)):
            return owner == own and place in places and _holds_data(definition, name, roles)
        case ast.Name(id=name):
            return name != own
    return False


def _holds_data(definition: ast.ClassDef, attribute: str, roles: Names) -> bool:
    """Whether all that the class stores under an attribute is a list or a tensor that it has made itself."""
    inside = [n for n in walk(definition) if isinstance(n, ast.Assign)]
    stored = {id(t): n.value for n in inside for t in n.targets if isinstance(t, ast.Attribute) and t.attr == attribute}
    others = [
        n for n in walk(roles.source.tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store | ast.Del)
    ]
    if any(n.attr == attribute and id(n) not in stored for n in others):
        return False
    return bool(stored) and all(_is_made(value, roles) for value in stored.values())


def _is_made(value: ast.expr, roles: Names) -> bool:
    if isinstance(value, ast.List | ast.ListComp):
        return True
    return isinstance(value, ast.Call) and dotted(value.func) != "" and roles.full_name(value.func) in _STARTS
