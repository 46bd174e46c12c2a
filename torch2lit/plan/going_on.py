"""Whether a training that goes on from a checkpoint of Lightning's is the uninterrupted one, and what is stored for it beside.

A checkpoint holds the weights, the optimizer, the schedule that the Trainer steps, what callbacks remember and the epoch; the callback of
`codemods/resume.py` adds the random states. All else that lives on from epoch to epoch must be a number or a list of numbers, which the module stores itself.
"""

from __future__ import annotations

import ast

from ..recover.items import parts
from ..recover.names import free_names
from ..recover.role import Role
from ..recover.syntax import walk
from ..recover.variables import Variable
from .draft import Draft
from .held_models import trained_models
from .moved import moved_functions
from .optimizers import Configured
from .settled_numbers import SettledNumbers
from .state import State
from .whole_state import keeps_state, looped

_CLASS = "lightning.pytorch.callbacks.ModelCheckpoint"
_OWN_GENERATORS = {
    "torch.Generator",
    "numpy.random.default_rng",
    "numpy.random.RandomState",
    "numpy.random.Generator",
    "random.Random",
    "random.SystemRandom",
}
_DATA = {"torch.utils.data.Dataset", "torch.utils.data.IterableDataset", "torch.utils.data.Sampler"}


class _Parts(Exception):
    """Why the resumed training would be another one."""


def check_going_on(draft: Draft, configured: Configured, state: State) -> None:
    """Store what a checkpoint does not. Raises Refused when the resumed training would not be the uninterrupted one."""
    if draft.kept_average is not None:
        line, reason = draft.kept_average
        draft.note("average-kept", line, f"the script averages its weights itself: {reason}")
    if draft.kept_resume is not None:
        line, reason = draft.kept_resume
        draft.note("resume-kept", line, f"the script goes on from its own files itself: {reason}")
    if not draft.resumed:
        return
    try:
        _check_random(draft)
        stored = _carried(draft, configured, state)
    except _Parts as reason:
        raise draft.refuse("resume-kept", draft.nest.outermost, str(reason)) from None
    schedules = [state.homes[v].removeprefix("self.") for v in configured.held]
    if schedules and any(f"{name}_state" in draft.source.names for name in schedules):
        raise draft.refuse("resume-kept", draft.nest.outermost, "a name that the module needs is taken")
    draft.methods += _methods(stored, schedules)


def _check_random(draft: Draft) -> None:
    """Every random number must come from the generators whose states are stored, and every file must be one to go on from."""
    if not any(_CLASS in proposal.imports for proposal in draft.accepted):
        raise _Parts("ModelCheckpoint saves no file to go on from")
    for call in draft.source.calls:
        if draft.roles.full_name(call.func) in _OWN_GENERATORS and not _splits(draft, call):
            raise _Parts(f"the random numbers of line {call.lineno} have a generator of their own")
        if any(k.arg == "persistent_workers" for k in call.keywords):
            raise _Parts("workers that live on have random numbers of their own")
    for one in draft.source.classes.values():
        if any(draft.roles.full_name(base) in _DATA for base in one.bases) and _changes_itself(one):
            raise _Parts(f"`{one.name}` may remember what it has handed out")


def _splits(draft: Draft, call: ast.Call) -> bool:
    """Whether a generator is made for one split of a data set alone."""
    around = [a for a in draft.source.ancestors(call) if isinstance(a, ast.Call)]
    return any(draft.roles.full_name(a.func) == "torch.utils.data.random_split" for a in around)


def _changes_itself(one: ast.ClassDef) -> bool:
    """Whether a data set binds or changes an attribute of its own after it was made."""
    methods = [s for s in one.body if isinstance(s, ast.FunctionDef) and s.name != "__init__"]
    nodes = [n for method in methods for n in walk(method)]
    if any(isinstance(n, ast.Attribute | ast.Subscript) and not isinstance(n.ctx, ast.Load) for n in nodes):
        return True
    changed = [
        n.func.value
        for n in nodes
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr in _CHANGE
    ]
    return any(isinstance(v, ast.Attribute) for v in changed)


_CHANGE = {"append", "extend", "pop", "insert", "remove", "clear", "update", "setdefault", "add", "shuffle", "sort"}


def _carried(draft: Draft, configured: Configured, state: State) -> list[str]:
    """The attributes that are stored beside the checkpoint. Raises _Parts for what cannot be."""
    if [*draft.source.all(ast.Global), *draft.source.all(ast.Nonlocal)]:
        raise _Parts("functions keep values in names outside of them")
    items = draft.all_items()
    _check_bindings(draft)
    used, turning = draft.variables.sequence(items), looped(draft)
    for name in _read_by_functions(draft):
        variable = draft.variables.of(draft.nest.entry, name)
        if variable is not None and not _is_known(draft, variable) and not keeps_state(draft, variable):
            raise _Parts(f"a function reads `{name}`, which may live on from epoch to epoch")
    stored: list[str] = []
    for variable in sorted(used.exposed | (used.read - used.written), key=lambda v: v.rank):
        if variable in turning or variable in configured.optimizers or variable in configured.held:
            continue
        if variable is configured.scheduler or _is_known(draft, variable):
            continue
        home = state.homes.get(variable, "")
        if home.startswith("self.") and _is_numbers(draft, variable, variable in used.written):
            stored.append(home.removeprefix("self."))
            continue
        if variable in used.written or not keeps_state(draft, variable):
            raise _Parts(f"`{variable.name}` lives on from epoch to epoch, and a checkpoint does not hold it")
    return stored


