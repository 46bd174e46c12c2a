"""What of a turn gets its batch: the statements at its head that know nothing of the network, and what they hand to the rest."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from ..recover.effects import EffectAnalysis, effects_of
from ..recover.loops import Iterable, Loop, describe
from ..recover.names import flow, target_names
from ..recover.nest import Nest
from ..recover.role import Role
from ..recover.roles import Key, Roles
from ..recover.stops import taker_of_stops
from ..recover.syntax import Scope, blocks, dotted, walk
from ..recover.torch_calls import mode_of
from .bars_before import bar_before, bound_since
from .from_loaders import from_loaders
from .kept import Kept
from .restarted import restart_of
from .start_values import is_steady, makes_start_value
from .turn_bars import bar_of_turns

_STRAIGHT = (ast.Assign, ast.AnnAssign)
_LEAVES = (
    ast.Break, ast.Continue, ast.Return, ast.Yield, ast.YieldFrom, ast.Await, ast.Raise, ast.Try, ast.Global, ast.Nonlocal,
    ast.NamedExpr, ast.Lambda, ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.While, ast.For,
)  # fmt: skip
_ASKS = {"next", "__next__", "exec", "eval", "locals", "vars", "super"}
_SEEDS = {"torch.manual_seed", "random.seed", "numpy.random.seed"}
_BATCH = "batch"
_MOVES = {"to", "cuda", "cpu"}


@dataclass(frozen=True, slots=True)
class BatchSource:
    """One loop over a range, ``made`` its statements that get the batch, ``batch`` the names that the rest of the turn reads of them.

    ``given`` are the names that the source is made with, ``counter`` the loop's own name, and ``counted`` whether the rest reads it.
    """

    loop: ast.For
    described: Loop
    heads: tuple[ast.stmt, ...]
    """What an epoch makes before the loop and for these statements alone: an order that is drawn."""
    made: tuple[ast.stmt, ...]
    batch: tuple[str, ...]
    given: tuple[str, ...]
    inside: tuple[ast.Name, ...]
    """The reads of ``given`` in the statements."""
    counter: str
    counted: bool
    bar: str = ""
    """What the bar is called that shows the turns, where the loop's head is one over numbers."""
    shown: ast.expr | None = None
    """What makes the bar in front of the loop, when the head only names it."""
    argument: ast.expr | None = None
    """What makes the batch where a function is called with it, when no statement of its own does."""

    @property
    def counts_on(self) -> bool:
        """Whether ``enumerate`` counts as the range does."""
        base = self.described.base
        arguments = base.args if isinstance(base, ast.Call) else []
        first = arguments[0] if len(arguments) == 2 else ast.Constant(0)
        return len(arguments) < 3 and isinstance(first, ast.Constant) and self.described.index is None


def find_batch_sources(nests: list[Nest], roles: Roles, path: str) -> list[BatchSource]:
    """The loops of a program whose batches a source may hand over."""
    effects = effects_of(roles, path)
    found = [_Finder(nest, roles, effects).found() for nest in nests]
    return [_with_bar(one, roles) for one in found if one is not None]


def _with_bar(one: BatchSource, roles: Roles) -> BatchSource:
    shown = bar_before(one.loop, one.described, roles)
    return replace(one, shown=shown, bar=bar_of_turns(shown or one.loop.iter, one.described, roles) or "")


