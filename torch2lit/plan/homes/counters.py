"""Epoch and batch counters become Lightning's."""

from __future__ import annotations

import ast

from ...recover.items import names_in
from ...recover.nest import Frame
from ...recover.state_names import is_attribute
from ...recover.syntax import walk
from ...recover.variables import Variable
from ..draft import (
    BATCH_END,
    BATCH_START,
    EPOCH_START,
    HOOKS,
    TRAINING_STEP,
    VALIDATION_START,
    VALIDATION_STEP,
)
from ..epoch_values import element, sequence_of
from ..several_loaders import LOADER_INDEX
from .facts import LOOP_START
from .outer import Outer
from .script_names import may_be_handed_in


class Counters(Outer):
    """Gives homes to what the loops count."""

    def give_counters(self, assigned: set[Variable]) -> None:
        nest = self.draft.nest
        if nest.epochs is not None and nest.batches is not None:
            for variable in sorted(self.counter_variables(), key=lambda v: v.rank):
                text = self.counter_text(variable)
                if variable in self.state.homes:
                    self.prepend(EPOCH_START, f"{self.state.homes[variable]} = {text}")
                elif variable.name in self.state.global_names.get(EPOCH_START, ()):
                    self.prepend(EPOCH_START, f"{variable.name} = {text}")
                elif self.is_asked_for(variable):
                    self.give_expression(variable, text, HOOKS)
        if self.in_batches() and nest.batches is not None and nest.batches.index:
            self.give_index(
                nest.inner,
                nest.batches.index,
                nest.batches.first,
                TRAINING_STEP,
                (BATCH_START, TRAINING_STEP, BATCH_END),
            )
        counting = [one for one in self.draft.validation.firsts if one.loop.index] if self.draft.validation else []
        given: set[Variable | None] = set()
        for one in counting:
            counter = self.variables.of(one.frame, one.loop.index or "")
            if counter not in given:
                self.give_index(one.frame, one.loop.index or "", one.loop.first, VALIDATION_STEP, (VALIDATION_STEP,))
            given.add(counter)

    def counter_text(self, variable: Variable) -> str:
        """What a name of the epoch loop counts: the range's value, or the turns when ``enumerate`` is around it."""
        epochs = self.draft.nest.epochs
        assert epochs is not None
        if epochs.index is not None and self.variables.of(self.entry, epochs.index) is variable:
            return "self.current_epoch" + self.offset(epochs.first, self.entry, EPOCH_START)
        return self.epoch_text()

    def give_index(self, frame: Frame, name: str, first: ast.expr | None, home: str, hooks: tuple[str, ...]) -> None:
        variable = self.variables.of(frame, name)
        if variable is None:
            return
        text = self.state.aside.get("batch_idx", "batch_idx") + self.first_index(first, frame, home)
        found = self.draft.validation
        several = home == VALIDATION_STEP and found is not None and found.over_several(frame)
        if several and found is not None and variable in self.state.homes:
            attribute = self.state.homes[variable]
            self.state.per_loader.add(variable)
            self.prepend(VALIDATION_START, f"{attribute} = [{', '.join(['None'] * len(found.all))}]")
            self.prepend(home, f"{attribute}[{LOADER_INDEX}] = {text}")
        elif variable in self.state.homes:
            self.prepend(home, f"{self.state.homes[variable]} = {text}")
        elif self.rewritten(variable) or is_attribute(variable.name) or self._stays_global(variable, home):
            for hook in (home, BATCH_START):
                read = variable in self.read.get(hook, ()) or self._stays_global(variable, hook)
                asked = read or (hook == home and is_attribute(variable.name))
                if text != variable.name and asked and (hook == home or self.draft.hooks.get(hook)):
                    self.prepend(hook, f"{variable.name} = {text}")
        else:
            self.give_expression(variable, text, hooks)

    def _stays_global(self, variable: Variable, hook: str) -> bool:
        return variable.is_global and variable.name in self.state.global_names.get(hook, ())

    def first_index(self, first: ast.expr | None, frame: Frame, home: str) -> str:
        """What is added to Lightning's index of a batch: where it may change while the loop runs, as it was at its start."""
        if first is None or not self.first_may_change(home, first, frame):
            return self.offset(first, frame, home)
        start = LOOP_START[home]
        attribute = self.free_attribute("first_index" if home == TRAINING_STEP else "first_val_index")
        self.attributes[attribute] = None
        self.state.epilogue.setdefault(start, []).append(f"self.{attribute} = {self.text_of(first, frame, start)}")
        return f" + self.{attribute}"

    def offset(self, first: ast.expr | None, frame: Frame, hook: str) -> str:
        if first is None or (isinstance(first, ast.Constant) and first.value == 0):
            return ""
        return " + " + self.text_of(first, frame, hook)

    def text_of(self, node: ast.expr, frame: Frame, hook: str) -> str:
        """An expression with its variables at their homes."""
        return _Homes(self, frame, hook).text(node)

    def epoch_text(self) -> str:
        assert self.draft.nest.epochs is not None
        if (sequence := sequence_of(self.draft, self.draft.nest.epochs)) is not None:
            self.hold_names(sequence)
            return self.text_of(element(sequence), self.entry, EPOCH_START)
        base = self.range_call()
        if len(base.args) == 1:
            return "self.current_epoch"
        start = base.args[0]
        text = "self.current_epoch"
        if len(base.args) == 3:
            text += f" * {self.text_of(base.args[2], self.entry, EPOCH_START)}"
        if isinstance(start, ast.Constant) and start.value == 0:
            return text
        if self.changes_in_loop(start):
            return f"{text} + {self.first_epoch(start)}"
        self.hold_names(start)
        inner = self.text_of(start, self.entry, EPOCH_START)
        return f"{text} + {inner}"

    def changes_in_loop(self, expression: ast.expr) -> bool:
        """Whether an expression may give something else while the loop runs: by what the loop binds, or as it looks into an object."""
        if any(isinstance(n, ast.Call | ast.Subscript) for n in walk(expression)):
            return True
        variables = [self.variables.of(self.entry, n.id) for n in walk(expression) if isinstance(n, ast.Name)]
        return any(v in written for v in variables for written in self.written.values())

    def first_epoch(self, start: ast.expr) -> str:
        """The attribute that keeps what the epochs started with."""
        known = next(
            (a for _p, a, argument in self.state.parameters if argument == self.draft.source.segment(start)), ""
        )
        if not known:
            known = self.free_attribute("first_epoch")
            self.attributes[known] = None
            self.add_parameter(known, known, self.draft.source.segment(start))
        return f"self.{known}"

    def hold_names(self, expression: ast.expr) -> None:
        """Give the module the values of the entry function that an expression reads."""
        for node in walk(expression):
            if isinstance(node, ast.Name) and (v := self.variables.of(self.entry, node.id)):
                elsewhere = v.is_global and not may_be_handed_in(self.draft, v)
                bound_later = self.state.inside and self.draft.roles.rebound_unseen((v.scope, v.name))
                if v not in self.state.homes and not elsewhere and not bound_later:
                    attribute = self.attribute_of(v)
                    self.state.homes[v] = f"self.{attribute}"
                    self.add_parameter(v.name, attribute, v.name)

    def range_call(self) -> ast.Call:
        assert self.draft.nest.epochs is not None
        base = self.draft.nest.epochs.base
        if isinstance(base, ast.Name):
            key = self.draft.roles.key(self.entry.scope, base.id)
            base = self.draft.roles.bindings(key)[0].value if key else base
        assert isinstance(base, ast.Call)
        return base

    def give_expression(self, variable: Variable, text: str, hooks: tuple[str, ...]) -> None:
        """Let an expression stand for a counter; where it is read often or in arithmetic, name it at the hook's top."""
        simple = " " not in text
        for hook in hooks:
            uses = [
                node
                for item in self.draft.hooks.get(hook, [])
                if item.node not in self.draft.removals
                for node, frame in names_in(item)
                if self.variables.of(frame, node.id) is variable
            ]
            if not uses:
                continue
            inline = simple or (len(uses) == 1 and self.stands_alone(uses[0]))
            if inline:
                self.state.in_hook[(hook, variable)] = text
            elif text != variable.name:
                self.prepend(hook, f"{variable.name} = {text}")

    def stands_alone(self, node: ast.Name) -> bool:
        parent = self.draft.source.parents.get(node)
        return isinstance(
            parent, ast.Call | ast.keyword | ast.FormattedValue | ast.Assign | ast.Tuple | ast.List | ast.Dict
        )


class _Homes(ast.NodeTransformer):
    def __init__(self, settler: Counters, frame: Frame, hook: str) -> None:
        self.settler = settler
        self.frame = frame
        self.hook = hook

    def text(self, node: ast.expr) -> str:
        copy: ast.AST = ast.parse(ast.unparse(node), mode="eval").body
        return ast.unparse(self.visit(copy))

    def visit_Name(self, node: ast.Name) -> ast.AST:
        variable = self.settler.variables.of(self.frame, node.id)
        if variable is None:
            return node
        counts = variable in self.settler.counter_variables() and variable not in self.settler.state.homes
        if counts and (self.hook, variable) not in self.settler.state.in_hook:
            return ast.parse(self.settler.counter_text(variable), mode="eval").body
        text = self.settler.state.in_hook.get((self.hook, variable)) or self.settler.state.homes.get(variable)
        return ast.parse(text, mode="eval").body if text else node
