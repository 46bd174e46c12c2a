"""Which parameters of training functions may be made at the start of the function instead, because each call is given one made for it.

So may an optimizer of the module's that the function alone reads.

def train(model, loader, optimizer): ...          def train(model, loader, lr):
                                                       optimizer = Adam(model.parameters(), lr=lr)
optimizer = Adam(net.parameters(), lr=args.lr)         ...
train(net, loader, optimizer)                     →    train(net, loader, args.lr)
"""

from __future__ import annotations

import ast
import builtins
import keyword
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from ..plan.may_show import may_show
from ..plan.same_parameters import SameParameters
from ..plan.set_elsewhere import are_set
from ..plan.stepping_objects import optimizer_inside
from ..plan.writes_elsewhere import reads_elsewhere
from ..recover.makings import yields
from ..recover.names import free_names, local_names, parameter_names
from ..recover.nest import Nest
from ..recover.roles import Key, Role, Roles
from ..recover.syntax import Scope, Source, dotted, walk
from ..recover.ways_on import ways_on
from .only_makes import function_that_makes, is_torchs_making, may_raise
from .reworded import reworded

_REPEATING = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)
_UNSURE = (ast.Lambda, ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom, ast.Starred)
_STEPPED = (Role.OPTIMIZER, Role.SCHEDULER)


@dataclass(frozen=True, slots=True)
class Handed:
    """One call of the function, what it passes for the parameter, and the statement above that makes it."""

    call: ast.Call
    argument: ast.Name | None
    made: ast.Assign
    values: tuple[ast.expr, ...]
    """What the call passes for the new parameters."""


@dataclass(frozen=True, slots=True)
class Given:
    """A parameter that the function may make itself: the calls, its new parameters, and what its making is made of.

    ``parameter`` is None for what the function reads by its name in the module.
    """

    function: ast.FunctionDef
    name: str
    parameter: ast.arg | None
    calls: tuple[Handed, ...]
    new: tuple[str, ...]
    words: dict[ast.expr, str]
    """What parts of the first call's making are called in the function."""


