"""Optimizers that an object makes for itself when it is made, made instead where the one call of the method begins that trains with them.

class Solver:                                              class Solver:
    def __init__(self, args):                                  def __init__(self, args):
        self.net = Net()                                           self.net = Net()
        self.optimizer = Adam(self.net.parameters())
        self.best = 0                                  →           self.best = 0
    def train(self):                                           def train(self):
        for epoch in range(9): ...                                 self.optimizer = Adam(self.net.parameters())
solver = Solver(args)                                              for epoch in range(9): ...
solver.train()
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Container, Sequence
from dataclasses import dataclass

from ..recover.names import parameter_names
from ..recover.roles import Roles
from ..recover.syntax import root_name, walk
from .on_call_settings import Settings

_HARMLESS = {"print", "len", "str", "int", "float", "range", "dict", "list", "min", "max", "sum", "super"}


@dataclass(frozen=True, slots=True)
class OnCall:
    """The statements that make the optimizer and its schedules, the method that they go to, and what parts of them are called there."""

    made: tuple[ast.Assign, ...]
    method: ast.FunctionDef
    words: dict[ast.expr, str]


def find_on_call(roles: Roles, owners: Sequence[str], wanted: Container[str]) -> OnCall | None:
    """The first object of a class of these names whose making may wait; ``wanted`` are the names that other files take."""
    for name in owners:
        owner = roles.source.classes.get(name)
        if (
            owner is None
            or owner.decorator_list
            or name in wanted
            or not isinstance(roles.source.parents[owner], ast.Module)
        ):
            continue
        if not all(isinstance(base, ast.Name) and base.id == "object" for base in owner.bases) or owner.keywords:
            continue
        if (found := _Search(roles, owner).found()) is not None:
            return found
    return None


class _Search:
    def __init__(self, roles: Roles, owner: ast.ClassDef) -> None:
        self.roles = roles
        self.source = roles.source
        self.owner = owner
        self.methods = {m.name: m for m in owner.body if isinstance(m, ast.FunctionDef)}
        self.attributes = self.source.all(ast.Attribute)

    def found(self) -> OnCall | None:
        init = self.methods.get("__init__")
        method = self._trained_by()
        if init is None or method is None or init.decorator_list or method.decorator_list:
            return None
        steps = self._construction(init)
        for place, statement in enumerate(steps):
            match statement:
                case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=itself)) as target], value=ast.Call() as call):
                    if (
                        itself == _self(init)
                        and self._is_of_torch(call, scheduler=False)
                        and self._stored(target.attr) == 1
                    ):
                        return self._moved(init, method, steps, place, call)
        return None

    # ---- the one object and the one call

    def _trained_by(self) -> ast.FunctionDef | None:
        """The method that is called once, on the one object, right where that is made."""
        made = self.source.calls_to(self.owner.name)
        if len(made) != 1 or sum(n.id == self.owner.name for n in self.source.all(ast.Name)) != 1:
            return None
        statement = self.source.parents[made[0]]
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]):
                call = self._first_use(statement, name)
            case _:
                return None
        if call is None or not isinstance(call.func, ast.Attribute):
            return None
        called = call.func.attr
        once = sum(a.attr == called for a in self.attributes) == 1
        return self.methods.get(called) if once and self._nothing_between(statement, call) else None

    def _first_use(self, made: ast.Assign, name: str) -> ast.Call | None:
        """The call of a method that is the first mention of the object, in the block in which it is made."""
        scope = self.source.scope_of(made)
        key = self.roles.key(scope, name)
        mentions = [n for n in self.source.all(ast.Name) if n.id == name and n not in made.targets]
        mentions = [n for n in mentions if self.roles.key(self.source.scope_of(n), name) == key]
        if not mentions or any(self.source.scope_of(n) is not scope or n.lineno <= made.lineno for n in mentions):
            return None
        first = min(mentions, key=lambda n: (n.lineno, n.col_offset))
        attribute = self.source.parents[first]
        call = self.source.parents[attribute]
        if not isinstance(call, ast.Call) or call.func is not attribute:
            return None
        return call if self.source.statement_of(call) in self.source.block_of(made) else None

    def _nothing_between(self, made: ast.Assign, call: ast.Call) -> bool:
        """Whether nothing but lines that are printed stands between the making and the call, which only looks at its arguments."""
        block, last = self.source.block_of(made), self.source.statement_of(call)
        match last:
            case ast.Expr(value=value) | ast.Assign(value=value) if value is call:
                pass
            case ast.Expr(value=ast.Call(args=[value])) if value is call and self._prints(last, 2):
                pass
            case _:
                return False
        if any(isinstance(n, ast.Call) for a in (*call.args, *call.keywords) for n in walk(a)):
            return False
        return all(map(self._prints, block[block.index(made) + 1 : block.index(last)]))

    def _prints(self, statement: ast.stmt, calls: int = 1) -> bool:
        match statement:
            case ast.Expr(value=ast.Call(func=ast.Name(id="print") as function) as call):
                plain = self.roles.key(self.source.scope_of(function), "print") is None
                return plain and sum(isinstance(n, ast.Call) for n in walk(call)) == calls
        return False

    # ---- what is made

    def _construction(self, init: ast.FunctionDef) -> list[ast.stmt]:
        """What runs when the object is made, with the bodies of methods that are called for nothing else."""
        found: list[ast.stmt] = []
        for statement in init.body:
            match statement:
                case ast.Expr(
                    value=ast.Call(func=ast.Attribute(value=ast.Name(id=itself), attr=name), args=[], keywords=[])
                ):
                    helper = self.methods.get(name)
                    if helper is not None and itself == _self(init) and self._only_builds(helper, itself):
                        found += helper.body
                        continue
            found.append(statement)
        return found

    def _only_builds(self, helper: ast.FunctionDef, itself: str) -> bool:
        plain = parameter_names(helper) == [itself] and not helper.decorator_list
        leaves = any(isinstance(n, ast.Return | ast.Yield) for n in walk(helper))
        return plain and not leaves and sum(a.attr == helper.name for a in self.attributes) == 1

    def _moved(
        self, init: ast.FunctionDef, method: ast.FunctionDef, steps: list[ast.stmt], place: int, call: ast.Call
    ) -> OnCall | None:
        """The making with all that is made of it, when it may as well happen later."""
        first, rest = steps[place], steps[place + 1 :]
        settings = Settings(self.roles, init, steps[:place])
        model = settings.model_of(call)
        if not model or not self._is_given_once(settings.tainted(model)):
            return None
        assert isinstance(first, ast.Assign) and isinstance(first.targets[0], ast.Attribute)
        own, made = {first.targets[0].attr}, [first]
        for statement in rest:
            if (name := self._made_of(init, statement, own)) and isinstance(statement, ast.Assign):
                own.add(name)
                made.append(statement)
        known = settings.tainted(model) | own
        if not all(self._knows_nothing(init, s, known) for s in rest if s not in made):
            return None
        words = settings.words(made, method)
        return None if words is None else OnCall(tuple(made), method, words)

    def _made_of(self, init: ast.FunctionDef, statement: ast.stmt, own: set[str]) -> str:
        """The attribute that gets a schedule of what was made above; "" when the statement gives it to none."""
        match statement:
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Name(id=itself), attr=name)],
                value=ast.Call(args=[ast.Attribute(value=ast.Name(), attr=held), *_]) as call,
            ) if itself == _self(init) and held in own and self._is_of_torch(call, scheduler=True):
                return name if self._stored(name) == 1 else ""
        return ""

    def _is_given_once(self, tainted: set[str]) -> bool:
        """Whether no two arguments of the making may lead to the model."""
        making = self.source.calls_to(self.owner.name)[0]
        if any(isinstance(a, ast.Starred) for a in making.args) or any(k.arg is None for k in making.keywords):
            return False
        names = parameter_names(self.methods["__init__"])[1:]
        given = [*zip(names, making.args, strict=False), *((k.arg or "", k.value) for k in making.keywords)]
        held = {n.id for name, value in given if name in tainted for n in walk(value) if isinstance(n, ast.Name)}
        others = {n.id for name, value in given if name not in tainted for n in walk(value) if isinstance(n, ast.Name)}
        return not held & others - {*self.roles.origins}

    def _is_of_torch(self, call: ast.Call, *, scheduler: bool) -> bool:
        full = self.roles.full_name(call.func)
        package, _, name = full.rpartition(".")
        wanted = ("torch.optim.lr_scheduler",) if scheduler else ("torch.optim",)
        return package in wanted and name[:1].isupper() and name not in ("Adagrad", "LBFGS", "ReduceLROnPlateau")

    def _stored(self, attribute: str) -> int:
        return sum(a.attr == attribute and not isinstance(a.ctx, ast.Load) for a in self.attributes)

    def _knows_nothing(self, init: ast.FunctionDef, statement: ast.stmt, known: set[str]) -> bool:
        """Whether a statement behind the making neither names what it needs and gives nor runs code of the script's own."""
        for node in walk(statement):
            match node:
                case ast.Attribute(attr=name) | ast.Name(id=name) if name in known:
                    return False
                case ast.Attribute(ctx=ast.Store(), value=value) if not isinstance(value, ast.Name):
                    return False
                case ast.Subscript(ctx=ast.Store()):
                    return False
                case ast.Name(id=name) if name == _self(init) and not isinstance(
                    self.source.parents[node], ast.Attribute
                ):
                    return False
                case ast.Call() if not self._is_foreign(node):
                    return False
                case ast.Lambda() | ast.Return() | ast.Yield() | ast.Await():
                    return False
        return True

    def _is_foreign(self, call: ast.Call) -> bool:
        """Whether a call runs a builtin or a library's function, which knows nothing of the object."""
        name = root_name(call.func)
        if name in self.roles.origins:
            return self.roles.function_named(self.roles.full_name(call.func)) is None and (
                self.roles.own_class_named(self.roles.full_name(call.func)) is None
            )
        return isinstance(call.func, ast.Name) and name in _HARMLESS and hasattr(builtins, name)


def _self(function: ast.FunctionDef) -> str:
    names = parameter_names(function)
    return names[0] if names else ""
