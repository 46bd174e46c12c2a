"""Whether what a constructor makes a network of are numbers, texts, classes and layers made there, so that nobody else knows a part of it.

self.net = Net(args.width, nn.ReLU())        but not        self.net = Head(args.backbone)
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..recover.makings import Value, sources
from ..recover.names import parameter_names
from ..recover.roles import Roles, bound_argument
from ..recover.syntax import walk
from .dimensions import is_dimension

if TYPE_CHECKING:
    from .object_uses import ObjectMade

_GIVE_NUMBERS = {"len", "int", "float", "str", "bool", "range", "abs", "round"}
_DEEPEST = 4


class PlainValues:
    """The constructor of a class up to the making of a network, and the calls that make objects of the class."""

    def __init__(
        self, roles: Roles, init: ast.FunctionDef, before: Sequence[ast.stmt], made: Sequence[ObjectMade]
    ) -> None:
        self.roles = roles
        self.init = init
        self.before = before
        self.made = made

    def makes_object(self, value: ast.expr, depth: int = _DEEPEST) -> bool:
        """Whether an expression makes an object of a class of plain values, and moves it at most."""
        match value:
            case ast.Call(func=ast.Attribute(value=ast.Call() as inner, attr="to" | "cuda" | "cpu")):
                return self.makes_object(inner, depth)
            case ast.Call(func=function, args=args, keywords=keywords):
                full = self.roles.full_name(function)
                if self.roles.own_class_named(full) is None and not full.startswith("torch.nn."):
                    return False
                return all(self.is_plain(a, depth - 1) for a in (*args, *(k.value for k in keywords)))
        return False

    def is_plain(self, value: ast.expr, depth: int = _DEEPEST) -> bool:
        """Whether a value of the constructor is no network that somebody else knows."""
        if depth < 0:
            return False
        match value:
            case ast.Constant() | ast.JoinedStr():
                return True
            case ast.Starred(value=inner) | ast.UnaryOp(operand=inner):
                return self.is_plain(inner, depth)
            case ast.BinOp(left=left, right=right):
                return self.is_plain(left, depth) and self.is_plain(right, depth)
            case ast.Compare():
                return True
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                return all(self.is_plain(part, depth) for part in parts)
            case ast.Call(func=ast.Name(id=name) as function) if name in _GIVE_NUMBERS:
                return self.roles.key(self.init, function.id) is None
            case ast.Call():
                return self.makes_object(value, depth)
            case ast.Name(id=name) if name in parameter_names(self.init)[1:]:
                return self._is_given_plain(name, "")
            case ast.Attribute(value=ast.Name(id=owner), attr=name):
                if owner == parameter_names(self.init)[0]:
                    return self._is_bound_plain(name, depth - 1)
                if owner in parameter_names(self.init):
                    return self._is_given_plain(owner, name)
        return self._is_imported(value) or is_dimension(value, [self.roles, *(one.roles for one in self.made)])

    def _is_imported(self, value: ast.expr) -> bool:
        """Whether a value is a class or function of torch's, or a builtin one."""
        if isinstance(value, ast.Name) and self.roles.key(self.init, value.id) is None:
            return hasattr(builtins, value.id)
        return isinstance(value, ast.Name | ast.Attribute) and self.roles.full_name(value).startswith("torch.")

    def _is_bound_plain(self, attribute: str, depth: int) -> bool:
        """Whether the constructor has given an attribute plain values alone until then."""
        own = parameter_names(self.init)[0]
        values: list[ast.expr] = []
        stores = 0
        for node in (n for s in self.before for n in walk(s)):
            stores += isinstance(node, ast.Attribute) and node.attr == attribute and not isinstance(node.ctx, ast.Load)
            match node:
                case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=owner), attr=name)], value=value):
                    values += [value] if owner == own and name == attribute else []
        return bool(values) and len(values) == stores and all(self.is_plain(value, depth) for value in values)

    def _is_given_plain(self, parameter: str, attribute: str) -> bool:
        """Whether all makings give a parameter numbers and texts: written out, or from a command line."""
        if not self.made or any(_binds(n, parameter) for n in walk(self.init)):
            return False
        for one in self.made:
            argument = bound_argument(self.init, _with_object(one.call), parameter)
            if argument is None or not _is_told(argument, attribute, one.roles, self.roles):
                return False
        return True


def _with_object(call: ast.Call) -> ast.Call:
    """The call of the constructor itself, which gets the object before all else."""
    return ast.Call(func=call.func, args=[ast.Constant(value=None), *call.args], keywords=call.keywords)


def _binds(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load)


def _is_told(argument: ast.expr, attribute: str, roles: Roles, own: Roles) -> bool:
    """Whether an argument, or that attribute of it, is a constant or comes from a command line that nobody adds to."""
    match argument:
        case ast.Constant():
            return not attribute
        case ast.Attribute(value=ast.Name() as settings, attr=name) if not attribute:
            return _is_told(settings, name, roles, own)
    if not attribute or not isinstance(argument, ast.Name):
        return False
    parts = sources(Value(argument, roles.source.scope_of(argument), roles))
    parsed = [p for p in parts if isinstance(p.node, ast.Call) and _parses(p.node)]
    files = {id(r): r for r in (roles, own, *(p.roles for p in parts))}
    return bool(parts) and len(parsed) == len(parts) and not any(_is_set(r, attribute, own) for r in files.values())


def _parses(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "parse_args"


def _is_set(roles: object, attribute: str, own: Roles) -> bool:
    """Whether a file gives an attribute of that name to any object but its own, and not a number or text that is written out."""
    if not isinstance(roles, Roles):
        return True
    for node in roles.source.all(ast.Attribute):
        if node.attr == attribute and not isinstance(node.ctx, ast.Load):
            itself = roles is own and isinstance(node.value, ast.Name) and node.value.id == "self"
            if not itself and not _is_written_out(roles.source.statement_of(node)):
                return True
    return False


def _is_written_out(statement: ast.stmt) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Attribute()], value=value):
            parts = (ast.Constant, ast.UnaryOp, ast.BinOp, ast.List, ast.Tuple)
            return all(isinstance(n, parts) for n in walk(value) if isinstance(n, ast.expr))
    return False
