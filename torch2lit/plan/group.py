"""A model that was wrapped in DistributedDataParallel: does every pass through it go through Lightning's wrapper instead?

Lightning calls `training_step` and `validation_step` through the wrapper, once per batch, and nothing else.
"""

from __future__ import annotations

import ast

from ..ddp.group import Group
from ..ddp.hindrances import Hindrance, Hindrances, unfoldable
from ..ddp.samplers import SAMPLERS
from ..program import Mechanism
from ..recover.items import Item, names_in
from ..recover.makings import Making, sources
from ..recover.own_classes import own_class
from ..recover.roles import Role
from ..recover.syntax import Scope, walk
from ..recover.variables import Variable
from .draft import TRAINING_STEP, VALIDATION_STEP, Draft
from .state import State
from .steps import controls
from .train_data import constructions

NOT_AUTOMATIC = "the loop is not optimized automatically"
_THROUGH = (TRAINING_STEP, VALIDATION_STEP)
_REPEATS = (
    ast.For,
    ast.While,
    ast.If,
    ast.IfExp,
    ast.Try,
    ast.Lambda,
    ast.FunctionDef,
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
    ast.BoolOp,
)


def check_group(draft: Draft, state: State) -> None:
    """Raises Unfoldable when Lightning's strategy would not do what the script's own wrapper does."""
    group = draft.group
    if group is None:
        return
    hindrances = Hindrances()
    if draft.mechanism not in (Mechanism.AUTOMATIC, Mechanism.ITERATIONS) or not draft.automatic:
        hindrances.add(not_automatic(draft))
    else:
        with hindrances:
            _check_batches(draft)
        with hindrances:
            _check_calls(draft, group)
        with hindrances:
            if group.sharded:
                _check_samplers(draft, state, group)
    with hindrances:
        _check_modules(draft, state, group)
    with hindrances:
        _check_told(draft, group)
    hindrances.settle()
    draft.imports.append("os")


def _check_batches(draft: Draft) -> None:
    """Every batch has one backward pass that averages the gradients, in every process."""
    if draft.window is not None:
        raise unfoldable(
            draft.nest.outermost.lineno,
            "it averages gradients over the processes in every backward pass of several per step",
            "accumulate under `model.no_sync()` but for the last batch of a step",
        )
    for item in draft.hooks[TRAINING_STEP]:
        if item.kind == "statement" and any(controls(item.node)):
            raise unfoldable(
                item.node.lineno,
                "a batch may be left out",
                "leave no batch out by `continue` or `break`: the processes would wait for each other",
            )


def _check_told(draft: Draft, group: Group) -> None:
    """The Trainer's arguments name the processes that the script has."""
    line = draft.nest.outermost.lineno
    if draft.roles.origins.get("os", "os") != "os":
        raise unfoldable(line, "`os` is another module here", "leave the name `os` to Python's module")
    told = draft.options.strategy or draft.options.devices or draft.options.num_nodes
    if told is not None and (group.sharded or group.backend is not None or group.joined):
        remedy = "leave out `--devices`, `--num-nodes` and `--strategy`"
        raise unfoldable(line, "the processes are others than the script's", remedy)


def not_automatic(draft: Draft) -> Hindrance:
    """The obstacle of a loop that is not optimized automatically, with what kept it from that."""
    tried = [one for mechanism, one in draft.obstacles if mechanism is Mechanism.AUTOMATIC]
    first = next(iter([*tried, *(one for _, one in draft.obstacles)]), None)
    remedy = f"it would be but for this: {first.reason}" if first is not None else ""
    line = getattr(first.node, "lineno", 0) if first is not None else 0
    return Hindrance(line or draft.nest.outermost.lineno, NOT_AUTOMATIC, remedy)


