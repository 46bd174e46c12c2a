"""A learning rate that is rewritten by hand, when a schedule surely gives the same rates, bit for bit.

optimizer = SGD(model.parameters(), lr=args.lr)               optimizer = SGD(model.parameters(), lr=args.lr)
                                                              scheduler = LambdaLR(optimizer, lambda epoch: 0.1 ** (epoch // 30))
for epoch in range(args.epochs):                              for epoch in range(args.epochs):
    for group in optimizer.param_groups:               →          train(epoch)
        group["lr"] = args.lr * 0.1 ** (epoch // 30)              scheduler.step()
    train(epoch)

A schedule multiplies the optimizer's own rate, so the factor is what the script multiplies that rate by; any other expression gives the rate itself, and
the optimizer's own is 1.0 then. The schedule has the next rate where the turn ends, so nothing may look at the optimizer from there to the next writing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass

from ..made_inside.reworded import reworded
from ..recover.loops import Iterable
from ..recover.names import parameter_names, target_names
from ..recover.nest import Frame, Nest
from ..recover.roles import Key, Roles
from ..recover.syntax import Scope, walk
from .counts import Count, count_of, is_raised_once, own_controls
from .optimizers import has_one_rate, rate_argument, reads_only_rate
from .rates import NotPure, Rates
from .settled import Handed, Settled
from .written import Written, given, written_in

_NAMES = ("scheduler", "lr_scheduler", "rate_scheduler")
_FUNCTIONS = ("learning_rate", "scheduled_learning_rate", "rate_of_schedule")


@dataclass(frozen=True, slots=True)
class Schedule:
    """What becomes of the program: ``made`` makes the optimizer, ``written`` is the statement that goes, ``gone`` goes with it.

    ``factor`` is the expression of ``parameter``, which counts the turns of ``interval``. ``itself``: it is the rate, and not a factor of the optimizer's own.
    ``behind`` is the statement behind which the schedule steps; ``function`` is the script's own without the writing, under the name ``called``.
    """

    made: ast.Assign
    rate: ast.expr
    written: Written
    name: str
    interval: str
    factor: str
    itself: bool
    behind: ast.stmt
    gone: tuple[ast.stmt, ...] = ()
    called: str = ""
    """The new name of the function that gives the rate; "" where nothing is left of it, or where there was none."""
    result: str = ""
    """What the statement binds its name to from now on."""

    @property
    def optimizer(self) -> str:
        """The optimizer's name where it is made."""
        target = self.made.targets[0]
        assert isinstance(target, ast.Name)
        return target.id


class _Stays(Exception):
    """There is no such schedule."""


def find_schedule(nest: Nest, roles: Roles, wanted: Container[str], *, saved: bool = False) -> Schedule | None:
    """The schedule of one training; ``wanted`` are the names that other files take. ``saved``: nothing may be left that saves the optimizer's state."""
    if nest.epochs is None or nest.by_hand or len(nest.steps) != 1 or nest.epochs.node.orelse:
        return None
    try:
        return _Search(nest, roles, wanted, saved).found()
    except (_Stays, NotPure):
        return None


def _ensure(holds: object) -> None:
    if not holds:
        raise _Stays


