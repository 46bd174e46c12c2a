"""Which loops run over the phases of an epoch: known words, for which one body trains or evaluates.

for phase in ["train", "val"]:
    if phase == "train": model.train()
    else: model.eval()
    for x, y in loaders[phase]: ...
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..recover.effects import touches_gradients
from ..recover.known import Known
from ..recover.names import target_names
from ..recover.roles import Role, Roles
from ..recover.switches import Switches, needless_switches, switches_on
from ..recover.syntax import dotted, leaves, walk, walk_scope
from .turns import Names, stays, turns_of

_ASKS_FOR_NAMES = frozenset({"locals", "vars", "eval", "exec", "globals"})


@dataclass(frozen=True)
class PhaseLoop:
    """A loop, and what its names stand for in each of its turns."""

    loop: ast.For
    turns: tuple[Names, ...]
    switches: Switches

    @property
    def names(self) -> frozenset[str]:
        """The names that the loop binds."""
        return frozenset(self.turns[0])


def find_phase_loop(roles: Roles, others: Callable[[], str]) -> PhaseLoop | None:
    """The first loop over phases of which one trains; None when there is none."""
    for loop in roles.source.all(ast.For):
        if turns := turns_of(roles, loop):
            found = PhaseLoop(loop, turns, Switches(roles.source, roles, others))
            left = loop.orelse or leaves(loop.body, ast.Break)
            if not left and all(_says_alone(roles, loop, name) for name in found.names) and _is_an_epoch(found):
                return found
    return None


@dataclass(frozen=True)
class Turn:
    """What is known of one turn of a loop over phases, for the text of its statements."""

    phases: PhaseLoop
    index: int
    trains: bool
    dropped: frozenset[int]
    """The lines of statements that do nothing in this turn."""

    @property
    def meant(self) -> Names:
        """What the names of the loop stand for."""
        return self.phases.turns[self.index]

    @property
    def facts(self) -> Mapping[str, Known]:
        """The names that stand for a constant."""
        return {name: one.known for name, one in self.meant.items() if one.known is not None}

    def is_alias(self, name: str, value: str) -> bool:
        """Whether a name is one that only the loop asks for, and the variable that it gets stays what it is."""
        roles, loop = self.phases.switches.roles, self.phases.loop
        scope = roles.source.scope_of(loop)
        key, inside = roles.key(scope, name), set(walk(loop))
        if key is None or key[0] is not scope or roles.rebound_unseen(key) or name in self.phases.names:
            return False
        own = all(node in inside for node in roles.mentions(key))
        return own and stays(roles, ast.Name(value, ast.Load()), scope)

    @functools.cached_property
    def needless(self) -> frozenset[int]:
        """The lines of the `with` blocks that switch gradients on where they are on."""
        if not self.trains or not self.phases.switches.records(self.phases.loop):
            return frozenset()
        return needless_switches(self.phases.switches.source, self.phases.loop, self.facts)

    def switches_on(self, item: ast.withitem) -> bool:
        """Whether a part of a `with` does nothing but to switch gradients on."""
        return switches_on(item, self.facts)

    def is_model(self, node: ast.expr) -> bool:
        """Whether an expression of the loop gives a module."""
        roles = self.phases.switches.roles
        scope = roles.source.scope_of(self.phases.loop)
        if isinstance(scope, ast.FunctionDef):
            return self.phases.switches.is_model(node, scope)
        return roles.of(node, scope) is Role.MODEL


def clearings(found: PhaseLoop, others: Callable[[], str]) -> frozenset[int]:
    """The lines of ``optimizer.zero_grad()`` that show nowhere in an evaluation.

    Each batch of the training clears the gradients before it does anything else with them, and nothing but this loop ever looks at
    them.
    """
    source, roles = found.switches.source, found.switches.roles
    touched = {id(node) for node in walk(source.tree) if touches_gradients(node)}
    for batches in (n for n in walk(found.loop) if isinstance(n, ast.For) and n is not found.loop):
        if touched <= {id(node) for node in walk(batches)} and not _other_files_may_look(found, others):
            return frozenset(_first_clearings(roles, batches))
    return frozenset()


def _first_clearings(roles: Roles, batches: ast.For) -> Iterator[int]:
    """The lines of statements in a batch loop that clear gradients before anything else is done with them."""
    for statement in batches.body:
        match statement:
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr="zero_grad"), args=[], keywords=[])):
                if roles.of(owner, roles.source.scope_of(owner)) is Role.OPTIMIZER:
                    yield statement.lineno
                    continue
        if any(touches_gradients(node) for node in walk(statement)):
            return


def _other_files_may_look(found: PhaseLoop, others: Callable[[], str]) -> bool:
    scope = found.switches.source.scope_of(found.loop)
    if isinstance(scope, ast.Module):
        return False
    text = others()
    return scope.name in text and ("backward" in text or ".grad" in text)


def _says_alone(roles: Roles, loop: ast.For, name: str) -> bool:
    """Whether the name stands for the phase in the loop and is asked for nowhere else."""
    source = roles.source
    scope = source.scope_of(loop)
    if any(_asks_for_names(call) for call in source.calls):
        return False
    inside, targets = {id(node) for node in walk_scope(loop.body)}, set(walk(loop.target))
    for node in source.all(ast.Name):
        if node.id != name or node in targets:
            continue
        key = roles.key(source.scope_of(node), node.id)
        if key is None or key[0] is not scope:
            continue
        if isinstance(node.ctx, ast.Load):
            if id(node) not in inside and not _is_in_other_loop(roles, node, loop):
                return False
        elif id(node) in inside or not _is_target(roles, node):
            return False
    declared = {one for d in source.all(ast.Global) for one in d.names}
    return name not in declared | {one for d in source.all(ast.Nonlocal) for one in d.names}


def _asks_for_names(call: ast.Call) -> bool:
    """Whether a call may read variables by their names; ``vars(args)`` reads attributes of an object."""
    name = dotted(call.func)
    return name in _ASKS_FOR_NAMES and not (name == "vars" and (call.args or call.keywords))


def _is_target(roles: Roles, node: ast.Name) -> bool:
    """Whether a loop or a comprehension binds the name here."""
    above = roles.source.parents.get(node)
    return isinstance(
        roles.source.parents.get(above) if isinstance(above, ast.Tuple) else above, ast.For | ast.comprehension
    )


def _is_in_other_loop(roles: Roles, node: ast.Name, loop: ast.For) -> bool:
    """Whether the name is read in another loop or comprehension, which binds it itself."""
    for above in roles.source.ancestors(node):
        if isinstance(above, ast.For) and above is not loop and node.id in target_names(above.target):
            return not any(n is node for n in walk(above.iter)) and all(
                n is not node for s in above.orelse for n in walk(s)
            )
        if isinstance(above, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            if any(node.id in target_names(part.target) for part in above.generators):
                return True
    return False


def _is_an_epoch(found: PhaseLoop) -> bool:
    """Whether the phases are those of an epoch: a loop stands around them, and they train, here or in a function that is told the phase."""
    source, loop = found.switches.source, found.loop
    scope = source.scope_of(loop)
    if not any(isinstance(a, ast.For | ast.While) and source.scope_of(a) is scope for a in source.ancestors(loop)):
        return False
    asks = any(isinstance(n, ast.Name) and n.id in found.names for n in walk_scope(loop.body))
    return asks and (
        trains(loop) or any(_is_told(found, call) for call in source.calls if loop in source.ancestors(call))
    )


def trains(node: ast.AST) -> bool:
    """Whether a part of a script runs a backward pass by its own text."""
    return any(isinstance(n, ast.Attribute) and n.attr == "backward" for n in walk(node))


def _is_told(found: PhaseLoop, call: ast.Call) -> bool:
    given = [*call.args, *(k.value for k in call.keywords)]
    function = found.switches.by_name.get(dotted(call.func).rpartition(".")[2])
    return (
        function is not None
        and any(isinstance(g, ast.Name) and g.id in found.names for g in given)
        and trains(function)
    )
