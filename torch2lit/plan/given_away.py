"""Whether code that is not in sight gets a model, and may switch it then or later."""

from __future__ import annotations

import ast

from ..recover.bindings import Names
from ..recover.callees import is_imported
from ..recover.made_in_train_mode import switches_modes
from ..recover.makings import Value, sources
from ..recover.names import parameter_names
from ..recover.reached_files import reached_files
from ..recover.roles import Role
from ..recover.syntax import Scope, root_name, walk
from .draft import Draft
from .may_run import may_run

_SAME_MODES = (
    "print",
    "len",
    "list",
    "isinstance",
    "type",
    "id",
    "copy.copy",
    "copy.deepcopy",
    "wandb.watch",
    "torchinfo.summary",
    "torchsummary.summary",
)
_MODELESS = {"torch", "numpy", "math", "random", "time", "copy", "itertools", "functools", "tqdm"}
_OF_DATA = frozenset(
    {"append", "extend", "item", "to", "size", "view", "info", "debug", "warning", "write", "add_scalar", "update"}
    | {"get", "keys", "values", "items", "format", "join"}
)
"""Methods of numbers, containers, loggers and writers."""


def gives_model_away(draft: Draft, node: ast.AST) -> bool:
    """Whether a call hands a model to code that is not in sight, or to a file in whose reach something is switched."""
    if not isinstance(node, ast.Call):
        return False
    if not any(_holds_model(draft, a) for a in [*node.args, *(k.value for k in node.keywords)]):
        return False
    full = draft.roles.full_name(node.func)
    if full.startswith("torch.") or full in _SAME_MODES or _is_writers(draft, node):
        return False
    own = draft.roles.function_named(full) or draft.roles.own_class_named(full) if full else None
    if own is None:
        return True
    if own[1] is draft.roles:
        return False
    if not any(switches_modes(n) for file in reached_files(own[1]) for n in walk(file.source.tree)):
        return False
    return not isinstance(own[0], ast.FunctionDef) or not _keeps_to_itself(own[0], own[1])


def _keeps_to_itself(function: ast.FunctionDef, roles: Names) -> bool:
    """Whether a function of another file switches nothing, and calls none but functions of its file and of packages that know no modes."""
    for node in may_run(roles.source, [function]):
        if switches_modes(node):
            return False
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            full = roles.full_name(node.func)
            if is_imported(node.func, roles) and full.partition(".")[0] not in _MODELESS:
                return False
            made = roles.own_class_named(full) if full else None
            if made is not None and any(switches_modes(n) for n in walk(made[0])):
                return False  # the object may keep the model
    return True


def _is_writers(draft: Draft, call: ast.Call) -> bool:
    """Whether a call is a method of TensorBoard's writer: `add_graph` gives every part its own mode back."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    return owner is not None and draft.roles.of(owner, draft.source.scope_of(call)) is Role.WRITER


def stores_model(draft: Draft, node: ast.AST) -> bool:
    """Whether an assignment gives an object a model as an attribute: ``callback.model = model``."""
    match node:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=owner)) as target], value=value):
            return owner != "self" and not is_model(draft, target, owner) and _holds_model(draft, value)
    return False


def calls_unseen_object(draft: Draft, node: ast.AST) -> bool:
    """Whether a call goes to an object that the training's function is given by code out of sight, which may have given it the model as well."""
    if not isinstance(node, ast.Call) or (isinstance(node.func, ast.Attribute) and node.func.attr in _OF_DATA):
        return False
    name, scope = root_name(node.func), draft.source.scope_of(node)
    root = ast.Name(name, ast.Load())
    if not name or name == "self" or draft.roles.of(root, scope) is not None:
        return False
    found = sources(Value(root, scope, draft.roles))
    if not found:
        return _is_parameter(draft, scope, name)
    return any(isinstance(one.node, ast.Name) and _is_parameter(draft, one.scope, one.node.id) for one in found)


def _is_parameter(draft: Draft, scope: Scope, name: str) -> bool:
    """Whether a name is a parameter of the function that the loop stands in."""
    entry = draft.nest.entry.scope
    if isinstance(entry, ast.Module):
        return False
    return draft.roles.key(scope, name) == (entry, name) and name in parameter_names(entry)


def is_model(draft: Draft, node: ast.AST, name: str) -> bool:
    """Whether a name, read where the node stands, is a model."""
    return draft.roles.of(ast.Name(name, ast.Load()), draft.source.scope_of(node)) is Role.MODEL


def _holds_model(draft: Draft, node: ast.expr) -> bool:
    """Whether an expression is a model, or a list, tuple or dictionary with one."""
    match node:
        case ast.Name(id=name):
            return is_model(draft, node, name)
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Dict(values=parts):
            return any(_holds_model(draft, part) for part in parts)
        case ast.Starred(value=inner):
            return _holds_model(draft, inner)
    return False
