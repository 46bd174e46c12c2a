"""What is known of the variables of a nest before any of them gets its home."""

from __future__ import annotations

import ast
from collections.abc import Collection

from ...recover.loops import loop_names
from ...recover.names import flow, free_names, parameter_names
from ...recover.nest import Frame
from ...recover.roles import Role
from ...recover.state_names import is_attribute, is_whole, plain
from ...recover.syntax import walk
from ...recover.variables import Variable
from ..afterwards import statements_after
from ..closures import called_at_once
from ..draft import (
    BATCH_END,
    BATCH_START,
    EPOCH_START,
    HOOKS,
    TRAINING_STEP,
    VALIDATION_END,
    VALIDATION_START,
    VALIDATION_STEP,
    Draft,
)
from ..handlers import read_in_handlers
from ..loop_bars import loop_bars
from ..module_names import IN_OTHER_WORDS, RESERVED
from ..moved import moved_functions
from ..optimizers import Configured
from ..own_bars import read_as_loader
from ..parameters import Argument
from ..set_in_loop import is_set_in_loop
from ..state import State
from .same_test import bound_under_the_same_test

DICT_METHODS = frozenset(
    ["keys", "values", "items", "get", "pop", "update", "copy", "clear", "setdefault", "popitem", "fromkeys"]
)
"""What a configuration may be asked as a dictionary: an attribute of such a name may be a method."""


LOOP_START = {TRAINING_STEP: EPOCH_START, VALIDATION_STEP: VALIDATION_START}
"""The hook whose end is where the loop over the batches of a step begins."""

LOOP_HOOKS = {
    TRAINING_STEP: (BATCH_START, TRAINING_STEP, BATCH_END, VALIDATION_START, VALIDATION_STEP, VALIDATION_END),
    VALIDATION_STEP: (VALIDATION_STEP,),
}
"""The hooks that run between two batches of a step."""


def _validated(draft: Draft) -> list[Frame]:
    return draft.validation.frames if draft.validation is not None else []


def _asked_later(closure: ast.AST) -> Collection[str]:
    """The names that a function reads, or a generator whenever it is asked for its next value."""
    if isinstance(closure, ast.GeneratorExp):
        return {n.id for n in walk(closure) if isinstance(n, ast.Name)}
    assert isinstance(closure, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef)
    return free_names(closure)


