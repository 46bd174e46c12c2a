"""Why a script goes on deciding itself when its training stops for want of a better value."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .best_value import assigned_name, compared, pairs
from .feature import Part, Training


def why_kept(training: Training, stop: Part) -> str:
    """The reason in a user's words; "" for what ends the training otherwise than by a count of epochs without a better value."""
    test = stop.within[-1] if stop.within else None
    if not isinstance(test, ast.If):
        return ""
    for name in _counters(training, stop, test):
        return f"`{name.id}` stays the script's own: {_of_counter(training, stop, name)}"
    return ""


def _counters(training: Training, stop: Part, test: ast.If) -> Iterator[ast.Name]:
    """What the test compares, when the epoch raises it by one and starts it again."""
    for asked, _operator, _other in compared(test.test):
        match asked:
            case ast.Name() as name:
                steps = [p.statement for p in training.parts if p.place == stop.place]
                if any(raises(s, name.id) for s in steps) and any(_starts(s, name.id) for s in steps):
                    yield name


def raises(statement: ast.stmt, name: str) -> bool:
    """Whether a statement adds one to a variable."""
    match statement:
        case ast.AugAssign(target=ast.Name(id=target), op=ast.Add(), value=ast.Constant(value=1)):
            return target == name
        case ast.Assign(
            targets=[ast.Name(id=target)],
            value=ast.BinOp(left=ast.Name(id=old), op=ast.Add(), right=ast.Constant(value=1)),
        ):
            return target == old == name
    return False


def _starts(statement: ast.stmt, name: str) -> bool:
    return any(isinstance(t, ast.Name) and t.id == name and isinstance(v, ast.Constant) for t, v in pairs(statement))


def _of_counter(training: Training, stop: Part, name: ast.Name) -> str:
    here = [p for p in training.parts if p.place == stop.place]
    resets = [p for p in here if _starts(p.statement, name.id)]
    if not stop.last:
        return f"what follows the `{training.text(stop.statement)}` in its epoch would run once more"
    if len(resets) != 1 or sum(raises(p.statement, name.id) for p in here) != 1:
        return "it is started again, or raised, in more places than one"
    value = training.value(name)
    if value is None or value.hidden or value.start is None:
        return "where it starts is not known"
    reset = resets[0]
    better = reset.within[-1] if reset.within else None
    if len(reset.within) != 1 or not isinstance(better, ast.If):
        return "more than one condition decides which epochs it counts"
    return _of_test(training, reset, better)


def _of_test(training: Training, reset: Part, better: ast.If) -> str:
    shown = " ".join(training.text(better.test).split())
    for value, operator, best in compared(better.test):
        held = isinstance(best, ast.Name) and any(assigned_name(s, best.id) for s in (*better.body, *better.orelse))
        if not held:
            continue
        strict = isinstance(operator(), ast.Lt | ast.Gt)
        if strict != (reset.statement in better.body):
            return f"a value as good as the best one starts it again (`{shown}`), which the callback does not do"
        part = next(p for p in training.parts if p.statement is better)
        if isinstance(value, ast.Name) and not training.number(value, part):
            return f"`{value.id}` may be something else than a plain number"
        return "its patience, or what is told when it stops, is not known where the Trainer is made"
    return f"it does not count the epochs without a better value of one number: `{shown}` decides"
