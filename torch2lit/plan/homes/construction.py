"""What `configure_optimizers` and the contexts around a loop need."""

from __future__ import annotations

import ast
import re

from ...recover.names import flow
from ...recover.roles import Role
from ...recover.state_names import is_attribute
from ...recover.syntax import dotted, walk
from ..draft import (
    TRAINING_STEP,
)
from .counters import Counters
from .facts import DICT_METHODS


class Construction(Counters):
    """Gives homes to optimizers, schedulers and contexts, and to the values that they are made of."""

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
