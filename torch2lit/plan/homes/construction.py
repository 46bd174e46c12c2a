"""What `configure_optimizers` and the contexts around a loop need."""

from __future__ import annotations

import ast
import re

from ...recover.names import flow
from ...recover.roles import Role
from ...recover.state_names import is_attribute, plain
from ...recover.syntax import dotted, walk
from ...recover.variables import Variable
from ..draft import (
    TRAINING_STEP,
)
from ..listed_optimizers import Listed
from .counters import Counters
from .facts import DICT_METHODS
from .script_names import may_be_handed_in
from .unbound import argument_of


class Construction(Counters):
    """Gives homes to optimizers, schedulers and contexts, and to the values that they are made of."""

    def give_optimizers(self) -> None:
        configured = self.configured
        if configured.moved:
            self.give_made_optimizers()
            for variable in configured.held:
                attribute = self.attribute_of(variable)
                self.state.homes[variable] = f"self.{attribute}"
                self.give_after(variable, attribute)
            self.give_construction_values()
            for one in configured.loaded:
                attribute = self.free_attribute(one.name)
                self.attributes[attribute] = None
                self.state.loaded[one.name] = f"self.{attribute}"
                self.add_parameter(one.name, attribute, one.name)
            return
        for variable in [*configured.optimizers, *([configured.scheduler] if configured.scheduler else [])]:
            if variable.is_global and (not isinstance(self.entry.scope, ast.Module) or is_attribute(variable.name)):
                continue
            attribute = self.attribute_of(variable)
            self.state.homes[variable] = f"self.{attribute}"
            if variable.scope is self.entry.scope:
                self.add_parameter(variable.name, attribute, argument_of(self.draft, variable))
        self.give_held_optimizers()

    def give_held_optimizers(self) -> None:
        """Those from which the loop only chooses, as far as no hook names them."""
        for expression in self.configured.expressions:
            variable = self.draft.variable(expression, self.draft.nest.step_frame)
            if variable is None or variable in self.state.homes or variable.scope is not self.entry.scope:
                continue
            if is_attribute(variable.name):
                continue
            attribute = self.attribute_of(variable)
            self.state.homes[variable] = f"self.{attribute}"
            self.add_parameter(variable.name, attribute, argument_of(self.draft, variable))

    def give_made_optimizers(self) -> None:
        """The optimizers that ``configure_optimizers`` makes, as the hooks reach them, and the code after the loop."""
        configured = self.configured
        several = "self.optimizers()" if configured.wrapped else "self.trainer.optimizers"
        one = several if configured.wrapped else f"{several}[0]"
        if configured.listed is not None:
            self.give_listed_optimizers(configured.listed, several)
            return
        if configured.shared:
            return
        names = [v.name for v in configured.optimizers]
        for place, variable in enumerate(configured.optimizers):
            self.state.homes[variable] = one if len(names) == 1 else f"{several}[{place}]"
            if self.read_after(variable):
                self.state.optimizers_after.append((variable.name, place))
            if not self.draft.automatic:
                self.state.in_hook[(TRAINING_STEP, variable)] = self.local_name(variable)
        if configured.scheduler is not None:
            self.state.homes[configured.scheduler] = "self.lr_schedulers()"
            if self.read_after(configured.scheduler):
                self.state.written_back.append((configured.scheduler.name, "lr_schedulers()"))
        if names and not self.draft.automatic:
            local = ", ".join(map(self.local_name, configured.optimizers))
            taken = f"{local} = {one if len(names) == 1 else several}"
            self.state.prologue.setdefault(TRAINING_STEP, []).append(taken)

    def local_name(self, variable: Variable) -> str:
        """What a batch calls an optimizer: an attribute of the script's object by a name that nothing else has."""
        if not is_attribute(variable.name):
            return variable.name
        name = plain(variable.name)
        while name in self.draft.source.names:
            name = f"own_{name}"
        return name

    def give_listed_optimizers(self, listed: Listed, text: str) -> None:
        """The list that ``configure_optimizers`` makes, under its own name where the batch runs through it."""
        variable = listed.variable
        self.state.homes[variable] = text
        self.state.in_hook[(TRAINING_STEP, variable)] = variable.name
        self.state.prologue.setdefault(TRAINING_STEP, []).append(f"{variable.name} = {text}")

    def give_construction_values(self) -> None:
        """What the moved constructions need besides the model."""
        own = {name for statement in self.configured.moved for name in flow([statement]).written}
        for statement in self.configured.moved:
            for name in sorted(flow([statement]).read - own):
                self.give_construction_value(statement, name)

    def _give_first_value(self, variable: Variable) -> None:
        """Hand the module what a variable holds before the training, where each epoch gives it another value and only the making reads the first."""
        attribute = self.state.homes[variable].removeprefix("self.")
        known = {a for _parameter, a, _argument in self.state.parameters} | {a for a, *_rest in self.state.initial}
        promoted = self.attributes.get(attribute) is variable and attribute not in {*known, *self.state.views}
        if promoted and variable.frame is self.entry and self.rewritten(variable):
            self.add_parameter(variable.name, attribute, argument_of(self.draft, variable, self.configured.moved))

    def give_construction_value(self, statement: ast.stmt, name: str) -> None:
        variable = self.variables.of(self.entry, name)
        if variable is None:
            return
        role = self.role(variable)
        if variable in self.state.homes and "self.trainer" not in self.state.homes[variable]:
            self._give_first_value(variable)
            return
        held = role in (Role.MODEL, Role.CRITERION)
        if variable.is_global and not held and not may_be_handed_in(self.draft, variable):
            return
        if self.state.inside and role is not Role.MODEL and self.draft.roles.rebound_unseen((variable.scope, name)):
            return
        if (
            role is Role.CONFIG
            and self.config_attributes_only(statement, name)
            and self.only_plain_attributes(variable)
            and not self.state.hyperparameters
        ):
            self.state.homes[variable] = "self.hparams"
            self.state.hyperparameters = variable.name
            self.parameters.add(variable.name)
            return
        attribute = self.attribute_of(variable)
        self.add_parameter(variable.name, attribute, argument_of(self.draft, variable, self.configured.moved))
        if variable in self.state.homes or self.rewritten(variable):
            # the Trainer knows its loader only after this hook, and a hook binds its own names anew
            self.state.in_hook[("configure_optimizers", variable)] = f"self.{attribute}"
        else:
            self.state.homes[variable] = f"self.{attribute}"

    def config_attributes_only(self, value: ast.stmt, name: str) -> bool:
        for node in walk(value):
            if isinstance(node, ast.Name) and node.id == name:
                parent = self.draft.source.parents.get(node)
                if not isinstance(parent, ast.Attribute) or parent.attr in DICT_METHODS:
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
