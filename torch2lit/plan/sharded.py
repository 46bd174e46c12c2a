"""Strategies that shard the weights: what they cannot run is refused, what they need is written, what holds a part only is told.

    Trainer(strategy="fsdp")              →    Trainer(strategy=L.pytorch.strategies.FSDPStrategy(auto_wrap_policy={Block}))
    Trainer(gradient_clip_val=1.0)        →    the same, and a `configure_gradient_clipping` that clips by the norm over all processes

Source: https://lightning.ai/docs/pytorch/stable/advanced/model_parallel/fsdp.html
"""

from __future__ import annotations

import ast

from ..lightning_values import FSDP2
from ..recover.roles import Role
from ..recover.syntax import walk
from .afterwards import statements_after
from .blocks import repeated_blocks
from .draft import Draft
from .fully_sharded import strategy_of_sizes
from .steps import optimizer_names

SHARDED = "sharded-weights"
_CLIPS = ("torch.nn.utils.clip_grad_norm_", "torch.nn.utils.clip_grad.clip_grad_norm_")
_CLIP = (
    "def configure_gradient_clipping(self, optimizer, gradient_clip_val, gradient_clip_algorithm):\n"
    "    self.trainer.model.clip_grad_norm_(gradient_clip_val)\n"
)


def check_sharded(draft: Draft) -> None:
    """Raise Refused for what the strategy cannot run, and give the module the clipping that FSDP needs."""
    strategy = draft.options.strategy or ""
    if strategy.startswith("fsdp") and strategy != FSDP2:
        _check_fsdp(draft, strategy)
    if strategy.startswith("deepspeed"):
        _check_deepspeed(draft, strategy)


def _check_fsdp(draft: Draft, strategy: str) -> None:
    if not draft.automatic:
        raise draft.refuse(
            "options-do-not-fit",
            draft.nest.outermost,
            f"`{strategy}` has the weights together only while `training_step` computes the loss, and here backward runs inside of "
            "it (manual optimization): `ddp` runs that",
        )
    if draft.trainer.get("gradient_clip_val") and draft.trainer.get("gradient_clip_algorithm") != '"value"':
        draft.methods.append(_CLIP)


def _check_deepspeed(draft: Draft, strategy: str) -> None:
    if len(optimizer_names(draft)) > 1:
        text = f"`{strategy}` trains with one optimizer, and the script has several: `ddp` takes them"
        raise draft.refuse("options-do-not-fit", draft.nest.outermost, text)
    if draft.trainer.get("gradient_clip_algorithm") == '"value"':
        text = f"`{strategy}` clips by the norm only, and the script clips values"
        raise draft.refuse("options-do-not-fit", draft.nest.outermost, text)


def strategy_argument(draft: Draft, strategy: str) -> str:
    """The Trainer's strategy as source: FSDP with the model's own blocks where it is built of some."""
    if strategy == FSDP2:
        return strategy_of_sizes(draft)
    if not strategy.startswith("fsdp"):
        return repr(strategy)
    given = {"cpu_offload": "True"} if strategy == "fsdp_cpu_offload" else {}
    blocks = repeated_blocks(draft)
    classes = f"{{{', '.join(blocks)}}}"
    if blocks:
        given["auto_wrap_policy"] = classes
    if draft.options.activation_checkpointing == "blocks":
        given["activation_checkpointing_policy"] = classes if blocks else _no_blocks(draft)
    if draft.options.state_dict_type is not None:
        given["state_dict_type"] = f'"{draft.options.state_dict_type}"'
    if not given.keys() - {"cpu_offload"}:
        return repr(strategy)
    return f"{{lightning}}.pytorch.strategies.FSDPStrategy({', '.join(f'{k}={v}' for k, v in given.items())})"


def _no_blocks(draft: Draft) -> str:
    text = "`--activation-checkpointing` is of the model's repeated blocks, and the file has none that can be named"
    raise draft.refuse("options-do-not-fit", draft.nest.outermost, text)


def tell_of_shards(draft: Draft) -> None:
    """Findings for what sees this process's part of the weights or gradients alone."""
    strategy = draft.options.strategy or ""
    if draft.group is not None or not strategy.startswith(("fsdp", "deepspeed")):
        return
    kept = [i.node for i in draft.all_items() if i.kind == "statement" and not _is_taken(draft, i.node)]
    for call in _calls(draft, kept):
        if draft.roles.full_name(call.func) in _CLIPS and strategy != FSDP2:
            text = (
                f"`{ast.unparse(call)[:60]}` takes the norm of this process's part of the gradients under `{strategy}`"
            )
            draft.note(SHARDED, call, text)
    if strategy.startswith("fsdp") or "stage_3" in strategy:
        _tell_of_weights(draft, strategy, kept)


def _tell_of_weights(draft: Draft, strategy: str, kept: list[ast.stmt]) -> None:
    after = statements_after(draft)
    told = False
    for call in _calls(draft, [*kept, *after]):
        match call.func:
            case ast.Attribute(value=owner, attr="state_dict") if _is_model(draft, owner):
                text = f"`{ast.unparse(call)[:60]}` gives this process's part of the weights under `{strategy}`"
                draft.note(SHARDED, call, f"{text}: `trainer.save_checkpoint(...)` saves all")
                told = True
    used = [n for statement in after for n in walk(statement) if isinstance(n, ast.Name) and _is_model(draft, n)]
    if used and not told:
        text = f"`{used[0].id}` holds this process's part of the weights after `fit` under `{strategy}`"
        draft.note(SHARDED, used[0], text)


def _calls(draft: Draft, statements: list[ast.stmt]) -> list[ast.Call]:
    """The calls in statements, each once, but for what the conversion takes away."""
    found = [n for s in dict.fromkeys(statements) for n in walk(s) if isinstance(n, ast.Call)]
    return [c for c in dict.fromkeys(found) if not _is_taken(draft, draft.source.statement_of(c))]


def _is_taken(draft: Draft, statement: ast.stmt) -> bool:
    return statement in draft.removals or statement in draft.claims


def _is_model(draft: Draft, node: ast.expr) -> bool:
    return draft.roles.of(node, draft.source.scope_of(node)) is Role.MODEL
