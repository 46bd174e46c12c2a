"""Which expressions are plain numbers, by all that the names in them are ever bound to, whatever runs before them."""

from __future__ import annotations

import ast

from ..recover.roles import Roles
from ..recover.syntax import Scope, walk_scope
from .given import values_given
from .proofs import Proofs

_DEPTH = 6
_ALWAYS = {"len", "float", "int"}
_OF_NUMBERS = {"abs", "round", "min", "max"}
_REDUCTIONS = {"mean", "average", "sum", "median", "std", "nanmean", "max", "min"}
_SCORES = {"accuracy_score", "balanced_accuracy_score", "matthews_corrcoef", "cohen_kappa_score"}
_ODD = ("decimal", "fractions", "pandas")


class ScopeNumbers:
    """Proves it for the values of one program. What is not known may be anything."""

    def __init__(self, roles: Roles) -> None:
        self.roles, self.source = roles, roles.source
        self.odd = any(full.partition(".")[0] in _ODD for full in roles.origins.values())
        self.proofs = Proofs()

    def number(self, node: ast.expr, scope: Scope, depth: int = 0) -> bool:
        """Whether the value is a number of Python or a scalar of NumPy, which is as good as one."""
        if depth > _DEPTH:
            return False
        match node:
            case ast.Constant(value=value):
                return isinstance(value, int | float) and not isinstance(value, bool)
            case ast.Name(id=name):
                return self._name(name, scope, depth)
            case ast.BinOp(left=left, right=right):
                return self.number(left, scope, depth + 1) and self.number(right, scope, depth + 1)
            case ast.UnaryOp(operand=operand):
                return self.number(operand, scope, depth + 1)
            case ast.IfExp(body=body, orelse=other):
                return self.number(body, scope, depth + 1) and self.number(other, scope, depth + 1)
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=int()) | ast.UnaryOp()):
                return self._elements(name, scope, depth + 1)
            case ast.Call():
                return self.call(node, scope, depth)
        return False

    def call(self, call: ast.Call, scope: Scope, depth: int = 0) -> bool:
        """Whether what a call gives is a number."""
        match call.func:
            case ast.Attribute(attr="item") if not call.args:
                return True
            case ast.Name(id=name) if self.roles.key(scope, name) is None and name not in self.roles.origins:
                if name in _ALWAYS:
                    return True
                if name in _OF_NUMBERS and len(call.args) > 1:
                    return all(self.number(a, scope, depth + 1) for a in call.args)
                if name in ("abs", "round") and call.args:
                    return self.number(call.args[0], scope, depth + 1)
                if name in ("sum", "min", "max") and len(call.args) == 1 and not call.keywords:
                    return self.many(call.args[0], scope, depth + 1)
        full = self.roles.full_name(call.func)
        package, last = full.partition(".")[0], full.rpartition(".")[2]
        if package in {origin.partition(".")[0] for origin in self.roles.origins.values()}:
            if package == "numpy" and last in _REDUCTIONS and not self.odd:
                return len(call.args) == 1 and not call.keywords
            if package == "math" or (package == "sklearn" and last in _SCORES):
                return True
        if isinstance(call.func, ast.Name) and (function := self.source.function(call.func.id)) is not None:
            return self.returns(function, None, depth)
        return False

    def returns(self, function: ast.FunctionDef, index: int | None, depth: int = 0) -> bool:
        """Whether a function, or the place of that index in what it returns, only ever gives a number."""
        if function.decorator_list and not all(_changes_nothing(d) for d in function.decorator_list):
            return False
        nodes = list(walk_scope(function.body))
        if any(isinstance(n, ast.Yield | ast.YieldFrom) for n in nodes):
            return False
        values = [n.value for n in nodes if isinstance(n, ast.Return)]
        return bool(values) and all(self._returned(v, index, function, depth + 1) for v in values)

    def _returned(self, value: ast.expr | None, index: int | None, scope: Scope, depth: int) -> bool:
        if index is None:
            return value is not None and self.number(value, scope, depth)
        match value:
            case ast.Tuple(elts=elements) if 0 <= index < len(elements):
                return self.number(elements[index], scope, depth)
            case ast.Call(func=ast.Name(id=name)) if (inner := self.source.function(name)) is not None:
                return depth <= _DEPTH and self.returns(inner, index, depth)
        return False

    def many(self, node: ast.expr, scope: Scope, depth: int = 0) -> bool:
        """Whether an expression is a list of numbers."""
        match node:
            case ast.Name(id=name):
                return self._elements(name, scope, depth)
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return all(self.number(e, scope, depth + 1) for e in elements)
        return False

    def _name(self, name: str, scope: Scope, depth: int) -> bool:
        key = self.roles.key(scope, name)
        if key is None or self.roles.rebound_unseen(key):
            return False
        return self.proofs.holds(key, lambda: self._of_key(key, depth))

    def _of_key(self, key: tuple[Scope, str], depth: int) -> bool:
        scope, name = key
        bindings = self.roles.bindings(key)
        if (given := values_given(self.roles, key)) is None:
            return False
        if not bindings and not given:
            return False
        found = [self._bound(b.value, b.index, scope, depth) for b in bindings]
        found += [self.number(value, where, depth + 1) for where, value in given]
        found += [self.number(value, scope, depth + 1) for value in _added_to(scope, name)]
        return all(found)

    def _bound(self, value: ast.expr, index: int | None, scope: Scope, depth: int) -> bool:
        if index is None:
            return self.number(value, scope, depth + 1)
        match value:
            case ast.Call(func=ast.Name(id=name)) if index >= 0 and (found := self.source.function(name)) is not None:
                return self.returns(found, index, depth + 1)
        return False

    def _elements(self, name: str, scope: Scope, depth: int) -> bool:
        """Whether a name is a list that starts empty and gets numbers one by one."""
        key = self.roles.key(scope, name)
        if key is None or self.roles.rebound_unseen(key) or depth > _DEPTH:
            return False
        starts = self.roles.bindings(key)
        if not starts or not all(
            isinstance(b.value, ast.List) and not b.value.elts and b.index is None for b in starts
        ):
            return False
        if any(isinstance(n.target, ast.Name) and n.target.id == name for n in self.source.all(ast.AugAssign)):
            return False
        uses = [n for n in self.source.all(ast.Name) if n.id == name and isinstance(n.ctx, ast.Load)]
        return all(
            self._adds_numbers(n, key, depth) for n in uses if self.roles.key(self.source.scope_of(n), name) == key
        )

    def _adds_numbers(self, use: ast.Name, key: tuple[Scope, str], depth: int) -> bool:
        """Whether a use of a list leaves it a list of numbers."""
        parent = self.source.parents.get(use)
        match parent:
            case ast.Attribute(attr="append") if isinstance(call := self.source.parents.get(parent), ast.Call):
                return len(call.args) == 1 and self.number(call.args[0], self.source.scope_of(call), depth + 1)
            case ast.Attribute(attr="clear" | "pop" | "index" | "count" | "sort" | "reverse"):
                return True
            case ast.Attribute():
                return False
            case (
                ast.Subscript(ctx=ast.Load())
                | ast.Compare()
                | ast.FormattedValue()
                | ast.BinOp()
                | ast.For()
                | ast.comprehension()
            ):
                return True
            case ast.Call(func=ast.Name(id=name)) if name not in self.roles.origins:
                return self.roles.key(key[0], name) is None
            case ast.Call(func=function):
                return self.roles.full_name(function).startswith(("numpy.", "torch.", "matplotlib."))
        return False


def _added_to(scope: Scope, name: str) -> list[ast.expr]:
    """What is added to a name in a scope, and the like."""
    nodes = walk_scope(scope.body)
    return [
        n.value
        for n in nodes
        if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name) and n.target.id == name
    ]


def _changes_nothing(decorator: ast.expr) -> bool:
    last = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = last.attr if isinstance(last, ast.Attribute) else getattr(last, "id", "")
    return name in ("no_grad", "inference_mode", "enable_grad")
