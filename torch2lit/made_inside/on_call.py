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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..plan.same_parameters import SameParameters
from ..recover.makings import yields
from ..recover.names import local_names, parameter_names
from ..recover.project_text import mentioned, other_text
from ..recover.roles import Roles
from ..recover.syntax import root_name, walk
from ..recover.wanted_names import WantedNames
from .first_calls import is_all_of, only_prints
from .holders import Holder, holder_of
from .object_uses import ObjectMade, trained_where_made
from .on_call_kept import Keeper
from .on_call_numbers import has_numbers_only
from .on_call_settings import Settings

_HARMLESS = {"print", "len", "str", "int", "float", "range", "dict", "list", "min", "max", "sum", "super"}


@dataclass(frozen=True, slots=True)
class OnCall:
    """The statements that make the optimizer and its schedules, the method that they go to, and what parts of them are called there."""

    made: tuple[ast.Assign, ...]
    method: ast.FunctionDef
    words: dict[ast.expr, str]
    kept: dict[ast.Assign, tuple[str, ...]]
    """What stands in the place of each making, so that the method finds what the constructor was given."""
    named: tuple[ast.Assign, ...] = ()
    """The statements that give the object what has a name of the constructor's own before: nothing of them is left."""


def find_on_call(roles: Roles, owners: Sequence[str], path: str) -> OnCall | None:
    """The first object of a class of these names whose making may wait; ``path`` is that of the file."""
    for name in owners:
        owner = roles.source.classes.get(name)
        if owner is None or owner.decorator_list or not isinstance(roles.source.parents[owner], ast.Module):
            continue
        if not all(isinstance(base, ast.Name) and base.id == "object" for base in owner.bases) or owner.keywords:
            continue
        if (found := _Search(roles, owner, path).found()) is not None:
            return found
    return None


