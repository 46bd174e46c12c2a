"""The whole training as features see it (the protocol ``torch2lit.feature.Training``)."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator, Sequence

from ..feature import AFTER, BEFORE, ELSEWHERE, KeptSum, Node, Part, Start, Sum, Value
from ..program import Mechanism
from ..recover.items import Item
from ..recover.names import bound_otherwise, parameter_names
from ..recover.nest import Frame
from ..recover.state_names import is_state
from ..recover.syntax import Scope, blocks, root_name, walk, walk_scope
from .afterwards import statements_after
from .draft import HOOKS, SAVES, VALIDATION_END, VALIDATION_START, VALIDATION_STEP, Draft
from .entry_names import at_entry
from .evaluation_loaders import loader_text
from .held_parameters import holds_every
from .last_returns import leaves_only_loop
from .moved import moved_functions
from .settled_numbers import SettledNumbers
from .steps import controls, open_controls
from .sums.found import find_sums
from .whole_state import (
    changes_weights,
    counts_from_zero,
    first_epoch,
    is_all_state,
    is_epoch_counter,
    is_the_optimizer,
)

_BY_TEXT = {"exec", "eval"}
_ALL_NAMES = {"globals", "locals", "vars"}
"""Functions that reach names of which the text says nothing, the second ones without an argument."""


class DraftTraining:
    """One draft's training, as far as it is planned. What the draft has removed already is none of its parts."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._items: dict[ast.stmt, Item] = {}

    @functools.cached_property
    def parts(self) -> Sequence[Part]:
        changed = {*self._draft.removals, *self._draft.rewritten}
        before = [Part(s, BEFORE) for s in self._before() if s not in changed]
        after = [Part(s, AFTER) for s in statements_after(self._draft) if s not in changed]
        found = [*before, *self._in_hooks(), *after]
        return [*found, *self._elsewhere({part.statement for part in found})]

    def _elsewhere(self, known: set[ast.stmt]) -> Iterator[Part]:
        """What stands in functions that stay, and in blocks that may be passed; nothing where another loop or a view may lay claim to it."""
        if self._draft.other_loops or self._draft.source.view is not None:
            return
        source, moved = self._draft.source, {*moved_functions(self._draft), self._draft.nest.outermost}
        statements = [n for n in walk(source.tree) if isinstance(n, ast.stmt)]
        for statement in sorted(statements, key=lambda s: (s.lineno, s.col_offset)):
            if statement in known or statement in self._draft.removals or statement in self._draft.rewritten:
                continue
            around = [a for a in source.ancestors(statement) if isinstance(a, ast.stmt)]
            if statement not in moved and not moved.intersection(around):
                yield Part(statement, ELSEWHERE, tuple(reversed(around)))

    def _before(self) -> list[ast.stmt]:
        """The statements that surely run before the loop, each time that it does; what stands in blocks of their own does not."""
        found: list[ast.stmt] = []
        node: ast.AST = self._draft.nest.outermost
        for ancestor in self._draft.source.ancestors(node):
            for block in blocks(ancestor):
                if node in block:
                    found = [*block[: block.index(node)], *found]
            if not isinstance(ancestor, ast.If | ast.With | ast.Try):
                break
            node = ancestor
        return found

    def _in_hooks(self) -> Iterator[Part]:
        for hook in HOOKS:
            items = self._draft.hooks.get(hook, [])
            for item in items:
                if item.kind == "statement":
                    last = item is items[-1] and self._ends_epoch(hook)
                    around = (*self._follows_batches(hook), *_around(item))
                    yield from self._below(item, item.node, hook, around, last)

    def _follows_batches(self, hook: str) -> tuple[ast.stmt, ...]:
        """The `if` statement of a validation that does not end an epoch: its hooks run at some batches."""
        found = self._draft.validation
        inside = found is not None and found.in_batch and hook in (VALIDATION_START, VALIDATION_STEP, VALIDATION_END)
        return (found.block,) if inside and found is not None and found.block is not None else ()

    def _below(
        self, item: Item, statement: ast.stmt, hook: str, within: tuple[ast.stmt, ...], last: bool
    ) -> Iterator[Part]:
        if statement in self._draft.removals or statement in self._draft.claims:
            return
        self._items[statement] = item
        yield Part(statement, hook, within, last)
        for block in blocks(statement):
            for inner in block:
                ends = last and isinstance(statement, ast.If) and inner is block[-1]
                yield from self._below(item, inner, hook, (*within, statement), ends)

    def _ends_epoch(self, hook: str) -> bool:
        """Whether nothing of an epoch runs after the hook."""
        later = HOOKS[HOOKS.index(hook) + 1 : -len(SAVES)]
        return self._draft.nest.epochs is not None and not any(self._draft.hooks.get(h) for h in later)

    def item_of(self, statement: ast.stmt) -> tuple[Item, str] | None:
        """The item of a hook that holds a statement, and the hook; None for what stands around the loop."""
        return next(
            ((self._items[p.statement], p.place) for p in self.parts if p.statement is statement and p.place in HOOKS),
            None,
        )

    def alone(self, statement: ast.stmt) -> bool:
        """Whether no other statement shares a line with it."""
        line, end = statement.lineno, statement.end_lineno or statement.lineno
        block = getattr(self._draft.source.parents[statement], "body", [])
        return not any(s is not statement and s.lineno <= end and (s.end_lineno or s.lineno) >= line for s in block)

    def stops(self) -> Sequence[Part]:
        found = []
        for part in self.parts:
            if part.place in HOOKS and isinstance(part.statement, ast.Break | ast.Return):
                whole = self._items[part.statement].node
                leaves = isinstance(part.statement, ast.Break) or leaves_only_loop(self._draft, part.statement)
                if leaves and part.statement in controls(whole):
                    found.append(part)
        return found

    def value(self, name: ast.Name) -> Value | None:
        entry, source, roles = self._draft.nest.entry.scope, self._draft.source, self._draft.roles
        key = roles.key(source.scope_of(name), name.id)
        if key is None or key[0] not in (entry, source.tree) or is_state(name.id) or self._draft.module_that_trains:
            return None
        mentions = tuple(
            n for n in source.all(ast.Name) if n.id == name.id and roles.key(source.scope_of(n), n.id) == key
        )
        hidden = self._is_hidden(name.id, key[0])
        if key[0] is not entry:
            return Value(name.id, None, mentions, hidden)
        start = self._start(mentions)
        inner, handed = self._handed(name.id)
        return Value(name.id, start, (*mentions, *inner), hidden, handed)

    def _handed(self, name: str) -> tuple[tuple[ast.Name, ...], tuple[ast.Name, ...]]:
        """Where functions in the hooks name a variable of the entry that is handed to them, and where it is."""
        draft, inner, handed = self._draft, dict[int, ast.Name](), dict[int, ast.Name]()
        wanted = draft.variables.of(draft.nest.entry, name)
        for frame in self._frames():
            for parameter, argument in frame.arguments.items():
                if draft.variables.of(frame, parameter) is not wanted or wanted is None or frame.caller is None:
                    continue
                if isinstance(argument, ast.Name) and draft.variables.of(frame.caller, argument.id) is wanted:
                    handed[id(argument)] = argument
                    found = [n for n in walk_scope(frame.scope.body) if isinstance(n, ast.Name) and n.id == parameter]
                    inner |= {id(n): n for n in found}
        return tuple(inner.values()), tuple(handed.values())

    def _frames(self) -> list[Frame]:
        """The functions whose statements are in the hooks, as they are called."""
        found: dict[int, Frame] = {}
        for item in self._draft.all_items():
            frame: Frame | None = item.frame
            while frame is not None:
                found[id(frame)] = frame
                frame = frame.caller
        return list(found.values())

    def _start(self, mentions: Sequence[ast.Name]) -> Start | None:
        inside = {id(n) for n in walk(self._draft.nest.outermost)}
        bound = [n for n in mentions if not isinstance(n.ctx, ast.Load) and id(n) not in inside]
        if len(bound) != 1:
            return None
        statement = self._draft.source.statement_of(bound[0])
        before = {part.statement for part in self.parts if part.place == BEFORE}
        left = self._draft.rewritten.get(statement, "")  # another proposal may have left of it what this one asks about
        if left and statement in self._before() and f"{bound[0].id}" in re.split(r"\W+", left.partition("=")[0]):
            before.add(statement)
        if statement not in before or not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            return None
        match statement.targets[0], statement.value:
            case ast.Name(), value:
                return Start(statement, value)
            case ast.Tuple(elts=targets), ast.Tuple(elts=values) if bound[0] in targets and len(targets) == len(values):
                return Start(statement, values[targets.index(bound[0])])
        return None

    def _is_hidden(self, name: str, scope: Scope) -> bool:
        """Whether a name may be bound or read by what does not mention it as a variable."""
        if (isinstance(scope, ast.Module) and name in self._draft.wanted_elsewhere) or self._reads_by_text():
            return True
        parameters = () if isinstance(scope, ast.Module) else parameter_names(scope)
        return name in parameters or any(name in bound_otherwise(node) for node in walk_scope(scope.body))

    def _reads_by_text(self) -> bool:
        named = [(c.func.id, c) for c in self._draft.source.calls if isinstance(c.func, ast.Name)]
        return any(name in _BY_TEXT or (name in _ALL_NAMES and not call.args) for name, call in named)

    def only_called_by(self, call: ast.Call) -> bool:
        function = call.func
        if not isinstance(function, ast.Name) or function.id in self._draft.wanted_elsewhere or self._reads_by_text():
            return False
        texts = {c.value for c in self._draft.source.all(ast.Constant)}
        return function.id not in texts and [n for n in self._draft.source.all(ast.Name) if n.id == function.id] == [
            function
        ]

    def full_name(self, node: ast.expr) -> str:
        roles, root = self._draft.roles, root_name(node)
        if root in roles.origins:
            return roles.full_name(node)
        return "" if roles.key(self._draft.nest.entry.scope, root) is not None else roles.full_name(node)

    def number(self, node: ast.expr, part: Part) -> bool:
        item = self._items.get(part.statement)
        return item is not None and SettledNumbers(self._draft).surely(node, item.frame.scope)

    def constant(self, node: ast.expr) -> object:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return -number
            case ast.Name():
                found = self.value(node)
                if found is None or found.hidden or found.start is None:
                    return None
                bound = [n for n in found.mentions if not isinstance(n.ctx, ast.Load)]
                return self.constant(found.start.value) if len(bound) == 1 else None
        return None

    def all(self, kind: type[Node]) -> Sequence[Node]:
        return self._draft.source.all(kind)

    def loaders(self) -> Sequence[str]:
        draft, data = self._draft, self._draft.train_data
        if draft.nest.batches is None or data is None or draft.starts_late or draft.mechanism is Mechanism.EPOCHS:
            return ()
        found = list(data.texts)
        if draft.validation is not None:
            found += [loader_text(draft, one) for one in draft.validation.all]
        plain = len(data.texts) == 1 and len(found) <= 2 and all(text.isidentifier() for text in found)
        return found if plain else ()

    @property
    def own_points(self) -> bool:
        return self._draft.own_points

    def sums(self) -> tuple[Sequence[Sum], Sequence[KeptSum]]:
        return find_sums(self._draft)

    def in_training(self, node: ast.AST) -> bool:
        moved = {*moved_functions(self._draft), self._draft.nest.outermost}
        return node in moved or any(around in moved for around in self._draft.source.ancestors(node))

    def comments(self, statement: ast.stmt) -> tuple[Sequence[str], str]:
        lines, above = self._draft.source.lines, list[str]()
        line = statement.lineno - 2
        while line >= 0 and lines[line].lstrip().startswith("#"):
            above.insert(0, lines[line].strip())
            line -= 1
        end = (statement.end_lineno or statement.lineno) - 1
        beside = lines[end].encode()[statement.end_col_offset or 0 :].decode().strip()
        return above, beside if beside.startswith("#") else ""

    def is_gone(self, statement: ast.stmt) -> bool:
        return statement in self._draft.removals

    def asked(self, option: str) -> str:
        return self._draft.options.asked(option)

    def by_level(self, option: str) -> bool:
        return self._draft.options.by_level(option)

    def at_entry(self, node: ast.expr, part: Part | None = None) -> str:
        return at_entry(self._draft, node, self._item_at(part).frame)

    def _item_at(self, part: Part | None) -> Item:
        """The item of a hook, or one that stands for the function that holds the loop."""
        known = self._items.get(part.statement) if part is not None else None
        return known or Item(self._draft.nest.outermost, self._draft.nest.entry)

    def counts_epochs(self, node: ast.expr, part: Part) -> bool:
        return counts_from_zero(self._draft, node, self._item_at(part))

    def first_epoch(self, node: ast.expr, part: Part) -> int | None:
        return first_epoch(self._draft, node, self._item_at(part))

    def is_epoch(self, node: ast.expr, part: Part) -> bool:
        return is_epoch_counter(self._draft, node, self._item_at(part))

    @property
    def resumed(self) -> str:
        return self._draft.resumed

    @property
    def averaging(self) -> str:
        return self._draft.averaging

    def trains(self, node: ast.expr, part: Part) -> bool:
        return holds_every(self._draft, node, self._item_at(part)) and not self._draft.module_that_trains

    def steps(self, node: ast.expr, part: Part) -> bool:
        return is_the_optimizer(self._draft, node, self._item_at(part))

    def trains_nothing_else(self, node: ast.expr, part: Part) -> bool:
        return self.trains(node, part) and is_all_state(self._draft, node, self._item_at(part))

    def weights_stay(self, part: Part) -> bool:
        behind = [p for p in self.parts if p.place in HOOKS]
        behind = behind[next(i for i, p in enumerate(behind) if p.statement is part.statement) + 1 :]
        inside = {id(n) for n in walk(part.statement)}
        return not any(
            changes_weights(self._draft, p.statement, self._items[p.statement])
            for p in behind
            if id(p.statement) not in inside
        )

    def following(self, part: Part) -> Sequence[ast.AST]:
        inner = [
            p.statement
            for p in self.parts
            if p.place in HOOKS and self._items.get(p.statement) is self._items[part.statement]
        ]
        found: list[ast.AST] = [*inner[inner.index(part.statement) + 1 :]]
        below = {id(n) for n in walk(part.statement)}
        items = [i for hook in HOOKS if hook not in SAVES for i in self._draft.hooks.get(hook, [])]
        later = items[items.index(self._items[part.statement]) + 1 :]
        found += [i.node for i in later if i.node not in self._draft.removals and i.node not in self._draft.claims]
        return [n for n in found if id(n) not in below]

    @property
    def automatic(self) -> bool:
        nest = self._draft.nest
        return self._draft.automatic and nest.epochs is not None and nest.batches is not None

    @property
    def counts_steps(self) -> bool:
        return self.automatic or self._draft.counted_steps

    def may_be_passed(self, part: Part) -> bool:
        item = self._items[part.statement]
        items = self._draft.hooks[part.place]
        return any(open_controls(self._draft, i.node) for i in items[: items.index(item)] if i.kind == "statement")

    def told(self, argument: str) -> str:
        return dict(self._draft.trainer.written()).get(argument, "")

    @property
    def validates_always(self) -> bool:
        sometimes = any(item.kind == "validates" for item in self._draft.all_items())
        return not sometimes and not self.told("check_val_every_n_epoch")

    @property
    def processes(self) -> bool:
        return self._draft.group is not None

    @property
    def spread(self) -> bool:
        draft, options = self._draft, self._draft.options
        told = options.strategy is not None or options.devices is not None or options.num_nodes is not None
        return self.processes or told or any(o.startswith("torch.distributed") for o in draft.roles.origins.values())

    def text(self, node: ast.AST) -> str:
        return self._draft.source.segment(node)


def _around(item: Item) -> tuple[ast.stmt, ...]:
    """The `if` statement that decides whether the item runs, where the Trainer does not decide as it does."""
    guard = item.guard
    return (guard.block,) if guard is not None and guard.block is not None and not guard.counted else ()
