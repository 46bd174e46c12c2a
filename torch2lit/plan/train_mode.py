"""Switches to train mode that switch nothing: the models are in it when `fit` begins, and Lightning gives it back after each validation.

Since 2.2 Lightning leaves the modes of a module's parts as it finds them, and restores them behind an evaluation:
https://lightning.ai/docs/pytorch/stable/common/lightning_module.html
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ..recover.items import Item
from ..recover.made_in_train_mode import made_in_train_mode, switches_modes
from ..recover.makings import Value
from ..recover.roles import Role
from ..recover.state_names import is_attribute
from ..recover.syntax import root_name, walk
from ..recover.variables import Variable
from .before import statements_before
from .draft import HOOKS, VALIDATION_END, VALIDATION_START, VALIDATION_STEP, Draft, Removal
from .may_run import may_run, runs_in_loop
from .modes import mode_calls, only_mode_call
from .runs_again import runs_again

_SAME_MODES = ("print", "len", "list", "isinstance", "type", "id", "copy.copy", "copy.deepcopy")
_PUTS = ("add_module", "register_module", "append", "insert", "extend")
_WITH_MODULES = (
    "torch.nn.",
    "torch.hub.",
    "torch.load",
    "torch.jit.",
    "torch.package.",
    "torch.compile",
    "torch.export.",
)
_OF_VALIDATION = (VALIDATION_START, VALIDATION_STEP, VALIDATION_END)


def leave_train_mode_to_lightning(draft: Draft) -> None:
    """Take out ``model.train()`` where the model surely is in train mode by then, with all its parts."""
    switches = _train_calls(draft)
    if not switches or _left_otherwise(draft):
        return
    models = {model for _, model in switches}
    if not all(_made_in_train_mode(draft, model) for model in models) or _may_switch(draft, [i for i, _ in switches]):
        return
    gone = {item.node for item, _ in switches}
    for node in gone:
        draft.removals[node] = Removal("Trainer.fit", "train_mode", "the model is in train mode already")
    for hook, items in draft.hooks.items():
        draft.hooks[hook] = [i for i in items if i.node not in gone]


def _train_calls(draft: Draft) -> list[tuple[Item, Variable]]:
    """The statements of the training's hooks that switch one model to train mode and do nothing else."""
    found = []
    for hook in HOOKS:
        for item in draft.hooks.get(hook, []) if hook not in _OF_VALIDATION else []:
            calls = mode_calls(draft, item)
            if len(calls) == 1 and calls[0][1] == "train" and only_mode_call(item) and item.parent is None:
                found.append((item, calls[0][0]))
    return found


def _left_otherwise(draft: Draft) -> bool:
    """Whether a validation leaves, or finds, a model in another mode than Lightning would."""
    kept = any("def on_validation_model_" in method for method in draft.methods)
    return kept or bool(draft.eval_at_end or draft.validated_in_train)


def _made_in_train_mode(draft: Draft, model: Variable) -> bool:
    value = Value(ast.Name(model.name, ast.Load()), model.scope, draft.roles)
    return not is_attribute(model.name) and made_in_train_mode(value)


def starts_in_train(draft: Draft, model: Variable, switching: list[Item]) -> bool:
    """Whether a model surely is in train mode, as a whole, when the loop begins, and nothing but ``switching`` switches any of it."""
    own = [i for i in switching if mode_calls(draft, i) and only_mode_call(i)]
    entry = draft.nest.entry
    before = [Item(statement, entry) for statement, scope in statements_before(draft) if scope is entry.scope]
    same = [i for i in before if only_mode_call(i) and mode_calls(draft, i) == [(model, "train")]]
    return _made_in_train_mode(draft, model) and not _may_switch(draft, own, same)


# ---- what may switch it


def _may_switch(draft: Draft, taken_out: list[Item], before_it: Sequence[Item] = ()) -> bool:
    """Whether anything that runs before or in the loop may switch a part of a model, besides what leaves the loop and what is known of ``before_it``."""
    known = {id(n) for item in before_it for n in walk(item.node)}
    own = {id(n) for item in taken_out for n in walk(item.node)}
    if runs_again(draft):
        everything = (n for n in walk(draft.source.tree) if id(n) not in own)
        return bool(draft.left_in_eval) or any(_changes_modes(draft, n) for n in everything)
    before = may_run(draft.source, [statement for statement, _ in statements_before(draft)])
    left = own | {id(n) for s in draft.removals for n in walk(s)}
    inside = (n for n in runs_in_loop(draft) if id(n) not in left)
    earlier = (n for n in before if id(n) not in known)
    return any(_changes_modes(draft, n) for n in [*earlier, *inside])


def _changes_modes(draft: Draft, node: ast.AST) -> bool:
    return switches_modes(node) or _hands_on(draft, node) or _puts_in(draft, node)


def _puts_in(draft: Draft, node: ast.AST) -> bool:
    """Whether the node gives a model a part that may be in eval mode, as pretrained ones are."""
    match node:
        case ast.Assign(targets=targets, value=value):
            places: list[ast.expr] = [t for t in targets if isinstance(t, ast.Attribute | ast.Subscript)]
        case ast.Call(func=ast.Attribute(value=owner, attr=name), args=[*_, value]) if name in _PUTS:
            places = [owner]
        case ast.Call(func=ast.Name(id="setattr"), args=[owner, _, value]):
            places = [owner]
        case _:
            return False
    scope = draft.source.scope_of(node)
    put = [p for p in places if draft.roles.role(scope, root_name(p)) is Role.MODEL and not _is_of_tensor(p)]
    return bool(put) and not _is_no_part(draft, value) and not made_in_train_mode(Value(value, scope, draft.roles))


def _is_of_tensor(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in ("data", "grad", "requires_grad")


def _is_no_part(draft: Draft, value: ast.expr) -> bool:
    """Whether a value surely is no module."""
    if isinstance(value, ast.Constant | ast.JoinedStr | ast.Compare | ast.BinOp):
        return True
    full = draft.roles.full_name(value.func) if isinstance(value, ast.Call) else ""
    return full.startswith("torch.") and not full.startswith(_WITH_MODULES)


def _hands_on(draft: Draft, node: ast.AST) -> bool:
    """Whether a call hands a model to code that is not in sight, or to a file in which something is switched."""
    if not isinstance(node, ast.Call):
        return False
    scope = draft.source.scope_of(node)
    given = [*node.args, *(k.value for k in node.keywords)]
    if not any(isinstance(a, ast.Name) and draft.roles.of(a, scope) is Role.MODEL for a in given):
        return False
    full = draft.roles.full_name(node.func)
    if full.startswith("torch.") or full in _SAME_MODES:
        return False
    own = draft.roles.function_named(full) or draft.roles.own_class_named(full) if full else None
    if own is None:
        return True
    return own[1] is not draft.roles and any(switches_modes(n) for n in walk(own[1].source.tree))
