"""Objects that are made of a model and leave it its layers: averages of weights, and whatever else only holds it.

class WeightEMA:
    def __init__(self, model, average):
        self.model, self.average = model, average        holding it is no harm, as long as no method binds anything on it
"""

from __future__ import annotations

import ast
import copy

from ..recover.own_classes import method_of
from ..recover.syntax import Source, dotted, walk

_BASES = {"object", "ABC", "Module"}
_SETTERS = {"setattr", "delattr", "add_module", "register_module", "register_parameter", "exec", "vars"}
_VALUES = {"data", "grad", "requires_grad"}
_INSIDE = {"_modules", "_parameters", "_buffers", "__dict__"}


def constructor(definition: ast.ClassDef) -> ast.FunctionDef | None:
    """What making an object of the class runs, as a function of the call's arguments; None when there may be more."""
    found = method_of(definition, "__init__")
    known = all(dotted(b).rpartition(".")[2] in _BASES for b in definition.bases)
    if found is None or not known or definition.keywords or found.decorator_list or not found.args.args:
        return None
    plain = copy.copy(found)
    plain.args = copy.copy(found.args)
    plain.args.args = found.args.args[1:]
    return plain


def is_held(source: Source, model: ast.Name) -> bool:
    """Whether all that happens to a model in a statement is that attributes of the object get it, or one of several things."""
    value: ast.AST = model
    parent = source.parents.get(model)
    if isinstance(parent, ast.Tuple):
        value, parent = parent, source.parents.get(parent)
    if not isinstance(parent, ast.Assign) or parent.value is not value:
        return False
    targets = [part for t in parent.targets for part in (t.elts if isinstance(t, ast.Tuple) else [t])]
    return all(isinstance(t, ast.Attribute) and isinstance(t.value, ast.Name) for t in targets)


def binds_only_itself(definition: ast.ClassDef) -> bool:
    """Whether no method of the class binds anything but attributes of its own object and values of tensors."""
    held = {
        part.attr
        for node in walk(definition)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name | ast.Tuple)
        for target in node.targets
        for part in walk(target)
        if isinstance(part, ast.Attribute)
    }
    for node in walk(definition):
        match node:
            case ast.Attribute(value=owner, attr=name, ctx=ast.Store() | ast.Del()):
                if name not in _VALUES and not (isinstance(owner, ast.Name) and owner.id == "self"):
                    return False
            case ast.Subscript(value=owner, ctx=ast.Store() | ast.Del()):
                attributes = {n.attr for n in walk(owner) if isinstance(n, ast.Attribute)}
                if attributes & _INSIDE or (isinstance(owner, ast.Attribute) and owner.attr in held):
                    return False
            case ast.Call(func=function) if dotted(function).rpartition(".")[2] in _SETTERS:
                return False
    return True
