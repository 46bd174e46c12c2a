"""Which values are what a validation found, and which ones what the training before it did, at every statement after it.

A number of the training may be told between the two or after both, in the same line as the validation's: only the latter is logged as such.
"""

from __future__ import annotations

import ast
from enum import Enum, auto

from ..recover.items import Item
from ..recover.phases import Validation
from ..recover.roles import Role
from ..recover.syntax import blocks, walk
from ..recover.variables import Variable
from .changes import changed_names
from .draft import EPOCH_END, VALIDATION_END, VALIDATION_STEP, Draft
from .one_batch import has_one_batch

_NO_RESULTS = {Role.MODEL, Role.OPTIMIZER, Role.SCHEDULER}


class _Region(Enum):
    """Where a statement stands: in the validation, in the hook that ends it, or later in the epoch."""

    OWN = auto()
    END = auto()
    AFTER = auto()


class OfValidation:
    """The values of one epoch, followed from its training through its validation to its end."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self._trained: set[Variable] = set()
        self._validated: set[Variable] = set()
        self._after: dict[tuple[Item, ast.stmt], frozenset[Variable]] = {}
        self.at_its_end: frozenset[Variable] = frozenset()
        """What holds such a value when the validation has ended."""
        if draft.validation is not None:
            self._follow(draft.validation)

    def value(self, node: ast.expr, item: Item, statement: ast.stmt) -> bool:
        """Whether a value is made of what the validation found, when a statement of an item has run."""
        names = [n.id for n in walk(node) if isinstance(n, ast.Name)]
        return any(self.holds(v, item, statement) for n in names if (v := self.draft.variables.of(item.frame, n)))

    def holds(self, variable: Variable, item: Item, statement: ast.stmt) -> bool:
        """Whether a variable holds what the validation found, when a statement of an item has run."""
        return variable in self._after.get((item, statement), ())

    def _follow(self, found: Validation) -> None:
        epoch = self.draft.epoch
        for item in [*epoch.before, *epoch.batch, *found.leading]:
            self._trained |= self.draft.variables.use(item).written
        for item in found.before:
            self._run(item, _Region.OWN)
        for item in self.draft.hooks.get(VALIDATION_STEP, []):
            if has_one_batch(self.draft, found):
                self._run(item, _Region.OWN)
                continue
            self._found(self.draft.variables.use(item).written | self._changed(item))
        own = [i for one in found.all for i in (*one.before, *one.body, *one.trailing)]
        for item in self.draft.hooks.get(VALIDATION_END, []):
            self._run(item, _Region.OWN if item in own else _Region.END)
        self.at_its_end = frozenset(self._validated)
        for item in self.draft.hooks.get(EPOCH_END, []):
            self._run(item, _Region.AFTER)

    def _changed(self, item: Item) -> set[Variable]:
        names = [ast.Name(name, ast.Load()) for name in changed_names(self.draft, [item])]
        results = [n for n in names if self.draft.role(n, item.frame) not in _NO_RESULTS]
        return {v for n in results if (v := self.draft.variables.of(item.frame, n.id)) is not None}

    def _found(self, variables: frozenset[Variable] | set[Variable]) -> None:
        self._validated |= variables
        self._trained -= variables

    def _run(self, item: Item, region: _Region) -> None:
        if item.kind == "statement":
            self._statement(item.node, item, region, sure=True)
        else:
            self._bind(item, region, sure=True)
        self._after[item, item.node] = frozenset(self._validated)

    def _statement(self, node: ast.stmt, item: Item, region: _Region, sure: bool) -> None:
        inner = list(blocks(node))
        if not inner:
            self._bind(Item(node, item.frame), region, sure)
        elif isinstance(node, ast.For | ast.AsyncFor):
            self._bind(Item(ast.Assign([node.target], node.iter), item.frame), region, sure=False)
        for _turn in range(2 if isinstance(node, ast.For | ast.AsyncFor | ast.While) else 1):
            for statement in (s for block in inner for s in block):
                self._statement(statement, item, region, sure=sure and isinstance(node, ast.With))
        self._after[item, node] = frozenset(self._validated)

    def _bind(self, item: Item, region: _Region, sure: bool) -> None:
        ones = [Item(one, item.frame) for one in _one_by_one(item)] or [item]
        trained, validated = frozenset(self._trained), frozenset(self._validated)
        for use in [self.draft.variables.use(one) for one in ones]:
            made = bool(use.read & validated) or (region is _Region.OWN and not use.read & trained)
            if made and region is not _Region.AFTER:
                self._found(use.written)
            elif use.read & trained:
                self._trained |= use.written
            if sure and not made:
                self._validated -= use.definite


def _one_by_one(item: Item) -> list[ast.stmt]:
    """An assignment of several values to as many names, as one of each."""
    match item.node:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
            if item.kind == "statement" and len(targets) == len(values):
                return [ast.Assign([t], v) for t, v in zip(targets, values, strict=True)]
    return []
