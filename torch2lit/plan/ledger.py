"""The ledger: where every raw statement of the program went, and why. The reports are views of it."""

from __future__ import annotations

import ast

from ..program import Fate, LedgerEntry, Mechanism
from ..recover.items import Item
from ..recover.syntax import Source, blocks, walk, walk_scope, walk_statements
from .draft import HOOKS, Draft
from .outer_bar import bar_around
from .steps import controls


def ledger_of(source: Source, drafts: list[Draft], edited: list[tuple[int, int]]) -> tuple[LedgerEntry, ...]:
    """One entry per statement, in source order. Blocks that stay whole have one entry.

    ``edited`` are the line ranges that the conversion replaces: a statement there that is no part of a nest was
    rewritten in place.
    """
    entries: dict[ast.stmt, LedgerEntry] = {}
    for draft in drafts:
        _Writer(source, draft, entries).write()
    for function in source.functions:
        statements = list(walk_statements(function.body))
        if function not in entries and not any(s in entries for s in statements) and _takes_gradients(source, function):
            for statement in statements:
                why = "the batches call it as it stands"
                entries[statement] = entry_of(source, statement, Fate.KEPT, "", "", why)
    inside = set(entries)
    for statement in _open_statements(source.tree.body, inside):
        if statement not in entries:
            line, end = statement.lineno - 1, statement.end_lineno or statement.lineno
            changed = any(start < end and line < stop for start, stop in edited) and not _has_inside(statement, inside)
            reason = "reads values of the module now" if changed else "no part of the training loop"
            entries[statement] = entry_of(source, statement, Fate.KEPT, "", "rename_names" if changed else "", reason)
    return tuple(sorted(entries.values(), key=lambda e: (e.line, e.end_line, e.source, e.target)))


