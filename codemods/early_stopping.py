"""A patience counter becomes ``EarlyStopping``, where it stops after the same epoch.

    if val_loss < best_loss:                →   self.log("val_loss", torch.tensor(self.val_loss, dtype=torch.float64))
        best_loss = val_loss                    if self.val_loss < self.best_loss:
        bad_epochs = 0                              self.best_loss = self.val_loss
        torch.save(...)                             torch.save(...)
    else:
        bad_epochs += 1                     →   Trainer(callbacks=[EarlyStopping("val_loss", patience=args.patience, check_finite=False)])
        if bad_epochs >= args.patience:
            print("stopping")               →   if trainer.should_stop:
            break                                   print("stopping")

Both count the epochs in a row that are not better than the best one. Equal is not better to the callback, and what is not a number is not better either,
so other comparisons, counters that something else reads or sets, and anything that stands behind the `break` stay as they are.
Source: https://lightning.ai/docs/pytorch/stable/common/early_stopping.html
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..best_value import assigned_name, compared, left_of, number, pairs, rebinds
from ..feature import Note, Part, Proposal, Training, Value, Watch
from ..program import TrainerSpec
from ..stopping_kept import why_kept

_CLASS = "lightning.pytorch.callbacks.EarlyStopping"


@dataclass(frozen=True, slots=True)
class EarlyStopping:
    """Proposes the callback for counters of epochs without a better value."""

    name: str = "early_stopping"
    after: Sequence[str] = ()

    def proposals(self, training: Training) -> Iterable[Proposal | Note]:
        """One proposal for each counter whose test ends the training and whose every use is understood; with `--callbacks`, a note on each other one."""
        if training.processes or not training.validates_always:
            return
        for stop in training.stops():
            counter = _counter(training, stop)
            proposed = list(_proposal(training, counter)) if counter is not None else []
            yield from proposed
            if not proposed and training.asked("callbacks") == "lightning" and (why := why_kept(training, stop)):
                yield Note("stopping-kept", stop.statement, why)


@dataclass(frozen=True, slots=True)
class _Better:
    """A test that is true for a better value: ``value < best``, also with a least difference."""

    test: ast.If
    value: ast.Name
    best: ast.Name
    mode: str
    delta: str


@dataclass(frozen=True, slots=True)
class _Counter:
    """A counter of epochs without a better value, and the test that ends the training by it."""

    value: Value
    test: ast.If
    operator: type[ast.cmpop]
    patience: ast.expr
    stop: Part
    resets: tuple[ast.stmt, ...]
    counts: tuple[ast.stmt, ...]
    better: _Better
    waited: int = 0
    """What it has counted when the training begins: less than nothing for one that tells the best epoch."""


def _counter(training: Training, stop: Part) -> _Counter | None:
    """The counter whose test is the `if` right around a `break`."""
    test = stop.within[-1] if stop.within else None
    if not isinstance(test, ast.If) or test.orelse or not isinstance(stop.statement, ast.Break) or not stop.last:
        return None
    for name, operator, patience in compared(test.test):
        if (found := _since_best(training, stop, test, (name, operator, patience))) is not None:
            return found
        value = training.value(name) if isinstance(name, ast.Name) else None
        if value is None or value.start is None or not _is(value.start.value, 0):
            continue
        steps = [p for p in training.parts if p.place == stop.place and _binds(p.statement, value.name)]
        resets = tuple(p.statement for p in steps if _assigned(p.statement, value.name, 0))
        counts = tuple(p.statement for p in steps if _counts(p.statement, value.name))
        better = _better(training, stop.place, resets)
        if better is not None and len(resets) == len(counts) == 1 and len(steps) == 2:
            return _Counter(value, test, operator, patience, stop, resets, counts, better)
    return None


def _since_best(
    training: Training, stop: Part, test: ast.If, asked: tuple[ast.expr, type[ast.cmpop], ast.expr]
) -> _Counter | None:
    """``epoch - best_epoch >= patience``, where the best epoch is set under the test for a better value alone."""
    match asked:
        case (ast.BinOp(left=ast.Name() as epoch, op=ast.Sub(), right=ast.Name() as best), operator, patience):
            value = training.value(best)
        case _:
            return None
    if value is None or value.hidden or value.start is None or not training.counts_epochs(epoch, stop):
        return None
    first = number(training, value.start.value)
    resets = tuple(
        p.statement
        for p in training.parts
        if p.place == stop.place and assigned_name(p.statement, value.name) == epoch.id
    )
    bound = [n for n in value.mentions if not isinstance(n.ctx, ast.Load)]
    better = _better(training, stop.place, resets)
    if better is None or len(resets) != 1 or len(bound) != 2 or first is None or first != int(first):
        return None
    return _Counter(value, test, operator, patience, stop, resets, (), better, -1 - int(first))


def _proposal(training: Training, counter: _Counter) -> Iterator[Proposal]:
    patience, lines = _patience(training, counter), _said_at_stop(training, counter)
    best = training.value(counter.better.best)
    if not patience or lines is None or best is None or best.start is None:
        return
    first = number(training, best.start.value)
    open_end = math.inf if counter.better.mode == "min" else -math.inf
    if first is None or first == -open_end or not _follows(counter.better, best):
        return
    named = [f'"{counter.better.mode}"'] if counter.better.mode == "max" else []
    arguments = ["{monitor}", *(f"mode={mode}" for mode in named)]
    arguments += [f"min_delta={counter.better.delta}"] if counter.better.delta else []
    made = f"{{EarlyStopping}}({', '.join([*arguments, f'patience={patience}', 'check_finite=False'])})"
    proposal = Proposal(
        target="EarlyStopping",
        reason="the callback counts the same epochs and stops after the same one",
        decided=(counter.better.test, counter.test),
        watched=(Watch("monitor", counter.better.value, counter.better.test),),
        trainer=TrainerSpec(callbacks=(made,)),
        after_fit=lines,
        imports=(_CLASS,),
        declined=_declined(training, counter),
    )
    if first != open_end or counter.waited:
        proposal = _starting_at(proposal, made, first if first != open_end else None, counter.waited)
    changes = _changes(training, counter, best)
    yield replace(
        proposal,
        removed=tuple(s for s, text in changes.items() if text is None),
        replaced={s: text for s, text in changes.items() if text is not None},
    )


def _declined(training: Training, counter: _Counter) -> Note | None:
    told = f"`{counter.value.name}` stays the script's own: {{why}}"
    return Note("stopping-kept", counter.test, told) if training.asked("callbacks") == "lightning" else None


def _starting_at(proposal: Proposal, made: str, first: float | None, waited: int) -> Proposal:
    """The same with a callback whose best value so far, and whose count, are the script's."""
    lines = [f"{{early_stopping}} = {made}"]
    if first is not None:
        lines.append(f"{{early_stopping}}.best_score = {{torch}}.tensor({float(first)!r}, dtype={{torch}}.float64)")
    if waited:
        lines.append(f"{{early_stopping}}.wait_count = {waited}")
    return replace(
        proposal,
        trainer=TrainerSpec(callbacks=("{early_stopping}",)),
        before_fit=tuple(lines),
        imports=(*proposal.imports, *(["torch"] if first is not None else [])),
        fresh=("early_stopping",),
    )


