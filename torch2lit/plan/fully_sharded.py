"""FSDP2, which is Lightning's ModelParallelStrategy: the module shards the model's repeated blocks and the model, each once.

    --strategy fsdp2 --devices 2    →    Trainer(strategy=L.pytorch.strategies.ModelParallelStrategy(data_parallel_size=2, tensor_parallel_size=1))

                                         def configure_model(self):
                                             mesh = self.device_mesh["data_parallel"]
                                             ...
                                                 fully_shard(self.model, mesh=mesh)

The sizes are written: left out, they mean the number of nodes and the devices of each. `trainer.validate` calls `configure_model` once more.
Source: https://lightning.ai/docs/pytorch/stable/advanced/model_parallel/tp_fsdp.html
"""

from __future__ import annotations

import re

from .blocks import repeated_blocks
from .draft import Draft
from .held_models import held_models, trained_models
from .optimizers import Configured
from .state import State

_SHARDS = ("fully_shard", "FSDPModule")
_CHECKPOINTS = "apply_activation_checkpointing"
_CHECKPOINT_FROM = "torch.distributed.algorithms._checkpoint.checkpoint_wrapper"
_FROM = "torch.distributed.fsdp"


def configure_model(draft: Draft, configured: Configured, state: State) -> None:
    """Give the module its `configure_model`. Raises Refused where it cannot shard what the script trains."""
    if draft.options.strategy != "fsdp2":
        return
    models = trained_models(draft)
    homes = [state.homes.get(model, "") for model in models]
    if len(models) != 1 or not re.fullmatch(r"self\.\w+", homes[0]) or held_models(draft) - models:
        raise _refusal(draft, "shards one model, which the LightningModule holds, and here it does not hold just one")
    if not configured.moved:
        raise _refusal(draft, "shards the model before its optimizer is made, and here the optimizer is made before")
    blocks, again = repeated_blocks(draft), draft.options.activation_checkpointing == "blocks"
    if again and not blocks:
        raise _refusal(draft, "computes activations of repeated blocks again, and the file has none that can be named")
    names = [*_SHARDS, _CHECKPOINTS] if again else [*_SHARDS]
    taken = {name for name in names if draft.roles.key(draft.source.tree, name) is not None}
    if taken:
        raise _refusal(draft, f"needs the name `{min(taken)}`, which the script has for something else")
    draft.named_imports += [(_FROM, name) for name in _SHARDS]
    draft.named_imports += [(_CHECKPOINT_FROM, _CHECKPOINTS)] if again else []
    draft.methods.append(_method(homes[0], blocks, again))


def strategy_of_sizes(draft: Draft) -> str:
    """The strategy with its sizes, as source. Raises Refused when the options do not say how many devices."""
    devices = draft.options.devices or "1"
    if devices in ("auto", "-1"):
        raise _refusal(draft, f"needs a number of devices, and --devices {devices} is none")
    count = len([index for index in devices.split(",") if index]) if "," in devices else int(devices)
    size = count * (draft.options.num_nodes or 1)
    sizes = f"data_parallel_size={size}, tensor_parallel_size=1"
    if (kind := draft.options.state_dict_type) is not None:
        sizes += f", save_distributed_checkpoint={kind == 'sharded'}"
    return f"{{lightning}}.pytorch.strategies.ModelParallelStrategy({sizes})"


def _refusal(draft: Draft, why: str) -> Exception:
    return draft.refuse("options-do-not-fit", draft.nest.outermost, f"`fsdp2` {why}")


def _method(model: str, blocks: list[str], again: bool) -> str:
    lines = ["def configure_model(self):", '    mesh = self.device_mesh["data_parallel"]']
    if blocks:
        kinds = blocks[0] if len(blocks) == 1 else f"({', '.join(blocks)})"
        if again:
            lines += [
                f"    if not isinstance({model}, FSDPModule):",
                f"        {_CHECKPOINTS}({model}, check_fn=lambda part: isinstance(part, {kinds}))",
            ]
        lines += [
            f"    for part in reversed(list({model}.modules())):",
            f"        if isinstance(part, {kinds}) and not isinstance(part, FSDPModule):",
            "            fully_shard(part, mesh=mesh)",
        ]
    lines += [f"    if not isinstance({model}, FSDPModule):", f"        fully_shard({model}, mesh=mesh)"]
    return "\n".join(lines) + "\n"