def _check_samplers(draft: Draft, state: State, group: Group) -> None:
    """The Trainer gives every loader that it runs over a sampler, and no other."""
    line, data, batches = draft.nest.outermost.lineno, draft.train_data, draft.nest.batches
    if data is None or batches is None or data.lazy or len(data.texts) != 1:
        raise unfoldable(line, "the Trainer does not run over the loader itself", "loop over the loader itself")
    made = {m.call.lineno for m in constructions(draft, batches.base, draft.nest.inner)}
    if (validation := draft.validation) is not None:
        loaders = constructions(draft, validation.loop.base, validation.frame)
        if not loaders or not all(one.call.lineno in group.sharded or _is_sharded(one) for one in loaders):
            raise unfoldable(
                validation.loop.node.lineno,
                "every process validates on all data",
                "give the validation's loader a DistributedSampler",
            )
        made |= {one.call.lineno for one in loaders}
    if not group.sharded <= made or not made:
        raise unfoldable(
            line,
            "another loop runs over a loader whose sampler would be gone",
            "give the other loop a loader of its own",
        )
    bases = [draft.variable(batches.base, draft.nest.inner)]
    bases += [draft.variable(validation.loop.base, validation.frame)] if validation is not None else []
    for hook, items in draft.hooks.items():
        for node, frame in (found for item in items if item.node not in draft.removals for found in names_in(item)):
            variable, parent = draft.variable(node, frame), draft.source.parents.get(node)
            if variable is None or variable not in bases or isinstance(parent, ast.For | ast.Attribute):
                continue
            if (hook, variable) not in state.in_hook and not state.homes.get(variable, "").startswith("self.trainer."):
                raise unfoldable(
                    node.lineno,
                    "a hook asks the loader that the Trainer has not given its sampler",
                    "ask the data set instead",
                )


def _is_sharded(loader: Making) -> bool:
    """Whether a loader surely has a sampler of torch's for several processes."""
    sampler = loader.argument("sampler")
    parts = sources(sampler) if sampler is not None else []
    return bool(parts) and all(
        isinstance(p.node, ast.Call) and p.roles.full_name(p.node.func) in SAMPLERS for p in parts
    )


def _check_calls(draft: Draft, group: Group) -> None:
    through: set[int] = set()
    for hook, items in draft.hooks.items():
        for item in items:
            for call in _calls(draft, group, item):
                if hook not in _THROUGH:
                    if not group.bufferless:
                        raise unfoldable(
                            call.lineno,
                            "the model is called outside of the steps, where it has no wrapper",
                            "evaluate in the epoch loop, or call the bare model",
                        )
                    continue
                through.add(call.lineno)
                if hook == TRAINING_STEP and call.lineno not in group.forwards:
                    raise unfoldable(
                        call.lineno,
                        "the model is trained without its wrapper",
                        "call the wrapped model in the training step",
                    )
    placed = {c.lineno for items in draft.hooks.values() for item in items for c in _calls(draft, group, item)}
    if hidden := sorted(group.elsewhere - placed):
        raise unfoldable(
            hidden[0],
            "a function calls the model, perhaps in the training step",
            "call the model in the training step alone",
        )
    for hook in _THROUGH:
        if hook in draft.hooks and (hook == TRAINING_STEP or not group.bufferless):
            _check_one(draft, group, hook)
    if not group.bufferless and (outside := sorted(group.forwards - through)):
        raise unfoldable(
            outside[0],
            "the model is called outside of the steps, where it has no wrapper",
            "evaluate in the epoch loop, or call the bare model",
        )


