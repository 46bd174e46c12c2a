"""Evaluations of one epoch by different functions, or in loops of its own: one validation, whose step does for each loader what belongs to it.

train_acc = accuracy(model, train_loader)        def validation_step(self, batch, batch_idx, dataloader_idx):
train_loss = mean_loss(model, train_loader)          if dataloader_idx == 0: ...
                                          →          else: ...

                                                 fit(module, train_loader, [train_loader, train_loader])

Lightning runs over one loader after the other. What ends an evaluation waits for the last one, and what begins one stands before the first.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from ..recover.items import Guard, Item
from ..recover.loops import loop_names
from ..recover.nest import Frame
from ..recover.phases import Validation
from ..recover.variables import Variable
from .changes import changed_names, reached_names
from .draft import Draft
from .looks import Looks
from .modes import mode_calls, only_mode_call
from .several_loaders import (
    LOADER_INDEX,
    divide,
    following,
    follows_in_statement,
    given_apart,
    may_pass,
    only_looks,
    started_names,
    starts_plainly,
    unite_local,
    value_alone,
    values_apart,
    without_values,
)


def with_other_functions(draft: Draft, found: Validation) -> Iterator[Validation]:
    """The evaluation together with those by other functions that follow, as one validation: as many as may be, then fewer."""
    if draft.mixed is not None or LOADER_INDEX in draft.source.names:
        return
    for count in range(len(following(draft, found, by_any=True)), 0, -1):
        several = following(draft, found, by_any=True)[:count]
        if (joined := _joined(draft, found, several)) is not None:
            yield joined


def _joined(draft: Draft, found: Validation, several: list[tuple[list[Item], Validation]]) -> Validation | None:
    own, _ = divide(found)
    first = replace(found, trailing=own)
    evaluations = [first, *(one for _between, one in several)]
    arms = _arms(draft, evaluations)
    if len(arms) < 2 or not _fit_one_step(draft, evaluations):
        return None
    early: list[Item] = []
    moved: list[Item] = []
    trailing: list[Item] = []
    switched_back: list[Item] = []
    for index, (between, one) in enumerate(several):
        before = evaluations[index]
        ends = before.trailing
        if follows_in_statement(one, ends):
            ends = [value_alone(i) if i is ends[-1] else i for i in ends]
            trailing += before.trailing[:-1]
        else:
            trailing += before.trailing
        passed = evaluations[: index + 1]
        begins = _beginning(draft, between, one, found, passed)
        waiting = [i for i in between if i not in begins]
        back = [i for i in [*ends, *waiting] if _is_switched_back(draft, i, one)]
        switched_back += back
        moved += [i for i in [*ends, *waiting] if i not in back]
        trailing = [i for i in [*trailing, *waiting] if i not in back]
        if not may_pass(draft, moved, one) or _meet(draft, moved, passed, one) or _knows_batch(draft, moved, one):
            return None
        again = index + 1 not in [places[0] for places in arms]
        if not _may_stand_first(draft, [*begins, *([] if again else one.before)], one, found, passed, moved):
            return None
        early += [*begins, *([] if again else one.before)]
    last = several[-1][1]
    values: list[Item] = []
    body: list[Item] = []
    begins = [*found.before, *early]
    for places in arms:
        mine = [evaluations[i] for i in places]
        apart = given_apart(draft, mine) or set()
        guard = Guard(loaders=places, count=len(evaluations))
        values += values_apart(evaluations, places, apart)
        body += [replace(i, guard=guard) for i in mine[0].body]
        begins = without_values(begins, mine, apart)
        for one in mine:
            one.before = without_values(one.before, mine, apart)
    return replace(
        found,
        before=begins,
        body=[*values, *body],
        trailing=[*trailing, *last.trailing, *switched_back, *last.leading],
        rest=last.rest,
        unwrapped=[*found.unwrapped],
        others=evaluations[1:],
        arms=arms,
    )


def _arms(draft: Draft, evaluations: list[Validation]) -> tuple[tuple[int, ...], ...]:
    """The places of the evaluations by each of the functions, () where one of them cannot be several times in one validation."""
    arms: list[list[int]] = []
    for place, one in enumerate(evaluations):
        mine = next((a for a in arms if _by_one_function(evaluations[a[0]], one)), None)
        if mine is None:
            arms.append([place])
        else:
            mine.append(place)
    several = [a for a in arms if len(a) > 1]
    if any(given_apart(draft, [evaluations[i] for i in a]) is None for a in several):
        return ()
    if not all(starts_plainly(draft, evaluations[a[0]]) for a in several):
        return ()
    return tuple(map(tuple, arms))


def _by_one_function(one: Validation, other: Validation) -> bool:
    return one.call is not None and other.call is not None and one.frame.scope is other.frame.scope


# ---- whether one step can do it


def _fit_one_step(draft: Draft, evaluations: list[Validation]) -> bool:
    """Whether the evaluations take their batches apart under the same names, and nothing but their bodies knows of batches."""
    first = evaluations[0].loop
    loops = {one.loop.node: ast.dump(one.loop.node) for one in evaluations}
    if len({*loops.values()}) < len(loops):
        return False  # one body would stand there twice
    inline = any(one.call is None for one in evaluations)
    for one in evaluations:
        loop = one.loop
        counted = loop.first is None or (isinstance(loop.first, ast.Constant) and loop.first.value == 0)
        if one.limit is not None or loop.bar_name is not None or loop.asks_twice or not counted:
            return False
        if ast.dump(loop.items) != ast.dump(first.items) or (inline and loop.index != first.index):
            return False
        around = draft.variables.sequence([*one.before, *divide(one)[0]])
        if (around.read | around.written) & _batch(draft, one):
            return False
        if one.call is not None and any(v.frame is not one.frame for v in _batch(draft, one)):
            return False
    return True


def _batch(draft: Draft, one: Validation) -> set[Variable]:
    """What an evaluation's loop gives values."""
    return {v for n in loop_names(one.loop) if (v := draft.variables.of(one.frame, n)) is not None}


