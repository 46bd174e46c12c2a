"""What a hook is handed, and the names that its locals keep."""

from __future__ import annotations

import ast
import itertools

from ...recover.items import parts
from ...recover.names import flow
from ...recover.nest import Frame
from ...recover.state_names import is_attribute, plain
from ...recover.syntax import walk
from ...recover.variables import Variable
from ..draft import (
    BATCH_END,
    BATCH_START,
    HOOKS,
    TRAINING_STEP,
    VALIDATION_STEP,
)
from .construction import Construction

_OTHER_NAMES = {
    "batch": ("data_batch", "batch_of_data"),
    "batch_idx": ("batch_index", "index_of_batch"),
    "outputs": ("step_outputs", "outputs_of_step"),
}
"""What parameters of hooks are called where the script needs their names."""


class Batches(Construction):
    """Gives homes to the batch and to locals of one name."""

    def give_batches(self) -> None:
        nest = self.draft.nest
        if self.in_batches() and nest.batches is not None:
            self.give_batch(nest.batches.items, nest.inner, TRAINING_STEP)
            self.give_batch(nest.batches.items, nest.inner, BATCH_START)
            if self.loop_variables(BATCH_END):
                self.give_batch(nest.batches.items, nest.inner, BATCH_END)
        elif nest.batches is None and nest.epochs is not None:
            self.give_batch(nest.epochs.items, nest.entry, TRAINING_STEP)
        if self.draft.validation is not None:
            self.give_batch(self.draft.validation.loop.items, self.draft.validation.frame, VALIDATION_STEP)

    def give_batch(self, items: ast.expr, frame: Frame, hook: str) -> None:
        """The hook's batch parameter: the loop's own name, or `batch` unpacked into its names."""
        batch = self.state.aside.get("batch", "batch")
        self.state.batch_parameter[hook] = batch
        if isinstance(items, ast.Name):
            variable = self.variables.of(frame, items.id)
            if hook == BATCH_END and (variable is None or variable not in self.read.get(hook, ())):
                return
            if variable is not None and variable in self.state.homes:
                self.state.unpacked[hook] = f"{self.state.homes[variable]} = {batch}"
            elif items.id in ("self", self.state.aside.get("batch_idx", "batch_idx")) or is_attribute(items.id):
                self.state.unpacked[hook] = f"{items.id} = {batch}"
            elif items.id != "_":
                self.state.batch_parameter[hook] = items.id
            return
        names = {v for n in walk(items) if isinstance(n, ast.Name) and (v := self.variables.of(frame, n.id))}
        # What is not used is kept for no other hook.
        readers = (hook,) if hook in (BATCH_START, BATCH_END) else HOOKS
        used: set[Variable] = set().union(*(self.read.get(h, set()) for h in readers))
        if names & used:
            for variable in sorted(names & self.counter_variables() - self.state.homes.keys(), key=lambda v: v.rank):
                self.state.in_hook[(hook, variable)] = variable.name  # the batch takes the counter's name
            self.state.unpacked[hook] = f"{self.text_of(items, frame, hook)} = {batch}"
        elif self.draft.hooks.get(hook):
            self.state.unpacked[hook] = ""

    def part_locals(self, assigned: set[Variable]) -> None:
        """Two different locals of one name in one hook get different names, and so does one that hides an outer name."""
        for hook in HOOKS:
            outer_names = dict(self._outer_names(hook, assigned))
            # What the hook's own parameters bind keeps its name.
            given = self._unpacked(hook)
            for name, outer in outer_names.items():
                if name in self._parameters(hook) or given.get(name, outer) is not outer:
                    message = f"`{name}` of the script would be hidden by the parameter of that name in `{hook}`"
                    raise self.draft.refuse("output-not-valid", self.draft.nest.outermost, message)
            seen: dict[str, Variable | None] = {**given, **outer_names}
            for item in self.draft.hooks.get(hook, []):
                use = self.variables.use(item)
                for variable in sorted(use.read | use.written, key=lambda v: v.rank):
                    if variable in self.state.homes or (hook, variable) in self.state.in_hook or variable.frame is None:
                        continue
                    if variable not in assigned:
                        continue
                    other = seen.setdefault(variable.name, variable)
                    if other is not variable:
                        owner = plain(variable.frame.name) or "outer"
                        self.state.in_hook[(hook, variable)] = self._free(f"{owner}_{variable.name}", hook)

    def _free(self, name: str, hook: str) -> str:
        """The name, or one like it that nothing in the hook has yet."""
        taken = {text for (place, _variable), text in self.state.in_hook.items() if place == hook}
        taken |= self._parameters(hook)
        for item in self.draft.hooks.get(hook, []):
            taken |= {item.target} if item.target else set()
            for part, _frame in parts(item):
                taken |= flow([part]).read | flow([part]).written
        return next(free for n in itertools.count(1) if (free := name if n == 1 else f"{name}_{n}") not in taken)

    def _unpacked(self, hook: str) -> dict[str, Variable | None]:
        """What the hook's own parameters give a value, under the names that it has there."""
        left = (v for v in self.loop_variables(hook) if v not in self.state.homes)
        return {v.name: v for v in sorted(left, key=lambda v: v.rank)}

    def _parameters(self, hook: str) -> set[str]:
        """The hook's own parameters, which no other name may have."""
        aside = self.state.aside
        index, batch = aside.get("batch_idx", "batch_idx"), aside.get("batch", "batch")
        if hook in (BATCH_START, TRAINING_STEP, VALIDATION_STEP):
            return {"self", self.state.batch_parameter.get(hook, batch), index}
        return {"self", aside.get("outputs", "outputs"), batch, index} if hook == BATCH_END else {"self"}

    def set_parameters_aside(self) -> None:
        """Give the hooks' parameters other names where the script has functions or imports of their names."""
        hooks = (BATCH_START, TRAINING_STEP, VALIDATION_STEP, BATCH_END)
        read = {name for hook in hooks for name, outer in self._outer_names(hook, set()) if outer is None}
        for name, others in _OTHER_NAMES.items():
            if name in read:
                free = (other for other in others if other not in self.draft.source.names)
                self.state.aside[name] = next(free, f"{name}_of_lightning")

    def _outer_names(self, hook: str, assigned: set[Variable]) -> list[tuple[str, Variable | None]]:
        """The names of the module, imports and builtins that a hook reads as they are."""
        found: dict[str, Variable | None] = {}
        for item in self.draft.hooks.get(hook, []):
            for part, frame in parts(item):
                for name in sorted(flow([part]).read):
                    variable = self.variables.of(frame, name)
                    text = self.state.homes.get(variable, name) if variable is not None else name
                    if text != name:
                        continue
                    if variable is None or variable.frame is None or (variable.is_global and variable not in assigned):
                        found.setdefault(name, variable)
        return list(found.items())
