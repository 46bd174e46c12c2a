"""The sums of a training's and a validation's batches that Lightning may keep: started once an epoch, fed once a batch, told when the batches are over.

total = 0.0                                    # on_validation_epoch_start
total += criterion(model(x), y).item()         # validation_step              →   self.log("val_loss", ..., on_epoch=True)
val_loss = total / len(val_loader)             # on_validation_epoch_end      →   self.trainer.callback_metrics["val_loss"].item()

In double Lightning adds up the same numbers in the same order, and divides by the same count. What is asked for while the batches run, or before Lightning knows it, stays.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ...feature import KeptSum, Sum
from ...program import Mechanism
from ...recover.items import Item
from ...recover.state_names import is_attribute
from ..draft import (
    BATCH_END,
    BATCH_START,
    EPOCH_END,
    EPOCH_START,
    TRAINING_STEP,
    VALIDATION_END,
    VALIDATION_START,
    VALIDATION_STEP,
    Draft,
)
from ..steps import open_controls
from .counted import counts_batches
from .later import waiting
from .meters import Meter, meter_of
from .statements import adds_to, given, is_zero, pairs, targets_and_values, weighted
from .stays import Stays
from .told import NUMBER, Told, told_by
from .uses import Use, Uses
from .values import Values

_TRAINING = ((EPOCH_START,), (TRAINING_STEP, BATCH_END), (VALIDATION_START, VALIDATION_END, EPOCH_END))
_VALIDATION = ((VALIDATION_START, EPOCH_START), (VALIDATION_STEP,), (VALIDATION_END, EPOCH_END))


@dataclass(eq=False)
class _Started:
    """A variable that a hook starts with nothing, and what has been found of it."""

    name: ast.Name
    item: Item
    value: ast.expr
    uses: list[Use]
    meter: Meter | None = None
    fed: Use | None = None
    added: ast.expr | None = None
    weight: ast.expr | None = None
    ends: list[Use] = field(default_factory=list)
    of_validation: bool = False


def find_sums(draft: Draft) -> tuple[list[Sum], list[KeptSum]]:
    """The sums that Lightning may keep, and those that it may not."""
    if draft.mechanism not in (Mechanism.AUTOMATIC, Mechanism.MANUAL) or draft.module_that_trains:
        return [], []
    if draft.nest.epochs is None or draft.nest.batches is None or "torch" not in draft.roles.origins.values():
        return [], []
    return _Search(draft).run()


class _Search:
    def __init__(self, draft: Draft) -> None:
        self.draft, self.uses = draft, Uses(draft)
        self.kept: list[KeptSum] = []

    def run(self) -> tuple[list[Sum], list[KeptSum]]:
        started = []
        for one in self._started():
            try:
                self._look(one)
            except Stays:
                self.kept.append(KeptSum(one.item.node, one.name))
            else:
                started.append(one)
        found: list[Sum] = []
        told = {o: self._told(o, started) for o in started}
        self.kept += [KeptSum(o.item.node, o.name) for o, why in told.items() if isinstance(why, str)]
        good = [o for o, answer in told.items() if isinstance(answer, Told)]
        covered = {id(n) for o in good if isinstance(t := told[o], Told) for n in t.names}
        for one in good:
            answer = told[one]
            assert isinstance(answer, Told)
            if (made := self._sum(one, answer, covered)) is not None:
                found.append(made)
        return [replace(s, left=_left(s, found)) for s in found], self.kept

    # ---- what starts

    def _started(self) -> Iterator[_Started]:
        for hook in (EPOCH_START, VALIDATION_START):
            for item in self.draft.hooks.get(hook, []):
                if item.kind != "statement" or item.guard is not None or item.node in self.draft.claims:
                    continue
                for name, value in pairs(item.node):
                    meter = meter_of(self.draft.roles, value)
                    variable = self.draft.variables.of(item.frame, name.id)
                    if variable is None or is_attribute(name.id) or (meter is None and not is_zero(value)):
                        continue
                    uses = [u for u in self.uses.of(variable) if u.item is not item]
                    if uses and (meter or any(adds_to(self.draft.source.statement_of(u.name), u.name) for u in uses)):
                        yield _Started(name, item, value, uses, meter)

    def _look(self, one: _Started) -> None:
        """The one place that feeds it, and those that tell it. Raises Stays."""
        draft, uses = self.draft, one.uses
        variable = draft.variables.of(one.item.frame, one.name.id)
        assert variable is not None
        if not self.uses.only_in_hooks(variable):
            raise Stays("it is named outside of the epoch, too")
        one.of_validation = any(u.hook == VALIDATION_STEP for u in uses)
        starts, steps, ends = _VALIDATION if one.of_validation else _TRAINING
        self._check_validation(one, starts)
        fed = {id(u.item): u for u in uses if u.hook in steps}
        told = [u for u in uses if u.hook in ends]
        if len(fed) + len(told) < len({id(u.item) for u in uses}):
            raise Stays("it is read elsewhere")
        if len(fed) != 1:
            raise Stays("it is told while the batches run" if fed else "no batch adds to it")
        one.fed = next(iter(fed.values()))
        one.ends = told
        if any(u.place <= one.fed.place for u in told):
            raise Stays("it is told before the batches are over")
        self._fed(one)
        if not self._always(one):
            raise Stays("a batch may leave it out")

    def _check_validation(self, one: _Started, starts: tuple[str, ...]) -> None:
        found, hook = self.draft.validation, self._hook_of(one.item)
        if not one.of_validation:
            if hook != EPOCH_START:
                raise Stays("it starts between two parts of the epoch")
            return
        if found is None or found.others or found.in_batch or self.draft.seconds or hook not in starts:
            raise Stays("more than one evaluation of an epoch adds to it")
        if hook == EPOCH_START and found.every is not None:
            raise Stays("epochs without a validation tell it, too")

    def _hook_of(self, item: Item) -> str:
        return next(h for h in (EPOCH_START, VALIDATION_START) if item in self.draft.hooks.get(h, []))

    def _fed(self, one: _Started) -> None:
        assert one.fed is not None
        item, name = one.fed.item, one.fed.name.id
        if item.kind != "statement" or item.guard is not None or item.node in self.draft.claims:
            raise Stays("a batch may leave it out")
        values = Values(self.draft, item, one.fed.hook)
        match item.node:
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=target), attr=method)) as call) if (
                one.meter
            ):
                added = given(call, one.meter)
                if target != name or method != one.meter.update or added is None:
                    raise Stays("a batch does more with it than to add to it")
                one.added, one.weight = added
            case ast.AugAssign(target=ast.Name(id=target), op=ast.Add(), value=value) if (
                target == name and not one.meter
            ):
                one.added, one.weight = weighted(value, values)
            case ast.Assign(
                targets=[ast.Name(id=target)],
                value=ast.BinOp(left=ast.Name(id=old), op=ast.Add(), right=value),
            ) if target == old == name and not one.meter:
                one.added, one.weight = weighted(value, values)
            case _:
                raise Stays("a batch does more with it than to add to it")
        inside = sum(u.item is item for u in one.uses)
        if inside > (2 if isinstance(item.node, ast.Assign) else 1):
            raise Stays("a batch reads it")
        for part in (one.added, one.weight):
            if part is not None and not values.is_number(part):
                raise Stays(f"`{ast.unparse(part)[:40]}` may be more than a number")

    # ---- what is told

    def _told(self, one: _Started, others: list[_Started]) -> Told | str:
        """How each place that tells it is written anew; why not."""
        assert one.fed is not None
        values = Values(self.draft, one.fed.item, one.fed.hook)
        told = told_by(self.draft, one.name.id, one.ends, one.meter, lambda d: self._divides(one, d, others))
        if isinstance(told, str):
            return told
        whole = not one.meter and isinstance(one.value, ast.Constant) and type(one.value.value) is int
        if not told.mean and told.plain and whole:
            if not (one.weight is None and one.added is not None and values.is_whole(one.added)):
                return "it may be a whole number where it is told"
            told.texts = {n: text.replace(NUMBER, f"int({NUMBER})") for n, text in told.texts.items()}
        late = [] if one.of_validation else waiting(self.draft, set(told.texts))
        return late if isinstance(late, str) else told

    def _divides(self, one: _Started, divisor: ast.expr, others: list[_Started]) -> bool:
        """Whether that is the sum of the weights."""
        assert one.fed is not None
        if isinstance(divisor, ast.Name):
            count = next((o for o in others if o.ends and self._same(o, divisor, one)), None)
            if count is None or count.fed is None or count.meter or count.weight or count.fed.hook != one.fed.hook:
                return False
            weight = ast.unparse(one.weight) if one.weight is not None else "1"
            between = self._between(one.fed, count.fed)
            names = (
                {n.id for n in ast.walk(count.added) if isinstance(n, ast.Name)} if count.added is not None else set()
            )
            written = {v for i in between for v in self.draft.variables.use(i).written}
            changed = any(self.draft.variables.of(one.fed.frame, n) in written for n in names)
            return count.added is not None and ast.unparse(count.added) == weight and not changed
        return one.weight is None and counts_batches(self.draft, divisor, one.ends[0], one.of_validation)

    def _same(self, other: _Started, name: ast.Name, one: _Started) -> bool:
        return any(u.name is name for u in other.ends) and other.of_validation == one.of_validation

    def _between(self, one: Use, other: Use) -> list[Item]:
        items = self.draft.hooks[one.hook]
        first, last = sorted((items.index(one.item), items.index(other.item)))
        return items[first:last]

    def _always(self, one: _Started) -> bool:
        """Whether every batch adds to it."""
        assert one.fed is not None
        if one.fed.hook == BATCH_END and self._leaves(self.draft.hooks.get(TRAINING_STEP, [])):
            return False
        if not one.of_validation and self._leaves(self.draft.hooks.get(BATCH_START, [])):
            return False
        items = self.draft.hooks[one.fed.hook]
        return not self._leaves(items[: items.index(one.fed.item)])

    def _leaves(self, items: list[Item]) -> bool:
        return any(open_controls(self.draft, i.node) for i in items if i.kind == "statement")

    # ---- the answer

    def _sum(self, one: _Started, told: Told, covered: set[int]) -> Sum | None:
        assert one.fed is not None and one.added is not None
        values = Values(self.draft, one.fed.item, one.fed.hook)
        only_counts = bool(told.own) and all(id(n) in covered for n in told.own)
        weight = "" if not told.mean else "1" if one.weight is None else values.text(one.weight)
        value = "" if only_counts else values.double(one.added)
        if not value and not only_counts:
            return None
        if not told.mean and one.weight is not None:
            value = f"{value} * {values.text(one.weight)}"
        texts = {} if only_counts else told.texts
        return Sum(
            name=one.name.id,
            key=f"sum_of_{one.name.id}_{'validation' if one.of_validation else 'training'}",
            of_validation=one.of_validation,
            start=one.item.node,
            left="",
            fed=one.fed.item.node,
            value=value,
            weight=weight,
            told=texts,
            called=tuple(told.called),
            names=(
                one.name,
                *(u.name for u in one.uses if u.item is one.fed.item),
                *told.own,
                *(told.names if told.mean else ()),
            ),
            holders=tuple(told.holders),
            counts=values.is_whole(one.added) and ".item(" not in ast.unparse(one.added),
        )


def _left(one: Sum, found: list[Sum]) -> str:
    """What else its statement starts."""
    gone = {id(s.names[0]) for s in found if s.start is one.start}
    left = [(n, v) for n, v in targets_and_values(one.start) if id(n) not in gone]
    names, values = (", ".join(ast.unparse(p[side]) for p in left) for side in (0, 1))
    return f"{names} = {values}" if left else ""
