"""Which expressions surely give a number that nothing changes in place: one of Python's, or one that NumPy makes of an array.

A tensor that stands for the best value so far is another one when its sum goes on; a number stays what it was. What a function of the script returns
and what its objects hold is followed, wherever all that they may be is in sight.
"""

from __future__ import annotations

import ast
import functools

from ..recover.bindings import Binding
from ..recover.names import bound_otherwise
from ..recover.own_classes import own_class
from ..recover.state_names import is_state
from ..recover.syntax import Scope, walk, walk_scope
from .draft import Draft
from .given import values_given
from .proofs import Proofs

_DEPTH = 12
_MAKE_NUMBERS = {"len", "float", "int"}
_KEEP_NUMBERS = {"min", "max", "round", "abs", "sum"}
_OF_ARRAYS = {"numpy.mean", "numpy.average", "numpy.median"}
_CLOCKS = {"time.time", "time.perf_counter", "time.monotonic", "time.process_time"}
_OF_NUMBERS = {"math.exp", "math.sqrt", "math.log", "math.log10", "math.log2", "math.pow", "math.fabs"}


class SettledNumbers:
    """Answers for one program. What is not known may be anything."""

    def __init__(self, draft: Draft) -> None:
        self.roles, self.source = draft.roles, draft.source
        self.proofs = Proofs()

    def surely(self, node: ast.expr, scope: Scope, depth: int = 0) -> bool:
        """Whether the expression gives such a number whenever it is evaluated in the scope."""
        if depth > _DEPTH:
            return False
        match node:
            case ast.Constant(value=value):
                return type(value) in (int, float)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
                return self.surely(operand, scope, depth + 1)
            case ast.BinOp(left=left, right=right) if not isinstance(node.op, ast.MatMult):
                return self.surely(left, scope, depth + 1) and self.surely(right, scope, depth + 1)
            case ast.IfExp(body=body, orelse=other):
                return self.surely(body, scope, depth + 1) and self.surely(other, scope, depth + 1)
            case ast.Name(id=name):
                return self._name(name, scope, depth)
            case ast.Subscript(
                value=sizes, slice=ast.Constant(value=int()) | ast.UnaryOp(operand=ast.Constant(value=int()))
            ):
                return self.tells_sizes(sizes)
            case ast.Attribute(value=holder, attr=attr):
                return self._is_own(holder, scope) and self._attribute(attr, depth)
            case ast.Call():
                return self._call(node, scope, depth)
        return False

    def tells_sizes(self, node: ast.expr) -> bool:
        """Whether it is the shape of a tensor or an array."""
        match node:
            case ast.Attribute(attr="shape", ctx=ast.Load()):
                stored = any(
                    n.attr == "shape" and not isinstance(n.ctx, ast.Load) for n in self.source.all(ast.Attribute)
                )
                return not stored and not any(f.name == "shape" for f in self.source.functions)
            case ast.Call(func=ast.Attribute(attr="size"), args=[], keywords=[]):
                return not any(f.name == "size" for f in self.source.functions)
        return False

    def _call(self, call: ast.Call, scope: Scope, depth: int) -> bool:
        function = call.func
        if isinstance(function, ast.Attribute) and not call.args and not call.keywords and function.attr == "item":
            return not any(f.name == "item" for f in self.source.functions)
        if isinstance(function, ast.Attribute) and function.attr == "size" and len(call.args) == 1:
            return not any(f.name == "size" for f in self.source.functions)
        if isinstance(function, ast.Name) and self.roles.key(scope, function.id) is None:
            if function.id in _MAKE_NUMBERS and function.id not in self.roles.origins:
                return True
            if function.id in _KEEP_NUMBERS and not call.keywords and function.id not in self.roles.origins:
                return all(self.surely(a, scope, depth + 1) or self._list(a, scope, depth + 1) for a in call.args)
        if isinstance(function, ast.Name) and (own := self.source.function(function.id)) is not None:
            return self._returned(own, None, depth)
        full = self.roles.full_name(function)
        if full.partition(".")[0] not in self.roles.origins.values() or call.keywords:
            return False
        if full in _CLOCKS:
            return True
        if full in _OF_ARRAYS:
            return len(call.args) == 1 and self._list(call.args[0], scope, depth + 1)
        return full in _OF_NUMBERS

    def _list(self, node: ast.expr, scope: Scope, depth: int) -> bool:
        """Whether the expression is a list of such numbers: one that starts empty and gets them one by one."""
        match node:
            case ast.ListComp(elt=element) | ast.GeneratorExp(elt=element):
                return self.surely(element, scope, depth + 1)
            case ast.Name(id=name):
                key = self.roles.key(scope, name)
                if key is None or self.roles.rebound_unseen(key) or is_state(name):
                    return False
                starts = self.roles.bindings(key)
                if not starts or any(not _is_empty_list(b.value) or b.index is not None for b in starts):
                    return False
                return all(self._keeps_numbers(n, depth) for n in self.source.all(ast.Name) if self._is(n, key))
        return False

    def _is(self, node: ast.Name, key: tuple[Scope, str]) -> bool:
        return node.id == key[1] and self.roles.key(self.source.scope_of(node), node.id) == key

    def _keeps_numbers(self, node: ast.Name, depth: int) -> bool:
        """Whether one mention of a list puts nothing else into it: it gets a number, is bound anew or is given to a function that only looks."""
        parent = self.source.parents[node]
        if not isinstance(node.ctx, ast.Load):
            return isinstance(parent, ast.Assign)
        match parent, self.source.parents.get(parent):
            case ast.Attribute(attr="append"), ast.Call(args=[value], keywords=[]):
                return self.surely(value, self.source.scope_of(node), depth + 1)
            case ast.Call(func=function), _:
                return node is not function and self.roles.full_name(function) in {*_KEEP_NUMBERS, *_OF_ARRAYS, "len"}
        return False

    def _returned(self, function: ast.FunctionDef, index: int | None, depth: int) -> bool:
        if function.decorator_list and not all("grad" in ast.unparse(d) for d in function.decorator_list):
            return False
        return self.proofs.holds((function, index), lambda: self._all_returned(function, index, depth))

    def _all_returned(self, function: ast.FunctionDef, index: int | None, depth: int) -> bool:
        returns = [n for n in walk_scope(function.body) if isinstance(n, ast.Return | ast.Yield | ast.YieldFrom)]
        parts = [_part(n, index) for n in returns]
        ends = isinstance(function.body[-1], ast.Return)
        return ends and all(p is not None and self.surely(p, function, depth + 1) for p in parts)

    def _name(self, name: str, scope: Scope, depth: int) -> bool:
        key = self.roles.key(scope, name)
        if key is None or self.roles.rebound_unseen(key) or is_state(name) or name in self._bound_otherwise:
            return False
        return self.proofs.holds(key, lambda: self._all_values(key, depth))

    @functools.cached_property
    def _bound_otherwise(self) -> frozenset[str]:
        """The names that anything but an assignment, a loop or a `with` binds somewhere in the file."""
        named = {n.target.id for n in self.source.all(ast.NamedExpr)}
        parts = {n.id for c in self.source.all(ast.comprehension) for n in walk(c.target) if isinstance(n, ast.Name)}
        return frozenset(named | parts | {name for node in walk(self.source.tree) for name in bound_otherwise(node)})

    def _all_values(self, key: tuple[Scope, str], depth: int) -> bool:
        scope, name = key
        found = self.roles.bindings(key)
        if (given := values_given(self.roles, key)) is None:
            return False
        added = [n for n in walk_scope(scope.body) if isinstance(n, ast.AugAssign) and _target(n) == name]
        if not found and not given:
            return False
        return (
            all(self._binding(b, scope, depth) for b in found)
            and all(self.surely(n.value, scope, depth + 1) for n in added)
            and all(self.surely(value, where, depth + 1) for where, value in given)
        )

    def _binding(self, binding: Binding, scope: Scope, depth: int) -> bool:
        if binding.index is None:
            return self.surely(binding.value, scope, depth + 1)
        match binding.value:
            case ast.Call(func=ast.Name(id=name)) if binding.index >= 0 and (found := self.source.function(name)):
                return self._returned(found, binding.index, depth)
        return False

    def _is_own(self, holder: ast.expr, scope: Scope) -> bool:
        """Whether an attribute is one of an object of a class in this file, whose methods see it as ``self``."""
        if isinstance(holder, ast.Name) and isinstance(scope, ast.FunctionDef) and scope.args.args:
            if self.source.in_class(scope) is not None and holder.id == scope.args.args[0].arg:
                return True
        return own_class(self.roles, holder, scope) in self.source.classes.values()

    def _attribute(self, attr: str, depth: int) -> bool:
        """Whether everything in the file that is called so, and an attribute of an object, is such a number."""
        return self.proofs.holds(attr, lambda: self._all_of_attribute(attr, depth))

    def _all_of_attribute(self, attr: str, depth: int) -> bool:
        properties = [f for f in self.source.functions if f.name == attr]
        if any([ast.unparse(d) for d in f.decorator_list] != ["property"] for f in properties):
            return False
        if any(not _returns_always(f) for f in properties):
            return False
        values: list[tuple[Scope, ast.expr | None]]
        values = [(f, n.value) for f in properties for n in walk_scope(f.body) if isinstance(n, ast.Return)]
        for node in self.source.all(ast.Attribute):
            if node.attr == attr and not isinstance(node.ctx, ast.Load):
                values.append((self.source.scope_of(node), self._given_to(node)))
        return bool(values) and all(v is not None and self.surely(v, scope, depth + 1) for scope, v in values)

    def _given_to(self, target: ast.Attribute) -> ast.expr | None:
        """What a statement gives an attribute, one of several too."""
        parent = self.source.parents[target]
        match parent, self.source.parents.get(parent):
            case ast.Assign(targets=targets, value=value), _ if target in targets:
                return value
            case ast.AugAssign(value=value), _:
                return value
            case ast.Tuple(elts=targets), ast.Assign(value=ast.Tuple(elts=values)) if len(targets) == len(values):
                return values[targets.index(target)]
        return None


def _returns_always(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return isinstance(function.body[-1], ast.Return)


def _part(node: ast.Return | ast.Yield | ast.YieldFrom, index: int | None) -> ast.expr | None:
    if not isinstance(node, ast.Return) or node.value is None or index is None:
        return node.value if isinstance(node, ast.Return) else None
    return node.value.elts[index] if isinstance(node.value, ast.Tuple) and index < len(node.value.elts) else None


def _target(node: ast.AugAssign) -> str:
    return node.target.id if isinstance(node.target, ast.Name) else ""


def _is_empty_list(node: ast.expr) -> bool:
    return isinstance(node, ast.List) and not node.elts
