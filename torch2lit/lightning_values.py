"""What Lightning 2.6 accepts for its Trainer, so that a wrong value is told before the first training."""

from __future__ import annotations

import re

ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps", "tpu")
PRECISIONS = (
    "64-true",
    "32-true",
    "16-mixed",
    "16-true",
    "bf16-mixed",
    "bf16-true",
    "transformer-engine",
    "transformer-engine-float16",
)
PRECISION_ALIASES = {"64": "64-true", "32": "32-true", "16": "16-mixed", "bf16": "bf16-mixed"}
STRATEGIES = (
    "auto",
    "ddp",
    "ddp_find_unused_parameters_false",
    "ddp_find_unused_parameters_true",
    "ddp_fork",
    "ddp_fork_find_unused_parameters_false",
    "ddp_fork_find_unused_parameters_true",
    "ddp_notebook",
    "ddp_notebook_find_unused_parameters_false",
    "ddp_notebook_find_unused_parameters_true",
    "ddp_spawn",
    "ddp_spawn_find_unused_parameters_false",
    "ddp_spawn_find_unused_parameters_true",
    "deepspeed",
    "deepspeed_stage_1",
    "deepspeed_stage_2",
    "deepspeed_stage_2_offload",
    "deepspeed_stage_3",
    "deepspeed_stage_3_offload",
    "deepspeed_stage_3_offload_nvme",
    "fsdp",
    "fsdp2",
    "fsdp_cpu_offload",
    "single_device",
    "single_tpu",
    "single_xla",
    "xla",
    "xla_debug",
)
TARGETS = ("auto", "trainer", "fabric")
LEVELS = ("exact", "native")
CHECKPOINTS = ("own", "callback", "lightning")
DATAMODULES = ("own", "lightning")
CALLBACKS = ("own", "lightning")
METRICS = ("own", "native")
LIGHTNING_CLIS = ("own", "lightning")
SWITCHES = ("deterministic", "benchmark", "fast-dev-run", "barebones", "profile")
ACTIVATION_CHECKPOINTING = ("none", "blocks")
STATE_DICTS = ("full", "sharded")
NO_NEPTUNE = (
    "neptune is not written: Neptune has been shut down, and Lightning's NeptuneLogger only says so. `own` leaves the script's neptune calls as they are; "
    "`tensorboard`, `csv`, `wandb` or `mlflow` log the numbers that the script reports beside them"
)
LOGGERS = ("own", "auto", "tensorboard", "csv", "wandb", "mlflow")

_INDICES = re.compile(r"\d+(\s*,\s*\d+)*\s*,?")
_GPU_ONLY = ("fsdp", "deepspeed")
_FOR_SEVERAL = ("ddp", *_GPU_ONLY)
FSDP2 = "fsdp2"
"""Lightning's ModelParallelStrategy, which has no name there: it runs by gloo, too."""
_NOT_BY_NAME = ("single_xla", "single_tpu")
"""Strategies that are registered without the device that they need."""
_XLA_PRECISIONS = ("32-true", "16-true", "bf16-true")


class ValueProblem(ValueError):
    """A value that Lightning does not accept. ``name`` is the field of Options, the message for the user."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


def accelerator(value: str) -> str:
    """A legal accelerator. Raises ValueProblem."""
    return _one_of("accelerator", value, ACCELERATORS)


def strategy(value: str) -> str:
    """The registered name of a strategy, in capitals or not. Raises ValueProblem."""
    return _one_of("strategy", value.lower(), STRATEGIES)


def target(value: str) -> str:
    """How far a conversion goes. Raises ValueProblem."""
    return _one_of("target", value, TARGETS)


def level(value: str) -> str:
    """How much of the machinery around the training becomes Lightning's. Raises ValueProblem."""
    return _one_of("level", value, LEVELS)


def checkpoints(value: str) -> str:
    """Who saves: the script or Lightning. Raises ValueProblem."""
    return _one_of("checkpoints", value, CHECKPOINTS)


