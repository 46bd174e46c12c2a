"""What of an epoch is the training on the one batch, and what its evaluation."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace

from ..recover.effects import EffectAnalysis, effects_of
from ..recover.loops import Iterable
from ..recover.nest import Nest
from ..recover.phases import NotStraight, find_validation, take_apart
from ..recover.roles import Roles
from ..recover.syntax import dotted, walk, walk_scope
from .evaluation import Evaluations
from .handed import Handed
from .part import Part

_PICKS = {
    "randint", "randperm", "choice", "choices", "sample", "permutation", "shuffle", "multinomial", "next", "get_batch",
    "next_batch", "random_batch", "train_test_split",
}  # fmt: skip
"""Calls by which a loop picks its own batches: its turns are iterations and no epochs."""
_EPOCH = re.compile(r"(?:\w+_)?(?:epochs?|ep)(?:_?(?:i|id|idx|num|no|n))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FullBatch:
    """A loop over epochs whose every turn trains on the same whole set, and may evaluate on another one.

    ``alone`` is the training when the evaluation stays as it is. Where the loop trains on batches of a loader there is an evaluation only,
    which may run over a loader ``further_down``, in a function that its own calls: that is the better validation, where it may be one.
    """

    loop: ast.For
    training: Part | None
    evaluation: Part | None
    alone: Part | None
    further_down: bool = False

    def without_evaluation(self) -> FullBatch:
        """The same with the evaluation as it is."""
        return replace(self, training=self.alone, evaluation=None)


def find_full_batches(nests: list[Nest], roles: Roles, path: str) -> list[FullBatch]:
    """The loops of a program that are such; one in which two loops train is as each of them sees it, so it is left out."""
    effects = effects_of(roles, path)
    found = [one for nest in nests if (one := _full_batch(nest, roles, effects)) is not None]
    loops = [one.loop for one in found]
    return [one for one in found if loops.count(one.loop) == 1]


def _full_batch(nest: Nest, roles: Roles, effects: EffectAnalysis) -> FullBatch | None:
    epochs = nest.epochs
    if epochs is None or epochs.kind is not Iterable.RANGE:
        return None
    if nest.batches is not None:
        return _evaluation_alone(nest, roles, effects)
    loop = epochs.node
    if not isinstance(loop, ast.For) or loop.orelse or loop.body[0].lineno == loop.lineno:
        return None
    if _picks_batches(loop, nest):
        return None
    owner = nest.entry.scope
    places = [(loop.body, Handed(roles, owner, owner, loop, effects))]
    if (function := _step_function(nest, roles)) is not None:
        places.append((function.body, Handed(roles, owner, function, loop, effects)))
    ways = [(body, handed, nothing) for nothing in (False, _counts_epochs(loop)) for body, handed in places]
    found = [one for body, handed, n in ways if (one := _in_block(nest, loop, body, handed, nothing=n)) is not None]
    return next((one for one in found if one.evaluation is not None), found[0] if found else None)


def _evaluation_alone(nest: Nest, roles: Roles, effects: EffectAnalysis) -> FullBatch | None:
    """The evaluation on a whole set behind batches of a loader, where no evaluation over a loader follows them."""
    assert nest.epochs is not None and nest.batches is not None
    loop, owner = nest.epochs.node, nest.entry.scope
    if not isinstance(loop, ast.For) or loop.orelse or loop.body[0].lineno == loop.lineno:
        return None
    calls = [f.call for f in (*nest.between, nest.inner) if f is not nest.entry]
    trained = {id(nest.batches.node), *map(id, calls)}
    steps = [n for n, statement in enumerate(loop.body) if any(id(node) in trained for node in walk(statement))]
    try:
        after = take_apart(roles.source, roles, nest).after
    except NotStraight:
        return None
    over_loader = find_validation(roles.source, roles, nest, after)
    if not steps or (over_loader is not None and not over_loader.around):
        return None
    evaluation = Evaluations(Handed(roles, owner, owner, loop, effects)).after(loop.body, steps[-1])
    return FullBatch(loop, None, evaluation.part, None, over_loader is not None) if evaluation is not None else None


def _in_block(nest: Nest, loop: ast.For, body: list[ast.stmt], handed: Handed, *, nothing: bool) -> FullBatch | None:
    """The parts of an epoch among the statements of the loop, or of the function that takes its steps; ``nothing``: also without data to hand over."""
    steps = [n for n, statement in enumerate(body) if _steps(statement, nest)]
    if not steps:
        return None
    alone = _part(_up_to_the_end(body, steps[-1]), handed, nothing=nothing)
    if alone is None:
        return None
    evaluation = Evaluations(handed).after(body, steps[-1])
    if evaluation is not None:
        training = _part(body[: evaluation.start], handed, nothing=nothing)
        leaves = training is None or any(_leaves(s) or _controls(s, ast.Continue) for s in training.statements)
        if not leaves:
            return FullBatch(loop, training, evaluation.part, alone)
    return FullBatch(loop, alone, None, alone)


def _step_function(nest: Nest, roles: Roles) -> ast.FunctionDef | None:
    """The function that the loop calls for each step, when nobody else does and it reads what the loop's own scope holds."""
    frame = nest.step_frame
    function = frame.scope
    if frame is nest.entry or frame.caller is not nest.entry or not isinstance(nest.entry.scope, ast.Module):
        return None
    if not isinstance(function, ast.FunctionDef) or function.body[0].lineno == function.lineno:
        return None
    mentions = [n for n in roles.source.all(ast.Name) if n.id == function.name]
    return function if len(mentions) == 1 and roles.source.scope_of(function) is nest.entry.scope else None


