"""Branches that do the same with and without mixed precision, and the scaler that belongs to them.

if args.amp:                                        scaler = GradScaler(enabled=args.amp)
    scaler = GradScaler()                           ...
...                                                 with autocast(enabled=args.amp):
if args.amp:                                →           loss = criterion(model(x), y)
    with autocast():                                scaler.scale(loss).backward()
        loss = criterion(model(x), y)               scaler.step(optimizer)
    scaler.scale(loss).backward()                   scaler.update()
    scaler.step(optimizer)
    scaler.update()
else:
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()

A scaler that is not enabled hands the loss back as it is, steps the optimizer and updates nothing; autocast that is not enabled casts nothing.
Source: https://docs.pytorch.org/docs/stable/amp.html
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

from ..recover.roles import Roles
from ..recover.syntax import Scope, walk

_SCALERS = {
    "torch.cuda.amp.GradScaler", "torch.cuda.amp.grad_scaler.GradScaler", "torch.amp.GradScaler", "torch.GradScaler",
    "torch.amp.grad_scaler.GradScaler",
}  # fmt: skip
_AUTOCASTS = {
    "torch.cuda.amp.autocast", "torch.cuda.amp.autocast_mode.autocast", "torch.autocast", "torch.amp.autocast",
    "torch.amp.autocast_mode.autocast", "torch.cpu.amp.autocast",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scaler:
    """A scaler that is made once; ``condition`` says when it works, ``call`` makes it in ``statement``, which becomes that alone."""

    name: str
    statement: ast.stmt
    call: ast.Call
    condition: ast.expr


@dataclass(frozen=True, slots=True)
class Arms:
    """An ``if`` whose two branches do the same: ``kept`` is the one in mixed precision, ``casts`` the autocasts that it opens.

    ``condition`` is what switches them there, as source.
    """

    statement: ast.If
    kept: tuple[ast.stmt, ...]
    other: tuple[ast.stmt, ...]
    casts: tuple[ast.Call, ...]
    condition: str


@dataclass(frozen=True, slots=True)
class PrecisionArms:
    """The scaler of one training, with the branches of the function that steps with it, and of the functions that it calls."""

    scaler: Scaler
    arms: tuple[Arms, ...]
    called: tuple[Arms, ...]
    switches: tuple[tuple[ast.expr, str], ...] = ()
    """What asks whether there is a scaler to switch an autocast, and what to ask instead: there always is one then."""


def find_precision_arms(roles: Roles) -> list[PrecisionArms]:
    """The trainings of a file that switch mixed precision by branches."""
    found = (_Finder(roles, scaler, scope).found() for scaler, scope in _scalers(roles))
    return [one for one in found if one is not None]


def _scalers(roles: Roles) -> Iterator[tuple[Scaler, Scope]]:
    source = roles.source
    for call in source.all(ast.Call):
        if roles.full_name(call.func) not in _SCALERS or any(k.arg in ("enabled", None) for k in call.keywords):
            continue
        scope = source.scope_of(call)
        statement = source.statement_of(call)
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as value) if value is call:
                around = source.parents.get(statement)
                if isinstance(around, ast.If) and around.body == [statement] and _is_nothing(around.orelse, name):
                    yield Scaler(name, around, call, around.test), scope
                else:
                    for condition in _conditions(roles, name, scope):
                        yield Scaler(name, statement, call, condition), scope
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.IfExp(test=test, body=ast.Call() as value, orelse=ast.Constant(value=None)),
            ) if value is call:
                yield Scaler(name, statement, call, test), scope


def _is_nothing(orelse: list[ast.stmt], name: str) -> bool:
    match orelse:
        case []:
            return True
        case [ast.Assign(targets=[ast.Name(id=other)], value=ast.Constant(value=None))]:
            return other == name
    return False


def _conditions(roles: Roles, name: str, scope: Scope) -> list[ast.expr]:
    """The one condition under which a scaler is used that is made in any case."""
    found: dict[str, ast.expr] = {}
    for branch in roles.source.all(ast.If):
        if roles.source.scope_of(branch) is scope and any(_uses(s, name) for s in branch.body):
            found.setdefault(ast.dump(branch.test), branch.test)
    return list(found.values()) if len(found) == 1 else []


def _uses(node: ast.AST, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node))


class _Finder:
    def __init__(self, roles: Roles, scaler: Scaler, scope: Scope) -> None:
        self.roles, self.scaler, self.scope = roles, scaler, scope
        self.source = roles.source
        self.names = self._names()

    def _names(self) -> dict[Scope, str]:
        """The scopes that step with the scaler, and what they call it: where it is made, and functions that always get it."""
        key = self.roles.key(self.scope, self.scaler.name)
        found: dict[Scope, str] = {self.scope: self.scaler.name}
        for function in self.source.functions:
            for parameter in function.args.args:
                given = self.roles.arguments(function, parameter.arg)
                if given and all(isinstance(a, ast.Name) and self.roles.key(s, a.id) == key for s, a in given):
                    if not self.roles.bindings((function, parameter.arg)):
                        found[function] = parameter.arg
        return found

    def found(self) -> PrecisionArms | None:
        if not self._is_steady(self.scaler.condition) or not self._is_made_once():
            return None
        own = [a for s in self.source.all(ast.If) if self._name_at(s) and (a := self._arms(s))]
        if not any(_uses(s, self._name_at(one.statement)) for one in own for s in one.kept):
            return None
        called = [a for f in self._called() for s in walk(f) if isinstance(s, ast.If) and (a := self._arms(s))]
        return PrecisionArms(self.scaler, tuple(own), tuple(called), tuple(self._switches()))

    def _name_at(self, node: ast.AST) -> str:
        return self.names.get(self.source.scope_of(node), "")

    def _switches(self) -> Iterator[tuple[ast.expr, str]]:
        """What switches an autocast by asking for the scaler: ``enabled=scaler is not None``."""
        for call in self.source.all(ast.Call):
            if self._name_at(call) and self.roles.full_name(call.func) in _AUTOCASTS:
                for keyword in call.keywords:
                    value = keyword.value
                    if keyword.arg == "enabled" and self._asked(value, call):
                        if ast.dump(value) != ast.dump(self.scaler.condition):
                            yield value, self._condition_at(call)

    def _is_steady(self, condition: ast.expr) -> bool:
        """Whether the condition asks names and attributes that get one value, before the scaler is made."""
        for node in walk(condition):
            match node:
                case ast.Name(id=name):
                    key = self.roles.key(self.scope, name)
                    bindings = self.roles.bindings(key) if key is not None else []
                    if len(bindings) > 1 or (key is not None and self.roles.rebound_unseen(key)):
                        return False
                case ast.Attribute(attr=attr):
                    if any(n.attr == attr and not isinstance(n.ctx, ast.Load) for n in self.source.all(ast.Attribute)):
                        return False
                case (
                    ast.BoolOp() | ast.UnaryOp(op=ast.Not()) | ast.Compare() | ast.Constant()
                    | ast.boolop() | ast.unaryop() | ast.cmpop() | ast.expr_context()
                ):  # fmt: skip
                    pass
                case _:
                    return False
        return True

    def _is_made_once(self) -> bool:
        """Whether no other value has the scaler's name, but for a None beside it."""
        key = self.roles.key(self.scope, self.scaler.name)
        if key is None or key[0] is not self.scope or self.roles.rebound_unseen(key):
            return False
        values = [b.value for b in self.roles.bindings(key)]
        inside = {id(n) for n in walk(self.scaler.statement)}
        return all(id(value) in inside for value in values)

    def _called(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """The functions and methods of the file that the training calls by their names: its evaluations."""
        names = {
            n.func.attr if isinstance(n.func, ast.Attribute) else n.func.id
            for scope in self.names
            for n in walk(scope)
            if isinstance(n, ast.Call)
            and (
                isinstance(n.func, ast.Name)
                or (
                    isinstance(n.func, ast.Attribute)
                    and isinstance(n.func.value, ast.Name)
                    and n.func.value.id == "self"
                )
            )
        }
        return [f for f in self.source.functions if f.name in names and f not in self.names]

    def _arms(self, branch: ast.If) -> Arms | None:
        if not branch.orelse or branch is self.scaler.statement or branch.body[0].lineno == branch.lineno:
            return None
        asked = self._asked(branch.test, branch)
        if asked is None:
            return None
        kept, other = (branch.body, branch.orelse) if asked else (branch.orelse, branch.body)
        casts: list[ast.Call] = []
        name = self._name_at(branch)
        plain = self._in_full(kept, casts, name)
        if plain is None or [ast.dump(s) for s in plain] != [ast.dump(s) for s in other]:
            return None
        condition = self._condition_at(branch)
        if casts and not condition:
            return None
        if not casts and not (name and any(_uses(s, name) for s in kept)):
            return None
        return Arms(branch, tuple(kept), tuple(other), tuple(casts), condition)

    def _asked(self, test: ast.expr, place: ast.AST) -> bool | None:
        """Whether a test is for mixed precision (True) or for full precision (False); None when it asks something else."""
        if ast.dump(test) == ast.dump(self.scaler.condition):
            return True if self._has_condition(place) else None
        name = self._name_at(place)
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                said = self._asked(operand, place)
                return None if said is None else not said
            case ast.Name(id=found) if name and found == name:
                return True if self._may_be_none() else None
            case ast.Compare(left=ast.Name(id=found), ops=[operator], comparators=[ast.Constant(value=None)]) if (
                name and found == name and self._may_be_none()
            ):
                return isinstance(operator, ast.IsNot | ast.NotEq)
        return None

    def _condition_at(self, place: ast.AST) -> str:
        """What says in a place whether precision is mixed, as source; "" when nothing does."""
        if self._has_condition(place):
            return self.source.segment(self.scaler.condition)
        name = self._name_at(place)
        return f"{name}.is_enabled()" if name else ""

    def _has_condition(self, place: ast.AST) -> bool:
        """Whether the condition says the same in another place as where the scaler is made."""
        scope = self.source.scope_of(place)
        return scope is self.scope or all(
            self._same(n.id, scope) for n in walk(self.scaler.condition) if isinstance(n, ast.Name)
        )

    def _same(self, name: str, scope: Scope) -> bool:
        key, here = self.roles.key(self.scope, name), self.roles.key(scope, name)
        if key == here:
            return True
        if here is None or isinstance(scope, ast.Module) or self.roles.bindings(here):
            return False
        method = bool(scope.args.args) and scope.args.args[0].arg == name == "self"
        if method and isinstance(self.scope, ast.FunctionDef):
            return self.source.in_class(scope) is self.source.in_class(self.scope) is not None
        given = self.roles.arguments(scope, name)
        return bool(given) and all(isinstance(a, ast.Name) and self.roles.key(s, a.id) == key for s, a in given)

    def _may_be_none(self) -> bool:
        return self.scaler.statement is not self.source.statement_of(self.scaler.call) or not isinstance(
            getattr(self.scaler.statement, "value", None), ast.Call
        )

    def _in_full(self, kept: list[ast.stmt], casts: list[ast.Call], scaler: str) -> list[ast.stmt] | None:
        """The statements of a branch as they are without autocast and scaler; None when that is open."""
        found: list[ast.stmt] = []
        for statement in kept:
            match statement:
                case ast.With(items=[ast.withitem(context_expr=ast.Call() as call, optional_vars=None)], body=body) if (
                    self.roles.full_name(call.func) in _AUTOCASTS
                ):
                    if any(k.arg in ("enabled", None) for k in call.keywords) or casts:
                        return None
                    casts.append(call)
                    inner = self._in_full(body, [call], scaler)
                    if inner is None:
                        return None
                    found += inner
                case ast.Expr(
                    value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="update" | "unscale_"))
                ) if name == scaler:
                    pass
                case _:
                    plain = _Unscaled(scaler).visit(copy.deepcopy(statement))
                    if _uses(plain, scaler):
                        return None
                    found.append(plain)
        return found


class _Unscaled(ast.NodeTransformer):
    """``scaler.scale(x)`` is ``x``, and ``scaler.step(optimizer)`` is ``optimizer.step()``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=how), args=[argument], keywords=[]) if (
                name == self.name
            ):
                if how == "scale":
                    return argument
                if how == "step":
                    return ast.Call(ast.Attribute(argument, "step", ast.Load()), [], [])
        return node