def logger(value: str) -> str:
    """Who writes the numbers of the training. Raises ValueProblem."""
    if value == "neptune":
        raise ValueProblem("logger", NO_NEPTUNE)
    return _one_of("logger", value, LOGGERS)


def datamodule(value: str) -> str:
    """Where the data is made. Raises ValueProblem."""
    return _one_of("datamodule", value, DATAMODULES)


def callbacks(value: str) -> str:
    """Who keeps what callbacks of Lightning's keep. Raises ValueProblem."""
    return _one_of("callbacks", value, CALLBACKS)


def metrics(value: str) -> str:
    """Who adds up the numbers of an epoch. Raises ValueProblem."""
    return _one_of("metrics", value, METRICS)


def lightning_cli(value: str) -> str:
    """Who reads the script's command line. Raises ValueProblem."""
    return _one_of("lightning_cli", value, LIGHTNING_CLIS)


def switches(value: str) -> str:
    """The switches that the converted script gets, in one order, with commas between them. Raises ValueProblem."""
    names = [_one_of("switches", name.strip().lower().replace("_", "-"), SWITCHES) for name in value.split(",")]
    return ",".join(name for name in SWITCHES if name in names)


def activation_checkpointing(value: str) -> str:
    """What is computed again in the backward pass. Raises ValueProblem."""
    return _one_of("activation_checkpointing", value, ACTIVATION_CHECKPOINTING)


def state_dict_type(value: str) -> str:
    """How a sharded model is saved. Raises ValueProblem."""
    return _one_of("state_dict_type", value, STATE_DICTS)


def check_sharding(strategy: str | None, activation_checkpointing: str | None, state_dict_type: str | None) -> None:
    """Raise ValueProblem for what only a strategy that shards the model takes, beside any other."""
    if (strategy or "").startswith("fsdp"):
        return
    for name, value in (("activation_checkpointing", activation_checkpointing), ("state_dict_type", state_dict_type)):
        if value not in (None, "none"):
            raise ValueProblem(name, f"{value!r} goes with --strategy fsdp, fsdp_cpu_offload or fsdp2 only")


def precision(value: str) -> str:
    """A legal precision under its full name: ``16`` is ``16-mixed``. Raises ValueProblem."""
    value = value.strip()
    return PRECISION_ALIASES.get(value) or _one_of("precision", value, PRECISIONS)


def devices(value: str) -> str:
    """``auto``, a count, ``-1`` for all, or indices such as ``0,1``. Raises ValueProblem."""
    value = value.strip()
    if value.startswith("[") and value.endswith("]"):
        value = value[1:-1].strip() + ","
    if value in ("auto", "-1"):
        return value
    if not _INDICES.fullmatch(value):
        raise ValueProblem(
            "devices", f"{value!r} is not 'auto', a count, -1 (all), or indices such as 0,1 (one index: 0,)"
        )
    if "," not in value:
        if int(value) == 0:
            raise ValueProblem("devices", "0 devices cannot train; the first device alone is written 0,")
        return str(int(value))
    indices = [int(index) for index in value.split(",") if index.strip()]
    if len(set(indices)) != len(indices):
        raise ValueProblem("devices", f"{value!r} names a device twice")
    return ",".join(map(str, indices)) + ("," if len(indices) == 1 else "")


def num_nodes(value: int) -> int:
    """A number of machines. Raises ValueProblem."""
    if value < 1:
        raise ValueProblem("num_nodes", f"{value} is not a number of machines: at least 1")
    return value


def devices_code(value: str) -> str:
    """The Python expression for legal devices: ``2``, ``"auto"`` or ``[0, 1]``."""
    if "," in value:
        return f"[{', '.join(index for index in value.split(',') if index)}]"
    return f'"{value}"' if value == "auto" else value


def check_together(accelerator: str | None, devices: str | None, strategy: str | None, precision: str | None) -> None:
    """Raise ValueProblem for values that are legal alone and that Lightning refuses together."""
    strategy = strategy or "auto"
    if strategy in _NOT_BY_NAME:
        raise ValueProblem(
            "strategy", f"{strategy!r} cannot be made by its name: --accelerator tpu --devices 1 chooses it"
        )
    _check_strategy(accelerator, strategy)
    _check_devices(accelerator, devices, strategy)
    _check_precision(accelerator, strategy, precision)


