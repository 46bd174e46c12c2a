"""An epoch loop that passes over its first epochs, because it goes on from a later one.

for epoch in range(1, 201):                     if args.resume:
    scheduler.step(epoch)                           for epoch in range(1, min(last + 1, 201)):
    if args.resume:                                     scheduler.step(epoch)
        if epoch <= last:               →       first_epoch = max(1, last + 1) if args.resume else 1
            continue                            for epoch in range(first_epoch, 201):
    train(epoch)                                    scheduler.step(epoch)
                                                    train(epoch)

Epochs are counted up, so that those with a number below a whole one are the first; what stands above the test runs in them as well.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..recover.makings import Value, sources
from ..recover.names import bound_otherwise
from ..recover.nest import Nest, counted_epochs
from ..recover.role import Role
from ..recover.roles import Roles
from ..recover.syntax import conditions_of, leaves, walk

_PLAIN = (
    ast.Name, ast.Attribute, ast.Constant, ast.Compare, ast.UnaryOp, ast.Not, ast.BoolOp, ast.boolop, ast.BinOp, ast.Add, ast.Sub,
    ast.expr_context, ast.cmpop,
)  # fmt: skip
_LONGEST_HEAD = 3
_STRANGE = (
    ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.With, ast.Try, ast.Return, ast.Break, ast.Continue, ast.Lambda, ast.NamedExpr,
    ast.Yield, ast.YieldFrom, ast.Await,
)  # fmt: skip
_MUTABLE = ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp


@dataclass(frozen=True, slots=True)
class SkippedEpochs:
    """The loop, the statement that passes over, its tests but the last, and the first epoch that counts, as source."""

    loop: ast.For
    skip: ast.If
    guard: str
    first: str

    @property
    def head(self) -> list[ast.stmt]:
        """What runs in every epoch before the statement."""
        return self.loop.body[: self.loop.body.index(self.skip)]


def find_skipped_epochs(nests: list[Nest], roles: Roles) -> list[SkippedEpochs]:
    """Those of the epoch loops of a program."""
    found = (_in_nest(nest, roles) for nest in nests)
    return list({one.loop: one for one in found if one is not None}.values())


def _in_nest(nest: Nest, roles: Roles) -> SkippedEpochs | None:
    loop = counted_epochs(nest)
    if loop is None or not _is_range(loop.iter):
        return None
    skip = next((s for s in loop.body if isinstance(s, ast.If) and leaves([s], ast.Continue)), None)
    tests = _tests(skip) if skip is not None else None
    if skip is None or not tests or not _may_run_before(loop.body[: loop.body.index(skip)], nest, roles):
        return None
    *guards, last = tests
    look = _Look(roles, loop)
    assert isinstance(loop.target, ast.Name) and isinstance(loop.iter, ast.Call)
    bound = _bound(last, loop.target.id)
    parts = [*guards, *loop.iter.args, *([bound[0]] if bound else [])]
    if bound is None or look.counter_is_read(skip) or not all(look.stays(part) for part in parts):
        return None
    if not look.is_whole(bound[0]):
        return None
    guard = " and ".join(_within_and(roles.source.segment(g), g) for g in guards)
    return SkippedEpochs(loop, skip, guard, roles.source.segment(bound[0]) + (" + 1" if bound[1] else ""))


def _is_range(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="range"), args=[_] | [_, _], keywords=[]):
            return True
    return False


def _tests(node: ast.stmt) -> list[ast.expr] | None:
    """The conditions, one inside of the other, under which a statement does no more than to pass over an epoch."""
    match node:
        case ast.If(test=test, body=[ast.Continue()], orelse=[]):
            return conditions_of(test)
        case ast.If(test=test, body=[ast.If() as inner], orelse=[]):
            inside = _tests(inner)
            return None if inside is None else [test, *inside]
    return None


def _bound(test: ast.expr, counter: str) -> tuple[ast.expr, bool] | None:
    """What the counter is compared with, and whether the epoch of that number is passed over, too."""
    match test:
        case ast.Compare(left=ast.Name(id=name), ops=[ast.Lt() | ast.LtE() as op], comparators=[bound]) if (
            name == counter
        ):
            return bound, isinstance(op, ast.LtE)
        case ast.Compare(left=bound, ops=[ast.Gt() | ast.GtE() as op], comparators=[ast.Name(id=name)]) if (
            name == counter
        ):
            return bound, isinstance(op, ast.GtE)
    return None


def _within_and(text: str, node: ast.expr) -> str:
    return f"({text})" if isinstance(node, ast.BoolOp | ast.Compare) else text


def _may_run_before(head: list[ast.stmt], nest: Nest, roles: Roles) -> bool:
    """Whether what stands above the test is short and holds nothing of the training, so that it can stand there twice."""
    assert nest.batches is not None
    lines = sum((s.end_lineno or s.lineno) - s.lineno + 1 for s in head)
    if lines > _LONGEST_HEAD:
        return False
    held = {nest.batches.node, *(f.statement for f in nest.entered), *nest.sites}
    return not any(n in held or isinstance(n, _STRANGE) for s in head for n in walk(s))


class _Look:
    """What is known of the parts of such a loop."""

    def __init__(self, roles: Roles, loop: ast.For) -> None:
        self.roles, self.source, self.loop = roles, roles.source, loop
        self.scope = self.source.scope_of(loop)

    def counter_is_read(self, skip: ast.If) -> bool:
        """Whether anything outside of the loop reads the loop's counter, or something in the loop sets it."""
        assert isinstance(self.loop.target, ast.Name)
        name = self.loop.target.id
        key = self.roles.key(self.scope, name)
        if key != (self.scope, name) or self.roles.runs_text:
            return True
        inside = {id(n) for s in self.loop.body for n in walk(s)}
        seen = [n for n in self.roles.mentions(key) if n is not self.loop.target]
        read = (n for n in seen if isinstance(n.ctx, ast.Load))
        bound = any(not isinstance(n.ctx, ast.Load) and id(n) in inside for n in seen)
        return bound or any(id(n) not in inside or self.source.scope_of(n) is not self.scope for n in read)

    def stays(self, node: ast.expr) -> bool:
        """Whether the expression only looks, and says the same from the loop's beginning to its end."""
        if not all(isinstance(n, _PLAIN) for n in walk(node)):
            return False
        return all(self._is_steady(n) for n in walk(node) if isinstance(n, ast.Name | ast.Attribute))

    def _is_steady(self, node: ast.Name | ast.Attribute) -> bool:
        if self._is_told(ast.unparse(node)):
            return False
        if isinstance(node, ast.Attribute):
            named = isinstance(node.value, ast.Name)
            stored = any(
                n.attr == node.attr and not isinstance(n.ctx, ast.Load) for n in self.source.all(ast.Attribute)
            )
            return named and not stored and not self._is_set_by_name(node.attr)
        key = self.roles.key(self.scope, node.id)
        if key is None:
            return False
        if isinstance(self.source.parents[node], ast.Attribute):
            return self.roles.of(node, self.scope) is Role.CONFIG or node.id in self.roles.origins
        if any(node.id in bound_otherwise(n) for n in walk(self.source.tree)):
            return False
        if self._grows_by_another_name(node):
            return False
        inside = {id(n) for n in walk(self.loop)}
        bound = [n for n in self.roles.mentions(key) if not isinstance(n.ctx, ast.Load)]
        here = all(self.source.scope_of(n) is self.scope and id(n) not in inside for n in bound)
        return here and self.roles.of(node, self.scope) is not Role.MODEL

    def _is_told(self, text: str) -> bool:
        """Whether a method of the object is called in the loop, which may change whether it counts as true."""
        calls = (n.func for s in self.loop.body for n in walk(s) if isinstance(n, ast.Call))
        return any(isinstance(f, ast.Attribute) and ast.unparse(f.value) == text for f in calls)

    def _is_set_by_name(self, attribute: str) -> bool:
        """Whether the script may set an attribute by a text: ``setattr(args, name, 1)``, ``vars(args)[name] = 1``."""
        for node in walk(self.source.tree):
            match node:
                case ast.Call(func=ast.Name(id="setattr"), args=[_, name, *_]):
                    if not isinstance(name, ast.Constant) or name.value == attribute:
                        return True
                case ast.Subscript(value=ast.Call(func=ast.Name(id="vars")), ctx=ast.Store()):
                    return True
        return False

    def _grows_by_another_name(self, node: ast.Name) -> bool:
        """Whether it may be a list or a dictionary that is known by another name, too, by which it gets longer."""
        found = sources(Value(node, self.scope, self.roles))
        if not any(isinstance(value.node, _MUTABLE) for value in found):
            return False
        key = self.roles.key(self.scope, node.id)
        assert key is not None
        held = (self.source.parents[n] for n in self.roles.mentions(key) if isinstance(n.ctx, ast.Load))
        named = any(isinstance(b.value, ast.Name) for b in self.roles.bindings(key))
        return named or any(isinstance(parent, ast.Assign | ast.Call | ast.keyword) for parent in held)

    def is_whole(self, node: ast.expr) -> bool:
        """Whether all that the expression may be are whole numbers of Python's."""
        found = sources(Value(node, self.scope, self.roles))
        return bool(found) and all(_is_whole(value) for value in found)


def _is_whole(value: Value) -> bool:
    match value.node:
        case ast.Constant(value=number):
            return type(number) is int
        case ast.Call(func=ast.Name(id="int" | "len" as name)):
            return value.roles.key(value.scope, name) is None
    return False
