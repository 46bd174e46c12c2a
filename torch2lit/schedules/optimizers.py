"""The optimizer whose rate is written: where it is told its own rate, and whether all of its groups have that one."""

from __future__ import annotations

import ast

from ..recover.roles import Roles
from ..recover.syntax import Source

_WITHOUT = ("torch.optim.lr_scheduler.", "torch.optim.swa_utils.", "torch.optim.Rprop", "torch.optim.LBFGS")


def rate_argument(made: ast.Assign, roles: Roles) -> ast.expr | None:
    """The argument that gives one of torch's optimizers its learning rate."""
    call = made.value
    if not isinstance(call, ast.Call) or not call.args or any(isinstance(a, ast.Starred) for a in call.args):
        return None
    full = roles.full_name(call.func)
    own = full.removeprefix("torch.optim.")
    if own == full or full.startswith(_WITHOUT) or "." in own or not own[:1].isupper():
        return None
    if any(k.arg is None for k in call.keywords):
        return None
    if len(call.args) > 1:
        return call.args[1]
    return next((k.value for k in call.keywords if k.arg == "lr"), None)


def has_one_rate(made: ast.Assign, roles: Roles, one_group: bool) -> bool:
    """Whether no group of parameters is given a rate of its own; with ``one_group`` there is but one group, too."""
    assert isinstance(made.value, ast.Call)
    return _parameters(made.value.args[0], roles, one_group)


def _parameters(node: ast.expr, roles: Roles, one_group: bool, depth: int = 0) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr="parameters"), args=[], keywords=[]):
            return True
        case ast.Call(func=ast.Name(id="filter"), args=[_, inner], keywords=[]):
            return _parameters(inner, roles, True, depth)
        case ast.Call(func=ast.Name(id="list"), args=[inner], keywords=[]):
            return _parameters(inner, roles, one_group, depth)
        case ast.List(elts=groups) if groups and not one_group:
            return all(_group(group) for group in groups)
        case ast.ListComp(
            elt=ast.Name(id=name), generators=[ast.comprehension(target=ast.Name(id=target), iter=values)]
        ):
            return name == target and _parameters(values, roles, True, depth)
        case ast.Name(id=name) if depth < 2:
            key = roles.key(roles.source.scope_of(node), name)
            bindings = roles.bindings(key) if key is not None else []
            plain = (
                len(bindings) == 1 and bindings[0].index is None and key is not None and not roles.rebound_unseen(key)
            )
            mentions = [n for n in roles.source.all(ast.Name) if n.id == name]
            changed = any(_may_change(n, roles.source) for n in mentions if n.lineno != node.lineno)
            stores = [n for n in mentions if not isinstance(n.ctx, ast.Load)]
            alone = plain and len(stores) == 1 and not changed
            return alone and _parameters(bindings[0].value, roles, one_group, depth + 1)
    return False


def _may_change(node: ast.Name, source: Source) -> bool:
    """Whether a mention of a list may put something else into it: it is no argument of a function that only looks."""
    parent = source.parents[node]
    looks = (
        isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) and parent.func.id in ("len", "print", "sum")
    )
    return isinstance(node.ctx, ast.Load) and not looks


def _group(node: ast.expr) -> bool:
    """Whether a dictionary surely has no rate."""
    if not isinstance(node, ast.Dict):
        return False
    keys = [k.value if isinstance(k, ast.Constant) else None for k in node.keys]
    return None not in keys and "lr" not in keys


def reads_only_rate(node: ast.Name, source: Source) -> bool:
    """Whether a mention of the optimizer is ``optimizer.param_groups[0]["lr"]``, and only read."""
    groups = source.parents[node]
    match source.parents[groups]:
        case ast.Subscript(slice=ast.Constant(value=int())) as group:
            pass
        case _:
            return False
    match source.parents[group]:
        case ast.Subscript(slice=ast.Constant(value="lr"), ctx=ast.Load()):
            return True
    return False
