"""The arguments of the Trainer: what the script means, and switches for what it does not do."""

from __future__ import annotations

import ast
import re
from dataclasses import replace

from ..lightning_values import devices_code
from ..program import Mechanism, TrainerSpec
from ..recover.loops import Iterable, Loop
from ..recover.names import parameter_names
from ..recover.roles import Key, Role
from ..recover.state_names import is_attribute
from ..recover.syntax import Scope, dotted, walk
from .draft import Draft
from .epoch_values import length, sequence_of
from .own_precision import precision_argument
from .own_processes import own_device


def trainer_arguments(draft: Draft) -> TrainerSpec:
    """All that the Trainer is told, in the order in which it is written; what nobody asked for is switched off."""
    said = planned_arguments(draft).joined(draft.trainer)
    told = {name for name, _ in said.written()}
    off = [("logger", "False"), ("enable_checkpointing", "False"), ("enable_progress_bar", str(has_bar(draft)))]
    if not has_bar(draft):
        off.append(("enable_model_summary", "False"))
    off.append(("num_sanity_val_steps", "0"))
    said = said.joined(TrainerSpec(tuple((name, text) for name, text in off if name not in told)))
    quoted = [(name, text.replace("'", '"') if name in _QUOTED else text) for name, text in said.arguments]
    return replace(said, arguments=tuple(quoted))


def planned_arguments(draft: Draft) -> TrainerSpec:
    """What the plan itself and the options tell the Trainer, whatever idioms say."""
    options = draft.options
    arguments: dict[str, str] = {"max_epochs": _max_epochs(draft)}
    arguments["accelerator"] = accelerator_argument(draft)
    arguments["devices"] = devices_code(options.devices) if options.devices is not None else "1"
    if options.devices is None and options.accelerator is None and (name := _numbered_device(draft)):
        arguments["devices"] = f"1 if {name}.index is None else [{name}.index]"
    elif (
        options.devices is None
        and arguments["accelerator"] != '"cpu"'
        and (own := own_device(draft, arguments["accelerator"]))
    ):
        arguments["devices"] = own
    if (group := draft.group) is not None and options.devices is None:
        arguments["devices"] = group.devices
        if options.num_nodes is None and group.machines:
            arguments["num_nodes"] = group.machines
    if options.num_nodes is not None:
        arguments["num_nodes"] = str(options.num_nodes)
    if options.strategy is not None:
        arguments["strategy"] = repr(options.strategy)
    elif group is not None:
        arguments["strategy"] = group.argument(group.strategy_on(arguments["accelerator"]), '"auto"')
    if group is not None:
        if group.spawned:
            arguments["plugins"] = "[{lightning}.fabric.plugins.environments.LightningEnvironment()]"
        if group.layers:
            arguments["sync_batchnorm"] = "True"
        if not group.sharded:
            arguments["use_distributed_sampler"] = "False"
    if (precision := precision_argument(draft)) and not draft.trainer.get("precision"):
        arguments["precision"] = precision
    return TrainerSpec(tuple(arguments.items()))


def accelerator_argument(draft: Draft) -> str:
    """The accelerator that the Trainer is told, as source."""
    if draft.options.accelerator:
        return f'"{draft.options.accelerator}"'
    if draft.options.devices is None and (name := _numbered_device(draft)):
        return f"{name}.type"
    return accelerator(draft)


_QUOTED = {"accelerator", "strategy", "precision", "devices", "num_nodes"}


def _numbered_device(draft: Draft) -> str:
    """The variable that holds a device other than the first, "" when there is none: the Trainer would take the first."""
    scope = draft.nest.entry.scope
    for name in sorted(draft.roles.locals(scope)):
        if draft.roles.role(scope, name) is Role.DEVICE:
            values = [ast.unparse(b.value) for b in draft.roles.bindings((scope, name))]
            numbered = any(re.search(r"cuda:([1-9]|{)|\bcuda', \w|cuda:' ?\+|'cuda:%", v) for v in values)
            if numbered and all(v.startswith("torch.device(") for v in values):
                return name
    return ""


def has_bar(draft: Draft) -> bool:
    """Whether the script shows a progress bar of its own around the loops that Lightning runs now."""
    loops = [draft.nest.epochs, draft.nest.batches]
    if any(loop is not None and loop.bar for loop in loops):
        return draft.mechanism is not Mechanism.EPOCHS or bool(draft.nest.epochs and draft.nest.epochs.bar)
    return bool(draft.epoch.unwrapped and any(isinstance(w, ast.With) and _opens_bar(w) for w in draft.epoch.unwrapped))


def _opens_bar(node: ast.With) -> bool:
    return any(
        isinstance(i.context_expr, ast.Call) and dotted(i.context_expr.func).endswith("tqdm") for i in node.items
    )


def _max_epochs(draft: Draft) -> str:
    nest = draft.nest
    if nest.epochs is None or (nest.batches is None and draft.mechanism is Mechanism.ITERATIONS):
        return "1"
    if nest.epochs.kind is Iterable.TURNS:
        return "-1"
    if (sequence := sequence_of(draft, nest.epochs)) is not None:
        return length(sequence)
    return count_of(draft, nest.epochs)


