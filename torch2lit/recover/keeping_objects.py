"""Objects of the project whose making keeps what they are given, and does no more.

class ScheduledOptim:
    def __init__(self, optimizer, d_model, warmup):
        self.optimizer = optimizer
        self.scale = d_model ** -0.5
        self.steps = 0
"""

from __future__ import annotations

import ast

from .bindings import Names
from .names import bound_names, parameter_names
from .own_classes import method_of
from .syntax import dotted, walk

_WATCHING = {"__new__", "__setattr__", "__getattr__", "__getattribute__", "__del__", "__init_subclass__"}
"""Methods by which more happens than is written where an object is made, asked or left."""
_RECKONS = {"sqrt", "pow", "power", "log", "log2", "log10", "exp", "ceil", "floor", "cos", "sin", "float32", "float64"}
"""What `math` and `numpy` only reckon with."""
_BUILTINS = {"float", "int", "len", "min", "max", "abs"}


def only_keeps(roles: Names, definition: ast.ClassDef) -> bool:
    """Whether making an object of a class gives it what it is given, and numbers that are reckoned of that."""
    plain = all(isinstance(base, ast.Name) and base.id == "object" for base in definition.bases)
    init = method_of(definition, "__init__")
    if init is None or not plain or definition.keywords or definition.decorator_list or init.decorator_list:
        return False
    of_class = {*bound_names(definition.body)}
    if of_class & _WATCHING or not init.args.args or init.args.vararg or init.args.kwarg:
        return False
    itself, *given = parameter_names(init)
    return all(_keeps(roles, statement, itself, {*given}, of_class) for statement in init.body)


def kept_as(definition: ast.ClassDef, parameter: str) -> str:
    """The attribute that an object of such a class has for what its constructor is given; "" when it has none."""
    init = method_of(definition, "__init__")
    for statement in init.body if init is not None else []:
        match statement:
            case ast.Assign(targets=[ast.Attribute(attr=name)], value=ast.Name(id=given)) if given == parameter:
                return name
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                for target, value in zip(targets, values, strict=False):
                    if isinstance(target, ast.Attribute) and isinstance(value, ast.Name) and value.id == parameter:
                        return target.attr
    return ""


def _keeps(roles: Names, statement: ast.stmt, itself: str, given: set[str], of_class: set[str]) -> bool:
    """Whether a statement gives attributes of the object, none of which the class has as well, such values."""
    match statement:
        case ast.Expr(value=ast.Constant()) | ast.Pass():
            return True
        case ast.Assign(targets=[target], value=value):
            targets = target.elts if isinstance(target, ast.Tuple) else [target]
            own = all(isinstance(t, ast.Attribute) and dotted(t.value) == itself for t in targets)
            named = {t.attr for t in targets if isinstance(t, ast.Attribute)}
            return own and not named & of_class and _is_reckoned(roles, value, given)
    return False


def _is_reckoned(roles: Names, value: ast.expr, given: set[str]) -> bool:
    """Whether a value is something that was given, or a number or collection that is made of such things."""
    match value:
        case ast.Constant():
            return True
        case ast.Name(id=name):
            return name in given
        case ast.Subscript(value=ast.Attribute(value=ast.Name(id=name), attr="param_groups"), slice=ast.Constant()):
            return name in given
        case ast.Subscript(value=ast.Subscript() as group, slice=ast.Constant()):
            return _is_reckoned(roles, group, given)
        case ast.BinOp(left=left, right=right):
            return _is_reckoned(roles, left, given) and _is_reckoned(roles, right, given)
        case ast.UnaryOp(operand=operand):
            return _is_reckoned(roles, operand, given)
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return all(_is_reckoned(roles, part, given) for part in parts)
        case ast.Dict(keys=[], values=[]):
            return True
        case ast.Call(func=function, args=args, keywords=[]):
            return _only_counts(roles, function) and all(_is_reckoned(roles, a, given) for a in args)
    return False


def _only_counts(roles: Names, function: ast.expr) -> bool:
    full = roles.full_name(function)
    package, _, name = full.rpartition(".")
    if package in ("math", "numpy") and name in _RECKONS:
        return roles.defined_beside(full) is None
    own = any(isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == full for n in walk(roles.source.tree))
    return isinstance(function, ast.Name) and full in _BUILTINS and not own and full not in roles.origins