def is_for_several(strategy: str) -> bool:
    """Whether a strategy is one of several processes."""
    return strategy.startswith((*_FOR_SEVERAL, "xla"))


def takes_several(devices: str | None, num_nodes: int | None, strategy: str | None) -> bool:
    """Whether legal values may ask for more than one process, or for a strategy of several."""
    alone = devices is None or devices == "1" or devices.endswith(",")
    return not alone or (num_nodes or 1) > 1 or is_for_several(strategy or "auto")


def _check_strategy(accelerator: str | None, strategy: str) -> None:
    if accelerator in ("mps", "tpu") and strategy == FSDP2:
        raise ValueProblem(
            "strategy", f"{strategy!r} cannot go with --accelerator {accelerator}: it takes GPUs or the CPU"
        )
    if accelerator in ("cpu", "mps", "tpu") and strategy.startswith(_GPU_ONLY) and strategy != FSDP2:
        raise ValueProblem("strategy", f"{strategy!r} needs CUDA GPUs and cannot go with --accelerator {accelerator}")
    if accelerator == "mps" and strategy.startswith("ddp"):
        raise ValueProblem("strategy", f"{strategy!r} cannot go with --accelerator mps, which is one device only")
    if accelerator == "tpu" and strategy.startswith(("ddp", "single_device")):
        raise ValueProblem("strategy", f"{strategy!r} cannot go with --accelerator tpu, which takes 'xla' or 'auto'")
    if accelerator not in (None, "auto", "tpu") and strategy.startswith("xla"):
        raise ValueProblem("strategy", f"{strategy!r} needs --accelerator tpu, not {accelerator}")
    if accelerator in ("gpu", "cuda", "mps") and strategy == "single_device":
        raise ValueProblem("strategy", f"'single_device' by its name is the CPU: leave it out with {accelerator}")


def _check_devices(accelerator: str | None, devices: str | None, strategy: str) -> None:
    if accelerator == "cpu" and devices is not None and not devices.isdigit() and devices != "auto":
        raise ValueProblem("devices", f"{devices!r} with --accelerator cpu: a count of processes is needed")
    if accelerator == "mps" and devices not in (None, "auto", "-1", "1", "0,"):
        raise ValueProblem("devices", f"{devices!r} with --accelerator mps, which is one device only")
    if strategy == "single_device" and devices not in (None, "1") and not (devices or "").endswith(","):
        raise ValueProblem("strategy", f"'single_device' would train on one of --devices {devices} alone")


def _check_precision(accelerator: str | None, strategy: str, precision: str | None) -> None:
    if precision is None:
        return
    engine = precision.startswith("transformer-engine")
    if strategy.startswith(_GPU_ONLY) and (precision == "64-true" or engine):
        raise ValueProblem("precision", f"{precision!r} is not supported by the strategy {strategy!r}")
    if engine and accelerator in ("cpu", "mps", "tpu"):
        raise ValueProblem("precision", f"{precision!r} needs CUDA GPUs, not --accelerator {accelerator}")
    if (accelerator == "tpu" or strategy.startswith("xla")) and precision not in _XLA_PRECISIONS:
        raise ValueProblem("precision", f"{precision!r} on a TPU, which takes {', '.join(_XLA_PRECISIONS)}")


def nearest(value: str, legal: tuple[str, ...]) -> str | None:
    """The legal value that was probably meant."""
    from difflib import get_close_matches

    found = get_close_matches(value.lower(), legal, 1, 0.6)
    return found[0] if found else None


def _one_of(name: str, value: str, legal: tuple[str, ...]) -> str:
    value = value.strip()
    if value in legal:
        return value
    meant = nearest(value, legal)
    hint = f"did you mean {meant!r}? " if meant else ""
    raise ValueProblem(name, f"{value!r} is unknown: {hint}Legal values: {', '.join(legal)}.")