class _Search:
    def __init__(self, nest: Nest, roles: Roles, wanted: Container[str], saved: bool = False) -> None:
        self.saved = saved
        self.nest, self.roles, self.source, self.wanted = nest, roles, roles.source, wanted
        assert nest.epochs is not None
        self.epochs = nest.epochs
        self.entry: Scope = nest.entry.scope

    def found(self) -> Schedule | None:
        """The one statement that writes the rate, at the head of every epoch or in every batch."""
        places = [
            (w, self.nest.entry, self.epochs.node.body, "epoch") for w in written_in(self.epochs.node.body, self.roles)
        ]
        inner = self.nest.inner
        if inner is not self.nest.entry and inner.caller is self.nest.entry:
            body = inner.scope.body
            places += [(w, inner, body, "epoch") for w in written_in(body, self.roles)]
        if self.nest.batches is not None and self.nest.step_frame is inner:
            body = self.nest.batches.node.body
            places += [(w, inner, body, "step") for w in written_in(body, self.roles)]
        if len(places) != 1:
            return None
        return self._schedule(*places[0])

    def _schedule(self, written: Written, frame: Frame, block: list[ast.stmt], interval: str) -> Schedule:
        self.written, self.frame, self.block, self.interval = written, frame, block, interval
        self.made, self.keys = self._optimizer()
        lr = rate_argument(self.made, self.roles)
        _ensure(lr is not None and has_one_rate(self.made, self.roles, written.one_group))
        assert lr is not None
        self.rates = Rates(self.roles, Settled(self.roles, self.nest, self.made, self._handed()))
        self.count = count_of(self.epochs, self.roles)
        _ensure(self._runs_in_every_turn())
        behind = self._behind()
        _ensure(self._is_only_used_in_turns(behind))
        _ensure(self._binds_for_itself())
        text, itself, gone, called = self._factor(lr)
        _ensure(not itself or lr.lineno == lr.end_lineno)
        result = ""
        if isinstance(written.statement, ast.Assign) and written.function is not None:
            _ensure(called)
            result = f"{called}({self._arguments_as_given()})"
        return Schedule(
            self.made, lr, written, self._free(_NAMES), interval, text, itself, behind, gone, called, result
        )

    # ---- the optimizer

    def _optimizer(self) -> tuple[ast.Assign, set[Key]]:
        """The statement that makes the optimizer, and the variables that are that optimizer."""
        name, scope = self.written.optimizer.id, self.frame.scope
        if self.written.function is not None:
            passed = given(self.written)
            _ensure(passed is not None)
            assert passed is not None
            if name in passed:
                argument = passed[name]
                _ensure(isinstance(argument, ast.Name))
                assert isinstance(argument, ast.Name)
                name = argument.id
            else:
                _ensure(self.roles.key(self.written.function, name) == (self.source.tree, name))
                scope = self.source.tree
        found: ast.expr = ast.Name(name, ast.Load())
        frame: Frame | None = self.frame if scope is self.frame.scope else None
        while (
            frame is not None
            and frame is not self.nest.entry
            and isinstance(found, ast.Name)
            and found.id in frame.arguments
        ):
            found, frame = frame.arguments[found.id], frame.caller
        _ensure(isinstance(found, ast.Name))
        assert isinstance(found, ast.Name)
        key = self.roles.key(frame.scope if frame is not None else self.source.tree, found.id)
        _ensure(key is not None and key[0] in (self.entry, self.source.tree) and not self.roles.rebound_unseen(key))
        assert key is not None
        bindings = self.roles.bindings(key)
        _ensure(len(bindings) == 1 and isinstance(bindings[0].statement, ast.Assign))
        made = bindings[0].statement
        assert isinstance(made, ast.Assign)
        _ensure(len(made.targets) == 1 and isinstance(made.targets[0], ast.Name) and self._runs_before(made))
        return made, self._same(key)

    def _runs_before(self, made: ast.Assign) -> bool:
        """Whether the statement surely runs before the loop."""
        if self.source.scope_of(made) is not self.entry:
            return made in self.source.tree.body
        block, outermost = self.source.block_of(made), self.nest.outermost
        around = [outermost, *self.source.ancestors(outermost)]
        return any(s in around for s in block[block.index(made) + 1 :]) and not any(
            isinstance(a, ast.For | ast.While) for a in self.source.ancestors(made) if a not in around
        )

    def _same(self, key: Key) -> set[Key]:
        keys = {key}
        for frame in self.nest.entered:
            for parameter, argument in frame.arguments.items():
                if isinstance(argument, ast.Name) and frame.caller is not None:
                    if self.roles.key(frame.caller.scope, argument.id) in keys:
                        keys.add((frame.scope, parameter))
        return keys

    def _handed(self) -> Handed:
        """What the functions on the way to the step, and the one that writes the rate, are given."""
        found: Handed = {}
        for frame in self.nest.entered:
            if frame.caller is not None:
                found |= {(frame.scope, p): (a, frame.caller.scope) for p, a in frame.arguments.items()}
        if self.written.function is not None:
            passed = given(self.written) or {}
            found |= {(self.written.function, p): (a, self.frame.scope) for p, a in passed.items()}
        return found

    # ---- when it runs

    def _runs_in_every_turn(self) -> bool:
        """Whether the writing runs once in every turn, before the optimizer steps."""
        place = self.block.index(self.written.statement)
        step = self._towards_step(self.frame, self.block)
        if step is None or self.block.index(step) <= place or self._shares_lines(self.written.statement):
            return False
        if any(True for _ in own_controls(self.block[:place], ast.Continue, ast.Break, ast.Return)):
            return False
        if self.interval == "step":
            assert self.nest.batches is not None
            batches = self.nest.batches
            if batches.kind is not Iterable.LOADER or batches.node.orelse or self._towards_epoch() is None:
                return False
            kinds = (ast.Continue, ast.Break, ast.Return)
            return not any(True for _ in own_controls(self.block, *kinds)) and isinstance(step, ast.Expr)
        if any(True for _ in own_controls(self.epochs.node.body, ast.Continue)):
            return False
        return self.frame is self.nest.entry or self._towards_epoch() is not None

    def _towards_epoch(self) -> ast.stmt | None:
        """The statement right in the epoch's body that surely runs the batches."""
        body = self.epochs.node.body
        found = self._towards_step(self.nest.entry, body)
        if found is None or any(True for _ in own_controls(body[: body.index(found)], ast.Continue)):
            return None
        if self.frame is self.nest.entry:
            return found if self.nest.batches is None or found is self.nest.batches.node else None
        called = self.source.calls_to(self.frame.name)
        plain = isinstance(found, ast.Expr | ast.Assign) and found.value is self.frame.call
        if len(called) != 1 or not plain or self.interval == "epoch":
            return found if len(called) == 1 and plain else None
        assert self.nest.batches is not None
        return found if self.nest.batches.node in self.frame.scope.body else None

    def _towards_step(self, frame: Frame, block: list[ast.stmt]) -> ast.stmt | None:
        """The statement of a block that leads to the optimizer's step."""
        node: ast.AST = self.nest.steps[0]
        inner: Frame | None = self.nest.step_frame
        while inner is not None and inner is not frame:
            if inner.call is None:
                return None
            node, inner = inner.call, inner.caller
        around = [node, *self.source.ancestors(node)]
        return next((s for s in block if s in around), None)

    def _shares_lines(self, statement: ast.stmt) -> bool:
        first, last = statement.lineno, statement.end_lineno or statement.lineno
        block = self.source.block_of(statement)
        before = self.source.lines[first - 1][: statement.col_offset]
        return bool(before.strip()) or any(
            s is not statement and s.lineno <= last and (s.end_lineno or s.lineno) >= first for s in block
        )

    def _behind(self) -> ast.stmt:
        """The statement behind which the schedule steps."""
        if self.interval == "epoch":
            body = self.epochs.node.body
            saving = next((n for n, s in enumerate(body) if n and self.saved and self._saves(s)), len(body))
            last = body[saving - 1]
            _ensure(saving > body.index(self._towards_step(self.nest.entry, body) or body[-1]))
            _ensure(not self._shares_lines(last))
            return last
        step = self._towards_step(self.frame, self.block)
        assert step is not None
        visible = self.frame.scope is self.entry or self.source.scope_of(self.made) is self.source.tree
        _ensure(visible and not self._shares_lines(step))
        following = self.block[self.block.index(step) + 1 :][:1]
        match following:
            case [ast.Expr(value=ast.Call(func=ast.Attribute(attr="update"), args=[], keywords=[])) as update]:
                step = update
        return step

    def _binds_for_itself(self) -> bool:
        """Whether nothing else reads what the loop over the groups binds, but where another loop has bound it anew."""
        if self.written.function is not None:
            return True
        inside = {id(n) for n in walk(self.written.loop)}
        bound = {n.id for n in walk(self.written.loop) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        read = [n for n in self.source.all(ast.Name) if n.id in bound and isinstance(n.ctx, ast.Load)]
        read = [n for n in read if id(n) not in inside and not self._is_bound_anew(n)]
        return not any(
            self.roles.key(self.source.scope_of(n), n.id) == self.roles.key(self.frame.scope, n.id) for n in read
        )

    def _is_bound_anew(self, name: ast.Name) -> bool:
        parts = ast.For | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
        around = [n for n in self.source.ancestors(name) if isinstance(n, parts)]
        around = [n for n in around if n not in self.source.ancestors(self.written.loop)]
        targets = [
            t for n in around for t in ([n.target] if isinstance(n, ast.For) else [g.target for g in n.generators])
        ]
        return any(name.id in target_names(t) for t in targets)

    def _is_only_used_in_turns(self, behind: ast.stmt) -> bool:
        """Whether every mention of the optimizer is its making, the writing, a step or an argument on the way there, or looks at the rate that is written."""
        ours = {id(n) for s in (self.made.targets[0], self.written.statement, self.written.loop) for n in walk(s)}
        if self.written.function is not None:
            ours |= {id(n) for n in walk(self.written.function)}
        for frame in self.nest.entered:
            ours |= {id(argument) for argument in frame.arguments.values()}
        scopes = [frame.scope for frame in (self.nest.entry, *self.nest.entered)]
        for node in self.source.all(ast.Name):
            if id(node) in ours or self.roles.key(self.source.scope_of(node), node.id) not in self.keys:
                continue
            if self.source.scope_of(node) not in scopes or not isinstance(node.ctx, ast.Load):
                return False
            parent = self.source.parents[node]
            match parent:
                case ast.Attribute(attr="zero_grad" | "step"):
                    if not self._is_called(parent):
                        return False
                case ast.Attribute(attr="state_dict") if self.saved:
                    continue
                case ast.Call(func=ast.Attribute(attr="step" | "unscale_"), args=[argument]) if argument is node:
                    continue
                case ast.Attribute(attr="param_groups"):
                    if not reads_only_rate(node, self.source) or not self._sees_written(node, behind):
                        return False
                case _:
                    return False
        return not any(name in self.source.text for name in ("gc.get_objects", "locals()", "exec("))

    def _saves(self, statement: ast.stmt) -> bool:
        """Whether a statement takes the optimizer's state."""
        return any(
            isinstance(n, ast.Attribute)
            and n.attr == "state_dict"
            and isinstance(n.value, ast.Name)
            and self.roles.key(self.source.scope_of(n), n.value.id) in self.keys
            for n in walk(statement)
        )

    def _is_called(self, attribute: ast.Attribute) -> bool:
        call = self.source.parents[attribute]
        return isinstance(call, ast.Call) and call.func is attribute

    def _sees_written(self, node: ast.AST, behind: ast.stmt) -> bool:
        """Whether a place comes after the writing and before the schedule steps, in the same turn."""
        line: int = node.lineno  # type: ignore[attr-defined]
        scope = self.source.scope_of(node)
        if self.interval == "step":
            inside = any(a is self._loop() for a in self.source.ancestors(node))
            return inside and self.written.statement.lineno < line < behind.lineno
        last = behind.end_lineno or behind.lineno
        if scope is self.frame.scope and (
            scope is not self.entry or any(a is self.epochs.node for a in self.source.ancestors(node))
        ):
            return self.written.statement.lineno < line and (scope is not self.entry or line <= last)
        return scope is not self.entry and self.frame is self.nest.entry

    def _loop(self) -> ast.AST:
        assert self.nest.batches is not None
        return self.nest.batches.node

    # ---- what is written

    def _factor(self, lr: ast.expr) -> tuple[str, bool, tuple[ast.stmt, ...], str]:
        """The text of the factor, whether it is the rate itself, what goes with the writing, and the name of the function that stays."""
        counted = self._counted()
        if self.written.function is None:
            rate, gone = self._value()
            self.rates.check(rate, self.frame.scope, frozenset(counted), self._passed())
            return (*self._as_factor(rate, lr, {}), gone, "")
        function, passed = self.written.function, given(self.written)
        assert passed is not None
        _ensure(len(self.source.calls_to(function.name)) == 1 and function.name not in self.wanted)
        _ensure(self.source.parents[function] is self.source.tree and not self._shares_lines(function))
        _ensure(self._is_named_once(function))
        moving: set[str] = set()
        for parameter, argument in passed.items():
            if parameter == self.written.optimizer.id:
                continue
            self.rates.check(argument, self.frame.scope, frozenset(counted), self._passed())
            if any(isinstance(n, ast.Name) and n.id in counted for n in walk(argument)):
                _ensure(self.rates.given_to(function, parameter, argument, self.frame.scope, frozenset(counted)))
                moving.add(parameter)
        before = function.body[: function.body.index(self.written.loop)]
        bound = self.rates.check_body(function, before, frozenset(moving))
        self.rates.check_in(self.written.rate, function, frozenset(moving), bound)
        alone = self._alone(function, before)
        if alone is not None and not isinstance(self.written.statement, ast.Assign):
            words = {p: self._text(a, {}) for p, a in passed.items() if p != self.written.optimizer.id}
            return (*self._as_factor(alone, lr, words), (), "")
        called = self._free(_FUNCTIONS)
        optimizer = self.written.optimizer.id
        arguments = ", ".join(self._text(a, {}) for p, a in passed.items() if p != optimizer)
        return f"{called}({arguments})", True, (), called

    def _passed(self) -> frozenset[str]:
        """The parameters of the function that writes the rate which hold what its call gives them."""
        if self.frame is self.nest.entry:
            return frozenset()
        bound = {n.id for n in walk(self.frame.scope) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
        return frozenset(self.frame.arguments) - bound

    def _is_named_once(self, function: ast.FunctionDef) -> bool:
        named = [n for n in self.source.all(ast.Name) if n.id == function.name]
        return len(named) == 1 and sum(f.name == function.name for f in self.source.functions) == 1

    def _alone(self, function: ast.FunctionDef, before: list[ast.stmt]) -> ast.expr | None:
        """The one expression that a function computes and says nothing about."""
        lines = self.source.lines[function.lineno - 1 : function.end_lineno]
        if any("#" in line for line in lines):
            return None
        locals_read = {n.id for n in walk(self.written.rate) if isinstance(n, ast.Name)} - {*parameter_names(function)}
        match before:
            case []:
                return self.written.rate
            case [ast.Assign(targets=[ast.Name(id=name)], value=value)] if locals_read == {name}:
                return value if isinstance(self.written.rate, ast.Name) else None
        return None

    def _value(self) -> tuple[ast.expr, tuple[ast.stmt, ...]]:
        """The expression of the rate, and the statement right above that binds it to a name which nothing else reads."""
        rate = self.written.rate
        place = self.block.index(self.written.statement)
        if not isinstance(rate, ast.Name) or not place:
            return rate, ()
        above = self.block[place - 1]
        match above:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == rate.id:
                key = self.roles.key(self.frame.scope, name)
                mentions = [n for n in self.source.all(ast.Name) if n.id == name]
                mentions = [n for n in mentions if self.roles.key(self.source.scope_of(n), name) == key]
                alone = (
                    len(mentions) == 2
                    and not self._shares_lines(above)
                    and not self.roles.rebound_unseen(key or (self.entry, name))
                )
                return value, (above,) if alone and name not in self.wanted else ()
        return rate, ()

    def _as_factor(self, rate: ast.expr, lr: ast.expr, words: dict[str, str]) -> tuple[str, bool]:
        own = ast.dump(ast.parse(self.source.segment(lr), mode="eval"))
        match rate:
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                for base, other in ((left, right), (right, left)):
                    if ast.dump(ast.parse(self._text(base, words), mode="eval")) == own and not isinstance(
                        base, ast.BinOp
                    ):
                        return self._text(other, words), False
        return self._text(rate, words), True

    # ---- in terms of the schedule's number

    def _counted(self) -> dict[str, str]:
        """The names that count where the rate is written."""
        found: dict[str, str] = {}
        if self.count is not None:
            name = self._inner_name(self.count.name)
            found[name] = "epoch"
            if self.count.first.isdigit():
                self.rates.positive.add((self.frame.scope, name))
        if self.interval == "step" and self.nest.batches is not None:
            batches = self.nest.batches
            first = batches.first
            if batches.index is not None and (first is None or (isinstance(first, ast.Constant) and first.value == 0)):
                found[batches.index] = "batch"
            for node in self._asked():
                if isinstance(node, ast.Name) and is_raised_once(node.id, self.nest, self.roles) is not None:
                    found[node.id] = "step"
        return {name: what for name, what in found.items() if name}

    def _asked(self) -> Iterator[ast.AST]:
        yield from walk(self.written.statement)
        yield from walk(self._value()[0])

    def _inner_name(self, name: str) -> str:
        """What the function that writes the rate calls a variable of the one that holds the loop."""
        if self.frame is self.nest.entry:
            return name
        for parameter, argument in self.frame.arguments.items():
            if isinstance(argument, ast.Name) and argument.id == name:
                return parameter
        return name if self.roles.key(self.frame.scope, name) == (self.entry, name) else ""

    def _text(self, node: ast.expr, words: dict[str, str]) -> str:
        """An expression as it reads where the optimizer is made, in terms of the schedule's number; ``words`` are parameters."""
        known = self._counted()
        places: dict[ast.expr, str] = {}
        covered: set[int] = set()
        for part in walk(node):
            if isinstance(part, ast.BinOp) and not words and self._counts_steps(part, known):
                places[part] = self._step("")
                covered |= {id(n) for n in walk(part)}
        for part in walk(node):
            if not isinstance(part, ast.Name) or id(part) in covered:
                continue
            if words and part.id in words:
                text = words[part.id]
            elif not words and part.id in known:
                text = self._number(known[part.id], part.id)
            else:
                text = self._outer(part, bool(words))
            if text != part.id:
                plain = part is node or isinstance(self.source.parents[part], ast.Call)
                atom = text.isidentifier() or text.replace(".", "").isalnum() or text.startswith("min(")
                places[part] = text if plain or atom else f"({text})"
        if node in places:
            return places[node]
        return re.sub(r"(?<![\w\])])\((step|epoch)\)", r"\1", reworded(self.source, node, places))

    def _outer(self, name: ast.Name, in_function: bool) -> str:
        """A name as it is called in the function that holds the loop."""
        scope = self.written.function if in_function and self.written.function is not None else self.frame.scope
        frame: Frame | None = self.frame
        if not in_function and self.frame is not self.nest.entry and name.id in self._passed():
            argument = self.frame.arguments[name.id]
            _ensure(
                frame is not None
                and frame.caller is self.nest.entry
                and isinstance(argument, ast.Name | ast.Attribute | ast.Constant)
            )
            if not isinstance(argument, ast.Constant):
                _ensure(self.rates.settled.value(argument, self.entry))
            return self.source.segment(argument)
        _ensure(self.roles.key(scope, name.id) == self.roles.key(self.entry, name.id))
        return name.id

    def _counts_steps(self, node: ast.BinOp, known: dict[str, str]) -> bool:
        """Whether an expression is ``epoch * len(loader) + i``."""
        match node:
            case ast.BinOp(left=ast.BinOp(left=one, op=ast.Mult(), right=two), op=ast.Add(), right=ast.Name(id=index)):
                pass
            case ast.BinOp(left=ast.Name(id=index), op=ast.Add(), right=ast.BinOp(left=one, op=ast.Mult(), right=two)):
                pass
            case _:
                return False
        if known.get(index) != "batch" or self.count is None or self.count.first:
            return False
        for epoch, length in ((one, two), (two, one)):
            if isinstance(epoch, ast.Name) and known.get(epoch.id) == "epoch" and self._is_length(length):
                return True
        return False

    def _is_length(self, node: ast.expr) -> bool:
        assert self.nest.batches is not None
        match node:
            case ast.Call(func=ast.Name(id="len"), args=[ast.Name() as loader], keywords=[]):
                base = self.nest.batches.base
                return isinstance(base, ast.Name) and base.id == loader.id and self._has_its_length(loader)
        return False

    def _has_its_length(self, loader: ast.Name) -> bool:
        return "Iterable" not in self.source.text and self.rates.settled.value(
            ast.copy_location(ast.Name(self._loader()), loader), self.entry
        )

    def _loader(self) -> str:
        """The loader's name in the function that holds the loop."""
        assert self.nest.batches is not None
        base = self.nest.batches.base
        _ensure(isinstance(base, ast.Name))
        assert isinstance(base, ast.Name)
        return self._outer(base, False)

    def _number(self, what: str, name: str) -> str:
        if what == "epoch" and self.interval == "epoch":
            assert self.count is not None
            return self._epoch(self.count)
        if what == "step":
            raised = is_raised_once(name, self.nest, self.roles)
            assert raised is not None
            first = raised[0] + (raised[1].lineno < self.written.statement.lineno)
            return self._step(f" + {first}" if first else "")
        _ensure(self.count is not None and not self.count.first)
        base = self.nest.batches.base if self.nest.batches is not None else None
        _ensure(isinstance(base, ast.Name) and self._has_its_length(base))
        operator = "//" if what == "epoch" else "%"
        return f"{self._step('')} {operator} len({self._loader()})"

    def _epoch(self, count: Count) -> str:
        text = f"epoch + {count.first}" if count.first else "epoch"
        if count.first and not count.first.isdigit():
            start = self.epochs.base.args[0]  # type: ignore[attr-defined]
            _ensure(self.rates.settled.value(start, self.entry))
        if self.rates.total:
            return text
        self.rates.check(count.end, self.entry, frozenset())
        end = count.end
        match end:
            case ast.Constant(value=int() as number):
                last = str(number - 1)
            case ast.BinOp(left=left, op=ast.Add(), right=ast.Constant(value=1)):
                last = self.source.segment(left)
            case _:
                last = f"{self.source.segment(end)} - 1"
        return f"min({text}, {last})"

    def _step(self, more: str) -> str:
        if self.rates.total:
            return f"step{more}"
        assert self.count is not None and self.nest.batches is not None
        base = self.nest.batches.base
        _ensure(not self.count.first and isinstance(base, ast.Name) and self._has_its_length(base))
        self.rates.check(self.count.end, self.entry, frozenset())
        end = self.source.segment(self.count.end)
        times = end if end.replace(".", "").isidentifier() or end.isdigit() else f"({end})"
        return f"min(step, {times} * len({self._loader()}) - 1){more}"

    def _arguments_as_given(self) -> str:
        passed = given(self.written)
        assert passed is not None
        return ", ".join(self.source.segment(a) for p, a in passed.items() if p != self.written.optimizer.id)

    def _free(self, names: tuple[str, ...]) -> str:
        for name in names:
            if not any(n.id == name for n in self.source.all(ast.Name)) and not any(
                name in parameter_names(f) or f.name == name for f in self.source.functions
            ):
                if name not in self.roles.origins:
                    return name
        raise _Stays