def _changes(training: Training, counter: _Counter, best: Value) -> dict[ast.stmt, str | None]:
    """What becomes of each statement of the pattern: None for one that goes."""
    assert counter.value.start is not None and best.start is not None
    test, start = counter.better.test, counter.value.start.statement
    without: dict[ast.stmt, set[str]] = {s: {counter.value.name} for s in (*counter.resets, *counter.counts, start)}
    if not counter.counts and _is_told(counter):
        return {counter.test: None}
    whole = _is_only_for(counter, best)
    if whole:
        without.setdefault(best.start.statement, set()).add(best.name)
    found = {s: left_of(training, s, names) for s, names in without.items()}
    found[counter.test] = None
    if whole:
        found = {s: text for s, text in found.items() if not _is_inside(s, test)} | {test: ""}
    return found


def _is_told(counter: _Counter) -> bool:
    """Whether something else needs the best epoch."""
    assert counter.value.start is not None
    ours = (counter.test, *counter.resets, counter.value.start.statement)
    known = {id(n) for s in ours for n in ast.walk(s)}
    return any(id(n) not in known for n in counter.value.mentions)


def _is_only_for(counter: _Counter, best: Value) -> bool:
    """Whether nothing but the counter needs the best value, and nothing else stands under its test."""
    assert best.start is not None
    test = counter.better.test
    known = {id(n) for part in (test, best.start.statement) for n in ast.walk(part)}
    ours = {counter.test, *counter.resets, *counter.counts}
    others = [s for s in (*test.body, *test.orelse) if s not in ours and not assigned_name(s, best.name)]
    return not others and all(id(n) in known for n in best.mentions)


def _is_inside(statement: ast.stmt, outer: ast.stmt) -> bool:
    return any(n is statement for n in ast.walk(outer))


# ---- what is understood


def _better(training: Training, place: str, resets: Sequence[ast.stmt]) -> _Better | None:
    """The test under which the counter starts again, when it asks for a better value and holds the new best one."""
    for part in training.parts:
        test = part.statement
        if (
            part.place != place
            or part.within
            or not isinstance(test, ast.If)
            or not any(s in test.body for s in resets)
        ):
            continue
        for left, operator, right in compared(test.test):
            if operator not in (ast.Lt, ast.Gt) or not isinstance(right, ast.Name):
                continue
            value, delta = _with_delta(training, left, operator)
            if isinstance(value, ast.Name) and delta is not None and training.number(value, part):
                if any(assigned_name(s, right.id) == value.id for s in test.body) and not rebinds(test, value.id):
                    return _Better(test, value, right, "min" if operator is ast.Lt else "max", delta)
    return None