def _read_by_functions(draft: Draft) -> list[str]:
    """The names of the file that functions read which the hooks call, and those that these call."""
    moved, seen, found = {id(f) for f in moved_functions(draft)}, set[str](), dict[str, None]()
    queue = [n.id for i in draft.all_items() for part, _f in parts(i) for n in walk(part) if isinstance(n, ast.Name)]
    while queue:
        name = queue.pop()
        function = draft.source.function(name)
        if function is None or name in seen:
            continue
        seen.add(name)
        free = sorted(free_names(function))
        queue += free
        found |= dict.fromkeys(free) if id(function) not in moved else {}
    return sorted(found)


def _check_bindings(draft: Draft) -> None:
    """What a hook sets in an object that it has not made lives on unseen; the optimizer's own groups are in the checkpoint."""
    for item in draft.all_items():
        for node in walk(item.node):
            match node:
                case ast.Attribute(value=ast.Name(), ctx=ast.Store() | ast.Del()):
                    raise _Parts(f"line {node.lineno} sets something that a checkpoint does not hold")
                case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                    groups = any(_loops_over_groups(a, name) for a in draft.source.ancestors(node))
                    own = draft.variables.of(item.frame, name) in draft.variables.sequence(draft.all_items()).definite
                    if not groups and not own:
                        raise _Parts(f"line {node.lineno} sets something that a checkpoint does not hold")


def _loops_over_groups(node: ast.AST, name: str) -> bool:
    match node:
        case ast.For(target=ast.Name(id=group), iter=ast.Attribute(attr="param_groups")):
            return group == name
    return False


def _is_known(draft: Draft, variable: Variable) -> bool:
    """Whether a checkpoint holds it, or it is none of what training changes."""
    key = draft.roles.key(variable.scope, variable.name)
    if key is None:
        return True
    role = draft.roles.role(*key)
    if role is Role.MODEL:
        return variable in trained_models(draft)
    return role in (Role.LOADER, Role.DEVICE, Role.WRITER, Role.BAR, Role.CONFIG)


def _is_numbers(draft: Draft, variable: Variable, written: bool) -> bool:
    """Whether all its values are numbers, or it is a list that starts empty and gets numbers alone."""
    key = draft.roles.key(variable.scope, variable.name)
    bindings = draft.roles.bindings(key) if key is not None else []
    numbers = SettledNumbers(draft)
    if written:
        return bool(bindings) and numbers.surely(ast.Name(variable.name, ast.Load()), variable.scope)
    if not bindings or not all(isinstance(b.value, ast.List) and not b.value.elts for b in bindings):
        return False
    for name in draft.source.all(ast.Name):
        if name.id == variable.name and isinstance(name.ctx, ast.Load) and not _only_grows(draft, name, numbers):
            return False
    return True


def _only_grows(draft: Draft, name: ast.Name, numbers: SettledNumbers) -> bool:
    """Whether a use of a list adds a number to it, or stands behind or before the training."""
    inside = draft.nest.outermost in draft.source.ancestors(name) or any(
        name in set(walk(i.node)) for i in draft.all_items()
    )
    if not inside:
        return True
    parent = draft.source.parents[name]
    call = draft.source.parents.get(parent)
    match parent, call:
        case ast.Attribute(attr="append"), ast.Call(args=[value], keywords=[]) if call.func is parent:
            return numbers.surely(value, draft.source.scope_of(name))
    return False


def _methods(stored: list[str], names: list[str]) -> list[str]:
    """What the module stores and takes back: numbers at once, the states of schedules that it steps itself when they are made."""
    if not stored and not names:
        return []
    save = [f'"{name}": self.{name}' for name in stored] + [f'"{name}": self.{name}.state_dict()' for name in names]
    found = [f'def on_save_checkpoint(self, checkpoint):\n    checkpoint["module"] = {{{", ".join(save)}}}\n']
    load = ["def on_load_checkpoint(self, checkpoint):"]
    load += [f'    self.{name} = checkpoint["module"]["{name}"]' for name in stored]
    load += [f'    self.{name}_state = checkpoint["module"]["{name}"]' for name in names]
    found.append("\n".join(load) + "\n")
    if names:
        start = ["def on_train_start(self):"]
        for name in names:
            start += [
                f'    if hasattr(self, "{name}_state"):',
                f"        self.{name}.load_state_dict(self.{name}_state)",
            ]
        found.append("\n".join(start) + "\n")
    return found
