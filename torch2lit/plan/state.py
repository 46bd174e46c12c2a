"""Where every value lives in the module: a local of one hook, an attribute, a constructor argument, or where it was."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from ..recover.items import Item, names_in
from ..recover.loops import loop_names
from ..recover.names import flow, free_names, parameter_names, target_names
from ..recover.nest import Frame
from ..recover.roles import Role
from ..recover.state_names import is_attribute, is_state, plain
from ..recover.syntax import dotted, walk, walk_statements
from ..recover.variables import Variable
from .closures import check_definitions, kept_captures
from .draft import (
    BATCH_END,
    BEFORE_STEP,
    EPOCH_END,
    EPOCH_START,
    HOOKS,
    TRAINING_STEP,
    VALIDATION_END,
    VALIDATION_START,
    VALIDATION_STEP,
    Draft,
    Removal,
)
from .epoch_values import element, sequence_of
from .handlers import read_in_handlers, written_in_handlers
from .idioms import loop_bars
from .module_names import RESERVED
from .moved import moved_functions
from .optimizers import Configured, on_the_way
from .parameters import Argument, take_fixed_parameters
from .settings import holds_plain_values
from .validation import statements_after

_HOOK_PARAMETERS = {"self", "batch", "batch_idx", "outputs"}
"""Names that a hook's own parameters would hide."""
_DICT_METHODS = {
    "keys",
    "values",
    "items",
    "get",
    "pop",
    "update",
    "copy",
    "clear",
    "setdefault",
    "popitem",
    "fromkeys",
}


@dataclass
class State:
    """Homes of variables.

    ``homes``: the text that stands for a variable inside the module, the same in every hook. ``local``: per hook,
    names that stand for something else there. ``prologue``: per hook, assignments at its top.
    """

    homes: dict[Variable, str] = field(default_factory=dict)
    in_hook: dict[tuple[str, Variable], str] = field(default_factory=dict)
    prologue: dict[str, list[str]] = field(default_factory=dict)
    parameters: list[tuple[str, str, str]] = field(default_factory=list)
    """Constructor: parameter, attribute, argument at the entry point."""
    hyperparameters: str = ""
    """The configuration whose values become ``self.hparams``, as the entry point calls it."""
    initial: list[tuple[str, ast.stmt]] = field(default_factory=list)
    """Attributes that start with the value of a raw statement, which moves into the constructor."""
    global_names: dict[str, set[str]] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)
    """Names of the entry scope that are attributes after training."""
    written_back: list[tuple[str, str]] = field(default_factory=list)
    views: dict[str, str] = field(default_factory=dict)
    """Attributes that hold models of the object whose methods train, with the attribute's name in the plain view."""
    holder: str = ""
    """The attribute that holds that object, "" when no hook needs it."""
    inside: bool = False
    """The class stands in the entry function, because it needs that function's own definitions."""
    contexts: dict[ast.withitem, str] = field(default_factory=dict)
    """For each part of a `with` that begins in one hook and ends in another: the attribute that holds it."""
    batch_parameter: dict[str, str] = field(default_factory=dict)
    unpacked: dict[str, str] = field(default_factory=dict)


def settle(draft: Draft, configured: Configured) -> State:
    """Find a home for every variable of the nest."""
    return _Settler(draft, configured).run()