def _check_one(draft: Draft, group: Group, hook: str) -> None:
    """The script calls the wrapper once in each step, as Lightning does."""
    found = [(item, call) for item in draft.hooks[hook] for call in _calls(draft, group, item)]
    if draft.returned is not None and hook == TRAINING_STEP:
        inside = {id(n) for item, _ in found for n in walk(item.node)}
        for node in walk(draft.returned):
            if id(node) not in inside and _is_call(draft, group, node):
                assert isinstance(node, ast.Call)
                found.append((Item(draft.nest.outermost, draft.nest.step_frame), node))
    lines = {call.lineno for _, call in found}
    if len({id(call) for _, call in found}) != 1 or not lines <= group.forwards:
        place = found[0][1].lineno if found else draft.nest.outermost.lineno
        raise unfoldable(
            place,
            "the wrapper is not called exactly once per batch",
            "call the wrapped model once per batch, under no condition",
        )
    item, call = found[0]
    for ancestor in draft.source.ancestors(call):
        if ancestor in (item.node, draft.nest.outermost) and not isinstance(item.node, _REPEATS):
            break
        if draft.nest.batches is not None and ancestor is draft.nest.batches.node:
            break
        if draft.validation is not None and ancestor is draft.validation.loop.node:
            break
        if isinstance(ancestor, ast.FunctionDef):
            break
        if isinstance(ancestor, _REPEATS):
            raise unfoldable(
                call.lineno,
                "the wrapper is not called exactly once per batch",
                "call the wrapped model once per batch, under no condition",
            )


def _calls(draft: Draft, group: Group, item: Item) -> list[ast.Call]:
    node: ast.AST | None = item.node if item.kind == "statement" else item.value
    return [n for n in walk(node) if isinstance(n, ast.Call) and _is_call(draft, group, n)] if node is not None else []


def _is_call(draft: Draft, group: Group, node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return False
    key = draft.roles.key(draft.source.scope_of(node), node.func.id)
    return key is not None and _place(key[0], key[1]) in group.names


def _place(scope: Scope, name: str) -> tuple[int, str]:
    return (0 if isinstance(scope, ast.Module) else scope.lineno, name)


def _check_modules(draft: Draft, state: State, group: Group) -> None:
    """Lightning's wrapper takes in all modules that the LightningModule holds; the script's took one."""
    held = [v for v, home in state.homes.items() if home.startswith("self.") and _place(v.scope, v.name) in group.names]
    if not held:
        raise unfoldable(
            draft.nest.outermost.lineno,
            "the LightningModule would not hold the model",
            "make the model beside the loop",
        )
    for variable in sorted(state.homes, key=lambda v: v.rank):
        if not state.homes[variable].startswith("self.") or _place(variable.scope, variable.name) in group.names:
            continue
        role = draft.roles.role_of((variable.scope, variable.name))
        if role is Role.MODEL or (role in (Role.CRITERION, None) and _may_hold_parameters(draft, group, variable)):
            raise unfoldable(
                draft.nest.outermost.lineno,
                f"`{variable.name}` may have parameters, which the script does not wrap",
                "make it part of the wrapped model",
            )


def _may_hold_parameters(draft: Draft, group: Group, variable: Variable) -> bool:
    bindings = draft.roles.bindings((variable.scope, variable.name))
    calls = [n for b in bindings for n in walk(b.value) if isinstance(n, ast.Call)]
    return any(_makes_module(draft, group, call, variable.scope) for call in calls)


def _makes_module(draft: Draft, group: Group, call: ast.Call, scope: Scope) -> bool:
    """Whether a call may make a module with parameters of its own, or a copy of the model."""
    owner = own_class(draft.roles, call, scope)
    if owner is not None:
        return bool(owner.bases)
    full = draft.roles.full_name(call.func)
    last = full.rpartition(".")[2]
    if full.startswith("torch.nn.") and not full.startswith(("torch.nn.functional.", "torch.nn.utils.")):
        return not last.endswith("Loss")
    if last != "deepcopy" and not last[:1].isupper():
        return False
    given = [n for a in [*call.args, *(k.value for k in call.keywords)] for n in walk(a) if isinstance(n, ast.Name)]
    keys = [draft.roles.key(draft.source.scope_of(n), n.id) for n in given]
    return any(key is not None and _place(*key) in group.names for key in keys)
