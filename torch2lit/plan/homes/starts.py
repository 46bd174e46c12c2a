"""What starts as an empty container or a written-out value is made in the constructor, not handed in.

losses = []                         self.losses = []
best, seen = 0.0, 0         →       self.best, self.seen = 0.0, 0
for epoch in range(n):
    losses.append(...)
"""

from __future__ import annotations

import ast
import re

from ...recover.names import target_names
from ...recover.roles import Role
from ...recover.state_names import is_attribute
from ...recover.syntax import walk
from ...recover.variables import Variable
from ..draft import Removal
from ..making import on_the_way
from ..moved import moved_functions
from .definitions import Definitions
from .promotion import is_literal

_MADE = {
    "collections.defaultdict": ("list", "int", "float", "dict", "set"),
    "collections.deque": (),
    "collections.OrderedDict": (),
    "collections.Counter": (),
}
"""Containers that are made empty by a call, with the arguments that they may have by name."""


class Starts(Definitions):
    """Takes start values from the constructor's arguments."""

    def take_start_values(self) -> None:
        """Let the constructor make what nobody has looked at before the loop begins."""
        if self.state.inside or self.draft.module_that_trains or self.looped_outside():
            return
        found: dict[Variable, tuple[str, ast.Assign]] = {}
        for parameter, attribute, argument in self.state.parameters:
            variable = self.variables.of(self.entry, parameter)
            if variable is None or argument != variable.name or self.state.homes.get(variable) != f"self.{attribute}":
                continue
            if (statement := self.start_of(variable)) is not None:
                found[variable] = (attribute, statement)
        names = {v.name for v in found}
        for variable, (attribute, statement) in found.items():
            if set(target_names(statement.targets[0])) <= names:
                self.start_inside(variable, attribute, statement)

    def name_network_first(self) -> None:
        """Order the constructor's arguments as a reader expects them: the networks, and then all else as it was."""

        def is_network(parameter: str) -> bool:
            variable = self.variables.of(self.entry, parameter)
            return variable is not None and self.role(variable) is Role.MODEL

        self.state.parameters.sort(key=lambda p: not is_network(p[0]))

    def start_inside(self, variable: Variable, attribute: str, statement: ast.Assign) -> None:
        self.state.parameters = [p for p in self.state.parameters if p[0] != variable.name]
        self.parameters.discard(variable.name)
        self.state.initial.append((attribute, statement, variable.name))
        self.draft.removals[statement] = Removal("__init__", "promote_state", "the value lives on the module")
        known = {name for name, _attribute in self.state.written_back} | set(self.state.after)
        if variable.name not in known:
            self.give_after(variable, attribute)

    def start_of(self, variable: Variable) -> ast.Assign | None:
        """The statement that gives a variable its start value, when the constructor may as well."""
        if variable.frame is not self.entry or variable.scope is not self.entry.scope or is_attribute(variable.name):
            return None
        match self.statements_before(variable):
            case [ast.Assign(targets=[target]) as statement]:
                value = _part(target, statement.value, variable.name)
            case _:
                return None
        if value is None or not (self.is_container(value) or (self.rewritten(variable) and is_literal(value))):
            return None
        if self.read_without_training(variable) or not on_the_way(self.draft, statement):
            return None
        if variable.name in self.asked_by_the_trainer():
            return None
        elsewhere = variable.is_global and variable.name in self.draft.wanted_elsewhere
        if elsewhere or self.draft.roles.rebound_unseen((variable.scope, variable.name)):
            return None
        return statement if self.is_first_seen_by_loop(variable, statement) else None

    def asked_by_the_trainer(self) -> set[str]:
        """The names in what the Trainer is told, where the value has to be before the module is made."""
        said = self.draft.trainer
        texts = [*(text for _name, text in said.arguments), *said.callbacks, *said.loggers]
        return {n.id for text in texts for n in ast.walk(ast.parse(text, mode="eval")) if isinstance(n, ast.Name)}

    def is_container(self, value: ast.expr) -> bool:
        """Whether the expression makes a new container, of nothing or of what is written out."""
        match value:
            case ast.List() | ast.Dict() | ast.Set():
                return is_literal(value)
            case ast.Call(func=ast.Name(id="list" | "dict" | "set" as name), args=[], keywords=[]):
                return self.draft.source.function(name) is None
            case ast.Call(func=function, args=args, keywords=keywords):
                known = _MADE.get(self.draft.roles.full_name(function))
                named = [a.id for a in args if isinstance(a, ast.Name)]
                plain = all(isinstance(k.value, ast.Constant) for k in keywords)
                root = next((n for n in walk(function) if isinstance(n, ast.Name)), None)
                return (
                    known is not None
                    and plain
                    and len(named) == len(args)
                    and self.is_import(root)
                    and {*named} <= {*known}
                )
        return False

    def is_import(self, root: ast.Name | None) -> bool:
        if root is None or root.id not in self.draft.roles.origins:
            return False
        key = self.draft.roles.key(self.entry.scope, root.id)
        return key is not None and isinstance(key[0], ast.Module)

    def is_first_seen_by_loop(self, variable: Variable, statement: ast.Assign) -> bool:
        """Whether nothing mentions a variable between its start value and the loop, nor the new lines around `fit`."""
        draft = self.draft
        outermost, key = draft.nest.outermost, (variable.scope, variable.name)
        start, end = statement.lineno, outermost.lineno
        if any(ast.unparse(c.func) == "exec" and start < c.lineno < end for c in draft.source.calls):
            return False
        gone = moved_functions(draft)
        inside = {id(n) for n in walk(outermost)}
        for node in draft.source.all(ast.Name):
            if node.id != variable.name or node in walk(statement.targets[0]) or id(node) in inside:
                continue
            scope = draft.source.scope_of(node)
            if draft.roles.key(scope, node.id) != key or scope in gone:
                continue
            if scope is not variable.scope or start <= node.lineno < end or self.in_lambda(node):
                return False
        return not self.is_read_at_fit(variable.name)

    def in_lambda(self, node: ast.Name) -> bool:
        return any(isinstance(a, ast.Lambda) for a in self.draft.source.ancestors(node))

    def is_read_at_fit(self, name: str) -> bool:
        """Whether the Trainer, a loader or a line around `fit` is made with the name."""
        draft, nest = self.draft, self.draft.nest
        loops = [loop.base for loop in (nest.epochs, nest.batches) if loop is not None]
        loops += [one.loop.base for one in (draft.validation.all if draft.validation is not None else [])]
        outermost = nest.outermost
        head = getattr(outermost, "iter", None) or getattr(outermost, "test", None)
        heads = [*loops, *([head] if head is not None else [])]
        if any(isinstance(n, ast.Name) and n.id == name for h in heads for n in walk(h)):
            return True
        texts = [*(draft.train_data.texts if draft.train_data is not None else ())]
        for proposal in draft.accepted:
            texts += [*proposal.before_fit, *proposal.after_fit, str(proposal.trainer)]
        given = [argument for _p, _a, argument in self.state.parameters if argument != name]
        return any(re.search(rf"\b{re.escape(name)}\b", text) for text in [*texts, *given])


def _part(target: ast.expr, value: ast.expr, name: str) -> ast.expr | None:
    """What a name gets of an assignment to it alone, or to several names at once."""
    match target, value:
        case ast.Name(), _:
            return value
        case ast.Tuple(elts=targets), ast.Tuple(elts=values) if len(targets) == len(values):
            if all(isinstance(t, ast.Name) for t in targets) and not any(isinstance(v, ast.Starred) for v in values):
                return next(
                    (v for t, v in zip(targets, values, strict=True) if isinstance(t, ast.Name) and t.id == name), None
                )
    return None