class _Settler:
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

    # ---- facts

    def run(self) -> State:
        self.fixed = take_fixed_parameters(self.draft)
        self.measure()
        check_definitions(self.draft, self.names_after())
        self.kept = kept_captures(self.draft)
        assigned = set().union(*self.written.values()) if self.written else set()
        mentioned = assigned.union(*self.read.values()) if self.read else assigned
        order = self.order(mentioned)
        self.place_class()
        promoted = [v for v in order if v in assigned and self.must_live_on(v)]
        outer = [v for v in order if v not in assigned]
        self.name_attributes(promoted)
        for variable in promoted:
            self.promote(variable)
        for variable in self.by_importance(outer):
            self.give_outer(variable)
        self.give_unmentioned_models(mentioned)
        self.give_optimizers()
        self.give_contexts()
        self.give_counters(assigned)
        self.give_batches()
        self.give_static()
        self.part_locals(assigned)
        for variable, (value, frame) in self.fixed.items():
            self.state.homes[variable] = self.text_of(value, frame, TRAINING_STEP)
        return self.state

    def measure(self) -> None:
        for hook in HOOKS:
            items = [i for i in self.draft.hooks.get(hook, []) if i.node not in self.draft.removals]
            if not items and hook not in (TRAINING_STEP, VALIDATION_STEP):
                continue
            bound = self.loop_variables(hook)
            use = self.variables.sequence(items)
            bars = loop_bars(self.draft)
            exposed, read = set(use.exposed) - bound - bars, set(use.read) - bars
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
        if hook == TRAINING_STEP and self.in_batches():
            assert nest.batches is not None
            return {v for n in loop_names(nest.batches) if (v := self.variables.of(nest.inner, n))}
        if hook == TRAINING_STEP and nest.batches is None and nest.epochs is not None:
            return {v for n in loop_names(nest.epochs) if (v := self.variables.of(nest.entry, n))}
        if hook == VALIDATION_STEP and self.draft.validation is not None:
            found = self.draft.validation
            return {v for n in loop_names(found.loop) if (v := self.variables.of(found.frame, n))}
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

    # ---- values that live across hooks

    def must_live_on(self, variable: Variable) -> bool:
        if variable in self.kept:
            return True
        if is_attribute(variable.name):  # whoever has the object may look at it
            return True
        counters = self.counter_variables()
        if variable in counters:
            rewritten = any(variable in self.variables.sequence(self.draft.hooks.get(h, [])).written for h in HOOKS)
            return rewritten or self.read_after(variable)
        if variable in self.index_variables():
            elsewhere = [h for h in HOOKS if h not in (TRAINING_STEP, BATCH_END, VALIDATION_STEP)]
            return any(variable in self.exposed.get(h, ()) for h in elsewhere) or self.read_after(variable)
        return any(variable in exposed for exposed in self.exposed.values()) or self.read_after(variable)

    def index_variables(self) -> set[Variable]:
        found: set[Variable] = set()
        nest = self.draft.nest
        if self.in_batches() and nest.batches is not None and nest.batches.index:
            if v := self.variables.of(nest.inner, nest.batches.index):
                found.add(v)
        validation = self.draft.validation
        if validation is not None and validation.loop.index:
            if v := self.variables.of(validation.frame, validation.loop.index):
                found.add(v)
        return {v for v in found if not self.rewritten(v)}

    def rewritten(self, variable: Variable) -> bool:
        return variable in self.variables.sequence(self.draft.all_items()).written

    def read_after(self, variable: Variable) -> bool:
        return variable.scope is self.entry.scope and variable.name in self.names_after()

    def names_after(self) -> set[str]:
        if not hasattr(self, "_names_after"):
            statements = statements_after(self.draft)
            names = set(flow(statements).exposed) | read_in_handlers(self.draft)
            for function in self.remaining_functions():
                names |= free_names(function) if isinstance(self.entry.scope, ast.Module) else set()
            self._names_after = names
        return self._names_after

    def looped_outside(self) -> bool:
        for ancestor in self.draft.source.ancestors(self.draft.nest.outermost):
            if ancestor is self.entry.scope:
                break
            if isinstance(ancestor, ast.For | ast.While):
                return True
        return False

    def remaining_functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        gone = set(moved_functions(self.draft))
        return [f for f in self.draft.source.functions if f not in gone and f is not self.entry.scope]

    def shared_global(self, variable: Variable) -> bool:
        """Whether another function of the file uses the module variable, so that it must stay one."""
        return variable.is_global and any(variable.name in free_names(f) for f in self.remaining_functions())

    def name_attributes(self, promoted: list[Variable]) -> None:
        """Choose attribute names: the user's, with the function's name before it where two would be the same."""
        groups: dict[str, list[Variable]] = {}
        for variable in promoted:
            groups.setdefault(variable.name, []).append(variable)
        for variable in promoted:
            name = variable.name
            if len(groups[name]) > 1 and variable.frame is not None and variable.frame.name:
                prefix = plain(variable.frame.name)
                if not name.startswith(prefix) and variable.frame is not self.entry:
                    name = f"{prefix}_{name}"
            self.attributes[self.free_attribute(name)] = variable

    def free_attribute(self, name: str) -> str:
        if name in RESERVED:
            name = f"raw_{name}"
        while name in self.attributes or name in RESERVED:
            name += "_"
        return name

    def attribute_of(self, variable: Variable) -> str:
        for name, owner in self.attributes.items():
            if owner is variable:
                return name
        name = self.free_attribute(plain(variable.name).lstrip("_") if is_attribute(variable.name) else variable.name)
        self.attributes[name] = variable
        return name

    def promote(self, variable: Variable) -> None:
        shared = is_attribute(variable.name) or variable.frame is None
        if variable.is_global and (shared or self.shared_global(variable)):
            for hook in HOOKS:
                if variable in self.written.get(hook, ()):
                    self.state.global_names.setdefault(hook, set()).add(variable.name)
            return
        if variable.frame is None:
            raise self.draft.refuse(
                "closure-over-loop-state",
                self.draft.nest.outermost,
                f"`{variable.name}` belongs to an enclosing function and is changed in the loop",
            )
        attribute = self.attribute_of(variable)
        self.state.homes[variable] = f"self.{attribute}"
        if variable.scope is self.entry.scope and variable.frame is self.entry:
            self.give_initial(variable, attribute)
            self.give_after(variable, attribute)

    def give_initial(self, variable: Variable, attribute: str) -> None:
        """The value that the variable has when training starts."""
        statements = self.statements_before(variable)
        if not statements or not self.needs_initial(variable):
            return
        if len(statements) == 1 and self.may_move(variable, statements[0]):
            self.state.initial.append((attribute, statements[0]))
            self.draft.removals[statements[0]] = Removal("__init__", "promote_state", "the value lives on the module")
            return
        self.add_parameter(variable.name, attribute, variable.name)

    def needs_initial(self, variable: Variable) -> bool:
        """Whether some hook may read the variable before any hook has surely written it."""
        for hook in HOOKS:
            if variable in self.exposed.get(hook, ()):
                return True
            if variable in self.definite.get(hook, ()) and hook in self.surely_run():
                return False
        return self.read_after(variable)

    def surely_run(self) -> set[str]:
        """The hooks that run in every epoch; a loader holds at least one batch."""
        validation = self.draft.validation
        always = {EPOCH_START, TRAINING_STEP, BEFORE_STEP, BATCH_END, EPOCH_END}
        if validation is not None and validation.every is None:
            always |= {VALIDATION_START, VALIDATION_END}
        return always

    def statements_before(self, variable: Variable) -> list[ast.stmt]:
        found = []
        for statement in walk_statements(self.entry.scope.body):
            if statement.lineno >= self.draft.nest.outermost.lineno:
                break
            if variable.name in _own_targets(statement):
                found.append(statement)
        if not isinstance(self.entry.scope, ast.Module):
            if variable.name in parameter_names(self.entry.scope):
                found.append(self.entry.scope.body[0])
                found.append(self.entry.scope.body[0])
        return found

    def may_move(self, variable: Variable, statement: ast.stmt) -> bool:
        """Whether the one start value is a plain literal that nothing else looks at before the loop."""
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            return False
        if not isinstance(statement.targets[0], ast.Name) or not _is_literal(statement.value):
            return False
        if not on_the_way(self.draft, statement) or self.looped_outside():
            return False
        start, end = statement.lineno, self.draft.nest.outermost.lineno
        if any(dotted(c.func) == "exec" and start < c.lineno < end for c in self.draft.source.calls):
            return False
        for node in walk(self.draft.source.tree):
            if isinstance(node, ast.Name) and node.id == variable.name and start < node.lineno < end:
                scope = self.draft.source.scope_of(node)
                if self.draft.roles.key(scope, node.id) == (variable.scope, variable.name):
                    if scope is self.entry.scope:
                        return False
        return True

    def give_after(self, variable: Variable, attribute: str) -> None:
        if not self.read_after(variable):
            return
        functions = [f for f in self.remaining_functions() if variable.name in free_names(f)]
        statements = statements_after(self.draft)
        rebound = variable.name in flow(statements).written | written_in_handlers(self.draft)
        if functions or rebound or self.looped_outside() or self.another_loop_follows(statements):
            self.state.written_back.append((variable.name, attribute))
        else:
            self.state.after[variable.name] = attribute

    def another_loop_follows(self, statements: list[ast.stmt]) -> bool:
        """Whether another training loop stands among the statements: it goes on with plain names."""
        return any(node in self.draft.other_loops for s in statements for node in walk(s))

    # ---- values that come from outside

    def give_outer(self, variable: Variable) -> None:
        role = self.role(variable)
        if variable in self.configured.optimizers or variable is self.configured.scheduler:
            return
        if variable.frame is not None and variable.frame.caller is not None:
            return
        if role is Role.DEVICE and self.device_may_be_lightnings(variable):
            self.state.homes[variable] = "self.device"
            return
        holds = role in (Role.MODEL, Role.CRITERION)
        if is_state(variable.name) and not (role is Role.MODEL and self.used_in_hooks(variable)):
            return
        hidden = variable.name in _HOOK_PARAMETERS
        if variable.is_global and not holds and not hidden:
            return
        if variable.is_global and not isinstance(self.entry.scope, ast.Module) and role is Role.CRITERION:
            return
        if self.state.inside and not holds:
            return
        if role is Role.LOADER and (text := self.loader_of_trainer(variable)):
            self.state.homes[variable] = text
            self.name_often_used(variable, text)
            return
        if role is Role.CONFIG and self.only_plain_attributes(variable) and not self.state.hyperparameters:
            self.state.homes[variable] = "self.hparams"
            self.state.hyperparameters = variable.name
            self.parameters.add(variable.name)
            return
        if not self.used_in_hooks(variable):
            return
        attribute = self.attribute_of(variable)
        self.state.homes[variable] = f"self.{attribute}"
        self.add_parameter(variable.name, attribute, variable.name)

    def name_often_used(self, variable: Variable, text: str) -> None:
        """Where a hook reads a long expression twice, it goes on calling it as the script does."""
        for hook in HOOKS:
            uses = [
                node
                for item in self.draft.hooks.get(hook, [])
                if item.node not in self.draft.removals
                for node, frame in names_in(item)
                if self.draft.variable(node, frame) is variable
            ]
            clash = any(v.name == variable.name for v in self.read.get(hook, set()) if v is not variable)
            if len(uses) > 1 and not clash:
                self.state.in_hook[(hook, variable)] = variable.name
                self.prepend(hook, f"{variable.name} = {text}")

    def used_in_hooks(self, variable: Variable) -> bool:
        return any(variable in read for read in self.read.values())

    def add_parameter(self, parameter: str, attribute: str, argument: str) -> None:
        if is_attribute(parameter):  # the module gets the object itself
            self.state.views.setdefault(attribute, parameter)
            return
        parameter = "self_" if parameter == "self" else parameter
        if parameter not in self.parameters:
            self.parameters.add(parameter)
            self.state.parameters.append((parameter, attribute, argument))

    def device_may_be_lightnings(self, variable: Variable) -> bool:
        """Whether every use in the hooks is one where any device object will do."""
        made = [b.value for b in self.draft.roles.bindings((variable.scope, variable.name))]
        is_object = bool(made) and all(
            isinstance(m, ast.Call) and ast.unparse(m.func).endswith(("torch.device", "current_accelerator", "device"))
            for m in made
        )
        for item in self.draft.all_items():
            for node, frame in names_in(item):
                if self.draft.variable(node, frame) is variable:
                    parent = self.draft.source.parents.get(node)
                    if isinstance(parent, ast.keyword) and parent.arg == "device":
                        continue
                    if (
                        isinstance(parent, ast.Call)
                        and isinstance(parent.func, ast.Attribute)
                        and parent.func.attr == "to"
                    ):
                        continue
                    if is_object and isinstance(parent, ast.Call) and node in parent.args:
                        continue
                    if is_object and isinstance(parent, ast.Attribute) and parent.attr in ("type", "index"):
                        continue
                    return False
        return True

    def loader_of_trainer(self, variable: Variable) -> str:
        nest = self.draft.nest
        if self.in_batches() and nest.batches is not None:
            if self.draft.variable(nest.batches.base, nest.inner) is variable:
                data = self.draft.train_data
                return "self.trainer.train_dataloader" + (".loader" if data is not None and data.lazy else "")
        validation = self.draft.validation
        if validation is not None and self.draft.variable(validation.loop.base, validation.frame) is variable:
            return "self.trainer.val_dataloaders"
        return ""

    def only_plain_attributes(self, variable: Variable) -> bool:
        if not self.parsed_arguments(variable) or not holds_plain_values(self.draft, variable):
            return False
        for node in walk(self.draft.source.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == variable.name:
                if not isinstance(node.ctx, ast.Load):
                    return False
        for item in self.draft.all_items():
            for node, frame in names_in(item):
                if self.draft.variable(node, frame) is variable:
                    parent = self.draft.source.parents.get(node)
                    if not isinstance(parent, ast.Attribute) or parent.attr in _DICT_METHODS:
                        return False
        return True

    def parsed_arguments(self, variable: Variable) -> bool:
        """Whether the variable holds what an argument parser gave, directly or as a parameter of the entry function."""
        roles = self.draft.roles
        if "FileType(" in self.draft.source.text:  # an open file cannot be copied, and hyper-parameters are
            return False
        bindings = roles.bindings((variable.scope, variable.name))
        if bindings:
            return len(bindings) == 1 and ast.unparse(bindings[0].value).endswith("parse_args()")
        passed = roles.arguments(variable.scope, variable.name)
        values: list[ast.expr] = []
        for scope, argument in passed:
            key = roles.key(scope, argument.id) if isinstance(argument, ast.Name) else None
            values += [b.value for b in roles.bindings(key)] if key else [argument]
        return bool(values) and all(ast.unparse(v).endswith("parse_args()") for v in values)

    def give_unmentioned_models(self, mentioned: set[Variable]) -> None:
        """Hold the trained models even where only a function of the script names them."""
        if any(self.role(v) is Role.MODEL and v in self.state.homes for v in mentioned):
            return
        for optimizer in self.configured.optimizers:
            for binding in self.draft.roles.bindings((optimizer.scope, optimizer.name)):
                for node in walk(binding.value):
                    if isinstance(node, ast.Name) and self.draft.roles.role(optimizer.scope, node.id) is Role.MODEL:
                        variable = self.variables.of(self.entry, node.id)
                        if (
                            variable is not None
                            and variable not in self.state.homes
                            and variable.scope is self.entry.scope
                        ):
                            attribute = self.attribute_of(variable)
                            self.state.homes[variable] = f"self.{attribute}"
                            self.add_parameter(variable.name, attribute, variable.name)

    def give_optimizers(self) -> None:
        configured = self.configured
        if configured.moved:
            for place, variable in enumerate(configured.optimizers):
                one = len(configured.optimizers) == 1
                self.state.homes[variable] = "self.optimizers()" if one else f"self.optimizers()[{place}]"
            if configured.scheduler is not None:
                self.state.homes[configured.scheduler] = "self.lr_schedulers()"
            self.give_construction_values()
            if not self.draft.automatic and len(configured.optimizers) == 1:
                variable = configured.optimizers[0]
                self.state.in_hook[(TRAINING_STEP, variable)] = variable.name
                self.state.prologue.setdefault(TRAINING_STEP, []).append(f"{variable.name} = self.optimizers()")
            elif not self.draft.automatic:
                names = [v.name for v in configured.optimizers]
                for variable in configured.optimizers:
                    self.state.in_hook[(TRAINING_STEP, variable)] = variable.name
                self.state.prologue.setdefault(TRAINING_STEP, []).append(f"{', '.join(names)} = self.optimizers()")
            return
        for variable in [*configured.optimizers, *([configured.scheduler] if configured.scheduler else [])]:
            if variable.is_global and (not isinstance(self.entry.scope, ast.Module) or is_attribute(variable.name)):
                continue
            attribute = self.attribute_of(variable)
            self.state.homes[variable] = f"self.{attribute}"
            if variable.scope is self.entry.scope:
                self.add_parameter(variable.name, attribute, variable.name)

    def give_construction_values(self) -> None:
        """What the moved constructions need besides the model."""
        own = {v.name for v in self.configured.optimizers}
        if self.configured.scheduler is not None:
            own.add(self.configured.scheduler.name)
        for statement in self.configured.moved:
            assert isinstance(statement, ast.Assign)
            for name in sorted(flow([statement.value]).read - own):
                variable = self.variables.of(self.entry, name)
                if variable is None:
                    continue
                role = self.role(variable)
                if variable in self.state.homes and "self.trainer" not in self.state.homes[variable]:
                    continue
                if variable.is_global and role not in (Role.MODEL, Role.CRITERION):
                    continue
                if self.state.inside and role is not Role.MODEL:
                    continue
                if (
                    role is Role.CONFIG
                    and self.config_attributes_only(statement.value, name)
                    and self.only_plain_attributes(variable)
                    and not self.state.hyperparameters
                ):
                    self.state.homes[variable] = "self.hparams"
                    self.state.hyperparameters = variable.name
                    self.parameters.add(variable.name)
                    continue
                attribute = self.attribute_of(variable)
                self.add_parameter(variable.name, attribute, variable.name)
                if variable in self.state.homes:  # the Trainer knows its loader only after this hook
                    self.state.in_hook[("configure_optimizers", variable)] = f"self.{attribute}"
                else:
                    self.state.homes[variable] = f"self.{attribute}"

    def config_attributes_only(self, value: ast.expr, name: str) -> bool:
        for node in walk(value):
            if isinstance(node, ast.Name) and node.id == name:
                parent = self.draft.source.parents.get(node)
                if not isinstance(parent, ast.Attribute) or parent.attr in _DICT_METHODS:
                    return False
        return True

    def give_contexts(self) -> None:
        """Attributes for what a `with` opens in one hook and closes in another."""
        for item in self.draft.all_items():
            if item.kind != "enter":
                continue
            assert isinstance(item.node, ast.With)
            for part in item.node.items:
                called = part.context_expr.func if isinstance(part.context_expr, ast.Call) else part.context_expr
                word = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", dotted(called).rpartition(".")[2]).lower()
                name = self.free_attribute(word if word.endswith("context") else f"{word}_context")
                self.attributes[name] = None
                self.state.contexts[part] = f"self.{name}"

    # ---- counters and batches

    def give_counters(self, assigned: set[Variable]) -> None:
        nest = self.draft.nest
        if nest.epochs is not None and nest.batches is not None:
            for variable in sorted(self.counter_variables(), key=lambda v: v.rank):
                text = self.counter_text(variable)
                if variable in self.state.homes:
                    self.prepend(EPOCH_START, f"{self.state.homes[variable]} = {text}")
                elif variable.name in self.state.global_names.get(EPOCH_START, ()):
                    self.prepend(EPOCH_START, f"{variable.name} = {text}")
                else:
                    self.give_expression(variable, text, HOOKS)
        if self.in_batches() and nest.batches is not None and nest.batches.index:
            self.give_index(
                nest.inner, nest.batches.index, nest.batches.first, TRAINING_STEP, (TRAINING_STEP, BATCH_END)
            )
        if self.draft.validation is not None and self.draft.validation.loop.index:
            loop = self.draft.validation.loop
            self.give_index(
                self.draft.validation.frame, loop.index or "", loop.first, VALIDATION_STEP, (VALIDATION_STEP,)
            )

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
        text = "batch_idx" + self.offset(first, frame, home)
        if variable in self.state.homes:
            self.prepend(home, f"{self.state.homes[variable]} = {text}")
        elif self.rewritten(variable) or is_attribute(variable.name):
            if text != variable.name:
                self.prepend(home, f"{variable.name} = {text}")
        else:
            self.give_expression(variable, text, hooks)

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
        """Whether an expression reads attributes of the script's own object that the loop binds."""
        names = [n.id for n in walk(expression) if isinstance(n, ast.Name) and is_attribute(n.id)]
        variables = [self.variables.of(self.entry, name) for name in names]
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
                if v not in self.state.homes and not v.is_global and not self.state.inside:
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

    def prepend(self, hook: str, line: str) -> None:
        self.state.prologue.setdefault(hook, []).insert(0, line)

    def give_batches(self) -> None:
        nest = self.draft.nest
        if self.in_batches() and nest.batches is not None:
            self.give_batch(nest.batches.items, nest.inner, TRAINING_STEP)
        elif nest.batches is None and nest.epochs is not None:
            self.give_batch(nest.epochs.items, nest.entry, TRAINING_STEP)
        if self.draft.validation is not None:
            self.give_batch(self.draft.validation.loop.items, self.draft.validation.frame, VALIDATION_STEP)

    def give_batch(self, items: ast.expr, frame: Frame, hook: str) -> None:
        """The hook's batch parameter: the loop's own name, or `batch` unpacked into its names."""
        self.state.batch_parameter[hook] = "batch"
        if isinstance(items, ast.Name):
            variable = self.variables.of(frame, items.id)
            if variable is not None and variable in self.state.homes:
                self.state.unpacked[hook] = f"{self.state.homes[variable]} = batch"
            elif items.id in ("self", "batch_idx") or is_attribute(items.id):
                self.state.unpacked[hook] = f"{items.id} = batch"
            elif items.id != "_":
                self.state.batch_parameter[hook] = items.id
            return
        used = set().union(*(self.read.get(h, set()) for h in HOOKS)) if self.read else set()
        names = {v for n in walk(items) if isinstance(n, ast.Name) and (v := self.variables.of(frame, n.id))}
        if names & used:
            for variable in sorted(names & self.counter_variables() - self.state.homes.keys(), key=lambda v: v.rank):
                self.state.in_hook[(hook, variable)] = variable.name  # the batch takes the counter's name
            self.state.unpacked[hook] = f"{self.text_of(items, frame, hook)} = batch"
        elif self.draft.hooks.get(hook):
            self.state.unpacked[hook] = ""

    # ---- definitions of the entry function, and clashes of locals

    def place_class(self) -> None:
        if isinstance(self.entry.scope, ast.Module):
            return
        moving = {d for s in walk(self.draft.nest.outermost) for d in _defined_by(s)}
        for item in self.draft.all_items():
            scope = item.frame.scope
            names = flow([item.node]).read
            for name in names:
                key = self.draft.roles.key(scope, name)
                if name in moving and key and key[0] is self.entry.scope:
                    continue
                if key and not isinstance(key[0], ast.Module) and self.variables.is_static(key) and key[0] is not scope:
                    self.state.inside = True
                if key and key[0] is self.entry.scope and self.variables.is_static(key) and scope is self.entry.scope:
                    self.state.inside = self.state.inside or not _bound_inside(item, name)
        if self.draft.source.in_class(self.entry.scope) is not None:
            self.state.inside = False

    def give_static(self) -> None:
        """Definitions of the entry function that the hooks call are closures over it: the class stands beside them."""
        if not self.state.inside:
            return
        for function in self.draft.source.functions:
            if self.draft.source.scope_of(function) is not self.entry.scope:
                continue
            if self.draft.nest.outermost in self.draft.source.ancestors(function):
                continue
            frames = {self.draft.nest.inner.scope, self.draft.nest.step_frame.scope}
            if self.draft.validation is not None:
                frames.add(self.draft.validation.frame.scope)
            if function in frames:
                continue
            for name in free_names(function):
                variable = self.variables.of(self.entry, name)
                if (
                    variable is not None
                    and variable in self.state.homes
                    and self.state.homes[variable].startswith("self.")
                ):
                    if variable in set().union(*self.written.values()):
                        raise self.draft.refuse(
                            "closure-over-loop-state",
                            function,
                            f"`{function.name}` reads `{name}`, which the loop changes, from the function around it",
                        )

    def part_locals(self, assigned: set[Variable]) -> None:
        """Two different locals of one name in one hook get different names."""
        for hook in HOOKS:
            # What the hook's own parameters bind keeps its name.
            seen: dict[str, Variable] = {v.name: v for v in sorted(self.loop_variables(hook), key=lambda v: v.rank)}
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
                        self.state.in_hook[(hook, variable)] = f"{owner}_{variable.name}"


class _Homes(ast.NodeTransformer):
    def __init__(self, settler: _Settler, frame: Frame, hook: str) -> None:
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


def _bound_inside(item: Item, name: str) -> bool:
    return name in flow([item.node]).definite


def _defined_by(statement: ast.AST) -> list[str]:
    return [statement.name] if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else []


def _own_targets(statement: ast.stmt) -> set[str]:
    """The names that the statement itself binds, nested blocks left out."""
    match statement:
        case ast.Assign(targets=targets):
            return {n for t in targets for n in target_names(t)}
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
            return set(target_names(target))
        case ast.For(target=target):
            return set(target_names(target))
        case ast.With(items=items):
            return {n for i in items if i.optional_vars is not None for n in target_names(i.optional_vars)}
    return set()


def _is_literal(node: ast.expr) -> bool:
    match node:
        case ast.Constant():
            return True
        case ast.UnaryOp(operand=operand):
            return _is_literal(operand)
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            return all(_is_literal(e) for e in elements)
        case ast.Dict(keys=keys, values=values):
            return all(k is not None and _is_literal(k) for k in keys) and all(_is_literal(v) for v in values)
        case ast.Call(func=ast.Name(id="float"), args=[ast.Constant()]):
            return True
        case ast.Attribute(
            value=ast.Name(id="np" | "numpy" | "math" | "torch"), attr="inf" | "Inf" | "Infinity" | "nan"
        ):
            return True
        case ast.Call(func=ast.Name(id="list" | "dict" | "set"), args=[], keywords=[]):
            return True
    return False
