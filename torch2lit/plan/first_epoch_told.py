"""A sampler that is told an epoch other than 0 first: it is told once more before `fit`, where the loader's workers start.

for epoch in range(start_epoch, 90):        train_sampler.set_epoch(start_epoch)  # before the loader's workers start
    train_sampler.set_epoch(epoch)     →    trainer.fit(lit_net, train_loader)

Lightning starts the first epoch's loader before ``on_train_epoch_start``, where the script's own call stays. Told early, torch's sampler keeps a number that nobody
else reads. Source: `_FitLoop.setup_data` and `on_advance_start` in lightning/pytorch/loops/fit_loop.py.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..recover.items import Item, parts
from ..recover.loops import DATA_LOADERS, Iterable
from ..recover.makings import Making, Value, is_none, makings, sources
from ..recover.names import flow
from ..recover.syntax import walk
from .afterwards import statements_after
from .draft import Draft
from .entry_names import at_entry, epoch_counters, written_in_loop

SAMPLERS = {"torch.utils.data.DistributedSampler", "torch.utils.data.distributed.DistributedSampler"}
_WHY = "# before the loader's workers start"


@dataclass(frozen=True, slots=True)
class FirstEpoch:
    """The item of an epoch that tells the sampler its number, and the lines that tell the first one before `fit`."""

    item: Item
    lines: tuple[str, ...]


def first_epoch_told(draft: Draft, loaders: list[Making]) -> FirstEpoch | None:
    """How the sampler of the only loader may be told the first epoch before `fit`; None where that may be seen."""
    start, sampler = _start(draft), _torchs_sampler(draft, loaders)
    if not start or sampler is None:
        return None
    known = _names_of(draft, loaders[0], sampler)
    if known & flow(statements_after(draft)).exposed:
        return None
    for item in draft.epoch.before:
        if item.kind == "statement" and item.parent is None and (lines := _lines(draft, item, sampler, start)):
            return FirstEpoch(item, lines)
        if any(isinstance(n, ast.Name) and n.id in known for part, _frame in parts(item) for n in walk(part)):
            return None
    return None


def _start(draft: Draft) -> str:
    """The first number of the epochs as source: "" where they are no range with a start of its own."""
    epochs = draft.nest.epochs
    if epochs is None or epochs.kind is not Iterable.RANGE:
        return ""
    match epochs.base:
        case ast.Call(func=ast.Name(id="range"), args=[start, _, *_]):
            return at_entry(draft, start, draft.nest.entry)
    return ""


def _torchs_sampler(draft: Draft, loaders: list[Making]) -> Value | None:
    """The sampler of one DataLoader that the loop's own function makes: torch's DistributedSampler, or None at times."""
    match loaders:
        case [loader] if loader.full_name in DATA_LOADERS:
            sampler = loader.argument("sampler")
        case _:
            return None
    if sampler is None or draft.source.scope_of(loader.call) is not draft.nest.entry.scope:
        return None
    made = [s for s in sources(sampler) if not is_none(s)]
    return sampler if made and all(map(is_torchs, made)) else None


def _names_of(draft: Draft, loader: Making, sampler: Value) -> frozenset[str]:
    """The names of the loop's function under which it has the loader and the sampler."""
    own = {id(loader.call), *(id(m.call) for m in makings(sampler))}
    scope, roles = draft.nest.entry.scope, draft.roles
    bound = {n.id: n for n in draft.source.all(ast.Name) if isinstance(n.ctx, ast.Store)}
    own_names = [n for n in bound.values() if draft.source.scope_of(n) is scope]
    return frozenset(n.id for n in own_names if any(id(m.call) in own for m in makings(Value(n, scope, roles))))


def _lines(draft: Draft, item: Item, sampler: Value, start: str) -> tuple[str, ...]:
    """What tells the sampler the first epoch, as it reads where the Trainer is made; none where the item does something else."""
    match item.node:
        case ast.If(test=test, body=[ast.Expr(value=ast.Call() as call)], orelse=[]):
            asked, indent = at_entry(draft, test, item.frame), "    "
            head: tuple[str, ...] = (f"if {asked}:",)
        case ast.Expr(value=ast.Call() as call):
            asked, indent, head = "always", "", ()
        case _:
            return ()
    match call:
        case ast.Call(func=ast.Attribute(value=receiver, attr="set_epoch"), args=[ast.Name() as epoch], keywords=[]):
            told = at_entry(draft, receiver, item.frame)
        case _:
            return ()
    if (
        not asked
        or not told
        or not counts_epochs(draft, item, epoch)
        or not _is_sampler(draft, item, receiver, sampler)
    ):
        return ()
    return (*head, f"{indent}{told}.set_epoch({start})  {_WHY}")


def counts_epochs(draft: Draft, item: Item, name: ast.Name) -> bool:
    """Whether a name is the number of the epoch, which nothing in the loop changes."""
    told = draft.variable(name, item.frame)
    return told in epoch_counters(draft) and told not in written_in_loop(draft)


def is_torchs(made: Value) -> bool:
    """Whether a value is a sampler of torch's own, whose ``set_epoch`` only keeps the number."""
    return isinstance(made.node, ast.Call) and made.roles.full_name(made.node.func) in SAMPLERS


def _is_sampler(draft: Draft, item: Item, receiver: ast.expr, sampler: Value) -> bool:
    """Whether it is the sampler of the batch loop's loader that is told."""
    if isinstance(receiver, ast.Attribute):
        assert draft.nest.batches is not None
        loader = draft.variable(draft.nest.batches.base, draft.nest.inner)
        return (
            receiver.attr == "sampler" and loader is not None and draft.variable(receiver.value, item.frame) is loader
        )
    own = {id(m.call) for m in makings(sampler)}
    told = makings(Value(receiver, item.frame.scope, draft.roles))
    return bool(told) and {id(m.call) for m in told} == own