def _takes_gradients(source: Source, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return source.in_class(function) is None and any(
        isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr == "backward"
        for n in walk_scope(function.body)
    )


def _has_inside(statement: ast.stmt, inside: set[ast.stmt]) -> bool:
    return any(s in inside for s in walk_statements([statement]) if s is not statement)


def _open_statements(body: list[ast.stmt], inside: set[ast.stmt]) -> list[ast.stmt]:
    """The statements of a block; compound ones that hold parts of a nest are opened up."""
    found: list[ast.stmt] = []
    for statement in body:
        below = [s for s in walk(statement) if isinstance(s, ast.stmt) and s is not statement and s in inside]
        if statement in inside:
            continue
        found.append(statement)
        if below:
            for block in blocks(statement):
                found += _open_statements(block, inside)
    return found


def entry_of(source: Source, statement: ast.stmt, fate: Fate, target: str, codemod: str, reason: str) -> LedgerEntry:
    """One statement's entry: a simple one whole, of a compound one the header."""
    end = statement.end_lineno or statement.lineno
    if inner := [b[0].lineno for b in blocks(statement) if b]:
        end = max(statement.lineno, min(inner) - 1) if min(inner) > statement.lineno else statement.lineno
    text = source.lines[statement.lineno - 1][:400].strip()
    return LedgerEntry(statement.lineno, end, text, fate, target, codemod, reason)


class _Writer:
    def __init__(self, source: Source, draft: Draft, entries: dict[ast.stmt, LedgerEntry]) -> None:
        self.source = source
        self.draft = draft
        self.entries = entries

    def write(self) -> None:
        for hook in HOOKS:
            for item in self.draft.hooks.get(hook, []):
                self.item(item, hook)
        for statement, removal in self.draft.removals.items():
            self.add(statement, Fate.REPLACED, removal.target, removal.codemod, removal.reason)
            self.below(statement, Fate.REPLACED, removal.target, removal.codemod, removal.reason)
        for proposal in self.draft.accepted:
            for statement in proposal.texts:
                self.add(
                    statement, Fate.REPLACED, proposal.target, self.draft.claimed_by.get(statement, ""), proposal.reason
                )
        for item in self.draft.united:
            self.add(
                item.node,
                Fate.REPLACED,
                "attributes of the module",
                "inline_function",
                "the function's values are read where they are",
            )
        self.loops()
        self.functions()

    def add(self, statement: ast.stmt, fate: Fate, target: str, codemod: str, reason: str) -> None:
        if statement not in self.entries:
            self.entries[statement] = entry_of(self.source, statement, fate, target, codemod, reason)

    def below(self, statement: ast.stmt, fate: Fate, target: str, codemod: str, reason: str) -> None:
        for inner in walk(statement):
            if isinstance(inner, ast.stmt) and inner is not statement:
                self.add(inner, fate, target, codemod, reason)

    def item(self, item: Item, hook: str) -> None:
        if item.kind in ("enter", "leave"):
            self.add(
                item.node, Fate.MOVED, hook, "spread_with", "it begins and ends around the loop that Lightning runs"
            )
            return
        if item.kind in ("validates", "saves"):
            return
        if item.kind != "statement":
            self.add(
                item.node,
                Fate.MOVED,
                hook,
                "inline_function",
                "the called function's body stands in the hooks",
            )
            return
        leaving = {id(c) for c in controls(item.node)}
        for statement in walk(item.node):
            if not isinstance(statement, ast.stmt):
                continue
            if statement in self.draft.removals:
                removal = self.draft.removals[statement]
                self.add(statement, Fate.REPLACED, removal.target, removal.codemod, removal.reason)
                self.below(statement, Fate.REPLACED, removal.target, removal.codemod, removal.reason)
            elif statement in self.draft.claims:
                claim = self.draft.claims[statement]
                self.add(
                    statement,
                    Fate.REPLACED,
                    claim.target,
                    self.draft.claimed_by.get(statement, ""),
                    claim.reason,
                )
            elif id(statement) in leaving:
                self.add(
                    statement,
                    Fate.REPLACED,
                    hook,
                    "leave_hook",
                    "the loop is Lightning's: the hook is left instead",
                )
            else:
                self.add(
                    statement,
                    Fate.MOVED,
                    hook,
                    "fission",
                    _WHY.get(hook, "the same place in Lightning's loop"),
                )

    def loops(self) -> None:
        nest = self.draft.nest
        if nest.epochs is not None:
            self.add(
                nest.epochs.node,
                Fate.REPLACED,
                "Trainer(max_epochs=...)",
                "trainer_entry",
                "the Trainer runs the epochs",
            )
        for statement in walk_statements(nest.outermost.orelse):
            self.add(
                statement,
                Fate.MOVED,
                "after trainer.fit",
                "trainer_entry",
                "the loop is never left early, so its `else` always ran",
            )
        if nest.batches is not None and self.draft.mechanism is not Mechanism.EPOCHS:
            self.add(
                nest.batches.node,
                Fate.REPLACED,
                "Trainer.fit",
                "trainer_entry",
                "the Trainer runs over the loader",
            )
        for evaluation in self.draft.validation.firsts if self.draft.validation is not None else []:
            self.add(
                evaluation.once or evaluation.loop.node,
                Fate.REPLACED,
                "Trainer.fit",
                "validation",
                "Lightning runs the validation loader",
            )
            unwrapped = evaluation.unwrapped
            skips = [
                s for node in unwrapped if isinstance(node, ast.If) for s in node.body if isinstance(s, ast.Continue)
            ]
            for statement in [*unwrapped, *skips]:
                self.add(
                    statement,
                    Fate.REPLACED,
                    "validation",
                    "validation",
                    "Lightning validates without gradients, at its own interval",
                )
        bar = bar_around(self.draft)
        for statement in [*([bar] if bar is not None else []), *self.draft.epoch.unwrapped]:
            self.add(
                statement,
                Fate.REPLACED,
                "Trainer",
                "trainer_entry",
                "Lightning's own loop and bar take its place",
            )

    def functions(self) -> None:
        frames = self.draft.nest.entered
        if self.draft.validation is not None:
            frames += self.draft.validation.frames
        for frame in frames:
            if frame.caller is None or not isinstance(frame.scope, ast.FunctionDef):
                continue
            self.add(frame.scope, Fate.MOVED, "LightningModule", "inline_function", "its body stands in the hooks")
            clears = frame in self.draft.nest.clearing
            if frame.statement is not None:
                self.add(
                    frame.statement,
                    Fate.REPLACED,
                    "Trainer.fit",
                    "inline_function",
                    "Lightning calls the hooks",
                )
            for statement in frame.scope.body:
                if isinstance(statement, ast.Global | ast.Nonlocal | ast.Pass):
                    self.add(
                        statement,
                        Fate.REPLACED,
                        "attributes of the module",
                        "promote_state",
                        "the module holds the state",
                    )
                elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                    self.add(
                        statement,
                        Fate.REPLACED,
                        "LightningModule",
                        "inline_function",
                        "it goes with its function" if clears else "the docstring goes to the module or its hook",
                    )
            for inner in walk(frame.scope):
                if isinstance(inner, ast.Return):
                    self.add(
                        inner,
                        Fate.REPLACED,
                        "attributes of the module",
                        "inline_function",
                        "the returned values are attributes",
                    )
                elif isinstance(inner, ast.stmt) and inner is not frame.scope:
                    self.add(
                        inner,
                        Fate.MOVED,
                        "LightningModule",
                        "inline_function",
                        "its body stands in the hooks",
                    )


_WHY = {
    "training_step": "it runs once per batch",
    "on_train_epoch_start": "it stands before the batch loop",
    "on_train_batch_end": "it reads what the optimizer step changes, so it runs after it",
    "on_before_optimizer_step": "it stands between backward and step",
    "on_validation_epoch_start": "it stands between the batch loop and the validation loop",
    "validation_step": "it runs once per validation batch",
    "on_validation_epoch_end": "it belongs to the validation and stands after its loop",
    "on_train_epoch_end": "it ends the epoch",
}