def _part(statements: list[ast.stmt], handed: Handed, *, nothing: bool) -> Part | None:
    """The part that some statements are; ``nothing``: also where a loader can hand them nothing."""
    names = handed.names(statements)
    return Part(tuple(statements), tuple(names)) if statements and (names or nothing) else None


def _counts_epochs(loop: ast.For) -> bool:
    """Whether the loop calls its turns epochs, so that they are to be the Trainer's, whatever they train on."""
    return isinstance(loop.target, ast.Name) and bool(_EPOCH.fullmatch(loop.target.id))


def _steps(statement: ast.stmt, nest: Nest) -> bool:
    """Whether a statement of the loop takes a gradient or a step, itself or in the function that it calls."""
    sites = {id(site) for site in [*nest.sites, *nest.backwards]}
    frame = nest.step_frame
    while frame is not nest.entry and frame.caller is not None:
        sites.add(id(frame.call))
        frame = frame.caller
    return any(id(node) in sites for node in walk(statement))


def _picks_batches(loop: ast.For, nest: Nest) -> bool:
    frames = [] if nest.step_frame is nest.entry else [nest.step_frame.scope]
    calls = (node for root in [*loop.body, *frames] for node in walk(root) if isinstance(node, ast.Call))
    return any(dotted(call.func).rpartition(".")[2] in _PICKS for call in calls)


def _up_to_the_end(body: list[ast.stmt], last: int) -> list[ast.stmt]:
    """The statements up to the first behind the step that may leave the loop; none when an earlier one may."""
    for index, statement in enumerate(body):
        if _leaves(statement):
            skips = any(_controls(s, ast.Continue) for s in body[:index])
            return body[:index] if index > last and not skips else []
    return list(body)


def _leaves(statement: ast.stmt) -> bool:
    """Whether a `break` of the loop around it or a `return` is in a statement."""
    return any(isinstance(n, ast.Return) for n in walk_scope(statement)) or _controls(statement, ast.Break)


def _controls(node: ast.AST, kind: type[ast.Break] | type[ast.Continue]) -> bool:
    """Whether a `break` or `continue` in a statement belongs to the loop around it."""
    if isinstance(node, kind):
        return True
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.expr):
        return False
    inner = node.orelse if isinstance(node, ast.For | ast.While) else ast.iter_child_nodes(node)
    return any(_controls(child, kind) for child in inner)
