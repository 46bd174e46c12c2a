"""Which values that are formatted as floats are surely no arrays of NumPy, which `self.log` does not take."""

from __future__ import annotations

import ast

from ..recover.bindings import Binding
from ..recover.roles import Role
from ..recover.syntax import Scope, walk, walk_scope
from .draft import Draft
from .given import values_given
from .proofs import Proofs

_DEPTH = 6
_NUMBERS = {"len", "float", "int", "bool"}
_SAME_KIND = {"sum", "min", "max", "round", "abs"}
_OF_TENSORS = {
    "item",
    "detach",
    "cpu",
    "double",
    "float",
    "cuda",
    "mean",
    "sum",
    "norm",
    "std",
    "tolist",
    "get_last_lr",
}
"""Methods whose result is a tensor, a number or a list, whatever they are called on: arrays have no others of these names."""
_REDUCTIONS = {"mean", "sum", "average", "median", "std", "nanmean", "max", "min"}
_ODD = ("decimal", "fractions")


class NoArrays:
    """Proves it for the values of one program. What is not known may be an array."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.roles, self.source = draft.roles, draft.source
        self.odd = any(full.partition(".")[0] in _ODD for full in self.roles.origins.values())
        self.proofs = Proofs()

    def surely(self, node: ast.expr, scope: Scope) -> bool:
        """Whether the value of an expression, formatted as a float, is a number or a tensor."""
        return not self.odd and self._value(node, scope, 0)

    def _value(self, node: ast.expr, scope: Scope, depth: int) -> bool:
        if depth > _DEPTH:
            return False
        match node:
            case ast.Constant(value=value):
                return isinstance(value, int | float)
            case ast.BinOp() | ast.Compare():  # an array of no dimension gives a number
                return True
            case ast.UnaryOp(operand=operand):
                return self._value(operand, scope, depth + 1)
            case ast.IfExp(body=body, orelse=other):
                return self._value(body, scope, depth + 1) and self._value(other, scope, depth + 1)
            case ast.Name(id=name):
                return self._name(name, scope, depth)
            case ast.Attribute(attr=attr):
                return self._attribute(attr)
            case ast.Call():
                return self._call(node, scope, depth)
            case ast.Subscript(slice=ast.Constant(value="lr")):
                return True
            case ast.Subscript(value=ast.Call(func=ast.Attribute(attr="get_last_lr" | "get_lr"), args=[])):
                return True
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=int()) | ast.UnaryOp()):
                return self._elements(name, scope, depth)
        return False

    def _call(self, call: ast.Call, scope: Scope, depth: int) -> bool:
        function = call.func
        full = self.roles.full_name(function)
        if isinstance(function, ast.Name) and self.roles.key(scope, function.id) is None:
            if function.id in _NUMBERS:
                return True
            if function.id in _SAME_KIND and function.id != "sum":
                return all(self._value(a, scope, depth + 1) for a in call.args)
            if function.id == "sum" and len(call.args) == 1:
                return True  # from 0 on: a number plus an array of no dimension is a number
        if full.startswith(("torch.", "math.")) and full.partition(".")[0] in self.roles.origins.values():
            return True
        if full.startswith("numpy.") and full.rpartition(".")[2] in _REDUCTIONS and len(call.args) == 1:
            return not call.keywords
        if self.roles.of(function, scope) in (Role.CRITERION, Role.MODEL):
            return True
        if isinstance(function, ast.Attribute):
            own = any(f.name == function.attr for f in self.source.functions)
            return function.attr in _OF_TENSORS and not own and not call.args and not call.keywords
        if isinstance(function, ast.Name) and (own_function := self.source.function(function.id)) is not None:
            return self._returns(own_function, None, depth)
        return False

    def _returns(self, function: ast.FunctionDef, index: int | None, depth: int) -> bool:
        values = [n.value for n in walk_scope(function.body) if isinstance(n, ast.Return)]
        found = []
        for value in values:
            if index is None:
                found.append(value is not None and self._value(value, function, depth + 1))
            else:
                known = isinstance(value, ast.Tuple) and index < len(value.elts)
                found.append(known and self._value(value.elts[index], function, depth + 1))  # type: ignore[union-attr]
        return bool(found) and all(found)

    def _name(self, name: str, scope: Scope, depth: int) -> bool:
        key = self.roles.key(scope, name)
        if key is None or self.roles.rebound_unseen(key):
            return False
        return self.proofs.holds(key, lambda: self._of_key(key, depth))

    def _of_key(self, key: tuple[Scope, str], depth: int) -> bool:
        scope = key[0]
        bindings = self.roles.bindings(key)
        if (given := values_given(self.roles, key)) is None:
            return False
        found = [self._binding(b, scope, depth) for b in bindings]
        found += [self._value(value, where, depth + 1) for where, value in given]
        return bool(found) and all(found)

    def _binding(self, binding: Binding, scope: Scope, depth: int) -> bool:
        if binding.index is None:
            return self._value(binding.value, scope, depth + 1)
        match binding.value:
            case ast.Call(func=ast.Name(id=name)) if binding.index >= 0 and (found := self.source.function(name)):
                return self._returns(found, binding.index, depth)
        return False

    def _attribute(self, attr: str) -> bool:
        """An attribute or property of the script's own classes that only ever is computed."""
        values: list[ast.expr | None] = []
        for own in self.source.classes.values():
            for node in walk(own):
                match node:
                    case ast.Assign(targets=targets, value=value):
                        if any(isinstance(t, ast.Attribute) and t.attr == attr for t in targets):
                            values.append(value)
                    case ast.FunctionDef(name=name) if name == attr:
                        values += [n.value for n in walk_scope(node.body) if isinstance(n, ast.Return)]
        return bool(values) and all(isinstance(v, ast.Constant | ast.BinOp) for v in values)

    def _elements(self, name: str, scope: Scope, depth: int) -> bool:
        """The elements of a list that starts empty and gets its values one by one."""
        key = self.roles.key(scope, name)
        if key is None or self.roles.rebound_unseen(key):
            return False
        starts = self.roles.bindings(key)
        if not starts or not all(
            isinstance(b.value, ast.List) and b.index is None and not b.value.elts for b in starts
        ):
            return False
        for call in self.source.calls:
            match call.func:
                case ast.Attribute(value=ast.Name(id=owner), attr=method) if owner == name:
                    inner = self.source.scope_of(call)
                    if self.roles.key(inner, owner) != key:
                        continue
                    if method != "append" or not self._value(call.args[0], inner, depth + 1):
                        return False
        return True
