"""Switches to train mode that switch nothing: the models are in it when `fit` begins, and Lightning gives it back after each validation.

Since 2.2 Lightning leaves the modes of a module's parts as it finds them, and restores them behind an evaluation:
https://lightning.ai/docs/pytorch/stable/common/lightning_module.html
"""

from __future__ import annotations

import ast

from ..recover.bindings import Names
from ..recover.items import Item
from ..recover.makings import Value, sources
from ..recover.own_classes import lineage, method_of
from ..recover.roles import Role
from ..recover.state_names import is_attribute
from ..recover.syntax import walk
from ..recover.variables import Variable
from .before import statements_before
from .draft import HOOKS, VALIDATION_END, VALIDATION_START, VALIDATION_STEP, Draft, Removal
from .may_run import may_run, runs_in_loop
from .modes import mode_calls, only_mode_call
from .runs_again import runs_again

_IN_TRAIN_MODE = ("torch.nn.", "torchvision.models.")
_SAME_MODE = {"to", "cuda", "cpu", "float", "double", "half", "bfloat16", "train", "requires_grad_", "apply"}
_ONLY_LOOK = ("print", "len", "list", "isinstance", "type", "id")
_DEEPEST = 6
_OF_VALIDATION = (VALIDATION_START, VALIDATION_STEP, VALIDATION_END)


def leave_train_mode_to_lightning(draft: Draft) -> None:
    """Take out ``model.train()`` where the model surely is in train mode by then, with all its parts."""
    switches = _train_calls(draft)
    if not switches or any("def on_validation_model_" in method for method in draft.methods):
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


# ---- how it was made


def _made_in_train_mode(draft: Draft, model: Variable) -> bool:
    if is_attribute(model.name):
        return False
    made = sources(Value(ast.Name(model.name, ast.Load()), model.scope, draft.roles))
    return bool(made) and all(_is_fresh(value, 0) for value in made)


def _is_fresh(value: Value, depth: int) -> bool:
    """Whether the value is a module of which every part is in train mode as its class leaves it."""
    call = value.node
    if not isinstance(call, ast.Call) or depth > _DEEPEST:
        return False
    if isinstance(call.func, ast.Attribute) and call.func.attr in _SAME_MODE:
        inner = sources(Value(call.func.value, value.scope, value.roles))
        return bool(inner) and all(_is_fresh(v, depth + 1) for v in inner)
    full = value.roles.full_name(call.func)
    if full.startswith(_IN_TRAIN_MODE):
        return "quantization" not in full
    own = value.roles.own_class_named(full)
    return own is not None and all(not _switches_itself(where, d) for d, where in lineage(*own))


def _switches_itself(roles: Names, definition: ast.ClassDef) -> bool:
    """Whether a class, or another one of its file, has modes of its own."""
    if method_of(definition, "train") is not None or method_of(definition, "eval") is not None:
        return True
    return any(_is_switch(node) for one in roles.source.classes.values() for node in walk(one))


# ---- what may switch it


def _may_switch(draft: Draft, taken_out: list[Item]) -> bool:
    """Whether anything that runs before or in the loop may switch a part of a model, besides what leaves the loop."""
    own = {id(n) for item in taken_out for n in walk(item.node)}
    if runs_again(draft):
        everything = (n for n in walk(draft.source.tree) if id(n) not in own)
        return bool(draft.left_in_eval) or any(_is_switch(n) or _hands_on(draft, n) for n in everything)
    before = may_run(draft.source, [statement for statement, _ in statements_before(draft)])
    left = own | {id(n) for s in draft.removals for n in walk(s)}
    inside = (n for n in runs_in_loop(draft) if id(n) not in left)
    return any(_is_switch(n) or _hands_on(draft, n) for n in [*before, *inside])


def _is_switch(node: ast.AST) -> bool:
    """Whether the node may give a module another mode, whatever its object is."""
    match node:
        case ast.Call(func=ast.Attribute(attr="eval" | "train")):
            return True
        case ast.Attribute(attr="training", ctx=ast.Store()):
            return True
        case ast.Call(func=ast.Name(id="getattr" | "setattr" | "methodcaller")):
            return any(isinstance(a, ast.Constant) and a.value in ("eval", "train", "training") for a in node.args)
    return False


def _hands_on(draft: Draft, node: ast.AST) -> bool:
    """Whether a call hands a model to code that is not in sight, or to a file in which something is switched."""
    if not isinstance(node, ast.Call):
        return False
    scope = draft.source.scope_of(node)
    given = [*node.args, *(k.value for k in node.keywords)]
    if not any(isinstance(a, ast.Name) and draft.roles.of(a, scope) is Role.MODEL for a in given):
        return False
    full = draft.roles.full_name(node.func)
    if full.startswith("torch.") or full in _ONLY_LOOK:
        return False
    own = draft.roles.function_named(full) or draft.roles.own_class_named(full) if full else None
    if own is None:
        return True
    return own[1] is not draft.roles and any(_is_switch(n) for n in walk(own[1].source.tree))
