"""The loader of an evaluation, as the Trainer is given it: a variable, or one that the evaluation makes for itself each time.

def evaluate(model, data):                           fit(module, train_loader, DataLoader(dev_data, 8))
    loader = DataLoader(data, 8)             →
    for x, y in loader: ...                          def validation_step(self, batch, batch_idx): ...

A loader of torch's own holds nothing of the loops that have run over it: one that is made once gives the same batches as one that is made
anew of the same data, and making it draws no random number.
"""

from __future__ import annotations

import ast

from ..recover.items import Item
from ..recover.makings import Value, sources
from ..recover.phases import Validation
from ..recover.syntax import dotted, walk
from ..recover.variables import Variable
from .draft import Draft, Removal
from .entry_names import entry_text, written_in_loop
from .homes.unbound import surely_bound
from .set_in_loop import is_set_in_loop
from .train_data import Hoister, constructions

_ANEW = "its loader is made anew in the loop"


def loader_text(draft: Draft, one: Validation) -> str:
    """The loader as it reads at the entry point; "" when it cannot be read there."""
    return one.made or entry_text(draft, one.loop.base, one.frame)


def make_once(draft: Draft, found: Validation, one: Validation) -> str:
    """Let the Trainer be given a loader that one of several evaluations makes, or is given, anew each time; why not, or ""."""
    one.made, one.makes = "", []
    variable = draft.variable(one.loop.base, one.frame)
    if variable is None or not _is_own(draft, one, variable):
        return _ANEW
    hoister = Hoister(draft, [*found.leading, *found.before], [*found.body, *found.trailing, *found.otherwise])
    made = hoister.expression(one.loop.base, one.frame)
    if made is None or is_set_in_loop(draft, made):
        return _ANEW
    if found.every is not None and not _is_there(draft, one, made):
        return "the data of which it makes its loader may not be there where the Trainer is made"
    one.made, one.makes = ast.unparse(made), _only_for(draft, hoister.used, variable)
    found.before = [i for i in found.before if i not in one.makes and not _is_its_bind(draft, i, variable)]
    return ""


def tell_made(draft: Draft, found: Validation) -> None:
    """What made these loaders has gone."""
    for item in (i for one in found.all for i in one.makes):
        draft.removals[item.node] = Removal("Trainer.fit", "trainer_entry", "the loader is made once")


def _is_own(draft: Draft, one: Validation, variable: Variable) -> bool:
    """Whether the variable is the evaluating function's own, which nothing but its text knows, and this training's only one."""
    if draft.group is not None or draft.options.several_processes or variable in written_in_loop(draft):
        return False
    if variable.is_global or one.frame.caller is None or variable.scope is not one.frame.scope:
        return False
    mentions = draft.roles.mentions((variable.scope, variable.name))
    return all(draft.source.scope_of(n) is variable.scope and _is_plain(draft, n) for n in mentions)


def _is_plain(draft: Draft, node: ast.Name) -> bool:
    """Whether a mention of the loader makes it, runs over it, or asks for its length or its data."""
    top, first = _looked_at(draft, node)
    match draft.source.parents[top]:
        case ast.Assign(targets=[target], value=value) if first == "":
            return isinstance(value, ast.Call) and target is node
        case ast.For(iter=looped) if first == "":
            return looped is node
        case ast.Call(func=function, args=[ast.Name() as given, *_]) if first == "":
            return given is node and dotted(function).rpartition(".")[2] in ("len", "enumerate", "tqdm")
        case ast.Call(func=called) if called is top:
            return False
    return first == "dataset" and isinstance(getattr(top, "ctx", None), ast.Load)


def _looked_at(draft: Draft, node: ast.Name) -> tuple[ast.expr, str]:
    """The whole chain of attributes that begins with the name, and the first of them."""
    top: ast.expr = node
    first = ""
    while isinstance(parent := draft.source.parents[top], ast.Attribute):
        top, first = parent, first or parent.attr
    return top, first


def _only_for(draft: Draft, used: list[Item], variable: Variable) -> list[Item]:
    """Of the statements that make a loader those that do nothing but that."""
    inside = {id(n) for item in used for n in walk(item.node)}
    found: list[Item] = []
    for item in used:
        own = {(v.scope, v.name) for v in draft.variables.use(item).written if v is not variable}
        if all(id(n) in inside for key in own for n in draft.roles.mentions(key)):
            found.append(item)
    return found


def _is_there(draft: Draft, one: Validation, made: ast.expr) -> bool:
    """Whether the loader of an evaluation that may never run can be made all the same."""
    entry = draft.nest.entry
    variables = [draft.variables.of(entry, n.id) for n in walk(made) if isinstance(n, ast.Name)]
    if not all(v is None or surely_bound(draft, v) for v in variables):
        return False
    loaders = constructions(draft, one.loop.base, one.frame)
    data = [m.argument("dataset", 0) for m in loaders]
    return bool(data) and all(value is not None and _is_something(value) for value in data)


def _is_something(data: Value) -> bool:
    """Whether all that a loader may be given for its data is made by a call: None is no data."""
    found = sources(data)
    return bool(found) and all(isinstance(part.node, ast.Call) for part in found)


def _is_its_bind(draft: Draft, item: Item, variable: Variable) -> bool:
    return item.kind == "bind" and variable in draft.variables.use(item).written