def _with_delta(training: Training, node: ast.expr, operator: type[ast.cmpop]) -> tuple[ast.expr, str | None]:
    """The value in ``value + delta < best`` or ``value - delta > best``, as the callback compares it, and the difference as source."""
    match node:
        case ast.BinOp(left=value, op=ast.Add() | ast.Sub() as sign, right=delta):
            fits = isinstance(sign, ast.Add) == (operator is ast.Lt)
            known = isinstance(training.constant(delta), int | float) and training.at_entry(delta)
            return value, training.at_entry(delta) if fits and known else None
    return node, ""


def _follows(better: _Better, best: Value) -> bool:
    """Whether the best value is the callback's: the one statement of the loop that binds it stands right under the test."""
    assert best.start is not None
    bound = [n for n in best.mentions if not isinstance(n.ctx, ast.Load)]
    inside = [s for s in better.test.body if assigned_name(s, best.name)]
    return not best.hidden and len(bound) == 2 and len(inside) == 1


def _patience(training: Training, counter: _Counter) -> str:
    """How many epochs without a better value the script waits for, as source where the Trainer is made; "" when the callback's count is another."""
    turn = [p.statement for p in training.parts if p.place == counter.stop.place and not p.within]
    better, worse = (tuple(_events(turn, counter, is_better)) for is_better in (True, False))
    counted = ("count", "test") if counter.counts else ("test",)
    if worse != counted or better not in _BETTER:
        return ""
    asked_when_better = better[-1] == "test"
    known = training.constant(counter.patience)
    whole = known if type(known) is int else None
    text = training.at_entry(counter.patience)
    if counter.operator is ast.GtE and (not asked_when_better or (whole is not None and whole >= 1)):
        return text
    if counter.operator is ast.Eq and whole is not None and whole >= 1:
        return text
    if counter.operator is ast.Gt and whole is not None and (not asked_when_better or whole >= 0):
        return str(whole + 1) if isinstance(counter.patience, ast.Constant) else f"{text} + 1"
    return ""


_BETTER = (("reset",), ("count", "reset"), ("reset", "test"), ("count", "reset", "test"))
"""What may happen to a counter in an epoch with a better value."""


def _events(block: Sequence[ast.stmt], counter: _Counter, is_better: bool) -> Iterator[str]:
    """What happens to the counter in one epoch, in its order."""
    for statement in block:
        if statement is counter.better.test:
            yield from _events(statement.body if is_better else statement.orelse, counter, is_better)
        elif statement is counter.test:
            yield "test"
        elif statement in counter.resets:
            yield "reset"
        elif statement in counter.counts:
            yield "count"


def _said_at_stop(training: Training, counter: _Counter) -> tuple[str, ...] | None:
    """What is printed when the training ends, as lines behind `fit`; None where they would not say the same there."""
    said = counter.test.body[:-1]
    if not said:
        return ()
    if len(training.stops()) != 1 or not all(_prints_the_same(training, s) for s in said):
        return None
    return ("if {trainer}.should_stop:", *(f"    {training.text(s)}" for s in said))


def _prints_the_same(training: Training, statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name() as function, args=arguments, keywords=[])):
            if training.full_name(function) != "print" or "\n" in training.text(statement):
                return False
            names = [n for a in arguments for n in ast.walk(a) if isinstance(n, ast.Name)]
            calls = [n for a in arguments for n in ast.walk(a) if isinstance(n, ast.Call)]
            return all(map(_formats, calls)) and all(training.at_entry(n) == n.id for n in names)
    return False


def _formats(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value=ast.Constant(value=str()), attr="format"):
            return True
    return False


# ---- small questions


def _is(node: ast.expr, number: int) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int and node.value == number


def _assigned(statement: ast.stmt, name: str, number: int) -> bool:
    return any(isinstance(t, ast.Name) and t.id == name and _is(v, number) for t, v in pairs(statement))


def _counts(statement: ast.stmt, name: str) -> bool:
    match statement:
        case ast.AugAssign(target=ast.Name(id=target), op=ast.Add(), value=value):
            return target == name and _is(value, 1)
        case ast.Assign(
            targets=[ast.Name(id=target)], value=ast.BinOp(left=ast.Name(id=old), op=ast.Add(), right=value)
        ):
            return target == old == name and _is(value, 1)
    return False


def _binds(statement: ast.stmt, name: str) -> bool:
    """Whether a statement itself, not one in its blocks, binds a name."""
    own = [n for n in ast.iter_child_nodes(statement) if not isinstance(n, ast.stmt)]
    found = (n for part in own for n in ast.walk(part) if isinstance(n, ast.Name))
    return any(n.id == name and not isinstance(n.ctx, ast.Load) for n in found)


FEATURE = EarlyStopping()