def _knows_batch(draft: Draft, items: list[Item], one: Validation) -> bool:
    """Whether items know what the loop of an evaluation gives values, which they do not know before it."""
    use = draft.variables.sequence(items)
    return bool((use.read | use.written) & _batch(draft, one))


def unite_in_step(draft: Draft, found: Validation) -> None:
    """Let the functions have their batch, and what each batch makes anew, under the same names: only one of them gets it."""
    firsts = found.firsts
    for one in firsts[1:]:
        for name in loop_names(one.loop):
            unite_local(draft, one, firsts[0], name)
    for place, one in enumerate(firsts):
        for name in sorted(_made_anew(draft, one)):
            other = next((o for o in firsts[:place] if name in _made_anew(draft, o)), None)
            if other is not None:
                unite_local(draft, one, other, name)


def _made_anew(draft: Draft, one: Validation) -> set[str]:
    """The names of what a function makes with every batch and uses for that batch only."""
    body = draft.variables.sequence(one.body)
    around = draft.variables.sequence([*one.before, *one.trailing])
    own = {v for v in body.written - body.exposed if v.frame is one.frame}
    return {v.name for v in own - around.read - around.written}


# ---- whether what stands around them may change its place


def _is_switched_back(draft: Draft, item: Item, one: Validation) -> bool:
    """Whether an item only switches models to train mode, which the next evaluation switches to eval mode at once, and back at its end."""
    calls = mode_calls(draft, item)
    trained = {_outermost(draft, model) for model, mode in calls if mode == "train"}
    begins = {_outermost(draft, m) for i in one.before for m, mode in mode_calls(draft, i) if mode == "eval"}
    ends = {_outermost(draft, m) for i in one.trailing for m, mode in mode_calls(draft, i) if mode == "train"}
    back = bool(calls) and only_mode_call(item) and isinstance(item.node, ast.Expr)
    return back and len(trained) == len(calls) and trained <= begins & ends


