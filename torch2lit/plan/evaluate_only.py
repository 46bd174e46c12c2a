"""A branch above the loop that evaluates and leaves: the Trainer may do that, which is made above the branch then.

if args.evaluate:                               lit_net = LitNet(...)
    validate(val_loader, model, criterion)      trainer = L.Trainer(...)
    return                                 →    if args.evaluate:
for epoch in range(args.epochs): ...                trainer.validate(lit_net, val_loader)
                                                    return
                                                trainer.fit(lit_net, train_loader, val_loader)

Who takes the branch has module and Trainer made in front of what it does, who does not in front of what stands between it and the loop.
"""

from __future__ import annotations

import ast

from ..recover.items import Item
from ..recover.names import bound_names, parameter_names
from ..recover.phases import Validation
from ..recover.syntax import dotted, walk
from ..recover.variables import Variable
from .draft import Behind, Draft
from .held_models import held_models
from .looks import Looks
from .mode_afterwards import holders, mode_shows_to_callers
from .modes import mode_calls, only_mode_call
from .state import State
from .written_once import is_print

_CLOCKS = ("time.", "datetime.")


def before(draft: Draft, statement: ast.stmt) -> Behind | None:
    """The place of a statement in such a branch; None where it stands elsewhere or something there may see where the Trainer is made."""
    source, loop, entry = draft.source, draft.nest.outermost, draft.nest.entry
    branch = source.parents.get(statement)
    if not isinstance(branch, ast.If) or branch.orelse or statement not in branch.body:
        return None
    block = source.block_of(loop)
    if not block and source.parents.get(loop) is source.tree:
        block = source.tree.body
    if branch not in block or loop not in block or source.scope_of(statement) is not entry.scope:
        return None
    if any(isinstance(a, ast.For | ast.While | ast.Try) for a in source.ancestors(loop)):
        return None
    place = branch.body.index(statement)
    above, below = branch.body[:place], branch.body[place + 1 :]
    between = block[block.index(branch) + 1 : block.index(loop)]
    if not below or not _leaves(draft, below[-1]) or _outlives(draft):
        return None
    if not all(_only_shows(draft, s) or _only_switches(draft, s) for s in above):
        return None
    if not all(_only_shows(draft, s) and not _names_models(draft, s) for s in below[:-1]):
        return None
    if not all(_only_shows(draft, s) or _only_counts(draft, s) for s in between):
        return None
    return Behind((*above,), entry, branch=branch, between=(*between,))


def leaves_nothing(draft: Draft, found: Validation, items: list[Item]) -> bool:
    """Whether an evaluation changes no variable of the script: what reads one finds the same on the way out of the branch."""
    written = draft.variables.sequence(items).written
    alone = not found.others and not found.arms and not draft.other_loops
    return alone and not any(v.is_global or v.frame is draft.nest.entry for v in written)


def may_be_made_above(draft: Draft, state: State, place: Behind) -> bool:
    """Whether module and Trainer need nothing that is bound between the branch and the loop, nor are told to go on with a stored training."""
    if draft.resumed or draft.accepted or state.inside:
        return False
    bound = bound_names([s for s in place.between if s not in draft.removals])
    return not any(isinstance(n, ast.Name) and n.id in bound for n in walk(draft.nest.outermost))


def _leaves(draft: Draft, statement: ast.stmt) -> bool:
    """Whether a statement leaves the function with no result, or ends the program."""
    match statement:
        case ast.Return(value=None | ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=function, args=arguments, keywords=[])):
            if not all(isinstance(a, ast.Constant) for a in arguments):
                return False
            own = draft.roles.key(draft.nest.entry.scope, dotted(function)) is not None
            return draft.roles.full_name(function) == "sys.exit" or (dotted(function) in ("exit", "quit") and not own)
    return False


def _only_shows(draft: Draft, statement: ast.stmt) -> bool:
    """Whether a statement prints what it only looks at."""
    if isinstance(statement, ast.Pass):
        return True
    if not is_print(draft, statement, draft.nest.entry.scope):
        return False
    assert isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
    looks = Looks(draft)
    given = [*statement.value.args, *(k.value for k in statement.value.keywords)]
    return all(looks.only(a.value if isinstance(a, ast.Starred) else a, draft.nest.entry) for a in given)


def _only_switches(draft: Draft, statement: ast.stmt) -> bool:
    item = Item(statement, draft.nest.entry)
    return bool(mode_calls(draft, item)) and only_mode_call(item)


def _only_counts(draft: Draft, statement: ast.stmt) -> bool:
    """Whether a statement gives names a constant or the time."""
    match statement:
        case ast.Assign(targets=[ast.Name()], value=ast.Constant() | ast.UnaryOp(operand=ast.Constant())):
            return True
        case ast.Assign(targets=[ast.Name()], value=ast.List(elts=[]) | ast.Dict(keys=[])):
            return True
        case ast.Assign(targets=[ast.Name()], value=ast.Call() as call):
            return draft.roles.full_name(call.func).startswith(_CLOCKS) and Looks(draft).only(call, draft.nest.entry)
    return False


def _names_models(draft: Draft, statement: ast.stmt) -> bool:
    """Whether a statement names a model that the module holds, or what is made of one: it would be on another device, in another mode."""
    keys = _models(draft)
    scope = draft.nest.entry.scope
    return any(isinstance(n, ast.Name) and draft.roles.key(scope, n.id) in keys for n in walk(statement))


def _models(draft: Draft) -> frozenset[tuple[ast.AST, str]]:
    own = frozenset((model.scope, model.name) for model in held_models(draft))
    return own | holders(draft, own)


def _outlives(draft: Draft) -> bool:
    """Whether a model may be used when the branch has left its function: Lightning gives it another mode and another device there."""
    scope = draft.nest.entry.scope
    if isinstance(scope, ast.Module):
        return False
    given = parameter_names(scope)
    if any(where is not scope or name in given for where, name in _models(draft)):
        return True
    return any(_is_seen(draft, model) for model in held_models(draft))


def _is_seen(draft: Draft, model: Variable) -> bool:
    return draft.nest.entry.scope is not model.scope or mode_shows_to_callers(draft, model)
