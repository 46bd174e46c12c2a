"""The arguments of the Trainer: what the script means, and switches for what it does not do."""

from __future__ import annotations

import ast
from dataclasses import replace

from ..program import Mechanism, TrainerSpec
from ..recover.loops import Iterable, Loop
from ..recover.syntax import dotted, walk
from .draft import Draft
from .epoch_values import length, sequence_of
from .own_precision import precision_argument
from .placement import placement
from .sharded import strategy_argument
from .unused_parameters import strategy_of


def trainer_arguments(draft: Draft) -> TrainerSpec:
    """All that the Trainer is told, in the order in which it is written; what nobody asked for is switched off."""
    said = planned_arguments(draft).joined(draft.trainer)
    told = {*said.defaults, *(name for name, _ in said.written())}
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
    draft.placement = placement(draft)
    arguments["accelerator"] = draft.placement.accelerator
    arguments["devices"] = draft.placement.devices
    if (group := draft.group) is not None and options.devices is None:
        if not group.joined:
            arguments["devices"] = group.devices
        if options.num_nodes is None and group.machines:
            arguments["num_nodes"] = group.machines
    if options.num_nodes is not None:
        arguments["num_nodes"] = str(options.num_nodes)
    if (strategy := strategy_of(draft)) is not None:
        arguments["strategy"] = strategy_argument(draft, strategy)
    elif group is not None:
        arguments["strategy"] = group.argument(group.strategy_on(arguments["accelerator"]), '"auto"')
    if group is not None:
        if group.spawned or group.joined:
            arguments["plugins"] = "[{lightning}.fabric.plugins.environments.LightningEnvironment()]"
        if group.layers:
            arguments["sync_batchnorm"] = "True"
        if not group.sharded:
            arguments["use_distributed_sampler"] = "False"
    if (precision := precision_argument(draft)) and not draft.trainer.get("precision"):
        arguments["precision"] = precision
    return TrainerSpec(tuple(arguments.items()))


_QUOTED = {"accelerator", "strategy", "precision", "devices", "num_nodes"}


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
    if len(parts) == 2 and draft.roles.key(draft.nest.entry.scope, "max") is None:
        # A difference may be -1 where a run resumes behind its last epoch, and to Lightning -1 means without end.
        stop, start = base.args[1], base.args[0]
        return f"max({ast.unparse(ast.BinOp(stop, ast.Sub(), start))}, 0)"
    return f"len(range({', '.join(parts)}))"


def _whole(node: ast.expr) -> int | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, int) else None


def _text(draft: Draft, node: ast.expr) -> str:
    if not hasattr(node, "lineno"):
        return ast.unparse(node)
    return draft.source.segment(node)
