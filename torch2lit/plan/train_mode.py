"""Switches to train mode that switch nothing: the models are in it when `fit` begins, and Lightning gives it back after each validation.

Since 2.2 Lightning leaves the modes of a module's parts as it finds them, and restores them behind an evaluation:
https://lightning.ai/docs/pytorch/stable/common/lightning_module.html
"""

from __future__ import annotations

import ast

from ..recover.items import Item
from ..recover.made_in_train_mode import READ_FROM_FILES, made_in_train_mode, switches_modes
from ..recover.makings import Value, sources
from ..recover.roles import Role
from ..recover.state_names import is_attribute
from ..recover.syntax import Scope, walk
from ..recover.variables import Variable
from .before import statements_before
from .draft import HOOKS, VALIDATION_END, VALIDATION_START, VALIDATION_STEP, Draft, Removal
from .given_away import gives_model_away
from .may_run import may_run, runs_in_loop
from .modes import mode_calls, only_mode_call
from .runs_again import runs_again
from .train_mode_before import changes_parts, may_be_switched_by_others, may_stand_before

_ADDING = {"add_module", "register_module", "__setattr__", "append", "insert", "extend", "update"}
_OF_VALIDATION = (VALIDATION_START, VALIDATION_STEP, VALIDATION_END)


def leave_train_mode_to_lightning(draft: Draft) -> None:
    """Take out ``model.train()`` where the model surely is in train mode by then, with all its parts; say it before `fit` where only that is missing."""
    switches = _train_calls(draft)
    if not switches or _left_otherwise(draft):
        return
    models = list(dict.fromkeys(model for _, model in switches))
    taken_out = [item for item, _ in switches]
    if _may_switch_inside(draft, taken_out):
        return
    first = {model: next(item for item, its in switches if its == model) for model in models}
    if not all(made_in_train(draft, model) for model in models) or _may_switch_before(draft, taken_out):
        if may_be_switched_by_others(draft) or not all(may_stand_before(draft, m, first[m]) for m in models):
            return
        draft.put_in_train = [model.name for model in models]
    gone = {item.node for item in taken_out}
    for node in gone:
        draft.removals[node] = Removal("Trainer.fit", "train_mode", _why(draft))
    for hook, items in draft.hooks.items():
        draft.hooks[hook] = [i for i in items if i.node not in gone]


def _why(draft: Draft) -> str:
    return "the model is put in train mode before it" if draft.put_in_train else "the model is in train mode already"


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


def made_in_train(draft: Draft, model: Variable) -> bool:
    """Whether a variable surely holds a model that was in train mode, with all its parts, when it was made."""
    value = Value(ast.Name(model.name, ast.Load()), model.scope, draft.roles)
    return not is_attribute(model.name) and made_in_train_mode(value) and not _gets_other_parts(draft, model)


def _gets_other_parts(draft: Draft, model: Variable) -> bool:
    """Whether code outside of classes puts into a model what may be in another mode: ``model.head = torch.load(path)``."""
    for assign in draft.source.all(ast.Assign):
        scope = draft.source.scope_of(assign)
        for target in assign.targets:
            if isinstance(target, ast.Attribute | ast.Subscript) and _is_of_a_model(
                draft, root_of(target), scope, model
            ):
                if not _is_fresh(draft, assign.value, scope):
                    return True
    for call in draft.source.calls:
        scope, given = draft.source.scope_of(call), [*call.args, *(k.value for k in call.keywords)]
        if isinstance(call.func, ast.Attribute) and call.func.attr in _ADDING:
            owner = root_of(call.func)
        elif isinstance(call.func, ast.Name) and call.func.id == "setattr" and given:
            owner = root_of(given[0])
            given = given[2:]
        else:
            continue
        if _is_of_a_model(draft, owner, scope, model) and not all(_is_fresh(draft, a, scope) for a in given):
            return True
    return False


def _is_of_a_model(draft: Draft, root: ast.expr, scope: Scope, model: Variable) -> bool:
    if not isinstance(root, ast.Name) or root.id == "self":
        return False
    return root.id == model.name or draft.roles.of(root, scope) is Role.MODEL


def root_of(node: ast.expr) -> ast.expr:
    """What an attribute or an element is of, in the end."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node


def _is_fresh(draft: Draft, node: ast.expr, scope: Scope) -> bool:
    """Whether a value is no module, or one in train mode."""
    if isinstance(node, ast.Constant | ast.BinOp | ast.Compare | ast.UnaryOp):
        return True
    full = draft.roles.full_name(node.func) if isinstance(node, ast.Call) else ""
    tensor = full.startswith("torch.") and not full.startswith(READ_FROM_FILES)
    return tensor or made_in_train_mode(Value(node, scope, draft.roles))


# ---- what may switch it


def _may_switch_before(draft: Draft, taken_out: list[Item]) -> bool:
    """Whether anything that runs before the loop may switch a part of a model."""
    own = {id(n) for item in taken_out for n in walk(item.node)}
    if runs_again(draft):
        everything = (n for n in walk(draft.source.tree) if id(n) not in own)
        return bool(draft.left_in_eval) or any(may_switch_by(draft, n) for n in everything)
    before = may_run(draft.source, [statement for statement, _ in statements_before(draft)])
    return any(may_switch_by(draft, n) for n in before)


def _may_switch_inside(draft: Draft, taken_out: list[Item]) -> bool:
    """Whether anything that runs in the loop may switch a part of a model, or give it another, besides what leaves the loop."""
    left = {id(n) for s in [*(item.node for item in taken_out), *draft.removals] for n in walk(s)}
    inside = (n for n in runs_in_loop(draft) if id(n) not in left)
    return any(may_switch_by(draft, n) or changes_parts(draft, n) for n in inside)


def may_switch_by(draft: Draft, node: ast.AST) -> bool:
    """Whether one node, or the code that it hands a model to, may give a part of one another mode."""
    return switches_modes(node) or _takes_switch(draft, node) or gives_model_away(draft, node)


def _takes_switch(draft: Draft, node: ast.AST) -> bool:
    """Whether a model's method is taken out, to be called under another name: ``off = model.eval``."""
    if not isinstance(node, ast.Attribute) or node.attr not in ("eval", "train"):
        return False
    parent = draft.source.parents[node]
    if isinstance(parent, ast.Call) and parent.func is node:
        return False
    return not _is_of_options(draft, node.value)


def _is_of_options(draft: Draft, owner: ast.expr) -> bool:
    """Whether the object is what a parser of the command line or of a file gave."""
    if not isinstance(owner, ast.Name):
        return False
    found = sources(Value(owner, draft.source.scope_of(owner), draft.roles))
    return bool(found) and all(_is_read(one.node) for one in found)


def _is_read(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.startswith("parse")