class Facts:
    """The variables of a nest: which hooks read and write them, and what is read after the loop."""

    def __init__(self, draft: Draft, configured: Configured) -> None:
        self.draft = draft
        self.configured = configured
        self.state = State()
        self.variables = draft.variables
        self.entry = draft.nest.entry
        self.exposed: dict[str, set[Variable]] = {}
        self.written: dict[str, set[Variable]] = {}
        self.definite: dict[str, set[Variable]] = {}
        self.read: dict[str, set[Variable]] = {}
        self.attributes: dict[str, Variable | None] = {}
        self.fixed: dict[Variable, Argument] = {}
        self.parameters: set[str] = set()
        self.kept: set[Variable] = set()
        """Variables that a closure reads which may be called after the hook that made it."""

    def measure(self) -> None:
        for hook in HOOKS:
            items = [i for i in self.draft.hooks.get(hook, []) if i.node not in self.draft.removals]
            if not items and hook not in (TRAINING_STEP, VALIDATION_STEP):
                continue
            bound = self.loop_variables(hook)
            use = self.variables.sequence(items)
            bars = {v for v in loop_bars(self.draft) if not self.is_loader_too(v, hook)}
            exposed, read = set(use.exposed) - bound - bars, set(use.read) - bars
            exposed -= bound_under_the_same_test(self.draft, items)
            if hook == TRAINING_STEP and self.draft.returned is not None:
                names = flow([self.draft.returned]).read
                loss = self.variables.names(self.draft.nest.step_frame, names)
                read |= loss
                exposed |= loss - use.definite - bound
            self.exposed[hook] = self.behind_parameters(exposed)
            self.read[hook] = self.behind_parameters(read)
            self.written[hook] = set(use.written) | bound
            self.definite[hook] = set(use.definite) | bound
        for hook in (TRAINING_STEP,):
            counters = self.counter_variables()
            self.written.setdefault(EPOCH_START, set()).update(counters)
            self.exposed.setdefault(hook, set())
        self._measure_first_indices()

    def _measure_first_indices(self) -> None:
        """What the first number of ``enumerate`` is made of is read where the number is, or where the loop begins."""
        nest, validation = self.draft.nest, self.draft.validation
        counted = [(TRAINING_STEP, nest.batches, nest.inner)] if self.in_batches() else []
        counted += [(VALIDATION_STEP, one.loop, one.frame) for one in (validation.firsts if validation else [])]
        for step, loop, frame in counted:
            if loop is None or loop.index is None or loop.first is None:
                continue
            index = self.variables.of(frame, loop.index)
            if not any(index in read for read in self.read.values()):
                continue
            hook = LOOP_START[step] if self.first_may_change(step, loop.first, frame) else step
            names = self.behind_parameters(set(self.variables.names(frame, flow([loop.first]).read)))
            names -= self.counter_variables()
            self.read.setdefault(hook, set()).update(names)
            self.exposed.setdefault(hook, set()).update(names - self.definite.get(hook, set()))

    def first_may_change(self, step: str, first: ast.expr, frame: Frame) -> bool:
        """Whether the first number of ``enumerate`` may be another one when it is worked out while the loop runs."""
        for node in walk(first):
            if isinstance(node, ast.Call) and not _is_length(node):
                return True
            if isinstance(node, ast.Subscript | ast.NamedExpr | ast.Await | ast.Yield):
                return True
        if is_set_in_loop(self.draft, first):
            return True
        names = self.variables.names(frame, flow([first]).read)
        return any(names & self.written.get(hook, set()) for hook in LOOP_HOOKS[step])

    def is_loader_too(self, variable: Variable, hook: str) -> bool:
        """Whether the name of a bar is that of the loader, and the hook asks the loader."""
        nest, validation = self.draft.nest, self.draft.validation
        loops = [
            (nest.batches, nest.inner),
            *((one.loop, one.frame) for one in (validation.firsts if validation else [])),
        ]
        bases = [self.draft.variable(loop.base, frame) for loop, frame in loops if loop is not None]
        return variable in bases and read_as_loader(self.draft, variable, hook)

    def behind_parameters(self, variables: set[Variable]) -> set[Variable]:
        """The same with what an argument reads in place of the parameter that it stands for."""
        found = set(variables)
        for variable in variables & set(self.fixed):
            value, frame = self.fixed[variable]
            found.discard(variable)
            found |= self.variables.names(frame, flow([value]).read)
        return found

    def loop_variables(self, hook: str) -> set[Variable]:
        nest = self.draft.nest
        if hook in (BATCH_START, TRAINING_STEP) and self.in_batches():
            assert nest.batches is not None
            return {v for n in loop_names(nest.batches) if (v := self.variables.of(nest.inner, n))}
        if hook == BATCH_END and self.in_batches():
            given = self.loop_variables(TRAINING_STEP)
            return set() if any(self.rewritten(v) for v in given) else given
        if hook == TRAINING_STEP and nest.batches is None and nest.epochs is not None:
            return {v for n in loop_names(nest.epochs) if (v := self.variables.of(nest.entry, n))}
        if hook == VALIDATION_STEP and self.draft.validation is not None:
            loops = [(one.loop, one.frame) for one in self.draft.validation.firsts]
            return {v for loop, frame in loops for n in loop_names(loop) if (v := self.variables.of(frame, n))}
        return set()

    def in_batches(self) -> bool:
        return self.draft.nest.batches is not None and self.draft.mechanism.value != "epochs"

    def counter_variables(self) -> set[Variable]:
        nest = self.draft.nest
        if nest.epochs is None or nest.batches is None:
            return set()
        return {v for n in loop_names(nest.epochs) if (v := self.variables.of(nest.entry, n))}

    def order(self, variables: set[Variable]) -> list[Variable]:
        """By first mention in the hooks."""
        ranked: dict[Variable, int] = {}
        for item in self.draft.all_items():
            use = self.variables.use(item)
            for variable in sorted(use.read | use.written, key=lambda v: v.rank):
                ranked.setdefault(variable, len(ranked))
        rest = sorted((v for v in variables if v not in ranked), key=lambda v: v.rank)
        for variable in rest:
            ranked[variable] = len(ranked)
        return sorted(variables, key=lambda v: ranked[v])

    def by_importance(self, variables: list[Variable]) -> list[Variable]:
        rank = {Role.MODEL: 0, Role.CRITERION: 1}
        return sorted(variables, key=lambda v: rank.get(self.role(v), 2))  # type: ignore[arg-type]

    def role(self, variable: Variable) -> Role | None:
        return self.draft.roles.role_of((variable.scope, variable.name))

    def index_variables(self) -> set[Variable]:
        found: set[Variable] = set()
        nest = self.draft.nest
        if self.in_batches() and nest.batches is not None and nest.batches.index:
            if v := self.variables.of(nest.inner, nest.batches.index):
                found.add(v)
        for one in self.draft.validation.firsts if self.draft.validation is not None else []:
            if one.loop.index and (v := self.variables.of(one.frame, one.loop.index)):
                found.add(v)
        return {v for v in found if not self.rewritten(v)}

    def counts_validation(self, variable: Variable) -> bool:
        """Whether it is what a validation loop counts its own batches by."""
        validation = self.draft.validation
        counting = [one for one in validation.firsts if one.loop.index] if validation is not None else []
        return any(self.variables.of(one.frame, one.loop.index or "") is variable for one in counting)

    def is_asked_for(self, variable: Variable) -> bool:
        """Whether a hook reads what the variable held when the hook began."""
        return any(variable in exposed for exposed in self.exposed.values())

    def rewritten(self, variable: Variable) -> bool:
        return variable in self.variables.sequence(self.draft.all_items()).written

    def read_after(self, variable: Variable) -> bool:
        if variable.scope is not self.entry.scope:
            return False
        return variable.name in self.names_after() or self._read_by_next_training(variable)

    def _read_by_next_training(self, variable: Variable) -> bool:
        """Whether the training runs again in a turn of a loop around it, and goes on with the value that it had left."""
        draft, around = self.draft, self.loops_outside()
        if not around:
            return False
        tests = [n.test for n in around if isinstance(n, ast.While)]
        if any(isinstance(n, ast.Name) and n.id == variable.name for test in tests for n in walk(test)):
            return True
        inside = {id(n) for n in walk(draft.nest.outermost)}
        bound = [b for b in draft.roles.bindings((variable.scope, variable.name)) if id(b.statement) not in inside]
        first = bound or (
            not isinstance(variable.scope, ast.Module) and variable.name in parameter_names(variable.scope)
        )
        return bool(first) and variable.name in flow([*statements_after(draft), draft.nest.outermost]).exposed

    def read_out_of_sight(self, variable: Variable) -> bool:
        """Whether code outside of the loop reads a variable of the script, or of a function around, that the loop's function binds."""
        draft = self.draft
        outside = variable.is_global or variable.frame is None
        if not outside or isinstance(self.entry.scope, ast.Module):
            return False
        if variable.name in draft.wanted_elsewhere:
            return True
        moved, inside = moved_functions(draft), {id(n) for n in walk(draft.nest.outermost)}
        mentions = draft.roles.mentions((variable.scope, variable.name))
        read = [n for n in mentions if isinstance(n.ctx, ast.Load) and id(n) not in inside]
        return any(draft.source.scope_of(n) not in moved for n in read)

    def names_after(self) -> set[str]:
        if not hasattr(self, "_names_after"):
            statements = statements_after(self.draft)
            names = set(flow(statements).exposed) | read_in_handlers(self.draft)
            for function in self.remaining_functions():
                names |= free_names(function) if isinstance(self.entry.scope, ast.Module) else set()
            self._names_after = names
        return self._names_after

    def looped_outside(self) -> bool:
        return bool(self.loops_outside())

    def loops_outside(self) -> list[ast.For | ast.While]:
        """The loops of the entry scope around the training."""
        found: list[ast.For | ast.While] = []
        for ancestor in self.draft.source.ancestors(self.draft.nest.outermost):
            if ancestor is self.entry.scope:
                break
            if isinstance(ancestor, ast.For | ast.While):
                found.append(ancestor)
        return found

    def remaining_functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        gone = set(moved_functions(self.draft))
        return [f for f in self.draft.source.functions if f not in gone and f is not self.entry.scope]

    def shared_global(self, variable: Variable) -> bool:
        """Whether another function of the file uses the module variable, so that it must stay one."""
        functions = self.remaining_functions()
        return variable.is_global and (
            any(variable.name in free_names(f) for f in functions) or self.read_by_closure(variable) is not None
        )

    def read_by_closure(self, variable: Variable) -> ast.AST | None:
        """What is made before the loop, reads a name of the entry scope whenever it is asked, and may be asked in the loop."""
        for closure in self._closures():
            if variable.name in _asked_later(closure):
                key = self.draft.roles.key(self.draft.source.scope_of(closure), variable.name)
                if key == (variable.scope, variable.name):
                    return closure
        return None

    def _closures(self) -> list[ast.AST]:
        """Lambdas and generators before the loop that are kept, and functions of the entry scope whose code stays where it is."""
        if not hasattr(self, "_kept_closures"):
            draft, line = self.draft, self.draft.nest.outermost.lineno
            kept: list[ast.AST] = [
                n for n in draft.source.all(ast.Lambda) if n.lineno < line and not called_at_once(draft, n)
            ]
            kept += [
                n
                for n in draft.source.all(ast.GeneratorExp)
                if n.lineno < line and isinstance(draft.source.parents[n], ast.Assign)
            ]
            if not isinstance(self.entry.scope, ast.Module):
                entered = {id(frame.scope) for frame in (*draft.nest.entered, *_validated(draft))}
                inside = [f for f in self.remaining_functions() if self.entry.scope in draft.source.ancestors(f)]
                kept += [f for f in inside if f.lineno < line and id(f) not in entered]
            self._kept_closures = kept
        return self._kept_closures

    def free_attribute(self, name: str) -> str:
        if name in RESERVED:
            name = IN_OTHER_WORDS.get(name, f"own_{name}")
        number, free = 2, name
        while free in self.attributes or free in RESERVED:
            number, free = number + 1, f"{name}_{number}"
        return free

    def attribute_of(self, variable: Variable) -> str:
        for name, owner in self.attributes.items():
            if owner is variable:
                return name
        name = self.free_attribute(plain(variable.name).lstrip("_") if is_attribute(variable.name) else variable.name)
        self.attributes[name] = variable
        return name

    def used_in_hooks(self, variable: Variable) -> bool:
        return any(variable in read for read in self.read.values())

    def add_parameter(self, parameter: str, attribute: str, argument: str) -> None:
        if is_attribute(parameter):  # the module gets the object itself
            self.state.views.setdefault(attribute, parameter)
            return
        if is_whole(parameter):
            raise self.draft.refuse("loop-in-class", self.draft.nest.outermost, "the object is needed as a whole")
        parameter = "self_" if parameter == "self" else parameter
        if any(known == parameter and other != attribute for known, other, _argument in self.state.parameters):
            message = f"`{parameter}` stands for two things in the training, of which the Trainer's function sees one"
            raise self.draft.refuse("output-not-valid", self.draft.nest.outermost, message)
        if parameter not in self.parameters:
            self.parameters.add(parameter)
            self.state.parameters.append((parameter, attribute, argument))

    def prepend(self, hook: str, line: str) -> None:
        self.state.prologue.setdefault(hook, []).insert(0, line)


def _is_length(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "len"