class _Finder:
    def __init__(self, nest: Nest, roles: Roles, effects: EffectAnalysis) -> None:
        self.nest, self.roles, self.effects = nest, roles, effects
        self.source = roles.source

    def found(self) -> BatchSource | None:
        nest = self.nest
        looped = nest.batches if nest.batches is not None else nest.epochs
        if looped is None or not isinstance(looped.node, ast.For) or looped.kind is not Iterable.RANGE:
            return None
        loop = looped.node
        scope = self.source.scope_of(loop)
        described = describe(loop, scope, self.roles)
        if not self._is_plain(loop, described) or not isinstance(described.items, ast.Name):
            return None
        counter = described.items.id
        start = next((n for n, s in enumerate(loop.body) if not self._may_wait(s)), len(loop.body))
        later = next(
            (n for n, s in enumerate(loop.body) if not self._may_wait(s) and not makes_start_value(s, self.roles)),
            start,
        )
        for first in dict.fromkeys((start, later)):
            end = self._end(loop.body, first, scope, described)
            while end > first:
                made = loop.body[first:end]
                if self._is_independent(loop.body[start:first], made, scope) and isinstance(
                    one := self._source(loop, described, made, scope, counter), BatchSource
                ):
                    return one
                end -= 1
        return self._argument(loop, described, loop.body[start], scope, counter) if start < len(loop.body) else None

    def _argument(
        self, loop: ast.For, described: Loop, statement: ast.stmt, scope: Scope, counter: str
    ) -> BatchSource | None:
        """``loss = train(*random_pair(n))``: the batch is made in the call of the function that takes the step."""
        frame, calls = self.nest.step_frame, []
        while frame.call is not None and frame.caller is not None:
            calls.append(frame.call)
            frame = frame.caller
        match statement:
            case (
                ast.Assign(value=ast.Call(func=ast.Name(), keywords=[]) as call)
                | ast.Expr(value=ast.Call(func=ast.Name(), keywords=[]) as call)
            ) if call in calls:
                pass
            case _:
                return None
        makes = [a for a in call.args if not isinstance(a, ast.Constant)]
        if len(makes) != 1 or _BATCH in self.source.names or makes[0].end_lineno != makes[0].lineno:
            return None
        argument = makes[0]
        made = argument.value if isinstance(argument, ast.Starred) else argument
        if not isinstance(made, ast.Call) or any(isinstance(n, (*_LEAVES, ast.comprehension)) for n in walk(made)):
            return None
        if described.index is not None and described.index in flow([made]).read:
            return None
        if not self._only_gets(made, scope) or not Kept(self.roles, self.effects, loop, [], scope).call_may_take(
            call, argument
        ):
            return None
        parts: list[ast.AST] = [made, *_base_args(described)]
        inside = [n for n in self._variables(parts, scope) if n.id != counter]
        given = tuple(dict.fromkeys(n.id for n in inside))
        if any(self._changes_in_loop(name, scope) for name in given) or {"self", "steps"} & {*given, counter}:
            return None
        if any(isinstance(above, ast.JoinedStr) for n in inside for above in self.source.ancestors(n)):
            return None
        taken = {id(n) for part in parts for n in walk(part)}
        counted = self._is_read(counter, scope, taken)
        if not Kept(self.roles, self.effects, loop, [], scope).stay(given):
            return None
        one = BatchSource(loop, described, (), (), (_BATCH,), given, tuple(inside), counter, counted, argument=made)
        return one if one.counts_on or not counted else None

    def _is_plain(self, loop: ast.For, described: Loop) -> bool:
        """Whether the head is one line with the range in it, which is made of what is known before the loop."""
        base = described.base
        if loop.orelse or loop.lineno != loop.iter.end_lineno or loop.body[0].lineno == loop.lineno:
            return False
        if not isinstance(base, ast.Call) or base.keywords or not hasattr(base, "lineno"):
            return False
        head = bar_before(loop, described, self.roles) or loop.iter
        if base not in walk(head) and bar_of_turns(head, described, self.roles) is None:
            return False
        return all(self._is_number(argument) for argument in base.args)

    def _is_number(self, node: ast.expr) -> bool:
        match node:
            case ast.Constant(value=int()) | ast.Name():
                return True
            case ast.Attribute(value=value):
                return self._is_number(value)
            case ast.Subscript(value=value, slice=ast.Constant() | ast.UnaryOp(operand=ast.Constant())):
                return self._is_number(value)
            case ast.UnaryOp(operand=operand):
                return self._is_number(operand)
            case ast.BinOp(left=left, right=right):
                return self._is_number(left) and self._is_number(right)
            case ast.Call(func=ast.Name(id="len" | "int" as name), args=[argument], keywords=[]):
                return self.roles.key(self.source.tree, name) is None and self._is_number(argument)
            case ast.Call(func=ast.Attribute(value=value, attr="size"), args=arguments, keywords=[]):
                return self._is_number(value) and all(isinstance(a, ast.Constant) for a in arguments)
        return False

    def _may_wait(self, statement: ast.stmt) -> bool:
        """Whether it makes no difference to the batch that the statement runs after it."""
        match statement:
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr="zero_grad", value=owner), args=[]) as call):
                return self.roles.of(owner, self.source.scope_of(call)) in (Role.OPTIMIZER, Role.MODEL)
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner)) as call):
                return mode_of(call) is not None and self.roles.of(owner, self.source.scope_of(call)) is Role.MODEL
        return False

    def _is_independent(self, waiting: list[ast.stmt], made: list[ast.stmt], scope: Scope) -> bool:
        """Whether start values are the same when the batch is made before them."""
        early, late = flow(made), flow(waiting)
        if late.written & (early.read | early.written) or late.read & early.written:
            return False
        return all(is_steady(self.roles, scope, name) for name in late.read & early.read)

    def _end(self, body: list[ast.stmt], start: int, scope: Scope, described: Loop) -> int:
        """Behind the last statement that only gets data."""
        end = start
        while end < len(body) and self._gets_data(body[end], scope, described):
            end += 1
        while end > start and self._only_moves(body[end - 1]):
            end -= 1
        return end

    def _gets_data(self, statement: ast.stmt, scope: Scope, described: Loop) -> bool:
        if (restart := restart_of(statement)) is not None:
            return self._only_restarts(statement, restart.iterator, scope, described)
        if isinstance(statement, ast.If):
            inner = [*statement.body, *statement.orelse]
            straight = bool(statement.orelse) and all(isinstance(s, _STRAIGHT) for s in inner)
        else:
            straight = isinstance(statement, _STRAIGHT) or self._seeds(statement)
        if not straight or any(isinstance(n, _LEAVES) for n in walk(statement)):
            return False
        if self._asks(statement):
            return False
        if any(
            isinstance(n, ast.Attribute | ast.Subscript) and not isinstance(n.ctx, ast.Load) for n in walk(statement)
        ):
            return False
        if described.index is not None and described.index in flow([statement]).read:
            return False
        return self._only_gets(statement, scope)

    def _only_restarts(self, statement: ast.stmt, iterator: str, scope: Scope, described: Loop) -> bool:
        """Whether nothing around the training takes the iterator's end, and what decides about it only gets data."""
        own = all(self.roles.key(scope, name) is None for name in ("iter", "next"))
        if not own or taker_of_stops(self.source, self.nest.outermost) is not None:
            return False
        if described.index is not None and described.index in flow([statement]).read:
            return False
        tested = statement.test if isinstance(statement, ast.If) else ast.Constant(value=True)
        if any(isinstance(n, _LEAVES) for n in walk(tested)) or not self._only_gets(tested, scope):
            return False
        return self.roles.of(ast.Name(iterator, ast.Load()), scope) in (None, Role.LOADER)

    def _asks(self, statement: ast.AST) -> bool:
        """Whether a statement asks more of an iterator than its next value, or of the names around it."""
        return any(isinstance(n, ast.Call) and _last(n) in _ASKS and not self._asks_next(n) for n in walk(statement))

    def _asks_next(self, call: ast.Call) -> bool:
        """``next(batches)``, whose end is an error in a generator as it is in the script, if nothing takes it there."""
        match call:
            case ast.Call(func=ast.Name(id="next"), args=[ast.Name() as iterator], keywords=[]):
                scope = self.source.scope_of(call)
                own = self.roles.key(scope, "next") is None and self.roles.of(iterator, scope) in (None, Role.LOADER)
                return own and taker_of_stops(self.source, self.nest.outermost) is None
        return False

    def _only_gets(self, statement: ast.AST, scope: Scope) -> bool:
        if self._asks(statement):
            return False
        effects = self.effects.of(statement, scope)
        touches = effects.model or effects.mode or effects.gradients or effects.optimizer or effects.learning_rate
        return not touches and not effects.clock

    def _seeds(self, statement: ast.stmt) -> bool:
        match statement:
            case ast.Expr(value=ast.Call(func=function)):
                return self.roles.full_name(function) in _SEEDS
        return False

    def _only_moves(self, statement: ast.stmt) -> bool:
        """Whether it puts what is there already on a device: that is the Trainer's."""
        match statement:
            case ast.Assign(value=ast.Tuple(elts=values)):
                return all(_is_move(v) for v in values)
            case ast.Assign(value=value):
                return _is_move(value)
        return False

    def _source(
        self, loop: ast.For, described: Loop, made: list[ast.stmt], scope: Scope, counter: str
    ) -> BatchSource | None:
        way = flow(made)
        own = way.written
        restarts = [r for s in made if (r := restart_of(s)) is not None]
        carried = own & way.exposed
        definite = way.definite | {name for r in restarts for name in r.batch}
        if (
            not carried <= {r.iterator for r in restarts}
            or counter in own
            or (described.index is not None and described.index in own)
        ):
            return None
        if any(self.roles.key(scope, name) != (scope, name) for name in [*own, counter]):
            return None
        parts: list[ast.AST] = [*made, *_base_args(described)]
        taken = {id(n) for part in parts for n in walk(part)}
        counted = self._is_read(counter, scope, taken)
        batch = [name for name in _in_order(made) if self._is_read(name, scope, taken)]
        if not batch or carried & {*batch} or not all(name in definite for name in batch):
            return None
        names = [n for part in parts for n in walk(part) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
        if any(isinstance(n, ast.comprehension) for part in parts for n in walk(part)) and self._hides(parts, own):
            return None
        comprehended = {
            n for p in parts for c in walk(p) if isinstance(c, ast.comprehension) for n in target_names(c.target)
        }
        inside = [
            n
            for n in names
            if n.id not in own and n.id != counter and n.id not in comprehended and self._is_given(n.id, scope)
        ]
        if any(isinstance(above, ast.JoinedStr) for n in inside for above in self.source.ancestors(n)):
            return None
        inside += [
            n
            for part in made
            for n in walk(part)
            if isinstance(n, ast.Name) and n.id in carried and self._begins_before(n.id, scope, taken)
        ]
        if any(n.id == counter for part in _base_args(described) for n in walk(part) if isinstance(n, ast.Name)):
            return None
        given = tuple(dict.fromkeys(n.id for n in inside))
        counted_by = {n.id for part in _base_args(described) for n in walk(part) if isinstance(n, ast.Name)}
        heads: dict[str, ast.stmt] = {}
        for name in sorted(carried - {*given}):
            if (head := self._head(name, scope, loop, taken, carried)) is None:
                return None
            heads[name] = head
        for name in given:
            if name in carried:
                continue
            head = None if name in counted_by else self._head(name, scope, loop, taken)
            if head is not None:
                heads[name] = head
            elif self._changes_in_loop(name, scope):
                return None
        if heads:
            more = [n for n in self._variables([*heads.values()], scope) if n.id not in heads]
            if any(self._changes_in_loop(n.id, scope) for n in more):
                return None
            inside = [*more, *(n for n in inside if n.id not in heads)]
            given = tuple(dict.fromkeys(n.id for n in inside))
        if "self" in {*given, *own, counter} or "steps" in {*given}:
            return None
        if (bar := bar_before(loop, described, self.roles)) is not None and {*given} & bound_since(
            loop, bar, self.roles
        ):
            return None
        kept = Kept(self.roles, self.effects, loop, made, scope)
        handed = [name for name in batch if name not in from_loaders(made, scope, self.roles)]
        if not kept.all(handed) or not kept.stay(given):
            return None
        return BatchSource(
            loop,
            described,
            tuple(sorted(heads.values(), key=lambda s: s.lineno)),
            tuple(made),
            tuple(batch),
            given,
            tuple(inside),
            counter,
            counted,
        )

    def _hides(self, parts: list[ast.AST], own: frozenset[str]) -> bool:
        """Whether a comprehension's own name is the name of something else there, too."""
        comprehensions = [n for part in parts for n in walk(part) if isinstance(n, ast.comprehension)]
        targets = {name for c in comprehensions for name in target_names(c.target)}
        inside = {
            id(n)
            for part in parts
            for e in walk(part)
            if isinstance(e, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp)
            for n in walk(e)
        }
        outside = {n.id for part in parts for n in walk(part) if isinstance(n, ast.Name) and id(n) not in inside}
        return bool(targets & (own | outside))

    def _is_read(self, name: str, scope: Scope, taken: set[int]) -> bool:
        """Whether anything but the statements reads the name."""
        for node in self.source.all(ast.Name):
            if (
                node.id != name
                or id(node) in taken
                or self.roles.key(self.source.scope_of(node), name) != (scope, name)
            ):
                continue
            if not isinstance(node.ctx, ast.Store) or isinstance(self.source.parents.get(node), ast.AugAssign):
                return True
        return False

    def _variables(self, parts: list[ast.AST], scope: Scope) -> list[ast.Name]:
        names = (n for part in parts for n in walk(part) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
        return [n for n in names if self._is_given(n.id, scope)]

    def _head(
        self, name: str, scope: Scope, loop: ast.For, taken: set[int], moving: frozenset[str] = frozenset()
    ) -> ast.stmt | None:
        """The one statement that gives the name its value in each epoch, when it may as well wait for the first batch."""
        key = self.roles.key(scope, name)
        stores = [
            n
            for n in self.source.all(ast.Name)
            if n.id == name
            and not isinstance(n.ctx, ast.Load)
            and id(n) not in taken
            and self.roles.key(self.source.scope_of(n), name) == key
        ]
        if key != (scope, name) or len(stores) != 1 or self.roles.rebound_unseen(key):
            return None
        if not self._runs_each_epoch(loop, scope):
            return None
        head = self.source.statement_of(stores[0])
        block = next((b for b in blocks(self.source.parents[loop]) if loop in b), [])
        if head not in block or block.index(head) > block.index(loop) or self._is_read(name, scope, taken):
            return None
        simple = isinstance(head, ast.Assign) and isinstance(head.targets[0], ast.Name) and len(head.targets) == 1
        odd = any(isinstance(n, (*_LEAVES, ast.comprehension, ast.JoinedStr)) for n in walk(head))
        if not simple or odd or not self._only_gets(head, scope):
            return None
        read = flow([head]).read
        between = block[block.index(head) + 1 : block.index(loop)]
        return head if all(self._lets_pass(s, read) or _binds_only(s, moving) for s in between) else None

    def _begins_before(self, name: str, scope: Scope, taken: set[int]) -> bool:
        """Whether the name gets its first value before the training, as often as that runs, and nothing but the source needs it."""
        if scope is not self.nest.entry.scope or self.roles.rebound_unseen((scope, name)):
            return False
        stores = [n for n in self.roles.mentions((scope, name)) if id(n) not in taken]
        if len(stores) != 1 or isinstance(stores[0].ctx, ast.Load):
            return False
        first, outermost = self.source.statement_of(stores[0]), self.nest.outermost
        loops = [
            [a for a in self.source.ancestors(s) if isinstance(a, ast.For | ast.While)] for s in (first, outermost)
        ]
        return isinstance(first, ast.Assign) and first.lineno < outermost.lineno and loops[0] == loops[1]

    def _runs_each_epoch(self, loop: ast.For, scope: Scope) -> bool:
        """Whether the block that holds the loop runs once in each epoch."""
        return loop is not self.nest.outermost and (
            loop in self.nest.outermost.body or (scope is not self.nest.entry.scope and loop in scope.body)
        )

    def _lets_pass(self, statement: ast.stmt, read: frozenset[str]) -> bool:
        """Whether it is the same before and after what only reads these names: it draws nothing and tells no time."""
        if self._may_wait(statement):
            return True
        plain = isinstance(statement, ast.Assign | ast.AnnAssign) and not any(
            isinstance(n, ast.Call | ast.Await | ast.Subscript | ast.Attribute) for n in walk(statement)
        )
        return plain and not flow([statement]).written & read

    def _changes_in_loop(self, name: str, scope: Scope) -> bool:
        """Whether a turn of the loops around gives the name another value."""
        key = self.roles.key(scope, name)
        return any(
            n.id == name and not isinstance(n.ctx, ast.Load) and self.roles.key(self.source.scope_of(n), name) == key
            for n in walk(self.nest.outermost)
            if isinstance(n, ast.Name)
        )

    def _is_given(self, name: str, scope: Scope) -> bool:
        """Whether the name is a variable: functions, classes, modules and the script's constants are read where they stand."""
        key = self.roles.key(scope, name)
        if key is None:
            return False
        if not isinstance(key[0], ast.Module):
            return True
        bindings = self.roles.bindings(key)
        if not bindings:
            return name not in self.roles.origins and not self._is_defined(key)
        constant = len(bindings) == 1 and isinstance(bindings[0].value, ast.Constant)
        return not constant or self.roles.rebound_unseen(key)

    def _is_defined(self, key: Key) -> bool:
        return self.source.function(key[1]) is not None or key[1] in self.source.classes


def _binds_only(statement: ast.stmt, names: frozenset[str]) -> bool:
    """Whether a statement gives one of the names its value, and so goes with the others of them."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name in names
    return False


def _base_args(described: Loop) -> list[ast.expr]:
    return described.base.args if isinstance(described.base, ast.Call) else []


def _in_order(made: list[ast.stmt]) -> list[str]:
    """The names that the statements bind, in the order in which they do."""
    nodes = [n for s in made for n in walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    comprehended = {id(n) for s in made for c in walk(s) if isinstance(c, ast.comprehension) for n in walk(c.target)}
    nodes.sort(key=lambda n: (n.lineno, n.col_offset))
    return list(dict.fromkeys(n.id for n in nodes if id(n) not in comprehended))


def _is_move(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(), attr=attribute)):
            return attribute in _MOVES
    return False


def _last(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else dotted(call.func)
