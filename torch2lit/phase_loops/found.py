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
from ..recover.known import Known, known
from ..recover.roles import Role, Roles
from ..recover.switches import Switches
from ..recover.syntax import dotted, walk, walk_scope

_INNER = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef
_ASKS_FOR_NAMES = frozenset({"locals", "vars", "eval", "exec", "globals"})


@dataclass(frozen=True)
class PhaseLoop:
    """A loop, the name of the phase, and the phases in their order."""

    loop: ast.For
    name: str
    phases: tuple[str | bool | int, ...]
    written: tuple[str, ...]
    """The phases as the script writes them."""
    switches: Switches

    def facts(self, phase: str | bool | int) -> dict[str, Known]:
        """What is known in the turn for a phase."""
        return {self.name: Known(phase)}


def find_phase_loop(roles: Roles, others: Callable[[], str]) -> PhaseLoop | None:
    """The first loop over phases of which one trains; None when there is none."""
    switches = Switches(roles.source, roles, others)
    for loop in roles.source.all(ast.For):
        phases = _phases(roles, loop)
        if phases and isinstance(loop.target, ast.Name):
            written = tuple(roles.source.segment(one) for one in phases)
            found = PhaseLoop(loop, loop.target.id, tuple(phases.values()), written, switches)
            left = loop.orelse or any(isinstance(one, ast.Break) for one in own_leaves(loop.body))
            if not left and _says_alone(roles, found) and _is_an_epoch(found):
                return found
    return None


@dataclass(frozen=True)
class Turn:
    """What is known of one turn of a loop over phases, for the text of its statements."""

    phases: PhaseLoop
    phase: str | bool | int
    trains: bool
    dropped: frozenset[int]
    """The lines of statements that do nothing in this turn."""

    @property
    def facts(self) -> Mapping[str, Known]:
        """What stands for the phase."""
        return self.phases.facts(self.phase)

    @functools.cached_property
    def needless(self) -> frozenset[int]:
        """The lines of the `with` blocks that switch gradients on where they are on."""
        if not self.trains or not self.phases.switches.records(self.phases.loop):
            return frozenset()
        return frozenset(
            node.lineno
            for node in walk(self.phases.loop)
            if isinstance(node, ast.With) and any(map(self.switches_on, node.items))
        )

    def switches_on(self, item: ast.withitem) -> bool:
        """Whether a part of a `with` does nothing but to switch gradients on."""
        return item.optional_vars is None and switched_to(item.context_expr, self.facts) is True

    def is_model(self, node: ast.expr) -> bool:
        """Whether an expression of the loop gives a module."""
        roles = self.phases.switches.roles
        scope = roles.source.scope_of(self.phases.loop)
        if isinstance(scope, ast.FunctionDef):
            return self.phases.switches.is_model(node, scope)
        return roles.of(node, scope) is Role.MODEL


def switched_to(node: ast.expr, facts: Mapping[str, Known]) -> bool | None:
    """What ``torch.set_grad_enabled(...)`` switches gradients to, as far as that is known."""
    if not isinstance(node, ast.Call) or len(node.args) != 1 or node.keywords:
        return None
    value = known(node.args[0], facts)
    if dotted(node.func).rpartition(".")[2] != "set_grad_enabled" or value is None or value.an_object:
        return None
    return bool(value.value)


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


def _phases(roles: Roles, loop: ast.For) -> dict[ast.expr, str | bool | int]:
    looped = loop.iter
    if isinstance(looped, ast.Name):
        key = roles.key(roles.source.scope_of(loop), looped.id)
        bindings = roles.bindings(key) if key is not None else []
        if key is None or len(bindings) != 1 or bindings[0].index is not None or roles.rebound_unseen(key):
            return {}
        if any(not _only_looks(roles, node) for node in roles.mentions(key)):
            return {}
        looped = bindings[0].value
    if not isinstance(looped, ast.List | ast.Tuple) or len(looped.elts) < 2:
        return {}
    plain: dict[ast.expr, str | bool | int] = {}
    for one in looped.elts:
        if isinstance(one, ast.Constant) and isinstance(one.value, str | bool | int):
            plain[one] = one.value
    return plain if len(set(plain.values())) == len(looped.elts) else {}


def _only_looks(roles: Roles, node: ast.Name) -> bool:
    """Whether a mention of a list leaves it as it is: it binds it, runs over it or asks for a part or its length."""
    match roles.source.parents.get(node):
        case ast.Assign(targets=[target]) if target is node:
            return True
        case ast.For(iter=looped) | ast.comprehension(iter=looped) if looped is node:
            return True
        case ast.Call(func=ast.Name(id="len")):
            return True
        case ast.Compare():
            return True
    return False


def _says_alone(roles: Roles, found: PhaseLoop) -> bool:
    """Whether the name stands for the phase in the loop and is asked for nowhere else."""
    source, loop = roles.source, found.loop
    scope = source.scope_of(loop)
    if any(dotted(call.func) in _ASKS_FOR_NAMES for call in source.calls):
        return False
    inside = {id(node) for node in walk_scope(loop.body)}
    for node in source.all(ast.Name):
        if node.id != found.name or node is loop.target:
            continue
        key = roles.key(source.scope_of(node), node.id)
        if key is None or key[0] is not scope:
            continue
        if isinstance(node.ctx, ast.Load):
            if id(node) not in inside and not _is_in_other_loop(roles, node, found):
                return False
        elif id(node) in inside or not isinstance(source.parents.get(node), ast.For | ast.comprehension):
            return False
    declared = {name for d in source.all(ast.Global) for name in d.names}
    return found.name not in declared | {name for d in source.all(ast.Nonlocal) for name in d.names}


def _is_in_other_loop(roles: Roles, node: ast.Name, found: PhaseLoop) -> bool:
    """Whether the name is read in another loop or comprehension, which binds it itself."""
    for above in roles.source.ancestors(node):
        if isinstance(above, ast.For) and above is not found.loop and found.name in _targets(above.target):
            return not any(n is node for n in walk(above.iter)) and all(
                n is not node for s in above.orelse for n in walk(s)
            )
        if isinstance(above, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            if any(found.name in _targets(part.target) for part in above.generators):
                return True
    return False


def _targets(target: ast.expr) -> set[str]:
    return {n.id for n in walk(target) if isinstance(n, ast.Name)}


def own_leaves(body: list[ast.stmt]) -> list[ast.Break | ast.Continue]:
    """Each `break` and `continue` of the loop whose body this is."""
    found: list[ast.Break | ast.Continue] = []
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Break | ast.Continue):
            found.append(node)
        elif isinstance(node, ast.For | ast.While | ast.AsyncFor):
            waiting += node.orelse
        elif not isinstance(node, _INNER):
            waiting += ast.iter_child_nodes(node)
    return found


def _is_an_epoch(found: PhaseLoop) -> bool:
    """Whether the phases are those of an epoch: a loop stands around them, and they train, here or in a function that is told the phase."""
    source, loop = found.switches.source, found.loop
    scope = source.scope_of(loop)
    if not any(isinstance(a, ast.For | ast.While) and source.scope_of(a) is scope for a in source.ancestors(loop)):
        return False
    asks = any(isinstance(n, ast.Name) and n.id == found.name for n in walk_scope(loop.body))
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
        function is not None and any(isinstance(g, ast.Name) and g.id == found.name for g in given) and trains(function)
    )
