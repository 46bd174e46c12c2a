"""Every pair of accelerator and strategy, with one and two devices and every precision: refused here where Lightning refuses it."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from unittest.mock import patch

import pytest

from torch2lit.lightning_values import PRECISIONS, STRATEGIES, ValueProblem
from torch2lit.options import Options

ACCELERATORS = ("cpu", "cuda", "mps")
"""Those whose presence can be pretended; without `torch_xla` nothing of a TPU can be made."""


@contextlib.contextmanager
def pretended(accelerator: str) -> Iterator[None]:
    """A machine that has four of the devices."""
    with contextlib.ExitStack() as stack:
        if accelerator == "cuda":
            for package in ("pytorch", "fabric"):
                stack.enter_context(patch(f"lightning.{package}.accelerators.cuda.num_cuda_devices", return_value=4))
        if accelerator == "mps":
            for package in ("pytorch", "fabric"):
                target = f"lightning.{package}.accelerators.mps.MPSAccelerator.is_available"
                stack.enter_context(patch(target, return_value=True))
        yield


def taken_by_lightning(accelerator: str, devices: int, strategy: str, precision: str) -> bool:
    """Whether a Trainer can be made, and trains on as many of those devices as it is told."""
    import lightning
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    with pretended(accelerator):
        try:
            trainer = lightning.Trainer(
                accelerator=accelerator,
                devices=devices,
                strategy=strategy,
                precision=precision,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            )
        except (ValueError, TypeError, RuntimeError, ModuleNotFoundError, MisconfigurationException):
            return False
        if strategy == "single_device":  # made without a look at the device
            return trainer.strategy.root_device.type == accelerator and devices == 1
        return True


def taken_here(accelerator: str, devices: int, strategy: str, precision: str) -> bool:
    """Whether the options are taken."""
    try:
        Options(accelerator=accelerator, devices=str(devices), strategy=strategy, precision=precision)
    except ValueProblem:
        return False
    return True


PAIRS = [pair for pair in itertools.product(ACCELERATORS, STRATEGIES) if not pair[1].startswith(("deepspeed", "fsdp2"))]
"""DeepSpeed is refused wherever it is not installed: see `test_deepspeed_and_tpu`. Lightning has no name for FSDP2."""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("accelerator", ACCELERATORS)
def test_strategies_and_devices(accelerator: str) -> None:
    pytest.importorskip("lightning")
    wrong = [
        (accelerator, devices, strategy)
        for (one, strategy), devices in itertools.product(PAIRS, (1, 2))
        if one == accelerator
        and taken_here(one, devices, strategy, "32-true") != taken_by_lightning(one, devices, strategy, "32-true")
    ]
    assert not wrong


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("accelerator", ("cpu", "cuda"))
def test_precisions(accelerator: str) -> None:
    pytest.importorskip("lightning")
    given = [p for p in PRECISIONS if accelerator == "cpu" or not p.startswith("transformer-engine")]
    wrong = [
        (strategy, precision)
        for strategy, precision in itertools.product(("auto", "ddp", "fsdp"), given)
        if taken_here(accelerator, 1, strategy, precision) != taken_by_lightning(accelerator, 1, strategy, precision)
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("accelerator", "devices", "strategy", "precision", "taken"),
    [
        ("cuda", 2, "deepspeed_stage_2", "bf16-mixed", True),
        ("cuda", 2, "deepspeed_stage_2", "64-true", False),
        ("cpu", 2, "deepspeed", "32-true", False),
        ("mps", 1, "deepspeed", "32-true", False),
        ("tpu", 8, "xla", "bf16-true", True),
        ("tpu", 8, "auto", "32-true", True),
        ("tpu", 8, "xla", "16-mixed", False),
        ("tpu", 8, "ddp", "32-true", False),
        ("tpu", 1, "single_xla", "32-true", False),
        ("tpu", 1, "single_device", "32-true", False),
        ("cuda", 1, "auto", "transformer-engine", True),
        ("cuda", 1, "fsdp", "transformer-engine", False),
    ],
)
def test_deepspeed_and_tpu(accelerator: str, devices: int, strategy: str, precision: str, taken: bool) -> None:
    assert taken_here(accelerator, devices, strategy, precision) is taken


def test_strategies_are_taken_in_capitals_and_accelerators_are_not() -> None:
    assert Options(strategy="DDP").strategy == "ddp"
    with pytest.raises(ValueProblem):
        Options(accelerator="CUDA")


@pytest.mark.parametrize(
    ("values", "several"),
    [
        ({}, False),
        ({"devices": "1"}, False),
        ({"devices": "3,"}, False),
        ({"accelerator": "cpu", "devices": "auto"}, False),
        ({"devices": "auto"}, True),
        ({"devices": "0,1"}, True),
        ({"devices": "1", "num_nodes": 2}, True),
        ({"strategy": "ddp"}, True),
        ({"strategy": "auto"}, False),
    ],
)
def test_which_options_ask_for_several_processes(values: dict[str, str], several: bool) -> None:
    assert Options(**values).several_processes is several  # type: ignore[arg-type]


@pytest.mark.parametrize("values", [{"activation_checkpointing": "blocks"}, {"state_dict_type": "sharded"}])
def test_what_a_sharded_model_takes_goes_with_no_other_strategy(values: dict[str, str]) -> None:
    for strategy in ("fsdp", "fsdp_cpu_offload", "fsdp2"):
        assert Options(strategy=strategy, **values).strategy == strategy  # type: ignore[arg-type]
    for other in (None, "ddp", "deepspeed_stage_2"):
        with pytest.raises(ValueProblem, match="fsdp2 only"):
            Options(strategy=other, **values)  # type: ignore[arg-type]