class _Search:
    def __init__(self, roles: Roles, owner: ast.ClassDef, path: str) -> None:
        self.roles = roles
        self.source = roles.source
        self.owner = owner
        self.methods = {m.name: m for m in owner.body if isinstance(m, ast.FunctionDef)}
        self.attributes = self.source.all(ast.Attribute)
        self.trained = trained_where_made(roles, owner, path)
        """Where all objects are made, when nobody gets one but its own methods and who makes it."""
        self.path = path
        self.written_out: dict[ast.stmt, ast.Assign] = {}
        """For statements that call a method which makes the optimizer what they would be without it."""

    def found(self) -> OnCall | None:
        init = self.methods.get("__init__")
        method = self.methods.get(self.trained.method) if self.trained is not None else self._trained_by()
        if init is None or method is None or init.decorator_list or method.decorator_list or yields(method):
            return None
        if init.args.vararg or init.args.kwarg:
            return None
        steps = self._construction(init)
        if any(isinstance(n, ast.Return) for s in steps for n in walk(s)):
            return None
        named = dict(self._named(init, steps))
        made = {s: c for s in steps if (c := self._making(init, s, named)) is not None}
        return self._moved(init, method, steps, made, named) if made else None

    def _named(self, init: ast.FunctionDef, steps: list[ast.stmt]) -> Iterator[tuple[ast.stmt, ast.Assign]]:
        """For statements that make something under a name of the constructor's own the only other one that mentions it."""
        for statement in steps:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call()):
                    mentions = [n for n in walk(init) if isinstance(n, ast.Name) and n.id == name]
                    known = self.roles.key(self.source.scope_of(statement), name) == (init, name)
                    for other in steps if known and len(mentions) == 2 and statement in init.body else ():
                        match other:
                            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=itself))], value=value):
                                if itself == _self(init) and value in mentions:
                                    yield statement, other

    def _making(self, init: ast.FunctionDef, statement: ast.stmt, named: dict[ast.stmt, ast.Assign]) -> ast.Call | None:
        """The call that makes an optimizer, when a statement gives it to an attribute that nothing else binds."""
        match statement:
            case ast.Assign(value=ast.Call() as call) if statement in named:
                target = named[statement].targets[0]
                once = isinstance(target, ast.Attribute) and self._stored(target.attr) == 1
                return call if once and self._is_of_torch(call, scheduler=False) else None
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=itself)) as target], value=ast.Call() as call):
                made = self._returned_by(call, itself) or call
                if itself == _self(init) and self._is_of_torch(made, scheduler=False):
                    if made is not call:
                        self.written_out[statement] = ast.copy_location(ast.Assign([target], made), statement)
                    return made if self._stored(target.attr) == 1 else None
        return None

    def _returned_by(self, call: ast.Call, itself: str) -> ast.Call | None:
        """What a method of the object's own makes and gives, if it does no more."""
        match call:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=owner), attr=name), args=[], keywords=[]):
                method = self.methods.get(name)
                if method is None or owner != itself or parameter_names(method) != [itself] or method.decorator_list:
                    return None
                *before, last = method.body
                documented = [s for s in before if isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)]
                match last:
                    case ast.Return(value=ast.Call() as made) if before == documented:
                        return made
        return None

    def _written_out(self, statement: ast.Assign) -> ast.Assign:
        """A statement as it would be without the method that it calls."""
        return self.written_out.get(statement, statement)

    def _words(
        self, settings: Settings, statement: ast.Assign, method: ast.FunctionDef, own: set[str]
    ) -> dict[ast.expr, str] | None:
        """How the method that trains calls what a statement names; None when it finds something else there."""
        told = settings.words(self._written_out(statement), method, own)
        if told is None or statement not in self.written_out:
            return told
        names = [n for n in walk(statement) if isinstance(n, ast.Name)]
        return {n: parameter_names(method)[0] for n in names if n.id == settings.itself}

    # ---- the one object and the one call

    def _trained_by(self) -> ast.FunctionDef | None:
        """The method that is called once, on the one object, right where that is made."""
        made = self.source.calls_to(self.owner.name)
        if len(made) != 1 or sum(n.id == self.owner.name for n in self.source.all(ast.Name)) != 1:
            return None
        if self.owner.name in WantedNames(self.path):
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
        once = sum(a.attr == called for a in self.attributes) == 1 and called not in mentioned(other_text(self.path))
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
        if not is_all_of(self.roles, last, call):
            return False
        return all(only_prints(self.roles, s) for s in block[block.index(made) + 1 : block.index(last)])

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
        self,
        init: ast.FunctionDef,
        method: ast.FunctionDef,
        steps: list[ast.stmt],
        making: dict[ast.stmt, ast.Call],
        named: dict[ast.stmt, ast.Assign],
    ) -> OnCall | None:
        """The making of all with what is made of it, when it may as well happen later."""
        facts = Facts()
        made: list[ast.Assign] = []
        settings: dict[ast.Assign, Settings] = {}
        between: list[ast.stmt] = []
        private = self.trained is not None
        gone = tuple(named[s] for s in making if s in named)
        for place, statement in enumerate(steps):
            schedule = self._made_of(init, statement, facts.own) if made else ""
            if not isinstance(statement, ast.Assign) or (statement not in making and not schedule):
                between += [statement] if made and statement not in gone else []
                continue
            settings[statement] = Settings(
                self.roles, init, [s for s in steps[:place] if s not in made], self._all_made()
            )
            if statement in making:
                models = settings[statement].models_of(making[statement])
                tainted = {name for model in models for name in settings[statement].tainted(model)}
                tainted |= {*settings[statement].held}
                if not models or not self._is_given_once(tainted):
                    return None
                facts.known |= tainted
                facts.held |= {h for n in settings[statement].held if (h := holder_of(self.roles, init, n)) is not None}
                private = private and all(map(settings[statement].makes_itself, models))
            facts.own |= {t.attr for t in self._targets(statement, named) if isinstance(t, ast.Attribute)}
            made.append(statement)
        judge = SameParameters(self.roles, init, [self._written_out(s) for s in made])
        run = [one for s in between for one in self._with_methods(init, s)]
        alone = all(self._runs_foreign_code(s, judge, facts) for _, s in run)
        if self.trained is not None and self.trained.waits:
            if facts.own & self.trained.asked or not all(has_numbers_only(self._written_out(s)) for s in made):
                return None
            alone = False
        if not (alone or private) or not all(self._knows_nothing(f, s, facts, judge) for f, s in run):
            return None
        words: dict[ast.expr, str] = {}
        kept: dict[ast.Assign, tuple[str, ...]] = {}
        keeper = Keeper(self.owner, init, steps[steps.index(made[0]) : steps.index(made[-1])], made)
        for statement in made:
            told = self._words(settings[statement], statement, method, facts.own) if alone else None
            if told is None and self.trained is not None and statement not in self.written_out:
                told, kept[statement] = keeper.words(settings[statement], statement, method, facts.own) or (None, ())
            if told is None:
                return None
            used = {n.id for n in walk(statement.value) if isinstance(n, ast.Name) and n not in told}
            if used & local_names(method):
                return None
            words |= told
            if statement in named:
                target = named[statement].targets[0]
                assert isinstance(target, ast.Attribute)
                words[statement.targets[0]] = f"{parameter_names(method)[0]}.{target.attr}"
        return OnCall(tuple(made), method, words, kept, gone)

    def _targets(self, statement: ast.Assign, named: dict[ast.stmt, ast.Assign]) -> list[ast.expr]:
        return named[statement].targets if statement in named else statement.targets

    def _with_methods(
        self, function: ast.FunctionDef, statement: ast.stmt, entered: frozenset[str] = frozenset()
    ) -> Iterator[tuple[ast.FunctionDef, ast.stmt]]:
        """A statement and those of the methods that it calls on the object, each with the function in which it stands."""
        yield function, statement
        for node in walk(statement):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id=itself), attr=name)) if itself == _self(function):
                    method = self.methods.get(name)
                    if method is not None and name not in entered and not method.decorator_list and not yields(method):
                        for inner in method.body:
                            yield from self._with_methods(method, inner, entered | {name})

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
        """Whether no two arguments of a making may lead to the model."""
        return all(self._hands_once(m, tainted) for m in self._all_made())

    def _all_made(self) -> tuple[ObjectMade, ...]:
        """The calls that make objects of the class."""
        if self.trained is not None:
            return self.trained.made
        return tuple(ObjectMade(c, self.roles) for c in self.source.calls_to(self.owner.name))

    def _hands_once(self, made: ObjectMade, tainted: set[str]) -> bool:
        making = made.call
        if any(isinstance(a, ast.Starred) for a in making.args) or any(k.arg is None for k in making.keywords):
            return False
        names = parameter_names(self.methods["__init__"])[1:]
        given = [*zip(names, making.args, strict=False), *((k.arg or "", k.value) for k in making.keywords)]
        held = {n.id for name, value in given if name in tainted for n in walk(value) if isinstance(n, ast.Name)}
        others = {n.id for name, value in given if name not in tainted for n in walk(value) if isinstance(n, ast.Name)}
        return not held & others - {*made.roles.origins}

    def _is_of_torch(self, call: ast.Call, *, scheduler: bool) -> bool:
        full = self.roles.full_name(call.func)
        package, _, name = full.rpartition(".")
        wanted = ("torch.optim.lr_scheduler",) if scheduler else ("torch.optim",)
        return package in wanted and name[:1].isupper() and name not in ("Adagrad", "LBFGS", "ReduceLROnPlateau")

    def _stored(self, attribute: str) -> int:
        """How often an attribute gets a value, besides the None by which a constructor lists what it will have."""
        stored = [a for a in self.attributes if a.attr == attribute and not isinstance(a.ctx, ast.Load)]
        return sum(not _is_made_none(self.source.parents[a]) for a in stored)

    def _knows_nothing(
        self, function: ast.FunctionDef, statement: ast.stmt, facts: Facts, judge: SameParameters
    ) -> bool:
        """Whether a statement behind a making neither asks for what it gives nor gives a model other layers, nor runs code that could."""
        itself, init = _self(function), self.methods["__init__"]
        holding = facts.nodes()
        for node in walk(statement):
            if id(node) in holding:
                continue
            match node:
                case ast.Attribute(value=ast.Name(id=holder), attr=name) if holder == itself and name in facts.models:
                    if not judge.keeps(node):
                        return False
                case ast.Name(id=name) if function is init and name in facts.given:
                    if not judge.keeps(node):
                        return False
                case ast.Attribute(attr=name) | ast.Name(id=name) if name in facts.known | facts.own:
                    return False
                case ast.Attribute(ctx=ast.Store(), value=value) if not isinstance(value, ast.Name):
                    return False
                case ast.Name(id=name) if name == itself and not isinstance(self.source.parents[node], ast.Attribute):
                    return False
                case ast.Call(func=ast.Attribute(value=ast.Name(id=holder), attr=name)) if holder == itself:
                    method = self.methods.get(name)
                    if method is not None and (method.decorator_list or yields(method)):
                        return False
                case ast.Attribute(value=ast.Name(id=holder), attr=name) if holder == itself and name in self.methods:
                    above = self.source.parents[node]
                    if not (isinstance(above, ast.Call) and above.func is node):
                        return False
                case ast.Return() if function is not init:
                    continue
                case ast.Lambda() | ast.Return() | ast.Yield() | ast.YieldFrom() | ast.Await():
                    return False
        return True

    def _runs_foreign_code(self, statement: ast.stmt, judge: SameParameters, facts: Facts) -> bool:
        """Whether a statement runs nothing but builtins and functions of libraries, and binds nothing inside of what it finds."""
        inside = (n for n in walk(statement) if isinstance(n, ast.Subscript) and isinstance(n.ctx, ast.Store))
        calls = (n for n in walk(statement) if isinstance(n, ast.Call) and id(n) not in facts.nodes())
        return not any(inside) and all(self._is_harmless(c, judge, facts) for c in calls)

    def _is_harmless(self, call: ast.Call, judge: SameParameters, facts: Facts) -> bool:
        """Whether a call runs a builtin, a library's function, a method of the object, or one of a model that leaves it its layers."""
        match call.func:
            case ast.Attribute(value=ast.Attribute(attr=known) as model) if known in facts.models and judge.keeps(
                model
            ):
                return True
            case ast.Attribute(value=ast.Name(id=known) as model) if known in facts.given and judge.keeps(model):
                return True
            case ast.Attribute(value=ast.Name(id=itself), attr=name) if name in self.methods:
                function = self.source.scope_of(call)
                return isinstance(function, ast.FunctionDef) and itself == _self(function)
        name = root_name(call.func)
        if name in self.roles.origins:
            return self.roles.function_named(self.roles.full_name(call.func)) is None and (
                self.roles.own_class_named(self.roles.full_name(call.func)) is None
            )
        return isinstance(call.func, ast.Name) and name in _HARMLESS and hasattr(builtins, name)


@dataclass(slots=True)
class Facts:
    """What the makings of one constructor need and give."""

    own: set[str] = field(default_factory=set)
    """The attributes that they bind."""
    known: set[str] = field(default_factory=set)
    """What may lead to a model."""
    held: set[Holder] = field(default_factory=set)
    """What holds the models that the constructor is given."""

    @property
    def models(self) -> set[str]:
        """The attributes of which it is looked at what is done with them."""
        return self.known - self.own

    @property
    def given(self) -> set[str]:
        """The constructor's names for such models."""
        return self.known if self.held else set()

    def nodes(self) -> set[int]:
        """The nodes of the statements that let an attribute hold such a model."""
        return {id(n) for h in self.held for s in h.statements for n in walk(s)}


def _self(function: ast.FunctionDef) -> str:
    names = parameter_names(function)
    return names[0] if names else ""


def _is_made_none(statement: ast.AST) -> bool:
    match statement:
        case ast.Assign(targets=[_], value=ast.Constant(value=None)):
            return True
    return False
