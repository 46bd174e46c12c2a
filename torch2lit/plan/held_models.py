"""The models that the LightningModule of a nest will hold."""

from __future__ import annotations

import ast

from ..recover.items import names_in
from ..recover.roles import Role
from ..recover.syntax import walk_scope
from ..recover.variables import Variable
from .draft import Draft


def trained_models(draft: Draft) -> set[Variable]:
    """The models that the nest uses, as variables."""
    found: set[Variable] = set()
    for item in [*draft.epoch.batch]:
        for node in walk_scope(item.node):
            if isinstance(node, ast.Name) and draft.role(node, item.frame) is Role.MODEL:
                variable = draft.variable(node, item.frame)
                if variable is not None and variable not in draft.variables.use(item).written:
                    found.add(variable)
    return found


def held_models(draft: Draft) -> set[Variable]:
    """Every model that the module will hold: the trained ones, and copies or teachers that other hooks use."""
    found = trained_models(draft)
    items = draft.all_items()
    written = draft.variables.sequence(items).written
    for item in items:
        for node, frame in names_in(item):
            if draft.role(node, frame) is Role.MODEL:
                variable = draft.variable(node, frame)
                if variable is not None and variable not in written:
                    found.add(variable)
    return found