def find_given(nests: list[Nest], roles: Roles, wanted: Container[str], owners: Sequence[ast.ClassDef]) -> Given | None:
    """The first parameter that may be made inside, of a function or of the constructor of a class that trains.

    ``wanted`` are the names that other files take.
    """
    seen: list[ast.FunctionDef] = []
    for nest in nests:
        function = nest.entry.scope
        if not isinstance(function, ast.FunctionDef) or function in seen:
            continue
        seen.append(function)
        if (found := _Search(roles, function, wanted).found()) is not None:
            return found
    for owner in owners:
        inits = [f for f in owner.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"]
        if len(inits) == 1 and not owner.decorator_list and not owner.keywords:
            if (found := _Search(roles, inits[0], wanted, owner).found()) is not None:
                return found
    return None


def only_called(roles: Roles, function: ast.FunctionDef, owner: ast.ClassDef | None = None) -> bool:
    """Whether every mention of a function of the script, or of the class that it is the constructor of, is a plain call, in this file."""
    source, called = roles.source, owner or function
    if not isinstance(source.parents[called], ast.Module) or function.decorator_list:
        return False
    if function.args.vararg or function.args.kwarg or function.args.posonlyargs or yields(function):
        return False
    key = (source.tree, called.name)
    if roles.bindings(key) or roles.rebound_unseen(key) or "__all__" in source.text:
        return False
    defined = (*source.functions, *source.all(ast.ClassDef))
    if sum(d.name == called.name for d in defined) != 1:
        return False
    calls = {id(c.func) for c in source.calls_to(called.name)}
    mentions = [n for n in source.all(ast.Name) if n.id == called.name]
    others = [n for n in mentions if id(n) not in calls]
    return (
        bool(calls)
        and all(_is_anothers(roles, n) for n in others)
        and not any(_is_anothers(roles, n) for n in mentions if id(n) in calls)
    )


def _is_anothers(roles: Roles, name: ast.Name) -> bool:
    """Whether a name is a function's own variable, whatever the module calls by it."""
    scope = roles.source.scope_of(name)
    return not isinstance(scope, ast.Module) and name.id in local_names(scope)


def makes_no_more(roles: Roles, value: ast.Call) -> bool:
    """Whether a call makes an optimizer or scheduler of torch's, and nothing else happens by it."""
    if not is_torchs_making(roles, value):
        return False
    chosen = {id(n) for f in walk(value) if (test := _chooses_what_trains(roles, f)) is not None for n in walk(test)}
    for node in walk(value):
        if id(node) in chosen:
            continue
        if node is not value and not _is_sure(roles, node):
            return False
    return True


def _makes_around_an_optimizer(roles: Roles, value: ast.Call) -> bool:
    """Whether a call makes an object of the project's that keeps the optimizer in its arguments, and nothing else happens by it."""
    given = [*value.args, *(k.value for k in value.keywords)]
    inner = [a for a in given if isinstance(a, ast.Call) and makes_no_more(roles, a)]
    rest = [n for a in given if a not in inner for n in walk(a)]
    return bool(optimizer_inside(roles, value)) and all(_is_sure(roles, n) for n in rest)


def _is_sure(roles: Roles, node: ast.AST) -> bool:
    """Whether a part of an argument gives the same whenever it is asked."""
    if isinstance(node, ast.Call):
        return _reads(roles, node)
    return not isinstance(node, _UNSURE) and not (isinstance(node, ast.keyword) and node.arg is None)


def _chooses_what_trains(roles: Roles, node: ast.AST) -> ast.Lambda | None:
    """The test of ``filter(lambda p: p.requires_grad, model.parameters())``."""
    match node:
        case ast.Call(func=ast.Name(id="filter"), args=[ast.Lambda(args=given, body=body) as test, ast.Call()]):
            match body:
                case ast.Attribute(value=ast.Name(id=name), attr="requires_grad"):
                    only = [a.arg for a in given.args] == [name] and not given.defaults and not given.vararg
                    return test if only and roles.source.function("filter") is None else None
    return None


def _reads(roles: Roles, call: ast.Call) -> bool:
    match call.func:
        case ast.Name(id="filter"):
            return _chooses_what_trains(roles, call) is not None
        case ast.Attribute(attr="parameters" | "named_parameters"):
            return not call.args and not call.keywords
        case ast.Name(id="list" | "len" | "float" | "int" as name):
            return roles.source.function(name) is None
    return False


class _Search:
    def __init__(
        self, roles: Roles, function: ast.FunctionDef, wanted: Container[str], owner: ast.ClassDef | None = None
    ) -> None:
        self.roles = roles
        self.source: Source = roles.source
        self.function = function
        self.wanted = wanted
        self.owner = owner
        """The class that the function is the constructor of."""
        self.called = (owner or function).name
        self.calls = self.source.calls_to(self.called)
        self.positional = function.args.args[1 if owner is not None else 0 :]

    def found(self) -> Given | None:
        """The first, in a function that no other file calls."""
        found = self._found() if only_called(self.roles, self.function, self.owner) else None
        return found if found is not None and self.called not in self.wanted else None

    def _found(self) -> Given | None:
        """Schedulers first: an optimizer that one of them holds is only made inside after them."""
        given = [*self.positional, *self.function.args.kwonlyargs]
        if self.owner is not None:
            found = [one for p in given if (one := self._of(p.arg, p)) is not None]
            return next((f for f in found if self._makes_schedule(f)), found[0] if found else None)
        for role in (Role.SCHEDULER, Role.OPTIMIZER):
            for parameter in given:
                if self.roles.role(self.function, parameter.arg) is role:
                    if (one := self._of(parameter.arg, parameter)) is not None:
                        return one
            for name in sorted(free_names(self.function)):
                key = self.roles.key(self.function, name)
                if key == (self.source.tree, name) and self.roles.role_of(key) is role and name not in self.wanted:
                    if (one := self._of(name, None)) is not None:
                        return one
        objects = (p for p in given if self.roles.is_plain_object(ast.Name(p.arg, ast.Load()), self.function))
        return next((one for p in objects if (one := self._of(p.arg, p)) is not None), None)

    def _makes_schedule(self, given: Given) -> bool:
        value = given.calls[0].made.value
        return isinstance(value, ast.Call) and "lr_scheduler" in self.roles.full_name(value.func)

    def _has_default(self, parameter: ast.arg) -> bool:
        args = self.function.args
        if parameter in args.kwonlyargs:
            return args.kw_defaults[args.kwonlyargs.index(parameter)] is not None
        return args.args.index(parameter) >= len(args.args) - len(args.defaults)

    def _of(self, name: str, parameter: ast.arg | None) -> Given | None:
        if any(name in n.names for n in self.source.all(ast.Global)):
            return None
        handed: list[tuple[ast.Call, ast.Name | None, ast.Assign]] = []
        for call in self.calls:
            argument = self._argument(call, name) if parameter is not None else None
            if parameter is not None and argument is None:
                return None
            made = self._made_for(call, name if argument is None else argument.id, argument)
            if made is None or any(made is other for _, _, other in handed):
                return None
            handed.append((call, argument, made))
        return self._alike(name, parameter, handed) if handed else None

    def _argument(self, call: ast.Call, parameter: str) -> ast.Name | None:
        """The bare name that a call passes for the parameter, when all of its arguments are plain to see."""
        if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
            return None
        names = [a.arg for a in self.positional]
        value: ast.expr | None = next((k.value for k in call.keywords if k.arg == parameter), None)
        if value is None and parameter in names and names.index(parameter) < len(call.args):
            value = call.args[names.index(parameter)]
        return value if isinstance(value, ast.Name) else None

    # ---- one call

    def _made_for(self, call: ast.Call, name: str, argument: ast.Name | None) -> ast.Assign | None:
        """The statement that makes what the call is given, when nothing else gets it and it may as well be made in the call."""
        scope = self.source.scope_of(call)
        key = self.roles.key(scope, name)
        if key is None or key[0] is not scope or self.roles.rebound_unseen(key) or scope is self.function:
            return None
        if isinstance(scope, ast.Module) and name in self.wanted:
            return None
        way = self._way_to(call, name)
        if way is None:
            return None
        made, passed = way
        value = made.value
        if not isinstance(value, ast.Call) or not (
            makes_no_more(self.roles, value)
            or self._made_by_a_function(value, passed)
            or _makes_around_an_optimizer(self.roles, value)
        ):
            return None
        if not self._reaches_no_more(key, made, argument):
            return None
        if not self._holds_only_given(scope, made):
            return None
        if (read := reads_elsewhere(self.roles, made)) and are_set(self.roles, scope, read, passed):
            return None
        same = SameParameters(self.roles, scope, [made])
        used = same.used_by(value)
        if not all(same.after(statement, used) for statement in passed):
            return None
        others = [a for a in (*call.args, *(k.value for k in call.keywords)) if a is not argument]
        return made if all(_only_looks(a) or not self._names(a) & used for a in others) else None

    def _made_by_a_function(self, value: ast.Call, passed: list[ast.AST]) -> bool:
        """Whether a function of the script only makes what it gives, and nobody sees that an error of it comes later."""
        maker = function_that_makes(self.roles, value)
        given = [n for a in (*value.args, *value.keywords) for n in walk(a)]
        if maker is None or not all(_is_sure(self.roles, n) for n in given):
            return False
        calls = (n for s in passed for n in walk(s) if isinstance(n, ast.Call))
        return not may_raise(maker) or not any(may_show(self.roles, c) for c in calls)

    def _way_to(self, call: ast.Call, name: str) -> tuple[ast.Assign, list[ast.AST]] | None:
        """The last statement that binds the name on the way to the call, and what runs between them."""
        passed: list[ast.AST] = []
        node: ast.stmt = self.source.statement_of(call)
        if isinstance(node, ast.While) or any(isinstance(a, _REPEATING) for a in self._around(call, node)):
            return None
        while True:
            parent = self.source.parents[node]
            block = self.source.block_of(node)
            for statement in reversed(block[: block.index(node)]):
                match statement:
                    case ast.Assign(targets=[ast.Name(id=bound)]) if bound == name:
                        return statement, passed
                if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
                    passed += ways_on(statement)
            match parent:
                case ast.If(test=test):
                    passed.append(test)
                case ast.With(items=items):
                    passed += items
                case _:
                    return None
            node = parent

    def _reaches_no_more(self, key: Key, made: ast.Assign, argument: ast.Name | None) -> bool:
        """Whether the call is all that is ever given what the statement makes."""
        scope, name = key
        mentions = [
            n for n in self.source.all(ast.Name) if n.id == name and n is not argument and n not in made.targets
        ]
        mentions = [n for n in mentions if self.roles.key(self.source.scope_of(n), name) == key]
        if argument is None:
            mentions = [n for n in mentions if self.source.scope_of(n) is not self.function]
        block = self.source.block_of(made)
        later = block[block.index(made) + 1 :]
        anew = next((s for s in later if isinstance(s, ast.Assign) and _binds(s, name)), None)
        turns = any(isinstance(a, ast.For | ast.While | ast.AsyncFor) for a in self._around(made, scope))
        if turns or anew is None:
            return all(not turns and n.lineno < made.lineno and self.source.scope_of(n) is scope for n in mentions)
        inside = {id(n) for n in walk(anew.value)}
        return all(
            self.source.scope_of(n) is scope
            and (n.lineno < made.lineno or n.lineno >= anew.lineno)
            and id(n) not in inside
            for n in mentions
        )

    def _holds_only_given(self, scope: Scope, made: ast.Assign) -> bool:
        """Whether the optimizer of a scheduler is nowhere but where it is made, where others are made of it, and in calls of the function."""
        names = [name for name in self._names(made.value) if self.roles.role(scope, name) in _STEPPED]
        if not names:
            return True
        given: set[int] = set()
        for call in self.calls:
            given |= {id(a) for a in (*call.args, *(k.value for k in call.keywords))}
        for other in self.source.all(ast.Assign):
            if isinstance(other.value, ast.Call) and self.roles.full_name(other.value.func).startswith("torch.optim."):
                given |= {id(n) for n in walk(other.value)}
        given |= {id(n) for n in walk(self.function) if self.source.scope_of(n) is self.function}
        mentions = (n for n in self.source.all(ast.Name) if n.id in names and isinstance(n.ctx, ast.Load))
        return all(
            id(n) in given or self.roles.key(self.source.scope_of(n), n.id) != self.roles.key(scope, n.id)
            for n in mentions
        )

    def _around(self, node: ast.AST, scope: ast.AST) -> Iterator[ast.AST]:
        for ancestor in self.source.ancestors(node):
            if ancestor is scope:
                return
            yield ancestor

    def _names(self, node: ast.AST) -> set[str]:
        return {n.id for n in walk(node) if isinstance(n, ast.Name)}

    # ---- all calls together

    def _alike(
        self, itself: str, parameter: ast.arg | None, handed: list[tuple[ast.Call, ast.Name | None, ast.Assign]]
    ) -> Given | None:
        """The parameter as it may be made inside, when all calls are given the same thing but for values that can be passed."""
        parts = [_parts_of(made.value) for _, _, made in handed]
        first = parts[0]
        if any([label for label, _ in p] != [label for label, _ in first] for p in parts):
            return None
        new: list[str] = []
        words: dict[ast.expr, str] = {}
        values: list[list[ast.expr]] = [[] for _ in handed]
        for place, (label, expression) in enumerate(first):
            told = [
                self._inside(call, p[place][1], argument.id if argument is not None else "", parameter is None)
                for (call, argument, _), p in zip(handed, parts, strict=True)
            ]
            texts = {None if t is None else t[0] for t in told}
            if None not in texts and len(texts) == 1 and told[0] is not None:
                words |= told[0][1]
                continue
            own = [p[place][1] for p in parts]
            if (
                label == "()"
                or parameter is None
                or any(self._holds_model(call, e) for (call, _, _), e in zip(handed, own, strict=True))
            ):
                return None
            name = self._new_name(label, expression, new, itself)
            if not name or not all(_only_looks(e) for e in own):
                return None
            new.append(name)
            words[expression] = name
            for passed, value in zip(values, own, strict=True):
                passed.append(value)
        if new and parameter is not None and self._has_default(parameter):
            return None  # what has no default cannot stand there
        calls = tuple(Handed(*one, tuple(v)) for one, v in zip(handed, values, strict=True))
        return Given(self.function, itself, parameter, calls, tuple(new), words)

    def _inside(
        self, call: ast.Call, expression: ast.expr, itself: str, by_name: bool
    ) -> tuple[str, dict[ast.expr, str]] | None:
        """The expression as the function may write it, and how it calls the names; None when it knows some of them not."""
        scope = self.source.scope_of(call)
        bound = {n.id for n in walk(expression) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
        bound |= {n.arg for n in walk(expression) if isinstance(n, ast.arg)}
        passed = self._passed(call)
        words: dict[ast.expr, str] = {}
        for node in walk(expression):
            if not isinstance(node, ast.Name):
                continue
            if node.id in bound:
                if node.id in local_names(self.function):
                    return None
                continue
            key = self.roles.key(scope, node.id)
            if node.id != itself and key is not None and node.id in passed:
                words[node] = passed[node.id]
            elif not self._is_known(node.id, key, by_name):
                return None
        text = f"({reworded(self.source, expression, words)})"
        return ast.dump(ast.parse(text, mode="eval")), words

    def _passed(self, call: ast.Call) -> dict[str, str]:
        """The parameters that a call gives bare names, by these names."""
        pairs = list(zip((a.arg for a in self.positional), call.args, strict=False))
        pairs += [(k.arg, k.value) for k in call.keywords if k.arg is not None]
        return {value.id: parameter for parameter, value in reversed(pairs) if isinstance(value, ast.Name)}

    def _is_known(self, name: str, key: Key | None, by_name: bool) -> bool:
        """Whether a name means the same in the function: a definition, an import, a written-out number, or whatever it reads ``by_name``."""
        if self.roles.key(self.function, name) != key:
            return False
        if key is None:
            return hasattr(builtins, name) or self._takes_all()
        if not isinstance(key[0], ast.Module) or self.roles.rebound_unseen(key):
            return False
        bindings = self.roles.bindings(key)
        if by_name and bindings:
            return True
        if not bindings:
            return name in self.roles.origins or name in self.source.classes or self.source.function(name) is not None
        return len(bindings) == 1 and bindings[0].index is None and isinstance(bindings[0].value, ast.Constant)

    def _takes_all(self) -> bool:
        """Whether the script takes all names of a file (``from config import *``), which no line of its own binds again."""
        return any(n.names[0].name == "*" for n in self.source.all(ast.ImportFrom))

    def _holds_model(self, call: ast.Call, expression: ast.expr) -> bool:
        scope = self.source.scope_of(call)
        return any(
            self.roles.role(scope, n.id) in (Role.MODEL, *_STEPPED) for n in walk(expression) if isinstance(n, ast.Name)
        )

    def _new_name(self, label: str, expression: ast.expr, new: list[str], parameter: str) -> str:
        """A name for a value that calls pass now: the keyword under which the optimizer gets it, or its own."""
        last = dotted(expression).rpartition(".")[2]
        if isinstance(expression, ast.Subscript) and isinstance(expression.slice, ast.Constant):
            last = str(expression.slice.value)
        taken = {n.id for n in walk(self.function) if isinstance(n, ast.Name)} | {*parameter_names(self.function), *new}
        for name in (last, label, f"{parameter}_{label}"):
            if (
                name.isidentifier()
                and not keyword.iskeyword(name)
                and name not in taken
                and not hasattr(builtins, name)
            ):
                return name
        return ""


def _parts_of(value: ast.expr) -> list[tuple[str, ast.expr]]:
    """What is called, and each argument under its keyword or place."""
    assert isinstance(value, ast.Call)
    placed = [(f"_{i}", a) for i, a in enumerate(value.args)]
    return [("()", value.func), *placed, *((k.arg or "", k.value) for k in value.keywords)]


def _only_looks(value: ast.expr) -> bool:
    """Whether evaluating it later in the same statement gives the same: it only looks."""
    plain = (ast.Name, ast.Attribute, ast.Constant, ast.Subscript, ast.UnaryOp, ast.BinOp, ast.Tuple, ast.Compare)
    return all(isinstance(n, plain) for n in walk(value) if isinstance(n, ast.expr))


def _binds(statement: ast.Assign, name: str) -> bool:
    return any(isinstance(t, ast.Name) and t.id == name for t in statement.targets)
