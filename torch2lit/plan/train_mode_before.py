"""Models of which it is not known that they are in train mode: one switch before `fit`, where each epoch begins with one.

    for epoch in range(n):                model.train()
        model.train()            →        trainer.fit(lit_model, loader)
        ...

That is the same where nothing in the loop switches a part of the model or gives it another, the mode is not seen before the first
switch, and, should the loop have no turn, nobody sees it behind `fit`.
"""

from __future__ import annotations

import ast

from ..recover.items import Item
from ..recover.own_classes import method_of
from ..recover.reached_files import reached_files
from ..recover.roles import Roles
from ..recover.syntax import root_name
from ..recover.variables import Variable
from .draft import Draft
from .given_away import calls_unseen_object, gives_model_away, is_model, stores_model
from .may_run import runs_in_loop
from .mode_afterwards import mode_shows_after
from .mode_in_loop import items_path
from .surely_runs import has_turns


def may_stand_before(draft: Draft, model: Variable, first: Item) -> bool:
    """Whether a model may be switched to train mode in the line before `fit` and no more by the item, its first switch."""
    if draft.roles.key(draft.nest.entry.scope, model.name) != (model.scope, model.name):
        return False
    items = draft.all_items()
    if model in draft.variables.written_in_sight(items):
        return False
    earlier = items[: items.index(first)]
    if items_path(draft, earlier, model).shows:
        return False
    return has_turns(draft) or not mode_shows_after(draft, model)


def may_be_switched_by_others(draft: Draft) -> bool:
    """Whether an object that is not in sight may hold a model and switch it when the loop calls it, or a class switches in its own way."""
    if any(_has_own_train(file) for file in reached_files(draft.roles)):
        return True
    if any(gives_model_away(draft, call) for call in draft.source.calls):
        return True
    if any(stores_model(draft, assign) for assign in draft.source.all(ast.Assign)):
        return True
    return any(calls_unseen_object(draft, node) for node in runs_in_loop(draft))


def changes_parts(draft: Draft, node: ast.AST) -> bool:
    """Whether the code gives a model another part, which may be in another mode: ``model.head = load_head()``."""
    match node:
        case ast.Attribute(ctx=ast.Store()) | ast.Subscript(ctx=ast.Store()):
            return is_model(draft, node, root_name(node))
        case ast.Call(func=ast.Attribute(value=owner, attr="add_module" | "register_module" | "append" | "insert")):
            return is_model(draft, node, root_name(owner))
        case ast.Call(func=ast.Name(id="setattr"), args=[owner, *_]):
            return is_model(draft, node, root_name(owner))
    return False


def _has_own_train(file: Roles) -> bool:
    """Whether a class of modules says itself what `train()` does: more than once is not once."""
    return any(method_of(c, "train") and method_of(c, "forward") for c in file.source.classes.values())