def _switches_again(draft: Draft, item: Item, found: Validation, passed: list[Validation]) -> bool:
    """Whether an item only switches models to eval mode in which they are already, from before the first evaluation on."""
    calls = mode_calls(draft, item)
    if not calls or not only_mode_call(item) or not isinstance(item.node, ast.Expr):
        return False
    earlier = [*found.leading, *passed[0].before]
    switched = {_outermost(draft, m): mode for i in earlier for m, mode in mode_calls(draft, i)}
    known = all(draft.effects_of(i).mode == bool(mode_calls(draft, i)) for i in earlier)
    if not known or any(draft.effects_of(i).mode for one in passed for i in one.body):
        return False
    return all(mode == "eval" and switched.get(_outermost(draft, model)) == "eval" for model, mode in calls)


def _outermost(draft: Draft, variable: Variable) -> Variable:
    """What the caller calls the variable that a parameter stands for."""
    frame = variable.frame
    while frame is not None and frame.caller is not None:
        given = frame.arguments.get(variable.name)
        outer = draft.variables.of(frame.caller, given.id) if isinstance(given, ast.Name) else None
        if outer is None:
            break
        variable, frame = outer, outer.frame
    return variable


def _meet(draft: Draft, moved: list[Item], passed: list[Validation], one: Validation) -> bool:
    """Whether the items, or the evaluation that they wait for, may change an object that the other one looks at, by any of its names."""
    frames = [p.frame for p in passed]
    loop = [*one.before, *one.body]
    looks = Looks(draft)
    doing = [i for i in moved if not only_looks(looks, i)]
    reached = _outside(reached_names(draft, moved), frames)
    changed = _outside(changed_names(draft, doing), frames)
    looked_at = _outside(reached_names(draft, [i for i in loop if i.kind == "statement"]), [one.frame])
    return bool(reached & _outside(changed_names(draft, loop), [one.frame]) or changed & looked_at)


def _beginning(
    draft: Draft, between: list[Item], one: Validation, found: Validation, passed: list[Validation]
) -> list[Item]:
    """What of the items before an evaluation belongs to it: values with which it begins, and switches to eval mode."""
    needed = draft.variables.sequence([*one.before, *one.body]).exposed
    begins: list[Item] = []
    for item in between:
        written = draft.variables.use(item).written
        starts = item.kind == "statement" and bool(started_names(item.node)) and bool(written & needed)
        if starts or _switches_again(draft, item, found, passed):
            begins.append(item)
    return begins


def _may_stand_first(
    draft: Draft,
    begins: list[Item],
    one: Validation,
    found: Validation,
    passed: list[Validation],
    moved: list[Item],
) -> bool:
    """Whether what an evaluation begins with may stand before those that ran before it: fresh values of which those know nothing."""
    starts = [i for i in begins if not _switches_again(draft, i, found, passed)]
    earlier = [*moved, *(i for p in passed for i in [*p.before, *p.body])]
    use = draft.variables.sequence(earlier)
    frames = [p.frame for p in passed]
    changed = _outside(changed_names(draft, earlier), frames)
    own = {v for i in starts if i.kind == "statement" for v in draft.variables.use(i).written}
    for item in starts:
        here = draft.variables.use(item)
        known = use.read | use.written | {v for p in passed for v in _batch(draft, p)} | _batch(draft, one)
        if here.read & use.written or here.written & known or any(v.frame is not item.frame for v in here.written):
            return False
        if item.kind == "bind" and isinstance(item.value, ast.Name | ast.Constant):
            continue
        effects = draft.effects_of(item)
        touches = (
            effects.model or effects.mode or effects.gradients or effects.optimizer or effects.rng or effects.clock
        )
        if touches or effects.mutates or not _starts_anew(item):
            return False
        read = {v.name for v in here.read - own}
        if _outside(read, [one.frame]) & changed:
            return False
    return True


def _starts_anew(item: Item) -> bool:
    """Whether an item does no more than to give names a value each."""
    if item.kind == "bind":
        return not item.spread and isinstance(item.value, ast.Attribute)
    return item.kind == "statement" and bool(started_names(item.node))


def _outside(names: set[str], frames: list[Frame]) -> set[str]:
    """Names, and those of the callers' in what the functions got for them."""
    found = set(names)
    for frame in frames:
        inner: Frame | None = frame
        while inner is not None and inner.caller is not None:
            values = [value for name, value in inner.arguments.items() if name in found]
            found |= {n.id for value in values for n in ast.walk(value) if isinstance(n, ast.Name)}
            inner = inner.caller
    return found
