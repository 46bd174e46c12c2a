"""The loss that code behind the optimizer's step reads: Lightning hands it on, and the module need not keep it.

loss.backward()                       def training_step(self, batch, batch_idx):
optimizer.step()                          ...
if i % 100 == 0:                          return loss
    print(i, loss.item())
                                      def on_train_batch_end(self, outputs, batch, batch_idx):
                                          loss = outputs["loss"]
                                          if batch_idx % 100 == 0:
                                              print(batch_idx, loss.item())

What Lightning hands on is the loss without its graph (`ClosureResult` of Lightning 2), so only what asks for its number may read it there.
"""

from __future__ import annotations

import ast
import re

from ...recover.items import parts
from ...recover.syntax import Source, walk
from ...recover.variables import Variable
from ..draft import BATCH_END, TRAINING_STEP
from ..steps import controls
from .facts import Facts

_WITHOUT_GRAPH = frozenset(["item", "tolist", "detach"])
_SAME_NUMBER = frozenset(["cpu", "float", "double", "clone", "mean", "sum", "squeeze"])
_AS_OBJECT = re.compile(r"![rsa]|%[^%]*?[sra]|%\(")


def is_handed_on(facts: Facts, variable: Variable) -> bool:
    """Whether a variable is the loss that ``training_step`` returns in every batch, and the end of the batch only asks for its number."""
    draft = facts.draft
    if (
        not draft.automatic
        or draft.returned_name
        or draft.window is not None
        or not isinstance(draft.returned, ast.Name)
    ):
        return False
    if draft.variables.of(draft.nest.step_frame, draft.returned.id) is not variable:
        return False
    hooks = {hook for known in (facts.read, facts.written) for hook, names in known.items() if variable in names}
    if hooks != {TRAINING_STEP, BATCH_END} or variable in facts.written.get(BATCH_END, ()):
        return False
    if variable in facts.exposed.get(TRAINING_STEP, ()) or variable not in facts.definite.get(TRAINING_STEP, ()):
        return False
    if any(controls(item.node) for item in draft.hooks[TRAINING_STEP] if isinstance(item.node, ast.stmt)):
        return False
    return all(_asks_for_number(facts, name) for name in _readings(facts, variable))


def _readings(facts: Facts, variable: Variable) -> list[ast.Name]:
    draft = facts.draft
    return [
        node
        for item in draft.hooks.get(BATCH_END, [])
        for part, frame in parts(item)
        for node in walk(part)
        if isinstance(node, ast.Name) and draft.variables.of(frame, node.id) is variable
    ]


def _asks_for_number(facts: Facts, name: ast.Name) -> bool:
    """Whether what stands around a reading takes nothing but the number, which is the same with a graph and without."""
    source = facts.draft.source
    node: ast.AST = name
    while True:
        around = source.parents.get(node)
        match around:
            case ast.Attribute(attr=attribute):
                call = source.parents.get(around)
                if attribute == "data":
                    return isinstance(around.ctx, ast.Load) and not _is_changed(source, around)
                if attribute in _WITHOUT_GRAPH and _calls(call, around):
                    return call is not None and not _is_changed(source, call)
                if attribute not in _SAME_NUMBER or not _calls(call, around):
                    return False
                assert call is not None
                node = call
            case ast.FormattedValue(conversion=-1, value=value):
                return value is node
            case ast.Call(func=ast.Name(id="float" | "int" as called), args=[only], keywords=[]) if only is node:
                return facts.draft.roles.key(source.scope_of(around), called) is None
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format"), args=args):
                return node in args and not _AS_OBJECT.search(text)
            case ast.BinOp() | ast.Tuple():
                return _fills_in(source.parents.get(around) if isinstance(around, ast.Tuple) else around)
            case _:
                return False


def _is_changed(source: Source, node: ast.AST) -> bool:
    """Whether a method changes a tensor in place, which other names of the same loss would see: ``loss.data.mul_(2)``."""
    around = source.parents.get(node)
    return isinstance(around, ast.Attribute) and around.attr.endswith("_") and not around.attr.startswith("_")


def _fills_in(node: ast.AST | None) -> bool:
    """Whether ``"..." % values`` puts numbers into a text."""
    match node:
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod()):
            return not _AS_OBJECT.search(text)
    return False


def _calls(node: ast.AST | None, function: ast.expr) -> bool:
    return isinstance(node, ast.Call) and node.func is function and not node.args and not node.keywords
