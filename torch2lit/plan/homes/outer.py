"""Values that come from outside of the loop: constructor arguments, hyper-parameters, Lightning's own attributes."""

from __future__ import annotations

import ast

from ...recover.items import names_in
from ...recover.own_classes import definition_of
from ...recover.roles import Role
from ...recover.state_names import is_state, is_whole
from ...recover.syntax import walk
from ...recover.variables import Variable
from ..draft import (
    HOOKS,
)
from ..ranks import Ranks
from ..set_in_loop import sets_attributes
from ..settings import holds_plain_values
from .bound_by_entry import made_by_entry
from .facts import DICT_METHODS
from .promotion import Promotion
from .script_names import may_be_handed_in
from .unbound import argument_of

_HOOK_PARAMETERS = {"self", "batch", "batch_idx", "outputs"}
"""Names that a hook's own parameters would hide."""


class Outer(Promotion):
    """Gives homes to what the hooks only read."""

    def give_outer(self, variable: Variable) -> None:
        role = self.role(variable)
        configured = self.configured
        if variable in [*configured.optimizers, *configured.held] or variable is configured.scheduler:
            return
        if configured.listed is not None and variable is configured.listed.variable:
            return
        if self.is_made_for_evaluation(variable):
            self.give_loader(variable, self.loader_of_trainer(variable))
            return
        if variable.frame is not None and variable.frame.caller is not None:
            return
        if role is Role.DEVICE and self.device_may_be_lightnings(variable):
            self.state.homes[variable] = "self.device"
            return
        holds = role in (Role.MODEL, Role.CRITERION)
        if is_whole(variable.name) or (is_state(variable.name) and self.draft.module_that_trains):
            return
        if is_state(variable.name) and not (role is Role.MODEL and self.used_in_hooks(variable)):
            return
        hidden = variable.name in _HOOK_PARAMETERS or self.is_hidden(variable)
        if variable.is_global and not hidden and not self.is_handed_in(variable):
            return
        if self.state.inside and not holds and self.draft.roles.rebound_unseen((variable.scope, variable.name)):
            return
        if role is Role.LOADER and (text := self.loader_of_trainer(variable)):
            self.give_loader(variable, text)
            return
        if role is Role.CONFIG and self.only_plain_attributes(variable) and not self.state.hyperparameters:
            self.state.homes[variable] = "self.hparams"
            self.state.hyperparameters = variable.name
            self.parameters.add(variable.name)
            return
        if not self.used_in_hooks(variable):
            return
        if Ranks(self.draft).is_number(ast.Name(variable.name, ast.Load()), variable.scope):
            self.state.homes[variable] = "self.trainer.global_rank"
            return
        argument = argument_of(self.draft, variable)
        attribute = self.attribute_of(variable)
        self.state.homes[variable] = f"self.{attribute}"
        self.add_parameter(variable.name, attribute, argument)

    def is_made_for_evaluation(self, variable: Variable) -> bool:
        """Whether it is a loader that an evaluation made for itself."""
        made = [one for one in (self.draft.validation.all if self.draft.validation is not None else []) if one.made]
        return any(self.draft.variable(one.loop.base, one.frame) is variable for one in made)

    def give_loader(self, variable: Variable, text: str) -> None:
        """Have the hooks ask the Trainer for a loader."""
        self.state.homes[variable] = text
        self.name_often_used(variable, text)

    def is_handed_in(self, variable: Variable) -> bool:
        """Whether the module gets a variable of the script: what it trains it always holds."""
        role = self.role(variable)
        if role is Role.MODEL or (role is Role.CRITERION and isinstance(self.entry.scope, ast.Module)):
            return True
        return may_be_handed_in(self.draft, variable)

    def is_hidden(self, variable: Variable) -> bool:
        """Whether a hook that reads a variable of the module binds another one of that name, which would hide it."""
        if not variable.is_global or self.draft.roles.rebound_unseen((variable.scope, variable.name)):
            return False
        return any(
            other.name == variable.name and other is not variable and other not in self.state.homes
            for hook in HOOKS
            if variable in self.read.get(hook, ())
            for other in self.written.get(hook, ())
        )

    def name_often_used(self, variable: Variable, text: str) -> None:
        """Where a hook reads a long expression twice, it goes on calling it as the script does."""
        for hook in HOOKS:
            uses = [
                node
                for item in self.draft.hooks.get(hook, [])
                if item.node not in self.draft.removals and item.node not in self.draft.claims
                for node, frame in names_in(item)
                if self.draft.variable(node, frame) is variable
                and not any(
                    a in self.draft.removals or a in self.draft.claims for a in self.draft.source.ancestors(node)
                )
            ]
            clash = any(v.name == variable.name for v in self.read.get(hook, set()) if v is not variable)
            if len(uses) > 1 and not clash:
                self.state.in_hook[(hook, variable)] = variable.name
                self.prepend(hook, f"{variable.name} = {text}")

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
                        if is_object or not self.calls_own_function(parent):
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

    def calls_own_function(self, given: ast.keyword) -> bool:
        """Whether a function or class of the project gets the argument: it may compare or print the device's name."""
        call = self.draft.source.parents.get(given)
        return isinstance(call, ast.Call) and definition_of(self.draft.roles, call.func) is not None

    def loader_of_trainer(self, variable: Variable) -> str:
        nest = self.draft.nest
        if self.in_batches() and nest.batches is not None:
            if self.draft.variable(nest.batches.base, nest.inner) is variable:
                data = self.draft.train_data
                return "self.trainer.train_dataloader" + (".loader" if data is not None and data.lazy else "")
        validation = self.draft.validation
        for index, one in enumerate(validation.all if validation is not None else []):
            if self.draft.variable(one.loop.base, one.frame) is variable:
                assert validation is not None
                place = (
                    f"self.trainer.val_dataloaders[{index}]" if validation.others else "self.trainer.val_dataloaders"
                )
                return place + (".loader" if validation.late else "")
        return ""

    def only_plain_attributes(self, variable: Variable) -> bool:
        if not self.parsed_arguments(variable) or not holds_plain_values(self.draft, variable):
            return False
        for node in walk(self.draft.source.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == variable.name:
                if not isinstance(node.ctx, ast.Load):
                    return False
        read: set[str] = set()
        for item in self.draft.all_items():
            for node, frame in names_in(item):
                if self.draft.variable(node, frame) is variable:
                    parent = self.draft.source.parents.get(node)
                    if not isinstance(parent, ast.Attribute) or parent.attr in DICT_METHODS:
                        return False
                    read.add(parent.attr)
        return not sets_attributes(self.draft, read, of_objects=False)

    def parsed_arguments(self, variable: Variable) -> bool:
        """Whether the variable holds what an argument parser gave, directly or as a parameter of the entry function."""
        roles = self.draft.roles
        if "FileType(" in self.draft.source.text:  # an open file cannot be copied, and hyper-parameters are
            return False
        if (made := made_by_entry(self.draft, variable)) is not None:
            return ast.unparse(made).endswith("parse_args()")
        bindings = roles.bindings((variable.scope, variable.name))
        if bindings:
            return len(bindings) == 1 and ast.unparse(bindings[0].value).endswith("parse_args()")
        passed = roles.arguments(variable.scope, variable.name)
        values: list[ast.expr] = []
        for scope, argument in passed:
            key = roles.key(scope, argument.id) if isinstance(argument, ast.Name) else None
            values += [b.value for b in roles.bindings(key)] if key else [argument]
        return bool(values) and all(ast.unparse(v).endswith("parse_args()") for v in values)

    def give_unmentioned_models(self, mentioned: set[Variable], assigned: set[Variable]) -> None:
        """Hold the trained models even where only a function of the script names them.

        Where a hook may give the object another model, it goes on asking the object.
        """
        if any(self.role(v) is Role.MODEL and v in self.state.homes for v in mentioned):
            return
        for optimizer in self.configured.optimizers:
            for made in self.makings_before(optimizer):
                for node in walk(made):
                    if isinstance(node, ast.Name) and self.draft.roles.role(optimizer.scope, node.id) is Role.MODEL:
                        variable = self.variables.of(self.entry, node.id)
                        if (
                            variable is not None
                            and not is_whole(variable.name)
                            and variable not in self.state.homes
                            and variable.scope is self.entry.scope
                        ):
                            attribute = self.attribute_of(variable)
                            if variable not in assigned:
                                self.state.homes[variable] = f"self.{attribute}"
                            self.add_parameter(variable.name, attribute, variable.name)

    def makings_before(self, variable: Variable) -> list[ast.expr]:
        """What a variable of the entry scope may hold when the loop begins: nothing that is made later, or replaced before."""
        values = [b.value for b in self.draft.roles.bindings((variable.scope, variable.name))]
        if variable.scope is not self.entry.scope:
            return values
        outermost = self.draft.nest.outermost
        found: list[ast.expr] = []
        for value in values:
            if value.lineno > (outermost.end_lineno or outermost.lineno):
                continue
            statement = self.draft.source.parents.get(value)
            surely = isinstance(statement, ast.Assign) and statement in self.entry.scope.body
            found = [value] if surely and value.lineno < outermost.lineno else [*found, value]
        return found
