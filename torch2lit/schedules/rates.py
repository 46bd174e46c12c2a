"""Which expressions give a learning rate from the number of the epoch or step alone, and may be asked for one more than the script asks for?

Lightning steps a schedule behind the last epoch as well, so the schedule is asked for a number that the script's expression never saw. What may fail there
(a denominator that reaches 0, a branch that was never taken) is not ``total``.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace

from ..recover.names import local_names, parameter_names
from ..recover.roles import Roles
from ..recover.syntax import Scope
from .settled import Settled

_UNKNOWN, _NOT_NEGATIVE, _POSITIVE = range(3)
_TOTAL_CALLS = {"float", "abs", "len", "math.cos", "math.sin", "math.tanh"}
_OTHER_CALLS = {
    "min",
    "max",
    "int",
    "round",
    "math.exp",
    "math.sqrt",
    "math.pow",
    "math.log",
    "math.floor",
    "math.ceil",
    "numpy.cos",
    "numpy.sin",
    "numpy.exp",
    "numpy.sqrt",
    "numpy.power",
    "numpy.clip",
    "numpy.interp",
    "numpy.sum",
    "numpy.asarray",
    "numpy.array",
}
"""Functions of which the result depends on the arguments alone, and that do nothing else."""
_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_DEPTH = 4


class NotPure(Exception):
    """The expression may depend on something else, or do something."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an expression stands: its scope, the names that are surely bound there by now, those that count, those that are given a settled value, and whether it may be passed."""

    scope: Scope
    counted: frozenset[str]
    bound: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()
    passed: bool = False
    depth: int = 0


