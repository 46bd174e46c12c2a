"""The evaluation on a whole set that follows the training in an epoch."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ..recover.items import direct_calls, no_grad_with
from ..recover.loops import Iterable, describe
from ..recover.phases import NotStraight, check_call_first, has_backward
from ..recover.role import Role
from ..recover.stepping import STEP_METHODS
from ..recover.syntax import dotted, walk, walk_scope
from ..recover.torch_calls import mode_of
from .handed import Handed
from .part import Part


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The statements on the one batch; ``start`` is the first of the epoch's statements that belongs to it."""

    part: Part
    start: int


_MEASURING = (ast.Assign, ast.AugAssign, ast.With, ast.For)
_LEAVES = (ast.Break, ast.Continue, ast.Return)


class Evaluations:
    """Finds it among the statements of an epoch."""

    def __init__(self, handed: Handed) -> None:
        self.roles, self.source = handed.roles, handed.source
        self.handed = handed

    def after(self, body: list[ast.stmt], step: int) -> Evaluation | None:
        """The first one behind the step."""
        for index in range(step + 1, len(body)):
            part = self._at(body, index)
            if part is not None:
                start = index
                while start > step + 1 and _is_mode_call(body[start - 1]):
                    start -= 1
                return Evaluation(part, start)
        return None

    def _at(self, body: list[ast.stmt], index: int) -> Part | None:
        statement = body[index]
        if isinstance(statement, ast.If) and not statement.orelse:
            return next((p for n in range(len(statement.body)) if (p := self._at(statement.body, n))), None)
        if no_grad_with(statement):
            assert isinstance(statement, ast.With)
            if not self._measures(statement):
                return None
            end = self._end_of_measuring(body, index + 1)
            return self._part(body[index:end] if end > index + 1 else self._up_to_last_look(statement.body))
        if self._calls_evaluation(statement):
            end = index + 1
            while end < len(body) and self._calls_evaluation(body[end]):
                end += 1
            return self._part(body[index:end])
        if index and _switches_to_eval(body[index - 1]):
            return self._part(body[index : self._end_of_measuring(body, index)])
        return None

    def _end_of_measuring(self, body: list[ast.stmt], start: int) -> int:
        """Behind the last of the statements from ``start`` on that look at data or run a model."""
        end = index = start
        while index < len(body) and isinstance(body[index], _MEASURING) and self._measures(body[index]):
            index += 1
            end = index if self._looks(body[index - 1]) else end
        return end

    def _looks(self, statement: ast.stmt) -> bool:
        """Whether a statement looks at data, or at a model's parameters."""
        return bool(self.handed.names([statement])) or self.handed.effects_of(statement).model

    def _up_to_last_look(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """A block without the statements at its end that only show or keep what was measured; nothing of one that only shows."""
        looks = [n for n, statement in enumerate(body) if self._looks(statement)]
        found = body[: looks[-1] + 1] if looks else []
        return found if any(isinstance(s, _MEASURING) or self._calls_evaluation(s) for s in found) else []

    def _part(self, statements: list[ast.stmt]) -> Part | None:
        read = {n.id for s in statements for n in _outside_texts(s) if isinstance(n, ast.Name)}
        names = tuple(name for name in self.handed.names(statements) if name in read)
        return Part(tuple(statements), names) if statements else None

    def _measures(self, statement: ast.stmt, leaves: tuple[type[ast.stmt], ...] = _LEAVES) -> bool:
        """Whether it neither trains nor runs over a loader of its own, nor leaves what is around it."""
        return not any(
            isinstance(n, leaves)
            or (isinstance(n, ast.For) and self._runs_over_data(n))
            or (isinstance(n, ast.comprehension) and self._is_loader(n.iter, statement))
            or (isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr in STEP_METHODS)
            for n in walk_scope(statement)
        ) and not has_backward(statement)

    def _runs_over_data(self, loop: ast.For) -> bool:
        return describe(loop, self.source.scope_of(loop), self.roles).kind is Iterable.LOADER

    def _is_loader(self, looped: ast.expr, statement: ast.stmt) -> bool:
        parts = [n for n in walk(looped) if isinstance(n, ast.expr)]
        return any(self.roles.of(part, self.source.scope_of(statement)) is Role.LOADER for part in parts)

    def _calls_evaluation(self, statement: ast.stmt) -> bool:
        """Whether a statement calls, once, a function of the file that evaluates without a loop over a loader."""
        for call in direct_calls(statement):
            function = self.source.function(dotted(call.func))
            if function is None or has_backward(function) or not _evaluates(function):
                continue
            if not all(self._measures(s, ()) for s in function.body) or self._has_loader_inside(function):
                continue
            if isinstance(statement, ast.Expr) and not self._finds_loss(function):
                continue
            try:
                check_call_first(statement, call)
            except NotStraight:
                continue
            return True
        return False

    def _has_loader_inside(self, function: ast.FunctionDef) -> bool:
        """Whether functions inside of it run over a loader."""
        inner = (n for n in walk(function) if isinstance(n, ast.FunctionDef) and n is not function)
        return any(self._runs_over_data(n) for f in inner for n in walk_scope(f.body) if isinstance(n, ast.For))

    def _finds_loss(self, function: ast.FunctionDef) -> bool:
        """Whether a function whose result nobody takes computes a loss, so that it does not draw a sample or average weights."""
        calls = [n for n in walk(function) if isinstance(n, ast.Call)]
        names = [self.roles.full_name(c.func) for c in calls]
        losses = any(n.startswith("torch.nn.functional.") and ("loss" in n or "entropy" in n) for n in names)
        return losses or any(self.roles.of(c.func, self.source.scope_of(c)) is Role.CRITERION for c in calls)


def _outside_texts(node: ast.AST) -> Iterator[ast.AST]:
    """What is below a node, f-strings left out: their names stay as they are."""
    if not isinstance(node, ast.JoinedStr):
        yield node
        for child in ast.iter_child_nodes(node):
            yield from _outside_texts(child)


def _evaluates(function: ast.FunctionDef) -> bool:
    nodes = [*function.decorator_list, *function.body]
    return any(isinstance(n, ast.Attribute) and n.attr in ("eval", *_MODES) for node in nodes for n in walk(node))


_MODES = ("no_grad", "inference_mode")


def _is_mode_call(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Call() as call):
            return mode_of(call) is not None
    return False


def _switches_to_eval(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Call() as call):
            return mode_of(call) is False
    return False
