"""What a number is made of: results of the training, or times.

correct / total     loss.item()     evaluate(model)     results: counts and settings are none
time.time() - start     dur / 60     np.mean(durations)     times, whatever their names
"""

from __future__ import annotations

import ast

from ..recover.clocks import is_clock
from ..recover.roles import Key, Roles
from ..recover.syntax import Scope, walk_scope

_DEPTH = 4
_SAME = {"float", "int", "round", "abs", "sum", "max", "min", "str"}
_OF_TIMES = {"toc", "elapsed", "elapsed_time", "total_seconds", "seconds"}
_REDUCTIONS = {"mean", "average", "sum", "median", "std", "max", "min"}


class Measured:
    """Answers for the values of one file."""

    def __init__(self, roles: Roles) -> None:
        self.roles, self.source = roles, roles.source

    def is_result(self, node: ast.AST, scope: Scope, depth: int = 0) -> bool:
        """Whether a number comes from a tensor, a division or a mean."""
        match node:
            case ast.Call(func=ast.Attribute(attr="item")) | ast.BinOp(op=ast.Div()):
                return True
            case ast.Call(func=ast.Name(id="len")):
                return False
            case ast.Call(func=function) if self._is_reduction(function) or self._is_score(function):
                return True
            case ast.Call(func=ast.Name(id=name)) if (own := self.source.function(name)) is not None:
                returned = [n.value for n in walk_scope(own.body) if isinstance(n, ast.Return) and n.value]
                if depth < _DEPTH and any(self.is_result(v, own, depth + 1) for v in returned):
                    return True
            case ast.Name(id=name) if depth < _DEPTH:
                values = [v for v in self._values(scope, name) if not (isinstance(v[0], ast.Name) and v[0].id == name)]
                return any(self.is_result(value, where, depth + 1) for value, where in values)
        return any(self.is_result(part, scope, depth) for part in ast.iter_child_nodes(node))

    def is_time(self, node: ast.expr, scope: Scope, depth: int = 0) -> bool:
        """Whether a number is a time or a span of time, by the calls that it is computed from."""
        if depth > _DEPTH:
            return False
        match node:
            case ast.BinOp(left=left, right=right):
                return self.is_time(left, scope, depth) or self.is_time(right, scope, depth)
            case ast.UnaryOp(operand=inner) | ast.Subscript(value=inner):
                return self.is_time(inner, scope, depth)
            case ast.Name(id=name):
                values = [v for v in self._values(scope, name) if not (isinstance(v[0], ast.Name) and v[0].id == name)]
                return any(self.is_time(value, where, depth + 1) for value, where in values)
            case ast.Call(func=function, args=arguments):
                full = self.roles.full_name(function)
                if is_clock(full) or full.rpartition(".")[2] in _OF_TIMES:
                    return True
                if (isinstance(function, ast.Name) and function.id in _SAME) or self._is_reduction(function):
                    return any(self.is_time(a, scope, depth + 1) for a in arguments)
                return isinstance(function, ast.Attribute) and function.attr in _OF_TIMES
        return False

    def _is_score(self, function: ast.expr) -> bool:
        return self.roles.full_name(function).startswith("sklearn.")

    def _is_reduction(self, function: ast.expr) -> bool:
        full = self.roles.full_name(function)
        return full.startswith("numpy.") and full.rpartition(".")[2] in _REDUCTIONS

    def _values(self, scope: Scope, name: str) -> list[tuple[ast.expr, Scope]]:
        """What a name is bound to, what is added to it, and what is appended to it."""
        key = self.roles.key(scope, name)
        if key is None:
            return []
        found = [(b.value, key[0]) for b in self.roles.bindings(key)]
        for node in (*self.source.all(ast.AugAssign), *self.source.all(ast.Call)):
            match node:
                case ast.AugAssign(target=ast.Name(id=target), value=value) if target == name:
                    found += self._here(key, node, value)
                case ast.Call(func=ast.Attribute(value=ast.Name(id=target), attr="append"), args=[value]) if (
                    target == name
                ):
                    found += self._here(key, node, value)
        return found

    def _here(self, key: Key, node: ast.AST, value: ast.expr) -> list[tuple[ast.expr, Scope]]:
        scope = self.source.scope_of(node)
        return [(value, scope)] if self.roles.key(scope, key[1]) == key else []