def count_of(draft: Draft, loop: Loop) -> str:
    """How often a loop over a range turns, as source at the entry point."""
    base = loop.base
    if isinstance(base, ast.Name):
        key = draft.roles.key(draft.nest.entry.scope, base.id)
        bindings = draft.roles.bindings(key) if key else []
        return f"len({base.id})" if bindings else base.id
    assert isinstance(base, ast.Call)
    parts = [_text(draft, a) for a in base.args]
    if len(parts) == 1 and not any(isinstance(n, ast.Sub | ast.USub) for n in walk(base.args[0])):
        return parts[0]
    if len(parts) == 2:
        start, stop = base.args
        if isinstance(start, ast.Constant) and start.value == 0:
            return parts[1]
        match stop:
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                if ast.unparse(right) == ast.unparse(start):
                    return _text(draft, left)
                if ast.unparse(left) == ast.unparse(start):
                    return _text(draft, right)
        if (first := _whole(start)) is not None and (last := _whole(stop)) is not None:
            return str(max(0, last - first))
    # A difference may be -1 where a run resumes behind its last epoch, and to Lightning -1 means without end.
    return f"len(range({', '.join(parts)}))"


def _whole(node: ast.expr) -> int | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, int) else None


def _text(draft: Draft, node: ast.expr) -> str:
    if not hasattr(node, "lineno"):
        return ast.unparse(node)
    return draft.source.segment(node)


def accelerator(draft: Draft) -> str:
    """The accelerator that the script's own device handling means, as source at the entry point."""
    moves = [n for n in walk(draft.source.tree) if isinstance(n, ast.Call) and _moves(draft, n)]
    scope = draft.nest.entry.scope
    names = sorted(
        {
            n
            for n in draft.roles.locals(scope) | draft.roles.locals(draft.source.tree)
            if draft.roles.role(scope, n) is Role.DEVICE
        }
    )
    for name in names:
        key = draft.roles.key(scope, name)
        bindings = draft.roles.bindings(key) if key else []
        values = [ast.unparse(b.value) for b in bindings]
        if key and not isinstance(key[0], ast.Module) and name in parameter_names(key[0]):
            if _is_read(draft, key):
                return _type_of_parameter(draft, key)
            continue
        if len(values) == 1:
            if re.fullmatch(
                r".*['\"](cuda|cuda:\d+)['\"] if (torch\.)?cuda\.is_available\(\) else ['\"]cpu['\"]\)?",
                values[0],
            ):
                return '"auto"'
            if re.fullmatch(r"(torch\.device\()?['\"]cpu['\"]\)?", values[0]):
                return '"cpu"'
            if (
                "is_available" in values[0]
                and " if " in values[0]
                and "args" not in values[0]
                and "opt" not in values[0]
            ):
                return '"auto"'
        if values and all(re.match(r"(torch\.device\(|torch\.accelerator\.current_accelerator)", v) for v in values):
            return '"auto"' if all(_is_cuda(draft, b.value, scope) for b in bindings) else f"{name}.type"
        if values and is_attribute(name) and draft.roles.origins.get("torch") == "torch":
            return f"torch.device({name}).type"  # what the object was given
        if values:
            return '"auto"'
    if not moves:
        return '"cpu"'
    conditions = {_condition(draft, n) for n in moves if isinstance(n.func, ast.Attribute) and n.func.attr == "cuda"}
    if len(conditions) == 1 and (condition := conditions.pop()):
        return f'"auto" if {condition} else "cpu"'
    return '"auto"'


def _is_cuda(draft: Draft, device: ast.expr, scope: Scope) -> bool:
    """Whether a device is CUDA's on every machine: where there is none, the script could not have run."""
    match device:
        case ast.Call(args=[ast.Name(id=name)], keywords=[]):
            key = draft.roles.key(scope, name)
            values = [b.value for b in draft.roles.bindings(key)] if key else []
        case ast.Call(args=[ast.Constant() as value, *_]):
            values = [value]
        case _:
            return False
    return len(values) == 1 and isinstance(values[0], ast.Constant) and str(values[0].value).startswith("cuda")


def _is_read(draft: Draft, key: Key) -> bool:
    return any(
        isinstance(n, ast.Name)
        and isinstance(n.ctx, ast.Load)
        and n.id == key[1]
        and draft.roles.key(draft.source.scope_of(n), n.id) == key
        for n in walk(draft.source.tree)
    )


def _type_of_parameter(draft: Draft, key: Key) -> str:
    """The type of a device that the function is given: a device, its name or, for the processor, None."""
    if draft.roles.origins.get("torch") != "torch":
        return '"auto"'
    scope, name = key
    given = [argument for _scope, argument in draft.roles.arguments(scope, name)]
    none = any(isinstance(a, ast.Constant) and a.value is None for a in given)
    rebound = bool(draft.roles.bindings(key))
    return f'torch.device({name} or "cpu").type' if none and not rebound else f"torch.device({name}).type"


def _moves(draft: Draft, node: ast.Call) -> bool:
    if not isinstance(node.func, ast.Attribute):
        return False
    if node.func.attr == "cuda":
        return True
    return node.func.attr == "to" and any(
        _may_be_device(draft, a) for a in [*node.args, *(k.value for k in node.keywords if k.arg == "device")]
    )


def _may_be_device(draft: Draft, node: ast.expr) -> bool:
    """Whether an argument of ``to`` may name a device: all but the processor, number types and other tensors' types."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and node.value != "cpu"
    text = ast.unparse(node)
    return not text.endswith("dtype") and not draft.roles.full_name(node).startswith("torch.")


def _condition(draft: Draft, node: ast.Call) -> str:
    """The plain condition under which ``.cuda()`` is called, "" when there is none."""
    for ancestor in draft.source.ancestors(node):
        if isinstance(ancestor, ast.If) and isinstance(ancestor.test, ast.Name | ast.Attribute):
            root = ast.unparse(ancestor.test).partition(".")[0]
            if draft.roles.key(draft.nest.entry.scope, root):
                return ast.unparse(ancestor.test)
    return ""