@dataclass(slots=True)
class Rates:
    """Answers for one training. ``total`` becomes false when one of the expressions asked about may fail one number later."""

    roles: Roles
    settled: Settled
    total: bool = True
    positive: set[tuple[Scope, str]] = field(default_factory=set)
    """Names that count from 1 or more."""

    def check(self, node: ast.expr, scope: Scope, counted: frozenset[str], given: frozenset[str] = frozenset()) -> None:
        """An expression of the numbers in ``counted``, which are never negative, and of parameters. Raises NotPure."""
        self._expression(node, _Place(scope, counted, given, given))

    def check_body(
        self, function: ast.FunctionDef, statements: list[ast.stmt], counted: frozenset[str]
    ) -> frozenset[str]:
        """Statements of a function whose parameters are numbers that count, or settled values; what they surely bind. Raises NotPure."""
        given = frozenset(parameter_names(function)) - counted
        return self._block(statements, _Place(function, counted, given, given))[0]

    def check_in(
        self, node: ast.expr, function: ast.FunctionDef, counted: frozenset[str], bound: frozenset[str]
    ) -> None:
        """An expression behind those statements. Raises NotPure."""
        given = frozenset(parameter_names(function)) - counted
        self._expression(node, _Place(function, counted, bound | given, given))

    def given_to(self, function: Scope, parameter: str, node: ast.expr, scope: Scope, counted: frozenset[str]) -> bool:
        """Whether an expression of numbers that count is surely not below 0, so that a parameter may be given it."""
        sign = self._sign(node, _Place(scope, counted))
        if sign == _POSITIVE:
            self.positive.add((function, parameter))
        return sign > _UNKNOWN

    # ---- statements

    def _block(self, statements: list[ast.stmt], place: _Place) -> tuple[frozenset[str], bool]:
        """What is surely bound behind the statements, and whether they return."""
        for statement in statements:
            match statement:
                case ast.Expr(value=ast.Constant()) | ast.Pass():
                    continue
                case ast.Return(value=value):
                    if value is None:
                        raise NotPure
                    self._expression(value, place)
                    return place.bound, True
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self._expression(value, place)
                    place = self._binding(name, place)
                case ast.AugAssign(target=ast.Name(id=name) as target, op=operator, value=value):
                    left = ast.copy_location(ast.Name(name, ast.Load()), target)
                    self._expression(ast.copy_location(ast.BinOp(left, operator, value), statement), place)
                    place = self._binding(name, place)
                case ast.If(test=test, body=body, orelse=orelse):
                    self._expression(test, place)
                    inner = replace(place, passed=True)
                    ways = [self._block(body, inner), self._block(orelse, inner)]
                    going_on = [bound for bound, returns in ways if not returns]
                    if not going_on:
                        return place.bound, True
                    place = replace(place, bound=frozenset.intersection(*going_on))
                case ast.For(target=ast.Name(id=name), iter=values, body=body, orelse=[]):
                    self._expression(values, place)
                    inner = self._binding(name, replace(place, passed=True))
                    self._block(body, inner)
                case _:
                    raise NotPure
        return place.bound, False

    def _binding(self, name: str, place: _Place) -> _Place:
        if name in place.counted or name not in local_names(place.scope):
            raise NotPure
        return replace(place, bound=place.bound | {name}, given=place.given - {name})

    # ---- expressions

    def _expression(self, node: ast.expr, place: _Place) -> None:
        match node:
            case ast.Constant(value=value):
                if not isinstance(value, int | float | str):
                    raise NotPure
            case ast.Name(id=name):
                self._name(node, name, place)
            case ast.Attribute() | ast.Subscript(slice=ast.Constant()):
                if not self.settled.value(node, place.scope):
                    raise NotPure
            case ast.Subscript(value=value, slice=index):
                self._all([value, index], place)
                self.total = False
            case ast.UnaryOp(operand=operand):
                self._expression(operand, place)
            case ast.BinOp(left=left, op=operator, right=right):
                if not isinstance(operator, _ARITHMETIC):
                    raise NotPure
                self._all([left, right], place)
                self._operation(operator, left, right, place)
            case ast.Compare(left=left, comparators=others):
                self._all([left, *others], place)
            case ast.BoolOp(values=[first, *others]):
                self._expression(first, place)
                self._all(others, replace(place, passed=True))
            case ast.IfExp(test=test, body=body, orelse=other):
                self._expression(test, place)
                self._all([body, other], replace(place, passed=True))
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                self._all(parts, place)
            case ast.Call():
                self._call(node, place)
            case _:
                raise NotPure

    def _all(self, nodes: list[ast.expr], place: _Place) -> None:
        for node in nodes:
            self._expression(node, place)

    def _name(self, node: ast.Name, name: str, place: _Place) -> None:
        if name in place.counted or name in place.bound:
            return
        if self._is_local(name, place):
            self.total = False  # no branch that was taken so far has left it unbound
            return
        if not self.settled.value(node, place.scope):
            raise NotPure

    def _is_local(self, name: str, place: _Place) -> bool:
        inside = isinstance(place.scope, ast.FunctionDef) and place.scope is not self.settled.scope
        return inside and name in local_names(place.scope)

    def _operation(self, operator: ast.operator, left: ast.expr, right: ast.expr, place: _Place) -> None:
        if isinstance(operator, ast.Div | ast.FloorDiv | ast.Mod):
            self.total &= self._sign(right, place) == _POSITIVE or (not place.passed and self._is_fixed(right, place))
        elif isinstance(operator, ast.Pow):
            self.total &= isinstance(left, ast.Constant) and self._sign(left, place) == _POSITIVE

    def _is_fixed(self, node: ast.expr, place: _Place) -> bool:
        """Whether an expression gives the same in every turn, so that it has not failed so far and never will."""
        return all(
            n.id not in place.counted and (n.id in place.given or not self._is_local(n.id, place))
            for n in ast.walk(node)
            if isinstance(n, ast.Name)
        )

    def _sign(self, node: ast.expr, place: _Place) -> int:
        if self._is_fixed(node, place) and (value := self.settled.number(node, place.scope)) is not None:
            return _POSITIVE if value > 0 else _NOT_NEGATIVE if value == 0 else _UNKNOWN
        match node:
            case ast.Name(id=name):
                least = _POSITIVE if (place.scope, name) in self.positive else _NOT_NEGATIVE
                return least if name in place.counted else _UNKNOWN
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                signs = self._sign(left, place), self._sign(right, place)
                return max(signs) if min(signs) > _UNKNOWN else _UNKNOWN
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return min(self._sign(left, place), self._sign(right, place))
            case ast.BinOp(
                left=left, op=ast.Div() | ast.FloorDiv(), right=right
            ):  # the script has divided by it: it is not 0
                return min(self._sign(left, place), self._sign(right, place), _NOT_NEGATIVE)
            case ast.Call(func=ast.Name(id="len")):
                return _NOT_NEGATIVE
        return _UNKNOWN

    def _call(self, node: ast.Call, place: _Place) -> None:
        if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
            raise NotPure
        self._all([*node.args, *(k.value for k in node.keywords)], place)
        roles, full = self.roles, self.roles.full_name(node.func)
        own = roles.source.function(node.func.id) if isinstance(node.func, ast.Name) else None
        if own is not None:
            self._own(node, own, place)
            return
        root = full.partition(".")[0]
        imported = root in {name.partition(".")[0] for name in roles.origins.values()} if "." in full else True
        bound = isinstance(node.func, ast.Name) and roles.key(place.scope, node.func.id) is not None
        if not imported or (bound and "." not in full) or full not in _TOTAL_CALLS | _OTHER_CALLS:
            raise NotPure
        self.total &= full in _TOTAL_CALLS

    def _own(self, node: ast.Call, own: ast.FunctionDef, place: _Place) -> None:
        """A function of the file that gives a number in the same way."""
        arguments = own.args
        plain = not (
            own.decorator_list or arguments.vararg or arguments.kwarg or arguments.posonlyargs or arguments.defaults
        )
        if not plain or arguments.kwonlyargs or node.keywords or place.depth > _DEPTH:
            raise NotPure
        assert isinstance(node.func, ast.Name)
        if not self.settled.function(node.func, place.scope):
            raise NotPure
        if len(arguments.args) != len(node.args):
            raise NotPure
        moving = [a.arg for a, given in zip(arguments.args, node.args, strict=True) if not self._is_fixed(given, place)]
        never_negative = {a.arg for a, given in zip(arguments.args, node.args, strict=True) if self._sign(given, place)}
        inner = _Place(
            own,
            frozenset(moving) & never_negative,
            frozenset(a.arg for a in arguments.args),
            frozenset(),
            place.passed,
            place.depth + 1,
        )
        _bound, returns = self._block(own.body, inner)
        if not returns:
            raise NotPure
